/* Event sets and event descriptors: epoll(7), eventfd(2), timerfd_create(2), signalfd(2). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, unsigned long long)
#endif

#include "tap.h"

/* The compiler knows some calls, and that what is tried here is wrong. */
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static int ends[2];

static void open_pipe(void)
{
	if (pipe2(ends, O_NONBLOCK)) {
		perror("pipe2");
		exit(1);
	}
}

static void close_pipe(void)
{
	close(ends[0]);
	close(ends[1]);
}

static int control(int set, int operation, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = 0x1234567800000000 | (unsigned)fd };

	return epoll_ctl(set, operation, fd, &event);
}

/* The events of the one descriptor that is ready; 0: none, -1: something else. */
static int one(int set, int fd, int timeout)
{
	struct epoll_event events[4];
	int count = epoll_wait(set, events, 4, timeout);

	if (count <= 0)
		return count;
	return count == 1 && events[0].data.u64 == (0x1234567800000000 | (unsigned)fd)
		       ? (int)events[0].events
		       : -1;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What /proc says about a descriptor: the text of its fdinfo or of its link. */
static const char *about(int fd, int link)
{
	static char text[1024];
	char name[64];
	ssize_t size;

	snprintf(name, sizeof(name), "/proc/self/%s/%d", link ? "fd" : "fdinfo", fd);
	if (link) {
		size = readlink(name, text, sizeof(text) - 1);
	} else {
		int file = open(name, O_RDONLY);

		size = read(file, text, sizeof(text) - 1);
		close(file);
	}
	text[size > 0 ? size : 0] = '\0';
	return text;
}

/* ---- epoll ---- */

static void epoll_errors(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set, file, dir, null, other;

	tap_ok(FAILS(epoll_create(0), EINVAL) && FAILS(epoll_create(-1), EINVAL),
	       "epoll_create wants a positive size");
	tap_ok(FAILS(epoll_create1(1), EINVAL), "epoll_create1 refuses unknown flags");
	set = epoll_create1(EPOLL_CLOEXEC);
	tap_ok(set >= 0 && fcntl(set, F_GETFD) == FD_CLOEXEC && (fcntl(set, F_GETFL) & O_ACCMODE) == O_RDWR,
	       "EPOLL_CLOEXEC marks the descriptor");
	other = epoll_create(1);
	open_pipe();
	tap_ok(!control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN), "a pipe can be watched");
	tap_ok(FAILS(control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN), EEXIST), "not twice");
	tap_ok(FAILS(control(set, EPOLL_CTL_MOD, ends[1], EPOLLIN), ENOENT),
	       "MOD wants one that is there");
	tap_ok(FAILS(control(set, EPOLL_CTL_DEL, ends[1], EPOLLIN), ENOENT), "so does DEL");
	tap_ok(FAILS(control(set, EPOLL_CTL_ADD, set, EPOLLIN), EINVAL), "a set does not watch itself");
	tap_ok(FAILS(control(ends[0], EPOLL_CTL_ADD, ends[1], EPOLLIN), EINVAL), "a pipe is no set");
	tap_ok(FAILS(control(99, EPOLL_CTL_ADD, ends[1], EPOLLIN), EBADF) &&
		       FAILS(control(set, EPOLL_CTL_ADD, 99, EPOLLIN), EBADF),
	       "descriptors that are not open");
	tap_ok(FAILS(control(set, 77, ends[0], EPOLLIN), EINVAL), "an unknown operation");
	tap_ok(FAILS(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], NULL), EFAULT), "MOD needs an event");
	file = open("/tmp/events-file", O_RDWR | O_CREAT, 0600);
	dir = open("/tmp", O_RDONLY);
	null = open("/dev/null", O_RDWR);
	tap_ok(FAILS(control(set, EPOLL_CTL_ADD, file, EPOLLIN), EPERM),
	       "a regular file cannot be watched");
	tap_ok(FAILS(control(set, EPOLL_CTL_ADD, dir, EPOLLIN), EPERM), "nor a directory");
	tap_ok(FAILS(control(set, EPOLL_CTL_ADD, null, EPOLLIN), EPERM), "nor /dev/null");
	close(file);
	close(dir);
	close(null);
	unlink("/tmp/events-file");
	tap_ok(FAILS(epoll_wait(set, &event, 0, 0), EINVAL) &&
		       FAILS(epoll_wait(set, &event, -1, 0), EINVAL) &&
		       FAILS(epoll_wait(set, &event, 0x7fffffff, 0), EINVAL),
	       "epoll_wait wants a sensible count");
	tap_ok(FAILS(epoll_wait(ends[0], &event, 1, 0), EINVAL), "waiting for a pipe as a set");
	tap_ok(FAILS(epoll_wait(99, &event, 1, 0), EBADF), "waiting for nothing");
	tap_ok(FAILS(control(set, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLEXCLUSIVE), EINVAL),
	       "EPOLLEXCLUSIVE cannot be set later");
	tap_ok(FAILS(control(set, EPOLL_CTL_ADD, other, EPOLLIN | EPOLLEXCLUSIVE), EINVAL),
	       "nor for a set");
	tap_ok(FAILS(control(set, EPOLL_CTL_ADD, ends[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT),
		     EINVAL),
	       "nor with EPOLLONESHOT");
	tap_ok(!control(set, EPOLL_CTL_ADD, ends[1], EPOLLOUT | EPOLLEXCLUSIVE) &&
		       FAILS(control(set, EPOLL_CTL_MOD, ends[1], EPOLLOUT), EINVAL),
	       "a watch with it does not change");
	if (write(ends[1], "x", 1) != 1)
		perror("write");
	tap_ok(FAILS(epoll_wait(set, (struct epoll_event *)8, 1, 0), EFAULT),
	       "a bad address for the events");
	tap_ok(!epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL), "DEL needs no event");
	close_pipe();
	close(set);
	close(other);
}

