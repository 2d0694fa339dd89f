/* Suite of pseudo files: a small tree, walked and opened through its operations. */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/pseudo.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>

static int made; /* how often the text was made */
static char stored[32];

static int text_show(struct text *text, void *object)
{
	text_printf(text, "made %d for %s\n", ++made, object ? (const char *)object : "nobody");
	return 0;
}

static int words_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	return strscpy(stored, words, sizeof(stored)) < 0 ? -EINVAL : 0;
}

#define RECORDS 3000

static int records_next(struct text *text, void *object, u64 *cursor)
{
	text_printf(text, "%07llu\n", (unsigned long long)*cursor);
	return ++*cursor < RECORDS;
}

static int link_target(char *buffer, size_t size, void *object)
{
	return scnprintf(buffer, size, "text");
}

static const struct pseudo_file below[] = { PSEUDO_TEXT("deep", 0444, text_show), {} };
static const struct pseudo_file root[] = {
	PSEUDO_TEXT("text", 0444, text_show),
	PSEUDO_CONTROL("control", 0644, text_show, words_store),
	PSEUDO_RECORDS("records", 0444, records_next),
	PSEUDO_LINK("link", link_target),
	PSEUDO_DIRECTORY("below", 0555, below),
	{},
};

struct fixture {
	struct pseudo_tree *pseudo;
	struct tree tree;
	struct file file;
};

static int make_tree(struct kunit *test)
{
	struct fixture *fixture = kunit_kzalloc(test, sizeof(*fixture), GFP_KERNEL);

	made = 0;
	if (!fixture)
		return -ENOMEM;
	fixture->pseudo = pseudo_tree_create(root);
	if (!fixture->pseudo)
		return -ENOMEM;
	fixture->tree.ops = &pseudo_tree_ops;
	test->priv = fixture;
	return pseudo_tree_attach(&fixture->tree, fixture->pseudo);
}

static void drop_tree(struct kunit *test)
{
	struct fixture *fixture = test->priv;

	if (!fixture)
		return;
	node_put(fixture->tree.root);
	pseudo_tree_destroy(fixture->pseudo);
}

static struct name name_made(const char *text)
{
	return (struct name){ .text = text, .length = (u32)strlen(text) };
}

/* The node of a path of one or two names; ERR_PTR. */
static struct node *find(struct kunit *test, const char *first, const char *second)
{
	struct fixture *fixture = test->priv;
	struct name names[2] = { name_made(first), name_made(second ? second : "") };
	struct node *nodes[2];
	u64 negative_until_ns = 0;
	int count = second ? 2 : 1;
	int reached = pseudo_walk(fixture->tree.root, names, (unsigned int)count, nodes,
				  &negative_until_ns, current->cred);

	if (reached < 0)
		return ERR_PTR(reached);
	for (int i = 0; i < reached - 1; i++)
		node_put(nodes[i]);
	if (reached < count) {
		node_put(nodes[reached - 1]);
		return ERR_PTR(-ENOENT);
	}
	return nodes[count - 1];
}

/* Opens a node in the fixture's file; takes the node over. */
static int open_node(struct kunit *test, struct node *node, u32 mode)
{
	struct fixture *fixture = test->priv;

	fixture->file =
		(struct file){ .node = node, .ops = node->ops, .mode = mode, .cred = current->cred };
	return pseudo_open(&fixture->file, current->cred);
}

static void close_node(struct kunit *test)
{
	struct fixture *fixture = test->priv;

	pseudo_clunk(&fixture->file);
	node_put(fixture->file.node);
}

static ssize_t read_at(struct kunit *test, char *buffer, size_t size, loff_t pos)
{
	struct fixture *fixture = test->priv;
	struct iter iter;

	iter_init_kernel(&iter, buffer, size);
	return pseudo_read(&fixture->file, &iter, &pos);
}

