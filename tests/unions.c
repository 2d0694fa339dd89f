/*
 * Union directories, as mount(2) makes them with before, after and create in its data, and what takes them apart; and ns, which
 * prints a namespace and builds it again. Linux has none of this.
 */
#include "mounts.h"

#include <dirent.h>

static int unite(const char *from, const char *to, const char *words)
{
	return mount(from, to, NULL, MS_BIND, words);
}

/* The names in a directory, in their order, with blanks between; or what went wrong. */
static const char *names_in(const char *folder)
{
	static char names[4096];
	struct dirent *entry;
	DIR *dir = opendir(folder);

	names[0] = '\0';
	if (!dir)
		return strerror(errno);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
			if (*names)
				strcat(names, " ");
			strcat(names, entry->d_name);
		}
	closedir(dir);
	return names;
}

static int says(const char *name, const char *expected)
{
	int same = !strcmp(text_of(name), expected);

	if (!same)
		printf("# %s says \"%s\"\n", name, text);
	return same;
}

/* a: x, only_a, d/in_a; b: x, only_b, d/in_b; c: empty */
static void fill(void)
{
	WORKS(make_file("a/x", "a"));
	WORKS(make_file("a/only_a", "a"));
	WORKS(mkdir("a/d", 0755));
	WORKS(make_file("a/d/in_a", ""));
	WORKS(make_file("b/x", "b"));
	WORKS(make_file("b/only_b", "b"));
	WORKS(mkdir("b/d", 0755));
	WORKS(make_file("b/d/in_b", ""));
}

static void test_order(void)
{
	WORKS(unite("a", "b", "after"));
	TRUE(says("b/x", "b") && says("b/only_a", "a") && says("b/only_b", "b"));
	WORKS(access("b/d/in_b", F_OK));
	FAILS(ENOENT, access("b/d/in_a", F_OK));
	FAILS(ENOENT, access("b/none", F_OK));
	WORKS(unite("a", "b", "remove"));
	FAILS(ENOENT, access("b/only_a", F_OK));
	GIVES(0, mounts_at("/tmp/m/b"));
	FAILS(EINVAL, unite("a", "b", "remove"));

	WORKS(unite("a", "b", "before"));
	TRUE(says("b/x", "a") && says("b/only_b", "b"));
	WORKS(access("b/d/in_a", F_OK));
	WORKS(make_file("c/x", "c"));
	WORKS(unite("c", "b", "before"));
	TRUE(says("b/x", "c"));
	WORKS(unlink("c/x"));
	TRUE(says("b/x", "a"));
	FAILS(EINVAL, unite("d", "b", "remove"));
	WORKS(unite("a", "b", "remove"));
	TRUE(says("b/x", "b"));
	WORKS(umount("b"));
	GIVES(0, mounts_at("/tmp/m/b"));
	TRUE(says("b/x", "b"));

	FAILS(EINVAL, unite("a", "b", "before,after"));
	FAILS(EINVAL, unite("a", "b", "after,remove"));
	FAILS(ENOTDIR, unite("a/x", "b", "after"));
	FAILS(ENOTDIR, unite("a", "b/x", "after"));
	FAILS(ENOENT, unite("nothing", "b", "after"));
	WORKS(unite("a", "b", "noatime,unknown")); /* no union */
	FAILS(ENOENT, access("b/only_b", F_OK));
	WORKS(umount("b"));
}

static void test_member_flags(void)
{
	const unsigned long remount = MS_REMOUNT | MS_BIND;
	int fd;

	WORKS(unite("a", "b", "after"));
	WORKS(mount("a", "b", NULL, remount | MS_RDONLY, "member"));
	FAILS(EROFS, open("b/only_a", O_WRONLY));
	fd = open("b/only_b", O_WRONLY);
	TRUE(fd >= 0);
	close(fd);
	FAILS(EINVAL, mount("c", "b", NULL, remount | MS_RDONLY, "member"));
	FAILS(EINVAL, mount(NULL, "b", NULL, remount | MS_RDONLY, "member"));
	WORKS(mount("a", "b", NULL, remount, "member"));
	fd = open("b/only_a", O_WRONLY);
	FAILS(EBUSY, mount("a", "b", NULL, remount | MS_RDONLY, "member"));
	close(fd);
	WORKS(umount("b"));
}

