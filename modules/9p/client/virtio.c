/*
 * virtio-9p: a server in the hypervisor (virtio 1.2, 5.9), which QEMU names by a mount tag.
 *
 *	qemu -fsdev local,id=f,path=DIR,security_model=none -device virtio-9p-pci,fsdev=f,mount_tag=TAG
 *
 * A request is one chain of buffers: the message, the memory of its data, and room for the answer. With indirect descriptors
 * a chain takes one place in the ring; what does not fit waits in a queue until something comes back.
 */
#define LOG_PREFIX "9p_virtio: "
#include "../../drivers/virtio/virtio.h"
#include "transport.h"

#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/capability.h>
#include <linux/virtio_9p.h>
#include <kumo/cred.h>

#define RING_SIZE_MAX 256
#define TAG_MAX 255
/* What fits into the shortest ring that is in use, QEMU's of 128: message, data in pages, answer. */
#define MSIZE_MAX (126 * PAGE_SIZE)

/* A device. */
struct channel {
	struct list link;
	refcount_t refs;	      /* the driver's, and that of the connection */
	struct virtio_device *device; /* NULL: it is gone */
	struct virtqueue *ring;
	struct connection *connection; /* that uses it; NULL: it is free. Both under channels_lock */
	spinlock_t lock; /* protects those below, and the use of the ring; interrupts off */
	bool stopped;
	struct list waiting; /* requests that the ring had no room for */
	char tag[TAG_MAX + 1];
};

/* What the device is given of a request. */
struct chain {
	struct list link; /* channel->waiting */
	struct request *request;
	unsigned int out_count, in_count;
	struct virtio_buffer *buffers;
	void *table; /* of indirect descriptors; NULL: the device knows none */
};

static struct mutex channels_lock = MUTEX_INIT(channels_lock, "9p_channels");
static struct list channels = LIST_INIT(channels);

static void channel_put(struct channel *channel)
{
	if (refcount_dec_and_test(&channel->refs))
		kfree(channel);
}

/* ---- Chains ---- */

static struct chain *chain_create(struct channel *channel, struct request *request)
{
	unsigned int count = 2 + request->piece_count, at = 0;
	size_t buffers = count * sizeof(struct virtio_buffer), table = 0;
	u32 in = request->pieces_in ? NINEP_READ_HEAD : request->in_room;
	struct chain *chain;

	if (virtio_has(channel->device, VIRTIO_F_INDIRECT_DESC))
		table = virtqueue_table_size(count);
	chain = kmalloc(sizeof(*chain) + buffers + table + 16, GFP_KERNEL);
	if (!chain)
		return NULL;
	chain->request = request;
	chain->buffers = (struct virtio_buffer *)(chain + 1);
	chain->table = table ? (void *)ALIGN_UP((unsigned long)(chain->buffers + count), 16UL) : NULL;
	chain->buffers[at++] = (struct virtio_buffer){ request->out, request->out_length };
	if (request->pieces_in)
		chain->buffers[at++] = (struct virtio_buffer){ request->in, in };
	for (unsigned int i = 0; i < request->piece_count; i++)
		chain->buffers[at++] =
			(struct virtio_buffer){ request->pieces[i].data, request->pieces[i].size };
	if (!request->pieces_in)
		chain->buffers[at++] = (struct virtio_buffer){ request->in, in };
	chain->out_count = request->pieces_in ? 1 : at - 1;
	chain->in_count = at - chain->out_count;
	return chain;
}

/* channel->lock held. -ENOSPC: the ring is full. */
static int chain_give(struct channel *channel, struct chain *chain)
{
	if (chain->table)
		return virtqueue_add_indirect(channel->ring, chain->table, chain->buffers,
					      chain->out_count, chain->in_count, chain);
	return virtqueue_add(channel->ring, chain->buffers, chain->out_count, chain->in_count, chain);
}

static void chain_end(struct chain *chain, int error, u32 length)
{
	struct request *request = chain->request;

	kfree(chain);
	if (error)
		request_lost(request, error);
	else
		request_answered(request, length);
	request_put(request);
}

