/* Suite of the cipher and the generator of random bytes. */
#include <kumo/kunit.h>
#include <kumo/random.h>

#include "chacha.h"

/* RFC 8439, 2.3.2. Its nonce has 96 bits, the first 32 of which are the upper half of the counter here. */
static void the_cipher_gives_the_block_of_the_standard(struct kunit *test)
{
	static const u32 key[CHACHA_KEY_WORDS] = { 0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
						   0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c };
	static const u32 expected[CHACHA_BLOCK_WORDS] = {
		0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033,
		0x9aaa2204, 0x4e6cd4c3, 0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
		0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
	};
	u32 block[CHACHA_BLOCK_WORDS];

	chacha20_block(key, 0x0900000000000001, 0x4a000000, block);
	KUNIT_EXPECT_MEMEQ(test, block, expected, sizeof(expected));
}

static unsigned int ones(const u8 *bytes, size_t size)
{
	unsigned int count = 0;

	for (size_t i = 0; i < size; i++)
		for (unsigned int bit = 0; bit < 8; bit++)
			count += bytes[i] >> bit & 1;
	return count;
}

static void half_of_the_bits_are_ones(struct kunit *test)
{
	u8 *bytes = kunit_kzalloc(test, 4096, GFP_KERNEL);

	random_get(bytes, 4096);
	/* 32768 bits, standard deviation 90: ten of these. */
	KUNIT_EXPECT_GT(test, ones(bytes, 4096), 16384 - 900);
	KUNIT_EXPECT_LT(test, ones(bytes, 4096), 16384 + 900);
}

static void no_two_requests_are_alike(struct kunit *test)
{
	u64 words[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = random_u64();
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		for (unsigned int j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, words[i], words[j]);
}

static void exactly_what_was_asked_for_is_written(struct kunit *test)
{
	for (size_t size = 0; size < 200; size += 7) {
		u8 bytes[208];

		memset(bytes, 0xee, sizeof(bytes));
		random_get(bytes, size);
		for (size_t i = size; i < sizeof(bytes); i++)
			KUNIT_ASSERT_EQ(test, bytes[i], 0xee);
	}
}

static void entropy_changes_what_comes(struct kunit *test)
{
	u64 before = random_u64();

	random_add_entropy("what the weather was", 20, 1);
	KUNIT_EXPECT_NE(test, random_u64(), before);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(the_cipher_gives_the_block_of_the_standard),
	KUNIT_CASE(half_of_the_bits_are_ones),
	KUNIT_CASE(no_two_requests_are_alike),
	KUNIT_CASE(exactly_what_was_asked_for_is_written),
	KUNIT_CASE(entropy_changes_what_comes),
	{},
};
static struct kunit_suite suite = { .name = "random", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
