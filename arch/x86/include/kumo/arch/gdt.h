/*
 * Segments and the task state segment, one set for each CPU (arch/x86/gdt.c). Selectors are laid out as syscall and
 * sysret want them: kernel data follows kernel code, user code follows user data.
 */
#ifndef KUMO_ARCH_GDT_H
#define KUMO_ARCH_GDT_H

#define KERNEL_CODE_SELECTOR 0x10
#define KERNEL_DATA_SELECTOR 0x18
#define USER_DATA_SELECTOR 0x2b
#define USER_CODE_SELECTOR 0x33
#define TSS_SELECTOR 0x40
#define CPU_NUMBER_SELECTOR 0x53 /* its limit is the CPU's number, for getcpu in the vDSO (lsl) */
#define GDT_ENTRIES 11

/* Value of MSR_STAR: sysret loads CS from +16 and SS from +8 of the upper half. */
#define STAR_SELECTORS                                                                             \
	(((USER_DATA_SELECTOR - 8UL) << 48) | ((unsigned long)KERNEL_CODE_SELECTOR << 32))

/* Interrupt stack table slots. */
#define IST_DOUBLE_FAULT 1
#define IST_NMI 2
#define IST_MACHINE_CHECK 3
#define IST_COUNT 3
#define IST_STACK_SIZE 8192

/* Offset of sp0 in the TSS: `movq %gs:(cpu_tss + TSS_SP0), %rsp` finds the current thread's kernel stack. */
#define TSS_SP0 4

#ifndef __ASSEMBLER__
#include <kumo/percpu.h>

struct tss {
	u32 reserved0;
	u64 sp0, sp1, sp2; /* sp0: stack on entry from user mode */
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map; /* at or beyond the segment's limit: no I/O ports for user mode */
} __packed;

DECLARE_PER_CPU(struct tss, cpu_tss);

/* Where this CPU's stack starts (highest address) when it enters the kernel from user mode: the thread switch sets it. */
static inline void tss_set_kernel_stack(unsigned long top)
{
	this_cpu_write(cpu_tss.sp0, top);
}

/* Loads this CPU's GDT, TSS and segment registers; keeps GS base. */
void gdt_init_cpu(void);
/* Gives this CPU guarded stacks for double faults, NMIs and machine checks; before that the boot CPU shares one. */
void gdt_set_stacks(unsigned int cpu, void *const stacks[IST_COUNT]);
void *gdt_boot_stack(void);
#endif

#endif
