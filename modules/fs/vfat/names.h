/*
 * Names on a FAT volume: long ones, of characters of 16 bits, and short ones of 8 and 3 bytes, of code page 437. Nothing in
 * names.c, short_names.c and names_dos.c knows of volumes.
 */
#ifndef VFAT_NAMES_H
#define VFAT_NAMES_H

#include <kumo/types.h>

#include "format.h"

struct wide_name {
	u32 length;
	u16 text[LONG_NAME_MAX + 1];
};

/* ---- names.c ---- */
#define UTF8_NAME_MAX (LONG_NAME_MAX * 3) /* bytes of a name outside */
/* UTF-8 to UTF-16. -EINVAL: it is none; -ENAMETOOLONG. */
int wide_from_utf8(const char *text, u32 length, struct wide_name *wide) __must_check;
/* The length; `to` has room for UTF8_NAME_MAX bytes. */
u32 wide_to_utf8(const struct wide_name *wide, char *to);
/* But for the case of ASCII letters. */
bool wide_equal(const struct wide_name *a, const struct wide_name *b);
/* 0, or -EINVAL: it has characters that no name may have, or ends with a blank. */
int wide_check(const struct wide_name *wide) __must_check;
/* May it be shown? Not if it could be taken for more than one name, or for none. */
bool wide_is_sane(const struct wide_name *wide);
u32 name_trimmed(const char *text, u32 length); /* the length without dots at the end: they do not count */
u32 long_slots(const struct wide_name *wide);
/* Takes the part of a long name out of an entry, or puts it in. index: from 0 on, from the name's start. */
void long_part_read(const struct long_disk *entry, u32 index, u16 *text);
void long_part_write(struct long_disk *entry, const struct wide_name *wide, u32 index, u8 checksum);

/* ---- short_names.c ---- */
u8 short_checksum(const u8 name[SHORT_NAME_BYTES]);
/* As it is shown; lower: CASE_* to be shown in small letters. */
void short_to_wide(const u8 name[SHORT_NAME_BYTES], u8 lower, struct wide_name *wide);

/* What a long name has for a short one. */
struct short_form {
	u8 name[SHORT_NAME_BYTES];
	u8 base_length;
	bool whole; /* it has all of the name, but for the case of letters */
	bool base_capital, base_small, extension_capital, extension_small; /* no letter of the other kind */
};
/* -EINVAL: there is nothing left of it. */
int short_form_make(const struct wide_name *wide, struct short_form *form) __must_check;
#define SHORT_TAILS_PLAIN 9u
#define SHORT_TAILS 18u /* NAME~1 to NAME~9; then NAXXXX~1 to NAXXXX~9 with digits of the hash */
void short_form_with_tail(const struct short_form *form, u32 tail, u16 hash, u8 name[SHORT_NAME_BYTES]);

/* ---- names_dos.c: a volume mounted as msdos has short names alone ---- */
enum name_check { NAME_CHECK_RELAXED, NAME_CHECK_NORMAL, NAME_CHECK_STRICT };
/* -EINVAL: it cannot be a name. */
int dos_name_make(const char *text, u32 length, enum name_check check,
		  u8 name[SHORT_NAME_BYTES]) __must_check;

#endif
