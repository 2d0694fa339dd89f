/*
 * Long names: UTF-8 outside, UTF-16 on the disk, 13 characters an entry. Two names are the same if they differ in the case of ASCII
 * letters alone (as for Linux, which with UTF-8 names knows no other letters either).
 */
#include "names.h"

#include <kumo/err.h>
#include <kumo/string.h>

#define REPLACEMENT 0xFFFD /* for half of a pair */

/* ---- UTF-8 ---- */

/* A character, of `left` bytes at most: how many it has; 0: it is none. */
static u32 utf8_decode(const u8 *at, u32 left, u32 *character)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	u32 size, value;

	if (*at < 0x80) {
		*character = *at;
		return 1;
	}
	size = *at >= 0xF0 ? 4 : *at >= 0xE0 ? 3 : 2;
	if (*at < 0xC2 || *at > 0xF4 || size > left)
		return 0;
	value = *at & (0x7Fu >> size);
	for (u32 i = 1; i < size; i++) {
		if ((at[i] & 0xC0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3F);
	}
	if (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
		return 0;
	*character = value;
	return size;
}

static u32 utf8_encode(u32 character, char *to)
{
	if (character < 0x80) {
		to[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		to[0] = (char)(0xC0 | character >> 6);
		to[1] = (char)(0x80 | (character & 0x3F));
		return 2;
	}
	if (character < 0x10000) {
		to[0] = (char)(0xE0 | character >> 12);
		to[1] = (char)(0x80 | (character >> 6 & 0x3F));
		to[2] = (char)(0x80 | (character & 0x3F));
		return 3;
	}
	to[0] = (char)(0xF0 | character >> 18);
	to[1] = (char)(0x80 | (character >> 12 & 0x3F));
	to[2] = (char)(0x80 | (character >> 6 & 0x3F));
	to[3] = (char)(0x80 | (character & 0x3F));
	return 4;
}

int wide_from_utf8(const char *text, u32 length, struct wide_name *wide)
{
	u32 character, size;

	wide->length = 0;
	for (u32 at = 0; at < length; at += size) {
		u32 units;

		size = utf8_decode((const u8 *)text + at, length - at, &character);
		if (!size)
			return -EINVAL;
		units = character < 0x10000 ? 1 : 2;
		if (wide->length + units > LONG_NAME_MAX)
			return -ENAMETOOLONG;
		if (units == 2) {
			character -= 0x10000;
			wide->text[wide->length++] = (u16)(0xD800 | character >> 10);
			character = 0xDC00 | (character & 0x3FF);
		}
		wide->text[wide->length++] = (u16)character;
	}
	return 0;
}

u32 wide_to_utf8(const struct wide_name *wide, char *to)
{
	u32 length = 0;

	for (u32 i = 0; i < wide->length; i++) {
		u32 character = wide->text[i];

		if (character >= 0xD800 && character < 0xDC00 && i + 1 < wide->length &&
		    wide->text[i + 1] >> 10 == 0xDC00 >> 10)
			character = 0x10000 + ((character & 0x3FF) << 10 | (wide->text[++i] & 0x3FF));
		else if (character >= 0xD800 && character < 0xE000)
			character = REPLACEMENT;
		length += utf8_encode(character, to + length);
	}
	return length;
}

/* ---- What may be a name ---- */

static u16 folded(u16 character)
{
	return character >= 'A' && character <= 'Z' ? character | 0x20 : character;
}

bool wide_equal(const struct wide_name *a, const struct wide_name *b)
{
	if (a->length != b->length)
		return false;
	for (u32 i = 0; i < a->length; i++)
		if (folded(a->text[i]) != folded(b->text[i]))
			return false;
	return true;
}

int wide_check(const struct wide_name *wide)
{
	for (u32 i = 0; i < wide->length; i++)
		if (wide->text[i] < 0x20 ||
		    (wide->text[i] < 0x80 && strchr("*?<>|\":/\\", wide->text[i])))
			return -EINVAL;
	return wide->length && wide->text[wide->length - 1] != ' ' ? 0 : -EINVAL;
}

bool wide_is_sane(const struct wide_name *wide)
{
	u32 dots = 0;

	for (u32 i = 0; i < wide->length; i++) {
		if (!wide->text[i] || wide->text[i] == '/')
			return false;
		dots += wide->text[i] == '.';
	}
	return wide->length && !(dots == wide->length && dots <= 2);
}

u32 name_trimmed(const char *text, u32 length)
{
	while (length && text[length - 1] == '.')
		length--;
	return length;
}

/* ---- Long names in entries ---- */

u32 long_slots(const struct wide_name *wide)
{
	return DIV_ROUND_UP(wide->length, LONG_NAME_PART);
}

void long_part_read(const struct long_disk *entry, u32 index, u16 *text)
{
	u16 *at = text + index * LONG_NAME_PART;

	memcpy(at, entry->name_1, sizeof(entry->name_1));
	memcpy(at + 5, entry->name_2, sizeof(entry->name_2));
	memcpy(at + 11, entry->name_3, sizeof(entry->name_3));
}

void long_part_write(struct long_disk *entry, const struct wide_name *wide, u32 index, u8 checksum)
{
	u32 first = index * LONG_NAME_PART;
	u16 part[LONG_NAME_PART];

	for (u32 i = 0; i < LONG_NAME_PART; i++) /* the end, if it fits, and what is behind it */
		part[i] = first + i < wide->length    ? wide->text[first + i]
			  : first + i == wide->length ? 0
						      : 0xFFFF;
	*entry = (struct long_disk){ .sequence = (u8)(index + 1),
				     .attributes = ATTRIBUTES_LONG,
				     .checksum = checksum };
	if (index + 1 == long_slots(wide))
		entry->sequence |= LONG_LAST;
	memcpy(entry->name_1, part, sizeof(entry->name_1));
	memcpy(entry->name_2, part + 5, sizeof(entry->name_2));
	memcpy(entry->name_3, part + 11, sizeof(entry->name_3));
}
