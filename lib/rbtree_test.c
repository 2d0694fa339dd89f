/* Suite of the balanced trees. */
#include <kumo/kunit.h>
#include <kumo/rbtree.h>

#define COUNT 1000

struct item {
	struct rb_node node;
	u32 key;
	bool linked;
};

static void insert(struct rb_root *root, struct item *item)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = item->key < container_of(parent, struct item, node)->key ? &parent->left
										: &parent->right;
	}
	rb_insert(root, &item->node, parent, link);
	item->linked = true;
}

/* The black height of the subtree, or -1 when a rule is broken. */
static int check(const struct rb_node *node, bool parent_red)
{
	bool red;
	int left, right;

	if (!node)
		return 0;
	red = !(node->parent_color & 1);
	if (red && parent_red)
		return -1;
	left = check(node->left, red);
	right = check(node->right, red);
	return left < 0 || left != right ? -1 : left + !red;
}

static u32 next_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void the_tree_stays_balanced_and_in_order(struct kunit *test)
{
	struct item *items = kunit_kzalloc(test, COUNT * sizeof(*items), GFP_KERNEL);
	struct rb_root root = {};
	unsigned int linked = 0;
	u32 random = 1;

	KUNIT_ASSERT_NOT_NULL(test, items);
	for (unsigned int step = 0; step < 5 * COUNT; step++) {
		struct item *item = &items[next_random(&random) % COUNT];

		if (item->linked) {
			rb_erase(&root, &item->node);
			item->linked = false;
			linked--;
		} else {
			item->key = next_random(&random);
			insert(&root, item);
			linked++;
		}
		if (step % 100)
			continue;
		KUNIT_ASSERT_GE(test, check(root.node, true), 0);
	}
	for (struct rb_node *node = rb_first(&root); node; node = rb_next(node)) {
		struct rb_node *next = rb_next(node);

		linked--;
		if (!next) {
			KUNIT_EXPECT_PTR_EQ(test, node, rb_last(&root));
			continue;
		}
		KUNIT_EXPECT_LE(test, container_of(node, struct item, node)->key,
				container_of(next, struct item, node)->key);
		KUNIT_EXPECT_PTR_EQ(test, rb_prev(next), node);
	}
	KUNIT_EXPECT_EQ(test, linked, 0);
}

static void postorder_visits_children_first(struct kunit *test)
{
	struct item *items = kunit_kzalloc(test, 100 * sizeof(*items), GFP_KERNEL);
	struct rb_root root = {};
	unsigned int visited = 0;

	KUNIT_ASSERT_NOT_NULL(test, items);
	for (unsigned int i = 0; i < 100; i++) {
		items[i].key = i * 37 % 100;
		insert(&root, &items[i]);
	}
	for (struct rb_node *node = rb_first_postorder(&root); node; node = rb_next_postorder(node)) {
		container_of(node, struct item, node)->linked = false;
		if (node->left)
			KUNIT_EXPECT_FALSE(test, container_of(node->left, struct item, node)->linked);
		if (node->right)
			KUNIT_EXPECT_FALSE(test, container_of(node->right, struct item, node)->linked);
		visited++;
	}
	KUNIT_EXPECT_EQ(test, visited, 100);
}

static void an_empty_tree_has_no_nodes(struct kunit *test)
{
	struct rb_root root = {};

	KUNIT_EXPECT_TRUE(test, rb_empty(&root));
	KUNIT_EXPECT_NULL(test, rb_first(&root));
	KUNIT_EXPECT_NULL(test, rb_last(&root));
	KUNIT_EXPECT_NULL(test, rb_first_postorder(&root));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(the_tree_stays_balanced_and_in_order),
	KUNIT_CASE(postorder_visits_children_first),
	KUNIT_CASE(an_empty_tree_has_no_nodes),
	{},
};

static struct kunit_suite suite = { .name = "rbtree", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the balanced trees");
MODULE_LICENSE("MIT");
