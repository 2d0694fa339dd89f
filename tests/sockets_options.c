/*
 * AF_UNIX sockets, from user space: options of a socket, settings of all (/proc/sys/net), dates of arrival, and what keeps the
 * module.
 */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "sockets.h"

#define SIOCUNIXFILE SIOCPROTOPRIVATE /* <linux/un.h> redefines what libc has */

/* Wrong arguments are the point here. */
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

static void options(void)
{
	int ends[2];

	make_pair(SOCK_STREAM, ends);
	tap_ok(option_of(ends[0], SO_TYPE) == SOCK_STREAM && option_of(ends[0], SO_DOMAIN) == AF_UNIX &&
		       option_of(ends[0], SO_PROTOCOL) == 0 && option_of(ends[0], SO_ERROR) == 0,
	       "what a socket is can be asked");
	tap_ok(option_of(ends[0], SO_SNDBUF) == 212992 && option_of(ends[0], SO_RCVBUF) == 212992,
	       "buffers begin at 212992");
	tap_ok(!set_option(ends[0], SO_SNDBUF, 10000) && option_of(ends[0], SO_SNDBUF) == 20000,
	       "they are doubled");
	tap_ok(!set_option(ends[0], SO_SNDBUF, 1) && option_of(ends[0], SO_SNDBUF) == 4608 &&
		       !set_option(ends[0], SO_RCVBUF, 0) && option_of(ends[0], SO_RCVBUF) == 2304,
	       "have a least size");
	tap_ok(!set_option(ends[0], SO_SNDBUF, 1 << 30) && option_of(ends[0], SO_SNDBUF) == 425984,
	       "and a largest");
	if (!getuid())
		tap_ok(!set_option(ends[0], SO_SNDBUFFORCE, 1000000) &&
			       option_of(ends[0], SO_SNDBUF) == 2000000,
		       "that SO_SNDBUFFORCE passes");
	for (int option = 0; option < 3; option++) {
		static const int tried[] = { SO_REUSEADDR, SO_KEEPALIVE, SO_PASSCRED };

		tap_ok(option_of(ends[0], tried[option]) == 0 && !set_option(ends[0], tried[option], 5) &&
			       option_of(ends[0], tried[option]) == 1 &&
			       !set_option(ends[0], tried[option], 0) &&
			       option_of(ends[0], tried[option]) == 0,
		       "switch %d goes on and off", tried[option]);
	}
	close_pair(ends);
}

static void options_refused(void)
{
	int ends[2], value = 1;
	socklen_t length = sizeof(value);

	make_pair(SOCK_STREAM, ends);
	tap_ok(fails(setsockopt(ends[0], SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL) &&
		       fails(setsockopt(ends[0], SOL_SOCKET, SO_REUSEADDR, &value, -1), EINVAL),
	       "a short value is EINVAL");
	tap_ok(fails(setsockopt(ends[0], SOL_SOCKET, SO_REUSEADDR, (void *)8, 4), EFAULT) &&
		       fails(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, (void *)8, &length), EFAULT) &&
		       fails(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, (void *)8), EFAULT),
	       "bad addresses are EFAULT");
	length = -1;
	tap_ok(fails(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &length), EINVAL),
	       "a negative length is EINVAL");
	length = 2;
	value = -1;
	tap_ok(!getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &length) && length == 2 &&
		       value == (int)0xffff0001,
	       "a short room is filled");
	length = sizeof(value);
	tap_ok(fails(setsockopt(ends[0], SOL_SOCKET, 9999, &value, 4), ENOPROTOOPT) &&
		       fails(getsockopt(ends[0], SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT),
	       "an unknown option is ENOPROTOOPT");
	tap_ok(fails(setsockopt(ends[0], 6, 1, &value, 4), EOPNOTSUPP) &&
		       fails(getsockopt(ends[0], 6, 1, &value, &length), EOPNOTSUPP),
	       "another level is EOPNOTSUPP");
	tap_ok(fails(set_option(ends[0], SO_TYPE, 1), ENOPROTOOPT) &&
		       fails(set_option(ends[0], SO_ERROR, 1), ENOPROTOOPT),
	       "what cannot be set is ENOPROTOOPT");
	close_pair(ends);
}

