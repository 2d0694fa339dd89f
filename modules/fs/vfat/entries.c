/*
 * The slots of a directory and what they hold: a file's entry, with those of its long name before it, last part first. A long name
 * that is not whole, or belongs to another short one, does not count (other systems leave such behind). Behind the first slot that was
 * never used nothing is looked at.
 */
#include "vfat.h"

static u32 slot_bits(const struct volume *volume)
{
	return volume->sector_bits - 5; /* slots of 32 bytes in a sector */
}

/* ---- Where slots lie ---- */

/* Has the directory clusters? The root of FAT12 and FAT16 has none, but a place of its own. */
static bool has_clusters(const struct inode *dir)
{
	return dir->volume->bits == 32 || dir->node->attr.id != ROOT_ID;
}

/* The sector of a slot. -ENODATA: the directory ends before. */
static int slot_sector(struct inode *dir, u32 slot, u64 *sector)
{
	struct volume *volume = dir->volume;
	u32 bits = volume->cluster_bits - 5, cluster, count = 1;
	int error;

	if (slot >= DIRECTORY_ENTRIES_MAX)
		return -ENODATA;
	if (!has_clusters(dir)) {
		*sector = volume->root_sector + (slot >> slot_bits(volume));
		return slot < volume->root_entries ? 0 : -ENODATA;
	}
	mutex_lock(&dir->map_lock);
	error = chain_find(volume, &dir->chain, slot >> bits, &cluster, &count);
	mutex_unlock(&dir->map_lock);
	if (!error)
		*sector = cluster_sector(volume, cluster) +
			  ((slot & (BIT(bits) - 1)) >> slot_bits(volume));
	return error;
}

int directory_slots(struct inode *dir, u32 *count)
{
	struct volume *volume = dir->volume;
	u32 clusters, most = DIRECTORY_ENTRIES_MAX >> (volume->cluster_bits - 5);
	int error;

	*count = volume->root_entries;
	if (!has_clusters(dir))
		return 0;
	mutex_lock(&dir->map_lock);
	error = chain_length(volume, &dir->chain, &clusters);
	mutex_unlock(&dir->map_lock);
	*count = min(clusters, max(most, 1u)) << (volume->cluster_bits - 5);
	return error;
}

void cursor_put(struct cursor *cursor)
{
	if (cursor->buffer)
		buffer_put(cursor->buffer);
	cursor->buffer = NULL;
}

struct entry_disk *cursor_slot(struct cursor *cursor, u32 slot, u64 *position)
{
	struct volume *volume = cursor->dir->volume;
	u32 within = slot & (u32)(BIT(slot_bits(volume)) - 1);
	u64 sector;
	int error;

	if (!cursor->buffer || cursor->slot >> slot_bits(volume) != slot >> slot_bits(volume)) {
		cursor_put(cursor);
		error = slot_sector(cursor->dir, slot, &sector);
		if (error)
			return error == -ENODATA ? NULL : ERR_PTR(error);
		cursor->buffer = sector_read(volume, sector);
		if (IS_ERR(cursor->buffer)) {
			error = (int)PTR_ERR(cursor->buffer);
			cursor->buffer = NULL;
			return ERR_PTR(error);
		}
		cursor->sector = sector;
	}
	cursor->slot = slot;
	*position = (cursor->sector << slot_bits(volume)) + within;
	return (struct entry_disk *)cursor->buffer->data + within;
}

/* ---- Long names ---- */

/* A long name as it is put together, from its last part to the first. */
struct assembly {
	u32 missing, parts;
	u8 checksum;
};

static void assembly_add(struct assembly *assembly, const struct long_disk *entry, struct wide_name *name)
{
	u32 number = entry->sequence & (LONG_LAST - 1u);
	static const u32 room = LONG_NAME_MAX + 1 - LONG_NAME_PART;
	u16 part[LONG_NAME_PART];

	if (entry->sequence & LONG_LAST) {
		*assembly = (struct assembly){ .missing = number,
					       .parts = number,
					       .checksum = entry->checksum };
		memset(name->text, 0, sizeof(name->text));
	}
	if (!number || number > LONG_SLOTS_MAX || number != assembly->missing ||
	    entry->checksum != assembly->checksum) {
		assembly->parts = 0;
		return;
	}
	long_part_read(entry, 0, part);
	number--;
	/* The last part of the longest name has but 8 characters. */
	memcpy(name->text + number * LONG_NAME_PART, part,
	       number * LONG_NAME_PART > room ? (LONG_NAME_MAX - number * LONG_NAME_PART) * sizeof(u16)
					      : sizeof(part));
	assembly->missing = number;
}

/* The entry that the name was for has come. */
static void assembly_end(const struct assembly *assembly, struct record *record)
{
	struct wide_name *name = &record->name;

	name->length = 0;
	if (!assembly->parts || assembly->missing ||
	    assembly->checksum != short_checksum(record->entry.name))
		return;
	name->text[LONG_NAME_MAX] = 0;
	while (name->length < assembly->parts * LONG_NAME_PART && name->text[name->length])
		name->length++;
	if (wide_is_sane(name))
		record->slot_count += assembly->parts;
	else
		name->length = 0;
}

