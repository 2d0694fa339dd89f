/*
 * Options at SOL_SOCKET that are about network cards, packets' way and their filters: to sockets between processes they mean
 * nothing, but programs set them and look whether they took. What is set is checked as Linux checks it, and kept.
 */
#include <kumo/cred.h>
#include <kumo/socket.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>

#include "options.h"

#define TIMESTAMPING_MASK ((SOF_TIMESTAMPING_BIND_PHC << 1) - 1)
#define TXTIME_FLAGS (SOF_TXTIME_DEADLINE_MODE | SOF_TXTIME_REPORT_ERRORS)
#define CLOCK_MONOTONIC_NUMBER 1
#define EXTENSIONS_OF_FILTERS 64 /* SKF_AD_MAX */

/* SO_BINDTODEVICE: a name, perhaps without an end. No interface has one yet. */
int socket_bind_to_interface(struct socket *socket, const void __user *value, unsigned int length)
{
	char first = 0;

	if (length && copy_from_user(&first, value, 1))
		return -EFAULT;
	if (first)
		return -ENODEV;
	if (READ_ONCE(socket->bound_interface) && !capable(CAP_NET_RAW))
		return -EPERM;
	WRITE_ONCE(socket->bound_interface, 0);
	return 0;
}

static int set_timestamping(struct socket *socket, const void __user *value, unsigned int length,
			    int flags)
{
	struct so_timestamping wanted = { .flags = flags };

	if (length == sizeof(wanted) && copy_from_user(&wanted, value, sizeof(wanted)))
		return -EFAULT;
	if (wanted.flags & ~(int)TIMESTAMPING_MASK)
		return -EINVAL;
	WRITE_ONCE(socket->timestamping, (u32)wanted.flags);
	return 0;
}

static int set_send_time(struct socket *socket, const void __user *value, unsigned int length)
{
	struct sock_txtime wanted;

	if (length != sizeof(wanted))
		return -EINVAL;
	if (copy_from_user(&wanted, value, sizeof(wanted)))
		return -EFAULT;
	if (wanted.flags & ~(u32)TXTIME_FLAGS)
		return -EINVAL;
	if (wanted.clockid != CLOCK_MONOTONIC_NUMBER && !capable(CAP_NET_ADMIN))
		return -EPERM;
	WRITE_ONCE(socket->send_time_clock, wanted.clockid);
	WRITE_ONCE(socket->send_time_flags, wanted.flags);
	return 0;
}

static int set_pacing(struct socket *socket, const void __user *value, unsigned int length, int number)
{
	u64 rate = number == -1 ? SOCKET_NO_PACING : (u32)number;

	if (length >= sizeof(rate) && copy_from_user(&rate, value, sizeof(rate)))
		return -EFAULT;
	WRITE_ONCE(socket->pacing_rate, rate);
	return 0;
}

