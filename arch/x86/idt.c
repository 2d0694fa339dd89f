/*
 * The interrupt descriptor table, one for all CPUs: filled at boot, read-only afterwards. entry.S has a stub for each vector at
 * a fixed distance. All gates turn interrupts off.
 */
#include <kumo/arch/apic.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/traps.h>

enum { GATE_INTERRUPT = 0x8e, GATE_USER = 0x60 };
#define IDT_ENTRIES 256
#define STUB_SIZE 16 /* entry.S aligns the stubs to this */

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_middle;
	u32 offset_high, reserved;
};

static struct gate idt[IDT_ENTRIES] __aligned(4096) __section(".data..ro_after_boot");

/* entry.S: stubs of vectors 0-31, and of VECTOR_I8259 and above. */
extern char exception_stubs[], interrupt_stubs[];
extern char nmi_entry[], machine_check_entry[], double_fault_entry[], page_fault_entry[];

static void __init gate_set(unsigned int vector, const char *entry, u8 ist, u8 type)
{
	unsigned long offset = (unsigned long)entry;

	idt[vector] = (struct gate){
		.offset_low = (u16)offset,
		.selector = KERNEL_CODE_SELECTOR,
		.ist = ist,
		.type = type,
		.offset_middle = (u16)(offset >> 16),
		.offset_high = (u32)(offset >> 32),
	};
}

void __init idt_init(void)
{
	for (unsigned int vector = 0; vector < VECTOR_I8259; vector++)
		gate_set(vector, exception_stubs + vector * STUB_SIZE, 0, GATE_INTERRUPT);
	for (unsigned int vector = VECTOR_I8259; vector < IDT_ENTRIES; vector++)
		gate_set(vector, interrupt_stubs + (vector - VECTOR_I8259) * STUB_SIZE, 0,
			 GATE_INTERRUPT);
	gate_set(TRAP_PAGE_FAULT, page_fault_entry, 0, GATE_INTERRUPT);
	gate_set(TRAP_DOUBLE_FAULT, double_fault_entry, IST_DOUBLE_FAULT, GATE_INTERRUPT);
	gate_set(TRAP_NMI, nmi_entry, IST_NMI, GATE_INTERRUPT);
	gate_set(TRAP_MACHINE_CHECK, machine_check_entry, IST_MACHINE_CHECK, GATE_INTERRUPT);
	/* int3 and into are the two that programs may raise themselves. */
	gate_set(TRAP_BREAKPOINT, exception_stubs + TRAP_BREAKPOINT * STUB_SIZE, 0,
		 GATE_INTERRUPT | GATE_USER);
	gate_set(TRAP_OVERFLOW, exception_stubs + TRAP_OVERFLOW * STUB_SIZE, 0,
		 GATE_INTERRUPT | GATE_USER);
}

void idt_init_cpu(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" ::"m"(pointer));
}
