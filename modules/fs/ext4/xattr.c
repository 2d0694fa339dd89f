/*
 * Extended attributes: some within the inode, behind its fields, others in one block, which inodes with the same attributes may share.
 * Both are regions: entries from the front, values from the end. What is set goes into the inode if it fits there, else into
 * the block; a shared block is copied before it changes. Access lists are among them, with a form of their own and seen by
 * the core in another way (acl.c).
 */
#include "ext4.h"

#include <linux/xattr.h>

struct region {
	char *entries; /* the first */
	char *values;  /* what value offsets count from */
	char *end;
};

static const struct {
	u8 index;
	const char *prefix; /* the rest is the name on disk */
} spaces[] = {
	{ XATTR_INDEX_USER, "user." },
	{ XATTR_INDEX_TRUSTED, "trusted." },
	{ XATTR_INDEX_SECURITY, "security." },
};

/* The form on disk of a whole name. -EOPNOTSUPP. */
static int name_split(const char *name, u8 *index, const char **rest)
{
	for (u32 i = 0; i < ARRAY_SIZE(spaces); i++) {
		size_t length = strlen(spaces[i].prefix);

		if (strncmp(name, spaces[i].prefix, length))
			continue;
		*index = spaces[i].index;
		*rest = name + length;
		return strlen(*rest) > 255 ? -ERANGE : 0;
	}
	return -EOPNOTSUPP;
}

/* ---- Regions ---- */

static struct xattr_disk *first_of(const struct region *region)
{
	return (struct xattr_disk *)region->entries;
}

static struct xattr_disk *next_of(const struct xattr_disk *entry)
{
	return (struct xattr_disk *)((char *)entry + XATTR_ENTRY_SIZE(entry->name_length));
}

/* Four bytes of zeros end the entries. */
static bool is_last(const struct xattr_disk *entry)
{
	u32 word;

	__builtin_memcpy(&word, entry, sizeof(word));
	return !word;
}

static char *value_of(const struct region *region, const struct xattr_disk *entry)
{
	return region->values + entry->value_offset;
}

/* Do all entries and values lie within, and apart? */
static bool region_valid(const struct region *region)
{
	const struct xattr_disk *entry = first_of(region);
	const char *lowest = region->end;

	for (;; entry = next_of(entry)) {
		if (region->end - (const char *)entry < 4)
			return false;
		if (is_last(entry))
			break;
		if (region->end - (const char *)entry < (long)XATTR_ENTRY_SIZE(0) ||
		    region->end - (const char *)entry < (long)XATTR_ENTRY_SIZE(entry->name_length) + 4)
			return false;
		if (entry->value_inode || entry->value_size > INT16_MAX)
			return false;
		if (!entry->value_size)
			continue;
		if (value_of(region, entry) < region->entries ||
		    region->end - value_of(region, entry) < (long)XATTR_VALUE_SIZE(entry->value_size))
			return false;
		if (value_of(region, entry) < lowest)
			lowest = value_of(region, entry);
	}
	return lowest >= (const char *)entry + 4;
}

/* Entries of blocks are sorted: by name space, then the name's length, then the name. */
static int order(const struct xattr_disk *entry, u8 index, const char *name, u32 length)
{
	if (entry->name_index != index)
		return (int)entry->name_index - index;
	if (entry->name_length != length)
		return (int)entry->name_length - (int)length;
	return memcmp(entry->name, name, length);
}

static struct xattr_disk *region_find(const struct region *region, u8 index, const char *name)
{
	u32 length = (u32)strlen(name);

	for (struct xattr_disk *entry = first_of(region); !is_last(entry); entry = next_of(entry))
		if (!order(entry, index, name, length))
			return entry;
	return NULL;
}

/* Where values begin, and where entries end. */
static void region_bounds(const struct region *region, char **lowest, struct xattr_disk **last)
{
	struct xattr_disk *entry = first_of(region);

	*lowest = region->end;
	for (; !is_last(entry); entry = next_of(entry))
		if (entry->value_size && value_of(region, entry) < *lowest)
			*lowest = value_of(region, entry);
	*last = entry;
}

static size_t region_room(const struct region *region)
{
	struct xattr_disk *last;
	char *lowest;

	region_bounds(region, &lowest, &last);
	return (size_t)(lowest - (char *)last) - 4;
}

