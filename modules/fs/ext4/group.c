/*
 * Groups: their descriptors and bitmaps, as they lie on the disk, and what must hold of them. Who gets what of them: allocate.c.
 */
#include "group.h"

/* ---- Descriptors ---- */

struct group_disk *group_descriptor(struct volume *volume, u32 group, struct buffer **buffer)
{
	u32 per_block = volume->block_size / volume->descriptor_size;

	*buffer = volume->descriptors[group / per_block];
	return (struct group_disk *)((char *)(*buffer)->data +
				     group % per_block * volume->descriptor_size);
}

static u64 join(const struct volume *volume, u32 low, u32 high)
{
	return low | (group_is_wide(volume) ? (u64)high << 32 : 0);
}

static u16 descriptor_checksum(const struct volume *volume, u32 group, const struct group_disk *disk)
{
	const u32 field = offsetof(struct group_disk, checksum), after = field + sizeof(disk->checksum);
	const char *bytes = (const char *)disk;
	const u16 zero = 0;

	if (volume->metadata_checksums) {
		u32 checksum = crc32c(volume->checksum_seed, &group, sizeof(group));

		checksum = crc32c(checksum, bytes, field);
		checksum = crc32c(checksum, &zero, sizeof(zero));
		return (u16)crc32c(checksum, bytes + after, volume->descriptor_size - after);
	} else {
		u16 checksum = crc16(0xffff, volume->super->uuid, sizeof(volume->super->uuid));

		checksum = crc16(checksum, &group, sizeof(group));
		checksum = crc16(checksum, bytes, field);
		if (group_is_wide(volume))
			checksum = crc16(checksum, bytes + after, volume->descriptor_size - after);
		return checksum;
	}
}

void group_descriptor_dirty(struct handle *handle, struct volume *volume, u32 group,
			    struct group_disk *disk, struct buffer *buffer)
{
	if (volume->metadata_checksums || volume->group_checksums)
		disk->checksum = descriptor_checksum(volume, group, disk);
	handle_dirty(handle, buffer);
}

static bool power_of(u32 number, u32 base)
{
	while (number > base && !(number % base))
		number /= base;
	return number == base;
}

bool group_has_super(const struct volume *volume, u32 group)
{
	const struct super_disk *super = volume->super;

	if (!group)
		return true;
	if (has_compat(volume, COMPAT_SPARSE_SUPER2))
		return group == super->backup_groups[0] || group == super->backup_groups[1];
	if (group == 1 || !has_ro_compat(volume, RO_COMPAT_SPARSE_SUPER))
		return true;
	return power_of(group, 3) || power_of(group, 5) || power_of(group, 7);
}

/* Where the n-th block of descriptors lies. With meta_bg, from the first such group on, each lies in the groups it describes. */
static u64 descriptor_block(const struct volume *volume, u32 index)
{
	u32 per_block = volume->block_size / volume->descriptor_size, group;

	if (!has_incompat(volume, INCOMPAT_META_BG) || index < volume->super->first_meta_bg)
		return volume->first_block + 1 + index;
	group = index * per_block;
	return group_first_block(volume, group) + group_has_super(volume, group);
}

/* How many blocks at its start a group gives to copies of the superblock and of descriptors. */
static u32 group_base_blocks(const struct volume *volume, u32 group)
{
	u32 per_block = volume->block_size / volume->descriptor_size, meta = group / per_block;
	u32 blocks = group_has_super(volume, group);

	if (!has_incompat(volume, INCOMPAT_META_BG) || meta < volume->super->first_meta_bg) {
		u32 plain = has_incompat(volume, INCOMPAT_META_BG) ? volume->super->first_meta_bg
								   : volume->descriptor_blocks;

		return blocks ? blocks + plain + volume->super->reserved_gdt_blocks : 0;
	}
	group %= per_block;
	return blocks + (group == 0 || group == 1 || group == per_block - 1);
}

/* Do the blocks lie over copies of the superblock and of descriptors? */
static bool over_base_blocks(const struct volume *volume, u64 first, u64 count)
{
	for (u32 i = group_of_block(volume, first); i <= group_of_block(volume, first + count - 1);
	     i++) {
		u64 start = group_first_block(volume, i);
		u32 base = group_base_blocks(volume, i);

		/* A group without copies is no obstacle to a table that reaches into it. */
		if (base && first < start + base && first + count > start)
			return true;
	}
	return false;
}

