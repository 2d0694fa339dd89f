/*
 * Locks for many readers or one writer.
 *
 * As long as nobody waits, taking and releasing is one atomic operation on `state`. The first to wait sets RWSEM_WAITERS, which
 * closes that way in: from then on the lock is handed to the waiters in the order of arrival, by whoever releases it,
 * under sem->lock, and a waiter wakes up as an owner. While the bit is set `state` only falls outside of sem->lock.
 *
 * A releaser changes `state` and learns from the same operation whether anybody waits; a waiter sets the bit and then looks whether the
 * lock can be handed out. So one of them sees the other.
 */
#include <kumo/export.h>
#include <kumo/lockcheck.h>
#include <kumo/mutex.h>
#include <kumo/thread.h>

struct waiter {
	struct list link;
	struct thread *thread;
	bool writer;
	bool granted; /* written under sem->lock; after that the waiter may be gone */
};

void rwsem_init(struct rwsem *sem, const char *class_name)
{
	sem->state = 0;
	spin_init(&sem->lock, class_name);
	list_init(&sem->waiters);
	lock_tag_init(&sem->tag, class_name, LOCK_RWSEM);
	sem->writer = NULL;
}
EXPORT_SYMBOL(rwsem_init);

static inline bool try_read(struct rwsem *sem)
{
	u32 state = READ_ONCE(sem->state);

	while (likely(!(state & (RWSEM_WRITER | RWSEM_WAITERS))))
		if (likely(__atomic_compare_exchange_n(&sem->state, &state, state + 1, false,
						       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)))
			return true;
	return false;
}

