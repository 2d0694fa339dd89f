/*
 * Names: the name cache (struct entry), mounts, paths, namespaces, and the walk that turns text into a path
 * (fs/dcache.c, fs/mount.c, fs/walk.c). What changes mounts is in mount.h.
 *
 * An entry is one name in a directory: parent entry and text, and the node it names, or none (a negative entry). A mount
 * covers an entry with the root of another tree. A path is an entry seen through a mount.
 */
#ifndef KUMO_NAMESPACE_H
#define KUMO_NAMESPACE_H

#include <kumo/tree.h>
#include <kumo/wait.h>

/*
 * Locks, after those of tree.h: mounts_lock (which mounts there are, in all namespaces), names_lock (a spin lock over the
 * structure of the name cache and the mount hash; fs/internal.h).
 */

struct entry {
	atomic_t refs; /* held by paths, children and mounts; zero: only cached; negative: going */
	u32 flags;     /* ENTRY_*, under names_lock */
	struct entry *parent; /* self at the root of a tree; referenced */
	struct node *node; /* owned reference; NULL: negative. Never changes from one node to another */
	struct name name;
	struct hlist_node hash_link;
	u64 believe_until_ns;
	struct list children, sibling;
	struct list lru;
	struct tree *tree;
	bool recently_used; /* spared once by names_shrink() */
	char *long_name;    /* of more than the bytes below; name.text points to it */
	struct rcu_head rcu;
	char inline_name[40];
};
enum {
	ENTRY_HASHED = 1,
	ENTRY_DROPPED = 2, /* not to be found any more; goes with its last reference */
	ENTRY_MOUNTED = 4, /* some mount covers it */
	ENTRY_TRANSIENT = 8, /* of a tree that does not let names be cached: goes with its last reference */
	ENTRY_DELETED = 16, /* its name was removed */
};

struct path {
	struct mount *mount;
	struct entry *entry;
};

struct mount_counts {
	long refs;	     /* the sum counts once detached */
	long writers;	     /* files open for writing: a mount that has some stays writable */
	char cache_line[48]; /* one CPU's and no other's */
};

struct mount_union;
struct peer_group;

/* A tree (or a part of one) that stands at a place in a namespace. */
struct mount {
	struct tree *tree;  /* owned reference */
	struct entry *root; /* what of the tree is seen; owned reference */
	struct path over; /* what it covers; referenced while attached; mount NULL: the root of a namespace */
	struct namespace *namespace; /* NULL: detached; lives on for who still uses it */
	unsigned long flags; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_RELATIME ... */
	struct mount_counts *counts; /* by CPU */
	int id;
	u64 order;   /* in the namespace's list */
	u8 expiring; /* umount2(MNT_EXPIRE) was here: how many walks may come in until it is used again, its own included */
	bool doomed; /* counted to zero, under names_lock: being freed */
	bool unbindable; /* no bind mount may be made of it */
	bool going;	 /* being detached, under mounts_lock */
	bool connected; /* detached with what it covers, and still there: it may not be looked below */
	bool member;	/* of the union that it stands on: not in the hash */
	bool loose;	/* it stands nowhere yet: an open file has it (mount_loose.c) */
	u8 locks;	/* MOUNT_LOCK_*: what its namespace may not change */
	struct mount_union *members;   /* of the head of a union; read under RCU */
	struct hlist_node hash_link;   /* by what it covers */
	struct hlist_node place_link;  /* by the entry that it covers */
	struct list namespace_link;    /* in the order of mounting */
	struct list children, sibling; /* mounts that stand on it; under mounts_lock */
	struct peer_group *group,
		*master; /* whom it tells of its mounts and is told by; who only tells it (propagation.c) */
	struct list peer_link, slave_link; /* in group->members, master->slaves */
	struct mount *copy; /* while a tree of mounts is copied: its copy, and of the copy what it was made from */
	struct list work_link, target_link; /* in lists of a change under way, under mounts_lock */
	struct path detached_from;	    /* what it covered, while it is being detached */
	struct rcu_head rcu;
};
/* In a namespace that its user may change without being privileged, what it was given stays as it is. */
enum {
	MOUNT_LOCK_PLACE = 1, /* neither unmounted nor moved */
	MOUNT_LOCK_RDONLY = 2,
	MOUNT_LOCK_NOSUID = 4,
	MOUNT_LOCK_NODEV = 8,
	MOUNT_LOCK_NOEXEC = 16,
	MOUNT_LOCK_ATIME = 32, /* and, if it is so, that no symbolic link is followed */
};

