/*
 * Structures for random system calls: well-formed enough to be taken in, with values from syscall_values.h. A structure lies
 * in its thread's own scratch memory, so that nobody changes it meanwhile, or in the area, where others may, or so that its
 * end is in a page that is not there.
 */
#ifndef TESTS_SOAK_SYSCALL_MEMORY_H
#define TESTS_SOAK_SYSCALL_MEMORY_H

#include "syscall_values.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

enum {
	SCRATCH_SIZE = 4096,
	MISSING_PAGE = 5, /* of the area */
};

/* With what is copied behind the last structure. */
static _Thread_local char scratch[SCRATCH_SIZE + 256] __attribute__((aligned(16)));
static _Thread_local size_t scratch_used;

static void *take(size_t size)
{
	void *found;

	if (scratch_used + size > SCRATCH_SIZE)
		scratch_used = 0;
	found = scratch + scratch_used;
	scratch_used += (size + 15) & ~15UL;
	return memset(found, 0, size);
}

/* Words that may be sizes, flags, pointers, descriptors. */
static void *take_words(struct generator *generator, size_t count)
{
	unsigned long *taken = take(count * sizeof(*taken));

	for (size_t i = 0; i < count; i++)
		taken[i] = below(generator, 3) ? below(generator, 4) * below(generator, 128)
					       : anything(generator);
	return taken;
}

static void random_time(struct generator *generator, long *seconds, long *fraction)
{
	*seconds = below(generator, 16) ? 0 : (long)hostile_number(generator);
	*fraction = below(generator, 16) ? (long)below(generator, 20000)
					 : (long)hostile_number(generator);
}

static void *take_times(struct generator *generator, int count)
{
	long *times = take((size_t)count * 2 * sizeof(*times));

	for (int i = 0; i < count; i++)
		random_time(generator, &times[2 * i], &times[2 * i + 1]);
	return times;
}

static struct iovec *take_vector(struct generator *generator, size_t count)
{
	struct iovec *vector = take(count * sizeof(*vector));

	for (size_t i = 0; i < count; i++) {
		vector[i].iov_base = (void *)address(generator);
		vector[i].iov_len = below(generator, 32) ? below(generator, 600)
							 : hostile_number(generator);
	}
	return vector;
}

static void *take_socket_address(struct generator *generator)
{
	struct sockaddr_un *at = take(sizeof(*at));

	at->sun_family = below(generator, 8) ? AF_UNIX : (sa_family_t)below(generator, 46);
	if (below(generator, 2))
		strcpy(at->sun_path, FOLDER "/socket");
	else if (below(generator, 2)) /* abstract */
		snprintf(at->sun_path + 1, sizeof(at->sun_path) - 1, "fuzz%d", (int)below(generator, 4));
	return at;
}

static void *take_control(struct generator *generator, size_t *size)
{
	static const int levels[] = { SOL_SOCKET, SOL_SOCKET, SOL_SOCKET, 0, 6 };
	struct cmsghdr *control = take(CMSG_SPACE(8 * sizeof(int)));
	size_t data = below(generator, 8) ? (1 + below(generator, 4)) * sizeof(int)
					  : below(generator, 40);

	control->cmsg_level = levels[below(generator, COUNT(levels))];
	control->cmsg_type = (int)below(generator, 4);
	control->cmsg_len = below(generator, 16) ? CMSG_LEN(data) : hostile_number(generator);
	for (int i = 0; i < 4; i++)
		((int *)CMSG_DATA(control))[i] = below(generator, 4)   ? (int)descriptor(generator)
						 : below(generator, 2) ? getpid()
								       : (int)geteuid();
	*size = below(generator, 16) ? CMSG_SPACE(data) : below(generator, 96);
	return control;
}

static void fill_message(struct generator *generator, struct msghdr *message)
{
	message->msg_iovlen = below(generator, 4);
	message->msg_iov = take_vector(generator, message->msg_iovlen);
	if (below(generator, 3) == 0) {
		message->msg_name = take_socket_address(generator);
		message->msg_namelen = (socklen_t)below(generator, sizeof(struct sockaddr_un) + 8);
	}
	if (below(generator, 2))
		message->msg_control = take_control(generator, &message->msg_controllen);
}

static void *take_messages(struct generator *generator, size_t count)
{
	struct mmsghdr *messages = take(count * sizeof(*messages));

	for (size_t i = 0; i < count; i++)
		fill_message(generator, &messages[i].msg_hdr);
	return messages;
}

static void *take_polled(struct generator *generator)
{
	struct pollfd *polled = take(6 * sizeof(*polled));

	for (int i = 0; i < 6; i++) {
		polled[i].fd = (int)descriptor(generator);
		polled[i].events = (short)draw(generator);
	}
	return polled;
}

