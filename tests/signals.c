/* Signals as programs see them: handlers, masks, queues, frames, restarts, waiting, job control. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tap.h"

static volatile sig_atomic_t count, last_signal, order[16];
static siginfo_t last_info;

static void note(int signal)
{
	if (count < 16)
		order[count] = signal;
	count++;
	last_signal = signal;
}

static void note_info(int signal, siginfo_t *info, void *context)
{
	last_info = *info;
	note(signal);
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	sigaction(signal, &action, NULL);
	count = 0;
}

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	sigaction(signal, &action, NULL);
	count = 0;
}

static void block(int signal, int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(how, &set, NULL);
}

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

/* ---- Handlers and masks ---- */

static void handlers(void)
{
	struct sigaction action, old = { .sa_handler = SIG_DFL };
	sigset_t set, pending;

	handle(SIGUSR1, note, 0);
	raise(SIGUSR1);
	tap_ok(count == 1 && last_signal == SIGUSR1, "a handler runs");
	handle_info(SIGUSR1, note_info, 0);
	kill(getpid(), SIGUSR1);
	tap_ok(count == 1 && last_info.si_code == SI_USER && last_info.si_pid == getpid() &&
		       last_info.si_uid == getuid(),
	       "it is told who sent the signal");
	raise(SIGUSR1);
	tap_ok(last_info.si_code == SI_TKILL, "and how");

	handle(SIGUSR1, note, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	tap_ok(count == 1 && old.sa_handler == SIG_DFL, "SA_RESETHAND drops the handler");

	handle(SIGUSR1, note, 0);
	block(SIGUSR1, SIG_BLOCK);
	raise(SIGUSR1);
	raise(SIGUSR1);
	sigpending(&pending);
	tap_ok(count == 0 && sigismember(&pending, SIGUSR1), "a blocked signal waits");
	block(SIGUSR1, SIG_UNBLOCK);
	sigpending(&pending);
	tap_ok(count == 1 && !sigismember(&pending, SIGUSR1), "and comes once");

	block(SIGUSR1, SIG_BLOCK);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	sigpending(&pending);
	tap_ok(!sigismember(&pending, SIGUSR1), "ignoring a signal drops what is pending");
	block(SIGUSR1, SIG_UNBLOCK);

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigprocmask(SIG_SETMASK, NULL, &set);
	tap_ok(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP) && sigismember(&set, SIGTERM),
	       "SIGKILL and SIGSTOP cannot be blocked");
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	action = (struct sigaction){ .sa_handler = SIG_IGN };
	errno = 0;
	tap_ok(sigaction(SIGKILL, &action, NULL) == -1 && errno == EINVAL, "nor handled");
	errno = 0;
	tap_ok(kill(getpid(), 65) == -1 && errno == EINVAL, "there is no signal 65");
	tap_ok(kill(getpid(), 0) == 0, "signal 0 only asks");
	errno = 0;
	tap_ok(kill(1 << 22, 0) == -1 && errno == ESRCH, "whether there is somebody");
}

static void nested(int signal)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	order[count++] = sigismember(&set, SIGUSR1) * 2 + sigismember(&set, SIGUSR2);
	if (count == 1) {
		raise(SIGUSR1);
		raise(SIGUSR2);
		order[count++] = 100;
	}
}

static void masks_in_handlers(void)
{
	struct sigaction action = { .sa_handler = nested };

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &action, NULL);
	handle(SIGUSR2, note, 0);
	count = 0;
	raise(SIGUSR1);
	tap_ok(order[0] == 3 && order[1] == 100, "a handler's mask holds while it runs");
	tap_ok(count >= 4, "and what came meanwhile comes after it (%d)", (int)count);
	handle(SIGUSR1, note, SA_NODEFER);
}

/* ---- Real-time signals ---- */

static int values[16];

static void note_value(int signal, siginfo_t *info, void *context)
{
	if (count < 16) {
		order[count] = signal;
		values[count] = info->si_value.sival_int;
	}
	count++;
}

