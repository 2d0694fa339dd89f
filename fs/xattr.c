/*
 * Extended attributes: who may do what with which names, and a store in memory for trees that have no other. The rules
 * and the order of the errors are Linux's (xattr(7)).
 *
 * A node's attributes are a list, protected by node->lock: files have none, or few.
 */
#include <kumo/export.h>
#include <kumo/notify.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/xattr.h>
#include <linux/capability.h>
#include <linux/xattr.h>

#include "internal.h"

/* ---- In memory ---- */

struct xattr {
	struct list link;
	u32 size;
	char *value; /* behind the name, in the same allocation */
	char name[];
};

struct xattrs {
	struct list list;
};

static struct xattr *find(const struct node *node, const char *name)
{
	struct xattr *xattr;

	if (!node->xattrs)
		return NULL;
	list_for_each(xattr, &node->xattrs->list, link)
		if (!strcmp(xattr->name, name))
			return xattr;
	return NULL;
}

ssize_t node_xattr_get(struct node *node, const char *name, void *value, size_t size)
{
	const struct xattr *xattr = find(node, name);

	if (!xattr)
		return -ENODATA;
	if (size) {
		if (size < xattr->size)
			return -ERANGE;
		memcpy(value, xattr->value, xattr->size);
	}
	return xattr->size;
}

ssize_t node_xattr_list(struct node *node, char *list, size_t size, bool trusted)
{
	const struct xattr *xattr;
	size_t used = 0, length;

	if (!node->xattrs)
		return 0;
	list_for_each(xattr, &node->xattrs->list, link) {
		if (!trusted && !strncmp(xattr->name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN))
			continue;
		length = strlen(xattr->name) + 1;
		if (size) {
			if (length > size - used)
				return -ERANGE;
			memcpy(list + used, xattr->name, length);
		}
		used += length;
	}
	return (ssize_t)used;
}

static struct xattr *xattr_make(const char *name, const void *value, size_t size)
{
	size_t length = strlen(name) + 1;
	struct xattr *xattr = kmalloc(sizeof(*xattr) + length + size, GFP_USER);

	if (!xattr)
		return NULL;
	xattr->size = (u32)size;
	xattr->value = xattr->name + length;
	memcpy(xattr->name, name, length);
	memcpy(xattr->value, value, size);
	return xattr;
}

int node_xattr_set(struct node *node, const char *name, const void *value, size_t size, int flags)
{
	struct xattr *old = find(node, name), *fresh = NULL;

	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (value) {
		if (!node->xattrs) {
			node->xattrs = kmalloc(sizeof(*node->xattrs), GFP_USER);
			if (!node->xattrs)
				return -ENOMEM;
			list_init(&node->xattrs->list);
		}
		fresh = xattr_make(name, value, size);
		if (!fresh)
			return -ENOMEM;
		list_add(&node->xattrs->list, &fresh->link);
	}
	if (old) {
		list_del(&old->link);
		kfree(old);
	}
	return 0;
}

void node_drop_capabilities(struct node *node)
{
	/* That there are none is no error here, and removing needs no memory. */
	(void)node_xattr_set(node, XATTR_NAME_CAPS, NULL, 0, 0);
}

void node_xattrs_free(struct node *node)
{
	struct xattr *xattr, *after;

	if (likely(!node->xattrs))
		return;
	list_for_each_safe(xattr, after, &node->xattrs->list, link)
		kfree(xattr);
	kfree(node->xattrs);
	node->xattrs = NULL;
}

