/* Threads, and what they do for others (act.h): pthreads. */
#include <kumo/act.h>
#include <kumo/thread.h>
#include <signal.h>
#include <stdlib.h>

/* Of a thread that was not made here; and whichever it is. */
static __thread struct thread unmade = { .cred = &root_cred }, *myself;

struct thread *thread_current(void)
{
	return myself ? myself : &unmade;
}

static void *thread_start(void *argument)
{
	myself = argument;
	myself->result = myself->function(myself->argument);
	cred_put(myself->cred);
	return NULL;
}

struct thread *kthread_create(int (*function)(void *arg), void *argument, const char *name_format, ...)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return ERR_PTR(-ENOMEM);
	thread->cred = cred_get(&root_cred);
	thread->function = function;
	thread->argument = argument;
	return thread;
}

void kthread_start(struct thread *thread)
{
	/* Set before, for who cancels it at once; without resources for a thread there is no going on. */
	thread->started = true;
	if (pthread_create(&thread->id, NULL, thread_start, thread))
		abort();
}

struct thread *kthread_run(int (*function)(void *arg), void *argument, const char *name)
{
	struct thread *thread = kthread_create(function, argument, "%s", name);

	if (!IS_ERR(thread))
		kthread_start(thread);
	return thread;
}

bool kthread_should_stop(void)
{
	return __atomic_load_n(&current->stop, __ATOMIC_ACQUIRE);
}

int kthread_stop(struct thread *thread)
{
	int result = -EINTR;

	__atomic_store_n(&thread->stop, true, __ATOMIC_RELEASE);
	if (thread->started) {
		if (pthread_join(thread->id, NULL))
			abort();
		result = thread->result;
	} else {
		cred_put(thread->cred);
	}
	free(thread);
	return result;
}

/* ---- For whom ---- */

int thread_serve_begin(struct fs_context *fs)
{
	return 0;
}

void thread_serve_end(void)
{
	thread_act_as(&root_cred);
}

void thread_act_as(const struct cred *cred)
{
	const struct cred *before = current->cred;

	current->cred = cred_get(cred);
	cred_put(before);
}

/* ---- What is not wanted any more: waits for a peer's bytes end, others are short ---- */

/* Ends a wait that lets it in; all else has it blocked, so that it cannot come too early. */
static void interrupt(int signal)
{
}

static __attribute__((constructor)) void take_interrupts(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	sigset_t set;

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void thread_cancel(struct thread *thread)
{
	__atomic_store_n(&thread->cancelled, true, __ATOMIC_RELEASE);
	if (thread->started && thread != current)
		pthread_kill(thread->id, SIGUSR1);
}

void thread_cancel_clear(void)
{
	__atomic_store_n(&current->cancelled, false, __ATOMIC_RELEASE);
}
