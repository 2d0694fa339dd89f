/*
 * The codec: one table made of messages.h, and a reader and a writer that follow it.
 *
 * A message's type in C (ninep.h) is made of the same list, so where a field lies follows from the fields before it: each at the
 * next multiple of its alignment, as C lays structures out. The suite checks each type's size against that.
 */
#include <kumo/err.h>
#include <kumo/export.h>

#include "ninep.h"

enum kind {
	KIND_END,
	KIND_U8,
	KIND_U16,
	KIND_U32,
	KIND_U64,
	KIND_STRING,
	KIND_QID,
	KIND_NAMES,
	KIND_QIDS,
	KIND_DATA,
	KIND_STAT,
	KIND_EXTENDED_U32,
	KIND_EXTENDED_STRING,
	KIND_OPTIONAL_U32,
};

static const struct {
	u16 size, alignment;
} layouts[] = {
#define LAYOUT(kind) [KIND_##kind] = { sizeof(NINEP_TYPE_##kind), __alignof__(NINEP_TYPE_##kind) }
	LAYOUT(U8),	     LAYOUT(U16),  LAYOUT(U32),		 LAYOUT(U64),
	LAYOUT(STRING),	     LAYOUT(QID),  LAYOUT(NAMES),	 LAYOUT(QIDS),
	LAYOUT(DATA),	     LAYOUT(STAT), LAYOUT(EXTENDED_U32), LAYOUT(EXTENDED_STRING),
	LAYOUT(OPTIONAL_U32)
};

/* The kinds of a type's fields in order, up to KIND_END. */
#define MESSAGE(name, number, dialects) static const u8 name##_kinds[] = {
#define STRUCTURE(name) static const u8 name##_kinds[] = {
#define FIELD(kind, name) KIND_##kind,
#define END                                                                                        \
	KIND_END                                                                                   \
	}                                                                                          \
	;
#include "messages.h"

static const struct {
	const char *name; /* NULL: no such message */
	const u8 *kinds;
	u8 dialects;
} messages[256] = {
#define MESSAGE(name, number, dialects) [number] = { #name, name##_kinds, dialects },
#include "messages.h"
};

const char *ninep_type_name(u8 type)
{
	return messages[type].name ? messages[type].name : "unknown";
}
EXPORT_SYMBOL(ninep_type_name);

/* The next field of a type in C: `offset` is behind the one before. */
static void *field_next(void *base, size_t *offset, enum kind kind)
{
	void *field = (char *)base + ALIGN_UP(*offset, layouts[kind].alignment);

	*offset = ALIGN_UP(*offset, layouts[kind].alignment) + layouts[kind].size;
	return field;
}

/* ---- Reading --------------------------------------------------------------------------------------------------------- */

struct reader {
	const u8 *at, *end;
	size_t elsewhere; /* bytes of the message behind end */
	enum ninep_dialect dialect;
	bool bad;
};

static const u8 *take(struct reader *reader, size_t size)
{
	const u8 *bytes = reader->at;

	if (reader->bad || size > (size_t)(reader->end - reader->at)) {
		reader->bad = true;
		return NULL;
	}
	reader->at += size;
	return bytes;
}

static u64 take_number(struct reader *reader, unsigned int size)
{
	const u8 *bytes = take(reader, size);
	u64 value = 0;

	if (bytes)
		while (size--)
			value = value << 8 | bytes[size];
	return value;
}

static void take_string(struct reader *reader, struct ninep_string *string)
{
	string->length = (u16)take_number(reader, 2);
	string->text = (const char *)take(reader, string->length);
	if (!string->text || memchr(string->text, 0, string->length)) {
		reader->bad = true;
		*string = (struct ninep_string){ .text = "" };
	}
}

static void take_qid(struct reader *reader, struct ninep_qid *qid)
{
	qid->type = (u8)take_number(reader, 1);
	qid->version = (u32)take_number(reader, 4);
	qid->path = take_number(reader, 8);
}

static u16 take_count(struct reader *reader)
{
	u16 count = (u16)take_number(reader, 2);

	if (count <= NINEP_WALK_MAX)
		return count;
	reader->bad = true;
	return 0;
}

/* The rest of the message, here or, all of it, elsewhere. */
static void take_data(struct reader *reader, struct ninep_data *data)
{
	size_t here;

	data->length = (u32)take_number(reader, 4);
	here = (size_t)(reader->end - reader->at);
	data->bytes = reader->elsewhere ? NULL : take(reader, data->length);
	if (reader->elsewhere && (here || data->length != reader->elsewhere))
		reader->bad = true;
	reader->elsewhere = 0;
	if (reader->bad)
		*data = (struct ninep_data){};
}

