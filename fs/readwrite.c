/*
 * Reading, writing and seeking in open files: the checks that are the same for whatever is open, Linux's in Linux's order.
 */
#include <kumo/export.h>
#include <kumo/lease.h>
#include <kumo/notify.h>
#include <kumo/pagecache.h>
#include <kumo/serve.h>
#include <kumo/signal.h>
#include <kumo/uaccess.h>
#include <kumo/writeback.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "internal.h"

/* Linux transfers at most so much in one call. */
#define TRANSFER_MAX (0x7fffffffUL & PAGE_MASK)

void file_accessed(struct file *file)
{
	struct node *node = file->node;
	const struct attr *attr = &node->attr;
	unsigned long flags;
	u64 now;

	if ((file->flags & O_NOATIME) || !file->path.mount || unlikely(attr->flags & FS_NOATIME_FL))
		return;
	flags = file->path.mount->flags;
	if (unlikely(flags & (MS_NOATIME | MS_RDONLY)) || (node->tree->flags & TREE_READ_ONLY) ||
	    ((flags & MS_NODIRATIME) && S_ISDIR(attr->mode)))
		return;
	if ((flags & MS_RELATIME) && attr->atime_ns > attr->mtime_ns && attr->atime_ns > attr->ctime_ns) {
		now = time_realtime_ns();
		if ((s64)now - attr->atime_ns < 24 * 3600 * (s64)NSEC_PER_SEC)
			return;
	}
	node_touch(node, true, false, false);
}

/* O_DIRECT: what the cache holds of the range goes out first, and (writes) is dropped before and after. node->lock is held for
 * the write of a regular file. */
