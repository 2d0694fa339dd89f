/*
 * The name cache: what names meant when they were last looked up.
 *
 * An entry is (parent entry, text) -> node, or -> nothing (negative). Entries are found by a hash of parent and text,
 * without a lock, by walkers under rcu_read_lock(); everything that changes the structure holds names_lock, and memory is
 * given back after a grace period. The tree's own answer to a lookup is brought here under the directory's node->lock, so
 * a name has at most one findable entry.
 *
 * Life of an entry: refs counts paths, children and mounts. At zero it stays, findable, on the LRU list, until memory is
 * short; unless it was dropped or its tree wants no names cached: then the last reference ends it. An entry that ends has
 * its refs made negative first, under names_lock, so whoever finds it then cannot take it. node never changes from one
 * node to another: a name that comes to mean something else gets a new entry. It may become NULL (removal by the only
 * user) or cease to be NULL (creation); a walker that took its reference late checks that the node is what it saw.
 *
 * Moving (rename) changes parent and text of an entry in place. It is bracketed by names_sequence, which each walk without
 * references checks at its end.
 */
#include <kumo/export.h>
#include <kumo/page.h>
#include <kumo/kva.h>
#include <kumo/notify.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/work.h>

#include "internal.h"

#define ENTRY_GOING (-(1 << 30))

spinlock_t names_lock = SPINLOCK_INIT("names");
u32 names_sequence;

static struct hlist *buckets;
static u32 bucket_mask;
static struct slab_cache *entry_cache;

/* Entries without users, the longest unused first; entries that ended by names_shrink and whose nodes are yet to be
 * released. Both under names_lock. */
static struct list unused = LIST_INIT(unused);
static struct list ended = LIST_INIT(ended);
static unsigned long unused_count, negative_count, negative_limit;

static void ended_release(struct work *work);
static struct work ended_work;

static inline struct hlist *bucket_of(const struct entry *parent, u32 hash)
{
	return &buckets[(hash_u64((unsigned long)parent >> 4) ^ hash) & bucket_mask];
}

static inline u32 folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (u32)(u8)c | 0x20 : (u8)c;
}

static __noinline bool name_equal_folded(const struct name *name, const char *text, u32 length)
{
	if (name->length != length)
		return false;
	for (u32 i = 0; i < length; i++)
		if (folded(name->text[i]) != folded(text[i]))
			return false;
	return true;
}

/* Names with the same hash seldom differ, so a tree without case costs the others nothing. */
static inline bool is_named(const struct entry *entry, const struct name *name)
{
	return likely(name_equal(name, entry->name.text, entry->name.length)) ||
	       ((entry->tree->flags & TREE_FOLDS_CASE) &&
		name_equal_folded(name, entry->name.text, entry->name.length));
}

struct entry *entry_find_rcu(struct entry *parent, const struct name *name)
{
	struct entry *entry;

	hlist_for_each(entry, bucket_of(parent, name->hash), hash_link)
		if (entry->name.hash == name->hash && entry->parent == parent && is_named(entry, name))
			return entry;
	return NULL;
}

struct entry *entry_find(struct entry *parent, const struct name *name)
{
	struct entry *entry;

	u32 sequence;

	/* An entry that moves while we stand on it leads us into another chain: a miss then proves nothing. */
	do {
		rcu_read_lock();
		sequence = names_sequence_read();
		entry = entry_find_rcu(parent, name);
		if (entry && !entry_get_live(entry))
			entry = NULL;
		if (entry && unlikely(entry->parent != parent)) { /* moved away before we held it */
			rcu_read_unlock();
			entry_put(entry);
			entry = NULL;
			continue;
		}
		rcu_read_unlock();
	} while (!entry && (sequence & 1 || names_sequence_changed(sequence)));
	return entry;
}

static void entry_free_rcu(struct rcu_head *head)
{
	struct entry *entry = container_of(head, struct entry, rcu);

	kfree(entry->long_name);
	slab_free(entry_cache, entry);
}

/* An entry lets go of its node. */
static void entry_leaves(struct node *node)
{
	notify_unused(node);
	node_put(node);
}

/* Takes the entry out of every structure. names_lock held. */
static void entry_unlink(struct entry *entry)
{
	if (entry->flags & ENTRY_HASHED) {
		entry->flags &= ~ENTRY_HASHED;
		hlist_del(&entry->hash_link);
		if (!entry->node)
			negative_count--;
	}
	if (!list_empty(&entry->lru)) {
		list_del_init(&entry->lru);
		unused_count--;
	}
	if (entry->parent != entry && !list_empty(&entry->sibling))
		list_del_init(&entry->sibling);
}

