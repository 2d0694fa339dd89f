/*
 * splice(2), tee(2), vmsplice(2): moving what pipes hold, without a program's buffer in between.
 *
 * As on Linux, the pipe stays locked while a file is read into it or written from it, so that a reader beside finds
 * either all of a piece or none, and nothing is lost if the file takes less. Two pipes are locked in the order of their
 * addresses. Who has moved something does not wait for more.
 */
#include <kumo/export.h>
#include <kumo/signal.h>
#include <kumo/splice.h>
#include <kumo/string.h>

#include "internal.h"
#include "pipe_internal.h"

static int lock(struct pipe *pipe)
{
	return mutex_lock_interruptible(&pipe->lock) ? -ERESTARTSYS : 0;
}

/* Waits until there is something to take; the lock is held, and given up meanwhile. 1; 0: there is nothing and nobody writes;
 * -EAGAIN, -ERESTARTSYS. */
static int wait_for_data(struct pipe *pipe, bool nowait)
{
	while (pipe_empty(pipe)) {
		int error;

		if (!pipe->writers)
			return 0;
		if (nowait)
			return -EAGAIN;
		mutex_unlock(&pipe->lock);
		error = wait_event_interruptible_exclusive(
			&pipe->read_wait, !pipe_empty(pipe) || !READ_ONCE(pipe->writers));
		mutex_lock(&pipe->lock);
		if (error)
			return error;
	}
	return 1;
}

/* The same for a slot to fill; 1, -EPIPE (with the signal), -EAGAIN, -ERESTARTSYS. */
static int wait_for_room(struct pipe *pipe, bool nowait)
{
	for (;;) {
		int error;

		if (!pipe->readers) {
			signal_send_self(SIGPIPE);
			return -EPIPE;
		}
		if (!pipe_full(pipe))
			return 1;
		if (nowait)
			return -EAGAIN;
		mutex_unlock(&pipe->lock);
		error = wait_event_interruptible_exclusive(
			&pipe->write_wait, !pipe_full(pipe) || !READ_ONCE(pipe->readers));
		mutex_lock(&pipe->lock);
		if (error)
			return error;
	}
}

/* Lets go, and wakes who waits for what there is now; waits are exclusive, so a wake-up is passed on. */
static void unlock(struct pipe *pipe)
{
	bool data = !pipe_empty(pipe), room = !pipe_full(pipe);

	mutex_unlock(&pipe->lock);
	if (data)
		pipe_wake(&pipe->read_wait, PIPE_READ_EVENTS);
	if (room)
		pipe_wake(&pipe->write_wait, PIPE_WRITE_EVENTS);
}

static void slot_add(struct pipe *pipe, struct page *page, u32 length)
{
	*pipe_slot_at(pipe, pipe->head) = (struct pipe_slot){ .page = page, .length = length };
	WRITE_ONCE(pipe->head, pipe->head + 1);
}

/* ---- From pipe to pipe ---- */

static int lock_both(struct pipe *a, struct pipe *b)
{
	struct pipe *first = a < b ? a : b, *second = a < b ? b : a;
	int error = lock(first);

	if (error)
		return error;
	if (mutex_lock_killable_nested(&second->lock, 1)) {
		mutex_unlock(&first->lock);
		return -ERESTARTSYS;
	}
	return 0;
}

/* Moves the slot at the tail of `in`, or so much of it, to `out`: its page if all of it goes, else a copy. `keep`: a copy, and it
 * stays. What was moved, or -ENOMEM. */
static ssize_t slot_move(struct pipe *in, struct pipe_slot *slot, struct pipe *out, size_t size, bool keep)
{
	u32 length = (u32)min((size_t)slot->length, size);
	struct page *page;

	if (!keep && length == slot->length) {
		*pipe_slot_at(out, out->head) = *slot;
		WRITE_ONCE(out->head, out->head + 1);
		WRITE_ONCE(in->tail, in->tail + 1);
		return length;
	}
	page = page_alloc(0, GFP_USER);
	if (!page)
		return -ENOMEM;
	memcpy(page_address(page), (char *)page_address(slot->page) + slot->offset, length);
	slot_add(out, page, length);
	if (!keep) {
		slot->offset += length;
		slot->length -= length;
	}
	return length;
}

/* Both are locked: as much as there is, and fits. */
static ssize_t slots_move(struct pipe *in, struct pipe *out, size_t size, bool keep)
{
	ssize_t done = 0, part = 0;

	for (u32 at = in->tail; at != in->head && size && !pipe_full(out); at++) {
		part = slot_move(in, pipe_slot_at(in, at), out, size, keep);
		if (part < 0)
			break;
		done += part;
		size -= (size_t)part;
	}
	return done ? done : part;
}

static int wait_for_both(struct pipe *in, struct pipe *out, bool nowait)
{
	int result = lock(in);

	if (result)
		return result;
	result = wait_for_data(in, nowait);
	unlock(in);
	if (result <= 0)
		return result;
	result = lock(out);
	if (result)
		return result;
	result = wait_for_room(out, nowait);
	unlock(out);
	return result;
}

