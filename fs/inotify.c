/*
 * inotify(7): a file from which a program reads what happens to the files and directories that it watches; and the hooks
 * of notify.h, by which the core tells.
 *
 * An instance holds its watches, by descriptor, and its queue of events. A watch holds its node, and no name and no mount:
 * whoever unmounts the tree or removes the last name ends the watch (IN_IGNORED).
 *
 * watch_lock protects everything here: lists of watches, and queues. It is taken only by who changes watches, reads events,
 * or does something to a node that is watched. Inside it are only the locks of waiting. Memory of events is had under it
 * (GFP_ATOMIC); an event that finds none becomes an overflow, whose own event each instance has from the start.
 */
#include <asm/ioctls.h>
#include <kumo/notify.h>
#include <kumo/poll.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <kumo/user_path.h>
#include <kumo/xarray.h>

#include "internal.h"

#define SETTABLE                                                                                   \
	(IN_ALL_EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD | IN_ISDIR |   \
	 IN_ONESHOT | IN_MASK_CREATE | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED)
#define KEPT                                                                                       \
	(IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT) /* of what was asked for, in watch->mask */
#define DESCRIPTOR_MAX 0x7fffffff

struct event {
	struct list link;
	int descriptor;
	u32 mask, cookie;
	u32 length; /* of the name; 0: none */
	char name[];
};

struct inotify {
	struct xarray watches; /* by descriptor */
	struct list events;
	u32 event_count;
	struct event *overflow; /* queued, or waiting for its use */
	bool overflow_queued;
	int last_descriptor;
	struct wait_queue wait;
	struct user *user; /* who is charged; held by the file's credentials */
};

struct watch {
	struct hlist_node node_link; /* in node->watches */
	struct list all_link;	     /* in all_watches, or in a list of those that end */
	struct inotify *inotify;
	struct node *node; /* referenced */
	u32 mask;	   /* KEPT */
	int descriptor;
};

atomic_t notify_watches;
int inotify_instances_max = 128, inotify_watches_max = 65536, inotify_events_max = 16384;

static spinlock_t watch_lock = SPINLOCK_INIT("inotify");
static struct list all_watches = LIST_INIT(all_watches);
/* Watches that were taken out of all_watches, and still hold their nodes: a tree that goes waits for them. */
static atomic_t ending;
static struct wait_queue ended = WAIT_QUEUE_INIT(ended);
static atomic_t last_cookie;

static const struct tree_ops inotify_ops;

/* ---- Queues; watch_lock held ---- */

static void event_append(struct inotify *inotify, struct event *event)
{
	list_add_tail(&inotify->events, &event->link);
	inotify->event_count++;
	wake_up_key(&inotify->wait, POLLIN | POLLRDNORM);
}

static void queue_overflow(struct inotify *inotify)
{
	if (inotify->overflow_queued)
		return;
	inotify->overflow_queued = true;
	event_append(inotify, inotify->overflow);
}

/* An event like the last one in the queue tells nothing new. */
static bool event_repeats(const struct inotify *inotify, int descriptor, u32 mask,
			  const struct name *name, u32 cookie)
{
	const struct event *last;

	if (list_empty(&inotify->events) || (mask & IN_IGNORED))
		return false;
	last = list_last(&inotify->events, struct event, link);
	return last->descriptor == descriptor && last->mask == mask && last->cookie == cookie &&
	       last->length == (name ? name->length : 0) &&
	       (!name || !memcmp(last->name, name->text, name->length));
}

static void queue_event(struct inotify *inotify, int descriptor, u32 mask, const struct name *name,
			u32 cookie)
{
	u32 length = name ? name->length : 0;
	struct event *event = NULL;

	if (event_repeats(inotify, descriptor, mask, name, cookie))
		return;
	if (inotify->event_count < (u32)READ_ONCE(inotify_events_max))
		event = kmalloc(sizeof(*event) + length, GFP_ATOMIC);
	if (!event) {
		queue_overflow(inotify);
		return;
	}
	event->descriptor = descriptor;
	event->mask = mask;
	event->cookie = cookie;
	event->length = length;
	if (length)
		memcpy(event->name, name->text, length);
	event_append(inotify, event);
}

