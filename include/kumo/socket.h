/*
 * Sockets (net/): what is the same for every protocol. A struct socket is what an open file of kind "socket" is open on;
 * a protocol family, usually a module, makes them, embeds them in its own structure, and serves them through struct
 * socket_ops.
 *
 * A family registers under its number (AF_*). A number that nobody has is asked for as module "net-pf-N". A socket's open
 * file pins the family's module; what a family keeps beyond the last open file must not outlive its exit function.
 *
 * Locks: socket->lock is a spin lock, after whatever the family has; wait queues come after it.
 */
#ifndef KUMO_SOCKET_H
#define KUMO_SOCKET_H

#include <kumo/iter.h>
#include <kumo/list.h>
#include <kumo/spinlock.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/wait.h>
#include <kumo/types.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/socket.h>

struct cred;
struct file;
struct module;
struct poll_table;
struct socket;

/* Of Linux's ABI, but not in its exported headers. */
enum {
	SOCK_STREAM = 1,
	SOCK_DGRAM = 2,
	SOCK_RAW = 3,
	SOCK_RDM = 4,
	SOCK_SEQPACKET = 5,
	SOCK_MAX = 11
};
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC O_CLOEXEC
#define SOCK_NONBLOCK O_NONBLOCK
enum { AF_UNSPEC = 0, AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16, AF_MAX = 46 };
enum { SHUT_RD = 0, SHUT_WR = 1, SHUT_RDWR = 2 };
enum {
	MSG_OOB = 1,
	MSG_PEEK = 2,
	MSG_DONTROUTE = 4,
	MSG_CTRUNC = 8,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_EOR = 0x80,
	MSG_WAITALL = 0x100,
	MSG_ERRQUEUE = 0x2000,
	MSG_NOSIGNAL = 0x4000,
	MSG_MORE = 0x8000,
	MSG_WAITFORONE = 0x10000,
	MSG_CMSG_CLOEXEC = 0x40000000,
};
#define MSG_CMSG_COMPAT 0x80000000U
enum { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2, SCM_MAX_FD = 253 };
struct socket_address {
	unsigned int length; /* 0: none */
	union {
		struct __kernel_sockaddr_storage storage;
		u16 family;
		char bytes[sizeof(struct __kernel_sockaddr_storage)];
	};
};
struct ucred {
	u32 pid, uid, gid;
};

/* Open files on their way from one process to another (SCM_RIGHTS). */
struct passed_files {
	struct list link; /* of the family that carries them */
	const struct cred *cred; /* of the sender, to whose user they are charged while under way; own reference */
	unsigned int count;
	struct file *files[]; /* referenced */
};
void passed_files_put(struct passed_files *files); /* lets go of the files; NULL is fine. May sleep. */
/* A second set of references to the same files, for MSG_PEEK. NULL: no memory. Any context. */
struct passed_files *passed_files_copy(const struct passed_files *files) __must_check;

/* What travels beside the bytes of a message. */
struct ancillary {
	struct passed_files *files; /* owned */
	struct ucred sender;
	bool has_sender; /* received: to be told */
	u64 arrival_ns;	 /* received: date of arrival, to be told as stamp_type says */
	int stamp_type;	 /* SO_TIMESTAMP, SO_TIMESTAMPNS; 0: is not told */
};

/* One send or receive: arguments, and what comes back. */
struct socket_message {
	struct iter *data;
	unsigned int flags;	   /* MSG_*; MSG_DONTWAIT also for a file with O_NONBLOCK */
	unsigned int result_flags; /* received: MSG_TRUNC, MSG_EOR, ... */
	/* Sending: to whom, length 0: to nobody in particular. Receiving: is filled in. NULL: not wanted. */
	struct socket_address *address;
	struct ancillary *ancillary; /* sending: files are taken over when the message is sent. NULL: none, not wanted */
};

