/*
 * Changes of mounts, as mount(2), umount2(2) and pivot_root(2) ask for them: attach, bind, move, remount, detach, and a new root.
 * Each takes mounts_lock for writing, looks at what Linux looks at, prepares what may fail, and then does it. A place is
 * locked by its node->lock, too, so that its name is not removed meanwhile.
 */
#include <kumo/export.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <linux/mount.h>

#include "internal.h"
#include "mount_internal.h"

/* ---- Places ---- */

int mount_place_ok(const struct path *over, const struct entry *root)
{
	if (over->mount->namespace != fs_current()->namespace)
		return -EINVAL;
	if ((over->entry->flags & ENTRY_DELETED) || (path_node(over)->flags & NODE_DEAD))
		return -ENOENT;
	if (S_ISDIR(path_node(over)->attr.mode) != S_ISDIR(root->node->attr.mode))
		return -ENOTDIR;
	return 0;
}

void mount_place_unlock(const struct path *over)
{
	mutex_unlock(&path_node(over)->lock); /* first: mounts_lock keeps what stands there */
	up_write(&mounts_lock);
}

int mount_place_lock(const struct path *at, struct path *over)
{
	*over = *at;
	path_get(over);
	for (;;) {
		struct path top;
		int error;

		path_cross_mounts(over);
		error = mutex_lock_killable(&path_node(over)->lock);
		if (error) {
			path_put(over);
			return error;
		}
		error = down_write_killable(&mounts_lock);
		if (error) {
			mutex_unlock(&path_node(over)->lock);
			path_put(over);
			return error;
		}
		top = *over;
		path_get(&top);
		path_cross_mounts(&top);
		if (path_equal(&top, over)) {
			path_put(&top);
			return 0;
		}
		up_write(&mounts_lock);
		mutex_unlock(&path_node(over)->lock);
		path_put(over);
		*over = top;
	}
}

/* What propagation made appears where it is to stand, or (error) goes again. mounts_lock held for writing. */
static void settle_copies(struct list *made, int error)
{
	struct mount *copy;

	while (!list_empty(made)) {
		copy = list_first(made, struct mount, work_link);
		list_del(&copy->work_link);
		copy->over.mount->namespace->coming = 0;
		if (error)
			mount_tree_discard(copy);
		else
			mount_tree_show(copy, copy->over.mount->namespace);
	}
}

int mount_tree_graft(struct mount *top, const struct path *over)
{
	struct namespace *namespace = over->mount->namespace;
	struct list made = LIST_INIT(made);
	int error = mount_tree_admit(top, namespace);

	if (!error)
		error = propagate_mount(top, over, &made);
	if (!error) {
		mount_join(top, over);
		namespace->coming = 0;
		mount_tree_show(top, namespace);
	}
	settle_copies(&made, error);
	if (error) {
		namespace->coming = 0;
		mount_tree_discard(top);
	}
	return error;
}

/* ---- Attaching ---- */

void mount_lock_flags(struct mount *mount, u8 locks)
{
	static const struct {
		unsigned long flag;
		u8 lock;
	} each[] = {
		{ MS_RDONLY, MOUNT_LOCK_RDONLY },
		{ MS_NOSUID, MOUNT_LOCK_NOSUID },
		{ MS_NODEV, MOUNT_LOCK_NODEV },
		{ MS_NOEXEC, MOUNT_LOCK_NOEXEC },
	};

	mount->locks |= locks | MOUNT_LOCK_ATIME;
	for (unsigned int i = 0; i < ARRAY_SIZE(each); i++)
		if (mount->flags & each[i].flag)
			mount->locks |= each[i].lock;
}

