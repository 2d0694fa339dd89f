/* The format's checksums, by the catalogue's check values of CRC-32C (before its last inversion) and CRC-16. */
#include "checksum.c"

#include <kumo/kunit.h>

static const char digits[] = "123456789";

static void known_values(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ~crc32c(~0u, digits, 9), 0xE3069283);
	KUNIT_EXPECT_EQ(test, crc32c(7, digits, 0), 7);
	KUNIT_EXPECT_EQ(test, crc16(0, digits, 9), 0xBB3D);
	KUNIT_EXPECT_EQ(test, crc16(0xffff, digits, 9), 0x4B37);
}

static void pieces_give_what_the_whole_gives(struct kunit *test)
{
	u8 *bytes = kunit_kzalloc(test, 100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	for (u32 i = 0; i < 100; i++)
		bytes[i] = (u8)(i * i + 3);
	for (u32 from = 0; from < 8; from++) /* at any alignment */
		for (u32 middle = from; middle <= 100; middle++)
			KUNIT_ASSERT_EQ(test, crc32c(5, bytes + from, 100 - from),
					crc32c(crc32c(5, bytes + from, middle - from),
					       bytes + middle, 100 - middle));
}

static void tables_give_what_the_instruction_gives(struct kunit *test)
{
	u8 bytes[40];

	if (!arch_has_crc32c())
		kunit_skip(test, "this processor has no such instruction");
	make_tables();
	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 77 + 200);
	for (u32 size = 0; size <= sizeof(bytes); size++)
		KUNIT_EXPECT_EQ(test, crc32c_by_tables(size, bytes, size),
				arch_crc32c(size, bytes, size));
}

static struct kunit_case cases[] = { KUNIT_CASE(known_values),
				     KUNIT_CASE(pieces_give_what_the_whole_gives),
				     KUNIT_CASE(tables_give_what_the_instruction_gives),
				     {} };
static struct kunit_suite suite = { .name = "ext4_checksum", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
