/*
 * AF_UNIX sockets, from user space: streams, datagrams, packets and names. Options: sockets_options.c;
 * descriptor passing: sockets_passing.c.
 */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "sockets.h"

/* Wrong arguments are the point here. */
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	signals++;
}

static void making(void)
{
	int ends[2], fd;
	struct stat stat;
	char link[64], name[64] = "", wanted[64];

	tap_ok(fails(socket(AF_UNIX, 77, 0), EINVAL), "socket: a type beyond all is EINVAL");
	tap_ok(fails(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT),
	       "socket: a type that it lacks is ESOCKTNOSUPPORT");
	tap_ok(fails(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT),
	       "socket: a protocol that it lacks is EPROTONOSUPPORT");
	tap_ok(fails(socket(AF_UNIX, SOCK_STREAM | 0x40000000, 0), EINVAL),
	       "socket: unknown flags are EINVAL");
	tap_ok(fails(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT),
	       "socket: a negative family is EAFNOSUPPORT");
	tap_ok(fails(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT),
	       "socket: a family beyond all is EAFNOSUPPORT");
	tap_ok(fails(socket(35, SOCK_STREAM, 0), EAFNOSUPPORT),
	       "socket: a family without a module is EAFNOSUPPORT");
	fd = socket(AF_UNIX, SOCK_STREAM, AF_UNIX);
	tap_ok(fd >= 0, "socket: the family's number is a protocol");
	close(fd);
	fd = socket(AF_UNIX, SOCK_RAW, 0);
	tap_ok(option_of(fd, SO_TYPE) == SOCK_DGRAM, "socket: SOCK_RAW is a datagram socket");
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	tap_ok(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK),
	       "socket: its flags are kept");
	tap_ok(!fstat(fd, &stat) && S_ISSOCK(stat.st_mode) && (stat.st_mode & 0777) == 0777 &&
		       stat.st_nlink == 1,
	       "fstat: it is a socket");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	snprintf(wanted, sizeof(wanted), "socket:[%lu]", (unsigned long)stat.st_ino);
	tap_ok(readlink(link, name, sizeof(name) - 1) > 0 && !strcmp(name, wanted),
	       "its link in /proc names it");
	tap_ok(fails(open(link, O_RDWR), ENXIO), "it cannot be opened through /proc");
	tap_ok(fails(lseek(fd, 0, SEEK_CUR), ESPIPE), "it has no position");
	tap_ok(fails(pread(fd, name, 1, 0), ESPIPE), "pread gives ESPIPE");
	tap_ok(fails(ftruncate(fd, 0), EINVAL), "it cannot be truncated");
	tap_ok(fails(fsync(fd), EINVAL), "it cannot be synced");
	close(fd);
	tap_ok(fails(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8), EFAULT),
	       "socketpair: a bad address is EFAULT");
	tap_ok(fails(socketpair(AF_UNIX, SOCK_STREAM, 7, ends), EPROTONOSUPPORT),
	       "socketpair: a protocol that it lacks");
	tap_ok(fails(socketpair(AF_UNIX, SOCK_STREAM | 1 << 20, 0, ends), EINVAL),
	       "socketpair: unknown flags are EINVAL");
	tap_ok(fails(listen(0, 1), ENOTSOCK) || fails(listen(0, 1), EBADF),
	       "listen: what is no socket is ENOTSOCK");
	tap_ok(fails(listen(-1, 1), EBADF) && fails(bind(-1, NULL, 0), EBADF) &&
		       fails(connect(-1, NULL, 0), EBADF) && fails(accept(-1, NULL, NULL), EBADF) &&
		       fails(shutdown(-1, 0), EBADF) && fails(send(-1, "", 0, 0), EBADF) &&
		       fails(recv(-1, name, 1, 0), EBADF),
	       "a descriptor that is not open is EBADF");
	fd = open("/", O_RDONLY);
	tap_ok(fails(listen(fd, 1), ENOTSOCK) && fails(send(fd, "", 0, 0), ENOTSOCK) &&
		       fails(recv(fd, name, 1, 0), ENOTSOCK) &&
		       fails(getsockname(fd, NULL, NULL), ENOTSOCK) &&
		       fails(shutdown(fd, 0), ENOTSOCK) && option_of(fd, SO_TYPE) == -ENOTSOCK,
	       "a descriptor of a directory is ENOTSOCK");
	close(fd);
}

