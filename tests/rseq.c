/* Restartable sequences, as glibc registers them: rseq(2). */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static struct rseq *own(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static long rseq(void *area, unsigned int size, int flags, unsigned int signature)
{
	return syscall(SYS_rseq, area, size, flags, signature);
}

/* Goes to each CPU in turn: the number follows. */
static int follows(void)
{
	cpu_set_t all, one;
	int right = 1, seen = 0;

	sched_getaffinity(0, sizeof(all), &all);
	for (int round = 0; round < 3; round++) {
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			right &= __atomic_load_n(&own()->cpu_id, __ATOMIC_RELAXED) == (unsigned)cpu &&
				 __atomic_load_n(&own()->cpu_id_start, __ATOMIC_RELAXED) ==
					 (unsigned)cpu;
			seen++;
		}
	}
	sched_setaffinity(0, sizeof(all), &all);
	return right && seen;
}

static void *thread_follows(void *unused)
{
	return (void *)(intptr_t)follows();
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
	signals++;
}

/* Runs in a sequence until it is aborted: a signal comes. `signature_at` lies before the abort address. */
static int run_sequence(void)
{
	static struct rseq_cs sequence;
	int aborted = 0;

	__asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
			 "movq %%rax, 8(%[sequence])\n\t"
			 "leaq 2f(%%rip), %%rcx\n\t"
			 "subq %%rax, %%rcx\n\t"
			 "movq %%rcx, 16(%[sequence])\n\t"
			 "leaq 3f(%%rip), %%rax\n\t"
			 "movq %%rax, 24(%[sequence])\n\t"
			 "movq %[sequence], %[pointer]\n"
			 "1:\tpause\n\t"
			 "jmp 1b\n"
			 "2:\tjmp 4f\n\t"
			 ".long 0x53053053\n"
			 "3:\tmovl $1, %[aborted]\n"
			 "4:\n"
			 : [aborted] "+r"(aborted), [pointer] "=m"(own()->rseq_cs)
			 : [sequence] "r"(&sequence)
			 : "rax", "rcx", "memory", "cc");
	return aborted;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART /* one may come late, while it waits */ };
	struct itimerval soon = { .it_value = { 0, 50000 } };
	static char area[32] __attribute__((aligned(32)));
	pthread_t thread;
	void *result;
	int status;

	tap_ok(__rseq_size > 0 && (int)own()->cpu_id >= 0, "the C library has registered");
	tap_ok(follows(), "the CPU's number is kept up to date");
	pthread_create(&thread, NULL, thread_follows, NULL);
	pthread_join(thread, &result);
	tap_ok(result != NULL, "for a thread, too");
	if (!fork())
		_exit(!follows());
	wait(&status);
	tap_ok(!status, "and for a child");
	tap_ok(FAILS(rseq(own(), 32, 0, 0x53053053), EBUSY), "once is enough");
	tap_ok(FAILS(rseq(own(), 32, 0, 1), EPERM), "another signature");
	tap_ok(FAILS(rseq(area, 32, 0, 0x53053053), EINVAL), "another place");
	tap_ok(FAILS(rseq(own(), 32, 2, 0x53053053), EINVAL), "unknown flags");
	tap_ok(FAILS(rseq(area, 32, RSEQ_FLAG_UNREGISTER, 0x53053053), EINVAL) &&
		       FAILS(rseq(own(), 32, RSEQ_FLAG_UNREGISTER, 1), EPERM),
	       "what is not registered");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	tap_ok(run_sequence() == 1, "a signal, or another thread, aborts a sequence");
	tap_ok(own()->rseq_cs == 0, "which is over then");
	if (!fork()) {
		/* The signature that the abort address shows is not the registered one. */
		rseq(own(), 32, RSEQ_FLAG_UNREGISTER, 0x53053053);
		rseq(own(), 32, 0, 77);
		setitimer(ITIMER_REAL, &soon, NULL);
		_exit(run_sequence());
	}
	wait(&status);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
	       "an abort address without the signature kills (%#x)", (unsigned)status);
	tap_ok(!rseq(own(), 32, RSEQ_FLAG_UNREGISTER, 0x53053053) && (int)own()->cpu_id == -1,
	       "unregistering");
	tap_ok(FAILS(rseq(area, 31, 0, 1), EINVAL) && FAILS(rseq(area + 4, 32, 0, 1), EINVAL),
	       "size and alignment");
	tap_ok(FAILS(rseq((void *)-4096L, 32, 0, 1), EFAULT), "a bad address");
	tap_ok(!rseq(area, 32, 0, 1), "registering anew");
	return tap_end();
}
