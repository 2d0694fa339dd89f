/*
 * A connection: messages in, answers out, and the threads between.
 *
 * Each thread (worker) waits its turn to read, reads one message, leaves the reading to the next and serves what it has read; so a
 * message is not handed from thread to thread. When nobody else is there to read, another thread is made, up to the limit of requests
 * and one. Beyond that somebody still reads, lest a Tflush be stuck behind those that it is to end: messages that need a thread are
 * put off, some hundred of them. Then nothing is read any more until a thread is free, and the peer has to wait.
 *
 * A request stands in connection->requests from the moment it is read until its answer is about to be written, by who holds
 * write_lock. A Tflush that finds its request there is answered behind that; one that does not, by the reader, who needs write_lock
 * for it and so cannot come before the answer either. A request that is being served is cancelled (act.h); what was done all the
 * same is answered, what failed is not. Tversion waits until nothing is under way.
 *
 * The end: a transport that fails, a peer that breaks the rules, or who holds the connection makes it `dead` and cancels all threads;
 * the last one to leave closes everything.
 */
#include "connection.h"

#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/poll.h>
#include <kumo/pseudo.h>
#include <kumo/act.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/limits.h>

#define LOOK_NS                                                                                    \
	(100 * NSEC_PER_MSEC) /* so often a reader that has no room looks whether the peer is still there */

enum {
	WAITING_MAX = 256, /* messages put off */
	FLUSHES_MAX = 1024 /* Tflush that wait for what they are to end */
};

struct worker {
	struct list link;
	struct connection *connection;
	struct thread *thread;
	bool left; /* it is done, or never began */
	struct request request;
};

static bool worker_make(struct connection *connection);

static void connection_kill(struct connection *connection)
{
	struct worker *worker;

	spin_lock(&connection->lock);
	connection->dead = true;
	list_for_each(worker, &connection->workers, link)
		thread_cancel(worker->thread);
	spin_unlock(&connection->lock);
}

/* ---- Requests and their tags: connection->lock is held ---- */

static struct request *request_find(struct connection *connection, u16 tag)
{
	struct request *request;
	struct flush *flush;

	list_for_each(request, &connection->requests, link) {
		if (request->tag == tag)
			return request;
		list_for_each(flush, &request->flushes, link)
			if (flush->tag == tag)
				return request;
	}
	return NULL;
}

static void request_take(struct request *request)
{
	request->state = REQUEST_RUNNING;
	request->thread = current;
}

/* Out of the lists, one that waits for a thread. */
static void waiting_remove(struct connection *connection, struct request *request)
{
	list_del(&request->waiting_link);
	connection->waiting_count--;
}

static void request_leave(struct connection *connection, struct request *request)
{
	list_del(&request->link);
	connection->request_count--;
}

/* ---- Putting off ---- */

static struct request *request_copy(const struct request *request)
{
	struct request *copy = kmalloc(sizeof(*copy), GFP_KERNEL);

	if (!copy)
		return NULL;
	*copy = *request;
	list_init(&copy->flushes);
	copy->in = kvmalloc(request->size, GFP_KERNEL);
	if (!copy->in) {
		kfree(copy);
		return NULL;
	}
	memcpy(copy->in, request->in, request->size);
	return copy;
}

static void request_copy_free(struct request *copy)
{
	if (!copy)
		return;
	kvfree(copy->in);
	kfree(copy);
}

/*
 * The request that was just read is under way: as it is, to be served by this thread, or as `copy` (may be NULL), to be served by the
 * next that is free. False: its tag is in use.
 */
static bool request_enter(struct connection *connection, struct request *request, struct request **copy)
{
	struct request *unused = *copy;
	bool fresh;

	spin_lock(&connection->lock);
	fresh = !request_find(connection, request->tag);
	if (fresh && *copy && !connection->spare) {
		unused = NULL;
		(*copy)->state = REQUEST_WAITING;
		list_add_tail(&connection->waiting, &(*copy)->waiting_link);
		connection->waiting_count++;
		list_add_tail(&connection->requests, &(*copy)->link);
	} else if (fresh) {
		*copy = NULL; /* somebody has become free to read */
		request_take(request);
		list_add_tail(&connection->requests, &request->link);
	}
	if (fresh)
		connection->request_count++;
	spin_unlock(&connection->lock);
	request_copy_free(unused);
	return fresh;
}

/* ---- Answers ---- */

static int flush_answer(struct connection *connection, u16 tag)
{
	struct ninep_message message = { .type = Rflush, .tag = tag };
	u8 bytes[NINEP_HEADER_SIZE];
	ssize_t size = ninep_encode(&message, connection->dialect, bytes, sizeof(bytes));

	return size < 0 ? (int)size : transport_write(connection, bytes, (size_t)size);
}

