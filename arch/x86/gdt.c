/*
 * Segment descriptors and the task state segment of each CPU. Both lie in its per-CPU data. The stacks of the interrupt stack
 * table serve the three exceptions that may come when no other stack can be trusted; at the top of each lies the CPU's own
 * GS base, by which the entry code finds per-CPU data whatever GS holds (entry.S).
 */
#include <kumo/arch/gdt.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/msr.h>
#include <kumo/export.h>

DEFINE_PER_CPU(struct tss, cpu_tss) __aligned(64) = { .io_map = sizeof(struct tss) };

struct gdt {
	u64 entries[GDT_ENTRIES];
};
static DEFINE_PER_CPU(struct gdt, cpu_gdt) __aligned(64) = { {
	[KERNEL_CODE_SELECTOR / 8] = 0x00af9b000000ffff,
	[KERNEL_DATA_SELECTOR / 8] = 0x00cf93000000ffff,
	[USER_DATA_SELECTOR / 8] = 0x00cff3000000ffff,
	[USER_CODE_SELECTOR / 8] = 0x00affb000000ffff,
} };

/* Until there is memory, the boot CPU's exceptions share this one. */
static char boot_ist_stack[IST_STACK_SIZE] __aligned(16) __section(".bss..init");

void *gdt_boot_stack(void)
{
	return boot_ist_stack;
}

void gdt_set_stacks(unsigned int cpu, void *const stacks[IST_COUNT])
{
	struct tss *tss = per_cpu_ptr(&cpu_tss, cpu);

	for (int i = 0; i < IST_COUNT; i++) {
		unsigned long *slot = (unsigned long *)((char *)stacks[i] + IST_STACK_SIZE) - 2;

		*slot = per_cpu_offset[cpu];
		tss->ist[i] = (u64)slot;
	}
}

void gdt_init_cpu(void)
{
	struct gdt *gdt = this_cpu_ptr(&cpu_gdt);
	u64 tss = (u64)this_cpu_ptr(&cpu_tss), gs_base = this_cpu_offset();
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = { sizeof(*gdt) - 1, (u64)gdt };

	/* Available 64-bit TSS (SDM 3, 8.2.3): 16 bytes, the base in four pieces. */
	gdt->entries[TSS_SELECTOR / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
					 0x89UL << 40 | (tss >> 24 & 0xff) << 56;
	gdt->entries[TSS_SELECTOR / 8 + 1] = tss >> 32;
	gdt->entries[CPU_NUMBER_SELECTOR / 8] = 0x0040f10000000000 | smp_processor_id();

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%ss\n\t"
			 "movl %3, %%ds\n\t"
			 "movl %3, %%es\n\t"
			 "movl %3, %%fs\n\t"
			 "movl %3, %%gs\n\t"
			 "ltr %w4" ::"m"(pointer),
			 "i"(KERNEL_CODE_SELECTOR), "r"(KERNEL_DATA_SELECTOR), "r"(0), "r"(TSS_SELECTOR)
			 : "rax", "memory");
	wrmsr(MSR_GS_BASE, gs_base); /* loading the selector may have cleared it */
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);
}
