/*
 * POSIX access lists: a list has entries of (tag, permissions, id), sorted, as getxattr(2) shows them; on the disk those of the owner,
 * the group, the mask and others have no id. A directory's default list is what new files in it begin with.
 */
#include "ext4.h"

#define DISK_VERSION 1u
#define USER_VERSION 2u
enum {
	TAG_USER_OWNER = 1,
	TAG_USER = 2,
	TAG_GROUP_OWNER = 4,
	TAG_GROUP = 8,
	TAG_MASK = 0x10,
	TAG_OTHER = 0x20
};

struct short_entry {
	u16 tag, permissions;
};
struct long_entry {
	u16 tag, permissions;
	u32 id;
};

static bool has_id(u16 tag)
{
	return tag == TAG_USER || tag == TAG_GROUP;
}

/* The entry at *at of a list on disk, with its id or ~0; false at the end; *at is behind the list where it is damaged. */
static bool disk_next(const char *disk, size_t size, size_t *at, struct long_entry *entry)
{
	size_t length;

	if (size - *at < sizeof(struct short_entry))
		return false;
	memcpy(entry, disk + *at, sizeof(struct short_entry));
	length = has_id(entry->tag) ? sizeof(struct long_entry) : sizeof(struct short_entry);
	if (size - *at < length) {
		*at = size + 1;
		return false;
	}
	entry->id = ~0u;
	memcpy(entry, disk + *at, length);
	*at += length;
	return true;
}

static bool disk_begins(const void *disk, size_t size)
{
	u32 version;

	if (size < sizeof(version))
		return false;
	memcpy(&version, disk, sizeof(version));
	return version == DISK_VERSION;
}

ssize_t acl_from_disk(const void *disk, size_t size, void *value, size_t room)
{
	const u32 version = USER_VERSION;
	size_t at = sizeof(u32), length = sizeof(version);
	struct long_entry entry;

	if (!disk_begins(disk, size))
		return -EUCLEAN;
	if (room && room < length)
		return -ERANGE;
	if (room)
		memcpy(value, &version, sizeof(version));
	while (disk_next(disk, size, &at, &entry)) {
		if (room && room - length < sizeof(entry))
			return -ERANGE;
		if (room)
			memcpy((char *)value + length, &entry, sizeof(entry));
		length += sizeof(entry);
	}
	return at == size ? (ssize_t)length : -EUCLEAN;
}

/* One after the other in the order of tags: exactly one owner, group and others; a mask where named ones are. */
static bool list_valid(const struct long_entry *entries, size_t count)
{
	u32 seen = 0, last = 0;

	for (size_t i = 0; i < count; i++) {
		u16 tag = entries[i].tag;

		if (entries[i].permissions & ~7u || !tag || tag & (tag - 1u) || tag > TAG_OTHER ||
		    tag < last || (tag == last && !has_id(tag)))
			return false;
		seen |= tag;
		last = tag;
	}
	return (seen & (TAG_USER_OWNER | TAG_GROUP_OWNER | TAG_OTHER)) ==
		       (TAG_USER_OWNER | TAG_GROUP_OWNER | TAG_OTHER) &&
	       (!(seen & (TAG_USER | TAG_GROUP)) || seen & TAG_MASK);
}

ssize_t acl_to_disk(const void *value, size_t size, void *disk, size_t room)
{
	const struct long_entry *entries =
		(const struct long_entry *)((const char *)value + sizeof(u32));
	size_t count = (size - sizeof(u32)) / sizeof(*entries), at = sizeof(u32);
	const u32 version = DISK_VERSION;
	u32 theirs;

	if (size < sizeof(u32) || (size - sizeof(u32)) % sizeof(*entries))
		return -EINVAL;
	memcpy(&theirs, value, sizeof(theirs));
	if (theirs != USER_VERSION)
		return -EOPNOTSUPP;
	if (!list_valid(entries, count))
		return -EINVAL;
	memcpy(disk, &version, sizeof(version));
	for (size_t i = 0; i < count; i++) {
		size_t length = has_id(entries[i].tag) ? sizeof(struct long_entry)
						       : sizeof(struct short_entry);

		if (room - at < length)
			return -ERANGE;
		memcpy((char *)disk + at, &entries[i], length);
		at += length;
	}
	return (ssize_t)at;
}

