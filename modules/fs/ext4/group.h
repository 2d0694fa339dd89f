/*
 * Groups, for the files that know of their descriptors and bitmaps: group.c and allocate.c. All of it is under
 * volume->allocation_lock.
 */
#ifndef EXT4_GROUP_H
#define EXT4_GROUP_H

#include "bitmap.h"
#include "ext4.h"

static inline bool group_is_wide(const struct volume *volume)
{
	return volume->descriptor_size > GROUP_DISK_SMALL;
}

static inline u32 group_free_blocks(const struct volume *volume, const struct group_disk *disk)
{
	return disk->free_blocks_lo | (group_is_wide(volume) ? (u32)disk->free_blocks_hi << 16 : 0);
}

static inline u32 group_free_inodes(const struct volume *volume, const struct group_disk *disk)
{
	return disk->free_inodes_lo | (group_is_wide(volume) ? (u32)disk->free_inodes_hi << 16 : 0);
}

static inline u32 group_unused_inodes(const struct volume *volume, const struct group_disk *disk)
{
	return disk->unused_inodes_lo | (group_is_wide(volume) ? (u32)disk->unused_inodes_hi << 16 : 0);
}

static inline void group_free_blocks_set(const struct volume *volume, struct group_disk *disk, u32 count)
{
	disk->free_blocks_lo = (u16)count;
	if (group_is_wide(volume))
		disk->free_blocks_hi = (u16)(count >> 16);
}

static inline void group_free_inodes_set(const struct volume *volume, struct group_disk *disk, u32 count)
{
	disk->free_inodes_lo = (u16)count;
	if (group_is_wide(volume))
		disk->free_inodes_hi = (u16)(count >> 16);
}

static inline u64 group_first_block(const struct volume *volume, u32 group)
{
	return volume->first_block + (u64)group * volume->blocks_per_group;
}

static inline u32 group_size(const struct volume *volume, u32 group)
{
	return (u32)min((u64)volume->blocks_per_group,
			volume->block_count - group_first_block(volume, group));
}

static inline u32 group_of_block(const struct volume *volume, u64 block)
{
	return (u32)((block - volume->first_block) / volume->blocks_per_group);
}

/* After a change of a descriptor; of a bitmap, with its descriptor: which have joined. */
void group_descriptor_dirty(struct handle *handle, struct volume *volume, u32 group,
			    struct group_disk *disk, struct buffer *buffer);
void group_bitmap_dirty(struct handle *handle, struct volume *volume, u32 index,
			struct buffer *bitmap, bool of_inodes);
/* The bitmaps of a group, checked; the caller's. ERR_PTR(-EUCLEAN): it is damaged, and the group is not used any more. */
struct buffer *group_block_bitmap(struct volume *volume, u32 index);
struct buffer *group_inode_bitmap(struct volume *volume, u32 index);

#endif
