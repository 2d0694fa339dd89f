/*
 * Rebinding: another instance comes to serve a tree, whose mounts, names, cached pages, nodes and open files stay (rebind.h).
 *
 * The life of a replacement (replace_closed), all of it with the gate closed and nobody inside:
 *
 *	settle	    what is dirty is written and made stable; files closed meanwhile are clunked      not of a lost instance
 *	gather	    references to all nodes and open files are taken: what may fail, fails here
 *	take down   the instance leaves what it wants to (handover); each file is clunked, each node released; detach
 *	bring up    attach of the new type; if that fails, of the old one again
 *	bind	    each node finds its file: by identity (find), else by walking to its name; each file is opened
 *
 * A node that nobody has is unbound (NODE_UNBOUND; in the index of identities, NODE_INDEX_UNBOUND): node_obtain() gives it out as
 * if it were new, so that whatever way leads an instance to a file, attach itself, find or walk, fills the node that is there.
 * One that is still unbound at the end has no file any more: it is stale (ESTALE), and so are the files that are open on it.
 *
 * Names are walked by the core's own entries, top down: an entry says what its directory called the file last.
 *
 * What the core knows of a file goes on: of a planned replacement all attributes, since nobody else has changed the file; of a
 * lost instance the server's, but for the size of a file with dirty pages. What an instance had acknowledged but not made stable when it
 * was lost is noted as an error of the file (node->unstable), which fsync tells to each descriptor once.
 */
#define LOG_PREFIX "tree: "
#include <kumo/error_sequence.h>
#include <kumo/export.h>
#include <kumo/kva.h>
#include <kumo/module.h>
#include <kumo/mount.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/writeback.h>

#include "internal.h"
#include "rebind_internal.h"

#define TIMEOUT_NS (30 * (u64)NSEC_PER_SEC)
#define RETRY_FACTOR 64		    /* the longest wait between tries is so many times the first */
#define LOOK_NS (NSEC_PER_MSEC / 4) /* between looks at what is about to go */

/* A node that outlives the instance, and what was known of it. */
struct kept_node {
	struct node *node; /* referenced */
	struct attr attr;
	const char *link_text;
};

struct replacement {
	struct tree *tree;
	struct tree_type *old_type, *new_type;
	const struct tree_ops *old_ops;
	const struct cred *cred;
	struct kept_node *nodes;
	struct file **files; /* referenced */
	size_t node_count, file_count;
	struct handover handover;
	char *source, *options; /* new ones, or NULL */
	bool lost;		/* the old instance was */
};

/* ---- Files whose file is gone ---- */

static ssize_t stale_transfer(struct file *file, struct iter *iter, loff_t *pos)
{
	return -ESTALE;
}

static int stale_readdir(struct file *file, struct dir_context *context)
{
	return -ESTALE;
}

static loff_t stale_seek(struct file *file, loff_t offset, int whence)
{
	return -ESTALE;
}

static long stale_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	return -ESTALE;
}

static int stale_mmap(struct file *file, struct vma *vma)
{
	return -ESTALE;
}

static int stale_fsync(struct file *file, bool data_only)
{
	return -ESTALE;
}

static int stale_fallocate(struct file *file, int mode, u64 offset, u64 length)
{
	return -ESTALE;
}

static const struct tree_ops stale_ops = {
	.read = stale_transfer,
	.write = stale_transfer,
	.readdir = stale_readdir,
	.seek = stale_seek,
	.ioctl = stale_ioctl,
	.mmap = stale_mmap,
	.fsync = stale_fsync,
	.fallocate = stale_fallocate,
};

static void file_make_stale(struct file *file)
{
	file->private = NULL;
	WRITE_ONCE(file->ops, &stale_ops);
}

/* ---- Gather ---- */

