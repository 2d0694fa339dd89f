/*
 * Who may do what to a node: mode bits, capabilities, and Linux's rules for directories. Credentials are always an
 * argument.
 */
#include <kumo/export.h>
#include <kumo/xattr.h>
#include <linux/capability.h>

#include "internal.h"

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
	if (unlikely(node->ops && node->ops->permission))
		return node->ops->permission(node, mask, cred);
	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (mode_permits(node, (u32)mask, cred) || capability_permits(node, (u32)mask, cred))
		return 0;
	return -EACCES;
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
	if (change.mode != mode && node->tree->ops->setattr)
		/* A tree that will not drop them refuses the write itself, if it must; Linux goes on as well. */
		(void)node->tree->ops->setattr(node, &change, file->cred);
}
EXPORT_SYMBOL(node_permission);