/* What a family serves. Absent operations give EOPNOTSUPP; ioctl ENOTTY. May sleep, interruptibly. */
struct socket_ops {
	void (*release)(struct socket *socket); /* the last file went; frees it */
	int (*bind)(struct socket *socket, const struct socket_address *address);
	int (*connect)(struct socket *socket, const struct socket_address *address, bool nonblocking);
	int (*pair)(struct socket *a, struct socket *b);
	int (*listen)(struct socket *socket, unsigned int backlog);
	struct socket *(*accept)(struct socket *socket, bool nonblocking); /* ERR_PTR */
	int (*name)(struct socket *socket, struct socket_address *address, bool peer);
	ssize_t (*send)(struct socket *socket, struct socket_message *message);
	ssize_t (*receive)(struct socket *socket, struct socket_message *message);
	int (*shutdown)(struct socket *socket, int how);
	u32 (*poll)(struct socket *socket, struct file *file, struct poll_table *table);
	long (*ioctl)(struct socket *socket, unsigned int command, unsigned long argument);
	/* Options of levels other than SOL_SOCKET, and those of SOL_SOCKET that the family alone knows (-ENOPROTOOPT: it does
	 * not). The value is in user space, `length` bytes; get stores the length there. */
	int (*set_option)(struct socket *socket, int level, int option, const void __user *value,
			  unsigned int length);
	int (*get_option)(struct socket *socket, int level, int option, void __user *value,
			  unsigned int *length);
};

/* Switches of a socket (setsockopt), bits of socket->switches. */
enum {
	SOCKET_DEBUG = 1,
	SOCKET_REUSE_ADDRESS = 2,
	SOCKET_REUSE_PORT = 4,
	SOCKET_DONT_ROUTE = 8,
	SOCKET_BROADCAST = 16,
	SOCKET_KEEP_ALIVE = 32,
	SOCKET_OOB_INLINE = 64,
	SOCKET_NO_CHECK = 128,
	SOCKET_PASS_CREDENTIALS = 256,
	SOCKET_PASS_SECURITY = 512,
	SOCKET_TIMESTAMP = 1024,
	SOCKET_TIMESTAMP_NS = 2048,
	SOCKET_STAMPS = SOCKET_TIMESTAMP | SOCKET_TIMESTAMP_NS,
	SOCKET_OVERFLOW_COUNT = 4096,
	SOCKET_LINGER = 8192,
	SOCKET_WIFI_STATUS = 1 << 14,
	SOCKET_NO_FCS = 1 << 15,
	SOCKET_LISTENING = 1 << 16, /* SO_ACCEPTCONN; the family sets it */
	SOCKET_FILTER_LOCKED = 1 << 17,
	SOCKET_ERROR_QUEUE = 1 << 18,
	SOCKET_PREFER_BUSY_POLL = 1 << 19,
	SOCKET_RECEIVE_MARK = 1 << 20,
};

struct socket_family {
	int number; /* AF_* */
	struct module *owner;
	/* type is SOCK_*. One whose references are the caller's; -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM. */
	int (*create)(unsigned int type, int protocol, struct socket **socket);
};

struct socket {
	const struct socket_ops *ops;
	const struct socket_family *family;
	struct file *file; /* that is open on it, not referenced; NULL: none yet (a connection not accepted) */
	spinlock_t lock; /* protects switches and peer_cred, and what the family says */
	u16 type;	 /* SOCK_* */
	u16 protocol;
	u32 switches;			 /* SOCKET_* */
	atomic_t error;			 /* a positive errno that waits to be told: SO_ERROR */
	u32 send_buffer, receive_buffer; /* bytes */
	u32 receive_low;		 /* SO_RCVLOWAT */
	u32 priority, mark;
	u32 linger_seconds;
	s32 peek_offset;			 /* SO_PEEK_OFF; negative: none */
	u64 send_timeout_ns, receive_timeout_ns; /* WAIT_FOREVER: none */
	struct wait_queue read_wait, write_wait;
	u32 peer_pid;		      /* SO_PEERCRED */
	const struct cred *peer_cred; /* own reference; NULL: no peer */
	u64 cookie;		      /* SO_COOKIE, made when first asked for */
	/* What is kept for who asks (net/options_kept.c). */
	u64 pacing_rate; /* SOCKET_NO_PACING: none */
	u32 timestamping, send_time_flags, busy_poll, busy_poll_budget;
	s32 send_time_clock, incoming_cpu, bound_interface;
	u8 buffer_locks; /* *_BUFFER_LOCKED: the size was set by the program */
	bool hash_again;
};

