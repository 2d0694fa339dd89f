/* Capabilities: the calls that show and change the five sets, and what execve(2) and changes of user make of them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "gives.h"

#define BIT(capability) (1ULL << (capability))
#define ALL (BIT(CAP_LAST_CAP + 1) - 1)

struct sets {
	unsigned long long effective, permitted, inheritable;
};

static const char *self;

static struct sets sets_get(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {};

	syscall(SYS_capget, &header, data);
	return (struct sets){
		data[0].effective | (unsigned long long)data[1].effective << 32,
		data[0].permitted | (unsigned long long)data[1].permitted << 32,
		data[0].inheritable | (unsigned long long)data[1].inheritable << 32,
	};
}

static long sets_set(unsigned long long effective, unsigned long long permitted,
		     unsigned long long inheritable)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (unsigned int)effective, (unsigned int)permitted, (unsigned int)inheritable },
		{ (unsigned int)(effective >> 32), (unsigned int)(permitted >> 32),
		  (unsigned int)(inheritable >> 32) },
	};

	return syscall(SYS_capset, &header, data);
}

/* ---- The calls ---- */

static void versions(void)
{
	struct __user_cap_header_struct header = { 0, 0 };
	struct __user_cap_data_struct data[2];

	gives(-EINVAL, syscall(SYS_capget, &header, data));
	tap_ok(header.version == _LINUX_CAPABILITY_VERSION_3,
	       "on an unknown version the kernel tells its own");
	header.version = 0;
	gives(0, syscall(SYS_capget, &header, NULL));
	tap_ok(header.version == _LINUX_CAPABILITY_VERSION_3, "without data that is no error");
	header.pid = -1;
	gives(0, syscall(SYS_capget, &header, NULL));
	gives(-EINVAL, syscall(SYS_capget, &header, data));
	header.pid = 1 << 22;
	gives(-ESRCH, syscall(SYS_capget, &header, data));
	header.pid = 0;
	gives(-EFAULT, syscall(SYS_capget, &header, 8));
	gives(-EFAULT, syscall(SYS_capget, 8, data));
	header.pid = 1;
	gives(0, syscall(SYS_capget, &header, data));
	gives(-EPERM, syscall(SYS_capset, &header, data));
	header.version = _LINUX_CAPABILITY_VERSION_1;
	header.pid = 0;
	memset(data, 0x55, sizeof(data));
	gives(0, syscall(SYS_capget, &header, data));
	tap_ok(data[1].permitted == 0x55555555, "version 1 has one word a set");
	header.version = 1;
	gives(-EINVAL, syscall(SYS_capset, &header, data));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	gives(-EFAULT, syscall(SYS_capset, &header, 8));
}

static void setting(void)
{
	unsigned long long kill_set = BIT(CAP_KILL), chown_set = BIT(CAP_CHOWN);

	gives(-EPERM, sets_set(kill_set, 0, 0)); /* effective beyond permitted */
	gives(0, sets_set(kill_set, kill_set | chown_set, 0));
	gives(-EPERM, sets_set(0, ALL, 0));			   /* what is gone is gone */
	gives(-EPERM, sets_set(0, chown_set, BIT(CAP_SYS_ADMIN))); /* inheritable beyond permitted */
	gives(0, sets_set(0, chown_set, kill_set));
	gives(0, sets_set(0, 0, kill_set));
	gives(-EPERM, sets_set(0, 0, chown_set | kill_set));
}

static void bounding(void)
{
	gives(1, prctl(PR_CAPBSET_READ, CAP_LAST_CAP));
	gives(-EINVAL, prctl(PR_CAPBSET_READ, CAP_LAST_CAP + 1));
	gives(-EINVAL, prctl(PR_CAPBSET_DROP, 64));
	gives(0, prctl(PR_CAPBSET_DROP, CAP_KILL));
	gives(0, prctl(PR_CAPBSET_READ, CAP_KILL));
	gives(-EPERM, sets_set(ALL, ALL, BIT(CAP_KILL))); /* nor can be inheritable */
	gives(0, sets_set(ALL & ~BIT(CAP_SETPCAP), ALL, 0));
	gives(-EPERM, prctl(PR_CAPBSET_DROP, CAP_CHOWN));
	gives(-EPERM, prctl(PR_CAPBSET_DROP, 64));
}

