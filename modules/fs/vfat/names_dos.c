/* Names of a volume that is mounted as msdos: eight bytes and three, capital letters on the disk, small ones outside. */
#include "names.h"

#include <kumo/err.h>
#include <kumo/string.h>

#define BASE 8u

static bool is_refused(u8 byte, enum name_check check)
{
	return byte < 0x20 || byte == '.' || strchr("*?<>|\"/\\:", byte) ||
	       (check == NAME_CHECK_STRICT && strchr("+=,; ", byte));
}

/* One part, up to its end or a dot: how much of the text that is. Negative: it is no name. */
static int dos_part_make(const char *text, u32 length, u8 *part, u32 size, enum name_check check)
{
	u32 used = 0, at = 0;

	for (; at < length && text[at] != '.'; at++) {
		u8 byte = (u8)text[at];

		if (check != NAME_CHECK_RELAXED && is_refused(byte, check))
			return -EINVAL;
		if (!byte || byte == '/')
			return -EINVAL;
		if (check == NAME_CHECK_STRICT && byte >= 'A' && byte <= 'Z')
			return -EINVAL;
		if (used == size) {
			if (check == NAME_CHECK_STRICT)
				return -EINVAL;
			continue; /* what is too long is cut */
		}
		part[used++] = byte >= 'a' && byte <= 'z' ? (u8)(byte - 0x20) : byte;
	}
	return used && part[used - 1] == ' ' && at == length ? -EINVAL : (int)at;
}

int dos_name_make(const char *text, u32 length, enum name_check check, u8 name[SHORT_NAME_BYTES])
{
	int base, extension = 0;

	memset(name, ' ', SHORT_NAME_BYTES);
	base = dos_part_make(text, length, name, BASE, check);
	if (base <= 0)
		return -EINVAL;
	if ((u32)base < length) {
		u32 left = length - (u32)base - 1;

		extension = dos_part_make(text + base + 1, left, name + BASE,
					  SHORT_NAME_BYTES - BASE, check);
		if (extension < 0 || (check != NAME_CHECK_RELAXED && (u32)extension < left))
			return -EINVAL;
	}
	if (name[0] == SLOT_DELETED)
		name[0] = SLOT_E5;
	return 0;
}
