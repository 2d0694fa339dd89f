/*
 * Pipes and fifos: a ring of slots, each a part of a page. Writers fill at the head, readers take at the tail.
 *
 * A small write joins the page at the head where it fits, so that many of them need few pages; an emptied page is kept
 * as `spare` for the next write, so that a ping-pong of small messages allocates nothing. A write of at most PIPE_BUF
 * bytes needs one slot (or room behind the last), never two: that makes it atomic.
 *
 * Wake-ups: who changes something wakes after letting go of the lock, and only if somebody waits. Threads wait exclusively, so
 * that one is woken; a reader that leaves bytes behind, or a writer that leaves room, wakes the next of its own kind.
 */
#include <asm/ioctls.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/mutex.h>
#include <kumo/page.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/wait.h>
#include <linux/limits.h>

#include "pipe_internal.h"

#define DEFAULT_SLOTS 16
unsigned int pipe_max_size = 1024 * 1024;

/* Protects node->pipe and pipe->users. */
static spinlock_t users_lock = SPINLOCK_INIT("pipe_users");

static int lock_interruptible(struct pipe *pipe)
{
	return mutex_lock_interruptible(&pipe->lock) ? -ERESTARTSYS : 0;
}

void pipe_slot_release(struct pipe *pipe, struct pipe_slot *slot)
{
	if (pipe->spare)
		page_put(slot->page);
	else
		pipe->spare = slot->page;
	pipe->tail++;
}

/* ---- Reading ---- */

bool pipe_take(struct pipe *pipe, struct iter *to, ssize_t *total)
{
	while (!pipe_empty(pipe)) {
		struct pipe_slot *slot = pipe_slot_at(pipe, pipe->tail);
		size_t size = min((size_t)slot->length, to->count);
		size_t copied = iter_copy_to(to, (char *)page_address(slot->page) + slot->offset, size);
		bool packet = slot->packet;

		/* Of a piece that memory faults in nothing is taken, as on Linux. */
		if (copied < size) {
			if (!*total)
				*total = -EFAULT;
			return true;
		}
		*total += (ssize_t)copied;
		slot->offset += (u32)copied;
		slot->length -= (u32)copied;
		if (!slot->length || packet)
			pipe_slot_release(pipe, slot);
		if (packet || !to->count)
			return true;
	}
	return *total != 0;
}

static ssize_t pipe_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct pipe *pipe = file->private;
	ssize_t total = 0;
	bool more, was_full, waited = false;
	u32 tail;

	if (!to->count)
		return 0;
	if (lock_interruptible(pipe))
		return -ERESTARTSYS;
	tail = pipe->tail;
	was_full = pipe_full(pipe);
	while (!pipe_take(pipe, to, &total)) {
		int error;

		if (!pipe->writers)
			break;
		if (file->flags & O_NONBLOCK) {
			total = -EAGAIN;
			break;
		}
		mutex_unlock(&pipe->lock);
		error = wait_event_interruptible_exclusive(
			&pipe->read_wait, !pipe_empty(pipe) || !READ_ONCE(pipe->writers));
		if (error || lock_interruptible(pipe)) {
			/* A wake-up may have been meant for this thread: pass it on. */
			pipe_wake(&pipe->read_wait, PIPE_READ_EVENTS);
			return -ERESTARTSYS;
		}
		tail = pipe->tail;
		was_full = pipe_full(pipe);
		waited = true;
	}
	/* Who waited may have been woken in another's place, too. Others are woken by what changes for them only: it is an edge
	 * to whoever watches for edges. */
	more = waited && !pipe_empty(pipe);
	tail = pipe->tail - tail;
	mutex_unlock(&pipe->lock);
	if (tail && was_full)
		pipe_wake(&pipe->write_wait, PIPE_WRITE_EVENTS);
	if (more)
		pipe_wake(&pipe->read_wait, PIPE_READ_EVENTS);
	return total;
}

/* ---- Writing ---- */

/* Joins to the last slot what the write has beyond whole pages, if that fits: as on Linux, so that a pipe takes as much here as
 * there. True: nothing more is to be done. Of a piece that memory faults in nothing is written, here and below, also as on
 * Linux. */
