/*
 * files: what names and files cost, on whatever serves the folder of -d, and disks, on the device of -d.
 *
 *	files [-n SCALE] [-d FOLDER] [-p PREFIX] [NAME...]		files -l
 *
 * Prints lines as kbench does (rows.h). Rows without a remark stay in the caches. `cold`: what the row is about has been
 * written and dropped from the caches before each batch, or goes to the disk by its nature (fsync); `device`: direct I/O on a
 * block device, which -d names.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "rows.h"

#define FILES 1000
#define FILE_PAGES 2048 /* of the file that is read and written */
#define FILE_BYTES ((long)FILE_PAGES * PAGE_SIZE)
#define LARGE_READ (128 << 10)
#define DEPTH 16
#define DEEP "a/b/c/d/e/f/g/h"

static char buffer[LARGE_READ] __attribute__((aligned(PAGE_SIZE)));
static char name[64];
static int file_fd;
static long made; /* names of make_name(): those below are gone, or not there yet */

/* ---- Names ---- */

static void make_name(long i)
{
	snprintf(name, sizeof(name), "file.%ld", i);
}

static void make_file(const char *path)
{
	close(check(open(path, O_CREAT | O_WRONLY, 0600), path));
}

static void enter(void)
{
	static char home[300];

	snprintf(home, sizeof(home), "%s/files.XXXXXX", folder);
	if (!mkdtemp(home) || chdir(home))
		fail(home);
}

static void names_begin(void)
{
	char path[] = DEEP;

	enter();
	make_file("f");
	for (char *end = path; (end = strchr(end, '/')); *end++ = '/') {
		*end = 0;
		check(mkdir(path, 0700), "mkdir");
	}
	make_file(DEEP);
}

static void walk_1(long count)
{
	while (count--)
		check(access("f", F_OK), "access");
}

static void walk_8(long count)
{
	while (count--)
		check(access(DEEP, F_OK), "access");
}

static void walk_missing(long count)
{
	while (count--)
		if (!access("missing", F_OK))
			fail("access");
}

static void stat_name(long count)
{
	struct stat status;

	while (count--)
		check(stat("f", &status), "stat");
}

static void open_name(long count)
{
	while (count--)
		close(check(open("f", O_RDONLY), "open"));
}

static void create(long count)
{
	while (count--) {
		make_name(made++);
		make_file(name);
	}
}

static void unlink_made(long count)
{
	while (count--) {
		make_name(--made);
		check(unlink(name), "unlink");
	}
}

static void unlink_all(long count)
{
	unlink_made(made);
}

static void rename_made(long count)
{
	while (count--)
		check(count & 1 ? rename("f", "g") : rename("g", "f"), "rename");
}

static void rename_begin(void)
{
	enter();
	make_file("f");
	make_file("g");
}

static void folder_begin(void)
{
	enter();
	create(FILES);
}

static void folder_end(void)
{
	unlink_all(0);
}

static void list(long count)
{
	while (count--) {
		DIR *d = opendir(".");
		int found = 0;

		if (!d)
			fail("opendir");
		while (readdir(d))
			found++;
		if (found < FILES)
			fail("readdir");
		closedir(d);
	}
}

static void drop_caches(long count)
{
	int fd = check(open("/proc/sys/vm/drop_caches", O_WRONLY), "drop_caches");

	sync();
	if (write(fd, "3", 1) != 1)
		fail("drop_caches");
	close(fd);
}

/* Each once. */
static void stat_all(long count)
{
	struct stat status;

	for (long i = 0; i < count; i++) {
		make_name(i * 7 % FILES);
		check(stat(name, &status), "stat");
	}
}

/* ---- Bytes ---- */

static void file_begin(void)
{
	enter();
	file_fd = check(open("bytes", O_CREAT | O_RDWR | O_TRUNC, 0600), "open");
	for (long at = 0; at < FILE_BYTES; at += CHUNK_SIZE)
		if (pwrite(file_fd, buffer, CHUNK_SIZE, at) != CHUNK_SIZE)
			fail("pwrite");
}

static void file_end(void)
{
	close(file_fd);
	unlink("bytes");
}

static void read_chunks(long count)
{
	for (long i = 0; i < count; i++)
		if (pread(file_fd, buffer, CHUNK_SIZE, i * CHUNK_SIZE % FILE_BYTES) != CHUNK_SIZE)
			fail("pread");
}

static void write_chunks(long count)
{
	for (long i = 0; i < count; i++)
		if (pwrite(file_fd, buffer, CHUNK_SIZE, i * CHUNK_SIZE % FILE_BYTES) != CHUNK_SIZE)
			fail("pwrite");
}

static off_t somewhere(uint64_t *state, long pages)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (off_t)(*state >> 33) % pages * PAGE_SIZE;
}

static void read_pages(long count)
{
	static uint64_t state;

	while (count--)
		if (pread(file_fd, buffer, PAGE_SIZE, somewhere(&state, FILE_PAGES)) != PAGE_SIZE)
			fail("pread");
}

static void write_pages(long count)
{
	static uint64_t state;

	while (count--)
		if (pwrite(file_fd, buffer, PAGE_SIZE, somewhere(&state, FILE_PAGES)) != PAGE_SIZE)
			fail("pwrite");
}

static void append_prepare(long count)
{
	if (file_fd)
		file_end();
	else
		enter();
	file_fd = check(open("bytes", O_CREAT | O_WRONLY | O_APPEND | O_TRUNC, 0600), "open");
}

