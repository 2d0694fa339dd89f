/* What travels beside the bytes of AF_UNIX sockets: open files (SCM_RIGHTS) and credentials (SCM_CREDENTIALS). */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "sockets.h"

#define MOST 253 /* files in one message */

union control {
	char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE((MOST + 10) * sizeof(int))];
	struct cmsghdr header;
};

/* Sends `size` bytes with files. */
static ssize_t send_files(int fd, const char *data, size_t size, const int *files, size_t count)
{
	union control control = {};
	struct iovec segment = { (void *)data, size };
	struct msghdr message = { .msg_iov = &segment,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), files, count * sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int send_file(int fd, int file)
{
	return send_files(fd, "f", 1, &file, 1) == 1;
}

struct received {
	ssize_t size;
	int flags;
	size_t count; /* of files */
	int files[MOST];
	struct ucred cred;
	int has_cred;
	char data[64];
	size_t control_length;
};

static struct received receive(int fd, size_t room, int flags)
{
	static union control control;
	struct received got = {};
	struct iovec segment = { got.data, sizeof(got.data) };
	struct msghdr message = {
		.msg_iov = &segment, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = room
	};

	got.size = recvmsg(fd, &message, flags);
	got.flags = message.msg_flags;
	got.control_length = message.msg_controllen;
	if (got.size < 0)
		return got;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
	     header = CMSG_NXTHDR(&message, header)) {
		size_t size = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_type == SCM_RIGHTS) {
			got.count = size / sizeof(int);
			memcpy(got.files, CMSG_DATA(header), got.count * sizeof(int));
		} else if (header->cmsg_type == SCM_CREDENTIALS && size == sizeof(got.cred)) {
			memcpy(&got.cred, CMSG_DATA(header), size);
			got.has_cred = 1;
		}
	}
	return got;
}

static void close_files(const struct received *got)
{
	for (size_t i = 0; i < got->count; i++)
		close(got->files[i]);
}

static int same_file(int a, int b)
{
	struct stat first, second;

	return !fstat(a, &first) && !fstat(b, &second) && first.st_ino == second.st_ino &&
	       first.st_dev == second.st_dev;
}

/* The pipe's write end has gone: its read end is at the end. */
static int pipe_ended(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, 3000) == 1 && poller.revents == POLLHUP;
}

static void files_of(int type, const char *kind)
{
	struct received got;
	int ends[2], pipe_ends[2], two[2];

	make_pair(type, ends);
	if (pipe(pipe_ends))
		exit(1);
	tap_ok(send_file(ends[0], pipe_ends[0]), "%s: a file is sent", kind);
	got = receive(ends[1], 1000, 0);
	tap_ok(got.size == 1 && got.count == 1 && got.flags == 0 &&
		       same_file(got.files[0], pipe_ends[0]) && fcntl(got.files[0], F_GETFD) == 0,
	       "%s: and received", kind);
	tap_ok(got.control_length == CMSG_SPACE(sizeof(int)),
	       "%s: msg_controllen tells what was used", kind);
	close_files(&got);
	tap_ok(send_file(ends[0], pipe_ends[0]), "%s: again", kind);
	got = receive(ends[1], 1000, MSG_CMSG_CLOEXEC);
	tap_ok(got.count == 1 && fcntl(got.files[0], F_GETFD) == FD_CLOEXEC &&
		       got.flags == MSG_CMSG_CLOEXEC,
	       "%s: MSG_CMSG_CLOEXEC marks it", kind);
	close_files(&got);
	tap_ok(send_file(ends[0], pipe_ends[0]), "%s: again", kind);
	got = receive(ends[1], 1000, MSG_PEEK);
	tap_ok(got.count == 1 && same_file(got.files[0], pipe_ends[0]), "%s: MSG_PEEK gives it", kind);
	close_files(&got);
	got = receive(ends[1], 1000, 0);
	tap_ok(got.count == 1 && same_file(got.files[0], pipe_ends[0]), "%s: and leaves it", kind);
	close_files(&got);

	tap_ok(send_file(ends[0], pipe_ends[1]), "%s: the end of a pipe is sent", kind);
	close(pipe_ends[1]);
	got = receive(ends[1], 0, 0);
	tap_ok(got.size == 1 && got.count == 0 && got.flags == MSG_CTRUNC && pipe_ended(pipe_ends[0]),
	       "%s: without room for it, it is closed", kind);
	close(pipe_ends[0]);
	two[0] = two[1] = 0;
	tap_ok(send_files(ends[0], "f", 1, two, 2) == 1, "%s: two are sent", kind);
	got = receive(ends[1], CMSG_LEN(sizeof(int)), 0);
	tap_ok(got.count == 1 && got.flags == MSG_CTRUNC, "%s: with room for one, one comes", kind);
	close_files(&got);
	if (pipe(pipe_ends))
		exit(1);
	tap_ok(send_file(ends[0], pipe_ends[1]), "%s: the end of a pipe is sent", kind);
	close(pipe_ends[1]);
	close_pair(ends);
	tap_ok(pipe_ended(pipe_ends[0]), "%s: unread, it is closed with the socket", kind);
	close(pipe_ends[0]);
}

