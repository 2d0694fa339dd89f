/*
 * Signals about files: O_ASYNC, F_SETOWN and F_SETSIG of fcntl(2).
 *
 * A file that was told O_ASYNC leaves an entry in each queue that poll(2) would wait in. Who wakes such a queue, from any
 * context, queues work, for a signal may be sent only where no queue is locked; the work looks who owns the file's signals and
 * sends. Events that come before the work runs are told together, as one that is ready to read and one that is ready to write.
 *
 * Pipes, sockets and terminals have it, as on Linux. The entries go with the file, before what its queues lie in.
 */
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/poll.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/work.h>

#include "internal.h"

#define READ_EVENTS (POLLIN | POLLRDNORM)
#define WRITE_EVENTS (POLLOUT | POLLWRNORM | POLLWRBAND)
#define END_EVENTS (POLLHUP | POLLERR)

/* A place in a queue. */
struct async_hook {
	struct wait_entry wait;
	struct wait_queue *queue;
	struct file_async *async;
	struct async_hook *next;
};

struct file_async {
	struct work work;
	struct file *file; /* not referenced: this goes before it */
	struct async_hook *hooks;
	unsigned int fd;
	atomic_t events; /* POLL* bits that came since the work looked */
};

struct async_table {
	struct poll_table table;
	struct file_async *async;
	int error;
};

/* Protects file->async of all files. */
static struct mutex async_lock = MUTEX_INIT(async_lock, "file_async");

/* ---- Sending ---- */

/* May the owner that was set be sent signals by who set it? */
static bool may_send(const struct file_owner *owner, struct process *process)
{
	const struct cred *its = process_cred_get(process);
	bool may = !owner->euid || owner->euid == its->suid || owner->euid == its->uid ||
		   owner->uid == its->suid || owner->uid == its->uid;

	cred_put(its);
	return may;
}

static void send_to_group(const struct file_owner *owner, int signal, const siginfo_t *info)
{
	struct process_group *group = process_group_find(-owner->pid);

	if (!group)
		return;
	signal_send_group(group, signal, info);
	process_group_put(group);
}

static void send_to_thread(const struct file_owner *owner, int signal, const siginfo_t *info)
{
	struct thread *thread = thread_find(owner->pid);

	if (!thread)
		return;
	if (may_send(owner, thread->process))
		signal_send_thread(thread, signal, info);
	thread_put(thread);
}

static void send_to_process(const struct file_owner *owner, int signal, const siginfo_t *info)
{
	struct process *process = process_find(owner->pid);

	if (!process)
		return;
	if (may_send(owner, process))
		signal_send_process(process, signal, info);
	process_put(process);
}

/* SIGIO, which says no more; or the signal that was asked for, with the descriptor and what holds. */
static void send(struct file_async *async, const struct file_owner *owner, int code, long band)
{
	int signal = owner->signal ? owner->signal : SIGIO;
	siginfo_t info = { .si_signo = signal, .si_code = SI_KERNEL };

	if (owner->signal) {
		info.si_code = code;
		info.si_band = band;
		info.si_fd = (int)async->fd;
	}
	if (owner->pid < 0)
		send_to_group(owner, signal, &info);
	else if (owner->type == F_OWNER_TID)
		send_to_thread(owner, signal, &info);
	else
		send_to_process(owner, signal, &info);
}

static void async_send(struct work *work)
{
	struct file_async *async = container_of(work, struct file_async, work);
	unsigned int events = (unsigned int)atomic_xchg(&async->events, 0);
	struct file *file = async->file;
	struct file_owner owner;

	spin_lock(&file->lock);
	owner = file->owner_signal;
	spin_unlock(&file->lock);
	if (!owner.pid)
		return;
	if (events & READ_EVENTS)
		send(async, &owner, POLL_IN, READ_EVENTS);
	else if (events & END_EVENTS)
		send(async, &owner, POLL_HUP, END_EVENTS);
	if (events & WRITE_EVENTS)
		send(async, &owner, POLL_OUT, WRITE_EVENTS);
}

/* ---- Queues ---- */

/* A queue of the file was woken; its lock is held, interrupts are off. */
static bool async_wake(struct wait_entry *wait, unsigned long key)
{
	struct async_hook *hook = container_of(wait, struct async_hook, wait);
	struct file_async *async = hook->async;
	unsigned int wanted = END_EVENTS;

	if (unlikely(key == POLL_QUEUE_GONE)) {
		poll_wait_gone(wait);
		return false;
	}
	if (async->file->mode & FILE_READ)
		wanted |= READ_EVENTS;
	if (async->file->mode & FILE_WRITE)
		wanted |= WRITE_EVENTS;
	key = (key ? key : READ_EVENTS) & wanted;
	if (key) {
		atomic_or(&async->events, (int)key);
		work_queue(&async->work);
	}
	return false; /* it takes nothing from who waits exclusively */
}

static void async_hook_add(struct file *file, struct wait_queue *queue, struct poll_table *table)
{
	struct async_table *own = container_of(table, struct async_table, table);
	struct async_hook *hook = kmalloc(sizeof(*hook), GFP_USER);

	if (!hook) {
		own->error = -ENOMEM;
		return;
	}
	wait_entry_init(&hook->wait);
	hook->wait.wake = async_wake;
	hook->queue = queue;
	hook->async = own->async;
	hook->next = own->async->hooks;
	own->async->hooks = hook;
	wait_queue_add(queue, &hook->wait);
}

static void async_free(struct file_async *async)
{
	struct async_hook *hook, *next;

	for (hook = async->hooks; hook; hook = next) {
		next = hook->next;
		poll_wait_leave(hook->queue, &hook->wait);
		kfree(hook);
	}
	work_cancel_sync(&async->work);
	kfree(async);
}

static struct file_async *async_create(struct file *file, unsigned int fd)
{
	struct file_async *async = kzalloc(sizeof(*async), GFP_USER);
	struct async_table table = { .table = { .add = async_hook_add, .events = ~0U }, .async = async };

	if (!async)
		return ERR_PTR(-ENOMEM);
	work_init(&async->work, async_send);
	async->file = file;
	async->fd = fd;
	file_poll(file, &table.table);
	if (table.error) {
		async_free(async);
		return ERR_PTR(table.error);
	}
	return async;
}

/* ---- Files ---- */

bool file_has_async(const struct file *file)
{
	u32 mode = file->node->attr.mode;

	return file->ops->poll && (S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISCHR(mode));
}

int file_set_async(struct file *file, unsigned int fd, bool on)
{
	struct file_async *async = NULL;
	int error = 0;

	mutex_lock(&async_lock);
	if (on != !!file->async) {
		async = on ? async_create(file, fd) : NULL;
		if (IS_ERR(async)) {
			error = (int)PTR_ERR(async);
			async = NULL;
		} else {
			struct file_async *before = file->async;

			file->async = async;
			async = before;
		}
	}
	if (!error) {
		spin_lock(&file->lock);
		WRITE_ONCE(file->flags, on ? file->flags | FASYNC : file->flags & ~(u32)FASYNC);
		spin_unlock(&file->lock);
	}
	mutex_unlock(&async_lock);
	if (async)
		async_free(async);
	return error;
}

void file_async_release(struct file *file)
{
	async_free(file->async);
}
