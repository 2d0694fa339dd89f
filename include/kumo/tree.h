/*
 * Trees: the one interface of everything that serves files.
 *
 * A *tree* is a served file tree; it outlives the instance (module, process, far machine) that serves it. A *node* is
 * the core's object for one file of a tree: its identity, its attributes as last told, its page cache. A component
 * implements `struct tree_ops`, shaped like 9P2000.L; the core calls it directly, the 9P client implements it with
 * messages, the 9P server calls it for others. Credentials come as an argument and are never read from the current
 * thread. Whatever waits, waits interruptibly.
 *
 * Absent operations mean: names: -EOPNOTSUPP or -EPERM as Linux gives (create etc. -EPERM, rename -EXDEV...); read, write:
 * -EINVAL; readdir: -ENOTDIR; ioctl: -ENOTTY; poll: always ready; mmap: -ENODEV; getattr: what the node holds; clunk,
 * forget: nothing to do.
 *
 * Locks, outermost first: a tree's rename lock (tree->rename_lock), node->lock of directories (parent before child),
 * node->lock of files, page locks. The core takes node->lock of a directory for walk, readdir, create, link, unlink and rename (both
 * parents), and of a file for write and truncation; an implementation finds them held, and takes none of them itself (rebind.h).
 */
#ifndef KUMO_TREE_H
#define KUMO_TREE_H

#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/iter.h>
#include <kumo/list.h>
#include <kumo/mutex.h>
#include <kumo/rcu.h>
#include <kumo/refcount.h>
#include <kumo/xarray.h>
#include <linux/fs.h>
#include <linux/stat.h>

/* Ranks of node->lock inside that of a directory (lockcheck.h): rename's other directory, and what a name stands for. */
enum { NODE_SECOND = 1, NODE_CHILD = 2 };

struct acl;
struct block_device;
struct block_map_ops;
struct entry;
struct file;
struct handover;
struct module;
struct page;
struct page_cache;
struct path;
struct pipe;
struct xattrs;
struct poll_table;
struct text;
struct tree;
struct tree_cpu;
struct tree_gate;
struct vma;
struct writeback;

/* A name within a directory: not NUL-terminated, with its hash for the name cache. */
struct name {
	const char *text;
	u32 length;
	u32 hash;
};
#define NAME_MAX_LENGTH 255

/* How long the core may believe what a tree told it. */
#define BELIEVE_FOREVER                                                                            \
	(~0ULL) /* the tree tells the core of every change itself (all in-kernel trees) */

#define BLOCKS_IN_CACHE (~0ULL) /* attr.blocks of a file whose bytes are the page cache's alone */

/* Attributes. Times are nanoseconds since 1970. */
struct attr {
	u64 id;		/* identity within the tree: 9P's qid.path; st_ino */
	u32 generation; /* tells apart files that reuse an id */
	u32 version;	/* 9P's qid.version: a hint, never trusted alone */
	u32 mode;	/* S_IF* and permissions */
	u32 uid, gid;
	u32 nlink;
	u64 rdev; /* makedev form of Linux's user space: (major << 8 | minor) for small ones, see dev.h */
	u64 size;
	u64 blocks; /* of 512 bytes */
	u32 block_size;
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns;
	u32 flags; /* FS_*_FL, as chattr(1) sets them (linux/fs.h); 0 where the tree has none */
	u64 believe_until_ns; /* monotonic; BELIEVE_FOREVER */
};

/* What setattr shall change. */
enum {
	SETATTR_MODE = 1,
	SETATTR_UID = 2,
	SETATTR_GID = 4,
	SETATTR_SIZE = 8,
	SETATTR_ATIME = 16,
	SETATTR_MTIME = 32,
	SETATTR_CTIME = 64,
	SETATTR_OWNER = 128, /* chown(2), also where it leaves both ids as they are: it takes set-id bits away */
	SETATTR_ACL = 256, /* of a tree with TREE_ACL; the mode has been made to fit */
	SETATTR_DEFAULT_ACL = 512,
};
struct attr_change {
	u32 valid;
	u32 mode, uid, gid;
	u64 size;
	s64 atime_ns, mtime_ns, ctime_ns;
	struct acl *acl; /* of SETATTR_ACL or SETATTR_DEFAULT_ACL, the caller's; NULL: none any more */
};

