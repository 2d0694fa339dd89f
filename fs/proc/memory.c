/* /proc/PID: files about a process's address space. */
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/vm.h>
#include <linux/auxvec.h>

#include "internal.h"

#define PATH_SIZE 4096
#define MAPPINGS_AT_ONCE 32
#define NAME_COLUMN 73 /* where the names in maps begin */

/* ---- maps and smaps ---- */

static const char *mapping_name(const struct vma *vma, char *buffer)
{
	const struct mm *mm = vma->mm;

	if (vma->file) {
		char *name = file_name(vma->file, buffer, PATH_SIZE);

		return IS_ERR(name) ? "" : name;
	}
	if (vma->name)
		return vma->name;
	if (vma->start <= mm->brk && vma->end >= mm->brk_start && mm->brk > mm->brk_start)
		return "[heap]";
	if (vma->start <= mm->stack_start && vma->end >= mm->stack_start)
		return "[stack]";
	return "";
}

static void mapping_show(struct text *text, const struct vma *vma, char *buffer)
{
	const char *name = mapping_name(vma, buffer);
	size_t start = text->length;
	u64 device = 0, id = 0;

	if (vma->file) {
		device = vma->file->node->tree->device;
		id = vma->file->node->attr.id;
	}
	text_printf(text, "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu ", vma->start, vma->end,
		    vma->flags & VM_READ ? 'r' : '-', vma->flags & VM_WRITE ? 'w' : '-',
		    vma->flags & VM_EXEC ? 'x' : '-', vma->flags & VM_SHARED ? 's' : 'p',
		    (unsigned long long)(vma->file ? vma->offset_pages * PAGE_SIZE : 0),
		    (u32)(device >> 8) & 0xfff, (u32)(device & 0xff) | (u32)(device >> 12 & ~0xffU),
		    (unsigned long long)id);
	if (*name) {
		while (text->length - start < NAME_COLUMN && !text->failed)
			text_putc(text, ' ');
		text_puts_escaped(text, name, "\n");
	}
	text_putc(text, '\n');
}

static void usage_line(struct text *text, const char *name, u64 kib)
{
	text_printf(text, "%-16s%8llu kB\n", name, (unsigned long long)kib);
}

static void usage_show(struct text *text, struct vma *vma)
{
	u64 kib_per_page = PAGE_SIZE / 1024;
	struct vma_usage usage;

	vma_usage(vma, &usage);
	usage_line(text, "Size:", (vma->end - vma->start) / 1024);
	usage_line(text, "KernelPageSize:", kib_per_page);
	usage_line(text, "MMUPageSize:", kib_per_page);
	usage_line(text, "Rss:", usage.resident * kib_per_page);
	usage_line(text, "Pss:", usage.proportional_bytes / 1024);
	usage_line(text, "Shared_Clean:", usage.shared * kib_per_page);
	usage_line(text, "Shared_Dirty:", 0);
	usage_line(text, "Private_Clean:",
		   (usage.resident - usage.shared - usage.private_dirty) * kib_per_page);
	usage_line(text, "Private_Dirty:", usage.private_dirty * kib_per_page);
	usage_line(text, "Referenced:", usage.resident * kib_per_page);
	usage_line(text, "Anonymous:", usage.anonymous * kib_per_page);
	usage_line(text, "Swap:", 0);
	usage_line(text, "Locked:", vma->flags & VM_LOCKED ? usage.resident * kib_per_page : 0);
	text_printf(text, "VmFlags:%s%s%s%s\n", vma->flags & VM_READ ? " rd" : "",
		    vma->flags & VM_WRITE ? " wr" : "", vma->flags & VM_EXEC ? " ex" : "",
		    vma->flags & VM_SHARED ? " sh" : "");
}

