/*
 * unix.ko: AF_UNIX, sockets between processes of one machine (unix(7)). Streams, datagrams and sequences of packets; names in
 * trees, abstract names, and pairs without names; open files and credentials that travel with messages.
 *
 * This file has the life of a socket, and the tables. A socket's memory stays as long as its file, a peer or a message of its own
 * refers to it; the module stays as long as there is an open socket, which includes those that travel in messages. The
 * last reference to any socket is dropped by an operation on an open one, so no code of the module runs after its removal.
 */
#define LOG_PREFIX "unix: "
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/slab.h>
#include <kumo/uaccess.h>
#include <linux/un.h>

#include "unix.h"

struct mutex sockets_lock = MUTEX_INIT(sockets_lock, "unix_sockets");
struct list sockets = LIST_INIT(sockets);

static const struct socket_ops stream_ops, datagram_ops, packet_ops;

/* ---- Life ---- */

struct unix_socket *unix_alloc(unsigned int type)
{
	struct unix_socket *self = kzalloc(sizeof(*self), GFP_USER);

	if (!self)
		return NULL;
	socket_init(&self->socket, &unix_family,
		    type == SOCK_STREAM	     ? &stream_ops
		    : type == SOCK_SEQPACKET ? &packet_ops
					     : &datagram_ops,
		    type);
	refcount_set(&self->refs, 1);
	list_init(&self->messages);
	list_init(&self->connections);
	list_init(&self->flight_link);
	self->backlog = READ_ONCE(unix_queue_max);
	mutex_init(&self->read_lock, "unix_read");
	mutex_init(&self->bind_lock, "unix_bind");
	wait_queue_init(&self->room_wait);
	spin_init(&self->room_wait.lock, "unix_room"); /* a relay takes another queue's inside */
	wait_entry_init(&self->relay);
	self->relay.wake = unix_relay_wake;
	mutex_lock(&sockets_lock);
	list_add_tail(&sockets, &self->all_link);
	mutex_unlock(&sockets_lock);
	return self;
}

void unix_put(struct unix_socket *self)
{
	if (!refcount_dec_and_test(&self->refs))
		return;
	unix_name_put(self->name);
	socket_destroy(&self->socket);
	kfree(self);
}

void unix_lock_two(struct unix_socket *a, struct unix_socket *b)
{
	spin_lock(a < b ? &a->socket.lock : &b->socket.lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->socket.lock : &a->socket.lock, 1);
}

void unix_unlock_two(struct unix_socket *a, struct unix_socket *b)
{
	spin_unlock(&a->socket.lock);
	if (a != b)
		spin_unlock(&b->socket.lock);
}

void unix_wake_all(struct unix_socket *self)
{
	wake_up_all(&self->socket.read_wait);
	wake_up_all(&self->socket.write_wait);
}

/* A connection's other end learns that it stands alone; with ECONNRESET when something it sent was not read. */
static void hang_up(struct unix_socket *peer, bool unread)
{
	spin_lock(&peer->socket.lock);
	WRITE_ONCE(peer->shutdown, UNIX_NO_RECEIVE | UNIX_NO_SEND);
	if (unread)
		atomic_set(&peer->socket.error, ECONNRESET);
	spin_unlock(&peer->socket.lock);
	unix_wake_all(peer);
}

/* Is there more than the place of a byte that was read out of band? */
static bool unread(const struct list *messages)
{
	const struct unix_message *message;

	list_for_each(message, messages, link)
		if (!message->urgent || message->done < message->length)
			return true;
	return false;
}

void unix_close(struct unix_socket *self, bool embryo)
{
	struct list messages = LIST_INIT(messages), connections = LIST_INIT(connections);
	struct unix_socket *peer, *connection, *after;

	unix_name_remove(self);
	mutex_lock(&sockets_lock);
	list_del(&self->all_link);
	mutex_unlock(&sockets_lock);
	spin_lock(&self->socket.lock);
	self->dead = true;
	WRITE_ONCE(self->state, UNIX_OPEN);
	WRITE_ONCE(self->shutdown, UNIX_NO_RECEIVE | UNIX_NO_SEND);
	peer = self->peer;
	unix_relay_leave(self);
	WRITE_ONCE(self->peer, NULL);
	list_splice_tail(&messages, &self->messages);
	list_splice_tail(&connections, &self->connections);
	WRITE_ONCE(self->message_count, 0);
	WRITE_ONCE(self->urgent, NULL);
	spin_unlock(&self->socket.lock);
	wake_up_all(&self->room_wait);
	if (peer) {
		if (is_connection(self))
			hang_up(peer, embryo || unread(&messages));
		unix_put(peer);
	}
	list_for_each_safe(connection, after, &connections, connection_link)
		unix_close(connection, true); /* it has no connections of its own */
	unix_messages_free(&messages);
	unix_put(self);
}

