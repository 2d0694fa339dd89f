/* Suite of names on FAT volumes: long ones in their slots, short ones made of them, names of msdos. */
#include <kumo/kunit.h>

#include "names.c"
#include "names_dos.c"
#include "short_names.c"

static struct wide_name wide(const char *text)
{
	struct wide_name name;

	if (wide_from_utf8(text, (u32)strlen(text), &name))
		name.length = 0;
	return name;
}

/* The short name as bytes, with that tail; "" : there is none. */
static const char *short_of(const char *text, int tail)
{
	static char bytes[SHORT_NAME_BYTES + 1];
	struct wide_name name = wide(text);
	struct short_form form;

	memset(bytes, 0, sizeof(bytes));
	if (short_form_make(&name, &form))
		return "";
	memcpy(bytes, form.name, SHORT_NAME_BYTES);
	if (tail >= 0)
		short_form_with_tail(&form, (u32)tail, 0x12AB, (u8 *)bytes);
	return bytes;
}

static bool is_whole(const char *text)
{
	struct wide_name name = wide(text);
	struct short_form form;

	return !short_form_make(&name, &form) && form.whole;
}

static const char *shown(const char *bytes, u8 lower)
{
	static char text[UTF8_NAME_MAX + 1];
	struct wide_name name;

	short_to_wide((const u8 *)bytes, lower, &name);
	text[wide_to_utf8(&name, text)] = 0;
	return text;
}

static void utf8_goes_to_the_disk_and_back(struct kunit *test)
{
	static const char *const names[] = { "a", "\xc3\xa4", "\xe2\x82\xac uro",
					     "\xf0\x9f\x98\x80.txt" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		char text[UTF8_NAME_MAX + 1];
		struct wide_name name = wide(names[i]);

		text[wide_to_utf8(&name, text)] = 0;
		KUNIT_EXPECT_STREQ(test, text, names[i]);
	}
	KUNIT_EXPECT_EQ(test, wide("\xf0\x9f\x98\x80").length, 2);
}

static void what_is_no_utf8_is_no_name(struct kunit *test)
{
	static const char *const names[] = { "\x80",	     "\xc0\xaf",	 "\xe2\x82",
					     "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff" };
	struct wide_name name;

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		KUNIT_EXPECT_EQ(test, wide_from_utf8(names[i], (u32)strlen(names[i]), &name), -EINVAL);
}

static void a_name_has_255_characters_at_most(struct kunit *test)
{
	struct wide_name name;
	char text[300];

	memset(text, 'x', sizeof(text));
	KUNIT_EXPECT_EQ(test, wide_from_utf8(text, 255, &name), 0);
	KUNIT_EXPECT_EQ(test, long_slots(&name), LONG_SLOTS_MAX);
	KUNIT_EXPECT_EQ(test, wide_from_utf8(text, 256, &name), -ENAMETOOLONG);
}

static void characters_that_no_name_may_have_are_refused(struct kunit *test)
{
	static const char *const refused[] = { "a*b", "a?",  "<",    ">",     "|",
					       "\"",  "a:b", "a\\b", "a\x01", "a " };
	static const char *const taken[] = { "a+b", "a b", ".a", "[x];,=", "~", "\xc3\xa4" };
	struct wide_name name;

	for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
		name = wide(refused[i]);
		KUNIT_EXPECT_EQ(test, wide_check(&name), -EINVAL);
	}
	for (u32 i = 0; i < ARRAY_SIZE(taken); i++) {
		name = wide(taken[i]);
		KUNIT_EXPECT_EQ(test, wide_check(&name), 0);
	}
}

static void dots_and_slashes_are_not_shown(struct kunit *test)
{
	static const char *const names[] = { ".", "..", "a/b", "" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		struct wide_name name = wide(names[i]);

		KUNIT_EXPECT_FALSE(test, wide_is_sane(&name));
	}
	KUNIT_EXPECT_EQ(test, name_trimmed("a...", 4), 1);
	KUNIT_EXPECT_EQ(test, name_trimmed("...", 3), 0);
}

static void case_counts_for_ascii_alone_not(struct kunit *test)
{
	struct wide_name a = wide("Foo.TXT"), b = wide("fOO.txt"), c = wide("\xc3\xa4"),
			 d = wide("\xc3\x84");

	KUNIT_EXPECT_TRUE(test, wide_equal(&a, &b));
	KUNIT_EXPECT_FALSE(test, wide_equal(&c, &d));
	KUNIT_EXPECT_FALSE(test, wide_equal(&a, &c));
}

static void a_long_name_fills_slots_from_its_end(struct kunit *test)
{
	struct wide_name name = wide("fifteen letters");
	struct long_disk slot;
	u16 text[2 * LONG_NAME_PART];

	KUNIT_EXPECT_EQ(test, long_slots(&name), 2);
	long_part_write(&slot, &name, 1, 0x77);
	KUNIT_EXPECT_EQ(test, slot.sequence, LONG_LAST | 2);
	KUNIT_EXPECT_EQ(test, slot.checksum, 0x77);
	long_part_read(&slot, 1, text);
	KUNIT_EXPECT_EQ(test, text[13], 'r');
	KUNIT_EXPECT_EQ(test, text[14], 's');
	KUNIT_EXPECT_EQ(test, text[15], 0);
	KUNIT_EXPECT_EQ(test, text[16], 0xFFFF);
	long_part_write(&slot, &name, 0, 0x77);
	KUNIT_EXPECT_EQ(test, slot.sequence, 1);
	name = wide("thirteen-char");
	KUNIT_EXPECT_EQ_MSG(test, long_slots(&name), 1, "no end is needed where it fits");
}

