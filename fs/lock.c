/*
 * File locks: those of fcntl(2), by process or by open file (F_OFD_), on ranges of bytes; and those of flock(2), by
 * open file, on the whole. They are advice among programs and touch no data.
 *
 * locks_lock protects the lists of all nodes, the list of all locks and that of who waits. A blocked thread waits in one of a few
 * queues, by node, and looks again whenever a lock of a node there goes.
 */
#include <kumo/export.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fcntl.h>

#include "internal.h"

/* flock(2); the uapi headers leave these to asm-generic/fcntl.h. */
#define END_OF_FILE 0x7fffffffffffffffULL

enum lock_kind { LOCK_PROCESS, LOCK_OPEN_FILE, LOCK_WHOLE };

struct file_lock {
	struct list link;     /* in node->locks */
	struct list all_link; /* in all_locks */
	struct node *node;
	enum lock_kind kind;
	short type;	   /* F_RDLCK, F_WRLCK, F_UNLCK in requests */
	const void *owner; /* struct files of a process, or the open file */
	int pid;
	u64 start, end; /* the last byte */
};

/* A process that waits for another's lock, for finding circles. */
struct lock_waiter {
	struct list link;
	const void *owner, *blocked_by;
};

static spinlock_t locks_lock = SPINLOCK_INIT("file_locks");
static struct list all_locks = LIST_INIT(all_locks);
static struct list waiters = LIST_INIT(waiters);
static struct wait_queue lock_queues[16];

static struct wait_queue *queue_of(const struct node *node)
{
	return &lock_queues[((unsigned long)node >> 6) % ARRAY_SIZE(lock_queues)];
}

static bool locks_conflict(const struct file_lock *a, const struct file_lock *b)
{
	if ((a->kind == LOCK_WHOLE) != (b->kind == LOCK_WHOLE)) /* the two families ignore each other */
		return false;
	if (a->owner == b->owner && a->kind == b->kind)
		return false;
	return (a->type == F_WRLCK || b->type == F_WRLCK) && a->start <= b->end && b->start <= a->end;
}

static struct file_lock *find_conflict(struct node *node, const struct file_lock *request)
{
	struct file_lock *lock;

	list_for_each(lock, &node->locks, link)
		if (locks_conflict(lock, request))
			return lock;
	return NULL;
}

static bool same_owner(const struct file_lock *one, const struct file_lock *other)
{
	return one->owner == other->owner && one->kind == other->kind;
}

/*
 * Where a lock of the owner of `like` that starts there stands in the list: owners are in the order in which they came, and the
 * locks of each in that of their starts, since F_GETLK tells of the first. `alone`: where it stands without others of its owner.
 */
static struct list *lock_place(struct node *node, const struct file_lock *like, u64 start,
			       struct list *alone)
{
	struct file_lock *lock;
	bool others = false;

	list_for_each(lock, &node->locks, link) {
		if (same_owner(lock, like) ? lock->start > start : others)
			return &lock->link;
		others |= same_owner(lock, like);
	}
	return others ? &node->locks : alone;
}

/* A structure from `spare` becomes a lock of the node, a copy of `like`, before `position` in its list. */
static struct file_lock *lock_link(struct node *node, struct list *position, struct list *spare,
				   const struct file_lock *like)
{
	struct file_lock *lock = list_first(spare, struct file_lock, link);

	list_del(&lock->link);
	*lock = *like;
	lock->node = node;
	list_add_tail(position, &lock->link);
	list_add_tail(&all_locks, &lock->all_link);
	return lock;
}

static void lock_unlink(struct file_lock *lock, struct list *spare)
{
	list_del(&lock->link);
	list_del(&lock->all_link);
	list_add(spare, &lock->link);
}

/* The lock goes; *place, where a lock in its stead belongs, is behind the first that went. */
static void lock_give_way(struct file_lock *lock, struct list **place, struct list *spare)
{
	if (!*place || *place == &lock->link)
		*place = lock->link.next;
	lock_unlink(lock, spare);
}

/*
 * Makes the request hold for its range: what its owner held there is cut away or merged. Up to two structures are needed
 * (the new lock, and the far part of one that is split); unused ones and locks that went are left in `spare` for freeing.
 */
