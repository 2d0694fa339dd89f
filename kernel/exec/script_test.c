/* Suite of the parser of "#!" lines. */
#include <kumo/kunit.h>

#include "exec.h"

struct line {
	const char *text;
	const char *interpreter, *argument; /* interpreter NULL: refused */
};

static const struct line lines[] = {
	{ "#!/bin/sh\n", "/bin/sh", NULL },
	{ "#! /bin/sh\necho", "/bin/sh", NULL },
	{ "#!\t /bin/sh -e -x \t\n", "/bin/sh", "-e -x" },
	{ "#!/bin/sh", "/bin/sh", NULL },
	{ "#!/bin/sh -e", "/bin/sh", "-e" },
	{ "#!\n", NULL, NULL },
	{ "#!   \n/bin/sh\n", NULL, NULL },
	{ "#!", NULL, NULL },
	{ "#/bin/sh\n", NULL, NULL },
	{ "", NULL, NULL },
};

static void describe(const struct line *line, char *description)
{
	strscpy(description, line->text, KUNIT_PARAM_DESC_SIZE);
	for (; *description; description++)
		if (*description < ' ')
			*description = '.';
}
KUNIT_ARRAY_PARAM(lines, lines, describe)

static void a_line_is_taken_apart(struct kunit *test)
{
	const struct line *line = test->param_value;
	char head[EXEC_HEAD_SIZE] = {}, *interpreter, *argument;
	bool script;

	memcpy(head, line->text, strlen(line->text));
	script = script_parse(head, sizeof(head), &interpreter, &argument);
	KUNIT_ASSERT_EQ(test, script, line->interpreter != NULL);
	if (!script)
		return;
	KUNIT_EXPECT_STREQ(test, interpreter, line->interpreter);
	if (line->argument) {
		KUNIT_ASSERT_NOT_NULL(test, argument);
		KUNIT_EXPECT_STREQ(test, argument, line->argument);
	} else {
		KUNIT_EXPECT_NULL(test, argument);
	}
}

static void a_name_that_is_cut_off_is_refused(struct kunit *test)
{
	char head[EXEC_HEAD_SIZE], *interpreter, *argument;

	memset(head, 'x', sizeof(head));
	head[0] = '#';
	head[1] = '!';
	KUNIT_EXPECT_FALSE(test, script_parse(head, sizeof(head), &interpreter, &argument));
}

static void an_argument_may_be_cut_off(struct kunit *test)
{
	char head[EXEC_HEAD_SIZE], *interpreter, *argument;

	memset(head, 'x', sizeof(head));
	memcpy(head, "#!/a ", 5);
	KUNIT_ASSERT_TRUE(test, script_parse(head, sizeof(head), &interpreter, &argument));
	KUNIT_EXPECT_STREQ(test, interpreter, "/a");
	KUNIT_EXPECT_EQ(test, strlen(argument), EXEC_HEAD_SIZE - 6);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(a_line_is_taken_apart, lines_gen_params),
	KUNIT_CASE(a_name_that_is_cut_off_is_refused),
	KUNIT_CASE(an_argument_may_be_cut_off),
	{},
};
static struct kunit_suite suite = { .name = "script", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
