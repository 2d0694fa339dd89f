/*
 * ext2, ext3 and ext4, read and write: one module for the three, for they are one format with more or fewer features. By
 * Linux's documentation of the format (Documentation/filesystems/ext4, e2fsprogs' ext4(5)).
 *
 *	names.c directory.c htree.c hash.c inline.c     names of a directory -> inode numbers
 *	inode.c orphan.c                                inodes in their tables <-> nodes of the core
 *	map.c extents.c indirect.c                      blocks of a file -> blocks of the volume
 *	group.c                                         which blocks and inodes are free
 *	xattr.c acl.c                                   extended attributes
 *	journal.c commit.c checkpoint.c recovery.c      all changes of the above, whole or not at all
 *	super.c options.c                               the volume: mounting, errors, the table of operations
 *
 * Files' bytes go through the core's page cache and never through here: the core asks where they lie (tree_ops.block_map). All that
 * is here is metadata, in buffers. Whatever is read is checked first: a damaged volume gives errors and lines in the log.
 * A change begins with handle_begin(), which says how many blocks it may touch; joins each buffer; changes it; and ends.
 *
 * Errors. volume_damaged() logs what is wrong, notes it in the superblock, and does as errors= says: go on, read only from now on,
 * or panic. What cannot be written aborts the journal, and the volume is read-only.
 */
#include "ext4.h"

#include <kumo/block_pages.h>
#include <kumo/module.h>
#include <kumo/pagecache.h>
#include <kumo/rebind.h>
#include <linux/magic.h>

#define SPARE_BLOCKS_MAX 4096

#define COMPAT_READ                                                                                    \
	(INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_META_BG | INCOMPAT_EXTENTS | INCOMPAT_64BIT | \
	 INCOMPAT_FLEX_BG | INCOMPAT_CSUM_SEED | INCOMPAT_LARGEDIR | INCOMPAT_INLINE_DATA)
#define COMPAT_WRITE                                                                               \
	(RO_COMPAT_SPARSE_SUPER | RO_COMPAT_LARGE_FILE | RO_COMPAT_HUGE_FILE |                     \
	 RO_COMPAT_GDT_CSUM | RO_COMPAT_DIR_NLINK | RO_COMPAT_EXTRA_ISIZE |                        \
	 RO_COMPAT_METADATA_CSUM | RO_COMPAT_PROJECT | RO_COMPAT_ORPHAN_PRESENT)
#define GROUP_COUNT_MAX 0x1000000u

/* ---- The superblock ---- */

static u32 super_checksum(const struct super_disk *super)
{
	return crc32c(~0u, super, offsetof(struct super_disk, checksum));
}

bool super_checksum_valid(const struct super_disk *super)
{
	return !(super->feature_ro_compat & RO_COMPAT_METADATA_CSUM) ||
	       super->checksum == super_checksum(super);
}

void super_checksum_set(struct volume *volume)
{
	if (volume->metadata_checksums)
		volume->super->checksum = super_checksum(volume->super);
}

void super_dirty(struct handle *handle, struct volume *volume)
{
	if (!handle->transaction) /* else the commit sees to it, once for all changes */
		super_checksum_set(volume);
	handle_dirty(handle, volume->super_buffer);
}

int super_feature_add(struct handle *handle, struct volume *volume, u32 *field, u32 feature)
{
	int error;

	if (*field & feature)
		return 0;
	error = handle_join(handle, volume->super_buffer);
	if (error)
		return error;
	mutex_lock(&volume->allocation_lock);
	if (!volume->super->revision) { /* the first revision has no features: it becomes the second */
		volume->super->revision = 1;
		volume->super->first_inode = 11;
		volume->super->inode_size = INODE_SMALL;
	}
	*field |= feature;
	super_dirty(handle, volume);
	mutex_unlock(&volume->allocation_lock);
	return 0;
}

static int refuse(const struct volume *volume, const char *why, u64 value)
{
	pr_err("%s: not mounted: %s (%llx)\n", volume->device->name, why, (unsigned long long)value);
	return -EINVAL;
}