static void test_creation(void)
{
	struct stat st;
	int fd;

	WORKS(unite("a", "b", "after"));
	FAILS(EACCES, open("b/new", O_CREAT | O_WRONLY, 0644));
	FAILS(EACCES, mkdir("b/new", 0755));
	FAILS(EACCES, symlink("x", "b/new"));
	FAILS(EACCES, link("c", "b/new"));
	FAILS(EEXIST, mkdir("b/only_a", 0755));
	FAILS(EEXIST, open("b/only_a", O_CREAT | O_EXCL, 0644));
	fd = open("b/only_a", O_CREAT | O_WRONLY | O_APPEND, 0644);
	GIVES(1, write(fd, "+", 1));
	close(fd);
	TRUE(says("a/only_a", "a+"));
	WORKS(unite("c", "b", "after,create"));
	WORKS(make_file("b/new", "n"));
	TRUE(says("c/new", "n") && says("b/new", "n"));
	WORKS(mkdir("b/folder", 0755));
	WORKS(make_file("b/folder/file", ""));
	WORKS(access("c/folder/file", F_OK));
	WORKS(link("b/new", "b/new2"));
	WORKS(symlink("new", "b/link"));
	TRUE(says("b/link", "n"));
	WORKS(mknod("b/fifo", S_IFIFO | 0600, 0));
	fd = open("b", O_TMPFILE | O_WRONLY, 0600);
	TRUE(fd >= 0);
	close(fd);
	GIVES(0, lstat("b/new", &st));
	/* Renaming stays with the member that has the name. */
	WORKS(rename("b/new", "b/newer"));
	WORKS(access("c/newer", F_OK));
	WORKS(rename("b/only_a", "b/moved"));
	TRUE(says("a/moved", "a+"));
	WORKS(rename("b/moved", "b/only_a"));
	FAILS(EXDEV, rename("b/newer", "b/x")); /* b's own x would go on to hide it */
	WORKS(rename("b/only_b", "b/newer"));	/* hides c's */
	TRUE(says("b/newer", "b") && says("c/newer", "n"));
	WORKS(rename("b/newer", "b/only_b"));
	FAILS(EXDEV, rename("b/newer", "d/elsewhere"));
	FAILS(ENOENT, rename("b/none", "b/none2"));
	FAILS(EEXIST, syscall(SYS_renameat2, AT_FDCWD, "b/x", AT_FDCWD, "b/newer", 1));
	/* Removing takes the first; what it hid is seen. */
	WORKS(unlink("b/x"));
	TRUE(says("b/x", "a"));
	WORKS(make_file("b/newer", "m"));
	WORKS(unlink("b/newer"));
	WORKS(unlink("b/new2"));
	WORKS(unlink("b/link"));
	WORKS(unlink("b/fifo"));
	WORKS(unlink("b/folder/file"));
	WORKS(rmdir("b/folder"));
	FAILS(ENOENT, unlink("b/newer"));
	TRUE(!strcmp(names_in("c"), ""));
	WORKS(umount("b"));
	WORKS(make_file("b/x", "b"));
	/* Instead of what was there, and for new names. */
	WORKS(unite("c", "b", "create"));
	WORKS(make_file("b/only_c", "c"));
	FAILS(ENOENT, access("b/x", F_OK));
	WORKS(unite("a", "b", "before"));
	WORKS(make_file("b/also_c", "c"));
	WORKS(access("c/also_c", F_OK));
	WORKS(umount("b"));
	WORKS(unlink("c/only_c"));
	WORKS(unlink("c/also_c"));
}

