/* What programs ask of any block device by ioctl(2); the rest is the driver's. */
#include "internal.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/pagecache.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/blkpg.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/hdreg.h>

#define READ_AHEAD_SECTORS 256 /* what BLKRAGET tells */

static long put_u16(unsigned long argument, u32 value)
{
	return put_user((u16)min(value, 0xffffU), (u16 __user *)argument);
}

static long put_u32(unsigned long argument, u32 value)
{
	return put_user(value, (u32 __user *)argument);
}

static long put_ulong(unsigned long argument, u64 value)
{
	return put_user(value, (u64 __user *)argument);
}

/* ---- What it is ---- */

static long geometry_get(struct block_device *device, unsigned long argument)
{
	struct hd_geometry geometry = { .heads = 16, .sectors = 63 };

	geometry.cylinders =
		(u16)min(block_device_size(device->disk->whole) / BLOCK_SECTOR / (16 * 63), 0xffffULL);
	geometry.start = device->start_bytes / BLOCK_SECTOR;
	return copy_to_user((void __user *)argument, &geometry, sizeof(geometry)) ? -EFAULT : 0;
}

static long attribute_get(struct block_device *device, unsigned int command, unsigned long argument)
{
	const struct block_limits *limits = &device->disk->limits;

	switch (command) {
	case BLKGETSIZE64:
		return put_ulong(argument, block_device_size(device));
	case BLKGETSIZE:
		return put_ulong(argument, block_device_size(device) / BLOCK_SECTOR);
	case BLKSSZGET:
		return put_u32(argument, limits->logical_block_size);
	case BLKPBSZGET:
		return put_u32(argument, limits->physical_block_size);
	case BLKBSZGET:
		return put_u32(argument, PAGE_SIZE);
	case BLKIOMIN:
		return put_u32(argument, limits->io_minimum ? limits->io_minimum
							    : limits->physical_block_size);
	case BLKIOOPT:
		return put_u32(argument, limits->io_optimum);
	case BLKALIGNOFF:
	case BLKDISCARDZEROES:
		return put_u32(argument, 0);
	case BLKROGET:
		return put_u32(argument, READ_ONCE(device->read_only));
	case BLKROTATIONAL:
		return put_u16(argument, limits->rotational);
	case BLKSECTGET:
		return put_u16(argument, limits->command_bytes_max / BLOCK_SECTOR);
	case BLKRAGET:
	case BLKFRAGET:
		return put_ulong(argument, READ_AHEAD_SECTORS);
	case HDIO_GETGEO:
		return geometry_get(device, argument);
	default:
		return -ENOTTY;
	}
}

/* ---- What is done to it ---- */

static long read_only_set(struct block_device *device, unsigned long argument)
{
	int on;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (get_user(on, (int __user *)argument))
		return -EFAULT;
	block_device_set_read_only(device, on);
	return 0;
}

static long block_size_set(struct block_device *device, unsigned long argument)
{
	int size;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (!argument)
		return -EINVAL;
	if (get_user(size, (int __user *)argument))
		return -EFAULT;
	if (size < (int)device->logical_block_size || size > (int)PAGE_SIZE || (size & (size - 1)))
		return -EINVAL;
	return 0; /* the cache's unit is a page, whatever a program would like */
}

static long caches_drop(struct block_device *device)
{
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	error = block_device_sync(device);
	block_device_invalidate(device);
	return error;
}

/* BLKDISCARD, BLKZEROOUT: a range of two u64, start and length. */
static long range_run(struct file *file, unsigned int command, unsigned long argument)
{
	struct block_device *device = file->private;
	u64 range[2], size = block_device_size(device), mask = device->logical_block_size - 1;
	int error;

	if (!(file->mode & FILE_WRITE))
		return -EBADF;
	if (command == BLKDISCARD && !device->disk->limits.discard_bytes_max)
		return -EOPNOTSUPP;
	if (copy_from_user(range, (void __user *)argument, sizeof(range)))
		return -EFAULT;
	if (READ_ONCE(device->read_only))
		return -EPERM;
	if (((range[0] | range[1]) & mask) || range[0] > size || range[1] > size - range[0] ||
	    (command == BLKZEROOUT && !range[1]))
		return -EINVAL;
	error = device_bytes_begin(device, range[0], range[0] + range[1]);
	if (error)
		return error;
	error = command == BLKDISCARD ? block_discard(device, range[0], range[1])
				      : block_zero(device, range[0], range[1]);
	device_bytes_end(device, range[0], range[0] + range[1]);
	return error;
}