static void text_is_read_in_parts_and_made_once(struct kunit *test)
{
	struct node *node = find(test, "text", NULL);
	char buffer[64] = "";

	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_ASSERT_EQ(test, open_node(test, node, FILE_READ), 0);
	KUNIT_EXPECT_EQ(test, read_at(test, buffer, 6, 0), 6);
	KUNIT_EXPECT_EQ(test, read_at(test, buffer + 6, 50, 6), 12);
	KUNIT_EXPECT_STREQ(test, buffer, "made 1 for nobody\n");
	KUNIT_EXPECT_EQ(test, read_at(test, buffer, 50, 18), 0);
	KUNIT_EXPECT_EQ(test, made, 1);
	KUNIT_EXPECT_EQ(test, read_at(test, buffer, 50, 0), 18);
	KUNIT_EXPECT_EQ(test, made, 2);
	close_node(test);
}

static void long_files_are_made_piece_by_piece(struct kunit *test)
{
	struct node *node = find(test, "records", NULL);
	char buffer[1000], wanted[16];
	ssize_t total = 0, part;

	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_ASSERT_EQ(test, open_node(test, node, FILE_READ), 0);
	while ((part = read_at(test, buffer, sizeof(buffer), total)) > 0)
		total += part;
	KUNIT_EXPECT_EQ(test, total, RECORDS * 8);
	/* Back and forth. */
	KUNIT_EXPECT_EQ(test, read_at(test, buffer, 8, 2999 * 8), 8);
	KUNIT_EXPECT_EQ(test, memcmp(buffer, "0002999\n", 8), 0);
	snprintf(wanted, sizeof(wanted), "%07d\n", 5);
	KUNIT_EXPECT_EQ(test, read_at(test, buffer, 8, 5 * 8), 8);
	KUNIT_EXPECT_EQ(test, memcmp(buffer, wanted, 8), 0);
	close_node(test);
}

static void a_control_file_takes_a_line(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct node *node = find(test, "control", NULL);
	struct iter iter;
	loff_t pos = 0;

	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_ASSERT_EQ(test, open_node(test, node, FILE_WRITE), 0);
	iter_init_kernel(&iter, "go left\n", 8);
	KUNIT_EXPECT_EQ(test, pseudo_write(&fixture->file, &iter, &pos), 8);
	KUNIT_EXPECT_STREQ(test, stored, "go left");
	close_node(test);
}

static void what_cannot_be_written_is_not_opened_for_writing(struct kunit *test)
{
	struct node *node = find(test, "text", NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_EXPECT_EQ(test, open_node(test, node, FILE_WRITE), -EACCES);
	node_put(node);
}

static void links_and_folders_are_found(struct kunit *test)
{
	struct node *node = find(test, "link", NULL);
	struct path path;
	char buffer[16];

	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_EXPECT_EQ(test, pseudo_readlink(node, buffer, sizeof(buffer), current->cred), 4);
	KUNIT_EXPECT_EQ(test, pseudo_follow(node, &path, current->cred), -EOPNOTSUPP);
	node_put(node);
	node = find(test, "below", "deep");
	KUNIT_EXPECT_FALSE(test, IS_ERR(node));
	if (!IS_ERR(node))
		node_put(node);
	KUNIT_EXPECT_EQ(test, PTR_ERR(find(test, "above", NULL)), -ENOENT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(find(test, "text", "deep")), -ENOENT);
}

static void a_name_keeps_its_identity(struct kunit *test)
{
	struct node *first = find(test, "below", "deep"), *again = find(test, "below", "deep"),
		    *other = find(test, "text", NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(first) || IS_ERR(again) || IS_ERR(other));
	KUNIT_EXPECT_EQ(test, first->attr.id, again->attr.id);
	KUNIT_EXPECT_NE(test, first->attr.id, other->attr.id);
	node_put(first);
	node_put(again);
	node_put(other);
}

static void added_directories_come_and_go(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct pseudo_directory *parent = pseudo_directory_path(fixture->pseudo, "below/more"),
				*directory;
	struct node *node;
	char buffer[64] = "";

	KUNIT_ASSERT_NOT_NULL(test, parent);
	KUNIT_EXPECT_PTR_EQ(test, pseudo_directory_path(fixture->pseudo, "below/more"), parent);
	directory = pseudo_directory_add(fixture->pseudo, NULL, "thing", below, "me");
	KUNIT_ASSERT_FALSE(test, IS_ERR(directory));
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(pseudo_directory_add(fixture->pseudo, NULL, "thing", below, NULL)),
			-EEXIST);
	/* What the table had there is still there. */
	node = find(test, "below", "deep");
	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	node_put(node);

	node = find(test, "thing", "deep");
	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_ASSERT_EQ(test, open_node(test, node, FILE_READ), 0);
	KUNIT_EXPECT_EQ(test, read_at(test, buffer, 50, 0), 14);
	KUNIT_EXPECT_STREQ(test, buffer, "made 1 for me\n");
	pseudo_directory_remove(directory);
	KUNIT_EXPECT_EQ(test, read_at(test, buffer, 50, 0), -ENODEV);
	KUNIT_EXPECT_EQ(test, made, 1);
	close_node(test);
	KUNIT_EXPECT_EQ(test, PTR_ERR(find(test, "thing", NULL)), -ENOENT);
}

