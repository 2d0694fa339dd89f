/*
 * Files' bytes, as the page cache asks for them: where they lie, what of a file within its inode they are, room for those to come;
 * fsync, fallocate, holes, and changes of attributes, which truncation is one of.
 *
 * Room. A file with extents gets its blocks when a page becomes dirty, as unwritten extents. One with a block map gets them
 * when the page is written out, at which its blocks are zeroed first: a mapped block behind the file's end would be a fault. Until then
 * there must be enough that are free, for all pages that are dirty.
 */
#include "ext4.h"

#include <kumo/block_pages.h>
#include <kumo/file.h>
#include <kumo/pagecache.h>
#include <kumo/thread.h>
#include <kumo/writeback.h>
#include <linux/falloc.h>
#include <linux/fs.h>

static struct block_device *ext4_device(struct node *node)
{
	return volume_of(node)->device;
}

/* A block map cannot say that blocks hold no data yet, nor have any behind the size: they were zeroed, and the size takes them in. */
static int size_take_in(struct handle *handle, struct inode *inode, const struct mapping *mapping)
{
	u64 end = ((u64)mapping->block + mapping->count) << inode->volume->block_bits;

	if (inode_has_extents(inode) || !disk_size_raise(inode, end))
		return 0;
	return inode_store(handle, inode);
}

/* Blocks for what lies in a hole. */
static int blocks_make(struct inode *inode, u32 block, u32 count, u64 keep, struct mapping *mapping)
{
	unsigned int tries = 0;
	int error;

	do {
		struct handle handle;
		int result;

		error = handle_begin(inode->volume, map_credits(inode), &handle);
		if (error)
			return error;
		handle.keep = keep;
		down_write(&inode->map_lock);
		error = map_create(&handle, inode, block, count, 0, mapping);
		if (!error && mapping->fresh)
			error = size_take_in(&handle, inode, mapping);
		up_write(&inode->map_lock);
		result = handle_end(&handle);
		error = error ? error : result;
	} while (volume_room_made(inode->volume, error, &tries));
	return error;
}

/* As block_map_ops.map; `keep` blocks stay free. */
static int map_range(struct node *node, u64 offset, u64 length, bool create, u64 keep,
		     struct block_extent *extent)
{
	static const enum extent_kind kinds[] = {
		[MAP_HOLE] = EXTENT_HOLE, [MAP_WRITTEN] = EXTENT_MAPPED, [MAP_UNWRITTEN] = EXTENT_UNWRITTEN
	};
	struct inode *inode = inode_of(node);
	u32 bits = inode->volume->block_bits, count;
	u64 end = min(offset + length, map_size_max(inode));
	struct mapping mapping;
	int error;

	if (offset >= end) {
		*extent = (struct block_extent){ .offset = offset, .length = length, .kind = EXTENT_HOLE };
		return create ? -EFBIG : 0;
	}
	if (inode_is_inline(inode) && !create) { /* ext4_read_pages() and ext4_direct() have the bytes */
		*extent = (struct block_extent){ .offset = offset,
						 .length = end - offset,
						 .kind = EXTENT_HOLE };
		if (offset < node_size(node)) {
			extent->length = node_size(node) - offset;
			extent->kind = EXTENT_INSIDE;
		}
		return 0;
	}
	if (inode_is_inline(inode)) {
		error = inline_convert(inode);
		if (error)
			return error;
	}
	if (create && !inode_has_extents(inode)) { /* nothing mapped behind the end, which may lie within the last page */
		u64 used = ALIGN_UP(node_size(node), (u64)inode->volume->block_size);

		end = offset < used ? min(end, used) : end;
	}
	count = (u32)(((end - 1) >> bits) - (offset >> bits)) + 1;
	down_read(&inode->map_lock);
	error = map_find(inode, (u32)(offset >> bits), count, &mapping);
	up_read(&inode->map_lock);
	if (!error && create && mapping.kind == MAP_HOLE)
		error = blocks_make(inode, (u32)(offset >> bits), min(mapping.count, count), keep,
				    &mapping);
	if (error)
		return error;
	*extent = (struct block_extent){ .offset = (u64)mapping.block << bits,
					 .length = (u64)mapping.count << bits,
					 .position = mapping.physical << bits,
					 .kind = kinds[mapping.kind] };
	return 0;
}

/* Who writes has been asked what he may take when the pages became dirty. */
static int ext4_map(struct node *node, u64 offset, u64 length, bool create, struct block_extent *extent)
{
	return map_range(node, offset, length, create, 0, extent);
}

