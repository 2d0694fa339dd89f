/*
 * MSI (PCI 3.0, 6.8.1): one message, whose address and data lie in the device's own configuration space. Of the vectors that
 * a device offers the first is used; who wants several has MSI-X.
 */
#define LOG_PREFIX "pci: "
#include "internal.h"

#include <kumo/err.h>
#include <kumo/export.h>

enum {
	MSI_CONTROL = 2,
	MSI_ADDRESS_LOW = 4,
	MSI_ADDRESS_HIGH = 8, /* of a capability with MSI_WIDE; else the data lies there */
	MSI_DATA = 8,
	MSI_DATA_WIDE = 12,
	MSI_ENABLE = 1,
	MSI_VECTORS = 0x70, /* how many are in use, as a power of two */
	MSI_WIDE = 0x80
};

int pci_msi_enable(struct pci_device *device)
{
	u8 at = pci_find_capability(device, PCI_CAP_ID_MSI, 0);
	struct msi_message message;
	u16 control;
	int irq, error;

	if (!at)
		return -ENODEV;
	error = msi_alloc(1, &irq, &message);
	if (error)
		return error;
	control = pci_read_config16(device, at + MSI_CONTROL);
	if (!(control & MSI_WIDE) && message.address >> 32) {
		msi_release(irq);
		return -ENOSPC;
	}
	pci_write_config32(device, at + MSI_ADDRESS_LOW, (u32)message.address);
	if (control & MSI_WIDE)
		pci_write_config32(device, at + MSI_ADDRESS_HIGH, (u32)(message.address >> 32));
	pci_write_config16(device, at + (control & MSI_WIDE ? MSI_DATA_WIDE : MSI_DATA),
			   (u16)message.data);
	pci_pin_set(device, false);
	pci_write_config16(device, at + MSI_CONTROL, (control & ~MSI_VECTORS) | MSI_ENABLE);
	device->msi_irq = irq;
	return irq;
}
EXPORT_SYMBOL(pci_msi_enable);

void pci_msi_disable(struct pci_device *device)
{
	u8 at = pci_find_capability(device, PCI_CAP_ID_MSI, 0);

	if (!device->msi_irq)
		return;
	if (at)
		pci_write_config16(device, at + MSI_CONTROL,
				   pci_read_config16(device, at + MSI_CONTROL) & ~MSI_ENABLE);
	pci_pin_set(device, true);
	msi_release(device->msi_irq);
	device->msi_irq = 0;
}
EXPORT_SYMBOL(pci_msi_disable);
