/*
 * Operations on names: look up, create, link, unlink, rename. The core holds the locks of the directories and has looked at
 * permissions and kinds. Each is one transaction, so a name never leads to an inode that is not there, nor is a file lost between its
 * old name and its new one. A file whose last name went is an orphan (orphan.c) until nobody has it open.
 */
#include "ext4.h"

#include <linux/fs.h>

#define LINKS_MAX 65000u
/* Blocks of a new inode (bitmap, descriptor, table, superblock) and of its attributes. */
#define NEW_CREDITS (6 + XATTR_CREDITS)

static u32 name_credits(const struct inode *dir)
{
	return DIRECTORY_CREDITS + 2 * map_credits(dir);
}

bool volume_room_made(struct volume *volume, int error, unsigned int *tries)
{
	/* Blocks that were freed can be had once the transaction is on disk. */
	return error == -ENOSPC && volume->journal && (*tries)++ < 2 && !journal_commit(volume);
}

static void place_put(struct dirent_place *place)
{
	if (place->buffer)
		buffer_put(place->buffer);
	place->buffer = NULL;
}

/* The entry of a name, which must lead to the inode that the core thinks it does. */
static int find_entry(struct inode *dir, const struct name *name, const struct inode *inode,
		      struct dirent_place *place)
{
	int error = directory_find(dir, name, place);

	if (!error && place->entry->inode != inode->number) {
		place_put(place);
		error = -ENOENT;
	}
	return error;
}

/* Directories within an inode get a block before they change. */
static int directory_prepare(struct inode *dir)
{
	return inode_is_inline(dir) ? inline_convert(dir) : 0;
}

int ext4_walk(struct node *dir_node, const struct name *names, unsigned int count,
	      struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node);
	struct dirent_place place;
	u32 number = 0;
	int error;

	if (inode_is_inline(dir)) {
		error = inline_directory_find(dir, names, &number);
	} else {
		error = directory_find(dir, names, &place);
		if (!error) {
			number = place.entry->inode;
			place_put(&place);
		}
	}
	if (error) {
		if (error == -ENOENT)
			*negative_until_ns = BELIEVE_FOREVER;
		return error;
	}
	nodes[0] = inode_get(dir->volume, number);
	if (IS_ERR(nodes[0]))
		return PTR_ERR(nodes[0]) == -ESTALE
			       ? volume_damaged(dir->volume, dir->number, 0,
						"a name for a deleted inode %u", number)
			       : (int)PTR_ERR(nodes[0]);
	return 1;
}

/* ---- Creating ---- */

static int link_fill(struct handle *handle, struct inode *inode, const char *target)
{
	struct volume *volume = inode->volume;
	u32 length = (u32)strlen(target), block;
	struct buffer *buffer;

	if (length >= volume->block_size)
		return -ENAMETOOLONG;
	if (length < INODE_BLOCK_BYTES) {
		memcpy(inode->block, target, length);
		inode->node->link_text = kstrdup(target, GFP_KERNEL);
		if (!inode->node->link_text)
			return -ENOMEM;
	} else {
		if (has_incompat(volume, INCOMPAT_EXTENTS)) {
			inode->flags |= INODE_EXTENTS;
			extents_init(inode);
		}
		buffer = map_append(handle, inode, &block);
		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		memcpy(buffer->data, target, length);
		buffer->owner = owner_make(inode->number, OWNER_LINK);
		handle_dirty(handle, buffer);
		buffer_put(buffer);
	}
	inode->disk_size = length;
	node_set_size(inode->node, length);
	return 0;
}

/* What a new inode is made of, besides itself. */
static int new_fill(struct handle *handle, struct inode *dir, struct inode *inode,
		    const struct node_new *what)
{
	int error = 0;

	if (what->acl)
		error = acl_put_disk(handle, inode, XATTR_INDEX_ACL_ACCESS, what->acl);
	if (!error && what->default_acl)
		error = acl_put_disk(handle, inode, XATTR_INDEX_ACL_DEFAULT, what->default_acl);
	if (error)
		return error;
	if (S_ISDIR(what->mode)) {
		inode->node->attr.nlink = 2;
		return directory_make(handle, inode, dir->number);
	}
	return S_ISLNK(what->mode) ? link_fill(handle, inode, what->target) : 0;
}

