/*
 * Requests in flight: tags, answers, and what happens when somebody does not want to wait any more.
 *
 * A request is in the table of tags from being sent until its tag may be used again. Whoever waits for one and is killed leaves it
 * behind, and sends a Tflush. There are two orders then:
 *
 *	the answer, then Rflush		the answer counts: a fid that it made is clunked. The tag is free with Rflush.
 *	Rflush without an answer	the request has not been carried out, the tag is free. The fid it would have made is
 *					clunked all the same, which does no harm to who does not have it.
 *
 * So a late answer finds its own request, never another with the same tag. A request holds the fids that it names until it is
 * finished, so no Tclunk overtakes it.
 *
 * Every answer is checked: a tag that nobody waits for, a type that does not answer the request, more bytes than there is room for, a
 * message that does not decode. Then the connection is given up: all that was sent ends with EIO.
 */
#define LOG_PREFIX "9p: "
#include "client.h"

#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/slab.h>

/* ---- Memory ---- */

struct request *request_create(struct connection *connection, const struct ninep_message *message,
			       u32 in_room, unsigned int piece_count, unsigned int gfp)
{
	size_t data = message->type == Twrite && !message->Twrite.data.bytes
			      ? message->Twrite.data.length
			      : 0;
	size_t size = ninep_size(message, connection->dialect), out = size - data;
	size_t pieces = piece_count * sizeof(struct piece);
	struct request *request;

	/* 0: not of the dialect. Data is beside the message. */
	if (!size || size > connection->msize)
		return ERR_PTR(size ? -EMSGSIZE : -EOPNOTSUPP);
	request = kmalloc(sizeof(*request) + pieces + out + in_room, gfp);
	if (!request)
		return ERR_PTR(-ENOMEM);
	memset(request, 0, sizeof(*request));
	request->connection = connection;
	refcount_set(&request->refs, 1);
	request->tag = NINEP_NO_TAG;
	request->type = message->type;
	request->pieces = (struct piece *)(request + 1);
	request->out = (char *)(request + 1) + pieces;
	request->out_length = (u32)out;
	request->in = (char *)request->out + out;
	request->in_room = in_room;
	wait_queue_init(&request->wait);
	if (ninep_encode(message, connection->dialect, request->out, out) != (ssize_t)out) {
		kfree(request);
		return ERR_PTR(-EINVAL);
	}
	return request;
}

void request_put(struct request *request)
{
	if (!refcount_dec_and_test(&request->refs))
		return;
	for (unsigned int i = 0; i < REQUEST_FIDS; i++) /* of one that was never sent */
		if (request->fids[i])
			fid_put(request->fids[i]);
	if (request->release)
		request->release(request);
	kfree(request);
}
EXPORT_SYMBOL(request_put);

void request_add_fid(struct request *request, struct fid *fid)
{
	for (unsigned int i = 0; i < REQUEST_FIDS; i++)
		if (!request->fids[i]) {
			request->fids[i] = fid_get(fid);
			return;
		}
	WARN_ON(true);
}

/* ---- Tags ---- */

static inline struct request **tag_slot(struct connection *connection, u16 tag)
{
	return &connection->by_tag[tag == NINEP_NO_TAG ? TAGS_MAX : tag];
}

/* Flushes may use the last half: there is at most one for each other request. False: there is none, or no connection. */
static bool take_tag(struct connection *connection, struct request *request)
{
	unsigned int reserve = request->type == Tflush ? 0 : TAGS_MAX - REQUESTS_MAX;
	unsigned long flags = spin_lock_irqsave(&connection->lock);
	bool taken = connection->free_count > reserve && !connection->dead;

	if (taken) {
		if (request->type != Tversion)
			request->tag = connection->free_tags[--connection->free_count];
		*tag_slot(connection, request->tag) = request;
		connection->active++;
		request_get(request);
	}
	spin_unlock_irqrestore(&connection->lock, flags);
	return taken;
}

/* connection->lock held; the table's reference becomes the caller's to drop. */
static void release_tag(struct connection *connection, struct request *request)
{
	*tag_slot(connection, request->tag) = NULL;
	if (request->tag != NINEP_NO_TAG)
		connection->free_tags[connection->free_count++] = request->tag;
}

