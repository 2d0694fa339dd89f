/*
 * Wait queues: threads sleep until another thread or an interrupt wakes them.
 *
 *	wait_event_interruptible(&queue, condition)
 *
 * evaluates the condition, sleeps while it is false, and is woken by wake_up(&queue) after something made it true.
 * The waker changes the state first and wakes after; no lock is needed for the wake-up not to be lost.
 *
 * An interruptible wait ends, besides for a signal, when the request that the thread works on was cancelled (thread_cancel(), act.h; a
 * killable one, too), and when a kernel thread is asked to end (kthread_stop()).
 *
 * Locks: a queue's lock is taken inside almost any other, with interrupts off; only run-queue and timer locks are
 * taken inside it (and what a wake function of its own takes).
 */
#ifndef KUMO_WAIT_H
#define KUMO_WAIT_H

#include <kumo/err.h>
#include <kumo/list.h>
#include <kumo/lockcheck.h>
#include <kumo/spinlock.h>

struct thread;

struct wait_queue {
	spinlock_t lock; /* protects waiters; taken with interrupts off */
	struct list waiters;
};

#define WAIT_QUEUE_INIT(variable)                                                                  \
	{                                                                                          \
		.lock = SPINLOCK_INIT("wait_queue"), .waiters = LIST_INIT((variable).waiters)      \
	}

struct wait_entry;
/* Called under the queue's lock, in the waker's context. True: this waiter took the wake-up (counts as one). */
typedef bool (*wake_function)(struct wait_entry *entry, unsigned long key);

struct wait_entry {
	struct list link; /* empty or NULL: not in a queue */
	struct thread *thread;
	wake_function wake; /* NULL: wakes `thread` and unlinks the entry */
	bool exclusive;
};

enum { WAIT_NORMAL, WAIT_INTERRUPTIBLE, WAIT_KILLABLE };

#define WAIT_FOREVER (~0ULL)

void wait_queue_init(struct wait_queue *queue);
/* An entry of the current thread, in no queue. */
void wait_entry_init(struct wait_entry *entry);
/* Links a waiter whose wake function is its own (poll, epoll). Exclusive ones go last. Any context. */
void wait_queue_add(struct wait_queue *queue, struct wait_entry *entry);
void wait_queue_remove(struct wait_queue *queue, struct wait_entry *entry); /* nothing if it is in none */

/* Wakes all waiters that are not exclusive and one that is (wake_up_all: all). `key` is a poll mask, 0 for any. Any
 * context. */
void wake_up(struct wait_queue *queue);
void wake_up_all(struct wait_queue *queue);
void wake_up_key(struct wait_queue *queue, unsigned long key);
/* The waker is about to sleep itself (it wrote to a pipe, and will wait for the answer): the woken thread stays on this CPU. */
void wake_up_sync_key(struct wait_queue *queue, unsigned long key);
bool wait_queue_active(struct wait_queue *queue); /* with a full barrier before the look */

/*
 * The steps of wait_event(), for an entry prepared by wait_entry_init(). wait_prepare() links the entry, if it is not linked, and
 * sets the thread's state; the caller then checks its condition and calls wait_sleep(), which returns 0 to check again,
 * -ERESTARTSYS when a signal (or with WAIT_KILLABLE: a fatal one) came, or -ETIME when deadline_ns (monotonic, WAIT_FOREVER for
 * none) has passed. wait_finish() undoes wait_prepare().
 */
void wait_prepare(struct wait_queue *queue, struct wait_entry *entry, int mode, bool exclusive);
int wait_sleep(int mode, u64 deadline_ns) __must_check;
void wait_finish(struct wait_queue *queue, struct wait_entry *entry);
/* What ends a wait of this mode early has happened to the current thread. */
bool wait_interrupted(int mode);

#define wait_event_mode(queue, condition, mode, exclusive, deadline_ns)                            \
	({                                                                                         \
		int wait_result_ = 0;                                                              \
		const u64 wait_deadline_ns_ = (deadline_ns);                                       \
		might_sleep();                                                                     \
		if (!(condition)) {                                                                \
			struct wait_entry wait_entry_;                                             \
			wait_entry_init(&wait_entry_);                                             \
			for (;;) {                                                                 \
				wait_prepare(queue, &wait_entry_, mode, exclusive);                \
				if (condition) {                                                   \
					wait_result_ = 0;                                          \
					break;                                                     \
				}                                                                  \
				if (wait_result_)                                                  \
					break;                                                     \
				wait_result_ = wait_sleep(mode, wait_deadline_ns_);                \
			}                                                                          \
			wait_finish(queue, &wait_entry_);                                          \
		}                                                                                  \
		wait_result_;                                                                      \
	})

/* Not interruptible: only for waits that are certain to end soon. */
#define wait_event(queue, condition)                                                               \
	((void)wait_event_mode(queue, condition, WAIT_NORMAL, false, WAIT_FOREVER))
/* 0 when the condition holds, -ERESTARTSYS when a signal came. */
#define wait_event_interruptible(queue, condition)                                                 \
	wait_event_mode(queue, condition, WAIT_INTERRUPTIBLE, false, WAIT_FOREVER)
#define wait_event_interruptible_exclusive(queue, condition)                                       \
	wait_event_mode(queue, condition, WAIT_INTERRUPTIBLE, true, WAIT_FOREVER)
#define wait_event_killable(queue, condition)                                                      \
	wait_event_mode(queue, condition, WAIT_KILLABLE, false, WAIT_FOREVER)
/* 0, -ERESTARTSYS, or -ETIME at the deadline (monotonic nanoseconds). */
#define wait_event_interruptible_until(queue, condition, deadline_ns)                              \
	wait_event_mode(queue, condition, WAIT_INTERRUPTIBLE, false, deadline_ns)
#define wait_event_until(queue, condition, deadline_ns)                                            \
	wait_event_mode(queue, condition, WAIT_NORMAL, false, deadline_ns)

/* Something that happens once. complete() may be called in any context; the object may go once the waiter is back. */
struct completion {
	struct wait_queue queue;
	unsigned int done;
};

void completion_init(struct completion *completion);
void complete(struct completion *completion);	  /* lets one waiter go */
void complete_all(struct completion *completion); /* and all later ones */
void wait_for_completion(struct completion *completion);
int wait_for_completion_killable(struct completion *completion) __must_check;
/* 0, or -ETIME at the deadline. Not interruptible. */
int wait_for_completion_until(struct completion *completion, u64 deadline_ns) __must_check;

#endif
