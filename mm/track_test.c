/* Allocation tracks: what a module has and does not give back is seen, whatever it is. In the release build there are none. */
#include <kumo/kunit.h>
#include <kumo/kva.h>
#include <kumo/page.h>
#include <kumo/percpu.h>
#include <kumo/rcu.h>
#include <kumo/report.h>
#include <kumo/slab.h>
#include <kumo/track.h>

#ifdef CONFIG_DEBUG
/* How many reports there are now of what this module has. */
static unsigned int leaks(void)
{
	reports_expect("leak");
	track_check_leaks(track_owner(KBUILD_MODNAME));
	return reports_seen();
}

static void what_is_freed_is_no_leak(struct kunit *test)
{
	void *object = kmalloc(100, GFP_KERNEL), *later = kmalloc(100, GFP_KERNEL);
	struct page *page = page_alloc(0, GFP_KERNEL);

	kfree(object);
	kfree_rcu(later);
	KUNIT_ASSERT_NOT_NULL(test, page);
	page_put(page);
	KUNIT_EXPECT_EQ(test, leaks(), 0U);
}

static void each_kind_of_memory_is_seen(struct kunit *test)
{
	void *object = kmalloc(100, GFP_KERNEL), *area, *percpu;
	struct page *page;

	KUNIT_EXPECT_EQ(test, leaks(), 1U);
	KUNIT_EXPECT_EQ(test, leaks(), 0U); /* it was reported */
	page = page_alloc(2, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, leaks(), 1U);
	area = vmalloc(3 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, leaks(), 1U);
	percpu = alloc_percpu(64, 8);
	KUNIT_EXPECT_EQ(test, leaks(), 1U);
	kfree(object);
	if (page)
		page_free(page, 2);
	vfree(area);
	free_percpu(percpu);
	KUNIT_EXPECT_EQ(test, leaks(), 0U);
}

static __noinline void *allocate(unsigned int gfp)
{
	return kmalloc(32, gfp);
}

static void one_place_may_leak_again(struct kunit *test)
{
	for (volatile int i = 0; i < 2; i++) {
		void *object = allocate(GFP_KERNEL);

		KUNIT_EXPECT_EQ(test, leaks(), 1U);
		kfree(object);
		KUNIT_EXPECT_EQ(test, leaks(), 0U);
	}
}

static void what_the_core_keeps_is_not_the_modules(struct kunit *test)
{
	void *object = allocate(GFP_KERNEL | GFP_CORE), *part = allocate(GFP_KERNEL | GFP_UNTRACKED);

	KUNIT_EXPECT_EQ(test, leaks(), 0U);
	kfree(object);
	kfree(part);
}
#else
static void allocations_are_tracked(struct kunit *test)
{
	kunit_skip(test, "in the debug build");
}
#endif

static struct kunit_case cases[] = {
#ifdef CONFIG_DEBUG
	KUNIT_CASE(what_is_freed_is_no_leak),
	KUNIT_CASE(each_kind_of_memory_is_seen),
	KUNIT_CASE(one_place_may_leak_again),
	KUNIT_CASE(what_the_core_keeps_is_not_the_modules),
#else
	KUNIT_CASE(allocations_are_tracked),
#endif
	{},
};

static struct kunit_suite suite = { .name = "track", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