/* How long calls may poll a card: only an administrator may ask for more than there is. */
static int set_busy_poll(u32 *at, int number, int most)
{
	if (number > (int)READ_ONCE(*at) && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (number < 0 || number > most)
		return -EINVAL;
	WRITE_ONCE(*at, (u32)number);
	return 0;
}

static int set_hashing(struct socket *socket, int number)
{
	if (number < -1 || number > 1)
		return -EINVAL;
	WRITE_ONCE(socket->hash_again, number != 0); /* -1: as the system does, which is yes */
	return 0;
}

int socket_set_kept(struct socket *socket, int option, const void __user *value,
		    unsigned int length, int number)
{
	switch (option) {
	case SO_BSDCOMPAT:
	case SO_CNX_ADVICE:
		return 0;
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return set_timestamping(socket, value, length, number);
	case SO_TXTIME:
		return set_send_time(socket, value, length);
	case SO_MAX_PACING_RATE:
		return set_pacing(socket, value, length, number);
	case SO_BUSY_POLL:
		return set_busy_poll(&socket->busy_poll, number, 0x7fffffff);
	case SO_BUSY_POLL_BUDGET:
		return set_busy_poll(&socket->busy_poll_budget, number, 0xffff);
	case SO_INCOMING_CPU:
		WRITE_ONCE(socket->incoming_cpu, number);
		return 0;
	case SO_BINDTOIFINDEX:
		if (READ_ONCE(socket->bound_interface) && !capable(CAP_NET_RAW))
			return -EPERM;
		if (number < 0)
			return -EINVAL;
		WRITE_ONCE(socket->bound_interface, number);
		return 0;
	case SO_BUF_LOCK:
		if (number & ~(SEND_BUFFER_LOCKED | RECEIVE_BUFFER_LOCKED))
			return -EINVAL;
		WRITE_ONCE(socket->buffer_locks, (u8)number);
		return 0;
	case SO_RESERVE_MEM:
		return number < 0 ? -EINVAL : -EOPNOTSUPP;
	case SO_TXREHASH:
		return set_hashing(socket, number);
	case SO_ZEROCOPY:
		return -EOPNOTSUPP;
	case SO_DETACH_FILTER:
		return -ENOENT; /* none can be attached */
	case SO_DETACH_REUSEPORT_BPF:
		return socket->switches & SOCKET_REUSE_PORT ? -ENOENT : -EINVAL;
	default:
		return -ENOPROTOOPT;
	}
}

static void fill_memory(const struct socket *socket, u32 *words)
{
	memset(words, 0, SK_MEMINFO_VARS * sizeof(*words));
	words[SK_MEMINFO_RCVBUF] = READ_ONCE(socket->receive_buffer);
	words[SK_MEMINFO_SNDBUF] = READ_ONCE(socket->send_buffer);
}

/* What is more than a number. */
static int get_structure(const struct socket *socket, int option, struct option_value *value,
			 unsigned int room)
{
	switch (option) {
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		value->words[0] = READ_ONCE(socket->timestamping);
		value->words[1] = 0;
		value->length = sizeof(struct so_timestamping);
		return 0;
	case SO_TXTIME:
		value->words[0] = (u32)READ_ONCE(socket->send_time_clock);
		value->words[1] = READ_ONCE(socket->send_time_flags);
		value->length = sizeof(struct sock_txtime);
		return 0;
	case SO_MAX_PACING_RATE:
		value->wide = READ_ONCE(socket->pacing_rate);
		value->length = sizeof(value->wide);
		if (room < sizeof(value->wide)) {
			value->wide = min(value->wide, 0xffffffffUL);
			value->length = sizeof(value->number);
		}
		return 0;
	case SO_MEMINFO:
		fill_memory(socket, value->words);
		value->length = SK_MEMINFO_VARS * sizeof(value->words[0]);
		return 0;
	case SO_NETNS_COOKIE:
		if (room != sizeof(value->wide))
			return -EINVAL;
		value->wide = 1; /* there is one namespace */
		value->length = sizeof(value->wide);
		return 0;
	case SO_BINDTODEVICE:
	case SO_GET_FILTER:
		value->length = 0; /* none */
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int socket_get_kept(const struct socket *socket, int option, struct option_value *value, unsigned int room)
{
	value->length = sizeof(value->number);
	switch (option) {
	case SO_BSDCOMPAT:
	case SO_ZEROCOPY:
	case SO_INCOMING_NAPI_ID:
	case SO_RESERVE_MEM:
		value->number = 0;
		return 0;
	case SO_BUSY_POLL:
		value->number = (int)READ_ONCE(socket->busy_poll);
		return 0;
	case SO_INCOMING_CPU:
		value->number = READ_ONCE(socket->incoming_cpu);
		return 0;
	case SO_BINDTOIFINDEX:
		value->number = READ_ONCE(socket->bound_interface);
		return 0;
	case SO_BUF_LOCK:
		value->number = READ_ONCE(socket->buffer_locks);
		return 0;
	case SO_TXREHASH:
		value->number = READ_ONCE(socket->hash_again);
		return 0;
	case SO_BPF_EXTENSIONS:
		value->number = EXTENSIONS_OF_FILTERS;
		return 0;
	default:
		return get_structure(socket, option, value, room);
	}
}