struct request *request_of_tag(struct connection *connection, u16 tag)
{
	struct request *request = NULL;
	unsigned long flags;

	if (tag >= TAGS_MAX && tag != NINEP_NO_TAG)
		return NULL;
	flags = spin_lock_irqsave(&connection->lock);
	request = *tag_slot(connection, tag);
	if (request && request->finished)
		request = NULL;
	if (request)
		request_get(request);
	spin_unlock_irqrestore(&connection->lock, flags);
	return request;
}
EXPORT_SYMBOL(request_of_tag);

/* ---- The end of a request ---- */

/* One request less in the table, or an end that is over. Nothing of the connection is touched after it: it may be closed. */
static void leave(struct connection *connection)
{
	unsigned long flags = spin_lock_irqsave(&connection->lock);

	connection->active--;
	wake_up_all(&connection->tag_wait);
	spin_unlock_irqrestore(&connection->lock, flags);
}

/* After it was marked finished, and connection->active counts this. */
static void finished(struct request *request)
{
	struct connection *connection = request->connection;
	void (*done)(struct request * request) = request->done;

	/* Fids that nobody waits for any more are clunked. */
	for (unsigned int i = 0; i < REQUEST_FIDS; i++)
		if (request->fids[i]) {
			fid_put(request->fids[i]);
			request->fids[i] = NULL;
		}
	if (done)
		done(request);
	else
		wake_up_all(&request->wait);
	leave(connection);
}

/* Its tag is free: it is not in the table any more. */
static void leave_table(struct request *request)
{
	leave(request->connection);
	request_put(request);
}

/* Rflush came, or never will: the other request's tag is free, and if it had no answer there will be none. */
static void flush_finished(struct request *flush)
{
	struct request *target = flush->flushes;
	struct connection *connection = flush->connection;
	unsigned long flags = spin_lock_irqsave(&connection->lock);
	bool ends = !target->finished;

	target->flush = NULL;
	if (ends) {
		target->finished = true;
		target->error = -EINTR;
		connection->active++;
	}
	release_tag(connection, target);
	spin_unlock_irqrestore(&connection->lock, flags);
	if (ends)
		finished(target);
	leave_table(target);
	request_put(target); /* the flush's own reference */
}

/* error 0: its answer is there. */
static void request_end(struct request *request, int error, u32 length)
{
	struct connection *connection = request->connection;
	unsigned long flags = spin_lock_irqsave(&connection->lock);
	bool ends = !request->finished, tag_free = !request->flush;

	if (ends) {
		request->error = error;
		request->answered = !error;
		request->in_length = length;
		smp_store_release(&request->finished, true); /* pairs with request_wait() */
		connection->active++;
		if (tag_free)
			release_tag(connection, request);
	}
	spin_unlock_irqrestore(&connection->lock, flags);
	if (!ends)
		return;
	if (request->flushes)
		flush_finished(request);
	finished(request);
	if (tag_free)
		leave_table(request);
}

static bool is_error(const struct request *request, u8 type)
{
	return type == (request->connection->dialect == NINEP_2000L ? Rlerror : Rerror);
}

/* An answer that is no Rread, and no longer than in_room, came to a request with room for data beside its head: what lies there
 * belongs to the message. */
static bool gather(struct request *request, u32 length)
{
	u32 at = NINEP_READ_HEAD;

	for (unsigned int i = 0; i < request->piece_count && at < length; i++) {
		u32 part = min(request->pieces[i].size, length - at);

		memcpy((char *)request->in + at, request->pieces[i].data, part);
		at += part;
	}
	return at >= length;
}

/* Whether the answer's head is what may answer the request. */
static const char *check_answer(struct request *request, u32 length)
{
	const u8 *head = request->in;

	if (length < NINEP_HEADER_SIZE || ninep_message_size(head) != length)
		return "an answer of a wrong size";
	if ((head[5] | head[6] << 8) != request->tag)
		return "an answer with another request's tag";
	if (is_error(request, head[4]))
		return length > request->in_room || (request->pieces_in && !gather(request, length))
			       ? "an error longer than any"
			       : NULL;
	if (head[4] != request->type + 1)
		return "an answer of another type";
	if (length > (request->pieces_in ? NINEP_READ_HEAD + request->piece_bytes : request->in_room))
		return "an answer longer than was asked for";
	return NULL;
}

