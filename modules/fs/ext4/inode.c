/*
 * Inodes: their places in the groups' tables, and the nodes of the core that stand for them while somebody uses them. A node's
 * attributes are the truth; inode_store() copies them to the disk. The core changes times and sizes by itself and says so
 * (inode_attr_changed); those inodes are stored when they are synced, or let go.
 */
#include "ext4.h"

#include <linux/stat.h>

/* ---- Places ---- */

bool inode_number_valid(const struct volume *volume, u32 number)
{
	u32 first = volume->super->revision ? volume->super->first_inode : 11;

	return number == INODE_ROOT || (number >= first && number <= volume->inodes_count);
}

struct inode_disk *inode_raw(struct volume *volume, u32 number, struct buffer **buffer)
{
	u32 group = (number - 1) / volume->inodes_per_group,
	    index = (number - 1) % volume->inodes_per_group;
	u32 per_block = volume->block_size / volume->inode_size;

	if (!number || number > volume->inodes_count)
		return ERR_PTR(-EUCLEAN);
	*buffer = buffer_read(volume->device, volume->groups[group].inode_table + index / per_block,
			      volume->block_size);
	if (IS_ERR(*buffer))
		return (struct inode_disk *)*buffer;
	return (struct inode_disk *)((char *)(*buffer)->data + index % per_block * volume->inode_size);
}

/* Does the inode on disk have the field, which lies behind the first 128 bytes? */
#define HAS_FIELD(inode, field)                                                                    \
	((inode)->volume->inode_size > INODE_SMALL &&                                              \
	 INODE_SMALL + (inode)->extra_isize >=                                                     \
		 offsetof(struct inode_disk, field) + sizeof_field(struct inode_disk, field))

static u32 inode_checksum(const struct inode *inode, const struct inode_disk *raw)
{
	const u32 low = offsetof(struct inode_disk, checksum_lo),
		  high = offsetof(struct inode_disk, checksum_hi);
	const char *bytes = (const char *)raw;
	const u16 zero = 0;
	u32 at = low + 2, checksum = crc32c(inode->checksum_seed, bytes, low);

	checksum = crc32c(checksum, &zero, 2);
	if (HAS_FIELD(inode, checksum_hi)) {
		checksum = crc32c(checksum, bytes + at, high - at);
		checksum = crc32c(checksum, &zero, 2);
		at = high + 2;
	}
	return crc32c(checksum, bytes + at, inode->volume->inode_size - at);
}

void inode_checksum_set(const struct inode *inode, struct inode_disk *raw)
{
	u32 checksum;

	if (!inode->volume->metadata_checksums)
		return;
	checksum = inode_checksum(inode, raw);
	raw->checksum_lo = (u16)checksum;
	if (HAS_FIELD(inode, checksum_hi))
		raw->checksum_hi = (u16)(checksum >> 16);
}

static bool inode_checksum_valid(const struct inode *inode, const struct inode_disk *raw)
{
	u32 checksum, kept;

	if (!inode->volume->metadata_checksums)
		return true;
	checksum = inode_checksum(inode, raw);
	kept = raw->checksum_lo;
	if (HAS_FIELD(inode, checksum_hi))
		return checksum == (kept | (u32)raw->checksum_hi << 16);
	return (u16)checksum == kept;
}

static void checksum_seed_set(struct inode *inode)
{
	u32 seed = crc32c(inode->volume->checksum_seed, &inode->number, sizeof(inode->number));

	inode->checksum_seed = crc32c(seed, &inode->generation, sizeof(inode->generation));
}

/* ---- Times: 32 bits of seconds, two more in the lowest bits of the extra field, nanoseconds in the others ---- */

static s64 time_read(u32 seconds, u32 extra)
{
	s64 whole = (s64)(s32)seconds + ((s64)(extra & 3) << 32);

	return whole * (s64)NSEC_PER_SEC + min(extra >> 2, (u32)NSEC_PER_SEC - 1);
}

static void time_write(s64 time_ns, bool with_extra, u32 *seconds, u32 *extra)
{
	s64 whole = time_ns / (s64)NSEC_PER_SEC, rest = time_ns % (s64)NSEC_PER_SEC;

	if (rest < 0) {
		rest += NSEC_PER_SEC;
		whole--;
	}
	if (!with_extra) {
		*seconds = (u32)clamp(whole, (s64)INT32_MIN, (s64)INT32_MAX);
		return;
	}
	*seconds = (u32)whole;
	*extra = (u32)((whole - (s32)whole) >> 32 & 3) | (u32)rest << 2;
}

