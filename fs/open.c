/*
 * Opening: from a name, or a path, and O_ flags to a struct file. The checks and their order are Linux's; the kind of the
 * node decides who serves the open file: its tree, the device or pipe behind it.
 */
#include <kumo/device.h>
#include <kumo/error_sequence.h>
#include <kumo/export.h>
#include <kumo/lease.h>
#include <kumo/notify.h>
#include <kumo/pipe.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/string.h>
#include <linux/mount.h>

#include "internal.h"

#define O_ALLOWED_FOR_PATH (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* What F_GETFL does not show. */
#define O_NOT_KEPT (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

static const struct tree_ops path_only_ops; /* of O_PATH files: nothing can be done with them */

/* By O_ACCMODE: read, write, both; 3 asks for the permissions of both, and allows neither. */
static const u8 access_masks[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE };
static const u8 access_modes[] = { FILE_READ, FILE_WRITE, FILE_READ | FILE_WRITE, 0 };

static int may_open(const struct path *path, u32 *flags, const struct cred *cred)
{
	struct node *node = path_node(path);
	int mask = access_masks[*flags & O_ACCMODE];
	int error;

	if (*flags & O_TRUNC)
		mask |= MAY_WRITE;
	switch (node->attr.mode & S_IFMT) {
	case S_IFREG:
		break;
	case S_IFDIR:
		if (mask & MAY_WRITE)
			return -EISDIR;
		break;
	case S_IFLNK:
		return -ELOOP;
	case S_IFCHR:
	case S_IFBLK:
		if (path->mount->flags & MS_NODEV)
			return -EACCES;
		*flags &= ~O_TRUNC;
		break;
	default:
		*flags &= ~O_TRUNC;
		break;
	}
	error = unlikely(node->ops->permission) || !mode_permits(node, (u32)mask, cred) ||
				(mask & MAY_WRITE)
			? node_permission(node, mask, cred)
			: 0;
	if (error)
		return error;
	if (node_is_append_only(node) &&
	    ((*flags & O_ACCMODE && !(*flags & O_APPEND)) || *flags & O_TRUNC))
		return -EPERM;
	if (unlikely(*flags & O_NOATIME) && !node_owner_or_capable(node, cred))
		return -EPERM;
	return 0;
}

static struct file *file_open_path_only(const struct path *path, u32 flags, const struct cred *cred)
{
	struct file *file = file_alloc(flags & O_ALLOWED_FOR_PATH & ~O_CLOEXEC, cred);

	if (!file)
		return ERR_PTR(-ENOMEM);
	file->path = *path;
	file->node = path_node(path);
	file->ops = &path_only_ops;
	file->mode = FILE_PATH;
	return file;
}

/* Asks who serves a node of that kind. */
static int file_open_served(struct file *file, u32 kind, const struct cred *cred)
{
	switch (kind) {
	case S_IFDIR:
		if (path_is_union(&file->path))
			return union_open(file);
		return serve_open(file, cred);
	case S_IFREG:
		return serve_open(file, cred);
	case S_IFCHR:
	case S_IFBLK:
		return device_open(file, cred);
	case S_IFIFO:
		return pipe_open_fifo(file);
	default:
		return -ENXIO; /* sockets are connected to */
	}
}

/* Takes back what opening for writing has counted. */
static void file_writer_end(struct file *file)
{
	if (file->mode & FILE_WRITER) {
		node_write_end(file->node);
		mount_writer_put(file->path.mount);
	}
}

/* The open file that the tree gives in the place of `file`, which is let go with its path. */
static struct file *file_given_instead(struct file *file)
{
	struct file *given = file->private;
	struct path path = file->path;

	file_writer_end(file);
	file_free_unopened(file);
	path_put(&path);
	return given;
}

