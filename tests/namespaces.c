/*
 * Namespaces of mounts: what a process sees and others do not; entering another's; a new root; flags of one mount; what is
 * told of changes.
 */
#include "mounts.h"

#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

static int pipes[2][2]; /* to the child, from it */

static void tell(int which)
{
	CHECK(write(pipes[which][1], "x", 1) == 1);
}

static void hear(int which)
{
	char c;

	CHECK(read(pipes[which][0], &c, 1) == 1);
}

static unsigned long number_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : st.st_ino;
}

/* ---- Of one's own ---- */

static void alone(void)
{
	CHECK(!unshare(CLONE_NEWNS));
	CHECK(!mount_new("a/x") && mounts_at("/tmp/m/a/x") == 1);
	CHECK(!mount_new("b") && !umount("c"));
	CHECK(access("c/f", F_OK) && errno == ENOENT);
	tell(1);
	hear(0);
}

static void test_alone(void)
{
	unsigned long ours = number_of("/proc/self/ns/mnt");
	char name[64], target[64] = "";
	pid_t pid;
	int status, fd;

	WORKS(mount_new("a"));
	WORKS(mkdir("a/x", 0755));
	WORKS(mount_type("a", MS_SHARED));
	WORKS(mount_new("c"));
	WORKS(make_file("c/f", ""));
	WORKS(pipe(pipes[0]));
	WORKS(pipe(pipes[1]));
	pid = fork();
	if (!pid) {
		tap_failures = 0;
		alone();
		_exit(tap_failures != 0);
	}
	hear(1);
	GIVES(1, mounts_at("/tmp/m/a/x")); /* a is shared */
	GIVES(0, mounts_at("/tmp/m/b"));
	WORKS(access("c/f", F_OK));
	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", pid);
	TRUE(number_of(name) && number_of(name) != ours);
	TRUE(readlink(name, target, sizeof(target) - 1) > 0 && !strncmp(target, "mnt:[", 5));
	TRUE(strtoul(target + 5, NULL, 10) == number_of(name));
	snprintf(name, sizeof(name), "/proc/%d/mounts", pid);
	TRUE(strstr(text_of(name), "/tmp/m/b tmpfs"));
	TRUE(!strstr(text_of("/proc/self/mounts"), "/tmp/m/b tmpfs"));
	/* What is mounted there is no hindrance here: it goes with the name. */
	WORKS(rmdir("b"));
	TRUE(!strstr(text_of(name), "/tmp/m/b tmpfs"));
	WORKS(mkdir("b", 0755));
	snprintf(name, sizeof(name), "/proc/%d/root/tmp/m/c/f", pid);
	FAILS(ENOENT, access(name, F_OK));
	fd = open("/proc/self/ns/mnt", O_RDONLY);
	TRUE(fd >= 0);
	GIVES(CLONE_NEWNS, ioctl(fd, NS_GET_NSTYPE));
	FAILS(EINVAL, ioctl(fd, NS_GET_PARENT));
	close(fd);
	tell(0);
	TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	WORKS(umount2("a", MNT_DETACH));
	WORKS(umount("c"));
}

/* ---- Another's ---- */

static void stay(void)
{
	CHECK(!unshare(CLONE_NEWNS));
	CHECK(!mount_new("d") && !make_file("d/theirs", ""));
	tell(1);
	hear(0);
}

static void enter(const char *name, int flags)
{
	int fd = open(name, O_RDONLY);

	CHECK(fd >= 0);
	CHECK_FAILS(EINVAL, setns(fd, CLONE_NEWUTS));
	CHECK(!setns(fd, flags));
	CHECK(!access("/tmp/m/d/theirs", F_OK));
	CHECK(getcwd(text, sizeof(text)) && !strcmp(text, "/"));
}

static char their_name[64];
static pid_t theirs;

static void enter_by_file(void)
{
	enter(their_name, CLONE_NEWNS);
	CHECK(!chdir("/tmp/m"));
}

static void enter_by_any(void)
{
	enter(their_name, 0);
}

static void enter_by_pidfd(void)
{
	int fd = syscall(SYS_pidfd_open, theirs, 0);

	CHECK(fd >= 0);
	CHECK_FAILS(EINVAL, setns(fd, 0));
	CHECK(!setns(fd, CLONE_NEWNS));
	CHECK(!access("/tmp/m/d/theirs", F_OK));
}

static void enter_kept(void)
{
	enter("/tmp/m/file", CLONE_NEWNS);
}