/* It came to nothing: the inode goes when its node is let go of, and at the next mount if that does not happen. */
static void new_abandon(struct handle *handle, struct inode *inode)
{
	inode->node->attr.nlink = 0;
	if (orphan_add(handle, inode) || inode_store(handle, inode))
		pr_err("%s: inode %u is lost until e2fsck runs\n", inode->volume->device->name,
		       inode->number);
}

/* A directory has one link more or less; beyond what counts can say it has 1. */
static void count_subdirectory(struct inode *dir, int by)
{
	u32 links = dir->node->attr.nlink;

	if (links == 1)
		return;
	links += (u32)by;
	if (links > LINKS_MAX && has_ro_compat(dir->volume, RO_COMPAT_DIR_NLINK))
		links = 1;
	dir->node->attr.nlink = links;
}

static bool subdirectories_full(const struct inode *dir)
{
	return dir->node->attr.nlink >= LINKS_MAX && !has_ro_compat(dir->volume, RO_COMPAT_DIR_NLINK);
}

/* Ends what changed names of the directory; where chattr(1) asked for it (S, D), only when it is on disk. */
static int names_end(struct handle *handle, const struct inode *dir)
{
	u64 transaction = handle_transaction(handle);
	int error = handle_end(handle);

	if (!error && dir->flags & (INODE_SYNC | INODE_DIRECTORY_SYNC))
		error = journal_wait(dir->volume, transaction);
	return error;
}

static int directory_touched(struct handle *handle, struct inode *dir)
{
	node_touch(dir->node, false, true, true);
	return inode_store(handle, dir);
}

static int create_once(struct inode *dir, const struct name *name, const struct node_new *what,
		       struct node **made, const struct cred *cred)
{
	u32 credits = NEW_CREDITS + 3 * map_credits(dir) + (name ? name_credits(dir) : 2);
	struct handle handle;
	struct node *node;
	struct inode *inode;
	int error = handle_begin(dir->volume, credits, &handle), result;

	if (error)
		return error;
	handle.keep = blocks_kept_from(dir->volume, cred);
	node = inode_create(&handle, dir, what);
	if (IS_ERR(node)) {
		handle_end(&handle);
		return (int)PTR_ERR(node);
	}
	inode = inode_of(node);
	error = new_fill(&handle, dir, inode, what);
	if (!error && name) {
		error = directory_add(&handle, dir, name, inode->number, what->mode);
		if (!error && S_ISDIR(what->mode))
			count_subdirectory(dir, 1);
		result = directory_touched(&handle, dir); /* it may have grown in vain */
		error = error ? error : result;
	} else if (!error) {
		node->attr.nlink = 0;
		error = orphan_add(&handle, inode);
	}
	if (error)
		new_abandon(&handle, inode);
	else
		error = inode_store(&handle, inode);
	result = names_end(&handle, dir);
	error = error ? error : result;
	if (error)
		node_put(node);
	else
		*made = node;
	return error;
}

static int create(struct node *dir_node, const struct name *name, const struct node_new *what,
		  struct node **made, const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node);
	unsigned int tries = 0;
	int error = dir->volume->read_only ? -EROFS : directory_prepare(dir);

	if (!error && S_ISDIR(what->mode) && subdirectories_full(dir))
		error = -EMLINK;
	if (error)
		return error;
	do {
		error = create_once(dir, name, what, made, cred);
	} while (volume_room_made(dir->volume, error, &tries));
	return error;
}

int ext4_create(struct node *dir, const struct name *name, const struct node_new *what,
		struct node **node, const struct cred *cred)
{
	return create(dir, name, what, node, cred);
}

int ext4_create_unnamed(struct node *dir, const struct node_new *what, struct node **node,
			const struct cred *cred)
{
	return create(dir, NULL, what, node, cred);
}

/* ---- Linking and unlinking ---- */

int ext4_link(struct node *dir_node, const struct name *name, struct node *node, const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node), *inode = inode_of(node);
	struct handle handle;
	int error = directory_prepare(dir), result;

	if (error)
		return error;
	if (node->attr.nlink >= LINKS_MAX)
		return -EMLINK;
	error = handle_begin(dir->volume, name_credits(dir) + 6, &handle);
	if (error)
		return error;
	handle.keep = blocks_kept_from(dir->volume, cred);
	error = directory_add(&handle, dir, name, inode->number, node->attr.mode);
	if (!error) {
		if (!node->attr.nlink)
			error = orphan_remove(&handle, inode);
		node->attr.nlink++;
		node_touch(node, false, false, true);
		result = inode_store(&handle, inode);
		error = error ? error : result;
	}
	result = directory_touched(&handle, dir);
	error = error ? error : result;
	result = names_end(&handle, dir);
	return error ? error : result;
}