/* Opens what the path names; takes the path's references over when it succeeds. */
static struct file *file_open_take(const struct path *path, u32 flags, bool created,
				   const struct cred *cred)
{
	struct node *node = path_node(path);
	u32 kind = node->attr.mode & S_IFMT;
	struct page_cache *cache;
	struct file *file;
	int error;

	if (unlikely(flags & O_PATH))
		return file_open_path_only(path, flags, cred);
	if (!created) {
		error = may_open(path, &flags, cred);
		if (error)
			return ERR_PTR(error);
	}
	if (unlikely(flags & O_DIRECT) && (kind == S_IFREG || kind == S_IFDIR) && !node->ops->direct)
		return ERR_PTR(-EINVAL); /* nothing goes past the page cache */
	file = file_alloc(flags, cred);
	if (unlikely(!file))
		return ERR_PTR(-ENOMEM);
	file->path = *path;
	file->node = node;
	file->contents = node;
	file->ops = node->ops;
	file->mode = access_modes[flags & O_ACCMODE] | FILE_SEEK;

	/* Who only truncates writes, too: not what is being executed. Of memfd_create(2)'s files it is not looked at: programs
	 * execute them by the descriptor that they were written by. */
	if (kind == S_IFREG && path->mount != memfd_mount &&
	    ((file->mode & FILE_WRITE) || ((flags & O_TRUNC) && !created))) {
		error = mount_writer_get(path->mount);
		if (error)
			goto fail;
		error = node_write_begin(node);
		if (error) {
			mount_writer_put(path->mount);
			goto fail;
		}
		file->mode |= FILE_WRITER;
	}

	error = node_lease_break(node, file->mode & FILE_WRITE || flags & O_TRUNC,
				 !(flags & O_NONBLOCK));
	if (!error)
		error = file_open_served(file, kind, cred);
	if (error == OPEN_INSTEAD)
		return file_given_instead(file);
	if (error)
		goto fail;
	file->mode |= FILE_OPENED;
	cache = smp_load_acquire(&file->contents->cache);
	if (unlikely(cache && READ_ONCE(cache->errors)))
		file->error_seen = error_sequence_sample(&cache->errors);
	file->flags &= ~O_NOT_KEPT; /* which open itself looks at: O_NOCTTY */

	if ((flags & O_TRUNC) && !created && kind == S_IFREG) {
		struct attr_change change = { .valid = SETATTR_SIZE };

		error = entry_setattr(path->entry, &change, cred);
		if (error)
			goto fail_opened;
	}
	notify_file(file, IN_OPEN);
	return file;

fail_opened:
	path_get(path); /* its reference is the caller's */
	file_put(file);
	return ERR_PTR(error);
fail:
	file_writer_end(file);
	file_free_unopened(file);
	return ERR_PTR(error);
}

struct file *file_open(const struct path *path, u32 flags, const struct cred *cred)
{
	struct file *file;

	path_get(path);
	file = file_open_take(path, flags, false, cred);
	if (IS_ERR(file))
		path_put(path);
	return file;
}

struct file *file_open_unnamed(const struct path *dir, const struct node_new *what,
			       const char *text, u32 flags, const struct cred *cred)
{
	struct node *node, *parent = path_node(dir);
	struct path path = { .mount = dir->mount };
	struct file *file;
	struct node_new new = *what;
	int error = node_new_begin(&new, parent, cred);

	if (!error) {
		error = serve_create_unnamed(parent, &new, &node, cred);
		node_new_end(&new, error ? NULL : node);
	}
	if (error)
		return ERR_PTR(error);
	path.entry = entry_make_unnamed(dir->entry, node, text);
	if (!path.entry)
		return ERR_PTR(-ENOMEM);
	mount_get(path.mount);
	file = file_open_take(&path, flags, true, cred);
	if (IS_ERR(file))
		path_put(&path);
	return file;
}

/* The same for what a walk has found; takes the path's references over, also on failure. */
static struct file *file_open_found(const struct path *path, const struct open_how_kernel *how,
				    u32 flags, bool created, const struct cred *cred)
{
	struct path found = *path;
	struct file *file;

	if (unlikely(how->found))
		path_get(&found);
	file = file_open_take(path, flags, created, cred);
	if (IS_ERR(file))
		path_put(path);
	if (unlikely(how->found)) {
		if (IS_ERR(file))
			path_put(&found);
		else
			*how->found = found;
	}
	return file;
}

/* O_TMPFILE: a file in the directory that has no name; with O_EXCL it never gets one. */
static struct file *file_open_temporary(const struct path *dir, const struct open_how_kernel *how,
					const struct cred *cred)
{
	struct node_new what = { .mode = S_IFREG | (how->mode & 07777), .umask = fs_umask() };
	struct path creator;
	struct file *file;
	char text[24];
	int error;

	if (path_is_union(dir)) {
		creator = *dir;
		path_get(&creator);
		error = union_find_creator(&creator);
		file = error ? ERR_PTR(error) : file_open_temporary(&creator, how, cred);
		path_put(&creator);
		return file;
	}
	error = mount_want_write(dir->mount);
	if (!error)
		error = may_create_in(path_node(dir), cred);
	if (!error && !path_node(dir)->ops->create_unnamed)
		error = -EOPNOTSUPP;
	if (error)
		return ERR_PTR(error);
	(void)scnprintf(text, sizeof(text), "#%llu", (unsigned long long)tree_next_id());
	file = file_open_unnamed(dir, &what, text, how->flags, cred);
	if (!IS_ERR(file) && !(how->flags & O_EXCL))
		file->node->flags |= NODE_LINKABLE;
	return file;
}

