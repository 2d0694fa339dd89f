/* Options of sockets that are the same for every protocol: setsockopt(2) and getsockopt(2) at SOL_SOCKET. */
#include <kumo/cred.h>
#include <kumo/file.h>
#include <kumo/poll.h>
#include <kumo/socket.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

#include "options.h"

#define SIZE_ASKED_MAX (0x7fffffffU / 2)
#define PRIORITY_MAX 6 /* without a capability */

static const struct {
	int option;
	u32 bit;
} switches[] = {
	{ SO_REUSEADDR, SOCKET_REUSE_ADDRESS },
	{ SO_REUSEPORT, SOCKET_REUSE_PORT },
	{ SO_DONTROUTE, SOCKET_DONT_ROUTE },
	{ SO_BROADCAST, SOCKET_BROADCAST },
	{ SO_KEEPALIVE, SOCKET_KEEP_ALIVE },
	{ SO_OOBINLINE, SOCKET_OOB_INLINE },
	{ SO_NO_CHECK, SOCKET_NO_CHECK },
	{ SO_PASSCRED, SOCKET_PASS_CREDENTIALS },
	{ SO_PASSSEC, SOCKET_PASS_SECURITY },
	{ SO_TIMESTAMP, SOCKET_TIMESTAMP },
	{ SO_TIMESTAMPNS, SOCKET_TIMESTAMP_NS },
	{ SO_RXQ_OVFL, SOCKET_OVERFLOW_COUNT },
	{ SO_DEBUG, SOCKET_DEBUG },
	{ SO_WIFI_STATUS, SOCKET_WIFI_STATUS },
	{ SO_NOFCS, SOCKET_NO_FCS },
	{ SO_LOCK_FILTER, SOCKET_FILTER_LOCKED },
	{ SO_SELECT_ERR_QUEUE, SOCKET_ERROR_QUEUE },
	{ SO_PREFER_BUSY_POLL, SOCKET_PREFER_BUSY_POLL },
	{ SO_RCVMARK, SOCKET_RECEIVE_MARK },
};

static u32 switch_of(int option)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(switches); i++)
		if (switches[i].option == option)
			return switches[i].bit;
	return 0;
}

/* ---- Setting ---- */

static void set_switch(struct socket *socket, u32 bit, bool on)
{
	spin_lock(&socket->lock);
	WRITE_ONCE(socket->switches, on ? socket->switches | bit : socket->switches & ~bit);
	spin_unlock(&socket->lock);
}

static int set_timeout(u64 *timeout_ns, const void __user *value, unsigned int length)
{
	struct __kernel_old_timeval time;
	u64 ns = WAIT_FOREVER;

	if (length < sizeof(time))
		return -EINVAL;
	if (copy_from_user(&time, value, sizeof(time)))
		return -EFAULT;
	if (time.tv_usec < 0 || time.tv_usec >= 1000000)
		return -EDOM;
	if (time.tv_sec < 0)
		ns = 0;
	else if ((time.tv_sec || time.tv_usec) && time.tv_sec < 1L << 32)
		ns = (u64)time.tv_sec * NSEC_PER_SEC + (u64)time.tv_usec * NSEC_PER_USEC;
	WRITE_ONCE(*timeout_ns, ns);
	return 0;
}

static int set_linger(struct socket *socket, const void __user *value, unsigned int length)
{
	struct {
		int on, seconds;
	} linger;

	if (length < sizeof(linger))
		return -EINVAL;
	if (copy_from_user(&linger, value, sizeof(linger)))
		return -EFAULT;
	if (linger.on)
		WRITE_ONCE(socket->linger_seconds, (u32)linger.seconds);
	set_switch(socket, SOCKET_LINGER, linger.on);
	return 0;
}

/* Sizes asked for are doubled, for what the bookkeeping takes. */
static u32 buffer_size(int value, u32 limit, u32 least)
{
	u32 size = min((u32)value, limit);

	return max(size * 2, least);
}

