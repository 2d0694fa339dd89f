/* What the files of mm/ that make up the page cache share. */
#ifndef MM_PAGECACHE_INTERNAL_H
#define MM_PAGECACHE_INTERNAL_H

#include "vm_internal.h"
#include <kumo/tree.h>
#include <kumo/writeback.h>

/* The marks of cache->pages. */
enum { PAGES_DIRTY, PAGES_WRITEBACK };

static inline u64 size_in_pages(u64 size)
{
	return (size >> PAGE_SHIFT) + !!(size % PAGE_SIZE);
}

/* Are the bytes of the file somewhere else, too? Then clean pages can be dropped. */
static inline bool cache_is_backed(const struct page_cache *cache)
{
	return cache->node->ops->read_pages;
}

static inline bool cache_is_written_back(const struct page_cache *cache)
{
	return cache->node->ops->write_pages && cache->node->tree->writeback;
}

/* pagecache.c */

/* The page at index with a reference, or NULL. It may still be being read. */
struct page *page_cache_find(struct page_cache *cache, u64 index);
/* Puts `page` in, with a reference for the cache. bounded: not behind the file's end. 0, -EEXIST, -EIO, -ENOMEM. */
int page_cache_insert(struct page_cache *cache, u64 index, struct page *page, bool bounded) __must_check;
/* The page at index, referenced and filled, read with what `ahead` (may be NULL) says to read with it; `wanted`: how many pages
 * from there on the caller is going to ask for. NULL: a hole, which is made a page only if `create`. ERR_PTR(-EIO: it is
 * behind the file's end, or could not be read; -ENOMEM, -EINTR). */
struct page *page_cache_lookup(struct page_cache *cache, u64 index, bool create,
			       struct read_ahead *ahead, unsigned int wanted) __must_check;
/* Begins to read what is missing of `count` pages from `first` on; the one at `mark` gets PG_READ_AHEAD. 0, or why the first one
 * is not to be had. */
int page_cache_read_in(struct page_cache *cache, u64 first, unsigned int count, u64 mark) __must_check;
/* Waits until nobody writes the page of the cache out. Killable: -EINTR. Else a tree whose server does not answer is given up
 * (tree_ops.give_up) once who waits is killed, and has been patient. */
int page_wait_written(struct page_cache *cache, struct page *page, bool killable);
/* Waiters for PG_LOCKED and PG_WRITEBACK of the page look again. */
void page_wake_waiters(struct page *page);

/* read_ahead.c */

/* The page at index is not there: begins to read it, and more if the file is read in order. */
int read_ahead_missing(struct page_cache *cache, struct read_ahead *ahead, u64 index,
		       unsigned int wanted) __must_check;
/* A page with PG_READ_AHEAD was asked for: begins to read the next ones. */
void read_ahead_next(struct page_cache *cache, struct read_ahead *ahead, struct page *page);

/* writeback.c */

/* Pages left the index under cache->lock; those that were dirty are not any more. */
void writeback_forget_locked(struct page_cache *cache, struct page *page);
/* Slows down who makes pages dirty faster than they are written. 0, -EINTR (killed). Sleeps. */
int writeback_throttle(struct page_cache *cache) __must_check;
/* Somebody needs memory that dirty pages take. Any context. */
void writeback_hurry(void);

/* page_lru.c: the order in which pages of backed caches are given up. */
void page_lru_add(struct page *page);
void page_lru_remove(struct page *page); /* before the cache's reference goes */

#endif
