/*
 * Propagation: what is mounted in one place and appears in others. Semantics are those of mount_namespaces(7) and of Linux's
 * "Shared Subtrees"; this is how they are kept here.
 *
 *	peer group 1: { A, B, C }          a mount on A at x appears on B and C at x
 *	     | slaves                      what is mounted on D appears nowhere else
 *	     +--> D
 *	     +--> peer group 2: { E, F }   what is mounted on E appears on F, but not on A, B, C
 *
 * A shared mount is in a group; one that has a master is told what happens on the members of that group, and may be in a group
 * of its own besides. All members of a group have the same master. A group lives as long as it has members: when the last one
 * leaves, its slaves become those of that one's master, or nobody's.
 *
 * A change goes from the group of the mount on which it happens to the groups and mounts below (walk_groups). A mount is
 * told if it is attached and shows the place. The copy for a group's first member is a slave of the copy made for the nearest
 * group above (or of what is mounted), in new groups; those for its other members are peers of that one. So the copies stand to one
 * another as the mounts do that they stand on.
 *
 * All of this under mounts_lock, held for writing.
 */
#include <kumo/export.h>
#include <kumo/slab.h>
#include <linux/mount.h>

#include "internal.h"
#include "mount_internal.h"

struct peer_group {
	int id;
	struct list members, slaves; /* struct mount */
	/* While a change goes through the groups: */
	struct list queue_link;
	bool queued;
	struct mount *source; /* of which what is below gets slaves */
};

static int last_group_id;

int peer_group_id(const struct peer_group *group)
{
	return group->id;
}

/* ---- Who belongs to whom ---- */

void mount_set_group(struct mount *mount, struct peer_group *group)
{
	mount->group = group;
	if (group)
		list_add_tail(&group->members, &mount->peer_link);
}

void mount_set_master(struct mount *mount, struct peer_group *master)
{
	if (mount->master)
		list_del_init(&mount->slave_link);
	mount->master = master;
	if (master)
		list_add_tail(&master->slaves, &mount->slave_link);
}

int mount_make_shared(struct mount *mount)
{
	struct peer_group *group;

	if (mount->group)
		return 0;
	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return -ENOMEM;
	group->id = ++last_group_id;
	list_init(&group->members);
	list_init(&group->slaves);
	mount_set_group(mount, group);
	return 0;
}

/* Leaves its group; with the last member the group goes, and its slaves get that one's master. */
static void leave_group(struct mount *mount)
{
	struct peer_group *group = mount->group;

	if (!group)
		return;
	mount->group = NULL;
	list_del_init(&mount->peer_link);
	if (!list_empty(&group->members))
		return;
	while (!list_empty(&group->slaves))
		mount_set_master(list_first(&group->slaves, struct mount, slave_link), mount->master);
	kfree(group);
}

void mount_forget_peers(struct mount *mount)
{
	leave_group(mount);
	mount_set_master(mount, NULL);
}

/* ---- Changes of type ---- */

/* MS_SHARED has its group already. */
static void mount_set_type(struct mount *mount, unsigned long type)
{
	switch (type) {
	case MS_SHARED:
		mount->unbindable = false;
		break;
	case MS_SLAVE:
		/* Of those who were its peers; without any it keeps the master that it has. */
		if (mount->group && mount->group->members.next->next != &mount->group->members)
			mount_set_master(mount, mount->group);
		leave_group(mount);
		break;
	default:
		mount_forget_peers(mount);
		mount->unbindable = type == MS_UNBINDABLE;
		break;
	}
}

/* Unions are their namespace's own. */
static bool has_type(const struct mount *mount)
{
	return !mount->members;
}

int mount_set_types(struct mount *top, unsigned long type, bool recursive)
{
	struct mount *mount;
	int error = 0;

	for (mount = top; mount && !error; mount = recursive ? mount_next(mount, top) : NULL)
		if (type == MS_SHARED && has_type(mount) && !mount->group) {
			error = mount_make_shared(mount);
			mount->copy = mount; /* marks those whose group is undone on failure */
		} else {
			mount->copy = NULL;
		}
	if (error) {
		for (struct mount *made = top; made && made != mount;
		     made = recursive ? mount_next(made, top) : NULL)
			if (made->copy == made)
				leave_group(made);
		return error;
	}
	for (mount = top; mount; mount = recursive ? mount_next(mount, top) : NULL)
		if (has_type(mount))
			mount_set_type(mount, type);
	return 0;
}

