/*
 * FAT12, FAT16 and FAT32, with long names (vfat) or without (msdos), read and written.
 *
 * The volume: a boot sector; the table of clusters, mostly twice (table.c); of FAT12 and FAT16 the root directory; the clusters. A file
 * is a chain of clusters (chain.c). All else that is known of it stands in its directory, in one or more slots of 32 bytes
 * (entries.c), the names among it (names.c, short_names.c, names_dos.c). directory.c finds, adds and lists names; inode.c makes the
 * core's nodes of entries; operations.c and rename.c are what the core asks of names, file.c what it asks of bytes.
 *
 * Structures are buffers of the device. There is no journal: what is changed reaches the disk in any order, within seconds or at
 * fsync(2), sync(2) and unmounting; a mark in the boot sector says that the volume is in use, and fsck.vfat is for those whose
 * machine stopped.
 *
 * What must stay true:
 * 1. Whatever is read is checked before it is believed: numbers of clusters against the volume, chains against circles, names
 *    against what a name may be. volume_damaged() says what was wrong, and does as errors= says.
 * 2. A file's clusters hold zeros from its end to the end of its page, so that no old bytes are seen when it grows (file.c).
 * 3. A file has no more clusters than its size needs when nobody is writing it, but for those that fallocate(2) took until it is
 *    let go of.
 */
#include "vfat.h"

#include <kumo/block_pages.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/pagecache.h>

#define MSDOS_MAGIC 0x4d44

static struct boot_tail *boot_tail(const struct volume *volume, struct buffer *buffer)
{
	struct boot_disk *boot = buffer->data;

	return volume->bits == 32 ? &boot->fat32.tail : &boot->tail;
}

/* ---- Errors ---- */

int volume_damaged(struct volume *volume, const char *format, ...)
{
	char what[128];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (rate_limit_pass(&volume->damage_said))
		pr_err("%s: damaged: %s\n", volume->device->name, what);
	volume->failed = true;
	if (volume->read_only)
		return -EIO;
	if (volume->options.on_error == ON_ERROR_PANIC)
		panic("vfat: %s: damaged\n", volume->device->name);
	if (volume->options.on_error == ON_ERROR_READ_ONLY) {
		pr_err("%s: read-only from now on\n", volume->device->name);
		volume->read_only = true;
	}
	return -EIO;
}

/* ---- The boot sector ---- */

static int refuse(const struct volume *volume, const char *what, u64 value)
{
	pr_err("%s: cannot be mounted: %s %llu\n", volume->device->name, what,
	       (unsigned long long)value);
	return -EINVAL;
}

static bool is_power_of_two(u32 value)
{
	return value && !(value & (value - 1));
}

static u32 log2_of(u32 value)
{
	return (u32)__builtin_ctz(value);
}

static int sizes_take(struct volume *volume, const struct boot_disk *boot)
{
	u32 sector = boot->sector_size;

	if (!boot->reserved_sectors)
		return refuse(volume, "reserved sectors", boot->reserved_sectors);
	if (!boot->table_count)
		return refuse(volume, "tables", boot->table_count);
	if (boot->media < 0xF8 && boot->media != 0xF0)
		return refuse(volume, "no FAT volume: medium", boot->media);
	if (!is_power_of_two(sector) || sector < 512 || sector > PAGE_SIZE)
		return refuse(volume, "a sector's size", sector);
	if (sector < volume->device->logical_block_size)
		return refuse(volume, "sectors smaller than the device's", sector);
	if (!is_power_of_two(boot->cluster_sectors))
		return refuse(volume, "sectors of a cluster", boot->cluster_sectors);
	volume->sector_size = sector;
	volume->sector_bits = log2_of(sector);
	volume->cluster_size = sector * boot->cluster_sectors;
	volume->cluster_bits = log2_of(volume->cluster_size);
	return 0;
}

static int tables_take(struct volume *volume, const struct boot_disk *boot)
{
	volume->bits = boot->table_sectors_16 ? 16 : 32; /* or 12: see clusters_take() */
	volume->table_count = boot->table_count;
	volume->table_sector = boot->reserved_sectors;
	volume->table_sectors = boot->table_sectors_16 ? boot->table_sectors_16
						       : boot->fat32.table_sectors;
	volume->tables_alike = true;
	if (!volume->table_sectors)
		return refuse(volume, "sectors of a table", 0);
	if (volume->bits != 32)
		return 0;
	if (boot->fat32.version)
		return refuse(volume, "version", boot->fat32.version);
	if (boot->fat32.flags & BOOT_ONE_TABLE) {
		volume->tables_alike = false;
		volume->table_active = boot->fat32.flags & BOOT_WHICH_TABLE;
		if (volume->table_active >= volume->table_count)
			return refuse(volume, "table in use", volume->table_active);
	}
	volume->root_cluster = boot->fat32.root_cluster;
	volume->hints_sector = boot->fat32.hints_sector;
	if (volume->hints_sector >= boot->reserved_sectors)
		volume->hints_sector = 0;
	return 0;
}

