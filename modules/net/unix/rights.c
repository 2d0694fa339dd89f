/*
 * Open files under way in messages (SCM_RIGHTS), and the collection of garbage among them.
 *
 * A socket can be sent through a socket, itself included. When all that holds a socket's file are messages in queues of sockets
 * that are held in the same way, nobody will ever read them, and no count of references falls to zero. So sockets
 * under way are listed, with `flights`, how often each is. A candidate is one whose file has no other reference. The
 * collector takes from `outside`, a copy of flights, one for each message that lies in a candidate's queue. A candidate
 * with some left is held by a message from elsewhere: it lives, and so does what its queue holds, and so on. Messages with
 * sockets that are left over are taken out and freed.
 *
 * flight_lock is held during a collection and by whoever takes files out of a message or puts them in; so a file that nobody has a
 * descriptor of, and that is not in a message now, cannot come back. A message may be queued meanwhile, to a candidate's queue even;
 * its files were counted before and were not taken off, so they count as held from elsewhere: the next collection
 * judges them.
 *
 * Files of messages that nobody read are let go by unix_files_drop(). Closing such a file may drop more, from the queue of a socket
 * that it was the last reference to, and so on without end: so a thread that is dropping files already adds them to its list.
 */
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/thread.h>
#include <kumo/work.h>

#include "unix.h"

static spinlock_t flight_lock = SPINLOCK_INIT("unix_flights");
static struct list flying = LIST_INIT(flying); /* of unix_socket.flight_link */
static unsigned int flying_count;

enum {
	WHITE /* no candidate */,
	GRAY /* a candidate, perhaps garbage */,
	BLACK /* a candidate that lives */
};

static struct unix_socket *unix_of_file(const struct file *file)
{
	struct socket *socket = socket_of_file(file);

	return socket && socket->family == &unix_family ? unix_of(socket) : NULL;
}

/* ---- Counting ---- */

