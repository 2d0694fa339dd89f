/* MSG_OOB on streams of AF_UNIX: the urgent byte, its mark, SO_OOBINLINE, and who is told of it. */
#include "files.h"

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int ends[2];
static char got[100];

static void pair(void)
{
	if (ends[1])
		close(ends[0]), close(ends[1]);
	TRUE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
}

/* What one receive gives: text or a negative errno. */
static const char *next(int flags)
{
	ssize_t size = recv(ends[1], got, sizeof(got) - 1, flags);

	if (size < 0)
		return strerrorname_np(errno);
	got[size] = 0;
	return got;
}
#define NEXT(wanted, flags)                                                                        \
	do {                                                                                       \
		const char *found_ = next(flags);                                                  \
		tap_ok(!strcmp(found_, wanted), "line %d: \"%s\", found \"%s\"", __LINE__, wanted, \
		       found_);                                                                    \
	} while (0)

static int at_mark(void)
{
	int mark = -1;

	return ioctl(ends[1], SIOCATMARK, &mark) ? -1 : mark;
}

static int events(void)
{
	struct pollfd descriptor = { .fd = ends[1], .events = POLLIN | POLLPRI | POLLRDBAND };

	poll(&descriptor, 1, 0);
	return descriptor.revents;
}

static int unread(void)
{
	int bytes = -1;

	return ioctl(ends[1], FIONREAD, &bytes) ? -1 : bytes;
}

static void test_one_byte(void)
{
	pair();
	FAILS(EOPNOTSUPP, send(ends[0], "", 0, MSG_OOB));
	NEXT("EINVAL", MSG_OOB);
	GIVES(5, send(ends[0], "hello", 5, MSG_OOB));
	TRUE(events() == (POLLIN | POLLPRI) && !at_mark() && unread() == 5);
	NEXT("o", MSG_OOB | MSG_PEEK);
	NEXT("hell", MSG_PEEK);
	NEXT("hell", 0);
	TRUE(at_mark() == 1);
	NEXT("o", MSG_OOB);
	NEXT("EINVAL", MSG_OOB);
	TRUE(at_mark() == 0 && events() == POLLIN); /* its place is left */
	NEXT("EAGAIN", MSG_DONTWAIT);
	TRUE(at_mark() == 0 && events() == 0);
}

static void test_reads_stop_at_it(void)
{
	pair();
	send(ends[0], "ab", 2, MSG_OOB);
	send(ends[0], "cd", 2, MSG_OOB); /* the newest counts, the older is a byte like others */
	send(ends[0], "ef", 2, 0);
	TRUE(unread() == 6);
	NEXT("abc", 0);
	NEXT("ef", 0); /* who does not ask for it loses it */
	NEXT("EINVAL", MSG_OOB);
	send(ends[0], "ab", 2, MSG_OOB);
	send(ends[0], "ef", 2, 0);
	NEXT("b", MSG_OOB);
	GIVES(1, recv(ends[1], got, 1, 0));
	NEXT("ef", 0);
	send(ends[0], "z", 1, MSG_OOB);
	send(ends[0], "y", 1, 0);
	NEXT("y", MSG_PEEK);
	NEXT("y", MSG_PEEK);
	NEXT("y", 0);
	/* Small writes before and after do not join it. */
	send(ends[0], "a", 1, 0);
	send(ends[0], "b", 1, MSG_OOB);
	send(ends[0], "c", 1, 0);
	NEXT("a", 0);
	TRUE(at_mark() == 1);
	NEXT("c", 0);
}

static void test_in_line(void)
{
	int on = 1;

	pair();
	WORKS(setsockopt(ends[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	send(ends[0], "ab", 2, MSG_OOB);
	send(ends[0], "ef", 2, 0);
	NEXT("EINVAL", MSG_OOB);
	NEXT("a", MSG_PEEK);
	NEXT("a", 0);
	TRUE(at_mark() == 1);
	NEXT("bef", MSG_PEEK);
	NEXT("bef", 0);
	TRUE(events() == 0);
}

static void test_closing(void)
{
	pair();
	send(ends[0], "z", 1, MSG_OOB);
	NEXT("z", MSG_OOB);
	close(ends[1]); /* nothing was left unread */
	FAILS(EPIPE, send(ends[0], "z", 1, MSG_OOB | MSG_NOSIGNAL));
	GIVES(0, recv(ends[0], got, 1, 0));
	close(ends[0]);
	ends[1] = 0;
	pair();
	send(ends[0], "z", 1, MSG_OOB);
	close(ends[1]);
	ends[1] = 0;
	close(ends[0]);
}

static volatile int told;
static void on_signal(int signal)
{
	told = signal;
}

static void test_who_is_told(void)
{
	struct iovec vector = { .iov_base = got, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	pair();
	signal(SIGURG, on_signal);
	send(ends[0], "a", 1, MSG_OOB);
	TRUE(told == 0); /* nobody owns the socket */
	WORKS(fcntl(ends[1], F_SETOWN, getpid()));
	send(ends[0], "b", 1, MSG_OOB);
	TRUE(told == SIGURG);
	GIVES(1, recvmsg(ends[1], &message, MSG_OOB));
	TRUE(message.msg_flags & MSG_OOB && got[0] == 'b');
	NEXT("a", 0);
}

static void test_other_types(void)
{
	int mark, alone = socket(AF_UNIX, SOCK_STREAM, 0), others[2];

	FAILS(ENOTCONN, send(alone, "a", 1, MSG_OOB));
	FAILS(EINVAL, recv(alone, got, 1, MSG_OOB));
	WORKS(ioctl(alone, SIOCATMARK, &mark));
	close(alone);
	for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_DGRAM) {
		TRUE(socketpair(AF_UNIX, type, 0, others) == 0);
		FAILS(EOPNOTSUPP, send(others[0], "a", 1, MSG_OOB));
		FAILS(EOPNOTSUPP, recv(others[0], got, 1, MSG_OOB | MSG_DONTWAIT));
		FAILS(EOPNOTSUPP, ioctl(others[0], SIOCATMARK, &mark));
		close(others[0]);
		close(others[1]);
	}
}

int main(void)
{
	alarm(30); /* a read that waits for ever */
	test_one_byte();
	test_reads_stop_at_it();
	test_in_line();
	test_closing();
	test_who_is_told();
	test_other_types();
	return tap_end();
}