/* Of a volume that is longer than its device, clusters are those that the device has. The rest must be there whole. */
static int device_check(const struct volume *volume, u64 *clusters)
{
	u64 sectors = block_device_size(volume->device) >> volume->sector_bits, room;

	room = sectors <= volume->data_sector ? 0
					      : (sectors - volume->data_sector) >>
							(volume->cluster_bits - volume->sector_bits);
	if (!room)
		return refuse(volume, "sectors before the clusters", volume->data_sector);
	if (room < *clusters) {
		pr_warn("%s: of %llu clusters its device has %llu\n", volume->device->name,
			(unsigned long long)*clusters, (unsigned long long)room);
		*clusters = room;
	}
	return 0;
}

static int clusters_take(struct volume *volume, const struct boot_disk *boot)
{
	u64 sectors = boot->sector_count_16 ? boot->sector_count_16 : boot->sector_count_32;
	u64 room, clusters, most;
	int error;

	volume->root_entries = volume->bits == 32 ? 0 : boot->root_entries;
	if (volume->root_entries % (volume->sector_size / ENTRY_SIZE))
		return refuse(volume, "entries of the root directory", volume->root_entries);
	volume->root_sector = volume->table_sector + (u64)volume->table_count * volume->table_sectors;
	volume->data_sector =
		volume->root_sector + volume->root_entries / (volume->sector_size / ENTRY_SIZE);
	if (sectors <= volume->data_sector)
		return refuse(volume, "sectors in all", sectors);
	clusters = (sectors - volume->data_sector) >> (volume->cluster_bits - volume->sector_bits);
	if (volume->bits == 16 && clusters <= CLUSTERS_MAX_12)
		volume->bits = 12;
	most = volume->bits == 12   ? CLUSTERS_MAX_12
	       : volume->bits == 16 ? CLUSTERS_MAX_16
				    : CLUSTERS_MAX_32;
	room = (u64)volume->table_sectors * volume->sector_size * 8 / volume->bits;
	if (room <= CLUSTER_FIRST)
		return refuse(volume, "sectors of a table", volume->table_sectors);
	clusters = min(clusters, room - CLUSTER_FIRST);
	if (!clusters || clusters > most)
		return refuse(volume, "clusters", clusters);
	error = device_check(volume, &clusters);
	if (error)
		return error;
	volume->cluster_limit = (u32)clusters + CLUSTER_FIRST;
	if (volume->bits == 32 && !cluster_valid(volume, volume->root_cluster))
		return refuse(volume, "the root directory's cluster", volume->root_cluster);
	return 0;
}

static int boot_read(struct volume *volume)
{
	u32 block = max(volume->device->logical_block_size, BLOCK_SECTOR);
	struct buffer *buffer = buffer_read(volume->device, 0, block);
	struct boot_disk boot;
	int error;

	if (PTR_ERR(buffer) == -EINVAL)
		return refuse(volume, "no FAT volume: bytes", block_device_size(volume->device));
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	memcpy(&boot, buffer->data, sizeof(boot));
	buffer_put(buffer);
	error = sizes_take(volume, &boot);
	if (!error)
		error = tables_take(volume, &boot);
	if (!error)
		error = clusters_take(volume, &boot);
	if (!error) {
		const struct boot_tail *tail = volume->bits == 32 ? &boot.fat32.tail : &boot.tail;

		memcpy(&volume->volume_id, tail->volume_id, sizeof(volume->volume_id));
		volume->was_dirty = tail->state & BOOT_STATE_DIRTY;
	}
	return error;
}