/* Those of which there is one can be entered; but not one's own of users. */
static void enter_others(void)
{
	static const char *const names[] = { "cgroup", "ipc", "net",
					     "pid",    "uts", "pid_for_children" };
	char name[64];
	int fd;

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "/proc/self/ns/%s", names[i]);
		fd = open(name, O_RDONLY);
		CHECK(fd >= 0 && setns(fd, 0) == 0);
		close(fd);
	}
	fd = open("/proc/self/ns/user", O_RDONLY);
	CHECK_FAILS(EINVAL, setns(fd, CLONE_NEWUSER));
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	CHECK_FAILS(EINVAL, setns(fd, 0));
	close(fd);
	CHECK_FAILS(EBADF, setns(999, CLONE_NEWNS));
	CHECK_FAILS(EPERM, open("/proc/self/ns/mnt", O_WRONLY));
}

static void user_may_not(void)
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY);

	CHECK_FAILS(EPERM, unshare(CLONE_NEWNS));
	CHECK_FAILS(EPERM, setns(fd, CLONE_NEWNS));
	CHECK_FAILS(EPERM, mount_new("a"));
	CHECK_FAILS(EPERM, umount("/tmp/m"));
	CHECK_FAILS(EACCES, open(their_name, O_RDONLY));
}

static void test_entering(void)
{
	int status;

	theirs = fork();
	if (!theirs) {
		tap_failures = 0;
		stay();
		_exit(tap_failures != 0);
	}
	hear(1);
	snprintf(their_name, sizeof(their_name), "/proc/%d/ns/mnt", theirs);
	GIVES(0, in_child(enter_by_file));
	GIVES(0, in_child(enter_by_any));
	GIVES(0, in_child(enter_by_pidfd));
	GIVES(0, in_child(enter_others));
	GIVES(0, as_user(user_may_not));
	/* A bind mount of the file keeps the namespace; never one's own, nor an older one. */
	WORKS(make_file("file", ""));
	WORKS(mount_bind(their_name, "file"));
	TRUE(!strncmp(line_of("/tmp/m/file").root, "mnt:[", 5) &&
	     !strcmp(line_of("/tmp/m/file").type, "nsfs"));
	FAILS(EINVAL, mount_bind("/proc/self/ns/mnt", "a"));
	WORKS(make_file("a/file", ""));
	FAILS(EINVAL, mount_bind("/proc/self/ns/mnt", "a/file"));
	WORKS(mount_bind("/proc/self/ns/uts", "a/file"));
	WORKS(umount("a/file"));
	WORKS(unlink("a/file"));
	tell(0);
	TRUE(waitpid(theirs, &status, 0) == theirs && status == 0);
	GIVES(0, in_child(enter_kept));
	WORKS(umount("file"));
	WORKS(unlink("file"));
}

/* ---- A new root ---- */

static void pivot(void)
{
	CHECK(!unshare(CLONE_NEWNS));
	CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK(!mount_new("a") && !mkdir("a/new", 0755) && !mkdir("a/proc", 0755));
	CHECK(!mount("proc", "a/proc", "proc", 0, NULL));
	CHECK(!chroot("a") && !chdir("/"));
	CHECK(!mount_new("/new") && !mkdir("/new/old", 0755) && !mkdir("/new/old/deep", 0755));
	CHECK(!make_file("/new/here", ""));
	CHECK_FAILS(EINVAL, syscall(SYS_pivot_root, "/new/old", "/new/old/deep")); /* no mount */
	CHECK_FAILS(EBUSY, syscall(SYS_pivot_root, "/", "/"));
	CHECK_FAILS(EBUSY, syscall(SYS_pivot_root, "/new", "/proc/../"));
	CHECK_FAILS(ENOTDIR, syscall(SYS_pivot_root, "/new/here", "/new/old"));
	CHECK(!mount_type("/", MS_SHARED));
	CHECK_FAILS(EINVAL, syscall(SYS_pivot_root, "/new", "/new/old"));
	CHECK(!mount_type("/", MS_PRIVATE));
	CHECK(!syscall(SYS_pivot_root, "/new", "/new/old"));
	CHECK(!access("/here", F_OK) && !access("/old/new", F_OK));
	CHECK(getcwd(text, sizeof(text)) && !strcmp(text, "/"));
	CHECK(line_of("/").count == 0); /* proc is at /old/proc */
	CHECK(!umount2("/old", MNT_DETACH));
	CHECK(access("/old/new", F_OK) && errno == ENOENT);
	/* Onto itself: the old root stands on the new one. */
	CHECK(!mkdir("/again", 0755) && !mount_new("/again") && !chdir("/again"));
	CHECK(!make_file("inner", ""));
	CHECK(!syscall(SYS_pivot_root, ".", "."));
	CHECK(!umount2(".", MNT_DETACH));
	CHECK(!access("/inner", F_OK) && access("/here", F_OK));
}

