/* Hashes of names, compared with what debugfs of e2fsprogs says (dx_hash). */
#include "hash.c"

#include <kumo/kunit.h>

static const struct known {
	u8 version;
	const char *name;
	u32 major, minor;
} known[] = {
	{ HASH_LEGACY, "hello", 0x32252546, 0 },
	{ HASH_LEGACY, "a_name_of_some_length_17", 0x915d1608, 0 },
	{ HASH_LEGACY,
	  "\xe4\xf6\xff\xfc"
	  "ber",
	  0xb03ed414, 0 },
	{ HASH_HALF_MD4, "a", 0xd5fa7d7a, 0xacb48187 },
	{ HASH_HALF_MD4, "hello", 0x1746da32, 0x420013b5 },
	{ HASH_HALF_MD4, "a_name_of_some_length_17", 0x0fac858a, 0x926db405 },
	{ HASH_HALF_MD4,
	  "\xe4\xf6\xff\xfc"
	  "ber",
	  0xd5a4f012, 0x49eab9c6 },
	{ HASH_TEA, "a", 0x6d0ea4c0, 0xc18922df },
	{ HASH_TEA, "lost+found", 0x2dbf9e80, 0xbfebee4f },
	{ HASH_TEA,
	  "\xe4\xf6\xff\xfc"
	  "ber",
	  0x4b9c6be8, 0x143f2128 },
};

static void names_hash_as_others_hash_them(struct kunit *test)
{
	struct volume *volume = kunit_kzalloc(test, sizeof(*volume), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, volume);
	for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
		struct name_hash hash;

		KUNIT_ASSERT_EQ(test,
				name_hash_make(volume, known[i].version, known[i].name,
					       (u32)strlen(known[i].name), &hash),
				0);
		KUNIT_EXPECT_EQ_MSG(test, hash.major, known[i].major, "version %u of %s",
				    known[i].version, known[i].name);
		KUNIT_EXPECT_EQ(test, hash.minor, known[i].minor);
	}
}

static void a_volume_has_a_seed(struct kunit *test)
{
	struct volume *volume = kunit_kzalloc(test, sizeof(*volume), GFP_KERNEL);
	/* 01234567-89ab-cdef-0123-456789abcdef, as its bytes lie */
	static const u8 seed[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
				     0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
	struct name_hash hash;

	KUNIT_ASSERT_NOT_NULL(test, volume);
	memcpy(volume->hash_seed, seed, sizeof(seed));
	KUNIT_ASSERT_EQ(test, name_hash_make(volume, HASH_HALF_MD4, "hello", 5, &hash), 0);
	KUNIT_EXPECT_EQ(test, hash.major, 0xa26e4a80);
	KUNIT_EXPECT_EQ(test, hash.minor, 0x97e5b7f7);
}

static void characters_have_a_sign_or_none(struct kunit *test)
{
	struct volume *volume = kunit_kzalloc(test, sizeof(*volume), GFP_KERNEL);
	struct name_hash a, b;

	KUNIT_ASSERT_NOT_NULL(test, volume);
	for (u8 version = HASH_LEGACY; version <= HASH_TEA; version++) {
		u8 other = version + HASH_LEGACY_UNSIGNED;

		KUNIT_ASSERT_EQ(test, name_hash_make(volume, version, "plain", 5, &a), 0);
		KUNIT_ASSERT_EQ(test, name_hash_make(volume, other, "plain", 5, &b), 0);
		KUNIT_EXPECT_EQ(test, a.major, b.major);
		KUNIT_ASSERT_EQ(test, name_hash_make(volume, version, "\xff\x80", 2, &a), 0);
		KUNIT_ASSERT_EQ(test, name_hash_make(volume, other, "\xff\x80", 2, &b), 0);
		KUNIT_EXPECT_NE(test, a.major, b.major);
	}
	KUNIT_EXPECT_EQ(test, name_hash_make(volume, HASH_TEA_UNSIGNED + 1, "a", 1, &a), -EUCLEAN);
}

static struct kunit_case cases[] = { KUNIT_CASE(names_hash_as_others_hash_them),
				     KUNIT_CASE(a_volume_has_a_seed),
				     KUNIT_CASE(characters_have_a_sign_or_none),
				     {} };
static struct kunit_suite suite = { .name = "ext4_name_hash", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
