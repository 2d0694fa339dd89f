/* Open files of a process that serves a tree, and descriptors as files, which transports are. */
#include "../../fs/internal.h"

#include <kumo/err.h>
#include <kumo/poll.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/mount.h>
#include <unistd.h>

#include "descriptors.h"
#include "serve.h"

#define DAY_NS (24 * 3600 * (s64)NSEC_PER_SEC)

/* ---- Opening ---- */

static const u8 access_masks[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE };
static const u8 access_modes[] = { FILE_READ, FILE_WRITE, FILE_READ | FILE_WRITE, 0 };

static int may_open(struct node *node, u32 flags, const struct cred *cred)
{
	int mask = access_masks[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
	int error;

	switch (node->attr.mode & S_IFMT) {
	case S_IFREG:
		break;
	case S_IFDIR:
		if (mask & MAY_WRITE)
			return -EISDIR;
		break;
	case S_IFLNK:
		return -ELOOP;
	default:
		return -ENXIO; /* what it stands for is where the client is */
	}
	error = node_permission(node, mask, cred);
	if (!error && node_is_append_only(node) &&
	    ((flags & O_ACCMODE && !(flags & O_APPEND)) || flags & O_TRUNC))
		error = -EPERM;
	return error;
}

static struct file *file_make(u32 flags, u32 mode, const struct tree_ops *ops)
{
	struct file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return NULL;
	file->flags = flags;
	file->mode = mode;
	file->ops = ops;
	refcount_set(&file->refs, 1);
	mutex_init(&file->pos_lock, "file");
	return file;
}

/* What may be opened, or has just been made. */
static struct file *file_open_allowed(const struct path *path, u32 flags, const struct cred *cred)
{
	struct node *node = path_node(path);
	struct file *file = file_make(flags, access_modes[flags & O_ACCMODE] | FILE_SEEK, node->ops);
	int error = 0;

	if (!file)
		return ERR_PTR(-ENOMEM);
	file->node = file->contents = node;
	file->path = *path;
	path_get(path);
	file->cred = cred_get(cred);
	if (node->ops->open)
		error = node->ops->open(file, cred);
	if (!error)
		file->mode |= FILE_OPENED;
	if (!error && flags & O_TRUNC && S_ISREG(node->attr.mode)) {
		struct attr_change change = { .valid = SETATTR_SIZE };

		error = entry_setattr(path->entry, &change, cred);
	}
	if (!error)
		return file;
	file_put(file);
	return ERR_PTR(error);
}

struct file *file_open(const struct path *path, u32 flags, const struct cred *cred)
{
	int error = may_open(path_node(path), flags, cred);

	return error ? ERR_PTR(error) : file_open_allowed(path, flags, cred);
}

/* The entry of the name, made if it is not there (*created). */
static struct entry *lookup_or_create(const struct path *dir, const struct name *name,
				      const struct open_how_kernel *how, bool *created,
				      const struct cred *cred)
{
	struct node_new what = { .mode = S_IFREG | (how->mode & 07777) };
	struct entry *entry;
	int error;

	if (!S_ISDIR(path_node(dir)->attr.mode))
		return ERR_PTR(-ENOTDIR);
	error = mutex_lock_killable(&path_node(dir)->lock);
	if (error)
		return ERR_PTR(error);
	entry = lookup_locked(dir->entry, name, cred);
	if (IS_ERR(entry) && PTR_ERR(entry) == -ENOENT) {
		error = mount_want_write(dir->mount);
		entry = error ? ERR_PTR(error) : create_locked(dir, name, &what, cred);
		*created = !IS_ERR(entry);
	} else if (!IS_ERR(entry) && how->flags & O_EXCL) {
		entry_put(entry);
		entry = ERR_PTR(-EEXIST);
	}
	mutex_unlock(&path_node(dir)->lock);
	return entry;
}

struct file *file_open_at(const struct path *start, const char *name,
			  const struct open_how_kernel *how, const struct cred *cred)
{
	struct name last = name_make(name, (u32)strlen(name));
	struct path path = { .mount = start->mount };
	bool created = false;
	struct file *file;

	path.entry = lookup_or_create(start, &last, how, &created, cred);
	if (IS_ERR(path.entry))
		return (struct file *)path.entry;
	file = created ? file_open_allowed(&path, how->flags & ~(u32)O_TRUNC, cred)
		       : file_open(&path, how->flags, cred);
	if (IS_ERR(file) || !how->found)
		path_put(&path);
	else
		*how->found = path;
	return file;
}

void file_put(struct file *file)
{
	if (!refcount_dec_and_test(&file->refs))
		return;
	if (file->mode & FILE_OPENED && file->ops->clunk)
		file->ops->clunk(file);
	if (file->cred)
		cred_put(file->cred);
	path_put(&file->path);
	kfree(file);
}

/* ---- Bytes ---- */

/* As with relatime: once after each change, else once a day. */
void file_accessed(struct file *file)
{
	const struct attr *attr = &file->node->attr;
	s64 now = (s64)time_realtime_ns();

	if (file->flags & O_NOATIME || file->node->tree->flags & TREE_READ_ONLY ||
	    attr->flags & FS_NOATIME_FL)
		return;
	if (attr->atime_ns <= attr->mtime_ns || attr->atime_ns <= attr->ctime_ns ||
	    now - attr->atime_ns >= DAY_NS)
		node_touch(file->node, true, false, false);
}

ssize_t file_read(struct file *file, struct iter *to, loff_t *pos)
{
	ssize_t result;

	if (!(file->mode & FILE_READ))
		return -EBADF;
	if (!file->node)
		return file->ops->read(file, to, pos);
	if (S_ISDIR(file->node->attr.mode))
		return -EISDIR;
	if (*pos < 0 || !file->ops->read)
		return -EINVAL;
	result = file->ops->read(file, to, pos);
	if (result >= 0)
		file_accessed(file);
	return result;
}

ssize_t file_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct node *node = file->node;
	ssize_t result;

	if (!(file->mode & FILE_WRITE))
		return -EBADF;
	if (!node)
		return file->ops->write(file, from, pos);
	if (*pos < 0 || !file->ops->write)
		return -EINVAL;
	result = mutex_lock_killable(&node->lock);
	if (result)
		return result;
	if (file->flags & O_APPEND)
		*pos = (loff_t)node_size(node);
	if (node_is_immutable(node))
		result = -EPERM;
	else if (from->count > (u64)INT64_MAX - (u64)*pos)
		result = -EFBIG;
	if (!result) {
		if (S_ISREG(node->attr.mode))
			file_remove_privileges(file);
		result = file->ops->write(file, from, pos);
	}
	mutex_unlock(&node->lock);
	if (result > 0 && file->flags & (O_SYNC | O_DSYNC)) {
		int error = file_sync(file, !(file->flags & __O_SYNC));

		result = error ? error : result;
	}
	return result;
}

