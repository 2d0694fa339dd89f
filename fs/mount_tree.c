/*
 * What stands on what: the tree of mounts of a namespace. Copies of a part of it are made whole before anybody sees them, since
 * each step may fail, and are then put in their place in one.
 *
 * All of this under mounts_lock, held for writing.
 */
#include <kumo/slab.h>
#include <linux/mount.h>

#include "internal.h"
#include "mount_internal.h"

int mount_max = 100000;

struct mount *mount_next_beside(struct mount *mount, const struct mount *top)
{
	while (mount != top) {
		struct mount *parent = mount->over.mount;

		if (mount->sibling.next != &parent->children)
			return container_of(mount->sibling.next, struct mount, sibling);
		mount = parent;
	}
	return NULL;
}

struct mount *mount_next(struct mount *mount, const struct mount *top)
{
	if (!list_empty(&mount->children))
		return list_first(&mount->children, struct mount, sibling);
	return mount_next_beside(mount, top);
}

void mount_join(struct mount *mount, const struct path *over)
{
	path_get(over);
	mount->over = *over;
	list_add_tail(&over->mount->children, &mount->sibling);
}

void mount_leave(struct mount *mount, struct path *over)
{
	list_del_init(&mount->sibling);
	*over = mount->over;
	mount->over = (struct path){};
}

/* ---- Copies ---- */

struct mount *mount_clone(struct mount *from, struct entry *root, unsigned int how)
{
	struct mount *mount = mount_alloc(from->tree, root, 0);

	if (!mount)
		return ERR_PTR(-ENOMEM);
	mount->flags = from->flags;
	mount->locks = from->locks;
	mount->unbindable = from->unbindable;
	mount->member = from->member;
	if (from->group && (how & COPY_AS_SLAVE)) {
		mount_set_master(mount, from->group);
	} else if (!(how & COPY_PRIVATE)) {
		mount_set_group(mount, from->group);
		mount_set_master(mount, from->master);
	}
	if ((how & COPY_SHARED) && mount_make_shared(mount)) {
		mount_forget_peers(mount);
		mount_put(mount);
		return ERR_PTR(-ENOMEM);
	}
	mount->copy = from;
	from->copy = mount;
	return mount;
}

/* What stands on `from` but is not seen below `root`, or shall not be copied. -EPERM: must be, and may not. */
static int copy_skips(const struct mount *mount, const struct mount *from, const struct entry *root,
		      unsigned int how)
{
	bool inside = true;

	if (mount->over.mount == from && root != from->root) {
		spin_lock(&names_lock);
		inside = entry_is_below(mount->over.entry, root);
		spin_unlock(&names_lock);
	}
	if (!inside || mount_shows_namespace(mount))
		return 1;
	if (!mount->unbindable || (how & COPY_UNBINDABLE))
		return 0;
	return mount->locks & MOUNT_LOCK_PLACE ? -EPERM : 1;
}

struct mount *mount_tree_copy(struct mount *from, struct entry *root, unsigned int how)
{
	struct mount *top = mount_clone(from, root, how), *mount = mount_next(from, from), *copy;
	int error = 0;

	if (IS_ERR(top))
		return top;
	top->member = false;
	top->locks &= (u8)~MOUNT_LOCK_PLACE;
	while (mount && !error) {
		struct path over = { .mount = mount->over.mount->copy, .entry = mount->over.entry };

		error = copy_skips(mount, from, root, how);
		if (error == 1) {
			error = 0;
			mount = mount_next_beside(mount, from);
			continue;
		}
		copy = error ? ERR_PTR(error) : mount_clone(mount, mount->root, how);
		if (IS_ERR(copy)) {
			error = (int)PTR_ERR(copy);
			break;
		}
		mount_join(copy, &over);
		mount = mount_next(mount, from);
	}
	if (!error)
		error = unions_copy(top);
	if (!error)
		return top;
	mount_tree_discard(top);
	return ERR_PTR(error);
}