/* Says on the disk whether the volume is in use. What was not clean before stays so, for fsck. */
static int state_write(struct volume *volume, bool dirty)
{
	struct buffer *buffer;
	struct boot_tail *tail;
	int error;

	if (volume->was_dirty || (volume->failed && !dirty))
		return 0;
	buffer = sector_read(volume, 0);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	tail = boot_tail(volume, buffer);
	tail->state = (u8)(dirty ? tail->state | BOOT_STATE_DIRTY : tail->state & ~BOOT_STATE_DIRTY);
	error = buffer_write(buffer, BLOCK_PREFLUSH | BLOCK_FUA);
	buffer_put(buffer);
	return error;
}

/* ---- Hints ---- */

static struct hints_disk *hints_read(struct volume *volume, struct buffer **buffer)
{
	struct hints_disk *hints;

	*buffer = sector_read(volume, volume->hints_sector);
	if (IS_ERR(*buffer))
		return (struct hints_disk *)*buffer;
	hints = (*buffer)->data;
	if (hints->signature_1 == HINTS_SIGNATURE_1 && hints->signature_2 == HINTS_SIGNATURE_2)
		return hints;
	buffer_put(*buffer);
	return NULL;
}

static int hints_take(struct volume *volume)
{
	struct buffer *buffer;
	struct hints_disk *hints;

	volume->next_cluster = CLUSTER_FIRST;
	if (!volume->hints_sector)
		return 0;
	hints = hints_read(volume, &buffer);
	if (IS_ERR_OR_NULL(hints)) {
		volume->hints_sector = 0;
		return hints ? (int)PTR_ERR(hints) : 0;
	}
	if (cluster_valid(volume, hints->next_cluster))
		volume->next_cluster = hints->next_cluster;
	if (volume->options.trust_hints &&
	    hints->free_clusters <= volume->cluster_limit - CLUSTER_FIRST) {
		volume->free_clusters = hints->free_clusters;
		volume->free_known = true;
	}
	buffer_put(buffer);
	return 0;
}

static int hints_write(struct volume *volume)
{
	struct hints_disk *hints;
	struct buffer *buffer;

	if (!volume->hints_sector)
		return 0;
	hints = hints_read(volume, &buffer);
	if (IS_ERR_OR_NULL(hints))
		return hints ? (int)PTR_ERR(hints) : 0;
	mutex_lock(&volume->table_lock);
	/* Changes were counted, also if the whole never was; then the count that was there is no more right. */
	hints->free_clusters = volume->free_known ? volume->free_clusters : ~0u;
	hints->next_cluster = cluster_valid(volume, volume->next_cluster) ? volume->next_cluster
									  : CLUSTER_FIRST;
	mutex_unlock(&volume->table_lock);
	buffer_mark_dirty(buffer);
	buffer_put(buffer);
	return 0;
}

/* ---- Mounting ---- */

/* From here on the volume is written. */
static int writing_begin(struct volume *volume)
{
	int error;

	if (volume->device->read_only)
		return -EROFS;
	if (volume->was_dirty)
		pr_warn("%s: was not unmounted: run fsck.vfat\n", volume->device->name);
	error = state_write(volume, true);
	if (!error)
		volume->read_only = false;
	return error;
}

static int write_all(struct volume *volume)
{
	int error = inodes_store_all(volume), result = hints_write(volume);

	error = error ? error : result;
	result = buffers_sync(volume->device);
	error = error ? error : result;
	result = block_flush(volume->device);
	return error ? error : result;
}

/* All is on the disk, and the boot sector says so. */
static int writing_end(struct volume *volume)
{
	int error = write_all(volume);

	volume->read_only = true;
	return error ? error : state_write(volume, false);
}

static void volume_free(struct volume *volume)
{
	table_put(volume);
	kfree(volume);
}

static struct volume *volume_new(struct tree *tree)
{
	struct volume *volume = kzalloc(sizeof(*volume), GFP_KERNEL);

	if (!volume)
		return NULL;
	volume->tree = tree;
	volume->device = tree->block_device;
	volume->read_only = true;
	mutex_init(&volume->table_lock, "vfat_table");
	spin_init(&volume->index_lock, "vfat_index");
	spin_init(&volume->changed_lock, "vfat_changed");
	list_init(&volume->changed);
	options_default(&volume->options, !strcmp(tree->type->name, "msdos"));
	return volume;
}

static int volume_open(struct volume *volume)
{
	struct tree *tree = volume->tree;
	int error = tree->options ? options_parse(volume, &volume->options, tree->options) : 0;

	if (!error)
		error = boot_read(volume);
	if (!error)
		error = hints_take(volume);
	if (error)
		return error;
	if (volume->device->read_only || volume->options.read_only)
		tree->flags |= TREE_READ_ONLY;
	if (!(tree->flags & TREE_READ_ONLY))
		error = writing_begin(volume);
	if (!error) {
		tree->root = inode_get_root(volume);
		error = IS_ERR(tree->root) ? (int)PTR_ERR(tree->root) : 0;
	}
	return error;
}

