/*
 * The state machine of the 9P server (modules/9p/server, as a program has it: user/serve) with a client that says whatever the input says: messages
 * of its dialect or of another with likely and unlikely fields, damaged ones, plain bytes; one after the other, or without waiting for answers;
 * and then it hangs up, or the connection is stopped in the middle. A RAM tree is served, a new one for each input.
 *
 * What must hold: answers are messages of the dialect, no larger than agreed upon; once the client has hung up, the server ends; nothing is left.
 * Its threads are real, so an input that waits for no answers does not repeat exactly.
 */
#include "../../modules/9p/server/server.h"

#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../user/serve/serve.h"
#include "input.h"
#include "ninep_server_peer.h"

enum {
	MESSAGE_SIZE = 16384,
	ANSWER_MS = 5, /* that an answer is waited for: a lock's may not come */
	FIDS = 64
};

/* ---- The input ---- */

/* A fid, a flag, a mode, a size: each now and then what the server can do something with. */
static u64 number(void)
{
	static const u64 likely[] = { ~0ULL,	      4096,	      MESSAGE_SIZE,
				      1ULL << 31,     1ULL << 63,     S_IFREG | 0644,
				      S_IFDIR | 0755, S_IFIFO | 0666, S_IFLNK | 0777,
				      0x80000000,     0x02000000,     O_CREAT | O_RDWR };
	u8 choice = next();

	return choice < 176   ? choice % 8
	       : choice < 200 ? choice
	       : choice < 240 ? likely[choice % ARRAY_SIZE(likely)]
			      : next_bytes(8);
}

/* ---- Messages ---- */

enum kind {
	LAST,
	U8,
	U16,
	U32,
	U64,
	STRING,
	QID,
	NAMES,
	QIDS,
	DATA,
	STAT,
	EXTENDED_U32,
	EXTENDED_STRING,
	OPTIONAL_U32
};

