/*
 * Files' bytes, as the page cache asks for them: where they lie, room for those to come; fsync, fallocate, changes of attributes,
 * which truncation is one of.
 *
 * FAT has no holes: a file has clusters up to its end. So they are taken before a page becomes dirty, and what is skipped is zeroed
 * on the device before the size reaches over it; a file's clusters hold zeros from its end to the end of its page, which is looked at
 * once, before the first change (other systems leave anything there). Clusters that were taken in vain go at the end of the write.
 */
#include "vfat.h"

#include <kumo/block_pages.h>
#include <kumo/file.h>
#include <kumo/pagecache.h>
#include <kumo/thread.h>
#include <linux/falloc.h>
#include <linux/fs.h>

static struct block_device *vfat_device(struct node *node)
{
	return volume_of(node)->device;
}

/* Bytes that the clusters of the file have room for. map_lock held. */
static int room_of(struct inode *inode, u64 *room)
{
	u32 length;
	int error = chain_length(inode->volume, &inode->chain, &length);

	*room = (u64)length << inode->volume->cluster_bits;
	return error;
}

/* Clusters for `size` bytes. map_lock held. */
static int room_make(struct inode *inode, u64 size)
{
	struct volume *volume = inode->volume;
	u32 start = inode->chain.start;
	int error;

	if (size > FILE_SIZE_MAX)
		return -EFBIG;
	error = chain_extend(volume, &inode->chain, clusters_of(volume, size));
	if (inode->chain.start != start)
		inode_changed(inode);
	return error;
}

static int map_find(struct inode *inode, u64 offset, u64 length, struct block_extent *extent)
{
	struct volume *volume = inode->volume;
	u32 index = (u32)(offset >> volume->cluster_bits), cluster;
	u32 count = (u32)((offset + length - 1) >> volume->cluster_bits) - index + 1;
	int error = chain_find(volume, &inode->chain, index, &cluster, &count);

	if (!error)
		*extent = (struct block_extent){
			.offset = (u64)index << volume->cluster_bits,
			.length = (u64)count << volume->cluster_bits,
			.position = cluster_sector(volume, cluster) << volume->sector_bits,
			.kind = EXTENT_MAPPED,
		};
	return error;
}

static int vfat_map(struct node *node, u64 offset, u64 length, bool create, struct block_extent *extent)
{
	struct inode *inode = inode_of(node);
	u64 limit = (u64)FILE_SIZE_MAX + 1;
	int error = 0;

	if (offset >= limit) {
		*extent = (struct block_extent){ .offset = offset, .length = length, .kind = EXTENT_HOLE };
		return create ? -EFBIG : 0;
	}
	length = min(length, limit - offset);
	mutex_lock(&inode->map_lock);
	error = map_find(inode, offset, length, extent);
	if (error == -ENODATA && create && !inode->volume->read_only) {
		error = room_make(inode, min(offset + length,
					     max(node_size(node), READ_ONCE(inode->write_end))));
		if (!error)
			error = map_find(inode, offset, length, extent);
	}
	mutex_unlock(&inode->map_lock);
	if (error == -ENODATA && !create &&
	    offset >= ALIGN_UP(node_size(node), (u64)inode->volume->cluster_size)) {
		*extent = (struct block_extent){ .offset = offset, .length = length, .kind = EXTENT_HOLE };
		return 0;
	}
	if (error == -ENODATA)
		error = volume_damaged(inode->volume,
				       "a file of %llu bytes has too few clusters from %u on",
				       (unsigned long long)node_size(node), inode->chain.start);
	return error;
}

const struct block_map_ops vfat_block_map = {
	.device = vfat_device,
	.map = vfat_map,
};

/* ---- Zeros ---- */

/* What lies on the device becomes zero, past the page cache. map_lock held. */
static int range_zero(struct inode *inode, u64 start, u64 end)
{
	struct block_extent extent;
	int error = 0;

	while (start < end && !error) {
		u64 until;

		error = map_find(inode, start, min(end - start, (u64)MIB), &extent);
		if (error)
			break;
		until = min(extent.offset + extent.length, end);
		error = block_zero(inode->volume->device, extent.position + (start - extent.offset),
				   until - start);
		start = until;
		if (!error && fatal_signal_pending())
			error = -EINTR;
	}
	return error;
}

