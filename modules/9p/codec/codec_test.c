/* The codec of 9P: what is encoded decodes to the same, wire forms are the protocol's, and what is malformed is refused. */
#include <kumo/kunit.h>

#include "codec.c"
#include "errors.c"
#include "mode.c"

static u8 buffer[2048];

/* The size of a type in C that its fields add up to. */
static size_t type_size(const u8 *kinds)
{
	size_t offset = 0, alignment = 1;

	for (; *kinds != KIND_END; kinds++) {
		alignment = max(alignment, (size_t)layouts[*kinds].alignment);
		field_next(NULL, &offset, *kinds);
	}
	return ALIGN_UP(offset, alignment);
}

static void fields_lie_where_the_compiler_puts_them(struct kunit *test)
{
#define STRUCTURE(name) KUNIT_EXPECT_EQ(test, type_size(name##_kinds), sizeof(struct ninep_##name));
#define MESSAGE(name, number, dialects) STRUCTURE(name)
#include "messages.h"
}

/* Fills each field with something that is like no other. */
static void fill(const u8 *kinds, void *to, enum ninep_dialect dialect)
{
	static const char *const texts[] = { "", "a", "name", "a longer text" };
	size_t offset = 0;
	u8 seed = 1;

	for (; *kinds != KIND_END; kinds++, seed++) {
		void *field = field_next(to, &offset, *kinds);
		struct ninep_names *names = field;
		struct ninep_qids *qids = field;

		memset(field, seed, layouts[*kinds].size);
		if (dialect == NINEP_2000 && *kinds == KIND_EXTENDED_U32)
			*(u32 *)field = NINEP_NO_NUMBER;
		else if (dialect == NINEP_2000 && *kinds == KIND_EXTENDED_STRING)
			*(struct ninep_string *)field = ninep_string("");
		else if (*kinds == KIND_STRING || *kinds == KIND_EXTENDED_STRING)
			*(struct ninep_string *)field = ninep_string(texts[seed % ARRAY_SIZE(texts)]);
		else if (*kinds == KIND_DATA)
			*(struct ninep_data *)field = (struct ninep_data){ "data\0data", 9 };
		else if (*kinds == KIND_STAT)
			fill(stat_kinds, field, dialect);
		else if (*kinds == KIND_QIDS)
			qids->count = NINEP_WALK_MAX;
		else if (*kinds == KIND_NAMES)
			for (names->count = 0; names->count < NINEP_WALK_MAX; names->count++)
				names->names[names->count] = ninep_string(texts[names->count % 4]);
	}
}

static void check_round(struct kunit *test, u8 type, enum ninep_dialect dialect)
{
	static struct ninep_message message, decoded;
	static u8 again[sizeof(buffer)];
	ssize_t length;

	memset(&message, 0, sizeof(message));
	message.type = type;
	message.tag = 0x1234;
	fill(messages[type].kinds, &message.Tversion, dialect);
	length = ninep_encode(&message, dialect, buffer, sizeof(buffer));
	KUNIT_ASSERT_GT(test, length, 0);
	KUNIT_EXPECT_EQ(test, (size_t)length, ninep_size(&message, dialect));
	KUNIT_ASSERT_EQ(test, ninep_decode(&decoded, dialect, buffer, (size_t)length), 0);
	KUNIT_EXPECT_EQ(test, decoded.tag, 0x1234);
	KUNIT_ASSERT_EQ(test, ninep_encode(&decoded, dialect, again, sizeof(again)), length);
	KUNIT_EXPECT_MEMEQ(test, again, buffer, (size_t)length);
	KUNIT_EXPECT_EQ(test, ninep_encode(&message, dialect, again, (size_t)length - 1), -EMSGSIZE);
	/* Cut at each byte it is refused (but where an optional number is left out), and so it is with one more. */
	for (ssize_t cut = 0; cut < length; cut++) {
		buffer[0] = (u8)cut;
		buffer[1] = (u8)(cut >> 8);
		if (type != Tfsync || cut != NINEP_HEADER_SIZE + 4)
			KUNIT_EXPECT_EQ(test, ninep_decode(&decoded, dialect, buffer, (size_t)cut),
					-EPROTO);
	}
	buffer[0] = (u8)(length + 1);
	buffer[1] = (u8)((length + 1) >> 8);
	buffer[length] = 0;
	KUNIT_EXPECT_EQ(test, ninep_decode(&decoded, dialect, buffer, (size_t)length + 1), -EPROTO);
}

