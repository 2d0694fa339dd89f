/*
 * The parsers of partition tables. What they read is another party's: each number is checked before it is used, lists that
 * lead in a circle end, a partition that leaves the disk or overlaps another is left out with a complaint.
 *
 * MBR: four entries of 16 bytes at 446 of the first block; an extended one leads to a chain of tables with one logical
 * partition and one link each (numbers from 5 on). GPT (UEFI 2.10, 5.3): a header with checksum in block 1, or, if that is damaged, in
 * the last block, and an array of entries with a checksum of its own; the MBR must announce it by an entry of type 0xee.
 */
#include "partition_table.h"

#if __STDC_HOSTED__
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define memory_get(size) malloc(size)
#define memory_put(pointer) free(pointer)
#else
#include <kumo/err.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#define memory_get(size) kmalloc(size, GFP_KERNEL)
#define memory_put(pointer) kfree(pointer)
#endif

enum {
	MBR_ENTRIES = 446,
	MBR_SIGNATURE = 510,
	MBR_DISK_ID = 440,
	MBR_ENTRY_SIZE = 16,
	MBR_COUNT = 4,
	TYPE_EXTENDED_CHS = 0x05,
	TYPE_EXTENDED_LBA = 0x0f,
	TYPE_EXTENDED_LINUX = 0x85,
	TYPE_GPT = 0xee,
	FIRST_LOGICAL = 5,
	GPT_HEADER_MIN = 92,
	GPT_ENTRY_MIN = 128,
	GPT_ARRAY_MAX = 1 << 20,
	GPT_NAME_UNITS = 36
};

struct table {
	struct partition_source *source;
	struct {
		u64 start, end;
	} taken[PARTITIONS_MAX];
	unsigned int count;
	u8 *block; /* one block; */
	u32 disk_id;
};

static u16 le16(const u8 *at)
{
	return (u16)(at[0] | at[1] << 8);
}

static u32 le32(const u8 *at)
{
	return (u32)le16(at) | (u32)le16(at + 2) << 16;
}

static u64 le64(const u8 *at)
{
	return (u64)le32(at) | (u64)le32(at + 4) << 32;
}

static void complain(struct table *table, const char *what, u32 number)
{
	table->source->complain(table->source, what, number);
}

static int block_read(struct table *table, u64 block, u8 *to)
{
	struct partition_source *source = table->source;

	if (block >= source->size_bytes / source->block_size)
		return -ENXIO;
	return source->read(source, block * source->block_size, to, source->block_size);
}

/* Hands a partition of `count` blocks from `first` on over, unless it may not be. */
static int partition_add(struct table *table, struct partition_entry *entry, u64 first, u64 count)
{
	struct partition_source *source = table->source;
	u64 blocks = source->size_bytes / source->block_size;

	if (!count)
		return 0;
	if (first >= blocks || count > blocks - first) {
		complain(table, "reaches beyond the disk's end", entry->number);
		return 0;
	}
	if (table->count == PARTITIONS_MAX) {
		complain(table, "is one too many", entry->number);
		return 0;
	}
	for (unsigned int i = 0; i < table->count; i++) {
		if (first < table->taken[i].end && first + count > table->taken[i].start) {
			complain(table, "overlaps another", entry->number);
			return 0;
		}
	}
	table->taken[table->count].start = first;
	table->taken[table->count++].end = first + count;
	entry->start = first * source->block_size;
	entry->length = count * source->block_size;
	return source->found(source, entry);
}

/* ---- MBR ---- */

static const u8 *mbr_entry(const u8 *block, unsigned int index)
{
	return block + MBR_ENTRIES + index * MBR_ENTRY_SIZE;
}

static bool mbr_valid(const u8 *block)
{
	if (block[MBR_SIGNATURE] != 0x55 || block[MBR_SIGNATURE + 1] != 0xaa)
		return false;
	/* A file system's boot block has the same signature: there the first byte of an entry is not a flag. */
	for (unsigned int i = 0; i < MBR_COUNT; i++)
		if (mbr_entry(block, i)[0] & 0x7f)
			return false;
	return true;
}

static bool type_extended(u8 type)
{
	return type == TYPE_EXTENDED_CHS || type == TYPE_EXTENDED_LBA || type == TYPE_EXTENDED_LINUX;
}