/* What create shall make. mode says which kind; target: of a symbolic link. */
struct node_new {
	u32 mode;
	u64 rdev;
	const char *target;
	u32 uid, gid; /* owner to be, as the core worked it out (set-group-id directories) */
	u32 umask; /* what the core takes from mode, unless the directory's default list stands in its place */
	struct acl *acl, *default_acl; /* as the core worked them out, for a tree that keeps them; NULL: none */
	bool shared; /* the core's: a file that somebody else has made at the same time will do */
};

/* The core's object for one file. Found by identity (tree, id, generation) or held by the name cache and open files. */
struct node {
	struct tree *tree;
	refcount_t refs;
	struct attr attr; /* size: through node_size()/node_set_size() */
	struct mutex lock;
	struct page_cache *cache; /* made at first use, NULL for what has no bytes */
	void *private;		  /* the serving instance's; released by tree_ops.forget */
	const struct tree_ops *ops; /* the tree's, or another table for this node (a device in /dev) */
	struct pipe *pipe;	    /* a fifo's, while open */
	struct list locks;	    /* file locks (fs/lock.c) */
	struct xattrs *xattrs; /* of a tree that keeps them in memory (fs/xattr.c); NULL: none */
	struct acl *acl, *default_acl; /* access lists (acl.h); NULL: none */
	struct hlist watches;	       /* who is told what happens to it (fs/inotify.c) */
	atomic_t writers; /* opened for writing, or (negative) being executed: node_write_begin() and friends */
	/* A symbolic link whose target never changes: its text, kmalloc'ed, freed with the node. The walk then follows it
	 * without locks. NULL: ask readlink. */
	const char *link_text;
	struct rcu_head rcu;
	unsigned int flags; /* NODE_* */
	u8 write_hint;	    /* RWH_* of F_SET_RW_HINT */
	u32 seals;	    /* F_SEAL_* that a tree of files in memory keeps to; under lock */
	bool attr_dirty; /* the core changed attr since node_attr_clean(): see tree_ops.attr_changed */
	u8 index_state; /* NODE_INDEX_*, under tree->nodes_lock */
	u16 list_cpu;	/* whose list tree_link is in, of a tree with TREE_LISTED */
	u32 unstable; /* tree->write_epoch of the last change that an instance has acknowledged; 0: made stable since */
	struct list tree_link;
};
enum {
	NODE_DEAD = 1 /* unlinked, no more names */,
	NODE_LINKABLE = 4 /* made by O_TMPFILE: link may give it its first name */,
	NODE_LEASED = 8 /* somebody has, or had, a lease on it (fs/lease.c) */,
	NODE_NOTIFIES = 16 /* of a directory: F_NOTIFY was asked for (fs/dnotify.c) */,
	NODE_STALE = 32 /* no instance knows it any more: -ESTALE; private is NULL */,
	NODE_UNBOUND = 64 /* no instance has it now: private is NULL (fs/rebind.c) */
};
/* Where a node is in its tree's index of identities (fs/node_index.c). */
enum {
	NODE_INDEX_NONE,    /* not in it: the tree has its own way to find nodes */
	NODE_INDEX_FILLING, /* node_obtain() made it; node_ready() is still to come */
	NODE_INDEX_READY,
	NODE_INDEX_FAILED, /* could not be filled; out of the index again */
	NODE_INDEX_UNBOUND /* to be filled by a new instance: node_obtain() gives it out as fresh */
};

/*
 * The receiver of directory entries: add() returns false when it is full; the entry is then not consumed. "." and ".."
 * come first, from dir_emit_dots() (file.h), at offsets 0 and 1; a tree's own entries have offsets from 2 on. readdir
 * sets context->offset to where the next call goes on.
 */
struct dir_context {
	bool (*add)(struct dir_context *context, const char *name, u32 length, u64 next_offset,
		    u64 id, u32 type /* DT_* */);
	loff_t offset; /* where to go on: 0 first; opaque to the core */
};
/* Kinds of directory entries, as getdents64(2) gives them: the S_IF bits of the mode, shifted. */
enum {
	DT_UNKNOWN = 0,
	DT_FIFO = 1,
	DT_CHR = 2,
	DT_DIR = 4,
	DT_BLK = 6,
	DT_REG = 8,
	DT_LNK = 10,
	DT_SOCK = 12
};

