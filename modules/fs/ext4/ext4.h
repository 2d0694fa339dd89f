/*
 * ext2, ext3 and ext4: the module's own header. super.c has the theory and the table of operations.
 *
 * Locks, outermost first: node->lock (the core's); an open transaction (journal.c: whoever holds a handle never waits for a commit);
 * inode->map_lock; volume->orphan_lock, volume->xattr_lock; volume->allocation_lock; inode->raw_lock; journal->lock;
 * volume->changed_lock.
 */
#ifndef EXT4_H
#define EXT4_H

#define LOG_PREFIX "ext4: " /* before printk.h, which others may include */

#include <kumo/block.h>
#include <kumo/buffer.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/tree.h>
#include <kumo/wait.h>

#include "format.h"

struct block_map_ops;
struct journal;
struct handle;
struct file;
struct page;

/* A group of blocks, in memory. */
struct group {
	u64 block_bitmap, inode_bitmap, inode_table; /* first blocks */
	u32 longest_run; /* no run of free blocks is longer; ~0: not known */
	bool blocks_checked, inodes_checked, broken; /* bitmaps were verified; or found to be damaged */
	unsigned long *freed; /* blocks freed by transactions that are not committed: not to be used yet */
};

#define ID_UNSAID (~0u) /* neither option nor superblock have been read */

struct volume {
	struct tree *tree;
	struct block_device *device;
	struct buffer *super_buffer;
	struct super_disk *super; /* within it */
	u32 block_size, block_bits, blocks_per_group, inodes_per_group, inode_size, descriptor_size;
	u32 group_count, first_block, descriptor_blocks,
		table_blocks; /* table_blocks: of inodes, in a group */
	u64 block_count;
	u32 inodes_count;
	u32 checksum_seed;
	u32 hash_seed[4];
	u8 hash_unsigned; /* added to a hash's version */
	bool metadata_checksums, group_checksums;

	struct group *groups;
	struct buffer **descriptors;  /* blocks of group descriptors */
	struct mutex allocation_lock; /* bitmaps, descriptors, free counts of the superblock */
	u64 reserved_blocks, overhead_blocks; /* for whom follows; what the groups' own structures take */
	u64 spare_blocks; /* for extents that fall apart when what is in them is written, or removed: data has its blocks, and must not fail */
	u32 reserved_uid, reserved_gid; /* besides who has CAP_SYS_RESOURCE; group 0: none */
	u32 next_directory_group;

	struct journal *journal;	  /* NULL: none */
	bool read_only, barriers, failed; /* failed: an error has been met; errors= decides what follows */
	u8 on_error;			  /* ERRORS_* */
	bool no_load, read_only_wanted;
	bool discard; /* the device is told of blocks that become free */
	struct rate_limit damage_said;
	u32 commit_interval_s;

	spinlock_t changed_lock; /* the list of inodes whose attributes the disk does not have */
	struct list changed;
	struct mutex orphan_lock; /* the list of orphans, in memory and on disk */
	struct list orphans;	  /* struct inode.orphan_link, newest first, as on disk */
	struct mutex xattr_lock;  /* reference counts of shared blocks of attributes */
};

struct inode {
	struct volume *volume;
	struct node *node;
	u32 number;
	u32 generation, flags;
	u32 checksum_seed;
	u16 extra_isize;
	u64 acl_block; /* block of extended attributes, 0: none */
	u32 project;
	u64 disk_size;	       /* what the disk is told: never more than was written */
	struct rwsem map_lock; /* block[], extents, block maps */
	u32 block[INODE_BLOCKS];
	atomic64_t sectors;    /* of 512 bytes, that it takes */
	struct mutex raw_lock; /* the inode's own bytes in its buffer */
	u64 transaction;       /* the last that changed it; 0: none yet. For fsync */
	u64 goal;	       /* where its next block would lie well; a hint */
	bool orphan;
	struct list orphan_link;
	struct list changed_link; /* under changed_lock; empty: not in the list */
};

