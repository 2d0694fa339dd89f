/* Between time.c and the system calls on time. */
#ifndef KUMO_KERNEL_TIME_H
#define KUMO_KERNEL_TIME_H

#include <kumo/time.h>
#include <kumo/wait.h>

u64 time_realtime_offset_ns(void);
void clock_discipline_end(void); /* the date was set: nobody keeps the clock any more */
s64 time_tai_offset_ns(void); /* by how much CLOCK_TAI is before CLOCK_REALTIME (clock_discipline.c) */

/* A time in 64 bits of nanoseconds ends after 584 years; what users give beyond a quarter of that means "for ever", and may be
 * added to another time. */
#define SECONDS_LIMIT (((1ULL << 62) / NSEC_PER_SEC) - 1)
static inline u64 timespec_to_ns_capped(const struct __kernel_timespec *t)
{
	return (u64)t->tv_sec > SECONDS_LIMIT ? SECONDS_LIMIT * NSEC_PER_SEC : timespec_to_ns(t);
}

/* Counts settings of the date; sleepers until a date wait in the queue, to compute anew how long that is. */
extern unsigned int realtime_changes;
extern struct wait_queue realtime_changed;

/* CPU time of all threads of a process, those that are gone included. */
struct process;
struct cpu_usage {
	u64 user_ns, system_ns;
};
struct cpu_usage process_cpu_usage(struct process *process);
struct cpu_usage process_cpu_usage_locked(struct process *process); /* process->lock is held */

/* The present reading of a clock by its Linux number, dynamic CPU clocks included; -EINVAL: no such clock. */
int clock_read(int clock, u64 *ns);
/* clock_getcpuclockid(3) and pthread_getcpuclockid(3) make these of a number: ~number << 3, bit 2 for a thread, and which of
 * its times in the low two bits: profiling (user and system), virtual (user), scheduler. */
#define CPU_CLOCK_PER_THREAD 4
#define CPU_CLOCK_VIRTUAL 1
#define CPU_CLOCK_SCHEDULER 2

/* Clocks that count CPU time. */
static inline bool clock_is_cpu(int clock)
{
	return clock < 0 || clock == 2 /* CLOCK_PROCESS_CPUTIME_ID */ ||
	       clock == 3 /* CLOCK_THREAD_CPUTIME_ID */;
}
/* For sleeping and timers: the monotonic time at which such a clock shows `ns`, as far as is known now. */
u64 clock_to_monotonic(int clock, u64 ns);

#endif
