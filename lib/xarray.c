/*
 * A radix tree of 64-way nodes. The root of height 0 is the entry of index 0 itself; a tree of height h holds indices
 * below 64^h. The root pointer says by its bit 0 whether it is a node, and a node knows its height, so that a lookup
 * without a lock sees a root and a height that belong together; array->height is for the writer alone.
 *
 * Lookups run under rcu_read_lock() beside one writer: entries are published with release, and nodes are freed after a
 * grace period.
 *
 * A node has a bit for each slot and mark: the entry has the mark, or something below the slot does. So what is marked is
 * found without looking at what is not.
 */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/xarray.h>

#define XARRAY_SHIFT 6
#define XARRAY_SLOTS (1U << XARRAY_SHIFT)
#define XARRAY_MAX_HEIGHT DIV_ROUND_UP(64, XARRAY_SHIFT)

struct xarray_node {
	void *slots[XARRAY_SLOTS];
	u64 used; /* a bit for each slot that is not empty */
	u64 marked[XARRAY_MARKS];
	unsigned int height; /* of the subtree: 1 means that the slots are entries */
	struct rcu_head rcu;
};

static inline unsigned int xarray_slot(u64 index, unsigned int height)
{
	return (index >> ((height - 1) * XARRAY_SHIFT)) % XARRAY_SLOTS;
}

static inline bool xarray_covers(unsigned int height, u64 index)
{
	return height >= XARRAY_MAX_HEIGHT || !(index >> (height * XARRAY_SHIFT));
}

/* The root pointer of an array whose tree has nodes is marked in bit 0: entries are pointers and have it clear. */
static inline bool xarray_is_node(const void *root)
{
	return (unsigned long)root & 1;
}

static inline struct xarray_node *xarray_to_node(const void *root)
{
	return (struct xarray_node *)((unsigned long)root & ~1UL);
}

static inline void *xarray_from_node(struct xarray_node *node)
{
	return (void *)((unsigned long)node | 1);
}

static struct xarray_node *xarray_node_alloc(unsigned int height, unsigned int gfp)
{
	struct xarray_node *node = kzalloc(sizeof(*node), gfp);

	if (node)
		node->height = height;
	return node;
}

static void xarray_node_free_rcu(struct rcu_head *head)
{
	kfree(container_of(head, struct xarray_node, rcu));
}

void *xarray_load(const struct xarray *array, u64 index)
{
	void *at = rcu_dereference(array->root);
	struct xarray_node *node;
	unsigned int height;

	if (!xarray_is_node(at))
		return index ? NULL : at;
	node = xarray_to_node(at);
	height = node->height;
	if (!xarray_covers(height, index))
		return NULL;
	while (height > 1) {
		node = rcu_dereference(node->slots[xarray_slot(index, height)]);
		if (!node)
			return NULL;
		height--;
	}
	return rcu_dereference(node->slots[xarray_slot(index, 1)]);
}
EXPORT_SYMBOL(xarray_load);

void xarray_load_range(const struct xarray *array, u64 first, unsigned int count, void **entries)
{
	void *at = rcu_dereference(array->root);
	struct xarray_node *node = xarray_is_node(at) ? xarray_to_node(at) : NULL;

	if (node && !xarray_covers(node->height, first))
		node = NULL;
	for (unsigned int height = node ? node->height : 0; node && height > 1; height--)
		node = rcu_dereference(node->slots[xarray_slot(first, height)]);
	for (unsigned int i = 0; i < count; i++)
		entries[i] = node ? rcu_dereference(node->slots[xarray_slot(first + i, 1)]) : NULL;
	if (!xarray_is_node(at) && !first && count)
		entries[0] = at;
}
EXPORT_SYMBOL(xarray_load_range);

/* Is anything at or below the root marked? */
static inline bool xarray_root_marked(const struct xarray *array, unsigned int mark)
{
	if (!array->height)
		return array->root_marks >> mark & 1;
	return xarray_to_node(array->root)->marked[mark];
}

/* Of an array whose root is a node: most have no mark at all. */
static inline void xarray_clear_marks(struct xarray *array, u64 index)
{
	for (unsigned int mark = 0; mark < XARRAY_MARKS; mark++)
		if (unlikely(xarray_root_marked(array, mark)))
			xarray_clear_mark(array, index, mark);
}

/* Puts a new root above the present one. */
static int xarray_grow(struct xarray *array, unsigned int gfp)
{
	struct xarray_node *node = xarray_node_alloc(array->height + 1, gfp);

	if (!node)
		return -ENOMEM;
	if (array->root) {
		node->slots[0] = array->height ? xarray_to_node(array->root) : array->root;
		node->used = 1;
		for (unsigned int mark = 0; mark < XARRAY_MARKS; mark++)
			node->marked[mark] = xarray_root_marked(array, mark);
	}
	array->root_marks = 0;
	array->height++;
	rcu_assign_pointer(array->root, xarray_from_node(node));
	return 0;
}

