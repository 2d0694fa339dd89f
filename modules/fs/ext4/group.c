/*
 * Groups: descriptors, bitmaps, and who gets which block and which inode. Everything here is under volume->allocation_lock, which is
 * held while a bitmap is read, so there is one reader of bitmaps at a time.
 *
 * Locality: blocks go on where the file's last ones were; a new file begins in the group of its inode, which lies in its
 * directory's group; directories of the root are spread over the groups, others stay near their parent while there is room.
 */
#include "ext4.h"

/* ---- Descriptors ---- */

struct group_disk *group_descriptor(struct volume *volume, u32 group, struct buffer **buffer)
{
	u32 per_block = volume->block_size / volume->descriptor_size;

	*buffer = volume->descriptors[group / per_block];
	return (struct group_disk *)((char *)(*buffer)->data +
				     group % per_block * volume->descriptor_size);
}

static bool wide(const struct volume *volume)
{
	return volume->descriptor_size > GROUP_DISK_SMALL;
}

static u64 join(const struct volume *volume, u32 low, u32 high)
{
	return low | (wide(volume) ? (u64)high << 32 : 0);
}

static u32 free_blocks_of(const struct volume *volume, const struct group_disk *disk)
{
	return disk->free_blocks_lo | (wide(volume) ? (u32)disk->free_blocks_hi << 16 : 0);
}

static u32 free_inodes_of(const struct volume *volume, const struct group_disk *disk)
{
	return disk->free_inodes_lo | (wide(volume) ? (u32)disk->free_inodes_hi << 16 : 0);
}

static u32 unused_inodes_of(const struct volume *volume, const struct group_disk *disk)
{
	return disk->unused_inodes_lo | (wide(volume) ? (u32)disk->unused_inodes_hi << 16 : 0);
}

static void free_blocks_set(const struct volume *volume, struct group_disk *disk, u32 count)
{
	disk->free_blocks_lo = (u16)count;
	if (wide(volume))
		disk->free_blocks_hi = (u16)(count >> 16);
}

static void free_inodes_set(const struct volume *volume, struct group_disk *disk, u32 count)
{
	disk->free_inodes_lo = (u16)count;
	if (wide(volume))
		disk->free_inodes_hi = (u16)(count >> 16);
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
		if (wide(volume))
			checksum = crc16(checksum, bytes + after, volume->descriptor_size - after);
		return checksum;
	}
}

