/*
 * Files within their inodes (inline_data): the first 60 bytes in the place of the map, the rest as the value of the attribute
 * "system.data". They are read as they are; before one is written it gets blocks. A directory has its parent's
 * number first, then entries in both parts.
 */
#include "ext4.h"

#define DATA_NAME "data" /* below XATTR_INDEX_SYSTEM */

/* All bytes, kmalloc'ed: of the first part, and behind it of the second. */
static ssize_t inline_load(struct inode *inode, char **data)
{
	void *more = NULL;
	ssize_t size = xattr_find(inode, XATTR_INDEX_SYSTEM, DATA_NAME, &more);

	if (size < 0 && size != -ENODATA)
		return size;
	size = max(size, (ssize_t)0);
	*data = kmalloc(INODE_BLOCK_BYTES + (size_t)size, GFP_KERNEL);
	if (*data) {
		memcpy(*data, inode->block, INODE_BLOCK_BYTES);
		if (size)
			memcpy(*data + INODE_BLOCK_BYTES, more, (size_t)size);
	}
	kfree(more);
	return *data ? INODE_BLOCK_BYTES + size : -ENOMEM;
}

ssize_t inline_read(struct inode *inode, void *to, u64 offset, size_t size)
{
	char *data __free_kfree = NULL;
	ssize_t length = inline_load(inode, &data);

	if (length < 0)
		return length;
	if (offset >= (u64)length)
		return 0;
	size = min(size, (size_t)length - (size_t)offset);
	memcpy(to, data + offset, size);
	return (ssize_t)size;
}

/* ---- Directories ---- */

/* The entry at *at of a directory's bytes, which then moves on; NULL at the end of its part. -EUCLEAN: ERR_PTR. */
static struct dirent_disk *entry_next(struct inode *dir, char *data, u32 *at, u32 end)
{
	struct dirent_disk *entry = (struct dirent_disk *)(data + *at);

	if (end - *at < DIRENT_SIZE(1))
		return NULL;
	if (entry->length < DIRENT_SIZE(1) || entry->length % 4 || entry->length > end - *at ||
	    DIRENT_SIZE(entry->name_length) > entry->length || entry->inode > dir->volume->inodes_count)
		return ERR_PTR(volume_damaged(dir->volume, dir->number, 0, "directory within an inode"));
	*at += entry->length;
	return entry;
}

/* Calls each(entry) until it returns other than 0, which is returned. */
static int entries_each(struct inode *dir,
			int (*each)(struct dirent_disk *entry, u32 at, void *context), void *context)
{
	char *data __free_kfree = NULL;
	ssize_t length = inline_load(dir, &data);
	const u32 parts[2][2] = { { 4, INODE_BLOCK_BYTES }, { INODE_BLOCK_BYTES, (u32)length } };
	int result = 0;

	if (length < 0)
		return (int)length;
	for (u32 part = 0; part < 2; part++) {
		for (u32 at = parts[part][0]; !result && at < parts[part][1];) {
			u32 here = at;
			struct dirent_disk *entry = entry_next(dir, data, &at, parts[part][1]);

			if (IS_ERR_OR_NULL(entry)) {
				result = entry ? (int)PTR_ERR(entry) : 0;
				break;
			}
			if (entry->inode)
				result = each(entry, here, context);
		}
	}
	return result;
}

struct search {
	const struct name *name;
	u32 number;
};

static int entry_matches(struct dirent_disk *entry, u32 at, void *context)
{
	struct search *search = context;

	if (entry->name_length != search->name->length ||
	    memcmp(entry->name, search->name->text, entry->name_length))
		return 0;
	search->number = entry->inode;
	return 1;
}

int inline_directory_find(struct inode *dir, const struct name *name, u32 *number)
{
	struct search search = { .name = name };
	int found = entries_each(dir, entry_matches, &search);

	*number = search.number;
	return found > 0 ? 0 : found ? found : -ENOENT;
}

static int entry_emit(struct dirent_disk *entry, u32 at, void *argument)
{
	static const u8 kinds[] = { DT_UNKNOWN, DT_REG,	 DT_DIR,  DT_CHR,
				    DT_BLK,	DT_FIFO, DT_SOCK, DT_LNK };
	struct dir_context *context = argument;

	if ((u64)context->offset > at)
		return 0;
	if (!context->add(context, entry->name, entry->name_length, at + 1, entry->inode,
			  entry->type < ARRAY_SIZE(kinds) ? kinds[entry->type] : DT_UNKNOWN))
		return 1;
	context->offset = at + 1;
	return 0;
}

