/* Messages to and from a transport: any open file that carries a stream of bytes both ways, or two that do one way each. */
#include "connection.h"

#include <kumo/err.h>
#include <kumo/poll.h>
#include <kumo/string.h>

/* A descriptor with O_NONBLOCK: waits until it is worth to try again. */
static int transport_wait(struct file *file, u32 events)
{
	struct poll_waiter waiter;
	int error = 0;

	poll_waiter_init(&waiter);
	waiter.table.events = events;
	if (!(file_poll(file, &waiter.table) & (events | POLLERR | POLLHUP)))
		error = waiter.error ?: poll_waiter_sleep(&waiter, WAIT_FOREVER);
	poll_waiter_release(&waiter);
	return error;
}

/* At least one byte; 0: the end. */
static ssize_t transport_read(struct connection *connection, u8 *to, size_t size)
{
	for (;;) {
		struct iter iter;
		loff_t pos = 0;
		ssize_t got;
		int error;

		iter_init_kernel(&iter, to, size);
		got = file_read(connection->from, &iter, &pos);
		if (got != -EAGAIN)
			return got;
		error = transport_wait(connection->from, POLLIN);
		if (error)
			return error;
	}
}

int transport_write(struct connection *connection, const void *bytes, size_t size)
{
	const u8 *at = bytes;

	while (size) {
		struct iter iter;
		loff_t pos = 0;
		ssize_t done;

		iter_init_kernel(&iter, at, size);
		done = file_write(connection->to, &iter, &pos);
		if (done == -EAGAIN)
			done = transport_wait(connection->to, POLLOUT);
		else if (!done)
			done = -EIO;
		if (done < 0)
			return (int)done;
		at += done;
		size -= (size_t)done;
	}
	return 0;
}

/* What was read ahead, up to `size` bytes. */
static size_t take_ahead(struct connection *connection, u8 *to, size_t size)
{
	size_t length = min(size, (size_t)(connection->ahead_end - connection->ahead_at));

	memcpy(to, connection->ahead + connection->ahead_at, length);
	connection->ahead_at += (u32)length;
	return length;
}

ssize_t message_read(struct connection *connection, u8 *in)
{
	size_t got = take_ahead(connection, in, AHEAD_SIZE), size;
	ssize_t part;

	while (got < NINEP_HEADER_SIZE) {
		part = transport_read(connection, in + got, AHEAD_SIZE - got);
		if (part <= 0)
			return part || !got ? part : -EPROTO;
		got += (size_t)part;
	}
	size = ninep_message_size(in);
	if (size < NINEP_HEADER_SIZE || size > connection->message_size)
		return -EPROTO;
	if (got > size) {
		connection->ahead_at = 0;
		connection->ahead_end = (u32)(got - size);
		memcpy(connection->ahead, in + size, got - size);
	}
	while (got < size) {
		part = transport_read(connection, in + got, size - got);
		if (part <= 0)
			return part ? part : -EPROTO;
		got += (size_t)part;
	}
	return (ssize_t)size;
}
