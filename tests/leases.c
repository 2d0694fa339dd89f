/*
 * Leases (F_SETLEASE): who may take them, when, and who waits for whom. F_NOTIFY, the other fcntl(2) that tells by a signal.
 * And hints of how long data live.
 */
#include "files.h"

#include <signal.h>

static volatile sig_atomic_t seen;
static int told_fd;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	seen = signal;
	told_fd = info->si_fd;
}

static void listen_for(int signal)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigaction(signal, &action, NULL);
}

static int seen_soon(void)
{
	for (int i = 0; i < 200 && !seen; i++)
		usleep(10000);
	return seen;
}

static void test_taking(void)
{
	int reader, writer, other, ends[2];

	make_file("leased", "x");
	reader = open("leased", O_RDONLY);
	GIVES(F_UNLCK, fcntl(reader, F_GETLEASE));
	FAILS(EINVAL, fcntl(reader, F_SETLEASE, 9));
	FAILS(EAGAIN, fcntl(reader, F_SETLEASE, F_UNLCK));
	WORKS(fcntl(reader, F_SETLEASE, F_RDLCK));
	GIVES(F_RDLCK, fcntl(reader, F_GETLEASE));
	WORKS(fcntl(reader, F_SETLEASE, F_WRLCK));
	GIVES(F_WRLCK, fcntl(reader, F_GETLEASE));
	WORKS(fcntl(reader, F_SETLEASE, F_RDLCK));
	other = open("leased", O_RDONLY);
	WORKS(fcntl(other, F_SETLEASE, F_RDLCK));
	FAILS(EAGAIN, fcntl(other, F_SETLEASE, F_WRLCK));
	WORKS(fcntl(reader, F_SETLEASE, F_UNLCK));
	FAILS(EAGAIN, fcntl(other, F_SETLEASE, F_WRLCK)); /* it is open twice */
	close(other);					  /* and its lease goes along */
	writer = open("leased", O_RDWR);
	FAILS(EAGAIN, fcntl(reader, F_SETLEASE, F_RDLCK));
	FAILS(EAGAIN, fcntl(writer, F_SETLEASE, F_WRLCK));
	close(writer);
	close(reader);
	WORKS(pipe(ends));
	FAILS(EINVAL, fcntl(ends[0], F_SETLEASE, F_RDLCK));
	GIVES(F_UNLCK, fcntl(ends[0], F_GETLEASE));
	close(ends[0]);
	close(ends[1]);
}

static void user_takes(void)
{
	CHECK_FAILS(EACCES, fcntl(open("leased", O_RDONLY), F_SETLEASE, F_RDLCK));
}

/* In a child: how the call ends; the holder gives way meanwhile. */
static int ends_well(long (*call)(void), int fd, int give_way, int asked)
{
	int status = -1;
	pid_t pid;

	seen = 0;
	pid = fork();
	if (pid == 0) {
		close(fd);
		_exit(call() < 0);
	}
	TRUE(seen_soon() == SIGIO);
	GIVES(asked, fcntl(fd, F_GETLEASE));
	WORKS(waitpid(pid, &status, WNOHANG)); /* it waits */
	WORKS(fcntl(fd, F_SETLEASE, give_way));
	waitpid(pid, &status, 0);
	return status == 0;
}

static long open_to_read(void)
{
	return open("leased", O_RDONLY);
}

static long open_to_write(void)
{
	return open("leased", O_WRONLY);
}

static long shorten(void)
{
	return truncate("leased", 0);
}

static long open_without_waiting(void)
{
	return open("leased", O_RDONLY | O_NONBLOCK) == -1 && errno == EWOULDBLOCK ? 0 : -1;
}

