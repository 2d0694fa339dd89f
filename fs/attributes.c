/*
 * A node's attributes, as the core holds them: asked for where they are not to be believed any more, touched by the core itself, and
 * changed on behalf of chmod, chown, truncate and utimes with Linux's rules of who may. And what goes with them: who writes to a
 * file or executes it, and a link's text.
 */
#include <kumo/acl.h>
#include <kumo/export.h>
#include <kumo/pagecache.h>
#include <kumo/serve.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/xattr.h>
#include <linux/capability.h>

#include "internal.h"

void node_touch(struct node *node, bool access, bool modify, bool change)
{
	u64 now = time_realtime_ns();

	if (access)
		WRITE_ONCE(node->attr.atime_ns, (s64)now);
	if (modify)
		WRITE_ONCE(node->attr.mtime_ns, (s64)now);
	if (change)
		WRITE_ONCE(node->attr.ctime_ns, (s64)now);
	node_attr_changed(node);
}

void node_attr_changed(struct node *node)
{
	const struct tree_ops *ops = node->tree ? node->tree->ops : NULL;

	struct tree_visit visit;

	if (!ops || !ops->attr_changed || __atomic_exchange_n(&node->attr_dirty, true, __ATOMIC_SEQ_CST))
		return;
	if (tree_enter_nowait(node->tree, &visit))
		return; /* the next instance is told when it has the node */
	if (likely(!(node->flags & (NODE_STALE | NODE_UNBOUND))))
		ops->attr_changed(node);
	tree_leave(&visit);
}

u64 node_blocks(const struct node *node)
{
	const struct page_cache *cache;

	if (node->attr.blocks != BLOCKS_IN_CACHE)
		return node->attr.blocks;
	cache = smp_load_acquire(&node->cache);
	return cache ? READ_ONCE(cache->page_count) * (PAGE_SIZE / 512) : 0;
}

int node_getattr(struct node *node, const struct cred *cred)
{
	const struct tree_ops *ops = node->tree ? node->tree->ops : NULL;

	if (!ops || !ops->getattr || node->attr.believe_until_ns == BELIEVE_FOREVER ||
	    time_monotonic_ns() < node->attr.believe_until_ns)
		return 0;
	return serve_getattr(node, cred);
}

ssize_t node_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred)
{
	if (!S_ISLNK(node->attr.mode))
		return -EINVAL;
	if (node->link_text) {
		size_t length = min(strlen(node->link_text), size);

		memcpy(buffer, node->link_text, length);
		return (ssize_t)length;
	}
	if (!node->ops->readlink)
		return -EINVAL;
	return serve_readlink(node, buffer, size, cred);
}

/* ---- Writers and executors exclude each other ---- */

int node_write_begin(struct node *node)
{
	int now = atomic_read(&node->writers);

	do {
		if (now < 0)
			return -ETXTBSY;
	} while (!atomic_try_cmpxchg(&node->writers, &now, now + 1));
	return 0;
}

void node_write_end(struct node *node)
{
	atomic_dec(&node->writers);
}

int node_deny_write(struct node *node)
{
	int now = atomic_read(&node->writers);

	do {
		if (now > 0)
			return -ETXTBSY;
	} while (!atomic_try_cmpxchg(&node->writers, &now, now - 1));
	return 0;
}

void node_allow_write(struct node *node)
{
	atomic_inc(&node->writers);
}

/* ---- Changes of attributes ---- */

bool node_owner_or_capable(const struct node *node, const struct cred *cred)
{
	return cred->fsuid == node->attr.uid || cred_capable(cred, CAP_FOWNER);
}

void node_setattr_copy(struct node *node, const struct attr_change *change)
{
	if (change->valid & SETATTR_MODE)
		WRITE_ONCE(node->attr.mode, (node->attr.mode & S_IFMT) | (change->mode & 07777));
	if (change->valid & SETATTR_UID)
		WRITE_ONCE(node->attr.uid, change->uid);
	if (change->valid & SETATTR_GID)
		WRITE_ONCE(node->attr.gid, change->gid);
	if (change->valid & SETATTR_ATIME)
		WRITE_ONCE(node->attr.atime_ns, change->atime_ns);
	if (change->valid & SETATTR_MTIME)
		WRITE_ONCE(node->attr.mtime_ns, change->mtime_ns);
	if (change->valid & SETATTR_CTIME)
		WRITE_ONCE(node->attr.ctime_ns, change->ctime_ns);
	if (change->valid & SETATTR_ACL)
		acl_assign(&node->acl, change->acl);
	if (change->valid & SETATTR_DEFAULT_ACL)
		acl_assign(&node->default_acl, change->acl);
}

