/*
 * Pseudo files: trees whose files are made by functions, for /proc, /sys and the control trees of components.
 *
 * What a tree holds is described by tables (struct pseudo_file), by functions that make names (struct pseudo_dynamic) and by
 * entries that are added while the tree is mounted (struct pseudo_directory, which is also what added files and links are). A
 * node of the core is made afresh by each walk and points to a description and to a scope.
 *
 * A scope is what a description's functions work for: the object of an added entry, or one that a name-making function
 * found. Nodes and open files hold the scope, but not what it belongs to. Each call of a component's function happens
 * between scope_enter() and scope_leave(); removal marks the scope as gone, so that scope_enter() refuses, and waits until
 * nobody is inside. A description (a table in a module, perhaps) is looked at only inside, too: what a node needs at any time
 * was copied into its attributes.
 *
 * Text (text.c) is made at the first read and again by each read at offset 0, as programs that keep /proc files open expect.
 */
#include <kumo/export.h>
#include <kumo/iter.h>
#include <kumo/kva.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/wait.h>
#include <linux/fs.h>

#define DT_OF_MODE(mode) (((mode)&S_IFMT) >> 12)

/* ---- Scopes ---- */

struct scope {
	refcount_t refs;
	void *object;
	const struct pseudo_dynamic *maker; /* who found the object and takes it back; NULL: an added entry's */
	struct scope *guard; /* the added entry that it lies in, itself for one; owned reference else */
	u32 generation;
	/* of an added entry */
	atomic_t inside; /* calls of its functions that run now */
	bool gone; /* no more of them: pairs with `inside` (both sides write one, then read the other) */
};

/* An added directory, file or link. Its place is protected by the lock of its tree. */
struct pseudo_directory {
	struct scope scope;		/* first: a scope of its own is its own guard */
	const struct pseudo_file *file; /* what it is; &own for directories and links */
	struct pseudo_file own;
	struct pseudo_tree *tree;
	struct pseudo_directory *parent; /* not referenced: a directory outlives what lies in it */
	struct list children, sibling;	 /* in the order of adding */
	u64 serial;			 /* place in that order, for readdir */
	char *target;			 /* of a link */
	char name[];
};

struct pseudo_tree {
	struct mutex lock;
	struct pseudo_directory *root;
	u64 last_serial;
};

/* Who removes an entry waits here. */
static struct wait_queue removals = WAIT_QUEUE_INIT(removals);

static void scope_put(struct scope *scope)
{
	while (scope && refcount_dec_and_test(&scope->refs)) {
		struct scope *guard = scope->guard;

		if (scope->maker) {
			scope->maker->put(scope->object);
			kfree(scope);
			scope = guard;
		} else {
			struct pseudo_directory *entry =
				container_of(scope, struct pseudo_directory, scope);

			kfree(entry->target);
			kfree(entry);
			return;
		}
	}
}

static struct scope *scope_get(struct scope *scope)
{
	refcount_inc(&scope->refs);
	return scope;
}

static void scope_leave(struct scope *scope)
{
	struct scope *guard = scope->guard;

	if (atomic_dec_and_test(&guard->inside) && READ_ONCE(guard->gone))
		wake_up_all(&removals);
}

static bool scope_enter(struct scope *scope)
{
	atomic_inc(&scope->guard->inside);
	if (likely(!READ_ONCE(scope->guard->gone)))
		return true;
	scope_leave(scope);
	return false;
}

/* The scope of an object that was found by name; takes the object over. NULL: no memory. */
static struct scope *scope_make(void *object, const struct pseudo_dynamic *maker, struct scope *parent)
{
	struct scope *scope = kzalloc(sizeof(*scope), GFP_KERNEL);

	if (!scope) {
		maker->put(object);
		return NULL;
	}
	refcount_set(&scope->refs, 1);
	scope->object = object;
	scope->maker = maker;
	scope->guard = scope_get(parent->guard);
	scope->generation = hash_u64((u64)(unsigned long)object);
	return scope;
}

/* ---- Nodes ---- */

