/* What the files of mm/ share with each other and with arch/, and nobody else needs. */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <kumo/page.h>
#include <kumo/percpu.h>

/* boot.c: the first part of [*start, end) that is RAM and that nobody reserved; false when there is none. */
bool boot_memory_next_free(phys_addr_t *start, phys_addr_t end, phys_addr_t *free_end);
void boot_memory_close(void); /* from here on memory comes from the page allocator */

/* page.c */
struct memory_counters {
	long pages[MEMORY_COUNTERS];
};
DECLARE_PER_CPU(struct memory_counters, memory_counters);

/* memory_account() without the call; `counter` is a constant. */
static __always_inline void memory_account_fast(enum memory_counter counter, long pages)
{
	this_cpu_add(memory_counters.pages[counter], pages);
}

/* slab.c: gives empty slabs back; the number of pages. */
unsigned long slab_reclaim(void);

/* kva.c: frees the kernel stacks that CPUs keep for the next thread. */
unsigned long kernel_stack_reclaim(void);

#endif
