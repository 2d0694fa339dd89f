/*
 * Who may do what to a node: mode bits, capabilities, and Linux's rules for directories. Credentials are always an
 * argument.
 */
#include <kumo/acl.h>
#include <kumo/export.h>
#include <kumo/notify.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/xattr.h>
#include <linux/capability.h>

#include "internal.h"

/* The entry that `cred` goes by; *masked: and only as far as the mask goes. NULL: those that are meant by name, or by a group, are
 * not granted `mask`. The owner goes by the mode. */
static const struct posix_acl_xattr_entry *acl_find(const struct acl *acl, const struct node *node,
						    u32 mask, const struct cred *cred, bool *masked)
{
	bool in_a_group = false;

	*masked = true;
	for (u32 i = 0; i < acl->count; i++) {
		const struct posix_acl_xattr_entry *entry = &acl->entries[i];

		switch (entry->e_tag) {
		case ACL_USER:
			if (entry->e_id == cred->fsuid)
				return entry;
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!cred_in_group(cred, entry->e_tag == ACL_GROUP ? entry->e_id
									   : node->attr.gid))
				break;
			in_a_group = true;
			if (!(mask & ~(u32)entry->e_perm))
				return entry;
			break;
		case ACL_OTHER:
			*masked = false;
			return in_a_group ? NULL : entry;
		default:
			break;
		}
	}
	return NULL;
}

bool acl_permits(const struct node *node, u32 mask, const struct cred *cred)
{
	const struct posix_acl_xattr_entry *entry;
	const struct acl *acl;
	u32 granted = 0;
	bool masked;

	rcu_read_lock();
	acl = READ_ONCE(node->acl);
	entry = acl ? acl_find(acl, node, mask, cred, &masked) : NULL;
	if (entry)
		granted = entry->e_perm;
	for (u32 i = 0; entry && masked && i < acl->count; i++)
		if (acl->entries[i].e_tag == ACL_MASK)
			granted &= acl->entries[i].e_perm;
	rcu_read_unlock();
	return !(mask & ~granted);
}

/* What mode bits deny, capabilities may allow. */
static bool capability_permits(const struct node *node, u32 mask, const struct cred *cred)
{
	u32 mode = node->attr.mode;

	if (S_ISDIR(mode)) {
		if (!(mask & MAY_WRITE) && cred_capable(cred, CAP_DAC_READ_SEARCH))
			return true;
		return cred_capable(cred, CAP_DAC_OVERRIDE);
	}
	if (mask == MAY_READ && cred_capable(cred, CAP_DAC_READ_SEARCH))
		return true;
	/* Nobody executes what nobody may. */
	return (!(mask & MAY_EXEC) || (mode & 0111)) && cred_capable(cred, CAP_DAC_OVERRIDE);
}

int node_permission(struct node *node, int mask, const struct cred *cred)
{
	if ((mask & MAY_WRITE) && node->tree && (node->tree->flags & TREE_READ_ONLY) &&
	    (S_ISREG(node->attr.mode) || S_ISDIR(node->attr.mode) || S_ISLNK(node->attr.mode)))
		return -EROFS;
	if ((mask & MAY_WRITE) && node_is_immutable(node))
		return -EPERM;
	if (unlikely(node->ops && node->ops->permission))
		return serve_permission(node, mask, cred);
	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (mode_permits(node, (u32)mask, cred) || capability_permits(node, (u32)mask, cred))
		return 0;
	return node->ops && node->ops->permits && serve_permits(node, mask) ? 0 : -EACCES;
}

int may_create_in(struct node *dir, const struct cred *cred)
{
	if (dir->flags & NODE_DEAD)
		return -ENOENT;
	return node_permission(dir, MAY_WRITE | MAY_EXEC, cred);
}

int protected_symlinks = 1, protected_hardlinks = 1;

int may_follow(const struct node *dir, const struct node *link, const struct cred *cred)
{
	const u32 shared = S_ISVTX | S_IWOTH;

	if (!READ_ONCE(protected_symlinks) || (dir->attr.mode & shared) != shared ||
	    link->attr.uid == cred->fsuid || link->attr.uid == dir->attr.uid)
		return 0;
	return -EACCES;
}

int may_link(struct node *node, const struct cred *cred)
{
	const u32 set_group = S_ISGID | S_IXGRP;
	u32 mode = node->attr.mode;

	if (!READ_ONCE(protected_hardlinks) || node_owner_or_capable(node, cred))
		return 0;
	if (S_ISREG(mode) && !(mode & S_ISUID) && (mode & set_group) != set_group &&
	    !node_permission(node, MAY_READ | MAY_WRITE, cred))
		return 0;
	return -EPERM;
}

int may_delete(struct node *dir, struct node *victim, bool directory, const struct cred *cred)
{
	int error = node_permission(dir, MAY_WRITE | MAY_EXEC, cred);

	if (error)
		return error;
	if (node_is_append_only(dir) || node_is_append_only(victim) || node_is_immutable(victim))
		return -EPERM;
	if ((dir->attr.mode & S_ISVTX) && cred->fsuid != victim->attr.uid &&
	    cred->fsuid != dir->attr.uid && !cred_capable(cred, CAP_FOWNER))
		return -EPERM;
	if (directory && !S_ISDIR(victim->attr.mode))
		return -ENOTDIR;
	if (!directory && S_ISDIR(victim->attr.mode))
		return -EISDIR;
	if (dir->flags & NODE_DEAD)
		return -ENOENT;
	return 0;
}

void file_remove_privileges(struct file *file)
{
	struct node *node = file->node;
	u32 mode = node->attr.mode;
	struct attr_change change = { .valid = SETATTR_MODE };

	if (unlikely(node->xattrs))
		node_drop_capabilities(node);
	if (likely(!(mode & (S_ISUID | S_ISGID))) || capable(CAP_FSETID))
		return;
	change.mode = mode_without_privileges(node, current->cred);
	/* A tree that will not drop them refuses the write itself, if it must; Linux goes on as well. */
	if (change.mode != mode && node->tree->ops->setattr && !serve_setattr(node, &change, file->cred))
		notify_file(file, IN_ATTRIB);
}
EXPORT_SYMBOL(node_permission);