/* The next of a CPU's files or nodes after the first `index` of all, referenced. */
static bool gather_files(struct replacement *replacement, size_t room)
{
	struct tree *tree = replacement->tree;
	struct file *file;
	bool all = true;

	for (unsigned int cpu = 0; cpu < cpu_possible && all; cpu++) {
		spin_lock(&tree->cpus[cpu].lock);
		list_for_each(file, &tree->cpus[cpu].files, tree_link) {
			all = replacement->file_count < room && refcount_inc_not_zero(&file->refs);
			if (!all)
				break;
			replacement->files[replacement->file_count++] = file;
		}
		spin_unlock(&tree->cpus[cpu].lock);
	}
	return all;
}

static bool gather_nodes(struct replacement *replacement, size_t room)
{
	struct tree *tree = replacement->tree;
	struct node *node;
	bool all = true;

	for (unsigned int cpu = 0; cpu < cpu_possible && all; cpu++) {
		spin_lock(&tree->cpus[cpu].lock);
		list_for_each(node, &tree->cpus[cpu].nodes, tree_link) {
			all = replacement->node_count < room && refcount_inc_not_zero(&node->refs);
			if (!all)
				break;
			replacement->nodes[replacement->node_count++].node = node;
		}
		spin_unlock(&tree->cpus[cpu].lock);
	}
	return all;
}

static void count_listed(const struct tree *tree, size_t *nodes, size_t *files)
{
	*nodes = *files = 0;
	for (unsigned int cpu = 0; cpu < cpu_possible; cpu++) {
		struct list *at;

		spin_lock(&tree->cpus[cpu].lock);
		for (at = tree->cpus[cpu].nodes.next; at != &tree->cpus[cpu].nodes; at = at->next)
			++*nodes;
		for (at = tree->cpus[cpu].files.next; at != &tree->cpus[cpu].files; at = at->next)
			++*files;
		spin_unlock(&tree->cpus[cpu].lock);
	}
}

static void let_go(struct replacement *replacement)
{
	while (replacement->file_count)
		file_put(replacement->files[--replacement->file_count]);
	while (replacement->node_count)
		node_put(replacement->nodes[--replacement->node_count].node);
	kvfree(replacement->files);
	kvfree(replacement->nodes);
	replacement->files = NULL;
	replacement->nodes = NULL;
}

/*
 * References to all that is there. A node or file without one is on its way out, but cannot leave while the gate is closed: a file is
 * left with it, and clunked here; a node gets a reference again. None comes: nobody is inside.
 */
static int gather(struct replacement *replacement)
{
	size_t nodes, files;

	for (;;) {
		tree_release_late_files(replacement->tree);
		count_listed(replacement->tree, &nodes, &files);
		replacement->nodes = kvmalloc((nodes + 1) * sizeof(*replacement->nodes), GFP_ZERO);
		replacement->files = kvmalloc((files + 1) * sizeof(*replacement->files), GFP_ZERO);
		if (!replacement->nodes || !replacement->files) {
			let_go(replacement);
			return -ENOMEM;
		}
		if (gather_files(replacement, files) && gather_nodes(replacement, nodes))
			break;
		let_go(replacement);
		if (fatal_signal_pending())
			return -EINTR;
		sleep_ns(LOOK_NS);
	}
	for (size_t i = 0; i < replacement->node_count; i++) {
		struct kept_node *kept = &replacement->nodes[i];

		kept->attr = kept->node->attr;
		kept->link_text = kept->node->link_text;
	}
	return 0;
}

/* ---- Take down ---- */

/* Changes that the instance has acknowledged, and nobody has made stable since, are gone with it. */
static void note_lost_changes(struct node *node)
{
	struct page_cache *cache;

	if (node->tree->flags & TREE_STABLE_ANSWERS || node->unstable <= node->tree->stable_epoch)
		return;
	cache = node_page_cache(node);
	if (cache)
		error_sequence_note(&cache->errors, -EIO);
	else
		pr_err("'%s': no memory to report that file %llu has lost changes\n",
		       node->tree->source, (unsigned long long)node->attr.id);
	node->unstable = 0;
}

