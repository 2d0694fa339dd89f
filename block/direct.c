/*
 * O_DIRECT: bytes between a program's memory and the device, past the page cache. The memory's pages are pinned while the
 * device works on them. What is moved must begin and end at multiples of the device's logical block size, in the file and in
 * memory, where only the low 9 bits matter (as for Linux's disks).
 */
#include "internal.h"

#include <kumo/block_pages.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/kva.h>
#include <kumo/page.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/vm.h>
#include <kumo/writeback.h>

#define SEGMENTS 64 /* pieces of memory that are pinned at once */
#define MEMORY_MASK (BLOCK_SECTOR - 1)

/* What is under way: the pinned memory, and the file's bytes that it stands for. */
struct direct {
	struct node *node;
	const struct block_map_ops *map;
	bool write;
	struct block_segment segments[SEGMENTS]; /* pinned */
	struct block_segment parts[SEGMENTS];	 /* what of them one request has */
	unsigned int count;
	u64 start, length; /* in the file */
};

/* ---- Memory ---- */

static void unpin(struct direct *direct)
{
	struct page *page;

	for (unsigned int i = 0; i < direct->count; i++) {
		page = direct->segments[i].page;
		/* The device wrote to a page of another file, which a mapping of that leads to. */
		if (!direct->write && READ_ONCE(page->flags) & BIT(PG_UPTODATE))
			page_cache_mark_dirty(page);
		page_put(page);
	}
	direct->count = 0;
}

/* The page at an address of the iterator's, with a reference. */
static struct page *pin_page(const struct iter *iter, void *address, bool write)
{
	struct page *page;

	if (iter->user)
		return mm_get_page(current->mm, (unsigned long)address,
				   !write); /* the device writes what is read */
	page = kva_to_page(address);
	if (!page)
		return ERR_PTR(-EINVAL);
	page_get(page);
	return page;
}

/* Pins the memory of the next bytes, at most `limit`, and advances. What could be had of it stays pinned. */
static int pin(struct direct *direct, struct iter *iter, u64 limit)
{
	struct block_segment *segment;
	struct page *page;
	u32 offset, part;
	size_t together;
	void *at;

	direct->length = 0;
	while (direct->count < SEGMENTS && direct->length < limit) {
		together = iter_peek(iter, &at);
		offset = (u32)((unsigned long)at % PAGE_SIZE);
		part = (u32)min(min((u64)together, (u64)PAGE_SIZE - offset), limit - direct->length);
		if ((offset | part) & MEMORY_MASK)
			return -EINVAL;
		page = pin_page(iter, at, direct->write);
		if (IS_ERR(page))
			return (int)PTR_ERR(page);
		segment = &direct->segments[direct->count++];
		*segment = (struct block_segment){ .page = page, .offset = offset, .length = part };
		iter_advance(iter, part);
		direct->length += part;
	}
	return 0;
}

/* direct->parts becomes the memory of bytes [from, to) of what is pinned: how many pieces. */
static unsigned int slice(struct direct *direct, u64 from, u64 to)
{
	unsigned int count = 0;
	u64 at = 0, begin, end;

	for (unsigned int i = 0; i < direct->count && at < to; i++) {
		const struct block_segment *segment = &direct->segments[i];

		begin = max(at, from);
		end = min(at + segment->length, to);
		if (begin < end)
			direct->parts[count++] = (struct block_segment){
				.page = segment->page,
				.offset = segment->offset + (u32)(begin - at),
				.length = (u32)(end - begin),
			};
		at += segment->length;
	}
	return count;
}

/* ---- Transfer ---- */

static void zero_parts(struct direct *direct, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		memset((char *)page_address(direct->parts[i].page) + direct->parts[i].offset, 0,
		       direct->parts[i].length);
}

/* Of blocks that were never written, what lies around the bytes [at, end) is zero from now on, for the blocks count as written then. */
static int zero_around(struct direct *direct, const struct block_extent *extent, u64 at, u64 end)
{
	struct block_device *device = direct->map->device(direct->node);
	u64 to_device = extent->position - extent->offset, block = direct->node->attr.block_size;
	u64 first = max(at - at % block, extent->offset);
	u64 last = min(DIV_ROUND_UP(end, block) * block, extent->offset + extent->length);
	int error = first < at ? block_zero(device, first + to_device, at - first) : 0;

	if (!error && last > end)
		error = block_zero(device, end + to_device, last - end);
	return error;
}

/* The bytes from `done` on, as far as one extent goes: how far that is, or a negative errno. */
static s64 transfer_extent(struct direct *direct, u64 done)
{
	u64 at = direct->start + done, end;
	struct block_extent extent = {};
	struct block_request request;
	unsigned int count;
	int error = direct->map->map(direct->node, at, direct->length - done, direct->write, &extent);

	if (error)
		return error;
	if (at < extent.offset || at - extent.offset >= extent.length)
		return -EIO;
	end = min(direct->length, extent.offset + extent.length - direct->start);
	count = slice(direct, done, end);
	if (!direct->write && extent.kind != EXTENT_MAPPED) {
		zero_parts(direct, count);
		return (s64)end;
	}
	if (direct->write && extent.kind == EXTENT_UNWRITTEN) {
		error = zero_around(direct, &extent, at, direct->start + end);
		if (error)
			return error;
	}
	block_request_init(&request, direct->map->device(direct->node),
			   direct->write ? BLOCK_WRITE : BLOCK_READ, BLOCK_SYNC,
			   extent.position + (at - extent.offset), direct->parts, count, NULL, NULL);
	error = block_request_run(&request);
	return error ? error : (s64)end;
}

/* All that is pinned: how many bytes were moved, or a negative errno. */
static ssize_t transfer(struct direct *direct)
{
	struct node *node = direct->node;
	s64 done = 0, result = 0;
	u64 end;
	int error;

	while ((u64)done < direct->length) {
		result = transfer_extent(direct, (u64)done);
		if (result < 0)
			break;
		done = result;
	}
	if (!done || !direct->write)
		return done ? done : result;
	end = direct->start + (u64)done;
	if (S_ISREG(node->attr.mode)) {
		if (end > node_size(node))
			node_set_size(node, end);
		node_touch(node, false, true, true);
	}
	error = direct->map->written ? direct->map->written(node, direct->start, (u64)done) : 0;
	return error ? error : done;
}

ssize_t block_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	struct node *node = file->contents;
	const struct block_map_ops *map = node->ops->block_map;
	u32 block = map->device(node)->logical_block_size;
	u64 size = node_size(node), limit = iter->count;
	ssize_t done = 0, part = 0;
	struct direct *direct;

	if (((u64)pos | iter->count) & (block - 1))
		return -EINVAL;
	if (!write && (u64)pos >= size)
		return 0;
	if (!write) /* the last block is read whole */
		limit = min(limit, ALIGN_UP(size - (u64)pos, (u64)block));
	direct = kmalloc(sizeof(*direct), GFP_KERNEL);
	if (!direct)
		return -ENOMEM;
	direct->node = node;
	direct->map = map;
	direct->write = write;
	direct->count = 0;
	while ((u64)done < limit) {
		int error = pin(direct, iter, limit - (u64)done);

		direct->start = (u64)pos + (u64)done;
		part = direct->length ? transfer(direct) : error;
		unpin(direct);
		if (part <= 0)
			break;
		done += part;
		if (error || (u64)part < direct->length)
			break;
		if (fatal_signal_pending())
			break;
	}
	kfree(direct);
	if (!done)
		return part;
	return write ? done : (ssize_t)min((u64)done, size - (u64)pos);
}
EXPORT_SYMBOL(block_direct);