static void epoll_triggers(void)
{
	int set = epoll_create1(0);
	struct epoll_event events[2];
	char c;

	open_pipe();
	control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN);
	tap_ok(one(set, ends[0], 0) == 0, "an empty pipe is not ready");
	write(ends[1], "ab", 2);
	tap_ok(one(set, ends[0], 0) == EPOLLIN && one(set, ends[0], -1) == EPOLLIN,
	       "level: told as long as it holds");
	read(ends[0], &c, 1);
	tap_ok(one(set, ends[0], 0) == EPOLLIN, "with one byte left, too");
	read(ends[0], &c, 1);
	tap_ok(one(set, ends[0], 0) == 0, "then no more");

	control(set, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET);
	write(ends[1], "a", 1);
	tap_ok(one(set, ends[0], 0) == EPOLLIN && one(set, ends[0], 0) == 0, "edge: told once");
	write(ends[1], "b", 1);
	tap_ok(one(set, ends[0], 0) == EPOLLIN && one(set, ends[0], 0) == 0,
	       "and again for the next event");
	control(set, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET);
	tap_ok(one(set, ends[0], 0) == EPOLLIN, "MOD looks anew");

	control(set, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT);
	tap_ok(one(set, ends[0], 0) == EPOLLIN && one(set, ends[0], 0) == 0, "one-shot: told once");
	write(ends[1], "c", 1);
	tap_ok(one(set, ends[0], 0) == 0, "and not for the next event");
	control(set, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT);
	tap_ok(one(set, ends[0], 0) == EPOLLIN, "until it is armed again");

	control(set, EPOLL_CTL_MOD, ends[0], 0);
	tap_ok(one(set, ends[0], 0) == 0, "a watch for nothing");
	control(set, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLRDNORM);
	tap_ok(one(set, ends[0], 0) == (EPOLLIN | EPOLLRDNORM), "several bits at once");
	close(ends[1]);
	control(set, EPOLL_CTL_MOD, ends[0], 0);
	tap_ok(one(set, ends[0], 0) == EPOLLHUP, "a hang-up is told unasked");
	close(ends[0]);
	tap_ok(one(set, ends[0], 0) == 0, "a closed file leaves the set");

	open_pipe();
	control(set, EPOLL_CTL_ADD, ends[1], EPOLLOUT);
	control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN);
	write(ends[1], "x", 1);
	tap_ok(epoll_wait(set, events, 1, 0) == 1 && epoll_wait(set, events + 1, 1, 0) == 1 &&
		       events[0].data.u64 != events[1].data.u64,
	       "with room for one, ready files take turns");
	tap_ok(epoll_wait(set, events, 2, 0) == 2, "with room for two, both are told");
	close(ends[0]);
	tap_ok(one(set, ends[1], 0) == (EPOLLOUT | EPOLLERR), "the writer learns that the reader went");
	close(ends[1]);
	close(set);
}