static void region_remove(struct region *region, struct xattr_disk *gone)
{
	u32 size = XATTR_VALUE_SIZE(gone->value_size), length = XATTR_ENTRY_SIZE(gone->name_length);
	u16 offset = gone->value_offset;
	struct xattr_disk *last;
	char *lowest;

	region_bounds(region, &lowest, &last);
	if (size) {
		char *value = value_of(region, gone);

		memmove(lowest + size, lowest, (size_t)(value - lowest));
		memset(lowest, 0, size);
		for (struct xattr_disk *entry = first_of(region); !is_last(entry);
		     entry = next_of(entry))
			if (entry->value_size && entry->value_offset < offset)
				entry->value_offset = (u16)(entry->value_offset + size);
	}
	memmove(gone, (char *)gone + length, (size_t)((char *)last - (char *)gone) - length + 4);
	memset((char *)last - length + 4, 0, length);
}

static u32 entry_hash(const struct xattr_disk *entry, const char *value)
{
	u32 hash = 0, word;

	for (u32 i = 0; i < entry->name_length; i++)
		hash = (hash << 5 | hash >> 27) ^ (u8)entry->name[i];
	for (u32 i = 0; i < XATTR_VALUE_SIZE(entry->value_size); i += 4) {
		__builtin_memcpy(&word, value + i, sizeof(word));
		hash = (hash << 16 | hash >> 16) ^ word;
	}
	return hash;
}

/* The region has room for it. */
static void region_insert(struct region *region, u8 index, const char *name, const void *value,
			  size_t size)
{
	u32 length = (u32)strlen(name), entry_size = XATTR_ENTRY_SIZE(length);
	struct xattr_disk *at = first_of(region), *last;
	char *lowest;

	region_bounds(region, &lowest, &last);
	while (!is_last(at) && order(at, index, name, length) < 0)
		at = next_of(at);
	memmove((char *)at + entry_size, at, (size_t)((char *)last - (char *)at) + 4);
	memset(at, 0, entry_size);
	at->name_index = index;
	at->name_length = (u8)length;
	memcpy(at->name, name, length);
	at->value_size = (u32)size;
	if (size) {
		lowest -= XATTR_VALUE_SIZE(size);
		memset(lowest, 0, XATTR_VALUE_SIZE(size));
		memcpy(lowest, value, size);
		at->value_offset = (u16)(lowest - region->values);
	}
	at->hash = entry_hash(at, lowest);
}

static size_t needed(const char *name, size_t size)
{
	return XATTR_ENTRY_SIZE((u32)strlen(name)) + XATTR_VALUE_SIZE(size);
}

/* ---- The two places ---- */

/* The region within the inode; false: it has none. */
static bool body_region(const struct inode *inode, struct inode_disk *raw, struct region *region)
{
	u32 size = inode->volume->inode_size, start = INODE_SMALL + inode->extra_isize;

	if (size <= INODE_SMALL || start + 8 > size)
		return false;
	region->entries = region->values = (char *)raw + start + 4;
	region->end = (char *)raw + size;
	return true;
}

static u32 *body_magic(const struct region *region)
{
	return (u32 *)(region->entries - 4);
}

static struct region block_region(void *block, u32 size)
{
	return (struct region){ .entries = (char *)block + sizeof(struct xattr_header),
				.values = block,
				.end = (char *)block + size };
}

static u32 block_checksum(const struct volume *volume, u64 block, struct xattr_header *header)
{
	u32 kept = header->checksum, checksum;

	header->checksum = 0;
	checksum = crc32c(crc32c(volume->checksum_seed, &block, sizeof(block)), header,
			  volume->block_size);
	header->checksum = kept;
	return checksum;
}

static void block_finish(const struct volume *volume, u64 block, struct xattr_header *header)
{
	struct region region = block_region(header, volume->block_size);
	u32 hash = 0;

	for (struct xattr_disk *entry = first_of(&region); !is_last(entry); entry = next_of(entry)) {
		if (!entry->hash) {
			hash = 0;
			break;
		}
		hash = (hash << 16 | hash >> 16) ^ entry->hash;
	}
	header->hash = hash;
	if (volume->metadata_checksums)
		header->checksum = block_checksum(volume, block, header);
}

/* The inode's block of attributes. ERR_PTR; NULL: it has none. */
static struct buffer *block_read(struct inode *inode)
{
	struct volume *volume = inode->volume;
	struct xattr_header *header;
	struct buffer *buffer;
	struct region region;
	int owned;