/* The disk is told of a size that data on the device bears out. */
static int size_raise(struct inode *inode, u64 end)
{
	struct handle handle;
	int error, result;

	if (min(end, node_size(inode->node)) <= READ_ONCE(inode->disk_size))
		return 0;
	error = handle_begin(inode->volume, 2, &handle);
	if (error)
		return error;
	down_write(&inode->map_lock);
	if (disk_size_raise(inode, end)) /* else a truncation has come between */
		error = inode_store(&handle, inode);
	up_write(&inode->map_lock);
	result = handle_end(&handle);
	return error ? error : result;
}

static int ext4_written(struct node *node, u64 offset, u64 length)
{
	struct inode *inode = inode_of(node);
	u32 bits = inode->volume->block_bits;
	/* What lies in the last page behind the file's end is no data. */
	u64 end = min(offset + length, ALIGN_UP(node_size(node), (u64)inode->volume->block_size));
	int error = 0;

	if (end <= offset)
		return 0;
	if (inode_has_extents(inode))
		error = map_written(inode, (u32)(offset >> bits),
				    (u32)(((end - 1) >> bits) - (offset >> bits)) + 1, end);
	return error ? error : size_raise(inode, end);
}

const struct block_map_ops ext4_block_map = {
	.device = ext4_device,
	.map = ext4_map,
	.written = ext4_written,
};

void ext4_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	struct inode *inode = inode_of(node);

	if (!inode_is_inline(inode)) {
		block_read_pages(node, pages, count);
		return;
	}
	for (unsigned int i = 0; i < count; i++) {
		ssize_t size = inline_read(inode, page_address(pages[i]),
					   pages[i]->index << PAGE_SHIFT, PAGE_SIZE);

		if (size >= 0)
			memset((char *)page_address(pages[i]) + size, 0, PAGE_SIZE - (size_t)size);
		page_read_done(pages[i], size < 0 ? (int)size : 0);
	}
}

/* A file within its inode is too small for the device to read. */
static ssize_t inline_read_direct(struct inode *inode, struct iter *iter, loff_t pos)
{
	size_t room = min(iter->count, (size_t)inode->volume->block_size);
	char *bytes = kmalloc(room, GFP_KERNEL);
	ssize_t size;

	if (!bytes)
		return -ENOMEM;
	size = inline_read(inode, bytes, (u64)pos, room);
	if (size > 0)
		size = (ssize_t)iter_copy_to(iter, bytes, (size_t)size) ?: -EFAULT;
	kfree(bytes);
	return size;
}

/* Through the page cache, and out at once. */
static ssize_t write_through(struct file *file, struct iter *iter, loff_t pos)
{
	loff_t end = pos;
	ssize_t done = page_cache_write(file, iter, &end);
	int error = 0;

	if (done > 0)
		error = page_cache_sync(file->node->cache, (u64)pos >> PAGE_SHIFT,
					(u64)(end - 1) >> PAGE_SHIFT);
	return error ? error : done;
}

ssize_t ext4_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	struct inode *inode = inode_of(file->node);
	int error = 0;

	if (inode_is_inline(inode) && !write)
		return inline_read_direct(inode, iter, pos);
	if (inode_is_inline(inode))
		error = inline_convert(inode);
	if (error)
		return error;
	/* A block map has no blocks behind the file's end, and the end moves only when bytes are there. */
	if (write && !inode_has_extents(inode) && (u64)pos + iter->count > node_size(file->node))
		return write_through(file, iter, pos);
	return block_direct(file, iter, pos, write);
}

/* Blocks for all that lies in holes. */
static int allocate_range(struct inode *inode, u64 offset, u64 end, u64 keep)
{
	int error = 0;

	while (offset < end && !error) {
		struct block_extent extent;

		error = map_range(inode->node, offset, end - offset, true, keep, &extent);
		if (!error)
			offset = extent.offset + extent.length;
		if (fatal_signal_pending())
			return -EINTR;
	}
	return error;
}

/* Is there room for so many more blocks and those of their map, which they get when they are written out? */
static bool has_room(struct volume *volume, u64 blocks, u64 keep)
{
	u64 free = volume_free_blocks(volume);

	return free > keep && free - keep > blocks + blocks / (volume->block_size / sizeof(u32)) + 4;
}

