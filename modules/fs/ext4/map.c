/*
 * The map of a file: what lies at which block, whether the inode has extents or a block map. Blocks of 32 bits, as both forms
 * have it. Callers that change a map hold map_lock for writing and an open transaction.
 */
#include "ext4.h"

#define REMOVE_CREDITS                                                                             \
	40 /* a step of removal: a leaf and its parents, bitmaps, descriptors, the inode, the superblock */

u64 map_size_max(const struct inode *inode)
{
	u64 blocks = inode_has_extents(inode) ? MAP_BLOCKS_MAX : indirect_blocks_max(inode->volume);

	return blocks << inode->volume->block_bits;
}

u32 map_credits(const struct inode *inode)
{
	/* A split at each level and a new root, or three levels of a block map; each with its bitmap and descriptor. */
	return inode_has_extents(inode) ? 3 * (EXTENT_DEPTH_MAX + 2) + 6 : 3 * 5 + 6;
}

int map_find(struct inode *inode, u32 block, u32 count, struct mapping *mapping)
{
	int error;

	if (inode_is_inline(inode))
		return volume_damaged(inode->volume, inode->number, 0,
				      "blocks of a file within its inode");
	error = inode_has_extents(inode) ? extents_find(inode, block, mapping)
					 : indirect_find(inode, block, count, mapping);
	if (!error)
		mapping->count = min(mapping->count, count);
	return error;
}

/* Where the next blocks would lie well: behind those of the file before. */
static u64 goal_of(struct inode *inode, u32 block)
{
	struct mapping before;

	if (block && !map_find(inode, block - 1, 1, &before) && before.kind != MAP_HOLE)
		return before.physical + 1;
	if (inode->goal)
		return inode->goal;
	return inode->volume->first_block +
	       (u64)((inode->number - 1) / inode->volume->inodes_per_group) *
		       inode->volume->blocks_per_group;
}

struct buffer *map_block_new(struct handle *handle, struct inode *inode, u64 goal, enum owner_kind kind)
{
	struct volume *volume = inode->volume;
	struct buffer *buffer;
	u64 block;
	u32 one = 1;
	int error = blocks_alloc(handle, volume, goal, &one, &block);

	if (error)
		return ERR_PTR(error);
	buffer = !inode_has_extents(inode) && block > ~0u
			 ? ERR_PTR(-EFBIG) /* block maps have 32 bits */
			 : buffer_get(volume->device, block, volume->block_size);
	error = IS_ERR(buffer) ? (int)PTR_ERR(buffer) : handle_join(handle, buffer);
	if (error) {
		if (!IS_ERR(buffer))
			buffer_put(buffer);
		blocks_give_up(handle, volume, block, 1, true);
		return ERR_PTR(error);
	}
	memset(buffer->data, 0, buffer->size);
	buffer->owner = owner_make(inode->number, kind);
	inode_count_blocks(inode, 1);
	return buffer;
}

int map_create(struct handle *handle, struct inode *inode, u32 block, u32 count, unsigned int flags,
	       struct mapping *mapping)
{
	struct volume *volume = inode->volume;
	int error = map_find(inode, block, count, mapping);
	u64 goal;

	if (error || mapping->kind != MAP_HOLE)
		return error;
	if (!inode_has_extents(inode))
		return indirect_create(handle, inode, block, mapping->count, mapping);
	/* An unwritten extent has one block less at most than a written one. */
	mapping->count = min(mapping->count, EXTENT_LENGTH_MAX - 1);
	goal = goal_of(inode, block);
	error = blocks_alloc(handle, volume, goal, &mapping->count, &mapping->physical);
	if (error)
		return error;
	mapping->kind = flags & CREATE_WRITTEN ? MAP_WRITTEN : MAP_UNWRITTEN;
	mapping->fresh = true;
	error = extents_insert(handle, inode, mapping);
	if (error) {
		blocks_give_up(handle, volume, mapping->physical, mapping->count, false);
		return error;
	}
	inode->goal = mapping->physical + mapping->count;
	inode_count_blocks(inode, mapping->count);
	return inode_store(handle, inode);
}

