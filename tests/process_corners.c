/*
 * More corners of the calls on processes: what clone3 is asked for by number, what wait reports of whom, how a program that is
 * named by a descriptor starts, and options of prctl that concern the processor.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

#include "gives.h"

#define NOWHERE ((void *)8)
#define WANTED_NUMBER 20001

static void milliseconds(int count)
{
	nanosleep(&(struct timespec){ count / 1000, count % 1000 * 1000000L }, NULL);
}

/* A child that ends with `status`; or the error. */
static long clone3_child(struct clone_args *args, size_t size, int status)
{
	long pid = syscall(SYS_clone3, args, size);

	if (pid == 0)
		_exit(status);
	return pid;
}

static void numbers_can_be_asked_for(void)
{
	int number = WANTED_NUMBER, wrong = 0, far = 1 << 30, first = 1;
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (unsigned long)&number,
				   .set_tid_size = 1 };

	gives(WANTED_NUMBER, clone3_child(&args, sizeof(args), 0));
	gives(-EEXIST, clone3_child(&args, sizeof(args), 0));
	gives(WANTED_NUMBER, waitpid(WANTED_NUMBER, NULL, 0));
	gives(WANTED_NUMBER, clone3_child(&args, sizeof(args), 0));
	waitpid(WANTED_NUMBER, NULL, 0);
	args.set_tid = (unsigned long)&first;
	gives(-EEXIST, clone3_child(&args, sizeof(args), 0));
	args.set_tid = (unsigned long)&wrong;
	gives(-EINVAL, clone3_child(&args, sizeof(args), 0));
	args.set_tid = (unsigned long)&far;
	gives(-EINVAL, clone3_child(&args, sizeof(args), 0));
	args.set_tid = 8;
	gives(-EFAULT, clone3_child(&args, sizeof(args), 0));
	args.set_tid_size = 33;
	gives(-EINVAL, clone3_child(&args, sizeof(args), 0));
	args.set_tid = (unsigned long)&number;
	args.set_tid_size = 1;
	if (setresuid(1000, 1000, 1000))
		return;
	gives(-EPERM, clone3_child(&args, sizeof(args), 0));
}

static void children_are_made_with_care(void)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = 1ULL << 40 };
	int told;
	long pid;

	gives(-EINVAL, clone3_child(&args, sizeof(args), 0));
	args.cgroup = 0;
	gives(-EINVAL, clone3_child(&args, CLONE_ARGS_SIZE_VER1, 0));
	gives(-EBADF, clone3_child(&args, sizeof(args), 0));
	args = (struct clone_args){ .flags = CLONE_PIDFD | CLONE_PARENT_SETTID,
				    .exit_signal = SIGCHLD,
				    .pidfd = (unsigned long)&told,
				    .parent_tid = (unsigned long)&told };
	gives(-EINVAL, clone3_child(&args, sizeof(args), 0));
	pid = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, NULL, NOWHERE, NULL, 0);
	if (pid == 0)
		_exit(0);
	tap_ok(pid > 0 && waitpid((pid_t)pid, NULL, 0) == pid,
	       "a child is made though its number cannot be told");
}

static void waits_tell_who_they_mean(void)
{
	siginfo_t info = { .si_pid = 77, .si_signo = 77 };
	pid_t pid;

	gives(-ECHILD, waitid(P_ALL, 0, &info, WEXITED));
	tap_ok(!info.si_pid && !info.si_signo, "a failed waitid has told of nobody");
	pid = fork();
	if (pid == 0)
		_exit(3);
	milliseconds(200);
	gives(-ECHILD, waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG));
	gives(-ECHILD, waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOHANG));
	gives(0, syscall(SYS_tgkill, pid, pid, SIGKILL));
	gives(0, waitid(P_PID, (id_t)pid, &info, WEXITED));
	tap_ok(info.si_status == 3, "what killed a zombie came too late");
}

static void *waits_for_another_threads_child(void *unused)
{
	gives(-ECHILD, waitpid(-1, NULL, __WNOTHREAD | WNOHANG));
	return NULL;
}