static int vfat_attach(struct tree *tree, const struct cred *cred)
{
	struct volume *volume = volume_new(tree);
	int error;

	if (!volume)
		return -ENOMEM;
	volume->options.uid = cred->fsuid;
	volume->options.gid = cred->fsgid;
	tree->private = volume;
	tree->magic = MSDOS_MAGIC;
	tree->flags |= TREE_FOLDS_CASE;
	error = volume_open(volume);
	if (error) {
		if (!volume->read_only)
			(void)writing_end(volume); /* the first error is the one to tell */
		volume_free(volume);
		tree->private = NULL;
		tree->root = NULL;
	}
	return error;
}

static void vfat_detach(struct tree *tree)
{
	struct volume *volume = tree->private;

	if (!volume->read_only) {
		int error = writing_end(volume);

		if (error)
			pr_err("%s: could not be written out: error %d\n", volume->device->name, error);
	}
	volume_free(volume);
}

static int vfat_sync(struct tree *tree)
{
	struct volume *volume = tree->private;

	if (volume->read_only)
		return volume->failed ? -EIO : 0;
	return write_all(volume);
}

static int vfat_remount(struct tree *tree, const char *text)
{
	struct volume *volume = tree->private;
	struct options options = volume->options;
	bool read_only = tree->flags & TREE_READ_ONLY;
	int error = text ? options_parse(volume, &options, text) : 0;

	if (error)
		return error;
	/* As for Linux, of the rest none can be changed. */
	volume->options.on_error = options.on_error;
	volume->options.quiet = options.quiet;
	if (read_only == volume->read_only)
		return 0;
	return read_only ? writing_end(volume) : volume->failed ? -EROFS : writing_begin(volume);
}

static int vfat_statfs(struct tree *tree, struct statfs_info *info)
{
	struct volume *volume = tree->private;
	u32 free;
	int error = table_free_count(volume, &free);

	if (error)
		return error;
	info->type = MSDOS_MAGIC;
	info->block_size = volume->cluster_size;
	info->blocks = volume->cluster_limit - CLUSTER_FIRST;
	info->free_blocks = info->available_blocks = free;
	info->name_max = volume->options.dos ? 12 : LONG_NAME_MAX * 6; /* as Linux counts: bytes of a character */
	info->id = volume->device->number;
	return 0;
}

/* ---- The table ---- */

static const struct tree_ops vfat_ops = {
	.attach = vfat_attach,
	.detach = vfat_detach,
	.statfs = vfat_statfs,
	.sync = vfat_sync,
	.remount = vfat_remount,
	.walk = vfat_walk,
	.create = vfat_create,
	.unlink = vfat_unlink,
	.rename = vfat_rename,
	.setattr = vfat_setattr,
	.read = page_cache_read,
	.write = vfat_write,
	.readdir = vfat_readdir,
	.mmap = page_cache_mmap,
	.fsync = vfat_fsync,
	.fallocate = vfat_fallocate,
	.read_pages = block_read_pages,
	.write_pages = block_write_pages,
	.reserve_pages = vfat_reserve_pages,
	.direct = vfat_direct,
	.block_map = &vfat_block_map,
	.attr_changed = vfat_attr_changed,
	.forget = vfat_forget,
};

static struct tree_type types[] = {
	{ .name = "vfat", .ops = &vfat_ops, .owner = THIS_MODULE, .flags = TREE_TYPE_NEEDS_DEVICE },
	{ .name = "msdos", .ops = &vfat_ops, .owner = THIS_MODULE, .flags = TREE_TYPE_NEEDS_DEVICE },
};

static int vfat_init(void)
{
	int error = tree_type_register(&types[0]);

	if (error)
		return error;
	error = tree_type_register(&types[1]);
	if (error)
		tree_type_unregister(&types[0]);
	return error;
}

static void vfat_exit(void)
{
	tree_type_unregister(&types[1]);
	tree_type_unregister(&types[0]);
}

module_init(vfat_init);
module_exit(vfat_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("FAT12, FAT16 and FAT32, with long names or without");
MODULE_ALIAS_FS("vfat");
MODULE_ALIAS_FS("msdos");
