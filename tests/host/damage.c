/*
 * For ext4_damaged.sh, in a guest: good images are damaged at random, mounted, and all that a program can do to them is done.
 * Errors are right, and must be said in the log; what must not be is a crash, a hang, or a write outside of the image.
 *
 *	damage TYPE FIRST COUNT IMAGE...	damaged images FIRST and on; what damage n is depends on n alone
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../images/damage.h"

#define GUARD                                                                                      \
	65536u /* bytes on each side of the image, in the loop's file, that nobody may touch */
#define GUARD_BYTE 0x5a
#define CHANGES_MAX 4
#define SECONDS_MAX 120
#define PLACE "/m"

struct base {
	char *bytes;
	size_t size;
	struct damage_blocks used;
};

static const char *type;
static int damage_errno; /* what the filesystem says of a damaged structure */
static int errors;	 /* that said so */

static void must(bool good, const char *what)
{
	if (good)
		return;
	printf("damage: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void note(long result)
{
	if (result < 0 && errno == damage_errno)
		errors++;
}

/* ---- Looking and changing ---- */

static void look_at(const char *path, const struct stat *status)
{
	static char data[70000];
	int fd;

	note(listxattr(path, data, sizeof(data)));
	note(getxattr(path, "user.b", data, sizeof(data)));
	note(getxattr(path, "system.posix_acl_access", data, sizeof(data)));
	if (S_ISLNK(status->st_mode))
		note(readlink(path, data, sizeof(data)));
	if (!S_ISREG(status->st_mode))
		return;
	fd = open(path, O_RDONLY);
	note(fd);
	note(read(fd, data, sizeof(data)));
	note(pread(fd, data, 5000, status->st_size - 5000));
	note(lseek(fd, 1000, SEEK_HOLE));
	close(fd);
}

static void look_below(const char *path, int depth)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int names = 0;

	if (!folder) {
		note(-1);
		return;
	}
	while (errno = 0, (entry = readdir(folder)) && names++ < 300) {
		char below[5000];
		struct stat status;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (lstat(below, &status)) {
			note(-1);
			continue;
		}
		look_at(below, &status);
		if (S_ISDIR(status.st_mode) && depth < 8)
			look_below(below, depth + 1);
	}
	if (errno == damage_errno)
		errors++;
	closedir(folder);
}

static void write_into(const char *path, off_t at, size_t size, int flags)
{
	static char data[60000];
	int fd = open(path, O_RDWR | flags, 0644);

	note(fd);
	note(pwrite(fd, data, size, at));
	note(fsync(fd));
	close(fd);
}

static void punch(const char *path, int mode, off_t at, off_t length)
{
	int fd = open(path, O_RDWR);

	note(fallocate(fd, mode, at, length));
	close(fd);
}

static void disturb(void)
{
	static char data[600];

	write_into("new", 2000, 5000, O_CREAT);
	write_into("holes", 1500, 30000, 0);
	write_into("s", 0, 100, 0);
	punch("holes", FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 20000, 30000);
	punch("holes", 0, 150000, 60000);
	note(truncate("holes", 7777));
	note(truncate("whole", 1));
	note(mkdir("d/another_name", 0755));
	write_into("in/y", 0, 10, O_CREAT);
	note(symlink("x", "again"));
	note(rename("new", "d/new"));
	note(rename("d/another_name", "moved"));
	note(setxattr("whole", "user.b", data, 300, 0));
	note(removexattr("holes", "trusted.c"));
	note(unlink("d/first"));
	note(unlink("long"));
	note(unlink("holes"));
	note(rmdir("moved"));
	sync();
}

/* ---- One image ---- */

static int exercise(const char *device)
{
	bool read_only = !strcmp(type, "squashfs");

	if (mount(device, PLACE, type, read_only ? MS_RDONLY : 0, "errors=continue"))
		return errno == damage_errno || errno == EINVAL;
	if (chdir(PLACE)) {
		note(-1);
	} else {
		look_below(".", 0);
		disturb();
		look_below(".", 0);
		must(!chdir("/"), "leaving");
	}
	must(!umount(PLACE), "umount");
	return errors != 0;
}

/* The image, damaged, between two guards. */
static void image_write(int file, const struct base *base, unsigned int seed)
{
	static char guard[GUARD];
	char *bytes = malloc(base->size);
	uint8_t record[DAMAGE_RECORD];

	must(bytes != NULL, "memory");
	srand(seed + 1);
	memcpy(bytes, base->bytes, base->size);
	for (int changes = 1 + rand() % CHANGES_MAX; changes--;) {
		for (int i = 0; i < DAMAGE_RECORD; i++)
			record[i] = (uint8_t)(rand() >> 7);
		damage(&base->used, bytes, record);
	}
	memset(guard, GUARD_BYTE, sizeof(guard));
	must(!ftruncate(file, 0) && pwrite(file, guard, GUARD, 0) == GUARD &&
		     pwrite(file, bytes, base->size, GUARD) == (ssize_t)base->size &&
		     pwrite(file, guard, GUARD, (off_t)(GUARD + base->size)) == GUARD,
	     "writing the image");
	free(bytes);
}

static bool guards_whole(int file, const struct base *base)
{
	static char guard[2 * GUARD];
	struct stat status;

	must(pread(file, guard, GUARD, 0) == GUARD &&
		     pread(file, guard + GUARD, GUARD, (off_t)(GUARD + base->size)) == GUARD &&
		     !fstat(file, &status),
	     "reading the guards");
	for (size_t i = 0; i < sizeof(guard); i++)
		if (guard[i] != GUARD_BYTE)
			return false;
	return status.st_size == (off_t)(base->size + 2 * GUARD);
}

/* How many lines the kernel's log has got from the filesystem since the last call. */
static int lines_said(int log)
{
	char line[8192], prefix[32];
	ssize_t got;
	int count = 0;

	snprintf(prefix, sizeof(prefix), "%s: ", type);
	while ((got = read(log, line, sizeof(line) - 1)) > 0 || (got < 0 && errno == EPIPE)) {
		line[got > 0 ? got : 0] = 0;
		count += strstr(line, prefix) || strstr(line, "EXT4-fs");
	}
	return count;
}

/* One damaged image: in a process of its own, which must end by itself. 1: an error was met. */
static int try_one(const struct base *base, unsigned int number, int file, int log)
{
	struct loop_config config = { .fd = (__u32)file,
				      .info = { .lo_offset = GUARD, .lo_sizelimit = base->size } };
	int control = open("/dev/loop-control", O_RDWR), loop, status, minor;
	char device[32];

	image_write(file, base, number);
	(void)lines_said(log);
	minor = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(device, sizeof(device), "/dev/loop%d", minor);
	loop = open(device, O_RDWR);
	must(loop >= 0 && !ioctl(loop, LOOP_CONFIGURE, &config), device);
	if (!fork()) {
		alarm(SECONDS_MAX);
		exit(exercise(device));
	}
	must(wait(&status) > 0, "wait");
	must(!ioctl(loop, LOOP_CLR_FD, 0) && !close(loop) && !close(control), "LOOP_CLR_FD");
	must(WIFEXITED(status), "it took too long");
	must(guards_whole(file, base), "bytes outside of the image were changed");
	if (WEXITSTATUS(status) && !lines_said(log)) {
		errno = 0;
		must(false, "an error without a line in the log");
	}
	return WEXITSTATUS(status);
}

static void base_read(struct base *base, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat status;

	must(fd >= 0 && !fstat(fd, &status), path);
	base->size = (size_t)status.st_size;
	base->bytes = malloc(base->size);
	must(base->bytes && read(fd, base->bytes, base->size) == (ssize_t)base->size, path);
	close(fd);
	damage_blocks_find(&base->used, base->bytes, base->size);
}

int main(int argc, char **argv)
{
	struct base bases[16];
	unsigned int first, count, kinds = (unsigned int)argc - 4, met = 0;
	int file = open("/tmp/damaged", O_RDWR | O_CREAT, 0600),
	    log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	if (argc < 5 || kinds > 16)
		return 2;
	must(file >= 0 && log >= 0, "opening");
	type = argv[1];
	damage_errno = strcmp(type, "ext4") ? EIO : EUCLEAN;
	first = (unsigned int)atoi(argv[2]);
	count = (unsigned int)atoi(argv[3]);
	mkdir(PLACE, 0755);
	for (unsigned int i = 0; i < kinds; i++)
		base_read(&bases[i], argv[4 + i]);
	for (unsigned int i = first; i < first + count; i++) {
		if (i % 20 == 0) {
			printf("image %u\n", i);
			fflush(stdout);
		}
		met += (unsigned int)try_one(&bases[i % kinds], i, file, log);
	}
	printf("%u damaged images, an error in %u of them\n", count, met);
	return met < count / 10; /* that few would mean that nothing was looked at */
}
