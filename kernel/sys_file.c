/* System calls that open files, read and write them, and list directories. */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/pipe.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/splice.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/user_path.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/uio.h>

#include "segments.h"

/* ---- Opening ---- */

#define OPEN_HOW_SIZE_VER0 24 /* bytes: the structure as it was first */
#define O_PATH_FLAGS                                                                               \
	(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) /* what O_PATH leaves a meaning */
#define O_KNOWN                                                                                    \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |      \
	 FASYNC | O_DIRECT | O_LARGEFILE | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)
#define RESOLVE_KNOWN                                                                              \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |         \
	 RESOLVE_IN_ROOT | RESOLVE_CACHED)

/* What is valid has been checked. Without a start of its own an absolute name begins at the root. */
static long open_how(int fd, const char __user *name, const struct open_how_kernel *how)
{
	struct user_path text;
	struct user_start start;
	struct file *file;
	long result = user_path_get(&text, name);

	if (unlikely(result))
		return result;
	result = user_start_get(&start, fd,
				how->walk & WALK_IN_ROOT && *text.text == '/' ? "." : text.text, 0);
	if (unlikely(result))
		goto out_text;
	result = fd_reserve(0, how->flags);
	if (unlikely(result < 0))
		goto out_start;
	file = file_open_at(start.start, text.text, how, current->cred);
	if (likely(!IS_ERR(file))) {
		fd_install((int)result, file);
	} else {
		fd_unreserve((int)result);
		result = PTR_ERR(file);
	}
out_start:
	user_start_put(&start);
out_text:
	user_path_put(&text);
	return result;
}

/* O_TMPFILE comes whole, and writes; a file is not created as a directory. */
static bool open_flags_valid(u32 flags)
{
	if ((flags & __O_TMPFILE) &&
	    ((flags & O_TMPFILE) != O_TMPFILE || !(flags & (O_WRONLY | O_RDWR)) || (flags & O_CREAT)))
		return false;
	return (flags & (O_CREAT | O_DIRECTORY)) != (O_CREAT | O_DIRECTORY);
}

static long open_at(int fd, const char __user *name, int flags, u32 mode)
{
	struct open_how_kernel how = { .flags = (u32)flags };

	if (flags & O_PATH)
		how.flags &= O_PATH_FLAGS;
	else
		how.flags |= O_LARGEFILE;
	if (unlikely(!open_flags_valid(how.flags)))
		return -EINVAL;
	if (how.flags & (O_CREAT | __O_TMPFILE))
		how.mode = mode & 07777;
	return open_how(fd, name, &how);
}

/* RESOLVE_* as the walk has them. */
static unsigned int walk_of_resolve(u64 resolve)
{
	return (resolve & RESOLVE_NO_XDEV ? WALK_NO_XDEV : 0U) |
	       (resolve & RESOLVE_NO_MAGICLINKS ? WALK_NO_MAGIC_LINKS : 0U) |
	       (resolve & RESOLVE_NO_SYMLINKS ? WALK_NO_SYMLINKS | WALK_NO_MAGIC_LINKS : 0U) |
	       (resolve & RESOLVE_BENEATH ? WALK_BENEATH : 0U) |
	       (resolve & RESOLVE_IN_ROOT ? WALK_IN_ROOT : 0U);
}