static void real_time(void)
{
	struct rlimit limit, old;
	int error;

	handle_info(SIGRTMIN, note_value, 0);
	handle_info(SIGRTMIN + 1, note_value, 0);
	block(SIGRTMIN, SIG_BLOCK);
	block(SIGRTMIN + 1, SIG_BLOCK);
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 10 });
	for (int i = 0; i < 3; i++)
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
	count = 0;
	sigset_t set;
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	/* All are delivered at once: each handler's frame lies on that of the one before, so the last begins first. */
	tap_ok(count == 4, "real-time signals are queued, each of them");
	int first = -1, in_order = 1;
	for (int i = 0; i < 4; i++)
		if (order[i] == SIGRTMIN) {
			in_order &= values[i] > first;
			first = values[i];
		}
	tap_ok(in_order, "those of one number in the order in which they were sent");

	getrlimit(RLIMIT_SIGPENDING, &old);
	limit = old;
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_SIGPENDING, &limit);
	block(SIGRTMIN, SIG_BLOCK);
	errno = 0;
	error = sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 });
	tap_ok(error == -1 && errno == EAGAIN, "up to RLIMIT_SIGPENDING");
	setrlimit(RLIMIT_SIGPENDING, &old);
	block(SIGRTMIN, SIG_UNBLOCK);
}

/* ---- Frames ---- */

static void change_register(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	user->uc_mcontext.gregs[REG_RBX] = 0x1234567890;
	user->uc_mcontext.gregs[REG_R15] = 0x5555;
	count++;
}

static void frames(void)
{
	unsigned long rbx = 1, r15 = 2, red_zone = 0;
	double before = 1.5, after;
	pid_t pid = getpid();
	long result;

	handle_info(SIGUSR1, change_register, 0);
	__asm__ volatile(
		"mov $1, %%rbx\n\tmov $2, %%r15\n\tmovsd %[d], %%xmm9\n\tmovq $77, -8(%%rsp)\n\tmovq $78, -128(%%rsp)\n\tsyscall\n\t"
		"mov %%rbx, %[rbx]\n\tmov %%r15, %[r15]\n\tmov -8(%%rsp), %[zone]\n\tadd -128(%%rsp), %[zone]\n\tmovsd %%xmm9, %[after]"
		: "=a"(result), [rbx] "=&r"(rbx), [r15] "=&r"(r15), [zone] "=&r"(red_zone), [after] "=m"(after)
		: "a"((long)SYS_kill), "D"((long)pid), "S"((long)SIGUSR1), [d] "m"(before)
		: "rcx", "r11", "rbx", "r15", "xmm9", "memory");
	tap_ok(count == 1 && result == 0 && rbx == 0x1234567890 && r15 == 0x5555,
	       "a handler changes saved registers");
	tap_ok(red_zone == 77 + 78, "the red zone is left alone");
	tap_ok(after == 1.5, "and so are vector registers");
}

static void spoil_vectors(int signal)
{
	double spoil = 9.25;

	__asm__ volatile("movsd %0, %%xmm6\n\tmovsd %0, %%xmm15" ::"m"(spoil) : "xmm6", "xmm15");
	count++;
}

static void vectors_are_kept(void)
{
	double before = 2.5, low, high;
	long result;

	handle(SIGUSR1, spoil_vectors, 0);
	__asm__ volatile("movsd %[d], %%xmm6\n\tmovsd %[d], %%xmm15\n\tsyscall\n\tmovsd %%xmm6, %[low]\n\tmovsd %%xmm15, %[high]"
			 : "=a"(result), [low] "=m"(low), [high] "=m"(high)
			 : "a"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1), [d] "m"(before)
			 : "rcx", "r11", "xmm6", "xmm15", "memory");
	tap_ok(count == 1 && low == 2.5 && high == 2.5, "a handler may use vector registers");
}

static char *alternate;
static volatile int on_alternate, stack_flags;

static void where(int signal)
{
	char here;
	stack_t stack;

	on_alternate = &here >= alternate && &here < alternate + 65536;
	sigaltstack(NULL, &stack);
	stack_flags = stack.ss_flags;
	count++;
}

