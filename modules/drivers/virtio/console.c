/*
 * virtio-console (virtio 1.2, 5.3): serial ports of the hypervisor. With the multiport feature the device tells in
 * control messages which ports there are, their names, and whether the host's side is open; a port is a terminal
 * (/dev/hvcN) if the device calls it a console, else a byte stream (/dev/vportNpM, /dev/virtio-ports/NAME).
 */
#define LOG_PREFIX "virtio_console: "
#include "console.h"

#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/virtio_console.h>

enum { CONTROL_BUFFERS = 16, CONTROL_BUFFER_SIZE = 128, PORT_LIMIT = 1024 };

static atomic_t next_number;

/* Port 0 has queues 0 and 1, the control messages 2 and 3, port n > 0 has 2n + 2 and 2n + 3 (5.3.2). */
enum { CONTROL_IN_QUEUE = 2, CONTROL_OUT_QUEUE = 3 };

void console_send(struct console_device *console, u32 id, u16 event, u16 value)
{
	struct virtio_console_control *message;
	struct virtio_buffer buffer;

	if (!console->control_out) /* with its one port there is nothing to tell */
		return;
	message = kmalloc(sizeof(*message), GFP_ATOMIC);
	if (!message)
		goto lost;
	buffer = (struct virtio_buffer){ message, sizeof(*message) };
	*message = (struct virtio_console_control){ .id = id, .event = event, .value = value };
	if (virtqueue_add(console->control_out, &buffer, 1, 0, message))
		goto lost;
	virtqueue_notify(console->control_out);
	return;
lost:
	kfree(message);
	pr_err("port %u: control message %u could not be sent\n", id, event);
}

static void control_sent(struct virtqueue *queue)
{
	void *message;
	u32 written;

	while ((message = virtqueue_take(queue, &written)))
		kfree(message);
}

static void control_came(struct virtqueue *queue)
{
	struct console_device *console = queue->private;

	work_queue(&console->work);
}

static void port_add(struct port *port)
{
	if (port->in_use)
		return;
	if (port_show(port)) {
		pr_err("port %u: no memory for its files\n", port->id);
		console_send(port->console, port->id, VIRTIO_CONSOLE_PORT_READY, 0);
		return;
	}
	port->in_use = true;
	console_send(port->console, port->id, VIRTIO_CONSOLE_PORT_READY, 1);
}

/* A message of the host: `size` bytes, of which all that is text after the header is its own to choose. */
static void control_message(struct console_device *console, const u8 *data, u32 size)
{
	struct virtio_console_control message;
	char name[PORT_NAME_SIZE];
	struct port *port;

	if (size < sizeof(message))
		return;
	memcpy(&message, data, sizeof(message));
	if (message.id >= console->port_count) {
		pr_warn("the host speaks of port %u; there are %u\n", message.id, console->port_count);
		return;
	}
	port = &console->ports[message.id];
	if (message.event == VIRTIO_CONSOLE_PORT_ADD) {
		port_add(port);
		return;
	}
	if (!port->in_use)
		return;
	switch (message.event) {
	case VIRTIO_CONSOLE_PORT_REMOVE:
		port_remove(port);
		port->in_use = false;
		break;
	case VIRTIO_CONSOLE_CONSOLE_PORT:
		if (message.value && port_become_console(port))
			pr_err("port %u: no terminal could be made\n", port->id);
		break;
	case VIRTIO_CONSOLE_RESIZE: {
		u16 dimensions[2]; /* rows, columns: as QEMU orders them */

		if (!port->tty || size < sizeof(message) + sizeof(dimensions))
			break;
		memcpy(dimensions, data + sizeof(message), sizeof(dimensions));
		tty_set_size(port->tty, dimensions[0], dimensions[1]);
		break;
	}
	case VIRTIO_CONSOLE_PORT_OPEN:
		port_host_open(port, message.value);
		break;
	case VIRTIO_CONSOLE_PORT_NAME:
		size = min(size - (u32)sizeof(message), (u32)sizeof(name) - 1);
		memcpy(name, data + sizeof(message), size);
		name[size] = '\0';
		port_set_name(port, name);
		break;
	default:
		break;
	}
}

static int control_buffer_add(struct console_device *console, u8 *data)
{
	struct virtio_buffer buffer = { data, CONTROL_BUFFER_SIZE };

	return virtqueue_add(console->control_in, &buffer, 0, 1, data);
}

static void control_work(struct work *work)
{
	struct console_device *console = container_of(work, struct console_device, work);
	u32 size;
	u8 *data;

	while ((data = virtqueue_take(console->control_in, &size))) {
		control_message(console, data, size);
		if (control_buffer_add(console, data))
			break; /* reset meanwhile */
	}
	virtqueue_notify(console->control_in);
}

