/* Module parameters: each type takes what it can hold, and refuses the rest unchanged. */
#include <kumo/kunit.h>

static int number = 5;
static u8 byte;
static bool flag;
static char *text = "initial";
static char buffer[8] = "short";
static int array[3] = { 1, 2, 3 };
static unsigned int array_count;

static int set(const struct kernel_param_ops *ops, void *arg, const char *value)
{
	struct kernel_param param = { .name = "p", .ops = ops, .arg = arg };

	return ops->set(value, &param);
}

static const char *get(const struct kernel_param_ops *ops, void *arg)
{
	static char result[64];
	struct kernel_param param = { .name = "p", .ops = ops, .arg = arg };

	return ops->get(result, sizeof(result), &param) < 0 ? "error" : result;
}

static void integers_keep_to_their_range(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set(&param_ops_int, &number, "-0x10"), 0);
	KUNIT_EXPECT_EQ(test, number, -16);
	KUNIT_EXPECT_EQ(test, set(&param_ops_int, &number, "2147483648"), -ERANGE);
	KUNIT_EXPECT_EQ(test, set(&param_ops_int, &number, "five"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(&param_ops_int, &number, ""), -EINVAL);
	KUNIT_EXPECT_STREQ(test, get(&param_ops_int, &number), "-16");
	KUNIT_EXPECT_EQ(test, set(&param_ops_byte, &byte, "255"), 0);
	KUNIT_EXPECT_EQ(test, set(&param_ops_byte, &byte, "256"), -ERANGE);
	KUNIT_EXPECT_EQ(test, set(&param_ops_byte, &byte, "-1"), -EINVAL);
	KUNIT_EXPECT_STREQ(test, get(&param_ops_byte, &byte), "255");
}

static void flags_may_stand_alone(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, param_ops_bool.bare);
	KUNIT_EXPECT_EQ(test, set(&param_ops_bool, &flag, NULL), 0);
	KUNIT_EXPECT_STREQ(test, get(&param_ops_bool, &flag), "Y");
	KUNIT_EXPECT_EQ(test, set(&param_ops_invbool, &flag, "1"), 0);
	KUNIT_EXPECT_FALSE(test, flag);
	KUNIT_EXPECT_STREQ(test, get(&param_ops_invbool, &flag), "Y");
	KUNIT_EXPECT_EQ(test, set(&param_ops_bool, &flag, "perhaps"), -EINVAL);
}

static void texts_are_copied_and_given_back(struct kunit *test)
{
	char value[] = "changed";

	KUNIT_EXPECT_EQ(test, set(&param_ops_charp, &text, value), 0);
	value[0] = 'C';
	KUNIT_EXPECT_STREQ(test, text, "changed");
	KUNIT_EXPECT_EQ(test, set(&param_ops_charp, &text, "again"), 0);
	KUNIT_EXPECT_STREQ(test, get(&param_ops_charp, &text), "again");
	param_ops_charp.free(&text);
	text = "initial";
	param_ops_charp.free(&text); /* not memory of its own: stays */
}

static void a_text_in_place_must_fit(struct kunit *test)
{
	struct kernel_param_string string = { .size = sizeof(buffer), .text = buffer };

	KUNIT_EXPECT_EQ(test, set(&param_ops_string, &string, "7 bytes"), 0);
	KUNIT_EXPECT_EQ(test, set(&param_ops_string, &string, "8 bytes!"), -ENOSPC);
	KUNIT_EXPECT_STREQ(test, get(&param_ops_string, &string), "7 bytes");
}

static void arrays_take_as_many_as_they_have_room_for(struct kunit *test)
{
	struct kernel_param_array whole = { .max = 3,
					    .element_size = sizeof(int),
					    .count = &array_count,
					    .ops = &param_ops_int,
					    .elements = array };

	KUNIT_EXPECT_EQ(test, set(&param_ops_array, &whole, "7,8"), 0);
	KUNIT_EXPECT_EQ(test, array_count, 2);
	KUNIT_EXPECT_EQ(test, array[1], 8);
	KUNIT_EXPECT_STREQ(test, get(&param_ops_array, &whole), "7,8");
	KUNIT_EXPECT_EQ(test, set(&param_ops_array, &whole, "1,2,3,4"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(&param_ops_array, &whole, "1,,3"), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(integers_keep_to_their_range),
	KUNIT_CASE(flags_may_stand_alone),
	KUNIT_CASE(texts_are_copied_and_given_back),
	KUNIT_CASE(a_text_in_place_must_fit),
	KUNIT_CASE(arrays_take_as_many_as_they_have_room_for),
	{},
};
static struct kunit_suite suite = { .name = "module_param", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
