/*
 * The marks of chattr(1): FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, and what immutable and append-only files refuse, root or not. In the working
 * folder, whatever filesystem that is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "gives.h"

static int flags_of(const char *path)
{
	int fd = open(path, O_RDONLY), flags = -1;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		flags = -1;
	close(fd);
	return flags;
}

/* Sets what chattr would: the given ones of i, a, d and A; others stay. */
static int mark(const char *path, int flags)
{
	const int ours = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL;
	int fd = open(path, O_RDONLY), all = (flags_of(path) & ~ours) | flags, result, error;

	result = ioctl(fd, FS_IOC_SETFLAGS, &all);
	error = errno;
	close(fd);
	errno = error;
	return result;
}

static void make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0666);

	gives(4, write(fd, "text", 4));
	close(fd);
}

static void immutable_files_stay(void)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	int early, fd;

	make("f");
	early = open("f", O_RDWR);
	gives(0, mark("f", FS_IMMUTABLE_FL | FS_NODUMP_FL));
	tap_ok((flags_of("f") & (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL)) ==
		       (FS_IMMUTABLE_FL | FS_NODUMP_FL),
	       "flags are as they were set");
	gives(-EPERM, open("f", O_RDWR));
	gives(-EPERM, open("f", O_RDONLY | O_TRUNC));
	gives(-EPERM, write(early, "x", 1));
	gives(-EPERM, ftruncate(early, 1));
	gives(-EPERM, fallocate(early, 0, 0, 10));
	gives(-EPERM, truncate("f", 1));
	gives(-EPERM, unlink("f"));
	gives(-EPERM, rename("f", "g"));
	gives(-EPERM, link("f", "g"));
	gives(-EPERM, chmod("f", 0600));
	gives(-EPERM, chown("f", 1, -1));
	gives(-EPERM, utimensat(AT_FDCWD, "f", now, 0));
	gives(-EPERM, setxattr("f", "trusted.a", "b", 1, 0));
	gives(-EPERM, access("f", W_OK));
	fd = open("f", O_RDONLY);
	tap_ok(fd >= 0, "it can be opened");
	close(fd);
	close(early);
	gives(0, mark("f", 0));
	gives(0, unlink("f"));
}

static void append_only_files_grow(void)
{
	struct timespec times[2] = { { 1, 1 }, { 2, 2 } },
			now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	char bytes[9] = "";
	int fd;

	make("f");
	gives(0, mark("f", FS_APPEND_FL));
	gives(-EPERM, open("f", O_RDWR));
	gives(-EPERM, open("f", O_WRONLY | O_APPEND | O_TRUNC));
	fd = open("f", O_RDWR | O_APPEND);
	tap_ok(fd >= 0, "it can be opened");
	gives(4, write(fd, "more", 4));
	gives(8, pread(fd, bytes, 8, 0));
	tap_ok(!strcmp(bytes, "textmore"), "bytes are added at the end");
	gives(-EPERM, fcntl(fd, F_SETFL, 0));
	gives(-EPERM, ftruncate(fd, 1));
	gives(-EPERM, truncate("f", 1));
	gives(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100));
	gives(-EPERM, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1));
	tap_ok(mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES,
	       "it cannot be mapped shared from a descriptor for writing");
	gives(-EPERM, unlink("f"));
	gives(-EPERM, rename("f", "g"));
	gives(-EPERM, link("f", "g"));
	gives(-EPERM, chmod("f", 0600));
	gives(-EPERM, utimensat(AT_FDCWD, "f", times, 0));
	gives(0, utimensat(AT_FDCWD, "f", now, 0));
	close(fd);
	gives(0, mark("f", 0));
	gives(0, unlink("f"));
}

static void folders_are_marked_too(void)
{
	gives(0, mkdir("d", 0777));
	make("d/f");
	gives(0, mark("d", FS_APPEND_FL));
	make("d/g");
	gives(-EPERM, unlink("d/f"));
	gives(-EPERM, rename("d/f", "d/h"));
	gives(0, mark("d", FS_IMMUTABLE_FL));
	gives(-EPERM, open("d/h", O_RDWR | O_CREAT, 0666));
	gives(-EPERM, mkdir("d/h", 0777));
	gives(-EPERM, symlink("x", "d/h"));
	gives(-EPERM, unlink("d/f"));
	gives(-EPERM, rmdir("d"));
	make("d/f"); /* what is in it may change */
	gives(0, mark("d", 0));
	gives(0, unlink("d/f"));
	gives(0, unlink("d/g"));
	gives(0, rmdir("d"));
}

static void others_may_not(void)
{
	int flags = FS_UNRM_FL | 1 << 30, fd, status;

	make("f");
	fd = open("f", O_RDONLY);
	gives(-EFAULT, ioctl(fd, FS_IOC_SETFLAGS, NULL));
	gives(-EOPNOTSUPP, ioctl(fd, FS_IOC_SETFLAGS, &flags));
	gives(0, chown("f", 1000, 1000));
	if (!fork()) {
		int wrong = 0;

		flags = flags_of("f") | FS_IMMUTABLE_FL;
		wrong |= setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000);
		wrong |= !ioctl(fd, FS_IOC_SETFLAGS, &flags) || errno != EPERM; /* no privilege */
		flags = (flags & ~FS_IMMUTABLE_FL) | FS_NODUMP_FL;
		wrong |= ioctl(fd, FS_IOC_SETFLAGS, &flags) != 0; /* its own file */
		_exit(wrong);
	}
	wait(&status);
	tap_ok(!status, "an owner sets what needs no privilege");
	gives(0, chown("f", 0, 0));
	if (!fork()) {
		flags &= ~FS_NODUMP_FL;
		_exit(setresuid(1000, 1000, 1000) || !ioctl(fd, FS_IOC_SETFLAGS, &flags) ||
		      errno != EPERM);
	}
	wait(&status);
	tap_ok(!status, "others set nothing");
	close(fd);
	gives(0, unlink("f"));
}

static void statx_tells(void)
{
	struct statx told;

	make("f");
	gives(0, mark("f", FS_APPEND_FL | FS_NODUMP_FL));
	gives(0, statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &told));
	tap_ok((told.stx_attributes & told.stx_attributes_mask) ==
		       (STATX_ATTR_APPEND | STATX_ATTR_NODUMP),
	       "statx tells of append-only and nodump");
	gives(0, mark("f", 0));
	gives(0, unlink("f"));
}

int main(void)
{
	if (flags_of(".") < 0) {
		tap_ok(errno == ENOTTY, "there are none here # SKIP");
		return tap_end();
	}
	immutable_files_stay();
	append_only_files_grow();
	folders_are_marked_too();
	others_may_not();
	statx_tells();
	return tap_end();
}
