/*
 * Nodes: the core's objects for files of trees. A node is made by its tree (node_alloc), held by the tree, by name-cache
 * entries and by anonymous open files, and given back through tree_ops.forget when the last lets go. Walkers without
 * references read a node's attributes under rcu_read_lock(), so its memory goes after a grace period.
 */
#include <kumo/acl.h>
#include <kumo/export.h>
#include <kumo/pagecache.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/time.h>
#include <kumo/xattr.h>
#include <linux/capability.h>

#include "internal.h"
#include "rebind_internal.h"

static struct slab_cache *node_cache;
static atomic64_t last_id = { 1 };

u64 tree_next_id(void)
{
	return (u64)atomic64_add_return(&last_id, 1);
}

struct node *node_alloc(struct tree *tree, const struct attr *attr, void *private)
{
	struct node *node = slab_alloc(node_cache, GFP_USER | GFP_CORE);

	if (!node)
		return NULL;
	node->tree = tree;
	refcount_set(&node->refs, 1);
	node->attr = *attr;
	mutex_init(&node->lock, "node");
	node->cache = NULL;
	node->private = private;
	node->ops = tree ? tree->ops : NULL;
	node->pipe = NULL;
	list_init(&node->locks);
	node->xattrs = NULL;
	node->acl = node->default_acl = NULL;
	node->watches.first = NULL;
	node->seals = 0;
	node->write_hint = 0;
	atomic_set(&node->writers, 0);
	node->link_text = NULL;
	node->flags = 0;
	node->attr_dirty = false;
	node->index_state = NODE_INDEX_NONE;
	node->unstable = 0;
	node->list_cpu = 0;
	list_init(&node->tree_link);
	if (unlikely(tree && tree->flags & TREE_LISTED))
		node_list(node);
	return node;
}

static void node_free_rcu(struct rcu_head *head)
{
	struct node *node = container_of(head, struct node, rcu);

	kfree(node->link_text);
	kfree(node->cache); /* here: stat(2) without a reference may have looked at its count of pages */
	slab_free(node_cache, node);
}

/* Has the instance that serves the node's tree something to let go of? */
static inline bool is_served(const struct node *node)
{
	return node->tree && node->tree->ops->forget && node->index_state != NODE_INDEX_FAILED &&
	       !(node->flags & NODE_STALE);
}

/* Tells the instance. False: that must wait for another one. */
static bool node_forget(struct node *node)
{
	struct tree *tree = node->tree;
	struct tree_visit visit;
	int error = tree_enter_nowait(tree, &visit);

	if (unlikely(error == -EAGAIN))
		return false;
	if (node->cache)
		page_cache_destroy(node->cache);
	/* The tree's table, not the node's own: that one may be a device's, and forget belongs to who made the node. */
	if (likely(!error))
		tree->ops->forget(node);
	else if (tree->ops->release && !(node->flags & NODE_UNBOUND))
		tree->ops->release(node);
	if (unlikely(!list_empty(&node->tree_link)))
		node_unlist(node);
	if (likely(!error))
		tree_leave(&visit);
	return true;
}

void node_put(struct node *node)
{
	if (!refcount_dec_and_test(&node->refs))
		return;
	WARN_ON(!list_empty(&node->locks));
	if (likely(is_served(node))) {
		if (unlikely(!node_forget(node))) {
			node_put_late(node);
			return;
		}
	} else {
		if (node->cache)
			page_cache_destroy(node->cache);
		if (!list_empty(&node->tree_link))
			node_unlist(node);
	}
	if (node->index_state == NODE_INDEX_READY || node->index_state == NODE_INDEX_UNBOUND)
		node_index_remove(node);
	node_xattrs_free(node);
	acl_put(node->acl);
	acl_put(node->default_acl);
	call_rcu(&node->rcu, node_free_rcu);
}

struct page_cache *node_page_cache(struct node *node)
{
	struct page_cache *cache = smp_load_acquire(&node->cache), *expected = NULL;

	if (likely(cache))
		return cache;
	cache = kzalloc(sizeof(*cache), GFP_USER | GFP_CORE);
	if (!cache)
		return NULL;
	page_cache_init(cache, node);
	if (__atomic_compare_exchange_n(&node->cache, &expected, cache, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return cache;
	page_cache_destroy(cache); /* another thread was first */
	kfree(cache);
	return expected;
}

void node_set_internal(struct node *node)
{
	if (!list_empty(&node->tree_link))
		node_unlist(node);
}
EXPORT_SYMBOL(node_set_internal);

void nodes_init(void)
{
	node_cache = slab_cache_create("node", sizeof(struct node), 0, 0);
	if (!node_cache)
		panic("no memory for the cache of nodes");
	node_index_init();
}
EXPORT_SYMBOL(tree_next_id);
EXPORT_SYMBOL(node_alloc);
EXPORT_SYMBOL(node_put);
EXPORT_SYMBOL(node_page_cache);
