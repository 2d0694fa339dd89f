/* System calls on event sets: epoll(7). */
#include <kumo/epoll.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/signal.h>
#include <kumo/syscalls.h>
#include <kumo/time.h>
#include <kumo/uaccess.h>
#include <linux/eventpoll.h>

#include "process.h"

#define EVENTS_MOST (0x7fffffff / (int)sizeof(struct epoll_event))

long sys_epoll_create1(int flags)
{
	return flags & ~EPOLL_CLOEXEC ? -EINVAL : epoll_create_fd((u32)flags);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : epoll_create_fd(0);
}

long sys_epoll_ctl(unsigned int set_fd, int operation, unsigned int fd,
		   struct epoll_event __user *user_event)
{
	struct epoll_event event = {};
	struct fd_ref set, target;
	long error = -EBADF;

	if (operation != EPOLL_CTL_DEL && copy_from_user(&event, user_event, sizeof(event)))
		return -EFAULT;
	set = fd_borrow(set_fd);
	if (!set.file)
		return -EBADF;
	target = fd_borrow(fd);
	if (!target.file)
		goto out;
	error = -EPERM;
	if (!target.file->ops->poll)
		goto out_target;
	error = -EINVAL;
	if (set.file != target.file && file_is_epoll(set.file))
		error = epoll_control(set.file, operation, target.file, fd, &event);
out_target:
	fd_release(target);
out:
	fd_release(set);
	return error;
}

static long wait_for_events(unsigned int fd, struct epoll_event __user *events, int limit, u64 deadline_ns)
{
	struct fd_ref set;
	long result;

	if (limit <= 0 || limit > EVENTS_MOST)
		return -EINVAL;
	if (!user_range_ok(events, (size_t)limit * sizeof(*events)))
		return -EFAULT;
	set = fd_borrow(fd);
	if (!set.file)
		return -EBADF;
	result = -EINVAL;
	if (file_is_epoll(set.file))
		result = epoll_wait_events(set.file, events, limit, deadline_ns);
	fd_release(set);
	return result;
}

static u64 deadline_of_ms(int timeout_ms)
{
	return timeout_ms < 0 ? WAIT_FOREVER
	       : timeout_ms   ? time_monotonic_ns() + (u64)timeout_ms * NSEC_PER_MSEC
			      : 0;
}

long sys_epoll_wait(unsigned int fd, struct epoll_event __user *events, int limit, int timeout_ms)
{
	return wait_for_events(fd, events, limit, deadline_of_ms(timeout_ms));
}

static long wait_with_mask(unsigned int fd, struct epoll_event __user *events, int limit,
			   u64 deadline_ns, const sigset_t __user *mask, size_t mask_size)
{
	long result = signal_mask_swap(mask, mask_size);

	if (result)
		return result;
	result = wait_for_events(fd, events, limit, deadline_ns);
	signal_mask_restore(result == -EINTR);
	return result;
}

long sys_epoll_pwait(unsigned int fd, struct epoll_event __user *events, int limit, int timeout_ms,
		     const sigset_t __user *mask, size_t mask_size)
{
	return wait_with_mask(fd, events, limit, deadline_of_ms(timeout_ms), mask, mask_size);
}

long sys_epoll_pwait2(unsigned int fd, struct epoll_event __user *events, int limit,
		      const struct __kernel_timespec __user *user_timeout,
		      const sigset_t __user *mask, size_t mask_size)
{
	struct __kernel_timespec timeout;
	u64 deadline_ns = WAIT_FOREVER;

	if (user_timeout) {
		if (copy_from_user(&timeout, user_timeout, sizeof(timeout)))
			return -EFAULT;
		if (!timespec_valid(&timeout))
			return -EINVAL;
		deadline_ns = timeout.tv_sec || timeout.tv_nsec ? deadline_after(&timeout) : 0;
	}
	return wait_with_mask(fd, events, limit, deadline_ns, mask, mask_size);
}
