/* Exceptions and the interrupt descriptor table (arch/x86/idt.c, traps.c, entry.S). */
#ifndef KUMO_ARCH_TRAPS_H
#define KUMO_ARCH_TRAPS_H

enum trap {
	TRAP_DIVIDE = 0,
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_BOUND = 5,
	TRAP_INVALID_OPCODE = 6,
	TRAP_NO_FPU = 7,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_INVALID_TSS = 10,
	TRAP_NO_SEGMENT = 11,
	TRAP_STACK_SEGMENT = 12,
	TRAP_PROTECTION = 13,
	TRAP_PAGE_FAULT = 14,
	TRAP_X87 = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_MACHINE_CHECK = 18,
	TRAP_SIMD = 19,
};

#include <kumo/percpu.h>

struct pt_regs;

/* What the interrupt that this CPU handles interrupted; NULL: it handles none. */
DECLARE_PER_CPU(struct pt_regs *, interrupt_regs);

void idt_init(void);	 /* fills the table; boot CPU */
void idt_init_cpu(void); /* loads it */

/* entry.S calls these. Interrupts are on if they were on where it happened, except in the last three. */
void exception_dispatch(unsigned long trap, struct pt_regs *regs, unsigned long error_code);
void interrupt_dispatch(unsigned long vector, struct pt_regs *regs);
void nmi_dispatch(struct pt_regs *regs);
void machine_check_dispatch(struct pt_regs *regs);
void double_fault_dispatch(struct pt_regs *regs);

/* Of the memory part: a page fault at address `cr2`, interrupts as above; and a fault in kernel code that the table of
 * exceptions expects (regs->ip is moved to the fixup): true. */
void page_fault_handler(struct pt_regs *regs, unsigned long error_code, unsigned long cr2);
bool exception_fixup(struct pt_regs *regs);

/* Of the process part: WORK_ bits of the current thread, on the way to user mode. Interrupts off, before and after. */
void exit_to_user(struct pt_regs *regs);

#endif
