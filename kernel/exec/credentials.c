/*
 * The credentials that a program runs with: set-id bits, file capabilities, and what they make of the five sets of the
 * caller. capabilities(7), "Transformation of capabilities during execve()"; the letters in comments are that page's: P the
 * thread's sets before, P' after, F the file's.
 */
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/string.h>
#include <kumo/xattr.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <linux/xattr.h>

#include "../process.h"
#include "exec.h"

/* Of the attribute security.capability. */
struct file_capabilities {
	bool present;	/* the file has some, if only empty ones */
	bool effective; /* F(effective), which is one bit */
	u64 permitted, inheritable;
};

/* Another process has the same working directory and root, and could change them under the new program. */
static bool shares_fs_context(void)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct thread *thread;
	int own = 0;

	list_for_each(thread, &process->threads, process_link)
		own += thread->fs == current->fs;
	spin_unlock_irqrestore(&process->lock, flags);
	return (int)refcount_read(&current->fs->refs) > own;
}

/* What the attribute's bytes say. Capabilities of another user namespace's root do not count here. */
static int parse(const struct vfs_ns_cap_data *data, size_t size, struct file_capabilities *file)
{
	u32 magic = data->magic_etc;
	unsigned int words = 2;

	if (size < sizeof(magic))
		return -EINVAL;
	switch (magic & VFS_CAP_REVISION_MASK) {
	case VFS_CAP_REVISION_1:
		if (size != XATTR_CAPS_SZ_1)
			return -EINVAL;
		words = 1;
		break;
	case VFS_CAP_REVISION_2:
		if (size != XATTR_CAPS_SZ_2)
			return -EINVAL;
		break;
	case VFS_CAP_REVISION_3:
		if (size != XATTR_CAPS_SZ_3)
			return -EINVAL;
		if (data->rootid)
			return 0;
		break;
	default:
		return -EINVAL;
	}
	file->present = true;
	file->effective = magic & VFS_CAP_FLAGS_EFFECTIVE;
	for (unsigned int i = 0; i < words; i++) {
		file->permitted |= (u64)data->data[i].permitted << 32 * i;
		file->inheritable |= (u64)data->data[i].inheritable << 32 * i;
	}
	file->permitted &= CAP_FULL_SET;
	file->inheritable &= CAP_FULL_SET;
	return 0;
}

static int file_capabilities_get(const struct path *path, struct file_capabilities *file)
{
	struct vfs_ns_cap_data data = {};
	ssize_t size = path_xattr_get(path, XATTR_NAME_CAPS, &data, sizeof(data), &root_cred);

	if (size == -ENODATA || size == -EOPNOTSUPP)
		return 0;
	return size < 0 ? (int)size : parse(&data, (size_t)size, file);
}

static void take_file_ids(const struct attr *attr, struct cred *cred)
{
	if (attr->mode & S_ISUID)
		cred->euid = attr->uid;
	if ((attr->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		cred->egid = attr->gid;
}

/* P'(permitted) but for the ambient set, from the file's capabilities and the powers of user 0. -EPERM: a file that counts on
 * capabilities which the bounding set denies. */
static int take_file_capabilities(const struct file_capabilities *file, struct cred *cred, bool *effective)
{
	bool is_root = cred->uid == 0 || cred->euid == 0;

	*effective = file->effective;
	cred->cap_permitted = (file->permitted & cred->cap_bounding) |
			      (file->inheritable & cred->cap_inheritable);
	if (file->effective && file->permitted & ~cred->cap_permitted)
		return -EPERM;
	/* A set-user-id program of user 0 that has capabilities gets those alone. */
	if (cred->securebits & (1 << SECURE_NOROOT) || !is_root ||
	    (file->present && cred->uid != 0 && cred->euid == 0))
		return 0;
	cred->cap_permitted = cred->cap_bounding | cred->cap_inheritable;
	*effective |= cred->euid == 0;
	return 0;
}

int exec_credentials(struct exec *exec)
{
	const struct path *path = &exec->file->path;
	const struct cred *old = current->cred;
	struct file_capabilities file = {};
	struct cred *cred = exec->cred;
	bool set_id, effective;
	int error;

	if (!(path->mount->flags & MS_NOSUID)) {
		if (!cred->no_new_privs)
			take_file_ids(&exec->file->node->attr, cred);
		error = file_capabilities_get(path, &file);
		if (error)
			return error;
	}
	error = take_file_capabilities(&file, cred, &effective);
	if (error)
		return error;
	set_id = cred->euid != old->uid || cred->egid != old->gid;
	/* Who has promised not to gain anything, or could be tricked by another process, gains nothing. */
	if ((set_id || cred->cap_permitted & ~old->cap_permitted) &&
	    (cred->no_new_privs || shares_fs_context())) {
		if (cred->no_new_privs || !cred_capable(old, CAP_SETUID)) {
			cred->euid = cred->uid;
			cred->egid = cred->gid;
		}
		cred->cap_permitted &= old->cap_permitted;
	}
	cred->suid = cred->fsuid = cred->euid;
	cred->sgid = cred->fsgid = cred->egid;
	if (file.present || set_id)
		cred->cap_ambient = 0;
	cred->cap_permitted |= cred->cap_ambient;
	cred->cap_effective = effective ? cred->cap_permitted : cred->cap_ambient;
	cred->securebits &= ~(1U << SECURE_KEEP_CAPS);
	exec->secure = set_id ||
		       (cred->uid != 0 && (effective || cred->cap_permitted & ~cred->cap_ambient));
	return 0;
}
