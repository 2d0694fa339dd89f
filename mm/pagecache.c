/*
 * The page cache: the bytes of a file, page by page.
 *
 * A page in the cache has one reference for the cache; whoever uses it has another, taken under cache->lock, which all
 * lookups and changes of the index hold for a moment.
 *
 * A page that the tree must fill is put in locked (PG_LOCKED) and not yet PG_UPTODATE; others who want it wait for the
 * lock. Trees without fill_page keep their files here alone: a page that is missing is a hole of zeros.
 *
 * Truncation: the caller has lowered the size, so that nobody adds pages behind it (insert() looks under cache->lock);
 * pages leave the index with page->cache cleared, and then all mappings lose them (see fault.c for why none comes back).
 */
#include "vm_internal.h"
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/tree.h>
#include <kumo/wait.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#define LOCK_QUEUES 16
#define REMOVE_BATCH 32
#define AROUND_PAGES 16 /* power of two; at most 64 */

static struct wait_queue lock_queues[LOCK_QUEUES]; /* threads that wait for PG_LOCKED, by page */

static inline struct wait_queue *lock_queue(struct page *page)
{
	return &lock_queues[hash_u64((u64)page) % LOCK_QUEUES];
}

void __init page_cache_start(void)
{
	for (unsigned int i = 0; i < LOCK_QUEUES; i++)
		wait_queue_init(&lock_queues[i]);
}

int page_lock(struct page *page)
{
	int error;

	if (likely(!test_and_set_bit(&page->flags, PG_LOCKED)))
		return 0;
	__atomic_fetch_add(&page->waiters, 1, __ATOMIC_SEQ_CST);
	error = wait_event_killable(lock_queue(page), !test_and_set_bit(&page->flags, PG_LOCKED));
	__atomic_fetch_sub(&page->waiters, 1, __ATOMIC_SEQ_CST);
	return error ? -EINTR : 0;
}
EXPORT_SYMBOL(page_lock);

void page_unlock(struct page *page)
{
	clear_bit(&page->flags, PG_LOCKED); /* a full barrier: a waiter that counts itself later finds the bit clear */
	if (unlikely(READ_ONCE(page->waiters)))
		wake_up_all(lock_queue(page));
}
EXPORT_SYMBOL(page_unlock);

static inline u64 size_in_pages(u64 size)
{
	return (size >> PAGE_SHIFT) + !!(size % PAGE_SIZE);
}

void page_cache_init(struct page_cache *cache, struct node *node)
{
	cache->node = node;
	cache->pages = (struct xarray)XARRAY_INIT;
	cache->page_count = 0;
	spin_init(&cache->lock, "page_cache");
	mutex_init(&cache->mappings_lock, "mappings");
	list_init(&cache->mappings);
}
EXPORT_SYMBOL(page_cache_init);

/* ---- The index ---- */

/* The page at index with a reference, or NULL. */
static inline struct page *find(struct page_cache *cache, u64 index)
{
	struct page *page;

	spin_lock(&cache->lock);
	page = xarray_load(&cache->pages, index);
	if (page)
		page_get(page);
	spin_unlock(&cache->lock);
	return page;
}

/* Puts `page` in, with a reference for the cache. bounded: not behind the file's end. 0, -EEXIST, -EIO, -ENOMEM. */
static int insert(struct page_cache *cache, u64 index, struct page *page, bool bounded)
{
	int error = 0;

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
	}
	spin_unlock(&cache->lock);
	if (error) {
		page->cache = NULL;
		return error;
	}
	memory_account_fast(MEMORY_CACHED, 1);
	return 0;
}

/* Takes the page out of the index; false: it was out already. The cache's reference is the caller's to drop. */
static bool remove_page(struct page_cache *cache, struct page *page)
{
	bool removed = false;

	spin_lock(&cache->lock);
	if (page->cache == cache && xarray_load(&cache->pages, page->index) == page) {
		xarray_remove(&cache->pages, page->index);
		WRITE_ONCE(page->cache, NULL);
		cache->page_count--;
		removed = true;
	}
	spin_unlock(&cache->lock);
	if (removed)
		memory_account_fast(MEMORY_CACHED, -1);
	return removed;
}

