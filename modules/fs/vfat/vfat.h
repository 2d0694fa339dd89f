/*
 * FAT12, FAT16 and FAT32: the module's own header. super.c has the theory and the table of operations.
 *
 * Locks, outermost first: node->lock (the core's; of a directory it protects its entries); inode->map_lock (which clusters a
 * file has); inode->store_lock (where its entry is); volume->table_lock (the table of clusters); volume->index_lock, volume->changed_lock.
 */
#ifndef VFAT_H
#define VFAT_H

#define LOG_PREFIX "vfat: " /* before printk.h, which others may include */

#include <kumo/buffer.h>
#include <kumo/err.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/tree.h>

#include "chain.h"
#include "date.h"
#include "format.h"
#include "names.h"

struct block_map_ops;
struct file;
struct inode;
struct iter;

#define ROOT_ID 1u

/* Mount options. */
enum on_error { ON_ERROR_READ_ONLY, ON_ERROR_CONTINUE, ON_ERROR_PANIC };
enum short_names {			    /* what of the case of a short name is kept */
		   SHORT_SHOWN_SMALL = 1,   /* shown in small letters */
		   SHORT_SHOWN_AS_SAID = 2, /* shown as the entry says (Windows NT) */
		   SHORT_CASE_WRITTEN = 4, /* made with that said, too, where the case of base and extension is uniform */
};
struct options {
	u32 uid, gid;
	u32 file_mask, directory_mask;
	unsigned int short_names; /* enum short_names */
	enum name_check check;
	enum on_error on_error;
	s32 time_offset_s; /* what is added to the volume's time to make it UTC */
	bool dos;	   /* short names alone */
	bool quiet, tails, trust_hints, read_only_directories, show_executables, read_only;
};

#define INODE_BUCKETS 256u

struct volume {
	struct tree *tree;
	struct block_device *device;
	struct options options;

	u32 sector_size, sector_bits, cluster_size, cluster_bits;
	u32 bits;		       /* of an entry of the table: 12, 16, 32 */
	u32 table_count, table_active; /* table_active: the copy that is read */
	bool tables_alike;	       /* all copies are written */
	u64 table_sector;	       /* of the first copy */
	u32 table_sectors;	       /* of each */
	u64 root_sector;	       /* of a root without clusters: FAT12, FAT16 */
	u32 root_entries, root_cluster;
	u64 data_sector;   /* of cluster 2 */
	u32 cluster_limit; /* clusters are those from 2 to below this */
	u32 volume_id;
	u32 hints_sector; /* 0: there are none */
	bool was_dirty;

	struct mutex table_lock;
	u32 free_clusters, next_cluster; /* next_cluster: where to look next */
	bool free_known;
	struct table_cursor table_cursors[TABLE_CURSORS]; /* of copies of the table */

	bool read_only, failed;
	struct rate_limit damage_said;

	spinlock_t index_lock;			 /* all inodes that have a node */
	struct hlist by_position[INODE_BUCKETS]; /* by where their entry lies */
	struct hlist by_id[INODE_BUCKETS]; /* those whose identity is not that of their entry's place */
	struct hlist by_start[INODE_BUCKETS]; /* directories, by their first cluster */
	u64 next_id;

	spinlock_t changed_lock; /* the list of inodes that the disk does not have as they are */
	struct list changed;
};

struct inode {
	struct volume *volume;
	struct node *node;
	u8 attributes;
	s64 created_ns;
	s64 stored_modified_ns, stored_accessed_ns; /* as the entry has them */
	u64 stored_size;

	struct mutex map_lock; /* chain, keep, tail_checked */
	struct chain chain;
	u64 keep; /* clusters are kept up to this size: fallocate(2) took them in advance */
	bool tail_checked; /* what lies behind the file's end in its last page is zero */
	u64 write_end;	   /* of the write(2) that is under way; node->lock */

	struct mutex store_lock;
	/* The entry: its place, in units of 32 bytes, and its slot in its directory; slot_count: with those of its long name. Changes with
	 * the lock of its directory, store_lock and index_lock held. position 0: none (the root; unlinked). */
	u64 position;
	u32 slot, slot_count;
	u64 parent; /* identity of the directory */

