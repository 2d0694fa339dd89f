/*
 * PCI Express hotplug by the ports' own registers (PCI Express Base 3.0, 6.7): each port with a hotplug-capable slot tells by an
 * interrupt that its button was pressed or that a card came or went. No firmware tables are interpreted.
 *
 * The interrupt notes the events and leaves the rest to a work: a card that is there and has no devices yet is powered and its
 * functions are searched, their windows placed in what the firmware kept free behind the port; the button's press while
 * there are devices, or a card that is not there any more, removes them and cuts the power.
 */
#define LOG_PREFIX "pci: "
#include "internal.h"

#include <kumo/err.h>
#include <kumo/irq.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/time.h>
#include <kumo/work.h>

enum {
	CAPABILITIES = 0x02,
	CAPABILITIES_SLOT = 1 << 8, /* the port has a slot */
	LINK_STATUS = 0x12,
	LINK_ACTIVE = 1 << 13,
	SLOT_CAPABILITIES = 0x14,
	SLOT_HOTPLUG = 1 << 6,
	SLOT_NO_COMPLETION = 1 << 18, /* commands are not acknowledged */
	SLOT_CONTROL = 0x18,
	CONTROL_BUTTON = 1 << 0,
	CONTROL_PRESENCE = 1 << 3,
	CONTROL_INTERRUPT = 1 << 5,
	CONTROL_POWER_LED = 3 << 8,
	POWER_LED_ON = 1 << 8,
	POWER_LED_OFF = 3 << 8,
	CONTROL_POWER_OFF = 1 << 10,
	SLOT_STATUS = 0x1a,
	STATUS_BUTTON = 1 << 0,
	STATUS_FAULT = 1 << 1,
	STATUS_PRESENCE_CHANGED = 1 << 3,
	STATUS_COMPLETED = 1 << 4,
	STATUS_PRESENT = 1 << 6,
	STATUS_LINK_CHANGED = 1 << 8,
	STATUS_EVENTS = STATUS_BUTTON | STATUS_FAULT | STATUS_PRESENCE_CHANGED | STATUS_LINK_CHANGED,
};

#define COMMAND_WAIT_NS NSEC_PER_SEC
#define LINK_WAIT_NS NSEC_PER_SEC
#define SETTLE_NS (100 * NSEC_PER_MSEC) /* from a live link to the first access (6.6.1) */

struct hotplug_port {
	struct list link;
	struct pci_device *port;
	u8 capability;
	int irq;
	u32 events; /* STATUS_* that the interrupt saw; taken by the work */
	struct work work;
};

static struct list ports = LIST_INIT(ports); /* changed only when the module comes and goes */

static u16 slot_status(struct hotplug_port *port)
{
	return pci_read_config16(port->port, port->capability + SLOT_STATUS);
}

static u8 secondary_bus(struct hotplug_port *port)
{
	return pci_read_config8(port->port, PCI_SECONDARY_BUS);
}

/* Waits until a bit of a register is set; false: not in time. */
static bool wait_for_bit(struct hotplug_port *port, unsigned int offset, u16 bit, u64 wait_ns)
{
	u64 deadline = time_monotonic_ns() + wait_ns;

	while (!(pci_read_config16(port->port, port->capability + offset) & bit)) {
		if (time_monotonic_ns() > deadline)
			return false;
		sleep_ns(NSEC_PER_MSEC);
	}
	return true;
}

/* Changes bits of the slot's control register, and waits until the port has done what they say. */
static void slot_command(struct hotplug_port *port, u16 mask, u16 value)
{
	u8 at = port->capability;
	u16 control = pci_read_config16(port->port, at + SLOT_CONTROL);

	pci_write_config16(port->port, at + SLOT_STATUS, STATUS_COMPLETED);
	pci_write_config16(port->port, at + SLOT_CONTROL, (u16)((control & ~mask) | value));
	if (pci_read_config32(port->port, at + SLOT_CAPABILITIES) & SLOT_NO_COMPLETION)
		return;
	if (!wait_for_bit(port, SLOT_STATUS, STATUS_COMPLETED, COMMAND_WAIT_NS))
		pr_warn("%s: the slot does not say that a command is done\n", port->port->name);
	pci_write_config16(port->port, at + SLOT_STATUS, STATUS_COMPLETED);
}

/* ---- Cards ---- */

static void card_add(struct hotplug_port *port)
{
	u8 bus = secondary_bus(port);

	slot_command(port, CONTROL_POWER_LED | CONTROL_POWER_OFF, POWER_LED_ON);
	if (!wait_for_bit(port, LINK_STATUS, LINK_ACTIVE, LINK_WAIT_NS)) {
		pr_err("%s: a card came, but its link does not\n", port->port->name);
		return;
	}
	sleep_ns(SETTLE_NS);
	pci_enable(port->port); /* it passes accesses on */
	if (!bus || bus_add(bus, port->port))
		pr_err("%s: a card came that cannot be used\n", port->port->name);
	else
		pr_info("%s: a card came\n", port->port->name);
}

static void card_remove(struct hotplug_port *port)
{
	bus_remove(secondary_bus(port));
	slot_command(port, CONTROL_POWER_LED | CONTROL_POWER_OFF, POWER_LED_OFF | CONTROL_POWER_OFF);
	pr_info("%s: a card went\n", port->port->name);
}