static void ambient(void)
{
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
	gives(-EPERM, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	gives(0, sets_set(ALL, ALL, BIT(CAP_KILL) | BIT(CAP_CHOWN)));
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	gives(1, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
	gives(-EINVAL, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_LAST_CAP + 1, 0, 0));
	gives(-EINVAL, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 1, 0));
	gives(-EINVAL, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
	gives(-EINVAL, prctl(PR_CAP_AMBIENT, 9, CAP_KILL, 0, 0));
	gives(0, sets_set(ALL, ALL, BIT(CAP_CHOWN)));
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0)); /* goes with inheritable */
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0));
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
	gives(0, prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE));
	gives(-EPERM, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

static void securebits(void)
{
	gives(0, prctl(PR_GET_SECUREBITS));
	gives(-EINVAL, prctl(PR_SET_KEEPCAPS, 2));
	gives(0, prctl(PR_SET_KEEPCAPS, 1));
	gives(1, prctl(PR_GET_KEEPCAPS));
	gives(SECBIT_KEEP_CAPS, prctl(PR_GET_SECUREBITS));
	gives(-EPERM, prctl(PR_SET_SECUREBITS, 1 << 12));
	gives(0, prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT));
	gives(-EPERM, prctl(PR_SET_KEEPCAPS, 1));
	gives(-EPERM, prctl(PR_SET_SECUREBITS, SECBIT_NOROOT)); /* locks stay */
	gives(0, prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED));
	gives(0, sets_set(0, 0, 0));
	gives(-EPERM, prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED));
}

/* ---- Changes of user ---- */

static void leaving_root(void)
{
	struct sets sets;

	gives(0, seteuid(1000));
	sets = sets_get();
	tap_ok(!sets.effective && sets.permitted == ALL,
	       "leaving effective user 0 clears the effective set");
	gives(0, seteuid(0));
	tap_ok(sets_get().effective == ALL, "and coming back fills it");
	gives(0, syscall(SYS_setfsuid, 1000));
	sets = sets_get();
	tap_ok(!(sets.effective & BIT(CAP_DAC_OVERRIDE)) && !(sets.effective & BIT(CAP_FOWNER)) &&
		       sets.effective & BIT(CAP_KILL),
	       "another fsuid clears the capabilities on files");
	gives(1000, syscall(SYS_setfsuid, 0));
	tap_ok(sets_get().effective == ALL, "which come back, too");
	gives(0, setuid(1000));
	sets = sets_get();
	tap_ok(!sets.effective && !sets.permitted, "leaving all ids 0 clears both sets");
	gives(-EPERM, setuid(0));
}

static void keeping(void)
{
	struct sets sets;

	prctl(PR_SET_KEEPCAPS, 1);
	gives(0, setresuid(1000, 1000, 1000));
	sets = sets_get();
	tap_ok(!sets.effective && sets.permitted == ALL, "with KEEPCAPS the permitted set is kept");
	gives(0, sets_set(BIT(CAP_SETUID), ALL, 0));
	gives(0, setresuid(0, 0, 0));
	tap_ok(sets_get().effective == ALL, "and becomes effective with user 0");
}

static void no_fixup(void)
{
	gives(0, prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	gives(0, setresuid(1000, 1000, 1000));
	tap_ok(sets_get().effective == ALL, "with NO_SETUID_FIXUP nothing changes");
}

static void ambient_goes(void)
{
	sets_set(ALL, ALL, BIT(CAP_KILL));
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0);
	prctl(PR_SET_KEEPCAPS, 1);
	gives(0, setresuid(1000, 1000, 1000));
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
}

/* ---- execve ---- */

static int tell(void)
{
	struct sets sets = sets_get();
	unsigned long long ambient_set = 0;

	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			ambient_set |= BIT(i);
	printf("E%llx P%llx I%llx A%llx %u %lu", sets.effective, sets.permitted, sets.inheritable,
	       ambient_set, geteuid(), getauxval(AT_SECURE));
	fflush(stdout);
	return 0;
}

static void says(const char *program, struct sets expected, unsigned long long ambient_set,
		 int euid, int secure, const char *what)
{
	char told[256] = "", wanted[256];
	int pipes[2];
	ssize_t got;
	pid_t pid;

	if (pipe(pipes))
		return;
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], 1);
		execl(program, program, "tell", NULL);
		printf("error %d", errno);
		fflush(stdout);
		_exit(1);
	}
	close(pipes[1]);
	got = read(pipes[0], told, sizeof(told) - 1);
	told[got > 0 ? got : 0] = 0;
	close(pipes[0]);
	waitpid(pid, NULL, 0);
	snprintf(wanted, sizeof(wanted), "E%llx P%llx I%llx A%llx %d %d", expected.effective,
		 expected.permitted, expected.inheritable, ambient_set, euid, secure);
	if (!tap_ok(!strcmp(told, wanted), "%s", what))
		printf("# %s instead of %s\n", told, wanted);
}

