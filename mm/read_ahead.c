/*
 * Reading before it is asked for. A file that is read in order through one descriptor has the next pages read while the
 * program works on those that it has: each time twice as many, up to READ_AHEAD_PAGES. In the middle of what was read lies a page
 * marked PG_READ_AHEAD; whoever comes to it has the next batch begun. Any other order reads what is asked for, and
 * begins anew.
 */
#include "pagecache_internal.h"

#define READ_AHEAD_PAGES 64U /* 256 KiB */
#define READ_AHEAD_FIRST 4U
#define ASKED_PAGES 512U /* 2 MiB: what is read because somebody says so */

/* Begins the next batch, of `window` pages at ahead->next. */
static int read_batch(struct page_cache *cache, struct read_ahead *ahead, unsigned int window,
		      bool in_order)
{
	u64 first = ahead->next;

	ahead->window = window;
	ahead->next = first + window;
	return page_cache_read_in(cache, first, window, in_order ? first + window / 2 : ~0ULL);
}

/* The window after one of `window` pages. */
static unsigned int next_window(unsigned int window, unsigned int wanted)
{
	return clamp(max(2 * window, wanted), READ_AHEAD_FIRST, READ_AHEAD_PAGES);
}

int read_ahead_missing(struct page_cache *cache, struct read_ahead *ahead, u64 index, unsigned int wanted)
{
	/* From the start, or where the last batch ended, or within it: something was given up meanwhile. */
	bool in_order = index == 0 || (index <= ahead->next && index + ahead->window >= ahead->next);
	unsigned int window = in_order ? next_window(ahead->window, wanted)
				       : min(wanted, READ_AHEAD_PAGES);

	ahead->next = index;
	return read_batch(cache, ahead, window, in_order);
}

void read_ahead_next(struct page_cache *cache, struct read_ahead *ahead, struct page *page)
{
	clear_bit(&page->flags, PG_READ_AHEAD);
	if (page->index >= ahead->next) /* another descriptor's */
		return;
	/* That these cannot be read is for whoever asks for them. */
	(void)read_batch(cache, ahead, next_window(ahead->window, 0), true);
}

void page_cache_read_ahead(struct page_cache *cache, u64 start, u64 end)
{
	u64 first = start >> PAGE_SHIFT, after = size_in_pages(min(end, node_size(cache->node)));
	unsigned int count;

	if (!cache_is_backed(cache))
		return;
	after = min(after, first + ASKED_PAGES);
	for (; first < after; first += count) {
		count = (unsigned int)min(after - first, (u64)READ_AHEAD_PAGES);
		if (page_cache_read_in(cache, first, count, ~0ULL))
			return; /* advice: whoever asks for them is told why */
	}
}
