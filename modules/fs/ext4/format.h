/*
 * What lies on the disk: the superblock, group descriptors, inodes, extents, directories, extended attributes and the
 * journal of ext2, ext3 and ext4. The disk's byte order is little endian, and so is the machine's; the journal's numbers are
 * big endian (be32). Whatever is read from here was written by somebody else: it is checked before it is believed.
 */
#ifndef EXT4_FORMAT_H
#define EXT4_FORMAT_H

#include <kumo/types.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are read as they lie on the disk");

#define EXT4_MAGIC 0xEF53
#define EXT4_SUPER_OFFSET 1024 /* bytes from the device's start */

/* Features. Unknown incompatible ones: no mount. Unknown read-only-compatible ones: no writing. */
enum {
	COMPAT_DIR_PREALLOC = 0x1,
	COMPAT_HAS_JOURNAL = 0x4,
	COMPAT_EXT_ATTR = 0x8,
	COMPAT_RESIZE_INODE = 0x10,
	COMPAT_DIR_INDEX = 0x20,
	COMPAT_SPARSE_SUPER2 = 0x200,
	COMPAT_FAST_COMMIT = 0x400,
	COMPAT_ORPHAN_FILE = 0x1000,

	INCOMPAT_COMPRESSION = 0x1,
	INCOMPAT_FILETYPE = 0x2,
	INCOMPAT_RECOVER = 0x4,
	INCOMPAT_JOURNAL_DEV = 0x8,
	INCOMPAT_META_BG = 0x10,
	INCOMPAT_EXTENTS = 0x40,
	INCOMPAT_64BIT = 0x80,
	INCOMPAT_MMP = 0x100,
	INCOMPAT_FLEX_BG = 0x200,
	INCOMPAT_EA_INODE = 0x400,
	INCOMPAT_CSUM_SEED = 0x2000,
	INCOMPAT_LARGEDIR = 0x4000,
	INCOMPAT_INLINE_DATA = 0x8000,
	INCOMPAT_ENCRYPT = 0x10000,

	RO_COMPAT_SPARSE_SUPER = 0x1,
	RO_COMPAT_LARGE_FILE = 0x2,
	RO_COMPAT_HUGE_FILE = 0x8,
	RO_COMPAT_GDT_CSUM = 0x10,
	RO_COMPAT_DIR_NLINK = 0x20,
	RO_COMPAT_EXTRA_ISIZE = 0x40,
	RO_COMPAT_QUOTA = 0x100,
	RO_COMPAT_BIGALLOC = 0x200,
	RO_COMPAT_METADATA_CSUM = 0x400,
	RO_COMPAT_READONLY = 0x1000,
	RO_COMPAT_PROJECT = 0x2000,
	RO_COMPAT_ORPHAN_PRESENT = 0x10000,
};

struct super_disk {
	u32 inodes_count, blocks_count_lo, reserved_blocks_lo, free_blocks_lo, free_inodes;
	u32 first_data_block, log_block_size, log_cluster_size;
	u32 blocks_per_group, clusters_per_group, inodes_per_group;
	u32 mtime, wtime;
	u16 mount_count, max_mount_count, magic, state, errors, minor_revision;
	u32 last_check, check_interval, creator_os, revision;
	u16 reserved_uid, reserved_gid;
	u32 first_inode;
	u16 inode_size, block_group_number;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	char volume_name[16], last_mounted[64];
	u32 compression;
	u8 prealloc_blocks, prealloc_directory_blocks;
	u16 reserved_gdt_blocks;
	u8 journal_uuid[16];
	u32 journal_inode, journal_device, last_orphan, hash_seed[4];
	u8 default_hash_version, journal_backup_type;
	u16 descriptor_size;
	u32 default_mount_options, first_meta_bg, mkfs_time, journal_blocks[17];
	u32 blocks_count_hi, reserved_blocks_hi, free_blocks_hi;
	u16 min_extra_isize, want_extra_isize;
	u32 flags;
	u16 raid_stride, mmp_interval;
	u64 mmp_block;
	u32 raid_stripe_width;
	u8 log_groups_per_flex, checksum_type;
	u16 padding;
	u64 kbytes_written;
	u32 snapshot[5];
	u32 error_count, first_error_time, first_error_inode;
	u64 first_error_block;
	char first_error_function[32];
	u32 first_error_line, last_error_time, last_error_inode, last_error_line;
	u64 last_error_block;
	char last_error_function[32];
	char mount_options[64];
	u32 user_quota_inode, group_quota_inode, overhead_blocks, backup_groups[2];
	u8 encryption[20];
	u32 lost_and_found_inode, project_quota_inode, checksum_seed;
	u8 times_hi[8];
	u16 encoding, encoding_flags;
	u32 orphan_file_inode, reserved[94];
	u32 checksum;
} __packed __aligned(8);
_Static_assert(sizeof(struct super_disk) == 1024, "the superblock's size");

