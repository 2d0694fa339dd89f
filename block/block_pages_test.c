/*
 * Suite of block/pages.c: the pages of one file, whose bytes lie on a disk of memory with blocks smaller than a page. The disk holds commands
 * back on demand, so that the file may change while pages are on their way.
 */
#include <kumo/block.h>
#include <kumo/block_pages.h>
#include <kumo/device.h>
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/mount.h>
#include <kumo/namespace.h>
#include <kumo/page.h>
#include <kumo/pagecache.h>
#include <kumo/thread.h>
#include <kumo/writeback.h>

#define PLACE "/pages-under-test"
enum { BLOCK = 1024, DISK_BYTES = 64 << 10, HELD_MAX = 16, FOREIGN = 0x5e };

static struct {
	struct block_disk *disk;
	char bytes[DISK_BYTES];
	bool hold; /* commands stay until released */
	struct block_command *held[HELD_MAX];
	unsigned int held_count;
	int map_error;	   /* of the next map() for writing */
	u64 written_until; /* how far written() was told at most */
} fake;

static void execute(struct block_command *command)
{
	struct block_piece_iter iter;
	char *at = fake.bytes + command->position;
	void *data;
	u32 size;

	block_piece_iter_init(&iter, command);
	for (; block_piece_next(&iter, &data, &size); at += size) {
		if (command->operation == BLOCK_READ)
			memcpy(data, at, size);
		else
			memcpy(at, data, size);
	}
	block_command_done(command, 0);
}

static int fake_queue(struct block_command *command)
{
	if (fake.hold && fake.held_count < HELD_MAX)
		fake.held[fake.held_count++] = command;
	else
		execute(command);
	return 0;
}

static void release_held(void)
{
	unsigned int count = fake.held_count;

	fake.hold = false;
	fake.held_count = 0;
	for (unsigned int i = 0; i < count; i++)
		execute(fake.held[i]);
}

static const struct block_disk_ops fake_ops = { .queue = fake_queue };

/* ---- The tree: its root is the file, which lies on the disk as it is ---- */

static struct block_device *fake_device(struct node *node)
{
	return fake.disk->whole;
}

/* Block by block, so that what is behind the file's last one is not transferred. */
static int fake_map(struct node *node, u64 offset, u64 length, bool create, struct block_extent *extent)
{
	int error = create ? fake.map_error : 0;
	u64 first = ALIGN_DOWN(offset, (u64)BLOCK);

	if (create)
		fake.map_error = 0;
	*extent = (struct block_extent){ first, BLOCK, first, EXTENT_MAPPED };
	return error;
}

static int fake_written(struct node *node, u64 offset, u64 length)
{
	fake.written_until = max(fake.written_until, offset + length);
	return 0;
}

static const struct block_map_ops fake_block_map = { fake_device, fake_map, fake_written };

static int fake_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	node_setattr_copy(node, change);
	if (change->valid & SETATTR_SIZE) /* it only grows here */
		node_set_size(node, change->size);
	return 0;
}

static int fake_fsync(struct file *file, bool data_only)
{
	return 0;
}

static int fake_attach(struct tree *tree, const struct cred *cred)
{
	struct attr attr = {
		.id = 1, .mode = S_IFREG | 0644, .nlink = 1, .believe_until_ns = BELIEVE_FOREVER
	};

	tree->root = node_alloc(tree, &attr, NULL);
	return tree->root ? 0 : -ENOMEM;
}

static const struct tree_ops fake_tree_ops = {
	.attach = fake_attach,
	.setattr = fake_setattr,
	.read = page_cache_read,
	.write = page_cache_write,
	.fsync = fake_fsync,
	.read_pages = block_read_pages,
	.write_pages = block_write_pages,
	.block_map = &fake_block_map,
};

static struct tree_type fake_type = { .name = "pages-test", .ops = &fake_tree_ops, .owner = THIS_MODULE };

static int begin(struct kunit *test)
{
	static const struct block_disk_description description = {
		.name = "fake1",
		.ops = &fake_ops,
		.owner = THIS_MODULE,
		.queue_count = 1,
		.depth = HELD_MAX,
		.size_bytes = DISK_BYTES,
		.no_partitions = true,
		.limits = { .logical_block_size = 512,
			    .physical_block_size = 512,
			    .pieces_max = 8,
			    .piece_bytes_max = 1 << 16,
			    .command_bytes_max = 1 << 16 },
	};

	memset(&fake, 0, sizeof(fake));
	memset(fake.bytes, FOREIGN, sizeof(fake.bytes));
	fake.disk = block_disk_create(&description);
	return IS_ERR(fake.disk) ? (int)PTR_ERR(fake.disk)
				 : kernel_mount("pages-test", "none", PLACE, 0, NULL);
}

static void end(struct kunit *test)
{
	struct path path;

	if (!path_walk(NULL, PLACE, 0, &root_cred, &path)) {
		if (mount_detach(&path, 0))
			kunit_err(test, "%s stays mounted\n", PLACE);
		path_put(&path);
	}
	block_disk_stop(fake.disk);
	block_disk_unregister(fake.disk);
	block_disk_put(fake.disk);
}

