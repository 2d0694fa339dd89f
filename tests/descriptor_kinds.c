/*
 * Calls on descriptors of kinds that they were not made for: files without a name, O_PATH, /proc, the wrong way of a pipe. What
 * Linux looks at first decides the errno. Also edges that event sets see of pipes, and how much a pipe takes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include "gives.h"

static char buffer[70000];
static int ends[2], pair[2];

/* A pipe, a socket: the empty name means it, and its attributes can be set. */
static void nameless_files(void)
{
	struct {
		int bytes, type;
		char space[64];
	} handle = { .bytes = 64 };
	struct stat stat;
	struct statx statx_;
	int mount;

	gives(0, fchmod(ends[0], 0640));
	gives(0, fchownat(ends[0], "", 0, 0, AT_EMPTY_PATH));
	gives(0, futimens(ends[0], NULL));
	gives(0, syscall(SYS_utimensat, ends[0], "", NULL, AT_EMPTY_PATH));
	gives(0, fstat(ends[0], &stat));
	gives(S_IFIFO | 0640, stat.st_mode);
	gives(0, syscall(SYS_faccessat2, ends[0], "", R_OK | W_OK, AT_EMPTY_PATH));
	gives(-ENOENT, readlinkat(ends[0], "", buffer, 10));
	gives(-ENOENT, openat(ends[0], "", O_RDONLY));
	gives(-ENOENT, fstatat(ends[0], "", &stat, 0));
	gives(-ENOTDIR, fstatat(ends[0], "x", &stat, 0));
	gives(-EXDEV, linkat(ends[0], "", AT_FDCWD, "pipe_link", AT_EMPTY_PATH));
	gives(-EOPNOTSUPP, name_to_handle_at(ends[0], "", (void *)&handle, &mount, AT_EMPTY_PATH));
	gives(0, statx(pair[0], "", AT_EMPTY_PATH, STATX_BTIME, &statx_));
	gives(0x1000, statx_.stx_mask & 0x1800); /* a mount's number, no time of birth */
	gives(-ENOENT, unlinkat(999, "", 0));
	gives(-EBADF, futimens(999, (struct timespec[2]){ { 0, -5 }, { 0, -5 } }));
}

