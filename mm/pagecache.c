/*
 * The page cache: the bytes of a file, page by page.
 *
 * A page in the cache has one reference for the cache; whoever uses it has another, taken under cache->lock, which all
 * lookups and changes of the index hold for a moment.
 *
 * A tree with read_pages keeps its bytes elsewhere. A page that it shall fill is put in locked (PG_LOCKED) and not yet
 * PG_UPTODATE, with a reference for the transfer; page_read_done() ends that. Others who want the page wait for its lock. When
 * the transfer failed, each of them tries once more for itself. Trees without read_pages keep their files here alone: a page
 * that is missing is a hole of zeros.
 *
 * Truncation: the caller has lowered the size, so that nobody adds pages behind it (insert() looks under cache->lock);
 * pages leave the index with page->cache cleared, and then all mappings lose them (see fault.c for why none comes back). It
 * does not wait for pages being read, which go with their last reference, but for those being written: the tree may give what
 * they are written to to another file.
 *
 * Dirty pages and how they get written: writeback.c. Reading before it is asked for: read_ahead.c. read(2), write(2) and
 * mappings: file_io.c. Giving pages back: page_reclaim.c.
 */
#include "pagecache_internal.h"
#include <kumo/block_pages.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/printk.h>
#include <kumo/serve.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/wait.h>

#define LOCK_QUEUES 16
#define REMOVE_BATCH 32
#define READ_RUN 64 /* pages that a tree is asked for at once */

static struct wait_queue lock_queues[LOCK_QUEUES]; /* threads that wait for PG_LOCKED or PG_WRITEBACK, by page */

static inline struct wait_queue *lock_queue(struct page *page)
{
	return &lock_queues[hash_u64((u64)page) % LOCK_QUEUES];
}

void __init page_cache_start(void)
{
	for (unsigned int i = 0; i < LOCK_QUEUES; i++)
		wait_queue_init(&lock_queues[i]);
}

/* Called after a bit was cleared by a full barrier: a waiter that counts itself later finds it clear. */
void page_wake_waiters(struct page *page)
{
	if (unlikely(READ_ONCE(page->waiters)))
		wake_up_all(lock_queue(page));
}

#define page_wait(page, condition, mode, deadline_ns)                                              \
	({                                                                                         \
		int error_;                                                                        \
		__atomic_fetch_add(&(page)->waiters, 1, __ATOMIC_SEQ_CST);                         \
		error_ = wait_event_mode(lock_queue(page), condition, mode, false, deadline_ns);   \
		__atomic_fetch_sub(&(page)->waiters, 1, __ATOMIC_SEQ_CST);                         \
		error_ ? -EINTR : 0;                                                               \
	})

int page_lock(struct page *page)
{
	if (likely(!test_and_set_bit(&page->flags, PG_LOCKED)))
		return 0;
	return page_wait(page, !test_and_set_bit(&page->flags, PG_LOCKED), WAIT_KILLABLE, WAIT_FOREVER);
}
EXPORT_SYMBOL(page_lock);

void page_unlock(struct page *page)
{
	clear_bit(&page->flags, PG_LOCKED);
	page_wake_waiters(page);
}
EXPORT_SYMBOL(page_unlock);

#define PATIENCE_NS                                                                                \
	(10 * (u64)NSEC_PER_SEC) /* of who cannot be killed any more, for a page to be written */

static bool is_written(const struct page *page)
{
	return !(READ_ONCE(page->flags) & BIT(PG_WRITEBACK));
}

/* Who waits has waited for long. If he was killed, or ends, the tree is not to wait any more for whoever serves it. */
static void lose_patience(struct tree *tree)
{
	struct tree_visit visit;

	if (!fatal_signal_pending() && !(current->flags & THREAD_FLAG_EXITING))
		return;
	if (!tree->ops->give_up || tree_enter_nowait(tree, &visit))
		return;
	tree->ops->give_up(tree);
	tree_leave(&visit);
}

int page_wait_written(struct page_cache *cache, struct page *page, bool killable)
{
	int error = 0;

	if (is_written(page))
		return 0;
	if (killable)
		return page_wait(page, is_written(page), WAIT_KILLABLE, WAIT_FOREVER);
	do {
		if (error)
			lose_patience(cache->node->tree);
		error = page_wait(page, is_written(page), WAIT_NORMAL,
				  time_monotonic_ns() + PATIENCE_NS);
	} while (error);
	return 0;
}