static void borders(void)
{
	struct received got;
	int ends[2], zero = 0;

	make_pair(SOCK_STREAM, ends);
	tap_ok(write(ends[0], "ab", 2) == 2 && send_files(ends[0], "cd", 2, &zero, 1) == 2 &&
		       write(ends[0], "ef", 2) == 2,
	       "a file between bytes");
	got = receive(ends[1], 1000, 0);
	tap_ok(got.size == 4 && got.count == 1 && !memcmp(got.data, "abcd", 4),
	       "a read ends behind the message with the file");
	close_files(&got);
	got = receive(ends[1], 1000, 0);
	tap_ok(got.size == 2 && got.count == 0, "the rest comes by itself");
	tap_ok(send_files(ends[0], "12", 2, &zero, 1) == 2 && send_files(ends[0], "34", 2, &zero, 1) == 2,
	       "two with files");
	got = receive(ends[1], 1000, 0);
	tap_ok(got.size == 2 && got.count == 1, "are read one by one");
	close_files(&got);
	got = receive(ends[1], 1000, 0);
	tap_ok(got.size == 2 && got.count == 1, "and the second");
	close_files(&got);
	tap_ok(send_files(ends[0], "", 0, &zero, 1) == 0 &&
		       fails(receive(ends[1], 1000, MSG_DONTWAIT).size, EAGAIN),
	       "a stream carries no file without a byte");
	close_pair(ends);
	make_pair(SOCK_DGRAM, ends);
	tap_ok(send_files(ends[0], "", 0, &zero, 1) == 0, "a datagram does");
	got = receive(ends[1], 1000, 0);
	tap_ok(got.size == 0 && got.count == 1, "and it comes");
	close_files(&got);
	close_pair(ends);
}

static void refusals(void)
{
	static int many[MOST + 1];
	union control control = {};
	struct iovec segment = { "x", 1 };
	struct msghdr message = { .msg_iov = &segment,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct rlimit limit, old;
	struct received got;
	int ends[2], bad = 999, minus = -1;

	make_pair(SOCK_STREAM, ends);
	tap_ok(fails(send_files(ends[0], "x", 1, &bad, 1), EBADF) &&
		       fails(send_files(ends[0], "x", 1, &minus, 1), EBADF),
	       "a descriptor that is not open is EBADF");
	tap_ok(fails(send_files(ends[0], "x", 1, many, MOST + 1), EINVAL), "more than 253 are EINVAL");
	tap_ok(send_files(ends[0], "x", 1, many, MOST) == 1, "253 are not");
	getrlimit(RLIMIT_NOFILE, &old);
	limit = old;
	limit.rlim_cur = 20;
	setrlimit(RLIMIT_NOFILE, &limit);
	got = receive(ends[1], sizeof(union control), 0);
	tap_ok(got.size == 1 && got.count > 0 && got.count < 20 && (got.flags & MSG_CTRUNC),
	       "as many come as may be open: %zu", got.count);
	close_files(&got);
	setrlimit(RLIMIT_NOFILE, &old);
	control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					   .cmsg_type = 77,
					   .cmsg_len = CMSG_LEN(sizeof(int)) };
	tap_ok(fails(sendmsg(ends[0], &message, 0), EINVAL), "an unknown kind is EINVAL");
	control.header.cmsg_level = 6;
	tap_ok(sendmsg(ends[0], &message, 0) == 1, "of another level is ignored");
	control.header =
		(struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = 5 };
	tap_ok(fails(sendmsg(ends[0], &message, 0), EINVAL), "one that is too short is EINVAL");
	control.header.cmsg_len = 5000;
	tap_ok(fails(sendmsg(ends[0], &message, 0), EINVAL), "one that is too long is EINVAL");
	message.msg_control = (void *)8;
	tap_ok(fails(sendmsg(ends[0], &message, 0), EFAULT), "a bad address is EFAULT");
	message.msg_controllen = 1UL << 40;
	tap_ok(fails(sendmsg(ends[0], &message, 0), ENOBUFS), "a huge length is ENOBUFS");
	close_pair(ends);
}

