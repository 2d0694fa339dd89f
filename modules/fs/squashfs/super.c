/*
 * squashfs 4.0, read only: an image that mksquashfs made, of compressed blocks.
 *
 * The image: a superblock; the blocks of files, and fragments, which hold the ends of several; then tables of metadata, in blocks of 8 KiB:
 * inodes, directories, places of fragments, owners, extended attributes. A place in such a table is a reference: where the
 * block is, and an offset in what it holds (read.c). inode.c makes nodes of inodes, directory.c finds names, file.c reads
 * pages, tables.c and xattr.c what their names say.
 *
 * What must stay true:
 * 1. Whatever is read is checked before it is believed: where something lies against the image's length and its table's, lengths
 *    against what there may be at most. volume_damaged() says what was wrong.
 * 2. Memory is bounded whatever the image says: so many cached blocks (read.c), and lists no longer than what is really there.
 * 3. Pages are the page cache's; only what is compressed is kept here besides.
 */
#include "squashfs.h"

#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/pagecache.h>

#define BLOCK_BITS_MIN 12
#define BLOCK_BITS_MAX 20

int volume_damaged(struct volume *volume, const char *format, ...)
{
	char what[128];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (rate_limit_pass(&volume->damage_said))
		pr_err("%s: damaged: %s\n", volume->device->name, what);
	if (volume->panic_on_error)
		panic("squashfs: %s: damaged\n", volume->device->name);
	return -EIO;
}

static int refuse(const struct volume *volume, const char *what, u64 value)
{
	pr_err("%s: cannot be mounted: %s %llu\n", volume->device->name, what,
	       (unsigned long long)value);
	return -EINVAL;
}

/* Tables come in a row; those that are not there count as where the next one begins. */
static int tables_check(struct volume *volume)
{
	struct super_disk *super = &volume->super;
	u64 after = super->bytes_used;

	if (super->id_table >= after)
		return refuse(volume, "owners at", super->id_table);
	if (super->xattr_table != NO_TABLE && super->xattr_table >= after)
		return refuse(volume, "extended attributes at", super->xattr_table);
	if (super->fragment_table == NO_TABLE || !super->fragment_count) {
		super->fragment_count = 0;
		super->fragment_table = super->export_table != NO_TABLE ? super->export_table
									: super->id_table;
	}
	if (super->fragment_table > super->id_table)
		return refuse(volume, "fragments at", super->fragment_table);
	if (super->directory_table > super->fragment_table)
		return refuse(volume, "directories at", super->directory_table);
	if (super->inode_table >= super->directory_table || super->inode_table < sizeof(*super))
		return refuse(volume, "inodes at", super->inode_table);
	return 0;
}

static int super_take(struct volume *volume)
{
	struct super_disk *super = &volume->super;
	int error;

	super->bytes_used = sizeof(*super); /* until it says itself */
	error = raw_read(volume, 0, super, sizeof(*super));
	if (error)
		return error;
	if (super->magic != SQUASHFS_MAGIC)
		return refuse(volume, "no squashfs: magic", super->magic);
	if (super->major != 4 || super->minor)
		return refuse(volume, "version", super->major);
	if (super->block_bits < BLOCK_BITS_MIN || super->block_bits > BLOCK_BITS_MAX ||
	    super->block_size != 1u << super->block_bits)
		return refuse(volume, "a block's size", super->block_size);
	if (super->bytes_used < sizeof(*super) || super->bytes_used > block_device_size(volume->device))
		return refuse(volume, "the image is longer than its device:", super->bytes_used);
	error = decompressor_init(&volume->decompressor, super->compression);
	if (error == -EINVAL)
		return refuse(volume, "a compression that is not known here:", super->compression);
	return error ? error : tables_check(volume);
}