static void streams(void)
{
	int ends[2], bytes = 0;
	char buffer[64] = "";
	struct iovec two[2] = { { buffer, 3 }, { buffer + 10, 20 } };

	make_pair(SOCK_STREAM, ends);
	tap_ok(events_of(ends[0]) == POLLOUT, "poll: a fresh end can be written");
	tap_ok(write(ends[0], "hello", 5) == 5 && send(ends[0], " you", 4, 0) == 4, "bytes are taken");
	tap_ok(events_of(ends[1]) == (POLLIN | POLLOUT), "poll: the other end can be read");
	tap_ok(!ioctl(ends[1], FIONREAD, &bytes) && bytes == 9, "FIONREAD tells how many there are");
	tap_ok(!ioctl(ends[0], SIOCOUTQ, &bytes) && bytes > 0, "SIOCOUTQ tells that they are not read");
	tap_ok(recv(ends[1], buffer, 3, MSG_PEEK) == 3 && !memcmp(buffer, "hel", 3),
	       "MSG_PEEK leaves bytes");
	tap_ok(recv(ends[1], buffer, sizeof(buffer), MSG_PEEK) == 9 && !memcmp(buffer, "hello you", 9),
	       "MSG_PEEK looks at all messages");
	tap_ok(readv(ends[1], two, 2) == 9 && !memcmp(buffer, "hel", 3) &&
		       !memcmp(buffer + 10, "lo you", 6),
	       "a read takes what two writes wrote");
	tap_ok(!ioctl(ends[0], SIOCOUTQ, &bytes) && bytes == 0, "SIOCOUTQ tells that all was read");
	tap_ok(fails(recv(ends[1], buffer, 1, MSG_DONTWAIT), EAGAIN), "an empty queue gives EAGAIN");
	tap_ok(recv(ends[1], buffer, 0, MSG_DONTWAIT) == -1 && errno == EAGAIN,
	       "recv of nothing waits for something");
	tap_ok(read(ends[1], buffer, 0) == 0, "read of nothing does not wait");
	tap_ok(send(ends[0], "", 0, 0) == 0 && events_of(ends[1]) == POLLOUT,
	       "sending nothing sends nothing");
	tap_ok(send(ends[0], "abcdef", 6, 0) == 6 && recv(ends[1], buffer, 2, MSG_TRUNC) == 2 &&
		       recv(ends[1], buffer, 9, 0) == 4 && !memcmp(buffer, "cdef", 4),
	       "MSG_TRUNC throws bytes of a stream away");
	tap_ok(send(ends[0], "ab", 2, 0) == 2 &&
		       recv(ends[1], buffer, 5, MSG_WAITALL | MSG_DONTWAIT) == 2,
	       "MSG_WAITALL does not wait with MSG_DONTWAIT");
	tap_ok(fails(write(ends[0], (void *)8, 4), EFAULT), "a bad buffer is EFAULT");
	tap_ok(write(ends[0], "xy", 2) == 2 && fails(read(ends[1], (void *)8, 4), EFAULT) &&
		       read(ends[1], buffer, 4) == 2,
	       "bytes that could not be copied are still there");
	tap_ok(fails(sendto(ends[0], "x", 1, 0,
			    (struct sockaddr *)&(struct sockaddr_un){ AF_UNIX, "/x" }, 5),
		     EISCONN),
	       "sendto with an address is EISCONN");
	close_pair(ends);
	ends[0] = make_socket(SOCK_STREAM);
	tap_ok(events_of(ends[0]) == (POLLOUT | POLLHUP), "poll: a socket without a connection hangs");
	tap_ok(fails(write(ends[0], "x", 1), ENOTCONN), "it cannot be written");
	tap_ok(fails(read(ends[0], buffer, 1), EINVAL), "nor read");
	tap_ok(fails(send_to(ends[0], "x", 1, 0, "@sockets_nobody"), EOPNOTSUPP),
	       "sendto with an address is EOPNOTSUPP");
	tap_ok(!shutdown(ends[0], SHUT_RD), "shutdown does not need a connection");
	tap_ok(fails(accept(ends[0], NULL, NULL), EINVAL), "accept needs a listener");
	tap_ok(fails(listen(ends[0], 1), EINVAL), "listen needs a name");
	tap_ok(fails(shutdown(ends[0], 3), EINVAL), "shutdown: a bad way is EINVAL");
	close(ends[0]);
}

static void ends_of_streams(void)
{
	int ends[2];
	char buffer[16];

	signal(SIGPIPE, count_signal);
	make_pair(SOCK_STREAM, ends);
	tap_ok(write(ends[0], "x", 1) == 1 && !close(ends[0]), "an end is closed behind a byte");
	tap_ok(events_of(ends[1]) == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP),
	       "poll: bytes, and the end is gone");
	tap_ok(read(ends[1], buffer, 9) == 1 && read(ends[1], buffer, 9) == 0,
	       "the byte is read, then end of file");
	signals = 0;
	tap_ok(fails(write(ends[1], "x", 1), EPIPE) && signals == 1, "writing gives EPIPE and SIGPIPE");
	tap_ok(fails(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE) && signals == 1,
	       "with MSG_NOSIGNAL no signal");
	close(ends[1]);

	make_pair(SOCK_STREAM, ends);
	tap_ok(write(ends[0], "x", 1) == 1 && !close(ends[1]), "an end is closed with a byte unread");
	tap_ok(events_of(ends[0]) == (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP),
	       "poll: an error");
	tap_ok(fails(read(ends[0], buffer, 1), ECONNRESET) && read(ends[0], buffer, 1) == 0,
	       "reading gives ECONNRESET once");
	close(ends[0]);
	make_pair(SOCK_STREAM, ends);
	tap_ok(write(ends[0], "x", 1) == 1 && !close(ends[1]) &&
		       option_of(ends[0], SO_ERROR) == ECONNRESET && option_of(ends[0], SO_ERROR) == 0,
	       "SO_ERROR tells it, once");
	tap_ok(fails(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE), "writing gives EPIPE");
	close(ends[0]);

	make_pair(SOCK_STREAM, ends);
	tap_ok(!shutdown(ends[0], SHUT_WR), "half of a connection is shut down");
	tap_ok(fails(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE), "it cannot be written");
	tap_ok(events_of(ends[1]) == (POLLIN | POLLOUT | POLLRDHUP) && read(ends[1], buffer, 1) == 0,
	       "the other end reads end of file");
	tap_ok(write(ends[1], "back", 4) == 4 && read(ends[0], buffer, 9) == 4,
	       "and the other way is open");
	tap_ok(!shutdown(ends[0], SHUT_RD) && fails(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE),
	       "then it is shut, too");
	tap_ok(events_of(ends[1]) == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP),
	       "poll: both ways are shut");
	close_pair(ends);
	make_pair(SOCK_STREAM, ends);
	tap_ok(write(ends[0], "rest", 4) == 4 && !shutdown(ends[1], SHUT_RD) &&
		       read(ends[1], buffer, 9) == 4 && read(ends[1], buffer, 9) == 0,
	       "what came before SHUT_RD is read");
	close_pair(ends);
	signal(SIGPIPE, SIG_DFL);
}

