/*
 * Extended attributes: all twelve calls, their errors, and who may do what. In a tmpfs, which on older Linux knows
 * trusted.* and security.* alone: what is asked of user.* is skipped there.
 */
#include "files.h"

#include <linux/limits.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/xattr.h>

static char value[70000];
static int user_names; /* user.* is there */

static void test_round_trip(const char *name)
{
	WORKS(setxattr("file", name, "one", 3, 0));
	GIVES(3, getxattr("file", name, value, sizeof(value)));
	tap_ok(!memcmp(value, "one", 3), "%s is what was set", name);
	GIVES(3, getxattr("file", name, NULL, 0));
	FAILS(ERANGE, getxattr("file", name, value, 2));
	FAILS(EEXIST, setxattr("file", name, "two", 3, XATTR_CREATE));
	WORKS(setxattr("file", name, "longer", 6, XATTR_REPLACE));
	GIVES(6, lgetxattr("file", name, value, sizeof(value)));
	GIVES(strlen(name) + 1, listxattr("file", value, sizeof(value)));
	tap_ok(!strcmp(value, name), "the list has %s", name);
	GIVES(strlen(name) + 1, listxattr("file", NULL, 0));
	FAILS(ERANGE, listxattr("file", value, 3));
	WORKS(setxattr("file", name, "", 0, 0));
	GIVES(0, getxattr("file", name, value, sizeof(value)));
	WORKS(removexattr("file", name));
	FAILS(ENODATA, getxattr("file", name, value, sizeof(value)));
	FAILS(ENODATA, removexattr("file", name));
	FAILS(ENODATA, setxattr("file", name, "x", 1, XATTR_REPLACE));
	GIVES(0, listxattr("file", value, sizeof(value)));
}

static void test_sizes(void)
{
	char name[300] = "trusted.";

	memset(value, 'v', sizeof(value));
	WORKS(setxattr("file", "trusted.big", value, XATTR_SIZE_MAX, 0));
	GIVES(XATTR_SIZE_MAX, getxattr("file", "trusted.big", value, sizeof(value)));
	FAILS(E2BIG, setxattr("file", "trusted.big", value, XATTR_SIZE_MAX + 1, 0));
	WORKS(removexattr("file", "trusted.big"));
	memset(name + 8, 'n', XATTR_NAME_MAX - 8);
	WORKS(setxattr("file", name, "", 0, 0));
	WORKS(removexattr("file", name));
	name[XATTR_NAME_MAX] = 'n';
	FAILS(ERANGE, setxattr("file", name, "", 0, 0));
	FAILS(ERANGE, getxattr("file", name, value, 1));
	FAILS(ERANGE, removexattr("file", name));
	FAILS(ERANGE, setxattr("file", "", "", 0, 0));
	FAILS(ERANGE, getxattr("file", "", value, 1));
}

static void test_errors(void)
{
	char *bad = (char *)8;

	FAILS(EINVAL, setxattr("file", "trusted.a", "", 0, 4));
	FAILS(ENOENT, setxattr("none", "trusted.a", "", 0, 4));
	FAILS(ENOENT, getxattr("none", "trusted.a", value, 1));
	FAILS(ENOENT, listxattr("none", value, 1));
	FAILS(ENOENT, removexattr("none", "trusted.a"));
	FAILS(EOPNOTSUPP, setxattr("file", "nothing", "", 0, 0));
	FAILS(EOPNOTSUPP, setxattr("file", "other.name", "", 0, 0));
	FAILS(EOPNOTSUPP, getxattr("file", "other.name", value, 1));
	FAILS(EOPNOTSUPP, removexattr("file", "other.name"));
	FAILS(EINVAL, setxattr("file", "trusted.", "", 0, 0));
	FAILS(EINVAL, getxattr("file", "trusted.", value, 1));
	FAILS(EFAULT, setxattr("file", bad, "", 0, 0));
	FAILS(EFAULT, setxattr("file", "trusted.a", bad, 3, 0));
	FAILS(EFAULT, getxattr("file", bad, value, 1));
	WORKS(setxattr("file", "trusted.a", "abc", 3, 0));
	FAILS(EFAULT, getxattr("file", "trusted.a", bad, 3));
	FAILS(EFAULT, listxattr("file", bad, 100));
	WORKS(removexattr("file", "trusted.a"));
	FAILS(EBADF, fsetxattr(-1, "trusted.a", "", 0, 0));
	FAILS(EBADF, fgetxattr(99, "trusted.a", value, 1));
	FAILS(EBADF, flistxattr(99, value, 1));
	FAILS(EBADF, fremovexattr(99, "trusted.a"));
	FAILS(EOPNOTSUPP, getxattr("/proc/self/stat", "trusted.a", value, 1));
	GIVES(0, listxattr("/proc/self/stat", value, 100));
}

