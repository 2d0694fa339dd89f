/*
 * For damaged.sh, in a guest: good images are damaged at random, mounted, and all that a program can do to them is done. Errors are
 * right, and each image that gave one must have a line in the log that names its device (the log's limits are a mount's and a
 * device's own, so that what others said takes nothing away). What must not be is a crash, a hang, or a write outside of the image.
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
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../images/damage.h"

#define GUARD                                                                                      \
	65536u /* bytes on each side of the image, in the loop's file, that nobody may touch */
#define GUARD_BYTE 0x5a
#define CHANGES_FEW 4 /* at most: what they are in is looked at to its end */
#define CHANGES_MANY 24
#define SECONDS_MAX 120
#define ERROR_LENGTH 4096u
#define WORKERS 2 /* that try images at the same time */

struct base {
	char *bytes;
	size_t size;
	struct damage_blocks used;
};

static const char *type;
static bool read_only; /* the filesystem: nothing of the image changes */
static char place[16];
static int errors;	  /* that told of damage */
static char *first_error; /* of the child, which shares it */

static void must(bool good, const char *what)
{
	if (good)
		return;
	printf("damage: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Of a damaged structure (EUCLEAN: ext4), or of bytes that cannot be had. */
static bool is_damage(void)
{
	return errno == EIO || errno == EUCLEAN;
}

/* The first is kept, for whoever looks for why the log says nothing. */
static void note_result(long result, const char *call)
{
	if (result < 0 && is_damage() && !errors++)
		snprintf(first_error, ERROR_LENGTH, "%s: %s", call, strerror(errno));
}
#define note(call) note_result(call, #call)

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
		note_result(-1, "opendir");
		return;
	}
	while (errno = 0, (entry = readdir(folder)) && names++ < 300) {
		char below[5000];
		struct stat status;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (lstat(below, &status)) {
			note_result(-1, "lstat");
			continue;
		}
		look_at(below, &status);
		if (S_ISDIR(status.st_mode) && depth < 8)
			look_below(below, depth + 1);
	}
	note_result(-!!errno, "readdir");
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
	if (mount(device, place, type, read_only ? MS_RDONLY : 0, "errors=continue")) {
		snprintf(first_error, ERROR_LENGTH, "mount: %s", strerror(errno));
		return 1; /* whatever the errno, who mounts must be told why */
	}
	if (chdir(place)) {
		note_result(-1, "chdir");
	} else {
		look_below(".", 0);
		disturb();
		look_below(".", 0);
		must(!chdir("/"), "leaving");
	}
	must(!umount(place), "umount");
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
	for (int changes = 1 + rand() % (seed / 2 % 2 ? CHANGES_FEW : CHANGES_MANY); changes--;) {
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

/* A sum over a part of the file. */
static uint64_t sum(int file, off_t from, size_t size)
{
	static unsigned char data[GUARD];
	uint64_t result = 1;

	for (ssize_t got; size; size -= (size_t)got, from += got) {
		got = pread(file, data, size < GUARD ? size : GUARD, from);
		must(got > 0, "reading the image");
		for (ssize_t i = 0; i < got; i++)
			result = (result ^ data[i]) * 0x100000001b3u;
	}
	return result;
}

/* What must be the same afterwards: both guards, and of a filesystem that is read-only what lies between. */
static uint64_t sum_kept(int file, const struct base *base)
{
	off_t end = (off_t)(GUARD + base->size);
	struct stat status;

	must(!fstat(file, &status), "fstat");
	if (status.st_size != end + (off_t)GUARD)
		return 0;
	return read_only ? sum(file, 0, (size_t)status.st_size)
			 : sum(file, 0, GUARD) ^ sum(file, end, GUARD) << 1;
}

/* How many lines the kernel's log has got that name the device since the last call. */
static int lines_said(int log, const char *device)
{
	char line[8192], name[32];
	ssize_t got;
	int count = 0;

	snprintf(name, sizeof(name), " %s: ", device + strlen("/dev/"));
	while ((got = read(log, line, sizeof(line) - 1)) > 0 || (got < 0 && errno == EPIPE)) {
		line[got > 0 ? got : 0] = 0;
		count += strstr(line, name) != NULL;
	}
	return count;
}

/* Looks at the image in a process of its own, which must end by itself. NULL, or what was wrong; *met: it gave an error. */
static const char *fault_of(const char *device, int log, bool *met)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child) {
		alarm(SECONDS_MAX);
		exit(exercise(device));
	}
	must(child > 0 && wait(&status) > 0, "waiting");
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGALRM ? "it took too long" : "the program was killed";
	*met = WEXITSTATUS(status);
	if (WEXITSTATUS(status) > 1)
		return "it was not left as it should";
	return *met && !lines_said(log, device) ? "an error without a line in the log" : NULL;
}

