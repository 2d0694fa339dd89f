/* Nodes, without a kernel: found by identity as the core does it. None is kept that nobody holds. */
#include <kumo/acl.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/tree.h>
#include <kumo/wait.h>
#include <kumo/xattr.h>

#include "environment.h"

#define BUCKETS 4096

/* A node, and its place in the index of identities (node->index_state). */
struct indexed {
	struct node node;
	struct hlist_node link;
};
static struct hlist buckets[BUCKETS];
static struct wait_queue index_changed = WAIT_QUEUE_INIT(index_changed);
static atomic64_t last_id = { 1 };

u64 tree_next_id(void)
{
	return (u64)atomic64_add_return(&last_id, 1);
}

/* No instance comes after this one. */
void node_set_internal(struct node *node)
{
}

struct node *node_alloc(struct tree *tree, const struct attr *attr, void *private)
{
	struct indexed *indexed = kzalloc(sizeof(*indexed), GFP_USER);
	struct node *node = &indexed->node;

	if (!indexed)
		return NULL;
	node->tree = tree;
	node->attr = *attr;
	node->private = private;
	node->ops = tree->ops;
	refcount_set(&node->refs, 1);
	mutex_init(&node->lock, "node");
	return node;
}

/* ---- The index ---- */

static struct indexed *index_find(struct tree *tree, u64 id)
{
	struct indexed *indexed;

	hlist_for_each(indexed, &buckets[id % BUCKETS], link)
		if (indexed->node.tree == tree && indexed->node.attr.id == id)
			return indexed;
	return NULL;
}

struct node *node_obtain(struct tree *tree, u64 id, bool *fresh)
{
	const struct attr attr = { .id = id };
	struct indexed *indexed;
	struct node *node;

	*fresh = false;
	pthread_mutex_lock(&index_changed.lock);
	while ((indexed = index_find(tree, id)) && (indexed->node.index_state != NODE_INDEX_READY ||
						    !refcount_inc_not_zero(&indexed->node.refs)))
		pthread_cond_wait(&index_changed.changed, &index_changed.lock);
	node = indexed ? &indexed->node : node_alloc(tree, &attr, NULL);
	if (!indexed && node) {
		node->index_state = NODE_INDEX_FILLING;
		hlist_add(&buckets[id % BUCKETS], &container_of(node, struct indexed, node)->link);
		*fresh = true;
	}
	pthread_mutex_unlock(&index_changed.lock);
	return node ? node : ERR_PTR(-ENOMEM);
}

static void index_remove(struct node *node)
{
	pthread_mutex_lock(&index_changed.lock);
	hlist_del(&container_of(node, struct indexed, node)->link);
	pthread_cond_broadcast(&index_changed.changed);
	pthread_mutex_unlock(&index_changed.lock);
}

void node_ready(struct node *node, int error)
{
	if (error) {
		node->index_state = NODE_INDEX_FAILED;
		index_remove(node);
		return;
	}
	pthread_mutex_lock(&index_changed.lock);
	node->index_state = NODE_INDEX_READY;
	pthread_cond_broadcast(&index_changed.changed);
	pthread_mutex_unlock(&index_changed.lock);
}

void node_put(struct node *node)
{
	if (!refcount_dec_and_test(&node->refs))
		return;
	if (node->index_state != NODE_INDEX_FAILED)
		node->tree->ops->forget(node);
	if (node->index_state == NODE_INDEX_READY)
		index_remove(node);
	if (node->cache)
		page_cache_destroy(node->cache);
	node_xattrs_free(node);
	acl_put(node->acl);
	acl_put(node->default_acl);
	kfree(node->link_text);
	kfree(node->cache);
	kfree(container_of(node, struct indexed, node));
}

struct page_cache *node_page_cache(struct node *node)
{
	struct page_cache *cache = smp_load_acquire(&node->cache), *expected = NULL;

	if (cache)
		return cache;
	cache = kzalloc(sizeof(*cache), GFP_KERNEL);
	if (!cache)
		return NULL;
	page_cache_init(cache, node);
	if (__atomic_compare_exchange_n(&node->cache, &expected, cache, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return cache;
	kfree(cache); /* another thread was first */
	return expected;
}
