/*
 * seccomp(2): strict mode, filters and what they answer, which programs are filters, who may install them, and who gets them: children,
 * executed programs, other threads.
 */
#include "files.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
/* A filter that answers `value` to one call and allows the others. */
#define ANSWER(number, value)                                                                      \
	{                                                                                          \
		LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), RETURN(value),        \
			RETURN(SECCOMP_RET_ALLOW)                                                  \
	}

static long seccomp(unsigned int operation, unsigned int flags, void *arguments)
{
	return syscall(SYS_seccomp, operation, flags, arguments);
}

static long install_flags(struct sock_filter *code, unsigned short count, unsigned int flags)
{
	struct sock_fprog program = { .len = count, .filter = code };

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}
#define INSTALL(code) install_flags(code, sizeof(code) / sizeof((code)[0]), 0)

static long answer(long number, unsigned int value)
{
	struct sock_filter code[] = ANSWER((unsigned int)number, value);

	return INSTALL(code);
}

/* Runs it in a child: its wait status. */
static int status_of(void (*work)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		tap_failures = 0;
		work();
		_exit(tap_failures ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	return status & ~0x80; /* with or without a core file */
}

/* ---- Strict ---- */

static void strict(void)
{
	CHECK(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0);
	syscall(SYS_exit, 3);
}

static void strict_by_seccomp(void)
{
	CHECK_FAILS(EINVAL, seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
	CHECK_FAILS(EINVAL, seccomp(SECCOMP_SET_MODE_STRICT, 0, text));
	CHECK(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	if (syscall(SYS_read, -1, text, 1) != -1 || errno != EBADF)
		syscall(SYS_exit, 1);
	syscall(SYS_getpid);
	syscall(SYS_exit, 2);
}

static void strict_after_filter(void)
{
	CHECK(answer(SYS_getppid, SECCOMP_RET_ERRNO | 7) == 0);
	CHECK_FAILS(EINVAL, seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
}

static void strict_thread(void)
{
	CHECK(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	_exit(0); /* exit_group */
}

static void test_strict(void)
{
	GIVES(3 << 8, status_of(strict));
	GIVES(SIGKILL, status_of(strict_by_seccomp));
	GIVES(SIGKILL, status_of(strict_thread));
	GIVES(0, status_of(strict_after_filter));
}

/* ---- Calls and errors ---- */

static void test_arguments(void)
{
	struct sock_filter allow[] = { RETURN(SECCOMP_RET_ALLOW) };
	struct sock_fprog bad = { .len = 1, .filter = (void *)8 };
	unsigned int action = SECCOMP_RET_KILL_PROCESS;
	struct seccomp_notif_sizes sizes = {};

	FAILS(EINVAL, seccomp(77, 0, NULL));
	FAILS(EINVAL, prctl(PR_SET_SECCOMP, 0, 0, 0, 0));
	FAILS(EINVAL, prctl(PR_SET_SECCOMP, 3, 0, 0, 0));
	FAILS(EFAULT, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 8, 0, 0));
	FAILS(EFAULT, seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
	FAILS(EFAULT, seccomp(SECCOMP_SET_MODE_FILTER, 0, &bad));
	FAILS(EINVAL, install_flags(allow, 1, 0x8000));
	FAILS(EINVAL, install_flags(allow, 0, 0));
	FAILS(EINVAL, install_flags(allow, 4097, 0));
	WORKS(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
	action = SECCOMP_RET_LOG;
	WORKS(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
	action = SECCOMP_RET_ERRNO | 1;
	FAILS(EOPNOTSUPP, seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
	FAILS(EINVAL, seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action));
	FAILS(EFAULT, seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL));
	WORKS(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	TRUE(sizes.seccomp_notif == 80 && sizes.seccomp_notif_resp == 24 && sizes.seccomp_data == 64);
	FAILS(EINVAL, seccomp(SECCOMP_GET_NOTIF_SIZES, 1, &sizes));
	FAILS(EFAULT, seccomp(SECCOMP_GET_NOTIF_SIZES, 0, NULL));
}

/* ---- Which programs are filters ---- */

#define REFUSED(...)                                                                               \
	do {                                                                                       \
		struct sock_filter code_[] = { __VA_ARGS__ };                                      \
		CHECK_FAILS(EINVAL, INSTALL(code_));                                               \
	} while (0)
#define ACCEPTED(...)                                                                              \
	do {                                                                                       \
		struct sock_filter code_[] = { __VA_ARGS__ };                                      \
		CHECK(INSTALL(code_) == 0);                                                        \
	} while (0)

static void programs(void)
{
	const unsigned int allow = SECCOMP_RET_ALLOW;

	REFUSED(LOAD(nr));						/* does not return */
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(allow));	/* not a whole word */
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(allow)); /* behind the data */
	REFUSED(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(allow));
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(allow));
	REFUSED(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), RETURN(allow));
	REFUSED(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RETURN(allow));
	REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(allow));
	REFUSED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(allow));
	REFUSED(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 32), RETURN(allow));
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(allow));
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RETURN(allow));
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RETURN(allow));
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RETURN(allow));
	REFUSED(BPF_STMT(BPF_RET | BPF_X, 0));
	REFUSED(BPF_STMT(BPF_ST, 16), RETURN(allow));
	REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 16), RETURN(allow));
	REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(allow)); /* never written */
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LD | BPF_MEM, 3), RETURN(allow)); /* on one path */
	REFUSED(BPF_STMT(0x100, 0), RETURN(allow));
	REFUSED(BPF_STMT(BPF_MISC | 0x40, 0), RETURN(allow));
	REFUSED(BPF_STMT(BPF_JMP | 0x50, 0), RETURN(allow));
	ACCEPTED(RETURN(allow));
	ACCEPTED(BPF_STMT(BPF_LD | BPF_IMM, allow), BPF_STMT(BPF_RET | BPF_A, 0));
	ACCEPTED(BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LDX | BPF_MEM, 15), RETURN(allow));
	ACCEPTED(BPF_STMT(BPF_JMP | BPF_JA, 0), RETURN(allow));
	ACCEPTED(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
		 RETURN(allow));
}

