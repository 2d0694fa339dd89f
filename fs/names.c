/*
 * Changes of names: create, unlink, link, rename. Each takes the locks that tree.h asks for, looks the names up under
 * them, checks what Linux checks in Linux's order, calls the tree, and tells the name cache.
 */
#include <kumo/acl.h>
#include <kumo/export.h>
#include <kumo/notify.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/capability.h>
#include <linux/fs.h>

#include "internal.h"

static inline struct node *node_of(const struct path *path)
{
	return path->entry->node;
}

enum name_kind name_kind(const struct name *name)
{
	if (!name->length)
		return NAME_ROOT;
	if (name->text[0] != '.' || name->length > 2)
		return NAME_NORMAL;
	if (name->length == 1)
		return NAME_DOT;
	return name->text[1] == '.' ? NAME_DOT_DOT : NAME_NORMAL;
}

/* ---- Creation ---- */

/* In a set-group-id directory everything has its group; no program becomes so a group's that who makes it is not in. */
static void inherit_group(struct node_new *new, const struct node *dir, const struct cred *cred)
{
	const u32 set_group = S_ISGID | S_IXGRP;

	new->gid = dir->attr.gid;
	if (S_ISDIR(new->mode))
		new->mode |= S_ISGID;
	else if ((new->mode &set_group) == set_group && !cred_in_group(cred, new->gid) &&
		 !cred_capable(cred, CAP_FSETID))
		new->mode &= ~(u32)S_ISGID;
}

int node_new_begin(struct node_new *new, const struct node *dir, const struct cred *cred)
{
	new->uid = cred->fsuid;
	new->gid = cred->fsgid;
	if (dir->attr.mode & S_ISGID)
		inherit_group(new, dir, cred);
	return acl_inherit(dir, new);
}

void node_new_end(struct node_new *new, struct node *node)
{
	if (likely(!new->acl && !new->default_acl))
		return;
	if (node) {
		acl_assign(&node->acl, new->acl);
		acl_assign(&node->default_acl, new->default_acl);
	}
	acl_put(new->acl);
	acl_put(new->default_acl);
}

/* Whether a change has been made is not known: the names that it was about are asked for anew. */
static void doubt_name(struct entry *parent, const struct name *name)
{
	struct entry *entry = entry_find(parent, name);

	if (!entry)
		return;
	WRITE_ONCE(entry->believe_until_ns, 0);
	entry_put(entry);
}

static bool is_unsure(int error)
{
	return error == -EIO || error == -EINTR;
}

struct entry *create_locked(const struct path *parent, const struct name *last,
			    const struct node_new *what, const struct cred *cred)
{
	struct node *dir = node_of(parent), *node;
	struct tree *tree = parent->mount->tree;
	struct node_new new = *what;
	struct tree_visit visit;
	struct entry *entry;
	int error = may_create_in(dir, cred);

	if (error)
		return ERR_PTR(error);
	if (!dir->ops->create)
		return ERR_PTR(tree->flags & TREE_NAMES_FIXED ? -ENOENT
			       : S_ISREG(what->mode)	      ? -EACCES
							      : -EPERM);
	error = node_new_begin(&new, dir, cred);
	if (error)
		return ERR_PTR(error);
	tree_change_begin(tree);
	error = serve_create(dir, last, &new, &node, cred, &visit);
	tree_change_end(tree);
	node_new_end(&new, error ? NULL : node);
	if (is_unsure(error))
		doubt_name(parent->entry, last);
	if (error)
		return ERR_PTR(error);
	entry = entry_add(parent->entry, last, node, node->attr.believe_until_ns);
	tree_leave(&visit);
	if (!IS_ERR(entry))
		notify_name(dir, last, entry->node, IN_CREATE);
	return entry;
}

/* What may not be made at this place: -EEXIST for ".", "..", "/" and what is there already. dir->lock held. */
static int place_free(const struct path *parent, const struct name *last, bool directory,
		      const struct cred *cred)
{
	struct entry *there = lookup_locked(parent->entry, last, cred);

	if (!IS_ERR(there)) {
		entry_put(there);
		return -EEXIST;
	}
	if (PTR_ERR(there) != -ENOENT)
		return (int)PTR_ERR(there);
	/* A name that ends in a slash asks for a directory; none can be made this way. */
	if (!directory && last->text[last->length] == '/')
		return -ENOENT;
	return mount_want_write(parent->mount);
}