/*
 * Ends an entry that nobody uses and that is not to be kept; false: somebody took it meanwhile. Its parent, whose reference
 * is the caller's to drop then, or NULL.
 */
static bool entry_reap(struct entry *entry, struct entry **parent)
{
	struct node *node;
	int nobody = 0;

	spin_lock(&names_lock);
	if (!atomic_try_cmpxchg(&entry->refs, &nobody, ENTRY_GOING)) {
		spin_unlock(&names_lock);
		return false;
	}
	*parent = entry->parent == entry ? NULL : entry->parent;
	node = entry->node;
	entry_unlink(entry);
	spin_unlock(&names_lock);
	call_rcu(&entry->rcu, entry_free_rcu);
	if (node)
		entry_leaves(node);
	return true;
}

/* To the end of the list of unused ones, unless it is there, or used again. */
static void entry_keep(struct entry *entry)
{
	spin_lock(&names_lock);
	if (!atomic_read(&entry->refs) && list_empty(&entry->lru) && (entry->flags & ENTRY_HASHED)) {
		list_add_tail(&unused, &entry->lru);
		unused_count++;
	}
	spin_unlock(&names_lock);
}

/* The last reference went. */
static __noinline void entry_unused(struct entry *entry)
{
	struct entry *parent;

	/* An entry that ends lets go of its parent, which may end in turn, and so on. */
	while (READ_ONCE(entry->flags) & (ENTRY_DROPPED | ENTRY_TRANSIENT)) {
		if (!entry_reap(entry, &parent) || !parent || atomic_add_return(&parent->refs, -1))
			return;
		entry = parent;
	}
	entry_keep(entry);
}

void entry_put(struct entry *entry)
{
	/* Between the count's reaching zero and the look at flags the entry may end by another hand, but its memory
	 * stays: this CPU passes no quiescent state in between. */
	if (likely(atomic_add_return(&entry->refs, -1)))
		return;
	if (unlikely((READ_ONCE(entry->flags) & (ENTRY_DROPPED | ENTRY_TRANSIENT)) ||
		     list_empty(&entry->lru)))
		entry_unused(entry);
	else
		entry->recently_used = true;
}

int entry_text_alloc(const struct name *name, char **text)
{
	*text = NULL;
	if (likely(name->length < sizeof(((struct entry *)NULL)->inline_name)))
		return 0;
	*text = kmalloc(name->length + 1, GFP_USER | GFP_CORE);
	return *text ? 0 : -ENOMEM;
}

static int entry_set_name(struct entry *entry, const struct name *name)
{
	char *text = entry->inline_name;

	if (entry_text_alloc(name, &entry->long_name))
		return -ENOMEM;
	if (entry->long_name)
		text = entry->long_name;
	memcpy(text, name->text, name->length);
	text[name->length] = 0;
	entry->name = (struct name){ .text = text, .length = name->length, .hash = name->hash };
	return 0;
}

static struct entry *entry_alloc(struct tree *tree, const struct name *name, struct node *node,
				 u64 believe_until_ns)
{
	struct entry *entry = slab_alloc(entry_cache, GFP_USER | GFP_CORE);

	if (!entry)
		return NULL;
	if (entry_set_name(entry, name)) {
		slab_free(entry_cache, entry);
		return NULL;
	}
	atomic_set(&entry->refs, 1);
	entry->flags = tree->flags & TREE_NO_CACHE_NAMES ? ENTRY_TRANSIENT : 0;
	entry->parent = entry;
	entry->node = node;
	entry->believe_until_ns = believe_until_ns;
	entry->tree = tree;
	entry->recently_used = false;
	entry->hash_link.link = NULL;
	list_init(&entry->children);
	list_init(&entry->sibling);
	list_init(&entry->lru);
	return entry;
}

struct entry *entry_make_root(struct tree *tree)
{
	struct name name = name_make("/", 1);
	struct entry *entry = entry_alloc(tree, &name, node_get(tree->root), BELIEVE_FOREVER);

	if (!entry) {
		node_put(tree->root);
		return NULL;
	}
	entry->flags &= ~ENTRY_TRANSIENT; /* the tree's own reference keeps it */
	return entry;
}

