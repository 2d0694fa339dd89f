/*
 * What time it is. The machine gives one clock that never goes back, in nanoseconds since it started; the date is that plus an
 * offset, which is read off the battery clock at the start and changed by clock_settime(). The vDSO has a copy of what it needs.
 */
#include <kumo/export.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/vdso.h>

#include "time.h"

static u64 realtime_offset_ns; /* what the date is ahead of the monotonic clock */
static spinlock_t realtime_lock = SPINLOCK_INIT("realtime");

unsigned int realtime_changes;
struct wait_queue realtime_changed = WAIT_QUEUE_INIT(realtime_changed);

u64 time_monotonic_ns(void)
{
	return arch_clock_ns();
}
EXPORT_SYMBOL(time_monotonic_ns);

u64 time_realtime_ns(void)
{
	return arch_clock_ns() + READ_ONCE(realtime_offset_ns);
}
EXPORT_SYMBOL(time_realtime_ns);

u64 time_realtime_offset_ns(void)
{
	return READ_ONCE(realtime_offset_ns);
}

/* -EINVAL: before the machine's start in 1970, or so late that 64 bits of nanoseconds would wrap soon. */
int time_set_realtime(u64 ns)
{
	u64 now = arch_clock_ns();
	unsigned long flags;

	if (ns < now || ns > (1ULL << 63))
		return -EINVAL;
	flags = spin_lock_irqsave(&realtime_lock);
	WRITE_ONCE(realtime_offset_ns, ns - now);
	WRITE_ONCE(realtime_changes, realtime_changes + 1);
	vdso_update(ns - now);
	spin_unlock_irqrestore(&realtime_lock, flags);
	wake_up_all(&realtime_changed);
	return 0;
}

void delay_ns(u64 ns)
{
	u64 end = arch_clock_ns() + ns;

	while (arch_clock_ns() < end)
		cpu_relax();
}
EXPORT_SYMBOL(delay_ns);

void time_init(void)
{
	realtime_offset_ns = arch_rtc_seconds() * NSEC_PER_SEC - arch_clock_ns();
	vdso_update(realtime_offset_ns);
}
