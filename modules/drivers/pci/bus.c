/*
 * The PCI buses: finds the devices at load, shows them in /sys/bus/pci/devices, and binds drivers to them. A device for
 * which no driver has registered a moment after the search makes the kernel ask for modules by its alias, all such devices in one
 * request.
 */
#define LOG_PREFIX "pci: "
#include "internal.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>

enum { HEADER_BRIDGE = 1, HEADER_MULTI_FUNCTION = 0x80, BUS_COUNT = 256 };

static struct mutex pci_lock = MUTEX_INIT(pci_lock, "pci");
static struct list devices = LIST_INIT(devices);
static struct list drivers = LIST_INIT(drivers);
static struct pseudo_directory *devices_directory;
static struct thread *autoload_thread;

static int autoload_delay_ms = 50;
module_param(autoload_delay_ms, int, 0644);
MODULE_PARM_DESC(autoload_delay_ms,
		 "how long after the search devices wait for a driver before modules are asked for");

/* ---- Binding ---- */

static bool driver_matches(const struct pci_driver *driver, const struct pci_device *device)
{
	for (const struct pci_device_id *id = driver->ids; id->vendor; id++)
		if ((id->vendor == PCI_ANY_ID || id->vendor == device->vendor) &&
		    (id->device == PCI_ANY_ID || id->device == device->device))
			return true;
	return false;
}

/* pci_lock is held. */
static void device_bind(struct pci_device *device, struct pci_driver *driver)
{
	int error;

	if (device->driver || !driver_matches(driver, device))
		return;
	error = driver->probe(device);
	if (error)
		pr_err("%s: driver %s failed: error %d\n", device->name, driver->name, error);
	else
		device->driver = driver;
}

int pci_driver_register(struct pci_driver *driver)
{
	struct pci_device *device;

	mutex_lock(&pci_lock);
	list_add_tail(&drivers, &driver->link);
	list_for_each(device, &devices, link)
		device_bind(device, driver);
	mutex_unlock(&pci_lock);
	return 0;
}
EXPORT_SYMBOL(pci_driver_register);

void pci_driver_unregister(struct pci_driver *driver)
{
	struct pci_device *device;

	mutex_lock(&pci_lock);
	list_for_each(device, &devices, link) {
		if (device->driver != driver)
			continue;
		driver->remove(device);
		device->driver = NULL;
	}
	list_del(&driver->link);
	mutex_unlock(&pci_lock);
}
EXPORT_SYMBOL(pci_driver_unregister);

/* ---- /sys/bus/pci/devices/NAME ---- */

static void modalias(const struct pci_device *d, char *buffer, size_t size)
{
	snprintf(buffer, size, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", d->vendor, d->device,
		 d->subsystem_vendor, d->subsystem_device, d->class_code >> 16,
		 (d->class_code >> 8) & 0xff, d->class_code & 0xff);
}

static int modalias_show(struct text *text, void *object)
{
	char alias[80];

	modalias(object, alias, sizeof(alias));
	text_printf(text, "%s\n", alias);
	return 0;
}

static int vendor_show(struct text *text, void *object)
{
	text_printf(text, "0x%04x\n", ((struct pci_device *)object)->vendor);
	return 0;
}

static int device_show(struct text *text, void *object)
{
	text_printf(text, "0x%04x\n", ((struct pci_device *)object)->device);
	return 0;
}

static int subsystem_vendor_show(struct text *text, void *object)
{
	text_printf(text, "0x%04x\n", ((struct pci_device *)object)->subsystem_vendor);
	return 0;
}

static int subsystem_device_show(struct text *text, void *object)
{
	text_printf(text, "0x%04x\n", ((struct pci_device *)object)->subsystem_device);
	return 0;
}

static int class_show(struct text *text, void *object)
{
	text_printf(text, "0x%06x\n", ((struct pci_device *)object)->class_code);
	return 0;
}

static int irq_show(struct text *text, void *object)
{
	struct pci_device *device = object;

	text_printf(text, "%d\n", device->irq < 0 ? 0 : device->irq);
	return 0;
}

/* One line a window: first address, last address, flags (Linux's IORESOURCE_IO, IORESOURCE_MEM). */
static int resource_show(struct text *text, void *object)
{
	struct pci_device *device = object;

	for (int i = 0; i < PCI_BAR_COUNT; i++) {
		const struct pci_window *w = &device->windows[i];
		u64 flags = !w->size ? 0 : w->io ? 0x100 : 0x200;

		text_printf(text, "0x%016llx 0x%016llx 0x%016llx\n",
			    w->size ? (unsigned long long)w->start : 0ULL,
			    w->size ? (unsigned long long)(w->start + w->size - 1) : 0ULL,
			    (unsigned long long)flags);
	}
	return 0;
}

