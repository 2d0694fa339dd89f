/*
 * Pseudo files (fs/pseudo.c): trees whose files are made by functions. A static directory is a table; a text file is a
 * line in it with a function that prints; a control file has one that takes lines of words.
 *
 *	static const struct pseudo_file files[] = {
 *		PSEUDO_TEXT("uptime", 0444, uptime_show),
 *		PSEUDO_CONTROL("ctl", 0644, state_show, control_write),
 *		PSEUDO_DIRECTORY("net", 0555, net_files),
 *		{},
 *	};
 */
#ifndef KUMO_PSEUDO_H
#define KUMO_PSEUDO_H

#include <kumo/file.h>
#include <kumo/tree.h>

/* Text under construction: grows as needed; printing into one that ran out of memory is remembered and reported at
 * the end. */
struct text {
	char *data;
	size_t length, capacity;
	bool failed;
	const struct cred *cred; /* for whom it is made: who opened the file; NULL: the kernel */
};
void text_printf(struct text *text, const char *format, ...) __printf(2, 3);
void text_puts(struct text *text, const char *s);
void text_putc(struct text *text, char c);
/* Digits in base 10 or 16, filled to a width (at most 32) from the left: for files of many lines, where text_printf() is too slow. */
void text_number(struct text *text, u64 value, unsigned int base, unsigned int width, char fill);
void text_write(struct text *text, const void *data, size_t size);
/* The characters of `special` (and control characters of it only) are written \ooo. */
void text_puts_escaped(struct text *text, const char *s, const char *special);
void text_release(struct text *text);

/* `object` is what the directory belongs to: NULL for static ones, else what pseudo_directory_add was given, or the
 * process in /proc/PID. */
typedef int (*pseudo_show)(struct text *text, void *object);
/* For files too long to be made at once: prints the next records from *cursor (0 at first) on and moves it. Above 0 when there
 * may be more, 0 at the end. */
typedef int (*pseudo_next)(struct text *text, void *object, u64 *cursor);
/* Takes one write: kernel text, NUL-terminated, a trailing newline cut off. 0 or negative errno. */
typedef int (*pseudo_store)(const char *words, size_t length, void *object, const struct cred *cred);

struct pseudo_file {
	const char *name; /* "": no file, but names that `dynamic` makes beside the others of the table */
	u32 mode;	  /* S_IF* and permissions */
	pseudo_show show;
	pseudo_store store;
	const struct pseudo_file *children; /* directory: its table, ended by a NULL name */
	int (*target)(char *buffer, size_t size, void *object); /* symbolic link: prints where to; length */
	int (*follow)(struct path *path, void *object);		/* link to an object */
	/* A file with operations of its own. open finds what pseudo_object() tells; the tables must stay as long as the tree is
	 * mounted (they are not waited for when a directory is removed). */
	const struct tree_ops *ops;
	/* A dynamic directory: names made by functions (e.g. /proc's pids, fd). */
	const struct pseudo_dynamic *dynamic;
	pseudo_next next;
	/* For `next`: what stays the same while the file is open, and stands in for the object then. Made at open (ERR_PTR), let go
	 * of at close. */
	void *(*hold)(void *object);
	void (*release)(void *held);
	/* The POLL* bits of what is held; *seen (0 at first) is this open file's to remember what it told. */
	u32 (*poll)(void *held, struct file *file, struct poll_table *table, u64 *seen);
	/* A check beyond the mode bits, before the file is opened or the link followed; 0 or negative errno. */
	int (*allow)(void *object, const struct cred *cred);
	/* May the current thread read and search the directory, whoever its owner is? */
	bool (*permits)(void *object);
};

#define PSEUDO_TEXT(name_, mode_, show_)                                                           \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .show = (show_)                        \
	}
#define PSEUDO_RECORDS(name_, mode_, next_)                                                        \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .next = (next_)                        \
	}
#define PSEUDO_CONTROL(name_, mode_, show_, store_)                                                \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .show = (show_), .store = (store_)     \
	}
#define PSEUDO_DIRECTORY(name_, mode_, children_)                                                  \
	{                                                                                          \
		.name = (name_), .mode = S_IFDIR | (mode_), .children = (children_)                \
	}
#define PSEUDO_DYNAMIC(name_, mode_, dynamic_)                                                     \
	{                                                                                          \
		.name = (name_), .mode = S_IFDIR | (mode_), .dynamic = (dynamic_)                  \
	}
#define PSEUDO_LINK(name_, target_)                                                                \
	{                                                                                          \
		.name = (name_), .mode = S_IFLNK | 0777, .target = (target_)                       \
	}
