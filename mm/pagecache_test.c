/*
 * The page cache above a tree that keeps its bytes elsewhere: here in a buffer of the suite, which answers at once or from a
 * worker, and fails on demand. The tree's root is its one file; it is mounted on a file.
 */
#include <kumo/act.h>
#include <kumo/error_sequence.h>
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/mount.h>
#include <kumo/namespace.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/work.h>
#include <kumo/writeback.h>

#define PLACE "/cache-under-test"
enum { PAGES = 300, BYTES = PAGES * PAGE_SIZE, QUEUE = 512 };

static struct {
	char *bytes; /* what is stable */
	bool later;  /* transfers end in a worker */
	bool held;   /* and the worker is not asked yet */
	bool fail_reads, fail_writes;
	int room; /* pages that can be reserved; -1: any number */
	unsigned int reads, writes, pages_read, pages_written, attr_changes;
	spinlock_t lock;
	struct {
		struct page *page;
		bool write;
	} queue[QUEUE];
	unsigned int queued;
	struct work work;
} backing;

static void transfer(struct page *page, bool write)
{
	char *stable = backing.bytes + (page->index << PAGE_SHIFT);

	if (write && !backing.fail_writes)
		memcpy(stable, page_address(page), PAGE_SIZE);
	else if (!write && !backing.fail_reads)
		memcpy(page_address(page), stable, PAGE_SIZE);
	if (write)
		page_write_done(page, backing.fail_writes ? -EIO : 0);
	else
		page_read_done(page, backing.fail_reads ? -EIO : 0);
}

static void transfer_queued(struct work *work)
{
	struct page *page;
	bool write;

	for (;;) {
		spin_lock(&backing.lock);
		if (!backing.queued) {
			spin_unlock(&backing.lock);
			return;
		}
		backing.queued--;
		page = backing.queue[backing.queued].page;
		write = backing.queue[backing.queued].write;
		spin_unlock(&backing.lock);
		transfer(page, write);
	}
}

static void submit(struct page **pages, unsigned int count, bool write)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!backing.later) {
			transfer(pages[i], write);
			continue;
		}
		spin_lock(&backing.lock);
		backing.queue[backing.queued].page = pages[i];
		backing.queue[backing.queued].write = write;
		backing.queued++;
		spin_unlock(&backing.lock);
	}
	if (backing.later && !backing.held)
		work_queue(&backing.work);
}

static void test_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	backing.reads++;
	backing.pages_read += count;
	submit(pages, count, false);
}

static void test_write_pages(struct node *node, struct page **pages, unsigned int count)
{
	backing.writes++;
	backing.pages_written += count;
	submit(pages, count, true);
}

static int test_reserve_pages(struct node *node, u64 index, unsigned int count, const struct cred *cred)
{
	if (backing.room >= 0 && (unsigned int)backing.room < count)
		return -ENOSPC;
	if (backing.room >= 0)
		backing.room -= (int)count;
	return 0;
}

static void test_attr_changed(struct node *node)
{
	backing.attr_changes++;
}

static int test_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	u64 old = node_size(node);
	int error = 0;

	node_setattr_copy(node, change);
	if (!(change->valid & SETATTR_SIZE))
		return 0;
	node_set_size(node, change->size);
	if (change->size < old && node->cache)
		error = page_cache_truncate(node->cache, change->size);
	if (change->size < old)
		memset(backing.bytes + change->size, 0xee, BYTES - change->size); /* somebody else's */
	return error;
}

static int test_fsync(struct file *file, bool data_only)
{
	return 0;
}

static int test_attach(struct tree *tree, const struct cred *cred)
{
	struct attr attr = {
		.id = 1, .mode = S_IFREG | 0644, .nlink = 1, .size = BYTES, .believe_until_ns = BELIEVE_FOREVER
	};

	tree->root = node_alloc(tree, &attr, NULL);
	return tree->root ? 0 : -ENOMEM;
}

static const struct tree_ops test_ops = {
	.attach = test_attach,
	.setattr = test_setattr,
	.read = page_cache_read,
	.write = page_cache_write,
	.fsync = test_fsync,
	.read_pages = test_read_pages,
	.write_pages = test_write_pages,
	.reserve_pages = test_reserve_pages,
	.attr_changed = test_attr_changed,
};