static bool lock_apply(struct node *node, const struct file_lock *request, struct list *spare)
{
	struct file_lock *fresh, *lock, *after, *part;
	struct list *place = NULL;
	u64 start = request->start, end = request->end;
	bool freed = false;

	list_for_each_safe(lock, after, &node->locks, link) {
		if (!same_owner(lock, request))
			continue;
		if (lock->type == request->type) {
			/* Merges with what it overlaps or touches. */
			if (lock->end + 1 < request->start ||
			    (request->end != END_OF_FILE && lock->start > request->end + 1))
				continue;
			start = min(start, lock->start);
			end = max(end, lock->end);
			lock_give_way(lock, &place, spare);
			continue;
		}
		if (lock->end < request->start || lock->start > request->end)
			continue;
		freed = true;
		if (lock->start < request->start && lock->end > request->end) {
			part = lock_link(node, lock_place(node, lock, request->end + 1, NULL),
					 spare, lock);
			part->start = request->end + 1;
			lock->end = request->start - 1;
		} else if (lock->start < request->start) {
			lock->end = request->start - 1;
		} else if (lock->end > request->end) {
			lock->start = request->end + 1; /* nothing of its owner's lies between */
		} else {
			lock_give_way(lock, &place, spare);
		}
	}
	if (request->type != F_UNLCK) {
		place = lock_place(node, request, start, place ? place : &node->locks);
		fresh = lock_link(node, place, spare, request);
		fresh->start = start;
		fresh->end = end;
	}
	return freed;
}

static void free_spare(struct list *spare)
{
	while (!list_empty(spare)) {
		struct file_lock *lock = list_first(spare, struct file_lock, link);

		list_del(&lock->link);
		kfree(lock);
	}
}

/* Would waiting for `holder` close a circle? Only processes wait for each other; locks_lock held. */
static bool would_deadlock(const struct file_lock *request, const void *holder)
{
	struct lock_waiter *waiter;

	if (request->kind != LOCK_PROCESS)
		return false;
	for (unsigned int steps = 0; steps < 64; steps++) {
		const void *next = NULL;

		if (holder == request->owner)
			return true;
		list_for_each(waiter, &waiters, link)
			if (waiter->owner == holder) {
				next = waiter->blocked_by;
				break;
			}
		if (!next)
			return false;
		holder = next;
	}
	return false;
}

/* Applies the request, or finds out what stands against it: -EAGAIN (then *holder says who), -EDEADLK. */
static int lock_try(struct node *node, const struct file_lock *request, struct list *spare,
		    const void **holder, bool wait)
{
	struct file_lock *conflict = NULL;
	bool freed = false;
	int error = 0;

	spin_lock(&locks_lock);
	if (request->type != F_UNLCK)
		conflict = find_conflict(node, request);
	if (conflict) {
		*holder = conflict->owner;
		error = wait && would_deadlock(request, *holder) ? -EDEADLK : -EAGAIN;
	} else {
		freed = lock_apply(node, request, spare);
	}
	spin_unlock(&locks_lock);
	if (freed)
		wake_up_all(queue_of(node));
	return error;
}

static int lock_set(struct node *node, const struct file_lock *request, bool wait)
{
	struct list spare = LIST_INIT(spare);
	struct lock_waiter waiter = { .owner = request->owner };
	struct wait_entry entry;
	int error;

	for (unsigned int i = 0; i < 2; i++) {
		struct file_lock *lock = kmalloc(sizeof(*lock), GFP_USER);

		if (!lock) {
			free_spare(&spare);
			return -ENOLCK;
		}
		list_add(&spare, &lock->link);
	}
	error = lock_try(node, request, &spare, &waiter.blocked_by, wait);
	if (error != -EAGAIN || !wait)
		goto out;

	spin_lock(&locks_lock);
	list_add(&waiters, &waiter.link);
	spin_unlock(&locks_lock);
	wait_entry_init(&entry);
	for (;;) {
		const void *holder;

		wait_prepare(queue_of(node), &entry, WAIT_INTERRUPTIBLE, false);
		error = lock_try(node, request, &spare, &holder, true);
		if (error != -EAGAIN)
			break;
		spin_lock(&locks_lock);
		waiter.blocked_by = holder;
		spin_unlock(&locks_lock);
		error = wait_sleep(WAIT_INTERRUPTIBLE, WAIT_FOREVER);
		if (error)
			break;
	}
	wait_finish(queue_of(node), &entry);
	spin_lock(&locks_lock);
	list_del(&waiter.link);
	spin_unlock(&locks_lock);
out:
	free_spare(&spare);
	return error;
}