static int uevent_show(struct text *text, void *object)
{
	struct pci_device *d = object;
	const char *driver = NULL;
	char alias[80];

	mutex_lock(&pci_lock);
	if (d->driver)
		driver = d->driver->name;
	if (driver)
		text_printf(text, "DRIVER=%s\n", driver);
	mutex_unlock(&pci_lock);
	modalias(d, alias, sizeof(alias));
	text_printf(text,
		    "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\nMODALIAS=%s\n",
		    d->class_code, d->vendor, d->device, d->subsystem_vendor, d->subsystem_device,
		    d->name, alias);
	return 0;
}

static const struct pseudo_file device_files[] = {
	PSEUDO_TEXT("class", 0444, class_show),
	PSEUDO_TEXT("device", 0444, device_show),
	PSEUDO_TEXT("irq", 0444, irq_show),
	PSEUDO_TEXT("modalias", 0444, modalias_show),
	PSEUDO_TEXT("resource", 0444, resource_show),
	PSEUDO_TEXT("subsystem_device", 0444, subsystem_device_show),
	PSEUDO_TEXT("subsystem_vendor", 0444, subsystem_vendor_show),
	PSEUDO_TEXT("uevent", 0444, uevent_show),
	PSEUDO_TEXT("vendor", 0444, vendor_show),
	{},
};

/* ---- Search ---- */

/* Makes a device of what answers there; nobody sees it yet. */
static struct pci_device *device_make_at(u8 bus, u8 slot, u8 function, u8 header)
{
	struct pci_device *device = kzalloc(sizeof(*device), GFP_KERNEL);
	u8 line;

	if (!device)
		return NULL;
	device->bus = bus;
	device->slot = slot;
	device->function = function;
	device->vendor = pci_read_config16(device, PCI_VENDOR_ID);
	device->device = pci_read_config16(device, PCI_DEVICE_ID);
	device->class_code = pci_read_config32(device, PCI_REVISION_ID) >> 8;
	device->revision = pci_read_config8(device, PCI_REVISION_ID);
	device->irq = -1;
	snprintf(device->name, sizeof(device->name), "0000:%02x:%02x.%u", bus, slot, function);
	if (header != HEADER_BRIDGE) {
		device->subsystem_vendor = pci_read_config16(device, PCI_SUBSYSTEM_VENDOR_ID);
		device->subsystem_device = pci_read_config16(device, PCI_SUBSYSTEM_ID);
	}
	line = pci_read_config8(device, PCI_INTERRUPT_LINE);
	if (pci_read_config8(device, PCI_INTERRUPT_PIN) && line && line != 0xff)
		device->irq = irq_from_isa_line(line);
	pci_read_windows(device, header == HEADER_BRIDGE ? 2 : PCI_BAR_COUNT);
	return device;
}

static int device_show_in_sysfs(struct pci_device *device)
{
	device->directory = pseudo_directory_add(sys_tree, devices_directory, device->name,
						 device_files, device);
	return IS_ERR(device->directory) ? (int)PTR_ERR(device->directory) : 0;
}

static int device_add(u8 bus, u8 slot, u8 function, u8 header)
{
	struct pci_device *device = device_make_at(bus, slot, function, header);
	int error;

	if (!device)
		return -ENOMEM;
	error = device_show_in_sysfs(device);
	if (error)
		kfree(device);
	else
		list_add_tail(&devices, &device->link);
	return error;
}

/* Marks in `buses` the bus behind a bridge, to be searched after this one. */
static int slot_scan(u8 bus, u8 slot, bool *buses)
{
	unsigned int functions = 1;

	for (u8 function = 0; function < functions; function++) {
		u8 header;
		int error;

		if ((u16)pci_config_read(bus, slot, function, PCI_VENDOR_ID) == 0xffff)
			continue;
		header = (u8)(pci_config_read(bus, slot, function, PCI_HEADER_TYPE & ~3u) >> 16);
		if (header & HEADER_MULTI_FUNCTION)
			functions = 8;
		header &= 0x7f;
		if (header == HEADER_BRIDGE) {
			u8 secondary = (u8)(pci_config_read(bus, slot, function, PCI_PRIMARY_BUS) >> 8);

			if (secondary > bus)
				buses[secondary] = true;
		}
		error = device_add(bus, slot, function, header);
		if (error)
			return error;
	}
	return 0;
}

