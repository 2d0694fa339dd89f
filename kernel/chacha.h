/* The ChaCha20 block function (RFC 8439, 2.3), with a 64-bit counter and a 64-bit nonce as its author has it. */
#ifndef KERNEL_CHACHA_H
#define KERNEL_CHACHA_H

#include <kumo/types.h>

#define CHACHA_KEY_WORDS 8
#define CHACHA_BLOCK_WORDS 16

void chacha20_block(const u32 key[CHACHA_KEY_WORDS], u64 counter, u64 nonce,
		    u32 block[CHACHA_BLOCK_WORDS]);

#endif
