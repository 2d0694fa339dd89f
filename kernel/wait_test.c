/* Wait queues, deadlines and completions. */
#include <kumo/kunit.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/wait.h>

static void a_true_condition_does_not_sleep(struct kunit *test)
{
	struct wait_queue queue;

	wait_queue_init(&queue);
	KUNIT_EXPECT_EQ(test, wait_event_interruptible(&queue, true), 0);
	KUNIT_EXPECT_FALSE(test, wait_queue_active(&queue));
}

static void a_deadline_ends_a_wait(struct kunit *test)
{
	u64 start = time_monotonic_ns(), deadline = start + 3 * NSEC_PER_MSEC;
	struct wait_queue queue;

	wait_queue_init(&queue);
	KUNIT_EXPECT_EQ(test, wait_event_interruptible_until(&queue, false, deadline), -ETIME);
	KUNIT_EXPECT_GE(test, time_monotonic_ns(), deadline);
	KUNIT_EXPECT_EQ(test, wait_event_until(&queue, false, start), -ETIME);
	KUNIT_EXPECT_FALSE(test, wait_queue_active(&queue));
}

static void a_deadline_is_reckoned_once(struct kunit *test)
{
	struct wait_queue queue;

	wait_queue_init(&queue);
	KUNIT_EXPECT_EQ(test, wait_event_until(&queue, false, time_monotonic_ns() + 5 * NSEC_PER_MSEC),
			-ETIME);
}

static void a_condition_beats_a_deadline_that_has_passed(struct kunit *test)
{
	struct wait_queue queue;

	wait_queue_init(&queue);
	KUNIT_EXPECT_EQ(test, wait_event_until(&queue, true, 0), 0);
}

#define WAITERS 5

struct crowd {
	struct wait_queue queue;
	bool exclusive;
	atomic_t asleep, tickets, served;
	struct thread *threads[WAITERS];
};

static bool take_ticket(struct crowd *crowd)
{
	int left = atomic_read(&crowd->tickets);

	while (left > 0)
		if (atomic_try_cmpxchg(&crowd->tickets, &left, left - 1))
			return true;
	return false;
}

static int queue_up(void *arg)
{
	struct crowd *crowd = arg;
	int result;

	atomic_inc(&crowd->asleep);
	result = wait_event_mode(&crowd->queue, take_ticket(crowd), WAIT_INTERRUPTIBLE,
				 crowd->exclusive, WAIT_FOREVER);
	if (!result)
		atomic_inc(&crowd->served);
	return result;
}

static void crowd_start(struct kunit *test, struct crowd *crowd, bool exclusive)
{
	memset(crowd, 0, sizeof(*crowd));
	wait_queue_init(&crowd->queue);
	crowd->exclusive = exclusive;
	for (int i = 0; i < WAITERS; i++) {
		crowd->threads[i] = kthread_run(queue_up, crowd, "waiter");
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, crowd->threads[i]);
	}
	while (atomic_read(&crowd->asleep) < WAITERS)
		sleep_ns(NSEC_PER_MSEC);
	sleep_ns(2 * NSEC_PER_MSEC);
}

static void crowd_end(struct crowd *crowd)
{
	for (int i = 0; i < WAITERS; i++)
		if (!IS_ERR(crowd->threads[i]))
			kthread_stop(crowd->threads[i]);
}

static void one_wake_up_serves_one_exclusive_waiter(struct kunit *test)
{
	struct crowd *crowd = kunit_kmalloc(test, sizeof(*crowd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, crowd);
	crowd_start(test, crowd, true);
	for (int i = 1; i <= 2; i++) {
		atomic_add(&crowd->tickets, 1);
		wake_up(&crowd->queue);
		for (int wait = 0; wait < 1000 && atomic_read(&crowd->served) < i; wait++)
			sleep_ns(NSEC_PER_MSEC);
		sleep_ns(3 * NSEC_PER_MSEC); /* for more than one, if there were more */
		KUNIT_EXPECT_EQ(test, atomic_read(&crowd->served), i);
	}
	crowd_end(crowd);
}

static void a_wake_up_reaches_all_that_are_not_exclusive(struct kunit *test)
{
	struct crowd *crowd = kunit_kmalloc(test, sizeof(*crowd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, crowd);
	crowd_start(test, crowd, false);
	atomic_add(&crowd->tickets, WAITERS);
	wake_up(&crowd->queue);
	for (int i = 0; i < 1000 && atomic_read(&crowd->served) < WAITERS; i++)
		sleep_ns(NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, atomic_read(&crowd->served), WAITERS);
	crowd_end(crowd);
}

static void completions_are_counted(struct kunit *test)
{
	struct completion completion;
	u64 soon = time_monotonic_ns() + NSEC_PER_MSEC;

	completion_init(&completion);
	complete(&completion);
	complete(&completion);
	wait_for_completion(&completion);
	KUNIT_EXPECT_EQ(test, wait_for_completion_killable(&completion), 0);
	KUNIT_EXPECT_EQ(test, wait_for_completion_until(&completion, soon), -ETIME);
	complete_all(&completion);
	wait_for_completion(&completion);
	wait_for_completion(&completion);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_true_condition_does_not_sleep),
	KUNIT_CASE(a_deadline_ends_a_wait),
	KUNIT_CASE(a_deadline_is_reckoned_once),
	KUNIT_CASE(a_condition_beats_a_deadline_that_has_passed),
	KUNIT_CASE(one_wake_up_serves_one_exclusive_waiter),
	KUNIT_CASE(a_wake_up_reaches_all_that_are_not_exclusive),
	KUNIT_CASE(completions_are_counted),
	{},
};
static struct kunit_suite suite = { .name = "wait", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Tests of wait queues and completions");
