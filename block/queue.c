/*
 * Hardware queues: where requests wait, are merged with their neighbours on the disk, and become commands of the driver.
 *
 * A CPU always uses the same queue of a disk, so with as many queues as CPUs nothing is shared between them. A request is
 * staged under the queue's lock and, when a command is free, given to the driver at once; while the device is busy (or the
 * submitter plugs) requests gather, and a later one that goes on where an earlier one ends, or ends where it begins, joins it.
 *
 * Only one CPU gives commands of a queue to its driver (queue->running); who comes meanwhile says so (queue->again). A driver
 * may therefore end a command within its queue(), and an owner submit in done(), without recursion.
 */
#define LOG_PREFIX "block: "
#include "internal.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>

#define MERGE_SEARCH                                                                               \
	16	      /* staged requests that a new one is compared with, from the last one back */
#define RETRIES_MAX 5 /* times that a command is given again after the device was reset */

/* ---- Staging ---- */

static bool may_merge(const struct block_request *head, const struct block_request *request)
{
	const struct block_limits *limits = &request->device->disk->limits;

	return head->operation == request->operation && !head->alone &&
	       (head->flags & BLOCK_FUA) == (request->flags & BLOCK_FUA) &&
	       head->chain_length + request->part_length <= limits->command_bytes_max &&
	       head->chain_pieces + request->part_pieces <= limits->pieces_max;
}

/* The new one goes to the head's end, or before it and becomes the head. queue->lock is held. */
static bool merge_with(struct block_request *head, struct block_request *request)
{
	u64 head_start = request_disk_position(head), start = request_disk_position(request);

	if (!may_merge(head, request))
		return false;
	if (head_start + head->chain_length == start) {
		head->chain_length += request->part_length;
		head->chain_pieces += request->part_pieces;
		list_add_tail(&head->chain, &request->link);
		return true;
	}
	if (start + request->part_length != head_start)
		return false;
	request->chain_length = head->chain_length + request->part_length;
	request->chain_pieces = head->chain_pieces + request->part_pieces;
	list_add(&head->link, &request->link);
	list_del(&head->link);
	list_add_tail(&request->chain, &head->link);
	list_splice_tail(&request->chain, &head->chain);
	return true;
}

/* queue->lock is held. */
static bool merge(struct block_queue *queue, struct block_request *request)
{
	unsigned int tries = 0;

	if (request->alone || (request->operation != BLOCK_READ && request->operation != BLOCK_WRITE))
		return false;
	for (struct list *at = queue->staged.prev; at != &queue->staged && tries < MERGE_SEARCH;
	     at = at->prev, tries++)
		if (merge_with(list_entry(at, struct block_request, link), request))
			return true;
	return false;
}

static void stage_locked(struct block_queue *queue, struct block_request *request, bool first)
{
	list_init(&request->chain);
	request->chain_length = request->part_length;
	request->chain_pieces = request->part_pieces;
	if (merge(queue, request)) {
		count_merge(request);
		return;
	}
	if (first)
		list_add(&queue->staged, &request->link);
	else
		list_add_tail(&queue->staged, &request->link);
	queue->staged_count++;
}

static bool stage_in(struct block_queue *queue, struct block_request *request, bool first)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	bool dead = queue->disk->dead; /* set before the queue is emptied under its lock */

	if (!dead)
		stage_locked(queue, request, first);
	spin_unlock_irqrestore(&queue->lock, flags);
	return !dead;
}

struct block_queue *queue_stage(struct block_request *request)
{
	struct block_disk *disk = request->device->disk;
	struct block_queue *queue = &disk->queues[smp_processor_id() % disk->queue_count];

	if (stage_in(queue, request, false))
		return queue;
	request_fail(request, -EIO);
	return NULL;
}

/* ---- Giving commands to the driver ---- */

/* The next staged request and those merged with it, as a command; NULL: none, or no command is free. The lock is held. */
static struct block_command *command_take(struct block_queue *queue)
{
	struct block_disk *disk = queue->disk;
	struct block_command *command;
	struct block_request *head;

