/* What the tests of sockets share. */
#ifndef TESTS_SOCKETS_H
#define TESTS_SOCKETS_H

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tap.h"

/* The call gives -1 and this errno. */
#define fails(call, wanted) (errno = 0, (long)(call) == -1 && errno == (wanted))

static inline int make_socket(int type)
{
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0) {
		perror("socket");
		exit(1);
	}
	return fd;
}

static inline void make_pair(int type, int ends[2])
{
	if (socketpair(AF_UNIX, type, 0, ends)) {
		perror("socketpair");
		exit(1);
	}
}

static inline void close_pair(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* A name: beginning with '@' an abstract one. Its length. */
static inline socklen_t make_address(struct sockaddr_un *address, const char *name)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strncpy(address->sun_path, name, sizeof(address->sun_path) - 1);
	if (name[0] != '@')
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
	address->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

static inline int bind_to(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t length = make_address(&address, name);

	return bind(fd, (struct sockaddr *)&address, length);
}

static inline int connect_to(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t length = make_address(&address, name);

	return connect(fd, (struct sockaddr *)&address, length);
}

static inline ssize_t send_to(int fd, const void *data, size_t size, int flags, const char *name)
{
	struct sockaddr_un address;
	socklen_t length = make_address(&address, name);

	return sendto(fd, data, size, flags, (struct sockaddr *)&address, length);
}

/* A listener of that name. */
static inline int make_listener(int type, const char *name, int backlog)
{
	int fd = make_socket(type);

	if (name[0] != '@')
		unlink(name);
	if (bind_to(fd, name) || listen(fd, backlog)) {
		perror(name);
		exit(1);
	}
	return fd;
}

/* What poll says now, of all that may be asked. */
static inline int events_of(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	return poll(&poller, 1, 0) < 0 ? -1 : poller.revents;
}

static inline int nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static inline int option_of(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, option, &value, &length))
		return -errno;
	return value;
}

static inline int set_option(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

#endif
