/*
 * The walk: from the text of a name to a path.
 *
 * A walk is tried first without taking references or locks (walk_peek): entries come from the name cache under
 * rcu_read_lock(), and at the end names_sequence must not have moved; then a reference of the result alone is taken, or, for
 * stat(2), not even that. What cannot be answered so (a name that is not cached or may not be believed, a link whose
 * text must be asked for, a tree with access rules of its own, any kind of error) is walked again with references
 * (struct walk), element by element, asking trees where the cache does not know.
 *
 * A tree is asked with its directory's node->lock held, so that answers and changes of the same directory do not cross.
 * A tree whose walks cost a round trip (TREE_WALK_MANY) is asked for all elements that follow at once; those beyond the
 * first are not protected by a lock, and are cached only if no name of the tree changed meanwhile.
 *
 * Where a walk ends: the last element is not looked up by walk_to_parent(), but left to its caller, who may want to
 * create, remove or open it, under the directory's lock.
 */
#include <kumo/export.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/mount.h>

#include "internal.h"

#define WALK_AT_ONCE 16 /* elements asked for in one call */

static inline const char *skip_slashes(const char *text)
{
	while (*text == '/')
		text++;
	return text;
}

/* Cuts the element at `text`; returns where it ends. */
static inline const char *element_end(const char *text)
{
	while (*text && *text != '/')
		text++;
	return text;
}

static inline bool name_is_dots(const char *text, u32 length)
{
	return text[0] == '.' && (length == 1 || (length == 2 && text[1] == '.'));
}

/* ---- Without references ---- */

/* The context's root or working directory, both words of one moment. */
static inline struct path fs_peek(struct fs_context *fs, const struct path *which)
{
	struct path path;
	u32 sequence;

	do {
		sequence = smp_load_acquire(&fs->sequence);
		path = *(const volatile struct path *)which;
		smp_rmb(); /* pairs with fs_replace() */
	} while (unlikely((sequence & 1) || READ_ONCE(fs->sequence) != sequence));
	return path;
}

static inline bool may_search_peek(const struct node *node, const struct cred *cred)
{
	return S_ISDIR(node->attr.mode) && !node->ops->permission && mode_permits(node, MAY_EXEC, cred);
}

/* What stands on (mount, entry), to the top. */
static inline void peek_cross_mounts(struct path *at)
{
	while (unlikely(READ_ONCE(at->entry->flags) & ENTRY_MOUNTED)) {
		struct mount *mount = mount_find_rcu(at->mount, at->entry);

		if (!mount)
			return;
		mount_used(mount);
		at->mount = mount;
		at->entry = mount->root;
	}
}

/* "..": stays at the root; from the root of a mount to the parent of what it covers. */
static void peek_parent(struct path *at, const struct path *root)
{
	struct path over;

	while (!path_equal(at, root)) {
		if (at->entry != at->mount->root) {
			at->entry = READ_ONCE(at->entry->parent);
			path_leave_member(at);
			peek_cross_mounts(at);
			return;
		}
		if (!mount_over_peek(at->mount, &over))
			return;
		*at = over;
	}
	peek_cross_mounts(at);
}

/* A walk without references on its way. */
struct peek {
	struct path at, root;
	struct node *node; /* of `at`, as it was found */
	const char *text;  /* still to walk; behind it, the texts on the stack */
	const char *stack[SYMLINKS_MAX];
	unsigned int depth, links;
	bool must_be_directory, follow;
	const struct cred *cred;
};

static inline int peek_jump(struct peek *peek, const struct path *to)
{
	peek->at = *to;
	peek->node = to->entry->node;
	return likely(peek->node) ? 0 : -ECHILD;
}