static int features_check(struct volume *volume)
{
	const struct super_disk *super = volume->super;
	u32 unknown = super->feature_incompat & ~(u32)COMPAT_READ;

	if (super->revision == 0 &&
	    (super->feature_compat || super->feature_incompat || super->feature_ro_compat))
		return refuse(volume, "features on a volume of the first revision",
			      super->feature_incompat);
	if (unknown)
		return refuse(volume, "features that are not known", unknown);
	if (super->feature_ro_compat & RO_COMPAT_BIGALLOC)
		return refuse(volume, "clusters of blocks (bigalloc)", super->log_cluster_size);
	unknown = super->feature_ro_compat & ~(u32)COMPAT_WRITE;
	if (unknown && !volume->read_only_wanted) {
		pr_warn("%s: mounted read-only, for features that are not known%s: %x\n",
			volume->device->name, unknown & RO_COMPAT_QUOTA ? " (quota)" : "", unknown);
		volume->read_only_wanted = true;
		volume->tree->flags |= TREE_READ_ONLY;
	}
	volume->metadata_checksums = super->feature_ro_compat & RO_COMPAT_METADATA_CSUM;
	volume->group_checksums = super->feature_ro_compat & RO_COMPAT_GDT_CSUM &&
				  !volume->metadata_checksums;
	if (volume->metadata_checksums && super->checksum_type != 1)
		return refuse(volume, "a kind of checksum that is not known", super->checksum_type);
	if (!super_checksum_valid(super)) {
		pr_err("%s: wrong checksum of the superblock\n", volume->device->name);
		return -EUCLEAN;
	}
	return 0;
}

/* The numbers that all else rests on. */
static int geometry_check(struct volume *volume)
{
	const struct super_disk *super = volume->super;
	u64 groups;

	volume->inode_size = super->revision ? super->inode_size : INODE_SMALL;
	volume->descriptor_size = has_incompat(volume, INCOMPAT_64BIT) ? super->descriptor_size
								       : GROUP_DISK_SMALL;
	volume->blocks_per_group = super->blocks_per_group;
	volume->inodes_per_group = super->inodes_per_group;
	volume->first_block = super->first_data_block;
	volume->block_count =
		super->blocks_count_lo |
		(has_incompat(volume, INCOMPAT_64BIT) ? (u64)super->blocks_count_hi << 32 : 0);
	if (volume->inode_size < INODE_SMALL || volume->inode_size > volume->block_size ||
	    (volume->inode_size & (volume->inode_size - 1)))
		return refuse(volume, "the size of inodes", volume->inode_size);
	if (volume->descriptor_size < GROUP_DISK_SMALL || volume->descriptor_size > volume->block_size ||
	    (volume->descriptor_size & (volume->descriptor_size - 1)) ||
	    (has_incompat(volume, INCOMPAT_64BIT) && volume->descriptor_size < sizeof(struct group_disk)))
		return refuse(volume, "the size of descriptors", volume->descriptor_size);
	if (volume->blocks_per_group < 8 || volume->blocks_per_group > volume->block_size * 8 ||
	    volume->blocks_per_group % 8)
		return refuse(volume, "the number of blocks in a group", volume->blocks_per_group);
	if (!volume->inodes_per_group || volume->inodes_per_group > volume->block_size * 8 ||
	    volume->inodes_per_group % 8)
		return refuse(volume, "the number of inodes in a group", volume->inodes_per_group);
	if (super->revision && super->first_inode < 11)
		return refuse(volume, "the first inode", super->first_inode);
	if (volume->first_block != (volume->block_size == 1024 ? 1 : 0))
		return refuse(volume, "the first block", volume->first_block);
	if (volume->block_count <= volume->first_block + 1 || volume->block_count > ~0ULL >> 16 ||
	    volume->block_count << volume->block_bits > volume->device->size_bytes)
		return refuse(volume, "more blocks than the device has", volume->block_count);
	groups = DIV_ROUND_UP(volume->block_count - volume->first_block, volume->blocks_per_group);
	if (groups > GROUP_COUNT_MAX || (u64)volume->inodes_per_group * groups != super->inodes_count)
		return refuse(volume, "the number of inodes", super->inodes_count);
	volume->inodes_count = super->inodes_count;
	volume->group_count = (u32)groups;
	volume->table_blocks =
		DIV_ROUND_UP(volume->inodes_per_group * volume->inode_size, volume->block_size);
	volume->descriptor_blocks =
		DIV_ROUND_UP(volume->group_count, volume->block_size / volume->descriptor_size);
	if (has_incompat(volume, INCOMPAT_META_BG) && super->first_meta_bg > volume->descriptor_blocks)
		return refuse(volume, "the first meta group", super->first_meta_bg);
	return 0;
}