void page_cache_init(struct page_cache *cache, struct node *node)
{
	*cache = (struct page_cache){ .node = node, .pages = XARRAY_INIT };
	spin_init(&cache->lock, "page_cache");
	mutex_init(&cache->mappings_lock, "mappings");
	list_init(&cache->mappings);
	list_init(&cache->dirty_link);
}
EXPORT_SYMBOL(page_cache_init);

/* ---- The index ---- */

struct page *page_cache_find(struct page_cache *cache, u64 index)
{
	struct page *page;

	spin_lock(&cache->lock);
	page = xarray_load(&cache->pages, index);
	if (page)
		page_get(page);
	spin_unlock(&cache->lock);
	return page;
}

int page_cache_insert(struct page_cache *cache, u64 index, struct page *page, bool bounded)
{
	int error = 0;

	page->waiters = 0;
	page->private = NULL;
	page->cache = cache;
	page->index = index;
	spin_lock(&cache->lock);
	if (bounded && index >= size_in_pages(node_size(cache->node)))
		error = -EIO;
	else if (xarray_load(&cache->pages, index))
		error = -EEXIST;
	else
		error = xarray_store(&cache->pages, index, page, GFP_ATOMIC);
	if (!error) {
		page_get(page);
		cache->page_count++;
		/* Under the lock: whoever takes the page out must find it in the list, or it would stay there when it is freed. */
		if (cache_is_backed(cache))
			page_lru_add(page);
	}
	spin_unlock(&cache->lock);
	if (error) {
		page->cache = NULL;
		return error;
	}
	memory_account_fast(MEMORY_CACHED, 1);
	return 0;
}

/* ---- Filling ---- */

void page_read_done(struct page *page, int error)
{
	if (!error)
		set_bit(&page->flags, PG_UPTODATE);
	page_unlock(page);
	page_put(page);
}
EXPORT_SYMBOL(page_read_done);

/* A page that its tree shall fill: locked, with the reference of the transfer. */
static struct page *insert_for_reading(struct page_cache *cache, u64 index)
{
	struct page *page = page_alloc(0, GFP_USER);
	int error;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page->flags = BIT(PG_LOCKED);
	error = page_cache_insert(cache, index, page, true);
	if (!error)
		return page;
	page_put(page);
	return ERR_PTR(error);
}

/* Inside the instance that is to read. */
static int read_in(struct page_cache *cache, u64 first, unsigned int count, u64 mark)
{
	struct page *run[READ_RUN], *page;
	unsigned int length = 0;
	int error = 0;

	for (u64 index = first; index < first + count; index++) {
		page = insert_for_reading(cache, index);
		if (IS_ERR(page) || length == READ_RUN) {
			if (length)
				cache->node->ops->read_pages(cache->node, run, length);
			length = 0;
		}
		if (!IS_ERR(page)) {
			if (index == mark)
				set_bit(&page->flags, PG_READ_AHEAD);
			run[length++] = page;
			continue;
		}
		if (PTR_ERR(page) == -EEXIST)
			continue;
		if (index == first)
			error = (int)PTR_ERR(page);
		break;
	}
	if (length)
		cache->node->ops->read_pages(cache->node, run, length);
	return error;
}

int page_cache_read_in(struct page_cache *cache, u64 first, unsigned int count, u64 mark)
{
	struct tree_visit visit;
	int error = node_enter(cache->node, &visit); /* before any page is locked */

	if (error)
		return error;
	error = read_in(cache, first, count, mark);
	tree_leave(&visit);
	return error;
}

/* What of the page there is, once nobody fills it: 0: it is there; 1: nobody could; -EAGAIN: it left the cache; -EINTR. */
static int filled(struct page_cache *cache, struct page *page)
{
	int error = page_lock(page);

	if (error)
		return error;
	if (!(page->flags & BIT(PG_UPTODATE)))
		error = READ_ONCE(page->cache) == cache ? 1 : -EAGAIN;
	page_unlock(page);
	return error;
}