	if (!inode->acl_block)
		return NULL;
	buffer = buffer_read(volume->device, inode->acl_block, volume->block_size);
	if (IS_ERR(buffer))
		return buffer;
	header = buffer->data;
	owned = buffer_owned(volume, buffer, 0, OWNER_XATTRS); /* of nobody alone: it may be shared */
	if (!owned) {
		region = block_region(header, volume->block_size);
		if (header->magic != XATTR_MAGIC || header->blocks != 1 || !header->refs ||
		    !region_valid(&region) ||
		    (volume->metadata_checksums &&
		     header->checksum != block_checksum(volume, inode->acl_block, header)))
			owned = volume_damaged(volume, inode->number, inode->acl_block,
					       "extended attributes");
		else
			buffer->owner = owner_make(0, OWNER_XATTRS);
	}
	if (owned < 0) {
		buffer_put(buffer);
		return ERR_PTR(owned);
	}
	return buffer;
}

/* Calls each() for the regions that there are, until it returns other than 0. Both are read under raw_lock. */
static int regions_each(struct inode *inode,
			int (*each)(const struct region *region, void *context), void *context)
{
	struct buffer *buffer;
	struct inode_disk *raw = inode_raw(inode->volume, inode->number, &buffer);
	struct region region;
	int result = 0;

	if (IS_ERR(raw))
		return (int)PTR_ERR(raw);
	mutex_lock(&inode->raw_lock);
	if (body_region(inode, raw, &region) && *body_magic(&region) == XATTR_MAGIC)
		result = region_valid(&region)
				 ? each(&region, context)
				 : volume_damaged(inode->volume, inode->number, 0, "attributes");
	mutex_unlock(&inode->raw_lock);
	buffer_put(buffer);
	if (result)
		return result;
	buffer = block_read(inode);
	if (IS_ERR_OR_NULL(buffer))
		return buffer ? (int)PTR_ERR(buffer) : 0;
	region = block_region(buffer->data, inode->volume->block_size);
	mutex_lock(&inode->volume->xattr_lock);
	result = each(&region, context);
	mutex_unlock(&inode->volume->xattr_lock);
	buffer_put(buffer);
	return result;
}

/* ---- Reading ---- */

struct wanted {
	u8 index;
	const char *name;
	void *value;
	size_t size;
};

static int value_copy(const struct region *region, void *context)
{
	struct wanted *wanted = context;
	struct xattr_disk *entry = region_find(region, wanted->index, wanted->name);

	if (!entry)
		return 0;
	wanted->size = entry->value_size;
	wanted->value = kmalloc(wanted->size + 1, GFP_KERNEL);
	if (!wanted->value)
		return -ENOMEM;
	if (wanted->size)
		memcpy(wanted->value, value_of(region, entry), wanted->size);
	return 1;
}

ssize_t xattr_find(struct inode *inode, u8 index, const char *name, void **value)
{
	struct wanted wanted = { .index = index, .name = name };
	int found = regions_each(inode, value_copy, &wanted);

	if (found <= 0)
		return found ? found : -ENODATA;
	*value = wanted.value;
	return (ssize_t)wanted.size;
}

ssize_t ext4_xattr_get(struct node *node, const char *name, void *value, size_t size)
{
	void *found __free_kfree = NULL;
	const char *rest;
	ssize_t length;
	u8 index;
	int error = name_split(name, &index, &rest);

	if (error)
		return error;
	length = xattr_find(inode_of(node), index, rest, &found);
	if (length < 0)
		return length;
	if (!size)
		return length;
	if ((size_t)length > size)
		return -ERANGE;
	memcpy(value, found, (size_t)length);
	return length;
}

struct listing {
	char *list;
	size_t size, used;
	bool trusted;
};

static int names_list(const struct region *region, void *context)
{
	struct listing *listing = context;

	for (struct xattr_disk *entry = first_of(region); !is_last(entry); entry = next_of(entry)) {
		for (u32 i = 0; i < ARRAY_SIZE(spaces); i++) {
			size_t prefix = strlen(spaces[i].prefix),
			       length = prefix + entry->name_length + 1;

			if (spaces[i].index != entry->name_index ||
			    (entry->name_index == XATTR_INDEX_TRUSTED && !listing->trusted))
				continue;
			if (listing->size) {
				char *to = listing->list + listing->used;

				if (length > listing->size - listing->used)
					return -ERANGE;
				memcpy(to, spaces[i].prefix, prefix);
				memcpy(to + prefix, entry->name, entry->name_length);
				to[length - 1] = 0;
			}
			listing->used += length;
		}
	}
	return 0;
}