	struct hlist_node position_link, id_link, start_link;
	struct list changed_link;
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
/* A damaged structure was met: says so and does what errors= says. Gives -EIO. */
int volume_damaged(struct volume *volume, const char *format, ...) __printf(2, 3);
static inline bool cluster_valid(const struct volume *volume, u32 cluster)
{
	return cluster >= CLUSTER_FIRST && cluster < volume->cluster_limit;
}
static inline u64 cluster_sector(const struct volume *volume, u32 cluster)
{
	return volume->data_sector +
	       ((u64)(cluster - CLUSTER_FIRST) << (volume->cluster_bits - volume->sector_bits));
}
static inline u32 clusters_of(const struct volume *volume, u64 size)
{
	return (u32)((size + volume->cluster_size - 1) >> volume->cluster_bits);
}
/* The second: to be overwritten whole. Neither hears of a kill: there is no journal, and what has begun must be made whole. */
static inline struct buffer *sector_read(struct volume *volume, u64 sector)
{
	struct buffer *buffer;

	kill_hold();
	buffer = buffer_read(volume->device, sector, volume->sector_size);
	kill_release();
	return buffer;
}
static inline struct buffer *sector_get(struct volume *volume, u64 sector)
{
	struct buffer *buffer;

	kill_hold();
	buffer = buffer_get(volume->device, sector, volume->sector_size);
	kill_release();
	return buffer;
}

/* ---- options.c ---- */
void options_default(struct options *options, bool dos);
int options_parse(struct volume *volume, struct options *options, const char *text) __must_check;

/* ---- table.c ---- */
/* What follows a cluster in its chain; 0: nothing. -EIO: it is damaged. Takes table_lock. */
int table_next(struct volume *volume, u32 cluster, u32 *next) __must_check;
/* Up to `*count` clusters in a row, at `goal` if they are free (0: anywhere), linked to each other, the last one an end. -ENOSPC. */
int table_alloc(struct volume *volume, u32 goal, u32 *count, u32 *first) __must_check;
int table_link(struct volume *volume, u32 cluster, u32 next) __must_check; /* next 0: the end */
/* Frees a chain; the first damage ends it. */
int table_free(struct volume *volume, u32 first) __must_check;
int table_free_count(struct volume *volume, u32 *count) __must_check;
void table_put(struct volume *volume); /* lets go of what it holds in between */

/* ---- inode.c ---- */
struct record;
/* The node of an entry in a directory, whose lock is held; referenced. ERR_PTR. */
struct node *inode_get(struct inode *dir, const struct record *record) __must_check;
struct node *inode_get_root(struct volume *volume) __must_check;
u64 inode_identity(struct volume *volume, u64 position); /* of the file whose entry lies there */
/* Writes what the node says now into its entry. */
int inode_store(struct inode *inode) __must_check;
int inodes_store_all(struct volume *volume) __must_check;
/* The entry is elsewhere now (record), or nowhere (NULL). The locks of both directories are held. */
void inode_move(struct inode *inode, const struct inode *dir, const struct record *record);
/* Both directories' locks are held. */
void inodes_exchange(struct inode *a, struct inode *b);
void inode_changed(struct inode *inode); /* is to be stored */
void inode_count_blocks(struct inode *inode);
/* The first cluster of a new directory is there. */
int inode_index_start(struct inode *inode) __must_check;
void vfat_attr_changed(struct node *node);
void vfat_forget(struct node *node);
u32 mode_of(const struct volume *volume, u8 attributes, const struct entry_disk *entry);
bool mode_can_be_read_only(const struct volume *volume, u32 mode);

/* ---- entries.c: the entries of a directory, one after the other; the directory's lock is held ---- */
struct record {
	u32 slot;	/* of the entry itself */
	u32 slot_count; /* with those of its long name, which come before */
	u64 position;
	struct entry_disk entry;
	struct wide_name name; /* length 0: it has only a short one */
};
struct cursor {
	struct inode *dir;
	u32 slot; /* the next to be looked at */
	struct buffer *buffer;
	u64 sector; /* of it */
};
static inline struct cursor cursor_at(struct inode *dir, u32 slot)
{
	return (struct cursor){ .dir = dir, .slot = slot };
}
void cursor_put(struct cursor *cursor);
/* The slot in its buffer, which the cursor holds; NULL: behind the last; ERR_PTR. */
struct entry_disk *cursor_slot(struct cursor *cursor, u32 slot, u64 *position) __must_check;
/* The next file, directory or label. 1; 0: there is no more; or an error. */
int record_next(struct cursor *cursor, struct record *record) __must_check;
static inline bool record_is_label(const struct record *record)
{
	return record->entry.attributes & ATTRIBUTE_LABEL;
}
bool record_is_dots(const struct record *record);
static inline u32 record_start(const struct volume *volume, const struct entry_disk *entry)
{
	return entry->cluster_low | (volume->bits == 32 ? (u32)entry->cluster_high << 16 : 0);
}
static inline void record_set_start(const struct volume *volume, struct entry_disk *entry, u32 start)
{
	entry->cluster_low = (u16)start;
	entry->cluster_high = volume->bits == 32 ? (u16)(start >> 16) : 0;
}
/* The name as it is shown. */
void record_name(const struct volume *volume, const struct record *record, struct wide_name *wide);
/* Slots in the directory; those of a root without clusters are all there are. */
int directory_slots(struct inode *dir, u32 *count) __must_check;
/* `count` free slots in a row, the directory growing if need be: the first. -ENOSPC. */
int slots_find(struct inode *dir, u32 count, u32 *first) __must_check;
int slots_delete(struct inode *dir, u32 last, u32 count) __must_check;

/* ---- directory.c: names in a directory; its lock is held ---- */
/* The entry of a name. alias: the file has another one, by which it is known. -ENOENT. */
int directory_find(struct inode *dir, const struct name *name, struct record *record,
		   bool *alias) __must_check;
/* Puts an entry with the name there: `record` has the rest of it, and gets its place. -EINVAL, -ENAMETOOLONG: the name. */
int directory_add(struct inode *dir, const struct name *name, struct record *record) __must_check;
int directory_is_empty(struct inode *dir); /* 1, 0 or an error */
int directory_count(struct inode *dir, u32 *subdirectories) __must_check;
/* A cluster for a new directory, with its dots, that `start` becomes. */
int directory_make(struct inode *parent, s64 now, u32 *start) __must_check;
int directory_set_parent(struct inode *dir, const struct inode *parent) __must_check;
int vfat_readdir(struct file *file, struct dir_context *context);
/* All zeros, past what a file may have left there. */
int cluster_clear(struct volume *volume, u32 cluster) __must_check;

/* ---- operations.c, rename.c: names ---- */
int vfat_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
	      u64 *negative_until_ns, const struct cred *cred);
int vfat_create(struct node *dir, const struct name *name, const struct node_new *what,
		struct node **node, const struct cred *cred);
int vfat_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		const struct cred *cred);
int vfat_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		struct node *new_dir, const struct name *new_name, struct node *replaced,
		unsigned int flags, const struct cred *cred);
int directory_changed(struct inode *dir); /* its time; stored at once */

/* ---- file.c ---- */
extern const struct block_map_ops vfat_block_map;
ssize_t vfat_write(struct file *file, struct iter *from, loff_t *pos);
ssize_t vfat_direct(struct file *file, struct iter *iter, loff_t pos, bool write);
int vfat_reserve_pages(struct node *node, u64 index, unsigned int count, const struct cred *cred);
int vfat_fsync(struct file *file, bool data_only);
int vfat_fallocate(struct file *file, int mode, u64 offset, u64 length);
int vfat_setattr(struct node *node, const struct attr_change *change, const struct cred *cred);
/* Clusters behind what a file has and keeps are free. */
int file_trim(struct inode *inode) __must_check;

#endif
