/*
 * Split virtqueues (virtio 1.2, 2.7): a table of descriptors, a ring in which the driver offers chains of them, and one
 * in which the device returns them. Everything read from the device's ring is checked: it is another party.
 */
#define LOG_PREFIX "virtio: "
#include "virtio.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/virtio_ring.h>

struct virtq_desc {
	u64 address;
	u32 length;
	u16 flags, next;
};

struct virtq_avail {
	u16 flags, index;
	u16 ring[];
};

struct virtq_used {
	u16 flags, index;
	struct {
		u32 id, length;
	} ring[];
};

static size_t available_offset(u16 size)
{
	return sizeof(struct virtq_desc) * size;
}

static size_t used_offset(u16 size)
{
	return ALIGN_UP(available_offset(size) + sizeof(struct virtq_avail) + 2UL * size + 2, 4);
}

static size_t ring_size(u16 size)
{
	return used_offset(size) + sizeof(struct virtq_used) + 8UL * size + 2;
}

static unsigned int order_of(size_t size)
{
	unsigned int order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	return order;
}

static void queue_free(struct virtqueue *queue)
{
	if (queue->ring)
		page_free(virt_to_page(queue->ring), queue->ring_order);
	kfree(queue->slots);
	kfree(queue);
}

static int rings_alloc(struct virtqueue *queue)
{
	struct page *pages;

	queue->ring_order = order_of(ring_size(queue->size));
	pages = page_alloc(queue->ring_order, GFP_KERNEL | GFP_ZERO);
	queue->slots = kcalloc(queue->size, sizeof(*queue->slots), GFP_KERNEL);
	if (pages)
		queue->ring = page_address(pages);
	if (!pages || !queue->slots)
		return -ENOMEM;
	queue->descriptors = queue->ring;
	queue->available = (void *)((char *)queue->ring + available_offset(queue->size));
	queue->used = (void *)((char *)queue->ring + used_offset(queue->size));
	for (u16 i = 0; i < queue->size; i++)
		queue->slots[i].next = (u16)(i + 1);
	queue->free_count = queue->size;
	return 0;
}

struct virtqueue *virtqueue_create(struct virtio_device *device, unsigned int index, u16 limit,
				   void (*callback)(struct virtqueue *queue), void *private)
{
	u16 size = device->transport->queue_size(device, index);
	struct virtqueue **queues, **old, *queue;
	unsigned long flags;
	int error;

	if (!size)
		return ERR_PTR(-ENOENT);
	while (size > limit)
		size /= 2;
	queues = kcalloc(device->queue_count + 1, sizeof(*queues), GFP_KERNEL);
	queue = kzalloc(sizeof(*queue), GFP_KERNEL);
	if (!queues || !queue) {
		error = -ENOMEM;
		goto free;
	}
	queue->device = device;
	queue->index = index;
	queue->size = size;
	queue->callback = callback;
	queue->private = private;
	spin_init(&queue->lock, "virtqueue");
	error = rings_alloc(queue);
	if (!error)
		error = device->transport->queue_start(queue);
	if (error)
		goto free;
	memcpy(queues, device->queues, device->queue_count * sizeof(*queues));
	queues[device->queue_count] = queue;
	flags = spin_lock_irqsave(&device->queues_lock);
	old = device->queues;
	device->queues = queues;
	device->queue_count++;
	spin_unlock_irqrestore(&device->queues_lock, flags);
	kfree(old);
	return queue;
free:
	kfree(queues);
	if (queue)
		queue_free(queue);
	return ERR_PTR(error);
}
EXPORT_SYMBOL(virtqueue_create);

void virtqueues_destroy(struct virtio_device *device)
{
	unsigned long flags = spin_lock_irqsave(&device->queues_lock);
	struct virtqueue **queues = device->queues;
	unsigned int count = device->queue_count;

	device->queues = NULL;
	device->queue_count = 0;
	spin_unlock_irqrestore(&device->queues_lock, flags);
	for (unsigned int i = 0; i < count; i++) {
		if (device->transport->queue_stop)
			device->transport->queue_stop(queues[i]);
		queue_free(queues[i]);
	}
	kfree(queues);
}
EXPORT_SYMBOL(virtqueues_destroy);

/* Offers the chain that begins at `first` to the device. The lock is held. */
static void offer(struct virtqueue *queue, u16 first)
{
	queue->available->ring[queue->available_index++ % queue->size] = first;
	/* The device reads the entry after it has seen the index. */
	smp_store_release(&queue->available->index, queue->available_index);
}

/* The lock is held. */
static int room_check(const struct virtqueue *queue, unsigned int count)
{
	if (queue->broken)
		return -EIO;
	return !count || count > queue->free_count ? -ENOSPC : 0;
}

static void descriptor_fill(struct virtq_desc *descriptor, const struct virtio_buffer *buffer,
			    bool in, bool last, u16 next)
{
	descriptor->address = virt_to_phys(buffer->data);
	descriptor->length = buffer->size;
	descriptor->flags = (in ? VRING_DESC_F_WRITE : 0) | (last ? 0 : VRING_DESC_F_NEXT);
	descriptor->next = last ? 0 : next;
}

