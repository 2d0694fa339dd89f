/* Tags of the journal, in the forms that journals have had. */
#include "journal_tag.c"

#include <kumo/kunit.h>

static const struct form {
	bool wide, checksum_v2, checksum_v3;
	u32 size;
} forms[] = {
	{ false, false, false, 8 }, { true, false, false, 12 }, { false, true, false, 10 },
	{ true, true, false, 14 },  { true, false, true, 16 },
};

static struct journal *journal_make(struct kunit *test, const struct form *form)
{
	struct journal *journal = kunit_kzalloc(test, sizeof(*journal), GFP_KERNEL);
	struct journal_super *super = kunit_kzalloc(test, sizeof(*super), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, journal);
	KUNIT_ASSERT_NOT_NULL(test, super);
	memset(super->uuid, 0xab, sizeof(super->uuid));
	journal->super = super;
	journal->wide = form->wide;
	journal->checksum_v2 = form->checksum_v2;
	journal->checksum_v3 = form->checksum_v3;
	journal->tag_size = form->size;
	return journal;
}

static void a_tag_is_read_as_it_was_written(struct kunit *test)
{
	char *bytes = kunit_kzalloc(test, 64, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct journal *journal = journal_make(test, &forms[i]);
		struct log_tag wrote = { forms[i].wide ? 0x123456789aULL : 0x3456789a,
					 TAG_SAME_UUID | TAG_ESCAPED, 0xfedc },
			       got;

		memset(bytes, 0x77, 64);
		KUNIT_EXPECT_PTR_EQ(test, log_tag_write(journal, bytes, &wrote), bytes + forms[i].size);
		log_tag_add_flag(journal, bytes, TAG_LAST);
		got = log_tag_read(journal, bytes);
		KUNIT_EXPECT_EQ(test, got.block, wrote.block);
		KUNIT_EXPECT_EQ(test, got.flags, wrote.flags | TAG_LAST);
		if (forms[i].checksum_v2 || forms[i].checksum_v3)
			KUNIT_EXPECT_EQ(test, got.checksum, wrote.checksum);
		KUNIT_EXPECT_EQ(test, bytes[forms[i].size], 0x77); /* nothing behind it was touched */
	}
}

static void the_first_tag_has_the_uuid(struct kunit *test)
{
	const struct journal *journal = journal_make(test, &forms[1]);
	char *bytes = kunit_kzalloc(test, 64, GFP_KERNEL);
	struct log_tag tag = { .block = 5 };

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	KUNIT_EXPECT_PTR_EQ(test, log_tag_write(journal, bytes, &tag), bytes + 12 + 16);
	KUNIT_EXPECT_EQ(test, (u8)bytes[12], 0xab);
	KUNIT_EXPECT_EQ(test, (u8)bytes[27], 0xab);
	KUNIT_EXPECT_EQ(test, bytes[28], 0);
	KUNIT_EXPECT_EQ(test, (u8)bytes[3], 5); /* big endian */
}

static struct kunit_case cases[] = { KUNIT_CASE(a_tag_is_read_as_it_was_written),
				     KUNIT_CASE(the_first_tag_has_the_uuid),
				     {} };
static struct kunit_suite suite = { .name = "ext4_journal_tag", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