struct statfs_info {
	u64 type, block_size, blocks, free_blocks, available_blocks, files, free_files, name_max, flags;
	u64 id;
};

/* Who is told of names that are likely to be asked for next (tree_ops.walk_ahead). */
struct walk_ahead {
	/* The name of the directory leads to the node, whose attributes are as walk has them. Takes the node over. */
	void (*learn)(struct walk_ahead *ahead, const struct name *name, struct node *node);
};

struct tree_ops {
	/* Attach an instance to `tree` (tree->source, tree->options as mount(2) gave them; options NULL when none): sets
	 * tree->root (a node from node_alloc, whose reference is the core's then) and tree->private. detach releases that
	 * when the last mount and file are gone. */
	int (*attach)(struct tree *tree, const struct cred *cred);
	/* The last mount is gone: lets go of nodes that the instance itself holds. Then the core lets go of the root, and
	 * calls detach. Absent: it holds none. */
	void (*unmounted)(struct tree *tree);
	void (*detach)(struct tree *tree);
	int (*statfs)(struct tree *tree, struct statfs_info *info);
	int (*sync)(struct tree *tree); /* makes everything stable: sync(2) */
	int (*remount)(struct tree *tree, const char *options); /* takes new options */
	/* fstrim(8): tells the device which bytes of [start, start + length) nobody uses, in pieces of `least` or more; *trimmed: how
	 * many. -EOPNOTSUPP: the device does not want to know; -EINVAL: nothing is there. Absent: -ENOTTY. */
	int (*trim)(struct tree *tree, u64 start, u64 length, u64 least, u64 *trimmed);

	/* Names. walk: descends from `dir` along names[0..count), as far as it can, storing a referenced node for each element
	 * reached (attributes fresh, with believe_until_ns). Returns how many (>0), or a negative errno for the first
	 * element (-ENOENT: no such name; the core may cache that as long as *negative_until_ns says, 0 by default).
	 * No element is "." or "..". It stops after a symbolic link. */
	int (*walk)(struct node *dir, const struct name *names, unsigned int count,
		    struct node **nodes, u64 *negative_until_ns, const struct cred *cred);
	/* A walk has found `name` in `dir`: may tell of other names there that are likely to be asked for next, where asking for many at once
	 * is cheaper than for one after the other. Absent: it tells of none. */
	void (*walk_ahead)(struct node *dir, const struct name *name, struct walk_ahead *ahead,
			   const struct cred *cred);
	/* Makes what->mode says; stores a referenced node. -EEXIST. */
	int (*create)(struct node *dir, const struct name *name, const struct node_new *what,
		      struct node **node, const struct cred *cred);
	/* The same without a name, and without links: O_TMPFILE. Absent: -EOPNOTSUPP. */
	int (*create_unnamed)(struct node *dir, const struct node_new *what, struct node **node,
			      const struct cred *cred);
	int (*link)(struct node *dir, const struct name *name, struct node *node,
		    const struct cred *cred);
	int (*unlink)(struct node *dir, const struct name *name, struct node *node, bool directory,
		      const struct cred *cred);
	/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT (leaves a device 0:0 at the old name); `replaced` is what stands at the new name, or NULL. */
	int (*rename)(struct node *old_dir, const struct name *old_name, struct node *node,
		      struct node *new_dir, const struct name *new_name, struct node *replaced,
		      unsigned int flags, const struct cred *cred);
	/* The target's text into buffer (not NUL-terminated): its length, or negative. */
	ssize_t (*readlink)(struct node *node, char *buffer, size_t size, const struct cred *cred);
	/* A link whose target is an object, not a name (/proc/PID/exe, fd/N): fills *path (referenced). Optional. */
	int (*follow)(struct node *node, struct path *path, const struct cred *cred);

	/* Attributes. getattr refreshes node->attr. setattr has been checked for permission already; updates node->attr. */
	int (*getattr)(struct node *node, const struct cred *cred);
	int (*setattr)(struct node *node, const struct attr_change *change, const struct cred *cred);
	/* FS_IOC_SETFLAGS, as chattr(1) asks for it: attr.flags becomes what the tree can keep of `flags`. node->lock held; who may do so
	 * the core has looked at, and it enforces them. -EOPNOTSUPP: for flags that it does not know. Absent: there are none. */
	int (*set_flags)(struct node *node, u32 flags);
	/* Access check where the tree has its own rules; absent: mode bits. mask: MAY_*. */
	int (*permission)(struct node *node, int mask, const struct cred *cred);
	/* Does the tree allow the current thread all the same what mode bits and capabilities deny? Absent: no. */
	bool (*permits)(struct node *node, int mask);

