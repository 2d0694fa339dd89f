/*
 * Red-black trees. Every path from the root to a leaf passes the same number of black nodes and no red node has a red
 * child, so the longest path is at most twice the shortest. A missing child counts as black.
 *
 * A node's colour is bit 0 of its parent pointer. Readers need the lock that the writers hold.
 */
#include <kumo/export.h>
#include <kumo/rbtree.h>

#define RB_BLACK 1UL

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
	return (struct rb_node *)(node->parent_color & ~RB_BLACK);
}

static inline bool rb_is_black(const struct rb_node *node)
{
	return !node || (node->parent_color & RB_BLACK);
}

static inline void rb_set_parent(struct rb_node *node, struct rb_node *parent)
{
	node->parent_color = (unsigned long)parent | (node->parent_color & RB_BLACK);
}

static inline void rb_set_black(struct rb_node *node)
{
	node->parent_color |= RB_BLACK;
}

static inline void rb_set_red(struct rb_node *node)
{
	node->parent_color &= ~RB_BLACK;
}

/* Makes `now` the child of `parent` where `old` was. */
static inline void rb_replace_child(struct rb_root *root, struct rb_node *parent,
				    struct rb_node *old, struct rb_node *now)
{
	if (!parent)
		root->node = now;
	else if (parent->left == old)
		parent->left = now;
	else
		parent->right = now;
}

/* The right child of `node` takes its place, and `node` becomes that child's left one. */
static void rb_rotate_left(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *child = node->right, *parent = rb_parent(node);

	node->right = child->left;
	if (child->left)
		rb_set_parent(child->left, node);
	child->left = node;
	rb_set_parent(child, parent);
	rb_replace_child(root, parent, node, child);
	rb_set_parent(node, child);
}

static void rb_rotate_right(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *child = node->left, *parent = rb_parent(node);

	node->left = child->right;
	if (child->right)
		rb_set_parent(child->right, node);
	child->right = node;
	rb_set_parent(child, parent);
	rb_replace_child(root, parent, node, child);
	rb_set_parent(node, child);
}

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	struct rb_node *grandparent, *uncle;

	node->parent_color = (unsigned long)parent; /* red */
	node->left = node->right = NULL;
	*link = node;

	/* Invariant: `node` is red, and the only possible fault is that its parent is red too. */
	while (parent && !rb_is_black(parent)) {
		grandparent = rb_parent(parent); /* exists: the root is black */
		if (parent == grandparent->left) {
			uncle = grandparent->right;
			if (!rb_is_black(uncle)) {
				rb_set_black(parent);
				rb_set_black(uncle);
				rb_set_red(grandparent);
				node = grandparent;
				parent = rb_parent(node);
				continue;
			}
			if (node == parent->right) {
				rb_rotate_left(root, parent);
				parent = node;
			}
			rb_set_black(parent);
			rb_set_red(grandparent);
			rb_rotate_right(root, grandparent);
			break;
		}
		uncle = grandparent->left;
		if (!rb_is_black(uncle)) {
			rb_set_black(parent);
			rb_set_black(uncle);
			rb_set_red(grandparent);
			node = grandparent;
			parent = rb_parent(node);
			continue;
		}
		if (node == parent->left) {
			rb_rotate_right(root, parent);
			parent = node;
		}
		rb_set_black(parent);
		rb_set_red(grandparent);
		rb_rotate_left(root, grandparent);
		break;
	}
	rb_set_black(root->node);
}
EXPORT_SYMBOL(rb_insert);

