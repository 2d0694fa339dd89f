/* Balanced binary trees (lib/rbtree.c): the caller searches, the library links, balances and removes. */
#ifndef KUMO_RBTREE_H
#define KUMO_RBTREE_H

#include <kumo/types.h>

struct rb_node {
	unsigned long parent_color;
	struct rb_node *left, *right;
};

struct rb_root {
	struct rb_node *node;
};

/* Links `node` at *link below `parent` (found by the caller's descent) and rebalances. */
void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link);
void rb_erase(struct rb_root *root, struct rb_node *node);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

/* Children before their parents: for freeing a whole tree, each node once its successor is known. */
struct rb_node *rb_first_postorder(const struct rb_root *root);
struct rb_node *rb_next_postorder(const struct rb_node *node);

static inline bool rb_empty(const struct rb_root *root)
{
	return !root->node;
}

#define rb_entry_or_null(pointer, type, member)                                                    \
	({                                                                                         \
		struct rb_node *rb_pointer_ = (pointer);                                           \
		rb_pointer_ ? container_of(rb_pointer_, type, member) : NULL;                      \
	})

#endif