enum { SEND_BUFFER_LOCKED = 1, RECEIVE_BUFFER_LOCKED = 2 };
#define SOCKET_NO_PACING ~0UL

/* /proc/sys/net/core; of buffers bytes, the maxima what a program may ask for (it gets twice that). */
struct socket_settings {
	u32 backlog_max; /* somaxconn: of listen(2) */
	u32 control_max; /* optmem_max: bytes of control messages of one sendmsg(2) */
	u32 send_buffer, send_buffer_max, receive_buffer, receive_buffer_max; /* wmem_*, rmem_* */
};
extern struct socket_settings socket_settings;
enum { SEND_BUFFER_MIN = 4608, RECEIVE_BUFFER_MIN = 2304 };

int socket_family_register(const struct socket_family *family) __must_check; /* -EEXIST */
/* No new sockets when it returns; those that are there pin the family's module. */
void socket_family_unregister(const struct socket_family *family);

/* For families: defaults into a new socket; and the end of one. */
void socket_init(struct socket *socket, const struct socket_family *family,
		 const struct socket_ops *ops, unsigned int type);
void socket_destroy(struct socket *socket);
/* SO_PEERCRED from now on. Copies references. */
void socket_set_peer(struct socket *socket, u32 pid, const struct cred *cred);

/* For callers: a socket without a file; released by socket_release(), or handed to socket_file(). */
int socket_create(int family, unsigned int type, int protocol, struct socket **socket) __must_check;
void socket_release(struct socket *socket);
/* An open file of the socket, which belongs to the file from then on; on failure it is released. ERR_PTR. */
struct file *socket_file(struct socket *socket, u32 flags /* O_NONBLOCK */) __must_check;
extern const struct tree_ops socket_file_ops;
struct socket *socket_of_file(const struct file *file); /* NULL: it is something else */

int socket_set_option(struct socket *socket, int level, int option, const void __user *value,
		      int length);
int socket_get_option(struct socket *socket, int level, int option, void __user *value,
		      int __user *length);

/* Who sends, connects or listens; 0: the kernel itself. */
static inline u32 socket_current_pid(void)
{
	return likely(current->process) ? (u32)current->process->pid : 0;
}
static inline struct ucred socket_current_sender(void)
{
	return (struct ucred){ .pid = socket_current_pid(),
			       .uid = current->cred->uid,
			       .gid = current->cred->gid };
}

/* An error that waits to be told, as a negative errno; it is told once. */
static inline int socket_take_error(struct socket *socket)
{
	return likely(!atomic_read(&socket->error)) ? 0 : -atomic_xchg(&socket->error, 0);
}

static inline u64 socket_deadline(u64 timeout_ns)
{
	return timeout_ns == WAIT_FOREVER ? WAIT_FOREVER : time_monotonic_ns() + timeout_ns;
}

/* What a wait that ended early is to the caller: with a timeout set a call is not started again. */
static inline int socket_wait_error(int error, u64 timeout_ns)
{
	if (error == -ETIME)
		return -EAGAIN;
	return error == -ERESTARTSYS && timeout_ns != WAIT_FOREVER ? -EINTR : error;
}

/* What was changed comes before the look at the waiters: pairs with the barrier in wait_prepare(). */
static inline void socket_wake(struct wait_queue *queue, unsigned long events)
{
	smp_mb();
	if (!list_empty(&queue->waiters))
		wake_up_key(queue, events);
}

/*
 * Control messages of user space (net/ancillary.c). A writer fills the buffer of recvmsg(2): what does not fit is cut off, and
 * MSG_CTRUNC set in *flags.
 */
struct control_writer {
	char __user *at;
	size_t left;
	unsigned int *flags;
};
/* `control` is a copy of sendmsg's buffer. On failure nothing is held. */
int ancillary_parse(struct socket *socket, const char *control, size_t length,
		    struct ancillary *ancillary) __must_check;
void control_write(struct control_writer *writer, int level, int type, const void *data, size_t size);
/* Tells all of it, and lets go of it. descriptor_flags: O_CLOEXEC for received files. */
void ancillary_write(struct control_writer *writer, struct ancillary *ancillary, u32 descriptor_flags);

#endif
