/*
 * Namespaces; what a process's names start from (root, working directory, umask); the names of paths; and the start: the root
 * namespace with its RAM tree.
 *
 * A namespace is copied when it is asked for, not when it is first changed: what a process opens names a mount, and which
 * one that is could not be said later. A copy is about a thousand instructions for each mount.
 */
#include <kumo/export.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#include "internal.h"
#include "mount_internal.h"

struct fs_context *initial_fs;

/* ---- Namespaces ---- */

/* Numbers of the files in /proc/PID/ns: Linux's first one, and what follows the numbers that it keeps for itself. */
#define FIRST_ID 4026531841
#define NEXT_ID 4026532000

static unsigned long last_age; /* under mounts_lock */

/* Around the root of a tree of mounts that nobody has seen; NULL: no memory. */
static struct namespace *namespace_around(struct mount *root)
{
	struct namespace *namespace = kzalloc(sizeof(*namespace), GFP_KERNEL);

	if (!namespace)
		return NULL;
	refcount_set(&namespace->refs, 1);
	list_init(&namespace->mounts);
	wait_queue_init(&namespace->changed);
	namespace->age = ++last_age;
	namespace->id = last_age == 1 ? FIRST_ID : NEXT_ID + last_age;
	namespace->root = root;
	return namespace;
}

/* What is copied without privilege is told of what changes there, but not the other way round; and stays as it is. */
static void namespace_restrict(struct namespace *namespace, struct mount *top)
{
	namespace->restricted = true;
	namespace->owner = current->cred->euid;
	for (struct mount *mount = top; mount; mount = mount_next(mount, top))
		mount_lock_flags(mount, MOUNT_LOCK_PLACE);
}

/* Leads to the same place seen through the copy of its mount. */
static void path_follow_copy(struct path *path, const struct namespace *from)
{
	struct mount *old = path->mount;

	if (old->namespace != from || mount_shows_namespace(old))
		return;
	mount_get(old->copy);
	path->mount = old->copy;
	mount_put(old);
}

struct namespace *namespace_copy(struct namespace *from, bool restricted, struct path *root,
				 struct path *working)
{
	bool restricts = restricted && !from->restricted;
	struct namespace *namespace = NULL;
	struct mount *top;
	int error = down_write_killable(&mounts_lock);

	if (error)
		return ERR_PTR(error);
	top = mount_tree_copy(from->root, from->root->root,
			      COPY_UNBINDABLE | (restricts ? COPY_AS_SLAVE : COPY_PEER));
	if (IS_ERR(top)) {
		error = (int)PTR_ERR(top);
		goto out;
	}
	namespace = namespace_around(top);
	if (!namespace) {
		mount_tree_discard(top);
		error = -ENOMEM;
		goto out;
	}
	namespace->restricted = from->restricted;
	namespace->owner = from->owner;
	if (restricts)
		namespace_restrict(namespace, top);
	mount_tree_show(top, namespace);
	path_follow_copy(root, from);
	path_follow_copy(working, from);
out:
	up_write(&mounts_lock);
	return error ? ERR_PTR(error) : namespace;
}

void namespace_put(struct namespace *namespace)
{
	if (!refcount_dec_and_test(&namespace->refs))
		return;
	down_write(&mounts_lock);
	mount_tree_detach(namespace->root, false);
	kfree(namespace);
}

/* ---- Contexts ---- */

static struct fs_context *fs_context_alloc(void)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), GFP_USER);

	if (!fs)
		return NULL;
	refcount_set(&fs->refs, 1);
	spin_init(&fs->lock, "fs_context");
	fs->sequence = 0;
	return fs;
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
	struct fs_context *fs = fs_context_alloc();

	if (!fs)
		return NULL;
	spin_lock(&from->lock);
	fs->root = from->root;
	fs->working = from->working;
	fs->umask = from->umask;
	fs->namespace = namespace_get(from->namespace);
	path_get(&fs->root);
	path_get(&fs->working);
	spin_unlock(&from->lock);
	return fs;
}

struct fs_context *fs_context_copy_namespace(struct fs_context *from, bool restricted)
{
	struct fs_context *fs = fs_context_copy(from);
	struct namespace *copy;

	if (!fs)
		return ERR_PTR(-ENOMEM);
	copy = namespace_copy(fs->namespace, restricted, &fs->root, &fs->working);
	if (IS_ERR(copy)) {
		fs_context_put(fs);
		return (struct fs_context *)copy;
	}
	namespace_put(fs->namespace);
	fs->namespace = copy;
	return fs;
}

struct fs_context *fs_context_enter(struct namespace *namespace, u32 umask)
{
	struct fs_context *fs = fs_context_alloc();

	if (!fs)
		return NULL;
	fs->umask = umask;
	fs->namespace = namespace_get(namespace);
	fs->root = (struct path){ .mount = namespace->root, .entry = namespace->root->root };
	path_get(&fs->root);
	path_cross_mounts(&fs->root);
	fs->working = fs->root;
	path_get(&fs->working);
	return fs;
}

struct fs_context *fs_context_at(const struct path *root)
{
	struct fs_context *fs = fs_context_alloc();

	if (!fs)
		return NULL;
	fs->namespace = namespace_get(fs_current()->namespace);
	fs->umask = 0;
	fs->root = fs->working = *root;
	path_get(&fs->root);
	path_get(&fs->working);
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!refcount_dec_and_test(&fs->refs))
		return;
	path_put(&fs->root);
	path_put(&fs->working);
	namespace_put(fs->namespace);
	kfree(fs);
}