static ssize_t pipe_to_pipe(struct pipe *in, struct pipe *out, size_t size, bool nowait, bool keep)
{
	ssize_t result;

	do {
		result = wait_for_both(in, out, nowait);
		if (result <= 0)
			return result;
		result = lock_both(in, out);
		if (result)
			return result;
		if (out->readers)
			result = slots_move(in, out, size, keep);
		unlock(out);
		unlock(in);
	} while (!result); /* somebody else was faster: wait again */
	return result;
}

/* ---- Between a pipe and a file ---- */

static ssize_t pipe_to_file(struct pipe *pipe, struct file *out, loff_t *pos, size_t size, bool nowait)
{
	ssize_t done = 0, result = lock(pipe);

	if (result)
		return result;
	while (size) {
		struct pipe_slot *slot;
		struct iter iter;
		size_t part;

		result = wait_for_data(pipe, nowait || done);
		if (result <= 0)
			break;
		slot = pipe_slot_at(pipe, pipe->tail);
		part = min((size_t)slot->length, size);
		iter_init_kernel(&iter, (char *)page_address(slot->page) + slot->offset, part);
		result = file_write(out, &iter, pos);
		if (result <= 0)
			break;
		slot->offset += (u32)result;
		slot->length -= (u32)result;
		if (!slot->length)
			pipe_slot_release(pipe, slot);
		done += result;
		size -= (size_t)result;
		if ((size_t)result < part)
			break;
	}
	unlock(pipe);
	return done ? done : result;
}

static ssize_t file_to_pipe(struct file *in, loff_t *pos, struct pipe *pipe, size_t size, bool nowait)
{
	bool regular = S_ISREG(in->node->attr.mode) || S_ISBLK(in->node->attr.mode);
	ssize_t done = 0, result = lock(pipe);

	if (result)
		return result;
	result = wait_for_room(pipe, nowait);
	while (result > 0 && size && !pipe_full(pipe)) {
		size_t part = min(size, PAGE_SIZE);
		struct page *page = page_alloc(0, GFP_USER);
		struct iter iter;

		result = -ENOMEM;
		if (!page)
			break;
		iter_init_kernel(&iter, page_address(page), part);
		iter.nowait = nowait;
		result = file_read(in, &iter, pos);
		if (result <= 0) {
			page_put(page);
			break;
		}
		slot_add(pipe, page, (u32)result);
		done += result;
		size -= (size_t)result;
		if ((size_t)result < part || !regular) /* of others it is not known whether there is more */
			break;
	}
	unlock(pipe);
	return done ? done : result;
}

/* ---- What the system calls call ---- */

ssize_t file_splice(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t size,
		    unsigned int flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	bool nowait = flags & SPLICE_F_NONBLOCK;

	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	if ((from && in_pos) || (to && out_pos))
		return -ESPIPE;
	if (from && to) {
		nowait |= (in->flags | out->flags) & O_NONBLOCK;
		return from == to ? -EINVAL : pipe_to_pipe(from, to, size, nowait, false);
	}
	if (from) {
		if (out_pos && !(out->mode & FILE_SEEK))
			return -EINVAL;
		if ((out->flags & O_APPEND) || !out->ops->write || (out_pos && *out_pos < 0))
			return -EINVAL;
		return pipe_to_file(from, out, out_pos, size, nowait || (in->flags & O_NONBLOCK));
	}
	if (to) {
		if (in_pos && !(in->mode & FILE_SEEK))
			return -EINVAL;
		if (!in->ops->read || S_ISDIR(in->node->attr.mode) || (in_pos && *in_pos < 0))
			return -EINVAL;
		return file_to_pipe(in, in_pos, to, size, nowait || (out->flags & O_NONBLOCK));
	}
	return -EINVAL;
}

ssize_t file_tee(struct file *in, struct file *out, size_t size, unsigned int flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	bool nowait = (flags & SPLICE_F_NONBLOCK) || ((in->flags | out->flags) & O_NONBLOCK);

	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	if (!from || !to || from == to)
		return -EINVAL;
	return pipe_to_pipe(from, to, size, nowait, true);
}

ssize_t file_splice_memory(struct file *file, struct iter *iter, unsigned int flags)
{
	struct pipe *pipe = file_pipe(file);
	ssize_t total = 0, result;
	bool nowait = (flags & SPLICE_F_NONBLOCK) || (file->flags & O_NONBLOCK);

	if (!iter->count)
		return 0;
	if (!pipe)
		return -EBADF;
	result = lock(pipe);
	if (result)
		return result;
	if (file->mode & FILE_WRITE) {
		result = wait_for_room(pipe, nowait);
		if (result > 0)
			(void)pipe_put(pipe, iter, false, &total);
	} else {
		result = wait_for_data(pipe, nowait);
		if (result > 0)
			(void)pipe_take(pipe, iter, &total);
	}
	unlock(pipe);
	return total ? total : result;
}
