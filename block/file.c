/*
 * Special files of block devices, as programs have them open: reads and writes go through the page cache of the device's node,
 * which is the same for all special files of that number.
 */
#include "internal.h"

#include <kumo/block_pages.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/pagecache.h>
#include <kumo/thread.h>
#include <linux/falloc.h>

static struct block_device *device_of(const struct file *file)
{
	return file->private;
}

/* Who opens with O_EXCL claims the device for that open file. */
static void *holder_of(struct file *file, u32 flags)
{
	return flags & O_EXCL ? file : NULL;
}

int block_file_open(struct file *file, const struct cred *cred)
{
	struct block_device *device;

	device = block_device_open(file->node->attr.rdev, file->mode & FILE_WRITE,
				   holder_of(file, file->flags));
	if (IS_ERR(device))
		return (int)PTR_ERR(device);
	file->ops = &block_file_ops;
	file->private = device;
	file->contents = device->node;
	return 0;
}

static void block_file_clunk(struct file *file)
{
	block_device_close(device_of(file), file);
}

static ssize_t block_file_read(struct file *file, struct iter *to, loff_t *pos)
{
	if (!block_device_alive(device_of(file)))
		return -EIO;
	return page_cache_read(file, to, pos);
}

/* How much of a write the device takes: 0, or as write(2) says. */
static int write_check(struct block_device *device, struct iter *from, u64 start)
{
	u64 size = block_device_size(device);

	if (!block_device_alive(device))
		return -EIO;
	if (READ_ONCE(device->read_only))
		return -EPERM;
	if (from->count && start >= size)
		return -ENOSPC;
	from->count = min((u64)from->count, size - min(start, size));
	return 0;
}

static ssize_t block_file_write(struct file *file, struct iter *from, loff_t *pos)
{
	u64 start = (u64)*pos;
	ssize_t result = write_check(device_of(file), from, start);
	int error;

	if (result || !from->count)
		return result;
	error = mutex_lock_killable(&file->contents->lock);
	if (error)
		return error;
	result = page_cache_write(file, from, pos);
	mutex_unlock(&file->contents->lock);
	if (result > 0 && (file->flags & O_DSYNC))
		error = file_sync_range(file, start, start + (u64)result, true);
	return error ? error : result;
}

static ssize_t block_file_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	int error = 0;

	if (write)
		error = write_check(device_of(file), iter, (u64)pos);
	else if (!block_device_alive(device_of(file)))
		error = -EIO;
	return error ? error : block_direct(file, iter, pos, write);
}

static loff_t block_file_seek(struct file *file, loff_t offset, int whence)
{
	return file_seek_size(file, offset, whence, block_device_size(device_of(file)));
}

static int block_file_fsync(struct file *file, bool data_only)
{
	return block_device_sync(device_of(file));
}

static int block_file_mmap(struct file *file, struct vma *vma)
{
	return page_cache_mmap(file, vma);
}

/* The range in whole blocks, of a device that can be written: 0 or as fallocate(2) says. */
static int range_check(struct block_device *device, u64 offset, u64 length)
{
	u64 size = block_device_size(device), mask = device->logical_block_size - 1;

	if (READ_ONCE(device->read_only))
		return -EPERM;
	if (((offset | length) & mask) || offset > size || length > size - offset)
		return -EINVAL;
	return 0;
}

static int block_file_fallocate(struct file *file, int mode, u64 offset, u64 length)
{
	struct block_device *device = device_of(file);
	u64 size = block_device_size(device);
	int error;

	/* What reaches beyond the end is cut off if the size need not be kept. */
	if ((mode & FALLOC_FL_KEEP_SIZE) && offset < size && length > size - offset)
		length = size - offset;
	error = range_check(device, offset, length);
	if (error)
		return error;
	switch (mode) {
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
		error = device_bytes_begin(device, offset, offset + length);
		if (error)
			return error;
		error = block_zero(device, offset, length);
		device_bytes_end(device, offset, offset + length);
		return error;
	default:
		return -EOPNOTSUPP;
	}
}

const struct tree_ops block_file_ops = {
	.clunk = block_file_clunk,
	.read = block_file_read,
	.write = block_file_write,
	.direct = block_file_direct,
	.seek = block_file_seek,
	.ioctl = block_ioctl,
	.mmap = block_file_mmap,
	.fsync = block_file_fsync,
	.fallocate = block_file_fallocate,
};
