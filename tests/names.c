/* Names as programs see them: directories, links, renames, listings, attributes, mounts, with results and errnos. */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>

#include "files.h"

/* ---- mkdir, rmdir, unlink, link, symlink ---- */

static void test_names(void)
{
	WORKS(mkdir("d", 0777));
	TRUE(mode_of("d") == (S_IFDIR | 0755));
	FAILS(EEXIST, mkdir("d", 0777));
	FAILS(EEXIST, mkdir(".", 0777));
	FAILS(EEXIST, mkdir("..", 0777));
	FAILS(EEXIST, mkdir("/", 0777));
	FAILS(ENOENT, mkdir("", 0777));
	FAILS(ENOENT, mkdir("x/y", 0777));
	WORKS(mkdir("d/e/", 0700));
	GIVES(3, links_of("d"));
	FAILS(ENOTEMPTY, rmdir("d"));
	FAILS(ENOENT, rmdir("x"));
	FAILS(EINVAL, rmdir("d/."));
	FAILS(ENOTEMPTY, rmdir("d/.."));
	FAILS(EBUSY, rmdir("/"));
	FAILS(EISDIR, unlink("d"));
	FAILS(EISDIR, unlink("."));
	FAILS(EISDIR, unlink("/"));
	FAILS(ENOENT, unlink("x"));
	FAILS(EINVAL, unlinkat(AT_FDCWD, "d", 0x1000000));
	WORKS(make_file("f", "text"));
	FAILS(ENOTDIR, rmdir("f"));
	FAILS(ENOTDIR, unlink("f/"));
	FAILS(ENOTDIR, unlink("f/x"));
	FAILS(ENOTDIR, mkdir("f/x", 0777));
	FAILS(EEXIST, mkdir("f", 0777));
	FAILS(EEXIST, mkdir("f/", 0777));
	WORKS(rmdir("d/e"));
	GIVES(2, links_of("d"));
}

static void test_links(void)
{
	struct stat st, st2;

	/* Hard links. */
	WORKS(link("f", "d/g"));
	stat("f", &st);
	stat("d/g", &st2);
	TRUE(st.st_ino == st2.st_ino && st.st_nlink == 2);
	FAILS(EEXIST, link("f", "d/g"));
	FAILS(ENOENT, link("x", "y"));
	FAILS(EPERM, link("d", "dd"));
	FAILS(EEXIST, link("f", "."));
	FAILS(ENOENT, link("f", "nothing/"));
	FAILS(ENOTDIR, link("f/", "y"));
	WORKS(unlink("f"));
	GIVES(1, links_of("d/g"));
	TRUE(!strcmp(text_of("d/g"), "text"));

	/* Symbolic links. */
	WORKS(symlink("d/g", "s"));
	TRUE(mode_of("s") == (S_IFLNK | 0777));
	lstat("s", &st);
	TRUE(st.st_size == 3);
	GIVES(3, readlink("s", text, sizeof(text)));
	GIVES(2, readlink("s", text, 2));
	FAILS(EINVAL, readlink("s", text, 0));
	FAILS(EINVAL, readlink("d", text, sizeof(text)));
	FAILS(ENOENT, readlink("x", text, sizeof(text)));
	FAILS(EEXIST, symlink("a", "s"));
	FAILS(ENOENT, symlink("", "t"));
	FAILS(ENOENT, symlink("a", "t/"));
	FAILS(EEXIST, symlink("a", "d/"));
	TRUE(!strcmp(text_of("s"), "text"));
	WORKS(linkat(AT_FDCWD, "s", AT_FDCWD, "hard-s", 0));
	TRUE(S_ISLNK(mode_of("hard-s")));
	WORKS(linkat(AT_FDCWD, "s", AT_FDCWD, "hard-g", AT_SYMLINK_FOLLOW));
	TRUE(S_ISREG(mode_of("hard-g")));
	WORKS(unlink("hard-s"));
	WORKS(unlink("hard-g"));
	WORKS(symlink("d", "sd"));
	FAILS(ENOTDIR, rmdir("sd"));
	FAILS(ENOTDIR, rmdir("sd/")); /* the link is not followed */
	FAILS(ENOTDIR, unlink("sd/g/"));
	WORKS(stat("sd/./../d//g", &st));
	WORKS(unlink("sd"));
}

