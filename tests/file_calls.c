/*
 * Corners of the calls on open files: preadv2's flags, owners of signals, advice, statx, copy_file_range. In a tmpfs.
 */
#include "files.h"

#include <linux/fs.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static char buffer[100];
static int fd, ends[2];

static void test_vectors(void)
{
	struct iovec one = { buffer, 4 };

	GIVES(4, pwritev2(fd, &one, 1, 0, RWF_DSYNC));
	GIVES(4, pwritev2(fd, &one, 1, 0, RWF_APPEND));
	TRUE(lseek(fd, 0, SEEK_END) == 8);
	lseek(fd, 0, SEEK_SET);
	GIVES(4, pwritev2(fd, &one, 1, -1, RWF_APPEND));
	TRUE(lseek(fd, 0, SEEK_CUR) == 12);
	GIVES(4, preadv2(fd, &one, 1, 2, RWF_HIPRI));
	FAILS(EOPNOTSUPP, preadv2(fd, &one, 1, 0, 0x1000));
	FAILS(EOPNOTSUPP, pwritev2(fd, &one, 1, 0, 0x1000));
	FAILS(EINVAL, preadv2(fd, &one, 1, -2, 0));
	FAILS(EBADF, preadv2(-1, &one, 1, 0, 0x1000));
	FAILS(EOPNOTSUPP, preadv2(ends[0], &one, 1, -1, RWF_NOWAIT));
	FAILS(ESPIPE, preadv2(ends[0], &one, 1, 0, 0));
}

