/* Suite of the page allocator. */
#include <kumo/kunit.h>
#include <kumo/page.h>
#include <kumo/string.h>

#define MANY 512

static void an_allocation_is_aligned_to_its_size(struct kunit *test)
{
	for (unsigned int order = 0; order <= 6; order++) {
		struct page *page = page_alloc(order, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_EXPECT_EQ(test, page_to_phys(page) % (PAGE_SIZE << order), 0);
		KUNIT_EXPECT_EQ(test, page->order, order);
		page_free(page, order);
	}
}

static void a_cleared_page_holds_zeros(struct kunit *test)
{
	struct page *page = page_alloc(1, GFP_KERNEL);
	u64 *words;

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page_address(page), 0xa5, 2 * PAGE_SIZE);
	page_free(page, 1);
	page = page_alloc(1, GFP_KERNEL | GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, page);
	words = page_address(page);
	for (unsigned int i = 0; i < 2 * PAGE_SIZE / 8; i++)
		KUNIT_ASSERT_EQ(test, words[i], 0);
	page_free(page, 1);
}

static void a_copied_page_is_equal(struct kunit *test)
{
	struct page *from = page_alloc(0, GFP_KERNEL), *to = page_alloc(0, GFP_KERNEL);
	u32 *words;

	KUNIT_ASSERT_NOT_NULL(test, from);
	KUNIT_ASSERT_NOT_NULL(test, to);
	words = page_address(from);
	for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
		words[i] = i * 2654435761U;
	page_copy(page_address(to), page_address(from));
	KUNIT_EXPECT_MEMEQ(test, page_address(to), page_address(from), PAGE_SIZE);
	page_put(from);
	page_put(to);
}

static void dma32_memory_lies_below_4_gib(struct kunit *test)
{
	struct page *page = page_alloc(2, GFP_KERNEL | GFP_DMA32);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_LT(test, page_to_phys(page), 4 * GIB);
	page_free(page, 2);
}

static void pages_are_given_out_once(struct kunit *test)
{
	struct page **pages = kunit_kzalloc(test, MANY * sizeof(*pages), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (unsigned int i = 0; i < MANY; i++) {
		pages[i] = page_alloc(0, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, pages[i]);
		*(u64 *)page_address(pages[i]) = i;
	}
	for (unsigned int i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, *(u64 *)page_address(pages[i]), i);
	for (unsigned int i = 0; i < MANY; i++)
		page_free(pages[i], 0);
}

static void freed_buddies_merge(struct kunit *test)
{
	struct memory_info before, after;
	struct page *page;

	page_reclaim();
	memory_info(&before);
	for (unsigned int i = 0; i < 64; i++) {
		page = page_alloc(PAGE_MAX_ORDER - i % 4, GFP_KERNEL | GFP_NOWARN);
		KUNIT_ASSERT_NOT_NULL(test, page);
		page_free(page, PAGE_MAX_ORDER - i % 4);
	}
	memory_info(&after);
	/* Others allocate meanwhile, but not megabytes. */
	KUNIT_EXPECT_LT(test, before.free_pages, after.free_pages + 256);
}

static void the_last_reference_frees(struct kunit *test)
{
	struct page *page = page_alloc(0, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	page_get(page);
	page_put(page);
	KUNIT_EXPECT_EQ(test, refcount_read(&page->refs), 1);
	page_put(page);
}

static void what_cannot_be_had_is_null(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, page_alloc(PAGE_MAX_ORDER + 1, GFP_KERNEL | GFP_NOWARN));
	KUNIT_EXPECT_FALSE(test, pfn_valid(~0ULL >> PAGE_SHIFT));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(an_allocation_is_aligned_to_its_size),
	KUNIT_CASE(a_cleared_page_holds_zeros),
	KUNIT_CASE(a_copied_page_is_equal),
	KUNIT_CASE(dma32_memory_lies_below_4_gib),
	KUNIT_CASE(pages_are_given_out_once),
	KUNIT_CASE(freed_buddies_merge),
	KUNIT_CASE(the_last_reference_frees),
	KUNIT_CASE(what_cannot_be_had_is_null),
	{},
};

static struct kunit_suite suite = { .name = "page", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the page allocator");
MODULE_LICENSE("MIT");