static void test_many_links(void)
{
	struct stat st;

	/* Forty links are followed, one more is not. */
	WORKS(symlink("d/g", "l0"));
	for (int i = 1; i <= 40; i++) {
		char name[16], to[16];

		snprintf(name, sizeof(name), "l%d", i);
		snprintf(to, sizeof(to), "l%d", i - 1);
		if (symlink(to, name))
			tap_ok(0, "symlink %s", name);
	}
	WORKS(stat("l39", &st));
	FAILS(ELOOP, stat("l40", &st));
	for (int i = 0; i <= 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "l%d", i);
		unlink(name);
	}
	WORKS(unlink("s"));
	WORKS(unlink("d/g"));

	/* A removed directory holds nothing any more. */
	WORKS(chdir("d"));
	WORKS(rmdir("../d"));
	FAILS(ENOENT, open("x", O_CREAT | O_WRONLY, 0644));
	FAILS(ENOENT, mkdir("x", 0777));
	FAILS(ENOENT, syscall(SYS_getcwd, text, sizeof(text)));
	WORKS(stat(".", &st));
	TRUE(st.st_nlink == 0);
	WORKS(chdir(top));
}

static void test_special_files(void)
{
	/* Special files. */
	WORKS(mknod("fifo", S_IFIFO | 0600, 0));
	TRUE(S_ISFIFO(mode_of("fifo")));
	WORKS(mknod("plain", 0600, 0));
	TRUE(S_ISREG(mode_of("plain")));
	WORKS(mknod("socket", S_IFSOCK | 0600, 0));
	FAILS(ENXIO, open("socket", O_RDWR));
	FAILS(EPERM, mknod("dir", S_IFDIR | 0700, 0));
	FAILS(EINVAL, mknod("odd", S_IFLNK | 0700, 0));
	FAILS(EEXIST, mknod("fifo", S_IFIFO | 0600, 0));
	FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
	WORKS(unlink("fifo"));
	WORKS(unlink("plain"));
	WORKS(unlink("socket"));
}

/* ---- rename ---- */

static int exchange(const char *a, const char *b)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* RENAME_EXCHANGE */);
}

static int rename_new(const char *a, const char *b)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 1 /* RENAME_NOREPLACE */);
}

static void test_rename(void)
{
	struct stat st;

	WORKS(make_file("a", "A"));
	WORKS(make_file("b", "B"));
	WORKS(mkdir("d", 0755));
	WORKS(mkdir("d/e", 0755));
	WORKS(rename("a", "c"));
	FAILS(ENOENT, stat("a", &st));
	TRUE(!strcmp(text_of("c"), "A"));
	FAILS(ENOENT, rename("a", "c"));
	WORKS(rename("c", "b"));
	TRUE(!strcmp(text_of("b"), "A"));
	FAILS(ENOENT, stat("c", &st));
	WORKS(rename("b", "b"));
	WORKS(rename("b", "d/b"));
	TRUE(!strcmp(text_of("d/b"), "A"));
	WORKS(rename("d/b", "b"));
	FAILS(EISDIR, rename("b", "d"));
	FAILS(ENOTDIR, rename("d", "b"));
	FAILS(ENOTDIR, rename("b", "new/"));
	FAILS(ENOTDIR, rename("b/", "new"));
	WORKS(rename("d/e", "new/"));
	TRUE(S_ISDIR(mode_of("new")));
	GIVES(2, links_of("d"));
	WORKS(rename("new", "d/e"));
	GIVES(3, links_of("d"));
	FAILS(EINVAL, rename("d", "d/e/f"));
	FAILS(EINVAL, rename("d", "d/x"));
	FAILS(ENOTEMPTY, rename("d/e", "d"));
	FAILS(EBUSY, rename("d/.", "x"));
	FAILS(EBUSY, rename("b", ".."));
	WORKS(mkdir("x", 0755));
	FAILS(ENOTEMPTY, rename("x", "d"));
	WORKS(rename("d", "x")); /* onto an empty directory */
	TRUE(S_ISDIR(mode_of("x/e")));
	FAILS(ENOENT, stat("d", &st));
	WORKS(rename("x", "d"));
}