static struct tree_type test_type = { .name = "cache-test", .ops = &test_ops, .owner = THIS_MODULE };

static int begin(struct kunit *test)
{
	memset(&backing, 0, sizeof(backing));
	spin_init(&backing.lock, "backing");
	work_init(&backing.work, transfer_queued);
	backing.room = -1;
	backing.bytes = kmalloc(BYTES, GFP_KERNEL);
	if (!backing.bytes)
		return -ENOMEM;
	for (unsigned int i = 0; i < PAGES; i++)
		memset(backing.bytes + i * PAGE_SIZE, (int)(i % 200) + 1, PAGE_SIZE);
	return kernel_mount("cache-test", "none", PLACE, 0, NULL);
}

static void end(struct kunit *test)
{
	struct path path;

	if (!path_walk(NULL, PLACE, 0, &root_cred, &path)) {
		if (mount_detach(&path, 0))
			kunit_err(test, "%s stays mounted\n", PLACE);
		path_put(&path);
	}
	kfree(backing.bytes);
}

static struct file *open_file(struct kunit *test)
{
	struct file *file = file_open_name(PLACE, O_RDWR, 0, &root_cred);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	return file;
}

static char byte_at(struct kunit *test, struct file *file, loff_t pos)
{
	char byte = 0;

	KUNIT_EXPECT_EQ(test, kernel_read(file, &byte, 1, &pos), 1);
	return byte;
}

static void put_bytes(struct kunit *test, struct file *file, loff_t pos, char byte, size_t count)
{
	char *bytes = kunit_kzalloc(test, count, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	memset(bytes, byte, count);
	KUNIT_EXPECT_EQ(test, kernel_write(file, bytes, count, &pos), (ssize_t)count);
}

static void a_file_read_in_order_is_read_ahead_in_growing_batches(struct kunit *test)
{
	struct file *file = open_file(test);

	for (unsigned int i = 0; i < PAGES; i++)
		KUNIT_EXPECT_EQ(test, byte_at(test, file, (loff_t)i << PAGE_SHIFT), (char)(i % 200 + 1));
	KUNIT_EXPECT_EQ(test, backing.pages_read, PAGES);
	KUNIT_EXPECT_LT(test, backing.reads, 15);
	file_put(file);
}

static void reading_here_and_there_reads_what_is_asked_for(struct kunit *test)
{
	struct file *file = open_file(test);

	for (unsigned int i = 0; i < 50; i++)
		(void)byte_at(test, file, (loff_t)(i * 37 % PAGES + 1) % PAGES << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, backing.pages_read, 50);
	file_put(file);
}

static void transfers_may_end_later(struct kunit *test)
{
	struct file *file = open_file(test);

	backing.later = true;
	for (unsigned int i = 0; i < PAGES; i += 3)
		KUNIT_EXPECT_EQ(test, byte_at(test, file, (loff_t)i << PAGE_SHIFT), (char)(i % 200 + 1));
	put_bytes(test, file, 5000, 'x', 100000);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, backing.bytes[5000], 'x');
	KUNIT_EXPECT_EQ(test, backing.bytes[104999], 'x');
	KUNIT_EXPECT_EQ(test, backing.bytes[105000], (char)(105000 / PAGE_SIZE + 1));
	file_put(file);
}

static void what_is_overwritten_whole_is_not_read(struct kunit *test)
{
	struct file *file = open_file(test);

	put_bytes(test, file, 0, 'w', 16 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, backing.pages_read, 0);
	put_bytes(test, file, 20 * PAGE_SIZE + 1, 'p', 10);
	KUNIT_EXPECT_EQ(test, backing.pages_read, 1);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, 20 * PAGE_SIZE), 21);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, 20 * PAGE_SIZE + 1), 'p');
	file_put(file);
}

