/*
 * How far files and names go: a file of 1 TiB that is nearly all hole, a hole behind a file's end, and names of 255 bytes of any
 * kind.
 *
 *	file_limits [DIRECTORY]
 */
#include "files.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#define TIB (1LL << 40)
#define NEAR (1 << 20) /* what the few bytes of a sparse file may lie within, or take */
#define NAMES 300
#define NAME_LENGTH 255

static uint64_t state = 7;

static unsigned int chance(unsigned int limit)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % limit;
}

static long blocks_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_blocks * 512L;
}

/* One byte at the very end, then others by a mapping and in the middle. */
static void test_sparse(void)
{
	char byte = 0, *map;
	off_t at;
	int fd = open("sparse", O_CREAT | O_RDWR, 0644);

	if (pwrite(fd, "x", 1, TIB - 1) != 1 && errno == EFBIG) {
		printf("# no files of 1 TiB here\n");
		close(fd);
		unlink("sparse");
		return;
	}
	WORKS(fsync(fd));
	GIVES(TIB, lseek(fd, 0, SEEK_END));
	TRUE(blocks_of(fd) > 0 && blocks_of(fd) <= NEAR);
	TRUE(pread(fd, &byte, 1, TIB - 1) == 1 && byte == 'x');
	TRUE(pread(fd, &byte, 1, TIB / 2) == 1 && byte == 0);
	GIVES(0, pread(fd, &byte, 1, TIB));
	GIVES(0, lseek(fd, 0, SEEK_HOLE));
	at = lseek(fd, 0, SEEK_DATA);
	TRUE(at > TIB - NEAR && at < TIB);
	GIVES(TIB, lseek(fd, at, SEEK_HOLE));
	map = mmap(NULL, NEAR, PROT_READ | PROT_WRITE, MAP_SHARED, fd, TIB / 2);
	TRUE(map != MAP_FAILED && map[NEAR / 2] == 0);
	map[NEAR / 2] = 'm';
	WORKS(msync(map, NEAR, MS_SYNC));
	munmap(map, NEAR);
	TRUE(pread(fd, &byte, 1, TIB / 2 + NEAR / 2) == 1 && byte == 'm');
	at = lseek(fd, 0, SEEK_DATA);
	TRUE(at <= TIB / 2 + NEAR / 2 && at >= TIB / 2);
	TRUE(blocks_of(fd) <= NEAR);
	WORKS(ftruncate(fd, TIB / 2));
	FAILS(ENXIO, lseek(fd, 0, SEEK_DATA));
	WORKS(ftruncate(fd, TIB));
	TRUE(pread(fd, &byte, 1, TIB - 1) == 1 && byte == 0);
	TRUE(pread(fd, &byte, 1, TIB / 2 + NEAR / 2) == 1 && byte == 0);
	close(fd);
	WORKS(unlink("sparse"));
}

/* A hole that begins behind the end takes nothing away. */
static void test_hole_behind(void)
{
	char wrote[4136], found[sizeof(wrote)];
	int fd = open("behind", O_CREAT | O_RDWR, 0644), result;

	memset(wrote, 'w', sizeof(wrote));
	GIVES(sizeof(wrote), write(fd, wrote, sizeof(wrote)));
	result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 68904, 206) ? errno : 0;
	if (!result) {
		GIVES(sizeof(wrote), pread(fd, found, sizeof(found), 0));
		TRUE(!memcmp(wrote, found, sizeof(wrote)));
	} else {
		GIVES(EOPNOTSUPP, result);
	}
	close(fd);
	WORKS(unlink("behind"));
}

static void make_name(char *name)
{
	for (int i = 0; i < NAME_LENGTH; i++)
		do
			name[i] = chance(256);
		while (!name[i] || name[i] == '/');
	name[NAME_LENGTH] = 0;
}

static int index_of(char (*names)[NAME_LENGTH + 1], const char *name)
{
	for (int i = 0; i < NAMES; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/* Each of the names once, and no others. */
static bool listed(char (*names)[NAME_LENGTH + 1])
{
	bool seen[NAMES] = {}, right = true;
	DIR *folder = opendir(".");
	struct dirent *entry;
	int count = 0, index;

	while (folder && (entry = readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		index = index_of(names, entry->d_name);
		if (index < 0 || seen[index])
			right = false;
		else
			seen[index] = true;
		count++;
	}
	closedir(folder);
	return right && count == NAMES;
}

static void test_names(void)
{
	static char names[NAMES][NAME_LENGTH + 1], other[NAME_LENGTH + 2];
	int made = 0, there = 0, moved = 0, gone = 0;

	for (int i = 0; i < NAMES; i++) {
		make_name(names[i]);
		if (!i && mkdir(names[i], 0755) && errno == EINVAL) {
			printf("# not any name will do here\n");
			return;
		}
		if (!i)
			WORKS(rmdir(names[i]));
		made += make_file(names[i], "text") == 0;
	}
	GIVES(NAMES, made);
	TRUE(listed(names));
	for (int i = 0; i < NAMES; i++) {
		there += !access(names[i], F_OK);
		make_name(other);
		moved += !rename(names[i], other);
		memcpy(names[i], other, sizeof(names[i]));
	}
	GIVES(NAMES, there);
	GIVES(NAMES, moved);
	TRUE(listed(names));
	memset(other, 'x', NAME_LENGTH + 1);
	FAILS(ENAMETOOLONG, access(other, F_OK));
	for (int i = 0; i < NAMES; i++)
		gone += !unlink(names[i]);
	GIVES(NAMES, gone);
}

int main(int count, char **words)
{
	begin_in(count > 1 ? words[1] : "/tmp");
	test_sparse();
	test_hole_behind();
	test_names();
	return end();
}
