/* Nodes by identity, of a tree that is mounted nowhere. */
#include <kumo/kunit.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/tree.h>
#include <kumo/wait.h>

static unsigned int forgotten;

static void count_forget(struct node *node)
{
	forgotten++;
}

static const struct tree_ops ops = { .forget = count_forget };
static struct tree tree;

static int begin(struct kunit *test)
{
	memset(&tree, 0, sizeof(tree));
	tree.ops = &ops;
	spin_init(&tree.nodes_lock, "tree_nodes");
	forgotten = 0;
	return 0;
}

static void end(struct kunit *test)
{
	xarray_destroy(&tree.nodes);
}

static struct node *obtain(struct kunit *test, u64 id, bool expect_fresh)
{
	bool fresh;
	struct node *node = node_obtain(&tree, id, &fresh);

	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_EXPECT_EQ(test, fresh, expect_fresh);
	return node;
}

static void one_identity_has_one_node(struct kunit *test)
{
	struct node *node = obtain(test, 7, true), *again, *other;

	KUNIT_EXPECT_EQ(test, node->attr.id, 7);
	node_ready(node, 0);
	again = obtain(test, 7, false);
	other = obtain(test, 8, true);
	node_ready(other, 0);
	KUNIT_EXPECT_PTR_EQ(test, again, node);
	KUNIT_EXPECT_PTR_NE(test, other, node);
	node_put(node);
	KUNIT_EXPECT_EQ(test, forgotten, 0);
	node_put(again);
	KUNIT_EXPECT_EQ(test, forgotten, 1);
	node_put(other);
	node = obtain(test, 7, true);
	node_ready(node, 0);
	node_put(node);
}

static void a_node_that_could_not_be_filled_is_tried_anew_and_not_forgotten(struct kunit *test)
{
	struct node *node = obtain(test, 7, true);

	node_ready(node, -EIO);
	node_put(node);
	KUNIT_EXPECT_EQ(test, forgotten, 0);
	node = obtain(test, 7, true);
	node_ready(node, 0);
	node_put(node);
	KUNIT_EXPECT_EQ(test, forgotten, 1);
}

struct waiter {
	struct node *node;
	bool fresh;
	struct completion done;
};

static int obtain_thread(void *arg)
{
	struct waiter *waiter = arg;

	waiter->node = node_obtain(&tree, 7, &waiter->fresh);
	complete(&waiter->done);
	return 0;
}

/* Fills a node with `error` while another thread waits for it. */
static struct waiter wait_while_filled(struct kunit *test, int error)
{
	struct node *node = obtain(test, 7, true);
	struct waiter waiter = {};
	struct thread *thread;

	completion_init(&waiter.done);
	thread = kthread_run(obtain_thread, &waiter, "obtain");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	KUNIT_EXPECT_EQ(test,
			wait_for_completion_until(&waiter.done, time_monotonic_ns() + 20 * NSEC_PER_MSEC),
			-ETIME);
	node_ready(node, error);
	wait_for_completion(&waiter.done);
	node_put(node);
	kthread_stop(thread);
	KUNIT_ASSERT_FALSE(test, IS_ERR(waiter.node));
	return waiter;
}

static void who_comes_while_it_is_filled_waits_for_it(struct kunit *test)
{
	struct waiter waiter = wait_while_filled(test, 0);

	KUNIT_EXPECT_FALSE(test, waiter.fresh);
	node_put(waiter.node);
}

static void who_waited_in_vain_fills_it_itself(struct kunit *test)
{
	struct waiter waiter = wait_while_filled(test, -EIO);

	KUNIT_EXPECT_TRUE(test, waiter.fresh);
	node_ready(waiter.node, 0);
	node_put(waiter.node);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(one_identity_has_one_node),
	KUNIT_CASE(a_node_that_could_not_be_filled_is_tried_anew_and_not_forgotten),
	KUNIT_CASE(who_comes_while_it_is_filled_waits_for_it),
	KUNIT_CASE(who_waited_in_vain_fills_it_itself),
	{},
};

static struct kunit_suite suite = { .name = "node_index", .init = begin, .exit = end, .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of nodes by identity");
MODULE_LICENSE("MIT");