/* Takes the watch out of everything; its memory and its node's reference go with watches_release(gone). */
static void watch_end(struct watch *watch, struct list *gone, bool tell)
{
	struct inotify *inotify = watch->inotify;

	if (tell)
		queue_event(inotify, watch->descriptor, IN_IGNORED, NULL, 0);
	(void)xarray_remove(&inotify->watches, (u64)watch->descriptor);
	hlist_del(&watch->node_link);
	list_del(&watch->all_link);
	list_add_tail(gone, &watch->all_link);
	atomic_inc(&ending);
	atomic_dec(&inotify->user->inotify_watches);
	atomic_dec(&notify_watches);
}

/* Without the lock: the last reference of a node may free much. */
static void watches_release(struct list *gone)
{
	struct watch *watch, *after;

	list_for_each_safe(watch, after, gone, all_link) {
		node_put(watch->node);
		kfree(watch);
		if (atomic_dec_and_test(&ending))
			wake_up_all(&ended);
	}
}

/* ---- The hooks ---- */

/* Tells who watches `node`. unlinked: it is about a file whose name is gone. */
static void tell(struct node *node, u32 mask, const struct name *name, u32 cookie, bool unlinked)
{
	struct list gone = LIST_INIT(gone);
	struct watch *watch;

	if (unlikely(READ_ONCE(node->flags) & NODE_NOTIFIES))
		dnotify_tell(node, mask);
	if (!READ_ONCE(node->watches.first))
		return;
	spin_lock(&watch_lock);
	hlist_for_each(watch, &node->watches, node_link) {
		if (!(watch->mask & mask & IN_ALL_EVENTS) ||
		    (unlinked && (watch->mask & IN_EXCL_UNLINK)))
			continue;
		queue_event(watch->inotify, watch->descriptor, mask, name, cookie);
		if (watch->mask & IN_ONESHOT)
			watch_end(watch, &gone, true);
	}
	spin_unlock(&watch_lock);
	watches_release(&gone);
}

static inline u32 directory_bit(const struct node *node)
{
	return S_ISDIR(node->attr.mode) ? IN_ISDIR : 0;
}

/* If the directory of `entry` is watched: the directory, referenced, and a copy of the name, which may change. */
static struct node *watched_parent(struct entry *entry, char *text, struct name *name, bool *unlinked)
{
	struct node *dir = NULL;

	spin_lock(&names_lock);
	if (entry->parent != entry && entry->parent->node &&
	    (entry->parent->node->watches.first || entry->parent->node->flags & NODE_NOTIFIES)) {
		dir = node_get(entry->parent->node);
		memcpy(text, entry->name.text, entry->name.length);
		*name = (struct name){ .text = text, .length = entry->name.length };
		*unlinked = entry->flags & ENTRY_DELETED;
	}
	spin_unlock(&names_lock);
	return dir;
}

void notify_entry_watched(struct entry *entry, u32 mask, bool opened)
{
	struct node *node = READ_ONCE(entry->node), *dir;
	char text[NAME_MAX_LENGTH + 1];
	bool unlinked = false;
	struct name name;

	if (!node)
		return;
	mask |= directory_bit(node);
	dir = watched_parent(entry, text, &name, &unlinked);
	if (dir) {
		tell(dir, mask, &name, 0, unlinked && opened);
		node_put(dir);
	}
	tell(node, mask, NULL, 0, false);
}

void notify_name_watched(struct node *dir, const struct name *name, const struct node *node, u32 mask)
{
	tell(dir, mask | directory_bit(node), name, 0, false);
}

void notify_node_watched(struct node *node, u32 mask)
{
	tell(node, mask | directory_bit(node), NULL, 0, false);
}

void notify_move_watched(struct node *old_dir, const struct name *old_name, struct node *new_dir,
			 const struct name *new_name, struct node *node)
{
	u32 cookie = (u32)atomic_add_return(&last_cookie, 1);

	tell(old_dir, IN_MOVED_FROM | directory_bit(node), old_name, cookie, false);
	tell(new_dir, IN_MOVED_TO | directory_bit(node), new_name, cookie, false);
	tell(node, IN_MOVE_SELF, NULL, 0, false);
}