	if (queue->stopped || list_empty(&queue->staged) || list_empty(&queue->free))
		return NULL;
	head = list_first(&queue->staged, struct block_request, link);
	list_del(&head->link);
	queue->staged_count--;
	command = list_first(&queue->free, struct block_command, link);
	list_del(&command->link);
	list_add_tail(&queue->in_flight, &command->link);
	queue->in_flight_count++;
	command->operation = head->operation;
	command->flags = head->flags & BLOCK_FUA && disk->limits.fua ? BLOCK_FUA : 0;
	command->position = request_disk_position(head);
	command->length = head->chain_length;
	command->pieces = head->chain_pieces;
	command->timed_out = false;
	command->start_ns = time_monotonic_ns();
	list_init(&command->requests);
	list_add(&command->requests, &head->link);
	list_splice_tail(&command->requests, &head->chain);
	if (disk->timeout_ns && disk->ops->reset && !queue->timer_armed) {
		queue->timer_armed = true;
		timer_arm(&queue->timer, command->start_ns + disk->timeout_ns);
	}
	return command;
}

/* The command is free again; its requests go to `requests`. The lock is held. */
static void command_release(struct block_queue *queue, struct block_command *command,
			    struct list *requests)
{
	list_init(requests);
	list_splice_tail(requests, &command->requests);
	list_del(&command->link);
	list_add(&queue->free, &command->link);
	queue->in_flight_count--;
}

/* The driver cannot take it now: it waits at the front, as it was. The lock is held. */
static void command_put_back(struct block_queue *queue, struct block_command *command)
{
	struct list requests;
	struct block_request *head;

	command_release(queue, command, &requests);
	head = list_first(&requests, struct block_request, link);
	list_del(&head->link);
	list_init(&head->chain);
	list_splice_tail(&head->chain, &requests);
	list_add(&queue->staged, &head->link);
	queue->staged_count++;
}

static int command_give(struct block_command *command, const struct block_disk_ops *ops)
{
	return fault_inject(FAIL_DISK) ? -EIO : ops->queue(command);
}

void block_queue_run(struct block_queue *queue)
{
	const struct block_disk_ops *ops = queue->disk->ops;
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	struct block_command *command;

	queue->again = true;
	if (queue->running)
		goto out;
	queue->running = true;
	while (queue->again) {
		bool given = false;
		int error = 0;

		queue->again = false;
		while (error != -EBUSY && (command = command_take(queue))) {
			spin_unlock_irqrestore(&queue->lock, flags);
			error = command_give(command, ops);
			if (error && error != -EBUSY)
				block_command_done(command, error);
			given |= !error;
			flags = spin_lock_irqsave(&queue->lock);
			if (error == -EBUSY)
				command_put_back(queue, command);
		}
		if (given && ops->commit) {
			spin_unlock_irqrestore(&queue->lock, flags);
			ops->commit(queue);
			flags = spin_lock_irqsave(&queue->lock);
		}
	}
	queue->running = false;
	if (queue->stopped)
		wake_up_all(&queue->disk->idle);
out:
	spin_unlock_irqrestore(&queue->lock, flags);
}
EXPORT_SYMBOL(block_queue_run);

/* ---- Commands come back ---- */

/*
 * How a request goes on whose command ended with `error`. True: it is staged again. What failed in company is tried alone, so
 * that one bad block does not fail its neighbours.
 */
static bool request_goes_on(struct block_request *request, int error, bool timed_out, bool in_company)
{
	if (error == -ERESTART) {
		if (timed_out)
			error = -ETIMEDOUT;
		else if (++request->retries > RETRIES_MAX)
			error = -EIO;
		else
			return true;
	} else if (error && in_company && block_device_alive(request->device)) {
		request->alone = true;
		return true;
	}
	if (!error)
		return request_part_done(request);
	request_fail(request, error);
	return false;
}

/*
 * The disk stays until this returns although nothing is in flight any more: it is freed after a grace period, and nothing here
 * sleeps.
 */
