/*
 * Mutexes.
 *
 * `owner` is the lock: NULL, or the thread that holds it, put there by one compare-and-exchange. A thread that finds it taken
 * queues up and sleeps; unlocking makes it free and wakes the first of the queue, which tries again. Somebody else may have been
 * faster: that keeps a busy mutex moving without a switch for each hand-over. But who was woken in vain STARVED times gets the
 * mutex handed over at the next unlock.
 *
 * While the owner runs on another CPU the first to come spins for a short while before it queues up: most sections end sooner than a
 * switch takes. The owner's structure is looked at under RCU.
 *
 * An unlocker frees the mutex and then looks for waiters; a waiter counts itself and then looks whether the mutex is free. Both
 * steps have a full barrier between them, so a waiter is not forgotten.
 */
#include <kumo/export.h>
#include <kumo/lockcheck.h>
#include <kumo/mutex.h>
#include <kumo/thread.h>

#define SPIN_LIMIT 1000 /* looks at the owner */
#define STARVED 3

struct waiter {
	struct list link;
	struct thread *thread;
	unsigned int attempts;
};

void mutex_init(struct mutex *mutex, const char *class_name)
{
	mutex->owner = NULL;
	atomic_set(&mutex->waiter_count, 0);
	spin_init(&mutex->lock, class_name);
	list_init(&mutex->waiters);
	lock_tag_init(&mutex->tag, class_name, LOCK_MUTEX);
}
EXPORT_SYMBOL(mutex_init);

static inline bool try_to_own(struct mutex *mutex)
{
	struct thread *nobody = NULL;

	return __atomic_compare_exchange_n(&mutex->owner, &nobody, current, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* True: it got the mutex. */
static bool spin_on_owner(struct mutex *mutex)
{
	bool got = false;

	if (num_online_cpus() == 1 || atomic_read(&mutex->waiter_count))
		return false;
	rcu_read_lock();
	for (unsigned int i = 0; i < SPIN_LIMIT && !need_resched() && !got; i++) {
		struct thread *owner = READ_ONCE(mutex->owner);

		if (!owner)
			got = try_to_own(mutex);
		else if (!owner->on_cpu)
			break;
		else
			cpu_relax();
	}
	rcu_read_unlock();
	return got;
}

/* 0: the mutex is ours; -EINTR: something ended the wait. */
static __noinline int lock_slowly(struct mutex *mutex, int mode)
{
	struct waiter waiter = { .thread = current };
	unsigned int state = mode == WAIT_INTERRUPTIBLE ? THREAD_INTERRUPTIBLE
			     : mode == WAIT_KILLABLE	? THREAD_KILLABLE
							: THREAD_UNINTERRUPTIBLE;
	unsigned long flags;
	int result = 0;

	lines_contended(mutex);
	if (spin_on_owner(mutex))
		return 0;
	flags = spin_lock_irqsave(&mutex->lock);
	list_add_tail(&mutex->waiters, &waiter.link);
	atomic_inc(&mutex->waiter_count);
	for (;;) {
		thread_set_state(state);
		/* An unlock may have handed it over. */
		if (READ_ONCE(mutex->owner) == current || try_to_own(mutex))
			break;
		if (wait_interrupted(mode)) {
			result = -EINTR;
			break;
		}
		spin_unlock_irqrestore(&mutex->lock, flags);
		schedule();
		flags = spin_lock_irqsave(&mutex->lock);
		waiter.attempts++;
	}
	WRITE_ONCE(current->state, THREAD_RUNNING);
	list_del(&waiter.link);
	atomic_dec(&mutex->waiter_count);
	/* A wake-up that came for us, but too late, goes to the next. */
	if (result && !list_empty(&mutex->waiters) && !READ_ONCE(mutex->owner))
		thread_wake(list_first(&mutex->waiters, struct waiter, link)->thread);
	spin_unlock_irqrestore(&mutex->lock, flags);
	return result;
}

/* Inlined, so that the return address is the public function's. */
static __always_inline int lock_mode(struct mutex *mutex, int mode, unsigned int rank)
{
	int result;

	might_sleep();
	lockcheck_acquire(mutex, &mutex->tag, rank, LOCK_WAITS, __builtin_return_address(0));
	if (likely(try_to_own(mutex)))
		return 0;
	result = lock_slowly(mutex, mode);
	if (result)
		lockcheck_release(mutex, &mutex->tag);
	return result;
}

void mutex_lock(struct mutex *mutex)
{
	(void)lock_mode(mutex, WAIT_NORMAL, 0);
}
EXPORT_SYMBOL(mutex_lock);

int mutex_lock_killable(struct mutex *mutex)
{
	return lock_mode(mutex, WAIT_KILLABLE, 0);
}
EXPORT_SYMBOL(mutex_lock_killable);

int mutex_lock_killable_nested(struct mutex *mutex, unsigned int rank)
{
	return lock_mode(mutex, WAIT_KILLABLE, rank);
}
EXPORT_SYMBOL(mutex_lock_killable_nested);

int mutex_lock_interruptible(struct mutex *mutex)
{
	return lock_mode(mutex, WAIT_INTERRUPTIBLE, 0);
}
EXPORT_SYMBOL(mutex_lock_interruptible);

bool mutex_trylock(struct mutex *mutex)
{
	bool got = try_to_own(mutex);

	if (got)
		lockcheck_acquire(mutex, &mutex->tag, 0, LOCK_TRIES, __builtin_return_address(0));
	return got;
}
EXPORT_SYMBOL(mutex_trylock);

static __noinline void unlock_slowly(struct mutex *mutex, bool freed)
{
	unsigned long flags = spin_lock_irqsave(&mutex->lock);
	struct waiter *first = NULL;

	if (!list_empty(&mutex->waiters))
		first = list_first(&mutex->waiters, struct waiter, link);
	if (!freed)
		__atomic_store_n(&mutex->owner,
				 first && first->attempts >= STARVED ? first->thread : NULL,
				 __ATOMIC_SEQ_CST);
	if (first)
		thread_wake(first->thread);
	spin_unlock_irqrestore(&mutex->lock, flags);
}

void mutex_unlock(struct mutex *mutex)
{
	lockcheck_release(mutex, &mutex->tag);
	if (unlikely(atomic_read(&mutex->waiter_count))) {
		unlock_slowly(mutex, false);
		return;
	}
	__atomic_store_n(&mutex->owner, NULL, __ATOMIC_SEQ_CST);
	if (unlikely(atomic_read(&mutex->waiter_count)))
		unlock_slowly(mutex, true);
}
EXPORT_SYMBOL(mutex_unlock);

bool mutex_is_held(const struct mutex *mutex)
{
	return READ_ONCE(mutex->owner) == current;
}
EXPORT_SYMBOL(mutex_is_held);
