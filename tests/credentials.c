/* Who a process is: user and group ids and their rules, set-id programs, what may be done to files and processes of others. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "gives.h"

#define NOBODY 65534
#define SHARED "/tmp/shared"

static const char *self;

static int ids_are(uid_t ruid, uid_t euid, uid_t suid)
{
	uid_t r, e, s;

	return !getresuid(&r, &e, &s) && r == ruid && e == euid && s == suid;
}

static int gids_are(gid_t rgid, gid_t egid, gid_t sgid)
{
	gid_t r, e, s;

	return !getresgid(&r, &e, &s) && r == rgid && e == egid && s == sgid;
}

/* ---- Ids ---- */

static void setuid_family(void)
{
	gives(-EINVAL, syscall(SYS_setuid, -1));
	gives(0, syscall(SYS_setresuid, 1000, 2000, 3000));
	tap_ok(ids_are(1000, 2000, 3000), "setresuid sets all three");
	tap_ok(setfsuid((uid_t)-1) == 2000, "the file system's id follows the effective one");
	gives(-EPERM, syscall(SYS_setuid, 2000 + 5));
	gives(-EPERM, syscall(SYS_setuid, 2000)); /* neither real nor saved */
	gives(0, syscall(SYS_setuid, 3000));
	tap_ok(ids_are(1000, 3000, 3000), "setuid sets the effective id alone");
	gives(0, syscall(SYS_setreuid, -1, 1000));
	tap_ok(ids_are(1000, 1000, 3000), "setreuid(-1, real) keeps the saved id");
	gives(-EPERM, syscall(SYS_setreuid, 3000, -1)); /* real := saved is not allowed */
	gives(0, syscall(SYS_setreuid, -1, 3000));
	tap_ok(ids_are(1000, 3000, 3000), "an effective id that is not the real one is saved");
	gives(0, syscall(SYS_setreuid, 3000, 1000));
	tap_ok(ids_are(3000, 1000, 1000), "a swap of ids saves the effective one");
	gives(-EPERM, syscall(SYS_setresuid, 5, -1, -1));
	gives(-EPERM, syscall(SYS_setresuid, -1, -1, 5));
	gives(0, syscall(SYS_setresuid, -1, -1, 3000));
	tap_ok(ids_are(3000, 1000, 3000), "setresuid(-1, -1, known) sets the saved id");
	gives(1000, syscall(SYS_setfsuid, 77)); /* refused in silence */
	gives(1000, syscall(SYS_setfsuid, 3000));
	gives(3000, syscall(SYS_setfsuid, -1));
	gives(-EFAULT, syscall(SYS_getresuid, 0, 0, 0));
}

static void setgid_family(void)
{
	gives(-EINVAL, syscall(SYS_setgid, -1));
	gives(0, syscall(SYS_setresgid, 10, 20, 30));
	gives(0, syscall(SYS_setresuid, 1000, 1000, 1000));
	tap_ok(gids_are(10, 20, 30), "setresgid sets all three");
	gives(-EPERM, syscall(SYS_setgid, 20));
	gives(0, syscall(SYS_setgid, 30));
	tap_ok(gids_are(10, 30, 30), "setgid sets the effective id alone");
	gives(-EPERM, syscall(SYS_setregid, 30, 99));
	gives(0, syscall(SYS_setregid, 30, 10));
	tap_ok(gids_are(30, 10, 10), "setregid swaps, and saves the effective id");
	gives(-EPERM, syscall(SYS_setresgid, 99, -1, -1));
	gives(10, syscall(SYS_setfsgid, 99));
	gives(10, syscall(SYS_setfsgid, 30));
	gives(30, syscall(SYS_setfsgid, -1));
	gives(-EPERM, syscall(SYS_setgroups, 0, NULL));
}