static void test_listing(void)
{
	long places[64];
	char first[64][256];
	struct dirent *entry;
	int count = 0, same = 0;
	DIR *dir;

	WORKS(unite("a", "b", "after"));
	TRUE(!strcmp(names_in("b"), "d only_b x only_a") || !strcmp(names_in("b"), "x only_b d only_a") ||
	     (strstr(names_in("b"), "only_a") && strlen(names_in("b")) == strlen("d only_b x only_a")));
	dir = opendir("b");
	places[0] = telldir(dir);
	while (count < 63 && (entry = readdir(dir))) {
		strcpy(first[count++], entry->d_name);
		places[count] = telldir(dir);
	}
	GIVES(6, count);
	TRUE(!strcmp(first[0], ".") && !strcmp(first[1], ".."));
	/* A place stays what it is, in any order, and whatever comes and goes. */
	WORKS(make_file("a/later", ""));
	WORKS(unlink("a/only_a"));
	for (int i = count; i-- > 0;) {
		seekdir(dir, places[i]);
		entry = readdir(dir);
		same += entry && !strcmp(entry->d_name, first[i]);
	}
	GIVES(6, same);
	rewinddir(dir);
	for (count = 0; (entry = readdir(dir)); count++)
		same += !strcmp(entry->d_name, "later");
	GIVES(6, count);
	GIVES(7, same);
	closedir(dir);
	WORKS(unlink("a/later"));
	WORKS(make_file("a/only_a", "a"));
	WORKS(umount("b"));

	/* Many. */
	for (int i = 0; i < 3000; i++) {
		snprintf(first[0], sizeof(first[0]), "%s/many%d", i % 3 ? "a" : "c", i / 2);
		make_file(first[0], "");
	}
	WORKS(unite("a", "c", "before"));
	dir = opendir("c");
	for (count = 0; readdir(dir); count++)
		;
	closedir(dir);
	GIVES(1500 + 3 + 2, count);
	WORKS(umount("c"));
	for (int i = 0; i < 1500; i++) {
		snprintf(first[0], sizeof(first[0]), "a/many%d", i);
		unlink(first[0]);
		first[0][0] = 'c';
		unlink(first[0]);
	}
}

static int here(const char *expected)
{
	return getcwd(text, sizeof(text)) && !strcmp(text, expected);
}

static void in_new_root(void)
{
	CHECK(!chroot("b") && !chdir("/d"));
	CHECK(!access("/only_a", F_OK) && !access("../only_a", F_OK) && !access("../../only_b", F_OK));
	CHECK(!chdir("..") && here("/") && !access("only_a", F_OK));
}

static void in_copy(void)
{
	CHECK(!chdir("b") && !unshare(CLONE_NEWNS));
	CHECK(!access("only_a", F_OK) && !access("/tmp/m/b/only_a", F_OK) && says("x", "b"));
	CHECK(!unite("/tmp/m/a", "/tmp/m/b", "remove"));
	CHECK(access("/tmp/m/b/only_a", F_OK) && !access("/tmp/m/b/x", F_OK));
}

static void test_places(void)
{
	struct stat st, st2;
	int fd;

	/* What is mounted below what the union stands on is seen in it. */
	WORKS(mkdir("b/sub", 0755));
	WORKS(mount_new("b/sub"));
	WORKS(make_file("b/sub/deep", ""));
	WORKS(unite("a", "b", "after"));
	WORKS(access("b/sub/deep", F_OK));
	WORKS(chdir("b/sub"));
	TRUE(here("/tmp/m/b/sub"));
	WORKS(access("../only_a", F_OK));
	WORKS(access("../../b/only_a", F_OK));
	WORKS(chdir(".."));
	TRUE(here("/tmp/m/b"));
	WORKS(access("only_a", F_OK));
	WORKS(mkdir("/tmp/m/a/e", 0755));
	WORKS(chdir("e"));
	TRUE(here("/tmp/m/b/e"));
	WORKS(access("../only_b", F_OK));
	WORKS(access("../../c", F_OK));
	WORKS(chdir("/tmp/m"));
	/* And so is what is mounted in the union. */
	WORKS(mount_new("b/e"));
	WORKS(make_file("b/e/f", ""));
	FAILS(ENOENT, access("a/e/f", F_OK));
	FAILS(EBUSY, umount("b"));
	WORKS(access("b/e/../only_b", F_OK));
	WORKS(umount("b/e"));
	/* A union's attributes are those of the directory that it stands on. */
	WORKS(umount("b/sub"));
	fd = open("b", O_RDONLY);
	WORKS(fstat(fd, &st));
	WORKS(stat("b", &st2));
	TRUE(st.st_ino == st2.st_ino && S_ISDIR(st.st_mode));
	WORKS(faccessat(fd, "only_a", F_OK, 0));
	FAILS(EBUSY, umount("b"));
	close(fd);
	GIVES(0, in_child(in_new_root));
	GIVES(0, in_child(in_copy));
	WORKS(access("b/only_a", F_OK));
	/* A union is a member with all of its own. */
	WORKS(make_file("d/only_d", ""));
	WORKS(unite("b", "d", "after"));
	TRUE(!access("d/only_d", F_OK) && !access("d/only_a", F_OK) && says("d/x", "b"));
	WORKS(unite("b", "d", "remove"));
	FAILS(ENOENT, access("d/x", F_OK));
	/* And bound elsewhere it is one. */
	WORKS(mount_bind("b", "e"));
	TRUE(!access("e/only_b", F_OK) && !access("e/only_a", F_OK));
	WORKS(umount("e"));
	FAILS(EINVAL, mount("b", "e", NULL, MS_MOVE, NULL));
	/* Lazily, while it is used. */
	fd = open("b/e", O_RDONLY);
	WORKS(umount2("b", MNT_DETACH));
	WORKS(faccessat(fd, ".", F_OK, 0));
	close(fd);
	WORKS(rmdir("a/e"));
	WORKS(rmdir("b/sub"));
	WORKS(unlink("d/only_d"));
}

