/*
 * Directories as lists of entries, block by block; those with an index (htree.c) have the same blocks as leaves. An entry's length
 * leads to the next, and the last one's to the block's end, so a removed entry becomes room of the one before.
 */
#include "ext4.h"

#include <kumo/file.h>

u32 directory_space(const struct volume *volume)
{
	return volume->block_size - (volume->metadata_checksums ? (u32)sizeof(struct dirent_tail) : 0);
}

static struct dirent_tail *tail_of(const struct volume *volume, void *block)
{
	return (struct dirent_tail *)((char *)block + directory_space(volume));
}

static void directory_seal(struct volume *volume, struct buffer *buffer, u32 checksum_seed)
{
	tail_of(volume, buffer->data)->checksum =
		crc32c(checksum_seed, buffer->data, directory_space(volume));
}

void directory_dirty(struct handle *handle, struct inode *dir, struct buffer *buffer)
{
	if (dir->volume->metadata_checksums)
		handle_dirty_unsealed(handle, buffer, directory_seal, dir->checksum_seed);
	else
		handle_dirty(handle, buffer);
}

/* One entry without a name, and the tail. */
void directory_block_clear(struct volume *volume, void *block)
{
	u32 space = directory_space(volume);

	memset(block, 0, volume->block_size);
	((struct dirent_disk *)block)->length = (u16)space;
	if (space < volume->block_size)
		*(struct dirent_tail *)((char *)block + space) =
			(struct dirent_tail){ .length = sizeof(struct dirent_tail),
					      .type = DIRENT_TAIL_TYPE };
}

static const char *block_fault(const struct inode *dir, void *block)
{
	const struct volume *volume = dir->volume;
	u32 space = directory_space(volume);
	const struct dirent_tail *tail = tail_of(volume, block);

	if (space < volume->block_size && (tail->inode || tail->length != sizeof(*tail) ||
					   tail->name_length || tail->type != DIRENT_TAIL_TYPE))
		return "no checksum";
	if (space < volume->block_size && tail->checksum != crc32c(dir->checksum_seed, block, space))
		return "wrong checksum";
	for (u32 at = 0; at < space;) {
		const struct dirent_disk *entry = (const struct dirent_disk *)((char *)block + at);

		if (space - at < DIRENT_SIZE(1) || entry->length < DIRENT_SIZE(1) || entry->length % 4 ||
		    entry->length > space - at || DIRENT_SIZE(entry->name_length) > entry->length)
			return "length of an entry";
		if (entry->inode > volume->inodes_count || (entry->inode && !entry->name_length))
			return "an entry";
		at += entry->length;
	}
	return NULL;
}

struct buffer *directory_block(struct inode *dir, u32 block)
{
	struct buffer *buffer = map_read(dir, block);
	int owned;

	if (!buffer)
		return ERR_PTR(
			volume_damaged(dir->volume, dir->number, block, "a directory with a hole"));
	if (IS_ERR(buffer))
		return buffer;
	owned = buffer_owned(dir->volume, buffer, dir->number, OWNER_DIRECTORY);
	if (!owned) {
		const char *fault = block_fault(dir, buffer->data);

		if (fault)
			owned = volume_damaged(dir->volume, dir->number, buffer->block,
					       "directory: %s", fault);
		else
			buffer->owner = owner_make(dir->number, OWNER_DIRECTORY);
	}
	if (owned < 0) {
		buffer_put(buffer);
		return ERR_PTR(owned);
	}
	return buffer;
}

/* ---- Within a block ---- */

#define FOR_ENTRIES(entry, buffer, dir)                                                            \
	for (struct dirent_disk *entry = (buffer)->data;                                           \
	     (char *)(entry) < (char *)(buffer)->data + directory_space((dir)->volume);            \
	     entry = dirent_next(entry))

