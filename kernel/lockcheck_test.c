/* The lock checker: each kind of fault is made on purpose, and must be reported once. In the release build there is nothing to
 * see. */
#include <kumo/err.h>
#include <kumo/irq.h>
#include <kumo/kunit.h>
#include <kumo/mutex.h>
#include <kumo/rcu.h>
#include <kumo/report.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/wait.h>

#ifdef CONFIG_DEBUG
/* Each case has classes of its own: what one teaches the checker is no fault in another. */
#define EXPECT_REPORTS(test, count, faults)                                                        \
	do {                                                                                       \
		reports_expect("lock");                                                            \
		faults;                                                                            \
		KUNIT_EXPECT_EQ(test, reports_seen(), count);                                      \
	} while (0)

static void take_both(spinlock_t *outer, spinlock_t *inner)
{
	unsigned long flags = spin_lock_irqsave(outer);

	spin_lock(inner);
	spin_unlock(inner);
	spin_unlock_irqrestore(outer, flags);
}

static void two_orders_of_spin_locks_are_reported(struct kunit *test)
{
	spinlock_t a = SPINLOCK_INIT("test_order_a"), b = SPINLOCK_INIT("test_order_b");

	EXPECT_REPORTS(test, 0, take_both(&a, &b));
	EXPECT_REPORTS(test, 1, take_both(&b, &a));
	EXPECT_REPORTS(test, 0, take_both(&b, &a)); /* once is enough */
}

static void a_cycle_of_three_is_reported(struct kunit *test)
{
	spinlock_t a = SPINLOCK_INIT("test_cycle_a"), b = SPINLOCK_INIT("test_cycle_b"),
		   c = SPINLOCK_INIT("test_cycle_c");

	EXPECT_REPORTS(test, 0, (take_both(&a, &b), take_both(&b, &c), take_both(&a, &c)));
	EXPECT_REPORTS(test, 1, take_both(&c, &a));
}

