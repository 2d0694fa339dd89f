/* Hashing of byte strings for tables that only the kernel fills: fast and well spread, no defence against an adversary who
 * chooses the keys; tables of such keys bound their chains or seed with random_bytes(). */
#include <kumo/export.h>
#include <kumo/string.h>

#define MIX 0x9e3779b97f4a7c15ULL /* 2^64 / golden ratio */

typedef u64 __attribute__((may_alias, aligned(1))) word64;

static inline u64 mix(u64 state, u64 word)
{
	state = (state ^ word) * MIX;
	return state ^ (state >> 29);
}

u32 hash_bytes(const void *data, size_t size, u32 seed)
{
	const u8 *at = data;
	u64 state = seed ^ (size * MIX), last = 0;

	for (; size >= 8; size -= 8, at += 8)
		state = mix(state, *(const word64 *)at);
	for (size_t i = 0; i < size; i++)
		last |= (u64)at[i] << (8 * i);
	state = mix(state, last);
	return (u32)(state >> 32) ^ (u32)state;
}
EXPORT_SYMBOL(hash_bytes);
