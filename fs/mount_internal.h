/*
 * Between the files about mounts (mount.c says which they are). All but what is said to be otherwise is called with mounts_lock
 * held for writing.
 */
#ifndef FS_MOUNT_INTERNAL_H
#define FS_MOUNT_INTERNAL_H

#include <kumo/mount.h>
#include <linux/mount.h>

/* umount2(2); the uapi headers leave these to libc. */
#define MNT_FORCE 1
#define MNT_DETACH 2
#define MNT_EXPIRE 4

/* The flags that a mount itself keeps, and those of them about times of reading. */
#define MOUNT_ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_RELATIME)
#define MOUNT_FLAGS                                                                                \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW | MOUNT_ATIME_FLAGS)

/* ---- mount.c: names_lock held ---- */

long mount_count(const struct mount *mount); /* references; nobody may come or go meanwhile */
bool mount_has_writers(const struct mount *mount);
bool tree_has_writers(const struct tree *tree); /* through any mount of it, in whatever namespace or none */
/* Into the hashes by mount->over, and out of them. */
void mount_hash(struct mount *mount);
void mount_unhash(struct mount *mount);

/* ---- mount_tree.c ---- */

/* The next of what stands on `top`, a mount before what stands on it; NULL: that was all. `beside`: not what stands on it. */
struct mount *mount_next(struct mount *mount, const struct mount *top);
struct mount *mount_next_beside(struct mount *mount, const struct mount *top);
/* Stands on `over` from now on (takes references), without being found; and does not any more (hands them over). */
void mount_join(struct mount *mount, const struct path *over);
void mount_leave(struct mount *mount, struct path *over);

/* How a copy stands to its original. */
enum {
	COPY_PEER = 0,	     /* in its group, with its master */
	COPY_AS_SLAVE = 1,   /* of its group, if it is shared */
	COPY_SHARED = 2,     /* in a group in any case */
	COPY_PRIVATE = 4,    /* knows nobody */
	COPY_UNBINDABLE = 8, /* of unbindable ones, too */
};
/* A mount of the same tree that stands nowhere. ERR_PTR(-ENOMEM). */
struct mount *mount_clone(struct mount *from, struct entry *root, unsigned int how) __must_check;
/* The same with all that stands on it below `root`. ERR_PTR(-ENOMEM, -EPERM). */
struct mount *mount_tree_copy(struct mount *from, struct entry *root, unsigned int how) __must_check;
void mount_tree_discard(struct mount *top); /* one that nobody has seen */
/* May so many more be in the namespace? Counts them in namespace->coming. -ENOSPC. */
int mount_tree_admit(struct mount *top, struct namespace *namespace) __must_check;
/* What mount_join() has put in its place is found from now on. */
void mount_tree_show(struct mount *top, struct namespace *namespace);
void namespace_changed(struct namespace *namespace); /* tells who polls */
/* Mounts by work_link, what stands on one before it, all of them marked as going: nobody finds them any more. */
void mounts_unlink(struct list *going);
/* Lets go of them; waits for a grace period. Without mounts_lock. */
void mounts_release(struct list *going);

/* ---- propagation.c ---- */

int mount_set_types(struct mount *top, unsigned long type,
		    bool recursive) __must_check;		     /* MS_SHARED ... -ENOMEM */
void mount_set_group(struct mount *mount, struct peer_group *group); /* that has none yet; NULL: nothing */
void mount_set_master(struct mount *mount, struct peer_group *master);
int mount_make_shared(struct mount *mount) __must_check; /* -ENOMEM */
/* Leaves its group and its master. Slaves of a group that is empty then become its master's. */
void mount_forget_peers(struct mount *mount);
int peer_group_id(const struct peer_group *group); /* reading suffices, for this one and the next */
/* The nearest group above that has a member in the namespace below `root`; 0: none. For "propagate_from". */
int peer_group_above(const struct mount *mount, const struct path *root);
/*
 * Copies of `source`, which is to stand on `over`, for all that are told of what is mounted there; each is joined to its
 * place and in the list `made` by work_link. On failure (-ENOMEM, -ENOSPC) some may have been made already.
 */
int propagate_mount(struct mount *source, const struct path *over, struct list *made) __must_check;
/* With `going` (by work_link, marked, what stands on one before it) goes what came with it elsewhere: added to the list. */
void propagate_detach(struct list *going);
/* Is what would go with the mount in use? names_lock held, within a move. */
bool propagated_busy(struct mount *mount);

/* ---- mount_change.c ---- */

/* mounts_lock, for a change of the mount that the path is the root of, in the caller's namespace: 0, -EINVAL, -EINTR. Without it before.
 * And the end of that: tells of the change, unless it failed; returns `error`. */
int mount_lock_whole(const struct path *path) __must_check;
int mount_unlock_changed(const struct path *path, int error);
/* What protects now is not to be taken away, nor (of `locks`) what else is said. */
void mount_lock_flags(struct mount *mount, u8 locks);
/* Has the mount's root a file that stands for a namespace of mounts? */
bool mount_shows_namespace(const struct mount *mount);
/* What a namespace without privilege may have mounted, and how. -EPERM. */
int mount_restrict(struct mount *mount, const struct namespace *namespace) __must_check;
bool mount_has_unbindable(struct mount *top);
/* May the flags become these? What is locked stays. */
bool mount_locks_permit(const struct mount *mount, unsigned long flags);
/* Finds what is on top at the place, and locks it, so that it is not removed meanwhile, and mounts_lock. */
int mount_place_lock(const struct path *at, struct path *over) __must_check;
void mount_place_unlock(const struct path *over); /* its reference stays the caller's */
/* May something of kind `root` be mounted there? */
int mount_place_ok(const struct path *over, const struct entry *root) __must_check;
/* Puts the mount, with all that stands on it, on `over` and wherever that leads. Discards it on failure. */
int mount_tree_graft(struct mount *top, const struct path *over) __must_check;
/* May a bind mount be made of it? -EINVAL. */
int mount_may_bind(const struct path *from, bool recursive) __must_check;
/* Into the list goes `top` with all that stands on it, what stands on a mount before that. */
void mounts_mark_going(struct mount *top, struct list *going);
/* Detaches what is in the list, where it came by propagation, too; and releases mounts_lock. */
void mounts_detach(struct list *going, bool propagate);
void mount_tree_detach(struct mount *top, bool propagate);

/* ---- union.c ---- */

int unions_copy(struct mount *top) __must_check; /* the members of copied heads below it. -ENOMEM */
/* A member of the union; own: by a mount, else what the union stands on. False: there are not so many. Reading suffices. */
struct mount *union_member_of(const struct mount *head,
			      const struct path *from); /* the mount that shows `from` there, or NULL */
bool union_member_at(const struct mount *head, unsigned int index, struct path *path, bool *own,
		     bool *create);

#endif