static bool join(struct pipe *pipe, struct iter *from, ssize_t *total)
{
	struct pipe_slot *slot = pipe_slot_at(pipe, pipe->head - 1);
	size_t size = from->count % PAGE_SIZE, copied;
	u32 end = slot->offset + slot->length;

	if (slot->packet || !size || size > PAGE_SIZE - end)
		return false;
	copied = iter_copy_from(from, (char *)page_address(slot->page) + end, size);
	if (copied < size) {
		*total = -EFAULT;
		return true;
	}
	slot->length += (u32)copied;
	*total = (ssize_t)copied;
	return !from->count;
}

bool pipe_put(struct pipe *pipe, struct iter *from, bool packet, ssize_t *total)
{
	while (!pipe_full(pipe)) {
		struct page *page = pipe->spare;
		size_t size = min(from->count, (size_t)PAGE_SIZE), copied;

		pipe->spare = NULL;
		if (!page) {
			page = page_alloc(0, GFP_USER);
			if (!page) {
				if (!*total)
					*total = -ENOMEM;
				return true;
			}
		}
		copied = iter_copy_from(from, page_address(page), size);
		if (copied < size) {
			pipe->spare = page;
			if (!*total)
				*total = -EFAULT;
			return true;
		}
		*pipe_slot_at(pipe, pipe->head) =
			(struct pipe_slot){ .page = page, .length = (u32)copied, .packet = packet };
		WRITE_ONCE(pipe->head, pipe->head + 1);
		*total += (ssize_t)copied;
		if (!from->count)
			return true;
	}
	return false;
}

static ssize_t pipe_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct pipe *pipe = file->private;
	bool packet = file->flags & O_DIRECT, more, done = false, waited = false;
	ssize_t total = 0;
	int error = 0;

	if (!from->count)
		return 0;
	if (lock_interruptible(pipe))
		return -ERESTARTSYS;
	for (;;) {
		if (!pipe->readers) {
			error = -EPIPE;
			break;
		}
		if (!done && !packet && !total && !pipe_empty(pipe))
			done = join(pipe, from, &total);
		if (!done)
			done = pipe_put(pipe, from, packet, &total);
		if (done)
			break;
		if (file->flags & O_NONBLOCK) {
			if (!total)
				error = -EAGAIN;
			break;
		}
		mutex_unlock(&pipe->lock);
		pipe_wake(&pipe->read_wait, PIPE_READ_EVENTS);
		error = wait_event_interruptible_exclusive(
			&pipe->write_wait, !pipe_full(pipe) || !READ_ONCE(pipe->readers));
		if (error || lock_interruptible(pipe)) {
			pipe_wake(&pipe->write_wait, PIPE_WRITE_EVENTS);
			return total ? total : -ERESTARTSYS;
		}
		waited = true;
	}
	more = waited && !pipe_full(pipe);
	mutex_unlock(&pipe->lock);
	if (total > 0)
		pipe_wake(&pipe->read_wait, PIPE_READ_EVENTS);
	if (more)
		pipe_wake(&pipe->write_wait, PIPE_WRITE_EVENTS);
	if (error == -EPIPE)
		signal_send_self(SIGPIPE);
	return total ? total : error;
}

/* ---- Other operations ---- */

/* file->pos, of no other use here, holds how many writers there had ever been when the file was opened: a reader that came
 * before the first writer is not told of a hang-up. */
