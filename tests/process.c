/* Processes as programs see them: fork, exec, exit, wait, clone, groups, sessions, limits, credentials. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

extern char **environ;
static const char *self;

/* Runs `work` in a child; its wait status. */
static int in_child(void (*work)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		work();
		_exit(99);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int exited(int status, int code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* Runs this program in the role argv[1]; its wait status. */
static int run_role(char *const argv[], char *const envp[])
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execve(self, argv, envp);
		_exit(98);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* ---- fork, exit, wait ---- */

static void exit_7(void)
{
	_exit(7);
}

static void raise_term(void)
{
	raise(SIGTERM);
}

static void fork_and_wait(void)
{
	int shared = 1, status;
	pid_t pid, parent = getpid();

	tap_ok(exited(in_child(exit_7), 7), "the exit code reaches the parent");
	status = in_child(raise_term);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && !WCOREDUMP(status),
	       "a signal's death is told");

	pid = fork();
	if (pid == 0) {
		shared = 2;
		_exit(getppid() == parent ? 0 : 1);
	}
	tap_ok(waitpid(pid, &status, 0) == pid && exited(status, 0), "a child knows its parent");
	tap_ok(shared == 1, "memory is copied, not shared");
	errno = 0;
	tap_ok(waitpid(-1, &status, 0) == -1 && errno == ECHILD, "without children wait gives ECHILD");
	errno = 0;
	tap_ok(waitpid(1 << 22, &status, 0) == -1 && errno == ECHILD, "a stranger cannot be waited for");
	errno = 0;
	tap_ok(waitpid(-1, &status, 0x40) == -1 && errno == EINVAL, "unknown options give EINVAL");
}

static void wait_variants(void)
{
	struct rusage usage;
	siginfo_t info;
	int status, pipes[2];
	char byte;
	pid_t pid;

	if (pipe(pipes))
		return;
	pid = fork();
	if (pid == 0) {
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) == 0 ? 3 : 4);
	}
	close(pipes[0]);
	tap_ok(waitpid(pid, &status, WNOHANG) == 0, "WNOHANG returns at once");
	memset(&info, 1, sizeof(info));
	tap_ok(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0,
	       "waitid says 0 when nothing happened");
	close(pipes[1]);
	tap_ok(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid &&
		       info.si_code == CLD_EXITED && info.si_status == 3 && info.si_signo == SIGCHLD,
	       "waitid tells of an exit");
	tap_ok(wait4(pid, &status, 0, &usage) == pid && exited(status, 3),
	       "WNOWAIT leaves the child to be waited for");
	errno = 0;
	tap_ok(waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL, "waitid needs to know for what");
	errno = 0;
	tap_ok(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD, "a child is reaped once");

	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		usleep(100000);
		_exit(5);
	}
	tap_ok(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP,
	       "a stop is told");
	tap_ok(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0, "a stop is told once");
	kill(pid, SIGCONT);
	tap_ok(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status), "going on is told");
	tap_ok(waitpid(pid, &status, 0) == pid && exited(status, 5), "and the child ends as usual");
}

static void many_children(void)
{
	int sum = 0, status;
	pid_t pids[20];

	for (int i = 0; i < 20; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(i);
	}
	for (int i = 19; i >= 0; i--)
		if (waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status))
			sum += WEXITSTATUS(status);
	tap_ok(sum == 190, "children are reaped in any order");
}

static void orphan_is_adopted(void)
{
	int pipes[2], status;
	pid_t seen[2] = { 0, 0 }, pid;

	if (pipe(pipes) || prctl(PR_SET_CHILD_SUBREAPER, 1))
		return;
	pid = fork();
	if (pid == 0) {
		pid_t middle = getpid();

		if (fork() == 0) {
			while (getppid() == middle)
				usleep(1000);
			seen[0] = getpid();
			seen[1] = getppid();
			_exit(write(pipes[1], seen, sizeof(seen)) == sizeof(seen) ? 6 : 7);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	tap_ok(read(pipes[0], seen, sizeof(seen)) == sizeof(seen) && seen[1] == getpid(),
	       "an orphan goes to the subreaper");
	tap_ok(waitpid(seen[0], &status, 0) == seen[0] && exited(status, 6), "which can wait for it");
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(pipes[0]);
	close(pipes[1]);
}

static void ignored_children(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN }, old;
	int status;
	pid_t pid;

	sigaction(SIGCHLD, &action, &old);
	pid = fork();
	if (pid == 0)
		_exit(1);
	errno = 0;
	tap_ok(waitpid(pid, &status, 0) == -1 && errno == ECHILD,
	       "with SIGCHLD ignored wait ends when all are gone");
	sigaction(SIGCHLD, &old, NULL);
}

static void vfork_shares(void)
{
	volatile int value = 1;
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		value = 2;
		_exit(0);
	}
	tap_ok(value == 2, "vfork's child runs first, on the parent's memory");
	tap_ok(waitpid(pid, &status, 0) == pid && exited(status, 0), "and is waited for");
}

