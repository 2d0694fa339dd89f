/*
 * Nodes by identity: of a tree whose files are somewhere else (a disk, another machine) there must be one node for each
 * file, however many names lead to it. tree->nodes has those that are there, being filled, or being let go.
 *
 * A node counts no reference for being in the index. Who finds one whose last reference is gone waits until it has left: what
 * forget writes back must be there before the file is read again.
 */
#include <kumo/export.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/wait.h>

#include "internal.h"

#define WAIT_QUEUES 16

static struct wait_queue wait_queues[WAIT_QUEUES]; /* for nodes that are filled or let go, by identity */

static inline struct wait_queue *queue_of(u64 id)
{
	return &wait_queues[hash_u64(id) % WAIT_QUEUES];
}

void node_index_init(void)
{
	for (unsigned int i = 0; i < WAIT_QUEUES; i++)
		wait_queue_init(&wait_queues[i]);
}

/* Is `node`, whose memory may have gone since, still the one with this identity? */
static bool is_leaving(struct tree *tree, u64 id, struct node *node)
{
	bool leaving;

	spin_lock(&tree->nodes_lock);
	leaving = xarray_load(&tree->nodes, id) == node && !refcount_read(&node->refs);
	spin_unlock(&tree->nodes_lock);
	return leaving;
}

/* What the index has for the identity, with a reference if it can be had; or puts `spare` there, if there is one. *fresh: it is
 * the caller's to fill: `spare`, or one that no instance has had since the last one went. */
static struct node *find_or_insert(struct tree *tree, u64 id, struct node *spare, bool *referenced,
				   bool *fresh)
{
	struct node *node;

	spin_lock(&tree->nodes_lock);
	node = xarray_load(&tree->nodes, id);
	*referenced = node && refcount_inc_not_zero(&node->refs);
	*fresh = *referenced && node->index_state == NODE_INDEX_UNBOUND;
	if (*fresh) {
		node->index_state = NODE_INDEX_FILLING;
	} else if (!node && spare) {
		spare->index_state = NODE_INDEX_FILLING;
		*fresh = !xarray_store(&tree->nodes, id, spare, GFP_ATOMIC);
		node = *fresh ? spare : ERR_PTR(-ENOMEM);
	}
	spin_unlock(&tree->nodes_lock);
	return node;
}

/* Waits for a node that was found, with a reference: it, or NULL (could not be filled: look again), or ERR_PTR. */
static struct node *wait_ready(struct node *node)
{
	u8 state = smp_load_acquire(&node->index_state);

	if (unlikely(state == NODE_INDEX_FILLING)) {
		if (wait_event_killable(queue_of(node->attr.id),
					smp_load_acquire(&node->index_state) != NODE_INDEX_FILLING)) {
			node_put(node);
			return ERR_PTR(-EINTR);
		}
		state = smp_load_acquire(&node->index_state);
	}
	if (likely(state == NODE_INDEX_READY))
		return node;
	node_put(node);
	return NULL;
}

/* Waits for a node without references to go: NULL (look again), or ERR_PTR. */
static struct node *wait_left(struct tree *tree, u64 id, struct node *node)
{
	int error = wait_event_killable(queue_of(id), !is_leaving(tree, id, node));

	return error ? ERR_PTR(-EINTR) : NULL;
}

struct node *node_obtain(struct tree *tree, u64 id, bool *fresh)
{
	const struct attr attr = { .id = id };
	struct node *node, *spare = NULL;
	bool referenced;

	*fresh = false;
	for (;;) {
		node = find_or_insert(tree, id, spare, &referenced, fresh);
		if (node == spare && *fresh)
			return node;
		if (IS_ERR(node) || *fresh)
			break;
		if (referenced)
			node = wait_ready(node);
		else if (node)
			node = wait_left(tree, id, node);
		else if (!spare && !(spare = node_alloc(tree, &attr, NULL)))
			node = ERR_PTR(-ENOMEM);
		if (node)
			break;
	}
	if (spare) {
		spare->index_state = NODE_INDEX_FAILED; /* nobody saw it, and it holds nothing */
		node_put(spare);
	}
	return node;
}
EXPORT_SYMBOL(node_obtain);

struct node *node_find(struct tree *tree, u64 id)
{
	struct node *node;

	spin_lock(&tree->nodes_lock);
	node = xarray_load(&tree->nodes, id);
	if (node && (node->index_state != NODE_INDEX_READY || !refcount_inc_not_zero(&node->refs)))
		node = NULL;
	spin_unlock(&tree->nodes_lock);
	return node;
}
EXPORT_SYMBOL(node_find);

void node_ready(struct node *node, int error)
{
	struct tree *tree = node->tree;
	u8 state = NODE_INDEX_READY;

	spin_lock(&tree->nodes_lock);
	if (!error)
		node->flags &= ~(unsigned int)NODE_UNBOUND;
	else if (node->flags & NODE_UNBOUND)
		state = NODE_INDEX_UNBOUND; /* others hold it: as before */
	else
		state = NODE_INDEX_FAILED;
	if (state == NODE_INDEX_FAILED)
		xarray_remove(&tree->nodes, node->attr.id);
	smp_store_release(&node->index_state, state);
	spin_unlock(&tree->nodes_lock);
	wake_up_all(queue_of(node->attr.id));
}
EXPORT_SYMBOL(node_ready);

void node_index_wake(struct node *node)
{
	wake_up_all(queue_of(node->attr.id));
}

void node_index_remove(struct node *node)
{
	struct tree *tree = node->tree;

	spin_lock(&tree->nodes_lock);
	xarray_remove(&tree->nodes, node->attr.id);
	spin_unlock(&tree->nodes_lock);
	wake_up_all(queue_of(node->attr.id));
}
