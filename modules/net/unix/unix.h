/*
 * Between the files of unix.ko: sockets between processes of one machine, unix(7).
 *
 * A message is queued at its receiver and charged to its sender, whose send buffer bounds what is under way. A connected
 * socket holds its peer, whatever happens to that one; a peer that is closed is `dead` and takes no more messages.
 *
 * Locks, outermost first:
 *	bind_lock	one bind at a time (a mutex of each socket)
 *	read_lock	readers of a socket's queue: who holds it may look at the first messages without socket.lock (a mutex)
 *	sockets_lock	the list of all sockets (a mutex)
 *	flight_lock	sockets that are under way in messages (rights.c)
 *	socket.lock	state, peer, queues; two sockets' in the order of their addresses; a listener's before those of the
 *			connections that wait in it
 *	names_lock	the table of bound sockets
 */
#ifndef MODULES_NET_UNIX_H
#define MODULES_NET_UNIX_H

#include <kumo/cred.h>
#include <kumo/file.h>
#include <kumo/mutex.h>
#include <kumo/namespace.h>
#include <kumo/poll.h>
#include <kumo/refcount.h>
#include <kumo/socket.h>

#define UNIX_PATH_MAX 108 /* bytes of sun_path */
#define UNIX_ADDRESS_MAX (sizeof(u16) + UNIX_PATH_MAX)

#define READ_EVENTS (POLLIN | POLLRDNORM)
#define WRITE_EVENTS (POLLOUT | POLLWRNORM | POLLWRBAND)

/* Where a socket is bound; never changes. A connection that was accepted shares its listener's. */
struct unix_name {
	refcount_t refs;
	u32 length; /* bytes of text: a path with its NUL, or an abstract name with the NUL before it */
	u32 hash;
	struct path path; /* referenced; entry NULL: an abstract name */
	char text[UNIX_PATH_MAX + 1];
};

enum unix_state { UNIX_OPEN, UNIX_LISTENING, UNIX_CONNECTED };
enum { UNIX_NO_RECEIVE = 1, UNIX_NO_SEND = 2 }; /* shut down */

struct unix_socket {
	struct socket socket;
	refcount_t refs; /* one of the open file (or of the listener's queue), others of peers and messages */
	/* Under socket.lock. */
	u8 state;    /* enum unix_state */
	u8 shutdown; /* UNIX_NO_* */
	bool dead;   /* released: takes nothing any more */
	unsigned int message_count;
	unsigned int arrivals; /* writes that came so far: who waits sees it move */
	struct list messages;  /* struct unix_message, oldest first */
	struct unix_message *urgent; /* of a stream: the byte that came last with MSG_OOB, not yet read; one of messages */
	struct unix_socket *peer; /* own reference; of a connection set once, of a datagram socket whom it sends to */
	struct list connections; /* a listener's: connected, not yet accepted */
	struct list connection_link;
	unsigned int connection_count;
	unsigned int backlog; /* what the queue may hold, of connections or of messages, and still take one */

	atomic_t charged; /* bytes of messages under way that this socket sent */
	struct mutex read_lock, bind_lock;
	struct wait_queue room_wait; /* senders and connectors that found a full queue */
	struct wait_entry relay; /* of a datagram socket that was polled, in its peer's room_wait; see datagram.c */
	struct unix_name *name;	     /* NULL: unbound; set once, under bind_lock */
	struct hlist_node name_link; /* under names_lock */
	struct list all_link;	     /* under sockets_lock */

	/* Under flight_lock. */
	unsigned int flights; /* times that it is under way in a message */
	unsigned int outside; /* while garbage is looked for: how many of these are not from candidates */
	u8 color;
	struct list flight_link, work_link;
};

struct unix_message {
	struct list link;
	struct unix_socket *sender; /* own reference */
	struct passed_files *files; /* or NULL; under the receiver's socket.lock */
	bool urgent;		    /* of a stream: one byte that came with MSG_OOB */
	u32 length, done, capacity; /* bytes; of a stream, how many were read */
	u32 charge;
	struct ucred credentials; /* of the sender */
	u64 arrival_ns;		  /* of a datagram for who wants to know the date; 0: nobody did */
	char data[];
};

static inline struct unix_socket *unix_of(struct socket *socket)
{
	return container_of(socket, struct unix_socket, socket);
}

static inline struct unix_socket *unix_get(struct unix_socket *self)
{
	refcount_inc(&self->refs);
	return self;
}

static inline bool unix_writable(const struct unix_socket *self)
{
	return (u64)atomic_read(&self->charged) * 4 <= READ_ONCE(self->socket.send_buffer);
}

static inline bool is_connection(const struct unix_socket *self)
{
	return self->socket.type != SOCK_DGRAM;
}

extern u32 unix_queue_max; /* messages that a new socket's queue may hold and still take one: net.unix.max_dgram_qlen */

