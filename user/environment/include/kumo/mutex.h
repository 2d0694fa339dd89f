/* Sleeping locks, in a process: those of pthreads. Nobody is killed while waiting, so the killable forms never fail. */
#ifndef KUMO_MUTEX_H
#define KUMO_MUTEX_H

#include <kumo/list.h>
#include <kumo/spinlock.h>

struct mutex {
	pthread_mutex_t lock;
};
#define MUTEX_INIT(variable, class_name)                                                           \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}
void mutex_init(struct mutex *mutex, const char *class_name);
void mutex_lock(struct mutex *mutex);
int mutex_lock_killable(struct mutex *mutex) __must_check;
static inline __must_check int mutex_lock_killable_nested(struct mutex *mutex, unsigned int rank)
{
	return mutex_lock_killable(mutex);
}
static inline __must_check int mutex_lock_interruptible(struct mutex *mutex)
{
	return mutex_lock_killable(mutex);
}
bool mutex_trylock(struct mutex *mutex) __must_check;
void mutex_unlock(struct mutex *mutex);

struct rwsem {
	pthread_rwlock_t lock;
};
void rwsem_init(struct rwsem *sem, const char *class_name);
void down_read(struct rwsem *sem);
void up_read(struct rwsem *sem);
void down_write(struct rwsem *sem);
void up_write(struct rwsem *sem);

#endif