void path_get(const struct path *path);
void path_put(const struct path *path); /* may sleep */
static inline struct node *path_node(const struct path *path)
{
	return path->entry->node;
}

static inline struct tree *path_tree(const struct path *path)
{
	return path->mount->tree;
}
static inline bool path_equal(const struct path *a, const struct path *b)
{
	return a->mount == b->mount && a->entry == b->entry;
}

/* Does `path` lie below `above`, or is it that, over whatever mounts? */
bool path_is_below(const struct path *path, const struct path *above);

/* The mounts that a set of processes sees. */
struct namespace
{
	refcount_t refs;
	struct list mounts; /* in the order of mounting; under mounts_lock, as all that follows */
	struct mount *root;
	u64 id;			    /* the number of its file in /proc/PID/ns */
	u64 age;		    /* higher than that of all that were there before */
	unsigned int count, coming; /* mounts; those that a change under way will add */
	bool restricted; /* made without privilege: whoever is in it gains none (no_new_privs) */
	u32 owner;	 /* the user who made it */
	struct wait_queue changed; /* woken when mounts come, go or change: poll of /proc/PID/mounts */
	u64 change_count, last_order;
};
static inline struct namespace *namespace_get(struct namespace *namespace)
{
	refcount_inc(&namespace->refs);
	return namespace;
}
void namespace_put(struct namespace *namespace); /* the last one detaches its mounts; may sleep */

/* What a process's paths start from; shared by CLONE_FS. */
struct fs_context {
	refcount_t refs;
	spinlock_t lock;
	u32 sequence; /* odd while root or working changes, for walkers without the lock */
	struct path root, working;
	u32 umask;
	struct namespace *namespace; /* owned reference */
};
struct fs_context *fs_context_copy(struct fs_context *from) __must_check; /* NULL: no memory */
/* With a namespace of its own, in which the same mounts stand; restricted: locked, and told of no change that is made here.
 * ERR_PTR(-ENOMEM, -EINTR, -ENOSPC). */
struct fs_context *fs_context_copy_namespace(struct fs_context *from, bool restricted) __must_check;
/* At the root of `namespace`; NULL: no memory. */
struct fs_context *fs_context_enter(struct namespace *namespace, u32 umask) __must_check;
void fs_context_put(struct fs_context *fs);
/* Referenced paths of the current thread; replaced under the lock. */
void fs_root(struct path *root);
void fs_root_of(struct fs_context *fs, struct path *root); /* of another */
void fs_working(struct path *working);
void fs_set_root(struct fs_context *fs, const struct path *root);
void fs_set_working(struct fs_context *fs, const struct path *working);
/* Who stands at `from`, with root or working directory, stands at `to` then. */
void fs_context_move(struct fs_context *fs, const struct path *from, const struct path *to);
u32 fs_umask(void);

/* How a walk ends. */
enum {
	WALK_FOLLOW = 1,     /* follow a symbolic link at the end */
	WALK_DIRECTORY = 2,  /* the end must be a directory */
	WALK_EMPTY_PATH = 4, /* "" names the start itself */
	WALK_PARENT = 8,     /* stop at the last element's directory; the element is returned */
	WALK_NO_MAGIC_LINKS = 16,
	WALK_NO_SYMLINKS = 32,
	WALK_BENEATH = 64,
	WALK_IN_ROOT = 128,
	WALK_NO_XDEV = 256,
};

/*
 * Walks kernel text `name` from `start` (NULL: the current thread's working directory; absolute names start at its
 * root). A referenced path, or a negative errno: those of Linux, -EINTR when killed. May sleep.
 */