void request_answered(struct request *request, u32 length)
{
	struct connection *connection = request->connection;
	const char *wrong;

	if (!length && (READ_ONCE(request->flush) || READ_ONCE(request->finished)))
		return; /* it was flushed: Rflush comes, or has come */
	wrong = check_answer(request, length);
	if (wrong)
		connection_fail(connection, wrong);
	request_end(request, wrong ? -EIO : 0, length);
}
EXPORT_SYMBOL(request_answered);

void request_lost(struct request *request, int error)
{
	request_end(request, error, 0);
}
EXPORT_SYMBOL(request_lost);

void connection_lose_all(struct connection *connection)
{
	for (u32 tag = 0; tag <= TAGS_MAX; tag++) {
		struct request *request =
			request_of_tag(connection, (u16)(tag < TAGS_MAX ? tag : NINEP_NO_TAG));

		if (request) {
			request_lost(request, -EIO);
			request_put(request);
		}
	}
}
EXPORT_SYMBOL(connection_lose_all);

/* ---- Sending and waiting ---- */

int request_send(struct request *request)
{
	struct connection *connection = request->connection;
	bool taken = false;

	if (wait_event_killable(&connection->tag_wait,
				READ_ONCE(connection->dead) || (taken = take_tag(connection, request))))
		return -EINTR;
	if (!taken)
		return -EIO;
	if (request->type != Tversion)
		ninep_set_tag(request->out, request->tag);
	connection->transport->send(connection, request);
	return 0;
}

/* Sends the Tflush for a request, whose reference it takes over. */
static void flush_send(struct connection *connection, struct request *flush, struct request *request)
{
	flush->flushes = request;
	if (!take_tag(connection, flush)) {
		flush_finished(flush); /* the connection has just ended */
		return;
	}
	ninep_set_tag(flush->out, flush->tag);
	connection->transport->send(connection, flush);
}

/* Nobody waits for it any more: the server is told so. */
static void request_abandon(struct request *request)
{
	struct connection *connection = request->connection;
	struct ninep_message message = { .type = Tflush, .Tflush.oldtag = request->tag };
	struct request *flush = request_create(connection, &message, REPLY_SMALL, 0, GFP_KERNEL);
	unsigned long flags;
	bool wanted;

	if (IS_ERR(flush)) /* then it keeps its tag until it is answered */
		return;
	flags = spin_lock_irqsave(&connection->lock);
	wanted = !request->finished && !connection->dead;
	if (wanted) {
		request->flush = flush;
		request_get(request);
	}
	spin_unlock_irqrestore(&connection->lock, flags);
	if (wanted)
		flush_send(connection, flush, request);
	request_put(flush);
}

int request_wait(struct request *request)
{
	if (wait_event_killable(&request->wait, smp_load_acquire(&request->finished))) {
		request_abandon(request);
		return -EINTR;
	}
	return request->error;
}

/* The answer to a request that is finished; strings lie in the request. Errors that the server tells are returned. */
int request_reply(struct request *request, struct ninep_message *reply)
{
	struct connection *connection = request->connection;
	u32 here = request->in_length;
	int error = request->error, number;

	if (error)
		return error;
	if (request->pieces_in && ((u8 *)request->in)[4] == Rread)
		here = NINEP_READ_HEAD;
	error = here == request->in_length
			? ninep_decode(reply, connection->dialect, request->in, here)
			: ninep_decode_head(reply, connection->dialect, request->in, here);
	if (error) {
		connection_fail(connection, "an answer that is no message");
		return -EIO;
	}
	if (reply->type == Rlerror)
		number = (int)min(reply->Rlerror.ecode, (u32)MAX_ERRNO + 1);
	else if (reply->type == Rerror && reply->Rerror.ecode && reply->Rerror.ecode <= MAX_ERRNO)
		number = (int)reply->Rerror.ecode;
	else if (reply->type == Rerror)
		number = ninep_error_number(reply->Rerror.ename);
	else
		return 0;
	/* Numbers above 511 are the kernel's own, and no error of a file's. */
	return number > 0 && number < ERESTARTSYS ? -number : -EIO;
}