static void alternate_stack(void)
{
	stack_t stack = { .ss_size = 65536 }, old, small = { .ss_sp = &small, .ss_size = 100 };

	alternate = stack.ss_sp =
		mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tap_ok(sigaltstack(&stack, &old) == 0 && old.ss_flags == SS_DISABLE,
	       "an alternate stack is set");
	handle(SIGUSR1, where, SA_ONSTACK);
	raise(SIGUSR1);
	tap_ok(on_alternate && stack_flags == SS_ONSTACK, "a handler with SA_ONSTACK runs on it");
	handle(SIGUSR1, where, 0);
	raise(SIGUSR1);
	tap_ok(!on_alternate && stack_flags == 0, "others do not");
	errno = 0;
	tap_ok(sigaltstack(&small, NULL) == -1 && errno == ENOMEM, "a small one is refused");
	stack.ss_flags = 8;
	errno = 0;
	tap_ok(sigaltstack(&stack, NULL) == -1 && errno == EINVAL, "unknown flags, too");
	stack.ss_flags = SS_DISABLE;
	tap_ok(sigaltstack(&stack, NULL) == 0, "it is taken away");
}

static void on_overflow(int signal, siginfo_t *info, void *context)
{
	_exit(info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR ? 21 : 22);
}

static volatile int for_ever = 1;

static int recurse(int depth)
{
	volatile char page[4096];

	memset((char *)page, depth, sizeof(page));
	return for_ever ? recurse(depth + 1) + page[17] : 0;
}

static void overflow(void)
{
	stack_t stack = { .ss_size = 65536 };

	stack.ss_sp = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&stack, NULL);
	handle_info(SIGSEGV, on_overflow, SA_ONSTACK);
	_exit(recurse(0));
}

static void *volatile fault_address;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	last_info = *info;
	fault_address = info->si_addr;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 3; /* movb $0, (%rax) */
	count++;
}

static void faults(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	handle_info(SIGSEGV, on_fault, 0);
	__asm__ volatile("movb $0, (%0)" ::"a"(page + 5) : "memory");
	tap_ok(count == 1 && fault_address == page + 5 && last_info.si_code == SEGV_ACCERR,
	       "a write to read-only memory");
	munmap(page, 4096);
	__asm__ volatile("movb $0, (%0)" ::"a"(page + 6) : "memory");
	tap_ok(count == 2 && fault_address == page + 6 && last_info.si_code == SEGV_MAPERR,
	       "to no memory");
	signal(SIGSEGV, SIG_DFL);
	tap_ok(exited(in_child(overflow), 21), "a stack's overflow is handled on another stack");
}

static void blocked_fault(void)
{
	char *volatile nowhere = (char *)8;

	block(SIGSEGV, SIG_BLOCK);
	*nowhere = 1;
}

static void touches_nothing(void)
{
	char *volatile nowhere = (char *)0xdead0008;

	*nowhere = 1;
}

static void logged_fault(void)
{
	static char log[1 << 18], line[100];
	pid_t pid = fork();
	char *found;
	int size;

	if (!pid) {
		touches_nothing();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	size = klogctl(3 /* read all */, log, sizeof(log) - 1);
	log[size > 0 ? size : 0] = 0;
	snprintf(line, sizeof(line), "[%d]: segfault at dead0008 ip ", pid);
	found = strstr(log, line);
	tap_ok(found && (found = strstr(found, " error 6 in ")) &&
		       strcspn(found, "[") < strcspn(found, "\n"),
	       "the log says what fault ended a process");
}

static void divide(void)
{
	volatile int zero = 0, seven = 7;

	_exit(seven / zero); /* cppcheck-suppress zerodiv; it is meant */
}

static void undefined(void)
{
	__asm__ volatile("ud2");
}

static void deaths(void)
{
	int status = in_child(blocked_fault);

	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a blocked fault kills");
	logged_fault();
	status = in_child(divide);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGFPE, "a division by zero is SIGFPE");
	status = in_child(undefined);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL, "an undefined instruction is SIGILL");
	status = in_child(abort);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "abort is SIGABRT");
}

/* ---- Interrupted calls ---- */