static void test_rename_flags(void)
{
	struct stat st, st2;

	FAILS(EEXIST, rename_new("b", "d"));
	FAILS(EEXIST, rename_new("b", "."));
	WORKS(rename_new("b", "free"));
	WORKS(rename("free", "b"));
	FAILS(ENOENT, exchange("b", "missing"));
	WORKS(exchange("b", "d"));
	TRUE(S_ISDIR(mode_of("b")) && S_ISREG(mode_of("d")));
	TRUE(S_ISDIR(mode_of("b/e")));
	WORKS(exchange("b", "d"));
	FAILS(EINVAL, exchange("d", "d/e"));
	FAILS(EINVAL, exchange("d/e", "d"));
	FAILS(EINVAL, syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "d", 3));
	FAILS(EINVAL, syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "d", 256));

	/* Two names of one file: nothing happens. */
	WORKS(link("b", "b2"));
	WORKS(rename("b", "b2"));
	WORKS(stat("b", &st));
	WORKS(stat("b2", &st2));
	WORKS(unlink("b2"));

	/* The names of a moved directory's insides follow. */
	WORKS(make_file("d/e/inner", "in"));
	WORKS(chdir("d/e"));
	WORKS(rename("../../d", "../../moved"));
	TRUE(getcwd(text, sizeof(text)) && !strcmp(text + strlen(text) - 8, "/moved/e"));
	TRUE(!strcmp(text_of("inner"), "in"));
	WORKS(chdir(top));
	TRUE(!strcmp(text_of("moved/e/inner"), "in"));
	FAILS(ENOENT, stat("d/e/inner", &st));
	WORKS(unlink("moved/e/inner"));
	WORKS(rmdir("moved/e"));
	WORKS(rmdir("moved"));

	/* Long names take the place of short ones, and back. */
	memset(text, 'n', 200);
	text[200] = 0;
	WORKS(rename("b", text));
	WORKS(stat(text, &st));
	WORKS(rename(text, "b"));
	FAILS(ENOENT, stat(text, &st));
	WORKS(unlink("b"));
}

/* ---- Listing ---- */

static int entries(const char *name)
{
	DIR *dir = opendir(name);
	int count = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void test_listing(void)
{
	char name[300];
	struct dirent *entry;
	int seen = 0, twice = 0, removed = 0;
	unsigned char found[1000] = {};
	long middle = -1;
	DIR *dir;

	WORKS(mkdir("many", 0755));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "many/entry-number-%d", i);
		if (make_file(name, ""))
			tap_ok(0, "making %s", name);
	}
	GIVES(1002, entries("many"));

	/* Entries are removed and added while they are listed: those that stay come once. */
	dir = opendir("many");
	while ((entry = readdir(dir))) {
		int number;

		if (sscanf(entry->d_name, "entry-number-%d", &number) != 1 || number >= 1000)
			continue;
		twice += found[number]++;
		seen++;
		if (seen == 300)
			middle = telldir(dir);
		if (number % 2 == 0) {
			snprintf(name, sizeof(name), "many/%s", entry->d_name);
			removed += !unlink(name);
		}
		snprintf(name, sizeof(name), "many/later-%d", seen);
		if (seen < 50)
			make_file(name, "");
	}
	TRUE(seen == 1000 && twice == 0 && removed == 500);
	seekdir(dir, middle);
	seen = 0;
	while ((entry = readdir(dir)))
		seen++;
	TRUE(seen > 300 && seen < 800);
	rewinddir(dir);
	seen = 0;
	while ((entry = readdir(dir)))
		seen++;
	TRUE(seen == 551);
	TRUE(entry == NULL);
	closedir(dir);
}

