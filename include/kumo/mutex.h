/*
 * Sleeping locks: struct mutex (one holder) and struct rwsem (many readers or one writer). Taken by threads only,
 * never in interrupts or under a spin lock. Released by the thread that took them.
 */
#ifndef KUMO_MUTEX_H
#define KUMO_MUTEX_H

#include <kumo/list.h>
#include <kumo/spinlock.h>

struct thread;

struct mutex {
	struct thread *owner; /* NULL when free; set by one atomic operation on the fast path */
	atomic_t waiter_count;
	spinlock_t lock; /* protects waiters */
	struct list waiters;
	struct lock_tag tag;
};

#define MUTEX_INIT(variable, class_name)                                                           \
	{                                                                                          \
		.lock = SPINLOCK_INIT(class_name), .waiters = LIST_INIT((variable).waiters),       \
		.tag = LOCK_TAG(class_name, LOCK_MUTEX)                                            \
	}

void mutex_init(struct mutex *mutex, const char *class_name);
void mutex_lock(struct mutex *mutex);
/* 0, or -EINTR when the thread was killed while it waited. */
int mutex_lock_killable(struct mutex *mutex) __must_check;
/* The same for a second one of its class (lockcheck.h). */
int mutex_lock_killable_nested(struct mutex *mutex, unsigned int rank) __must_check;
/* 0, or -EINTR when a signal (or cancellation) came while it waited. */
int mutex_lock_interruptible(struct mutex *mutex) __must_check;
bool mutex_trylock(struct mutex *mutex) __must_check;
void mutex_unlock(struct mutex *mutex);
bool mutex_is_held(const struct mutex *mutex); /* by the current thread */

/* First come, first served: whoever has to wait, reader or writer, holds back all that come after. So a thread that reads must
 * not read again: a writer may wait in between. */
struct rwsem {
	u32 state; /* the number of readers, RWSEM_WRITER, RWSEM_WAITERS; changed atomically */
	spinlock_t lock;       /* protects waiters */
	struct list waiters;   /* in the order of arrival */
	struct thread *writer; /* who holds it for writing; for checks */
	struct lock_tag tag;
};

enum { RWSEM_WRITER = 1 << 30, RWSEM_WAITERS = 1U << 31 };

#define RWSEM_INIT(variable, class_name)                                                           \
	{                                                                                          \
		.lock = SPINLOCK_INIT(class_name), .waiters = LIST_INIT((variable).waiters),       \
		.tag = LOCK_TAG(class_name, LOCK_RWSEM)                                            \
	}

void rwsem_init(struct rwsem *sem, const char *class_name);
void down_read(struct rwsem *sem);
int down_read_killable(struct rwsem *sem) __must_check; /* 0, or -EINTR when killed */
bool down_read_trylock(struct rwsem *sem) __must_check;
void up_read(struct rwsem *sem);
void down_write(struct rwsem *sem);
int down_write_killable(struct rwsem *sem) __must_check; /* 0, or -EINTR when killed */
bool down_write_trylock(struct rwsem *sem) __must_check;
void up_write(struct rwsem *sem);
void downgrade_write(struct rwsem *sem);       /* the writer goes on as a reader */
bool rwsem_is_locked(const struct rwsem *sem); /* by anybody, either way */

#endif
