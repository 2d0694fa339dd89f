/* What programs may not get the kernel to do: arguments that once made it fault, hang or forget. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tap.h"

enum { PAGE = 4096 };

static void nothing(int signal)
{
	(void)signal;
}

static double seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int wait_status(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, __WALL) != pid)
		return -1;
	return status;
}

/* ---- Threads and processes ---- */

static void thread_pointer(void)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} arguments = { .flags = CLONE_SETTLS, .exit_signal = SIGCHLD, .tls = 0x8000000000000000 };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (!pid)
		_exit(0);
	tap_ok(pid == -1 && errno == EPERM, "clone refuses a thread pointer that is no address");
	if (pid > 0)
		wait_status((pid_t)pid);
}

static void exit_signal(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, 0xffUL, 0, 0, 0, 0);

	if (!pid)
		_exit(3);
	tap_ok(pid > 0 && wait_status(pid) == 3 << 8,
	       "a child may name an exit signal that there is not");
}

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void kill_without_leader(void)
{
	pid_t pid = fork();
	double start;

	if (!pid) {
		pthread_t thread;

		pthread_create(&thread, NULL, sleep_on, NULL);
		syscall(SYS_exit, 0);
	}
	usleep(100000);
	start = seconds_now();
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, WNOHANG) == 0 && seconds_now() - start < 5)
		usleep(1000);
	tap_ok(waitpid(pid, NULL, WNOHANG) < 0, "a process whose first thread has ended can be killed");
}

/* Bits 32 and up of rax do not matter for the number of a call; nor do they for its restart. */
static void restart_with_high_bits(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval soon = { { 0, 0 }, { 0, 50000 } };
	unsigned long number = 0xffffffff00000000UL | SYS_pause;
	long result;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	__asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
	tap_ok(result == -EINTR,
	       "an interrupted call ends in EINTR whatever the high half of its number: %ld", result);
}

/* ---- Signal frames ---- */

static volatile sig_atomic_t fpu_handled;
static volatile double fpu_result;

static void on_fpe(int signal, siginfo_t *info, void *context)
{
	volatile double one = 1, three = 3;
	short control;

	(void)signal;
	(void)info;
	__asm__ volatile("fnstcw %0; fldl %1; fdivl %2; fstpl %3; fwait"
			 : "=m"(control)
			 : "m"(one), "m"(three), "m"(fpu_result));
	fpu_handled += control == 0x37f;
	((ucontext_t *)context)->uc_mcontext.fpregs->cwd = 0x37f;
	((ucontext_t *)context)->uc_mcontext.fpregs->swd = 0;
}

static void fpu_in_handler(void)
{
	pid_t pid = fork();

	if (!pid) {
		struct sigaction action = { .sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO };
		volatile double one = 1, zero = 0;
		short control = 0x37b; /* divisions by zero are not masked */

		sigaction(SIGFPE, &action, NULL);
		__asm__ volatile("fldcw %0; fldl %1; fdivl %2; fwait; fstp %%st" ::"m"(control),
				 "m"(one), "m"(zero));
		_exit(fpu_handled == 1 ? 0 : 1);
	}
	tap_ok(wait_status(pid) == 0, "a handler starts with the FPU in its initial state");
}

/* ---- Timers ---- */

static void shortest_interval(const char *name, int clock, int notify, int blocked)
{
	pid_t pid = fork();

	if (!pid) {
		struct sigevent event = { .sigev_notify = notify, .sigev_signo = SIGUSR1 };
		struct itimerspec often = { { 0, 1 }, { 0, 1 } };
		struct sigaction action = { .sa_handler = nothing };
		double end = seconds_now() + 0.3;
		sigset_t set;
		timer_t timer;

		sigaction(SIGUSR1, &action, NULL);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		if (blocked)
			sigprocmask(SIG_BLOCK, &set, NULL);
		if (timer_create(clock, &event, &timer) || timer_settime(timer, 0, &often, NULL))
			_exit(1);
		while (seconds_now() < end)
			;
		_exit(0);
	}
	tap_ok(wait_status(pid) == 0,
	       "a machine goes on with a timer that expires each nanosecond: %s", name);
}

static void shortest_real_interval(void)
{
	pid_t pid = fork();

	if (!pid) {
		struct itimerval often = { { 0, 1 }, { 0, 1 } };
		struct sigaction action = { .sa_handler = nothing };
		double end = seconds_now() + 0.3;

		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &often, NULL);
		while (seconds_now() < end)
			;
		_exit(0);
	}
	tap_ok(wait_status(pid) == 0, "and with setitimer each microsecond");
}

static void many_timers(void)
{
	pid_t pid = fork();

	if (!pid) {
		struct rlimit limit = { 20, 20 };
		int made = 0;
		timer_t timer;

		setrlimit(RLIMIT_SIGPENDING, &limit);
		while (made < 1000 && !syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer))
			made++;
		_exit(made <= 20 && errno == EAGAIN ? 0 : 1);
	}
	tap_ok(wait_status(pid) == 0, "timers count as pending signals of the user");
}

static void timers(void)
{
	shortest_interval("a handler takes the signals", CLOCK_MONOTONIC, SIGEV_SIGNAL, 0);
	shortest_interval("they are blocked", CLOCK_MONOTONIC, SIGEV_SIGNAL, 1);
	shortest_interval("there are none", CLOCK_REALTIME, SIGEV_NONE, 0);
	shortest_interval("of a thread's CPU time", CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, 0);
	shortest_interval("of the process's CPU time", CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, 1);
	shortest_real_interval();
	many_timers();
}

