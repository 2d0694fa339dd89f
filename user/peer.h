/* Ways to others for the small tools: the name of a Unix socket, to listen at or to connect to, and devices. */
#ifndef USER_PEER_H
#define USER_PEER_H

#include <asm/stat.h>
#include <linux/poll.h>
#include <linux/un.h>

#include "tool.h"

enum { AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = O_CLOEXEC };

static inline bool file_is(const char *name, unsigned int kind)
{
	struct stat st;

	return !SYSCALL(stat, name, &st, 0, 0, 0) && (st.st_mode & S_IFMT) == kind;
}

/* Opens what carries bytes both ways, and waits until somebody is at the other end, as of a virtio port; a descriptor or a negative
 * errno. */
static inline int device_open(const char *name)
{
	struct pollfd poll = { .fd = sys_open(name, O_RDWR | O_CLOEXEC | O_NOCTTY, 0),
			       .events = POLLOUT };

	if (poll.fd < 0)
		return poll.fd;
	while (SYSCALL(poll, &poll, 1, 0, 0, 0) > 0 && (poll.revents & POLLHUP))
		sys_sleep_ms(100);
	return poll.fd;
}

/* A socket, and the address `name`; a descriptor or a negative errno. */
static inline int unix_socket(const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!STRING_JOIN(address->sun_path, name))
		return -ENAMETOOLONG;
	return (int)SYSCALL(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 0, 0);
}

static inline int unix_connect(const char *name)
{
	struct sockaddr_un address;
	int fd = unix_socket(name, &address), error;

	if (fd < 0)
		return fd;
	error = (int)SYSCALL(connect, fd, &address, sizeof(address), 0, 0);
	if (!error)
		return fd;
	sys_close(fd);
	return error;
}

/* A new socket there, for whom `mode` allows it; what a dead one left there is removed. */
static inline int unix_listen(const char *name, int mode)
{
	struct sockaddr_un address;
	int fd = unix_socket(name, &address), error;

	if (fd < 0)
		return fd;
	if (file_is(name, S_IFSOCK)) {
		int other = unix_connect(name);

		if (other >= 0)
			sys_close(other);
		else if (other == -ECONNREFUSED)
			SYSCALL(unlink, name, 0, 0, 0, 0);
	}
	SYSCALL(umask, 0777 & ~mode, 0, 0, 0, 0);
	error = (int)SYSCALL(bind, fd, &address, sizeof(address), 0, 0);
	if (!error)
		error = (int)SYSCALL(listen, fd, 64, 0, 0, 0);
	if (!error)
		return fd;
	sys_close(fd);
	return error;
}

#endif