static int control_start(struct console_device *console)
{
	int error;

	for (int i = 0; i < CONTROL_BUFFERS; i++) {
		error = control_buffer_add(console, console->control_buffers + i * CONTROL_BUFFER_SIZE);
		if (error)
			return i ? 0 : error; /* a smaller queue does */
	}
	return 0;
}

static int queues_create(struct console_device *console, bool multiport)
{
	struct virtio_device *device = console->virtio;
	int error = 0;

	/* In the order of their numbers: port 0, control, the other ports. */
	for (u32 i = 0; i < console->port_count && !error; i++) {
		error = port_prepare(&console->ports[i]);
		if (error || i || !multiport)
			continue;
		console->control_in = virtqueue_create(device, CONTROL_IN_QUEUE, CONTROL_BUFFERS,
						       control_came, console);
		if (IS_ERR(console->control_in))
			return (int)PTR_ERR(console->control_in);
		console->control_out = virtqueue_create(device, CONTROL_OUT_QUEUE, PORT_QUEUE_LIMIT,
							control_sent, console);
		if (IS_ERR(console->control_out))
			return (int)PTR_ERR(console->control_out);
	}
	return error;
}

/* Takes everything apart; the device has been reset. */
static void console_destroy(struct console_device *console)
{
	void *message;

	work_cancel_sync(&console->work);
	for (u32 i = 0; i < console->port_count; i++) {
		if (console->ports[i].in_use)
			port_remove(&console->ports[i]);
		port_reclaim(&console->ports[i]);
	}
	while (!IS_ERR_OR_NULL(console->control_out) &&
	       (message = virtqueue_reclaim(console->control_out)))
		kfree(message);
	virtqueues_destroy(console->virtio);
	for (u32 i = 0; i < console->port_count; i++)
		port_free(&console->ports[i]);
	kfree(console->ports);
	kfree(console->control_buffers);
	kfree(console);
}

static struct console_device *console_create(struct virtio_device *device, bool multiport)
{
	struct console_device *console = kzalloc(sizeof(*console), GFP_KERNEL);
	u32 ports = 1;

	if (!console)
		return NULL;
	console->virtio = device;
	console->number = (unsigned int)atomic_inc_return(&next_number) - 1;
	work_init(&console->work, control_work);
	if (multiport)
		device->transport->config_read(device,
					       offsetof(struct virtio_console_config, max_nr_ports),
					       &ports, sizeof(ports));
	console->port_count = clamp(ports, 1u, (u32)PORT_LIMIT);
	console->ports = kcalloc(console->port_count, sizeof(struct port), GFP_KERNEL);
	console->control_buffers = kmalloc(CONTROL_BUFFERS * CONTROL_BUFFER_SIZE, GFP_KERNEL);
	if (!console->ports || !console->control_buffers) {
		kfree(console->ports);
		kfree(console->control_buffers);
		kfree(console);
		return NULL;
	}
	for (u32 i = 0; i < console->port_count; i++) {
		console->ports[i].console = console;
		console->ports[i].id = i;
	}
	return console;
}

/* With control messages the device waits for our READY before it tells anything; else port 0 is all there is. */
static int console_begin(struct console_device *console, bool multiport)
{
	struct port *port = &console->ports[0];
	int error = 0;

	for (u32 i = 0; i < console->port_count && !error; i++)
		error = port_fill(&console->ports[i]);
	if (error)
		return error;
	if (multiport) {
		error = control_start(console);
		if (!error)
			console_send(console, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
		return error;
	}
	error = port_show(port);
	if (error)
		return error;
	port->in_use = true;
	port_host_open(port, true);
	return port_become_console(port);
}

static int console_probe(struct virtio_device *device)
{
	bool multiport = virtio_has(device, VIRTIO_CONSOLE_F_MULTIPORT);
	struct console_device *console = console_create(device, multiport);
	int error;

	if (!console)
		return -ENOMEM;
	device->private = console;
	error = queues_create(console, multiport);
	if (error)
		goto free;
	virtio_device_ready(device);
	error = console_begin(console, multiport);
	if (!error)
		return 0;
free:
	virtio_device_reset(device);
	console_destroy(console);
	return error;
}

static void console_remove(struct virtio_device *device)
{
	console_destroy(device->private);
}

static struct virtio_driver console_driver = {
	.name = "virtio_console",
	.id = VIRTIO_ID_CONSOLE,
	.features = BIT(VIRTIO_CONSOLE_F_SIZE) | BIT(VIRTIO_CONSOLE_F_MULTIPORT),
	.probe = console_probe,
	.remove = console_remove,
};

static int __init console_init(void)
{
	return virtio_driver_register(&console_driver);
}

static void __exit console_exit(void)
{
	virtio_driver_unregister(&console_driver);
}

module_init(console_init);
module_exit(console_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("serial ports and consoles of the hypervisor");
MODULE_ALIAS("virtio:d00000003v*");
