/*
 * Buffers that end where memory ends: what a call gives whose data does not fit into them. Files and random bytes are copied up to
 * the last byte; what lies in a pipe or comes through a socket is taken whole or not at all.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "gives.h"

static char *edge; /* memory ends here */

static void files(void)
{
	int file = memfd_create("file", 0), zero = open("/dev/zero", O_RDONLY);
	char bytes[32];

	gives(32, write(file, "0123456789abcdef0123456789abcdef", 32));
	gives(15, pread(file, edge - 15, 20, 0));
	gives(0, memcmp(edge - 15, "0123456789abcde", 15));
	gives(1, pread(file, edge - 1, 20, 5));
	gives('5', edge[-1]);
	gives(-EFAULT, pread(file, edge, 20, 0));
	memcpy(edge - 13, "ABCDEFGHIJKLM", 13);
	gives(13, pwrite(file, edge - 13, 20, 0));
	gives(32, pread(file, bytes, 32, 0));
	gives(0, memcmp(bytes, "ABCDEFGHIJKLMdef0123456789abcdef", 32));
	gives(11, read(zero, edge - 11, 100));
	gives(9, getrandom(edge - 9, 100, 0));
	gives(19, preadv(file, (struct iovec[2]){ { bytes, 4 }, { edge - 15, 20 } }, 2, 0));
	close(file);
	close(zero);
}

static void pipes(void)
{
	char bytes[32];
	int ends[2];

	if (pipe2(ends, O_NONBLOCK))
		return;
	gives(16, write(ends[1], "0123456789abcdef", 16));
	gives(-EFAULT, read(ends[0], edge - 15, 16));
	gives(-EFAULT, readv(ends[0], (struct iovec[2]){ { bytes, 4 }, { edge, 12 } }, 2));
	gives(15, read(ends[0], edge - 15, 15));
	gives('e', edge[-1]);
	gives(1, read(ends[0], bytes, 16));
	gives(-EFAULT, write(ends[1], edge - 15, 16));
	gives(-EAGAIN, read(ends[0], bytes, 16));
	close(ends[0]);
	close(ends[1]);
}

static void sockets(void)
{
	char bytes[32];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		return;
	gives(16, send(pair[1], "0123456789abcdef", 16, 0));
	gives(-EFAULT, recv(pair[0], edge - 15, 16, MSG_PEEK));
	gives(-EFAULT, recv(pair[0], edge - 15, 16, 0));
	gives(2, recv(pair[0], bytes, 2, MSG_TRUNC)); /* of this family it throws nothing away */
	gives(0, memcmp(bytes, "01", 2));
	gives(14, recv(pair[0], edge - 14, 14, 0));
	gives(-EFAULT, send(pair[1], edge - 15, 16, 0));
	gives(-EFAULT, writev(pair[1], (struct iovec[2]){ { bytes, 4 }, { edge - 4, 12 } }, 2));
	gives(-EAGAIN, recv(pair[0], bytes, 16, 0));
	close(pair[0]);
	close(pair[1]);
}

static void structures(void)
{
	struct stat stat_;

	memset(edge - 143, 0xaa, 143);
	gives(0, stat("/", &stat_));
	gives(-EFAULT, syscall(SYS_stat, "/", edge - 143));
	gives(-ENOMEM, mprotect(edge + 4096, 4096, PROT_READ | PROT_GROWSDOWN));
}

int main(void)
{
	char *memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	edge = memory + 4096;
	munmap(edge, 2 * 4096);
	files();
	pipes();
	sockets();
	structures();
	return tap_end();
}