bool disk_size_raise(struct inode *inode, u64 end)
{
	end = min(end, node_size(inode->node));
	if (end <= inode->disk_size)
		return false;
	inode->disk_size = end;
	return true;
}

int map_written(struct inode *inode, u32 block, u32 count, u64 end)
{
	u32 after = block + count, bits = inode->volume->block_bits;
	int error = 0;

	while (block < after && !error) {
		struct mapping mapping;
		struct handle handle;

		down_read(&inode->map_lock);
		error = map_find(inode, block, after - block, &mapping);
		up_read(&inode->map_lock);
		if (error)
			break;
		if (mapping.kind == MAP_UNWRITTEN) {
			int result;

			error = handle_begin(inode->volume, 2 * map_credits(inode), &handle);
			if (error)
				break;
			down_write(&inode->map_lock);
			error = extents_convert(&handle, inode, block, mapping.count);
			if (!error)
				disk_size_raise(inode, min(end, ((u64)block + mapping.count) << bits));
			if (!error)
				error = inode_store(&handle, inode);
			up_write(&inode->map_lock);
			result = handle_end(&handle);
			error = error ? error : result;
		}
		block += mapping.count;
	}
	return error;
}

int map_remove(struct inode *inode, u32 first, u32 last)
{
	bool more = true;
	int error = 0;

	while (more && !error) {
		struct handle handle;
		int result;

		error = handle_begin(inode->volume, 2 * REMOVE_CREDITS, &handle);
		if (error)
			return error;
		down_write(&inode->map_lock);
		do {
			error = inode_has_extents(inode)
					? extents_remove_step(&handle, inode, first, last, &more)
					: indirect_remove_step(&handle, inode, first, last, &more);
		} while (!error && more && handle_extend(&handle, REMOVE_CREDITS));
		result = inode_store(&handle, inode);
		error = error ? error : result;
		up_write(&inode->map_lock);
		result = handle_end(&handle);
		error = error ? error : result;
	}
	return error;
}

struct buffer *map_read(struct inode *inode, u32 block)
{
	struct mapping mapping;
	int error;

	down_read(&inode->map_lock);
	error = map_find(inode, block, 1, &mapping);
	up_read(&inode->map_lock);
	if (error)
		return ERR_PTR(error);
	if (mapping.kind == MAP_HOLE)
		return NULL;
	if (mapping.kind == MAP_UNWRITTEN)
		return ERR_PTR(volume_damaged(inode->volume, inode->number, mapping.physical,
					      "an unwritten block of a directory or link"));
	return buffer_read(inode->volume->device, mapping.physical, inode->volume->block_size);
}

struct buffer *map_append(struct handle *handle, struct inode *inode, u32 *block)
{
	struct volume *volume = inode->volume;
	u64 size = node_size(inode->node);
	struct mapping mapping;
	struct buffer *buffer;
	int error;

	*block = (u32)(size >> volume->block_bits);
	if (size + volume->block_size > map_size_max(inode) ||
	    (S_ISDIR(inode->node->attr.mode) && size + volume->block_size > INT32_MAX &&
	     !has_incompat(volume, INCOMPAT_LARGEDIR)))
		return ERR_PTR(-ENOSPC);
	down_write(&inode->map_lock);
	error = map_create(handle, inode, *block, 1, CREATE_WRITTEN, &mapping);
	up_write(&inode->map_lock);
	if (!error && mapping.kind != MAP_WRITTEN)
		error = volume_damaged(volume, inode->number, mapping.physical,
				       "blocks behind a directory's end");
	if (error)
		return ERR_PTR(error);
	buffer = buffer_get(volume->device, mapping.physical, volume->block_size);
	if (IS_ERR(buffer))
		return buffer;
	error = handle_join(handle, buffer);
	if (error) {
		buffer_put(buffer);
		return ERR_PTR(error);
	}
	memset(buffer->data, 0, volume->block_size);
	buffer->owner = owner_make(inode->number, OWNER_DIRECTORY);
	inode->disk_size = size + volume->block_size;
	node_set_size(inode->node, inode->disk_size);
	return buffer;
}
