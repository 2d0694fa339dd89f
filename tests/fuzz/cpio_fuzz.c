/*
 * Fuzzes the reader of initramfs archives on the host: every entry that it hands out is read to its last byte, in a buffer of
 * exactly the input's size, so that the address sanitizer sees each byte too far.
 */
#include <stdlib.h>
#include <string.h>
#include "../../fs/cpio.h"

static volatile unsigned long sink;

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	struct cpio_reader reader;
	struct cpio_entry entry;
	enum cpio_result result;
	size_t at = 0;

	memcpy(copy, data, size);
	cpio_reader_init(&reader, copy, size);
	do {
		result = cpio_next(&reader, &entry);
		if (reader.at > size || (result != CPIO_END && reader.at < at))
			abort();
		at = reader.at;
		if (result == CPIO_ENTRY) {
			if (strlen(entry.name) != entry.name_length)
				abort();
			for (unsigned int i = 0; i < entry.size; i++)
				sink += entry.content[i];
		} else if (result == CPIO_DAMAGED) {
			sink += strlen(reader.error);
		}
	} while (result == CPIO_ENTRY || result == CPIO_TRAILER);
	free(copy);
	return 0;
}
