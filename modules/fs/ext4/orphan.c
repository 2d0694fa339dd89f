/*
 * Orphans: inodes that have no name any more but are open, or that a truncation is under way of. The superblock begins a list of them
 * through the inodes' dtime, so that the next mount can finish what a power cut stopped. Volumes with the orphan_file feature
 * have a file of inode numbers besides; what others left there is cleaned, too.
 */
#include "ext4.h"

/* The place of the link that leads to the inode, or of its own link: in the inode's dtime. */
static int link_set(struct handle *handle, struct inode *inode, u32 next)
{
	struct buffer *buffer;
	struct inode_disk *raw = inode_raw(inode->volume, inode->number, &buffer);
	int error;

	if (IS_ERR(raw))
		return (int)PTR_ERR(raw);
	error = handle_join(handle, buffer);
	if (!error) {
		mutex_lock(&inode->raw_lock);
		raw->dtime = next;
		inode_checksum_set(inode, raw);
		mutex_unlock(&inode->raw_lock);
		handle_dirty(handle, buffer);
	}
	buffer_put(buffer);
	return error;
}

static int link_get(struct inode *inode, u32 *next)
{
	struct buffer *buffer;
	const struct inode_disk *raw = inode_raw(inode->volume, inode->number, &buffer);

	if (IS_ERR(raw))
		return (int)PTR_ERR(raw);
	*next = raw->dtime;
	buffer_put(buffer);
	return 0;
}

static int head_set(struct handle *handle, struct volume *volume, u32 number)
{
	int error = handle_join(handle, volume->super_buffer);

	if (error)
		return error;
	mutex_lock(&volume->allocation_lock); /* the superblock's checksum is the counts', too */
	volume->super->last_orphan = number;
	super_dirty(handle, volume);
	mutex_unlock(&volume->allocation_lock);
	return 0;
}

int orphan_add(struct handle *handle, struct inode *inode)
{
	struct volume *volume = inode->volume;
	int error = 0;

	mutex_lock(&volume->orphan_lock);
	if (!inode->orphan) {
		error = link_set(handle, inode, volume->super->last_orphan);
		if (!error)
			error = head_set(handle, volume, inode->number);
		if (!error) {
			inode->orphan = true;
			list_add(&volume->orphans, &inode->orphan_link);
		}
	}
	mutex_unlock(&volume->orphan_lock);
	return error;
}

int orphan_remove(struct handle *handle, struct inode *inode)
{
	struct volume *volume = inode->volume;
	u32 next = 0;
	int error;

	mutex_lock(&volume->orphan_lock);
	if (!inode->orphan) {
		mutex_unlock(&volume->orphan_lock);
		return 0;
	}
	error = link_get(inode, &next);
	if (!error && inode->orphan_link.prev == &volume->orphans)
		error = head_set(handle, volume, next);
	else if (!error)
		error = link_set(handle,
				 container_of(inode->orphan_link.prev, struct inode, orphan_link),
				 next);
	if (!error)
		error = link_set(handle, inode, 0);
	if (!error) {
		inode->orphan = false;
		list_del_init(&inode->orphan_link);
	}
	mutex_unlock(&volume->orphan_lock);
	return error;
}

int inode_truncate(struct inode *inode)
{
	struct volume *volume = inode->volume;
	u32 first = (u32)DIV_ROUND_UP(inode->disk_size, volume->block_size);

	return inode_is_inline(inode) ? 0 : map_remove(inode, first, MAP_BLOCKS_MAX);
}

/* One orphan is brought to its end: removed, or cut to its size. `listed`: it is in the list of the superblock. */
static int orphan_finish(struct volume *volume, u32 number, bool listed)
{
	struct node *node;
	struct inode *inode;
	struct handle handle;
	int error, used = inode_number_used(volume, number, &error), result;

	if (error)
		return error;
	if (!used || !inode_number_valid(volume, number))
		return volume_damaged(volume, number, 0, "an orphan that is free");
	node = inode_get_flags(volume, number, GET_UNLINKED);
	if (IS_ERR(node))
		return (int)PTR_ERR(node);
	inode = inode_of(node);
	if (listed) {
		inode->orphan = true;
		list_add(&volume->orphans, &inode->orphan_link);
	}
	if (node->attr.nlink) {
		error = S_ISREG(node->attr.mode) ? inode_truncate(inode) : 0;
		if (!error)
			error = handle_begin(volume, 6, &handle);
		if (!error) {
			error = orphan_remove(&handle, inode);
			result = handle_end(&handle);
			error = error ? error : result;
		}
	}
	node_put(node); /* without links, forget() frees it */
	return error;
}

static int list_clean(struct volume *volume)
{
	u32 count = 0;
	int error = 0;

	while (volume->super->last_orphan && !error) {
		u32 number = volume->super->last_orphan;

		if (number > volume->inodes_count)
			return volume_damaged(volume, number, 0, "list of orphans");
		error = orphan_finish(volume, number, true);
		if (!error && volume->super->last_orphan == number)
			error = volume_damaged(volume, number, 0, "an orphan that stays one");
		count++;
	}
	if (count)
		pr_info("%s: %u orphans finished\n", volume->device->name, count);
	return error;
}

