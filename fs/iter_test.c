/* Iterators over kernel memory: copies cross segments, stop at the end, and can be taken back. */
#include <kumo/iter.h>
#include <kumo/kunit.h>

static char first[3], second[1], third[6];
static const struct iovec segments[] = {
	{ first, sizeof(first) },
	{ NULL, 0 },
	{ second, sizeof(second) },
	{ third, sizeof(third) },
};

static void over_segments(struct iter *iter)
{
	iter_init_segments(iter, segments, ARRAY_SIZE(segments), 10);
	iter->user = false;
}

static int forget_bytes(struct kunit *test)
{
	memset(first, '.', sizeof(first));
	memset(second, '.', sizeof(second));
	memset(third, '.', sizeof(third));
	return 0;
}

static void a_copy_crosses_segments_and_skips_empty_ones(struct kunit *test)
{
	struct iter iter;

	over_segments(&iter);
	KUNIT_EXPECT_EQ(test, iter_copy_to(&iter, "abcdefg", 7), 7);
	KUNIT_EXPECT_EQ(test, iter.count, 3);
	KUNIT_EXPECT_MEMEQ(test, first, "abc", 3);
	KUNIT_EXPECT_MEMEQ(test, second, "d", 1);
	KUNIT_EXPECT_MEMEQ(test, third, "efg...", 6);
}

static void a_copy_ends_where_the_iterator_ends(struct kunit *test)
{
	char bytes[32];
	struct iter iter;

	over_segments(&iter);
	KUNIT_EXPECT_EQ(test, iter_copy_to(&iter, "0123456789abcdef", 16), 10);
	KUNIT_EXPECT_EQ(test, iter.count, 0);
	KUNIT_EXPECT_EQ(test, iter_copy_to(&iter, "x", 1), 0);
	over_segments(&iter);
	KUNIT_EXPECT_EQ(test, iter_copy_from(&iter, bytes, sizeof(bytes)), 10);
	KUNIT_EXPECT_MEMEQ(test, bytes, "0123456789", 10);
}

static void what_was_advanced_by_can_be_taken_back(struct kunit *test)
{
	char bytes[10];
	struct iter iter;

	over_segments(&iter);
	KUNIT_ASSERT_EQ(test, iter_copy_to(&iter, "0123456789", 10), 10);
	over_segments(&iter);
	iter_advance(&iter, 9);
	iter_revert(&iter, 7);
	KUNIT_EXPECT_EQ(test, iter.count, 8);
	KUNIT_EXPECT_EQ(test, iter_copy_from(&iter, bytes, sizeof(bytes)), 8);
	KUNIT_EXPECT_MEMEQ(test, bytes, "23456789", 8);
	iter_revert(&iter, 10);
	KUNIT_EXPECT_EQ(test, iter.count, 10);
	KUNIT_EXPECT_EQ(test, iter_copy_from(&iter, bytes, 4), 4);
	KUNIT_EXPECT_MEMEQ(test, bytes, "0123", 4);
}

static void zeros_are_written_like_bytes(struct kunit *test)
{
	struct iter iter;

	over_segments(&iter);
	iter_advance(&iter, 2);
	KUNIT_EXPECT_EQ(test, iter_zero(&iter, 3), 3);
	KUNIT_EXPECT_MEMEQ(test, first, "..\0", 3);
	KUNIT_EXPECT_MEMEQ(test, second, "\0", 1);
	KUNIT_EXPECT_MEMEQ(test, third, "\0.....", 6);
}

static void one_buffer_is_the_common_case(struct kunit *test)
{
	char bytes[4] = "wxyz";
	struct iter iter;

	iter_init_kernel(&iter, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, iter_copy_to(&iter, "ab", 2), 2);
	KUNIT_EXPECT_EQ(test, iter_copy_to_nofault(&iter, "cde", 3), 2);
	KUNIT_EXPECT_MEMEQ(test, bytes, "abcd", 4);
	KUNIT_EXPECT_EQ(test, iter_fault_in(&iter, 4, true), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_copy_crosses_segments_and_skips_empty_ones),
	KUNIT_CASE(a_copy_ends_where_the_iterator_ends),
	KUNIT_CASE(what_was_advanced_by_can_be_taken_back),
	KUNIT_CASE(zeros_are_written_like_bytes),
	KUNIT_CASE(one_buffer_is_the_common_case),
	{},
};
static struct kunit_suite suite = { .name = "iter", .init = forget_bytes, .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Tests of iterators over memory");
MODULE_LICENSE("MIT");