/* A tree of which there is one shows no more than where it stands already, whole and with nothing over it that is locked. */
static bool seen_already(const struct namespace *namespace, const struct tree *tree)
{
	const struct mount *mount, *child;
	bool hidden;

	list_for_each(mount, &namespace->mounts, namespace_link) {
		if (mount->tree != tree || mount->root != tree->root_entry || (mount->flags & MS_RDONLY))
			continue;
		hidden = false;
		list_for_each(child, &mount->children, sibling)
			hidden |= child->locks & MOUNT_LOCK_PLACE;
		if (!hidden)
			return true;
	}
	return false;
}

int mount_restrict(struct mount *mount, const struct namespace *namespace)
{
	const struct tree_type *type = mount->tree->type;

	if (!namespace->restricted)
		return 0;
	if (!(type->flags & TREE_TYPE_FOR_ALL))
		return -EPERM;
	if ((type->flags & TREE_TYPE_SINGLE) && !seen_already(namespace, mount->tree))
		return -EPERM;
	mount->flags |= MS_NOSUID | MS_NODEV;
	mount->locks |= MOUNT_LOCK_NOSUID | MOUNT_LOCK_NODEV;
	return 0;
}

int mount_attach(struct tree *tree, const struct path *at, unsigned long flags)
{
	struct mount *mount = mount_alloc(tree, tree->root_entry, flags);
	struct path over;
	int error;

	if (!mount)
		return -ENOMEM;
	error = mount_place_lock(at, &over);
	if (error) {
		mount_put(mount);
		return error;
	}
	error = mount_place_ok(&over, mount->root);
	if (!error && over.mount->tree == tree && over.entry == over.mount->root)
		error = -EBUSY; /* the very tree stands there already */
	if (!error)
		error = mount_restrict(mount, over.mount->namespace);
	if (error)
		mount_put(mount);
	else
		error = mount_tree_graft(mount, &over);
	mount_place_unlock(&over);
	path_put(&over);
	return error;
}

/* ---- Bind ---- */

bool mount_shows_namespace(const struct mount *mount)
{
	return node_namespace(mount->root->node) != NULL;
}

/* Does something stand on the mount below the path that may not be looked behind? */
static bool has_locked_below(const struct path *path)
{
	struct mount *child;
	bool found = false;

	spin_lock(&names_lock);
	list_for_each(child, &path->mount->children, sibling)
		if ((child->locks & MOUNT_LOCK_PLACE) && entry_is_below(child->over.entry, path->entry))
			found = true;
	spin_unlock(&names_lock);
	return found;
}

int mount_may_bind(const struct path *from, bool recursive)
{
	struct namespace *here = fs_current()->namespace, *shown = node_namespace(path_node(from));

	if (from->mount->unbindable)
		return -EINVAL;
	if (shown && shown->age <= here->age)
		return -EINVAL; /* it would hold itself */
	if (from->mount->namespace != here && from->mount->tree->type != &namespace_tree_type)
		return -EINVAL;
	return !recursive && has_locked_below(from) ? -EINVAL : 0;
}

int mount_bind(const struct path *from, const struct path *at, bool recursive)
{
	struct mount *top;
	struct path over;
	int error;

	if (from->mount->members && from->entry == from->mount->root)
		return mount_unite(from, at, 0, recursive);
	error = mount_place_lock(at, &over);
	if (error)
		return error;
	error = mount_may_bind(from, recursive);
	if (!error)
		error = mount_place_ok(&over, from->entry);
	if (!error) {
		top = recursive ? mount_tree_copy(from->mount, from->entry, COPY_PEER)
				: mount_clone(from->mount, from->entry, COPY_PEER);
		if (!IS_ERR(top)) {
			top->locks &= (u8)~MOUNT_LOCK_PLACE;
			top->member = false;
		}
		error = IS_ERR(top) ? (int)PTR_ERR(top) : mount_tree_graft(top, &over);
	}
	mount_place_unlock(&over);
	path_put(&over);
	return error;
}

/* ---- Move ---- */

bool mount_has_unbindable(struct mount *top)
{
	for (struct mount *mount = top; mount; mount = mount_next(mount, top))
		if (mount->unbindable)
			return true;
	return false;
}