/* main.c */
extern const struct socket_family unix_family;
extern struct mutex sockets_lock;
extern struct list sockets;
struct unix_socket *unix_alloc(unsigned int type) __must_check; /* NULL: no memory */
void unix_put(struct unix_socket *self);
/* No more messages to or from it; what it holds is let go. The caller's reference goes. embryo: it never was accepted. */
void unix_close(struct unix_socket *self, bool embryo);
void unix_lock_two(struct unix_socket *a, struct unix_socket *b); /* socket.lock of both, which may be one */
void unix_unlock_two(struct unix_socket *a, struct unix_socket *b);
void unix_wake_all(struct unix_socket *self);

/* name.c */
int unix_bind(struct socket *socket, const struct socket_address *address);
int unix_autobind(struct unix_socket *self) __must_check; /* where it has no name yet */
int unix_tell_name(struct socket *socket, struct socket_address *address, bool peer);
void unix_name_tell(const struct unix_name *name, struct socket_address *address); /* NULL: unbound */
/* Who asks for credentials gets a name, once the address that it speaks to is seen to be one; `to` NULL: its peer's. -EINVAL. */
int unix_name_sender(struct unix_socket *self, const struct socket_address *to) __must_check;
struct unix_socket *unix_find(const struct socket_address *address, unsigned int type) __must_check; /* ERR_PTR */
void unix_name_remove(struct unix_socket *self); /* nobody finds it any more */
void unix_name_put(struct unix_name *name);

/* message.c */
/* Waits for room in the send buffer; a message of `size` bytes with the sender's credentials. ERR_PTR. */
struct unix_message *unix_message_create(struct unix_socket *self, size_t size,
					 const struct socket_message *from) __must_check;
void unix_message_free(struct unix_message *message);
void unix_messages_free(struct list *messages);
/* Before it is queued: the files that go with it. Takes them over. -ETOOMANYREFS */
int unix_message_attach(struct unix_message *message, struct ancillary *ancillary) __must_check;
/* The files of a message go to the reader, or with MSG_PEEK a copy of them. The receiver's read_lock is held. */
int unix_message_files(struct unix_socket *receiver, struct unix_message *message,
		       struct socket_message *to) __must_check;
void unix_message_sender(const struct unix_socket *receiver, const struct unix_message *message,
			 struct socket_message *to);
/* When a datagram came, if the receiver is to be told. */
void unix_message_stamp(const struct unix_socket *receiver, const struct unix_message *message,
			struct socket_message *to);
/* socket.lock of the receiver held. */
static inline void unix_message_queue(struct unix_socket *receiver, struct unix_message *message)
{
	list_add_tail(&receiver->messages, &message->link);
	WRITE_ONCE(receiver->message_count, receiver->message_count + 1);
	WRITE_ONCE(receiver->arrivals, receiver->arrivals + 1);
}
static inline void unix_message_unqueue(struct unix_socket *receiver, struct unix_message *message)
{
	list_del(&message->link);
	WRITE_ONCE(receiver->message_count, receiver->message_count - 1);
}

/* connect.c */
int unix_pair(struct socket *a, struct socket *b);
int unix_listen(struct socket *socket, unsigned int backlog);
int unix_connect(struct socket *socket, const struct socket_address *address, bool nonblocking);
struct socket *unix_accept(struct socket *socket, bool nonblocking);
int unix_shutdown(struct socket *socket, int how);

/* stream.c */
ssize_t unix_stream_send(struct socket *socket, struct socket_message *message);
ssize_t unix_stream_receive(struct socket *socket, struct socket_message *message);
int unix_stream_at_mark(struct unix_socket *self); /* SIOCATMARK: the next byte came with MSG_OOB */
u32 unix_stream_poll(struct socket *socket, struct file *file, struct poll_table *table);

/* datagram.c: datagrams and SOCK_SEQPACKET */
ssize_t unix_datagram_send(struct socket *socket, struct socket_message *message);
ssize_t unix_datagram_receive(struct socket *socket, struct socket_message *message);
u32 unix_datagram_poll(struct socket *socket, struct file *file, struct poll_table *table);
int unix_datagram_connect(struct unix_socket *self, const struct socket_address *address);
/* `peer`, whose reference the caller holds, is no longer whom `self` sends to: its unread messages are dropped. */
void unix_datagram_disconnected(struct unix_socket *self, struct unix_socket *peer);
bool unix_relay_wake(struct wait_entry *entry, unsigned long key);
/* Before self->peer changes. socket.lock is held from here to the change, so that the relay is in no queue but the peer's. */
void unix_relay_leave(struct unix_socket *self);

/* rights.c */
int unix_flight_begin(struct passed_files *files) __must_check; /* -ETOOMANYREFS */
void unix_flight_end(struct passed_files *files);
/* Files of a message that nobody read. */
void unix_files_drop(struct passed_files *files);
struct passed_files *unix_flight_copy(const struct passed_files *files) __must_check;
void unix_collect(void); /* looks for sockets that only messages of each other hold, soon */
void unix_rights_init(void);
void unix_rights_exit(void);

/* proc.c */
int unix_proc_init(void) __must_check;
void unix_proc_exit(void);

#endif