void mount_tree_discard(struct mount *top)
{
	struct list order = LIST_INIT(order);
	struct mount *mount;
	struct path over;

	for (mount = top; mount; mount = mount_next(mount, top))
		list_add(&order, &mount->work_link); /* what stands on a mount comes before it */
	while (!list_empty(&order)) {
		mount = list_first(&order, struct mount, work_link);
		list_del(&mount->work_link);
		mount_forget_peers(mount);
		if (mount->over.mount) {
			mount_leave(mount, &over);
			path_put(&over);
		}
		mount_put(mount);
	}
}

/* ---- Into a namespace ---- */

static unsigned int tree_size(struct mount *top)
{
	unsigned int count = 0;

	for (struct mount *mount = top; mount; mount = mount_next(mount, top))
		count++;
	return count;
}

int mount_tree_admit(struct mount *top, struct namespace *namespace)
{
	unsigned int size = tree_size(top), limit = (unsigned int)max(READ_ONCE(mount_max), 0);

	if (namespace->count + namespace->coming + size > limit)
		return -ENOSPC;
	namespace->coming += size;
	return 0;
}

void namespace_changed(struct namespace *namespace)
{
	WRITE_ONCE(namespace->change_count, namespace->change_count + 1);
	wake_up_all(&namespace->changed);
}

/* What stands at the place where `top` comes stands on top of it then. names_lock held, within a move; what it covered until now
 * is the caller's to put. */
static void tuck_beneath(struct mount *top, struct path *covered)
{
	struct mount *above = mount_find_rcu(top->over.mount, top->over.entry);

	*covered = (struct path){};
	if (!above)
		return;
	mount_unhash(above);
	mount_leave(above, covered);
	mount_join(above, &(struct path){ .mount = top, .entry = top->root });
	mount_hash(above);
}

void mount_tree_show(struct mount *top, struct namespace *namespace)
{
	struct path covered = {};

	/* What stands on `top` cannot be reached before that is. */
	for (struct mount *mount = top; mount; mount = mount_next(mount, top)) {
		mount->namespace = namespace;
		mount->order = ++namespace->last_order;
		list_add_tail(&namespace->mounts, &mount->namespace_link);
		namespace->count++;
		if (mount == top || mount->member)
			continue;
		spin_lock(&names_lock);
		mount_hash(mount);
		spin_unlock(&names_lock);
	}
	if (top->over.mount && !top->member) {
		spin_lock(&names_lock);
		names_move_begin();
		tuck_beneath(top, &covered);
		mount_hash(top);
		names_move_end();
		spin_unlock(&names_lock);
	}
	if (covered.mount)
		path_put(&covered);
	namespace_changed(namespace);
}

/* ---- Out of it ---- */

void mounts_unlink(struct list *going)
{
	struct mount *mount;

	list_for_each(mount, going, work_link) {
		struct namespace *namespace = mount->namespace;
		struct mount *parent = mount->over.mount;

		mount->connected = parent && parent->going &&
				   (mount->member || (mount->locks & MOUNT_LOCK_PLACE));
		mount->detached_from = mount->over;
		spin_lock(&names_lock);
		names_move_begin();
		if (parent && !mount->connected) {
			if (!mount->member)
				mount_unhash(mount);
			mount_leave(mount, &mount->detached_from);
		}
		WRITE_ONCE(mount->namespace, NULL);
		names_move_end();
		spin_unlock(&names_lock);
		list_del_init(&mount->namespace_link);
		mount_forget_peers(mount);
		namespace->count--;
		namespace_changed(namespace);
	}
}

void mounts_release(struct list *going)
{
	struct mount *mount;

	if (list_empty(going))
		return;
	/* Whoever saw the namespace still there has counted by now; from here on all count under names_lock. */
	synchronize_rcu();
	while (!list_empty(going)) {
		/* What stands on a mount comes first: the mount is held by it. */
		mount = list_first(going, struct mount, work_link);
		list_del(&mount->work_link);
		mount->going = false;
		if (mount->connected) {
			/* It goes when its parent does, which it does not hold any more. */
			mount_put(mount->over.mount);
			continue;
		}
		if (mount->detached_from.mount)
			path_put(&mount->detached_from);
		mount_put(mount);
	}
}
