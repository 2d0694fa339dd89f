/*
 * Event sets: epoll(7).
 *
 * A set is a file whose `private` is a struct epoll. It holds watches, one for each (file, descriptor) that was added. A
 * watch stays in the wait queues of its file (poll.h) from the time that it is added. What wakes such a queue, from any
 * context, puts the watch into the set's list of those that may be ready, and wakes who waits for the set. So the cost of a
 * wait is that of the files in the list, however many are in the set.
 *
 * Waiting takes watches from the list, asks their files what holds, and tells what was asked for. An edge-triggered watch is
 * taken out before its file is asked: an event that comes later puts it in again. One that is level-triggered goes to the end
 * of the list, to be asked again next time, and leaves it when nothing holds and no event came while the file was asked.
 *
 * A set does not keep its files open. A file that goes leaves its sets (epoll_file_release); a set that goes drops its
 * watches. A watch leaves all queues before it leaves its file's list of watchers, so a file whose list is empty has no queue
 * that an event set knows.
 *
 * Sets in sets: a set is a file like others, whose queue is `pollers`. They form no circle, and no chains longer than LEVELS_MOST
 * (Linux's limits), which bounds recursion here. An event goes up through a set that is watched only if the watch there is not
 * waiting to be looked at anyway; so one event costs at most what there are links between sets, not paths.
 *
 * Locks, outermost first: epoll->lock of a set, then of those in it; links_lock; the lock of a file's wait queue; ready_lock
 * of a set (interrupts off); locks of the queues of who waits for the set.
 */
#include <kumo/cred.h>
#include <kumo/epoll.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/page.h>
#include <kumo/poll.h>
#include <kumo/pseudo.h>
#include <kumo/rbtree.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/eventpoll.h>

#include "internal.h"

struct epoll {
	struct mutex lock; /* protects the tree; held while watches are looked at */
	refcount_t refs;   /* of its file, and of who takes a closed file out */
	struct rb_root watches;
	struct file *file;
	struct wait_queue waiters; /* threads in epoll_wait(2) */
	struct wait_queue pollers; /* poll(2) of the set, and sets that it is in */

	spinlock_t ready_lock; /* protects the list and what is asked of watches; taken in interrupts */
	struct list ready;     /* watches that may be ready, first come first */
	unsigned int ready_count;
	bool looking; /* a watch is out of the list to be looked at: the list may be empty though a file is ready */

	/* Under links_lock. */
	struct list nested; /* watches of other sets */
	u64 visit;	    /* the walk that found `levels` */
	unsigned int levels;
};

/* A place in a queue. */
struct watch_hook {
	struct wait_entry wait;
	struct wait_queue *queue;
	struct watch *watch;
	struct watch_hook *next;
};

struct watch {
	struct list ready_link; /* in epoll->ready; empty: not there */
	struct epoll *epoll;
	struct file *file; /* not referenced: it leaves the set when it goes */
	bool woken;	   /* under ready_lock: an event came since the file was last asked */
	bool queue_gone;   /* a queue that it was in is no more */
	u32 events;	   /* asked for */
	unsigned int fd;
	u64 data; /* the program's */
	struct watch_hook *hooks;
	struct watch_hook first; /* most files have one queue */
	struct rb_node node;	 /* in epoll->watches */
	struct hlist_node file_link;
	struct list nested_link;
};

/* Bits that say how to watch, not for what. */
#define WATCH_MODES (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EXCLUSIVE_ALLOWED                                                                          \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define READY_EVENTS (POLLIN | POLLRDNORM)

#define LEVELS_MOST 5 /* sets above each other */

int epoll_watches_max;

static const struct tree_ops epoll_ops;

/* Protects the watchers of all files, and what sets know of other sets. */
static spinlock_t links_lock = SPINLOCK_INIT("epoll_links");
static u64 visits;

bool file_is_epoll(const struct file *file)
{
	return file->ops == &epoll_ops;
}

/* ---- Events ---- */

/* In a thread, where interrupts are on. */
static void lock_ready(struct epoll *epoll)
{
	local_irq_disable();
	spin_lock(&epoll->ready_lock);
}