static ssize_t transfer_direct(struct file *file, struct iter *iter, loff_t *pos, bool write)
{
	struct page_cache *cache = smp_load_acquire(&file->contents->cache);
	u64 start = (u64)*pos, end = start + iter->count;
	ssize_t result = 0;

	if (start == end || (!write && S_ISREG(file->node->attr.mode) && start >= node_size(file->node)))
		return 0;
	if (cache)
		result = page_cache_sync(cache, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	if (result)
		return result;
	if (cache && write)
		page_cache_drop(cache, start, end);
	if (cache && write && S_ISREG(file->node->attr.mode) && start > node_size(file->node))
		page_cache_extend(cache, node_size(file->node));
	result = serve_direct(file, iter, *pos, write);
	cache = smp_load_acquire(&file->contents->cache);
	if (cache && write)
		page_cache_drop(cache, start, end); /* what somebody has read in meanwhile */
	if (result > 0)
		*pos += result;
	return result;
}

/* What is done in the page cache alone does not ask the tree's instance. */
static inline ssize_t read_bytes(struct file *file, struct iter *to, loff_t *pos)
{
	if (likely(file->ops->read == page_cache_read))
		return page_cache_read(file, to, pos);
	return file->mode & FILE_SERVED ? serve_read(file, to, pos) : file->ops->read(file, to, pos);
}

ssize_t file_read(struct file *file, struct iter *to, loff_t *pos)
{
	u32 kind = file->node->attr.mode & S_IFMT;
	bool locked = false;
	ssize_t result;

	if (unlikely(!(file->mode & FILE_READ)))
		return -EBADF;
	if (unlikely(!file->ops->read && kind != S_IFDIR))
		return -EINVAL;
	if (unlikely(to->count > TRANSFER_MAX))
		to->count = TRANSFER_MAX;
	if (!pos) {
		result = file_pos_lock(file, &locked);
		if (unlikely(result))
			return result;
		pos = &file->pos;
	}
	if (unlikely(*pos < 0 || (loff_t)((u64)*pos + to->count) < 0))
		result = -EINVAL;
	else if (unlikely(kind == S_IFDIR))
		result = -EISDIR;
	else if (unlikely(file->flags & O_DIRECT) && file->ops->direct)
		result = transfer_direct(file, to, pos, false);
	else
		result = read_bytes(file, to, pos);
	if (locked)
		mutex_unlock(&file->pos_lock);
	current->io.reads++;
	if (result > 0) {
		current->io.bytes_read += (size_t)result;
		if (kind == S_IFREG)
			file_accessed(file);
		notify_file(file, IN_ACCESS);
	}
	return result;
}

/* Where RLIMIT_FSIZE cuts a write: how much may be written, or -EFBIG with the signal sent. */
static ssize_t limit_file_size(loff_t pos, size_t count)
{
	struct process *process = current->process;
	u64 limit = process ? READ_ONCE(process->limits[RLIMIT_FSIZE].rlim_cur) : RLIM_INFINITY;

	if (likely(limit == RLIM_INFINITY))
		return (ssize_t)count;
	if ((u64)pos >= limit) {
		signal_send_self(SIGXFSZ);
		return -EFBIG;
	}
	return (ssize_t)min((u64)count, limit - (u64)pos);
}

/* Where RLIMIT_FSIZE forbids to make a file longer: -EFBIG with the signal sent. */
static int may_have_size(const struct node *node, u64 size)
{
	ssize_t allowed = size > node_size(node) ? limit_file_size((loff_t)size - 1, 1) : 0;

	return allowed < 0 ? (int)allowed : 0;
}

static inline ssize_t write_bytes(struct file *file, struct iter *from, loff_t *pos)
{
	if (unlikely(file->flags & O_DIRECT) && file->ops->direct)
		return transfer_direct(file, from, pos, true);
	if (likely(file->ops->write == page_cache_write))
		return page_cache_write(file, from, pos);
	return file->mode & FILE_SERVED ? serve_write(file, from, pos)
					: file->ops->write(file, from, pos);
}

static ssize_t write_regular(struct file *file, struct iter *from, loff_t *pos)
{
	struct node *node = file->node;
	ssize_t result = mutex_lock_killable(&node->lock);
	size_t asked = from->count;

	if (result)
		return result;
	if ((file->flags & O_APPEND) || from->append)
		*pos = (loff_t)node_size(node);
	/* It may have been opened before it was marked so. */
	result = node_is_immutable(node) ? -EPERM : limit_file_size(*pos, asked);
	if (result >= 0) {
		from->count = (size_t)result;
		file_remove_privileges(file);
		result = write_bytes(file, from, pos);
	}
	mutex_unlock(&node->lock);
	if (unlikely(file->flags & O_DSYNC || READ_ONCE(node->attr.flags) & FS_SYNC_FL) && result > 0) {
		int error = file_sync_range(file, (u64)(*pos - result), (u64)*pos,
					    file->flags & O_DSYNC && !(file->flags & __O_SYNC));

		if (error)
			return error;
	}
	return result;
}

ssize_t file_write(struct file *file, struct iter *from, loff_t *pos)
{
	bool regular = S_ISREG(file->node->attr.mode), locked = false;
	ssize_t result;

	if (unlikely(!(file->mode & FILE_WRITE)))
		return -EBADF;
	if (unlikely(!file->ops->write))
		return -EINVAL;
	if (unlikely(from->count > TRANSFER_MAX))
		from->count = TRANSFER_MAX;
	if (!pos) {
		result = file_pos_lock(file, &locked);
		if (unlikely(result))
			return result;
		pos = &file->pos;
	}
	if (unlikely(*pos < 0 || (loff_t)((u64)*pos + from->count) < 0))
		result = -EINVAL;
	else if (regular)
		result = from->count ? write_regular(file, from, pos) : 0;
	else
		result = write_bytes(file, from, pos);
	if (locked)
		mutex_unlock(&file->pos_lock);
	current->io.writes++;
	if (result > 0) {
		current->io.bytes_written += (size_t)result;
		notify_file(file, IN_MODIFY);
	}
	return result;
}

ssize_t kernel_read(struct file *file, void *buffer, size_t size, loff_t *pos)
{
	size_t done = 0;

	while (done < size) {
		struct iter iter;
		ssize_t part;

		iter_init_kernel(&iter, (char *)buffer + done, size - done);
		part = file_read(file, &iter, pos);
		if (part < 0)
			return done ? (ssize_t)done : part;
		if (!part)
			break;
		done += (size_t)part;
	}
	return (ssize_t)done;
}

ssize_t kernel_write(struct file *file, const void *buffer, size_t size, loff_t *pos)
{
	size_t done = 0;

	while (done < size) {
		struct iter iter;
		ssize_t part;

		iter_init_kernel(&iter, (const char *)buffer + done, size - done);
		part = file_write(file, &iter, pos);
		if (part <= 0)
			return done || !part ? (ssize_t)done : part;
		done += (size_t)part;
	}
	return (ssize_t)done;
}

/* ---- Seeking ---- */

loff_t file_seek_size(struct file *file, loff_t offset, int whence, u64 size)
{
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		if (!offset)
			return file->pos;
		if (__builtin_add_overflow(file->pos, offset, &offset))
			return -EINVAL;
		break;
	case SEEK_END:
		if (__builtin_add_overflow((loff_t)size, offset, &offset))
			return -EINVAL;
		break;
	case SEEK_DATA: /* without knowledge of holes all is data, and the end is the one hole */
		if ((u64)offset >= size)
			return -ENXIO;
		break;
	case SEEK_HOLE:
		if ((u64)offset >= size)
			return -ENXIO;
		offset = (loff_t)size;
		break;
	default:
		return -EINVAL;
	}
	if (offset < 0)
		return -EINVAL;
	file->pos = offset;
	return offset;
}

