/*
 * POSIX access lists on the disk: entries of (tag, permissions, id), of which those of the owner, the group, the mask and others have
 * no id. The core holds a node's lists and knows what they mean (<kumo/acl.h>); here they are read with the inode, and stored.
 */
#include <kumo/acl.h>

#include "ext4.h"

#define DISK_VERSION 1u

struct short_entry {
	u16 tag, permissions;
};
struct long_entry {
	u16 tag, permissions;
	u32 id;
};

static size_t entry_length(u16 tag)
{
	return tag == ACL_USER || tag == ACL_GROUP ? sizeof(struct long_entry)
						   : sizeof(struct short_entry);
}

/* ---- From the disk ---- */

/* The entry at *at, with its id or ACL_UNDEFINED_ID; false: the list ends here, or is damaged: then *at is not its size. */
static bool disk_next(const char *disk, size_t size, size_t *at, struct long_entry *entry)
{
	if (size - *at < sizeof(struct short_entry))
		return false;
	memcpy(entry, disk + *at, sizeof(struct short_entry));
	if (size - *at < entry_length(entry->tag))
		return false;
	entry->id = (u32)ACL_UNDEFINED_ID;
	memcpy(entry, disk + *at, entry_length(entry->tag));
	*at += entry_length(entry->tag);
	return true;
}

/* ERR_PTR(-EUCLEAN, -ENOMEM). */
static struct acl *from_disk(const char *disk, size_t size)
{
	size_t at = sizeof(u32);
	struct long_entry entry;
	struct acl *acl;
	u32 version, count = 0;

	if (size < sizeof(version))
		return ERR_PTR(-EUCLEAN);
	memcpy(&version, disk, sizeof(version));
	while (disk_next(disk, size, &at, &entry))
		count++;
	if (version != DISK_VERSION || at != size)
		return ERR_PTR(-EUCLEAN);
	acl = acl_alloc(count);
	if (!acl)
		return ERR_PTR(-ENOMEM);
	at = sizeof(u32);
	for (u32 i = 0; disk_next(disk, size, &at, &entry); i++)
		acl->entries[i] = (struct posix_acl_xattr_entry){
			.e_tag = entry.tag,
			.e_perm = entry.permissions,
			.e_id = entry.id,
		};
	if (acl_valid(acl))
		return acl;
	acl_put(acl);
	return ERR_PTR(-EUCLEAN);
}

static int list_load(struct inode *inode, u8 index, struct acl **slot)
{
	void *disk __free_kfree = NULL;
	ssize_t size = xattr_find(inode, index, "", &disk);
	struct acl *acl;

	if (size < 0)
		return size == -ENODATA ? 0 : (int)size;
	acl = from_disk(disk, (size_t)size);
	if (PTR_ERR(acl) == -EUCLEAN) /* a list without entries lets nobody in but the owner */
		acl = acl_alloc(0);
	if (IS_ERR_OR_NULL(acl))
		return -ENOMEM;
	acl_assign(slot, acl);
	acl_put(acl);
	return 0;
}

int acls_load(struct inode *inode)
{
	struct node *node = inode->node;
	int error = 0;

	if (!S_ISLNK(node->attr.mode))
		error = list_load(inode, XATTR_INDEX_ACL_ACCESS, &node->acl);
	if (!error && S_ISDIR(node->attr.mode))
		error = list_load(inode, XATTR_INDEX_ACL_DEFAULT, &node->default_acl);
	return error == -EUCLEAN ? 0 : error; /* damaged attributes were reported; the file is there without */
}

/* ---- To the disk ---- */

int acl_put_disk(struct handle *handle, struct inode *inode, u8 index, const struct acl *acl)
{
	const u32 version = DISK_VERSION;
	size_t size = sizeof(version);
	char *disk __free_kfree = NULL;
	int error;

	if (!acl) {
		error = xattr_put(handle, inode, index, "", NULL, 0, 0);
		return error == -ENODATA ? 0 : error;
	}
	disk = kmalloc(sizeof(version) + acl->count * sizeof(struct long_entry), GFP_KERNEL);
	if (!disk)
		return -ENOMEM;
	memcpy(disk, &version, sizeof(version));
	for (u32 i = 0; i < acl->count; i++) {
		const struct posix_acl_xattr_entry *from = &acl->entries[i];
		struct long_entry entry = { from->e_tag, from->e_perm, from->e_id };

		memcpy(disk + size, &entry, entry_length(entry.tag));
		size += entry_length(entry.tag);
	}
	return xattr_put(handle, inode, index, "", disk, size, 0);
}
