/*
 * Names of a process that serves a tree: what fs/names.c changes and the 9P server walks. There is one mount, the tree's, and an entry
 * for each name that somebody holds; none is kept that nobody does, for whoever asks over 9P has a cache of his own. So all that
 * an entry says holds: names change through here alone.
 */
#include "../../fs/internal.h"

#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#include "serve.h"

#define BUCKETS 4096

spinlock_t names_lock = SPINLOCK_INIT("names");
static struct hlist buckets[BUCKETS];

/* ---- Entries; names_lock protects their places and the chains ---- */

static struct hlist *bucket_of(const struct entry *parent, const struct name *name)
{
	return &buckets[(name->hash ^ hash_u64((u64)(unsigned long)parent)) % BUCKETS];
}

int entry_text_alloc(const struct name *name, char **text)
{
	*text = NULL;
	if (name->length < sizeof_field(struct entry, inline_name))
		return 0;
	*text = kmalloc(name->length + 1, GFP_KERNEL);
	return *text ? 0 : -ENOMEM;
}

/* text: of entry_text_alloc(). */
static void set_name(struct entry *entry, const struct name *name, char *text)
{
	char *to = text ? text : entry->inline_name;

	memmove(to, name->text, name->length);
	to[name->length] = 0;
	kfree(entry->long_name);
	entry->long_name = text;
	entry->name = (struct name){ .text = to, .length = name->length, .hash = name->hash };
}

static void hash_in(struct entry *entry)
{
	if (entry->tree->flags & TREE_NO_CACHE_NAMES)
		return; /* it is asked each time */
	hlist_add(bucket_of(entry->parent, &entry->name), &entry->hash_link);
	entry->flags |= ENTRY_HASHED;
}

static void hash_out(struct entry *entry)
{
	if (entry->flags & ENTRY_HASHED)
		hlist_del(&entry->hash_link);
	entry->flags &= ~(u32)ENTRY_HASHED;
}

/* Takes over the reference of the node, also on failure; parent NULL: the root. */
static struct entry *entry_make(struct entry *parent, const struct name *name, struct node *node)
{
	struct entry *entry = kzalloc(sizeof(*entry), GFP_USER);
	char *text = NULL;

	if (!entry || entry_text_alloc(name, &text)) {
		kfree(entry);
		node_put(node);
		return NULL;
	}
	atomic_set(&entry->refs, 1);
	entry->tree = node->tree;
	entry->node = node;
	entry->parent = parent ? parent : entry;
	if (parent)
		entry_get(parent);
	set_name(entry, name, text);
	return entry;
}

void entry_put(struct entry *entry)
{
	while (entry) {
		struct entry *parent = entry->parent == entry ? NULL : entry->parent;
		bool last;

		spin_lock(&names_lock);
		last = atomic_dec_and_test(&entry->refs);
		if (last)
			hash_out(entry);
		spin_unlock(&names_lock);
		if (!last)
			return;
		node_put(entry->node);
		kfree(entry->long_name);
		kfree(entry);
		entry = parent;
	}
}

struct entry *entry_find(struct entry *parent, const struct name *name)
{
	struct entry *entry, *found = NULL;

	spin_lock(&names_lock);
	hlist_for_each(entry, bucket_of(parent, name), hash_link)
		if (entry->parent == parent && entry->name.hash == name->hash &&
		    name_equal(&entry->name, name->text, name->length)) {
			entry_get(entry);
			found = entry;
			break;
		}
	spin_unlock(&names_lock);
	return found;
}

struct entry *entry_add(struct entry *parent, const struct name *name, struct node *node,
			u64 believe_until_ns)
{
	struct entry *entry = entry_make(parent, name, node);

	if (!entry)
		return ERR_PTR(-ENOMEM);
	spin_lock(&names_lock);
	hash_in(entry);
	spin_unlock(&names_lock);
	return entry;
}

void entry_removed(struct entry *entry)
{
	spin_lock(&names_lock);
	hash_out(entry);
	entry->flags |= ENTRY_DELETED;
	spin_unlock(&names_lock);
}

void entry_move(struct entry *entry, struct entry *parent, const struct name *name, char *new_text,
		struct entry *replaced, bool leaves_nothing)
{
	struct entry *old_parent;

	entry_get(parent);
	spin_lock(&names_lock);
	if (replaced) {
		hash_out(replaced);
		replaced->flags |= ENTRY_DELETED;
	}
	hash_out(entry);
	old_parent = entry->parent;
	entry->parent = parent;
	set_name(entry, name, new_text);
	hash_in(entry);
	spin_unlock(&names_lock);
	entry_put(old_parent);
}

/* 9P has no message that asks for it. */
void entry_exchange(struct entry *a, struct entry *b)
{
	panic("two names are to be exchanged");
}

bool entry_is_below(const struct entry *entry, const struct entry *above)
{
	while (entry != above && entry->parent != entry)
		entry = entry->parent;
	return entry == above;
}

/* The parent, referenced; of the root itself. */
static struct entry *parent_get(struct entry *entry)
{
	struct entry *parent;

	spin_lock(&names_lock);
	parent = entry->parent;
	entry_get(parent);
	spin_unlock(&names_lock);
	return parent;
}

struct entry *lookup_locked(struct entry *dir, const struct name *name, const struct cred *cred)
{
	struct entry *entry = entry_find(dir, name);
	u64 negative_until_ns = 0;
	struct node *node;
	int found;

