/*
 * Bytes of files that lie on a device, without a kernel: reads and writes go through the operations on pages that the core calls,
 * but nothing is cached. What a process writes is in the device's own cache when write returns, and outlives the process.
 *
 * cache->mappings_lock, which nothing else needs here, stands in the place of the locks of pages: whoever reads, writes or truncates a
 * file holds it, so nobody looks for bytes in blocks that are just being freed.
 */
#include <kumo/block.h>
#include <kumo/block_pages.h>
#include <kumo/file.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/tree.h>
#include <kumo/writeback.h>
#include <stdlib.h>

#include "environment.h"
#include "memory_pages.h"

#define RUN 64 /* pages that are read or written together */

void page_read_done(struct page *page, int error)
{
	page->error = error;
}

void page_write_done(struct page *page, int error)
{
	page->error = error;
}

static int page_read(struct node *node, struct page *page)
{
	const struct block_map_ops *map = node->tree->ops->block_map;
	u64 start = page->index << PAGE_SHIFT, size = node_size(node), at = start;

	memset(page->address, 0, PAGE_SIZE);
	while (at < start + PAGE_SIZE && at < size) {
		struct block_extent extent;
		int error = map->map(node, at, start + PAGE_SIZE - at, false, &extent);
		u64 end = error ? 0 : min(extent.offset + extent.length, start + PAGE_SIZE);

		if (!error && extent.kind == EXTENT_MAPPED)
			error = device_read_bytes(map->device(node),
						  extent.position + (at - extent.offset),
						  (char *)page->address + (at - start), end - at, 512);
		if (error)
			return error;
		at = end;
	}
	if (size < start + PAGE_SIZE)
		memset((char *)page->address + (size - start), 0, start + PAGE_SIZE - size);
	return 0;
}

void block_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		page_read_done(pages[i], page_read(node, pages[i]));
}

static int page_write(struct node *node, struct page *page)
{
	const struct block_map_ops *map = node->tree->ops->block_map;
	u64 start = page->index << PAGE_SHIFT, at = start,
	    end = min(start + PAGE_SIZE, node_size(node));

	while (at < end) {
		struct block_extent extent;
		int error = map->map(node, at, end - at, true, &extent);
		u64 until = error ? 0 : min(extent.offset + extent.length, start + PAGE_SIZE);

		if (!error)
			error = device_write_bytes(map->device(node),
						   extent.position + (at - extent.offset),
						   (char *)page->address + (at - start), until - at);
		if (error)
			return error;
		at = until;
	}
	return map->written ? map->written(node, start, end - start) : 0;
}

void block_write_pages(struct node *node, struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		page_write_done(pages[i], page_write(node, pages[i]));
}

ssize_t block_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	return -EINVAL;
}

int page_cache_mmap(struct file *file, struct vma *vma)
{
	return -ENODEV;
}

/* Up to RUN pages with the bytes that the file has there. */
struct run {
	struct page pages[RUN], *pointers[RUN];
	char *memory;
};

static int run_make(struct run *run, struct page_cache *cache, u64 index, unsigned int count)
{
	run->memory = aligned_alloc(PAGE_SIZE, count * PAGE_SIZE);
	if (!run->memory)
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++) {
		run->pages[i] = (struct page){ .cache = cache,
					       .index = index + i,
					       .address = run->memory + i * PAGE_SIZE };
		run->pointers[i] = &run->pages[i];
	}
	return 0;
}

static int run_read(struct run *run, struct node *node, unsigned int first, unsigned int count)
{
	int error = 0;

	node->ops->read_pages(node, run->pointers + first, count);
	for (unsigned int i = first; i < first + count; i++)
		error = error ? error : run->pages[i].error;
	return error;
}

static ssize_t device_read(struct node *node, struct iter *to, loff_t *pos)
{
	size_t done = 0;

	while (to->count && (u64)*pos < node_size(node)) {
		u64 index = (u64)*pos >> PAGE_SHIFT, end = min((u64)*pos + to->count, node_size(node));
		unsigned int count = (unsigned int)min(DIV_ROUND_UP(end, PAGE_SIZE) - index, (u64)RUN);
		u64 until = min(end, (index + count) << PAGE_SHIFT);
		struct run run;
		int error = run_make(&run, node_page_cache(node), index, count);

		if (!error)
			error = run_read(&run, node, 0, count);
		if (!error)
			done += iter_copy_to(to, run.memory + ((u64)*pos - (index << PAGE_SHIFT)),
					     until - (u64)*pos);
		free(run.memory);
		if (error)
			return done ? (ssize_t)done : error;
		*pos = (loff_t)until;
	}
	return (ssize_t)done;
}

