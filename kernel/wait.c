/*
 * Wait queues and completions.
 *
 * A wake-up unlinks the entries of the threads it wakes, so that the next wake-up goes to others; wait_prepare() links an entry
 * again. A sleeper sets its state and links its entry before it looks at the condition; a waker changes the condition before it looks
 * at the queue. Both have a full barrier in between (wait_prepare(); wait_queue_active()), so a waker that finds the
 * queue empty is seen by the sleeper's look at the condition.
 *
 * A deadline is a timer on the sleeper's stack that wakes it.
 */
#include <kumo/async.h>
#include <kumo/export.h>
#include <kumo/thread.h>
#include <kumo/wait.h>

#include "sched.h"

void wait_queue_init(struct wait_queue *queue)
{
	spin_init(&queue->lock, "wait_queue");
	list_init(&queue->waiters);
}
EXPORT_SYMBOL(wait_queue_init);

void wait_entry_init(struct wait_entry *entry)
{
	entry->link.next = entry->link.prev = NULL;
	entry->thread = current;
	entry->wake = NULL;
	entry->exclusive = false;
}
EXPORT_SYMBOL(wait_entry_init);

/* A sleeper asks without the lock, and when it finds itself unlinked the entry is gone; so unlinking ends with the store of the
 * NULL that is looked for here. */
static bool entry_linked(const struct wait_entry *entry)
{
	const struct list *next = smp_load_acquire(&entry->link.next);

	return next && next != &entry->link;
}

static void unlink_entry(struct wait_entry *entry)
{
	struct list *next = entry->link.next, *prev = entry->link.prev;

	next->prev = prev;
	WRITE_ONCE(prev->next, next);
	smp_store_release(&entry->link.next, NULL);
}

/* Exclusive entries stand behind the others, first come first served, so that a wake-up meets all of the others first. */
static void link_entry(struct wait_queue *queue, struct wait_entry *entry)
{
	if (entry->exclusive)
		list_add_tail(&queue->waiters, &entry->link);
	else
		list_add(&queue->waiters, &entry->link);
}

void wait_queue_add(struct wait_queue *queue, struct wait_entry *entry)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);

	link_entry(queue, entry);
	spin_unlock_irqrestore(&queue->lock, flags);
}
EXPORT_SYMBOL(wait_queue_add);

void wait_queue_remove(struct wait_queue *queue, struct wait_entry *entry)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);

	if (entry_linked(entry))
		unlink_entry(entry);
	spin_unlock_irqrestore(&queue->lock, flags);
}
EXPORT_SYMBOL(wait_queue_remove);

bool wait_queue_active(struct wait_queue *queue)
{
	smp_mb();
	return !list_empty(&queue->waiters);
}
EXPORT_SYMBOL(wait_queue_active);

static void wake_waiters(struct wait_queue *queue, unsigned long key, bool all, bool sync)
{
	struct wait_entry *entry, *after;
	unsigned long flags;
	bool nested; /* a wake function wakes another queue */

	if (!wait_queue_active(queue))
		return;
	flags = spin_lock_irqsave(&queue->lock);
	nested = this_cpu_read(async_pending);
	list_for_each_safe(entry, after, &queue->waiters, link) {
		bool exclusive = entry->exclusive, took;

		if (entry->wake) {
			took = entry->wake(entry, key);
		} else {
			struct thread *thread = entry->thread;

			/* It may run already, find itself unlinked, and end; its structure stays as long as interrupts are off
			 * here (RCU). */
			unlink_entry(entry);
			took = thread_wake_sleeping(thread, sync);
		}
		if (exclusive && took && !all)
			break;
	}
	spin_unlock(&queue->lock);
	if (unlikely(this_cpu_read(async_pending)) && !nested)
		async_deliver();
	local_irq_restore(flags);
}

void wake_up(struct wait_queue *queue)
{
	wake_waiters(queue, 0, false, false);
}
EXPORT_SYMBOL(wake_up);

void wake_up_all(struct wait_queue *queue)
{
	wake_waiters(queue, 0, true, false);
}
EXPORT_SYMBOL(wake_up_all);

void wake_up_key(struct wait_queue *queue, unsigned long key)
{
	wake_waiters(queue, key, false, false);
}
EXPORT_SYMBOL(wake_up_key);

void wake_up_sync_key(struct wait_queue *queue, unsigned long key)
{
	wake_waiters(queue, key, false, true);
}
EXPORT_SYMBOL(wake_up_sync_key);

static enum thread_state state_of_mode(int mode)
{
	return mode == WAIT_INTERRUPTIBLE ? THREAD_INTERRUPTIBLE
	       : mode == WAIT_KILLABLE	  ? THREAD_KILLABLE
					  : THREAD_UNINTERRUPTIBLE;
}

