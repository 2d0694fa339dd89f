/* The time stamp counter as the machine's clock (arch/x86/tsc.c), and the counters that it is measured against. */
#ifndef KUMO_ARCH_TSC_H
#define KUMO_ARCH_TSC_H

#include <kumo/types.h>

/*
 * monotonic ns = base_ns + (tsc - base_tsc) * ns_per_tick >> 32, the product having 128 bits. Set by arch_init(), made more exact once by
 * arch_start_cpus() and constant from then on: whoever keeps a copy (the vDSO) takes it after that.
 */
struct tsc_clock {
	u64 base_tsc;
	u64 base_ns;
	u64 ns_per_tick; /* in 1/2^32 ns */
};
extern struct tsc_clock tsc_clock;
extern u64 tsc_hz;

static inline u64 multiply_shift_32(u64 a, u64 b)
{
	return (u64)(((unsigned __int128)a * b) >> 32);
}

void tsc_init(void);   /* calibrates the TSC and the APIC timer */
void tsc_refine(void); /* uses the time since then for a better measurement */

/* A counter of known frequency. */
struct reference_counter {
	const char *name;
	u64 hz;
	u64 mask; /* it wraps to zero after this value */
	u64 (*read)(void);
};
const struct reference_counter *hpet_counter(phys_addr_t address); /* NULL: not there, or it lies */
const struct reference_counter *pit_counter(void);

#endif
