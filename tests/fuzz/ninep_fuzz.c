/*
 * Fuzzes the codec of 9P on the host: what decodes lies within the message and encodes to the same bytes. Input: flags (1, 2: the
 * dialect; 4: the size field is made right first; 8: the data at the end is elsewhere), then the message. The same bytes are also read as
 * entries of directories.
 */
#include <stdlib.h>
#include <kumo/err.h>

#include "../../modules/9p/codec/ninep.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_extended_by_optional(const struct ninep_message *message, size_t size, size_t length)
{
	return message->type == Tfsync && size == length + 4;
}

/* The size before the size of a stat may be 0. */
static void mend_stat(const struct ninep_message *message, unsigned char *bytes)
{
	unsigned char *outer = bytes + NINEP_HEADER_SIZE + (message->type == Twstat ? 4 : 0);
	unsigned int size;

	if ((message->type != Rstat && message->type != Twstat) || outer[0] || outer[1])
		return;
	size = (outer[2] | (unsigned int)outer[3] << 8) + 2;
	outer[0] = (unsigned char)size;
	outer[1] = (unsigned char)(size >> 8);
}

/* The bytes that a decoded message encodes to are those that it came from. */
static void check_same(const struct ninep_message *message, enum ninep_dialect dialect,
		       unsigned char *bytes, size_t length, bool head)
{
	size_t size = ninep_size(message, dialect);
	unsigned char *again = malloc(length + 4);
	ssize_t written = ninep_encode(message, dialect, again, length + 4);

	mend_stat(message, bytes);
	if (is_extended_by_optional(message, size, length)) {
		require(written == (ssize_t)size && !memcmp(again + 4, bytes + 4, length - 4));
	} else {
		require(written == (ssize_t)length && !memcmp(again, bytes, length));
		require(size == ninep_message_size(bytes) && (head || size == length));
		require(ninep_encode(message, dialect, again, length - 1) == -EMSGSIZE);
	}
	free(again);
}

static void check_entries(const unsigned char *bytes, size_t length)
{
	struct ninep_data data = { bytes, (u32)length };
	const unsigned char *at = bytes;
	unsigned char again[UINT16_MAX + 64];
	struct ninep_entry entry;

	while (ninep_entry_next(&data, &entry) == 1) {
		size_t size = ninep_entry_put(again, sizeof(again), &entry);

		require(size && at + size == data.bytes && !memcmp(again, at, size));
		(void)ninep_is_name(entry.name);
		at = data.bytes;
	}
}

static void check_stats(const unsigned char *bytes, size_t length, enum ninep_dialect dialect)
{
	struct ninep_data data = { bytes, (u32)length };
	const unsigned char *at = bytes;
	unsigned char again[UINT16_MAX + 64];
	struct ninep_stat stat;
	u32 major, minor;

	while (ninep_stat_next(&data, dialect, &stat) == 1) {
		size_t size = ninep_stat_put(again, sizeof(again), dialect, &stat);

		/* One of the last two sizes fits into a directory, but not into Rstat. */
		require(size ? at + size == data.bytes && !memcmp(again, at, size)
			     : (const unsigned char *)data.bytes - at >= UINT16_MAX);
		require(ninep_mode_to_unix(&stat, dialect, &major, &minor) & 0170000);
		at = data.bytes;
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const enum ninep_dialect dialects[] = { NINEP_2000, NINEP_2000U, NINEP_2000L,
						       NINEP_2000L };
	struct ninep_message message;
	enum ninep_dialect dialect;
	unsigned char *bytes;
	bool head;
	int error;

	if (!size)
		return 0;
	dialect = dialects[data[0] & 3];
	head = data[0] & 8;
	bytes = malloc(size);
	memcpy(bytes, data + 1, size - 1);
	size--;
	if (data[0] & 4 && size >= 4)
		for (int i = 0; i < 4; i++)
			bytes[i] = (unsigned char)(size >> 8 * i);
	error = head ? ninep_decode_head(&message, dialect, bytes, size)
		     : ninep_decode(&message, dialect, bytes, size);
	require(error == 0 || error == -EPROTO || error == -EOPNOTSUPP);
	if (!error)
		check_same(&message, dialect, bytes, size, head);
	if (!error && message.type == Rerror)
		require(ninep_error_number(message.Rerror.ename) > 0);
	check_entries(bytes, size);
	check_stats(bytes, size, dialect == NINEP_2000L ? NINEP_2000U : dialect);
	free(bytes);
	return 0;
}
