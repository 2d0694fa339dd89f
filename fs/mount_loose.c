/*
 * Loose mounts: those that stand nowhere yet, which open_tree(2) has copied or fsmount(2) made. An open file holds one, with what
 * stands on it: move_mount(2) takes it from there to its place; closed before that, the file takes it along.
 *
 * A loose mount is in no namespace and found by nobody but through its file. Under mounts_lock.
 */

#include "internal.h"
#include "mount_internal.h"

static void loose_clunk(struct file *file)
{
	struct mount *mount = file->path.mount;

	down_write(&mounts_lock);
	if (mount->loose) {
		mount->loose = false;
		mount_tree_discard(mount); /* the file's path has a reference still */
	}
	up_write(&mounts_lock);
}

static const struct tree_ops loose_ops = { .clunk = loose_clunk };

/* Takes the mount over, also when it fails. */
static struct file *loose_file(struct mount *mount)
{
	const struct path path = { .mount = mount, .entry = mount->root };
	struct file *file = file_open(&path, O_PATH, current->cred);

	if (IS_ERR(file)) {
		down_write(&mounts_lock);
		mount_tree_discard(mount);
		up_write(&mounts_lock);
		return file;
	}
	mount->loose = true;
	file->ops = &loose_ops;
	file->mode |= FILE_OPENED;
	return file;
}

struct file *mount_open_copy(const struct path *from, bool recursive)
{
	struct mount *top;
	int error = path_is_union(from) ? -EINVAL : down_write_killable(&mounts_lock);

	if (error)
		return ERR_PTR(error);
	error = mount_may_bind(from, recursive);
	if (error)
		top = ERR_PTR(error);
	else
		top = recursive ? mount_tree_copy(from->mount, from->entry, COPY_PEER)
				: mount_clone(from->mount, from->entry, COPY_PEER);
	if (!IS_ERR(top)) {
		top->locks &= (u8)~MOUNT_LOCK_PLACE;
		top->member = false;
	}
	up_write(&mounts_lock);
	return IS_ERR(top) ? ERR_PTR(PTR_ERR(top)) : loose_file(top);
}

struct file *mount_open_new(struct tree *tree, unsigned long flags)
{
	struct mount *mount = mount_alloc(tree, tree->root_entry, flags);
	int error;

	if (!mount)
		return ERR_PTR(-ENOMEM);
	error = down_write_killable(&mounts_lock);
	if (!error) {
		error = mount_restrict(mount, fs_current()->namespace);
		up_write(&mounts_lock);
	}
	if (error) {
		mount_put(mount);
		return ERR_PTR(error);
	}
	return loose_file(mount);
}

int mount_place_loose(const struct path *from, const struct path *at)
{
	struct mount *mount = from->mount;
	struct path over;
	int error = mount_place_lock(at, &over);

	if (error)
		return error;
	if (!mount->loose || from->entry != mount->root ||
	    S_ISDIR(path_node(&over)->attr.mode) != S_ISDIR(mount->root->node->attr.mode) ||
	    (over.mount->group && mount_has_unbindable(mount)))
		error = -EINVAL;
	else
		error = mount_place_ok(&over, mount->root);
	if (!error) {
		mount->loose = false; /* it stands there from now on, or is gone */
		error = mount_tree_graft(mount, &over);
	}
	mount_place_unlock(&over);
	path_put(&over);
	return error;
}

/* ---- mount_setattr ---- */

static unsigned long flags_after(const struct mount *mount, const struct mount_change *change)
{
	return (mount->flags & ~change->clear) | change->set;
}

/* Forbids writing where it is to be forbidden: those go to the list. -EBUSY: somebody writes. */
static int forbid_writing(struct mount *top, const struct mount_change *change, bool recursive,
			  struct list *forbidden)
{
	struct mount *mount;

	for (mount = top; mount; mount = recursive ? mount_next(mount, top) : NULL) {
		if (!(flags_after(mount, change) & ~mount->flags & MS_RDONLY))
			continue;
		WRITE_ONCE(mount->flags, mount->flags | MS_RDONLY);
		list_add(forbidden, &mount->work_link);
		smp_mb(); /* pairs with the one in mount_writer_get() */
		if (mount_has_writers(mount))
			return -EBUSY;
	}
	return 0;
}

static int change_all(struct mount *top, const struct mount_change *change, bool recursive)
{
	struct list forbidden = LIST_INIT(forbidden);
	struct mount *mount;
	int error = 0;

	for (mount = top; mount; mount = recursive ? mount_next(mount, top) : NULL)
		if (!mount_locks_permit(mount, flags_after(mount, change)))
			return -EPERM;
	error = forbid_writing(top, change, recursive, &forbidden);
	if (!error && change->propagation)
		error = mount_set_types(top, change->propagation, recursive);
	while (!list_empty(&forbidden)) {
		mount = list_first(&forbidden, struct mount, work_link);
		list_del(&mount->work_link);
		if (error)
			WRITE_ONCE(mount->flags, mount->flags & ~(unsigned long)MS_RDONLY);
	}
	for (mount = top; mount && !error; mount = recursive ? mount_next(mount, top) : NULL)
		WRITE_ONCE(mount->flags, flags_after(mount, change));
	return error;
}

int mount_change_attributes(const struct path *path, const struct mount_change *change, bool recursive)
{
	int error = mount_lock_whole(path);

	return error ? error : mount_unlock_changed(path, change_all(path->mount, change, recursive));
}
