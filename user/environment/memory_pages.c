/* Bytes of files that are in memory alone: the RAM tree's, in a process. What has no page is a hole of zeros. */
#include "memory_pages.h"

#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/slab.h>
#include <kumo/string.h>

/* The page at index, made at need; NULL: no memory. */
static struct page *page_make(struct page_cache *cache, u64 index)
{
	struct page *page = xarray_load(&cache->pages, index);

	if (page)
		return page;
	page = kzalloc(sizeof(*page) + PAGE_SIZE, GFP_USER);
	if (!page)
		return NULL;
	*page = (struct page){ .cache = cache, .index = index, .address = page + 1 };
	if (xarray_store(&cache->pages, index, page, GFP_KERNEL)) {
		kfree(page);
		return NULL;
	}
	cache->page_count++;
	return page;
}

struct page *page_cache_get(struct page_cache *cache, u64 index, bool create)
{
	struct page *page;

	mutex_lock(&cache->mappings_lock);
	page = create ? page_make(cache, index) : xarray_load(&cache->pages, index);
	mutex_unlock(&cache->mappings_lock);
	return !page && create ? ERR_PTR(-ENOMEM) : page;
}

ssize_t memory_read(struct page_cache *cache, struct iter *to, loff_t *pos)
{
	static const char zeros[PAGE_SIZE];
	size_t done = 0;

	while (to->count && (u64)*pos < node_size(cache->node)) {
		u64 at = (u64)*pos, in_page = at % PAGE_SIZE;
		size_t part = min(PAGE_SIZE - in_page, node_size(cache->node) - at);
		const struct page *page = xarray_load(&cache->pages, at >> PAGE_SHIFT);

		part = iter_copy_to(to, page ? (const char *)page->address + in_page : zeros, part);
		*pos += (loff_t)part;
		done += part;
	}
	return (ssize_t)done;
}

ssize_t memory_write(struct page_cache *cache, struct iter *from, loff_t *pos)
{
	struct node *node = cache->node;
	size_t done = 0;

	while (from->count) {
		u64 at = (u64)*pos, in_page = at % PAGE_SIZE;
		struct page *page = page_make(cache, at >> PAGE_SHIFT);
		size_t part;

		if (!page)
			break;
		part = iter_copy_from(from, (char *)page->address + in_page, PAGE_SIZE - in_page);
		*pos += (loff_t)part;
		done += part;
		if ((u64)*pos > node_size(node))
			node_set_size(node, (u64)*pos);
	}
	if (done)
		node_touch(node, false, true, true);
	return done || !from->count ? (ssize_t)done : -ENOMEM;
}

void memory_free(struct page_cache *cache, u64 start, u64 end)
{
	u64 index = start >> PAGE_SHIFT;
	struct page *page;

	while ((page = xarray_find(&cache->pages, &index)) && index << PAGE_SHIFT < end) {
		u64 base = index << PAGE_SHIFT, from = max(start, base),
		    to = min(end, base + PAGE_SIZE);

		if (to - from == PAGE_SIZE) {
			xarray_remove(&cache->pages, index);
			cache->page_count--;
			kfree(page);
		} else {
			memset((char *)page->address + (from - base), 0, to - from);
		}
		index++;
	}
}

/* Holes are not told from zeros. */
loff_t page_cache_seek(struct file *file, loff_t offset, int whence)
{
	return file_seek_size(file, offset, whence, node_size(file->node));
}
