/*
 * Files whose bytes lie on a block device (block/pages.c, block/direct.c): a tree says where (tree_ops.block_map), and names
 * these functions in its table for the page cache and for O_DIRECT.
 */
#ifndef KUMO_BLOCK_PAGES_H
#define KUMO_BLOCK_PAGES_H

#include <kumo/types.h>

struct block_device;
struct file;
struct iter;
struct node;
struct page;

enum extent_kind {
	EXTENT_HOLE,	  /* nothing is stored: zeros */
	EXTENT_MAPPED,	  /* bytes are on the device */
	EXTENT_UNWRITTEN, /* there is a place for them, but they were never written: zeros */
	EXTENT_INSIDE, /* within the tree's own structures: only for who asks where bytes lie, not to be read there */
};

/* A piece of a file that is alike: bytes, multiples of the device's logical block size. */
struct block_extent {
	u64 offset, length;
	u64 position; /* on the device, unless it is a hole */
	enum extent_kind kind;
};

struct block_map_ops {
	struct block_device *(*device)(struct node *node);
	/*
	 * The extent that `offset` lies in, as much of it as the tree cares to tell; only what is below offset + length will be
	 * used. create: a hole gets a place: EXTENT_UNWRITTEN where the format can say so, else EXTENT_MAPPED, and the tree sees
	 * to it that nobody reads what was there before. 0, or -EIO, -ENOSPC, -EDQUOT, -ENOMEM, -EINTR. Sleeps.
	 */
	int (*map)(struct node *node, u64 offset, u64 length, bool create, struct block_extent *extent);
	/* The bytes have been written to where map() said: what was unwritten becomes mapped, and the size that is stored reaches up
	 * to them, but not beyond node_size(). Called after each write, in a thread. 0, -EIO. Absent: nothing to do. */
	int (*written)(struct node *node, u64 offset, u64 length);
};

/* tree_ops.read_pages, .write_pages, .direct. */
void block_read_pages(struct node *node, struct page **pages, unsigned int count);
void block_write_pages(struct node *node, struct page **pages, unsigned int count);
ssize_t block_direct(struct file *file, struct iter *iter, loff_t pos, bool write);

#endif
