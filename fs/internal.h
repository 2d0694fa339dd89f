/*
 * What the files of fs/ share and nobody else may use: the structure of the name cache, the mount hash, and the
 * primitives of the walk.
 *
 * names_lock protects the structure of all names: hash chains of entries and mounts, lists of children, the LRU list,
 * entry flags, and the places of entries and mounts. It is a spin lock and a leaf but for slab and RCU internals.
 * names_sequence is odd while an entry or a mount moves; a walk without references ends by checking that it has not
 * changed since the start.
 */
#ifndef FS_INTERNAL_H
#define FS_INTERNAL_H

#include <kumo/file.h>
#include <kumo/namespace.h>
#include <kumo/serve.h>
#include <kumo/printk.h>
#include <kumo/spinlock.h>
#include <kumo/thread.h>
#include <kumo/wait.h>

#define SYMLINKS_MAX 40
#define PATH_MAX_BYTES 4096 /* Linux's PATH_MAX, with NUL */

extern spinlock_t names_lock;
extern u32 names_sequence;

/* An even value to be checked at the end, or an odd one: something moves just now. */
static inline u32 names_sequence_read(void)
{
	return smp_load_acquire(&names_sequence);
}

static inline bool names_sequence_changed(u32 sequence)
{
	smp_rmb(); /* what was read since comes before; pairs with the barriers of names_move_begin/end */
	return READ_ONCE(names_sequence) != sequence;
}

/* Around a change of place, under names_lock. */
static inline void names_move_begin(void)
{
	WRITE_ONCE(names_sequence, names_sequence + 1);
	smp_mb(); /* the odd number is seen before any part of the change */
}

static inline void names_move_end(void)
{
	smp_store_release(&names_sequence, names_sequence + 1);
}

/* ---- Entries (dcache.c) ---- */

/* Under rcu_read_lock(): the entry of that name, without a reference; NULL: not cached. */
struct entry *entry_find_rcu(struct entry *parent, const struct name *name);
/* A referenced one, or NULL. */
struct entry *entry_find(struct entry *parent, const struct name *name);
/* Takes a reference of an entry found under RCU; false: it is going. A full barrier. */
static inline __must_check bool entry_get_live(struct entry *entry)
{
	int old = atomic_read(&entry->refs);

	do {
		if (unlikely(old < 0))
			return false;
	} while (!atomic_try_cmpxchg(&entry->refs, &old, old + 1));
	return true;
}
static inline void entry_get(struct entry *entry)
{
	atomic_inc(&entry->refs);
}
void entry_put(struct entry *entry);			       /* may sleep */
struct entry *entry_make_root(struct tree *tree) __must_check; /* NULL: no memory */
/* One that stands nowhere and cannot be found, for a file without a name; its text is for people. NULL: no memory. */
struct entry *entry_make_loose(struct node *node, const char *text) __must_check;
/* One below `parent` that cannot be found and seems to be deleted: of a file that has no name yet, or never. Takes the node's
 * reference over, also on failure. NULL: no memory. */
struct entry *entry_make_unnamed(struct entry *parent, struct node *node, const char *text) __must_check;
/*
 * Under parent->node->lock: `name` in parent names node (whose reference is taken over, also on failure), or nothing
 * (NULL). A referenced entry: a cached negative one that changed, or a new one; ERR_PTR(-ENOMEM).
 */
struct entry *entry_add(struct entry *parent, const struct name *name, struct node *node,
			u64 believe_until_ns) __must_check;
/* The name is gone from its directory: `entry`, of which the caller holds a reference, becomes negative or unfindable. */
void entry_removed(struct entry *entry);
/* The tree says that the name means something else now: not to be found any more. */
void entry_drop(struct entry *entry);
/* The believed entry of `parent` that leads to the node, with a reference, or NULL. parent->node->lock held. */
struct entry *entry_of_child(struct entry *parent, const struct node *node);
/* Memory for the text of a name that is too long for the entry itself; *text is NULL where it is not. -ENOMEM. */
int entry_text_alloc(const struct name *name, char **text) __must_check;
/* After a rename: entry takes the name of (parent, name); what stood there is removed. leaves_nothing: there is no file of the old
 * name. Takes over `new_text`, of entry_text_alloc(). */
void entry_move(struct entry *entry, struct entry *parent, const struct name *name, char *new_text,
		struct entry *replaced, bool leaves_nothing);