/* Waits until a page that someone else fills is there. 0, -EIO (it could not be filled), -EINTR. */
static int wait_filled(struct page *page)
{
	int error;

	if (likely(READ_ONCE(page->flags) & BIT(PG_UPTODATE)))
		return 0;
	error = page_lock(page);
	if (error)
		return error;
	if (!(page->flags & BIT(PG_UPTODATE)))
		error = -EIO;
	page_unlock(page);
	return error;
}

/* A page that was not there: made, filled by the tree if it fills pages, and put in. */
static struct page *get_missing(struct page_cache *cache, u64 index, bool bounded)
{
	int (*fill)(struct node * node, struct page * page) = cache->node->ops->fill_page;
	struct page *page = page_alloc(0, GFP_USER | GFP_ZERO);
	int error;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page->waiters = 0;
	page->private = NULL;
	page->flags = fill ? BIT(PG_LOCKED) : BIT(PG_UPTODATE);
	error = insert(cache, index, page, bounded);
	if (error) {
		page_put(page);
		return ERR_PTR(error);
	}
	if (!fill)
		return page;
	error = fill(cache->node, page);
	if (!error) {
		set_bit(&page->flags, PG_UPTODATE);
		page_unlock(page);
		return page;
	}
	if (remove_page(cache, page))
		page_put(page);
	page_unlock(page);
	page_put(page);
	return ERR_PTR(error);
}

static struct page *get(struct page_cache *cache, u64 index, bool create, bool bounded)
{
	struct page *page;
	int error;

	for (;;) {
		page = find(cache, index);
		if (likely(page)) {
			error = wait_filled(page);
			if (likely(!error))
				return page;
			page_put(page);
			return ERR_PTR(error);
		}
		if (!create && !cache->node->ops->fill_page)
			return NULL;
		page = get_missing(cache, index, bounded);
		if (!IS_ERR(page) || PTR_ERR(page) != -EEXIST)
			return page;
	}
}

struct page *page_cache_get(struct page_cache *cache, u64 index, bool create)
{
	return get(cache, index, create, false);
}
EXPORT_SYMBOL(page_cache_get);

int page_cache_adopt(struct page_cache *cache, u64 index, struct page *page)
{
	int error;

	page->waiters = 0;
	page->private = NULL;
	page->flags = BIT(PG_UPTODATE) | BIT(PG_DIRTY);
	error = insert(cache, index, page, false);
	if (!error)
		page_put(page); /* the caller's reference; the cache has its own */
	return error;
}
EXPORT_SYMBOL(page_cache_adopt);

void page_cache_set_dirty(struct page *page)
{
	struct page_cache *cache = READ_ONCE(page->cache);

	if (!(READ_ONCE(page->flags) & BIT(PG_DIRTY)))
		set_bit(&page->flags, PG_DIRTY);
	if (cache)
		node_touch(cache->node, false, true, true);
}

/* ---- Truncation ---- */

void page_cache_unmap(struct page_cache *cache, u64 first_page, u64 last_page, bool private_too)
{
	struct unmap_batch batch;
	u64 first, last;
	struct vma *vma;

	smp_mb(); /* page->cache was cleared before mappings are looked for; pairs with the lock of a table in fault.c */
	if (list_empty(&cache->mappings))
		return;
	mutex_lock(&cache->mappings_lock);
	list_for_each(vma, &cache->mappings, cache_link) {
		first = max(first_page, vma->offset_pages);
		last = min(last_page, vma->offset_pages + ((vma->end - vma->start) >> PAGE_SHIFT) - 1);
		if (first > last)
			continue;
		unmap_batch_init(&batch, vma->mm, false);
		unmap_entries(&batch, vma->start + ((first - vma->offset_pages) << PAGE_SHIFT),
			      vma->start + ((last - vma->offset_pages + 1) << PAGE_SHIFT),
			      !private_too);
		unmap_batch_finish(&batch);
		cond_resched();
	}
	mutex_unlock(&cache->mappings_lock);
}

