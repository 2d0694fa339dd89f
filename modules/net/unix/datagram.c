/*
 * SOCK_DGRAM and SOCK_SEQPACKET: messages with boundaries. A receiver's queue holds at most backlog + 1 messages beyond what its
 * own peer sends it; who finds it full waits in the receiver's room_wait. poll(2) cannot wait there, for the socket polled may be
 * connected to another tomorrow: so a socket that is polled, and finds its peer full, leaves a wait entry of its own there, the
 * relay, which passes the wake-up on to who waits for the socket.
 */
#include <kumo/module.h>
#include <kumo/thread.h>

#include "unix.h"

#define SIZE_OVERHEAD 32 /* of the send buffer a message may fill all but this */

/* Full for `self`: a receiver that sends to self alone takes all that self's send buffer allows. */
static bool full_for(const struct unix_socket *self, const struct unix_socket *receiver)
{
	return READ_ONCE(receiver->peer) != self && receiver != self &&
	       READ_ONCE(receiver->message_count) > READ_ONCE(receiver->backlog);
}

/* ---- The peer ---- */

bool unix_relay_wake(struct wait_entry *entry, unsigned long key)
{
	struct unix_socket *self = container_of(entry, struct unix_socket, relay);

	list_del(&entry->link);
	wake_up_key(&self->socket.write_wait, WRITE_EVENTS);
	return true;
}

void unix_relay_leave(struct unix_socket *self)
{
	if (self->peer)
		wait_queue_remove(&self->peer->room_wait, &self->relay);
}

static struct unix_socket *peer_get(struct unix_socket *self)
{
	struct unix_socket *peer;

	spin_lock(&self->socket.lock);
	peer = self->peer ? unix_get(self->peer) : NULL;
	spin_unlock(&self->socket.lock);
	return peer;
}

void unix_datagram_disconnected(struct unix_socket *self, struct unix_socket *peer)
{
	struct list messages = LIST_INIT(messages);
	bool told = false;

	mutex_lock(&self->read_lock); /* a reader may look at the first message */
	spin_lock(&self->socket.lock);
	list_splice_tail(&messages, &self->messages);
	WRITE_ONCE(self->message_count, 0);
	spin_unlock(&self->socket.lock);
	mutex_unlock(&self->read_lock);
	if (!list_empty(&messages)) {
		unix_messages_free(&messages);
		wake_up_all(&self->room_wait);
		/* What it sent is lost. */
		spin_lock(&peer->socket.lock);
		told = !peer->dead && peer->peer == self;
		if (told)
			atomic_set(&peer->socket.error, ECONNRESET);
		spin_unlock(&peer->socket.lock);
	}
	if (told)
		unix_wake_all(peer);
}

/* `other` (NULL: nobody) becomes whom self sends to; its reference is taken over. */
static int set_peer(struct unix_socket *self, struct unix_socket *other)
{
	struct unix_socket *old;
	int error = 0;

	unix_lock_two(self, other ? other : self);
	if (other && other->dead)
		error = -ECONNREFUSED;
	else if (other && other->peer && other->peer != self)
		error = -EPERM;
	old = self->peer;
	if (!error) {
		unix_relay_leave(self);
		WRITE_ONCE(self->peer, other);
		WRITE_ONCE(self->state, other ? UNIX_CONNECTED : UNIX_OPEN);
	}
	unix_unlock_two(self, other ? other : self);
	if (error) {
		unix_put(other);
		return error;
	}
	if (old) {
		if (old != other)
			unix_datagram_disconnected(self, old);
		unix_put(old);
	}
	wake_up_all(&self->socket.write_wait);
	return 0;
}

int unix_datagram_connect(struct unix_socket *self, const struct socket_address *address)
{
	struct unix_socket *other;
	int error;

	if (address->length < sizeof(u16))
		return -EINVAL;
	if (address->family == AF_UNSPEC)
		return set_peer(self, NULL);
	error = unix_name_sender(self, address);
	if (error)
		return error;
	other = unix_find(address, self->socket.type);
	if (IS_ERR(other))
		return (int)PTR_ERR(other);
	return set_peer(self, other);
}

/* ---- Sending ---- */

/* The peer that self was connected to is closed. */
static int peer_is_gone(struct unix_socket *self, struct unix_socket *peer)
{
	bool was_peer;

	if (is_connection(self))
		return -EPIPE;
	spin_lock(&self->socket.lock);
	was_peer = self->peer == peer;
	if (was_peer) {
		unix_relay_leave(self);
		WRITE_ONCE(self->peer, NULL);
		WRITE_ONCE(self->state, UNIX_OPEN);
	}
	spin_unlock(&self->socket.lock);
	if (was_peer) {
		unix_datagram_disconnected(self, peer);
		unix_put(peer);
	}
	return -ECONNREFUSED;
}