static int mbr_partition_add(struct table *table, u32 number, u64 first, u64 count)
{
	struct partition_entry entry = { .number = number };

	(void)snprintf(entry.uuid, sizeof(entry.uuid), "%08x-%02x", table->disk_id, number);
	return partition_add(table, &entry, first, count);
}

/* The chain of logical partitions. Links only lead forward in a sane table; a circle ends with the limit of numbers. */
static int extended_read(struct table *table, u64 extended, u64 extended_count)
{
	u64 at = extended;
	u32 number = FIRST_LOGICAL;

	for (unsigned int links = 0; links < PARTITIONS_MAX; links++) {
		const u8 *entry;
		u64 first, count, next = 0;
		int error = block_read(table, at, table->block);

		if (error)
			return error == -ENXIO ? 0 : error;
		if (!mbr_valid(table->block))
			return 0;
		for (unsigned int i = 0; i < 2; i++) {
			entry = mbr_entry(table->block, i);
			first = le32(entry + 8);
			count = le32(entry + 12);
			if (!entry[4] || !count)
				continue;
			if (type_extended(entry[4])) {
				next = next ? next : extended + first;
				continue;
			}
			if (at + first + count > extended + extended_count)
				complain(table, "leaves its extended partition", number);
			else if ((error = mbr_partition_add(table, number, at + first, count)))
				return error;
			number++;
		}
		if (!next)
			return 0;
		if (next <= at || next >= extended + extended_count) {
			complain(table, "has a link that leads backwards or outside", number);
			return 0;
		}
		at = next;
	}
	return 0;
}

static int mbr_read(struct table *table)
{
	struct {
		u64 first, count;
		u8 type;
	} entries[MBR_COUNT];
	int error = 0;

	table->disk_id = le32(table->block + MBR_DISK_ID);
	for (unsigned int i = 0; i < MBR_COUNT; i++) {
		const u8 *entry = mbr_entry(table->block, i);

		entries[i].type = entry[4];
		entries[i].first = le32(entry + 8);
		entries[i].count = le32(entry + 12);
	}
	for (unsigned int i = 0; i < MBR_COUNT && !error; i++)
		if (entries[i].type && !type_extended(entries[i].type))
			error = mbr_partition_add(table, i + 1, entries[i].first, entries[i].count);
	for (unsigned int i = 0; i < MBR_COUNT && !error; i++)
		if (type_extended(entries[i].type) && entries[i].count)
			error = extended_read(table, entries[i].first, entries[i].count);
	return error;
}

/* ---- GPT ---- */

