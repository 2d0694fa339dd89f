/* What a connection's files share among themselves: messages to and from its transport (transport.c). */
#ifndef NINEP_SERVER_CONNECTION_H
#define NINEP_SERVER_CONNECTION_H

#include "server.h"

#define AHEAD_SIZE 4096U /* as much is asked of the transport when a message begins */

/*
 * The next message, into `in`, which has room for the largest: its size; 0: the peer has hung up; -EPROTO and others: the
 * connection is of no use any more. read_lock is held.
 */
ssize_t message_read(struct connection *connection, u8 *in) __must_check;
int transport_write(struct connection *connection, const void *bytes,
		    size_t size) __must_check; /* write_lock held */

#endif
