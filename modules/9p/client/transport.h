/*
 * What carries messages: between the client (9p.ko) and a transport, which may be a module of its own (9p_virtio.ko).
 *
 * A request is a message to the server and room for its answer. A transport takes it in send(), and gives it back once: by
 * request_answered() when all of an answer is there, or request_lost() when there will be none. Until then its memory belongs to
 * the transport. Where an answer is longer than room for it, the server breaks the protocol.
 *
 * Locks: connection->lock (interrupts off) protects tags and the state of requests; a transport's own locks may be held around
 * nothing of the client's.
 */
#ifndef NINEP_TRANSPORT_H
#define NINEP_TRANSPORT_H

#include "../codec/ninep.h"

#include <kumo/list.h>
#include <kumo/refcount.h>
#include <kumo/spinlock.h>
#include <kumo/wait.h>
#include <kumo/work.h>

struct connection;
struct cred;
struct fid;
struct module;
struct transport_options;

enum {
	REQUESTS_MAX = 256, /* in flight of one connection, besides flushes */
	TAGS_MAX = 2 * REQUESTS_MAX,
	REQUEST_FIDS = 3,
};

/* Memory of data that travels beside a message; physically contiguous. */
struct piece {
	void *data;
	u32 size;
};

struct request {
	struct connection *connection;
	refcount_t refs;  /* the caller's, the table of tags', the transport's */
	struct list link; /* the transport's own */
	u16 tag;
	u8 type; /* T... */
	/* The message, encoded but for its data, and room for the answer but for its data. */
	void *out, *in;
	u32 out_length, in_room;
	/* Data of Twrite, or room for that of Rread: follows `out`, or NINEP_READ_HEAD bytes of `in`. */
	struct piece *pieces;
	unsigned int piece_count;
	u32 piece_bytes;
	bool pieces_in;

	/* Of the client, under connection->lock. */
	bool finished;	/* its outcome is known: answered, lost, or flushed */
	bool answered;	/* in_length bytes of answer are there */
	bool abandoned; /* nobody waits any more */
	int error;	/* of a request that is not answered */
	u32 in_length;
	struct request *flush;		/* under way for this one */
	struct request *flushes;	/* of a Tflush: whom. References */
	struct fid *fids[REQUEST_FIDS]; /* that it names; referenced until it is finished */
	struct wait_queue wait;
	void (*done)(struct request *request); /* finished; any context. NULL: somebody waits */
	void *private;			       /* of done and release */
	void (*release)(struct request *request); /* nobody uses it or its pieces any more. Any context. Optional */
};

struct transport {
	const char *name; /* trans=NAME */
	struct module *owner;
	u32 msize_max;
	/* Makes connection->transport_private; send() may be called from then on. A negative errno. */
	int (*open)(struct connection *connection, const char *source,
		    const struct transport_options *options, const struct cred *cred);
	/* Takes a request over, with a reference of its own. May sleep, but not for the server. */
	void (*send)(struct connection *connection, struct request *request);
	/* No more answers come: what was sent has been given back when it returns. Sleeps. Called once, perhaps long before close(). */
	void (*stop)(struct connection *connection);
	void (*close)(struct connection *connection);
	struct list link;
};

struct transport_options {
	int read_fd, write_fd; /* -1: not given */
};

/* A conversation with a server. */
struct connection {
	const struct transport *transport;
	void *transport_private;
	u32 msize;
	enum ninep_dialect dialect;
	spinlock_t lock;
	struct request *by_tag[TAGS_MAX + 1]; /* the last: of NINEP_NO_TAG */
	u16 free_tags[TAGS_MAX];
	unsigned int free_count;
	unsigned int active; /* requests in the table, and ends of requests that are under way */
	bool dead;	     /* nothing can be sent; what was is being given back */
	bool stopped;	     /* by stop_work */
	struct wait_queue tag_wait;
	struct work stop_work;
	const char *server; /* for the log */
};

int transport_register(struct transport *transport) __must_check; /* -EEXIST */
/* No new connections when it returns; those that are there hold its module. */
void transport_unregister(struct transport *transport);

/* ---- For transports. Any context ---- */

static inline void request_get(struct request *request)
{
	refcount_inc(&request->refs);
}
void request_put(struct request *request);
/* The request that waits for an answer with this tag, referenced; NULL: none does. */
struct request *request_of_tag(struct connection *connection, u16 tag);
/* An answer of `length` bytes is there, its data beside it in the pieces. 0: a transport that gives memory back found none in it. */
void request_answered(struct request *request, u32 length);
void request_lost(struct request *request, int error);
void connection_lose_all(struct connection *connection); /* the requests that still wait for an answer */
/* The server, or the way to it, is of no more use; `why` goes to the log. Once; stop() follows. */
void connection_fail(struct connection *connection, const char *why);

#endif
