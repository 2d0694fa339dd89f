/*
 * Open files and descriptor tables (fs/file.c). A struct file is one open(2): shared by dup, fork and descriptor
 * passing; its operations table is that of what it is open on.
 */
#ifndef KUMO_FILE_H
#define KUMO_FILE_H

#include <kumo/namespace.h>
#include <kumo/pagecache.h>
#include <kumo/tree.h>
#include <linux/fcntl.h>

/*
 * Locks: file->pos_lock outermost of all in fs/, then those of tree.h. files->lock and file->lock are leaves.
 * A struct file lies in a cache whose memory may be reused at once: who finds one under RCU takes a reference and then
 * checks that the descriptor still names it.
 */
struct file {
	const struct tree_ops *ops; /* the node's, unless open redirected it */
	u32 flags;		    /* O_*; O_NONBLOCK, O_APPEND may change under lock */
	u32 mode;		    /* FILE_READ, FILE_WRITE, ... */
	refcount_t refs;
	spinlock_t lock;
	struct node *node; /* what is open; pinned by path.entry, or an own reference when that is NULL */
	/* Whose bytes are read, written and mapped: `node`, or, of a block device's special file, the device's own. */
	struct node *contents;
	void *private; /* of ops */
	loff_t pos;
	struct path path;	 /* referenced; entry NULL for anonymous files (pipes, sockets) */
	const struct cred *cred; /* of who opened it */
	struct module *owner;	 /* of ops when these lie in a module; pinned while open */
	struct mutex pos_lock; /* serialises users of pos, as POSIX asks, when the file is shared */
	struct file_owner *told;  /* F_SETOWN, F_SETSIG (async.h); NULL: nobody */
	struct file_async *async; /* O_ASYNC: its hooks (fs/async.c) */
	union {
		const char *name;	/* of an anonymous file: "pipe", "socket", "[eventfd]" */
		struct file *next_late; /* of one with a path, whose clunk is put off (fs/gate.c) */
	};
	struct read_ahead read_ahead;
	u32 error_seen;	       /* of contents->cache->errors: what fsync has told */
	struct hlist watchers; /* event sets that it is in (fs/epoll.c) */
	struct list tree_link; /* of a tree with TREE_LISTED: in the list of the CPU below */
	u16 list_cpu;
};
enum {
	FILE_READ = 1,
	FILE_WRITE = 2,
	FILE_SEEK = 4, /* has a position */
	FILE_PATH = 8, /* O_PATH */
	FILE_EXEC = 16, /* a program being run: nobody may write to it until the last file_put() (node_deny_write) */
	FILE_STREAM = 32,  /* no position lock needed: pipes, ttys, sockets */
	FILE_WRITER = 64,  /* counted in node->writers */
	FILE_OPENED = 128, /* ops->open succeeded: clunk is due */
	FILE_SERVED = 256, /* ops are those of the instance that serves the node's tree */
};

static inline struct file *file_get(struct file *file)
{
	refcount_inc(&file->refs);
	return file;
}
void file_put(struct file *file); /* the last one clunks; may sleep */

/* How file_open_at() is to find and open a file: the arguments of open(2), openat2(2). */
struct open_how_kernel {
	u32 flags;	   /* O_* */
	u32 mode;	   /* of a new file, umask not applied */
	unsigned int walk; /* more WALK_* */
	bool cached_only;  /* RESOLVE_CACHED: -EAGAIN if the name cache does not know */
	struct path *found; /* set when it is opened: what the name led to, referenced. NULL: not wanted */
};
struct file *file_open_at(const struct path *start, const char *name, const struct open_how_kernel *how,
			  const struct cred *cred) __must_check; /* ERR_PTR */
/* Opens what `path` names for `cred`; takes its own references. ERR_PTR. flags as open(2). */
struct file *file_open(const struct path *path, u32 flags, const struct cred *cred) __must_check;
/* By name from the kernel, relative to the current thread's context. */
struct file *file_open_name(const char *name, u32 flags, u32 mode, const struct cred *cred) __must_check;
/* A file without a name: pipes, sockets, eventfds. `name` shows in /proc/PID/fd as "name:[ino]". */
struct file *file_anonymous(const char *name, const struct tree_ops *ops, void *private, u32 flags,
			    u32 mode) __must_check;

/* Reads and writes with the checks of read(2): mode, ranges, position. pos NULL: the file's own. */
ssize_t file_read(struct file *file, struct iter *to, loff_t *pos);
ssize_t file_write(struct file *file, struct iter *from, loff_t *pos);
ssize_t kernel_read(struct file *file, void *buffer, size_t size, loff_t *pos) __must_check;
ssize_t kernel_write(struct file *file, const void *buffer, size_t size, loff_t *pos) __must_check;
loff_t file_seek(struct file *file, loff_t offset, int whence); /* lseek(2) */
loff_t file_seek_stays(struct file *file, loff_t offset,
		       int whence); /* for what has no positions, and does not mind */
loff_t file_seek_size(struct file *file, loff_t offset, int whence, u64 size); /* default for regular files */
/* Emits "." and ".." of an open directory at offsets 0 and 1; false: the receiver is full. */
bool dir_emit_dots(struct file *file, struct dir_context *context);
/* Reads entries from the file's position on, and moves it. -ENOTDIR, -ENOENT for a removed directory. */
int file_readdir(struct file *file, struct dir_context *context) __must_check;
/* Notes that the file was read, as the mount and O_NOATIME have it; relatime: only when it was changed since it was last read, or
 * a day has passed. */
