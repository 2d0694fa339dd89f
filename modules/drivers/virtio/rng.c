/* virtio-rng: entropy from the hypervisor for the kernel's random generator (virtio 1.2, 5.4). */
#define LOG_PREFIX "virtio_rng: "
#include "virtio.h"

#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/random.h>
#include <kumo/slab.h>
#include <kumo/work.h>

enum { ENTROPY_BYTES = 64 };

struct rng {
	struct virtqueue *queue;
	u8 *data;
	u32 written;
	struct work work;
};

static int entropy_request(struct rng *rng)
{
	struct virtio_buffer buffer = { rng->data, ENTROPY_BYTES };
	int error = virtqueue_add(rng->queue, &buffer, 0, 1, rng);

	if (!error)
		virtqueue_notify(rng->queue);
	return error;
}

/* Mixing takes the generator's lock and some time: not in the interrupt. */
static void entropy_mix(struct work *work)
{
	struct rng *rng = container_of(work, struct rng, work);

	random_add_entropy(rng->data, rng->written, rng->written * 8);
}

static void entropy_came(struct virtqueue *queue)
{
	struct rng *rng = queue->private;

	if (virtqueue_take(queue, &rng->written))
		work_queue(&rng->work);
}

static int rng_probe(struct virtio_device *device)
{
	struct rng *rng = kzalloc(sizeof(*rng), GFP_KERNEL);
	int error = -ENOMEM;

	if (!rng)
		return -ENOMEM;
	work_init(&rng->work, entropy_mix);
	rng->data = kzalloc(ENTROPY_BYTES, GFP_KERNEL);
	if (!rng->data)
		goto free;
	rng->queue = virtqueue_create(device, 0, 8, entropy_came, rng);
	if (IS_ERR(rng->queue)) {
		error = (int)PTR_ERR(rng->queue);
		goto free;
	}
	device->private = rng;
	virtio_device_ready(device);
	error = entropy_request(rng);
	if (error)
		goto reset;
	return 0;
reset:
	virtio_device_reset(device);
	virtqueues_destroy(device);
free:
	kfree(rng->data);
	kfree(rng);
	return error;
}

static void rng_remove(struct virtio_device *device)
{
	struct rng *rng = device->private;

	virtqueues_destroy(device);
	work_cancel_sync(&rng->work);
	kfree(rng->data);
	kfree(rng);
}

static struct virtio_driver rng_driver = {
	.name = "virtio_rng",
	.id = VIRTIO_ID_RNG,
	.probe = rng_probe,
	.remove = rng_remove,
};

static int __init rng_init(void)
{
	return virtio_driver_register(&rng_driver);
}

static void __exit rng_exit(void)
{
	virtio_driver_unregister(&rng_driver);
}

module_init(rng_init);
module_exit(rng_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("entropy from the hypervisor");
MODULE_ALIAS("virtio:d00000004v*");
