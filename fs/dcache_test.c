/*
 * The name cache against a tree that counts how often it is asked. The tree "counted" has /a/b/c, where c is a file, and
 * answers with the beliefs that a case sets.
 */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/mount.h>
#include <kumo/time.h>

#define PLACE "/names-under-test"

static struct {
	unsigned int calls, elements; /* of walk */
	unsigned int tree_flags;
	u64 believe_until_ns, negative_until_ns;
	u32 generation; /* of the files there are now */
	bool c_gone;
	atomic_t nodes;
} counted;

static struct node *counted_node(struct tree *tree, u64 id, u32 mode)
{
	struct attr attr = { .id = id,
			     .generation = counted.generation,
			     .mode = mode,
			     .nlink = 1,
			     .believe_until_ns = counted.believe_until_ns };

	atomic_inc(&counted.nodes);
	return node_alloc(tree, &attr, NULL);
}

static int counted_attach(struct tree *tree, const struct cred *cred)
{
	tree->flags |= counted.tree_flags;
	tree->root = counted_node(tree, 1, S_IFDIR | 0755);
	return tree->root ? 0 : -ENOMEM;
}

static int counted_walk(struct node *dir, const struct name *names, unsigned int count,
			struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	u64 id = dir->attr.id;
	unsigned int reached;

	counted.calls++;
	counted.elements += count;
	for (reached = 0; reached < count; reached++) {
		char expected = (char)('a' + id - 1);

		if (id > 3 || !name_equal(&names[reached], &expected, 1) || (id == 3 && counted.c_gone))
			break;
		id++;
		nodes[reached] = counted_node(dir->tree, id, id == 4 ? S_IFREG | 0644 : S_IFDIR | 0755);
		if (!nodes[reached])
			return -ENOMEM;
	}
	*negative_until_ns = counted.negative_until_ns;
	return reached ? (int)reached : -ENOENT;
}

static void counted_forget(struct node *node)
{
	atomic_dec(&counted.nodes);
}

static const struct tree_ops counted_ops = { .attach = counted_attach,
					     .walk = counted_walk,
					     .forget = counted_forget };
static struct tree_type counted_type = { .name = "counted", .ops = &counted_ops, .owner = THIS_MODULE };

static int find(const char *name)
{
	struct path path;
	int error = path_walk(NULL, name, WALK_FOLLOW, &root_cred, &path);

	if (!error)
		path_put(&path);
	return error;
}

static void mount_counted(struct kunit *test, unsigned int flags)
{
	counted.tree_flags = flags;
	KUNIT_ASSERT_EQ(test, kernel_mount("counted", "none", PLACE, 0, NULL), 0);
	counted.calls = counted.elements = 0;
}

static int prepare(struct kunit *test)
{
	counted.believe_until_ns = BELIEVE_FOREVER;
	counted.negative_until_ns = 0;
	counted.generation = 1;
	counted.c_gone = false;
	return 0;
}

static void unmount(struct kunit *test)
{
	struct path path;

	if (path_walk(NULL, PLACE, 0, &root_cred, &path))
		return;
	if (path.entry == path.mount->root && path.mount->over.mount) {
		KUNIT_EXPECT_EQ(test, mount_detach(&path, 0), 0);
		path_put(&path);
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&counted.nodes), 0,
				    "nodes are left after the unmount");
	} else {
		path_put(&path);
	}
}

static void a_name_found_once_is_not_asked_for_again(struct kunit *test)
{
	mount_counted(test, 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 3);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/../a/./b//c"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 3);
}

static void absence_is_remembered_only_where_the_tree_allows_it(struct kunit *test)
{
	mount_counted(test, 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/x"), -ENOENT);
	KUNIT_EXPECT_EQ(test, find(PLACE "/x"), -ENOENT);
	KUNIT_EXPECT_EQ(test, counted.calls, 2);
	counted.negative_until_ns = BELIEVE_FOREVER;
	KUNIT_EXPECT_EQ(test, find(PLACE "/x"), -ENOENT);
	KUNIT_EXPECT_EQ(test, find(PLACE "/x"), -ENOENT);
	KUNIT_EXPECT_EQ(test, find(PLACE "/x/y"), -ENOENT);
	KUNIT_EXPECT_EQ(test, counted.calls, 3);
}

static void what_may_not_be_believed_is_asked_for_each_time(struct kunit *test)
{
	mount_counted(test, TREE_NO_CACHE_NAMES);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b"), 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 4);
	/* Nothing of it stays but the root. */
	KUNIT_EXPECT_EQ(test, atomic_read(&counted.nodes), 1);
}

static void names_of_another_case_are_one_where_the_tree_says_so(struct kunit *test)
{
	mount_counted(test, TREE_FOLDS_CASE);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b"), 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/A/B"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 2);
}

static void names_of_another_case_are_two_elsewhere(struct kunit *test)
{
	mount_counted(test, 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b"), 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/A/b"), -ENOENT);
	KUNIT_EXPECT_EQ(test, counted.calls, 3);
}

