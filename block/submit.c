/*
 * Block requests: from their owner to a queue and back.
 *
 * A request's life: block_submit() checks it against its device. A write that asks for it first waits for a flush
 * (STEP_PREFLUSH). Then its bytes go to a queue (STEP_DATA): all at once if the disk's limits allow, else one part after the other,
 * so that splitting needs no memory. At the end, where the disk has a cache but does not know FUA, it waits for another flush
 * (STEP_POSTFLUSH), and its owner is told.
 */
#define LOG_PREFIX "block: "
#include "internal.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/page.h>
#include <kumo/printk.h>

#define PLUG_MAX 64 /* requests that are held back at most */

void block_request_init(struct block_request *request, struct block_device *device,
			enum block_operation operation, unsigned int flags, u64 position,
			const struct block_segment *segments, unsigned int segment_count,
			void (*done)(struct block_request *request), void *private)
{
	u64 length = 0;

	for (unsigned int i = 0; i < segment_count; i++)
		length += segments[i].length;
	block_request_init_range(request, device, operation, flags, position, length, done, private);
	request->segments = segments;
	request->segment_count = segment_count;
}
EXPORT_SYMBOL(block_request_init);

void block_request_init_range(struct block_request *request, struct block_device *device,
			      enum block_operation operation, unsigned int flags, u64 position,
			      u64 length, void (*done)(struct block_request *request), void *private)
{
	*request = (struct block_request){
		.device = device,
		.operation = operation,
		.flags = flags,
		.position = position,
		.length = length,
		.done = done,
		.private = private,
	};
	list_init(&request->link);
	list_init(&request->chain);
}
EXPORT_SYMBOL(block_request_init_range);

/* A disk that fails must be seen by whoever looks after the machine, whatever the owner makes of it. */
static void error_say(const struct block_request *request, int error)
{
	static const char *const operations[BLOCK_OPERATIONS] = { "reading", "writing", "flushing",
								  "discarding", "zeroing" };
	struct block_device *device = request->device;

	/* What the device cannot do, or who asked got wrong, is no fault of it; one that has gone was said to go. */
	if (error == -EOPNOTSUPP || error == -EINVAL || error == -EROFS || !block_device_alive(device))
		return;
	if (rate_limit_pass(&device->errors_said))
		pr_err("%s: %s %llu bytes at %llu: error %d\n", device->name,
		       operations[request->operation], (unsigned long long)request->length,
		       (unsigned long long)request->position, error);
}

void request_end(struct block_request *request, int error)
{
	if (request->started)
		count_end(request);
	if (error)
		error_say(request, error);
	request->error = error;
	request->done(request);
}

/* ---- Memory, piece by piece ---- */

u32 piece_take(const struct block_request *request, u32 *segment, u32 *offset, u64 left, void **data)
{
	const struct block_segment *at = &request->segments[*segment];
	u32 size_max = request->device->disk->limits.piece_bytes_max, size = 0;
	char *start = (char *)page_address(at->page) + at->offset + *offset;

	*data = start;
	left = min(left, (u64)size_max);
	while (left && *segment < request->segment_count) {
		u32 step;

		at = &request->segments[*segment];
		if ((char *)page_address(at->page) + at->offset + *offset != start + size)
			break;
		step = (u32)min(left, (u64)(at->length - *offset));
		size += step;
		left -= step;
		*offset += step;
		if (*offset == at->length) {
			++*segment;
			*offset = 0;
		}
	}
	return size;
}

static void part_set_bytes(struct block_request *request, const struct block_limits *limits)
{
	u32 segment = request->part_segment, offset = request->part_segment_offset;
	u64 left = min(request->length - request->part_offset, (u64)limits->command_bytes_max);
	void *data;

	request->part_length = 0;
	request->part_pieces = 0;
	while (left && request->part_pieces < limits->pieces_max) {
		u32 size = piece_take(request, &segment, &offset, left, &data);

		request->part_length += size;
		request->part_pieces++;
		left -= size;
	}
}

/* How much goes to the driver next. */
static void part_set(struct block_request *request)
{
	const struct block_limits *limits = &request->device->disk->limits;
	u64 left = request->length - request->part_offset;

	request->part_pieces = 0;
	switch (request->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		part_set_bytes(request, limits);
		break;
	case BLOCK_DISCARD:
		request->part_length = min(left, (u64)limits->discard_bytes_max);
		break;
	case BLOCK_WRITE_ZEROES:
		request->part_length = min(left, (u64)limits->write_zeroes_bytes_max);
		break;
	case BLOCK_FLUSH:
		request->part_length = 0;
		break;
	}
}

/* Moves behind the part that is done. */
static void part_advance(struct block_request *request)
{
	u64 left = request->part_length;
	void *data;

	request->part_offset += left;
	if (!request->segment_count)
		return;
	while (left)
		left -= piece_take(request, &request->part_segment, &request->part_segment_offset,
				   left, &data);
}