static void unlock_ready(struct epoll *epoll)
{
	spin_unlock(&epoll->ready_lock);
	local_irq_enable();
}

/* ready_lock held. */
static void make_ready(struct watch *watch)
{
	if (list_empty(&watch->ready_link)) {
		list_add_tail(&watch->epoll->ready, &watch->ready_link);
		watch->epoll->ready_count++;
	}
}

static void make_unready(struct watch *watch)
{
	if (!list_empty(&watch->ready_link)) {
		list_del_init(&watch->ready_link);
		watch->epoll->ready_count--;
	}
}

static void wake_set(struct epoll *epoll)
{
	wake_up(&epoll->waiters);
	wake_up_key(&epoll->pollers, READY_EVENTS);
}

/* A queue of the file was woken; its lock is held, interrupts are off. */
static bool watch_wake(struct wait_entry *wait, unsigned long key)
{
	struct watch_hook *hook = container_of(wait, struct watch_hook, wait);
	struct watch *watch = hook->watch;
	struct epoll *epoll = watch->epoll;
	bool gone = key == POLL_QUEUE_GONE, was_ready, took;
	u32 events;

	spin_lock(&epoll->ready_lock);
	events = watch->events;
	if (!gone && (!(events & ~WATCH_MODES) || (key && !(key & events)))) {
		spin_unlock(&epoll->ready_lock);
		return false;
	}
	was_ready = !list_empty(&watch->ready_link);
	watch->woken = true;
	if (unlikely(gone))
		WRITE_ONCE(watch->queue_gone, true);
	make_ready(watch);
	spin_unlock(&epoll->ready_lock);

	/* An exclusive watch of a set that nobody waits for leaves the event to the next one. */
	took = !(events & EPOLLEXCLUSIVE) || wait_queue_active(&epoll->waiters);
	wake_up(&epoll->waiters);
	if (!was_ready || !file_is_epoll(watch->file))
		wake_up_key(&epoll->pollers, READY_EVENTS);
	if (unlikely(gone))
		poll_wait_gone(wait);
	return took;
}

/* It comes back by an event alone once it was told. */
static bool leaves_when_told(const struct watch *watch)
{
	return watch->events & (EPOLLET | EPOLLONESHOT);
}

/* The first watch that may be ready, taken out or at the end of the list now; NULL: none. */
static struct watch *take_ready(struct epoll *epoll)
{
	struct watch *watch = NULL;

	lock_ready(epoll);
	if (!list_empty(&epoll->ready)) {
		watch = list_first(&epoll->ready, struct watch, ready_link);
		watch->woken = false;
		if (leaves_when_told(watch)) {
			make_unready(watch);
		} else if (epoll->ready.prev != &watch->ready_link) {
			list_del(&watch->ready_link);
			list_add_tail(&epoll->ready, &watch->ready_link);
		}
	}
	unlock_ready(epoll);
	return watch;
}

/* The first watch that may be ready, left where it is; NULL: none. */
static struct watch *first_ready(struct epoll *epoll)
{
	struct watch *watch = NULL;

	lock_ready(epoll);
	if (!list_empty(&epoll->ready)) {
		watch = list_first(&epoll->ready, struct watch, ready_link);
		watch->woken = false;
	}
	unlock_ready(epoll);
	return watch;
}

/* Its file was asked, and nothing holds. */
static void rest(struct watch *watch)
{
	lock_ready(watch->epoll);
	if (!watch->woken)
		make_unready(watch);
	unlock_ready(watch->epoll);
}

static void put_back(struct watch *watch)
{
	lock_ready(watch->epoll);
	make_ready(watch);
	unlock_ready(watch->epoll);
}

static bool may_have_events(const struct epoll *epoll)
{
	return !list_empty(&epoll->ready) || READ_ONCE(epoll->looking);
}

/* ---- Watches ---- */

struct watch_table {
	struct poll_table table;
	struct watch *watch;
	int error;
};

