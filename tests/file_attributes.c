/* What changes with a file besides its bytes: set-id bits, times, a directory's size; and what statx and statfs say of it. */
#include "files.h"

#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static unsigned int permissions_of(const char *name)
{
	return mode_of(name) & 07777;
}

static void test_chown_takes_set_id_bits(void)
{
	make_file("owned", "x");
	chmod("owned", 06755);
	WORKS(chown("owned", 1000, 1000));
	GIVES(0755, permissions_of("owned"));
	chmod("owned", 06755);
	WORKS(chown("owned", -1, -1));
	GIVES(0755, permissions_of("owned"));
	chmod("owned", 06745);
	WORKS(chown("owned", 1, 1));
	GIVES(02745, permissions_of("owned"));
	unlink("owned");

	mkfifo("fifo", 0600);
	chmod("fifo", 06711);
	WORKS(chown("fifo", 1, 1));
	GIVES(0711, permissions_of("fifo"));
	unlink("fifo");
	mkdir("directory", 0755);
	chmod("directory", 06755);
	WORKS(chown("directory", 1, 1));
	GIVES(06755, permissions_of("directory"));
	rmdir("directory");
}

static int shared_fd;

static void user_changes_contents(void)
{
	CHECK(ftruncate(shared_fd, 0) == 0);
	CHECK(permissions_of("shared") == 0777);
}

static void user_allocates(void)
{
	CHECK(fallocate(shared_fd, 0, 0, 10) == 0);
	CHECK(permissions_of("shared") == 0777);
}

static void user_truncates_name(void)
{
	CHECK(truncate("shared", 10) == 0);
	CHECK(permissions_of("shared") == 0767);
}

static void test_contents_take_set_id_bits(void)
{
	make_file("shared", "x");
	shared_fd = open("shared", O_RDWR);
	chmod("shared", 06777);
	WORKS(ftruncate(shared_fd, 0)); /* who may set the bits keeps them */
	GIVES(06777, permissions_of("shared"));
	tap_ok(as_user(user_changes_contents) == 0, "ftruncate by another user takes set-id bits away");
	chmod("shared", 06777);
	tap_ok(as_user(user_allocates) == 0, "so does fallocate");
	chmod("shared", 06767);
	tap_ok(as_user(user_truncates_name) == 0,
	       "the group's, too, where the user is not in the group");
	close(shared_fd);
	unlink("shared");
}

static void test_a_link_has_no_mode(void)
{
	char name[64];
	int fd;

	if (symlink("nowhere", "link"))
		return;
	fd = open("link", O_PATH | O_NOFOLLOW);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	FAILS(EOPNOTSUPP, chmod(name, 0600));
	GIVES(0777, permissions_of("link"));
	close(fd);
	unlink("link");
}

static void test_times_before_1970(void)
{
	struct timespec times[2] = { { -5, 250 }, { -1, 0 } };
	struct statx statx_result;
	struct stat st;

	make_file("old", "");
	WORKS(utimensat(AT_FDCWD, "old", times, 0));
	WORKS(stat("old", &st));
	TRUE(st.st_atim.tv_sec == -5 && st.st_atim.tv_nsec == 250);
	TRUE(st.st_mtim.tv_sec == -1 && st.st_mtim.tv_nsec == 0);
	WORKS(statx(AT_FDCWD, "old", 0, STATX_ALL, &statx_result));
	TRUE(statx_result.stx_atime.tv_sec == -5 && statx_result.stx_atime.tv_nsec == 250);
	unlink("old");
}

static long size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : (long)st.st_size;
}

static void test_sizes_of_directories(void)
{
	mkdir("directory", 0755);
	GIVES(40, size_of("directory"));
	make_file("directory/a", "");
	make_file("directory/b", "");
	GIVES(80, size_of("directory"));
	unlink("directory/a");
	unlink("directory/b");
	rmdir("directory");
}

static void test_what_is_told(void)
{
	struct statx told;
	struct statfs fs;
	int ends[2], fd = open(".", O_TMPFILE | O_RDWR, 0600);

	TRUE((fcntl(fd, F_GETFL) & O_TMPFILE) == O_TMPFILE);
	close(fd);
	WORKS(statx(AT_FDCWD, ".", 0, STATX_BASIC_STATS, &told));
	TRUE(!(told.stx_mask & STATX_BTIME));
	WORKS(pipe(ends));
	WORKS(fstatfs(ends[0], &fs));
	TRUE(fs.f_type == PIPEFS_MAGIC);
	FAILS(EINVAL, lseek(open(".", O_RDONLY), 0, SEEK_END));
	close(ends[0]);
	close(ends[1]);
}

static void test_umount_of_what_expires(void)
{
	struct stat st;

	mkdir("expires", 0755);
	WORKS(mount("x", "expires", "tmpfs", 0, NULL));
	FAILS(EAGAIN, umount2("expires", MNT_EXPIRE));
	FAILS(ENOENT, stat("expires/none", &st));
	FAILS(EAGAIN, umount2("expires", MNT_EXPIRE)); /* it was used */
	WORKS(umount2("expires", MNT_EXPIRE));
	rmdir("expires");
}

int main(void)
{
	begin();
	WORKS(mount("attributes", ".", "tmpfs", 0, "mode=755"));
	WORKS(chdir(top));
	test_chown_takes_set_id_bits();
	test_contents_take_set_id_bits();
	test_a_link_has_no_mode();
	test_times_before_1970();
	test_sizes_of_directories();
	test_what_is_told();
	test_umount_of_what_expires();
	WORKS(chdir("/"));
	WORKS(umount2(top, MNT_DETACH));
	return end();
}
