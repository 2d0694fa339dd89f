/* Formatted text, against what C says. */
#include <kumo/kunit.h>

struct sample {
	const char *format;
	long argument;
	const char *expected;
};

static const struct sample samples[] = {
	{ "%ld", 42, "42" },
	{ "%ld", -42, "-42" },
	{ "%ld", INT64_MIN, "-9223372036854775808" },
	{ "%lu", -1, "18446744073709551615" },
	{ "%lx", 0xbeef, "beef" },
	{ "%#lx", 0xbeef, "0xbeef" },
	{ "%#lX", 0xbeef, "0XBEEF" },
	{ "%#lx", 0, "0" },
	{ "%lo", 8, "10" },
	{ "%#lo", 8, "010" },
	{ "%5ld|", 42, "   42|" },
	{ "%-5ld|", 42, "42   |" },
	{ "%05ld", -42, "-0042" },
	{ "%+ld", 42, "+42" },
	{ "% ld", 42, " 42" },
	{ "%.5ld", 42, "00042" },
	{ "%8.5ld", -42, "  -00042" },
	{ "%08.3ld", 5, "     005" },
	{ "%.0ld", 0, "" },
	{ "%hhd", 0x1ff, "-1" },
	{ "%hu", 0x1ffff, "65535" },
	{ "%d", 0x1ffffffff, "-1" },
	{ "%zu", 7, "7" },
	{ "%c", 'x', "x" },
	{ "%3c|", 'x', "  x|" },
	{ "100%%", 0, "100%" },
	{ "%#018lx", 0xff, "0x00000000000000ff" },
};

static void describe(const struct sample *sample, char *text)
{
	strscpy(text, sample->format, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(sample, samples, describe)

/* The formats are data here, so the compiler cannot check them. */
static int __printf(3, 0) format_one(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(to, size, format, args);
	va_end(args);
	return length;
}

static void a_number_is_written_as_its_format_says(struct kunit *test)
{
	const struct sample *sample = test->param_value;
	char text[64];

	KUNIT_EXPECT_EQ(test, format_one(text, sizeof(text), sample->format, sample->argument),
			(int)strlen(sample->expected));
	KUNIT_EXPECT_STREQ(test, text, sample->expected);
}

static void texts_are_padded_and_cut(struct kunit *test)
{
	char text[64];

	snprintf(text, sizeof(text), "[%s] [%5s] [%-5s] [%.2s] [%*s]", "abc", "abc", "abc", "abc",
		 4, "abc");
	KUNIT_EXPECT_STREQ(test, text, "[abc] [  abc] [abc  ] [ab] [ abc]");
	format_one(text, sizeof(text), "%s", NULL);
	KUNIT_EXPECT_STREQ(test, text, "(null)");
}

static void what_does_not_fit_is_counted_but_not_written(struct kunit *test)
{
	char text[8] = "xxxxxxx";

	KUNIT_EXPECT_EQ(test, snprintf(text, 4, "%d", 123456), 6);
	KUNIT_EXPECT_STREQ(test, text, "123");
	KUNIT_EXPECT_EQ(test, text[4], 'x');
	KUNIT_EXPECT_EQ(test, scnprintf(text, 4, "%d", 123456), 3);
	KUNIT_EXPECT_EQ(test, snprintf(NULL, 0, "%s", "counted"), 7);
}

static void a_pointer_into_code_is_named_by_its_symbol(struct kunit *test)
{
	char text[200];

	snprintf(text, sizeof(text), "%pS", (void *)a_pointer_into_code_is_named_by_its_symbol);
	KUNIT_EXPECT_TRUE_MSG(
		test,
		glob_match("a_pointer_into_code_is_named_by_its_symbol+0x0/0x* \\[printf_test\\]", text),
		"%s", text);
	snprintf(text, sizeof(text), "%ps", (void *)vsnprintf);
	KUNIT_EXPECT_STREQ(test, text, "vsnprintf");
	snprintf(text, sizeof(text), "%p", (void *)0x1234);
	KUNIT_EXPECT_STREQ(test, text, "0000000000001234");
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(a_number_is_written_as_its_format_says, sample_gen_params),
	KUNIT_CASE(texts_are_padded_and_cut),
	KUNIT_CASE(what_does_not_fit_is_counted_but_not_written),
	KUNIT_CASE(a_pointer_into_code_is_named_by_its_symbol),
	{},
};
static struct kunit_suite suite = { .name = "printf", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
