/*
 * Renaming. Where the new name is another file's, its entry is taken over, so that there is no moment without one; else an entry is made
 * first, and the old one deleted then. A directory that gets another parent is told in its "..".
 */
#include "vfat.h"

#include <linux/fs.h>

struct rename {
	struct inode *old_dir, *new_dir, *inode, *replaced;
	const struct name *name; /* the new one */
	bool directory;
};

static bool moves(const struct rename *rename)
{
	return rename->old_dir != rename->new_dir;
}

/* Is the new name that of the file there, and not but another one of its? Only then its entry will do. */
static int name_is_its_own(const struct rename *rename, bool *own)
{
	struct record record;
	bool alias;
	int error = directory_find(rename->new_dir, rename->name, &record, &alias);

	*own = !error && !alias && record.position == rename->replaced->position;
	return error;
}

/* The entry of `inode` from now on is that of the file that is replaced. */
static void entry_take_over(struct rename *rename)
{
	const struct inode *replaced = rename->replaced;
	struct record record = { .position = replaced->position,
				 .slot = replaced->slot,
				 .slot_count = replaced->slot_count };

	inode_move(rename->replaced, NULL, NULL);
	inode_move(rename->inode, rename->new_dir, &record);
}

/* A new entry for `inode`; the rest of it is stored then. */
static int entry_make(struct rename *rename)
{
	struct record record = { .entry.attributes = rename->inode->attributes };
	int error;

	if (rename->replaced) {
		error = slots_delete(rename->new_dir, rename->replaced->slot,
				     rename->replaced->slot_count);
		if (error)
			return error;
		inode_move(rename->replaced, NULL, NULL);
	}
	error = directory_add(rename->new_dir, rename->name, &record);
	if (!error)
		inode_move(rename->inode, rename->new_dir, &record);
	return error;
}

static int lose_replaced(struct rename *rename)
{
	struct node *node = rename->replaced->node;

	node->attr.nlink = 0;
	if (rename->directory)
		rename->new_dir->node->attr.nlink--;
	return 0;
}

static int move(struct rename *rename)
{
	u32 slot = rename->inode->slot, slot_count = rename->inode->slot_count;
	bool own = false;
	int error = rename->replaced ? name_is_its_own(rename, &own) : 0;

	if (error)
		return error;
	if (own)
		entry_take_over(rename);
	else
		error = entry_make(rename);
	if (!error)
		error = inode_store(rename->inode);
	if (!error)
		error = slots_delete(rename->old_dir, slot, slot_count);
	if (!error && rename->directory && moves(rename)) {
		error = directory_set_parent(rename->inode, rename->new_dir);
		rename->old_dir->node->attr.nlink--;
		rename->new_dir->node->attr.nlink++;
	}
	if (!error && rename->replaced)
		error = lose_replaced(rename);
	return error;
}

static int exchange(struct rename *rename)
{
	struct inode *a = rename->inode, *b = rename->replaced;
	bool b_directory = S_ISDIR(b->node->attr.mode);
	int error;

	inodes_exchange(a, b);
	error = inode_store(a);
	if (!error)
		error = inode_store(b);
	if (!moves(rename))
		return error;
	if (!error && rename->directory)
		error = directory_set_parent(a, rename->new_dir);
	if (!error && b_directory)
		error = directory_set_parent(b, rename->old_dir);
	if (rename->directory != b_directory) {
		rename->old_dir->node->attr.nlink += rename->directory ? -1u : 1;
		rename->new_dir->node->attr.nlink += rename->directory ? 1 : -1u;
	}
	return error;
}

int vfat_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		struct node *new_dir, const struct name *new_name, struct node *replaced,
		unsigned int flags, const struct cred *cred)
{
	struct rename rename = { .old_dir = inode_of(old_dir),
				 .new_dir = inode_of(new_dir),
				 .inode = inode_of(node),
				 .replaced = replaced ? inode_of(replaced) : NULL,
				 .name = new_name,
				 .directory = S_ISDIR(node->attr.mode) };
	int error = 0, result;

	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (rename.inode->volume->read_only)
		return -EROFS;
	if (replaced && S_ISDIR(replaced->attr.mode) && !(flags & RENAME_EXCHANGE)) {
		error = directory_is_empty(rename.replaced);
		error = error < 0 ? error : error ? 0 : -ENOTEMPTY;
	}
	if (error)
		return error;
	error = flags & RENAME_EXCHANGE ? exchange(&rename) : move(&rename);
	result = directory_changed(rename.old_dir);
	error = error ? error : result;
	if (moves(&rename)) {
		result = directory_changed(rename.new_dir);
		error = error ? error : result;
	}
	return error;
}
