/*
 * Trees and their types: what mount(2) can mount, and the life of a served tree from attach to detach. A tree is held
 * by its mounts; when the last goes, the names cached of it are forgotten, and the instance is detached.
 */
#define LOG_PREFIX "tree: "
#include <kumo/block.h>
#include <kumo/device.h>
#include <kumo/export.h>
#include <kumo/module.h>
#include <kumo/notify.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/writeback.h>

#include "internal.h"
#include "rebind_internal.h"

static struct mutex types_lock = MUTEX_INIT(types_lock, "tree_types"); /* the list of types and type->single */
static struct list types = LIST_INIT(types);
static struct mutex trees_lock = MUTEX_INIT(trees_lock, "trees"); /* the list of trees */
static struct list trees = LIST_INIT(trees);
static struct mutex device_trees_lock =
	MUTEX_INIT(device_trees_lock, "device_trees"); /* attaching to a device; outermost */
static u32 next_minor = 1; /* st_dev of trees without a device: major 0; under trees_lock */

static struct tree_type *type_find(const char *name)
{
	struct tree_type *type;

	list_for_each(type, &types, link)
		if (!strcmp(type->name, name))
			return type;
	return NULL;
}

int tree_type_register(struct tree_type *type)
{
	int error = 0;

	mutex_lock(&types_lock);
	if (type_find(type->name)) {
		error = -EEXIST;
	} else {
		type->single = NULL;
		list_add_tail(&types, &type->link);
	}
	mutex_unlock(&types_lock);
	return error;
}

void tree_type_unregister(struct tree_type *type)
{
	mutex_lock(&types_lock);
	list_del(&type->link);
	mutex_unlock(&types_lock);
}

static struct tree_type *type_find_get(const char *name)
{
	struct tree_type *type;

	mutex_lock(&types_lock);
	type = type_find(name);
	if (type && !try_module_get(type->owner))
		type = NULL;
	mutex_unlock(&types_lock);
	return type;
}

struct tree_type *tree_type_get(const char *name)
{
	struct tree_type *type = type_find_get(name);

	if (type)
		return type;
	if (request_module("fs-%s", name) == 0)
		type = type_find_get(name);
	return type ? type : ERR_PTR(-ENODEV);
}

void tree_type_put(struct tree_type *type)
{
	module_put(type->owner);
}

void tree_types_each(bool (*each)(const struct tree_type *type, void *context), void *context)
{
	struct tree_type *type;

	mutex_lock(&types_lock);
	list_for_each(type, &types, link)
		if (!each(type, context))
			break;
	mutex_unlock(&types_lock);
}

/* Waits for walkers without references, who may be looking at the tree and its module's tables, so that who unmounts the
 * last tree of a type may remove its module the moment after. */
static void tree_free(struct tree *tree)
{
	writeback_stop(tree);
	synchronize_rcu();
	xarray_destroy(&tree->nodes);
	tree_gate_free(tree);
	if (tree->kept)
		tree->ops->unkeep(tree->kept);
	module_put(tree->type->owner);
	cred_put(tree->cred);
	kfree(tree->source);
	kfree(tree->options);
	kfree(tree);
}

/* The one tree of a type of which there is one; types_lock held. */
static struct tree *tree_single(struct tree_type *type)
{
	if (type->single && refcount_inc_not_zero(&type->single->refs))
		return type->single;
	return NULL;
}

/* ---- Trees on block devices ---- */

/* The tree is the device's: attached by nobody else, and with its number. */
static int tree_open_device(struct tree *tree, const struct cred *cred)
{
	struct block_device *device;

	if (!(tree->type->flags & TREE_TYPE_NEEDS_DEVICE))
		return 0;
	device = block_device_open_path(tree->source, !(tree->flags & TREE_READ_ONLY), tree, cred);
	if (IS_ERR(device))
		return (int)PTR_ERR(device);
	tree->block_device = device;
	tree->device = device->number;
	return 0;
}

static void tree_close_device(struct tree *tree)
{
	if (tree->block_device)
		block_device_close(tree->block_device, tree);
	tree->block_device = NULL;
}

static struct tree *tree_make(struct tree_type *type, const char *source, const char *options,
			      unsigned int flags, const struct cred *cred)
{
	struct tree *tree = kzalloc(sizeof(*tree), GFP_KERNEL);
	int error = -ENOMEM;

	if (!tree)
		return ERR_PTR(-ENOMEM);
	__module_get(type->owner); /* stays until the tree is gone; the caller's reference is its own */
	tree->type = type;
	tree->ops = type->ops;
	tree->cred = cred_get(cred);
	tree->flags = flags;
	refcount_set(&tree->refs, 1);
	mutex_init(&tree->rename_lock, "tree_rename");
	spin_init(&tree->nodes_lock, "tree_nodes");
	tree->source = kstrdup(source, GFP_KERNEL);
	if (options)
		tree->options = kstrdup(options, GFP_KERNEL);
	if (!tree->source || (options && !tree->options) || tree_gate_make(tree))
		goto fail;
	if (type->owner && tree_replaceable(tree))
		tree->flags |= TREE_LISTED;
	mutex_lock(&trees_lock);
	tree->device = device_make(0, next_minor++);
	mutex_unlock(&trees_lock);

	if (tree->ops->write_pages) {
		error = writeback_start(tree);
		if (error)
			goto fail;
	}
	error = tree_open_device(tree, cred);
	if (error)
		goto fail;
	error = tree->ops->attach ? tree->ops->attach(tree, cred) : -ENODEV;
	if (error)
		goto fail_opened;
	tree->root_entry = entry_make_root(tree);
	if (!tree->root_entry) {
		error = -ENOMEM;
		goto fail_attached;
	}
	mutex_lock(&trees_lock);
	list_add_tail(&trees, &tree->all_link);
	mutex_unlock(&trees_lock);
	return tree;

fail_attached:
	node_put(tree->root);
	if (tree->ops->detach)
		tree->ops->detach(tree);
fail_opened:
	tree_close_device(tree);
fail:
	tree_free(tree);
	return ERR_PTR(error);
}

