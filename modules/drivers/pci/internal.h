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

/* bus.c: the functions behind a hotplug port. Sleep. */
/* Searches the first slot of a bus that was empty, places the windows, binds drivers. */
int bus_add(u8 bus, struct pci_device *port) __must_check;
void bus_remove(u8 bus); /* unbinds all that is there and forgets it */
bool bus_used(u8 bus);

/* hotplug.c */
void hotplug_start(struct pci_device *device); /* if it is a port with a hotplug-capable slot */
void hotplug_stop(void);
void hotplug_place(struct pci_device *port, struct pci_device **devices, unsigned int count);

#endif