static void each_message_survives_each_of_its_dialects(struct kunit *test)
{
	unsigned int rounds = 0;

	for (unsigned int type = 0; type < ARRAY_SIZE(messages); type++)
		for (unsigned int dialect = NINEP_2000; dialect <= NINEP_2000L; dialect <<= 1)
			if (messages[type].dialects & dialect) {
				check_round(test, (u8)type, dialect);
				rounds++;
			}
	KUNIT_EXPECT_EQ(test, rounds, 18 * 3 + 9 * 2 + 39);
}

/* Messages as other programs send them. */
static void the_wire_is_the_protocols(struct kunit *test)
{
	static const u8 version[] = "\x15\0\0\0\x64\xff\xff\x00\x20\0\0\x08\0"
				    "9P2000.L";
	static const u8 walk[] = "\x19\0\0\0\x6e\x01\0\x02\0\0\0\x03\0\0\0\x02\0\x01\0a\x03\0bcd";
	static const u8 error[] = "\x0b\0\0\0\x07\x09\0\x02\0\0\0";
	struct ninep_message message;

	KUNIT_ASSERT_EQ(test, ninep_decode(&message, NINEP_2000, version, sizeof(version) - 1), 0);
	KUNIT_EXPECT_EQ(test, message.type, Tversion);
	KUNIT_EXPECT_EQ(test, message.tag, NINEP_NO_TAG);
	KUNIT_EXPECT_EQ(test, message.Tversion.msize, 8192);
	KUNIT_EXPECT_TRUE(test, ninep_string_is(message.Tversion.version, "9P2000.L"));
	KUNIT_ASSERT_EQ(test, ninep_decode(&message, NINEP_2000L, walk, sizeof(walk) - 1), 0);
	KUNIT_EXPECT_EQ(test, message.Twalk.fid, 2);
	KUNIT_EXPECT_EQ(test, message.Twalk.newfid, 3);
	KUNIT_ASSERT_EQ(test, message.Twalk.wname.count, 2);
	KUNIT_EXPECT_TRUE(test, ninep_string_is(message.Twalk.wname.names[1], "bcd"));
	KUNIT_ASSERT_EQ(test, ninep_decode(&message, NINEP_2000L, error, sizeof(error) - 1), 0);
	KUNIT_EXPECT_EQ(test, message.Rlerror.ecode, ENOENT);
}

static void a_dialect_does_not_have_the_messages_of_others(struct kunit *test)
{
	struct ninep_message message = { .type = Tlopen, .tag = 5 };
	ssize_t length = ninep_encode(&message, NINEP_2000L, buffer, sizeof(buffer));

	KUNIT_ASSERT_GT(test, length, 0);
	KUNIT_EXPECT_EQ(test, ninep_encode(&message, NINEP_2000U, buffer, sizeof(buffer)), -EINVAL);
	message.tag = 0;
	KUNIT_EXPECT_EQ(test, ninep_decode(&message, NINEP_2000, buffer, (size_t)length), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, message.type, Tlopen);
	KUNIT_EXPECT_EQ(test, message.tag, 5);
}

static void a_nul_in_a_string_and_too_many_names_are_refused(struct kunit *test)
{
	static u8 nul[] = "\x15\0\0\0\x64\xff\xff\x00\x20\0\0\x08\0"
			  "9P20\0\0.L";
	static u8 names[NINEP_HEADER_SIZE + 10 + 17 * 2] = { sizeof(names), [4] = Twalk, [15] = 17 };
	struct ninep_message message = { .type = Twalk, .Twalk.wname.count = 17 };

	KUNIT_EXPECT_EQ(test, ninep_size(&message, NINEP_2000L), 0);
	KUNIT_EXPECT_EQ(test, ninep_encode(&message, NINEP_2000L, buffer, sizeof(buffer)), -EINVAL);
	KUNIT_EXPECT_EQ(test, ninep_decode(&message, NINEP_2000, nul, sizeof(nul) - 1), -EPROTO);
	KUNIT_EXPECT_EQ(test, ninep_decode(&message, NINEP_2000L, names, sizeof(names)), -EPROTO);
}

