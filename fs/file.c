/*
 * Open files: their life from file_alloc() to the last file_put(), and files without a name.
 *
 * A file with a path pins its node through the path's entry: an entry that is in use never lets go of its node. Only a
 * file without a name holds its node itself.
 */
#include <kumo/async.h>
#include <kumo/epoll.h>
#include <kumo/export.h>
#include <kumo/lease.h>
#include <kumo/module.h>
#include <kumo/notify.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/mount.h>

#include "internal.h"
#include "rebind_internal.h"

static struct slab_cache *file_cache;

/* The tree of files that have no name: pipes, sockets, event files. Its nodes are all there is of it. */
static int anonymous_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	node_setattr_copy(node, change);
	return 0;
}

static const struct tree_ops anonymous_ops = { .setattr = anonymous_setattr };
static struct tree anonymous_tree = { .ops = &anonymous_ops,
				      .device = 0xd /* device_make(0, 13) */,
				      .magic = 0x09041934 };

static struct mount *anonymous_mount; /* where such a file seems to be, when it is opened again through /proc */

struct file *file_alloc(u32 flags, const struct cred *cred)
{
	static const struct mutex unlocked = { .lock = SPINLOCK_INIT("file_pos"),
					       .tag = LOCK_TAG("file_pos", LOCK_MUTEX) };
	struct file *file = slab_alloc(file_cache, GFP_USER);

	if (unlikely(!file))
		return NULL;
	file->flags = flags;
	file->mode = 0;
	spin_init(&file->lock, "file");
	file->node = NULL;
	file->contents = NULL;
	file->private = NULL;
	file->pos = 0;
	file->path = (struct path){};
	file->cred = cred_get_near(cred);
	file->owner = NULL;
	file->pos_lock = unlocked;
	list_init(&file->pos_lock.waiters);
	file->told = NULL;
	file->async = NULL;
	file->name = NULL;
	file->read_ahead = (struct read_ahead){};
	file->error_seen = 0;
	file->watchers.first = NULL;
	list_init(&file->tree_link);
	/* Last: before, a reader that still holds the memory's former life under RCU cannot take it. */
	__atomic_store_n(&file->refs.refs.counter, 1, __ATOMIC_RELEASE);
	return file;
}

void file_free_unopened(struct file *file)
{
	cred_put_near(file->cred);
	refcount_set(&file->refs, 0);
	slab_free(file_cache, file);
}