static int may_move(const struct path *from, const struct path *over)
{
	struct mount *mount = from->mount, *above;

	if (from->entry != mount->root || mount->namespace != fs_current()->namespace ||
	    !mount->over.mount || (mount->locks & MOUNT_LOCK_PLACE) || mount->members || mount->member)
		return -EINVAL;
	if (S_ISDIR(path_node(over)->attr.mode) != S_ISDIR(mount->root->node->attr.mode))
		return -EINVAL;
	/* Others would be told of its coming, and not of its going; or would have to be given what is for nobody else. */
	if (mount->over.mount->group || (over->mount->group && mount_has_unbindable(mount)))
		return -EINVAL;
	for (above = over->mount; above; above = above->over.mount)
		if (above == mount)
			return -ELOOP;
	return mount_place_ok(over, mount->root);
}

/* The mount, which is attached, goes to `over`. What it covered is in *old, the references the caller's. */
static void mount_put_at(struct mount *mount, const struct path *over, struct path *old)
{
	spin_lock(&names_lock);
	names_move_begin();
	mount_unhash(mount);
	mount_leave(mount, old);
	mount_join(mount, over);
	mount_hash(mount);
	names_move_end();
	spin_unlock(&names_lock);
}

int mount_move(const struct path *from, const struct path *at)
{
	struct list made = LIST_INIT(made);
	struct path over, old = {};
	int error;

	if (READ_ONCE(from->mount->loose))
		return mount_place_loose(from, at);
	error = mount_place_lock(at, &over);
	if (error)
		return error;
	error = may_move(from, &over);
	if (!error)
		error = propagate_mount(from->mount, &over, &made);
	if (!error) {
		mount_put_at(from->mount, &over, &old);
		namespace_changed(from->mount->namespace);
	}
	settle_copies(&made, error);
	mount_place_unlock(&over);
	path_put(&over);
	if (old.mount)
		path_put(&old);
	return error;
}

/* ---- Remount ---- */

bool mount_locks_permit(const struct mount *mount, unsigned long flags)
{
	u8 locks = mount->locks;

	return !((locks & MOUNT_LOCK_RDONLY && !(flags & MS_RDONLY)) ||
		 (locks & MOUNT_LOCK_NOSUID && !(flags & MS_NOSUID)) ||
		 (locks & MOUNT_LOCK_NODEV && !(flags & MS_NODEV)) ||
		 (locks & MOUNT_LOCK_NOEXEC && !(flags & MS_NOEXEC)) ||
		 (locks & MOUNT_LOCK_ATIME && ((flags ^ mount->flags) & MOUNT_ATIME_FLAGS ||
					       mount->flags & ~flags & MS_NOSYMFOLLOW)));
}

/* bind: of this mount alone, else of its tree, too. -EBUSY: something is open for writing. */
static int mount_change_flags(struct mount *mount, unsigned long flags, bool bind)
{
	unsigned long kept = flags & MOUNT_FLAGS, before = mount->flags;
	struct tree *tree = mount->tree;
	unsigned int tree_before = tree->flags;

	/* What is not said about times of reading stays as it is. */
	if (!(flags & (MOUNT_ATIME_FLAGS | MS_STRICTATIME)))
		kept |= before & MOUNT_ATIME_FLAGS;
	else if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		kept |= MS_RELATIME;
	if (!mount_locks_permit(mount, kept))
		return -EPERM;
	WRITE_ONCE(mount->flags, kept);
	if (!bind && (flags & MS_RDONLY))
		tree->flags |= TREE_READ_ONLY;
	else if (!bind)
		tree->flags &= ~(unsigned int)TREE_READ_ONLY;
	smp_mb(); /* pairs with the one in mount_writer_get() */
	if (!(flags & MS_RDONLY) || !(bind ? mount_has_writers(mount) : tree_has_writers(tree)))
		return 0;
	tree->flags = tree_before;
	WRITE_ONCE(mount->flags, before);
	return -EBUSY;
}

