/*
 * adjtimex(2), clock_adjtime(2): what a program that keeps the clock right says of it, and asks.
 *
 * A jump (ADJ_SETOFFSET, and the old adjtime(3), whose offset is taken at once instead of little by little) moves the date.
 * The rest, frequency, offset, tick, status, estimates of the error, is checked, kept and told as by Linux, but the clock goes as the
 * machine's counter does: it is not slewed. The difference of TAI, which is told here too, is CLOCK_TAI's.
 */
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/timex.h>

#include "time.h"

/* Of adjtimex(2): inside ADJ_OFFSET_SINGLESHOT and ADJ_OFFSET_SS_READ; the uapi headers name only these. */
#define ADJ_ADJTIME 0x8000
#define ADJ_OFFSET_READONLY 0x2000
#define TICK_USEC ((s64)(NSEC_PER_SEC / NSEC_PER_USEC / 100)) /* between USER_HZ's ticks */
#define FREQUENCY_MOST (500LL << 16)			      /* parts per million, scaled */
#define FREQUENCY_TAKEN 140737488355LL /* that Linux takes without overflow: 2^63 / 65536000 */
#define OFFSET_MOST_NS 500000000LL
#define ERROR_MOST_USEC 16000000LL
#define TIME_CONSTANT_MOST 10
#define TAI_OFFSET_MOST 100000

static spinlock_t discipline_lock = SPINLOCK_INIT("clock_discipline"); /* protects it */
static struct {
	int status, tai;
	s64 frequency, offset_ns, tick_usec, maximum_error, estimated_error, time_constant;
} discipline = {
	.status = STA_UNSYNC,
	.tick_usec = TICK_USEC,
	.maximum_error = ERROR_MOST_USEC,
	.estimated_error = ERROR_MOST_USEC,
	.time_constant = 2,
};

s64 time_tai_offset_ns(void)
{
	return (s64)READ_ONCE(discipline.tai) * (s64)NSEC_PER_SEC;
}

void clock_discipline_end(void)
{
	spin_lock(&discipline_lock);
	discipline.status |= STA_UNSYNC;
	discipline.maximum_error = discipline.estimated_error = ERROR_MOST_USEC;
	spin_unlock(&discipline_lock);
}

/* Linux's checks, in its order. */
static int check(const struct __kernel_timex *clock)
{
	unsigned int modes = clock->modes;

	if (modes & ADJ_ADJTIME) {
		/* adjtime(3): old offsets may be read by all. */
		if (!(modes & (ADJ_OFFSET_SINGLESHOT & ~ADJ_ADJTIME)))
			return -EINVAL;
		if (!(modes & ADJ_OFFSET_READONLY) && !capable(CAP_SYS_TIME))
			return -EPERM;
	} else {
		if (modes && !capable(CAP_SYS_TIME))
			return -EPERM;
		if (modes & ADJ_TICK &&
		    (clock->tick < TICK_USEC * 9 / 10 || clock->tick > TICK_USEC * 11 / 10))
			return -EINVAL;
	}
	if (modes & ADJ_SETOFFSET && !capable(CAP_SYS_TIME))
		return -EPERM;
	if (modes & ADJ_FREQUENCY && (clock->freq > FREQUENCY_TAKEN || clock->freq < -FREQUENCY_TAKEN))
		return -EINVAL;
	return 0;
}

/* The date moves by so much. */
static int shift(s64 seconds, s64 fraction, s64 unit_ns)
{
	s64 by;

	if (fraction < 0 || fraction >= (s64)NSEC_PER_SEC / unit_ns)
		return -EINVAL;
	if (__builtin_mul_overflow(seconds, (s64)NSEC_PER_SEC, &by) ||
	    __builtin_add_overflow(by, fraction * unit_ns, &by) || (s64)time_realtime_ns() + by < 0)
		return -EINVAL;
	return time_set_realtime((u64)((s64)time_realtime_ns() + by));
}

/* Of adjtime(3); `usec` may be negative. */
static int shift_by(s64 usec)
{
	const s64 unit = NSEC_PER_SEC / NSEC_PER_USEC;
	s64 seconds = usec / unit, fraction = usec % unit;

	if (fraction < 0) {
		seconds--;
		fraction += unit;
	}
	return shift(seconds, fraction, NSEC_PER_USEC);
}

static void set_status(int status)
{
	/* A program that gives the clock up leaves it as nobody's. */
	if (discipline.status & STA_PLL && !(status & STA_PLL))
		discipline.status = STA_UNSYNC;
	discipline.status &= STA_RONLY;
	discipline.status |= status & ~STA_RONLY;
}

