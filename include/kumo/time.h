/*
 * Time: clocks, timers, and conversions. All times are u64 nanoseconds; "monotonic" starts near 0 at boot.
 */
#ifndef KUMO_TIME_H
#define KUMO_TIME_H

#include <kumo/list.h>
#include <kumo/rbtree.h>
#include <kumo/spinlock.h>
#include <linux/time_types.h>

u64 time_monotonic_ns(void);   /* any context */
u64 time_realtime_ns(void);    /* since 1970; any context */
int time_set_realtime(u64 ns); /* clock_settime, settimeofday */

static inline u64 timespec_to_ns(const struct __kernel_timespec *t)
{
	return (u64)t->tv_sec * NSEC_PER_SEC + (u64)t->tv_nsec;
}
static inline struct __kernel_timespec ns_to_timespec(u64 ns)
{
	return (struct __kernel_timespec){ .tv_sec = (long)(ns / NSEC_PER_SEC),
					   .tv_nsec = (long)(ns % NSEC_PER_SEC) };
}
static inline bool timespec_valid(const struct __kernel_timespec *t)
{
	return t->tv_sec >= 0 && (unsigned long)t->tv_nsec < NSEC_PER_SEC;
}

/*
 * One-shot timers (kernel/timer.c): per-CPU trees by expiry, nanosecond resolution. The function runs in interrupt
 * context on the CPU that armed it; it may arm the timer again.
 */
struct timer {
	struct rb_node node;
	u64 expires_ns; /* monotonic */
	void (*function)(struct timer *timer);
	unsigned int cpu;
	bool armed;
};
void timer_init(struct timer *timer, void (*function)(struct timer *timer));
void timer_arm(struct timer *timer, u64 expires_ns); /* moves it when armed already. Any context. */
bool timer_cancel(struct timer *timer); /* true if it was armed; its function may still be running */
bool timer_cancel_sync(struct timer *timer); /* and not running when this returns; not from its function */

/* Sleeps. 0, or -ERESTARTSYS when a signal came first. */
int sleep_until(u64 monotonic_ns) __must_check;
void sleep_ns(u64 ns); /* not interruptible */
void delay_ns(u64 ns); /* busy; any context */

/* Between the timer core and the machine: arch programs this CPU's one-shot timer and calls timer_interrupt(). */
void time_init(void);
void timer_interrupt(void);		   /* interrupts off */
void arch_timer_program(u64 monotonic_ns); /* WAIT_FOREVER: none */
u64 arch_clock_ns(void);		   /* monotonic, from the TSC */
u64 arch_rtc_seconds(void);		   /* date of the machine's clock, UTC */

#endif
