/*
 * The 9P client: a tree whose files a server has. What its files share.
 *
 *	client		a mounted tree: options, the connection, the users that have attached
 *	inode		the client's part of a node: the fids that stand for it at the server
 *	fid		a number that the server knows for a file, for one user; a walking one, or one that is open
 *
 * Locks, outermost first: node->lock; client->attach_lock; client->lock (interrupts off: fids are let go of where answers
 * come in); connection->lock.
 */
#ifndef NINEP_CLIENT_H
#define NINEP_CLIENT_H

#include "transport.h"

#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/mutex.h>
#include <kumo/tree.h>

#define REPLY_SMALL 1024 /* bytes that hold any answer without long strings or data */
#define REPLY_LINK (4096 + 64)
#define REPLY_STAT (16 * KIB) /* four strings and more */
#define NO_USER 0xffffffffU

enum cache_mode {
	CACHE_NONE, /* nothing is believed; reads and writes go to the server, mappings through the page cache */
	CACHE_MMAP, /* the same, but for reads and writes, which go through the page cache; closing writes back */
	CACHE_LOOSE, /* nobody else changes the files: all is believed */
};

struct options {
	char *transport, *uname, *aname;
	struct transport_options of_transport;
	enum ninep_dialect dialect; /* the newest to ask for */
	u32 msize;
	enum cache_mode cache;
	enum { ACCESS_USER, ACCESS_ANY, ACCESS_SINGLE } access;
	u32 single_uid, default_uid, default_gid;
};

struct client {
	struct tree *tree;
	struct connection connection;
	struct options options;
	const struct transport *transport;
	spinlock_t lock;       /* protects numbers, lists of fids, and those below */
	struct xarray numbers; /* of fids */
	u32 next_number;
	u32 epoch; /* of walking fids: directories were moved in a way that the older ones may not have followed */
	struct list unused;  /* fids that nobody names: to be clunked */
	struct list retired; /* clunked: their numbers are free */
	struct work fid_work;
	bool clunking; /* fid_work sends */
	struct mutex attach_lock; /* protects users */
	struct list users;
	u32 io_max;		/* bytes of data in a message */
	unsigned int transfers; /* of pages, on their way */
	struct list idle;	/* open fids that no file uses, oldest first */
	unsigned int idle_count;
	struct list listed; /* names that directory reads told (ahead.c), oldest first */
	u32 listed_bytes;
};

struct fid {
	struct client *client;
	u32 number;
	u32 uid; /* whose it is at the server; NO_USER: everybody's */
	refcount_t refs;
	bool known;	       /* the server may know it */
	u32 epoch;	       /* client->epoch when it was made */
	u8 open;	       /* MAY_READ, MAY_WRITE: what it is open for; 0: it is not */
	u32 io_max;	       /* of an open one: bytes of data in a message */
	struct node *node;     /* of an open one, while it is in the node's list; not referenced */
	struct list link;      /* inode->fids or ->open_fids; then client->unused */
	struct list idle_link; /* client->idle */
};

struct inode {
	struct client *client;
	struct node *node;
	struct list fids;      /* walking ones, one for each user; under client->lock */
	struct list open_fids; /* of open files, or to be used again, or kept for dirty pages; the list has a reference; under client->lock */
	struct list listed; /* of a directory: names that a read told, and nobody asked for yet (ahead.c); under client->lock */
	/* How many of them to ask for when the next is; how many files were asked for; names that were told. Under client->lock. */
	unsigned int ahead, missed, listed_count;
	struct list places; /* where it was found, the last first: for who has no fid of it. Under client->lock */
	/* Of mtime, size and version, as the server told last: behind another stamp are other bytes. 0: not known. Under client->lock. */
	u64 stamp;
	/* Changes that are made from here: what the server said of the file while one went on may be older than it. */
	atomic_t changing;
	u64 changed_ns; /* monotonic: the last one's end */
};

static inline struct client *client_of(const struct node *node)
{
	return node->tree->private;
}
static inline struct inode *inode_of(const struct node *node)
{
	return node->private;
}

/* ---- connection.c ---- */

/* A request with the message encoded, and `in_room` bytes for the answer. ERR_PTR(-ENOMEM; -EOPNOTSUPP: not of the dialect; -EMSGSIZE). */
struct request *request_create(struct connection *connection, const struct ninep_message *message,
			       u32 in_room, unsigned int piece_count, unsigned int gfp) __must_check;
