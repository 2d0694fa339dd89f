/* Files that tell their owner by a signal: O_ASYNC, F_SETOWN, F_SETOWN_EX, F_SETSIG; for pipes and sockets. */
#include "files.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

static volatile sig_atomic_t seen;
static siginfo_t details;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	seen = signal;
	details = *info;
}

static void listen_for(int signal)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(signal, &action, NULL);
}

/* The signal that the call brings. */
#define BRINGS(signal, call)                                                                       \
	do {                                                                                       \
		seen = 0;                                                                          \
		(void)!(call);                                                                     \
		tap_ok(seen == (signal), "%s brings %s", #call, #signal);                          \
	} while (0)

static void test_pipes(void)
{
	int ends[2], own = getpid();
	static char bytes[65536];

	WORKS(pipe2(ends, O_NONBLOCK));
	GIVES(0, fcntl(ends[0], F_GETOWN));
	WORKS(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	BRINGS(0, write(ends[1], "x", 1)); /* nobody is named */
	WORKS(fcntl(ends[0], F_SETOWN, own));
	BRINGS(SIGIO, write(ends[1], "x", 1));
	BRINGS(SIGIO, write(ends[1], "x", 1));
	WORKS(fcntl(ends[0], F_SETSIG, SIGRTMIN));
	BRINGS(SIGRTMIN, write(ends[1], "x", 1));
	TRUE(details.si_code == POLL_IN && details.si_fd == ends[0] &&
	     details.si_band == (POLLIN | POLLRDNORM));
	WORKS(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	BRINGS(0, write(ends[1], "x", 1));

	WORKS(fcntl(ends[1], F_SETOWN, own));
	WORKS(fcntl(ends[1], F_SETFL, O_ASYNC | O_NONBLOCK));
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
	BRINGS(SIGIO, read(ends[0], bytes, sizeof(bytes)));
	WORKS(fcntl(ends[0], F_SETFL, O_ASYNC));
	BRINGS(SIGRTMIN, close(ends[1]));
	close(ends[0]);
}

static void test_sockets(void)
{
	int pair[2], on = 1, own = getpid();

	WORKS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	WORKS(ioctl(pair[0], FIOSETOWN, &own));
	own = 0;
	WORKS(ioctl(pair[0], FIOGETOWN, &own));
	GIVES(getpid(), own);
	WORKS(ioctl(pair[0], FIOASYNC, &on));
	TRUE(fcntl(pair[0], F_GETFL) & O_ASYNC);
	BRINGS(SIGIO, write(pair[1], "x", 1));
	BRINGS(SIGIO, close(pair[1]));
	close(pair[0]);
}

static void test_owners(void)
{
	struct f_owner_ex owner = { F_OWNER_PID, getpid() };
	unsigned int ids[2] = { 9, 9 };
	int ends[2];

	WORKS(pipe(ends));
	FAILS(ESRCH, fcntl(ends[0], F_SETOWN, 999999));
	FAILS(EINVAL, fcntl(ends[0], F_SETOWN, 0x80000000));
	FAILS(EINVAL, fcntl(ends[0], F_SETSIG, 65));
	WORKS(fcntl(ends[0], F_SETOWN, -getpgrp()));
	WORKS(fcntl(ends[0], F_GETOWN_EX, &owner));
	TRUE(owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
	WORKS(fcntl(ends[0], F_GETOWNER_UIDS, ids));
	TRUE(ids[0] == getuid() && ids[1] == geteuid());
	owner = (struct f_owner_ex){ F_OWNER_TID, gettid() };
	WORKS(fcntl(ends[0], F_SETOWN_EX, &owner));
	WORKS(fcntl(ends[0], F_SETFL, O_ASYNC));
	BRINGS(SIGIO, write(ends[1], "x", 1));
	owner.type = 9;
	FAILS(EINVAL, fcntl(ends[0], F_SETOWN_EX, &owner));
	close(ends[0]);
	close(ends[1]);
}

/* What an unprivileged process names is not told by a signal that it could not send itself. */
static void names_its_parent(void)
{
	int ends[2];

	CHECK(pipe(ends) == 0);
	CHECK(fcntl(ends[0], F_SETOWN, getppid()) == 0);
	CHECK(fcntl(ends[0], F_SETFL, O_ASYNC) == 0);
	CHECK(write(ends[1], "x", 1) == 1);
}

static void test_permission(void)
{
	seen = 0;
	TRUE(as_user(names_its_parent) == 0);
	TRUE(!seen);
}

/* Who is told through many processes' writes while the file is closed, again and again. */
static void test_closing_while_told(void)
{
	int status;
	pid_t writer;

	for (int i = 0; i < 50; i++) {
		int ends[2];

		if (pipe(ends))
			break;
		writer = fork();
		if (writer == 0) {
			signal(SIGPIPE, SIG_IGN);
			close(ends[0]);
			while (write(ends[1], "x", 1) == 1)
				;
			_exit(0);
		}
		close(ends[1]);
		fcntl(ends[0], F_SETOWN, getpid());
		fcntl(ends[0], F_SETFL, O_ASYNC);
		usleep(2000);
		close(ends[0]);
		waitpid(writer, &status, 0);
	}
	tap_ok(1, "a file can be closed while it tells");
}

static void test_what_does_not_tell(void)
{
	int fd = open("file", O_CREAT | O_RDWR, 0600), on = 1;

	WORKS(fcntl(fd, F_SETFL, O_ASYNC));
	TRUE(!(fcntl(fd, F_GETFL) & O_ASYNC));
	FAILS(ENOTTY, ioctl(fd, FIOASYNC, &on));
	close(fd);
	unlink("file");
}

int main(void)
{
	begin();
	listen_for(SIGIO);
	listen_for(SIGRTMIN);
	test_pipes();
	test_sockets();
	test_owners();
	test_permission();
	test_closing_while_told();
	test_what_does_not_tell();
	return end();
}