struct entry *entry_make_loose(struct node *node, const char *text)
{
	struct name name = name_make(text, (u32)strlen(text));
	struct entry *entry = entry_alloc(node->tree, &name, node_get(node), BELIEVE_FOREVER);

	if (!entry) {
		node_put(node);
		return NULL;
	}
	entry->flags |= ENTRY_TRANSIENT;
	return entry;
}

struct entry *entry_make_unnamed(struct entry *parent, struct node *node, const char *text)
{
	struct name name = name_make(text, (u32)strlen(text));
	struct entry *entry = entry_alloc(node->tree, &name, node, BELIEVE_FOREVER);

	if (!entry) {
		node_put(node);
		return NULL;
	}
	entry->flags |= ENTRY_TRANSIENT | ENTRY_DELETED;
	entry_get(parent);
	entry->parent = parent;
	return entry;
}

/* names_lock held. */
static void entry_hash(struct entry *entry)
{
	entry->flags |= ENTRY_HASHED;
	hlist_add(bucket_of(entry->parent, entry->name.hash), &entry->hash_link);
}

struct entry *entry_add(struct entry *parent, const struct name *name, struct node *node,
			u64 believe_until_ns)
{
	struct entry *entry, *fresh;

	if (parent->tree->flags & TREE_NO_CACHE_NAMES)
		believe_until_ns = 0;
	entry = entry_find(parent, name);
	if (entry && (entry->node || !name_equal(name, entry->name.text, entry->name.length))) {
		/* A positive one stands there: the tree says that its name means another node now. Or it is of another case. */
		entry_drop(entry);
		entry_put(entry);
		entry = NULL;
	}
	if (entry) {
		spin_lock(&names_lock);
		if (entry->flags & ENTRY_HASHED) {
			entry->believe_until_ns = believe_until_ns;
			if (node) {
				negative_count--;
				smp_store_release(&entry->node, node); /* pairs with the walker's read */
			}
			spin_unlock(&names_lock);
			return entry;
		}
		spin_unlock(&names_lock);
		entry_put(entry);
	}

	fresh = entry_alloc(parent->tree, name, node, believe_until_ns);
	if (!fresh) {
		if (node)
			node_put(node);
		return ERR_PTR(-ENOMEM);
	}
	entry_get(parent);
	fresh->parent = parent;
	spin_lock(&names_lock);
	if (!node)
		negative_count++;
	list_add(&parent->children, &fresh->sibling);
	entry_hash(fresh);
	spin_unlock(&names_lock);
	return fresh;
}

/* names_lock held. A reference is held by the caller, so the entry outlives this. */
static void entry_unhash(struct entry *entry, u32 flags)
{
	if (entry->flags & ENTRY_HASHED) {
		entry->flags &= ~ENTRY_HASHED;
		hlist_del(&entry->hash_link);
		if (!entry->node)
			negative_count--;
	}
	entry->flags |= ENTRY_DROPPED | flags;
}

struct entry *entry_of_child(struct entry *parent, const struct node *node)
{
	struct entry *child, *found = NULL;

	spin_lock(&names_lock);
	list_for_each(child, &parent->children, sibling)
		if (child->node == node && child->believe_until_ns == BELIEVE_FOREVER &&
		    (child->flags & ENTRY_HASHED) && entry_get_live(child)) {
			found = child;
			break;
		}
	spin_unlock(&names_lock);
	return found;
}

void entry_drop(struct entry *entry)
{
	spin_lock(&names_lock);
	entry_unhash(entry, 0);
	spin_unlock(&names_lock);
}

/* Negative children of a directory that is gone serve nobody: they only hold memory. */
static void entry_drop_children(struct entry *parent)
{
	struct entry *child;

	while (!list_empty(&parent->children)) {
		int nobody = 0;

		spin_lock(&names_lock);
		child = NULL;
		if (!list_empty(&parent->children))
			child = list_first(&parent->children, struct entry, sibling);
		if (!child || child->node || !atomic_try_cmpxchg(&child->refs, &nobody, 1)) {
			spin_unlock(&names_lock);
			return;
		}
		entry_unhash(child, 0);
		spin_unlock(&names_lock);
		entry_put(child);
	}
}

