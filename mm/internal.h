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
/* slab.c: puts the free objects that this CPU keeps back into their slabs. Interrupts off. */
void slab_drain_local(void);

#ifdef CONFIG_DEBUG
/* slab.c: the object in or before whose redzone `address` lies; false when that is in no slab. */
struct slab_object {
	const char *cache;
	void *start;
	size_t size;
	const struct track *track;
};
bool slab_object_find(const void *address, struct slab_object *object);
size_t slab_object_room(const void *object); /* what it takes, with its redzone */
void slab_free_now(void *object);	     /* past the quarantine */

/* page.c: frees the 2^page->order pages that come from the quarantine. */
void page_free_now(struct page *page);

/* asan/quarantine.c: where freed objects and pages wait. Any context. Objects that go free pages, so these are emptied last. */
void quarantine_put(void *object);
void quarantine_put_page(struct page *page); /* 2^page->order of them */
void quarantine_empty(void);
void quarantine_empty_pages(void);
size_t quarantine_bytes(void);
#endif

/* kva.c: frees the kernel stacks that CPUs keep for the next thread. */
unsigned long kernel_stack_reclaim(void);

#endif