/* ---- fcntl(2) ---- */

static int range_of(struct file *file, const struct flock *lock, u64 *start, u64 *end)
{
	s64 base, first, last;

	switch (lock->l_whence) {
	case 0 /* SEEK_SET */:
		base = 0;
		break;
	case 1 /* SEEK_CUR */:
		base = file->pos;
		break;
	case 2 /* SEEK_END */:
		base = (s64)node_size(file->node);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, lock->l_start, &first))
		return -EOVERFLOW;
	if (first < 0)
		return -EINVAL;
	last = (s64)END_OF_FILE;
	if (lock->l_len > 0) {
		if (__builtin_add_overflow(first, lock->l_len - 1, &last))
			return -EOVERFLOW;
	} else if (lock->l_len < 0) { /* the bytes before */
		if (first + lock->l_len < 0)
			return -EINVAL;
		last = first - 1;
		first += lock->l_len;
	}
	*start = (u64)first;
	*end = (u64)last;
	return 0;
}

/* What stands against the request, if anything does: *request becomes a copy of it. */
static bool lock_test(struct node *node, struct file_lock *request)
{
	struct file_lock *conflict;

	spin_lock(&locks_lock);
	conflict = find_conflict(node, request);
	if (conflict)
		*request = *conflict;
	spin_unlock(&locks_lock);
	return conflict;
}

/* 0: to the end. */
static u64 lock_length(const struct file_lock *lock)
{
	return lock->end == END_OF_FILE ? 0 : lock->end - lock->start + 1;
}

/* Is the file open for what the lock is to protect? */
static bool lock_may(const struct file *file, const struct file_lock *request)
{
	return !(request->type == F_RDLCK && !(file->mode & FILE_READ)) &&
	       !(request->type == F_WRLCK && !(file->mode & FILE_WRITE));
}

long file_lock_fcntl(struct file *file, unsigned int command, struct flock *lock)
{
	bool open_file = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
	struct file_lock request = { .kind = open_file ? LOCK_OPEN_FILE : LOCK_PROCESS,
				     .owner = open_file ? (const void *)file : current->files,
				     .pid = open_file ? -1 : current->process->pid,
				     .type = lock->l_type };
	int error;

	error = range_of(file, lock, &request.start, &request.end);
	if (error)
		return error;
	if (lock->l_type != F_RDLCK && lock->l_type != F_WRLCK && lock->l_type != F_UNLCK)
		return -EINVAL;
	if (command == F_GETLK || command == F_OFD_GETLK) {
		if (lock->l_type == F_UNLCK || (open_file && lock->l_pid))
			return -EINVAL;
		if (!lock_test(file->node, &request)) {
			lock->l_type = F_UNLCK;
			return 0;
		}
		lock->l_type = request.type;
		lock->l_whence = 0;
		lock->l_start = (__kernel_off_t)request.start;
		lock->l_len = (__kernel_off_t)lock_length(&request);
		lock->l_pid = request.pid;
		return 0;
	}
	if (!lock_may(file, &request))
		return -EBADF;
	if (open_file && lock->l_pid)
		return -EINVAL;
	return lock_set(file->node, &request, command == F_SETLKW || command == F_OFD_SETLKW);
}

/* ---- For others ---- */

static int lock_request(const struct lock_range *range, const void *owner, struct file_lock *request)
{
	if (range->type != F_RDLCK && range->type != F_WRLCK && range->type != F_UNLCK)
		return -EINVAL;
	if (range->start > END_OF_FILE || range->length > END_OF_FILE - range->start + 1)
		return -EINVAL;
	*request = (struct file_lock){ .kind = LOCK_PROCESS,
				       .owner = owner,
				       .pid = range->pid,
				       .type = range->type,
				       .start = range->start,
				       .end = range->length ? range->start + range->length - 1
							    : END_OF_FILE };
	return 0;
}