static void as_others(void)
{
	CHECK(says("b/x", "a")); /* what b itself has is not to be read */
	CHECK(!access("b/only_a", F_OK));
	CHECK_FAILS(EACCES, access("b/none", F_OK));
}

static void test_permissions(void)
{
	WORKS(chmod("b", 0700));
	WORKS(unite("a", "b", "after"));
	GIVES(0, as_user(as_others));
	WORKS(umount("b"));
	WORKS(chmod("b", 0755));
}

/* ---- The tools ---- */

static int shell(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_tools(void)
{
	char before[8192];

	WORKS(unite("a", "b", "after"));
	WORKS(unite("c", "b", "before,create"));
	WORKS(shell("unmount a b"));
	FAILS(ENOENT, access("b/only_a", F_OK));
	GIVES(1, shell("unmount a b 2>/dev/null"));
	WORKS(shell("unmount b"));
	WORKS(shell("unmount --help | grep -q SYNOPSIS"));
	WORKS(shell("ns --help | grep -q SYNOPSIS"));

	WORKS(unite("a", "b", "after"));
	WORKS(unite("c", "b", "before,create"));
	WORKS(mkdir("d/a folder", 0755));
	WORKS(mount_bind("a", "d/a folder"));
	strcpy(before, text_of("/proc/self/namespace"));
	TRUE(strstr(before, "bind -bc /tmp/m/c /tmp/m/b\nbind -a /tmp/m/a /tmp/m/b\n"));
	TRUE(strstr(before, "bind /tmp/m/a /tmp/m/d/a\\040folder\n"));
	TRUE(strstr(before, "cd /tmp/m\n") && before[strlen(before) - 1] == '\n');
	WORKS(shell("ns > f/saved && ns $$ | cmp - f/saved"));
	WORKS(umount("b"));
	WORKS(umount("d/a folder"));
	WORKS(shell("ns -r f/saved sh -c 'test -e b/only_a && test -e b/only_b && touch b/new && test \"$(pwd)\" = /tmp/m"
		    " && test -e \"d/a folder/only_a\" && ns | cmp - f/saved'"));
	WORKS(unlink("c/new"));
	GIVES(3, shell("ns -r f/saved sh -c 'exit 3'"));
	WORKS(shell("echo 'bind a none' > f/wrong; ! ns -r f/wrong true 2>/dev/null"));
	FAILS(ENOENT, access("b/only_a", F_OK));
	WORKS(rmdir("d/a folder"));
}

int main(void)
{
	if (access("/proc/self/namespace", F_OK))
		return 77;
	begin_mounts();
	fill();
	test_order();
	test_member_flags();
	test_creation();
	test_listing();
	test_places();
	test_permissions();
	test_tools();
	return end_mounts();
}