void block_command_done(struct block_command *command, int error)
{
	struct block_queue *queue = command->queue;
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	bool timed_out = command->timed_out, in_company, more, stopped;
	struct block_request *request;
	struct list requests;

	rcu_read_lock();
	in_company = command->requests.next != command->requests.prev;
	command_release(queue, command, &requests);
	stopped = queue->stopped;
	spin_unlock_irqrestore(&queue->lock, flags);
	if (error == -ERESTART || (error && in_company))
		pr_debug("%s: a command of %llu bytes at %llu: error %d\n",
			 queue->disk->whole->name, (unsigned long long)command->length,
			 (unsigned long long)command->position, error);
	while (!list_empty(&requests)) {
		request = list_first(&requests, struct block_request, link);
		list_del_init(&request->link);
		if (request_goes_on(request, error, timed_out, in_company) &&
		    !stage_in(queue, request, error == -ERESTART))
			request_fail(request, -EIO);
	}
	flags = spin_lock_irqsave(&queue->lock);
	more = queue->staged_count;
	spin_unlock_irqrestore(&queue->lock, flags);
	if (more)
		block_queue_run(queue);
	if (stopped)
		wake_up_all(&queue->disk->idle);
	rcu_read_unlock();
}
EXPORT_SYMBOL(block_command_done);

void block_piece_iter_init(struct block_piece_iter *iter, const struct block_command *command)
{
	iter->command = command;
	iter->request = list_first(&command->requests, struct block_request, link);
	iter->segment = iter->request->part_segment;
	iter->offset = iter->request->part_segment_offset;
	iter->left = iter->request->segment_count ? iter->request->part_length : 0;
}
EXPORT_SYMBOL(block_piece_iter_init);

bool block_piece_next(struct block_piece_iter *iter, void **data, u32 *size)
{
	if (!iter->left) {
		if (iter->request->link.next == &iter->command->requests)
			return false;
		iter->request = list_entry(iter->request->link.next, struct block_request, link);
		iter->segment = iter->request->part_segment;
		iter->offset = iter->request->part_segment_offset;
		iter->left = iter->request->segment_count ? iter->request->part_length : 0;
		if (!iter->left)
			return false;
	}
	*size = piece_take(iter->request, &iter->segment, &iter->offset, iter->left, data);
	iter->left -= *size;
	return true;
}
EXPORT_SYMBOL(block_piece_next);

/* ---- Time ---- */

static void queue_timeout(struct timer *timer)
{
	struct block_queue *queue = container_of(timer, struct block_queue, timer);
	u64 timeout_ns = queue->disk->timeout_ns, now = time_monotonic_ns(), next = now + timeout_ns;
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	struct block_command *command;
	bool late = false;

	list_for_each(command, &queue->in_flight, link) {
		if (command->start_ns + timeout_ns > now) {
			next = command->start_ns + timeout_ns;
			break;
		}
		command->timed_out = true;
		late = true;
	}
	queue->timer_armed = !list_empty(&queue->in_flight);
	if (queue->timer_armed)
		timer_arm(timer, next);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (late)
		work_queue(&queue->disk->recovery);
}

/* The device does not answer: it is reset. What it had is given to it again, but for what took too long. */
static void recover(struct work *work)
{
	struct block_disk *disk = container_of(work, struct block_disk, recovery);
	int error;

	queues_stop(disk);
	if (!READ_ONCE(disk->dead)) {
		pr_warn("%s: a command takes longer than %llu ms: the device is reset\n",
			disk->whole->name, (unsigned long long)(disk->timeout_ns / NSEC_PER_MSEC));
		error = disk->ops->reset(disk);
		if (error) {
			pr_err("%s: cannot be reset (error %d), and is given up\n",
			       disk->whole->name, error);
			WRITE_ONCE(disk->dead, true);
			queues_fail_staged(disk);
		}
	}
	if (!READ_ONCE(disk->dead))
		queues_start(disk);
}

/* ---- Starting and stopping ---- */

static bool queue_idle(struct block_queue *queue)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	bool idle = !queue->running;

	spin_unlock_irqrestore(&queue->lock, flags);
	return idle;
}

static void queues_set_stopped(struct block_disk *disk, bool stopped)
{
	for (unsigned int i = 0; i < disk->queue_count; i++) {
		struct block_queue *queue = &disk->queues[i];
		unsigned long flags = spin_lock_irqsave(&queue->lock);

		queue->stopped = stopped;
		spin_unlock_irqrestore(&queue->lock, flags);
	}
}

