/* Suite of numbers: given out once, found while something has them, free afterwards. */
#include <kumo/kunit.h>
#include <kumo/rcu.h>

#include "process.h"

#define MANY 300

static void numbers_are_distinct_and_ascend(struct kunit *test)
{
	struct pid **pids = kunit_kzalloc(test, MANY * sizeof(*pids), GFP_KERNEL);
	int last = 0, wraps = 0;

	for (int i = 0; i < MANY; i++) {
		pids[i] = pid_alloc();
		KUNIT_ASSERT_FALSE(test, IS_ERR(pids[i]));
		KUNIT_EXPECT_GT(test, pids[i]->number, 1);
		wraps += pids[i]->number <= last;
		last = pids[i]->number;
	}
	KUNIT_EXPECT_LE(test, wraps, 1);
	for (int i = 0; i < MANY; i++)
		pid_free_unused(pids[i]);
}

static void a_number_is_kept_until_nothing_has_it(struct kunit *test)
{
	struct pid *pid = pid_alloc();
	int number;

	KUNIT_ASSERT_FALSE(test, IS_ERR(pid));
	number = pid->number;
	pid_attach(pid, PID_GROUP, pid);
	pid_attach(pid, PID_SESSION, pid);
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, pid_find(number), pid);
	rcu_read_unlock();
	pid_detach(pid, PID_GROUP);
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, pid_find(number), pid);
	rcu_read_unlock();
	pid_detach(pid, PID_SESSION);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, pid_find(number));
	rcu_read_unlock();
}

static void nobody_has_these(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, process_find(0));
	KUNIT_EXPECT_NULL(test, process_find(-1));
	KUNIT_EXPECT_NULL(test, process_find(PID_LIMIT));
	KUNIT_EXPECT_NULL(test, thread_find(PID_LIMIT + 5));
	KUNIT_EXPECT_NULL(test, process_group_find(-5));
}

static void the_first_process_is_found(struct kunit *test)
{
	struct process *process = process_find(1);
	struct thread *thread = thread_find(1);
	int number = 0;

	KUNIT_ASSERT_NOT_NULL(test, process);
	KUNIT_EXPECT_PTR_EQ(test, process, init_process);
	KUNIT_ASSERT_NOT_NULL(test, thread);
	KUNIT_EXPECT_PTR_EQ(test, thread->process, process);
	process_put(process);
	thread_put(thread);
	process = process_next(&number);
	KUNIT_ASSERT_NOT_NULL(test, process);
	KUNIT_EXPECT_EQ(test, number, 1);
	process_put(process);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(numbers_are_distinct_and_ascend),
	KUNIT_CASE(a_number_is_kept_until_nothing_has_it),
	KUNIT_CASE(nobody_has_these),
	KUNIT_CASE(the_first_process_is_found),
	{},
};
static struct kunit_suite suite = { .name = "pid", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
