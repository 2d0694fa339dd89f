/* Reports: those that a test expects are counted and do not count against it. */
#include <kumo/kunit.h>
#include <kumo/report.h>

static void an_expected_report_is_counted(struct kunit *test)
{
	reports_expect("test");
	KUNIT_ASSERT_TRUE(test, report_begin("test", "number %d", 1));
	report_line("a detail");
	report_end();
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_report_within_a_report_is_dropped(struct kunit *test)
{
	reports_expect("test");
	KUNIT_EXPECT_FALSE(test, report_running());
	KUNIT_ASSERT_TRUE(test, report_begin("test", "outer"));
	KUNIT_EXPECT_TRUE(test, report_running());
	KUNIT_EXPECT_FALSE(test, report_begin("test", "inner"));
	report_end();
	KUNIT_EXPECT_FALSE(test, report_running());
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(an_expected_report_is_counted),
	KUNIT_CASE(a_report_within_a_report_is_dropped),
	{},
};

static struct kunit_suite suite = { .name = "report", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the checkers' reports");
MODULE_LICENSE("MIT");