static void groups(void)
{
	static gid_t many[65537];
	gid_t few[3] = { 7, 5, 6 }, got[3];

	gives(-EINVAL, syscall(SYS_setgroups, 65537, many));
	gives(-EINVAL, syscall(SYS_setgroups, -1, many));
	gives(-EFAULT, syscall(SYS_setgroups, 2, 8));
	gives(0, syscall(SYS_setgroups, 65536, many));
	gives(65536, syscall(SYS_getgroups, 0, NULL));
	gives(0, syscall(SYS_setgroups, 3, few));
	gives(-EINVAL, syscall(SYS_getgroups, -1, got));
	gives(-EINVAL, syscall(SYS_getgroups, 2, got));
	gives(-EFAULT, syscall(SYS_getgroups, 3, 8));
	gives(3, syscall(SYS_getgroups, 3, got));
	tap_ok(got[0] == 5 && got[1] == 6 && got[2] == 7, "groups are told in order");
	few[1] = (gid_t)-1;
	gives(-EINVAL, syscall(SYS_setgroups, 3, few));
}

static void status_line(const char *name, char *value, size_t size)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];

	value[0] = 0;
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			snprintf(value, size, "%s", line + strlen(name));
	if (file)
		fclose(file);
}

static void status_file(void)
{
	gid_t few[2] = { 8, 9 };
	char value[256];

	setgroups(2, few);
	syscall(SYS_setresgid, 10, 20, 30);
	syscall(SYS_setresuid, 1, 2, 3);
	status_line("Uid:", value, sizeof(value));
	tap_ok(!strcmp(value, "\t1\t2\t3\t2\n"), "/proc/self/status tells user ids");
	status_line("Gid:", value, sizeof(value));
	tap_ok(!strcmp(value, "\t10\t20\t30\t20\n"), "/proc/self/status tells group ids");
	status_line("Groups:", value, sizeof(value));
	tap_ok(!strcmp(value, "\t8 9 \n"), "/proc/self/status tells groups");
	status_line("NoNewPrivs:", value, sizeof(value));
	tap_ok(!strcmp(value, "\t0\n"), "/proc/self/status tells of no_new_privs");
}

static void dumpable(void)
{
	struct stat st;

	gives(1, prctl(PR_GET_DUMPABLE));
	gives(0, setresuid(1000, 1000, 1000));
	gives(0, prctl(PR_GET_DUMPABLE));
	tap_ok(!stat("/proc/self/environ", &st) && st.st_uid == 0,
	       "what an undumpable process has in /proc is user 0's");
	gives(0, prctl(PR_SET_DUMPABLE, 1));
	tap_ok(!stat("/proc/self/environ", &st) && st.st_uid == 1000,
	       "and its own when it is dumpable again");
	gives(-EINVAL, prctl(PR_SET_DUMPABLE, 2));
}

/* ---- Set-id programs ---- */

/* The role: tells ids, AT_SECURE and dumpable in its exit status's place, a pipe on descriptor 1. */
static int tell(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	printf("%u %u %u %u %u %u %lu %d", r, e, s, rg, eg, sg, getauxval(AT_SECURE),
	       prctl(PR_GET_DUMPABLE));
	fflush(stdout);
	return 0;
}

static void run_told(const char *program, char *told, size_t size)
{
	int pipes[2];
	ssize_t got;
	pid_t pid;

	told[0] = 0;
	if (pipe(pipes))
		return;
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], 1);
		execl(program, program, "tell", NULL);
		printf("%d", errno);
		fflush(stdout);
		_exit(1);
	}
	close(pipes[1]);
	got = read(pipes[0], told, size - 1);
	told[got > 0 ? got : 0] = 0;
	close(pipes[0]);
	waitpid(pid, NULL, 0);
}

static void says(const char *program, const char *expected, const char *what)
{
	char told[256];

	run_told(program, told, sizeof(told));
	if (!tap_ok(!strcmp(told, expected), "%s", what))
		printf("# %s\n", told);
}

static int copy_self(const char *to)
{
	int from = open(self, O_RDONLY), there = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	char buffer[65536];
	ssize_t got;

	if (from < 0 || there < 0)
		return -1;
	while ((got = read(from, buffer, sizeof(buffer))) > 0)
		if (write(there, buffer, (size_t)got) != got)
			return -1;
	close(from);
	return close(there);
}

