/* Suite of the sparse arrays. */
#include <kumo/kunit.h>
#include <kumo/xarray.h>

static void *value(u64 n)
{
	return (void *)((n + 1) << 3);
}

static const u64 indices[] = {
	0, 1, 63, 64, 65, 4095, 4096, 1ULL << 20, (1ULL << 32) + 7, ~0ULL - 1, ~0ULL
};

static void what_was_stored_is_found_and_nothing_else(struct kunit *test)
{
	struct xarray array = XARRAY_INIT;

	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++)
		KUNIT_ASSERT_EQ(test, xarray_store(&array, indices[i], value(i), GFP_KERNEL), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++)
		KUNIT_EXPECT_PTR_EQ(test, xarray_load(&array, indices[i]), value(i));
	KUNIT_EXPECT_NULL(test, xarray_load(&array, 2));
	KUNIT_EXPECT_NULL(test, xarray_load(&array, 1ULL << 40));
	xarray_destroy(&array);
	KUNIT_EXPECT_NULL(test, xarray_load(&array, 0));
}

static void find_visits_all_in_order(struct kunit *test)
{
	struct xarray array = XARRAY_INIT;
	unsigned int seen = 0;
	u64 index = 0;
	void *entry;

	for (unsigned int i = ARRAY_SIZE(indices); i--;)
		KUNIT_ASSERT_EQ(test, xarray_store(&array, indices[i], value(i), GFP_KERNEL), 0);
	while ((entry = xarray_find(&array, &index))) {
		KUNIT_ASSERT_LT(test, seen, ARRAY_SIZE(indices));
		KUNIT_EXPECT_EQ(test, index, indices[seen]);
		KUNIT_EXPECT_PTR_EQ(test, entry, value(seen));
		seen++;
		if (!++index)
			break;
	}
	KUNIT_EXPECT_EQ(test, seen, ARRAY_SIZE(indices));
	xarray_destroy(&array);
}

static void removing_all_leaves_an_empty_array(struct kunit *test)
{
	struct xarray array = XARRAY_INIT;

	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++)
		KUNIT_ASSERT_EQ(test, xarray_store(&array, indices[i], value(i), GFP_KERNEL), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++) {
		KUNIT_EXPECT_PTR_EQ(test, xarray_remove(&array, indices[i]), value(i));
		KUNIT_EXPECT_NULL(test, xarray_remove(&array, indices[i]));
	}
	KUNIT_EXPECT_NULL(test, array.root);
	KUNIT_EXPECT_EQ(test, array.height, 0);
}

static void alloc_gives_the_lowest_free_index(struct kunit *test)
{
	struct xarray array = XARRAY_INIT;

	for (s64 i = 0; i < 200; i++)
		KUNIT_EXPECT_EQ(test, xarray_alloc(&array, value(i), 0, 1000, GFP_KERNEL), i);
	xarray_remove(&array, 130);
	xarray_remove(&array, 70);
	KUNIT_EXPECT_EQ(test, xarray_alloc(&array, value(0), 0, 1000, GFP_KERNEL), 70);
	KUNIT_EXPECT_EQ(test, xarray_alloc(&array, value(0), 0, 1000, GFP_KERNEL), 130);
	KUNIT_EXPECT_EQ(test, xarray_alloc(&array, value(0), 0, 199, GFP_KERNEL), -ENOSPC);
	KUNIT_EXPECT_EQ(test, xarray_alloc(&array, value(0), 500, 1000, GFP_KERNEL), 500);
	xarray_destroy(&array);
}

static void a_range_is_loaded_at_once(struct kunit *test)
{
	struct xarray array = XARRAY_INIT;
	void *entries[16];

	for (u64 i = 64; i < 128; i += 2)
		KUNIT_ASSERT_EQ(test, xarray_store(&array, i, value(i), GFP_KERNEL), 0);
	xarray_load_range(&array, 80, 16, entries);
	for (unsigned int i = 0; i < 16; i++)
		KUNIT_EXPECT_PTR_EQ(test, entries[i], i % 2 ? NULL : value(80 + i));
	xarray_load_range(&array, 1 << 20, 16, entries);
	KUNIT_EXPECT_NULL(test, entries[0]);
	xarray_destroy(&array);
}

static void marks_are_found_in_order_and_go_with_their_entries(struct kunit *test)
{
	static const u64 marked[] = { 0, 1, 63, 64, 700, 4095, 4096, 300000 };
	struct xarray array = XARRAY_INIT;
	u64 index = 0;

	KUNIT_ASSERT_EQ(test, xarray_store(&array, 0, value(0), GFP_KERNEL), 0);
	xarray_set_mark(&array, 0, 1); /* before the root is a node */
	KUNIT_EXPECT_PTR_EQ(test, xarray_find_marked(&array, &index, 1), value(0));
	KUNIT_EXPECT_FALSE(test, xarray_any_marked(&array, 0));
	for (u64 i = 1; i < 5000; i++)
		KUNIT_ASSERT_EQ(test, xarray_store(&array, i, value(i), GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, xarray_store(&array, 300000, value(300000), GFP_KERNEL), 0);
	for (unsigned int i = 1; i < ARRAY_SIZE(marked); i++)
		xarray_set_mark(&array, marked[i], 1);
	xarray_set_mark(&array, 200000, 1); /* nothing is there */
	for (unsigned int i = 0; i < ARRAY_SIZE(marked); i++, index++) {
		KUNIT_EXPECT_PTR_EQ(test, xarray_find_marked(&array, &index, 1), value(marked[i]));
		KUNIT_EXPECT_EQ(test, index, marked[i]);
	}
	KUNIT_EXPECT_NULL(test, xarray_find_marked(&array, &index, 1));

	xarray_clear_mark(&array, 63, 1);
	xarray_remove(&array, 64);
	KUNIT_ASSERT_EQ(test, xarray_store(&array, 700, value(7), GFP_KERNEL), 0);
	index = 2;
	KUNIT_EXPECT_PTR_EQ(test, xarray_find_marked(&array, &index, 1), value(4095));
	for (u64 i = 1; i <= 300000; i++)
		xarray_remove(&array, i);
	index = 0;
	KUNIT_EXPECT_PTR_EQ(test, xarray_find_marked(&array, &index, 1), value(0)); /* the root itself again */
	xarray_remove(&array, 0);
	KUNIT_EXPECT_FALSE(test, xarray_any_marked(&array, 1));
	xarray_destroy(&array);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_was_stored_is_found_and_nothing_else),
	KUNIT_CASE(find_visits_all_in_order),
	KUNIT_CASE(removing_all_leaves_an_empty_array),
	KUNIT_CASE(alloc_gives_the_lowest_free_index),
	KUNIT_CASE(a_range_is_loaded_at_once),
	KUNIT_CASE(marks_are_found_in_order_and_go_with_their_entries),
	{},
};

static struct kunit_suite suite = { .name = "xarray", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the sparse arrays");
MODULE_LICENSE("MIT");
