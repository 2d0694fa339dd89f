/* Spin locks, in a process: mutexes, for there are no interrupts. */
#ifndef KUMO_SPINLOCK_H
#define KUMO_SPINLOCK_H

#include <kumo/atomic.h>
#include <kumo/lockcheck.h>
#include <pthread.h>

typedef struct spinlock {
	pthread_mutex_t lock;
} spinlock_t;

#define SPINLOCK_INIT(class_name)                                                                  \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}
void spin_init(spinlock_t *lock, const char *class_name);
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
static inline __must_check unsigned long spin_lock_irqsave(spinlock_t *lock)
{
	spin_lock(lock);
	return 0;
}
static inline void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	spin_unlock(lock);
}

#endif