/* The superblock, first in a buffer of its own size, then within a block. */
static int super_read(struct volume *volume)
{
	u32 size = max((u32)EXT4_SUPER_OFFSET, volume->device->logical_block_size), log_size, magic;
	struct buffer *buffer = buffer_read(volume->device, EXT4_SUPER_OFFSET / size, size);
	const struct super_disk *super;

	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	super = (struct super_disk *)((char *)buffer->data + EXT4_SUPER_OFFSET % size);
	magic = super->magic;
	log_size = super->log_block_size;
	buffer_put(buffer);
	if (magic != EXT4_MAGIC) {
		pr_info("%s: not ext2, ext3 or ext4\n", volume->device->name);
		return -EINVAL;
	}
	if (log_size > 2)
		return refuse(volume, "blocks of more than 4096 bytes", log_size);
	volume->block_bits = 10 + log_size;
	volume->block_size = 1024u << log_size;
	if (volume->block_size < volume->device->logical_block_size)
		return refuse(volume, "blocks smaller than the device's", volume->block_size);
	if (volume->block_size != size)
		buffers_forget(volume->device, EXT4_SUPER_OFFSET / size, 1, size);
	buffer = buffer_read(volume->device, log_size ? 0 : 1, volume->block_size);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	volume->super_buffer = buffer;
	volume->super =
		(struct super_disk *)((char *)buffer->data + (log_size ? EXT4_SUPER_OFFSET : 0));
	return volume->super->magic == EXT4_MAGIC ? 0 : -EUCLEAN;
}

/* What is worked out from the superblock, again after a replay has changed it. */
static int super_take(struct volume *volume)
{
	const struct super_disk *super = volume->super;
	int error = features_check(volume);

	if (!error)
		error = geometry_check(volume);
	if (error)
		return error;
	volume->checksum_seed = has_incompat(volume, INCOMPAT_CSUM_SEED)
					? super->checksum_seed
					: crc32c(~0u, super->uuid, sizeof(super->uuid));
	memcpy(volume->hash_seed, super->hash_seed, sizeof(volume->hash_seed));
	volume->hash_unsigned = super->flags & FLAG_UNSIGNED_HASH ? HASH_LEGACY_UNSIGNED : 0;
	volume->reserved_blocks =
		super->reserved_blocks_lo |
		(has_incompat(volume, INCOMPAT_64BIT) ? (u64)super->reserved_blocks_hi << 32 : 0);
	/* As many as Linux keeps. */
	volume->spare_blocks = has_incompat(volume, INCOMPAT_EXTENTS)
				       ? min(volume->block_count / 50, (u64)SPARE_BLOCKS_MAX)
				       : 0;
	if (volume->reserved_uid == ID_UNSAID)
		volume->reserved_uid = super->reserved_uid;
	if (volume->reserved_gid == ID_UNSAID)
		volume->reserved_gid = super->reserved_gid;
	if (!volume->on_error)
		volume->on_error = super->errors >= ERRORS_CONTINUE && super->errors <= ERRORS_PANIC
					   ? (u8)super->errors
					   : ERRORS_CONTINUE;
	return 0;
}

/* Straight to the disk, past the journal: where that is not there, not begun, or broken. */
static int super_write(struct volume *volume)
{
	volume->super->wtime = (u32)(time_realtime_ns() / NSEC_PER_SEC);
	super_checksum_set(volume);
	return buffer_write(volume->super_buffer, volume->barriers ? BLOCK_PREFLUSH | BLOCK_FUA : 0);
}

/* ---- Errors ---- */

/* Notes an error where fsck will find it; with a journal that is in order, the next transaction that holds the superblock takes it along. */
static void error_note(struct volume *volume, u32 inode, u64 block, const char *what)
{
	struct super_disk *super = volume->super;
	u32 now = (u32)(time_realtime_ns() / NSEC_PER_SEC);

	super->state |= STATE_ERRORS;
	if (!super->error_count) {
		super->first_error_time = now;
		super->first_error_inode = inode;
		super->first_error_block = block;
		strscpy(super->first_error_function, what, sizeof(super->first_error_function));
	}
	super->error_count++;
	super->last_error_time = now;
	super->last_error_inode = inode;
	super->last_error_block = block;
	strscpy(super->last_error_function, what, sizeof(super->last_error_function));
	super_checksum_set(volume);
}

