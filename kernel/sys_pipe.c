/* System calls that make pipes, and move what is in them. */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/pipe.h>
#include <kumo/splice.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>

#include "segments.h"

long sys_pipe2(int __user *ends, int flags)
{
	struct file *reader, *writer;
	int fds[2], error;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	error = pipe_create(&reader, &writer, (u32)flags);
	if (error)
		return error;
	error = fds[0] = fd_reserve(0, (u32)flags & O_CLOEXEC);
	if (error < 0)
		goto fail_files;
	error = fds[1] = fd_reserve(0, (u32)flags & O_CLOEXEC);
	if (error < 0)
		goto fail_first;
	error = -EFAULT;
	if (copy_to_user(ends, fds, sizeof(fds)))
		goto fail_second;
	fd_install(fds[0], reader);
	fd_install(fds[1], writer);
	return 0;

fail_second:
	fd_unreserve(fds[1]);
fail_first:
	fd_unreserve(fds[0]);
fail_files:
	file_put(reader);
	file_put(writer);
	return error;
}

long sys_pipe(int __user *ends)
{
	return sys_pipe2(ends, 0);
}

/* ---- Moving what is in them ---- */

/* A position of the caller's, when there is one. */
static int position_get(loff_t *pos, const loff_t __user *from)
{
	return from && copy_from_user(pos, from, sizeof(*pos)) ? -EFAULT : 0;
}

long sys_splice(int in_fd, loff_t __user *user_in, int out_fd, loff_t __user *user_out, size_t size,
		unsigned int flags)
{
	struct fd_ref in = {}, out = {};
	loff_t in_pos, out_pos;
	ssize_t result = -EBADF;

	if (!size)
		return 0;
	if (flags & ~(unsigned int)SPLICE_F_ALL)
		return -EINVAL;
	in = fd_borrow((unsigned int)in_fd);
	if (!in.file)
		return -EBADF;
	out = fd_borrow((unsigned int)out_fd);
	if (!out.file)
		goto out;
	result = -ESPIPE;
	if ((user_in && pipe_get_size(in.file) > 0) || (user_out && pipe_get_size(out.file) > 0))
		goto out;
	result = position_get(&in_pos, user_in);
	if (!result)
		result = position_get(&out_pos, user_out);
	if (!result)
		result = file_splice(in.file, user_in ? &in_pos : NULL, out.file,
				     user_out ? &out_pos : NULL, size, flags);
	if (result >= 0 && ((user_in && copy_to_user(user_in, &in_pos, sizeof(in_pos))) ||
			    (user_out && copy_to_user(user_out, &out_pos, sizeof(out_pos)))))
		result = -EFAULT;
out:
	fd_release(out);
	fd_release(in);
	return result;
}

long sys_tee(int in_fd, int out_fd, size_t size, unsigned int flags)
{
	struct fd_ref in, out;
	ssize_t result = -EBADF;

	if (flags & ~(unsigned int)SPLICE_F_ALL)
		return -EINVAL;
	if (!size)
		return 0;
	in = fd_borrow((unsigned int)in_fd);
	if (!in.file)
		return -EBADF;
	out = fd_borrow((unsigned int)out_fd);
	if (out.file)
		result = file_tee(in.file, out.file, size, flags);
	fd_release(out);
	fd_release(in);
	return result;
}

long sys_vmsplice(int fd, const struct iovec __user *user, unsigned long count, unsigned int flags)
{
	struct segments segments;
	struct fd_ref ref;
	struct iter iter;
	ssize_t result = -EBADF;

	if (flags & ~(unsigned int)SPLICE_F_ALL)
		return -EINVAL;
	ref = fd_borrow((unsigned int)fd);
	if (!ref.file)
		return -EBADF;
	if (ref.file->mode & (FILE_READ | FILE_WRITE))
		result = segments_get(&segments, &iter, user, count);
	if (!result) {
		result = file_splice_memory(ref.file, &iter, flags);
		segments_put(&segments);
	}
	fd_release(ref);
	return result;
}
