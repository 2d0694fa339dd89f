/*
 * For ext4_linux.py, in a guest, on Kumo and on Linux: makes a tree of what is hard for a filesystem below the working folder, or says
 * what is there, one line a file, so that what two kernels say can be compared.
 *
 *	ext4_tree make SEED
 *	ext4_tree list
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define NAMES 900
#define FAR (5ULL << 30)

static uint64_t state;

static uint32_t random_below(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

static void must(int good, const char *what)
{
	if (!good) {
		fprintf(stderr, "ext4_tree: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

/* ---- Making ---- */

static void fill(int fd, uint64_t at, uint32_t size)
{
	static char data[1 << 20];

	for (uint32_t i = 0; i < size; i++)
		data[i] = (char)random_below(256);
	must(pwrite(fd, data, size, (off_t)at) == (ssize_t)size, "pwrite");
}

static int file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	must(fd >= 0, path);
	return fd;
}

static void make_sizes(void)
{
	static const uint32_t sizes[] = { 0,	1,    59,   60,	  61,	 160,	 1023,	 1024,
					  1025, 4095, 4096, 4097, 65536, 300001, 1 << 20 };
	char path[64];

	must(!mkdir("sizes", 0750), "sizes");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd;

		snprintf(path, sizeof(path), "sizes/%u", sizes[i]);
		fd = file(path);
		fill(fd, 0, sizes[i]);
		close(fd);
	}
}

/* A directory with an index, from which names went and in which others moved. */
static void make_names(void)
{
	char path[300], other[300];

	must(!mkdir("names", 01777), "names");
	for (int i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), "names/a_name_of_some_length_%d_%u", i,
			 random_below(1000000));
		close(file(path));
		if (i % 3 == 0) {
			must(!unlink(path), "unlink");
		} else if (i % 5 == 0) {
			snprintf(other, sizeof(other), "names/moved_%d", i);
			must(!rename(path, other), "rename");
		}
	}
	for (int length = 1; length <= 255; length += 127) {
		memset(path, 0, sizeof(path));
		memcpy(path, "names/", 6);
		for (int i = 0; i < length; i++) /* any bytes but the slash and zero */
			path[6 + i] = (char)(i % 200 + 48);
		close(file(path));
	}
	strcpy(path, "names");
	for (int i = 0; i < 12; i++) {
		strcat(path, "/deeper");
		must(!mkdir(path, 0755), path);
	}
}

static void make_shapes(void)
{
	int sparse = file("sparse"), far = file("far"), room = file("room"), a = file("mixed_a"),
	    b = file("mixed_b"), fd;

	for (uint32_t i = 0; i < 150; i++)
		fill(sparse, i * 37777, 1 + random_below(3000));
	fill(far, FAR, 10000);
	if (!fallocate(room, 0, 0, 200000))
		fill(room, 50000, 5000);
	for (uint32_t i = 0; i < 40; i++) { /* pieces of two files take turns on the disk */
		fill(a, i * 4096, 4096);
		fill(b, i * 4096, 4096);
		must(!fdatasync(a) && !fdatasync(b), "fdatasync");
	}
	must(!ftruncate(b, 77777), "ftruncate");
	(void)!fallocate(a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10000, 50000);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0) {
		char path[64];

		fill(fd, 0, 5000);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		must(!linkat(AT_FDCWD, path, AT_FDCWD, "unnamed", AT_SYMLINK_FOLLOW), "linkat");
		close(fd);
	}
	close(sparse), close(far), close(room), close(a), close(b);
}

static void make_kinds(void)
{
	static const struct timespec times[][2] = { { { 1, 2 }, { -300000000, 999999999 } },
						    { { 4102444800, 1 }, { 2147483648, 500 } } };
	char target[1000];

	must(!symlink("sizes", "short_link"), "symlink");
	memset(target, 't', sizeof(target));
	target[59] = 0;
	must(!symlink(target, "link_59"), "symlink");
	target[59] = 't';
	target[60] = 0;
	must(!symlink(target, "link_60"), "symlink");
	target[60] = 't';
	target[900] = 0;
	must(!symlink(target, "link_900"), "symlink");
	must(!mkfifo("fifo", 0640) && !mknod("character", S_IFCHR | 0600, makedev(5, 1)) &&
		     !mknod("block", S_IFBLK | 0660, makedev(259, 70000)),
	     "mknod");
	close(file("owned"));
	must(!link("owned", "sizes/linked") && !chown("owned", 70000, 1000000) && !chmod("owned", 06755),
	     "owned");
	for (int i = 0; i < 2; i++) {
		char path[16];

		snprintf(path, sizeof(path), "times_%d", i);
		close(file(path));
		must(!utimensat(AT_FDCWD, path, times[i], 0), "utimensat");
	}
}

