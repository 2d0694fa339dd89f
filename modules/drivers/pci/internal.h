/* What the files of pci.ko share. */
#ifndef PCI_INTERNAL_H
#define PCI_INTERNAL_H

#include "pci.h"

/* Before there is a struct pci_device: a register of whatever answers there; all ones when nothing does. */
u32 pci_config_read(u8 bus, u8 slot, u8 function, unsigned int offset);
/* Whether the device may raise its pin: not while it sends messages. */
void pci_pin_set(struct pci_device *device, bool on);
/* Fills device->windows from its first `count` base address registers. */
void pci_read_windows(struct pci_device *device, int count);

#endif
