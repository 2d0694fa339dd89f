/*
 * Extended attributes: who may do what with which names, and a store in memory for trees that have no other. The rules
 * and the order of the errors are Linux's (xattr(7)).
 *
 * A node's attributes are a list, protected by node->lock: files have none, or few. Access lists are attributes to those who ask
 * only: the node holds them (acl.h), and the tree that stores them is told by setattr.
 */
#include <kumo/acl.h>
#include <kumo/export.h>
#include <kumo/notify.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
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

	if (write && (node_is_immutable(node) || node_is_append_only(node)))
		return -EPERM;
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

/* Is there such a namespace? */
static int name_supported(const char *name)
{
	static const char *const prefixes[] = { XATTR_USER_PREFIX, XATTR_TRUSTED_PREFIX,
						XATTR_SECURITY_PREFIX };

	for (unsigned int i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (has_prefix(name, prefixes[i]))
			return name[strlen(prefixes[i])] ? 0 : -EINVAL;
	return -EOPNOTSUPP;
}

/* ---- Access lists ---- */

/* Does the name mean a list of the node's, and if so, that for new files? */
static bool name_is_acl(const struct node *node, const char *name, bool *is_default)
{
	*is_default = !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT);
	return (*is_default || !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS)) &&
	       (node->tree->flags & TREE_ACL);
}

/* node->lock held. */
static ssize_t acl_show(const struct node *node, bool is_default, void *value, size_t size)
{
	const struct acl *acl = is_default ? node->default_acl : node->acl;

	if (S_ISLNK(node->attr.mode))
		return -EOPNOTSUPP;
	return acl ? acl_to_value(acl, value, size) : -ENODATA;
}

/* The mode that goes with the list, which is not stored (NULL) if that says it all. */
static void acl_change_mode(const struct node *node, struct attr_change *change, const struct cred *cred)
{
	change->valid |= SETATTR_MODE;
	change->mode = node->attr.mode;
	if (!acl_to_mode(change->acl, &change->mode))
		change->acl = NULL;
	if (!cred_in_group(cred, node->attr.gid) && !cred_capable(cred, CAP_FSETID))
		change->mode &= ~(u32)S_ISGID;
}

/* value NULL, or a list without entries: removes. node->lock held. */
static int acl_store(struct node *node, bool is_default, const void *value, size_t size,
		     const struct cred *cred)
{
	struct acl *acl = value ? acl_from_value(value, size) : NULL;
	struct attr_change change = {
		.valid = SETATTR_CTIME | (is_default ? SETATTR_DEFAULT_ACL : SETATTR_ACL),
		.ctime_ns = (s64)time_realtime_ns(),
		.acl = acl,
	};
	int error = 0;

	if (IS_ERR(acl))
		return (int)PTR_ERR(acl);
	if (S_ISLNK(node->attr.mode))
		error = -EOPNOTSUPP;
	else if (is_default && !S_ISDIR(node->attr.mode))
		error = acl ? -EACCES : 0;
	else if (!node_owner_or_capable(node, cred))
		error = -EPERM;
	else if (acl && !acl_valid(acl))
		error = -EINVAL;
	else {
		if (acl && !is_default)
			acl_change_mode(node, &change, cred);
		error = serve_setattr(node, &change, cred);
	}
	acl_put(acl);
	return error;
}

/* Puts the names of the node's lists into `list`: their length; -ERANGE. node->lock held. */
static ssize_t acl_names(const struct node *node, char *list, size_t size)
{
	static const char access[] = XATTR_NAME_POSIX_ACL_ACCESS,
			  of_new[] = XATTR_NAME_POSIX_ACL_DEFAULT;
	size_t used = 0;

	if (node->acl) {
		if (size && size < sizeof(access))
			return -ERANGE;
		if (size)
			memcpy(list, access, sizeof(access));
		used = sizeof(access);
	}
	if (node->default_acl) {
		if (size && size - used < sizeof(of_new))
			return -ERANGE;
		if (size)
			memcpy(list + used, of_new, sizeof(of_new));
		used += sizeof(of_new);
	}
	return (ssize_t)used;
}

/* ---- What the system calls call ---- */

ssize_t path_xattr_get(const struct path *path, const char *name, void *value, size_t size,
		       const struct cred *cred)
{
	struct node *node = path_node(path);
	ssize_t result = xattr_permission(node, name, MAY_READ, cred);
	bool is_default, is_acl = name_is_acl(node, name, &is_default);

	if (result)
		return result;
	if (!is_acl) {
		result = node->tree->ops->xattr_get ? name_supported(name) : -EOPNOTSUPP;
		if (result)
			return result;
	}
	result = mutex_lock_killable(&node->lock);
	if (result)
		return result;
	result = is_acl ? acl_show(node, is_default, value, size)
			: serve_xattr_get(node, name, value, size);
	mutex_unlock(&node->lock);
	return result;
}

ssize_t path_xattr_list(const struct path *path, char *list, size_t size, const struct cred *cred)
{
	struct node *node = path_node(path);
	bool trusted = cred_capable(cred, CAP_SYS_ADMIN);
	ssize_t used, others = 0;
	int error;

	if (!node->tree->ops->xattr_list)
		return 0;
	error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	used = acl_names(node, list, size);
	if (used >= 0) {
		size_t room = size ? size - (size_t)used : 0;

		others = serve_xattr_list(node, room ? list + used : NULL, room, trusted);
		if (size && !room && others > 0)
			others = -ERANGE;
	}
	mutex_unlock(&node->lock);
	return used < 0 ? used : others < 0 ? others : used + others;
}

int path_xattr_set(const struct path *path, const char *name, const void *value, size_t size,
		   int flags, const struct cred *cred)
{
	struct node *node = path_node(path);
	bool is_default, is_acl = name_is_acl(node, name, &is_default);
	int error = mount_want_write(path->mount);

	if (!error)
		error = xattr_permission(node, name, MAY_WRITE, cred);
	if (!error)
		error = security_permission(name, value, size, cred);
	if (!error && !is_acl)
		error = node->tree->ops->xattr_set ? name_supported(name) : -EOPNOTSUPP;
	if (!error)
		error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	error = is_acl ? acl_store(node, is_default, value, size, cred)
		       : serve_xattr_set(node, name, value, size, flags);
	if (!error && !is_acl)
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
