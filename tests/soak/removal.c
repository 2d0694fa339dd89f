/*
 * Inserts and removes removal.ko (modules/tests/removal) while other threads open and read its device: removal succeeds or says
 * EAGAIN, opens succeed or say ENOENT, ENXIO or ENODEV, and memory is the same afterwards. Argument 1: cycles.
 * run: --smp 4
 * seconds: 900
 */
#define _GNU_SOURCE
#include "../memory.h"
#include "../tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CYCLES = 1000, READERS = 3, SLACK_KIB = 512 };

#define MODULE "/lib/modules/6.1.0-kumo/kernel/modules/tests/removal/removal.ko"

static volatile int stop;
static int surprises, reads_done;

/* Reads in bursts: a device that is open all the time would never go. */
static void *reader(void *unused)
{
	char buffer[32];

	(void)unused;
	for (unsigned int i = 1; !stop; i++) {
		int fd;

		if (i % 64 == 0)
			usleep(i % 500);
		fd = open("/dev/removal", O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			if (errno != ENOENT && errno != ENXIO && errno != ENODEV)
				__atomic_add_fetch(&surprises, 1, __ATOMIC_RELAXED);
			continue;
		}
		if (read(fd, buffer, sizeof(buffer)) > 0)
			__atomic_add_fetch(&reads_done, 1, __ATOMIC_RELAXED);
		close(fd);
	}
	return NULL;
}

static int insert(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 || syscall(SYS_finit_module, fd, "", 0) ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

/* Tries until nobody has the device open. */
static int remove_module(void)
{
	while (syscall(SYS_delete_module, "removal", O_NONBLOCK))
		if (errno != EAGAIN)
			return errno;
	return 0;
}

static int cycles(int count)
{
	pthread_t threads[READERS];
	int error = 0;

	stop = 0;
	for (int i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, reader, NULL))
			return EAGAIN;
	for (int i = 0; i < count && !error; i++) {
		error = insert();
		if (!error)
			usleep((useconds_t)(i % 7) * 100);
		if (!error)
			error = remove_module();
	}
	stop = 1;
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	return error;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : CYCLES, error;
	long before, after;

	error = cycles(20);
	tap_ok(!error, "the module comes and goes (%s)", strerror(error));
	before = memory_free_kib();
	error = cycles(count);
	tap_ok(!error, "%d times while it is used (%s)", count, strerror(error));
	after = memory_free_kib();
	tap_ok(reads_done > 0, "%d reads were done", reads_done);
	tap_ok(!surprises, "no unexpected error at open");
	tap_ok(before - after <= SLACK_KIB, "memory is what it was: %ld KiB free before, %ld after",
	       before, after);
	return tap_end();
}
