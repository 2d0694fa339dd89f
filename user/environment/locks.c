/* Locks and wait queues: those of pthreads. */
#include <kumo/mutex.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/wait.h>
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

/* ---- Readers and who frees (rcu.h) ---- */

static pthread_rwlock_t readers = PTHREAD_RWLOCK_INITIALIZER;

void rcu_read_lock(void)
{
	must(pthread_rwlock_rdlock(&readers));
}

void rcu_read_unlock(void)
{
	must(pthread_rwlock_unlock(&readers));
}

void synchronize_rcu(void)
{
	must(pthread_rwlock_wrlock(&readers));
	must(pthread_rwlock_unlock(&readers));
}

void kfree_rcu(void *object)
{
	synchronize_rcu();
	kfree(object);
}