/* A device, but for that which says that a name is gone (RENAME_WHITEOUT). */
static bool needs_mknod(const struct node_new *what)
{
	return S_ISBLK(what->mode) || (S_ISCHR(what->mode) && what->rdev);
}

int path_create(const struct path *parent, const struct name *last, const struct node_new *what,
		const struct cred *cred, struct path *made)
{
	struct node *dir = node_of(parent);
	struct entry *entry;
	struct path real;
	int error;

	if (name_kind(last) != NAME_NORMAL)
		return -EEXIST;
	if (path_is_union(parent)) {
		error = union_parent(parent, last, true, cred, &real);
		if (!error) {
			error = path_create(&real, last, what, cred, made);
			path_put(&real);
		}
		return error;
	}
	error = mutex_lock_killable(&dir->lock);
	if (error)
		return error;
	error = place_free(parent, last, S_ISDIR(what->mode), cred);
	if (!error && needs_mknod(what) && !cred_capable(cred, CAP_MKNOD)) {
		error = may_create_in(dir, cred);
		if (!error)
			error = -EPERM;
	}
	if (!error) {
		entry = create_locked(parent, last, what, cred);
		error = IS_ERR(entry) ? (int)PTR_ERR(entry) : 0;
	}
	mutex_unlock(&dir->lock);
	if (error)
		return error;
	if (made) {
		*made = (struct path){ .mount = parent->mount, .entry = entry };
		mount_get(made->mount);
	} else {
		entry_put(entry);
	}
	return 0;
}

int path_link(const struct path *parent, const struct name *last, const struct path *old,
	      const struct cred *cred)
{
	struct node *dir = node_of(parent), *node = node_of(old);
	struct tree *tree = parent->mount->tree;
	struct tree_visit visit;
	struct entry *entry;
	struct path real;
	int error;

	if (name_kind(last) != NAME_NORMAL)
		return -EEXIST;
	if (path_is_union(parent)) {
		error = union_parent(parent, last, true, cred, &real);
		if (!error) {
			error = path_link(&real, last, old, cred);
			path_put(&real);
		}
		return error;
	}
	error = mutex_lock_killable(&dir->lock);
	if (error)
		return error;
	error = place_free(parent, last, false, cred);
	if (!error && tree->flags & TREE_NAMES_FIXED)
		error = -ENOENT;
	if (error)
		goto out;
	error = -EXDEV;
	if (parent->mount != old->mount)
		goto out;
	error = may_link(node, cred);
	if (!error)
		error = may_create_in(dir, cred);
	if (error)
		goto out;
	error = -EPERM;
	if (node_is_append_only(node) || node_is_immutable(node) || S_ISDIR(node->attr.mode) ||
	    !dir->ops->link)
		goto out;
	error = mutex_lock_killable_nested(&node->lock, NODE_CHILD);
	if (error)
		goto out;
	error = -ENOENT;
	if (node->attr.nlink || (node->flags & NODE_LINKABLE)) {
		tree_change_begin(tree);
		error = serve_link(dir, last, node, cred, &visit);
		if (!error)
			node->flags &= ~(unsigned int)NODE_LINKABLE;
		tree_change_end(tree);
	}
	mutex_unlock(&node->lock);
	if (error)
		goto out;
	entry = entry_add(parent->entry, last, node_get(node), node->attr.believe_until_ns);
	if (!IS_ERR(entry)) /* else it is looked up when next asked for: the link itself is made */
		entry_put(entry);
	tree_leave(&visit);
	notify_node(node, IN_ATTRIB);
	notify_name(dir, last, node, IN_CREATE);
out:
	mutex_unlock(&dir->lock);
	return error;
}

/* ---- Removal ---- */

