/* Bits of bitmaps. */
#include "bitmap.c"

#include <kumo/kunit.h>

#define BITS 512

static void ranges_are_set_and_cleared(struct kunit *test)
{
	u8 *bitmap = kunit_kzalloc(test, BITS / 8, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bitmap);
	for (u32 first = 0; first < 40; first++)
		for (u32 count = 0; count < 40; count++) {
			bits_set(bitmap, first, count, true);
			for (u32 bit = 0; bit < 90; bit++)
				KUNIT_ASSERT_EQ(test, bit_get(bitmap, bit),
						bit >= first && bit < first + count);
			bits_set(bitmap, first, count, false);
			KUNIT_ASSERT_TRUE(test, bits_all(bitmap, 0, BITS, false));
		}
}

static void bits_are_found(struct kunit *test)
{
	u8 *bitmap = kunit_kzalloc(test, BITS / 8, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bitmap);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, NULL, 0, 300, true), 300);
	bits_set(bitmap, 130, 70, true);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, NULL, 0, BITS, true), 130);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, NULL, 131, BITS, true), 131);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, NULL, 130, BITS, false), 200);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, NULL, 130, 180, false), 180);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, NULL, 0, 100, true), 100);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, NULL, 200, 200, true), 200);
	KUNIT_EXPECT_TRUE(test, bits_all(bitmap, 130, 70, true));
	KUNIT_EXPECT_FALSE(test, bits_all(bitmap, 129, 70, true));
}

static void what_is_kept_back_counts_as_set(struct kunit *test)
{
	unsigned long *also = kunit_kzalloc(test, BITS / 8, GFP_KERNEL);
	u8 *bitmap = kunit_kzalloc(test, BITS / 8, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, also);
	KUNIT_ASSERT_NOT_NULL(test, bitmap);
	bits_set(bitmap, 0, 100, true);
	bits_set(also, 100, 50, true);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, also, 0, BITS, false), 150);
	KUNIT_EXPECT_EQ(test, bit_find(bitmap, also, 100, BITS, true), 100);
}

static struct kunit_case cases[] = { KUNIT_CASE(ranges_are_set_and_cleared),
				     KUNIT_CASE(bits_are_found),
				     KUNIT_CASE(what_is_kept_back_counts_as_set),
				     {} };
static struct kunit_suite suite = { .name = "ext4_bitmap", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
