/*
 * System calls on names: making, removing and renaming; working directory and root. Also how names come from user
 * memory (user_path.h).
 */
#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/namespace.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/user_path.h>
#include <linux/capability.h>
#include <linux/fs.h>

#define PATH_MAX_BYTES 4096

/* ---- Names from user memory ---- */

int user_path_get_long(struct user_path *path, const char __user *from)
{
	char *text = kmalloc(PATH_MAX_BYTES, GFP_KERNEL);
	ssize_t length;

	if (!text)
		return -ENOMEM;
	length = strncpy_from_user(text, from, PATH_MAX_BYTES);
	if (length < 0 || length == PATH_MAX_BYTES) {
		kfree(text);
		return length < 0 ? (int)length : -ENAMETOOLONG;
	}
	path->text = text;
	return 0;
}

int user_start_fd(struct user_start *start, int fd, const char *name, unsigned int walk)
{
	struct fd_ref ref;
	int error = 0;

	if (!*name && !(walk & WALK_EMPTY_PATH))
		return -ENOENT;
	ref = fd_borrow_path((unsigned int)fd);
	if (!ref.file)
		return -EBADF;
	start->start = &ref.file->path;
	if (*name && !S_ISDIR(ref.file->node->attr.mode)) {
		error = -ENOTDIR;
	} else if (!ref.file->path.entry) {
		error = file_path(ref.file, &start->loose);
		start->start = &start->loose;
	}
	if (error)
		fd_release(ref);
	else
		start->ref = ref;
	return error;
}

int user_path_walk(int fd, const char __user *name, unsigned int flags, struct path *path)
{
	struct user_path text;
	struct user_start start;
	int error = user_path_get(&text, name);

	if (error)
		return error;
	error = user_start_get(&start, fd, text.text, flags);
	if (!error) {
		error = path_walk(start.start, text.text, flags, current->cred, path);
		user_start_put(&start);
	}
	user_path_put(&text);
	return error;
}

/* The directory of the last element. The text stays until user_parent_put(), since `last` points into it. */
struct user_parent {
	struct user_path text;
	struct path path;
	struct name last;
};

static int user_parent_get(struct user_parent *parent, int fd, const char __user *name)
{
	struct user_start start;
	int error = user_path_get(&parent->text, name);

	if (error)
		return error;
	error = user_start_get(&start, fd, parent->text.text, 0);
	if (!error) {
		error = path_walk_parent(start.start, parent->text.text, 0, current->cred,
					 &parent->path, &parent->last);
		user_start_put(&start);
	}
	if (error)
		user_path_put(&parent->text);
	return error;
}

static void user_parent_put(struct user_parent *parent)
{
	path_put(&parent->path);
	user_path_put(&parent->text);
}

/* ---- Making ---- */

static int make(int fd, const char __user *name, const struct node_new *what)
{
	struct user_parent parent;
	int error = user_parent_get(&parent, fd, name);

	if (error)
		return error;
	error = path_create(&parent.path, &parent.last, what, current->cred, NULL);
	user_parent_put(&parent);
	return error;
}

long sys_mkdirat(int fd, const char __user *name, u32 mode)
{
	struct node_new what = { .mode = S_IFDIR | (mode & 01777), .umask = fs_umask() };

	return make(fd, name, &what);
}

long sys_mkdir(const char __user *name, u32 mode)
{
	return sys_mkdirat(AT_FDCWD, name, mode);
}

long sys_mknodat(int fd, const char __user *name, u32 mode, unsigned int device)
{
	struct node_new what = { .mode = mode & (S_IFMT | 07777), .umask = fs_umask() };

	switch (mode & S_IFMT) {
	case 0:
		what.mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		what.rdev = device; /* encoded as st_rdev is */
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return make(fd, name, &what);
}

long sys_mknod(const char __user *name, u32 mode, unsigned int device)
{
	return sys_mknodat(AT_FDCWD, name, mode, device);
}

long sys_symlinkat(const char __user *target, int fd, const char __user *name)
{
	struct node_new what = { .mode = S_IFLNK | 0777 };
	struct user_path text;
	int error = user_path_get(&text, target);

	if (error)
		return error;
	what.target = text.text;
	error = *text.text ? make(fd, name, &what) : -ENOENT;
	user_path_put(&text);
	return error;
}

long sys_symlink(const char __user *target, const char __user *name)
{
	return sys_symlinkat(target, AT_FDCWD, name);
}

long sys_linkat(int old_fd, const char __user *old_name, int new_fd, const char __user *new_name,
		int flags)
{
	unsigned int walk = flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0;
	struct user_parent parent;
	struct path old;
	int error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH) {
		if (!capable(CAP_DAC_READ_SEARCH))
			return -ENOENT;
		walk |= WALK_EMPTY_PATH;
	}
	error = user_path_walk(old_fd, old_name, walk, &old);
	if (error)
		return error;
	error = user_parent_get(&parent, new_fd, new_name);
	if (!error) {
		error = path_link(&parent.path, &parent.last, &old, current->cred);
		user_parent_put(&parent);
	}
	path_put(&old);
	return error;
}

