/*
 * The parser of ELF programs: pure C, without the kernel's services, so that it is fuzzed as a host program
 * (tests/fuzz/program_elf_fuzz.c). It takes bytes of a file and says what to map where; nothing of what a file
 * says is believed before it is checked here.
 */
#ifndef KERNEL_EXEC_ELF_PARSE_H
#define KERNEL_EXEC_ELF_PARSE_H

#include <kumo/types.h>

#define ELF_PAGE_SIZE 4096UL
#define ELF_HEADERS_LIMIT 65536 /* bytes of program headers, as Linux */

/* From the ELF header: where the program headers are. */
struct elf_file {
	u16 type; /* ET_EXEC or ET_DYN */
	u16 header_count;
	u64 headers_offset;
	u64 entry;
};

/* One PT_LOAD: file bytes at [start, file_end), zeros at [file_end, end). Addresses as linked. */
struct elf_segment {
	u64 start; /* not aligned; the pages around it are mapped */
	u64 file_end, end;
	u64 file_offset; /* of the page that holds `start` */
	u32 protection;	 /* PROT_* */
};

struct elf_image {
	u64 entry;
	u64 low, high; /* page-aligned span of all segments */
	u64 alignment; /* a power of two, at least a page: what the base must be a multiple of (ET_DYN) */
	u64 headers_address; /* of the program headers in memory (AT_PHDR); 0: not loaded */
	u64 code_start, code_end, data_start, data_end;
	u64 interpreter_offset;
	u32 interpreter_size; /* with its NUL; 0: none */
	bool executable_stack;
	bool relocatable;
	u32 segment_count;
};

/* Checks the first bytes of a file. 0 or -ENOEXEC. */
int elf_parse_file(const void *bytes, size_t size, struct elf_file *file);
/* Checks the program headers, `size` bytes; fills *image and segments[], which has room for file->header_count. */
int elf_parse_headers(const struct elf_file *file, const void *bytes, size_t size,
		      u64 address_limit, struct elf_image *image, struct elf_segment *segments);

#endif