static int wait_for_receiver(struct unix_socket *self, struct unix_socket *receiver, unsigned int flags)
{
	u64 timeout = READ_ONCE(self->socket.send_timeout_ns), deadline_ns;
	int error;

	if ((flags & MSG_DONTWAIT) || !timeout)
		return -EAGAIN;
	deadline_ns = socket_deadline(timeout);
	error = wait_event_interruptible_until(&receiver->room_wait,
					       !full_for(self, receiver) || READ_ONCE(receiver->dead) ||
						       (READ_ONCE(receiver->shutdown) & UNIX_NO_RECEIVE),
					       deadline_ns);
	return socket_wait_error(error, timeout);
}

/* Queues the message: it is the receiver's then. -EAGAIN: its queue is full. */
static int deliver(struct unix_socket *self, struct unix_socket *receiver, struct unix_message *message)
{
	int error = 0;

	if (unlikely(READ_ONCE(receiver->socket.switches) & SOCKET_STAMPS))
		message->arrival_ns = time_realtime_ns();
	spin_lock(&receiver->socket.lock);
	if (receiver->peer && receiver->peer != self)
		error = -EPERM;
	else if (receiver->dead)
		error = -ECONNREFUSED;
	else if (receiver->shutdown & UNIX_NO_RECEIVE)
		error = -EPIPE;
	else if (full_for(self, receiver))
		error = -EAGAIN;
	else
		unix_message_queue(receiver, message);
	spin_unlock(&receiver->socket.lock);
	if (!error)
		socket_wake(&receiver->socket.read_wait, READ_EVENTS);
	return error;
}

/* Until it is queued, or cannot be. */
static int send_to(struct unix_socket *self, struct unix_socket *receiver,
		   struct unix_message *message, unsigned int flags)
{
	int error;

	while ((error = deliver(self, receiver, message)) == -EAGAIN) {
		error = wait_for_receiver(self, receiver, flags);
		if (error)
			return error;
	}
	return error == -ECONNREFUSED ? peer_is_gone(self, receiver) : error;
}

static struct unix_socket *receiver_of(struct unix_socket *self, const struct socket_message *from)
{
	const struct socket_address *address = from->address;
	struct unix_socket *receiver;
	int error;

	/* A sequence of packets has its peer, whatever address is given. */
	if (is_connection(self) || !address || !address->length) {
		receiver = peer_get(self);
		return receiver ? receiver : ERR_PTR(-ENOTCONN);
	}
	error = unix_name_sender(self, address);
	return error ? ERR_PTR(error) : unix_find(address, self->socket.type);
}