	/* Extended attributes (xattr.h), by whole name; node->lock held. get: the length, with size 0 nothing else; -ENODATA,
	 * -ERANGE. set: value NULL removes; flags XATTR_CREATE, XATTR_REPLACE. list: names with their NULs; those that begin
	 * "trusted." only if wanted. Absent: -EOPNOTSUPP, and an empty list. */
	ssize_t (*xattr_get)(struct node *node, const char *name, void *value, size_t size);
	int (*xattr_set)(struct node *node, const char *name, const void *value, size_t size, int flags);
	ssize_t (*xattr_list)(struct node *node, char *list, size_t size, bool trusted);

	/* Open files. open may put its own state in file->private, or redirect file->ops; or give another open file to be had
	 * instead: OPEN_INSTEAD, and a reference to that in file->private. clunk: the last reference went. */
	int (*open)(struct file *file, const struct cred *cred);
	void (*clunk)(struct file *file);
	int (*flush)(struct file *file); /* each close(2) of a descriptor */
	ssize_t (*read)(struct file *file, struct iter *to, loff_t *pos);
	ssize_t (*write)(struct file *file, struct iter *from, loff_t *pos);
	bool can_nowait; /* read and write look at iter->nowait, or never wait; Linux's files in memory cannot */
	int (*readdir)(struct file *file, struct dir_context *context);
	loff_t (*seek)(struct file *file, loff_t offset, int whence);
	u32 (*poll)(struct file *file, struct poll_table *table); /* POLL* that hold now */
	void (*show_info)(struct file *file, struct text *text); /* more lines of /proc/PID/fdinfo/N */
	long (*ioctl)(struct file *file, unsigned int command, unsigned long argument);
	int (*mmap)(struct file *file, struct vma *vma);
	int (*fsync)(struct file *file, bool data_only);
	int (*fallocate)(struct file *file, int mode, u64 offset, u64 length);

	/*
	 * The page cache (pagecache.h), for a tree that keeps the bytes of its files somewhere else; without read_pages they are
	 * in the cache alone, and a page that is not there is a hole of zeros.
	 *
	 * read_pages fills pages, locked and consecutive by index, each within the file at least in part; what lies behind the
	 * file's end becomes zero. The tree ends each by page_read_done(), in any order, perhaps before it returns. May sleep.
	 */
	void (*read_pages)(struct node *node, struct page **pages, unsigned int count);
	/* Writes consecutive pages, which are marked PG_WRITEBACK, and ends each by page_write_done(). May sleep. */
	void (*write_pages)(struct node *node, struct page **pages, unsigned int count);
	/* Pages are about to become dirty, by write(2) (node->lock held) or a store through a mapping (not held): takes room for
	 * them, as much as who writes may have. -ENOSPC, -EDQUOT, -EIO, -EINTR. Absent: there is always room. */
	int (*reserve_pages)(struct node *node, u64 index, unsigned int count, const struct cred *cred);
	/* O_DIRECT: past the cache, which has been written back and emptied for the range. node->lock held for a write. The bytes
	 * moved, or -EINVAL for what is not aligned as the tree needs it. Absent: no O_DIRECT. */
	ssize_t (*direct)(struct file *file, struct iter *iter, loff_t pos, bool write);
	/* Where the bytes lie, of a tree that has block_read_pages and its like (block_pages.h) for these three. */
	const struct block_map_ops *block_map;
	/* The core changed node->attr by itself (times, size) for the first time since node_attr_clean(). Does not wait; node->lock
	 * perhaps held. */
	void (*attr_changed)(struct node *node);

	/* Somebody who was killed has waited for the tree's server for long: what it was asked for, and what it will be, ends with -EIO.
	 * Does not wait. May come more than once. Absent: the tree answers always. */
	void (*give_up)(struct tree *tree);

