/* Descriptors for processes: pidfd_open(2), CLONE_PIDFD, pidfd_send_signal(2), pidfd_getfd(2), waitid(P_PIDFD); clone3(2). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int pidfd_send(int fd, int signal, siginfo_t *info, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, signal, info, flags);
}

static int pidfd_getfd(int fd, int number, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_getfd, fd, number, flags);
}

static int ready(int fd, int timeout)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, timeout) == 1 ? poller.revents : 0;
}

static int gate[2];

/* A child that ends with this status when the gate is closed. */
static pid_t child_start(int status)
{
	pid_t child;
	char c;

	if (pipe(gate))
		exit(1);
	child = fork();
	if (child) {
		close(gate[0]);
		return child;
	}
	close(gate[1]);
	read(gate[0], &c, 1);
	_exit(status);
}

static void *sleeper(void *tid)
{
	*(volatile pid_t *)tid = (pid_t)syscall(SYS_gettid);
	usleep(200000);
	return NULL;
}

static void opening(void)
{
	char name[64], text[512] = "";
	volatile pid_t tid = 0;
	pthread_t thread;
	pid_t child;
	int fd, info;

	tap_ok(FAILS(pidfd_open(getpid(), 1), EINVAL) && FAILS(pidfd_open(0, 0), EINVAL) &&
		       FAILS(pidfd_open(-1, 0), EINVAL),
	       "pidfd_open refuses flags and what is no pid");
	child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	tap_ok(FAILS(pidfd_open(child, 0), ESRCH), "a process that is gone");
	pthread_create(&thread, NULL, sleeper, (void *)&tid);
	while (!tid)
		usleep(1000);
	tap_ok(FAILS(pidfd_open(tid, 0), EINVAL), "a thread that leads no process");
	pthread_join(thread, NULL);
	fd = pidfd_open(getpid(), O_NONBLOCK);
	tap_ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK),
	       "close-on-exec, always");
	tap_ok(ready(fd, 0) == 0, "a living process is not readable");
	tap_ok(read(fd, text, 1) == -1 && errno == EINVAL, "nor to be read at all");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	tap_ok(readlink(name, text, sizeof(text)) > 0 && !strncmp(text, "anon_inode:[pidfd]", 18),
	       "its name in /proc");
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	info = open(name, O_RDONLY);
	memset(text, 0, sizeof(text));
	read(info, text, sizeof(text) - 1);
	snprintf(name, sizeof(name), "Pid:\t%d\n", getpid());
	tap_ok(strstr(text, name) != NULL, "and whom it stands for");
	close(info);
	close(fd);
}

static void signalling(void)
{
	pid_t child = child_start(0);
	int fd = pidfd_open(child, 0), other = dup(1), status;
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };

	tap_ok(FAILS(pidfd_send(fd, 0, NULL, 1), EINVAL) && FAILS(pidfd_send(99, 0, NULL, 0), EBADF) &&
		       FAILS(pidfd_send(other, 0, NULL, 0), EBADF) &&
		       FAILS(pidfd_send(fd, 65, NULL, 0), EINVAL),
	       "pidfd_send_signal wants no flags, a pidfd, a signal");
	tap_ok(FAILS(pidfd_send(fd, SIGUSR1, &info, 0), EPERM), "a false sender is refused");
	tap_ok(FAILS(pidfd_send(fd, SIGUSR2, &info, 0), EINVAL), "as is another signal than told");
	tap_ok(FAILS(pidfd_send(fd, SIGUSR2, (siginfo_t *)8, 0), EFAULT), "and a bad address");
	tap_ok(pidfd_send(fd, 0, NULL, 0) == 0, "signal 0 asks");
	tap_ok(pidfd_send(fd, SIGTERM, NULL, 0) == 0 && waitpid(child, &status, 0) == child &&
		       WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
	       "another arrives");
	tap_ok(FAILS(pidfd_send(fd, 0, NULL, 0), ESRCH),
	       "once the process was waited for, nobody is there");
	close(gate[1]);
	close(fd);
	close(other);
}

static void waiting(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	pid_t child = child_start(7);
	int fd = pidfd_open(child, 0), lazy = pidfd_open(child, O_NONBLOCK), set = epoll_create1(0), own;
	siginfo_t info = {};

	tap_ok(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0, "WNOHANG");
	tap_ok(FAILS(waitid(P_PIDFD, (id_t)lazy, &info, WEXITED), EAGAIN), "PIDFD_NONBLOCK");
	tap_ok(FAILS(waitid(P_PIDFD, 1, &info, WEXITED), EBADF) &&
		       FAILS(waitid(P_PIDFD, 99, &info, WEXITED), EBADF) &&
		       FAILS(waitid(P_PIDFD, (id_t)-1, &info, WEXITED), EINVAL),
	       "no pidfd");
	own = pidfd_open(getpid(), 0);
	tap_ok(FAILS(waitid(P_PIDFD, (id_t)own, &info, WEXITED), ECHILD), "one of no child");
	close(own);
	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	tap_ok(epoll_wait(set, &event, 1, 0) == 0, "not ready while it lives");
	close(gate[1]);
	tap_ok(epoll_wait(set, &event, 1, 5000) == 1 && event.events == EPOLLIN,
	       "its end wakes an event set");
	tap_ok(ready(fd, 0) == POLLIN, "and makes it readable");
	tap_ok(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == child &&
		       info.si_status == 7 && info.si_code == CLD_EXITED && info.si_signo == SIGCHLD,
	       "waitid tells");
	tap_ok(waitid(P_PIDFD, (id_t)lazy, &info, WEXITED) == 0 && info.si_pid == child, "and reaps");
	tap_ok(FAILS(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), ECHILD), "once");
	tap_ok(ready(fd, 0) & POLLIN, "still readable");
	close(fd);
	close(lazy);
	close(set);
}

