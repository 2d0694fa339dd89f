/* Files named by handles: name_to_handle_at(2), open_by_handle_at(2). */
#include "files.h"

#include <sys/mount.h>

static struct {
	struct file_handle head;
	unsigned char bytes[128];
} handle;

static int mount_id;

static int get_handle(const char *name, int flags)
{
	handle.head.handle_bytes = sizeof(handle.bytes);
	return name_to_handle_at(AT_FDCWD, name, &handle.head, &mount_id, flags);
}

static void test_getting(void)
{
	handle.head.handle_bytes = 0;
	FAILS(EOVERFLOW, name_to_handle_at(AT_FDCWD, "d/file", &handle.head, &mount_id, 0));
	TRUE(handle.head.handle_bytes > 0);
	WORKS(name_to_handle_at(AT_FDCWD, "d/file", &handle.head, &mount_id, 0));
	handle.head.handle_bytes = sizeof(handle.bytes) + 1;
	FAILS(EINVAL, name_to_handle_at(AT_FDCWD, "d/file", &handle.head, &mount_id, 0));
	FAILS(EINVAL, get_handle("d/file", 1));
	FAILS(ENOENT, get_handle("none", 0));
	FAILS(ENOENT, get_handle("", 0));
	WORKS(get_handle("", AT_EMPTY_PATH));
	FAILS(EOPNOTSUPP, get_handle("/proc/version", 0));
	FAILS(EFAULT, name_to_handle_at(AT_FDCWD, "d/file", NULL, &mount_id, 0));
	handle.head.handle_bytes = sizeof(handle.bytes);
	FAILS(EFAULT, name_to_handle_at(AT_FDCWD, "d/file", &handle.head, NULL, 0));
	FAILS(EBADF, name_to_handle_at(-1, "d/file", &handle.head, &mount_id, 0));
}

static void user_opens(void)
{
	CHECK(get_handle("d/file", 0) == 0);
	CHECK_FAILS(EPERM, open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY));
}

static void test_opening(void)
{
	int here = open(".", O_RDONLY), fd;
	char byte = 0;

	WORKS(get_handle("d/file", 0));
	rename("d/file", "d/moved"); /* the handle is not the name's */
	fd = open_by_handle_at(here, &handle.head, O_RDWR);
	TRUE(fd >= 0 && read(fd, &byte, 1) == 1 && byte == 'x');
	close(fd);
	fd = open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY);
	TRUE(fd >= 0);
	close(fd);
	FAILS(EBADF, open_by_handle_at(-1, &handle.head, O_RDONLY));
	FAILS(EFAULT, open_by_handle_at(here, NULL, O_RDONLY));
	rename("d/moved", "d/file");
	tap_ok(as_user(user_opens) == 0, "an ordinary user gets handles, and opens none");

	WORKS(get_handle("d", 0));
	fd = open_by_handle_at(here, &handle.head, O_RDONLY | O_DIRECTORY);
	TRUE(fd >= 0 && faccessat(fd, "file", F_OK, 0) == 0);
	close(fd);
	WORKS(get_handle("link", 0));
	FAILS(ELOOP, open_by_handle_at(here, &handle.head, O_RDONLY));
	fd = open_by_handle_at(here, &handle.head, O_PATH);
	TRUE(fd >= 0);
	close(fd);
	handle.head.handle_bytes = 0;
	FAILS(EINVAL, open_by_handle_at(here, &handle.head, O_RDONLY));
	WORKS(get_handle("d/file", 0));
	unlink("d/file");
	FAILS(ESTALE, open_by_handle_at(here, &handle.head, O_RDONLY));
	close(here);
}

int main(void)
{
	begin();
	WORKS(mount("handles", ".", "tmpfs", 0, "mode=755"));
	WORKS(chdir(top));
	mkdir("d", 0755);
	make_file("d/file", "x");
	WORKS(symlink("nowhere", "link"));
	test_getting();
	test_opening();
	WORKS(chdir("/"));
	WORKS(umount(top));
	return end();
}
