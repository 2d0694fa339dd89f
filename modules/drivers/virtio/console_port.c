/*
 * A port of virtio-console: its buffers, and the files through which programs use it. What it is to a program is what
 * Linux has: one opener at a time; reading waits for bytes and gives end of file while the host's side is closed; writing
 * returns when the host has taken the bytes.
 */
#define LOG_PREFIX "virtio_console: "
#include "console.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/poll.h>
#include <linux/virtio_console.h>

/* Bytes on their way to the host. Freed by whoever comes last, the writer or the device's answer. */
struct port_output {
	bool done;	/* the host has it */
	bool abandoned; /* nobody waits for it */
	u8 data[];
};

/* ---- Buffers ---- */

static int input_give(struct port *port, struct port_input *input)
{
	struct virtio_buffer buffer = { input->data, PORT_INPUT_SIZE };

	return virtqueue_add(port->in, &buffer, 0, 1, input);
}

/* Moves what the device has filled to the ready list. The lock is held. */
static void inputs_collect(struct port *port)
{
	struct port_input *input;
	u32 size;

	while ((input = virtqueue_take(port->in, &size))) {
		input->size = size;
		input->taken = 0;
		list_add_tail(&port->ready, &input->link);
	}
}

/* Empties the ready list, into the terminal if there is one; the buffers go back to the device. The lock is held. */
static void inputs_use_up(struct port *port)
{
	struct port_input *input, *after;

	list_for_each_safe(input, after, &port->ready, link) {
		list_del(&input->link);
		if (port->tty)
			tty_receive(port->tty, input->data + input->taken, input->size - input->taken);
		if (input_give(port, input))
			return; /* the queue is broken and has said so */
	}
	virtqueue_notify(port->in);
}

static void input_came(struct virtqueue *queue)
{
	struct port *port = queue->private;
	unsigned long flags = spin_lock_irqsave(&port->lock);

	inputs_collect(port);
	if (port->tty)
		inputs_use_up(port);
	spin_unlock_irqrestore(&port->lock, flags);
	wake_up_all(&port->readers);
}

static void output_gone(struct virtqueue *queue)
{
	struct port *port = queue->private;
	unsigned long flags = spin_lock_irqsave(&port->lock);
	struct port_output *output;
	u32 written;

	while ((output = virtqueue_take(queue, &written))) {
		output->done = true;
		if (output->abandoned)
			kfree(output);
	}
	if (port->tty)
		tty_output_ready(port->tty);
	spin_unlock_irqrestore(&port->lock, flags);
	wake_up_all(&port->writers);
}

int port_prepare(struct port *port)
{
	struct virtio_device *device = port->console->virtio;
	unsigned int queue = port->id ? 2 * port->id + 2 : 0;

	spin_init(&port->lock, "virtio_port");
	mutex_init(&port->read_lock, "virtio_port_read");
	list_init(&port->ready);
	wait_queue_init(&port->readers);
	wait_queue_init(&port->writers);
	for (int i = 0; i < PORT_INPUTS; i++) {
		port->inputs[i].data = kmalloc(PORT_INPUT_SIZE, GFP_KERNEL);
		if (!port->inputs[i].data)
			return -ENOMEM;
	}
	port->in = virtqueue_create(device, queue, PORT_QUEUE_LIMIT, input_came, port);
	if (IS_ERR(port->in))
		return (int)PTR_ERR(port->in);
	port->out = virtqueue_create(device, queue + 1, PORT_QUEUE_LIMIT, output_gone, port);
	return IS_ERR(port->out) ? (int)PTR_ERR(port->out) : 0;
}

int port_fill(struct port *port)
{
	int error = 0;

	for (int i = 0; i < PORT_INPUTS && !error; i++)
		error = input_give(port, &port->inputs[i]);
	virtqueue_notify(port->in);
	return error;
}

void port_reclaim(struct port *port)
{
	struct port_output *output;

	while (!IS_ERR_OR_NULL(port->out) && (output = virtqueue_reclaim(port->out)))
		kfree(output);
}