void notify_unused_watched(struct node *node)
{
	struct list gone = LIST_INIT(gone);
	struct watch *watch;

	if (!READ_ONCE(node->watches.first))
		return;
	tell(node, IN_DELETE_SELF, NULL, 0, false);
	spin_lock(&watch_lock);
	hlist_for_each(watch, &node->watches, node_link)
		watch_end(watch, &gone, true);
	spin_unlock(&watch_lock);
	watches_release(&gone);
}

void notify_tree_gone(const struct tree *tree)
{
	struct list gone = LIST_INIT(gone);
	struct watch *watch, *after;

	if (!notify_wanted() && !atomic_read(&ending))
		return;
	spin_lock(&watch_lock);
	list_for_each_safe(watch, after, &all_watches, all_link) {
		if (watch->node->tree != tree)
			continue;
		queue_event(watch->inotify, watch->descriptor,
			    IN_UNMOUNT | (S_ISDIR(watch->node->attr.mode) ? IN_ISDIR : 0U), NULL, 0);
		watch_end(watch, &gone, true);
	}
	spin_unlock(&watch_lock);
	watches_release(&gone);
	wait_event(&ended, !atomic_read(&ending));
}

/* ---- The file ---- */

/* The name is padded with zeros, at least one, to a multiple of the event's own size. */
static size_t event_size(const struct event *event)
{
	size_t name = event->length ? ALIGN_UP(event->length + 1, sizeof(struct inotify_event)) : 0;

	return sizeof(struct inotify_event) + name;
}

/* The next event, if it fits into `room`, is the caller's. NULL: none; -EINVAL: it does not fit. */
static struct event *event_take(struct inotify *inotify, size_t room)
{
	struct event *event = NULL;

	spin_lock(&watch_lock);
	if (!list_empty(&inotify->events)) {
		event = list_first(&inotify->events, struct event, link);
		if (event_size(event) > room) {
			event = ERR_PTR(-EINVAL);
		} else {
			list_del(&event->link);
			inotify->event_count--;
		}
	}
	spin_unlock(&watch_lock);
	return event;
}

/* Copies the event out and lets go of it. */
static ssize_t event_give(struct inotify *inotify, struct event *event, struct iter *to)
{
	size_t size = event_size(event);
	struct inotify_event header = { .wd = event->descriptor,
					.mask = event->mask,
					.cookie = event->cookie,
					.len = (u32)(size - sizeof(header)) };
	size_t copied = iter_copy_to(to, &header, sizeof(header));

	if (event->length) {
		copied += iter_copy_to(to, event->name, event->length);
		copied += iter_zero(to, header.len - event->length);
	}
	if (event != inotify->overflow) {
		kfree(event);
	} else {
		spin_lock(&watch_lock);
		inotify->overflow_queued = false;
		spin_unlock(&watch_lock);
	}
	return copied == size ? (ssize_t)size : -EFAULT;
}

static ssize_t inotify_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct inotify *inotify = file->private;
	ssize_t done = 0, part;

	for (;;) {
		struct event *event = event_take(inotify, to->count);
		int error;

		if (IS_ERR(event))
			return done ? done : PTR_ERR(event);
		if (event) {
			part = event_give(inotify, event, to);
			if (part < 0)
				return part;
			done += part;
			continue;
		}
		if (done)
			return done;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		error = wait_event_interruptible(&inotify->wait, !list_empty(&inotify->events));
		if (error)
			return error;
	}
}

static u32 inotify_poll(struct file *file, struct poll_table *table)
{
	struct inotify *inotify = file->private;

	poll_wait(file, &inotify->wait, table);
	return list_empty(&inotify->events) ? 0 : POLLIN | POLLRDNORM;
}

