/*
 * Signals for what happens in a directory: fcntl(2), F_NOTIFY. What inotify(7) came after; both are told by the same hooks
 * (notify.h).
 *
 * Requests are few: all of them are in one list. NODE_NOTIFIES says that a directory has, or has had, some.
 */
#include <kumo/async.h>
#include <kumo/notify.h>
#include <kumo/slab.h>
#include <kumo/thread.h>

#include "internal.h"

struct request {
	struct list link;
	struct file *file; /* open on the directory; takes the request along when it goes */
	unsigned int fd;
	u32 events; /* DN_* */
};

static spinlock_t request_lock = SPINLOCK_INIT("dnotify");
static struct list requests = LIST_INIT(requests);

/* DN_* that an event of inotify's is. */
static u32 events_of(u32 mask)
{
	return (mask & IN_ACCESS ? DN_ACCESS : 0U) | (mask & IN_MODIFY ? DN_MODIFY : 0U) |
	       (mask & (IN_CREATE | IN_MOVED_TO) ? DN_CREATE : 0U) |
	       (mask & (IN_DELETE | IN_MOVED_FROM) ? DN_DELETE : 0U) |
	       (mask & IN_MOVED_FROM ? DN_RENAME : 0U) | (mask & IN_ATTRIB ? DN_ATTRIB : 0U);
}

static void request_end(struct request *request)
{
	list_del(&request->link);
	kfree(request);
	atomic_dec(&notify_watches);
}

void dnotify_tell(const struct node *dir, u32 mask)
{
	struct request *request, *after;
	u32 events = events_of(mask);

	spin_lock(&request_lock);
	list_for_each_safe(request, after, &requests, link) {
		if (request->file->node != dir || !(request->events & events))
			continue;
		file_owner_signal(request->file, request->fd, POLL_MSG);
		if (!(request->events & DN_MULTISHOT))
			request_end(request);
	}
	spin_unlock(&request_lock);
}

static struct request *request_of(const struct file *file)
{
	struct request *request;

	list_for_each(request, &requests, link)
		if (request->file == file)
			return request;
	return NULL;
}

void dnotify_release(struct file *file)
{
	struct request *request;

	spin_lock(&request_lock);
	request = request_of(file);
	if (request)
		request_end(request);
	spin_unlock(&request_lock);
}

/* The request is added to what the file has asked for before. */
static void request_add(struct request *fresh)
{
	struct request *request;

	spin_lock(&request_lock);
	request = request_of(fresh->file);
	if (request) {
		request->events |= fresh->events;
		request->fd = fresh->fd;
		kfree(fresh);
	} else {
		list_add_tail(&requests, &fresh->link);
		atomic_inc(&notify_watches);
	}
	spin_unlock(&request_lock);
}

int file_notify(struct file *file, unsigned int fd, u32 events)
{
	struct node *dir = file->node;
	struct request *fresh;
	int error;

	if (!(events & ~(u32)DN_MULTISHOT)) {
		dnotify_release(file);
		return 0;
	}
	if (!S_ISDIR(dir->attr.mode))
		return -ENOTDIR;
	if (!file_owner_number(file)) {
		error = file_owner_set(file, F_OWNER_PID, current->process->pid);
		if (error)
			return error;
	}
	fresh = kmalloc(sizeof(*fresh), GFP_USER);
	if (!fresh)
		return -ENOMEM;
	*fresh = (struct request){ .file = file, .fd = fd, .events = events };
	error = mutex_lock_killable(&dir->lock);
	if (error) {
		kfree(fresh);
		return error;
	}
	WRITE_ONCE(dir->flags, dir->flags | NODE_NOTIFIES);
	mutex_unlock(&dir->lock);
	request_add(fresh);
	return 0;
}
