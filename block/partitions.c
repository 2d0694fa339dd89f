/* The partitions of a disk as devices. */
#define LOG_PREFIX "block: "
#include "internal.h"
#include "partition_table.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/xarray.h>

#define EXTENDED_MAJOR 259 /* Linux's for partitions beyond a disk's own numbers */

/* Minor numbers under EXTENDED_MAJOR; under disks_lock. */
static struct xarray extended_minors = XARRAY_INIT;

static int number_get(struct block_disk *disk, struct block_device *partition, u64 *number)
{
	u64 whole = disk->whole->number;
	s64 minor;

	if (partition->partition < disk->minors) {
		*number = device_make(device_major(whole), device_minor(whole) + partition->partition);
		return 0;
	}
	mutex_lock(&disks_lock);
	minor = xarray_alloc(&extended_minors, partition, 0, 0xfffff, GFP_KERNEL);
	mutex_unlock(&disks_lock);
	if (minor < 0)
		return (int)minor;
	*number = device_make(EXTENDED_MAJOR, (u32)minor);
	return 0;
}

static void number_put(u64 number)
{
	if (device_major(number) != EXTENDED_MAJOR)
		return;
	mutex_lock(&disks_lock);
	xarray_remove(&extended_minors, device_minor(number));
	mutex_unlock(&disks_lock);
}

struct block_device *partition_find(struct block_disk *disk, u32 number)
{
	struct block_device *partition;

	list_for_each(partition, &disk->partitions, link)
		if (partition->partition == number)
			return partition;
	return NULL;
}

/* "vda1", but "loop0p1": a name that ends in a digit takes a 'p'. */
static void name_print(const struct block_disk *disk, u32 number, char *name, size_t size)
{
	const char *whole = disk->whole->name;
	char last = whole[strlen(whole) - 1];

	snprintf(name, size, "%s%s%u", whole, last >= '0' && last <= '9' ? "p" : "", number);
}

int partition_add(struct block_disk *disk, u32 number, u64 start, u64 size, const char *uuid,
		  const char *label)
{
	struct block_device *partition;
	char name[sizeof(partition->name)];
	int error;

	if (partition_find(disk, number))
		return -EBUSY;
	name_print(disk, number, name, sizeof(name));
	partition = device_create(disk, name, size);
	if (IS_ERR(partition))
		return (int)PTR_ERR(partition);
	partition->partition = number;
	partition->start_bytes = start;
	partition->read_only = disk->whole->read_only;
	strscpy(partition->partition_uuid, uuid, sizeof(partition->partition_uuid));
	strscpy(partition->partition_name, label, sizeof(partition->partition_name));
	block_device_get(disk->whole);
	error = number_get(disk, partition, &partition->number);
	if (error)
		goto put;
	error = device_add(partition);
	if (!error)
		return 0;
	number_put(partition->number);
put:
	block_device_put(partition);
	return error;
}

void partition_remove(struct block_device *partition)
{
	device_remove(partition);
	number_put(partition->number);
	block_device_put(partition);
}

void partitions_remove(struct block_disk *disk)
{
	while (!list_empty(&disk->partitions))
		partition_remove(list_first(&disk->partitions, struct block_device, link));
}

/* ---- By the table ---- */

static int source_read(struct partition_source *source, u64 position, void *buffer, u32 length)
{
	struct block_disk *disk = source->private;

	return block_read_bytes(disk->whole, position, buffer, length);
}

static int source_found(struct partition_source *source, const struct partition_entry *entry)
{
	return partition_add(source->private, entry->number, entry->start, entry->length,
			     entry->uuid, entry->name);
}

static void source_complain(struct partition_source *source, const char *what, u32 number)
{
	struct block_disk *disk = source->private;

	if (number)
		pr_warn("%s: partition %u %s\n", disk->whole->name, number, what);
	else
		pr_warn("%s: %s\n", disk->whole->name, what);
}

int partitions_read(struct block_disk *disk)
{
	struct partition_source source = {
		.size_bytes = block_device_size(disk->whole),
		.block_size = disk->whole->logical_block_size,
		.read = source_read,
		.found = source_found,
		.complain = source_complain,
		.private = disk,
	};

	return partition_table_read(&source);
}