static void limits_of_streams(void)
{
	static char block[65536];
	struct timeval short_time = { .tv_usec = 50000 }, bad_time = { .tv_usec = 1000000 }, time;
	socklen_t length = sizeof(time);
	int ends[2], count = 0;
	ssize_t done, total = 0;
	struct timespec before, after;

	make_pair(SOCK_STREAM, ends);
	nonblocking(ends[0]);
	while ((done = write(ends[0], block, sizeof(block))) > 0)
		total += done;
	tap_ok(errno == EAGAIN && total >= 100000 && total <= 500000,
	       "a connection holds so many bytes: %zd", total);
	tap_ok(events_of(ends[0]) == 0, "poll: it is full");
	tap_ok(read(ends[1], block, 4096) == 4096 && events_of(ends[0]) == 0,
	       "poll: and still after a little was read");
	while (total > 0 && recv(ends[1], block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	tap_ok(events_of(ends[0]) == POLLOUT, "poll: empty again");
	while (write(ends[0], "x", 1) == 1 && count < 1000000)
		count++;
	tap_ok(count >= 200, "and single bytes: at least 200");
	close_pair(ends);

	make_pair(SOCK_STREAM, ends);
	tap_ok(!setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof(short_time)),
	       "SO_RCVTIMEO is set");
	tap_ok(!getsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &time, &length) && length == sizeof(time) &&
		       time.tv_sec == 0 && time.tv_usec >= 48000 && time.tv_usec <= 52000,
	       "and told");
	clock_gettime(CLOCK_MONOTONIC, &before);
	tap_ok(fails(read(ends[1], block, 1), EAGAIN), "a read ends with EAGAIN");
	clock_gettime(CLOCK_MONOTONIC, &after);
	tap_ok((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 40,
	       "after the time");
	tap_ok(fails(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &bad_time, sizeof(bad_time)), EDOM),
	       "a bad time is EDOM");
	tap_ok(fails(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &bad_time, 4), EINVAL),
	       "a short one EINVAL");
	tap_ok(!setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &short_time, sizeof(short_time)),
	       "SO_SNDTIMEO is set");
	while ((done = write(ends[0], block, sizeof(block))) > 0)
		;
	tap_ok(done == -1 && errno == EAGAIN, "a write to a full connection ends with EAGAIN");
	close_pair(ends);

	make_pair(SOCK_STREAM, ends);
	tap_ok(!set_option(ends[1], SO_RCVLOWAT, 4) && option_of(ends[1], SO_RCVLOWAT) == 4,
	       "SO_RCVLOWAT is set");
	tap_ok(write(ends[0], "ab", 2) == 2 && recv(ends[1], block, 9, MSG_DONTWAIT) == 2,
	       "a read gets less than that at a pinch");
	close_pair(ends);
}

static void *write_later(void *end)
{
	usleep(30000);
	if (write((int)(intptr_t)end, "cd", 2) != 2)
		perror("write");
	return NULL;
}

static void *close_later(void *end)
{
	usleep(30000);
	close((int)(intptr_t)end);
	return NULL;
}

static void waiting(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval timer = { .it_value.tv_usec = 30000 };
	struct pollfd poller;
	pthread_t thread;
	char buffer[16];
	int ends[2];

	make_pair(SOCK_STREAM, ends);
	pthread_create(&thread, NULL, write_later, (void *)(intptr_t)ends[0]);
	tap_ok(write(ends[0], "ab", 2) == 2 && recv(ends[1], buffer, 4, MSG_WAITALL) == 4 &&
		       !memcmp(buffer, "abcd", 4),
	       "MSG_WAITALL waits for all");
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, write_later, (void *)(intptr_t)ends[0]);
	poller = (struct pollfd){ .fd = ends[1], .events = POLLIN };
	tap_ok(poll(&poller, 1, 5000) == 1 && poller.revents == POLLIN && read(ends[1], buffer, 9) == 2,
	       "poll waits for bytes");
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, close_later, (void *)(intptr_t)ends[0]);
	tap_ok(recv(ends[1], buffer, 4, MSG_WAITALL) == 0, "a read waits for the end");
	pthread_join(thread, NULL);
	close(ends[1]);

	make_pair(SOCK_STREAM, ends);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	tap_ok(fails(read(ends[0], buffer, 1), EINTR), "a signal ends a read with EINTR");
	setitimer(ITIMER_REAL, &timer, NULL);
	tap_ok(fails(poll(&poller, 0, 5000), EINTR), "and a poll");
	close_pair(ends);
}