static void virtio_send(struct connection *connection, struct request *request)
{
	struct channel *channel = connection->transport_private;
	struct chain *chain = NULL;
	unsigned long flags;
	int error = -EIO;

	request_get(request);
	if (!READ_ONCE(channel->stopped)) {
		chain = chain_create(channel, request);
		error = chain ? 0 : -ENOMEM;
	}
	if (error) {
		request_lost(request, error);
		request_put(request);
		return;
	}
	flags = spin_lock_irqsave(&channel->lock);
	if (channel->stopped)
		error = -EIO;
	else if (list_empty(&channel->waiting))
		error = chain_give(channel, chain);
	else
		error = -ENOSPC;
	if (error == -ENOSPC)
		list_add_tail(&channel->waiting, &chain->link);
	else if (!error)
		virtqueue_notify(channel->ring);
	spin_unlock_irqrestore(&channel->lock, flags);
	if (error && error != -ENOSPC)
		chain_end(chain, error, 0);
}

/* Something came back: gives the device what waits. */
static void give_waiting(struct channel *channel)
{
	unsigned long flags = spin_lock_irqsave(&channel->lock);
	bool given = false;

	while (!list_empty(&channel->waiting) && !channel->stopped) {
		struct chain *chain = list_first(&channel->waiting, struct chain, link);

		/* A ring that is broken stays so, and the connection ends. */
		if (chain_give(channel, chain))
			break;
		list_del(&chain->link);
		given = true;
	}
	if (given)
		virtqueue_notify(channel->ring);
	spin_unlock_irqrestore(&channel->lock, flags);
}

static void answers_came(struct virtqueue *ring)
{
	struct channel *channel = ring->private;
	struct chain *chain;
	u32 written;

	while ((chain = virtqueue_take(ring, &written)))
		chain_end(chain, 0, written);
	if (!list_empty(&channel->waiting))
		give_waiting(channel);
}

/* Gives back all requests. The device is reset. */
static void lose_all(struct channel *channel)
{
	struct chain *chain;

	while (channel->ring && (chain = virtqueue_reclaim(channel->ring)))
		chain_end(chain, -EIO, 0);
	while (!list_empty(&channel->waiting)) {
		chain = list_first(&channel->waiting, struct chain, link);
		list_del(&chain->link);
		chain_end(chain, -EIO, 0);
	}
}

static void set_stopped(struct channel *channel, bool stopped)
{
	unsigned long flags = spin_lock_irqsave(&channel->lock);

	channel->stopped = stopped;
	spin_unlock_irqrestore(&channel->lock, flags);
}

/* ---- The transport ---- */

static struct channel *find_channel(const char *tag)
{
	struct channel *channel;

	list_for_each(channel, &channels, link)
		if (!strcmp(channel->tag, tag))
			return channel;
	return NULL;
}

static int virtio_open(struct connection *connection, const char *source,
		       const struct transport_options *options, const struct cred *cred)
{
	struct channel *channel;
	int error = 0;

	/* The hypervisor gives its files to the machine, not to whoever mounts them. */
	if (!cred_capable(cred, CAP_SYS_ADMIN))
		return -EPERM;
	mutex_lock(&channels_lock);
	channel = find_channel(source);
	if (!channel) {
		error = -ENOENT;
	} else if (channel->connection) {
		error = -EBUSY;
	} else {
		channel->connection = connection;
		refcount_inc(&channel->refs);
		set_stopped(channel, false);
	}
	mutex_unlock(&channels_lock);
	connection->transport_private = channel;
	return error;
}

static int ring_create(struct channel *channel)
{
	channel->ring = virtqueue_create(channel->device, 0, RING_SIZE_MAX, answers_came, channel);
	if (IS_ERR(channel->ring)) {
		int error = (int)PTR_ERR(channel->ring);

		channel->ring = NULL;
		return error;
	}
	return 0;
}