static inline struct inode *inode_of(const struct node *node)
{
	return node->private;
}
static inline struct volume *volume_of(const struct node *node)
{
	return node->tree->private;
}
static inline bool has_compat(const struct volume *v, u32 feature)
{
	return v->super->feature_compat & feature;
}
static inline bool has_incompat(const struct volume *v, u32 feature)
{
	return v->super->feature_incompat & feature;
}
static inline bool has_ro_compat(const struct volume *v, u32 feature)
{
	return v->super->feature_ro_compat & feature;
}

/* A damaged structure was met: says so, notes it in the superblock, and does what errors= says. Gives -EUCLEAN, as Linux's EFSCORRUPTED. */
int volume_damaged(struct volume *volume, u32 inode, u64 block, const char *format, ...) __printf(4, 5);
/* Something could not be written: as above, gives -EIO. */
int volume_failed(struct volume *volume, const char *what, int error);
static inline bool volume_has_blocks(const struct volume *v, u64 first, u64 count)
{
	return first >= v->first_block && first < v->block_count && count <= v->block_count - first;
}
/* Do blocks of a file lie where files may lie: within the volume, and not over its groups' tables? */
bool volume_data_valid(const struct volume *volume, u64 first, u64 count);
/*
 * A block of metadata belongs to one inode, and to one purpose. buffer->owner says which, once its bytes have been checked for
 * that: a damaged volume may have the same block in two places, and what checked it for one must not be led astray by
 * a change made for the other.
 */
enum owner_kind {
	OWNER_EXTENTS = 1,
	OWNER_DIRECTORY,
	OWNER_INDEX,
	OWNER_INDIRECT,
	OWNER_XATTRS,
	OWNER_LINK,
	OWNER_JOURNAL
};
static inline u64 owner_make(u32 inode, enum owner_kind kind)
{
	return (u64)inode << 8 | kind;
}
/* 0: not checked yet; 1: checked, and the inode's; or it is another's: -EUCLEAN. */
int buffer_owned(struct volume *volume, struct buffer *buffer, u32 inode, enum owner_kind kind);
void super_checksum_set(struct volume *volume);
bool super_checksum_valid(const struct super_disk *super);
/* After a change to *volume->super, whose buffer has joined. */
void super_dirty(struct handle *handle, struct volume *volume);
/* A feature that the volume is about to make use of for the first time; a field of *volume->super. */
int super_feature_add(struct handle *handle, struct volume *volume, u32 *field, u32 feature) __must_check;
int options_parse(struct volume *volume, const char *options, bool remount) __must_check;

/* ---- checksum.c ---- */
u32 crc32c(u32 seed, const void *data, size_t size);
u16 crc16(u16 seed, const void *data, size_t size);

/* ---- hash.c: of names, for directories ---- */
struct name_hash {
	u32 major, minor;
};
int name_hash_make(const struct volume *volume, u8 version, const char *name, u32 length,
		   struct name_hash *hash) __must_check;

/* ---- group.c ---- */
int groups_load(struct volume *volume) __must_check;
void groups_free(struct volume *volume);
struct group_disk *group_descriptor(struct volume *volume, u32 group, struct buffer **buffer);
bool group_has_super(const struct volume *volume, u32 group);

/* ---- allocate.c ---- */
/* `*count` blocks or fewer in a row, near `goal`; marked used. -ENOSPC. */
/* Blocks that others have been promised: those that must stay free for all new data and names that these credentials may make. */
u64 blocks_kept_from(const struct volume *volume, const struct cred *cred);
int blocks_alloc(struct handle *handle, struct volume *volume, u64 goal, u32 *count,
		 u64 *first) __must_check;
/* metadata: the blocks may be in the journal, from which they are revoked. */
int blocks_free(struct handle *handle, struct volume *volume, u64 first, u64 count,
		bool metadata) __must_check;
/* Frees what was allocated in vain: the caller has an error to tell already. */
void blocks_give_up(struct handle *handle, struct volume *volume, u64 first, u64 count, bool metadata);
void blocks_freed_committed(struct volume *volume, u64 first, u64 count); /* a commit made them really free */
/* Discards free runs of `least` blocks or more in [first, end); adds up how many blocks. -EOPNOTSUPP, -EIO, -EINTR. */
int blocks_trim(struct volume *volume, u64 first, u64 end, u32 least, u64 *trimmed) __must_check;
int inode_number_alloc(struct handle *handle, struct volume *volume, u32 parent, bool directory,
		       u32 *number) __must_check;
