/* Pipes and fifos, from user space. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static int ends[2];

static void open_pipe(int flags)
{
	if (pipe2(ends, flags)) {
		perror("pipe2");
		exit(1);
	}
}

static void close_pipe(void)
{
	close(ends[0]);
	close(ends[1]);
}

static void basics(void)
{
	struct stat a, b;
	char buffer[16] = "";
	int available = 0;

	open_pipe(O_CLOEXEC);
	tap_ok(fcntl(ends[0], F_GETFD) == FD_CLOEXEC, "O_CLOEXEC marks the descriptors");
	tap_ok(!fstat(ends[0], &a) && !fstat(ends[1], &b) && S_ISFIFO(a.st_mode) && a.st_ino == b.st_ino,
	       "both ends are one fifo");
	tap_ok(lseek(ends[0], 0, SEEK_CUR) == -1 && errno == ESPIPE, "a pipe has no position");
	tap_ok(write(ends[0], "x", 1) == -1 && errno == EBADF, "the read end cannot be written");
	tap_ok(read(ends[1], buffer, 1) == -1 && errno == EBADF, "the write end cannot be read");
	tap_ok(write(ends[1], "hello", 5) == 5 && write(ends[1], " you", 4) == 4, "writes are taken");
	tap_ok(!ioctl(ends[0], FIONREAD, &available) && available == 9, "FIONREAD tells what is there");
	tap_ok(read(ends[0], buffer, sizeof(buffer)) == 9 && !strcmp(buffer, "hello you"),
	       "a read gets all of it");
	tap_ok(read(ends[0], buffer, 0) == 0, "a read of nothing does not wait");
	close_pipe();
}

static void limits(void)
{
	static char page[4096];
	int count = 0;

	open_pipe(O_NONBLOCK);
	tap_ok(read(ends[0], page, 1) == -1 && errno == EAGAIN, "an empty pipe gives EAGAIN");
	while (write(ends[1], page, sizeof(page)) == sizeof(page))
		count++;
	tap_ok(errno == EAGAIN && count == 16, "it holds 65536 bytes");
	tap_ok(fcntl(ends[1], F_GETPIPE_SZ) == 65536, "F_GETPIPE_SZ says so");
	tap_ok(fcntl(ends[1], F_SETPIPE_SZ, 4096) == -1 && errno == EBUSY,
	       "it cannot be made smaller than what it holds");
	tap_ok(fcntl(ends[1], F_SETPIPE_SZ, 128 * 1024) == 128 * 1024, "it can be made larger");
	tap_ok(write(ends[1], page, 100) == 100, "then it takes more");
	close_pipe();
	tap_ok(pipe2(ends, 0x12345678) == -1 && errno == EINVAL, "unknown flags are refused");
	tap_ok(syscall(SYS_pipe, 8L) == -1 && errno == EFAULT, "a bad address is refused");
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	signals++;
}

static void ends_close(void)
{
	struct pollfd poller;
	char c;

	open_pipe(0);
	tap_ok(write(ends[1], "x", 1) == 1, "a byte is written");
	close(ends[1]);
	poller = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	tap_ok(poll(&poller, 1, 0) == 1 && poller.revents == (POLLIN | POLLHUP),
	       "poll: bytes, and the writer is gone");
	tap_ok(read(ends[0], &c, 1) == 1 && read(ends[0], &c, 1) == 0,
	       "the rest is read, then end of file");
	poller.revents = 0;
	tap_ok(poll(&poller, 1, 0) == 1 && poller.revents == POLLHUP, "poll: the writer is gone");
	close(ends[0]);

	open_pipe(0);
	signal(SIGPIPE, count_signal);
	close(ends[0]);
	poller = (struct pollfd){ .fd = ends[1], .events = POLLOUT };
	tap_ok(poll(&poller, 1, 0) == 1 && (poller.revents & POLLERR), "poll: the reader is gone");
	tap_ok(write(ends[1], "x", 1) == -1 && errno == EPIPE && signals == 1,
	       "writing gives EPIPE and SIGPIPE");
	signal(SIGPIPE, SIG_DFL);
	close(ends[1]);
}

/* Writers of different sizes at once: each write of up to PIPE_BUF bytes stays in one piece. */
static void *write_records(void *argument)
{
	int id = (int)(intptr_t)argument;
	unsigned char record[256];

	for (int i = 0; i < 1000; i++) {
		int size = 2 + (i * 7 + id * 13) % 250;

		memset(record, id, sizeof(record));
		record[0] = (unsigned char)size;
		if (write(ends[1], record, size) != size)
			return (void *)1;
	}
	return NULL;
}

static int read_fully(int fd, unsigned char *to, int size)
{
	int done = 0;

	while (done < size) {
		ssize_t part = read(fd, to + done, size - done);

		if (part <= 0)
			return 0;
		done += part;
	}
	return 1;
}

static void atomicity(void)
{
	pthread_t writers[4];
	unsigned char record[256];
	int broken = 0, records = 0;
	void *result;

	open_pipe(0);
	for (intptr_t i = 0; i < 4; i++)
		pthread_create(&writers[i], NULL, write_records, (void *)(i + 1));
	for (; records < 4 * 1000 && !broken; records++) {
		broken = !read_fully(ends[0], record, 1) ||
			 !read_fully(ends[0], record + 1, record[0] - 1);
		for (int i = 2; i < record[0]; i++)
			broken |= record[i] != record[1];
	}
	tap_ok(!broken, "small writes of four threads stay whole (%d records)", records);
	for (int i = 0; i < 4; i++)
		pthread_join(writers[i], &result);
	close_pipe();
}