void request_add_fid(struct request *request, struct fid *fid); /* which it names */
int request_send(struct request *request) __must_check; /* -EINTR: killed, -EIO: no connection */
int request_wait(struct request *request) __must_check; /* -EINTR: it was left behind; -EIO: no answer */
/* Decodes the answer of a finished request: 0, or the error that the server told, or -EIO. */
int request_reply(struct request *request, struct ninep_message *reply) __must_check;

int connection_open(struct connection *connection, const struct transport *transport, const char *source,
		    const struct transport_options *options, const struct cred *cred) __must_check;
void connection_close(struct connection *connection); /* gives back what is in flight */
bool connection_is_idle(struct connection *connection);
const struct transport *transport_get(const char *name) __must_check; /* NULL: nobody serves it */
void transport_put(const struct transport *transport);

/* ---- call.c: one message and its answer ---- */

struct call {
	struct ninep_message message; /* what is sent, then what came; strings lie in `request` */
	struct request *request;
	u32 in_room;			/* for the answer; 0: REPLY_SMALL */
	u64 begun_ns;			/* monotonic */
	struct fid *fids[REQUEST_FIDS]; /* that the message names: held until the server has answered */
};
int call_begin(struct client *client, struct call *call) __must_check;
int call_wait(struct call *call) __must_check; /* after call_begin(), also if that failed in vain: once */
void call_end(struct call *call);
/* All at once; then call_end(). */
int call(struct client *client, struct call *call) __must_check;
/* Of whose answer nothing is wanted but whether it went well. */
int call_simple(struct client *client, const struct ninep_message *message, struct fid *a,
		struct fid *b) __must_check;

/* ---- fid.c ---- */

struct fid *fid_create(struct client *client, u32 uid) __must_check; /* ERR_PTR(-ENOMEM) */
static inline struct fid *fid_get(struct fid *fid)
{
	refcount_inc(&fid->refs);
	return fid;
}
void fid_put(struct fid *fid); /* the last one has it clunked. Any context */
void fids_init(struct client *client);
bool fids_are_clunked(struct client *client); /* the server has been told of all that nobody uses */
void fids_destroy(struct client *client); /* nobody holds one any more */
/* The same file once more, so that it can be opened. ERR_PTR. */
struct fid *fid_clone(struct fid *fid) __must_check;
/* The user of `cred` at the server; and a fid of the tree's root for a user, who attaches at need. ERR_PTR(-EPERM: access=UID). */
u32 client_uid(const struct client *client, const struct cred *cred);
struct fid *client_root(struct client *client, u32 uid) __must_check;
void client_users_put(struct client *client);

/* ---- inode.c ---- */

/* The node of the file that `fid` stands for (taken over, also on failure), with attributes fresh from the server. ERR_PTR. In two steps,
 * so that many can be asked for at once; the second is due when the first went well. */
int inode_ask(struct fid *fid, struct call *call) __must_check;
struct node *inode_learn(struct fid *fid, struct call *call) __must_check;
struct node *inode_take(struct fid *fid) __must_check; /* both */
/* The fid of a node for a user, referenced. ERR_PTR(-ESTALE: there is none). */
struct fid *inode_fid(struct node *node, const struct cred *cred) __must_check;
int inode_refresh(struct node *node, const struct cred *cred) __must_check;
/* A name of the node; and that there is no such name any more, by which fids may have been found. moved: the server knows that they have
 * another. */
struct place {
	struct list link;
	u64 parent; /* the directory's identity */
	u8 length;
	char text[NAME_MAX_LENGTH];
};
void inode_found_at(struct node *node, const struct node *dir, const struct name *name);
void inode_not_at(struct node *node, const struct node *dir, const struct name *name, bool moved);
/* The fid stands for the node from now on, unless its user has one already. Takes it over. */
void inode_adopt_fid(struct node *node, struct fid *fid);
struct fid *inode_fid_of(struct inode *inode, u32 uid); /* a walking one, referenced; NULL. NO_USER: anybody's */
void inode_forget(struct node *node);
/* Around what changes a file's bytes or attributes at the server from here. */
void inode_change_begin(struct node *node);
void inode_change_end(struct node *node);
int ninep_getattr(struct node *node, const struct cred *cred);
int ninep_setattr(struct node *node, const struct attr_change *change, const struct cred *cred);
int ninep_statfs(struct tree *tree, struct statfs_info *info);

