/* Deferred work, and per-CPU allocations. */
#include <kumo/kunit.h>
#include <kumo/percpu.h>
#include <kumo/thread.h>
#include <kumo/wait.h>
#include <kumo/work.h>

struct job {
	struct work work;
	struct delayed_work delayed;
	atomic_t runs, inside;
	bool overlapped, again;
	u64 sleep_ns;
	struct completion *wait_for, done;
};

static void job_run(struct work *work)
{
	struct job *job = container_of(work, struct job, work);

	if (atomic_inc_return(&job->inside) != 1)
		job->overlapped = true;
	if (job->wait_for)
		wait_for_completion(job->wait_for);
	if (job->sleep_ns)
		sleep_ns(job->sleep_ns);
	if (job->again)
		work_queue(work);
	atomic_dec(&job->inside);
	atomic_inc(&job->runs);
	complete(&job->done);
}

static void job_init(struct job *job)
{
	memset(job, 0, sizeof(*job));
	work_init(&job->work, job_run);
	completion_init(&job->done);
}

static void queued_work_runs_once(struct kunit *test)
{
	struct job job;

	job_init(&job);
	KUNIT_EXPECT_TRUE(test, work_queue(&job.work));
	work_flush(&job.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 1);
	KUNIT_EXPECT_FALSE(test, work_cancel_sync(&job.work));
}

static void work_queued_while_it_runs_runs_again_but_not_at_once(struct kunit *test)
{
	struct completion gate;
	struct job job;

	completion_init(&gate);
	job_init(&job);
	job.wait_for = &gate;
	work_queue(&job.work);
	while (!atomic_read(&job.inside))
		sleep_ns(NSEC_PER_MSEC / 2);
	KUNIT_EXPECT_TRUE(test, work_queue(&job.work));
	KUNIT_EXPECT_FALSE(test, work_queue(&job.work));
	complete_all(&gate);
	work_flush(&job.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 2);
	KUNIT_EXPECT_FALSE(test, job.overlapped);
}

static void cancelling_ends_work_that_queues_itself(struct kunit *test)
{
	struct job job;
	int runs;

	job_init(&job);
	job.again = true;
	job.sleep_ns = NSEC_PER_MSEC / 2;
	work_queue(&job.work);
	sleep_ns(5 * NSEC_PER_MSEC);
	work_cancel_sync(&job.work);
	runs = atomic_read(&job.runs);
	KUNIT_EXPECT_GT(test, runs, 0);
	sleep_ns(3 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), runs);
}

static void work_may_wait_for_other_work(struct kunit *test)
{
	struct job first, second;

	job_init(&first);
	job_init(&second);
	first.wait_for = &second.done;
	work_queue(&first.work);
	work_queue(&second.work);
	work_flush(&first.work);
	work_flush(&second.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&first.runs), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&second.runs), 1);
}

static void delayed_run(struct work *work)
{
	struct job *job = container_of(work, struct job, delayed.work);

	atomic_inc(&job->runs);
}

static void delayed_work_waits_for_its_time(struct kunit *test)
{
	struct job job;

	job_init(&job);
	delayed_work_init(&job.delayed, delayed_run);
	delayed_work_queue(&job.delayed, time_monotonic_ns() + 500 * NSEC_PER_SEC);
	KUNIT_EXPECT_TRUE(test, delayed_work_cancel_sync(&job.delayed));
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 0);
	delayed_work_queue(&job.delayed, time_monotonic_ns() + NSEC_PER_MSEC);
	for (int i = 0; i < 1000 && !atomic_read(&job.runs); i++)
		sleep_ns(NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 1);
	KUNIT_EXPECT_FALSE(test, delayed_work_cancel_sync(&job.delayed));
}

static void per_cpu_blocks_are_cleared_and_apart(struct kunit *test)
{
	u64 *a = alloc_percpu(sizeof(u64), 8), *b = alloc_percpu(100, 64);

	KUNIT_EXPECT_NOT_NULL(test, a);
	KUNIT_EXPECT_NOT_NULL(test, b);
	if (a && b) {
		KUNIT_EXPECT_EQ(test, (unsigned long)b % 64, 0);
		for_each_cpu(cpu) {
			KUNIT_EXPECT_EQ(test, *per_cpu_ptr(a, cpu), 0);
			*per_cpu_ptr(a, cpu) = cpu + 1;
			memset(per_cpu_ptr(b, cpu), 0xff, 100);
		}
		for_each_cpu(cpu)
			KUNIT_EXPECT_EQ(test, *per_cpu_ptr(a, cpu), cpu + 1);
	}
	free_percpu(a);
	free_percpu(b);
	a = alloc_percpu(4096, 64);
	KUNIT_EXPECT_NOT_NULL(test, a);
	if (a)
		KUNIT_EXPECT_EQ(test, *this_cpu_ptr(a), 0);
	free_percpu(a);
	KUNIT_EXPECT_NULL(test, alloc_percpu(4097, 8));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(queued_work_runs_once),
	KUNIT_CASE(work_queued_while_it_runs_runs_again_but_not_at_once),
	KUNIT_CASE(cancelling_ends_work_that_queues_itself),
	KUNIT_CASE(work_may_wait_for_other_work),
	KUNIT_CASE(delayed_work_waits_for_its_time),
	KUNIT_CASE(per_cpu_blocks_are_cleared_and_apart),
	{},
};
static struct kunit_suite suite = { .name = "work", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Tests of deferred work");
