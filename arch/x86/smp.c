/*
 * Several CPUs: their per-CPU data, their start, and calls from one to another.
 *
 * CPUs are numbered in the order of the firmware's table, the boot CPU being 0. All are started at once; each, when it is
 * ready, waits asleep until those before it are counted, and goes to its idle loop. One that does not come in time is not
 * counted, nor those after it: CPU numbers have no gaps.
 *
 * A call is a function and an argument in the caller's slot, and the caller's bit in the mailbox of each CPU that shall run
 * it. Whoever finds a mailbox empty before adding a bit sends the interrupt. The caller waits until all have run it, and
 * meanwhile answers its own mailbox, so that two callers cannot wait for each other even with interrupts off.
 */
#define LOG_PREFIX "smp: "
#include <kumo/arch/apic.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/irqflags.h>
#include <kumo/arch/msr.h>
#include <kumo/arch/smp.h>
#include <kumo/arch/tsc.h>
#include <kumo/atomic.h>
#include <kumo/boot.h>
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/kva.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include "boot/boot.h"

#define START_TIMEOUT_NS (5 * NSEC_PER_SEC)
#define SECOND_STARTUP_NS (200 * NSEC_PER_USEC)
#define STOP_TIMEOUT_NS (100 * NSEC_PER_MSEC)

unsigned int cpu_count = 1;
EXPORT_SYMBOL(cpu_count);
unsigned long per_cpu_offset[MAX_CPUS];
EXPORT_SYMBOL(per_cpu_offset);
DEFINE_PER_CPU(unsigned long, this_cpu_off);
EXPORT_SYMBOL(this_cpu_off);
DEFINE_PER_CPU(unsigned int, cpu_number);
EXPORT_SYMBOL(cpu_number);

u8 cpu_apic_id[MAX_CPUS];
unsigned int cpu_possible = 1;

/* For ap_start in trampoline.S. */
u8 cpu_of_apic_id[256];
unsigned long ap_stacks[MAX_CPUS];

/* ---- Which CPUs there are ---- */

void __init smp_find_boot_cpu(void)
{
	cpu_apic_id[0] = (u8)(cpuid(1, 0).ebx >> 24);
}

void __init smp_add_cpu(u32 apic_id)
{
	if (apic_id == cpu_apic_id[0])
		return;
	if (apic_id > 254 || cpu_possible == MAX_CPUS) {
		pr_warn_once("CPU with APIC id %u is not used: at most %u, with ids below 255\n",
			     apic_id, MAX_CPUS);
		return;
	}
	if (cpu_of_apic_id[apic_id])
		return; /* listed twice */
	cpu_of_apic_id[apic_id] = (u8)cpu_possible;
	cpu_apic_id[cpu_possible++] = (u8)apic_id;
}

static int __init prepare_stacks(unsigned int cpu)
{
	void *stacks[IST_COUNT];

	for (int i = 0; i < IST_COUNT; i++) {
		stacks[i] = vmalloc(IST_STACK_SIZE, GFP_KERNEL);
		if (!stacks[i]) {
			while (i--)
				vfree(stacks[i]);
			return -ENOMEM;
		}
	}
	gdt_set_stacks(cpu, stacks);
	return 0;
}