/* ---- From the disk ---- */

bool inode_is_fast_link(const struct inode *inode)
{
	u64 others = inode->acl_block ? inode->volume->block_size / 512 : 0;

	return S_ISLNK(inode->node->attr.mode) && !inode_is_inline(inode) &&
	       inode->disk_size < INODE_BLOCK_BYTES && (u64)atomic64_read(&inode->sectors) == others;
}

/* What stat(2) says. As on Linux a file within its inode has blocks all the same, lest who copies it takes it for a hole. */
static u64 blocks_shown(const struct inode *inode, u64 sectors)
{
	const struct attr *attr = &inode->node->attr;

	return sectors +
	       (S_ISREG(attr->mode) && inode_is_inline(inode) ? DIV_ROUND_UP(attr->size, 512) : 0);
}

static void attr_from_disk(struct inode *inode, const struct inode_disk *raw, struct attr *attr)
{
	struct volume *volume = inode->volume;
	u64 sectors = raw->blocks_lo;
	bool extra = HAS_FIELD(inode, crtime_extra);

	attr->generation = raw->generation;
	attr->mode = raw->mode;
	attr->uid = raw->uid_lo | (u32)raw->uid_hi << 16;
	attr->gid = raw->gid_lo | (u32)raw->gid_hi << 16;
	attr->nlink = raw->links;
	attr->size = raw->size_lo;
	if (S_ISREG(raw->mode) || (S_ISDIR(raw->mode) && has_incompat(volume, INCOMPAT_LARGEDIR)))
		attr->size |= (u64)raw->size_hi << 32;
	if (has_ro_compat(volume, RO_COMPAT_HUGE_FILE)) {
		sectors |= (u64)raw->blocks_hi << 32;
		if (raw->flags & INODE_HUGE_FILE)
			sectors <<= volume->block_bits - 9;
	}
	atomic64_set(&inode->sectors, (long)sectors);
	attr->blocks = blocks_shown(inode, sectors);
	attr->block_size = volume->block_size;
	attr->atime_ns = time_read(raw->atime, extra ? raw->atime_extra : 0);
	attr->mtime_ns = time_read(raw->mtime, extra ? raw->mtime_extra : 0);
	attr->ctime_ns = time_read(raw->ctime, extra ? raw->ctime_extra : 0);
	attr->btime_ns = extra ? time_read(raw->crtime, raw->crtime_extra) : 0;
	attr->believe_until_ns = BELIEVE_FOREVER;
	/* Old numbers of devices are 16 bits in the first word, newer ones the core's in the second. */
	if (S_ISCHR(raw->mode) || S_ISBLK(raw->mode))
		attr->rdev = raw->block[0] ? raw->block[0] & 0xffff : raw->block[1];
}

static int inode_check(struct inode *inode, const struct inode_disk *raw, unsigned int flags)
{
	struct volume *volume = inode->volume;
	const struct attr *attr = &inode->node->attr;
	u32 kind = attr->mode & S_IFMT;
	bool has_map = kind == S_IFREG || kind == S_IFDIR ||
		       (kind == S_IFLNK && !inode_is_fast_link(inode));

	if (!raw->links && !(flags & GET_UNLINKED))
		return -ESTALE;
	if (kind != S_IFREG && kind != S_IFDIR && kind != S_IFLNK && kind != S_IFCHR &&
	    kind != S_IFBLK && kind != S_IFIFO && kind != S_IFSOCK)
		return volume_damaged(volume, inode->number, 0, "mode %o", attr->mode);
	if (inode->flags & INODE_EA_INODE ||
	    (inode_is_inline(inode) && !has_incompat(volume, INCOMPAT_INLINE_DATA)))
		return volume_damaged(volume, inode->number, 0, "flags %x", inode->flags);
	if (inode->acl_block && !volume_data_valid(volume, inode->acl_block, 1))
		return volume_damaged(volume, inode->number, inode->acl_block,
				      "block of extended attributes");
	if (attr->size > INT64_MAX || (kind == S_IFLNK && attr->size >= volume->block_size) ||
	    (kind == S_IFDIR && !inode_is_inline(inode) &&
	     (attr->size & (volume->block_size - 1) || attr->size >> volume->block_bits > ~0u)))
		return volume_damaged(volume, inode->number, 0, "size %llu",
				      (unsigned long long)attr->size);
	return has_map && inode_has_extents(inode) && !inode_is_inline(inode)
		       ? extents_check_root(inode)
		       : 0;
}