static int send_credentials(int fd, struct ucred cred)
{
	union control control = {};
	struct iovec segment = { "c", 1 };
	struct msghdr message = { .msg_iov = &segment,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(sizeof(cred)) };

	control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_CREDENTIALS,
					   .cmsg_len = CMSG_LEN(sizeof(cred)) };
	memcpy(CMSG_DATA(&control.header), &cred, sizeof(cred));
	return (int)sendmsg(fd, &message, 0);
}

static void credentials(void)
{
	struct ucred mine = { getpid(), getuid(), getgid() }, init = { 1, 0, 0 };
	struct sockaddr_un name;
	socklen_t length = sizeof(name);
	struct received got;
	int ends[2], status;
	char byte;

	make_pair(SOCK_STREAM, ends);
	set_option(ends[1], SO_PASSCRED, 1);
	tap_ok(write(ends[0], "x", 1) == 1, "a byte is sent");
	got = receive(ends[1], 1000, 0);
	tap_ok(got.has_cred && got.cred.pid == mine.pid && got.cred.uid == mine.uid &&
		       got.cred.gid == mine.gid,
	       "SO_PASSCRED tells the sender");
	tap_ok(write(ends[0], "x", 1) == 1 && (got = receive(ends[1], 0, 0)).size == 1 &&
		       got.flags == MSG_CTRUNC,
	       "without room MSG_CTRUNC");
	tap_ok(send_credentials(ends[0], mine) == 1, "the truth may be sent");
	got = receive(ends[1], 1000, 0);
	tap_ok(got.has_cred && got.cred.pid == mine.pid, "and comes");
	if (!getuid()) {
		tap_ok(send_credentials(ends[0], init) == 1 &&
			       (got = receive(ends[1], 1000, 0)).cred.pid == 1,
		       "root may send another's");
		tap_ok(fails(send_credentials(ends[0], (struct ucred){ 4000000, 0, 0 }), ESRCH),
		       "but of a process that is there");
		tap_ok(write(ends[0], "a", 1) == 1 && send_credentials(ends[0], init) == 1,
		       "bytes of two senders");
		tap_ok((got = receive(ends[1], 1000, 0)).size == 1 && got.cred.pid == getpid() &&
			       (got = receive(ends[1], 1000, 0)).size == 1 && got.cred.pid == 1,
		       "are not read together");
		if (!fork()) {
			if (setgid(1000) || setuid(1000))
				_exit(2);
			_exit(!fails(send_credentials(ends[0], init), EPERM) ||
			      !fails(send_credentials(ends[0], (struct ucred){ getpid(), 0, 1000 }),
				     EPERM));
		}
		wait(&status);
		tap_ok(status == 0, "others may not lie");
	}
	close_pair(ends);
	ends[0] = make_socket(SOCK_DGRAM);
	ends[1] = make_socket(SOCK_DGRAM);
	bind_to(ends[0], "@passing_receiver");
	set_option(ends[1], SO_PASSCRED, 1);
	tap_ok(send_to(ends[1], "x", 1, 0, "@passing_receiver") == 1 &&
		       recvfrom(ends[0], &byte, 1, 0, (struct sockaddr *)&name, &length) == 1 &&
		       length == 8 && !name.sun_path[0],
	       "a socket with SO_PASSCRED gets a name when it sends");
	close_pair(ends);
}

/* Closing a socket looks for others that nobody holds. */
static void look_for_garbage(void)
{
	int ends[2];

	make_pair(SOCK_STREAM, ends);
	close_pair(ends);
}

