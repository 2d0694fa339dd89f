/*
 * Giving pages of the cache back when memory is short: those of backed caches, which can be read again. They stand in one
 * list, oldest first. A page that was used since it was last looked at goes to the end once more, as does one that cannot be
 * dropped now: dirty (write-back is told to hurry), being transferred, in use. Pages that are only mapped are unmapped by a worker:
 * whoever needs them faults them in again, and they count as used.
 *
 * A page in the list has the cache's reference: who takes a page out of a cache takes it out of the list before that goes.
 */
#include "pagecache_internal.h"
#include <kumo/list.h>
#include <kumo/work.h>

#define SCAN_FACTOR 4	/* pages looked at for each that is wanted */
#define UNMAP_PAGES 256 /* looked at by the worker at once */

static spinlock_t lru_lock = SPINLOCK_INIT("page_lru"); /* the list and PG_LRU. A leaf. */
static struct list lru = LIST_INIT(lru);
static struct work unmap_work;

void page_lru_add(struct page *page)
{
	spin_lock(&lru_lock);
	list_add_tail(&lru, &page->lru);
	set_bit(&page->flags, PG_LRU);
	spin_unlock(&lru_lock);
}

void page_lru_remove(struct page *page)
{
	spin_lock(&lru_lock);
	list_del(&page->lru);
	clear_bit(&page->flags, PG_LRU);
	spin_unlock(&lru_lock);
}

/* The oldest page, which becomes the youngest, with a reference. */
static struct page *next_page(void)
{
	struct page *page = NULL;

	spin_lock(&lru_lock);
	if (!list_empty(&lru)) {
		page = list_first(&lru, struct page, lru);
		list_del(&page->lru);
		list_add_tail(&lru, &page->lru);
		page_get(page);
	}
	spin_unlock(&lru_lock);
	return page;
}

enum verdict { DROPPED, USED, DIRTY, MAPPED };

/* Under rcu_read_lock(), which keeps page->cache in memory. */
static enum verdict try_drop(struct page *page)
{
	struct page_cache *cache = READ_ONCE(page->cache);
	enum verdict verdict = USED;

	if (!cache || READ_ONCE(page->flags) & BIT(PG_LOCKED))
		return USED;
	if (READ_ONCE(page->flags) & BIT(PG_REFERENCED)) {
		clear_bit(&page->flags, PG_REFERENCED);
		return USED;
	}
	spin_lock(&cache->lock);
	if (page->cache != cache) {
		verdict = USED;
	} else if (page->flags & (BIT(PG_DIRTY) | BIT(PG_WRITEBACK))) {
		verdict = DIRTY;
	} else if (refcount_read(&page->refs) != 2) { /* the cache's and ours */
		verdict = MAPPED;
	} else {
		xarray_remove(&cache->pages, page->index);
		WRITE_ONCE(page->cache, NULL);
		cache->page_count--;
		verdict = DROPPED;
	}
	spin_unlock(&cache->lock);
	return verdict;
}

/* The shrinker of page.c. */
static bool shrink(unsigned long pages_wanted)
{
	unsigned long dropped = 0, dirty = 0, mapped = 0;
	enum verdict verdict;
	struct page *page;

	for (unsigned long i = 0; i < SCAN_FACTOR * pages_wanted && dropped < pages_wanted; i++) {
		page = next_page();
		if (!page)
			break;
		rcu_read_lock();
		verdict = try_drop(page);
		rcu_read_unlock();
		if (verdict == DROPPED) {
			page_lru_remove(page);
			memory_account_fast(MEMORY_CACHED, -1);
			page_put(page);
			dropped++;
		}
		dirty += verdict == DIRTY;
		mapped += verdict == MAPPED;
		page_put(page);
	}
	if (dirty)
		writeback_hurry();
	if (mapped && dropped < pages_wanted)
		work_queue(&unmap_work);
	return dropped || dirty || mapped;
}

/* The node of a page's cache, with a reference; NULL: it is going. */
static struct node *node_of(struct page *page)
{
	struct page_cache *cache;
	struct node *node = NULL;

	rcu_read_lock();
	cache = READ_ONCE(page->cache);
	if (cache && refcount_inc_not_zero(&cache->node->refs))
		node = cache->node;
	rcu_read_unlock();
	return node;
}

static void unmap_old_pages(struct work *work)
{
	struct page *page;
	struct node *node;

	for (unsigned int i = 0; i < UNMAP_PAGES && (page = next_page()); i++) {
		node = READ_ONCE(page->flags) & BIT(PG_REFERENCED) ? NULL : node_of(page);
		if (node) {
			page_cache_unmap(node->cache, page->index, page->index, UNMAP_FROM_ALL);
			node_put(node);
		}
		page_put(page);
	}
}

static struct shrinker shrinker = { .shrink = shrink };

void __init page_lru_start(void)
{
	work_init(&unmap_work, unmap_old_pages);
	shrinker_register(&shrinker);
}
