/* Signals about files: O_ASYNC and FIOASYNC, F_SETOWN, F_SETSIG. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define ASK_SIGNAL (SIGRTMIN + 3)

static const struct timespec patience = { .tv_sec = 10 }, moment = { .tv_nsec = 100000000 };

/* The next of the signals, within a time; 0: none. */
static int next_signal(siginfo_t *info, const struct timespec *time)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, ASK_SIGNAL);
	signal = sigtimedwait(&set, info, time);
	return signal < 0 ? 0 : signal;
}

static void drop_signals(void)
{
	siginfo_t info;

	while (next_signal(&info, &moment))
		;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, ASK_SIGNAL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void test_pipe(void)
{
	siginfo_t info;
	int fds[2], on = 1;

	if (pipe(fds))
		abort();
	tap_ok(!ioctl(fds[0], FIOASYNC, &on) && fcntl(fds[0], F_GETFL) & O_ASYNC,
	       "FIOASYNC sets O_ASYNC");
	tap_ok(write(fds[1], "a", 1) == 1 && !next_signal(&info, &moment),
	       "nobody owns its signals at first");
	fcntl(fds[0], F_SETOWN, getpid());
	tap_ok(write(fds[1], "a", 1) == 1 && next_signal(&info, &patience) == SIGIO,
	       "bytes in a pipe send SIGIO");
	tap_ok(info.si_code == SI_KERNEL && !info.si_fd, "which does not say more");
	fcntl(fds[0], F_SETSIG, ASK_SIGNAL);
	drop_signals();
	tap_ok(write(fds[1], "a", 1) == 1 && next_signal(&info, &patience) == ASK_SIGNAL,
	       "or the signal that F_SETSIG names");
	tap_ok(info.si_fd == fds[0] && info.si_code == POLL_IN && info.si_band & POLLIN,
	       "with the descriptor and what can be done");
	on = 0;
	tap_ok(!ioctl(fds[0], FIOASYNC, &on) && !(fcntl(fds[0], F_GETFL) & O_ASYNC),
	       "FIOASYNC takes it back");
	drop_signals();
	tap_ok(write(fds[1], "a", 1) == 1 && !next_signal(&info, &moment),
	       "and nothing is sent any more");
	close(fds[0]);
	close(fds[1]);
}

static void test_socket(void)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = (int)syscall(SYS_gettid) };
	siginfo_t info;
	int fds[2], copy, status;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		abort();
	fcntl(fds[0], F_SETOWN_EX, &owner);
	tap_ok(!fcntl(fds[0], F_SETFL, O_ASYNC) && write(fds[1], "a", 1) == 1 &&
		       next_signal(&info, &patience) == SIGIO,
	       "bytes for a socket send SIGIO to a thread");
	child = fork();
	if (!child) {
		fcntl(fds[0], F_SETOWN, getpid());
		_exit(write(fds[1], "a", 1) == 1 && next_signal(&info, &patience) == SIGIO ? 0 : 1);
	}
	waitpid(child, &status, 0);
	tap_ok(!status, "to a child that made itself the owner");
	drop_signals();
	tap_ok(write(fds[1], "a", 1) == 1 && !next_signal(&info, &moment),
	       "to nobody once it has ended");
	fcntl(fds[0], F_SETOWN, -getpgrp());
	tap_ok(write(fds[1], "a", 1) == 1 && next_signal(&info, &patience) == SIGIO, "to a group");
	copy = dup(fds[0]);
	close(fds[0]);
	drop_signals();
	tap_ok(write(fds[1], "a", 1) == 1 && next_signal(&info, &patience) == SIGIO,
	       "as long as the file is open");
	close(copy);
	close(fds[1]);
}

static void test_others(void)
{
	int primary, secondary, on = 1, event = eventfd(0, 0);
	siginfo_t info;

	mkdir("/dev/pts", 0755);
	if (access("/dev/pts/ptmx", F_OK))
		mount("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666");
	if (openpty(&primary, &secondary, NULL, NULL, NULL))
		abort();
	fcntl(secondary, F_SETOWN, getpid());
	drop_signals();
	tap_ok(!fcntl(secondary, F_SETFL, O_ASYNC | O_RDWR) && write(primary, "a\n", 2) == 2 &&
		       next_signal(&info, &patience) == SIGIO,
	       "a line for a terminal sends SIGIO");
	tap_ok(ioctl(event, FIOASYNC, &on) == -1 && errno == ENOTTY &&
		       !fcntl(event, F_SETFL, O_ASYNC) && !(fcntl(event, F_GETFL) & O_ASYNC),
	       "an eventfd has no such thing");
	close(primary);
	close(secondary);
	close(event);
}

int main(void)
{
	setpgid(0, 0); /* whoever started it is not to be sent any */
	block_signals();
	test_pipe();
	test_socket();
	test_others();
	return tap_end();
}