/* Fills a fresh node's inode from its place in the table. */
static int inode_read(struct inode *inode, unsigned int flags)
{
	struct volume *volume = inode->volume;
	struct node *node = inode->node;
	struct buffer *buffer;
	const struct inode_disk *raw = inode_raw(volume, inode->number, &buffer);
	int error;

	if (IS_ERR(raw))
		return (int)PTR_ERR(raw);
	inode->generation = raw->generation;
	checksum_seed_set(inode);
	inode->flags = raw->flags;
	node->attr.flags = inode->flags & INODE_SHOWN;
	if (volume->inode_size > INODE_SMALL) {
		inode->extra_isize = raw->extra_isize;
		if (inode->extra_isize > volume->inode_size - INODE_SMALL || inode->extra_isize % 4) {
			buffer_put(buffer);
			return volume_damaged(volume, inode->number, 0, "extra size %u",
					      inode->extra_isize);
		}
	}
	inode->project = HAS_FIELD(inode, project) ? raw->project : 0;
	inode->acl_block = raw->acl_lo | (u64)raw->acl_hi << 32;
	memcpy(inode->block, raw->block, sizeof(inode->block));
	attr_from_disk(inode, raw, &node->attr);
	inode->disk_size = node->attr.size;
	error = inode_checksum_valid(inode, raw)
			? inode_check(inode, raw, flags)
			: volume_damaged(volume, inode->number, 0, "wrong checksum of the inode");
	if (!error && inode_is_fast_link(inode)) {
		char text[INODE_BLOCK_BYTES + 1] = {};

		memcpy(text, inode->block, INODE_BLOCK_BYTES);
		if (strlen(text) != node->attr.size)
			error = volume_damaged(volume, inode->number, 0, "a link of another length");
		node->link_text = error ? NULL : kstrdup(text, GFP_KERNEL);
		if (!error && !node->link_text)
			error = -ENOMEM;
	}
	buffer_put(buffer);
	return error;
}

static struct inode *inode_new(struct volume *volume, struct node *node, u32 number)
{
	struct inode *inode = kzalloc(sizeof(*inode), GFP_USER);

	if (!inode)
		return NULL;
	inode->volume = volume;
	inode->node = node;
	inode->number = number;
	/* It may have been changed, let go of and read anew since the last commit. */
	inode->transaction = volume->journal ? journal_newest(volume) : 0;
	rwsem_init(&inode->map_lock, "ext4_map");
	mutex_init(&inode->raw_lock, "ext4_inode");
	list_init(&inode->orphan_link);
	list_init(&inode->changed_link);
	node->private = inode;
	return inode;
}

struct node *inode_get_flags(struct volume *volume, u32 number, unsigned int flags)
{
	struct node *node;
	struct inode *inode;
	bool fresh;
	int error;

	if (!number || number > volume->inodes_count)
		return ERR_PTR(volume_damaged(volume, number, 0, "an inode that there cannot be"));
	node = node_obtain(volume->tree, number, &fresh);
	if (IS_ERR(node) || !fresh)
		return node;
	inode = inode_new(volume, node, number);
	error = inode ? inode_read(inode, flags) : -ENOMEM;
	if (!error)
		error = acls_load(inode);
	if (error) { /* forget() finds nothing to do */
		node->private = NULL;
		kfree(inode);
	}
	node_ready(node, error);
	if (error) {
		node_put(node);
		return ERR_PTR(error);
	}
	return node;
}

struct node *inode_get(struct volume *volume, u32 number)
{
	if (!inode_number_valid(volume, number))
		return ERR_PTR(volume_damaged(volume, number, 0,
					      "a name for an inode that no name may have"));
	return inode_get_flags(volume, number, 0);
}

/* ---- To the disk ---- */

static void sectors_to_disk(struct inode *inode, struct inode_disk *raw)
{
	u64 sectors = (u64)atomic64_read(&inode->sectors);

	inode->flags &= ~(u32)INODE_HUGE_FILE;
	if (sectors >> 48) {
		inode->flags |= INODE_HUGE_FILE;
		sectors >>= inode->volume->block_bits - 9;
	}
	raw->blocks_lo = (u32)sectors;
	raw->blocks_hi = (u16)(sectors >> 32);
}