#define PSEUDO_OPS(name_, mode_, ops_)                                                             \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .ops = (ops_)                          \
	}

struct pseudo_dynamic {
	/* The object that `name` names, referenced (released by put), and the table entry that describes it; NULL: none. */
	void *(*lookup)(const struct name *name, void *object, const struct pseudo_file **file);
	/* Calls pseudo_emit for the names from context->offset (0 at first) on; returns when that says it is full. */
	int (*list)(struct dir_context *context, void *object);
	void (*put)(void *object);
	/* Whose the files of an object are; absent: root's. */
	void (*owner)(void *object, u32 *uid, u32 *gid);
};
bool pseudo_emit(struct dir_context *context, const char *name, u64 next_offset, u32 type /* DT_* */);

/* What the file of a pseudo tree belongs to: for operations of its own. */
void *pseudo_object(struct node *node);
const struct pseudo_file *pseudo_description(struct node *node); /* its entry in a table */

/*
 * Directories that come and go while the tree is mounted (/sys/module/NAME, /sys/class/...). The handle pins nothing
 * of the caller's: pseudo_directory_remove() returns when no reader is inside any file of it and none will be; what was
 * added below it goes with it, and those handles are then no longer valid. Tables added by modules hold no `dynamic`.
 * parent NULL: the tree's root. ERR_PTR(-EEXIST, -ENOMEM).
 */
struct pseudo_directory;
struct pseudo_tree;
extern struct pseudo_tree *proc_tree, *sys_tree;
struct pseudo_directory *pseudo_directory_add(struct pseudo_tree *tree,
					      struct pseudo_directory *parent, const char *name,
					      const struct pseudo_file *files, void *object);
void pseudo_directory_remove(struct pseudo_directory *directory);
/* A well-known directory of /sys or /proc by path ("module", "class"), made at need; NULL: no memory. It is never
 * removed. */
struct pseudo_directory *pseudo_directory_path(struct pseudo_tree *tree, const char *path);
/* Single files and links within a dynamic directory; the file table entry is not copied and must outlive it. */
int pseudo_file_add(struct pseudo_directory *directory, const struct pseudo_file *file,
		    void *object) __must_check;
void pseudo_file_remove(struct pseudo_directory *directory, const char *name); /* files and links; waits, too */
int pseudo_link_add(struct pseudo_directory *directory, const char *name, const char *target) __must_check;

/*
 * A component with a tree of its own: pseudo_tree_create() with the table of its root, tree_ops of
 * { PSEUDO_TREE_OPERATIONS, .attach = ... } whose attach calls pseudo_tree_attach(), and pseudo_tree_destroy() when its
 * tree type is unregistered and unmounted. The flag TREE_NO_CACHE_NAMES is set by attach.
 */
extern const struct tree_ops pseudo_tree_ops; /* these operations, without attach */
struct pseudo_tree *pseudo_tree_create(const struct pseudo_file *root) __must_check; /* NULL: no memory */
void pseudo_tree_destroy(struct pseudo_tree *tree);
int pseudo_tree_attach(struct tree *tree, struct pseudo_tree *pseudo) __must_check;

int pseudo_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
		u64 *negative_until_ns, const struct cred *cred);
ssize_t pseudo_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred);
int pseudo_follow(struct node *node, struct path *path, const struct cred *cred);
int pseudo_setattr(struct node *node, const struct attr_change *change, const struct cred *cred);
int pseudo_open(struct file *file, const struct cred *cred);
void pseudo_clunk(struct file *file);
ssize_t pseudo_read(struct file *file, struct iter *to, loff_t *pos);
ssize_t pseudo_write(struct file *file, struct iter *from, loff_t *pos);
int pseudo_readdir(struct file *file, struct dir_context *context);
int pseudo_fsync(struct file *file, bool data_only);
bool pseudo_permits(struct node *node, int mask);
loff_t pseudo_seek(struct file *file, loff_t offset, int whence);
int pseudo_statfs(struct tree *tree, struct statfs_info *info);
void pseudo_forget(struct node *node);
#define PSEUDO_TREE_OPERATIONS                                                                     \
	.statfs = pseudo_statfs, .walk = pseudo_walk, .readlink = pseudo_readlink,                 \
	.follow = pseudo_follow, .setattr = pseudo_setattr, .open = pseudo_open,                   \
	.clunk = pseudo_clunk, .read = pseudo_read, .write = pseudo_write,                         \
	.readdir = pseudo_readdir, .seek = pseudo_seek, .fsync = pseudo_fsync,                     \
	.permits = pseudo_permits, .forget = pseudo_forget, .release = pseudo_forget

#endif
