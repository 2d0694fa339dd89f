/*
 * Changes of mounts in the namespace of the current thread (fs/mount_change.c, fs/propagation.c, fs/union.c), and what is told
 * of them in /proc (fs/mount_show.c). flags are Linux's MS_*. Whether the caller may is the caller's to know.
 *
 * Common errors: -EINVAL: not the root of a mount, not of this namespace, locked; -EINTR: killed; -ENOMEM; -ENOSPC: more
 * mounts than /proc/sys/fs/mount-max. All may sleep.
 */
#ifndef KUMO_MOUNT_H
#define KUMO_MOUNT_H

#include <kumo/namespace.h>

/* Mounts a tree's root over the path. -EBUSY: it stands there already. */
int mount_attach(struct tree *tree, const struct path *over, unsigned long flags) __must_check;
/* Shows what is at `from` over the path, too; recursive: with all that is mounted below. */
int mount_bind(const struct path *from, const struct path *over, bool recursive) __must_check;
int mount_move(const struct path *from, const struct path *over) __must_check; /* -ELOOP: below itself */
/* bind: the flags of this mount alone, else its tree's, too. -EPERM: locked; -EBUSY: something is open for writing, through
 * whatever mount of the tree. */
int mount_remount(const struct path *path, unsigned long flags, bool bind) __must_check;
/* The flags of the member of a union that shows `from`; the others keep theirs. -EINVAL: there is none. */
int mount_remount_member(const struct path *from, const struct path *over,
			 unsigned long flags) __must_check;
/* flags: MNT_DETACH, MNT_FORCE, MNT_EXPIRE. -EBUSY, -EAGAIN as umount2(2) has them. */
int mount_detach(struct path *path, int flags) __must_check;
/* pivot_root(2): `new` stands where the root stood, and what was root on `old_place`. *root: the old root, referenced, from which
 * the caller leads whoever stands there to `new` (fs_context_move()). */
int mount_pivot(const struct path *new, const struct path *old_place, struct path *root) __must_check;
/* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, of this mount or of all that stand on it, too. */
int mount_set_propagation(const struct path *path, unsigned long type, bool recursive) __must_check;

/* A union: the directory `over` goes on to show what it shows, and what is at `from`, too, before or after that, or instead. New
 * names are made in the first member that has UNION_CREATE; where none has, -EACCES. */
enum {
	UNION_BEFORE = 1,
	UNION_AFTER = 2,
	UNION_CREATE = 4,
};
int mount_unite(const struct path *from, const struct path *over, unsigned int how,
		bool recursive) __must_check;
/* Takes the member that shows `from` out of the union; with the last one the union goes. -EINVAL: there is none. */
int mount_disunite(const struct path *from, const struct path *over) __must_check;

/*
 * Mounts that stand nowhere yet are held by an O_PATH file, and go with it: a copy of what the path shows (recursive: with all that is
 * mounted below), or a new mount of a tree. ERR_PTR. mount_place_loose: such a one, which `from` is the root of, comes to
 * stand over the path.
 */
struct file *mount_open_copy(const struct path *from, bool recursive) __must_check;
struct file *mount_open_new(struct tree *tree, unsigned long flags) __must_check;
int mount_place_loose(const struct path *from, const struct path *over) __must_check;
/* Of one mount, or all that stand on it, too: flags set and cleared, and (not 0) MS_SHARED and its like. All or none: -EPERM,
 * -EBUSY, as of mount_remount(). */
struct mount_change {
	unsigned long set, clear, propagation;
};
int mount_change_attributes(const struct path *path, const struct mount_change *change,
			    bool recursive) __must_check;
/* Nothing of the tree can be written any more, through whatever mount, or it can again. -EBUSY: something is open for writing. */
int tree_set_read_only(struct tree *tree, bool read_only) __must_check;

/* Kernel-side mount of a type at a path by name; for init and tests. */
int kernel_mount(const char *type, const char *source, const char *target, unsigned long flags,
		 const char *options) __must_check;
extern int mount_max; /* /proc/sys/fs/mount-max: mounts of one namespace */

struct text;
/* /proc/PID/mounts, mountinfo, mountstats and namespace: the next mounts of what the context sees, from *cursor on (0 at
 * first), as pseudo_next. */
enum mounts_form { MOUNTS_TABLE, MOUNTS_INFO, MOUNTS_STATISTICS, MOUNTS_COMMANDS };
int mounts_show(struct text *text, struct fs_context *fs, enum mounts_form form, u64 *cursor);

/*
 * Files that stand for namespaces, /proc/PID/ns/KIND (fs/nsfs.c). Of all kinds but "mnt" there is one of each.
 */
enum namespace_kind {
	NAMESPACE_CGROUP,
	NAMESPACE_IPC,
	NAMESPACE_MOUNTS,
	NAMESPACE_NET,
	NAMESPACE_PID,
	NAMESPACE_TIME,
	NAMESPACE_USER,
	NAMESPACE_UTS,
	NAMESPACE_KINDS
};
/* Where such a link leads, referenced; `mounts` is looked at for NAMESPACE_MOUNTS alone. -ENOMEM. */
int namespace_path(enum namespace_kind kind, struct namespace *mounts, struct path *path) __must_check;
/* "mnt:[4026531841]"; its length. */
int namespace_text(enum namespace_kind kind, const struct namespace *mounts, char *buffer, size_t size);
/* The CLONE_NEW* of an open file that stands for a namespace, and that namespace if it is one of mounts (referenced; else
 * NULL); 0: it stands for none. */
unsigned long namespace_of_file(struct file *file, struct namespace **mounts);

#endif
