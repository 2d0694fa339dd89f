/* splice, tee, vmsplice: what moves where, positions, waiting and not, and the errors. */
#include "files.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char buffer[200000] __attribute__((aligned(4096)));
static int p[2], q[2], file;

static void put(int fd, const char *words)
{
	if (write(fd, words, strlen(words)) != (ssize_t)strlen(words))
		tap_ok(0, "write of %s", words);
}

/* What is in the pipe, taken. */
static int holds(int fd, const char *words)
{
	ssize_t got;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	got = read(fd, buffer, sizeof(buffer));
	fcntl(fd, F_SETFL, 0);
	if (got < 0)
		got = 0;
	buffer[got] = 0;
	return !strcmp(buffer, words);
}

static void test_file_to_pipe(void)
{
	off64_t at = 2;

	put(file, "0123456789");
	lseek(file, 0, SEEK_SET);
	GIVES(3, splice(file, NULL, p[1], NULL, 3, 0));
	TRUE(lseek(file, 0, SEEK_CUR) == 3);
	GIVES(4, splice(file, &at, p[1], NULL, 4, 0));
	TRUE(at == 6);
	TRUE(lseek(file, 0, SEEK_CUR) == 3);
	TRUE(holds(p[0], "0122345"));
	GIVES(7, splice(file, NULL, p[1], NULL, 1000, SPLICE_F_MOVE | SPLICE_F_MORE));
	GIVES(0, splice(file, NULL, p[1], NULL, 1000, 0));
	TRUE(holds(p[0], "3456789"));
	at = 100;
	GIVES(0, splice(file, &at, p[1], NULL, 10, 0));
}

static void test_pipe_to_file(void)
{
	off64_t at = 5;

	put(p[1], "abc");
	put(p[1], "def");
	lseek(file, 0, SEEK_SET);
	GIVES(2, splice(p[0], NULL, file, NULL, 2, 0));
	TRUE(lseek(file, 0, SEEK_CUR) == 2);
	GIVES(4, splice(p[0], NULL, file, &at, 100, 0));
	TRUE(at == 9);
	TRUE(!strcmp(text_of("file"), "ab234cdef9"));
	WORKS(ftruncate(file, 0));
}

static void test_pipe_to_pipe(void)
{
	put(p[1], "hello, world");
	GIVES(5, splice(p[0], NULL, q[1], NULL, 5, 0));
	GIVES(7, splice(p[0], NULL, q[1], NULL, 100, 0));
	TRUE(holds(q[0], "hello, world"));
	put(p[1], "twice");
	GIVES(3, tee(p[0], q[1], 3, 0));
	GIVES(5, tee(p[0], q[1], 100, 0));
	TRUE(holds(q[0], "twitwice"));
	put(p[1], "!"); /* what joins the page now is not in the copies */
	TRUE(holds(p[0], "twice!"));
	FAILS(EAGAIN, tee(p[0], q[1], 10, SPLICE_F_NONBLOCK));
	FAILS(EAGAIN, splice(p[0], NULL, q[1], NULL, 10, SPLICE_F_NONBLOCK));
	put(p[1], "x");
	GIVES(1, splice(p[0], NULL, q[1], NULL, 10, SPLICE_F_NONBLOCK));
	TRUE(holds(q[0], "x"));
}

static void test_full_pipe(void)
{
	memset(buffer, 'f', 65536);
	GIVES(65536, write(q[1], buffer, 65536));
	put(p[1], "more");
	FAILS(EAGAIN, splice(p[0], NULL, q[1], NULL, 4, SPLICE_F_NONBLOCK));
	FAILS(EAGAIN, tee(p[0], q[1], 4, SPLICE_F_NONBLOCK));
	lseek(file, 0, SEEK_SET);
	put(file, "text");
	lseek(file, 0, SEEK_SET);
	FAILS(EAGAIN, splice(file, NULL, q[1], NULL, 4, SPLICE_F_NONBLOCK));
	GIVES(65536, read(q[0], buffer, sizeof(buffer)));
	WORKS(ftruncate(file, 200000));
	lseek(file, 0, SEEK_SET);
	GIVES(65536, splice(file, NULL, q[1], NULL, 200000, 0));
	GIVES(65536, read(q[0], buffer, sizeof(buffer)));
	TRUE(holds(p[0], "more"));
	WORKS(ftruncate(file, 0));
}

