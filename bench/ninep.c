/*
 * ninep: what names and files cost that a 9P server has, from the first time that they are asked for.
 *
 *	ninep [-n SCALE] [-d FOLDER] [NAME...]		ninep -l
 *
 * FOLDER is where the server's tree goes; KUMO_9P_SOURCE is its mount tag, KUMO_9P_OPTIONS how it is mounted: anew before each batch, so that
 * nothing is known of it then. Without KUMO_9P_SOURCE the tree is there, and stays. In it are `bytes` (a large file) and `stat/file.0` to `stat/file.999`.
 *
 * Who watches the server (QEMU's trace) sees where a batch begins and ends: an attribute `user.begin.ROW.COUNT` of the tree's root is asked
 * for, and `user.end.ROW.COUNT`. Before the end there is a pause, for what a client sends when it finds the time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "rows.h"

#define FILES 1000
#define FILE_BYTES (32L << 20)
#define PAUSE_US 100000

static char buffer[CHUNK_SIZE];
static char name[300];
static long batch; /* operations of the one that is under way; 0: none is */

static void mark(const char *where)
{
	char attribute[100], value[8];

	snprintf(attribute, sizeof(attribute), "user.%s.%s.%ld", where, row_name, batch);
	if (getxattr(folder, attribute, value, sizeof(value)) >= 0)
		fail("getxattr");
}

static void batch_end(void)
{
	if (!batch)
		return;
	usleep(PAUSE_US);
	mark("end");
	batch = 0;
}

static void mount_anew(void)
{
	const char *source = getenv("KUMO_9P_SOURCE"), *options = getenv("KUMO_9P_OPTIONS");

	if (!source) {
		check(chdir(folder), folder);
		return;
	}
	check(chdir("/"), "chdir");
	if (umount(folder) && errno != EINVAL)
		fail("umount");
	check(mount(source, folder, "9p", 0, options), "mount");
	check(chdir(folder), folder);
}

static void batch_begin(long count)
{
	batch_end();
	mount_anew();
	batch = count;
	mark("begin");
}

static void make_name(const char *where, long i)
{
	snprintf(name, sizeof(name), "%s/file.%ld", where, i);
}

/* ---- Rows ---- */

/* The same file again and again. */
static void stat_name(long count)
{
	struct stat status;

	while (count--)
		check(stat("stat/file.0", &status), "stat");
}

/* Each once. */
static void stat_new(long count)
{
	struct stat status;

	for (long i = 0; i < count; i++) {
		make_name("stat", i * 7 % FILES);
		check(stat(name, &status), "stat");
	}
}

static void open_name(long count)
{
	while (count--)
		close(check(open("stat/file.0", O_RDONLY), "open"));
}

static void open_new(long count)
{
	for (long i = 0; i < count; i++) {
		make_name("stat", i * 7 % FILES);
		close(check(open(name, O_RDONLY), "open"));
	}
}

static void create_unlink(long count)
{
	for (long i = 0; i < count; i++) {
		make_name("made", i);
		close(check(open(name, O_CREAT | O_EXCL | O_WRONLY, 0600), "create"));
		check(unlink(name), "unlink");
	}
}

static void read_chunks(long count)
{
	int fd = check(open("bytes", O_RDONLY), "open");

	for (long i = 0; i < count; i++)
		if (read(fd, buffer, CHUNK_SIZE) != CHUNK_SIZE)
			fail("read");
	close(fd);
}

/* Anywhere. */
static void read_pages(long count)
{
	int fd = check(open("bytes", O_RDONLY), "open");
	unsigned long state = (unsigned long)count;

	while (count--) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		if (pread(fd, buffer, PAGE_SIZE,
			  (off_t)((state >> 33) % (FILE_BYTES / PAGE_SIZE)) * PAGE_SIZE) != PAGE_SIZE)
			fail("pread");
	}
	close(fd);
}

/* A new file, all of which the server has at the end. */
static void write_chunks(long count)
{
	int fd = check(open("made/bytes", O_CREAT | O_WRONLY | O_TRUNC, 0600), "open");

	for (long i = 0; i < count; i++)
		if (write(fd, buffer, CHUNK_SIZE) != CHUNK_SIZE)
			fail("write");
	check(fsync(fd), "fsync");
	close(fd);
}

static const struct row rows[] = {
	{ "read", "MB/s", read_chunks, FILE_BYTES / CHUNK_SIZE, NULL, batch_end, batch_begin },
	{ "write", "MB/s", write_chunks, FILE_BYTES / CHUNK_SIZE, NULL, batch_end, batch_begin },
	{ "read_4k", "us", read_pages, FILES, NULL, batch_end, batch_begin },
	{ "stat", "us", stat_name, FILES, NULL, batch_end, batch_begin },
	{ "stat_new", "us", stat_new, FILES, NULL, batch_end, batch_begin },
	{ "open_close", "us", open_name, FILES, NULL, batch_end, batch_begin },
	{ "open_close_new", "us", open_new, FILES, NULL, batch_end, batch_begin },
	{ "create_unlink", "us", create_unlink, FILES, NULL, batch_end, batch_begin },
};

int main(int count, char **words)
{
	rows_options(count, words);
	return rows_run(rows, sizeof(rows) / sizeof(rows[0]), words + optind);
}
