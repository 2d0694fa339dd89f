/* The debug build's store of backtraces: numbers are equal where backtraces are. In the release build there is none. */
#include <kumo/kunit.h>
#include <kumo/stack_depot.h>

#ifdef CONFIG_DEBUG
static __noinline u32 save_here(void)
{
	u32 stack = stack_save();

	barrier(); /* no tail call */
	return stack;
}

static void a_backtrace_is_stored_once(struct kunit *test)
{
	u32 stacks[3];

	for (volatile unsigned int i = 0; i < 3; i++) /* one call, not three */
		stacks[i] = save_here();
	KUNIT_EXPECT_NE(test, stacks[0], 0);
	KUNIT_EXPECT_EQ(test, stacks[0], stacks[1]);
	KUNIT_EXPECT_EQ(test, stacks[1], stacks[2]);
	KUNIT_EXPECT_NE(test, stacks[2], save_here());
}

static void a_backtrace_begins_with_who_asked(struct kunit *test)
{
	unsigned long addresses[STACK_DEPTH], function = (unsigned long)save_here;

	KUNIT_ASSERT_GT(test, stack_addresses(save_here(), addresses), 2U);
	KUNIT_EXPECT_GT(test, addresses[0], function);
	KUNIT_EXPECT_LT(test, addresses[0], function + 64);
}

static void no_backtrace_has_no_addresses(struct kunit *test)
{
	unsigned long addresses[STACK_DEPTH];

	KUNIT_EXPECT_EQ(test, stack_addresses(0, addresses), 0U);
}
#else
static void backtraces_are_stored(struct kunit *test)
{
	kunit_skip(test, "in the debug build");
}
#endif

static struct kunit_case cases[] = {
#ifdef CONFIG_DEBUG
	KUNIT_CASE(a_backtrace_is_stored_once),
	KUNIT_CASE(a_backtrace_begins_with_who_asked),
	KUNIT_CASE(no_backtrace_has_no_addresses),
#else
	KUNIT_CASE(backtraces_are_stored),
#endif
	{},
};

static struct kunit_suite suite = { .name = "stack_depot", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
