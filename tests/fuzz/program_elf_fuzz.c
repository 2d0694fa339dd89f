/*
 * Fuzzes the parser of ELF programs on the host. Whatever elf_parse_headers() accepts must hold what exec relies on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/elf.h>
#include "../../kernel/exec/elf_parse.h"

#define LIMIT 0x7ffffffff000UL

static void require(int condition)
{
	if (!condition)
		abort();
}

static void check_image(const struct elf_image *image, const struct elf_segment *segments,
			unsigned int headers)
{
	require(image->segment_count > 0 && image->segment_count <= headers);
	require(image->low < image->high && image->high <= LIMIT + ELF_PAGE_SIZE);
	require(image->low % ELF_PAGE_SIZE == 0 && image->high % ELF_PAGE_SIZE == 0);
	require(image->alignment >= ELF_PAGE_SIZE && !(image->alignment & (image->alignment - 1)));
	require(image->entry < LIMIT);
	require(image->interpreter_size <= 4096 && image->interpreter_size != 1);
	for (unsigned int i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &segments[i];

		require(segment->start <= segment->file_end && segment->file_end <= segment->end &&
			segment->end <= LIMIT);
		require(segment->start >= image->low && segment->end <= image->high);
		require(segment->file_offset % ELF_PAGE_SIZE == 0);
		require(!i || segment->start >= segments[i - 1].start);
		require(segment->protection <= 7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file file;
	struct elf_image image;
	struct elf_segment *segments;
	uint8_t *head, *headers;
	size_t rest;

	/* Exactly as large as what is read, so that the sanitizer sees each byte too far. */
	head = malloc(size < 256 ? size : 256);
	memcpy(head, data, size < 256 ? size : 256);
	if (!elf_parse_file(head, size < 256 ? size : 256, &file)) {
		require(file.header_count && file.header_count * sizeof(Elf64_Phdr) <= ELF_HEADERS_LIMIT);
		rest = file.headers_offset < size ? size - file.headers_offset : 0;
		if (rest > file.header_count * sizeof(Elf64_Phdr))
			rest = file.header_count * sizeof(Elf64_Phdr);
		headers = malloc(rest ? rest : 1);
		memcpy(headers, data + (rest ? file.headers_offset : 0), rest);
		segments = malloc(file.header_count * sizeof(*segments));
		if (!elf_parse_headers(&file, headers, rest, LIMIT, &image, segments))
			check_image(&image, segments, file.header_count);
		free(segments);
		free(headers);
	}
	free(head);
	return 0;
}
