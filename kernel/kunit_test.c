/* The harness itself: the order of init, case and exit; memory and actions that go with a case; parameters; stubs. */
#include <kumo/kunit.h>

static int inits, exits, suite_inits;

static int suite_init(struct kunit_suite *suite)
{
	suite_inits++;
	return 0;
}

static int init(struct kunit *test)
{
	inits++;
	test->priv = &inits;
	return 0;
}

static void exit(struct kunit *test)
{
	exits++;
}

static void init_ran_before_the_case_and_exit_did_not(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, suite_inits, 1);
	KUNIT_EXPECT_EQ(test, inits, 1);
	KUNIT_EXPECT_EQ(test, exits, 0);
	KUNIT_EXPECT_PTR_EQ(test, test->priv, &inits);
	KUNIT_EXPECT_PTR_EQ(test, kunit_get_current_test(), test);
}

static void exit_ran_after_the_case_before(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, inits, exits + 1);
}

static char order[8];

static void note(void *letter)
{
	order[strlen(order)] = *(const char *)letter;
}

static void actions_run_when_the_case_ends_in_reverse(struct kunit *test)
{
	order[0] = '\0';
	kunit_add_action(test, note, "a");
	kunit_add_action(test, note, "b");
	KUNIT_EXPECT_STREQ(test, order, "");
}

static void actions_have_run_once_the_next_case_begins(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, order, "ba");
}

static void an_action_may_be_run_early_or_forgotten(struct kunit *test)
{
	static const char early[] = "e", never[] = "n";

	memset(order, 0, sizeof(order));
	kunit_add_action(test, note, (void *)early);
	kunit_add_action(test, note, (void *)never);
	kunit_release_action(test, note, (void *)early);
	kunit_remove_action(test, note, (void *)never);
	KUNIT_EXPECT_STREQ(test, order, "e");
}

static void memory_is_cleared_when_asked_and_may_be_freed_early(struct kunit *test)
{
	u8 *memory = kunit_kzalloc(test, 100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	for (size_t i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, memory[i], 0);
	kunit_kfree(test, memory);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)kunit_kzalloc(test, 1, GFP_KERNEL), 8));
}

static const int squares[][2] = { { 1, 1 }, { 2, 4 }, { 3, 9 } };

static void describe(const int (*square)[2], char *text)
{
	snprintf(text, KUNIT_PARAM_DESC_SIZE, "the square of %d", (*square)[0]);
}
KUNIT_ARRAY_PARAM(square, squares, describe)

static void a_case_runs_for_each_parameter(struct kunit *test)
{
	const int(*square)[2] = test->param_value;

	KUNIT_EXPECT_EQ(test, test->param_index, (unsigned int)(square - squares));
	KUNIT_EXPECT_EQ(test, (*square)[0] * (*square)[0], (*square)[1]);
}

static int __noinline twice(int n)
{
	KUNIT_STATIC_STUB_REDIRECT(twice, n);
	return 2 * n;
}

static int thrice(int n)
{
	return 3 * n;
}

static void a_stub_replaces_a_function_until_it_is_taken_back(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, twice(2), 4);
	kunit_activate_static_stub(test, twice, thrice);
	KUNIT_EXPECT_EQ(test, twice(2), 6);
	kunit_deactivate_static_stub(test, twice);
	KUNIT_EXPECT_EQ(test, twice(2), 4);
	kunit_activate_static_stub(test, twice, thrice);
}

static void a_stub_ends_with_its_case(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, twice(2), 4);
}

static void a_case_may_skip_itself(struct kunit *test)
{
	kunit_skip(test, "to show how");
	KUNIT_FAIL(test, "a skipped case went on");
}

/* A case of its own, not of the suite: what a failure does to it. */
static bool reached;

static void fails(struct kunit *test)
{
	static const struct kunit_place place = { "kunit_test.c", 1, false, "this", NULL, "true" };

	reached = false;
	kunit_fail(test, &place, "on purpose: expectation %d", 1);
	reached = true;
}

static void a_failed_expectation_marks_its_case_and_goes_on(struct kunit *test)
{
	struct kunit *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->name = "fails";
	other->suite = test->suite;
	fails(other);
	KUNIT_EXPECT_TRUE(test, reached);
	KUNIT_EXPECT_EQ(test, other->status, KUNIT_FAILURE);
	KUNIT_EXPECT_EQ(test, test->status, KUNIT_SUCCESS);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(init_ran_before_the_case_and_exit_did_not),
	KUNIT_CASE(exit_ran_after_the_case_before),
	KUNIT_CASE(actions_run_when_the_case_ends_in_reverse),
	KUNIT_CASE(actions_have_run_once_the_next_case_begins),
	KUNIT_CASE(an_action_may_be_run_early_or_forgotten),
	KUNIT_CASE(memory_is_cleared_when_asked_and_may_be_freed_early),
	KUNIT_CASE_PARAM(a_case_runs_for_each_parameter, square_gen_params),
	KUNIT_CASE(a_stub_replaces_a_function_until_it_is_taken_back),
	KUNIT_CASE(a_stub_ends_with_its_case),
	KUNIT_CASE(a_case_may_skip_itself),
	KUNIT_CASE(a_failed_expectation_marks_its_case_and_goes_on),
	{},
};
static struct kunit_suite suite = {
	.name = "kunit", .suite_init = suite_init, .init = init, .exit = exit, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
