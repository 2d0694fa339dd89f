/* Names in a directory: finding one, adding one with a short name of its own, reading them all. */
#include "vfat.h"

#include <kumo/file.h>

/* ---- Finding ---- */

/* A name as it is looked for. */
struct wanted {
	struct wide_name wide;
	u8 dos[SHORT_NAME_BYTES];
};

/* 0; -EINVAL: nothing can be called so; -ENAMETOOLONG. */
static int wanted_make(const struct volume *volume, const struct name *name, struct wanted *wanted)
{
	u32 length = name_trimmed(name->text, name->length);

	if (volume->options.dos)
		return dos_name_make(name->text, name->length, volume->options.check, wanted->dos);
	return length ? wide_from_utf8(name->text, length, &wanted->wide) : -EINVAL;
}

static bool is_wanted(const struct volume *volume, const struct record *record,
		      const struct wanted *wanted, bool *alias)
{
	struct wide_name by_short;

	if (record_is_label(record) || record_is_dots(record))
		return false;
	*alias = false;
	if (volume->options.dos)
		return !memcmp(record->entry.name, wanted->dos, SHORT_NAME_BYTES);
	if (record->name.length && wide_equal(&record->name, &wanted->wide))
		return true;
	*alias = record->name.length;
	short_to_wide(record->entry.name, 0, &by_short);
	return wide_equal(&by_short, &wanted->wide);
}

int directory_find(struct inode *dir, const struct name *name, struct record *record, bool *alias)
{
	struct volume *volume = dir->volume;
	struct cursor cursor = cursor_at(dir, 0);
	struct wanted wanted;
	int found;

	if (wanted_make(volume, name, &wanted))
		return -ENOENT;
	while ((found = record_next(&cursor, record)) > 0)
		if (is_wanted(volume, record, &wanted, alias))
			break;
	cursor_put(&cursor);
	/* What does not count in a name makes it another one of the file's, too. */
	if (found > 0 &&
	    (volume->options.dos || name_trimmed(name->text, name->length) != name->length)) {
		struct wide_name shown, given;

		record_name(volume, record, &shown);
		*alias = wide_from_utf8(name->text, name->length, &given) ||
			 !wide_equal(&shown, &given);
	}
	return found > 0 ? 0 : found ? found : -ENOENT;
}

int directory_is_empty(struct inode *dir)
{
	struct cursor cursor = cursor_at(dir, 0);
	struct record record;
	int found;

	while ((found = record_next(&cursor, &record)) > 0)
		if (!record_is_label(&record) && !record_is_dots(&record))
			break;
	cursor_put(&cursor);
	return found > 0 ? 0 : found ? found : 1;
}

int directory_count(struct inode *dir, u32 *subdirectories)
{
	struct cursor cursor = cursor_at(dir, 0);
	struct record record;
	int found;

	*subdirectories = 0;
	while ((found = record_next(&cursor, &record)) > 0)
		if (record.entry.attributes & ATTRIBUTE_DIRECTORY && !record_is_label(&record) &&
		    !record_is_dots(&record))
			++*subdirectories;
	cursor_put(&cursor);
	return found;
}

/* ---- Adding ---- */

/* Which of the short names in question the directory has already: bit SHORT_TAILS is that of the form as it is. */
static int tails_taken(struct inode *dir, const struct short_form *form, u16 hash, u32 *taken)
{
	struct cursor cursor = cursor_at(dir, 0);
	u8 candidates[SHORT_TAILS + 1][SHORT_NAME_BYTES];
	struct record record;
	int found;

	for (u32 tail = 0; tail < SHORT_TAILS; tail++)
		short_form_with_tail(form, tail, hash, candidates[tail]);
	memcpy(candidates[SHORT_TAILS], form->name, SHORT_NAME_BYTES);
	*taken = 0;
	while ((found = record_next(&cursor, &record)) > 0)
		for (u32 i = 0; i <= SHORT_TAILS; i++)
			if (!record_is_label(&record) &&
			    !memcmp(candidates[i], record.entry.name, SHORT_NAME_BYTES))
				*taken |= 1u << i;
	cursor_put(&cursor);
	return found;
}