static void test_owners(void)
{
	struct f_owner_ex owner = { F_OWNER_PGRP, getpgrp() };

	WORKS(fcntl(ends[0], F_GETOWN));
	WORKS(fcntl(ends[0], F_SETOWN, getpid()));
	GIVES(getpid(), fcntl(ends[0], F_GETOWN));
	FAILS(ESRCH, fcntl(ends[0], F_SETOWN, 99999999));
	FAILS(ESRCH, fcntl(ends[0], F_SETOWN, -99999999));
	FAILS(EINVAL, fcntl(ends[0], F_SETOWN, (int)0x80000000));
	WORKS(fcntl(ends[0], F_SETOWN_EX, &owner));
	owner = (struct f_owner_ex){ 77, 77 };
	WORKS(fcntl(ends[0], F_GETOWN_EX, &owner));
	TRUE(owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
	owner = (struct f_owner_ex){ F_OWNER_TID, getpid() };
	WORKS(fcntl(ends[0], F_SETOWN_EX, &owner));
	WORKS(fcntl(ends[0], F_GETOWN_EX, &owner));
	TRUE(owner.type == F_OWNER_TID && owner.pid == getpid());
	owner.type = 3;
	FAILS(EINVAL, fcntl(ends[0], F_SETOWN_EX, &owner));
	FAILS(EFAULT, fcntl(ends[0], F_SETOWN_EX, 8));
	WORKS(fcntl(ends[0], F_SETOWN, 0));
	WORKS(fcntl(ends[0], F_GETOWN));
	WORKS(fcntl(ends[0], F_SETSIG, SIGRTMIN));
	GIVES(SIGRTMIN, fcntl(ends[0], F_GETSIG));
	FAILS(EINVAL, fcntl(ends[0], F_SETSIG, 65));
	FAILS(EINVAL, fcntl(fd, F_SETFL, O_DIRECT));
	FAILS(EINVAL, open("file", O_RDWR | O_DIRECT));
	WORKS(fcntl(ends[1], F_SETFL, O_DIRECT));
	WORKS(fcntl(ends[1], F_SETFL, 0));
}

static void test_advice(void)
{
	WORKS(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	TRUE(posix_fadvise(fd, 0, 0, 77) == EINVAL);
	TRUE(posix_fadvise(fd, 0, -1, 0) == EINVAL);
	TRUE(posix_fadvise(-1, 0, 0, 0) == EBADF);
	TRUE(posix_fadvise(ends[0], 0, 0, 0) == ESPIPE);
	WORKS(readahead(fd, 0, 100));
	FAILS(EBADF, readahead(-1, 0, 100));
	FAILS(EINVAL, readahead(ends[0], 0, 100));
	FAILS(EBADF, readahead(ends[1], 0, 100));
	WORKS(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	FAILS(EINVAL, sync_file_range(fd, 0, 0, 8));
	FAILS(EINVAL, sync_file_range(fd, -1, 0, 0));
	FAILS(EINVAL, sync_file_range(fd, 0, -1, 0));
	FAILS(ESPIPE, sync_file_range(ends[0], 0, 0, 0));
	FAILS(EBADF, sync_file_range(-1, 0, 0, 0));
	WORKS(syncfs(fd));
	FAILS(EBADF, syncfs(-1));
	FAILS(EINVAL, flock(-1, 77));
	FAILS(EBADF, flock(-1, LOCK_SH));
}

static void test_statx(void)
{
	struct statx top_x, file_x;
	int size = 0;

	WORKS(statx(AT_FDCWD, top, 0, STATX_ALL, &top_x));
	WORKS(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &file_x));
	TRUE((top_x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	TRUE(top_x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT);
	TRUE(top_x.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	TRUE(!(file_x.stx_attributes & STATX_ATTR_MOUNT_ROOT));
	TRUE((file_x.stx_mask & STATX_MNT_ID) && file_x.stx_mnt_id == top_x.stx_mnt_id);
	FAILS(EINVAL, statx(fd, "", AT_EMPTY_PATH, 1U << 31, &file_x));
	FAILS(EINVAL, statx(fd, "", 1, 0, &file_x));
	FAILS(EINVAL, statx(fd, "", AT_EMPTY_PATH | AT_STATX_SYNC_TYPE, 0, &file_x));
	FAILS(ENOENT, statx(fd, "", 0, 0, &file_x));
	FAILS(EBADF, statx(-1, "", AT_EMPTY_PATH, 0, &file_x));
	FAILS(EFAULT, statx(fd, "", AT_EMPTY_PATH, 0, (void *)8));
	WORKS(statx(ends[0], "", AT_EMPTY_PATH, STATX_TYPE, &file_x));
	TRUE(S_ISFIFO(file_x.stx_mode));
	WORKS(statx(AT_FDCWD, "", AT_EMPTY_PATH, STATX_INO, &file_x));
	TRUE(file_x.stx_ino == top_x.stx_ino);
	WORKS(ioctl(fd, FIGETBSZ, &size));
	TRUE(size == 4096);
}

static void test_copies(void)
{
	off64_t from = 0, to = 0x7ffffffffffffff0;
	int out = open("out", O_CREAT | O_RDWR, 0600), append = open("out", O_WRONLY | O_APPEND);

	GIVES(12, copy_file_range(fd, &from, out, NULL, 0x7fffffff, 0));
	TRUE(from == 12);
	from = 2;
	FAILS(EOVERFLOW, copy_file_range(fd, &from, out, NULL, (size_t)-1, 0));
	from = 0;
	to = 0x7fffffffffffffff;
	FAILS(EFBIG, copy_file_range(fd, &from, out, &to, 10, 0));
	FAILS(EBADF, copy_file_range(fd, NULL, append, NULL, 1, 0));
	FAILS(EINVAL, copy_file_range(fd, NULL, ends[1], NULL, 1, 0));
	FAILS(EINVAL, copy_file_range(fd, NULL, out, NULL, 1, 1));
	to = 2;
	from = 0;
	FAILS(EINVAL, copy_file_range(fd, &from, fd, &to, 4, 0));
	FAILS(EINVAL, sendfile(append, fd, NULL, 1));
	GIVES(4, sendfile(ends[1], fd, &from, 4));
	TRUE(from == 4);
	GIVES(4, read(ends[0], buffer, sizeof(buffer)));
	FAILS(EINVAL, sendfile(out, ends[0], NULL, 1));
	FAILS(EBADF, sendfile(ends[0], fd, NULL, 1));
	from = -1;
	FAILS(EINVAL, sendfile(out, fd, &from, 1));
	close(out);
	close(append);
	WORKS(unlink("out"));
}

static void test_mounts(void)
{
	struct stat st;
	int writer;

	WORKS(mkdir("m", 0755));
	WORKS(mount("none", "m", "tmpfs", 0, NULL));
	writer = open("m/f", O_CREAT | O_WRONLY, 0600);
	FAILS(EBUSY, mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(EBUSY, umount2("m", MNT_EXPIRE));
	FAILS(EBUSY, umount("m"));
	close(writer);
	writer = open("m/f", O_RDONLY);
	WORKS(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(EROFS, open("m/f", O_WRONLY));
	WORKS(mount("none", "m", NULL, MS_REMOUNT, NULL));
	close(writer);
	WORKS(renameat2(AT_FDCWD, "m/f", AT_FDCWD, "m/g", RENAME_WHITEOUT));
	TRUE(mode_of("m/g") == (S_IFREG | 0600));
	WORKS(lstat("m/f", &st));
	TRUE(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	FAILS(EINVAL, renameat2(AT_FDCWD, "m/f", AT_FDCWD, "m/g", RENAME_WHITEOUT | RENAME_EXCHANGE));
	WORKS(renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/f", RENAME_WHITEOUT));
	TRUE(mode_of("m/f") == (S_IFREG | 0600));
	FAILS(EINVAL, umount2("m", MNT_EXPIRE | MNT_DETACH));
	FAILS(EINVAL, umount2("m", MNT_EXPIRE | MNT_FORCE));
	FAILS(EAGAIN, umount2("m", MNT_EXPIRE));
	WORKS(umount2("m", MNT_EXPIRE));
	FAILS(EINVAL, umount2("m", 0));
	FAILS(EINVAL, umount2("m", 0x100));
	WORKS(rmdir("m"));
}

int main(void)
{
	begin();
	WORKS(mount("none", top, "tmpfs", 0, NULL));
	WORKS(chdir(top));
	fd = open("file", O_CREAT | O_RDWR, 0600);
	if (pipe(ends))
		return 1;
	test_vectors();
	test_owners();
	test_advice();
	test_statx();
	test_copies();
	test_mounts();
	close(fd);
	WORKS(chdir("/"));
	WORKS(umount(top));
	return end();
}