static void sleeping_locks_are_in_the_same_graph(struct kunit *test)
{
	struct mutex mutex = MUTEX_INIT(mutex, "test_graph_mutex");
	struct rwsem sem = RWSEM_INIT(sem, "test_graph_sem");

	mutex_lock(&mutex);
	down_read(&sem);
	up_read(&sem);
	mutex_unlock(&mutex);
	reports_expect("lock");
	down_write(&sem);
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	up_write(&sem);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_second_lock_of_a_class_wants_a_rank(struct kunit *test)
{
	spinlock_t locks[2] = { SPINLOCK_INIT("test_rank"), SPINLOCK_INIT("test_rank") };
	unsigned long flags = spin_lock_irqsave(&locks[0]);

	EXPECT_REPORTS(test, 0, spin_lock_nested(&locks[1], 1));
	spin_unlock(&locks[1]);
	EXPECT_REPORTS(test, 1, spin_lock(&locks[1]));
	spin_unlock(&locks[1]);
	spin_unlock_irqrestore(&locks[0], flags);
}

static void locks_of_a_class_that_nests_are_no_circle(struct kunit *test)
{
	spinlock_t locks[2];

	for (int i = 0; i < 2; i++) {
		spin_init(&locks[i], "test_nests");
		lock_tag_nests(&locks[i].tag);
	}
	EXPECT_REPORTS(test, 0, (take_both(&locks[0], &locks[1]), take_both(&locks[1], &locks[0])));
}

static void a_trylock_makes_no_order(struct kunit *test)
{
	spinlock_t a = SPINLOCK_INIT("test_try_a"), b = SPINLOCK_INIT("test_try_b");
	unsigned long flags = spin_lock_irqsave(&a);

	reports_expect("lock");
	if (spin_trylock(&b))
		spin_unlock(&b);
	spin_unlock_irqrestore(&a, flags);
	take_both(&b, &a);
	KUNIT_EXPECT_EQ(test, reports_seen(), 0);
}

static void take_in_interrupt(void *lock)
{
	spin_lock(lock);
	spin_unlock(lock);
}

static void in_an_interrupt(void (*function)(void *), void *arg)
{
	unsigned int self = smp_processor_id();

	smp_call(num_online_cpus() == 1 ? self : !self, function, arg);
}

static void a_lock_of_interrupts_held_with_interrupts_on_is_reported(struct kunit *test)
{
	spinlock_t lock = SPINLOCK_INIT("test_interrupt");

	EXPECT_REPORTS(test, 0, in_an_interrupt(take_in_interrupt, &lock));
	EXPECT_REPORTS(test, 1, take_in_interrupt(&lock));
}

static void nor_may_one_inside_it_be(struct kunit *test)
{
	spinlock_t outer = SPINLOCK_INIT("test_interrupt_outer"),
		   inner = SPINLOCK_INIT("test_interrupt_inner");

	EXPECT_REPORTS(test, 0, in_an_interrupt(take_in_interrupt, &outer));
	EXPECT_REPORTS(test, 0, take_in_interrupt(&inner)); /* not in one, and with interrupts on */
	EXPECT_REPORTS(test, 1, take_both(&outer, &inner));
}

static void sleeping_where_one_must_not_is_reported(struct kunit *test)
{
	spinlock_t lock = SPINLOCK_INIT("test_sleep");
	struct mutex mutex = MUTEX_INIT(mutex, "test_sleep_mutex");
	unsigned long flags;

	spin_lock(&lock);
	reports_expect("lock");
	kfree(kmalloc(32, GFP_KERNEL));
	KUNIT_EXPECT_GE(test, reports_seen(), 1); /* a second one when the slab wants a new page */
	EXPECT_REPORTS(test, 0, kfree(kmalloc(32, GFP_ATOMIC)));
	spin_unlock(&lock);
	rcu_read_lock();
	EXPECT_REPORTS(test, 1, mutex_lock(&mutex));
	mutex_unlock(&mutex);
	rcu_read_unlock();
	flags = local_irq_save();
	EXPECT_REPORTS(test, 1, cond_resched());
	local_irq_restore(flags);
	EXPECT_REPORTS(test, 1, in_an_interrupt((void (*)(void *))cond_resched, NULL));
}

static int unlock(void *mutex)
{
	mutex_unlock(mutex);
	return 0;
}

static void release_by_another_thread_is_reported(struct kunit *test)
{
	struct mutex mutex = MUTEX_INIT(mutex, "test_owner");
	struct thread *thread;

	mutex_lock(&mutex);
	reports_expect("lock");
	thread = kthread_run(unlock, &mutex, "unlocker");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	sleep_ns(2 * NSEC_PER_MSEC);
	kthread_stop(thread);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
	KUNIT_EXPECT_FALSE(test, mutex_is_held(&mutex)); /* for it was released all the same */
	EXPECT_REPORTS(test, 0, mutex_unlock(&mutex));	 /* this thread's list has it still */
	EXPECT_REPORTS(test, 1, mutex_unlock(&mutex));
}

static void reading_twice_is_reported(struct kunit *test)
{
	struct rwsem sem = RWSEM_INIT(sem, "test_read_twice");

	down_read(&sem);
	EXPECT_REPORTS(test, 1, down_read(&sem));
	up_read(&sem);
	EXPECT_REPORTS(test, 0, up_read(&sem));
}

static void freeing_a_held_lock_is_reported(struct kunit *test)
{
	struct mutex *mutex = kmalloc(sizeof(*mutex), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mutex);
	mutex_init(mutex, "test_freed");
	mutex_lock(mutex);
	EXPECT_REPORTS(test, 1, lockcheck_free(mutex, sizeof(*mutex)));
	mutex_unlock(mutex);
	EXPECT_REPORTS(test, 0, kfree(mutex));
}

static int end_with_lock(void *mutex)
{
	mutex_lock(mutex);
	return 0;
}

static void a_thread_that_ends_with_a_lock_is_reported(struct kunit *test)
{
	struct mutex mutex = MUTEX_INIT(mutex, "test_end");
	struct thread *thread;

	reports_expect("lock");
	thread = kthread_run(end_with_lock, &mutex, "holder");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	wait_for_completion(&thread->exited);
	while (refcount_read(&thread->refs) > 1) /* it reports after it was said to have ended */
		sleep_ns(NSEC_PER_MSEC);
	kthread_stop(thread);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
}

static void a_lock_that_was_never_initialised_is_reported(struct kunit *test)
{
	spinlock_t lock = {};

	EXPECT_REPORTS(test, 1, spin_lock(&lock));
	spin_unlock(&lock);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(two_orders_of_spin_locks_are_reported),
	KUNIT_CASE(a_cycle_of_three_is_reported),
	KUNIT_CASE(sleeping_locks_are_in_the_same_graph),
	KUNIT_CASE(a_second_lock_of_a_class_wants_a_rank),
	KUNIT_CASE(locks_of_a_class_that_nests_are_no_circle),
	KUNIT_CASE(a_trylock_makes_no_order),
	KUNIT_CASE(a_lock_of_interrupts_held_with_interrupts_on_is_reported),
	KUNIT_CASE(nor_may_one_inside_it_be),
	KUNIT_CASE(sleeping_where_one_must_not_is_reported),
	KUNIT_CASE(release_by_another_thread_is_reported),
	KUNIT_CASE(reading_twice_is_reported),
	KUNIT_CASE(freeing_a_held_lock_is_reported),
	KUNIT_CASE(a_thread_that_ends_with_a_lock_is_reported),
	KUNIT_CASE(a_lock_that_was_never_initialised_is_reported),
	{},
};
#else
static void the_release_build_checks_no_locks(struct kunit *test)
{
	kunit_skip(test, "only in the debug build");
}

static struct kunit_case cases[] = { KUNIT_CASE(the_release_build_checks_no_locks), {} };
#endif

static struct kunit_suite suite = { .name = "lockcheck", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the lock checker");
MODULE_LICENSE("MIT");
