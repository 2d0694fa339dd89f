/* Suite of character devices: opening by number, and removal while open. */
#include <kumo/device.h>
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <linux/poll.h>

static int opened, clunked;
static struct completion entered;

static int counted_open(struct file *file, const struct cred *cred)
{
	opened++;
	return 0;
}

static void counted_clunk(struct file *file)
{
	clunked++;
}

static ssize_t slow_read(struct file *file, struct iter *to, loff_t *pos)
{
	complete(&entered);
	sleep_ns(50 * NSEC_PER_MSEC);
	return 0;
}

static ssize_t plain_write(struct file *file, struct iter *from, loff_t *pos)
{
	return (ssize_t)from->count;
}

static const struct tree_ops ops = {
	.open = counted_open,
	.clunk = counted_clunk,
	.read = slow_read,
	.write = plain_write,
};

struct fixture {
	struct char_device device;
	struct node node;
	struct file file;
	bool registered;
};

static int make_device(struct kunit *test)
{
	struct fixture *fixture = kunit_kzalloc(test, sizeof(*fixture), GFP_KERNEL);
	int error;

	if (!fixture)
		return -ENOMEM;
	opened = clunked = 0;
	completion_init(&entered);
	fixture->device = (struct char_device){
		.name = "dev_test/thing",
		.number = device_number_alloc(),
		.mode = 0600,
		.ops = &ops,
		.owner = THIS_MODULE,
	};
	fixture->node.attr = (struct attr){ .mode = S_IFCHR | 0600, .rdev = fixture->device.number };
	fixture->file = (struct file){ .node = &fixture->node,
				       .mode = FILE_READ | FILE_WRITE,
				       .cred = current->cred };
	error = char_device_register(&fixture->device);
	fixture->registered = !error;
	test->priv = fixture;
	return error;
}

static void unregister(struct fixture *fixture)
{
	if (fixture->registered)
		char_device_unregister(&fixture->device);
	fixture->registered = false;
}

static void drop_device(struct kunit *test)
{
	if (test->priv)
		unregister(test->priv);
}

static void close_file(struct fixture *fixture)
{
	fixture->file.ops->clunk(&fixture->file);
	module_put(fixture->file.owner);
}

static void a_device_is_opened_by_its_number(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct iter iter;
	loff_t pos = 0;

	KUNIT_ASSERT_EQ(test, device_open(&fixture->file, current->cred), 0);
	KUNIT_EXPECT_EQ(test, opened, 1);
	KUNIT_EXPECT_PTR_EQ(test, fixture->file.private, &fixture->device);
	iter_init_kernel(&iter, "abc", 3);
	KUNIT_EXPECT_EQ(test, fixture->file.ops->write(&fixture->file, &iter, &pos), 3);
	close_file(fixture);
	KUNIT_EXPECT_EQ(test, clunked, 1);
}

static void a_number_is_given_once(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct char_device twin = fixture->device;

	twin.name = "dev_test/twin";
	KUNIT_EXPECT_EQ(test, char_device_register(&twin), -EBUSY);
	KUNIT_EXPECT_NE(test, device_number_alloc(), fixture->device.number);
}

static void numbers_are_encoded_as_user_space_does(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, device_make(1, 3), 0x103ULL);
	KUNIT_EXPECT_EQ(test, device_major(device_make(4095, 1048575)), 4095U);
	KUNIT_EXPECT_EQ(test, device_minor(device_make(4095, 1048575)), 1048575U);
	KUNIT_EXPECT_EQ(test, device_minor(device_make(259, 300)), 300U);
}

static void an_open_file_outlives_its_device(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct iter iter;
	loff_t pos = 0;

	KUNIT_ASSERT_EQ(test, device_open(&fixture->file, current->cred), 0);
	unregister(fixture);
	KUNIT_EXPECT_EQ(test, clunked, 1);
	iter_init_kernel(&iter, "abc", 3);
	KUNIT_EXPECT_EQ(test, fixture->file.ops->write(&fixture->file, &iter, &pos), -ENODEV);
	close_file(fixture);
	KUNIT_EXPECT_EQ(test, clunked, 1);
}

static int read_slowly(void *argument)
{
	struct fixture *fixture = argument;
	struct iter iter;
	loff_t pos = 0;
	char c;

	iter_init_kernel(&iter, &c, 1);
	return (int)fixture->file.ops->read(&fixture->file, &iter, &pos);
}

static void unregistering_waits_for_operations(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	struct thread *reader;
	u64 start_ns;

	KUNIT_ASSERT_EQ(test, device_open(&fixture->file, current->cred), 0);
	reader = kthread_run(read_slowly, fixture, "dev_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(reader));
	wait_for_completion(&entered);
	start_ns = time_monotonic_ns();
	unregister(fixture);
	KUNIT_EXPECT_GE(test, time_monotonic_ns() - start_ns, 30 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, kthread_stop(reader), 0);
	close_file(fixture);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_device_is_opened_by_its_number),
	KUNIT_CASE(a_number_is_given_once),
	KUNIT_CASE(numbers_are_encoded_as_user_space_does),
	KUNIT_CASE(an_open_file_outlives_its_device),
	KUNIT_CASE(unregistering_waits_for_operations),
	{},
};
static struct kunit_suite suite = {
	.name = "dev", .init = make_device, .exit = drop_device, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Suite of character devices");