static void data_may_travel_beside_the_message(struct kunit *test)
{
	struct ninep_message message = { .type = Twrite,
					 .tag = 3,
					 .Twrite = { 7, 4096, { NULL, 1 << 20 } } };
	ssize_t length = ninep_encode(&message, NINEP_2000L, buffer, sizeof(buffer));

	KUNIT_ASSERT_EQ(test, length, NINEP_WRITE_HEAD);
	KUNIT_EXPECT_EQ(test, ninep_message_size(buffer), NINEP_WRITE_HEAD + (1 << 20));
	memset(&message.Twrite, 0, sizeof(message.Twrite));
	KUNIT_EXPECT_EQ(test, ninep_decode(&message, NINEP_2000L, buffer, (size_t)length), -EPROTO);
	KUNIT_ASSERT_EQ(test, ninep_decode_head(&message, NINEP_2000L, buffer, (size_t)length), 0);
	KUNIT_EXPECT_EQ(test, message.Twrite.offset, 4096);
	KUNIT_EXPECT_EQ(test, message.Twrite.data.length, 1 << 20);
	KUNIT_EXPECT_NULL(test, message.Twrite.data.bytes);
	/* The message's size and the data's must agree. */
	buffer[0]++;
	KUNIT_EXPECT_EQ(test, ninep_decode_head(&message, NINEP_2000L, buffer, (size_t)length), -EPROTO);
	/* Of messages without data nothing is elsewhere. */
	message = (struct ninep_message){ .type = Tclunk };
	length = ninep_encode(&message, NINEP_2000L, buffer, sizeof(buffer));
	buffer[0]++;
	KUNIT_EXPECT_EQ(test, ninep_decode_head(&message, NINEP_2000L, buffer, (size_t)length), -EPROTO);
}

static void entries_are_taken_one_by_one(struct kunit *test)
{
	struct ninep_entry entry = { .qid.path = 5, .offset = 9, .type = 4, .name = ninep_string("folder") };
	size_t first = ninep_entry_put(buffer, sizeof(buffer), &entry), second;
	struct ninep_data data = { .bytes = buffer };

	KUNIT_EXPECT_EQ(test, first, 13 + 8 + 1 + 2 + 6);
	KUNIT_EXPECT_EQ(test, ninep_entry_put(buffer + first, first - 1, &entry), 0);
	entry.name = ninep_string("x");
	second = ninep_entry_put(buffer + first, sizeof(buffer) - first, &entry);
	data.length = (u32)(first + second);
	KUNIT_ASSERT_EQ(test, ninep_entry_next(&data, &entry), 1);
	KUNIT_EXPECT_TRUE(test, ninep_string_is(entry.name, "folder"));
	KUNIT_ASSERT_EQ(test, ninep_entry_next(&data, &entry), 1);
	KUNIT_EXPECT_TRUE(test, ninep_string_is(entry.name, "x"));
	KUNIT_EXPECT_EQ(test, entry.offset, 9);
	KUNIT_EXPECT_EQ(test, ninep_entry_next(&data, &entry), 0);
	data = (struct ninep_data){ buffer, (u32)first - 1 };
	KUNIT_EXPECT_EQ(test, ninep_entry_next(&data, &entry), -EPROTO);
}

static void stats_are_taken_one_by_one(struct kunit *test)
{
	struct ninep_stat stat;
	struct ninep_data data = { .bytes = buffer };
	size_t size;

	ninep_stat_no_change(&stat);
	KUNIT_EXPECT_EQ(test, ninep_stat_put(buffer, sizeof(buffer), NINEP_2000, &stat), 49);
	stat.name = ninep_string("name");
	size = ninep_stat_put(buffer, sizeof(buffer), NINEP_2000U, &stat);
	KUNIT_EXPECT_EQ(test, size, 49 + 4 + 2 + 12);
	size += ninep_stat_put(buffer + size, sizeof(buffer) - size, NINEP_2000U, &stat);
	data.length = (u32)size;
	KUNIT_ASSERT_EQ(test, ninep_stat_next(&data, NINEP_2000U, &stat), 1);
	KUNIT_EXPECT_TRUE(test, ninep_string_is(stat.name, "name"));
	KUNIT_ASSERT_EQ(test, ninep_stat_next(&data, NINEP_2000U, &stat), 1);
	KUNIT_EXPECT_EQ(test, ninep_stat_next(&data, NINEP_2000U, &stat), 0);
	data = (struct ninep_data){ buffer, (u32)size };
	KUNIT_EXPECT_EQ(test, ninep_stat_next(&data, NINEP_2000, &stat), -EPROTO);
}

