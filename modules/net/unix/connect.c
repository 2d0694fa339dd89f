/*
 * Connections of streams and of packets. connect(2) makes the other end at once, an embryo in the listener's queue that is
 * connected already, so the client may send before anybody accepts; accept(2) takes it out.
 */
#include <kumo/module.h>
#include <kumo/thread.h>

#include "unix.h"

/* Two fresh sockets become each other's peers. */
static void join_peers(struct unix_socket *a, struct unix_socket *b)
{
	a->peer = unix_get(b);
	b->peer = unix_get(a);
	WRITE_ONCE(a->state, UNIX_CONNECTED);
	WRITE_ONCE(b->state, UNIX_CONNECTED);
}

int unix_pair(struct socket *a, struct socket *b)
{
	u32 pid = socket_current_pid();

	join_peers(unix_of(a), unix_of(b));
	socket_set_peer(a, pid, current->cred);
	socket_set_peer(b, pid, current->cred);
	return 0;
}

int unix_listen(struct socket *socket, unsigned int backlog)
{
	struct unix_socket *self = unix_of(socket);
	int error = 0;

	if (!smp_load_acquire(&self->name))
		return -EINVAL;
	spin_lock(&socket->lock);
	if (self->state == UNIX_CONNECTED) {
		error = -EINVAL;
	} else {
		self->backlog = backlog;
		WRITE_ONCE(self->state, UNIX_LISTENING);
		socket->switches |= SOCKET_LISTENING;
	}
	spin_unlock(&socket->lock);
	if (error)
		return error;
	wake_up_all(&self->room_wait);
	/* Whoever connects sees the credentials of who listened last. */
	socket_set_peer(socket, socket_current_pid(), current->cred);
	return 0;
}

/* ---- connect ---- */

static bool backlog_full(const struct unix_socket *listener)
{
	return READ_ONCE(listener->connection_count) > READ_ONCE(listener->backlog);
}

/* Both locks are held. 0: may connect; 1: must wait; or a negative errno. */
static int may_connect(const struct unix_socket *self, const struct unix_socket *listener)
{
	if (listener->dead || listener->state != UNIX_LISTENING ||
	    (listener->shutdown & UNIX_NO_RECEIVE))
		return -ECONNREFUSED;
	if (backlog_full(listener))
		return 1;
	if (self->state == UNIX_CONNECTED)
		return -EISCONN;
	return self->state == UNIX_OPEN ? 0 : -EINVAL;
}

/* The embryo becomes self's peer, in the listener's queue; as may_connect(). */
static int try_connect(struct unix_socket *self, struct unix_socket *listener, struct unix_socket *embryo)
{
	int result;

	unix_lock_two(self, listener);
	result = may_connect(self, listener);
	if (!result) {
		join_peers(self, embryo);
		embryo->name = listener->name;
		refcount_inc(&embryo->name->refs);
		list_add_tail(&listener->connections, &embryo->connection_link);
		WRITE_ONCE(listener->connection_count, listener->connection_count + 1);
		/* The peers' credentials: self's is told to the acceptor, the listener's to self. */
		embryo->socket.peer_pid = socket_current_pid();
		embryo->socket.peer_cred = cred_get(current->cred);
		self->socket.peer_pid = listener->socket.peer_pid;
		if (listener->socket.peer_cred)
			self->socket.peer_cred = cred_get(listener->socket.peer_cred);
	}
	unix_unlock_two(self, listener);
	return result;
}

static int connect_to(struct unix_socket *self, struct unix_socket *listener,
		      struct unix_socket *embryo, bool nonblocking)
{
	u64 timeout = READ_ONCE(self->socket.send_timeout_ns), deadline_ns = WAIT_FOREVER;
	int result;

	if (timeout != WAIT_FOREVER)
		deadline_ns = socket_deadline(timeout);
	while ((result = try_connect(self, listener, embryo)) == 1) {
		if (nonblocking || !timeout)
			return -EAGAIN;
		result = wait_event_interruptible_until(
			&listener->room_wait,
			!backlog_full(listener) || READ_ONCE(listener->dead) ||
				(READ_ONCE(listener->shutdown) & UNIX_NO_RECEIVE),
			deadline_ns);
		if (result)
			return socket_wait_error(result, timeout);
	}
	return result;
}