struct pseudo_node {
	const struct pseudo_file *file; /* looked at inside the scope only */
	struct scope *scope;		/* owned reference */
	struct pseudo_directory *entry; /* if it is an added entry itself: the scope's */
};

static struct pseudo_node *pseudo_of(struct node *node)
{
	return node->private;
}

void *pseudo_object(struct node *node)
{
	return pseudo_of(node)->scope->object;
}
EXPORT_SYMBOL(pseudo_object);

const struct pseudo_file *pseudo_description(struct node *node)
{
	return pseudo_of(node)->file;
}
EXPORT_SYMBOL(pseudo_description);

/* The same name in the same directory has the same number. */
static u64 id_of(u64 parent, const char *name, size_t length)
{
	u64 id = parent * 0x9e3779b97f4a7c15ULL;

	id ^= hash_bytes(name, length, 0) | (u64)hash_bytes(name, length, (u32)parent + 1) << 32;
	id &= ~0ULL >> 1;
	return id ? id : 1;
}

/* Takes over the reference of the scope, also when it fails. Inside the scope. */
static struct node *node_make(struct tree *tree, u64 id, const struct pseudo_file *file,
			      struct scope *scope, struct pseudo_directory *entry)
{
	struct pseudo_node *pseudo = kmalloc(sizeof(*pseudo), GFP_KERNEL | GFP_CORE);
	bool directory = (file->mode & S_IFMT) == S_IFDIR;
	struct attr attr = {
		.id = id,
		.generation = scope->generation,
		.mode = file->mode,
		.nlink = directory ? 2 : 1,
		.block_size = 1024,
	};
	struct node *node;

	if (scope->maker && scope->maker->owner)
		scope->maker->owner(scope->object, &attr.uid, &attr.gid);
	attr.atime_ns = attr.mtime_ns = attr.ctime_ns = (s64)time_realtime_ns();
	if (!pseudo) {
		scope_put(scope);
		return NULL;
	}
	*pseudo = (struct pseudo_node){ .file = file, .scope = scope, .entry = entry };
	node = node_alloc(tree, &attr, pseudo);
	if (!node) {
		scope_put(scope);
		kfree(pseudo);
	}
	return node;
}

void pseudo_forget(struct node *node)
{
	struct pseudo_node *pseudo = pseudo_of(node);

	scope_put(pseudo->scope);
	kfree(pseudo);
}
EXPORT_SYMBOL(pseudo_forget);

/* ---- Names ---- */

static const struct pseudo_file *child_in_table(const struct pseudo_file *table, const char *name,
						size_t length)
{
	for (; table && table->name; table++)
		if (*table->name && strlen(table->name) == length && !memcmp(table->name, name, length))
			return table;
	return NULL;
}

static const struct pseudo_dynamic *dynamic_of(const struct pseudo_file *file)
{
	if (file->dynamic)
		return file->dynamic;
	for (const struct pseudo_file *child = file->children; child && child->name; child++)
		if (!*child->name)
			return child->dynamic;
	return NULL;
}

/* The tree's lock is held. */
static struct pseudo_directory *entry_find(struct pseudo_directory *directory, const char *name,
					   size_t length)
{
	struct pseudo_directory *entry;

	list_for_each(entry, &directory->children, sibling)
		if (strlen(entry->name) == length && !memcmp(entry->name, name, length))
			return entry;
	return NULL;
}

/* An added entry of that name, its scope referenced and entered; NULL: none. */
static struct pseudo_directory *entry_lookup(struct pseudo_directory *directory, const struct name *name)
{
	struct pseudo_directory *entry;

	if (!directory || list_empty(&directory->children))
		return NULL;
	mutex_lock(&directory->tree->lock);
	entry = entry_find(directory, name->text, name->length);
	if (entry && scope_enter(&entry->scope))
		scope_get(&entry->scope);
	else
		entry = NULL;
	mutex_unlock(&directory->tree->lock);
	return entry;
}