static void node_unbind(struct tree *tree, struct node *node, const struct tree_ops *ops)
{
	if (node->flags & (NODE_STALE | NODE_UNBOUND))
		return;
	ops->release(node);
	node->private = NULL;
	spin_lock(&tree->nodes_lock);
	node->flags |= NODE_UNBOUND;
	if (node->index_state == NODE_INDEX_READY)
		node->index_state = NODE_INDEX_UNBOUND;
	spin_unlock(&tree->nodes_lock);
}

static void instance_detach(struct tree *tree)
{
	if (tree->ops->detach && !tree->detached)
		tree->ops->detach(tree);
	tree->private = NULL;
	tree->detached = true;
}

/* Everything that is the instance's goes, but for what it hands over. */
static int take_down(struct replacement *replacement)
{
	struct tree *tree = replacement->tree;
	const struct tree_ops *ops = tree->ops;
	int error;

	if (ops->handover && !replacement->lost && !tree->detached) {
		error = ops->handover(tree, &replacement->handover);
		if (error)
			return error;
	}
	for (size_t i = 0; i < replacement->file_count && !replacement->handover.whole; i++) {
		struct file *file = replacement->files[i];

		if (file->mode & FILE_OPENED && file->ops->clunk)
			file->ops->clunk(file);
		file->private = NULL;
		file->mode &= ~(u32)FILE_OPENED;
	}
	for (size_t i = 0; i < replacement->node_count && !replacement->handover.whole; i++) {
		if (replacement->lost)
			note_lost_changes(replacement->nodes[i].node);
		node_unbind(tree, replacement->nodes[i].node, ops);
	}
	instance_detach(tree);
	return 0;
}

/* ---- Bring up ---- */

/* A node that an instance made for a file which has one already gives that one what it holds. */
static void node_transplant(struct tree *tree, struct node *node, struct node *fresh)
{
	node->private = fresh->private;
	node->ops = fresh->ops;
	node->attr = fresh->attr;
	fresh->private = NULL;
	fresh->flags |= NODE_STALE; /* forget has nothing to let go of */
	spin_lock(&tree->nodes_lock);
	node->flags &= ~(unsigned int)NODE_UNBOUND;
	spin_unlock(&tree->nodes_lock);
}

static bool same_file(const struct attr *a, const struct attr *b)
{
	return a->id == b->id && a->generation == b->generation &&
	       (a->mode & S_IFMT) == (b->mode & S_IFMT) &&
	       (a->btime_ns == b->btime_ns || !a->btime_ns || !b->btime_ns);
}

/* Nobody has changed the file's bytes, as far as attributes tell. */
static bool same_bytes(const struct attr *a, const struct attr *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns && a->version == b->version;
}

/*
 * `found` is what an instance says the file of an unbound node is: it is bound now. Takes the reference of `found`. -ESTALE:
 * that is another file. (A node that was found itself is looked at when all are bound.)
 */
static int node_bind(struct tree *tree, struct node *node, struct node *found)
{
	int error = 0;

	if (found != node && !same_file(&node->attr, &found->attr))
		error = -ESTALE;
	else if (found != node)
		node_transplant(tree, node, found);
	node_put(found);
	return error;
}

/* The root of the new instance is the one that everybody knows. */
static int root_bind(struct replacement *replacement, struct node *root)
{
	struct tree *tree = replacement->tree;
	struct node *fresh = tree->root;

	tree->root = root;
	if (replacement->handover.whole || fresh == root) {
		if (fresh == root && !replacement->handover.whole)
			node_put(root); /* attach() took one more */
		return 0;
	}
	return node_bind(tree, root, fresh);
}

/* What attach() begins with: nothing of the former instance's, but its flags that are the core's. */
static void tree_prepare(struct replacement *replacement, struct tree_type *type)
{
	struct tree *tree = replacement->tree;

	if (tree->kept && tree->ops->unkeep != type->ops->unkeep) {
		tree->ops->unkeep(tree->kept); /* the new type would not know it */
		tree->kept = NULL;
	}
	down_write(&mounts_lock); /* who shows mounts looks at the type's name */
	tree->type = type;
	tree->ops = type->ops;
	up_write(&mounts_lock);
	for (size_t i = 0; i < replacement->node_count; i++)
		if (!(replacement->nodes[i].node->flags & NODE_STALE))
			WRITE_ONCE(replacement->nodes[i].node->ops, type->ops);
}

