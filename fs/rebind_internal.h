/* Between the files about the gate of a tree and the replacement of its instance (gate.c, serve.c, rebind.c, rebind_control.c). */
#ifndef FS_REBIND_INTERNAL_H
#define FS_REBIND_INTERNAL_H

#include <kumo/file.h>
#include <kumo/rebind.h>
#include <kumo/wait.h>
#include <kumo/work.h>

/* Locks: `replacing` is outside all of the core's but mounts_lock, which is taken in it; `lock` is a leaf, interrupts off. */
struct tree_gate {
	struct tree *tree;
	spinlock_t lock; /* tree->state, and what follows to the queues */
	bool lost;	 /* what is attached cannot serve */
	bool ends;	 /* nobody holds the tree: there will be no other instance */
	u64 lost_ns;	 /* monotonic: since when; 0: it is not */
	struct rcu_head *late_nodes; /* whose last reference went while there was no instance: by their rcu.next */
	struct file *late_files;   /* the same, by next_late */
	struct wait_queue outside; /* who waits to come in */
	struct wait_queue drained; /* who waits for all to have left */
	struct mutex replacing;	   /* one replacement at a time */
	u64 replacements;	   /* that went well; under replacing */
	struct list renames;	   /* whose answer did not come; under lock */
	u64 rename_count;
	struct delayed_work retry;
	u64 retry_wait_ns; /* until the next try */
	bool retrying;	   /* one is under way */
	struct work retried; /* lets go of the tree that a try has held: the last who does waits for tries to end */
};

/* ---- gate.c ---- */

int tree_gate_make(struct tree *tree) __must_check; /* -ENOMEM; tree_gate_free() in any case */
void tree_gate_free(struct tree *tree);
/* Keeps out who comes, and waits for those inside: 0; -EBUSY: they did not come out in time; -EINTR; -EIO: the tree is dead. Then
 * tree_gate_open(), in any case. */
int tree_gate_close(struct tree *tree, u64 timeout_ns) __must_check;
/* The instance that is attached (unless gate->lost) serves; what was put off is done. */
void tree_gate_open(struct tree *tree);
/* Files that were closed while the gate was: their instance hears of it now. Whoever calls is inside, or the gate is open. */
void tree_release_late_files(struct tree *tree);

/* The tree's last reference went: a lost one is dead now. */
void tree_gate_end(struct tree *tree);

/* A node's last reference went, and the instance cannot be told: it is put again later. */
void node_put_late(struct node *node);
/* Likewise for an open file's clunk; false: the gate is open now. */
bool file_release_late(struct file *file) __must_check;
void file_release_served(struct file *file); /* file.c: the clunk, and the rest */

/* In and out of the lists of a tree with TREE_LISTED. */
void node_list(struct node *node);
void node_unlist(struct node *node);
void node_unlist_lock(struct node *node); /* the lock of its list: around making a reference where there was none */
void node_unlist_unlock(struct node *node);
void file_list(struct file *file);
void file_unlist(struct file *file);

/* A rename that the instance was lost with: whoever looks for the node looks at the new name, too, until the rename is over. */
struct rename_pending {
	struct list link; /* gate->renames, oldest first */
	u64 number;
	struct node *node, *dir;
	const struct name *name;
};
void tree_rename_begin(struct tree *tree, struct rename_pending *pending);
void tree_rename_end(struct tree *tree, struct rename_pending *pending);
bool tree_has_renames(const struct tree *tree);
struct rename_look {
	struct node *node, *dir; /* referenced */
	struct name name;	 /* `text` */
	char text[NAME_MAX_LENGTH];
};
/* The next one after that number, which moves on. False: there is none. */
bool tree_rename_next(struct tree *tree, u64 *after, struct rename_look *look) __must_check;

/* ---- rebind.c ---- */

/* Can another instance take over from this one? */
static inline bool tree_replaceable(const struct tree *tree)
{
	/* Of the core's own trees nodes and files are in no list: they can only be handed over as they are. */
	return tree->ops->handover || (tree->ops->release && tree->type->owner);
}
void tree_retry(struct work *work); /* the next try for a lost tree */
void tree_retried(struct work *work);

#endif
