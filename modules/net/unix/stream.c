/*
 * SOCK_STREAM: bytes without boundaries. A write becomes messages of at most STREAM_PART bytes; a small one joins the last
 * message of the queue where that is possible, so that a thousand writes of a byte need little memory. A read takes from as many
 * messages as it has room for, but stops behind one with files, and, with SO_PASSCRED, before another sender's.
 */
#include <kumo/module.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>

#include "unix.h"

#define STREAM_PART (KMALLOC_CACHE_MAX - sizeof(struct unix_message))
#define JOIN_MAX 128 /* bytes of a write that are copied twice, to join what is there */

/* ---- Sending ---- */

static bool same_sender(const struct ucred *a, const struct ucred *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* The receiver's lock is held. The last message takes the bytes of this one in. */
static bool join(struct unix_socket *receiver, const struct unix_message *message)
{
	struct unix_message *last;

	if (message->length > JOIN_MAX || message->files || list_empty(&receiver->messages))
		return false;
	last = list_last(&receiver->messages, struct unix_message, link);
	if (last->files || last->capacity - last->length < message->length ||
	    !same_sender(&last->credentials, &message->credentials))
		return false;
	memcpy(last->data + last->length, message->data, message->length);
	last->length += message->length;
	WRITE_ONCE(receiver->arrivals, receiver->arrivals + 1);
	return true;
}

/* Queues the message, or frees it: -EPIPE when nobody will read it. */
static int deliver(struct unix_socket *peer, struct unix_message *message)
{
	bool gone, joined = false;

	spin_lock(&peer->socket.lock);
	gone = peer->dead || (peer->shutdown & UNIX_NO_RECEIVE);
	if (likely(!gone)) {
		joined = join(peer, message);
		if (!joined)
			unix_message_queue(peer, message);
	}
	spin_unlock(&peer->socket.lock);
	if (gone || joined)
		unix_message_free(message);
	if (gone)
		return -EPIPE;
	socket_wake(&peer->socket.read_wait, READ_EVENTS);
	return 0;
}

/* Sends what one message may hold: how much, or a negative errno. */
static ssize_t send_part(struct unix_socket *self, struct unix_socket *peer, struct socket_message *from)
{
	size_t size = min(from->data->count, (size_t)STREAM_PART);
	struct unix_message *message;
	int error;

	size = min(size, (size_t)READ_ONCE(self->socket.send_buffer) / 2);
	message = unix_message_create(self, size, from);
	if (IS_ERR(message))
		return PTR_ERR(message);
	if (unlikely(iter_copy_from(from->data, message->data, size) < size)) {
		unix_message_free(message);
		return -EFAULT;
	}
	error = unix_message_attach(message, from->ancillary);
	if (unlikely(error)) {
		unix_message_free(message);
		return error;
	}
	error = deliver(peer, message);
	return error ? error : (ssize_t)size;
}

ssize_t unix_stream_send(struct socket *socket, struct socket_message *message)
{
	struct unix_socket *self = unix_of(socket), *peer = smp_load_acquire(&self->peer);
	ssize_t sent = 0, part = 0;

	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (message->address && message->address->length)
		return READ_ONCE(self->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (!peer)
		return -ENOTCONN;
	if (READ_ONCE(self->shutdown) & UNIX_NO_SEND)
		part = -EPIPE;
	while (part >= 0 && message->data->count) {
		part = send_part(self, peer, message);
		if (part > 0)
			sent += part;
	}
	if (part == -EPIPE && !sent && !(message->flags & MSG_NOSIGNAL))
		signal_send_self(SIGPIPE);
	return sent ? sent : part;
}

/* ---- Receiving ---- */

struct stream_read {
	struct unix_socket *self;
	struct socket_message *to;
	size_t copied, target;
	size_t skip;	       /* MSG_PEEK: so many bytes are passed by first */
	unsigned int arrivals; /* when nothing was found */
	struct ucred credentials;
	bool has_credentials;
};

/* The first message with something for this read, and how much it holds; NULL: there is none. read_lock is held. */
static struct unix_message *next_message(struct stream_read *read, size_t *offset, size_t *length)
{
	struct unix_socket *self = read->self;
	struct unix_message *message;
	size_t skip = read->skip;

	spin_lock(&self->socket.lock);
	list_for_each(message, &self->messages, link) {
		*length = message->length - message->done;
		if (likely(!skip) || *length > skip) {
			*offset = message->done + skip;
			*length -= skip;
			spin_unlock(&self->socket.lock);
			return message;
		}
		skip -= *length;
	}
	read->arrivals = self->arrivals;
	spin_unlock(&self->socket.lock);
	return NULL;
}

/* `size` bytes of the first message were read. */
static void consume(struct unix_socket *self, struct unix_message *message, size_t size)
{
	bool empty;

	spin_lock(&self->socket.lock);
	message->done += (u32)size;
	empty = message->done == message->length;
	if (empty)
		unix_message_unqueue(self, message);
	spin_unlock(&self->socket.lock);
	if (empty)
		unix_message_free(message);
}

/* Takes from one message. 1: go on with the next; 0: the read is done; or a negative errno. */
static int take(struct stream_read *read, struct unix_message *message, size_t offset, size_t length)
{
	struct socket_message *to = read->to;
	bool has_files = message->files, peek = to->flags & MSG_PEEK;
	s32 peek_offset = READ_ONCE(read->self->socket.peek_offset);
	size_t size = min(length, to->data->count), done;
	int error;

	if (unlikely(READ_ONCE(read->self->socket.switches) & SOCKET_PASS_CREDENTIALS)) {
		if (read->has_credentials && !same_sender(&read->credentials, &message->credentials))
			return 0;
		read->credentials = message->credentials;
		read->has_credentials = true;
		unix_message_sender(read->self, message, to);
	}
	done = iter_copy_to(to->data, message->data + offset, size);
	if (unlikely(done < size))
		return -EFAULT;
	if (unlikely(has_files)) {
		error = unix_message_files(read->self, message, to);
		if (error)
			return error;
	}
	read->copied += done;
	if (unlikely(peek_offset >= 0))
		WRITE_ONCE(read->self->socket.peek_offset,
			   peek ? peek_offset + (s32)done : max(peek_offset - (s32)done, 0));
	if (peek)
		read->skip += done;
	else
		consume(read->self, message, done);
	return !has_files && done == size && to->data->count;
}

/* Nothing is there, and more is wanted: waits, with read_lock released. 0: look again. */
static int wait_for_bytes(struct stream_read *read, u64 timeout, u64 deadline_ns)
{
	struct unix_socket *self = read->self;
	int error;

	if ((read->to->flags & MSG_DONTWAIT) || !timeout)
		return -EAGAIN;
	mutex_unlock(&self->read_lock);
	error = wait_event_interruptible_until(&self->socket.read_wait,
					       READ_ONCE(self->arrivals) != read->arrivals ||
						       (READ_ONCE(self->shutdown) & UNIX_NO_RECEIVE) ||
						       atomic_read(&self->socket.error),
					       deadline_ns);
	mutex_lock(&self->read_lock);
	return socket_wait_error(error, timeout);
}

/* read_lock is held. 0, or why it ended. */
static int read_messages(struct stream_read *read)
{
	u64 timeout = READ_ONCE(read->self->socket.receive_timeout_ns), deadline_ns = WAIT_FOREVER;
	bool waited = false;

	for (;;) {
		size_t offset, length;
		struct unix_message *message = next_message(read, &offset, &length);
		int result;

		if (message) {
			result = take(read, message, offset, length);
			if (result <= 0)
				return result;
			continue;
		}
		if (read->copied >= read->target)
			return 0;
		result = socket_take_error(&read->self->socket);
		if (result || (READ_ONCE(read->self->shutdown) & UNIX_NO_RECEIVE))
			return result;
		if (!waited && timeout != WAIT_FOREVER)
			deadline_ns = socket_deadline(timeout);
		waited = true;
		result = wait_for_bytes(read, timeout, deadline_ns);
		if (result)
			return result;
	}
}

ssize_t unix_stream_receive(struct socket *socket, struct socket_message *message)
{
	struct unix_socket *self = unix_of(socket);
	struct stream_read read = { .self = self, .to = message };
	size_t low = READ_ONCE(socket->receive_low);
	s32 peek_offset = READ_ONCE(socket->peek_offset);
	int error;

	if (READ_ONCE(self->state) != UNIX_CONNECTED)
		return -EINVAL;
	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	read.target = message->flags & MSG_WAITALL ? message->data->count
						   : min(low, message->data->count);
	read.target = max(read.target, (size_t)1);
	if ((message->flags & MSG_PEEK) && peek_offset > 0)
		read.skip = (size_t)peek_offset;
	if (mutex_lock_interruptible(&self->read_lock)) /* another reader's copy may wait for a page */
		return socket_wait_error(-ERESTARTSYS, READ_ONCE(socket->receive_timeout_ns));
	error = read_messages(&read);
	mutex_unlock(&self->read_lock);
	if (error && !read.copied)
		return error;
	if (message->address && read.copied)
		unix_name_tell(smp_load_acquire(&self->peer->name), message->address);
	return (ssize_t)read.copied;
}

/* ---- poll ---- */

u32 unix_stream_poll(struct socket *socket, struct file *file, struct poll_table *table)
{
	struct unix_socket *self = unix_of(socket);
	u32 events = 0;
	u8 state, shutdown;

	poll_wait(file, &socket->read_wait, table);
	poll_wait(file, &socket->write_wait, table);
	state = READ_ONCE(self->state);
	shutdown = READ_ONCE(self->shutdown);
	if (atomic_read(&socket->error))
		events |= POLLERR;
	if (shutdown == (UNIX_NO_RECEIVE | UNIX_NO_SEND) || state == UNIX_OPEN)
		events |= POLLHUP;
	if (shutdown & UNIX_NO_RECEIVE)
		events |= POLLRDHUP | READ_EVENTS;
	if (READ_ONCE(self->message_count) || READ_ONCE(self->connection_count))
		events |= READ_EVENTS;
	if (state != UNIX_LISTENING && unix_writable(self))
		events |= WRITE_EVENTS;
	return events;
}
