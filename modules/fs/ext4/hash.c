/*
 * Hashes of names, by which directories are indexed: half of MD4's rounds (RFC 1320), TEA, and the one of old ext3. Bytes count
 * as signed or unsigned characters, as the machine had it that made the volume; the superblock says which.
 */
#include "ext4.h"

#define HASH_END 0x7fffffffu /* doubled: stands for "behind all"; no name hashes to it */

static u32 rotate(u32 value, int by)
{
	return value << by | value >> (32 - by);
}

static int character(const char *name, u32 at, bool is_unsigned)
{
	return is_unsigned ? (int)(u8)name[at] : (int)(s8)name[at];
}

/* `count` characters are put behind what `value` has. */
static u32 characters(const char *name, u32 count, bool is_unsigned, u32 value)
{
	for (u32 i = 0; i < count; i++)
		value = (u32)character(name, i, is_unsigned) + (value << 8);
	return value;
}

/* The next `words` words of a name; behind its end its length, again and again. */
static void name_words(const char *name, u32 length, bool is_unsigned, u32 *to, u32 words)
{
	u32 padding = length | length << 8, value;

	padding |= padding << 16;
	for (; words && length >= 4; words--, name += 4, length -= 4) {
		__builtin_memcpy(&value, name, sizeof(value));
		/* Without a sign four characters are the bytes of a word. */
		*to++ = is_unsigned || !(value & 0x80808080) ? __builtin_bswap32(value)
							     : characters(name, 4, is_unsigned, 0);
	}
	if (words) {
		*to++ = characters(name, length, is_unsigned, padding);
		words--;
	}
	while (words--)
		*to++ = padding;
}

static void half_md4(u32 state[4], const u32 in[8])
{
	static const u8 order[3][8] = { { 0, 1, 2, 3, 4, 5, 6, 7 },
					{ 1, 3, 5, 7, 0, 2, 4, 6 },
					{ 3, 7, 2, 6, 1, 5, 0, 4 } };
	static const u8 shift[3][4] = { { 3, 7, 11, 19 }, { 3, 5, 9, 13 }, { 3, 9, 11, 15 } };
	static const u32 constant[3] = { 0, 0x5A827999, 0x6ED9EBA1 };
	u32 a = state[0], b = state[1], c = state[2], d = state[3];

#pragma GCC unroll 3 /* the tables become constants */
	for (int round = 0; round < 3; round++) {
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++) {
			u32 mixed = round == 0	 ? (d ^ (b & (c ^ d)))
				    : round == 1 ? (b & c) + ((b ^ c) & d)
						 : b ^ c ^ d;
			u32 next = rotate(a + mixed + in[order[round][i]] + constant[round],
					  shift[round][i % 4]);

			a = d;
			d = c;
			c = b;
			b = next;
		}
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

static void tea(u32 state[4], const u32 in[4])
{
	u32 sum = 0, b0 = state[0], b1 = state[1];

	for (int i = 0; i < 16; i++) {
		sum += 0x9E3779B9;
		b0 += ((b1 << 4) + in[0]) ^ (b1 + sum) ^ ((b1 >> 5) + in[1]);
		b1 += ((b0 << 4) + in[2]) ^ (b0 + sum) ^ ((b0 >> 5) + in[3]);
	}
	state[0] += b0;
	state[1] += b1;
}

static u32 legacy(const char *name, u32 length, bool is_unsigned)
{
	u32 now = 0x12a3fe2d, before = 0x37abe8f9;

	for (u32 i = 0; i < length; i++) {
		u32 hash = before + (now ^ (u32)(character(name, i, is_unsigned) * 7152373));

		if (hash & 0x80000000)
			hash -= 0x7fffffff;
		before = now;
		now = hash;
	}
	return now << 1;
}

int name_hash_make(const struct volume *volume, u8 version, const char *name, u32 length,
		   struct name_hash *hash)
{
	u32 state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }, in[8];
	bool is_unsigned = version >= HASH_LEGACY_UNSIGNED;
	const u32 *seed = volume->hash_seed;
	u32 step;

	if (version > HASH_TEA_UNSIGNED)
		return -EUCLEAN;
	version %= HASH_LEGACY_UNSIGNED;
	if (version == HASH_LEGACY) {
		*hash = (struct name_hash){ .major = legacy(name, length, is_unsigned) };
	} else {
		if (seed[0] | seed[1] | seed[2] | seed[3])
			memcpy(state, seed, sizeof(state));
		step = version == HASH_TEA ? 16 : 32;
		for (u32 at = 0; at < length; at += step) {
			name_words(name + at, length - at, is_unsigned, in, step / 4);
			if (version == HASH_TEA)
				tea(state, in);
			else
				half_md4(state, in);
		}
		*hash = version == HASH_TEA ? (struct name_hash){ state[0], state[1] }
					    : (struct name_hash){ state[1], state[2] };
	}
	hash->major &= ~1u;
	if (hash->major == HASH_END << 1)
		hash->major = (HASH_END - 1) << 1;
	return 0;
}