static long rescan(struct block_device *device)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (device->partition)
		return -EINVAL;
	return block_disk_rescan(device->disk);
}

/* ---- BLKPG: programs that read partition tables themselves ---- */

/* disk->open_lock is held. */
static int partition_add_asked(struct block_disk *disk, u32 number, u64 start, u64 length)
{
	u64 size = block_device_size(disk->whole);
	struct block_device *other;

	if (start > size || length > size - start)
		return -EINVAL;
	list_for_each(other, &disk->partitions, link)
		if (start < other->start_bytes + other->size_bytes && start + length > other->start_bytes)
			return -EBUSY;
	return partition_add(disk, number, start, length, "", "");
}

/* disk->open_lock is held. */
static int partition_change(struct block_disk *disk, int operation, const struct blkpg_partition *asked)
{
	struct block_device *partition;
	u64 mask = disk->limits.logical_block_size - 1;

	if (asked->pno <= 0)
		return -EINVAL;
	if (operation != BLKPG_DEL_PARTITION &&
	    (asked->start < 0 || asked->length <= 0 || ((asked->start | asked->length) & (s64)mask)))
		return -EINVAL;
	if (operation == BLKPG_ADD_PARTITION)
		return partition_add_asked(disk, (u32)asked->pno, (u64)asked->start, (u64)asked->length);
	partition = partition_find(disk, (u32)asked->pno);
	if (!partition)
		return -ENXIO;
	if (operation == BLKPG_DEL_PARTITION) {
		if (partition->open_count)
			return -EBUSY;
		partition_remove(partition);
		return 0;
	}
	if ((u64)asked->start != partition->start_bytes ||
	    (u64)asked->length > block_device_size(disk->whole) - partition->start_bytes)
		return -EINVAL;
	device_set_size(partition, (u64)asked->length);
	return 0;
}

static long partitions_change(struct block_device *device, unsigned long argument)
{
	struct blkpg_ioctl_arg request;
	struct blkpg_partition asked;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (copy_from_user(&request, (void __user *)argument, sizeof(request)) ||
	    copy_from_user(&asked, request.data, sizeof(asked)))
		return -EFAULT;
	if (device->partition || device->disk->no_partitions || request.op < BLKPG_ADD_PARTITION ||
	    request.op > BLKPG_RESIZE_PARTITION)
		return -EINVAL;
	error = mutex_lock_killable(&device->disk->open_lock);
	if (error)
		return error;
	error = partition_change(device->disk, request.op, &asked);
	mutex_unlock(&device->disk->open_lock);
	return error;
}

long block_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct block_device *device = file->private;
	const struct block_disk_ops *ops = device->disk->ops;
	long result;

	switch (command) {
	case BLKROSET:
		return read_only_set(device, argument);
	case BLKBSZSET:
		return block_size_set(device, argument);
	case BLKFLSBUF:
		return caches_drop(device);
	case BLKDISCARD:
	case BLKZEROOUT:
		return range_run(file, command, argument);
	case BLKSECDISCARD:
		return -EOPNOTSUPP;
	case BLKRRPART:
		return rescan(device);
	case BLKPG:
		return partitions_change(device, argument);
	case BLKRASET:
	case BLKFRASET:
		return capable(CAP_SYS_ADMIN) ? 0 : -EACCES;
	default:
		break;
	}
	result = attribute_get(device, command, argument);
	if (result != -ENOTTY)
		return result;
	if (!ops->ioctl)
		return -ENOTTY;
	if (!driver_enter(device->disk))
		return -ENODEV;
	result = ops->ioctl(device, file, command, argument);
	driver_leave(device->disk);
	return result;
}