static void error_handle(struct volume *volume, u32 inode, u64 block, const char *what)
{
	volume->failed = true;
	if (volume->device->read_only || volume->read_only)
		return;
	error_note(volume, inode, block, what);
	if (volume->on_error == ERRORS_PANIC)
		panic("ext4: %s: damaged\n", volume->device->name);
	if (volume->on_error == ERRORS_READ_ONLY) {
		pr_err("%s: read-only from now on\n", volume->device->name);
		journal_abort(volume, -EROFS);
		volume->read_only = true;
	}
}

int volume_damaged(struct volume *volume, u32 inode, u64 block, const char *format, ...)
{
	char what[128];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (rate_limit_pass(&volume->damage_said))
		pr_err("%s: damaged: inode %u, block %llu: %s\n", volume->device->name, inode,
		       (unsigned long long)block, what);
	error_handle(volume, inode, block, what);
	return -EUCLEAN;
}

int volume_failed(struct volume *volume, const char *what, int error)
{
	pr_err("%s: %s: error %d; read-only from now on\n", volume->device->name, what, error);
	if (!volume->device->read_only && !volume->read_only)
		error_note(volume, 0, 0, what);
	volume->failed = true;
	volume->read_only = true;
	return -EIO;
}

int buffer_owned(struct volume *volume, struct buffer *buffer, u32 inode, enum owner_kind kind)
{
	if (!buffer->owner || buffer->owner == owner_make(inode, kind))
		return buffer->owner != 0;
	return volume_damaged(volume, inode, buffer->block, "a block that inode %u has, too",
			      (u32)(buffer->owner >> 8));
}

/* ---- Mounting ---- */

static int journal_wanted(struct volume *volume)
{
	bool dirty = has_incompat(volume, INCOMPAT_RECOVER);
	int error;

	if (!has_compat(volume, COMPAT_HAS_JOURNAL))
		return dirty ? refuse(volume, "a journal to be replayed that is not there", 0) : 0;
	if (volume->super->journal_device)
		return refuse(volume, "a journal on another device", volume->super->journal_device);
	if (volume->no_load) {
		if (!volume->read_only_wanted && dirty)
			return refuse(volume, "noload, but the journal must be replayed", 0);
		return 0;
	}
	if (volume->read_only_wanted && !dirty)
		return 0;
	error = journal_load(volume);
	if (!error && dirty) {
		error = super_take(volume); /* as the replay left it */
		if (!error) {
			groups_free(volume);
			error = groups_load(volume);
		}
		if (!error) {
			volume->super->feature_incompat &= ~(u32)INCOMPAT_RECOVER;
			error = super_write(volume);
		}
	}
	if (volume->read_only_wanted || error)
		journal_free(volume);
	return error;
}

/* From here on the volume is written. */
static int write_begin(struct volume *volume)
{
	struct super_disk *super = volume->super;
	int error = 0;

	if (volume->device->read_only)
		return -EROFS;
	if (!(super->state & STATE_CLEAN) && !volume->journal)
		pr_warn("%s: was not unmounted: run e2fsck\n", volume->device->name);
	if (super->state & STATE_ERRORS)
		pr_warn("%s: has errors: run e2fsck\n", volume->device->name);
	if (volume->journal)
		super->feature_incompat |= INCOMPAT_RECOVER;
	else
		super->state &= (u16)~STATE_CLEAN;
	super->mount_count++;
	super->mtime = (u32)(time_realtime_ns() / NSEC_PER_SEC);
	error = super_write(volume);
	if (!error && volume->journal)
		error = journal_start(volume);
	if (error)
		return error;
	volume->read_only = false;
	return 0;
}

/* All is home, and the superblock says so. */
static int write_end(struct volume *volume)
{
	struct super_disk *super = volume->super;
	int error = inodes_store_all(volume), result;

	result = journal_stop(volume);
	error = error ? error : result;
	result = buffers_sync(volume->device);
	error = error ? error : result;
	volume->read_only = true;
	if (!error) {
		super->feature_incompat &= ~(u32)INCOMPAT_RECOVER;
		if (!volume->failed)
			super->state |= STATE_CLEAN;
		error = super_write(volume);
	}
	return error;
}

static void volume_free(struct volume *volume)
{
	journal_free(volume);
	groups_free(volume);
	if (volume->super_buffer)
		buffer_put(volume->super_buffer);
	kfree(volume);
}

