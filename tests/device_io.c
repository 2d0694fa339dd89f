/*
 * Reading and writing a block device: through the page cache, past it (O_DIRECT), through a mapping; all see the same bytes.
 * On a RAM disk, of Kumo's own module; skipped where there is none.
 */
#include "files.h"

#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { PAGE = 4096, COUNT = 64, SIZE = COUNT * PAGE };

static char *aligned(void)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(1);
	return memory;
}

static int all_are(const char *bytes, size_t size, char what)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != what)
			return 0;
	return 1;
}

static void test_write_back(int cached, int direct, char *buffer)
{
	memset(buffer, 'a', SIZE);
	GIVES(SIZE, pwrite(cached, buffer, SIZE, 0));
	memset(buffer, 0, SIZE);
	GIVES(SIZE, pread(direct, buffer, SIZE, 0));
	tap_ok(all_are(buffer, SIZE, 'a'), "who reads past the cache sees what was written to it");
	memset(buffer, 'b', SIZE);
	GIVES(2 * PAGE, pwrite(direct, buffer, 2 * PAGE, PAGE));
	memset(buffer, 0, SIZE);
	GIVES(SIZE, pread(cached, buffer, SIZE, 0));
	tap_ok(all_are(buffer, PAGE, 'a') && all_are(buffer + PAGE, 2 * PAGE, 'b') &&
		       all_are(buffer + 3 * PAGE, SIZE - 3 * PAGE, 'a'),
	       "who reads the cache sees what was written past it");
	WORKS(fsync(cached));
	WORKS(fdatasync(direct));
}

static void test_alignment(int direct, char *buffer)
{
	FAILS(EINVAL, pread(direct, buffer, 100, 0));
	FAILS(EINVAL, pread(direct, buffer, PAGE, 100));
	FAILS(EINVAL, pread(direct, buffer + 1, PAGE, 0));
	FAILS(EINVAL, pwrite(direct, buffer, PAGE + 1, 0));
	GIVES(512, pread(direct, buffer + 512, 512, 512));
	FAILS(EFAULT, pread(direct, (void *)4096, PAGE, 0));
}

static void test_mapping(int cached, int direct, char *buffer)
{
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, cached, 0);

	if (!tap_ok(map != MAP_FAILED, "the device is mapped"))
		return;
	for (int round = 'c'; round < 'g'; round++) {
		memset(map + 5 * PAGE, round, PAGE); /* each time after the page was written back */
		WORKS(msync(map, SIZE, MS_SYNC));
		GIVES(PAGE, pread(direct, buffer, PAGE, 5 * PAGE));
		tap_ok(all_are(buffer, PAGE, (char)round),
		       "a store through a mapping reaches the device, round %c", round);
	}
	GIVES(PAGE, pread(direct, map + 9 * PAGE, PAGE, 5 * PAGE));
	GIVES(PAGE, pread(direct, buffer, PAGE, 9 * PAGE));
	tap_ok(all_are(buffer, PAGE, 'f'), "and so does what is read past the cache into a mapping");
	munmap(map, SIZE);
}

static void test_end(int cached, int direct, char *buffer)
{
	uint64_t size = 0;

	WORKS(ioctl(cached, BLKGETSIZE64, &size));
	GIVES(0, pread(cached, buffer, PAGE, (off_t)size));
	GIVES(0, pread(direct, buffer, PAGE, (off_t)size));
	FAILS(ENOSPC, pwrite(cached, buffer, PAGE, (off_t)size));
	GIVES(PAGE, pwrite(cached, buffer, 2 * PAGE, (off_t)size - PAGE));
	GIVES(PAGE, pread(direct, buffer, 2 * PAGE, (off_t)size - PAGE));
	GIVES(PAGE, pwrite(direct, buffer, 2 * PAGE, (off_t)size - PAGE));
}

int main(void)
{
	int cached = -1, direct;
	char *buffer = aligned();

	if (!system("modprobe ramdisk 2> /dev/null"))
		cached = open("/dev/ram0", O_RDWR);
	if (cached < 0)
		return 77;
	direct = open("/dev/ram0", O_RDWR | O_DIRECT);
	tap_ok(direct >= 0, "it can be opened with O_DIRECT");
	test_write_back(cached, direct, buffer);
	test_alignment(direct, buffer);
	test_mapping(cached, direct, buffer);
	test_end(cached, direct, buffer);
	close(cached);
	close(direct);
	WORKS(system("rmmod ramdisk"));
	return tap_end();
}
