/* Suite of credentials. */
#include <kumo/cred.h>
#include <kumo/kunit.h>

#include "process.h"

static void root_may_do_everything(struct kunit *test)
{
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		KUNIT_EXPECT_TRUE(test, cred_capable(&root_cred, i));
	KUNIT_EXPECT_FALSE(test, cred_capable(&root_cred, CAP_LAST_CAP + 1));
}

static void a_copy_is_equal_and_apart(struct kunit *test)
{
	struct cred *copy = cred_copy(&root_cred, 0);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_EXPECT_EQ(test, copy->cap_effective, root_cred.cap_effective);
	KUNIT_EXPECT_EQ(test, refcount_read(&copy->refs), 1);
	copy->euid = 5;
	KUNIT_EXPECT_EQ(test, root_cred.euid, 0);
	cred_put(copy);
}

static void groups_are_found_in_the_sorted_list(struct kunit *test)
{
	static const u32 groups[] = { 7, 3, 1000, 3, 0, 0xfffffffe, 12 };
	struct cred *cred = cred_copy(&root_cred, ARRAY_SIZE(groups)), *more;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	memcpy(cred->groups, groups, sizeof(groups));
	cred_sort_groups(cred->groups, ARRAY_SIZE(groups));
	for (unsigned int i = 1; i < ARRAY_SIZE(groups); i++)
		KUNIT_EXPECT_LE(test, cred->groups[i - 1], cred->groups[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++)
		KUNIT_EXPECT_TRUE(test, cred_in_group(cred, groups[i]));
	KUNIT_EXPECT_FALSE(test, cred_in_group(cred, 8));
	cred->fsgid = 8;
	KUNIT_EXPECT_TRUE(test, cred_in_group(cred, 8));
	more = cred_copy(cred, 2);
	cred_put(cred);
	KUNIT_ASSERT_NOT_NULL(test, more);
	KUNIT_EXPECT_EQ(test, more->group_count, 2);
	KUNIT_EXPECT_EQ(test, more->groups[1], 3);
	cred_put(more);
}

static void users_are_shared_by_number(struct kunit *test)
{
	struct cred *a = cred_copy(&root_cred, 0), *b = cred_copy(&root_cred, 0);

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_EQ(test, cred_set_uid(a, 123456), 0);
	KUNIT_EXPECT_EQ(test, cred_set_uid(b, 123456), 0);
	KUNIT_EXPECT_EQ(test, a->uid, 123456);
	KUNIT_EXPECT_PTR_EQ(test, a->user, b->user);
	KUNIT_EXPECT_PTR_NE(test, a->user, root_cred.user);
	KUNIT_EXPECT_EQ(test, refcount_read(&a->user->refs), 2);
	cred_put(b);
	KUNIT_EXPECT_EQ(test, refcount_read(&a->user->refs), 1);
	KUNIT_EXPECT_EQ(test, cred_set_uid(a, 0), 0);
	KUNIT_EXPECT_PTR_EQ(test, a->user, root_cred.user);
	cred_put(a);
}

static void sorting_holds_for_any_order(struct kunit *test)
{
	u32 values[64];

	for (u32 seed = 1; seed < 20; seed++) {
		u64 sum = 0, after = 0;

		for (u32 i = 0; i < 64; i++) {
			values[i] = (i * 2654435761U * seed) >> 24;
			sum += values[i];
		}
		cred_sort_groups(values, 64);
		for (u32 i = 0; i < 64; i++) {
			after += values[i];
			if (i)
				KUNIT_ASSERT_LE(test, values[i - 1], values[i]);
		}
		KUNIT_EXPECT_EQ(test, after, sum);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(root_may_do_everything),
	KUNIT_CASE(a_copy_is_equal_and_apart),
	KUNIT_CASE(groups_are_found_in_the_sorted_list),
	KUNIT_CASE(users_are_shared_by_number),
	KUNIT_CASE(sorting_holds_for_any_order),
	{},
};
static struct kunit_suite suite = { .name = "cred", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