/* The request is out of the list, and write_lock held: its answer, where it has to have one, and those of its Tflush. */
static int answers_write(struct connection *connection, struct request *request, u32 size,
			 bool silent, struct list *flushes)
{
	bool failed = request->reply.type == Rerror || request->reply.type == Rlerror;
	struct flush *flush;
	int error = 0;

	if (!silent && !(failed && !list_empty(flushes)))
		error = transport_write(connection, request->out, size);
	list_for_each(flush, flushes, link)
		if (!error && !silent)
			error = flush_answer(connection, flush->tag);
	return error;
}

static void flushes_free(struct connection *connection, struct list *flushes)
{
	while (!list_empty(flushes)) {
		struct flush *flush = list_first(flushes, struct flush, link);

		list_del(&flush->link);
		kfree(flush);
		spin_lock(&connection->lock);
		connection->flush_count--;
		spin_unlock(&connection->lock);
	}
}

static void request_answer(struct connection *connection, struct request *request, u32 size)
{
	struct list flushes = LIST_INIT(flushes);
	bool silent;
	int error;

	spin_lock(&connection->lock);
	request->state = REQUEST_ANSWERING;
	if (!connection->dead)
		thread_cancel_clear(); /* a Tflush that comes now waits for the answer */
	spin_unlock(&connection->lock);

	error = mutex_lock_interruptible(&connection->write_lock);
	spin_lock(&connection->lock);
	request_leave(connection, request);
	list_splice_tail(&flushes, &request->flushes);
	silent = connection->dead || connection->resetting || error;
	connection->served++;
	spin_unlock(&connection->lock);
	if (!error) {
		error = answers_write(connection, request, size, silent, &flushes);
		mutex_unlock(&connection->write_lock);
	}
	flushes_free(connection, &flushes);
	if (error)
		connection_kill(connection);
	wake_up_all(&connection->changed);
}

static void request_run(struct worker *worker, struct request *request)
{
	struct connection *connection = worker->connection;
	u32 size;

	request->out = worker->request.out;
	size = request_serve(request);
	if (!size)
		connection_kill(connection);
	request_answer(connection, request, size);
	if (request != &worker->request)
		request_copy_free(request);
}

/* ---- What the reader does itself ---- */

/* False: the peer breaks the rules, or memory is short. */
static bool flush_take(struct connection *connection, struct request *request)
{
	struct flush *flush = kmalloc(sizeof(*flush), GFP_KERNEL);
	struct request *old;
	int error = ninep_decode(&request->message, connection->dialect, request->in, request->size);

	if (error || !flush) {
		kfree(flush);
		return false;
	}
	flush->tag = request->tag;
	spin_lock(&connection->lock);
	old = request_find(connection, request->message.Tflush.oldtag);
	if (request_find(connection, request->tag) || connection->flush_count >= FLUSHES_MAX) {
		spin_unlock(&connection->lock);
		kfree(flush);
		return false;
	}
	if (old && old->state != REQUEST_WAITING) {
		list_add_tail(&old->flushes, &flush->link);
		connection->flush_count++;
		if (old->state == REQUEST_RUNNING)
			thread_cancel(old->thread);
		spin_unlock(&connection->lock);
		return true;
	}
	if (old) {
		waiting_remove(connection, old);
		request_leave(connection, old);
	}
	spin_unlock(&connection->lock);
	request_copy_free(old);
	kfree(flush);
	if (mutex_lock_interruptible(&connection->write_lock))
		return false;
	error = flush_answer(connection, request->tag);
	mutex_unlock(&connection->write_lock);
	return !error;
}

/* Ends all that is under way, without answers, and waits until it has ended. */
static int requests_abort(struct connection *connection)
{
	struct list dropped = LIST_INIT(dropped);
	struct request *request, *next;
	int error;

	spin_lock(&connection->lock);
	connection->resetting = true;
	list_for_each_safe(request, next, &connection->requests, link) {
		if (request->state == REQUEST_RUNNING)
			thread_cancel(request->thread);
		if (request->state != REQUEST_WAITING)
			continue;
		waiting_remove(connection, request);
		request_leave(connection, request);
		list_add_tail(&dropped, &request->link);
	}
	spin_unlock(&connection->lock);
	while (!list_empty(&dropped)) {
		request = list_first(&dropped, struct request, link);
		list_del(&request->link);
		request_copy_free(request);
	}
	error = wait_event_interruptible(&connection->changed, !READ_ONCE(connection->request_count));
	spin_lock(&connection->lock);
	connection->resetting = false;
	spin_unlock(&connection->lock);
	return error;
}