static inline int peek_begin(struct peek *peek, const struct path *start, const char *name)
{
	struct fs_context *fs = fs_current();
	struct path working;

	peek->root = fs_peek(fs, &fs->root);
	peek->text = name;
	if (*name == '/') {
		peek->text = skip_slashes(name);
		return peek_jump(peek, &peek->root);
	}
	if (!*name)
		return -ECHILD;
	if (start)
		return peek_jump(peek, start);
	working = fs_peek(fs, &fs->working);
	return peek_jump(peek, &working);
}

/* Cuts the next element off the text. */
static inline struct name peek_element(struct peek *peek)
{
	const char *end = element_end(peek->text);
	struct name element = { .text = peek->text, .length = end - peek->text };

	peek->text = end;
	if (*end == '/') {
		peek->text = skip_slashes(end);
		if (!*peek->text) /* a slash at the end asks for a directory, in a link's text as in the name's */
			peek->must_be_directory = peek->follow = true;
	}
	return element;
}

/* "." and "..". */
static inline int peek_dots(struct peek *peek, const struct name *element)
{
	if (element->length == 2)
		peek_parent(&peek->at, &peek->root);
	peek->node = READ_ONCE(peek->at.entry->node);
	if (!*peek->text)
		peek->must_be_directory = true;
	return likely(peek->node) ? 0 : -ECHILD;
}

/* Goes on with the text of a link. */
static inline int peek_into_link(struct peek *peek, const struct node *link)
{
	const char *target = link->link_text;

	if (!target || !*target || peek->links++ >= SYMLINKS_MAX ||
	    (peek->at.mount->flags & MS_NOSYMFOLLOW))
		return -ECHILD;
	peek->stack[peek->depth++] = peek->text;
	peek->text = skip_slashes(target);
	return *target == '/' ? peek_jump(peek, &peek->root) : 0;
}

/* Into what the element names; -ENOENT: it is known to be absent, if nothing has moved. */
static inline int peek_step(struct peek *peek, struct name *element)
{
	struct entry *next;
	struct node *node;
	bool last;

	if (unlikely(element->length > NAME_MAX_LENGTH))
		return -ECHILD;
	element->hash = name_hash(element->text, element->length);
	if (path_is_union(&peek->at))
		next = union_find_rcu(&peek->at, element, peek->cred);
	else
		next = entry_find_rcu(peek->at.entry, element);
	if (unlikely(!next || next->believe_until_ns != BELIEVE_FOREVER))
		return -ECHILD;
	last = !*peek->text && !peek->depth;
	node = smp_load_acquire(&next->node); /* pairs with entry_add() */
	if (!node)
		return -ENOENT;
	if (unlikely(READ_ONCE(next->flags) & ENTRY_MOUNTED)) {
		peek->at.entry = next;
		peek_cross_mounts(&peek->at);
		next = peek->at.entry;
		node = READ_ONCE(next->node);
		if (unlikely(!node))
			return -ECHILD;
	}
	if (S_ISLNK(node->attr.mode) && (!last || peek->follow)) {
		if (unlikely(last && may_follow(peek->node, node, peek->cred)))
			return -ECHILD;
		return peek_into_link(peek, node);
	}
	peek->at.entry = next;
	peek->node = node;
	return 0;
}

int walk_peek(const struct path *start, const char *name, unsigned int flags,
	      const struct cred *cred, struct walk_peek *result)
{
	struct peek peek;

	if (unlikely(flags & (WALK_NO_SYMLINKS | WALK_BENEATH | WALK_IN_ROOT | WALK_NO_XDEV)))
		return -ECHILD;
	result->sequence = names_sequence_read();
	if (unlikely(result->sequence & 1))
		return -ECHILD;
	peek.depth = peek.links = 0;
	peek.must_be_directory = flags & WALK_DIRECTORY;
	peek.follow = flags & WALK_FOLLOW;
	peek.cred = cred;
	if (unlikely(peek_begin(&peek, start, name)))
		return -ECHILD;
	for (;;) {
		struct name element;
		int error;

		if (!*peek.text) {
			if (!peek.depth)
				break;
			peek.text = skip_slashes(peek.stack[--peek.depth]);
			continue;
		}
		if (unlikely(!may_search_peek(peek.node, cred)))
			return -ECHILD;
		element = peek_element(&peek);
		if (unlikely(name_is_dots(element.text, element.length)))
			error = peek_dots(&peek, &element);
		else
			error = peek_step(&peek, &element);
		if (unlikely(error))
			return error == -ENOENT && names_sequence_changed(result->sequence) ? -ECHILD
											    : error;
	}
	if (peek.must_be_directory && !S_ISDIR(peek.node->attr.mode))
		return -ECHILD;
	result->path = peek.at;
	result->node = peek.node;
	return 0;
}