	/* The core lets go of a node: release node->private, and the file itself if it has no links any more. Called once, may
	 * sleep. */
	void (*forget)(struct node *node);

	/*
	 * Rebinding (rebind.h): another instance is going to serve the tree. Nobody is inside.
	 *
	 * handover: what the instance leaves to the next; detach comes then and lets go of the rest. Absent: nothing.
	 * release: lets go of node->private alone; the file stays, whether it has links or not. Absent, and without handover: the
	 * instance cannot be replaced.
	 * find: the node of a file that others hold, by identity: of a tree that uses node_obtain() that very node, filled; else a new
	 * one. ERR_PTR(-ESTALE): there is none any more. Absent, or -EOPNOTSUPP: files are found by walking to their names.
	 */
	int (*handover)(struct tree *tree, struct handover *handover);
	void (*release)(struct node *node);
	struct node *(*find)(struct tree *tree, u64 id, u32 generation, const struct cred *cred);
	/* Frees tree->kept, which outlives instances: the tree itself goes. */
	void (*unkeep)(void *kept);
};

enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
#define OPEN_INSTEAD 1

/* A served tree. */
struct tree {
	const struct tree_type *type;
	const struct tree_ops *ops;
	refcount_t refs; /* of its mounts, which paths and open files hold; nodes live no longer than the tree */
	u64 device; /* st_dev */
	char *source, *options;
	struct node *root;
	struct entry *root_entry; /* the name cache's, made after attach */
	void *private;
	struct block_device *block_device; /* of TREE_TYPE_NEEDS_DEVICE: open, and claimed by the tree */
	struct mutex rename_lock;	   /* directory renames within the tree, one at a time */
	unsigned int flags;
	struct list all_link;
	u32 magic; /* statfs f_type */
	/* How many changes of names the core has begun and finished: equal and unmoved, and what a walk of many elements
	 * found may be cached. */
	atomic64_t changes_begun, changes_done;
	/* Nodes by identity, of a tree that uses node_obtain(). */
	struct xarray nodes;
	spinlock_t nodes_lock;
	struct writeback *writeback; /* of its dirty pages (writeback.h); NULL: files live in the cache alone */
	/* Rebinding (rebind.h) */
	u32 state;		   /* enum tree_state */
	struct tree_cpu *cpus;	   /* of each CPU: who is inside, what is open */
	struct tree_gate *gate;	   /* of fs/gate.c */
	struct handover *handover; /* for attach(): what a predecessor left */
	const struct cred *cred;   /* who attached it: a lost one is attached anew on his behalf */
	void *kept; /* what an instance leaves to all that follow, lost or not (the way to a server): tree_ops.unkeep() */
	bool rebinding; /* another instance comes to serve a tree that is in use */
	bool detached;	/* there is no instance: its attach() failed */
	/* Changes that are acknowledged bear the first; what bears no more than the second is stable. */
	u32 write_epoch, stable_epoch;
	u64 retry_ns, lost_wait_ns; /* set by attach() */
};
/* Who may call the instance. */
enum tree_state {
	TREE_UNGATED, /* a tree of the core's own, never replaced: nobody is counted */
	TREE_SERVED,
	TREE_CLOSED, /* being replaced: who comes waits */
	TREE_LOST,   /* the instance cannot serve: who comes waits for another */
	TREE_DEAD    /* there will be none: -EIO */
};
enum {
	TREE_NO_CACHE_NAMES = 1, /* names may change behind the core (proc): walk each time */
	TREE_READ_ONLY = 2,
	TREE_NEGATIVE_FOREVER = 4, /* absence may be cached until the core itself creates the name */
	TREE_SEALS = 16,	   /* keeps to node->seals */
	TREE_ACL = 32, /* has access lists: with nodes in memory alone, or the tree stores what create and setattr tell it */
	TREE_NAMES_FIXED = 128, /* who wants to make a name hears that there is none (-ENOENT): /proc */
	TREE_WALK_MANY = 8, /* walks cost a round trip: the core asks for as many elements at once as it can */
	/* What the instance has answered is stable, or outlives it: nothing is lost with it. Else data that was written since the last
	 * fsync is reported as lost (EIO at fsync) when the instance is. */
	TREE_STABLE_ANSWERS = 256,
	TREE_LISTED = 64, /* the core's: its nodes and open files are in lists, so that another instance may serve them */
	/* Names that differ in the case of ASCII letters alone are one. A file may have names besides (FAT's short ones): what walk
	 * found under such a one has believe_until_ns 0, and the core keeps to the name that it knows the file by. */
	TREE_FOLDS_CASE = 512,
};

