/* ChaCha20: see chacha.h. */
#include <kumo/export.h>

#include "chacha.h"

static inline u32 rotate(u32 word, unsigned int bits)
{
	return word << bits | word >> (32 - bits);
}

static inline void quarter_round(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

void chacha20_block(const u32 key[CHACHA_KEY_WORDS], u64 counter, u64 nonce,
		    u32 block[CHACHA_BLOCK_WORDS])
{
	/* "expand 32-byte k" */
	const u32 start[CHACHA_BLOCK_WORDS] = {
		0x61707865,   0x3320646e,
		0x79622d32,   0x6b206574,
		key[0],	      key[1],
		key[2],	      key[3],
		key[4],	      key[5],
		key[6],	      key[7],
		(u32)counter, (u32)(counter >> 32),
		(u32)nonce,   (u32)(nonce >> 32),
	};
	u32 x[CHACHA_BLOCK_WORDS];

	for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
		x[i] = start[i];
	for (int i = 0; i < 10; i++) {
		quarter_round(&x[0], &x[4], &x[8], &x[12]);
		quarter_round(&x[1], &x[5], &x[9], &x[13]);
		quarter_round(&x[2], &x[6], &x[10], &x[14]);
		quarter_round(&x[3], &x[7], &x[11], &x[15]);
		quarter_round(&x[0], &x[5], &x[10], &x[15]);
		quarter_round(&x[1], &x[6], &x[11], &x[12]);
		quarter_round(&x[2], &x[7], &x[8], &x[13]);
		quarter_round(&x[3], &x[4], &x[9], &x[14]);
	}
	for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
		block[i] = x[i] + start[i];
}
EXPORT_SYMBOL(chacha20_block);