static void epoll_names(void)
{
	int set = epoll_create1(0), copy;

	open_pipe();
	copy = dup(ends[0]);
	tap_ok(!control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN) &&
		       !control(set, EPOLL_CTL_ADD, copy, EPOLLIN),
	       "two descriptors of a file are two watches");
	write(ends[1], "x", 1);
	close(ends[0]);
	{
		struct epoll_event events[4];

		tap_ok(epoll_wait(set, events, 4, 0) == 2, "closing one leaves both: the file is open");
	}
	close(copy);
	tap_ok(one(set, copy, 0) == 0, "closing the other takes both out");
	close(ends[1]);

	open_pipe();
	control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN);
	tap_ok(!strcmp(about(set, 1), "anon_inode:[eventpoll]"), "its name in /proc");
	{
		char wanted[64];

		snprintf(wanted, sizeof(wanted), "tfd: %8d events: %8x data: %16lx ", ends[0],
			 EPOLLIN | EPOLLERR | EPOLLHUP, 0x1234567800000000 | (unsigned)ends[0]);
		tap_ok(strstr(about(set, 0), wanted) != NULL, "its watches in /proc");
	}
	if (!fork()) { /* a child shares the set */
		write(ends[1], "x", 1);
		_exit(one(set, ends[0], 0) != EPOLLIN);
	}
	{
		int status;

		wait(&status);
		tap_ok(!status && one(set, ends[0], 0) == EPOLLIN, "a set is shared with a child");
	}
	close_pipe();
	close(set);
}

static void epoll_nesting(void)
{
	int inner = epoll_create1(0), outer = epoll_create1(0), sets[6], fd;
	struct pollfd poller = { .fd = inner, .events = POLLIN };

	open_pipe();
	control(inner, EPOLL_CTL_ADD, ends[0], EPOLLIN);
	tap_ok(!control(outer, EPOLL_CTL_ADD, inner, EPOLLIN), "a set in a set");
	tap_ok(FAILS(control(inner, EPOLL_CTL_ADD, outer, EPOLLIN), ELOOP), "but not in a circle");
	tap_ok(one(outer, inner, 0) == 0 && poll(&poller, 1, 0) == 0, "not ready");
	write(ends[1], "x", 1);
	tap_ok(poll(&poller, 1, 0) == 1 && poller.revents == POLLIN, "a set can be polled");
	tap_ok(one(outer, inner, 0) == EPOLLIN, "an event goes up");
	tap_ok(one(inner, ends[0], 0) == EPOLLIN, "and is still there");
	{
		char c;

		read(ends[0], &c, 1);
	}
	tap_ok(one(outer, inner, 0) == 0 && poll(&poller, 1, 0) == 0, "until the file is not ready");
	if (!fork()) {
		usleep(50000);
		write(ends[1], "x", 1);
		_exit(0);
	}
	tap_ok(one(outer, inner, 5000) == EPOLLIN, "it wakes through two sets");
	wait(NULL);
	close(outer);
	close(inner);

	fd = ends[0];
	for (int i = 0; i < 5; i++) {
		sets[i] = epoll_create1(0);
		if (control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN))
			perror("nesting");
		fd = sets[i];
	}
	sets[5] = epoll_create1(0);
	tap_ok(FAILS(control(sets[5], EPOLL_CTL_ADD, sets[4], EPOLLIN), ELOOP), "five levels, not six");
	tap_ok(one(sets[4], sets[3], 0) == EPOLLIN, "five work");
	tap_ok(FAILS(control(sets[0], EPOLL_CTL_ADD, sets[5], EPOLLIN), ELOOP), "nor one more below");
	tap_ok(FAILS(control(sets[0], EPOLL_CTL_ADD, sets[4], EPOLLIN), ELOOP), "a long circle");
	for (int i = 0; i < 6; i++)
		close(sets[i]);
	close_pipe();
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
	signals++;
}

static void epoll_waiting(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct timespec timeout = { .tv_nsec = 30000000 }, bad = { .tv_nsec = 1000000000 };
	struct epoll_event event;
	int set = epoll_create1(0);
	int64_t start = now_ms();
	sigset_t mask, empty;

	open_pipe();
	control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN);
	tap_ok(epoll_wait(set, &event, 1, 30) == 0 && now_ms() - start >= 29, "a timeout");
	start = now_ms();
	tap_ok(syscall(SYS_epoll_pwait2, set, &event, 1, &timeout, NULL, 8L) == 0 &&
		       now_ms() - start >= 29,
	       "one of epoll_pwait2");
	tap_ok(FAILS(syscall(SYS_epoll_pwait2, set, &event, 1, &bad, NULL, 8L), EINVAL), "a bad one");
	tap_ok(FAILS(syscall(SYS_epoll_pwait2, set, &event, 1, (void *)8, NULL, 8L), EFAULT),
	       "a bad address");
	tap_ok(FAILS(syscall(SYS_epoll_pwait, set, &event, 1, 0, &mask, 4L), EINVAL),
	       "a set of signals of 4 bytes");

	sigaction(SIGALRM, &action, NULL);
	ualarm(30000, 0);
	tap_ok(FAILS(epoll_wait(set, &event, 1, 5000), EINTR) && signals == 1,
	       "a signal ends it, SA_RESTART or not");
	sigemptyset(&empty);
	sigemptyset(&mask);
	sigaddset(&mask, SIGALRM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	raise(SIGALRM);
	tap_ok(epoll_wait(set, &event, 1, 10) == 0 && signals == 1, "a blocked one does not");
	tap_ok(FAILS(epoll_pwait(set, &event, 1, 5000, &empty), EINTR) && signals == 2,
	       "unless epoll_pwait unblocks it");
	sigprocmask(SIG_BLOCK, NULL, &mask);
	tap_ok(sigismember(&mask, SIGALRM), "then it is blocked again");
	sigprocmask(SIG_SETMASK, &empty, NULL);
	close_pipe();
	close(set);
}