/* A kind of tree that mount(2) knows by name. */
struct tree_type {
	const char *name;
	const struct tree_ops *ops;
	struct module *owner;
	unsigned int flags; /* TREE_TYPE_* */
	struct list link;
	struct tree *single; /* the core's: the one tree of TREE_TYPE_SINGLE */
};
enum {
	/* `source` names a block device: the core opens it, tree->block_device, before attach. Mounted again, it is the same
	 * tree. */
	TREE_TYPE_NEEDS_DEVICE = 1,
	TREE_TYPE_SINGLE = 2, /* one tree, however often it is mounted */
	TREE_TYPE_FOR_ALL = 4 /* who has no privilege may mount it in a namespace of his own: nosuid, nodev */
};

int tree_type_register(struct tree_type *type) __must_check; /* -EEXIST */
/* No new mounts when it returns; the type is pinned by its mounts, which hold its module. */
void tree_type_unregister(struct tree_type *type);
/* By name, loading module "fs-NAME" when it is not there; its owner is pinned until tree_type_put. -ENODEV. */
struct tree_type *tree_type_get(const char *name);
void tree_type_put(struct tree_type *type);

/* Makes a tree of the type and attaches it; ERR_PTR. One reference. */
struct tree *tree_attach(struct tree_type *type, const char *source, const char *options,
			 const struct cred *cred);
/* The same, and (MS_RDONLY) nothing shall be written: the tree finds TREE_READ_ONLY set. Of a type that needs a device:
 * ERR_PTR(-ENOENT, -ENOTBLK, -EACCES, -ENXIO, -EBUSY) as mount(2). */
struct tree *tree_attach_read_only(struct tree_type *type, const char *source, const char *options,
				   const struct cred *cred);
static inline void tree_get(struct tree *tree)
{
	refcount_inc(&tree->refs);
}
void tree_put(struct tree *tree);
/* The attached tree of that device number (st_dev), with a reference; NULL: none. Sleeps. */
struct tree *tree_find(u64 device);
/* What statfs(2) tells, with defaults for a tree that does not say. */
int tree_statfs(struct tree *tree, struct statfs_info *info) __must_check;
/* Calls each(type, context) for every registered type, until it returns false: /proc/filesystems. */
void tree_types_each(bool (*each)(const struct tree_type *type, void *context), void *context);
/* Writes back what a tree, or all, have not made stable: syncfs(2), sync(2). The first error. */
int tree_sync(struct tree *tree) __must_check;
int trees_sync(void);

/* For implementations: a new node of a tree, one reference, attr as given (copied), ops the tree's; NULL: no memory. */
struct node *node_alloc(struct tree *tree, const struct attr *attr, void *private) __must_check;
static inline struct node *node_get(struct node *node)
{
	refcount_inc(&node->refs);
	return node;
}
void node_put(struct node *node); /* may sleep */
/*
 * The one node of the tree with this identity, with a reference. It is there already, or *fresh is set: then all of attr is zero
 * but the id, and the caller, who may read it from somewhere, fills in attr, private and link_text and then calls
 * node_ready(); others who want the node wait for that. One that is being let go is waited for. ERR_PTR(-ENOMEM, -EINTR).
 */
struct node *node_obtain(struct tree *tree, u64 id, bool *fresh) __must_check;
/* The node with this identity if it is there and filled, with a reference; else NULL. Does not wait. */
struct node *node_find(struct tree *tree, u64 id) __must_check;
/* The node is filled, or (error) is not to be had: forget will not be called, and the caller puts its reference. */
void node_ready(struct node *node, int error);
/* The instance holds the node for itself (a journal's, say): it goes with the instance, and is never another's. */
void node_set_internal(struct node *node);
/* attr is taken over by the tree, to be made stable: false if it was clean. Before the tree reads attr. */
static inline bool node_attr_clean(struct node *node)
{
	return __atomic_exchange_n(&node->attr_dirty, false, __ATOMIC_SEQ_CST);
}
/* attr was changed: the tree is told, if it wants to know. After the change. Does not wait. */
void node_attr_changed(struct node *node);
u64 tree_next_id(void); /* a fresh identity, unique in the machine's life */
struct page_cache *node_page_cache(struct node *node) __must_check; /* made at first use; NULL: no memory */