static int unlink_named(const struct path *parent, const struct name *last, bool directory,
			const struct cred *cred)
{
	struct node *dir = node_of(parent), *node;
	struct tree *tree = parent->mount->tree;
	struct entry *entry;
	int error = mount_want_write(parent->mount);

	if (error)
		return error;
	error = mutex_lock_killable(&dir->lock);
	if (error)
		return error;
	entry = lookup_locked(parent->entry, last, cred);
	if (IS_ERR(entry)) {
		mutex_unlock(&dir->lock);
		return (int)PTR_ERR(entry);
	}
	node = node_get(entry->node);
	error = -ELOOP;
	if (node == dir) /* as who serves the tree says: the lock would be taken twice */
		goto out;
	error = -ENOTDIR;
	if (!directory && last->text[last->length] == '/') {
		if (S_ISDIR(node->attr.mode))
			error = -EISDIR;
		goto out;
	}
	error = may_delete(dir, node, directory, cred);
	if (error)
		goto out;
	error = -EPERM;
	if (!dir->ops->unlink)
		goto out;
	error = mutex_lock_killable_nested(&node->lock, NODE_CHILD);
	if (error)
		goto out;
	error = -EBUSY;
	if (!mount_stands_on(entry)) {
		tree_change_begin(tree);
		error = serve_unlink(dir, last, node, directory, cred);
		if (is_unsure(error))
			doubt_name(parent->entry, last);
		tree_change_end(tree);
		if (!error && directory)
			node->flags |= NODE_DEAD;
	}
	mutex_unlock(&node->lock);
	if (!error) {
		if (!directory)
			notify_node(node, IN_ATTRIB);
		entry_removed(entry);
		notify_name(dir, last, node, IN_DELETE);
	}
out:
	mutex_unlock(&dir->lock);
	if (!error)
		mounts_detach_removed(entry);
	entry_put(entry);
	node_put(node); /* after the locks: a file's pages may be many */
	return error;
}

int path_unlink(const struct path *parent, const struct name *last, bool directory,
		const struct cred *cred)
{
	struct path real;
	int error;

	switch (name_kind(last)) {
	case NAME_NORMAL:
		break;
	case NAME_DOT:
		return directory ? -EINVAL : -EISDIR;
	case NAME_DOT_DOT:
		return directory ? -ENOTEMPTY : -EISDIR;
	case NAME_ROOT:
		return directory ? -EBUSY : -EISDIR;
	}
	if (!path_is_union(parent))
		return unlink_named(parent, last, directory, cred);
	error = union_parent(parent, last, false, cred, &real);
	if (error)
		return error;
	error = unlink_named(&real, last, directory, cred);
	path_put(&real);
	return error;
}

/* ---- Rename ---- */

/* Locks both directories, parent before child. What lies between them cannot change: rename_lock is held if they differ. */
static int rename_lock(const struct path *a, const struct path *b)
{
	struct tree *tree = a->mount->tree;
	struct node *first = node_of(a), *second = node_of(b);
	bool b_above;
	int error;

	if (a->entry == b->entry)
		return mutex_lock_killable(&first->lock);
	/* One directory under two names, one below the other, as who serves the tree says. What would lie where cannot be known. */
	if (first == second)
		return -ELOOP;
	error = mutex_lock_killable(&tree->rename_lock);
	if (error)
		return error;
	spin_lock(&names_lock);
	b_above = entry_is_below(a->entry, b->entry);
	spin_unlock(&names_lock);
	if (b_above) {
		first = node_of(b);
		second = node_of(a);
	}
	error = mutex_lock_killable(&first->lock);
	if (!error) {
		error = mutex_lock_killable_nested(&second->lock, NODE_SECOND);
		if (error)
			mutex_unlock(&first->lock);
	}
	if (error)
		mutex_unlock(&tree->rename_lock);
	return error;
}

static void rename_unlock(const struct path *a, const struct path *b)
{
	mutex_unlock(&node_of(a)->lock);
	if (a->entry != b->entry) {
		mutex_unlock(&node_of(b)->lock);
		mutex_unlock(&a->mount->tree->rename_lock);
	}
}

