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
	/* Of a tree that writes pages back; the counts under lock. While one is not zero, the tree's list holds the node. */
	unsigned long dirty_pages, writeback_pages;
	unsigned int kept_dirty; /* how often a page was not written because its instance was lost */
	u64 dirtied_ns;		 /* monotonic: when it came to its tree's list */
	struct list dirty_link;	 /* in tree->writeback's list, under its lock */
	u32 errors;		 /* of pages that could not be written (error_sequence.h) */
};

/* How a file is read through one descriptor: what to read before it is asked for. A hint; races are harmless. */
struct read_ahead {
	u64 next;	     /* the first page not asked for yet */
	unsigned int window; /* pages that were read at once last */
};

/* Locks a page of a cache (PG_LOCKED) against filling and truncation. -EINTR when killed. */
int page_lock(struct page *page) __must_check;
void page_unlock(struct page *page);

void page_cache_init(struct page_cache *cache, struct node *node);
void page_cache_destroy(struct page_cache *cache); /* no mappings and no users left; frees the pages */

/* What tree_ops.read_pages and write_pages end each page with; error: 0 or a negative errno. The first may be called in any context, the
 * second in a thread; both drop the reference of the transfer. A page that was not written because of -EINTR, -ENOMEM, -EAGAIN or
 * -ETREELOST stays dirty, and is written later. */
void page_read_done(struct page *page, int error);
void page_write_done(struct page *page, int error);

/* The page at index, referenced and filled by the tree (tree_ops.read_pages, absent: a hole of zeros). create: a hole
 * gets a page, else NULL for a hole. ERR_PTR(-ENOMEM, -EIO, -EINTR). May sleep. */
struct page *page_cache_get(struct page_cache *cache, u64 index, bool create);
/* The same, but where there is no page it becomes one of zeros, whatever the tree has there: for who is going to replace all of it. */
struct page *page_cache_get_new(struct page_cache *cache, u64 index);
/* Adopts a page that holds the bytes already (initramfs); takes over the caller's reference. */
int page_cache_adopt(struct page_cache *cache, u64 index, struct page *page) __must_check;
/* Drops pages from byte `size` on, zeroes the tail of the last, and unmaps them everywhere. The node's size must have
 * been lowered already. When it returns, nothing of what was dropped is being written out. -EIO, -ENOMEM, -EINTR: the last page
 * of a tree that reads pages could not be read to be zeroed; -EINTR also: killed while a page that goes was written, by another than a
 * disk. */
int page_cache_truncate(struct page_cache *cache, u64 size);
/* Frees whole pages in a range and zeroes partial ones: fallocate's punch hole. The same errors. */
int page_cache_punch(struct page_cache *cache, u64 start, u64 end);
/* The file is about to become longer than `size`: what a mapping may have left behind its end becomes zero. node->lock held. */
void page_cache_extend(struct page_cache *cache, u64 size);
/* Drops the clean pages of [start, end): the tree has newer bytes (O_DIRECT). */
void page_cache_drop(struct page_cache *cache, u64 start, u64 end);

/* posix_fadvise(2): nobody wants [start, end) soon: begins to write it out, and gives up whole pages that nobody uses now. */
void page_cache_give_up(struct page_cache *cache, u64 start, u64 end);
/* Somebody will: begins to read it, as much of it as is sensible. */
void page_cache_read_ahead(struct page_cache *cache, u64 start, u64 end);

/* Is it mapped so that somebody writes, or may come to write, to the file's own pages? */
bool page_cache_mapped_writable(struct page_cache *cache);

/* tree_ops.read, .write and .mmap for trees that keep their files in the cache. */
ssize_t page_cache_read(struct file *file, struct iter *to, loff_t *pos);
ssize_t page_cache_write(struct file *file, struct iter *from, loff_t *pos);
int page_cache_mmap(struct file *file, struct vma *vma);
/* tree_ops.seek for trees whose files live in the cache alone: where it has no page is a hole. */
loff_t page_cache_seek(struct file *file, loff_t offset, int whence);

#endif