static const struct {
	u8 type, dialects;
	u8 fields[24]; /* of enum kind */
} messages[] = {
#define MESSAGE(name, number, dialects)                                                            \
	{                                                                                          \
		number, dialects,                                                                  \
		{
#define STRUCTURE(name)                                                                            \
	{                                                                                          \
		0, 0,                                                                              \
		{
#define FIELD(kind, name) kind,
#define END                                                                                        \
	LAST                                                                                       \
	}                                                                                          \
	}                                                                                          \
	,
#include "../../modules/9p/codec/messages.h"
};

static u8 message[2 * MESSAGE_SIZE];
static u32 message_size;
static enum ninep_dialect dialect; /* as the server has answered; 0: none */

static void put(u64 value, unsigned int width)
{
	for (; width && message_size < sizeof(message); width--, value >>= 8)
		message[message_size++] = (u8)value;
}

static void put_text(const char *text, size_t length)
{
	put(length, 2);
	for (size_t i = 0; i < length; i++)
		put((u8)text[i], 1);
}

static void put_string(void)
{
	static const char *const likely[] = { "a",	  "b",	      "c",     "..",
					      "user.x",	  "",	      "0",     ".",
					      "a/b",	  "/",	      "root",  "security.y",
					      "9P2000.L", "9P2000.u", "9P2000" };
	static char long_one[4200];
	u8 choice = next();

	memset(long_one, 'x', sizeof(long_one));
	if (choice < 240)
		put_text(likely[choice % ARRAY_SIZE(likely)],
			 strlen(likely[choice % ARRAY_SIZE(likely)]));
	else
		put_text(long_one, choice < 250 ? 256 : next_bytes(2) % sizeof(long_one));
}

static void put_fields(const u8 *fields);

static void put_stat(void)
{
	static const u8 stat[] = { U16,		 U32,	       QID,	     U32,
				   U32,		 U32,	       U64,	     STRING,
				   STRING,	 STRING,       STRING,	     EXTENDED_STRING,
				   EXTENDED_U32, EXTENDED_U32, EXTENDED_U32, LAST };
	u32 begin = message_size, end;

	put(0, 4);
	if (next() < 128) { /* most of it says: as it is */
		struct ninep_stat kept;
		u8 bytes[200];

		ninep_stat_no_change(&kept);
		kept.name = next() < 128 ? ninep_string("c") : kept.name;
		kept.length = next() < 128 ? number() : kept.length;
		message_size -= 2;
		end = (u32)ninep_stat_put(bytes, sizeof(bytes), dialect ?: NINEP_2000, &kept);
		for (u32 i = 0; i < end; i++)
			put(bytes[i], 1);
	} else {
		put_fields(stat);
	}
	end = message_size;
	message_size = begin;
	put(end - begin - 2, 2);
	put(end - begin - 4, 2);
	message_size = end;
}

static void put_data(void)
{
	u32 length = next() < 224 ? next() % 64 : (u32)next_bytes(2) % MESSAGE_SIZE;

	put(next() < 240 ? length : number(), 4);
	while (length--)
		put('d', 1);
}

static void put_names(void)
{
	unsigned int count = next() < 240 ? next() % 4 : next() % 20;

	for (put(count, 2); count; count--)
		put_string();
}

static void put_fields(const u8 *fields)
{
	for (; *fields != LAST; fields++) {
		switch ((enum kind) * fields) {
		case U8:
			put(number(), 1);
			break;
		case U16:
			put(next() < 200 ? next() % 64 : number(), 2);
			break;
		case EXTENDED_U32:
		case OPTIONAL_U32:
			if (dialect == NINEP_2000)
				break;
			/* fall through */
		case U32:
			put(number(), 4);
			break;
		case U64:
			put(number(), 8);
			break;
		case EXTENDED_STRING:
			if (dialect == NINEP_2000)
				break;
			/* fall through */
		case STRING:
			put_string();
			break;
		case QID:
			put(number(), 1);
			put(number(), 4);
			put(number(), 8);
			break;
		case NAMES:
		case QIDS:
			put_names();
			break;
		case DATA:
			put_data();
			break;
		case STAT:
			put_stat();
			break;
		default:
			break;
		}
	}
}

static void message_begin(u8 type, u16 tag)
{
	message_size = 4;
	put(type, 1);
	put(tag, 2);
}

static void message_end(void)
{
	for (int i = 0; i < 4; i++)
		message[i] = (u8)(message_size >> 8 * i);
}

/* One of the requests, mostly one that the dialect has. */
static void message_make(void)
{
	static u16 tag;
	unsigned int choice = next();
	bool any = next() > 250;

	for (unsigned int tries = 0; tries < ARRAY_SIZE(messages); tries++, choice++) {
		u8 type = messages[choice % ARRAY_SIZE(messages)].type;

		if (any || (type && !(type & 1) && type != Tversion &&
			    messages[choice % ARRAY_SIZE(messages)].dialects & (dialect ?: NINEP_2000L)))
			break;
	}
	choice %= ARRAY_SIZE(messages);
	tag = (u16)((tag + 1) % 64); /* Tflush meets one now and then */
	message_begin(messages[choice].type, next() < 250 ? tag : (u16)next_bytes(2));
	put_fields(messages[choice].fields);
	message_end();
	if (next() > 240)
		message[next_bytes(2) % message_size] = next();
	if (next() > 250)
		message_size = (u32)next_bytes(2) % message_size + 1; /* cut: what follows is out of step */
}

static void bytes_make(void)
{
	u32 count = next();

	for (message_size = 0; count; count--)
		put(next(), 1);
}

/* ---- Answers ---- */

static u8 answer[MESSAGE_SIZE];
static u32 answer_size;
static unsigned int answers;

static void answer_check(void)
{
	struct ninep_message said;

	if (answer[4] == Rversion) {
		require(!ninep_decode(&said, NINEP_2000L, answer, answer_size));
		require(said.Rversion.msize <= MESSAGE_SIZE);
		dialect = ninep_string_is(said.Rversion.version, "9P2000.L")   ? NINEP_2000L
			  : ninep_string_is(said.Rversion.version, "9P2000.u") ? NINEP_2000U
			  : ninep_string_is(said.Rversion.version, "9P2000")   ? NINEP_2000
									       : 0;
	} else {
		require(dialect && !ninep_decode(&said, dialect, answer, answer_size));
		require(said.type & 1);
	}
	answers++;
}

static void take(const unsigned char *bytes, size_t size)
{
	while (size) {
		u32 whole = answer_size < NINEP_HEADER_SIZE ? NINEP_HEADER_SIZE
							    : (u32)ninep_message_size(answer);
		size_t part = min(size, (size_t)(whole - answer_size));

		memcpy(answer + answer_size, bytes, part);
		answer_size += (u32)part;
		bytes += part;
		size -= part;
		if (answer_size < NINEP_HEADER_SIZE)
			continue;
		whole = (u32)ninep_message_size(answer);
		require(whole >= NINEP_HEADER_SIZE && whole <= MESSAGE_SIZE);
		if (answer_size == whole) {
			answer_check();
			answer_size = 0;
		}
	}
}

/* ---- A connection ---- */

static bool say(int fd, bool waits)
{
	unsigned int before = answers;
	bool alive = peer_send(fd, message, message_size, take);

	if (alive && waits && answers == before)
		alive = peer_receive(fd, ANSWER_MS, take);
	return alive;
}

/* So that there is something to speak about: fid 0 is the root, 1 a file that is open, 2 a folder. */
static bool begin(int fd, const char *version)
{
	static const u8 attach[] = { 0, 0, 0, 0, 255, 255, 255, 255, 1, 0, '0', 0, 0, 0, 0, 0, 0 };
	bool modern = !strcmp(version, "9P2000.L");

	message_begin(Tversion, NINEP_NO_TAG);
	put(MESSAGE_SIZE, 4);
	put_text(version, strlen(version));
	message_end();
	if (!say(fd, true))
		return false;
	message_begin(Tattach, 1);
	for (size_t i = 0; i < sizeof(attach) - (dialect == NINEP_2000 ? 4 : 0); i++)
		put(attach[i], 1);
	message_end();
	if (!say(fd, true))
		return false;
	for (unsigned int fid = 1; fid < 3; fid++) {
		message_begin(Twalk, 2);
		put(0, 4);
		put(fid, 4);
		put(0, 2);
		message_end();
		if (!say(fd, true))
			return false;
		message_begin(modern ? fid == 1 ? Tlcreate : Tmkdir : Tcreate, 3);
		put(fid, 4);
		put_text(fid == 1 ? "a" : "b", 1);
		if (modern) {
			if (fid == 1)
				put(2, 4); /* O_RDWR */
			put(0755, 4);
			put(0, 4);
		} else {
			put(fid == 1 ? 0666 : 0x800001ff, 4);
			put(fid == 1 ? 2 : 0, 1);
			if (dialect == NINEP_2000U)
				put_text("", 0);
		}
		message_end();
		if (!say(fd, true))
			return false;
	}
	return true;
}

static void speak(int fd)
{
	static const char *const versions[] = { "9P2000.L", "9P2000.u", "9P2000", "9P2000.L" };
	u8 how = next();
	bool waits = how & 1, stopped = how & 2, begun = how >> 4, alive = true;

	if (begun)
		alive = begin(fd, versions[how >> 2 & 3]);
	while (alive && input < input_end) {
		if (next() < 250)
			message_make();
		else
			bytes_make();
		alive = say(fd, waits);
	}
	if (stopped)
		return;
	peer_hang_up(fd);
	while (alive)
		alive = peer_receive(fd, -1, take);
}

static void serve(const struct path *root, unsigned int requests)
{
	struct connection *connection = kzalloc(sizeof(*connection), GFP_KERNEL);
	int far, fd = peer_open(&far);

	require(connection);
	connection->export = (struct export){ .root = *root,
					      .cred = &root_cred,
					      .trusts = true,
					      .only_uid = NINEP_NO_NUMBER,
					      .anonymous_uid = 65534,
					      .anonymous_gid = 65534,
					      .message_size = MESSAGE_SIZE,
					      .fid_limit = FIDS,
					      .request_limit = requests };
	list_init(&connection->export.users);
	connection->from = descriptor_file(far);
	require(connection->from);
	connection->to = connection->from;
	file_get(connection->to);
	require(!connection_start(connection));
	speak(fd);
	connection_stop(connection);
	kfree(connection);
	peer_close(fd);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct tree *tree = environment_mount("ramfs", NULL, NULL, false);
	struct path root;

	require(!IS_ERR(tree) && !serve_root(tree, &root));
	input = data;
	input_end = data + size;
	dialect = 0;
	answer_size = 0;
	serve(&root, 1 + next() % 4);
	serve_root_put(&root);
	environment_unmount(tree);
	return 0;
}
