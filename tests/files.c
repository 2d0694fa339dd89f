/* Open files as programs see them: open, read, write, seek, descriptors, poll and locks, with results and errnos. */
#define _GNU_SOURCE
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "files.h"

/* ---- open ---- */

static void test_open(void)
{
	int fd;
	struct stat st;

	FAILS(ENOENT, open("missing", O_RDONLY));
	FAILS(ENOENT, open("", O_RDONLY));
	FAILS(EFAULT, open((char *)1, O_RDONLY));
	FAILS(ENOENT, open("missing/x", O_CREAT | O_WRONLY, 0644));
	fd = open("file", O_CREAT | O_EXCL | O_WRONLY, 0666);
	TRUE(fd >= 0);
	GIVES(5, write(fd, "hello", 5));
	FAILS(EBADF, read(fd, text, 1));
	WORKS(close(fd));
	FAILS(EBADF, close(fd));
	FAILS(EEXIST, open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
	TRUE((mode_of("file") & 0777) == 0644); /* the umask is 022 */
	FAILS(ENOTDIR, open("file/x", O_RDONLY));
	FAILS(ENOTDIR, open("file/", O_RDONLY));
	FAILS(ENOTDIR, open("file/.", O_RDONLY));
	FAILS(ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
	FAILS(EISDIR, open("new/", O_CREAT | O_WRONLY, 0644));
	FAILS(EISDIR, open(".", O_WRONLY));
	FAILS(EISDIR, open(".", O_RDWR));
	FAILS(EISDIR, open(".", O_CREAT | O_RDONLY, 0644));
	FAILS(EISDIR, open("/", O_CREAT | O_RDONLY, 0644));
	FAILS(EEXIST, open(".", O_CREAT | O_EXCL | O_RDONLY, 0644));
	fd = open("file", O_RDONLY);
	FAILS(EBADF, write(fd, "x", 1));
	GIVES(5, read(fd, text, sizeof(text)));
	GIVES(0, read(fd, text, sizeof(text)));
	FAILS(EFAULT, pread(fd, (void *)1, 1, 0));
	close(fd);
	fd = open("file", O_WRONLY | O_TRUNC);
	WORKS(fstat(fd, &st));
	TRUE(st.st_size == 0);
	close(fd);
}

static void test_open_links(void)
{
	int fd;

	/* Links at the end. */
	WORKS(symlink("file", "to-file"));
	WORKS(symlink("nowhere", "dangling"));
	WORKS(symlink("loop", "loop"));
	WORKS(mkdir("dir", 0755));
	WORKS(symlink("dir", "to-dir"));
	FAILS(ELOOP, open("to-file", O_RDONLY | O_NOFOLLOW));
	FAILS(ELOOP, open("loop", O_RDONLY));
	FAILS(ENOENT, open("dangling", O_RDONLY));
	FAILS(EEXIST, open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
	FAILS(ELOOP, open("dangling", O_CREAT | O_NOFOLLOW | O_WRONLY, 0644));
	fd = open("dangling", O_CREAT | O_WRONLY, 0644);
	TRUE(fd >= 0 && S_ISREG(mode_of("nowhere")));
	close(fd);
	FAILS(ENOTDIR, open("to-dir", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	fd = open("to-dir/", O_RDONLY | O_NOFOLLOW);
	TRUE(fd >= 0);
	close(fd);
	FAILS(ENOTDIR, open("to-file/", O_RDONLY));
}

static void test_open_by_descriptor(void)
{
	int fd, other;
	struct stat st;

	/* O_PATH. */
	fd = open("to-file", O_PATH | O_NOFOLLOW);
	TRUE(fd >= 0);
	WORKS(fstat(fd, &st));
	TRUE(S_ISLNK(st.st_mode));
	FAILS(EBADF, read(fd, text, 1));
	FAILS(EBADF, fchmod(fd, 0600));
	FAILS(EBADF, ioctl(fd, FIONREAD, &other));
	GIVES(4, readlinkat(fd, "", text, sizeof(text)));
	other = dup(fd);
	TRUE(other >= 0);
	close(other);
	close(fd);

	/* Relative to a descriptor. */
	fd = open("dir", O_RDONLY | O_DIRECTORY);
	TRUE(fd >= 0);
	other = openat(fd, "inner", O_CREAT | O_RDWR, 0600);
	TRUE(other >= 0);
	FAILS(ENOTDIR, openat(other, "x", O_RDONLY));
	TRUE(faccessat(other, "/", F_OK, 0) == 0); /* an absolute name does not ask for it */
	close(other);
	FAILS(EBADF, openat(999, "x", O_RDONLY));
	close(fd);
	FAILS(EINVAL, open("dir", O_TMPFILE | O_RDONLY, 0600));
}

static void test_long_names(void)
{
	int fd;

	/* Names too long. */
	memset(text, 'a', 256);
	text[256] = 0;
	FAILS(ENAMETOOLONG, open(text, O_RDONLY));
	text[255] = 0;
	FAILS(ENOENT, open(text, O_RDONLY));
	fd = open(text, O_CREAT | O_WRONLY, 0644);
	TRUE(fd >= 0);
	close(fd);
	WORKS(unlink(text));
	for (int i = 0; i < 4094; i += 2)
		memcpy(text + i, "./", 2);
	strcpy(text + 4090, "file");
	GIVES(0, access(text, F_OK));
	strcpy(text + 4090, "./file");
	FAILS(ENAMETOOLONG, access(text, F_OK));

	WORKS(unlink("to-file"));
	WORKS(unlink("to-dir"));
	WORKS(unlink("dangling"));
	WORKS(unlink("nowhere"));
	WORKS(unlink("loop"));
	WORKS(unlink("dir/inner"));
	WORKS(rmdir("dir"));
	WORKS(unlink("file"));
}

/* ---- read, write, seek ---- */

static void test_read_write(void)
{
	struct stat st;
	int fd = open("file", O_CREAT | O_RDWR, 0644);

	GIVES(10, write(fd, "0123456789", 10));
	GIVES(3, lseek(fd, 3, SEEK_SET));
	GIVES(4, lseek(fd, 1, SEEK_CUR));
	GIVES(8, lseek(fd, -2, SEEK_END));
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, 0, 99));
	FAILS(EBADF, lseek(999, 0, SEEK_SET));
	GIVES(0, lseek(fd, 0, SEEK_DATA));
	GIVES(10, lseek(fd, 0, SEEK_HOLE));
	FAILS(ENXIO, lseek(fd, 10, SEEK_DATA));
	GIVES(3, pread(fd, text, 3, 4));
	TRUE(!memcmp(text, "456", 3));
	FAILS(EINVAL, pread(fd, text, 3, -1));
	FAILS(EINVAL, pwrite(fd, text, 3, -1));
	GIVES(2, pwrite(fd, "ab", 2, 20));
	WORKS(fstat(fd, &st));
	TRUE(st.st_size == 22);
	GIVES(22, pread(fd, text, 100, 0));
	TRUE(!memcmp(text, "0123456789\0\0\0\0\0\0\0\0\0\0ab", 22));
	close(fd);
}

static void test_vectors(void)
{
	struct iovec parts[3] = { { text, 2 }, { NULL, 0 }, { text + 100, 3 } };
	int fd = open("file", O_RDWR);

	lseek(fd, 0, SEEK_SET);
	memset(text, 0, 200);
	GIVES(5, readv(fd, parts, 3));
	TRUE(!memcmp(text, "01", 2) && !memcmp(text + 100, "234", 3));
	FAILS(EINVAL, readv(fd, parts, -1));
	FAILS(EINVAL, readv(fd, parts, 1025));
	GIVES(0, readv(fd, parts, 0));
	FAILS(EFAULT, readv(fd, (struct iovec *)1, 1));
	parts[1].iov_len = (size_t)-1;
	FAILS(EINVAL, readv(fd, parts, 3));
	parts[1].iov_len = 0;
	GIVES(5, preadv(fd, parts, 3, 1));
	GIVES(5, pwritev(fd, parts, 3, 30));
	GIVES(5, pwritev2(fd, parts, 3, 40, 0));
	FAILS(EOPNOTSUPP, preadv2(fd, parts, 3, 0, 0x40000000));
	close(fd);
}

static void test_sizes(void)
{
	int fd = open("file", O_RDWR), fd2;
	struct stat st;

	WORKS(ftruncate(fd, 4));
	GIVES(4, pread(fd, text, 100, 0));
	WORKS(ftruncate(fd, 6));
	GIVES(6, pread(fd, text, 100, 0));
	TRUE(!memcmp(text, "0123\0\0", 6));
	FAILS(EINVAL, ftruncate(fd, -1));
	FAILS(EINVAL, truncate("file", -1));
	FAILS(EISDIR, truncate(".", 0));
	FAILS(ENOENT, truncate("missing", 0));
	WORKS(truncate("file", 3));

	fd2 = open("file", O_WRONLY | O_APPEND);
	GIVES(3, write(fd2, "xyz", 3));
	GIVES(6, lseek(fd2, 0, SEEK_CUR));
	TRUE(!strcmp(text_of("file"), "012xyz"));
	FAILS(EBADF, read(fd2, text, 1));
	close(fd2);
	fd2 = open("file", O_RDONLY);
	FAILS(EINVAL, ftruncate(fd2, 0));
	close(fd2);

	WORKS(fallocate(fd, 0, 0, 10000));
	WORKS(fstat(fd, &st));
	TRUE(st.st_size == 10000);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	GIVES(1, pread(fd, text, 1, 0));
	TRUE(text[0] == 0);
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	FAILS(EINVAL, fallocate(fd, 0, -1, 5));
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 5));

	WORKS(fsync(fd));
	WORKS(fdatasync(fd));
	FAILS(EBADF, fsync(999));
	close(fd);
}

static void test_position_and_limit(void)
{
	struct rlimit limit, old;
	int fd = open("file", O_RDWR), fd2;

	/* A position shared by dup, and not by a second open. */
	lseek(fd, 0, SEEK_SET);
	fd2 = dup(fd);
	write(fd, "abcd", 4);
	GIVES(4, lseek(fd2, 0, SEEK_CUR));
	close(fd2);

	/* File size limit. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 12000;
	setrlimit(RLIMIT_FSIZE, &limit);
	GIVES(10, pwrite(fd, "0123456789", 10, 11990));
	GIVES(5, pwrite(fd, "0123456789", 10, 11995));
	FAILS(EFBIG, pwrite(fd, "0123456789", 10, 12000));
	FAILS(EFBIG, ftruncate(fd, 12001));
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	close(fd);
}

static void test_copies(void)
{
	int fd = open("file", O_RDWR), fd2, ends[2];
	off_t offset;

	/* sendfile, copy_file_range. */
	fd2 = open("copy", O_CREAT | O_RDWR | O_TRUNC, 0644);
	offset = 2;
	GIVES(10, sendfile(fd2, fd, &offset, 10));
	TRUE(offset == 12);
	WORKS(pipe(ends));
	GIVES(2, write(ends[1], "ab", 2));
	FAILS(EINVAL, sendfile(fd2, ends[0], NULL, 10));
	GIVES(2, read(ends[0], text, 10));
	close(ends[0]);
	close(ends[1]);
	offset = 0;
	GIVES(4, copy_file_range(fd, &offset, fd2, NULL, 4, 0));
	TRUE(offset == 4);
	TRUE(lseek(fd2, 0, SEEK_CUR) == 14);
	FAILS(EINVAL, copy_file_range(fd, &offset, fd2, NULL, 4, 1));
	close(fd2);
	close(fd);
	WORKS(unlink("copy"));
	WORKS(unlink("file"));
}

static void test_odd_files(void)
{
	struct stat st;
	int fd;

	/* Directories are not read. */
	fd = open(".", O_RDONLY);
	FAILS(EISDIR, read(fd, text, 1));
	FAILS(EBADF, write(fd, text, 1));
	close(fd);

	/* An unlinked file lives as long as it is open. */
	fd = open("gone", O_CREAT | O_RDWR, 0644);
	write(fd, "still", 5);
	WORKS(unlink("gone"));
	WORKS(fstat(fd, &st));
	TRUE(st.st_nlink == 0);
	GIVES(5, pread(fd, text, 5, 0));
	close(fd);
}

/* ---- Descriptors ---- */

static void test_descriptors(void)
{
	int fd = open("/", O_RDONLY), other;

	other = fcntl(fd, F_DUPFD, 100);
	GIVES(100, other);
	GIVES(0, fcntl(other, F_GETFD));
	WORKS(fcntl(other, F_SETFD, FD_CLOEXEC));
	GIVES(FD_CLOEXEC, fcntl(other, F_GETFD));
	GIVES(101, fcntl(fd, F_DUPFD_CLOEXEC, 100));
	GIVES(FD_CLOEXEC, fcntl(101, F_GETFD));
	GIVES(101, dup2(fd, 101));
	GIVES(0, fcntl(101, F_GETFD));
	GIVES(102, dup3(fd, 102, O_CLOEXEC));
	GIVES(FD_CLOEXEC, fcntl(102, F_GETFD));
	FAILS(EINVAL, dup3(fd, fd, 0));
	FAILS(EINVAL, dup3(fd, 103, 1));
	GIVES(fd, dup2(fd, fd));
	FAILS(EBADF, dup2(999, 5));
	FAILS(EBADF, dup2(999, 999));
	FAILS(EBADF, dup(-1));
	FAILS(EBADF, dup2(fd, -1));
	FAILS(EBADF, fcntl(999, F_GETFD));
	FAILS(EINVAL, fcntl(fd, F_DUPFD, -1));
	FAILS(EINVAL, fcntl(fd, 12345));
	WORKS(ioctl(fd, FIOCLEX));
	GIVES(FD_CLOEXEC, fcntl(fd, F_GETFD));
	WORKS(ioctl(fd, FIONCLEX));
	GIVES(0, fcntl(fd, F_GETFD));
	FAILS(ENOTTY, ioctl(fd, 0x5401 /* TCGETS */, text));
	close(fd);
}

static void test_many_descriptors(void)
{
	struct rlimit limit, old;
	int fd = open("/", O_RDONLY), other;

	/* Far beyond the first table. */
	getrlimit(RLIMIT_NOFILE, &old);
	limit = old;
	limit.rlim_cur = old.rlim_max < 5000 ? old.rlim_max : 5000;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur == 5000) {
		GIVES(4999, dup2(fd, 4999));
		FAILS(EBADF, dup2(fd, 5000));
		FAILS(EINVAL, fcntl(fd, F_DUPFD, 5000));
		FAILS(EMFILE, fcntl(fd, F_DUPFD, 4999));
	}
	WORKS(close_range(100, ~0U, 0));
	FAILS(EBADF, fcntl(102, F_GETFD));
	FAILS(EINVAL, close_range(5, 4, 0));
	dup2(fd, 200);
	dup2(fd, 300);
	WORKS(close_range(100, 250, 4 /* CLOSE_RANGE_CLOEXEC */));
	GIVES(FD_CLOEXEC, fcntl(200, F_GETFD));
	GIVES(0, fcntl(300, F_GETFD));
	close_range(100, ~0U, 0);
	limit.rlim_cur = fd + 1;
	setrlimit(RLIMIT_NOFILE, &limit);
	FAILS(EMFILE, dup(fd));
	FAILS(EMFILE, open("/", O_RDONLY));
	setrlimit(RLIMIT_NOFILE, &old);
	close(fd);
	other = open("/", O_RDONLY);
	TRUE(other == fd); /* the lowest free one */
	close(other);
}

