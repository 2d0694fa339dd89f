/*
 * The 9P server: exports a part of a namespace over descriptors. What its files share; nothing of it is seen outside.
 *
 * The objects:
 *
 *	export		what a line of /dev/export asked for: a root, whom clients may be, limits (control.c, users.c)
 *	connection	a transport with its threads, its requests and its fids (connection.c)
 *	request		one message under way, in a thread of its own (request.c and what it calls)
 *	fid		what a client's number stands for: a path, perhaps opened (fids.c)
 *	attachment	whom an attach said to act for, and where; its fids hold it (users.c)
 *
 * Locks, outermost first: connection->read_lock (who reads the next message), fid->directory_lock, connection->write_lock (who
 * writes an answer; nothing is taken inside), connection->lock and fid->lock (spin locks, leaves).
 */
#ifndef NINEP_SERVER_H
#define NINEP_SERVER_H

#include <kumo/cred.h>
#include <kumo/file.h>
#include <kumo/list.h>
#include <kumo/mutex.h>
#include <kumo/namespace.h>
#include <kumo/thread.h>
#include <kumo/wait.h>
#include <kumo/xarray.h>

#include "../codec/ninep.h"

struct text;

/* ---- What is exported (control.c, users.c) ---- */

enum squash { SQUASH_NONE, SQUASH_ROOT, SQUASH_ALL };

/* What a name of a client's user stands for here: a line "user NAME UID GID...". */
struct known_user {
	struct list link;
	u32 uid;
	u32 group_count; /* of gids, the first of which is the main one */
	u32 *gids;
	char name[];
};

struct export
{
	struct path root; /* referenced */
	struct fs_context *fs;
	const struct cred *cred; /* of who exports */
	bool read_only;
	bool trusts; /* who exports may act for anybody, and lets the peer say for whom; else all act as himself */
	u32 only_uid; /* the one user that the peer can be, it being no more itself; NINEP_NO_NUMBER: anybody */
	enum squash squash;
	u32 anonymous_uid, anonymous_gid;
	u32 message_size, fid_limit, request_limit;
	struct list users; /* of struct known_user */
	bool checked; /* the peer has looked at who may do what: users keep the privileges of who exports */
	int (*commit)(struct tree * tree); /* makes stable what was changed, before that is answered. NULL: nobody asks for it */
};

/* The credentials of who attaches, referenced; ERR_PTR(-EACCES, -ENOMEM). *squashed: he is not who he says. */
const struct cred *export_user(const struct export *export, struct ninep_string name, u32 number,
			       bool *squashed) __must_check;
/* What is the name of the user, for stat of 9P2000: into `buffer` if it is a number. */
struct ninep_string export_user_name(const struct export *export, u32 uid, char *buffer, size_t size);
/* The number of a user, or a group, that wstat names: NINEP_NO_NUMBER: nobody is called so. */
u32 export_user_number(const struct export *export, struct ninep_string name);
int known_user_parse(char *words, struct known_user **user) __must_check; /* -EINVAL, -ENOMEM */
int known_users_copy(struct list *to, const struct list *from) __must_check;
void known_users_free(struct list *users);

/* ---- Connections ---- */

/* Of one Tattach. */
struct attachment {
	refcount_t refs;
	struct connection *connection;
	const struct cred *cred;
	struct path root; /* of what it attached to; nobody leaves it by ".." */
	bool squashed;	  /* it is not asked which group a new file shall have */
};

struct connection {
	struct list link; /* of who holds it (control.c) */
	unsigned int id;
	struct export export;
	struct file *from, *to; /* the transport; NULL once it has ended */

	struct mutex read_lock;
	u8 *ahead; /* what was read beyond a message; under read_lock */
	u32 ahead_at, ahead_end;

	struct mutex write_lock;

	spinlock_t lock; /* protects what follows, but for what only who holds read_lock changes while nothing is under way */
	struct list workers;
	unsigned int worker_count, running; /* in the list; of these not yet at their end */
	unsigned int spare;		    /* wait to read the next message, and so will */
	struct list requests;		    /* under way, and waiting */
	struct list waiting;		    /* for a thread, in the order in which they came */
	unsigned int request_count, waiting_count, flush_count;
	bool resetting;		   /* Tversion: what is under way is not answered */
	bool dead;		   /* nothing is served any more */
	bool ended;		   /* nothing of it is left but this structure */
	struct wait_queue changed; /* a request has been answered; it has ended */
	u64 served;

	enum ninep_dialect dialect; /* 0: not agreed upon */
	u32 message_size;

	struct xarray fids;
	u32 fid_count;
	u32 attribute_bytes; /* of extended attributes that fids hold */
	struct list lock_owners;
	unsigned int lock_owner_count;
};

