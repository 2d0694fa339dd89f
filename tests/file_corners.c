/*
 * Corners of files: what is executed, held by a lock, locked in memory or limited while it is truncated, closed, moved or made
 * longer. In a tmpfs of its own, which both Kumo and Linux have.
 */
#define _GNU_SOURCE
#include "files.h"

#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define PAGE 4096L

static volatile sig_atomic_t last_signal;

static void on_signal(int signal)
{
	last_signal = signal;
}

static long size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : st.st_size;
}

/* ---- Truncation ---- */

static void copy_self(const char *name)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_CREAT | O_WRONLY, 0755);
	char bytes[4096];
	ssize_t got;

	while ((got = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)got) != got)
			break;
	close(from);
	close(to);
}

static void test_truncating_a_running_program(void)
{
	int ready[2], stop[2];
	char byte;
	pid_t pid;

	copy_self("program");
	if (pipe(ready) || pipe(stop))
		return;
	pid = fork();
	if (!pid) {
		dup2(ready[1], 1);
		dup2(stop[0], 0);
		close(stop[1]);
		execl("program", "program", "wait", NULL);
		_exit(99);
	}
	tap_ok(read(ready[0], &byte, 1) == 1, "a program runs");
	FAILS(ETXTBSY, open("program", O_WRONLY));
	FAILS(ETXTBSY, open("program", O_RDONLY | O_TRUNC));
	FAILS(ETXTBSY, truncate("program", 0));
	close(stop[1]);
	waitpid(pid, NULL, 0);
	close(open("program", O_RDONLY | O_TRUNC));
	tap_ok(size_of("program") == 0, "and may be truncated when it has ended");
	for (int i = 0; i < 2; i++)
		close(ready[i]);
	close(stop[0]);
	unlink("program");
}

/* ---- Times ---- */

static long read_time_of(int fd)
{
	struct stat st;
	char byte;

	usleep(20000);
	if (pread(fd, &byte, 1, 0) != 1 || fstat(fd, &st))
		return -1;
	return st.st_atim.tv_sec * 1000000000L + st.st_atim.tv_nsec;
}

static void test_times(void)
{
	int fd = open("times", O_CREAT | O_RDWR, 0600), quiet;
	struct stat st;
	long first;

	WORKS(write(fd, "x", 1) != 1);
	quiet = open("times", O_RDONLY | O_NOATIME);
	fstat(fd, &st);
	first = st.st_atim.tv_sec * 1000000000L + st.st_atim.tv_nsec;
	tap_ok(read_time_of(quiet) == first, "O_NOATIME leaves the time of access");
	tap_ok(read_time_of(fd) > first, "the first read after a change does not");
	first = read_time_of(fd);
	tap_ok(read_time_of(fd) == first, "the second does: relatime");
	close(fd);
	close(quiet);
	unlink("times");
}

/* ---- Locks and closing ---- */

static int locked_fd;
static int lock_result, lock_errno;

static void *wait_for_lock(void *unused)
{
	struct flock lock = { .l_type = F_WRLCK };

	(void)unused;
	errno = 0;
	lock_result = fcntl(locked_fd, F_SETLKW, &lock);
	lock_errno = errno;
	return NULL;
}

static void test_closing_while_waiting_for_a_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	int held[2], status = -1;
	pthread_t thread;
	char byte;
	pid_t pid;

	locked_fd = open("locked", O_CREAT | O_RDWR, 0600);
	if (pipe(held))
		return;
	pid = fork();
	if (!pid) {
		if (fcntl(locked_fd, F_SETLK, &lock) || write(held[1], "x", 1) != 1)
			_exit(1);
		usleep(300000);
		_exit(0);
	}
	WORKS(read(held[0], &byte, 1) != 1);
	pthread_create(&thread, NULL, wait_for_lock, NULL);
	usleep(100000);
	close(locked_fd);
	pthread_join(thread, NULL);
	waitpid(pid, NULL, 0);
	tap_ok(lock_result == -1 && lock_errno == EBADF,
	       "a lock got on a closed descriptor is refused (%d, errno %d)", lock_result, lock_errno);
	pid = fork();
	if (!pid) {
		int fd = open("locked", O_RDWR);

		_exit(fcntl(fd, F_SETLK, &lock) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	tap_ok(status == 0, "and not held: another process gets it");
	close(held[0]);
	close(held[1]);
	unlink("locked");
}

/* ---- Pipes ---- */

static int pipe_ends[2];

static void *close_reader(void *unused)
{
	(void)unused;
	usleep(100000);
	close(pipe_ends[0]);
	return NULL;
}

static void test_pipe_closed_in_the_middle(void)
{
	static char bytes[1 << 17];
	pthread_t thread;
	ssize_t put;

	last_signal = 0;
	if (pipe(pipe_ends))
		return;
	pthread_create(&thread, NULL, close_reader, NULL);
	put = write(pipe_ends[1], bytes, sizeof(bytes));
	pthread_join(thread, NULL);
	tap_ok(put == 65536, "a write tells what it wrote before the reader went (%zd)", put);
	tap_ok(last_signal == SIGPIPE, "and SIGPIPE comes all the same");
	close(pipe_ends[1]);
}

/* ---- Sizes ---- */

static long blocks_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : (long)st.st_blocks;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_allocation(void)
{
	int fd = open("allocated", O_CREAT | O_RDWR, 0600);

	limit_files(2 * PAGE);
	last_signal = 0;
	FAILS(EFBIG, fallocate(fd, 0, 0, 2 * PAGE + 1));
	tap_ok(last_signal == SIGXFSZ, "fallocate beyond RLIMIT_FSIZE: SIGXFSZ");
	FAILS(EFBIG, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE));
	WORKS(fallocate(fd, 0, 0, 2 * PAGE));
	limit_files(RLIM_INFINITY);
	WORKS(ftruncate(fd, 0));
	FAILS(ENOSPC, fallocate(fd, 0, 0, 64 << 20));
	tap_ok(blocks_of(fd) == 0 && size_of("allocated") == 0,
	       "an allocation that fails leaves nothing (%ld blocks)", blocks_of(fd));
	FAILS(EFBIG, fallocate(fd, 0, LONG_MAX - 5, 10));
	close(fd);
	fd = open("allocated", O_WRONLY | O_APPEND);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1));
	close(fd);
	unlink("allocated");
}