int virtqueue_add(struct virtqueue *queue, const struct virtio_buffer *buffers,
		  unsigned int out_count, unsigned int in_count, void *token)
{
	unsigned int count = out_count + in_count;
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	struct virtqueue_slot *head;
	u16 first = queue->free_head, at = first;
	int error = room_check(queue, count);

	if (!error) {
		head = &queue->slots[first];
		head->token = token;
		head->count = (u16)count;
		head->capacity = 0;
		for (unsigned int i = 0; i < count; i++) {
			descriptor_fill(&queue->descriptors[at], &buffers[i], i >= out_count,
					i + 1 == count, queue->slots[at].next);
			if (i >= out_count)
				head->capacity += buffers[i].size;
			at = queue->slots[at].next;
		}
		queue->free_head = at;
		queue->free_count -= (u16)count;
		offer(queue, first);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return error;
}
EXPORT_SYMBOL(virtqueue_add);

int virtqueue_add_indirect(struct virtqueue *queue, void *table, const struct virtio_buffer *buffers,
			   unsigned int out_count, unsigned int in_count, void *token)
{
	unsigned int count = out_count + in_count;
	struct virtio_buffer whole = { table, (u32)virtqueue_table_size(count) };
	struct virtq_desc *descriptors = table;
	struct virtqueue_slot *head;
	unsigned long flags;
	u32 capacity = 0;
	int error;

	for (unsigned int i = 0; i < count; i++) {
		descriptor_fill(&descriptors[i], &buffers[i], i >= out_count, i + 1 == count,
				(u16)(i + 1));
		if (i >= out_count)
			capacity += buffers[i].size;
	}
	flags = spin_lock_irqsave(&queue->lock);
	error = room_check(queue, 1);
	if (!error) {
		u16 first = queue->free_head;

		head = &queue->slots[first];
		head->token = token;
		head->count = 1;
		head->capacity = capacity;
		descriptor_fill(&queue->descriptors[first], &whole, false, true, 0);
		queue->descriptors[first].flags = VRING_DESC_F_INDIRECT;
		queue->free_head = head->next;
		queue->free_count--;
		offer(queue, first);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return error;
}
EXPORT_SYMBOL(virtqueue_add_indirect);

void virtqueue_notify(struct virtqueue *queue)
{
	smp_mb(); /* the index is visible before the flags are read (2.7.13.4.1) */
	if (!(READ_ONCE(queue->used->flags) & VRING_USED_F_NO_NOTIFY))
		queue->device->transport->notify(queue);
}
EXPORT_SYMBOL(virtqueue_notify);

/* Puts a request's descriptors back into the free chain. The lock is held. */
static void *request_release(struct virtqueue *queue, u16 first)
{
	struct virtqueue_slot *head = &queue->slots[first];
	void *token = head->token;
	u16 last = first;

	for (u16 i = 1; i < head->count; i++)
		last = queue->slots[last].next;
	queue->slots[last].next = queue->free_head;
	queue->free_head = first;
	queue->free_count += head->count;
	head->token = NULL;
	return token;
}

void *virtqueue_take(struct virtqueue *queue, u32 *written)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	void *token = NULL;

	/* Pairs with the device's write of the index after the entry. */
	if (!queue->broken && queue->used_index != smp_load_acquire(&queue->used->index)) {
		u16 at = queue->used_index % queue->size;
		u32 id = READ_ONCE(queue->used->ring[at].id);
		u32 length = READ_ONCE(queue->used->ring[at].length);

		if (fault_inject(FAIL_DEVICE))
			id = queue->size;

		if (id >= queue->size || !queue->slots[id].token) {
			pr_err("virtio%u: queue %u: the device returned buffer %u, which it did not have; the queue is stopped\n",
			       queue->device->number, queue->index, id);
			queue->broken = true;
		} else {
			*written = min(length, queue->slots[id].capacity);
			token = request_release(queue, (u16)id);
			queue->used_index++;
		}
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return token;
}
EXPORT_SYMBOL(virtqueue_take);

void *virtqueue_reclaim(struct virtqueue *queue)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	void *token = NULL;

	for (u16 i = 0; i < queue->size && !token; i++)
		if (queue->slots[i].token)
			token = request_release(queue, i);
	spin_unlock_irqrestore(&queue->lock, flags);
	return token;
}
EXPORT_SYMBOL(virtqueue_reclaim);

void virtqueue_interrupt(struct virtqueue *queue)
{
	/* A device that speaks before its driver is ready would be heard by one that is half set up. */
	if (queue->callback && READ_ONCE(queue->device->ready) &&
	    queue->used_index != smp_load_acquire(&queue->used->index))
		queue->callback(queue);
}
EXPORT_SYMBOL(virtqueue_interrupt);

void virtqueues_interrupt(struct virtio_device *device)
{
	unsigned long flags = spin_lock_irqsave(&device->queues_lock);

	for (unsigned int i = 0; i < device->queue_count; i++)
		virtqueue_interrupt(device->queues[i]);
	spin_unlock_irqrestore(&device->queues_lock, flags);
}
EXPORT_SYMBOL(virtqueues_interrupt);
