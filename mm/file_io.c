/*
 * What is done with a file whose bytes are in the page cache: read(2), write(2), lseek(2) and mappings of it. These are
 * operations that a tree names in its table.
 */
#include "pagecache_internal.h"
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/serve.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#define RESERVE_PAGES 256 /* that a write takes room for at once */
#define THROTTLE_PAGES                                                                             \
	32 /* that are made dirty before the writer asks whether there are too many */

/* ---- read and write ---- */

/* The instance was lost on the way: the whole is asked for again. */
static ssize_t start_again(struct iter *iter, loff_t *pos, size_t done)
{
	iter_revert(iter, done);
	*pos -= (loff_t)done;
	return -ETREELOST;
}

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
		page = page_cache_lookup(cache, (u64)*pos >> PAGE_SHIFT, false, &file->read_ahead,
					 (unsigned int)size_in_pages(offset + to->count));
		if (IS_ERR(page)) {
			if ((u64)*pos < node_size(file->contents)) /* else it was truncated meanwhile */
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
	if (unlikely(error == -ETREELOST))
		return start_again(to, pos, done);
	return done ? (ssize_t)done : error;
}
EXPORT_SYMBOL(page_cache_read);

/* Must what the file has in the page at index be there before `part` bytes of it are written? */
static bool needs_reading(const struct page_cache *cache, u64 index, size_t offset, size_t part)
{
	u64 size = node_size(cache->node), start = index << PAGE_SHIFT;

	return cache_is_backed(cache) && start < size &&
	       (offset || start + part < min(size, start + PAGE_SIZE));
}

/* The file reaches to `end` now, and then the page is dirty: write-back, which takes that mark away and then looks at the size, writes no
 * more than the file has. */
static void page_written(struct page_cache *cache, struct page *page, u64 end)
{
	if (end > node_size(cache->node))
		node_set_size(cache->node, end);
	page_cache_mark_dirty(page);
}

/*
 * Writes `part` bytes where the cache has no page: the new page is filled before anyone can see it. The bytes written, 0
 * to try again (another page came meanwhile), or a negative errno; -EAGAIN: less could be had than what need not be read.
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
	page->flags = BIT(PG_UPTODATE);
	if (!copied)
		error = -EFAULT;
	else if (copied < part && needs_reading(cache, index, offset, copied))
		error = -EAGAIN;
	else
		error = page_cache_insert(cache, index, page, false);
	if (!error)
		page_written(cache, page, (index << PAGE_SHIFT) + offset + copied);
	page_put(page);
	if (!error)
		return (ssize_t)copied;
	if (copied)
		iter_revert(from, copied);
	return error == -EEXIST ? 0 : error;
}

/* The bytes written; 0 to try again: the page left the cache meanwhile. Or a negative errno. */
static ssize_t write_page(struct page_cache *cache, struct iter *from, u64 index, size_t offset,
			  size_t part)
{
	struct page *page = page_cache_find(cache, index);
	ssize_t written;
	size_t copied;
	bool stays;

	if (!page && !needs_reading(cache, index, offset, part)) {
		written = write_missing(cache, from, index, offset, part);
		if (written != -EAGAIN)
			return written;
	}
	if (!page || unlikely(!(READ_ONCE(page->flags) & BIT(PG_UPTODATE)))) {
		if (page)
			page_put(page);
		page = page_cache_lookup(cache, index, true, NULL, 1);
		if (IS_ERR(page))
			return PTR_ERR(page);
	}
	copied = iter_copy_from(from, (char *)page_address(page) + offset, part);
	if (copied)
		page_written(cache, page, (index << PAGE_SHIFT) + offset + copied);
	stays = READ_ONCE(page->cache) == cache;
	page_put(page);
	if (unlikely(copied && !stays)) {
		iter_revert(from, copied);
		return 0;
	}
	return copied ? (ssize_t)copied : -EFAULT;
}

/* Takes room for the pages of a write from *pos on, where they have none yet; *reserved: up to which. */
static int write_reserve(struct page_cache *cache, const struct iter *from, loff_t pos, u64 *reserved)
{
	const struct tree_ops *ops = cache->node->ops;
	u64 index = (u64)pos >> PAGE_SHIFT, end;
	int error;

	if (!ops->reserve_pages || index < *reserved)
		return 0;
	end = min(size_in_pages((u64)pos + from->count), index + RESERVE_PAGES);
	error = serve_reserve_pages(cache->node, index, (unsigned int)(end - index), false,
				    current->cred);
	if (!error)
		*reserved = end;
	return error;
}

static ssize_t write_pages(struct file *file, struct page_cache *cache, struct iter *from, loff_t *pos)
{
	ssize_t done = 0, written = 0;
	unsigned int pages = 0;
	size_t offset, part;
	u64 reserved = 0;

	if (cache_is_backed(cache) && (u64)*pos > node_size(file->contents))
		page_cache_extend(cache, node_size(file->contents));
	while (from->count) {
		offset = (u64)*pos % PAGE_SIZE;
		part = min(from->count, PAGE_SIZE - offset);
		written = write_reserve(cache, from, *pos, &reserved);
		if (written)
			break;
		written = write_page(cache, from, (u64)*pos >> PAGE_SHIFT, offset, part);
		if (written < 0)
			break;
		*pos += written;
		done += written;
		if (++pages % THROTTLE_PAGES == 0) {
			written = writeback_throttle(cache);
			if (written)
				break;
		}
		if (unlikely(need_resched())) {
			cond_resched();
			if (fatal_signal_pending()) {
				written = -EINTR;
				break;
			}
		}
	}
	if (done)
		node_touch(file->contents, false, true, true);
	if (unlikely(written == -ETREELOST))
		return start_again(from, pos, (size_t)done);
	return done ? done : written;
}

