/* Iterators over segments of user or kernel memory (iter.h): the copies that advance them. */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/iter.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>

void iter_init_segments(struct iter *iter, const struct iovec *segments,
			unsigned long segment_count, size_t count)
{
	iter->user = true;
	iter->append = iter->nowait = false;
	iter->count = count;
	iter->offset = 0;
	iter->segments = segments;
	iter->segment_count = segment_count;
}

/* What can be done at the current place in one piece, at most `size`. */
static inline size_t iter_piece(struct iter *iter, size_t size, char **at)
{
	size_t left;

	while ((left = iter->segments->iov_len - iter->offset) == 0) {
		iter->segments++; /* count > 0, so there is one more */
		iter->segment_count--;
		iter->offset = 0;
	}
	*at = (char *)iter->segments->iov_base + iter->offset;
	return min(left, size);
}

size_t iter_peek(struct iter *iter, void **at)
{
	return iter_piece(iter, iter->count, (char **)at);
}

static inline void iter_step(struct iter *iter, size_t size)
{
	iter->offset += size;
	iter->count -= size;
}

/* Copies piece by piece with one of the four functions below. `memory` NULL: zeros. */
typedef size_t (*piece_function)(char *user, char *memory, size_t size); /* bytes not done */

static size_t piece_to_user(char *user, char *memory, size_t size)
{
	return copy_to_user((void __user *)user, memory, size);
}

static size_t piece_from_user(char *user, char *memory, size_t size)
{
	return copy_from_user(memory, (const void __user *)user, size);
}

static size_t piece_to_user_nofault(char *user, char *memory, size_t size)
{
	return copy_to_user_nofault((void __user *)user, memory, size);
}

static size_t piece_from_user_nofault(char *user, char *memory, size_t size)
{
	return copy_from_user_nofault(memory, (const void __user *)user, size);
}

static size_t piece_to_kernel(char *to, char *memory, size_t size)
{
	memcpy(to, memory, size);
	return 0;
}

static size_t piece_from_kernel(char *from, char *memory, size_t size)
{
	memcpy(memory, from, size);
	return 0;
}

static size_t piece_zero_user(char *user, char *memory, size_t size)
{
	return clear_user((void __user *)user, size);
}

static size_t piece_zero_kernel(char *to, char *memory, size_t size)
{
	memset(to, 0, size);
	return 0;
}

static inline size_t iter_each(struct iter *iter, char *memory, size_t size, piece_function function)
{
	size_t done = 0;

	size = min(size, iter->count);
	while (done < size) {
		char *at;
		size_t piece = iter_piece(iter, size - done, &at);
		size_t failed = function(at, memory + done, piece);

		done += piece - failed;
		iter_step(iter, piece - failed);
		if (unlikely(failed))
			break;
	}
	return done;
}

size_t iter_copy_to(struct iter *iter, const void *from, size_t size)
{
	if (likely(iter->user))
		return iter_each(iter, (char *)from, size, piece_to_user);
	return iter_each(iter, (char *)from, size, piece_to_kernel);
}

size_t iter_copy_from(struct iter *iter, void *to, size_t size)
{
	if (likely(iter->user))
		return iter_each(iter, to, size, piece_from_user);
	return iter_each(iter, to, size, piece_from_kernel);
}

size_t iter_copy_to_nofault(struct iter *iter, const void *from, size_t size)
{
	if (likely(iter->user))
		return iter_each(iter, (char *)from, size, piece_to_user_nofault);
	return iter_each(iter, (char *)from, size, piece_to_kernel);
}

size_t iter_copy_from_nofault(struct iter *iter, void *to, size_t size)
{
	if (likely(iter->user))
		return iter_each(iter, to, size, piece_from_user_nofault);
	return iter_each(iter, to, size, piece_from_kernel);
}

size_t iter_zero(struct iter *iter, size_t size)
{
	if (likely(iter->user))
		return iter_each(iter, NULL, size, piece_zero_user);
	return iter_each(iter, NULL, size, piece_zero_kernel);
}

void iter_advance(struct iter *iter, size_t size)
{
	size = min(size, iter->count);
	while (size) {
		char *at;
		size_t piece = iter_piece(iter, size, &at);

		iter_step(iter, piece);
		size -= piece;
	}
}

void iter_revert(struct iter *iter, size_t size)
{
	iter->count += size;
	while (size > iter->offset) {
		size -= iter->offset;
		iter->segments--; /* it was advanced by, so there is one before */
		iter->segment_count++;
		iter->offset = iter->segments->iov_len;
	}
	iter->offset -= size;
}

int iter_fault_in(struct iter *iter, size_t size, bool for_write)
{
	const struct iovec *segment = iter->segments;
	size_t offset = iter->offset;

	if (!iter->user)
		return 0;
	size = min(size, iter->count);
	while (size) {
		unsigned long start, last, address;
		size_t piece = min(segment->iov_len - offset, size);

		if (piece) {
			start = (unsigned long)segment->iov_base + offset;
			last = start + piece - 1;
			if (!user_range_ok((void __user *)start, piece))
				return -EFAULT;
			for (address = start; address <= last;
			     address = ALIGN_DOWN(address, PAGE_SIZE) + PAGE_SIZE) {
				u8 byte;

				if (for_write ? vm_fault(current->mm, address, FAULT_WRITE) != 0
					      : get_user(byte, (u8 __user *)address) != 0)
					return -EFAULT;
			}
		}
		size -= piece;
		offset = 0;
		segment++;
	}
	return 0;
}
EXPORT_SYMBOL(iter_init_segments);
EXPORT_SYMBOL(iter_copy_to);
EXPORT_SYMBOL(iter_copy_from);
EXPORT_SYMBOL(iter_copy_to_nofault);
EXPORT_SYMBOL(iter_copy_from_nofault);
EXPORT_SYMBOL(iter_zero);
EXPORT_SYMBOL(iter_advance);
EXPORT_SYMBOL(iter_revert);
EXPORT_SYMBOL(iter_fault_in);
