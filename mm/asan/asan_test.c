/* The address sanitizer: each kind of fault, made on purpose, is reported once. In the release build nothing is there to test. */
#include <kumo/asan.h>
#include <kumo/boot.h>
#include <kumo/kunit.h>
#include <kumo/kva.h>
#include <kumo/report.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>

static int init(struct kunit *test)
{
#ifndef CONFIG_DEBUG
	kunit_skip(test, "only the debug build checks accesses");
#endif
	return 0;
}

/* The compiler must not see what is wrong, nor leave out what has no effect. */
static __noinline void store(char *address)
{
	*(volatile char *)address = 1;
}

static __noinline char load(const char *address)
{
	return *(const volatile char *)address;
}

/* `address` is an object whose bytes [0, size) are good and the next one is not. */
static void expect_end(struct kunit *test, char *address, size_t size)
{
	reports_expect("asan");
	store(address + size - 1);
	KUNIT_EXPECT_EQ(test, load(address + size - 1), 1);
	KUNIT_EXPECT_EQ(test, reports_seen(), 0);
	reports_expect("asan");
	(void)load(address + size);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void expect_dead(struct kunit *test, const char *address)
{
	reports_expect("asan");
	(void)load(address);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_read_behind_an_object_is_reported(struct kunit *test)
{
	static const size_t sizes[] = { 1, 8, 13, 64, 100, 4096, 8000, 10000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *object = kmalloc(sizes[i], GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, object);
		expect_end(test, object, sizes[i]);
		kfree(object);
	}
}

static void a_write_behind_an_object_of_a_cache_is_reported(struct kunit *test)
{
	struct slab_cache *cache = slab_cache_create("asan_test", 40, 0, 0);
	char *object;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	object = slab_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, object);
	reports_expect("asan");
	store(object + 40);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	slab_free(cache, object);
	slab_cache_destroy(cache);
}

static void use_after_free_is_reported(struct kunit *test)
{
	char *object = kmalloc(24, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, object);
	kfree(object);
	expect_dead(test, object);
}

static void a_freed_object_is_not_given_out_again_at_once(struct kunit *test)
{
	char *object = kmalloc(24, GFP_KERNEL), *next;

	KUNIT_ASSERT_NOT_NULL(test, object);
	kfree(object);
	next = kmalloc(24, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, next);
	KUNIT_EXPECT_PTR_NE(test, object, next);
	kfree(next);
}

static void freeing_twice_is_reported(struct kunit *test)
{
	char *object = kmalloc(24, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, object);
	kfree(object);
	reports_expect("asan");
	kfree(object);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void freeing_the_middle_is_reported(struct kunit *test)
{
	char *object = kmalloc(24, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, object);
	reports_expect("asan");
	kfree(object + 8);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	kfree(object);
}

static void a_local_array_has_an_end(struct kunit *test)
{
	char array[13];

	expect_end(test, array, sizeof(array));
}

static __noinline char *inner(bool *done)
{
	char *leaked;

	{
		char array[40];

		leaked = array;
		store(array);
		__asm__ volatile("" : "+r"(leaked)::"memory");
	}
	reports_expect("asan");
	(void)load(leaked);
	*done = true;
	return NULL;
}

static void a_local_variable_ends_with_its_block(struct kunit *test)
{
	bool done = false;

	(void)inner(&done);
	KUNIT_EXPECT_TRUE(test, done);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static char module_global[21];

static void a_global_of_a_module_has_an_end(struct kunit *test)
{
	expect_end(test, module_global, sizeof(module_global));
}

static void a_global_of_the_kernel_has_an_end(struct kunit *test)
{
	expect_dead(test, (const char *)&boot_info + sizeof(boot_info));
}

static void a_free_page_is_dead(struct kunit *test)
{
	struct page *page = page_alloc(0, GFP_KERNEL);
	unsigned long flags;
	char *bytes;

	KUNIT_ASSERT_NOT_NULL(test, page);
	bytes = page_address(page);
	flags = local_irq_save();
	page_free(page, 0);
	expect_dead(test, bytes + 100);
	local_irq_restore(flags);
}

static void a_freed_page_is_not_given_out_again_at_once(struct kunit *test)
{
	struct page *page = page_alloc(0, GFP_KERNEL), *next;

	KUNIT_ASSERT_NOT_NULL(test, page);
	page_free(page, 0);
	next = page_alloc(0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, next);
	KUNIT_EXPECT_PTR_NE(test, page, next);
	page_free(next, 0);
}

/* As a device would, or a program through a translation that should be gone. */
static __no_asan __noinline void store_unchecked(char *address)
{
	*(volatile char *)address = 1;
}

static void a_write_to_a_free_page_is_found(struct kunit *test)
{
	struct page *page = page_alloc(0, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	page_free(page, 0);
	store_unchecked(page_address(page));
	reports_expect("page");
	page_reclaim(); /* empties the quarantine */
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_page_freed_twice_is_reported(struct kunit *test)
{
	struct page *page = page_alloc(0, GFP_KERNEL);
	unsigned long flags;

	KUNIT_ASSERT_NOT_NULL(test, page);
	reports_expect("asan");
	flags = local_irq_save();
	page_free(page, 0);
	page_free(page, 0);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_range_of_kernel_addresses_has_an_end(struct kunit *test)
{
	char *range = vmalloc(5000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, range);
	expect_end(test, range, 5000);
	vfree(range);
}

static void memory_functions_are_checked(struct kunit *test)
{
	char *object = kmalloc(24, GFP_KERNEL), local[32] = "";

	KUNIT_ASSERT_NOT_NULL(test, object);
	__asm__ volatile("" : "+r"(object));
	reports_expect("asan");
	memcpy(local, object, 25);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	reports_expect("asan");
	memset(object, 'x', 24);
	KUNIT_EXPECT_EQ(test, reports_seen(), 0);
	reports_expect("asan");
	(void)strnlen(object, 25);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	reports_expect("asan");
	memmove(object, local, 32);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	/* The redzone was overwritten, and it is nobody's. */
	kfree(object);
}

static void user_copies_check_the_kernels_side(struct kunit *test)
{
	char *object = kmalloc(24, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, object);
	reports_expect("asan");
	KUNIT_EXPECT_NE(test, copy_from_user(object, (void __user *)8, 25), 0);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	reports_expect("asan");
	KUNIT_EXPECT_NE(test, copy_to_user((void __user *)8, object, 25), 0);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	kfree(object);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_read_behind_an_object_is_reported),
	KUNIT_CASE(a_write_behind_an_object_of_a_cache_is_reported),
	KUNIT_CASE(use_after_free_is_reported),
	KUNIT_CASE(a_freed_object_is_not_given_out_again_at_once),
	KUNIT_CASE(freeing_twice_is_reported),
	KUNIT_CASE(freeing_the_middle_is_reported),
	KUNIT_CASE(a_local_array_has_an_end),
	KUNIT_CASE(a_local_variable_ends_with_its_block),
	KUNIT_CASE(a_global_of_a_module_has_an_end),
	KUNIT_CASE(a_global_of_the_kernel_has_an_end),
	KUNIT_CASE(a_free_page_is_dead),
	KUNIT_CASE(a_page_freed_twice_is_reported),
	KUNIT_CASE(a_freed_page_is_not_given_out_again_at_once),
	KUNIT_CASE(a_write_to_a_free_page_is_found),
	KUNIT_CASE(a_range_of_kernel_addresses_has_an_end),
	KUNIT_CASE(memory_functions_are_checked),
	KUNIT_CASE(user_copies_check_the_kernels_side),
	{},
};

static struct kunit_suite suite = { .name = "asan", .init = init, .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the address sanitizer");
MODULE_LICENSE("MIT");