static long inotify_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct inotify *inotify = file->private;
	const struct event *event;
	size_t bytes = 0;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&watch_lock);
	list_for_each(event, &inotify->events, link)
		bytes += event_size(event);
	spin_unlock(&watch_lock);
	return put_user((int)bytes, (int __user *)argument);
}

static void inotify_show_info(struct file *file, struct text *text)
{
	struct inotify *inotify = file->private;
	struct watch *watch;

	/* Printing may wait for memory: one at a time. */
	for (u64 at = 0;; at++) {
		unsigned long long id = 0, device = 0;
		u32 mask = 0;

		spin_lock(&watch_lock);
		watch = xarray_find(&inotify->watches, &at);
		if (watch) {
			id = watch->node->attr.id;
			device = watch->node->tree->device;
			mask = watch->mask;
		}
		spin_unlock(&watch_lock);
		if (!watch)
			return;
		text_printf(text, "inotify wd:%x ino:%llx sdev:%llx mask:%x ignored_mask:0\n",
			    (u32)at, id, device, mask);
	}
}

static void inotify_free(struct inotify *inotify)
{
	struct event *event, *after;

	list_for_each_safe(event, after, &inotify->events, link)
		if (event != inotify->overflow)
			kfree(event);
	kfree(inotify->overflow);
	xarray_destroy(&inotify->watches);
	atomic_dec(&inotify->user->inotify_instances);
	kfree(inotify);
}

static void inotify_clunk(struct file *file)
{
	struct inotify *inotify = file->private;
	struct list gone = LIST_INIT(gone);
	struct watch *watch;

	spin_lock(&watch_lock);
	for (u64 at = 0; (watch = xarray_find(&inotify->watches, &at)); at++)
		watch_end(watch, &gone, false);
	spin_unlock(&watch_lock);
	watches_release(&gone);
	inotify_free(inotify);
}

static const struct tree_ops inotify_ops = {
	.clunk = inotify_clunk,
	.seek = file_seek_stays,
	.read = inotify_read,
	.poll = inotify_poll,
	.show_info = inotify_show_info,
	.ioctl = inotify_ioctl,
};

/* ---- The system calls ---- */

static struct inotify *inotify_create(struct user *user)
{
	struct inotify *inotify;

	if (atomic_add_return(&user->inotify_instances, 1) > READ_ONCE(inotify_instances_max)) {
		atomic_dec(&user->inotify_instances);
		return ERR_PTR(-EMFILE);
	}
	inotify = kzalloc(sizeof(*inotify), GFP_USER);
	if (inotify)
		inotify->overflow = kzalloc(sizeof(*inotify->overflow), GFP_USER);
	if (!inotify || !inotify->overflow) {
		kfree(inotify);
		atomic_dec(&user->inotify_instances);
		return ERR_PTR(-ENOMEM);
	}
	inotify->user = user;
	inotify->overflow->descriptor = -1;
	inotify->overflow->mask = IN_Q_OVERFLOW;
	list_init(&inotify->events);
	wait_queue_init(&inotify->wait);
	spin_init(&inotify->wait.lock, "inotify_wait"); /* woken inside watch_lock */
	return inotify;
}