/* ---- Flags ---- */

/* A tree does not become read-only while somebody writes, whoever sees that. */
static void test_writer_elsewhere(void)
{
	int there[2], done[2];
	char byte;
	pid_t pid;

	WORKS(mount("none", "a", "tmpfs", 0, ""));
	WORKS(pipe(there) || pipe(done));
	pid = fork();
	if (!pid) {
		int fd = unshare(CLONE_NEWNS) ? -1 : open("a/f", O_CREAT | O_WRONLY, 0644);

		close(done[1]);
		(void)!write(there[1], fd < 0 ? "n" : "y", 1);
		(void)!read(done[0], &byte, 1);
		_exit(0);
	}
	TRUE(read(there[0], &byte, 1) == 1 && byte == 'y');
	FAILS(EBUSY, mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	close(done[1]);
	GIVES(pid, waitpid(pid, NULL, 0));
	WORKS(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	close(there[0]), close(there[1]), close(done[0]);
	WORKS(umount("a"));
}

static void test_flags(void)
{
	WORKS(mount("none", "a", "tmpfs", MS_NOEXEC | MS_NOATIME, ""));
	WORKS(mkdir("a/x", 0755));
	WORKS(make_file("a/f", "1"));
	WORKS(mount_bind("a", "b"));
	TRUE(strstr(line_of("/tmp/m/b").flags, "noexec") &&
	     strstr(line_of("/tmp/m/b").flags, "noatime"));
	WORKS(mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL));
	TRUE(!strcmp(line_of("/tmp/m/b").flags, "ro,nosuid,nodev,noatime"));
	FAILS(EROFS, open("b/f", O_WRONLY));
	WORKS(make_file("a/f", "2"));
	TRUE(!strcmp(line_of("/tmp/m/a").flags, "rw,noexec,noatime"));
	WORKS(mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RELATIME, NULL));
	TRUE(!strcmp(line_of("/tmp/m/b").flags, "rw,relatime"));
	FAILS(EINVAL, mount(NULL, "b/x", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	WORKS(umount("b"));
	WORKS(mount_bind("a/x", "b"));
	TRUE(!strcmp(line_of("/tmp/m/b").root, "/x"));
	WORKS(umount("b"));
	FAILS(EINVAL, umount("a/x"));
	FAILS(EINVAL, umount2("a", MNT_EXPIRE | MNT_DETACH));
	FAILS(EAGAIN, umount2("a", MNT_EXPIRE));
	WORKS(umount2("a", MNT_EXPIRE));
	GIVES(0, mounts_at("/tmp/m/a"));
	FAILS(EINVAL, mount(NULL, "a", NULL, MS_BIND, NULL));
	FAILS(ENOENT, mount("nowhere", "a", NULL, MS_BIND, NULL));
	FAILS(ENODEV, mount("none", "a", "no-such-type", 0, NULL));
}

/* ---- What is told ---- */

static void test_telling(void)
{
	struct pollfd fd = { .fd = open("/proc/self/mountinfo", O_RDONLY), .events = POLLPRI };

	TRUE(fd.fd >= 0);
	GIVES(0, poll(&fd, 1, 0));
	WORKS(mount_new("a"));
	GIVES(1, poll(&fd, 1, 0));
	TRUE(fd.revents == (POLLPRI | POLLERR));
	GIVES(0, poll(&fd, 1, 0));
	WORKS(umount("a"));
	GIVES(1, poll(&fd, 1, 1000));
	WORKS(mount_type("/tmp/m", MS_SHARED));
	WORKS(mount_type("/tmp/m", MS_PRIVATE));
	close(fd.fd);
	/* Who has it open from somewhere does not keep that busy. */
	WORKS(mount_new("a"));
	WORKS(chdir("a"));
	fd.fd = open("/proc/self/mounts", O_RDONLY);
	WORKS(chdir("/tmp/m"));
	WORKS(umount("a"));
	close(fd.fd);
}

int main(void)
{
	begin_mounts();
	test_alone();
	test_entering();
	GIVES(0, in_child(pivot));
	test_writer_elsewhere();
	test_flags();
	test_telling();
	return end_mounts();
}
