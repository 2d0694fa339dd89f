/*
 * For tests that speak 9P by hand: messages put together from a format, answers taken apart. Nothing here is the kernel's own code.
 *
 * A format is one character a field: 1 2 4 8 (numbers of so many bytes), s (a string), d (a length and bytes: two arguments), q (a
 * qid, for answers).
 */
#ifndef TESTS_NINEP_H
#define TESTS_NINEP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "files.h"

enum {
	Rlerror = 7,
	Tstatfs = 8,
	Tlopen = 12,
	Tlcreate = 14,
	Tsymlink = 16,
	Tmknod = 18,
	Trename = 20,
	Treadlink = 22,
	Tgetattr = 24,
	Tsetattr = 26,
	Txattrwalk = 30,
	Txattrcreate = 32,
	Treaddir = 40,
	Tfsync = 50,
	Tlock = 52,
	Tgetlock = 54,
	Tlink = 70,
	Tmkdir = 72,
	Trenameat = 74,
	Tunlinkat = 76,
	Tversion = 100,
	Tauth = 102,
	Tattach = 104,
	Rerror = 107,
	Tflush = 108,
	Twalk = 110,
	Topen = 112,
	Tcreate = 114,
	Tread = 116,
	Twrite = 118,
	Tclunk = 120,
	Tremove = 122,
	Tstat = 124,
	Twstat = 126,
};
#define NO_TAG 0xffff
#define NO_FID 0xffffffffU
#define MESSAGE_MAX (1 << 20)

struct qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

/* A connection as its client sees it. */
struct peer {
	int fd;
	bool has_numbers; /* .u: errors and users are numbers, too */
	unsigned char out[MESSAGE_MAX], in[MESSAGE_MAX];
	uint32_t out_size, size, at; /* of the last message in each direction; what was taken of it */
	char error[256];	     /* the text of the last Rerror */
};

static inline void put(struct peer *peer, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		peer->out[peer->out_size++] = (unsigned char)(value >> 8 * i);
}

static inline uint64_t take(struct peer *peer, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes && peer->at < peer->size; i++)
		value |= (uint64_t)peer->in[peer->at++] << 8 * i;
	return value;
}

/* Into a buffer of one's own; cut if need be. */
static inline const char *take_string(struct peer *peer)
{
	static char texts[8][4096];
	static int next;
	char *text = texts[next++ % 8];
	uint32_t length = (uint32_t)take(peer, 2);

	if (length > peer->size - peer->at)
		length = peer->size - peer->at;
	snprintf(text, sizeof(texts[0]), "%.*s", (int)length, (char *)peer->in + peer->at);
	peer->at += length;
	return text;
}

static inline struct qid take_qid(struct peer *peer)
{
	struct qid qid;

	qid.type = (uint8_t)take(peer, 1);
	qid.version = (uint32_t)take(peer, 4);
	qid.path = take(peer, 8);
	return qid;
}

static inline void message_begin(struct peer *peer, int type, unsigned int tag)
{
	peer->out_size = 4;
	put(peer, (uint64_t)type, 1);
	put(peer, tag, 2);
}

static inline void message_add(struct peer *peer, const char *format, va_list args)
{
	for (; *format; format++) {
		const char *text;
		uint32_t length;

		switch (*format) {
		case '1':
		case '2':
		case '4':
			put(peer, va_arg(args, unsigned int), *format - '0');
			break;
		case '8':
			put(peer, va_arg(args, uint64_t), 8);
			break;
		case 's':
			text = va_arg(args, const char *);
			put(peer, strlen(text), 2);
			memcpy(peer->out + peer->out_size, text, strlen(text));
			peer->out_size += (uint32_t)strlen(text);
			break;
		case 'd':
			length = va_arg(args, unsigned int);
			put(peer, length, 4);
			memcpy(peer->out + peer->out_size, va_arg(args, const void *), length);
			peer->out_size += length;
			break;
		}
	}
}

