/*
 * I/O APICs: each turns interrupt lines ("pins", numbered through all of them as global system interrupts) into messages to
 * local APICs. (Intel 82093AA)
 */
#define LOG_PREFIX "ioapic: "
#include <kumo/arch/apic.h>
#include <kumo/arch/smp.h>
#include <kumo/err.h>
#include <kumo/io.h>
#include <kumo/kva.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>

enum { SELECT = 0x00, WINDOW = 0x10 };
enum { VERSION = 0x01, REDIRECTION = 0x10 };
enum { ENTRY_ACTIVE_LOW = 1 << 13, ENTRY_LEVEL = 1 << 15, ENTRY_MASKED = 1 << 16 };

struct ioapic {
	struct ioapic *next;
	u8 __iomem *registers;
	u32 first_gsi, pins;
};

static struct ioapic *ioapics;			  /* changes only while the machine starts */
static spinlock_t lock = SPINLOCK_INIT("ioapic"); /* the select and window registers; interrupts off, a leaf */

#define ISA(n) [n] = { .gsi = (n) }
struct isa_route isa_routes[16] = { ISA(0),  ISA(1),  ISA(2),  ISA(3), ISA(4),	ISA(5),
				    ISA(6),  ISA(7),  ISA(8),  ISA(9), ISA(10), ISA(11),
				    ISA(12), ISA(13), ISA(14), ISA(15) };

static u32 ioapic_read(const struct ioapic *ioapic, u32 index)
{
	writel(index, ioapic->registers + SELECT);
	return readl(ioapic->registers + WINDOW);
}

static void ioapic_write(const struct ioapic *ioapic, u32 index, u32 value)
{
	writel(index, ioapic->registers + SELECT);
	writel(value, ioapic->registers + WINDOW);
}

static struct ioapic *ioapic_find(u32 gsi)
{
	struct ioapic *ioapic = ioapics;

	while (ioapic && gsi - ioapic->first_gsi >= ioapic->pins)
		ioapic = ioapic->next;
	return ioapic;
}

int __init ioapic_add(phys_addr_t address, u32 first_gsi)
{
	struct ioapic *ioapic = kmalloc(sizeof(*ioapic), GFP_KERNEL);
	u32 version;

	if (!ioapic)
		return -ENOMEM;
	ioapic->registers = ioremap(address, PAGE_SIZE, KVA_DEVICE);
	if (!ioapic->registers) {
		kfree(ioapic);
		return -ENOMEM;
	}
	version = ioapic_read(ioapic, VERSION);
	if (version == ~0u) {
		iounmap(ioapic->registers);
		kfree(ioapic);
		return -ENODEV;
	}
	ioapic->first_gsi = first_gsi;
	ioapic->pins = (version >> 16 & 0xff) + 1;
	for (u32 pin = 0; pin < ioapic->pins; pin++)
		ioapic_write(ioapic, REDIRECTION + 2 * pin, ENTRY_MASKED);
	ioapic->next = ioapics;
	ioapics = ioapic;
	return 0;
}

bool ioapic_has(u32 gsi)
{
	return ioapic_find(gsi);
}

void __init ioapic_set_override(unsigned int isa_line, u32 gsi, unsigned int flags)
{
	if (isa_line < ARRAY_SIZE(isa_routes))
		isa_routes[isa_line] = (struct isa_route){ gsi, flags, true };
}

void ioapic_route(u32 gsi, u8 vector, unsigned int cpu, unsigned int flags)
{
	struct ioapic *ioapic = ioapic_find(gsi);
	u32 entry = vector, index;
	unsigned long irq_flags;

	if (!ioapic)
		return;
	if (flags & IRQ_LEVEL)
		entry |= ENTRY_LEVEL;
	if (flags & IRQ_ACTIVE_LOW)
		entry |= ENTRY_ACTIVE_LOW;
	index = REDIRECTION + 2 * (gsi - ioapic->first_gsi);
	irq_flags = spin_lock_irqsave(&lock);
	ioapic_write(ioapic, index, ENTRY_MASKED | entry); /* not while the halves disagree */
	ioapic_write(ioapic, index + 1, (u32)cpu_apic_id[cpu] << 24);
	ioapic_write(ioapic, index, entry);
	spin_unlock_irqrestore(&lock, irq_flags);
}

void ioapic_mask(u32 gsi)
{
	struct ioapic *ioapic = ioapic_find(gsi);
	u32 index;
	unsigned long flags;

	if (!ioapic)
		return;
	index = REDIRECTION + 2 * (gsi - ioapic->first_gsi);
	flags = spin_lock_irqsave(&lock);
	ioapic_write(ioapic, index, ioapic_read(ioapic, index) | ENTRY_MASKED);
	spin_unlock_irqrestore(&lock, flags);
}