static __noinline void file_release(struct file *file)
{
	struct node *node = file->node;

	if ((file->mode & (FILE_OPENED | FILE_PATH)) == FILE_OPENED)
		notify_file(file, file->mode & FILE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	/* Seen empty, its sets have left the queues that clunk may free. */
	if (unlikely(smp_load_acquire(&file->watchers.first)))
		epoll_file_release(file);
	if (unlikely(file->async))
		file_async_release(file);
	if (unlikely(node->flags & NODE_LEASED))
		file_lease_release(file);
	if (unlikely(node->flags & NODE_NOTIFIES))
		dnotify_release(file);
	if (unlikely(!list_empty(&node->locks)))
		file_locks_release(file);
	file_release_served(file);
}

/* Tells the instance that serves it, if one does. False: that must wait for another one. */
static bool file_clunk(struct file *file)
{
	struct tree_visit visit;
	int error;

	if (!(file->mode & FILE_SERVED)) {
		if ((file->mode & FILE_OPENED) && file->ops->clunk)
			file->ops->clunk(file);
		return true;
	}
	error = tree_enter_nowait(file->node->tree, &visit);
	if (unlikely(error == -EAGAIN)) {
		if (!tree_enter_lost(file->node->tree, &visit))
			return false;
		error = 0;
	}
	if ((file->mode & FILE_OPENED) && file->ops->clunk)
		file->ops->clunk(file);
	if (unlikely(!list_empty(&file->tree_link)))
		file_unlist(file);
	if (likely(!error))
		tree_leave(&visit);
	return true;
}

void file_release_served(struct file *file)
{
	struct node *node = file->node;

	while (unlikely(!file_clunk(file)))
		if (file_release_late(file))
			return;
	if (file->mode & FILE_WRITER) {
		node_write_end(node);
		mount_writer_put(file->path.mount);
	}
	if (file->mode & FILE_EXEC)
		node_allow_write(node);
	if (unlikely(file->told))
		file_owner_release(file);
	if (file->owner)
		module_put(file->owner);
	if (likely(file->path.entry))
		path_put(&file->path);
	else
		node_put(node);
	cred_put_near(file->cred);
	slab_free(file_cache, file);
}

void file_put(struct file *file)
{
	if (refcount_dec_and_test(&file->refs))
		file_release(file);
}

struct file *file_anonymous(const char *name, const struct tree_ops *ops, void *private, u32 flags,
			    u32 mode)
{
	s64 now = (s64)time_realtime_ns();
	struct attr attr = { .id = tree_next_id(),
			     .mode = 0600,
			     .nlink = 1,
			     .block_size = PAGE_SIZE,
			     .uid = current->cred->fsuid,
			     .gid = current->cred->fsgid,
			     .atime_ns = now,
			     .mtime_ns = now,
			     .ctime_ns = now,
			     .believe_until_ns = BELIEVE_FOREVER };
	struct node *node = node_alloc(&anonymous_tree, &attr, NULL);
	struct file *file;

	if (!node)
		return ERR_PTR(-ENOMEM);
	file = file_alloc(flags, current->cred);
	if (!file) {
		node_put(node);
		return ERR_PTR(-ENOMEM);
	}
	file->ops = ops;
	file->node = node;
	file->contents = node;
	file->private = private;
	file->mode = mode | FILE_OPENED;
	file->name = name;
	return file;
}

char *file_name(struct file *file, char *buffer, size_t size)
{
	int length;

	if (unlikely(file->path.mount == anonymous_mount)) {
		return strscpy(buffer, file->path.entry->name.text, size) < 0 ? ERR_PTR(-ENAMETOOLONG)
									      : buffer;
	}
	if (file->path.entry)
		return path_name(&file->path, NULL, buffer, size, true);
	if (file->name && strchr(file->name, ':'))
		length = scnprintf(buffer, size, "%s", file->name);
	else if (file->name && file->name[0] == '[')
		length = scnprintf(buffer, size, "anon_inode:%s", file->name);
	else
		length = scnprintf(buffer, size, "%s:[%llu]", file->name ? file->name : "file",
				   (unsigned long long)file->node->attr.id);
	return (size_t)length + 1 < size ? buffer : ERR_PTR(-ENAMETOOLONG);
}

int file_path(struct file *file, struct path *path)
{
	char buffer[64], *name;

	*path = file->path;
	if (path->entry) {
		path_get(path);
		return 0;
	}
	name = file_name(file, buffer, sizeof(buffer));
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	path->entry = entry_make_loose(file->node, name);
	if (!path->entry)
		return -ENOMEM;
	path->mount = anonymous_mount;
	mount_get(path->mount);
	return 0;
}

void files_init(void)
{
	struct attr attr = { .mode = S_IFDIR | 0500, .believe_until_ns = BELIEVE_FOREVER };

	file_cache = slab_cache_create("file", sizeof(struct file), 0, SLAB_RCU);
	if (!file_cache)
		panic("no memory for the cache of open files");
	refcount_set(&anonymous_tree.refs, 1); /* for good */
	anonymous_tree.root = node_alloc(&anonymous_tree, &attr, NULL);
	if (anonymous_tree.root)
		anonymous_tree.root_entry = entry_make_root(&anonymous_tree);
	if (anonymous_tree.root_entry)
		anonymous_mount = mount_alloc(&anonymous_tree, anonymous_tree.root_entry, MS_NOEXEC);
	if (!anonymous_mount)
		panic("no memory for the tree of files without a name");
	epoll_init();
}
EXPORT_SYMBOL(file_name);
EXPORT_SYMBOL(file_put);
EXPORT_SYMBOL(file_anonymous);