int file_sync(struct file *file, bool data_only)
{
	return file->ops->fsync ? file->ops->fsync(file, data_only) : 0;
}

int file_readdir(struct file *file, struct dir_context *context)
{
	struct node *node = file->node;
	int error;

	if (!S_ISDIR(node->attr.mode) || !file->ops->readdir)
		return -ENOTDIR;
	error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	context->offset = file->pos;
	error = node->flags & NODE_DEAD ? -ENOENT : file->ops->readdir(file, context);
	file->pos = context->offset;
	mutex_unlock(&node->lock);
	file_accessed(file);
	return error;
}

/* Of directories alone: offsets are the tree's. */
loff_t file_seek(struct file *file, loff_t offset, int whence)
{
	file->pos = offset;
	return offset;
}

bool dir_emit_dots(struct file *file, struct dir_context *context)
{
	struct path *path = &file->path;
	u64 parent = path->entry->parent->node->attr.id;

	if (context->offset < 1) {
		if (!context->add(context, ".", 1, 1, file->node->attr.id, DT_DIR))
			return false;
		context->offset = 1;
	}
	if (context->offset < 2) {
		if (!context->add(context, "..", 2, 2, parent, DT_DIR))
			return false;
		context->offset = 2;
	}
	return true;
}

/* ---- Size ---- */

