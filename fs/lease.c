/*
 * Leases: fcntl(2), F_SETLEASE.
 *
 * Who holds a lease on an open file is told by a signal (async.h) when somebody else opens or truncates it in a way that conflicts:
 * a read lease conflicts with writing, a write lease with everything. The other one waits until the lease is given up or
 * reduced, or until the holder has had lease_break_seconds; then it is taken away.
 *
 * Leases are few: all of them are in one list. NODE_LEASED says that a node has, or has had, some. Who takes a lease sets it
 * before it looks who has the file open, who opens has counted itself before it looks at the flag; so one sees the other.
 */
#include <kumo/async.h>
#include <kumo/lease.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <linux/capability.h>

#include "internal.h"

struct lease {
	struct list link;
	struct file *file; /* takes the lease along when it goes */
	unsigned int fd;
	int type;	 /* F_RDLCK or F_WRLCK */
	int target;	 /* what it is to become: `type` while nobody wants it broken */
	u64 deadline_ns; /* when it becomes that by itself */
};

int leases_enabled = 1, lease_break_seconds = 45;

static spinlock_t lease_lock = SPINLOCK_INIT("leases");
static struct list leases = LIST_INIT(leases);
static struct wait_queue lease_wait = WAIT_QUEUE_INIT(lease_wait);
static unsigned int lease_changes; /* counts what may let somebody go on */

/* ---- With lease_lock held ---- */

static struct lease *lease_of(const struct file *file)
{
	struct lease *lease;

	list_for_each(lease, &leases, link)
		if (lease->file == file)
			return lease;
	return NULL;
}

static void lease_changed(void)
{
	WRITE_ONCE(lease_changes, lease_changes + 1);
	wake_up_all(&lease_wait);
}

static void lease_end(struct lease *lease)
{
	list_del(&lease->link);
	kfree(lease);
	lease_changed();
}

/* ---- The holder ---- */

/* What is open elsewhere stands against a lease. A file under several names is looked for under this one. */
static int open_elsewhere(const struct file *file, int type)
{
	const struct node *node = file->node;
	int own_writer = file->mode & FILE_WRITER ? 1 : 0;
	const struct lease *lease;

	if (type == F_RDLCK)
		return atomic_read(&node->writers) > 0 ? -EAGAIN : 0;
	list_for_each(lease, &leases, link)
		if (lease->file->node == node && lease->file != file)
			return -EAGAIN;
	return atomic_read(&node->writers) > own_writer || atomic_read(&file->path.entry->refs) > 1
		       ? -EAGAIN
		       : 0;
}

static int may_lease(const struct file *file)
{
	const struct node *node = file->node;

	if (node->attr.uid != current->cred->fsuid && !capable(CAP_LEASE))
		return -EACCES;
	return S_ISREG(node->attr.mode) && file->path.entry && READ_ONCE(leases_enabled) ? 0 : -EINVAL;
}

static int lease_give_up(struct file *file)
{
	struct lease *lease;

	spin_lock(&lease_lock);
	lease = lease_of(file);
	if (lease)
		lease_end(lease);
	spin_unlock(&lease_lock);
	return lease ? 0 : -EAGAIN;
}

static int lease_install(struct file *file, struct lease *fresh)
{
	struct lease *lease;
	int error;

	spin_lock(&lease_lock);
	error = open_elsewhere(file, fresh->type);
	lease = lease_of(file);
	if (!error && lease && lease->target == F_UNLCK)
		error = -EAGAIN; /* it is to be given up first */
	if (!error && lease) {
		lease->type = lease->target = fresh->type;
		lease->fd = fresh->fd;
		lease_changed();
		kfree(fresh);
	} else if (!error) {
		list_add_tail(&leases, &fresh->link);
	}
	spin_unlock(&lease_lock);
	return error;
}

int file_lease_set(struct file *file, unsigned int fd, int type)
{
	struct node *node = file->node;
	struct lease *fresh;
	int error;

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	error = may_lease(file);
	if (error)
		return error;
	if (type == F_UNLCK)
		return lease_give_up(file);
	if (!file_owner_number(file)) {
		error = file_owner_set(file, F_OWNER_PID, current->process->pid);
		if (error)
			return error;
	}
	fresh = kmalloc(sizeof(*fresh), GFP_USER);
	if (!fresh)
		return -ENOMEM;
	*fresh = (struct lease){ .file = file, .fd = fd, .type = type, .target = type };
	error = mutex_lock_killable(&node->lock);
	if (!error) {
		WRITE_ONCE(node->flags, node->flags | NODE_LEASED);
		mutex_unlock(&node->lock);
		smp_mb(); /* pairs with the count of who opens, taken before it looks at the flag */
		error = lease_install(file, fresh);
	}
	if (error)
		kfree(fresh);
	return error;
}

int file_lease_get(struct file *file)
{
	const struct lease *lease;
	int type = F_UNLCK;

	spin_lock(&lease_lock);
	lease = lease_of(file);
	if (lease)
		type = lease->target;
	spin_unlock(&lease_lock);
	return type;
}

void file_lease_release(struct file *file)
{
	struct lease *lease;

	spin_lock(&lease_lock);
	lease = lease_of(file);
	if (lease)
		lease_end(lease);
	spin_unlock(&lease_lock);
}

/* ---- The others ---- */

/* Asks the holder for it, once for each thing that it is to become. */
static void lease_ask(struct lease *lease, int target)
{
	if (lease->target == target || lease->target == F_UNLCK)
		return;
	if (lease->target == lease->type)
		lease->deadline_ns = time_monotonic_ns() +
				     (u64)(unsigned int)READ_ONCE(lease_break_seconds) * NSEC_PER_SEC;
	lease->target = target;
	file_owner_signal(lease->file, lease->fd, POLL_MSG);
}

/* Does a lease stand against it? Asks all who hold one, takes away what has been asked for long enough, and says until when to
 * wait. */
static bool leases_against(const struct node *node, bool write, u64 *until_ns)
{
	struct lease *lease, *after;
	u64 now = time_monotonic_ns();
	bool against = false;

	*until_ns = WAIT_FOREVER;
	list_for_each_safe(lease, after, &leases, link) {
		if (lease->file->node != node || !(write || lease->type == F_WRLCK))
			continue;
		lease_ask(lease, write ? F_UNLCK : F_RDLCK);
		if (now < lease->deadline_ns) {
			against = true;
			*until_ns = min(*until_ns, lease->deadline_ns);
		} else if (lease->target == F_UNLCK) {
			lease_end(lease);
		} else {
			lease->type = lease->target;
			lease_changed();
		}
	}
	return against;
}

int node_lease_break_slow(struct node *node, bool write, bool wait)
{
	unsigned int seen;
	u64 until_ns;
	bool against;
	int error;

	for (;;) {
		spin_lock(&lease_lock);
		against = leases_against(node, write, &until_ns);
		seen = lease_changes;
		spin_unlock(&lease_lock);
		if (!against)
			return 0;
		if (!wait)
			return -EWOULDBLOCK;
		error = wait_event_interruptible_until(&lease_wait,
						       READ_ONCE(lease_changes) != seen, until_ns);
		if (error == -ERESTARTSYS)
			return error;
	}
}