static void watch_hook_add(struct file *file, struct wait_queue *queue, struct poll_table *table)
{
	struct watch_table *own = container_of(table, struct watch_table, table);
	struct watch *watch = own->watch;
	struct watch_hook *hook = &watch->first;

	if (watch->hooks) {
		hook = kmalloc(sizeof(*hook), GFP_USER);
		if (!hook) {
			own->error = -ENOMEM;
			return;
		}
	}
	wait_entry_init(&hook->wait);
	hook->wait.wake = watch_wake;
	hook->wait.exclusive = watch->events & EPOLLEXCLUSIVE;
	hook->queue = queue;
	hook->watch = watch;
	hook->next = watch->hooks;
	watch->hooks = hook;
	wait_queue_add(queue, &hook->wait);
}

static void watch_leave_queues(struct watch *watch)
{
	struct watch_hook *hook, *next;

	for (hook = watch->hooks; hook; hook = next) {
		next = hook->next;
		poll_wait_leave(hook->queue, &hook->wait);
		if (hook != &watch->first)
			kfree(hook);
	}
	watch->hooks = NULL;
}

/* A queue of the file is gone: another instance serves it, or none does. It goes into those that there are now. */
static void watch_requeue(struct watch *watch)
{
	struct watch_table table = { .table = { .add = watch_hook_add, .events = watch->events },
				     .watch = watch };

	WRITE_ONCE(watch->queue_gone, false);
	watch_leave_queues(watch);
	(void)file_poll(watch->file, &table.table);
	if (table.error) /* tried again at the next look */
		WRITE_ONCE(watch->queue_gone, true);
}

/* epoll->lock is held. What holds of what is asked for. */
static u32 watch_look(struct watch *watch)
{
	if (unlikely(READ_ONCE(watch->queue_gone)))
		watch_requeue(watch);
	return file_poll(watch->file, NULL) & watch->events;
}

/* Files first by address, then by descriptor. */
static int watch_compare(const struct watch *watch, const struct file *file, unsigned int fd)
{
	if (watch->file != file)
		return watch->file < file ? 1 : -1;
	return watch->fd == fd ? 0 : watch->fd < fd ? 1 : -1;
}

int epoll_target(struct file *set, unsigned int fd, unsigned int index, const struct file **target)
{
	struct epoll *epoll = set->private;
	int error = -ENOENT;

	if (!file_is_epoll(set))
		return -EINVAL;
	mutex_lock(&epoll->lock);
	for (struct rb_node *node = rb_first(&epoll->watches); node; node = rb_next(node)) {
		struct watch *watch = container_of(node, struct watch, node);

		if (watch->fd != fd || index--)
			continue;
		*target = watch->file;
		error = 0;
		break;
	}
	mutex_unlock(&epoll->lock);
	return error;
}

static struct watch *watch_find(struct epoll *epoll, const struct file *file, unsigned int fd)
{
	struct rb_node *node = epoll->watches.node;

	while (node) {
		struct watch *watch = container_of(node, struct watch, node);
		int order = watch_compare(watch, file, fd);

		if (!order)
			return watch;
		node = order < 0 ? node->left : node->right;
	}
	return NULL;
}

static void watch_insert(struct epoll *epoll, struct watch *watch)
{
	struct rb_node **link = &epoll->watches.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = watch_compare(container_of(parent, struct watch, node), watch->file, watch->fd) < 0
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&epoll->watches, &watch->node, parent, link);
}

/* ---- Sets in sets, under links_lock ---- */

/* How many sets stand on each other from this one up; *circle: `from` is among them. */
static unsigned int levels_up(struct epoll *epoll, const struct epoll *from, bool *circle)
{
	unsigned int levels = 0;
	struct watch *watch;

	if (epoll->visit == visits)
		return epoll->levels;
	epoll->visit = visits;
	hlist_for_each(watch, &epoll->file->watchers, file_link) {
		if (watch->epoll == from)
			*circle = true;
		else
			levels = max(levels, levels_up(watch->epoll, from, circle));
	}
	return epoll->levels = levels + 1;
}

