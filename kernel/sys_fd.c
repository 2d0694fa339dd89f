/* System calls on descriptors: dup, fcntl, ioctl, flock, close_range. */
#include <asm/ioctls.h>
#include <kumo/async.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/lease.h>
#include <kumo/memfd.h>
#include <kumo/notify.h>
#include <kumo/pipe.h>
#include <kumo/serve.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "file_ioctl.h"
#include "process.h"

/* What F_SETFL may change. */
#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

/* ---- dup ---- */

long sys_dup(unsigned int fd)
{
	struct fd_ref ref = fd_borrow_path(fd);
	int result;

	if (!ref.file)
		return -EBADF;
	result = fd_reserve(0, 0);
	if (result >= 0)
		fd_install(result, file_get(ref.file));
	fd_release(ref);
	return result;
}

long sys_dup3(unsigned int old, unsigned int new, int flags)
{
	struct fd_ref ref;
	int result;

	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	if (old == new)
		return -EINVAL;
	ref = fd_borrow_path(old);
	if (!ref.file)
		return -EBADF;
	result = fd_replace(ref.file, new, (u32)flags);
	fd_release(ref);
	return result;
}

long sys_dup2(unsigned int old, unsigned int new)
{
	struct fd_ref ref;

	if (old != new)
		return sys_dup3(old, new, 0);
	ref = fd_borrow_path(old);
	if (!ref.file)
		return -EBADF;
	fd_release(ref);
	return (long)new;
}

/* ---- fcntl ---- */

static int set_flags(unsigned int fd, struct file *file, unsigned long flags)
{
	int error = 0;

	/* A file that is only appended to stays so. */
	if ((flags ^ file->flags) & O_APPEND && node_is_append_only(file->node))
		return -EPERM;
	if ((flags & O_NOATIME) && !(file->flags & O_NOATIME) &&
	    !node_owner_or_capable(file->node, current->cred))
		return -EPERM;
	/* For a pipe it means packets; of others only few go past the page cache, and say so by their operations. */
	if ((flags & O_DIRECT) && !S_ISFIFO(file->node->attr.mode) && !file->ops->direct)
		return -EINVAL;
	if ((flags ^ file->flags) & FASYNC)
		error = file_async_set(file, fd, flags & FASYNC);
	if (error && error != -ENOTTY) /* what cannot tell ignores the flag */
		return error;
	spin_lock(&file->lock);
	WRITE_ONCE(file->flags, (file->flags & ~(u32)SETTABLE) | ((u32)flags & SETTABLE));
	spin_unlock(&file->lock);
	return 0;
}

static bool fd_is(unsigned int fd, const struct file *file)
{
	struct fd_ref ref = fd_borrow(fd);
	bool same = ref.file == file;

	fd_release(ref);
	return same;
}

static long lock_command(unsigned int fd, struct file *file, unsigned int command,
			 struct flock __user *user)
{
	struct flock lock;
	long result;

	if (copy_from_user(&lock, user, sizeof(lock)))
		return -EFAULT;
	result = file_lock_fcntl(file, command, &lock);
	if (!result && (command == F_GETLK || command == F_OFD_GETLK) &&
	    copy_to_user(user, &lock, sizeof(lock)))
		return -EFAULT;
	/* Another thread has closed the descriptor: it looked for locks to release before this one was there. */
	if (!result && (command == F_SETLK || command == F_SETLKW) && !fd_is(fd, file)) {
		file_locks_release_owner(file, current->files);
		return -EBADF;
	}
	return result;
}

static long owner_command(struct file *file, unsigned int command, struct f_owner_ex __user *user)
{
	const struct file_owner current_owner = file_owner_get(file);
	struct f_owner_ex owner = { .type = current_owner.type, .pid = current_owner.pid };

	if (command == F_GETOWN_EX)
		return copy_to_user(user, &owner, sizeof(owner)) ? -EFAULT : 0;
	if (copy_from_user(&owner, user, sizeof(owner)))
		return -EFAULT;
	return file_owner_set(file, owner.type, owner.pid);
}

