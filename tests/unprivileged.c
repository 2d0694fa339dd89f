/*
 * Namespaces without privilege: who has promised to gain none may have one, bind and mount in it, and change nothing of what he was
 * given. Linux allows that in a namespace of users only.
 */
#include "mounts.h"

#include <sys/prctl.h>

static char self[4096];
static int pipes[2][2];

static void tell(int which)
{
	CHECK(write(pipes[which][1], "x", 1) == 1);
}

static void hear(int which)
{
	char c;

	CHECK(read(pipes[which][0], &c, 1) == 1);
}

static int promise(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int promised(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void take(void)
{
	CHECK_FAILS(EPERM, unshare(CLONE_NEWNS));
	CHECK_FAILS(EPERM, mount_new("f"));
	CHECK(!promise() && !unshare(CLONE_NEWNS));
	CHECK(promised() == 1);
}

/* What was there: a tmpfs on a, shared; on a/x another one, which hides a/x/hidden; on b one without devices, that cannot be
 * written to. */
static void given(void)
{
	WORKS(mount_new("a"));
	WORKS(mkdir("a/x", 0755));
	WORKS(mkdir("a/y", 0755));
	WORKS(make_file("a/x/hidden", ""));
	WORKS(mount_type("a", MS_SHARED));
	WORKS(mount_new("a/x"));
	WORKS(mount("none", "b", "tmpfs", MS_NODEV | MS_NOEXEC, ""));
	WORKS(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL));
}

static void binds(void)
{
	take();
	CHECK(!mkdir("/tmp/m/c/own", 0755) && !make_file("/tmp/m/c/own/passwd", "me"));
	CHECK(!mount_bind("c/own", "/etc") && !strcmp(text_of("/etc/passwd"), "me"));
	CHECK(!umount("/etc"));
	CHECK(!mount("c/own", "/etc", NULL, MS_BIND, "before") && !strcmp(text_of("/etc/passwd"), "me"));
	CHECK(!access("/etc/group", F_OK));
	CHECK(!umount("/etc"));
	CHECK(!mount("none", "f", "tmpfs", 0, ""));
	CHECK(!strcmp(line_of("/tmp/m/f").flags, "rw,nosuid,nodev,relatime"));
	CHECK_FAILS(EPERM, mount(NULL, "f", NULL, MS_REMOUNT | MS_BIND, NULL));
	CHECK(!mount(NULL, "f", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_RDONLY, NULL));
	CHECK(!mount(NULL, "f", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL));
	CHECK(!make_file("f/file", "") && !umount("f"));
	CHECK(!mount("none", "f", "proc", 0, NULL) && !access("f/self/ns", F_OK) && !umount("f"));
	CHECK_FAILS(EPERM, mount("none", "f", "devtmpfs", 0, NULL));
	CHECK(!mount("/dev", "f", NULL, MS_BIND | MS_REC, NULL)); /* a bind is as what it is of */
	CHECK(!close(open("f/null", O_RDWR)));
	CHECK(!umount2("f", MNT_DETACH));
	CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	/* Again, and it is no less his. */
	CHECK(!mount_new("f") && !unshare(CLONE_NEWNS) && !umount("f"));
}

static void keeps(void)
{
	int fd;

	take();
	CHECK_FAILS(EINVAL, umount("a/x"));
	CHECK_FAILS(EINVAL, umount2("a/x", MNT_DETACH));
	CHECK_FAILS(EINVAL, umount2("a", MNT_DETACH));
	CHECK_FAILS(EINVAL, umount("/proc"));
	CHECK_FAILS(EINVAL, mount("a/x", "f", NULL, MS_MOVE, NULL));
	CHECK_FAILS(EPERM, mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOEXEC, NULL));
	CHECK_FAILS(EPERM, mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_RDONLY, NULL));
	CHECK_FAILS(EPERM, mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC | MS_RDONLY, NULL));
	CHECK_FAILS(EPERM, mount(NULL, "b", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_FAILS(EPERM, mount(NULL, "b", NULL,
				 MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOEXEC | MS_RDONLY | MS_NOATIME,
				 NULL));
	CHECK(!mount(NULL, "b", NULL,
		     MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOEXEC | MS_RDONLY | MS_NOSUID, NULL));
	/* What is hidden stays hidden in copies, and in what is left of them. */
	CHECK_FAILS(EINVAL, mount_bind("a", "f"));
	CHECK(!mount("a", "f", NULL, MS_BIND | MS_REC, NULL));
	CHECK_FAILS(EINVAL, umount("f/x"));
	CHECK(access("f/x/hidden", F_OK) && errno == ENOENT);
	fd = open("f", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && !umount2("f", MNT_DETACH));
	CHECK_FAILS(ENOENT, faccessat(fd, "x/hidden", F_OK, 0));
	CHECK(!faccessat(fd, "x/..", F_OK, 0) && !faccessat(fd, "y", F_OK, 0));
	close(fd);
	CHECK(!mount_bind("a/x", "f") && !umount("f"));
}

static void hears(void)
{
	take();
	tell(1);
	hear(0);
	CHECK(mounts_at("/tmp/m/a/y") == 1);
	CHECK(line_of("/tmp/m/a").master && !line_of("/tmp/m/a").shared);
	CHECK(!umount("a/y")); /* what comes as a whole may go */
	CHECK(!mount_new("a/y"));
	tell(1);
	hear(0);
}

static void test_hearing(void)
{
	pid_t pid;
	int status;

	WORKS(pipe(pipes[0]));
	WORKS(pipe(pipes[1]));
	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(98);
		tap_failures = 0;
		hears();
		_exit(tap_failures != 0);
	}
	hear(1);
	WORKS(mount_new("a/y"));
	WORKS(make_file("a/y/ours", ""));
	tell(0);
	hear(1);
	WORKS(access("a/y/ours", F_OK));
	GIVES(1, mounts_at("/tmp/m/a/y"));
	tell(0);
	TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	WORKS(umount("a/y"));
}

