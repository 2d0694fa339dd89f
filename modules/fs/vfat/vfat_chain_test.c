/* Suite of chains of clusters, over a table that is an array of this file. */
#include "chain.c"

#include <kumo/kunit.h>

#define CLUSTERS 4000u

static u32 *next_of;
static u32 looked_up, freed, complaints;
static struct volume *volume;

int volume_damaged(struct volume *unused, const char *format, ...)
{
	complaints++;
	return -EIO;
}

int table_next(struct volume *unused, u32 cluster, u32 *next)
{
	looked_up++;
	*next = next_of[cluster];
	if (*next && !cluster_valid(volume, *next))
		return volume_damaged(volume, "it leads outside");
	return 0;
}

int table_alloc(struct volume *unused, u32 goal, u32 *count, u32 *first)
{
	u32 got = 0;

	for (*first = goal ? goal : 2; *first < CLUSTERS && next_of[*first] != ~0u; ++*first)
		;
	for (; got < *count && *first + got < CLUSTERS && next_of[*first + got] == ~0u; got++) {
		next_of[*first + got] = 0;
		if (got)
			next_of[*first + got - 1] = *first + got;
	}
	*count = got;
	return got ? 0 : -ENOSPC;
}

int table_link(struct volume *unused, u32 cluster, u32 next)
{
	next_of[cluster] = next;
	return 0;
}

int table_free(struct volume *unused, u32 first)
{
	for (u32 next; first; first = next) {
		next = next_of[first];
		next_of[first] = ~0u;
		freed++;
	}
	return 0;
}

static int table_make(struct kunit *test)
{
	next_of = kunit_kzalloc(test, CLUSTERS * sizeof(*next_of), GFP_KERNEL);
	volume = kunit_kzalloc(test, sizeof(*volume), GFP_KERNEL);
	if (!next_of || !volume)
		return -ENOMEM;
	memset(next_of, 0xFF, CLUSTERS * sizeof(*next_of));
	volume->cluster_limit = CLUSTERS;
	looked_up = freed = complaints = 0;
	return 0;
}

/* Every second cluster: no two lie together. */
static struct chain scattered(u32 length)
{
	struct chain chain;

	for (u32 i = 0; i < length; i++)
		next_of[2 + 2 * i] = i + 1 < length ? 4 + 2 * i : 0;
	chain_init(&chain, 2);
	return chain;
}

static void places_are_found_in_any_order(struct kunit *test)
{
	struct chain chain = scattered(1900);

	for (u32 i = 0, at = 17; i < 3000; i++, at = (at * 7919 + 13) % 1900) {
		u32 cluster = 0, count = 5;

		KUNIT_ASSERT_EQ(test, chain_find(volume, &chain, at, &cluster, &count), 0);
		KUNIT_ASSERT_EQ(test, cluster, 2 + 2 * at);
		KUNIT_ASSERT_EQ(test, count, 1);
	}
	KUNIT_EXPECT_TRUE(test, chain.run_count <= CHAIN_RUNS_MAX);
	chain_free(&chain);
}

static void what_lies_in_a_row_is_one_run(struct kunit *test)
{
	struct chain chain;
	u32 cluster, count = 1000;

	chain_init(&chain, 0);
	KUNIT_ASSERT_EQ(test, chain_extend(volume, &chain, 300), 0);
	KUNIT_ASSERT_EQ(test, chain_find(volume, &chain, 100, &cluster, &count), 0);
	KUNIT_EXPECT_EQ(test, cluster, 102);
	KUNIT_EXPECT_EQ(test, count, 200);
	KUNIT_EXPECT_EQ(test, chain.run_count, 1);
	KUNIT_EXPECT_EQ(test, chain_find(volume, &chain, 300, &cluster, &count), -ENODATA);
	KUNIT_EXPECT_EQ_MSG(test, looked_up, 0, "what was just made is known");
	chain_free(&chain);
}

static void a_circle_is_an_error(struct kunit *test)
{
	struct chain chain = scattered(100);
	u32 length;

	next_of[200] = 50;
	KUNIT_EXPECT_EQ(test, chain_length(volume, &chain, &length), -EIO);
	KUNIT_EXPECT_EQ(test, complaints, 1);
	chain_free(&chain);
}

static void a_chain_that_leaves_the_volume_is_good_until_there(struct kunit *test)
{
	struct chain chain = scattered(100);
	u32 cluster, count = 1;

	next_of[102] = CLUSTERS;
	KUNIT_EXPECT_EQ(test, chain_find(volume, &chain, 50, &cluster, &count), 0);
	KUNIT_EXPECT_EQ(test, cluster, 102);
	KUNIT_EXPECT_EQ(test, chain_find(volume, &chain, 51, &cluster, &count), -EIO);
	chain_free(&chain);
}

static void a_start_outside_is_an_error(struct kunit *test)
{
	struct chain chain;
	u32 cluster, count = 1;

	chain_init(&chain, CLUSTERS + 5);
	KUNIT_EXPECT_EQ(test, chain_find(volume, &chain, 0, &cluster, &count), -EIO);
	chain_free(&chain);
}

static void a_chain_grows_at_its_end_and_shrinks_there(struct kunit *test)
{
	struct chain chain = scattered(10);
	u32 length, cluster, count = 1;

	KUNIT_ASSERT_EQ(test, chain_extend(volume, &chain, 15), 0);
	KUNIT_ASSERT_EQ(test, chain_find(volume, &chain, 10, &cluster, &count), 0);
	KUNIT_EXPECT_EQ(test, cluster, 21);
	KUNIT_ASSERT_EQ(test, chain_shrink(volume, &chain, 12), 0);
	KUNIT_EXPECT_EQ(test, freed, 3);
	KUNIT_ASSERT_EQ(test, chain_length(volume, &chain, &length), 0);
	KUNIT_EXPECT_EQ(test, length, 12);
	KUNIT_ASSERT_EQ(test, chain_shrink(volume, &chain, 0), 0);
	KUNIT_EXPECT_EQ(test, freed, 15);
	KUNIT_EXPECT_EQ(test, chain.start, 0);
	chain_free(&chain);
}

static void what_a_full_volume_has_left_is_taken(struct kunit *test)
{
	struct chain chain;
	u32 length;

	chain_init(&chain, 0);
	KUNIT_EXPECT_EQ(test, chain_extend(volume, &chain, CLUSTERS + 1), -ENOSPC);
	KUNIT_ASSERT_EQ(test, chain_length(volume, &chain, &length), 0);
	KUNIT_EXPECT_EQ(test, length, CLUSTERS - 2);
	chain_free(&chain);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(places_are_found_in_any_order),
	KUNIT_CASE(what_lies_in_a_row_is_one_run),
	KUNIT_CASE(a_circle_is_an_error),
	KUNIT_CASE(a_chain_that_leaves_the_volume_is_good_until_there),
	KUNIT_CASE(a_start_outside_is_an_error),
	KUNIT_CASE(a_chain_grows_at_its_end_and_shrinks_there),
	KUNIT_CASE(what_a_full_volume_has_left_is_taken),
	{},
};

static struct kunit_suite suite = { .name = "vfat_chain", .init = table_make, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