static void blocking(void)
{
	static char big[300000], back[300000];
	size_t done = 0;
	int status;
	pid_t child;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31 >> 3);
	open_pipe(0);
	child = fork();
	if (!child) {
		close(ends[0]);
		_exit(write(ends[1], big, sizeof(big)) != sizeof(big));
	}
	close(ends[1]);
	for (ssize_t part; (part = read(ends[0], back + done, 1000)) > 0;)
		done += part;
	tap_ok(done == sizeof(big) && !memcmp(big, back, done),
	       "a large write waits for its reader, and is whole");
	tap_ok(waitpid(child, &status, 0) == child && status == 0, "the writer saw it all taken");
	close(ends[0]);
}

static void interrupted(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	char c;

	signals = 0;
	sigaction(SIGALRM, &action, NULL);
	open_pipe(0);
	alarm(1);
	tap_ok(read(ends[0], &c, 1) == -1 && errno == EINTR && signals == 1,
	       "a signal ends a read that waits");
	close_pipe();
}

static void packets(void)
{
	char buffer[64];

	if (pipe2(ends, O_DIRECT)) {
		tap_ok(1, "packets stay apart # SKIP no O_DIRECT");
		return;
	}
	tap_ok(write(ends[1], "one", 3) == 3 && write(ends[1], "second", 6) == 6 &&
		       read(ends[0], buffer, 64) == 3 && read(ends[0], buffer, 2) == 2,
	       "packets stay apart");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	tap_ok(read(ends[0], buffer, 64) == -1 && errno == EAGAIN,
	       "what a packet's reader left is gone");
	close_pipe();
}

static void fifos(void)
{
	char name[] = "/tmp/fifo-XXXXXX", path[64], buffer[8] = "";
	int reader, writer, status;
	pid_t child;

	if (!mkdtemp(name)) {
		tap_ok(0, "a folder in /tmp");
		return;
	}
	snprintf(path, sizeof(path), "%s/fifo", name);
	tap_ok(!mkfifo(path, 0600), "a fifo is made");
	tap_ok(open(path, O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO,
	       "no reader: O_WRONLY | O_NONBLOCK gives ENXIO");
	reader = open(path, O_RDONLY | O_NONBLOCK);
	tap_ok(reader >= 0, "O_RDONLY | O_NONBLOCK does not wait");
	tap_ok(read(reader, buffer, 1) == 0, "without a writer it is at its end");
	writer = open(path, O_WRONLY);
	tap_ok(writer >= 0 && write(writer, "hi", 2) == 2 && read(reader, buffer, 8) == 2,
	       "bytes go through");
	tap_ok(read(reader, buffer, 1) == -1 && errno == EAGAIN,
	       "with a writer, an empty one gives EAGAIN");
	close(reader);
	close(writer);
	child = fork();
	if (!child) {
		writer = open(path, O_WRONLY);
		_exit(write(writer, "met", 3) != 3);
	}
	reader = open(path, O_RDONLY);
	tap_ok(reader >= 0 && read(reader, buffer, 8) == 3,
	       "reader and writer wait for each other in open");
	waitpid(child, &status, 0);
	close(reader);
	writer = open(path, O_RDWR);
	tap_ok(writer >= 0 && write(writer, "me", 2) == 2 && read(writer, buffer, 8) == 2,
	       "O_RDWR is both ends");
	close(writer);
	unlink(path);
	rmdir(name);
}

static void ping_pong(void)
{
	int there[2], back[2], i;
	pid_t child;
	char c = 0;

	if (pipe(there) || pipe(back))
		exit(1);
	child = fork();
	if (!child) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			if (write(back[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(there[0]);
	for (i = 0; i < 2000; i++) {
		char got;

		c = (char)i;
		if (write(there[1], &c, 1) != 1 || read(back[0], &got, 1) != 1 || got != c)
			break;
	}
	tap_ok(i == 2000, "2000 bytes go there and back");
	close(there[1]);
	tap_ok(waitpid(child, &i, 0) == child && i == 0, "the other side ends with the pipe");
	close(back[0]);
	close(back[1]);
}

static void vectors(void)
{
	char a[4] = "", b[8] = "";
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } },
		     in[2] = { { a, 3 }, { b, 7 } };

	open_pipe(0);
	tap_ok(writev(ends[1], out, 3) == 6 && readv(ends[0], in, 2) == 6 && !strcmp(a, "abc") &&
		       !strcmp(b, "def"),
	       "writev and readv go through");
	close_pipe();
}

/* What is written to a pipe is nowhere to be kept. */
static void syncing(void)
{
	int ends[2];

	if (pipe(ends))
		exit(1);
	for (int i = 0; i < 2; i++)
		tap_ok(fsync(ends[i]) == -1 && errno == EINVAL && fdatasync(ends[i]) == -1 &&
			       errno == EINVAL,
		       "the %s end of a pipe cannot be synced", i ? "write" : "read");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	basics();
	limits();
	ends_close();
	vectors();
	blocking();
	atomicity();
	interrupted();
	packets();
	fifos();
	ping_pong();
	syncing();
	return tap_end();
}