/* Drops what was taken in vain. A mount that was detached meanwhile may go with it, and its tree, which sleeps. */
static __noinline void peek_drop(struct walk_peek *peek, bool entry_too)
{
	rcu_read_unlock();
	if (entry_too)
		entry_put(peek->path.entry);
	mount_put(peek->path.mount);
	rcu_read_lock();
}

bool walk_peek_keep(struct walk_peek *peek)
{
	bool live;

	/* The mount first: taking the entry is a full barrier, and orders both before the check. */
	mount_get(peek->path.mount);
	live = entry_get_live(peek->path.entry);
	if (likely(live && READ_ONCE(peek->path.entry->node) == peek->node &&
		   !names_sequence_changed(peek->sequence)))
		return true;
	peek_drop(peek, live);
	return false;
}

/* ---- Asking trees ---- */

/* The element after `text`'s, if it is a plain name that the tree could be asked for, too. */
static bool next_element(const char **text, struct name *name)
{
	const char *start = skip_slashes(*text), *end = element_end(start);

	if (end == start || end - start > NAME_MAX_LENGTH || name_is_dots(start, end - start))
		return false;
	*name = name_make(start, end - start);
	*text = end;
	return true;
}

/* The tree says what `name` names: brings the cache up to date. dir->node->lock held; takes the node over. */
static struct entry *entry_learn(struct entry *dir, const struct name *name, struct node *node)
{
	struct entry *entry = entry_find(dir, name);

	/* A name besides the one that the file is known by: what removes or moves it must meet that. */
	if ((dir->tree->flags & TREE_FOLDS_CASE) && node->attr.believe_until_ns != BELIEVE_FOREVER &&
	    !(entry && (entry->flags & ENTRY_MOUNTED))) {
		struct entry *known = entry_of_child(dir, node);

		if (known) {
			if (entry && entry != known)
				entry_drop(entry);
			if (entry)
				entry_put(entry);
			node_put(node);
			return known;
		}
	}
	if (entry && (entry->flags & ENTRY_MOUNTED)) {
		node_put(node);
		return entry;
	}
	if (entry && entry->node &&
	    (entry->node == node || (entry->node->attr.id == node->attr.id &&
				     entry->node->attr.generation == node->attr.generation))) {
		/* The same file: keep what we have, with its page cache, and believe it for longer. */
		if (entry->node != node)
			entry->node->attr = node->attr;
		entry->believe_until_ns =
			dir->tree->flags & TREE_NO_CACHE_NAMES ? 0 : node->attr.believe_until_ns;
		node_put(node);
		return entry;
	}
	if (entry)
		entry_put(entry);
	return entry_add(dir, name, node, node->attr.believe_until_ns);
}

/* The tree says that there is no `name`: brings the cache up to date. dir->node->lock held. */
static void entry_learn_absent(struct entry *dir, const struct name *name, u64 believe_until_ns)
{
	struct entry *entry = entry_find(dir, name);

	if (entry) {
		if (entry->node)
			entry_drop(entry);
		entry_put(entry);
	}
	if (dir->tree->flags & TREE_NEGATIVE_FOREVER)
		believe_until_ns = BELIEVE_FOREVER;
	if (!believe_until_ns || (dir->tree->flags & TREE_NO_CACHE_NAMES))
		return;
	entry = entry_add(dir, name, NULL, believe_until_ns);
	if (!IS_ERR(entry)) /* else it is asked for again */
		entry_put(entry);
}