/* Buses are numbered downwards from bridge to bridge by the firmware, so one pass in rising order finds all. */
static int scan(void)
{
	bool *buses = kcalloc(BUS_COUNT, sizeof(*buses), GFP_KERNEL);
	int error = buses ? 0 : -ENOMEM;

	for (unsigned int bus = 0; bus < BUS_COUNT && !error; bus++)
		for (u8 slot = 0; (bus == 0 || buses[bus]) && slot < 32 && !error; slot++)
			error = slot_scan((u8)bus, slot, buses);
	kfree(buses);
	return error;
}

/* ---- Devices that come and go ---- */

bool bus_used(u8 bus)
{
	struct pci_device *device;
	bool used = false;

	mutex_lock(&pci_lock);
	list_for_each(device, &devices, link)
		used |= device->bus == bus;
	mutex_unlock(&pci_lock);
	return used;
}

static void device_announce(struct pci_device *device)
{
	struct pci_driver *driver;
	char alias[80];

	mutex_lock(&pci_lock);
	list_add_tail(&devices, &device->link);
	list_for_each(driver, &drivers, link)
		device_bind(device, driver);
	if (!device->driver) {
		modalias(device, alias, sizeof(alias));
		request_module_nowait("%s", alias);
	}
	mutex_unlock(&pci_lock);
}

/* The functions of the first slot, but for bridges: what is behind one would need bus numbers. How many. */
static unsigned int slot_search(u8 bus, struct pci_device **found)
{
	unsigned int count = 0, functions = 1;

	for (u8 function = 0; function < functions; function++) {
		u8 header;

		if ((u16)pci_config_read(bus, 0, function, PCI_VENDOR_ID) == 0xffff)
			continue;
		header = (u8)(pci_config_read(bus, 0, function, PCI_HEADER_TYPE & ~3u) >> 16);
		if (header & HEADER_MULTI_FUNCTION)
			functions = 8;
		if ((header & 0x7f) == HEADER_BRIDGE)
			continue;
		found[count] = device_make_at(bus, 0, function, header & 0x7f);
		if (found[count])
			count++;
	}
	return count;
}

int bus_add(u8 bus, struct pci_device *port)
{
	struct pci_device *found[8];
	unsigned int count = slot_search(bus, found);

	hotplug_place(port, found, count);
	for (unsigned int i = 0; i < count; i++) {
		if (device_show_in_sysfs(found[i]))
			kfree(found[i]);
		else
			device_announce(found[i]);
	}
	return count ? 0 : -ENODEV;
}

/* The next device on the bus, without its driver and out of the list; NULL: none. */
static struct pci_device *device_take(u8 bus)
{
	struct pci_device *device, *found = NULL;

	mutex_lock(&pci_lock);
	list_for_each(device, &devices, link)
		if (device->bus == bus)
			found = device;
	if (found) {
		if (found->driver)
			found->driver->remove(found);
		found->driver = NULL;
		list_del(&found->link);
	}
	mutex_unlock(&pci_lock);
	return found;
}

/* A reader in a device's folder may want pci_lock: the folder goes without it. */
void bus_remove(u8 bus)
{
	struct pci_device *device;

	while ((device = device_take(bus))) {
		pseudo_directory_remove(device->directory);
		kfree(device);
	}
}

/* Ports that are there at the start; others would come with bridges, which do not come. */
static void hotplug_start_all(void)
{
	struct pci_device *device;

	list_for_each(device, &devices, link)
		hotplug_start(device);
}

/* ---- Autoload ---- */

static int autoload(void *unused)
{
	struct pci_device *device;

	sleep_ns((u64)max(autoload_delay_ms, 0) * NSEC_PER_MSEC);
	mutex_lock(&pci_lock);
	list_for_each(device, &devices, link) {
		char alias[80];

		if (device->driver || kthread_should_stop())
			continue;
		modalias(device, alias, sizeof(alias));
		request_module_nowait("%s", alias);
	}
	mutex_unlock(&pci_lock);
	return 0;
}

static void devices_free(void)
{
	struct pci_device *device, *after;

	list_for_each_safe(device, after, &devices, link) {
		pseudo_directory_remove(device->directory);
		list_del(&device->link);
		kfree(device);
	}
}

static int __init pci_init(void)
{
	int error;

	devices_directory = pseudo_directory_path(sys_tree, "bus/pci/devices");
	if (!devices_directory)
		return -ENOMEM;
	error = scan();
	if (error)
		goto free;
	autoload_thread = kthread_run(autoload, NULL, "pci-autoload");
	if (IS_ERR(autoload_thread)) {
		error = (int)PTR_ERR(autoload_thread);
		goto free;
	}
	hotplug_start_all();
	return 0;
free:
	devices_free();
	return error;
}

static void __exit pci_exit(void)
{
	kthread_stop(autoload_thread);
	hotplug_stop();
	devices_free();
}

module_init(pci_init);
module_exit(pci_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("PCI buses");