static void names(void)
{
	struct sockaddr_un address, told;
	struct sockaddr_storage large = { .ss_family = AF_UNIX };
	socklen_t length;
	struct stat stat;
	int a = make_socket(SOCK_STREAM), b = make_socket(SOCK_STREAM);
	char longest[sizeof(address.sun_path) + 1];

	unlink("/tmp/sock");
	umask(022);
	length = sizeof(told);
	tap_ok(!getsockname(a, (struct sockaddr *)&told, &length) &&
		       length == sizeof(sa_family_t) && told.sun_family == AF_UNIX,
	       "a socket begins without a name");
	tap_ok(fails(getpeername(a, (struct sockaddr *)&told, &length), ENOTCONN),
	       "getpeername needs a peer");
	tap_ok(!bind_to(a, "/tmp/sock"), "it is bound to a path");
	tap_ok(!lstat("/tmp/sock", &stat) && S_ISSOCK(stat.st_mode) && (stat.st_mode & 0777) == 0755,
	       "which is a socket now");
	tap_ok(fails(open("/tmp/sock", O_RDWR), ENXIO), "that cannot be opened");
	length = sizeof(told);
	tap_ok(!getsockname(a, (struct sockaddr *)&told, &length) && length == 2 + 10 &&
		       !strcmp(told.sun_path, "/tmp/sock"),
	       "getsockname tells it with its NUL");
	length = 5;
	memset(&told, 'x', sizeof(told));
	tap_ok(!getsockname(a, (struct sockaddr *)&told, &length) && length == 12 &&
		       !memcmp(told.sun_path, "/tmx", 4),
	       "cut to what there is room for");
	length = -1;
	tap_ok(fails(getsockname(a, (struct sockaddr *)&told, &length), EINVAL),
	       "a negative room is EINVAL");
	length = sizeof(told);
	tap_ok(fails(getsockname(a, (struct sockaddr *)8, &length), EFAULT) &&
		       fails(getsockname(a, (struct sockaddr *)&told, (socklen_t *)8), EFAULT),
	       "bad addresses are EFAULT");
	tap_ok(fails(bind_to(a, "/tmp/other"), EINVAL), "a bound socket cannot be bound again");
	tap_ok(fails(bind_to(b, "/tmp/sock"), EADDRINUSE), "a name that is there is EADDRINUSE");
	tap_ok(fails(bind_to(b, "/tmp/none/sock"), ENOENT) &&
		       fails(bind_to(b, "/proc/version/sock"), ENOTDIR),
	       "errors of the path are told");
	tap_ok(fails(bind_to(b, "/proc/sock"), ENOENT) || errno == EACCES || errno == EPERM,
	       "a tree without sockets refuses");
	tap_ok(fails(bind(b, (struct sockaddr *)&(struct sockaddr_un){ AF_INET, "/tmp/other" }, 15),
		     EINVAL),
	       "another family is EINVAL");
	tap_ok(fails(bind(b, (struct sockaddr *)&large, sizeof(large)), EINVAL) &&
		       fails(bind(b, (struct sockaddr *)&large, 500), EINVAL) &&
		       fails(bind(b, (struct sockaddr *)&large, -1), EINVAL) &&
		       fails(bind(b, (struct sockaddr *)&large, 1), EINVAL),
	       "lengths that cannot be are EINVAL");
	tap_ok(fails(bind(b, (struct sockaddr *)8, 15), EFAULT), "a bad address is EFAULT");
	memset(longest, 'n', sizeof(longest));
	memcpy(longest, "/tmp/", 5);
	address.sun_family = AF_UNIX;
	memcpy(address.sun_path, longest, sizeof(address.sun_path));
	tap_ok(!bind(b, (struct sockaddr *)&address, sizeof(address)),
	       "a path may fill sun_path without a NUL");
	longest[sizeof(longest) - 1] = 0;
	length = sizeof(large);
	tap_ok(!getsockname(b, (struct sockaddr *)&large, &length) && length == sizeof(address) + 1,
	       "and is told with one");
	unlink(longest);
	close(b);
	close(a);
}

static void abstract_names(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX }, told;
	socklen_t length;
	struct stat stat;
	int b, c;

	b = make_socket(SOCK_STREAM);
	tap_ok(!bind(b, (struct sockaddr *)&address, sizeof(sa_family_t)),
	       "without a path the kernel chooses a name");
	length = sizeof(told);
	tap_ok(!getsockname(b, (struct sockaddr *)&told, &length) && length == 2 + 6 &&
		       !told.sun_path[0] && strspn(told.sun_path + 1, "0123456789abcdef") >= 5,
	       "an abstract one of 5 digits");
	close(b);
	b = make_socket(SOCK_STREAM);
	c = make_socket(SOCK_STREAM);
	tap_ok(!bind_to(b, "@sockets_test") && fails(bind_to(c, "@sockets_test"), EADDRINUSE),
	       "an abstract name is one socket's");
	close(c);
	c = make_socket(SOCK_DGRAM);
	tap_ok(!bind_to(c, "@sockets_test"), "of its type");
	close(c);
	close(b);
	b = make_socket(SOCK_STREAM);
	tap_ok(!bind_to(b, "@sockets_test"), "and free when that is closed");
	close(b);
	b = make_socket(SOCK_STREAM);
	tap_ok(fails(bind_to(b, "/tmp/sock"), EADDRINUSE), "a path stays");
	unlink("/tmp/sock");
	fchmod(b, 0600);
	tap_ok(!bind_to(b, "/tmp/sock") && !lstat("/tmp/sock", &stat) && (stat.st_mode & 0777) == 0600,
	       "fchmod before bind gives its mode");
	unlink("/tmp/sock");
	close(b);
}

