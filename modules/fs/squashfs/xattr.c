/*
 * Extended attributes. A set of them has a number, by which a table says where it lies: names and values, one after the other. A value
 * that many have lies elsewhere, and here is but a reference to it.
 */
#include "squashfs.h"

#define VALUE_SIZE_MAX 65536u

static const char *const prefixes[] = {
	[XATTR_USER] = "user.", [XATTR_TRUSTED] = "trusted.", [XATTR_SECURITY] = "security."
};

/* One set, as it is gone through. */
struct walk {
	struct volume *volume;
	struct place place;
	u32 left; /* attributes */
	struct xattr_entry_disk entry;
	char name[NAME_BYTES_MAX + 16]; /* whole, and ended */
	u32 length;
};

static int walk_begin(struct inode *inode, struct walk *walk)
{
	struct volume *volume = inode->volume;
	struct xattr_id_disk id;
	int error;

	walk->volume = volume;
	walk->left = 0;
	if (inode->xattrs == NO_XATTRS)
		return 0;
	error = xattrs_find(volume, inode->xattrs, &id);
	if (error)
		return error;
	walk->left = id.count;
	walk->place = place_make(volume->xattrs.start, id.reference, volume->super.xattr_table);
	return 0;
}

/* The next name; its value follows at walk->place. 1, 0 or an error. */
static int walk_next(struct walk *walk)
{
	struct volume *volume = walk->volume;
	const char *prefix;
	u32 kind, before;
	int error;

	if (!walk->left)
		return 0;
	walk->left--;
	error = metadata_read(volume, &walk->place, &walk->entry, sizeof(walk->entry));
	if (error)
		return error;
	kind = walk->entry.kind & XATTR_KIND;
	if (kind >= ARRAY_SIZE(prefixes) || !walk->entry.length || walk->entry.length >= NAME_BYTES_MAX)
		return volume_damaged(volume, "an extended attribute of kind %u", kind);
	prefix = prefixes[kind];
	before = (u32)strlen(prefix);
	memcpy(walk->name, prefix, before);
	walk->length = before + walk->entry.length;
	error = metadata_read(volume, &walk->place, walk->name + before, walk->entry.length);
	if (error)
		return error;
	walk->name[walk->length] = 0;
	return strlen(walk->name) == walk->length
		       ? 1
		       : volume_damaged(volume, "an extended attribute's name");
}

/* The value's length; the place is before its bytes then. */
static int value_size(struct walk *walk, struct place *place, u32 *size)
{
	int error = metadata_read(walk->volume, place, size, sizeof(*size));

	if (!error && *size > VALUE_SIZE_MAX)
		error = volume_damaged(walk->volume, "an extended attribute of %u bytes", *size);
	return error;
}

static int value_skip(struct walk *walk)
{
	u32 size;
	int error = value_size(walk, &walk->place, &size);

	return error ? error : metadata_read(walk->volume, &walk->place, NULL, size);
}

static ssize_t value_read(struct walk *walk, void *value, size_t room)
{
	struct place place = walk->place;
	u64 reference;
	u32 size;
	int error = value_size(walk, &place, &size);

	if (!error && walk->entry.kind & XATTR_ELSEWHERE) {
		if (size != sizeof(reference))
			return volume_damaged(walk->volume, "a reference of %u bytes", size);
		error = metadata_read(walk->volume, &place, &reference, sizeof(reference));
		if (!error) {
			place = place_make(walk->volume->xattrs.start, reference,
					   walk->volume->super.xattr_table);
			error = value_size(walk, &place, &size);
		}
	}
	if (error)
		return error;
	if (!room)
		return size;
	if (size > room)
		return -ERANGE;
	error = metadata_read(walk->volume, &place, value, size);
	return error ? error : (ssize_t)size;
}

ssize_t squashfs_xattr_get(struct node *node, const char *name, void *value, size_t size)
{
	struct walk walk;
	int found = walk_begin(inode_of(node), &walk);

	while (!found && walk.left) {
		found = walk_next(&walk);
		if (found <= 0)
			break;
		if (!strcmp(walk.name, name))
			return value_read(&walk, value, size);
		found = value_skip(&walk);
	}
	return found ? found : -ENODATA;
}

ssize_t squashfs_xattr_list(struct node *node, char *list, size_t size, bool trusted)
{
	struct walk walk;
	size_t used = 0;
	int found = walk_begin(inode_of(node), &walk);

	while (!found && walk.left) {
		found = walk_next(&walk);
		if (found <= 0)
			break;
		found = value_skip(&walk);
		if (found || (!trusted && (walk.entry.kind & XATTR_KIND) == XATTR_TRUSTED))
			continue;
		if (size && used + walk.length + 1 > size)
			return -ERANGE;
		if (size)
			memcpy(list + used, walk.name, walk.length + 1);
		used += walk.length + 1;
	}
	return found ? found : (ssize_t)used;
}