static bool version(struct connection *connection, struct request *request)
{
	u32 size;
	int error;

	if (requests_abort(connection))
		return false;
	fids_drop(connection);
	size = answer_version(request);
	if (!size || mutex_lock_interruptible(&connection->write_lock))
		return false;
	error = transport_write(connection, request->out, size);
	mutex_unlock(&connection->write_lock);
	return !error;
}

/* ---- Reading ---- */

/* Is there somebody to read the next message while this thread serves? Makes one if need be. */
static bool reader_follows(struct connection *connection)
{
	bool follows, more;

	spin_lock(&connection->lock);
	follows = connection->spare;
	more = connection->worker_count <= connection->export.request_limit;
	spin_unlock(&connection->lock);
	return follows || (more && worker_make(connection));
}

/*
 * Waits until one more can be put off, or somebody is free. Nobody reads meanwhile, so that the peer has to wait; that it has gone has to
 * be found out by looking.
 */
static bool room_wait(struct connection *connection)
{
	int error = -ETIME;

	while (error == -ETIME) {
		if (file_poll(connection->to, NULL) & (POLLHUP | POLLERR))
			return false;
		error = wait_event_interruptible_until(
			&connection->changed,
			READ_ONCE(connection->spare) || READ_ONCE(connection->waiting_count) < WAITING_MAX,
			time_monotonic_ns() + LOOK_NS);
	}
	return !error;
}

/* The message that was just read: true: `request` is to be served by this thread. *good: the peer kept to the rules. */
static bool message_take(struct connection *connection, struct request *request, bool *good)
{
	struct request *copy = NULL;

	*good = true;
	switch (request->in[4]) {
	case Tversion:
		*good = version(connection, request);
		return false;
	case Tflush:
		*good = connection->dialect && flush_take(connection, request);
		return false;
	default:
		break;
	}
	*good = connection->dialect;
	if (*good && !reader_follows(connection)) {
		*good = room_wait(connection);
		if (*good) /* without memory for it this thread serves, and nobody reads meanwhile */
			copy = request_copy(request);
	}
	if (*good)
		*good = request_enter(connection, request, &copy);
	return *good && !copy;
}

/* read_lock is held: reads until there is something for this thread to do. NULL: that was the end. */
static struct request *request_read(struct worker *worker)
{
	struct connection *connection = worker->connection;
	struct request *request = &worker->request;
	bool good = true, taken = false;

	while (good && !taken) {
		ssize_t size = message_read(connection, request->in);

		if (size <= 0)
			break;
		request->size = (u32)size;
		request->tag = (u16)(request->in[5] | request->in[6] << 8);
		taken = message_take(connection, request, &good);
	}
	if (taken)
		return request;
	connection_kill(connection);
	return NULL;
}

/* What this thread is to do next; NULL: nothing any more. */
static struct request *request_next(struct worker *worker)
{
	struct connection *connection = worker->connection;
	struct request *request = NULL;
	bool dead;
	int error;

	spin_lock(&connection->lock);
	dead = connection->dead;
	if (!dead && !list_empty(&connection->waiting)) {
		request = list_first(&connection->waiting, struct request, waiting_link);
		waiting_remove(connection, request);
		request_take(request);
	} else if (!dead) {
		connection->spare++;
	}
	spin_unlock(&connection->lock);
	if (request)
		wake_up_all(&connection->changed); /* one more can be put off */
	if (dead || request)
		return request;

	error = mutex_lock_interruptible(&connection->read_lock);
	spin_lock(&connection->lock);
	connection->spare--;
	spin_unlock(&connection->lock);
	if (error)
		return NULL;
	request = request_read(worker);
	mutex_unlock(&connection->read_lock);
	return request;
}

/* ---- Threads ---- */

/* Nobody serves it any more. */
static void connection_finish(struct connection *connection)
{
	while (!list_empty(&connection->waiting)) {
		struct request *request =
			list_first(&connection->waiting, struct request, waiting_link);

		list_del(&request->waiting_link);
		list_del(&request->link);
		request_copy_free(request);
	}
	fids_drop(connection);
	file_put(connection->from);
	file_put(connection->to);
	kfree(connection->ahead);
	spin_lock(&connection->lock);
	connection->ended = true;
	spin_unlock(&connection->lock);
	wake_up_all(&connection->changed);
}

