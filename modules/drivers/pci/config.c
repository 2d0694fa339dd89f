/*
 * PCI configuration space through the address and data ports (PCI 3.0, 3.2.2.3.2), capability lists, and windows.
 */
#define LOG_PREFIX "pci: "
#include "internal.h"

#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/io.h>
#include <kumo/kunit.h>
#include <kumo/kva.h>
#include <kumo/printk.h>
#include <kumo/spinlock.h>

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
enum { STATUS_CAPABILITIES = 0x10, CAPABILITY_FIRST = 0x40, CAPABILITY_MASK = 0xfc };

/* One register pair for all devices: an address must not change before its data was moved. */
static spinlock_t config_lock = SPINLOCK_INIT("pci_config");

static u32 config_address(u8 bus, u8 slot, u8 function, unsigned int offset)
{
	return 0x80000000u | (u32)bus << 16 | (u32)slot << 11 | (u32)function << 8 | (offset & 0xfc);
}

u32 pci_config_read(u8 bus, u8 slot, u8 function, unsigned int offset)
{
	unsigned long flags = spin_lock_irqsave(&config_lock);
	u32 value;

	outl(CONFIG_ADDRESS, config_address(bus, slot, function, offset));
	value = inl(CONFIG_DATA);
	spin_unlock_irqrestore(&config_lock, flags);
	if (fault_inject(FAIL_DEVICE))
		return ~0U; /* as if nothing were there */
	return value;
}

u32 pci_read_config32(struct pci_device *device, unsigned int offset)
{
	KUNIT_STATIC_STUB_REDIRECT(pci_read_config32, device, offset);
	return pci_config_read(device->bus, device->slot, device->function, offset);
}
EXPORT_SYMBOL(pci_read_config32);

u16 pci_read_config16(struct pci_device *device, unsigned int offset)
{
	return (u16)(pci_read_config32(device, offset) >> (offset & 2) * 8);
}
EXPORT_SYMBOL(pci_read_config16);

u8 pci_read_config8(struct pci_device *device, unsigned int offset)
{
	return (u8)(pci_read_config32(device, offset) >> (offset & 3) * 8);
}
EXPORT_SYMBOL(pci_read_config8);

/* A write of its own width: neighbouring status bits that are cleared by writing one must not be written back. */
static void config_write(struct pci_device *device, unsigned int offset, u32 value, int bytes)
{
	unsigned long flags = spin_lock_irqsave(&config_lock);

	outl(CONFIG_ADDRESS, config_address(device->bus, device->slot, device->function, offset));
	if (bytes == 4)
		outl(CONFIG_DATA, value);
	else if (bytes == 2)
		outw(CONFIG_DATA + (offset & 2), (u16)value);
	else
		outb(CONFIG_DATA + (offset & 3), (u8)value);
	spin_unlock_irqrestore(&config_lock, flags);
}

void pci_write_config8(struct pci_device *device, unsigned int offset, u8 value)
{
	config_write(device, offset, value, 1);
}
EXPORT_SYMBOL(pci_write_config8);

void pci_write_config16(struct pci_device *device, unsigned int offset, u16 value)
{
	config_write(device, offset, value, 2);
}
EXPORT_SYMBOL(pci_write_config16);

void pci_write_config32(struct pci_device *device, unsigned int offset, u32 value)
{
	config_write(device, offset, value, 4);
}
EXPORT_SYMBOL(pci_write_config32);

u8 pci_find_capability(struct pci_device *device, u8 id, u8 after)
{
	bool passed = !after;
	u64 seen = 0; /* a bit for each place: a device may link its list in a ring */
	u8 offset;

	if (!(pci_read_config16(device, PCI_STATUS) & STATUS_CAPABILITIES))
		return 0;
	/* From the start also to go on, so that a ring is seen as one. */
	offset = pci_read_config8(device, PCI_CAPABILITY_LIST) & CAPABILITY_MASK;
	while (offset >= CAPABILITY_FIRST && !(seen & BIT(offset / 4))) {
		seen |= BIT(offset / 4);
		if (passed && pci_read_config8(device, offset) == id)
			return offset;
		passed |= offset == after;
		offset = pci_read_config8(device, offset + 1) & CAPABILITY_MASK;
	}
	return 0;
}
EXPORT_SYMBOL(pci_find_capability);

void pci_enable(struct pci_device *device)
{
	u16 command = pci_read_config16(device, PCI_COMMAND);

	pci_write_config16(device, PCI_COMMAND,
			   command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}
EXPORT_SYMBOL(pci_enable);

void pci_disable(struct pci_device *device)
{
	u16 command = pci_read_config16(device, PCI_COMMAND);

	pci_write_config16(device, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
}
EXPORT_SYMBOL(pci_disable);

void pci_pin_set(struct pci_device *device, bool on)
{
	u16 command = pci_read_config16(device, PCI_COMMAND);

	pci_write_config16(device, PCI_COMMAND,
			   on ? command & ~PCI_COMMAND_INTX_DISABLE
			      : command | PCI_COMMAND_INTX_DISABLE);
}

/* Reads where a window lies, and by writing ones how large it is; decoding is off meanwhile. */
static int window_read(struct pci_device *device, int index)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * (unsigned int)index;
	struct pci_window *window = &device->windows[index];
	u32 low = pci_read_config32(device, offset), mask;
	u64 size_mask;
	bool wide = false;

	pci_write_config32(device, offset, ~0u);
	mask = pci_read_config32(device, offset);
	pci_write_config32(device, offset, low);
	if (!mask)
		return index + 1;
	window->io = low & 1;
	if (window->io) {
		window->start = low & ~3u;
		window->size = (u16)(~(mask & ~3u) + 1);
		return index + 1;
	}
	wide = (low & 6) == 4 && index + 1 < PCI_BAR_COUNT;
	window->start = low & ~15u;
	size_mask = 0xffffffff00000000ULL | (mask & ~15u);
	if (wide) {
		u32 high = pci_read_config32(device, offset + 4);

		pci_write_config32(device, offset + 4, ~0u);
		size_mask = (u64)pci_read_config32(device, offset + 4) << 32 | (mask & ~15u);
		pci_write_config32(device, offset + 4, high);
		window->start |= (u64)high << 32;
	}
	window->size = ~size_mask + 1;
	return index + (wide ? 2 : 1);
}

void pci_read_windows(struct pci_device *device, int count)
{
	u16 command = pci_read_config16(device, PCI_COMMAND);

	pci_write_config16(device, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (int i = 0; i < count;)
		i = window_read(device, i);
	pci_write_config16(device, PCI_COMMAND, command);
}

void __iomem *pci_map(struct pci_device *device, int window, u64 offset, u64 size)
{
	struct pci_window *w;

	if (window < 0 || window >= PCI_BAR_COUNT)
		return NULL;
	w = &device->windows[window];
	if (w->io || !w->start || offset >= w->size)
		return NULL;
	if (!size)
		size = w->size - offset;
	if (size > w->size - offset)
		return NULL;
	return ioremap(w->start + offset, size, KVA_DEVICE);
}
EXPORT_SYMBOL(pci_map);
