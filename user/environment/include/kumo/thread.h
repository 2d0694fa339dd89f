/* Threads, in a process: pthreads. Each has a struct thread, those that nobody made as kernel threads, too. */
#ifndef KUMO_THREAD_H
#define KUMO_THREAD_H

#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/time.h>
#include <kumo/wait.h>

struct fs_context;

struct thread {
	const struct cred *cred; /* for whom it acts (act.h); own reference */
	struct fs_context *fs;
	bool cancelled; /* what it works on is not wanted any more (thread_cancel()) */
	/* of threads.c */
	pthread_t id;
	int (*function)(void *argument);
	void *argument;
	int result;
	bool started, stop;
};

struct thread *thread_current(void);
#define current thread_current()

struct thread *kthread_create(int (*function)(void *arg), void *arg, const char *name_format, ...)
	__printf(3, 4) __must_check; /* ERR_PTR */
void kthread_start(struct thread *thread);
struct thread *kthread_run(int (*function)(void *arg), void *arg, const char *name); /* ERR_PTR */
bool kthread_should_stop(void);
int kthread_stop(struct thread *thread); /* -EINTR: it was never started */
static inline void cond_resched(void)
{
}
static inline bool signal_pending(void)
{
	return false;
}
static inline bool fatal_signal_pending(void)
{
	return false;
}
static inline void kill_hold(void)
{
}
static inline void kill_release(void)
{
}

/* What the core counts for each CPU is counted once here. */
static inline unsigned int smp_processor_id(void)
{
	return 0;
}

#endif
