/*
 * SOCK_STREAM: bytes without boundaries. A write becomes messages of at most STREAM_PART bytes; a small one joins the last
 * message of the queue where that is possible, so that a thousand writes of a byte need little memory. A read takes from as many
 * messages as it has room for, but stops behind one with files, and, with SO_PASSCRED, before another sender's.
 *
 * The last byte of a write with MSG_OOB is urgent: a message of its own, of which the receiver's `urgent` is the newest. It is read
 * by MSG_OOB, and then leaves its place empty; or with SO_OOBINLINE in its turn. Another read stops before it, and the next
 * passes it by.
 */
#include <kumo/async.h>
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

	if (message->length > JOIN_MAX || message->files || message->urgent ||
	    list_empty(&receiver->messages))
		return false;
	last = list_last(&receiver->messages, struct unix_message, link);
	if (last->files || last->urgent || last->capacity - last->length < message->length ||
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
		if (unlikely(message->urgent)) {
			WRITE_ONCE(peer->urgent, message);
			if (peer->socket.file)
				file_owner_urgent(peer->socket.file);
		}
	}
	spin_unlock(&peer->socket.lock);
	if (gone || joined)
		unix_message_free(message);
	if (gone)
		return -EPIPE;
	socket_wake(&peer->socket.read_wait, READ_EVENTS);
	return 0;
}

/* Sends what one message may hold of the next `size` bytes, or an urgent one: how much, or a negative errno. */
static ssize_t send_part(struct unix_socket *self, struct unix_socket *peer,
			 struct socket_message *from, size_t size, bool urgent)
{
	struct unix_message *message;
	int error;

	size = min(min(size, (size_t)STREAM_PART), (size_t)READ_ONCE(self->socket.send_buffer) / 2);
	message = unix_message_create(self, size, from);
	if (IS_ERR(message))
		return PTR_ERR(message);
	if (unlikely(iter_copy_from(from->data, message->data, size) < size)) {
		unix_message_free(message);
		return -EFAULT;
	}
	message->urgent = urgent;
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
	size_t urgent = message->flags & MSG_OOB ? 1 : 0;
	ssize_t sent = 0, part = 0;

