/*
 * What the files of loop.ko share: disks whose bytes are a file's.
 *
 * Locks, outermost first: loops_lock (which there are); bind_lock (binding and letting go); loop->lock (what it is bound to; sleeps); the block layer's. loop->queue_lock
 * (interrupts off) is a leaf.
 */
#ifndef DRIVERS_LOOP_H
#define DRIVERS_LOOP_H

#include <kumo/block.h>
#include <kumo/mutex.h>
#include <kumo/wait.h>
#include <linux/loop.h>

struct loop {
	unsigned int index;
	struct block_disk *disk;
	struct mutex lock; /* protects what it is bound to */
	struct file *file; /* NULL: unbound; else stays while commands come */
	u64 offset, size_limit;
	u32 flags; /* LO_FLAGS_* */
	u8 name[LO_NAME_SIZE];
	bool removed;			    /* by /dev/loop-control: nobody binds it any more */
	struct pseudo_directory *directory; /* /sys/block/loopN/loop, while bound */

	struct thread *worker;
	spinlock_t queue_lock; /* protects what follows */
	bool bound;	       /* the worker runs, and takes commands */
	struct list commands;
	struct wait_queue came;
};

extern const struct block_disk_ops loop_ops;

/* bind.c */
long loop_ioctl(struct block_device *device, struct file *file, unsigned int command,
		unsigned long argument);
void loop_release(struct block_device *device);
/* The limits of a loop disk, with blocks of that size. */
struct block_limits loop_limits(u32 block_size, const struct file *file);

/* worker.c */
int loop_queue(struct block_command *command);
int loop_worker(void *arg); /* the thread's function; arg: the loop */
size_t loop_command_size(void);

#endif
