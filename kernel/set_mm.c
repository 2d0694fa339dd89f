/*
 * prctl(PR_SET_MM): where a program says that its parts lie, for who shows them: /proc/PID/stat, cmdline, environ, auxv. Services set
 * the place of their arguments to show another title; restorers of programs set all. brk(2) goes on from the new break.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/string.h>
#include <kumo/tree.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/mount.h>
#include <linux/prctl.h>

#include "process.h"

#define LOWEST_ADDRESS 65536UL /* /proc/sys/vm/mmap_min_addr */
#define NO_PROGRAM (~0U)       /* exe_fd of who does not set it */

static struct prctl_mm_map map_get(const struct mm *mm)
{
	return (struct prctl_mm_map){
		.start_code = mm->code_start,
		.end_code = mm->code_end,
		.start_data = mm->data_start,
		.end_data = mm->data_end,
		.start_brk = mm->brk_start,
		.brk = mm->brk,
		.start_stack = mm->stack_start,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
	};
}

static void map_set(struct mm *mm, const struct prctl_mm_map *map)
{
	mm->code_start = map->start_code;
	mm->code_end = map->end_code;
	mm->data_start = map->start_data;
	mm->data_end = map->end_data;
	mm->brk_start = map->start_brk;
	mm->brk = map->brk;
	mm->stack_start = map->start_stack;
	WRITE_ONCE(mm->arg_start, map->arg_start);
	WRITE_ONCE(mm->arg_end, map->arg_end);
	WRITE_ONCE(mm->env_start, map->env_start);
	WRITE_ONCE(mm->env_end, map->env_end);
}

static bool map_valid(const struct prctl_mm_map *map)
{
	const u64 all[] = { map->start_code, map->end_code,  map->start_data,  map->end_data,
			    map->start_brk,  map->brk,	     map->start_stack, map->arg_start,
			    map->arg_end,    map->env_start, map->env_end };
	u64 limit = process_limit(RLIMIT_DATA);

	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] < LOWEST_ADDRESS || all[i] >= USER_END)
			return false;
	if (map->start_code >= map->end_code || map->start_data > map->end_data ||
	    map->start_brk > map->brk || map->arg_start > map->arg_end || map->env_start > map->env_end)
		return false;
	return limit == RLIM_INFINITY ||
	       map->brk - map->start_brk + (map->end_data - map->start_data) <= limit;
}

/* The program's own file is mapped where it runs, and so it stays; but a wrong one is refused for what is wrong with it. */
static long set_program(unsigned int fd)
{
	struct fd_ref ref = fd_borrow(fd);
	long result = -EBUSY;

	if (!ref.file)
		return -EBADF;
	if (!S_ISREG(ref.file->node->attr.mode) ||
	    (ref.file->path.mount && ref.file->path.mount->flags & MS_NOEXEC) ||
	    node_permission(ref.file->node, MAY_EXEC, current->cred))
		result = -EACCES;
	fd_release(ref);
	return result;
}

static long auxv_get(u64 *vector, const void __user *from, size_t size)
{
	const size_t words = ARRAY_SIZE(current->mm->saved_auxv);

	if (size > words * sizeof(*vector))
		return -EINVAL;
	if (copy_from_user(vector, from, size))
		return -EFAULT;
	vector[words - 2] = vector[words - 1] = 0; /* it ends in any case */
	return 0;
}

static long set_auxv(struct mm *mm, const void __user *from, size_t size)
{
	u64 vector[ARRAY_SIZE(mm->saved_auxv)] = {};
	long error = auxv_get(vector, from, size);

	if (error)
		return error;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	memcpy(mm->saved_auxv, vector, size);
	up_write(&mm->map_lock);
	return 0;
}

static long set_all(struct mm *mm, const void __user *from, size_t size)
{
	u64 vector[ARRAY_SIZE(mm->saved_auxv)] = {};
	struct prctl_mm_map map;
	long error;

	if (size != sizeof(map))
		return -EINVAL;
	if (copy_from_user(&map, from, sizeof(map)))
		return -EFAULT;
	if (!map_valid(&map) || (map.auxv_size && !map.auxv))
		return -EINVAL;
	error = map.auxv_size ? auxv_get(vector, (const void __user *)map.auxv, map.auxv_size) : 0;
	if (!error && map.exe_fd != NO_PROGRAM)
		error = capable(CAP_CHECKPOINT_RESTORE) || capable(CAP_SYS_ADMIN)
				? set_program(map.exe_fd)
				: -EPERM;
	if (error)
		return error;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	map_set(mm, &map);
	if (map.auxv_size)
		memcpy(mm->saved_auxv, vector, sizeof(vector));
	up_write(&mm->map_lock);
	return 0;
}

/* The field of the map that the option names; NULL: none. */
static __u64 *field_of(struct prctl_mm_map *map, unsigned long what)
{
	switch (what) {
	case PR_SET_MM_START_CODE:
		return &map->start_code;
	case PR_SET_MM_END_CODE:
		return &map->end_code;
	case PR_SET_MM_START_DATA:
		return &map->start_data;
	case PR_SET_MM_END_DATA:
		return &map->end_data;
	case PR_SET_MM_START_STACK:
		return &map->start_stack;
	case PR_SET_MM_START_BRK:
		return &map->start_brk;
	case PR_SET_MM_BRK:
		return &map->brk;
	case PR_SET_MM_ARG_START:
		return &map->arg_start;
	case PR_SET_MM_ARG_END:
		return &map->arg_end;
	case PR_SET_MM_ENV_START:
		return &map->env_start;
	case PR_SET_MM_ENV_END:
		return &map->env_end;
	default:
		return NULL;
	}
}

/* What lies on the stack must be in memory that there is. */
static bool must_be_mapped(unsigned long what)
{
	return what == PR_SET_MM_START_STACK || what == PR_SET_MM_ARG_START ||
	       what == PR_SET_MM_ARG_END || what == PR_SET_MM_ENV_START || what == PR_SET_MM_ENV_END;
}

static long set_one(struct mm *mm, unsigned long what, unsigned long address)
{
	struct prctl_mm_map map;
	__u64 *field;
	long error = -EINVAL;

	if (address >= USER_END || address < LOWEST_ADDRESS)
		return -EINVAL;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	map = map_get(mm);
	field = field_of(&map, what);
	if (field) {
		*field = address;
		if (map_valid(&map))
			error = must_be_mapped(what) && !vma_find(mm, address) ? -EFAULT : 0;
	}
	if (!error)
		map_set(mm, &map);
	up_write(&mm->map_lock);
	return error;
}

long process_set_parts(unsigned long what, unsigned long value, unsigned long size, unsigned long rest)
{
	struct mm *mm = current->mm;
	bool sized = what == PR_SET_MM_AUXV || what == PR_SET_MM_MAP || what == PR_SET_MM_MAP_SIZE;

	if (rest || (size && !sized))
		return -EINVAL;
	if (what == PR_SET_MM_MAP_SIZE)
		return put_user((u32)sizeof(struct prctl_mm_map), (u32 __user *)value);
	if (what == PR_SET_MM_MAP)
		return set_all(mm, (const void __user *)value, size);
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (what == PR_SET_MM_EXE_FILE)
		return set_program((unsigned int)value);
	if (what == PR_SET_MM_AUXV)
		return set_auxv(mm, (const void __user *)value, size);
	return set_one(mm, what, value);
}