/* A node for `name` in the directory, whose scope has been entered; ERR_PTR. */
static struct node *lookup(struct node *dir, const struct name *name)
{
	struct pseudo_node *pseudo = pseudo_of(dir);
	const struct pseudo_file *file;
	const struct pseudo_dynamic *dynamic;
	struct pseudo_directory *entry;
	u64 id = id_of(dir->attr.id, name->text, name->length);
	struct node *node;
	struct scope *scope;
	void *object;

	entry = entry_lookup(pseudo->entry, name);
	if (entry) {
		node = node_make(dir->tree, id, entry->file, &entry->scope, entry);
		scope_leave(&entry->scope);
		return node ? node : ERR_PTR(-ENOMEM);
	}
	file = child_in_table(pseudo->file->children, name->text, name->length);
	if (file) {
		node = node_make(dir->tree, id, file, scope_get(pseudo->scope), NULL);
		return node ? node : ERR_PTR(-ENOMEM);
	}
	dynamic = dynamic_of(pseudo->file);
	object = dynamic ? dynamic->lookup(name, pseudo->scope->object, &file) : NULL;
	if (!object)
		return ERR_PTR(-ENOENT);
	scope = scope_make(object, dynamic, pseudo->scope);
	node = scope ? node_make(dir->tree, id, file, scope, NULL) : NULL;
	return node ? node : ERR_PTR(-ENOMEM);
}

int pseudo_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
		u64 *negative_until_ns, const struct cred *cred)
{
	unsigned int done;

	for (done = 0; done < count; done++) {
		struct pseudo_node *pseudo = pseudo_of(dir);
		struct node *node = ERR_PTR(-ENOTDIR);

		if ((dir->attr.mode & S_IFMT) == S_IFDIR) {
			node = ERR_PTR(-ENOENT);
			if (scope_enter(pseudo->scope)) {
				node = lookup(dir, &names[done]);
				scope_leave(pseudo->scope);
			}
		}
		if (IS_ERR(node))
			return done ? (int)done : (int)PTR_ERR(node);
		nodes[done] = dir = node;
	}
	return (int)done;
}
EXPORT_SYMBOL(pseudo_walk);

/*
 * Places in a directory, after "." and "..": 2 + n for line n of its table; ADDED + serial number for what was added;
 * MADE + the place that a function gave for the names it makes.
 */
#define ADDED (1ULL << 32)
#define MADE (1ULL << 48)

static int list_table(struct pseudo_node *pseudo, u64 id, struct dir_context *context)
{
	const struct pseudo_file *table = pseudo->file->children;
	u64 place = 2;

	for (; table && table->name; table++, place++) {
		bool shadowed = false;

		if (place < (u64)context->offset || !*table->name)
			continue;
		if (pseudo->entry) {
			mutex_lock(&pseudo->entry->tree->lock);
			shadowed = entry_find(pseudo->entry, table->name, strlen(table->name)) != NULL;
			mutex_unlock(&pseudo->entry->tree->lock);
		}
		if (!shadowed && !context->add(context, table->name, (u32)strlen(table->name),
					       place + 1, id_of(id, table->name, strlen(table->name)),
					       DT_OF_MODE(table->mode)))
			return 1;
		context->offset = (loff_t)(place + 1);
	}
	context->offset = ADDED;
	return 0;
}

/* The added entry of the lowest serial number from `serial` on, referenced. */
static struct pseudo_directory *entry_from(struct pseudo_directory *directory, u64 serial)
{
	struct pseudo_directory *entry, *found = NULL;

	mutex_lock(&directory->tree->lock);
	list_for_each(entry, &directory->children, sibling) {
		if (entry->serial >= serial) {
			found = entry;
			scope_get(&entry->scope);
			break;
		}
	}
	mutex_unlock(&directory->tree->lock);
	return found;
}

