/* System calls that tell about files: stat and its kin, statfs, access, readlink. */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/namespace.h>
#include <kumo/serve.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/user_path.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/mount.h>

#define ACCESS_MODES                                                                               \
	(MAY_READ | MAY_WRITE | MAY_EXEC) /* R_OK, W_OK and X_OK have the same values */

/* Of a time that may lie before 1970; the nanoseconds count forward all the same. */
static s64 seconds_of(s64 ns)
{
	return ns >= 0 ? ns / (s64)NSEC_PER_SEC : -((-ns + (s64)NSEC_PER_SEC - 1) / (s64)NSEC_PER_SEC);
}

static u32 nanoseconds_of(s64 ns)
{
	return (u32)(ns - seconds_of(ns) * (s64)NSEC_PER_SEC);
}

static int put_stat(struct stat __user *to, const struct attr *attr, u64 device)
{
	struct stat stat = {
		.st_dev = device,
		.st_ino = attr->id,
		.st_nlink = attr->nlink,
		.st_mode = attr->mode,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_rdev = attr->rdev,
		.st_size = (long)attr->size,
		.st_blksize = attr->block_size,
		.st_blocks = (long)attr->blocks,
		.st_atime = (u64)seconds_of(attr->atime_ns),
		.st_atime_nsec = nanoseconds_of(attr->atime_ns),
		.st_mtime = (u64)seconds_of(attr->mtime_ns),
		.st_mtime_nsec = nanoseconds_of(attr->mtime_ns),
		.st_ctime = (u64)seconds_of(attr->ctime_ns),
		.st_ctime_nsec = nanoseconds_of(attr->ctime_ns),
	};

	return copy_to_user(to, &stat, sizeof(stat)) ? -EFAULT : 0;
}

static int file_attributes(unsigned int fd, struct attr *attr, u64 *device)
{
	struct fd_ref ref = fd_borrow_path(fd);
	struct node *node;
	int error;

	if (!ref.file)
		return -EBADF;
	node = ref.file->node;
	error = node_getattr(node, current->cred);
	*attr = node->attr;
	attr->blocks = node_blocks(node);
	*device = node->tree->device;
	fd_release(ref);
	return error;
}

/* The attributes of (fd, name). flags: AT_*. */
static int attributes_at(int fd, const char __user *name, int flags, struct attr *attr, u64 *device)
{
	unsigned int walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	struct user_path path;
	struct user_start start;
	int error;

	error = user_path_get(&path, name);
	if (error)
		return error;
	if (!*path.text && (flags & AT_EMPTY_PATH)) {
		user_path_put(&path);
		if (fd != AT_FDCWD)
			return file_attributes((unsigned int)fd, attr, device);
		return path_attributes(NULL, ".", 0, current->cred, attr, device);
	}
	error = user_start_get(&start, fd, path.text, walk);
	if (!error) {
		error = path_attributes(start.start, path.text, walk, current->cred, attr, device);
		user_start_put(&start);
	}
	user_path_put(&path);
	return error;
}

long sys_newfstatat(int fd, const char __user *name, struct stat __user *to, int flags)
{
	struct attr attr;
	u64 device;
	int error;

	if (unlikely(flags &
		     ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)))
		return -EINVAL;
	error = attributes_at(fd, name, flags, &attr, &device);
	return error ? error : put_stat(to, &attr, device);
}

long sys_stat(const char __user *name, struct stat __user *to)
{
	return sys_newfstatat(AT_FDCWD, name, to, 0);
}

