/* Suite of pipes. */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/pipe.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <linux/poll.h>

struct ends {
	struct file *read, *write;
};

static int make_pipe(struct kunit *test)
{
	struct ends *ends = kunit_kzalloc(test, sizeof(*ends), GFP_KERNEL);
	int error = ends ? pipe_create(&ends->read, &ends->write, O_NONBLOCK) : -ENOMEM;

	test->priv = error ? NULL : ends;
	return error;
}

static void close_end(struct file **end)
{
	if (*end)
		file_put(*end);
	*end = NULL;
}

static void drop_pipe(struct kunit *test)
{
	struct ends *ends = test->priv;

	if (!ends)
		return;
	close_end(&ends->read);
	close_end(&ends->write);
}

/* One read, which may give less than asked (kernel_read() would go on). */
static ssize_t read_once(struct file *file, void *buffer, size_t size)
{
	struct iter iter;

	iter_init_kernel(&iter, buffer, size);
	return file_read(file, &iter, NULL);
}

static void what_is_written_is_read_in_order(struct kunit *test)
{
	struct ends *ends = test->priv;
	char buffer[16] = "";

	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, "abc", 3, NULL), 3);
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, "defg", 4, NULL), 4);
	KUNIT_EXPECT_EQ(test, read_once(ends->read, buffer, 5), 5);
	KUNIT_EXPECT_STREQ(test, buffer, "abcde");
	KUNIT_EXPECT_EQ(test, read_once(ends->read, buffer, sizeof(buffer)), 2);
	KUNIT_EXPECT_EQ(test, buffer[0], 'f');
	KUNIT_EXPECT_EQ(test, read_once(ends->read, buffer, 1), -EAGAIN);
}

static void it_holds_64_kib_and_no_more(struct kunit *test)
{
	struct ends *ends = test->priv;
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, pipe_get_size(ends->write), 65536);
	for (int i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, kernel_write(ends->write, page, PAGE_SIZE, NULL), (long)PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, page, 1, NULL), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, file_poll(ends->write, NULL) & POLLOUT);
	KUNIT_EXPECT_EQ(test, pipe_set_size(ends->write, 8192), -EBUSY);
	KUNIT_EXPECT_EQ(test, pipe_set_size(ends->write, 100000), 131072);
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, page, PAGE_SIZE, NULL), (long)PAGE_SIZE);
}

static void a_small_write_is_whole_or_nothing(struct kunit *test)
{
	struct ends *ends = test->priv;
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	for (int i = 0; i < 15; i++)
		KUNIT_ASSERT_EQ(test, kernel_write(ends->write, page, PAGE_SIZE, NULL), (long)PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, kernel_write(ends->write, page, 4000, NULL), 4000);
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, page, 97, NULL), -EAGAIN);
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, page, 96, NULL), 96);
}

static void the_last_writer_ends_the_file(struct kunit *test)
{
	struct ends *ends = test->priv;
	char c;

	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, "x", 1, NULL), 1);
	close_end(&ends->write);
	KUNIT_EXPECT_EQ(test, file_poll(ends->read, NULL) & (POLLIN | POLLHUP), (u32)(POLLIN | POLLHUP));
	KUNIT_EXPECT_EQ(test, read_once(ends->read, &c, 1), 1);
	KUNIT_EXPECT_EQ(test, read_once(ends->read, &c, 1), 0);
	KUNIT_EXPECT_EQ(test, file_poll(ends->read, NULL), (u32)POLLHUP);
}

static void writing_without_readers_fails(struct kunit *test)
{
	struct ends *ends = test->priv;

	close_end(&ends->read);
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, "x", 1, NULL), -EPIPE);
	KUNIT_EXPECT_TRUE(test, file_poll(ends->write, NULL) & POLLERR);
}

static void packets_stay_apart(struct kunit *test)
{
	struct ends *ends = test->priv;
	char buffer[16];

	ends->write->flags |= O_DIRECT;
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, "one", 3, NULL), 3);
	KUNIT_EXPECT_EQ(test, kernel_write(ends->write, "second", 6, NULL), 6);
	KUNIT_EXPECT_EQ(test, read_once(ends->read, buffer, 16), 3);
	KUNIT_EXPECT_EQ(test, read_once(ends->read, buffer, 2), 2);
	KUNIT_EXPECT_EQ(test, read_once(ends->read, buffer, 16), -EAGAIN);
}

#define STREAM_BYTES (512 * 1024)

static int write_stream(void *argument)
{
	struct ends *ends = argument;
	u8 bytes[100];
	size_t done = 0;

	while (done < STREAM_BYTES) {
		ssize_t part;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (u8)((done + i) % 251);
		part = kernel_write(ends->write, bytes, min(sizeof(bytes), STREAM_BYTES - done), NULL);
		if (part < 0)
			return (int)part;
		done += (size_t)part;
	}
	return 0;
}

static void reader_and_writer_wait_for_each_other(struct kunit *test)
{
	struct ends *ends = test->priv;
	struct thread *writer;
	size_t done = 0;
	u8 bytes[777];

	ends->read->flags &= ~(u32)O_NONBLOCK;
	ends->write->flags &= ~(u32)O_NONBLOCK;
	writer = kthread_run(write_stream, ends, "pipe_test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, writer);
	while (done < STREAM_BYTES) {
		ssize_t part = read_once(ends->read, bytes, sizeof(bytes));

		if (part <= 0)
			break;
		for (ssize_t i = 0; i < part; i++)
			if (bytes[i] != (done + (size_t)i) % 251)
				KUNIT_FAIL(test, "byte %zu is wrong", done + (size_t)i);
		done += (size_t)part;
	}
	KUNIT_EXPECT_EQ(test, done, (size_t)STREAM_BYTES);
	KUNIT_EXPECT_EQ(test, kthread_stop(writer), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_is_written_is_read_in_order),
	KUNIT_CASE(it_holds_64_kib_and_no_more),
	KUNIT_CASE(a_small_write_is_whole_or_nothing),
	KUNIT_CASE(the_last_writer_ends_the_file),
	KUNIT_CASE(writing_without_readers_fails),
	KUNIT_CASE(packets_stay_apart),
	KUNIT_CASE(reader_and_writer_wait_for_each_other),
	{},
};
static struct kunit_suite suite = {
	.name = "pipe", .init = make_pipe, .exit = drop_pipe, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Suite of pipes");