/* ---- exec ---- */

static void exec_tests(void)
{
	char *argv[] = { "name", "role-arguments", "a", "", "c d", NULL };
	char *envp[] = { "ONE=1", "TWO=", NULL };
	char *empty[] = { NULL };
	char *no_name[] = { "x", "role-auxv", NULL };
	char script[] = "/tmp/kumo-script-XXXXXX", path[PATH_MAX],
	     *script_argv[] = { "zero", "first", "second", NULL };
	char *huge = malloc(200000), *big_argv[] = { "x", huge, NULL };
	int fd, status;
	pid_t pid;

	tap_ok(exited(run_role(argv, envp), 0), "arguments and environment arrive");
	tap_ok(exited(run_role(no_name, environ), 0), "the auxiliary vector says what Linux's says");
	errno = 0;
	tap_ok(execve("/does/not/exist", argv, envp) == -1 && errno == ENOENT,
	       "a missing program gives ENOENT");
	errno = 0;
	tap_ok(execve("/tmp", argv, envp) == -1 && errno == EACCES, "a directory gives EACCES");
	memset(huge, 'x', 199999);
	huge[199999] = 0;
	errno = 0;
	tap_ok(execve(self, big_argv, empty) == -1 && errno == E2BIG,
	       "an argument beyond 128 KiB gives E2BIG");
	errno = 0;
	tap_ok(syscall(SYS_execve, self, 8L, empty) == -1 && errno == EFAULT,
	       "a bad pointer gives EFAULT");
	free(huge);

	fd = mkstemp(script);
	snprintf(path, sizeof(path), "#! %s role-script\nnever read\n", self);
	tap_ok(write(fd, path, strlen(path)) == (ssize_t)strlen(path) && !fchmod(fd, 0755),
	       "a script is made");
	errno = 0;
	tap_ok(execve(script, script_argv, empty) == -1 && errno == ETXTBSY,
	       "what is open for writing gives ETXTBSY");
	close(fd);
	pid = fork();
	if (pid == 0) {
		setenv("SCRIPT", script, 1);
		execv(script, script_argv);
		_exit(97);
	}
	waitpid(pid, &status, 0);
	tap_ok(exited(status, 0), "a script is run by its interpreter (%#x)", status);
	chmod(script, 0644);
	errno = 0;
	tap_ok(execve(script, script_argv, empty) == -1 && errno == EACCES, "without x it gives EACCES");
	fd = open(script, O_WRONLY | O_TRUNC);
	tap_ok(write(fd, "nothing known\n", 14) == 14, "the script becomes text");
	close(fd);
	chmod(script, 0755);
	errno = 0;
	tap_ok(execve(script, script_argv, empty) == -1 && errno == ENOEXEC,
	       "what is no program gives ENOEXEC");
	fd = open(script, O_WRONLY | O_TRUNC);
	snprintf(path, sizeof(path), "#!%s\n", script);
	if (write(fd, path, strlen(path)) != (ssize_t)strlen(path))
		tap_ok(0, "writing the script");
	close(fd);
	errno = 0;
	tap_ok(execve(script, script_argv, empty) == -1 && errno == ELOOP,
	       "a script that runs itself gives ELOOP");
	unlink(script);
}

static void exec_by_descriptor(void)
{
	char *argv[] = { "x", "role-exit", NULL };
	int fd = open(self, O_RDONLY | O_CLOEXEC), status;
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(96);
	}
	waitpid(pid, &status, 0);
	tap_ok(exited(status, 42), "execveat runs what a descriptor is open on");
	close(fd);
}

