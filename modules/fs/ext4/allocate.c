/*
 * Who gets which block and which inode. Everything here is under volume->allocation_lock, which is held while a bitmap is read, so there is one
 * reader of bitmaps at a time.
 *
 * Locality: blocks go on where the file's last ones were; a new file begins in the group of its inode, which lies in its
 * directory's group; directories of the root are spread over the groups, others stay near their parent while there is room.
 */
#include "group.h"

#include <kumo/thread.h>

/* All that a change in a group touches joins the transaction. The bitmap is the caller's. ERR_PTR. */
static struct buffer *group_join(struct handle *handle, struct volume *volume, u32 index, bool inodes)
{
	struct buffer *descriptor, *bitmap = inodes ? group_inode_bitmap(volume, index)
						    : group_block_bitmap(volume, index);
	int error;

	if (IS_ERR(bitmap))
		return bitmap;
	(void)group_descriptor(volume, index, &descriptor);
	error = handle_join(handle, bitmap);
	if (!error)
		error = handle_join(handle, descriptor);
	if (!error)
		error = handle_join(handle, volume->super_buffer);
	if (error) {
		buffer_put(bitmap);
		return ERR_PTR(error);
	}
	return bitmap;
}

/* ---- Blocks ---- */

u64 volume_free_blocks(struct volume *volume)
{
	const struct super_disk *super = volume->super;

	return super->free_blocks_lo |
	       (has_incompat(volume, INCOMPAT_64BIT) ? (u64)super->free_blocks_hi << 32 : 0);
}

static void super_count_blocks(struct volume *volume, s64 change)
{
	u64 count = volume_free_blocks(volume) + (u64)change;

	volume->super->free_blocks_lo = (u32)count;
	if (has_incompat(volume, INCOMPAT_64BIT))
		volume->super->free_blocks_hi = (u32)(count >> 32);
}

struct run {
	u32 first, count;
};

/* The first run of at least `wanted` free blocks from `from` on, else the longest there is; at most `wanted` of it. */
static struct run run_find(const struct group *group, const void *bitmap, u32 from, u32 size, u32 wanted)
{
	struct run best = {};

	for (u32 at = from; at < size;) {
		u32 first = bit_find(bitmap, group->freed, at, size, false);
		u32 end = first < size ? bit_find(bitmap, group->freed, first,
						  min(size, first + wanted), true)
				       : size;

		if (first < size && end - first > best.count)
			best = (struct run){ first, end - first };
		if (best.count >= wanted)
			break;
		at = end + 1;
	}
	return best;
}

static int run_take(struct handle *handle, struct volume *volume, u32 index, struct buffer *bitmap,
		    struct run run)
{
	struct buffer *descriptor;
	struct group_disk *disk = group_descriptor(volume, index, &descriptor);
	u32 free_blocks = group_free_blocks(volume, disk);

	if (free_blocks < run.count || volume_free_blocks(volume) < run.count)
		return volume_damaged(volume, 0, 0, "group %u has more free blocks than it says", index);
	bits_set(bitmap->data, run.first, run.count, true);
	disk->flags &= (u16)~GROUP_BLOCK_UNINIT;
	volume->groups[index].blocks_checked = true;
	group_free_blocks_set(volume, disk, free_blocks - run.count);
	group_bitmap_dirty(handle, volume, index, bitmap, false);
	group_descriptor_dirty(handle, volume, index, disk, descriptor);
	super_count_blocks(volume, -(s64)run.count);
	super_dirty(handle, volume);
	return 0;
}

/* Tries one group: 0; -ENOSPC when it has no run as long as `least`. */
static int blocks_alloc_in(struct handle *handle, struct volume *volume, u32 index, u32 from,
			   u32 least, u32 *count, u64 *first)
{
	struct group *group = &volume->groups[index];
	u32 size = group_size(volume, index);
	struct buffer *bitmap, *descriptor;
	struct run run;
	int error;

	if (!group_free_blocks(volume, group_descriptor(volume, index, &descriptor)) ||
	    group->longest_run < least)
		return -ENOSPC;
	bitmap = group_block_bitmap(volume, index);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap) == -EUCLEAN ? -ENOSPC : (int)PTR_ERR(bitmap);
	run = run_find(group, bitmap->data, from, size, *count);
	if (from && run.count < *count) {
		struct run other = run_find(group, bitmap->data, 0, size, *count);

		if (run.count < least || (run.first != from && other.count > run.count))
			run = other;
		if (run.count < *count)
			group->longest_run = max(run.count, other.count);
	} else if (run.count < *count) {
		group->longest_run = run.count;
	}
	buffer_put(bitmap);
	if (run.count < max(least, 1u))
		return -ENOSPC;
	bitmap = group_join(handle, volume, index, false);
	if (IS_ERR(bitmap))
		return (int)PTR_ERR(bitmap);
	error = run_take(handle, volume, index, bitmap, run);
	buffer_put(bitmap);
	*count = run.count;
	*first = group_first_block(volume, index) + run.first;
	return error;
}