static inline bool try_write(struct rwsem *sem)
{
	u32 unlocked = 0;

	return __atomic_compare_exchange_n(&sem->state, &unlocked, RWSEM_WRITER, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void grant(struct waiter *waiter)
{
	struct thread *thread = waiter->thread;

	list_del(&waiter->link);
	smp_store_release(&waiter->granted, true); /* the waiter's frame may go now; its thread stays, by RCU */
	thread_wake(thread);
}

/* Hands the lock to the first waiter, and if that is a reader to the readers behind it. sem->lock is held. */
static void grant_waiters(struct rwsem *sem)
{
	while (!list_empty(&sem->waiters)) {
		struct waiter *first = list_first(&sem->waiters, struct waiter, link);

		if (first->writer) {
			u32 state = RWSEM_WAITERS;

			if (!__atomic_compare_exchange_n(&sem->state, &state, RWSEM_WAITERS | RWSEM_WRITER,
							 false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
				break;
			grant(first);
			break;
		}
		if (READ_ONCE(sem->state) & RWSEM_WRITER)
			break;
		__atomic_add_fetch(&sem->state, 1, __ATOMIC_SEQ_CST);
		grant(first);
	}
	if (list_empty(&sem->waiters))
		__atomic_fetch_and(&sem->state, ~RWSEM_WAITERS, __ATOMIC_SEQ_CST);
}

static __noinline int wait_for_grant(struct rwsem *sem, bool writer, int mode)
{
	struct waiter waiter = { .thread = current, .writer = writer };
	unsigned int state = mode == WAIT_KILLABLE ? THREAD_KILLABLE : THREAD_UNINTERRUPTIBLE;
	unsigned long flags = spin_lock_irqsave(&sem->lock);
	int result = 0;

	lines_contended(sem);
	list_add_tail(&sem->waiters, &waiter.link);
	__atomic_fetch_or(&sem->state, RWSEM_WAITERS, __ATOMIC_SEQ_CST);
	grant_waiters(sem);
	spin_unlock_irqrestore(&sem->lock, flags);
	for (;;) {
		thread_set_state(state);
		if (smp_load_acquire(&waiter.granted))
			break;
		if (wait_interrupted(mode)) {
			flags = spin_lock_irqsave(&sem->lock);
			if (!waiter.granted) {
				list_del(&waiter.link);
				grant_waiters(sem); /* those behind may go now */
				result = -EINTR;
			}
			spin_unlock_irqrestore(&sem->lock, flags);
			break;
		}
		schedule();
	}
	WRITE_ONCE(current->state, THREAD_RUNNING);
	return result;
}

static __noinline void release_to_waiters(struct rwsem *sem)
{
	unsigned long flags = spin_lock_irqsave(&sem->lock);

	grant_waiters(sem);
	spin_unlock_irqrestore(&sem->lock, flags);
}

/* Inlined, so that the return address is the public function's. */
static __always_inline int lock_read(struct rwsem *sem, int mode)
{
	int error = 0;

	might_sleep();
	lockcheck_acquire(sem, &sem->tag, 0, LOCK_READS, __builtin_return_address(0));
	if (unlikely(!try_read(sem)))
		error = wait_for_grant(sem, false, mode);
	if (unlikely(error))
		lockcheck_release(sem, &sem->tag);
	return error;
}

static __always_inline int lock_write(struct rwsem *sem, int mode)
{
	int error = 0;

	might_sleep();
	lockcheck_acquire(sem, &sem->tag, 0, LOCK_WAITS, __builtin_return_address(0));
	if (unlikely(!try_write(sem)))
		error = wait_for_grant(sem, true, mode);
	if (unlikely(error)) {
		lockcheck_release(sem, &sem->tag);
		return error;
	}
	sem->writer = current;
	return 0;
}

void down_read(struct rwsem *sem)
{
	(void)lock_read(sem, WAIT_NORMAL);
}
EXPORT_SYMBOL(down_read);

int down_read_killable(struct rwsem *sem)
{
	return lock_read(sem, WAIT_KILLABLE);
}
EXPORT_SYMBOL(down_read_killable);

bool down_read_trylock(struct rwsem *sem)
{
	bool got = try_read(sem);

	if (got)
		lockcheck_acquire(sem, &sem->tag, 0, LOCK_READS | LOCK_TRIES,
				  __builtin_return_address(0));
	return got;
}
EXPORT_SYMBOL(down_read_trylock);

void up_read(struct rwsem *sem)
{
	lockcheck_release(sem, &sem->tag);
	if (unlikely(__atomic_sub_fetch(&sem->state, 1, __ATOMIC_SEQ_CST) == RWSEM_WAITERS))
		release_to_waiters(sem);
}
EXPORT_SYMBOL(up_read);

void down_write(struct rwsem *sem)
{
	(void)lock_write(sem, WAIT_NORMAL);
}
EXPORT_SYMBOL(down_write);

int down_write_killable(struct rwsem *sem)
{
	return lock_write(sem, WAIT_KILLABLE);
}
EXPORT_SYMBOL(down_write_killable);

bool down_write_trylock(struct rwsem *sem)
{
	if (!try_write(sem))
		return false;
	sem->writer = current;
	lockcheck_acquire(sem, &sem->tag, 0, LOCK_TRIES, __builtin_return_address(0));
	return true;
}
EXPORT_SYMBOL(down_write_trylock);

void up_write(struct rwsem *sem)
{
	lockcheck_release(sem, &sem->tag);
	sem->writer = NULL;
	if (unlikely(__atomic_and_fetch(&sem->state, ~RWSEM_WRITER, __ATOMIC_SEQ_CST)))
		release_to_waiters(sem);
}
EXPORT_SYMBOL(up_write);

void downgrade_write(struct rwsem *sem)
{
	sem->writer = NULL;
	if (unlikely(__atomic_sub_fetch(&sem->state, RWSEM_WRITER - 1, __ATOMIC_SEQ_CST) & RWSEM_WAITERS))
		release_to_waiters(sem);
}
EXPORT_SYMBOL(downgrade_write);

bool rwsem_is_locked(const struct rwsem *sem)
{
	return READ_ONCE(sem->state) & ~RWSEM_WAITERS;
}
EXPORT_SYMBOL(rwsem_is_locked);
