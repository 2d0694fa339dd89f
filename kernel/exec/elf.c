/*
 * Mapping ELF programs. Everything happens in the new address space while the old one is still the current one, so
 * whatever fails is reported to the caller of exec, who still exists.
 *
 * Where things go: a program for fixed addresses (ET_EXEC) there; one that can lie anywhere at two thirds of the address
 * space if it has an interpreter, else (it may be an interpreter that was started by hand) where mmap would put it. The
 * interpreter goes where mmap would put it. The heap begins behind the program.
 */
#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/random.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/vdso.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "elf_parse.h"
#include "exec.h"

#define PROGRAM_BASE ALIGN_DOWN(USER_END / 3 * 2, PAGE_SIZE) /* of what can lie anywhere */
#define PROGRAM_RANDOM_PAGES 0x10000000			     /* 1 TiB */
#define HEAP_RANDOM_PAGES 0x2000			     /* 32 MiB */

/* A parsed file. */
struct elf {
	struct file *file;
	struct elf_file header;
	struct elf_image image;
	struct elf_segment *segments; /* owned */
	unsigned long bias;	      /* added to all its addresses */
};

static unsigned long random_pages(const struct exec *exec, unsigned long pages)
{
	return exec->randomise ? (random_u64() % pages) << PAGE_SHIFT : 0;
}

static void elf_free(struct elf *elf)
{
	kfree(elf->segments);
}

static int elf_read(struct elf *elf, const char *head, size_t head_size)
{
	size_t size;
	void *headers;
	int error = elf_parse_file(head, head_size, &elf->header);

	if (error)
		return error;
	if (!elf->file->ops->mmap)
		return -ENOEXEC;
	size = elf->header.header_count * sizeof(Elf64_Phdr);
	headers = kmalloc(size, GFP_KERNEL);
	elf->segments = kmalloc(elf->header.header_count * sizeof(*elf->segments), GFP_KERNEL);
	error = -ENOMEM;
	if (headers && elf->segments)
		error = exec_read(elf->file, elf->header.headers_offset, headers, size);
	if (!error)
		error = elf_parse_headers(&elf->header, headers, size, USER_END, &elf->image,
					  elf->segments);
	kfree(headers);
	return error;
}

/* Zeroes what a page holds of the file behind the segment's end. */
static int clear_tail(struct mm *mm, unsigned long from, unsigned long to)
{
	struct page *page = mm_get_page(mm, from, true);

	if (IS_ERR(page))
		return (int)PTR_ERR(page);
	memset(page_address(page) + from % PAGE_SIZE, 0, to - from);
	page_put(page);
	return 0;
}