#define WAITERS 4

static int shared_set;
static volatile int woken;

static void *wait_once(void *unused)
{
	struct epoll_event event;

	if (epoll_wait(shared_set, &event, 1, 3000) == 1)
		__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *wait_exclusive(void *unused)
{
	struct epoll_event event;
	int set = epoll_create1(0);

	control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLEXCLUSIVE);
	if (epoll_wait(set, &event, 1, 300) == 1)
		__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	close(set);
	return NULL;
}

static void epoll_threads(void)
{
	pthread_t threads[WAITERS];

	open_pipe();
	shared_set = epoll_create1(0);
	control(shared_set, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET);
	for (int i = 0; i < WAITERS; i++)
		pthread_create(&threads[i], NULL, wait_once, NULL);
	usleep(50000);
	for (int i = 1; i <= WAITERS; i++) {
		write(ends[1], "x", 1);
		for (int tries = 0; woken < i && tries < 200; tries++)
			usleep(5000);
	}
	for (int i = 0; i < WAITERS; i++)
		pthread_join(threads[i], NULL);
	tap_ok(woken == WAITERS, "each edge wakes one thread of a set (%d)", woken);
	close(shared_set);
	close_pipe();

	open_pipe();
	woken = 0;
	for (int i = 0; i < WAITERS; i++)
		pthread_create(&threads[i], NULL, wait_exclusive, NULL);
	usleep(100000);
	write(ends[1], "x", 1);
	for (int i = 0; i < WAITERS; i++)
		pthread_join(threads[i], NULL);
	tap_ok(woken >= 1 && woken < WAITERS, "EPOLLEXCLUSIVE wakes not all sets (%d)", woken);
	close_pipe();
}

static void *close_and_open(void *stop)
{
	while (!*(volatile int *)stop) {
		int pair[2];

		if (pipe(pair))
			return "pipe";
		control(shared_set, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLET);
		write(pair[1], "x", 1);
		close(pair[0]);
		close(pair[1]);
	}
	return NULL;
}

static void epoll_races(void)
{
	struct epoll_event events[8];
	pthread_t threads[2];
	volatile int stop = 0;
	void *failed[2];
	long seen = 0;
	int64_t end = now_ms() + 500;

	shared_set = epoll_create1(0);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, close_and_open, (void *)&stop);
	while (now_ms() < end) {
		int inner = epoll_create1(0);

		control(inner, EPOLL_CTL_ADD, shared_set, EPOLLIN);
		seen += epoll_wait(inner, events, 8, 1) > 0;
		seen += epoll_wait(shared_set, events, 8, 0) > 0;
		close(inner);
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], &failed[i]);
	tap_ok(!failed[0] && !failed[1] && seen, "files that close while they are looked at");
	tap_ok(epoll_wait(shared_set, events, 8, 0) == 0, "leave nothing behind");
	close(shared_set);
}

/* ---- eventfd ---- */

static void *add_later(void *fd)
{
	usleep(50000);
	eventfd_write((int)(intptr_t)fd, 5);
	return NULL;
}

static void *take_later(void *fd)
{
	eventfd_t value;

	usleep(50000);
	eventfd_read((int)(intptr_t)fd, &value);
	return NULL;
}

static int polled(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&poller, 1, 0) < 0 ? -1 : poller.revents;
}