/* Tries to read a page that others could not; inside the instance. Results as before. */
static int fill_again(struct page_cache *cache, struct page *page)
{
	int error = page_lock(page);

	if (error)
		return error;
	if (page->flags & BIT(PG_UPTODATE) || READ_ONCE(page->cache) != cache) {
		page_unlock(page);
	} else {
		page_get(page);
		cache->node->ops->read_pages(cache->node, &page, 1); /* unlocks it */
	}
	return filled(cache, page);
}

/* Waits until a page that is being read is there. -EAGAIN: it left the cache meanwhile. Else 0, -EIO, -ESTALE, -EINTR. */
static int wait_filled(struct page_cache *cache, struct page *page)
{
	struct tree_visit visit;
	bool lost = true;
	int result;

	if (likely(READ_ONCE(page->flags) & BIT(PG_UPTODATE)))
		return 0;
	result = filled(cache, page);
	while (result > 0 && lost) {
		result = node_enter(cache->node, &visit);
		if (result)
			return result;
		result = fill_again(cache, page);
		lost = tree_is_losing(cache->node->tree);
		tree_leave(&visit);
		if (result > 0 && lost && tree_is_inside(cache->node->tree))
			return -ETREELOST; /* who is inside cannot wait for the next one */
	}
	return result > 0 ? -EIO : result;
}

/* A page of zeros where there was none. */
static struct page *insert_zeroed(struct page_cache *cache, u64 index, bool bounded)
{
	struct page *page = page_alloc(0, GFP_USER | GFP_ZERO);
	int error;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page->flags = BIT(PG_UPTODATE);
	error = page_cache_insert(cache, index, page, bounded);
	if (!error)
		return page;
	page_put(page);
	return ERR_PTR(error);
}

/* A page that was found: referenced and filled, or ERR_PTR. */
static struct page *use_found(struct page_cache *cache, struct page *page, struct read_ahead *ahead)
{
	unsigned long flags = READ_ONCE(page->flags);
	int error;

	if (unlikely(flags & BIT(PG_READ_AHEAD)) && ahead)
		read_ahead_next(cache, ahead, page);
	if (!(flags & BIT(PG_REFERENCED)) && flags & BIT(PG_LRU))
		set_bit(&page->flags, PG_REFERENCED);
	error = wait_filled(cache, page);
	if (likely(!error))
		return page;
	page_put(page);
	return ERR_PTR(error);
}

static struct page *lookup(struct page_cache *cache, u64 index, bool create, bool bounded,
			   struct read_ahead *ahead, unsigned int wanted)
{
	struct page *page;
	int error;

	for (;;) {
		page = page_cache_find(cache, index);
		if (likely(page)) {
			page = use_found(cache, page, ahead);
			if (likely(!IS_ERR(page)) || PTR_ERR(page) != -EAGAIN)
				return page;
			continue;
		}
		if (cache_is_backed(cache)) {
			error = ahead ? read_ahead_missing(cache, ahead, index, wanted)
				      : page_cache_read_in(cache, index, wanted, ~0ULL);
			if (error)
				return ERR_PTR(error);
			continue;
		}
		if (!create)
			return NULL;
		page = insert_zeroed(cache, index, bounded);
		if (!IS_ERR(page) || PTR_ERR(page) != -EEXIST)
			return page;
	}
}

struct page *page_cache_lookup(struct page_cache *cache, u64 index, bool create,
			       struct read_ahead *ahead, unsigned int wanted)
{
	return lookup(cache, index, create, true, ahead, wanted);
}

struct page *page_cache_get(struct page_cache *cache, u64 index, bool create)
{
	return lookup(cache, index, create, false, NULL, 1);
}
EXPORT_SYMBOL(page_cache_get);

struct page *page_cache_get_new(struct page_cache *cache, u64 index)
{
	struct page *page;

	do {
		page = page_cache_find(cache, index);
		page = page ? use_found(cache, page, NULL) : insert_zeroed(cache, index, true);
	} while (IS_ERR(page) && (PTR_ERR(page) == -EEXIST || PTR_ERR(page) == -EAGAIN));
	return page;
}
EXPORT_SYMBOL(page_cache_get_new);