static void connections(void)
{
	int listener = make_listener(SOCK_STREAM, "/tmp/listen", 1), a, b, c, end;
	struct sockaddr_un told;
	socklen_t length = sizeof(told);
	struct ucred cred;
	char buffer[16];

	a = make_socket(SOCK_STREAM);
	b = make_socket(SOCK_STREAM);
	c = make_socket(SOCK_STREAM);
	tap_ok(option_of(listener, SO_ACCEPTCONN) == 1 && option_of(a, SO_ACCEPTCONN) == 0,
	       "SO_ACCEPTCONN tells listeners");
	tap_ok(events_of(listener) == 0, "poll: nobody connects");
	tap_ok(fails(accept4(listener, NULL, NULL, 12345), EINVAL), "accept4: unknown flags are EINVAL");
	nonblocking(listener);
	tap_ok(fails(accept(listener, NULL, NULL), EAGAIN), "accept: nobody connects");
	tap_ok(!connect_to(a, "/tmp/listen") && !connect_to(b, "/tmp/listen"), "two connect");
	nonblocking(c);
	tap_ok(fails(connect_to(c, "/tmp/listen"), EAGAIN), "a third finds the queue full");
	tap_ok(events_of(listener) == POLLIN, "poll: somebody connects");
	tap_ok(send(a, "early", 5, 0) == 5, "bytes are sent before the connection is accepted");
	end = accept4(listener, (struct sockaddr *)&told, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
	tap_ok(end >= 0 && length == 2 && told.sun_family == AF_UNIX,
	       "accept tells the peer's name: none");
	tap_ok(fcntl(end, F_GETFD) == FD_CLOEXEC && (fcntl(end, F_GETFL) & O_NONBLOCK),
	       "accept4 keeps its flags");
	tap_ok(read(end, buffer, 9) == 5, "and there they are");
	length = sizeof(told);
	tap_ok(!getsockname(end, (struct sockaddr *)&told, &length) &&
		       !strcmp(told.sun_path, "/tmp/listen"),
	       "the accepted end has the listener's name");
	length = sizeof(told);
	tap_ok(!getpeername(a, (struct sockaddr *)&told, &length) &&
		       !strcmp(told.sun_path, "/tmp/listen"),
	       "so has the client's peer");
	length = sizeof(cred);
	tap_ok(!getsockopt(end, SOL_SOCKET, SO_PEERCRED, &cred, &length) && cred.pid == getpid() &&
		       cred.uid == getuid(),
	       "SO_PEERCRED tells who connected");
	tap_ok(!getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &length) && cred.pid == 0 &&
		       cred.uid == (uid_t)-1,
	       "and without a peer nobody");
	close(end);
	close(a);
	close(b);
	close(c);
	close(listener);
	unlink("/tmp/listen");
}

static void refused_connections(void)
{
	int listener = make_listener(SOCK_STREAM, "/tmp/listen", 5), a, b, c;
	struct sockaddr_un told = { .sun_family = AF_UNIX };
	char buffer[16];

	a = make_socket(SOCK_STREAM);
	b = make_socket(SOCK_STREAM);
	c = make_socket(SOCK_STREAM);
	tap_ok(!connect_to(a, "/tmp/listen") && !connect_to(b, "/tmp/listen"), "two connect again");
	tap_ok(fails(connect_to(a, "/tmp/listen"), EISCONN), "a connected socket is EISCONN");
	tap_ok(fails(listen(a, 5), EINVAL), "and cannot listen");
	tap_ok(!listen(listener, 5), "listen may be called again");
	tap_ok(fails(connect_to(listener, "/tmp/listen"), EINVAL), "a listener cannot connect");
	tap_ok(fails(read(listener, buffer, 1), EINVAL) && fails(write(listener, buffer, 1), ENOTCONN),
	       "nor read or write");
	tap_ok(ioctl(listener, FIONREAD, buffer) == -1 && errno == EINVAL, "nor has it bytes");
	tap_ok(write(b, "x", 1) == 1 && !close(listener),
	       "the listener is closed, a connection waiting");
	tap_ok(fails(read(b, buffer, 1), ECONNRESET) && read(b, buffer, 1) == 0, "that is reset");
	tap_ok(fails(connect_to(c, "/tmp/listen"), ECONNREFUSED),
	       "a name that nobody serves is ECONNREFUSED");
	unlink("/tmp/listen");
	tap_ok(fails(connect_to(c, "/tmp/listen"), ENOENT), "one that is gone is ENOENT");
	tap_ok(fails(connect_to(c, "@sockets_nobody"), ECONNREFUSED), "an abstract one is ECONNREFUSED");
	tap_ok(fails(connect_to(c, "/tmp"), ECONNREFUSED), "what is no socket is ECONNREFUSED");
	tap_ok(fails(connect(c, (struct sockaddr *)&told, 2), EINVAL) &&
		       fails(connect(c, (struct sockaddr *)&(struct sockaddr_un){ AF_INET, "/x" }, 5),
			     EINVAL),
	       "an address that cannot be is EINVAL");
	close(a);
	close(b);
	listener = make_socket(SOCK_DGRAM);
	tap_ok(!bind_to(listener, "/tmp/listen") && fails(connect_to(c, "/tmp/listen"), EPROTOTYPE),
	       "another type of socket is EPROTOTYPE");
	tap_ok(fails(listen(listener, 1), EOPNOTSUPP) && fails(accept(listener, NULL, NULL), EOPNOTSUPP),
	       "datagram sockets do not listen");
	close(listener);
	unlink("/tmp/listen");
	listener = make_listener(SOCK_STREAM, "@sockets_listen", 5);
	tap_ok(!connect_to(c, "@sockets_listen") && (a = accept(listener, NULL, NULL)) >= 0,
	       "an abstract name is connected to");
	close(a);
	close(c);
	tap_ok(!shutdown(listener, SHUT_RD) && fails(accept(listener, NULL, NULL), EINVAL),
	       "a listener that is shut down accepts nobody");
	close(listener);
}

