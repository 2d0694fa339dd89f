/*
 * Sockets, event sets and descriptors for events on four CPUs at once, for two minutes (argument 1: other seconds; 2: the
 * seed). Processes of many threads share a table of descriptors and do random things to random ones, closing included,
 * while they are interrupted, killed and replaced; others pass bytes and tokens and see that none is lost. Afterwards no
 * socket is left (those that only messages hold have been found), and memory is what it was.
 * run: --smp 4
 * seconds: 700
 */
#define _GNU_SOURCE
#include "../memory.h"
#include "../tap.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SECONDS = 120,
	PROCESSES = 3,
	THREADS = 6,
	SLOTS = 48,
	NAMES = 6,
	SLACK_KIB = 2048,
	PATIENCE_MS = 20000, /* a token that takes longer was lost */
};

static time_t end_time;
static unsigned int the_seed = 1;

static int running(void)
{
	return time(NULL) < end_time;
}

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "sockets_stress: %s: %s (seed %u)\n", what, strerror(errno), the_seed);
	_exit(1);
}

/* ---- Random operations on a shared table of descriptors ---- */

static int slots[SLOTS];		/* a descriptor, or -1 */
static __thread unsigned int rng_state; /* of this thread */

static unsigned int below(unsigned int limit)
{
	return (unsigned int)rand_r(&rng_state) % limit;
}

static int some(void)
{
	return __atomic_load_n(&slots[below(SLOTS)], __ATOMIC_RELAXED);
}

/* Into a random place of the table; what was there is closed. */
static void keep(int fd)
{
	int old;

	if (fd < 0)
		return;
	old = __atomic_exchange_n(&slots[below(SLOTS)], fd, __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
}

/* No call on it waits long: killed and interrupted is enough. */
static void bound(int fd)
{
	struct timeval time = { .tv_usec = 3000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

static int type_of_socket(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	return types[below(4)] | (below(2) ? SOCK_NONBLOCK : 0) | SOCK_CLOEXEC;
}

static socklen_t some_name(struct sockaddr_un *name)
{
	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	if (!below(16))
		return (socklen_t)below(sizeof(*name));
	if (below(2)) {
		snprintf(name->sun_path + 1, 30, "stress.%u", below(NAMES));
		return (socklen_t)(sizeof(sa_family_t) + 10);
	}
	snprintf(name->sun_path, 30, "/tmp/stress.%u", below(NAMES));
	return sizeof(*name);
}

static void make_pair(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, type_of_socket(), 0, pair))
		return;
	for (int i = 0; i < 2; i++) {
		bound(pair[i]);
		keep(pair[i]);
	}
}

static void make_socket(void)
{
	int fd = socket(AF_UNIX, type_of_socket(), 0);
	struct sockaddr_un name;
	socklen_t length = some_name(&name);

	if (fd < 0)
		return;
	bound(fd);
	if (below(2)) {
		if (name.sun_path[0] && !below(3))
			unlink(name.sun_path);
		bind(fd, (struct sockaddr *)&name, length);
		listen(fd, (int)below(4));
	} else {
		connect(fd, (struct sockaddr *)&name, length);
	}
	keep(fd);
}

static void make_events(void)
{
	sigset_t set;
	int pipes[2];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	switch (below(6)) {
	case 0:
		keep(eventfd(below(2), EFD_NONBLOCK | (below(2) ? EFD_SEMAPHORE : 0)));
		break;
	case 1:
		keep(timerfd_create(below(2) ? CLOCK_MONOTONIC : CLOCK_REALTIME, TFD_NONBLOCK));
		break;
	case 2:
		keep(signalfd(-1, &set, SFD_NONBLOCK));
		break;
	case 3:
		keep((int)syscall(SYS_pidfd_open, below(2) ? getpid() : getppid(), 0));
		break;
	case 4:
		if (pipe2(pipes, O_NONBLOCK))
			break;
		keep(pipes[0]);
		keep(pipes[1]);
		break;
	default:
		keep(epoll_create1(0));
	}
}

static void drop(void)
{
	int fd = __atomic_exchange_n(&slots[below(SLOTS)], -1, __ATOMIC_RELAXED);

	if (fd >= 0)
		close(fd);
}

static void connections(void)
{
	struct sockaddr_un name;
	socklen_t length = some_name(&name);
	int fd = some();

	switch (below(7)) {
	case 0:
	case 1:
	case 2:
		fd = accept4(fd, below(2) ? (struct sockaddr *)&name : NULL, &length, SOCK_NONBLOCK);
		if (fd >= 0)
			bound(fd);
		keep(fd);
		break;
	case 3:
		connect(fd, (struct sockaddr *)&name, length);
		break;
	case 4:
		name.sun_family = AF_UNSPEC;
		connect(fd, (struct sockaddr *)&name, sizeof(sa_family_t));
		break;
	case 5:
		unlink(name.sun_path);
		break;
	default:
		if (!below(4))
			shutdown(fd, (int)below(3));
		getsockname(fd, (struct sockaddr *)&name, &length);
		getpeername(fd, (struct sockaddr *)&name, &length);
	}
}

static char sent_bytes[65536];

static void send_some(void)
{
	char control[CMSG_SPACE(8 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))] = {};
	struct iovec segments[3];
	struct sockaddr_un name;
	struct msghdr message = { .msg_iov = segments, .msg_iovlen = below(4) };
	struct cmsghdr *header = (struct cmsghdr *)control;
	unsigned int files = below(3) ? 0 : 1 + below(8);

	for (int i = 0; i < 3; i++) {
		segments[i].iov_base = sent_bytes;
		segments[i].iov_len = below(4) ? below(200) : below(sizeof(sent_bytes));
	}
	if (files) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(files * sizeof(int));
		for (unsigned int i = 0; i < files; i++)
			((int *)CMSG_DATA(header))[i] = some();
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(files * sizeof(int));
	}
	if (!below(3)) {
		message.msg_namelen = some_name(&name);
		message.msg_name = &name;
	}
	sendmsg(some(), &message,
		MSG_NOSIGNAL | (below(2) ? MSG_DONTWAIT : 0) | (below(16) ? 0 : MSG_OOB));
}