static int list_added(struct pseudo_node *pseudo, u64 id, struct dir_context *context)
{
	struct pseudo_directory *entry;

	while (pseudo->entry && (entry = entry_from(pseudo->entry, (u64)context->offset - ADDED))) {
		u64 next = ADDED + entry->serial + 1;
		size_t length = strlen(entry->name);
		u32 type = 0;
		bool full = false;

		if (scope_enter(&entry->scope)) {
			type = DT_OF_MODE(entry->file->mode);
			scope_leave(&entry->scope);
			full = !context->add(context, entry->name, (u32)length, next,
					     id_of(id, entry->name, length), type);
		}
		scope_put(&entry->scope);
		if (full)
			return 1;
		context->offset = (loff_t)next;
	}
	context->offset = MADE;
	return 0;
}

/* Stands between a function that makes names and who asked for them. */
struct made_context {
	struct dir_context context;
	struct dir_context *outer;
	u64 id;
};

static bool made_add(struct dir_context *context, const char *name, u32 length, u64 next_offset,
		     u64 id, u32 type)
{
	struct made_context *made = container_of(context, struct made_context, context);

	return made->outer->add(made->outer, name, length, MADE + next_offset,
				id_of(made->id, name, length), type);
}

bool pseudo_emit(struct dir_context *context, const char *name, u64 next_offset, u32 type)
{
	if (!context->add(context, name, (u32)strlen(name), next_offset, 0, type))
		return false;
	context->offset = (loff_t)next_offset;
	return true;
}
EXPORT_SYMBOL(pseudo_emit);

static int list_made(struct pseudo_node *pseudo, u64 id, struct dir_context *context)
{
	const struct pseudo_dynamic *dynamic = dynamic_of(pseudo->file);
	struct made_context made = { .context = { .add = made_add,
						  .offset = context->offset - (loff_t)MADE },
				     .outer = context,
				     .id = id };
	int error;

	if (!dynamic)
		return 0;
	error = dynamic->list(&made.context, pseudo->scope->object);
	context->offset = (loff_t)MADE + made.context.offset;
	return error;
}

int pseudo_readdir(struct file *file, struct dir_context *context)
{
	struct pseudo_node *pseudo = pseudo_of(file->node);
	u64 id = file->node->attr.id;
	int error = 0;

	if ((file->node->attr.mode & S_IFMT) != S_IFDIR)
		return -ENOTDIR;
	if (!dir_emit_dots(file, context))
		return 0;
	if (!scope_enter(pseudo->scope))
		return -ENOENT;
	if ((u64)context->offset < ADDED)
		error = list_table(pseudo, id, context);
	if (!error && (u64)context->offset < MADE)
		error = list_added(pseudo, id, context);
	if (!error)
		error = list_made(pseudo, id, context);
	scope_leave(pseudo->scope);
	return error < 0 ? error : 0;
}
EXPORT_SYMBOL(pseudo_readdir);

ssize_t pseudo_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred)
{
	struct pseudo_node *pseudo = pseudo_of(node);
	ssize_t length = 0;

	if (!scope_enter(pseudo->scope))
		return -ENOENT;
	if (pseudo->file->allow)
		length = pseudo->file->allow(pseudo->scope->object, cred);
	if (!length && pseudo->entry && pseudo->entry->target) {
		length = (ssize_t)min(strlen(pseudo->entry->target), size);
		memcpy(buffer, pseudo->entry->target, (size_t)length);
	} else if (!length) {
		length = pseudo->file->target
				 ? pseudo->file->target(buffer, size, pseudo->scope->object)
				 : -EINVAL;
	}
	scope_leave(pseudo->scope);
	return length;
}
EXPORT_SYMBOL(pseudo_readlink);

/* -EOPNOTSUPP: the link leads to a name, not to an object. */
int pseudo_follow(struct node *node, struct path *path, const struct cred *cred)
{
	struct pseudo_node *pseudo = pseudo_of(node);
	int error = 0;

	if (!scope_enter(pseudo->scope))
		return -ENOENT;
	if (!pseudo->file->follow)
		error = -EOPNOTSUPP;
	else if (pseudo->file->allow)
		error = pseudo->file->allow(pseudo->scope->object, cred);
	if (!error)
		error = pseudo->file->follow(path, pseudo->scope->object);
	scope_leave(pseudo->scope);
	return error;
}
EXPORT_SYMBOL(pseudo_follow);