static void rights_of_names(void)
{
	int listener = make_listener(SOCK_STREAM, "/tmp/listen", 1), status = 0;
	pid_t pid;

	if (getuid()) {
		tap_ok(1, "permission # SKIP needs root");
		return;
	}
	chmod("/tmp/listen", 0755);
	pid = fork();
	if (!pid) {
		int fd = make_socket(SOCK_STREAM);

		if (setgid(1000) || setuid(1000))
			_exit(2);
		_exit(!fails(connect_to(fd, "/tmp/listen"), EACCES));
	}
	waitpid(pid, &status, 0);
	tap_ok(status == 0, "connecting needs permission to write");
	close(listener);
	unlink("/tmp/listen");
}

static void datagrams(void)
{
	int server = make_socket(SOCK_DGRAM), a = make_socket(SOCK_DGRAM),
	    b = make_socket(SOCK_DGRAM), bytes = 0;
	struct sockaddr_un from;
	socklen_t length = sizeof(from);
	static char block[400000];
	char buffer[32] = "";

	unlink("/tmp/server");
	unlink("/tmp/client");
	tap_ok(!bind_to(server, "/tmp/server") && !bind_to(a, "/tmp/client"),
	       "datagram sockets are bound");
	tap_ok(fails(send(a, "x", 1, 0), ENOTCONN), "send needs a peer");
	tap_ok(send_to(a, "one", 3, 0, "/tmp/server") == 3 && send_to(b, "", 0, 0, "/tmp/server") == 0,
	       "sendto does not; an empty message is one");
	tap_ok(!ioctl(server, FIONREAD, &bytes) && bytes == 3, "FIONREAD tells of the first");
	tap_ok(recvfrom(server, buffer, sizeof(buffer), MSG_PEEK, (struct sockaddr *)&from, &length) == 3 &&
		       length == 2 + 12 && !strcmp(from.sun_path, "/tmp/client"),
	       "MSG_PEEK tells the sender");
	tap_ok(recv(server, buffer, 2, MSG_TRUNC) == 3 && !memcmp(buffer, "on", 2),
	       "MSG_TRUNC tells the true length, the rest is gone");
	length = sizeof(from);
	tap_ok(recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length) == 0 &&
		       length == 0,
	       "a sender without a name has none");
	tap_ok(fails(recv(server, buffer, 1, MSG_DONTWAIT), EAGAIN), "then it is empty");
	tap_ok(fails(send_to(a, "x", 1, 0, "/tmp/none"), ENOENT) &&
		       fails(send_to(a, "x", 1, 0, "@sockets_nobody"), ECONNREFUSED),
	       "errors of names are told");
	tap_ok(fails(sendto(a, "x", 1, 0, (struct sockaddr *)&from, 1), EINVAL),
	       "a bad address is EINVAL");
	tap_ok(fails(send_to(a, block, sizeof(block), 0, "/tmp/server"), EMSGSIZE),
	       "what cannot be sent whole is EMSGSIZE");
	tap_ok(send_to(a, block, 100000, 0, "/tmp/server") == 100000 &&
		       recv(server, block, sizeof(block), 0) == 100000,
	       "a large one comes whole");
	tap_ok(fails(send_to(a, "x", 1, MSG_OOB, "/tmp/server"), EOPNOTSUPP) &&
		       fails(recv(a, buffer, 1, MSG_OOB), EOPNOTSUPP),
	       "MSG_OOB is refused");
	close(server);
	close(a);
	close(b);
	unlink("/tmp/server");
	unlink("/tmp/client");
}

