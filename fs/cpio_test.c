/* The reader of cpio archives: what a good one holds, and that a bad one is refused where it is bad. */
#include <kumo/kunit.h>

#include "cpio.c"

static u8 archive[4096];
static size_t size;

static void put(const void *data, size_t length)
{
	memcpy(archive + size, data, length);
	size += length;
	while (size % 4)
		archive[size++] = 0;
}

static void put_entry(const char *name, u32 mode, const char *content)
{
	char header[HEADER_SIZE + 1], whole[HEADER_SIZE + 64];
	size_t length = strlen(name) + 1;

	snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		 7U, mode, 1U, 2U, 1U, 3U, strlen(content), 4U, 5U, 6U, 8U, length, 0U);
	memcpy(whole, header, HEADER_SIZE);
	memcpy(whole + HEADER_SIZE, name, length);
	put(whole, HEADER_SIZE + length);
	put(content, strlen(content));
}

static int start_archive(struct kunit *test)
{
	memset(archive, 0, sizeof(archive));
	size = 0;
	return 0;
}

static void entries_come_in_order_with_their_fields(struct kunit *test)
{
	struct cpio_reader reader;
	struct cpio_entry entry;

	put_entry("bin", 040755, "");
	put_entry("bin/tool", 0100755, "contents");
	put_entry("TRAILER!!!", 0, "");
	cpio_reader_init(&reader, archive, size);
	KUNIT_ASSERT_EQ(test, cpio_next(&reader, &entry), CPIO_ENTRY);
	KUNIT_EXPECT_STREQ(test, entry.name, "bin");
	KUNIT_EXPECT_EQ(test, entry.mode, 040755);
	KUNIT_EXPECT_EQ(test, entry.size, 0);
	KUNIT_ASSERT_EQ(test, cpio_next(&reader, &entry), CPIO_ENTRY);
	KUNIT_EXPECT_STREQ(test, entry.name, "bin/tool");
	KUNIT_EXPECT_EQ(test, entry.name_length, 8);
	KUNIT_EXPECT_EQ(test, entry.size, 8);
	KUNIT_EXPECT_MEMEQ(test, entry.content, "contents", 8);
	KUNIT_EXPECT_EQ(test, entry.inode, 7);
	KUNIT_EXPECT_EQ(test, entry.uid, 1);
	KUNIT_EXPECT_EQ(test, entry.gid, 2);
	KUNIT_EXPECT_EQ(test, entry.mtime, 3);
	KUNIT_EXPECT_EQ(test, entry.device_major, 4);
	KUNIT_EXPECT_EQ(test, entry.rdev_minor, 8);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_TRAILER);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_END);
}

static void archives_follow_one_another_with_zeros_between(struct kunit *test)
{
	struct cpio_reader reader;
	struct cpio_entry entry;

	put_entry("one", 0100644, "1");
	put_entry("TRAILER!!!", 0, "");
	size = 514; /* no alignment of the second is taken for granted */
	memmove(archive + 514, archive, 514);
	size += 514;
	cpio_reader_init(&reader, archive, size);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_ENTRY);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_TRAILER);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_ENTRY);
	KUNIT_EXPECT_STREQ(test, entry.name, "one");
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_TRAILER);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_END);
}

static void what_is_not_cpio_is_left_to_the_caller(struct kunit *test)
{
	struct cpio_reader reader;
	struct cpio_entry entry;

	put_entry("one", 0100644, "1");
	put_entry("TRAILER!!!", 0, "");
	put("\x1f\x8b compressed", 13);
	cpio_reader_init(&reader, archive, size);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_ENTRY);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_TRAILER);
	KUNIT_EXPECT_EQ(test, cpio_next(&reader, &entry), CPIO_OTHER);
	KUNIT_EXPECT_EQ(test, archive[reader.at], 0x1f);
}

