/* The mode of 9P2000 and 9P2000.u to and from Unix's st_mode. A device's numbers are text in the extension: "b 8 1", "c 1 3". */
#include <kumo/export.h>
#include <linux/stat.h>

#include "ninep.h"

/* What 9P2000.u added, beside devices. */
static const struct {
	u32 unix_bits, mask, wire;
} bits[] = {
	{ S_IFDIR, S_IFMT, NINEP_DMDIR },	{ S_IFLNK, S_IFMT, NINEP_DMSYMLINK },
	{ S_IFIFO, S_IFMT, NINEP_DMNAMEDPIPE }, { S_IFSOCK, S_IFMT, NINEP_DMSOCKET },
	{ S_IFBLK, S_IFMT, NINEP_DMDEVICE },	{ S_IFCHR, S_IFMT, NINEP_DMDEVICE },
	{ S_ISUID, S_ISUID, NINEP_DMSETUID },	{ S_ISGID, S_ISGID, NINEP_DMSETGID },
	{ S_ISVTX, S_ISVTX, NINEP_DMSETVTX },
};

u32 ninep_mode_from_unix(u32 mode, enum ninep_dialect dialect)
{
	u32 wire = mode & 0777;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if ((mode & bits[i].mask) == bits[i].unix_bits &&
		    (dialect != NINEP_2000 || bits[i].wire == NINEP_DMDIR))
			wire |= bits[i].wire;
	return wire;
}
EXPORT_SYMBOL(ninep_mode_from_unix);

/* A decimal number at the start of the text, which becomes what is behind it. */
static bool take_decimal(struct ninep_string *text, u32 *number)
{
	u64 value = 0;
	u16 used = 0;

	while (used < text->length && text->text[used] == ' ')
		used++;
	for (; used < text->length && text->text[used] >= '0' && text->text[used] <= '9'; used++) {
		value = value * 10 + (u64)(text->text[used] - '0');
		if (value > UINT32_MAX)
			return false;
	}
	if (!used || text->text[used - 1] == ' ')
		return false;
	*text = (struct ninep_string){ text->text + used, (u16)(text->length - used) };
	*number = (u32)value;
	return true;
}

bool ninep_device_parse(struct ninep_string extension, u32 *kind, u32 *major, u32 *minor)
{
	struct ninep_string rest;

	if (extension.length < 2 || (extension.text[0] != 'b' && extension.text[0] != 'c'))
		return false;
	*kind = extension.text[0] == 'b' ? S_IFBLK : S_IFCHR;
	rest = (struct ninep_string){ extension.text + 1, (u16)(extension.length - 1) };
	return take_decimal(&rest, major) && take_decimal(&rest, minor) && !rest.length;
}
EXPORT_SYMBOL(ninep_device_parse);

u32 ninep_mode_to_unix(const struct ninep_stat *stat, enum ninep_dialect dialect, u32 *major, u32 *minor)
{
	u32 mode = stat->mode & 0777, kind = 0;

	*major = *minor = 0;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		if (!(stat->mode & bits[i].wire) || bits[i].wire == NINEP_DMDEVICE ||
		    (dialect == NINEP_2000 && bits[i].wire != NINEP_DMDIR))
			continue;
		if (bits[i].mask != S_IFMT)
			mode |= bits[i].unix_bits;
		else if (!kind)
			kind = bits[i].unix_bits;
	}
	if (!kind && dialect == NINEP_2000U && stat->mode & NINEP_DMDEVICE &&
	    !ninep_device_parse(stat->extension, &kind, major, minor))
		kind = S_IFCHR; /* of numbers that nobody has: it cannot be opened */
	return mode | (kind ? kind : S_IFREG);
}
EXPORT_SYMBOL(ninep_mode_to_unix);