int record_next(struct cursor *cursor, struct record *record)
{
	struct assembly assembly = {};
	u32 slot = cursor->slot;
	u64 position;

	for (;; slot++) {
		struct entry_disk *entry = cursor_slot(cursor, slot, &position);

		if (IS_ERR(entry))
			return (int)PTR_ERR(entry);
		if (!entry || entry->name[0] == SLOT_END)
			return 0;
		if (entry->name[0] == SLOT_DELETED) {
			assembly.parts = 0;
		} else if ((entry->attributes & ATTRIBUTES_ALL) == ATTRIBUTES_LONG) {
			if (!cursor->dir->volume->options.dos)
				assembly_add(&assembly, (const struct long_disk *)entry, &record->name);
		} else {
			record->slot = slot;
			record->slot_count = 1;
			record->position = position;
			record->entry = *entry;
			assembly_end(&assembly, record);
			break;
		}
	}
	slot++;
	if (!(slot & (BIT(slot_bits(cursor->dir->volume)) - 1)))
		cursor_put(cursor); /* the next is in another sector */
	cursor->slot = slot;
	return 1;
}

bool record_is_dots(const struct record *record)
{
	return !memcmp(record->entry.name, ".          ", SHORT_NAME_BYTES) ||
	       !memcmp(record->entry.name, "..         ", SHORT_NAME_BYTES);
}

void record_name(const struct volume *volume, const struct record *record, struct wide_name *wide)
{
	u8 lower = 0;

	if (record->name.length) {
		*wide = record->name;
		return;
	}
	if (volume->options.short_names & SHORT_SHOWN_SMALL)
		lower = CASE_LOWER_BASE | CASE_LOWER_EXTENSION;
	else if (volume->options.short_names & SHORT_SHOWN_AS_SAID)
		lower = record->entry.name_case;
	short_to_wide(record->entry.name, lower, wide);
}

/* ---- Changing slots ---- */

int cluster_clear(struct volume *volume, u32 cluster)
{
	u64 first = cluster_sector(volume, cluster);

	for (u64 sector = first; sector < first + volume->cluster_size / volume->sector_size; sector++) {
		struct buffer *buffer = sector_get(volume, sector);

		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		memset(buffer->data, 0, volume->sector_size);
		buffer_mark_dirty(buffer);
		buffer_put(buffer);
	}
	return 0;
}

/* The directory gets another cluster. */
static int directory_grow(struct inode *dir, u32 slots)
{
	struct volume *volume = dir->volume;
	u32 length = slots >> (volume->cluster_bits - 5), cluster, count = 1;
	int error = -ENOSPC;

	if (!has_clusters(dir) || slots + (volume->cluster_size / ENTRY_SIZE) > DIRECTORY_ENTRIES_MAX)
		return error;
	mutex_lock(&dir->map_lock);
	error = chain_extend(volume, &dir->chain, length + 1);
	if (!error)
		error = chain_find(volume, &dir->chain, length, &cluster, &count);
	if (!error)
		error = cluster_clear(volume, cluster);
	mutex_unlock(&dir->map_lock);
	if (!error) {
		node_set_size(dir->node, (u64)(length + 1) << volume->cluster_bits);
		inode_count_blocks(dir);
	}
	return error;
}

/* The slot becomes one that was never used, if it is there. */
static int slot_end(struct inode *dir, u32 slot)
{
	struct cursor cursor = cursor_at(dir, slot);
	u64 position;
	struct entry_disk *entry = cursor_slot(&cursor, slot, &position);

	if (!IS_ERR_OR_NULL(entry) && entry->name[0] != SLOT_END) {
		entry->name[0] = SLOT_END;
		buffer_mark_dirty(cursor.buffer);
	}
	cursor_put(&cursor);
	return IS_ERR(entry) ? (int)PTR_ERR(entry) : 0;
}

int slots_find(struct inode *dir, u32 count, u32 *first)
{
	struct cursor cursor = cursor_at(dir, 0);
	u32 slots, slot, run = 0;
	int error = directory_slots(dir, &slots);
	bool unused = false; /* from here on nothing was ever used */

	for (slot = 0; !error && slot < slots && run < count && !unused; slot++) {
		u64 position;
		struct entry_disk *entry = cursor_slot(&cursor, slot, &position);

		if (IS_ERR_OR_NULL(entry)) {
			error = entry ? (int)PTR_ERR(entry) : -EIO;
			break;
		}
		unused = entry->name[0] == SLOT_END;
		run = unused || entry->name[0] == SLOT_DELETED ? run + 1 : 0;
	}
	cursor_put(&cursor);
	*first = slot - run;
	while (!error && *first + count > slots) {
		error = directory_grow(dir, slots);
		if (!error)
			error = directory_slots(dir, &slots);
	}
	/* What lies behind may not come to life. */
	if (!error && unused && *first + count < slots)
		error = slot_end(dir, *first + count);
	return error;
}

int slots_delete(struct inode *dir, u32 last, u32 count)
{
	struct cursor cursor = cursor_at(dir, last);
	int error = 0;

	for (u32 slot = last + 1 - count; slot <= last && !error; slot++) {
		u64 position;
		struct entry_disk *entry = cursor_slot(&cursor, slot, &position);

		if (IS_ERR_OR_NULL(entry)) {
			error = entry ? (int)PTR_ERR(entry) : -EIO;
		} else {
			entry->name[0] = SLOT_DELETED;
			buffer_mark_dirty(cursor.buffer);
		}
	}
	cursor_put(&cursor);
	return error;
}
