/*
 * Where bytes of a read go to, or of a write come from: segments of user or kernel memory. Passed down through the
 * tree operations; each copy advances it.
 */
#ifndef KUMO_ITER_H
#define KUMO_ITER_H

#include <kumo/types.h>
#include <linux/uio.h>

struct iter {
	bool user;   /* segments lie in user space */
	bool append; /* written at the file's end: RWF_APPEND */
	bool nowait; /* -EAGAIN rather than waiting: RWF_NOWAIT, asked only of operations that can_nowait */
	size_t count;  /* bytes left in all */
	size_t offset; /* into the first segment */
	const struct iovec *segments;
	unsigned long segment_count;
	struct iovec single; /* the common case of one buffer: segments points here */
};

static inline void iter_init_user(struct iter *iter, void __user *buffer, size_t size)
{
	iter->user = true;
	iter->append = false;
	iter->nowait = false;
	iter->count = size;
	iter->offset = 0;
	iter->single.iov_base = buffer;
	iter->single.iov_len = size;
	iter->segments = &iter->single;
	iter->segment_count = 1;
}

static inline void iter_init_kernel(struct iter *iter, const void *buffer, size_t size)
{
	iter_init_user(iter, (void *)buffer, size);
	iter->user = false;
}

/* Over segments that the caller keeps alive (readv, writev); count is their sum. */
void iter_init_segments(struct iter *iter, const struct iovec *segments,
			unsigned long segment_count, size_t count);

/* Copy at most `size` bytes, advance, and return how many were copied: less than asked only at the iterator's end or at a
 * fault (then iter->count stays above zero; nothing copied at all: return -EFAULT to the caller). May sleep. */
size_t iter_copy_to(struct iter *iter, const void *from, size_t size) __must_check;
size_t iter_copy_from(struct iter *iter, void *to, size_t size) __must_check;
size_t iter_zero(struct iter *iter, size_t size) __must_check;
void iter_advance(struct iter *iter, size_t size);
/* Where the next bytes are, and how many lie there together; iter->count must not be 0. */
size_t iter_peek(struct iter *iter, void **at);
/* How much lies in the first segment that is left. */
static inline size_t iter_peek_size(const struct iter *iter)
{
	return iter->count ? iter->segments->iov_len - iter->offset : 0;
}
/* Takes back what was advanced by, after a partial failure. */
void iter_revert(struct iter *iter, size_t size);
/* Faults the next `size` bytes in, so that a _nofault copy under a page lock will succeed. 0 or -EFAULT. */
int iter_fault_in(struct iter *iter, size_t size, bool for_write) __must_check;
/* As iter_copy_*, but stops instead of sleeping when a page is not there. For use under page locks. */
size_t iter_copy_to_nofault(struct iter *iter, const void *from, size_t size) __must_check;
size_t iter_copy_from_nofault(struct iter *iter, void *to, size_t size) __must_check;

#endif
