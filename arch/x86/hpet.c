/* The high precision event timer's counter, against which the TSC is measured. (IA-PC HPET 1.0a, 2.3) */
#include <kumo/arch/tsc.h>
#include <kumo/io.h>
#include <kumo/kva.h>

enum { CAPABILITIES = 0x000, PERIOD = 0x004, CONFIGURATION = 0x010, COUNTER = 0x0f0 };
enum { ENABLE = 1 };

/* By specification a tick lasts at most 100 ns; less than 0.1 ns is no HPET. */
#define PERIOD_MAX_FS 100000000u
#define PERIOD_MIN_FS 100000u
#define FS_PER_SECOND 1000000000000000ULL

static u8 __iomem *registers;

/* The low half, which every HPET has, in one access. */
static u64 counter_read(void)
{
	return readl(registers + COUNTER);
}

static struct reference_counter counter = { .name = "HPET", .mask = 0xffffffff, .read = counter_read };

const struct reference_counter *__init hpet_counter(phys_addr_t address)
{
	u32 period;

	if (!address || address % 1024)
		return NULL;
	registers = ioremap(ALIGN_DOWN(address, PAGE_SIZE), PAGE_SIZE, KVA_DEVICE);
	if (!registers)
		return NULL;
	registers += address % PAGE_SIZE;
	period = readl(registers + PERIOD);
	if (period < PERIOD_MIN_FS || period > PERIOD_MAX_FS)
		return NULL;
	counter.hz = FS_PER_SECOND / period;
	writel(readl(registers + CONFIGURATION) | ENABLE, registers + CONFIGURATION);
	return &counter;
}