/* A name of the inode is gone. */
static int lose_link(struct handle *handle, struct inode *dir, struct inode *inode)
{
	struct node *node = inode->node;
	int error = 0, result;

	if (S_ISDIR(node->attr.mode)) {
		node->attr.nlink = 0;
		count_subdirectory(dir, -1);
	} else if (node->attr.nlink) {
		node->attr.nlink--;
	}
	node_touch(node, false, false, true);
	if (!node->attr.nlink)
		error = orphan_add(handle, inode);
	result = inode_store(handle, inode);
	return error ? error : result;
}

int ext4_unlink(struct node *dir_node, const struct name *name, struct node *node, bool directory,
		const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node), *inode = inode_of(node);
	struct dirent_place place = {};
	struct handle handle;
	int error = directory_prepare(dir), result;

	if (!error && directory) {
		error = directory_is_empty(inode);
		error = error < 0 ? error : error ? 0 : -ENOTEMPTY;
	}
	if (!error)
		error = handle_begin(dir->volume, 12, &handle);
	if (error)
		return error;
	error = find_entry(dir, name, inode, &place);
	if (!error)
		error = directory_remove(&handle, dir, &place);
	place_put(&place);
	if (!error) {
		error = lose_link(&handle, dir, inode);
		result = directory_touched(&handle, dir);
		error = error ? error : result;
	}
	result = names_end(&handle, dir);
	return error ? error : result;
}

/* ---- Renaming ---- */

struct rename {
	struct handle handle;
	struct inode *old_dir, *new_dir, *inode, *replaced;
	const struct name *old_name, *new_name;
	bool directory; /* `inode` is one */
};

/* A directory has another parent now. */
static int parent_set(struct handle *handle, struct inode *inode, struct inode *parent)
{
	struct dirent_place place;
	int error = directory_prepare(inode);

	if (!error)
		error = directory_parent(inode, &place);
	if (error)
		return error;
	error = directory_replace(handle, inode, &place, parent->number, S_IFDIR);
	place_put(&place);
	return error;
}

static int entry_point(struct rename *rename, struct inode *dir, const struct name *name,
		       const struct inode *is, const struct inode *becomes)
{
	struct dirent_place place;
	int error = find_entry(dir, name, is, &place);

	if (error)
		return error;
	error = directory_replace(&rename->handle, dir, &place, becomes->number,
				  becomes->node->attr.mode);
	place_put(&place);
	return error;
}

static int exchange(struct rename *rename)
{
	struct inode *a = rename->inode, *b = rename->replaced;
	bool b_directory = S_ISDIR(b->node->attr.mode), moved = rename->old_dir != rename->new_dir;
	int error = entry_point(rename, rename->old_dir, rename->old_name, a, b);

	if (!error)
		error = entry_point(rename, rename->new_dir, rename->new_name, b, a);
	if (!error && rename->directory && moved)
		error = parent_set(&rename->handle, a, rename->new_dir);
	if (!error && b_directory && moved)
		error = parent_set(&rename->handle, b, rename->old_dir);
	if (error)
		return error;
	if (moved && rename->directory != b_directory) {
		count_subdirectory(rename->old_dir, rename->directory ? -1 : 1);
		count_subdirectory(rename->new_dir, rename->directory ? 1 : -1);
	}
	node_touch(b->node, false, false, true);
	return inode_store(&rename->handle, b);
}

/* What RENAME_WHITEOUT leaves at the old name. */
static int whiteout_leave(struct rename *rename, struct inode *whiteout)
{
	int error = entry_point(rename, rename->old_dir, rename->old_name, rename->inode, whiteout);

	return error ? error : inode_store(&rename->handle, whiteout);
}

static int old_entry_remove(struct rename *rename)
{
	struct dirent_place place;
	int error = find_entry(rename->old_dir, rename->old_name, rename->inode, &place);

	if (error)
		return error;
	error = directory_remove(&rename->handle, rename->old_dir, &place);
	place_put(&place);
	return error;
}