static void test_flags(void)
{
	int fd, flags;

	fd = open("file", O_CREAT | O_RDWR | O_APPEND, 0644);
	flags = fcntl(fd, F_GETFL);
	TRUE((flags & (O_ACCMODE | O_APPEND | O_CREAT)) == (O_RDWR | O_APPEND));
	WORKS(fcntl(fd, F_SETFL, O_NONBLOCK));
	flags = fcntl(fd, F_GETFL);
	TRUE((flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK));
	flags = 0;
	WORKS(ioctl(fd, FIONBIO, &flags));
	TRUE(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	write(fd, "12345", 5);
	lseek(fd, 2, SEEK_SET);
	WORKS(ioctl(fd, FIONREAD, &flags));
	TRUE(flags == 3);
	close(fd);
	WORKS(unlink("file"));
}

/* ---- poll, select ---- */

static void on_alarm(int signal)
{
	(void)signal;
}

static void test_poll(void)
{
	struct timespec short_time = { .tv_nsec = 20000000 };
	struct timeval short_value = { .tv_usec = 20000 };
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { .it_value.tv_usec = 30000 };
	struct pollfd fds[3];
	int ends[2], file = open("file", O_CREAT | O_RDWR, 0644);
	fd_set set, other;
	pid_t pid;

	WORKS(pipe(ends));
	fds[0] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = ends[1], .events = POLLOUT };
	fds[2] = (struct pollfd){ .fd = file, .events = POLLIN | POLLOUT };
	GIVES(2, poll(fds, 3, 0));
	TRUE(fds[0].revents == 0 && fds[1].revents == POLLOUT && fds[2].revents == (POLLIN | POLLOUT));
	GIVES(0, poll(fds, 1, 0));
	GIVES(0, poll(fds, 1, 10));
	GIVES(0, poll(NULL, 0, 5));
	write(ends[1], "x", 1);
	GIVES(1, poll(fds, 1, -1));
	TRUE(fds[0].revents == POLLIN);
	read(ends[0], text, 1);
	fds[1].fd = -1;
	fds[2].fd = 999;
	GIVES(1, poll(fds, 3, -1));
	TRUE(fds[1].revents == 0 && fds[2].revents == POLLNVAL);
	FAILS(EFAULT, poll((struct pollfd *)1, 1, 0));
	FAILS(EINVAL, poll(fds, 0x7fffffff, 0));

	/* Woken by another process. */
	pid = fork();
	if (pid == 0) {
		usleep(20000);
		_exit(write(ends[1], "y", 1) != 1);
	}
	GIVES(1, poll(fds, 1, 5000));
	waitpid(pid, NULL, 0);
	read(ends[0], text, 1);

	/* Interrupted. */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	FAILS(EINTR, poll(fds, 1, 5000));
	GIVES(0, ppoll(fds, 1, &short_time, NULL));

	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	GIVES(0, select(ends[0] + 1, &set, NULL, NULL, &short_value));
	TRUE(!FD_ISSET(ends[0], &set));
	FD_SET(ends[0], &set);
	FD_ZERO(&other);
	FD_SET(ends[1], &other);
	short_value.tv_usec = 1000;
	GIVES(1, select(ends[1] + 1, &set, &other, NULL, &short_value));
	TRUE(!FD_ISSET(ends[0], &set) && FD_ISSET(ends[1], &other));
	FD_ZERO(&set);
	FD_SET(63, &set);
	FAILS(EBADF, select(64, &set, NULL, NULL, &short_value));
	FAILS(EINVAL, select(-1, NULL, NULL, NULL, &short_value));
	close(ends[1]);
	GIVES(1, poll(fds, 1, -1));
	TRUE(fds[0].revents == POLLHUP);
	close(ends[0]);
	close(file);
	WORKS(unlink("file"));
}

