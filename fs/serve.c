/*
 * The calls of an instance's operations, each through the gate of its tree (serve.h).
 *
 * An operation that returns -ETREELOST is asked again of the next instance. What a first try may have done already is looked
 * for then: an unlink whose name leads to the file no more has happened; a rename whose file is at the new name alone, too. A file
 * that is there where one was to be made may be somebody else's: who wants one of his own (O_EXCL, mkdir(2)) gets -EIO, since
 * that cannot be known; who opens whatever is there gets that.
 */
#include <kumo/poll.h>
#include <kumo/serve.h>
#include <kumo/writeback.h>

#include "internal.h"
#include "rebind_internal.h"

/* An instance has acknowledged a change of the node that is not stable yet. */
static inline void note_change(struct node *node)
{
	if (node->tree->flags & TREE_LISTED)
		WRITE_ONCE(node->unstable, READ_ONCE(node->tree->write_epoch));
}

/* ---- Names ---- */

int serve_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
	       u64 *negative_until_ns, const struct cred *cred, struct tree_visit *stay)
{
	int result;

	do {
		result = node_enter(dir, stay);
		if (result)
			return result;
		result = dir->ops->walk(dir, names, count, nodes, negative_until_ns, cred);
		if (result > 0)
			return result;
	} while (tree_leave_again(stay, result));
	return result;
}

void serve_walk_ahead(struct node *dir, const struct name *name, struct walk_ahead *ahead,
		      const struct cred *cred)
{
	if (dir->ops->walk_ahead)
		dir->ops->walk_ahead(dir, name, ahead, cred);
}

int serve_create(struct node *dir, const struct name *name, const struct node_new *what,
		 struct node **node, const struct cred *cred, struct tree_visit *stay)
{
	bool again = false;
	int error;

	for (;;) {
		error = node_enter(dir, stay);
		if (error)
			return error;
		error = dir->ops->create(dir, name, what, node, cred);
		if (!error)
			break;
		if (!tree_leave_again(stay, error))
			return again && error == -EEXIST && !what->shared ? -EIO : error;
		again = true;
	}
	note_change(dir);
	return 0;
}

int serve_create_unnamed(struct node *dir, const struct node_new *what, struct node **node,
			 const struct cred *cred)
{
	struct tree_visit visit;
	int error;

	do {
		error = node_enter(dir, &visit);
		if (error)
			return error;
		error = dir->ops->create_unnamed(dir, what, node, cred);
	} while (tree_leave_again(&visit, error));
	return error;
}

/* Does the name lead to the node? 1, 0, or why that cannot be said. For who has tried to change that. */
static int leads_to(struct node *dir, const struct name *name, const struct node *node,
		    const struct cred *cred)
{
	u64 negative_until_ns;
	struct tree_visit visit;
	struct node *found;
	int result = serve_walk(dir, name, 1, &found, &negative_until_ns, cred, &visit);
	bool same;

	if (result <= 0)
		return result == -ENOENT ? 0 : result ? result : -EIO;
	tree_leave(&visit);
	same = found == node ||
	       (found->attr.id == node->attr.id && found->attr.generation == node->attr.generation);
	node_put(found);
	return same;
}

int serve_link(struct node *dir, const struct name *name, struct node *node,
	       const struct cred *cred, struct tree_visit *stay)
{
	bool again = false;
	int error;

	for (;;) {
		error = node_enter(dir, stay);
		if (error)
			return error;
		error = dir->ops->link(dir, name, node, cred);
		if (again && error == -EEXIST)
			error = leads_to(dir, name, node, cred) == 1 ? 0 : -EIO;
		if (!error)
			break;
		if (!tree_leave_again(stay, error))
			return error;
		again = true;
	}
	note_change(dir);
	return 0;
}

int serve_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		 const struct cred *cred)
{
	struct tree_visit visit;
	int error, there;

	for (;;) {
		error = node_enter(dir, &visit);
		if (error)
			return error;
		error = dir->ops->unlink(dir, name, node, directory, cred);
		if (!tree_leave_again(&visit, error))
			break;
		there = leads_to(dir, name, node, cred);
		if (there < 0)
			return there;
		if (!there) { /* it is gone; what is there may be another's */
			error = 0;
			break;
		}
	}
	if (!error)
		note_change(dir);
	return error;
}

/* What a rename without an answer has done: 0: all; 1: nothing; or negative: that cannot be said. An exchange done twice is none, so
 * this is asked before it is tried again. */
