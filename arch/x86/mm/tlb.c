/*
 * Which CPU uses which address space, and the translations that it may hold.
 *
 * mm->cpu_mask has a bit for each CPU whose CR3 points to the address space, threads without one included, which run on
 * what they find. A CPU sets its bit before it loads CR3, and a flush changes the table before it reads the mask: so
 * either the CPU loads the new entries, or it is told.
 */
#include <kumo/arch/cpu.h>
#include <kumo/irq.h>
#include <kumo/spinlock.h>
#include <kumo/vm.h>
#include "mm.h"

/* Above this a flush drops everything instead of page by page. */
#define FLUSH_PAGES_MAX 32

struct tlb_flush {
	struct mm *mm; /* NULL: kernel addresses */
	unsigned long start, end;
};

void mm_switch(struct mm *previous, struct mm *next)
{
	unsigned int cpu = smp_processor_id();

	set_bit(next->cpu_mask, cpu); /* a full barrier: see above */
	write_cr3(virt_to_phys(next->page_table));
	if (previous)
		clear_bit(previous->cpu_mask, cpu);
}

static void flush_local(unsigned long start, unsigned long end)
{
	if (end - start > FLUSH_PAGES_MAX * PAGE_SIZE) {
		tlb_invalidate_all();
		return;
	}
	for (; start < end; start += PAGE_SIZE)
		tlb_invalidate_page(start);
}

static void flush_call(void *arg)
{
	const struct tlb_flush *flush = arg;

	if (test_bit(flush->mm->cpu_mask, smp_processor_id()))
		flush_local(flush->start, flush->end);
}

void tlb_flush_range(struct mm *mm, unsigned long start, unsigned long end)
{
	struct tlb_flush flush = { mm, start, end };
	unsigned long mask;

	smp_mb(); /* the table's change before the mask; see above */
	mask = READ_ONCE(mm->cpu_mask[0]);
	if (mask & BIT(smp_processor_id()))
		flush_local(start, end);
	if (unlikely(mask & ~BIT(smp_processor_id())))
		smp_call_mask(mask, flush_call, &flush);
}

void tlb_flush_local(unsigned long address)
{
	tlb_invalidate_page(address);
}

static void unload_call(void *arg)
{
	struct mm *mm = arg;
	unsigned int cpu = smp_processor_id();

	if (!test_bit(mm->cpu_mask, cpu))
		return;
	write_cr3(kernel_page_table);
	clear_bit(mm->cpu_mask, cpu);
}

void mm_unload(struct mm *mm)
{
	unsigned long mask = READ_ONCE(mm->cpu_mask[0]), flags;

	flags = local_irq_save();
	unload_call(mm);
	local_irq_restore(flags);
	if (unlikely(mask & ~BIT(smp_processor_id())))
		smp_call_mask(mask, unload_call, mm);
}

static void flush_kernel_call(void *arg)
{
	const struct tlb_flush *flush = arg;
	unsigned long cr4;

	if (flush->end - flush->start <= FLUSH_PAGES_MAX * PAGE_SIZE) {
		for (unsigned long address = flush->start; address < flush->end; address += PAGE_SIZE)
			tlb_invalidate_page(address);
		return;
	}
	cr4 = read_cr4();
	write_cr4(cr4 & ~CR4_PGE); /* drops global translations, which loading CR3 does not */
	write_cr4(cr4);
}

void tlb_flush_kernel(unsigned long start, unsigned long end)
{
	struct tlb_flush flush = { NULL, start, end };
	unsigned long flags;

	smp_mb();
	flags = local_irq_save();
	flush_kernel_call(&flush);
	local_irq_restore(flags);
	if (num_online_cpus() > 1)
		smp_call_others(flush_kernel_call, &flush);
}

static void barrier_call(void *unused)
{
	smp_mb();
}

void vm_barrier_all_cpus(void)
{
	smp_mb();
	if (num_online_cpus() > 1)
		smp_call_others(barrier_call, NULL);
}
