/*
 * The virtio bus: devices that transports found, drivers by device id, and the steps of a device's start (virtio 1.2,
 * 3.1.1).
 */
#define LOG_PREFIX "virtio: "
#include "virtio.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/rcu.h>
#include <kumo/string.h>

static struct mutex virtio_lock = MUTEX_INIT(virtio_lock, "virtio");
static struct list devices = LIST_INIT(devices);
static struct list drivers = LIST_INIT(drivers);
static struct pseudo_directory *devices_directory;
static unsigned int next_number;

static int features_agree(struct virtio_device *device, const struct virtio_driver *driver)
{
	const struct virtio_transport *transport = device->transport;
	u64 offered = transport->features_get(device);

	if (!(offered & BIT(VIRTIO_F_VERSION_1))) {
		pr_err("virtio%u: a legacy device; version 1 is needed (disable-legacy=off offers both)\n",
		       device->number);
		return -ENODEV;
	}
	device->features = offered & (driver->features | BIT(VIRTIO_F_VERSION_1));
	transport->features_set(device, device->features);
	transport->status_set(device, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	return transport->status_get(device) & VIRTIO_FEATURES_OK ? 0 : -ENODEV;
}

/* virtio_lock is held. */
static void device_bind(struct virtio_device *device, struct virtio_driver *driver)
{
	const struct virtio_transport *transport = device->transport;
	int error;

	if (device->driver || device->id != driver->id)
		return;
	transport->status_set(device, 0);
	transport->status_set(device, VIRTIO_ACKNOWLEDGE);
	transport->status_set(device, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	error = features_agree(device, driver);
	if (!error) {
		device->driver = driver;
		error = driver->probe(device);
	}
	if (error) {
		pr_err("virtio%u: driver %s failed: error %d\n", device->number, driver->name, error);
		device->driver = NULL;
		transport->status_set(device, VIRTIO_FAILED);
	}
}

/* virtio_lock is held. */
static void device_unbind(struct virtio_device *device)
{
	if (!device->driver)
		return;
	virtio_device_reset(device);
	device->driver->remove(device);
	device->driver = NULL;
}

int virtio_driver_register(struct virtio_driver *driver)
{
	struct virtio_device *device;

	mutex_lock(&virtio_lock);
	list_add_tail(&drivers, &driver->link);
	list_for_each(device, &devices, link)
		device_bind(device, driver);
	mutex_unlock(&virtio_lock);
	return 0;
}
EXPORT_SYMBOL(virtio_driver_register);

void virtio_driver_unregister(struct virtio_driver *driver)
{
	struct virtio_device *device;

	mutex_lock(&virtio_lock);
	list_for_each(device, &devices, link)
		if (device->driver == driver)
			device_unbind(device);
	list_del(&driver->link);
	mutex_unlock(&virtio_lock);
}
EXPORT_SYMBOL(virtio_driver_unregister);

static int modalias_show(struct text *text, void *object)
{
	text_printf(text, "virtio:d%08Xv00001AF4\n", ((struct virtio_device *)object)->id);
	return 0;
}

static int status_show(struct text *text, void *object)
{
	struct virtio_device *device = object;

	text_printf(text, "0x%08x\n", device->transport->status_get(device));
	return 0;
}

static int features_show(struct text *text, void *object)
{
	for (unsigned int bit = 0; bit < 64; bit++)
		text_putc(text, virtio_has(object, bit) ? '1' : '0');
	text_putc(text, '\n');
	return 0;
}

static const struct pseudo_file device_files[] = {
	PSEUDO_TEXT("features", 0444, features_show),
	PSEUDO_TEXT("modalias", 0444, modalias_show),
	PSEUDO_TEXT("status", 0444, status_show),
	{},
};

int virtio_device_register(struct virtio_device *device)
{
	struct virtio_driver *driver;
	char name[20];
	int error = 0;

	spin_init(&device->queues_lock, "virtio_queues");
	mutex_lock(&virtio_lock);
	device->number = next_number++;
	snprintf(name, sizeof(name), "virtio%u", device->number);
	device->directory =
		pseudo_directory_add(sys_tree, devices_directory, name, device_files, device);
	if (IS_ERR(device->directory)) {
		error = (int)PTR_ERR(device->directory);
	} else {
		list_add_tail(&devices, &device->link);
		list_for_each(driver, &drivers, link)
			device_bind(device, driver);
		if (!device->driver)
			request_module_nowait("virtio:d%08Xv00001AF4", device->id);
	}
	mutex_unlock(&virtio_lock);
	return error;
}
EXPORT_SYMBOL(virtio_device_register);

void virtio_device_unregister(struct virtio_device *device)
{
	pseudo_directory_remove(device->directory);
	mutex_lock(&virtio_lock);
	device_unbind(device);
	list_del(&device->link);
	mutex_unlock(&virtio_lock);
}
EXPORT_SYMBOL(virtio_device_unregister);

void virtio_device_ready(struct virtio_device *device)
{
	WRITE_ONCE(device->ready, true);
	device->transport->status_set(device, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER |
						      VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}
EXPORT_SYMBOL(virtio_device_ready);

void virtio_device_reset(struct virtio_device *device)
{
	WRITE_ONCE(device->ready, false);
	device->transport->status_set(device, 0);
	synchronize_rcu(); /* interrupt handlers that had begun are done */
}
EXPORT_SYMBOL(virtio_device_reset);

int virtio_device_restart(struct virtio_device *device)
{
	const struct virtio_transport *transport = device->transport;

	transport->status_set(device, VIRTIO_ACKNOWLEDGE);
	transport->status_set(device, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	transport->features_set(device, device->features);
	transport->status_set(device, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	return transport->status_get(device) & VIRTIO_FEATURES_OK ? 0 : -ENODEV;
}
EXPORT_SYMBOL(virtio_device_restart);

void virtio_config_interrupt(struct virtio_device *device)
{
	struct virtio_driver *driver = READ_ONCE(device->driver);

	if (READ_ONCE(device->ready) && driver && driver->config_changed)
		driver->config_changed(device);
}
EXPORT_SYMBOL(virtio_config_interrupt);

static int __init virtio_init(void)
{
	devices_directory = pseudo_directory_path(sys_tree, "bus/virtio/devices");
	return devices_directory ? 0 : -ENOMEM;
}

static void __exit virtio_exit(void)
{
}

module_init(virtio_init);
module_exit(virtio_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("virtio devices and queues");
