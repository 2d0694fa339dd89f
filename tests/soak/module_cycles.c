/*
 * Inserts and removes a module 10,000 times (argument 1 says another number); memory must be the same before and after.
 * seconds: 900
 */
#define _GNU_SOURCE
#include "../memory.h"
#include "../tap.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CYCLES = 10000, WARM_UP = 200, SLACK_KIB = 256 };

#define MODULE "/lib/modules/6.1.0-kumo/kernel/modules/samples/hello/hello.ko"

static int cycle(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) ||
	    syscall(SYS_delete_module, name, O_NONBLOCK))
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

int main(int argc, char **argv)
{
	int cycles = argc > 1 ? atoi(argv[1]) : CYCLES, error = 0;
	long before, after;

	for (int i = 0; i < WARM_UP && !error; i++)
		error = cycle(MODULE, "hello");
	tap_ok(!error, "the module comes and goes (%s)", strerror(error));
	before = memory_free_kib();
	for (int i = 0; i < cycles && !error; i++)
		error = cycle(MODULE, "hello");
	tap_ok(!error, "%d times (%s)", cycles, strerror(error));
	after = memory_free_kib();
	tap_ok(before - after <= SLACK_KIB, "memory is what it was: %ld KiB free before, %ld after",
	       before, after);
	return tap_end();
}