static void take_fields(struct reader *reader, const u8 *kinds, void *to);

static void take_stat(struct reader *reader, struct ninep_stat *stat)
{
	u16 outer = (u16)take_number(reader, 2), size = (u16)take_number(reader, 2);
	struct reader inner = *reader;

	*stat = (struct ninep_stat){};
	/* QEMU says 0. */
	if (!take(reader, size) || (outer && outer != size + 2)) {
		reader->bad = true;
		return;
	}
	inner.end = reader->at;
	take_fields(&inner, stat_kinds, stat);
	reader->bad = inner.bad || inner.at != inner.end;
}

static void take_field(struct reader *reader, enum kind kind, void *to)
{
	bool extended = reader->dialect != NINEP_2000;
	struct ninep_names *names = to;
	struct ninep_qids *qids = to;

	switch (kind) {
	case KIND_U8:
		*(u8 *)to = (u8)take_number(reader, 1);
		break;
	case KIND_U16:
		*(u16 *)to = (u16)take_number(reader, 2);
		break;
	case KIND_U32:
		*(u32 *)to = (u32)take_number(reader, 4);
		break;
	case KIND_U64:
		*(u64 *)to = take_number(reader, 8);
		break;
	case KIND_STRING:
		take_string(reader, to);
		break;
	case KIND_QID:
		take_qid(reader, to);
		break;
	case KIND_NAMES:
		names->count = take_count(reader);
		for (u16 i = 0; i < names->count; i++)
			take_string(reader, &names->names[i]);
		break;
	case KIND_QIDS:
		qids->count = take_count(reader);
		for (u16 i = 0; i < qids->count; i++)
			take_qid(reader, &qids->qids[i]);
		break;
	case KIND_DATA:
		take_data(reader, to);
		break;
	case KIND_STAT:
		take_stat(reader, to);
		break;
	case KIND_EXTENDED_U32:
		*(u32 *)to = extended ? (u32)take_number(reader, 4) : NINEP_NO_NUMBER;
		break;
	case KIND_EXTENDED_STRING:
		*(struct ninep_string *)to = (struct ninep_string){ .text = "" };
		if (extended)
			take_string(reader, to);
		break;
	case KIND_OPTIONAL_U32:
		*(u32 *)to = reader->at == reader->end ? 0 : (u32)take_number(reader, 4);
		break;
	case KIND_END:
		break;
	}
}

static void take_fields(struct reader *reader, const u8 *kinds, void *to)
{
	size_t offset = 0;

	for (; *kinds != KIND_END && !reader->bad; kinds++)
		take_field(reader, *kinds, field_next(to, &offset, *kinds));
}

static int decode(struct ninep_message *message, enum ninep_dialect dialect, const void *bytes,
		  size_t length, size_t elsewhere)
{
	struct reader reader = {
		.at = bytes,
		.end = (const u8 *)bytes + length,
		.elsewhere = elsewhere,
		.dialect = dialect,
	};

	take_number(&reader, 4);
	message->type = (u8)take_number(&reader, 1);
	message->tag = (u16)take_number(&reader, 2);
	if (reader.bad)
		return -EPROTO;
	if (!(messages[message->type].dialects & dialect))
		return -EOPNOTSUPP;
	take_fields(&reader, messages[message->type].kinds, &message->Tversion);
	return reader.bad || reader.at != reader.end || reader.elsewhere ? -EPROTO : 0;
}

int ninep_decode(struct ninep_message *message, enum ninep_dialect dialect, const void *bytes,
		 size_t length)
{
	if (length < NINEP_HEADER_SIZE || ninep_message_size(bytes) != length)
		return -EPROTO;
	return decode(message, dialect, bytes, length, 0);
}
EXPORT_SYMBOL(ninep_decode);

int ninep_decode_head(struct ninep_message *message, enum ninep_dialect dialect, const void *bytes,
		      size_t length)
{
	u32 size;

	if (length < NINEP_HEADER_SIZE)
		return -EPROTO;
	size = ninep_message_size(bytes);
	return size < length ? -EPROTO : decode(message, dialect, bytes, length, size - length);
}
EXPORT_SYMBOL(ninep_decode_head);

/* ---- Writing --------------------------------------------------------------------------------------------------------- */

struct writer {
	u8 *at;	     /* NULL: only the size is wanted */
	size_t size; /* of all, with what is sent by others */
	enum ninep_dialect dialect;
	bool bad;
};