static void eventfds(void)
{
	uint64_t value = 0, most = UINT64_MAX;
	pthread_t thread;
	struct stat st;
	int fd;

	tap_ok(FAILS(eventfd(0, 0x10), EINVAL), "eventfd refuses unknown flags");
	fd = eventfd(3, EFD_CLOEXEC | EFD_NONBLOCK);
	tap_ok(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK),
	       "flags are kept");
	tap_ok(read(fd, &value, 7) == -1 && errno == EINVAL, "a read wants 8 bytes");
	tap_ok(polled(fd) == (POLLIN | POLLOUT), "it can be read and written");
	tap_ok(read(fd, &value, 8) == 8 && value == 3, "a read takes the first value");
	tap_ok(polled(fd) == POLLOUT, "then there is nothing to read");
	tap_ok(read(fd, &value, 8) == -1 && errno == EAGAIN, "EAGAIN says so");
	value = 2;
	tap_ok(write(fd, &value, 8) == 8 && write(fd, &value, 16) == 8, "writes add");
	tap_ok(write(fd, &value, 4) == -1 && errno == EINVAL, "a write wants 8 bytes");
	tap_ok(write(fd, &most, 8) == -1 && errno == EINVAL, "the largest number cannot be written");
	tap_ok(write(fd, (void *)8, 8) == -1 && errno == EFAULT, "a bad address");
	tap_ok(strstr(about(fd, 0), "eventfd-count:                4\n") != NULL, "its count in /proc");
	tap_ok(!strcmp(about(fd, 1), "anon_inode:[eventfd]"), "its name in /proc");
	tap_ok(!fstat(fd, &st) && st.st_mode == 0600, "it is a file of no kind");
	tap_ok(lseek(fd, 0, SEEK_CUR) == 0 || errno == ESPIPE, "seeking does nothing");
	tap_ok(pread(fd, &value, 8, 0) == -1 && errno == ESPIPE, "pread has no place");
	tap_ok(read(fd, &value, 8) == 8 && value == 4, "a read takes the sum");
	value = UINT64_MAX - 1;
	tap_ok(write(fd, &value, 8) == 8 && polled(fd) == POLLIN, "filled up it cannot be written");
	value = 1;
	tap_ok(write(fd, &value, 8) == -1 && errno == EAGAIN, "EAGAIN when there is no room");
	value = 0;
	tap_ok(write(fd, &value, 8) == 8, "nothing always fits");
	fcntl(fd, F_SETFL, 0);
	pthread_create(&thread, NULL, take_later, (void *)(intptr_t)fd);
	value = 1;
	tap_ok(write(fd, &value, 8) == 8, "a writer waits for room");
	pthread_join(thread, NULL);
	tap_ok(read(fd, &value, 8) == 8 && value == 1, "which a reader makes");
	pthread_create(&thread, NULL, add_later, (void *)(intptr_t)fd);
	tap_ok(read(fd, &value, 8) == 8 && value == 5, "a reader waits for a writer");
	pthread_join(thread, NULL);
	close(fd);

	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	tap_ok(read(fd, &value, 8) == 8 && value == 1 && read(fd, &value, 8) == 8 && value == 1 &&
		       read(fd, &value, 8) == -1 && errno == EAGAIN,
	       "a semaphore gives ones");
	close(fd);
	fd = eventfd(0, 0);
	close(syscall(SYS_eventfd, 0));
	{
		int set = epoll_create1(0);

		control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
		eventfd_write(fd, 1);
		tap_ok(one(set, fd, 0) == EPOLLIN && one(set, fd, 0) == 0, "an edge for each write");
		eventfd_write(fd, 1);
		tap_ok(one(set, fd, 0) == EPOLLIN && one(set, fd, 0) == 0, "though nobody has read");
		close(set);
	}
	close(fd);
}

/* ---- timerfd ---- */

static struct itimerspec in_ms(long value, long interval)
{
	return (struct itimerspec){ .it_value = { value / 1000, value % 1000 * 1000000 },
				    .it_interval = { interval / 1000, interval % 1000 * 1000000 } };
}

static void timerfd_errors(void)
{
	struct itimerspec spec = in_ms(10, 0);
	uint64_t expiries;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), other = eventfd(0, 0);

	tap_ok(FAILS(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL) &&
		       FAILS(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL) &&
		       FAILS(timerfd_create(CLOCK_MONOTONIC_RAW, 0), EINVAL) &&
		       FAILS(timerfd_create(99, 0), EINVAL),
	       "timerfd_create refuses other flags and clocks");
	tap_ok(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK),
	       "flags are kept");
	tap_ok(FAILS(timerfd_settime(fd, 4, &spec, NULL), EINVAL), "unknown flags of a setting");
	spec.it_value.tv_nsec = 1000000000;
	tap_ok(FAILS(timerfd_settime(fd, 0, &spec, NULL), EINVAL), "a second of nanoseconds");
	spec.it_value.tv_nsec = -1;
	tap_ok(FAILS(timerfd_settime(fd, 0, &spec, NULL), EINVAL), "a negative time");
	spec = in_ms(10, 0);
	tap_ok(FAILS(timerfd_settime(99, 0, &spec, NULL), EBADF) &&
		       FAILS(timerfd_gettime(99, &spec), EBADF),
	       "no descriptor");
	tap_ok(FAILS(timerfd_settime(other, 0, &spec, NULL), EINVAL) &&
		       FAILS(timerfd_gettime(other, &spec), EINVAL),
	       "a descriptor of something else");
	tap_ok(FAILS(syscall(SYS_timerfd_settime, fd, 0, 8L, NULL), EFAULT) &&
		       FAILS(syscall(SYS_timerfd_gettime, fd, 8L), EFAULT),
	       "bad addresses");
	tap_ok(read(fd, &expiries, 8) == -1 && errno == EAGAIN,
	       "one that is not set has nothing to read");
	tap_ok(read(fd, &expiries, 4) == -1 && errno == EINVAL, "a read wants 8 bytes");
	tap_ok(write(fd, &expiries, 8) == -1 && errno == EINVAL, "it is not written");
	close(fd);
	close(other);
}