static inline void message_end(struct peer *peer)
{
	uint32_t size = peer->out_size;

	peer->out_size = 0;
	put(peer, size, 4);
	peer->out_size = size;
}

/* Sends a message, and waits for nothing. */
static inline void ask(struct peer *peer, int type, unsigned int tag, const char *format, ...)
{
	va_list args;

	message_begin(peer, type, tag);
	va_start(args, format);
	message_add(peer, format, args);
	va_end(args);
	message_end(peer);
	if (write(peer->fd, peer->out, peer->out_size) != (ssize_t)peer->out_size)
		peer->out_size = 0;
}

static inline bool read_all(int fd, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t part = read(fd, (char *)to + done, size - done);

		if (part <= 0)
			return false;
		done += (size_t)part;
	}
	return true;
}

/* The next answer: its type, and *tag; -1: the connection is at its end. */
static inline int answer(struct peer *peer, unsigned int *tag)
{
	peer->size = peer->at = 0;
	if (!read_all(peer->fd, peer->in, 4))
		return -1;
	peer->size = 4;
	uint32_t size = (uint32_t)take(peer, 4);

	if (size < 7 || size > MESSAGE_MAX || !read_all(peer->fd, peer->in + 4, size - 4))
		return -1;
	peer->size = size;
	int type = (int)take(peer, 1);

	*tag = (unsigned int)take(peer, 2);
	return type;
}

/* What an answer means to who asked for `type`: 0, or a negative errno (-1000: an error that has a text alone). */
static inline int outcome(struct peer *peer, int type, int got)
{
	if (got == type + 1)
		return 0;
	if (got == Rlerror)
		return -(int)take(peer, 4);
	if (got == Rerror) {
		snprintf(peer->error, sizeof(peer->error), "%s", take_string(peer));
		return peer->has_numbers ? -(int)take(peer, 4) : -1000;
	}
	return -EPROTO;
}

/* Asks and waits: 0, or a negative errno. What comes with the answer is there to be taken. */
static inline int call(struct peer *peer, int type, const char *format, ...)
{
	unsigned int tag;
	va_list args;
	int got;

	message_begin(peer, type, type == Tversion ? NO_TAG : 1);
	va_start(args, format);
	message_add(peer, format, args);
	va_end(args);
	message_end(peer);
	if (write(peer->fd, peer->out, peer->out_size) != (ssize_t)peer->out_size)
		return -EPIPE;
	got = answer(peer, &tag);
	if (got < 0)
		return -EPIPE;
	return tag == (type == Tversion ? NO_TAG : 1) ? outcome(peer, type, got) : -EPROTO;
}

/* ---- The server's side ---- */

/* A peer of an export: `words` of /dev/export beside the descriptor. The holder is open in *control. */
static inline struct peer *export_to_peer(int *control, const char *words)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char line[4096];
	int ends[2], length;

	*control = open("/dev/export", O_RDWR | O_CLOEXEC);
	if (*control < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		free(peer);
		return NULL;
	}
	length = snprintf(line, sizeof(line), "export fd=%d %s\n", ends[1], words);
	if (write(*control, line, (size_t)length) != length) {
		printf("# export %s: %s\n", words, strerror(errno));
		close(*control);
		close(ends[0]);
		close(ends[1]);
		free(peer);
		return NULL;
	}
	close(ends[1]);
	peer->fd = ends[0];
	return peer;
}

static inline void peer_close(struct peer *peer)
{
	close(peer->fd);
	free(peer);
}

/* Tversion; the msize that was agreed upon, 0: none. */
static inline uint32_t agree(struct peer *peer, const char *version, uint32_t size)
{
	const char *got;

	if (call(peer, Tversion, "4s", size, version))
		return 0;
	size = (uint32_t)take(peer, 4);
	got = take_string(peer);
	peer->has_numbers = !strcmp(got, "9P2000.u");
	return strcmp(got, version) ? 0 : size;
}

#endif
