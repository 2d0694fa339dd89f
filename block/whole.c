/* Operations that wait until they are done: flush, bytes of kernel memory, discard, zeros. */
#include "internal.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/page.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/thread.h>

#define RANGE_BYTES (64u << 20) /* of a discard or of zeros, between two looks at signals */
#define ZERO_SEGMENTS 64

int block_flush(struct block_device *device)
{
	struct block_request request;

	block_request_init_range(&request, device, BLOCK_FLUSH, BLOCK_SYNC, 0, 0, NULL, NULL);
	return block_request_run(&request);
}
EXPORT_SYMBOL(block_flush);

static int bytes_move(struct block_device *device, enum block_operation operation, u64 position,
		      const void *buffer, u32 length, unsigned int flags)
{
	struct block_segment segment = { .page = virt_to_page(buffer),
					 .offset = (u32)((unsigned long)buffer & ~PAGE_MASK),
					 .length = length };
	struct block_request request;

	block_request_init(&request, device, operation, flags, position, &segment, 1, NULL, NULL);
	return block_request_run(&request);
}

int block_read_bytes(struct block_device *device, u64 position, void *buffer, u32 length)
{
	return bytes_move(device, BLOCK_READ, position, buffer, length, BLOCK_SYNC);
}
EXPORT_SYMBOL(block_read_bytes);

int block_write_bytes(struct block_device *device, u64 position, const void *buffer, u32 length,
		      unsigned int flags)
{
	return bytes_move(device, BLOCK_WRITE, position, buffer, length, flags | BLOCK_SYNC);
}
EXPORT_SYMBOL(block_write_bytes);

/* The same operation over a range of any length, in parts between which a kill is seen. */
static int range_run(struct block_device *device, enum block_operation operation, u64 position,
		     u64 length, int (*step)(struct block_device *device, u64 position, u32 length))
{
	int error = 0;

	while (length && !error) {
		u32 part = (u32)min(length, (u64)RANGE_BYTES);
		struct block_request request;

		if (fatal_signal_pending())
			return -EINTR;
		if (step) {
			error = step(device, position, part);
		} else {
			block_request_init_range(&request, device, operation, 0, position, part,
						 NULL, NULL);
			error = block_request_run(&request);
		}
		position += part;
		length -= part;
	}
	return error;
}

int block_discard(struct block_device *device, u64 position, u64 length)
{
	return range_run(device, BLOCK_DISCARD, position, length, NULL);
}
EXPORT_SYMBOL(block_discard);

u32 block_discard_granularity(const struct block_device *device)
{
	const struct block_limits *limits = &device->disk->limits;

	return limits->discard_bytes_max ? max(limits->discard_granularity, device->logical_block_size)
					 : 0;
}
EXPORT_SYMBOL(block_discard_granularity);

/* Zeros as bytes, all segments the same page. */
static int zeros_write(struct block_device *device, u64 position, u32 length)
{
	struct block_segment segments[ZERO_SEGMENTS];
	struct page *page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	struct block_request request;
	int error = 0;

	if (!page)
		return -ENOMEM;
	while (length && !error) {
		unsigned int count = 0;
		u64 at = position;

		for (; length && count < ZERO_SEGMENTS; count++) {
			u32 part = min(length, (u32)PAGE_SIZE);

			segments[count] = (struct block_segment){ .page = page, .length = part };
			length -= part;
			position += part;
		}
		block_request_init(&request, device, BLOCK_WRITE, 0, at, segments, count, NULL, NULL);
		error = fatal_signal_pending() ? -EINTR : block_request_run(&request);
	}
	page_put(page);
	return error;
}

int block_zero(struct block_device *device, u64 position, u64 length)
{
	int error = range_run(device, BLOCK_WRITE_ZEROES, position, length, NULL);

	if (error != -EOPNOTSUPP)
		return error;
	return range_run(device, BLOCK_WRITE, position, length, zeros_write);
}
EXPORT_SYMBOL(block_zero);
