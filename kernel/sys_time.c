/* System calls on time: clocks, the date, sleeping. */
#include <kumo/cred.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/times.h>

#include "process.h"
#include "time.h"

#define COARSE_NS (4 * NSEC_PER_MSEC)
#define SETTABLE_SECONDS                                                                           \
	(9223372036LL - 30LL * 365 * 24 * 3600) /* 30 years before 2^63 ns, as on Linux */
#define TIMEZONE_MINUTES (15 * 60)
#define USER_TICK_NS (NSEC_PER_SEC / 100) /* times(2): USER_HZ */

static int read_timespec(struct __kernel_timespec *t, const struct __kernel_timespec __user *from)
{
	if (copy_from_user(t, from, sizeof(*t)))
		return -EFAULT;
	return timespec_valid(t) ? 0 : -EINVAL;
}

static int write_ns(struct __kernel_timespec __user *to, u64 ns)
{
	struct __kernel_timespec t = ns_to_timespec(ns);

	return copy_to_user(to, &t, sizeof(t)) ? -EFAULT : 0;
}

/* ---- Clocks ---- */

struct cpu_usage process_cpu_usage_locked(struct process *process)
{
	struct cpu_usage usage = { process->dead.user_ns, process->dead.system_ns };
	struct thread *thread;

	list_for_each(thread, &process->threads, process_link) {
		(void)thread_cpu_time_ns(thread); /* brings the two below up to date */
		usage.user_ns += thread->user_ns;
		usage.system_ns += thread->system_ns;
	}
	return usage;
}

struct cpu_usage process_cpu_usage(struct process *process)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct cpu_usage usage = process_cpu_usage_locked(process);

	spin_unlock_irqrestore(&process->lock, flags);
	return usage;
}

static int dynamic_cpu_clock_read(int clock, u64 *ns)
{
	int number = ~(clock >> 3), which = clock & 3;
	bool user_only = which == CPU_CLOCK_VIRTUAL;
	struct cpu_usage usage;

	if (which == 3)
		return -EINVAL;
	if (clock & CPU_CLOCK_PER_THREAD) {
		struct thread *thread;

		if (number)
			thread = thread_find(number);
		else
			thread_get(thread = current);
		if (!thread)
			return -EINVAL;
		if (thread->process != current->process) {
			thread_put(thread);
			return -EINVAL;
		}
		*ns = thread_cpu_time_ns(thread);
		if (user_only)
			*ns = thread->user_ns;
		thread_put(thread);
		return 0;
	}
	if (number) {
		struct process *process = process_find(number);

		if (!process)
			return -EINVAL;
		usage = process_cpu_usage(process);
		process_put(process);
	} else {
		usage = process_cpu_usage(current->process);
	}
	*ns = usage.user_ns + (user_only ? 0 : usage.system_ns);
	return 0;
}

int clock_read(int clock, u64 *ns)
{
	struct cpu_usage usage;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
		*ns = time_realtime_ns();
		return 0;
	case CLOCK_TAI:
		*ns = time_realtime_ns() + (u64)time_tai_offset_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME: /* the machine is never suspended */
	case CLOCK_BOOTTIME_ALARM:
		*ns = time_monotonic_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		usage = process_cpu_usage(current->process);
		*ns = usage.user_ns + usage.system_ns;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_cpu_time_ns(current);
		return 0;
	default:
		return clock < 0 ? dynamic_cpu_clock_read(clock, ns) : -EINVAL;
	}
}