static int options_parse(struct volume *volume, const char *text)
{
	char *copy __free_kfree = kstrdup(text, GFP_KERNEL), *at = copy, *comma;

	if (!copy)
		return -ENOMEM;
	for (; at; at = comma) {
		comma = strchr(at, ',');
		if (comma)
			*comma++ = 0;
		if (!strcmp(at, "errors=panic")) {
			volume->panic_on_error = true;
		} else if (!strcmp(at, "errors=continue")) {
			volume->panic_on_error = false;
		} else if (*at && strcmp(at, "ro") && strncmp(at, "threads=", 8)) {
			pr_err("%s: unknown mount option \"%s\"\n", volume->device->name, at);
			return -EINVAL;
		}
	}
	return 0;
}

static void volume_free(struct volume *volume)
{
	decompressor_free(&volume->decompressor);
	caches_free(volume);
	kfree(volume->ids);
	kfree(volume);
}

/* The inode's number is only known from itself. */
static int root_open(struct volume *volume)
{
	struct place place = place_make(volume->super.inode_table, volume->super.root,
					volume->super.directory_table);
	struct inode_disk head;
	struct node *root;
	int error = metadata_read(volume, &place, &head, sizeof(head));

	if (error)
		return error;
	root = inode_get(volume, NULL, volume->super.root, head.number);
	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	if (!S_ISDIR(root->attr.mode)) {
		node_put(root);
		return volume_damaged(volume, "the root is no directory");
	}
	volume->tree->root = root;
	return 0;
}

static int squashfs_attach(struct tree *tree, const struct cred *cred)
{
	struct volume *volume = kzalloc(sizeof(*volume), GFP_KERNEL);
	int error;

	if (!volume)
		return -ENOMEM;
	volume->tree = tree;
	volume->device = tree->block_device;
	caches_init(volume);
	tree->private = volume;
	tree->magic = SQUASHFS_MAGIC;
	tree->flags |= TREE_NEGATIVE_FOREVER | TREE_READ_ONLY;
	error = tree->options ? options_parse(volume, tree->options) : 0;
	if (!error)
		error = super_take(volume);
	if (!error)
		error = ids_load(volume);
	if (!error)
		error = xattrs_load(volume);
	if (!error)
		error = root_open(volume);
	if (error) {
		volume_free(volume);
		tree->private = NULL;
		tree->root = NULL;
	}
	return error;
}

static void squashfs_detach(struct tree *tree)
{
	volume_free(tree->private);
}

static int squashfs_remount(struct tree *tree, const char *options)
{
	int error = options ? options_parse(tree->private, options) : 0;

	tree->flags |= TREE_READ_ONLY;
	return error;
}

static int squashfs_statfs(struct tree *tree, struct statfs_info *info)
{
	struct volume *volume = tree->private;

	info->type = SQUASHFS_MAGIC;
	info->block_size = volume->super.block_size;
	info->blocks = DIV_ROUND_UP(volume->super.bytes_used, volume->super.block_size);
	info->files = volume->super.inode_count;
	info->name_max = NAME_BYTES_MAX;
	info->id = volume->device->number;
	return 0;
}

static const struct tree_ops squashfs_ops = {
	.attach = squashfs_attach,
	.detach = squashfs_detach,
	.statfs = squashfs_statfs,
	.remount = squashfs_remount,
	.walk = squashfs_walk,
	.xattr_get = squashfs_xattr_get,
	.xattr_list = squashfs_xattr_list,
	.read = page_cache_read,
	.readdir = squashfs_readdir,
	.mmap = page_cache_mmap,
	.read_pages = squashfs_read_pages,
	.forget = squashfs_forget,
	.release = squashfs_forget, /* files keep their names: they are found by them */
};

static struct tree_type type = {
	.name = "squashfs",
	.ops = &squashfs_ops,
	.owner = THIS_MODULE,
	.flags = TREE_TYPE_NEEDS_DEVICE,
};

static int squashfs_init(void)
{
	return tree_type_register(&type);
}

static void squashfs_exit(void)
{
	tree_type_unregister(&type);
}

module_init(squashfs_init);
module_exit(squashfs_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("squashfs 4.0, read only");
MODULE_ALIAS_FS("squashfs");