void entry_removed(struct entry *entry)
{
	struct node *node = NULL;
	int ours = 1;

	if (S_ISDIR(entry->node->attr.mode))
		entry_drop_children(entry);
	spin_lock(&names_lock);
	/* Only our reference, and absence may be remembered: it turns negative. While refs is negative nobody can take
	 * the entry, so nobody relies on its node. */
	if ((entry->tree->flags & TREE_NEGATIVE_FOREVER) && negative_count < negative_limit &&
	    list_empty(&entry->children) && !(entry->flags & (ENTRY_DROPPED | ENTRY_MOUNTED)) &&
	    atomic_try_cmpxchg(&entry->refs, &ours, ENTRY_GOING)) {
		node = entry->node;
		negative_count++;
		smp_store_release(&entry->node, NULL);
		atomic_set(&entry->refs, 1);
	} else {
		entry_unhash(entry, ENTRY_DELETED);
	}
	spin_unlock(&names_lock);
	if (node)
		entry_leaves(node);
}

/* Both entries are hashed nowhere just now: each takes the other's text. names_lock held, within a move. */
static void entry_swap_texts(struct entry *a, struct entry *b)
{
	char swapped[sizeof(a->inline_name)], *long_name = a->long_name;
	struct name name = a->name;

	memcpy(swapped, a->inline_name, sizeof(swapped));
	memcpy(a->inline_name, b->inline_name, sizeof(swapped));
	memcpy(b->inline_name, swapped, sizeof(swapped));
	a->name = b->name;
	a->long_name = b->long_name;
	a->name.text = a->long_name ? a->long_name : a->inline_name;
	b->name = name;
	b->long_name = long_name;
	b->name.text = b->long_name ? b->long_name : b->inline_name;
}

/* Takes the entry out of its chain, and back into that of its place; names_lock held, within a move. */
static void entry_lift(struct entry *entry)
{
	if (entry->flags & ENTRY_HASHED)
		hlist_del(&entry->hash_link);
}

static void entry_settle(struct entry *entry, struct entry *parent)
{
	list_del(&entry->sibling);
	entry->parent = parent;
	list_add(&parent->children, &entry->sibling);
	if (entry->flags & ENTRY_HASHED)
		hlist_add(bucket_of(parent, entry->name.hash), &entry->hash_link);
}

void entry_exchange(struct entry *a, struct entry *b)
{
	struct entry *a_parent = a->parent, *b_parent = b->parent;

	spin_lock(&names_lock);
	names_move_begin();
	entry_lift(a);
	entry_lift(b);
	entry_swap_texts(a, b);
	entry_settle(a, b_parent);
	entry_settle(b, a_parent);
	names_move_end();
	spin_unlock(&names_lock);
}

void entry_move(struct entry *entry, struct entry *parent, const struct name *name, char *new_text,
		struct entry *replaced, bool leaves_nothing)
{
	struct entry *old_parent = entry->parent, *negative = NULL;
	char *old_text = entry->long_name;

	if (!replaced)
		negative = entry_find(parent, name);
	/* What said that the new name is absent says so of the old one from now on. */
	if (negative && leaves_nothing && (entry->tree->flags & TREE_NEGATIVE_FOREVER)) {
		entry_exchange(entry, negative);
		entry_put(negative);
		kfree(new_text);
		return;
	}
	/* Texts of moved entries may be under the eyes of a walker: a short text is rewritten in place (the walker's check of
	 * names_sequence rejects what it saw), a long one goes after a grace period. */
	if (new_text) {
		memcpy(new_text, name->text, name->length);
		new_text[name->length] = 0;
	}

	spin_lock(&names_lock);
	names_move_begin();
	if (negative)
		entry_unhash(negative, 0);
	if (replaced)
		entry_unhash(replaced, ENTRY_DELETED);
	entry_lift(entry);
	if (!new_text) {
		memcpy(entry->inline_name, name->text, name->length);
		entry->inline_name[name->length] = 0;
	}
	entry->long_name = new_text;
	entry->name = (struct name){ .text = new_text ? new_text : entry->inline_name,
				     .length = name->length,
				     .hash = name->hash };
	entry_settle(entry, parent);
	names_move_end();
	spin_unlock(&names_lock);

	if (old_text)
		kfree_rcu(old_text);
	if (parent != old_parent) {
		entry_get(parent);
		entry_put(old_parent);
	}
	if (negative)
		entry_put(negative);
	if (replaced)
		entry_drop_children(replaced);
}