static u32 pipe_poll(struct file *file, struct poll_table *table)
{
	struct pipe *pipe = file->private;
	u32 events = 0;

	if (file->mode & FILE_READ)
		poll_wait(file, &pipe->read_wait, table);
	if (file->mode & FILE_WRITE)
		poll_wait(file, &pipe->write_wait, table);
	if (file->mode & FILE_READ) {
		if (!pipe_empty(pipe))
			events |= PIPE_READ_EVENTS;
		if (!READ_ONCE(pipe->writers) && (u32)file->pos != READ_ONCE(pipe->writers_ever))
			events |= POLLHUP;
	}
	if (file->mode & FILE_WRITE) {
		if (!pipe_full(pipe))
			events |= PIPE_WRITE_EVENTS;
		if (!READ_ONCE(pipe->readers))
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct pipe *pipe = file->private;
	int bytes = 0;

	if (command != FIONREAD)
		return -ENOTTY;
	if (mutex_lock_killable(&pipe->lock)) /* who splices may hold it for long */
		return -EINTR;
	for (u32 at = pipe->tail; at != pipe->head; at++)
		bytes += (int)pipe_slot_at(pipe, at)->length;
	mutex_unlock(&pipe->lock);
	return put_user(bytes, (int __user *)argument);
}

static void pipe_free(struct pipe *pipe)
{
	for (; pipe->tail != pipe->head; pipe->tail++)
		page_put(pipe_slot_at(pipe, pipe->tail)->page);
	if (pipe->spare)
		page_put(pipe->spare);
	kfree(pipe->slots);
	kfree(pipe);
}

static void pipe_release(struct node *node, struct pipe *pipe)
{
	bool last;

	spin_lock(&users_lock);
	last = !--pipe->users;
	if (last && node)
		node->pipe = NULL;
	spin_unlock(&users_lock);
	if (last)
		pipe_free(pipe);
}

static void pipe_close(struct node *node, struct pipe *pipe, u32 mode)
{
	mutex_lock(&pipe->lock);
	if (mode & FILE_READ)
		pipe->readers--;
	if (mode & FILE_WRITE)
		pipe->writers--;
	mutex_unlock(&pipe->lock);
	smp_mb(); /* as in pipe_wake() */
	if (!READ_ONCE(pipe->writers) && wait_queue_active(&pipe->read_wait))
		wake_up_all(&pipe->read_wait);
	if (!READ_ONCE(pipe->readers) && wait_queue_active(&pipe->write_wait))
		wake_up_all(&pipe->write_wait);
	pipe_release(node, pipe);
}

static void pipe_clunk(struct file *file)
{
	pipe_close(file->node, file->private, file->mode);
}

const struct tree_ops pipe_ops = {
	.clunk = pipe_clunk,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
};

/* ---- Making and opening ---- */

static struct pipe *pipe_alloc(void)
{
	struct pipe *pipe = kzalloc(sizeof(*pipe), GFP_USER);

	if (!pipe)
		return NULL;
	pipe->slots = kcalloc(DEFAULT_SLOTS, sizeof(*pipe->slots), GFP_USER);
	if (!pipe->slots) {
		kfree(pipe);
		return NULL;
	}
	pipe->slot_count = DEFAULT_SLOTS;
	mutex_init(&pipe->lock, "pipe");
	wait_queue_init(&pipe->read_wait);
	wait_queue_init(&pipe->write_wait);
	wait_queue_init(&pipe->open_wait);
	return pipe;
}

int pipe_create(struct file **read_end, struct file **write_end, u32 flags)
{
	struct pipe *pipe = pipe_alloc();
	struct file *reader, *writer;

	if (!pipe)
		return -ENOMEM;
	flags &= O_NONBLOCK | O_DIRECT;
	pipe->anonymous = true;
	pipe->readers = pipe->writers = pipe->readers_ever = pipe->writers_ever = 1;
	pipe->users = 2;
	/* It is the writer who makes packets. */
	reader = file_anonymous("pipe", &pipe_ops, pipe, (flags & O_NONBLOCK) | O_RDONLY,
				FILE_READ | FILE_STREAM);
	if (IS_ERR(reader)) {
		pipe_free(pipe);
		return (int)PTR_ERR(reader);
	}
	writer = file_anonymous("pipe", &pipe_ops, pipe, flags | O_WRONLY, FILE_WRITE | FILE_STREAM);
	if (IS_ERR(writer)) {
		pipe->users = 1; /* only the reader, which takes the pipe with it */
		pipe->writers = 0;
		file_put(reader);
		return (int)PTR_ERR(writer);
	}
	/* Both ends are one node. */
	node_put(writer->node);
	writer->node = writer->contents = node_get(reader->node);
	reader->node->attr.mode = S_IFIFO | 0600;
	reader->node->pipe = pipe;
	*read_end = reader;
	*write_end = writer;
	return 0;
}
EXPORT_SYMBOL(pipe_create);

/* The node's pipe, made at need, with one more user; NULL: no memory. */
static struct pipe *pipe_of_node(struct node *node)
{
	struct pipe *pipe, *fresh = NULL;

	for (;;) {
		spin_lock(&users_lock);
		pipe = node->pipe;
		if (!pipe && fresh)
			pipe = node->pipe = fresh;
		if (pipe)
			pipe->users++;
		spin_unlock(&users_lock);
		if (pipe)
			break;
		fresh = pipe_alloc();
		if (!fresh)
			return NULL;
	}
	if (fresh && fresh != pipe)
		pipe_free(fresh);
	return pipe;
}

int pipe_open_fifo(struct file *file)
{
	struct pipe *pipe = pipe_of_node(file->node);
	u32 mode = file->mode & (FILE_READ | FILE_WRITE), *peer = NULL, seen = 0;
	int error = 0;

	if (!pipe)
		return -ENOMEM;
	if (mutex_lock_killable(&pipe->lock)) {
		pipe_release(file->node, pipe);
		return -EINTR;
	}
	if (mode == FILE_WRITE && (file->flags & O_NONBLOCK) && !pipe->readers && !pipe->anonymous) {
		mutex_unlock(&pipe->lock);
		pipe_release(file->node, pipe);
		return -ENXIO;
	}
	if (mode & FILE_READ) {
		pipe->readers++;
		pipe->readers_ever++;
	}
	if (mode & FILE_WRITE) {
		pipe->writers++;
		pipe->writers_ever++;
	}
	file->pos = pipe->writers_ever;
	if (mode == FILE_READ && !pipe->writers)
		peer = &pipe->writers_ever;
	else if (mode == FILE_WRITE && !pipe->readers)
		peer = &pipe->readers_ever;
	if (peer)
		seen = *peer;
	else if (mode == FILE_READ)
		file->pos--; /* there is a writer: its end is a hang-up */
	mutex_unlock(&pipe->lock);
	wake_up_all(&pipe->open_wait);
	if (peer && !(file->flags & O_NONBLOCK) && !pipe->anonymous)
		error = wait_event_interruptible(&pipe->open_wait, READ_ONCE(*peer) != seen);
	if (error) {
		pipe_close(file->node, pipe, mode);
		return error;
	}
	file->ops = &pipe_ops;
	file->private = pipe;
	file->mode = (file->mode & ~(u32)FILE_SEEK) | FILE_STREAM;
	return 0;
}

/* ---- Capacity ---- */

long pipe_get_size(struct file *file)
{
	struct pipe *pipe = file->private;

	return file->ops == &pipe_ops ? (long)(READ_ONCE(pipe->slot_count) * PAGE_SIZE) : -EBADF;
}
EXPORT_SYMBOL(pipe_get_size);

long pipe_set_size(struct file *file, unsigned long bytes)
{
	struct pipe *pipe = file->private;
	struct pipe_slot *slots;
	u32 count = 1, used;

	if (file->ops != &pipe_ops)
		return -EBADF;
	if (bytes > 1UL << 31)
		return -EINVAL;
	while (count * PAGE_SIZE < bytes)
		count *= 2;
	if (count * PAGE_SIZE > pipe_max_size && count > READ_ONCE(pipe->slot_count) &&
	    !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	slots = kcalloc(count, sizeof(*slots), GFP_USER);
	if (!slots)
		return -ENOMEM;
	if (mutex_lock_killable(&pipe->lock)) {
		kfree(slots);
		return -EINTR;
	}
	used = pipe->head - pipe->tail;
	if (used > count) {
		mutex_unlock(&pipe->lock);
		kfree(slots);
		return -EBUSY;
	}
	for (u32 i = 0; i < used; i++)
		slots[i] = *pipe_slot_at(pipe, pipe->tail + i);
	kfree(pipe->slots);
	pipe->slots = slots;
	pipe->slot_count = count;
	pipe->tail = 0;
	pipe->head = used;
	mutex_unlock(&pipe->lock);
	wake_up_all(&pipe->read_wait); /* who looked while the ring moved may have seen anything */
	wake_up_all(&pipe->write_wait);
	return (long)(count * PAGE_SIZE);
}
EXPORT_SYMBOL(pipe_set_size);