static void attr_to_disk(struct inode *inode, struct inode_disk *raw)
{
	const struct attr *attr = &inode->node->attr;
	bool extra = HAS_FIELD(inode, crtime_extra);
	u32 spare;

	raw->mode = (u16)attr->mode;
	raw->uid_lo = (u16)attr->uid;
	raw->uid_hi = (u16)(attr->uid >> 16);
	raw->gid_lo = (u16)attr->gid;
	raw->gid_hi = (u16)(attr->gid >> 16);
	raw->links = (u16)attr->nlink;
	raw->size_lo = (u32)inode->disk_size;
	if (S_ISREG(attr->mode) || S_ISDIR(attr->mode))
		raw->size_hi = (u32)(inode->disk_size >> 32);
	time_write(attr->atime_ns, extra, &raw->atime, extra ? &raw->atime_extra : &spare);
	time_write(attr->mtime_ns, extra, &raw->mtime, extra ? &raw->mtime_extra : &spare);
	time_write(attr->ctime_ns, extra, &raw->ctime, extra ? &raw->ctime_extra : &spare);
	if (extra)
		time_write(attr->btime_ns, extra, &raw->crtime, &raw->crtime_extra);
	raw->generation = inode->generation;
	raw->acl_lo = (u32)inode->acl_block;
	raw->acl_hi = (u16)(inode->acl_block >> 32);
	if (HAS_FIELD(inode, project))
		raw->project = inode->project;
}

int inode_store(struct handle *handle, struct inode *inode)
{
	struct volume *volume = inode->volume;
	struct buffer *buffer;
	struct inode_disk *raw = inode_raw(volume, inode->number, &buffer);
	int error;

	if (IS_ERR(raw))
		return (int)PTR_ERR(raw);
	error = handle_join(handle, buffer);
	if (!error && inode->disk_size > INT32_MAX)
		error = super_feature_add(handle, volume, &volume->super->feature_ro_compat,
					  RO_COMPAT_LARGE_FILE);
	if (!error) {
		mutex_lock(&inode->raw_lock);
		(void)node_attr_clean(inode->node);
		sectors_to_disk(inode, raw);
		attr_to_disk(inode, raw);
		raw->flags = inode->flags;
		WRITE_ONCE(inode->node->attr.flags, inode->flags & INODE_SHOWN);
		memcpy(raw->block, inode->block, sizeof(raw->block));
		inode_checksum_set(inode, raw);
		mutex_unlock(&inode->raw_lock);
		handle_dirty(handle, buffer);
		inode->transaction = handle_transaction(handle);
	}
	buffer_put(buffer);
	return error;
}

int inode_store_changed(struct inode *inode)
{
	struct handle handle;
	int error, result;

	if (!READ_ONCE(inode->node->attr_dirty))
		return 0;
	error = handle_begin(inode->volume, 2, &handle);
	if (error)
		return error;
	error = inode_store(&handle, inode);
	result = handle_end(&handle);
	return error ? error : result;
}

void inode_count_blocks(struct inode *inode, s64 blocks)
{
	long sectors = atomic64_add_return(&inode->sectors, blocks << (inode->volume->block_bits - 9));

	WRITE_ONCE(inode->node->attr.blocks, blocks_shown(inode, (u64)max(sectors, 0L)));
}

/* ---- Attributes that the core changed ---- */

void inode_attr_changed(struct node *node)
{
	struct inode *inode = inode_of(node);
	struct volume *volume = inode->volume;

	spin_lock(&volume->changed_lock);
	if (list_empty(&inode->changed_link))
		list_add_tail(&volume->changed, &inode->changed_link);
	spin_unlock(&volume->changed_lock);
}

/* The next of the list, with a reference; one that is on its way out stores itself. */
static struct inode *changed_take(struct volume *volume)
{
	struct inode *inode = NULL;

	spin_lock(&volume->changed_lock);
	while (!inode && !list_empty(&volume->changed)) {
		inode = list_first(&volume->changed, struct inode, changed_link);
		list_del_init(&inode->changed_link);
		if (!refcount_inc_not_zero(&inode->node->refs))
			inode = NULL;
	}
	spin_unlock(&volume->changed_lock);
	return inode;
}