int mount_lock_whole(const struct path *path)
{
	struct mount *mount = path->mount;
	int error = down_write_killable(&mounts_lock);

	if (error)
		return error;
	if (path->entry == mount->root && (mount->loose || mount->namespace == fs_current()->namespace))
		return 0;
	up_write(&mounts_lock);
	return -EINVAL;
}

int mount_unlock_changed(const struct path *path, int error)
{
	if (!error && path->mount->namespace)
		namespace_changed(path->mount->namespace);
	up_write(&mounts_lock);
	return error;
}

int tree_set_read_only(struct tree *tree, bool read_only)
{
	int error = down_write_killable(&mounts_lock);
	unsigned int before = tree->flags;

	if (error)
		return error;
	tree->flags = read_only ? before | TREE_READ_ONLY : before & ~(unsigned int)TREE_READ_ONLY;
	smp_mb(); /* pairs with the one in mount_writer_get() */
	if (read_only && tree_has_writers(tree)) {
		tree->flags = before;
		error = -EBUSY;
	}
	up_write(&mounts_lock);
	return error;
}

int mount_remount(const struct path *path, unsigned long flags, bool bind)
{
	int error = mount_lock_whole(path);

	return error ? error
		     : mount_unlock_changed(path, mount_change_flags(path->mount, flags, bind));
}

int mount_remount_member(const struct path *from, const struct path *union_path, unsigned long flags)
{
	struct mount *member;
	int error = mount_lock_whole(union_path);

	if (error)
		return error;
	member = union_member_of(union_path->mount, from);
	error = member ? mount_change_flags(member, flags, true) : -EINVAL;
	return mount_unlock_changed(union_path, error);
}

/* ---- Detach ---- */

void mounts_mark_going(struct mount *top, struct list *going)
{
	for (struct mount *mount = top; mount; mount = mount_next(mount, top)) {
		mount->going = true;
		list_add(going, &mount->work_link);
	}
}

void mounts_detach(struct list *going, bool propagate)
{
	if (propagate)
		propagate_detach(going);
	mounts_unlink(going);
	up_write(&mounts_lock);
	mounts_release(going);
}

void mount_tree_detach(struct mount *top, bool propagate)
{
	struct list going = LIST_INIT(going);

	mounts_mark_going(top, &going);
	mounts_detach(&going, propagate);
}

/* Is it, or what would go with it, used by anybody but the caller, who has one reference? */
static bool mount_is_busy(struct mount *mount)
{
	struct mount *child;
	bool busy;

	spin_lock(&names_lock);
	names_move_begin(); /* from here on no walk without references ends in success, so the count is the count */
	busy = mount_count(mount) != 2 + (long)union_size(mount);
	list_for_each(child, &mount->children, sibling)
		busy |= !child->member || mount_count(child) != 1;
	if (!busy)
		busy = propagated_busy(mount);
	names_move_end();
	spin_unlock(&names_lock);
	return busy;
}

/* umount2(MNT_EXPIRE): the first call only marks. */
static int expire(struct mount *mount, int flags)
{
	if (flags & (MNT_FORCE | MNT_DETACH))
		return -EINVAL;
	if (mount_is_busy(mount))
		return -EBUSY;
	if (mount->expiring == 1)
		return 0;
	mount->expiring = 2;
	return -EAGAIN;
}

int mount_detach(struct path *path, int flags)
{
	struct mount *mount;
	int error;

	path_cross_mounts(path); /* a link in /proc leads below what is mounted there */
	mount = path->mount;
	error = down_write_killable(&mounts_lock);
	if (error)
		return error;
	/* Only whole mounts of this namespace, and never its root. */
	error = -EINVAL;
	if (path->entry != mount->root || mount->namespace != fs_current()->namespace ||
	    !mount->over.mount || (mount->locks & MOUNT_LOCK_PLACE) || mount->member)
		goto out;
	error = flags & MNT_EXPIRE ? expire(mount, flags) : 0;
	if (!error && !(flags & MNT_DETACH) && mount_is_busy(mount))
		error = -EBUSY;
	if (error)
		goto out;
	mount_tree_detach(mount, true);
	return 0;
out:
	up_write(&mounts_lock);
	return error;
}

