/*
 * POSIX access lists: their form, and what becomes of them when files are made and modes are set. The rules are those of
 * POSIX.1e draft 17, as Linux has them (acl(5)). Who is let in by a list is permission.c's to say.
 */
#include <kumo/acl.h>
#include <kumo/export.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/tree.h>

#define RWX 7u

struct acl *acl_alloc(u32 count)
{
	struct acl *acl = kmalloc(sizeof(*acl) + count * sizeof(acl->entries[0]), GFP_USER);

	if (!acl)
		return NULL;
	refcount_set(&acl->refs, 1);
	acl->count = count;
	return acl;
}

void acl_put(struct acl *acl)
{
	if (acl && refcount_dec_and_test(&acl->refs))
		kfree_rcu(acl);
}

void acl_assign(struct acl **slot, struct acl *acl)
{
	struct acl *old = *slot;

	smp_store_release(slot, acl ? acl_get(acl) : NULL); /* pairs with the address dependency of readers */
	acl_put(old);
}

static struct acl *acl_copy(const struct acl *acl)
{
	struct acl *copy = acl_alloc(acl->count);

	if (copy)
		memcpy(copy->entries, acl->entries, acl->count * sizeof(acl->entries[0]));
	return copy;
}

static bool is_named(const struct posix_acl_xattr_entry *entry)
{
	return entry->e_tag == ACL_USER || entry->e_tag == ACL_GROUP;
}

/* ---- Form ---- */

static bool entry_known(const struct posix_acl_xattr_entry *entry)
{
	switch (entry->e_tag) {
	case ACL_USER_OBJ:
	case ACL_GROUP_OBJ:
	case ACL_MASK:
	case ACL_OTHER:
		return true;
	case ACL_USER:
	case ACL_GROUP:
		return entry->e_id != ACL_UNDEFINED_ID;
	default:
		return false;
	}
}

struct acl *acl_from_value(const void *value, size_t size)
{
	struct posix_acl_xattr_header header;
	struct acl *acl;

	if (size < sizeof(header))
		return ERR_PTR(-EINVAL);
	memcpy(&header, value, sizeof(header));
	if (header.a_version != POSIX_ACL_XATTR_VERSION)
		return ERR_PTR(-EOPNOTSUPP);
	size -= sizeof(header);
	if (size % sizeof(acl->entries[0]))
		return ERR_PTR(-EINVAL);
	if (!size)
		return NULL;
	acl = acl_alloc((u32)(size / sizeof(acl->entries[0])));
	if (!acl)
		return ERR_PTR(-ENOMEM);
	memcpy(acl->entries, (const char *)value + sizeof(header), size);
	for (u32 i = 0; i < acl->count; i++) {
		if (!entry_known(&acl->entries[i])) {
			acl_put(acl);
			return ERR_PTR(-EINVAL);
		}
		if (!is_named(&acl->entries[i]))
			acl->entries[i].e_id = ACL_UNDEFINED_ID;
	}
	return acl;
}

ssize_t acl_to_value(const struct acl *acl, void *value, size_t size)
{
	const struct posix_acl_xattr_header header = { .a_version = POSIX_ACL_XATTR_VERSION };
	size_t entries = acl->count * sizeof(acl->entries[0]), whole = sizeof(header) + entries;

	if (size && size < whole)
		return -ERANGE;
	if (size) {
		memcpy(value, &header, sizeof(header));
		memcpy((char *)value + sizeof(header), acl->entries, entries);
	}
	return (ssize_t)whole;
}

bool acl_valid(const struct acl *acl)
{
	const u32 always = ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER;
	u32 seen = 0, last = 0;

	/* Tags are bits that grow in the order of their places. */
	for (u32 i = 0; i < acl->count; i++) {
		const struct posix_acl_xattr_entry *entry = &acl->entries[i];

		if (entry->e_perm & ~RWX || entry->e_tag < last ||
		    (entry->e_tag == last && !is_named(entry)))
			return false;
		last = entry->e_tag;
		seen |= last;
	}
	return (seen & always) == always && (!(seen & (ACL_USER | ACL_GROUP)) || seen & ACL_MASK);
}

/* ---- With the mode ---- */

bool acl_to_mode(const struct acl *acl, u32 *mode)
{
	u32 bits = *mode & ~0777u;
	bool more = false;

	for (u32 i = 0; i < acl->count; i++) {
		const struct posix_acl_xattr_entry *entry = &acl->entries[i];

		switch (entry->e_tag) {
		case ACL_USER_OBJ:
			bits |= (u32)entry->e_perm << 6;
			break;
		case ACL_GROUP_OBJ:
			bits |= (u32)entry->e_perm << 3;
			break;
		case ACL_MASK: /* behind the group's, in whose place it is */
			bits = (bits & ~(RWX << 3)) | (u32)entry->e_perm << 3;
			more = true;
			break;
		case ACL_OTHER:
			bits |= entry->e_perm;
			break;
		default:
			more = true;
		}
	}
	*mode = bits;
	return more;
}

/* Where in a mode the entry's permissions are; -1: nowhere. `masked`: the list has a mask. */
static int mode_shift(const struct posix_acl_xattr_entry *entry, bool masked)
{
	switch (entry->e_tag) {
	case ACL_USER_OBJ:
		return 6;
	case ACL_GROUP_OBJ:
		return masked ? -1 : 3;
	case ACL_MASK:
		return 3;
	case ACL_OTHER:
		return 0;
	default:
		return -1;
	}
}

/* The permissions of owner, mask (or group) and others become those of *mode. `restrict`: and both only what they have in common. */
static void list_meet_mode(struct acl *acl, u32 *mode, bool restrict_both)
{
	bool masked = false;

	for (u32 i = 0; i < acl->count; i++)
		masked |= acl->entries[i].e_tag == ACL_MASK;
	for (u32 i = 0; i < acl->count; i++) {
		struct posix_acl_xattr_entry *entry = &acl->entries[i];
		int shift = mode_shift(entry, masked);

		if (shift < 0)
			continue;
		if (restrict_both)
			*mode &= ~((~(u32)entry->e_perm & RWX) << shift);
		entry->e_perm = (u16)(*mode >> shift & RWX);
	}
}

struct acl *acl_with_mode(const struct acl *acl, u32 mode)
{
	struct acl *copy = acl_copy(acl);

	if (copy)
		list_meet_mode(copy, &mode, false);
	return copy;
}

int acl_inherit(const struct node *dir, struct node_new *new)
{
	u32 ignored;

	new->acl = new->default_acl = NULL;
	if (likely(!dir->default_acl) || S_ISLNK(new->mode)) {
		new->mode &= ~new->umask;
		return 0;
	}
	new->acl = acl_copy(dir->default_acl);
	if (!new->acl)
		return -ENOMEM;
	list_meet_mode(new->acl, &new->mode, true);
	ignored = new->mode;
	if (!acl_to_mode(new->acl, &ignored)) {
		acl_put(new->acl);
		new->acl = NULL;
	}
	if (S_ISDIR(new->mode))
		new->default_acl = acl_get(dir->default_acl);
	return 0;
}
EXPORT_SYMBOL(acl_alloc);
EXPORT_SYMBOL(acl_put);
EXPORT_SYMBOL(acl_assign);
EXPORT_SYMBOL(acl_valid);
