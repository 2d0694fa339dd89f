/* Reading ELF headers; see elf_parse.h. (System V ABI, chapters 4 and 5; its x86-64 supplement.) */
#include <kumo/export.h>
#include <asm/errno.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "elf_parse.h"

static u64 page_down(u64 address)
{
	return address & ~(ELF_PAGE_SIZE - 1);
}

static u64 page_up(u64 address)
{
	return page_down(address + ELF_PAGE_SIZE - 1);
}

int elf_parse_file(const void *bytes, size_t size, struct elf_file *file)
{
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return -ENOEXEC;
	__builtin_memcpy(&header, bytes, sizeof(header));
	if (__builtin_memcmp(header.e_ident, ELFMAG, SELFMAG))
		return -ENOEXEC;
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if ((header.e_type != ET_EXEC && header.e_type != ET_DYN) || header.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum < 1 ||
	    header.e_phnum > ELF_HEADERS_LIMIT / sizeof(Elf64_Phdr))
		return -ENOEXEC;
	if (header.e_phoff > INT64_MAX - ELF_HEADERS_LIMIT)
		return -ENOEXEC;
	file->type = header.e_type;
	file->header_count = header.e_phnum;
	file->headers_offset = header.e_phoff;
	file->entry = header.e_entry;
	return 0;
}
EXPORT_SYMBOL(elf_parse_file);

static u32 protection_from(u32 flags)
{
	return (flags & PF_R ? PROT_READ : 0U) | (flags & PF_W ? PROT_WRITE : 0U) |
	       (flags & PF_X ? PROT_EXEC : 0U);
}

/* One PT_LOAD; `previous` is the one before, or NULL. */
static int parse_segment(const Elf64_Phdr *header, u64 limit, const struct elf_segment *previous,
			 struct elf_segment *segment)
{
	u64 in_page = header->p_vaddr % ELF_PAGE_SIZE;

	if (header->p_filesz > header->p_memsz || header->p_memsz > limit ||
	    header->p_vaddr > limit - header->p_memsz)
		return -ENOEXEC;
	/* A page of the file becomes a page of memory, so both start at the same place in their page. */
	if (header->p_filesz && (header->p_offset % ELF_PAGE_SIZE != in_page ||
				 header->p_offset > INT64_MAX - header->p_filesz))
		return -ENOEXEC;
	segment->start = header->p_vaddr;
	segment->file_end = header->p_vaddr + header->p_filesz;
	segment->end = header->p_vaddr + header->p_memsz;
	segment->file_offset = header->p_filesz ? header->p_offset - in_page : 0;
	segment->protection = protection_from(header->p_flags);
	/* In ascending order (System V ABI). Two may share a page: the later one's mapping counts, as on Linux. */
	if (previous && segment->start < previous->start)
		return -ENOEXEC;
	return 0;
}

static void add_segment(struct elf_image *image, const struct elf_segment *segment)
{
	if (!image->segment_count)
		image->low = page_down(segment->start);
	if (page_up(segment->end) > image->high)
		image->high = page_up(segment->end);
	if (segment->protection & PROT_EXEC) {
		if (!image->code_end)
			image->code_start = segment->start;
		image->code_end = segment->file_end;
	}
	image->data_start = segment->start; /* the last one's, like Linux */
	image->data_end = segment->file_end;
	image->segment_count++;
}

/* The program headers lie in this segment: where they are in memory. */
static void find_headers(const struct elf_file *file, const Elf64_Phdr *header, struct elf_image *image)
{
	u64 size = (u64)file->header_count * sizeof(Elf64_Phdr);

	if (!image->headers_address && header->p_offset <= file->headers_offset &&
	    header->p_filesz >= size &&
	    file->headers_offset - header->p_offset <= header->p_filesz - size)
		image->headers_address = header->p_vaddr + (file->headers_offset - header->p_offset);
}

int elf_parse_headers(const struct elf_file *file, const void *bytes, size_t size,
		      u64 address_limit, struct elf_image *image, struct elf_segment *segments)
{
	if (size < (size_t)file->header_count * sizeof(Elf64_Phdr))
		return -ENOEXEC;
	*image = (struct elf_image){
		.entry = file->entry,
		.alignment = ELF_PAGE_SIZE,
		.relocatable = file->type == ET_DYN,
	};
	for (unsigned int i = 0; i < file->header_count; i++) {
		struct elf_segment *segment = &segments[image->segment_count];
		Elf64_Phdr header;

		__builtin_memcpy(&header, (const char *)bytes + i * sizeof(header), sizeof(header));
		switch (header.p_type) {
		case PT_INTERP:
			if (image->interpreter_size)
				break; /* the first one counts */
			if (header.p_filesz < 2 || header.p_filesz > 4096 ||
			    header.p_offset > INT64_MAX - 4096)
				return -ENOEXEC;
			image->interpreter_offset = header.p_offset;
			image->interpreter_size = (u32)header.p_filesz;
			break;
		case PT_GNU_STACK:
			image->executable_stack = header.p_flags & PF_X;
			break;
		case PT_LOAD:
			if (!header.p_memsz)
				break;
			if (parse_segment(&header, address_limit,
					  image->segment_count ? segment - 1 : NULL, segment))
				return -ENOEXEC;
			/* Alignments that are no power of two mean nothing (Linux ignores them, too). */
			if (!(header.p_align & (header.p_align - 1)) &&
			    header.p_align > image->alignment && header.p_align < address_limit / 4)
				image->alignment = header.p_align;
			find_headers(file, &header, image);
			add_segment(image, segment);
			break;
		}
	}
	if (!image->segment_count)
		return -ENOEXEC;
	if (image->entry >= address_limit)
		return -ENOEXEC;
	return 0;
}
EXPORT_SYMBOL(elf_parse_headers);
