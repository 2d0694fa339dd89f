/* Mutexes and reader-writer locks. */
#include <kumo/kunit.h>
#include <kumo/mutex.h>
#include <kumo/thread.h>

#define THREADS 4
#define ROUNDS 300

struct shared {
	struct mutex mutex;
	struct rwsem sem;
	unsigned long a, b; /* equal whenever nobody holds the lock for writing */
	atomic_t torn;
	struct thread *threads[THREADS];
};

static int add_under_mutex(void *arg)
{
	struct shared *shared = arg;

	for (int i = 0; i < ROUNDS; i++) {
		mutex_lock(&shared->mutex);
		shared->a++;
		if (i % 8 == 0)
			sched_yield();
		shared->b++;
		mutex_unlock(&shared->mutex);
		cond_resched();
	}
	return 0;
}

static int read_and_write(void *arg)
{
	struct shared *shared = arg;

	for (int i = 0; i < ROUNDS; i++) {
		if (i % 4 == 0) {
			down_write(&shared->sem);
			shared->a++;
			sched_yield();
			shared->b++;
			if (i % 8) {
				downgrade_write(&shared->sem);
				up_read(&shared->sem);
			} else {
				up_write(&shared->sem);
			}
		} else {
			down_read(&shared->sem);
			if (shared->a != shared->b)
				atomic_inc(&shared->torn);
			if (i % 3 == 0)
				sched_yield();
			if (shared->a != shared->b)
				atomic_inc(&shared->torn);
			up_read(&shared->sem);
		}
		cond_resched();
	}
	return 0;
}

static struct shared *run_all(struct kunit *test, int (*function)(void *))
{
	struct shared *shared = kunit_kzalloc(test, sizeof(*shared), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, shared);
	mutex_init(&shared->mutex, "mutex_test");
	rwsem_init(&shared->sem, "mutex_test");
	for (int i = 0; i < THREADS; i++)
		shared->threads[i] = kthread_run(function, shared, "locker");
	for (int i = 0; i < THREADS; i++) {
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, shared->threads[i]);
		if (IS_ERR(shared->threads[i]))
			continue;
		wait_for_completion(&shared->threads[i]->exited);
		kthread_stop(shared->threads[i]);
	}
	return shared;
}

static void a_mutex_excludes(struct kunit *test)
{
	struct shared *shared = run_all(test, add_under_mutex);

	KUNIT_EXPECT_EQ(test, shared->a, THREADS * ROUNDS);
	KUNIT_EXPECT_EQ(test, shared->b, THREADS * ROUNDS);
	KUNIT_EXPECT_PTR_EQ(test, shared->mutex.owner, NULL);
	KUNIT_EXPECT_EQ(test, atomic_read(&shared->mutex.waiter_count), 0);
}

static void a_mutex_knows_its_holder(struct kunit *test)
{
	struct mutex mutex = MUTEX_INIT(mutex, "mutex_test");

	KUNIT_EXPECT_FALSE(test, mutex_is_held(&mutex));
	KUNIT_EXPECT_TRUE(test, mutex_trylock(&mutex));
	KUNIT_EXPECT_TRUE(test, mutex_is_held(&mutex));
	mutex_unlock(&mutex);
	KUNIT_EXPECT_EQ(test, mutex_lock_interruptible(&mutex), 0);
	mutex_unlock(&mutex);
}

static int lock_interruptibly(void *arg)
{
	int result = mutex_lock_interruptible(arg);

	if (!result)
		mutex_unlock(arg);
	return result;
}

static void a_wait_for_a_mutex_can_be_interrupted(struct kunit *test)
{
	struct mutex mutex = MUTEX_INIT(mutex, "mutex_test");
	struct thread *thread;

	mutex_lock(&mutex);
	thread = kthread_run(lock_interruptibly, &mutex, "locker");
	if (!IS_ERR(thread)) {
		sleep_ns(2 * NSEC_PER_MSEC);
		KUNIT_EXPECT_EQ(test, kthread_stop(thread), -EINTR);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&mutex.waiter_count), 0);
	mutex_unlock(&mutex);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, thread);
}

static void writers_exclude_readers_and_each_other(struct kunit *test)
{
	struct shared *shared = run_all(test, read_and_write);

	KUNIT_EXPECT_EQ(test, atomic_read(&shared->torn), 0);
	KUNIT_EXPECT_EQ(test, shared->a, shared->b);
	KUNIT_EXPECT_EQ(test, shared->a, THREADS * ROUNDS / 4);
	KUNIT_EXPECT_EQ(test, shared->sem.state, 0);
}

static void readers_share(struct kunit *test)
{
	struct rwsem sem = RWSEM_INIT(sem, "mutex_test");

	KUNIT_EXPECT_TRUE(test, down_read_trylock(&sem));
	KUNIT_EXPECT_TRUE(test, down_read_trylock(&sem));
	KUNIT_EXPECT_FALSE(test, down_write_trylock(&sem));
	up_read(&sem);
	up_read(&sem);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&sem));
	KUNIT_EXPECT_TRUE(test, down_write_trylock(&sem));
	KUNIT_EXPECT_FALSE(test, down_read_trylock(&sem));
	up_write(&sem);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_mutex_excludes),
	KUNIT_CASE(a_mutex_knows_its_holder),
	KUNIT_CASE(a_wait_for_a_mutex_can_be_interrupted),
	KUNIT_CASE(writers_exclude_readers_and_each_other),
	KUNIT_CASE(readers_share),
	{},
};
static struct kunit_suite suite = { .name = "mutex", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Tests of sleeping locks");