static void waits_can_mean_own_children_alone(void)
{
	pthread_t thread;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	pthread_create(&thread, NULL, waits_for_another_threads_child, NULL);
	pthread_join(thread, NULL);
	gives(pid, waitpid(-1, NULL, __WNOTHREAD));
}

/* The exit status of a child that runs execveat(2), or its errno. */
static int execveat_in_child(int fd, const char *path, int flags)
{
	char *const arguments[] = { (char *)"true", NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, path, arguments, arguments + 1, flags);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void programs_are_named_by_descriptors(void)
{
	int script = open("/tmp/script", O_CREAT | O_TRUNC | O_WRONLY, 0755);

	dprintf(script, "#!/bin/true\n");
	close(script);
	chmod("/tmp/script", 0755);
	script = open("/tmp/script", O_RDONLY);
	gives(0, execveat_in_child(script, "", AT_EMPTY_PATH));
	gives(ENOENT, execveat_in_child(script, "", 0x8000));
	gives(EINVAL, execveat_in_child(script, "", AT_EMPTY_PATH | 0x8000));
	fcntl(script, F_SETFD, FD_CLOEXEC);
	gives(ENOENT, execveat_in_child(script, "", AT_EMPTY_PATH));
	gives(0, execveat_in_child(script, "/tmp/script", 0));
}

static int ended_by(void (*work)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		work();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void reads_the_clock(void)
{
	__builtin_ia32_rdtsc();
}

static void reads_the_clock_in_vain(void)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	reads_the_clock();
}

static void inherits_the_ban(void)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	if (ended_by(reads_the_clock) != SIGSEGV)
		_exit(1);
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	reads_the_clock();
	abort();
}

static void options_of_the_processor(void)
{
	int how = 0;

	gives(-EINVAL, prctl(PR_SET_TSC, 3));
	gives(0, prctl(PR_GET_TSC, &how));
	tap_ok(how == PR_TSC_ENABLE, "the processor's clock may be read");
	tap_ok(ended_by(reads_the_clock_in_vain) == SIGSEGV,
	       "reading it is a fault once it is forbidden");
	tap_ok(ended_by(inherits_the_ban) == SIGABRT, "the ban is inherited, and lifted");
	gives(0, prctl(PR_TASK_PERF_EVENTS_DISABLE));
	gives(0, prctl(PR_TASK_PERF_EVENTS_ENABLE));
	gives(0, prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0));
	gives(0, prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	gives(1, prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0));
	gives(-EINVAL, prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0));
	gives(0, prctl(PR_SET_PTRACER, (int)-1));
}

static void slices_and_limits_of_policies(void)
{
	struct sched_param parameters = { .sched_priority = 3 };
	struct timespec slice;

	gives(0, sched_setscheduler(0, SCHED_RR, &parameters));
	gives(0, sched_rr_get_interval(0, &slice));
	tap_ok(slice.tv_sec == 0 && slice.tv_nsec == 100000000, "a slice of SCHED_RR is 100 ms");
	gives(0, setrlimit(RLIMIT_RTPRIO, &(struct rlimit){ 0, 0 }));
	if (setresuid(1000, 1000, 1000))
		return;
	gives(-EPERM, sched_setscheduler(0, SCHED_FIFO, &parameters));
	parameters.sched_priority = 2;
	gives(0, sched_setparam(0, &parameters));
}

static siginfo_t seen;

static void note(int signal, siginfo_t *info, void *context)
{
	seen = *info;
}

static void too_long_files_are_the_writers_doing(void)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	int file = open("/tmp/limited", O_CREAT | O_TRUNC | O_WRONLY, 0600);

	sigaction(SIGXFSZ, &action, NULL);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4, 4 });
	gives(-EFBIG, pwrite(file, "x", 1, 4));
	tap_ok(seen.si_code == SI_USER && seen.si_pid == getpid(),
	       "SIGXFSZ comes from the process itself");
}