/* Each computes something from the arguments of getppid(); the result comes back as an errno. */
#define COMPUTES(value, ...)                                                                           \
	do {                                                                                           \
		struct sock_filter code_[] = { __VA_ARGS__,                                            \
					       BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff),             \
					       BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),  \
					       BPF_STMT(BPF_MISC | BPF_TAX, 0),                        \
					       LOAD(nr),                                               \
					       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0), \
					       RETURN(SECCOMP_RET_ALLOW),                              \
					       BPF_STMT(BPF_MISC | BPF_TXA, 0),                        \
					       BPF_STMT(BPF_RET | BPF_A, 0) };                         \
		pid_t pid_ = fork();                                                                   \
		int status_;                                                                           \
		if (!pid_) {                                                                           \
			if (INSTALL(code_))                                                            \
				_exit(99);                                                             \
			errno = 0;                                                                     \
			syscall(SYS_getppid, 100, 7, 0x500000003, 33, 9, 6);                           \
			_exit(errno);                                                                  \
		}                                                                                      \
		waitpid(pid_, &status_, 0);                                                            \
		GIVES(value, WEXITSTATUS(status_));                                                    \
	} while (0)
#define A(operation, operand) BPF_STMT(BPF_ALU | (operation), operand)

static void test_arithmetic(void)
{
	COMPUTES(100, LOAD(args[0]));
	COMPUTES(3, LOAD(args[2]));
	COMPUTES(5, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + 4));
	COMPUTES(6, LOAD(args[5]));
	COMPUTES(64, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0));
	COMPUTES(107, LOAD(args[1]), BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(args[0]),
		 A(BPF_ADD | BPF_X, 0));
	COMPUTES(93, LOAD(args[0]), A(BPF_SUB | BPF_K, 7));
	COMPUTES(44, LOAD(args[0]), A(BPF_MUL | BPF_K, 3), A(BPF_AND | BPF_K, 0xff));
	COMPUTES(14, LOAD(args[1]), BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(args[0]),
		 A(BPF_DIV | BPF_X, 0));
	COMPUTES(33, LOAD(args[0]), A(BPF_DIV | BPF_K, 3));
	COMPUTES(99, LOAD(args[0]), A(BPF_XOR | BPF_K, 7));
	COMPUTES(200, LOAD(args[0]), A(BPF_LSH | BPF_K, 1));
	COMPUTES(200, LOAD(args[3]), BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(args[0]),
		 A(BPF_LSH | BPF_X, 0));
	COMPUTES(25, LOAD(args[0]), A(BPF_RSH | BPF_K, 2));
	COMPUTES(156, LOAD(args[0]), BPF_STMT(BPF_ALU | BPF_NEG, 0), A(BPF_AND | BPF_K, 0xff));
	COMPUTES(9, LOAD(args[4]), BPF_STMT(BPF_ST, 2), LOAD(args[0]), BPF_STMT(BPF_LD | BPF_MEM, 2));
	COMPUTES(9, BPF_STMT(BPF_LDX | BPF_IMM, 9), BPF_STMT(BPF_STX, 2), BPF_STMT(BPF_LD | BPF_MEM, 2));
	COMPUTES(1, LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 99, 0, 1),
		 BPF_STMT(BPF_LD | BPF_IMM, 1));
	COMPUTES(100, LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 1),
		 BPF_STMT(BPF_LD | BPF_IMM, 1));
	COMPUTES(1, LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 100, 0, 1),
		 BPF_STMT(BPF_LD | BPF_IMM, 1));
	COMPUTES(1, LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1),
		 BPF_STMT(BPF_LD | BPF_IMM, 1));
	COMPUTES(100, LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 8, 0, 1),
		 BPF_STMT(BPF_LD | BPF_IMM, 1));
	COMPUTES(100, BPF_STMT(BPF_LDX | BPF_IMM, 100), LOAD(args[0]),
		 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0), BPF_STMT(BPF_LD | BPF_IMM, 1));
}