/* For a block map. What is dirty already (of any volume, to be safe) may want blocks, too; in doubt it gets them now. */
static int room_find(struct volume *volume, u64 blocks, u64 keep)
{
	u64 dirty = writeback_pages() << (PAGE_SHIFT - volume->block_bits);

	if (has_room(volume, blocks + dirty, keep))
		return 0;
	if (writeback_sync(volume->tree) == -EINTR) /* other errors are told to who asks for them */
		return -EINTR;
	return has_room(volume, blocks, keep) ? 0 : -ENOSPC;
}

int ext4_reserve_pages(struct node *node, u64 index, unsigned int count, const struct cred *cred)
{
	struct inode *inode = inode_of(node);
	struct volume *volume = inode->volume;
	u64 offset = index << PAGE_SHIFT, end = offset + ((u64)count << PAGE_SHIFT);
	u64 keep = blocks_kept_from(volume, cred);
	int error = 0;

	if (volume->read_only)
		return -EROFS;
	if (inode_is_inline(inode))
		error = inline_convert(inode);
	if (!error && !inode_has_extents(inode)) {
		u64 limit = map_size_max(inode);

		if (offset >= limit)
			return -EFBIG;
		return room_find(volume, (u64)count << (PAGE_SHIFT - volume->block_bits), keep);
	}
	return error ? error : allocate_range(inode, offset, end, keep);
}

int ext4_fsync(struct file *file, bool data_only)
{
	struct inode *inode = inode_of(file->node);
	int error = inode->volume->failed ? -EIO : 0;

	if (inode->volume->read_only)
		return error;
	error = inode_store_changed(inode);
	return error ? error : journal_wait(inode->volume, inode->transaction);
}

/* ---- Room in advance, and holes ---- */

/* Whole blocks of the range go; of others the page cache has zeroed their part. */
static int punch_range(struct inode *inode, u64 offset, u64 end)
{
	struct volume *volume = inode->volume;
	struct page_cache *cache = node_page_cache(inode->node);
	u64 first = DIV_ROUND_UP(offset, volume->block_size), after = end >> volume->block_bits;
	int error;

	if (end >= node_size(inode->node)) /* the tail is not in use either */
		after = DIV_ROUND_UP(end, volume->block_size);
	error = cache ? page_cache_punch(cache, offset, end) : -ENOMEM;
	if (error || first >= after)
		return error;
	return map_remove(inode, (u32)first, (u32)min(after - 1, (u64)MAP_BLOCKS_MAX));
}

static int size_set(struct inode *inode, u64 size)
{
	struct handle handle;
	int error = handle_begin(inode->volume, 2, &handle), result;

	if (error)
		return error;
	if (inode->node->cache)
		page_cache_extend(inode->node->cache, node_size(inode->node));
	down_write(&inode->map_lock);
	inode->disk_size = size;
	node_set_size(inode->node, size);
	up_write(&inode->map_lock);
	error = inode_store(&handle, inode);
	result = handle_end(&handle);
	return error ? error : result;
}