#define PLAIN "/tmp/caps/plain"
#define ROOTS "/tmp/caps/roots"	  /* set-user-id */
#define MARKED "/tmp/caps/marked" /* with file capabilities */

static int make_program(const char *to, mode_t mode)
{
	int from = open(self, O_RDONLY), there = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	char buffer[65536];
	ssize_t got;

	while ((got = read(from, buffer, sizeof(buffer))) > 0)
		if (write(there, buffer, (size_t)got) != got)
			return -1;
	close(from);
	close(there);
	return chmod(to, mode);
}

static int mark(const char *path, unsigned long long permitted, unsigned long long inheritable,
		int effective)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0),
		.data = { { (unsigned int)permitted, (unsigned int)inheritable },
			  { (unsigned int)(permitted >> 32), (unsigned int)(inheritable >> 32) } },
	};

	return setxattr(path, "security.capability", &data, sizeof(data), 0);
}

static void become(uid_t uid)
{
	setgroups(0, NULL);
	setresgid(uid, uid, uid);
	setresuid(uid, uid, uid);
}

static void exec_as_root(void)
{
	says(PLAIN, (struct sets){ ALL, ALL, 0 }, 0, 0, 0, "user 0 has all");
	prctl(PR_CAPBSET_DROP, CAP_KILL);
	says(PLAIN, (struct sets){ ALL & ~BIT(CAP_KILL), ALL & ~BIT(CAP_KILL), 0 }, 0, 0, 0,
	     "within the bounding set");
	prctl(PR_SET_SECUREBITS, SECBIT_NOROOT);
	says(PLAIN, (struct sets){ 0, 0, 0 }, 0, 0, 0, "with NOROOT user 0 has nothing");
}

static void exec_with_ids_apart(void)
{
	seteuid(1000);
	says(PLAIN, (struct sets){ 0, ALL, 0 }, 0, 1000, 1,
	     "real user 0 alone: permitted, not effective");
}

static void exec_as_user(void)
{
	become(1000);
	says(PLAIN, (struct sets){ 0, 0, 0 }, 0, 1000, 0, "a user has none");
	says(ROOTS, (struct sets){ ALL, ALL, 0 }, 0, 0, 1, "a set-user-id program of user 0 has all");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	says(ROOTS, (struct sets){ 0, 0, 0 }, 0, 1000, 0, "but not with no_new_privs");
}

static void exec_ambient(void)
{
	sets_set(ALL, ALL, BIT(CAP_KILL) | BIT(CAP_CHOWN));
	prctl(PR_SET_KEEPCAPS, 1);
	become(1000);
	sets_set(BIT(CAP_KILL), BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_CHOWN));
	gives(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	says(PLAIN, (struct sets){ BIT(CAP_KILL), BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_CHOWN) },
	     BIT(CAP_KILL), 1000, 0, "the ambient set survives, and inheritable alone gives nothing");
	says(ROOTS, (struct sets){ ALL, ALL, BIT(CAP_KILL) | BIT(CAP_CHOWN) }, 0, 0, 1,
	     "a set-id program loses the ambient set");
}

static void exec_marked(void)
{
	sets_set(ALL, ALL, BIT(CAP_CHOWN));
	gives(0, mark(MARKED, BIT(CAP_KILL), BIT(CAP_CHOWN) | BIT(CAP_FOWNER), 1));
	become(1000);
	says(MARKED,
	     (struct sets){ BIT(CAP_KILL) | BIT(CAP_CHOWN), BIT(CAP_KILL) | BIT(CAP_CHOWN),
			    BIT(CAP_CHOWN) },
	     0, 1000, 1, "the file's permitted, and inheritable where both have it");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	says(MARKED, (struct sets){ 0, 0, BIT(CAP_CHOWN) }, 0, 1000, 1,
	     "file capabilities and no_new_privs");
}

static void exec_marked_without_effective(void)
{
	gives(0, mark(MARKED, BIT(CAP_KILL), 0, 0));
	become(1000);
	says(MARKED, (struct sets){ 0, BIT(CAP_KILL), 0 }, 0, 1000, 1,
	     "without the effective bit they are to be raised");
}

static void exec_marked_bounded(void)
{
	gives(0, mark(MARKED, BIT(CAP_KILL), 0, 1));
	prctl(PR_CAPBSET_DROP, CAP_KILL);
	become(1000);
	gives(-EPERM, execl(MARKED, MARKED, "tell", NULL));
}

static void exec_marked_as_root(void)
{
	gives(0, mark(MARKED, BIT(CAP_KILL), 0, 1));
	says(MARKED, (struct sets){ ALL, ALL, 0 }, 0, 0, 0, "user 0 has all whatever the file says");
	gives(0, mark(ROOTS, BIT(CAP_KILL), 0, 1));
	become(1000);
	says(ROOTS, (struct sets){ BIT(CAP_KILL), BIT(CAP_KILL), 0 }, 0, 0, 1,
	     "a set-user-id program with capabilities has those alone");
}