static void divide_by_nothing(void)
{
	struct sock_filter code[] = { LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 2),
				      BPF_STMT(BPF_LDX | BPF_IMM, 0), A(BPF_DIV | BPF_X, 0),
				      RETURN(SECCOMP_RET_ALLOW) };

	CHECK(INSTALL(code) == 0);
	syscall(SYS_getppid);
}

/* ---- What filters answer ---- */

static void answers(void)
{
	CHECK(answer(SYS_getppid, SECCOMP_RET_ERRNO | 5000) == 0);
	CHECK_FAILS(4095, syscall(SYS_getppid));
	CHECK(answer(SYS_getppid, SECCOMP_RET_ERRNO) == 0); /* as strict: the newer one counts */
	CHECK(syscall(SYS_getppid) == 0);
	CHECK(answer(SYS_getppid, SECCOMP_RET_TRACE) == 0); /* not as strict */
	CHECK(syscall(SYS_getppid) == 0);
	CHECK(answer(SYS_getuid, SECCOMP_RET_TRACE | 3) == 0);
	CHECK_FAILS(ENOSYS, syscall(SYS_getuid));
	CHECK(answer(SYS_geteuid, SECCOMP_RET_LOG) == 0);
	CHECK(syscall(SYS_geteuid) == 0);
	CHECK(answer(SYS_getgid, SECCOMP_RET_USER_NOTIF) == 0);
	CHECK_FAILS(ENOSYS, syscall(SYS_getgid));
	CHECK(answer(4000, SECCOMP_RET_ERRNO | 3) == 0); /* of a number that is none */
	CHECK_FAILS(3, syscall(4000));
	CHECK(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER);
}

static void kill_process(void)
{
	signal(SIGSYS, SIG_IGN);
	CHECK(answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS) == 0);
	syscall(SYS_getppid);
}

static void kill_last_thread(void)
{
	CHECK(answer(SYS_getppid, SECCOMP_RET_KILL_THREAD) == 0);
	syscall(SYS_getppid);
}

static void unknown_action(void)
{
	CHECK(answer(SYS_getppid, 0x7ff80000) == 0);
	syscall(SYS_getppid);
}

static void *asks(void *unused)
{
	syscall(SYS_getppid);
	return (void *)1;
}

static void kill_one_thread(void)
{
	pthread_t thread;
	void *result = NULL;

	CHECK(answer(SYS_getppid, SECCOMP_RET_KILL_THREAD) == 0);
	CHECK(pthread_create(&thread, NULL, asks, NULL) == 0);
	CHECK(pthread_join(thread, &result) == 0 && !result);
}

static volatile siginfo_t seen;
static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal;
	*(siginfo_t *)&seen = *info;
	CHECK(user->uc_mcontext.gregs[REG_RAX] == SYS_getppid &&
	      user->uc_mcontext.gregs[REG_RIP] == (long)info->si_call_addr);
	user->uc_mcontext.gregs[REG_RAX] = 77;
}

