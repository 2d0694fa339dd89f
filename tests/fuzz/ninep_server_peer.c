/* See ninep_server_peer.h. Never waits to send only: a server that cannot be rid of its answers takes no more messages. */
#define _GNU_SOURCE
#include "ninep_server_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int peer_open(int *far)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || fcntl(ends[0], F_SETFL, O_NONBLOCK))
		exit(1);
	*far = ends[1];
	return ends[0];
}

/* What has come so far. False: and that was all. */
static bool take_all(int fd, peer_take *take)
{
	static unsigned char bytes[1 << 16];
	ssize_t got;

	while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		take(bytes, (size_t)got);
	return got < 0 && errno == EAGAIN;
}

bool peer_send(int fd, const void *bytes, size_t size, peer_take *take)
{
	const char *at = bytes;

	while (size) {
		struct pollfd ready = { .fd = fd, .events = POLLIN | POLLOUT };
		ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);

		if (sent > 0) {
			at += sent;
			size -= (size_t)sent;
			continue;
		}
		if (errno != EAGAIN)
			return false;
		poll(&ready, 1, -1);
		if (!take_all(fd, take))
			return false;
	}
	return true;
}

bool peer_receive(int fd, int limit_ms, peer_take *take)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	poll(&ready, 1, limit_ms);
	return take_all(fd, take);
}

void peer_hang_up(int fd)
{
	shutdown(fd, SHUT_WR);
}

void peer_close(int fd)
{
	close(fd);
}