/* Unprivileged users may have as many files under way as they may have open. */
static bool too_many(const struct passed_files *files)
{
	return (u64)atomic_read(&files->cred->user->flight_count) > process_limit(RLIMIT_NOFILE) &&
	       !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

int unix_flight_begin(struct passed_files *files)
{
	if (too_many(files))
		return -ETOOMANYREFS;
	atomic_add(&files->cred->user->flight_count, (int)files->count);
	spin_lock(&flight_lock);
	for (unsigned int i = 0; i < files->count; i++) {
		struct unix_socket *socket = unix_of_file(files->files[i]);

		if (socket && !socket->flights++) {
			list_add_tail(&flying, &socket->flight_link);
			WRITE_ONCE(flying_count, flying_count + 1);
		}
	}
	spin_unlock(&flight_lock);
	return 0;
}

void unix_flight_end(struct passed_files *files)
{
	spin_lock(&flight_lock);
	for (unsigned int i = 0; i < files->count; i++) {
		struct unix_socket *socket = unix_of_file(files->files[i]);

		if (socket && !--socket->flights) {
			list_del_init(&socket->flight_link);
			WRITE_ONCE(flying_count, flying_count - 1);
		}
	}
	spin_unlock(&flight_lock);
	atomic_add(&files->cred->user->flight_count, -(int)files->count);
}

struct passed_files *unix_flight_copy(const struct passed_files *files)
{
	struct passed_files *copy;

	/* The new references must not appear in the middle of a collection. */
	spin_lock(&flight_lock);
	copy = passed_files_copy(files);
	spin_unlock(&flight_lock);
	return copy;
}

/* ---- Dropping ---- */

struct dropper {
	struct list link;
	const struct thread *thread;
	struct list files; /* of passed_files.link; the thread's own */
};
static spinlock_t droppers_lock = SPINLOCK_INIT("unix_droppers");
static struct list droppers = LIST_INIT(droppers);

static struct dropper *dropper_of_current(void)
{
	struct dropper *dropper, *found = NULL;

	spin_lock(&droppers_lock);
	list_for_each(dropper, &droppers, link)
		if (dropper->thread == current)
			found = dropper;
	spin_unlock(&droppers_lock);
	return found;
}

void unix_files_drop(struct passed_files *files)
{
	struct dropper mine = { .thread = current }, *outer = dropper_of_current();

	unix_flight_end(files);
	if (outer) {
		list_add_tail(&outer->files, &files->link);
		return;
	}
	list_init(&mine.files);
	list_add_tail(&mine.files, &files->link);
	spin_lock(&droppers_lock);
	list_add_tail(&droppers, &mine.link);
	spin_unlock(&droppers_lock);
	while (!list_empty(&mine.files)) {
		files = list_first(&mine.files, struct passed_files, link);
		list_del(&files->link);
		passed_files_put(files);
		cond_resched();
	}
	spin_lock(&droppers_lock);
	list_del(&mine.link);
	spin_unlock(&droppers_lock);
}

/* ---- Collecting; flight_lock is held ---- */

/* Is called for each candidate in a message; true: the message is to be taken out. */
typedef bool (*visit_function)(struct unix_socket *socket, void *context);

/* socket.lock of the queue is held. */
static void visit_messages(struct unix_socket *queue, visit_function visit, void *context,
			   struct list *out)
{
	struct unix_message *message, *after;

	list_for_each_safe(message, after, &queue->messages, link) {
		bool wanted = false;

		for (unsigned int i = 0; message->files && i < message->files->count; i++) {
			struct unix_socket *socket = unix_of_file(message->files->files[i]);

			if (socket && socket->color != WHITE)
				wanted |= visit(socket, context);
		}
		if (wanted) {
			unix_message_unqueue(queue, message);
			list_add_tail(out, &message->link);
		}
	}
}

/* A socket's messages, and those of the connections that wait in a listener. */
static void visit_queues(struct unix_socket *socket, visit_function visit, void *context,
			 struct list *out)
{
	struct unix_socket *connection;

	spin_lock(&socket->socket.lock);
	visit_messages(socket, visit, context, out);
	list_for_each(connection, &socket->connections, connection_link) {
		spin_lock_nested(&connection->socket.lock, 1);
		visit_messages(connection, visit, context, out);
		spin_unlock(&connection->socket.lock);
	}
	spin_unlock(&socket->socket.lock);
}

static bool count_inside(struct unix_socket *socket, void *context)
{
	if (socket->outside)
		socket->outside--;
	return false;
}

static bool mark_live(struct unix_socket *socket, void *live)
{
	if (socket->color == GRAY) {
		socket->color = BLACK;
		list_add_tail(live, &socket->work_link);
	}
	return false;
}

static bool is_garbage(struct unix_socket *socket, void *context)
{
	return socket->color == GRAY;
}

/* Moves the messages that hold garbage to `out`. */
static void collect(struct list *out)
{
	struct list live = LIST_INIT(live);
	struct unix_socket *socket;

	list_for_each(socket, &flying, flight_link) {
		bool only_flying = refcount_read(&socket->socket.file->refs) == (int)socket->flights;

		socket->color = only_flying ? GRAY : WHITE;
		socket->outside = socket->flights;
	}
	list_for_each(socket, &flying, flight_link)
		if (socket->color == GRAY)
			visit_queues(socket, count_inside, NULL, NULL);
	list_for_each(socket, &flying, flight_link)
		if (socket->outside)
			mark_live(socket, &live);
	while (!list_empty(&live)) {
		socket = list_first(&live, struct unix_socket, work_link);
		list_del(&socket->work_link);
		visit_queues(socket, mark_live, &live, NULL);
	}
	list_for_each(socket, &flying, flight_link)
		if (socket->color == GRAY)
			visit_queues(socket, is_garbage, NULL, out);
	list_for_each(socket, &flying, flight_link)
		socket->color = WHITE;
}

/*
 * A collection looks at all that is under way, and any close of a socket may make garbage. So that a user with very many files
 * under way does not keep the machine at it, the next one comes no sooner than PAUSE_FACTOR times what the last one took.
 */
#define PAUSE_FACTOR 10
static struct delayed_work collector;
static atomic_t collector_wanted; /* 1: it is queued, and has not begun to look */
static u64 collect_not_before_ns;

static void collect_work(struct work *work)
{
	struct list garbage = LIST_INIT(garbage);
	u64 start_ns = time_monotonic_ns(), end_ns;

	atomic_xchg(&collector_wanted, 0); /* before the look */
	spin_lock(&flight_lock);
	collect(&garbage);
	spin_unlock(&flight_lock);
	end_ns = time_monotonic_ns();
	WRITE_ONCE(collect_not_before_ns, end_ns + PAUSE_FACTOR * (end_ns - start_ns));
	unix_messages_free(&garbage);
}

void unix_collect(void)
{
	if (likely(!READ_ONCE(flying_count)) || atomic_xchg(&collector_wanted, 1))
		return;
	delayed_work_queue(&collector, READ_ONCE(collect_not_before_ns));
}

void unix_rights_init(void)
{
	delayed_work_init(&collector, collect_work);
}

void unix_rights_exit(void)
{
	delayed_work_cancel_sync(&collector);
}