/* Zeroes from `size` to the end of its page what another system left there. Nothing of the file is dirty yet. map_lock held. */
static int tail_clear(struct inode *inode, u64 size, u64 end)
{
	u64 start = ALIGN_DOWN(size, (u64)inode->volume->device->logical_block_size);
	char *bytes __free_kfree = kmalloc(PAGE_SIZE, GFP_KERNEL);
	struct block_extent extent;
	int error = bytes ? 0 : -ENOMEM;

	for (u64 at = start, until; at < end && !error; at = until) {
		bool dirty = false;
		u64 position;

		error = map_find(inode, at, end - at, &extent);
		if (error)
			break;
		until = min(extent.offset + extent.length, end);
		position = extent.position + (at - extent.offset);
		error = block_read_bytes(inode->volume->device, position, bytes, (u32)(until - at));
		for (u64 i = max(at, size); i < until && !error; i++) {
			dirty |= bytes[i - at];
			bytes[i - at] = 0;
		}
		if (!error && dirty)
			error = block_write_bytes(inode->volume->device, position, bytes,
						  (u32)(until - at), 0);
	}
	return error;
}

/* Before the first change: see above. map_lock held. */
static int tail_check(struct inode *inode)
{
	u64 size = node_size(inode->node), room;
	int error;

	if (inode->tail_checked)
		return 0;
	error = room_of(inode, &room);
	if (!error && room < size)
		error = volume_damaged(inode->volume, "a file of %llu bytes has clusters for %llu",
				       (unsigned long long)size, (unsigned long long)room);
	if (!error && size % PAGE_SIZE)
		error = tail_clear(inode, size, min(ALIGN_UP(size, PAGE_SIZE), room));
	inode->tail_checked = !error;
	return error;
}

/* The file is about to reach from its end to `start` and on: what lies between, and in the page of `start`, becomes zeros. map_lock
 * held. */
static int gap_fill(struct inode *inode, u64 start)
{
	u64 size = node_size(inode->node), room, from;
	int error = room_of(inode, &room);

	if (error || start <= size)
		return error;
	from = min(room, ALIGN_UP(size, PAGE_SIZE));
	error = room_make(inode, start);
	if (!error)
		error = room_of(inode, &room);
	return error ? error : range_zero(inode, from, min(room, ALIGN_UP(start, PAGE_SIZE)));
}

/* ---- Writing ---- */

int file_trim(struct inode *inode)
{
	struct volume *volume = inode->volume;
	u64 keep = max(node_size(inode->node), inode->keep);
	u32 length = clusters_of(volume, keep);
	int error = 0;

	mutex_lock(&inode->map_lock);
	/* Of what nobody walked to its end nothing was taken. */
	if (inode->chain.complete && inode->chain.length > length) {
		error = chain_shrink(volume, &inode->chain, length);
		if (!inode->chain.start)
			inode_changed(inode);
	}
	mutex_unlock(&inode->map_lock);
	inode_count_blocks(inode);
	return error;
}

int vfat_reserve_pages(struct node *node, u64 index, unsigned int count, const struct cred *cred)
{
	struct inode *inode = inode_of(node);
	u64 end = (index + count) << PAGE_SHIFT,
	    wanted = max(node_size(node), READ_ONCE(inode->write_end));
	int error;

	if (inode->volume->read_only)
		return -EROFS;
	mutex_lock(&inode->map_lock);
	error = tail_check(inode);
	if (!error)
		error = room_make(inode, min(end, wanted));
	mutex_unlock(&inode->map_lock);
	return error;
}

/* Before a write of [start, end). */
static int write_begin(struct inode *inode, u64 start, u64 end)
{
	int error;

	mutex_lock(&inode->map_lock);
	error = tail_check(inode);
	if (!error && start < end)
		error = gap_fill(inode, start);
	mutex_unlock(&inode->map_lock);
	WRITE_ONCE(inode->write_end, end);
	return error;
}

static int write_finish(struct inode *inode)
{
	WRITE_ONCE(inode->write_end, 0);
	return file_trim(inode);
}