static void transfers(int file)
{
	struct iovec iov[2] = { { buffer, 4 }, { buffer + 4, 4 } };
	int directory = open("/", O_RDONLY | O_DIRECTORY), event = eventfd(1, EFD_NONBLOCK);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), null = open("/dev/null", O_RDWR);

	gives(0, readv(directory, iov, 0));
	gives(-EISDIR, read(directory, buffer, 1));
	gives(-EINVAL, pread(directory, buffer, 8, LONG_MAX - 3));
	gives(-EOPNOTSUPP, preadv2(directory, iov, 1, 0, RWF_APPEND));
	gives(-EBADF, preadv2(ends[1], iov, 1, -1, RWF_NOWAIT));
	gives(-EBADF, pwritev2(ends[0], iov, 1, -1, 0x80));
	gives(0, writev(socket(AF_UNIX, SOCK_STREAM, 0), iov, 0));
	gives(-EINVAL, writev(event, iov, 2)); /* each segment by itself */
	gives(-EINVAL, readv(timer, iov, 2));
	gives(8, preadv2(event, &(struct iovec){ buffer, 8 }, 1, -1, RWF_NOWAIT));
	gives(-EAGAIN, preadv2(event, &(struct iovec){ buffer, 8 }, 1, -1, RWF_NOWAIT));
	gives(0, preadv2(null, iov, 1, 0, RWF_NOWAIT));
	gives(4, pwritev2(null, iov, 1, 0, RWF_DSYNC));
	gives(-EINVAL, fallocate(directory, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE, 0, 4096));
	gives(-EINVAL, fallocate(file, FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	gives(0, vmsplice(null, iov, 0, 0));
	gives(0, sendfile(null, directory, NULL, 0));
	gives(5, write(pair[1], "hello", 5));
	gives(5, sendfile(ends[1], pair[0], NULL, 64)); /* into a pipe goes anything */
	gives(5, read(ends[0], buffer, sizeof(buffer)));
	gives(-EAGAIN, splice(pair[0], NULL, ends[1], NULL, 4, SPLICE_F_NONBLOCK));
	gives(-EINVAL, fcntl(null, F_SETFL, O_DIRECT));
	gives(-EBADF, (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_HUGETLB, 999, 0));
	close(directory);
	close(event);
	close(timer);
	close(null);
}

static void path_only(void)
{
	int file = open("/", O_PATH);
	struct timeval none = {};
	struct flock lock = { .l_type = F_RDLCK, .l_pid = 7 };
	fd_set set, other;

	FD_ZERO(&set);
	FD_SET(file, &set);
	other = set;
	gives(2, select(file + 1, &set, &other, NULL, &none));
	gives(-EBADF, accept4(file, NULL, NULL, 1));
	gives(-EBADF, fcntl(ends[1], F_OFD_SETLK, &lock)); /* that it cannot be read comes before the number */
	close(file);
}

/* What was only ever written through memfd_create(2)'s descriptor can be executed by it. */
static void memory_file_runs(void)
{
	int file = memfd_create("program", 0), program = open("/proc/self/exe", O_RDONLY), status;
	char *arguments[] = { "program", "child", NULL }, *environment[] = { NULL };
	pid_t pid;

	while (sendfile(file, program, NULL, 1 << 20) > 0)
		;
	pid = fork();
	if (!pid) {
		syscall(SYS_execveat, file, "", arguments, environment, AT_EMPTY_PATH);
		_exit(errno);
	}
	gives(pid, waitpid(pid, &status, 0));
	gives(7, WEXITSTATUS(status));
	close(file);
	close(program);
}

static void proc_files(void)
{
	int status = open("/proc/self/status", O_RDONLY), file = open("/dev/null", O_RDONLY);
	char name[64];

	gives(-EINVAL, lseek(status, 0, SEEK_END));
	gives(-EINVAL, fsync(status));
	gives(-ENOENT, mkdir("/proc/self/made", 0755));
	gives(-ENOENT, open("/proc/made", O_CREAT | O_RDWR, 0644));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	fflush(stdout);
	if (!setresgid(-1, 1000, -1) && !setresuid(-1, 1000, -1)) /* root owns the files in /proc now */
		gives(9, readlink(name, buffer, sizeof(buffer)));
	if (setresuid(-1, 0, -1) || setresgid(-1, 0, -1))
		tap_ok(0, "root again");
	close(status);
	close(file);
}

/* A link in /proc leads below what is mounted there; umount(2) means that all the same. */
static void unmount_by_descriptor(void)
{
	char name[64];
	int directory;

	if (mkdir("/tmp/kinds_mount", 0755) && errno != EEXIST)
		return;
	directory = open("/tmp/kinds_mount", O_RDONLY);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", directory);
	gives(0, mount("none", name, "tmpfs", 0, NULL));
	gives(0, umount2(name, MNT_DETACH));
	gives(-EINVAL, umount2(name, MNT_DETACH));
	gives(-EINVAL, mount("", name, NULL, MS_BIND, NULL));
	close(directory);
	rmdir("/tmp/kinds_mount");
}

static int wait_one(int set)
{
	struct epoll_event event = {};

	return epoll_wait(set, &event, 1, 0) == 1 ? (int)event.events : 0;
}

/* Edges: room is news to a writer only when there was none. */
static void pipe_edges(void)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int set = epoll_create1(0);

	gives(0, epoll_ctl(set, EPOLL_CTL_ADD, ends[1], &event));
	gives(EPOLLOUT, wait_one(set));
	gives(3, write(ends[1], "abc", 3));
	gives(0, wait_one(set));
	gives(3, read(ends[0], buffer, 3));
	gives(0, wait_one(set));
	gives(65536, write(ends[1], buffer, sizeof(buffer)));
	gives(0, wait_one(set));
	gives(4096, read(ends[0], buffer, 4096));
	gives(EPOLLOUT, wait_one(set));
	while (read(ends[0], buffer, sizeof(buffer)) > 0)
		;
	close(set);
}