ssize_t page_cache_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct page_cache *cache = node_page_cache(file->node);
	ssize_t result;

	if (!cache)
		return -ENOMEM;
	mutex_lock(&cache->mappings_lock);
	result = is_in_memory(cache) ? memory_read(cache, to, pos) : device_read(cache->node, to, pos);
	mutex_unlock(&cache->mappings_lock);
	return result;
}

/* Pages that will not be overwritten as a whole have their bytes read first. */
static int edges_read(struct run *run, struct node *node, u64 start, u64 end, unsigned int count)
{
	u64 base = run->pages[0].index << PAGE_SHIFT;
	int error = 0;

	memset(run->memory, 0, count * PAGE_SIZE);
	if (start > base && base < node_size(node))
		error = run_read(run, node, 0, 1);
	if (!error && end < base + count * PAGE_SIZE && (count > 1 || start == base) &&
	    base + (count - 1) * PAGE_SIZE < node_size(node))
		error = run_read(run, node, count - 1, 1);
	return error;
}

static int run_write(struct run *run, struct node *node, unsigned int count)
{
	int error = 0;

	node->ops->write_pages(node, run->pointers, count);
	for (unsigned int i = 0; i < count; i++)
		error = error ? error : run->pages[i].error;
	return error;
}

static ssize_t device_write(struct node *node, struct iter *from, loff_t *pos)
{
	size_t done = 0;

	while (from->count) {
		u64 start = (u64)*pos, index = start >> PAGE_SHIFT;
		u64 end = min(start + from->count, (index + RUN) << PAGE_SHIFT);
		unsigned int count = (unsigned int)(DIV_ROUND_UP(end, PAGE_SIZE) - index);
		struct run run;
		int error = node->ops->reserve_pages(node, index, count, current->cred);

		if (!error)
			error = run_make(&run, node_page_cache(node), index, count);
		if (error)
			return done ? (ssize_t)done : error;
		error = edges_read(&run, node, start, end, count);
		if (!error) {
			done += iter_copy_from(from, run.memory + (start - (index << PAGE_SHIFT)),
					       end - start);
			if (end > node_size(node))
				node_set_size(node, end);
			node_touch(node, false, true, true);
			node_attr_changed(node);
			error = run_write(&run, node, count);
		}
		free(run.memory);
		if (error)
			return error;
		*pos = (loff_t)end;
	}
	return (ssize_t)done;
}

ssize_t page_cache_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct page_cache *cache = node_page_cache(file->node);
	ssize_t result;

	if (!cache)
		return -ENOMEM;
	mutex_lock(&cache->mappings_lock);
	result = is_in_memory(cache) ? memory_write(cache, from, pos)
				     : device_write(cache->node, from, pos);
	mutex_unlock(&cache->mappings_lock);
	return result;
}

/* Zeroes a part of one page, if the file has bytes there. */
static int part_zero(struct node *node, u64 start, u64 end)
{
	const struct block_map_ops *map = node->tree->ops->block_map;
	int error = 0;

	while (start < end && !error) {
		struct block_extent extent;
		u64 until;

		error = map->map(node, start, end - start, false, &extent);
		if (error)
			break;
		until = min(extent.offset + extent.length, end);
		if (extent.kind == EXTENT_MAPPED)
			error = block_zero(map->device(node),
					   extent.position + (start - extent.offset), until - start);
		start = until;
	}
	return error;
}

int page_cache_sync(struct page_cache *cache, u64 first, u64 last)
{
	return 0; /* nothing waits here to be written */
}

u64 writeback_pages(void)
{
	return 0;
}

int writeback_sync(struct tree *tree)
{
	return 0;
}

int page_cache_truncate(struct page_cache *cache, u64 size)
{
	return page_cache_punch(cache, size, is_in_memory(cache) ? ~0ULL : ALIGN_UP(size, PAGE_SIZE));
}

int page_cache_punch(struct page_cache *cache, u64 start, u64 end)
{
	int error = 0;

	mutex_lock(&cache->mappings_lock);
	if (is_in_memory(cache))
		memory_free(cache, start, end);
	else
		error = part_zero(cache->node, start, end);
	mutex_unlock(&cache->mappings_lock);
	return error;
}

void page_cache_extend(struct page_cache *cache, u64 size)
{
}

void page_cache_init(struct page_cache *cache, struct node *node)
{
	cache->node = node;
	mutex_init(&cache->mappings_lock, "mappings");
}

void page_cache_destroy(struct page_cache *cache)
{
	if (is_in_memory(cache))
		memory_free(cache, 0, ~0ULL);
	xarray_destroy(&cache->pages);
}