static bool clock_is_date(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

u64 clock_to_monotonic(int clock, u64 ns)
{
	u64 offset = clock_is_date(clock) ? time_realtime_offset_ns() : 0;

	if (clock == CLOCK_TAI)
		offset += (u64)time_tai_offset_ns();
	return ns > offset ? ns - offset : 0;
}

long sys_clock_gettime(int clock, struct __kernel_timespec __user *to)
{
	u64 ns;
	int error = clock_read(clock, &ns);

	return error ? error : write_ns(to, ns);
}

/* The coarse ones are as exact as the others, but programs choose between them by what they say. */
static bool clock_is_coarse(int clock)
{
	if (clock < 0)
		return (clock & 3) != CPU_CLOCK_SCHEDULER;
	return clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
}

long sys_clock_getres(int clock, struct __kernel_timespec __user *to)
{
	u64 ns;
	int error = clock_read(clock, &ns);

	if (error || !to)
		return error;
	return write_ns(to, clock_is_coarse(clock) ? COARSE_NS : 1);
}

static int set_date(u64 ns)
{
	int error;

	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	error = time_set_realtime(ns);
	if (!error)
		clock_discipline_end();
	return error;
}

long sys_clock_settime(int clock, const struct __kernel_timespec __user *from)
{
	struct __kernel_timespec t;
	u64 now;
	int error;

	if (clock != CLOCK_REALTIME)
		return clock < 0 && !clock_read(clock, &now) ? -EPERM : -EINVAL;
	error = read_timespec(&t, from);
	if (!error && t.tv_sec >= SETTABLE_SECONDS)
		error = -EINVAL;
	return error ? error : set_date(timespec_to_ns_capped(&t));
}

long sys_gettimeofday(struct __kernel_old_timeval __user *tv, struct timezone __user *tz)
{
	if (tv) {
		u64 now = time_realtime_ns();
		struct __kernel_old_timeval t = { .tv_sec = (long)(now / NSEC_PER_SEC),
						  .tv_usec = (long)(now % NSEC_PER_SEC / NSEC_PER_USEC) };

		if (copy_to_user(tv, &t, sizeof(t)))
			return -EFAULT;
	}
	if (tz && clear_user(tz, sizeof(*tz)))
		return -EFAULT;
	return 0;
}

/* The time zone is the C library's business: it is looked at and forgotten. */
long sys_settimeofday(const struct __kernel_old_timeval __user *tv, const struct timezone __user *tz)
{
	struct __kernel_old_timeval t;
	struct timezone zone;

	if (tz && copy_from_user(&zone, tz, sizeof(zone)))
		return -EFAULT;
	if (tz && (zone.tz_minuteswest > TIMEZONE_MINUTES || zone.tz_minuteswest < -TIMEZONE_MINUTES))
		return capable(CAP_SYS_TIME) ? -EINVAL : -EPERM;
	if (!tv)
		return capable(CAP_SYS_TIME) ? 0 : -EPERM;
	if (copy_from_user(&t, tv, sizeof(t)))
		return -EFAULT;
	if (t.tv_sec < 0 || (u64)t.tv_sec > SECONDS_LIMIT ||
	    (u64)t.tv_usec >= NSEC_PER_SEC / NSEC_PER_USEC)
		return -EINVAL;
	return set_date((u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_usec * NSEC_PER_USEC);
}

long sys_time(long __user *to)
{
	long now = (long)(time_realtime_ns() / NSEC_PER_SEC);

	return to && put_user(now, to) ? -EFAULT : now;
}

long sys_times(struct tms __user *to)
{
	struct process *process = current->process;
	struct cpu_usage usage = process_cpu_usage(process);
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct tms times = {
		.tms_utime = (long)(usage.user_ns / USER_TICK_NS),
		.tms_stime = (long)(usage.system_ns / USER_TICK_NS),
		.tms_cutime = (long)(process->children_total.user_ns / USER_TICK_NS),
		.tms_cstime = (long)(process->children_total.system_ns / USER_TICK_NS),
	};

	spin_unlock_irqrestore(&process->lock, flags);
	if (to && copy_to_user(to, &times, sizeof(times)))
		return -EFAULT;
	return (long)(time_monotonic_ns() / USER_TICK_NS);
}

/* ---- Sleeping ---- */

/* Until a date. It may be set meanwhile: then the time to wait is another. */
static int sleep_until_date(int clock, u64 ns)
{
	for (;;) {
		unsigned int changes = READ_ONCE(realtime_changes);
		u64 deadline = clock_to_monotonic(clock, ns);
		int result = wait_event_interruptible_until(
			&realtime_changed, READ_ONCE(realtime_changes) != changes, deadline);

		if (result)
			return result == -ETIME ? 0 : result;
	}
}

/* Until a clock of CPU time shows `ns`: it looks again when at best that much time can have passed. */
static int sleep_until_cpu_time(int clock, u64 ns)
{
	u64 now;
	int result;

	for (;;) {
		result = clock_read(clock, &now);
		if (result || now >= ns)
			return result;
		result = sleep_until(time_monotonic_ns() +
				     max((ns - now) / num_online_cpus(), NSEC_PER_MSEC));
		if (result)
			return result;
	}
}

enum { RESTART_CLOCK, RESTART_UNTIL, RESTART_REMAINING };

static long sleep_relative(int clock, u64 until, struct __kernel_timespec __user *remaining);

static long sleep_restart(struct restart_block *block)
{
	return sleep_relative((int)block->args[RESTART_CLOCK], block->args[RESTART_UNTIL],
			      (struct __kernel_timespec __user *)block->args[RESTART_REMAINING]);
}

/* Of relative sleeps the date does not matter: `until` is monotonic, or CPU time. */
static long sleep_relative(int clock, u64 until, struct __kernel_timespec __user *remaining)
{
	bool cpu = clock_is_cpu(clock);
	int result = cpu ? sleep_until_cpu_time(clock, until) : sleep_until(until);
	struct restart_block *block = &current->restart;
	u64 now;

	if (result != -ERESTARTSYS)
		return result;
	if (cpu)
		result = clock_read(clock, &now);
	else
		now = time_monotonic_ns();
	if (cpu && result)
		return result;
	if (remaining && write_ns(remaining, until > now ? until - now : 0))
		return -EFAULT;
	block->function = sleep_restart;
	block->args[RESTART_CLOCK] = (u64)clock;
	block->args[RESTART_UNTIL] = until;
	block->args[RESTART_REMAINING] = (u64)remaining;
	return -ERESTART_RESTARTBLOCK;
}

long sys_clock_nanosleep(int clock, int flags, const struct __kernel_timespec __user *request,
			 struct __kernel_timespec __user *remaining)
{
	struct __kernel_timespec t;
	u64 now, ns;
	int result;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
		break;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		if (!capable(CAP_WAKE_ALARM))
			return -EPERM;
		break;
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		if (clock >= 0 || clock_read(clock, &now) ||
		    ((clock & CPU_CLOCK_PER_THREAD) &&
		     (~(clock >> 3) == 0 || ~(clock >> 3) == current->pid)))
			return -EINVAL;
	}
	result = read_timespec(&t, request);
	if (result)
		return result;
	ns = timespec_to_ns_capped(&t);
	if (!(flags & TIMER_ABSTIME)) {
		now = time_monotonic_ns();
		if (clock_is_cpu(clock)) {
			result = clock_read(clock, &now);
			if (result)
				return result;
		}
		return sleep_relative(clock, now + ns, remaining);
	}
	if (clock_is_date(clock))
		result = sleep_until_date(clock, ns);
	else if (clock_is_cpu(clock))
		result = sleep_until_cpu_time(clock, ns);
	else
		result = sleep_until(ns);
	return result == -ERESTARTSYS ? -ERESTARTNOHAND : result;
}

long sys_nanosleep(const struct __kernel_timespec __user *request,
		   struct __kernel_timespec __user *remaining)
{
	return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, remaining);
}