/* Takes back what the device has, by a reset. channels_lock held. */
static void reset(struct channel *channel)
{
	virtio_device_reset(channel->device);
	lose_all(channel);
	virtqueues_destroy(channel->device);
	channel->ring = NULL;
	if (virtio_device_restart(channel->device) || ring_create(channel)) {
		pr_err("%s: the device does not start again\n", channel->tag);
		return;
	}
	virtio_device_ready(channel->device);
}

static void virtio_stop(struct connection *connection)
{
	struct channel *channel = connection->transport_private;

	mutex_lock(&channels_lock);
	set_stopped(channel, true);
	if (channel->device && channel->ring &&
	    (channel->ring->free_count < channel->ring->size || !list_empty(&channel->waiting)))
		reset(channel);
	mutex_unlock(&channels_lock);
	connection_lose_all(connection);
}

static void virtio_close(struct connection *connection)
{
	struct channel *channel = connection->transport_private;

	mutex_lock(&channels_lock);
	channel->connection = NULL;
	mutex_unlock(&channels_lock);
	channel_put(channel);
}

static struct transport virtio_transport = {
	.name = "virtio",
	.owner = THIS_MODULE,
	.msize_max = MSIZE_MAX,
	.open = virtio_open,
	.send = virtio_send,
	.stop = virtio_stop,
	.close = virtio_close,
};

/* ---- The driver ---- */

static void read_tag(struct channel *channel)
{
	const struct virtio_transport *transport = channel->device->transport;
	u16 length = 0;

	transport->config_read(channel->device, offsetof(struct virtio_9p_config, tag_len), &length,
			       sizeof(length));
	transport->config_read(channel->device, offsetof(struct virtio_9p_config, tag),
			       channel->tag, min(length, (u16)TAG_MAX));
}

static int channel_probe(struct virtio_device *device)
{
	struct channel *channel = kzalloc(sizeof(*channel), GFP_KERNEL);
	int error;

	if (!channel)
		return -ENOMEM;
	channel->device = device;
	refcount_set(&channel->refs, 1);
	spin_init(&channel->lock, "9p_channel");
	list_init(&channel->waiting);
	read_tag(channel);
	error = virtio_has(device, VIRTIO_9P_MOUNT_TAG) && channel->tag[0] ? 0 : -EINVAL;
	if (!error)
		error = ring_create(channel);
	if (error) {
		virtqueues_destroy(device);
		channel_put(channel);
		return error;
	}
	device->private = channel;
	virtio_device_ready(device);
	mutex_lock(&channels_lock);
	list_add_tail(&channels, &channel->link);
	mutex_unlock(&channels_lock);
	return 0;
}

static void channel_remove(struct virtio_device *device)
{
	struct channel *channel = device->private;

	set_stopped(channel, true);
	mutex_lock(&channels_lock);
	list_del(&channel->link);
	if (channel->connection)
		connection_fail(channel->connection, "the device is gone");
	virtio_device_reset(device); /* once more: it may just have been started again */
	lose_all(channel);
	virtqueues_destroy(device);
	channel->ring = NULL;
	channel->device = NULL;
	mutex_unlock(&channels_lock);
	channel_put(channel);
}

static struct virtio_driver channel_driver = {
	.name = "9p_virtio",
	.id = VIRTIO_ID_9P,
	.features = BIT(VIRTIO_9P_MOUNT_TAG) | BIT(VIRTIO_F_INDIRECT_DESC),
	.probe = channel_probe,
	.remove = channel_remove,
};

static int __init channel_init(void)
{
	int error = virtio_driver_register(&channel_driver);

	if (error)
		return error;
	error = transport_register(&virtio_transport); /* last: who finds it, finds the devices, too */
	if (error)
		virtio_driver_unregister(&channel_driver);
	return error;
}

static void __exit channel_exit(void)
{
	transport_unregister(&virtio_transport);
	virtio_driver_unregister(&channel_driver);
}

module_init(channel_init);
module_exit(channel_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("9P servers in the hypervisor");
MODULE_ALIAS("virtio:d00000009v*");
MODULE_ALIAS("9p-virtio");
