/* System calls on sockets: made, named, connected, and messages sent and received. */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/slab.h>
#include <kumo/socket.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/limits.h>

#include "segments.h"

#define CONTROL_INLINE 64
#define MESSAGES_MAX UIO_MAXIOV /* of one sendmmsg */

struct user_message { /* struct msghdr */
	void __user *name;
	int name_length;
	struct iovec __user *segments;
	size_t segment_count;
	void __user *control;
	size_t control_length;
	unsigned int flags;
};

struct user_message_entry { /* struct mmsghdr */
	struct user_message message;
	unsigned int length;
};

/* ---- Arguments ---- */

/* Borrows the socket of a descriptor; -EBADF, -ENOTSOCK. To be given back with fd_release(). */
static struct socket *socket_borrow(int fd, struct fd_ref *ref)
{
	struct socket *socket;

	*ref = fd_borrow((unsigned int)fd);
	if (unlikely(!ref->file))
		return ERR_PTR(-EBADF);
	socket = socket_of_file(ref->file);
	if (unlikely(!socket)) {
		fd_release(*ref);
		return ERR_PTR(-ENOTSOCK);
	}
	return socket;
}

static int address_get(struct socket_address *address, const void __user *user, int length)
{
	if (length < 0 || length > (int)sizeof(address->storage))
		return -EINVAL;
	address->length = (unsigned int)length;
	return copy_from_user(address->bytes, user, (size_t)length) ? -EFAULT : 0;
}