loff_t file_seek_stays(struct file *file, loff_t offset, int whence)
{
	file->pos = 0;
	return 0;
}

loff_t file_seek(struct file *file, loff_t offset, int whence)
{
	struct node *node = file->node;
	bool locked;
	loff_t result;

	if ((unsigned int)whence > SEEK_MAX)
		return -EINVAL;
	if (!(file->mode & FILE_SEEK) && !file->ops->seek)
		return -ESPIPE;
	result = file_pos_lock(file, &locked);
	if (result)
		return result;
	if (file->ops->seek)
		result = serve_seek(file, offset, whence);
	else
		result = file_seek_size(file, offset, whence,
					S_ISREG(node->attr.mode) ? node_size(node) : 0);
	if (locked)
		mutex_unlock(&file->pos_lock);
	return result;
}

/* ---- Directories ---- */

bool dir_emit_dots(struct file *file, struct dir_context *context)
{
	struct entry *entry = file->path.entry, *parent;
	u64 parent_id = file->node->attr.id;

	if (context->offset == 0) {
		if (!context->add(context, ".", 1, 1, file->node->attr.id, 4 /* DT_DIR */))
			return false;
		context->offset = 1;
	}
	if (context->offset == 1) {
		if (entry) {
			spin_lock(&names_lock); /* the parent may change otherwise */
			parent = entry->parent;
			parent_id = parent->node->attr.id;
			spin_unlock(&names_lock);
		}
		if (!context->add(context, "..", 2, 2, parent_id, 4))
			return false;
		context->offset = 2;
	}
	return true;
}

/* The directory's node->lock keeps it as it is. A union has none of its own: its members are listed as files of theirs. */
static int readdir_locked(struct file *file, struct dir_context *context)
{
	struct node *node = file->node;
	int error;

	if (!(file->mode & FILE_SERVED))
		return file->ops->readdir(file, context);
	error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	error = serve_readdir(file, context);
	mutex_unlock(&node->lock);
	return error;
}

int file_readdir(struct file *file, struct dir_context *context)
{
	struct node *node = file->node;
	bool locked;
	int error;

	if (!S_ISDIR(node->attr.mode) || !file->ops->readdir)
		return -ENOTDIR;
	error = file_pos_lock(file, &locked);
	if (error)
		return error;
	if (node->flags & NODE_DEAD) {
		error = -ENOENT;
	} else {
		context->offset = file->pos;
		error = readdir_locked(file, context);
		file->pos = context->offset;
		file_accessed(file);
		if (!error)
			notify_file(file, IN_ACCESS);
	}
	if (locked)
		mutex_unlock(&file->pos_lock);
	return error;
}