static void put_bytes(struct writer *writer, const void *bytes, size_t size)
{
	writer->size += size;
	if (writer->at) {
		memcpy(writer->at, bytes, size);
		writer->at += size;
	}
}

static void put_number(struct writer *writer, u64 value, unsigned int size)
{
	u8 bytes[8];

	for (unsigned int i = 0; i < size; i++, value >>= 8)
		bytes[i] = (u8)value;
	put_bytes(writer, bytes, size);
}

static void put_string(struct writer *writer, const struct ninep_string *string)
{
	put_number(writer, string->length, 2);
	if (!string->length)
		return;
	if (memchr(string->text, 0, string->length))
		writer->bad = true;
	put_bytes(writer, string->text, string->length);
}

static void put_qid(struct writer *writer, const struct ninep_qid *qid)
{
	put_number(writer, qid->type, 1);
	put_number(writer, qid->version, 4);
	put_number(writer, qid->path, 8);
}

/* How many elements to write. */
static u16 put_count(struct writer *writer, u16 count)
{
	put_number(writer, count, 2);
	if (count <= NINEP_WALK_MAX)
		return count;
	writer->bad = true;
	return 0;
}

static void put_data(struct writer *writer, const struct ninep_data *data)
{
	put_number(writer, data->length, 4);
	if (data->bytes)
		put_bytes(writer, data->bytes, data->length);
	else
		writer->size += data->length;
}

static void put_fields(struct writer *writer, const u8 *kinds, const void *from);

/* What its size field counts. */
static size_t stat_size(enum ninep_dialect dialect, const struct ninep_stat *stat)
{
	struct writer counter = { .dialect = dialect };

	put_fields(&counter, stat_kinds, stat);
	return counter.bad || counter.size > UINT16_MAX - 2 ? 0 : counter.size;
}

static void put_stat(struct writer *writer, const struct ninep_stat *stat)
{
	size_t size = stat_size(writer->dialect, stat);

	if (!size) {
		writer->bad = true;
		return;
	}
	put_number(writer, size + 2, 2);
	put_number(writer, size, 2);
	put_fields(writer, stat_kinds, stat);
}

static void put_field(struct writer *writer, enum kind kind, const void *from)
{
	bool extended = writer->dialect != NINEP_2000;
	const struct ninep_names *names = from;
	const struct ninep_qids *qids = from;
	u16 count;

	switch (kind) {
	case KIND_U8:
		put_number(writer, *(const u8 *)from, 1);
		break;
	case KIND_U16:
		put_number(writer, *(const u16 *)from, 2);
		break;
	case KIND_U32:
	case KIND_OPTIONAL_U32:
		put_number(writer, *(const u32 *)from, 4);
		break;
	case KIND_U64:
		put_number(writer, *(const u64 *)from, 8);
		break;
	case KIND_STRING:
		put_string(writer, from);
		break;
	case KIND_QID:
		put_qid(writer, from);
		break;
	case KIND_NAMES:
		count = put_count(writer, names->count);
		for (u16 i = 0; i < count; i++)
			put_string(writer, &names->names[i]);
		break;
	case KIND_QIDS:
		count = put_count(writer, qids->count);
		for (u16 i = 0; i < count; i++)
			put_qid(writer, &qids->qids[i]);
		break;
	case KIND_DATA:
		put_data(writer, from);
		break;
	case KIND_STAT:
		put_stat(writer, from);
		break;
	case KIND_EXTENDED_U32:
		if (extended)
			put_number(writer, *(const u32 *)from, 4);
		break;
	case KIND_EXTENDED_STRING:
		if (extended)
			put_string(writer, from);
		break;
	case KIND_END:
		break;
	}
}

static void put_fields(struct writer *writer, const u8 *kinds, const void *from)
{
	size_t offset = 0;

	for (; *kinds != KIND_END; kinds++)
		put_field(writer, *kinds, field_next((void *)from, &offset, *kinds));
}

static void put_message(struct writer *writer, const struct ninep_message *message, size_t size)
{
	put_number(writer, size, 4);
	put_number(writer, message->type, 1);
	put_number(writer, message->tag, 2);
	put_fields(writer, messages[message->type].kinds, &message->Tversion);
}

size_t ninep_size(const struct ninep_message *message, enum ninep_dialect dialect)
{
	struct writer counter = { .dialect = dialect };

	if (!(messages[message->type].dialects & dialect))
		return 0;
	put_message(&counter, message, 0);
	return counter.bad || counter.size > UINT32_MAX ? 0 : counter.size;
}
EXPORT_SYMBOL(ninep_size);