void mounts_detach_removed(const struct entry *entry)
{
	struct mount *mount;

	while (unlikely(READ_ONCE(entry->flags) & ENTRY_MOUNTED)) {
		down_write(&mounts_lock);
		mount = mount_on_removed(entry);
		if (!mount) {
			up_write(&mounts_lock);
			return;
		}
		mount_tree_detach(mount, false);
	}
}

/* ---- pivot_root ---- */

static int may_pivot(const struct path *root, const struct path *new, const struct path *old_place)
{
	struct namespace *namespace = fs_current()->namespace;
	struct mount *root_mount = root->mount, *new_mount = new->mount;

	if (old_place->mount->group || !new_mount->over.mount || new_mount->over.mount->group ||
	    (root_mount->over.mount && root_mount->over.mount->group))
		return -EINVAL;
	if (root_mount->namespace != namespace || new_mount->namespace != namespace ||
	    (new_mount->locks & MOUNT_LOCK_PLACE) || new_mount->members || root_mount->members)
		return -EINVAL;
	if (new_mount == root_mount || old_place->mount == root_mount)
		return -EBUSY;
	if (root->entry != root_mount->root || !root_mount->over.mount || new->entry != new_mount->root)
		return -EINVAL;
	if (!path_is_below(old_place, new) || !path_is_below(new, root))
		return -EINVAL;
	return mount_place_ok(old_place, root_mount->root);
}

/* The new root stands where the old one stood, and the old one at its new place. */
static void pivot(struct mount *root, struct mount *new, const struct path *old_place)
{
	struct path was_new, was_root;

	if (root->locks & MOUNT_LOCK_PLACE) { /* what lies below is not to be seen */
		new->locks |= MOUNT_LOCK_PLACE;
		root->locks &= (u8)~MOUNT_LOCK_PLACE;
	}
	spin_lock(&names_lock);
	names_move_begin();
	mount_unhash(new);
	mount_leave(new, &was_new);
	mount_unhash(root);
	mount_leave(root, &was_root);
	mount_join(new, &was_root);
	mount_hash(new);
	mount_join(root, old_place);
	mount_hash(root);
	names_move_end();
	spin_unlock(&names_lock);
	path_put(&was_new);
	path_put(&was_root);
	namespace_changed(new->namespace);
}

int mount_pivot(const struct path *new, const struct path *old_place, struct path *root)
{
	struct path place;
	int error = mount_place_lock(old_place, &place);

	if (error)
		return error;
	fs_root(root);
	error = may_pivot(root, new, &place);
	if (!error)
		pivot(root->mount, new->mount, &place);
	mount_place_unlock(&place);
	path_put(&place);
	if (error)
		path_put(root);
	return error;
}

int kernel_mount(const char *type_name, const char *source, const char *target, unsigned long flags,
		 const char *options)
{
	struct tree_type *type = tree_type_get(type_name);
	struct tree *tree;
	struct path over;
	int error;

	if (IS_ERR(type))
		return PTR_ERR(type);
	tree = tree_attach(type, source, options, &root_cred);
	tree_type_put(type);
	if (IS_ERR(tree))
		return PTR_ERR(tree);
	error = path_walk(NULL, target, WALK_FOLLOW, &root_cred, &over);
	if (!error) {
		error = mount_attach(tree, &over, flags);
		path_put(&over);
	}
	tree_put(tree);
	return error;
}
EXPORT_SYMBOL(kernel_mount);
EXPORT_SYMBOL(mount_attach);
EXPORT_SYMBOL(mount_bind);
EXPORT_SYMBOL(mount_detach);