int mount_set_propagation(const struct path *path, unsigned long type, bool recursive)
{
	int error = mount_lock_whole(path);

	return error ? error
		     : mount_unlock_changed(path, mount_set_types(path->mount, type, recursive));
}

/* ---- The way of a change ---- */

static void group_enqueue(struct list *queue, struct peer_group *group, struct mount *source)
{
	if (group->queued)
		return;
	group->queued = true;
	group->source = source;
	list_add_tail(queue, &group->queue_link);
}

static void queue_release(struct list *queue)
{
	while (!list_empty(queue)) {
		struct peer_group *group = list_first(queue, struct peer_group, queue_link);

		list_del(&group->queue_link);
		group->queued = false;
		group->source = NULL;
	}
}

/* Is the mount told of what happens at `entry` of its tree? */
static bool mount_is_told(const struct mount *mount, const struct entry *entry)
{
	bool shows;

	if (!mount->namespace || mount->going)
		return false;
	spin_lock(&names_lock);
	shows = entry_is_below(entry, mount->root);
	spin_unlock(&names_lock);
	return shows;
}

/* ---- Mounting ---- */

/* What a namespace is given by one that could do more stays as it is, but for the whole of it. */
static void lock_below(struct mount *top)
{
	for (struct mount *mount = top; mount; mount = mount_next(mount, top))
		mount_lock_flags(mount, mount == top ? 0 : MOUNT_LOCK_PLACE);
}

/* A copy of `source` for `mount`, at `over`'s entry; in the list. ERR_PTR. */
static struct mount *copy_for(struct mount *mount, const struct path *over, struct mount *source,
			      unsigned int how, struct list *made)
{
	struct path place = { .mount = mount, .entry = over->entry };
	struct mount *copy = mount_tree_copy(source, source->root, how);
	int error;

	if (IS_ERR(copy))
		return copy;
	error = mount_tree_admit(copy, mount->namespace);
	if (error) {
		mount_tree_discard(copy);
		return ERR_PTR(error);
	}
	if (mount->namespace->restricted && !over->mount->namespace->restricted)
		lock_below(copy);
	mount_join(copy, &place);
	list_add_tail(made, &copy->work_link);
	return copy;
}

static int propagate_to_group(struct peer_group *group, const struct path *over, struct list *queue,
			      struct list *made)
{
	bool origin = group == over->mount->group;
	struct mount *source = group->source, *first = origin ? source : NULL, *mount, *copy;

	list_for_each(mount, &group->members, peer_link) {
		if (mount == over->mount || !mount_is_told(mount, over->entry))
			continue;
		copy = copy_for(mount, over, first ? first : source,
				first ? COPY_SHARED : COPY_AS_SLAVE | COPY_SHARED, made);
		if (IS_ERR(copy))
			return (int)PTR_ERR(copy);
		first = first ? first : copy;
	}
	source = first ? first : source;
	list_for_each(mount, &group->slaves, slave_link) {
		if (mount->namespace && mount->group) {
			group_enqueue(queue, mount->group, source);
		} else if (mount_is_told(mount, over->entry)) {
			copy = copy_for(mount, over, source, COPY_AS_SLAVE, made);
			if (IS_ERR(copy))
				return (int)PTR_ERR(copy);
		}
	}
	return 0;
}

int propagate_mount(struct mount *source, const struct path *over, struct list *made)
{
	struct list queue = LIST_INIT(queue);
	struct peer_group *group;
	int error = 0;

	if (!over->mount->group)
		return 0;
	/* What is mounted on a shared mount is shared. */
	for (struct mount *mount = source; mount && !error; mount = mount_next(mount, source)) {
		if (has_type(mount)) {
			error = mount_make_shared(mount);
			mount->unbindable = false;
		}
	}
	if (error)
		return error;
	group_enqueue(&queue, over->mount->group, source);
	list_for_each(group, &queue, queue_link) {
		error = propagate_to_group(group, over, &queue, made);
		if (error)
			break;
	}
	queue_release(&queue);
	return error;
}