static void arm(int milliseconds)
{
	struct itimerval timer = { .it_value = { 0, milliseconds * 1000 } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void restarts(void)
{
	struct timespec time = { 0, 200 * 1000000 }, left;
	int pipes[2], status;
	char byte;
	pid_t pid;

	if (pipe(pipes))
		return;
	handle(SIGALRM, note, 0);
	arm(20);
	errno = 0;
	tap_ok(read(pipes[0], &byte, 1) == -1 && errno == EINTR && count == 1,
	       "a signal interrupts read");
	handle(SIGALRM, note, SA_RESTART);
	pid = fork();
	if (pid == 0) {
		usleep(100000);
		_exit(write(pipes[1], "x", 1) == 1 ? 0 : 1);
	}
	arm(20);
	tap_ok(read(pipes[0], &byte, 1) == 1 && byte == 'x' && count == 1, "with SA_RESTART it goes on");
	tap_ok(waitpid(pid, &status, 0) == pid, "its writer ends");
	arm(20);
	errno = 0;
	tap_ok(nanosleep(&time, &left) == -1 && errno == EINTR && left.tv_nsec > 0 &&
		       left.tv_nsec < 200000000,
	       "nanosleep tells what is left");
	handle(SIGALRM, note, SA_RESTART);
	arm(20);
	errno = 0;
	tap_ok(pause() == -1 && errno == EINTR && count == 1, "pause never restarts");
	close(pipes[0]);
	close(pipes[1]);
}

static void stopped_sleeper(void)
{
	struct timespec time = { 0, 150 * 1000000 };

	/* Stopped and continued in its midst: no handler, so the sleep goes on as if nothing had been. */
	_exit(nanosleep(&time, NULL) ? 1 : 0);
}

static void sleep_survives_a_stop(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		stopped_sleeper();
	usleep(30000);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	tap_ok(exited(status, 0), "a stop does not end a sleep");
}

/* ---- Waiting for signals ---- */

static void waiting(void)
{
	struct timespec time = { 0, 20 * 1000000 };
	sigset_t set, mask;
	siginfo_t info;
	int result;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	errno = 0;
	tap_ok(sigtimedwait(&set, &info, &time) == -1 && errno == EAGAIN,
	       "sigtimedwait ends at its time");
	sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 33 });
	tap_ok(sigtimedwait(&set, &info, &time) == SIGUSR2 && info.si_value.sival_int == 33 &&
		       info.si_code == SI_QUEUE,
	       "it takes what is pending");
	arm(20);
	tap_ok(sigwaitinfo(&set, &info) == SIGALRM && info.si_signo == SIGALRM,
	       "it waits for what is not");
	handle(SIGUSR1, note, 0);
	block(SIGUSR1, SIG_BLOCK);
	raise(SIGUSR1);
	sigfillset(&mask);
	sigdelset(&mask, SIGUSR1);
	errno = 0;
	result = sigsuspend(&mask);
	tap_ok(result == -1 && errno == EINTR && count == 1, "sigsuspend lets one through");
	sigprocmask(SIG_BLOCK, NULL, &mask);
	tap_ok(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGTERM),
	       "and the mask is what it was");
	raise(SIGUSR1);
	sigemptyset(&mask);
	errno = 0;
	result = pselect(0, NULL, NULL, NULL, NULL, &mask);
	tap_ok(result == -1 && errno == EINTR && count == 2, "pselect takes a mask, too");
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* ---- Threads ---- */

static volatile pid_t handled_by;

static void note_thread(int signal)
{
	handled_by = (pid_t)syscall(SYS_gettid);
	count++;
}

static void *thread_waits(void *argument)
{
	volatile pid_t *tid = argument;

	*tid = (pid_t)syscall(SYS_gettid);
	while (!count)
		usleep(1000);
	return NULL;
}

