/*
 * Wait queues, in a process: a mutex and a condition variable. A condition is looked at under the queue's lock, and who makes it
 * true does so before wake_up_all() takes that lock, so no wake-up is lost. No signal ends a wait.
 */
#ifndef KUMO_WAIT_H
#define KUMO_WAIT_H

#include <kumo/err.h>
#include <kumo/list.h>
#include <kumo/spinlock.h>

struct wait_entry; /* nobody waits in several queues */
struct wait_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

#define WAIT_QUEUE_INIT(variable)                                                                  \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER             \
	}

#define WAIT_FOREVER (~0ULL)

void wait_queue_init(struct wait_queue *queue);
void wake_up(struct wait_queue *queue);
void wake_up_all(struct wait_queue *queue);
/* One step of a wait, with the lock held: 0, or -ETIME once the deadline (monotonic) has passed. */
int wait_step(struct wait_queue *queue, u64 deadline_ns);

#define wait_event_until(queue, condition, deadline_ns)                                            \
	({                                                                                         \
		int wait_result_ = 0;                                                              \
		const u64 wait_deadline_ns_ = (deadline_ns);                                       \
		pthread_mutex_lock(&(queue)->lock);                                                \
		while (!(condition) && !wait_result_)                                              \
			wait_result_ = wait_step(queue, wait_deadline_ns_);                        \
		pthread_mutex_unlock(&(queue)->lock);                                              \
		wait_result_;                                                                      \
	})
#define wait_event_interruptible_until(queue, condition, deadline_ns)                              \
	wait_event_until(queue, condition, deadline_ns)
#define wait_event(queue, condition) ((void)wait_event_until(queue, condition, WAIT_FOREVER))
#define wait_event_interruptible(queue, condition) wait_event_until(queue, condition, WAIT_FOREVER)
#define wait_event_killable(queue, condition) wait_event_until(queue, condition, WAIT_FOREVER)

#endif
