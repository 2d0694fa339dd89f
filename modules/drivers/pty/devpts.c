/*
 * The tree of pseudo terminals, "devpts", as Linux has it: each mount is an instance with numbers of its own. It shows
 * ptmx, by which a new pty is made, and a node for each pty whose master is open. Options: uid=, gid= (of new nodes;
 * else those of who opens the master), mode= (0600), ptmxmode= (0), max=, and newinstance, which says nothing new.
 *
 * A ptmx that lies elsewhere (/dev/ptmx) stands for the instance that is mounted on "pts" beside it.
 */
#define LOG_PREFIX "devpts: "
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/mount.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/magic.h>
#include <linux/mount.h>

#include "internal.h"

#define NUMBER_MAX (1U << 20)
#define PTYS_MAX 4096 /* in all instances */
#define NO_ID (~0U)
#define MOUNT_OPTIONS "gid=5,mode=620,ptmxmode=666"

enum { ROOT_ID = 1, PTMX_ID = 2, FIRST_ID = 3 };

struct settings {
	u32 uid, gid; /* NO_ID: the opener's */
	u32 mode, ptmx_mode;
	u32 max;
};

struct devpts {
	struct mutex lock; /* protects the next two, and node attributes that a remount changes */
	struct settings settings;
	struct list ptys; /* by number */
	struct node *ptmx;
};

static const struct tree_ops devpts_ops;
static atomic_t pty_count = ATOMIC_INIT(0);

static struct devpts *devpts_of(const struct tree *tree)
{
	return tree->private;
}

static struct node *make_node(struct tree *tree, u64 id, u32 mode, u64 number, void *private)
{
	s64 now = (s64)time_realtime_ns();
	struct attr attr = { .id = id,
			     .mode = mode,
			     .nlink = S_ISDIR(mode) ? 2 : 1,
			     .rdev = number,
			     .block_size = 1024,
			     .atime_ns = now,
			     .mtime_ns = now,
			     .ctime_ns = now,
			     .btime_ns = now };

	return node_alloc(tree, &attr, private);
}

/* ---- Which instance ---- */

/* The root of the instance that an opened ptmx stands for; referenced. */
static int find_root(const struct file *file, struct path *root)
{
	const struct path *path = &file->path;
	bool inside = path->mount && path->entry != path->mount->root &&
		      path->mount->tree->ops == &devpts_ops;
	int error = path_walk_beside(path, inside ? "." : "pts", &root_cred, root);

	if (error)
		return error;
	if (root->mount->tree->ops == &devpts_ops && root->entry == root->mount->tree->root_entry)
		return 0;
	path_put(root);
	return -ENODEV;
}

/* Its tree, referenced; ERR_PTR. */
static struct tree *find_tree(const struct file *file)
{
	struct tree *tree = file->node->tree;
	struct path root;
	int error;

	if (tree->ops != &devpts_ops) {
		error = find_root(file, &root);
		if (error)
			return ERR_PTR(error);
		tree = root.mount->tree;
		tree_get(tree);
		path_put(&root);
	} else {
		tree_get(tree);
	}
	return tree;
}

int devpts_slave_path(const struct pty *pty, const struct file *file, struct path *path)
{
	char name[12];
	struct path root;
	int error = find_root(file, &root);

	if (error)
		return error;
	snprintf(name, sizeof(name), "%u", pty->number);
	error = root.mount->tree == pty->tree ? path_walk(&root, name, 0, &root_cred, path) : -ENODEV;
	path_put(&root);
	return error;
}

/* ---- Ptys ---- */

struct pty *devpts_pty(const struct node *node)
{
	return node->tree->ops == &devpts_ops ? node->private : NULL;
}

/* Takes the lowest free number; devpts->lock is held. */
static int number_take(struct devpts *devpts, struct pty *pty)
{
	struct list *place = &devpts->ptys;
	struct pty *other;
	u32 number = 0;

	list_for_each(other, &devpts->ptys, link) {
		if (other->number != number) {
			place = &other->link;
			break;
		}
		number++;
	}
	if (number >= devpts->settings.max)
		return -ENOSPC;
	pty->number = number;
	list_insert(&pty->link, place->prev, place);
	return 0;
}