static void make_program(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	tap_ok(!copy_self(path) && !chown(path, uid, gid) && !chmod(path, mode), "%s is there", path);
}

static void set_id_programs(void)
{
	char *const script = "/tmp/ids/script";
	int fd;

	mkdir("/tmp/ids", 0755);
	gives(0, mount("ids", "/tmp/ids", "tmpfs", 0, "mode=755"));
	make_program("/tmp/ids/plain", 0, 0, 0755);
	make_program("/tmp/ids/setuid", 2000, 0, 04755);
	make_program("/tmp/ids/setgid", 0, 3000, 02755);
	make_program("/tmp/ids/lock", 0, 3000, 02745); /* no group execution: no set-group-id */
	make_program("/tmp/ids/unreadable", 0, 0, 0711);
	fd = open(script, O_WRONLY | O_CREAT, 0755);
	tap_ok(fd >= 0 && write(fd, "#!/tmp/ids/plain\n", 17) == 17 && !close(fd) &&
		       !chmod(script, 06755),
	       "a script is there");
	setresgid(100, 100, 100);
	setgroups(0, NULL);
	setresuid(1000, 1000, 1000);
	says("/tmp/ids/plain", "1000 1000 1000 100 100 100 0 1", "a plain program keeps its ids");
	says("/tmp/ids/setuid", "1000 2000 2000 100 100 100 1 0",
	     "a set-user-id program has its file's user");
	says("/tmp/ids/setgid", "1000 1000 1000 100 3000 3000 1 0",
	     "a set-group-id program has its file's group");
	says("/tmp/ids/lock", "1000 1000 1000 100 100 100 0 1", "set-group-id needs group execution");
	says("/tmp/ids/unreadable", "1000 1000 1000 100 100 100 0 0",
	     "a program that cannot be read is not dumpable");
	says(script, "1000 1000 1000 100 100 100 0 1", "set-id bits of scripts do not count");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	says("/tmp/ids/setuid", "1000 1000 1000 100 100 100 0 1",
	     "with no_new_privs set-id bits do not count");
}

