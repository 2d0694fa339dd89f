/* Bits of bitmaps, bit 0 the lowest of byte 0. A bitmap is whole words of 8 bytes. */
#ifndef EXT4_BITMAP_H
#define EXT4_BITMAP_H

#include <kumo/types.h>

bool bit_get(const void *bitmap, u32 bit);
void bits_set(void *bitmap, u32 first, u32 count, bool value);
/* The first bit from `from` on that has the value; `end` if there is none. `also`: bits that count as set, or NULL. */
u32 bit_find(const void *bitmap, const unsigned long *also, u32 from, u32 end, bool value);
bool bits_all(const void *bitmap, u32 first, u32 count, bool value); /* do all have the value? */

#endif