static struct node *make_slave_node(struct pty *pty, const struct settings *settings,
				    const struct cred *cred)
{
	struct node *node = make_node(pty->tree, FIRST_ID + pty->number, S_IFCHR | settings->mode,
				      device_make(SLAVE_MAJOR, pty->number), pty);

	if (!node)
		return NULL;
	node->attr.uid = settings->uid == NO_ID ? cred->fsuid : settings->uid;
	node->attr.gid = settings->gid == NO_ID ? cred->fsgid : settings->gid;
	refcount_inc(&pty->refs); /* the node's */
	return node;
}

int devpts_add(struct pty *pty, const struct file *file, const struct cred *cred)
{
	struct tree *tree = find_tree(file);
	struct devpts *devpts;
	int error = -ENOSPC;

	if (IS_ERR(tree))
		return (int)PTR_ERR(tree);
	pty->tree = tree;
	devpts = devpts_of(tree);
	if (atomic_inc_return(&pty_count) > PTYS_MAX)
		goto fail;
	mutex_lock(&devpts->lock);
	error = number_take(devpts, pty);
	if (!error) {
		pty->node = make_slave_node(pty, &devpts->settings, cred);
		if (!pty->node) {
			list_del(&pty->link);
			error = -ENOMEM;
		}
	}
	mutex_unlock(&devpts->lock);
	if (!error)
		return 0;
fail:
	atomic_dec(&pty_count);
	tree_put(pty->tree);
	pty->tree = NULL;
	return error;
}

void devpts_remove(struct pty *pty)
{
	struct devpts *devpts = devpts_of(pty->tree);
	struct node *node = pty->node;

	mutex_lock(&devpts->lock);
	pty->node = NULL;
	mutex_unlock(&devpts->lock);
	mutex_lock(&node->lock);
	node->attr.nlink = 0;
	node->flags |= NODE_DEAD;
	mutex_unlock(&node->lock);
	node_put(node);
}

void devpts_release(struct pty *pty)
{
	struct devpts *devpts;

	if (!pty->tree)
		return;
	devpts = devpts_of(pty->tree);
	mutex_lock(&devpts->lock);
	list_del(&pty->link);
	mutex_unlock(&devpts->lock);
	tree_put(pty->tree);
	atomic_dec(&pty_count);
}

/* ---- Operations ---- */

/* A number as readdir shows it, without leading zeros; NO_ID: it is none. */
static u32 parse_number(const struct name *name)
{
	u32 number = 0;

	if (!name->length || name->length > 7 || (name->length > 1 && name->text[0] == '0'))
		return NO_ID;
	for (u32 i = 0; i < name->length; i++) {
		if (name->text[i] < '0' || name->text[i] > '9')
			return NO_ID;
		number = number * 10 + (u32)(name->text[i] - '0');
	}
	return number;
}

static int devpts_walk(struct node *dir, const struct name *names, unsigned int count,
		       struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	struct devpts *devpts = devpts_of(dir->tree);
	u32 number = parse_number(names);
	struct pty *pty;
	int found = -ENOENT;

	mutex_lock(&devpts->lock);
	if (name_equal(names, "ptmx", 4)) {
		nodes[0] = node_get(devpts->ptmx);
		found = 1;
	}
	list_for_each(pty, &devpts->ptys, link) {
		if (pty->number == number && pty->node) {
			nodes[0] = node_get(pty->node);
			found = 1;
			break;
		}
	}
	mutex_unlock(&devpts->lock);
	return found;
}

/* A pty's offset is its identity, as is that of ptmx. */
static int devpts_readdir(struct file *file, struct dir_context *context)
{
	struct devpts *devpts = devpts_of(file->node->tree);
	struct pty *pty;
	char name[12];

	if (!dir_emit_dots(file, context))
		return 0;
	mutex_lock(&devpts->lock);
	if (context->offset <= PTMX_ID) {
		if (!context->add(context, "ptmx", 4, FIRST_ID, PTMX_ID, DT_CHR))
			goto out;
		context->offset = FIRST_ID;
	}
	list_for_each(pty, &devpts->ptys, link) {
		u32 id = FIRST_ID + pty->number;

		if (id < context->offset || !pty->node)
			continue;
		if (!context->add(context, name, (u32)snprintf(name, sizeof(name), "%u", pty->number),
				  id + 1, id, DT_CHR))
			break;
		context->offset = id + 1;
	}
out:
	mutex_unlock(&devpts->lock);
	return 0;
}

static int devpts_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	node_setattr_copy(node, change);
	return 0;
}

