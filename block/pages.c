/*
 * Pages of files between the page cache and the device. A run of consecutive pages becomes one transfer: the tree says where its
 * bytes lie, extent by extent, and each extent becomes a request. The transfer ends when its last request does: of a read in
 * whatever context that is, of a write in a worker, where the tree is told that the bytes are there.
 *
 * Writing must go on when there is no memory, since it is what gives memory back: what cannot get a request of its own is
 * written at once, page by page, with one on the stack.
 *
 * How much of a file is transferred is what it has when the transfer begins. It may grow meanwhile: of what is read, the rest of the
 * last page is zeros then, since who writes there waits for the page; of what is written, more than that is not said to be on the
 * device, and the page is dirty again. What a mapping has left behind the file's end stays in memory: on the device zeros lie there,
 * which nobody needs to look at when the file grows.
 */
#include "internal.h"

#include <kumo/atomic.h>
#include <kumo/block_pages.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/page.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/tree.h>

struct transfer {
	struct node *node;
	struct block_device *device;
	u64 size;		/* of the file, when it began */
	struct page *tail;	/* what is written for the file's last page; NULL: that itself */
	struct block_plug plug; /* of who submits */
	atomic_t pending;	/* requests under way, and one for who submits */
	int error;		/* the last; 0: none */
	bool write;
	bool on_stack; /* of who submits it, and waits for each request */
	unsigned int count;
	struct work work;
	struct page *pages[];
};

/* A request of it. */
struct part {
	struct block_request request;
	struct transfer *transfer;
	struct block_segment segments[];
};

static inline u64 transfer_start(const struct transfer *transfer)
{
	return transfer->pages[0]->index << PAGE_SHIFT;
}

/* The slice of the file's bytes at `at`, up to the end of its page or to `end`. */
static struct block_segment segment_at(const struct transfer *transfer, u64 at, u64 end)
{
	struct block_segment segment;

	segment.page = transfer->pages[(at - transfer_start(transfer)) >> PAGE_SHIFT];
	if (unlikely(transfer->tail) && at >> PAGE_SHIFT == transfer->size >> PAGE_SHIFT)
		segment.page = transfer->tail;
	segment.offset = (u32)(at % PAGE_SIZE);
	segment.length = (u32)min((u64)PAGE_SIZE - segment.offset, end - at);
	return segment;
}

static void zero_range(struct transfer *transfer, u64 at, u64 end)
{
	struct block_segment segment;

	for (; at < end; at += segment.length) {
		segment = segment_at(transfer, at, end);
		memset((char *)page_address(segment.page) + segment.offset, 0, segment.length);
	}
}

/* ---- The end ---- */

static void transfer_free(struct transfer *transfer)
{
	if (transfer->tail)
		page_put(transfer->tail);
	if (!transfer->on_stack)
		kfree(transfer);
}

static void read_end(struct transfer *transfer)
{
	u64 start = transfer_start(transfer), end = start + ((u64)transfer->count << PAGE_SHIFT);

	if (transfer->size < end)
		zero_range(transfer, max(transfer->size, start),
			   end); /* what the device has behind the file's end is nobody's business */
	for (unsigned int i = 0; i < transfer->count; i++)
		page_read_done(transfer->pages[i], transfer->error);
	transfer_free(transfer);
}

static void write_end(struct work *work)
{
	struct transfer *transfer = container_of(work, struct transfer, work);
	const struct block_map_ops *map = transfer->node->ops->block_map;
	u64 start = transfer_start(transfer), length = (u64)transfer->count << PAGE_SHIFT;
	int error = transfer->error;

	if (!error && map->written && transfer->size > start)
		error = map->written(transfer->node, start, min(length, transfer->size - start));
	for (unsigned int i = 0; i < transfer->count; i++)
		page_write_done(transfer->pages[i], error);
	transfer_free(transfer);
}

static void transfer_put(struct transfer *transfer)
{
	if (!atomic_dec_and_test(&transfer->pending))
		return;
	if (!transfer->write)
		read_end(transfer);
	else if (transfer->on_stack)
		write_end(&transfer->work);
	else
		work_queue(&transfer->work);
}

static void part_done(struct block_request *request)
{
	struct part *part = container_of(request, struct part, request);
	struct transfer *transfer = part->transfer;

	if (request->error)
		WRITE_ONCE(transfer->error, request->error);
	kfree(part);
	transfer_put(transfer);
}

/* ---- The beginning ---- */

static enum block_operation operation_of(const struct transfer *transfer)
{
	return transfer->write ? BLOCK_WRITE : BLOCK_READ;
}

/* [at, end) without memory for a request: page by page. */
static int transfer_now(struct transfer *transfer, u64 at, u64 end, u64 position)
{
	struct block_segment segment;
	struct block_request request;
	int error = 0;

	for (; at < end && !error; at += segment.length, position += segment.length) {
		segment = segment_at(transfer, at, end);
		block_request_init(&request, transfer->device, operation_of(transfer), BLOCK_SYNC,
				   position, &segment, 1, NULL, NULL);
		error = block_request_run(&request);
	}
	return error;
}

