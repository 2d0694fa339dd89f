/*
 * eventfd(2): a counter that one adds to by writing and takes from by reading: all of it, or one (EFD_SEMAPHORE). It holds
 * up to COUNT_MOST; a writer that would go beyond waits.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/poll.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/syscalls.h>
#include <kumo/wait.h>

/* Linux's flags; its headers for programs lack them. */
#define EFD_SEMAPHORE 1
#define EFD_NONBLOCK O_NONBLOCK
#define EFD_CLOEXEC O_CLOEXEC

#define COUNT_MOST (~0ULL - 1)

struct eventfd {
	spinlock_t lock; /* protects the count */
	u64 count;
	struct wait_queue wait; /* of readers and writers */
	bool semaphore;
	int id; /* for people */
};

/* Takes from the counter: what a read gives, 0 if there is nothing. */
static u64 take(struct eventfd *event)
{
	u64 value;

	spin_lock(&event->lock);
	value = event->semaphore && event->count ? 1 : event->count;
	event->count -= value;
	spin_unlock(&event->lock);
	return value;
}

static ssize_t eventfd_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct eventfd *event = file->private;
	u64 value;

	if (to->count < sizeof(value))
		return -EINVAL;
	while (!(value = take(event))) {
		int error;

		if ((file->flags & O_NONBLOCK) || to->nowait)
			return -EAGAIN;
		error = wait_event_interruptible(&event->wait, READ_ONCE(event->count));
		if (error)
			return error;
	}
	wake_up_key(&event->wait, POLLOUT | POLLWRNORM);
	return iter_copy_to(to, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value)
									: -EFAULT;
}

static bool add(struct eventfd *event, u64 value)
{
	bool fits;

	spin_lock(&event->lock);
	fits = value <= COUNT_MOST - event->count;
	if (fits)
		event->count += value;
	spin_unlock(&event->lock);
	return fits;
}

static ssize_t eventfd_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct eventfd *event = file->private;
	u64 value;

	if (iter_peek_size(from) < sizeof(value)) /* writev(2) writes each segment by itself */
		return -EINVAL;
	if (iter_copy_from(from, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value > COUNT_MOST)
		return -EINVAL;
	while (!add(event, value)) {
		int error;

		if ((file->flags & O_NONBLOCK) || from->nowait)
			return -EAGAIN;
		error = wait_event_interruptible(&event->wait,
						 value <= COUNT_MOST - READ_ONCE(event->count));
		if (error)
			return error;
	}
	wake_up_key(&event->wait, POLLIN | POLLRDNORM);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *file, struct poll_table *table)
{
	struct eventfd *event = file->private;
	u64 count;

	poll_wait(file, &event->wait, table);
	count = READ_ONCE(event->count);
	return (count ? POLLIN : 0) | (count < COUNT_MOST ? POLLOUT : 0);
}

static void eventfd_show_info(struct file *file, struct text *text)
{
	struct eventfd *event = file->private;

	text_printf(text, "eventfd-count: %16llx\neventfd-id: %d\n",
		    (unsigned long long)READ_ONCE(event->count), event->id);
}

static void eventfd_clunk(struct file *file)
{
	kfree(file->private);
}

static const struct tree_ops eventfd_ops = {
	.clunk = eventfd_clunk,
	.seek = file_seek_stays,
	.read = eventfd_read,
	.write = eventfd_write,
	.can_nowait = true,
	.poll = eventfd_poll,
	.show_info = eventfd_show_info,
};

long sys_eventfd2(unsigned int count, int flags)
{
	static atomic_t last_id;
	struct eventfd *event;
	struct file *file;

	if (flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	event = kzalloc(sizeof(*event), GFP_USER);
	if (!event)
		return -ENOMEM;
	spin_init(&event->lock, "eventfd");
	wait_queue_init(&event->wait);
	event->count = count;
	event->semaphore = flags & EFD_SEMAPHORE;
	event->id = atomic_add_return(&last_id, 1) & 0x7fffffff;
	file = file_anonymous("[eventfd]", &eventfd_ops, event, O_RDWR | ((u32)flags & O_NONBLOCK),
			      FILE_READ | FILE_WRITE | FILE_STREAM);
	if (IS_ERR(file)) {
		kfree(event);
		return PTR_ERR(file);
	}
	return fd_add(file, (u32)flags);
}

long sys_eventfd(unsigned int count)
{
	return sys_eventfd2(count, 0);
}