/* A free loop device for the file; its descriptor, and its name in `device`. */
static int loop_make(const struct loop_config *config, char device[32])
{
	int control = open("/dev/loop-control", O_RDWR), loop, made;

	must(control >= 0, "/dev/loop-control");
	do {
		snprintf(device, 32, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
		loop = open(device, O_RDWR);
		must(loop >= 0, device);
		made = ioctl(loop, LOOP_CONFIGURE, config);
		if (made)
			close(loop);
	} while (made && errno == EBUSY); /* another worker was first */
	must(!made, device);
	close(control);
	return loop;
}

/* One damaged image. False: something was wrong, which was said. */
static bool try_one(const struct base *base, unsigned int number, int file, int log, bool *met)
{
	struct loop_config config = { .fd = (__u32)file,
				      .info = { .lo_offset = GUARD, .lo_sizelimit = base->size } };
	const char *fault;
	char device[32];
	uint64_t kept;
	int loop;

	*first_error = 0;
	image_write(file, base, number);
	loop = loop_make(&config, device);
	kept = sum_kept(file, base);
	(void)lines_said(log, device);
	fault = fault_of(device, log, met);
	must(!ioctl(loop, LOOP_CLR_FD, 0) && !close(loop), "LOOP_CLR_FD");
	if (!fault && sum_kept(file, base) != kept)
		fault = "bytes that are none of its were changed";
	if (fault)
		printf("damage: image %u: %s (%s)\n", number, fault, first_error);
	return !fault;
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

/* Every WORKERS-th of the images. 0: each was as it should be, and an error was met in enough of them. */
static int work(int worker, const struct base *bases, unsigned int kinds, unsigned int first,
		unsigned int count)
{
	unsigned int tried = 0, met = 0, faults = 0;
	int file, log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	char path[32];

	snprintf(path, sizeof(path), "/tmp/damaged%d", worker);
	snprintf(place, sizeof(place), "/m%d", worker);
	mkdir(place, 0755);
	file = open(path, O_RDWR | O_CREAT, 0600);
	first_error =
		mmap(NULL, ERROR_LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(file >= 0 && log >= 0 && first_error != MAP_FAILED, "beginning");
	for (unsigned int i = first + (unsigned int)worker; i < first + count; i += WORKERS) {
		bool error = false;

		if (tried++ % 20 == 0)
			printf("image %u\n", i);
		faults += !try_one(&bases[i % kinds], i, file, log, &error);
		met += error;
	}
	printf("%u damaged images, an error in %u of them\n", tried, met);
	fflush(stdout);
	return faults || met < tried / 10; /* so few would mean that nothing was looked at */
}

int main(int argc, char **argv)
{
	unsigned int first, count, kinds = (unsigned int)argc - 4;
	struct base bases[16];
	int status, wrong = 0;

	if (argc < 5 || kinds > 16)
		return 2;
	type = argv[1];
	read_only = !strcmp(type, "squashfs");
	first = (unsigned int)atoi(argv[2]);
	count = (unsigned int)atoi(argv[3]);
	for (unsigned int i = 0; i < kinds; i++)
		base_read(&bases[i], argv[4 + i]);
	for (int worker = 0; worker < WORKERS; worker++)
		if (!fork())
			exit(work(worker, bases, kinds, first, count));
	while (wait(&status) > 0)
		wrong |= status;
	return wrong != 0;
}