static void timerfds(void)
{
	static const int clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
	struct itimerspec spec, old;
	uint64_t expiries = 0;
	int64_t start;
	int fd = -1;

	for (int i = 0; i < 3; i++) {
		struct timespec now;

		fd = timerfd_create(clocks[i], 0);
		spec = in_ms(40, 0);
		start = now_ms();
		timerfd_settime(fd, 0, &spec, NULL);
		tap_ok(polled(fd) == 0 && read(fd, &expiries, 8) == 8 && expiries == 1 &&
			       now_ms() - start >= 39,
		       "clock %d: a read waits for the expiry", clocks[i]);
		clock_gettime(clocks[i], &now);
		now.tv_nsec += 40000000;
		now.tv_sec += now.tv_nsec / 1000000000;
		now.tv_nsec %= 1000000000;
		spec = (struct itimerspec){ .it_value = now };
		start = now_ms();
		timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
		tap_ok(read(fd, &expiries, 8) == 8 && expiries == 1 && now_ms() - start >= 38,
		       "clock %d: at a time", clocks[i]);
		if (i < 2)
			close(fd);
	}
	spec = in_ms(20, 10);
	timerfd_settime(fd, 0, &spec, &old);
	tap_ok(!old.it_value.tv_sec && !old.it_value.tv_nsec, "the old setting of one that has expired");
	usleep(75000);
	tap_ok(polled(fd) == POLLIN && read(fd, &expiries, 8) == 8 && expiries >= 6,
	       "a periodic one counts (%d)", (int)expiries);
	tap_ok(read(fd, &expiries, 8) == 8 && expiries >= 1, "and goes on");
	tap_ok(!timerfd_gettime(fd, &spec) && !spec.it_value.tv_sec && spec.it_value.tv_nsec > 0 &&
		       spec.it_value.tv_nsec <= 10000000 && spec.it_interval.tv_nsec == 10000000,
	       "what is left");
	tap_ok(strstr(about(fd, 0), "clockid: 7\nticks: ") &&
		       strstr(about(fd, 0), "it_interval: (0, 10000000)\n"),
	       "its setting in /proc");
	tap_ok(!strcmp(about(fd, 1), "anon_inode:[timerfd]"), "its name in /proc");
	spec = in_ms(0, 10);
	tap_ok(!timerfd_settime(fd, 0, &spec, &old) && old.it_interval.tv_nsec == 10000000 &&
		       polled(fd) == 0,
	       "a value of zero stops it");
	tap_ok(!timerfd_gettime(fd, &spec) && !spec.it_value.tv_sec && !spec.it_value.tv_nsec,
	       "nothing is left then");
	spec = (struct itimerspec){ .it_value = { 0, 1 }, .it_interval = { 0, 1 } };
	timerfd_settime(fd, 0, &spec, NULL);
	usleep(2000);
	tap_ok(read(fd, &expiries, 8) == 8 && expiries > 1000000,
	       "an interval of a nanosecond does no harm");
	spec = (struct itimerspec){ .it_value = { 0, 1 } };
	tap_ok(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL) &&
		       read(fd, &expiries, 8) == 8 && expiries == 1,
	       "a time that has passed");
	spec = (struct itimerspec){ .it_value = { INT64_MAX, 0 } };
	tap_ok(!timerfd_settime(fd, 0, &spec, NULL) && polled(fd) == 0, "a time beyond all others");
	{
		int set = epoll_create1(0);

		control(set, EPOLL_CTL_ADD, fd, EPOLLIN);
		spec = in_ms(30, 0);
		timerfd_settime(fd, 0, &spec, NULL);
		tap_ok(one(set, fd, 5000) == EPOLLIN, "an event set is woken by a timer");
		close(set);
	}
	close(fd);
}