/* ---- names.c ---- */

int ninep_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
	       u64 *negative_until_ns, const struct cred *cred);
int ninep_create(struct node *dir, const struct name *name, const struct node_new *what,
		 struct node **node, const struct cred *cred);
int ninep_link(struct node *dir, const struct name *name, struct node *node, const struct cred *cred);
int ninep_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		 const struct cred *cred);
int ninep_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		 struct node *new_dir, const struct name *new_name, struct node *replaced,
		 unsigned int flags, const struct cred *cred);
ssize_t ninep_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred);
u64 believe_until(const struct client *client);
/* The nodes of names in one directory, all asked for at once; ERR_PTR. */
void walk_siblings(struct node *dir, const struct name *names, unsigned int count,
		   struct node **nodes, const struct cred *cred);
/* A fid of the node for a user who has none: walks there from the root, by the names that are known. ERR_PTR(-ESTALE: it is not there). */
struct fid *walk_from_root(struct node *node, u32 uid) __must_check;

/* ---- ahead.c: attributes before they are asked for ---- */

struct listed;
struct listed *listed_create(u32 room) __must_check; /* for names of so many bytes, their lengths included; NULL */
void listed_add(struct listed *listed, const char *name, u8 length);
/* Takes it over. begins: the directory is read from its beginning. */
void ahead_remember(struct inode *inode, struct listed *listed, bool begins);
void ahead_forget(struct inode *inode);
void ninep_walk_ahead(struct node *dir, const struct name *name, struct walk_ahead *ahead,
		      const struct cred *cred);

/* ---- open.c ---- */

/* An open file. */
struct handle {
	struct fid *fid;
	/* Of a directory: entries that were read and not yet given. */
	struct mutex lock;
	char *entries;
	u32 length, at;
	u64 offset; /* where the entry at `at` is */
};
static inline struct handle *handle_of(const struct file *file)
{
	return file->private;
}
int ninep_open(struct file *file, const struct cred *cred);
void ninep_clunk(struct file *file);
int ninep_flush(struct file *file);
int ninep_fsync(struct file *file, bool data_only);
/* One for a user who opens it; opened at need. ERR_PTR. */
struct fid *inode_open_for(struct node *node, u8 mask, const struct cred *cred) __must_check;
/* An open fid of the node that allows `mask`, whoever opened it, referenced; opened at need. ERR_PTR. */
struct fid *inode_open_fid(struct node *node, u8 mask) __must_check;
void inode_put_open_fid(struct fid *fid);
/* A file that was just made is open: for whoever opens it next. Takes the fid over. */
void inode_keep_open(struct node *node, struct fid *fid);
/* Lets go of open fids that only dirty pages needed. */
void inode_settle(struct node *node);
struct fid *inode_any_fid(struct node *node); /* a walking one of any user, referenced; NULL: there is none */
bool inode_is_dirty(const struct node *node);

/* ---- directory.c, pages.c, direct.c, xattr.c ---- */

int ninep_readdir(struct file *file, struct dir_context *context);
void directory_list(struct node *dir,
		    const struct cred *cred); /* reads names, to be remembered, as many as one message has */
void ninep_read_pages(struct node *node, struct page **pages, unsigned int count);
void ninep_write_pages(struct node *node, struct page **pages, unsigned int count);
ssize_t ninep_direct(struct file *file, struct iter *iter, loff_t pos, bool write);
ssize_t ninep_read(struct file *file, struct iter *to, loff_t *pos);
/* What truncation from one size to the other does, by writing through an open fid: zeros behind the lower, or one at the end of the larger. */
int write_zeros(struct node *node, u64 from, u64 to) __must_check;
ssize_t ninep_write(struct file *file, struct iter *from, loff_t *pos);
ssize_t ninep_xattr_get(struct node *node, const char *name, void *value, size_t size);
int ninep_xattr_set(struct node *node, const char *name, const void *value, size_t size, int flags);
ssize_t ninep_xattr_list(struct node *node, char *list, size_t size, bool trusted);

/* ---- options.c, stream.c ---- */

int options_parse(struct options *options, const char *text) __must_check;
void options_free(struct options *options);
extern struct transport fd_transport, unix_transport;

#endif
