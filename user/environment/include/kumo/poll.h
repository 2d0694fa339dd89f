/* Waiting until a file is ready, in a process: poll(2) of the descriptor that a transport is. */
#ifndef KUMO_POLL_H
#define KUMO_POLL_H

#include <kumo/wait.h>

struct file;

#define POLLIN 0x001
#define POLLOUT 0x004
#define POLLERR 0x008
#define POLLHUP 0x010

struct poll_table {
	u32 events;
};
struct poll_waiter {
	struct poll_table table;
	struct file *file; /* that is waited for */
	int error;
};

static inline void poll_waiter_init(struct poll_waiter *waiter)
{
	*waiter = (struct poll_waiter){};
}
int poll_waiter_sleep(struct poll_waiter *waiter, u64 deadline_ns) __must_check;
static inline void poll_waiter_release(struct poll_waiter *waiter)
{
}

#endif