/* Submits [at, end), which lies together on the device. */
static int submit_part(struct transfer *transfer, u64 at, u64 end, u64 position)
{
	unsigned int count = (unsigned int)(((end - 1) >> PAGE_SHIFT) - (at >> PAGE_SHIFT) + 1), i;
	struct part *part = NULL;

	if (!transfer->on_stack)
		part = kmalloc(sizeof(*part) + count * sizeof(part->segments[0]),
			       GFP_KERNEL | GFP_NOWARN);
	if (!part)
		return transfer_now(transfer, at, end, position);
	part->transfer = transfer;
	for (i = 0; at < end; i++) {
		part->segments[i] = segment_at(transfer, at, end);
		at += part->segments[i].length;
	}
	atomic_inc(&transfer->pending);
	block_request_init(&part->request, transfer->device, operation_of(transfer), 0, position,
			   part->segments, count, part_done, NULL);
	block_plug_submit(&transfer->plug, &part->request);
	return 0;
}

/* Does what is to be done for the start of [at, end), an extent or a part of one: how far it came, or a negative errno. */
static s64 submit_extent(struct transfer *transfer, u64 at, u64 end)
{
	struct block_extent extent = {};
	int error = transfer->node->ops->block_map->map(transfer->node, at, end - at,
							transfer->write, &extent);

	if (error)
		return error;
	if (at < extent.offset || at - extent.offset >= extent.length)
		return -EIO;
	end = min(end, extent.offset + extent.length);
	if (transfer->write ? extent.kind != EXTENT_HOLE : extent.kind == EXTENT_MAPPED)
		error = submit_part(transfer, at, end, extent.position + (at - extent.offset));
	else if (transfer->write)
		error = -EIO; /* it was to make a place */
	else
		zero_range(transfer, at, end);
	return error ? error : (s64)end;
}

/* Sees to it that nothing but zeros is written behind the file's end. -ENOMEM. */
static int tail_make(struct transfer *transfer)
{
	u64 start = transfer_start(transfer), size = transfer->size, used = size % PAGE_SIZE;
	char *bytes;

	if (!used || size < start || size >= start + ((u64)transfer->count << PAGE_SHIFT))
		return 0;
	bytes = page_address(transfer->pages[(size - start) >> PAGE_SHIFT]);
	if (likely(bytes_are_zero(bytes + used, PAGE_SIZE - used)))
		return 0;
	transfer->tail = page_alloc(0, GFP_KERNEL | GFP_NOWARN | GFP_ZERO);
	if (!transfer->tail)
		return -ENOMEM;
	memcpy(page_address(transfer->tail), bytes, used);
	return 0;
}

/* All of the transfer that lies within the file. Its last blocks are transferred whole. */
static void submit(struct transfer *transfer)
{
	u64 start = transfer_start(transfer), end = start + ((u64)transfer->count << PAGE_SHIFT);
	s64 at = transfer->write ? tail_make(transfer) : 0;

	at = at ? at : (s64)start;
	block_plug_start(&transfer->plug);
	while (at >= 0 && (u64)at < end && (u64)at < transfer->size)
		at = submit_extent(transfer, (u64)at, end);
	if (at < 0)
		WRITE_ONCE(transfer->error, (int)at);
	block_plug_finish(&transfer->plug);
	transfer_put(transfer);
}

static void transfer_init(struct transfer *transfer, struct node *node, struct page **pages,
			  unsigned int count, bool write)
{
	transfer->node = node;
	transfer->device = node->ops->block_map->device(node);
	transfer->size = node_size(node);
	transfer->tail = NULL;
	atomic_set(&transfer->pending, 1);
	transfer->error = 0;
	transfer->write = write;
	transfer->on_stack = false;
	transfer->count = count;
	work_init(&transfer->work, write_end);
	memcpy(transfer->pages, pages, count * sizeof(pages[0]));
}

/* One page, without memory for more: waits for it. */
static void transfer_page(struct node *node, struct page *page, bool write)
{
	struct {
		struct transfer transfer;
		struct page *page;
	} one;

	transfer_init(&one.transfer, node, &page, 1, write);
	one.transfer.on_stack = true;
	submit(&one.transfer);
}

static void transfer_pages(struct node *node, struct page **pages, unsigned int count, bool write)
{
	struct transfer *transfer =
		kmalloc(sizeof(*transfer) + count * sizeof(pages[0]), GFP_KERNEL | GFP_NOWARN);

	if (transfer) {
		transfer_init(transfer, node, pages, count, write);
		submit(transfer);
		return;
	}
	for (unsigned int i = 0; i < count; i++)
		transfer_page(node, pages[i], write);
}

void block_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	transfer_pages(node, pages, count, false);
}
EXPORT_SYMBOL(block_read_pages);

void block_write_pages(struct node *node, struct page **pages, unsigned int count)
{
	transfer_pages(node, pages, count, true);
}
EXPORT_SYMBOL(block_write_pages);