enum { STATE_CLEAN = 1, STATE_ERRORS = 2, STATE_ORPHANS = 4 };	      /* super_disk.state */
enum { ERRORS_CONTINUE = 1, ERRORS_READ_ONLY = 2, ERRORS_PANIC = 3 }; /* super_disk.errors */
enum { FLAG_SIGNED_HASH = 1, FLAG_UNSIGNED_HASH = 2 };		      /* super_disk.flags */

struct group_disk {
	u32 block_bitmap_lo, inode_bitmap_lo, inode_table_lo;
	u16 free_blocks_lo, free_inodes_lo, used_directories_lo, flags;
	u32 exclude_bitmap_lo;
	u16 block_bitmap_checksum_lo, inode_bitmap_checksum_lo, unused_inodes_lo, checksum;
	/* From here on only in descriptors of 64 bytes. */
	u32 block_bitmap_hi, inode_bitmap_hi, inode_table_hi;
	u16 free_blocks_hi, free_inodes_hi, used_directories_hi, unused_inodes_hi;
	u32 exclude_bitmap_hi;
	u16 block_bitmap_checksum_hi, inode_bitmap_checksum_hi;
	u32 reserved;
};
#define GROUP_DISK_SMALL 32
enum { GROUP_INODE_UNINIT = 1, GROUP_BLOCK_UNINIT = 2, GROUP_INODE_ZEROED = 4 };

enum { INODE_ROOT = 2, INODE_RESIZE = 7, INODE_JOURNAL = 8 };
#define INODE_BLOCKS 15
#define INODE_BLOCK_BYTES 60
struct inode_disk {
	u16 mode, uid_lo;
	u32 size_lo, atime, ctime, mtime, dtime;
	u16 gid_lo, links;
	u32 blocks_lo, flags, version_lo;
	u32 block[INODE_BLOCKS];
	u32 generation, acl_lo, size_hi, fragment;
	u16 blocks_hi, acl_hi, uid_hi, gid_hi, checksum_lo, reserved;
	/* From here on in inodes larger than 128 bytes, as far as extra_isize says. */
	u16 extra_isize, checksum_hi;
	u32 ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra, version_hi, project;
};
#define INODE_SMALL 128
_Static_assert(sizeof(struct inode_disk) == 160, "an inode's size");
enum {
	INODE_SYNC = 0x8,
	INODE_IMMUTABLE = 0x10,
	INODE_APPEND = 0x20,
	INODE_NO_DUMP = 0x40,
	INODE_NO_ACCESS_TIME = 0x80,
	INODE_INDEX = 0x1000,
	INODE_JOURNAL_DATA = 0x4000,
	INODE_DIRECTORY_SYNC = 0x10000,
	INODE_TOP_DIRECTORY = 0x20000,
	INODE_HUGE_FILE = 0x40000,
	INODE_EXTENTS = 0x80000,
	INODE_EA_INODE = 0x200000,
	INODE_INLINE_DATA = 0x10000000,
	INODE_PROJECT_INHERIT = 0x20000000,
	INODE_CASEFOLD = 0x40000000,
	/* What chattr(1) may set, and what lsattr(1) is shown. */
	INODE_SETTABLE = 0x1 | 0x2 | 0x4 | INODE_SYNC | INODE_IMMUTABLE | INODE_APPEND |
			 INODE_NO_DUMP | INODE_NO_ACCESS_TIME | 0x8000 | INODE_DIRECTORY_SYNC |
			 INODE_TOP_DIRECTORY | INODE_PROJECT_INHERIT,
	INODE_SHOWN = 0x705BDFFF,
	/* What a new file takes over from its directory: chattr's s, u, c, S, A, d, j, T, P and others. */
	INODE_INHERITED = 0x1 | 0x2 | 0x4 | 0x8 | INODE_NO_DUMP | INODE_NO_ACCESS_TIME | 0x400 |
			  INODE_JOURNAL_DATA | 0x8000 | INODE_DIRECTORY_SYNC | INODE_PROJECT_INHERIT,
};

/* Extents. A node is a header and entries of 12 bytes; behind entries of a block lies its checksum. */
#define EXTENT_MAGIC 0xF30A
#define EXTENT_DEPTH_MAX 5
#define EXTENT_LENGTH_MAX 32768u /* longer: unwritten, by so much more */
struct extent_header {
	u16 magic, entries, max, depth;
	u32 generation;
};
struct extent_disk {
	u32 block;
	u16 length, start_hi;
	u32 start_lo;
};
struct extent_index {
	u32 block, leaf_lo;
	u16 leaf_hi, unused;
};