/* Opening with O_TRUNC and touching change nothing here; owners and modes are the table's, and may be set to what they are. */
int pseudo_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	const struct attr *attr = &node->attr;

	if (((change->valid & SETATTR_MODE) && (change->mode & 07777) != (attr->mode & 07777)) ||
	    ((change->valid & SETATTR_UID) && change->uid != attr->uid) ||
	    ((change->valid & SETATTR_GID) && change->gid != attr->gid))
		return -EPERM;
	return 0;
}
EXPORT_SYMBOL(pseudo_setattr);

bool pseudo_permits(struct node *node, int mask)
{
	struct pseudo_node *pseudo = pseudo_of(node);
	bool permits;

	if ((mask & MAY_WRITE) || !scope_enter(pseudo->scope))
		return false;
	permits = pseudo->file->permits && pseudo->file->permits(pseudo->scope->object);
	scope_leave(pseudo->scope);
	return permits;
}
EXPORT_SYMBOL(pseudo_permits);

int pseudo_statfs(struct tree *tree, struct statfs_info *info)
{
	info->type = tree->magic;
	info->block_size = PAGE_SIZE;
	info->name_max = NAME_MAX_LENGTH;
	return 0;
}
EXPORT_SYMBOL(pseudo_statfs);

/* ---- Open files ---- */

struct open_text {
	struct mutex lock; /* of what follows */
	struct text text;
	u64 start;  /* offset in the file of the text's first byte */
	u64 cursor; /* of `next` */
	bool made, end;
	void *held; /* what stands in for the object, if the file has that */
	u64 seen;   /* by its poll */
};

static const struct tree_ops polled_ops;

int pseudo_open(struct file *file, const struct cred *cred)
{
	struct pseudo_node *pseudo = pseudo_of(file->node);
	const struct pseudo_file *description;
	struct open_text *open;
	int error = 0;

	if (!scope_enter(pseudo->scope))
		return -ENODEV;
	description = pseudo->file;
	if (description->allow)
		error = description->allow(pseudo->scope->object, cred);
	if (error || (description->mode & S_IFMT) != S_IFREG)
		goto out;
	if (description->ops) {
		file->ops = description->ops;
		if (file->ops->open)
			error = file->ops->open(file, cred);
		goto out;
	}
	/* Nobody may do what the file is not made for, not even who may override permissions. */
	error = -EACCES;
	if ((file->mode & FILE_READ) &&
	    (!(description->mode & 0444) || (!description->show && !description->next)))
		goto out;
	if ((file->mode & FILE_WRITE) && (!(description->mode & 0222) || !description->store))
		goto out;
	error = -ENOMEM;
	open = kzalloc(sizeof(*open), GFP_KERNEL);
	if (!open)
		goto out;
	mutex_init(&open->lock, "pseudo_text");
	open->text.cred = file->cred;
	if (description->hold) {
		open->held = description->hold(pseudo->scope->object);
		if (IS_ERR(open->held)) {
			error = (int)PTR_ERR(open->held);
			kfree(open);
			goto out;
		}
	}
	file->private = open;
	if (description->poll) {
		file->ops = &polled_ops;
		(void)description->poll(open->held, file, NULL, &open->seen); /* what happens from now on */
	}
	error = 0;
out:
	scope_leave(pseudo->scope);
	return error;
}
EXPORT_SYMBOL(pseudo_open);

void pseudo_clunk(struct file *file)
{
	struct open_text *open = file->private;

	if (open) {
		if (open->held)
			pseudo_of(file->node)->file->release(open->held);
		text_release(&open->text);
		kfree(open);
	}
}
EXPORT_SYMBOL(pseudo_clunk);