static void set_offset(s64 offset)
{
	if (!(discipline.status & STA_PLL))
		return;
	if (!(discipline.status & STA_NANO))
		offset = clamp(offset, -(s64)NSEC_PER_SEC / 1000, (s64)NSEC_PER_SEC / 1000) * 1000;
	discipline.offset_ns = clamp(offset, -OFFSET_MOST_NS, OFFSET_MOST_NS);
}

/* discipline_lock is held. */
static void set_modes(const struct __kernel_timex *clock)
{
	unsigned int modes = clock->modes;

	if (modes & ADJ_STATUS)
		set_status(clock->status);
	if (modes & ADJ_NANO)
		discipline.status |= STA_NANO;
	if (modes & ADJ_MICRO)
		discipline.status &= ~STA_NANO;
	if (modes & ADJ_FREQUENCY)
		discipline.frequency = clamp((s64)clock->freq, -FREQUENCY_MOST, FREQUENCY_MOST);
	if (modes & ADJ_MAXERROR)
		discipline.maximum_error = clamp((s64)clock->maxerror, 0LL, ERROR_MOST_USEC);
	if (modes & ADJ_ESTERROR)
		discipline.estimated_error = clamp((s64)clock->esterror, 0LL, ERROR_MOST_USEC);
	if (modes & ADJ_TIMECONST)
		discipline.time_constant =
			clamp((s64)clock->constant + (discipline.status & STA_NANO ? 0 : 4), 0LL,
			      (s64)TIME_CONSTANT_MOST);
	if (modes & ADJ_TAI && clock->constant >= 0 && clock->constant <= TAI_OFFSET_MOST)
		WRITE_ONCE(discipline.tai, (int)clock->constant);
	if (modes & ADJ_OFFSET)
		set_offset(clock->offset);
	if (modes & ADJ_TICK)
		discipline.tick_usec = clock->tick;
}

/* discipline_lock is held. */
static void describe(struct __kernel_timex *clock, unsigned int modes)
{
	bool fine = discipline.status & STA_NANO;
	u64 now = time_realtime_ns();

	*clock = (struct __kernel_timex){
		.modes = modes,
		.offset = modes & ADJ_ADJTIME ? 0 : discipline.offset_ns / (fine ? 1 : (s64)NSEC_PER_USEC),
		.freq = discipline.frequency,
		.maxerror = discipline.maximum_error,
		.esterror = discipline.estimated_error,
		.status = discipline.status,
		.constant = discipline.time_constant,
		.precision = 1,
		.tolerance = FREQUENCY_MOST,
		.tick = discipline.tick_usec,
		.tai = discipline.tai,
		.time = { .tv_sec = (s64)(now / NSEC_PER_SEC),
			  .tv_usec = (s64)(now % NSEC_PER_SEC / (fine ? 1 : NSEC_PER_USEC)) },
	};
}

long sys_clock_adjtime(int which, struct __kernel_timex __user *user)
{
	struct __kernel_timex clock, now;
	int error;

	if (copy_from_user(&clock, user, sizeof(clock)))
		return -EFAULT;
	if (which != CLOCK_REALTIME)
		return clock_read(which, &(u64){ 0 }) && (which >= 0 || (which & 7) == 3)
			       ? -EINVAL
			       : -EOPNOTSUPP;
	error = check(&clock);
	if (!error && clock.modes & ADJ_SETOFFSET)
		error = shift(clock.time.tv_sec, clock.time.tv_usec,
			      clock.modes & ADJ_NANO ? 1 : (s64)NSEC_PER_USEC);
	if (!error && clock.modes & ADJ_ADJTIME && !(clock.modes & ADJ_OFFSET_READONLY))
		error = shift_by(clock.offset);
	if (error)
		return error;
	if (clock.modes & ADJ_SETOFFSET)
		clock_discipline_end();
	spin_lock(&discipline_lock);
	if (!(clock.modes & ADJ_ADJTIME))
		set_modes(&clock);
	describe(&now, clock.modes);
	spin_unlock(&discipline_lock);
	if (copy_to_user(user, &now, sizeof(now)))
		return -EFAULT;
	return now.status & (STA_UNSYNC | STA_CLOCKERR) ? TIME_ERROR : TIME_OK;
}

long sys_adjtimex(struct __kernel_timex __user *user)
{
	return sys_clock_adjtime(CLOCK_REALTIME, user);
}