static void close_on_exec(void)
{
	char number[2][16], *argv[] = { "x", "role-descriptors", number[0], number[1], NULL };
	int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);

	sprintf(number[0], "%d", kept);
	sprintf(number[1], "%d", closed);
	tap_ok(exited(run_role(argv, environ), 0), "descriptors are closed on exec as asked");
	close(kept);
	close(closed);
}

static void *sleep_long(void *argument)
{
	(void)argument;
	for (;;)
		pause();
	return NULL;
}

static void *exec_from_thread(void *argument)
{
	char pid[16], *argv[] = { "x", "role-pid", pid, NULL };

	(void)argument;
	sprintf(pid, "%d", getpid());
	execv(self, argv);
	_exit(95);
}

static void exec_with_threads(void)
{
	pthread_t thread;
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, sleep_long, NULL);
	pthread_create(&thread, NULL, exec_from_thread, NULL);
	pause();
}

/* ---- threads ---- */

static void *exit_3(void *argument)
{
	(void)argument;
	syscall(SYS_exit_group, 3);
	return NULL;
}

static void group_exit(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, sleep_long, NULL);
	pthread_create(&thread, NULL, exit_3, NULL);
	pause();
}

static void *end_later(void *argument)
{
	(void)argument;
	usleep(20000);
	syscall(SYS_exit, 4);
	return NULL;
}

static void leader_exits_first(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, end_later, NULL);
	syscall(SYS_exit, 9);
}

static void *add(void *argument)
{
	__atomic_fetch_add((int *)argument, 1, __ATOMIC_SEQ_CST);
	return (void *)(long)syscall(SYS_gettid);
}

static void thread_tests(void)
{
	pthread_t threads[16];
	void *tid = NULL;
	int count = 0, distinct = 1;

	for (int i = 0; i < 16; i++)
		if (pthread_create(&threads[i], NULL, add, &count))
			tap_ok(0, "pthread_create");
	for (int i = 0; i < 16; i++) {
		void *one;

		pthread_join(threads[i], &one);
		distinct &= one != tid && (long)one != getpid();
		tid = one;
	}
	tap_ok(count == 16 && distinct, "threads run, have numbers of their own, and are joined");
	tap_ok(syscall(SYS_gettid) == getpid(), "the first thread's number is the process's");
	tap_ok(exited(in_child(group_exit), 3), "exit_group ends all threads");
	tap_ok(exited(in_child(leader_exits_first), 4),
	       "the process outlives its first thread, and has the code of the last");
	tap_ok(exited(in_child(exec_with_threads), 0),
	       "exec by another thread ends the others and keeps the number");
}

static int clone_child(void *argument)
{
	*(int *)argument = 5;
	return 8;
}

static void clone_tests(void)
{
	static char stack[65536];
	int value = 0, status, tid = 0;
	pid_t pid = clone(clone_child, stack + sizeof(stack),
			  CLONE_VM | CLONE_PARENT_SETTID | SIGCHLD, &value, &tid);

	tap_ok(pid > 0 && tid == pid, "CLONE_PARENT_SETTID stores the number");
	tap_ok(waitpid(pid, &status, 0) == pid && exited(status, 8) && value == 5,
	       "CLONE_VM shares memory");
	pid = clone(clone_child, stack + sizeof(stack), CLONE_VM, &value);
	errno = 0;
	tap_ok(waitpid(pid, &status, 0) == -1 && errno == ECHILD,
	       "a child without SIGCHLD is not waited for");
	tap_ok(waitpid(pid, &status, __WCLONE) == pid, "but with __WCLONE");
	errno = 0;
	tap_ok(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0) == -1 && errno == EINVAL,
	       "CLONE_THREAD needs CLONE_SIGHAND");
	errno = 0;
	tap_ok(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0) == -1 && errno == EINVAL,
	       "CLONE_SIGHAND needs CLONE_VM");
	errno = 0;
	tap_ok(syscall(SYS_clone3, NULL, 8) == -1 && errno == EINVAL,
	       "clone3 wants its whole structure");
}

/* ---- groups and sessions ---- */

