/* Per-CPU addressing: GS base is the distance from the linked section to this CPU's copy of it. */
#ifndef KUMO_ARCH_PERCPU_H
#define KUMO_ARCH_PERCPU_H

#include <kumo/types.h>

extern char __per_cpu_start[], __per_cpu_end[];
extern unsigned long per_cpu_offset[]; /* by CPU number; added to a linked address gives the copy's */

#define per_cpu_ptr(pointer, cpu)                                                                  \
	((__typeof__(pointer))((unsigned long)(pointer) + per_cpu_offset[cpu]))

/* `this_cpu_off` holds this CPU's own offset, so one GS-relative load finds the base. */
extern __section(".data..percpu") unsigned long this_cpu_off;
extern __section(".data..percpu") unsigned int cpu_number;

static inline unsigned long this_cpu_offset(void)
{
	unsigned long offset;

	__asm__ volatile("mov %%gs:%1, %0" : "=r"(offset) : "m"(this_cpu_off));
	return offset;
}

#define this_cpu_ptr(pointer) ((__typeof__(pointer))((unsigned long)(pointer) + this_cpu_offset()))

/* Single GS-relative instructions: safe against interrupts. `name` is an lvalue of 4 or 8 bytes in the section. */
#define this_cpu_read(name)                                                                        \
	({                                                                                         \
		__typeof__(name) this_cpu_value;                                                   \
		__asm__ volatile("mov %%gs:%1, %0" : "=r"(this_cpu_value) : "m"(name));            \
		this_cpu_value;                                                                    \
	})
#define this_cpu_write(name, value)                                                                \
	__asm__ volatile("mov %1, %%gs:%0" : "+m"(name) : "r"((__typeof__(name))(value)))
#define this_cpu_add(name, value)                                                                  \
	__asm__ volatile("add %1, %%gs:%0" : "+m"(name) : "r"((__typeof__(name))(value)) : "cc")
#define this_cpu_inc(name) this_cpu_add(name, 1)
#define this_cpu_dec(name) this_cpu_add(name, -1)

static inline unsigned int smp_processor_id(void)
{
	return this_cpu_read(cpu_number);
}

#endif
