/*
 * Waiting until one of several files is ready: what poll(2), select(2) and event queues share (fs/poll.c).
 *
 * tree_ops.poll calls poll_wait(file, queue, table) for each queue that may make the file ready, which calls
 * table->add; then it returns the POLL* bits that hold now. table NULL, or table->add NULL: the caller only asks.
 */
#ifndef KUMO_POLL_H
#define KUMO_POLL_H

#include <kumo/wait.h>
#include <asm/poll.h>

struct file;

struct poll_table {
	void (*add)(struct file *file, struct wait_queue *queue, struct poll_table *table);
	u32 events; /* that the waiter wants to hear of */
};

struct poll_entry {
	struct wait_entry wait;
	struct poll_waiter *waiter;
	struct wait_queue *queue;
	struct file *file; /* referenced: its queue stays */
	u32 events;
};

/* For tree_ops.poll. */
static inline void poll_wait(struct file *file, struct wait_queue *queue, struct poll_table *table)
{
	if (table && table->add)
		table->add(file, queue, table);
}

#define POLL_ENTRIES_INLINE 4

/* A thread that waits for files. */
struct poll_waiter {
	struct poll_table table;
	bool triggered;	    /* something woke it since it last looked */
	bool queue_gone;    /* a queue that it waited in is no more */
	int error;	    /* -ENOMEM: a queue could not be waited on */
	unsigned int count; /* of entries used inline */
	struct poll_page *pages;
	struct poll_entry entries[POLL_ENTRIES_INLINE];
};

void poll_waiter_init(struct poll_waiter *waiter);
/* Sleeps until something triggers it: 0, -ERESTARTSYS, or -ETIME at the deadline (monotonic nanoseconds). */
int poll_waiter_sleep(struct poll_waiter *waiter, u64 deadline_ns) __must_check;
/* What to look with after a sleep: NULL, since it is in all queues; or, where one is gone (another instance serves the file, or none
 * does), its table: it has left them all, and goes into those that there are now. */
struct poll_table *poll_waiter_table(struct poll_waiter *waiter);
void poll_waiter_release(struct poll_waiter *waiter); /* leaves all queues */

/* Before the memory of a queue goes while files that were polled on it may stay: takes all waiters out and waits until
 * none looks at it any more. Nobody may add one from then on. Sleeps. */
void poll_queue_gone(struct wait_queue *queue);
/* The same for who frees the queue only after a grace period. Any context. */
void poll_queue_leaves(struct wait_queue *queue);

#endif
