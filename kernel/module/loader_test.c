/* What a module can see of itself: this suite is one. */
#include <kumo/kallsyms.h>
#include <kumo/kunit.h>
#include <kumo/rcu.h>

static int data = 1;
static int zeroed;
static const int constant = 2;

int loader_test_function(void);
int __attribute__((noinline)) loader_test_function(void)
{
	return data;
}

static void a_module_knows_its_name(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, module_name(THIS_MODULE), "loader_test");
	KUNIT_EXPECT_STREQ(test, module_name(NULL), "kernel");
}

static void text_and_data_belong_to_the_module(struct kunit *test)
{
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, module_of_address((unsigned long)loader_test_function), THIS_MODULE);
	KUNIT_EXPECT_PTR_EQ(test, module_of_address((unsigned long)&data), THIS_MODULE);
	KUNIT_EXPECT_PTR_EQ(test, module_of_address((unsigned long)&zeroed), THIS_MODULE);
	KUNIT_EXPECT_PTR_EQ(test, module_of_address((unsigned long)&constant), THIS_MODULE);
	KUNIT_EXPECT_NULL(test, module_of_address((unsigned long)printk));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, data, 1);
	KUNIT_EXPECT_EQ(test, zeroed, 0);
}

static void symbols_are_found_by_address_and_by_name(struct kunit *test)
{
	struct symbol_info info;

	KUNIT_ASSERT_TRUE(test, kallsyms_lookup((unsigned long)loader_test_function + 1, &info));
	KUNIT_EXPECT_STREQ(test, info.name, "loader_test_function");
	KUNIT_EXPECT_STREQ(test, info.module, "loader_test");
	KUNIT_EXPECT_EQ(test, info.offset, 1);
	KUNIT_EXPECT_EQ(test, kallsyms_address("loader_test:loader_test_function"),
			(unsigned long)loader_test_function);
	KUNIT_ASSERT_TRUE(test, kallsyms_lookup((unsigned long)printk, &info));
	KUNIT_EXPECT_STREQ(test, info.name, "printk");
	KUNIT_EXPECT_STREQ(test, info.module, "");
	KUNIT_EXPECT_EQ(test, kallsyms_address("printk"), (unsigned long)printk);
	KUNIT_EXPECT_EQ(test, kallsyms_address("no_such_symbol"), 0);
	KUNIT_EXPECT_FALSE(test, kallsyms_lookup(0x1000, &info));
}

static void references_are_taken_and_given_back(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, try_module_get(THIS_MODULE));
	module_put(THIS_MODULE);
	KUNIT_EXPECT_TRUE(test, try_module_get(NULL));
	module_put(NULL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_module_knows_its_name),
	KUNIT_CASE(text_and_data_belong_to_the_module),
	KUNIT_CASE(symbols_are_found_by_address_and_by_name),
	KUNIT_CASE(references_are_taken_and_given_back),
	{},
};
static struct kunit_suite suite = { .name = "module_loader", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
