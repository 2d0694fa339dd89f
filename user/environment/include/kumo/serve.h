/* Calling the instance that serves a tree, in a process: there is one as long as the tree is there, so nobody waits at a gate. */
#ifndef KUMO_SERVE_H
#define KUMO_SERVE_H

#include <kumo/file.h>
#include <kumo/rebind.h>
#include <kumo/thread.h>

struct tree_cpu {
	long inside, writers;
};

static inline __must_check int tree_enter_nowait(struct tree *tree, struct tree_visit *visit)
{
	return 0;
}
static inline void tree_leave(struct tree_visit *visit)
{
}

static inline __must_check int serve_create(struct node *dir, const struct name *name,
					    const struct node_new *what, struct node **node,
					    const struct cred *cred, struct tree_visit *stay)
{
	return dir->ops->create(dir, name, what, node, cred);
}
static inline __must_check int serve_link(struct node *dir, const struct name *name,
					  struct node *node, const struct cred *cred,
					  struct tree_visit *stay)
{
	return dir->ops->link(dir, name, node, cred);
}
static inline __must_check int serve_unlink(struct node *dir, const struct name *name,
					    struct node *node, bool directory, const struct cred *cred)
{
	return dir->ops->unlink(dir, name, node, directory, cred);
}
static inline __must_check int serve_rename(struct node *old_dir, const struct name *old_name,
					    struct node *node, struct node *new_dir,
					    const struct name *new_name, struct node *replaced,
					    unsigned int flags, const struct cred *cred,
					    struct tree_visit *stay)
{
	return old_dir->ops->rename(old_dir, old_name, node, new_dir, new_name, replaced, flags, cred);
}
static inline __must_check ssize_t serve_readlink(struct node *node, char *buffer, size_t size,
						  const struct cred *cred)
{
	return node->ops->readlink(node, buffer, size, cred);
}
static inline __must_check int serve_getattr(struct node *node, const struct cred *cred)
{
	return node->tree->ops->getattr(node, cred);
}
static inline int serve_setattr(struct node *node, const struct attr_change *change,
				const struct cred *cred)
{
	return node->tree->ops->setattr(node, change, cred);
}
static inline __must_check int serve_permission(struct node *node, int mask, const struct cred *cred)
{
	return node->ops->permission(node, mask, cred);
}
static inline bool serve_permits(struct node *node, int mask)
{
	return node->ops->permits(node, mask);
}
static inline __must_check ssize_t serve_xattr_get(struct node *node, const char *name, void *value,
						   size_t size)
{
	return node->tree->ops->xattr_get(node, name, value, size);
}
static inline __must_check int serve_xattr_set(struct node *node, const char *name,
					       const void *value, size_t size, int flags)
{
	return node->tree->ops->xattr_set(node, name, value, size, flags);
}
static inline __must_check ssize_t serve_xattr_list(struct node *node, char *list, size_t size,
						    bool trusted)
{
	return node->tree->ops->xattr_list(node, list, size, trusted);
}

#endif