int inodes_store_all(struct volume *volume)
{
	struct inode *inode;
	int error = 0;

	while ((inode = changed_take(volume))) {
		int result = inode_store_changed(inode);

		error = error ? error : result;
		node_put(inode->node);
	}
	return error;
}

/* ---- Flags ---- */

#define DIRECTORY_FLAGS                                                                            \
	(INODE_DIRECTORY_SYNC | INODE_TOP_DIRECTORY | INODE_PROJECT_INHERIT) /* of directories alone */
#define OTHER_FLAGS                                                                                \
	(INODE_NO_DUMP | INODE_NO_ACCESS_TIME) /* of what is neither a directory nor a regular file */

int ext4_set_flags(struct node *node, u32 flags)
{
	struct inode *inode = inode_of(node);
	u32 settable = INODE_SETTABLE, known = inode->flags & INODE_SHOWN;
	struct handle handle;
	int error, result;

	/* chattr(1) gives back what it was shown. Blocks stay mapped as they are, and data is not journalled. */
	if (flags & ~(u32)INODE_SHOWN || (flags ^ known) & (INODE_EXTENTS | INODE_JOURNAL_DATA))
		return -EOPNOTSUPP;
	if (known & flags & INODE_IMMUTABLE && (flags ^ known) & settable)
		return -EPERM;
	if (!S_ISDIR(node->attr.mode))
		settable &= ~(u32)DIRECTORY_FLAGS;
	if (!S_ISDIR(node->attr.mode) && !S_ISREG(node->attr.mode))
		settable &= OTHER_FLAGS;
	error = handle_begin(inode->volume, 2, &handle);
	if (error)
		return error;
	inode->flags = (inode->flags & ~(u32)INODE_SETTABLE) | (flags & settable);
	node_touch(node, false, false, true);
	error = inode_store(&handle, inode);
	result = handle_end(&handle);
	return error ? error : result;
}

/* ---- New ones ---- */

static u32 inherited_flags(const struct volume *volume, const struct inode *parent, u32 mode)
{
	u32 flags = parent->flags & INODE_INHERITED;

	if (!S_ISDIR(mode))
		flags &= ~(u32)DIRECTORY_FLAGS;
	if (!S_ISDIR(mode) && !S_ISREG(mode))
		flags &= OTHER_FLAGS;
	if (has_incompat(volume, INCOMPAT_EXTENTS) && (S_ISREG(mode) || S_ISDIR(mode)))
		flags |= INODE_EXTENTS;
	return flags;
}

static void inode_fill_new(struct inode *inode, struct inode *parent, const struct node_new *what)
{
	struct volume *volume = inode->volume;
	s64 now = (s64)time_realtime_ns();
	struct attr *attr = &inode->node->attr;
	u32 group = (inode->number - 1) / volume->inodes_per_group;

	inode->generation = hash_u64((u64)now ^ (u64)inode->number << 32);
	checksum_seed_set(inode);
	inode->flags = inherited_flags(volume, parent, what->mode);
	inode->project = parent->flags & INODE_PROJECT_INHERIT ? parent->project : 0;
	inode->goal = volume->first_block + (u64)group * volume->blocks_per_group;
	if (volume->inode_size > INODE_SMALL)
		inode->extra_isize = sizeof(struct inode_disk) - INODE_SMALL;
	attr->generation = inode->generation;
	attr->mode = what->mode;
	attr->uid = what->uid;
	attr->gid = what->gid;
	attr->nlink = 1;
	attr->block_size = volume->block_size;
	attr->atime_ns = attr->mtime_ns = attr->ctime_ns = attr->btime_ns = now;
	attr->believe_until_ns = BELIEVE_FOREVER;
	if (S_ISCHR(what->mode) || S_ISBLK(what->mode)) {
		attr->rdev = what->rdev;
		inode->block[what->rdev < 0x10000 ? 0 : 1] = (u32)what->rdev;
	}
	if (inode_has_extents(inode))
		extents_init(inode);
}

/* What was in its place goes: not even an attribute of who had the number before may be left. */
static int raw_clear(struct handle *handle, struct inode *inode)
{
	struct buffer *buffer;
	struct inode_disk *raw = inode_raw(inode->volume, inode->number, &buffer);
	int error;

	if (IS_ERR(raw))
		return (int)PTR_ERR(raw);
	error = handle_join(handle, buffer);
	if (!error) {
		memset(raw, 0, inode->volume->inode_size);
		if (inode->volume->inode_size > INODE_SMALL)
			raw->extra_isize = inode->extra_isize;
		handle_dirty(handle, buffer);
	}
	buffer_put(buffer);
	return error;
}

