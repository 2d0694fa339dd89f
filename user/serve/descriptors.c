/* Descriptors and sockets: see descriptors.h. */
#define _GNU_SOURCE
#include "descriptors.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

long descriptor_get(int fd, void *to, size_t room)
{
	ssize_t got = read(fd, to, room);

	return got < 0 ? -errno : got;
}

long descriptor_put(int fd, const void *from, size_t size)
{
	ssize_t put = send(fd, from, size, MSG_NOSIGNAL);

	if (put < 0 && errno == ENOTSOCK)
		put = write(fd, from, size);
	return put < 0 ? -errno : put;
}

int descriptor_wait(int fd, bool to_write)
{
	struct pollfd wait = { .fd = fd, .events = to_write ? POLLOUT : POLLIN };

	return poll(&wait, 1, -1) < 0 ? -errno : 0;
}

bool descriptor_is_gone(int fd)
{
	struct pollfd look = { .fd = fd };

	return poll(&look, 1, 0) > 0 && look.revents & (POLLHUP | POLLERR);
}

int socket_listen(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	strcpy(name.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A socket that is left over refuses who connects. */
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) && errno == ECONNREFUSED)
		unlink(path);
	if (!bind(fd, (struct sockaddr *)&name, sizeof(name)) && !listen(fd, 64))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int socket_accept(int fd, unsigned int *user, bool *privileged)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (got < 0)
		return -errno;
	if (getsockopt(got, SOL_SOCKET, SO_PEERCRED, &peer, &size)) {
		close(got);
		return -EINTR;
	}
	*user = peer.uid;
	*privileged = !peer.uid || peer.uid == geteuid();
	return got;
}
