/* System calls on mounts: mount(2), umount2(2). */
#include <kumo/err.h>
#include <kumo/namespace.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/user_path.h>
#include <linux/capability.h>
#include <linux/mount.h>

/* umount2(2); the uapi headers leave these to libc. */
#define UMOUNT_FLAGS (1 /* MNT_FORCE */ | 2 /* MNT_DETACH */ | 4 /* MNT_EXPIRE */ | UMOUNT_NOFOLLOW)
#define UMOUNT_NOFOLLOW 8

/* A page of text at most: type, source or options. NULL stays NULL. ERR_PTR. */
static char *text_get(const char __user *from, size_t limit)
{
	char *text;
	ssize_t length;

	if (!from)
		return NULL;
	text = kmalloc(limit, GFP_KERNEL);
	if (!text)
		return ERR_PTR(-ENOMEM);
	length = strncpy_from_user(text, from, limit);
	if (length < 0 || (size_t)length == limit) {
		kfree(text);
		return ERR_PTR(length < 0 ? length : -EINVAL);
	}
	return text;
}

static int mount_new(const char __user *source_name, const struct path *over,
		     const char __user *type_name, unsigned long flags, const char *options)
{
	char *type_text = text_get(type_name, PAGE_SIZE), *source = NULL;
	struct tree_type *type;
	struct tree *tree;
	int error;

	if (IS_ERR_OR_NULL(type_text))
		return type_text ? (int)PTR_ERR(type_text) : -EINVAL;
	source = text_get(source_name, PAGE_SIZE);
	error = (int)PTR_ERR(source);
	if (IS_ERR(source)) {
		source = NULL;
		goto out;
	}
	type = tree_type_get(type_text);
	error = (int)PTR_ERR(type);
	if (IS_ERR(type))
		goto out;
	tree = tree_attach(type, source ? source : "none", options, current->cred);
	tree_type_put(type);
	error = (int)PTR_ERR(tree);
	if (IS_ERR(tree))
		goto out;
	error = mount_attach(tree, over, flags);
	tree_put(tree);
out:
	kfree(source);
	kfree(type_text);
	return error;
}

static int mount_from(const char __user *source, const struct path *over, unsigned long flags)
{
	struct path from;
	int error;

	if (!source)
		return -EINVAL;
	error = user_path_walk(AT_FDCWD, source, WALK_FOLLOW, &from);
	if (error)
		return error;
	if (flags & MS_MOVE)
		error = mount_move(&from, over);
	else
		error = mount_bind(&from, over, flags & MS_REC);
	path_put(&from);
	return error;
}

long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned long flags, const void __user *data)
{
	const unsigned long propagation = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
	char *options;
	struct path over;
	int error;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(unsigned long)MS_MGC_MSK;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	options = text_get(data, PAGE_SIZE);
	if (IS_ERR(options))
		return PTR_ERR(options);
	error = user_path_walk(AT_FDCWD, target, WALK_FOLLOW, &over);
	if (error)
		goto out;
	if (flags & MS_REMOUNT) {
		struct tree *tree = path_tree(&over);

		error = mount_remount(&over, flags, flags & MS_BIND);
		if (!error && !(flags & MS_BIND) && tree->ops->remount)
			error = tree->ops->remount(tree, options);
	} else if (flags & (MS_BIND | MS_MOVE)) {
		error = mount_from(source, &over, flags);
	} else if (flags & propagation) {
		/* No mount is shared with another namespace: private, slave and unbindable are what they are. */
		error = flags & MS_SHARED ? -EINVAL : 0;
	} else {
		error = mount_new(source, &over, type, flags, options);
	}
	path_put(&over);
out:
	kfree(options);
	return error;
}

long sys_umount2(const char __user *target, int flags)
{
	struct path path;
	int error;

	if (flags & ~UMOUNT_FLAGS)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	error = user_path_walk(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &path);
	if (error)
		return error;
	error = mount_detach(&path, flags);
	path_put(&path);
	return error;
}