ssize_t page_cache_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct page_cache *cache = node_page_cache(file->contents);
	struct tree_visit visit;
	ssize_t result;

	if (!cache)
		return -ENOMEM;
	if (!cache_is_backed(cache))
		return write_pages(file, cache, from, pos);
	/* Sizes and pages change as a whole before another instance comes to serve the file, or after. */
	do {
		result = node_enter(cache->node, &visit);
		if (result)
			return result;
		result = write_pages(file, cache, from, pos);
		tree_leave(&visit);
	} while (unlikely(result == -ETREELOST) && !tree_is_inside(cache->node->tree));
	return result;
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

	if (S_ISDIR(node->attr.mode) && whence > SEEK_CUR)
		return -EINVAL; /* its end is no offset */
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

static int fault_error(int error)
{
	if (error == -EINTR || error == -ENOMEM || error == -ETREELOST)
		return error;
	return error == -EAGAIN ? -ETREELOST : -EIO;
}

/* The page, with room for it if it is to be written. */
static struct page *fault_page(struct vma *vma, u64 offset_pages, bool write)
{
	struct page_cache *cache = vma->private;
	struct page *page;
	int error;

	if (offset_pages >= size_in_pages(node_size(cache->node)))
		return ERR_PTR(-EIO);
	page = page_cache_lookup(cache, offset_pages, true, &vma->file->read_ahead, AROUND_PAGES);
	if (IS_ERR(page) || !write || !cache->node->ops->reserve_pages)
		return page;
	error = serve_reserve_pages(cache->node, offset_pages, 1, true, current->cred);
	if (!error)
		return page;
	page_put(page);
	return ERR_PTR(fault_error(error));
}

/* map_lock is held: where there is no instance the fault is tried again without it (-ETREELOST: fault.c). */
static struct page *mapping_fault(struct vma *vma, u64 offset_pages, bool write)
{
	struct page_cache *cache = vma->private;
	struct tree_visit visit;
	struct page *page;
	int error;

	if (!cache_is_backed(cache) && !cache->node->ops->reserve_pages)
		return fault_page(vma, offset_pages, write);
	error = tree_enter_nowait(cache->node->tree, &visit);
	if (!error) {
		page = cache->node->flags & NODE_STALE ? ERR_PTR(-EIO)
						       : fault_page(vma, offset_pages, write);
		tree_leave(&visit);
		return IS_ERR(page) && tree_is_losing(cache->node->tree) ? ERR_PTR(-ETREELOST) : page;
	}
	page = write ? NULL : page_cache_find(cache, offset_pages); /* what is there needs no instance */
	if (page && READ_ONCE(page->flags) & BIT(PG_UPTODATE))
		return page;
	if (page)
		page_put(page);
	return ERR_PTR(error == -EAGAIN ? -ETREELOST : -EIO);
}

int page_cache_make_writable(struct vma *vma, struct page *page)
{
	struct page_cache *cache = vma->private;
	int error = 0;

	if (cache->node->ops->reserve_pages && !(READ_ONCE(page->flags) & BIT(PG_DIRTY)))
		error = serve_reserve_pages(cache->node, page->index, 1, true, current->cred);
	if (error)
		return fault_error(error);
	page_cache_set_dirty(page);
	return 0;
}

void page_cache_set_dirty(struct page *page)
{
	struct page_cache *cache = READ_ONCE(page->cache);

	page_cache_mark_dirty(page);
	if (cache)
		node_touch(cache->node, false, true, true);
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
	u32 seals = READ_ONCE(vma->file->contents->seals);

	if (likely(!(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) || (vma->flags & writable) != writable)
		return 0;
	if (vma->flags & VM_WRITE)
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

/*
 * How many pages this fault maps: all that it may in a program that was executed. Most children touch a few pages, then execute
 * another program or end: what a fault maps in them doubles each time, so that they do not count references of pages
 * which all who run the program share, up and down for nothing.
 */
static unsigned int pages_around(struct mm *mm)
{
	unsigned int pages = READ_ONCE(mm->around_pages);

	if (unlikely(pages < AROUND_PAGES))
		WRITE_ONCE(mm->around_pages, 2 * pages);
	return pages;
}

void page_cache_map_around(struct vma *vma, struct page *table, unsigned long address)
{
	struct page_cache *cache = vma->private;
	unsigned long start = ALIGN_DOWN(address, TABLE_SPAN), end = start + TABLE_SPAN;
	unsigned int around = pages_around(vma->mm);
	u64 index = vma_offset_of(vma, address), first = ALIGN_DOWN(index, around);
	u64 protection = vma_protection(vma, false);
	void *entries[AROUND_PAGES];
	unsigned int count, mapped = 0;
	struct page *page;
	pte_t *entry;
	u64 pages;

	if (around == 1)
		return;
	/* The group of pages that `address` is in, as far as mapping and table reach. */
	start = max(start, vma->start);
	end = min(end, vma->end);
	if (address - start > (index - first) << PAGE_SHIFT)
		start = address - ((index - first) << PAGE_SHIFT);
	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = min(end, ALIGN_DOWN(address, PAGE_SIZE) + ((first + around - index) << PAGE_SHIFT));
	first = vma_offset_of(vma, start);
	count = (end - start) >> PAGE_SHIFT;

	/*
	 * While cache->lock is held no page leaves the cache; who takes one out later looks for mappings after it. What has been
	 * allocated beyond the file's end may be in the cache, but is not there for a mapping.
	 */
	spin_lock(&cache->lock);
	pages = size_in_pages(node_size(cache->node));
	count = first < pages ? (unsigned int)min((u64)count, pages - first) : 0;
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
