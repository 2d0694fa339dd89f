/*
 * MSI-X (PCI 3.0, 6.8.2): a table of messages in one of the device's windows. A vector is an entry that holds the
 * address and data which the machine's interrupt code gave out (msi_alloc).
 */
#define LOG_PREFIX "pci: "
#include "internal.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/io.h>
#include <kumo/kva.h>
#include <kumo/slab.h>

enum {
	MSIX_CONTROL = 2,
	MSIX_TABLE = 4,
	MSIX_ENTRY_SIZE = 16,
	MSIX_ENABLE = 0x8000,
	MSIX_MASK_ALL = 0x4000
};

static void entry_write(struct pci_device *device, int index, const struct msi_message *message,
			bool masked)
{
	u8 __iomem *entry = (u8 __iomem *)device->msix_table + index * MSIX_ENTRY_SIZE;

	writel((u32)message->address, entry);
	writel((u32)(message->address >> 32), entry + 4);
	writel(message->data, entry + 8);
	writel(masked, entry + 12);
}

int pci_msix_enable(struct pci_device *device, int wanted)
{
	u8 capability = pci_find_capability(device, PCI_CAP_ID_MSIX, 0);
	struct msi_message *messages;
	u16 control;
	u32 table;
	int count, error = -ENOMEM;

	if (!capability)
		return -ENODEV;
	control = pci_read_config16(device, capability + MSIX_CONTROL);
	count = min(wanted, (control & 0x7ff) + 1);
	table = pci_read_config32(device, capability + MSIX_TABLE);

	device->msix_irqs = kcalloc((size_t)count, sizeof(int), GFP_KERNEL);
	messages = kcalloc((size_t)count, sizeof(*messages), GFP_KERNEL);
	device->msix_table = pci_map(device, table & 7, table & ~7u, (u64)count * MSIX_ENTRY_SIZE);
	if (!device->msix_irqs || !messages || !device->msix_table)
		goto free;
	error = msi_alloc(count, device->msix_irqs, messages);
	if (error)
		goto free;

	pci_write_config16(device, capability + MSIX_CONTROL, control | MSIX_ENABLE | MSIX_MASK_ALL);
	for (int i = 0; i < count; i++)
		entry_write(device, i, &messages[i], false);
	pci_pin_set(device, false);
	pci_write_config16(device, capability + MSIX_CONTROL, (control & ~MSIX_MASK_ALL) | MSIX_ENABLE);
	device->msix_count = count;
	kfree(messages);
	return count;
free:
	if (device->msix_table)
		iounmap(device->msix_table);
	device->msix_table = NULL;
	kfree(messages);
	kfree(device->msix_irqs);
	device->msix_irqs = NULL;
	return error;
}
EXPORT_SYMBOL(pci_msix_enable);

void pci_msix_disable(struct pci_device *device)
{
	u8 capability = pci_find_capability(device, PCI_CAP_ID_MSIX, 0);

	if (!device->msix_count)
		return;
	if (capability)
		pci_write_config16(device, capability + MSIX_CONTROL,
				   pci_read_config16(device, capability + MSIX_CONTROL) & ~MSIX_ENABLE);
	pci_pin_set(device, true);
	for (int i = 0; i < device->msix_count; i++)
		msi_release(device->msix_irqs[i]);
	iounmap(device->msix_table);
	kfree(device->msix_irqs);
	device->msix_table = NULL;
	device->msix_irqs = NULL;
	device->msix_count = 0;
}
EXPORT_SYMBOL(pci_msix_disable);
