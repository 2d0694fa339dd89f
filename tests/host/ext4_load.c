/*
 * For ext4_power.sh, in a guest: writes to a filesystem from several processes, and says on the disk itself what was made stable
 * (tests/ext4/stable.h). It runs in the root of the filesystem.
 *
 *	ext4_load DISK SECONDS SEED
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "../ext4/stable.h"

#define KEPT_AT_ONCE 60
#define CHURNED 24
#define ALIGNMENT 4096u

struct worker {
	int number;
	int disk; /* open for direct writes; -1: it makes no marks */
	off_t mark_at;
	uint64_t random;
	time_t end;
};

static void failed(const char *what, const char *path)
{
	fprintf(stderr, "ext4_load: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static uint32_t random_below(struct worker *worker, uint32_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return (uint32_t)(worker->random >> 16) % below;
}

__attribute__((format(printf, 2, 3))) static void mark(struct worker *worker, const char *format, ...)
{
	static char sector[ALIGNMENT] __attribute__((aligned(ALIGNMENT)));
	va_list arguments;

	memset(sector, 0, sizeof(sector));
	va_start(arguments, format);
	vsnprintf(sector, MARK_SIZE, format, arguments);
	va_end(arguments);
	if (pwrite(worker->disk, sector, MARK_SIZE, worker->mark_at) != MARK_SIZE)
		failed("writing", "a mark");
}

/* Opens, or ends: a file that the filesystem has no inode for is no fault of it. -1: no room. */
static int open_for(const char *path, int flags)
{
	int fd = open(path, flags | O_RDWR | O_CREAT, 0644);

	if (fd < 0 && errno != ENOSPC)
		failed("opening", path);
	return fd;
}

/* ---- Files that are made whole, kept, and removed at some time ---- */

static int write_mapped(int fd, const char *data, uint32_t size)
{
	char *mapped;

	if (posix_fallocate(fd, 0, size))
		return -1;
	mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return -1;
	memcpy(mapped, data, size);
	return munmap(mapped, size);
}

static int write_direct(const char *path, const char *data, uint32_t size)
{
	static char aligned[KEPT_BYTES + ALIGNMENT] __attribute__((aligned(ALIGNMENT)));
	uint32_t whole = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	int fd = open_for(path, O_DIRECT), result;

	if (fd < 0)
		return -1;
	memset(aligned, 0, sizeof(aligned));
	memcpy(aligned, data, size);
	result = pwrite(fd, aligned, whole, 0) != (ssize_t)whole || ftruncate(fd, size);
	close(fd);
	return result;
}

/* In pieces of different sizes. */
static int write_pieces(struct worker *worker, int fd, const char *data, uint32_t size)
{
	for (uint32_t at = 0; at < size;) {
		uint32_t piece = 1 + random_below(worker, 9000);

		piece = piece < size - at ? piece : size - at;
		if (pwrite(fd, data + at, piece, at) != (ssize_t)piece)
			return -1;
		at += piece;
	}
	return 0;
}

static void keep_one(struct worker *worker, uint32_t number)
{
	static char data[KEPT_BYTES];
	uint32_t size = 1 + random_below(worker, KEPT_BYTES), way = random_below(worker, 8);
	char hidden[64], path[64];
	int fd, wrong = 0;

	snprintf(hidden, sizeof(hidden), "kept/.f%u", number);
	snprintf(path, sizeof(path), "kept/f%u", number);
	pattern_fill(number, 0, size, data);
	if (!way)
		wrong = write_direct(hidden, data, size);
	fd = wrong ? -1 : open_for(hidden, 0);
	if (fd < 0)
		return;
	if (way == 1)
		wrong = write_mapped(fd, data, size);
	else if (way)
		wrong = write_pieces(worker, fd, data, size);
	if (wrong) { /* no room */
		close(fd);
		unlink(hidden);
		return;
	}
	if (rename(hidden, path))
		failed("renaming", hidden);
	if (way % 2 ? fsync(fd) : fdatasync(fd))
		failed("syncing", path);
	mark(worker, "kept %u %u\n", number, size);
	close(fd);
}

static void keep(struct worker *worker)
{
	uint32_t first = 0;

	mkdir("kept", 0755);
	for (uint32_t number = 0; time(NULL) < worker->end; number++) {
		keep_one(worker, number);
		if (number - first >= KEPT_AT_ONCE) {
			char path[64];

			mark(worker, "dropped %u\n", first);
			snprintf(path, sizeof(path), "kept/f%u", first++);
			unlink(path);
		}
	}
}

/* ---- Files that grow, as logs do ---- */

static void append(struct worker *worker)
{
	static char data[8000];
	uint32_t number = 0, size = 0;
	int fd = -1;

	mkdir("appended", 0755);
	while (time(NULL) < worker->end) {
		uint32_t piece = 1 + random_below(worker, sizeof(data));
		char path[64];

		if (fd >= 0 && size + piece > APPENDED_BYTES) {
			close(fd);
			fd = -1;
			number++;
			size = 0;
		}
		snprintf(path, sizeof(path), "appended/f%u", number % 4);
		if (fd < 0 && number >= 4)
			return; /* enough; the disk is small */
		if (fd < 0)
			fd = open_for(path, O_APPEND);
		pattern_fill(number, size, piece, data);
		if (fd < 0 || write(fd, data, piece) != (ssize_t)piece)
			continue;
		size += piece;
		if (fdatasync(fd))
			failed("syncing", path);
		mark(worker, "appended %u %u\n", number, size);
	}
}

/* ---- A file that is replaced as a whole, as editors and package managers do ---- */

static void replace(struct worker *worker)
{
	static char data[VERSION_BYTES];
	int folder;

	mkdir("replaced", 0755);
	folder = open("replaced", O_RDONLY | O_DIRECTORY);
	for (uint32_t number = 1; time(NULL) < worker->end; number++) {
		uint32_t size = version_fill(number, data);
		int fd = open_for("replaced/new", O_TRUNC), wrong;

		if (fd < 0)
			continue;
		wrong = write_pieces(worker, fd, data, size);
		if (!wrong && fsync(fd))
			failed("syncing", "replaced/new");
		close(fd);
		if (wrong)
			continue;
		if (rename("replaced/new", "replaced/current") || fsync(folder))
			failed("replacing", "replaced/current");
		mark(worker, "replaced %u\n", number);
	}
}

/* ---- Whatever else happens on a filesystem ---- */

static void churn_once(struct worker *worker)
{
	static char data[60000];
	char path[64], other[64];
	int fd;

	snprintf(path, sizeof(path), "churned%d/d%u/x%u", worker->number, random_below(worker, 3),
		 random_below(worker, CHURNED));
	snprintf(other, sizeof(other), "churned%d/d%u/x%u", worker->number, random_below(worker, 3),
		 random_below(worker, CHURNED));
	switch (random_below(worker, 9)) {
	case 0:
		unlink(path);
		return;
	case 1:
		rename(path, other);
		return;
	case 2:
		link(path, other);
		return;
	case 3:
		if (mkdir(path, 0755))
			rmdir(path);
		return;
	case 4:
		setxattr(path, "user.a", data, random_below(worker, 900), 0);
		return;
	case 5:
		truncate(path, random_below(worker, 200000));
		return;
	}
	fd = open(path, O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		return;
	if (random_below(worker, 4))
		(void)!pwrite(fd, data, random_below(worker, sizeof(data)),
			      random_below(worker, 200000));
	else
		(void)!fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				 random_below(worker, 100000), 1 + random_below(worker, 100000));
	if (!random_below(worker, 20))
		unlink(path); /* still open */
	close(fd);
}

static void churn(struct worker *worker)
{
	char path[64];

	snprintf(path, sizeof(path), "churned%d", worker->number);
	mkdir(path, 0755);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "churned%d/d%d", worker->number, i);
		mkdir(path, 0755);
	}
	while (time(NULL) < worker->end) {
		churn_once(worker);
		if (!random_below(worker, 200))
			sync();
	}
}