static int devpts_statfs(struct tree *tree, struct statfs_info *info)
{
	info->type = tree->magic;
	info->block_size = PAGE_SIZE;
	info->name_max = NAME_MAX_LENGTH;
	return 0;
}

static void devpts_forget(struct node *node)
{
	if (node->private)
		pty_put(node->private);
}

/* ---- Mounting ---- */

/* One word of the options. */
static int parse_option(struct settings *settings, char *option)
{
	char *value = strchr(option, '=');
	bool octal;
	u64 number;
	u32 *to;

	if (!value)
		return *option && strcmp(option, "newinstance") ? -EINVAL : 0;
	*value++ = '\0';
	to = !strcmp(option, "uid")	   ? &settings->uid
	     : !strcmp(option, "gid")	   ? &settings->gid
	     : !strcmp(option, "mode")	   ? &settings->mode
	     : !strcmp(option, "ptmxmode") ? &settings->ptmx_mode
	     : !strcmp(option, "max")	   ? &settings->max
					   : NULL;
	if (!to)
		return -EINVAL;
	octal = to == &settings->mode || to == &settings->ptmx_mode;
	if (parse_u64(value, octal ? 8 : 10, &number) || number >= NO_ID)
		return -EINVAL;
	if (to == &settings->max && number > NUMBER_MAX)
		return -EINVAL;
	*to = (u32)number & (octal ? 07777 : ~0U);
	return 0;
}

static int parse_options(struct settings *settings, const char *options)
{
	char *copy, *at, *comma;
	int error = 0;

	*settings = (struct settings){ .uid = NO_ID, .gid = NO_ID, .mode = 0600, .max = NUMBER_MAX };
	if (!options)
		return 0;
	copy = kstrdup(options, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	for (at = copy; at && !error; at = comma) {
		comma = strchr(at, ',');
		if (comma)
			*comma++ = '\0';
		error = parse_option(settings, at);
	}
	kfree(copy);
	return error;
}

static int devpts_attach(struct tree *tree, const struct cred *cred)
{
	struct devpts *devpts = kzalloc(sizeof(*devpts), GFP_KERNEL);
	int error = -ENOMEM;

	if (!devpts)
		return -ENOMEM;
	mutex_init(&devpts->lock, "devpts");
	list_init(&devpts->ptys);
	error = parse_options(&devpts->settings, tree->options);
	if (error)
		goto fail;
	tree->private = devpts;
	tree->flags |= TREE_NO_CACHE_NAMES;
	tree->magic = DEVPTS_SUPER_MAGIC;
	error = -ENOMEM;
	tree->root = make_node(tree, ROOT_ID, S_IFDIR | 0755, 0, NULL);
	if (!tree->root)
		goto fail;
	devpts->ptmx =
		make_node(tree, PTMX_ID, S_IFCHR | devpts->settings.ptmx_mode, PTMX_NUMBER, NULL);
	if (!devpts->ptmx) {
		node_put(tree->root);
		goto fail;
	}
	return 0;
fail:
	kfree(devpts);
	return error;
}

static int devpts_remount(struct tree *tree, const char *options)
{
	struct devpts *devpts = devpts_of(tree);
	struct settings settings;
	int error = parse_options(&settings, options);

	if (error)
		return error;
	mutex_lock(&devpts->lock);
	devpts->settings = settings;
	devpts->ptmx->attr.mode = S_IFCHR | settings.ptmx_mode;
	mutex_unlock(&devpts->lock);
	return 0;
}

/* Every pty held the tree: there are none. */
static void devpts_detach(struct tree *tree)
{
	struct devpts *devpts = devpts_of(tree);

	node_put(devpts->ptmx);
	kfree(devpts);
}

static const struct tree_ops devpts_ops = {
	.attach = devpts_attach,
	.detach = devpts_detach,
	.statfs = devpts_statfs,
	.remount = devpts_remount,
	.walk = devpts_walk,
	.setattr = devpts_setattr,
	.readdir = devpts_readdir,
	.forget = devpts_forget,
};

static struct tree_type devpts_type = {
	.name = "devpts", .ops = &devpts_ops, .owner = THIS_MODULE, .flags = TREE_TYPE_FOR_ALL
};

int devpts_init(void)
{
	return tree_type_register(&devpts_type);
}

void devpts_exit(void)
{
	tree_type_unregister(&devpts_type);
}

int devpts_mount(void)
{
	return kernel_mount("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, MOUNT_OPTIONS);
}
