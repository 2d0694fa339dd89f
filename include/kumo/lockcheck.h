/*
 * The debug build's lock checker (kernel/lockcheck.c): who holds what. Spin locks come to it through spinlock.h; sleeping
 * locks tell it themselves. Reports are log lines that begin with "BUG: lock:". In the release build all of this is nothing.
 */
#ifndef KUMO_LOCKCHECK_H
#define KUMO_LOCKCHECK_H

#include <kumo/types.h>

#ifdef CONFIG_DEBUG
void lockcheck_sleep(void); /* the current thread may sleep here: it must hold no spin lock and not be in an interrupt */
void lockcheck_acquired(const void *lock, const char *class_name); /* a sleeping lock */
void lockcheck_released(const void *lock, const char *class_name);
void lockcheck_user_return(void);      /* to user mode: nothing may be held */
bool spin_lock_held(const void *lock); /* by this CPU */
extern unsigned int lockcheck_reports; /* how many there were */
#else
static inline void lockcheck_sleep(void)
{
}
static inline void lockcheck_acquired(const void *lock, const char *class_name)
{
}
static inline void lockcheck_released(const void *lock, const char *class_name)
{
}
static inline void lockcheck_user_return(void)
{
}
#endif

#endif
