/* /proc/PID: files about a process's address space. */
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/vm.h>
#include <linux/auxvec.h>
#include <linux/fs.h>

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
	const char rights[] = { ' ',
				vma->flags & VM_READ ? 'r' : '-',
				vma->flags & VM_WRITE ? 'w' : '-',
				vma->flags & VM_EXEC ? 'x' : '-',
				vma->flags & VM_SHARED ? 's' : 'p',
				' ' };
	u64 device = 0, id = 0;

	if (vma->file) {
		device = vma->file->node->tree->device;
		id = vma->file->node->attr.id;
	}
	text_number(text, vma->start, 16, 8, '0');
	text_putc(text, '-');
	text_number(text, vma->end, 16, 8, '0');
	text_write(text, rights, sizeof(rights));
	text_number(text, vma->file ? vma->offset_pages * PAGE_SIZE : 0, 16, 8, '0');
	text_putc(text, ' ');
	text_number(text, device >> 8 & 0xfff, 16, 2, '0');
	text_putc(text, ':');
	text_number(text, (device & 0xff) | (device >> 12 & 0xfff00), 16, 2, '0');
	text_putc(text, ' ');
	text_number(text, id, 10, 0, ' ');
	text_putc(text, ' ');
	if (*name) {
		if (text->length - start < NAME_COLUMN)
			text_printf(text, "%*s", (int)(NAME_COLUMN - (text->length - start)), "");
		text_puts_escaped(text, name, "\n");
	}
	text_putc(text, '\n');
}

static void usage_line(struct text *text, const char *name, u64 kib)
{
	size_t length = strlen(name);

	text_write(text, name, length);
	text_number(text, kib, 10, 24 - (unsigned int)length, ' ');
	text_write(text, " kB\n", 4);
}

static const struct {
	unsigned int flag;
	const char *letters;
} flag_letters[] = {
	{ VM_READ, "rd" },     { VM_WRITE, "wr" },	{ VM_EXEC, "ex" },
	{ VM_SHARED, "sh" },   { VM_MAYREAD, "mr" },	{ VM_MAYWRITE, "mw" },
	{ VM_MAYEXEC, "me" },  { VM_GROWSDOWN, "gd" },	{ VM_LOCKED, "lo" },
	{ VM_IO, "io" },       { VM_DONTCOPY, "dc" },	{ VM_NORESERVE, "nr" },
	{ VM_DONTDUMP, "dd" }, { VM_WIPEONFORK, "wf" },
};

/* The lines that smaps and smaps_rollup have in common. */
static void usage_lines(struct text *text, const struct vma_usage *usage, u64 locked_pages)
{
	u64 kib_per_page = PAGE_SIZE / 1024;

	usage_line(text, "Rss:", usage->resident * kib_per_page);
	usage_line(text, "Pss:", usage->proportional_bytes / 1024);
	usage_line(text, "Shared_Clean:", usage->shared * kib_per_page);
	usage_line(text, "Shared_Dirty:", 0);
	usage_line(text, "Private_Clean:",
		   (usage->resident - usage->shared - usage->private_dirty) * kib_per_page);
	usage_line(text, "Private_Dirty:", usage->private_dirty * kib_per_page);
	usage_line(text, "Referenced:", usage->resident * kib_per_page);
	usage_line(text, "Anonymous:", usage->anonymous * kib_per_page);
	usage_line(text, "LazyFree:", 0);
	usage_line(text, "AnonHugePages:", 0);
	usage_line(text, "ShmemPmdMapped:", 0);
	usage_line(text, "FilePmdMapped:", 0);
	usage_line(text, "Shared_Hugetlb:", 0);
	usage_line(text, "Private_Hugetlb:", 0);
	usage_line(text, "Swap:", 0);
	usage_line(text, "SwapPss:", 0);
	usage_line(text, "Locked:", locked_pages * kib_per_page);
}

static void usage_show(struct text *text, struct vma *vma)
{
	u64 kib_per_page = PAGE_SIZE / 1024;
	struct vma_usage usage;

	vma_usage(vma, &usage);
	usage_line(text, "Size:", (vma->end - vma->start) / 1024);
	usage_line(text, "KernelPageSize:", kib_per_page);
	usage_line(text, "MMUPageSize:", kib_per_page);
	usage_lines(text, &usage, vma->flags & VM_LOCKED ? usage.resident : 0);
	usage_line(text, "THPeligible:", 0);
	text_puts(text, "VmFlags:");
	for (size_t i = 0; i < ARRAY_SIZE(flag_letters); i++)
		if (vma->flags & flag_letters[i].flag) {
			text_putc(text, ' ');
			text_puts(text, flag_letters[i].letters);
		}
	text_puts(text, " \n");
}

