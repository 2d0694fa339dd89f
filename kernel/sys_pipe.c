/* System calls that make pipes. */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/pipe.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>

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