int inode_number_free(struct handle *handle, struct volume *volume, u32 number,
		      bool directory) __must_check;
bool inode_number_used(struct volume *volume, u32 number, int *error); /* as the bitmap has it */
u64 volume_free_blocks(struct volume *volume);

/* ---- inode.c ---- */
/* The node of inode `number`, referenced; made if need be. ERR_PTR. */
struct node *inode_get(struct volume *volume, u32 number) __must_check;
enum { GET_UNLINKED = 1 /* also if it has no links: orphans */ };
struct node *inode_get_flags(struct volume *volume, u32 number, unsigned int flags) __must_check;
/* A new inode, in the table, with a node, referenced; to be stored by the caller. ERR_PTR. */
struct node *inode_create(struct handle *handle, struct inode *parent,
			  const struct node_new *what) __must_check;
/* Writes what the node says now into the inode on disk. */
int inode_store(struct handle *handle, struct inode *inode) __must_check;
/* Does so in a transaction of its own if there is a difference. */
int inode_store_changed(struct inode *inode) __must_check;
int inodes_store_all(struct volume *volume) __must_check;
void inode_forget(struct node *node);
void inode_release(struct node *node); /* another instance goes on with the file */
/* The inode's buffer and place in it; the buffer is the caller's. */
struct inode_disk *inode_raw(struct volume *volume, u32 number, struct buffer **buffer) __must_check;
void inode_checksum_set(const struct inode *inode, struct inode_disk *raw);
void inode_count_blocks(struct inode *inode, s64 blocks);
void inode_attr_changed(struct node *node);
bool inode_number_valid(const struct volume *volume, u32 number);
static inline bool inode_has_extents(const struct inode *inode)
{
	return inode->flags & INODE_EXTENTS;
}
static inline bool inode_is_inline(const struct inode *inode)
{
	return inode->flags & INODE_INLINE_DATA;
}
/* Symbolic links below 60 bytes lie in the inode. */
bool inode_is_fast_link(const struct inode *inode);
int inode_map_init(struct inode *inode); /* of a new, empty file */
int ext4_set_flags(struct node *node, u32 flags);

/* ---- map.c: which blocks a file has ---- */
enum map_kind { MAP_HOLE, MAP_WRITTEN, MAP_UNWRITTEN };
struct mapping {
	u32 block; /* of the file */
	u32 count; /* blocks, at least 1 */
	u64 physical;
	enum map_kind kind;
	bool fresh; /* was allocated by this call */
};
#define MAP_BLOCKS_MAX 0xFFFFFFFFu
/* What lies at `block`, at most `count` blocks of it. map_lock held for reading. */
int map_find(struct inode *inode, u32 block, u32 count, struct mapping *mapping) __must_check;
enum { CREATE_WRITTEN = 1 /* metadata, which the caller writes itself */ };
/* The same, and a hole gets blocks. map_lock held for writing. */
int map_create(struct handle *handle, struct inode *inode, u32 block, u32 count, unsigned int flags,
	       struct mapping *mapping) __must_check;
/* A new block for the map itself, near `goal`: zeros, joined, the inode's. ERR_PTR. map_lock held for writing. */
struct buffer *map_block_new(struct handle *handle, struct inode *inode, u64 goal,
			     enum owner_kind kind) __must_check;
/* Unwritten blocks hold data now, up to byte `end`: in the same transactions the size on disk is raised, as far as the file reaches, for
 * written blocks behind the size are a fault. */