/* Tells an address: as much as there is room for, and its true length. */
static int address_put(const struct socket_address *address, void __user *user, int __user *length)
{
	int room;

	if (get_user(room, length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_to_user(user, address->bytes,
			 min((size_t)room, min((size_t)address->length, sizeof(address->storage)))))
		return -EFAULT;
	return put_user((int)address->length, length);
}

static inline unsigned int wait_flag(const struct file *file)
{
	return file->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

/* ---- Making ---- */

static int type_check(int *type, u32 *flags)
{
	*flags = (u32)*type & ~(u32)SOCK_TYPE_MASK;
	*type &= SOCK_TYPE_MASK;
	return *flags & ~(u32)(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : 0;
}

long sys_socket(int family, int type, int protocol)
{
	struct socket *socket;
	struct file *file;
	u32 flags;
	int error = type_check(&type, &flags);

	if (!error)
		error = socket_create(family, (unsigned int)type, protocol, &socket);
	if (error)
		return error;
	file = socket_file(socket, flags);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return fd_add(file, flags & O_CLOEXEC);
}

/* Two connected sockets with their files. */
static int make_pair(int family, int type, int protocol, u32 flags, struct file *files[2])
{
	struct socket *sockets[2];
	int error = socket_create(family, (unsigned int)type, protocol, &sockets[0]);

	if (error)
		return error;
	error = socket_create(family, (unsigned int)type, protocol, &sockets[1]);
	if (error) {
		socket_release(sockets[0]);
		return error;
	}
	error = sockets[0]->ops->pair ? sockets[0]->ops->pair(sockets[0], sockets[1]) : -EOPNOTSUPP;
	if (error) {
		socket_release(sockets[0]);
		socket_release(sockets[1]);
		return error;
	}
	files[0] = socket_file(sockets[0], flags);
	if (IS_ERR(files[0])) {
		socket_release(sockets[1]);
		return (int)PTR_ERR(files[0]);
	}
	files[1] = socket_file(sockets[1], flags);
	if (IS_ERR(files[1])) {
		file_put(files[0]);
		return (int)PTR_ERR(files[1]);
	}
	return 0;
}

long sys_socketpair(int family, int type, int protocol, int __user *ends)
{
	struct file *files[2] = {};
	int fds[2], error;
	u32 flags;

	error = type_check(&type, &flags);
	if (error)
		return error;
	error = fds[0] = fd_reserve(0, flags & O_CLOEXEC);
	if (error < 0)
		return error;
	error = fds[1] = fd_reserve(0, flags & O_CLOEXEC);
	if (error < 0)
		goto fail_first;
	error = -EFAULT;
	if (copy_to_user(ends, fds, sizeof(fds)))
		goto fail_second;
	error = make_pair(family, type, protocol, flags, files);
	if (error)
		goto fail_second;
	fd_install(fds[0], files[0]);
	fd_install(fds[1], files[1]);
	return 0;

fail_second:
	fd_unreserve(fds[1]);
fail_first:
	fd_unreserve(fds[0]);
	return error;
}

/* ---- Names and connections ---- */

static long with_address(int fd, const void __user *user, int length, bool connect)
{
	struct socket_address address;
	struct fd_ref ref;
	struct socket *socket = socket_borrow(fd, &ref);
	long result;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = address_get(&address, user, length);
	if (!result && connect)
		result = socket->ops->connect
				 ? socket->ops->connect(socket, &address, wait_flag(ref.file))
				 : -EOPNOTSUPP;
	else if (!result)
		result = socket->ops->bind ? socket->ops->bind(socket, &address) : -EOPNOTSUPP;
	fd_release(ref);
	return result;
}

long sys_bind(int fd, const void __user *address, int length)
{
	return with_address(fd, address, length, false);
}

long sys_connect(int fd, const void __user *address, int length)
{
	return with_address(fd, address, length, true);
}

long sys_listen(int fd, int backlog)
{
	struct fd_ref ref;
	struct socket *socket = socket_borrow(fd, &ref);
	long result = -EOPNOTSUPP;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	if (socket->ops->listen)
		result = socket->ops->listen(
			socket, min((unsigned int)backlog, READ_ONCE(socket_settings.backlog_max)));
	fd_release(ref);
	return result;
}

/* Takes a connection and makes a file of it. */
static struct file *accept_file(struct socket *listener, bool nonblocking, u32 flags,
				void __user *user, int __user *length)
{
	struct socket_address address = {};
	struct socket *socket;
	struct file *file;
	int error = 0;

	if (!listener->ops->accept)
		return ERR_PTR(-EOPNOTSUPP);
	socket = listener->ops->accept(listener, nonblocking);
	if (IS_ERR(socket))
		return ERR_PTR(PTR_ERR(socket));
	if (socket->family->owner)
		__module_get(socket->family->owner); /* the listener holds it */
	file = socket_file(socket, flags);
	if (IS_ERR(file) || !user)
		return file;
	if (socket->ops->name(socket, &address, true))
		error = -ECONNABORTED;
	else
		error = address_put(&address, user, length);
	if (error) {
		file_put(file);
		return ERR_PTR(error);
	}
	return file;
}

long sys_accept4(int fd, void __user *address, int __user *length, int flags)
{
	struct socket *socket;
	struct fd_ref ref;
	struct file *file;
	int result;

	socket = socket_borrow(fd, &ref);
	if (IS_ERR(socket))
		return flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) && PTR_ERR(socket) != -EBADF
			       ? -EINVAL
			       : PTR_ERR(socket);
	result = -EINVAL;
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		goto out;
	result = fd_reserve(0, (u32)flags & O_CLOEXEC);
	if (result < 0)
		goto out;
	file = accept_file(socket, wait_flag(ref.file), (u32)flags, address, length);
	if (IS_ERR(file)) {
		fd_unreserve(result);
		result = (int)PTR_ERR(file);
	} else {
		fd_install(result, file);
	}
out:
	fd_release(ref);
	return result;
}

long sys_accept(int fd, void __user *address, int __user *length)
{
	return sys_accept4(fd, address, length, 0);
}

static long tell_name(int fd, void __user *user, int __user *length, bool peer)
{
	struct socket_address address = {};
	struct fd_ref ref;
	struct socket *socket = socket_borrow(fd, &ref);
	long result;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = socket->ops->name ? socket->ops->name(socket, &address, peer) : -EOPNOTSUPP;
	fd_release(ref);
	return result ? result : address_put(&address, user, length);
}

long sys_getsockname(int fd, void __user *address, int __user *length)
{
	return tell_name(fd, address, length, false);
}

long sys_getpeername(int fd, void __user *address, int __user *length)
{
	return tell_name(fd, address, length, true);
}

long sys_shutdown(int fd, int how)
{
	struct fd_ref ref;
	struct socket *socket = socket_borrow(fd, &ref);
	long result = -EINVAL;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	if (how >= SHUT_RD && how <= SHUT_RDWR)
		result = socket->ops->shutdown ? socket->ops->shutdown(socket, how) : -EOPNOTSUPP;
	fd_release(ref);
	return result;
}

long sys_setsockopt(int fd, int level, int option, const void __user *value, int length)
{
	struct fd_ref ref;
	struct socket *socket = socket_borrow(fd, &ref);
	long result;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = socket_set_option(socket, level, option, value, length);
	fd_release(ref);
	return result;
}

long sys_getsockopt(int fd, int level, int option, void __user *value, int __user *length)
{
	struct fd_ref ref;
	struct socket *socket = socket_borrow(fd, &ref);
	long result;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = socket_get_option(socket, level, option, value, length);
	fd_release(ref);
	return result;
}

/* ---- Sending and receiving, one buffer ---- */

static int buffer_get(struct iter *iter, void __user *buffer, size_t size)
{
	size = min(size, TRANSFER_MAX);
	if (unlikely(!user_range_ok(buffer, size)))
		return -EFAULT;
	iter_init_user(iter, buffer, size);
	return 0;
}

static ssize_t message_send(struct socket *socket, struct fd_ref ref, struct socket_message *message)
{
	message->flags |= wait_flag(ref.file);
	return likely(socket->ops->send) ? socket->ops->send(socket, message) : -EOPNOTSUPP;
}

long sys_sendto(int fd, void __user *buffer, size_t size, unsigned int flags,
		const void __user *user, int length)
{
	struct socket_address address = {};
	struct iter iter;
	struct socket_message message = { .data = &iter, .flags = flags };
	struct fd_ref ref;
	struct socket *socket;
	ssize_t result = buffer_get(&iter, buffer, size);

	if (result)
		return result;
	socket = socket_borrow(fd, &ref);
	if (IS_ERR(socket))
		return PTR_ERR(socket);
	if (user) {
		result = address_get(&address, user, length);
		message.address = &address;
	}
	if (!result)
		result = message_send(socket, ref, &message);
	fd_release(ref);
	return result;
}

long sys_recvfrom(int fd, void __user *buffer, size_t size, unsigned int flags, void __user *user,
		  int __user *length)
{
	struct socket_address address;
	struct iter iter;
	struct socket_message message = { .data = &iter, .flags = flags };
	struct fd_ref ref;
	struct socket *socket;
	ssize_t result = buffer_get(&iter, buffer, size);

	if (result)
		return result;
	socket = socket_borrow(fd, &ref);
	if (IS_ERR(socket))
		return PTR_ERR(socket);
	message.flags |= wait_flag(ref.file);
	if (user) {
		address.length = 0;
		message.address = &address;
	}
	result = likely(socket->ops->receive) ? socket->ops->receive(socket, &message) : -EOPNOTSUPP;
	fd_release(ref);
	if (result >= 0 && user) {
		int error = address_put(&address, user, length);

		if (error)
			return error;
	}
	return result;
}

/* ---- With segments and control messages ---- */

/* The header, with what Linux refuses in it. */
static int header_get(struct user_message *header, const struct user_message __user *user)
{
	if (copy_from_user(header, user, sizeof(*header)))
		return -EFAULT;
	if (!header->name)
		header->name_length = 0;
	if (header->name_length < 0)
		return -EINVAL;
	header->name_length = min(header->name_length, (int)sizeof(struct __kernel_sockaddr_storage));
	return 0;
}

static int message_segments(struct segments *segments, struct iter *iter,
			    const struct user_message *header)
{
	if (header->segment_count > UIO_MAXIOV)
		return -EMSGSIZE;
	return segments_get(segments, iter, header->segments, header->segment_count);
}

static int control_get(struct socket *socket, const struct user_message *header,
		       struct ancillary *ancillary)
{
	u64 few[CONTROL_INLINE / sizeof(u64)];
	size_t length = header->control_length;
	char *control = (char *)few;
	int error = -EFAULT;

	if (!header->control || !length)
		return 0;
	if (length > READ_ONCE(socket_settings.control_max))
		return -ENOBUFS;
	if (length > sizeof(few)) {
		control = kmalloc(length, GFP_USER);
		if (!control)
			return -ENOBUFS;
	}
	if (!copy_from_user(control, header->control, length))
		error = ancillary_parse(socket, control, length, ancillary);
	if (control != (char *)few)
		kfree(control);
	return error;
}

static ssize_t send_one(struct socket *socket, struct fd_ref ref,
			const struct user_message __user *user, unsigned int flags)
{
	struct ancillary ancillary = { .sender = socket_current_sender() };
	struct socket_address address = {};
	struct iter iter;
	struct socket_message message = {
		.data = &iter, .flags = flags, .address = &address, .ancillary = &ancillary
	};
	struct user_message header;
	struct segments segments;
	ssize_t result = header_get(&header, user);

	if (!result && header.name_length)
		result = address_get(&address, header.name, header.name_length);
	if (!result)
		result = message_segments(&segments, &iter, &header);
	if (result)
		return result;
	result = control_get(socket, &header, &ancillary);
	if (!result)
		result = message_send(socket, ref, &message);
	passed_files_put(ancillary.files);
	segments_put(&segments);
	return result;
}

long sys_sendmsg(int fd, const struct user_message __user *user, unsigned int flags)
{
	struct fd_ref ref;
	struct socket *socket;
	ssize_t result;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	socket = socket_borrow(fd, &ref);
	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = send_one(socket, ref, user, flags);
	fd_release(ref);
	return result;
}

long sys_sendmmsg(int fd, struct user_message_entry __user *users, unsigned int count, unsigned int flags)
{
	struct fd_ref ref;
	struct socket *socket;
	ssize_t result = 0;
	unsigned int done = 0;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	socket = socket_borrow(fd, &ref);
	if (IS_ERR(socket))
		return PTR_ERR(socket);
	for (count = min(count, (unsigned int)MESSAGES_MAX); done < count; done++) {
		result = send_one(socket, ref, user_member(&users[done], message), flags);
		if (result < 0)
			break;
		if (put_user((unsigned int)result, user_member(&users[done], length))) {
			result = -EFAULT;
			break;
		}
		cond_resched();
	}
	fd_release(ref);
	return done ? (long)done : result < 0 ? result : 0;
}

/* Tells the caller what came beside the bytes. */
static int receive_tell(const struct user_message *header, struct user_message __user *user,
			struct socket_message *message)
{
	struct control_writer writer = { .at = header->control,
					 .left = header->control ? header->control_length : 0,
					 .flags = &message->result_flags };

	ancillary_write(&writer, message->ancillary, message->flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0);
	if (header->name && address_put(message->address, header->name, user_member(user, name_length)))
		return -EFAULT;
	if (put_user(message->result_flags | (message->flags & MSG_CMSG_CLOEXEC),
		     user_member(user, flags)) ||
	    put_user(header->control_length - (header->control ? writer.left : header->control_length),
		     user_member(user, control_length)))
		return -EFAULT;
	return 0;
}

static ssize_t receive_one(struct socket *socket, struct fd_ref ref,
			   struct user_message __user *user, unsigned int flags)
{
	struct ancillary ancillary = {};
	struct socket_address address;
	struct iter iter;
	struct socket_message message = { .data = &iter,
					  .flags = flags | wait_flag(ref.file),
					  .ancillary = &ancillary };
	struct user_message header;
	struct segments segments;
	ssize_t result = header_get(&header, user);
	int error;

	if (!result)
		result = message_segments(&segments, &iter, &header);
	if (result)
		return result;
	address.length = 0;
	if (header.name)
		message.address = &address;
	result = socket->ops->receive ? socket->ops->receive(socket, &message) : -EOPNOTSUPP;
	if (result >= 0) {
		error = receive_tell(&header, user, &message);
		if (error)
			result = error;
	}
	segments_put(&segments);
	return result;
}

long sys_recvmsg(int fd, struct user_message __user *user, unsigned int flags)
{
	struct fd_ref ref;
	struct socket *socket;
	ssize_t result;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	socket = socket_borrow(fd, &ref);
	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = receive_one(socket, ref, user, flags);
	fd_release(ref);
	return result;
}

/* Receives until `count` messages came, the deadline has passed, or nothing is there and MSG_WAITFORONE was given. */
static long receive_many(struct socket *socket, struct fd_ref ref,
			 struct user_message_entry __user *users, unsigned int count,
			 unsigned int flags, u64 deadline_ns)
{
	ssize_t result = socket_take_error(socket);
	unsigned int done = 0;

	while (!result && done < count) {
		result = receive_one(socket, ref, user_member(&users[done], message),
				     flags & ~(unsigned int)MSG_WAITFORONE);
		if (result < 0)
			break;
		if (put_user((unsigned int)result, user_member(&users[done], length))) {
			result = -EFAULT;
			break;
		}
		result = 0;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (time_monotonic_ns() >= deadline_ns)
			break;
		cond_resched();
	}
	if (!done)
		return result;
	/* Some were received: what then went wrong is told by the next call. */
	if (result < 0 && result != -EAGAIN && result != -ERESTARTSYS && result != -EINTR)
		atomic_set(&socket->error, (int)-result);
	return (long)done;
}

long sys_recvmmsg(int fd, struct user_message_entry __user *users, unsigned int count,
		  unsigned int flags, struct __kernel_timespec __user *timeout)
{
	struct __kernel_timespec time;
	u64 deadline_ns = WAIT_FOREVER, now;
	struct socket *socket;
	struct fd_ref ref;
	long result;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	if (timeout) {
		if (copy_from_user(&time, timeout, sizeof(time)))
			return -EFAULT;
		if (!timespec_valid(&time))
			return -EINVAL;
		if (time.tv_sec < 1LL << 32)
			deadline_ns = time_monotonic_ns() + timespec_to_ns(&time);
	}
	socket = socket_borrow(fd, &ref);
	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = receive_many(socket, ref, users, count, flags, deadline_ns);
	fd_release(ref);
	if (timeout && result > 0 && deadline_ns != WAIT_FOREVER) {
		now = time_monotonic_ns();
		time = ns_to_timespec(deadline_ns > now ? deadline_ns - now : 0);
		if (copy_to_user(timeout, &time, sizeof(time)))
			return -EFAULT;
	}
	return result;
}