static int rename_left(struct node *old_dir, const struct name *old_name, const struct node *node,
		       struct node *new_dir, const struct name *new_name, const struct cred *cred)
{
	int at_old = leads_to(old_dir, old_name, node, cred), at_new;

	if (at_old < 0)
		return at_old;
	at_new = leads_to(new_dir, new_name, node, cred);
	if (at_new < 0)
		return at_new;
	return at_old ? 1 : at_new ? 0 : -EIO;
}

/* The rename, by an instance that is there, unless one that is lost has done it (`again`). The caller is inside. */
static int rename_once(struct node *old_dir, const struct name *old_name, struct node *node,
		       struct node *new_dir, const struct name *new_name, struct node *replaced,
		       unsigned int flags, const struct cred *cred, bool again)
{
	int error = again ? rename_left(old_dir, old_name, node, new_dir, new_name, cred) : 1;

	if (error <= 0)
		return error;
	error = old_dir->ops->rename(old_dir, old_name, node, new_dir, new_name, replaced, flags, cred);
	return again && (error == -ENOENT || error == -EEXIST) ? -EIO : error;
}

int serve_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		 struct node *new_dir, const struct name *new_name, struct node *replaced,
		 unsigned int flags, const struct cred *cred, struct tree_visit *stay)
{
	struct rename_pending pending = { .node = node, .dir = new_dir, .name = new_name };
	bool again = false;
	int error;

	for (;;) {
		error = node_enter(old_dir, stay);
		if (error)
			break;
		error = rename_once(old_dir, old_name, node, new_dir, new_name, replaced, flags,
				    cred, again);
		if (!error)
			break;
		if (error == -ETREELOST && !again) { /* before the next instance looks for the file */
			tree_rename_begin(old_dir->tree, &pending);
			again = true;
		}
		if (!tree_leave_again(stay, error))
			break;
	}
	if (again)
		tree_rename_end(old_dir->tree, &pending);
	if (!error) {
		note_change(old_dir);
		note_change(new_dir);
	}
	return error;
}

ssize_t serve_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred)
{
	struct tree_visit visit;
	ssize_t result;

	do {
		result = node_enter(node, &visit);
		if (result)
			return result;
		result = node->ops->readlink(node, buffer, size, cred);
	} while (tree_leave_again(&visit, result));
	return result;
}

int serve_follow(struct node *node, struct path *path, const struct cred *cred)
{
	struct tree_visit visit;
	int error;

	do {
		error = node_enter(node, &visit);
		if (error)
			return error;
		error = node->ops->follow(node, path, cred);
	} while (tree_leave_again(&visit, error));
	return error;
}

/* ---- Attributes ---- */

int serve_getattr(struct node *node, const struct cred *cred)
{
	struct tree_visit visit;
	int error;

	do {
		error = node_enter(node, &visit);
		if (error)
			return error;
		error = node->tree->ops->getattr(node, cred);
	} while (tree_leave_again(&visit, error));
	return error;
}

int serve_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	struct tree_visit visit;
	int error;

	do {
		error = node_enter(node, &visit);
		if (error)
			return error;
		error = node->tree->ops->setattr(node, change, cred);
	} while (tree_leave_again(&visit, error));
	if (!error)
		note_change(node);
	return error;
}

int serve_set_flags(struct node *node, u32 flags)
{
	struct tree_visit visit;
	int error;

	do {
		error = node_enter(node, &visit);
		if (error)
			return error;
		error = node->tree->ops->set_flags(node, flags);
	} while (tree_leave_again(&visit, error));
	if (!error)
		note_change(node);
	return error;
}

int serve_permission(struct node *node, int mask, const struct cred *cred)
{
	struct tree_visit visit;
	int error;

	do {
		error = node_enter(node, &visit);
		if (error)
			return error;
		error = node->ops->permission(node, mask, cred);
	} while (tree_leave_again(&visit, error));
	return error;
}

bool serve_permits(struct node *node, int mask)
{
	struct tree_visit visit;
	bool permits;

	do {
		if (node_enter(node, &visit))
			return false;
		permits = node->ops->permits(node, mask);
	} while (tree_leave_again(&visit, 0));
	return permits;
}

ssize_t serve_xattr_get(struct node *node, const char *name, void *value, size_t size)
{
	struct tree_visit visit;
	ssize_t result;

	do {
		result = node_enter(node, &visit);
		if (result)
			return result;
		result = node->tree->ops->xattr_get(node, name, value, size);
	} while (tree_leave_again(&visit, result));
	return result;
}

