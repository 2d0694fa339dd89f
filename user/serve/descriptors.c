/* Descriptors and sockets: see descriptors.h. */
#define _GNU_SOURCE
#include "descriptors.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Waits until there is one of `events`, and lets in the two signals, which the thread has blocked: so one that comes between
 * a look at what it says and the wait ends the wait.
 */
static int wait_letting_in(int fd, short events, int first, int second)
{
	struct pollfd wait = { .fd = fd, .events = events };
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, first);
	sigdelset(&mask, second);
	return ppoll(&wait, 1, NULL, &mask) < 0 ? -errno : 0;
}

static bool is_ready(int fd, short events)
{
	struct pollfd look = { .fd = fd, .events = events };

	return poll(&look, 1, 0) > 0;
}

long descriptor_get(int fd, void *to, size_t room)
{
	ssize_t got = recv(fd, to, room, MSG_DONTWAIT);

	if (got < 0 && errno == ENOTSOCK) {
		if (!is_ready(fd, POLLIN))
			return -EAGAIN;
		got = read(fd, to, room);
	}
	return got < 0 ? -errno : got;
}

long descriptor_put(int fd, const void *from, size_t size)
{
	ssize_t put = send(fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (put < 0 && errno == ENOTSOCK) {
		if (!is_ready(fd, POLLOUT))
			return -EAGAIN;
		put = write(fd, from, size < PIPE_BUF ? size : PIPE_BUF); /* a pipe that is ready has room for it */
	}
	return put < 0 ? -errno : put;
}

int descriptor_wait(int fd, bool to_write)
{
	return wait_letting_in(fd, to_write ? POLLOUT : POLLIN, SIGUSR1, SIGUSR1);
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
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0); /* who is waited for may have gone again */
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
	int error = wait_letting_in(fd, POLLIN, SIGTERM, SIGINT), got;

	got = error ? error : accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (got < 0)
		return error ? error : -errno;
	if (getsockopt(got, SOL_SOCKET, SO_PEERCRED, &peer, &size)) {
		close(got);
		return -EINTR;
	}
	*user = peer.uid;
	*privileged = !peer.uid || peer.uid == geteuid();
	return got;
}