u32 mode_without_privileges(const struct node *node, const struct cred *cred)
{
	u32 mode = node->attr.mode & ~S_ISUID;

	/* Without S_IXGRP the bit means mandatory locking, and is no privilege of who may set it. */
	if ((mode & S_IXGRP) ||
	    (!cred_in_group(cred, node->attr.gid) && !cred_capable(cred, CAP_FSETID)))
		mode &= ~S_ISGID;
	return mode;
}

/* Who changes owner or contents takes set-id bits away: only its contents those of who has CAP_FSETID. node->lock held. */
static int drop_set_id(const struct node *node, struct attr_change *change, const struct cred *cred)
{
	u32 mode;

	if (change->valid & SETATTR_OWNER
		    ? S_ISDIR(node->attr.mode)
		    : !(change->valid & SETATTR_SIZE) || !S_ISREG(node->attr.mode) ||
			      cred_capable(cred, CAP_FSETID))
		return 0;
	mode = mode_without_privileges(node, cred);
	if (mode == node->attr.mode)
		return 0;
	if ((change->valid & SETATTR_OWNER) && !node_owner_or_capable(node, cred))
		return -EPERM;
	change->mode = mode;
	change->valid |= SETATTR_MODE;
	return 0;
}

/* What chmod and chown demand of who asks. node->lock held. */
static int setattr_permitted(const struct node *node, struct attr_change *change, const struct cred *cred)
{
	const struct attr *attr = &node->attr;
	bool owner = cred->fsuid == attr->uid;

	if (change->valid & (SETATTR_MODE | SETATTR_UID | SETATTR_GID) &&
	    (node_is_immutable(node) || node_is_append_only(node)))
		return -EPERM;
	if ((change->valid & SETATTR_UID) && !(owner && change->uid == attr->uid) &&
	    !cred_capable(cred, CAP_CHOWN))
		return -EPERM;
	if ((change->valid & SETATTR_GID) &&
	    !(owner && (change->gid == attr->gid || change->gid == cred->fsgid ||
			cred_in_group(cred, change->gid))) &&
	    !cred_capable(cred, CAP_CHOWN))
		return -EPERM;
	if ((change->valid & SETATTR_MODE) && !(change->valid & (SETATTR_OWNER | SETATTR_SIZE))) {
		u32 gid = attr->gid;

		if (!node_owner_or_capable(node, cred))
			return -EPERM;
		if ((change->mode & S_ISGID) && gid != cred->fsgid && !cred_in_group(cred, gid) &&
		    !cred_capable(cred, CAP_FSETID))
			change->mode &= ~S_ISGID;
	}
	return 0;
}

int node_setattr(struct node *node, struct attr_change *change, const struct cred *cred)
{
	const struct tree_ops *ops = node->tree ? node->tree->ops : NULL;
	struct acl *acl = NULL;
	int error = mutex_lock_killable(&node->lock);

	if (error)
		return error;
	error = setattr_permitted(node, change, cred);
	if (!error)
		error = drop_set_id(node, change, cred);
	if (error)
		goto out;
	if ((change->valid & SETATTR_MODE) && unlikely(node->acl)) {
		error = -ENOMEM;
		acl = acl_with_mode(node->acl, change->mode);
		if (!acl)
			goto out;
		change->valid |= SETATTR_ACL;
		change->acl = acl;
	}
	if (!(change->valid & SETATTR_CTIME)) {
		change->ctime_ns = (s64)time_realtime_ns();
		change->valid |= SETATTR_CTIME;
		if (change->valid & SETATTR_SIZE) {
			change->mtime_ns = change->ctime_ns;
			change->valid |= SETATTR_MTIME;
		}
	}
	error = -EPERM;
	if (change->valid & SETATTR_SIZE && change->size > node_size(node) && node->cache &&
	    node->ops->read_pages)
		page_cache_extend(node->cache, node_size(node));
	if (ops && ops->setattr)
		error = serve_setattr(node, change, cred);
	if (!error && node->xattrs && change->valid & (SETATTR_OWNER | SETATTR_SIZE))
		node_drop_capabilities(node);
out:
	mutex_unlock(&node->lock);
	acl_put(acl);
	return error;
}
EXPORT_SYMBOL(node_touch);
EXPORT_SYMBOL(node_attr_changed);
EXPORT_SYMBOL(node_blocks);
EXPORT_SYMBOL(node_getattr);
EXPORT_SYMBOL(node_setattr);
EXPORT_SYMBOL(node_setattr_copy);
EXPORT_SYMBOL(node_write_begin);
EXPORT_SYMBOL(node_write_end);
EXPORT_SYMBOL(node_deny_write);
EXPORT_SYMBOL(node_allow_write);
EXPORT_SYMBOL(node_owner_or_capable);
EXPORT_SYMBOL(node_readlink);