static int move(struct rename *rename, struct inode *whiteout)
{
	struct inode *inode = rename->inode, *replaced = rename->replaced;
	struct handle *handle = &rename->handle;
	bool moved = rename->old_dir != rename->new_dir;
	int error;

	if (replaced)
		error = entry_point(rename, rename->new_dir, rename->new_name, replaced, inode);
	else
		error = directory_add(handle, rename->new_dir, rename->new_name, inode->number,
				      inode->node->attr.mode);
	/* The old entry is looked for again: the new one may have moved it to another block. */
	if (!error)
		error = whiteout ? whiteout_leave(rename, whiteout) : old_entry_remove(rename);
	if (!error && rename->directory && moved) {
		error = parent_set(handle, inode, rename->new_dir);
		count_subdirectory(rename->old_dir, -1);
		count_subdirectory(rename->new_dir, 1);
	}
	if (!error && replaced)
		error = lose_link(handle, rename->new_dir, replaced);
	return error;
}

/* Blocks that must be there before anything begins, and what may forbid it. */
static int rename_prepare(struct rename *rename, unsigned int flags)
{
	struct inode *replaced = rename->replaced;
	int error = directory_prepare(rename->old_dir);

	if (!error)
		error = directory_prepare(rename->new_dir);
	if (!error && rename->directory)
		error = directory_prepare(rename->inode);
	if (!error && replaced && S_ISDIR(replaced->node->attr.mode)) {
		if (flags & RENAME_EXCHANGE)
			return directory_prepare(replaced);
		error = directory_is_empty(replaced);
		error = error < 0 ? error : error ? 0 : -ENOTEMPTY;
	}
	if (!error && rename->directory && !replaced && rename->old_dir != rename->new_dir &&
	    subdirectories_full(rename->new_dir))
		error = -EMLINK;
	return error;
}

static int rename_once(struct rename *rename, unsigned int flags, const struct cred *cred)
{
	struct node_new what = { .mode = S_IFCHR, .uid = cred->fsuid, .gid = cred->fsgid };
	u32 credits = name_credits(rename->old_dir) + name_credits(rename->new_dir) + NEW_CREDITS + 12;
	struct node *whiteout = NULL;
	int error = handle_begin(rename->old_dir->volume, credits, &rename->handle), result;

	if (error)
		return error;
	rename->handle.keep = blocks_kept_from(rename->old_dir->volume, cred);
	if (flags & RENAME_WHITEOUT)
		whiteout = inode_create(&rename->handle, rename->old_dir, &what);
	if (IS_ERR(whiteout)) {
		handle_end(&rename->handle);
		return (int)PTR_ERR(whiteout);
	}
	error = flags & RENAME_EXCHANGE ? exchange(rename)
					: move(rename, whiteout ? inode_of(whiteout) : NULL);
	if (error && whiteout)
		new_abandon(&rename->handle, inode_of(whiteout));
	node_touch(rename->inode->node, false, false, true);
	result = inode_store(&rename->handle, rename->inode);
	error = error ? error : result;
	result = directory_touched(&rename->handle, rename->old_dir);
	error = error ? error : result;
	if (rename->new_dir != rename->old_dir) {
		result = directory_touched(&rename->handle, rename->new_dir);
		error = error ? error : result;
	}
	result = names_end(&rename->handle, rename->new_dir);
	if (whiteout)
		node_put(whiteout);
	return error ? error : result;
}

int ext4_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		struct node *new_dir, const struct name *new_name, struct node *replaced,
		unsigned int flags, const struct cred *cred)
{
	struct rename rename = { .old_dir = inode_of(old_dir),
				 .new_dir = inode_of(new_dir),
				 .inode = inode_of(node),
				 .replaced = replaced ? inode_of(replaced) : NULL,
				 .old_name = old_name,
				 .new_name = new_name,
				 .directory = S_ISDIR(node->attr.mode) };
	unsigned int tries = 0;
	int error = rename_prepare(&rename, flags);

	if (error)
		return error;
	do {
		error = rename_once(&rename, flags, cred);
	} while (volume_room_made(rename.inode->volume, error, &tries));
	return error;
}

/* ---- Links ---- */

ssize_t ext4_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred)
{
	struct inode *inode = inode_of(node);
	struct buffer *block;

	size = min(size, (size_t)node_size(node));
	if (inode_is_inline(inode))
		return inline_read(inode, buffer, 0, size);
	if (inode_is_fast_link(inode)) {
		memcpy(buffer, inode->block, size);
		return (ssize_t)size;
	}
	block = map_read(inode, 0);
	if (IS_ERR_OR_NULL(block))
		return block ? PTR_ERR(block)
			     : volume_damaged(inode->volume, inode->number, 0, "a link without a block");
	memcpy(buffer, block->data, size);
	buffer_put(block);
	return (ssize_t)size;
}