/* The cursor is the address from which mappings are still to be shown. */
static int mappings_next(struct text *text, struct thread *thread, u64 *cursor, bool usage)
{
	struct mm *mm = thread_mm_get(thread);
	char *buffer = kmalloc(PATH_SIZE, GFP_KERNEL);
	struct vma *vma = NULL;
	int result = -ENOMEM;

	if (!mm || !buffer)
		goto out;
	result = -EINTR;
	if (down_read_killable(&mm->map_lock))
		goto out;
	vma = vma_find(mm, *cursor);
	for (int i = 0; vma && i < MAPPINGS_AT_ONCE; i++) {
		mapping_show(text, vma, buffer);
		if (usage)
			usage_show(text, vma);
		*cursor = vma->end;
		vma = vma_find(mm, vma->end);
	}
	up_read(&mm->map_lock);
	result = vma != NULL;
out:
	kfree(buffer);
	if (mm)
		mm_put(mm);
	else
		result = 0;
	return result;
}

int maps_next(struct text *text, void *object, u64 *cursor)
{
	return mappings_next(text, object, cursor, false);
}

int smaps_next(struct text *text, void *object, u64 *cursor)
{
	return mappings_next(text, object, cursor, true);
}

/* ---- Memory of the process itself ---- */

/* Up to a page of [start, end) from *cursor on. */
static int memory_next(struct text *text, struct mm *mm, unsigned long start, unsigned long end,
		       u64 *cursor)
{
	size_t size = min((size_t)PAGE_SIZE, end - start - *cursor);
	char *buffer;
	ssize_t got;

	if (end <= start || *cursor >= end - start)
		return 0;
	buffer = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	got = mm_access(mm, start + *cursor, buffer, size, false);
	if (got > 0) {
		text_write(text, buffer, (size_t)got);
		*cursor += (u64)got;
	}
	kfree(buffer);
	return got > 0 && *cursor < end - start;
}

/* A program that overwrote its arguments (setproctitle) may have gone on into its environment: what shows it is that the last byte
 * of the arguments is not NUL. Then the text goes up to the first NUL. */
static int overwritten_arguments(struct text *text, struct mm *mm, u64 *cursor)
{
	int result = memory_next(text, mm, mm->arg_start, mm->env_end, cursor);
	const char *nul = text->length ? memchr(text->data, '\0', text->length) : NULL;

	if (nul) {
		text->length = (size_t)(nul - text->data);
		return 0;
	}
	return result;
}

int command_line_next(struct text *text, void *object, u64 *cursor)
{
	struct mm *mm = thread_mm_get(object);
	char last = 0;
	int result;

	if (!mm)
		return 0;
	if (mm->arg_end > mm->arg_start && mm_access(mm, mm->arg_end - 1, &last, 1, false) != 1)
		last = 0;
	if (last)
		result = overwritten_arguments(text, mm, cursor);
	else
		result = memory_next(text, mm, mm->arg_start, mm->arg_end, cursor);
	mm_put(mm);
	return result;
}

int environment_next(struct text *text, void *object, u64 *cursor)
{
	struct mm *mm = thread_mm_get(object);
	int result;

	if (!mm)
		return 0;
	result = memory_next(text, mm, mm->env_start, mm->env_end, cursor);
	mm_put(mm);
	return result;
}

int auxv_show(struct text *text, void *object)
{
	struct mm *mm = thread_mm_get(object);
	size_t count = 0;

	if (!mm)
		return 0;
	while (count + 2 < ARRAY_SIZE(mm->saved_auxv) && mm->saved_auxv[count] != AT_NULL)
		count += 2;
	text_write(text, mm->saved_auxv, (count + 2) * sizeof(mm->saved_auxv[0]));
	mm_put(mm);
	return 0;
}

/* ---- exe ---- */

int exe_follow(struct path *path, void *object)
{
	struct mm *mm = thread_mm_get(object);
	int error = -ENOENT;

	if (!mm)
		return -ENOENT;
	if (mm->exe && mm->exe->path.entry) {
		*path = mm->exe->path;
		path_get(path);
		error = 0;
	}
	mm_put(mm);
	return error;
}

int exe_target(char *buffer, size_t size, void *object)
{
	struct path path;
	int result = exe_follow(&path, object);

	if (result)
		return result;
	result = path_target(&path, buffer, size);
	path_put(&path);
	return result;
}
