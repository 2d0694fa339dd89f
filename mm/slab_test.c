/* Suite of the slab caches and kmalloc. */
#include <kumo/kunit.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#define OBJECTS 1000

static void objects_do_not_overlap(struct kunit *test)
{
	struct slab_cache *cache = slab_cache_create("kunit", 72, 0, 0);
	char **objects = kunit_kzalloc(test, OBJECTS * sizeof(*objects), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_NOT_NULL(test, objects);
	for (unsigned int i = 0; i < OBJECTS; i++) {
		objects[i] = slab_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		KUNIT_EXPECT_EQ(test, (unsigned long)objects[i] % 16, 0);
		memset(objects[i], (int)i, 72);
	}
	for (unsigned int i = 0; i < OBJECTS; i++) {
		KUNIT_EXPECT_EQ(test, (u8)objects[i][0], (u8)i);
		KUNIT_EXPECT_EQ(test, (u8)objects[i][71], (u8)i);
		slab_free(cache, objects[i]);
	}
	slab_cache_destroy(cache);
}

static void alignment_is_as_asked(struct kunit *test)
{
	struct slab_cache *cache = slab_cache_create("kunit", 40, 64, 0);
	void *object;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	object = slab_alloc(cache, GFP_KERNEL | GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, object);
	KUNIT_EXPECT_EQ(test, (unsigned long)object % 64, 0);
	slab_free(cache, object);
	slab_cache_destroy(cache);
}

static void a_freed_object_of_an_rcu_cache_keeps_its_bytes(struct kunit *test)
{
	struct slab_cache *cache = slab_cache_create("kunit", 64, 0, SLAB_RCU);
	u64 *object;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	object = slab_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, object);
	for (unsigned int i = 0; i < 8; i++)
		object[i] = i + 100;
	rcu_read_lock();
	slab_free(cache, object);
	for (unsigned int i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, object[i], i + 100);
	rcu_read_unlock();
	slab_cache_destroy(cache);
	rcu_barrier();
}

static void kmalloc_gives_at_least_what_was_asked(struct kunit *test)
{
	static const size_t sizes[] = { 1,   8,	  9,   63,  64,	  65,	96,   97,   128,  129,
					192, 193, 256, 257, 1000, 4096, 4097, 8192, 8193, 100000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 *memory = kmalloc_any(sizes[i], GFP_KERNEL | GFP_ZERO);

		KUNIT_ASSERT_NOT_NULL(test, memory);
		KUNIT_EXPECT_GE(test, kmalloc_size(memory), sizes[i]);
		KUNIT_EXPECT_EQ(test, memory[0] | memory[sizes[i] - 1], 0);
		memset(memory, 0xff, sizes[i]);
		kfree(memory);
	}
	kfree(NULL);
}

static void a_constant_size_finds_the_same_class(struct kunit *test)
{
	void *constant = kmalloc(192, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, constant);
	KUNIT_EXPECT_EQ(test, kmalloc_size(constant), 192);
	kfree(constant);
	KUNIT_EXPECT_EQ(test, kmalloc_class(257), 8);
	KUNIT_EXPECT_EQ(test, kmalloc_class(512), 8);
	KUNIT_EXPECT_EQ(test, kmalloc_class(513), 9);
	KUNIT_EXPECT_EQ(test, kmalloc_class(8192), KMALLOC_CLASSES - 1);
}

static void krealloc_keeps_the_contents(struct kunit *test)
{
	char *text = kstrdup("kumo", GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	text = krealloc(text, 20000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_EXPECT_STREQ(test, text, "kumo");
	text = krealloc(text, 5, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_EXPECT_STREQ(test, text, "kumo");
	kfree(text);
}

static void strings_are_copied(struct kunit *test)
{
	char *copy = kstrndup("abcdef", 3, GFP_KERNEL),
	     *printed = kasprintf(GFP_KERNEL, "%d-%s", 42, "x");

	KUNIT_EXPECT_STREQ(test, copy, "abc");
	KUNIT_EXPECT_STREQ(test, printed, "42-x");
	kfree(copy);
	kfree(printed);
}

static void an_overflowing_count_is_refused(struct kunit *test)
{
	volatile size_t many = ~0UL / 2;

	KUNIT_EXPECT_NULL(test, kcalloc(many, 4, GFP_KERNEL | GFP_NOWARN));
}

static void kfree_rcu_frees_in_the_end(struct kunit *test)
{
	struct memory_info before, after;

	rcu_barrier();
	memory_info(&before);
	for (unsigned int i = 0; i < 2000; i++) {
		void *object = kmalloc(2048, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, object);
		kfree_rcu(object);
	}
	rcu_barrier();	/* the batches are closed by then, */
	rcu_barrier();	/* and freed, */
	page_reclaim(); /* in the debug build not before the quarantine is emptied */
	memory_info(&after);
	KUNIT_EXPECT_LT(test, after.slab_pages, before.slab_pages + 500);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(objects_do_not_overlap),
	KUNIT_CASE(alignment_is_as_asked),
	KUNIT_CASE(a_freed_object_of_an_rcu_cache_keeps_its_bytes),
	KUNIT_CASE(kmalloc_gives_at_least_what_was_asked),
	KUNIT_CASE(a_constant_size_finds_the_same_class),
	KUNIT_CASE(krealloc_keeps_the_contents),
	KUNIT_CASE(strings_are_copied),
	KUNIT_CASE(an_overflowing_count_is_refused),
	KUNIT_CASE(kfree_rcu_frees_in_the_end),
	{},
};

static struct kunit_suite suite = { .name = "slab", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the slab caches");
MODULE_LICENSE("MIT");