/* ---- Who may ---- */

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* By the name's namespace, then by the file's mode. */
static int xattr_permission(struct node *node, const char *name, int mask, const struct cred *cred)
{
	bool write = mask & MAY_WRITE;
	u32 mode = node->attr.mode;

	if (has_prefix(name, XATTR_SECURITY_PREFIX) || has_prefix(name, XATTR_SYSTEM_PREFIX))
		return 0;
	if (has_prefix(name, XATTR_TRUSTED_PREFIX)) {
		if (cred_capable(cred, CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (has_prefix(name, XATTR_USER_PREFIX)) {
		/* Whoever may write to a device or a shared folder shall not fill the file system with what nobody else can
		 * take away. */
		if (!S_ISREG(mode) && !S_ISDIR(mode))
			return write ? -EPERM : -ENODATA;
		if (write && S_ISDIR(mode) && (mode & S_ISVTX) && !node_owner_or_capable(node, cred))
			return -EPERM;
	}
	return node_permission(node, mask, cred);
}

/* File capabilities: a header that says how long the rest is. */
static bool capabilities_valid(const void *value, size_t size)
{
	u32 magic;

	if (size < sizeof(magic))
		return false;
	memcpy(&magic, value, sizeof(magic)); /* little-endian, as the machine is */
	magic &= VFS_CAP_REVISION_MASK;
	return (magic == VFS_CAP_REVISION_2 && size == XATTR_CAPS_SZ_2) ||
	       (magic == VFS_CAP_REVISION_3 && size == XATTR_CAPS_SZ_3);
}

/* What may be set of security.*. */
static int security_permission(const char *name, const void *value, size_t size, const struct cred *cred)
{
	if (!has_prefix(name, XATTR_SECURITY_PREFIX))
		return 0;
	if (strcmp(name, XATTR_NAME_CAPS))
		return cred_capable(cred, CAP_SYS_ADMIN) ? 0 : -EPERM;
	if (value && !capabilities_valid(value, size))
		return -EINVAL;
	return cred_capable(cred, CAP_SETFCAP) ? 0 : -EPERM;
}

/* Is there such a namespace? Those of "system." (access lists) nothing keeps. */
static int name_supported(const char *name)
{
	static const char *const prefixes[] = { XATTR_USER_PREFIX, XATTR_TRUSTED_PREFIX,
						XATTR_SECURITY_PREFIX };

	for (unsigned int i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (has_prefix(name, prefixes[i]))
			return name[strlen(prefixes[i])] ? 0 : -EINVAL;
	return -EOPNOTSUPP;
}

/* ---- What the system calls call ---- */

ssize_t path_xattr_get(const struct path *path, const char *name, void *value, size_t size,
		       const struct cred *cred)
{
	struct node *node = path_node(path);
	ssize_t result = xattr_permission(node, name, MAY_READ, cred);

	if (result)
		return result;
	result = node->tree->ops->xattr_get ? name_supported(name) : -EOPNOTSUPP;
	if (result)
		return result;
	result = mutex_lock_killable(&node->lock);
	if (result)
		return result;
	result = node->tree->ops->xattr_get(node, name, value, size);
	mutex_unlock(&node->lock);
	return result;
}

ssize_t path_xattr_list(const struct path *path, char *list, size_t size, const struct cred *cred)
{
	struct node *node = path_node(path);
	ssize_t result;

	if (!node->tree->ops->xattr_list)
		return 0;
	result = mutex_lock_killable(&node->lock);
	if (result)
		return result;
	result = node->tree->ops->xattr_list(node, list, size, cred_capable(cred, CAP_SYS_ADMIN));
	mutex_unlock(&node->lock);
	return result;
}

int path_xattr_set(const struct path *path, const char *name, const void *value, size_t size,
		   int flags, const struct cred *cred)
{
	struct node *node = path_node(path);
	int error = mount_want_write(path->mount);

	if (!error)
		error = xattr_permission(node, name, MAY_WRITE, cred);
	if (!error)
		error = security_permission(name, value, size, cred);
	if (!error)
		error = node->tree->ops->xattr_set ? name_supported(name) : -EOPNOTSUPP;
	if (!error)
		error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	error = node->tree->ops->xattr_set(node, name, value, size, flags);
	if (!error)
		node_touch(node, false, false, true);
	mutex_unlock(&node->lock);
	if (!error)
		notify_entry(path->entry, IN_ATTRIB);
	return error;
}
EXPORT_SYMBOL(path_xattr_get);
EXPORT_SYMBOL(path_xattr_list);
EXPORT_SYMBOL(path_xattr_set);
EXPORT_SYMBOL(node_xattr_get);
EXPORT_SYMBOL(node_xattr_list);
EXPORT_SYMBOL(node_xattr_set);