void file_accessed(struct file *file);
int file_sync(struct file *file, bool data_only) __must_check; /* fsync(2), fdatasync(2): 0, -EIO, -EINTR, ... */
/* Of bytes [start, end), end > start. */
int file_sync_range(struct file *file, u64 start, u64 end, bool data_only) __must_check;
/* Writes pages of [start, end) out without making the file stable; wait: until they are written. sync_file_range(2). */
int file_write_out(struct file *file, u64 start, u64 end, bool wait) __must_check;
int file_allocate(struct file *file, int mode, loff_t offset, loff_t length) __must_check; /* fallocate(2) */
int file_truncate(struct file *file, u64 size, const struct cred *cred) __must_check; /* ftruncate(2) */
int path_truncate(const struct path *path, u64 size, const struct cred *cred) __must_check; /* truncate(2) */
/* The name for /proc/PID/fd and maps: a path, or "pipe:[5]"; as path_name(). */
char *file_name(struct file *file, char *buffer, size_t size);
/* A path that leads to what is open, also where it has no name: for links in /proc. The caller owns the references. */
int file_path(struct file *file, struct path *path) __must_check;
/* Takes the lock of pos, if others could use that, too: then *locked. -EINTR: killed while another's read or write went on. */
static inline __must_check int file_pos_lock(struct file *file, bool *locked)
{
	int error;

	*locked = false;
	if ((file->mode & FILE_STREAM) || refcount_read(&file->refs) == 1)
		return 0;
	error = mutex_lock_killable(&file->pos_lock);
	*locked = !error;
	return error;
}

/* Record and whole-file locks (fs/lock.c): fcntl(2), flock(2). */
struct flock;
struct files;
long file_lock_fcntl(struct file *file, unsigned int command, struct flock *lock) __must_check;
/*
 * The same for somebody of another machine, whom `owner` (any address that is his alone) and `pid` stand for. type: F_RDLCK, F_WRLCK,
 * F_UNLCK; of bytes [start, start + length), length 0: to the end of all files. -EAGAIN: others have locks there, and `wait` is not
 * said; -EDEADLK, -ENOLCK, -EBADF, -EINVAL. test: tells in *type, *start, *length and *pid what lock stands against it, or F_UNLCK.
 */
struct lock_range {
	short type;
	u64 start, length;
	int pid;
};
int file_lock_owned(struct file *file, const void *owner, const struct lock_range *range,
		    bool wait) __must_check;
int file_lock_test(struct file *file, const void *owner, struct lock_range *range) __must_check;
int file_lock_whole(struct file *file, int operation /* LOCK_* */) __must_check;
void file_locks_release_owner(struct file *file, const void *owner); /* a descriptor was closed */
void file_locks_release(struct file *file);			     /* the open file goes */
/* A line of /proc/locks about the lock with this number, from 0 on; its length, 0: there are not so many. */
#define FILE_LOCK_LINE_SIZE 160
int file_lock_describe(u64 number, char *buffer, size_t size) __must_check;

/* Descriptor tables. */
struct files { /* has cache lines of its own: other processes' lie beside it */
	refcount_t refs;
	spinlock_t lock;	/* changes; lookups run under RCU */
	struct fd_table *table; /* read under RCU; replaced when it grows */
	unsigned int next_fd;	/* no free one below */
} __cacheline_aligned;
struct fd_table {
	unsigned int size; /* descriptors, a multiple of 64 */
	struct file **files;
	unsigned long *used, *close_on_exec; /* a bit for each descriptor, under files->lock */
	struct rcu_head rcu;
};
struct files *files_create(void) __must_check;
struct files *files_copy(struct files *from, unsigned int up_to) __must_check; /* fork; ERR_PTR */
void files_put(struct files *files);
void files_close_on_exec(struct files *files);

/* A reference to what fd is open on; NULL: not open (or O_PATH, for fd_get). */
struct file *fd_get(unsigned int fd);
struct file *fd_get_path(unsigned int fd); /* O_PATH ones too */
/*
 * The fast form for a system call: no reference is taken when the table is not shared with other threads. Must be
 * matched by fd_release() in the same call.
 */
struct fd_ref {
	struct file *file; /* NULL: not open */
	bool counted;
};
struct fd_ref fd_borrow(unsigned int fd);
struct fd_ref fd_borrow_path(unsigned int fd); /* O_PATH ones too */
static inline void fd_release(struct fd_ref ref)
{
	if (unlikely(ref.counted) && ref.file)
		file_put(ref.file);
}
/* The lowest free descriptor from `from` on, reserved; -EMFILE, -ENOMEM. Then fd_install() or fd_unreserve(). */
int fd_reserve(unsigned int from, u32 flags /* O_CLOEXEC */) __must_check;
void fd_install(int fd, struct file *file); /* takes over the caller's reference */
void fd_unreserve(int fd);
/* A descriptor for a file that was just made. Takes the reference over, also on failure. flags: O_CLOEXEC. */
int fd_add(struct file *file, u32 flags) __must_check;
int fd_close(unsigned int fd);
int fd_duplicate(struct file *file, unsigned int from,
		 u32 flags) __must_check; /* F_DUPFD: takes its own reference */
int fd_replace(struct file *file, unsigned int fd,
	       u32 flags) __must_check; /* dup2, dup3: takes its own reference */
int fd_get_close_on_exec(unsigned int fd);
int fd_set_close_on_exec(unsigned int fd, bool on);
int fd_close_range(unsigned int first, unsigned int last,
		   bool only_mark); /* close_range(2), on the current table */
unsigned int files_limit(void);	    /* RLIMIT_NOFILE */
/* For /proc/PID/fd: the first open descriptor >= *fd of another thread's table, referenced; NULL at the end. */
struct file *files_next(struct files *files, unsigned int *fd);

/* poll (fs/poll.c): ops->poll calls poll_wait for each queue that may make it ready, then returns the POLL* bits. */
struct poll_table;
u32 file_poll(struct file *file, struct poll_table *table);

#endif