int xarray_store(struct xarray *array, u64 index, void *pointer, unsigned int gfp)
{
	struct xarray_node *node, *child;
	unsigned int height, slot;
	int error;

	if (!pointer) {
		xarray_remove(array, index);
		return 0;
	}
	while (!xarray_covers(array->height, index)) {
		error = xarray_grow(array, gfp);
		if (error)
			return error;
	}
	if (!array->height) {
		array->root_marks = 0;
		rcu_assign_pointer(array->root, pointer);
		return 0;
	}
	xarray_clear_marks(array, index);
	node = xarray_to_node(array->root);
	for (height = array->height; height > 1; height--) {
		slot = xarray_slot(index, height);
		child = node->slots[slot];
		if (!child) {
			child = xarray_node_alloc(height - 1, gfp);
			if (!child)
				return -ENOMEM; /* empty nodes above stay, harmlessly, for the next store */
			node->used |= BIT(slot);
			rcu_assign_pointer(node->slots[slot], child);
		}
		node = child;
	}
	slot = xarray_slot(index, 1);
	node->used |= BIT(slot);
	rcu_assign_pointer(node->slots[slot], pointer);
	return 0;
}
EXPORT_SYMBOL(xarray_store);

/* While the root has nothing but its first slot, that slot becomes the root. */
static void xarray_shrink(struct xarray *array)
{
	struct xarray_node *node;

	while (array->height) {
		node = xarray_to_node(array->root);
		if (node->used & ~1ULL)
			return;
		array->height--;
		for (unsigned int mark = 0; mark < XARRAY_MARKS && !array->height; mark++)
			array->root_marks |= (node->marked[mark] & 1) << mark;
		if (!node->used)
			rcu_assign_pointer(array->root, NULL);
		else if (array->height)
			rcu_assign_pointer(array->root, xarray_from_node(node->slots[0]));
		else
			rcu_assign_pointer(array->root, node->slots[0]);
		if (!node->used)
			array->height = 0;
		call_rcu(&node->rcu, xarray_node_free_rcu);
	}
}

void *xarray_remove(struct xarray *array, u64 index)
{
	struct xarray_node *path[XARRAY_MAX_HEIGHT + 1], *node;
	unsigned int height, slot;
	void *old;

	if (!array->height) {
		if (index)
			return NULL;
		old = array->root;
		array->root_marks = 0;
		rcu_assign_pointer(array->root, NULL);
		return old;
	}
	if (!xarray_covers(array->height, index))
		return NULL;
	xarray_clear_marks(array, index);
	node = xarray_to_node(array->root);
	for (height = array->height; height > 1; height--) {
		path[height] = node;
		node = node->slots[xarray_slot(index, height)];
		if (!node)
			return NULL;
	}
	path[1] = node;
	old = node->slots[xarray_slot(index, 1)];
	if (!old)
		return NULL;
	for (height = 1; height <= array->height; height++) {
		node = path[height];
		slot = xarray_slot(index, height);
		rcu_assign_pointer(node->slots[slot], NULL);
		node->used &= ~BIT(slot);
		if (node->used || height == array->height)
			break;
		call_rcu(&node->rcu, xarray_node_free_rcu);
	}
	xarray_shrink(array);
	return old;
}
EXPORT_SYMBOL(xarray_remove);

/* The first entry at or after *index below `node`; *index becomes its index. */
static void *xarray_find_below(struct xarray_node *node, u64 *index)
{
	unsigned int height = node->height, shift = (height - 1) * XARRAY_SHIFT;
	u64 next;
	void *entry;

	for (unsigned int slot = xarray_slot(*index, height); slot < XARRAY_SLOTS; slot++) {
		next = ((*index >> shift) + 1) << shift;
		entry = rcu_dereference(node->slots[slot]);
		if (entry && height > 1)
			entry = xarray_find_below(entry, index);
		if (entry)
			return entry;
		*index = next;
	}
	return NULL;
}

void *xarray_find(const struct xarray *array, u64 *index)
{
	void *root = rcu_dereference(array->root);
	struct xarray_node *node;

	if (!xarray_is_node(root))
		return *index ? NULL : root;
	node = xarray_to_node(root);
	if (!xarray_covers(node->height, *index))
		return NULL;
	return xarray_find_below(node, index);
}
EXPORT_SYMBOL(xarray_find);

/* ---- Marks ---- */