static void other_options(void)
{
	int ends[2], value;
	struct linger linger = { 1, 7 };
	socklen_t length;
	long long wide;

	make_pair(SOCK_STREAM, ends);
	length = sizeof(linger);
	tap_ok(!setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, length), "SO_LINGER is set");
	linger = (struct linger){};
	tap_ok(!getsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, &length) &&
		       linger.l_onoff == 1 && linger.l_linger == 7,
	       "and told");
	length = sizeof(wide);
	tap_ok(!getsockopt(ends[0], SOL_SOCKET, SO_COOKIE, &wide, &length) && length == 8 && wide,
	       "a socket has a cookie");
	tap_ok(!set_option(ends[0], SO_PRIORITY, 6) && option_of(ends[0], SO_PRIORITY) == 6,
	       "SO_PRIORITY");
	value = 1;
	tap_ok(!ioctl(ends[0], FIONBIO, &value) && (fcntl(ends[0], F_GETFL) & O_NONBLOCK) &&
		       fails(ioctl(ends[0], 0x1234, &value), ENOTTY),
	       "FIONBIO; others are ENOTTY");
	tap_ok(!set_option(ends[1], SO_PEEK_OFF, 0) && option_of(ends[1], SO_PEEK_OFF) == 0,
	       "SO_PEEK_OFF is set");
	{
		char buffer[8] = "";

		tap_ok(write(ends[0], "abcdef", 6) == 6 && recv(ends[1], buffer, 2, MSG_PEEK) == 2 &&
			       recv(ends[1], buffer, 2, MSG_PEEK) == 2 && !memcmp(buffer, "cd", 2),
		       "and moves on with each peek");
		tap_ok(recv(ends[1], buffer, 3, 0) == 3 &&
			       recv(ends[1], buffer, 8, MSG_PEEK) == 2 && !memcmp(buffer, "ef", 2),
		       "and back with each read");
	}
	close_pair(ends);
}

/* ---- /proc/sys/net ---- */

static int setting(const char *name)
{
	FILE *file = fopen(name, "r");
	int value = -1;

	if (file && fscanf(file, "%d", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static int set(const char *name, int value)
{
	char text[16];
	int fd = open(name, O_WRONLY), length = snprintf(text, sizeof(text), "%d\n", value);
	int done = fd >= 0 && write(fd, text, (size_t)length) == length;

	close(fd);
	return done;
}

/* How many datagrams a new socket takes from one that it does not send to. */
static int datagrams_taken(void)
{
	int to = make_socket(SOCK_DGRAM), from = make_socket(SOCK_DGRAM), count = 0;

	bind_to(to, "@sockets_taken");
	while (count < 1000 && send_to(from, "x", 1, MSG_DONTWAIT, "@sockets_taken") == 1)
		count++;
	close(to);
	close(from);
	return count;
}

static void settings(void)
{
	static const char queue[] = "/proc/sys/net/unix/max_dgram_qlen";
	static const char *const names[] = { "/proc/sys/net/core/optmem_max",
					     "/proc/sys/net/core/rmem_max",
					     "/proc/sys/net/core/somaxconn" };
	int usual = setting(queue), limit = setting("/proc/sys/net/core/wmem_max"),
	    first = setting("/proc/sys/net/core/wmem_default"), value = 0, fd;
	socklen_t length = sizeof(value);

	tap_ok(usual > 0 && datagrams_taken() == usual + 1, "max_dgram_qlen and one are taken");
	tap_ok(set(queue, 2) && setting(queue) == 2 && datagrams_taken() == 3, "it can be set");
	set(queue, usual);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tap_ok(setting(names[i]) > 0, "%s is there", names[i]);
	fd = make_socket(SOCK_STREAM);
	tap_ok(!getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &length) && value == first,
	       "wmem_default is what a socket has");
	value = 1 << 30;
	tap_ok(!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)) &&
		       !getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &length) && value == 2 * limit,
	       "wmem_max, doubled, is what it may ask for");
	tap_ok(set("/proc/sys/net/core/wmem_max", 10000), "wmem_max can be set");
	value = 1 << 30;
	tap_ok(!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)) &&
		       !getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &length) && value == 20000,
	       "and holds from then on");
	set("/proc/sys/net/core/wmem_max", limit);
	close(fd);
}