/* ---- Unmounting ---- */

/* Those who are told of what happens to `mount`, where it stands; by target_link. */
static void targets_of(const struct mount *mount, struct list *targets)
{
	struct list queue = LIST_INIT(queue);
	struct mount *parent = mount->over.mount, *target;
	struct peer_group *group;

	if (!parent || !parent->group || mount->members)
		return;
	group_enqueue(&queue, parent->group, NULL);
	list_for_each(group, &queue, queue_link) {
		list_for_each(target, &group->members, peer_link)
			if (target != parent && target->namespace)
				list_add_tail(targets, &target->target_link);
		list_for_each(target, &group->slaves, slave_link)
			if (target->group)
				group_enqueue(&queue, target->group, NULL);
			else if (target->namespace)
				list_add_tail(targets, &target->target_link);
	}
	queue_release(&queue);
}

/* The next of what stands on the targets where `mount` stands on its parent; NULL: that was all. */
static struct mount *next_counterpart(const struct mount *mount, struct list *targets)
{
	struct mount *target, *found;

	while (!list_empty(targets)) {
		target = list_first(targets, struct mount, target_link);
		list_del(&target->target_link);
		found = mount_find_rcu(target, mount->over.entry);
		if (found && found != mount && !found->members)
			return found;
	}
	return NULL;
}

/*
 * Does nothing stand on the mount that would stay? What covers its root alone (*above; else NULL) was there before it came, and
 * stands in its place when it goes.
 */
static bool nothing_stays_on(const struct mount *mount, struct mount **above)
{
	struct mount *child;

	*above = NULL;
	list_for_each(child, &mount->children, sibling) {
		if (child->going)
			continue;
		if (*above || child->over.entry != mount->root || child->member)
			return false;
		*above = child;
	}
	return true;
}

/* What stands on `mount`'s root comes to stand where that stands. */
static void lower(struct mount *above, const struct mount *mount)
{
	struct path old;

	spin_lock(&names_lock);
	names_move_begin();
	mount_unhash(above);
	mount_leave(above, &old);
	mount_join(above, &mount->over);
	mount_hash(above);
	names_move_end();
	spin_unlock(&names_lock);
	path_put(&old);
}

void propagate_detach(struct list *going)
{
	struct list targets = LIST_INIT(targets), *last = going->prev;
	struct mount *mount, *other, *above;

	list_for_each(mount, going, work_link) {
		targets_of(mount, &targets);
		while ((other = next_counterpart(mount, &targets))) {
			if (other->going || !nothing_stays_on(other, &above) ||
			    ((other->locks & MOUNT_LOCK_PLACE) && !other->over.mount->going))
				continue;
			other->going = true;
			list_add_tail(going, &other->work_link);
			if (above)
				lower(above, other);
		}
		if (&mount->work_link == last)
			break;
	}
}

bool propagated_busy(struct mount *mount)
{
	struct list targets = LIST_INIT(targets);
	struct mount *other, *above;
	bool busy = false;

	targets_of(mount, &targets);
	while ((other = next_counterpart(mount, &targets)))
		if (nothing_stays_on(other, &above) && mount_count(other) > (above ? 2 : 1))
			busy = true;
	return busy;
}

/* ---- What /proc tells ---- */

static bool member_is_seen(struct mount *mount, const struct namespace *namespace,
			   const struct path *root)
{
	const struct mount *at = mount;
	const struct entry *entry = mount->root;
	bool seen;

	if (mount->namespace != namespace)
		return false;
	spin_lock(&names_lock);
	for (; at != root->mount && at->over.mount; at = at->over.mount)
		entry = at->over.entry;
	seen = at == root->mount && entry_is_below(entry, root->entry);
	spin_unlock(&names_lock);
	return seen;
}

int peer_group_above(const struct mount *mount, const struct path *root)
{
	struct peer_group *group;
	struct mount *member;

	for (group = mount->master; group;
	     group = list_first(&group->members, struct mount, peer_link)->master)
		list_for_each(member, &group->members, peer_link)
			if (member_is_seen(member, mount->namespace, root))
				return group->id;
	return 0;
}
EXPORT_SYMBOL(mount_set_propagation);