static u32 crc32_add(u32 crc, const u8 *bytes, u64 size)
{
	crc = ~crc;
	while (size--) {
		crc ^= *bytes++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

struct gpt {
	u64 first_usable, last_usable, array_block;
	u32 entry_count, entry_size, array_crc;
};

/* A header that is what it says, in the block that it names. -ENXIO: it is none. */
static int gpt_header_read(struct table *table, u64 at, struct gpt *gpt)
{
	static const u8 zero[4];
	u8 *header = table->block;
	u64 blocks = table->source->size_bytes / table->source->block_size;
	u32 size, crc;
	int error = block_read(table, at, header);

	if (error)
		return error;
	size = le32(header + 12);
	if (memcmp(header, "EFI PART", 8) || size < GPT_HEADER_MIN ||
	    size > table->source->block_size || le64(header + 24) != at)
		return -ENXIO;
	crc = crc32_add(0, header, 16);
	crc = crc32_add(crc, zero, 4); /* its own place counts as zero */
	crc = crc32_add(crc, header + 20, size - 20);
	if (crc != le32(header + 16))
		return -ENXIO;
	gpt->first_usable = le64(header + 40);
	gpt->last_usable = le64(header + 48);
	gpt->array_block = le64(header + 72);
	gpt->entry_count = le32(header + 80);
	gpt->entry_size = le32(header + 84);
	gpt->array_crc = le32(header + 88);
	if (gpt->first_usable > gpt->last_usable || gpt->last_usable >= blocks ||
	    gpt->array_block >= blocks || gpt->entry_size < GPT_ENTRY_MIN || gpt->entry_size % 8 ||
	    (u64)gpt->entry_count * gpt->entry_size > GPT_ARRAY_MAX || !gpt->entry_count)
		return -ENXIO;
	return 0;
}

/* The array of entries, whose checksum is right; to be given back by memory_put(). */
static int gpt_array_read(struct table *table, const struct gpt *gpt, u8 **array)
{
	struct partition_source *source = table->source;
	u64 used = (u64)gpt->entry_count * gpt->entry_size, position;
	u32 size = (u32)((used + source->block_size - 1) / source->block_size * source->block_size);
	int error = 0;

	position = gpt->array_block * source->block_size;
	if (size > source->size_bytes - position)
		return -ENXIO;
	*array = memory_get(size);
	if (!*array)
		return -ENOMEM;
	for (u32 done = 0; done < size && !error; done += source->block_size)
		error = source->read(source, position + done, *array + done, source->block_size);
	if (!error && crc32_add(0, *array, used) != gpt->array_crc)
		error = -ENXIO;
	if (error)
		memory_put(*array);
	return error;
}

static unsigned int utf8_put(char *to, u32 code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | code >> 12);
	to[1] = (char)(0x80 | (code >> 6 & 0x3f));
	to[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

/* UTF-16 to UTF-8; control characters and halves of pairs become '?'. */
static void gpt_name(const u8 *units, char *to)
{
	for (unsigned int i = 0; i < GPT_NAME_UNITS; i++) {
		u16 unit = le16(units + 2 * i);

		if (!unit)
			break;
		if (unit < 0x20 || unit == 0x7f || (unit >= 0xd800 && unit < 0xe000))
			unit = '?';
		to += utf8_put(to, unit);
	}
	*to = '\0';
}

static void gpt_uuid(const u8 *at, char *to, size_t size)
{
	(void)snprintf(to, size, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", le32(at),
		       le16(at + 4), le16(at + 6), at[8], at[9], at[10], at[11], at[12], at[13],
		       at[14], at[15]);
}

static int gpt_entries_read(struct table *table, const struct gpt *gpt, const u8 *array)
{
	static const u8 unused[16];
	int error = 0;

	for (u32 i = 0; i < gpt->entry_count && i < PARTITIONS_MAX && !error; i++) {
		const u8 *at = array + (u64)i * gpt->entry_size;
		struct partition_entry entry = { .number = i + 1 };
		u64 first = le64(at + 32), last = le64(at + 40);

		if (!memcmp(at, unused, 16))
			continue;
		if (first < gpt->first_usable || last > gpt->last_usable || first > last) {
			complain(table, "lies outside of what the table may give", entry.number);
			continue;
		}
		gpt_uuid(at + 16, entry.uuid, sizeof(entry.uuid));
		gpt_name(at + 56, entry.name);
		error = partition_add(table, &entry, first, last - first + 1);
	}
	return error;
}

/* By the header in block `at`. -ENXIO: header or array are damaged, and nothing was found. */
static int gpt_read_at(struct table *table, u64 at)
{
	struct gpt gpt;
	u8 *array;
	int error = gpt_header_read(table, at, &gpt);

	if (!error)
		error = gpt_array_read(table, &gpt, &array);
	if (error)
		return error;
	error = gpt_entries_read(table, &gpt, array);
	memory_put(array);
	return error;
}

static int gpt_read(struct table *table)
{
	u64 blocks = table->source->size_bytes / table->source->block_size;
	int error = gpt_read_at(table, 1);

	if (error != -ENXIO)
		return error;
	complain(table, "the first GPT is damaged; the one at the end is read", 0);
	error = gpt_read_at(table, blocks - 1);
	if (error != -ENXIO)
		return error;
	complain(table, "the GPT at the end is damaged, too", 0);
	return 0;
}

static bool mbr_announces_gpt(const u8 *block)
{
	for (unsigned int i = 0; i < MBR_COUNT; i++)
		if (mbr_entry(block, i)[4] == TYPE_GPT)
			return true;
	return false;
}

int partition_table_read(struct partition_source *source)
{
	struct table *table;
	int error = -ENOMEM;

	if (source->size_bytes < 3ULL * source->block_size)
		return 0;
	table = memory_get(sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->source = source;
	table->count = 0;
	table->disk_id = 0;
	table->block = memory_get(source->block_size);
	if (!table->block)
		goto out;
	error = block_read(table, 0, table->block);
	if (error || !mbr_valid(table->block))
		goto out;
	error = mbr_announces_gpt(table->block) ? gpt_read(table) : mbr_read(table);
out:
	memory_put(table->block);
	memory_put(table);
	return error;
}