u8 dirent_type(const struct volume *volume, u32 mode)
{
	static const u8 types[16] = { [S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2,
				      [S_IFCHR >> 12] = 3, [S_IFBLK >> 12] = 4,
				      [S_IFIFO >> 12] = 5, [S_IFSOCK >> 12] = 6,
				      [S_IFLNK >> 12] = 7 };

	return has_incompat(volume, INCOMPAT_FILETYPE) ? types[mode >> 12 & 15] : 0;
}

static u32 kind_of(const struct dirent_disk *entry)
{
	static const u8 kinds[] = { DT_UNKNOWN, DT_REG,	 DT_DIR,  DT_CHR,
				    DT_BLK,	DT_FIFO, DT_SOCK, DT_LNK };

	return entry->type < ARRAY_SIZE(kinds) ? kinds[entry->type] : DT_UNKNOWN;
}

struct dirent_disk *directory_block_find(struct inode *dir, struct buffer *buffer,
					 const struct name *name)
{
	FOR_ENTRIES(entry, buffer, dir)
	if (entry->inode && entry->name_length == name->length &&
	    !memcmp(entry->name, name->text, name->length))
		return entry;
	return NULL;
}

/* What the entry itself needs of its length. */
static u32 entry_used(const struct dirent_disk *entry)
{
	return entry->inode ? DIRENT_SIZE(entry->name_length) : 0;
}

/* The first entry with room behind it, or in it, for one more of that name. */
static struct dirent_disk *room_find(const struct inode *dir, const struct buffer *buffer,
				     const struct name *name)
{
	FOR_ENTRIES(entry, buffer, dir)
	if (entry->length >= entry_used(entry) + DIRENT_SIZE(name->length))
		return entry;
	return NULL;
}

int directory_block_add(struct inode *dir, struct buffer *buffer, const struct name *name,
			u32 number, u8 type)
{
	struct dirent_disk *entry = room_find(dir, buffer, name);
	u32 used;

	if (!entry)
		return -ENOSPC;
	used = entry_used(entry);
	if (used) {
		struct dirent_disk *fresh = (struct dirent_disk *)((char *)entry + used);

		fresh->length = (u16)(entry->length - used);
		entry->length = (u16)used;
		entry = fresh;
	}
	entry->inode = number;
	entry->name_length = (u8)name->length;
	entry->type = type;
	memcpy(entry->name, name->text, name->length);
	return 0;
}

/* ---- Looking ---- */

int directory_find(struct inode *dir, const struct name *name, struct dirent_place *place)
{
	u32 blocks = directory_blocks(dir);

	if (dir->flags & INODE_INDEX && has_compat(dir->volume, COMPAT_DIR_INDEX))
		return htree_find(dir, name, place);
	for (u32 block = 0; block < blocks; block++) {
		struct buffer *buffer = directory_block(dir, block);

		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		place->entry = directory_block_find(dir, buffer, name);
		if (place->entry) {
			place->buffer = buffer;
			place->block = block;
			return 0;
		}
		buffer_put(buffer);
	}
	return -ENOENT;
}

int directory_parent(struct inode *dir, struct dirent_place *place)
{
	struct name name = { .text = "..", .length = 2 };
	struct buffer *buffer;

	if (dir->flags & INODE_INDEX && has_compat(dir->volume, COMPAT_DIR_INDEX))
		return htree_parent(dir, place);
	buffer = directory_block(dir, 0);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	place->buffer = buffer;
	place->block = 0;
	place->entry = directory_block_find(dir, buffer, &name);
	if (place->entry)
		return 0;
	buffer_put(buffer);
	return volume_damaged(dir->volume, dir->number, 0,
			      "a directory without an entry for its parent");
}

static bool is_dots(const struct dirent_disk *entry)
{
	return entry->name[0] == '.' &&
	       (entry->name_length == 1 || (entry->name_length == 2 && entry->name[1] == '.'));
}

int directory_is_empty(struct inode *dir)
{
	bool indexed = dir->flags & INODE_INDEX && has_compat(dir->volume, COMPAT_DIR_INDEX);
	u32 blocks = directory_blocks(dir);

	if (inode_is_inline(dir))
		return inline_directory_is_empty(dir);
	/* Of an index, its root is no leaf; other nodes look like blocks without entries. */
	for (u32 block = indexed; block < blocks; block++) {
		struct buffer *buffer = map_read(dir, block);
		const struct dirent_disk *first;
		bool used = false;

		if (IS_ERR_OR_NULL(buffer))
			return buffer ? (int)PTR_ERR(buffer)
				      : volume_damaged(dir->volume, dir->number, block,
						       "a directory with a hole");
		first = buffer->data;
		if (indexed && !first->inode && first->length == dir->volume->block_size) {
			buffer_put(buffer);
			continue;
		}
		buffer_put(buffer);
		buffer = directory_block(dir, block);
		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		FOR_ENTRIES(entry, buffer, dir)
		used |= entry->inode && !is_dots(entry);
		buffer_put(buffer);
		if (used)
			return 0;
	}
	return 1;
}

/* ---- Changing ---- */

/* A list: the first block with room takes it, or a new one; a directory of one full block gets an index. */
static int entries_add(struct handle *handle, struct inode *dir, const struct name *name,
		       u32 number, u8 type)
{
	u32 blocks = directory_blocks(dir), block;
	struct buffer *buffer;
	int error = -ENOSPC;

	for (block = 0; block < blocks && error == -ENOSPC; block++) {
		buffer = directory_block(dir, block);
		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		if (room_find(dir, buffer, name)) { /* only then it belongs to the transaction */
			error = handle_join(handle, buffer);
			if (!error)
				error = directory_block_add(dir, buffer, name, number, type);
			if (!error)
				directory_dirty(handle, dir, buffer);
		}
		buffer_put(buffer);
	}
	if (error != -ENOSPC)
		return error;
	if (blocks == 1 && has_compat(dir->volume, COMPAT_DIR_INDEX))
		return htree_make(handle, dir, name, number, type);
	buffer = map_append(handle, dir, &block);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	directory_block_clear(dir->volume, buffer->data);
	error = directory_block_add(dir, buffer, name, number, type);
	directory_dirty(handle, dir, buffer);
	buffer_put(buffer);
	dir->flags &= ~(u32)INODE_INDEX; /* of a volume that has none any more */
	return error;
}

int directory_add(struct handle *handle, struct inode *dir, const struct name *name, u32 number, u32 mode)
{
	u8 type = dirent_type(dir->volume, mode);

	return dir->flags & INODE_INDEX && has_compat(dir->volume, COMPAT_DIR_INDEX)
		       ? htree_add(handle, dir, name, number, type)
		       : entries_add(handle, dir, name, number, type);
}

int directory_remove(struct handle *handle, struct inode *dir, struct dirent_place *place)
{
	struct dirent_disk *before = NULL;
	int error = handle_join(handle, place->buffer);

	if (error)
		return error;
	FOR_ENTRIES(entry, place->buffer, dir)
	{
		if (entry == place->entry)
			break;
		before = entry;
	}
	if (before)
		before->length = (u16)(before->length + place->entry->length);
	else
		place->entry->inode = 0;
	directory_dirty(handle, dir, place->buffer);
	return 0;
}

int directory_replace(struct handle *handle, struct inode *dir, struct dirent_place *place,
		      u32 number, u32 mode)
{
	int error = handle_join(handle, place->buffer);

	if (error)
		return error;
	place->entry->inode = number;
	place->entry->type = dirent_type(dir->volume, mode);
	if (place->buffer->owner == owner_make(dir->number, OWNER_DIRECTORY))
		directory_dirty(handle, dir, place->buffer);
	else
		htree_root_changed(handle, dir, place->buffer);
	return 0;
}

int directory_make(struct handle *handle, struct inode *dir, u32 parent)
{
	struct volume *volume = dir->volume;
	u8 type = dirent_type(volume, S_IFDIR);
	struct name dot = { .text = ".", .length = 1 }, dots = { .text = "..", .length = 2 };
	struct buffer *buffer;
	u32 block;
	int error;

	buffer = map_append(handle, dir, &block);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	directory_block_clear(volume, buffer->data);
	error = directory_block_add(dir, buffer, &dot, dir->number, type);
	if (!error)
		error = directory_block_add(dir, buffer, &dots, parent, type);
	directory_dirty(handle, dir, buffer);
	buffer_put(buffer);
	return error;
}

/* ---- Reading ---- */

/* A list: an offset is a place in bytes. Entries may have moved together since: what covers the place is gone over again. */
static int list_read(struct inode *dir, struct dir_context *context)
{
	struct volume *volume = dir->volume;
	u64 offset = (u64)context->offset;

	for (; offset < node_size(dir->node);
	     offset = ALIGN_DOWN(offset, (u64)volume->block_size) + volume->block_size) {
		u64 base = ALIGN_DOWN(offset, (u64)volume->block_size);
		struct buffer *buffer = directory_block(dir, (u32)(base >> volume->block_bits));

		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		FOR_ENTRIES(entry, buffer, dir)
		{
			u64 here = base + (u64)((char *)entry - (char *)buffer->data),
			    next = here + entry->length;

			if (here < ALIGN_DOWN(offset, 4ULL) || !entry->inode ||
			    (!base && is_dots(entry)))
				continue;
			if (!context->add(context, entry->name, entry->name_length, next,
					  entry->inode, kind_of(entry))) {
				buffer_put(buffer);
				return 0;
			}
			context->offset = (loff_t)next;
		}
		buffer_put(buffer);
		context->offset = (loff_t)(base + volume->block_size);
	}
	return 0;
}

int directory_read(struct file *file, struct dir_context *context)
{
	struct inode *dir = inode_of(file->node);
	int error;

	if (!dir_emit_dots(file, context))
		return 0;
	if (inode_is_inline(dir))
		error = inline_directory_read(dir, context);
	else if (dir->flags & INODE_INDEX && has_compat(dir->volume, COMPAT_DIR_INDEX))
		error = htree_read(dir, context);
	else
		error = list_read(dir, context);
	return error;
}