int path_walk(const struct path *start, const char *name, unsigned int flags,
	      const struct cred *cred, struct path *path) __must_check;
/* The directory in which `path` stands, referenced, and its name there, copied to `text` of NAME_MAX_LENGTH + 1 bytes. -EBUSY: it is
 * the root of a mount; -ENOENT: it has no name any more. */
int path_place(const struct path *path, struct path *parent, char *text, struct name *last) __must_check;
/* Walks `name` from the directory in which `path` stands; of a file that a mount covers another with, in which that one does. */
int path_walk_beside(const struct path *path, const char *name, const struct cred *cred,
		     struct path *beside) __must_check;
/* The directory of the last element, and that element (which points into `name`; text[length] is '/' when slashes follow).
 * -EISDIR, -EBUSY etc. are the caller's to give for an element that is "", "." or "..": see name_kind(). */
int path_walk_parent(const struct path *start, const char *name, unsigned int flags,
		     const struct cred *cred, struct path *parent, struct name *last) __must_check;
enum name_kind { NAME_NORMAL, NAME_DOT, NAME_DOT_DOT, NAME_ROOT /* no element at all: "/" */ };
enum name_kind name_kind(const struct name *name);
/* The attributes of what a name names, without a reference where that is possible: stat(2). */
int path_attributes(const struct path *start, const char *name, unsigned int flags,
		    const struct cred *cred, struct attr *attr, u64 *device) __must_check;
/* Kernel text of a symbolic link into buffer; its length. */
ssize_t node_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred) __must_check;

/*
 * A path's name as seen from `root` (NULL: the current thread's); returns a pointer into buffer, or ERR_PTR(-ENAMETOOLONG).
 * What lies outside root begins with "(unreachable)". Adds " (deleted)" like Linux when asked; without it a deleted
 * name is ERR_PTR(-ENOENT).
 */
char *path_name(const struct path *path, const struct path *root, char *buffer, size_t size,
		bool mark_deleted);

/*
 * Changes of names. `parent` and `last` as path_walk_parent() gave them. Permission, mount flags and Linux's errnos are
 * checked here. *made, if not NULL, is the new path, referenced.
 */
int path_create(const struct path *parent, const struct name *last, const struct node_new *what,
		const struct cred *cred,
		struct path *made) __must_check; /* what->uid, gid and lists are set here, and its umask is applied */
int path_unlink(const struct path *parent, const struct name *last, bool directory,
		const struct cred *cred) __must_check;
int path_link(const struct path *parent, const struct name *last, const struct path *old,
	      const struct cred *cred) __must_check;
int path_rename(const struct path *old_parent, const struct name *old_last,
		const struct path *new_parent, const struct name *new_last, unsigned int flags,
		const struct cred *cred) __must_check;
/* chmod, chown, utimes, truncate of what path names: -EROFS of the mount included. */
int path_setattr(const struct path *path, struct attr_change *change,
		 const struct cred *cred) __must_check;
/* utimes: the same for times alone. Whoever may write may set both to now (`now`); other times are the owner's to set. */
int path_set_times(const struct path *path, struct attr_change *change, bool now,
		   const struct cred *cred) __must_check;
/* -EROFS where the mount or its tree is read-only. */
int mount_want_write(const struct mount *mount) __must_check;

/* Gives back memory of names that nobody uses, and of their nodes: about so many pages, by a worker and after the next grace
 * period. Takes only names_lock, never waits. False: there was nothing to give. */
bool names_shrink(unsigned long pages_wanted);

void names_init(void);			   /* caches and hashes */
int ram_types_register(void) __must_check; /* ramfs, tmpfs and rootfs; -EEXIST */
void ram_tree_init(void); /* registers those; mounts the root; fs of the first thread */
int initramfs_unpack(const void *archive,
		     size_t size) __must_check; /* cpio newc, plain or gzip, several in a row */
/* The same for reserved boot memory, which is handed over: page-aligned contents of files become their pages, the rest is
 * released. Whole pages around [start, start + size) must be the loader's. */
int initramfs_load(phys_addr_t start, u64 size) __must_check;

#endif
