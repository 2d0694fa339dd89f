/*
 * A load of processes, in the working directory, that know what they must find: a file that is written and cut, one that is mapped,
 * names that come and go, a folder that is listed, files without names. For tests that replace what serves the folder meanwhile.
 */
#ifndef TESTS_CHECKING_LOAD_H
#define TESTS_CHECKING_LOAD_H

#include "files.h"

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

enum { SIZE = 96 * 1024, NAMES = 64, LISTED = 300, WORKERS = 5 };

/* Instances are lost, not replaced: what was not stable is reported by fsync, and whether a new file was made may not be known. */
static int lossy;

/* What a worker's files must hold; shared, so that it can be looked at after the worker has ended. */
struct model {
	unsigned char bytes[SIZE];
	size_t size;
	char exists[NAMES];
	unsigned long rounds;
};

static struct model *models;
static volatile int *stop;

static void die(const char *what, unsigned int line)
{
	printf("# line %u: %s (errno %d)\n", line, what, errno);
	fflush(stdout);
	_exit(1);
}
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			die(#condition, __LINE__);                                                 \
	} while (0)

/* ---- Workers ---- */

static unsigned int random_state;

static unsigned int any(unsigned int below)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % below;
}

static void fill(unsigned char *bytes, size_t count)
{
	while (count--)
		*bytes++ = (unsigned char)any(256);
}

static int same_as(int fd, const unsigned char *expected, size_t offset, size_t count)
{
	static unsigned char bytes[SIZE];

	return pread(fd, bytes, count, (off_t)offset) == (ssize_t)count &&
	       !memcmp(bytes, expected, count);
}

/* One change of a file, and a look at some of it. */
static void change_file(int fd, struct model *model)
{
	size_t offset = any(SIZE), count = 1 + any(8192);
	struct stat st;

	if (offset + count > SIZE)
		count = SIZE - offset;
	if (any(16)) {
		if (offset > model->size)
			memset(model->bytes + model->size, 0, offset - model->size);
		fill(model->bytes + offset, count);
		MUST(pwrite(fd, model->bytes + offset, count, (off_t)offset) == (ssize_t)count);
		if (offset + count > model->size)
			model->size = offset + count;
	} else {
		if (offset > model->size)
			memset(model->bytes + model->size, 0, offset - model->size);
		MUST(!ftruncate(fd, (off_t)offset));
		model->size = offset;
	}
	if (!any(100))
		MUST(!fsync(fd) || (lossy && errno == EIO));
	MUST(!fstat(fd, &st) && (size_t)st.st_size == model->size);
	offset = model->size ? any((unsigned int)model->size) : 0;
	count = model->size - offset < 8192 ? model->size - offset : 8192;
	MUST(same_as(fd, model->bytes + offset, offset, count));
}

static void work_on_file(struct model *model)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);

	MUST(fd >= 0);
	for (; !*stop; model->rounds++)
		change_file(fd, model);
	close(fd);
}

/* Stores through a mapping are read by read(2), and the other way round. */
static void work_on_mapping(struct model *model)
{
	int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned char *mapped;

	MUST(fd >= 0 && !ftruncate(fd, SIZE));
	mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(mapped != MAP_FAILED);
	model->size = SIZE;
	for (; !*stop; model->rounds++) {
		size_t offset = any(SIZE - 512), count = 1 + any(512);

		fill(model->bytes + offset, count);
		if (any(2)) {
			memcpy(mapped + offset, model->bytes + offset, count);
			MUST(same_as(fd, model->bytes + offset, offset, count));
		} else {
			MUST(pwrite(fd, model->bytes + offset, count, (off_t)offset) == (ssize_t)count);
			MUST(!memcmp(mapped + offset, model->bytes + offset, count));
		}
		if (!any(200))
			MUST(!msync(mapped, SIZE, MS_SYNC) || (lossy && errno == EIO));
		if (!any(500))
			MUST(!madvise(mapped, SIZE, MADV_DONTNEED));
	}
	MUST(!memcmp(mapped, model->bytes, SIZE));
	munmap(mapped, SIZE);
	close(fd);
}

/* Files that have lost their names, or never had one. */
static void work_without_name(struct model *model)
{
	while (!*stop) {
		int fd = any(2) ? open(".", O_RDWR | O_TMPFILE, 0600) : -1;
		struct stat st;

		if (fd < 0) {
			fd = open("short", O_RDWR | O_CREAT | O_EXCL, 0600);
			MUST(fd >= 0 && !unlink("short"));
		}
		model->size = 0;
		for (unsigned int i = 10 + any(60); i && !*stop; i--, model->rounds++)
			change_file(fd, model);
		MUST(!fstat(fd, &st) && st.st_nlink == 0);
		MUST(same_as(fd, model->bytes, 0, model->size));
		close(fd);
	}
}