/* A try that failed: whatever it has bound is unbound again. */
static void bring_up_failed(struct replacement *replacement)
{
	struct tree *tree = replacement->tree;

	for (size_t i = 0; i < replacement->node_count && !replacement->handover.whole; i++)
		node_unbind(tree, replacement->nodes[i].node, tree->ops);
	instance_detach(tree);
}

static int bring_up(struct replacement *replacement, struct tree_type *type)
{
	struct tree *tree = replacement->tree;
	struct node *root = tree->root;
	int error;

	tree_prepare(replacement, type);
	if (!replacement->handover.whole)
		tree->root = NULL;
	tree->handover = replacement->handover.layout ? &replacement->handover : NULL;
	error = type->ops->attach ? type->ops->attach(tree, replacement->cred) : -ENODEV;
	tree->handover = NULL;
	if (error) {
		tree->root = root;
		return error;
	}
	tree->detached = false;
	error = root_bind(replacement, root);
	if (error)
		bring_up_failed(replacement);
	return error;
}

/* ---- Bind ---- */

static void node_make_stale(struct tree *tree, struct node *node)
{
	pr_info("'%s': file %llu is stale\n", tree->source, (unsigned long long)node->attr.id);
	spin_lock(&tree->nodes_lock);
	node->flags = (node->flags & ~(unsigned int)NODE_UNBOUND) | NODE_STALE;
	spin_unlock(&tree->nodes_lock);
	if (node->index_state == NODE_INDEX_UNBOUND) { /* a new file may come to have its number */
		node_index_remove(node);
		node->index_state = NODE_INDEX_FAILED;
	}
}

static int find_by_identity(struct replacement *replacement, const struct kept_node *kept)
{
	struct tree *tree = replacement->tree;
	struct node *found =
		tree->ops->find(tree, kept->attr.id, kept->attr.generation, replacement->cred);

	return IS_ERR(found) ? (int)PTR_ERR(found) : node_bind(tree, kept->node, found);
}

/* Looks for the file of an unbound node under the name. */
static int find_at(struct replacement *replacement, struct node *dir, const struct name *name,
		   struct node *node)
{
	struct node *found;
	u64 negative_until_ns;
	int count;

	if (!(node->flags & NODE_UNBOUND) || dir->flags & (NODE_UNBOUND | NODE_STALE))
		return 0;
	count = dir->ops->walk(dir, name, 1, &found, &negative_until_ns, replacement->cred);
	return count == 1 ? node_bind(replacement->tree, node, found) : count;
}

/* The entry after `entry` in the tree of names, a directory before what lies in it, referenced; drops the reference of `entry`. Entries
 * come and go meanwhile, but those that have names in use stay. */
static struct entry *entry_next(struct entry *entry, const struct entry *root)
{
	struct entry *at = entry, *next = NULL;
	struct list *link;

	spin_lock(&names_lock);
	link = at->children.next;
	for (;;) {
		while (link != &at->children && !next) {
			struct entry *child = container_of(link, struct entry, sibling);

			if (child->node && entry_get_live(child))
				next = child;
			link = link->next;
		}
		if (next || at == root)
			break;
		link = at->sibling.next;
		at = at->parent;
	}
	spin_unlock(&names_lock);
	entry_put(entry);
	return next;
}

/*
 * All by the names that the core knows. `last`: names that lead to another file now, or to none, are not to be found any more.
 * -ETREELOST: the rest is for the next instance. (What lies in a directory that was not found would not be, either: its names, by
 * which the next one finds it, must stay.)
 */
