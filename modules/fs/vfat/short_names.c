/*
 * Short names: eight bytes and three, in capital letters, of code page 437. Each file has one; a file whose name is more than
 * that has one that nobody uses by will, made of what is left of the name and of a number.
 */
#include "names.h"

#include <kumo/err.h>
#include <kumo/string.h>

#define BASE 8u
#define EXTENSION 3u

/* Code page 437, from 0x80 on. */
static const u16 code_page[128] = {
	0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7, 0x00EA, 0x00EB, 0x00E8,
	0x00EF, 0x00EE, 0x00EC, 0x00C4, 0x00C5, 0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2,
	0x00FB, 0x00F9, 0x00FF, 0x00D6, 0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192, 0x00E1,
	0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA, 0x00BA, 0x00BF, 0x2310, 0x00AC, 0x00BD,
	0x00BC, 0x00A1, 0x00AB, 0x00BB, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562,
	0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510, 0x2514, 0x2534,
	0x252C, 0x251C, 0x2500, 0x253C, 0x255E, 0x255F, 0x255A, 0x2554, 0x2569, 0x2566, 0x2560,
	0x2550, 0x256C, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B,
	0x256A, 0x2518, 0x250C, 0x2588, 0x2584, 0x258C, 0x2590, 0x2580, 0x03B1, 0x00DF, 0x0393,
	0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4, 0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6,
	0x03B5, 0x2229, 0x2261, 0x00B1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00F7, 0x2248, 0x00B0,
	0x2219, 0x00B7, 0x221A, 0x207F, 0x00B2, 0x25A0, 0x00A0,
};

u8 short_checksum(const u8 name[SHORT_NAME_BYTES])
{
	u8 sum = 0;

	for (u32 i = 0; i < SHORT_NAME_BYTES; i++)
		sum = (u8)((sum >> 1 | sum << 7) + name[i]);
	return sum;
}

static void part_to_wide(const u8 *part, u32 size, bool lower, struct wide_name *wide)
{
	while (size && part[size - 1] == ' ')
		size--;
	for (u32 i = 0; i < size; i++) {
		u16 character = part[i] < 0x80 ? part[i] : code_page[part[i] - 0x80];

		if (lower && character >= 'A' && character <= 'Z')
			character |= 0x20;
		wide->text[wide->length++] = character;
	}
}

void short_to_wide(const u8 name[SHORT_NAME_BYTES], u8 lower, struct wide_name *wide)
{
	u8 bytes[SHORT_NAME_BYTES];

	memcpy(bytes, name, sizeof(bytes));
	if (bytes[0] == SLOT_E5)
		bytes[0] = SLOT_DELETED;
	wide->length = 0;
	part_to_wide(bytes, BASE, lower & CASE_LOWER_BASE, wide);
	wide->text[wide->length] = '.';
	wide->length++;
	part_to_wide(bytes + BASE, EXTENSION, lower & CASE_LOWER_EXTENSION, wide);
	if (wide->text[wide->length - 1] == '.')
		wide->length--;
}

/* ---- Making one ---- */

/* Where the extension begins, behind its dot; the name's length: there is none. A name that is all dots before it has none either. */
static u32 extension_of(const struct wide_name *wide, u32 *base_end)
{
	u32 dot = wide->length, first = 0;

	while (dot && wide->text[dot - 1] != '.')
		dot--;
	while (first + 1 < dot && (wide->text[first] == '.' || wide->text[first] == ' '))
		first++;
	if (!dot || dot == wide->length || first + 1 >= dot) {
		*base_end = wide->length;
		return wide->length;
	}
	*base_end = dot - 1;
	return dot;
}

/* A character of the name as it would be in a short one; 0: it is left out. */
static u8 short_character(u16 character, bool *whole, bool *capital, bool *small)
{
	if (character == ' ' || character == '.') {
		*whole = false;
		return 0;
	}
	if (character >= 'a' && character <= 'z') {
		*capital = false;
		return (u8)(character - 0x20);
	}
	if (character >= 'A' && character <= 'Z')
		*small = false;
	if (character < 0x80 && !strchr("[];,+=", character))
		return (u8)character;
	*whole = false;
	return '_';
}

static u32 part_make(const u16 *text, u32 length, u8 *part, u32 size, bool *whole, bool *capital,
		     bool *small)
{
	u32 used = 0;

	for (u32 i = 0; i < length; i++) {
		u8 byte = short_character(text[i], whole, capital, small);

		if (!byte)
			continue;
		if (used == size) {
			*whole = false;
			break;
		}
		part[used++] = byte;
	}
	return used;
}

int short_form_make(const struct wide_name *wide, struct short_form *form)
{
	u32 base_end, extension = extension_of(wide, &base_end);

	*form = (struct short_form){ .whole = true,
				     .base_capital = true,
				     .base_small = true,
				     .extension_capital = true,
				     .extension_small = true };
	memset(form->name, ' ', sizeof(form->name));
	form->base_length = (u8)part_make(wide->text, base_end, form->name, BASE, &form->whole,
					  &form->base_capital, &form->base_small);
	part_make(wide->text + extension, wide->length - extension, form->name + BASE, EXTENSION,
		  &form->whole, &form->extension_capital, &form->extension_small);
	return form->base_length ? 0 : -EINVAL;
}

void short_form_with_tail(const struct short_form *form, u32 tail, u16 hash, u8 name[SHORT_NAME_BYTES])
{
	static const char digits[] = "0123456789ABCDEF";
	u32 at = min((u32)form->base_length, tail < SHORT_TAILS_PLAIN ? 6u : 2u);

	memcpy(name, form->name, SHORT_NAME_BYTES);
	memset(name + at, ' ', BASE - at);
	if (tail >= SHORT_TAILS_PLAIN)
		for (int shift = 12; shift >= 0; shift -= 4)
			name[at++] = (u8)digits[hash >> shift & 15];
	name[at] = '~';
	name[at + 1] = (u8)('1' + tail % SHORT_TAILS_PLAIN);
}