static void connected_datagrams(void)
{
	int server = make_socket(SOCK_DGRAM), a = make_socket(SOCK_DGRAM),
	    b = make_socket(SOCK_DGRAM), count;
	struct sockaddr_un from;
	socklen_t length = sizeof(from);
	char buffer[32] = "";

	tap_ok(!bind_to(server, "/tmp/server") && !bind_to(a, "/tmp/client"), "they are bound again");
	tap_ok(!connect_to(a, "/tmp/server") && send(a, "hi", 2, 0) == 2 &&
		       recv(server, buffer, 9, 0) == 2,
	       "connect sets the receiver");
	tap_ok(!connect_to(server, "/tmp/client") && fails(send_to(b, "x", 1, 0, "/tmp/server"), EPERM) &&
		       fails(connect_to(b, "/tmp/server"), EPERM),
	       "who has a peer receives from it alone");
	tap_ok(write(a, "unread", 6) == 6 &&
		       !connect(server, &(struct sockaddr){ AF_UNSPEC }, sizeof(struct sockaddr)),
	       "AF_UNSPEC ends that");
	tap_ok(fails(recv(server, buffer, 9, MSG_DONTWAIT), EAGAIN) &&
		       fails(write(a, "x", 1), ECONNRESET),
	       "what was unread is lost, and the peer told");
	tap_ok(fails(getpeername(server, (struct sockaddr *)&from, &length), ENOTCONN),
	       "there is no peer");
	length = sizeof(from);
	tap_ok(!getpeername(a, (struct sockaddr *)&from, &length) &&
		       !strcmp(from.sun_path, "/tmp/server"),
	       "the other has it still");

	nonblocking(a);
	for (count = 0; count < 1000 && send(a, "x", 1, 0) == 1; count++)
		;
	tap_ok(errno == EAGAIN && count > 0 && count < 1000, "a queue takes so many messages");
	tap_ok(events_of(a) == 0 && events_of(server) == (POLLIN | POLLOUT),
	       "poll: the receiver is full");
	tap_ok(events_of(b) == POLLOUT, "poll: who is not connected can write");
	{
		struct pollfd poller = { .fd = a, .events = POLLOUT };
		pid_t pid = fork();

		if (!pid) {
			usleep(30000);
			_exit(recv(server, buffer, 1, 0) != 1);
		}
		tap_ok(poll(&poller, 1, 5000) == 1 && poller.revents == POLLOUT, "poll waits for room");
		waitpid(pid, NULL, 0);
	}
	tap_ok(!shutdown(server, SHUT_RD) && fails(write(a, "x", 1), EPIPE),
	       "a receiver that is shut down is EPIPE");
	close(server);
	tap_ok(fails(write(a, "x", 1), ECONNREFUSED) && fails(write(a, "x", 1), ENOTCONN),
	       "one that is closed ECONNREFUSED, once");
	tap_ok(fails(send_to(a, "x", 1, 0, "/tmp/server"), ECONNREFUSED), "and by name always");
	close(a);
	close(b);
	unlink("/tmp/server");
	unlink("/tmp/client");
}

static void datagram_pairs(void)
{
	int ends[2], count, a;
	char buffer[32] = "";

	make_pair(SOCK_DGRAM, ends);
	nonblocking(ends[0]);
	for (count = 0; count < 10000 && send(ends[0], "x", 1, 0) == 1; count++)
		;
	tap_ok(errno == EAGAIN && count >= 100 && count < 10000,
	       "a pair's queue is bounded by the send buffer");
	close(ends[1]);
	tap_ok(fails(send(ends[0], "x", 1, 0), ECONNREFUSED), "a pair's other end is closed");
	close(ends[0]);
	make_pair(SOCK_DGRAM, ends);
	tap_ok(!shutdown(ends[0], SHUT_WR) && fails(send(ends[0], "x", 1, 0), EPIPE),
	       "a sender that is shut down is EPIPE");
	tap_ok(events_of(ends[1]) == POLLOUT, "which the other end is not told");
	tap_ok(!shutdown(ends[1], SHUT_RD) && recv(ends[1], buffer, 1, 0) == 0 &&
		       fails(recv(ends[1], buffer, 1, MSG_DONTWAIT), EAGAIN),
	       "a receiver that is shut down has an end");
	close_pair(ends);
	a = make_socket(SOCK_DGRAM);
	tap_ok(!bind_to(a, "@sockets_self") && !connect_to(a, "@sockets_self") &&
		       write(a, "me", 2) == 2 && read(a, buffer, 9) == 2,
	       "a socket may send to itself");
	close(a);
}

static void packets(void)
{
	int listener = make_listener(SOCK_SEQPACKET, "@sockets_packets", 5),
	    client = make_socket(SOCK_SEQPACKET), server = -1, ends[2];
	char buffer[32];
	struct iovec segment = { buffer, 2 };
	struct msghdr message = { .msg_iov = &segment, .msg_iovlen = 1 };

	tap_ok(fails(send(client, "x", 1, 0), ENOTCONN) && fails(recv(client, buffer, 1, 0), ENOTCONN),
	       "packets need a connection");
	tap_ok(events_of(client) == (POLLOUT | POLLHUP), "poll: without one it hangs");
	tap_ok(!connect_to(client, "@sockets_packets") && (server = accept(listener, NULL, NULL)) >= 0,
	       "it connects as a stream does");
	tap_ok(write(client, "first", 5) == 5 && write(client, "second", 6) == 6, "packets are sent");
	tap_ok(recvmsg(server, &message, 0) == 2 && message.msg_flags == MSG_TRUNC,
	       "one that is too long is cut, and says so");
	tap_ok(read(server, buffer, sizeof(buffer)) == 6, "the next begins afresh");
	tap_ok(send_to(client, "x", 1, 0, "@sockets_nobody") == 1 && read(server, buffer, 9) == 1,
	       "an address is ignored");
	tap_ok(write(client, "left", 4) == 4 && !close(client), "the sender closes");
	tap_ok(events_of(server) == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP),
	       "poll: a packet, and the end");
	tap_ok(read(server, buffer, 9) == 4 && read(server, buffer, 9) == 0, "it is read, then the end");
	signals = 0;
	signal(SIGPIPE, count_signal);
	tap_ok(fails(write(server, "x", 1), EPIPE) && signals == 0, "writing is EPIPE, and no signal");
	signal(SIGPIPE, SIG_DFL);
	close(server);
	close(listener);
	make_pair(SOCK_SEQPACKET, ends);
	tap_ok(write(ends[0], "x", 1) == 1 && write(ends[1], "y", 1) == 1 && !close(ends[1]) &&
		       fails(read(ends[0], buffer, 1), ECONNRESET) &&
		       read(ends[0], buffer, 1) == 1 && read(ends[0], buffer, 1) == 0,
	       "an end closed with packets unread resets the other");
	close(ends[0]);
}

