/*
 * The reader of cpio archives (cpio.h). A header is 110 bytes: the magic, and 13 numbers of 8 hexadecimal digits; then the
 * name with its NUL, and the contents, each padded to 4 bytes. Names may have more than one NUL at their end: the builder
 * of an image aligns contents to pages that way.
 */
#include "cpio.h"

#define HEADER_SIZE 110
#define NAME_LIMIT                                                                                 \
	8192 /* bytes of a name with its padding: 4096 of a path, and a page of alignment */

enum field {
	FIELD_INODE,
	FIELD_MODE,
	FIELD_UID,
	FIELD_GID,
	FIELD_NLINK,
	FIELD_MTIME,
	FIELD_SIZE,
	FIELD_DEVICE_MAJOR,
	FIELD_DEVICE_MINOR,
	FIELD_RDEV_MAJOR,
	FIELD_RDEV_MINOR,
	FIELD_NAME_SIZE,
	FIELD_CHECKSUM,
	FIELDS
};

static bool parse_fields(const u8 *text, u32 fields[FIELDS])
{
	for (unsigned int i = 0; i < FIELDS; i++) {
		u32 value = 0;

		for (unsigned int digit = 0; digit < 8; digit++) {
			u8 c = *text++;

			if (c >= '0' && c <= '9')
				value = value << 4 | (u32)(c - '0');
			else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
				value = value << 4 | (u32)((c | 0x20) - 'a' + 10);
			else
				return false;
		}
		fields[i] = value;
	}
	return true;
}

static bool starts_header(const u8 *data)
{
	return !__builtin_memcmp(data, "07070", 5) && (data[5] == '1' || data[5] == '2');
}

static enum cpio_result damaged(struct cpio_reader *reader, const char *error)
{
	reader->error = error;
	return CPIO_DAMAGED;
}

/* `at` rounded up to the alignment of fields; may lie behind the end. */
static size_t field_start(const struct cpio_reader *reader, size_t at)
{
	return reader->segment + ALIGN_UP(at - reader->segment, (size_t)4);
}

static bool name_is(const struct cpio_entry *entry, const char *name, u32 length)
{
	return entry->name_length == length && !__builtin_memcmp(entry->name, name, length);
}

/* Drops "/" and "./" at the start; refuses "..". */
static bool clean_name(struct cpio_entry *entry)
{
	const char *at;

	for (;;) {
		if (entry->name[0] == '/') {
			entry->name++;
			entry->name_length--;
		} else if (entry->name[0] == '.' && (!entry->name[1] || entry->name[1] == '/')) {
			entry->name++;
			entry->name_length--;
		} else {
			break;
		}
	}
	for (at = entry->name; *at;) {
		if (at[0] == '.' && at[1] == '.' && (!at[2] || at[2] == '/'))
			return false;
		while (*at && *at != '/')
			at++;
		while (*at == '/')
			at++;
	}
	return true;
}

enum cpio_result cpio_next(struct cpio_reader *reader, struct cpio_entry *entry)
{
	const u8 *header;
	u32 fields[FIELDS];
	size_t name_at, content_at, name_size;
	u32 length;

	if (!reader->inside) {
		while (reader->at < reader->size && !reader->data[reader->at])
			reader->at++;
		if (reader->at == reader->size)
			return CPIO_END;
		reader->segment = reader->at;
	}
	if (reader->size - reader->at < HEADER_SIZE)
		return reader->inside ? damaged(reader, "cut short in a header") : CPIO_OTHER;
	header = reader->data + reader->at;
	if (!starts_header(header))
		return reader->inside ? damaged(reader, "no magic where a header should be")
				      : CPIO_OTHER;
	if (!parse_fields(header + 6, fields))
		return damaged(reader, "a header's field is not a number");
	reader->inside = true;

	name_size = fields[FIELD_NAME_SIZE];
	if (name_size == 0 || name_size > NAME_LIMIT)
		return damaged(reader, "a name's size is impossible");
	name_at = reader->at + HEADER_SIZE;
	if (name_size > reader->size - name_at)
		return damaged(reader, "cut short in a name");
	entry->name = (const char *)reader->data + name_at;
	if (entry->name[name_size - 1])
		return damaged(reader, "a name without its end");
	for (length = 0; entry->name[length];)
		length++;
	entry->name_length = length;

	content_at = field_start(reader, name_at + name_size);
	if (content_at > reader->size || fields[FIELD_SIZE] > reader->size - content_at) {
		/* The trailer may be the last thing there is, without its padding. */
		if (!name_is(entry, "TRAILER!!!", 10) || fields[FIELD_SIZE])
			return damaged(reader, "cut short in a file's contents");
		content_at = reader->size;
	}
	entry->mode = fields[FIELD_MODE];
	entry->uid = fields[FIELD_UID];
	entry->gid = fields[FIELD_GID];
	entry->nlink = fields[FIELD_NLINK];
	entry->mtime = fields[FIELD_MTIME];
	entry->inode = fields[FIELD_INODE];
	entry->device_major = fields[FIELD_DEVICE_MAJOR];
	entry->device_minor = fields[FIELD_DEVICE_MINOR];
	entry->rdev_major = fields[FIELD_RDEV_MAJOR];
	entry->rdev_minor = fields[FIELD_RDEV_MINOR];
	entry->content = reader->data + content_at;
	entry->size = fields[FIELD_SIZE];

	reader->at = field_start(reader, content_at + entry->size);
	if (reader->at > reader->size)
		reader->at = reader->size;
	if (name_is(entry, "TRAILER!!!", 10)) {
		reader->inside = false;
		return CPIO_TRAILER;
	}
	if (!clean_name(entry))
		return damaged(reader, "a name with '..'");
	return CPIO_ENTRY;
}