/* The same for two entries that change places. */
void entry_exchange(struct entry *a, struct entry *b);
/* Forgets what is cached below a tree's root, and the root; the tree has no more mounts. False: something still holds an
 * entry, which is a bug; the tree must then stay. */
bool entries_release(struct tree *tree) __must_check;
bool entry_is_below(const struct entry *entry,
		    const struct entry *above); /* under names_lock, or the rename lock */
static inline bool entry_believed(const struct entry *entry)
{
	return likely(entry->believe_until_ns == BELIEVE_FOREVER) ||
	       time_monotonic_ns() < entry->believe_until_ns;
}

/* ---- Waiting for files (poll.c) ---- */

/* The key of a wake-up that means: this queue is going. A waiter's wake function then calls poll_wait_gone(), as the last
 * thing that it does with its entry. */
#define POLL_QUEUE_GONE (~0UL)
void poll_wait_gone(struct wait_entry *wait);
/* Leaves the queue, unless it is gone. From then on the wake function does not run. */
void poll_wait_leave(struct wait_queue *queue, struct wait_entry *wait);

/* ---- Nodes (node.c, node_index.c) ---- */

void nodes_init(void);
void node_index_init(void);
void node_index_remove(struct node *node); /* whose last reference is gone: others may now make it anew */
void node_index_wake(struct node *node); /* it has a reference again: who waited for it to leave looks again */

/* ---- Mounts (mount.c) ---- */

extern struct rwsem mounts_lock; /* which mounts there are, in all namespaces */
void mounts_init(void);
/* Under rcu_read_lock(): what stands on (mount, entry), without a reference; NULL: nothing. */
struct mount *mount_find_rcu(const struct mount *mount, const struct entry *entry);
/* A walk comes in: what umount2(MNT_EXPIRE) marked is in use. */
static inline void mount_used(struct mount *mount)
{
	if (unlikely(READ_ONCE(mount->expiring)))
		WRITE_ONCE(mount->expiring, mount->expiring - 1);
}
/* This CPU's counts. Mounts can be many, and per-CPU memory is not. */
static inline struct mount_counts *mount_counts(const struct mount *mount)
{
	return &mount->counts[smp_processor_id()];
}
static inline void mount_get(struct mount *mount)
{
	mount_counts(mount)->refs += 1;
}
void mount_put_detached(struct mount *mount);
static inline void mount_put(struct mount *mount)
{
	/* While it is attached, the namespace's reference keeps it: detaching waits for a grace period before it counts. */
	if (likely(READ_ONCE(mount->namespace)))
		mount_counts(mount)->refs -= 1;
	else
		mount_put_detached(mount);
}
/* A file is opened for writing: 0, -EROFS. Until put the mount cannot be made read-only. */
int mount_writer_get(struct mount *mount) __must_check;
static inline void mount_writer_put(struct mount *mount)
{
	mount_counts(mount)->writers -= 1;
	mount->tree->cpus[smp_processor_id()].writers -= 1;
}
/* What the mount covers, for who has no lock; false: nothing, or it is just being taken off, which names_sequence tells. */
static inline bool mount_over_peek(const struct mount *mount, struct path *over)
{
	over->mount = READ_ONCE(mount->over.mount);
	over->entry = READ_ONCE(mount->over.entry);
	return over->mount && over->entry;
}
/* Follows what is mounted on *path, as often as there is something; takes and drops references. */
void path_cross_mounts(struct path *path);
extern struct mount *memfd_mount; /* where memfd_create(2) makes files */
/* Steps from the root of a mount to what it covers; false: nowhere to go. */
bool path_cross_up(struct path *path);
/* A mount of (tree, root) that stands nowhere yet; takes its own references. */
struct mount *mount_alloc(struct tree *tree, struct entry *root, unsigned long flags) __must_check;
/* A namespace with the same mounts, and root and working directory moved there. ERR_PTR(-ENOMEM, -EINTR). */
struct namespace *namespace_copy(struct namespace *from, bool restricted, struct path *root,
				 struct path *working) __must_check;
/* Is something mounted there in the current namespace? Then its name cannot be removed. */
bool mount_stands_on(const struct entry *entry);
/* Some mount on the entry, in whatever namespace; NULL: none. mounts_lock held. */
struct mount *mount_on_removed(const struct entry *entry);
/* The name was removed: so are the mounts that other namespaces have there. May sleep, no lock held. */
void mounts_detach_removed(const struct entry *entry);