static void a_sync_writes_each_dirty_page_once_in_long_runs(struct kunit *test)
{
	struct file *file = open_file(test);

	put_bytes(test, file, 0, 'w', 64 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, backing.pages_written, 0);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, backing.pages_written, 64);
	KUNIT_EXPECT_EQ(test, backing.writes, 1);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, backing.pages_written, 64);
	put_bytes(test, file, 3 * PAGE_SIZE, 'y', 1);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, backing.pages_written, 65);
	file_put(file);
}

static void the_last_unmount_writes_what_is_dirty(struct kunit *test)
{
	struct file *file = open_file(test);
	struct path path;

	backing.later = true;
	put_bytes(test, file, 0, 'u', 100 * PAGE_SIZE);
	file_put(file);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE, 0, &root_cred, &path), 0);
	KUNIT_EXPECT_EQ(test, mount_detach(&path, 0), 0);
	path_put(&path);
	KUNIT_EXPECT_EQ(test, backing.pages_written, 100);
	KUNIT_EXPECT_EQ(test, backing.bytes[99 * PAGE_SIZE], 'u');
	KUNIT_ASSERT_EQ(test, kernel_mount("cache-test", "none", PLACE, 0, NULL), 0);
}

static void a_failed_write_is_told_once_to_each_open_file(struct kunit *test)
{
	struct file *one = open_file(test), *other = open_file(test), *third;

	put_bytes(test, one, 0, 'e', PAGE_SIZE);
	backing.fail_writes = true;
	KUNIT_EXPECT_EQ(test, file_sync(one, false), -EIO);
	KUNIT_EXPECT_EQ(test, file_sync(one, false), 0);
	backing.fail_writes = false;
	third = open_file(test);
	KUNIT_EXPECT_EQ(test, file_sync(other, false), -EIO);
	KUNIT_EXPECT_EQ(test, file_sync(other, false), 0);
	KUNIT_EXPECT_EQ(test, file_sync(third, false), 0);
	file_put(third);
	file_put(other);
	file_put(one);
}

static void an_error_that_nobody_saw_is_told_to_who_opens_next(struct kunit *test)
{
	struct file *file = open_file(test);

	put_bytes(test, file, 0, 'e', PAGE_SIZE);
	backing.fail_writes = true;
	KUNIT_EXPECT_EQ(test, page_cache_sync(file->node->cache, 0, ~0ULL), 0);
	file_put(file);
	file = open_file(test);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), -EIO);
	file_put(file);
}

static void a_failed_read_is_EIO_and_may_succeed_later(struct kunit *test)
{
	struct file *file = open_file(test);
	loff_t pos = 0;
	char byte;

	backing.fail_reads = true;
	KUNIT_EXPECT_EQ(test, kernel_read(file, &byte, 1, &pos), -EIO);
	backing.fail_reads = false;
	KUNIT_EXPECT_EQ(test, byte_at(test, file, 0), 1);
	file_put(file);
}

static void without_room_a_write_fails_and_what_fits_is_written(struct kunit *test)
{
	struct file *file = open_file(test);
	loff_t pos = 0;

	backing.room = 0;
	KUNIT_EXPECT_EQ(test, kernel_write(file, "x", 1, &pos), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pos, 0);
	backing.room = 1;
	KUNIT_EXPECT_EQ(test, kernel_write(file, "x", 1, &pos), 1);
	file_put(file);
}

static void what_truncation_cuts_off_reads_as_zeros_when_the_file_grows_again(struct kunit *test)
{
	struct file *file = open_file(test);

	put_bytes(test, file, 0, 't', 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, file_truncate(file, PAGE_SIZE + 10, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, file_truncate(file, PAGE_SIZE + 1000, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, PAGE_SIZE + 9), 't');
	KUNIT_EXPECT_EQ(test, byte_at(test, file, PAGE_SIZE + 10), 0);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, PAGE_SIZE + 999), 0);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, backing.bytes[PAGE_SIZE + 10], 0);
	file_put(file);
}