/* What a tree tells of besides what it was asked for. */
struct learner {
	struct walk_ahead ahead;
	struct entry *dir;
};

static void learn_ahead(struct walk_ahead *ahead, const struct name *name, struct node *node)
{
	struct entry *entry = entry_learn(container_of(ahead, struct learner, ahead)->dir, name, node);

	if (!IS_ERR(entry)) /* else it is asked for when it is wanted */
		entry_put(entry);
}

/* `name` was found: what may be asked for next? dir->node->lock held. */
static void lookup_ahead(struct entry *dir, const struct name *name, const struct cred *cred)
{
	struct learner learner = { { learn_ahead }, dir };

	serve_walk_ahead(dir->node, name, &learner.ahead, cred);
}

/*
 * The nodes that a tree found below `top`, beyond the element that was asked for: without the locks of their directories. With
 * such a lock, and no change begun since we asked, what was found is true now, and may be cached. Takes the nodes over.
 */
static void entries_learn_below(struct entry *top, const struct name *names, struct node **nodes,
				int count, long begun, const struct cred *cred)
{
	struct entry *at = top, *below;
	int i = 0;

	for (; i < count && S_ISDIR(at->node->attr.mode) && mutex_trylock(&at->node->lock); i++) {
		below = ERR_PTR(-ESTALE);
		if (begun == atomic64_read(&at->tree->changes_begun))
			below = entry_learn(at, &names[i], nodes[i]);
		else
			node_put(nodes[i]);
		if (i == count - 1 && !IS_ERR(below))
			lookup_ahead(at, &names[i], cred);
		mutex_unlock(&at->node->lock);
		if (IS_ERR(below)) {
			i++;
			break;
		}
		if (at != top)
			entry_put(at);
		at = below;
	}
	if (at != top)
		entry_put(at);
	while (i < count)
		node_put(nodes[i++]);
}

struct entry *lookup_ask(struct entry *dir, const struct name *name, const char *rest,
			 const struct cred *cred)
{
	struct name names[WALK_AT_ONCE];
	struct node *nodes[WALK_AT_ONCE];
	struct tree *tree = dir->tree;
	struct tree_visit visit;
	unsigned int count = 1;
	struct entry *entry;
	u64 negative_until_ns = 0;
	long begun = 0;
	int reached;

	if (!dir->node->ops->walk)
		return ERR_PTR(-ENOTDIR);
	if (dir->node->flags & NODE_DEAD)
		return ERR_PTR(-ENOENT);
	names[0] = *name;
	if (rest && (tree->flags & TREE_WALK_MANY)) {
		begun = atomic64_read(&tree->changes_begun);
		smp_rmb();
		if (begun != atomic64_read(&tree->changes_done))
			rest = NULL;
		while (rest && count < WALK_AT_ONCE && next_element(&rest, &names[count]))
			count++;
	}
	reached = serve_walk(dir->node, names, count, nodes, &negative_until_ns, cred, &visit);
	if (reached == -ENOENT)
		entry_learn_absent(dir, name, negative_until_ns);
	if (reached <= 0)
		return ERR_PTR(reached ? reached : -EIO);
	entry = entry_learn(dir, name, nodes[0]);
	if (!IS_ERR(entry)) {
		if (reached == 1)
			lookup_ahead(dir, name, cred);
		entries_learn_below(entry, names + 1, nodes + 1, reached - 1, begun, cred);
	} else {
		while (--reached > 0)
			node_put(nodes[reached]);
	}
	tree_leave(&visit);
	return entry;
}

