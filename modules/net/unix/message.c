/* Messages: made and charged by the sender, queued at the receiver, freed by the reader. */
#include <kumo/kva.h>
#include <kumo/module.h>
#include <kumo/slab.h>
#include <kumo/thread.h>

#include "unix.h"

#define MESSAGE_OVERHEAD 512 /* bytes charged for a message as such; Linux charges about this */
#define MESSAGE_SIZE_MIN                                                                           \
	256 /* bytes allocated at least: small writes to a stream join what is there */

static bool has_room(const struct unix_socket *self)
{
	return (u32)atomic_read(&self->charged) < READ_ONCE(self->socket.send_buffer);
}

static bool must_stop_sending(const struct unix_socket *self)
{
	return (READ_ONCE(self->shutdown) & UNIX_NO_SEND) || atomic_read(&self->socket.error);
}

static __noinline int wait_for_room(struct unix_socket *self, unsigned int flags)
{
	u64 timeout = READ_ONCE(self->socket.send_timeout_ns), deadline_ns;
	int error;

	if ((flags & MSG_DONTWAIT) || !timeout)
		return -EAGAIN;
	deadline_ns = socket_deadline(timeout);
	error = wait_event_interruptible_until(
		&self->socket.write_wait, has_room(self) || must_stop_sending(self), deadline_ns);
	return socket_wait_error(error, timeout);
}

struct unix_message *unix_message_create(struct unix_socket *self, size_t size,
					 const struct socket_message *from)
{
	size_t capacity = max(sizeof(struct unix_message) + size, (size_t)MESSAGE_SIZE_MIN);
	struct unix_message *message;
	int error;

	for (;;) {
		error = socket_take_error(&self->socket);
		if (!error && (READ_ONCE(self->shutdown) & UNIX_NO_SEND))
			error = -EPIPE;
		if (unlikely(error))
			return ERR_PTR(error);
		if (likely(has_room(self)))
			break;
		error = wait_for_room(self, from->flags);
		if (error)
			return ERR_PTR(error);
	}
	message = likely(capacity <= KMALLOC_CACHE_MAX) ? kmalloc(capacity, GFP_USER)
							: kvmalloc(capacity, GFP_USER);
	if (unlikely(!message))
		return ERR_PTR(-ENOBUFS);
	message->sender = unix_get(self);
	message->files = NULL;
	message->length = (u32)size;
	message->done = 0;
	message->urgent = false;
	message->arrival_ns = 0;
	message->capacity = (u32)(capacity - sizeof(*message));
	message->charge = MESSAGE_OVERHEAD + (u32)capacity;
	message->credentials = from->ancillary ? from->ancillary->sender : socket_current_sender();
	atomic_add(&self->charged, (int)message->charge);
	return message;
}

void unix_message_free(struct unix_message *message)
{
	struct unix_socket *sender = message->sender;

	if (unlikely(message->files))
		unix_files_drop(message->files);
	atomic_add(&sender->charged, -(int)message->charge);
	if (unix_writable(sender))
		socket_wake(&sender->socket.write_wait, WRITE_EVENTS);
	if (likely(message->capacity + sizeof(*message) <= KMALLOC_CACHE_MAX))
		kfree(message);
	else
		kvfree(message);
	unix_put(sender);
}

void unix_messages_free(struct list *messages)
{
	struct unix_message *message, *after;

	list_for_each_safe(message, after, messages, link) {
		list_del(&message->link);
		unix_message_free(message);
		cond_resched();
	}
}

int unix_message_attach(struct unix_message *message, struct ancillary *ancillary)
{
	int error;

	if (!ancillary || !ancillary->files)
		return 0;
	error = unix_flight_begin(ancillary->files);
	if (error)
		return error;
	message->files = ancillary->files;
	ancillary->files = NULL;
	return 0;
}

int unix_message_files(struct unix_socket *receiver, struct unix_message *message,
		       struct socket_message *to)
{
	struct passed_files *files;

	if (to->flags & MSG_PEEK) {
		if (!to->ancillary) {
			to->result_flags |= MSG_CTRUNC;
			return 0;
		}
		files = unix_flight_copy(message->files);
		if (!files)
			return -ENOMEM;
		to->ancillary->files = files;
		return 0;
	}
	spin_lock(&receiver->socket.lock);
	files = message->files;
	message->files = NULL;
	spin_unlock(&receiver->socket.lock);
	if (!to->ancillary) {
		unix_files_drop(files);
		to->result_flags |= MSG_CTRUNC;
		return 0;
	}
	unix_flight_end(files);
	to->ancillary->files = files;
	return 0;
}

void unix_message_sender(const struct unix_socket *receiver, const struct unix_message *message,
			 struct socket_message *to)
{
	if (!(READ_ONCE(receiver->socket.switches) & SOCKET_PASS_CREDENTIALS))
		return;
	if (!to->ancillary) {
		to->result_flags |= MSG_CTRUNC;
		return;
	}
	to->ancillary->sender = message->credentials;
	to->ancillary->has_sender = true;
}

void unix_message_stamp(const struct unix_socket *receiver, const struct unix_message *message,
			struct socket_message *to)
{
	u32 switches = READ_ONCE(receiver->socket.switches);

	if (likely(!(switches & SOCKET_STAMPS)) || !to->ancillary)
		return;
	to->ancillary->stamp_type = switches & SOCKET_TIMESTAMP ? SO_TIMESTAMP : SO_TIMESTAMPNS;
	/* It came before the option was set: now is the best there is. */
	to->ancillary->arrival_ns = message->arrival_ns ? message->arrival_ns : time_realtime_ns();
}