static void receive_some(void)
{
	char control[512];
	char bytes[8192];
	struct sockaddr_un name;
	struct iovec segment = { bytes, below(sizeof(bytes)) };
	struct msghdr message = { .msg_name = below(2) ? &name : NULL,
				  .msg_namelen = below(sizeof(name) + 1),
				  .msg_iov = &segment,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = below(4) ? sizeof(control) : below(40) };
	int flags = (below(3) ? 0 : MSG_PEEK) | (below(8) ? 0 : MSG_TRUNC) |
		    (below(2) ? MSG_DONTWAIT : 0) | (below(16) ? 0 : MSG_OOB) |
		    (below(16) ? 0 : MSG_WAITALL);

	if (recvmsg(some(), &message, flags) < 0)
		return;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
	     header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
			keep(((int *)CMSG_DATA(header))[i]);
	}
}

/* Addresses and lengths that a program should not pass. */
static void hostile(void)
{
	char *bad[] = { NULL, (char *)8, (char *)~0UL, (char *)0x7ffffffff000 - 8, sent_bytes };
	struct iovec segment = { bad[below(5)], below(2) ? below(100) : ~0UL >> below(64) };
	struct msghdr message = { .msg_name = bad[below(5)],
				  .msg_namelen = below(2) ? below(130) : ~0U >> below(32),
				  .msg_iov = below(4) ? &segment : (void *)bad[below(4)],
				  .msg_iovlen = below(2) ? 1 : below(2000),
				  .msg_control = bad[below(5)],
				  .msg_controllen = below(2) ? below(100) : ~0UL >> below(64) };
	socklen_t length = (socklen_t)(below(2) ? below(20) : ~0U >> below(32));

	switch (below(4)) {
	case 0:
		sendmsg(some(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 1:
		recvmsg(some(), &message, MSG_DONTWAIT);
		break;
	case 2:
		/* Not the waiting times, which bound this test, nor SO_PEEK_OFF's like. */
		if (length != sizeof(struct timeval))
			getsockopt(some(), SOL_SOCKET, (int)below(80), bad[below(5)], &length);
		break;
	default:
		setsockopt(some(), SOL_SOCKET, below(2) ? SO_PASSCRED : SO_SNDBUF,
			   below(2) ? bad[below(4)] : (char *)&length, below(2) ? 4 : length);
	}
}

static void event_sets(void)
{
	struct epoll_event events[4] = {
		{ .events = EPOLLIN | (below(2) ? EPOLLOUT : 0) | (below(2) ? EPOLLET : 0) |
			    (below(4) ? 0 : EPOLLONESHOT) | (below(8) ? 0 : EPOLLEXCLUSIVE) }
	};
	struct pollfd polled[6];
	static const int operations[] = { EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };

	if (below(3)) {
		epoll_ctl(some(), operations[below(4)], some(), events);
	} else if (below(2)) {
		epoll_wait(some(), events, 1 + (int)below(4), (int)below(3));
	} else {
		for (int i = 0; i < 6; i++)
			polled[i] = (struct pollfd){ some(),
						     (short)(POLLIN | (below(2) ? POLLOUT : 0)), 0 };
		poll(polled, 6, (int)below(3));
	}
}

static void timers(void)
{
	struct itimerspec time = { .it_value.tv_nsec = below(2) ? 1 : below(3000000),
				   .it_interval.tv_nsec = below(2) ? 0 : below(3000000) };
	uint64_t value;
	int fd = some();

	if (below(3))
		timerfd_settime(fd, 0, &time, &time);
	else
		timerfd_gettime(fd, &time);
	if (fcntl(fd, F_GETFL) & O_NONBLOCK && read(fd, &value, sizeof(value)) == sizeof(value) &&
	    below(2))
		value = write(fd, &value, sizeof(value)) > 0;
}

static void *random_operations(void *argument)
{
	static void (*const operations[])(
		void) = { make_pair,   make_socket, make_events, drop,	       connections,
			  connections, send_some,   send_some,	 receive_some, receive_some,
			  hostile,     event_sets,  event_sets,	 event_sets,   timers };

	rng_state = (unsigned int)(long)argument;
	while (running())
		operations[below(sizeof(operations) / sizeof(operations[0]))]();
	return NULL;
}

static void on_signal(int signal)
{
	(void)signal;
}

/* A process of threads that share the table, interrupted every few milliseconds. */
static void random_process(unsigned int seed)
{
	struct itimerval often = { { 0, 7000 }, { 0, 7000 } };
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t threads[THREADS];

	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (long i = 0; i < THREADS; i++)
		require(!pthread_create(&threads[i], NULL, random_operations,
					(void *)((long)seed * 100 + i)),
			"pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

/* ---- Nothing is lost ---- */

/* Bytes that count, through a pair, in pieces of all sizes. */
static void counted_bytes(unsigned int seed)
{
	static unsigned char bytes[30000];
	unsigned char next = 0;
	int pair[2];
	pid_t writer;

	require(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	writer = fork();
	require(writer >= 0, "fork");
	rng_state = seed;
	while (!writer && running()) {
		size_t size = 1 + below(below(2) ? 100 : sizeof(bytes));

		for (size_t i = 0; i < size; i++)
			bytes[i] = next++;
		for (size_t done = 0; done < size;) {
			ssize_t part = send(pair[1], bytes + done, size - done,
					    below(2) ? MSG_DONTWAIT : 0);

			require(part > 0 || errno == EAGAIN, "a part is sent");
			done += part > 0 ? (size_t)part : 0;
		}
	}
	if (!writer)
		_exit(0);
	close(pair[1]);
	for (;;) {
		int flags = below(4) ? 0 : MSG_PEEK;
		ssize_t part = recv(pair[0], bytes, 1 + below(sizeof(bytes)), flags);

		require(part >= 0, "a part is received");
		if (!part)
			break;
		for (ssize_t i = 0; i < part; i++)
			require(bytes[i] == (unsigned char)(next + i), "bytes come in order");
		next = (unsigned char)(flags ? next : next + part);
	}
	waitpid(writer, NULL, 0);
	_exit(0);
}

static unsigned int modes_of_tokens; /* EPOLL* */
static int token_event, token_answer, token_sets[3];

static void *take_tokens(void *argument)
{
	int set = token_sets[(long)argument];
	uint64_t value;

	for (;;) {
		struct epoll_event event;

		if (epoll_wait(set, &event, 1, -1) != 1)
			continue;
		if (read(token_event, &value, sizeof(value)) == sizeof(value))
			require(write(token_answer, &value, sizeof(value)) == sizeof(value),
				"an answer");
		event.events = EPOLLIN | modes_of_tokens;
		if (modes_of_tokens & EPOLLONESHOT)
			require(!epoll_ctl(set, EPOLL_CTL_MOD, token_event, &event), "armed again");
	}
	return NULL;
}

/* One token at a time; each must be answered. With shared, three threads wait in one set, else in one each. */
static void token_process(unsigned int modes, int shared)
{
	struct epoll_event event = { .events = EPOLLIN | modes };
	uint64_t value = 1;
	pthread_t thread;

	modes_of_tokens = modes;
	token_event = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
	token_answer = eventfd(0, 0);
	for (long i = 0; i < 3; i++) {
		token_sets[i] = shared && i ? token_sets[0] : epoll_create1(0);
		if (!shared || !i)
			require(!epoll_ctl(token_sets[i], EPOLL_CTL_ADD, token_event, &event),
				"EPOLL_CTL_ADD");
		require(!pthread_create(&thread, NULL, take_tokens, (void *)i), "pthread_create");
	}
	while (running()) {
		struct pollfd answer = { .fd = token_answer, .events = POLLIN };

		require(write(token_event, &value, sizeof(value)) == sizeof(value), "a token");
		require(poll(&answer, 1, PATIENCE_MS) == 1, "a token is taken: no wake-up is lost");
		require(read(token_answer, &value, sizeof(value)) == sizeof(value) && value == 1,
			"each token is taken once");
	}
	_exit(0);
}

/* ---- All of it ---- */

static int sockets_left(void)
{
	FILE *file = fopen("/proc/net/unix", "r");
	char line[300];
	int count = 0;

	while (file && fgets(line, sizeof(line), file))
		count++;
	if (file)
		fclose(file);
	return count;
}

static pid_t start(int number, unsigned int seed)
{
	pid_t pid = fork();

	require(pid >= 0, "fork");
	if (pid)
		return pid;
	switch (number) {
	case PROCESSES:
		counted_bytes(seed);
		break;
	case PROCESSES + 1:
		token_process(EPOLLONESHOT, 1);
		break;
	case PROCESSES + 2:
		token_process(EPOLLEXCLUSIVE, 0);
		break;
	case PROCESSES + 3:
		token_process(EPOLLET, 1);
		break;
	default:
		random_process(seed);
	}
	_exit(1);
}

enum { ALL = PROCESSES + 4 };

/* How many processes failed. */
static int round_of(int seconds, unsigned int seed)
{
	pid_t pids[ALL];
	int failures = 0, status;

	end_time = time(NULL) + seconds;
	for (int i = 0; i < ALL; i++)
		pids[i] = start(i, ++seed);
	/* One of the random ones dies, whatever it is about, and another comes. */
	while (running()) {
		int victim = (int)(seed % PROCESSES);

		usleep(100000 + (useconds_t)(seed * 7919 % 300) * 1000);
		kill(pids[victim], SIGKILL);
		waitpid(pids[victim], &status, 0);
		failures += WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL
						: WEXITSTATUS(status) != 0;
		pids[victim] = start(victim, ++seed);
	}
	for (int i = 0; i < ALL; i++) {
		waitpid(pids[i], &status, 0);
		failures += status != 0;
	}
	return failures;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : SECONDS, sockets, left;
	long before, after;

	the_seed = argc > 2 ? (unsigned int)atoi(argv[2]) : (unsigned int)time(NULL);
	printf("# seed %u\n", the_seed);
	tap_ok(!round_of(3, the_seed), "all processes run");
	before = memory_free_kib();
	sockets = sockets_left();
	tap_ok(!round_of(seconds, the_seed), "for %d seconds", seconds);
	for (int i = 0; (left = sockets_left()) > sockets && i < 100; i++) {
		int pair[2];

		if (!socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) { /* closing has garbage looked for */
			close(pair[0]);
			close(pair[1]);
		}
		usleep(100000);
	}
	tap_ok(left <= sockets, "no socket is left: %d before, %d after", sockets, left);
	after = memory_free_kib();
	tap_ok(before - after <= memory_slack_kib(SLACK_KIB),
	       "memory is what it was: %ld KiB free before, %ld after", before, after);
	tap_ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no child is left");
	return tap_end();
}
