/* Suite of futex keys and of FUTEX_WAKE_OP's arithmetic. */
#include <kumo/futex.h>
#include <kumo/kunit.h>
#include <linux/futex.h>

static void keys_are_equal_when_all_is(struct kunit *test)
{
	const struct futex_key a = { test->name, 0x1000 };
	struct futex_key b = a;

	KUNIT_EXPECT_TRUE(test, futex_key_equal(&a, &b));
	KUNIT_EXPECT_EQ(test, futex_key_hash(&a), futex_key_hash(&b));
	b.offset += 4;
	KUNIT_EXPECT_FALSE(test, futex_key_equal(&a, &b));
	b = a;
	b.object = test;
	KUNIT_EXPECT_FALSE(test, futex_key_equal(&a, &b));
}

/* Neighbours in memory, as locks in an array are, and the same place in many processes. */
static void hashes_spread(struct kunit *test)
{
	u8 *hits = kunit_kzalloc(test, 256, GFP_KERNEL);
	unsigned int used = 0;

	for (u64 i = 0; i < 256; i++) {
		struct futex_key key = { test, 0x7f0000001000 + 64 * i };

		hits[futex_key_hash(&key) % 256]++;
	}
	for (int i = 0; i < 256; i++)
		used += hits[i] != 0;
	KUNIT_EXPECT_GT(test, used, 120);
	memset(hits, 0, 256);
	used = 0;
	for (u64 i = 0; i < 256; i++) {
		struct futex_key key = { (char *)test + 832 * i, 0x7f0000001000 };

		hits[futex_key_hash(&key) % 256]++;
	}
	for (int i = 0; i < 256; i++)
		used += hits[i] != 0;
	KUNIT_EXPECT_GT(test, used, 120);
}

static void operations_change_the_word(struct kunit *test)
{
	u32 new;

	KUNIT_EXPECT_EQ(test, futex_operation_apply(FUTEX_OP(FUTEX_OP_SET, 7, 0, 0), 1, &new), 0);
	KUNIT_EXPECT_EQ(test, new, 7);
	KUNIT_EXPECT_EQ(test, futex_operation_apply(FUTEX_OP(FUTEX_OP_ADD, 7, 0, 0), 1, &new), 0);
	KUNIT_EXPECT_EQ(test, new, 8);
	KUNIT_EXPECT_EQ(test, futex_operation_apply(FUTEX_OP(FUTEX_OP_ADD, 0xfff, 0, 0), 5, &new), 0);
	KUNIT_EXPECT_EQ_MSG(test, new, 4, "operands are signed");
	KUNIT_EXPECT_EQ(test, futex_operation_apply(FUTEX_OP(FUTEX_OP_OR, 6, 0, 0), 1, &new), 0);
	KUNIT_EXPECT_EQ(test, new, 7);
	KUNIT_EXPECT_EQ(test, futex_operation_apply(FUTEX_OP(FUTEX_OP_ANDN, 6, 0, 0), 7, &new), 0);
	KUNIT_EXPECT_EQ(test, new, 1);
	KUNIT_EXPECT_EQ(test, futex_operation_apply(FUTEX_OP(FUTEX_OP_XOR, 5, 0, 0), 6, &new), 0);
	KUNIT_EXPECT_EQ(test, new, 3);
	KUNIT_EXPECT_EQ(test,
			futex_operation_apply(
				FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 31, 0, 0), 0, &new),
			0);
	KUNIT_EXPECT_EQ(test, new, 0x80000000U);
	KUNIT_EXPECT_EQ(test, futex_operation_apply(FUTEX_OP(6, 0, 0, 0), 0, &new), -ENOSYS);
}

static void comparisons_are_signed(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, futex_operation_compare(FUTEX_OP(0, 0, FUTEX_OP_CMP_EQ, 5), 5), 1);
	KUNIT_EXPECT_EQ(test, futex_operation_compare(FUTEX_OP(0, 0, FUTEX_OP_CMP_NE, 5), 5), 0);
	KUNIT_EXPECT_EQ(test, futex_operation_compare(FUTEX_OP(0, 0, FUTEX_OP_CMP_LT, 0), (u32)-1), 1);
	KUNIT_EXPECT_EQ(test, futex_operation_compare(FUTEX_OP(0, 0, FUTEX_OP_CMP_LE, 0xfff), 0), 0);
	KUNIT_EXPECT_EQ(test, futex_operation_compare(FUTEX_OP(0, 0, FUTEX_OP_CMP_GT, 0xfff), 0), 1);
	KUNIT_EXPECT_EQ(test, futex_operation_compare(FUTEX_OP(0, 0, FUTEX_OP_CMP_GE, 2), 2), 1);
	KUNIT_EXPECT_EQ(test, futex_operation_compare(FUTEX_OP(0, 0, 9, 2), 2), -ENOSYS);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(keys_are_equal_when_all_is),
	KUNIT_CASE(hashes_spread),
	KUNIT_CASE(operations_change_the_word),
	KUNIT_CASE(comparisons_are_signed),
	{},
};
static struct kunit_suite suite = { .name = "futex", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
