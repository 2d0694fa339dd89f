/* Lists, hash chains and reference counts. */
#include <kumo/kunit.h>
#include <kumo/list.h>
#include <kumo/refcount.h>

struct item {
	int number;
	struct list link;
	struct hlist_node chain;
};

/* The numbers of a list as the digits of one number. */
static int digits(struct list *head)
{
	struct item *item;
	int sum = 0;

	list_for_each(item, head, link)
		sum = sum * 10 + item->number;
	return sum;
}

static void a_list_keeps_the_order_of_insertion(struct kunit *test)
{
	struct item one = { 1 }, two = { 2 }, three = { 3 };
	struct list head = LIST_INIT(head);

	KUNIT_EXPECT_TRUE(test, list_empty(&head));
	list_add_tail(&head, &two.link);
	list_add_tail(&head, &three.link);
	list_add(&head, &one.link);
	KUNIT_EXPECT_EQ(test, digits(&head), 123);
	list_del(&two.link);
	KUNIT_EXPECT_EQ(test, digits(&head), 13);
	list_del_init(&one.link);
	KUNIT_EXPECT_TRUE(test, list_empty(&one.link));
	list_del(&three.link);
	KUNIT_EXPECT_TRUE(test, list_empty(&head));
}

static void an_entry_may_be_removed_while_the_list_is_walked(struct kunit *test)
{
	struct item items[5] = { { 1 }, { 2 }, { 3 }, { 4 }, { 5 } }, *item, *after;
	struct list head = LIST_INIT(head);

	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		list_add_tail(&head, &items[i].link);
	list_for_each_safe(item, after, &head, link)
		if (item->number % 2 == 0)
			list_del(&item->link);
	KUNIT_EXPECT_EQ(test, digits(&head), 135);
}

static void a_list_moves_to_the_end_of_another(struct kunit *test)
{
	struct item items[4] = { { 1 }, { 2 }, { 3 }, { 4 } };
	struct list first = LIST_INIT(first), second = LIST_INIT(second);

	for (size_t i = 0; i < 4; i++)
		list_add_tail(i < 2 ? &first : &second, &items[i].link);
	list_splice_tail(&first, &second);
	KUNIT_EXPECT_EQ(test, digits(&first), 1234);
	KUNIT_EXPECT_TRUE(test, list_empty(&second));
	list_splice_tail(&first, &second);
	KUNIT_EXPECT_EQ(test, digits(&first), 1234);
}

static void a_chain_holds_what_was_added_and_not_removed(struct kunit *test)
{
	struct item items[3] = { { 1 }, { 2 }, { 3 } }, *item;
	struct hlist chain = {};
	int sum = 0;

	KUNIT_EXPECT_TRUE(test, hlist_unhashed(&items[0].chain));
	for (size_t i = 0; i < 3; i++)
		hlist_add(&chain, &items[i].chain);
	hlist_del(&items[1].chain);
	KUNIT_EXPECT_TRUE(test, hlist_unhashed(&items[1].chain));
	hlist_for_each(item, &chain, chain)
		sum = sum * 10 + item->number;
	KUNIT_EXPECT_EQ(test, sum, 31);
}

static void a_reference_count_tells_who_dropped_the_last(struct kunit *test)
{
	refcount_t refs;

	refcount_set(&refs, 1);
	refcount_inc(&refs);
	KUNIT_EXPECT_FALSE(test, refcount_dec_and_test(&refs));
	KUNIT_EXPECT_TRUE(test, refcount_inc_not_zero(&refs));
	KUNIT_EXPECT_FALSE(test, refcount_dec_and_test(&refs));
	KUNIT_EXPECT_TRUE(test, refcount_dec_and_test(&refs));
	KUNIT_EXPECT_FALSE(test, refcount_inc_not_zero(&refs));
	KUNIT_EXPECT_EQ(test, refcount_read(&refs), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_list_keeps_the_order_of_insertion),
	KUNIT_CASE(an_entry_may_be_removed_while_the_list_is_walked),
	KUNIT_CASE(a_list_moves_to_the_end_of_another),
	KUNIT_CASE(a_chain_holds_what_was_added_and_not_removed),
	KUNIT_CASE(a_reference_count_tells_who_dropped_the_last),
	{},
};
static struct kunit_suite suite = { .name = "list", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