static int find_by_entries(struct replacement *replacement, bool last)
{
	struct entry *root = replacement->tree->root_entry, *entry = root;
	int error;

	entry_get(entry);
	while ((entry = entry_next(entry, root))) {
		if (entry->flags & ENTRY_DELETED)
			continue;
		error = find_at(replacement, entry->parent->node, &entry->name, entry->node);
		if (error == -ETREELOST) {
			entry_put(entry);
			return error;
		}
		if (last && entry->node->flags & NODE_UNBOUND)
			entry_drop(entry);
		cond_resched();
	}
	return 0;
}

/* Files that were being renamed when the instance was lost may have their new names already. */
static int find_by_renames(struct replacement *replacement)
{
	struct rename_look look;
	int error = 0;

	for (u64 after = 0; error != -ETREELOST && tree_rename_next(replacement->tree, &after, &look);) {
		error = find_at(replacement, look.dir, &look.name, look.node);
		node_put(look.node);
		node_put(look.dir);
	}
	return error == -ETREELOST ? error : 0;
}

static int find_all_by_name(struct replacement *replacement)
{
	bool renames = tree_has_renames(replacement->tree);
	int error;

	/* A file without a name is not found by one, though another may have its number by now. */
	for (size_t i = 0; i < replacement->node_count; i++) {
		struct node *node = replacement->nodes[i].node;

		if (node->flags & NODE_UNBOUND && (node->flags & NODE_DEAD || !node->attr.nlink))
			node_make_stale(replacement->tree, node);
	}
	error = find_by_entries(replacement, !renames);
	if (!error && renames) {
		error = find_by_renames(replacement);
		if (!error)
			error = find_by_entries(replacement, true); /* what lies below them, too */
	}
	return error;
}

static void drop_old_link_text(const struct kept_node *kept)
{
	if (kept->link_text && kept->node->link_text != kept->link_text)
		kfree_rcu((char *)kept->link_text);
}

/* The core's knowledge of the file goes on. */
static void node_restore(struct replacement *replacement, struct kept_node *kept)
{
	struct node *node = kept->node;
	const struct tree_ops *ops = replacement->tree->ops;
	struct page_cache *cache = node->cache;

	drop_old_link_text(kept);
	if (!replacement->lost) {
		node->attr = kept->attr;
	} else if (cache) {
		if (!same_bytes(&kept->attr, &node->attr))
			page_cache_drop(cache, 0, INT64_MAX); /* what is not dirty */
		if (READ_ONCE(cache->dirty_pages)) {
			node_set_size(node, kept->attr.size);
			node->attr.mtime_ns = kept->attr.mtime_ns;
		}
	}
	if (node->attr_dirty && ops->attr_changed)
		ops->attr_changed(node);
}

/* The new instance is lost before all was found: the next one finds what this one did. */
static int nodes_give_back(struct replacement *replacement)
{
	for (size_t i = 0; i < replacement->node_count; i++) {
		struct kept_node *kept = &replacement->nodes[i];

		drop_old_link_text(kept);
		if (!(kept->node->flags & NODE_STALE))
			kept->node->attr = kept->attr;
	}
	return -ETREELOST;
}

static void file_bind(struct replacement *replacement, struct file *file)
{
	int error = 0;

	if (file->node->flags & NODE_STALE) {
		file_make_stale(file);
		return;
	}
	WRITE_ONCE(file->ops, file->node->ops);
	if (file->ops->open)
		error = file->ops->open(file, file->cred);
	if (error) {
		pr_info("'%s': file %llu cannot be opened anew: error %d\n",
			replacement->tree->source, (unsigned long long)file->node->attr.id, error);
		file_make_stale(file);
		return;
	}
	file->mode |= FILE_OPENED;
}

