/*
 * Transports that are streams of bytes: descriptors of the mounting process (trans=fd: pipes, sockets, ports, terminals), and
 * Unix sockets by name (trans=unix). Two threads: one writes what is queued, so that nobody who is killed leaves half a message
 * behind; one reads answers, each into its request.
 */
#define LOG_PREFIX "9p: "
#include "client.h"

#include <kumo/module.h>
#include <kumo/poll.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/socket.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/un.h>

#define STREAM_MSIZE_MAX (MIB + PAGE_SIZE)

struct stream {
	struct connection *connection;
	struct file *read, *write; /* referenced */
	struct thread *reader, *writer;
	spinlock_t lock;   /* protects queue, stopped */
	struct list queue; /* requests to be written, referenced */
	bool stopped;
	struct wait_queue wake;
};

/* Waits until the file, which its owner made non-blocking, is ready. False: the thread shall end, or nothing more comes. */
static bool wait_ready(struct file *file, u32 events)
{
	struct poll_waiter *waiter = kmalloc(sizeof(*waiter), GFP_KERNEL);
	u32 ready;
	int error = 0;

	if (!waiter)
		return false;
	poll_waiter_init(waiter);
	waiter->table.events = events;
	ready = file_poll(file, &waiter->table); /* in all queues from now on */
	while (!error && !(ready & (events | POLLERR | POLLHUP))) {
		error = waiter->error ? waiter->error : poll_waiter_sleep(waiter, WAIT_FOREVER);
		ready = file_poll(file, NULL);
	}
	poll_waiter_release(waiter);
	kfree(waiter);
	return !error;
}

/* ---- Writing ---- */

static struct request *take_queued(struct stream *stream)
{
	struct request *request = NULL;

	spin_lock(&stream->lock);
	if (!list_empty(&stream->queue)) {
		request = list_first(&stream->queue, struct request, link);
		list_del(&request->link);
	}
	spin_unlock(&stream->lock);
	return request;
}

static bool write_all(struct stream *stream, const void *bytes, size_t size)
{
	ssize_t part;

	for (; size; bytes = (const char *)bytes + part, size -= (size_t)part) {
		part = kernel_write(stream->write, bytes, size, NULL);
		if (part == -EAGAIN && wait_ready(stream->write, POLLOUT))
			part = 0;
		else if (part <= 0)
			return false;
	}
	return true;
}

static bool write_request(struct stream *stream, const struct request *request)
{
	bool written = write_all(stream, request->out, request->out_length);

	if (!request->pieces_in)
		for (unsigned int i = 0; i < request->piece_count && written; i++)
			written = write_all(stream, request->pieces[i].data, request->pieces[i].size);
	return written;
}

static int writer_thread(void *arg)
{
	struct stream *stream = arg;
	struct request *request;
	bool written = true;

	while (!kthread_should_stop()) {
		(void)wait_event_interruptible(&stream->wake, kthread_should_stop() ||
								      !list_empty(&stream->queue));
		while (written && (request = take_queued(stream))) {
			written = write_request(stream, request);
			request_put(request);
		}
		if (!written) {
			connection_fail(stream->connection, "messages cannot be sent");
			break;
		}
	}
	return 0;
}

/* ---- Reading ---- */

static bool read_all(struct stream *stream, void *bytes, size_t size)
{
	ssize_t part;

	for (; size; bytes = (char *)bytes + part, size -= (size_t)part) {
		part = kernel_read(stream->read, bytes, size, NULL);
		if (part == -EAGAIN && wait_ready(stream->read, POLLIN))
			part = 0;
		else if (part <= 0)
			return false;
	}
	return true;
}

/* The rest of an answer, of which the header has been read: first into the request's `in`, what is more into its pieces. */
static const char *read_answer(struct stream *stream, struct request *request, u32 size)
{
	u32 room = request->pieces_in ? NINEP_READ_HEAD : request->in_room;
	u32 here = min(size, room), rest = size - here;

	if (rest > (request->pieces_in ? request->piece_bytes : 0))
		return "an answer longer than was asked for";
	if (!read_all(stream, (char *)request->in + NINEP_HEADER_SIZE, here - NINEP_HEADER_SIZE))
		return "no more answers come";
	for (unsigned int i = 0; rest; i++) {
		u32 part = min(rest, request->pieces[i].size);

		if (!read_all(stream, request->pieces[i].data, part))
			return "no more answers come";
		rest -= part;
	}
	return NULL;
}