/* Starts to serve; on success `connection` is the caller's to stop and to free. -ENOMEM. */
int connection_start(struct connection *connection) __must_check;
void connection_stop(struct connection *connection); /* ends it, waits until it has, and frees it. May sleep. */
void connection_show(struct connection *connection, struct text *text);
bool connection_has_ended(const struct connection *connection);

/* ---- Requests ---- */

enum request_state { REQUEST_WAITING, REQUEST_RUNNING, REQUEST_ANSWERING };

/* A Tflush that waits for a request to be done with. */
struct flush {
	struct list link;
	u16 tag;
};

struct request {
	struct list link;	  /* in connection->requests */
	struct list waiting_link; /* in connection->waiting */
	struct connection *connection;
	struct thread *thread;	  /* that serves it */
	enum request_state state; /* under connection->lock */
	struct list flushes;	  /* under connection->lock */
	u16 tag;
	u32 size;
	u8 *in, *out; /* the message; room for message_size bytes of answer */
	struct ninep_message message, reply;
	bool changes; /* something that shall be stable before it is answered, if the export says so */
	void *scratch; /* what the reply's strings lie in; freed when it is encoded. NULL: nothing */
};

/* Serves the message in request->in: leaves the answer in request->out, and returns its length. 0: the connection is to be dropped. */
u32 request_serve(struct request *request);
u32 request_error(struct request *request, int error); /* makes it an error message */
/* Tversion; nothing else is under way. As request_serve(). */
u32 answer_version(struct request *request);

/* ---- Fids ---- */

enum fid_state {
	FID_NAMED,   /* a path */
	FID_OPENING, /* the same, and somebody is opening it */
	FID_OPEN,
	FID_ATTRIBUTE_READ, /* an extended attribute's value, or the list of names, is in `value` */
	FID_ATTRIBUTE_WRITE, /* one is being written to `value`, and is set by clunk */
	FID_ATTRIBUTE_DONE
};

struct fid {
	refcount_t refs; /* the table's and those of requests */
	u32 number;
	struct attachment *attachment; /* own reference */
	spinlock_t lock;	       /* protects state, path and file */
	enum fid_state state;
	struct path path;  /* referenced */
	struct file *file; /* of FID_OPEN; own reference, given up with the last of the fid */
	bool remove;	   /* when it is clunked: ORCLOSE */
	struct list lock_uses; /* who has locked something through it (locks.c); under connection->lock, as the next */
	bool locks_gone; /* no more locks through it */

	struct mutex directory_lock; /* its position, and what follows */
	u64 next_offset, tree_offset; /* where reading a directory in 9P2000 goes on: by the client, by the tree */

	char *name; /* of an attribute that is being written; under lock, as `written` */
	u8 *value;
	u32 value_size, written;
	int value_flags;
};

/* The fid of that number, referenced, and the current thread acts for its user; ERR_PTR(-EBADF). */
struct fid *fid_get(struct request *request, u32 number) __must_check;
void fid_put(struct fid *fid); /* may sleep: the last one closes */
/* A new one in no table, of `user` and at `path` (takes its own references); NULL: no memory. */
struct fid *fid_make(struct attachment *attachment, const struct path *path) __must_check;
/* Gives it its number; takes over the caller's reference when it succeeds. -EBUSY: it is in use; -EMFILE; -ENOMEM. */
int fid_add(struct connection *connection, struct fid *fid, u32 number) __must_check;
/* Takes it out of the table; the caller has the table's reference then. False: somebody else did. */
bool fid_remove(struct connection *connection, struct fid *fid) __must_check;
void fids_drop(struct connection *connection);	   /* all of them */
void fid_path(struct fid *fid, struct path *path); /* a copy, referenced */
struct file *fid_file(struct fid *fid) __must_check; /* what it is open on, referenced; ERR_PTR(-EBADF) */
/* From FID_NAMED to FID_OPENING, with a copy of the path; -EBUSY. Then one of the two that follow. */
int fid_open_begin(struct fid *fid, struct path *path) __must_check;
void fid_open_end(struct fid *fid, struct file *file); /* takes the reference over */
void fid_open_failed(struct fid *fid);
/* It stands for another path from now on (takes over the references): only while it is opened, or is named. */
void fid_set_path(struct fid *fid, const struct path *path);
/* The fid's directory and name, for who is about to remove or rename it; text: NAME_MAX_LENGTH + 1 bytes. -EBUSY: it is its root. */
int fid_place(struct fid *fid, struct path *parent, char *text, struct name *last) __must_check;
/* A name out of a message, with a NUL at its end, in `text`: -EINVAL, -ENAMETOOLONG. */
int name_take(struct ninep_string string, char *text, struct name *name) __must_check;