static int truncate_entry(struct entry *entry, u64 size, const struct cred *cred)
{
	struct attr_change change = { .valid = SETATTR_SIZE, .size = size };

	return entry_setattr(entry, &change, cred);
}

int file_truncate(struct file *file, u64 size, const struct cred *cred)
{
	if (node_is_append_only(file->node) || node_is_immutable(file->node))
		return -EPERM;
	return truncate_entry(file->path.entry, size, cred);
}

int path_truncate(const struct path *path, u64 size, const struct cred *cred)
{
	struct node *node = path_node(path);
	int error;

	if (!S_ISREG(node->attr.mode))
		return S_ISDIR(node->attr.mode) ? -EISDIR : -EINVAL;
	error = mount_want_write(path->mount);
	if (!error)
		error = node_permission(node, MAY_WRITE, cred);
	if (!error && node_is_append_only(node))
		error = -EPERM;
	return error ? error : truncate_entry(path->entry, size, cred);
}

/* ---- Record locks: a client keeps its own ---- */

int file_lock_owned(struct file *file, const void *owner, const struct lock_range *range, bool wait)
{
	return -EOPNOTSUPP;
}

int file_lock_test(struct file *file, const void *owner, struct lock_range *range)
{
	return -EOPNOTSUPP;
}

void file_locks_release_owner(struct file *file, const void *owner)
{
}

/* ---- Descriptors ---- */

static int descriptor_of(const struct file *file)
{
	return (int)(long)file->private;
}

static int wait_uncancelled(int fd, bool to_write)
{
	if (__atomic_load_n(&current->cancelled, __ATOMIC_ACQUIRE))
		return -EINTR;
	return descriptor_wait(fd, to_write);
}

static ssize_t descriptor_read(struct file *file, struct iter *to, loff_t *pos)
{
	void *at;
	size_t room = iter_peek(to, &at);
	ssize_t got;

	do
		got = wait_uncancelled(descriptor_of(file), false);
	while (!got && (got = descriptor_get(descriptor_of(file), at, room)) == -EAGAIN);
	if (got > 0)
		iter_advance(to, (size_t)got);
	return got;
}

static ssize_t descriptor_write(struct file *file, struct iter *from, loff_t *pos)
{
	void *at;
	size_t size = iter_peek(from, &at);
	ssize_t put;

	while ((put = descriptor_put(descriptor_of(file), at, size)) == -EAGAIN) {
		put = wait_uncancelled(descriptor_of(file), true);
		if (put)
			return put;
	}
	if (put > 0)
		iter_advance(from, (size_t)put);
	return put;
}

static void descriptor_clunk(struct file *file)
{
	close(descriptor_of(file));
}

static const struct tree_ops descriptor_ops = { .read = descriptor_read,
						.write = descriptor_write,
						.clunk = descriptor_clunk };

struct file *descriptor_file(int fd)
{
	struct file *file = file_make(O_RDWR, FILE_READ | FILE_WRITE | FILE_OPENED, &descriptor_ops);

	if (file)
		file->private = (void *)(long)fd;
	return file;
}

u32 file_poll(struct file *file, struct poll_table *table)
{
	if (!table)
		return descriptor_is_gone(descriptor_of(file)) ? POLLHUP : 0;
	container_of(table, struct poll_waiter, table)->file = file;
	return 0;
}

int poll_waiter_sleep(struct poll_waiter *waiter, u64 deadline_ns)
{
	return wait_uncancelled(descriptor_of(waiter->file), waiter->table.events & POLLOUT);
}
