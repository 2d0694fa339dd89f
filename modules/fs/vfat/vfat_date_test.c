/* Suite of FAT's dates. */
#include <kumo/kunit.h>

#include "date.c"

#define S ((s64)NSEC_PER_SEC)

/* 2024-02-29 12:34:56 UTC */
#define LEAP_DAY (1709210096 * S)

static void dates_go_there_and_back(struct kunit *test)
{
	/* 1980-01-01, 2000-02-29, 2024-02-29 12:34:56, 2099-12-31 23:59:58, 2107-12-31 23:59:58 */
	static const s64 seconds[] = { 315532800, 951782400, 1709210096, 4102444798, 4354819198 };

	for (u32 i = 0; i < ARRAY_SIZE(seconds); i++)
		KUNIT_EXPECT_EQ(test, date_modified(seconds[i] * S, 0), seconds[i] * S);
}

static void fields_are_as_on_the_disk(struct kunit *test)
{
	struct fat_date date = date_from_ns(LEAP_DAY + S + S / 2, 0);

	KUNIT_EXPECT_EQ(test, date.date, (2024 - 1980) << 9 | 2 << 5 | 29);
	KUNIT_EXPECT_EQ(test, date.time, 12 << 11 | 34 << 5 | 56 / 2);
	KUNIT_EXPECT_EQ(test, date.centiseconds, 150);
}

static void each_time_has_its_grain(struct kunit *test)
{
	s64 time = LEAP_DAY + S + 987654321;

	KUNIT_EXPECT_EQ(test, date_modified(time, 0), LEAP_DAY);
	KUNIT_EXPECT_EQ(test, date_created(time, 0), LEAP_DAY + S + 980000000);
	KUNIT_EXPECT_EQ(test, date_accessed(time, 0), LEAP_DAY - (12 * 3600 + 34 * 60 + 56) * S);
}

static void local_time_is_shifted(struct kunit *test)
{
	/* The volume's time is an hour ahead: what it says is an hour less in UTC. */
	struct fat_date date = date_from_ns(LEAP_DAY, -3600);

	KUNIT_EXPECT_EQ(test, date.time >> 11, 13);
	KUNIT_EXPECT_EQ(test, date_to_ns(date, -3600), LEAP_DAY);
	KUNIT_EXPECT_EQ(test, date_accessed(LEAP_DAY, -12 * 3600) % (86400 * S), 43200 * S);
}

static void what_cannot_be_said_becomes_the_nearest(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, date_modified(0, 0), 315532800 * S);
	KUNIT_EXPECT_EQ(test, date_modified(-5 * S, 0), 315532800 * S);
	KUNIT_EXPECT_EQ(test, date_modified(5000000000 * S, 0), 4354819198 * S);
	KUNIT_EXPECT_EQ(test, date_modified(9000000000 * S, 0), 4354819198 * S);
}

static void damaged_dates_are_dates(struct kunit *test)
{
	for (u32 word = 0; word < 0x10000; word += 7) {
		struct fat_date date = { .date = (u16)word, .time = (u16)~word, .centiseconds = 255 };
		s64 ns = date_to_ns(date, 0);

		KUNIT_ASSERT_TRUE(test, ns >= 315532800 * S && ns < 4354819200 * S + 4 * 86400 * S);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(dates_go_there_and_back),
	KUNIT_CASE(fields_are_as_on_the_disk),
	KUNIT_CASE(each_time_has_its_grain),
	KUNIT_CASE(local_time_is_shifted),
	KUNIT_CASE(what_cannot_be_said_becomes_the_nearest),
	KUNIT_CASE(damaged_dates_are_dates),
	{},
};

static struct kunit_suite suite = { .name = "vfat_date", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