int smaps_rollup_show(struct text *text, void *object)
{
	struct mm *mm = thread_mm_get(object);
	struct vma_usage sum = {}, usage;
	unsigned long first = 0, end = 0;
	u64 locked_pages = 0;

	if (!mm)
		return -ESRCH;
	if (down_read_killable(&mm->map_lock)) {
		mm_put(mm);
		return -EINTR;
	}
	for (struct vma *vma = vma_first(mm); vma; vma = vma_find(mm, vma->end)) {
		vma_usage(vma, &usage);
		sum.resident += usage.resident;
		sum.anonymous += usage.anonymous;
		sum.shared += usage.shared;
		sum.private_dirty += usage.private_dirty;
		sum.proportional_bytes += usage.proportional_bytes;
		locked_pages += vma->flags & VM_LOCKED ? usage.resident : 0;
		first = first ? first : vma->start;
		end = vma->end;
	}
	up_read(&mm->map_lock);
	text_printf(text, "%08lx-%08lx ---p 00000000 00:00 0 %*s[rollup]\n", first, end, 26, "");
	usage_lines(text, &sum, locked_pages);
	mm_put(mm);
	return 0;
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

/* 5 forgets how much it had in memory at most. 1 to 4 ask for marks on pages that are not kept here. */
int clear_refs_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct mm *mm;
	s64 what;
	int error = parse_s64(words, 10, &what);

	if (error)
		return error;
	if (what != 5)
		return -EINVAL;
	mm = thread_mm_get(object);
	if (mm) {
		WRITE_ONCE(mm->max_resident_pages, 0);
		mm_put(mm);
	}
	return 0;
}

/* ---- mem ---- */

/* The address space as it was when the file was opened; its mappings may go while it is open. */
static int memory_open(struct file *file, const struct cred *cred)
{
	struct mm *mm = thread_mm_get(pseudo_object(file->node));

	if (mm) {
		mm_structure_get(mm);
		mm_put(mm);
	}
	file->private = mm;
	return 0;
}

static void memory_clunk(struct file *file)
{
	if (file->private)
		mm_structure_put(file->private);
}

/* Moves what it can, a page at a time. What is not mapped gives -EIO. */
static ssize_t memory_move(struct file *file, struct iter *iter, loff_t *pos, bool write)
{
	char *buffer;
	struct mm *mm = file->private;
	ssize_t done = 0, part = 0;

	if (!mm || !mm_get_unless_dead(mm))
		return 0;
	buffer = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buffer)
		done = -ENOMEM;
	while (buffer && iter->count) {
		size_t size = min(iter->count, PAGE_SIZE - (size_t)*pos % PAGE_SIZE), copied;

		if (fatal_signal_pending()) {
			part = -EINTR;
			break;
		}
		copied = write ? iter_copy_from(iter, buffer, size) : size;
		part = copied ? mm_access(mm, (unsigned long)*pos, buffer, copied, write) : -EFAULT;
		if (part > 0 && !write) {
			copied = iter_copy_to(iter, buffer, (size_t)part);
			part = copied ? (ssize_t)copied : -EFAULT;
		}
		if (part <= 0)
			break;
		done += part;
		*pos += part;
		cond_resched();
	}
	kfree(buffer);
	mm_put(mm);
	if (!part && !done && buffer && iter->count)
		return -EIO; /* beyond the addresses of programs */
	return done ? done : part;
}

static ssize_t memory_read(struct file *file, struct iter *to, loff_t *pos)
{
	return memory_move(file, to, pos, false);
}

static ssize_t memory_write(struct file *file, struct iter *from, loff_t *pos)
{
	return memory_move(file, from, pos, true);
}

static loff_t memory_seek(struct file *file, loff_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += file->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	file->pos = offset;
	return offset;
}

const struct tree_ops memory_ops = {
	.open = memory_open,
	.clunk = memory_clunk,
	.read = memory_read,
	.write = memory_write,
	.seek = memory_seek,
};

/* ---- pagemap ---- */

/* Eight bytes for each page of the address space (Linux's Documentation/admin-guide/mm/pagemap.rst). */
static ssize_t page_map_read(struct file *file, struct iter *to, loff_t *pos)
{
	bool numbers = cred_capable(file->cred, CAP_SYS_ADMIN);
	struct mm *mm = file->private;
	u64 entries[64], page = (u64)*pos / sizeof(entries[0]);
	ssize_t done = 0, error = 0;

	if ((u64)*pos % sizeof(entries[0]) || to->count % sizeof(entries[0]))
		return -EINVAL;
	if (!mm || !mm_get_unless_dead(mm))
		return 0;
	while (!error && to->count && page < USER_END / PAGE_SIZE) {
		u64 left = min((u64)(to->count / sizeof(entries[0])), USER_END / PAGE_SIZE - page);
		unsigned int count = (unsigned int)min(left, (u64)ARRAY_SIZE(entries));
		size_t copied;

		error = vm_page_map(mm, page * PAGE_SIZE, count, entries, numbers);
		if (error)
			break;
		copied = iter_copy_to(to, entries, count * sizeof(entries[0]));
		if (copied < count * sizeof(entries[0]))
			error = -EFAULT;
		done += (ssize_t)copied;
		page += count;
		cond_resched();
	}
	mm_put(mm);
	*pos += done;
	return done ? done : error;
}

const struct tree_ops page_map_ops = {
	.open = memory_open,
	.clunk = memory_clunk,
	.read = page_map_read,
	.seek = memory_seek,
};

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