void port_free(struct port *port)
{
	for (int i = 0; i < PORT_INPUTS; i++)
		kfree(port->inputs[i].data);
}

void port_host_open(struct port *port, bool open)
{
	WRITE_ONCE(port->host_connected, open);
	wake_up_all(&port->readers);
	wake_up_all(&port->writers);
}

/* ---- /dev/vportNpM ---- */

static struct port *port_of(struct file *file)
{
	return ((struct char_device *)file->private)->private;
}

static int port_open(struct file *file, const struct cred *cred)
{
	struct port *port = port_of(file);
	unsigned long flags = spin_lock_irqsave(&port->lock);
	bool busy = port->opened;

	port->opened = true;
	spin_unlock_irqrestore(&port->lock, flags);
	if (busy)
		return -EBUSY;
	console_send(port->console, port->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
	return 0;
}

static void port_clunk(struct file *file)
{
	struct port *port = port_of(file);

	if (!port->gone)
		console_send(port->console, port->id, VIRTIO_CONSOLE_PORT_OPEN, 0);
	WRITE_ONCE(port->opened, false);
}

/*
 * The input that is being read, the first with bytes if none was; NULL: none has come. What the device has done is looked at
 * here too, so that bytes that came before the host closed its side are read before the end of file.
 */
static struct port_input *input_first(struct port *port)
{
	unsigned long flags = spin_lock_irqsave(&port->lock);
	struct port_input *input;

	inputs_collect(port);
	if (!port->reading && !list_empty(&port->ready)) {
		port->reading = list_first(&port->ready, struct port_input, link);
		list_del(&port->reading->link);
	}
	input = port->reading;
	spin_unlock_irqrestore(&port->lock, flags);
	return input;
}

/* The input that has been read goes back to the device. */
static void input_finished(struct port *port)
{
	unsigned long flags = spin_lock_irqsave(&port->lock);

	if (!input_give(port, port->reading))
		virtqueue_notify(port->in);
	port->reading = NULL;
	spin_unlock_irqrestore(&port->lock, flags);
}

/* What has come, as far as it fits; 0: nothing. read_lock is held: the copies of two readers would take the same bytes. */
static ssize_t inputs_read(struct port *port, struct iter *to)
{
	struct port_input *input;
	ssize_t done = 0;

	while (to->count && (input = input_first(port))) {
		size_t wanted = min((size_t)(input->size - input->taken), to->count);
		size_t copied = iter_copy_to(to, input->data + input->taken, wanted);

		input->taken += (u32)copied;
		done += (ssize_t)copied;
		if (input->taken == input->size)
			input_finished(port);
		if (copied < wanted)
			return done ? done : -EFAULT;
	}
	return done;
}

static ssize_t port_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct port *port = port_of(file);

	while (to->count) {
		/* Before the look: what came before the host closed its side is read before the end of file. */
		bool connected = READ_ONCE(port->host_connected);
		ssize_t done = mutex_lock_interruptible(&port->read_lock);

		if (done)
			return -ERESTARTSYS;
		if (!READ_ONCE(port->gone))
			done = inputs_read(port, to);
		mutex_unlock(&port->read_lock);
		if (done)
			return done;
		if (READ_ONCE(port->gone))
			return -ENODEV;
		if (!connected)
			return 0;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&port->readers,
					     input_first(port) || !READ_ONCE(port->host_connected) ||
						     READ_ONCE(port->gone)))
			return -ERESTARTSYS;
	}
	return 0;
}

static int output_submit(struct port *port, struct port_output *output, size_t size)
{
	struct virtio_buffer buffer = { output->data, (u32)size };
	int error = virtqueue_add(port->out, &buffer, 1, 0, output);

	if (!error)
		virtqueue_notify(port->out);
	return error;
}