int ext4_fallocate(struct file *file, int mode, u64 offset, u64 length)
{
	struct node *node = file->node;
	struct inode *inode = inode_of(node);
	u64 end = offset + length;
	int error = 0;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (inode->volume->read_only)
		return -EROFS;
	if (inode_is_inline(inode))
		error = inline_convert(inode);
	if (!error && !inode_has_extents(inode) && !(mode & FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (!error && end > map_size_max(inode))
		return -EFBIG;
	if (!error && mode & FALLOC_FL_PUNCH_HOLE && offset >= node_size(node))
		return 0; /* as on Linux: what lies behind the end stays */
	if (!error && mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		error = punch_range(inode, offset,
				    mode & FALLOC_FL_PUNCH_HOLE ? min(end, node_size(node)) : end);
	if (!error && !(mode & FALLOC_FL_PUNCH_HOLE))
		error = allocate_range(inode, offset, end, blocks_kept_from(inode->volume, file->cred));
	if (!error && !(mode & FALLOC_FL_KEEP_SIZE) && end > node_size(node))
		error = size_set(inode, end);
	if (error)
		return error;
	node_touch(node, false, true, true);
	node_attr_changed(node);
	return 0;
}

loff_t ext4_seek(struct file *file, loff_t offset, int whence)
{
	struct node *node = file->node;
	u64 size = node_size(node), at = (u64)offset;
	bool data = whence == SEEK_DATA;
	int error = 0;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return S_ISDIR(node->attr.mode) ? file_seek_size(file, offset, whence, INT64_MAX)
						: file_seek_size(file, offset, whence, size);
	if (offset < 0 || at >= size)
		return -ENXIO;
	if (inode_is_inline(inode_of(node)))
		return file_seek_size(file, data ? offset : (loff_t)size, SEEK_SET, size);
	/* A block map has no place for what is in the page cache alone until that is written. */
	if (!inode_has_extents(inode_of(node)) && node->cache)
		error = page_cache_sync(node->cache, at >> PAGE_SHIFT, (size - 1) >> PAGE_SHIFT);
	while (!error && at < size) {
		struct block_extent extent;

		error = ext4_map(node, at, size - at, false, &extent);
		if (error)
			break;
		/* Unwritten blocks may have their data in the page cache. */
		if ((extent.kind != EXTENT_HOLE) == data)
			return file_seek_size(file, (loff_t)at, SEEK_SET, size);
		at = extent.offset + extent.length;
	}
	if (error)
		return error;
	return data ? -ENXIO : file_seek_size(file, (loff_t)size, SEEK_SET, size);
}

/* ---- Attributes ---- */

/* What is behind the end is gone, or is to stay after all. */
static int cut_end(struct handle *handle, struct inode *inode)
{
	return inode->node->attr.nlink ? orphan_remove(handle, inode) : 0; /* else it stays one */
}

/* The size, in memory and on disk; `change` says in the same transaction that blocks behind it are to go, or that they need not. */
static int cut_size(struct inode *inode, u64 size,
		    int (*change)(struct handle *handle, struct inode *inode))
{
	struct handle handle;
	int error = handle_begin(inode->volume, 6, &handle), result;

	if (error)
		return error;
	error = change(&handle, inode);
	if (!error) {
		down_write(&inode->map_lock);
		node_set_size(inode->node, size);
		inode->disk_size = size; /* also where it was less: what lay behind had not been written */
		up_write(&inode->map_lock);
		error = inode_store(&handle, inode);
	}
	result = handle_end(&handle);
	return error ? error : result;
}

/*
 * Blocks behind the end go, in as many transactions as it takes; from the first on the inode is an orphan. It is one before anybody sees
 * the new size: who is writing pages out still maps blocks where the file was, and a power cut would leave them there,
 * behind the end.
 */
static int shrink(struct inode *inode, u64 size)
{
	struct node *node = inode->node;
	struct page_cache *cache = node_page_cache(node);
	u64 before = node_size(node);
	struct handle handle;
	int error, result;

	if (!cache)
		return -ENOMEM;
	error = cut_size(inode, size, orphan_add);
	if (error)
		return error;
	error = page_cache_truncate(cache, size); /* waits for what is being written there */
	if (error) {
		result = cut_size(inode, before, cut_end);
		return result ? result : error;
	}
	error = map_remove(inode, (u32)DIV_ROUND_UP(size, inode->volume->block_size), MAP_BLOCKS_MAX);
	if (!error)
		error = handle_begin(inode->volume, 6, &handle);
	if (error)
		return error;
	error = cut_end(&handle, inode);
	result = handle_end(&handle);
	return error ? error : result;
}

static int change_size(struct inode *inode, u64 size)
{
	if (!S_ISREG(inode->node->attr.mode))
		return -EINVAL;
	if (inode_is_inline(inode)) {
		int error = inline_convert(inode);

		if (error)
			return error;
	}
	if (size > map_size_max(inode))
		return -EFBIG;
	if (size > node_size(inode->node))
		return size_set(inode, size);
	return shrink(inode, size); /* also to the same size: blocks beyond it go */
}

int ext4_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	struct inode *inode = inode_of(node);
	struct handle handle;
	int error = inode->volume->read_only ? -EROFS : 0, result;

	if (!error && change->valid & SETATTR_SIZE)
		error = change_size(inode, change->size);
	if (error)
		return error;
	error = handle_begin(inode->volume, 2 + XATTR_CREDITS, &handle);
	if (error)
		return error;
	node_setattr_copy(node, change);
	if (change->valid & SETATTR_ACL)
		error = acl_put_disk(&handle, inode, XATTR_INDEX_ACL_ACCESS, change->acl);
	else if (change->valid & SETATTR_DEFAULT_ACL)
		error = acl_put_disk(&handle, inode, XATTR_INDEX_ACL_DEFAULT, change->acl);
	result = inode_store(&handle, inode);
	error = error ? error : result;
	result = handle_end(&handle);
	return error ? error : result;
}