static void names_lose_what_stands_for_the_root(struct kunit *test)
{
	static const char *const names[][2] = {
		{ ".", "" },
		{ "/", "" },
		{ "./a", "a" },
		{ "/./a/b", "a/b" },
		{ ".hidden", ".hidden" },
		{ "..a", "..a" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		struct cpio_reader reader;
		struct cpio_entry entry;

		size = 0;
		put_entry(names[i][0], 0100644, "");
		cpio_reader_init(&reader, archive, size);
		KUNIT_ASSERT_EQ(test, cpio_next(&reader, &entry), CPIO_ENTRY);
		KUNIT_EXPECT_STREQ(test, entry.name, names[i][1]);
		KUNIT_EXPECT_EQ(test, entry.name_length, strlen(names[i][1]));
	}
}

static void a_name_that_leads_upwards_is_refused(struct kunit *test)
{
	static const char *const names[] = { "..", "a/../b", "/..", "a/.." };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		struct cpio_reader reader;
		struct cpio_entry entry;

		size = 0;
		put_entry(names[i], 0100644, "");
		cpio_reader_init(&reader, archive, size);
		KUNIT_EXPECT_EQ_MSG(test, cpio_next(&reader, &entry), CPIO_DAMAGED, "%s", names[i]);
	}
}

static void an_archive_cut_short_anywhere_is_damaged_not_read_beyond(struct kunit *test)
{
	put_entry("file", 0100644, "0123456789");
	put_entry("TRAILER!!!", 0, "");
	for (size_t cut = 1; cut < size - 4; cut++) {
		u8 *copy = kunit_kmalloc(test, cut, 0);
		struct cpio_reader reader;
		struct cpio_entry entry;
		enum cpio_result result;

		KUNIT_ASSERT_NOT_NULL(test, copy);
		memcpy(copy, archive, cut);
		cpio_reader_init(&reader, copy, cut);
		do {
			result = cpio_next(&reader, &entry);
			if (result == CPIO_ENTRY)
				KUNIT_EXPECT_LE(test, (size_t)(entry.content + entry.size - copy), cut);
		} while (result == CPIO_ENTRY);
		KUNIT_EXPECT_TRUE_MSG(
			test, result == CPIO_DAMAGED || (cut < HEADER_SIZE && result == CPIO_OTHER),
			"cut at %zu", cut);
		kunit_kfree(test, copy);
	}
}

static void impossible_fields_are_refused(struct kunit *test)
{
	static const struct {
		size_t at;
		const char *text;
	} faults[] = {
		{ 6 + 6 * 8, "ffffffff" },  /* contents beyond the end */
		{ 6 + 11 * 8, "00000000" }, /* no name */
		{ 6 + 11 * 8, "7fffffff" }, { 6 + 11 * 8, "00000003" }, /* a name without NUL */
		{ 6 + 1 * 8, "0000x000" },				/* not a number */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		struct cpio_reader reader;
		struct cpio_entry entry;

		size = 0;
		put_entry("file", 0100644, "0123456789");
		memcpy(archive + faults[i].at, faults[i].text, 8);
		cpio_reader_init(&reader, archive, size);
		KUNIT_EXPECT_EQ_MSG(test, cpio_next(&reader, &entry), CPIO_DAMAGED, "fault %u", i);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(entries_come_in_order_with_their_fields),
	KUNIT_CASE(archives_follow_one_another_with_zeros_between),
	KUNIT_CASE(what_is_not_cpio_is_left_to_the_caller),
	KUNIT_CASE(names_lose_what_stands_for_the_root),
	KUNIT_CASE(a_name_that_leads_upwards_is_refused),
	KUNIT_CASE(an_archive_cut_short_anywhere_is_damaged_not_read_beyond),
	KUNIT_CASE(impossible_fields_are_refused),
	{},
};
static struct kunit_suite suite = { .name = "cpio", .init = start_archive, .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Tests of the reader of cpio archives");
MODULE_LICENSE("MIT");