static void append_pages(long count)
{
	while (count--)
		if (write(file_fd, buffer, PAGE_SIZE) != PAGE_SIZE)
			fail("write");
}

static void map_read(long count)
{
	static volatile char seen;
	long pages = count < FILE_PAGES ? count : FILE_PAGES;

	while (count > 0) {
		volatile char *map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, file_fd, 0);

		if (map == MAP_FAILED)
			fail("mmap");
		for (long i = 0; i < pages; i++)
			seen += map[i * PAGE_SIZE];
		munmap((void *)map, FILE_BYTES);
		count -= pages;
	}
}

static void write_fsync(long count)
{
	static uint64_t state;

	while (count--) {
		if (pwrite(file_fd, buffer, PAGE_SIZE, somewhere(&state, FILE_PAGES)) != PAGE_SIZE)
			fail("pwrite");
		check(fsync(file_fd), "fsync");
	}
}

static void create_fsync(long count)
{
	while (count--) {
		int fd;

		make_name(made++);
		fd = check(open(name, O_CREAT | O_WRONLY, 0600), "create");
		if (write(fd, buffer, 100) != 100)
			fail("write");
		check(fsync(fd), "fsync");
		close(fd);
	}
}

/* A new file, all of it on the disk at the end. */
static void write_out(long count)
{
	for (long i = 0; i < count; i++)
		if (write(file_fd, buffer, CHUNK_SIZE) != CHUNK_SIZE)
			fail("write");
	check(fsync(file_fd), "fsync");
}

static void dropped_prepare(long count)
{
	check(fsync(file_fd), "fsync");
	drop_caches(0);
}

/* ---- A device ---- */

static long device_pages;

static void device_begin(void)
{
	uint64_t bytes;

	file_fd = check(open(folder, O_RDONLY | O_DIRECT), folder);
	check(ioctl(file_fd, BLKGETSIZE64, &bytes), "BLKGETSIZE64");
	device_pages = bytes / PAGE_SIZE;
}

static void direct_reads(long count, uint64_t state, void *to)
{
	while (count--)
		if (pread(file_fd, to, PAGE_SIZE, somewhere(&state, device_pages)) != PAGE_SIZE)
			fail("pread");
}

static void direct_1(long count)
{
	direct_reads(count, count, buffer);
}

static long each_count;

static void *direct_thread(void *to)
{
	direct_reads(each_count, (uintptr_t)to, to);
	return NULL;
}

static void direct_16(long count)
{
	pthread_t threads[DEPTH];

	each_count = count / DEPTH;
	for (int i = 0; i < DEPTH; i++) {
		errno = pthread_create(&threads[i], NULL, direct_thread, buffer + (long)i * PAGE_SIZE);
		if (errno)
			fail("pthread_create");
	}
	for (int i = 0; i < DEPTH; i++)
		pthread_join(threads[i], NULL);
}

static void direct_large(long count)
{
	static off_t at;

	for (long i = 0; i < count / 2; i++) {
		if (pread(file_fd, buffer, LARGE_READ, at) != LARGE_READ)
			fail("pread");
		at = (at + LARGE_READ) % (device_pages * PAGE_SIZE / LARGE_READ * LARGE_READ);
	}
}

/* ---- The table ---- */

static const struct row rows[] = {
	{ "walk_1", "ns", walk_1, 20000, names_begin },
	{ "walk_8", "ns", walk_8, 20000, names_begin },
	{ "walk_missing", "ns", walk_missing, 20000, names_begin },
	{ "stat", "ns", stat_name, 20000, names_begin },
	{ "open", "ns", open_name, 10000, names_begin },
	{ "readdir_1000", "us", list, 20, folder_begin, folder_end },
	{ "create", "us", create, 500, enter, folder_end, unlink_all },
	{ "unlink", "us", unlink_made, 500, enter, NULL, create },
	{ "rename", "us", rename_made, 1000, rename_begin },
	{ "read", "MB/s", read_chunks, 256, file_begin, file_end },
	{ "write", "MB/s", write_chunks, 256, file_begin, file_end },
	{ "read_random", "us", read_pages, 5000, file_begin, file_end },
	{ "write_random", "us", write_pages, 5000, file_begin, file_end },
	{ "append", "us", append_pages, 2048, NULL, file_end, append_prepare },
	{ "mmap_read", "ns", map_read, 2 * FILE_PAGES, file_begin, file_end },
	{ "cold_stat", "us", stat_all, FILES, folder_begin, folder_end, drop_caches, "cold" },
	{ "cold_read", "MB/s", read_chunks, 128, file_begin, file_end, dropped_prepare, "cold" },
	{ "cold_random", "us", read_pages, 500, file_begin, file_end, dropped_prepare, "cold" },
	{ "write_out", "MB/s", write_out, 128, NULL, file_end, append_prepare, "cold" },
	{ "fsync", "us", write_fsync, 100, file_begin, file_end, NULL, "cold" },
	{ "create_fsync", "us", create_fsync, 50, enter, folder_end, NULL, "cold" },
	{ "read_4k", "us", direct_1, 2000, device_begin, NULL, NULL, "device" },
	{ "read_4k_16", "us", direct_16, 8000, device_begin, NULL, NULL, "device" },
	{ "read_128k", "MB/s", direct_large, 1024, device_begin, NULL, NULL, "device" },
};

int main(int count, char **words)
{
	rows_options(count, words);
	return rows_run(rows, sizeof(rows) / sizeof(rows[0]), words + optind);
}
