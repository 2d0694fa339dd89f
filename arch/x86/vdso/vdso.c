/*
 * The vDSO's code: runs in user mode, in any program, and reads the clocks from the time stamp counter and the page that the kernel
 * keeps up to date. What it does not know it asks the kernel.
 */
#include <kumo/arch/gdt.h>
#include <kumo/arch/vdso.h>
#include <kumo/types.h>

#include <asm/unistd_64.h>
#include <linux/time.h>
#include <linux/time_types.h>

/* One page in front of the image: see vdso.lds. Not const: the kernel changes it. */
extern struct vdso_data vdso_data __attribute__((visibility("hidden")));

#define EXPORTED __attribute__((visibility("default")))
#define ALIAS(name) __attribute__((visibility("default"), weak, alias(name)))

static inline long system_call_2(long number, long a, long b)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return result;
}

/* Monotonic time, and what to add for the date. */
static inline u64 read_clock(u64 *offset_ns)
{
	u32 sequence;
	u64 ns;

	do {
		u32 low, high;
		u64 ticks;

		while ((sequence = __atomic_load_n(&vdso_data.sequence, __ATOMIC_ACQUIRE)) & 1)
			__builtin_ia32_pause();
		/* The fence keeps the counter from being read before what came earlier in the program. */
		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
		ticks = ((u64)high << 32 | low) - vdso_data.base_tsc;
		ns = vdso_data.base_ns + (u64)(((unsigned __int128)ticks * vdso_data.ns_per_tick) >> 32);
		*offset_ns = vdso_data.realtime_offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&vdso_data.sequence, __ATOMIC_RELAXED) != sequence);
	return ns;
}

EXPORTED int __vdso_clock_gettime(int clock, struct __kernel_timespec *to)
{
	u64 offset_ns, ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		ns = read_clock(&offset_ns);
		ns += offset_ns;
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		ns = read_clock(&offset_ns);
		break;
	default:
		return (int)system_call_2(__NR_clock_gettime, clock, (long)to);
	}
	to->tv_sec = (long)(ns / NSEC_PER_SEC);
	to->tv_nsec = (long)(ns % NSEC_PER_SEC);
	return 0;
}
int clock_gettime(int clock, struct __kernel_timespec *to) ALIAS("__vdso_clock_gettime");

EXPORTED int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *zone)
{
	u64 offset_ns, ns = read_clock(&offset_ns);

	ns += offset_ns;
	if (tv) {
		tv->tv_sec = (long)(ns / NSEC_PER_SEC);
		tv->tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
	}
	if (zone)
		zone->tz_minuteswest = zone->tz_dsttime = 0;
	return 0;
}
int gettimeofday(struct __kernel_old_timeval *tv, struct timezone *zone) ALIAS("__vdso_gettimeofday");

EXPORTED long __vdso_time(long *to)
{
	u64 offset_ns, ns = read_clock(&offset_ns);
	long seconds = (long)((ns + offset_ns) / NSEC_PER_SEC);

	if (to)
		*to = seconds;
	return seconds;
}
long time(long *to) ALIAS("__vdso_time");

EXPORTED int __vdso_clock_getres(int clock, struct __kernel_timespec *to)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		if (to) {
			to->tv_sec = 0;
			to->tv_nsec = 1;
		}
		return 0;
	default:
		return (int)system_call_2(__NR_clock_getres, clock, (long)to);
	}
}
int clock_getres(int clock, struct __kernel_timespec *to) ALIAS("__vdso_clock_getres");

/* A segment that exists for this: its limit is the CPU's number. */
EXPORTED long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
	unsigned int number;

	__asm__ volatile("lsl %1, %0" : "=r"(number) : "r"(CPU_NUMBER_SELECTOR) : "cc");
	if (cpu)
		*cpu = number;
	if (node)
		*node = 0;
	return 0;
}
long getcpu(unsigned int *cpu, unsigned int *node, void *unused) ALIAS("__vdso_getcpu");
