/*
 * Operations on names: look up, create, unlink. The core holds the lock of the directory and has looked at permissions. A
 * file without a name keeps its clusters until nobody uses it.
 */
#include "vfat.h"

/* May absence be remembered? Not of what may be a short name: the core does not hear when a file gets one. */
static bool is_short_for_nothing(const struct volume *volume, const struct name *name)
{
	for (u32 i = 0; i < name->length; i++)
		if (name->text[i] == '~' || name->text[i] & 0x80)
			return false;
	return volume->options.tails && !volume->options.dos &&
	       name_trimmed(name->text, name->length) == name->length;
}

/* The core believes in the name that a file is known by, and asks anew for others (TREE_FOLDS_CASE). */
static void believe(struct node *node, bool alias)
{
	WRITE_ONCE(node->attr.believe_until_ns, alias ? 0 : BELIEVE_FOREVER);
}

int vfat_walk(struct node *dir_node, const struct name *names, unsigned int count,
	      struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node);
	struct record record;
	bool alias;
	int error = directory_find(dir, names, &record, &alias);

	if (error) {
		if (error == -ENOENT && is_short_for_nothing(dir->volume, names))
			*negative_until_ns = BELIEVE_FOREVER;
		return error;
	}
	nodes[0] = inode_get(dir, &record);
	if (IS_ERR(nodes[0]))
		return (int)PTR_ERR(nodes[0]);
	believe(nodes[0], alias);
	return 1;
}

int directory_changed(struct inode *dir)
{
	node_touch(dir->node, false, true, true);
	return inode_store(dir);
}

/* ---- Creating ---- */

static void record_fill(struct volume *volume, struct record *record, u32 mode, u32 start, s64 now)
{
	struct fat_date date = date_from_ns(now, volume->options.time_offset_s);

	record->entry = (struct entry_disk){ .attributes = S_ISDIR(mode) ? ATTRIBUTE_DIRECTORY
									 : ATTRIBUTE_ARCHIVE,
					     .time = date.time,
					     .date = date.date };
	record_set_start(volume, &record->entry, start);
	if (volume->options.dos)
		return;
	record->entry.creation_time = date.time;
	record->entry.creation_date = record->entry.access_date = date.date;
	record->entry.creation_centiseconds = date.centiseconds;
}

int vfat_create(struct node *dir_node, const struct name *name, const struct node_new *what,
		struct node **made, const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node);
	struct volume *volume = dir->volume;
	s64 now = (s64)time_realtime_ns();
	struct record record;
	struct node *node;
	u32 start = 0;
	int error;

	if (!S_ISREG(what->mode) && !S_ISDIR(what->mode))
		return -EPERM;
	if (volume->read_only)
		return -EROFS;
	if (S_ISDIR(what->mode)) {
		error = directory_make(dir, now, &start);
		if (error)
			return error;
	}
	record_fill(volume, &record, what->mode, start, now);
	error = directory_add(dir, name, &record);
	if (error)
		goto free_start;
	node = inode_get(dir, &record);
	if (IS_ERR(node)) {
		error = (int)PTR_ERR(node);
		goto delete_entry;
	}
	believe(node, volume->options.dos || name_trimmed(name->text, name->length) != name->length);
	if (S_ISDIR(what->mode))
		dir_node->attr.nlink++;
	*made = node;
	return directory_changed(dir);

delete_entry:
	if (slots_delete(dir, record.slot, record.slot_count))
		pr_err("%s: an entry is left of a file that was not made\n", volume->device->name);
free_start:
	if (start && table_free(volume, start))
		pr_err("%s: cluster %u is lost until fsck runs\n", volume->device->name, start);
	return error;
}

/* ---- Removing ---- */

int vfat_unlink(struct node *dir_node, const struct name *name, struct node *node, bool directory,
		const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node), *inode = inode_of(node);
	int error = dir->volume->read_only ? -EROFS : 0;

	if (!error && directory) {
		error = directory_is_empty(inode);
		error = error < 0 ? error : error ? 0 : -ENOTEMPTY;
	}
	if (!error)
		error = slots_delete(dir, inode->slot, inode->slot_count);
	if (error)
		return error;
	inode_move(inode, dir, NULL);
	node->attr.nlink = 0;
	if (directory)
		dir_node->attr.nlink--;
	return directory_changed(dir);
}
