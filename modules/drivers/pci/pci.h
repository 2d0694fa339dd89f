/*
 * PCI: devices found on the buses, their configuration space, memory windows and interrupts; drivers bind by id. For
 * driver modules, which depend on pci.ko. (PCI Local Bus 3.0, PCI Express Base 3.0)
 *
 * Locks: pci_lock (devices, drivers, bindings; sleeps) is outermost; config_lock (the address/data ports; interrupts
 * off) is a leaf.
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include <kumo/irq.h>
#include <kumo/list.h>
#include <kumo/types.h>

enum {
	PCI_VENDOR_ID = 0x00,
	PCI_DEVICE_ID = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION_ID = 0x08,
	PCI_CLASS_PROG = 0x09,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BASE_ADDRESS_0 = 0x10,
	PCI_PRIMARY_BUS = 0x18,
	PCI_SECONDARY_BUS = 0x19,
	PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
	PCI_SUBSYSTEM_ID = 0x2e,
	PCI_MEMORY_BASE = 0x20, /* of a bridge, with the limit; the same for the next */
	PCI_PREFETCH_BASE = 0x24,
	PCI_PREFETCH_BASE_UPPER = 0x28,
	PCI_PREFETCH_LIMIT_UPPER = 0x2c,
	PCI_CAPABILITY_LIST = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};

enum {
	PCI_COMMAND_IO = 1,
	PCI_COMMAND_MEMORY = 2,
	PCI_COMMAND_MASTER = 4,
	PCI_COMMAND_INTX_DISABLE = 0x400
};
enum {
	PCI_CAP_ID_MSI = 0x05,
	PCI_CAP_ID_VENDOR = 0x09,
	PCI_CAP_ID_EXPRESS = 0x10,
	PCI_CAP_ID_MSIX = 0x11
};

#define PCI_ANY_ID 0xffff
#define PCI_BAR_COUNT 6

struct pci_device_id {
	u16 vendor, device; /* PCI_ANY_ID matches all; the table ends with vendor 0 */
};

/* A base address register's window. */
struct pci_window {
	phys_addr_t start; /* an I/O port number if io */
	u64 size;	   /* 0: not there */
	bool io;
};

struct pci_driver;

struct pci_device {
	struct list link;
	u8 bus, slot, function;
	u16 vendor, device, subsystem_vendor, subsystem_device;
	u32 class_code; /* base class << 16 | subclass << 8 | interface */
	u8 revision;
	int irq; /* of the legacy pin; -1: none */
	struct pci_window windows[PCI_BAR_COUNT];
	struct pci_driver *driver; /* bound; under pci_lock */
	void *private;		   /* the driver's */
	struct pseudo_directory *directory;
	char name[16]; /* "0000:00:03.0" */

	int msi_irq;		  /* while MSI is on; else 0 */
	void __iomem *msix_table; /* while MSI-X is on */
	int msix_count;
	int *msix_irqs;
};

struct pci_driver {
	const char *name;
	const struct pci_device_id *ids;
	/* Binds: 0, or a negative errno and nothing is left behind. May sleep. */
	int (*probe)(struct pci_device *device);
	/* Undoes probe; the device may be gone already (reads give all ones). May sleep. */
	void (*remove)(struct pci_device *device);
	struct list link;
};

/* Probes the devices that match and have no driver. 0 even if none does. May sleep. */
int pci_driver_register(struct pci_driver *driver) __must_check;
/* Unbinds its devices; when it returns none of its functions is running. May sleep. */
void pci_driver_unregister(struct pci_driver *driver);

/* Configuration space; offset aligned to the size. Any context. */
u8 pci_read_config8(struct pci_device *device, unsigned int offset);
u16 pci_read_config16(struct pci_device *device, unsigned int offset);
u32 pci_read_config32(struct pci_device *device, unsigned int offset);
void pci_write_config8(struct pci_device *device, unsigned int offset, u8 value);
void pci_write_config16(struct pci_device *device, unsigned int offset, u16 value);
void pci_write_config32(struct pci_device *device, unsigned int offset, u32 value);

/* The offset of the next capability with this id behind `after` (0: from the start); 0: none. */
u8 pci_find_capability(struct pci_device *device, u8 id, u8 after);

/* Turns on memory, ports and bus mastering; pci_disable turns them off again. */
void pci_enable(struct pci_device *device);
void pci_disable(struct pci_device *device);

/* Maps [offset, offset+size) of a memory window (size 0: to its end); iounmap() it. NULL: no such memory. May sleep. */
void __iomem *pci_map(struct pci_device *device, int window, u64 offset, u64 size) __must_check;

/*
 * MSI: turns on one message, in place of the pin, and gives its irq; -ENODEV: the device has none, -ENOSPC. pci_msi_disable()
 * after it was irq_free()d. May sleep.
 */
int pci_msi_enable(struct pci_device *device) __must_check;
void pci_msi_disable(struct pci_device *device);

/*
 * MSI-X: turns on up to `wanted` vectors; how many there are, their irqs in device->msix_irqs; -ENODEV: the device has
 * none, -ENOMEM, -ENOSPC. pci_msix_disable() after all of them were irq_free()d. May sleep.
 */
int pci_msix_enable(struct pci_device *device, int wanted) __must_check;
void pci_msix_disable(struct pci_device *device);

#endif
