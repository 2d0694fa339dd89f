/*
 * What lies in a squashfs 4.0 image. Little endian, as the machine. Numbers in it were written by somebody else: each is
 * checked before it is believed.
 */
#ifndef SQUASHFS_FORMAT_H
#define SQUASHFS_FORMAT_H

#include <kumo/types.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are read as they lie on the disk");

#define SQUASHFS_MAGIC 0x73717368u
#define NO_TABLE (~0ULL)
#define NO_FRAGMENT (~0u)
#define NO_XATTRS (~0u)

enum {
	COMPRESSED_GZIP = 1,
	COMPRESSED_LZMA,
	COMPRESSED_LZO,
	COMPRESSED_XZ,
	COMPRESSED_LZ4,
	COMPRESSED_ZSTD
};

struct super_disk {
	u32 magic, inode_count, made_at, block_size, fragment_count;
	u16 compression, block_bits, flags, id_count, major, minor;
	u64 root; /* a reference */
	u64 bytes_used;
	u64 id_table, xattr_table, inode_table, directory_table, fragment_table, export_table;
} __packed;
_Static_assert(sizeof(struct super_disk) == 96, "as in the image");

/* A block of metadata: 16 bits that say how long it is, and whether it is stored as it is; then up to 8 KiB. */
#define METADATA_SIZE 8192u
#define METADATA_PLAIN 0x8000u
/* The length of a block of data or a fragment. */
#define DATA_PLAIN 0x1000000u

/* Where something is in a table of metadata: the block's place from the table's start, and an offset in what it holds. */
static inline u64 reference_block(u64 reference)
{
	return reference >> 16;
}
static inline u32 reference_offset(u64 reference)
{
	return reference & 0xFFFF;
}

enum inode_kind {
	KIND_DIRECTORY = 1,
	KIND_FILE,
	KIND_LINK,
	KIND_BLOCK_DEVICE,
	KIND_CHARACTER_DEVICE,
	KIND_FIFO,
	KIND_SOCKET,
	KIND_LONG = 7, /* added: with more fields */
};

struct inode_disk {
	u16 kind, mode, uid, gid; /* places in the table of ids */
	u32 mtime, number;
} __packed;
struct directory_disk {
	u32 block, nlink;
	u16 size, offset; /* size: 3 more than there is */
	u32 parent;
} __packed;
struct directory_long_disk {
	u32 nlink, size, block, parent;
	u16 index_count, offset;
	u32 xattrs;
} __packed;
struct file_disk {
	u32 start, fragment, offset, size;
} __packed;
struct file_long_disk {
	u64 start, size, sparse;
	u32 nlink, fragment, offset, xattrs;
} __packed;
struct link_disk {
	u32 nlink, size;
} __packed;
struct device_disk {
	u32 nlink, device;
} __packed;

/* A directory: headers, each with up to 256 entries of inodes in one block; sorted by name. */
struct directory_header_disk {
	u32 count, block, number; /* count: one less than there are */
} __packed;
struct directory_entry_disk {
	u16 offset;
	s16 number;	  /* added to the header's */
	u16 kind, length; /* length: one less than the name has */
} __packed;
#define ENTRIES_MAX 256u
#define NAME_BYTES_MAX 256u
#define DIRECTORY_EXTRA 3u
struct directory_index_disk {
	u32 index, block,
		length; /* from there on in the directory; its header's block; one less than the name has */
} __packed;

struct fragment_disk {
	u64 start;
	u32 size, unused;
} __packed;

struct xattr_table_disk {
	u64 start;
	u32 count, unused;
} __packed;
struct xattr_id_disk {
	u64 reference;
	u32 count, size;
} __packed;
struct xattr_entry_disk {
	u16 kind, length;
} __packed;
enum { XATTR_USER, XATTR_TRUSTED, XATTR_SECURITY, XATTR_KIND = 0xFF, XATTR_ELSEWHERE = 0x100 };

#endif
