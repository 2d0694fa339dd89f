/* The segments of readv(2), sendmsg(2) and the like: copied from user space and checked. */
#ifndef KERNEL_SEGMENTS_H
#define KERNEL_SEGMENTS_H

#include <kumo/iter.h>
#include <kumo/page.h>

#define SEGMENTS_INLINE 8
#define TRANSFER_MAX                                                                               \
	(0x7fffffffUL & PAGE_MASK) /* bytes: Linux transfers at most so much in one call */

struct segments {
	struct iovec *list;
	struct iovec inline_list[SEGMENTS_INLINE];
};

/* `iter` runs over them until segments_put(). -EINVAL for more than UIO_MAXIOV, -EFAULT, -ENOMEM: nothing is to be put. */
int segments_get(struct segments *segments, struct iter *iter, const struct iovec __user *user,
		 unsigned long count) __must_check;
void segments_put(struct segments *segments);

#endif
