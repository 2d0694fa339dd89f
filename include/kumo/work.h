/*
 * Deferred work: functions run by kernel threads, where they may sleep (kernel/work.c). A work that is queued again while its function
 * runs, runs again afterwards, never twice at once. The function may free the structure that its work lies in.
 */
#ifndef KUMO_WORK_H
#define KUMO_WORK_H

#include <kumo/list.h>
#include <kumo/time.h>

struct work {
	struct list link;
	void (*function)(struct work *work);
	unsigned int state; /* of work.c, under its lock */
};
void work_init(struct work *work, void (*function)(struct work *work));
bool work_queue(struct work *work); /* false: it was queued already, or is being cancelled. Any context. */
/* When it returns the work is neither queued nor running; while it waits nobody can queue it. True if it was queued. Sleeps;
 * not from the work's own function. */
bool work_cancel_sync(struct work *work);
void work_flush(struct work *work); /* waits until it is neither queued nor running. Sleeps. */
void work_initialise(void);

/* Work that is queued when a time has come. */
struct delayed_work {
	struct work work;
	struct timer timer;
};
void delayed_work_init(struct delayed_work *delayed, void (*function)(struct work *work));
void delayed_work_queue(struct delayed_work *delayed,
			u64 monotonic_ns); /* moves it if it waits already. Any context. */
bool delayed_work_cancel_sync(struct delayed_work *delayed);

#endif