/* ---- Privilege ---- */

static int euid_of_program(const char *name)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execl(name, name, "euid", NULL);
		_exit(99);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void gains_before(void)
{
	CHECK(euid_of_program("/tmp/m/program") == 0);
}

static void gains_nothing(void)
{
	take();
	CHECK(euid_of_program("/tmp/m/program") == 100);
	CHECK(!mount("/tmp/m", "/mnt", NULL, MS_BIND | MS_REC, NULL) &&
	      euid_of_program("/mnt/program") == 100);
}

static pid_t theirs;
static int their_fd;

static void own_may_enter(void)
{
	CHECK_FAILS(EPERM, setns(their_fd, CLONE_NEWNS)); /* without the promise */
	CHECK(!promise() && !setns(their_fd, CLONE_NEWNS));
	CHECK(mounts_at("/tmp/m/f") == 1 && !umount("/tmp/m/f"));
}

static void others_may_not(void)
{
	CHECK(!setresuid(1001, 1001, 1001));
	CHECK(!promise());
	CHECK_FAILS(EPERM, setns(their_fd, CLONE_NEWNS));
}

static void root_gives_up(void)
{
	CHECK(!promised() && !setns(their_fd, CLONE_NEWNS) && promised() == 1);
	CHECK_FAILS(EINVAL, umount("/tmp/m/a"));
}

static void test_entering(void)
{
	char name[64];
	int status;

	theirs = fork();
	if (!theirs) {
		if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(98);
		tap_failures = 0;
		take();
		CHECK(!mount_new("f"));
		tell(1);
		hear(0);
		_exit(tap_failures != 0);
	}
	hear(1);
	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", theirs);
	their_fd = open(name, O_RDONLY);
	TRUE(their_fd >= 0);
	GIVES(0, in_child(root_gives_up));
	GIVES(0, in_child(others_may_not));
	GIVES(0, as_user(own_may_enter));
	close(their_fd);
	tell(0);
	TRUE(waitpid(theirs, &status, 0) == theirs && status == 0);
}

/* With a part of /proc covered, it cannot be had whole. */
static void covered(void)
{
	take();
	CHECK_FAILS(EPERM, mount("none", "f", "proc", 0, NULL));
}

int main(int count, char **arguments)
{
	if (count > 1)
		return geteuid() ? 100 : 0;
	if (access("/proc/self/namespace", F_OK))
		return 77;
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	begin_mounts();
	WORKS(chmod("/tmp/m/c", 0777));
	WORKS(chmod("/tmp/m/f", 0777));
	given();
	GIVES(0, as_user(binds));
	GIVES(0, as_user(keeps));
	test_hearing();
	snprintf(text, sizeof(text), "cp %s program && chmod 4755 program", self);
	WORKS(system(text));
	GIVES(0, as_user(gains_before));
	GIVES(0, as_user(gains_nothing));
	test_entering();
	WORKS(mount_new("/proc/sys"));
	GIVES(0, as_user(covered));
	WORKS(umount("/proc/sys"));
	return end_mounts();
}
