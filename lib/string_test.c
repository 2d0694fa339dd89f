/* Memory and strings, against plain loops. */
#include <kumo/kunit.h>

#define SIZE 200

static u8 *filled(struct kunit *test, u8 seed)
{
	u8 *bytes = kunit_kmalloc(test, SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (u8)(seed + i * 7);
	return bytes;
}

static void memcpy_copies_exactly_the_range_asked_for(struct kunit *test)
{
	u8 *from = filled(test, 1), *to = filled(test, 100), *expected = filled(test, 100);

	for (size_t size = 0; size <= 140; size++) {
		for (size_t offset = 0; offset < 9; offset++) {
			memset(to, 0xee, SIZE);
			for (size_t i = 0; i < SIZE; i++)
				expected[i] = i >= offset && i < offset + size ? from[i - offset + 3]
									       : 0xee;
			KUNIT_EXPECT_PTR_EQ(test, memcpy(to + offset, from + 3, size), to + offset);
			KUNIT_ASSERT_MEMEQ(test, to, expected, SIZE);
		}
	}
}

static void memmove_copies_between_ranges_that_overlap(struct kunit *test)
{
	u8 *buffer = filled(test, 1), *expected = filled(test, 1), *original = filled(test, 1);

	for (size_t size = 0; size <= 100; size++) {
		for (int shift = -20; shift <= 20; shift++) {
			memcpy(buffer, original, SIZE);
			memcpy(expected, original, SIZE);
			for (size_t i = 0; i < size; i++)
				expected[40 + shift + i] = original[40 + i];
			memmove(buffer + 40 + shift, buffer + 40, size);
			KUNIT_ASSERT_MEMEQ_MSG(test, buffer, expected, SIZE, "size %zu, shift %d",
					       size, shift);
		}
	}
}

static void memset_fills_exactly_the_range_asked_for(struct kunit *test)
{
	u8 *to = filled(test, 9);

	for (size_t size = 0; size <= 140; size++) {
		for (size_t i = 0; i < SIZE; i++)
			to[i] = 1;
		memset(to + 5, 0xa7, size);
		for (size_t i = 0; i < SIZE; i++)
			KUNIT_ASSERT_EQ(test, to[i], i >= 5 && i < 5 + size ? 0xa7 : 1);
	}
}

static void memcmp_orders_by_the_first_byte_that_differs(struct kunit *test)
{
	u8 *a = filled(test, 1), *b = filled(test, 1);

	KUNIT_EXPECT_EQ(test, memcmp(a, b, SIZE), 0);
	for (size_t at = 0; at < 40; at++) {
		b[at] = (u8)(a[at] ^ 0x80);
		KUNIT_EXPECT_EQ(test, memcmp(a, b, SIZE) > 0, a[at] > b[at]);
		KUNIT_EXPECT_EQ(test, memcmp(a, b, at), 0);
		b[at] = a[at];
	}
}

static void strings_are_compared_and_searched(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, strcmp("abc", "abc"), 0);
	KUNIT_EXPECT_LT(test, strcmp("abc", "abd"), 0);
	KUNIT_EXPECT_GT(test, strcmp("abc", "ab"), 0);
	KUNIT_EXPECT_GT(test, strcmp("\xff", "a"), 0);
	KUNIT_EXPECT_EQ(test, strncmp("abcd", "abxx", 2), 0);
	KUNIT_EXPECT_EQ(test, strlen("four"), 4);
	KUNIT_EXPECT_EQ(test, strnlen("four", 2), 2);
	KUNIT_EXPECT_STREQ(test, strchr("a=b=c", '='), "=b=c");
	KUNIT_EXPECT_STREQ(test, strrchr("a=b=c", '='), "=c");
	KUNIT_EXPECT_NULL(test, strchr("abc", 'x'));
	KUNIT_EXPECT_STREQ(test, strchr("abc", '\0'), "");
	KUNIT_EXPECT_STREQ(test, strstr("needle in hay", "in"), "in hay");
	KUNIT_EXPECT_NULL(test, strstr("hay", "needle"));
	KUNIT_EXPECT_STREQ(test, strstr("hay", ""), "hay");
}

static void strscpy_cuts_and_always_ends_the_copy(struct kunit *test)
{
	char to[4];

	KUNIT_EXPECT_EQ(test, strscpy(to, "abc", sizeof(to)), 3);
	KUNIT_EXPECT_STREQ(test, to, "abc");
	KUNIT_EXPECT_EQ(test, strscpy(to, "abcd", sizeof(to)), -E2BIG);
	KUNIT_EXPECT_STREQ(test, to, "abc");
	KUNIT_EXPECT_EQ(test, strscpy(to, "x", 0), -E2BIG);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(memcpy_copies_exactly_the_range_asked_for),
	KUNIT_CASE(memmove_copies_between_ranges_that_overlap),
	KUNIT_CASE(memset_fills_exactly_the_range_asked_for),
	KUNIT_CASE(memcmp_orders_by_the_first_byte_that_differs),
	KUNIT_CASE(strings_are_compared_and_searched),
	KUNIT_CASE(strscpy_cuts_and_always_ends_the_copy),
	{},
};
static struct kunit_suite suite = { .name = "string", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
