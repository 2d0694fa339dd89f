/* The root of all names at the start of the system: a RAM tree. */
#include <kumo/memfd.h>
#include <kumo/namespace.h>
#include <kumo/printk.h>

#include "internal.h"

void ram_tree_init(void)
{
	struct tree_type *type;
	struct tree *tree;

	if (ram_types_register() || IS_ERR(type = tree_type_get("rootfs")))
		panic("the RAM tree's types exist already");
	tree = tree_attach(type, "rootfs", NULL, &root_cred);
	if (IS_ERR(tree))
		panic("no memory for the root");
	tree_type_put(type);
	namespace_start(tree);
	namespace_files_init();
	tree_put(tree); /* the root mount holds it */
	memfd_init();
}