static int group_load(struct volume *volume, u32 index)
{
	struct group *group = &volume->groups[index];
	struct buffer *buffer;
	const struct group_disk *disk = group_descriptor(volume, index, &buffer);

	group->block_bitmap = join(volume, disk->block_bitmap_lo, disk->block_bitmap_hi);
	group->inode_bitmap = join(volume, disk->inode_bitmap_lo, disk->inode_bitmap_hi);
	group->inode_table = join(volume, disk->inode_table_lo, disk->inode_table_hi);
	group->longest_run = ~0u;
	if (!volume_has_blocks(volume, group->block_bitmap, 1) ||
	    !volume_has_blocks(volume, group->inode_bitmap, 1) ||
	    !volume_has_blocks(volume, group->inode_table, volume->table_blocks) ||
	    over_base_blocks(volume, group->block_bitmap, 1) ||
	    over_base_blocks(volume, group->inode_bitmap, 1) ||
	    over_base_blocks(volume, group->inode_table, volume->table_blocks)) {
		pr_err("%s: group %u: its tables lie where they cannot\n", volume->device->name, index);
		return -EUCLEAN;
	}
	if ((volume->metadata_checksums || volume->group_checksums) &&
	    disk->checksum != descriptor_checksum(volume, index, disk)) {
		pr_err("%s: group %u: wrong checksum of its descriptor\n", volume->device->name, index);
		return -EUCLEAN;
	}
	volume->overhead_blocks += group_base_blocks(volume, index) + 2 + volume->table_blocks;
	return 0;
}

int groups_load(struct volume *volume)
{
	int error = 0;

	volume->overhead_blocks = volume->first_block;
	volume->groups = kcalloc(volume->group_count, sizeof(*volume->groups), GFP_KERNEL);
	volume->descriptors =
		kcalloc(volume->descriptor_blocks, sizeof(*volume->descriptors), GFP_KERNEL);
	if (!volume->groups || !volume->descriptors)
		return -ENOMEM;
	for (u32 i = 0; i < volume->descriptor_blocks; i++) {
		struct buffer *buffer =
			buffer_read(volume->device, descriptor_block(volume, i), volume->block_size);

		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		volume->descriptors[i] = buffer;
	}
	for (u32 i = 0; i < volume->group_count && !error; i++)
		error = group_load(volume, i);
	return error;
}

void groups_free(struct volume *volume)
{
	for (u32 i = 0; volume->descriptors && i < volume->descriptor_blocks; i++)
		if (volume->descriptors[i])
			buffer_put(volume->descriptors[i]);
	for (u32 i = 0; volume->groups && i < volume->group_count; i++)
		kfree(volume->groups[i].freed);
	kfree(volume->descriptors);
	kfree(volume->groups);
	volume->descriptors = NULL;
	volume->groups = NULL;
}

bool volume_data_valid(const struct volume *volume, u64 first, u64 count)
{
	u32 last;

	if (!volume_has_blocks(volume, first, count))
		return false;
	if (over_base_blocks(volume, first, count))
		return false;
	last = group_of_block(volume, first + count - 1);
	for (u32 i = group_of_block(volume, first); i <= last; i++) {
		const struct group *group = &volume->groups[i];

		if ((group->block_bitmap >= first && group->block_bitmap - first < count) ||
		    (group->inode_bitmap >= first && group->inode_bitmap - first < count) ||
		    (group->inode_table < first + count &&
		     first < group->inode_table + volume->table_blocks))
			return false;
	}
	return true;
}

/* ---- Bitmaps ---- */

static u32 bitmap_checksum(const struct volume *volume, const struct buffer *bitmap, u32 bits)
{
	return crc32c(volume->checksum_seed, bitmap->data, bits / 8);
}

static void bitmap_seal(struct volume *volume, struct buffer *bitmap, u32 index, bool of_inodes)
{
	u32 checksum = bitmap_checksum(
		volume, bitmap, of_inodes ? volume->inodes_per_group : volume->blocks_per_group);
	struct buffer *descriptor;
	struct group_disk *disk = group_descriptor(volume, index, &descriptor);

	*(of_inodes ? &disk->inode_bitmap_checksum_lo : &disk->block_bitmap_checksum_lo) = (u16)checksum;
	if (group_is_wide(volume))
		*(of_inodes ? &disk->inode_bitmap_checksum_hi : &disk->block_bitmap_checksum_hi) =
			(u16)(checksum >> 16);
	disk->checksum = descriptor_checksum(volume, index, disk);
}

static void block_bitmap_seal(struct volume *volume, struct buffer *bitmap, u32 index)
{
	bitmap_seal(volume, bitmap, index, false);
}

static void inode_bitmap_seal(struct volume *volume, struct buffer *bitmap, u32 index)
{
	bitmap_seal(volume, bitmap, index, true);
}

void group_bitmap_dirty(struct handle *handle, struct volume *volume, u32 index,
			struct buffer *bitmap, bool of_inodes)
{
	if (volume->metadata_checksums)
		handle_dirty_unsealed(handle, bitmap,
				      of_inodes ? inode_bitmap_seal : block_bitmap_seal, index);
	else
		handle_dirty(handle, bitmap);
}

