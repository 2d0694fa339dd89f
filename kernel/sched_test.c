/* Kernel threads and the scheduler: starting, stopping, waking, sharing CPUs, moving between them. */
#include <kumo/kunit.h>
#include <kumo/thread.h>
#include <kumo/wait.h>

static int answer(void *arg)
{
	return *(int *)arg;
}

static void a_thread_returns_its_result_through_kthread_stop(struct kunit *test)
{
	int result = 42;
	struct thread *thread = kthread_run(answer, &result, "answer");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	wait_for_completion(&thread->exited);
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), 42);
}

static void a_thread_that_was_not_started_does_not_run_its_function(struct kunit *test)
{
	int result = 42;
	struct thread *thread = kthread_create(answer, &result, "never/%d", 1);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	KUNIT_EXPECT_STREQ(test, thread->name, "never/1");
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), -EINTR);
}

static int sleep_until_stopped(void *arg)
{
	struct wait_queue *queue = arg;

	return wait_event_interruptible(queue, false);
}

static void stopping_ends_an_interruptible_wait(struct kunit *test)
{
	struct wait_queue queue;
	struct thread *thread;

	wait_queue_init(&queue);
	thread = kthread_run(sleep_until_stopped, &queue, "sleeper");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	while (!wait_queue_active(&queue))
		sleep_ns(NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), -ERESTARTSYS);
}

/* Counts as long as it may. */
struct spinner {
	struct thread *thread;
	u64 rounds;
};

static int spin(void *arg)
{
	struct spinner *spinner = arg;

	while (!kthread_should_stop()) {
		delay_ns(10 * NSEC_PER_USEC);
		WRITE_ONCE(spinner->rounds, spinner->rounds + 1);
		cond_resched();
	}
	return 0;
}

static void threads_of_one_cpu_share_it_by_weight(struct kunit *test)
{
	struct spinner spinners[2] = {};

	for (int i = 0; i < 2; i++) {
		spinners[i].thread = kthread_create(spin, &spinners[i], "spin/%d", i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, spinners[i].thread);
		spinners[i].thread->affinity = 1;
		spinners[i].thread->weight = i ? 4096 : 1024;
		spinners[i].thread->user_share = 0;
	}
	for (int i = 0; i < 2; i++)
		kthread_start(spinners[i].thread);
	sleep_ns(400 * NSEC_PER_MSEC);
	for (int i = 0; i < 2; i++)
		kthread_stop(spinners[i].thread);
	KUNIT_EXPECT_GT(test, spinners[0].rounds, 0);
	/* Four to one, give or take what a slice and a busy host do. */
	KUNIT_EXPECT_GT(test, spinners[1].rounds, 2 * spinners[0].rounds);
	KUNIT_EXPECT_LT(test, spinners[1].rounds, 8 * spinners[0].rounds);
}

static void a_thread_runs_only_where_its_affinity_allows(struct kunit *test)
{
	u64 before = current->affinity;
	unsigned int cpus = num_online_cpus();

	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		KUNIT_ASSERT_EQ(test, sched_set_affinity(current, BIT(cpu)), 0);
		KUNIT_EXPECT_EQ(test, smp_processor_id(), cpu);
		sleep_ns(NSEC_PER_MSEC);
		KUNIT_EXPECT_EQ(test, smp_processor_id(), cpu);
	}
	if (cpus < MAX_CPUS)
		KUNIT_EXPECT_EQ(test, sched_set_affinity(current, BIT(cpus)), -EINVAL);
	KUNIT_EXPECT_EQ(test, sched_set_affinity(current, before), 0);
}

static void cpu_time_is_counted_while_running_and_not_while_asleep(struct kunit *test)
{
	struct spinner spinner = {};
	u64 ran;

	spinner.thread = kthread_run(spin, &spinner, "timed");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, spinner.thread);
	sleep_ns(50 * NSEC_PER_MSEC);
	thread_get(spinner.thread);
	kthread_stop(spinner.thread);
	while (spinner.thread->on_cpu)
		sched_yield();
	ran = spinner.thread->cpu_time_ns;
	KUNIT_EXPECT_GT(test, ran, 5 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, ran, spinner.thread->user_ns + spinner.thread->system_ns);
	sleep_ns(5 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, spinner.thread->cpu_time_ns, ran);
	thread_put(spinner.thread);
}

#define PAIRS 4
#define TRIPS 500

struct ping_pong {
	struct wait_queue queue;
	unsigned int turn;
	struct thread *threads[2];
	struct completion done;
};

static int play(struct ping_pong *game, unsigned int me)
{
	for (int i = 0; i < TRIPS; i++) {
		if (wait_event_interruptible(&game->queue, READ_ONCE(game->turn) == me))
			return -EINTR;
		WRITE_ONCE(game->turn, !me);
		wake_up_all(&game->queue);
	}
	complete(&game->done);
	return 0;
}

static int play_first(void *arg)
{
	return play(arg, 0);
}

static int play_second(void *arg)
{
	return play(arg, 1);
}

static void no_wake_up_is_lost_between_many_pairs(struct kunit *test)
{
	struct ping_pong *games = kunit_kzalloc(test, PAIRS * sizeof(*games), GFP_KERNEL);
	int lost = 0;

	KUNIT_ASSERT_NOT_NULL(test, games);
	for (int i = 0; i < PAIRS; i++) {
		wait_queue_init(&games[i].queue);
		completion_init(&games[i].done);
		games[i].threads[0] = kthread_run(play_first, &games[i], "ping");
		games[i].threads[1] = kthread_run(play_second, &games[i], "pong");
	}
	for (int i = 0; i < PAIRS; i++) {
		u64 deadline = time_monotonic_ns() + 20 * NSEC_PER_SEC;

		for (int j = 0; j < 2; j++)
			if (wait_for_completion_until(&games[i].done, deadline))
				lost++;
	}
	for (int i = 0; i < PAIRS; i++)
		for (int j = 0; j < 2; j++)
			if (!IS_ERR(games[i].threads[j]))
				kthread_stop(games[i].threads[j]);
	KUNIT_EXPECT_EQ(test, lost, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_thread_returns_its_result_through_kthread_stop),
	KUNIT_CASE(a_thread_that_was_not_started_does_not_run_its_function),
	KUNIT_CASE(stopping_ends_an_interruptible_wait),
	KUNIT_CASE(threads_of_one_cpu_share_it_by_weight),
	KUNIT_CASE(a_thread_runs_only_where_its_affinity_allows),
	KUNIT_CASE(cpu_time_is_counted_while_running_and_not_while_asleep),
	KUNIT_CASE(no_wake_up_is_lost_between_many_pairs),
	{},
};
static struct kunit_suite suite = { .name = "sched", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Tests of the scheduler and kernel threads");