/* The last element, which open shall make unless it is there. 1: it is a link, go on with its text. */
static int open_last_or_create(struct walk *walk, const struct open_how_kernel *how, bool *created,
			       const struct cred *cred)
{
	struct node *dir = path_node(&walk->path);
	struct node_new what = { .mode = S_IFREG | (how->mode & 07777),
				 .shared = !(how->flags & O_EXCL) };
	struct entry *entry;
	int error;

	if (name_kind(&walk->last) != NAME_NORMAL) {
		error = walk_last(walk);
		return error ? error : how->flags & O_EXCL ? -EEXIST : -EISDIR;
	}
	if (walk->must_be_directory) /* the name ends in a slash */
		return -EISDIR;
	if (path_is_union(&walk->path)) {
		error = walk->flags & WALK_NO_XDEV ? -EXDEV
						   : union_find(&walk->path, &walk->last, cred);
		if (error == -ENOENT)
			error = union_find_creator(&walk->path);
		if (error)
			return error;
		dir = path_node(&walk->path);
	}
	error = mutex_lock_killable(&dir->lock);
	if (error)
		return error;
	entry = lookup_locked(walk->path.entry, &walk->last, cred);
	if (IS_ERR(entry) && PTR_ERR(entry) == -ENOENT) {
		error = mount_want_write(walk->path.mount);
		if (!error) {
			what.umask = fs_umask();
			entry = create_locked(&walk->path, &walk->last, &what, cred);
		} else {
			entry = ERR_PTR(error);
		}
		*created = !IS_ERR(entry);
		if (what.shared && IS_ERR(entry) &&
		    PTR_ERR(entry) == -EEXIST) /* made behind the core, in between */
			entry = lookup_ask(walk->path.entry, &walk->last, NULL, cred);
	}
	mutex_unlock(&dir->lock);
	if (IS_ERR(entry))
		return (int)PTR_ERR(entry);
	if (!*created && (how->flags & O_EXCL)) {
		entry_put(entry);
		return -EEXIST;
	}
	error = walk_step_last(walk, entry);
	if (!error && !*created && S_ISDIR(path_node(&walk->path)->attr.mode))
		return -EISDIR;
	return error;
}

static struct file *file_open_create(const struct path *start, const char *name,
				     const struct open_how_kernel *how, unsigned int walk_flags,
				     const struct cred *cred)
{
	struct walk walk;
	struct file *file;
	bool created = false;
	int error = walk_begin(&walk, start, name, walk_flags, cred);

	if (error)
		return ERR_PTR(error);
	do {
		error = walk_to_parent(&walk);
		if (!error)
			error = open_last_or_create(&walk, how, &created, cred);
	} while (error == 1);
	if (!error)
		error = walk_check_scope(&walk);
	if (error) {
		file = ERR_PTR(error);
	} else {
		path_get(&walk.path); /* walk_end drops its own */
		file = file_open_found(&walk.path, how, how->flags, created, cred);
	}
	walk_end(&walk);
	return file;
}

struct file *file_open_at(const struct path *start, const char *name,
			  const struct open_how_kernel *how, const struct cred *cred)
{
	u32 flags = how->flags;
	unsigned int walk_flags = how->walk | (flags & O_NOFOLLOW ? 0 : WALK_FOLLOW);
	struct walk_peek peek;
	struct path path;
	struct file *file;
	int error;

	if (unlikely(flags & O_PATH))
		flags &= O_ALLOWED_FOR_PATH;
	if (flags & O_DIRECTORY)
		walk_flags |= WALK_DIRECTORY;
	if (unlikely(how->cached_only)) {
		rcu_read_lock();
		error = walk_peek(start, name, walk_flags, cred, &peek);
		if (!error && !walk_peek_keep(&peek))
			error = -ECHILD;
		rcu_read_unlock();
		if (error)
			return ERR_PTR(error == -ECHILD ? -EAGAIN : error);
		path = peek.path;
	} else if (flags & O_CREAT) {
		/* Most files that may be created are there. Then it is a plain open, but for directories. */
		error = -ECHILD;
		if (!(flags & O_EXCL)) {
			rcu_read_lock();
			error = walk_peek(start, name, walk_flags, cred, &peek);
			if (!error && (S_ISDIR(peek.node->attr.mode) || !walk_peek_keep(&peek)))
				error = -ECHILD;
			rcu_read_unlock();
		}
		if (error)
			return file_open_create(start, name, how, walk_flags & ~WALK_DIRECTORY, cred);
		path = peek.path;
	} else {
		error = path_walk(start, name, walk_flags, cred, &path);
		if (error)
			return ERR_PTR(error);
		if (unlikely((flags & O_TMPFILE) == O_TMPFILE)) {
			file = file_open_temporary(&path, how, cred);
			path_put(&path);
			return file;
		}
	}
	return file_open_found(&path, how, flags, false, cred);
}

struct file *file_open_name(const char *name, u32 flags, u32 mode, const struct cred *cred)
{
	struct open_how_kernel how = { .flags = flags, .mode = mode };

	return file_open_at(NULL, name, &how, cred);
}
EXPORT_SYMBOL(file_open);
EXPORT_SYMBOL(file_open_at);
EXPORT_SYMBOL(file_open_name);