struct node *inode_create(struct handle *handle, struct inode *parent, const struct node_new *what)
{
	struct volume *volume = parent->volume;
	struct node *node;
	struct inode *inode;
	bool fresh;
	u32 number;
	int error = inode_number_alloc(handle, volume, parent->number, S_ISDIR(what->mode), &number);

	if (error)
		return ERR_PTR(error);
	node = node_obtain(volume->tree, number, &fresh);
	if (IS_ERR(node)) {
		error = (int)PTR_ERR(node);
		goto free_number;
	}
	if (!fresh) {
		node_put(node);
		error = volume_damaged(volume, number, 0, "a file's inode counts as free");
		return ERR_PTR(error); /* and counts as used now, as it must */
	}
	inode = inode_new(volume, node, number);
	error = inode ? 0 : -ENOMEM;
	if (!error) {
		inode_fill_new(inode, parent, what);
		error = raw_clear(handle, inode);
		if (error) {
			node->private = NULL;
			kfree(inode);
		}
	}
	node_ready(node, error);
	if (!error)
		return node;
	node_put(node);
free_number:
	if (inode_number_free(handle, volume, number, S_ISDIR(what->mode)))
		pr_err("%s: inode %u is lost until e2fsck runs\n", volume->device->name, number);
	return ERR_PTR(error);
}

/* ---- The end ---- */

static int inode_free_number(struct inode *inode)
{
	struct volume *volume = inode->volume;
	struct buffer *buffer;
	struct inode_disk *raw;
	struct handle handle;
	int error = handle_begin(volume, 8 + XATTR_CREDITS, &handle), result;

	if (error)
		return error;
	error = xattrs_release(&handle, inode);
	if (!error)
		error = orphan_remove(&handle, inode);
	if (!error)
		error = inode_store(&handle, inode);
	raw = error ? NULL : inode_raw(volume, inode->number, &buffer);
	if (raw && !IS_ERR(raw)) {
		mutex_lock(&inode->raw_lock);
		raw->dtime = (u32)(time_realtime_ns() / NSEC_PER_SEC);
		inode_checksum_set(inode, raw);
		mutex_unlock(&inode->raw_lock);
		handle_dirty(&handle, buffer);
		buffer_put(buffer);
	}
	if (!error)
		error = inode_number_free(&handle, volume, inode->number,
					  S_ISDIR(inode->node->attr.mode));
	result = handle_end(&handle);
	return error ? error : result;
}

/* A file without names, that nobody uses any more: its blocks and its number are free. */
static int inode_delete(struct inode *inode)
{
	u32 kind = inode->node->attr.mode & S_IFMT;
	int error = 0;

	if (!inode_is_inline(inode) &&
	    (kind == S_IFREG || kind == S_IFDIR || (kind == S_IFLNK && !inode_is_fast_link(inode)))) {
		inode->disk_size = 0;
		error = map_remove(inode, 0, MAP_BLOCKS_MAX);
	}
	return error ? error : inode_free_number(inode);
}

static void inode_end(struct inode *inode, bool delete)
{
	struct volume *volume = inode->volume;
	int error = 0;

	spin_lock(&volume->changed_lock);
	if (!list_empty(&inode->changed_link))
		list_del_init(&inode->changed_link);
	spin_unlock(&volume->changed_lock);
	if (!volume->read_only)
		error = delete ? inode_delete(inode) : inode_store_changed(inode);
	if (error && error != -EROFS)
		pr_err("%s: inode %u: could not be %s: error %d\n", volume->device->name,
		       inode->number, delete ? "freed" : "stored", error);
	mutex_lock(&volume->orphan_lock);
	if (!list_empty(&inode->orphan_link))
		list_del_init(&inode->orphan_link);
	mutex_unlock(&volume->orphan_lock);
	kfree(inode);
}

void inode_forget(struct node *node)
{
	struct inode *inode = inode_of(node);

	if (inode)
		inode_end(inode,
			  !node->attr.nlink && inode->number != inode->volume->super->journal_inode);
}

void inode_release(struct node *node)
{
	struct inode *inode = inode_of(node);

	if (inode)
		inode_end(inode, false);
}