static int root_open(struct volume *volume)
{
	struct node *root = inode_get(volume, INODE_ROOT);

	if (PTR_ERR(root) == -ESTALE)
		return volume_damaged(volume, INODE_ROOT, 0, "the root is deleted");
	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	if (!S_ISDIR(root->attr.mode)) {
		node_put(root);
		return volume_damaged(volume, INODE_ROOT, 0, "the root is no directory");
	}
	volume->tree->root = root;
	return 0;
}

static struct volume *volume_new(struct tree *tree)
{
	struct volume *volume = kzalloc(sizeof(*volume), GFP_KERNEL);

	if (!volume)
		return NULL;
	volume->tree = tree;
	volume->device = tree->block_device;
	volume->read_only = true;
	volume->barriers = true;
	volume->commit_interval_s = 5;
	volume->reserved_uid = volume->reserved_gid = ID_UNSAID;
	mutex_init(&volume->allocation_lock, "ext4_allocation");
	mutex_init(&volume->orphan_lock, "ext4_orphans");
	mutex_init(&volume->xattr_lock, "ext4_xattrs");
	spin_init(&volume->changed_lock, "ext4_changed");
	list_init(&volume->orphans);
	list_init(&volume->changed);
	return volume;
}

static int ext4_attach(struct tree *tree, const struct cred *cred)
{
	struct volume *volume = volume_new(tree);
	int error;

	if (!volume)
		return -ENOMEM;
	tree->private = volume;
	tree->magic = EXT4_SUPER_MAGIC;
	tree->flags |= TREE_NEGATIVE_FOREVER | TREE_ACL;
	if (volume->device->read_only)
		tree->flags |= TREE_READ_ONLY;
	volume->read_only_wanted = tree->flags & TREE_READ_ONLY;
	error = tree->options ? options_parse(volume, tree->options, false) : 0;
	if (!error)
		error = super_read(volume);
	if (!error)
		error = super_take(volume);
	if (!error)
		error = groups_load(volume);
	if (!error)
		error = journal_wanted(volume);
	if (!error && !volume->read_only_wanted)
		error = write_begin(volume);
	if (!error && !volume->read_only)
		error = tree_is_rebinding(tree) ? orphans_keep(volume)
						: orphans_clean(volume); /* now: later some are in use */
	if (!error)
		error = root_open(volume);
	if (error) {
		if (!volume->read_only)
			(void)write_end(volume); /* the first error is the one to tell */
		volume_free(volume);
		tree->private = NULL;
	}
	return error;
}

static void ext4_detach(struct tree *tree)
{
	struct volume *volume = tree->private;

	if (!volume->read_only) {
		int error = write_end(volume);

		if (error)
			pr_err("%s: could not be written out: error %d\n", volume->device->name, error);
	} else if (volume->journal) { /* it failed: what is in memory does not reach the disk */
		journal_abort(volume, -EROFS);
		if (journal_stop(volume))
			pr_err("%s: its journal was not finished\n", volume->device->name);
	}
	if (volume->failed && !volume->device->read_only && super_write(volume))
		pr_err("%s: the superblock cannot be written\n", volume->device->name);
	volume_free(volume);
}

static struct node *ext4_find(struct tree *tree, u64 id, u32 generation, const struct cred *cred)
{
	struct volume *volume = tree->private;

	if (!id || id > volume->inodes_count)
		return ERR_PTR(-ESTALE);
	return inode_get_flags(volume, (u32)id, GET_UNLINKED);
}

static int ext4_sync(struct tree *tree)
{
	struct volume *volume = tree->private;
	int error;

	if (volume->read_only)
		return volume->failed ? -EIO : 0;
	error = inodes_store_all(volume);
	if (error)
		return error;
	if (volume->journal)
		return journal_commit(volume);
	error = buffers_sync(volume->device);
	return error ? error : volume_flush(volume);
}

static int ext4_remount(struct tree *tree, const char *options)
{
	struct volume *volume = tree->private;
	bool read_only = tree->flags & TREE_READ_ONLY;
	int error = options ? options_parse(volume, options, true) : 0;

	if (error || read_only == volume->read_only)
		return error;
	if (read_only)
		return write_end(volume);
	if (volume->failed || volume->super->feature_ro_compat & ~(u32)COMPAT_WRITE)
		return -EROFS;
	if (!volume->journal && has_compat(volume, COMPAT_HAS_JOURNAL)) {
		error = journal_load(volume);
		if (error) {
			journal_free(volume);
			return error;
		}
	}
	return write_begin(volume);
}