/* Makes the text that follows what is there. */
static int open_text_make(struct file *file, struct open_text *open)
{
	struct pseudo_node *pseudo = pseudo_of(file->node);
	int result = 0;

	open->start += open->text.length;
	open->text.length = 0;
	if (!scope_enter(pseudo->scope))
		return -ENODEV;
	if (pseudo->file->show) {
		result = pseudo->file->show(&open->text, pseudo->scope->object);
		open->end = true;
	}
	while (!open->end && result >= 0 && open->text.length < PAGE_SIZE && !open->text.failed) {
		result = pseudo->file->next(
			&open->text, open->held ? open->held : pseudo->scope->object, &open->cursor);
		open->end = !result;
		cond_resched();
	}
	scope_leave(pseudo->scope);
	if (open->text.failed)
		result = -ENOMEM;
	open->made = result >= 0;
	return result < 0 ? result : 0;
}

static void open_text_restart(struct open_text *open)
{
	open->text.length = 0;
	open->text.failed = false;
	open->start = open->cursor = 0;
	open->made = open->end = false;
}

ssize_t pseudo_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct open_text *open = file->private;
	u64 at = (u64)*pos;
	ssize_t result;
	size_t part;

	if ((file->node->attr.mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	if (!open)
		return -EINVAL;
	result = mutex_lock_interruptible(&open->lock);
	if (result)
		return result;
	if (!at || !open->made || at < open->start)
		open_text_restart(open);
	while (!open->made || (at >= open->start + open->text.length && !open->end)) {
		result = open_text_make(file, open);
		if (result)
			goto out;
	}
	while (to->count) {
		if (at >= open->start + open->text.length) {
			/* A read may go over several pieces, but reports an error only if it has nothing else to give. */
			if (open->end || open_text_make(file, open))
				break;
			continue;
		}
		part = min((size_t)(open->start + open->text.length - at), to->count);
		part = iter_copy_to(to, open->text.data + (at - open->start), part);
		at += part;
		if (!part || (at < open->start + open->text.length && to->count))
			break;
	}
	result = (ssize_t)(at - (u64)*pos);
	if (!result && to->count && at < open->start + open->text.length)
		result = -EFAULT;
	*pos = (loff_t)at;
out:
	mutex_unlock(&open->lock);
	return result;
}
EXPORT_SYMBOL(pseudo_read);

static u32 pseudo_poll(struct file *file, struct poll_table *table)
{
	struct open_text *open = file->private;

	return pseudo_of(file->node)->file->poll(open->held, file, table, &open->seen);
}

/* Of files that can be waited for. */
static const struct tree_ops polled_ops = { PSEUDO_TREE_OPERATIONS, .poll = pseudo_poll };

#define WRITE_MAX (64 * KIB)

ssize_t pseudo_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct pseudo_node *pseudo = pseudo_of(file->node);
	size_t size = from->count, length = size;
	ssize_t result = -ENODEV;
	char *words;

	if (size > WRITE_MAX)
		return -EINVAL;
	words = kmalloc(size + 1, GFP_KERNEL);
	if (!words)
		return -ENOMEM;
	if (iter_copy_from(from, words, size) != size) {
		kfree(words);
		return -EFAULT;
	}
	if (length && words[length - 1] == '\n')
		length--;
	words[length] = '\0';
	if (scope_enter(pseudo->scope)) {
		result = -EINVAL;
		if (pseudo->file->store)
			result = pseudo->file->store(words, length, pseudo->scope->object, file->cred);
		scope_leave(pseudo->scope);
	}
	kfree(words);
	if (result)
		return result;
	*pos += (loff_t)size;
	return (ssize_t)size;
}
EXPORT_SYMBOL(pseudo_write);

/* What is made anew for each reader cannot be made stable. */
int pseudo_fsync(struct file *file, bool data_only)
{
	return -EINVAL;
}
EXPORT_SYMBOL(pseudo_fsync);

/* Of a text it is not known where it ends. What is stored into has the positions of any file, as on Linux. */
loff_t pseudo_seek(struct file *file, loff_t offset, int whence)
{
	if (S_ISREG(file->node->attr.mode) && !(file->node->attr.mode & 0222) && whence > SEEK_CUR)
		return -EINVAL;
	return file_seek_size(file, offset, whence, 0);
}
EXPORT_SYMBOL(pseudo_seek);