/* ---- Dates of arrival ---- */

static void stamps(void)
{
	struct timespec before, after, told = {};
	struct timeval coarse = {};
	char control[64], byte;
	struct iovec segment = { &byte, 1 };
	struct msghdr message = { .msg_iov = &segment,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	int ends[2], on = 1;

	make_pair(SOCK_DGRAM, ends);
	tap_ok(!setsockopt(ends[1], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), "SO_TIMESTAMPNS");
	clock_gettime(CLOCK_REALTIME, &before);
	tap_ok(write(ends[0], "x", 1) == 1, "a datagram");
	clock_gettime(CLOCK_REALTIME, &after);
	usleep(20000);
	tap_ok(recvmsg(ends[1], &message, 0) == 1 && (header = CMSG_FIRSTHDR(&message)) &&
		       header->cmsg_type == SO_TIMESTAMPNS &&
		       header->cmsg_len == CMSG_LEN(sizeof(told)) &&
		       memcpy(&told, CMSG_DATA(header), sizeof(told)) && told.tv_sec >= before.tv_sec &&
		       told.tv_sec * 1000000000L + told.tv_nsec <=
			       after.tv_sec * 1000000000L + after.tv_nsec,
	       "comes with the date of its arrival");
	tap_ok(!setsockopt(ends[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)) &&
		       write(ends[0], "x", 1) == 1,
	       "SO_TIMESTAMP takes its place");
	message.msg_controllen = sizeof(control);
	tap_ok(recvmsg(ends[1], &message, 0) == 1 && (header = CMSG_FIRSTHDR(&message)) &&
		       header->cmsg_type == SO_TIMESTAMP &&
		       header->cmsg_len == CMSG_LEN(sizeof(coarse)) &&
		       memcpy(&coarse, CMSG_DATA(header), sizeof(coarse)) &&
		       coarse.tv_sec >= before.tv_sec && coarse.tv_usec < 1000000,
	       "and tells microseconds");
	message.msg_controllen = 0;
	tap_ok(write(ends[0], "x", 1) == 1 && recvmsg(ends[1], &message, 0) == 1 &&
		       message.msg_flags & MSG_CTRUNC,
	       "without room for it: MSG_CTRUNC");
	close_pair(ends);
}

/* SIOCUNIXFILE */
static void file_of_name(void)
{
	int fd = make_socket(SOCK_STREAM), other = make_socket(SOCK_STREAM), file = -1;
	struct stat by_name, by_file;

	unlink("/tmp/of_name");
	tap_ok(fails(ioctl(fd, SIOCUNIXFILE, 0), ENOENT), "SIOCUNIXFILE: there is no name");
	tap_ok(!bind_to(other, "@of_name") && fails(ioctl(other, SIOCUNIXFILE, 0), ENOENT),
	       "nor a file of it");
	tap_ok(!bind_to(fd, "/tmp/of_name") && (file = ioctl(fd, SIOCUNIXFILE, 0)) >= 0 &&
		       !fstat(file, &by_file) && !stat("/tmp/of_name", &by_name) &&
		       by_file.st_ino == by_name.st_ino && fails(read(file, &by_file, 1), EBADF),
	       "the file that it is bound to");
	unlink("/tmp/of_name");
	close(file);
	close(fd);
	close(other);
}

/* ---- The module ---- */

/* Linux's may be no module. */
static int is_refused(void)
{
	return syscall(SYS_delete_module, "unix", O_NONBLOCK) == -1 &&
	       (errno == EWOULDBLOCK || errno == ENOENT);
}

static void removal(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec segment = { "x", 1 };
	struct msghdr message = { .msg_iov = &segment,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int ends[2];

	make_pair(SOCK_DGRAM, ends);
	tap_ok(is_refused(), "the module stays as long as there is a socket");
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
	tap_ok(sendmsg(ends[0], &message, 0) == 1 && !close(ends[1]) && is_refused(),
	       "and as long as one is under way");
	close(ends[0]);
}

int main(void)
{
	options();
	options_refused();
	other_options();
	settings();
	stamps();
	file_of_name();
	removal();
	return tap_end();
}