int acl_mode_from(const void *disk, size_t size, u32 *mode)
{
	size_t at = sizeof(u32);
	struct long_entry entry;
	u32 bits = *mode & ~0777u, group = 0;
	bool more = false, mask = false;

	if (!disk_begins(disk, size))
		return -EUCLEAN;
	while (disk_next(disk, size, &at, &entry)) {
		u32 permissions = entry.permissions & 7u;

		if (entry.tag == TAG_USER_OWNER)
			bits |= permissions << 6;
		else if (entry.tag == TAG_OTHER)
			bits |= permissions;
		else if (entry.tag == TAG_MASK || (entry.tag == TAG_GROUP_OWNER && !mask))
			group = permissions;
		mask |= entry.tag == TAG_MASK;
		more |= has_id(entry.tag) || entry.tag == TAG_MASK;
	}
	*mode = bits | group << 3;
	return !more;
}

/* The list's owner, mask (or group) and others get these permissions, or only those of them that they had. */
static void list_apply(char *disk, size_t size, u32 *mode, bool restrict_only)
{
	size_t at = sizeof(u32), here = at;
	struct long_entry entry;
	bool has_mask = false;

	while (disk_next(disk, size, &at, &entry))
		has_mask |= entry.tag == TAG_MASK;
	for (at = here; disk_next(disk, size, &at, &entry); here = at) {
		u32 shift = entry.tag == TAG_USER_OWNER ? 6 : entry.tag == TAG_OTHER ? 0 : 3;
		u16 permissions = (u16)(*mode >> shift & 7);

		if (has_id(entry.tag) || (entry.tag == TAG_GROUP_OWNER && has_mask))
			continue;
		if (restrict_only)
			permissions &= entry.permissions;
		*mode = (*mode & ~(7u << shift)) | (u32)permissions << shift;
		memcpy(disk + here + offsetof(struct short_entry, permissions), &permissions,
		       sizeof(permissions));
	}
}

int acl_chmod(struct handle *handle, struct inode *inode, u32 mode)
{
	void *list __free_kfree = NULL;
	ssize_t size;

	if (S_ISLNK(mode))
		return 0;
	size = xattr_find(inode, XATTR_INDEX_ACL_ACCESS, "", &list);
	if (size < 0)
		return size == -ENODATA ? 0 : (int)size;
	if (!disk_begins(list, (size_t)size))
		return -EUCLEAN;
	list_apply(list, (size_t)size, &mode, false);
	return xattr_put(handle, inode, XATTR_INDEX_ACL_ACCESS, "", list, (size_t)size, 0);
}

int acl_inherit(struct handle *handle, struct inode *dir, struct inode *inode)
{
	void *list __free_kfree = NULL;
	u32 mode = inode->node->attr.mode, unused;
	ssize_t size;
	int error = 0, simple;

	if (S_ISLNK(mode))
		return 0;
	size = xattr_find(dir, XATTR_INDEX_ACL_DEFAULT, "", &list);
	if (size < 0)
		return size == -ENODATA ? 0 : (int)size;
	if (!disk_begins(list, (size_t)size))
		return -EUCLEAN;
	/* The raw inode must be there before attributes go into it. */
	if (S_ISDIR(mode))
		error = xattr_put(handle, inode, XATTR_INDEX_ACL_DEFAULT, "", list, (size_t)size, 0);
	list_apply(list, (size_t)size, &mode, true);
	unused = mode;
	simple = acl_mode_from(list, (size_t)size, &unused);
	inode->node->attr.mode = mode;
	if (!error && !simple)
		error = xattr_put(handle, inode, XATTR_INDEX_ACL_ACCESS, "", list, (size_t)size, 0);
	return error;
}