void fs_root_of(struct fs_context *fs, struct path *root)
{
	spin_lock(&fs->lock);
	*root = fs->root;
	path_get(root);
	spin_unlock(&fs->lock);
}

void fs_root(struct path *root)
{
	fs_root_of(fs_current(), root);
}

void fs_working(struct path *working)
{
	struct fs_context *fs = fs_current();

	spin_lock(&fs->lock);
	*working = fs->working;
	path_get(working);
	spin_unlock(&fs->lock);
}

static void fs_replace(struct fs_context *fs, struct path *which, const struct path *path)
{
	struct path old;

	path_get(path);
	spin_lock(&fs->lock);
	WRITE_ONCE(fs->sequence, fs->sequence + 1);
	smp_wmb(); /* pairs with fs_peek() */
	old = *which;
	*which = *path;
	smp_store_release(&fs->sequence, fs->sequence + 1);
	spin_unlock(&fs->lock);
	path_put(&old);
}

void fs_set_root(struct fs_context *fs, const struct path *root)
{
	fs_replace(fs, &fs->root, root);
}

void fs_set_working(struct fs_context *fs, const struct path *working)
{
	fs_replace(fs, &fs->working, working);
}

void fs_context_move(struct fs_context *fs, const struct path *from, const struct path *to)
{
	bool root, working;

	spin_lock(&fs->lock);
	root = path_equal(&fs->root, from);
	working = path_equal(&fs->working, from);
	spin_unlock(&fs->lock);
	if (root)
		fs_set_root(fs, to);
	if (working)
		fs_set_working(fs, to);
}

u32 fs_umask(void)
{
	return READ_ONCE(fs_current()->umask);
}

/* ---- Names of paths ---- */

static char *prepend(char *at, const char *start, const char *text, size_t length)
{
	if (!at || (size_t)(at - start) < length)
		return NULL;
	return memcpy(at - length, text, length);
}

static char *path_name_once(const struct path *path, const struct path *root, char *buffer,
			    size_t size, bool mark_deleted)
{
	struct mount *mount = path->mount;
	const struct entry *entry = path->entry;
	char *at = buffer + size;
	bool reachable = true;
	struct path over;

	at = prepend(at, buffer, "", 1);
	if (READ_ONCE(entry->flags) & ENTRY_DELETED) {
		if (!mark_deleted)
			return ERR_PTR(-ENOENT);
		at = prepend(at, buffer, " (deleted)", 10);
	}
	if (mount == root->mount && entry == root->entry)
		return prepend(at, buffer, "/", 1);
	while (at && (mount != root->mount || entry != root->entry)) {
		if (entry != mount->root && entry->parent != entry) {
			/* A name that is being changed may be torn: bounded here, rejected by the caller's check. */
			u32 length = min(READ_ONCE(entry->name.length), (u32)NAME_MAX_LENGTH);

			at = prepend(at, buffer, entry->name.text, length);
			at = prepend(at, buffer, "/", 1);
			entry = READ_ONCE(entry->parent);
		} else if (mount_over_peek(mount, &over)) {
			entry = over.entry;
			mount = over.mount;
		} else {
			reachable = false;
			break;
		}
	}
	if (at && (!*at || *at == ' ')) /* the root of a namespace, or of a mount that is not attached */
		at = prepend(at, buffer, "/", 1);
	if (!reachable && !mark_deleted)
		at = prepend(at, buffer, "(unreachable)", 13);
	return at;
}

char *path_name(const struct path *path, const struct path *root, char *buffer, size_t size,
		bool mark_deleted)
{
	struct path own;
	u32 sequence;
	char *name;

	if (path->mount->tree->type == &namespace_tree_type && !path->mount->over.mount)
		return strscpy(buffer, path->entry->name.text, size) < 0 ? ERR_PTR(-ENAMETOOLONG)
									 : buffer;
	if (!root)
		fs_root(&own);
	do {
		rcu_read_lock();
		sequence = names_sequence_read();
		name = sequence & 1
			       ? NULL
			       : path_name_once(path, root ? root : &own, buffer, size, mark_deleted);
		rcu_read_unlock();
	} while (sequence & 1 || names_sequence_changed(sequence));
	if (!root)
		path_put(&own);
	return name ? name : ERR_PTR(-ENAMETOOLONG);
}

/* ---- The start ---- */

void namespace_start(struct tree *tree)
{
	struct mount *root = mount_alloc(tree, tree->root_entry, 0);
	struct namespace *namespace = root ? namespace_around(root) : NULL;
	struct fs_context *fs = fs_context_alloc();

	if (!namespace || !fs)
		panic("no memory for the root namespace");
	mount_tree_show(root, namespace);
	fs->namespace = namespace;
	fs->root = fs->working =
		(struct path){ .mount = namespace->root, .entry = namespace->root->root };
	path_get(&fs->root);
	path_get(&fs->working);
	fs->umask = 022;
	initial_fs = fs;
	refcount_inc(&fs->refs); /* for good: kernel threads without a context use it */
	current->fs = fs;
}
EXPORT_SYMBOL(path_name);
EXPORT_SYMBOL(fs_context_at);
EXPORT_SYMBOL(fs_context_put);
EXPORT_SYMBOL(fs_umask);
