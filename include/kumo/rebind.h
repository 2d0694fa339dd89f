/*
 * Rebinding (fs/gate.c, fs/serve.c, fs/rebind.c): a tree outlives the instance that serves it. Its mounts, names, cached pages,
 * nodes and open files stay, while what the module's attach() made is taken down and another attach() serves them.
 *
 * Each call of an instance's operation goes through the tree's gate. To replace an instance the gate is closed: who is inside
 * comes out, who comes waits, killably. That an instance cannot serve any more it says by tree_lost(); operations that are
 * inside it then return -ETREELOST, and wait like all others for the next one.
 *
 * What an instance must keep to, so that it can be replaced:
 *  - its operations take none of the core's locks (node->lock, page locks) beyond what functions of the core take for them;
 *  - threads of its own that call the core run in its module (kthread_run() from there), or bracket it with tree_enter_own();
 *  - all that it holds hangs on tree->private, node->private and file->private, or ends with detach().
 */
#ifndef KUMO_REBIND_H
#define KUMO_REBIND_H

#include <kumo/tree.h>

/*
 * Of an operation: the instance was lost before the answer came. The caller waits for the next instance; then
 *	walk getattr readlink permission statfs xattr_get xattr_list readdir open seek	are done again,
 *	setattr fallocate, and read, write and direct of a position			are done again (the same change twice is one),
 *	create link unlink rename xattr_set	are done again, after a look whether a first try has done it; else -EIO,
 *	sync, fsync				are done again; what is known to be lost has been noted (error_sequence.h),
 *	ioctl					gives -EIO.
 * Where doing it twice is wrong (a write to a control file), the instance returns -EIO instead. Pages: page_read_done(page,
 * -ETREELOST) has them asked for again, page_write_done(page, -ETREELOST) makes them dirty again.
 */
#define ETREELOST 530 /* never reaches user space */

/*
 * The instance cannot serve: its transport is gone, its process died. Any context; may be said more than once. From then on
 * operations wait, and the instance gets only what lets go of its state: release(), clunk(), detach(), none of which waits for a server.
 * Operations that it has inside it must come back soon, with -ETREELOST.
 *
 * With tree->retry_ns (set by attach) the core calls attach() anew, at once and then in intervals from retry_ns on, doubled up to 64
 * times that, until one succeeds; else, or when that is hopeless, somebody says `replace` (fs/mounts/ID/ctl of /sys). With
 * tree->lost_wait_ns operations wait so long, then they give -EIO ("soft"); 0: for ever.
 */
void tree_lost(struct tree *tree);
static inline bool tree_is_lost(const struct tree *tree)
{
	return READ_ONCE(tree->state) == TREE_LOST;
}

/* How a replacement is made; zero: another instance of the same kind, on the same thing, as it was mounted. */
struct tree_replacement {
	struct tree_type *type; /* referenced by the caller; of the same form: its identities mean the same */
	const char *source, *options;
	u64 timeout_ns; /* for those inside to come out; 0: 30 s */
};
/*
 * Replaces the instance: drains, makes stable (unless it is lost), has state handed over or opens everything anew, and lets
 * operations go on. When it returns no thread is inside the old instance, and its module is not in use by the tree.
 * 0; or, and the old one goes on: -EOPNOTSUPP (it cannot be replaced), -EBUSY (who is inside did not come out in time, or another
 * replacement is under way), -EINTR, what attach() or sync() said. Should it not be able to go on, the tree is lost. Sleeps.
 */
int tree_replace(struct tree *tree, const struct tree_replacement *how,
		 const struct cred *cred) __must_check;
/* Nobody will serve the tree any more: all operations, also those that wait, give -EIO. For what is lost: umount2(MNT_FORCE). */
void tree_give_up(struct tree *tree);

/*
 * What an instance leaves to its successor, which finds it in tree->handover when its attach() is called (NULL: there was none, or
 * it left nothing). A successor that does not know the layout returns -EINVAL; then the old one's attach() gets it back.
 */
struct handover {
	const char *layout; /* says what `state` is, and its version */
	void *state;	    /* the taker's from then on: it sets it to NULL */
	/* node->private and file->private of all stay as they are: nothing is opened anew, and attach() leaves tree->root alone. */
	bool whole;
};

/* From attach() on, for a tree that has nodes and open files already, until these have been found: what nobody seems to use may be
 * in use. */
static inline bool tree_is_rebinding(const struct tree *tree)
{
	return tree->rebinding;
}

/* A thread of the instance's, which is not of its module (a worker), calls the core on behalf of the tree: it is never kept out,
 * and not waited for; the instance's detach() sees to it that it has ended. */
struct tree_visit {
	struct tree *tree;
	struct tree_visit *outer;
	bool counted;
};
void tree_enter_own(struct tree *tree, struct tree_visit *visit);
void tree_leave_own(struct tree_visit *visit);

#endif