static void test_listing_errors(void)
{
	char name[300], small[20];
	struct dirent *entry;
	DIR *dir;
	int fd;

	fd = open("many", O_RDONLY);
	FAILS(EINVAL, syscall(SYS_getdents64, fd, small, sizeof(small)));
	FAILS(EFAULT, syscall(SYS_getdents64, fd, (void *)1, 4096));
	TRUE(syscall(SYS_getdents64, fd, text, 100) > 0);
	TRUE(((struct dirent *)text)->d_ino != 0 && ((struct dirent *)text)->d_type == DT_DIR);
	close(fd);
	WORKS(make_file("f", ""));
	fd = open("f", O_RDONLY);
	FAILS(ENOTDIR, syscall(SYS_getdents64, fd, text, sizeof(text)));
	FAILS(EBADF, syscall(SYS_getdents64, 999, text, sizeof(text)));
	close(fd);
	WORKS(unlink("f"));

	dir = opendir("many");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			snprintf(name, sizeof(name), "many/%s", entry->d_name);
			unlink(name);
		}
	closedir(dir);
	GIVES(2, entries("many"));
	fd = open("many", O_RDONLY);
	WORKS(rmdir("many"));
	FAILS(ENOENT, syscall(SYS_getdents64, fd, text, sizeof(text)));
	close(fd);
}

/* ---- Attributes ---- */

static void user_attributes(void)
{
	struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
	struct timespec then[2] = { { .tv_sec = 5 }, { .tv_sec = 5 } };
	int fd;

	CHECK_FAILS(EPERM, chmod("roots", 0600));
	CHECK_FAILS(EPERM, chown("roots", 1000, 1000));
	CHECK_FAILS(EACCES, open("roots", O_WRONLY));
	CHECK_FAILS(EACCES, open("new", O_CREAT | O_WRONLY, 0644));
	CHECK_FAILS(EACCES, truncate("roots", 0));
	CHECK_FAILS(EACCES, utimensat(AT_FDCWD, "roots", now, 0));
	CHECK_FAILS(EPERM, utimensat(AT_FDCWD, "roots", then, 0));
	CHECK_FAILS(EACCES, unlink("roots"));
	CHECK_FAILS(EACCES, rename("roots", "x"));
	CHECK_FAILS(EACCES, mkdir("x", 0700));
	CHECK_FAILS(EACCES, open("secret/inner", O_RDONLY));
	CHECK_FAILS(EACCES, chdir("secret"));
	CHECK_FAILS(EACCES, access("roots", W_OK));
	CHECK_FAILS(EACCES, access("secret/inner", F_OK));
	CHECK_FAILS(EPERM, mknod("public/null", S_IFCHR | 0600, 0x103));
	CHECK_FAILS(EPERM, unlink("public/roots"));
	CHECK_FAILS(EPERM, rename("public/roots", "public/x"));
	CHECK_FAILS(EPERM, chroot("/"));
	CHECK(access("roots", R_OK) == 0);
	fd = open("public/mine", O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0);
	CHECK(fchmod(fd, 04755) == 0);
	CHECK_FAILS(EPERM, fchown(fd, 0, -1));
	CHECK(write(fd, "x", 1) == 1); /* takes set-user-id away */
	CHECK((mode_of("public/mine") & 07777) == 0755);
	CHECK(chmod("public/mine", 0) == 0);
	CHECK_FAILS(EACCES, open("public/mine", O_RDONLY));
	CHECK(utimensat(AT_FDCWD, "public/mine", then, 0) == 0);
	CHECK(chmod("public/mine", 02777) == 0); /* own group */
	CHECK((mode_of("public/mine") & 07777) == 02777);
	CHECK(unlink("public/mine") == 0);
	close(fd);
	/* A set-group-id directory gives its group; and keeps others from set-group-id for it. */
	fd = open("grouped/mine", O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0);
	struct stat st;
	CHECK(fstat(fd, &st) == 0 && st.st_gid == 7);
	CHECK(fchmod(fd, 02755) == 0);
	CHECK((mode_of("grouped/mine") & 07777) == 0755);
	close(fd);
	CHECK(mkdir("grouped/dir", 0755) == 0);
	CHECK((mode_of("grouped/dir") & 07777) == 02755);
	CHECK(rmdir("grouped/dir") == 0 && unlink("grouped/mine") == 0);
	CHECK(mknod("grouped/p", S_IFIFO | 02775, 0) == 0 && mode_of("grouped/p") == (S_IFIFO | 0755));
	CHECK(lstat("grouped/p", &st) == 0 && st.st_gid == 7 && unlink("grouped/p") == 0);
	CHECK(mknod("grouped/p", S_IFIFO | 02765, 0) == 0 && mode_of("grouped/p") == (S_IFIFO | 02745));
	CHECK(unlink("grouped/p") == 0);
	umask(010); /* what counts is the mode asked for */
	close(open("grouped/f", O_CREAT | O_RDWR, 02777));
	CHECK(mode_of("grouped/f") == (S_IFREG | 0767) && unlink("grouped/f") == 0);
	umask(022);
	fd = open("grouped", O_TMPFILE | O_RDWR, 02775);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_mode == (S_IFREG | 0755) && st.st_gid == 7);
	close(fd);
	CHECK(symlink("x", "grouped/l") == 0 && lstat("grouped/l", &st) == 0 && st.st_gid == 7);
	CHECK(st.st_mode == (S_IFLNK | 0777) && unlink("grouped/l") == 0);
}