/* From this one down. */
static unsigned int levels_down(struct epoll *epoll)
{
	unsigned int levels = 0;
	struct watch *watch;

	if (epoll->visit == visits)
		return epoll->levels;
	epoll->visit = visits;
	list_for_each(watch, &epoll->nested, nested_link)
		levels = max(levels, levels_down(watch->file->private));
	return epoll->levels = levels + 1;
}

static bool may_nest(struct epoll *epoll, struct epoll *below)
{
	bool circle = false;
	unsigned int up;

	visits++;
	up = levels_up(epoll, below, &circle);
	if (circle)
		return false;
	visits++;
	return up + levels_down(below) <= LEVELS_MOST;
}

static int watch_link(struct watch *watch)
{
	struct epoll *below = file_is_epoll(watch->file) ? watch->file->private : NULL;
	int error = 0;

	spin_lock(&links_lock);
	if (below && !may_nest(watch->epoll, below))
		error = -ELOOP;
	if (!error) {
		hlist_add(&watch->file->watchers, &watch->file_link);
		if (below)
			list_add(&watch->epoll->nested, &watch->nested_link);
	}
	spin_unlock(&links_lock);
	return error;
}

static void watch_unlink(struct watch *watch)
{
	spin_lock(&links_lock);
	if (file_is_epoll(watch->file))
		list_del(&watch->nested_link);
	hlist_del(&watch->file_link); /* last: the file may go now */
	spin_unlock(&links_lock);
}

/* ---- Changes; epoll->lock is held ---- */

static atomic_t *watch_count(const struct epoll *epoll)
{
	return &epoll->file->cred->user->watch_count;
}

static void watch_remove(struct watch *watch)
{
	struct epoll *epoll = watch->epoll;

	watch_leave_queues(watch);
	rb_erase(&epoll->watches, &watch->node);
	lock_ready(epoll);
	make_unready(watch);
	unlock_ready(epoll);
	watch_unlink(watch);
	atomic_dec(watch_count(epoll));
	kfree(watch);
}

static int watch_add(struct epoll *epoll, struct file *file, unsigned int fd,
		     const struct epoll_event *event)
{
	struct watch_table table = { .table.add = watch_hook_add };
	struct watch *watch;
	int error = -ENOSPC;

	if (atomic_add_return(watch_count(epoll), 1) > READ_ONCE(epoll_watches_max))
		goto fail;
	error = -ENOMEM;
	watch = kzalloc(sizeof(*watch), GFP_USER);
	if (!watch)
		goto fail;
	list_init(&watch->ready_link);
	watch->epoll = epoll;
	watch->file = file;
	watch->fd = fd;
	watch->events = event->events;
	watch->data = event->data;
	error = watch_link(watch);
	if (error) {
		kfree(watch);
		goto fail;
	}
	watch_insert(epoll, watch);

	table.watch = watch;
	table.table.events = watch->events;
	if (file_poll(file, &table.table) & watch->events) {
		put_back(watch);
		wake_set(epoll);
	}
	if (table.error)
		watch_remove(watch);
	return table.error;
fail:
	atomic_dec(watch_count(epoll));
	return error;
}