u64 blocks_kept_from(const struct volume *volume, const struct cred *cred)
{
	if (cred->fsuid == volume->reserved_uid || cred_capable(cred, CAP_SYS_RESOURCE) ||
	    (volume->reserved_gid && cred_in_group(cred, volume->reserved_gid)))
		return volume->spare_blocks;
	return volume->reserved_blocks + volume->spare_blocks;
}

/* allocation_lock held. */
static int blocks_alloc_anywhere(struct handle *handle, struct volume *volume, u64 goal, u32 *count,
				 u64 *first)
{
	u64 free = volume_free_blocks(volume);
	/* First a run that is worth a group of its own, then whatever there is. */
	u32 wanted, least[2], start, from;
	int error = -ENOSPC;

	if (free <= handle->keep)
		return -ENOSPC;
	*count = (u32)min((u64)*count, free - handle->keep);
	wanted = min(*count, 16u);
	least[0] = wanted;
	least[1] = 1;

	if (goal < volume->first_block || goal >= volume->block_count)
		goal = volume->first_block;
	start = group_of_block(volume, goal);
	from = (u32)(goal - group_first_block(volume, start));
	for (u32 pass = 0; pass < 2 && error == -ENOSPC; pass++)
		for (u32 i = 0; i < volume->group_count && error == -ENOSPC; i++)
			error = blocks_alloc_in(handle, volume, (start + i) % volume->group_count,
						i ? 0 : from, least[pass], count, first);
	return error;
}

int blocks_alloc(struct handle *handle, struct volume *volume, u64 goal, u32 *count, u64 *first)
{
	int error;

	mutex_lock(&volume->allocation_lock);
	error = blocks_alloc_anywhere(handle, volume, goal, count, first);
	mutex_unlock(&volume->allocation_lock);
	return error;
}

/* Tells the device that nobody needs the blocks. They are kept from use meanwhile. 0, -EIO, -EOPNOTSUPP. */
static int blocks_discard(struct volume *volume, u64 first, u64 count)
{
	return block_discard(volume->device, first << volume->block_bits, count << volume->block_bits);
}

/* The mount option asks for it, whenever blocks become free. A device that fails to is asked no more. */
static void freed_discard(struct volume *volume, u64 first, u64 count)
{
	int error = READ_ONCE(volume->discard) ? blocks_discard(volume, first, count) : 0;

	if (!error)
		return;
	WRITE_ONCE(volume->discard, false);
	pr_warn("%s: blocks are discarded no more: error %d\n", volume->device->name, error);
}

static int group_freed_make(const struct volume *volume, struct group *group)
{
	if (!group->freed)
		group->freed = kzalloc(volume->block_size, GFP_KERNEL);
	return group->freed ? 0 : -ENOMEM;
}

/* The blocks are not to be used before the transaction is on disk. */
static int group_mark_freed(struct handle *handle, struct volume *volume, u32 index, u32 first, u32 count)
{
	struct group *group = &volume->groups[index];
	int error;

	if (!handle->transaction) {
		freed_discard(volume, group_first_block(volume, index) + first, count);
		return 0;
	}
	error = group_freed_make(volume, group);
	if (error)
		return error;
	error = handle_freed(handle, group_first_block(volume, index) + first, count);
	if (!error)
		bits_set(group->freed, first, count, true);
	return error;
}

void blocks_freed_committed(struct volume *volume, u64 first, u64 count)
{
	u32 index = group_of_block(volume, first);
	struct group *group = &volume->groups[index];

	freed_discard(volume, first, count);
	mutex_lock(&volume->allocation_lock);
	bits_set(group->freed, (u32)(first - group_first_block(volume, index)), (u32)count, false);
	group->longest_run = ~0u;
	mutex_unlock(&volume->allocation_lock);
}