static void session_child(void)
{
	if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
		_exit(1);
	if (setsid() != -1 || errno != EPERM)
		_exit(2);
	if (setpgid(0, 0) != -1 || errno != EPERM)
		_exit(3);
	_exit(0);
}

static void group_child(void)
{
	if (setpgid(0, 0) || getpgrp() != getpid())
		_exit(1);
	if (setpgid(0, 1 << 22) != -1 || errno != EPERM)
		_exit(2);
	if (setpgid(0, -1) != -1 || errno != EINVAL)
		_exit(3);
	if (setsid() != -1 || errno != EPERM)
		_exit(4);
	_exit(0);
}

static void group_tests(void)
{
	int status;
	pid_t pid;

	tap_ok(exited(in_child(session_child), 0), "setsid makes a session and a group, once");
	tap_ok(exited(in_child(group_child), 0), "setpgid makes a group");
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	tap_ok(setpgid(pid, pid) == 0 && getpgid(pid) == pid, "a parent moves its child to a group");
	tap_ok(kill(-pid, SIGKILL) == 0, "a group is signalled as a whole");
	tap_ok(waitpid(-pid, &status, 0) == pid && WIFSIGNALED(status), "and waited for by its number");
	errno = 0;
	tap_ok(kill(-pid, 0) == -1 && errno == ESRCH, "a group that is gone gives ESRCH");
	errno = 0;
	tap_ok(getpgid(1 << 22) == -1 && errno == ESRCH, "getpgid of nobody gives ESRCH");
}

/* ---- limits, usage, prctl, ids ---- */

static void limit_tests(void)
{
	struct rlimit limit, old;
	struct rusage usage;

	tap_ok(getrlimit(RLIMIT_NOFILE, &old) == 0 && old.rlim_cur <= old.rlim_max, "getrlimit");
	limit = old;
	limit.rlim_cur = 64;
	tap_ok(setrlimit(RLIMIT_NOFILE, &limit) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		       limit.rlim_cur == 64,
	       "a soft limit is lowered");
	errno = 0;
	tap_ok(dup2(0, 64) == -1 && errno == EBADF, "and holds");
	tap_ok(setrlimit(RLIMIT_NOFILE, &old) == 0, "and is raised again");
	limit = (struct rlimit){ 10, 5 };
	errno = 0;
	tap_ok(setrlimit(RLIMIT_CORE, &limit) == -1 && errno == EINVAL, "soft beyond hard gives EINVAL");
	errno = 0;
	tap_ok(getrlimit((__rlimit_resource_t)99, &limit) == -1 && errno == EINVAL,
	       "an unknown resource gives EINVAL");
	tap_ok(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0 && usage.ru_minflt > 0,
	       "getrusage counts");
	tap_ok(getrusage(RUSAGE_CHILDREN, &usage) == 0, "and of children");
	tap_ok(getrusage(RUSAGE_THREAD, &usage) == 0, "and of a thread");
}

static void prctl_tests(void)
{
	char name[17] = "";

	tap_ok(prctl(PR_SET_NAME, "a very long thread name") == 0 &&
		       prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "a very long thr"),
	       "a thread's name is cut at 15");
	errno = 0;
	tap_ok(prctl(12345) == -1 && errno == EINVAL, "an unknown prctl gives EINVAL");
	tap_ok(prctl(PR_GET_DUMPABLE) == 1, "a program is dumpable");
}

static void drop_privileges(void)
{
	gid_t groups[] = { 30, 10, 20 }, got[3];

	if (setgroups(3, groups) || getgroups(3, got) != 3)
		_exit(1);
	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		_exit(2);
	if (getuid() != 1000 || geteuid() != 1000 || getgid() != 1000)
		_exit(3);
	if (setuid(0) != -1 || errno != EPERM || setgid(0) != -1 || errno != EPERM)
		_exit(4);
	if (kill(1, 0) != -1 || errno != EPERM)
		_exit(5);
	if (sethostname("x", 1) != -1 || errno != EPERM)
		_exit(6);
	_exit(0);
}

static void temporary_privileges(void)
{
	if (setresuid(-1, 1000, 0) || geteuid() != 1000 || getuid() != 0)
		_exit(1);
	if (seteuid(0) || geteuid() != 0)
		_exit(2);
	if (setreuid(5, 6) || getuid() != 5 || geteuid() != 6)
		_exit(3);
	_exit(0);
}