static int ext4_statfs(struct tree *tree, struct statfs_info *info)
{
	struct volume *volume = tree->private;
	u64 id[2];

	memcpy(id, volume->super->uuid, sizeof(id));
	info->type = EXT4_SUPER_MAGIC;
	info->block_size = volume->block_size;
	info->blocks = volume->block_count - min(volume->overhead_blocks, volume->block_count);
	info->free_blocks = volume_free_blocks(volume);
	info->available_blocks = info->free_blocks -
				 min(info->free_blocks, volume->reserved_blocks + volume->spare_blocks);
	info->files = volume->super->inodes_count;
	info->free_files = volume->super->free_inodes;
	info->name_max = NAME_MAX_LENGTH;
	info->id = id[0] ^ id[1];
	return 0;
}

static int ext4_trim(struct tree *tree, u64 start, u64 length, u64 least, u64 *trimmed)
{
	struct volume *volume = tree->private;
	u32 granularity = block_discard_granularity(volume->device), bits = volume->block_bits;
	u64 first = start >> bits, blocks = 0;
	int error;

	if (!granularity)
		return -EOPNOTSUPP;
	if (volume->no_load && has_incompat(volume, INCOMPAT_RECOVER))
		return -EROFS; /* what is free the journal may know better */
	least = max(least, (u64)granularity) >> bits;
	if (least > volume->blocks_per_group || first >= volume->block_count ||
	    length < volume->block_size)
		return -EINVAL;
	error = blocks_trim(volume, first, first + min(length >> bits, volume->block_count - first),
			    (u32)least, &blocks);
	*trimmed = blocks << bits;
	return error;
}

/* ---- The table ---- */

static const struct tree_ops ext4_ops = {
	.attach = ext4_attach,
	.detach = ext4_detach,
	.statfs = ext4_statfs,
	.sync = ext4_sync,
	.remount = ext4_remount,
	.trim = ext4_trim,
	.walk = ext4_walk,
	.create = ext4_create,
	.create_unnamed = ext4_create_unnamed,
	.link = ext4_link,
	.unlink = ext4_unlink,
	.rename = ext4_rename,
	.readlink = ext4_readlink,
	.setattr = ext4_setattr,
	.set_flags = ext4_set_flags,
	.xattr_get = ext4_xattr_get,
	.xattr_set = ext4_xattr_set,
	.xattr_list = ext4_xattr_list,
	.read = page_cache_read,
	.write = page_cache_write,
	.readdir = directory_read,
	.seek = ext4_seek,
	.mmap = page_cache_mmap,
	.fsync = ext4_fsync,
	.fallocate = ext4_fallocate,
	.read_pages = ext4_read_pages,
	.write_pages = block_write_pages,
	.reserve_pages = ext4_reserve_pages,
	.direct = ext4_direct,
	.block_map = &ext4_block_map,
	.attr_changed = inode_attr_changed,
	.forget = inode_forget,
	.release = inode_release,
	.find = ext4_find,
};

static struct tree_type types[] = {
	{ .name = "ext4", .ops = &ext4_ops, .owner = THIS_MODULE, .flags = TREE_TYPE_NEEDS_DEVICE },
	{ .name = "ext3", .ops = &ext4_ops, .owner = THIS_MODULE, .flags = TREE_TYPE_NEEDS_DEVICE },
	{ .name = "ext2", .ops = &ext4_ops, .owner = THIS_MODULE, .flags = TREE_TYPE_NEEDS_DEVICE },
};

static void types_unregister(u32 count)
{
	while (count--)
		tree_type_unregister(&types[count]);
}

static int ext4_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(types); i++) {
		int error = tree_type_register(&types[i]);

		if (error) {
			types_unregister(i);
			return error;
		}
	}
	return 0;
}

static void ext4_exit(void)
{
	types_unregister(ARRAY_SIZE(types));
}

module_init(ext4_init);
module_exit(ext4_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("ext2, ext3 and ext4");
MODULE_ALIAS_FS("ext2");
MODULE_ALIAS_FS("ext3");
MODULE_ALIAS_FS("ext4");