static void test_attributes(void)
{
	struct timespec times[2] = { { .tv_sec = 1000, .tv_nsec = 7 },
				     { .tv_sec = 2000, .tv_nsec = 9 } };
	struct timespec omit[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 3000 } };
	struct timespec bad[2] = { { .tv_nsec = 1000000000 }, {} };
	struct stat st;
	int fd;

	WORKS(make_file("roots", "r"));
	WORKS(chmod("roots", 0644));
	WORKS(chmod("roots", 06755));
	TRUE(mode_of("roots") == (S_IFREG | 06755));
	WORKS(chown("roots", 5, 6));
	TRUE(stat("roots", &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
	TRUE(mode_of("roots") == (S_IFREG | 0755)); /* a new owner takes set-id bits away */
	WORKS(chown("roots", -1, -1));
	WORKS(chown("roots", 0, -1));
	TRUE(stat("roots", &st) == 0 && st.st_uid == 0 && st.st_gid == 6);
	FAILS(ENOENT, chmod("missing", 0));
	FAILS(EBADF, fchmod(999, 0));
	WORKS(symlink("roots", "link"));
	WORKS(lchown("link", 3, 3));
	TRUE(lstat("link", &st) == 0 && st.st_uid == 3);
	TRUE(stat("link", &st) == 0 && st.st_uid == 0);
	WORKS(unlink("link"));

	WORKS(utimensat(AT_FDCWD, "roots", times, 0));
	TRUE(stat("roots", &st) == 0 && st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 7 &&
	     st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 9);
	WORKS(utimensat(AT_FDCWD, "roots", omit, 0));
	TRUE(stat("roots", &st) == 0 && st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 3000);
	FAILS(EINVAL, utimensat(AT_FDCWD, "roots", bad, 0));
	FAILS(ENOENT, utimensat(AT_FDCWD, "missing", times, 0));
	FAILS(EINVAL, utimensat(AT_FDCWD, "roots", times, 0x4000000));
	fd = open("roots", O_RDONLY);
	WORKS(futimens(fd, NULL));
	TRUE(fstat(fd, &st) == 0 && st.st_mtim.tv_sec > 3000);
	close(fd);
}

static void test_stat(void)
{
	struct statx sx;
	struct stat st;
	struct statfs fs;
	int fd;

	WORKS(stat("roots", &st));
	WORKS(statx(AT_FDCWD, "roots", 0, STATX_ALL, &sx));
	TRUE(sx.stx_ino == st.st_ino && sx.stx_mode == st.st_mode && sx.stx_size == 1 &&
	     sx.stx_nlink == 1);
	FAILS(EINVAL, statx(AT_FDCWD, "roots", 0, 0x80000000, &sx));
	FAILS(EINVAL, statx(AT_FDCWD, "roots", 0x6000, STATX_ALL, &sx));
	FAILS(ENOENT, statx(AT_FDCWD, "", 0, STATX_ALL, &sx));
	FAILS(EFAULT, stat("roots", (struct stat *)1));
	FAILS(EFAULT, stat((char *)1, &st));
	FAILS(ENOTDIR, stat("roots/", &st));
	FAILS(EINVAL, fstatat(AT_FDCWD, "roots", &st, 0x1000000));
	FAILS(EBADF, fstat(999, &st));
	fd = open("roots", O_RDONLY);
	WORKS(fstatat(fd, "", &st, AT_EMPTY_PATH));
	TRUE(st.st_size == 1);
	FAILS(ENOTDIR, fstatat(fd, "x", &st, 0));
	close(fd);
	WORKS(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	TRUE(S_ISDIR(st.st_mode));

	WORKS(statfs(".", &fs));
	TRUE(fs.f_namelen == 255 && fs.f_bsize > 0);
	FAILS(ENOENT, statfs("missing", &fs));
	FAILS(EBADF, fstatfs(999, &fs));

	WORKS(access("roots", R_OK | W_OK));
	FAILS(EINVAL, access("roots", 8));
	FAILS(ENOENT, access("missing", F_OK));
	WORKS(chmod("roots", 0644));
	FAILS(EACCES, access("roots", X_OK)); /* not even root executes what nobody may */
	FAILS(EINVAL, syscall(439 /* faccessat2 */, AT_FDCWD, "roots", 0, 0x1000000));
}

static void test_users(void)
{
	mode_t old_mask;

	old_mask = umask(077);
	TRUE(old_mask == 022);
	WORKS(mkdir("secret", 0777));
	TRUE(mode_of("secret") == (S_IFDIR | 0700));
	WORKS(make_file("secret/inner", ""));
	TRUE(umask(022) == 077);
	WORKS(mkdir("public", 01777));
	WORKS(chmod("public", 01777));
	WORKS(make_file("public/roots", ""));
	WORKS(mkdir("grouped", 0755));
	WORKS(chown("grouped", 1000, 7));
	WORKS(chmod("grouped", 02777));
	WORKS(chmod(".", 0755));
	TRUE(as_user(user_attributes) == 0);
	WORKS(unlink("public/roots"));
	WORKS(rmdir("public"));
	WORKS(rmdir("grouped"));
	WORKS(unlink("secret/inner"));
	WORKS(rmdir("secret"));
	WORKS(unlink("roots"));
}

/* ---- Working directory, root, mounts ---- */

static void test_places(void)
{
	char cwd[PATH_MAX];
	struct stat st, up;
	int status, fd, back = open(".", O_RDONLY);
	pid_t pid;

	FAILS(ENOENT, chdir("missing"));
	WORKS(make_file("f", ""));
	FAILS(ENOTDIR, chdir("f"));
	fd = open("f", O_RDONLY);
	FAILS(ENOTDIR, fchdir(fd));
	close(fd);
	FAILS(EBADF, fchdir(999));
	WORKS(unlink("f"));
	TRUE(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, top));
	FAILS(ERANGE, syscall(SYS_getcwd, cwd, 3));
	WORKS(chdir("/"));
	GIVES(2, syscall(SYS_getcwd, cwd, sizeof(cwd)));
	WORKS(stat("/..", &up));
	WORKS(stat("/", &st));
	TRUE(up.st_ino == st.st_ino && up.st_dev == st.st_dev);
	WORKS(fchdir(back));

	/* A new root holds the process that has it, but for what is open outside. */
	mkdir("jail", 0755);
	mkdir("jail/inside", 0755);
	pid = fork();
	if (pid == 0) {
		tap_failures = 0;
		CHECK(chroot("jail") == 0 && chdir("/") == 0);
		CHECK(stat("/inside", &st) == 0);
		CHECK(stat("/..", &up) == 0 && stat("/", &st) == 0 && up.st_ino == st.st_ino);
		CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"));
		CHECK(fchdir(back) == 0);
		CHECK(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0 && !strncmp(cwd, "(unreachable)/", 14));
		CHECK(stat("jail", &st) == 0);
		_exit(tap_failures != 0);
	}
	TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	WORKS(rmdir("jail/inside"));
	WORKS(rmdir("jail"));
	close(back);
}

static void test_mounts(void)
{
	struct stat st, inside;
	struct statfs fs;
	int fd;

	WORKS(mkdir("m", 0755));
	WORKS(make_file("m/covered", ""));
	FAILS(ENODEV, mount("none", "m", "no-such-type", 0, NULL));
	FAILS(ENOENT, mount("none", "missing", "tmpfs", 0, NULL));
	FAILS(EINVAL, umount("m"));
	FAILS(EINVAL, mount("none", "m", "tmpfs", 0, "nonsense=1"));
	if (mount("none", "m", "tmpfs", MS_NODEV | MS_NOEXEC, "size=64k,mode=0700")) {
		tap_ok(0, "mount tmpfs: %s", strerror(errno));
		return;
	}
	FAILS(ENOENT, stat("m/covered", &st));
	WORKS(stat("m", &inside));
	WORKS(stat(".", &st));
	TRUE(inside.st_dev != st.st_dev && (inside.st_mode & 07777) == 0700);
	WORKS(stat("m/..", &inside));
	TRUE(inside.st_ino == st.st_ino);
	WORKS(statfs("m", &fs));
	TRUE(fs.f_type == 0x01021994 && fs.f_blocks == 16);
	FAILS(EBUSY, rmdir("m"));
	FAILS(EBUSY, rename("m", "n"));
	WORKS(make_file("m/f", "x"));
	FAILS(EXDEV, rename("m/f", "f"));
	FAILS(EXDEV, link("m/f", "f"));
	fd = open("m/big", O_CREAT | O_RDWR, 0644);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 7; i++)
		if (write(fd, text, 8192) != 8192)
			tap_ok(0, "write %d", i);
	GIVES(4096, write(fd, text, 8192)); /* 15 pages of 16 are used by now */
	FAILS(ENOSPC, write(fd, text, 8192));
	FAILS(EBUSY, umount("m"));
	close(fd);
	WORKS(unlink("m/big"));
	WORKS(make_file("m/small", "y"));
	WORKS(mknod("m/null", S_IFCHR | 0666, 0x103));
	FAILS(EACCES, open("m/null", O_RDWR));
	WORKS(chmod("m/small", 0755));
	FAILS(EACCES, access("m/small", X_OK));
	FAILS(EACCES, execl("m/small", "small", NULL));
}

