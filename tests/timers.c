/* POSIX timers and clocks: timer_create(2) and its kin, clock_getres(2), clock_settime(2), clock_nanosleep(2). */
#define _GNU_SOURCE
#include "tap.h"
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static siginfo_t taken;
static volatile int count;

static void note(int signal, siginfo_t *info, void *context)
{
	if (!count++)
		taken = *info;
}

static int is_error(long result, int error)
{
	return result == -1 && errno == error;
}

static long create(int clock, int notify, int signal, int *id)
{
	struct sigevent event = { .sigev_notify = notify,
				  .sigev_signo = signal,
				  .sigev_value.sival_int = 42 };

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	return syscall(SYS_timer_create, clock, &event, id);
}

static long set(int id, int flags, long first_ns, long interval_ns)
{
	struct itimerspec value = { { 0, interval_ns }, { 0, first_ns } };

	return syscall(SYS_timer_settime, id, flags, &value, NULL);
}

static void test_errors(void)
{
	int id;

	tap_ok(is_error(create(77, SIGEV_NONE, 0, &id), EINVAL), "an unknown clock");
	tap_ok(is_error(create(CLOCK_MONOTONIC_RAW, SIGEV_NONE, 0, &id), EOPNOTSUPP),
	       "one without timers");
	tap_ok(is_error(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, &id), EINVAL), "an unknown signal");
	tap_ok(is_error(create(CLOCK_MONOTONIC, 9, SIGUSR1, &id), EINVAL), "an unknown way of telling");
	tap_ok(!create(CLOCK_REALTIME_ALARM, SIGEV_NONE, 0, &id) && !syscall(SYS_timer_delete, id),
	       "the superuser may wake the machine");
	tap_ok(is_error(set(999, 0, 1, 0), EINVAL) &&
		       is_error(syscall(SYS_timer_getoverrun, 999), EINVAL) &&
		       is_error(syscall(SYS_timer_delete, id), EINVAL),
	       "a timer that is not there");
	create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, &id);
	tap_ok(is_error(set(id, 0, -1, 0), EINVAL) && is_error(set(id, 0, 1, 1000000000), EINVAL),
	       "times that are none");
	syscall(SYS_timer_delete, id);
}

static void test_signals(void)
{
	struct itimerspec left;
	sigset_t set_of_one;
	int id;

	create(CLOCK_MONOTONIC, SIGEV_SIGNAL | SIGEV_THREAD_ID, SIGUSR1, &id);
	sigemptyset(&set_of_one);
	sigaddset(&set_of_one, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set_of_one, NULL);
	set(id, 0, 5000000, 5000000);
	usleep(102000);
	tap_ok(syscall(SYS_timer_getoverrun, id) == 0, "nothing is overrun before the signal is taken");
	sigprocmask(SIG_UNBLOCK, &set_of_one, NULL);
	tap_ok(count && taken.si_code == SI_TIMER && taken.si_value.sival_int == 42,
	       "the signal says whose it is");
	tap_ok(taken.si_overrun >= 15, "and how often the timer expired while it was pending");
	set(id, 0, 0, 5000000);
	syscall(SYS_timer_gettime, id, &left);
	tap_ok(!left.it_value.tv_sec && !left.it_value.tv_nsec, "a first time of 0 stops it");
	count = 0;
	set(id, TIMER_ABSTIME, 1, 0);
	while (!count)
		usleep(1000);
	tap_ok(taken.si_overrun == 0, "a time that has passed expires at once");
	syscall(SYS_timer_delete, id);
}

static void test_clocks(void)
{
	struct timespec time = { 0, -1 }, second = { 1, 0 }, late = { 1L << 40, 0 };
	struct timezone zone = { 16 * 60, 0 };
	struct itimerval timer = { { 5, 0 }, { 0, 0 } };

	tap_ok(!clock_getres(CLOCK_MONOTONIC_COARSE, &time) && time.tv_nsec >= 1000000,
	       "coarse clocks say so");
	tap_ok(is_error(clock_settime(CLOCK_MONOTONIC, &second), EINVAL) &&
		       is_error(clock_settime(CLOCK_REALTIME, &late), EINVAL),
	       "what cannot be set");
	tap_ok(is_error(syscall(SYS_settimeofday, NULL, &zone), EINVAL), "no zone is 16 hours off");
	tap_ok(is_error(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &second, NULL),
			EOPNOTSUPP),
	       "no thread sleeps by its own clock");
	setitimer(ITIMER_REAL, &timer, NULL);
	tap_ok(!getitimer(ITIMER_REAL, &timer) && !timer.it_interval.tv_sec,
	       "a stopped interval timer has no interval");
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &action, NULL);
	test_errors();
	test_signals();
	test_clocks();
	return tap_end();
}
