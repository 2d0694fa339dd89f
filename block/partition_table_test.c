/* Suite of the reader of partition tables: sane ones, and such as somebody made to do harm. */
#include <kumo/kunit.h>

#include "partition_table.c"

#define DISK_BLOCKS 2048u

static u8 *disk;
static struct partition_entry found[8];
static unsigned int found_count, complaints;

static int disk_read(struct partition_source *source, u64 position, void *buffer, u32 length)
{
	if (position + length > (u64)DISK_BLOCKS * 512)
		return -EIO;
	memcpy(buffer, disk + position, length);
	return 0;
}

static int disk_found(struct partition_source *source, const struct partition_entry *entry)
{
	if (found_count < ARRAY_SIZE(found))
		found[found_count] = *entry;
	found_count++;
	return 0;
}

static void disk_complain(struct partition_source *source, const char *what, u32 number)
{
	complaints++;
}

static int read_table(void)
{
	struct partition_source source = { .size_bytes = (u64)DISK_BLOCKS * 512,
					   .block_size = 512,
					   .read = disk_read,
					   .found = disk_found,
					   .complain = disk_complain };

	found_count = complaints = 0;
	return partition_table_read(&source);
}

static int disk_make(struct kunit *test)
{
	disk = kunit_kzalloc(test, (size_t)DISK_BLOCKS * 512, GFP_KERNEL);
	return disk ? 0 : -ENOMEM;
}

static void put_le(u8 *at, u64 value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (u8)(value >> 8 * i);
}

static void mbr_put(u32 block, unsigned int index, u8 type, u32 first, u32 count)
{
	u8 *table = disk + (size_t)block * 512, *entry = table + MBR_ENTRIES + index * MBR_ENTRY_SIZE;

	entry[4] = type;
	put_le(entry + 8, first, 4);
	put_le(entry + 12, count, 4);
	put_le(table + MBR_SIGNATURE, 0xaa55, 2);
}

static void gpt_entry_put(u32 array_block, unsigned int index, u64 first, u64 last)
{
	u8 *entry = disk + (size_t)array_block * 512 + (size_t)index * 128;

	entry[0] = 1; /* a type that is not "unused" */
	entry[16] = (u8)(index + 1);
	put_le(entry + 32, first, 8);
	put_le(entry + 40, last, 8);
	put_le(entry + 56, 'a' + index, 2);
}

static void gpt_seal(u32 block, u32 array_block)
{
	u8 *header = disk + (size_t)block * 512;

	memcpy(header, "EFI PART", 8);
	put_le(header + 12, 92, 4);
	put_le(header + 16, 0, 4);
	put_le(header + 24, block, 8);
	put_le(header + 40, 34, 8);
	put_le(header + 48, DISK_BLOCKS - 34, 8);
	put_le(header + 72, array_block, 8);
	put_le(header + 80, 128, 4);
	put_le(header + 84, 128, 4);
	put_le(header + 88, crc32_add(0, disk + (size_t)array_block * 512, 128 * 128), 4);
	put_le(header + 16, crc32_add(0, header, 92), 4);
}

static void an_empty_disk_has_none(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_EXPECT_EQ(test, found_count, 0);
	KUNIT_EXPECT_EQ(test, complaints, 0);
}

static void primary_and_logical_partitions_are_numbered_as_on_linux(struct kunit *test)
{
	mbr_put(0, 0, 0x83, 10, 20);
	mbr_put(0, 2, 0x05, 100, 200);
	mbr_put(100, 0, 0x83, 1, 9);
	mbr_put(100, 1, 0x05, 50, 60);
	mbr_put(150, 0, 0x83, 2, 8);
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_ASSERT_EQ(test, found_count, 3);
	KUNIT_EXPECT_EQ(test, found[0].number, 1);
	KUNIT_EXPECT_EQ(test, found[0].start, 10 * 512);
	KUNIT_EXPECT_EQ(test, found[1].number, 5);
	KUNIT_EXPECT_EQ(test, found[1].start, 101 * 512);
	KUNIT_EXPECT_EQ(test, found[2].number, 6);
	KUNIT_EXPECT_EQ(test, found[2].start, 152 * 512);
	KUNIT_EXPECT_EQ(test, found[2].length, 8 * 512);
}