int map_written(struct inode *inode, u32 block, u32 count, u64 end) __must_check;
/* The size on disk may be at least `end` bytes now, as far as the file reaches; false: it is. map_lock held for writing. */
bool disk_size_raise(struct inode *inode, u64 end);
/* Frees all blocks from `first` on up to `last`, in as many transactions as it takes. Takes map_lock. */
int map_remove(struct inode *inode, u32 first, u32 last) __must_check;
u64 map_size_max(const struct inode *inode);
u32 map_credits(const struct inode *inode); /* blocks that map_create changes at most */
/* Reads block `block` of a directory or the like: ERR_PTR, NULL for a hole. */
struct buffer *map_read(struct inode *inode, u32 block) __must_check;
/* A new block behind the end of a directory, all zeros, joined to the transaction. */
struct buffer *map_append(struct handle *handle, struct inode *inode, u32 *block) __must_check;

/* ---- extents.c ---- */
int extents_init(struct inode *inode);
int extents_check_root(struct inode *inode);
int extents_find(struct inode *inode, u32 block, struct mapping *mapping) __must_check;
int extents_insert(struct handle *handle, struct inode *inode, const struct mapping *mapping) __must_check;
int extents_convert(struct handle *handle, struct inode *inode, u32 block, u32 count) __must_check;
/* Removes the last extent, or part of one, that lies within [first, last]; *more: there may be others. */
int extents_remove_step(struct handle *handle, struct inode *inode, u32 first, u32 last,
			bool *more) __must_check;

/* ---- indirect.c ---- */
int indirect_find(struct inode *inode, u32 block, u32 count, struct mapping *mapping) __must_check;
int indirect_create(struct handle *handle, struct inode *inode, u32 block, u32 count,
		    struct mapping *mapping) __must_check;
int indirect_remove_step(struct handle *handle, struct inode *inode, u32 first, u32 last,
			 bool *more) __must_check;
u64 indirect_blocks_max(const struct volume *volume);

/* ---- directory.c ---- */
struct dirent_place {
	struct buffer *buffer;
	struct dirent_disk *entry;
	u32 block;
};
/* A block of a directory, checked as a whole; ERR_PTR. */
struct buffer *directory_block(struct inode *dir, u32 block) __must_check;
int directory_find(struct inode *dir, const struct name *name, struct dirent_place *place) __must_check;
int directory_add(struct handle *handle, struct inode *dir, const struct name *name, u32 number,
		  u32 mode) __must_check;
int directory_remove(struct handle *handle, struct inode *dir, struct dirent_place *place) __must_check;
int directory_replace(struct handle *handle, struct inode *dir, struct dirent_place *place,
		      u32 number, u32 mode) __must_check;
int directory_make(struct handle *handle, struct inode *dir, u32 parent) __must_check;
int directory_is_empty(struct inode *dir); /* 1, 0 or an error */
int directory_parent(struct inode *dir, struct dirent_place *place) __must_check; /* its entry ".." */
int directory_read(struct file *file, struct dir_context *context);
/* After a change to a block of entries. */
void directory_dirty(struct handle *handle, struct inode *dir, struct buffer *buffer);
u32 directory_space(const struct volume *volume); /* of a block, without the tail */
/* Puts an entry into a block that has room: 0, or -ENOSPC. The buffer has joined. */
int directory_block_add(struct inode *dir, struct buffer *buffer, const struct name *name,
			u32 number, u8 type);
void directory_block_clear(struct volume *volume, void *block);
struct dirent_disk *directory_block_find(struct inode *dir, struct buffer *buffer,
					 const struct name *name);
u8 dirent_type(const struct volume *volume, u32 mode);
static inline u32 directory_blocks(const struct inode *dir)
{
	return (u32)(node_size(dir->node) >> dir->volume->block_bits);
}
static inline struct dirent_disk *dirent_next(struct dirent_disk *entry)
{
	return (struct dirent_disk *)((char *)entry + entry->length);
}
#define DIRECTORY_CREDITS 24 /* blocks that a name added to a directory changes, without maps */

/* ---- htree.c: directories with an index ---- */
int htree_find(struct inode *dir, const struct name *name, struct dirent_place *place) __must_check;
int htree_add(struct handle *handle, struct inode *dir, const struct name *name, u32 number,
	      u8 type) __must_check;
