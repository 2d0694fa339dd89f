/* Which names are asked for ahead: a directory of names, asked for in some order, with what would ask the server played here. */
#define LOG_PREFIX "9p: "
#include <kumo/kunit.h>

#include "ahead.c"

enum { NAMES = 256 };

struct playground {
	struct client client;
	struct tree tree;
	struct node dir, file;
	struct inode inode;
	struct walk_ahead ahead;
	bool known[NAMES]; /* was asked for, or ahead */
	unsigned int batches, fetched, lists;
};

static struct playground *play;

static u32 name_text(char *text, unsigned int number)
{
	return (u32)scnprintf(text, 32, "file.%u", number);
}

static void list_names(bool begins)
{
	struct listed *listed = listed_create(NAMES * 32);
	char text[32];

	if (!listed)
		return;
	for (unsigned int i = 0; i < NAMES; i++)
		listed_add(listed, text, (u8)name_text(text, i));
	ahead_remember(&play->inode, listed, begins);
}

void directory_list(struct node *dir, const struct cred *cred)
{
	play->lists++;
	list_names(true);
}

void walk_siblings(struct node *dir, const struct name *names, unsigned int count,
		   struct node **nodes, const struct cred *cred)
{
	play->batches++;
	for (unsigned int i = 0; i < count; i++)
		nodes[i] = i % 7 == 6 ? ERR_PTR(-ENOENT) : &play->file;
}

static void learn(struct walk_ahead *ahead, const struct name *name, struct node *node)
{
	u64 number = NAMES;
	char text[32] = {};

	memcpy(text, name->text, min(name->length, (u32)sizeof(text) - 1));
	if (!parse_u64(text + 5, 10, &number) && number < NAMES)
		play->known[number] = true;
	play->fetched++;
}

/* A program asks for the file: the server is asked if it is not known. */
static void ask(unsigned int number)
{
	char text[32];
	struct name name = name_make(text, name_text(text, number));

	if (play->known[number])
		return;
	play->known[number] = true;
	ninep_walk_ahead(&play->dir, &name, &play->ahead, &root_cred);
}

static unsigned int unknown(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < NAMES; i++)
		count += !play->known[i];
	return count;
}

static int playground_make(struct kunit *test)
{
	play = kunit_kzalloc(test, sizeof(*play), GFP_KERNEL);
	if (!play)
		return -ENOMEM;
	spin_init(&play->client.lock, "9p_session");
	list_init(&play->client.listed);
	list_init(&play->inode.listed);
	play->client.options.cache = CACHE_LOOSE;
	play->inode.client = &play->client;
	play->tree.private = &play->client;
	play->dir.tree = &play->tree;
	play->dir.private = &play->inode;
	play->ahead.learn = learn;
	return 0;
}

static void playground_end(struct kunit *test)
{
	if (play)
		ahead_forget(&play->inode);
}

/* ---- Cases ---- */

static void files_in_the_order_of_the_list_are_asked_for_in_growing_batches(struct kunit *test)
{
	list_names(true);
	ask(0);
	KUNIT_EXPECT_EQ(test, play->batches, 0); /* one file is no order */
	ask(1);
	KUNIT_EXPECT_EQ(test, play->batches, 1);
	KUNIT_EXPECT_TRUE(test, play->known[2] && play->known[5] && !play->known[6]);
	for (unsigned int i = 2; i < NAMES; i++)
		ask(i);
	KUNIT_EXPECT_EQ(test, unknown(), 0);
	/* A seventh of the files are gone, which is asked for in vain, and ends nothing. */
	KUNIT_EXPECT_LT(test, play->batches, 60);
	KUNIT_EXPECT_TRUE(test, list_empty(&play->inode.listed)); /* nothing is remembered for longer */
	KUNIT_EXPECT_EQ(test, play->client.listed_bytes, 0);
}

static void a_few_files_here_and_there_are_no_order(struct kunit *test)
{
	list_names(true);
	for (unsigned int i = 0; i < NAMES / PART - 2; i++)
		ask(200 - 20 * (i % 10));
	KUNIT_EXPECT_EQ(test, play->fetched, 0);
}

static void who_asks_for_a_part_in_any_order_gets_the_rest(struct kunit *test)
{
	list_names(true);
	for (unsigned int i = 0; i < NAMES; i++)
		ask(i * 101 % NAMES);
	KUNIT_EXPECT_GT(test, play->fetched, NAMES / 2);
}

static void a_client_that_believes_nothing_goes_by_the_order(struct kunit *test)
{
	play->client.options.cache = CACHE_NONE;
	list_names(true);
	for (unsigned int i = 0; i < NAMES; i++)
		ask(i * 101 % NAMES);
	KUNIT_EXPECT_EQ(test, play->fetched, 0);
	KUNIT_EXPECT_EQ(test, play->lists, 0);
}

static void a_directory_that_nobody_lists_is_read_once(struct kunit *test)
{
	for (unsigned int i = 0; i < MISSES_TO_LIST - 1; i++)
		ask(i);
	KUNIT_EXPECT_EQ(test, play->lists, 0);
	for (unsigned int i = MISSES_TO_LIST - 1; i < NAMES; i++)
		ask(i);
	KUNIT_EXPECT_EQ(test, play->lists, 1);
	KUNIT_EXPECT_EQ(test, unknown(), 0);
}

static void memory_for_names_is_bounded(struct kunit *test)
{
	for (unsigned int i = 0; i < 1000; i++)
		list_names(false);
	KUNIT_EXPECT_GT(test, play->client.listed_bytes, 0);
	KUNIT_EXPECT_LE(test, play->client.listed_bytes, REMEMBERED_MAX);
	list_names(true); /* read anew: what was told before is forgotten */
	KUNIT_EXPECT_LT(test, play->client.listed_bytes, NAMES * 32);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(files_in_the_order_of_the_list_are_asked_for_in_growing_batches),
	KUNIT_CASE(a_few_files_here_and_there_are_no_order),
	KUNIT_CASE(who_asks_for_a_part_in_any_order_gets_the_rest),
	KUNIT_CASE(a_client_that_believes_nothing_goes_by_the_order),
	KUNIT_CASE(a_directory_that_nobody_lists_is_read_once),
	KUNIT_CASE(memory_for_names_is_bounded),
	{}
};
static struct kunit_suite suite = {
	.name = "9p_ahead", .init = playground_make, .exit = playground_end, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