/*
 * An instance before this one has left its files to be served on: orphans are those that are open without a name. The list is learnt in
 * its order, which orphan_remove() goes by; then those that nobody has open after all are finished.
 */
int orphans_keep(struct volume *volume)
{
	u32 number = volume->super->last_orphan;
	struct inode *inode, *next;
	struct node *node;
	int error = 0;

	while (number && !error) {
		node = inode_get_flags(volume, number, GET_UNLINKED);
		if (IS_ERR(node)) {
			error = (int)PTR_ERR(node);
			break;
		}
		inode = inode_of(node);
		if (inode->orphan) {
			node_put(node);
			return volume_damaged(volume, number, 0, "list of orphans");
		}
		inode->orphan = true;
		list_add_tail(&volume->orphans, &inode->orphan_link);
		error = link_get(inode, &number);
	}
	list_for_each_safe(inode, next, &volume->orphans, orphan_link)
		node_put(inode->node); /* without links, forget() frees it */
	return error;
}

/* ---- The file of orphans ---- */

static u32 file_checksum(const struct inode *file, const struct buffer *buffer)
{
	u64 block = buffer->block;

	return crc32c(crc32c(file->checksum_seed, &block, sizeof(block)), buffer->data,
		      buffer->size - sizeof(struct orphan_tail));
}

static int file_block_store(struct inode *file, struct buffer *buffer)
{
	struct orphan_tail *tail = (struct orphan_tail *)((char *)buffer->data + buffer->size) - 1;
	struct handle handle;
	int error = handle_begin(file->volume, 1, &handle), result;

	if (error)
		return error;
	error = handle_join(&handle, buffer);
	if (!error) {
		memset(buffer->data, 0, buffer->size - sizeof(*tail));
		if (file->volume->metadata_checksums)
			tail->checksum = file_checksum(file, buffer);
		handle_dirty(&handle, buffer);
	}
	result = handle_end(&handle);
	return error ? error : result;
}

static int file_block_clean(struct inode *file, u32 block)
{
	struct volume *volume = file->volume;
	struct buffer *buffer = map_read(file, block);
	u32 *numbers, count, found = 0;
	const struct orphan_tail *tail;
	int error = 0;

	if (IS_ERR_OR_NULL(buffer))
		return buffer ? (int)PTR_ERR(buffer)
			      : volume_damaged(volume, file->number, block,
					       "file of orphans with a hole");
	numbers = buffer->data;
	tail = (struct orphan_tail *)((char *)buffer->data + buffer->size) - 1;
	count = (u32)((u32 *)tail - numbers);
	if (tail->magic != ORPHAN_MAGIC ||
	    (volume->metadata_checksums && tail->checksum != file_checksum(file, buffer)))
		error = volume_damaged(volume, file->number, buffer->block, "file of orphans");
	for (u32 i = 0; i < count && !error; i++) {
		if (!numbers[i])
			continue;
		error = numbers[i] > volume->inodes_count
				? volume_damaged(volume, numbers[i], buffer->block, "file of orphans")
				: orphan_finish(volume, numbers[i], false);
		found++;
	}
	if (!error && found)
		error = file_block_store(file, buffer);
	buffer_put(buffer);
	return error;
}

static int file_clean(struct volume *volume)
{
	struct node *node = inode_get_flags(volume, volume->super->orphan_file_inode, 0);
	struct handle handle;
	int error = 0, result;

	if (IS_ERR(node))
		return (int)PTR_ERR(node);
	if (!S_ISREG(node->attr.mode) || inode_is_inline(inode_of(node)))
		error = volume_damaged(volume, inode_of(node)->number, 0, "the file of orphans is none");
	for (u32 block = 0; (u64)block << volume->block_bits < node_size(node) && !error; block++)
		error = file_block_clean(inode_of(node), block);
	node_put(node);
	if (!error)
		error = handle_begin(volume, 1, &handle);
	if (error)
		return error;
	error = handle_join(&handle, volume->super_buffer);
	if (!error) {
		volume->super->feature_ro_compat &= ~(u32)RO_COMPAT_ORPHAN_PRESENT;
		super_dirty(&handle, volume);
	}
	result = handle_end(&handle);
	return error ? error : result;
}

int orphans_clean(struct volume *volume)
{
	int error = 0;

	if (volume->super->state & STATE_ERRORS) {
		if (volume->super->last_orphan)
			pr_warn("%s: orphans are left to e2fsck\n", volume->device->name);
		return 0;
	}
	if (has_ro_compat(volume, RO_COMPAT_ORPHAN_PRESENT) && has_compat(volume, COMPAT_ORPHAN_FILE))
		error = file_clean(volume);
	if (!error)
		error = list_clean(volume);
	return error == -EUCLEAN ? 0 : error; /* it was said; the rest of the volume can still be used */
}