static void belief_ends_at_its_time(struct kunit *test)
{
	struct path before, after;

	counted.believe_until_ns = time_monotonic_ns() + 20 * NSEC_PER_MSEC;
	mount_counted(test, 0);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/a/b/c", 0, &root_cred, &before), 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 3);
	sleep_ns(25 * NSEC_PER_MSEC);
	counted.believe_until_ns = BELIEVE_FOREVER;
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/a/b/c", 0, &root_cred, &after), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 6);
	KUNIT_EXPECT_PTR_EQ_MSG(test, before.entry->node, after.entry->node,
				"the same file keeps its node");
	path_put(&after);
	path_put(&before);
}

static void another_file_of_the_same_name_is_another_node(struct kunit *test)
{
	struct path before, after;

	counted.believe_until_ns = 0;
	mount_counted(test, 0);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/a/b/c", 0, &root_cred, &before), 0);
	counted.generation = 2;
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/a/b/c", 0, &root_cred, &after), 0);
	KUNIT_EXPECT_PTR_NE(test, before.entry->node, after.entry->node);
	KUNIT_EXPECT_EQ(test, before.entry->node->attr.generation, 1);
	KUNIT_EXPECT_EQ(test, after.entry->node->attr.generation, 2);
	path_put(&after);
	counted.c_gone = true;
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), -ENOENT);
	path_put(&before);
}

static void many_elements_are_asked_for_at_once(struct kunit *test)
{
	mount_counted(test, TREE_WALK_MANY);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 1);
	KUNIT_EXPECT_EQ(test, counted.elements, 3);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 1);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/x/y/z"), -ENOENT);
	KUNIT_EXPECT_EQ(test, counted.calls, 2);
}

static void a_change_meanwhile_keeps_deeper_answers_out_of_the_cache(struct kunit *test)
{
	struct path path;

	mount_counted(test, TREE_WALK_MANY);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE, 0, &root_cred, &path), 0);
	atomic64_add(&path.mount->tree->changes_begun, 1); /* as if a rename were going on */
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 3);
	KUNIT_EXPECT_EQ(test, counted.elements, 3);
	atomic64_add(&path.mount->tree->changes_done, 1);
	path_put(&path);
}

static void shrinking_forgets_names_that_nobody_uses(struct kunit *test)
{
	struct path held;

	mount_counted(test, 0);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/a/b", 0, &root_cred, &held), 0);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ(test, counted.calls, 3);
	for (int i = 0; i < 3; i++) /* what was used lately is spared once */
		names_shrink(~0UL >> 20);
	KUNIT_EXPECT_EQ(test, find(PLACE "/a/b/c"), 0);
	KUNIT_EXPECT_EQ_MSG(test, counted.calls, 4,
			    "c was forgotten; a and b, which are held, were not");
	path_put(&held);
}

static int begin(struct kunit_suite *suite)
{
	struct node_new what = { .mode = S_IFDIR | 0755 };
	struct path parent;
	struct name last;
	int error = tree_type_register(&counted_type);

	if (error)
		return error;
	error = path_walk_parent(NULL, PLACE, 0, &root_cred, &parent, &last);
	if (!error) {
		error = path_create(&parent, &last, &what, &root_cred, NULL);
		path_put(&parent);
	}
	if (error)
		tree_type_unregister(&counted_type);
	return error;
}

static void end(struct kunit_suite *suite)
{
	struct path parent;
	struct name last;

	if (!path_walk_parent(NULL, PLACE, 0, &root_cred, &parent, &last)) {
		if (path_unlink(&parent, &last, true, &root_cred))
			pr_err("%s stays\n", PLACE);
		path_put(&parent);
	}
	tree_type_unregister(&counted_type);
}

/* Wherever in a word the digit is. */
static void names_that_differ_in_a_digit_spread_over_the_table(struct kunit *test)
{
	char name[] = "numbered-name";

	for (u32 length = 1; length < sizeof(name); length++) {
		char kept = name[length - 1];
		unsigned int count = 0;
		u64 seen = 0;

		for (char digit = '0'; digit <= '9'; digit++) {
			unsigned int bucket;

			name[length - 1] = digit;
			bucket = name_hash(name, length) % 64;
			count += !(seen & BIT(bucket));
			seen |= BIT(bucket);
		}
		name[length - 1] = kept;
		KUNIT_EXPECT_GE(test, count, 5);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(names_that_differ_in_a_digit_spread_over_the_table),
	KUNIT_CASE(a_name_found_once_is_not_asked_for_again),
	KUNIT_CASE(absence_is_remembered_only_where_the_tree_allows_it),
	KUNIT_CASE(what_may_not_be_believed_is_asked_for_each_time),
	KUNIT_CASE(names_of_another_case_are_one_where_the_tree_says_so),
	KUNIT_CASE(names_of_another_case_are_two_elsewhere),
	KUNIT_CASE(belief_ends_at_its_time),
	KUNIT_CASE(another_file_of_the_same_name_is_another_node),
	KUNIT_CASE(many_elements_are_asked_for_at_once),
	KUNIT_CASE(a_change_meanwhile_keeps_deeper_answers_out_of_the_cache),
	KUNIT_CASE(shrinking_forgets_names_that_nobody_uses),
	{},
};
static struct kunit_suite suite = { .name = "dcache",
				    .suite_init = begin,
				    .suite_exit = end,
				    .init = prepare,
				    .exit = unmount,
				    .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Tests of the name cache");
MODULE_LICENSE("MIT");
