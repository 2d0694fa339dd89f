/* Numbers from text, shell patterns, hashes. */
#include <kumo/kunit.h>

static void numbers_are_read_in_their_base(struct kunit *test)
{
	u64 value = 0;

	KUNIT_EXPECT_EQ(test, parse_u64("42", 10, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 42);
	KUNIT_EXPECT_EQ(test, parse_u64("0x2a\n", 0, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 42);
	KUNIT_EXPECT_EQ(test, parse_u64("052", 0, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 42);
	KUNIT_EXPECT_EQ(test, parse_u64("2A", 16, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 42);
	KUNIT_EXPECT_EQ(test, parse_u64("18446744073709551615", 10, &value), 0);
	KUNIT_EXPECT_EQ(test, value, UINT64_MAX);
}

static void what_is_no_number_is_refused_and_the_value_stays(struct kunit *test)
{
	static const char *const bad[] = { "",	 " 1",	"1 ",  "1\n\n", "x", "0x",
					   "-1", "--1", "1.5", "+",	"09" };
	u64 value = 7;
	s64 number = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, parse_u64(bad[i], 0, &value), -EINVAL, "\"%s\"", bad[i]);
	KUNIT_EXPECT_EQ(test, parse_u64("18446744073709551616", 10, &value), -ERANGE);
	KUNIT_EXPECT_EQ(test, parse_s64("9223372036854775808", 10, &number), -ERANGE);
	KUNIT_EXPECT_EQ(test, parse_s64("-9223372036854775809", 10, &number), -ERANGE);
	KUNIT_EXPECT_EQ(test, parse_s64("-+1", 10, &number), -EINVAL);
	KUNIT_EXPECT_EQ(test, value, 7);
	KUNIT_EXPECT_EQ(test, number, 7);
}

static void signs_are_read(struct kunit *test)
{
	s64 value = 0;

	KUNIT_EXPECT_EQ(test, parse_s64("-9223372036854775808", 10, &value), 0);
	KUNIT_EXPECT_EQ(test, value, INT64_MIN);
	KUNIT_EXPECT_EQ(test, parse_s64("+5", 10, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 5);
	KUNIT_EXPECT_EQ(test, parse_s64("-0x10", 0, &value), 0);
	KUNIT_EXPECT_EQ(test, value, -16);
}

static void truth_has_several_names(struct kunit *test)
{
	bool value = false;

	KUNIT_EXPECT_EQ(test, parse_bool("y", &value), 0);
	KUNIT_EXPECT_TRUE(test, value);
	KUNIT_EXPECT_EQ(test, parse_bool("off", &value), 0);
	KUNIT_EXPECT_FALSE(test, value);
	KUNIT_EXPECT_EQ(test, parse_bool("1\n", &value), 0);
	KUNIT_EXPECT_TRUE(test, value);
	KUNIT_EXPECT_EQ(test, parse_bool("maybe", &value), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse_bool("", &value), -EINVAL);
	KUNIT_EXPECT_TRUE(test, value);
}

static void sizes_have_suffixes(struct kunit *test)
{
	const char *end;

	KUNIT_EXPECT_EQ(test, parse_size("64K,rest", &end), 65536);
	KUNIT_EXPECT_STREQ(test, end, ",rest");
	KUNIT_EXPECT_EQ(test, parse_size("0x10M", &end), 16 * MIB);
	KUNIT_EXPECT_EQ(test, parse_size("3g", &end), 3 * GIB);
	KUNIT_EXPECT_EQ(test, parse_size("99999999999999G", &end), UINT64_MAX);
	KUNIT_EXPECT_EQ(test, parse_size("none", &end), 0);
	KUNIT_EXPECT_STREQ(test, end, "none");
}

static void patterns_match_as_in_a_shell(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, glob_match("*", ""));
	KUNIT_EXPECT_TRUE(test, glob_match("a*c", "abbbc"));
	KUNIT_EXPECT_TRUE(test, glob_match("*list*", "a_list_test"));
	KUNIT_EXPECT_TRUE(test, glob_match("?at", "cat"));
	KUNIT_EXPECT_TRUE(test, glob_match("[a-c]at", "bat"));
	KUNIT_EXPECT_TRUE(test, glob_match("[!a-c]at", "rat"));
	KUNIT_EXPECT_TRUE(test, glob_match("[]]", "]"));
	KUNIT_EXPECT_TRUE(test, glob_match("a[", "a["));
	KUNIT_EXPECT_TRUE(test, glob_match("\\*", "*"));
	KUNIT_EXPECT_TRUE(test, glob_match("*aab", "aaaaaab"));
	KUNIT_EXPECT_FALSE(test, glob_match("a*c", "abbb"));
	KUNIT_EXPECT_FALSE(test, glob_match("[!a-c]at", "bat"));
	KUNIT_EXPECT_FALSE(test, glob_match("\\*", "x"));
	KUNIT_EXPECT_FALSE(test, glob_match("abc", "abcd"));
	KUNIT_EXPECT_FALSE(test, glob_match("?", ""));
}

static void hashes_depend_on_every_byte_length_and_seed(struct kunit *test)
{
	char bytes[40] = {};
	u32 first = hash_bytes(bytes, sizeof(bytes), 0);

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		KUNIT_EXPECT_NE(test, hash_bytes(bytes, sizeof(bytes), 0), first);
		bytes[i] = 0;
	}
	KUNIT_EXPECT_EQ(test, hash_bytes(bytes, sizeof(bytes), 0), first);
	KUNIT_EXPECT_NE(test, hash_bytes(bytes, sizeof(bytes) - 1, 0), first);
	KUNIT_EXPECT_NE(test, hash_bytes(bytes, sizeof(bytes), 1), first);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(numbers_are_read_in_their_base),
	KUNIT_CASE(what_is_no_number_is_refused_and_the_value_stays),
	KUNIT_CASE(signs_are_read),
	KUNIT_CASE(truth_has_several_names),
	KUNIT_CASE(sizes_have_suffixes),
	KUNIT_CASE(patterns_match_as_in_a_shell),
	KUNIT_CASE(hashes_depend_on_every_byte_length_and_seed),
	{},
};
static struct kunit_suite suite = { .name = "parse", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
