/*
 * Commands of a loop disk: a thread of the loop reads and writes the file, through the same calls that programs use, so that
 * what others see of the file is what the disk has. Discarding punches holes.
 */
#include "loop.h"

#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/writeback.h>
#include <linux/falloc.h>

struct loop_command {
	struct list link; /* in loop->commands */
};

size_t loop_command_size(void)
{
	return sizeof(struct loop_command);
}

int loop_queue(struct block_command *command)
{
	struct loop *loop = command->queue->disk->private;
	struct loop_command *loop_command = block_command_private(command);
	unsigned long flags = spin_lock_irqsave(&loop->queue_lock);
	bool bound = loop->bound;

	if (bound)
		list_add_tail(&loop->commands, &loop_command->link);
	spin_unlock_irqrestore(&loop->queue_lock, flags);
	if (!bound)
		return -EIO;
	wake_up(&loop->came);
	return 0;
}

/* One piece of memory. What lies behind the file's end reads as zero. */
static int piece_move(struct loop *loop, loff_t position, void *data, u32 size, bool write)
{
	ssize_t moved = write ? kernel_write(loop->file, data, size, &position)
			      : kernel_read(loop->file, data, size, &position);

	if (moved < 0)
		return moved == -ENOSPC || moved == -EDQUOT ? -ENOSPC : -EIO;
	if ((u32)moved == size)
		return 0;
	if (write)
		return -EIO;
	memset((char *)data + moved, 0, size - (u32)moved);
	return 0;
}

static int memory_move(struct loop *loop, struct block_command *command)
{
	u64 position = loop->offset + command->position;
	struct block_piece_iter iter;
	int error = 0;
	void *data;
	u32 size;

	block_piece_iter_init(&iter, command);
	while (!error && block_piece_next(&iter, &data, &size)) {
		error = piece_move(loop, (loff_t)position, data, size,
				   command->operation == BLOCK_WRITE);
		position += size;
	}
	return error;
}

static int command_run(struct loop *loop, struct block_command *command)
{
	int error = 0;

	switch (command->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return memory_move(loop, command);
	case BLOCK_FLUSH:
		error = file_sync(loop->file, true);
		return error && error != -EINVAL ? -EIO : 0;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		error = file_allocate(loop->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      (loff_t)(loop->offset + command->position),
				      (loff_t)command->length);
		return error && error != -EOPNOTSUPP ? -EIO : error;
	}
	return -EOPNOTSUPP;
}

static struct block_command *command_next(struct loop *loop)
{
	unsigned long flags = spin_lock_irqsave(&loop->queue_lock);
	struct loop_command *first = NULL;

	if (!list_empty(&loop->commands)) {
		first = list_first(&loop->commands, struct loop_command, link);
		list_del(&first->link);
	}
	spin_unlock_irqrestore(&loop->queue_lock, flags);
	return first ? block_command_of(first) : NULL;
}

static void commands_run(struct loop *loop)
{
	struct block_command *command;

	while ((command = command_next(loop)))
		block_command_done(command, command_run(loop, command));
}

/* A wait that ends early looks again. Stopped when the loop is not bound any more: what came before that is done. */
int loop_worker(void *arg)
{
	struct loop *loop = arg;

	writeback_unthrottle();
	while (!kthread_should_stop()) {
		commands_run(loop);
		if (wait_event_interruptible(&loop->came, !list_empty(&loop->commands)))
			continue;
	}
	commands_run(loop);
	return 0;
}