long sys_link(const char __user *old_name, const char __user *new_name)
{
	return sys_linkat(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

/* ---- Removing and renaming ---- */

long sys_unlinkat(int fd, const char __user *name, int flags)
{
	struct user_parent parent;
	int error;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	error = user_parent_get(&parent, fd, name);
	if (error)
		return error;
	error = path_unlink(&parent.path, &parent.last, flags & AT_REMOVEDIR, current->cred);
	user_parent_put(&parent);
	return error;
}

long sys_unlink(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, 0);
}

long sys_rmdir(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

long sys_renameat2(int old_fd, const char __user *old_name, int new_fd, const char __user *new_name,
		   unsigned int flags)
{
	struct user_parent old, new;
	int error;

	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && (flags & RENAME_EXCHANGE))
		return -EINVAL;
	error = user_parent_get(&old, old_fd, old_name);
	if (error)
		return error;
	error = user_parent_get(&new, new_fd, new_name);
	if (!error) {
		error = path_rename(&old.path, &old.last, &new.path, &new.last, flags, current->cred);
		user_parent_put(&new);
	}
	user_parent_put(&old);
	return error;
}

long sys_renameat(int old_fd, const char __user *old_name, int new_fd, const char __user *new_name)
{
	return sys_renameat2(old_fd, old_name, new_fd, new_name, 0);
}

long sys_rename(const char __user *old_name, const char __user *new_name)
{
	return sys_renameat2(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

/* ---- Working directory and root ---- */

static int enter(const struct path *path, bool as_root)
{
	int error = node_permission(path_node(path), MAY_EXEC, current->cred);

	if (error)
		return error;
	if (!as_root)
		fs_set_working(current->fs, path);
	else if (!capable(CAP_SYS_CHROOT))
		return -EPERM;
	else
		fs_set_root(current->fs, path);
	return 0;
}

static int enter_name(const char __user *name, bool as_root)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, &path);

	if (error)
		return error;
	error = enter(&path, as_root);
	path_put(&path);
	return error;
}

long sys_chdir(const char __user *name)
{
	return enter_name(name, false);
}

long sys_chroot(const char __user *name)
{
	return enter_name(name, true);
}

long sys_fchdir(unsigned int fd)
{
	struct fd_ref ref = fd_borrow_path(fd);
	int error;

	if (!ref.file)
		return -EBADF;
	error = -ENOTDIR;
	if (ref.file->path.entry && S_ISDIR(ref.file->node->attr.mode))
		error = enter(&ref.file->path, false);
	fd_release(ref);
	return error;
}

long sys_getcwd(char __user *to, unsigned long size)
{
	char *buffer = kmalloc(PATH_MAX_BYTES, GFP_KERNEL), *name;
	struct path working;
	long result;
	size_t length;

	if (!buffer)
		return -ENOMEM;
	fs_working(&working);
	name = path_name(&working, NULL, buffer, PATH_MAX_BYTES, false);
	path_put(&working);
	if (IS_ERR(name)) {
		result = PTR_ERR(name);
	} else {
		length = strlen(name) + 1;
		result = length > size			  ? -ERANGE
			 : copy_to_user(to, name, length) ? -EFAULT
							  : (long)length;
	}
	kfree(buffer);
	return result;
}

long sys_umask(int mask)
{
	return (long)__atomic_exchange_n(&current->fs->umask, (u32)mask & 0777, __ATOMIC_RELAXED);
}
