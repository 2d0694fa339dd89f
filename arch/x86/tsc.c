/*
 * The clock: the time stamp counter. Its frequency is what CPUID or the hypervisor says, else it is measured against the
 * HPET, the ACPI timer or the PIT. The measurement is short, since the machine waits for it; so it is made
 * again a little later, over the time that has passed anyway (tsc_refine).
 *
 * The counters of all CPUs are taken to be synchronous and of constant rate, as all current CPUs and hypervisors have them.
 */
#define LOG_PREFIX "tsc: "
#include <kumo/arch/acpi.h>
#include <kumo/arch/apic.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/irqflags.h>
#include <kumo/arch/tsc.h>
#include <kumo/export.h>
#include <kumo/io.h>
#include <kumo/printk.h>
#include <kumo/time.h>

#define MEASURE_NS (200 * NSEC_PER_USEC)
#define MEASURE_COARSE_NS (1000 * NSEC_PER_USEC) /* with the PIT, whose tick is 0.8 us */
#define COARSE_HZ 2000000
#define APIC_MEASURE_NS (50 * NSEC_PER_USEC)
#define REFINE_MIN_NS (2 * NSEC_PER_MSEC)
#define SAMPLE_TRIES 5

struct tsc_clock tsc_clock;
u64 tsc_hz;

/* What both counters showed at one moment. */
struct sample {
	u64 tsc, reference;
};
static __initdata struct sample first_sample;
static __initdata const struct reference_counter *reference;
static __initdata bool frequency_known;

u64 arch_clock_ns(void)
{
	return tsc_clock.base_ns +
	       multiply_shift_32(rdtsc() - tsc_clock.base_tsc, tsc_clock.ns_per_tick);
}
EXPORT_SYMBOL(arch_clock_ns);

static u64 pm_timer_read(void)
{
	return inl(acpi_machine.pm_timer_port);
}

static struct reference_counter pm_timer __initdata = { .name = "ACPI timer",
							.hz = 3579545,
							.read = pm_timer_read };

static const struct reference_counter *__init reference_find(void)
{
	const struct reference_counter *found = hpet_counter(acpi_machine.hpet);

	if (found)
		return found;
	if (acpi_machine.pm_timer_port) {
		pm_timer.mask = acpi_machine.pm_timer_32bit ? 0xffffffff : 0xffffff;
		return &pm_timer;
	}
	return pit_counter();
}

/* Reads both; of a few attempts the quickest, since something may come between. */
static struct sample __init sample_take(void)
{
	struct sample best = {};
	u64 shortest = ~0ULL;

	for (int i = 0; i < SAMPLE_TRIES; i++) {
		u64 before = rdtsc(), value = reference->read(), after = rdtsc();

		if (after - before < shortest) {
			shortest = after - before;
			best = (struct sample){ before + shortest / 2, value };
		}
	}
	return best;
}

static u64 __init multiply_divide(u64 a, u64 b, u64 divisor)
{
	u64 high, low;

	__asm__("mul %3" : "=a"(low), "=d"(high) : "0"(a), "r"(b));
	if (high >= divisor)
		return ~0ULL;
	__asm__("div %2" : "+a"(low), "+d"(high) : "r"(divisor));
	return low;
}

/* Ticks of the TSC in a second, from what both did between two samples. */
static u64 __init frequency_between(const struct sample *from, const struct sample *to)
{
	u64 ticks = (to->reference - from->reference) & reference->mask;

	return ticks ? multiply_divide(to->tsc - from->tsc, reference->hz, ticks) : 0;
}

/* What the CPU or the hypervisor says; 0: nothing. */
static u64 __init frequency_told(void)
{
	struct cpuid_regs regs;
	u32 last = cpuid(0, 0).eax;

	if (cpu_has(CPU_HYPERVISOR) && cpuid(0x40000000, 0).eax >= 0x40000010 &&
	    cpuid(0x40000000, 0).eax < 0x40010000) {
		regs = cpuid(0x40000010, 0);
		if (regs.eax)
			return regs.eax * 1000ULL;
	}
	if (last >= 0x15) {
		regs = cpuid(0x15, 0); /* ratio ebx / eax to a crystal of ecx Hz */
		if (regs.eax && regs.ebx && regs.ecx)
			return (u64)regs.ecx * regs.ebx / regs.eax;
		if (regs.eax && regs.ebx && last >= 0x16 && (cpuid(0x16, 0).eax & 0xffff))
			return (cpuid(0x16, 0).eax & 0xffff) * 1000000ULL;
	}
	return 0;
}

static void __init clock_set(u64 hz)
{
	u64 now = rdtsc();

	tsc_clock.base_ns = tsc_clock.ns_per_tick
				    ? arch_clock_ns()
				    : multiply_divide(now - tsc_clock.base_tsc, NSEC_PER_SEC, hz);
	tsc_clock.base_tsc = now;
	tsc_clock.ns_per_tick = (NSEC_PER_SEC << 32) / hz;
	tsc_hz = hz;
}

static u64 __init measure(void)
{
	u64 wait_ns = reference->hz < COARSE_HZ ? MEASURE_COARSE_NS : MEASURE_NS;
	u64 ticks = multiply_divide(reference->hz, wait_ns, NSEC_PER_SEC) + 1;
	struct sample last;

	first_sample = sample_take();
	/* A counter that stands still must not stop the machine: 2^24 reads take seconds. */
	for (u32 i = 0; i < 1u << 24; i++)
		if (((reference->read() - first_sample.reference) & reference->mask) >= ticks)
			break;
	last = sample_take();
	return frequency_between(&first_sample, &last);
}

/* The APIC timer runs at a rate of its own, which is measured against the TSC. */
static void __init apic_timer_measure(void)
{
	u64 before, ticks = multiply_divide(tsc_hz, APIC_MEASURE_NS, NSEC_PER_SEC), elapsed;
	u32 counted;

	apic_timer_start_counting();
	before = rdtsc();
	do {
		counted = apic_timer_counted();
		elapsed = rdtsc() - before;
	} while (elapsed < ticks);
	apic_timer_set_frequency(multiply_divide(counted, tsc_hz, elapsed));
}

void __init tsc_init(void)
{
	unsigned long flags = local_irq_save();
	u64 hz = frequency_told();

	frequency_known = hz;
	if (!hz) {
		reference = reference_find();
		hz = reference ? measure() : 0;
		if (hz < 1000000)
			panic("the clock cannot be measured: there is no working HPET, ACPI timer or PIT");
	}
	clock_set(hz);
	apic_timer_measure();
	local_irq_restore(flags);
	pr_info("%llu.%03llu MHz by %s\n", (unsigned long long)hz / 1000000,
		(unsigned long long)hz / 1000 % 1000, frequency_known ? "CPUID" : reference->name);
}

void __init tsc_refine(void)
{
	struct sample now;
	u64 hz, elapsed_ns;
	unsigned long flags;

	if (frequency_known)
		return;
	elapsed_ns = multiply_divide(rdtsc() - first_sample.tsc, NSEC_PER_SEC, tsc_hz);
	/* Too short to be better, or the reference has wrapped around. */
	if (elapsed_ns < REFINE_MIN_NS ||
	    multiply_divide(elapsed_ns, reference->hz, NSEC_PER_SEC) >= reference->mask / 2)
		return;
	flags = local_irq_save();
	now = sample_take();
	hz = frequency_between(&first_sample, &now);
	/* The first measurement is good to a percent: anything else is a disturbance. */
	if (hz > tsc_hz - tsc_hz / 64 && hz < tsc_hz + tsc_hz / 64)
		clock_set(hz);
	local_irq_restore(flags);
}