int unix_connect(struct socket *socket, const struct socket_address *address, bool nonblocking)
{
	struct unix_socket *self = unix_of(socket), *listener, *embryo;
	int error;

	if (!is_connection(self))
		return unix_datagram_connect(self, address);
	error = unix_name_sender(self, address);
	if (error)
		return error;
	listener = unix_find(address, socket->type);
	if (IS_ERR(listener))
		return (int)PTR_ERR(listener);
	embryo = unix_alloc(socket->type);
	if (!embryo) {
		unix_put(listener);
		return -ENOMEM;
	}
	error = connect_to(self, listener, embryo, nonblocking);
	if (error)
		unix_close(embryo, true);
	else
		socket_wake(&listener->socket.read_wait, READ_EVENTS);
	unix_put(listener);
	return error;
}

/* ---- accept ---- */

static struct unix_socket *take_connection(struct unix_socket *self)
{
	struct unix_socket *connection = NULL;

	spin_lock(&self->socket.lock);
	if (!list_empty(&self->connections)) {
		connection = list_first(&self->connections, struct unix_socket, connection_link);
		list_del(&connection->connection_link);
		WRITE_ONCE(self->connection_count, self->connection_count - 1);
	}
	spin_unlock(&self->socket.lock);
	if (connection)
		wake_up_key(&self->room_wait, 0);
	return connection;
}

struct socket *unix_accept(struct socket *socket, bool nonblocking)
{
	struct unix_socket *self = unix_of(socket), *connection;
	u64 timeout = READ_ONCE(socket->receive_timeout_ns), deadline_ns = WAIT_FOREVER;

	if (READ_ONCE(self->state) != UNIX_LISTENING)
		return ERR_PTR(-EINVAL);
	if (timeout != WAIT_FOREVER)
		deadline_ns = socket_deadline(timeout);
	while (!(connection = take_connection(self))) {
		int error = socket_take_error(socket);

		if (!error && (READ_ONCE(self->shutdown) & UNIX_NO_RECEIVE))
			error = -EINVAL;
		if (!error && (nonblocking || !timeout))
			error = -EAGAIN;
		if (!error)
			error = socket_wait_error(
				wait_event_interruptible_until(
					&socket->read_wait,
					READ_ONCE(self->connection_count) || atomic_read(&socket->error) ||
						(READ_ONCE(self->shutdown) & UNIX_NO_RECEIVE),
					deadline_ns),
				timeout);
		if (error)
			return ERR_PTR(error);
	}
	return &connection->socket;
}

/* ---- shutdown ---- */

static void shut(struct unix_socket *self, u8 directions)
{
	spin_lock(&self->socket.lock);
	WRITE_ONCE(self->shutdown, self->shutdown | directions);
	spin_unlock(&self->socket.lock);
	unix_wake_all(self);
	wake_up_all(&self->room_wait);
}

int unix_shutdown(struct socket *socket, int how)
{
	struct unix_socket *self = unix_of(socket), *peer = NULL;
	u8 mine = how == SHUT_RD   ? UNIX_NO_RECEIVE
		  : how == SHUT_WR ? UNIX_NO_SEND
				   : UNIX_NO_RECEIVE | UNIX_NO_SEND;

	shut(self, mine);
	if (!is_connection(self))
		return 0;
	spin_lock(&socket->lock);
	peer = self->peer ? unix_get(self->peer) : NULL;
	spin_unlock(&socket->lock);
	if (!peer)
		return 0;
	/* What one end does not send the other does not receive. */
	shut(peer, (u8)((mine & UNIX_NO_RECEIVE ? UNIX_NO_SEND : 0) |
			(mine & UNIX_NO_SEND ? UNIX_NO_RECEIVE : 0)));
	unix_put(peer);
	return 0;
}
