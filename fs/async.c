/*
 * Files that tell their owner by a signal when they become ready: O_ASYNC (fcntl(2), FIOASYNC).
 *
 * Such a file has hooks in the queues that poll(2) would wait in, so whoever makes it ready need not know of them. A hook's wake
 * function runs under the queue's lock, where no signal may be sent. It only puts the hook on a list of its CPU;
 * wake_up() sends the signals when it has released the lock, with interrupts still off, which keeps the hooks in memory
 * (RCU). So the signal is there before the write(2) that caused it returns.
 */
#include <kumo/async.h>
#include <kumo/err.h>
#include <kumo/poll.h>
#include <kumo/signal.h>
#include <kumo/slab.h>

#include "internal.h"

#define QUEUES_MAX 4 /* that a file waits in; others are not listened to */

struct async_hook {
	struct wait_entry wait;
	struct wait_queue *queue;
	struct file_async *async;
	struct async_hook *next; /* in async_pending */
	unsigned long key; /* of the wake-up, all of them if there was another before it was told */
	bool pending;
};

struct file_async {
	struct poll_table table;
	struct file *file;
	unsigned int fd; /* by which O_ASYNC was set: si_fd */
	unsigned int count;
	struct async_hook hooks[QUEUES_MAX];
};

static struct mutex async_mutex =
	MUTEX_INIT(async_mutex, "async"); /* who sets and clears O_ASYNC, one at a time */

DEFINE_PER_CPU(struct async_hook *, async_pending);

/* The queue's lock is held, interrupts are off. */
static bool async_wake(struct wait_entry *wait, unsigned long key)
{
	struct async_hook *hook = container_of(wait, struct async_hook, wait);

	if (key == POLL_QUEUE_GONE) {
		poll_wait_gone(wait);
		return false;
	}
	/* Pending on another CPU, it is told there, after what has just happened. */
	if (__atomic_exchange_n(&hook->pending, true, __ATOMIC_SEQ_CST))
		return false;
	hook->key = key;
	hook->next = this_cpu_read(async_pending);
	this_cpu_write(async_pending, hook);
	return false;
}

void async_deliver(void)
{
	struct async_hook *hook = this_cpu_read(async_pending), *next;

	this_cpu_write(async_pending, NULL);
	for (; hook; hook = next) {
		struct file_async *async = hook->async;
		unsigned long key = hook->key;
		bool reads;

		next = hook->next;
		__atomic_store_n(&hook->pending, false, __ATOMIC_SEQ_CST);
		reads = async->file->mode & FILE_READ &&
			(!key || !(async->file->mode & FILE_WRITE) ||
			 key & (POLLIN | POLLRDNORM | POLLHUP | POLLERR));
		file_owner_signal(async->file, READ_ONCE(async->fd), reads ? POLL_IN : POLL_OUT);
	}
}

static void async_add(struct file *file, struct wait_queue *queue, struct poll_table *table)
{
	struct file_async *async = container_of(table, struct file_async, table);
	struct async_hook *hook;

	if (async->count == QUEUES_MAX)
		return;
	hook = &async->hooks[async->count++];
	wait_entry_init(&hook->wait);
	hook->wait.wake = async_wake;
	hook->queue = queue;
	hook->async = async;
	wait_queue_add(queue, &hook->wait);
}

static void async_end(struct file_async *async)
{
	for (unsigned int i = 0; i < async->count; i++)
		poll_wait_leave(async->hooks[i].queue, &async->hooks[i].wait);
	synchronize_rcu(); /* nobody delivers any more */
	kfree(async);
}

static void set_flag(struct file *file, bool on)
{
	spin_lock(&file->lock);
	WRITE_ONCE(file->flags, on ? file->flags | FASYNC : file->flags & ~(u32)FASYNC);
	spin_unlock(&file->lock);
}

/* Pipes, sockets, terminals and other devices that may be waited for, inotify; not the files of events, "[eventfd]". */
static bool file_tells(const struct file *file)
{
	return file->ops->poll && !(file->name && file->name[0] == '[');
}

int file_async_set(struct file *file, unsigned int fd, bool on)
{
	struct file_async *async = NULL;
	int error;

	if (!file_tells(file))
		return -ENOTTY;
	error = mutex_lock_killable(&async_mutex);
	if (error)
		return error;
	if (!on) {
		async = file->async;
		file->async = NULL;
	} else if (file->async) {
		WRITE_ONCE(file->async->fd, fd);
	} else {
		struct file_async *fresh = kzalloc(sizeof(*fresh), GFP_USER);

		error = -ENOMEM;
		if (!fresh)
			goto out;
		*fresh = (struct file_async){ .table.add = async_add, .file = file, .fd = fd };
		(void)file_poll(file, &fresh->table);
		file->async = fresh;
	}
	error = 0;
	set_flag(file, on);
out:
	mutex_unlock(&async_mutex);
	if (async)
		async_end(async);
	return error;
}

void file_async_release(struct file *file)
{
	if (file->async)
		async_end(file->async);
	file->async = NULL;
}
