/*
 * Block devices as programs see them, by way of loop devices: /dev/loop-control, binding a file, partitions, sizes, read-only, exclusive
 * opening, reading and writing against the file, discarding, and the ioctls of any disk.
 */
#include "files.h"

#include <pthread.h>
#include <stdbool.h>

#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define DISK (1 << 20)
#define FIRST 2048 /* of partition 1, bytes */

static char loop[32], part[40], buffer[DISK], other[DISK];
static int control, number;

static void fill(char *bytes, unsigned int seed)
{
	for (int i = 0; i < DISK; i++)
		bytes[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
}

static void put32(char *at, unsigned int value)
{
	memcpy(at, &value, 4);
}

/* Two partitions: of 100 and of 50 blocks. */
static void table_make(char *disk)
{
	memset(disk, 0, 512);
	for (int i = 0; i < 2; i++) {
		disk[446 + 16 * i + 4] = (char)0x83;
		put32(disk + 446 + 16 * i + 8, FIRST / 512 + 100 * i);
		put32(disk + 446 + 16 * i + 12, i ? 50 : 100);
	}
	disk[510] = 0x55;
	disk[511] = (char)0xaa;
}

static int bind_file(const char *name, int flags, unsigned int loop_flags, unsigned long offset)
{
	int file = open(name, flags), fd = open(loop, flags);
	struct loop_config config = { .fd = file,
				      .info = { .lo_flags = loop_flags, .lo_offset = offset } };

	strcpy((char *)config.info.lo_file_name, name);
	if (ioctl(fd, LOOP_CONFIGURE, &config)) {
		close(fd);
		fd = -1;
	}
	close(file);
	return fd;
}

static int exists(const char *name)
{
	for (int tries = 0; tries < 100; tries++) { /* Linux makes nodes a little later */
		if (!access(name, F_OK))
			return 1;
		usleep(10000);
	}
	return 0;
}

static void test_contents(int fd)
{
	unsigned long long bytes = 0;
	int size = 0, file = open("disk", O_RDWR);
	char *map;

	WORKS(ioctl(fd, BLKGETSIZE64, &bytes));
	TRUE(bytes == DISK);
	WORKS(ioctl(fd, BLKSSZGET, &size));
	TRUE(size == 512);
	GIVES(DISK, pread(fd, other, DISK, 0));
	TRUE(!memcmp(buffer, other, DISK));
	GIVES(0, pread(fd, other, 1, DISK));
	GIVES(1, pread(fd, other, 10, DISK - 1));
	FAILS(ENOSPC, pwrite(fd, buffer, 1, DISK));
	GIVES(100, pwrite(fd, buffer, 200, DISK - 100));
	GIVES(DISK, lseek(fd, 0, SEEK_END));
	GIVES(1000, pwrite(fd, buffer + 7, 1000, 99999));
	memcpy(buffer + DISK - 100, buffer, 100);
	memmove(buffer + 99999, buffer + 7, 1000);
	GIVES(DISK, pread(fd, other, DISK, 0));
	TRUE(!memcmp(buffer, other, DISK));
	WORKS(fsync(fd));
	GIVES(DISK, pread(file, other, DISK, 0));
	tap_ok(!memcmp(buffer, other, DISK), "after fsync the file has what was written");
	map = mmap(NULL, DISK, PROT_READ, MAP_SHARED, fd, 0);
	TRUE(map != MAP_FAILED && !memcmp(map, buffer, DISK));
	munmap(map, DISK);
	WORKS(ioctl(fd, BLKFLSBUF, 0));
	close(file);
}

static void test_partitions(int fd)
{
	struct blkpg_partition asked = { .start = FIRST, .length = 1024, .pno = 7 };
	struct blkpg_ioctl_arg change = { .op = BLKPG_ADD_PARTITION,
					  .datalen = sizeof(asked),
					  .data = &asked };
	unsigned long long bytes = 0;
	int first;

	snprintf(part, sizeof(part), "%sp2", loop);
	TRUE(exists(part));
	snprintf(part, sizeof(part), "%sp1", loop);
	TRUE(exists(part));
	first = open(part, O_RDWR);
	WORKS(ioctl(first, BLKGETSIZE64, &bytes));
	TRUE(bytes == 51200);
	GIVES(512, pread(first, other, 512, 512));
	TRUE(!memcmp(other, buffer + FIRST + 512, 512));
	GIVES(512, pwrite(first, buffer, 512, 1024));
	memmove(buffer + FIRST + 1024, buffer, 512);
	WORKS(fsync(first));
	FAILS(EINVAL, ioctl(first, BLKRRPART, 0));
	FAILS(EBUSY, ioctl(fd, BLKRRPART, 0));
	FAILS(EBUSY, ioctl(fd, BLKPG, &change));
	asked.start = 512000;
	WORKS(ioctl(fd, BLKPG, &change));
	snprintf(part, sizeof(part), "%sp7", loop);
	TRUE(exists(part));
	change.op = BLKPG_DEL_PARTITION;
	WORKS(ioctl(fd, BLKPG, &change));
	FAILS(ENXIO, ioctl(fd, BLKPG, &change));
	close(first);
	WORKS(ioctl(fd, BLKRRPART, 0));
}

static void test_exclusive(void)
{
	int first = open(loop, O_RDONLY | O_EXCL), plain;

	TRUE(first >= 0);
	FAILS(EBUSY, open(loop, O_RDONLY | O_EXCL));
	snprintf(part, sizeof(part), "%sp1", loop);
	FAILS(EBUSY, open(part, O_RDONLY | O_EXCL));
	plain = open(loop, O_RDONLY);
	TRUE(plain >= 0);
	close(plain);
	close(first);
	first = open(part, O_RDONLY | O_EXCL);
	TRUE(first >= 0);
	FAILS(EBUSY, open(loop, O_RDONLY | O_EXCL));
	close(first);
}

static void test_discard(int fd)
{
	unsigned long long range[2] = { 262144, 131072 };
	struct stat before, after;

	WORKS(fsync(fd));
	WORKS(stat("disk", &before));
	WORKS(ioctl(fd, BLKDISCARD, range));
	WORKS(stat("disk", &after));
	TRUE(after.st_blocks == before.st_blocks - 256);
	memset(buffer + range[0], 0, range[1]);
	GIVES(DISK, pread(fd, other, DISK, 0));
	TRUE(!memcmp(buffer, other, DISK));
	range[0] = 512000;
	range[1] = 1024;
	WORKS(ioctl(fd, BLKZEROOUT, range));
	memset(buffer + range[0], 0, range[1]);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
	memset(buffer + 4096, 0, 4096);
	GIVES(DISK, pread(fd, other, DISK, 0));
	TRUE(!memcmp(buffer, other, DISK));
	range[0] = 100;
	FAILS(EINVAL, ioctl(fd, BLKDISCARD, range));
	range[0] = DISK;
	FAILS(EINVAL, ioctl(fd, BLKZEROOUT, range));
}

static void test_status(int fd)
{
	struct loop_info64 info;
	struct stat st;
	int file = open("disk", O_RDWR), plain = open("/dev/null", O_RDWR);

	WORKS(stat("disk", &st));
	WORKS(ioctl(fd, LOOP_GET_STATUS64, &info));
	TRUE(info.lo_number == (unsigned int)number && info.lo_inode == st.st_ino &&
	     info.lo_device == st.st_dev);
	TRUE(info.lo_flags & LO_FLAGS_PARTSCAN);
	TRUE(!strcmp((char *)info.lo_file_name, "disk"));
	FAILS(EBUSY, ioctl(fd, LOOP_SET_FD, file));
	FAILS(EINVAL, ioctl(fd, LOOP_SET_FD, plain));
	FAILS(EBADF, ioctl(fd, LOOP_SET_FD, 999));
	FAILS(EBUSY, ioctl(control, LOOP_CTL_REMOVE, number));
	FAILS(EEXIST, ioctl(control, LOOP_CTL_ADD, number));
	WORKS(fstat(fd, &st));
	TRUE(S_ISBLK(st.st_mode) && major(st.st_rdev) == 7 && (int)minor(st.st_rdev) == number);
	close(file);
	close(plain);
}

static void test_offset_and_read_only(void)
{
	unsigned long long bytes = 0;
	int fd = bind_file("disk", O_RDONLY, LO_FLAGS_READ_ONLY, 4096), read_only = 0;

	TRUE(fd >= 0);
	WORKS(ioctl(fd, BLKGETSIZE64, &bytes));
	TRUE(bytes == DISK - 4096);
	WORKS(ioctl(fd, BLKROGET, &read_only));
	TRUE(read_only == 1);
	GIVES(4096, pread(fd, other, 4096, 8192));
	TRUE(!memcmp(other, buffer + 4096 + 8192, 4096));
	WORKS(ioctl(fd, LOOP_CLR_FD, 0));
	close(fd);
}

static bool ended;

/* Opens the loop whenever it can be, and asks it for something that does not depend on its size. */
static void *open_and_sync(void *arg)
{
	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
		int fd = open(loop, O_RDONLY);

		if (fd >= 0)
			fsync(fd);
		close(fd);
	}
	return NULL;
}