/* Takes all pages of [first, last] out. */
static void remove_range(struct page_cache *cache, u64 first, u64 last)
{
	struct page *pages[REMOVE_BATCH];
	unsigned int count;
	struct page *page;

	do {
		count = 0;
		spin_lock(&cache->lock);
		while (count < REMOVE_BATCH && (page = xarray_find(&cache->pages, &first)) &&
		       first <= last) {
			xarray_remove(&cache->pages, first);
			WRITE_ONCE(page->cache, NULL);
			cache->page_count--;
			pages[count++] = page;
		}
		spin_unlock(&cache->lock);
		memory_account_fast(MEMORY_CACHED, -(long)count);
		page_put_many(pages, count);
		cond_resched();
	} while (count == REMOVE_BATCH);
}

/* Zeroes bytes [from, to) of the page at index, if it is there. */
static void zero_part(struct page_cache *cache, u64 index, u64 from, u64 to)
{
	struct page *page = find(cache, index);

	if (!page)
		return;
	memset((char *)page_address(page) + from, 0, to - from);
	set_bit(&page->flags, PG_DIRTY);
	page_put(page);
}

void page_cache_truncate(struct page_cache *cache, u64 size)
{
	u64 first = size_in_pages(size);

	remove_range(cache, first, ~0ULL);
	page_cache_unmap(cache, first, ~0ULL, true);
	if (size % PAGE_SIZE)
		zero_part(cache, size >> PAGE_SHIFT, size % PAGE_SIZE, PAGE_SIZE);
}
EXPORT_SYMBOL(page_cache_truncate);

void page_cache_punch(struct page_cache *cache, u64 start, u64 end)
{
	u64 first = size_in_pages(start), last = end >> PAGE_SHIFT; /* whole pages: [first, last) */

	if (first < last) {
		remove_range(cache, first, last - 1);
		page_cache_unmap(cache, first, last - 1, false);
	}
	if (start >> PAGE_SHIFT == last) {
		zero_part(cache, last, start % PAGE_SIZE, end % PAGE_SIZE);
		return;
	}
	if (start % PAGE_SIZE)
		zero_part(cache, start >> PAGE_SHIFT, start % PAGE_SIZE, PAGE_SIZE);
	if (end % PAGE_SIZE)
		zero_part(cache, last, 0, end % PAGE_SIZE);
}
EXPORT_SYMBOL(page_cache_punch);

void page_cache_destroy(struct page_cache *cache)
{
	remove_range(cache, 0, ~0ULL);
	xarray_destroy(&cache->pages);
}
EXPORT_SYMBOL(page_cache_destroy);

/* ---- read and write ---- */

ssize_t page_cache_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct page_cache *cache = node_page_cache(file->contents);
	size_t done = 0, offset, part, copied;
	struct page *page;
	int error = 0;
	u64 size;

	if (!cache)
		return -ENOMEM;
	while (to->count) {
		size = node_size(file->contents);
		if ((u64)*pos >= size)
			break;
		offset = (u64)*pos % PAGE_SIZE;
		part = min(to->count, PAGE_SIZE - offset);
		part = min((u64)part, size - (u64)*pos);
		page = get(cache, (u64)*pos >> PAGE_SHIFT, false, true);
		if (IS_ERR(page)) {
			error = PTR_ERR(page);
			break;
		}
		if (page) {
			copied = iter_copy_to(to, (char *)page_address(page) + offset, part);
			page_put(page);
		} else {
			copied = iter_zero(to, part);
		}
		*pos += copied;
		done += copied;
		if (copied < part) {
			error = -EFAULT;
			break;
		}
		if (unlikely(need_resched())) {
			cond_resched();
			if (fatal_signal_pending()) {
				error = -EINTR;
				break;
			}
		}
	}
	return done ? (ssize_t)done : error;
}
EXPORT_SYMBOL(page_cache_read);