/* The data that whoever sends the message adds. */
static size_t data_elsewhere(const struct ninep_message *message)
{
	const struct ninep_data *data = message->type == Twrite	    ? &message->Twrite.data
					: message->type == Rread    ? &message->Rread.data
					: message->type == Rreaddir ? &message->Rreaddir.data
								    : NULL;

	return data && !data->bytes ? data->length : 0;
}

ssize_t ninep_encode(const struct ninep_message *message, enum ninep_dialect dialect, void *buffer,
		     size_t room)
{
	size_t size = ninep_size(message, dialect);
	size_t here = size - data_elsewhere(message);
	struct writer writer = { .at = buffer, .dialect = dialect };

	if (!size)
		return -EINVAL;
	if (here > room)
		return -EMSGSIZE;
	put_message(&writer, message, size);
	return (ssize_t)here;
}
EXPORT_SYMBOL(ninep_encode);

/* ---- Directories ----------------------------------------------------------------------------------------------------- */

/* Takes what `reader` has gone over off the data. */
static int data_taken(struct ninep_data *data, const struct reader *reader)
{
	if (reader->bad)
		return -EPROTO;
	data->length = (u32)(reader->end - reader->at);
	data->bytes = reader->at;
	return 1;
}

static struct reader data_reader(const struct ninep_data *data, enum ninep_dialect dialect)
{
	return (struct reader){
		.at = data->bytes,
		.end = (const u8 *)data->bytes + data->length,
		.dialect = dialect,
	};
}

int ninep_entry_next(struct ninep_data *data, struct ninep_entry *entry)
{
	struct reader reader = data_reader(data, NINEP_2000L);

	if (!data->length)
		return 0;
	take_fields(&reader, entry_kinds, entry);
	return data_taken(data, &reader);
}
EXPORT_SYMBOL(ninep_entry_next);

size_t ninep_entry_put(void *to, size_t room, const struct ninep_entry *entry)
{
	struct writer counter = { .dialect = NINEP_2000L },
		      writer = { .at = to, .dialect = NINEP_2000L };

	put_fields(&counter, entry_kinds, entry);
	if (counter.bad || counter.size > room)
		return 0;
	put_fields(&writer, entry_kinds, entry);
	return writer.size;
}
EXPORT_SYMBOL(ninep_entry_put);

int ninep_stat_next(struct ninep_data *data, enum ninep_dialect dialect, struct ninep_stat *stat)
{
	struct reader reader = data_reader(data, dialect), inner;
	u16 size;

	if (!data->length)
		return 0;
	size = (u16)take_number(&reader, 2);
	inner = reader;
	if (!take(&reader, size))
		return -EPROTO;
	inner.end = reader.at;
	take_fields(&inner, stat_kinds, stat);
	return inner.bad || inner.at != inner.end ? -EPROTO : data_taken(data, &reader);
}
EXPORT_SYMBOL(ninep_stat_next);

size_t ninep_stat_put(void *to, size_t room, enum ninep_dialect dialect, const struct ninep_stat *stat)
{
	struct writer writer = { .at = to, .dialect = dialect };
	size_t size = stat_size(dialect, stat);

	if (!size || size + 2 > room)
		return 0;
	put_number(&writer, size, 2);
	put_fields(&writer, stat_kinds, stat);
	return writer.size;
}
EXPORT_SYMBOL(ninep_stat_put);

void ninep_stat_no_change(struct ninep_stat *stat)
{
	const struct ninep_string unchanged = { .text = "" };

	*stat = (struct ninep_stat){
		.type = UINT16_MAX,
		.dev = UINT32_MAX,
		.qid = { .type = UINT8_MAX, .version = UINT32_MAX, .path = UINT64_MAX },
		.mode = UINT32_MAX,
		.atime = UINT32_MAX,
		.mtime = UINT32_MAX,
		.length = UINT64_MAX,
		.name = unchanged,
		.uid = unchanged,
		.gid = unchanged,
		.muid = unchanged,
		.extension = unchanged,
		.n_uid = NINEP_NO_NUMBER,
		.n_gid = NINEP_NO_NUMBER,
		.n_muid = NINEP_NO_NUMBER,
	};
}
EXPORT_SYMBOL(ninep_stat_no_change);

bool ninep_is_name(struct ninep_string string)
{
	return string.length && string.length <= 255 && !memchr(string.text, '/', string.length) &&
	       !ninep_string_is(string, ".") && !ninep_string_is(string, "..");
}
EXPORT_SYMBOL(ninep_is_name);
