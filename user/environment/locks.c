/* Locks, wait queues, threads: those of pthreads. */
#include <kumo/mutex.h>
#include <kumo/thread.h>
#include <stdlib.h>
#include <time.h>

static void must(int error)
{
	if (error)
		abort();
}

void mutex_init(struct mutex *mutex, const char *class_name)
{
	pthread_mutexattr_t checked;

	must(pthread_mutexattr_init(&checked));
	must(pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK));
	must(pthread_mutex_init(&mutex->lock, &checked));
}

void mutex_lock(struct mutex *mutex)
{
	must(pthread_mutex_lock(&mutex->lock));
}

int mutex_lock_killable(struct mutex *mutex)
{
	mutex_lock(mutex);
	return 0;
}

bool mutex_trylock(struct mutex *mutex)
{
	return !pthread_mutex_trylock(&mutex->lock);
}

void mutex_unlock(struct mutex *mutex)
{
	must(pthread_mutex_unlock(&mutex->lock));
}

void rwsem_init(struct rwsem *sem, const char *class_name)
{
	must(pthread_rwlock_init(&sem->lock, NULL));
}

void down_read(struct rwsem *sem)
{
	must(pthread_rwlock_rdlock(&sem->lock));
}

void up_read(struct rwsem *sem)
{
	must(pthread_rwlock_unlock(&sem->lock));
}

void down_write(struct rwsem *sem)
{
	must(pthread_rwlock_wrlock(&sem->lock));
}

void up_write(struct rwsem *sem)
{
	must(pthread_rwlock_unlock(&sem->lock));
}

void spin_init(spinlock_t *lock, const char *class_name)
{
	must(pthread_mutex_init(&lock->lock, NULL));
}

void spin_lock(spinlock_t *lock)
{
	must(pthread_mutex_lock(&lock->lock));
}

void spin_unlock(spinlock_t *lock)
{
	must(pthread_mutex_unlock(&lock->lock));
}

/* ---- Waiting ---- */

void wait_queue_init(struct wait_queue *queue)
{
	pthread_condattr_t monotonic;

	must(pthread_condattr_init(&monotonic));
	must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC));
	must(pthread_mutex_init(&queue->lock, NULL));
	must(pthread_cond_init(&queue->changed, &monotonic));
}

int wait_step(struct wait_queue *queue, u64 deadline_ns)
{
	struct timespec until = { .tv_sec = (time_t)(deadline_ns / NSEC_PER_SEC),
				  .tv_nsec = (long)(deadline_ns % NSEC_PER_SEC) };

	if (deadline_ns == WAIT_FOREVER) {
		must(pthread_cond_wait(&queue->changed, &queue->lock));
		return 0;
	}
	return pthread_cond_timedwait(&queue->changed, &queue->lock, &until) ? -ETIME : 0;
}

void wake_up_all(struct wait_queue *queue)
{
	must(pthread_mutex_lock(&queue->lock));
	must(pthread_cond_broadcast(&queue->changed));
	must(pthread_mutex_unlock(&queue->lock));
}

void wake_up(struct wait_queue *queue)
{
	wake_up_all(queue);
}

/* ---- Threads ---- */

struct thread {
	pthread_t thread;
	int (*function)(void *);
	void *argument;
	int result;
	bool stop;
};
static __thread struct thread *myself;

static void *thread_start(void *argument)
{
	myself = argument;
	myself->result = myself->function(myself->argument);
	return NULL;
}

struct thread *kthread_run(int (*function)(void *arg), void *argument, const char *name)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return ERR_PTR(-ENOMEM);
	thread->function = function;
	thread->argument = argument;
	if (pthread_create(&thread->thread, NULL, thread_start, thread)) {
		free(thread);
		return ERR_PTR(-EAGAIN);
	}
	return thread;
}

bool kthread_should_stop(void)
{
	return myself && __atomic_load_n(&myself->stop, __ATOMIC_ACQUIRE);
}

int kthread_stop(struct thread *thread)
{
	int result;

	__atomic_store_n(&thread->stop, true, __ATOMIC_RELEASE);
	must(pthread_join(thread->thread, NULL));
	result = thread->result;
	free(thread);
	return result;
}