static void clean_pages_are_given_back_and_read_again(struct kunit *test)
{
	struct file *file = open_file(test);

	for (unsigned int i = 0; i < PAGES; i++)
		(void)byte_at(test, file, (loff_t)i << PAGE_SHIFT);
	put_bytes(test, file, 7 * PAGE_SIZE, 'd', 1);
	KUNIT_EXPECT_EQ(test, memory_drop_caches(), 0);
	KUNIT_EXPECT_LT(test, file->node->cache->page_count, PAGES / 10);
	KUNIT_EXPECT_EQ(test, byte_at(test, file, 7 * PAGE_SIZE), 'd'); /* written out for it, or kept */
	KUNIT_EXPECT_EQ(test, byte_at(test, file, 8 * PAGE_SIZE), 9);
	file_put(file);
}

static void changes_of_attributes_are_told_once_until_they_are_taken(struct kunit *test)
{
	struct file *file = open_file(test);

	put_bytes(test, file, 0, 'a', 1);
	put_bytes(test, file, 0, 'a', 1);
	KUNIT_EXPECT_EQ(test, backing.attr_changes, 1);
	KUNIT_EXPECT_TRUE(test, node_attr_clean(file->node));
	KUNIT_EXPECT_FALSE(test, node_attr_clean(file->node));
	put_bytes(test, file, 0, 'a', 1);
	KUNIT_EXPECT_EQ(test, backing.attr_changes, 2);
	file_put(file);
}

static int make_shorter(void *file)
{
	struct attr_change change = { .valid = SETATTR_SIZE, .size = PAGE_SIZE };

	return node_setattr(((struct file *)file)->node, &change, &root_cred);
}

static void who_waits_for_a_page_that_is_written_can_be_killed(struct kunit *test)
{
	struct file *file = open_file(test);
	struct thread *thread;

	put_bytes(test, file, PAGE_SIZE, 'a', PAGE_SIZE);
	backing.later = backing.held = true;
	page_cache_write_out(file->node->cache, 0, ~0ULL);
	thread = kthread_run(make_shorter, file, "make_shorter");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	while (node_size(file->node) != PAGE_SIZE)
		sleep_ns(NSEC_PER_MSEC);
	thread_cancel(thread);
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), -EINTR);
	work_queue(&backing.work);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	file_put(file);
}

static int begin_suite(struct kunit_suite *suite)
{
	struct file *file = file_open_name(PLACE, O_CREAT | O_RDWR, 0644, &root_cred);

	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	file_put(file);
	return tree_type_register(&test_type);
}

static void end_suite(struct kunit_suite *suite)
{
	struct path parent;
	struct name last;

	tree_type_unregister(&test_type);
	if (path_walk_parent(NULL, PLACE, 0, &root_cred, &parent, &last))
		return;
	if (path_unlink(&parent, &last, false, &root_cred))
		pr_err("%s stays\n", PLACE);
	path_put(&parent);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_file_read_in_order_is_read_ahead_in_growing_batches),
	KUNIT_CASE(reading_here_and_there_reads_what_is_asked_for),
	KUNIT_CASE(transfers_may_end_later),
	KUNIT_CASE(what_is_overwritten_whole_is_not_read),
	KUNIT_CASE(a_sync_writes_each_dirty_page_once_in_long_runs),
	KUNIT_CASE(the_last_unmount_writes_what_is_dirty),
	KUNIT_CASE(a_failed_write_is_told_once_to_each_open_file),
	KUNIT_CASE(an_error_that_nobody_saw_is_told_to_who_opens_next),
	KUNIT_CASE(a_failed_read_is_EIO_and_may_succeed_later),
	KUNIT_CASE(without_room_a_write_fails_and_what_fits_is_written),
	KUNIT_CASE(what_truncation_cuts_off_reads_as_zeros_when_the_file_grows_again),
	KUNIT_CASE(clean_pages_are_given_back_and_read_again),
	KUNIT_CASE(changes_of_attributes_are_told_once_until_they_are_taken),
	KUNIT_CASE(who_waits_for_a_page_that_is_written_can_be_killed),
	{},
};

static struct kunit_suite suite = {
	.name = "pagecache",
	.suite_init = begin_suite,
	.suite_exit = end_suite,
	.init = begin,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of the page cache over a tree with a store of its own");
MODULE_LICENSE("MIT");