static struct file *file_of_size(struct kunit *test, u64 size)
{
	struct file *file = file_open_name(PLACE, O_RDWR, 0, &root_cred);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	node_set_size(file->node, size);
	return file;
}

/* What the file has at `at`. */
static int byte_at(struct kunit *test, struct file *file, loff_t at)
{
	u8 byte = 0;

	KUNIT_EXPECT_EQ(test, kernel_read(file, &byte, 1, &at), 1);
	return byte;
}

/* ---- The cases ---- */

static void what_a_mapping_left_behind_the_end_does_not_reach_the_disk(struct kunit *test)
{
	struct file *file = file_of_size(test, 100);
	struct page *page = page_cache_get(node_page_cache(file->node), 0, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	memset(page_address(page), 'm', PAGE_SIZE); /* as a store through a mapping may */
	page_cache_mark_dirty(page);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, fake.bytes[99], 'm');
	KUNIT_EXPECT_EQ(test, fake.bytes[100], 0);
	KUNIT_EXPECT_EQ(test, fake.bytes[BLOCK - 1], 0);
	KUNIT_EXPECT_EQ(test, fake.bytes[BLOCK], FOREIGN);
	KUNIT_EXPECT_EQ(test, ((char *)page_address(page))[100], 'm');
	page_put(page);
	file_put(file);
}

static int read_first(void *arg)
{
	u8 byte = 0;
	loff_t at = 0;

	return kernel_read(arg, &byte, 1, &at) == 1 ? byte : -EIO;
}

static void a_file_that_grows_while_it_is_read_has_zeros_there(struct kunit *test)
{
	struct file *file = file_of_size(test, 100);
	struct attr_change change = { .valid = SETATTR_SIZE, .size = PAGE_SIZE };
	struct thread *reader;

	fake.hold = true;
	reader = kthread_run(read_first, file, "reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader));
	while (!READ_ONCE(fake.held_count))
		sleep_ns(NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, node_setattr(file->node, &change, &root_cred), 0);
	release_held();
	KUNIT_EXPECT_EQ(test, kthread_stop(reader), FOREIGN);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, 99), FOREIGN);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, 100), 0);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, BLOCK), 0);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, PAGE_SIZE - 1), 0);
	file_put(file);
}

static void what_was_not_written_is_not_said_to_be(struct kunit *test)
{
	struct file *file = file_of_size(test, 0);
	struct page_cache *cache = node_page_cache(file->node);
	loff_t pos = 0;

	KUNIT_EXPECT_EQ(test, kernel_write(file, "first", 5, &pos), 5);
	fake.hold = true;
	page_cache_write_out(cache, 0, 0);
	pos = BLOCK;
	KUNIT_EXPECT_EQ(test, kernel_write(file, "second", 6, &pos), 6);
	release_held();
	while (READ_ONCE(cache->writeback_pages))
		sleep_ns(NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, fake.written_until, 5);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, fake.written_until, BLOCK + 6);
	KUNIT_EXPECT_EQ(test, fake.bytes[BLOCK], 's');
	file_put(file);
}

static void what_a_killed_thread_could_not_write_stays_dirty(struct kunit *test)
{
	struct file *file = file_of_size(test, 0);
	struct page_cache *cache = node_page_cache(file->node);
	loff_t pos = 0;

	KUNIT_EXPECT_EQ(test, kernel_write(file, "kept", 4, &pos), 4);
	fake.map_error = -EINTR;
	page_cache_write_out(cache, 0, 0);
	while (READ_ONCE(cache->writeback_pages))
		sleep_ns(NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, fake.bytes[0], FOREIGN);
	KUNIT_EXPECT_EQ(test, cache->dirty_pages, 1UL);
	fake.map_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, fake.bytes[0], 'k');
	KUNIT_EXPECT_EQ(test, cache->dirty_pages, 0UL);
	file_put(file);
}

static int start_suite(struct kunit_suite *suite)
{
	struct file *place = file_open_name(PLACE, O_CREAT | O_RDWR, 0644, &root_cred);
	int error = tree_type_register(&fake_type);

	if (IS_ERR(place))
		return (int)PTR_ERR(place);
	file_put(place);
	return error;
}

static void end_suite(struct kunit_suite *suite)
{
	struct path parent;
	struct name last;

	tree_type_unregister(&fake_type);
	if (path_walk_parent(NULL, PLACE, 0, &root_cred, &parent, &last))
		return;
	if (path_unlink(&parent, &last, false, &root_cred))
		pr_err("%s stays\n", PLACE);
	path_put(&parent);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_a_mapping_left_behind_the_end_does_not_reach_the_disk),
	KUNIT_CASE(a_file_that_grows_while_it_is_read_has_zeros_there),
	KUNIT_CASE(what_was_not_written_is_not_said_to_be),
	KUNIT_CASE(what_a_killed_thread_could_not_write_stays_dirty),
	{},
};

static struct kunit_suite suite = {
	.name = "block_pages_test",
	.init = begin,
	.exit = end,
	.suite_init = start_suite,
	.suite_exit = end_suite,
	.test_cases = cases,
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
