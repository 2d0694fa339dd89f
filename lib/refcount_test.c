/* Reference counts: what goes wrong is reported once, and the object is not freed. */
#include <kumo/kunit.h>
#include <kumo/refcount.h>
#include <kumo/report.h>

static void a_count_ends_once(struct kunit *test)
{
	refcount_t count;

	refcount_set(&count, 1);
	refcount_inc(&count);
	KUNIT_EXPECT_FALSE(test, refcount_dec_and_test(&count));
	KUNIT_EXPECT_TRUE(test, refcount_dec_and_test(&count));
	KUNIT_EXPECT_FALSE(test, refcount_inc_not_zero(&count));
}

static void a_drop_too_many_is_reported(struct kunit *test)
{
	refcount_t count;

	refcount_set(&count, 0);
	reports_expect("refcount");
	KUNIT_EXPECT_FALSE(test, refcount_dec_and_test(&count));
	KUNIT_EXPECT_FALSE(test, refcount_dec_and_test(&count));
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&count), REFCOUNT_SATURATED);
}

static void a_use_after_the_end_is_reported(struct kunit *test)
{
	refcount_t count;

	refcount_set(&count, 0);
	reports_expect("refcount");
	refcount_inc(&count);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	KUNIT_EXPECT_FALSE(test, refcount_dec_and_test(&count));
}

static void an_overflow_is_reported(struct kunit *test)
{
	refcount_t count;

	refcount_set(&count, 0x7fffffff);
	reports_expect("refcount");
	refcount_inc(&count);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&count), REFCOUNT_SATURATED);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_count_ends_once),
	KUNIT_CASE(a_drop_too_many_is_reported),
	KUNIT_CASE(a_use_after_the_end_is_reported),
	KUNIT_CASE(an_overflow_is_reported),
	{},
};
static struct kunit_suite suite = { .name = "refcount", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of reference counts");
MODULE_LICENSE("MIT");