/* The mounted tree of the type on the device that `source` names, referenced; NULL: none. device_trees_lock is held. */
static struct tree *tree_of_device(struct tree_type *type, const char *source, const struct cred *cred)
{
	struct block_device *device = block_device_open_path(source, false, NULL, cred);
	struct tree *tree, *found = NULL;

	if (IS_ERR(device))
		return NULL; /* tree_make() says why */
	mutex_lock(&trees_lock);
	list_for_each(tree, &trees, all_link)
		if (tree->type == type && tree->block_device == device &&
		    refcount_inc_not_zero(&tree->refs)) {
			found = tree;
			break;
		}
	mutex_unlock(&trees_lock);
	block_device_close(device, NULL);
	return found;
}

struct tree *tree_find(u64 device)
{
	struct tree *tree, *found = NULL;

	mutex_lock(&trees_lock);
	list_for_each(tree, &trees, all_link)
		if (tree->device == device && refcount_inc_not_zero(&tree->refs)) {
			found = tree;
			break;
		}
	mutex_unlock(&trees_lock);
	return found;
}

/* What is mounted already is the same tree, to be read or written as it is: -EBUSY for who wants it otherwise. */
static struct tree *tree_attach_device(struct tree_type *type, const char *source, const char *options,
				       unsigned int flags, const struct cred *cred)
{
	struct tree *tree;

	mutex_lock(&device_trees_lock);
	tree = tree_of_device(type, source, cred);
	if (tree && ((tree->flags ^ flags) & TREE_READ_ONLY)) {
		tree_put(tree);
		tree = ERR_PTR(-EBUSY);
	} else if (!tree) {
		tree = tree_make(type, source, options, flags, cred);
	}
	mutex_unlock(&device_trees_lock);
	return tree;
}

static struct tree *attach(struct tree_type *type, const char *source, const char *options,
			   unsigned int flags, const struct cred *cred)
{
	struct tree *tree;

	if (type->flags & TREE_TYPE_NEEDS_DEVICE)
		return tree_attach_device(type, source, options, flags, cred);
	if (!(type->flags & TREE_TYPE_SINGLE))
		return tree_make(type, source, options, 0, cred);
	mutex_lock(&types_lock);
	tree = tree_single(type);
	if (!tree) {
		tree = tree_make(type, source, options, 0, cred);
		if (!IS_ERR(tree))
			type->single = tree;
	}
	mutex_unlock(&types_lock);
	return tree;
}

struct tree *tree_attach(struct tree_type *type, const char *source, const char *options,
			 const struct cred *cred)
{
	return attach(type, source, options, 0, cred);
}

struct tree *tree_attach_read_only(struct tree_type *type, const char *source, const char *options,
				   const struct cred *cred)
{
	return attach(type, source, options, TREE_READ_ONLY, cred);
}

void tree_put(struct tree *tree)
{
	struct tree_type *type = (struct tree_type *)tree->type;

	if (!refcount_dec_and_test(&tree->refs))
		return;
	mutex_lock(&types_lock);
	if (type->single == tree)
		type->single = NULL;
	mutex_unlock(&types_lock);
	mutex_lock(&trees_lock);
	list_del(&tree->all_link);
	mutex_unlock(&trees_lock);
	tree_gate_end(tree);
	notify_tree_gone(tree);
	writeback_stop(tree); /* which lets go of nodes, and finds nothing that anybody could make dirty again */
	if (!entries_release(tree)) {
		pr_err("a name of '%s' is still held: the tree stays in memory\n", tree->source);
		return;
	}
	if (tree->ops->unmounted && !tree->detached)
		tree->ops->unmounted(tree);
	node_put(tree->root);
	if (tree->ops->detach && !tree->detached)
		tree->ops->detach(tree);
	tree_close_device(tree);
	tree_free(tree);
}

/* The tree after `previous` in the list, referenced; drops the reference of `previous`. */
static struct tree *tree_next(struct tree *previous)
{
	struct list *at;
	struct tree *next = NULL;

	mutex_lock(&trees_lock);
	for (at = previous ? previous->all_link.next : trees.next; at != &trees; at = at->next) {
		next = container_of(at, struct tree, all_link);
		if (refcount_inc_not_zero(&next->refs))
			break;
		next = NULL;
	}
	mutex_unlock(&trees_lock);
	if (previous)
		tree_put(previous);
	return next;
}

int trees_sync(void)
{
	struct tree *tree = NULL;
	int error = 0;

	while ((tree = tree_next(tree))) {
		/* Of a lost one nothing can be made stable, and who waits for all trees shall not wait for it. */
		int failed = tree_is_lost(tree) ? 0 : tree_sync(tree);

		error = error ?: failed;
	}
	return error;
}

int tree_statfs(struct tree *tree, struct statfs_info *info)
{
	*info = (struct statfs_info){ .type = tree->magic,
				      .block_size = PAGE_SIZE,
				      .name_max = NAME_MAX_LENGTH };
	return serve_statfs(tree, info);
}
EXPORT_SYMBOL(tree_statfs);
EXPORT_SYMBOL(tree_type_register);
EXPORT_SYMBOL(tree_type_unregister);
EXPORT_SYMBOL(tree_type_get);
EXPORT_SYMBOL(tree_type_put);
EXPORT_SYMBOL(tree_attach);
EXPORT_SYMBOL(tree_put);