static int set_number(struct socket *socket, int option, int value)
{
	switch (option) {
	case SO_SNDBUF:
		WRITE_ONCE(socket->buffer_locks, socket->buffer_locks | SEND_BUFFER_LOCKED);
		WRITE_ONCE(socket->send_buffer,
			   buffer_size(value,
				       min(READ_ONCE(socket_settings.send_buffer_max), SIZE_ASKED_MAX),
				       SEND_BUFFER_MIN));
		socket_wake(&socket->write_wait, POLLOUT);
		return 0;
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		if (!capable(CAP_NET_ADMIN))
			return -EPERM;
		value = max(value, 0);
		WRITE_ONCE(socket->buffer_locks,
			   socket->buffer_locks | (option == SO_SNDBUFFORCE ? SEND_BUFFER_LOCKED
									    : RECEIVE_BUFFER_LOCKED));
		if (option == SO_SNDBUFFORCE)
			WRITE_ONCE(socket->send_buffer,
				   buffer_size(value, SIZE_ASKED_MAX, SEND_BUFFER_MIN));
		else
			WRITE_ONCE(socket->receive_buffer,
				   buffer_size(value, SIZE_ASKED_MAX, RECEIVE_BUFFER_MIN));
		socket_wake(&socket->write_wait, POLLOUT);
		return 0;
	case SO_RCVBUF:
		WRITE_ONCE(socket->buffer_locks, socket->buffer_locks | RECEIVE_BUFFER_LOCKED);
		WRITE_ONCE(socket->receive_buffer,
			   buffer_size(value,
				       min(READ_ONCE(socket_settings.receive_buffer_max), SIZE_ASKED_MAX),
				       RECEIVE_BUFFER_MIN));
		return 0;
	case SO_RCVLOWAT:
		WRITE_ONCE(socket->receive_low, value < 0 ? 0x7fffffff : value ? (u32)value : 1);
		return 0;
	case SO_PRIORITY:
		if ((value < 0 || value > PRIORITY_MAX) && !capable(CAP_NET_ADMIN) &&
		    !capable(CAP_NET_RAW))
			return -EPERM;
		WRITE_ONCE(socket->priority, (u32)value);
		return 0;
	case SO_MARK:
		if (!capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
			return -EPERM;
		WRITE_ONCE(socket->mark, (u32)value);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* May the switch be set so? */
static int switch_permitted(const struct socket *socket, u32 bit, bool on)
{
	switch (bit) {
	case SOCKET_DEBUG:
		return on && !capable(CAP_NET_ADMIN) ? -EACCES : 0;
	case SOCKET_FILTER_LOCKED:
		return !on && socket->switches & SOCKET_FILTER_LOCKED ? -EPERM : 0;
	case SOCKET_PREFER_BUSY_POLL:
		return on && !capable(CAP_NET_ADMIN) ? -EPERM : 0;
	default:
		return 0;
	}
}

static int set_generic(struct socket *socket, int option, const void __user *value, unsigned int length)
{
	u32 bit = switch_of(option);
	int number, error;

	if (option == SO_BINDTODEVICE)
		return socket_bind_to_interface(socket, value, length);
	if (length < sizeof(number))
		return -EINVAL;
	if (get_user(number, (const int __user *)value))
		return -EFAULT;
	switch (option) {
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		return set_timeout(&socket->receive_timeout_ns, value, length);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return set_timeout(&socket->send_timeout_ns, value, length);
	case SO_LINGER:
		return set_linger(socket, value, length);
	default:
		break;
	}
	if (!bit) {
		error = set_number(socket, option, number);
		return error == -ENOPROTOOPT ? socket_set_kept(socket, option, value, length, number)
					     : error;
	}
	error = switch_permitted(socket, bit, number);
	if (error)
		return error;
	if (bit & SOCKET_STAMPS)
		set_switch(socket, SOCKET_STAMPS, false);
	set_switch(socket, bit, number);
	return 0;
}

int socket_set_option(struct socket *socket, int level, int option, const void __user *value, int length)
{
	int error = -ENOPROTOOPT;

	if (length < 0)
		return -EINVAL;
	if (level == SOL_SOCKET)
		error = set_generic(socket, option, value, (unsigned int)length);
	else if (!socket->ops->set_option)
		return -EOPNOTSUPP;
	if (error == -ENOPROTOOPT && socket->ops->set_option)
		error = socket->ops->set_option(socket, level, option, value, (unsigned int)length);
	return error;
}

/* ---- Getting ---- */

static void get_timeout(u64 timeout_ns, struct option_value *value)
{
	value->length = sizeof(value->time);
	value->time = (struct __kernel_old_timeval){};
	if (timeout_ns == WAIT_FOREVER)
		return;
	value->time.tv_sec = (long)(timeout_ns / NSEC_PER_SEC);
	value->time.tv_usec = (long)(timeout_ns % NSEC_PER_SEC / NSEC_PER_USEC);
}

static void get_peer_credentials(struct socket *socket, struct option_value *value)
{
	value->length = sizeof(value->cred);
	value->cred = (struct ucred){ .uid = ~0U, .gid = ~0U };
	spin_lock(&socket->lock);
	if (socket->peer_cred)
		value->cred = (struct ucred){ .pid = socket->peer_pid,
					      .uid = socket->peer_cred->euid,
					      .gid = socket->peer_cred->egid };
	spin_unlock(&socket->lock);
}

static u64 get_cookie(struct socket *socket)
{
	u64 none = 0;

	if (!READ_ONCE(socket->cookie))
		__atomic_compare_exchange_n(&socket->cookie, &none, tree_next_id(), false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return READ_ONCE(socket->cookie);
}

static int get_number(struct socket *socket, int option, int *number)
{
	u32 bit = switch_of(option);

	if (bit) {
		*number = !!(socket->switches & bit);
		return 0;
	}
	switch (option) {
	case SO_TYPE:
		*number = socket->type;
		return 0;
	case SO_DOMAIN:
		*number = socket->family->number;
		return 0;
	case SO_PROTOCOL:
		*number = socket->protocol;
		return 0;
	case SO_ERROR:
		*number = -socket_take_error(socket);
		return 0;
	case SO_SNDBUF:
		*number = (int)socket->send_buffer;
		return 0;
	case SO_RCVBUF:
		*number = (int)socket->receive_buffer;
		return 0;
	case SO_RCVLOWAT:
		*number = (int)socket->receive_low;
		return 0;
	case SO_SNDLOWAT:
		*number = 1;
		return 0;
	case SO_PRIORITY:
		*number = (int)socket->priority;
		return 0;
	case SO_MARK:
		*number = (int)socket->mark;
		return 0;
	case SO_ACCEPTCONN:
		*number = !!(socket->switches & SOCKET_LISTENING);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_generic(struct socket *socket, int option, struct option_value *value, unsigned int room)
{
	int error;

	switch (option) {
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		get_timeout(socket->receive_timeout_ns, value);
		return 0;
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		get_timeout(socket->send_timeout_ns, value);
		return 0;
	case SO_LINGER:
		value->length = sizeof(value->linger);
		value->linger.on = !!(socket->switches & SOCKET_LINGER);
		value->linger.seconds = (int)socket->linger_seconds;
		return 0;
	case SO_PEERCRED:
		get_peer_credentials(socket, value);
		return 0;
	case SO_COOKIE:
		value->length = sizeof(value->wide);
		value->wide = get_cookie(socket);
		return 0;
	default:
		value->length = sizeof(value->number);
		error = get_number(socket, option, &value->number);
		return error == -ENOPROTOOPT ? socket_get_kept(socket, option, value, room) : error;
	}
}

/* The supplementary groups of the peer. */
static int get_peer_groups(struct socket *socket, void __user *value, int __user *length,
			   unsigned int room)
{
	const struct cred *cred;
	unsigned int size;
	int error = 0;

	spin_lock(&socket->lock);
	cred = socket->peer_cred ? cred_get(socket->peer_cred) : NULL;
	spin_unlock(&socket->lock);
	if (!cred)
		return -ENODATA;
	size = cred->group_count * sizeof(cred->groups[0]);
	if (put_user((int)size, length))
		error = -EFAULT;
	else if (room < size)
		error = -ERANGE;
	else if (copy_to_user(value, cred->groups, size))
		error = -EFAULT;
	cred_put(cred);
	return error;
}

/* The peer's address, as getpeername(2) gives it. */
static int get_peer_name(struct socket *socket, void __user *value, int __user *length, unsigned int room)
{
	struct socket_address address = {};
	int error = socket->ops->name ? socket->ops->name(socket, &address, true) : -EOPNOTSUPP;

	if (error)
		return -ENOTCONN;
	if (address.length < room)
		return -EINVAL; /* as Linux: the room must not be more than the address */
	if (copy_to_user(value, address.bytes, room))
		return -EFAULT;
	return put_user((int)room, length);
}

int socket_get_option(struct socket *socket, int level, int option, void __user *value, int __user *length)
{
	struct option_value result = {};
	int error = -ENOPROTOOPT, room;

	if (get_user(room, length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (level != SOL_SOCKET && !socket->ops->get_option)
		return -EOPNOTSUPP;
	if (level == SOL_SOCKET) {
		if (option == SO_PEERGROUPS)
			return get_peer_groups(socket, value, length, (unsigned int)room);
		if (option == SO_PEERNAME)
			return get_peer_name(socket, value, length, (unsigned int)room);
		if (option == SO_COOKIE && room < (int)sizeof(u64))
			return -EINVAL;
		error = get_generic(socket, option, &result, (unsigned int)room);
	}
	if (error == -ENOPROTOOPT && socket->ops->get_option) {
		unsigned int size = (unsigned int)room;

		error = socket->ops->get_option(socket, level, option, value, &size);
		return error ? error : put_user((int)size, length);
	}
	if (error)
		return error;
	result.length = min(result.length, (unsigned int)room);
	if (copy_to_user(value, &result, result.length))
		return -EFAULT;
	return put_user((int)result.length, length);
}