ssize_t unix_datagram_send(struct socket *socket, struct socket_message *from)
{
	struct unix_socket *self = unix_of(socket), *receiver;
	struct unix_message *message;
	size_t size = from->data->count;
	int error;

	if (is_connection(self) && READ_ONCE(self->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	if (from->flags & MSG_OOB)
		return -EOPNOTSUPP;
	receiver = receiver_of(self, from);
	if (IS_ERR(receiver))
		return PTR_ERR(receiver);
	error = unix_name_sender(self, NULL);
	if (!error && size > READ_ONCE(socket->send_buffer) - SIZE_OVERHEAD)
		error = -EMSGSIZE;
	if (error)
		goto out;
	message = unix_message_create(self, size, from);
	if (IS_ERR(message)) {
		error = (int)PTR_ERR(message);
		goto out;
	}
	error = iter_copy_from(from->data, message->data, size) == size ? 0 : -EFAULT;
	if (!error)
		error = unix_message_attach(message, from->ancillary);
	if (!error)
		error = send_to(self, receiver, message, from->flags);
	if (error)
		unix_message_free(message);
out:
	unix_put(receiver);
	return error ? error : (ssize_t)size;
}

/* ---- Receiving ---- */

/* The first message that this read is about; read_lock is held. NULL: none. */
static struct unix_message *first_message(struct unix_socket *self, size_t *skip)
{
	struct unix_message *message, *found = NULL;

	spin_lock(&self->socket.lock);
	list_for_each(message, &self->messages, link) {
		if (!*skip || *skip < message->length) {
			found = message;
			break;
		}
		*skip -= message->length;
	}
	spin_unlock(&self->socket.lock);
	return found;
}

/* Waits for a message; read_lock is held again afterwards. ERR_PTR; NULL: there will be none. */
static struct unix_message *await_message(struct unix_socket *self, unsigned int flags, size_t *skip)
{
	u64 timeout = READ_ONCE(self->socket.receive_timeout_ns), deadline_ns = WAIT_FOREVER;
	size_t wanted = *skip;

	if (timeout != WAIT_FOREVER)
		deadline_ns = socket_deadline(timeout);
	for (;;) {
		unsigned int arrivals = READ_ONCE(self->arrivals);
		struct unix_message *message;
		int error = socket_take_error(&self->socket);

		if (error)
			return ERR_PTR(error);
		*skip = wanted;
		message = first_message(self, skip);
		if (message)
			return message;
		if ((READ_ONCE(self->shutdown) & UNIX_NO_RECEIVE) &&
		    (is_connection(self) || !(flags & MSG_DONTWAIT)))
			return NULL;
		if ((flags & MSG_DONTWAIT) || !timeout)
			return ERR_PTR(-EAGAIN);
		mutex_unlock(&self->read_lock);
		error = wait_event_interruptible_until(
			&self->socket.read_wait,
			READ_ONCE(self->arrivals) != arrivals || atomic_read(&self->socket.error) ||
				(READ_ONCE(self->shutdown) & UNIX_NO_RECEIVE),
			deadline_ns);
		mutex_lock(&self->read_lock);
		if (error)
			return ERR_PTR(socket_wait_error(error, timeout));
	}
}

/* Copies a message to the reader. How much of it was there, or a negative errno. */
static ssize_t copy_message(struct unix_socket *self, struct unix_message *message, size_t skip,
			    struct socket_message *to)
{
	size_t length = message->length - skip, size = min(length, to->data->count);
	int error = 0;

	if (iter_copy_to(to->data, message->data + skip, size) < size)
		return -EFAULT;
	if (size < length)
		to->result_flags |= MSG_TRUNC;
	if (to->address)
		unix_name_tell(smp_load_acquire(&message->sender->name), to->address);
	if (message->files)
		error = unix_message_files(self, message, to);
	unix_message_sender(self, message, to);
	unix_message_stamp(self, message, to);
	if (error)
		return error;
	return (ssize_t)(to->flags & MSG_TRUNC ? length : size);
}

ssize_t unix_datagram_receive(struct socket *socket, struct socket_message *to)
{
	struct unix_socket *self = unix_of(socket);
	s32 peek_offset = READ_ONCE(socket->peek_offset);
	bool peek = to->flags & MSG_PEEK;
	size_t skip = peek && peek_offset > 0 ? (size_t)peek_offset : 0;
	struct unix_message *message;
	ssize_t result;

	if (is_connection(self) && READ_ONCE(self->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	if (to->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (mutex_lock_interruptible(&self->read_lock)) /* another reader's copy may wait for a page */
		return socket_wait_error(-ERESTARTSYS, READ_ONCE(socket->receive_timeout_ns));
	message = await_message(self, to->flags, &skip);
	if (IS_ERR_OR_NULL(message)) {
		mutex_unlock(&self->read_lock);
		return message ? PTR_ERR(message) : 0;
	}
	if (!peek) { /* it is this reader's, whatever comes */
		spin_lock(&self->socket.lock);
		unix_message_unqueue(self, message);
		spin_unlock(&self->socket.lock);
	}
	result = copy_message(self, message, skip, to);
	if (result > 0 && peek_offset >= 0)
		WRITE_ONCE(socket->peek_offset, peek ? peek_offset + (s32)result
						     : max(peek_offset - (s32)message->length, 0));
	mutex_unlock(&self->read_lock);
	if (!peek) {
		socket_wake(&self->room_wait, 0);
		unix_message_free(message);
	}
	return result;
}

/* ---- poll ---- */

/* Can self send to its peer? If not, who waits for self is woken when it can. */
static bool peer_has_room(struct unix_socket *self)
{
	bool room = true;

	spin_lock(&self->socket.lock);
	if (self->peer && full_for(self, self->peer)) {
		if (!READ_ONCE(self->relay.link.next))
			wait_queue_add(&self->peer->room_wait, &self->relay);
		smp_mb(); /* linked before the look; pairs with the barrier in socket_wake() */
		room = !full_for(self, self->peer);
	}
	spin_unlock(&self->socket.lock);
	return room;
}

u32 unix_datagram_poll(struct socket *socket, struct file *file, struct poll_table *table)
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
	if (shutdown & UNIX_NO_RECEIVE)
		events |= POLLRDHUP | READ_EVENTS;
	if (shutdown == (UNIX_NO_RECEIVE | UNIX_NO_SEND) || (is_connection(self) && state == UNIX_OPEN))
		events |= POLLHUP;
	if (READ_ONCE(self->message_count) || READ_ONCE(self->connection_count))
		events |= READ_EVENTS;
	if (state != UNIX_LISTENING && unix_writable(self) && peer_has_room(self))
		events |= WRITE_EVENTS;
	return events;
}