static void unix_release(struct socket *socket)
{
	unix_close(unix_of(socket), false);
	unix_collect();
}

static int unix_create(unsigned int type, int protocol, struct socket **socket)
{
	struct unix_socket *self;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW) /* of old */
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	self = unix_alloc(type);
	if (!self)
		return -ENOMEM;
	*socket = &self->socket;
	return 0;
}

/* ---- Questions ---- */

static int unread_bytes(struct unix_socket *self)
{
	struct unix_message *message;
	int bytes = 0;

	if (READ_ONCE(self->state) == UNIX_LISTENING)
		return -EINVAL;
	spin_lock(&self->socket.lock);
	list_for_each(message, &self->messages, link) {
		bytes += (int)(message->length - message->done);
		if (!is_connection(self))
			break; /* the next datagram's */
	}
	spin_unlock(&self->socket.lock);
	return bytes;
}

/* SIOCUNIXFILE: a descriptor (O_PATH) of the file that the socket is bound to. */
static long open_name(const struct unix_socket *self)
{
	const struct unix_name *name = smp_load_acquire(&self->name);
	struct file *file;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!name || !name->path.entry)
		return -ENOENT;
	file = file_open(&name->path, O_PATH, current->cred);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, O_CLOEXEC);
}

static long unix_ioctl(struct socket *socket, unsigned int command, unsigned long argument)
{
	struct unix_socket *self = unix_of(socket);
	int bytes;

	switch (command) {
	case SIOCINQ:
		bytes = unread_bytes(self);
		return bytes < 0 ? bytes : put_user(bytes, (int __user *)argument);
	case SIOCOUTQ:
		return put_user(atomic_read(&self->charged), (int __user *)argument);
	case SIOCATMARK:
		if (socket->type != SOCK_STREAM)
			return -EOPNOTSUPP;
		return put_user(unix_stream_at_mark(self), (int __user *)argument);
	case SIOCUNIXFILE:
		return open_name(self);
	default:
		return -ENOTTY;
	}
}

/* SO_PEEK_OFF: where MSG_PEEK begins. */
static int unix_set_option(struct socket *socket, int level, int option, const void __user *value,
			   unsigned int length)
{
	int offset;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (option != SO_PEEK_OFF)
		return -ENOPROTOOPT;
	if (get_user(offset, (const int __user *)value))
		return -EFAULT;
	WRITE_ONCE(socket->peek_offset, offset);
	return 0;
}

static int unix_get_option(struct socket *socket, int level, int option, void __user *value,
			   unsigned int *length)
{
	int offset = READ_ONCE(socket->peek_offset);

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (option != SO_PEEK_OFF)
		return -ENOPROTOOPT;
	*length = min(*length, (unsigned int)sizeof(offset));
	return copy_to_user(value, &offset, *length) ? -EFAULT : 0;
}

/* ---- Tables ---- */

#define OPERATIONS_OF_ALL                                                                          \
	.release = unix_release, .bind = unix_bind, .connect = unix_connect, .pair = unix_pair,    \
	.name = unix_tell_name, .shutdown = unix_shutdown, .ioctl = unix_ioctl,                    \
	.set_option = unix_set_option, .get_option = unix_get_option

static const struct socket_ops stream_ops = {
	OPERATIONS_OF_ALL,	  .listen = unix_listen,	  .accept = unix_accept,
	.send = unix_stream_send, .receive = unix_stream_receive, .poll = unix_stream_poll,
};

static const struct socket_ops packet_ops = {
	OPERATIONS_OF_ALL,
	.listen = unix_listen,
	.accept = unix_accept,
	.send = unix_datagram_send,
	.receive = unix_datagram_receive,
	.poll = unix_datagram_poll,
};

static const struct socket_ops datagram_ops = {
	OPERATIONS_OF_ALL,
	.send = unix_datagram_send,
	.receive = unix_datagram_receive,
	.poll = unix_datagram_poll,
};

const struct socket_family unix_family = {
	.number = AF_UNIX,
	.owner = THIS_MODULE,
	.create = unix_create,
};

static int __init unix_init(void)
{
	int error;

	unix_rights_init();
	error = unix_proc_init();
	if (error)
		return error;
	error = socket_family_register(&unix_family);
	if (error)
		unix_proc_exit();
	return error;
}

static void __exit unix_exit(void)
{
	socket_family_unregister(&unix_family);
	unix_proc_exit();
	unix_rights_exit();
}

module_init(unix_init);
module_exit(unix_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("AF_UNIX: sockets between processes of one machine");
MODULE_ALIAS("net-pf-1");