static void set_id_on_nosuid(void)
{
	gives(0, mount("", "/tmp/ids", "", MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
	setresgid(100, 100, 100);
	setresuid(1000, 1000, 1000);
	says("/tmp/ids/setuid", "1000 1000 1000 100 100 100 0 1",
	     "on a nosuid mount set-id bits do not count");
}

static void exec_of_many_ids(void)
{
	gives(0, setresuid(1000, 2000, 3000));
	says("/tmp/ids/plain", "1000 2000 2000 0 0 0 1 0",
	     "exec saves the effective id; different ids are secure");
}

/* Set-id bits go when the owner or the contents change. */
static void bits_go(void)
{
	struct stat st;
	int fd = open("/tmp/ids/bits", O_RDWR | O_CREAT, 0755);

	gives(0, fchmod(fd, 06755));
	gives(0, fchown(fd, 1000, 1000));
	tap_ok(!fstat(fd, &st) && (st.st_mode & 07777) == 0755,
	       "chown takes set-id bits, even of user 0");
	gives(0, fchmod(fd, 06745));
	gives(0, fchown(fd, 1000, 1000));
	tap_ok(!fstat(fd, &st) && (st.st_mode & 07777) == 02745,
	       "but leaves set-group-id without group execution");
	gives(0, fchmod(fd, 06755));
	setresgid(1000, 1000, 1000);
	setgroups(0, NULL);
	setresuid(1000, 1000, 1000);
	gives(1, write(fd, "x", 1));
	tap_ok(!fstat(fd, &st) && (st.st_mode & 07777) == 0755, "a write takes set-id bits");
	gives(-EPERM, fchown(fd, 5, -1));
	gives(-EPERM, fchown(fd, -1, 5));
	gives(0, fchown(fd, 1000, 1000));
	gives(0, fchmod(fd, 02755));
	tap_ok(!fstat(fd, &st) && (st.st_mode & 07777) == 02755,
	       "the owner may set set-group-id of a group of its own");
}

static void foreign_group(void)
{
	struct stat st;

	close(open("/tmp/ids/group", O_RDWR | O_CREAT, 0755));
	chown("/tmp/ids/group", 1000, 55);
	setresgid(100, 100, 100);
	setgroups(0, NULL);
	setresuid(1000, 1000, 1000);
	gives(0, chmod("/tmp/ids/group", 02755));
	tap_ok(!stat("/tmp/ids/group", &st) && (st.st_mode & 07777) == 0755,
	       "but not of a group it is not in");
}

/* ---- Files of others ---- */

static void files_setup(void)
{
	mkdir(SHARED, 0777);
	chmod(SHARED, 01777);
	close(open(SHARED "/roots", O_WRONLY | O_CREAT, 0644));
	close(open(SHARED "/open", O_WRONLY | O_CREAT, 0666));
	chmod(SHARED "/open", 0666);
	close(open(SHARED "/suid", O_WRONLY | O_CREAT, 0666));
	chmod(SHARED "/suid", 04777);
	close(open(SHARED "/closed", O_WRONLY | O_CREAT, 0600));
	chown(SHARED "/closed", 2000, 2000);
	unlink(SHARED "/link");
	symlink("open", SHARED "/link");
	lchown(SHARED "/link", 2000, 2000);
	unlink(SHARED "/rootlink");
	symlink("open", SHARED "/rootlink");
}

static void files_of_others(void)
{
	setresgid(100, 100, 100);
	setgroups(0, NULL);
	setresuid(1000, 1000, 1000);
	gives(-EPERM, unlink(SHARED "/open")); /* sticky */
	gives(-EPERM, rename(SHARED "/open", SHARED "/mine"));
	gives(-EPERM, link(SHARED "/roots", SHARED "/hard")); /* protected_hardlinks: not writable */
	gives(-EPERM, link(SHARED "/suid", SHARED "/hard"));
	gives(0, link(SHARED "/open", SHARED "/hard"));
	gives(-EACCES, open(SHARED "/link", O_RDONLY));	     /* protected_symlinks */
	gives(0, close(open(SHARED "/rootlink", O_RDONLY))); /* of the directory's owner */
	gives(0, access(SHARED "/rootlink", R_OK));
	gives(0, symlink("open", SHARED "/mylink"));
	gives(0, access(SHARED "/mylink", R_OK));
	gives(0, unlink(SHARED "/mylink"));
	gives(-EACCES, open(SHARED "/closed", O_RDONLY));
	gives(-EPERM, chmod(SHARED "/closed", 0666));
	gives(-EPERM, chown(SHARED "/open", 1000, -1));
	gives(-EPERM,
	      utimensat(AT_FDCWD, SHARED "/open", &(struct timespec[2]){ { 1, 0 }, { 1, 0 } }[0], 0));
	gives(0, utimensat(AT_FDCWD, SHARED "/open", NULL, 0));
	gives(-EACCES, utimensat(AT_FDCWD, SHARED "/roots", NULL, 0));
	gives(-EPERM, mknod("/tmp/device", S_IFCHR | 0600, makedev(1, 3)));
	gives(-EPERM, chroot("/tmp"));
	gives(-EPERM, mount("x", SHARED, "tmpfs", 0, NULL));
	gives(-EPERM, umount("/proc"));
	gives(-EPERM, open(SHARED "/open", O_RDONLY | O_NOATIME));
}

static void links_followed_by_root(void)
{
	gives(-EACCES, open(SHARED "/link", O_RDONLY)); /* no capability helps */
	gives(0, unlink(SHARED "/link"));
}

static void masks(void)
{
	struct stat st;

	umask(027);
	gives(027, syscall(SYS_umask, 07777777));
	gives(0777, syscall(SYS_umask, 027));
	close(open("/tmp/masked", O_CREAT | O_WRONLY, 0666));
	tap_ok(!stat("/tmp/masked", &st) && (st.st_mode & 07777) == 0640,
	       "a new file's mode loses the mask's bits");
	unlink("/tmp/masked");
	mkdir("/tmp/masked", 01777);
	tap_ok(!stat("/tmp/masked", &st) && (st.st_mode & 07777) == 01750, "and so does a directory's");
	chmod("/tmp/masked", 02777);
	chown("/tmp/masked", 0, 77);
	chmod("/tmp/masked", 02777);
	mkdir("/tmp/masked/below", 0777);
	tap_ok(!stat("/tmp/masked/below", &st) && st.st_gid == 77 && st.st_mode & S_ISGID,
	       "a set-group-id directory hands down group and bit");
	rmdir("/tmp/masked/below");
	rmdir("/tmp/masked");
}

/* ---- Processes of others ---- */

static pid_t start_as(uid_t real, uid_t effective, uid_t saved)
{
	int pipes[2];
	pid_t pid;
	char byte;

	if (pipe(pipes))
		return -1;
	pid = fork();
	if (pid == 0) {
		setresuid(real, effective, saved);
		if (write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(pipes[0], &byte, 1) != 1)
		pid = -1;
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

static pid_t others, saved_mine, real_mine;

static void kill_as_1000(void)
{
	setresuid(1000, 1000, 1000);
	gives(-EPERM, kill(others, 0));
	gives(-EPERM, kill(others, SIGTERM));
	gives(0, kill(others, SIGCONT)); /* of the same session */
	gives(0, kill(saved_mine, 0));
	gives(0, kill(real_mine, 0));
	gives(-EINVAL, kill(others, 65));
	gives(-ESRCH, kill(1 << 22, 0));
	gives(-EPERM, setpriority(PRIO_PROCESS, (id_t)others, 19));
	gives(-EPERM, syscall(SYS_prlimit64, others, RLIMIT_CORE, NULL, NULL));
}

static void kill_by_effective(void)
{
	setresuid(5, 2000, 5);
	gives(0, kill(others, 0)); /* my effective id is its real one */
	gives(0, kill(saved_mine, 0));
	gives(-EPERM, kill(getppid(), 0));
}

static void signals_to_others(void)
{
	others = start_as(2000, 2000, 2000);
	saved_mine = start_as(2000, 2000, 1000);
	real_mine = start_as(1000, 2000, 2000);
	in_child_checked(kill_as_1000);
	in_child_checked(kill_by_effective);
	kill(others, SIGKILL);
	kill(saved_mine, SIGKILL);
	kill(real_mine, SIGKILL);
	while (wait(NULL) > 0)
		;
}

static void thread_limit(void)
{
	struct rlimit none = { 0, 0 };
	pid_t other = start_as(4000, 4000, 4000), more = start_as(4000, 4000, 4000);

	setrlimit(RLIMIT_NPROC, &none);
	gives(0, setresuid(4000, 4000, 4000));
	gives(-EAGAIN, fork());
	gives(-EAGAIN, execl("/tmp/ids/plain", "plain", NULL));
	kill(other, SIGKILL);
	kill(more, SIGKILL);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1)
		return tell();
	umask(022);
	chmod("/", 0755);
	mkdir("/tmp", 01777);
	chmod("/tmp", 01777);
	mkdir("/proc", 0555);
	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	in_child_checked(setuid_family);
	in_child_checked(setgid_family);
	in_child_checked(groups);
	in_child_checked(status_file);
	in_child_checked(dumpable);
	in_child_checked(set_id_programs);
	in_child_checked(exec_of_many_ids);
	in_child_checked(thread_limit);
	in_child_checked(bits_go);
	in_child_checked(foreign_group);
	in_child_checked(set_id_on_nosuid);
	umount("/tmp/ids");
	files_setup();
	in_child_checked(files_of_others);
	in_child_checked(links_followed_by_root);
	in_child_checked(masks);
	signals_to_others();
	return tap_end();
}