bool entry_is_below(const struct entry *entry, const struct entry *above)
{
	for (; entry != above; entry = entry->parent)
		if (entry->parent == entry)
			return false;
	return true;
}

/* ---- Giving memory back ---- */

/* Marks an unused entry as ended and puts it on the list for the worker. names_lock held. */
static bool entry_end(struct entry *entry)
{
	int nobody = 0;

	if (!atomic_try_cmpxchg(&entry->refs, &nobody, ENTRY_GOING))
		return false;
	entry_unlink(entry);
	list_add_tail(&ended, &entry->lru);
	return true;
}

static void ended_release(struct work *work)
{
	for (;;) {
		struct entry *entry = NULL, *parent;

		spin_lock(&names_lock);
		if (!list_empty(&ended)) {
			entry = list_first(&ended, struct entry, lru);
			list_del(&entry->lru);
		}
		spin_unlock(&names_lock);
		if (!entry)
			return;
		parent = entry->parent;
		if (entry->node)
			entry_leaves(entry->node);
		call_rcu(&entry->rcu, entry_free_rcu);
		if (parent != entry)
			entry_put(parent);
		cond_resched();
	}
}

bool names_shrink(unsigned long pages_wanted)
{
	unsigned long wanted = pages_wanted * (PAGE_SIZE / sizeof(struct entry));
	unsigned long scan, done = 0;

	spin_lock(&names_lock);
	for (scan = unused_count; scan && done < wanted && !list_empty(&unused); scan--) {
		struct entry *entry = list_first(&unused, struct entry, lru);

		if (atomic_read(&entry->refs)) { /* used: it comes back when it is not any more */
			list_del_init(&entry->lru);
			unused_count--;
		} else if (entry->recently_used) {
			entry->recently_used = false;
			list_del(&entry->lru);
			list_add_tail(&unused, &entry->lru);
		} else if (entry_end(entry)) {
			done++;
		}
		if (scan % 64 == 0) { /* let others in */
			spin_unlock(&names_lock);
			cpu_relax();
			spin_lock(&names_lock);
		}
	}
	spin_unlock(&names_lock);
	if (done)
		work_queue(&ended_work);
	return done;
}

static struct shrinker names_shrinker = { .shrink = names_shrink };

/* The next to end below `root`: a leaf; or NULL when only root is left. names_lock held. */
static struct entry *entry_leaf(struct entry *root)
{
	struct entry *entry = root;

	while (!list_empty(&entry->children))
		entry = list_first(&entry->children, struct entry, sibling);
	return entry == root ? NULL : entry;
}

bool entries_release(struct tree *tree)
{
	struct entry *root = tree->root_entry;
	unsigned int waits = 0;

	/* No mount, so no path: every entry is held by its children alone, or for a moment by who is ending a child. */
	for (;;) {
		struct entry *entry;
		int nobody = 0;
		bool taken = false;

		spin_lock(&names_lock);
		entry = entry_leaf(root);
		if (entry) {
			taken = atomic_try_cmpxchg(&entry->refs, &nobody, 1);
			if (taken)
				entry_unhash(entry, 0);
		}
		spin_unlock(&names_lock);
		if (taken) {
			entry_put(entry);
			cond_resched();
		} else if (entry || atomic_read(&root->refs) > 1) {
			if (WARN_ON(++waits > 1000))
				return false;
			work_flush(&ended_work);
			sleep_ns(NSEC_PER_MSEC);
		} else {
			break;
		}
	}
	spin_lock(&names_lock);
	root->flags |= ENTRY_DROPPED;
	spin_unlock(&names_lock);
	tree->root_entry = NULL;
	entry_put(root);
	return true;
}

void names_init(void)
{
	struct memory_info info;
	u32 count = 1024;

	memory_info(&info);
	while (count < info.total_pages / 8 && count < (1U << 20))
		count *= 2;
	bucket_mask = count - 1;
	negative_limit = max(info.total_pages / 8, 1024UL);
	buckets = kvmalloc(count * sizeof(*buckets), GFP_ZERO);
	entry_cache = slab_cache_create("entry", sizeof(struct entry), 0, 0);
	if (!buckets || !entry_cache)
		panic("no memory for the name cache");
	work_init(&ended_work, ended_release);
	shrinker_register(&names_shrinker);
	nodes_init();
	mounts_init();
	files_init();
	locks_init();
}
EXPORT_SYMBOL(names_shrink);
