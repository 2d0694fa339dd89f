/*
 * What the kernel and the code of the vDSO share: one page, which the kernel writes and every program can read. User code
 * includes this too, so it needs nothing but the types.
 */
#ifndef KUMO_ARCH_VDSO_H
#define KUMO_ARCH_VDSO_H

#include <kumo/types.h>

struct vdso_data {
	u32 sequence; /* odd while the rest is being written; readers try again when it has changed */
	u32 unused;
	/* Monotonic time from the time stamp counter: see struct tsc_clock. */
	u64 base_tsc, base_ns, ns_per_tick;
	u64 realtime_offset_ns; /* what the date is ahead */
};

#endif
