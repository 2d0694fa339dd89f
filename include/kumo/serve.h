/*
 * Calling the instance that serves a tree: the core's one way into tree_ops, for fs/, mm/ and system calls. Each call passes the
 * tree's gate (fs/gate.c), waits when there is no instance, and is repeated on the next one as far as that is right (rebind.h).
 * The functions of fs/serve.c are named after the operations; what each needs held is said there (tree.h).
 *
 * To enter writes nothing that CPUs share: a count of this CPU's. The calls are counted, not the threads: an operation that comes
 * back into the core, and from there into the same instance, is let in (it has a visit), also while the gate is closed.
 */
#ifndef KUMO_SERVE_H
#define KUMO_SERVE_H

#include <kumo/block_pages.h>
#include <kumo/file.h>
#include <kumo/rebind.h>
#include <kumo/thread.h>

/* What a CPU has of a tree. */
struct tree_cpu {
	long inside; /* calls that came in less those that left here; the sum over all CPUs counts */
	long writers; /* likewise: files open for writing, through whatever mount and namespace */
	spinlock_t lock;
	struct list nodes, files; /* of a tree with TREE_LISTED; under lock */
} __cacheline_aligned;

/* The gate is not open: waits, killably, or (nowait) gives -EAGAIN. -EIO: there will be no instance any more, or none came in
 * time; -EINTR. */
int tree_enter_slow(struct tree *tree, struct tree_visit *visit, bool nowait) __must_check;
/* Comes in to let go of something: a lost instance lets that happen, as long as none comes to take its place. */
bool tree_enter_lost(struct tree *tree, struct tree_visit *visit) __must_check;
/* Waits until the tree is served again, or never will be: for who let go of what others need before. 0, -EINTR, -EIO. */
int tree_wait_served(struct tree *tree) __must_check;
bool tree_is_inside(const struct tree *tree); /* the current thread is in a call of its instance */
bool tree_is_losing(const struct tree *tree); /* its instance is lost, whatever the state of the gate */
void tree_left(struct tree *tree);	      /* somebody may wait for the last to leave */

static __always_inline void tree_visit_begin(struct tree *tree, struct tree_visit *visit, bool counted)
{
	visit->tree = tree;
	visit->counted = counted;
	visit->outer = current->visit;
	current->visit = visit;
}

/* Counts the caller in. No quiescent state of RCU lies between the look and the count: who closes the gate waits for one. */
static __always_inline __must_check bool tree_enter_in(struct tree *tree, struct tree_visit *visit,
						       enum tree_state state)
{
	struct tree_cpu *cpu;

	if (unlikely(READ_ONCE(tree->state) != state))
		return false;
	cpu = &tree->cpus[smp_processor_id()];
	WRITE_ONCE(cpu->inside, cpu->inside + 1);
	tree_visit_begin(tree, visit, true);
	return true;
}

static __always_inline __must_check bool tree_enter_fast(struct tree *tree, struct tree_visit *visit)
{
	return tree_enter_in(tree, visit, TREE_SERVED);
}

static __always_inline __must_check int tree_enter(struct tree *tree, struct tree_visit *visit)
{
	return likely(tree_enter_fast(tree, visit)) ? 0 : tree_enter_slow(tree, visit, false);
}

/* For who must not wait: -EAGAIN, -EIO. */
static __always_inline __must_check int tree_enter_nowait(struct tree *tree, struct tree_visit *visit)
{
	return likely(tree_enter_fast(tree, visit)) ? 0 : tree_enter_slow(tree, visit, true);
}

static __always_inline void tree_leave(struct tree_visit *visit)
{
	struct tree *tree = visit->tree;
	struct tree_cpu *cpu;

	current->visit = visit->outer;
	if (unlikely(!visit->counted))
		return;
	cpu = &tree->cpus[smp_processor_id()];
	WRITE_ONCE(cpu->inside, cpu->inside - 1);
	if (unlikely(READ_ONCE(tree->state) != TREE_SERVED))
		tree_left(tree);
}

bool tree_leave_lost(struct tree_visit *visit) __must_check;
/* Leaves with what the operation returned: true: the instance is lost, ask the next one. False, with -ETREELOST, for a call that was
 * made from within the instance: that is for the outer one. */
static __always_inline __must_check bool tree_leave_again(struct tree_visit *visit, long result)
{
	if (unlikely(result == -ETREELOST))
		return tree_leave_lost(visit);
	tree_leave(visit);
	return false;
}