/* ---- Unions (union.c) ---- */

/* Does the path name a union, whose members are to be asked in its place? */
static inline bool path_is_union(const struct path *path)
{
	return unlikely(READ_ONCE(path->mount->members)) && path->entry == path->mount->root;
}
/* From a member's root to that of its union, for who has no lock. */
static inline void path_leave_member(struct path *path)
{
	struct path head;

	if (unlikely(path->mount->member) && path->entry == path->mount->root &&
	    mount_over_peek(path->mount, &head))
		*path = head;
}
/*
 * Without references, under rcu_read_lock(): leads *path, a union, to the member that has `name` (hashed), whose entry it
 * returns, or to none: a negative one. NULL: that cannot be said so.
 */
struct entry *union_find_rcu(struct path *path, const struct name *name, const struct cred *cred);
/*
 * The same with references: *path becomes the member that has the name (its node->lock is not held). -ENOENT: none has it;
 * or what hindered the first that could not be asked.
 */
int union_find(struct path *path, const struct name *name, const struct cred *cred) __must_check;
/* *path becomes the member in which new names are made. -EACCES: none is for that. */
int union_find_creator(struct path *path) __must_check;
/* For who is about to make, or remove, or rename `last`: the directory in which that is to happen, referenced. Of a path that is no
 * union itself. `making`: where no member has the name, the one for new names. */
int union_parent(const struct path *parent, const struct name *last, bool making,
		 const struct cred *cred, struct path *real) __must_check;
/* Of two members of the union, is the first another one, and asked before the second? */
bool union_comes_before(const struct path *head, const struct path *first, const struct path *second);
unsigned int union_size(const struct mount *head); /* mounts that are its members; mounts_lock held */
int union_open(struct file *file) __must_check;	   /* of a union's directory: lists all members */

/* ---- Files that stand for namespaces (nsfs.c) ---- */

extern struct tree_type namespace_tree_type;
struct namespace *node_namespace(const struct node *node); /* of mounts; NULL: it stands for none */
void namespace_files_init(void);

/* The context of the current thread; a kernel thread without one uses the first thread's. */
extern struct fs_context *initial_fs;
static inline struct fs_context *fs_current(void)
{
	struct fs_context *fs = current->fs;

	return likely(fs) ? fs : initial_fs;
}

/* ---- The walk (walk.c) ---- */

struct walk_link {
	const char *rest;    /* where to go on when the link is done */
	char *text;	     /* allocated copy of the target, or NULL */
	struct node *pinned; /* whose link_text is being walked, or NULL */
};
struct walk {
	struct path path, root; /* referenced */
	const char *rest;	/* text still to walk */
	struct name last;	/* the element that walk_to_parent stopped at */
	unsigned int flags;	/* WALK_* */
	unsigned int links;	/* symbolic links followed in all */
	unsigned int depth;
	bool must_be_directory;
	bool follow; /* a link at the end, too: asked for, or the name ends in a slash */
	bool jumped; /* path was set by an object link */
	const struct cred *cred;
	struct walk_link stack[SYMLINKS_MAX];
};
int walk_begin(struct walk *walk, const struct path *start, const char *name, unsigned int flags,
	       const struct cred *cred) __must_check;
/* Walks all but the last element, which is left in walk->last; -ENOENT for "". */
int walk_to_parent(struct walk *walk) __must_check;
/* Looks walk->last up: 0: walk->path is it; 1: it was a link, call walk_to_parent() again; or a negative errno. */
int walk_last(struct walk *walk) __must_check;
/* The same for an entry found already (its reference is taken over). */
int walk_step_last(struct walk *walk, struct entry *entry) __must_check;
/* For who may not leave the root of a walk: -EXDEV when something that moved meanwhile has led out of it. */
static inline __must_check int walk_check_scope(const struct walk *walk)
{
	if (likely(!(walk->flags & (WALK_BENEATH | WALK_IN_ROOT))))
		return 0;
	return path_is_below(&walk->path, &walk->root) ? 0 : -EXDEV;
}
void walk_end(struct walk *walk);
/* The lock-free walk: a result whose objects are not referenced, valid until names_sequence moves. -ECHILD: cannot be
 * done without references. Under rcu_read_lock(). */
struct walk_peek {
	struct path path;
	struct node *node;
	u32 sequence;
};
int walk_peek(const struct path *start, const char *name, unsigned int flags,
	      const struct cred *cred, struct walk_peek *peek) __must_check;
