/* Suite of the kernel virtual area. */
#include <kumo/kunit.h>
#include <kumo/kva.h>
#include <kumo/string.h>

static void memory_is_mapped_and_its_guard_is_not(struct kunit *test)
{
	size_t size = 5 * PAGE_SIZE;
	char *memory = vmalloc(size, GFP_KERNEL | GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	for (size_t i = 0; i < size; i += 512)
		KUNIT_EXPECT_EQ(test, memory[i], 0);
	memset(memory, 0x11, size);
	KUNIT_EXPECT_NOT_NULL(test, kva_to_page(memory + size - 1));
	KUNIT_EXPECT_NULL(test, kva_to_page(memory + size));
	KUNIT_EXPECT_NULL(test, kva_to_page(memory - 1));
	vfree(memory);
	KUNIT_EXPECT_NULL(test, kva_to_page(memory));
}

static void an_address_inside_finds_its_range(struct kunit *test)
{
	char *memory = vmalloc(3 * PAGE_SIZE, GFP_KERNEL);
	unsigned long start;
	size_t size;

	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_ASSERT_TRUE(test, kva_find(memory + 5000, &start, &size));
	KUNIT_EXPECT_EQ(test, start, (unsigned long)memory);
	KUNIT_EXPECT_EQ(test, size, 3 * PAGE_SIZE);
	vfree(memory);
	KUNIT_EXPECT_FALSE(test, kva_find(memory, &start, &size));
}

static void freed_addresses_are_not_used_again_at_once(struct kunit *test)
{
	void *first = vmalloc(PAGE_SIZE, GFP_KERNEL), *second;

	KUNIT_ASSERT_NOT_NULL(test, first);
	vfree(first);
	second = vmalloc(PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, second);
	KUNIT_EXPECT_PTR_NE(test, first, second);
	vfree(second);
}

static void memory_can_be_made_read_only_and_writable_again(struct kunit *test)
{
	char *memory = vmalloc(2 * PAGE_SIZE, GFP_KERNEL | GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_EXPECT_EQ(test, kva_protect(memory, 2 * PAGE_SIZE, KVA_RO), 0);
	KUNIT_EXPECT_EQ(test, memory[100], 0);
	KUNIT_EXPECT_EQ(test, kva_protect(memory, 2 * PAGE_SIZE, KVA_RW), 0);
	memory[100] = 1;
	KUNIT_EXPECT_EQ(test, memory[100], 1);
	KUNIT_EXPECT_EQ(test, kva_protect(memory, 3 * PAGE_SIZE, KVA_RO), -EINVAL);
	vfree(memory);
}

static void module_memory_is_near_the_image(struct kunit *test)
{
	void *memory = module_memory_alloc(10000);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_EXPECT_GE(test, (unsigned long)memory, MODULE_BASE);
	KUNIT_EXPECT_LT(test, (unsigned long)memory, MODULE_END);
	module_memory_free(memory);
}

static void physical_memory_can_be_seen_twice(struct kunit *test)
{
	struct page *page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	char __iomem *mapped;

	KUNIT_ASSERT_NOT_NULL(test, page);
	mapped = ioremap(page_to_phys(page) + 16, 64, KVA_RW);
	KUNIT_ASSERT_NOT_NULL(test, mapped);
	mapped[0] = 77;
	KUNIT_EXPECT_EQ(test, ((char *)page_address(page))[16], 77);
	iounmap(mapped);
	page_put(page);
}

static void a_stack_has_a_guard_below(struct kunit *test)
{
	char *stack = kernel_stack_alloc();

	KUNIT_ASSERT_NOT_NULL(test, stack);
	KUNIT_EXPECT_NOT_NULL(test, kva_to_page(stack));
	KUNIT_EXPECT_NOT_NULL(test, kva_to_page(stack + THREAD_STACK_SIZE - 1));
	KUNIT_EXPECT_NULL(test, kva_to_page(stack - 1));
	kernel_stack_free(stack);
}

static void kvmalloc_serves_small_and_large(struct kunit *test)
{
	char *small = kvmalloc(100, GFP_KERNEL), *large = kvmalloc(300000, GFP_KERNEL | GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, small);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_EXPECT_EQ(test, large[299999], 0);
	kvfree(small);
	kvfree(large);
	kvfree(NULL);
}

/* Page tables of the kernel never go, so addresses have to come again. */
static void many_ranges_in_turn_need_few_page_tables(struct kunit *test)
{
	struct memory_info before, after;

	memory_info(&before);
	for (unsigned int i = 0; i < 1000; i++) {
		void *memory = vmalloc(256 * KIB, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, memory);
		vfree(memory);
		memory = module_memory_alloc(256 * KIB);
		KUNIT_ASSERT_NOT_NULL(test, memory);
		module_memory_free(memory);
	}
	memory_info(&after);
	/* Were each address new, it would be 250; others' address spaces come and go meanwhile. */
	KUNIT_EXPECT_LT(test, after.table_pages, before.table_pages + 64);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(memory_is_mapped_and_its_guard_is_not),
	KUNIT_CASE(an_address_inside_finds_its_range),
	KUNIT_CASE(freed_addresses_are_not_used_again_at_once),
	KUNIT_CASE(memory_can_be_made_read_only_and_writable_again),
	KUNIT_CASE(module_memory_is_near_the_image),
	KUNIT_CASE(physical_memory_can_be_seen_twice),
	KUNIT_CASE(a_stack_has_a_guard_below),
	KUNIT_CASE(kvmalloc_serves_small_and_large),
	KUNIT_CASE(many_ranges_in_turn_need_few_page_tables),
	{},
};

static struct kunit_suite suite = { .name = "kva", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the kernel virtual area");
MODULE_LICENSE("MIT");