static void test_descriptors_and_links(void)
{
	int fd = open("file", O_RDONLY), path = open("file", O_PATH), ends[2];

	WORKS(fsetxattr(fd, "trusted.fd", "1", 1, 0)); /* a descriptor for reading will do */
	GIVES(1, fgetxattr(fd, "trusted.fd", value, 10));
	GIVES(11, flistxattr(fd, value, 100));
	FAILS(EBADF, fgetxattr(path, "trusted.fd", value, 10));
	FAILS(EBADF, fsetxattr(path, "trusted.fd", "1", 1, 0));
	WORKS(fremovexattr(fd, "trusted.fd"));
	close(fd);
	close(path);

	WORKS(symlink("file", "link"));
	WORKS(setxattr("link", "trusted.target", "t", 1, 0));
	WORKS(lsetxattr("link", "trusted.link", "l", 1, 0));
	FAILS(ENODATA, getxattr("file", "trusted.link", value, 10));
	FAILS(ENODATA, lgetxattr("link", "trusted.target", value, 10));
	GIVES(13, llistxattr("link", value, 100));
	GIVES(15, listxattr("link", value, 100));
	FAILS(EPERM, lsetxattr("link", "user.a", "", 0, 0));
	FAILS(ENODATA, lgetxattr("link", "user.a", value, 1));
	WORKS(lremovexattr("link", "trusted.link"));
	WORKS(removexattr("link", "trusted.target"));
	WORKS(unlink("link"));

	WORKS(mkfifo("fifo", 0666));
	FAILS(EPERM, setxattr("fifo", "user.a", "", 0, 0));
	FAILS(ENODATA, getxattr("fifo", "user.a", value, 1));
	WORKS(setxattr("fifo", "trusted.a", "", 0, 0));
	WORKS(unlink("fifo"));
	if (pipe(ends) == 0) {
		FAILS(EPERM, fsetxattr(ends[0], "user.a", "", 0, 0));
		FAILS(EOPNOTSUPP, fsetxattr(ends[0], "trusted.a", "", 0, 0));
		FAILS(EOPNOTSUPP, fgetxattr(ends[0], "trusted.a", value, 1));
		close(ends[0]);
		close(ends[1]);
	}
}

static void as_ordinary_user(void)
{
	CHECK_FAILS(EPERM, setxattr("file", "trusted.b", "", 0, 0));
	CHECK_FAILS(ENODATA, getxattr("file", "trusted.a", value, 1));
	CHECK(getxattr("file", "security.a", value, 1) == 0);
	CHECK(listxattr("file", value, 100) == 11 && !strcmp(value, "security.a"));
	if (user_names) {
		CHECK_FAILS(EACCES, setxattr("file", "user.a", "", 0, 0));
		CHECK_FAILS(EPERM, setxattr("sticky", "user.a", "", 0, 0));
		CHECK_FAILS(EACCES, getxattr("secret", "user.a", value, 1));
	}
}

static void test_users(void)
{
	WORKS(setxattr("file", "trusted.a", "", 0, 0));
	WORKS(setxattr("file", "security.a", "", 0, 0));
	WORKS(mkdir("sticky", 0));
	WORKS(chmod("sticky", 01777));
	WORKS(make_file("secret", ""));
	WORKS(chmod("secret", 0600));
	WORKS(as_user(as_ordinary_user));
	WORKS(unlink("secret"));
	WORKS(rmdir("sticky"));
	FAILS(EINVAL, setxattr("file", "security.capability", "short", 5, 0));
}

int main(void)
{
	begin();
	WORKS(mount("none", top, "tmpfs", 0, NULL));
	WORKS(chdir(top));
	WORKS(make_file("file", "text"));
	user_names = !setxattr("file", "user.a", "", 0, 0) && !removexattr("file", "user.a");
	test_round_trip("trusted.name");
	test_round_trip("security.name");
	if (user_names)
		test_round_trip("user.name");
	else
		printf("# no user.* in this tmpfs\n");
	test_sizes();
	test_errors();
	test_descriptors_and_links();
	test_users();
	WORKS(chdir("/"));
	WORKS(umount(top));
	return end();
}