static void test_seeking(void)
{
	int fd = open("sparse", O_CREAT | O_RDWR, 0600);

	WORKS(pwrite(fd, "x", 1, 2 * PAGE) != 1);
	WORKS(ftruncate(fd, 4 * PAGE + 100));
	tap_ok(lseek(fd, 0, SEEK_DATA) == 2 * PAGE, "data is where it was written");
	tap_ok(lseek(fd, 2 * PAGE + 5, SEEK_DATA) == 2 * PAGE + 5, "and here");
	tap_ok(lseek(fd, 5, SEEK_HOLE) == 5, "a hole is where nothing was written");
	tap_ok(lseek(fd, 2 * PAGE, SEEK_HOLE) == 3 * PAGE, "and behind the data");
	FAILS(ENXIO, lseek(fd, 3 * PAGE, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 4 * PAGE + 100, SEEK_HOLE));
	FAILS(ENXIO, lseek(fd, -1, SEEK_DATA));
	WORKS(pwrite(fd, "x", 1, 1L << 40) != 1);
	tap_ok(lseek(fd, 5 * PAGE, SEEK_DATA) == 1L << 40, "a page far away is found");
	WORKS(pwrite(fd, "x", 1, LONG_MAX - 1) != 1);
	FAILS(EINVAL, lseek(fd, 1, SEEK_END));
	FAILS(EINVAL, lseek(fd, LONG_MAX, SEEK_CUR));
	close(fd);
	unlink("sparse");
}

/* ---- Mappings ---- */

#define MAP_FAILS(error, ...)                                                                      \
	do {                                                                                       \
		errno = 0;                                                                         \
		tap_ok(mmap(__VA_ARGS__) == MAP_FAILED && errno == (error), "mmap(%s): " #error,   \
		       #__VA_ARGS__);                                                              \
	} while (0)

static void test_mapping_files(void)
{
	int fd = open("mapped", O_CREAT | O_RDWR, 0600), dir = open(".", O_RDONLY);

	MAP_FAILS(EOVERFLOW, NULL, PAGE, PROT_READ, MAP_SHARED, fd, LONG_MAX & -PAGE);
	MAP_FAILS(EOVERFLOW, NULL, PAGE, PROT_READ, MAP_SHARED, fd, -PAGE);
	MAP_FAILS(ENODEV, NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0);
	close(fd);
	close(dir);
	unlink("mapped");
}

static void locks_as_user(void)
{
	struct rlimit limit = { 4 * PAGE, 4 * PAGE };
	char *memory;

	setrlimit(RLIMIT_MEMLOCK, &limit);
	memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	CHECK(memory != MAP_FAILED);
	errno = 0;
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED &&
	      errno == EAGAIN);
	errno = 0;
	CHECK(mremap(memory, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EAGAIN);
	CHECK(!munlock(memory, 4 * PAGE));
	CHECK(mremap(memory, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	errno = 0;
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED &&
	      errno == EPERM);
}

int main(int argc, char **argv)
{
	char byte;

	if (argc > 1 && !strcmp(argv[1], "wait")) {
		WORKS(write(1, "x", 1) != 1);
		return read(0, &byte, 1) != 0;
	}
	signal(SIGXFSZ, on_signal);
	signal(SIGPIPE, on_signal);
	begin();
	WORKS(mkdir("t", 0755));
	WORKS(mount("none", "t", "tmpfs", 0, "size=16m"));
	WORKS(chdir("t"));
	test_truncating_a_running_program();
	test_times();
	test_closing_while_waiting_for_a_lock();
	test_pipe_closed_in_the_middle();
	test_allocation();
	test_seeking();
	test_mapping_files();
	tap_ok(as_user(locks_as_user) == 0, "RLIMIT_MEMLOCK holds for MAP_LOCKED and mremap, too");
	WORKS(chdir(".."));
	WORKS(umount("t"));
	WORKS(rmdir("t"));
	return end();
}