ssize_t ext4_xattr_list(struct node *node, char *list, size_t size, bool trusted)
{
	struct listing listing = { .list = list, .size = size, .trusted = trusted };
	int error = regions_each(inode_of(node), names_list, &listing);

	return error ? error : (ssize_t)listing.used;
}

/* ---- Changing ---- */

/* In the inode: -ENOSPC when it does not fit; -ENODATA when there is nothing to remove. */
static int body_put(struct handle *handle, struct inode *inode, u8 index, const char *name,
		    const void *value, size_t size)
{
	struct buffer *buffer;
	struct inode_disk *raw = inode_raw(inode->volume, inode->number, &buffer);
	struct xattr_disk *there = NULL;
	struct region region;
	size_t room;
	int error;

	if (IS_ERR(raw))
		return (int)PTR_ERR(raw);
	error = body_region(inode, raw, &region) ? handle_join(handle, buffer)
		: value				 ? -ENOSPC
						 : -ENODATA;
	if (error) {
		buffer_put(buffer);
		return error;
	}
	mutex_lock(&inode->raw_lock);
	if (*body_magic(&region) != XATTR_MAGIC) {
		memset(region.entries, 0, (size_t)(region.end - region.entries));
		*body_magic(&region) = XATTR_MAGIC;
	}
	if (!region_valid(&region)) {
		error = volume_damaged(inode->volume, inode->number, 0, "attributes");
		goto out;
	}
	there = region_find(&region, index, name);
	room = region_room(&region) + (there ? needed(name, there->value_size) : 0);
	if (value ? needed(name, size) > room : !there) {
		error = value ? -ENOSPC : -ENODATA;
	} else {
		if (there)
			region_remove(&region, there);
		if (value)
			region_insert(&region, index, name, value, size);
	}
	inode_checksum_set(inode, raw);
out:
	mutex_unlock(&inode->raw_lock);
	handle_dirty(handle, buffer);
	buffer_put(buffer);
	return error;
}

/* One inode less has the block; the last frees it. xattr_lock held. */
static int block_release(struct handle *handle, struct inode *inode, struct buffer *buffer)
{
	struct xattr_header *header = buffer->data;
	int error;

	if (header->refs == 1) {
		error = blocks_free(handle, inode->volume, buffer->block, 1, true);
	} else {
		error = handle_join(handle, buffer);
		if (!error) {
			header->refs--;
			block_finish(inode->volume, buffer->block, header);
			handle_dirty(handle, buffer);
		}
	}
	if (!error) {
		inode->acl_block = 0;
		inode_count_blocks(inode, -1);
	}
	return error;
}

/* A block of the inode's own with these bytes takes the place of `old`, which may be NULL. xattr_lock held. */
static int block_replace(struct handle *handle, struct inode *inode, struct buffer *old, const void *bytes)
{
	struct volume *volume = inode->volume;
	struct buffer *buffer;
	u32 one = 1;
	u64 block;
	int error = old ? block_release(handle, inode, old) : 0;

	if (!error)
		error = blocks_alloc(handle, volume, inode->goal, &one, &block);
	if (error)
		return error;
	buffer = buffer_get(volume->device, block, volume->block_size);
	error = IS_ERR(buffer) ? (int)PTR_ERR(buffer) : handle_join(handle, buffer);
	if (!error) {
		memcpy(buffer->data, bytes, volume->block_size);
		((struct xattr_header *)buffer->data)->refs = 1;
		block_finish(volume, block, buffer->data);
		buffer->owner = owner_make(0, OWNER_XATTRS);
		handle_dirty(handle, buffer);
		inode->acl_block = block;
		inode_count_blocks(inode, 1);
	} else {
		blocks_give_up(handle, volume, block, 1, true);
	}
	if (!IS_ERR(buffer))
		buffer_put(buffer);
	return error;
}