/*
 * Writes `part` bytes where the cache has no page: the new page is filled before anyone can see it. The bytes written, 0
 * to try again (another page came meanwhile), or a negative errno.
 */
static ssize_t write_missing(struct page_cache *cache, struct iter *from, u64 index, size_t offset,
			     size_t part)
{
	struct page *page = page_alloc(0, GFP_USER);
	size_t copied;
	char *bytes;
	int error;

	if (!page)
		return -ENOMEM;
	bytes = page_address(page);
	memset(bytes, 0, offset);
	copied = iter_copy_from(from, bytes + offset, part);
	memset(bytes + offset + copied, 0, PAGE_SIZE - offset - copied);
	error = copied ? page_cache_adopt(cache, index, page) : -EFAULT;
	if (!error)
		return (ssize_t)copied;
	page_put(page);
	if (copied)
		iter_revert(from, copied);
	return error == -EEXIST ? 0 : error;
}

static ssize_t write_page(struct page_cache *cache, struct iter *from, u64 index, size_t offset,
			  size_t part)
{
	bool filled = cache->node->ops->fill_page;
	struct page *page = get(cache, index, filled, false);
	size_t copied;

	if (IS_ERR(page))
		return PTR_ERR(page);
	if (!page)
		return write_missing(cache, from, index, offset, part);
	copied = iter_copy_from(from, (char *)page_address(page) + offset, part);
	if (!(READ_ONCE(page->flags) & BIT(PG_DIRTY)))
		set_bit(&page->flags, PG_DIRTY);
	page_put(page);
	return copied ? (ssize_t)copied : -EFAULT;
}

ssize_t page_cache_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct page_cache *cache = node_page_cache(file->contents);
	ssize_t done = 0, written = 0;
	size_t offset, part;

	if (!cache)
		return -ENOMEM;
	while (from->count) {
		offset = (u64)*pos % PAGE_SIZE;
		part = min(from->count, PAGE_SIZE - offset);
		written = write_page(cache, from, (u64)*pos >> PAGE_SHIFT, offset, part);
		if (written < 0)
			break;
		*pos += written;
		done += written;
		if ((u64)*pos > node_size(file->contents))
			node_set_size(file->contents, (u64)*pos);
		if (unlikely(need_resched())) {
			cond_resched();
			if (fatal_signal_pending()) {
				written = -EINTR;
				break;
			}
		}
	}
	if (!done)
		return written;
	node_touch(file->contents, false, true, true);
	return done;
}
EXPORT_SYMBOL(page_cache_write);

/* The first page at or behind `index` that is there, or (hole) is not. */
static u64 find_next(struct page_cache *cache, u64 index, bool hole)
{
	bool there;

	do {
		spin_lock(&cache->lock);
		if (hole)
			there = xarray_load(&cache->pages, index);
		else if (!xarray_find(&cache->pages, &index))
			index = ~0ULL >> PAGE_SHIFT;
		spin_unlock(&cache->lock);
		if (hole && there && ++index % 1024 == 0)
			cond_resched();
	} while (hole && there);
	return index;
}

loff_t page_cache_seek(struct file *file, loff_t offset, int whence)
{
	struct node *node = file->contents;
	u64 size = S_ISREG(node->attr.mode) ? node_size(node) : 0, found;
	struct page_cache *cache;

	if ((whence != SEEK_DATA && whence != SEEK_HOLE) || (u64)offset >= size)
		return file_seek_size(file, offset, whence, size);
	cache = node_page_cache(node);
	if (!cache)
		return -ENOMEM;
	found = find_next(cache, (u64)offset >> PAGE_SHIFT, whence == SEEK_HOLE) << PAGE_SHIFT;
	if (whence == SEEK_DATA && found >= size)
		return -ENXIO;
	return file_seek_size(file, (loff_t)min(max(found, (u64)offset), size), SEEK_SET, size);
}
EXPORT_SYMBOL(page_cache_seek);