static const char *read_one(struct stream *stream)
{
	struct connection *connection = stream->connection;
	struct request *request;
	u8 header[NINEP_HEADER_SIZE];
	const char *wrong;
	u32 size;

	if (!read_all(stream, header, sizeof(header)))
		return "no more answers come";
	size = ninep_message_size(header);
	if (size < sizeof(header) || size > max(connection->msize, (u32)NINEP_MSIZE_MIN))
		return "an answer of a wrong size";
	request = request_of_tag(connection, (u16)(header[5] | header[6] << 8));
	if (!request)
		return "an answer that nobody waits for";
	memcpy(request->in, header, sizeof(header));
	wrong = read_answer(stream, request, size);
	if (!wrong)
		request_answered(request, size);
	request_put(request);
	return wrong;
}

static int reader_thread(void *arg)
{
	struct stream *stream = arg;
	const char *wrong = NULL;

	while (!wrong && !kthread_should_stop())
		wrong = read_one(stream);
	if (wrong)
		connection_fail(stream->connection, wrong);
	return 0;
}

/* ---- The transport ---- */

static void stream_send(struct connection *connection, struct request *request)
{
	struct stream *stream = connection->transport_private;
	bool stopped;

	request_get(request);
	spin_lock(&stream->lock);
	stopped = stream->stopped;
	if (!stopped)
		list_add_tail(&stream->queue, &request->link);
	spin_unlock(&stream->lock);
	if (!stopped) {
		wake_up(&stream->wake);
		return;
	}
	request_lost(request, -EIO);
	request_put(request);
}

static void stream_stop(struct connection *connection)
{
	struct stream *stream = connection->transport_private;
	struct request *request;

	spin_lock(&stream->lock);
	stream->stopped = true;
	spin_unlock(&stream->lock);
	kthread_stop(stream->writer);
	kthread_stop(stream->reader);
	while ((request = take_queued(stream)))
		request_put(request);
	connection_lose_all(connection);
}

static void stream_close(struct connection *connection)
{
	struct stream *stream = connection->transport_private;

	file_put(stream->read);
	file_put(stream->write);
	kfree(stream);
}

/* Takes the references of both files over. */
static int stream_open(struct connection *connection, struct file *read, struct file *write)
{
	struct stream *stream = kzalloc(sizeof(*stream), GFP_KERNEL);
	int error = -ENOMEM;

	if (!stream)
		goto put;
	stream->connection = connection;
	stream->read = read;
	stream->write = write;
	spin_init(&stream->lock, "9p_stream");
	list_init(&stream->queue);
	wait_queue_init(&stream->wake);
	stream->writer = kthread_run(writer_thread, stream, "9p writer");
	error = (int)PTR_ERR(stream->writer);
	if (IS_ERR(stream->writer))
		goto free;
	stream->reader = kthread_run(reader_thread, stream, "9p reader");
	error = (int)PTR_ERR(stream->reader);
	if (IS_ERR(stream->reader))
		goto stop;
	connection->transport_private = stream;
	return 0;
stop:
	kthread_stop(stream->writer);
free:
	kfree(stream);
put:
	file_put(read);
	file_put(write);
	return error;
}

static int fd_open(struct connection *connection, const char *source,
		   const struct transport_options *options, const struct cred *cred)
{
	struct file *read, *write;

	if (options->read_fd < 0 || options->write_fd < 0)
		return -EINVAL;
	read = fd_get((unsigned int)options->read_fd);
	write = fd_get((unsigned int)options->write_fd);
	if (read && write && read->mode & FILE_READ && write->mode & FILE_WRITE)
		return stream_open(connection, read, write);
	if (read)
		file_put(read);
	if (write)
		file_put(write);
	return -EBADF;
}

static int unix_open(struct connection *connection, const char *source,
		     const struct transport_options *options, const struct cred *cred)
{
	struct socket_address address = {};
	struct sockaddr_un *name = (struct sockaddr_un *)address.bytes;
	size_t length = strlen(source);
	struct socket *socket;
	struct file *file;
	int error;

	if (length >= sizeof(name->sun_path))
		return -ENAMETOOLONG;
	name->sun_family = AF_UNIX;
	memcpy(name->sun_path, source, length + 1);
	address.length = (unsigned int)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	error = socket_create(AF_UNIX, SOCK_STREAM, 0, &socket);
	if (error)
		return error;
	error = socket->ops->connect(socket, &address, false);
	if (error) {
		socket_release(socket);
		return error;
	}
	file = socket_file(socket, 0);
	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	return stream_open(connection, file_get(file), file);
}

struct transport fd_transport = {
	.name = "fd",
	.owner = THIS_MODULE,
	.msize_max = STREAM_MSIZE_MAX,
	.open = fd_open,
	.send = stream_send,
	.stop = stream_stop,
	.close = stream_close,
};

struct transport unix_transport = {
	.name = "unix",
	.owner = THIS_MODULE,
	.msize_max = STREAM_MSIZE_MAX,
	.open = unix_open,
	.send = stream_send,
	.stop = stream_stop,
	.close = stream_close,
};
