/*
 * The newer system calls on mounts that stand somewhere, or nowhere yet: open_tree(2), move_mount(2), mount_setattr(2). What they do
 * is what mount(2) does (fs/mount_change.c); mounts that stand nowhere are fs/mount_loose.c's.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/mount.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/user_path.h>
#include <linux/mount.h>

#include "mount_calls.h"

long sys_open_tree(int fd, const char __user *name, unsigned int flags)
{
	bool clone = flags & OPEN_TREE_CLONE, recursive = flags & AT_RECURSIVE;
	struct path path;
	struct file *file;
	int error;

	if ((flags & ~(AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW |
		       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) ||
	    (recursive && !clone))
		return -EINVAL;
	if (clone && !may_mount())
		return -EPERM;
	error = user_path_walk_at(fd, name, flags, &path);
	if (error)
		return error;
	file = clone ? mount_open_copy(&path, recursive) : file_open(&path, O_PATH, current->cred);
	path_put(&path);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & OPEN_TREE_CLOEXEC);
}

long sys_move_mount(int from_fd, const char __user *from_name, int to_fd,
		    const char __user *to_name, unsigned int flags)
{
	struct path from, to;
	int error;

	if (!may_mount())
		return -EPERM;
	if (flags & ~(unsigned int)(MOVE_MOUNT__MASK & ~MOVE_MOUNT_SET_GROUP))
		return -EINVAL;
	error = user_path_walk(from_fd, from_name,
			       (flags & MOVE_MOUNT_F_SYMLINKS ? WALK_FOLLOW : 0U) |
				       (flags & MOVE_MOUNT_F_EMPTY_PATH ? WALK_EMPTY_PATH : 0U),
			       &from);
	if (error)
		return error;
	error = user_path_walk(to_fd, to_name,
			       (flags & MOVE_MOUNT_T_SYMLINKS ? WALK_FOLLOW : 0U) |
				       (flags & MOVE_MOUNT_T_EMPTY_PATH ? WALK_EMPTY_PATH : 0U),
			       &to);
	if (!error) {
		error = mount_move(&from, &to);
		path_put(&to);
	}
	path_put(&from);
	return error;
}

/* ---- mount_setattr ---- */

#define ATTR_KNOWN                                                                                 \
	((u64)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |      \
	       MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW))
#define PROPAGATION ((u64)(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))

unsigned long mount_flags_of_attributes(u64 attributes)
{
	static const struct {
		u64 attribute;
		unsigned long flag;
	} each[] = {
		{ MOUNT_ATTR_RDONLY, MS_RDONLY },
		{ MOUNT_ATTR_NOSUID, MS_NOSUID },
		{ MOUNT_ATTR_NODEV, MS_NODEV },
		{ MOUNT_ATTR_NOEXEC, MS_NOEXEC },
		{ MOUNT_ATTR_NODIRATIME, MS_NODIRATIME },
		{ MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW },
	};
	unsigned long flags = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(each); i++)
		if (attributes & each[i].attribute)
			flags |= each[i].flag;
	return flags;
}

int mount_flags_of_atime(u64 attributes, unsigned long *flags)
{
	switch (attributes & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME:
		*flags = MS_RELATIME;
		return 0;
	case MOUNT_ATTR_NOATIME:
		*flags = MS_NOATIME;
		return 0;
	case MOUNT_ATTR_STRICTATIME:
		*flags = 0;
		return 0;
	}
	return -EINVAL;
}

/* What the caller asks for. Times of reading are one choice: it is cleared as a whole, and made. */
static int change_of(const struct mount_attr *attr, struct mount_change *change)
{
	u64 both = attr->attr_set | attr->attr_clr;
	unsigned long atime = 0;

	if (attr->propagation & ~PROPAGATION || attr->propagation & (attr->propagation - 1) ||
	    both & ~ATTR_KNOWN)
		return -EINVAL;
	change->propagation = attr->propagation;
	change->set = mount_flags_of_attributes(attr->attr_set);
	change->clear = mount_flags_of_attributes(attr->attr_clr);
	if (!(both & MOUNT_ATTR__ATIME))
		return 0;
	if ((attr->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME ||
	    mount_flags_of_atime(attr->attr_set, &atime))
		return -EINVAL;
	change->clear |= MS_RELATIME | MS_NOATIME;
	change->set |= atime;
	return 0;
}

/* The structure may be longer than what is known here, if the rest is zero. */
static int attr_get(struct mount_attr *attr, const char __user *from, size_t size)
{
	char rest[64];

	memset(attr, 0, sizeof(*attr));
	for (size_t at = sizeof(*attr); at < size; at += sizeof(rest)) {
		size_t part = min(size - at, sizeof(rest));

		if (copy_from_user(rest, from + at, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (rest[i])
				return -E2BIG;
	}
	return copy_from_user(attr, from, min(size, sizeof(*attr))) ? -EFAULT : 0;
}

long sys_mount_setattr(int fd, const char __user *name, unsigned int flags,
		       const struct mount_attr __user *from, size_t size)
{
	struct mount_change change = {};
	struct mount_attr attr;
	struct path path;
	int error;

	if (flags & ~(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!may_mount())
		return -EPERM;
	error = attr_get(&attr, (const char __user *)from, size);
	if (error)
		return error;
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	error = change_of(&attr, &change);
	if (error)
		return error;
	error = user_path_walk_at(fd, name, flags, &path);
	if (error)
		return error;
	error = mount_change_attributes(&path, &change, flags & AT_RECURSIVE);
	path_put(&path);
	return error;
}