int page_cache_adopt(struct page_cache *cache, u64 index, struct page *page)
{
	int error;

	page->flags = BIT(PG_UPTODATE) | BIT(PG_DIRTY);
	error = page_cache_insert(cache, index, page, false);
	if (!error)
		page_put(page); /* the caller's reference; the cache has its own */
	return error;
}
EXPORT_SYMBOL(page_cache_adopt);

/* ---- Truncation ---- */

void page_cache_unmap(struct page_cache *cache, u64 first_page, u64 last_page, enum unmap_reach reach)
{
	const unsigned int writers = VM_SHARED | VM_MAYWRITE;
	struct unmap_batch batch;
	u64 first, last;
	struct vma *vma;

	smp_mb(); /* the page's state was changed before mappings are looked for; pairs with the lock of a table in fault.c */
	if (list_empty(&cache->mappings))
		return;
	mutex_lock(&cache->mappings_lock);
	list_for_each(vma, &cache->mappings, cache_link) {
		if (reach == UNMAP_FROM_WRITERS && (vma->flags & writers) != writers)
			continue;
		first = max(first_page, vma->offset_pages);
		last = min(last_page, vma->offset_pages + ((vma->end - vma->start) >> PAGE_SHIFT) - 1);
		if (first > last)
			continue;
		unmap_batch_init(&batch, vma->mm, false);
		unmap_entries(&batch, vma->start + ((first - vma->offset_pages) << PAGE_SHIFT),
			      vma->start + ((last - vma->offset_pages + 1) << PAGE_SHIFT),
			      reach != UNMAP_AND_COPIES);
		unmap_batch_finish(&batch);
		cond_resched();
	}
	mutex_unlock(&cache->mappings_lock);
}

/* What leaves the cache: unused is what is clean, and nobody has a reference to. */
enum removal { REMOVE_ALL, REMOVE_CLEAN, REMOVE_UNUSED };

static bool is_used(const struct page *page)
{
	return READ_ONCE(page->flags) & BIT(PG_LOCKED) || refcount_read(&page->refs) != 1;
}

/* Takes up to REMOVE_BATCH pages of [*first, last] out. `busy`: the one that it met being written, referenced, or NULL. */
static unsigned int take_out(struct page_cache *cache, u64 *first, u64 last, enum removal removal,
			     struct page **pages, struct page **busy)
{
	const unsigned long unclean = BIT(PG_DIRTY) | BIT(PG_WRITEBACK);
	unsigned int count = 0;
	struct page *page;

	*busy = NULL;
	spin_lock(&cache->lock);
	for (; count < REMOVE_BATCH && (page = xarray_find(&cache->pages, first)) && *first <= last;
	     ++*first) {
		if (unlikely(page->flags & unclean)) {
			if (removal != REMOVE_ALL)
				continue;
			if (page->flags & BIT(PG_WRITEBACK)) {
				page_get(page);
				*busy = page;
				break;
			}
			writeback_forget_locked(cache, page);
		}
		if (removal == REMOVE_UNUSED && is_used(page))
			continue;
		xarray_remove(&cache->pages, *first);
		WRITE_ONCE(page->cache, NULL);
		cache->page_count--;
		pages[count++] = page;
	}
	spin_unlock(&cache->lock);
	return count;
}

/* -EINTR: killed while another than a disk did not come to the end of writing a page; the rest stays. Disks answer in time. */
static int remove_range(struct page_cache *cache, u64 first, u64 last, enum removal removal)
{
	bool killable = !cache->node->ops->block_map;
	struct page *pages[REMOVE_BATCH], *busy;
	unsigned int count;
	int error = 0;

	do {
		count = take_out(cache, &first, last, removal, pages, &busy);
		for (unsigned int i = 0; i < count; i++)
			if (pages[i]->flags & BIT(PG_LRU))
				page_lru_remove(pages[i]);
		memory_account_fast(MEMORY_CACHED, -(long)count);
		page_put_many(pages, count);
		if (busy) {
			error = page_wait_written(cache, busy, killable);
			page_put(busy);
		}
		cond_resched();
	} while ((count == REMOVE_BATCH || busy) && !error);
	return error;
}