static void test_memory(void)
{
	struct iovec parts[2] = { { "one", 3 }, { "two", 3 } },
		     into[2] = { { buffer, 4 }, { buffer + 10, 10 } };

	GIVES(6, vmsplice(p[1], parts, 2, 0));
	GIVES(6, vmsplice(p[0], into, 2, 0));
	TRUE(!memcmp(buffer, "onet", 4) && !memcmp(buffer + 10, "wo", 2));
	FAILS(EAGAIN, vmsplice(p[0], into, 2, SPLICE_F_NONBLOCK));
	WORKS(vmsplice(p[1], parts, 0, 0));
	FAILS(EBADF, vmsplice(-1, parts, 1, 0));
	FAILS(EBADF, vmsplice(file, parts, 1, 0));
	FAILS(EINVAL, vmsplice(p[1], parts, 1025, 0));
	FAILS(EINVAL, vmsplice(p[1], parts, 1, 16));
	parts[0].iov_base = (void *)8;
	FAILS(EFAULT, vmsplice(p[1], parts, 1, 0));
	parts[0] = (struct iovec){ buffer, 100000 };
	GIVES(65536, vmsplice(p[1], parts, 1, 0));
	FAILS(EAGAIN, vmsplice(p[1], parts, 1, SPLICE_F_NONBLOCK));
	GIVES(65536, read(p[0], buffer, sizeof(buffer)));
}

static void test_errors(void)
{
	int append = open("file", O_WRONLY | O_APPEND), reader = open("file", O_RDONLY),
	    dir = open(".", O_RDONLY);
	off64_t at = 0, before = -1;

	put(p[1], "data");
	WORKS(splice(-1, NULL, -1, NULL, 0, 0));
	WORKS(tee(-1, -1, 0, 0));
	FAILS(EINVAL, splice(p[0], NULL, q[1], NULL, 1, 16));
	FAILS(EBADF, splice(-1, NULL, q[1], NULL, 1, 0));
	FAILS(EBADF, splice(p[0], NULL, -1, NULL, 1, 0));
	FAILS(EBADF, splice(p[1], NULL, q[1], NULL, 1, 0));
	FAILS(EBADF, splice(p[0], NULL, q[0], NULL, 1, 0));
	FAILS(EBADF, splice(p[0], NULL, reader, NULL, 1, 0));
	FAILS(EINVAL, splice(p[0], NULL, p[1], NULL, 1, 0));
	FAILS(EINVAL, splice(reader, NULL, file, NULL, 1, 0));
	FAILS(EINVAL, splice(p[0], NULL, append, NULL, 1, 0));
	FAILS(ESPIPE, splice(p[0], &at, file, NULL, 1, 0));
	FAILS(ESPIPE, splice(file, NULL, p[1], &at, 1, 0));
	FAILS(EFAULT, splice(file, (off64_t *)8, p[1], NULL, 1, 0));
	FAILS(EINVAL, splice(p[0], NULL, file, &before, 1, 0));
	FAILS(EINVAL, splice(dir, NULL, p[1], NULL, 1, 0));
	FAILS(EINVAL, tee(p[0], q[1], 1, 16));
	FAILS(EBADF, tee(-1, q[1], 1, 0));
	FAILS(EBADF, tee(p[1], q[1], 1, 0));
	FAILS(EINVAL, tee(p[0], p[1], 1, 0));
	FAILS(EINVAL, tee(file, q[1], 1, 0));
	TRUE(holds(p[0], "data"));
	close(append);
	close(reader);
	close(dir);
}

static void test_ends(void)
{
	int a[2], b[2];

	if (pipe(a) || pipe(b))
		return;
	close(a[1]);
	WORKS(splice(a[0], NULL, b[1], NULL, 10, 0));
	WORKS(tee(a[0], b[1], 10, 0));
	WORKS(splice(a[0], NULL, file, NULL, 10, 0));
	close(b[0]);
	signal(SIGPIPE, SIG_IGN);
	put(p[1], "x");
	FAILS(EPIPE, splice(p[0], NULL, b[1], NULL, 10, 0));
	FAILS(EPIPE, splice(file, NULL, b[1], NULL, 10, 0));
	TRUE(holds(p[0], "x"));
	close(a[0]);
	close(b[1]);
}

static void test_waiting(void)
{
	pid_t child = fork();

	if (!child) {
		usleep(100000);
		put(p[1], "late");
		_exit(0);
	}
	GIVES(4, splice(p[0], NULL, q[1], NULL, 100, 0));
	TRUE(holds(q[0], "late"));
	waitpid(child, NULL, 0);
}

static void test_sockets(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return;
	put(p[1], "over a socket");
	GIVES(13, splice(p[0], NULL, s[0], NULL, 100, 0));
	GIVES(13, splice(s[1], NULL, q[1], NULL, 100, 0));
	TRUE(holds(q[0], "over a socket"));
	close(s[0]);
	WORKS(splice(s[1], NULL, q[1], NULL, 100, 0));
	close(s[1]);
}

int main(void)
{
	begin();
	if (pipe(p) || pipe(q))
		return 1;
	file = open("file", O_CREAT | O_RDWR, 0644);
	test_file_to_pipe();
	test_pipe_to_file();
	test_pipe_to_pipe();
	test_full_pipe();
	test_memory();
	test_errors();
	test_ends();
	test_waiting();
	test_sockets();
	close(file);
	WORKS(unlink("file"));
	return end();
}