static void many_messages(void)
{
	char buffers[4][8] = {};
	struct iovec segments[4];
	struct mmsghdr messages[4] = {};
	struct timespec none = {};
	int ends[2];

	for (int i = 0; i < 4; i++) {
		segments[i] = (struct iovec){ buffers[i], (size_t)i + 1 };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &segments[i], .msg_iovlen = 1 };
	}
	make_pair(SOCK_DGRAM, ends);
	tap_ok(sendmmsg(ends[0], messages, 4, 0) == 4 && messages[3].msg_len == 4, "sendmmsg sends all");
	for (int i = 0; i < 4; i++)
		segments[i].iov_len = 8;
	tap_ok(recvmmsg(ends[1], messages, 2, 0, NULL) == 2 && messages[0].msg_len == 1 &&
		       messages[1].msg_len == 2,
	       "recvmmsg receives as many as asked for");
	tap_ok(recvmmsg(ends[1], messages, 4, MSG_WAITFORONE, NULL) == 2,
	       "MSG_WAITFORONE: or as are there");
	tap_ok(fails(recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, NULL), EAGAIN), "or none");
	none.tv_nsec = 1000000000;
	tap_ok(fails(recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, &none), EINVAL),
	       "a bad time is EINVAL");
	tap_ok(send(ends[0], "x", 1, 0) == 1 && send(ends[0], "y", 1, 0) == 1, "two more");
	none.tv_nsec = 0;
	tap_ok(recvmmsg(ends[1], messages, 4, 0, &none) == 1, "a time that is over ends it after one");
	messages[0].msg_hdr.msg_iovlen = 2000;
	tap_ok(fails(sendmsg(ends[0], &messages[0].msg_hdr, 0), EMSGSIZE),
	       "too many segments are EMSGSIZE");
	tap_ok(fails(sendmsg(ends[0], (void *)8, 0), EFAULT) &&
		       fails(recvmsg(ends[1], (void *)8, 0), EFAULT),
	       "a bad header is EFAULT");
	messages[1].msg_hdr.msg_name = buffers;
	messages[1].msg_hdr.msg_namelen = -1;
	tap_ok(fails(sendmsg(ends[0], &messages[1].msg_hdr, 0), EINVAL),
	       "a negative length of a name is EINVAL");
	close_pair(ends);
}

/* Many threads and connections at once; what one writes another reads, byte for byte. */
static void *serve(void *listener)
{
	long sum = 0;

	for (int i = 0; i < 200; i++) {
		int fd = accept((int)(intptr_t)listener, NULL, NULL);
		unsigned char buffer[100];
		ssize_t size;

		while ((size = read(fd, buffer, sizeof(buffer))) > 0)
			for (ssize_t at = 0; at < size; at++)
				sum += buffer[at];
		close(fd);
	}
	return (void *)sum;
}

static void *request(void *unused)
{
	unsigned char buffer[999];

	memset(buffer, 1, sizeof(buffer));
	for (int i = 0; i < 100; i++) {
		int fd = make_socket(SOCK_STREAM);

		while (connect_to(fd, "@sockets_many"))
			if (errno != EINTR)
				perror("connect");
		for (int part = 0; part < 10; part++)
			if (write(fd, buffer, sizeof(buffer)) != sizeof(buffer))
				perror("write");
		close(fd);
	}
	return NULL;
}

static void crowds(void)
{
	int listener = make_listener(SOCK_STREAM, "@sockets_many", 2);
	pthread_t servers[2], clients[4];
	long total = 0;

	for (int i = 0; i < 2; i++)
		pthread_create(&servers[i], NULL, serve, (void *)(intptr_t)listener);
	for (int i = 0; i < 4; i++)
		pthread_create(&clients[i], NULL, request, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(clients[i], NULL);
	for (int i = 0; i < 2; i++) {
		void *sum;

		pthread_join(servers[i], &sum);
		total += (long)sum;
	}
	tap_ok(total == 4L * 100 * 9990, "400 connections carry all bytes: %ld", total);
	close(listener);
}

int main(void)
{
	making();
	streams();
	ends_of_streams();
	limits_of_streams();
	waiting();
	names();
	abstract_names();
	connections();
	refused_connections();
	rights_of_names();
	datagrams();
	connected_datagrams();
	datagram_pairs();
	packets();
	many_messages();
	crowds();
	return tap_end();
}
