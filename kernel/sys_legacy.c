/*
 * Calls for what this kernel does not do, or that newer ones have replaced: accounting of processes, quotas, swap, ports for
 * programs, ustat(2) and sysfs(2). Each checks as Linux does, so that a program learns what is wrong with its arguments first, and
 * then says that there is none.
 */
#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/namespace.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/user_path.h>
#include <linux/quota.h>
#include <linux/types.h>

#define PORTS 65536UL
#define PRIVILEGE_LEVELS 4u
/* The uapi headers leave these to libc: a priority, its flag, and three ways to discard. */
#define SWAP_FLAGS_VALID 0x7ffff

/* Opens what user space names, for writing, as who uses its contents would. */
static struct file *open_named(const char __user *name, u32 flags)
{
	struct user_path text;
	struct file *file;
	int error = user_path_get(&text, name);

	if (error)
		return ERR_PTR(error);
	file = file_open_name(text.text, flags | O_LARGEFILE, 0, current->cred);
	user_path_put(&text);
	return file;
}

/* ---- Accounting ---- */

long sys_acct(const char __user *name)
{
	struct file *file;
	bool regular;

	if (!capable(CAP_SYS_PACCT))
		return -EPERM;
	if (!name)
		return 0; /* off, as it always is */
	file = open_named(name, O_WRONLY | O_APPEND);
	if (IS_ERR(file))
		return PTR_ERR(file);
	regular = S_ISREG(file->node->attr.mode);
	file_put(file);
	return regular ? -ENOSYS : -EACCES;
}

/* ---- Quotas ---- */

long sys_quotactl(unsigned int command, const char __user *special, unsigned int id, void __user *address)
{
	unsigned int operation = command >> SUBCMDSHIFT;
	struct path path;
	bool block;
	int error;

	if ((command & SUBCMDMASK) >= MAXQUOTAS)
		return -EINVAL;
	if (!special) /* all trees: none has any to write */
		return operation == Q_SYNC ? 0 : -ENODEV;
	error = user_path_walk(AT_FDCWD, special, WALK_FOLLOW, &path);
	if (error)
		return error;
	block = S_ISBLK(path_node(&path)->attr.mode);
	path_put(&path);
	return block ? -ENOSYS : -ENOTBLK;
}

long sys_quotactl_fd(unsigned int fd, unsigned int command, unsigned int id, void __user *address)
{
	struct fd_ref ref = fd_borrow(fd);

	if (!ref.file)
		return -EBADF;
	fd_release(ref);
	return (command & SUBCMDMASK) >= MAXQUOTAS ? -EINVAL : -ENOSYS;
}

/* ---- Swap ---- */

long sys_swapon(const char __user *name, int flags)
{
	struct file *file;

	if (flags & ~SWAP_FLAGS_VALID)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	file = open_named(name, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);
	file_put(file);
	return -EINVAL; /* nothing is fit for it */
}

long sys_swapoff(const char __user *name)
{
	struct path path;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	error = user_path_walk(AT_FDCWD, name, WALK_FOLLOW, &path);
	if (error)
		return error;
	path_put(&path);
	return -EINVAL; /* nothing is swapped to */
}

/* ---- Ports ---- */

/* No program gets at ports of the machine: as on a Linux that is locked down. Giving back what one never had is allowed. */
long sys_iopl(unsigned int level)
{
	if (level >= PRIVILEGE_LEVELS)
		return -EINVAL;
	return level ? -EPERM : 0;
}

long sys_ioperm(unsigned long from, unsigned long count, int on)
{
	if (from + count <= from || from + count > PORTS)
		return -EINVAL;
	return on ? -EPERM : 0;
}

/* ---- Trees ---- */

long sys_ustat(unsigned int device, void __user *to)
{
	struct {
		s32 blocks;
		u64 inodes;
		char name[6], pack[6];
	} answer = {};
	struct statfs_info info = {};
	struct tree *tree = tree_find(device);
	int error = 0;

	if (!tree)
		return -EINVAL;
	if (tree->ops->statfs)
		error = tree->ops->statfs(tree, &info);
	tree_put(tree);
	if (error)
		return error;
	answer.blocks = (s32)info.free_blocks;
	answer.inodes = info.free_files;
	return copy_to_user(to, &answer, sizeof(answer)) ? -EFAULT : 0;
}

/* The tree types, in their order: the one that was looked for, by name or by number. */
struct type_search {
	const char *name; /* NULL: by number */
	unsigned long number, seen;
	char found[32]; /* its name */
	bool done;
};

static bool type_seen(const struct tree_type *type, void *context)
{
	struct type_search *search = context;

	if (search->name ? !strcmp(type->name, search->name) : search->seen == search->number) {
		(void)strscpy(search->found, type->name, sizeof(search->found));
		search->done = true;
		return false;
	}
	search->seen++;
	return true;
}

static long type_number(const char __user *user_name)
{
	struct type_search search = {};
	struct user_path name;
	int error = user_path_get(&name, user_name);

	if (error)
		return error;
	search.name = name.text;
	tree_types_each(type_seen, &search);
	user_path_put(&name);
	return search.done ? (long)search.seen : -EINVAL;
}

static long type_name(unsigned long number, char __user *to)
{
	struct type_search search = { .number = number };

	tree_types_each(type_seen, &search);
	if (!search.done)
		return -EINVAL;
	return copy_to_user(to, search.found, strlen(search.found) + 1) ? -EFAULT : 0;
}

long sys_sysfs(int option, unsigned long a, unsigned long b)
{
	struct type_search all = { .number = ~0UL };

	switch (option) {
	case 1:
		return type_number((const char __user *)a);
	case 2:
		return type_name(a, (char __user *)b);
	case 3:
		tree_types_each(type_seen, &all);
		return (long)all.seen;
	default:
		return -EINVAL;
	}
}