/* ---- Mappings ---- */

static struct page *mapping_fault(struct vma *vma, u64 offset_pages, bool write)
{
	struct page_cache *cache = vma->private;

	if (offset_pages >= size_in_pages(node_size(cache->node)))
		return ERR_PTR(-EIO);
	return get(cache, offset_pages, true, true);
}

const struct vma_ops page_cache_vma_ops = {
	.fault = mapping_fault,
};

bool page_cache_mapped_writable(struct page_cache *cache)
{
	const unsigned int writable = VM_SHARED | VM_MAYWRITE;
	struct vma *vma;
	bool found = false;

	mutex_lock(&cache->mappings_lock);
	list_for_each(vma, &cache->mappings, cache_link)
		if ((vma->flags & writable) == writable)
			found = true;
	mutex_unlock(&cache->mappings_lock);
	return found;
}

int page_cache_check_seals(struct vma *vma)
{
	const unsigned int writable = VM_SHARED | VM_MAYWRITE;
	u32 seals = READ_ONCE(vma->file->node->seals);

	if (likely(!(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) || (vma->flags & writable) != writable)
		return 0;
	if ((seals & F_SEAL_WRITE) || (vma->flags & VM_WRITE))
		return -EPERM;
	vma->flags &= ~(unsigned int)VM_MAYWRITE;
	return 0;
}

int page_cache_mmap(struct file *file, struct vma *vma)
{
	struct page_cache *cache = node_page_cache(file->contents);
	int error = page_cache_check_seals(vma);

	if (error)
		return error;
	if (!cache)
		return -ENOMEM;
	vma->ops = &page_cache_vma_ops;
	vma->private = cache;
	file_accessed(file);
	return 0;
}
EXPORT_SYMBOL(page_cache_mmap);

void page_cache_map_around(struct vma *vma, struct page *table, unsigned long address)
{
	struct page_cache *cache = vma->private;
	unsigned long start = ALIGN_DOWN(address, TABLE_SPAN), end = start + TABLE_SPAN;
	u64 index = vma_offset_of(vma, address), first = ALIGN_DOWN(index, AROUND_PAGES);
	u64 protection = vma_protection(vma, false);
	void *entries[AROUND_PAGES];
	unsigned int count, mapped = 0;
	struct page *page;
	pte_t *entry;

	/* The group of pages that `address` is in, as far as mapping and table reach. */
	start = max(start, vma->start);
	end = min(end, vma->end);
	if (address - start > (index - first) << PAGE_SHIFT)
		start = address - ((index - first) << PAGE_SHIFT);
	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = min(end, ALIGN_DOWN(address, PAGE_SIZE) + ((first + AROUND_PAGES - index) << PAGE_SHIFT));
	first = vma_offset_of(vma, start);
	count = (end - start) >> PAGE_SHIFT;

	/* While cache->lock is held no page leaves the cache; who takes one out later looks for mappings after it. */
	spin_lock(&cache->lock);
	xarray_load_range(&cache->pages, first, count, entries);
	page_spin_lock(table);
	entry = pte_in_table(table, start);
	for (unsigned int i = 0; i < count; i++, entry++) {
		page = entries[i];
		if (!page || !pte_none(*entry) || !(READ_ONCE(page->flags) & BIT(PG_UPTODATE)))
			continue;
		page_get(page);
		pte_write(entry, pte_make(page_to_phys(page), protection));
		mapped++;
	}
	table->live_entries += mapped;
	page_spin_unlock(table);
	spin_unlock(&cache->lock);
	if (mapped)
		atomic64_add(&vma->mm->resident_file, mapped);
}
