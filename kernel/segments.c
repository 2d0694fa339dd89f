/* Segments of user memory, for calls that take several. */
#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/uaccess.h>

#include "segments.h"

int segments_get(struct segments *segments, struct iter *iter, const struct iovec __user *user,
		 unsigned long count)
{
	size_t total = 0;

	segments->list = segments->inline_list;
	if (count > UIO_MAXIOV)
		return -EINVAL;
	if (count > SEGMENTS_INLINE) {
		segments->list = kmalloc(count * sizeof(*user), GFP_KERNEL);
		if (!segments->list)
			return -ENOMEM;
	}
	if (copy_from_user(segments->list, user, count * sizeof(*user)))
		goto fault;
	for (unsigned long i = 0; i < count; i++) {
		struct iovec *segment = &segments->list[i];

		if ((ssize_t)segment->iov_len < 0) {
			if (segments->list != segments->inline_list)
				kfree(segments->list);
			return -EINVAL;
		}
		if (!user_range_ok(segment->iov_base, segment->iov_len))
			goto fault;
		segment->iov_len = min(segment->iov_len, TRANSFER_MAX - total);
		total += segment->iov_len;
	}
	iter_init_segments(iter, segments->list, count, total);
	return 0;
fault:
	if (segments->list != segments->inline_list)
		kfree(segments->list);
	return -EFAULT;
}

void segments_put(struct segments *segments)
{
	if (segments->list != segments->inline_list)
		kfree(segments->list);
}