long sys_inotify_init1(int flags)
{
	struct inotify *inotify;
	struct file *file;

	if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	inotify = inotify_create(current->cred->user);
	if (IS_ERR(inotify))
		return PTR_ERR(inotify);
	file = file_anonymous("anon_inode:inotify", &inotify_ops, inotify,
			      O_RDONLY | ((u32)flags & O_NONBLOCK), FILE_READ | FILE_STREAM);
	if (IS_ERR(file)) {
		inotify_free(inotify);
		return PTR_ERR(file);
	}
	return fd_add(file, (u32)flags);
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

/* Changes the instance's watch of the node, if it has one: its descriptor, or -ENOENT, -EEXIST. watch_lock held. */
static int watch_change(struct inotify *inotify, const struct node *node, u32 mask)
{
	struct watch *watch;

	hlist_for_each(watch, &node->watches, node_link) {
		if (watch->inotify != inotify)
			continue;
		if (mask & IN_MASK_CREATE)
			return -EEXIST;
		if (mask & IN_MASK_ADD)
			mask |= watch->mask;
		watch->mask = mask & KEPT;
		return watch->descriptor;
	}
	return -ENOENT;
}

/* The next descriptor that is free, counting upwards; 0: there is none. watch_lock held. */
static int descriptor_choose(const struct inotify *inotify)
{
	int descriptor = inotify->last_descriptor;

	for (int tries = 0; tries <= inotify_watches_max; tries++) {
		descriptor = descriptor == DESCRIPTOR_MAX ? 1 : descriptor + 1;
		if (!xarray_load(&inotify->watches, (u64)descriptor))
			return descriptor;
	}
	return 0;
}

/* Puts a new watch in, or changes the one that is there; its descriptor. Takes the new one over. */
static int watch_install(struct watch *watch, u32 mask)
{
	struct inotify *inotify = watch->inotify;
	struct node *node = watch->node;
	int result, error = -ENOSPC;

	spin_lock(&watch_lock);
	result = watch_change(inotify, node, mask);
	if (result != -ENOENT)
		goto not_needed;
	result = atomic_read(&inotify->user->inotify_watches) < READ_ONCE(inotify_watches_max)
			 ? descriptor_choose(inotify)
			 : 0;
	if (result)
		error = xarray_store(&inotify->watches, (u64)result, watch, GFP_ATOMIC);
	if (error) {
		result = error;
		goto not_needed;
	}
	inotify->last_descriptor = watch->descriptor = result;
	hlist_add(&node->watches, &watch->node_link);
	list_add_tail(&all_watches, &watch->all_link);
	atomic_inc(&inotify->user->inotify_watches);
	atomic_inc(&notify_watches);
	spin_unlock(&watch_lock);
	return result;

not_needed:
	spin_unlock(&watch_lock);
	node_put(node);
	kfree(watch);
	return result;
}

/* The instance that fd is open on: -EBADF, -EINVAL. */
static int inotify_borrow(int fd, struct fd_ref *ref)
{
	*ref = fd_borrow((unsigned int)fd);
	if (!ref->file)
		return -EBADF;
	if (ref->file->ops == &inotify_ops)
		return 0;
	fd_release(*ref);
	return -EINVAL;
}

static int watch_path(struct inotify *inotify, const struct path *path, u32 mask)
{
	struct node *node = path_node(path);
	struct watch *watch;
	int error = node_permission(node, MAY_READ, current->cred);

	if (error)
		return error;
	watch = kmalloc(sizeof(*watch), GFP_USER);
	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ .inotify = inotify, .node = node_get(node), .mask = mask & KEPT };
	return watch_install(watch, mask);
}

long sys_inotify_add_watch(int fd, const char __user *name, u32 mask)
{
	unsigned int walk = (mask & IN_DONT_FOLLOW ? 0U : WALK_FOLLOW) |
			    (mask & IN_ONLYDIR ? WALK_DIRECTORY : 0U);
	struct fd_ref ref;
	struct path path;
	int result;

	if (!mask || (mask & ~(u32)SETTABLE))
		return -EINVAL;
	result = inotify_borrow(fd, &ref);
	if (result)
		return result;
	if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE))
		result = -EINVAL;
	else
		result = user_path_walk(AT_FDCWD, name, walk, &path);
	if (!result) {
		result = watch_path(ref.file->private, &path, mask);
		path_put(&path);
	}
	fd_release(ref);
	return result;
}

long sys_inotify_rm_watch(int fd, int descriptor)
{
	struct list gone = LIST_INIT(gone);
	struct inotify *inotify;
	struct watch *watch;
	struct fd_ref ref;
	int error = inotify_borrow(fd, &ref);

	if (error)
		return error;
	inotify = ref.file->private;
	spin_lock(&watch_lock);
	watch = descriptor > 0 ? xarray_load(&inotify->watches, (u64)descriptor) : NULL;
	if (watch)
		watch_end(watch, &gone, true);
	spin_unlock(&watch_lock);
	watches_release(&gone);
	fd_release(ref);
	return watch ? 0 : -EINVAL;
}