/* Pages are shared by what writes have beyond whole pages, and only if it fits. */
static void pipe_capacity(void)
{
	long total = 0, part;

	gives(3000, write(ends[1], buffer, 3000));
	gives(61904, write(ends[1], buffer, 66000)); /* 464 of them join the 3000 */
	while ((part = read(ends[0], buffer, sizeof(buffer))) > 0)
		total += part;
	gives(64904, total);
}

/* Asking whether a set is ready leaves the order in which it tells. */
static void set_keeps_order(void)
{
	int set = epoll_create1(0), first = eventfd(1, 0), second = eventfd(1, 0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = 1 };
	struct pollfd poll_ = { .fd = set, .events = POLLIN };

	epoll_ctl(set, EPOLL_CTL_ADD, first, &event);
	event.data.fd = 2;
	epoll_ctl(set, EPOLL_CTL_ADD, second, &event);
	gives(1, poll(&poll_, 1, 0));
	gives(1, epoll_wait(set, &event, 1, 0));
	gives(1, event.data.fd);
	close(first);
	close(second);
	close(set);
}

/* F_GETLK tells of the first conflict: owners come in the order in which they came, each with its locks from the lowest on. */
static void first_conflict(int file)
{
	int other = open("/tmp/kinds_file", O_RDWR), third = open("/tmp/kinds_file", O_RDWR);
	struct flock lock = { .l_type = F_WRLCK, .l_start = 20, .l_len = 5 };

	gives(0, fcntl(file, F_OFD_SETLK, &lock));
	lock.l_start = 10;
	gives(0, fcntl(other, F_OFD_SETLK, &lock));
	lock.l_start = 24;
	gives(0, fcntl(file, F_OFD_SETLK, &lock)); /* grows, and stays where it was */
	lock = (struct flock){ .l_type = F_WRLCK };
	gives(0, fcntl(third, F_OFD_GETLK, &lock));
	gives(20, lock.l_start);
	gives(9, lock.l_len);
	lock = (struct flock){ .l_type = 7, .l_start = LONG_MAX, .l_len = 2 };
	gives(-EOVERFLOW, fcntl(third, F_OFD_SETLK, &lock));
	close(other);
	close(third);
}

/* What says that a name is gone is a device that anybody may make. */
static void whiteout(void)
{
	struct stat stat_;

	if (mkdir("/tmp/kinds_dir", 0777) || chmod("/tmp/kinds_dir", 0777) || setresuid(-1, 1000, -1))
		return;
	gives(0, mknod("/tmp/kinds_dir/gone", S_IFCHR | 0600, 0));
	gives(-EPERM, mknod("/tmp/kinds_dir/null", S_IFCHR | 0600, 0x103));
	gives(0, mknod("/tmp/kinds_dir/file", S_IFREG | 0600, 0));
	gives(0, syscall(SYS_renameat2, AT_FDCWD, "/tmp/kinds_dir/file", AT_FDCWD,
			 "/tmp/kinds_dir/moved", 4));
	gives(0, stat("/tmp/kinds_dir/file", &stat_));
	gives(S_IFCHR, stat_.st_mode & S_IFMT);
	if (setresuid(-1, 0, -1))
		tap_ok(0, "root again");
	unlink("/tmp/kinds_dir/gone");
	unlink("/tmp/kinds_dir/file");
	unlink("/tmp/kinds_dir/moved");
	rmdir("/tmp/kinds_dir");
}

int main(int count, char **arguments)
{
	int file;

	if (count > 1 && !strcmp(arguments[1], "child"))
		return 7;
	if (pipe2(ends, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	mkdir("/tmp", 01777);
	file = open("/tmp/kinds_file", O_CREAT | O_RDWR, 0600);
	nameless_files();
	transfers(file);
	path_only();
	memory_file_runs();
	proc_files();
	unmount_by_descriptor();
	pipe_edges();
	pipe_capacity();
	set_keeps_order();
	first_conflict(file);
	whiteout();
	unlink("/tmp/kinds_file");
	return tap_end();
}