/* Ticks as if the timer had expired so often, for who restores a process. */
static void timerfd_ticks(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t ticks = 0, got = 0;

	tap_ok(FAILS(ioctl(fd, TFD_IOC_SET_TICKS, &ticks), EINVAL), "TFD_IOC_SET_TICKS: not 0");
	tap_ok(FAILS(ioctl(fd, TFD_IOC_SET_TICKS, 8L), EFAULT), "TFD_IOC_SET_TICKS: a bad address");
	tap_ok(FAILS(ioctl(fd, 12345, &ticks), ENOTTY), "another ioctl");
	ticks = 7;
	tap_ok(!ioctl(fd, TFD_IOC_SET_TICKS, &ticks) && polled(fd) == POLLIN &&
		       read(fd, &got, sizeof(got)) == sizeof(got) && got == 7,
	       "TFD_IOC_SET_TICKS: a read gives them");
	close(fd);
}

/* A timer by the date that has expired for a while, when the date is set. */
static void timerfd_date_of_periodic(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	struct itimerspec spec = { .it_interval.tv_sec = 100 };
	struct timespec now;
	uint64_t first = 0, forward = 0, back = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	spec.it_value = now;
	spec.it_value.tv_sec -= 350;
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
	usleep(20000);
	if (read(fd, &first, sizeof(first)) != sizeof(first))
		first = 0;
	now.tv_sec += 1000;
	if (clock_settime(CLOCK_REALTIME, &now)) {
		close(fd);
		return;
	}
	usleep(20000);
	if (read(fd, &forward, sizeof(forward)) != sizeof(forward))
		forward = 0;
	now.tv_sec -= 1000;
	clock_settime(CLOCK_REALTIME, &now);
	usleep(20000);
	if (read(fd, &back, sizeof(back)) != sizeof(back))
		back = 0;
	tap_ok(first == 4 && forward == 10 && !back,
	       "a periodic timer by the date, when that is set 1000 s forward and back: %d %d %d",
	       (int)first, (int)forward, (int)back);
	close(fd);
}

static void timerfd_date(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK),
	    other = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	struct itimerspec spec = {};
	struct timespec now;
	uint64_t expiries;

	clock_gettime(CLOCK_REALTIME, &now);
	spec.it_value.tv_sec = now.tv_sec + 1000;
	timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
	timerfd_settime(other, TFD_TIMER_ABSTIME, &spec, NULL);
	now.tv_sec += 2000;
	if (clock_settime(CLOCK_REALTIME, &now)) {
		tap_ok(errno == EPERM, "the date cannot be set");
		goto out;
	}
	tap_ok(polled(fd) == POLLIN && read(fd, &expiries, 8) == -1 && errno == ECANCELED,
	       "TFD_TIMER_CANCEL_ON_SET: the reader learns that the date was set");
	usleep(20000);
	tap_ok(read(other, &expiries, 8) == 8 && expiries == 1,
	       "a timer whose date has come by that expires");
	now.tv_sec -= 2000;
	clock_settime(CLOCK_REALTIME, &now);
out:
	close(fd);
	close(other);
}

/* ---- signalfd ---- */

static void *read_signal(void *fd)
{
	static struct signalfd_siginfo info;

	return read((int)(intptr_t)fd, &info, sizeof(info)) == sizeof(info) ? &info : NULL;
}

static int block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signal;
}

static void signalfd_errors(void)
{
	int fd, other = eventfd(0, 0);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	tap_ok(FAILS(signalfd(-1, &set, 1), EINVAL), "signalfd refuses unknown flags");
	tap_ok(FAILS(syscall(SYS_signalfd4, -1, &set, 4L, 0), EINVAL), "a set of 4 bytes");
	tap_ok(FAILS(syscall(SYS_signalfd4, -1, 8L, 8L, 0), EFAULT), "a bad address");
	tap_ok(FAILS(signalfd(99, &set, 0), EBADF) && FAILS(signalfd(other, &set, 0), EINVAL),
	       "a wrong descriptor");
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	tap_ok(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK),
	       "flags are kept");
	tap_ok(read(fd, &set, 127) == -1 && errno == EINVAL, "a read wants room for a description");
	tap_ok(!strcmp(about(fd, 1), "anon_inode:[signalfd]"), "its name in /proc");
	tap_ok(strstr(about(fd, 0), "sigmask:\t0000000000000200\n") != NULL, "its set in /proc");
	close(fd);
	close(other);
}

/* A signalfd of SIGUSR1, SIGUSR2, SIGRTMIN, SIGCHLD and SIGALRM, which are blocked. */
static int make_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, block(SIGUSR1));
	sigaddset(&set, block(SIGUSR2));
	sigaddset(&set, block(SIGRTMIN));
	sigaddset(&set, block(SIGCHLD));
	sigaddset(&set, block(SIGALRM));
	sigaddset(&set, SIGKILL);
	return signalfd(-1, &set, SFD_NONBLOCK);
}

