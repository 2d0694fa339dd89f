/* What the files of arch/x86/mm/ and the page-fault handler share. */
#ifndef ARCH_X86_MM_H
#define ARCH_X86_MM_H

#include <kumo/arch/pagetable.h>
#include <kumo/percpu.h>

/* Above zero: this CPU copies with a _nofault form. */
DECLARE_PER_CPU(unsigned int, user_faults_off);

/* Turns the listed NOPs of the image into stac and clac. Before the image is write-protected. */
void smap_patch(void);

/* The entry of a kernel address at `level` (1: pages) below `table`; made on the way if `create`. NULL: none, or no memory. */
pte_t *kernel_entry(phys_addr_t table, unsigned long address, unsigned int level, bool create);
u64 kernel_protection(enum kva_prot prot);

/* From here on page tables come from the page allocator. */
extern bool page_allocator_ready;

/* pageops.c: wide registers may be used for whole pages. */
void page_ops_init(void);

#endif