static bool bitmap_valid(const struct volume *volume, const struct group_disk *disk,
			 const struct buffer *bitmap, bool of_inodes)
{
	u32 bits = of_inodes ? volume->inodes_per_group : volume->blocks_per_group, checksum, kept;

	if (!volume->metadata_checksums)
		return true;
	checksum = bitmap_checksum(volume, bitmap, bits);
	kept = of_inodes ? disk->inode_bitmap_checksum_lo : disk->block_bitmap_checksum_lo;
	if (group_is_wide(volume))
		kept |= (u32)(of_inodes ? disk->inode_bitmap_checksum_hi : disk->block_bitmap_checksum_hi)
			<< 16;
	else
		checksum &= 0xffff;
	return checksum == kept;
}

/* A bitmap that mkfs left to be made by whoever needs it first. */
static void block_bitmap_make(const struct volume *volume, u32 index, void *bitmap)
{
	const struct group *group = &volume->groups[index];
	u64 start = group_first_block(volume, index);
	u32 size = group_size(volume, index);

	memset(bitmap, 0, volume->block_size);
	bits_set(bitmap, 0, min(group_base_blocks(volume, index), size), true);
	if (group->block_bitmap >= start && group->block_bitmap - start < size)
		bits_set(bitmap, (u32)(group->block_bitmap - start), 1, true);
	if (group->inode_bitmap >= start && group->inode_bitmap - start < size)
		bits_set(bitmap, (u32)(group->inode_bitmap - start), 1, true);
	for (u32 i = 0; i < volume->table_blocks; i++)
		if (group->inode_table + i >= start && group->inode_table + i - start < size)
			bits_set(bitmap, (u32)(group->inode_table + i - start), 1, true);
	bits_set(bitmap, size, volume->block_size * 8 - size, true);
}

static bool uninit(const struct volume *volume, const struct group_disk *disk, u16 flag)
{
	return (volume->metadata_checksums || volume->group_checksums) && disk->flags & flag;
}

/* Do a group's own structures count as used, as they must? */
static bool block_bitmap_sane(const struct volume *volume, u32 index, const void *bitmap)
{
	const struct group *group = &volume->groups[index];
	u64 start = group_first_block(volume, index),
	    blocks[] = { group->block_bitmap, group->inode_bitmap };
	u32 size = group_size(volume, index);

	for (u32 i = 0; i < ARRAY_SIZE(blocks); i++)
		if (blocks[i] >= start && blocks[i] - start < size &&
		    !bit_get(bitmap, (u32)(blocks[i] - start)))
			return false;
	if (group->inode_table >= start && group->inode_table - start < size) {
		u32 first = (u32)(group->inode_table - start);

		if (!bits_all(bitmap, first, min(volume->table_blocks, size - first), true))
			return false;
	}
	return true;
}

struct buffer *group_block_bitmap(struct volume *volume, u32 index)
{
	struct group *group = &volume->groups[index];
	struct buffer *descriptor, *bitmap;
	struct group_disk *disk = group_descriptor(volume, index, &descriptor);

	if (group->broken)
		return ERR_PTR(-EUCLEAN);
	if (uninit(volume, disk, GROUP_BLOCK_UNINIT)) {
		bitmap = buffer_get(volume->device, group->block_bitmap, volume->block_size);
		if (!IS_ERR(bitmap)) /* who changes it takes the flag away in the same breath */
			block_bitmap_make(volume, index, bitmap->data);
		return bitmap;
	}
	bitmap = buffer_read(volume->device, group->block_bitmap, volume->block_size);
	if (IS_ERR(bitmap) || group->blocks_checked)
		return bitmap;
	if (!bitmap_valid(volume, disk, bitmap, false) ||
	    !block_bitmap_sane(volume, index, bitmap->data)) {
		group->broken = true;
		buffer_put(bitmap);
		return ERR_PTR(volume_damaged(volume, 0, group->block_bitmap,
					      "block bitmap of group %u", index));
	}
	group->blocks_checked = true;
	return bitmap;
}

struct buffer *group_inode_bitmap(struct volume *volume, u32 index)
{
	struct group *group = &volume->groups[index];
	struct buffer *descriptor, *bitmap;
	struct group_disk *disk = group_descriptor(volume, index, &descriptor);

	if (group->broken)
		return ERR_PTR(-EUCLEAN);
	if (uninit(volume, disk, GROUP_INODE_UNINIT)) {
		bitmap = buffer_get(volume->device, group->inode_bitmap, volume->block_size);
		if (!IS_ERR(bitmap)) {
			memset(bitmap->data, 0, volume->block_size);
			bits_set(bitmap->data, volume->inodes_per_group,
				 volume->block_size * 8 - volume->inodes_per_group, true);
		}
		return bitmap;
	}
	bitmap = buffer_read(volume->device, group->inode_bitmap, volume->block_size);
	if (IS_ERR(bitmap) || group->inodes_checked)
		return bitmap;
	if (!bitmap_valid(volume, disk, bitmap, true)) {
		group->broken = true;
		buffer_put(bitmap);
		return ERR_PTR(volume_damaged(volume, 0, group->inode_bitmap,
					      "inode bitmap of group %u", index));
	}
	group->inodes_checked = true;
	return bitmap;
}