/* Brings the devices in line with what the slot has. */
static void slot_look(struct work *work)
{
	struct hotplug_port *port = container_of(work, struct hotplug_port, work);
	u32 events = __atomic_exchange_n(&port->events, 0, __ATOMIC_SEQ_CST);
	bool present = slot_status(port) & STATUS_PRESENT, used = bus_used(secondary_bus(port));

	if (events & STATUS_FAULT)
		pr_err("%s: the slot's power failed\n", port->port->name);
	if (used && (!present || (events & STATUS_BUTTON)))
		card_remove(port);
	else if (!used && present)
		card_add(port);
}

static enum irq_result slot_interrupt(int irq, void *arg)
{
	struct hotplug_port *port = arg;
	u16 events = slot_status(port) & STATUS_EVENTS;

	if (!events)
		return IRQ_NONE;
	pci_write_config16(port->port, port->capability + SLOT_STATUS, events);
	__atomic_fetch_or(&port->events, events, __ATOMIC_SEQ_CST);
	work_queue(&port->work);
	return IRQ_HANDLED;
}

/* ---- Ports ---- */

static int port_start(struct pci_device *device, u8 capability)
{
	struct hotplug_port *port = kzalloc(sizeof(*port), GFP_KERNEL);
	int error;

	if (!port)
		return -ENOMEM;
	port->port = device;
	port->capability = capability;
	work_init(&port->work, slot_look);
	pci_enable(device);
	error = pci_msix_enable(device, 1);
	if (error > 0)
		port->irq = device->msix_irqs[0];
	else
		error = port->irq = pci_msi_enable(device);
	if (error < 0)
		goto free;
	error = irq_request(port->irq, slot_interrupt, port, "pcie-hotplug");
	if (error)
		goto disable;
	list_add_tail(&ports, &port->link);
	pci_write_config16(device, capability + SLOT_STATUS, STATUS_EVENTS | STATUS_COMPLETED);
	slot_command(port, CONTROL_BUTTON | CONTROL_PRESENCE | CONTROL_INTERRUPT,
		     CONTROL_BUTTON | CONTROL_PRESENCE | CONTROL_INTERRUPT);
	work_queue(&port->work); /* a card that came since the buses were searched */
	return 0;
disable:
	pci_msix_disable(device);
	pci_msi_disable(device);
free:
	kfree(port);
	return error;
}

void hotplug_start(struct pci_device *device)
{
	u8 at = pci_find_capability(device, PCI_CAP_ID_EXPRESS, 0);
	int error;

	if (!at || !(pci_read_config16(device, at + CAPABILITIES) & CAPABILITIES_SLOT) ||
	    !(pci_read_config32(device, at + SLOT_CAPABILITIES) & SLOT_HOTPLUG))
		return;
	error = port_start(device, at);
	if (error)
		pr_warn("%s: no hotplug (error %d)\n", device->name, error);
}

void hotplug_stop(void)
{
	while (!list_empty(&ports)) {
		struct hotplug_port *port = list_first(&ports, struct hotplug_port, link);

		slot_command(port, CONTROL_INTERRUPT, 0);
		irq_free(port->irq, port);
		work_cancel_sync(&port->work);
		pci_msix_disable(port->port);
		pci_msi_disable(port->port);
		list_del(&port->link);
		kfree(port);
	}
}

/* ---- Windows behind a port ---- */

struct range {
	u64 next, end;
};

/* What the port passes on: memory (below 4 GiB), or prefetchable memory. */
static struct range port_range(struct pci_device *port, bool prefetchable)
{
	unsigned int at = prefetchable ? PCI_PREFETCH_BASE : PCI_MEMORY_BASE;
	u32 both = pci_read_config32(port, at);
	struct range range = { .next = (u64)(both & 0xfff0) << 16,
			       .end = (u64)(both >> 16 & 0xfff0) << 16 };

	if (prefetchable && (both & 0xf) == 1) {
		range.next |= (u64)pci_read_config32(port, PCI_PREFETCH_BASE_UPPER) << 32;
		range.end |= (u64)pci_read_config32(port, PCI_PREFETCH_LIMIT_UPPER) << 32;
	}
	range.end += 1 << 20; /* the limit's low bits count as ones */
	if (range.next >= range.end)
		range = (struct range){};
	return range;
}

static bool range_take(struct range *range, u64 size, u64 *start)
{
	u64 at = ALIGN_UP(range->next, size);

	if (!size || !range->end || at < range->next || at >= range->end || size > range->end - at)
		return false;
	*start = at;
	range->next = at + size;
	return true;
}

static void window_place(struct pci_device *device, int index, struct range *memory,
			 struct range *prefetchable)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * (unsigned int)index;
	struct pci_window *window = &device->windows[index];
	u32 low = pci_read_config32(device, offset);
	bool wide = (low & 6) == 4, preferred = low & 8;
	u64 start;

	if (!(preferred && wide && range_take(prefetchable, window->size, &start)) &&
	    !range_take(memory, window->size, &start)) {
		pr_warn("%s: no room for window %d of %llu bytes\n", device->name, index,
			(unsigned long long)window->size);
		return;
	}
	pci_write_config32(device, offset, (u32)start);
	if (wide)
		pci_write_config32(device, offset + 4, (u32)(start >> 32));
	window->start = start;
}

/* The slot was empty, so all that the port passes on is free; its functions share it. */
void hotplug_place(struct pci_device *port, struct pci_device **devices, unsigned int count)
{
	struct range memory = port_range(port, false), prefetchable = port_range(port, true);

	for (unsigned int i = 0; i < count; i++)
		for (int index = 0; index < PCI_BAR_COUNT; index++)
			if (devices[i]->windows[index].size && !devices[i]->windows[index].io)
				window_place(devices[i], index, &memory, &prefetchable);
}
