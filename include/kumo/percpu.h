/*
 * Data of which each CPU has its own copy. In the core: DEFINE_PER_CPU; anywhere: alloc_percpu(). Kernel code is not
 * preempted, so a pointer from this_cpu_ptr() stays this CPU's until the thread sleeps; against interrupts on the
 * same CPU the this_cpu_ operations, single instructions, are safe, and longer sequences need interrupts off.
 */
#ifndef KUMO_PERCPU_H
#define KUMO_PERCPU_H

#include <kumo/arch/percpu.h> /* this_cpu_read/write/add/inc/ptr, per_cpu_ptr, smp_processor_id */
#include <kumo/types.h>

#define MAX_CPUS 64

#define DECLARE_PER_CPU(type, name) extern __section(".data..percpu") type name
#define DEFINE_PER_CPU(type, name) __section(".data..percpu") type name

/* CPUs that run, counted from 0 without gaps; grows only while the machine starts. */
extern unsigned int cpu_count;
static inline unsigned int num_online_cpus(void)
{
	return READ_ONCE(cpu_count);
}
extern unsigned int cpu_possible; /* CPUs that may run; known when the first thread starts */
#define for_each_cpu(cpu) for (unsigned int cpu = 0; cpu < num_online_cpus(); cpu++)

/*
 * A zeroed object of `size` bytes (at most 4 KiB) for each possible CPU, used through per_cpu_ptr() and
 * this_cpu_ptr() like a DEFINE_PER_CPU name. NULL when memory is short. May sleep. Freed with free_percpu().
 */
void *alloc_percpu(size_t size, size_t align) __must_check;
void free_percpu(void *pointer);

#endif