static void a_circle_of_extended_tables_ends(struct kunit *test)
{
	mbr_put(0, 0, 0x05, 100, 1000);
	mbr_put(100, 1, 0x05, 50, 60);
	mbr_put(150, 1, 0x05, 50, 60);
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_EXPECT_EQ(test, found_count, 0);
	KUNIT_EXPECT_EQ(test, complaints, 1);
}

static void a_boot_block_of_a_filesystem_is_no_table(struct kunit *test)
{
	mbr_put(0, 0, 0x83, 10, 20);
	disk[MBR_ENTRIES] = 'M';
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_EXPECT_EQ(test, found_count, 0);
}

static void what_overlaps_or_leaves_the_disk_is_left_out(struct kunit *test)
{
	mbr_put(0, 0, 0x83, 10, 20);
	mbr_put(0, 1, 0x83, 29, 1);
	mbr_put(0, 2, 0x83, DISK_BLOCKS - 1, 2);
	mbr_put(0, 3, 0x83, ~0U, ~0U);
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_EXPECT_EQ(test, found_count, 1);
	KUNIT_EXPECT_EQ(test, complaints, 3);
}

static void a_gpt_is_read_with_names(struct kunit *test)
{
	mbr_put(0, 0, TYPE_GPT, 1, DISK_BLOCKS - 1);
	gpt_entry_put(2, 0, 40, 79);
	gpt_entry_put(2, 3, 80, 80);
	gpt_seal(1, 2);
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_ASSERT_EQ(test, found_count, 2);
	KUNIT_EXPECT_EQ(test, found[0].start, 40 * 512);
	KUNIT_EXPECT_EQ(test, found[0].length, 40 * 512);
	KUNIT_EXPECT_STREQ(test, found[0].name, "a");
	KUNIT_EXPECT_EQ(test, found[1].number, 4);
	KUNIT_EXPECT_STREQ(test, found[1].uuid, "00000004-0000-0000-0000-000000000000");
}

static void a_damaged_gpt_is_replaced_by_the_one_at_the_end(struct kunit *test)
{
	mbr_put(0, 0, TYPE_GPT, 1, DISK_BLOCKS - 1);
	gpt_entry_put(2, 0, 40, 79);
	gpt_seal(1, 2);
	gpt_entry_put(DISK_BLOCKS - 33, 0, 50, 59);
	gpt_seal(DISK_BLOCKS - 1, DISK_BLOCKS - 33);
	disk[2 * 512 + 40]++; /* of the array */
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_ASSERT_EQ(test, found_count, 1);
	KUNIT_EXPECT_EQ(test, found[0].start, 50 * 512);
	KUNIT_EXPECT_EQ(test, complaints, 1);
	disk[(DISK_BLOCKS - 1) * 512 + 30]++;
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_EXPECT_EQ(test, found_count, 0);
	KUNIT_EXPECT_EQ(test, complaints, 2);
}

static void entries_outside_of_the_usable_blocks_are_left_out(struct kunit *test)
{
	mbr_put(0, 0, TYPE_GPT, 1, DISK_BLOCKS - 1);
	gpt_entry_put(2, 0, 1, 79);
	gpt_entry_put(2, 1, 80, 79);
	gpt_entry_put(2, 2, 100, ~0ULL);
	gpt_entry_put(2, 3, 100, 199);
	gpt_entry_put(2, 4, 150, 250);
	gpt_seal(1, 2);
	KUNIT_EXPECT_EQ(test, read_table(), 0);
	KUNIT_EXPECT_EQ(test, found_count, 1);
	KUNIT_EXPECT_EQ(test, complaints, 4);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(an_empty_disk_has_none),
	KUNIT_CASE(primary_and_logical_partitions_are_numbered_as_on_linux),
	KUNIT_CASE(a_circle_of_extended_tables_ends),
	KUNIT_CASE(a_boot_block_of_a_filesystem_is_no_table),
	KUNIT_CASE(what_overlaps_or_leaves_the_disk_is_left_out),
	KUNIT_CASE(a_gpt_is_read_with_names),
	KUNIT_CASE(a_damaged_gpt_is_replaced_by_the_one_at_the_end),
	KUNIT_CASE(entries_outside_of_the_usable_blocks_are_left_out),
	{},
};
static struct kunit_suite suite = { .name = "partition_table", .init = disk_make, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