static void getting(void)
{
	int ends[2], fd, other, none = open("/dev/null", O_RDONLY);
	pid_t child;
	char c = 0;

	pipe(ends);
	child = child_start(0);
	fd = pidfd_open(child, 0);
	close(ends[1]);
	other = pidfd_getfd(fd, ends[1], 0);
	tap_ok(other >= 0 && fcntl(other, F_GETFD) == FD_CLOEXEC && write(other, "z", 1) == 1 &&
		       read(ends[0], &c, 1) == 1 && c == 'z',
	       "pidfd_getfd gives what the other has open");
	tap_ok(FAILS(pidfd_getfd(fd, ends[1], 1), EINVAL) && FAILS(pidfd_getfd(fd, 999, 0), EBADF) &&
		       FAILS(pidfd_getfd(none, 0, 0), EBADF),
	       "its errors");
	close(gate[1]);
	waitpid(child, NULL, 0);
	tap_ok(FAILS(pidfd_getfd(fd, 0, 0), ESRCH), "of a process that is gone");
	close(other);
	close(ends[0]);
	close(none);
	close(fd);
}

static long clone3(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

static void on_signal(int signal)
{
}

static void cloning(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct clone_args args = { .exit_signal = SIGCHLD };
	int fd = -1, status, tid = 0;
	long child;

	child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
	if (!child)
		_exit(3);
	tap_ok(child > 0 && fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC && ready(fd, 5000) == POLLIN,
	       "clone gives a pidfd");
	tap_ok(waitpid((pid_t)child, &status, 0) == child && WEXITSTATUS(status) == 3, "of the child");
	close(fd);
	tap_ok(FAILS(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0),
		     EINVAL),
	       "not with CLONE_PARENT_SETTID");
	tap_ok(FAILS(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, 8L, 0, 0), EFAULT),
	       "nor at a bad address");

	args.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND;
	args.pidfd = (uintptr_t)&fd;
	args.parent_tid = (uintptr_t)&tid;
	sigaction(SIGUSR1, &action, NULL);
	child = clone3(&args, sizeof(args));
	if (!child) {
		struct sigaction now;

		sigaction(SIGUSR1, NULL, &now);
		_exit(now.sa_handler == SIG_DFL ? 4 : 5);
	}
	tap_ok(child > 0 && tid == child && ready(fd, 5000) == POLLIN &&
		       waitpid((pid_t)child, &status, 0) == child && WEXITSTATUS(status) == 4,
	       "clone3: a pidfd, the number, no handlers");
	close(fd);
	args.flags = 0;
	tap_ok(FAILS(clone3(&args, 8), EINVAL) && FAILS(clone3(&args, 5000), E2BIG) &&
		       FAILS(clone3(NULL, 64), EFAULT),
	       "clone3 wants a sensible size");
	{
		struct {
			struct clone_args args;
			uint64_t more;
		} future = { .more = 1 };

		tap_ok(FAILS(clone3(&future.args, sizeof(future)), E2BIG),
		       "and nothing that it does not know");
	}
	args.exit_signal = 65;
	tap_ok(FAILS(clone3(&args, sizeof(args)), EINVAL), "a signal that there is not");
	args.exit_signal = SIGCHLD;
	args.flags = CLONE_THREAD;
	tap_ok(FAILS(clone3(&args, sizeof(args)), EINVAL), "CLONE_THREAD without CLONE_SIGHAND");
	args.flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND;
	tap_ok(FAILS(clone3(&args, sizeof(args)), EINVAL), "CLONE_SIGHAND with CLONE_CLEAR_SIGHAND");
	args.flags = 1ULL << 40;
	tap_ok(FAILS(clone3(&args, sizeof(args)), EINVAL), "unknown flags");
	args.flags = 0;
	args.stack = 4096;
	tap_ok(FAILS(clone3(&args, sizeof(args)), EINVAL), "a stack without a size");
	args.stack = 0;
	args.stack_size = 4096;
	tap_ok(FAILS(clone3(&args, sizeof(args)), EINVAL), "a size without a stack");
	args.stack_size = 0;
	args.set_tid_size = 1;
	tap_ok(FAILS(clone3(&args, sizeof(args)), EINVAL), "a number that is nowhere");
}

int main(void)
{
	opening();
	signalling();
	waiting();
	getting();
	cloning();
	return tap_end();
}