static void cred_tests(void)
{
	if (geteuid() != 0) {
		tap_ok(1, "credentials are changed # SKIP not root");
		return;
	}
	tap_ok(exited(in_child(drop_privileges), 0), "privileges are dropped for good");
	tap_ok(exited(in_child(temporary_privileges), 0), "and for a while");
}

static void system_tests(void)
{
	struct utsname names;
	unsigned char bytes[64], zeros[64] = { 0 };

	tap_ok(uname(&names) == 0 && !strcmp(names.sysname, "Linux") && !strcmp(names.machine, "x86_64"),
	       "uname");
	memset(bytes, 0, sizeof(bytes));
	tap_ok(syscall(SYS_getrandom, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
		       memcmp(bytes, zeros, sizeof(bytes)),
	       "getrandom");
	errno = 0;
	tap_ok(syscall(SYS_getrandom, bytes, 1, 0x100) == -1 && errno == EINVAL,
	       "getrandom knows its flags");
	errno = 0;
	tap_ok(syscall(9999) == -1 && errno == ENOSYS, "a call beyond all numbers gives ENOSYS");
}

static int recurse(int depth)
{
	volatile char page[4096];

	memset((char *)page, depth, sizeof(page));
	return depth ? recurse(depth - 1) + page[17] - page[18] : 0;
}

static void overflow_stack(void)
{
	recurse(1 << 20);
}

static void memory_tests(void)
{
	int status;

	tap_ok(recurse(1000) == 0, "the stack grows");
	status = in_child(overflow_stack);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "up to its limit");
}

/* ---- The other side of exec ---- */

static int role(int argc, char **argv)
{
	if (!strcmp(argv[1], "role-exit"))
		return 42;
	if (!strcmp(argv[1], "role-arguments"))
		return !(argc == 5 && !strcmp(argv[0], "name") && !strcmp(argv[2], "a") &&
			 !*argv[3] && !strcmp(argv[4], "c d") && !strcmp(environ[0], "ONE=1") &&
			 !strcmp(environ[1], "TWO=") && !environ[2]);
	if (!strcmp(argv[1], "role-auxv"))
		return !(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_UID) == getuid() &&
			 getauxval(AT_SECURE) == 0 && getauxval(AT_RANDOM) && getauxval(AT_PHDR) &&
			 getauxval(AT_ENTRY) && getauxval(AT_CLKTCK) == 100 &&
			 getauxval(AT_PLATFORM) && !strcmp((char *)getauxval(AT_PLATFORM), "x86_64") &&
			 !strcmp((char *)getauxval(AT_EXECFN), self) &&
			 (long)getauxval(AT_EXECFN) > (long)argv[0]);
	if (!strcmp(argv[1], "role-script"))
		return !(argc == 5 && !strcmp(argv[0], self) && !strcmp(argv[2], getenv("SCRIPT")) &&
			 !strcmp(argv[3], "first") && !strcmp(argv[4], "second"));
	if (!strcmp(argv[1], "role-descriptors"))
		return !(fcntl(atoi(argv[2]), F_GETFD) >= 0 &&
			 fcntl(atoi(argv[3]), F_GETFD) == -1 && errno == EBADF);
	if (!strcmp(argv[1], "role-pid"))
		return !(getpid() == atoi(argv[2]) && syscall(SYS_gettid) == getpid());
	return 94;
}

int main(int argc, char **argv)
{
	static char path[PATH_MAX];

	self = (char *)getauxval(AT_EXECFN);
	if (argc > 1) {
		if (!strcmp(argv[1], "role-script"))
			self = argv[0];
		return role(argc, argv);
	}
	if (self[0] != '/') {
		if (!realpath(self, path))
			return 1;
		self = path;
	}
	fork_and_wait();
	wait_variants();
	many_children();
	orphan_is_adopted();
	ignored_children();
	vfork_shares();
	exec_tests();
	exec_by_descriptor();
	close_on_exec();
	thread_tests();
	clone_tests();
	group_tests();
	limit_tests();
	prctl_tests();
	cred_tests();
	system_tests();
	memory_tests();
	return tap_end();
}