static void worker_leave(struct worker *worker)
{
	struct connection *connection = worker->connection;
	bool last;

	kvfree(worker->request.in);
	kvfree(worker->request.out);
	worker->left = true;
	spin_lock(&connection->lock);
	last = !--connection->running;
	spin_unlock(&connection->lock);
	if (last)
		connection_finish(connection);
}

static int worker_main(void *argument)
{
	struct worker *worker = argument;
	struct request *request;
	int error = thread_serve_begin(worker->connection->export.fs);

	while (!error && (request = request_next(worker)))
		request_run(worker, request);
	thread_act_as(&root_cred);
	thread_cancel_clear(); /* what is closed now takes its time, unless somebody waits for the end */
	worker_leave(worker);
	thread_serve_end();
	return error;
}

static void worker_free(struct worker *worker)
{
	kvfree(worker->request.in);
	kvfree(worker->request.out);
	kfree(worker);
}

static bool worker_make(struct connection *connection)
{
	u32 room = connection->export.message_size;
	struct worker *worker = kzalloc(sizeof(*worker), GFP_KERNEL);
	bool dead;

	if (!worker)
		return false;
	worker->connection = connection;
	worker->request.connection = connection;
	list_init(&worker->request.flushes);
	worker->request.in = kvmalloc(room, GFP_KERNEL);
	worker->request.out = kvmalloc(room, GFP_KERNEL);
	worker->thread = ERR_PTR(-ENOMEM);
	if (worker->request.in && worker->request.out)
		worker->thread = kthread_create(worker_main, worker, "9p-server/%u", connection->id);
	if (IS_ERR(worker->thread)) {
		worker_free(worker);
		return false;
	}
	spin_lock(&connection->lock);
	dead = connection->dead;
	if (!dead) {
		list_add_tail(&connection->workers, &worker->link);
		connection->worker_count++;
		connection->running++;
	}
	spin_unlock(&connection->lock);
	if (dead) {
		kthread_stop(worker->thread);
		worker_free(worker);
		return false;
	}
	kthread_start(worker->thread);
	return true;
}

/* ---- For who holds it ---- */

int connection_start(struct connection *connection)
{
	mutex_init(&connection->read_lock, "9p_server_read");
	mutex_init(&connection->write_lock, "9p_server_write");
	spin_init(&connection->lock, "9p_server");
	list_init(&connection->workers);
	list_init(&connection->requests);
	list_init(&connection->waiting);
	list_init(&connection->lock_owners);
	wait_queue_init(&connection->changed);
	connection->message_size = connection->export.message_size;
	connection->ahead = kmalloc(AHEAD_SIZE, GFP_KERNEL);
	if (!connection->ahead)
		return -ENOMEM;
	if (worker_make(connection))
		return 0;
	kfree(connection->ahead);
	return -ENOMEM;
}

void connection_stop(struct connection *connection)
{
	connection_kill(connection);
	for (;;) {
		struct worker *worker = NULL;

		spin_lock(&connection->lock);
		if (!list_empty(&connection->workers)) {
			worker = list_first(&connection->workers, struct worker, link);
			list_del(&worker->link);
		}
		spin_unlock(&connection->lock);
		if (!worker)
			return;
		kthread_stop(worker->thread);
		if (!worker->left) /* stopped before it began */
			worker_leave(worker);
		kfree(worker);
	}
}

bool connection_has_ended(const struct connection *connection)
{
	return READ_ONCE(connection->ended);
}

static const char *dialect_name(enum ninep_dialect dialect)
{
	switch (dialect) {
	case NINEP_2000L:
		return "9P2000.L";
	case NINEP_2000U:
		return "9P2000.u";
	case NINEP_2000:
		return "9P2000";
	default:
		return "new";
	}
}

void connection_show(struct connection *connection, struct text *text)
{
	char *buffer __free_kfree = kmalloc(PATH_MAX, GFP_KERNEL);
	char *name = buffer ? path_name(&connection->export.root, NULL, buffer, PATH_MAX, true)
			    : ERR_PTR(-ENOMEM);

	/* Numbers of one moment, more or less. */
	text_printf(text,
		    "%u %s msize=%u fids=%u requests=%u threads=%u served=%llu root=", connection->id,
		    READ_ONCE(connection->ended) ? "ended"
						 : dialect_name(READ_ONCE(connection->dialect)),
		    READ_ONCE(connection->message_size), READ_ONCE(connection->fid_count),
		    READ_ONCE(connection->request_count), READ_ONCE(connection->running),
		    (unsigned long long)READ_ONCE(connection->served));
	text_puts_escaped(text, IS_ERR(name) ? "?" : name, " \t\n\\");
	text_putc(text, '\n');
}