/* ---- Size ---- */

int file_allocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct node *node = file->node;
	int error;

	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
		     FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP;
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) ==
	    (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (((mode & FALLOC_FL_COLLAPSE_RANGE) && mode != FALLOC_FL_COLLAPSE_RANGE) ||
	    ((mode & FALLOC_FL_INSERT_RANGE) && mode != FALLOC_FL_INSERT_RANGE) ||
	    ((mode & FALLOC_FL_UNSHARE_RANGE) &&
	     (mode & ~(FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE))))
		return -EINVAL;
	if (!(file->mode & FILE_WRITE))
		return -EBADF;
	if (S_ISFIFO(node->attr.mode))
		return -ESPIPE;
	if (S_ISDIR(node->attr.mode))
		return -EISDIR;
	if (!S_ISREG(node->attr.mode) && !S_ISBLK(node->attr.mode))
		return -ENODEV;
	if (offset + length < 0)
		return -EFBIG;
	if (node_is_immutable(node) || (mode & ~FALLOC_FL_KEEP_SIZE && node_is_append_only(node)))
		return -EPERM;
	if (!file->ops->fallocate)
		return -EOPNOTSUPP;
	error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	if (!(mode & FALLOC_FL_PUNCH_HOLE)) /* as on Linux, FALLOC_FL_KEEP_SIZE does not help */
		error = may_have_size(node, (u64)(offset + length));
	if (!error) {
		file_remove_privileges(file);
		error = serve_fallocate(file, mode, (u64)offset, (u64)length);
	}
	mutex_unlock(&node->lock);
	if (!error)
		notify_file(file, IN_MODIFY);
	return error;
}

static int entry_truncate(struct entry *entry, u64 size, const struct cred *cred)
{
	struct attr_change change = { .valid = SETATTR_SIZE, .size = size };
	int error = may_have_size(entry->node, size);

	return error ? error : entry_setattr(entry, &change, cred);
}

int file_truncate(struct file *file, u64 size, const struct cred *cred)
{
	if (!S_ISREG(file->node->attr.mode) || !(file->mode & FILE_WRITE) || !file->path.entry)
		return -EINVAL;
	if (node_is_append_only(file->node) || node_is_immutable(file->node))
		return -EPERM;
	return entry_truncate(file->path.entry, size, cred);
}

int path_truncate(const struct path *path, u64 size, const struct cred *cred)
{
	struct node *node = path_node(path);
	int error;

	if (S_ISDIR(node->attr.mode))
		return -EISDIR;
	if (!S_ISREG(node->attr.mode))
		return -EINVAL;
	error = mount_want_write(path->mount);
	if (!error)
		error = node_permission(node, MAY_WRITE, cred);
	if (!error && node_is_append_only(node))
		error = -EPERM;
	if (!error)
		error = node_write_begin(node);
	if (error)
		return error;
	error = node_lease_break(node, true, true);
	if (!error)
		error = entry_truncate(path->entry, size, cred);
	node_write_end(node);
	return error;
}
EXPORT_SYMBOL(file_accessed);
EXPORT_SYMBOL(file_read);
EXPORT_SYMBOL(file_write);
EXPORT_SYMBOL(kernel_read);
EXPORT_SYMBOL(kernel_write);
EXPORT_SYMBOL(file_seek);
EXPORT_SYMBOL(file_seek_size);
EXPORT_SYMBOL(file_seek_stays);
EXPORT_SYMBOL(file_truncate);
EXPORT_SYMBOL(path_truncate);
EXPORT_SYMBOL(dir_emit_dots);
EXPORT_SYMBOL(file_readdir);
EXPORT_SYMBOL(file_allocate);