static int watch_change(struct watch *watch, const struct epoll_event *event)
{
	struct epoll *epoll = watch->epoll;

	if (watch->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	lock_ready(epoll);
	watch->events = event->events;
	watch->data = event->data;
	unlock_ready(epoll);
	smp_mb(); /* an event that was not asked for before is seen by the look, or its waker sees that it is asked for */
	if (watch_look(watch)) {
		put_back(watch);
		wake_set(epoll);
	}
	return 0;
}

int epoll_control(struct file *set, int operation, struct file *file, unsigned int fd,
		  struct epoll_event *event)
{
	struct epoll *epoll = set->private;
	bool exclusive = operation != EPOLL_CTL_DEL && event->events & EPOLLEXCLUSIVE;
	struct watch *watch;
	int error;

	if (exclusive &&
	    (operation == EPOLL_CTL_MOD || file_is_epoll(file) || event->events & ~EXCLUSIVE_ALLOWED))
		return -EINVAL;
	event->events |= EPOLLERR | EPOLLHUP;
	mutex_lock(&epoll->lock);
	watch = watch_find(epoll, file, fd);
	switch (operation) {
	case EPOLL_CTL_ADD:
		error = watch ? -EEXIST : watch_add(epoll, file, fd, event);
		break;
	case EPOLL_CTL_MOD:
		error = watch ? watch_change(watch, event) : -ENOENT;
		break;
	case EPOLL_CTL_DEL:
		error = watch ? 0 : -ENOENT;
		if (watch)
			watch_remove(watch);
		break;
	default:
		error = -EINVAL;
	}
	mutex_unlock(&epoll->lock);
	return error;
}

/* ---- Waiting ---- */

static bool tell(struct epoll_event __user *to, u32 events, u64 data)
{
	return !put_user(events, &to->events) && !put_user(data, &to->data);
}

/* The events that there are, of watches that are in the list now. -EFAULT: none could be told. */
static long deliver(struct epoll *epoll, struct epoll_event __user *to, int limit)
{
	unsigned int left;
	long count = 0;

	mutex_lock(&epoll->lock);
	WRITE_ONCE(epoll->looking, true);
	for (left = READ_ONCE(epoll->ready_count); left && count < limit; left--) {
		struct watch *watch = take_ready(epoll);
		u32 events;

		if (!watch)
			break;
		events = watch_look(watch);
		if (!events) {
			rest(watch);
			continue;
		}
		if (!tell(to + count, events, watch->data)) {
			put_back(watch);
			if (!count)
				count = -EFAULT;
			break;
		}
		count++;
		if (watch->events & EPOLLONESHOT)
			WRITE_ONCE(watch->events, watch->events & WATCH_MODES);
	}
	WRITE_ONCE(epoll->looking, false);
	mutex_unlock(&epoll->lock);
	/* Others may have found the list empty meanwhile, or have been left to sleep by a wake-up that this thread served. */
	if (!list_empty(&epoll->ready) && wait_queue_active(&epoll->waiters))
		wake_up(&epoll->waiters);
	return count;
}

/* Not inlined: who finds events needs no room for this. */
static __noinline long wait_for_events(struct epoll *epoll, struct epoll_event __user *to,
				       int limit, u64 deadline_ns)
{
	struct wait_entry entry;
	long count = 0;
	int error = 0;

	wait_entry_init(&entry);
	for (;;) {
		wait_prepare(&epoll->waiters, &entry, WAIT_INTERRUPTIBLE, true);
		if (may_have_events(epoll)) {
			wait_finish(&epoll->waiters, &entry);
			count = deliver(epoll, to, limit);
			if (count || error)
				break;
		} else {
			if (error)
				break;
			error = wait_sleep(WAIT_INTERRUPTIBLE, deadline_ns);
		}
	}
	wait_finish(&epoll->waiters, &entry);
	return count ? count : error == -ETIME ? 0 : -EINTR;
}

long epoll_wait_events(struct file *set, struct epoll_event __user *to, int limit, u64 deadline_ns)
{
	struct epoll *epoll = set->private;
	long count = 0;

	if (may_have_events(epoll))
		count = deliver(epoll, to, limit);
	return count || !deadline_ns ? count : wait_for_events(epoll, to, limit, deadline_ns);
}

/* ---- The set as a file ---- */

static u32 epoll_poll(struct file *file, struct poll_table *table)
{
	struct epoll *epoll = file->private;
	struct watch *watch;
	u32 events = 0;

	poll_wait(file, &epoll->pollers, table);
	if (!may_have_events(epoll))
		return 0;
	mutex_lock(&epoll->lock);
	while (!events && (watch = first_ready(epoll))) {
		if (watch_look(watch))
			events = READY_EVENTS;
		else
			rest(watch);
	}
	mutex_unlock(&epoll->lock);
	return events;
}

static void epoll_put(struct epoll *epoll)
{
	if (refcount_dec_and_test(&epoll->refs))
		kfree(epoll);
}

static void epoll_clunk(struct file *file)
{
	struct epoll *epoll = file->private;
	struct rb_node *node;

	mutex_lock(&epoll->lock);
	while ((node = rb_first(&epoll->watches))) {
		watch_remove(container_of(node, struct watch, node));
		cond_resched();
	}
	mutex_unlock(&epoll->lock);
	epoll_put(epoll);
}

void epoll_file_release(struct file *file)
{
	for (;;) {
		struct epoll *epoll = NULL;
		struct watch *watch, *found = NULL;

		spin_lock(&links_lock);
		if (file->watchers.first) {
			epoll = container_of(file->watchers.first, struct watch, file_link)->epoll;
			refcount_inc(&epoll->refs);
		}
		spin_unlock(&links_lock);
		if (!epoll)
			return;
		/* The set may go at the same time, and take the watch along. */
		mutex_lock(&epoll->lock);
		spin_lock(&links_lock);
		hlist_for_each(watch, &file->watchers, file_link) {
			if (watch->epoll == epoll)
				found = watch;
		}
		spin_unlock(&links_lock);
		if (found)
			watch_remove(found);
		mutex_unlock(&epoll->lock);
		epoll_put(epoll);
	}
}

static void epoll_show_info(struct file *file, struct text *text)
{
	struct epoll *epoll = file->private;
	struct rb_node *node;

	mutex_lock(&epoll->lock);
	for (node = rb_first(&epoll->watches); node; node = rb_next(node)) {
		const struct watch *watch = container_of(node, struct watch, node);
		const struct file *watched = watch->file;

		text_printf(text, "tfd: %8u events: %8x data: %16llx  pos:%lld ino:%llx sdev:%llx\n",
			    watch->fd, watch->events, (unsigned long long)watch->data,
			    (long long)(watched->mode & FILE_STREAM ? 0 : watched->pos),
			    (unsigned long long)watched->node->attr.id,
			    (unsigned long long)watched->node->tree->device);
	}
	mutex_unlock(&epoll->lock);
}

static const struct tree_ops epoll_ops = {
	.clunk = epoll_clunk,
	.seek = file_seek_stays,
	.poll = epoll_poll,
	.show_info = epoll_show_info,
};

struct file *epoll_create(void)
{
	struct epoll *epoll = kzalloc(sizeof(*epoll), GFP_USER);

	if (!epoll)
		return ERR_PTR(-ENOMEM);
	mutex_init(&epoll->lock, "epoll");
	refcount_set(&epoll->refs, 1);
	wait_queue_init(&epoll->waiters);
	wait_queue_init(&epoll->pollers);
	/* Woken inside the locks of files' queues: they rank behind those. */
	spin_init(&epoll->waiters.lock, "epoll_waiters");
	spin_init(&epoll->pollers.lock, "epoll_pollers");
	spin_init(&epoll->ready_lock, "epoll_ready");
	lock_tag_nests(&epoll->lock.tag); /* may_nest() keeps sets in order */
	lock_tag_nests(&epoll->pollers.lock.tag);
	list_init(&epoll->ready);
	list_init(&epoll->nested);
	epoll->file = file_anonymous("[eventpoll]", &epoll_ops, epoll, O_RDWR,
				     FILE_READ | FILE_WRITE | FILE_STREAM);
	if (IS_ERR(epoll->file)) {
		int error = (int)PTR_ERR(epoll->file);

		kfree(epoll);
		return ERR_PTR(error);
	}
	return epoll->file;
}

int epoll_create_fd(u32 flags)
{
	struct file *set = epoll_create();

	return IS_ERR(set) ? (int)PTR_ERR(set) : fd_add(set, flags);
}

void epoll_init(void)
{
	struct memory_info memory;
	u64 watches;

	memory_info(&memory);
	/* All of a user's in a twenty-fifth of memory. */
	watches = memory.total_pages * PAGE_SIZE / 25 / sizeof(struct watch);
	epoll_watches_max = (int)min(watches, 0x7fffffffULL);
}
EXPORT_SYMBOL(file_is_epoll);
EXPORT_SYMBOL(epoll_create);
EXPORT_SYMBOL(epoll_control);
EXPORT_SYMBOL(epoll_wait_events);