	if (urgent > message->data->count)
		return -EOPNOTSUPP;
	if (message->address && message->address->length)
		return READ_ONCE(self->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (!peer)
		return -ENOTCONN;
	if (READ_ONCE(self->shutdown) & UNIX_NO_SEND)
		part = -EPIPE;
	while (part >= 0 && message->data->count) {
		size_t left = message->data->count - urgent;

		part = send_part(self, peer, message, left ? left : urgent, !left);
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
	size_t skip, peek_from; /* MSG_PEEK: so many bytes are still passed by first, and were at the beginning */
	struct unix_message *peeked; /* MSG_PEEK: the last message of which all was read */
	bool at_mark;		     /* what comes next is an urgent byte, or its place */
	unsigned int arrivals;	     /* when nothing was found */
	struct ucred credentials;
	bool has_credentials;
};

enum urgent_turn { URGENT_READ, URGENT_PASS, URGENT_DROP, URGENT_STOP };

/* The next message is, or was, an urgent byte: what this read makes of it. socket.lock is held. */
static enum urgent_turn urgent_turn(struct stream_read *read, const struct unix_message *message)
{
	struct unix_socket *self = read->self;
	bool is_read = message->done == message->length, newest = message == self->urgent;
	bool peek = read->to->flags & MSG_PEEK, in_line = self->socket.switches & SOCKET_OOB_INLINE;

	if (read->copied && (newest || (is_read && !self->urgent)))
		return URGENT_STOP;
	if (is_read)
		return peek ? URGENT_PASS : URGENT_DROP;
	if (!newest) /* a newer one came, and it became a byte like others */
		return URGENT_READ;
	if (!peek)
		WRITE_ONCE(self->urgent, NULL);
	return in_line ? URGENT_READ : peek ? URGENT_PASS : URGENT_DROP;
}

/* Where the read goes on in the queue: behind what it has peeked at. */
static struct list *read_start(const struct stream_read *read)
{
	return read->peeked ? &read->peeked->link : &read->self->messages;
}

/* The first message with something for this read, and how much it holds; NULL: there is none. read_lock is held. */
static struct unix_message *next_message(struct stream_read *read, size_t *offset, size_t *length)
{
	struct unix_socket *self = read->self;
	struct unix_message *message, *found = NULL;
	struct list dropped = LIST_INIT(dropped), *at, *after;

	spin_lock(&self->socket.lock);
	for (at = read_start(read)->next; at != &self->messages && !found; at = after) {
		enum urgent_turn turn = URGENT_READ;

		after = at->next;
		message = container_of(at, struct unix_message, link);
		*length = message->length - message->done;
		if (unlikely(message->urgent))
			turn = urgent_turn(read, message);
		if (turn == URGENT_STOP) {
			read->at_mark = true;
			break;
		}
		if (turn == URGENT_DROP) {
			unix_message_unqueue(self, message);
			list_add_tail(&dropped, &message->link);
		} else if (turn == URGENT_READ && *length > read->skip) {
			*offset = message->done + read->skip;
			*length -= read->skip;
			found = message;
		} else if (turn == URGENT_READ) {
			read->skip -= *length;
			read->peeked = message;
		}
	}
	read->arrivals = self->arrivals;
	spin_unlock(&self->socket.lock);
	unix_messages_free(&dropped);
	return found;
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
	if (peek) {
		read->skip = 0;
		read->peeked = message; /* of which something is left only if the read ends here */
	} else {
		consume(read->self, message, done);
	}
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
		if (read->copied >= read->target || read->at_mark ||
		    (read->copied && read->to->flags & MSG_PEEK))
			return 0;
		result = socket_take_error(&read->self->socket);
		if (result || (READ_ONCE(read->self->shutdown) & UNIX_NO_RECEIVE))
			return result;
		if (!waited && timeout != WAIT_FOREVER)
			deadline_ns = socket_deadline(timeout);
		waited = true;
		read->skip = read->peek_from; /* others may take what was passed by */
		read->peeked = NULL;
		result = wait_for_bytes(read, timeout, deadline_ns);
		if (result)
			return result;
	}
}

/* MSG_OOB: the urgent byte, out of its turn. read_lock is held. */
static ssize_t read_urgent(struct unix_socket *self, struct socket_message *to)
{
	struct unix_message *message;
	bool in_line;
	char byte = 0;

	spin_lock(&self->socket.lock);
	message = self->urgent;
	in_line = self->socket.switches & SOCKET_OOB_INLINE;
	if (message && !in_line) {
		byte = message->data[0];
		if (!(to->flags & MSG_PEEK)) {
			WRITE_ONCE(self->urgent, NULL);
			message->done = message->length;
		}
	}
	spin_unlock(&self->socket.lock);
	if (!message || in_line)
		return -EINVAL;
	if (to->data->count && !iter_copy_to(to->data, &byte, 1))
		return -EFAULT;
	to->result_flags |= MSG_OOB;
	return 1;
}

int unix_stream_at_mark(struct unix_socket *self)
{
	int result;

	spin_lock(&self->socket.lock);
	result = self->urgent && self->messages.next == &self->urgent->link;
	spin_unlock(&self->socket.lock);
	return result;
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
	read.target = message->flags & MSG_WAITALL ? message->data->count
						   : min(low, message->data->count);
	read.target = max(read.target, (size_t)1);
	if ((message->flags & MSG_PEEK) && peek_offset > 0)
		read.skip = read.peek_from = (size_t)peek_offset;
	if (mutex_lock_interruptible(&self->read_lock)) /* another reader's copy may wait for a page */
		return socket_wait_error(-ERESTARTSYS, READ_ONCE(socket->receive_timeout_ns));
	if (unlikely(message->flags & MSG_OOB)) {
		ssize_t result = read_urgent(self, message);

		mutex_unlock(&self->read_lock);
		return result;
	}
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
	if (unlikely(READ_ONCE(self->urgent)))
		events |= POLLPRI;
	if (state != UNIX_LISTENING && unix_writable(self))
		events |= WRITE_EVENTS;
	return events;
}