/* ---- Memory ---- */

static void remap_onto_itself(void)
{
	char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *result = mremap(memory, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory);

	tap_ok(result == MAP_FAILED && errno == EFAULT,
	       "mremap of no length onto its own place is refused");
	munmap(memory, 4 * PAGE);
}

static void remap_beyond_limit(void)
{
	pid_t pid = fork();

	if (!pid) {
		struct rlimit limit = { 64 << 20, 64 << 20 };
		char *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *place = mmap(NULL, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(place, 1 << 30);
		setrlimit(RLIMIT_AS, &limit);
		_exit(mremap(memory, PAGE, 1 << 30, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED &&
				      errno == ENOMEM
			      ? 0
			      : 1);
	}
	tap_ok(wait_status(pid) == 0, "mremap to a fixed place keeps to RLIMIT_AS");
}

static void kill_in_advice(const char *name, int protection, int advice)
{
	size_t size = 64UL << 40;
	double start;
	pid_t pid = fork();

	if (!pid) {
		struct rlimit limit = { 0, 0 };
		void *memory;

		setrlimit(RLIMIT_CORE, &limit);
		memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			      -1, 0);
		_exit(memory == MAP_FAILED || (madvise(memory, size, advice) && errno != ENOMEM));
	}
	usleep(100000);
	start = seconds_now();
	kill(pid, SIGKILL);
	wait_status(pid);
	tap_ok(seconds_now() - start < 3, "a process can be killed while it asks for 64 TiB: %s", name);
}

static void lengths_that_wrap(void)
{
	char *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tap_ok(syscall(SYS_mprotect, memory, -1UL, PROT_READ) == -1 && errno == ENOMEM,
	       "mprotect refuses a length that wraps");
	munmap(memory, PAGE);
}

/* ---- Structures at odd addresses: the machine does not mind, so nothing may ---- */

static char odd_memory[256] __attribute__((aligned(16)));

/* A structure of the program's, copied to where nothing is aligned. */
static void *odd(const void *structure, size_t size)
{
	return memcpy(memset(odd_memory, 0, sizeof(odd_memory)) + 1, structure, size);
}

static void odd_messages(void)
{
	struct iovec vector = { (char[]){ "x" }, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) {
		tap_ok(0, "socketpair: %s", strerror(errno));
		return;
	}
	tap_ok(syscall(SYS_sendmmsg, ends[0], odd(&message, sizeof(message)), 1, 0) == 1 &&
		       syscall(SYS_recvmsg, ends[1], odd(&message.msg_hdr, sizeof(message.msg_hdr)),
			       0) == 1,
	       "a message's header may lie anywhere");
	tap_ok(syscall(SYS_sendmsg, ends[0], odd(&message.msg_hdr, sizeof(message.msg_hdr)), 0) == 1 &&
		       syscall(SYS_recvmmsg, ends[1], odd(&message, sizeof(message)), 1, 0, NULL) == 1,
	       "and so may a list of them");
	close(ends[0]);
	close(ends[1]);
}

static void odd_robust_list(void)
{
	void *head[3] = { odd_memory + 1, NULL, NULL };
	pid_t pid = fork();

	if (!pid)
		_exit(syscall(SYS_set_robust_list, odd(head, sizeof(head)), sizeof(head)) ? 1 : 0);
	tap_ok(pid > 0 && wait_status(pid) == 0, "a list of robust futexes may start anywhere");
}

static void odd_child(void)
{
	int signal_number = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	tap_ok(pid > 0 && !syscall(SYS_waitid, P_PID, pid, odd_memory + 1, WEXITED, NULL) &&
		       memcpy(&signal_number, odd_memory + 1, sizeof(signal_number)) &&
		       signal_number == SIGCHLD,
	       "what is told of a child may be put anywhere");
}

static void odd_structures(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct pollfd polled = { .fd = 1, .events = POLLOUT };
	uint32_t attributes[12] = { sizeof(attributes) };

	tap_ok(!syscall(SYS_capget, odd(&header, sizeof(header)), data),
	       "the header of capabilities may lie anywhere");
	header.version = 0;
	tap_ok(syscall(SYS_capget, odd(&header, sizeof(header)), data) == -1 && errno == EINVAL,
	       "with a wrong version, too");
	tap_ok(syscall(SYS_poll, odd(&polled, sizeof(polled)), 1, 0) >= 0,
	       "what is polled may lie anywhere");
	tap_ok(!syscall(SYS_sched_setattr, 0, odd(attributes, sizeof(attributes)), 0),
	       "attributes of scheduling may lie anywhere");
	odd_messages();
	odd_robust_list();
	odd_child();
}

int main(void)
{
	thread_pointer();
	exit_signal();
	kill_without_leader();
	restart_with_high_bits();
	fpu_in_handler();
	remap_onto_itself();
	remap_beyond_limit();
	kill_in_advice("without access", PROT_NONE, MADV_WILLNEED);
	kill_in_advice("to read", PROT_READ, MADV_POPULATE_READ);
	lengths_that_wrap();
	timers();
	odd_structures();
	return tap_end();
}
