/*
 * Damage to a filesystem's image, for the fuzz target and for tests in the guest: what is changed is picked among the blocks that hold
 * something, since most of an image is zeros that nobody looks at.
 */
#ifndef TESTS_IMAGES_DAMAGE_H
#define TESTS_IMAGES_DAMAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGE_BLOCK 1024u
#define DAMAGE_RECORD                                                                              \
	8 /* bytes that say what is changed: where, in 32 bits; how; 3 bytes of value */
#define DAMAGE_DATA 'd' /* blocks of this alone are files' bytes, and left as they are */

struct damage_blocks {
	uint32_t *numbers, count;
};

static inline void damage_blocks_find(struct damage_blocks *used, const char *bytes, uint64_t size)
{
	used->numbers = calloc(size / DAMAGE_BLOCK, sizeof(*used->numbers));
	used->count = 0;
	for (uint32_t i = 0; used->numbers && i < size / DAMAGE_BLOCK; i++)
		for (uint32_t at = 0; at < DAMAGE_BLOCK; at++) {
			char byte = bytes[(uint64_t)i * DAMAGE_BLOCK + at];

			if (byte && byte != DAMAGE_DATA) {
				used->numbers[used->count++] = i;
				break;
			}
		}
}

static inline void damage(const struct damage_blocks *used, char *bytes, const uint8_t *record)
{
	uint32_t where, value = record[5] | record[6] << 8 | record[7] << 16;
	char *block;

	memcpy(&where, record, sizeof(where));
	block = bytes + (uint64_t)used->numbers[where / DAMAGE_BLOCK % used->count] * DAMAGE_BLOCK;
	where %= DAMAGE_BLOCK;
	switch (record[4] % 6) {
	case 0:
		block[where] = (char)value;
		break;
	case 1:
		block[where] ^= (char)value;
		break;
	case 2:
		memcpy(block + (where & ~1u), &value, 2);
		break;
	case 3:
		memcpy(block + (where & ~3u), &value, 4);
		break;
	case 4:
		memset(block + where, (int)value, (value >> 8) % (DAMAGE_BLOCK - where) + 1);
		break;
	default: /* another block's bytes */
		memmove(block, bytes + (uint64_t)used->numbers[value % used->count] * DAMAGE_BLOCK,
			DAMAGE_BLOCK);
	}
}

#endif
