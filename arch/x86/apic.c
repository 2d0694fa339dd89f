/*
 * The local APIC of each CPU: acknowledging interrupts, interrupts between CPUs, the one-shot timer. Reached through memory
 * (xAPIC mode); all CPUs see their own at the same address. (Intel SDM volume 3, chapter 11)
 */
#define LOG_PREFIX "apic: "
#include <kumo/arch/apic.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/irqflags.h>
#include <kumo/arch/msr.h>
#include <kumo/arch/smp.h>
#include <kumo/arch/tsc.h>
#include <kumo/io.h>
#include <kumo/kva.h>
#include <kumo/printk.h>
#include <kumo/time.h>
#include <kumo/wait.h>

enum {
	APIC_TASK_PRIORITY = 0x80,
	APIC_EOI = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_ERROR_STATUS = 0x280,
	APIC_COMMAND = 0x300,
	APIC_COMMAND_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

enum {
	SPURIOUS_ENABLE = 0x100,
	LVT_MASKED = 0x10000,
	LVT_NMI = 0x400,
	DIVIDE_BY_1 = 0xb,
	COMMAND_NMI = 0x400,
	COMMAND_INIT = 0x500,
	COMMAND_STARTUP = 0x600,
	COMMAND_PENDING = 0x1000,
	COMMAND_ASSERT = 0x4000,
	COMMAND_ALL_OTHERS = 0xc0000,
};

static u8 __iomem *apic;
static u64 timer_ticks_per_ns; /* in 1/2^32 */

static u32 apic_read(unsigned int offset)
{
	return readl(apic + offset);
}

static void apic_write(unsigned int offset, u32 value)
{
	writel(value, apic + offset);
}

void apic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	/* Firmware may have left it in x2APIC mode, which is left through being disabled. */
	if (base & APIC_BASE_X2APIC)
		wrmsr(MSR_APIC_BASE, base & ~(u64)(APIC_BASE_X2APIC | APIC_BASE_ENABLE));
	wrmsr(MSR_APIC_BASE, (base & ~(u64)APIC_BASE_X2APIC) | APIC_BASE_ENABLE);

	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_TASK_PRIORITY, 0);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_EOI, 0);
}

void __init apic_init(phys_addr_t address)
{
	apic = ioremap(address, PAGE_SIZE, KVA_DEVICE);
	if (!apic)
		panic("no memory to map the local APIC");
	apic_init_cpu();
}

void apic_end_interrupt(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_error(void)
{
	apic_write(APIC_ERROR_STATUS, 0); /* latches */
	pr_warn_once("error %#x on CPU %u\n", apic_read(APIC_ERROR_STATUS), smp_processor_id());
}

/* ---- Interrupts between CPUs ---- */

static void command(u8 destination, u32 low)
{
	unsigned long flags = local_irq_save();

	while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
		cpu_relax();
	apic_write(APIC_COMMAND_HIGH, (u32)destination << 24);
	apic_write(APIC_COMMAND, low);
	local_irq_restore(flags);
}

void arch_send_ipi(unsigned int cpu, u8 vector)
{
	command(cpu_apic_id[cpu], COMMAND_ASSERT | vector);
}

void apic_send_ipi_others(u8 vector)
{
	command(0, COMMAND_ALL_OTHERS | COMMAND_ASSERT | vector);
}

void arch_send_nmi(unsigned int cpu)
{
	if (apic)
		command(cpu_apic_id[cpu], COMMAND_ASSERT | COMMAND_NMI);
}

void apic_send_init(u8 apic_id)
{
	command(apic_id, COMMAND_ASSERT | COMMAND_INIT);
}

void apic_send_startup(u8 apic_id, u8 page)
{
	command(apic_id, COMMAND_ASSERT | COMMAND_STARTUP | page);
}

/* ---- The timer ---- */

void __init apic_timer_start_counting(void)
{
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, ~0u);
}

u32 __init apic_timer_counted(void)
{
	return ~0u - apic_read(APIC_TIMER_CURRENT);
}

void __init apic_timer_set_frequency(u64 hz)
{
	timer_ticks_per_ns = (hz << 32) / NSEC_PER_SEC;
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

void arch_timer_program(u64 monotonic_ns)
{
	u64 ticks = 0, now;

	if (monotonic_ns != WAIT_FOREVER) {
		now = arch_clock_ns();
		/* One more tick, so that the time is past when it comes; what is too far comes early and is set again. */
		if (monotonic_ns > now)
			ticks = multiply_shift_32(monotonic_ns - now, timer_ticks_per_ns);
		ticks = min(ticks + 1, (u64)~0u);
	}
	apic_write(APIC_TIMER_INITIAL, (u32)ticks);
}