/* A short name for a long one, that no other file has. */
static int short_name_choose(struct inode *dir, const struct wide_name *wide,
			     const struct short_form *form, u8 name[SHORT_NAME_BYTES])
{
	u16 hash = (u16)hash_bytes(wide->text, wide->length * sizeof(u16), 0);

	for (u32 tries = 0; tries < 0x10000; tries++, hash = (u16)(hash + 11)) {
		u32 taken;
		int error = tails_taken(dir, form, hash, &taken);

		if (error)
			return error;
		memcpy(name, form->name, SHORT_NAME_BYTES);
		if (form->whole)
			return taken >> SHORT_TAILS ? -EEXIST : 0;
		if (!dir->volume->options.tails && !(taken >> SHORT_TAILS))
			return 0;
		for (u32 tail = 0; tail < SHORT_TAILS; tail++) {
			if (taken & 1u << tail)
				continue;
			short_form_with_tail(form, tail, hash, name);
			return 0;
		}
	}
	return -ENOSPC;
}

/* Can the short name stand for the whole one, with the case of its letters? Then *lower says it. */
static bool short_suffices(const struct volume *volume, const struct short_form *form, u8 *lower)
{
	*lower = 0;
	if (!form->whole)
		return false;
	if (form->base_capital && form->extension_capital)
		return true;
	if (!(volume->options.short_names & SHORT_CASE_WRITTEN) ||
	    !(form->base_capital || form->base_small) ||
	    !(form->extension_capital || form->extension_small))
		return false;
	*lower = (form->base_capital ? 0 : CASE_LOWER_BASE) |
		 (form->extension_capital ? 0 : CASE_LOWER_EXTENSION);
	return true;
}

/* The names that the file is to have: the short one in record->entry, the long one, if it needs one, in record->name. */
static int names_make(struct inode *dir, const struct name *name, struct record *record)
{
	struct volume *volume = dir->volume;
	struct short_form form;
	struct wanted wanted;
	int error = wanted_make(volume, name, &wanted);

	record->name.length = 0;
	record->entry.name_case = 0;
	if (error)
		return error;
	if (volume->options.dos) {
		memcpy(record->entry.name, wanted.dos, SHORT_NAME_BYTES);
		return 0;
	}
	error = wide_check(&wanted.wide);
	if (!error)
		error = short_form_make(&wanted.wide, &form);
	if (!error)
		error = short_name_choose(dir, &wanted.wide, &form, record->entry.name);
	if (!error && !short_suffices(volume, &form, &record->entry.name_case))
		record->name = wanted.wide;
	return error;
}

static int slots_write(struct inode *dir, u32 first, struct record *record)
{
	struct cursor cursor = cursor_at(dir, first);
	u8 checksum = short_checksum(record->entry.name);
	u32 parts = record->slot_count - 1;

	for (u32 i = 0; i <= parts; i++) {
		struct entry_disk *entry = cursor_slot(&cursor, first + i, &record->position);

		if (IS_ERR_OR_NULL(entry)) {
			cursor_put(&cursor);
			return entry ? (int)PTR_ERR(entry) : -EIO;
		}
		if (i < parts)
			long_part_write((struct long_disk *)entry, &record->name, parts - 1 - i,
					checksum);
		else
			*entry = record->entry;
		buffer_mark_dirty(cursor.buffer);
	}
	cursor_put(&cursor);
	record->slot = first + parts;
	return 0;
}

int directory_add(struct inode *dir, const struct name *name, struct record *record)
{
	u32 first;
	int error = names_make(dir, name, record);

	if (error)
		return error;
	record->slot_count = 1 + long_slots(&record->name);
	error = slots_find(dir, record->slot_count, &first);
	return error ? error : slots_write(dir, first, record);
}

/* ---- Directories themselves ---- */