int inline_directory_read(struct inode *dir, struct dir_context *context)
{
	int error = entries_each(dir, entry_emit, context);

	return min(error, 0);
}

static int entry_found(struct dirent_disk *entry, u32 at, void *context)
{
	return 1;
}

int inline_directory_is_empty(struct inode *dir)
{
	int found = entries_each(dir, entry_found, NULL);

	return found < 0 ? found : !found;
}

/* ---- From the inode to a block ---- */

/* The inode has an empty map, and nothing within it any more. `data` holds what it had. */
static int inline_drop(struct handle *handle, struct inode *inode)
{
	int error = xattr_put(handle, inode, XATTR_INDEX_SYSTEM, DATA_NAME, NULL, 0, 0);

	if (error && error != -ENODATA)
		return error;
	inode->flags &= ~(u32)INODE_INLINE_DATA;
	memset(inode->block, 0, sizeof(inode->block));
	if (has_incompat(inode->volume, INCOMPAT_EXTENTS)) {
		inode->flags |= INODE_EXTENTS;
		extents_init(inode);
	}
	return 0;
}

static int directory_convert(struct handle *handle, struct inode *dir, char *data, u32 length)
{
	u32 parts[2][2] = { { 4, INODE_BLOCK_BYTES }, { INODE_BLOCK_BYTES, length } }, parent;
	struct buffer *buffer;
	int error = inline_drop(handle, dir);

	memcpy(&parent, data, sizeof(parent));
	if (error)
		return error;
	node_set_size(dir->node, 0);
	error = directory_make(handle, dir, parent);
	buffer = error ? ERR_PTR(error) : directory_block(dir, 0);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	for (u32 part = 0; part < 2 && !error; part++) {
		for (u32 at = parts[part][0]; at < parts[part][1] && !error;) {
			struct dirent_disk *entry = entry_next(dir, data, &at, parts[part][1]);

			if (IS_ERR_OR_NULL(entry)) {
				error = entry ? (int)PTR_ERR(entry) : 0;
				break;
			}
			if (entry->inode) {
				struct name name = { .text = entry->name, .length = entry->name_length };

				error = directory_block_add(dir, buffer, &name, entry->inode,
							    entry->type);
			}
		}
	}
	directory_dirty(handle, dir, buffer);
	buffer_put(buffer);
	return error;
}

static int file_convert(struct handle *handle, struct inode *inode, const char *data, u32 length)
{
	u64 size = min(node_size(inode->node), (u64)length);
	struct mapping mapping;
	struct buffer *buffer;
	int error = inline_drop(handle, inode);

	if (error || !size)
		return error;
	error = map_create(handle, inode, 0, 1, CREATE_WRITTEN, &mapping);
	if (error)
		return error;
	buffer = buffer_get(inode->volume->device, mapping.physical, inode->volume->block_size);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	memset(buffer->data, 0, buffer->size);
	memcpy(buffer->data, data, size);
	error = buffer_write(buffer, 0); /* data: on the device before the transaction that shows it */
	buffers_forget(inode->volume->device, buffer->block, 1, buffer->size);
	buffer_put(buffer);
	return error;
}

int inline_convert(struct inode *inode)
{
	char *data __free_kfree = NULL;
	bool directory = S_ISDIR(inode->node->attr.mode);
	ssize_t length = inline_load(inode, &data);
	struct handle handle;
	int error, result;

	if (length < 0)
		return (int)length;
	error = handle_begin(inode->volume, 3 * map_credits(inode) + XATTR_CREDITS + 4, &handle);
	if (error)
		return error;
	if (directory) {
		error = directory_convert(&handle, inode, data, (u32)length);
	} else {
		down_write(&inode->map_lock);
		error = inode_is_inline(inode) ? file_convert(&handle, inode, data, (u32)length) : 0;
		up_write(&inode->map_lock);
	}
	result = inode_store(&handle, inode);
	error = error ? error : result;
	result = handle_end(&handle);
	return error ? error : result;
}
