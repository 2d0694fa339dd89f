/*
 * Fuzzes the reader of partition tables on the host: what it finds lies on the disk, apart from each other, and its texts end.
 * Input: flags (1: blocks of 4096 bytes; 2: checksums are made right first), then the disk from its start. The disk is a little longer than
 * the input, so that a table may speak of what is behind it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../block/partition_table.h"

enum {
	BLOCKS_BEHIND = 8,
	HEADER_SIZE = 92,
	FOUND_MAX = 1024,
};

struct disk {
	unsigned char *bytes;
	u64 size;
	unsigned int found;
	struct partition_entry entries[FOUND_MAX];
};

static int read_blocks(struct partition_source *source, u64 position, void *buffer, u32 length)
{
	struct disk *disk = source->private;

	if (position % source->block_size || length % source->block_size || position > disk->size ||
	    length > disk->size - position)
		abort();
	memcpy(buffer, disk->bytes + position, length);
	return 0;
}

static int found(struct partition_source *source, const struct partition_entry *entry)
{
	struct disk *disk = source->private;

	if (!entry->number || !entry->length || entry->start > disk->size ||
	    entry->length > disk->size - entry->start || entry->start % source->block_size ||
	    entry->length % source->block_size || !memchr(entry->uuid, 0, sizeof(entry->uuid)) ||
	    !memchr(entry->name, 0, sizeof(entry->name)) || disk->found == FOUND_MAX)
		abort();
	for (unsigned int i = 0; i < disk->found; i++) {
		const struct partition_entry *other = &disk->entries[i];

		if (entry->start < other->start + other->length &&
		    other->start < entry->start + entry->length)
			abort();
	}
	disk->entries[disk->found++] = *entry;
	return 0;
}

static void complain(struct partition_source *source, const char *what, u32 number)
{
	(void)source;
	(void)number;
	if (!*what)
		abort();
}

static u32 checksum(const unsigned char *bytes, u64 size)
{
	u32 crc = ~0U;

	for (u64 i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

/* The checksums of a GPT in block 1: chance would not find them. */
static void checksums_mend(struct disk *disk, u32 block_size)
{
	unsigned char *header = disk->bytes + block_size;
	u32 crc, count, entry_size;
	u64 array;

	memcpy(&array, header + 72, 8);
	memcpy(&count, header + 80, 4);
	memcpy(&entry_size, header + 84, 4);
	if (array < disk->size / block_size &&
	    (u64)count * entry_size <= disk->size - array * block_size) {
		crc = checksum(disk->bytes + array * block_size, (u64)count * entry_size);
		memcpy(header + 88, &crc, 4);
	}
	crc = HEADER_SIZE;
	memcpy(header + 12, &crc, 4);
	memset(header + 16, 0, 4);
	crc = checksum(header, HEADER_SIZE);
	memcpy(header + 16, &crc, 4);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct partition_source source = { .read = read_blocks, .found = found, .complain = complain };
	struct disk *disk;

	if (!size)
		return 0;
	disk = calloc(1, sizeof(*disk));
	source.private = disk;
	source.block_size = data[0] & 1 ? 4096 : 512;
	disk->size = ((size - 1) / source.block_size + BLOCKS_BEHIND) * source.block_size;
	disk->bytes = calloc(1, disk->size);
	memcpy(disk->bytes, data + 1, size - 1);
	if (data[0] & 2)
		checksums_mend(disk, source.block_size);
	source.size_bytes = disk->size;
	if (partition_table_read(&source) > 0)
		abort();
	free(disk->bytes);
	free(disk);
	return 0;
}
