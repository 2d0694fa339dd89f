/*
 * squashfs: the module's own header. super.c has the theory and the table of operations.
 *
 * Locks, outermost first: node->lock (the core's); inode->list_lock; a cached block's; a workspace's. None is taken twice by one thread.
 */
#ifndef SQUASHFS_H
#define SQUASHFS_H

#define LOG_PREFIX "squashfs: " /* before printk.h, which others may include */

#include <kumo/block.h>
#include <kumo/err.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/tree.h>

#include "decompress.h"
#include "format.h"

struct file;
struct page;

/* The bytes of a block, decompressed. Which one lies where goes by its place, so looking needs no list. */
struct cached_block {
	struct mutex lock; /* all of it */
	u64 position;	   /* in the image; 0: none */
	u64 next;	   /* of metadata: where the block after it is */
	u32 length;
	void *data; /* made at first use */
};
#define METADATA_BLOCKS 64u /* 512 KiB */
#define DATA_BLOCKS 4u

struct volume {
	struct tree *tree;
	struct block_device *device;
	struct super_disk super;
	struct decompressor decompressor;
	u32 *ids;
	struct xattr_table_disk xattrs; /* count 0: there are none */
	bool panic_on_error;
	struct rate_limit damage_said;
	struct cached_block metadata[METADATA_BLOCKS], data[DATA_BLOCKS];
};

/* A place in a table of metadata. */
struct place {
	u64 block; /* in the image */
	u32 offset;
	u64 end; /* of the table: no block begins there or behind */
};

/* Where a stretch of a file's list of blocks begins, and its bytes. */
struct list_mark {
	struct place place;
	u64 position;
};
#define LIST_STRETCH 1024u /* blocks */

struct inode {
	struct volume *volume;
	struct node *node;
	u64 reference;
	u32 parent; /* of a directory */
	u32 xattrs;
	union {
		struct {
			struct place start;
			u32 size, index_count;
			struct place index;
		} directory;
		struct {
			u64 block_count;
			u32 fragment, offset; /* where the rest of the file is; NO_FRAGMENT: nowhere */
			struct mutex list_lock;
			struct list_mark *marks; /* of each stretch that was walked to */
			u32 mark_count, mark_room;
		} file;
	};
};

static inline struct inode *inode_of(const struct node *node)
{
	return node->private;
}
static inline struct volume *volume_of(const struct node *node)
{
	return node->tree->private;
}

/* ---- super.c ---- */
/* A damaged structure was met: says so. Gives -EIO. */
int volume_damaged(struct volume *volume, const char *format, ...) __printf(2, 3);

/* ---- read.c ---- */
/* Few bytes of the image as they lie there, through the device's buffers. */
int raw_read(struct volume *volume, u64 position, void *to, u32 size) __must_check;
/* Bytes of metadata, and the place moves on. `to` may be NULL. */
int metadata_read(struct volume *volume, struct place *place, void *to, u32 size) __must_check;
struct place place_make(u64 table, u64 reference, u64 end);
/*
 * Calls each() with the bytes of a block of data or of a fragment, which stay what they are until it returns. size: as the image has it; most: how
 * many bytes there may be.
 */
int data_read(struct volume *volume, u64 position, u32 size, u32 most,
	      void (*each)(void *context, const void *data, u32 length), void *context) __must_check;
void caches_init(struct volume *volume);
void caches_free(struct volume *volume);

/* ---- tables.c: things by number ---- */
int ids_load(struct volume *volume) __must_check;
int fragment_find(struct volume *volume, u32 number, struct fragment_disk *fragment) __must_check;
int xattrs_load(struct volume *volume) __must_check;
int xattrs_find(struct volume *volume, u32 number, struct xattr_id_disk *id) __must_check;

/* ---- inode.c ---- */
/* The node of the inode that an entry of `dir` refers to (NULL: of the root), referenced. ERR_PTR. */
struct node *inode_get(struct volume *volume, struct inode *dir, u64 reference, u32 number) __must_check;
void squashfs_forget(struct node *node);

/* ---- directory.c ---- */
int squashfs_walk(struct node *dir, const struct name *names, unsigned int count,
		  struct node **nodes, u64 *negative_until_ns, const struct cred *cred);
int squashfs_readdir(struct file *file, struct dir_context *context);

/* ---- file.c ---- */
void squashfs_read_pages(struct node *node, struct page **pages, unsigned int count);
int file_map_init(struct inode *inode, struct place *list, u64 start);
void file_map_free(struct inode *inode);

/* ---- xattr.c ---- */
ssize_t squashfs_xattr_get(struct node *node, const char *name, void *value, size_t size);
ssize_t squashfs_xattr_list(struct node *node, char *list, size_t size, bool trusted);

#endif