/* -ETREELOST: the new instance is lost already, so what it did not find need not be stale. */
static int bind_all(struct replacement *replacement)
{
	struct tree *tree = replacement->tree;
	bool by_name = !tree->ops->find;
	int error = 0;

	for (size_t i = 0; i < replacement->node_count && !by_name; i++) {
		if (!(replacement->nodes[i].node->flags & NODE_UNBOUND))
			continue;
		error = find_by_identity(replacement, &replacement->nodes[i]);
		if (error == -ETREELOST)
			return nodes_give_back(replacement);
		by_name = error == -EOPNOTSUPP;
		cond_resched();
	}
	if (by_name && tree->ops->walk) {
		error = find_all_by_name(replacement);
		if (error)
			return nodes_give_back(replacement);
	}
	for (size_t i = 0; i < replacement->node_count; i++) {
		struct kept_node *kept = &replacement->nodes[i];

		if (!same_file(&kept->attr, &kept->node->attr))
			node_unbind(tree, kept->node, tree->ops); /* its number was given to another */
		if (kept->node->flags & NODE_UNBOUND)
			node_make_stale(tree, kept->node);
		else if (!(kept->node->flags & NODE_STALE))
			node_restore(replacement, kept);
	}
	for (size_t i = 0; i < replacement->file_count; i++)
		file_bind(replacement, replacement->files[i]);
	return 0;
}

/* Nodes and files that kept their state find the new instance's functions. */
static void bind_whole(struct replacement *replacement)
{
	const struct tree_ops *old = replacement->old_ops, *new = replacement->tree->ops;

	if (old == new)
		return;
	for (size_t i = 0; i < replacement->file_count; i++)
		if (replacement->files[i]->ops == old)
			WRITE_ONCE(replacement->files[i]->ops, new);
}

/* ---- The whole ---- */

/* Nothing is dirty, and all is stable. Errors of single pages are noted, and told at fsync. */
static int settle(struct tree *tree)
{
	int error;

	tree_release_late_files(tree);
	error = writeback_sync(tree);
	if (error == -EINTR || error == -ETREELOST)
		return error;
	error = tree->ops->sync ? tree->ops->sync(tree) : 0;
	if (!error)
		tree->stable_epoch = tree->write_epoch++;
	return error;
}

static void swap_word(char **in_tree, char **word)
{
	char *old = *in_tree;

	if (!*word)
		return;
	*in_tree = *word;
	*word = old;
}

/* The tree goes on by the new words, where there are any, and the old ones are kept; and back. */
static void swap_words(struct replacement *replacement)
{
	down_write(&mounts_lock); /* who shows mounts reads them */
	swap_word(&replacement->tree->source, &replacement->source);
	swap_word(&replacement->tree->options, &replacement->options);
	up_write(&mounts_lock);
}

/* The new instance, else one as the old one was; nobody, and the tree stays lost. What it said, whoever serves now. */
static int bring_up_any(struct replacement *replacement)
{
	struct tree *tree = replacement->tree;
	bool other = replacement->new_type != replacement->old_type || replacement->source ||
		     replacement->options;
	int error, second;

	swap_words(replacement);
	error = bring_up(replacement, replacement->new_type);
	if (!error)
		return 0;
	if (other || !replacement->lost)
		pr_err("'%s': cannot be replaced: error %d\n", tree->source, error);
	swap_words(replacement);
	second = other || !replacement->lost ? bring_up(replacement, replacement->old_type) : error;
	if (second)
		tree->gate->lost = true;
	return error;
}

/* With the gate closed, and the caller as if inside. */
static int replace_closed(struct replacement *replacement)
{
	struct tree *tree = replacement->tree;
	int error;

	replacement->lost = tree->gate->lost || tree->detached;
	error = replacement->lost ? 0 : settle(tree);
	if (!error)
		error = gather(replacement);
	if (error)
		return error;
	error = take_down(replacement);
	if (error)
		return error; /* and goes on */
	tree->gate->lost = false;
	tree->rebinding = true;
	error = bring_up_any(replacement);
	if (!tree->gate->lost) {
		if (replacement->handover.whole)
			bind_whole(replacement);
		else if (bind_all(replacement))
			tree->gate->lost = true;
	}
	tree->rebinding = false;
	return error;
}