/* The checks that need both entries; Linux's order. */
static int rename_allowed(const struct path *old_parent, const struct name *old_last,
			  struct entry *entry, const struct path *new_parent,
			  const struct name *new_last, struct entry *target, unsigned int flags,
			  const struct cred *cred)
{
	struct node *old_dir = node_of(old_parent), *new_dir = node_of(new_parent), *node = entry->node;
	bool directory = S_ISDIR(node->attr.mode), exchange = flags & RENAME_EXCHANGE;
	bool inside;
	int error;

	if (exchange && !target)
		return -ENOENT;
	if ((flags & RENAME_NOREPLACE) && target)
		return -EEXIST;
	if (exchange && !S_ISDIR(target->node->attr.mode) && new_last->text[new_last->length] == '/')
		return -ENOTDIR;
	if (!directory) {
		if (old_last->text[old_last->length] == '/')
			return -ENOTDIR;
		if (!exchange && new_last->text[new_last->length] == '/')
			return -ENOTDIR;
	}
	/* Neither may a directory come below itself, nor be replaced by what lies in it. */
	spin_lock(&names_lock);
	inside = entry_is_below(new_parent->entry, entry);
	if (!inside && target && entry_is_below(old_parent->entry, target)) {
		spin_unlock(&names_lock);
		return exchange ? -EINVAL : -ENOTEMPTY;
	}
	spin_unlock(&names_lock);
	if (inside)
		return -EINVAL;

	if (target && target->node == node)
		return 0; /* two names of one file: nothing is to be done */
	/* Who serves the tree may say that a directory lies in itself: its lock would be taken twice. */
	if (node == old_dir || node == new_dir ||
	    (target && (target->node == old_dir || target->node == new_dir)))
		return -ELOOP;
	error = may_delete(old_dir, node, directory, cred);
	if (error)
		return error;
	if (!target)
		error = may_create_in(new_dir, cred);
	else
		error = may_delete(new_dir, target->node,
				   exchange ? S_ISDIR(target->node->attr.mode) : directory, cred);
	if (error)
		return error;
	/* A directory that gets another parent has its ".." written. */
	if (old_dir != new_dir) {
		if (directory)
			error = node_permission(node, MAY_WRITE, cred);
		if (!error && exchange && S_ISDIR(target->node->attr.mode))
			error = node_permission(target->node, MAY_WRITE, cred);
	}
	if (error)
		return error;
	if (!old_dir->ops->rename)
		return -EPERM;
	if (mount_stands_on(entry) || (target && mount_stands_on(target)))
		return -EBUSY;
	return 0;
}

/* Has the tree do it, and tells the name cache. Both directories are locked, all is checked. */
static int rename_locked(const struct path *old_parent, const struct name *old_last,
			 struct entry *entry, const struct path *new_parent, const struct name *new_last,
			 struct entry *target, unsigned int flags, const struct cred *cred)
{
	struct node *old_dir = node_of(old_parent), *new_dir = node_of(new_parent);
	struct node *replaced = target ? target->node : NULL;
	struct tree *tree = old_parent->mount->tree;
	struct tree_visit visit;
	char *text; /* of the new name: had before anything changes */
	int error = entry_text_alloc(new_last, &text);

	if (!error && replaced)
		error = mutex_lock_killable_nested(&replaced->lock, NODE_CHILD);
	if (error)
		goto out;
	tree_change_begin(tree);
	error = serve_rename(old_dir, old_last, entry->node, new_dir, new_last, replaced, flags,
			     cred, &visit);
	if (is_unsure(error)) {
		doubt_name(old_parent->entry, old_last);
		doubt_name(new_parent->entry, new_last);
	}
	if (!error && (flags & RENAME_EXCHANGE)) {
		entry_exchange(entry, target);
	} else if (!error) {
		if (replaced && S_ISDIR(replaced->attr.mode))
			replaced->flags |= NODE_DEAD;
		entry_move(entry, new_parent->entry, new_last, text, target, !(flags & RENAME_WHITEOUT));
		text = NULL;
	}
	if (!error)
		tree_leave(&visit);
	tree_change_end(tree);
	if (replaced)
		mutex_unlock(&replaced->lock);
	if (error)
		goto out;
	notify_move(old_dir, old_last, new_dir, new_last, entry->node);
	if (flags & RENAME_EXCHANGE)
		notify_move(new_dir, new_last, old_dir, old_last, replaced);
	else if (replaced)
		notify_node(replaced, IN_ATTRIB);
out:
	kfree(text);
	return error;
}

static int rename_named(const struct path *old_parent, const struct name *old_last,
			const struct path *new_parent, const struct name *new_last,
			unsigned int flags, const struct cred *cred)
{
	struct entry *entry, *target = NULL;
	struct node *replaced = NULL;
	int error = mount_want_write(old_parent->mount);

	if (error)
		return error;
	error = rename_lock(old_parent, new_parent);
	if (error)
		return error;

	entry = lookup_locked(old_parent->entry, old_last, cred);
	if (IS_ERR(entry)) {
		rename_unlock(old_parent, new_parent);
		return (int)PTR_ERR(entry);
	}
	target = lookup_locked(new_parent->entry, new_last, cred);
	if (IS_ERR(target)) {
		error = (int)PTR_ERR(target);
		target = NULL;
		if (error != -ENOENT || new_parent->mount->tree->flags & TREE_NAMES_FIXED)
			goto out;
	}
	error = rename_allowed(old_parent, old_last, entry, new_parent, new_last, target, flags, cred);
	if (error)
		goto out;
	if (target)
		replaced = node_get(target->node);
	if (replaced != entry->node) /* two names of one file stay */
		error = rename_locked(old_parent, old_last, entry, new_parent, new_last, target,
				      flags, cred);
out:
	rename_unlock(old_parent, new_parent);
	if (target) {
		if (!error && !(flags & RENAME_EXCHANGE) && replaced != entry->node)
			mounts_detach_removed(target);
		entry_put(target);
	}
	entry_put(entry);
	if (replaced)
		node_put(replaced); /* after the locks: a file's pages may be many */
	return error;
}

