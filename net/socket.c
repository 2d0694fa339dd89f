/*
 * Sockets as open files, and the registry of protocol families. Nothing here belongs to one protocol.
 *
 * A socket lives as long as its file; what the family keeps of it beyond that (because a peer still looks at it, say) is the
 * family's business. The file holds the family's module.
 */
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <kumo/async.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/poll.h>
#include <kumo/socket.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

static spinlock_t families_lock = SPINLOCK_INIT("socket_families");
static const struct socket_family *families[AF_MAX]; /* under families_lock */

/* ---- Families ---- */

int socket_family_register(const struct socket_family *family)
{
	int error = -EEXIST;

	if (family->number <= AF_UNSPEC || family->number >= AF_MAX)
		return -EINVAL;
	spin_lock(&families_lock);
	if (!families[family->number]) {
		families[family->number] = family;
		error = 0;
	}
	spin_unlock(&families_lock);
	return error;
}
EXPORT_SYMBOL(socket_family_register);

void socket_family_unregister(const struct socket_family *family)
{
	spin_lock(&families_lock);
	WARN_ON(families[family->number] != family);
	families[family->number] = NULL;
	spin_unlock(&families_lock);
}
EXPORT_SYMBOL(socket_family_unregister);

/* Its module is pinned until module_put(). */
static const struct socket_family *family_get(int number)
{
	const struct socket_family *family;

	spin_lock(&families_lock);
	family = families[number];
	if (family && family->owner && !try_module_get(family->owner))
		family = NULL;
	spin_unlock(&families_lock);
	return family;
}

int socket_create(int number, unsigned int type, int protocol, struct socket **socket)
{
	const struct socket_family *family;
	int error;

	if (number < 0 || number >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type >= SOCK_MAX)
		return -EINVAL;
	family = family_get(number);
	if (!family) {
		(void)request_module("net-pf-%d", number); /* what counts is whether the family is there now */
		family = family_get(number);
	}
	if (!family)
		return -EAFNOSUPPORT;
	error = family->create(type, protocol, socket);
	if (error && family->owner)
		module_put(family->owner);
	return error;
}
EXPORT_SYMBOL(socket_create);

void socket_release(struct socket *socket)
{
	struct module *owner = socket->family->owner;

	socket->ops->release(socket);
	if (owner)
		module_put(owner);
}
EXPORT_SYMBOL(socket_release);

void socket_init(struct socket *socket, const struct socket_family *family,
		 const struct socket_ops *ops, unsigned int type)
{
	memset(socket, 0, sizeof(*socket));
	socket->ops = ops;
	socket->family = family;
	spin_init(&socket->lock, "socket");
	socket->type = (u16)type;
	socket->send_buffer = READ_ONCE(socket_settings.send_buffer);
	socket->receive_buffer = READ_ONCE(socket_settings.receive_buffer);
	socket->receive_low = 1;
	socket->peek_offset = socket->incoming_cpu = -1;
	socket->pacing_rate = SOCKET_NO_PACING;
	socket->send_timeout_ns = socket->receive_timeout_ns = WAIT_FOREVER;
	wait_queue_init(&socket->read_wait);
	wait_queue_init(&socket->write_wait);
}
EXPORT_SYMBOL(socket_init);

void socket_destroy(struct socket *socket)
{
	if (socket->peer_cred)
		cred_put(socket->peer_cred);
}
EXPORT_SYMBOL(socket_destroy);

void socket_set_peer(struct socket *socket, u32 pid, const struct cred *cred)
{
	const struct cred *old;

	spin_lock(&socket->lock);
	old = socket->peer_cred;
	socket->peer_pid = pid;
	socket->peer_cred = cred_get(cred);
	spin_unlock(&socket->lock);
	if (old)
		cred_put(old);
}
EXPORT_SYMBOL(socket_set_peer);

/* ---- Sockets as files ---- */

static inline unsigned int message_flags(const struct file *file)
{
	return file->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

static ssize_t socket_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct socket *socket = file->private;
	struct socket_message message = {
		.data = to, .flags = message_flags(file) | (to->nowait ? MSG_DONTWAIT : 0)
	};

	if (!to->count)
		return 0;
	return socket->ops->receive ? socket->ops->receive(socket, &message) : -EOPNOTSUPP;
}

static ssize_t socket_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct socket *socket = file->private;
	struct socket_message message = { .data = from, .flags = message_flags(file) };

	if (socket->type == SOCK_SEQPACKET)
		message.flags |= MSG_EOR;
	return socket->ops->send ? socket->ops->send(socket, &message) : -EOPNOTSUPP;
}

static u32 socket_poll(struct file *file, struct poll_table *table)
{
	struct socket *socket = file->private;

	return socket->ops->poll(socket, file, table);
}

static long socket_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct socket *socket = file->private;
	int owner;

	switch (command) {
	case FIOSETOWN:
	case SIOCSPGRP:
		if (get_user(owner, (int __user *)argument))
			return -EFAULT;
		return file_owner_set_number(file, owner);
	case FIOGETOWN:
	case SIOCGPGRP:
		return put_user(file_owner_number(file), (int __user *)argument);
	default:
		return socket->ops->ioctl ? socket->ops->ioctl(socket, command, argument) : -ENOTTY;
	}
}

static void socket_clunk(struct file *file)
{
	struct socket *socket = file->private;

	socket->ops->release(socket); /* the file itself lets go of the module after this */
}

const struct tree_ops socket_file_ops = {
	.clunk = socket_clunk,
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
};

struct file *socket_file(struct socket *socket, u32 flags)
{
	struct file *file = file_anonymous("socket", &socket_file_ops, socket,
					   (flags & O_NONBLOCK) | O_RDWR,
					   FILE_READ | FILE_WRITE | FILE_STREAM);

	if (IS_ERR(file)) {
		socket_release(socket);
		return file;
	}
	file->owner = socket->family->owner;
	file->node->attr.mode = S_IFSOCK | 0777;
	WRITE_ONCE(socket->file, file);
	return file;
}
EXPORT_SYMBOL(socket_file);

struct socket *socket_of_file(const struct file *file)
{
	return likely(file->ops == &socket_file_ops) ? file->private : NULL;
}
EXPORT_SYMBOL(socket_of_file);