static inline void fid_put_scope(struct fid **fid)
{
	if (!IS_ERR_OR_NULL(*fid))
		fid_put(*fid);
}
#define __fid_put __attribute__((cleanup(fid_put_scope)))
static inline void path_put_scope(struct path *path)
{
	if (path->mount)
		path_put(path);
}
/* Of a path that is {} or referenced. */
#define __path_put __attribute__((cleanup(path_put_scope)))
static inline void file_put_scope(struct file **file)
{
	if (!IS_ERR_OR_NULL(*file))
		file_put(*file);
}
#define __file_put __attribute__((cleanup(file_put_scope)))

struct attachment *attachment_make(struct connection *connection, const struct cred *cred,
				   const struct path *root, bool squashed) __must_check;
void attachment_put(struct attachment *attachment);

/* ---- What the messages ask for: 0, or a negative errno; the answer is in request->reply ---- */

/* attach.c */
int answer_auth(struct request *request);
int answer_attach(struct request *request);
int answer_walk(struct request *request);
int answer_clunk(struct request *request);
/* names.c */
int answer_remove(struct request *request);
int answer_rename(struct request *request);
int answer_renameat(struct request *request);
int answer_unlinkat(struct request *request);
int answer_link(struct request *request);
int answer_symlink(struct request *request);
int answer_mknod(struct request *request);
int answer_mkdir(struct request *request);
int answer_readlink(struct request *request);
int remove_fid(struct fid *fid) __must_check;
int rename_fid(struct fid *fid, const struct path *new_parent, const struct name *new_last) __must_check;
/* Makes `what` called so in the directory, for the group if the user may say so; *made: its path, or NULL. */
int create_in(struct request *request, struct fid *dir, struct ninep_string name,
	      const struct node_new *what, u32 gid, struct path *made) __must_check;
/* Credentials of the fid's user whose new files are of the group; referenced. ERR_PTR(-ENOMEM). */
const struct cred *cred_for_group(struct request *request, const struct attachment *attachment,
				  u32 gid) __must_check;
/* open.c */
int answer_open(struct request *request);
int answer_create(struct request *request);
int answer_lopen(struct request *request);
int answer_lcreate(struct request *request);
/* io.c */
int answer_read(struct request *request);
int answer_write(struct request *request);
int answer_fsync(struct request *request);
/* directory.c */
int answer_readdir(struct request *request);
/* Reads a directory as 9P2000 has it, at the offset, into `to`; the length. */
ssize_t directory_read(struct request *request, struct fid *fid, struct file *file, u64 offset,
		       u8 *to, u32 count);
/* attributes.c */
int answer_getattr(struct request *request);
int answer_setattr(struct request *request);
int answer_statfs(struct request *request);
/* The same file, whatever else is mounted in the export: what qid.path is made of. */
struct ninep_qid qid_of(const struct connection *connection, const struct path *path,
			const struct attr *attr);
/* Attributes as they are now, and the qid of a path. */
int path_attr(const struct path *path, struct attr *attr, const struct cred *cred) __must_check;
int path_qid(struct request *request, const struct path *path, const struct cred *cred,
	     struct ninep_qid *qid) __must_check;
u64 qid_path(const struct connection *connection, const struct path *path, u64 id);
u8 qid_type(u32 mode);
int set_size(struct fid *fid, const struct path *path, u64 size, const struct cred *cred) __must_check;
/* stat.c */
int answer_stat(struct request *request);
int answer_wstat(struct request *request);
/* Fills a stat of 9P2000 for what is called so. Its strings lie in *texts. */
struct stat_texts {
	char uid[12], gid[12];
	char extension[4096];
};
int stat_fill(struct request *request, const struct path *path, struct ninep_string name,
	      const struct cred *cred, struct ninep_stat *stat, struct stat_texts *texts) __must_check;
/* attributes of files by name: xattr.c */
int answer_xattrwalk(struct request *request);
int answer_xattrcreate(struct request *request);
ssize_t attribute_read(struct fid *fid, u64 offset, u8 *to, u32 count);
ssize_t attribute_write(struct fid *fid, u64 offset, const void *from, u32 count);
void attribute_free(struct fid *fid);		 /* with the fid */
int attribute_set(struct fid *fid) __must_check; /* at clunk: what was written becomes the attribute */
/* locks.c */
int answer_lock(struct request *request);
int answer_getlock(struct request *request);
void locks_release(struct connection *connection, struct fid *fid); /* taken through the fid, which goes */

#endif