/* The same; where the queue is full it waits for room. */
static int output_submit_waiting(struct port *port, struct port_output *output, size_t size)
{
	int error = output_submit(port, output, size), interrupted;

	if (error != -ENOSPC)
		return error;
	interrupted = wait_event_interruptible(
		&port->writers,
		READ_ONCE(port->gone) || (error = output_submit(port, output, size)) != -ENOSPC);
	if (error != -ENOSPC)
		return error;
	return interrupted ? interrupted : -ENODEV;
}

static bool output_is_done(struct port *port, struct port_output *output)
{
	return READ_ONCE(output->done) || READ_ONCE(port->gone);
}

/* Waits until the host has it. A writer that is interrupted, or does not wait, leaves it to the answer. */
static int output_wait(struct port *port, struct port_output *output, bool wait)
{
	int error = wait ? wait_event_interruptible(&port->writers, output_is_done(port, output)) : 0;
	unsigned long flags = spin_lock_irqsave(&port->lock);
	bool done = output->done;

	output->abandoned = true;
	spin_unlock_irqrestore(&port->lock, flags);
	if (done)
		kfree(output);
	return done ? 0 : READ_ONCE(port->gone) ? -ENODEV : error;
}

static ssize_t port_write_chunk(struct file *file, struct iter *from)
{
	struct port *port = port_of(file);
	size_t size = min(from->count, (size_t)PORT_OUTPUT_SIZE);
	struct port_output *output = kmalloc(sizeof(*output) + size, GFP_KERNEL);
	bool wait = !(file->flags & O_NONBLOCK);
	int error;

	if (!output)
		return -ENOMEM;
	output->done = output->abandoned = false;
	if (iter_copy_from(from, output->data, size) != size) {
		kfree(output);
		return -EFAULT;
	}
	error = wait ? output_submit_waiting(port, output, size) : output_submit(port, output, size);
	if (error) {
		kfree(output);
		iter_revert(from, size);
		return error == -ENOSPC ? -EAGAIN : error;
	}
	/* The bytes are on their way: an interrupted wait must not have them written again. */
	error = output_wait(port, output, wait);
	return error == -ENODEV ? error : (ssize_t)size;
}

static ssize_t port_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct port *port = port_of(file);
	ssize_t done = 0;

	if (!READ_ONCE(port->host_connected)) {
		int error;

		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		error = wait_event_interruptible(&port->writers, READ_ONCE(port->host_connected) ||
									 READ_ONCE(port->gone));
		if (error)
			return error;
	}
	while (from->count) {
		ssize_t written = READ_ONCE(port->gone) ? -ENODEV : port_write_chunk(file, from);

		if (written < 0)
			return done ? done : written;
		done += written;
		if (signal_pending())
			break;
	}
	return done;
}

static u32 port_poll(struct file *file, struct poll_table *table)
{
	struct port *port = port_of(file);
	u32 ready = 0;

	poll_wait(file, &port->readers, table);
	poll_wait(file, &port->writers, table);
	if (READ_ONCE(port->gone))
		return POLLHUP | POLLERR;
	if (input_first(port))
		ready |= POLLIN | POLLRDNORM;
	if (READ_ONCE(port->out->free_count) && READ_ONCE(port->host_connected))
		ready |= POLLOUT | POLLWRNORM;
	if (!READ_ONCE(port->host_connected))
		ready |= POLLHUP;
	return ready;
}

static const struct tree_ops port_ops = {
	.open = port_open,
	.clunk = port_clunk,
	.read = port_read,
	.write = port_write,
	.poll = port_poll,
};

/* ---- Coming and going ---- */

static int name_show(struct text *text, void *object)
{
	text_printf(text, "%s\n", ((struct port *)object)->name);
	return 0;
}

static const struct pseudo_file port_files[] = { PSEUDO_TEXT("name", 0444, name_show), {} };