/* ---- Locks ---- */

static struct flock region(short type, off_t start, off_t length)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
}

static int lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock request = region(type, start, length);

	return fcntl(fd, command, &request);
}

static void test_locks(void)
{
	int fd = open("file", O_CREAT | O_RDWR, 0644), fd2, status, ends[2];
	struct flock query;
	pid_t pid;

	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 100));
	WORKS(lock(fd, F_SETLK, F_RDLCK, 40, 20)); /* splits it */
	WORKS(lock(fd, F_SETLK, F_UNLCK, 90, 0));
	pipe(ends);
	pid = fork();
	if (pid == 0) {
		tap_failures = 0;
		query = region(F_RDLCK, 0, 0);
		CHECK(fcntl(fd, F_GETLK, &query) == 0);
		CHECK(query.l_type == F_WRLCK && query.l_start == 0 && query.l_len == 40 &&
		      query.l_pid == getppid());
		query = region(F_RDLCK, 45, 5);
		CHECK(fcntl(fd, F_GETLK, &query) == 0 && query.l_type == F_UNLCK);
		CHECK_FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 45, 5));
		CHECK(lock(fd, F_SETLK, F_RDLCK, 45, 5) == 0);
		CHECK(lock(fd, F_SETLK, F_WRLCK, 95, 5) == 0);
		write(ends[1], "x", 1);
		CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 10) == 0); /* waits for the parent */
		_exit(tap_failures != 0);
	}
	read(ends[0], text, 1);
	usleep(20000);
	WORKS(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 0)); /* the child's went with it */

	/* Closing any descriptor of the file ends a process's locks. */
	fd2 = open("file", O_RDONLY);
	close(fd2);
	pid = fork();
	if (pid == 0)
		_exit(lock(fd, F_SETLK, F_WRLCK, 0, 0) != 0);
	TRUE(waitpid(pid, &status, 0) == pid && status == 0);

	/* But not one that only names it. */
	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	close(open("file", O_PATH));
	pid = fork();
	if (pid == 0)
		_exit(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
	TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	WORKS(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	fd2 = open("file", O_RDONLY);
	FAILS(EBADF, lock(fd2, F_SETLK, F_WRLCK, 0, 0));
	FAILS(EINVAL, lock(fd, F_SETLK, 77, 0, 0));
	FAILS(EINVAL, lock(fd, F_SETLK, F_WRLCK, -5, 1));

	/* By open file. */
	WORKS(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	FAILS(EAGAIN, lock(fd2, F_OFD_SETLK, F_RDLCK, 5, 1));
	WORKS(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 10));

	WORKS(flock(fd, LOCK_EX));
	FAILS(EAGAIN, flock(fd2, LOCK_SH | LOCK_NB));
	WORKS(flock(fd, LOCK_SH));
	WORKS(flock(fd2, LOCK_SH | LOCK_NB));
	FAILS(EAGAIN, flock(fd, LOCK_EX | LOCK_NB));
	WORKS(flock(fd2, LOCK_UN));
	WORKS(flock(fd, LOCK_EX | LOCK_NB));
	FAILS(EINVAL, flock(fd, 16));
	FAILS(EBADF, flock(999, LOCK_EX));
	close(fd2);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	WORKS(unlink("file"));
}

int main(void)
{
	begin();
	test_open();
	test_open_links();
	test_open_by_descriptor();
	test_long_names();
	test_read_write();
	test_vectors();
	test_sizes();
	test_position_and_limit();
	test_copies();
	test_odd_files();
	test_descriptors();
	test_many_descriptors();
	test_flags();
	test_poll();
	test_locks();
	return end();
}
