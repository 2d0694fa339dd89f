/* Iterators, over memory of this process in one piece. */
#include <kumo/iter.h>
#include <kumo/string.h>
#include <stdlib.h>

static char *iter_at(struct iter *iter, size_t size)
{
	char *at = (char *)iter->segments->iov_base + iter->offset;

	if (iter->segment_count != 1 || size > iter->count)
		abort();
	iter->offset += size;
	iter->count -= size;
	return at;
}

size_t iter_copy_to(struct iter *iter, const void *from, size_t size)
{
	size = min(size, iter->count);
	memcpy(iter_at(iter, size), from, size);
	return size;
}

size_t iter_copy_from(struct iter *iter, void *to, size_t size)
{
	size = min(size, iter->count);
	memcpy(to, iter_at(iter, size), size);
	return size;
}

size_t iter_peek(struct iter *iter, void **at)
{
	*at = (char *)iter->segments->iov_base + iter->offset;
	return iter->count;
}

void iter_advance(struct iter *iter, size_t size)
{
	iter_at(iter, size);
}