static void attribute(const char *path, const char *name, uint32_t size)
{
	char value[2000];

	for (uint32_t i = 0; i < size; i++)
		value[i] = (char)random_below(256);
	must(!setxattr(path, name, value, size, 0) || errno == ENOSPC, name);
}

static void make_attributes(void)
{
	/* user::rw-, user:1000:r--, group::r--, mask::r--, other::--- (linux/posix_acl_xattr.h) */
	static const uint16_t list[] = { 2,	 0,	 0x01, 6, 0xffff, 0xffff, 0x02, 4,
					 1000,	 0,	 0x04, 4, 0xffff, 0xffff, 0x10, 4,
					 0xffff, 0xffff, 0x20, 0, 0xffff, 0xffff };
	char path[32];

	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "attributes_%d", i);
		close(file(path));
		attribute(path, "user.small", 1 + random_below(30));
		if (i % 2)
			attribute(path, "user.large", 300 + random_below(300));
		if (i % 3 == 0)
			attribute(path, "trusted.a_longer_name", random_below(100));
		if (i % 4 == 0)
			must(!setxattr(path, "user.shared", "the same in all", 15, 0) || errno == ENOSPC,
			     "user.shared");
		if (i % 5 == 0)
			must(!removexattr(path, "user.small"), "removexattr");
		if (i == 7)
			(void)!setxattr(path, "system.posix_acl_access", list, sizeof(list), 0);
	}
}

/* ---- Listing ---- */

static uint64_t hash_add(uint64_t hash, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3ULL;
	return hash;
}

/* Of a file's bytes. Holes far off are skipped, and their place counts. */
static uint64_t hash_file(const char *path, off_t size)
{
	static char data[65536];
	uint64_t hash = 0xcbf29ce484222325ULL;
	int fd = open(path, O_RDONLY);
	ssize_t got;

	must(fd >= 0, path);
	if (size > (off_t)FAR) {
		lseek(fd, (off_t)FAR - 4096, SEEK_SET);
		hash = hash_add(hash, &size, sizeof(size));
	}
	while ((got = read(fd, data, sizeof(data))) > 0)
		hash = hash_add(hash, data, (size_t)got);
	must(!got, path);
	close(fd);
	return hash;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_attributes(const char *path)
{
	static char names[4096], value[4096];
	ssize_t size = llistxattr(path, names, sizeof(names));
	char *sorted[64];
	size_t count = 0;

	must(size >= 0, path);
	for (char *name = names; name < names + size && count < 64; name += strlen(name) + 1)
		sorted[count++] = name;
	qsort(sorted, count, sizeof(*sorted), by_text);
	for (size_t i = 0; i < count; i++) {
		ssize_t length = lgetxattr(path, sorted[i], value, sizeof(value));

		must(length >= 0, sorted[i]);
		printf(" %s=%zd:%016llx", sorted[i], length,
		       (unsigned long long)hash_add(0, value, (size_t)length));
	}
}

static void list_one(const char *path)
{
	char target[1024] = "";
	struct stat s;

	must(!lstat(path, &s), path);
	printf("%s %o %u:%u links %lu size %lld blocks %lld device %llx modified %lld.%09ld", path,
	       s.st_mode, s.st_uid, s.st_gid, (unsigned long)s.st_nlink, (long long)s.st_size,
	       (long long)s.st_blocks, (unsigned long long)s.st_rdev, (long long)s.st_mtim.tv_sec,
	       s.st_mtim.tv_nsec);
	if (S_ISREG(s.st_mode))
		printf(" %016llx", (unsigned long long)hash_file(path, s.st_size));
	if (S_ISLNK(s.st_mode)) {
		must(readlink(path, target, sizeof(target) - 1) == s.st_size, path);
		printf(" -> %s", target);
	}
	if (!S_ISLNK(s.st_mode))
		list_attributes(path);
	printf("\n");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void list_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, by_name);

	must(count >= 0, path);
	for (int i = 0; i < count; i++) {
		char below[5000];

		if (!strcmp(entries[i]->d_name, ".") || !strcmp(entries[i]->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
		list_one(below);
		if (entries[i]->d_type == DT_DIR)
			list_folder(below);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	umask(0);
	if (argc > 2 && !strcmp(argv[1], "make")) {
		state = strtoull(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ULL + 1;
		make_sizes();
		make_names();
		make_shapes();
		make_kinds();
		make_attributes();
		return 0;
	}
	if (argc < 2 || strcmp(argv[1], "list"))
		return 2;
	list_one(".");
	list_folder(".");
	return 0;
}