/* The nodes from the root down to that of `index`, by height; false: there is no entry. */
static bool xarray_path(const struct xarray *array, u64 index, struct xarray_node **path)
{
	unsigned int height = array->height;

	if (!height || !xarray_covers(height, index))
		return false;
	path[height] = xarray_to_node(array->root);
	for (; height > 1; height--) {
		path[height - 1] = path[height]->slots[xarray_slot(index, height)];
		if (!path[height - 1])
			return false;
	}
	return path[1]->slots[xarray_slot(index, 1)];
}

void xarray_set_mark(struct xarray *array, u64 index, unsigned int mark)
{
	struct xarray_node *path[XARRAY_MAX_HEIGHT + 1];

	if (!array->height && !index && array->root)
		array->root_marks |= BIT(mark);
	if (!xarray_path(array, index, path))
		return;
	for (unsigned int height = 1; height <= array->height; height++)
		path[height]->marked[mark] |= BIT(xarray_slot(index, height));
}
EXPORT_SYMBOL(xarray_set_mark);

void xarray_clear_mark(struct xarray *array, u64 index, unsigned int mark)
{
	struct xarray_node *path[XARRAY_MAX_HEIGHT + 1];

	if (!array->height && !index)
		array->root_marks &= ~BIT(mark);
	if (!xarray_path(array, index, path))
		return;
	for (unsigned int height = 1; height <= array->height; height++) {
		path[height]->marked[mark] &= ~BIT(xarray_slot(index, height));
		if (path[height]->marked[mark])
			return;
	}
}
EXPORT_SYMBOL(xarray_clear_mark);

void *xarray_find_marked(const struct xarray *array, u64 *index, unsigned int mark)
{
	struct xarray_node *node;
	unsigned int height, slot, shift;
	u64 from;

	if (!array->height)
		return !*index && xarray_root_marked(array, mark) ? array->root : NULL;
	while (xarray_covers(array->height, *index)) {
		node = xarray_to_node(array->root);
		for (height = array->height;; height--) {
			shift = (height - 1) * XARRAY_SHIFT;
			slot = xarray_slot(*index, height);
			from = node->marked[mark] >> slot;
			if (!from)
				break;
			if (!(from & 1)) /* *index moves to the start of the next marked slot */
				*index = ((*index >> shift) + (u64)__builtin_ctzll(from)) << shift;
			slot = xarray_slot(*index, height);
			if (height == 1)
				return node->slots[slot];
			node = node->slots[slot];
		}
		/* Nothing more below this node: on behind it. */
		shift = height * XARRAY_SHIFT;
		if (height == array->height)
			return NULL;
		*index = ((*index >> shift) + 1) << shift;
		if (!*index)
			return NULL;
	}
	return NULL;
}
EXPORT_SYMBOL(xarray_find_marked);

/* The first index at or after `index` without an entry. */
static u64 xarray_next_free(const struct xarray *array, u64 index)
{
	struct xarray_node *node;
	unsigned int height, slot;

	for (;;) {
		if (!array->height)
			return index || !array->root ? index : 1;
		if (!xarray_covers(array->height, index))
			return index;
		node = xarray_to_node(array->root);
		for (height = array->height; height > 1; height--) {
			node = node->slots[xarray_slot(index, height)];
			if (!node)
				return index;
		}
		slot = xarray_slot(index, 1);
		if (~node->used >> slot) {
			slot += __builtin_ctzll(~node->used >> slot);
			return ALIGN_DOWN(index, XARRAY_SLOTS) + slot;
		}
		index = ALIGN_DOWN(index, XARRAY_SLOTS) + XARRAY_SLOTS;
	}
}

s64 xarray_alloc(struct xarray *array, void *pointer, u64 low, u64 high, unsigned int gfp)
{
	u64 index = xarray_next_free(array, low);
	int error;

	if (index > high || index < low)
		return -ENOSPC;
	error = xarray_store(array, index, pointer, gfp);
	return error ? error : (s64)index;
}
EXPORT_SYMBOL(xarray_alloc);

static void xarray_destroy_below(struct xarray_node *node)
{
	if (node->height > 1)
		for (u64 used = node->used; used; used &= used - 1)
			xarray_destroy_below(node->slots[__builtin_ctzll(used)]);
	call_rcu(&node->rcu, xarray_node_free_rcu);
}

void xarray_destroy(struct xarray *array)
{
	void *root = array->root;

	array->height = 0;
	array->root_marks = 0;
	rcu_assign_pointer(array->root, NULL);
	if (xarray_is_node(root))
		xarray_destroy_below(xarray_to_node(root));
}
EXPORT_SYMBOL(xarray_destroy);