static struct entry *lookup_locked_rest(struct entry *dir, const struct name *name,
					const char *rest, const struct cred *cred)
{
	struct entry *entry = entry_find(dir, name);

	if (entry) {
		bool absent = !entry->node;

		if (entry_believed(entry)) {
			if (!absent)
				return entry;
			entry_put(entry);
			return ERR_PTR(-ENOENT);
		}
		/* A place where something is mounted stays, whatever its tree says. */
		if (entry->flags & ENTRY_MOUNTED)
			return entry;
		entry_put(entry);
	}
	return lookup_ask(dir, name, rest, cred);
}

struct entry *lookup_locked(struct entry *dir, const struct name *name, const struct cred *cred)
{
	return lookup_locked_rest(dir, name, NULL, cred);
}

static struct entry *lookup(struct entry *dir, const struct name *name, const char *rest,
			    const struct cred *cred)
{
	struct entry *entry = entry_find(dir, name);
	int error;

	if (entry) {
		if (entry_believed(entry)) {
			if (entry->node)
				return entry;
			entry_put(entry);
			return ERR_PTR(-ENOENT);
		}
		entry_put(entry);
	}
	error = mutex_lock_killable(&dir->node->lock);
	if (error)
		return ERR_PTR(error);
	entry = lookup_locked_rest(dir, name, rest, cred);
	mutex_unlock(&dir->node->lock);
	return entry;
}

struct entry *entry_lookup(struct entry *dir, const struct name *name, const struct cred *cred)
{
	return lookup(dir, name, NULL, cred);
}

/* ---- With references ---- */

static int walk_jump_to_root(struct walk *walk)
{
	if (walk->flags & WALK_BENEATH)
		return -EXDEV;
	if ((walk->flags & WALK_NO_XDEV) && walk->path.mount != walk->root.mount)
		return -EXDEV;
	path_get(&walk->root);
	path_put(&walk->path);
	walk->path = walk->root;
	return 0;
}

int walk_begin(struct walk *walk, const struct path *start, const char *name, unsigned int flags,
	       const struct cred *cred)
{
	walk->flags = flags;
	walk->cred = cred;
	walk->links = walk->depth = 0;
	walk->must_be_directory = flags & WALK_DIRECTORY;
	walk->follow = flags & WALK_FOLLOW;
	walk->jumped = false;
	if (*name == '/' && (flags & WALK_BENEATH))
		return -EXDEV;
	if (*name == '/' && !(flags & WALK_IN_ROOT)) {
		fs_root(&walk->path);
	} else if (start) {
		path_get(start);
		walk->path = *start;
	} else {
		fs_working(&walk->path);
	}
	/* With these a walk's root is where it starts. */
	if (flags & (WALK_IN_ROOT | WALK_BENEATH)) {
		walk->root = walk->path;
		path_get(&walk->root);
	} else {
		fs_root(&walk->root);
	}
	walk->rest = skip_slashes(name);
	if (!*name && !(flags & WALK_EMPTY_PATH)) {
		walk_end(walk);
		return -ENOENT;
	}
	return 0;
}

static void walk_pop(struct walk *walk)
{
	struct walk_link *link = &walk->stack[--walk->depth];

	kfree(link->text);
	if (link->pinned)
		node_put(link->pinned);
	walk->rest = link->rest;
}

void walk_end(struct walk *walk)
{
	while (walk->depth)
		walk_pop(walk);
	path_put(&walk->path);
	path_put(&walk->root);
}

static int may_search(struct node *node, const struct cred *cred)
{
	if (!S_ISDIR(node->attr.mode))
		return -ENOTDIR;
	if (likely(!node->ops->permission && mode_permits(node, MAY_EXEC, cred)))
		return 0;
	return node_permission(node, MAY_EXEC, cred);
}

