/* The log, seen through a console of the suite's own. */
#include <kumo/kunit.h>
#include <kumo/printk.h>

#define CAPTURE_SIZE 8192

static char captured[CAPTURE_SIZE];
static size_t length;

static void capture(struct console *console, const char *text, size_t size)
{
	size = min(size, CAPTURE_SIZE - 1 - length);
	memcpy(captured + length, text, size);
	length += size;
	captured[length] = '\0';
}

static struct console console = {
	.name = "capture", .write = capture, .level = LOG_DEBUG, .takes_over = true
};

static int init(struct kunit *test)
{
	length = 0;
	captured[0] = '\0';
	console_register(&console);
	return 0;
}

static void exit(struct kunit *test)
{
	console_unregister(&console);
}

static void a_line_reaches_a_console_with_its_time(struct kunit *test)
{
	pr_info("a line of %s\n", "text");
	KUNIT_EXPECT_TRUE_MSG(test, glob_match("\\[*.??????\\] a line of text\n", captured), "%s",
			      captured);
}

static void a_line_above_the_level_does_not(struct kunit *test)
{
	pr_debug("too much detail\n");
	KUNIT_EXPECT_NULL(test, strstr(captured, "too much detail"));
}

static void each_line_of_a_record_is_shown_as_one(struct kunit *test)
{
	pr_info("one\ntwo\n");
	KUNIT_EXPECT_TRUE_MSG(test, glob_match("\\[*\\] one\n\\[*\\] two\n", captured), "%s", captured);
}

static void a_long_record_is_cut(struct kunit *test)
{
	char *text = kunit_kmalloc(test, 3000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', 2999);
	text[2999] = '\0';
	pr_info("%s", text);
	KUNIT_EXPECT_GT(test, length, 900);
	KUNIT_EXPECT_LT(test, length, 1100);
	KUNIT_EXPECT_EQ(test, captured[length - 1], '\n');
}

static void a_console_is_told_nothing_after_it_is_unregistered(struct kunit *test)
{
	console_unregister(&console);
	length = 0;
	pr_info("said to others\n");
	KUNIT_EXPECT_EQ(test, length, 0);
	console_register(&console);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_line_reaches_a_console_with_its_time),
	KUNIT_CASE(a_line_above_the_level_does_not),
	KUNIT_CASE(each_line_of_a_record_is_shown_as_one),
	KUNIT_CASE(a_long_record_is_cut),
	KUNIT_CASE(a_console_is_told_nothing_after_it_is_unregistered),
	{},
};
static struct kunit_suite suite = { .name = "printk", .init = init, .exit = exit, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