int file_lock_owned(struct file *file, const void *owner, const struct lock_range *range, bool wait)
{
	struct file_lock request;
	int error = lock_request(range, owner, &request);

	if (!error && !lock_may(file, &request))
		error = -EBADF;
	return error ? error : lock_set(file->node, &request, wait);
}

int file_lock_test(struct file *file, const void *owner, struct lock_range *range)
{
	struct file_lock request;
	int error = range->type == F_UNLCK ? -EINVAL : lock_request(range, owner, &request);

	if (error)
		return error;
	if (lock_test(file->node, &request))
		*range = (struct lock_range){ .type = request.type,
					      .start = request.start,
					      .length = lock_length(&request),
					      .pid = request.pid };
	else
		range->type = F_UNLCK;
	return 0;
}

/* ---- flock(2) ---- */

int file_lock_whole(struct file *file, int operation)
{
	struct file_lock request = {
		.kind = LOCK_WHOLE, .owner = file, .pid = current->process->pid, .end = END_OF_FILE
	};
	bool wait = !(operation & LOCK_NB);
	struct file_lock unlock;
	int error;

	switch (operation & ~LOCK_NB) {
	case LOCK_SH:
		request.type = F_RDLCK;
		break;
	case LOCK_EX:
		request.type = F_WRLCK;
		break;
	case LOCK_UN:
		request.type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	if (request.type != F_UNLCK && !(file->mode & (FILE_READ | FILE_WRITE)))
		return -EBADF;
	error = lock_set(file->node, &request, false);
	if (error != -EAGAIN)
		return error;
	/* A conversion is not atomic: what is held is given up first. */
	unlock = request;
	unlock.type = F_UNLCK;
	error = lock_set(file->node, &unlock, false);
	return error ? error : lock_set(file->node, &request, wait);
}

/* ---- The end of an owner ---- */

static void locks_drop(struct node *node, const void *owner, bool process)
{
	struct list spare = LIST_INIT(spare);
	struct file_lock *lock, *after;

	spin_lock(&locks_lock);
	list_for_each_safe(lock, after, &node->locks, link)
		if (lock->owner == owner && (lock->kind == LOCK_PROCESS) == process)
			lock_unlink(lock, &spare);
	spin_unlock(&locks_lock);
	if (!list_empty(&spare))
		wake_up_all(queue_of(node));
	free_spare(&spare);
}

void file_locks_release_owner(struct file *file, const void *owner)
{
	locks_drop(file->node, owner, true);
}

void file_locks_release(struct file *file)
{
	locks_drop(file->node, file, false);
}

/* ---- /proc/locks ---- */

int file_lock_describe(u64 number, char *buffer, size_t size)
{
	static const char *const kinds[] = {
		[LOCK_PROCESS] = "POSIX ", [LOCK_OPEN_FILE] = "OFDLCK", [LOCK_WHOLE] = "FLOCK "
	};
	struct file_lock *lock;
	u64 at = 0, device;
	int length = 0;

	spin_lock(&locks_lock);
	list_for_each(lock, &all_locks, all_link) {
		if (at++ != number)
			continue;
		device = lock->node->tree->device;
		length = snprintf(buffer, size, "%lu: %s ADVISORY  %s %d %02x:%02x:%lu %lu ",
				  number + 1, kinds[lock->kind],
				  lock->type == F_WRLCK ? "WRITE" : "READ", lock->pid,
				  (u32)(device >> 8) & 0xfff,
				  (u32)(device & 0xff) | (u32)(device >> 12 & ~0xffU),
				  lock->node->attr.id, lock->start);
		if (lock->end == END_OF_FILE)
			length += snprintf(buffer + length, size - (size_t)length, "EOF\n");
		else
			length += snprintf(buffer + length, size - (size_t)length, "%lu\n", lock->end);
		break;
	}
	spin_unlock(&locks_lock);
	return length;
}

void locks_init(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(lock_queues); i++)
		wait_queue_init(&lock_queues[i]);
}
EXPORT_SYMBOL(file_lock_owned);
EXPORT_SYMBOL(file_lock_test);
EXPORT_SYMBOL(file_locks_release_owner);