static void short_names_are_capitals_of_eight_and_three(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, short_of("readme.txt", -1), "README  TXT");
	KUNIT_EXPECT_STREQ(test, short_of("a.b.c", -1), "AB      C  ");
	KUNIT_EXPECT_STREQ(test, short_of("a b+c.x y", -1), "AB_C    XY ");
	KUNIT_EXPECT_STREQ(test, short_of(".profile", -1), "PROFILE    ");
	KUNIT_EXPECT_STREQ(test, short_of("trailing.", -1), "TRAILING   ");
	KUNIT_EXPECT_STREQ(test, short_of("longer-than-eight.jpeg", -1), "LONGER-TJPE");
	KUNIT_EXPECT_STREQ(test, short_of("\xc3\xa4.txt", -1), "_       TXT");
	KUNIT_EXPECT_STREQ_MSG(test, short_of("...", -1), "", "nothing is left");
}

static void only_what_fits_needs_no_long_name(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, is_whole("README.TXT"));
	KUNIT_EXPECT_TRUE(test, is_whole("readme.txt"));
	KUNIT_EXPECT_TRUE(test, is_whole("EIGHTLTR"));
	KUNIT_EXPECT_FALSE(test, is_whole("NINELETTR"));
	KUNIT_EXPECT_FALSE(test, is_whole("a.b.c"));
	KUNIT_EXPECT_FALSE(test, is_whole(".a"));
	KUNIT_EXPECT_FALSE(test, is_whole("a.html"));
	KUNIT_EXPECT_FALSE(test, is_whole("a+b"));
	KUNIT_EXPECT_FALSE(test, is_whole("a b"));
}

static void numbers_tell_short_names_apart(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, short_of("a long name.text", 0), "ALONGN~1TEX");
	KUNIT_EXPECT_STREQ(test, short_of("a long name.text", 8), "ALONGN~9TEX");
	KUNIT_EXPECT_STREQ(test, short_of("a long name.text", 9), "AL12AB~1TEX");
	KUNIT_EXPECT_STREQ(test, short_of("a.b.c", 1), "AB~2    C  ");
	KUNIT_EXPECT_STREQ(test, short_of("+", 17), "_12AB~9    ");
}

static void short_names_are_shown_with_their_dot(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, shown("README  TXT", 0), "README.TXT");
	KUNIT_EXPECT_STREQ(test, shown("README  TXT", CASE_LOWER_BASE), "readme.TXT");
	KUNIT_EXPECT_STREQ(test, shown("README  TXT", CASE_LOWER_EXTENSION), "README.txt");
	KUNIT_EXPECT_STREQ(test, shown("NOEXT      ", 0), "NOEXT");
	KUNIT_EXPECT_STREQ(test, shown("\x8e       TXT", 0), "\xc3\x84.TXT");
	KUNIT_EXPECT_STREQ(test, shown("\x05       TXT", 0), "\xcf\x83.TXT");
}

static void the_checksum_is_that_of_others(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, short_checksum((const u8 *)"FILENAMETXT"), 0x3A);
}

static void msdos_cuts_names_and_refuses_some(struct kunit *test)
{
	static const struct {
		const char *text, *name;
		enum name_check check;
	} names[] = {
		{ "readme.txt", "README  TXT", NAME_CHECK_NORMAL },
		{ "verylongname.text", "VERYLONGTEX", NAME_CHECK_NORMAL },
		{ "a.b.c", NULL, NAME_CHECK_NORMAL },
		{ ".hidden", NULL, NAME_CHECK_NORMAL },
		{ "a*b", NULL, NAME_CHECK_NORMAL },
		{ "a+b", "A+B        ", NAME_CHECK_NORMAL },
		{ "a+b", NULL, NAME_CHECK_STRICT },
		{ "verylongname", NULL, NAME_CHECK_STRICT },
		{ "a*b", "A*B        ", NAME_CHECK_RELAXED },
	};
	char name[SHORT_NAME_BYTES + 1] = {};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		int error = dos_name_make(names[i].text, (u32)strlen(names[i].text), names[i].check,
					  (u8 *)name);

		KUNIT_EXPECT_EQ_MSG(test, error, names[i].name ? 0 : -EINVAL, names[i].text);
		if (names[i].name)
			KUNIT_EXPECT_STREQ(test, name, names[i].name);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(utf8_goes_to_the_disk_and_back),
	KUNIT_CASE(what_is_no_utf8_is_no_name),
	KUNIT_CASE(a_name_has_255_characters_at_most),
	KUNIT_CASE(characters_that_no_name_may_have_are_refused),
	KUNIT_CASE(dots_and_slashes_are_not_shown),
	KUNIT_CASE(case_counts_for_ascii_alone_not),
	KUNIT_CASE(a_long_name_fills_slots_from_its_end),
	KUNIT_CASE(short_names_are_capitals_of_eight_and_three),
	KUNIT_CASE(only_what_fits_needs_no_long_name),
	KUNIT_CASE(numbers_tell_short_names_apart),
	KUNIT_CASE(short_names_are_shown_with_their_dot),
	KUNIT_CASE(the_checksum_is_that_of_others),
	KUNIT_CASE(msdos_cuts_names_and_refuses_some),
	{},
};

static struct kunit_suite suite = { .name = "vfat_names", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
