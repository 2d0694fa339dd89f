/*
 * What is found by number: owners, fragments, sets of extended attributes. Each table is a list of places of blocks of
 * metadata, in the image as it is, and the blocks.
 */
#include "squashfs.h"

/* Entry `number` of the table whose list begins at `list`; its blocks lie before that. */
static int entry_read(struct volume *volume, u64 list, u32 number, void *to, u32 size)
{
	u32 in_a_block = METADATA_SIZE / size;
	struct place place = { .offset = number % in_a_block * size, .end = list };
	int error = raw_read(volume, list + (u64)(number / in_a_block) * sizeof(u64), &place.block,
			     sizeof(place.block));

	return error ? error : metadata_read(volume, &place, to, size);
}

int ids_load(struct volume *volume)
{
	u32 count = volume->super.id_count;
	int error = 0;

	if (!count)
		return volume_damaged(volume, "no owners");
	volume->ids = kmalloc(count * sizeof(u32), GFP_KERNEL);
	if (!volume->ids)
		return -ENOMEM;
	for (u32 i = 0; i < count && !error; i++)
		error = entry_read(volume, volume->super.id_table, i, &volume->ids[i], sizeof(u32));
	return error;
}

int fragment_find(struct volume *volume, u32 number, struct fragment_disk *fragment)
{
	if (number >= volume->super.fragment_count || volume->super.fragment_table == NO_TABLE)
		return volume_damaged(volume, "fragment %u of %u", number, volume->super.fragment_count);
	return entry_read(volume, volume->super.fragment_table, number, fragment, sizeof(*fragment));
}

int xattrs_load(struct volume *volume)
{
	u64 table = volume->super.xattr_table;
	int error;

	if (table == NO_TABLE)
		return 0;
	error = raw_read(volume, table, &volume->xattrs, sizeof(volume->xattrs));
	if (!error && volume->xattrs.start >= table)
		error = volume_damaged(volume, "extended attributes at %llu",
				       (unsigned long long)volume->xattrs.start);
	return error;
}

int xattrs_find(struct volume *volume, u32 number, struct xattr_id_disk *id)
{
	if (number >= volume->xattrs.count)
		return volume_damaged(volume, "extended attributes %u of %u", number,
				      volume->xattrs.count);
	return entry_read(volume, volume->super.xattr_table + sizeof(volume->xattrs), number, id,
			  sizeof(*id));
}
