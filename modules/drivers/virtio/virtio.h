/*
 * Virtio: devices that a hypervisor offers, reached through a transport (virtio_pci.ko), talked to through queues of
 * buffers (split virtqueues). For transports and drivers, which depend on virtio.ko. (virtio 1.2)
 *
 * Locks: virtio_lock (devices, drivers; sleeps), virtio_device.queues_lock (held around callbacks of a shared interrupt),
 * a driver's own, virtqueue.lock (interrupts off; a leaf).
 */
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include <kumo/list.h>
#include <kumo/spinlock.h>
#include <kumo/types.h>

/* Device ids (virtio 1.2, 5) and feature bits (6). */
enum {
	VIRTIO_ID_NET = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_RNG = 4,
	VIRTIO_ID_9P = 9
};
enum { VIRTIO_F_INDIRECT_DESC = 28, VIRTIO_F_VERSION_1 = 32 };

/* Device status (2.1). */
enum {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED = 128,
};

struct virtio_device;
struct virtqueue;

/* A piece of a request's memory: physically contiguous (kmalloc or page memory). */
struct virtio_buffer {
	void *data;
	u32 size;
};

/*
 * A split virtqueue (2.7). The rings lie in one allocation of pages, shared with the device. Descriptors are handed out
 * from a free chain; a copy of that chain is kept here, where the device can't write, so that a hostile device can
 * harm nothing but the data.
 */
struct virtqueue {
	struct virtio_device *device;
	unsigned int index;
	u16 size;	 /* entries, a power of two */
	spinlock_t lock; /* protects all below */
	void *ring;
	unsigned int ring_order; /* of its pages */
	struct virtq_desc *descriptors;
	struct virtq_avail *available;
	struct virtq_used *used;
	u16 free_head, free_count;
	u16 available_index; /* next to be written */
	u16 used_index;	     /* next to be read */
	bool broken;	     /* the device broke the protocol: nothing more is taken from it */
	struct virtqueue_slot {
		void *token;  /* of the request whose chain begins here */
		u16 next;     /* in the request or in the free chain */
		u16 count;    /* descriptors of the request */
		u32 capacity; /* bytes that the device may write */
	} * slots;
	/* Interrupt: something was used. Interrupts off, no locks held. */
	void (*callback)(struct virtqueue *queue);
	void *private;
	void __iomem *notify;
};

struct virtio_transport {
	u8 (*status_get)(struct virtio_device *device);
	void (*status_set)(struct virtio_device *device, u8 status); /* 0: reset, waits until it is done */
	u64 (*features_get)(struct virtio_device *device);
	void (*features_set)(struct virtio_device *device, u64 features);
	void (*config_read)(struct virtio_device *device, unsigned int offset, void *to,
			    unsigned int size);
	/* How many entries the device allows; 0: no such queue. */
	u16 (*queue_size)(struct virtio_device *device, unsigned int index);
	int (*queue_start)(struct virtqueue *queue); /* tells the device where the rings are */
	void (*queue_stop)(struct virtqueue *queue); /* after a reset; its callback runs no more. Optional */
	void (*notify)(struct virtqueue *queue);
};

struct virtio_driver;

struct virtio_device {
	struct list link;
	u32 id;
	u64 features; /* negotiated */
	const struct virtio_transport *transport;
	void *transport_private;
	struct virtio_driver *driver;
	void *private; /* the driver's */
	bool ready; /* from virtio_device_ready() to a reset: only then interrupts reach the driver */
	spinlock_t queues_lock; /* protects the two below against an interrupt that is shared by all queues */
	struct virtqueue **queues;
	unsigned int queue_count;
	unsigned int number; /* virtioN */
	struct pseudo_directory *directory;
};

struct virtio_driver {
	const char *name;
	u32 id;
	u64 features; /* that the driver knows, besides VERSION_1 */
	/* The device is in state DRIVER, features agreed. Sets up queues, calls virtio_device_ready(). 0 or an error, then
	 * nothing is left behind. May sleep. */
	int (*probe)(struct virtio_device *device);
	void (*remove)(struct virtio_device *device); /* the device is reset already: no callback runs any more */
	void (*config_changed)(struct virtio_device *device); /* interrupt context; optional */
	struct list link;
};

/* For drivers. */
int virtio_driver_register(struct virtio_driver *driver) __must_check;
void virtio_driver_unregister(struct virtio_driver *driver);
static inline bool virtio_has(const struct virtio_device *device, unsigned int feature)
{
	return (device->features >> feature) & 1;
}
/* Makes queue `index` of at most `limit` entries; ERR_PTR(-ENOENT, -ENOMEM). Before virtio_device_ready(). */
struct virtqueue *virtqueue_create(struct virtio_device *device, unsigned int index, u16 limit,
				   void (*callback)(struct virtqueue *queue),
				   void *private) __must_check;
void virtio_device_ready(struct virtio_device *device); /* DRIVER_OK: the device may work */
/* The device is as after power-on, and callbacks of its queues have ended. May sleep. */
void virtio_device_reset(struct virtio_device *device);
/* Brings a device that was reset to where probe() finds it, with the features that were agreed on then. -ENODEV: it does not want to. */
int virtio_device_restart(struct virtio_device *device) __must_check;
/* Frees all queues; the device must be reset. */
void virtqueues_destroy(struct virtio_device *device);

/*
 * Gives a request to the device: out_count buffers that it reads, then in_count that it writes. They must stay until
 * virtqueue_take() returns `token` (not NULL). -ENOSPC: the queue is full; -EIO: broken. Any context.
 */
int virtqueue_add(struct virtqueue *queue, const struct virtio_buffer *buffers,
		  unsigned int out_count, unsigned int in_count, void *token) __must_check;
/* The same with the request's descriptors in `table` (memory of virtqueue_table_size(count) bytes, which must stay, too), so that it
 * takes one of the queue's whatever its buffers are. The device must have VIRTIO_F_INDIRECT_DESC. */
int virtqueue_add_indirect(struct virtqueue *queue, void *table, const struct virtio_buffer *buffers,
			   unsigned int out_count, unsigned int in_count, void *token) __must_check;
static inline size_t virtqueue_table_size(unsigned int count)
{
	return count * 16UL;
}
void virtqueue_notify(struct virtqueue *queue); /* after one or more virtqueue_add() */
/* The next finished request's token, and how many bytes the device wrote (never more than it was given); NULL: none. */
void *virtqueue_take(struct virtqueue *queue, u32 *written);
/* After a reset: requests that the device never answered, one by one. NULL: no more. */
void *virtqueue_reclaim(struct virtqueue *queue);

/* For transports. */
int virtio_device_register(struct virtio_device *device) __must_check;
void virtio_device_unregister(struct virtio_device *device);
void virtqueue_interrupt(struct virtqueue *queue);
void virtqueues_interrupt(struct virtio_device *device); /* of all its queues */
void virtio_config_interrupt(struct virtio_device *device);

#endif