/* ---- Entries that come and go ---- */

/* NULL: no memory. */
static struct pseudo_directory *entry_make(struct pseudo_tree *tree, const char *name,
					   const struct pseudo_file *file, void *object)
{
	struct pseudo_directory *entry = kzalloc(sizeof(*entry) + strlen(name) + 1, GFP_KERNEL);

	if (!entry)
		return NULL;
	refcount_set(&entry->scope.refs, 1);
	entry->scope.object = object;
	entry->scope.guard = &entry->scope;
	entry->file = file;
	entry->tree = tree;
	list_init(&entry->children);
	list_init(&entry->sibling);
	memcpy(entry->name, name, strlen(name) + 1);
	return entry;
}

static struct pseudo_directory *directory_make(struct pseudo_tree *tree, const char *name,
					       const struct pseudo_file *files, void *object)
{
	struct pseudo_directory *entry = entry_make(tree, name, NULL, object);

	if (entry) {
		entry->own = (struct pseudo_file){ .name = entry->name,
						   .mode = S_IFDIR | 0555,
						   .children = files };
		entry->file = &entry->own;
	}
	return entry;
}

/* Shows the entry; the tree's lock is held. -EEXIST. */
static int entry_add(struct pseudo_directory *parent, struct pseudo_directory *entry)
{
	struct pseudo_tree *tree = parent->tree;

	if (entry_find(parent, entry->name, strlen(entry->name)))
		return -EEXIST;
	entry->parent = parent;
	entry->serial = ++tree->last_serial;
	entry->scope.generation = (u32)entry->serial;
	list_add_tail(&parent->children, &entry->sibling);
	return 0;
}

static int entry_add_locked(struct pseudo_directory *parent, struct pseudo_directory *entry)
{
	int error;

	mutex_lock(&parent->tree->lock);
	error = entry_add(parent, entry);
	mutex_unlock(&parent->tree->lock);
	if (error)
		scope_put(&entry->scope);
	return error;
}

struct pseudo_directory *pseudo_directory_add(struct pseudo_tree *tree,
					      struct pseudo_directory *parent, const char *name,
					      const struct pseudo_file *files, void *object)
{
	struct pseudo_directory *entry = directory_make(tree, name, files, object);
	int error;

	if (!entry)
		return ERR_PTR(-ENOMEM);
	error = entry_add_locked(parent ? parent : tree->root, entry);
	return error ? ERR_PTR(error) : entry;
}
EXPORT_SYMBOL(pseudo_directory_add);

int pseudo_file_add(struct pseudo_directory *directory, const struct pseudo_file *file, void *object)
{
	struct pseudo_directory *entry = entry_make(directory->tree, file->name, file, object);

	return entry ? entry_add_locked(directory, entry) : -ENOMEM;
}
EXPORT_SYMBOL(pseudo_file_add);

int pseudo_link_add(struct pseudo_directory *directory, const char *name, const char *target)
{
	struct pseudo_directory *entry = entry_make(directory->tree, name, NULL, NULL);

	if (!entry)
		return -ENOMEM;
	entry->own = (struct pseudo_file){ .name = entry->name, .mode = S_IFLNK | 0777 };
	entry->file = &entry->own;
	entry->target = kstrdup(target, GFP_KERNEL);
	if (!entry->target) {
		scope_put(&entry->scope);
		return -ENOMEM;
	}
	return entry_add_locked(directory, entry);
}
EXPORT_SYMBOL(pseudo_link_add);

/* Takes the entry out of sight with all that is below it; the tree's lock is held. They gather in `removed`, children before
 * their directories. */
static void entry_unlink(struct pseudo_directory *entry, struct list *removed)
{
	while (!list_empty(&entry->children))
		entry_unlink(list_first(&entry->children, struct pseudo_directory, sibling), removed);
	WRITE_ONCE(entry->scope.gone, true);
	list_del(&entry->sibling);
	list_add_tail(removed, &entry->sibling);
}