/* ---- The steps ---- */

struct block_queue *request_start_data(struct block_request *request)
{
	request->step = STEP_DATA;
	part_set(request);
	return queue_stage(request);
}

/* All bytes went. */
static void data_done(struct block_request *request, int error)
{
	const struct block_limits *limits = &request->device->disk->limits;

	if (!error && (request->flags & BLOCK_FUA) && limits->write_cache && !limits->fua)
		flush_join(request, STEP_POSTFLUSH);
	else
		request_end(request, error);
}

void request_fail(struct block_request *request, int error)
{
	if (request->step == STEP_FLUSH)
		flush_done(request, error);
	else
		data_done(request, error);
}

bool request_part_done(struct block_request *request)
{
	if (request->step == STEP_FLUSH) {
		flush_done(request, 0);
		return false;
	}
	part_advance(request);
	if (request->part_offset == request->length) {
		data_done(request, 0);
		return false;
	}
	part_set(request);
	return true;
}

static bool segments_aligned(const struct block_request *request)
{
	u32 mask = request->device->logical_block_size - 1;

	for (unsigned int i = 0; i < request->segment_count; i++)
		if (!request->segments[i].length || (request->segments[i].length & mask))
			return false;
	return true;
}

static int request_check(const struct block_request *request)
{
	const struct block_device *device = request->device;
	const struct block_limits *limits = &device->disk->limits;
	u64 size = block_device_size(device), mask = device->logical_block_size - 1;

	if (!block_device_alive(device))
		return -EIO;
	if ((request->position & mask) || (request->length & mask))
		return -EINVAL;
	if (request->position > size || request->length > size - request->position)
		return -EIO;
	switch (request->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		if (!segments_aligned(request))
			return -EINVAL;
		break;
	case BLOCK_DISCARD:
		if (!limits->discard_bytes_max)
			return -EOPNOTSUPP;
		break;
	case BLOCK_WRITE_ZEROES:
		if (!limits->write_zeroes_bytes_max)
			return -EOPNOTSUPP;
		break;
	case BLOCK_FLUSH:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
	return request->operation != BLOCK_READ && READ_ONCE(device->read_only) ? -EROFS : 0;
}

/* The queue to be run, or NULL. */
static struct block_queue *request_start(struct block_request *request)
{
	bool cache = request->device->disk->limits.write_cache;
	int error = request_check(request);

	request->part_offset = 0;
	request->part_segment = request->part_segment_offset = 0;
	request->retries = 0;
	request->started = request->alone = false;
	if (!error && (request->length || cache))
		count_start(request);
	if (error || (!request->length && request->operation != BLOCK_FLUSH &&
		      !(request->flags & BLOCK_PREFLUSH))) {
		request_end(request, error);
		return NULL;
	}
	if (request->operation == BLOCK_FLUSH || !request->length) {
		if (cache)
			flush_join(request, STEP_POSTFLUSH);
		else
			request_end(request, 0);
		return NULL;
	}
	if ((request->flags & BLOCK_PREFLUSH) && cache) {
		flush_join(request, STEP_PREFLUSH);
		return NULL;
	}
	return request_start_data(request);
}

void block_submit(struct block_request *request)
{
	struct block_queue *queue = request_start(request);

	if (queue)
		block_queue_run(queue);
}
EXPORT_SYMBOL(block_submit);

/* ---- Several at once ---- */

void block_plug_start(struct block_plug *plug)
{
	list_init(&plug->requests);
	plug->count = 0;
}
EXPORT_SYMBOL(block_plug_start);

void block_plug_submit(struct block_plug *plug, struct block_request *request)
{
	list_add_tail(&plug->requests, &request->link);
	if (++plug->count == PLUG_MAX)
		block_plug_finish(plug);
}
EXPORT_SYMBOL(block_plug_submit);

void block_plug_finish(struct block_plug *plug)
{
	struct block_queue *queue = NULL, *next;

	while (!list_empty(&plug->requests)) {
		struct block_request *request = list_first(&plug->requests, struct block_request, link);

		list_del_init(&request->link);
		next = request_start(request);
		if (!next)
			continue;
		if (queue && queue != next)
			block_queue_run(queue);
		queue = next;
	}
	plug->count = 0;
	if (queue)
		block_queue_run(queue);
}
EXPORT_SYMBOL(block_plug_finish);

static void run_done(struct block_request *request)
{
	complete(request->private);
}

int block_request_run(struct block_request *request)
{
	struct completion done;

	completion_init(&done);
	request->private = &done; /* cppcheck-suppress autoVariables; it is waited for here */
	request->done = run_done;
	block_submit(request);
	wait_for_completion(&done);
	return request->error;
}
EXPORT_SYMBOL(block_request_run);
