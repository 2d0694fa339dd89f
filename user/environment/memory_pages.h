/* Bytes of files that are in memory alone (memory_pages.c). cache->mappings_lock is held. */
#ifndef MEMORY_PAGES_H
#define MEMORY_PAGES_H

#include <kumo/iter.h>
#include <kumo/pagecache.h>
#include <kumo/tree.h>

/* Of a tree that reads its pages from nowhere. */
static inline bool is_in_memory(const struct page_cache *cache)
{
	return !cache->node->tree->ops->read_pages;
}
ssize_t memory_read(struct page_cache *cache, struct iter *to, loff_t *pos) __must_check;
ssize_t memory_write(struct page_cache *cache, struct iter *from, loff_t *pos) __must_check; /* -ENOMEM */
void memory_free(struct page_cache *cache, u64 start, u64 end); /* whole pages; of others the bytes become zero */

#endif