/* Less than what is wanted has room: writes as much as that. */
static ssize_t write_what_fits(struct file *file, struct iter *from, loff_t *pos)
{
	struct inode *inode = inode_of(file->contents);
	size_t wanted = from->count, fits = 0;
	ssize_t done = -ENOSPC;
	u64 room;

	mutex_lock(&inode->map_lock);
	if (!room_of(inode, &room) && room > (u64)*pos)
		fits = (size_t)min((u64)wanted, room - (u64)*pos);
	mutex_unlock(&inode->map_lock);
	if (fits) {
		from->count = fits;
		WRITE_ONCE(inode->write_end, (u64)*pos + fits);
		done = page_cache_write(file, from, pos);
		from->count += wanted - fits;
	}
	return done;
}

ssize_t vfat_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct inode *inode = inode_of(file->contents);
	size_t beyond = 0;
	ssize_t done;
	int error;

	if (inode->volume->read_only)
		return -EROFS;
	if ((u64)*pos >= FILE_SIZE_MAX && from->count)
		return -EFBIG;
	if (from->count > FILE_SIZE_MAX - (u64)*pos) { /* what fits is written */
		beyond = from->count - (size_t)(FILE_SIZE_MAX - (u64)*pos);
		from->count -= beyond;
	}
	error = write_begin(inode, (u64)*pos, (u64)*pos + from->count);
	done = error ? error : page_cache_write(file, from, pos);
	if (done == -ENOSPC)
		done = write_what_fits(file, from, pos);
	from->count += beyond;
	error = write_finish(inode);
	return done > 0 || !error ? done : error;
}

ssize_t vfat_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	struct inode *inode = inode_of(file->contents);
	u64 end = (u64)pos + iter->count, room;
	ssize_t done;
	int error;

	if (!write)
		return block_direct(file, iter, pos, false);
	if (inode->volume->read_only)
		return -EROFS;
	if (end > FILE_SIZE_MAX)
		return -EFBIG;
	if (((u64)pos | end) & (inode->volume->device->logical_block_size - 1))
		return -EINVAL;
	error = write_begin(inode, (u64)pos, end);
	mutex_lock(&inode->map_lock);
	if (!error && end > node_size(inode->node)) { /* what is not written of the last page */
		error = room_make(inode, end);
		if (!error)
			error = room_of(inode, &room);
		if (!error)
			error = range_zero(inode, end, min(room, ALIGN_UP(end, PAGE_SIZE)));
	}
	mutex_unlock(&inode->map_lock);
	done = error ? error : block_direct(file, iter, pos, true);
	error = write_finish(inode);
	return done > 0 || !error ? done : error;
}

int vfat_fsync(struct file *file, bool data_only)
{
	struct volume *volume = volume_of(file->node);
	int error = 0, result;

	if (volume->read_only)
		return volume->failed ? -EIO : 0;
	error = inode_store(inode_of(file->node));
	result = buffers_sync(volume->device);
	error = error ? error : result;
	return error ? error : block_flush(volume->device);
}

/* ---- Size ---- */

static int grow(struct inode *inode, u64 size)
{
	struct node *node = inode->node;
	int error;

	if (size > FILE_SIZE_MAX)
		return -EFBIG;
	mutex_lock(&inode->map_lock);
	error = tail_check(inode);
	if (!error)
		error = gap_fill(inode, size);
	mutex_unlock(&inode->map_lock);
	if (!error)
		node_set_size(node, size);
	inode_changed(inode);
	return error ? error : file_trim(inode);
}

static int shrink(struct inode *inode, u64 size)
{
	struct node *node = inode->node;
	struct page_cache *cache = node_page_cache(node);
	u64 before = node_size(node);
	int error;

	if (!cache)
		return -ENOMEM;
	mutex_lock(&inode->map_lock);
	error = tail_check(inode);
	mutex_unlock(&inode->map_lock);
	if (error)
		return error;
	node_set_size(node, size);
	error = page_cache_truncate(cache, size); /* waits for what is being written there */
	if (error) {
		node_set_size(node, before);
		return error;
	}
	inode->keep = 0;
	inode_changed(inode);
	return file_trim(inode);
}