/* The block as it shall be, worked out in a copy. 1: it has no entries any more. */
static int block_change(struct inode *inode, struct buffer *old, char *copy, u8 index,
			const char *name, const void *value, size_t size)
{
	u32 block_size = inode->volume->block_size;
	struct region region = block_region(copy, block_size);
	struct xattr_disk *there;

	if (old)
		memcpy(copy, old->data, block_size);
	else
		*(struct xattr_header *)copy =
			(struct xattr_header){ .magic = XATTR_MAGIC, .refs = 1, .blocks = 1 };
	if (old && !region_valid(&region))
		return volume_damaged(inode->volume, inode->number, old->block, "extended attributes");
	there = region_find(&region, index, name);
	if (!there && !value)
		return -ENODATA;
	if (there)
		region_remove(&region, there);
	if (value && needed(name, size) > region_room(&region))
		return -ENOSPC;
	if (value)
		region_insert(&region, index, name, value, size);
	return is_last(first_of(&region));
}

static int block_put(struct handle *handle, struct inode *inode, u8 index, const char *name,
		     const void *value, size_t size)
{
	struct volume *volume = inode->volume;
	struct buffer *old = block_read(inode);
	char *copy __free_kfree = NULL;
	int result;

	if (IS_ERR(old))
		return (int)PTR_ERR(old);
	if (!old && !value)
		return -ENODATA;
	copy = kzalloc(volume->block_size, GFP_KERNEL);
	mutex_lock(&volume->xattr_lock);
	result = copy ? block_change(inode, old, copy, index, name, value, size) : -ENOMEM;
	if (result > 0) {
		result = old ? block_release(handle, inode, old) : 0;
	} else if (!result && old && ((struct xattr_header *)old->data)->refs == 1) {
		result = handle_join(handle, old);
		if (!result) {
			memcpy(old->data, copy, volume->block_size);
			block_finish(volume, old->block, old->data);
			handle_dirty(handle, old);
		}
	} else if (!result) {
		result = block_replace(handle, inode, old, copy);
	}
	mutex_unlock(&volume->xattr_lock);
	if (old)
		buffer_put(old);
	return result;
}

int xattr_put(struct handle *handle, struct inode *inode, u8 index, const char *name,
	      const void *value, size_t size, int flags)
{
	void *there __free_kfree = NULL;
	ssize_t before = xattr_find(inode, index, name, &there);
	int error;

	if (before < 0 && before != -ENODATA)
		return (int)before;
	if (before >= 0 && flags & XATTR_CREATE)
		return -EEXIST;
	if (before < 0 && (flags & XATTR_REPLACE || !value))
		return -ENODATA;
	error = super_feature_add(handle, inode->volume, &inode->volume->super->feature_compat,
				  COMPAT_EXT_ATTR);
	if (error)
		return error;
	error = body_put(handle, inode, index, name, value, size);
	if (!error) { /* nothing of it in the other place */
		error = block_put(handle, inode, index, name, NULL, 0);
		error = error == -ENODATA ? 0 : error;
	} else if (error == -ENOSPC || error == -ENODATA) {
		error = block_put(handle, inode, index, name, value, size);
		if (!error && value) {
			error = body_put(handle, inode, index, name, NULL, 0);
			error = error == -ENODATA ? 0 : error;
		}
	}
	return error;
}

int xattrs_release(struct handle *handle, struct inode *inode)
{
	struct buffer *buffer = block_read(inode);
	int error;

	if (IS_ERR_OR_NULL(buffer))
		return PTR_ERR(buffer) == -EUCLEAN ? 0 : (int)PTR_ERR(buffer); /* e2fsck frees it */
	mutex_lock(&inode->volume->xattr_lock);
	error = block_release(handle, inode, buffer);
	mutex_unlock(&inode->volume->xattr_lock);
	buffer_put(buffer);
	return error;
}

int ext4_xattr_set(struct node *node, const char *name, const void *value, size_t size, int flags)
{
	struct inode *inode = inode_of(node);
	struct handle handle;
	const char *rest;
	u8 index;
	int error = name_split(name, &index, &rest), result;

	if (error)
		return error;
	if (size > inode->volume->block_size)
		return -ENOSPC;
	error = handle_begin(inode->volume, 2 * XATTR_CREDITS, &handle);
	if (error)
		return error;
	error = xattr_put(&handle, inode, index, rest, value, size, flags);
	if (!error)
		node_touch(node, false, false, true);
	result = inode_store(&handle, inode); /* also in vain: blocks may have been counted */
	error = error ? error : result;
	result = handle_end(&handle);
	return error ? error : result;
}
