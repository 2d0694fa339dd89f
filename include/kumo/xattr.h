/*
 * Extended attributes (fs/xattr.c): values by name that a file carries besides its contents. A name's first word is its
 * namespace, which decides who may see and set it: "user." as the file's contents, "trusted." who has CAP_SYS_ADMIN,
 * "security." set by CAP_SYS_ADMIN and seen by all. Values are bytes.
 */
#ifndef KUMO_XATTR_H
#define KUMO_XATTR_H

#include <kumo/namespace.h>
#include <linux/limits.h>

struct xattrs; /* of one node, in memory */

/*
 * With all checks, as the system calls have them. get and list give the length, and with size 0 nothing else; -ERANGE when
 * `size` is too small. flags: XATTR_CREATE, XATTR_REPLACE; set takes value NULL to remove. -EOPNOTSUPP: the tree, or the
 * name's namespace, has none.
 */
ssize_t path_xattr_get(const struct path *path, const char *name, void *value, size_t size,
		       const struct cred *cred) __must_check;
ssize_t path_xattr_list(const struct path *path, char *list, size_t size,
			const struct cred *cred) __must_check;
int path_xattr_set(const struct path *path, const char *name, const void *value, size_t size,
		   int flags, const struct cred *cred) __must_check;

/* tree_ops for trees that keep them in memory, in node->xattrs. */
ssize_t node_xattr_get(struct node *node, const char *name, void *value, size_t size);
ssize_t node_xattr_list(struct node *node, char *list, size_t size, bool trusted);
int node_xattr_set(struct node *node, const char *name, const void *value, size_t size, int flags);
/* What is written to, or given to somebody else, is not what was trusted with capabilities. node->lock held. */
void node_drop_capabilities(struct node *node);
void node_xattrs_free(struct node *node); /* the node goes */

#endif