int serve_xattr_set(struct node *node, const char *name, const void *value, size_t size, int flags)
{
	struct tree_visit visit;
	bool again = false;
	int error;

	for (;;) {
		error = node_enter(node, &visit);
		if (error)
			return error;
		error = node->tree->ops->xattr_set(node, name, value, size, flags);
		if (!tree_leave_again(&visit, error))
			break;
		again = true;
	}
	if (again && error == -ENODATA && !value)
		error = 0;
	else if (again && (error == -EEXIST || error == -ENODATA))
		error = -EIO;
	if (!error)
		note_change(node);
	return error;
}

ssize_t serve_xattr_list(struct node *node, char *list, size_t size, bool trusted)
{
	struct tree_visit visit;
	ssize_t result;

	do {
		result = node_enter(node, &visit);
		if (result)
			return result;
		result = node->tree->ops->xattr_list(node, list, size, trusted);
	} while (tree_leave_again(&visit, result));
	return result;
}

/* ---- Open files ---- */

/* Waits until there is an instance, if one serves the file: 1: inside; 0: the file is no tree's; or negative. */
static inline int file_enter(const struct file *file, struct tree_visit *visit)
{
	int error;

	if (!(file->mode & FILE_SERVED))
		return 0;
	error = tree_enter(file->node->tree, visit);
	return error ? error : 1;
}

static inline bool file_leave_again(int entered, struct tree_visit *visit, long result)
{
	return entered && tree_leave_again(visit, result);
}

int serve_open(struct file *file, const struct cred *cred)
{
	struct tree_visit visit;
	int error;

	if (!file->ops->open && likely(!(file->node->tree->flags & TREE_LISTED))) {
		file->mode |= FILE_SERVED | FILE_OPENED; /* nobody is asked, nor need it be found again */
		return 0;
	}
	file->mode |= FILE_SERVED;
	do {
		error = node_enter(file->node, &visit);
		if (error)
			return error;
		error = file->ops->open ? file->ops->open(file, cred) : 0;
		if (!error) { /* before it can be missed */
			file->mode |= FILE_OPENED;
			if (unlikely(file->node->tree->flags & TREE_LISTED))
				file_list(file);
		}
	} while (tree_leave_again(&visit, error));
	return error;
}

/* No instance is there, and none is needed: nothing is kept back here. Closing a file does not wait then. */
static bool can_close_unserved(const struct file *file)
{
	const struct page_cache *cache = smp_load_acquire(&file->node->cache);
	u32 state = READ_ONCE(file->node->tree->state);

	return (state == TREE_LOST || state == TREE_CLOSED) &&
	       (!cache || !(READ_ONCE(cache->dirty_pages) || READ_ONCE(cache->writeback_pages)));
}

int serve_flush(struct file *file)
{
	struct tree_visit visit;
	int entered, error;

	if (!file->ops->flush || can_close_unserved(file))
		return 0;
	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		error = file->ops->flush ? file->ops->flush(file) : 0; /* it may be stale by now */
	} while (file_leave_again(entered, &visit, error));
	return error;
}

ssize_t serve_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct tree_visit visit;
	ssize_t result;
	int entered;

	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		result = file->ops->read(file, to, pos);
	} while (file_leave_again(entered, &visit, result));
	return result;
}

ssize_t serve_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct tree_visit visit;
	ssize_t result;
	int entered;

	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		result = file->ops->write(file, from, pos);
	} while (file_leave_again(entered, &visit, result));
	if (result > 0 && entered)
		note_change(file->node);
	return result;
}

ssize_t serve_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	struct tree_visit visit;
	ssize_t result;
	int entered;

	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		result = file->ops->direct ? file->ops->direct(file, iter, pos, write) : -EINVAL;
	} while (file_leave_again(entered, &visit, result));
	if (result > 0 && write && entered)
		note_change(file->node);
	return result;
}

int serve_readdir(struct file *file, struct dir_context *context)
{
	struct tree_visit visit;
	int entered, error;

	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		error = file->ops->readdir(file, context);
	} while (file_leave_again(entered, &visit, error));
	return error;
}

loff_t serve_seek(struct file *file, loff_t offset, int whence)
{
	struct tree_visit visit;
	loff_t result;
	int entered;

	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		result = file->ops->seek(file, offset, whence);
	} while (file_leave_again(entered, &visit, result));
	return result;
}

u32 serve_poll(struct file *file, struct poll_table *table)
{
	struct tree_visit visit;
	int entered = file_enter(file, &visit);
	u32 events;

	if (entered < 0)
		return POLLERR;
	events = file->ops->poll(file, table);
	if (entered)
		tree_leave(&visit);
	return events;
}

