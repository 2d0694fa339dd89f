/*
 * For disk_faults.py: what programs see of a disk that fails, in the guest. disk_faults FOLDER DEVICE, FOLDER on an ext4 of its own and DEVICE
 * another disk. The debug build's /sys/kernel/debug/fail makes it fail.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "../files.h"

#define SIZE (64 << 10)

static char data[SIZE] __attribute__((aligned(4096)));
static sigjmp_buf jump;

static void say(const char *path, const char *words)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, words, strlen(words)) < 0)
		tap_ok(0, "%s > %s", words, path);
	close(fd);
}

static void fail(const char *words)
{
	say("/sys/kernel/debug/fail", words);
}

/* What is cached goes, so that it must be read. */
static void drop(int fd)
{
	WORKS(fsync(fd));
	say("/proc/sys/vm/drop_caches", "1");
}

static void on_bus_error(int number)
{
	siglongjmp(jump, number);
}

static int touch(const char *at)
{
	int number = sigsetjmp(jump, 1);

	if (!number)
		(void)*(volatile const char *)at;
	return number;
}

static void test_reads(const char *name, const char *what)
{
	int fd = open(name, O_RDWR), direct = open(name, O_RDWR | O_DIRECT);
	char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

	printf("# reading %s\n", what);
	drop(fd);
	fail("disk every=1");
	FAILS(EIO, pread(fd, data, 4096, 0));
	FAILS(EIO, pread(direct, data, 4096, 0));
	GIVES(SIGBUS, touch(map + 8192));
	fail("disk off");
	GIVES(4096, pread(fd, data, 4096, 0));
	GIVES(4096, pread(direct, data, 4096, 0));
	GIVES(0, touch(map + 8192));
	/* What is in the cache needs no disk. */
	fail("disk every=1");
	GIVES(4096, pread(fd, data, 4096, 0));
	fail("disk off");
	munmap(map, SIZE);
	close(fd);
	close(direct);
}

/* Each descriptor that was open is told once; one that is opened later is not, since somebody knows. */
static void test_writes(const char *name, const char *what)
{
	int first = open(name, O_RDWR), second = open(name, O_RDWR), direct, later;

	printf("# writing %s\n", what);
	GIVES(SIZE, pwrite(first, data, SIZE, 0));
	fail("disk every=1 times=1"); /* the data alone: a journal that fails is the end of its volume */
	FAILS(EIO, fsync(first));
	WORKS(fsync(first));
	FAILS(EIO, fsync(second));
	later = open(name, O_RDWR);
	WORKS(fdatasync(later));
	close(later);
	close(second);
	direct = open(name, O_RDWR | O_DIRECT);
	fail("disk every=1 times=1");
	FAILS(EIO, pwrite(direct, data, 4096, 0));
	GIVES(4096, pwrite(direct, data, 4096, 0));
	close(direct);
	close(first);
}

/* The journal cannot be written: the volume is read-only from then on, says so, and can be left. */
static void test_journal(void)
{
	int fd;

	printf("# the journal\n");
	WORKS(make_file("new", "text"));
	fd = open("new", O_RDWR);
	fail("disk every=1");
	FAILS(EIO, fsync(fd));
	fail("disk off");
	FAILS(EROFS, mkdir("other", 0755));
	FAILS(EROFS, open("third", O_CREAT | O_WRONLY, 0644));
	close(fd);
	sync();
}

int main(int count, char **words)
{
	signal(SIGBUS, on_bus_error);
	if (count != 3 || chdir(words[1]))
		return 2;
	for (int i = 0; i < SIZE; i++)
		data[i] = i;
	int fd = open("file", O_CREAT | O_RDWR, 0644);

	GIVES(SIZE, write(fd, data, SIZE));
	WORKS(fsync(fd));
	close(fd);
	test_reads("file", "a file");
	test_reads(words[2], "a device");
	test_writes(words[2], "a device");
	test_writes("file", "a file");
	test_journal();
	return chdir("/") || tap_end();
}
