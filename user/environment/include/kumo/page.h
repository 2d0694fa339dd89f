/*
 * Pages, in a process: what passes between the files of a tree and the library that reads and writes them (file.c of this
 * folder). Nothing is cached: a page lives for one read or write.
 */
#ifndef KUMO_PAGE_H
#define KUMO_PAGE_H

#include <kumo/list.h>
#include <kumo/rcu.h>
#include <kumo/refcount.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL

struct page_cache;

struct page {
	struct page_cache *cache;
	u64 index; /* offset in pages */
	void *address;
	int error; /* of its read or write, once that is done */
};

static inline void *page_address(const struct page *page)
{
	return page->address;
}

/* Of a file that is in memory alone: it goes with the file. */
static inline void page_put(struct page *page)
{
}

struct memory_info {
	u64 total_pages, free_pages;
};
void memory_info(struct memory_info *info);

enum { GFP_KERNEL = 0, GFP_ATOMIC = 1, GFP_ZERO = 2, GFP_NOWARN = 8, GFP_USER = 16, GFP_CORE = 32 };

#endif