/* Paths through `node` (possibly missing; the child of `parent`) have one black node too few: mends that. */
static void rb_erase_rebalance(struct rb_root *root, struct rb_node *node, struct rb_node *parent)
{
	struct rb_node *sibling;

	while (node != root->node && rb_is_black(node)) {
		if (node == parent->left) {
			sibling = parent->right;
			if (!rb_is_black(sibling)) {
				rb_set_black(sibling);
				rb_set_red(parent);
				rb_rotate_left(root, parent);
				sibling = parent->right;
			}
			if (rb_is_black(sibling->left) && rb_is_black(sibling->right)) {
				rb_set_red(sibling);
				node = parent;
				parent = rb_parent(node);
				continue;
			}
			if (rb_is_black(sibling->right)) {
				rb_set_black(sibling->left);
				rb_set_red(sibling);
				rb_rotate_right(root, sibling);
				sibling = parent->right;
			}
			sibling->parent_color = (sibling->parent_color & ~RB_BLACK) |
						(parent->parent_color & RB_BLACK);
			rb_set_black(parent);
			rb_set_black(sibling->right);
			rb_rotate_left(root, parent);
			return;
		}
		sibling = parent->left;
		if (!rb_is_black(sibling)) {
			rb_set_black(sibling);
			rb_set_red(parent);
			rb_rotate_right(root, parent);
			sibling = parent->left;
		}
		if (rb_is_black(sibling->left) && rb_is_black(sibling->right)) {
			rb_set_red(sibling);
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (rb_is_black(sibling->left)) {
			rb_set_black(sibling->right);
			rb_set_red(sibling);
			rb_rotate_left(root, sibling);
			sibling = parent->left;
		}
		sibling->parent_color = (sibling->parent_color & ~RB_BLACK) |
					(parent->parent_color & RB_BLACK);
		rb_set_black(parent);
		rb_set_black(sibling->left);
		rb_rotate_right(root, parent);
		return;
	}
	if (node)
		rb_set_black(node);
}

void rb_erase(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *parent = rb_parent(node), *child, *successor;
	bool black;

	if (node->left && node->right) {
		/* The successor, which has no left child, takes the node's place and colour. */
		successor = node->right;
		while (successor->left)
			successor = successor->left;
		child = successor->right;
		black = rb_is_black(successor);
		rb_replace_child(root, parent, node, successor);
		if (successor == node->right) {
			parent = successor;
		} else {
			parent = rb_parent(successor);
			parent->left = child;
			if (child)
				rb_set_parent(child, parent);
			successor->right = node->right;
			rb_set_parent(node->right, successor);
		}
		successor->left = node->left;
		rb_set_parent(node->left, successor);
		successor->parent_color = node->parent_color;
	} else {
		child = node->left ? node->left : node->right;
		black = rb_is_black(node);
		if (child)
			rb_set_parent(child, parent);
		rb_replace_child(root, parent, node, child);
	}
	if (black && root->node)
		rb_erase_rebalance(root, child, parent);
}
EXPORT_SYMBOL(rb_erase);

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *node = root->node;

	while (node && node->left)
		node = node->left;
	return node;
}
EXPORT_SYMBOL(rb_first);

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *node = root->node;

	while (node && node->right)
		node = node->right;
	return node;
}
EXPORT_SYMBOL(rb_last);

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *parent;

	if (node->right) {
		node = node->right;
		while (node->left)
			node = node->left;
		return (struct rb_node *)node;
	}
	while ((parent = rb_parent(node)) && node == parent->right)
		node = parent;
	return parent;
}
EXPORT_SYMBOL(rb_next);

struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *parent;

	if (node->left) {
		node = node->left;
		while (node->right)
			node = node->right;
		return (struct rb_node *)node;
	}
	while ((parent = rb_parent(node)) && node == parent->left)
		node = parent;
	return parent;
}
EXPORT_SYMBOL(rb_prev);

/* The deepest node that is reached by keeping left where that goes. */
static struct rb_node *rb_deepest(struct rb_node *node)
{
	while (node->left || node->right)
		node = node->left ? node->left : node->right;
	return node;
}

struct rb_node *rb_first_postorder(const struct rb_root *root)
{
	return root->node ? rb_deepest(root->node) : NULL;
}
EXPORT_SYMBOL(rb_first_postorder);

struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent = rb_parent(node);

	if (parent && node == parent->left && parent->right)
		return rb_deepest(parent->right);
	return parent;
}
EXPORT_SYMBOL(rb_next_postorder);