static long get_owner_ids(struct file *file, u32 __user *user)
{
	const struct file_owner owner = file_owner_get(file);
	const u32 ids[2] = { owner.uid, owner.euid };

	return copy_to_user(user, ids, sizeof(ids)) ? -EFAULT : 0;
}

/* How long what is written is expected to live: kept with the file for those who ask. */
static long write_hint(struct node *node, unsigned int command, u64 __user *user)
{
	u64 hint = READ_ONCE(node->write_hint);

	if (command == F_GET_RW_HINT)
		return put_user(hint, user);
	if (get_user(hint, user))
		return -EFAULT;
	if (hint > RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	WRITE_ONCE(node->write_hint, (u8)hint);
	return 0;
}

static long control(unsigned int fd, struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return fd_duplicate(file, argument > ~0U ? ~0U : (unsigned int)argument,
				    command == F_DUPFD_CLOEXEC ? O_CLOEXEC : 0);
	case F_GETFD:
		return fd_get_close_on_exec(fd) > 0 ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_set_close_on_exec(fd, argument & FD_CLOEXEC);
	case F_GETFL:
		return (long)file->flags;
	default:
		break;
	}
	if (file->mode & FILE_PATH)
		return -EBADF;
	switch (command) {
	case F_SETFL:
		return set_flags(fd, file, argument);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_command(fd, file, command, (struct flock __user *)argument);
	case F_GETOWN:
		return file_owner_number(file);
	case F_SETOWN:
		return file_owner_set_number(file, (int)argument);
	case F_GETOWN_EX:
	case F_SETOWN_EX:
		return owner_command(file, command, (struct f_owner_ex __user *)argument);
	case F_GETSIG:
		return file_owner_get(file).signal;
	case F_SETSIG:
		if (argument > SIGNAL_COUNT)
			return -EINVAL;
		return file_owner_set_signal(file, (int)argument);
	case F_GETOWNER_UIDS:
		return get_owner_ids(file, (u32 __user *)argument);
	case F_SETLEASE:
		return file_lease_set(file, fd, (int)argument);
	case F_GETLEASE:
		return file_lease_get(file);
	case F_NOTIFY:
		return file_notify(file, fd, (u32)argument);
	case F_GET_RW_HINT:
	case F_SET_RW_HINT:
		return write_hint(file->node, command, (u64 __user *)argument);
	case F_ADD_SEALS:
		return file_seals_add(file, argument);
	case F_GET_SEALS:
		return file_seals_get(file);
	case F_GETPIPE_SZ:
		return pipe_get_size(file);
	case F_SETPIPE_SZ:
		return pipe_set_size(file, argument);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(unsigned int fd, unsigned int command, unsigned long argument)
{
	struct fd_ref ref = fd_borrow_path(fd);
	long result;

	if (!ref.file)
		return -EBADF;
	result = control(fd, ref.file, command, argument);
	fd_release(ref);
	return result;
}

/* ---- ioctl ---- */

static long driver_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	long result = file->ops->ioctl ? serve_ioctl(file, command, argument) : -ENOTTY;

	return result == -ENOIOCTLCMD ? -ENOTTY : result;
}

/* No tree shares blocks between files. */
static long clone_file(const struct file *to, unsigned long from_fd)
{
	struct fd_ref from = fd_borrow(from_fd > ~0U ? ~0U : (unsigned int)from_fd);
	long error = -EOPNOTSUPP;

	if (!from.file)
		return -EBADF;
	if (from.file->node->tree != to->node->tree)
		error = -EXDEV;
	else if (S_ISDIR(from.file->node->attr.mode) || S_ISDIR(to->node->attr.mode))
		error = -EISDIR;
	else if (!S_ISREG(from.file->node->attr.mode) || !S_ISREG(to->node->attr.mode))
		error = -EINVAL;
	else if (!(from.file->mode & FILE_READ) || !(to->mode & FILE_WRITE))
		error = -EBADF;
	fd_release(from);
	return error;
}

static long generic_ioctl(unsigned int fd, struct file *file, unsigned int command, unsigned long argument)
{
	u32 mode = file->node->attr.mode;
	s64 size;
	int on;

	switch (command) {
	case FIOCLEX:
	case FIONCLEX:
		return fd_set_close_on_exec(fd, command == FIOCLEX);
	case FIONBIO:
		if (get_user(on, (int __user *)argument))
			return -EFAULT;
		spin_lock(&file->lock);
		WRITE_ONCE(file->flags, on ? file->flags | O_NONBLOCK : file->flags & ~(u32)O_NONBLOCK);
		spin_unlock(&file->lock);
		return 0;
	case FIOASYNC:
		if (get_user(on, (int __user *)argument))
			return -EFAULT;
		return !on == !(file->flags & FASYNC) ? 0 : file_async_set(file, fd, on);
	case FIGETBSZ:
		return put_user((int)file->node->attr.block_size, (int __user *)argument);
	case FIOQSIZE:
		if (!S_ISREG(mode) && !S_ISDIR(mode))
			return -ENOTTY;
		size = (s64)node_blocks(file->node) * 512; /* what it takes, not where it ends */
		return put_user(size, (s64 __user *)argument);
	case FIONREAD:
		if (S_ISREG(mode))
			return put_user((int)((s64)node_size(file->node) - file->pos),
					(int __user *)argument);
		break;
	case FIBMAP:
		if (S_ISREG(mode))
			return file_block_find(file, (int __user *)argument);
		break;
	case FS_IOC_FIEMAP:
		return file_extents_tell(file, (struct fiemap __user *)argument);
	case FS_IOC_GETFLAGS:
		if (file->node->tree && file->node->tree->ops->set_flags)
			return put_user(file->node->attr.flags, (u32 __user *)argument);
		break;
	case FS_IOC_SETFLAGS:
		if (file->node->tree && file->node->tree->ops->set_flags)
			return file_flags_set(file, (const u32 __user *)argument);
		break;
	case FS_IOC_GETVERSION:
		if (file->node->tree && file->node->tree->ops->set_flags)
			return put_user(file->node->attr.generation, (u32 __user *)argument);
		break;
	case FITRIM:
		if (file->node->tree && file->node->tree->ops->trim)
			return file_tree_trim(file, (struct fstrim_range __user *)argument);
		break;
	case FICLONE:
		return clone_file(file, argument);
	case FIFREEZE:
		return capable(CAP_SYS_ADMIN) ? -EOPNOTSUPP : -EPERM;
	case FITHAW:
		return capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	default:
		break;
	}
	return driver_ioctl(file, command, argument);
}

long sys_ioctl(unsigned int fd, unsigned int command, unsigned long argument)
{
	struct fd_ref ref = fd_borrow(fd);
	long result;

	if (!ref.file)
		return -EBADF;
	result = generic_ioctl(fd, ref.file, command, argument);
	fd_release(ref);
	return result;
}

/* ---- The rest ---- */

long sys_flock(unsigned int fd, unsigned int operation)
{
	unsigned int kind = operation & ~(unsigned int)LOCK_NB;
	struct fd_ref ref;
	int error;

	if (operation & LOCK_MAND)
		return 0; /* mandatory locks are no more; Linux lets who asks for them go on */
	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	ref = fd_borrow(fd);
	if (!ref.file)
		return -EBADF;
	error = file_lock_whole(ref.file, (int)operation);
	fd_release(ref);
	return error;
}

long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	if ((flags & ~(unsigned int)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
		return -EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) && refcount_read(&current->files->refs) > 1) {
		struct files *own = files_copy(current->files, ~0U);

		if (IS_ERR(own))
			return PTR_ERR(own);
		thread_set_files(own);
	}
	return fd_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
}