/*
 * Where a new name in a union goes: where the old one is, if that is of the same union and no member before would go on to hide
 * it; else where the name is already, or to where new names are made.
 */
static int rename_target(const struct path *old_parent, const struct path *old_real,
			 const struct path *new_parent, const struct name *new_last,
			 unsigned int flags, const struct cred *cred, struct path *real)
{
	bool same = path_is_union(new_parent) && path_equal(old_parent, new_parent);
	int error = union_parent(new_parent, new_last, !same, cred, real);

	if (!same || (error && error != -ENOENT))
		return error;
	if (!error) {
		if (flags & RENAME_NOREPLACE)
			error = -EEXIST;
		else if (union_comes_before(new_parent, real, old_real))
			error = -EXDEV;
		path_put(real);
		if (error)
			return error;
	}
	*real = *old_real;
	path_get(real);
	return 0;
}

static int rename_in_union(const struct path *old_parent, const struct name *old_last,
			   const struct path *new_parent, const struct name *new_last,
			   unsigned int flags, const struct cred *cred)
{
	struct path old, new;
	int error = union_parent(old_parent, old_last, false, cred, &old);

	if (error)
		return error;
	error = rename_target(old_parent, &old, new_parent, new_last, flags, cred, &new);
	if (!error) {
		error = old.mount != new.mount
				? -EXDEV
				: rename_named(&old, old_last, &new, new_last, flags, cred);
		path_put(&new);
	}
	path_put(&old);
	return error;
}

int path_rename(const struct path *old_parent, const struct name *old_last,
		const struct path *new_parent, const struct name *new_last, unsigned int flags,
		const struct cred *cred)
{
	bool unions = path_is_union(old_parent) || path_is_union(new_parent);

	if (!unions && old_parent->mount != new_parent->mount)
		return -EXDEV;
	if (name_kind(old_last) != NAME_NORMAL)
		return -EBUSY;
	if (name_kind(new_last) != NAME_NORMAL)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	return (unions ? rename_in_union : rename_named)(old_parent, old_last, new_parent, new_last,
							 flags, cred);
}

/* What inotify calls such a change: both times are utime(2)'s doing, one alone a read's or a write's. */
static u32 change_events(u32 valid)
{
	u32 events = 0;

	if (valid & (SETATTR_MODE | SETATTR_UID | SETATTR_GID))
		events |= IN_ATTRIB;
	if (valid & SETATTR_SIZE)
		events |= IN_MODIFY;
	switch (valid & (SETATTR_ATIME | SETATTR_MTIME)) {
	case SETATTR_ATIME | SETATTR_MTIME:
		events |= IN_ATTRIB;
		break;
	case SETATTR_ATIME:
		events |= IN_ACCESS;
		break;
	case SETATTR_MTIME:
		events |= IN_MODIFY;
		break;
	}
	return events;
}

int entry_setattr(struct entry *entry, struct attr_change *change, const struct cred *cred)
{
	int error = node_setattr(entry->node, change, cred);

	if (!error && notify_wanted())
		notify_entry(entry, change_events(change->valid));
	return error;
}

int path_setattr(const struct path *path, struct attr_change *change, const struct cred *cred)
{
	int error = mount_want_write(path->mount);

	return error ? error : entry_setattr(path->entry, change, cred);
}

int path_set_times(const struct path *path, struct attr_change *change, bool now, const struct cred *cred)
{
	struct node *node = path_node(path);
	int error = mount_want_write(path->mount);

	if (!error && (node_is_immutable(node) || (!now && node_is_append_only(node))))
		error = -EPERM;
	if (!error && !node_owner_or_capable(node, cred))
		error = now ? node_permission(node, MAY_WRITE, cred) : -EPERM;
	return error ? error : entry_setattr(path->entry, change, cred);
}
EXPORT_SYMBOL(name_kind);
EXPORT_SYMBOL(path_create);
EXPORT_SYMBOL(path_unlink);
EXPORT_SYMBOL(path_link);
EXPORT_SYMBOL(path_rename);
EXPORT_SYMBOL(path_setattr);
EXPORT_SYMBOL(path_set_times);
