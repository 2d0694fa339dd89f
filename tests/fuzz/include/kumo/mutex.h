/* Sleeping locks, for the fuzzers of state machines. */
#ifndef FUZZ_MUTEX_H
#define FUZZ_MUTEX_H

#include_next <kumo/mutex.h>

#define MUTEX_INIT(variable, class_name)                                                           \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}
static inline int mutex_lock_interruptible(struct mutex *mutex)
{
	mutex_lock(mutex);
	return 0;
}

#endif