static void marks(void)
{
	struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2 };
	struct stat st;
	int fd;

	gives(-EINVAL, setxattr(MARKED, "security.capability", &data, sizeof(data) - 1, 0));
	gives(0, mark(MARKED, BIT(CAP_KILL), 0, 1));
	gives(0, chown(MARKED, 5, -1));
	gives(-ENODATA, getxattr(MARKED, "security.capability", &data, sizeof(data)));
	gives(0, mark(MARKED, BIT(CAP_KILL), 0, 1));
	fd = open(MARKED, O_WRONLY | O_APPEND);
	gives(1, write(fd, "x", 1));
	close(fd);
	gives(-ENODATA, getxattr(MARKED, "security.capability", &data, sizeof(data)));
	gives(0, stat(MARKED, &st));
	gives(0, chown(MARKED, 0, -1));
	become(1000);
	gives(-EPERM, mark(MARKED, BIT(CAP_KILL), 0, 1));
}

/* ---- What single capabilities allow ---- */

static void only(unsigned long long capabilities)
{
	prctl(PR_SET_KEEPCAPS, 1);
	become(1000);
	sets_set(capabilities, capabilities, 0);
}

static void read_search(void)
{
	only(BIT(CAP_DAC_READ_SEARCH));
	gives(0, close(open("/tmp/caps/closed/file", O_RDONLY)));
	gives(-EACCES, open("/tmp/caps/closed/file", O_WRONLY));
	gives(-EACCES, open("/tmp/caps/closed/new", O_WRONLY | O_CREAT, 0600));
}

static void override(void)
{
	only(BIT(CAP_DAC_OVERRIDE));
	gives(0, close(open("/tmp/caps/closed/file", O_RDWR)));
	gives(-EACCES, execl("/tmp/caps/closed/file", "x", NULL)); /* nobody's execution bit is set */
	gives(-EPERM, chmod("/tmp/caps/closed/file", 0600));
}

static void owner(void)
{
	only(BIT(CAP_FOWNER));
	gives(0, chmod(PLAIN, 0755));
	gives(-EPERM, chown(PLAIN, 1000, -1));
	gives(0, utimensat(AT_FDCWD, PLAIN, (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0));
}

static void changing_owner(void)
{
	only(BIT(CAP_CHOWN));
	gives(0, chown(PLAIN, 1000, 1000));
	gives(0, chown(PLAIN, 0, 0));
}

static void killing(void)
{
	only(BIT(CAP_KILL));
	gives(0, kill(getppid(), 0));
	gives(-EPERM, setgroups(0, NULL));
	gives(-EPERM, setresuid(0, 0, 0));
	gives(-EPERM, sethostname("x", 1));
	gives(-EPERM, nice(-1) == -1 ? -1 : 0);
}

static void groups_and_users(void)
{
	only(BIT(CAP_SETGID));
	gives(0, setgroups(0, NULL));
	gives(0, setresgid(7, 8, 9));
	gives(-EPERM, setresuid(0, 0, 0));
}

static void prepare(void)
{
	int fd;

	mkdir("/tmp/caps", 0755);
	tap_ok(!mount("caps", "/tmp/caps", "tmpfs", 0, "mode=755"), "a tree is there");
	tap_ok(!make_program(PLAIN, 0755) && !make_program(ROOTS, 04755) && !make_program(MARKED, 0755),
	       "programs are there");
	mkdir("/tmp/caps/closed", 0700);
	fd = open("/tmp/caps/closed/file", O_WRONLY | O_CREAT, 0600);
	close(fd);
}

int main(int argc, char **argv)
{
	static void (*const tests[])(void) = {
		versions,
		setting,
		bounding,
		ambient,
		securebits,
		leaving_root,
		keeping,
		no_fixup,
		ambient_goes,
		exec_as_root,
		exec_with_ids_apart,
		exec_as_user,
		exec_ambient,
		exec_marked,
		exec_marked_without_effective,
		exec_marked_bounded,
		exec_marked_as_root,
		marks,
		read_search,
		override,
		owner,
		changing_owner,
		killing,
		groups_and_users,
	};

	self = argv[0];
	if (argc > 1)
		return tell();
	umask(022);
	chmod("/", 0755);
	mkdir("/tmp", 01777);
	prepare();
	for (unsigned int i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		in_child_checked(tests[i]);
	umount("/tmp/caps");
	return tap_end();
}