static void dots_fill(struct volume *volume, struct entry_disk *entry, const char *name, u32 start,
		      s64 now)
{
	struct fat_date date = date_from_ns(now, volume->options.time_offset_s);

	*entry = (struct entry_disk){ .attributes = ATTRIBUTE_DIRECTORY,
				      .time = date.time,
				      .date = date.date };
	if (!volume->options.dos) {
		entry->creation_time = date.time;
		entry->creation_date = entry->access_date = date.date;
		entry->creation_centiseconds = date.centiseconds;
	}
	memcpy(entry->name, name, SHORT_NAME_BYTES);
	record_set_start(volume, entry, start);
}

/* What ".." says of a directory: the root is 0. */
static u32 start_for_dots(const struct inode *dir)
{
	return dir->node->attr.id == ROOT_ID ? 0 : dir->chain.start;
}

int directory_make(struct inode *parent, s64 now, u32 *start)
{
	struct volume *volume = parent->volume;
	u32 count = 1;
	struct buffer *buffer;
	int error = table_alloc(volume, 0, &count, start);

	if (error)
		return error;
	error = cluster_clear(volume, *start);
	if (!error) {
		buffer = sector_read(volume, cluster_sector(volume, *start));
		error = IS_ERR(buffer) ? (int)PTR_ERR(buffer) : 0;
	}
	if (error) {
		if (table_free(volume, *start))
			pr_err("%s: cluster %u is lost until fsck runs\n", volume->device->name, *start);
		return error;
	}
	dots_fill(volume, buffer->data, ".          ", *start, now);
	dots_fill(volume, (struct entry_disk *)buffer->data + 1, "..         ",
		  start_for_dots(parent), now);
	buffer_mark_dirty(buffer);
	buffer_put(buffer);
	return 0;
}

int directory_set_parent(struct inode *dir, const struct inode *parent)
{
	struct volume *volume = dir->volume;
	struct cursor cursor = cursor_at(dir, 1);
	u64 position;
	struct entry_disk *entry = cursor_slot(&cursor, 1, &position);
	int error = IS_ERR(entry) ? (int)PTR_ERR(entry) : 0;

	if (!error && (!entry || memcmp(entry->name, "..         ", SHORT_NAME_BYTES)))
		error = volume_damaged(volume, "a directory at cluster %u without \"..\"",
				       dir->chain.start);
	if (!error) {
		record_set_start(volume, entry, start_for_dots(parent));
		buffer_mark_dirty(cursor.buffer);
	}
	cursor_put(&cursor);
	return error;
}

/* ---- Reading all ---- */

/* A name for outside: no longer than a lookup takes. */
static u32 name_shown(const struct volume *volume, const struct record *record, char *text)
{
	struct wide_name wide;
	u32 length;

	record_name(volume, record, &wide);
	length = wide_is_sane(&wide) ? wide_to_utf8(&wide, text) : 0;
	if (length <= NAME_MAX_LENGTH)
		return length;
	short_to_wide(record->entry.name, 0, &wide);
	return wide_is_sane(&wide) ? wide_to_utf8(&wide, text) : 0;
}

static int read_all(struct inode *dir, struct dir_context *context, char *text)
{
	/* Offsets 0 and 1 are the dots'. */
	struct cursor cursor =
		cursor_at(dir, (u32)min((u64)context->offset - 2, (u64)DIRECTORY_ENTRIES_MAX));
	struct record record;
	int found;

	while ((found = record_next(&cursor, &record)) > 0) {
		u32 length, kind = record.entry.attributes & ATTRIBUTE_DIRECTORY ? DT_DIR : DT_REG;

		if (record_is_label(&record) || record_is_dots(&record))
			continue;
		length = name_shown(dir->volume, &record, text);
		if (length && !context->add(context, text, length, record.slot + 3,
					    inode_identity(dir->volume, record.position), kind))
			break;
		context->offset = (loff_t)record.slot + 3;
	}
	cursor_put(&cursor);
	return found < 0 ? found : 0;
}

int vfat_readdir(struct file *file, struct dir_context *context)
{
	char *text __free_kfree = kmalloc(UTF8_NAME_MAX, GFP_KERNEL);

	if (!text)
		return -ENOMEM;
	return dir_emit_dots(file, context) ? read_all(inode_of(file->node), context, text) : 0;
}