static void signalfds(void)
{
	struct signalfd_siginfo info[3];
	union sigval value = { .sival_int = 77 };
	int fd = make_signalfd(), status;
	pid_t child;

	tap_ok(polled(fd) == 0 && read(fd, info, sizeof(info)) == -1 && errno == EAGAIN, "no signal");
	kill(getpid(), SIGUSR1);
	tap_ok(polled(fd) == POLLIN, "a signal makes it readable");
	tap_ok(read(fd, info, sizeof(info)) == sizeof(*info) && info->ssi_signo == SIGUSR1 &&
		       info->ssi_code == SI_USER && info->ssi_pid == (uint32_t)getpid() &&
		       info->ssi_uid == getuid(),
	       "of kill: who sent it");
	tap_ok(polled(fd) == 0, "it is not pending any more");
	raise(SIGUSR2);
	tap_ok(read(fd, info, sizeof(info)) == sizeof(*info) && info->ssi_code == SI_TKILL,
	       "of a thread's own");
	sigqueue(getpid(), SIGRTMIN, value);
	value.sival_int++;
	sigqueue(getpid(), SIGRTMIN, value);
	tap_ok(read(fd, info, sizeof(info)) == 2 * sizeof(*info) && info[0].ssi_code == SI_QUEUE &&
		       info[0].ssi_int == 77 && info[1].ssi_int == 78,
	       "of sigqueue: values, several at once");
	child = fork();
	if (!child)
		_exit(5);
	waitpid(child, &status, 0);
	tap_ok(read(fd, info, sizeof(info)) == sizeof(*info) && info->ssi_signo == SIGCHLD &&
		       info->ssi_code == CLD_EXITED && info->ssi_pid == (uint32_t)child &&
		       info->ssi_status == 5,
	       "of a child's end: which and how");
	close(fd);
}

static void signalfd_of_timer(void)
{
	union sigval value = { .sival_int = 78 };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGALRM,
				  .sigev_value = value };
	struct itimerspec spec = in_ms(5, 0);
	struct signalfd_siginfo info[3];
	int fd = make_signalfd();
	timer_t timer;

	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &spec, NULL);
	usleep(30000);
	tap_ok(read(fd, info, sizeof(info)) == sizeof(*info) && info->ssi_code == SI_TIMER &&
		       info->ssi_int == 78 && info->ssi_overrun == 0,
	       "of a timer: its value");
	timer_delete(timer);
	close(fd);
}

static void signalfd_waits(void)
{
	int fd = make_signalfd(), set_fd = epoll_create1(0), status;
	struct signalfd_siginfo info[3];
	pthread_t thread;
	void *result;
	pid_t child;

	control(set_fd, EPOLL_CTL_ADD, fd, EPOLLIN);
	child = fork();
	if (!child) {
		usleep(30000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	tap_ok(one(set_fd, fd, 5000) == EPOLLIN, "an event set is woken by a signal");
	waitpid(child, &status, 0);
	while (read(fd, info, sizeof(info)) > 0)
		;
	close(set_fd);
	fcntl(fd, F_SETFL, 0);
	pthread_create(&thread, NULL, read_signal, (void *)(intptr_t)fd);
	usleep(30000);
	kill(getpid(), SIGUSR2);
	pthread_join(thread, &result);
	tap_ok(result && ((struct signalfd_siginfo *)result)->ssi_signo == SIGUSR2,
	       "a reader waits for one");
	close(fd);
}

static void signalfd_changes(void)
{
	int fd = make_signalfd(), set_fd = epoll_create1(0), status;
	struct signalfd_siginfo info[3];
	sigset_t set;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	tap_ok(signalfd(fd, &set, 0) == fd, "the set can be changed");
	kill(getpid(), SIGUSR1);
	tap_ok(polled(fd) == 0, "then others stay pending");
	sigaddset(&set, SIGUSR1);
	signalfd(fd, &set, 0);
	tap_ok(polled(fd) == POLLIN && read(fd, info, sizeof(info)) == sizeof(*info),
	       "until they are wanted again");
	/* A set that a child put into an event set knows the child's signals, and the child ends. */
	child = fork();
	if (!child)
		_exit(control(set_fd, EPOLL_CTL_ADD, fd, EPOLLIN));
	waitpid(child, &status, 0);
	usleep(20000);
	tap_ok(!status && one(set_fd, fd, 0) >= 0,
	       "an event set survives the process that a signalfd was added by");
	close(set_fd);
	close(fd);
}

int main(void)
{
	epoll_errors();
	epoll_triggers();
	epoll_names();
	epoll_nesting();
	epoll_waiting();
	epoll_threads();
	epoll_races();
	eventfds();
	timerfd_errors();
	timerfds();
	timerfd_ticks();
	timerfd_date();
	timerfd_date_of_periodic();
	signalfd_errors();
	signalfds();
	signalfd_of_timer();
	signalfd_waits();
	signalfd_changes();
	return tap_end();
}