/* tree_enter() for an operation on a node: -ESTALE, too: no instance knows it any more. */
static __always_inline __must_check int node_enter(struct node *node, struct tree_visit *visit)
{
	int error = tree_enter(node->tree, visit);

	if (unlikely(!error && node->flags & NODE_STALE)) {
		tree_leave(visit);
		error = -ESTALE;
	}
	return error;
}

/*
 * Names. The directories' node->lock is held. With `stay`, who was successful (walk: more than 0; else 0) is still inside, and leaves
 * when the name cache knows it, too: another instance finds files by what stands there.
 */
int serve_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
	       u64 *negative_until_ns, const struct cred *cred, struct tree_visit *stay) __must_check;
/* After serve_walk(), of who has stayed. */
void serve_walk_ahead(struct node *dir, const struct name *name, struct walk_ahead *ahead,
		      const struct cred *cred);
int serve_create(struct node *dir, const struct name *name, const struct node_new *what,
		 struct node **node, const struct cred *cred, struct tree_visit *stay) __must_check;
int serve_create_unnamed(struct node *dir, const struct node_new *what, struct node **node,
			 const struct cred *cred) __must_check;
int serve_link(struct node *dir, const struct name *name, struct node *node,
	       const struct cred *cred, struct tree_visit *stay) __must_check;
int serve_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		 const struct cred *cred) __must_check;
int serve_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		 struct node *new_dir, const struct name *new_name, struct node *replaced,
		 unsigned int flags, const struct cred *cred, struct tree_visit *stay) __must_check;
ssize_t serve_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred) __must_check;
int serve_follow(struct node *node, struct path *path, const struct cred *cred) __must_check;

/* Attributes. */
int serve_getattr(struct node *node, const struct cred *cred) __must_check;
int serve_setattr(struct node *node, const struct attr_change *change, const struct cred *cred);
int serve_set_flags(struct node *node, u32 flags) __must_check;
int serve_permission(struct node *node, int mask, const struct cred *cred) __must_check;
bool serve_permits(struct node *node, int mask); /* false, too, when there is no instance */
ssize_t serve_xattr_get(struct node *node, const char *name, void *value, size_t size) __must_check;
int serve_xattr_set(struct node *node, const char *name, const void *value, size_t size,
		    int flags) __must_check;
ssize_t serve_xattr_list(struct node *node, char *list, size_t size, bool trusted) __must_check;

/* Open files, whoever serves them (FILE_SERVED: the tree's instance). */
int serve_open(struct file *file,
	       const struct cred *cred) __must_check; /* of the tree; the file is FILE_SERVED then */
int serve_flush(struct file *file) __must_check;
ssize_t serve_read(struct file *file, struct iter *to, loff_t *pos) __must_check;
ssize_t serve_write(struct file *file, struct iter *from, loff_t *pos) __must_check;
ssize_t serve_direct(struct file *file, struct iter *iter, loff_t pos, bool write) __must_check;
int serve_readdir(struct file *file, struct dir_context *context) __must_check;
loff_t serve_seek(struct file *file, loff_t offset, int whence) __must_check;
u32 serve_poll(struct file *file, struct poll_table *table);
void serve_show_info(struct file *file, struct text *text);
long serve_ioctl(struct file *file, unsigned int command, unsigned long argument) __must_check;
int serve_mmap(struct file *file, struct vma *vma) __must_check;
int serve_fsync(struct file *file, bool data_only) __must_check;
int serve_fallocate(struct file *file, int mode, u64 offset, u64 length) __must_check;
/* Where bytes of a file lie on the tree's block device (block_map_ops): what is there, nothing is allocated. */
int serve_extent(struct node *node, u64 offset, u64 length, struct block_extent *extent) __must_check;

/* The tree. */
int serve_statfs(struct tree *tree, struct statfs_info *info) __must_check;
int serve_trim(struct tree *tree, u64 start, u64 length, u64 minimum, u64 *trimmed) __must_check;
int serve_sync(struct tree *tree) __must_check; /* what is in the page cache, too */
int serve_remount(struct tree *tree, const char *options) __must_check;

/* The page cache. The caller is inside already where pages are locked or marked (node_enter): none is held while waiting. */
int serve_reserve_pages(struct node *node, u64 index, unsigned int count, bool nowait,
			const struct cred *cred) __must_check;

#endif