void wait_prepare(struct wait_queue *queue, struct wait_entry *entry, int mode, bool exclusive)
{
	/* The state comes first: a waker that unlinks the entry after the look at it finds a sleeper and wakes it. The other way round
	 * one whose wake-up was not for this condition would leave a sleeper that no queue knows. */
	thread_set_state(state_of_mode(mode));
	if (!entry_linked(entry)) {
		unsigned long flags = spin_lock_irqsave(&queue->lock);

		entry->exclusive = exclusive;
		link_entry(queue, entry);
		spin_unlock_irqrestore(&queue->lock, flags);
		smp_mb(); /* linked, then the look at the condition */
	}
}
EXPORT_SYMBOL(wait_prepare);

bool wait_interrupted(int mode)
{
	struct thread *thread = current;

	if (mode == WAIT_INTERRUPTIBLE)
		return READ_ONCE(thread->cancelled) || READ_ONCE(thread->should_stop) ||
		       signal_pending();
	return mode == WAIT_KILLABLE && fatal_signal_pending();
}
EXPORT_SYMBOL(wait_interrupted);

struct sleep_timer {
	struct timer timer;
	struct thread *thread;
};

static void sleep_timer_expired(struct timer *timer)
{
	thread_wake(container_of(timer, struct sleep_timer, timer)->thread);
}

int wait_sleep(int mode, u64 deadline_ns)
{
	struct sleep_timer timer;

	if (wait_interrupted(mode)) {
		WRITE_ONCE(current->state, THREAD_RUNNING);
		return -ERESTARTSYS;
	}
	if (likely(deadline_ns == WAIT_FOREVER)) {
		schedule();
		return 0;
	}
	if (time_monotonic_ns() >= deadline_ns) {
		WRITE_ONCE(current->state, THREAD_RUNNING);
		return -ETIME;
	}
	timer_init(&timer.timer, sleep_timer_expired);
	timer.thread = current;
	timer_arm(&timer.timer, deadline_ns);
	schedule();
	timer_cancel_sync(&timer.timer);
	return 0;
}
EXPORT_SYMBOL(wait_sleep);

void wait_finish(struct wait_queue *queue, struct wait_entry *entry)
{
	WRITE_ONCE(current->state, THREAD_RUNNING);
	if (entry_linked(entry))
		wait_queue_remove(queue, entry);
}
EXPORT_SYMBOL(wait_finish);

/* ---- Completions ---- */

#define DONE_FOR_EVER (~0U)

void completion_init(struct completion *completion)
{
	wait_queue_init(&completion->queue);
	completion->done = 0;
}
EXPORT_SYMBOL(completion_init);

/*
 * The waiter takes `done` under the lock, and the completer leaves the lock last; so when the waiter is back and frees the
 * object, the completer is out of it.
 */
static void complete_with(struct completion *completion, bool all)
{
	unsigned long flags = spin_lock_irqsave(&completion->queue.lock);
	struct wait_entry *entry, *after;

	if (all)
		completion->done = DONE_FOR_EVER;
	else if (completion->done != DONE_FOR_EVER)
		completion->done++;
	list_for_each_safe(entry, after, &completion->queue.waiters, link) {
		struct thread *thread = entry->thread;

		unlink_entry(entry);
		thread_wake(thread);
		if (!all)
			break;
	}
	spin_unlock_irqrestore(&completion->queue.lock, flags);
}

void complete(struct completion *completion)
{
	complete_with(completion, false);
}
EXPORT_SYMBOL(complete);

void complete_all(struct completion *completion)
{
	complete_with(completion, true);
}
EXPORT_SYMBOL(complete_all);

static int wait_completion(struct completion *completion, int mode, u64 deadline_ns)
{
	struct wait_entry entry;
	int result = 0;

	wait_entry_init(&entry);
	entry.exclusive = true;
	for (;;) {
		unsigned long flags = spin_lock_irqsave(&completion->queue.lock);
		bool done = completion->done;

		if (done || result) {
			if (done && completion->done != DONE_FOR_EVER)
				completion->done--;
			if (entry_linked(&entry))
				unlink_entry(&entry);
			spin_unlock_irqrestore(&completion->queue.lock, flags);
			WRITE_ONCE(current->state, THREAD_RUNNING);
			return done ? 0 : result;
		}
		if (!entry_linked(&entry))
			link_entry(&completion->queue, &entry);
		thread_set_state(state_of_mode(mode));
		spin_unlock_irqrestore(&completion->queue.lock, flags);
		result = wait_sleep(mode, deadline_ns);
	}
}

void wait_for_completion(struct completion *completion)
{
	wait_completion(completion, WAIT_NORMAL, WAIT_FOREVER);
}
EXPORT_SYMBOL(wait_for_completion);

int wait_for_completion_killable(struct completion *completion)
{
	return wait_completion(completion, WAIT_KILLABLE, WAIT_FOREVER);
}
EXPORT_SYMBOL(wait_for_completion_killable);

int wait_for_completion_until(struct completion *completion, u64 deadline_ns)
{
	return wait_completion(completion, WAIT_NORMAL, deadline_ns);
}
EXPORT_SYMBOL(wait_for_completion_until);
