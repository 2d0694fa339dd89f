/* Waiting for one of several futexes: futex_waitv(2). */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include "gives.h"

#define WORDS 3
#define NOWHERE ((void *)8)

static uint32_t words[WORDS];
static struct futex_waitv list[WORDS];

static struct timespec in_milliseconds(clockid_t clock, int count)
{
	struct timespec time;

	clock_gettime(clock, &time);
	time.tv_nsec += count * 1000000L;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

static long wait_for(unsigned int count, const struct timespec *until, clockid_t clock)
{
	return syscall(SYS_futex_waitv, list, count, 0, until, clock);
}

static void reset(uint32_t flags)
{
	for (int i = 0; i < WORDS; i++) {
		words[i] = 0;
		list[i] = (struct futex_waitv){ .uaddr = (uintptr_t)&words[i],
						.flags = FUTEX_32 | flags };
	}
}

static void mistakes_are_told(void)
{
	struct timespec past = { 1, 0 }, wrong = { 1, 1000000000 };

	reset(FUTEX_PRIVATE_FLAG);
	gives(-ETIMEDOUT, wait_for(WORDS, &past, CLOCK_MONOTONIC));
	gives(-ETIMEDOUT, wait_for(WORDS, &past, CLOCK_REALTIME));
	gives(-EINVAL, wait_for(WORDS, &past, CLOCK_BOOTTIME));
	gives(-EINVAL, wait_for(WORDS, &wrong, CLOCK_MONOTONIC));
	gives(-EFAULT, wait_for(WORDS, NOWHERE, CLOCK_MONOTONIC));
	gives(-EINVAL, wait_for(0, &past, CLOCK_MONOTONIC));
	gives(-EINVAL, wait_for(129, &past, CLOCK_MONOTONIC));
	gives(-EINVAL, syscall(SYS_futex_waitv, NULL, 1, 0, &past, CLOCK_MONOTONIC));
	gives(-EINVAL, syscall(SYS_futex_waitv, list, 1, 1, &past, CLOCK_MONOTONIC));
	gives(-EFAULT, syscall(SYS_futex_waitv, NOWHERE, 1, 0, &past, CLOCK_MONOTONIC));
	words[2] = 1;
	gives(-EAGAIN, wait_for(WORDS, &past, CLOCK_MONOTONIC));
	list[2].val = 1;
	gives(-ETIMEDOUT, wait_for(WORDS, &past, CLOCK_MONOTONIC));
	list[2].val = 1 | 1ULL << 32; /* the word is 32 bits */
	gives(-ETIMEDOUT, wait_for(WORDS, &past, CLOCK_MONOTONIC));
	reset(0);
	list[1].flags = FUTEX_PRIVATE_FLAG;
	gives(-EINVAL, wait_for(WORDS, &past, CLOCK_MONOTONIC));
	list[1].flags = FUTEX_32;
	list[1].__reserved = 1;
	gives(-EINVAL, wait_for(WORDS, &past, CLOCK_MONOTONIC));
	list[1].__reserved = 0;
	list[1].uaddr++;
	gives(-EINVAL, wait_for(WORDS, &past, CLOCK_MONOTONIC));
	list[1].uaddr = 0;
	gives(-EFAULT, wait_for(WORDS, &past, CLOCK_MONOTONIC));
}

static uint32_t woken_flags;

static void *wake_the_second(void *unused)
{
	nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
	words[1] = 1;
	syscall(SYS_futex, &words[1], FUTEX_WAKE | woken_flags, 1, NULL, NULL, 0);
	return NULL;
}

static void one_wakes_all(uint32_t flags)
{
	struct timespec late = in_milliseconds(CLOCK_MONOTONIC, 20000);
	pthread_t thread;

	reset(flags);
	woken_flags = flags;
	pthread_create(&thread, NULL, wake_the_second, NULL);
	gives(1, wait_for(WORDS, &late, CLOCK_MONOTONIC));
	pthread_join(thread, NULL);
	gives(0, syscall(SYS_futex, &words[0], FUTEX_WAKE | flags, 1, NULL, NULL, 0));
}

static void nothing(int signal)
{
}

static void signals_end_the_wait(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval soon = { .it_value = { 0, 100000 } };

	reset(FUTEX_PRIVATE_FLAG);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	gives(-EINTR, wait_for(WORDS, NULL, 0));
}

int main(void)
{
	struct timespec soon;

	mistakes_are_told();
	one_wakes_all(FUTEX_PRIVATE_FLAG);
	one_wakes_all(0);
	signals_end_the_wait();
	reset(FUTEX_PRIVATE_FLAG);
	soon = in_milliseconds(CLOCK_REALTIME, 50);
	gives(-ETIMEDOUT, wait_for(WORDS, &soon, CLOCK_REALTIME));
	return tap_end();
}
