/* Trees and their types, without a kernel, and what operations of open files ask of the core. */
#include <kumo/block.h>
#include <kumo/file.h>
#include <kumo/namespace.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/tree.h>
#include <stdlib.h>

#include "environment.h"

static struct tree_type *types[8];

void environment_module_init(int (*init)(void), const char *name)
{
	if (init())
		panic("%s failed\n", name);
}

int tree_type_register(struct tree_type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!types[i]) {
			types[i] = type;
			return 0;
		}
	}
	return -ENOMEM;
}

void tree_type_unregister(struct tree_type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i] == type)
			types[i] = NULL;
}

/* ---- What operations of open files call ---- */

loff_t file_seek_size(struct file *file, loff_t offset, int whence, u64 size)
{
	file->pos = offset;
	return offset;
}

/* ---- Mounting ---- */

struct tree *environment_mount(const char *name, struct block_device *device, const char *options,
			       bool read_only)
{
	static const struct cred root;
	struct tree_type *type = NULL;
	struct tree *tree;
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i] && !strcmp(types[i]->name, name))
			type = types[i];
	tree = type ? calloc(1, sizeof(*tree)) : NULL;
	if (!tree)
		return ERR_PTR(type ? -ENOMEM : -ENODEV);
	tree->type = type;
	tree->ops = type->ops;
	tree->block_device = device;
	tree->options = (char *)options;
	tree->flags = read_only ? TREE_READ_ONLY : 0;
	tree->device = 1;
	mutex_init(&tree->rename_lock, "rename");
	error = tree->ops->attach(tree, &root);
	if (!error)
		return tree;
	free(tree);
	return ERR_PTR(error);
}

int mount_want_write(const struct mount *mount)
{
	return mount->tree->flags & TREE_READ_ONLY ? -EROFS : 0;
}

int tree_statfs(struct tree *tree, struct statfs_info *info)
{
	*info = (struct statfs_info){ .type = tree->magic,
				      .block_size = PAGE_SIZE,
				      .name_max = NAME_MAX_LENGTH };
	return tree->ops->statfs ? tree->ops->statfs(tree, info) : 0;
}

void environment_unmount(struct tree *tree)
{
	if (tree->ops->unmounted)
		tree->ops->unmounted(tree);
	node_put(tree->root);
	if (tree->ops->detach)
		tree->ops->detach(tree);
	free(tree);
}
