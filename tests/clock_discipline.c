/* What programs that keep the clock right set of it: adjtimex(2) and clock_adjtime(2). */
#define _GNU_SOURCE
#include <sys/timex.h>
#include <time.h>

#include "gives.h"

static struct timex clock_now;

/* Sets what `modes` says, and reads all of it. */
static long adjust(unsigned int modes, struct timex clock)
{
	long result;

	clock_now = clock;
	clock_now.modes = modes;
	result = syscall(SYS_adjtimex, &clock_now);
	return result;
}

static void a_clock_that_nobody_keeps_says_so(void)
{
	gives(TIME_ERROR, adjust(ADJ_STATUS, (struct timex){ .status = STA_UNSYNC }));
	tap_ok(clock_now.status == STA_UNSYNC && clock_now.precision == 1 &&
		       clock_now.tolerance == 500 << 16,
	       "it has no source, a precision and a tolerance");
	gives(TIME_OK, adjust(ADJ_STATUS, (struct timex){ .status = STA_PLL }));
	tap_ok(clock_now.status == STA_PLL, "a status that is set is told");
	gives(TIME_OK, adjust(ADJ_STATUS, (struct timex){ .status = 0 }) == TIME_ERROR ? TIME_OK : 0);
	gives(TIME_ERROR, adjust(ADJ_STATUS, (struct timex){ .status = STA_UNSYNC }));
}

static void values_are_kept_within_bounds(void)
{
	adjust(ADJ_TICK, (struct timex){ .tick = 9000 });
	tap_ok(clock_now.tick == 9000, "a tick of 9000 us is taken");
	adjust(ADJ_TICK, (struct timex){ .tick = 11000 });
	tap_ok(clock_now.tick == 11000, "and one of 11000");
	gives(-EINVAL, adjust(ADJ_TICK, (struct timex){ .tick = 8999 }));
	gives(-EINVAL, adjust(ADJ_TICK, (struct timex){ .tick = 11001 }));
	adjust(ADJ_TICK, (struct timex){ .tick = 10000 });
	adjust(ADJ_FREQUENCY, (struct timex){ .freq = 100 });
	tap_ok(clock_now.freq == 100, "a frequency is kept");
	adjust(ADJ_FREQUENCY, (struct timex){ .freq = 501L << 16 });
	tap_ok(clock_now.freq == 500L << 16, "500 parts per million are the most");
	gives(-EINVAL, adjust(ADJ_FREQUENCY, (struct timex){ .freq = 1L << 40 }));
	adjust(ADJ_FREQUENCY, (struct timex){ .freq = 0 });
	adjust(ADJ_MAXERROR | ADJ_ESTERROR, (struct timex){ .maxerror = 7000000, .esterror = 6 });
	tap_ok(clock_now.maxerror >= 7000000 && clock_now.esterror == 6,
	       "estimates of the error are kept");
	adjust(ADJ_TIMECONST, (struct timex){ .constant = 3 });
	tap_ok(clock_now.constant == 7, "the time constant counts from 4 when microseconds are spoken");
	adjust(ADJ_NANO, (struct timex){ .constant = 0 });
	tap_ok(clock_now.status & STA_NANO, "a program may speak nanoseconds");
	adjust(ADJ_MICRO, (struct timex){ .constant = 0 });
	tap_ok(!(clock_now.status & STA_NANO), "and microseconds again");
}

static void an_offset_needs_the_loop(void)
{
	adjust(ADJ_STATUS, (struct timex){ .status = 0 });
	adjust(ADJ_OFFSET, (struct timex){ .offset = 100000 });
	tap_ok(clock_now.offset == 0, "an offset without STA_PLL is not taken");
	adjust(ADJ_STATUS, (struct timex){ .status = STA_PLL });
	adjust(ADJ_OFFSET, (struct timex){ .offset = 600000 });
	tap_ok(clock_now.offset == 500000, "half a second is the most");
	adjust(ADJ_OFFSET, (struct timex){ .offset = 0 });
	adjust(ADJ_STATUS, (struct timex){ .status = STA_UNSYNC });
}

static void the_offset_of_atomic_time_is_told(void)
{
	struct timespec utc, atomic;

	adjust(ADJ_TAI, (struct timex){ .constant = 37 });
	tap_ok(clock_now.tai == 37, "it is kept");
	clock_gettime(CLOCK_REALTIME, &utc);
	clock_gettime(CLOCK_TAI, &atomic);
	tap_ok(atomic.tv_sec - utc.tv_sec >= 37 && atomic.tv_sec - utc.tv_sec <= 39,
	       "CLOCK_TAI is before the date");
	adjust(ADJ_TAI, (struct timex){ .constant = 0 });
}

static void mistakes_are_told(void)
{
	struct timex clock = { .modes = 0 };

	gives(-EFAULT, syscall(SYS_adjtimex, 8));
	gives(-EINVAL, adjust(0x8000 | ADJ_TICK, (struct timex){ .tick = 10000 }));
	gives(-EINVAL, adjust(ADJ_SETOFFSET, (struct timex){ .time = { 0, -5 } }));
	gives(-EINVAL, adjust(ADJ_SETOFFSET, (struct timex){ .time = { 0, 1000000 } }));
	gives(-EINVAL, syscall(SYS_clock_adjtime, 10, &clock));
	gives(-EOPNOTSUPP, syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &clock));
	gives(-EOPNOTSUPP, syscall(SYS_clock_adjtime, -1, &clock));
	gives(-EFAULT, syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, 8));
	if (setresuid(1000, 1000, 1000))
		return;
	gives(TIME_ERROR, adjust(0, (struct timex){ .tick = 0 }));
	gives(-EPERM, adjust(ADJ_MAXERROR, (struct timex){ .maxerror = 1 }));
	gives(TIME_ERROR, adjust(ADJ_OFFSET_SS_READ, (struct timex){ .tick = 0 }));
	gives(-EPERM, adjust(ADJ_OFFSET_SINGLESHOT, (struct timex){ .offset = 1 }));
}

int main(void)
{
	a_clock_that_nobody_keeps_says_so();
	values_are_kept_within_bounds();
	an_offset_needs_the_loop();
	the_offset_of_atomic_time_is_told();
	in_child_checked(mistakes_are_told);
	return tap_end();
}
