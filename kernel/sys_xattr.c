/*
 * System calls of extended attributes: by name, by name without following a last link, and by descriptor. The order in
 * which arguments are looked at is Linux's.
 */
#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/user_path.h>
#include <kumo/xattr.h>
#include <linux/xattr.h>

/* A descriptor's path; -EBADF for O_PATH ones, too. Files without a name (pipes, sockets) have one for the purpose. */
static int fd_path(unsigned int fd, struct path *path)
{
	struct fd_ref ref = fd_borrow(fd);
	int error;

	if (!ref.file)
		return -EBADF;
	error = file_path(ref.file, path);
	fd_release(ref);
	return error;
}

/* The attribute's name: -ERANGE when it is empty or too long. */
static int name_get(char *name, const char __user *from)
{
	ssize_t length = strncpy_from_user(name, from, XATTR_NAME_MAX + 1);

	if (length < 0)
		return (int)length;
	return length == 0 || length > XATTR_NAME_MAX ? -ERANGE : 0;
}

/* ---- On a path, whose references it takes over ---- */

static long set(struct path *path, const char __user *user_name, const void __user *user_value,
		size_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *value = NULL;
	int error = -EINVAL;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		goto out;
	error = name_get(name, user_name);
	if (error)
		goto out;
	error = -E2BIG;
	if (size > XATTR_SIZE_MAX)
		goto out;
	error = -ENOMEM;
	value = kvmalloc(size ? size : 1, GFP_USER);
	if (!value)
		goto out;
	error = copy_from_user(value, user_value, size) ? -EFAULT : 0;
	if (!error)
		error = path_xattr_set(path, name, value, size, flags, current->cred);
out:
	kvfree(value);
	path_put(path);
	return error;
}

/* One attribute's value, or the names of all. `user_name`: of the one. */
static long get_one_or_all(struct path *path, bool all, const char __user *user_name,
			   void __user *user_value, size_t size)
{
	/* As much as there can be: what is asked for beyond is not touched. */
	size_t limit = all ? XATTR_LIST_MAX : XATTR_SIZE_MAX, room = min(size, limit);
	char name[XATTR_NAME_MAX + 1];
	void *value = NULL;
	long result = all ? 0 : name_get(name, user_name);

	if (result)
		goto out;
	result = -ENOMEM;
	value = room ? kvmalloc(room, GFP_USER | GFP_ZERO) : NULL;
	if (room && !value)
		goto out;
	result = all ? path_xattr_list(path, value, room, current->cred)
		     : path_xattr_get(path, name, value, room, current->cred);
	if (result > 0 && room && copy_to_user(user_value, value, (size_t)result))
		result = -EFAULT;
	if (result == -ERANGE && room == limit)
		result = -E2BIG;
out:
	kvfree(value);
	path_put(path);
	return result;
}

static long get(struct path *path, const char __user *name, void __user *value, size_t size)
{
	return get_one_or_all(path, false, name, value, size);
}

static long list_names(struct path *path, char __user *list, size_t size)
{
	return get_one_or_all(path, true, NULL, list, size);
}

static long remove(struct path *path, const char __user *user_name)
{
	char name[XATTR_NAME_MAX + 1];
	int error = name_get(name, user_name);

	if (!error)
		error = path_xattr_set(path, name, NULL, 0, XATTR_REPLACE, current->cred);
	path_put(path);
	return error;
}

/* ---- set ---- */

long sys_setxattr(const char __user *file, const char __user *name, const void __user *value,
		  size_t size, int flags)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, WALK_FOLLOW, &path);

	return error ? error : set(&path, name, value, size, flags);
}

long sys_lsetxattr(const char __user *file, const char __user *name, const void __user *value,
		   size_t size, int flags)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, 0, &path);

	return error ? error : set(&path, name, value, size, flags);
}

long sys_fsetxattr(unsigned int fd, const char __user *name, const void __user *value, size_t size,
		   int flags)
{
	struct path path;
	int error = fd_path(fd, &path);

	return error ? error : set(&path, name, value, size, flags);
}

/* ---- get ---- */

long sys_getxattr(const char __user *file, const char __user *name, void __user *value, size_t size)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, WALK_FOLLOW, &path);

	return error ? error : get(&path, name, value, size);
}

long sys_lgetxattr(const char __user *file, const char __user *name, void __user *value, size_t size)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, 0, &path);

	return error ? error : get(&path, name, value, size);
}

long sys_fgetxattr(unsigned int fd, const char __user *name, void __user *value, size_t size)
{
	struct path path;
	int error = fd_path(fd, &path);

	return error ? error : get(&path, name, value, size);
}

/* ---- list ---- */

long sys_listxattr(const char __user *file, char __user *list, size_t size)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, WALK_FOLLOW, &path);

	return error ? error : list_names(&path, list, size);
}

long sys_llistxattr(const char __user *file, char __user *list, size_t size)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, 0, &path);

	return error ? error : list_names(&path, list, size);
}

long sys_flistxattr(unsigned int fd, char __user *list, size_t size)
{
	struct path path;
	int error = fd_path(fd, &path);

	return error ? error : list_names(&path, list, size);
}

/* ---- remove ---- */

long sys_removexattr(const char __user *file, const char __user *name)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, WALK_FOLLOW, &path);

	return error ? error : remove(&path, name);
}

long sys_lremovexattr(const char __user *file, const char __user *name)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, file, 0, &path);

	return error ? error : remove(&path, name);
}

long sys_fremovexattr(unsigned int fd, const char __user *name)
{
	struct path path;
	int error = fd_path(fd, &path);

	return error ? error : remove(&path, name);
}