/* A copy of the per-CPU section for `cpu`, from which its template can be told. */
static int __init prepare_data(unsigned int cpu)
{
	size_t size = (size_t)(__per_cpu_end - __per_cpu_start);
	unsigned int order = 0;
	struct page *page;
	char *copy;
	int error;

	while (PAGE_SIZE << order < size)
		order++;
	page = page_alloc(order, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	copy = page_address(page);
	memcpy(copy, __per_cpu_start, size);
	per_cpu_offset[cpu] = (unsigned long)copy - (unsigned long)__per_cpu_start;
	*per_cpu_ptr(&this_cpu_off, cpu) = per_cpu_offset[cpu];
	*per_cpu_ptr(&cpu_number, cpu) = cpu;
	error = prepare_stacks(cpu);
	if (error) {
		per_cpu_offset[cpu] = 0;
		page_free(page, order);
	}
	return error;
}

void __init smp_prepare(void)
{
	if (prepare_stacks(0))
		panic("no memory for exception stacks");
	for (unsigned int cpu = 1; cpu < cpu_possible; cpu++) {
		if (prepare_data(cpu)) {
			pr_err("no memory for more than %u CPUs\n", cpu);
			cpu_possible = cpu;
		}
	}
}

/* ---- Their start ---- */

enum cpu_state { CPU_ABSENT, CPU_STARTING, CPU_READY, CPU_ABANDONED };
static atomic_t cpu_states[MAX_CPUS];

/* As trampoline.S has it, 8 bytes after its start. */
struct trampoline_parameters {
	u32 page_table, cr0, cr4, efer;
	u32 long_mode_address, long_mode_selector;
	u64 entry;
	u16 unused, gdt_limit;
	u32 gdt_address;
} __packed;
#define TRAMPOLINE_PARAMETERS 8
extern char trampoline_start[], trampoline_end[];

static void park(void) __noreturn;
static void park(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The first C code of another CPU, on its idle thread's stack, interrupts off. */
void ap_main(unsigned int cpu)
{
	int state = CPU_STARTING;

	cpu_init();
	apic_init_cpu();
	if (!atomic_try_cmpxchg(&cpu_states[cpu], &state, CPU_READY))
		park();
	while (smp_load_acquire(&cpu_count) <= cpu) {
		arch_idle(); /* the boot CPU sends an interrupt after counting this one */
		local_irq_disable();
	}
	cpu_idle_loop();
}

/* A page table that is the kernel's, and maps the trampoline's page where it is, readable and executable. Its pages lie
 * below 4 GiB: CR3 is loaded in real mode. pages[]: of the four levels. */
static int __init build_page_table(struct page *pages[4])
{
	static const unsigned int shifts[] = { 39, 30, 21, 12 };
	const u64 *kernel = phys_to_virt(read_cr3() & PAGE_MASK);

	for (int i = 0; i < 4; i++) {
		pages[i] = page_alloc(0, GFP_KERNEL | GFP_DMA32 | GFP_ZERO);
		if (!pages[i]) {
			while (i--)
				page_put(pages[i]);
			return -ENOMEM;
		}
	}
	memcpy((u64 *)page_address(pages[0]) + 256, kernel + 256, PAGE_SIZE / 2);
	for (int i = 0; i < 4; i++) {
		u64 *entry = (u64 *)page_address(pages[i]) + (boot_low_page >> shifts[i] & 511);

		*entry = i < 3 ? page_to_phys(pages[i + 1]) | 3 : boot_low_page | 1;
	}
	return 0;
}

static void __init place_trampoline(phys_addr_t page_table)
{
	char *page = phys_to_virt(boot_low_page);
	struct trampoline_parameters *parameters = (void *)(page + TRAMPOLINE_PARAMETERS);

	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	parameters->page_table = (u32)page_table;
	parameters->cr0 = (u32)read_cr0();
	parameters->cr4 = (u32)read_cr4();
	parameters->efer = (u32)rdmsr(MSR_EFER) & (EFER_LME | EFER_NXE | EFER_SCE);
	parameters->long_mode_address += (u32)boot_low_page;
	parameters->gdt_address += (u32)boot_low_page;
}

static void __init send_startup(unsigned int wanted)
{
	for (unsigned int cpu = 1; cpu < wanted; cpu++)
		if (atomic_read(&cpu_states[cpu]) == CPU_STARTING)
			apic_send_startup(cpu_apic_id[cpu], (u8)(boot_low_page >> PAGE_SHIFT));
}

/* Counts CPUs in their order as they become ready. True: all have come. */
static bool __init await_ready(unsigned int wanted, u64 deadline_ns)
{
	while (cpu_count < wanted) {
		if (atomic_read(&cpu_states[cpu_count]) == CPU_READY) {
			smp_store_release(&cpu_count, cpu_count + 1);
			arch_send_ipi(cpu_count - 1, VECTOR_RESCHEDULE);
		} else if (arch_clock_ns() >= deadline_ns) {
			return false;
		} else {
			cpu_relax();
		}
	}
	return true;
}

/* Whoever has not come by now must never go on. True if none can be on its way through the trampoline. */
static bool __init abandon(unsigned int wanted)
{
	bool none = true;

	for (unsigned int cpu = cpu_count; cpu < wanted; cpu++) {
		int state = CPU_STARTING;

		none &= !atomic_try_cmpxchg(&cpu_states[cpu], &state, CPU_ABANDONED);
		pr_err("CPU %u (APIC id %u) is not used: %s\n", cpu, cpu_apic_id[cpu],
		       state == CPU_READY ? "one before it did not start" : "it did not start");
	}
	return none;
}

void __init arch_start_cpus(void)
{
	const char *limit = boot_param("maxcpus");
	struct page *pages[4];
	unsigned int wanted = cpu_possible;
	u64 number, now;

	tsc_refine();
	if (limit && !parse_u64(limit, 10, &number))
		wanted = (unsigned int)clamp(number, 1ULL, (u64)wanted);
	if (wanted == 1)
		return;
	if (!boot_low_page || build_page_table(pages)) {
		pr_err("no low memory to start other CPUs\n");
		return;
	}
	for (unsigned int cpu = 1; cpu < wanted; cpu++) {
		struct thread *idle = sched_prepare_cpu(cpu);

		if (!idle) {
			pr_err("no memory for more than %u CPUs\n", cpu);
			wanted = cpu;
			break;
		}
		*per_cpu_ptr(&current_thread, cpu) = idle;
		ap_stacks[cpu] = (unsigned long)idle->stack + THREAD_STACK_SIZE;
		atomic_set(&cpu_states[cpu], CPU_STARTING);
	}
	place_trampoline(page_to_phys(pages[0]));

	/* INIT, then start-up interrupts, to all of them at once. 64-bit CPUs need no pause after INIT. */
	for (unsigned int cpu = 1; cpu < wanted; cpu++)
		apic_send_init(cpu_apic_id[cpu]);
	send_startup(wanted);
	now = arch_clock_ns();
	if (!await_ready(wanted, now + SECOND_STARTUP_NS)) {
		send_startup(wanted);
		await_ready(wanted, now + START_TIMEOUT_NS);
	}
	if (abandon(wanted)) {
		for (int i = 0; i < 4; i++)
			page_put(pages[i]);
		page_release_range(boot_low_page, boot_low_page + PAGE_SIZE);
	}
	pr_info("%u CPUs run\n", cpu_count);
}

/* ---- Calls ---- */

/* What this CPU wants others to run. Written by its owner while `remaining` is zero. */
struct call {
	void (*function)(void *arg);
	void *arg;
	unsigned int remaining; /* CPUs that have not finished it */
};
static DEFINE_PER_CPU(struct call, outgoing_call);
/* Bit n: CPU n wants something of this CPU. */
static DEFINE_PER_CPU(unsigned long, call_mailbox) __cacheline_aligned;

void smp_call_interrupt(void)
{
	unsigned long callers = __atomic_exchange_n(this_cpu_ptr(&call_mailbox), 0, __ATOMIC_SEQ_CST);

	while (callers) {
		struct call *call = per_cpu_ptr(&outgoing_call, (unsigned int)__builtin_ctzl(callers));

		callers &= callers - 1;
		call->function(call->arg);
		/* Pairs with the load in smp_call_mask(): what the function wrote is seen by the caller. */
		__atomic_fetch_sub(&call->remaining, 1, __ATOMIC_RELEASE);
	}
}

static void answer_calls(void)
{
	unsigned long flags;

	if (!READ_ONCE(*this_cpu_ptr(&call_mailbox)))
		return;
	flags = local_irq_save();
	smp_call_interrupt();
	local_irq_restore(flags);
}

void smp_call_mask(unsigned long cpus, void (*function)(void *arg), void *arg)
{
	struct call *call = this_cpu_ptr(&outgoing_call);
	unsigned int self = smp_processor_id(), online = num_online_cpus(), count = 0;

	cpus &= ~BIT(self) & (~0UL >> (64 - online));
	if (!cpus)
		return;
	WARN_ON(in_interrupt());
	call->function = function;
	call->arg = arg;
	for (unsigned long rest = cpus; rest; rest &= rest - 1)
		count++;
	__atomic_store_n(&call->remaining, count, __ATOMIC_RELEASE);
	for (; cpus; cpus &= cpus - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctzl(cpus);

		if (!__atomic_fetch_or(per_cpu_ptr(&call_mailbox, cpu), BIT(self), __ATOMIC_SEQ_CST))
			arch_send_ipi(cpu, VECTOR_CALL);
	}
	while (__atomic_load_n(&call->remaining, __ATOMIC_ACQUIRE)) {
		answer_calls();
		cpu_relax();
	}
}
EXPORT_SYMBOL(smp_call_mask);

void smp_call_others(void (*function)(void *arg), void *arg)
{
	smp_call_mask(~0UL, function, arg);
}
EXPORT_SYMBOL(smp_call_others);

void smp_call(unsigned int cpu, void (*function)(void *arg), void *arg)
{
	unsigned long flags;

	if (cpu != smp_processor_id()) {
		smp_call_mask(BIT(cpu), function, arg);
		return;
	}
	flags = local_irq_save();
	function(arg);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(smp_call);

void smp_send_reschedule(unsigned int cpu)
{
	arch_send_ipi(cpu, VECTOR_RESCHEDULE);
}

/* ---- The end ---- */

static bool stopping;
static atomic_t stopped;

void smp_stop_if_asked(void)
{
	if (!READ_ONCE(stopping))
		return;
	atomic_inc(&stopped);
	park();
}

void arch_stop_others(void)
{
	unsigned int others = num_online_cpus() - 1, self = smp_processor_id();
	u64 start;

	if (!others || __atomic_exchange_n(&stopping, true, __ATOMIC_SEQ_CST))
		return;
	for_each_cpu(cpu)
		if (cpu != self)
			arch_send_nmi(cpu);
	start = arch_clock_ns();
	while ((unsigned int)atomic_read(&stopped) < others && arch_clock_ns() - start < STOP_TIMEOUT_NS)
		cpu_relax();
}

void arch_halt(void)
{
	local_irq_disable();
	arch_stop_others();
	park();
}
