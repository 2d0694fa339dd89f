/* Undefined behaviour, made on purpose, is reported once. In the release build nothing is there to test. */
#include <kumo/kunit.h>
#include <kumo/report.h>

static int init(struct kunit *test)
{
#ifndef CONFIG_DEBUG
	kunit_skip(test, "only the debug build looks for undefined behaviour");
#endif
	reports_expect("ubsan");
	return 0;
}

/* What the compiler shall not know. */
static long hidden(long value)
{
	__asm__ volatile("" : "+r"(value));
	return value;
}

static volatile long sink;

static void an_index_outside_is_reported(struct kunit *test)
{
	static volatile struct {
		int array[4];
		int behind[4];
	} both;

	sink = both.array[hidden(3)];
	KUNIT_EXPECT_EQ(test, reports_seen(), 0);
	reports_expect("ubsan");
	sink = both.array[hidden(5)];
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_shift_by_too_much_is_reported(struct kunit *test)
{
	sink = 1U << hidden(31);
	KUNIT_EXPECT_EQ(test, reports_seen(), 0);
	reports_expect("ubsan");
	sink = 1U << hidden(32);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_misaligned_access_is_reported(struct kunit *test)
{
	static long words[2];

	sink = *(volatile int *)((char *)words + hidden(4));
	KUNIT_EXPECT_EQ(test, reports_seen(), 0);
	reports_expect("ubsan");
	sink = *(volatile int *)((char *)words + hidden(3));
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_bool_is_0_or_1(struct kunit *test)
{
	static union {
		unsigned char byte;
		bool truth;
	} value;

	value.byte = (unsigned char)hidden(2);
	sink = *(volatile bool *)&value.truth;
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void the_zeros_of_zero_are_not_counted(struct kunit *test)
{
	sink = __builtin_ctzl((unsigned long)hidden(0));
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(an_index_outside_is_reported),      KUNIT_CASE(a_shift_by_too_much_is_reported),
	KUNIT_CASE(a_misaligned_access_is_reported),   KUNIT_CASE(a_bool_is_0_or_1),
	KUNIT_CASE(the_zeros_of_zero_are_not_counted), {},
};

static struct kunit_suite suite = { .name = "ubsan", .init = init, .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the checks for undefined behaviour");
MODULE_LICENSE("MIT");