/* Directories. */
struct dirent_disk {
	u32 inode;
	u16 length;
	u8 name_length, type;
	char name[];
};
#define DIRENT_SIZE(name_length) (((name_length) + 8u + 3u) & ~3u)
struct dirent_tail { /* the last 12 bytes of a block: an entry without a name, and the checksum */
	u32 inode;
	u16 length;
	u8 name_length, type;
	u32 checksum;
};
#define DIRENT_TAIL_TYPE 0xDE

struct hash_info {
	u32 reserved;
	u8 version, length, levels, flags;
};
struct hash_entry { /* the first of a node holds limit and count in place of its hash */
	u32 hash, block;
};
struct hash_limits {
	u16 limit, count;
};
struct hash_tail {
	u32 reserved, checksum;
};
enum {
	HASH_LEGACY,
	HASH_HALF_MD4,
	HASH_TEA,
	HASH_LEGACY_UNSIGNED,
	HASH_HALF_MD4_UNSIGNED,
	HASH_TEA_UNSIGNED
};

/* Extended attributes. */
#define XATTR_MAGIC 0xEA020000
#define XATTR_REFS_MAX 1024
struct xattr_header { /* of a block */
	u32 magic, refs, blocks, hash, checksum, reserved[3];
};
struct xattr_disk {
	u8 name_length, name_index;
	u16 value_offset; /* from the block's start, or from the first entry within an inode */
	u32 value_inode, value_size, hash;
	char name[];
};
#define XATTR_ENTRY_SIZE(name_length) (((name_length) + 16u + 3u) & ~3u)
#define XATTR_VALUE_SIZE(size) (((size) + 3u) & ~3u)
enum {
	XATTR_INDEX_USER = 1,
	XATTR_INDEX_ACL_ACCESS = 2,
	XATTR_INDEX_ACL_DEFAULT = 3,
	XATTR_INDEX_TRUSTED = 4,
	XATTR_INDEX_SECURITY = 6,
	XATTR_INDEX_SYSTEM = 7,
};

/* The file of orphans: blocks of inode numbers, each with a tail. */
#define ORPHAN_MAGIC 0x0b10ca04
struct orphan_tail {
	u32 magic, checksum;
};

/* The journal. */
typedef u32 be32;
static inline u32 be32_read(be32 value)
{
	return __builtin_bswap32(value);
}
static inline be32 be32_make(u32 value)
{
	return __builtin_bswap32(value);
}
#define JOURNAL_MAGIC 0xC03B3998u
enum {
	JOURNAL_DESCRIPTOR = 1,
	JOURNAL_COMMIT = 2,
	JOURNAL_SUPER_V1 = 3,
	JOURNAL_SUPER_V2 = 4,
	JOURNAL_REVOKE = 5
};
enum {
	JOURNAL_COMPAT_CHECKSUM = 1,
	JOURNAL_INCOMPAT_REVOKE = 1,
	JOURNAL_INCOMPAT_64BIT = 2,
	JOURNAL_INCOMPAT_ASYNC_COMMIT = 4,
	JOURNAL_INCOMPAT_CSUM_V2 = 8,
	JOURNAL_INCOMPAT_CSUM_V3 = 0x10,
	JOURNAL_INCOMPAT_FAST_COMMIT = 0x20,
};
struct journal_header {
	be32 magic, type, sequence;
};
struct journal_super {
	struct journal_header header;
	be32 block_size, length, first; /* of the log, in blocks */
	be32 sequence, start; /* of the first transaction in it; start 0: the log is empty */
	be32 error;
	be32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	be32 users, dynamic_super, max_transaction, max_transaction_data;
	u8 checksum_type, padding[3];
	be32 fast_commit_blocks, head, reserved[40];
	be32 checksum;
	u8 user_ids[16 * 48];
};
_Static_assert(sizeof(struct journal_super) == 1024, "the journal's superblock");
#define JOURNAL_CRC32C 4

/* A tag of a descriptor, in its three forms: version 3 of checksums; before that with and without 64 bits. */
struct journal_tag3 {
	be32 block, flags, block_hi, checksum;
};
struct journal_tag {
	be32 block;
	u16 checksum, flags; /* big endian */
	be32 block_hi;	     /* only with 64 bits */
};
enum { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_DELETED = 4, TAG_LAST = 8 };
struct journal_revoke {
	struct journal_header header;
	be32 size; /* bytes used, header included */
};
struct journal_commit {
	struct journal_header header;
	u8 checksum_type, checksum_size, padding[2];
	be32 checksum[8];
	be32 seconds_hi, seconds_lo, nanoseconds;
};

#endif