static void entries_drop(struct list *removed)
{
	struct pseudo_directory *entry, *after;

	smp_mb(); /* gone is seen before `inside` is read: pairs with scope_enter() */
	list_for_each_safe(entry, after, removed, sibling) {
		wait_event(&removals, !atomic_read(&entry->scope.inside));
		list_init(&entry->sibling);
		scope_put(&entry->scope);
	}
}

void pseudo_directory_remove(struct pseudo_directory *directory)
{
	struct list removed = LIST_INIT(removed);

	mutex_lock(&directory->tree->lock);
	entry_unlink(directory, &removed);
	mutex_unlock(&directory->tree->lock);
	entries_drop(&removed);
}
EXPORT_SYMBOL(pseudo_directory_remove);

void pseudo_file_remove(struct pseudo_directory *directory, const char *name)
{
	struct list removed = LIST_INIT(removed);
	struct pseudo_directory *entry;

	mutex_lock(&directory->tree->lock);
	entry = entry_find(directory, name, strlen(name));
	if (entry)
		entry_unlink(entry, &removed);
	mutex_unlock(&directory->tree->lock);
	entries_drop(&removed);
}
EXPORT_SYMBOL(pseudo_file_remove);

/* The added directory of that name, made at need over what the parent's table has there; the tree's lock is held. */
static struct pseudo_directory *directory_at(struct pseudo_directory *parent, const char *name,
					     size_t length)
{
	struct pseudo_directory *entry = entry_find(parent, name, length);
	const struct pseudo_file *below;
	char text[NAME_MAX_LENGTH + 1];

	if (entry || length > NAME_MAX_LENGTH)
		return entry;
	memcpy(text, name, length);
	text[length] = '\0';
	below = child_in_table(parent->file->children, name, length);
	entry = directory_make(parent->tree, text, below ? below->children : NULL, NULL);
	if (!entry)
		return NULL;
	if (below) {
		entry->own.mode = below->mode;
		entry->own.dynamic = below->dynamic;
	}
	if (entry_add(parent, entry)) {
		scope_put(&entry->scope);
		return NULL;
	}
	return entry;
}

struct pseudo_directory *pseudo_directory_path(struct pseudo_tree *tree, const char *path)
{
	struct pseudo_directory *directory = tree->root;

	mutex_lock(&tree->lock);
	while (directory && *path) {
		const char *end = strchr(path, '/');
		size_t length = end ? (size_t)(end - path) : strlen(path);

		directory = directory_at(directory, path, length);
		path += length + (end != NULL);
	}
	mutex_unlock(&tree->lock);
	return directory;
}
EXPORT_SYMBOL(pseudo_directory_path);

/* ---- Trees ---- */

struct pseudo_tree *pseudo_tree_create(const struct pseudo_file *root)
{
	struct pseudo_tree *tree = kzalloc(sizeof(*tree), GFP_KERNEL);

	if (!tree)
		return NULL;
	mutex_init(&tree->lock, "pseudo_tree");
	tree->root = directory_make(tree, "", root, NULL);
	if (!tree->root) {
		kfree(tree);
		return NULL;
	}
	return tree;
}
EXPORT_SYMBOL(pseudo_tree_create);

void pseudo_tree_destroy(struct pseudo_tree *tree)
{
	pseudo_directory_remove(tree->root);
	kfree(tree);
}
EXPORT_SYMBOL(pseudo_tree_destroy);

int pseudo_tree_attach(struct tree *tree, struct pseudo_tree *pseudo)
{
	struct pseudo_directory *root = pseudo->root;

	tree->private = pseudo;
	tree->flags |= TREE_NO_CACHE_NAMES;
	tree->root = node_make(tree, 1, root->file, scope_get(&root->scope), root);
	return tree->root ? 0 : -ENOMEM;
}
EXPORT_SYMBOL(pseudo_tree_attach);

const struct tree_ops pseudo_tree_ops = { PSEUDO_TREE_OPERATIONS };
EXPORT_SYMBOL(pseudo_tree_ops);