static int map_segment(struct mm *mm, const struct elf *elf, const struct elf_segment *segment)
{
	unsigned long start = ALIGN_DOWN(elf->bias + segment->start, PAGE_SIZE);
	unsigned long file_end = elf->bias + segment->file_end, end = elf->bias + segment->end;
	unsigned long zero_start = start;
	long mapped;

	if (segment->file_end > segment->start) {
		zero_start = ALIGN_UP(file_end, PAGE_SIZE);
		mapped = vm_map(mm, start, zero_start - start, segment->protection,
				MAP_PRIVATE | MAP_FIXED, elf->file, segment->file_offset >> PAGE_SHIFT);
		if (mapped < 0)
			return (int)mapped;
		/* Read-only segments have nothing to be zeroed: what they show of the page is the file's. */
		if (end > file_end && file_end % PAGE_SIZE && segment->protection & PROT_WRITE) {
			int error = clear_tail(mm, file_end, zero_start);

			if (error)
				return error;
		}
	}
	if (end > zero_start) {
		/* It can be written whatever the segment says, as on Linux. */
		mapped = vm_map(mm, zero_start, end - zero_start,
				PROT_READ | PROT_WRITE | (segment->protection & PROT_EXEC),
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
		if (mapped < 0)
			return (int)mapped;
	}
	return 0;
}

static int elf_map(struct mm *mm, const struct elf *elf)
{
	for (u32 i = 0; i < elf->image.segment_count; i++) {
		int error = map_segment(mm, elf, &elf->segments[i]);

		if (error)
			return error;
	}
	return 0;
}

/* The highest place below `top` for the image; 0: there is none. */
static unsigned long place_below(const struct elf_image *image, unsigned long top)
{
	unsigned long size = image->high - image->low;

	if (top < USER_MMAP_MIN + size + image->alignment)
		return 0;
	return ALIGN_DOWN(top - size, image->alignment);
}

static int set_bias(struct exec *exec, struct elf *elf, unsigned long base)
{
	if (!base || base > USER_END - (elf->image.high - elf->image.low) || base > exec->stack_top)
		return -ENOMEM;
	elf->bias = base - elf->image.low;
	return 0;
}

static int place_program(struct exec *exec, struct elf *elf)
{
	const struct elf_image *image = &elf->image;
	unsigned long base;

	if (!image->relocatable) {
		/* What lies there already is the stack, the only thing mapped. */
		if (image->high > exec->stack_top - MIB || image->low < USER_MMAP_MIN)
			return -ENOMEM;
		elf->bias = 0;
		return 0;
	}
	if (image->interpreter_size)
		base = ALIGN_UP(PROGRAM_BASE + random_pages(exec, PROGRAM_RANDOM_PAGES),
				image->alignment);
	else
		base = place_below(image, exec->mm->mmap_base);
	return set_bias(exec, elf, base);
}

static int read_interpreter_name(const struct elf *elf, char **name)
{
	size_t size = elf->image.interpreter_size;
	int error;

	*name = kmalloc(size, GFP_KERNEL);
	if (!*name)
		return -ENOMEM;
	error = exec_read(elf->file, elf->image.interpreter_offset, *name, size);
	if (!error && (*name)[size - 1])
		error = -ENOEXEC;
	if (error)
		kfree(*name);
	return error;
}

static int interpreter_open(struct exec *exec, const struct elf *program, struct elf *interpreter)
{
	char head[sizeof(Elf64_Ehdr)], *name;
	int error = read_interpreter_name(program, &name);

	if (error)
		return error;
	interpreter->file = exec_open(NULL, name, WALK_FOLLOW, exec->cred);
	kfree(name);
	if (IS_ERR(interpreter->file)) {
		error = (int)PTR_ERR(interpreter->file);
		interpreter->file = NULL;
		return error;
	}
	error = exec_read(interpreter->file, 0, head, sizeof(head));
	if (!error)
		error = elf_read(interpreter, head, sizeof(head));
	return error == -ENOEXEC ? -ELIBBAD : error;
}

static void note_program(struct exec *exec, const struct elf *elf)
{
	const struct elf_image *image = &elf->image;
	struct mm *mm = exec->mm;

	mm->code_start = elf->bias + image->code_start;
	mm->code_end = elf->bias + image->code_end;
	mm->data_start = elf->bias + image->data_start;
	mm->data_end = elf->bias + image->data_end;
	mm->brk_start = elf->bias + image->high;
	if (image->relocatable && !image->interpreter_size)
		mm->brk_start = PROGRAM_BASE; /* it lies among mappings, where a heap cannot grow */
	mm->brk_start += random_pages(exec, HEAP_RANDOM_PAGES);
	mm->brk = mm->brk_start;
	exec->program_entry = exec->entry = elf->bias + image->entry;
	exec->headers_address = image->headers_address ? elf->bias + image->headers_address : 0;
	exec->header_count = elf->header.header_count;
}

int exec_elf(struct exec *exec)
{
	struct elf program = { .file = exec->file }, interpreter = {};
	int error = elf_read(&program, exec->head, sizeof(exec->head));

	if (error)
		goto out;
	if (program.image.interpreter_size) {
		error = interpreter_open(exec, &program, &interpreter);
		if (error)
			goto out;
	}
	error = exec_stack_map(exec, program.image.executable_stack);
	if (!error)
		error = place_program(exec, &program);
	if (!error)
		error = elf_map(exec->mm, &program);
	if (error)
		goto out;
	note_program(exec, &program);
	if (interpreter.file) {
		error = interpreter.image.relocatable
				? set_bias(exec, &interpreter,
					   place_below(&interpreter.image, exec->mm->mmap_base))
				: 0;
		if (!error)
			error = elf_map(exec->mm, &interpreter);
		if (error)
			goto out;
		exec->interpreter_base = interpreter.bias;
		exec->entry = interpreter.bias + interpreter.image.entry;
	}
	error = vdso_map(exec->mm);
	if (!error)
		error = exec_stack_fill(exec);
out:
	if (interpreter.file)
		file_put(interpreter.file);
	elf_free(&interpreter);
	elf_free(&program);
	return error;
}