/* Sizes of 8 bytes are read whole on x86-64; writers hold node->lock. */
static inline u64 node_size(const struct node *node)
{
	return READ_ONCE(node->attr.size);
}
static inline void node_set_size(struct node *node, u64 size)
{
	WRITE_ONCE(node->attr.size, size);
}
void node_touch(struct node *node, bool access, bool modify, bool change); /* times := now */
int node_permission(struct node *node, int mask, const struct cred *cred); /* 0, -EACCES */
extern int protected_symlinks, protected_hardlinks;			   /* /proc/sys/fs/ */
/* setattr on behalf of chmod, chown, truncate, utimes: checks permission, applies Linux's rules on set-id bits, calls
 * the tree. Takes node->lock. -EPERM, -EACCES, -EROFS is the caller's business (it knows the mount). */
int node_setattr(struct node *node, struct attr_change *change, const struct cred *cred) __must_check;
/* Stores a change into node->attr: the whole of setattr for a tree that keeps its attributes nowhere else. */
void node_setattr_copy(struct node *node, const struct attr_change *change);
u64 node_blocks(const struct node *node); /* st_blocks; under rcu_read_lock() or with a reference */
/* Asks the tree where the attributes held are no longer to be believed. */
int node_getattr(struct node *node, const struct cred *cred) __must_check;
/* May `cred` do what owners may (or has CAP_FOWNER)? */
bool node_owner_or_capable(const struct node *node, const struct cred *cred);
/* Marks that chattr(1) leaves on files, which not even root may pass: i, nothing changes; a, bytes and names are only added. */
static inline bool node_is_immutable(const struct node *node)
{
	return unlikely(READ_ONCE(node->attr.flags) & FS_IMMUTABLE_FL);
}
static inline bool node_is_append_only(const struct node *node)
{
	return unlikely(READ_ONCE(node->attr.flags) & FS_APPEND_FL);
}

/* A file is either open for writing or being executed: -ETXTBSY from whoever comes second. */
int node_write_begin(struct node *node) __must_check;
void node_write_end(struct node *node);
int node_deny_write(struct node *node) __must_check;
void node_allow_write(struct node *node);

/* Eight bytes at a time; the tail is read without passing the end. */
static inline u64 name_word(const char *text, u32 length)
{
	u64 a = 0;
	u32 low, high;

	if (length >= 8) {
		__builtin_memcpy(&a, text, 8);
		return a;
	}
	if (length >= 4) {
		__builtin_memcpy(&low, text, 4);
		__builtin_memcpy(&high, text + length - 4, 4);
		return (u64)high << 32 | low;
	}
	if (!length)
		return 0;
	return (u64)(u8)text[0] | (u64)(u8)text[length >> 1] << 8 | (u64)(u8)text[length - 1] << 16;
}
/* Of all bits but the one in which a capital letter differs from a small one: a tree may take them for the same (TREE_FOLDS_CASE). */
#define NAME_HASHED_BITS 0xdfdfdfdfdfdfdfdfULL
static inline u32 name_hash(const char *text, u32 length)
{
	u64 hash = length;

	for (; length > 8; text += 8, length -= 8) {
		hash = (hash ^ (name_word(text, 8) & NAME_HASHED_BITS)) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	hash = (hash ^ (name_word(text, length) & NAME_HASHED_BITS)) * 0x9e3779b97f4a7c15ULL;
	/* Every bit of the word reaches the product's top byte, few reach its middle: the table takes low bits, so that comes first. */
	return __builtin_bswap32((u32)(hash >> 32));
}
static inline bool name_equal(const struct name *name, const char *text, u32 length)
{
	const char *mine = name->text;

	if (name->length != length)
		return false;
	for (; length > 8; mine += 8, text += 8, length -= 8)
		if (name_word(mine, 8) != name_word(text, 8))
			return false;
	return name_word(mine, length) == name_word(text, length);
}
static inline struct name name_make(const char *text, u32 length)
{
	return (struct name){ .text = text, .length = length, .hash = name_hash(text, length) };
}

#endif