/* A reader that is inside when the directory goes. */
static struct completion entered;
static bool left;

static int slow_show(struct text *text, void *object)
{
	complete(&entered);
	sleep_ns(50 * NSEC_PER_MSEC);
	WRITE_ONCE(left, true);
	return 0;
}

static const struct pseudo_file slow_files[] = { PSEUDO_TEXT("slow", 0444, slow_show), {} };

static int read_slowly(void *argument)
{
	char c;

	return (int)read_at(argument, &c, 1, 0);
}

static void removal_waits_for_readers(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct pseudo_directory *directory =
		pseudo_directory_add(fixture->pseudo, NULL, "slow", slow_files, NULL);
	struct thread *reader;
	struct node *node;

	KUNIT_ASSERT_FALSE(test, IS_ERR(directory));
	completion_init(&entered);
	left = false;
	node = find(test, "slow", "slow");
	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_ASSERT_EQ(test, open_node(test, node, FILE_READ), 0);
	reader = kthread_run(read_slowly, test, "pseudo_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(reader));
	wait_for_completion(&entered);
	pseudo_directory_remove(directory);
	KUNIT_EXPECT_TRUE(test, left);
	KUNIT_EXPECT_EQ(test, kthread_stop(reader), 0);
	close_node(test);
}

static void a_number_is_filled_to_its_width(struct kunit *test)
{
	struct text text = {};

	text_number(&text, 0, 10, 0, ' ');
	text_number(&text, 1234567, 10, 4, ' ');
	text_number(&text, 42, 10, 5, ' ');
	text_number(&text, 0xbeef, 16, 8, '0');
	text_number(&text, ~0ULL, 16, 1, '0');
	text_putc(&text, '\0');
	KUNIT_EXPECT_STREQ(test, text.data, "01234567   420000beefffffffffffffffff");
	text_release(&text);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(text_is_read_in_parts_and_made_once),
	KUNIT_CASE(long_files_are_made_piece_by_piece),
	KUNIT_CASE(a_control_file_takes_a_line),
	KUNIT_CASE(what_cannot_be_written_is_not_opened_for_writing),
	KUNIT_CASE(links_and_folders_are_found),
	KUNIT_CASE(a_name_keeps_its_identity),
	KUNIT_CASE(a_number_is_filled_to_its_width),
	KUNIT_CASE(added_directories_come_and_go),
	KUNIT_CASE(removal_waits_for_readers),
	{},
};
static struct kunit_suite suite = {
	.name = "pseudo", .init = make_tree, .exit = drop_tree, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Suite of pseudo files");