long sys_lstat(const char __user *name, struct stat __user *to)
{
	return sys_newfstatat(AT_FDCWD, name, to, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(unsigned int fd, struct stat __user *to)
{
	struct attr attr;
	u64 device;
	int error = file_attributes(fd, &attr, &device);

	return error ? error : put_stat(to, &attr, device);
}

static struct statx_timestamp statx_time(s64 ns)
{
	return (struct statx_timestamp){ .tv_sec = seconds_of(ns), .tv_nsec = nanoseconds_of(ns) };
}

/* What statx(2) tells besides the attributes: about the mount, and what chattr(1) marked the file with. */
static void statx_place(struct statx *statx, const struct path *path)
{
	const u32 marks = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP |
			  STATX_ATTR_COMPRESSED;

	_Static_assert(STATX_ATTR_IMMUTABLE == FS_IMMUTABLE_FL && STATX_ATTR_APPEND == FS_APPEND_FL &&
			       STATX_ATTR_NODUMP == FS_NODUMP_FL && STATX_ATTR_COMPRESSED == FS_COMPR_FL,
		       "statx(2) has the same numbers");
	statx->stx_mask |= STATX_MNT_ID;
	statx->stx_mnt_id = (u64)path->mount->id;
	if (path->entry == path->mount->root)
		statx->stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	if (path->mount->tree->ops->set_flags) {
		statx->stx_attributes_mask |= marks;
		statx->stx_attributes |= path_node(path)->attr.flags & marks;
	}
}

static int statx_find(int fd, const char __user *name, unsigned int flags, struct statx *statx,
		      struct attr *attr, u64 *device)
{
	struct path path;
	struct fd_ref ref;
	char first = 1;
	int error;

	if ((flags & AT_EMPTY_PATH) && get_user(first, name))
		return -EFAULT;
	if (!first && fd != AT_FDCWD) {
		ref = fd_borrow_path((unsigned int)fd);
		error = ref.file ? file_path(ref.file, &path) : -EBADF;
		fd_release(ref);
		if (error)
			return error;
		statx_place(statx, &path);
		path_put(&path);
		return file_attributes((unsigned int)fd, attr, device);
	}
	error = user_path_walk_at(fd, name, flags, &path);
	if (error)
		return error;
	error = node_getattr(path_node(&path), current->cred);
	*attr = path_node(&path)->attr;
	attr->blocks = node_blocks(path_node(&path));
	*device = path_tree(&path)->device;
	statx_place(statx, &path);
	path_put(&path);
	return error;
}

long sys_statx(int fd, const char __user *name, unsigned int flags, unsigned int mask,
	       struct statx __user *to)
{
	struct statx statx = {};
	struct attr attr;
	u64 device;
	int error;

	if (mask & STATX__RESERVED)
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if (flags & ~(unsigned int)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
				    AT_STATX_SYNC_TYPE))
		return -EINVAL;
	error = statx_find(fd, name, flags, &statx, &attr, &device);
	if (error)
		return error;
	statx.stx_mask |= STATX_BASIC_STATS | (attr.btime_ns ? mask & STATX_BTIME : 0);
	statx.stx_blksize = attr.block_size;
	statx.stx_nlink = attr.nlink;
	statx.stx_uid = attr.uid;
	statx.stx_gid = attr.gid;
	statx.stx_mode = (u16)attr.mode;
	statx.stx_ino = attr.id;
	statx.stx_size = attr.size;
	statx.stx_blocks = attr.blocks;
	statx.stx_attributes_mask |= STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX;
	statx.stx_atime = statx_time(attr.atime_ns);
	statx.stx_btime = statx_time(attr.btime_ns);
	statx.stx_ctime = statx_time(attr.ctime_ns);
	statx.stx_mtime = statx_time(attr.mtime_ns);
	statx.stx_rdev_major = device_major(attr.rdev);
	statx.stx_rdev_minor = device_minor(attr.rdev);
	statx.stx_dev_major = device_major(device);
	statx.stx_dev_minor = device_minor(device);
	return copy_to_user(to, &statx, sizeof(statx)) ? -EFAULT : 0;
}

/* ---- statfs ---- */

/* mode: what is open. Files without a name lie in one tree here, in one for each kind on Linux. */
static int put_statfs(struct statfs __user *to, const struct mount *mount, struct tree *tree, u32 mode)
{
	static const struct {
		unsigned long mount_flag, flag; /* MS_*, ST_* of statvfs(3) */
	} flags[] = {
		{ MS_RDONLY, 1 },	 { MS_NOSUID, 2 },	{ MS_NODEV, 4 },
		{ MS_SYNCHRONOUS, 16 },	 { MS_NOEXEC, 8 },	{ MS_NOATIME, 1024 },
		{ MS_NODIRATIME, 2048 }, { MS_RELATIME, 4096 }, { MS_NOSYMFOLLOW, 8192 },
	};
	struct statfs_info info;
	struct statfs statfs = {};
	int error = tree_statfs(tree, &info);

	if (error)
		return error;
	if (!mount && S_ISFIFO(mode))
		info.type = PIPEFS_MAGIC;
	else if (!mount && S_ISSOCK(mode))
		info.type = SOCKFS_MAGIC;
	statfs.f_type = (long)info.type;
	statfs.f_bsize = (long)info.block_size;
	statfs.f_blocks = (long)info.blocks;
	statfs.f_bfree = (long)info.free_blocks;
	statfs.f_bavail = (long)info.available_blocks;
	statfs.f_files = (long)info.files;
	statfs.f_ffree = (long)info.free_files;
	statfs.f_fsid.val[0] = (int)(info.id ? info.id : tree->device);
	statfs.f_fsid.val[1] = (int)(info.id >> 32);
	statfs.f_namelen = (long)info.name_max;
	statfs.f_frsize = (long)info.block_size;
	statfs.f_flags = 0x20; /* ST_VALID: the flags are told */
	for (unsigned int i = 0; mount && i < ARRAY_SIZE(flags); i++)
		if (mount->flags & flags[i].mount_flag)
			statfs.f_flags |= (long)flags[i].flag;
	if (tree->flags & TREE_READ_ONLY)
		statfs.f_flags |= 1;
	return copy_to_user(to, &statfs, sizeof(statfs)) ? -EFAULT : 0;
}

long sys_statfs(const char __user *name, struct statfs __user *to)
{
	struct path path;
	int error = user_path_walk(AT_FDCWD, name, WALK_FOLLOW, &path);

	if (error)
		return error;
	error = put_statfs(to, path.mount, path.mount->tree, 0);
	path_put(&path);
	return error;
}

long sys_fstatfs(unsigned int fd, struct statfs __user *to)
{
	struct fd_ref ref = fd_borrow_path(fd);
	int error;

	if (!ref.file)
		return -EBADF;
	error = put_statfs(to, ref.file->path.mount, ref.file->node->tree, ref.file->node->attr.mode);
	fd_release(ref);
	return error;
}

/* ---- access ---- */

/* Linux's access(2) asks for the real user: credentials with real in the place of effective ids, or the thread's own
 * where that is the same. */
static const struct cred *cred_real(void)
{
	const struct cred *cred = current->cred;
	struct cred *real;
	u64 capabilities = cred->uid ? 0 : cred->cap_permitted;

	if (cred->fsuid == cred->uid && cred->fsgid == cred->gid && cred->cap_effective == capabilities)
		return cred_get(cred);
	real = cred_copy(cred, cred->group_count);
	if (!real)
		return NULL;
	real->fsuid = cred->uid;
	real->fsgid = cred->gid;
	real->cap_effective = capabilities;
	return real;
}

static int path_accessible(const struct path *path, int mode, const struct cred *cred)
{
	struct node *node = path_node(path);
	int error;

	if (!mode)
		return 0;
	if ((mode & MAY_EXEC) && S_ISREG(node->attr.mode) && (path->mount->flags & MS_NOEXEC))
		return -EACCES;
	error = node_permission(node, mode, cred);
	if (error || !(mode & MAY_WRITE))
		return error;
	/* Devices, pipes and sockets are written to whatever the mount says. */
	if (S_ISREG(node->attr.mode) || S_ISDIR(node->attr.mode) || S_ISLNK(node->attr.mode))
		return mount_want_write(path->mount);
	return 0;
}

long sys_faccessat2(int fd, const char __user *name, int mode, int flags)
{
	unsigned int walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	const struct cred *cred;
	struct user_path text;
	struct user_start start;
	struct path path;
	int error;

	if (mode & ~ACCESS_MODES)
		return -EINVAL;
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		walk |= WALK_EMPTY_PATH;
	cred = flags & AT_EACCESS ? cred_get(current->cred) : cred_real();
	if (!cred)
		return -ENOMEM;
	error = user_path_get(&text, name);
	if (error)
		goto out_cred;
	error = user_start_get(&start, fd, text.text, walk);
	if (error)
		goto out_text;
	error = path_walk(start.start, text.text, walk, cred, &path);
	user_start_put(&start);
	if (!error) {
		error = path_accessible(&path, mode, cred);
		path_put(&path);
	}
out_text:
	user_path_put(&text);
out_cred:
	cred_put(cred);
	return error;
}

long sys_faccessat(int fd, const char __user *name, int mode)
{
	return sys_faccessat2(fd, name, mode, 0);
}

long sys_access(const char __user *name, int mode)
{
	return sys_faccessat2(AT_FDCWD, name, mode, 0);
}

/* ---- readlink ---- */

long sys_readlinkat(int fd, const char __user *name, char __user *to, int size)
{
	struct path path;
	struct node *node;
	ssize_t length;
	char *buffer;
	int error;

	if (size <= 0)
		return -EINVAL;
	error = user_path_walk(fd, name, WALK_EMPTY_PATH, &path);
	if (error)
		return error;
	node = path_node(&path);
	if (S_ISLNK(node->attr.mode) && node->link_text) {
		length = (ssize_t)min(strlen(node->link_text), (size_t)size);
		if (copy_to_user(to, node->link_text, (size_t)length))
			length = -EFAULT;
	} else if (!S_ISLNK(node->attr.mode)) {
		u8 first = 0;

		/* Linux says ENOENT for "" that names no link. */
		length = get_user(first, (const u8 __user *)name) ? -EFAULT
			 : first				  ? -EINVAL
								  : -ENOENT;
	} else {
		buffer = kmalloc(PAGE_SIZE, GFP_KERNEL);
		length = -ENOMEM;
		if (buffer)
			length = node_readlink(node, buffer, min((size_t)size, PAGE_SIZE),
					       current->cred);
		if (length > 0 && copy_to_user(to, buffer, (size_t)length))
			length = -EFAULT;
		kfree(buffer);
	}
	path_put(&path);
	return length;
}

long sys_readlink(const char __user *name, char __user *to, int size)
{
	return sys_readlinkat(AT_FDCWD, name, to, size);
}
