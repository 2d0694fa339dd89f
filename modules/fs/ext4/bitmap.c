/* Bits of bitmaps: of blocks and inodes of a group. */
#include "bitmap.h"

#include <kumo/string.h>

bool bit_get(const void *bitmap, u32 bit)
{
	return ((const u8 *)bitmap)[bit / 8] >> bit % 8 & 1;
}

void bits_set(void *bitmap, u32 first, u32 count, bool value)
{
	u8 *bytes = bitmap;

	for (; count && first % 8; first++, count--)
		bytes[first / 8] = value ? bytes[first / 8] | 1 << first % 8
					 : bytes[first / 8] & ~(1 << first % 8);
	memset(bytes + first / 8, value ? 0xff : 0, count / 8);
	for (first += count / 8 * 8, count %= 8; count; first++, count--)
		bytes[first / 8] = value ? bytes[first / 8] | 1 << first % 8
					 : bytes[first / 8] & ~(1 << first % 8);
}

u32 bit_find(const void *bitmap, const unsigned long *also, u32 from, u32 end, bool value)
{
	while (from < end) {
		unsigned long word;

		__builtin_memcpy(&word, (const u8 *)bitmap + from / 64 * 8, 8);
		if (also)
			word |= also[from / 64];
		word = (value ? word : ~word) >> from % 64;
		if (word)
			return min(from + (u32)__builtin_ctzl(word), end);
		from = (from / 64 + 1) * 64;
	}
	return end;
}

bool bits_all(const void *bitmap, u32 first, u32 count, bool value)
{
	return bit_find(bitmap, NULL, first, first + count, !value) == first + count;
}