/* Unlike open(2), nothing that is not known or makes no sense is ignored. */
static int how_check(const struct open_how *user, struct open_how_kernel *how)
{
	bool creates = user->flags & (O_CREAT | __O_TMPFILE);

	if ((user->flags & ~(u64)O_KNOWN) || (user->resolve & ~(u64)RESOLVE_KNOWN))
		return -EINVAL;
	if ((user->resolve & RESOLVE_BENEATH) && (user->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (user->mode & ~(u64)(creates ? 07777 : 0))
		return -EINVAL;
	if ((user->flags & O_PATH) && (user->flags & ~(u64)O_PATH_FLAGS))
		return -EINVAL;
	if (!open_flags_valid((u32)user->flags))
		return -EINVAL;
	if ((user->resolve & RESOLVE_CACHED) && (creates || (user->flags & O_TRUNC)))
		return -EAGAIN;
	*how = (struct open_how_kernel){ .flags = (u32)user->flags,
					 .mode = (u32)user->mode,
					 .walk = walk_of_resolve(user->resolve),
					 .cached_only = user->resolve & RESOLVE_CACHED };
	return 0;
}

long sys_openat2(int fd, const char __user *name, const struct open_how __user *user_how, size_t size)
{
	struct open_how_kernel how;
	struct open_how user = {};
	int error;

	if (size < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	/* What a later kernel would know must be zero. */
	for (size_t at = sizeof(user); at < size; at++) {
		u8 byte;

		if (get_user(byte, (const u8 __user *)user_how + at))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	if (copy_from_user(&user, user_how, min(size, sizeof(user))))
		return -EFAULT;
	error = how_check(&user, &how);
	return error ? error : open_how(fd, name, &how);
}

long sys_openat(int fd, const char __user *name, int flags, u32 mode)
{
	return open_at(fd, name, flags, mode);
}

long sys_open(const char __user *name, int flags, u32 mode)
{
	return open_at(AT_FDCWD, name, flags, mode);
}

long sys_creat(const char __user *name, u32 mode)
{
	return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

long sys_close(unsigned int fd)
{
	int error = fd_close(fd);

	/* The descriptor is gone whatever happened: starting again would close another. */
	if (unlikely(error == -ERESTARTSYS || error == -ERESTARTNOINTR ||
		     error == -ERESTARTNOHAND || error == -ERESTART_RESTARTBLOCK))
		return -EINTR;
	return error;
}

/* ---- Reading and writing ---- */

/* What every transfer in that direction gives, whatever its arguments; 0: it can be done. */
static int transfer_refusal(const struct file *file, bool write)
{
	if (!(file->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	if (write)
		return file->ops->write ? 0 : -EINVAL;
	return file->ops->read || S_ISDIR(file->node->attr.mode) ? 0 : -EINVAL;
}

long sys_read(unsigned int fd, char __user *buffer, size_t size)
{
	struct fd_ref ref = fd_borrow(fd);
	struct iter iter;
	ssize_t result;

	if (unlikely(!ref.file))
		return -EBADF;
	iter_init_user(&iter, buffer, size);
	if (likely(user_range_ok(buffer, size)))
		result = file_read(ref.file, &iter, NULL);
	else
		result = transfer_refusal(ref.file, false) ?: -EFAULT;
	fd_release(ref);
	return result;
}

long sys_write(unsigned int fd, const char __user *buffer, size_t size)
{
	struct fd_ref ref = fd_borrow(fd);
	struct iter iter;
	ssize_t result;

	if (unlikely(!ref.file))
		return -EBADF;
	iter_init_user(&iter, (char __user *)buffer, size);
	if (likely(user_range_ok(buffer, size)))
		result = file_write(ref.file, &iter, NULL);
	else
		result = transfer_refusal(ref.file, true) ?: -EFAULT;
	fd_release(ref);
	return result;
}

/* A position of the caller's instead of the file's. */
static ssize_t transfer_at(unsigned int fd, struct iter *iter, loff_t pos, bool write)
{
	struct fd_ref ref = fd_borrow(fd);
	ssize_t result = -ESPIPE;

	if (!ref.file)
		return -EBADF;
	if (ref.file->mode & FILE_SEEK)
		result = write ? file_write(ref.file, iter, &pos) : file_read(ref.file, iter, &pos);
	fd_release(ref);
	return result;
}

long sys_pread64(unsigned int fd, char __user *buffer, size_t size, loff_t pos)
{
	struct iter iter;

	if (pos < 0)
		return -EINVAL;
	iter_init_user(&iter, buffer, size);
	return transfer_at(fd, &iter, pos, false);
}

long sys_pwrite64(unsigned int fd, const char __user *buffer, size_t size, loff_t pos)
{
	struct iter iter;

	if (pos < 0)
		return -EINVAL;
	iter_init_user(&iter, (char __user *)buffer, size);
	return transfer_at(fd, &iter, pos, true);
}

/* May the transfer be made as RWF_* flags ask? */
static int flags_apply(const struct file *file, struct iter *iter, int flags)
{
	if (flags & ~RWF_SUPPORTED)
		return -EOPNOTSUPP;
	iter->append = flags & RWF_APPEND;
	iter->nowait = flags & RWF_NOWAIT;
	if ((flags & RWF_NOWAIT) && !file->ops->can_nowait)
		return -EOPNOTSUPP;
	return (flags & ~RWF_HIPRI) && S_ISDIR(file->node->attr.mode) ? -EOPNOTSUPP : 0;
}

/* With segments that have been copied. at NULL: the file's own position. */
static ssize_t transfer_iter(struct file *file, struct iter *iter, const loff_t *at, bool write, int flags)
{
	loff_t pos = at ? *at : 0;
	ssize_t result = transfer_refusal(file, write);
	int error;

	if (result || !iter->count)
		return result;
	if (at && (loff_t)((u64)pos + iter->count) < 0)
		return -EINVAL;
	result = flags ? flags_apply(file, iter, flags) : 0;
	if (result)
		return result;
	result = (write ? file_write : file_read)(file, iter, at ? &pos : NULL);
	if (write && result > 0 && (flags & (RWF_DSYNC | RWF_SYNC)) && S_ISREG(file->node->attr.mode)) {
		error = file_sync(file, !(flags & RWF_SYNC));
		if (error)
			result = error;
	}
	return result;
}

/* at NULL: the file's own position. flags: RWF_*. */
static long transfer_segments(unsigned int fd, const struct iovec __user *user, unsigned long count,
			      const loff_t *at, bool write, int flags)
{
	struct segments segments;
	struct fd_ref ref;
	struct iter iter;
	ssize_t result;

	ref = fd_borrow(fd);
	if (!ref.file)
		return -EBADF;
	result = at && !(ref.file->mode & FILE_SEEK) ? -ESPIPE
						     : segments_get(&segments, &iter, user, count);
	if (!result) {
		result = transfer_iter(ref.file, &iter, at, write, flags);
		segments_put(&segments);
	}
	fd_release(ref);
	return result;
}

long sys_readv(unsigned int fd, const struct iovec __user *segments, unsigned long count)
{
	return transfer_segments(fd, segments, count, NULL, false, 0);
}

long sys_writev(unsigned int fd, const struct iovec __user *segments, unsigned long count)
{
	return transfer_segments(fd, segments, count, NULL, true, 0);
}

/* On a 64-bit machine the position comes in one argument; the second is left over from smaller ones. */
long sys_preadv(unsigned int fd, const struct iovec __user *segments, unsigned long count,
		loff_t pos, unsigned long unused)
{
	return pos < 0 ? -EINVAL : transfer_segments(fd, segments, count, &pos, false, 0);
}

long sys_pwritev(unsigned int fd, const struct iovec __user *segments, unsigned long count,
		 loff_t pos, unsigned long unused)
{
	return pos < 0 ? -EINVAL : transfer_segments(fd, segments, count, &pos, true, 0);
}

long sys_preadv2(unsigned int fd, const struct iovec __user *segments, unsigned long count,
		 loff_t pos, unsigned long unused, int flags)
{
	if (pos < -1)
		return -EINVAL;
	return transfer_segments(fd, segments, count, pos == -1 ? NULL : &pos, false, flags);
}

static int sync_fd(unsigned int fd, bool data_only)
{
	struct fd_ref ref = fd_borrow(fd);
	int error;

	if (!ref.file)
		return -EBADF;
	error = file_sync(ref.file, data_only);
	fd_release(ref);
	return error;
}

long sys_pwritev2(unsigned int fd, const struct iovec __user *segments, unsigned long count,
		  loff_t pos, unsigned long unused, int flags)
{
	if (pos < -1)
		return -EINVAL;
	return transfer_segments(fd, segments, count, pos == -1 ? NULL : &pos, true, flags);
}

long sys_lseek(unsigned int fd, loff_t offset, int whence)
{
	struct fd_ref ref = fd_borrow(fd);
	loff_t result;

	if (!ref.file)
		return -EBADF;
	result = file_seek(ref.file, offset, whence);
	fd_release(ref);
	return result;
}

/* ---- Stable storage ---- */

long sys_fsync(unsigned int fd)
{
	return sync_fd(fd, false);
}

long sys_fdatasync(unsigned int fd)
{
	return sync_fd(fd, true);
}

long sys_sync(void)
{
	(void)trees_sync(); /* sync(2) cannot fail; fsync(2) reports */
	return 0;
}

long sys_syncfs(unsigned int fd)
{
	struct fd_ref ref = fd_borrow(fd);
	struct tree *tree;
	int error;

	if (!ref.file)
		return -EBADF;
	tree = ref.file->node->tree;
	error = tree_sync(tree);
	fd_release(ref);
	return error;
}

long sys_fallocate(unsigned int fd, int mode, loff_t offset, loff_t length)
{
	struct fd_ref ref = fd_borrow(fd);
	int error;

	if (!ref.file)
		return -EBADF;
	error = file_allocate(ref.file, mode, offset, length);
	fd_release(ref);
	return error;
}

/* ---- Advice: files in memory need none, but the arguments are looked at ---- */

/* length 0: all that follows. */
static void file_advise(struct file *file, loff_t offset, size_t length, bool wanted)
{
	struct page_cache *cache = node_page_cache(file->contents);
	u64 start = (u64)offset, end = length ? start + length : ~0ULL;

	if (!cache || offset < 0)
		return;
	if (wanted)
		page_cache_read_ahead(cache, start, end);
	else
		page_cache_give_up(cache, start, end);
}

static int check_advised(struct fd_ref ref, bool for_reading)
{
	int error = 0;

	if (!ref.file || (for_reading && !(ref.file->mode & FILE_READ)))
		error = -EBADF;
	else if (S_ISFIFO(ref.file->node->attr.mode))
		error = -ESPIPE;
	else if (for_reading && !S_ISREG(ref.file->node->attr.mode) &&
		 !S_ISBLK(ref.file->node->attr.mode))
		error = -EINVAL;
	return error == -ESPIPE && for_reading ? -EINVAL : error;
}

static bool has_cache(const struct file *file)
{
	return file->ops->read && (S_ISREG(file->node->attr.mode) || S_ISBLK(file->node->attr.mode));
}

long sys_fadvise64(unsigned int fd, loff_t offset, size_t length, int advice)
{
	struct fd_ref ref = fd_borrow(fd);
	int error = check_advised(ref, false);

	if (!error && ((loff_t)length < 0 || (unsigned int)advice > POSIX_FADV_NOREUSE))
		error = -EINVAL;
	if (!error && (advice == POSIX_FADV_WILLNEED || advice == POSIX_FADV_DONTNEED) &&
	    has_cache(ref.file))
		file_advise(ref.file, offset, length, advice == POSIX_FADV_WILLNEED);
	fd_release(ref);
	return error;
}

long sys_readahead(unsigned int fd, loff_t offset, size_t size)
{
	struct fd_ref ref = fd_borrow(fd);
	int error = check_advised(ref, true);

	if (!error && (loff_t)size < 0)
		error = -EINVAL;
	if (!error && size && has_cache(ref.file))
		file_advise(ref.file, offset, size, true);
	fd_release(ref);
	return error;
}

long sys_sync_file_range(unsigned int fd, loff_t offset, loff_t length, unsigned int flags)
{
	const unsigned int known = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				   SYNC_FILE_RANGE_WAIT_AFTER;
	struct fd_ref ref;
	int error = 0;
	u32 mode;

	ref = fd_borrow(fd);
	if (!ref.file)
		return -EBADF;
	mode = ref.file->node->attr.mode;
	if ((flags & ~known) || offset < 0 || length < 0 || offset + length < 0)
		error = -EINVAL;
	else if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		error = -ESPIPE;
	else if (flags)
		error = file_write_out(ref.file, (u64)offset, length ? (u64)(offset + length) : ~0ULL,
				       flags & ~SYNC_FILE_RANGE_WRITE);
	fd_release(ref);
	return error;
}

/* ---- From file to file ---- */

#define OFFSET_MAX ((loff_t)(~0ULL >> 1))
#define COPY_PIECE (4 * PAGE_SIZE)

/* Copies up to `size` bytes; positions NULL: the files' own. What was read and could not be written is not lost: the
 * position of the input is where the output ends. */
static ssize_t copy_between(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos,
			    size_t size)
{
	char *buffer = kmalloc(COPY_PIECE, GFP_KERNEL);
	ssize_t result = 0, done = 0;
	loff_t from = in_pos ? *in_pos : in->pos;
	bool seeks = in->mode & FILE_SEEK;

	if (!buffer)
		return -ENOMEM;
	while (size) {
		struct iter iter;
		ssize_t got, put;

		iter_init_kernel(&iter, buffer, min(size, COPY_PIECE));
		got = file_read(in, &iter, seeks ? &from : NULL);
		if (got <= 0) {
			result = got;
			break;
		}
		iter_init_kernel(&iter, buffer, (size_t)got);
		put = file_write(out, &iter, out_pos);
		if (put < got)
			from -= got - max(put, 0L);
		if (put <= 0) {
			result = put;
			break;
		}
		done += put;
		size -= (size_t)put;
		if (put < got)
			break;
		if (signal_pending()) {
			result = -EINTR;
			break;
		}
		cond_resched();
	}
	kfree(buffer);
	if (seeks) {
		if (in_pos)
			*in_pos = from;
		else
			in->pos = from;
	}
	return done ? done : result;
}

/* The input is a file or a disk: of a terminal or a pipe it is not known how much to wait for, and programs then read it
 * themselves. */
static bool can_be_sent(const struct file *in)
{
	return S_ISREG(in->node->attr.mode) || S_ISBLK(in->node->attr.mode);
}

/* Into a pipe goes, as splice(2) has it, what fits at once, and from anything. */
static ssize_t send(struct file *in, loff_t *pos, struct file *out, size_t size)
{
	if (!size)
		return 0;
	if (pipe_get_size(out) > 0)
		return file_splice(in, pos, out, NULL, size,
				   in->flags & O_NONBLOCK ? SPLICE_F_NONBLOCK : 0);
	return can_be_sent(in) ? copy_between(in, pos, out, NULL, size) : -EINVAL;
}

long sys_sendfile(int out_fd, int in_fd, loff_t __user *user_offset, size_t size)
{
	struct fd_ref in, out;
	loff_t offset = 0;
	ssize_t result;

	if (user_offset && copy_from_user(&offset, user_offset, sizeof(offset)))
		return -EFAULT;
	in = fd_borrow((unsigned int)in_fd);
	if (!in.file)
		return -EBADF;
	out = fd_borrow((unsigned int)out_fd);
	result = -EBADF;
	if (!out.file || !(in.file->mode & FILE_READ) || !(out.file->mode & FILE_WRITE))
		goto out;
	result = -ESPIPE;
	if (user_offset && !(in.file->mode & FILE_SEEK))
		goto out;
	result = -EINVAL;
	if ((user_offset && offset < 0) || (out.file->flags & O_APPEND))
		goto out;
	result = send(in.file, user_offset ? &offset : NULL, out.file, min(size, TRANSFER_MAX));
	if (user_offset && copy_to_user(user_offset, &offset, sizeof(offset)))
		result = -EFAULT;
out:
	fd_release(out);
	fd_release(in);
	return result;
}

long sys_copy_file_range(int in_fd, loff_t __user *user_in, int out_fd, loff_t __user *user_out,
			 size_t size, unsigned int flags)
{
	struct fd_ref in = fd_borrow((unsigned int)in_fd), out = fd_borrow((unsigned int)out_fd);
	loff_t in_pos, out_pos;
	ssize_t result = -EBADF;

	if (!in.file || !out.file)
		goto out;
	in_pos = in.file->pos;
	out_pos = out.file->pos;
	result = -EFAULT;
	if ((user_in && copy_from_user(&in_pos, user_in, sizeof(in_pos))) ||
	    (user_out && copy_from_user(&out_pos, user_out, sizeof(out_pos))))
		goto out;
	result = -EINVAL;
	if (flags)
		goto out;
	result = -EISDIR;
	if (S_ISDIR(in.file->node->attr.mode) || S_ISDIR(out.file->node->attr.mode))
		goto out;
	result = -EINVAL;
	if (!S_ISREG(in.file->node->attr.mode) || !S_ISREG(out.file->node->attr.mode))
		goto out;
	result = -EBADF;
	if (!(in.file->mode & FILE_READ) || !(out.file->mode & FILE_WRITE) ||
	    (out.file->flags & O_APPEND))
		goto out;
	result = -EXDEV;
	if (in.file->node->tree != out.file->node->tree)
		goto out;
	result = -EOVERFLOW;
	if ((u64)in_pos + size < size || (u64)out_pos + size < size)
		goto out;
	result = -EINVAL;
	if (in_pos < 0 || out_pos < 0)
		goto out;
	result = -EFBIG;
	if (size && out_pos == OFFSET_MAX)
		goto out;
	size = min(min(size, (size_t)(OFFSET_MAX - out_pos)), TRANSFER_MAX);
	if ((u64)in_pos >= node_size(in.file->node))
		size = 0;
	size = min((u64)size, node_size(in.file->node) - min((u64)in_pos, node_size(in.file->node)));
	result = -EINVAL;
	if (in.file->node == out.file->node && out_pos + (loff_t)size > in_pos &&
	    out_pos < in_pos + (loff_t)size)
		goto out;
	result = size ? copy_between(in.file, &in_pos, out.file, &out_pos, size) : 0;
	if (result <= 0)
		goto out;
	if (!user_in)
		in.file->pos = in_pos;
	else if (copy_to_user(user_in, &in_pos, sizeof(in_pos)))
		result = -EFAULT;
	if (!user_out)
		out.file->pos = out_pos;
	else if (copy_to_user(user_out, &out_pos, sizeof(out_pos)))
		result = -EFAULT;
out:
	fd_release(out);
	fd_release(in);
	return result;
}