/* ---- The connection ---- */

static void stop_work(struct work *work)
{
	struct connection *connection = container_of(work, struct connection, stop_work);
	unsigned long flags;

	connection->transport->stop(connection);
	flags = spin_lock_irqsave(&connection->lock);
	connection->stopped = true;
	wake_up_all(&connection->tag_wait);
	spin_unlock_irqrestore(&connection->lock, flags);
}

/* True for the first who says so. */
static bool connection_kill(struct connection *connection)
{
	unsigned long flags = spin_lock_irqsave(&connection->lock);
	bool first = !connection->dead;

	connection->dead = true;
	spin_unlock_irqrestore(&connection->lock, flags);
	if (first)
		wake_up_all(&connection->tag_wait);
	return first;
}

void connection_fail(struct connection *connection, const char *why)
{
	if (!connection_kill(connection))
		return;
	pr_err("%s: %s: the connection is given up\n", connection->server, why);
	work_queue(&connection->stop_work);
}
EXPORT_SYMBOL(connection_fail);

int connection_open(struct connection *connection, const struct transport *transport,
		    const char *source, const struct transport_options *options, const struct cred *cred)
{
	memset(connection, 0, sizeof(*connection));
	connection->transport = transport;
	connection->server = source;
	connection->msize = NINEP_MSIZE_MIN;
	connection->dialect = NINEP_2000; /* until the version is agreed on */
	spin_init(&connection->lock, "9p_connection");
	wait_queue_init(&connection->tag_wait);
	work_init(&connection->stop_work, stop_work);
	while (connection->free_count < TAGS_MAX) {
		connection->free_tags[connection->free_count] =
			(u16)(TAGS_MAX - 1 - connection->free_count);
		connection->free_count++;
	}
	return transport->open(connection, source, options, cred);
}

void connection_close(struct connection *connection)
{
	if (connection_kill(connection)) {
		connection->transport->stop(connection);
	} else {
		wait_event(&connection->tag_wait, READ_ONCE(connection->stopped)); /* perhaps not even begun */
		work_flush(&connection->stop_work);
	}
	wait_event(&connection->tag_wait, !READ_ONCE(connection->active));
	spin_unlock_irqrestore(&connection->lock,
			       spin_lock_irqsave(&connection->lock)); /* the last one has left */
	connection->transport->close(connection);
}

bool connection_is_idle(struct connection *connection)
{
	return !READ_ONCE(connection->active) || READ_ONCE(connection->dead);
}

/* ---- Transports ---- */

static struct mutex transports_lock = MUTEX_INIT(transports_lock, "9p_transports");
static struct list transports = LIST_INIT(transports);

static struct transport *find_transport(const char *name)
{
	struct transport *transport;

	list_for_each(transport, &transports, link)
		if (!strcmp(transport->name, name))
			return transport;
	return NULL;
}

int transport_register(struct transport *transport)
{
	int error = 0;

	mutex_lock(&transports_lock);
	if (find_transport(transport->name))
		error = -EEXIST;
	else
		list_add_tail(&transports, &transport->link);
	mutex_unlock(&transports_lock);
	return error;
}
EXPORT_SYMBOL(transport_register);

void transport_unregister(struct transport *transport)
{
	mutex_lock(&transports_lock);
	list_del(&transport->link);
	mutex_unlock(&transports_lock);
}
EXPORT_SYMBOL(transport_unregister);

static const struct transport *transport_find_get(const char *name)
{
	struct transport *transport;

	mutex_lock(&transports_lock);
	transport = find_transport(name);
	if (transport && !try_module_get(transport->owner))
		transport = NULL;
	mutex_unlock(&transports_lock);
	return transport;
}

const struct transport *transport_get(const char *name)
{
	const struct transport *transport = transport_find_get(name);

	if (!transport && !request_module("9p-%s", name))
		transport = transport_find_get(name);
	return transport;
}

void transport_put(const struct transport *transport)
{
	module_put(transport->owner);
}