/* The first block is full: it becomes a root, its entries go to two new blocks, and the name to one of them. */
int htree_make(struct handle *handle, struct inode *dir, const struct name *name, u32 number,
	       u8 type) __must_check;
int htree_read(struct inode *dir, struct dir_context *context) __must_check;
int htree_parent(struct inode *dir, struct dirent_place *place) __must_check;
/* After an entry in it got another inode. */
void htree_root_changed(struct handle *handle, struct inode *dir, struct buffer *root);

/* ---- inline.c: files within their inodes ---- */
/* Copies up to `size` bytes at `offset`; the number copied. */
ssize_t inline_read(struct inode *inode, void *to, u64 offset, size_t size) __must_check;
/* The file gets blocks, and its bytes go there. node->lock or none; takes map_lock. */
int inline_convert(struct inode *inode) __must_check;
int inline_directory_find(struct inode *dir, const struct name *name, u32 *number) __must_check;
int inline_directory_read(struct inode *dir, struct dir_context *context) __must_check;
int inline_directory_is_empty(struct inode *dir);

/* ---- xattr.c ---- */
ssize_t ext4_xattr_get(struct node *node, const char *name, void *value, size_t size);
int ext4_xattr_set(struct node *node, const char *name, const void *value, size_t size, int flags);
ssize_t ext4_xattr_list(struct node *node, char *list, size_t size, bool trusted);
int xattrs_release(struct handle *handle, struct inode *inode) __must_check; /* the inode goes */
/* By index and name, into a kmalloc'ed value; -ENODATA. */
ssize_t xattr_find(struct inode *inode, u8 index, const char *name, void **value) __must_check;
int xattr_put(struct handle *handle, struct inode *inode, u8 index, const char *name,
	      const void *value, size_t size, int flags) __must_check;
#define XATTR_CREDITS 8

/* ---- acl.c: access lists on the disk ---- */
int acls_load(struct inode *inode) __must_check; /* the node gets its lists, before anybody sees it */
/* index: XATTR_INDEX_ACL_*; acl NULL: there is none any more. */
int acl_put_disk(struct handle *handle, struct inode *inode, u8 index, const struct acl *acl) __must_check;

/* ---- orphan.c ---- */
int orphan_add(struct handle *handle, struct inode *inode) __must_check;
int orphan_remove(struct handle *handle, struct inode *inode) __must_check;
int orphans_clean(struct volume *volume) __must_check; /* after the journal was replayed */
int orphans_keep(struct volume *volume) __must_check; /* the same while there are files in use that others had open */
/* Brings a file to its size, freeing what lies behind, in as many transactions as it takes. */
int inode_truncate(struct inode *inode) __must_check;

/* ---- names.c, attributes.c, file.c: operations ---- */
int ext4_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
	      u64 *negative_until_ns, const struct cred *cred);
int ext4_create(struct node *dir, const struct name *name, const struct node_new *what,
		struct node **node, const struct cred *cred);
int ext4_create_unnamed(struct node *dir, const struct node_new *what, struct node **node,
			const struct cred *cred);
int ext4_link(struct node *dir, const struct name *name, struct node *node, const struct cred *cred);
int ext4_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		const struct cred *cred);
int ext4_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		struct node *new_dir, const struct name *new_name, struct node *replaced,
		unsigned int flags, const struct cred *cred);
ssize_t ext4_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred);
int ext4_setattr(struct node *node, const struct attr_change *change, const struct cred *cred);
int ext4_fsync(struct file *file, bool data_only);
int ext4_fallocate(struct file *file, int mode, u64 offset, u64 length);
loff_t ext4_seek(struct file *file, loff_t offset, int whence);
void ext4_read_pages(struct node *node, struct page **pages, unsigned int count);
int ext4_reserve_pages(struct node *node, u64 index, unsigned int count, const struct cred *cred);
ssize_t ext4_direct(struct file *file, struct iter *iter, loff_t pos, bool write);
extern const struct block_map_ops ext4_block_map;
/* An operation found no room: true if a commit may have made some, and it is worth another try. */
bool volume_room_made(struct volume *volume, int error, unsigned int *tries);

#include "journal.h"

#endif