static void descriptors_without_positions_do_not_mind(void)
{
	sigset_t none;

	sigemptyset(&none);
	gives(0, lseek(eventfd(0, 0), 5, SEEK_SET));
	gives(0, lseek(timerfd_create(CLOCK_MONOTONIC, 0), 5, SEEK_SET));
	gives(0, lseek(signalfd(-1, &none, 0), 5, SEEK_END));
	gives(0, lseek(epoll_create1(0), 5, SEEK_SET));
	gives(-EINVAL, lseek(eventfd(0, 0), 5, 99));
}

static void event_sets_can_be_compared(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct kcmp_epoll_slot slot = { .efd = (unsigned int)epoll_create1(0) };
	pid_t self = getpid();
	int pipes[2];

	if (pipe(pipes))
		return;
	slot.tfd = (unsigned int)pipes[0];
	gives(0, epoll_ctl((int)slot.efd, EPOLL_CTL_ADD, pipes[0], &event));
	gives(0, syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, dup(pipes[0]), &slot));
	tap_ok(syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, pipes[1], &slot) > 0,
	       "another file is not what is watched");
	slot.toff = 1;
	gives(-ENOENT, syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, pipes[0], &slot));
	slot = (struct kcmp_epoll_slot){ .efd = (unsigned int)pipes[0] };
	gives(-EINVAL, syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, pipes[0], &slot));
	slot.efd = 99;
	gives(-EBADF, syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, pipes[0], &slot));
	gives(-EFAULT, syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, pipes[0], NOWHERE));
}

static void memory_of_others_is_advised_on(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec range = { page, 4096 };
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0),
	    first = (int)syscall(SYS_pidfd_open, 1, 0);

	gives(4096, syscall(SYS_process_madvise, self, &range, 1, MADV_COLD, 0));
	gives(4096, syscall(SYS_process_madvise, self, &range, 1, MADV_WILLNEED, 0));
	gives(-EINVAL, syscall(SYS_process_madvise, self, &range, 1, MADV_DONTNEED, 0));
	gives(-EINVAL, syscall(SYS_process_madvise, self, &range, 1, MADV_COLD, 1));
	gives(-EFAULT, syscall(SYS_process_madvise, self, NOWHERE, 1, MADV_COLD, 0));
	gives(-EBADF, syscall(SYS_process_madvise, -1, &range, 1, MADV_COLD, 0));
	gives(-EINVAL, syscall(SYS_process_mrelease, self, 0));
	gives(-EINVAL, syscall(SYS_process_mrelease, self, 1));
	gives(-EBADF, syscall(SYS_process_mrelease, -1, 0));
	if (setresuid(1000, 1000, 1000))
		return;
	gives(-EACCES, syscall(SYS_process_madvise, first, &range, 1, MADV_COLD, 0));
}

static void a_process_sees_its_own_call(void)
{
	char text[256] = "", expected[64];
	int file = open("/proc/self/syscall", O_RDONLY);

	snprintf(expected, sizeof(expected), "%ld 0x%lx 0x%lx 0x%zx", (long)SYS_read, (long)file,
		 (long)text, sizeof(text) - 1);
	tap_ok(read(file, text, sizeof(text) - 1) > 0 && !strncmp(text, expected, strlen(expected)),
	       "/proc/self/syscall tells the read of it");
}

static void groups_have_positive_numbers(void)
{
	gives(-EINVAL, syscall(SYS_setpgid, -1, 0));
	gives(-EINVAL, syscall(SYS_setpgid, 0, -1));
	gives(-ESRCH, syscall(SYS_setpgid, 4000000, 0));
}

int main(void)
{
	static void (*const tests[])(void) = {
		numbers_can_be_asked_for,
		children_are_made_with_care,
		waits_tell_who_they_mean,
		waits_can_mean_own_children_alone,
		programs_are_named_by_descriptors,
		options_of_the_processor,
		slices_and_limits_of_policies,
		too_long_files_are_the_writers_doing,
		descriptors_without_positions_do_not_mind,
		event_sets_can_be_compared,
		memory_of_others_is_advised_on,
		a_process_sees_its_own_call,
		groups_have_positive_numbers,
	};

	mkdir("/tmp", 01777);
	mkdir("/proc", 0555);
	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	for (unsigned int i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		in_child_checked(tests[i]);
	return tap_end();
}
