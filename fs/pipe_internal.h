/* What a pipe is made of, for fs/pipe.c and for those who move its contents as a whole (fs/splice.c). */
#ifndef FS_PIPE_INTERNAL_H
#define FS_PIPE_INTERNAL_H

#include <kumo/file.h>
#include <kumo/mutex.h>
#include <kumo/page.h>
#include <kumo/pipe.h>
#include <kumo/poll.h>
#include <kumo/wait.h>

struct pipe_slot {
	struct page *page;
	u32 offset, length; /* what of it is filled */
	bool packet;	    /* written with O_DIRECT: a read takes it alone, and whole */
};

struct pipe {
	struct mutex lock; /* protects the ring and the counts below */
	u32 head, tail;	   /* slots filled and emptied so far */
	u32 slot_count;	   /* a power of two */
	struct pipe_slot *slots;
	struct page *spare;
	u32 readers, writers;		/* open files */
	u32 readers_ever, writers_ever; /* opened so far: who waits in open sees them move */
	struct wait_queue read_wait, write_wait, open_wait;
	u32 users;	/* open files and opens under way; under users_lock */
	bool anonymous; /* made by pipe(2): opening it again through /proc waits for nobody */
};

extern const struct tree_ops pipe_ops;

/* The pipe that the file is an end of, or NULL. */
static inline struct pipe *file_pipe(const struct file *file)
{
	return file->ops == &pipe_ops ? file->private : NULL;
}

static inline bool pipe_empty(const struct pipe *pipe)
{
	return READ_ONCE(pipe->head) == READ_ONCE(pipe->tail);
}

static inline bool pipe_full(const struct pipe *pipe)
{
	return READ_ONCE(pipe->head) - READ_ONCE(pipe->tail) >= READ_ONCE(pipe->slot_count);
}

static inline struct pipe_slot *pipe_slot_at(struct pipe *pipe, u32 index)
{
	return &pipe->slots[index & (pipe->slot_count - 1)];
}

/* What was changed comes before the look at the waiters: pairs with the barrier in wait_prepare(). */
static inline void pipe_wake(struct wait_queue *queue, unsigned long events)
{
	smp_mb();
	if (wait_queue_active(queue))
		wake_up_key(queue, events);
}

#define PIPE_READ_EVENTS (POLLIN | POLLRDNORM)
#define PIPE_WRITE_EVENTS (POLLOUT | POLLWRNORM)

/* With the lock held. Takes what is there; true when the reader has all that this read may give. */
bool pipe_take(struct pipe *pipe, struct iter *to, ssize_t *total);
/* Fills free slots; true when the write is done, or has failed. */
bool pipe_put(struct pipe *pipe, struct iter *from, bool packet, ssize_t *total);
/* The slot at the tail is empty: its page goes, or is kept for the next write. */
void pipe_slot_release(struct pipe *pipe, struct pipe_slot *slot);

#endif