static void test_breaking(void)
{
	int holder = open("leased", O_RDONLY), status = -1;
	pid_t pid;

	WORKS(fcntl(holder, F_SETLEASE, F_WRLCK));
	TRUE(ends_well(open_to_read, holder, F_RDLCK, F_RDLCK));
	TRUE(ends_well(open_to_write, holder, F_UNLCK, F_UNLCK));
	WORKS(fcntl(holder, F_SETLEASE, F_RDLCK));
	TRUE(open_to_read() > 0); /* what only reads may come */
	TRUE(ends_well(shorten, holder, F_UNLCK, F_UNLCK));
	close(holder);
	for (int fd = holder; fd < holder + 3; fd++)
		close(fd);

	holder = open("leased", O_RDONLY);
	WORKS(fcntl(holder, F_SETLEASE, F_WRLCK));
	seen = 0;
	pid = fork();
	if (pid == 0) {
		close(holder);
		_exit(open_without_waiting() < 0);
	}
	waitpid(pid, &status, 0);
	TRUE(status == 0 && seen == SIGIO);
	close(holder);
}

static void test_time_runs_out(void)
{
	int time = open("/proc/sys/fs/lease-break-time", O_WRONLY), holder, status = -1;
	pid_t pid;

	TRUE(write(time, "1", 1) == 1);
	holder = open("leased", O_RDONLY);
	WORKS(fcntl(holder, F_SETLEASE, F_RDLCK));
	pid = fork();
	if (pid == 0) {
		close(holder);
		_exit(open_to_write() < 0);
	}
	waitpid(pid, &status, 0);
	TRUE(status == 0);
	GIVES(F_UNLCK, fcntl(holder, F_GETLEASE));
	TRUE(write(time, "45", 2) == 2);
	close(time);
	close(holder);
	unlink("leased");
}

#define BRINGS(signal, call)                                                                       \
	do {                                                                                       \
		seen = 0;                                                                          \
		(void)!(call);                                                                     \
		tap_ok(seen == (signal), "%s brings %s", #call, #signal);                          \
	} while (0)

static void test_notify(void)
{
	int dir = open(".", O_RDONLY), fd;

	WORKS(fcntl(dir, F_NOTIFY, DN_CREATE));
	BRINGS(SIGIO, make_file("a", ""));
	BRINGS(0, make_file("b", "")); /* once is once */
	WORKS(fcntl(dir, F_NOTIFY, DN_DELETE | DN_MULTISHOT));
	BRINGS(SIGIO, unlink("a"));
	BRINGS(SIGIO, unlink("b"));
	WORKS(fcntl(dir, F_NOTIFY, 0));
	make_file("a", "x");
	BRINGS(0, unlink("a"));
	WORKS(fcntl(dir, F_SETSIG, SIGRTMIN));
	WORKS(fcntl(dir, F_NOTIFY, DN_RENAME | DN_ATTRIB | DN_MODIFY | DN_ACCESS | DN_MULTISHOT));
	make_file("a", "x");
	BRINGS(SIGRTMIN, rename("a", "b"));
	TRUE(told_fd == dir);
	BRINGS(SIGRTMIN, chmod("b", 0600));
	fd = open("b", O_RDWR);
	BRINGS(SIGRTMIN, write(fd, "y", 1));
	BRINGS(SIGRTMIN, pread(fd, text, 1, 0));
	BRINGS(0, close(fd));
	fd = open("b", O_RDONLY);
	FAILS(ENOTDIR, fcntl(fd, F_NOTIFY, DN_CREATE));
	close(fd);
	close(dir);
	BRINGS(0, unlink("b"));
}

static void test_hints(void)
{
	unsigned long long hint = 9;
	int fd = open("hinted", O_CREAT | O_RDWR, 0600);

	WORKS(fcntl(fd, F_GET_RW_HINT, &hint));
	TRUE(hint == RWH_WRITE_LIFE_NOT_SET);
	hint = RWH_WRITE_LIFE_SHORT;
	WORKS(fcntl(fd, F_SET_RW_HINT, &hint));
	hint = 9;
	FAILS(EINVAL, fcntl(fd, F_SET_RW_HINT, &hint));
	WORKS(fcntl(fd, F_GET_RW_HINT, &hint));
	TRUE(hint == RWH_WRITE_LIFE_SHORT);
	close(fd);
	unlink("hinted");
}

int main(void)
{
	begin();
	listen_for(SIGIO);
	listen_for(SIGRTMIN);
	test_taking();
	TRUE(as_user(user_takes) == 0);
	test_breaking();
	test_time_runs_out();
	test_notify();
	test_hints();
	return end();
}
