/*
 * Flushes: one flush of the disk's cache serves all that wait for one. Whoever comes while one is under way waits for the
 * next, since the one under way need not cover what was written after it began.
 */
#include "internal.h"

#include <kumo/err.h>

/* All that wait now are served by a flush that begins now. The lock is held; the flush is to be staged then. */
static void flush_take(struct block_disk *disk)
{
	list_splice_tail(&disk->flush_running, &disk->flush_waiting);
	disk->flushing = true;
}

static void flush_submit(struct block_disk *disk)
{
	struct block_queue *queue;

	block_request_init_range(disk->flush, disk->whole, BLOCK_FLUSH, 0, 0, 0, NULL, NULL);
	disk->flush->step = STEP_FLUSH;
	count_start(disk->flush);
	queue = queue_stage(disk->flush);
	if (queue)
		block_queue_run(queue);
}

void flush_join(struct block_request *request, enum block_step step)
{
	struct block_disk *disk = request->device->disk;
	unsigned long flags = spin_lock_irqsave(&disk->flush_lock);
	bool begin = !disk->flushing;

	request->step = (u8)step;
	list_add_tail(&disk->flush_waiting, &request->link);
	if (begin)
		flush_take(disk);
	spin_unlock_irqrestore(&disk->flush_lock, flags);
	if (begin)
		flush_submit(disk);
}

static void waiter_go_on(struct block_request *request, int error)
{
	struct block_queue *queue;

	if (error || request->step == STEP_POSTFLUSH) {
		request_end(request, error);
		return;
	}
	queue = request_start_data(request);
	if (queue)
		block_queue_run(queue);
}

void flush_done(struct block_request *flush, int error)
{
	struct block_disk *disk = flush->device->disk;
	struct list done = LIST_INIT(done);
	unsigned long flags = spin_lock_irqsave(&disk->flush_lock);
	bool more = !list_empty(&disk->flush_waiting);

	count_end(flush);
	list_splice_tail(&done, &disk->flush_running);
	if (more)
		flush_take(disk);
	else
		disk->flushing = false;
	spin_unlock_irqrestore(&disk->flush_lock, flags);
	if (more)
		flush_submit(disk);
	while (!list_empty(&done)) {
		struct block_request *request = list_first(&done, struct block_request, link);

		list_del_init(&request->link);
		waiter_go_on(request, error);
	}
}