void serve_show_info(struct file *file, struct text *text)
{
	struct tree_visit visit;
	int entered = file_enter(file, &visit);

	if (entered < 0)
		return; /* lines more or less */
	file->ops->show_info(file, text);
	if (entered)
		tree_leave(&visit);
}

long serve_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct tree_visit visit;
	int entered = file_enter(file, &visit);
	long result;

	if (entered < 0)
		return entered;
	result = file->ops->ioctl(file, command, argument);
	return file_leave_again(entered, &visit, result) ? -EIO : result;
}

int serve_mmap(struct file *file, struct vma *vma)
{
	struct tree_visit visit;
	int entered, error;

	if (likely(file->ops->mmap == page_cache_mmap))
		return page_cache_mmap(file, vma);
	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		error = file->ops->mmap(file, vma);
	} while (file_leave_again(entered, &visit, error));
	return error;
}

int serve_fsync(struct file *file, bool data_only)
{
	struct node *node = file->node;
	u32 unstable = __atomic_exchange_n(&node->unstable, 0, __ATOMIC_ACQ_REL);
	struct tree_visit visit;
	int entered, error;

	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		error = file->ops->fsync(file, data_only);
	} while (file_leave_again(entered, &visit, error));
	if (error && unstable)
		WRITE_ONCE(node->unstable, unstable);
	return error;
}

int serve_fallocate(struct file *file, int mode, u64 offset, u64 length)
{
	struct tree_visit visit;
	int entered, error;

	do {
		entered = file_enter(file, &visit);
		if (entered < 0)
			return entered;
		error = file->ops->fallocate(file, mode, offset, length);
	} while (file_leave_again(entered, &visit, error));
	if (!error && entered)
		note_change(file->node);
	return error;
}

int serve_extent(struct node *node, u64 offset, u64 length, struct block_extent *extent)
{
	struct tree_visit visit;
	int error;

	do {
		error = node_enter(node, &visit);
		if (error)
			return error;
		error = node->ops->block_map->map(node, offset, length, false, extent);
	} while (tree_leave_again(&visit, error));
	return error;
}

/* ---- The tree ---- */

int serve_statfs(struct tree *tree, struct statfs_info *info)
{
	struct tree_visit visit;
	int error;

	do {
		error = tree_enter(tree, &visit);
		if (error)
			return error;
		error = tree->ops->statfs ? tree->ops->statfs(tree, info) : 0;
	} while (tree_leave_again(&visit, error));
	return error;
}

int serve_trim(struct tree *tree, u64 start, u64 length, u64 minimum, u64 *trimmed)
{
	struct tree_visit visit;
	int error;

	do {
		error = tree_enter(tree, &visit);
		if (error)
			return error;
		error = tree->ops->trim(tree, start, length, minimum, trimmed);
	} while (tree_leave_again(&visit, error));
	return error;
}

int serve_sync(struct tree *tree)
{
	u32 epoch = __atomic_fetch_add(&tree->write_epoch, 1, __ATOMIC_ACQ_REL);
	struct tree_visit visit;
	int error, synced;

	do {
		error = tree_enter(tree, &visit); /* before the list of dirty files is anybody's */
		if (error)
			return error;
		error = writeback_sync(tree);
		synced = tree->ops->sync && error != -ETREELOST ? tree->ops->sync(tree) : 0;
	} while (tree_leave_again(&visit, error == -ETREELOST ? error : synced));
	if (!error && !synced)
		WRITE_ONCE(tree->stable_epoch, epoch);
	return error ? error : synced;
}

int serve_remount(struct tree *tree, const char *options)
{
	struct tree_visit visit;
	int error;

	do {
		error = tree_enter(tree, &visit);
		if (error)
			return error;
		error = tree->ops->remount ? tree->ops->remount(tree, options) : 0;
	} while (tree_leave_again(&visit, error));
	return error;
}

/* ---- The page cache ---- */

int serve_reserve_pages(struct node *node, u64 index, unsigned int count, bool nowait,
			const struct cred *cred)
{
	struct tree_visit visit;
	int error;

	do {
		error = nowait ? tree_enter_nowait(node->tree, &visit) : tree_enter(node->tree, &visit);
		if (error)
			return error;
		error = node->flags & NODE_STALE ? -ESTALE
						 : node->ops->reserve_pages(node, index, count, cred);
	} while (tree_leave_again(&visit, error));
	return error;
}