static void trap(void)
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &action, NULL);
	CHECK(answer(SYS_getppid, SECCOMP_RET_TRAP | 0x1234) == 0);
	CHECK(syscall(SYS_getppid) == 77);
	CHECK(seen.si_signo == SIGSYS && seen.si_code == SYS_SECCOMP && seen.si_errno == 0x1234);
	CHECK(seen.si_syscall == SYS_getppid && seen.si_arch == AUDIT_ARCH_X86_64);
	signal(SIGSYS, SIG_IGN); /* not for this one */
	syscall(SYS_getppid);
}

static void test_answers(void)
{
	WORKS(status_of(answers));
	GIVES(SIGSYS, status_of(kill_process));
	GIVES(SIGSYS, status_of(kill_last_thread));
	GIVES(SIGSYS, status_of(unknown_action));
	GIVES(SIGSYS, status_of(divide_by_nothing));
	WORKS(status_of(kill_one_thread));
	GIVES(SIGSYS, status_of(trap));
}

/* ---- Who gets them ---- */

static void without_privilege(void)
{
	if (setresuid(1000, 1000, 1000))
		_exit(98);
	CHECK_FAILS(EACCES, answer(SYS_getppid, SECCOMP_RET_ERRNO | 7));
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(answer(SYS_getppid, SECCOMP_RET_ERRNO | 7) == 0);
	CHECK_FAILS(7, syscall(SYS_getppid));
}

static long status_line(const char *name)
{
	const char *line = strstr(text_of("/proc/thread-self/status"), name);

	return line ? atol(line + strlen(name)) : -1;
}

static void inherited(void)
{
	char *arguments[] = { (char *)"seccomp", (char *)"filtered", NULL };
	int status;
	pid_t pid;

	CHECK(status_line("\nSeccomp:\t") == 0 && status_line("\nSeccomp_filters:\t") == 0);
	CHECK(answer(SYS_getppid, SECCOMP_RET_ERRNO | 7) == 0);
	CHECK(answer(SYS_getuid, SECCOMP_RET_ERRNO | 8) == 0);
	CHECK(status_line("\nSeccomp:\t") == 2 && status_line("\nSeccomp_filters:\t") == 2);
	pid = fork();
	if (!pid) {
		CHECK_FAILS(7, syscall(SYS_getppid));
		execv("/proc/self/exe", arguments);
		_exit(99);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static int after_exec(void)
{
	return syscall(SYS_getppid) == -1 && errno == 7 && syscall(SYS_getuid) == -1 && errno == 8
		       ? 0
		       : 1;
}

static volatile int turn;
static void *other_thread(void *filter_of_its_own)
{
	if (filter_of_its_own && answer(SYS_getgid, SECCOMP_RET_ERRNO | 9))
		return (void *)1;
	turn = (int)syscall(SYS_gettid);
	while (turn != -1)
		;
	if (syscall(SYS_getppid) == -1 && errno == 7)
		return (void *)(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 2L : 3L);
	return (void *)4;
}

static void synchronized(void)
{
	struct sock_filter code[] = ANSWER(SYS_getppid, SECCOMP_RET_ERRNO | 7);
	pthread_t thread;
	void *result;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	turn = 0;
	CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
	while (!turn)
		sched_yield();
	CHECK(install_flags(code, 4, SECCOMP_FILTER_FLAG_TSYNC) == 0);
	turn = -1;
	CHECK(pthread_join(thread, &result) == 0 && result == (void *)2);
	CHECK_FAILS(7, syscall(SYS_getppid));

	turn = 0;
	CHECK(pthread_create(&thread, NULL, other_thread, (void *)1) == 0);
	while (!turn)
		sched_yield();
	CHECK(install_flags(code, 4, SECCOMP_FILTER_FLAG_TSYNC) == turn);
	CHECK_FAILS(ESRCH, install_flags(code, 4,
					 SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
	turn = -1;
	CHECK(pthread_join(thread, &result) == 0 && result == (void *)2);
}

static void too_long(void)
{
	static struct sock_filter code[4096];
	int count = 0;

	for (int i = 0; i < 4096; i++)
		code[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	while (INSTALL(code) == 0)
		count++;
	CHECK(errno == ENOMEM && count >= 3 && count <= 7); /* Linux counts what it translates them to */
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return after_exec();
	(void)argv;
	begin();
	test_arguments();
	test_strict();
	WORKS(status_of(programs));
	test_arithmetic();
	test_answers();
	WORKS(status_of(without_privilege));
	WORKS(status_of(inherited));
	WORKS(status_of(synchronized));
	WORKS(status_of(too_long));
	return end();
}