/* ---- Files that are cut off while they are written out ---- */

static void cut(struct worker *worker)
{
	static char data[200000];
	int fd = open_for("cut", 0);

	while (fd >= 0 && time(NULL) < worker->end) {
		(void)!pwrite(fd, data, sizeof(data) / 2 + random_below(worker, sizeof(data) / 2),
			      random_below(worker, sizeof(data) / 2));
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		(void)!ftruncate(fd, random_below(worker, sizeof(data) / 4));
	}
}

int main(int argc, char **argv)
{
	static void (*const work[])(struct worker * worker) = { keep,  append, replace,
								churn, churn,  cut };
	int count = sizeof(work) / sizeof(work[0]), disk, status, wrong = 0;
	off_t size;

	if (argc < 4)
		return 2;
	disk = open(argv[1], O_RDWR | O_DIRECT);
	size = disk < 0 ? -1 : lseek(disk, 0, SEEK_END);
	if (size < 0)
		failed("opening", argv[1]);
	for (int i = 0; i < count; i++) {
		struct worker worker = { .number = i,
					 .disk = disk,
					 .mark_at = size - MARKS_SIZE + i * (off_t)MARK_SPACING,
					 .random = strtoull(argv[3], NULL, 0) * 99991 + i + 1,
					 .end = time(NULL) + atoi(argv[2]) };

		if (!fork()) {
			work[i](&worker);
			exit(0);
		}
	}
	while (count-- && wait(&status) > 0)
		wrong |= status;
	return wrong != 0;
}