/* "..". */
static int walk_up(struct walk *walk)
{
	for (;;) {
		struct entry *entry = walk->path.entry, *parent;

		if (path_equal(&walk->path, &walk->root))
			return walk->flags & WALK_BENEATH ? -EXDEV : 0;
		if (entry != walk->path.mount->root) {
			spin_lock(&names_lock);
			parent = entry->parent;
			entry_get(parent);
			spin_unlock(&names_lock);
			walk->path.entry = parent;
			entry_put(entry);
			if (unlikely(walk->path.mount->member) && parent == walk->path.mount->root)
				(void)path_cross_up(&walk->path);
			break;
		}
		if (walk->flags & WALK_NO_XDEV)
			return -EXDEV;
		if (!path_cross_up(&walk->path))
			return 0;
	}
	path_cross_mounts(&walk->path);
	/* A directory that was moved out of the root while we were in it leads anywhere; Linux has the caller try again, too. */
	return walk_check_scope(walk) ? -EAGAIN : 0;
}

/* A link whose target is an object leads anywhere: does the walk allow it? */
static int may_jump(const struct walk *walk, const struct path *to)
{
	if (walk->flags & WALK_NO_MAGIC_LINKS)
		return -ELOOP;
	if (walk->flags & (WALK_BENEATH | WALK_IN_ROOT))
		return -EXDEV;
	return (walk->flags & WALK_NO_XDEV) && to->mount != walk->path.mount ? -EXDEV : 0;
}

/* Goes on with the text of a link, or where its object is. Takes over the reference of `entry`. 1: text is to be walked. */
static int walk_into_link(struct walk *walk, struct entry *entry)
{
	struct node *node = entry->node;
	struct walk_link *link;
	char *text = NULL;
	ssize_t length;
	int error;

	error = -ELOOP;
	if (walk->flags & WALK_NO_SYMLINKS || walk->links++ >= SYMLINKS_MAX || walk->depth >= SYMLINKS_MAX)
		goto fail;
	if (walk->path.mount->flags & MS_NOSYMFOLLOW)
		goto fail;
	if (node->ops->follow) {
		struct path to;

		error = serve_follow(node, &to, walk->cred);
		if (!error) {
			error = may_jump(walk, &to);
			if (error) {
				path_put(&to);
				goto fail;
			}
		}
		if (!error) {
			entry_put(entry);
			path_put(&walk->path);
			walk->path = to;
			walk->jumped = true;
			return 0;
		}
		if (error != -EOPNOTSUPP) /* this one is text, after all */
			goto fail;
	}
	if (!node->link_text) {
		error = -ENOMEM;
		text = kmalloc(PATH_MAX_BYTES, GFP_KERNEL);
		if (!text)
			goto fail;
		length = node_readlink(node, text, PATH_MAX_BYTES - 1, walk->cred);
		error = length < 0		       ? (int)length
			: length == 0		       ? -ENOENT
			: length >= PATH_MAX_BYTES - 1 ? -ENAMETOOLONG
						       : 0;
		if (error)
			goto fail;
		text[length] = 0;
	}
	link = &walk->stack[walk->depth++];
	link->rest = walk->rest;
	link->text = text;
	link->pinned = text ? NULL : node_get(node);
	walk->rest = text ? text : node->link_text;
	entry_put(entry);
	if (*walk->rest == '/') {
		error = walk_jump_to_root(walk);
		if (error)
			return error;
		walk->rest = skip_slashes(walk->rest);
	}
	return 1;
fail:
	kfree(text);
	entry_put(entry);
	return error;
}

static int step_into(struct walk *walk, struct entry *entry, bool follow)
{
	struct path next = { .mount = walk->path.mount, .entry = entry };

	if (READ_ONCE(entry->flags) & ENTRY_MOUNTED) {
		mount_get(next.mount);
		path_cross_mounts(&next);
		if (next.mount != walk->path.mount) {
			if (walk->flags & WALK_NO_XDEV) {
				path_put(&next);
				return -EXDEV;
			}
			path_put(&walk->path);
			walk->path = next;
			return 0; /* the root of a tree is no link */
		}
		mount_put(next.mount);
		entry = next.entry;
	}
	if (S_ISLNK(entry->node->attr.mode) && follow)
		return walk_into_link(walk, entry);
	entry_put(walk->path.entry);
	walk->path.entry = entry;
	return 0;
}