static int take_words(const char *words, const char *old, char **copy)
{
	*copy = NULL;
	if (!words || (old && !strcmp(words, old)))
		return 0;
	*copy = kstrdup(words, GFP_KERNEL);
	return *copy ? 0 : -ENOMEM;
}

static int replace(struct replacement *replacement, u64 timeout_ns)
{
	struct tree *tree = replacement->tree;
	struct tree_visit visit;
	int error;

	error = tree_gate_close(tree, timeout_ns);
	if (!error) {
		tree_enter_own(tree, &visit);
		error = replace_closed(replacement);
		tree_leave_own(&visit);
	}
	synchronize_rcu();   /* who looks at a table of operations without being inside */
	let_go(replacement); /* before anybody may find that he is not the last who uses a file */
	tree_gate_open(tree);
	return error;
}

/* Can one type's instance serve what another's has served? */
static bool types_alike(const struct tree_type *a, const struct tree_type *b)
{
	return a == b || (a->owner && b->owner && !((a->flags ^ b->flags) & TREE_TYPE_NEEDS_DEVICE) &&
			  !a->ops->write_pages == !b->ops->write_pages);
}

static int replace_with_words(struct tree *tree, const struct tree_replacement *how,
			      const struct cred *cred)
{
	struct tree_type *old = (struct tree_type *)tree->type, *type = how->type ? how->type : old;
	struct replacement replacement = {
		.tree = tree, .old_type = old, .new_type = type, .old_ops = tree->ops, .cred = cred
	};
	int error = -EINVAL;

	if (!types_alike(old, type))
		return error;
	error = take_words(how->source, tree->source, &replacement.source);
	if (!error)
		error = take_words(how->options, tree->options, &replacement.options);
	if (!error) {
		if (type->owner)
			__module_get(type->owner); /* the tree's, as long as it is of that type */
		error = replace(&replacement, how->timeout_ns ? how->timeout_ns : TIMEOUT_NS);
		module_put(tree->type == type ? old->owner : type->owner);
	}
	if (!error)
		tree->gate->replacements++;
	kfree(replacement.source);
	kfree(replacement.options);
	return error;
}

int tree_replace(struct tree *tree, const struct tree_replacement *how, const struct cred *cred)
{
	int error;

	if (tree->state == TREE_UNGATED || !tree_replaceable(tree))
		return -EOPNOTSUPP;
	if (!mutex_trylock(&tree->gate->replacing))
		return -EBUSY;
	error = replace_with_words(tree, how, cred);
	mutex_unlock(&tree->gate->replacing);
	return error;
}
EXPORT_SYMBOL(tree_replace);

static struct tree_gate *gate_of_retry(struct work *work)
{
	return container_of(container_of(work, struct delayed_work, work), struct tree_gate, retry);
}

void tree_retried(struct work *work)
{
	tree_put(container_of(work, struct tree_gate, retried)->tree);
}

void tree_retry(struct work *work)
{
	struct tree_gate *gate = gate_of_retry(work);
	const struct tree_replacement again = {};
	struct tree *tree = gate->tree;

	if (tree->state != TREE_LOST || !refcount_inc_not_zero(&tree->refs))
		return;
	work_flush(&gate->retried);
	__atomic_store_n(&gate->retrying, true, __ATOMIC_SEQ_CST);
	if (tree_replace(tree, &again, tree->cred) && tree->state != TREE_LOST)
		pr_err("'%s': nobody tries again\n", tree->source); /* else somebody does */
	__atomic_store_n(&gate->retrying, false,
			 __ATOMIC_SEQ_CST); /* before the look: tree_lost() has it the other way round */
	if (tree->state == TREE_LOST && tree->retry_ns) {
		delayed_work_queue(&gate->retry, time_monotonic_ns() + gate->retry_wait_ns);
		gate->retry_wait_ns = min(2 * gate->retry_wait_ns, RETRY_FACTOR * tree->retry_ns);
	} else {
		gate->retry_wait_ns = tree->retry_ns;
	}
	work_queue(&gate->retried);
}
