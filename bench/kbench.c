/*
 * kbench: what a kernel costs, seen from an unmodified static Linux program.
 *
 *	kbench [-n SCALE] [-d FOLDER] [NAME...]		kbench -l
 *
 * Prints a line for each row of the table at the end of this file, or for those named:
 *
 *	NAME VALUE UNIT
 *	NAME failed CALL: ERROR
 *
 * rows.h says how a row is measured, and what the options are. `spin` stays in user mode: it compares machines, not kernels.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rows.h"

#define FILE_CHUNKS 512
#define FAULT_PAGES 4096
#define LIST_FILES 1000
#define SELF "/proc/self/exe"

static char file_path[300], work_path[300], list_path[300];
static char byte;
static char chunk[CHUNK_SIZE];

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (status) {
		errno = ECHILD;
		fail("child");
	}
}

/* ---- User mode, system calls ---- */

static volatile uint64_t spin_result;

static void spin(long count)
{
	uint64_t x = 1;

	while (count--)
		for (int i = 0; i < 1000; i++)
			x = x * 6364136223846793005u + 1442695040888963407u;
	spin_result = x;
}

static void null_call(long count)
{
	while (count--)
		syscall(SYS_getppid);
}

static void clock_read(long count)
{
	struct timespec now;

	while (count--)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

static int device_fd;

static void read_begin(void)
{
	device_fd = check(open("/dev/zero", O_RDONLY), "open /dev/zero");
}

static void read_byte(long count)
{
	while (count--)
		if (read(device_fd, &byte, 1) != 1)
			fail("read");
}

static void write_begin(void)
{
	device_fd = check(open("/dev/null", O_WRONLY), "open /dev/null");
}

static void write_byte(long count)
{
	while (count--)
		if (write(device_fd, &byte, 1) != 1)
			fail("write");
}

/* ---- Names and files ---- */

static int file_fd;

static void file_begin(void)
{
	file_fd = check(open(file_path, O_CREAT | O_RDWR | O_TRUNC, 0600), "open");
}

static void file_end(void)
{
	close(file_fd);
	unlink(file_path);
}

static void open_close(long count)
{
	while (count--)
		close(check(open(file_path, O_RDONLY), "open"));
}

static void stat_file(long count)
{
	struct stat status;

	while (count--)
		check(stat(file_path, &status), "stat");
}

static void create_unlink(long count)
{
	while (count--) {
		int fd = check(open(work_path, O_CREAT | O_WRONLY | O_EXCL, 0600), "create");

		if (write(fd, chunk, PAGE_SIZE) != PAGE_SIZE)
			fail("write");
		close(fd);
		check(unlink(work_path), "unlink");
	}
}

static void file_write(long count)
{
	for (long i = 0; i < count; i++)
		if (pwrite(file_fd, chunk, CHUNK_SIZE, i % FILE_CHUNKS * CHUNK_SIZE) != CHUNK_SIZE)
			fail("pwrite");
}

static void file_read_begin(void)
{
	file_begin();
	file_write(FILE_CHUNKS);
}

static void file_read(long count)
{
	for (long i = 0; i < count; i++)
		if (pread(file_fd, chunk, CHUNK_SIZE, i % FILE_CHUNKS * CHUNK_SIZE) != CHUNK_SIZE)
			fail("pread");
}

static void list_name(char *path, size_t size, int i)
{
	snprintf(path, size, "%s/%d", list_path, i);
}

static void list_begin(void)
{
	char path[340];

	check(mkdir(list_path, 0700), "mkdir");
	for (int i = 0; i < LIST_FILES; i++) {
		list_name(path, sizeof(path), i);
		close(check(open(path, O_CREAT | O_WRONLY, 0600), "create"));
	}
}

static void list_files(long count)
{
	while (count--) {
		DIR *d = opendir(list_path);
		int found = 0;

		if (!d)
			fail("opendir");
		while (readdir(d))
			found++;
		if (found < LIST_FILES)
			fail("readdir");
		closedir(d);
	}
}

static void list_end(void)
{
	char path[340];

	for (int i = 0; i < LIST_FILES; i++) {
		list_name(path, sizeof(path), i);
		unlink(path);
	}
	rmdir(list_path);
}

/* ---- Processes and threads ---- */

static void fork_exit(long count)
{
	while (count--) {
		pid_t pid = check(fork(), "fork");

		if (!pid)
			_exit(0);
		reap(pid);
	}
}

static void vfork_exec(long count)
{
	while (count--) {
		pid_t pid = check(vfork(), "vfork");

		if (!pid) {
			execl(SELF, SELF, "--true", (char *)NULL);
			_exit(1);
		}
		reap(pid);
	}
}

static void *return_at_once(void *argument)
{
	return argument;
}

static void start_thread(pthread_t *thread, void *(*run)(void *))
{
	errno = pthread_create(thread, NULL, run, NULL);
	if (errno)
		fail("pthread_create");
}

static void thread_join(long count)
{
	pthread_t thread;

	while (count--) {
		start_thread(&thread, return_at_once);
		pthread_join(thread, NULL);
	}
}

static _Atomic int turn;
static long turns;

static void take_turns(int mine, int next, long count)
{
	while (count--) {
		while (turn != mine)
			syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, next, NULL, NULL, 0);
		turn = next;
		syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

static void *take_other_turns(void *argument)
{
	take_turns(1, 0, turns);
	return argument;
}

static void futex_switch(long count)
{
	pthread_t thread;

	turn = 0;
	turns = count;
	start_thread(&thread, take_other_turns);
	take_turns(0, 1, count);
	pthread_join(thread, NULL);
}

static volatile sig_atomic_t signals_seen;

static void on_signal(int number)
{
	signals_seen++;
}

static void signal_begin(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	check(sigaction(SIGUSR1, &action, NULL), "sigaction");
}

static void raise_signal(long count)
{
	while (count--)
		raise(SIGUSR1);
}

/* ---- Memory ---- */

static char *map_pages(long pages)
{
	char *at = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

static void page_fault(long count)
{
	while (count > 0) {
		long pages = count < FAULT_PAGES ? count : FAULT_PAGES;
		char *at = map_pages(pages);

		madvise(at, pages * PAGE_SIZE, MADV_NOHUGEPAGE);
		for (long i = 0; i < pages; i++)
			at[i * PAGE_SIZE] = 1;
		munmap(at, pages * PAGE_SIZE);
		count -= pages;
	}
}

static void map_unmap(long count)
{
	while (count--)
		munmap(map_pages(1), PAGE_SIZE);
}

/* ---- Pipes and sockets: a child sends every byte back ---- */

static int to_child[2], from_child[2]; /* [0] is the end that is read; a socket is both */
static pid_t echo_pid;

static void echo_start(void)
{
	echo_pid = check(fork(), "fork");
	if (!echo_pid) {
		char c;

		close(to_child[1]);
		if (from_child[0] != to_child[1])
			close(from_child[0]);
		while (read(to_child[0], &c, 1) == 1)
			if (write(from_child[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(to_child[0]);
	if (from_child[1] != to_child[0])
		close(from_child[1]);
}

static void pipe_begin(void)
{
	check(pipe(to_child), "pipe");
	check(pipe(from_child), "pipe");
	echo_start();
}

static void unix_begin(void)
{
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, to_child), "socketpair");
	from_child[0] = to_child[1];
	from_child[1] = to_child[0];
	echo_start();
}

static void echo_trip(long count)
{
	while (count--)
		if (write(to_child[1], &byte, 1) != 1 || read(from_child[0], &byte, 1) != 1)
			fail("round trip");
}

static void echo_end(void)
{
	close(to_child[1]);
	if (from_child[0] != to_child[1])
		close(from_child[0]);
	reap(echo_pid);
}

static void write_chunk(int fd)
{
	for (ssize_t done = 0, size; done < CHUNK_SIZE; done += size)
		if ((size = write(fd, chunk, CHUNK_SIZE - done)) <= 0)
			fail("write");
}

static void pipe_rate(long count)
{
	int ends[2];
	pid_t pid;

	check(pipe(ends), "pipe");
	pid = check(fork(), "fork");
	if (!pid) {
		close(ends[1]);
		while (read(ends[0], chunk, CHUNK_SIZE) > 0)
			;
		_exit(0);
	}
	close(ends[0]);
	while (count--)
		write_chunk(ends[1]);
	close(ends[1]);
	reap(pid);
}

static int epoll_fd;

static void epoll_begin(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ends[2];

	epoll_fd = check(epoll_create1(0), "epoll_create1");
	check(pipe(ends), "pipe");
	if (write(ends[1], &byte, 1) != 1)
		fail("write");
	check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ends[0], &event), "epoll_ctl");
}

static void epoll_ready(long count)
{
	struct epoll_event event;

	while (count--)
		if (epoll_wait(epoll_fd, &event, 1, 0) != 1)
			fail("epoll_wait");
}

static int tcp_fd;
static pid_t tcp_pid;

static void raise_loopback(int fd)
{
	struct ifreq request = { .ifr_name = "lo" };

	check(ioctl(fd, SIOCGIFFLAGS, &request), "SIOCGIFFLAGS lo");
	request.ifr_flags |= IFF_UP;
	check(ioctl(fd, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS lo");
}

/* The child answers every `size` bytes with one. */
static void __attribute__((noreturn)) tcp_serve(int listener, ssize_t size)
{
	int one = 1, fd = accept(listener, NULL, NULL);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (;;) {
		for (ssize_t done = 0, got; done < size; done += got)
			if ((got = read(fd, chunk, size - done)) <= 0)
				_exit(0);
		if (write(fd, &byte, 1) != 1)
			_exit(0);
	}
}

static void tcp_start(ssize_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int one = 1, listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");

	raise_loopback(listener);
	check(bind(listener, (struct sockaddr *)&address, length), "bind");
	check(listen(listener, 1), "listen");
	check(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
	tcp_pid = check(fork(), "fork");
	if (!tcp_pid)
		tcp_serve(listener, size);
	tcp_fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	check(connect(tcp_fd, (struct sockaddr *)&address, length), "connect");
	setsockopt(tcp_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listener);
}

static void tcp_byte_begin(void)
{
	tcp_start(1);
}

static void tcp_chunk_begin(void)
{
	tcp_start(CHUNK_SIZE);
}

static void tcp_byte(long count)
{
	while (count--)
		if (write(tcp_fd, &byte, 1) != 1 || read(tcp_fd, &byte, 1) != 1)
			fail("round trip");
}

static void tcp_rate(long count)
{
	while (count--) {
		write_chunk(tcp_fd);
		if (read(tcp_fd, &byte, 1) != 1)
			fail("read");
	}
}

static void tcp_end(void)
{
	close(tcp_fd);
	reap(tcp_pid);
}

/* ---- The table ---- */

static const struct row rows[] = {
	{ "spin", "ns", spin, 2000 },
	{ "null_call", "ns", null_call, 50000 },
	{ "clock", "ns", clock_read, 50000 },
	{ "read_byte", "ns", read_byte, 50000, read_begin },
	{ "write_byte", "ns", write_byte, 50000, write_begin },
	{ "open_close", "ns", open_close, 10000, file_begin, file_end },
	{ "stat", "ns", stat_file, 10000, file_begin, file_end },
	{ "fork", "us", fork_exit, 100 },
	{ "exec", "us", vfork_exec, 50 },
	{ "thread", "us", thread_join, 200 },
	{ "pipe_trip", "us", echo_trip, 2000, pipe_begin, echo_end },
	{ "unix_trip", "us", echo_trip, 2000, unix_begin, echo_end },
	{ "futex_switch", "us", futex_switch, 2000 },
	{ "pipe_rate", "MB/s", pipe_rate, 200 },
	{ "page_fault", "ns", page_fault, 8192 },
	{ "map_unmap", "ns", map_unmap, 5000 },
	{ "create_unlink", "us", create_unlink, 1000 },
	{ "file_write", "MB/s", file_write, FILE_CHUNKS, file_begin, file_end },
	{ "file_read", "MB/s", file_read, FILE_CHUNKS, file_read_begin, file_end },
	{ "list_1000", "us", list_files, 20, list_begin, list_end },
	{ "epoll", "ns", epoll_ready, 20000, epoll_begin },
	{ "signal", "ns", raise_signal, 10000, signal_begin },
	{ "tcp_trip", "us", tcp_byte, 1000, tcp_byte_begin, tcp_end },
	{ "tcp_rate", "MB/s", tcp_rate, 200, tcp_chunk_begin, tcp_end },
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

int main(int count, char **words)
{
	if (count > 1 && !strcmp(words[1], "--true"))
		return 0;
	rows_options(count, words);
	snprintf(file_path, sizeof(file_path), "%s/kbench.file", folder);
	snprintf(work_path, sizeof(work_path), "%s/kbench.work", folder);
	snprintf(list_path, sizeof(list_path), "%s/kbench.list", folder);
	return rows_run(rows, ROW_COUNT, words + optind);
}