int port_show(struct port *port)
{
	struct pseudo_directory *class = pseudo_directory_path(sys_tree, "class/virtio-ports");
	int error;

	if (!class)
		return -ENOMEM;
	snprintf(port->device_name, sizeof(port->device_name), "vport%up%u", port->console->number,
		 port->id);
	port->gone = port->opened = port->host_connected = port->linked = false;
	port->name[0] = '\0';
	port->device = (struct char_device){
		.name = port->device_name,
		.number = device_number_alloc(),
		.mode = 0600,
		.ops = &port_ops,
		.owner = THIS_MODULE,
		.private = port,
	};
	port->directory = pseudo_directory_add(sys_tree, class, port->device_name, port_files, port);
	if (IS_ERR(port->directory))
		return (int)PTR_ERR(port->directory);
	error = char_device_register(&port->device);
	if (error)
		pseudo_directory_remove(port->directory);
	return error;
}

/* A name that can stand in a path gives the port a link under /dev/virtio-ports. */
void port_set_name(struct port *port, const char *name)
{
	char target[32];

	if (port->linked || !name[0] || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return;
	strscpy(port->name, name, sizeof(port->name));
	snprintf(port->link_name, sizeof(port->link_name), "virtio-ports/%s", name);
	snprintf(target, sizeof(target), "../%s", port->device_name);
	port->linked = !device_link_add(port->link_name, target);
	if (!port->linked)
		pr_warn("%s: /dev/%s could not be made\n", port->device_name, port->link_name);
}

void port_remove(struct port *port)
{
	unsigned long flags = spin_lock_irqsave(&port->lock);
	struct tty *tty = port->tty;

	port->tty = NULL;
	spin_unlock_irqrestore(&port->lock, flags);
	WRITE_ONCE(port->gone, true);
	port_host_open(port, false);
	if (tty)
		tty_unregister(tty);
	if (port->linked)
		device_link_remove(port->link_name);
	port->linked = false;
	char_device_unregister(&port->device);
	/* Files that stay open may be in event sets, and so in these queues. */
	poll_queue_gone(&port->readers);
	poll_queue_gone(&port->writers);
	pseudo_directory_remove(port->directory);
	/* What nobody has read is not for the next one of this number. */
	flags = spin_lock_irqsave(&port->lock);
	if (port->reading)
		list_add(&port->ready, &port->reading->link);
	port->reading = NULL;
	inputs_use_up(port);
	spin_unlock_irqrestore(&port->lock, flags);
}

/* ---- Console ports: /dev/hvcN ---- */

/* What the terminal wants to say is copied, as it may not wait here. */
static size_t terminal_write(struct tty *tty, const u8 *data, size_t size)
{
	struct port *port = tty_private(tty);
	struct port_output *output = kmalloc(sizeof(*output) + size, GFP_ATOMIC);

	if (!output)
		return 0;
	output->done = false;
	output->abandoned = true;
	memcpy(output->data, data, size);
	if (output_submit(port, output, size)) {
		kfree(output);
		return 0;
	}
	return size;
}

static size_t terminal_room(struct tty *tty)
{
	struct port *port = tty_private(tty);

	return READ_ONCE(port->out->free_count) ? PAGE_SIZE : 0;
}

static bool terminal_empty(struct tty *tty)
{
	struct port *port = tty_private(tty);

	return READ_ONCE(port->out->free_count) == port->out->size;
}

static const struct tty_driver_ops terminal_ops = {
	.write = terminal_write,
	.write_room = terminal_room,
	.output_empty = terminal_empty,
};

enum { HVC_MAJOR = 229 };

int port_become_console(struct port *port)
{
	static atomic_t next;
	unsigned int number;
	unsigned long flags;
	char name[16];
	struct tty *tty;

	if (port->tty)
		return 0;
	number = (unsigned int)atomic_inc_return(&next) - 1;
	snprintf(name, sizeof(name), "hvc%u", number);
	tty = tty_register(name, device_make(HVC_MAJOR, number), &terminal_ops, port, THIS_MODULE);
	if (IS_ERR(tty))
		return (int)PTR_ERR(tty);
	flags = spin_lock_irqsave(&port->lock);
	port->tty = tty;
	inputs_use_up(port); /* what came before it */
	spin_unlock_irqrestore(&port->lock, flags);
	tty_console_prefer(tty, name);
	console_send(port->console, port->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
	return 0;
}