static const char *name_of(unsigned int number)
{
	static char names[2][48];
	static int turn;

	turn ^= 1;
	snprintf(names[turn], sizeof(names[turn]), "names/%s%u",
		 number % 3 ? "a_longer_name_of_number_" : "n", number);
	return names[turn];
}

/* The folder has just the names that it must have. */
static void check_names(DIR *folder, const struct model *model)
{
	unsigned int count = 0, expected = 0;
	struct dirent *entry;

	rewinddir(folder);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			count++;
	for (unsigned int i = 0; i < NAMES; i++)
		expected += (unsigned int)model->exists[i];
	MUST(count == expected);
}

/* Whether one that could not be made is there may not be known. */
static int make_folder(const char *name)
{
	while (mkdir(name, 0755)) {
		if (!lossy || errno != EIO)
			return -1;
		if (!access(name, F_OK))
			return 0;
	}
	return 0;
}

static void work_on_names(struct model *model)
{
	DIR *folder;

	MUST(!make_folder("names"));
	folder = opendir("names");
	MUST(folder);
	for (; !*stop; model->rounds++) {
		unsigned int one = any(NAMES), other = any(NAMES);
		struct stat st;
		int fd;

		if (!model->exists[one]) {
			fd = open(name_of(one), O_CREAT | (lossy ? 0 : O_EXCL) | O_WRONLY, 0644);
			MUST(fd >= 0 && write(fd, &one, sizeof(one)) == sizeof(one));
			close(fd);
			model->exists[one] = 1;
		} else if (one != other && any(2)) {
			MUST(!rename(name_of(one), name_of(other)));
			MUST(!stat(name_of(other), &st) && st.st_size == sizeof(one));
			model->exists[one] = 0;
			model->exists[other] = 1;
		} else {
			MUST(!unlink(name_of(one)));
			model->exists[one] = 0;
			MUST(stat(name_of(one), &st) && errno == ENOENT);
		}
		if (!any(20))
			check_names(folder, model);
	}
	check_names(folder, model);
	closedir(folder);
}

/* A folder that stays as it is, listed piece by piece: each name comes once. */
static void work_on_listing(struct model *model)
{
	char name[32], seen[LISTED];
	int fd;

	MUST(!make_folder("listed"));
	for (int i = 0; i < LISTED; i++) {
		snprintf(name, sizeof(name), "listed/%d", i);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		MUST(fd >= 0);
		close(fd);
	}
	for (; !*stop; model->rounds++) {
		DIR *folder = opendir("listed");
		struct dirent *entry;
		int count = 0;

		MUST(folder);
		memset(seen, 0, sizeof(seen));
		while ((entry = readdir(folder))) {
			int number = atoi(entry->d_name);

			if (entry->d_name[0] == '.')
				continue;
			MUST(number >= 0 && number < LISTED && !seen[number]);
			seen[number] = 1;
			if (++count % 50 == 0)
				usleep(1000);
		}
		MUST(count == LISTED);
		closedir(folder);
	}
}

static void (*const works[WORKERS])(struct model *) = { work_on_file, work_on_mapping, work_on_names,
							work_on_listing, work_without_name };

/* ---- The whole ---- */

static void load_make(void)
{
	models = mmap(NULL, WORKERS * sizeof(*models), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void start(pid_t *pid, int number)
{
	fflush(stdout);
	*pid = fork();
	if (*pid)
		return;
	random_state = (unsigned int)number * 7919 + 1;
	memset(&models[number], 0, sizeof(models[number]));
	works[number](&models[number]);
	_exit(0);
}

/* ---- Afterwards ---- */

static int file_is(const char *name, const struct model *model)
{
	struct stat st;
	int fd = open(name, O_RDONLY), good = fd >= 0 && !fstat(fd, &st) &&
					      (size_t)st.st_size == model->size &&
					      same_as(fd, model->bytes, 0, model->size);

	close(fd);
	return good;
}

static int all_there(void)
{
	int good = file_is("file", &models[0]) && file_is("mapped", &models[1]);
	struct stat st;

	for (unsigned int i = 0; i < NAMES; i++)
		good &= (!stat(name_of(i), &st)) == models[2].exists[i];
	return good;
}

#endif
