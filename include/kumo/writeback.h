/*
 * Write-back (mm/writeback.c): dirty pages of a tree's files become stable after a while, when there are too many, or when
 * somebody asks. Each tree with tree_ops.write_pages has a thread of its own for it, so that one that hangs holds up nobody else.
 */
#ifndef KUMO_WRITEBACK_H
#define KUMO_WRITEBACK_H

#include <kumo/types.h>

struct page;
struct page_cache;
struct tree;

/* Makes tree->writeback, before the tree's first page is dirty: 0, -ENOMEM. The core does it for what mount(2) attaches; who makes a
 * tree in another way calls both. stop: nothing is dirty any more and nobody makes anything so. Sleep. */
int writeback_start(struct tree *tree) __must_check;
void writeback_stop(struct tree *tree);

/* The page, which the caller has a reference to, holds bytes that its file does not have elsewhere. Sleeps. */
void page_cache_mark_dirty(struct page *page);
/* Begins to write the dirty pages of [first, last] that are not being written yet. Errors show in page_cache_sync(). May sleep. */
void page_cache_write_out(struct page_cache *cache, u64 first, u64 last);
/* Writes them all and waits until they are written: 0, -EINTR, -EIO (nobody serves the tree any more); -ETREELOST to who is inside
 * the instance (rebind.h). Whether that went well is in cache->errors (error_sequence.h). */
int page_cache_sync(struct page_cache *cache, u64 first, u64 last) __must_check;
/* All files of the tree: 0, -EINTR, or the first error that nobody was told of yet. */
int writeback_sync(struct tree *tree) __must_check;
/* The current thread writes other trees' dirty pages to files, as a disk does that is made of one: from now on it does not wait for there to
 * be fewer, which is what it brings about. */
void writeback_unthrottle(void);
u64 writeback_pages(void); /* dirty or being written, of all trees */

#endif
