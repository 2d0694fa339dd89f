/* Kernel threads, in a process: pthreads. */
#ifndef KUMO_THREAD_H
#define KUMO_THREAD_H

#include <kumo/err.h>
#include <kumo/wait.h>

struct thread;
struct thread *kthread_run(int (*function)(void *arg), void *arg, const char *name); /* ERR_PTR */
bool kthread_should_stop(void);
int kthread_stop(struct thread *thread);
static inline void cond_resched(void)
{
}
static inline bool fatal_signal_pending(void)
{
	return false;
}

#endif