static void descriptor_dirty(struct handle *handle, struct volume *volume, u32 group,
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

static u64 group_first_block(const struct volume *volume, u32 group)
{
	return volume->first_block + (u64)group * volume->blocks_per_group;
}

static u32 group_size(const struct volume *volume, u32 group)
{
	return (u32)min((u64)volume->blocks_per_group,
			volume->block_count - group_first_block(volume, group));
}

static u32 group_of(const struct volume *volume, u64 block)
{
	return (u32)((block - volume->first_block) / volume->blocks_per_group);
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
	for (u32 i = group_of(volume, first); i <= group_of(volume, first + count - 1); i++) {
		u64 start = group_first_block(volume, i);

		if (first < start + group_base_blocks(volume, i) && first + count > start)
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
	last = group_of(volume, first + count - 1);
	for (u32 i = group_of(volume, first); i <= last; i++) {
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

static bool bit_get(const void *bitmap, u32 bit)
{
	return ((const u8 *)bitmap)[bit / 8] >> bit % 8 & 1;
}

static void bits_set(void *bitmap, u32 first, u32 count, bool value)
{
	u8 *bytes = bitmap;

	for (; count && first % 8; first++, count--)
		bytes[first / 8] = value ? bytes[first / 8] | 1 << first % 8
					 : bytes[first / 8] & ~(1 << first % 8);
	memset(bytes + first / 8, value ? 0xff : 0, count / 8);
	for (first += count / 8 * 8, count %= 8; count; first++, count--)
		bytes[first / 8] = value ? bytes[first / 8] | 1 << first % 8
					 : bytes[first / 8] & ~(1 << first % 8);
}

/* The first bit from `from` on that has the value; `end` if there is none. `also`: bits that count as set, or NULL. */
static u32 bit_find(const void *bitmap, const unsigned long *also, u32 from, u32 end, bool value)
{
	while (from < end) {
		unsigned long word;

		__builtin_memcpy(&word, (const u8 *)bitmap + from / 64 * 8, 8);
		if (also)
			word |= also[from / 64];
		word = (value ? word : ~word) >> from % 64;
		if (word)
			return min(from + (u32)__builtin_ctzl(word), end);
		from = (from / 64 + 1) * 64;
	}
	return end;
}

static bool bits_all(const void *bitmap, u32 first, u32 count, bool value)
{
	return bit_find(bitmap, NULL, first, first + count, !value) == first + count;
}

static u32 bitmap_checksum(const struct volume *volume, const struct buffer *bitmap, u32 bits)
{
	return crc32c(volume->checksum_seed, bitmap->data, bits / 8);
}

static void bitmap_dirty(struct handle *handle, struct volume *volume, struct group_disk *disk,
			 struct buffer *bitmap, bool of_inodes)
{
	if (volume->metadata_checksums) {
		u32 checksum = bitmap_checksum(volume, bitmap,
					       of_inodes ? volume->inodes_per_group
							 : volume->blocks_per_group);

		*(of_inodes ? &disk->inode_bitmap_checksum_lo : &disk->block_bitmap_checksum_lo) =
			(u16)checksum;
		if (wide(volume))
			*(of_inodes ? &disk->inode_bitmap_checksum_hi
				    : &disk->block_bitmap_checksum_hi) = (u16)(checksum >> 16);
	}
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
	if (wide(volume))
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

/* The bitmap of a group, checked. ERR_PTR(-EUCLEAN): it is damaged, and the group is not used any more. allocation_lock held. */
static struct buffer *block_bitmap_read(struct volume *volume, u32 index)
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

static struct buffer *inode_bitmap_read(struct volume *volume, u32 index)
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

/* All that a change in a group touches joins the transaction. The bitmap is the caller's. ERR_PTR. */
static struct buffer *group_join(struct handle *handle, struct volume *volume, u32 index, bool inodes)
{
	struct buffer *descriptor, *bitmap = inodes ? inode_bitmap_read(volume, index)
						    : block_bitmap_read(volume, index);
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
	u32 free_blocks = free_blocks_of(volume, disk);

	if (free_blocks < run.count || volume_free_blocks(volume) < run.count)
		return volume_damaged(volume, 0, 0, "group %u has more free blocks than it says", index);
	bits_set(bitmap->data, run.first, run.count, true);
	disk->flags &= (u16)~GROUP_BLOCK_UNINIT;
	volume->groups[index].blocks_checked = true;
	free_blocks_set(volume, disk, free_blocks - run.count);
	bitmap_dirty(handle, volume, disk, bitmap, false);
	descriptor_dirty(handle, volume, index, disk, descriptor);
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

	if (!free_blocks_of(volume, group_descriptor(volume, index, &descriptor)) ||
	    group->longest_run < least)
		return -ENOSPC;
	bitmap = block_bitmap_read(volume, index);
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

int blocks_alloc(struct handle *handle, struct volume *volume, u64 goal, u32 *count, u64 *first)
{
	/* First a run that is worth a group of its own, then whatever there is. */
	u32 wanted = min(*count, 16u), least[] = { wanted, 1 }, start, from;
	int error = -ENOSPC;

	if (goal < volume->first_block || goal >= volume->block_count)
		goal = volume->first_block;
	start = group_of(volume, goal);
	from = (u32)(goal - group_first_block(volume, start));
	mutex_lock(&volume->allocation_lock);
	for (u32 pass = 0; pass < 2 && error == -ENOSPC; pass++)
		for (u32 i = 0; i < volume->group_count && error == -ENOSPC; i++)
			error = blocks_alloc_in(handle, volume, (start + i) % volume->group_count,
						i ? 0 : from, least[pass], count, first);
	mutex_unlock(&volume->allocation_lock);
	return error;
}

/* The blocks are not to be used before the transaction is on disk. */
static int group_mark_freed(struct handle *handle, struct volume *volume, u32 index, u32 first, u32 count)
{
	struct group *group = &volume->groups[index];
	int error;

	if (!handle->transaction)
		return 0;
	if (!group->freed) {
		group->freed = kzalloc(volume->block_size, GFP_KERNEL);
		if (!group->freed)
			return -ENOMEM;
	}
	error = handle_freed(handle, group_first_block(volume, index) + first, count);
	if (!error)
		bits_set(group->freed, first, count, true);
	return error;
}

void blocks_freed_committed(struct volume *volume, u64 first, u64 count)
{
	u32 index = group_of(volume, first);
	struct group *group = &volume->groups[index];

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
		free_blocks_set(volume, disk, free_blocks_of(volume, disk) + count);
		bitmap_dirty(handle, volume, disk, bitmap, false);
		descriptor_dirty(handle, volume, index, disk, descriptor);
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
		u32 index = group_of(volume, first),
		    from = (u32)(first - group_first_block(volume, index));
		u32 part = (u32)min(count, (u64)(volume->blocks_per_group - from));

		error = blocks_free_in(handle, volume, index, from, part);
		first += part;
		count -= part;
	}
	mutex_unlock(&volume->allocation_lock);
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

		if (free_inodes_of(volume, disk) >= max(average, 1u) &&
		    free_blocks_of(volume, disk) > most) {
			most = free_blocks_of(volume, disk);
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
	u32 free_inodes = free_inodes_of(volume, disk), bit, per_group = volume->inodes_per_group;
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
	free_inodes_set(volume, disk, free_inodes - 1);
	if (volume->metadata_checksums || volume->group_checksums) {
		u32 unused = min(unused_inodes_of(volume, disk), per_group - bit - 1);

		disk->unused_inodes_lo = (u16)unused;
		if (wide(volume))
			disk->unused_inodes_hi = (u16)(unused >> 16);
	}
	if (directory && !++disk->used_directories_lo && wide(volume))
		disk->used_directories_hi++;
	bitmap_dirty(handle, volume, disk, bitmap, true);
	descriptor_dirty(handle, volume, index, disk, descriptor);
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
		free_inodes_set(volume, disk, free_inodes_of(volume, disk) + 1);
		if (directory && !disk->used_directories_lo-- && wide(volume))
			disk->used_directories_hi--;
		bitmap_dirty(handle, volume, disk, bitmap, true);
		descriptor_dirty(handle, volume, index, disk, descriptor);
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
	bitmap = inode_bitmap_read(volume, (number - 1) / volume->inodes_per_group);
	*error = IS_ERR(bitmap) ? (int)PTR_ERR(bitmap) : 0;
	if (!*error) {
		used = bit_get(bitmap->data, (number - 1) % volume->inodes_per_group);
		buffer_put(bitmap);
	}
	mutex_unlock(&volume->allocation_lock);
	return used;
}