/* Turns what walk_peek found into a referenced path; false: it moved meanwhile, and the read section was left and entered
 * again: nothing that was seen in it is there any more. */
bool walk_peek_keep(struct walk_peek *peek) __must_check;
/* The entry of `name`, with the directory locked where it must be. Positive and referenced, or ERR_PTR(-ENOENT, ...). */
struct entry *entry_lookup(struct entry *dir, const struct name *name,
			   const struct cred *cred) __must_check;
/* Under dir->node->lock: the entry of `name`, asked from the tree when it is not cached. Positive and referenced, or
 * ERR_PTR(-ENOENT, ...). */
struct entry *lookup_locked(struct entry *dir, const struct name *name,
			    const struct cred *cred) __must_check;
/* The same, whatever is cached. `rest` (may be NULL) is what follows `name`, for trees that answer many elements at once. */
struct entry *lookup_ask(struct entry *dir, const struct name *name, const char *rest,
			 const struct cred *cred) __must_check;

/* ---- Permission (permission.c) ---- */

/* By the access list, for who is not the owner. */
bool acl_permits(const struct node *node, u32 mask, const struct cred *cred);
/* By mode bits and access list alone; no capability, no rules of the tree's own. */
static inline bool mode_permits(const struct node *node, u32 mask, const struct cred *cred)
{
	u32 mode = READ_ONCE(node->attr.mode);

	if (cred->fsuid == node->attr.uid)
		mode >>= 6;
	else if (unlikely(READ_ONCE(node->acl)) && mode & S_IRWXG) /* Linux: a mask of nothing goes by the mode */
		return acl_permits(node, mask, cred);
	else if (cred->fsgid == node->attr.gid ||
		 (((mode >> 3) ^ mode) & 7 && cred_in_group(cred, node->attr.gid)))
		mode >>= 3;
	return !(mask & ~mode);
}
int may_create_in(struct node *dir, const struct cred *cred) __must_check;
/* Links that somebody has laid out for others to fall into, as /proc/sys/fs/protected_* say (proc(5)): may a path end in the
 * symbolic link that lies in `dir` (-EACCES), may there be another name for `node` (-EPERM)? */
int may_follow(const struct node *dir, const struct node *link, const struct cred *cred) __must_check;
int may_link(struct node *node, const struct cred *cred) __must_check;
int may_delete(struct node *dir, struct node *victim, bool directory,
	       const struct cred *cred) __must_check;
/* Takes set-id bits away after a write or a change of owner: what must change, or 0. */
u32 mode_without_privileges(const struct node *node, const struct cred *cred);
void file_remove_privileges(struct file *file); /* before a write; node->lock held */

/* ---- Changes of names (names.c) ---- */

/* Who owns what is made in the directory, what of its mode stays, and its access lists, which node_new_end() puts. -ENOMEM. */
int node_new_begin(struct node_new *new, const struct node *dir, const struct cred *cred) __must_check;
/* `node` was made of it and nobody has seen it, or it was not (NULL). */
void node_new_end(struct node_new *new, struct node *node);
/* Makes `last` in the directory, whose node->lock is held; no check for existence. */
struct entry *create_locked(const struct path *parent, const struct name *last,
			    const struct node_new *what, const struct cred *cred) __must_check;
static inline void tree_change_begin(struct tree *tree)
{
	if (tree->flags & TREE_WALK_MANY)
		atomic64_add(&tree->changes_begun, 1);
}
static inline void tree_change_end(struct tree *tree)
{
	if (tree->flags & TREE_WALK_MANY)
		atomic64_add(&tree->changes_done, 1);
}

/* node_setattr() of a name's node, told to who watches. */
int entry_setattr(struct entry *entry, struct attr_change *change, const struct cred *cred) __must_check;

/* The root namespace on this tree, and the context of the first thread (namespace.c). */
void namespace_start(struct tree *tree);

/* ---- Files (file.c, open.c) ---- */

void files_init(void);
/* Makes a file without a name in the directory and opens it; `text` is for people. ERR_PTR. */
struct file *file_open_unnamed(const struct path *dir, const struct node_new *what,
			       const char *text, u32 flags, const struct cred *cred) __must_check;
struct file *file_alloc(u32 flags, const struct cred *cred) __must_check; /* NULL: no memory */
void file_free_unopened(struct file *file); /* one that file_alloc made and nobody saw */
void locks_init(void);

#endif