	if (entry)
		return entry;
	if (dir->node->flags & NODE_DEAD || !dir->node->ops->walk)
		return ERR_PTR(dir->node->flags & NODE_DEAD ? -ENOENT : -ENOTDIR);
	found = dir->node->ops->walk(dir->node, name, 1, &node, &negative_until_ns, cred);
	return found < 0 ? ERR_PTR(found) : entry_add(dir, name, node, BELIEVE_FOREVER);
}

/* ---- The mount ---- */

static struct namespace own_namespace;
static struct mount_counts counts;

int serve_root(struct tree *tree, struct path *root)
{
	static struct tree_cpu cpu;
	struct mount *mount = kzalloc(sizeof(*mount), GFP_KERNEL);
	struct name name = name_make("", 0);

	if (!mount)
		return -ENOMEM;
	tree->cpus = &cpu;
	mount->tree = tree;
	mount->counts = &counts;
	mount->namespace = &own_namespace;
	mount->root = entry_make(NULL, &name, node_get(tree->root));
	if (!mount->root) {
		kfree(mount);
		return -ENOMEM;
	}
	*root = (struct path){ .mount = mount, .entry = mount->root };
	return 0;
}

void serve_root_put(struct path *root)
{
	entry_put(root->entry);
	kfree(root->mount);
}

/* Nothing is mounted on anything here. */
bool mount_stands_on(const struct entry *entry)
{
	return false;
}

void mounts_detach_removed(const struct entry *entry)
{
}

void mount_put_detached(struct mount *mount)
{
}

/* No path is a union (path_is_union()), so nobody asks. */
int union_parent(const struct path *parent, const struct name *last, bool making,
		 const struct cred *cred, struct path *real)
{
	return -EXDEV;
}

bool union_comes_before(const struct path *head, const struct path *first, const struct path *second)
{
	return false;
}

/* ---- Paths ---- */

void path_get(const struct path *path)
{
	if (path->entry)
		entry_get(path->entry);
}

void path_put(const struct path *path)
{
	entry_put(path->entry);
}

bool path_is_below(const struct path *path, const struct path *above)
{
	bool below;

	spin_lock(&names_lock);
	below = entry_is_below(path->entry, above->entry);
	spin_unlock(&names_lock);
	return below;
}

int path_place(const struct path *path, struct path *parent, char *text, struct name *last)
{
	struct entry *entry = path->entry;
	int error = 0;

	spin_lock(&names_lock);
	if (entry->parent == entry)
		error = -EBUSY;
	else if (entry->flags & ENTRY_DELETED)
		error = -ENOENT;
	if (!error) {
		memcpy(text, entry->name.text, entry->name.length + 1);
		*last = name_make(text, entry->name.length);
		*parent = (struct path){ .mount = path->mount, .entry = entry->parent };
		path_get(parent);
	}
	spin_unlock(&names_lock);
	return error;
}

/* One step down. */
static struct entry *step(struct entry *dir, const struct name *name, const struct cred *cred)
{
	struct entry *entry;
	int error;

	if (S_ISLNK(dir->node->attr.mode))
		return ERR_PTR(-ELOOP); /* whom it leads where is the client's affair */
	if (!S_ISDIR(dir->node->attr.mode))
		return ERR_PTR(-ENOTDIR);
	error = node_permission(dir->node, MAY_EXEC, cred);
	if (!error)
		error = mutex_lock_killable(&dir->node->lock);
	if (error)
		return ERR_PTR(error);
	entry = lookup_locked(dir, name, cred);
	mutex_unlock(&dir->node->lock);
	return entry;
}

/* What of WALK_* the server asks for is so anyhow: no link is followed, and there is nothing above the root. */
int path_walk(const struct path *start, const char *name, unsigned int flags,
	      const struct cred *cred, struct path *path)
{
	struct entry *at = start->entry, *next;

	entry_get(at);
	while (*name) {
		const char *slash = strchr(name, '/');
		size_t length = slash ? (size_t)(slash - name) : strlen(name);
		struct name element = name_make(name, (u32)length);

		switch (length > NAME_MAX_LENGTH ? NAME_NORMAL : name_kind(&element)) {
		case NAME_ROOT:
			name++;
			continue;
		case NAME_DOT:
			entry_get(at);
			next = at;
			break;
		case NAME_DOT_DOT:
			next = parent_get(at);
			break;
		default:
			next = length > NAME_MAX_LENGTH ? ERR_PTR(-ENAMETOOLONG)
							: step(at, &element, cred);
		}
		entry_put(at);
		if (IS_ERR(next))
			return (int)PTR_ERR(next);
		at = next;
		name += length;
	}
	*path = (struct path){ .mount = start->mount, .entry = at };
	return 0;
}

/* From the end of `buffer` on; names_lock held. NULL: too long. */
static char *name_before(const struct entry *entry, const struct entry *root, char *buffer, char *at)
{
	for (; entry != root && entry->parent != entry; entry = entry->parent) {
		if (entry->name.length + 1 > at - buffer)
			return NULL;
		at -= entry->name.length;
		memcpy(at, entry->name.text, entry->name.length);
		*--at = '/';
	}
	return at;
}

char *path_name(const struct path *path, const struct path *root, char *buffer, size_t size,
		bool mark_deleted)
{
	char *end = buffer + size - 1, *at;
	bool deleted;

	*end = 0;
	spin_lock(&names_lock);
	deleted = path->entry->flags & ENTRY_DELETED;
	at = name_before(path->entry, root ? root->entry : NULL, buffer, end);
	spin_unlock(&names_lock);
	if (deleted && !mark_deleted)
		return ERR_PTR(-ENOENT);
	if (!at)
		return ERR_PTR(-ENAMETOOLONG);
	if (at == end)
		*--at = '/';
	return at;
}