int walk_step_last(struct walk *walk, struct entry *entry)
{
	int error = 0;

	if (S_ISLNK(entry->node->attr.mode) && walk->follow)
		error = may_follow(path_node(&walk->path), entry->node, walk->cred);
	if (!error)
		return step_into(walk, entry, walk->follow);
	entry_put(entry);
	return error;
}

/* From a union into the member that has the next element; its own permissions are looked at there. */
static int walk_into_member(struct walk *walk)
{
	if (walk->flags & WALK_NO_XDEV)
		return -EXDEV;
	return union_find(&walk->path, &walk->last, walk->cred);
}

/* The next element, in walk->last. True: it is the end of all. */
static bool walk_next_element(struct walk *walk, const char *text, const char *end)
{
	bool last;

	walk->last = name_make(text, end - text);
	walk->rest = skip_slashes(end);
	last = !*walk->rest;
	if (!last)
		return false;
	/* Nothing may follow in the texts that led here, either. */
	for (unsigned int i = walk->depth; i-- > 0 && last;)
		last = !*skip_slashes(walk->stack[i].rest);
	if (*end == '/')
		walk->must_be_directory = walk->follow = true;
	return last;
}

int walk_to_parent(struct walk *walk)
{
	for (;;) {
		const char *text = walk->rest, *end;
		struct entry *entry;
		bool last;
		int error;

		if (!*text) {
			if (walk->depth) {
				/* The link's text is done, and it was not the last element: go on behind it. */
				walk_pop(walk);
				walk->rest = skip_slashes(walk->rest);
				continue;
			}
			walk->last = (struct name){ .text = text };
			return 0;
		}
		end = element_end(text);
		if (!path_is_union(&walk->path) || name_is_dots(text, end - text)) {
			error = may_search(path_node(&walk->path), walk->cred);
			if (error)
				return error;
		}
		if (end - text > NAME_MAX_LENGTH)
			return -ENAMETOOLONG;
		last = walk_next_element(walk, text, end);
		if (last)
			return 0;
		switch (name_kind(&walk->last)) {
		case NAME_DOT:
			continue;
		case NAME_DOT_DOT:
			error = walk_up(walk);
			if (error)
				return error;
			continue;
		default:
			break;
		}
		error = path_is_union(&walk->path) ? walk_into_member(walk) : 0;
		if (error)
			return error;
		entry = lookup(walk->path.entry, &walk->last, walk->rest, walk->cred);
		if (IS_ERR(entry))
			return PTR_ERR(entry);
		error = step_into(walk, entry, true);
		if (error < 0)
			return error;
		if (!error && !S_ISDIR(path_node(&walk->path)->attr.mode))
			return -ENOTDIR;
	}
}

int walk_last(struct walk *walk)
{
	struct entry *entry;
	int error;

	switch (name_kind(&walk->last)) {
	case NAME_ROOT:
	case NAME_DOT:
		return 0;
	case NAME_DOT_DOT:
		return walk_up(walk);
	default:
		break;
	}
	error = path_is_union(&walk->path) ? walk_into_member(walk) : 0;
	if (error)
		return error;
	entry = lookup(walk->path.entry, &walk->last, NULL, walk->cred);
	if (IS_ERR(entry))
		return PTR_ERR(entry);
	return walk_step_last(walk, entry);
}

/* ---- What others call ---- */

static int path_walk_slow(const struct path *start, const char *name, unsigned int flags,
			  const struct cred *cred, struct path *path)
{
	struct walk walk;
	int error = walk_begin(&walk, start, name, flags, cred);

	if (error)
		return error;
	do {
		error = walk_to_parent(&walk);
		if (!error)
			error = walk_last(&walk);
	} while (error == 1);
	if (!error && walk.must_be_directory && !S_ISDIR(path_node(&walk.path)->attr.mode))
		error = -ENOTDIR;
	if (!error)
		error = walk_check_scope(&walk);
	if (!error) {
		*path = walk.path;
		path_get(path);
	}
	walk_end(&walk);
	return error;
}

