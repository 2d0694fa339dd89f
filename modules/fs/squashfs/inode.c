/*
 * Nodes of inodes. An inode is found by a reference, its place in the table; its number is its identity. A damaged image may have two
 * inodes with one number, or a directory within itself: the first is an error when it is met, and a directory belongs to the
 * directory that it says it is in.
 */
#include "squashfs.h"

#define LINK_BYTES_MAX 4095u

struct reader {
	struct volume *volume;
	struct inode *inode;
	struct place place;
	struct inode_disk head;
};

static int take(struct reader *reader, void *to, u32 size)
{
	return metadata_read(reader->volume, &reader->place, to, size);
}

static int directory_take(struct reader *reader)
{
	struct volume *volume = reader->volume;
	struct inode *inode = reader->inode;
	struct attr *attr = &inode->node->attr;
	struct directory_long_disk raw = { .xattrs = NO_XATTRS };
	struct directory_disk small;
	int error;

	if (reader->head.kind > KIND_LONG) {
		error = take(reader, &raw, sizeof(raw));
	} else {
		error = take(reader, &small, sizeof(small));
		raw.nlink = small.nlink;
		raw.size = small.size;
		raw.block = small.block;
		raw.offset = small.offset;
		raw.parent = small.parent;
	}
	if (error)
		return error;
	attr->nlink = raw.nlink;
	attr->size = raw.size;
	inode->xattrs = raw.xattrs;
	inode->parent = raw.parent;
	inode->directory.start = place_make(volume->super.directory_table + raw.block, raw.offset,
					    volume->super.fragment_table);
	inode->directory.size = raw.size > DIRECTORY_EXTRA ? raw.size - DIRECTORY_EXTRA : 0;
	inode->directory.index_count = raw.index_count;
	inode->directory.index = reader->place;
	return 0;
}

static int file_take(struct reader *reader)
{
	struct volume *volume = reader->volume;
	struct inode *inode = reader->inode;
	struct attr *attr = &inode->node->attr;
	struct file_long_disk raw = { .nlink = 1, .xattrs = NO_XATTRS };
	struct file_disk small;
	int error;

	if (reader->head.kind > KIND_LONG) {
		error = take(reader, &raw, sizeof(raw));
	} else {
		error = take(reader, &small, sizeof(small));
		raw.start = small.start;
		raw.size = small.size;
		raw.fragment = small.fragment;
		raw.offset = small.offset;
	}
	if (error)
		return error;
	if (raw.size > INT64_MAX || raw.sparse > raw.size)
		return volume_damaged(volume, "a file of %llu bytes", (unsigned long long)raw.size);
	attr->nlink = raw.nlink;
	attr->size = raw.size;
	attr->blocks = DIV_ROUND_UP(raw.size - raw.sparse, BLOCK_SECTOR);
	inode->xattrs = raw.xattrs;
	inode->file.fragment = raw.fragment;
	inode->file.offset = raw.offset;
	inode->file.block_count = raw.fragment == NO_FRAGMENT
					  ? DIV_ROUND_UP(raw.size, volume->super.block_size)
					  : raw.size >> volume->super.block_bits;
	return file_map_init(inode, &reader->place, raw.start);
}

static int link_take(struct reader *reader)
{
	struct inode *inode = reader->inode;
	struct link_disk raw;
	char *text;
	int error = take(reader, &raw, sizeof(raw));

	if (error)
		return error;
	if (!raw.size || raw.size > LINK_BYTES_MAX)
		return volume_damaged(reader->volume, "a link of %u bytes", raw.size);
	text = kzalloc(raw.size + 1, GFP_USER);
	if (!text)
		return -ENOMEM;
	error = take(reader, text, raw.size);
	if (!error && reader->head.kind > KIND_LONG)
		error = take(reader, &inode->xattrs, sizeof(inode->xattrs));
	if (!error && strlen(text) != raw.size)
		error = volume_damaged(reader->volume, "a link with no text");
	if (error) {
		kfree(text);
		return error;
	}
	inode->node->attr.nlink = raw.nlink;
	inode->node->attr.size = raw.size;
	inode->node->link_text = text; /* the node's from now on */
	return 0;
}

