/* Timers and clocks. */
#include <kumo/kunit.h>
#include <kumo/thread.h>
#include <kumo/time.h>

#define COUNT 20

struct probe {
	struct timer timer;
	u64 fired_ns;
	unsigned int *order, position, times;
};

static void probe_fired(struct timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	probe->fired_ns = time_monotonic_ns();
	if (probe->order)
		probe->position = (*probe->order)++;
	WRITE_ONCE(probe->times, probe->times + 1);
}

static void a_timer_fires_once_and_not_early(struct kunit *test)
{
	struct probe probe = {};
	u64 due = time_monotonic_ns() + 2 * NSEC_PER_MSEC;

	timer_init(&probe.timer, probe_fired);
	timer_arm(&probe.timer, due);
	sleep_ns(6 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, probe.times, 1);
	KUNIT_EXPECT_GE(test, probe.fired_ns, due);
	KUNIT_EXPECT_FALSE(test, timer_cancel_sync(&probe.timer));
}

static void timers_fire_in_the_order_of_their_times(struct kunit *test)
{
	struct probe *probes = kunit_kzalloc(test, COUNT * sizeof(*probes), GFP_KERNEL);
	u64 base = time_monotonic_ns() + 50 * NSEC_PER_MSEC, affinity = current->affinity;
	unsigned int order = 0;

	KUNIT_ASSERT_NOT_NULL(test, probes);
	KUNIT_ASSERT_EQ(test, sched_set_affinity(current, 1), 0); /* all on one CPU */
	for (int i = 0; i < COUNT; i++) {
		int rank = (i * 7) % COUNT; /* 7 and 20 have no common divisor: a permutation */

		probes[rank].order = &order;
		timer_init(&probes[rank].timer, probe_fired);
		timer_arm(&probes[rank].timer, base + (u64)rank * 50 * NSEC_PER_USEC);
	}
	sleep_ns(60 * NSEC_PER_MSEC);
	for (int i = 0; i < COUNT; i++) {
		timer_cancel_sync(&probes[i].timer);
		KUNIT_EXPECT_EQ(test, probes[i].times, 1);
		KUNIT_EXPECT_EQ(test, probes[i].position, i);
	}
	KUNIT_EXPECT_EQ(test, sched_set_affinity(current, affinity), 0);
}

static void a_cancelled_timer_does_not_fire(struct kunit *test)
{
	struct probe probe = {};

	timer_init(&probe.timer, probe_fired);
	timer_arm(&probe.timer, time_monotonic_ns() + 3 * NSEC_PER_MSEC);
	KUNIT_EXPECT_TRUE(test, timer_cancel(&probe.timer));
	KUNIT_EXPECT_FALSE(test, timer_cancel(&probe.timer));
	sleep_ns(5 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, probe.times, 0);
}

static void arming_again_moves_a_timer(struct kunit *test)
{
	struct probe probe = {};
	u64 now = time_monotonic_ns();

	timer_init(&probe.timer, probe_fired);
	timer_arm(&probe.timer, now + 500 * NSEC_PER_SEC);
	timer_arm(&probe.timer, now + NSEC_PER_MSEC);
	sleep_ns(4 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, probe.times, 1);
}

static void fire_and_arm_again(struct timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	probe->times++;
	timer_arm(timer, time_monotonic_ns() + 200 * NSEC_PER_USEC);
}

static void cancelling_stops_a_timer_that_arms_itself(struct kunit *test)
{
	struct probe probe = {};
	unsigned int times;

	timer_init(&probe.timer, fire_and_arm_again);
	timer_arm(&probe.timer, time_monotonic_ns());
	for (int i = 0; i < 300 && READ_ONCE(probe.times) < 2; i++)
		sleep_ns(3 * NSEC_PER_MSEC);
	timer_cancel_sync(&probe.timer);
	times = probe.times;
	KUNIT_EXPECT_GT(test, times, 1);
	sleep_ns(2 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, probe.times, times);
}

static void a_timer_armed_by_one_cpu_can_be_moved_and_cancelled_by_another(struct kunit *test)
{
	u64 affinity = current->affinity;
	struct probe probe = {};

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU");
	timer_init(&probe.timer, probe_fired);
	for (int i = 0; i < 50; i++) {
		KUNIT_EXPECT_EQ(test, sched_set_affinity(current, BIT(i % 2)), 0);
		timer_arm(&probe.timer, time_monotonic_ns() + 200 * NSEC_PER_USEC);
	}
	KUNIT_EXPECT_EQ(test, sched_set_affinity(current, 1), 0);
	timer_cancel_sync(&probe.timer);
	KUNIT_EXPECT_FALSE(test, probe.timer.armed);
	KUNIT_EXPECT_EQ(test, sched_set_affinity(current, affinity), 0);
}

static void clocks_do_not_go_back(struct kunit *test)
{
	u64 monotonic = time_monotonic_ns(), date = time_realtime_ns();

	for (int i = 0; i < 1000; i++) {
		u64 now = time_monotonic_ns();

		if (now < monotonic)
			KUNIT_FAIL_AND_ABORT(test, "back by %llu ns",
					     (unsigned long long)(monotonic - now));
		monotonic = now;
		cond_resched();
	}
	KUNIT_EXPECT_GE(test, time_realtime_ns(), date);
	KUNIT_EXPECT_GT(test, date / NSEC_PER_SEC, 1500000000ULL); /* the battery clock knows the century */
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_timer_fires_once_and_not_early),
	KUNIT_CASE(timers_fire_in_the_order_of_their_times),
	KUNIT_CASE(a_cancelled_timer_does_not_fire),
	KUNIT_CASE(arming_again_moves_a_timer),
	KUNIT_CASE(cancelling_stops_a_timer_that_arms_itself),
	KUNIT_CASE(a_timer_armed_by_one_cpu_can_be_moved_and_cancelled_by_another),
	KUNIT_CASE(clocks_do_not_go_back),
	{},
};
static struct kunit_suite suite = { .name = "timer", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Tests of timers and clocks");