static void *take_event(struct generator *generator)
{
	static const unsigned int kinds[] = { EPOLLIN, EPOLLOUT,     EPOLLRDHUP,    EPOLLPRI,
					      EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE };
	struct epoll_event *event = take(16 * sizeof(*event));

	event->events = of_set(generator, &(struct set){ kinds, COUNT(kinds), true });
	event->data.u64 = draw(generator);
	return event;
}

static void *take_signal_event(struct generator *generator)
{
	struct sigevent *event = take(sizeof(*event));

	event->sigev_notify = (int)below(generator, 5);
	event->sigev_signo = below(generator, 4) ? SIGUSR1 : (int)below(generator, 66);
	event->_sigev_un._tid = below(generator, 2) ? gettid() : (int)anything(generator);
	return event;
}

static void *take_signal_action(struct generator *generator)
{
	/* The kernel's own structure. A handler would have to be code. */
	unsigned long *action = take(4 * sizeof(*action));

	action[0] = below(generator, 16) ? (unsigned long)SIG_IGN : (unsigned long)SIG_DFL;
	action[1] = draw(generator) &
		    (SA_RESTART | SA_NODEFER | SA_ONSTACK | SA_SIGINFO | SA_NOCLDWAIT | SA_NOCLDSTOP);
	action[3] = draw(generator) & draw(generator);
	return action;
}

static void *take_arguments(struct generator *generator)
{
	char **arguments = take(5 * sizeof(*arguments));

	for (int i = 0; i < 4; i++)
		arguments[i] = below(generator, 8) ? (char *)words[below(generator, COUNT(words))]
						   : (char *)anything(generator);
	return arguments;
}

static void *take_lock(struct generator *generator)
{
	struct flock *lock = take(sizeof(*lock));

	lock->l_type = (short)below(generator, 4);
	lock->l_whence = (short)below(generator, 3);
	lock->l_start = below(generator, 8) ? (off_t)below(generator, 64)
					    : (off_t)hostile_number(generator);
	lock->l_len = below(generator, 8) ? (off_t)below(generator, 64)
					  : (off_t)hostile_number(generator);
	return lock;
}

static void *take_waiters(struct generator *generator)
{
	/* struct futex_waitv: value, address, flags */
	uint64_t *waiters = take(4 * 24);

	for (int i = 0; i < 4; i++) {
		waiters[3 * i] = below(generator, 2);
		waiters[3 * i + 1] = plain_value(generator, FUTEX);
		waiters[3 * i + 2] = below(generator, 8) ? 2 : draw(generator);
	}
	return waiters;
}

static void *take_capabilities(struct generator *generator)
{
	struct __user_cap_header_struct *header = take(sizeof(*header));

	header->version = below(generator, 4) ? _LINUX_CAPABILITY_VERSION_3 : (uint32_t)draw(generator);
	header->pid = below(generator, 4) ? 0 : getpid();
	return header;
}

static void *take_words_of(struct generator *generator, unsigned long first, size_t count)
{
	unsigned long *taken = take_words(generator, count);

	taken[0] = first;
	return taken;
}

static void *made(struct generator *generator, enum type type)
{
	switch (type) {
	case SIZE_AT:
		return take_words_of(generator, below(generator, 160), 1);
	case VECTOR:
		return take_vector(generator, 8);
	case MESSAGE:
	case MESSAGES:
		return take_messages(generator, 4);
	case SOCKET_ADDRESS:
		return take_socket_address(generator);
	case INTERVAL:
	case TIMEVAL:
	case ALARM:
		return take_times(generator, 2);
	case EVENT:
		return take_event(generator);
	case POLLED:
		return take_polled(generator);
	case SIGNAL_SET:
		return take_words_of(generator, draw(generator) & draw(generator), 1);
	case SIGNAL_ACTION:
		return take_signal_action(generator);
	case SIGNAL_EVENT:
		return take_signal_event(generator);
	case LOCK:
		return take_lock(generator);
	case ARGUMENTS:
		return take_arguments(generator);
	case OPENING:
		return take_words_of(generator, below(generator, 2) * O_CREAT | below(generator, 4), 3);
	case WAITERS:
		return take_waiters(generator);
	case CAPABILITIES:
		return take_capabilities(generator);
	case LIMIT:
		return take_words_of(generator, below(generator, 1 << 20), 2);
	default:
		return take_words(generator, 16);
	}
}

/* A structure's address. The sizes are not known here: a hundred bytes hold most. */
static unsigned long structure(struct generator *generator, enum type type)
{
	void *result = made(generator, type);
	char *other;

	switch (below(generator, 12)) {
	case 0: /* its end is missing */
		other = area + MISSING_PAGE * PAGE - 8 * (1 + below(generator, 12));
		memcpy(other, result, (size_t)(area + MISSING_PAGE * PAGE - other));
		return (unsigned long)other;
	case 1: /* others write there */
		other = area + 2 * PAGE + 8 * below(generator, 32);
		memcpy(other, result, 128);
		return (unsigned long)other;
	case 2:
		return below(generator, 2) ? 0 : address(generator);
	default:
		return (unsigned long)result;
	}
}

#endif