/* Devices, pipes and sockets. */
static int special_take(struct reader *reader, bool device)
{
	struct device_disk raw = {};
	int error = take(reader, &raw, device ? sizeof(raw) : sizeof(raw.nlink));

	if (!error && reader->head.kind > KIND_LONG)
		error = take(reader, &reader->inode->xattrs, sizeof(reader->inode->xattrs));
	reader->inode->node->attr.nlink = raw.nlink;
	reader->inode->node->attr.rdev = raw.device;
	return error;
}

static int kind_take(struct reader *reader)
{
	static const u32 modes[] = { 0,	      S_IFDIR, S_IFREG, S_IFLNK,
				     S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK };
	u32 kind = reader->head.kind > KIND_LONG ? reader->head.kind - KIND_LONG : reader->head.kind;
	struct attr *attr = &reader->inode->node->attr;

	if (!kind || kind >= ARRAY_SIZE(modes))
		return volume_damaged(reader->volume, "an inode of kind %u", reader->head.kind);
	attr->mode = modes[kind] | (reader->head.mode & 07777);
	switch (kind) {
	case KIND_DIRECTORY:
		return directory_take(reader);
	case KIND_FILE:
		return file_take(reader);
	case KIND_LINK:
		return link_take(reader);
	default:
		return special_take(reader, kind == KIND_BLOCK_DEVICE || kind == KIND_CHARACTER_DEVICE);
	}
}

static int inode_fill(struct inode *inode, u32 number)
{
	struct volume *volume = inode->volume;
	struct attr *attr = &inode->node->attr;
	struct reader reader = { .volume = volume,
				 .inode = inode,
				 .place = place_make(volume->super.inode_table, inode->reference,
						     volume->super.directory_table) };
	int error = take(&reader, &reader.head, sizeof(reader.head));

	if (error)
		return error;
	if (number && reader.head.number != number)
		return volume_damaged(volume, "inode %u where %u should be", reader.head.number, number);
	if (reader.head.uid >= volume->super.id_count || reader.head.gid >= volume->super.id_count)
		return volume_damaged(volume, "inode %u has an unknown owner", number);
	attr->uid = volume->ids[reader.head.uid];
	attr->gid = volume->ids[reader.head.gid];
	attr->atime_ns = attr->mtime_ns = attr->ctime_ns = (s64)reader.head.mtime * 1000000000;
	attr->block_size = volume->super.block_size;
	attr->believe_until_ns = BELIEVE_FOREVER;
	inode->xattrs = NO_XATTRS;
	return kind_take(&reader);
}

/* May the node be what an entry of `dir` stands for? */
static int inode_check(const struct inode *inode, const struct inode *dir, u64 reference)
{
	u32 number = (u32)inode->node->attr.id;

	if (inode->reference != reference)
		return volume_damaged(inode->volume, "two inodes with number %u", number);
	if (dir && S_ISDIR(inode->node->attr.mode) &&
	    (inode->parent != dir->node->attr.id || inode->node == dir->node ||
	     inode->node == inode->volume->tree->root))
		return volume_damaged(inode->volume, "directory %u is not where it says", number);
	return 0;
}

static void inode_free(struct inode *inode)
{
	if (S_ISREG(inode->node->attr.mode))
		file_map_free(inode);
	kfree(inode);
}

struct node *inode_get(struct volume *volume, struct inode *dir, u64 reference, u32 number)
{
	struct node *node;
	struct inode *inode;
	bool fresh;
	int error;

	if (!number)
		return ERR_PTR(volume_damaged(volume, "an inode without a number"));
	node = node_obtain(volume->tree, number, &fresh);
	if (IS_ERR(node))
		return node;
	if (fresh) {
		inode = kzalloc(sizeof(*inode), GFP_USER);
		error = inode ? 0 : -ENOMEM;
		if (inode) {
			*inode = (struct inode){ .volume = volume, .node = node, .reference = reference };
			node->private = inode;
			error = inode_fill(inode, number);
		}
		if (error && inode) { /* forget() finds nothing to do */
			node->private = NULL;
			inode_free(inode);
		}
		node_ready(node, error);
	} else {
		error = 0;
	}
	if (!error)
		error = inode_check(inode_of(node), dir, reference);
	if (!error)
		return node;
	node_put(node);
	return ERR_PTR(error);
}

void squashfs_forget(struct node *node)
{
	if (inode_of(node))
		inode_free(inode_of(node));
}
