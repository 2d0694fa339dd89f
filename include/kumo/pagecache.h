/*
 * The page cache (mm/pagecache.c): the pages of one file, by offset. Owned by the core and keyed by the file's node;
 * read(2), write(2), mmap(2) and exec all see the same pages. A RAM tree's files live in it alone.
 *
 * Locks, outermost first: the lock of a page (PG_LOCKED: filling, truncating; sleeps); cache->mappings_lock (the list of
 * vmas; sleeps, since truncation empties all of them under it); cache->lock (the index), which has only a page table's lock inside
 * it; neither of the last two is held when the other is taken.
 */
#ifndef KUMO_PAGECACHE_H
#define KUMO_PAGECACHE_H

#include <kumo/mutex.h>
#include <kumo/page.h>
#include <kumo/spinlock.h>
#include <kumo/xarray.h>

struct node;
struct file;
struct iter;
struct vma;

struct page_cache {
	struct node *node; /* whose bytes these are */
	struct xarray pages;
	spinlock_t lock;
	u64 page_count;
	struct mutex mappings_lock;
	struct list mappings; /* vmas that map this file */
};

/* Locks a page of a cache (PG_LOCKED) against filling and truncation. -EINTR when killed. */
int page_lock(struct page *page) __must_check;
void page_unlock(struct page *page);

void page_cache_init(struct page_cache *cache, struct node *node);
void page_cache_destroy(struct page_cache *cache); /* no mappings and no users left; frees the pages */

/* The page at index, referenced, filled from the tree (tree_ops.fill_page, absent: a hole of zeros). create: a hole
 * gets a page, else NULL for a hole. ERR_PTR(-ENOMEM, -EIO, -EINTR). May sleep. */
struct page *page_cache_get(struct page_cache *cache, u64 index, bool create);
/* Adopts a page that holds the bytes already (initramfs); takes over the caller's reference. */
int page_cache_adopt(struct page_cache *cache, u64 index, struct page *page) __must_check;
/* Drops pages from byte `size` on, zeroes the tail of the last, and unmaps them everywhere. The node's size must have
 * been lowered already. */
void page_cache_truncate(struct page_cache *cache, u64 size);
/* Frees whole pages in a range and zeroes partial ones: fallocate's punch hole. */
void page_cache_punch(struct page_cache *cache, u64 start, u64 end);

/* Is it mapped so that somebody writes, or may come to write, to the file's own pages? */
bool page_cache_mapped_writable(struct page_cache *cache);

/* tree_ops.read, .write and .mmap for trees that keep their files in the cache. */
ssize_t page_cache_read(struct file *file, struct iter *to, loff_t *pos);
ssize_t page_cache_write(struct file *file, struct iter *from, loff_t *pos);
int page_cache_mmap(struct file *file, struct vma *vma);
/* tree_ops.seek for trees whose files live in the cache alone: where it has no page is a hole. */
loff_t page_cache_seek(struct file *file, loff_t offset, int whence);

#endif