int path_walk(const struct path *start, const char *name, unsigned int flags,
	      const struct cred *cred, struct path *path)
{
	struct walk_peek peek;
	int error;

	rcu_read_lock();
	error = walk_peek(start, name, flags, cred, &peek);
	if (!error && !walk_peek_keep(&peek))
		error = -ECHILD;
	rcu_read_unlock();
	if (error == -ECHILD)
		return path_walk_slow(start, name, flags, cred, path);
	if (!error)
		*path = peek.path;
	return error;
}

int path_place(const struct path *path, struct path *parent, char *text, struct name *last)
{
	struct entry *entry = path->entry;

	spin_lock(&names_lock);
	if (entry == path->mount->root || entry->parent == entry || (entry->flags & ENTRY_DELETED)) {
		bool deleted = entry->flags & ENTRY_DELETED;

		spin_unlock(&names_lock);
		return deleted ? -ENOENT : -EBUSY;
	}
	memcpy(text, entry->name.text, entry->name.length);
	text[entry->name.length] = '\0';
	*last = (struct name){ .text = text, .length = entry->name.length, .hash = entry->name.hash };
	*parent = (struct path){ .mount = path->mount, .entry = entry->parent };
	path_get(parent);
	spin_unlock(&names_lock);
	return 0;
}

int path_walk_beside(const struct path *path, const char *name, const struct cred *cred,
		     struct path *beside)
{
	struct path folder = *path;
	struct entry *entry;
	int error;

	path_get(&folder);
	while (folder.entry == folder.mount->root && path_cross_up(&folder))
		;
	entry = folder.entry;
	spin_lock(&names_lock);
	folder.entry = entry->parent;
	entry_get(folder.entry);
	spin_unlock(&names_lock);
	entry_put(entry);
	error = path_walk(&folder, name, WALK_FOLLOW, cred, beside);
	path_put(&folder);
	return error;
}

int path_walk_parent(const struct path *start, const char *name, unsigned int flags,
		     const struct cred *cred, struct path *parent, struct name *last)
{
	struct walk walk;
	int error = walk_begin(&walk, start, name, flags, cred);

	if (error)
		return error;
	error = walk_to_parent(&walk);
	if (!error) {
		*parent = walk.path;
		path_get(parent);
		*last = walk.last;
	}
	walk_end(&walk);
	return error;
}

int path_attributes(const struct path *start, const char *name, unsigned int flags,
		    const struct cred *cred, struct attr *attr, u64 *device)
{
	struct walk_peek peek;
	struct path path;
	int error;

	rcu_read_lock();
	error = walk_peek(start, name, flags, cred, &peek);
	if (!error) {
		/* Attributes of in-kernel trees are always current; copied, and good if nothing moved until now. */
		*attr = peek.node->attr;
		attr->blocks = node_blocks(peek.node);
		*device = peek.path.mount->tree->device;
		if (attr->believe_until_ns != BELIEVE_FOREVER ||
		    READ_ONCE(peek.path.entry->node) != peek.node ||
		    names_sequence_changed(peek.sequence))
			error = -ECHILD;
	}
	rcu_read_unlock();
	if (error != -ECHILD)
		return error;

	error = path_walk_slow(start, name, flags, cred, &path);
	if (error)
		return error;
	error = node_getattr(path_node(&path), cred);
	*attr = path_node(&path)->attr;
	attr->blocks = node_blocks(path_node(&path));
	*device = path.mount->tree->device;
	path_put(&path);
	return error;
}
EXPORT_SYMBOL(path_walk);
EXPORT_SYMBOL(path_place);
EXPORT_SYMBOL(path_walk_beside);
EXPORT_SYMBOL(path_walk_parent);
EXPORT_SYMBOL(path_attributes);