static int blocks_free_in(struct handle *handle, struct volume *volume, u32 index, u32 first, u32 count)
{
	struct buffer *descriptor, *bitmap = group_join(handle, volume, index, false);
	struct group_disk *disk = group_descriptor(volume, index, &descriptor);
	int error = 0;

	if (IS_ERR(bitmap))
		return (int)PTR_ERR(bitmap);
	if (!bits_all(bitmap->data, first, count, true))
		error = volume_damaged(volume, 0, group_first_block(volume, index) + first,
				       "a block that is to be freed is free");
	if (!error)
		error = group_mark_freed(handle, volume, index, first, count);
	if (!error) {
		bits_set(bitmap->data, first, count, false);
		group_free_blocks_set(volume, disk, group_free_blocks(volume, disk) + count);
		group_bitmap_dirty(handle, volume, index, bitmap, false);
		group_descriptor_dirty(handle, volume, index, disk, descriptor);
		super_count_blocks(volume, count);
		super_dirty(handle, volume);
		volume->groups[index].longest_run = ~0u;
	}
	buffer_put(bitmap);
	return error;
}

int blocks_free(struct handle *handle, struct volume *volume, u64 first, u64 count, bool metadata)
{
	int error = 0;

	if (!volume_data_valid(volume, first, count))
		return volume_damaged(volume, 0, first, "%llu blocks to be freed are no file's",
				      (unsigned long long)count);
	for (u64 i = 0; metadata && i < count && !error; i++)
		error = handle_revoke(handle, first + i);
	mutex_lock(&volume->allocation_lock);
	while (count && !error) {
		u32 index = group_of_block(volume, first),
		    from = (u32)(first - group_first_block(volume, index));
		u32 part = (u32)min(count, (u64)(volume->blocks_per_group - from));

		error = blocks_free_in(handle, volume, index, from, part);
		first += part;
		count -= part;
	}
	mutex_unlock(&volume->allocation_lock);
	return error;
}

void blocks_give_up(struct handle *handle, struct volume *volume, u64 first, u64 count, bool metadata)
{
	if (blocks_free(handle, volume, first, count, metadata))
		pr_err("%s: blocks are lost until e2fsck runs\n", volume->device->name);
}

/* ---- Trimming ---- */

/* Free runs of `least` blocks or more among blocks [at, end) of a group, one after the other: nobody gets them while the device is told. */
static int group_trim(struct volume *volume, u32 index, u32 at, u32 end, u32 least, u64 *trimmed)
{
	struct group *group = &volume->groups[index];
	struct buffer *bitmap;
	int error;

	mutex_lock(&volume->allocation_lock);
	bitmap = group_block_bitmap(volume, index);
	error = IS_ERR(bitmap) ? (int)PTR_ERR(bitmap) : group_freed_make(volume, group);
	while (at < end && !error) {
		u32 first = bit_find(bitmap->data, group->freed, at, end, false);

		at = first < end ? bit_find(bitmap->data, group->freed, first, end, true) : end;
		if (at - first < max(least, 1u))
			continue;
		bits_set(group->freed, first, at - first, true);
		mutex_unlock(&volume->allocation_lock);
		error = blocks_discard(volume, group_first_block(volume, index) + first, at - first);
		if (!error && fatal_signal_pending())
			error = -EINTR;
		mutex_lock(&volume->allocation_lock);
		bits_set(group->freed, first, at - first, false);
		*trimmed += at - first;
	}
	if (!IS_ERR(bitmap))
		buffer_put(bitmap);
	mutex_unlock(&volume->allocation_lock);
	return error == -EUCLEAN ? 0 : error; /* that group was said to be damaged; others need not be */
}

int blocks_trim(struct volume *volume, u64 first, u64 end, u32 least, u64 *trimmed)
{
	int error = 0;

	first = max(first, (u64)volume->first_block);
	while (first < end && !error) {
		u32 index = group_of_block(volume, first);
		u64 start = group_first_block(volume, index),
		    after = min(end, start + group_size(volume, index));

		error = group_trim(volume, index, (u32)(first - start), (u32)(after - start), least,
				   trimmed);
		first = after;
	}
	return error;
}

/* ---- Inodes ---- */

/* The group of a new directory of the root: one with more than its share of free inodes, and the most free blocks. */
static u32 group_for_top_directory(struct volume *volume)
{
	u32 average = volume->super->free_inodes / volume->group_count, best = 0, most = 0;
	struct buffer *buffer;

	for (u32 i = 0; i < volume->group_count; i++) {
		u32 group = (volume->next_directory_group + i) % volume->group_count;
		const struct group_disk *disk = group_descriptor(volume, group, &buffer);

		if (group_free_inodes(volume, disk) >= max(average, 1u) &&
		    group_free_blocks(volume, disk) > most) {
			most = group_free_blocks(volume, disk);
			best = group;
		}
	}
	volume->next_directory_group = (best + 1) % volume->group_count;
	return best;
}