static void threads(void)
{
	volatile pid_t tid = 0;
	pthread_t thread;

	handle(SIGUSR1, note_thread, SA_RESTART);
	pthread_create(&thread, NULL, thread_waits, (void *)&tid);
	while (!tid)
		usleep(1000);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	tap_ok(count == 1 && handled_by == tid, "pthread_kill reaches the thread");
	count = 0;
	tid = 0;
	pthread_create(&thread, NULL, thread_waits, (void *)&tid);
	while (!tid)
		usleep(1000);
	block(SIGUSR1, SIG_BLOCK);
	kill(getpid(), SIGUSR1);
	pthread_join(thread, NULL);
	tap_ok(count == 1 && handled_by == tid,
	       "a signal to the process goes to a thread that takes it");
	block(SIGUSR1, SIG_UNBLOCK);
	errno = 0;
	tap_ok(syscall(SYS_tgkill, getpid(), tid, SIGUSR1) == -1 && errno == ESRCH,
	       "a thread that has ended gives ESRCH");
	errno = 0;
	tap_ok(syscall(SYS_tgkill, 1, getpid(), 0) == -1 && errno == ESRCH, "tgkill checks the process");
}

/* ---- Job control ---- */

static void *thread_spins(void *argument)
{
	for (;;)
		__atomic_fetch_add((long *)argument, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void job_control(void)
{
	long *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	     seen;
	siginfo_t info;
	int status;
	pid_t pid;

	handle_info(SIGCHLD, note_info, SA_RESTART);
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, thread_spins, counter);
		for (;;)
			pause();
	}
	while (!__atomic_load_n(counter, __ATOMIC_RELAXED))
		usleep(1000);
	kill(pid, SIGSTOP);
	tap_ok(waitid(P_PID, (id_t)pid, &info, WSTOPPED) == 0 && info.si_code == CLD_STOPPED &&
		       info.si_status == SIGSTOP,
	       "a process with threads stops");
	tap_ok(count >= 1 && last_info.si_code == CLD_STOPPED && last_info.si_pid == pid,
	       "SIGCHLD says so");
	seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
	usleep(50000);
	tap_ok(__atomic_load_n(counter, __ATOMIC_RELAXED) == seen, "all of its threads do");
	kill(pid, SIGTERM);
	usleep(20000);
	tap_ok(waitpid(pid, &status, WNOHANG) == 0, "a signal waits until it goes on");
	count = 0;
	kill(pid, SIGCONT);
	tap_ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
	       "and comes then");

	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGKILL);
	tap_ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	       "SIGKILL ends a stopped process");

	handle_info(SIGCHLD, note_info, SA_RESTART | SA_NOCLDSTOP);
	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, WUNTRACED);
	tap_ok(count == 0, "SA_NOCLDSTOP: no SIGCHLD for a stop");
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	tap_ok(count == 1 && last_info.si_code == CLD_EXITED, "but for an exit");
	signal(SIGCHLD, SIG_DFL);
}

static void orphaned_group(void)
{
	int status, pipes[2];
	char word[8] = "";
	pid_t pid;

	if (pipe(pipes))
		return;
	pid = fork();
	if (pid == 0) { /* the shell of a session */
		setsid();
		pid_t middle = fork();
		if (middle == 0) { /* a job in a group of its own ... */
			setpgid(0, 0);
			if (fork() == 0) { /* ... with a stopped process */
				signal(SIGHUP, SIG_DFL);
				struct sigaction action = { .sa_handler = note };
				sigaction(SIGHUP, &action, NULL);
				count = 0;
				raise(SIGSTOP);
				usleep(10000);
				if (write(pipes[1], count ? "hup" : "none", 5) != 5)
					_exit(1);
				_exit(0);
			}
			usleep(100000);
			_exit(0); /* its end orphans the group */
		}
		waitpid(middle, &status, 0);
		usleep(200000);
		_exit(0);
	}
	close(pipes[1]);
	waitpid(pid, &status, 0);
	tap_ok(read(pipes[0], word, sizeof(word)) == 5 && !strcmp(word, "hup"),
	       "an orphaned group that is stopped gets SIGHUP and SIGCONT");
	close(pipes[0]);
}

int main(void)
{
	handlers();
	masks_in_handlers();
	real_time();
	frames();
	vectors_are_kept();
	alternate_stack();
	faults();
	deaths();
	restarts();
	sleep_survives_a_stop();
	waiting();
	threads();
	job_control();
	orphaned_group();
	return tap_end();
}
