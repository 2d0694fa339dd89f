/*
 * Kernel threads.
 *
 * A kernel thread has two references: its own, which the scheduler drops after its last switch, and its creator's, which
 * kthread_stop() drops. kthread_main(), in core text, calls the thread's function and tells by `exited` that it has returned; so when
 * kthread_stop() is back nothing of the thread's code is in use, and a module that held it may go.
 */
#include <kumo/export.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/thread.h>

void kthread_main(void) __noreturn;

/* Where arch_thread_init_kernel() lets a new thread start. */
void kthread_main(void)
{
	struct thread *self = current;
	int result = -EINTR;

	/* Stopped before it started: the function is not called. */
	if (!READ_ONCE(self->should_stop))
		result = self->kernel_function(self->kernel_arg);
	self->exit_code = result;
	complete_all(&self->exited);
	if (self->process)
		thread_exit((result & 0xff) << 8); /* it was to become a program, and did not */
	sched_exit();
}

static struct thread *create(int (*function)(void *arg), void *arg)
{
	struct thread *thread = thread_alloc();

	if (!thread)
		return ERR_PTR(-ENOMEM);
	thread->flags |= THREAD_FLAG_KERNEL;
	thread->kernel_function = function;
	thread->kernel_arg = arg;
	thread->should_stop = false;
	completion_init(&thread->exited);
	arch_thread_init_kernel(thread);
	thread_get(thread); /* the creator's */
	return thread;
}

struct thread *kthread_create(int (*function)(void *arg), void *arg, const char *name_format, ...)
{
	struct thread *thread = create(function, arg);
	va_list args;

	if (IS_ERR(thread))
		return thread;
	va_start(args, name_format);
	vsnprintf(thread->name, sizeof(thread->name), name_format, args);
	va_end(args);
	thread->state = THREAD_UNINTERRUPTIBLE; /* not started yet */
	return thread;
}
EXPORT_SYMBOL(kthread_create);

void kthread_start(struct thread *thread)
{
	/* By the state, so that the starts of two CPUs (kthread_stop() may be one) are one. */
	unsigned int created = THREAD_UNINTERRUPTIBLE;

	if (!thread->on_cpu && !thread->start_time_ns &&
	    __atomic_compare_exchange_n(&thread->state, &created, THREAD_RUNNING, false,
					__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		sched_start_new(thread);
}
EXPORT_SYMBOL(kthread_start);

struct thread *kthread_run(int (*function)(void *arg), void *arg, const char *name)
{
	struct thread *thread = kthread_create(function, arg, "%s", name);

	if (!IS_ERR(thread))
		kthread_start(thread);
	return thread;
}
EXPORT_SYMBOL(kthread_run);

bool kthread_should_stop(void)
{
	return READ_ONCE(current->should_stop);
}
EXPORT_SYMBOL(kthread_should_stop);

int kthread_stop(struct thread *thread)
{
	int result;

	/* A full barrier between this and the look at its state, as for every wake-up; wait_sleep() looks at should_stop. */
	__atomic_store_n(&thread->should_stop, true, __ATOMIC_SEQ_CST);
	kthread_start(thread);
	thread_wake(thread);
	wait_for_completion(&thread->exited);
	result = thread->exit_code;
	thread_put(thread);
	return result;
}
EXPORT_SYMBOL(kthread_stop);

/* The thread that becomes process 1 when its function ends in a program. */
void thread_start_first(int (*function)(void *))
{
	struct thread *thread = kthread_run(function, NULL, "init");

	if (IS_ERR(thread))
		panic("no memory for the first thread");
	thread_put(thread); /* nobody stops it */
}
