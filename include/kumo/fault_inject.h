/*
 * Fault injection of the debug build (kernel/fault_inject.c; docs/fault-injection.md): who may fail asks whether it shall.
 * In the release build the answer is a constant.
 *
 *	if (fault_inject(FAIL_DEVICE))
 *		return -EIO;
 */
#ifndef KUMO_FAULT_INJECT_H
#define KUMO_FAULT_INJECT_H

#include <kumo/types.h>

enum fault_kind {
	FAIL_SLAB,   /* slab_alloc, kmalloc */
	FAIL_PAGE,   /* page_alloc */
	FAIL_AREA,   /* vmalloc, ioremap, stacks, module memory */
	FAIL_PERCPU, /* alloc_percpu */
	FAIL_USER,   /* copies from and to user memory */
	FAIL_DEVICE, /* what devices answer */
	FAIL_DISK,   /* commands of disks */
	FAIL_KINDS
};

#ifdef CONFIG_DEBUG

/* In each thread. */
struct fault_thread {
	unsigned int nth;   /* fails when it counts down to 0; 0: off. The thread's own */
	unsigned int kinds; /* which are counted, bits of enum fault_kind */
	bool marked;	    /* settings with the word "marked" are for it; inherited */
};

bool fault_inject(enum fault_kind kind) __must_check; /* any context */
void fault_inject_init(void);			      /* /sys/kernel/debug/fail */

#else

static inline bool fault_inject(enum fault_kind kind)
{
	return false;
}

static inline void fault_inject_init(void)
{
}

#endif
#endif