static int inode_take(struct handle *handle, struct volume *volume, u32 index, bool directory, u32 *number)
{
	struct buffer *descriptor, *bitmap;
	struct group_disk *disk = group_descriptor(volume, index, &descriptor);
	u32 free_inodes = group_free_inodes(volume, disk), bit, per_group = volume->inodes_per_group;
	u32 reserved = index ? 0 : max(volume->super->first_inode, 11u) - 1;

	if (!free_inodes)
		return -ENOSPC;
	bitmap = group_join(handle, volume, index, true);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap) == -EUCLEAN ? -ENOSPC : (int)PTR_ERR(bitmap);
	bit = bit_find(bitmap->data, NULL, min(reserved, per_group), per_group, false);
	if (bit >= per_group || !volume->super->free_inodes) {
		buffer_put(bitmap);
		return -ENOSPC;
	}
	bits_set(bitmap->data, bit, 1, true);
	disk->flags &= (u16)~GROUP_INODE_UNINIT;
	volume->groups[index].inodes_checked = true;
	group_free_inodes_set(volume, disk, free_inodes - 1);
	if (volume->metadata_checksums || volume->group_checksums) {
		u32 unused = min(group_unused_inodes(volume, disk), per_group - bit - 1);

		disk->unused_inodes_lo = (u16)unused;
		if (group_is_wide(volume))
			disk->unused_inodes_hi = (u16)(unused >> 16);
	}
	if (directory && !++disk->used_directories_lo && group_is_wide(volume))
		disk->used_directories_hi++;
	group_bitmap_dirty(handle, volume, index, bitmap, true);
	group_descriptor_dirty(handle, volume, index, disk, descriptor);
	volume->super->free_inodes--;
	super_dirty(handle, volume);
	buffer_put(bitmap);
	*number = index * per_group + bit + 1;
	return 0;
}

int inode_number_alloc(struct handle *handle, struct volume *volume, u32 parent, bool directory,
		       u32 *number)
{
	u32 start = (parent - 1) / volume->inodes_per_group;
	int error = -ENOSPC;

	mutex_lock(&volume->allocation_lock);
	if (directory && parent == INODE_ROOT)
		start = group_for_top_directory(volume);
	for (u32 i = 0; i < volume->group_count && error == -ENOSPC; i++)
		error = inode_take(handle, volume, (start + i) % volume->group_count, directory, number);
	mutex_unlock(&volume->allocation_lock);
	return error;
}

int inode_number_free(struct handle *handle, struct volume *volume, u32 number, bool directory)
{
	u32 index = (number - 1) / volume->inodes_per_group,
	    bit = (number - 1) % volume->inodes_per_group;
	struct buffer *descriptor, *bitmap;
	struct group_disk *disk = group_descriptor(volume, index, &descriptor);
	int error = 0;

	mutex_lock(&volume->allocation_lock);
	bitmap = group_join(handle, volume, index, true);
	if (IS_ERR(bitmap)) {
		mutex_unlock(&volume->allocation_lock);
		return (int)PTR_ERR(bitmap);
	}
	if (!bit_get(bitmap->data, bit)) {
		error = volume_damaged(volume, number, 0, "an inode that is to be freed is free");
	} else {
		bits_set(bitmap->data, bit, 1, false);
		group_free_inodes_set(volume, disk, group_free_inodes(volume, disk) + 1);
		if (directory && !disk->used_directories_lo-- && group_is_wide(volume))
			disk->used_directories_hi--;
		group_bitmap_dirty(handle, volume, index, bitmap, true);
		group_descriptor_dirty(handle, volume, index, disk, descriptor);
		volume->super->free_inodes++;
		super_dirty(handle, volume);
	}
	buffer_put(bitmap);
	mutex_unlock(&volume->allocation_lock);
	return error;
}

bool inode_number_used(struct volume *volume, u32 number, int *error)
{
	struct buffer *bitmap;
	bool used = false;

	mutex_lock(&volume->allocation_lock);
	bitmap = group_inode_bitmap(volume, (number - 1) / volume->inodes_per_group);
	*error = IS_ERR(bitmap) ? (int)PTR_ERR(bitmap) : 0;
	if (!*error) {
		used = bit_get(bitmap->data, (number - 1) % volume->inodes_per_group);
		buffer_put(bitmap);
	}
	mutex_unlock(&volume->allocation_lock);
	return used;
}
