/*
 * Files without a name: memfd_create and its seals, O_TMPFILE; and openat2, with its limits on where a name may lead.
 */
#include "files.h"

#include <linux/falloc.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif

static char buffer[10000];

/* ---- memfd_create ---- */

static const char *fd_name(int fd)
{
	char path[64];
	ssize_t length;

	sprintf(path, "/proc/self/fd/%d", fd);
	length = readlink(path, buffer, sizeof(buffer) - 1);
	buffer[length < 0 ? 0 : length] = 0;
	return buffer;
}

static void test_memfd(void)
{
	char name[300], path[64];
	struct stat st;
	char *map;
	int fd = memfd_create("some name", MFD_CLOEXEC), again;

	TRUE(fd >= 0);
	TRUE(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	TRUE(!strcmp(fd_name(fd), "/memfd:some name (deleted)"));
	GIVES(5, write(fd, "hello", 5));
	WORKS(fstat(fd, &st));
	TRUE(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0777 && st.st_nlink == 0 && st.st_size == 5);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUE(map != MAP_FAILED && !strcmp(map, "hello"));
	sprintf(path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	GIVES(5, read(again, buffer, 10));
	close(again);
	munmap(map, 4096);
	GIVES(F_SEAL_SEAL, fcntl(fd, F_GET_SEALS));
	FAILS(EPERM, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);

	memset(name, 'n', sizeof(name));
	name[250] = 0;
	FAILS(EINVAL, memfd_create(name, 0));
	name[249] = 0;
	TRUE((fd = memfd_create(name, 0)) >= 0);
	TRUE(fcntl(fd, F_GETFD) == 0);
	close(fd);
	FAILS(EINVAL, memfd_create("x", 0x100));
	FAILS(EFAULT, memfd_create((char *)8, 0));
}

/* ---- Seals ---- */

static int sealed(unsigned int seals)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

	if (ftruncate(fd, 8192) || fcntl(fd, F_ADD_SEALS, seals))
		tap_ok(0, "sealing with %x", seals);
	return fd;
}

static void test_size_seals(void)
{
	int fd = sealed(F_SEAL_SHRINK);

	FAILS(EPERM, ftruncate(fd, 4096));
	WORKS(ftruncate(fd, 8192));
	WORKS(ftruncate(fd, 9000));
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	close(fd);
	fd = sealed(F_SEAL_GROW);
	FAILS(EPERM, ftruncate(fd, 8193));
	GIVES(2, pwrite(fd, buffer, 10, 8190));
	FAILS(EPERM, pwrite(fd, buffer, 10, 8192));
	GIVES(4096, pwrite(fd, buffer, 8192, 4096));
	GIVES(2, pwrite(fd, buffer, 2, 8190));
	FAILS(EPERM, fallocate(fd, 0, 8192, 1));
	WORKS(fallocate(fd, 0, 0, 8192));
	WORKS(ftruncate(fd, 10));
	close(fd);
}

static void test_write_seals(void)
{
	int fd = sealed(F_SEAL_WRITE);
	char *map;

	FAILS(EPERM, write(fd, "x", 1));
	FAILS(EPERM, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	WORKS(ftruncate(fd, 4096));
	TRUE(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	TRUE(map != MAP_FAILED);
	munmap(map, 4096);
	GIVES(F_SEAL_WRITE, fcntl(fd, F_GET_SEALS));
	WORKS(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	FAILS(EPERM, fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	close(fd);

	fd = sealed(0);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	FAILS(EBUSY, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	GIVES(0, fcntl(fd, F_GET_SEALS));
	WORKS(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	map[0] = 'm'; /* what is mapped already still writes */
	FAILS(EPERM, write(fd, "x", 1));
	TRUE(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
	munmap(map, 4096);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	TRUE(map != MAP_FAILED && map[0] == 'm');
	FAILS(EACCES, mprotect(map, 4096, PROT_READ | PROT_WRITE));
	munmap(map, 4096);
	WORKS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);
}

static void test_seal_errors(void)
{
	int fd = sealed(0), reader, pipe_ends[2];
	char path[64];

	FAILS(EINVAL, fcntl(fd, F_ADD_SEALS, 0x1000));
	sprintf(path, "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);
	FAILS(EPERM, fcntl(reader, F_ADD_SEALS, F_SEAL_GROW));
	GIVES(0, fcntl(reader, F_GET_SEALS));
	close(reader);
	close(fd);
	fd = open("file", O_CREAT | O_RDWR, 0600);
	GIVES(F_SEAL_SEAL, fcntl(fd, F_GET_SEALS));
	FAILS(EPERM, fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	close(fd);
	unlink("file");
	if (pipe(pipe_ends))
		return;
	FAILS(EINVAL, fcntl(pipe_ends[1], F_ADD_SEALS, F_SEAL_GROW));
	FAILS(EINVAL, fcntl(pipe_ends[1], F_GET_SEALS));
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

/* ---- O_TMPFILE ---- */

static void test_temporary(void)
{
	char path[64];
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0666);

	TRUE(fd >= 0);
	GIVES(4, write(fd, "temp", 4));
	WORKS(fstat(fd, &st));
	TRUE(st.st_nlink == 0 && st.st_mode == (S_IFREG | 0644));
	tap_ok(strstr(fd_name(fd), "/#") && strstr(buffer, " (deleted)"), "it seems to be deleted");
	sprintf(path, "/proc/self/fd/%d", fd);
	WORKS(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	TRUE(!strcmp(text_of("named"), "temp"));
	TRUE(links_of("named") == 1);
	close(fd);
	WORKS(unlink("named"));
	fd = open(".", O_TMPFILE | O_WRONLY, 0600);
	WORKS(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
	close(fd);
	WORKS(unlink("named"));
	fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
	FAILS(ENOENT, linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
	close(fd);
	FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0600));
	FAILS(EINVAL, open(".", O_TMPFILE | O_RDWR | O_CREAT, 0600));
	FAILS(ENOENT, open("none", O_TMPFILE | O_RDWR, 0600));
	WORKS(make_file("file", ""));
	FAILS(ENOTDIR, open("file", O_TMPFILE | O_RDWR, 0600));
	WORKS(unlink("file"));
}

/* ---- openat2 ---- */

static long open2(int dir, const char *name, unsigned long flags, unsigned long resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? -1 : 0;
}

static void test_open2_limits(void)
{
	int dir;

	WORKS(mkdir("d", 0755));
	WORKS(mkdir("d/e", 0755));
	WORKS(make_file("d/file", ""));
	WORKS(make_file("outside", ""));
	WORKS(symlink("../file", "d/e/up"));
	WORKS(symlink("../../outside", "d/e/out"));
	WORKS(symlink("/file", "d/abs"));
	WORKS(symlink("/proc/self/exe", "d/magic"));
	dir = open("d", O_PATH | O_DIRECTORY);
	WORKS(open2(dir, "file", O_RDONLY, 0));
	WORKS(open2(dir, "e/up", O_RDONLY, RESOLVE_BENEATH));
	WORKS(open2(dir, "e/../file", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "../outside", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "e/out", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "abs", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "/file", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "..", O_RDONLY, RESOLVE_BENEATH));
	WORKS(open2(dir, "/file", O_RDONLY, RESOLVE_IN_ROOT));
	WORKS(open2(dir, "abs", O_RDONLY, RESOLVE_IN_ROOT));
	WORKS(open2(dir, "../../file", O_RDONLY, RESOLVE_IN_ROOT));
	FAILS(ENOENT, open2(dir, "e/out", O_RDONLY, RESOLVE_IN_ROOT));
	WORKS(open2(dir, "..", O_RDONLY, RESOLVE_IN_ROOT));
	FAILS(ELOOP, open2(dir, "e/up", O_RDONLY, RESOLVE_NO_SYMLINKS));
	FAILS(ELOOP,
	      open2(dir, "e/up", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS) ? -1 : (errno = ELOOP, -1));
	FAILS(ELOOP, open2(AT_FDCWD, "d/magic", O_RDONLY, RESOLVE_NO_MAGICLINKS));
	WORKS(open2(AT_FDCWD, "/proc/self/exe", O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS));
	FAILS(EXDEV, open2(AT_FDCWD, "/proc/self/stat", O_RDONLY, RESOLVE_NO_XDEV));
	WORKS(open2(dir, "e/up", O_RDONLY, RESOLVE_NO_XDEV));
	WORKS(open2(dir, "file", O_RDONLY, RESOLVE_CACHED));
	FAILS(EAGAIN, open2(dir, "file", O_RDWR | O_TRUNC, RESOLVE_CACHED));
	FAILS(EAGAIN, open2(dir, "file", O_RDWR | O_CREAT, RESOLVE_CACHED));
	WORKS(chdir("d"));
	WORKS(open2(AT_FDCWD, "/file", O_RDONLY, RESOLVE_IN_ROOT));
	FAILS(EXDEV, open2(AT_FDCWD, "../outside", O_RDONLY, RESOLVE_BENEATH));
	WORKS(chdir(".."));
	close(dir);
	unlink("d/abs");
	unlink("d/magic");
	unlink("d/e/up");
	unlink("d/e/out");
	unlink("d/file");
	unlink("outside");
	rmdir("d/e");
	rmdir("d");
}

static void test_open2_arguments(void)
{
	struct {
		struct open_how how;
		unsigned long more;
	} big = { .how.flags = O_RDONLY };
	struct open_how how = { .flags = O_CREAT | O_WRONLY, .mode = 0640 };

	TRUE(close((int)syscall(SYS_openat2, AT_FDCWD, "new", &how, sizeof(how))) == 0);
	TRUE(mode_of("new") == (S_IFREG | 0640));
	WORKS(close((int)syscall(SYS_openat2, AT_FDCWD, "new", &big, sizeof(big))));
	big.more = 1;
	FAILS(E2BIG, syscall(SYS_openat2, AT_FDCWD, "new", &big, sizeof(big)));
	FAILS(E2BIG, syscall(SYS_openat2, AT_FDCWD, "new", &big, 5000));
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "new", &how, 23));
	FAILS(EFAULT, syscall(SYS_openat2, AT_FDCWD, "new", (void *)8, sizeof(how)));
	how.flags = O_RDONLY;
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "new", &how, sizeof(how)));
	how.flags = O_CREAT;
	how.mode = 010000;
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "new", &how, sizeof(how)));
	FAILS(EINVAL, open2(AT_FDCWD, "new", 1UL << 40, 0));
	FAILS(EINVAL, open2(AT_FDCWD, "new", O_PATH | O_WRONLY, 0));
	FAILS(EINVAL, open2(AT_FDCWD, "new", 0, 0x80));
	FAILS(EINVAL, open2(AT_FDCWD, "new", 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	FAILS(EBADF, open2(-1, "new", 0, 0));
	FAILS(ENOENT, open2(AT_FDCWD, "none", 0, 0));
	WORKS(unlink("new"));
}

int main(void)
{
	begin();
	WORKS(mount("none", top, "tmpfs", 0, NULL));
	WORKS(chdir(top));
	test_memfd();
	test_size_seals();
	test_write_seals();
	test_seal_errors();
	test_temporary();
	test_open2_limits();
	test_open2_arguments();
	WORKS(chdir("/"));
	WORKS(umount(top));
	return end();
}