/* Sockets that only messages hold, in circles, are found. */
static void circles(void)
{
	int ends[2], more[2], pipe_ends[2], listener, client;
	struct received got;

	if (pipe(pipe_ends))
		exit(1);
	make_pair(SOCK_STREAM, ends);
	tap_ok(send_file(ends[0], pipe_ends[1]) && send_file(ends[0], ends[1]),
	       "a socket travels in its own queue");
	close(pipe_ends[1]);
	close_pair(ends);
	look_for_garbage();
	tap_ok(pipe_ended(pipe_ends[0]), "and is found when nobody else holds it");
	close(pipe_ends[0]);

	if (pipe(pipe_ends))
		exit(1);
	make_pair(SOCK_DGRAM, ends);
	make_pair(SOCK_STREAM, more);
	tap_ok(send_file(ends[0], more[1]) && send_file(more[0], ends[1]) &&
		       send_file(more[0], pipe_ends[1]) && send_file(ends[0], more[0]) &&
		       send_file(more[0], ends[0]),
	       "two pairs travel in each other");
	close(pipe_ends[1]);
	close_pair(ends);
	close_pair(more);
	look_for_garbage();
	tap_ok(pipe_ended(pipe_ends[0]), "and are found");
	close(pipe_ends[0]);

	if (pipe(pipe_ends))
		exit(1);
	listener = make_listener(SOCK_STREAM, "@passing_listener", 5);
	client = make_socket(SOCK_STREAM);
	tap_ok(!connect_to(client, "@passing_listener") && send_file(client, listener) &&
		       send_file(client, pipe_ends[1]),
	       "a listener travels in a connection that waits for it");
	close(pipe_ends[1]);
	close(listener);
	close(client);
	tap_ok(pipe_ended(pipe_ends[0]), "and is found");
	close(pipe_ends[0]);

	make_pair(SOCK_STREAM, ends);
	make_pair(SOCK_STREAM, more);
	tap_ok(send_file(ends[0], more[1]) && write(more[0], "alive", 5) == 5 && !close(more[1]),
	       "a socket travels in a living one");
	for (int i = 0; i < 20; i++)
		look_for_garbage();
	got = receive(ends[1], 1000, 0);
	tap_ok(got.count == 1 && recv(got.files[0], got.data, 9, 0) == 5 &&
		       !memcmp(got.data, "alive", 5),
	       "and arrives whole");
	close_files(&got);
	close(more[0]);
	close_pair(ends);
}

/* A chain: each socket lies in the queue of the next. Closing the last closes all, however many. */
static void chains(void)
{
	int pipe_ends[2], carried, ends[2];

	if (pipe(pipe_ends))
		exit(1);
	carried = pipe_ends[1];
	for (int i = 0; i < 5000; i++) {
		make_pair(SOCK_DGRAM, ends);
		if (!send_file(ends[0], carried)) {
			perror("send");
			break;
		}
		close(carried);
		close(ends[0]);
		carried = ends[1];
	}
	close(carried);
	tap_ok(pipe_ended(pipe_ends[0]), "a chain of 5000 is closed with its last");
	close(pipe_ends[0]);
}

static void limit_of_flights(void)
{
	int ends[2], status, count = 0, zero = 0;

	make_pair(SOCK_DGRAM, ends);
	if (getuid()) {
		tap_ok(1, "ETOOMANYREFS # SKIP needs root");
	} else {
		if (!fork()) {
			struct rlimit limit = { 10, 10 };

			setrlimit(RLIMIT_NOFILE, &limit);
			if (setgid(1000) || setuid(1000))
				_exit(2);
			while (count < 100 && send_files(ends[0], "x", 1, &zero, 1) == 1)
				count++;
			_exit(errno != ETOOMANYREFS || count < 10 || count > 12);
		}
		wait(&status);
		tap_ok(status == 0, "a user may have so many files under way: then ETOOMANYREFS");
	}
	close_pair(ends);
}

/* Several threads pass sockets through each other, close and receive, while the collector runs. */
static int shared[2];

static void *pass_around(void *seed)
{
	unsigned int state = (unsigned int)(long)seed;

	for (int i = 0; i < 300; i++) {
		int ends[2];

		make_pair(SOCK_STREAM, ends);
		state = state * 1103515245 + 12345;
		send_file(ends[0], ends[1]);
		if (state & 0x10000)
			send_file(shared[0], ends[1]);
		if (state & 0x20000)
			send_file(ends[0], shared[1]);
		close_pair(ends);
		if (state & 0x40000) {
			struct received got = receive(
				shared[1], 1000, MSG_DONTWAIT | (state & 0x80000 ? MSG_PEEK : 0));

			for (size_t j = 0; got.size > 0 && j < got.count; j++) {
				char data[8];

				if (recv(got.files[j], data, 1, MSG_DONTWAIT) == 1 && data[0] != 'f')
					return (void *)1;
				close(got.files[j]);
			}
		}
	}
	return NULL;
}

static void crowds(void)
{
	pthread_t threads[4];
	void *result;
	int wrong = 0;

	make_pair(SOCK_DGRAM, shared);
	nonblocking(shared[0]);
	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, pass_around, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		wrong += result != NULL;
	}
	tap_ok(!wrong, "four threads pass sockets through sockets");
	close_pair(shared);
}

int main(void)
{
	files_of(SOCK_STREAM, "stream");
	files_of(SOCK_DGRAM, "datagram");
	files_of(SOCK_SEQPACKET, "packets");
	borders();
	refusals();
	credentials();
	circles();
	chains();
	limit_of_flights();
	crowds();
	return tap_end();
}