/* Is nothing stored of the range? Then its page is dirty already, or all zeros. */
static bool is_hole(struct node *node, u64 offset, u64 length)
{
	const struct block_map_ops *map = node->ops->block_map;
	struct block_extent extent = {};

	return map && !map->map(node, offset, length, false, &extent) &&
	       (extent.kind == EXTENT_HOLE || extent.kind == EXTENT_UNWRITTEN) &&
	       extent.offset + extent.length >= offset + length;
}

/* Zeroes bytes [from, to) of the page at index, if the file has any there. */
static int zero_part(struct page_cache *cache, u64 index, u64 from, u64 to)
{
	struct page *page = lookup(cache, index, false, true, NULL, 1);

	if (IS_ERR(page)) /* behind the end there is nothing to zero */
		return index >= size_in_pages(node_size(cache->node)) ? 0 : (int)PTR_ERR(page);
	if (!page)
		return 0;
	memset((char *)page_address(page) + from, 0, to - from);
	smp_mb(); /* then the look: write-back that has begun before may have read what was there; pairs with begin_writing() */
	if (READ_ONCE(page->flags) & BIT(PG_WRITEBACK) ||
	    !is_hole(cache->node, (index << PAGE_SHIFT) + from, to - from))
		page_cache_mark_dirty(page);
	page_put(page);
	return 0;
}

int page_cache_truncate(struct page_cache *cache, u64 size)
{
	u64 first = size_in_pages(size);
	int error = remove_range(cache, first, ~0ULL, REMOVE_ALL);

	page_cache_unmap(cache, first, ~0ULL, UNMAP_AND_COPIES);
	if (error)
		return error;
	return size % PAGE_SIZE ? zero_part(cache, size >> PAGE_SHIFT, size % PAGE_SIZE, PAGE_SIZE) : 0;
}
EXPORT_SYMBOL(page_cache_truncate);

int page_cache_punch(struct page_cache *cache, u64 start, u64 end)
{
	u64 first = size_in_pages(start), last = end >> PAGE_SHIFT; /* whole pages: [first, last) */
	int error = 0;

	if (WARN_ON(start > end))
		return -EINVAL;
	if (first < last) {
		error = remove_range(cache, first, last - 1, REMOVE_ALL);
		page_cache_unmap(cache, first, last - 1, UNMAP_FROM_ALL);
	}
	if (error)
		return error;
	if (start >> PAGE_SHIFT == last)
		return zero_part(cache, last, start % PAGE_SIZE, end % PAGE_SIZE);
	if (start % PAGE_SIZE)
		error = zero_part(cache, start >> PAGE_SHIFT, start % PAGE_SIZE, PAGE_SIZE);
	if (end % PAGE_SIZE && !error)
		error = zero_part(cache, last, 0, end % PAGE_SIZE);
	return error;
}
EXPORT_SYMBOL(page_cache_punch);

void page_cache_extend(struct page_cache *cache, u64 size)
{
	struct page *page = size % PAGE_SIZE ? page_cache_find(cache, size >> PAGE_SHIFT) : NULL;

	if (!page)
		return;
	if (page->flags & BIT(PG_UPTODATE))
		memset((char *)page_address(page) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
	page_put(page);
}
EXPORT_SYMBOL(page_cache_extend);

void page_cache_drop(struct page_cache *cache, u64 start, u64 end)
{
	u64 first = start >> PAGE_SHIFT, last = size_in_pages(end) - 1;

	if (start >= end)
		return;
	(void)remove_range(cache, first, last, REMOVE_CLEAN); /* waits for nothing */
	page_cache_unmap(cache, first, last, UNMAP_FROM_ALL);
}
EXPORT_SYMBOL(page_cache_drop);

void page_cache_give_up(struct page_cache *cache, u64 start, u64 end)
{
	u64 first = size_in_pages(start), after = end >> PAGE_SHIFT;

	if (!cache_is_backed(cache) || start >= end)
		return;
	page_cache_write_out(cache, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	if (first < after)
		(void)remove_range(cache, first, after - 1, REMOVE_UNUSED); /* waits for nothing */
}

void page_cache_destroy(struct page_cache *cache)
{
	(void)remove_range(cache, 0, ~0ULL, REMOVE_ALL); /* nothing is being written: that would hold the node */
	xarray_destroy(&cache->pages);
}
EXPORT_SYMBOL(page_cache_destroy);