static void the_size_before_a_stats_size_may_be_missing(struct kunit *test)
{
	struct ninep_message message = { .type = Rstat };
	ssize_t length;

	ninep_stat_no_change(&message.Rstat.stat);
	length = ninep_encode(&message, NINEP_2000U, buffer, sizeof(buffer));
	KUNIT_ASSERT_GT(test, length, 0);
	buffer[NINEP_HEADER_SIZE] = 0;
	KUNIT_EXPECT_EQ(test, ninep_decode(&message, NINEP_2000U, buffer, (size_t)length), 0);
	buffer[NINEP_HEADER_SIZE] = 1;
	KUNIT_EXPECT_EQ(test, ninep_decode(&message, NINEP_2000U, buffer, (size_t)length), -EPROTO);
}

static void modes_go_there_and_back(struct kunit *test)
{
	static const u32 modes[] = { S_IFDIR | 01755, S_IFREG | 06711, S_IFLNK | 0777,
				     S_IFIFO | 0600,  S_IFSOCK | 0,    S_IFREG };
	struct ninep_stat stat = { .extension = ninep_string("b 8 17") };
	u32 major, minor;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		stat.mode = ninep_mode_from_unix(modes[i], NINEP_2000U);
		KUNIT_EXPECT_EQ(test, ninep_mode_to_unix(&stat, NINEP_2000U, &major, &minor), modes[i]);
	}
	stat.mode = ninep_mode_from_unix(S_IFBLK | 0640, NINEP_2000U);
	KUNIT_EXPECT_EQ(test, ninep_mode_to_unix(&stat, NINEP_2000U, &major, &minor), S_IFBLK | 0640);
	KUNIT_EXPECT_EQ(test, major, 8);
	KUNIT_EXPECT_EQ(test, minor, 17);
	stat.extension = ninep_string("b 8 99999999999");
	KUNIT_EXPECT_EQ(test, ninep_mode_to_unix(&stat, NINEP_2000U, &major, &minor), S_IFCHR | 0640);
	KUNIT_EXPECT_EQ(test, ninep_mode_from_unix(S_IFLNK | 04777, NINEP_2000), 0777);
	KUNIT_EXPECT_EQ(test, ninep_mode_from_unix(S_IFDIR | 0700, NINEP_2000), NINEP_DMDIR | 0700);
}

static void errors_have_texts(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, ninep_error_text(ENOENT), "No such file or directory");
	KUNIT_EXPECT_STREQ(test, ninep_error_text(12345), "Input/output error");
	KUNIT_EXPECT_EQ(test, ninep_error_number(ninep_string("file does not exist")), ENOENT);
	KUNIT_EXPECT_EQ(test, ninep_error_number(ninep_string("the dog ate it")), EIO);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		KUNIT_EXPECT_EQ(test, ninep_error_number(ninep_string(errors[i].text)),
				errors[i].number);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fields_lie_where_the_compiler_puts_them),
	KUNIT_CASE(each_message_survives_each_of_its_dialects),
	KUNIT_CASE(the_wire_is_the_protocols),
	KUNIT_CASE(a_dialect_does_not_have_the_messages_of_others),
	KUNIT_CASE(a_nul_in_a_string_and_too_many_names_are_refused),
	KUNIT_CASE(data_may_travel_beside_the_message),
	KUNIT_CASE(entries_are_taken_one_by_one),
	KUNIT_CASE(stats_are_taken_one_by_one),
	KUNIT_CASE(the_size_before_a_stats_size_may_be_missing),
	KUNIT_CASE(modes_go_there_and_back),
	KUNIT_CASE(errors_have_texts),
	{},
};
static struct kunit_suite suite = { .name = "codec", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
