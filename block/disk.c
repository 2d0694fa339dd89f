/*
 * Disks: made by a driver, registered, resized, removed. What is open stays in memory after its disk has gone, and gets -EIO.
 */
#define LOG_PREFIX "block: "
#include "internal.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/pagecache.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>

static bool power_of_two(u32 value)
{
	return value && !(value & (value - 1));
}

static bool limits_valid(const struct block_limits *limits)
{
	return power_of_two(limits->logical_block_size) && limits->logical_block_size >= BLOCK_SECTOR &&
	       limits->logical_block_size <= PAGE_SIZE && power_of_two(limits->physical_block_size) &&
	       limits->physical_block_size >= limits->logical_block_size && limits->pieces_max &&
	       limits->piece_bytes_max >= PAGE_SIZE && limits->command_bytes_max >= PAGE_SIZE;
}

/* Sizes in whole pages or blocks, so that a part always ends at the end of a block. */
static void limits_round(struct block_limits *limits)
{
	u32 block = limits->logical_block_size;

	limits->piece_bytes_max = ALIGN_DOWN(limits->piece_bytes_max, (u32)PAGE_SIZE);
	limits->command_bytes_max = ALIGN_DOWN(limits->command_bytes_max, (u32)PAGE_SIZE);
	limits->discard_bytes_max = ALIGN_DOWN(limits->discard_bytes_max, block);
	limits->write_zeroes_bytes_max = ALIGN_DOWN(limits->write_zeroes_bytes_max, block);
	if (limits->discard_bytes_max && limits->discard_granularity < block)
		limits->discard_granularity = block;
}

void disk_free(struct block_disk *disk)
{
	synchronize_rcu(); /* whoever gave the last command back is done with the queue */
	if (disk->queues)
		queues_destroy(disk);
	kfree(disk->flush);
	kfree(disk);
}

void block_disk_put(struct block_disk *disk)
{
	block_device_put(disk->whole);
}

struct block_disk *block_disk_create(const struct block_disk_description *description)
{
	struct block_disk *disk;
	struct block_device *whole;
	int error = -ENOMEM;

	if (!limits_valid(&description->limits) || !description->queue_count || !description->depth)
		return ERR_PTR(-EINVAL);
	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return ERR_PTR(-ENOMEM);
	disk->ops = description->ops;
	disk->owner = description->owner;
	disk->private = description->private;
	disk->limits = description->limits;
	limits_round(&disk->limits);
	disk->queue_count = description->queue_count;
	disk->depth = description->depth;
	disk->minors = description->minors;
	disk->timeout_ns = description->timeout_ns;
	disk->removable = description->removable;
	disk->no_partitions = description->no_partitions;
	mutex_init(&disk->open_lock, "block_open");
	list_init(&disk->partitions);
	spin_init(&disk->flush_lock, "block_flush");
	list_init(&disk->flush_waiting);
	list_init(&disk->flush_running);
	disk->flush = kzalloc(sizeof(*disk->flush), GFP_KERNEL);
	if (!disk->flush || queues_create(disk, description->command_size))
		goto free;
	whole = device_create(disk, description->name, description->size_bytes);
	error = (int)PTR_ERR(whole);
	if (IS_ERR(whole))
		goto free;
	whole->number = description->number;
	whole->read_only = description->read_only;
	disk->whole = whole;
	return disk;
free:
	disk_free(disk);
	return ERR_PTR(error);
}
EXPORT_SYMBOL(block_disk_create);

int block_disk_register(struct block_disk *disk)
{
	int error = device_add(disk->whole);

	if (error)
		return error;
	mutex_lock(&disk->open_lock);
	disk->registered = true;
	if (block_device_size(disk->whole) && !disk->no_partitions) {
		error = partitions_read(disk);
		if (error)
			pr_warn("%s: its partitions cannot be read (error %d)\n", disk->whole->name,
				error);
	}
	mutex_unlock(&disk->open_lock);
	return 0;
}
EXPORT_SYMBOL(block_disk_register);

void block_disk_stop(struct block_disk *disk)
{
	WRITE_ONCE(disk->dead, true);
	queues_stop(disk);
	queues_fail_staged(disk);
	work_cancel_sync(&disk->recovery);
}
EXPORT_SYMBOL(block_disk_stop);

bool driver_enter(struct block_disk *disk)
{
	atomic_inc(&disk->inside); /* a full barrier before `dead` is read: pairs with block_disk_unregister() */
	if (!READ_ONCE(disk->dead))
		return true;
	driver_leave(disk);
	return false;
}

void driver_leave(struct block_disk *disk)
{
	if (atomic_dec_and_test(&disk->inside) && READ_ONCE(disk->dead))
		wake_up_all(&disk->idle);
}

void block_disk_unregister(struct block_disk *disk)
{
	smp_mb(); /* `dead` was set before `inside` is read */
	wait_event(&disk->idle, !queues_in_flight(disk) && !atomic_read(&disk->inside));
	for (unsigned int i = 0; i < disk->queue_count; i++)
		timer_cancel_sync(&disk->queues[i].timer);
	work_cancel_sync(&disk->recovery);
	mutex_lock(&disk->open_lock);
	if (disk->registered) {
		partitions_remove(disk);
		device_remove(disk->whole);
		disk->registered = false;
	}
	mutex_unlock(&disk->open_lock);
}
EXPORT_SYMBOL(block_disk_unregister);
EXPORT_SYMBOL(block_disk_put);

void block_disk_resize(struct block_disk *disk, u64 size_bytes)
{
	struct page_cache *cache = node_page_cache(disk->whole->node);
	bool shrinks = size_bytes < block_device_size(disk->whole);

	device_set_size(disk->whole, size_bytes);
	if (shrinks && cache)
		page_cache_truncate(cache, block_device_size(disk->whole));
}
EXPORT_SYMBOL(block_disk_resize);

int block_disk_rescan(struct block_disk *disk)
{
	int error = mutex_lock_killable(&disk->open_lock);

	if (error)
		return error;
	if (disk->no_partitions) {
		error = -EINVAL;
	} else if (disk->partitions_open) {
		error = -EBUSY;
	} else {
		partitions_remove(disk);
		error = block_device_size(disk->whole) ? partitions_read(disk) : 0;
	}
	mutex_unlock(&disk->open_lock);
	return error;
}
EXPORT_SYMBOL(block_disk_rescan);

bool block_disk_is_open(struct block_disk *disk)
{
	bool open;

	mutex_lock(&disk->open_lock);
	open = disk->whole->open_count || disk->partitions_open;
	mutex_unlock(&disk->open_lock);
	return open;
}
EXPORT_SYMBOL(block_disk_is_open);

void block_disk_set_limits(struct block_disk *disk, const struct block_limits *limits)
{
	if (WARN_ON(!limits_valid(limits)))
		return;
	disk->limits = *limits;
	limits_round(&disk->limits);
	disk->whole->logical_block_size = limits->logical_block_size;
	disk->whole->physical_block_size = limits->physical_block_size;
}
EXPORT_SYMBOL(block_disk_set_limits);

void block_device_set_read_only(struct block_device *device, bool read_only)
{
	WRITE_ONCE(device->read_only, read_only);
}
EXPORT_SYMBOL(block_device_set_read_only);