void queues_stop(struct block_disk *disk)
{
	queues_set_stopped(disk, true);
	for (unsigned int i = 0; i < disk->queue_count; i++)
		wait_event(&disk->idle, queue_idle(&disk->queues[i]));
}

void queues_start(struct block_disk *disk)
{
	queues_set_stopped(disk, false);
	for (unsigned int i = 0; i < disk->queue_count; i++)
		block_queue_run(&disk->queues[i]);
}

/* The disk is dead: nobody stages any more. */
void queues_fail_staged(struct block_disk *disk)
{
	for (unsigned int i = 0; i < disk->queue_count; i++) {
		struct block_queue *queue = &disk->queues[i];
		unsigned long flags = spin_lock_irqsave(&queue->lock);

		while (!list_empty(&queue->staged)) {
			struct block_request *head =
				list_first(&queue->staged, struct block_request, link);
			struct list requests = LIST_INIT(requests);

			list_del(&head->link);
			queue->staged_count--;
			list_add(&requests, &head->link);
			list_splice_tail(&requests, &head->chain);
			spin_unlock_irqrestore(&queue->lock, flags);
			while (!list_empty(&requests)) {
				head = list_first(&requests, struct block_request, link);
				list_del_init(&head->link);
				request_fail(head, -EIO);
			}
			flags = spin_lock_irqsave(&queue->lock);
		}
		spin_unlock_irqrestore(&queue->lock, flags);
	}
}

unsigned int queues_in_flight(struct block_disk *disk)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < disk->queue_count; i++) {
		unsigned long flags = spin_lock_irqsave(&disk->queues[i].lock);

		count += disk->queues[i].in_flight_count;
		spin_unlock_irqrestore(&disk->queues[i].lock, flags);
	}
	return count;
}

static struct block_command *command_at(struct block_queue *queue, unsigned int tag)
{
	return (struct block_command *)(queue->commands + (size_t)tag * queue->disk->command_bytes);
}

struct block_command *block_queue_command(struct block_queue *queue, unsigned int tag)
{
	unsigned long flags;
	struct block_command *at, *found = NULL;

	if (tag >= queue->disk->depth)
		return NULL;
	flags = spin_lock_irqsave(&queue->lock);
	list_for_each(at, &queue->in_flight, link)
		if (at->tag == tag)
			found = at;
	spin_unlock_irqrestore(&queue->lock, flags);
	return found;
}
EXPORT_SYMBOL(block_queue_command);

static int queue_init(struct block_disk *disk, unsigned int index)
{
	struct block_queue *queue = &disk->queues[index];

	queue->disk = disk;
	queue->index = index;
	spin_init(&queue->lock, "block_queue");
	list_init(&queue->staged);
	list_init(&queue->free);
	list_init(&queue->in_flight);
	timer_init(&queue->timer, queue_timeout);
	queue->commands = kcalloc(disk->depth, disk->command_bytes, GFP_KERNEL);
	if (!queue->commands)
		return -ENOMEM;
	for (unsigned int tag = 0; tag < disk->depth; tag++) {
		struct block_command *command = command_at(queue, tag);

		command->queue = queue;
		command->tag = tag;
		list_add_tail(&queue->free, &command->link);
	}
	return 0;
}

int queues_create(struct block_disk *disk, unsigned int command_size)
{
	int error = 0;

	disk->command_bytes = ALIGN_UP(BLOCK_COMMAND_SIZE + command_size, 16u);
	work_init(&disk->recovery, recover);
	wait_queue_init(&disk->idle);
	disk->queues = kcalloc(disk->queue_count, sizeof(*disk->queues), GFP_KERNEL);
	if (!disk->queues)
		return -ENOMEM;
	for (unsigned int i = 0; i < disk->queue_count && !error; i++)
		error = queue_init(disk, i);
	if (error)
		queues_destroy(disk);
	return error;
}

void queues_destroy(struct block_disk *disk)
{
	for (unsigned int i = 0; disk->queues && i < disk->queue_count; i++) {
		if (disk->queues[i].disk)
			timer_cancel_sync(&disk->queues[i].timer);
		kfree(disk->queues[i].commands);
	}
	kfree(disk->queues);
	disk->queues = NULL;
}