int vfat_fallocate(struct file *file, int mode, u64 offset, u64 length)
{
	struct node *node = file->node;
	struct inode *inode = inode_of(node);
	u64 end = offset + length, room;
	int error = 0;

	if (mode & ~FALLOC_FL_KEEP_SIZE || !S_ISREG(node->attr.mode))
		return -EOPNOTSUPP;
	if (inode->volume->read_only)
		return -EROFS;
	if (end > FILE_SIZE_MAX)
		return -EFBIG;
	if (!(mode & FALLOC_FL_KEEP_SIZE)) {
		if (end <= node_size(node))
			return 0;
		if (node->cache)
			page_cache_extend(node->cache, node_size(node));
		error = grow(inode, end);
	} else if (end > max(node_size(node), inode->keep)) {
		mutex_lock(&inode->map_lock);
		error = tail_check(inode);
		if (!error)
			error = room_of(inode, &room);
		if (!error)
			error = room_make(inode, end);
		if (!error && room < ALIGN_UP(node_size(node), PAGE_SIZE)) /* more of the last page is there now */
			error = range_zero(inode, room,
					   min(ALIGN_UP(node_size(node), PAGE_SIZE),
					       ALIGN_UP(end, (u64)inode->volume->cluster_size)));
		if (!error)
			inode->keep = end;
		mutex_unlock(&inode->map_lock);
		if (error && file_trim(inode))
			pr_err("%s: clusters were taken in vain\n", inode->volume->device->name);
		inode_count_blocks(inode);
	}
	if (!error)
		node_touch(node, false, true, true);
	return error;
}

/* ---- Attributes ---- */

/* What chmod(2) may ask for: all of reading and executing, and all of writing or nothing of it. */
static bool mode_is_possible(const struct volume *volume, const struct node *node, u32 mode)
{
	bool directory = S_ISDIR(node->attr.mode);
	u32 mask = directory ? volume->options.directory_mask : volume->options.file_mask;
	u32 permissions = mode & 0777 & ~mask, writing = 0222 & ~mask;

	if ((permissions & 0555) != (node->attr.mode & 0555))
		return false;
	if ((permissions & 0222) == writing)
		return true;
	return !(permissions & 0222) && mode_can_be_read_only(volume, node->attr.mode);
}

static int change_check(struct volume *volume, const struct attr_change *change)
{
	const struct options *options = &volume->options;

	if ((change->valid & SETATTR_UID && change->uid != options->uid) ||
	    (change->valid & SETATTR_GID && change->gid != options->gid) ||
	    (change->valid & SETATTR_MODE && change->mode & 07000))
		return -EPERM;
	return 0;
}

static void mode_set(struct inode *inode, u32 mode)
{
	struct volume *volume = inode->volume;
	struct node *node = inode->node;

	if (!mode_is_possible(volume, node, mode))
		return; /* as Linux, without a word */
	if (mode_can_be_read_only(volume, node->attr.mode)) {
		if (mode & 0222)
			inode->attributes &= (u8)~ATTRIBUTE_READ_ONLY;
		else
			inode->attributes |= ATTRIBUTE_READ_ONLY;
	}
	WRITE_ONCE(node->attr.mode, (node->attr.mode & ~0222u) |
					    (mode & 0222 &
					     ~(S_ISDIR(node->attr.mode) ? volume->options.directory_mask
									: volume->options.file_mask)));
}

int vfat_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	struct inode *inode = inode_of(node);
	struct volume *volume = inode->volume;
	struct attr_change times = *change;
	int error = volume->read_only ? -EROFS : 0;

	if (!error && change->valid & SETATTR_SIZE && change->size > node_size(node))
		error = grow(inode, change->size); /* Linux does it even if the rest is refused */
	if (!error)
		error = change_check(volume, change);
	if (error)
		return error == -EPERM && volume->options.quiet ? 0 : error;
	if (change->valid & SETATTR_SIZE && change->size <= node_size(node))
		error = shrink(inode, change->size);
	if (error)
		return error;
	if (change->valid & SETATTR_MODE)
		mode_set(inode, change->mode);
	times.valid &= SETATTR_ATIME | SETATTR_MTIME; /* a change of the entry itself is not kept */
	node_setattr_copy(node, &times);
	inode_changed(inode);
	node_attr_changed(node);
	return 0;
}