/* It is let go of while somebody else comes: nobody waits for ever. */
static void test_let_go(void)
{
	pthread_t thread;
	int bound = 0;

	if (pthread_create(&thread, NULL, open_and_sync, NULL))
		return;
	for (int i = 0; i < 100; i++) {
		int fd = bind_file("disk", O_RDWR, 0, 0);

		bound += fd >= 0;
		if (fd >= 0)
			ioctl(fd, LOOP_CLR_FD, 0);
		close(fd);
	}
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	TRUE(!pthread_join(thread, NULL) && bound > 0);
}

int main(void)
{
	struct loop_info64 info;
	int fd;

	control = open("/dev/loop-control", O_RDWR);
	if (control < 0) {
		printf("# no loop devices here\n");
		return 77;
	}
	begin();
	WORKS(chdir(top));
	fill(buffer, 1);
	table_make(buffer);
	fd = open("disk", O_CREAT | O_RDWR, 0600);
	GIVES(DISK, write(fd, buffer, DISK));
	close(fd);
	number = ioctl(control, LOOP_CTL_GET_FREE);
	TRUE(number >= 0);
	snprintf(loop, sizeof(loop), "/dev/loop%d", number);
	TRUE(exists(loop));
	fd = open(loop, O_RDWR);
	FAILS(ENXIO, ioctl(fd, LOOP_GET_STATUS64, &info));
	close(fd);
	fd = bind_file("disk", O_RDWR, LO_FLAGS_PARTSCAN, 0);
	TRUE(fd >= 0);
	test_contents(fd);
	test_partitions(fd);
	test_exclusive();
	test_discard(fd);
	test_status(fd);
	WORKS(ioctl(fd, LOOP_CLR_FD, 0));
	close(fd);
	test_offset_and_read_only();
	test_let_go();
	fd = open(loop, O_RDWR);
	FAILS(ENXIO, ioctl(fd, LOOP_GET_STATUS64, &info));
	close(fd);
	GIVES(number, ioctl(control, LOOP_CTL_REMOVE, number));
	FAILS(ENODEV, ioctl(control, LOOP_CTL_REMOVE, number));
	WORKS(unlink("disk"));
	WORKS(chdir("/"));
	return end();
}