static void test_remounts(void)
{
	struct stat st;
	int fd;

	WORKS(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(EROFS, open("m/small", O_WRONLY));
	FAILS(EROFS, open("m/other", O_CREAT | O_WRONLY, 0644));
	FAILS(EROFS, mkdir("m/d", 0755));
	FAILS(EROFS, unlink("m/small"));
	FAILS(EROFS, chmod("m/small", 0600));
	FAILS(EROFS, access("m/small", W_OK));
	FAILS(EEXIST, mkdir("m/small", 0755));
	WORKS(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	WORKS(make_file("m/other", "z"));

	/* The same tree at a second place. */
	WORKS(mkdir("b", 0755));
	WORKS(mount("m", "b", NULL, MS_BIND, NULL));
	TRUE(!strcmp(text_of("b/other"), "z"));
	WORKS(unlink("b/other"));
	FAILS(ENOENT, stat("m/other", &st));
	WORKS(umount("b"));
	WORKS(rmdir("b"));

	/* A lazy detachment leaves what is open. */
	fd = open("m/f", O_RDONLY);
	WORKS(umount2("m", MNT_DETACH));
	WORKS(stat("m/covered", &st));
	GIVES(1, read(fd, text, 10));
	close(fd);
	WORKS(unlink("m/covered"));
	WORKS(rmdir("m"));
}

/* ---- Many at once ---- */

/* Threads of processes make, find, move and remove the same few names; nothing but these errnos may come of it. */
static void race(unsigned int seed)
{
	char a[16], b[16];
	struct stat st;
	int fd;

	tap_failures = 0;
	for (int i = 0; i < 3000; i++) {
		seed = seed * 1103515245 + 12345;
		snprintf(a, sizeof(a), "race/%u/%u", seed >> 16 & 1, seed >> 18 & 3);
		snprintf(b, sizeof(b), "race/%u/%u", seed >> 20 & 1, seed >> 22 & 3);
		errno = 0;
		switch (seed >> 25 & 7) {
		case 0:
			fd = open(a, O_CREAT | O_RDWR, 0644);
			CHECK(fd >= 0 || errno == EISDIR);
			close(fd);
			break;
		case 1:
			CHECK(!unlink(a) || errno == ENOENT || errno == EISDIR);
			break;
		case 2:
			CHECK(!rename(a, b) || errno == ENOENT || errno == EISDIR ||
			      errno == ENOTDIR || errno == ENOTEMPTY);
			break;
		case 3:
			CHECK(!mkdir(a, 0755) || errno == EEXIST);
			break;
		case 4:
			CHECK(!rmdir(a) || errno == ENOENT || errno == ENOTDIR || errno == ENOTEMPTY);
			break;
		case 5:
			CHECK(!link(a, b) || errno == ENOENT || errno == EEXIST || errno == EPERM);
			break;
		case 6:
			CHECK(!exchange(a, b) || errno == ENOENT || errno == EINVAL);
			break;
		default:
			CHECK(!stat(a, &st) || errno == ENOENT);
			fd = open("race/0", O_RDONLY);
			CHECK(fd >= 0);
			CHECK(syscall(SYS_getdents64, fd, text, sizeof(text)) > 0);
			close(fd);
			break;
		}
	}
	_exit(tap_failures != 0);
}

static void test_races(void)
{
	char name[16];
	int failed = 0, status;

	mkdir("race", 0755);
	mkdir("race/0", 0755);
	mkdir("race/1", 0755);
	for (unsigned int i = 0; i < 4; i++)
		if (!fork())
			race(i * 7919 + 1);
	for (int i = 0; i < 4; i++)
		failed += wait(&status) < 0 || status != 0;
	TRUE(failed == 0);
	for (int dir = 0; dir < 2; dir++)
		for (int i = 0; i < 4; i++) {
			snprintf(name, sizeof(name), "race/%d/%d", dir, i);
			if (rmdir(name))
				unlink(name);
		}
	GIVES(2, links_of("race/0"));
	WORKS(rmdir("race/0"));
	WORKS(rmdir("race/1"));
	WORKS(rmdir("race"));
}

int main(void)
{
	begin();
	test_names();
	test_links();
	test_many_links();
	test_special_files();
	test_rename();
	test_rename_flags();
	test_listing();
	test_listing_errors();
	test_attributes();
	test_stat();
	test_users();
	test_places();
	test_races();
	/* On Linux in a namespace of its own; where there is none yet, in the machine's. */
	if (unshare(CLONE_NEWNS) == 0 || errno == ENOSYS || errno == EINVAL) {
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		test_mounts();
		test_remounts();
	}
	return end();
}
