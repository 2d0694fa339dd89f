/* System calls that change attributes: chmod, chown, utimes, truncate, and their kin. */
#include <kumo/err.h>
#include <kumo/namespace.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/user_path.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/utime.h>

/* utimensat(2); the uapi headers leave these to libc. */
#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

static int change_file(unsigned int fd, struct attr_change *change)
{
	struct fd_ref ref = fd_borrow(fd);
	struct path path;
	int error;

	if (!ref.file)
		return -EBADF;
	error = file_path(ref.file, &path);
	if (!error) {
		error = path_setattr(&path, change, current->cred);
		path_put(&path);
	}
	fd_release(ref);
	return error;
}

/* ---- Mode ---- */

/* A symbolic link, which a link in /proc may lead to, has no mode to change. */
long sys_fchmodat(int fd, const char __user *name, u32 mode)
{
	struct attr_change change = { .valid = SETATTR_MODE, .mode = mode & 07777 };
	struct path path;
	int error = user_path_walk(fd, name, WALK_FOLLOW, &path);

	if (error)
		return error;
	error = mount_want_write(path.mount);
	if (!error)
		error = S_ISLNK(path_node(&path)->attr.mode)
				? -EOPNOTSUPP
				: path_setattr(&path, &change, current->cred);
	path_put(&path);
	return error;
}

long sys_chmod(const char __user *name, u32 mode)
{
	return sys_fchmodat(AT_FDCWD, name, mode);
}

long sys_fchmod(unsigned int fd, u32 mode)
{
	struct attr_change change = { .valid = SETATTR_MODE, .mode = mode & 07777 };

	return change_file(fd, &change);
}

/* ---- Owner ---- */

/* -1 leaves an id as it is. */
static struct attr_change owner_change(u32 uid, u32 gid)
{
	struct attr_change change = { .valid = SETATTR_OWNER, .uid = uid, .gid = gid };

	if (uid != ~0U)
		change.valid |= SETATTR_UID;
	if (gid != ~0U)
		change.valid |= SETATTR_GID;
	return change;
}

long sys_fchownat(int fd, const char __user *name, u32 uid, u32 gid, int flags)
{
	struct attr_change change = owner_change(uid, gid);
	struct path path;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = user_path_walk_at(fd, name, (unsigned int)flags, &path);
	if (error)
		return error;
	error = path_setattr(&path, &change, current->cred);
	path_put(&path);
	return error;
}

long sys_chown(const char __user *name, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, 0);
}

long sys_lchown(const char __user *name, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(unsigned int fd, u32 uid, u32 gid)
{
	struct attr_change change = owner_change(uid, gid);

	return change_file(fd, &change);
}

/* ---- Times ---- */

/* The time, or the nearest that a file can have: about 292 years around 1970. */
static s64 file_time_ns(const struct __kernel_timespec *time)
{
	const s64 limit = (s64)(~0ULL >> 1) / (s64)NSEC_PER_SEC - 1;
	s64 seconds = time->tv_sec;

	seconds = seconds > limit ? limit : seconds < -limit ? -limit : seconds;
	return seconds * (s64)NSEC_PER_SEC + time->tv_nsec;
}

static bool nsec_valid(long nsec)
{
	return nsec == UTIME_NOW || nsec == UTIME_OMIT || (unsigned long)nsec < NSEC_PER_SEC;
}

/* `times` NULL: both are now. */
static int set_times(const struct path *path, const struct __kernel_timespec *times)
{
	struct attr_change change = { .valid = SETATTR_CTIME, .ctime_ns = (s64)time_realtime_ns() };
	bool now = !times || (times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW);

	if (times && (!nsec_valid(times[0].tv_nsec) || !nsec_valid(times[1].tv_nsec)))
		return -EINVAL;
	if (!times || times[0].tv_nsec != UTIME_OMIT) {
		change.valid |= SETATTR_ATIME;
		change.atime_ns = now || times[0].tv_nsec == UTIME_NOW ? change.ctime_ns
								       : file_time_ns(&times[0]);
	}
	if (!times || times[1].tv_nsec != UTIME_OMIT) {
		change.valid |= SETATTR_MTIME;
		change.mtime_ns = now || times[1].tv_nsec == UTIME_NOW ? change.ctime_ns
								       : file_time_ns(&times[1]);
	}
	return path_set_times(path, &change, now, current->cred);
}

static int set_times_at(int fd, const char __user *name, const struct __kernel_timespec *times, int flags)
{
	struct fd_ref ref;
	struct path path;
	int error;

	if (times && times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return 0;	       /* Linux does not even look whether the file is there */
	if (!name && fd != AT_FDCWD) { /* futimens(3) */
		if (flags)
			return -EINVAL;
		ref = fd_borrow(((unsigned int)fd));
		if (!ref.file)
			return -EBADF;
		error = file_path(ref.file, &path);
		if (!error) {
			error = set_times(&path, times);
			path_put(&path);
		}
		fd_release(ref);
		return error;
	}
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = user_path_walk_at(fd, name, (unsigned int)flags, &path);
	if (error)
		return error;
	error = set_times(&path, times);
	path_put(&path);
	return error;
}

long sys_utimensat(int fd, const char __user *name,
		   const struct __kernel_timespec __user *user_times, int flags)
{
	struct __kernel_timespec times[2];

	if (user_times && copy_from_user(times, user_times, sizeof(times)))
		return -EFAULT;
	return set_times_at(fd, name, user_times ? times : NULL, flags);
}

long sys_futimesat(int fd, const char __user *name, const struct __kernel_old_timeval __user *user_times)
{
	struct __kernel_old_timeval values[2];
	struct __kernel_timespec times[2];

	if (user_times) {
		if (copy_from_user(values, user_times, sizeof(values)))
			return -EFAULT;
		for (unsigned int i = 0; i < 2; i++) {
			if (values[i].tv_usec < 0 || values[i].tv_usec >= 1000000)
				return -EINVAL;
			times[i].tv_sec = values[i].tv_sec;
			times[i].tv_nsec = values[i].tv_usec * 1000;
		}
	}
	return set_times_at(fd, name, user_times ? times : NULL, 0);
}

long sys_utimes(const char __user *name, const struct __kernel_old_timeval __user *times)
{
	return sys_futimesat(AT_FDCWD, name, times);
}

long sys_utime(const char __user *name, const struct utimbuf __user *user_times)
{
	struct utimbuf values;
	struct __kernel_timespec times[2] = {};

	if (user_times) {
		if (copy_from_user(&values, user_times, sizeof(values)))
			return -EFAULT;
		times[0].tv_sec = values.actime;
		times[1].tv_sec = values.modtime;
	}
	return set_times_at(AT_FDCWD, name, user_times ? times : NULL, 0);
}

/* ---- Size ---- */

long sys_truncate(const char __user *name, long size)
{
	struct path path;
	int error;

	if (size < 0)
		return -EINVAL;
	error = user_path_walk(AT_FDCWD, name, WALK_FOLLOW, &path);
	if (error)
		return error;
	error = path_truncate(&path, (u64)size, current->cred);
	path_put(&path);
	return error;
}

long sys_ftruncate(unsigned int fd, long size)
{
	struct fd_ref ref;
	int error;

	if (size < 0)
		return -EINVAL;
	ref = fd_borrow(fd);
	if (!ref.file)
		return -EBADF;
	error = file_truncate(ref.file, (u64)size, current->cred);
	fd_release(ref);
	return error;
}
