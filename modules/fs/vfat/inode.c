/*
 * Files' nodes. A FAT volume has no inodes: what is known of a file stands in its directory's entry. A file's identity is the
 * place of its entry, until the entry moves or goes while the file is in use: then the file keeps its identity, and another that
 * comes to that place gets a number of its own.
 *
 * A damaged volume may have one entry in two directories, or one directory twice. Then what the core believes of trees would not
 * hold, so a node has one parent, and a first cluster belongs to one directory.
 */
#include "vfat.h"

#define ID_OF_POSITION(position) ((position) + ROOT_ID + 1)
#define ID_FIRST_OWN (1ULL << 48) /* above those of all places */

/* ---- The index ---- */

static struct hlist *bucket(struct hlist *buckets, u64 key)
{
	return &buckets[hash_u64(key) % INODE_BUCKETS];
}

/* index_lock held. */
static struct inode *find_position(struct volume *volume, u64 position)
{
	struct inode *inode;

	hlist_for_each(inode, bucket(volume->by_position, position), position_link)
		if (inode->position == position)
			return inode;
	return NULL;
}

static bool has_own_id(const struct inode *inode)
{
	return inode->position && inode->node->attr.id == ID_OF_POSITION(inode->position);
}

/* index_lock held: enters the inode where its position says. */
static void index_enter(struct inode *inode)
{
	struct volume *volume = inode->volume;

	if (inode->position)
		hlist_add(bucket(volume->by_position, inode->position), &inode->position_link);
	if (!has_own_id(inode) && inode->node->attr.id != ROOT_ID)
		hlist_add(bucket(volume->by_id, inode->node->attr.id), &inode->id_link);
}

static void index_leave(struct inode *inode)
{
	if (!hlist_unhashed(&inode->position_link))
		hlist_del(&inode->position_link);
	if (!hlist_unhashed(&inode->id_link))
		hlist_del(&inode->id_link);
}

u64 inode_identity(struct volume *volume, u64 position)
{
	u64 id = ID_OF_POSITION(position);
	struct inode *inode;

	spin_lock(&volume->index_lock);
	inode = find_position(volume, position);
	if (inode) {
		id = inode->node->attr.id;
	} else {
		hlist_for_each(inode, bucket(volume->by_id, id), id_link) {
			if (inode->node->attr.id != id)
				continue;
			id = ID_FIRST_OWN +
			     volume->next_id++; /* whose entry was here is elsewhere, and keeps it */
			break;
		}
	}
	spin_unlock(&volume->index_lock);
	return id;
}

/* Clusters of directories are never another's. index_lock is taken. */
int inode_index_start(struct inode *inode)
{
	struct volume *volume = inode->volume;
	struct inode *other;
	u32 start = inode->chain.start;
	bool taken = false;

	if (!start)
		return 0;
	spin_lock(&volume->index_lock);
	hlist_for_each(other, bucket(volume->by_start, start), start_link)
		taken |= other->chain.start == start;
	if (!taken)
		hlist_add(bucket(volume->by_start, start), &inode->start_link);
	spin_unlock(&volume->index_lock);
	return taken ? volume_damaged(volume, "two directories begin at cluster %u", start) : 0;
}

/* ---- From the disk ---- */

static bool name_is_executable(const struct entry_disk *entry)
{
	static const char extensions[][4] = { "EXE", "COM", "BAT" };

	for (u32 i = 0; i < ARRAY_SIZE(extensions); i++)
		if (!memcmp(entry->name + 8, extensions[i], 3))
			return true;
	return false;
}

u32 mode_of(const struct volume *volume, u8 attributes, const struct entry_disk *entry)
{
	const struct options *options = &volume->options;
	bool directory = attributes & ATTRIBUTE_DIRECTORY;
	u32 mode = 0777;

	if (attributes & ATTRIBUTE_READ_ONLY && (!directory || options->read_only_directories))
		mode &= ~0222u;
	if (directory)
		return S_IFDIR | (mode & ~options->directory_mask);
	if (options->show_executables && entry && !name_is_executable(entry))
		mode &= ~0111u;
	return S_IFREG | (mode & ~options->file_mask);
}

bool mode_can_be_read_only(const struct volume *volume, u32 mode)
{
	const struct options *options = &volume->options;

	if (S_ISDIR(mode))
		return options->read_only_directories && ~options->directory_mask & 0222;
	return ~options->file_mask & 0222;
}

static void attr_fill(struct inode *inode, const struct entry_disk *entry)
{
	struct volume *volume = inode->volume;
	s32 offset = volume->options.time_offset_s;
	struct attr *attr = &inode->node->attr;

	inode->attributes = entry->attributes;
	attr->mode = mode_of(volume, entry->attributes, entry);
	attr->uid = volume->options.uid;
	attr->gid = volume->options.gid;
	attr->nlink = 1;
	attr->block_size = volume->cluster_size;
	attr->believe_until_ns = BELIEVE_FOREVER;
	attr->mtime_ns = attr->ctime_ns =
		date_to_ns((struct fat_date){ .date = entry->date, .time = entry->time }, offset);
	attr->atime_ns = date_accessed(attr->mtime_ns, offset);
	if (!volume->options.dos) {
		attr->atime_ns = date_to_ns((struct fat_date){ .date = entry->access_date }, offset);
		attr->btime_ns =
			date_to_ns((struct fat_date){ .date = entry->creation_date,
						      .time = entry->creation_time,
						      .centiseconds = entry->creation_centiseconds },
				   offset);
	}
	inode->stored_modified_ns = attr->mtime_ns;
	inode->stored_accessed_ns = attr->atime_ns;
	inode->created_ns = attr->btime_ns;
}

void inode_count_blocks(struct inode *inode)
{
	struct volume *volume = inode->volume;
	u64 bytes = max(ALIGN_UP(node_size(inode->node), (u64)volume->cluster_size), inode->keep);

	WRITE_ONCE(inode->node->attr.blocks, bytes / BLOCK_SECTOR);
}

/* What only reading its clusters tells of a directory. */
static int directory_fill(struct inode *inode)
{
	u32 slots, subdirectories;
	int error = directory_slots(inode, &slots);

	if (!error)
		error = directory_count(inode, &subdirectories);
	if (error)
		return error;
	node_set_size(inode->node, (u64)slots * ENTRY_SIZE);
	inode->node->attr.nlink = 2 + subdirectories;
	return inode_index_start(inode);
}

static struct inode *inode_new(struct volume *volume, struct node *node, u32 start)
{
	struct inode *inode = kzalloc(sizeof(*inode), GFP_USER);

	if (!inode)
		return NULL;
	inode->volume = volume;
	inode->node = node;
	mutex_init(&inode->map_lock, "vfat_map");
	mutex_init(&inode->store_lock, "vfat_store");
	chain_init(&inode->chain, start);
	list_init(&inode->changed_link);
	node->private = inode;
	return inode;
}

static void inode_free(struct inode *inode)
{
	struct volume *volume = inode->volume;

	spin_lock(&volume->index_lock);
	index_leave(inode);
	if (!hlist_unhashed(&inode->start_link))
		hlist_del(&inode->start_link);
	spin_unlock(&volume->index_lock);
	chain_free(&inode->chain);
	kfree(inode);
}

static int inode_fill(struct inode *inode, const struct inode *dir, const struct record *record)
{
	struct volume *volume = inode->volume;
	u32 start = inode->chain.start;
	int error = 0;

	attr_fill(inode, &record->entry);
	inode->parent = dir->node->attr.id;
	inode->slot = record->slot;
	inode->slot_count = record->slot_count;
	spin_lock(&volume->index_lock);
	inode->position = record->position;
	index_enter(inode);
	spin_unlock(&volume->index_lock);
	if (start && (!cluster_valid(volume, start) || start == volume->root_cluster))
		return volume_damaged(volume, "a file begins at cluster %u", start);
	if (S_ISDIR(inode->node->attr.mode)) {
		if (!start)
			return volume_damaged(volume, "a directory without a cluster");
		error = directory_fill(inode);
	} else {
		if (record->entry.size && !start)
			return volume_damaged(volume, "a file of %u bytes without a cluster",
					      record->entry.size);
		node_set_size(inode->node, record->entry.size);
	}
	inode->stored_size = node_size(inode->node);
	inode_count_blocks(inode);
	return error;
}

/* Ends what node_obtain() began. */
static struct node *inode_ready(struct node *node, int error)
{
	struct inode *inode = node->private;

	if (error) { /* forget() finds nothing to do */
		node->private = NULL;
		if (inode)
			inode_free(inode);
	}
	node_ready(node, error);
	if (!error)
		return node;
	node_put(node);
	return ERR_PTR(error);
}

struct node *inode_get(struct inode *dir, const struct record *record)
{
	struct volume *volume = dir->volume;
	struct inode *inode;
	struct node *node;
	bool fresh;

	node = node_obtain(volume->tree, inode_identity(volume, record->position), &fresh);
	if (IS_ERR(node))
		return node;
	if (!fresh) {
		inode = inode_of(node);
		if (inode->parent == dir->node->attr.id && inode->position == record->position)
			return node;
		node_put(node);
		return ERR_PTR(volume_damaged(volume, "a file is in two directories"));
	}
	inode = inode_new(volume, node, record_start(volume, &record->entry));
	return inode_ready(node, inode ? inode_fill(inode, dir, record) : -ENOMEM);
}

struct node *inode_get_root(struct volume *volume)
{
	struct entry_disk entry = { .attributes = ATTRIBUTE_DIRECTORY };
	struct inode *inode;
	struct node *node;
	bool fresh;
	int error = -ENOMEM;

	node = node_obtain(volume->tree, ROOT_ID, &fresh);
	if (IS_ERR(node))
		return node;
	inode = inode_new(volume, node, volume->root_cluster);
	if (inode) {
		attr_fill(inode, &entry);
		node->attr.mtime_ns = node->attr.ctime_ns = node->attr.atime_ns =
			node->attr.btime_ns = 0;
		error = directory_fill(inode);
		inode_count_blocks(inode);
	}
	return inode_ready(node, error);
}

/* ---- To the disk ---- */

static void entry_fill(struct inode *inode, struct entry_disk *entry)
{
	struct volume *volume = inode->volume;
	s32 offset = volume->options.time_offset_s;
	const struct attr *attr = &inode->node->attr;
	struct fat_date modified = date_from_ns(attr->mtime_ns, offset),
			created = date_from_ns(inode->created_ns, offset);

	entry->attributes = inode->attributes;
	entry->size = S_ISDIR(attr->mode) ? 0 : (u32)node_size(inode->node);
	record_set_start(volume, entry, inode->chain.start);
	entry->date = modified.date;
	entry->time = modified.time;
	inode->stored_modified_ns = attr->mtime_ns;
	inode->stored_accessed_ns = attr->atime_ns;
	inode->stored_size = node_size(inode->node);
	if (volume->options.dos)
		return;
	entry->access_date = date_from_ns(attr->atime_ns, offset).date;
	entry->creation_date = created.date;
	entry->creation_time = created.time;
	entry->creation_centiseconds = created.centiseconds;
}

int inode_store(struct inode *inode)
{
	struct volume *volume = inode->volume;
	u32 slots = volume->sector_size / ENTRY_SIZE;
	struct buffer *buffer;
	int error = 0;

	spin_lock(&volume->changed_lock);
	if (!list_empty(&inode->changed_link))
		list_del_init(&inode->changed_link);
	spin_unlock(&volume->changed_lock);
	mutex_lock(&inode->store_lock);
	if (inode->position) {
		buffer = sector_read(volume, inode->position / slots);
		error = IS_ERR(buffer) ? (int)PTR_ERR(buffer) : 0;
		if (!error) {
			entry_fill(inode, (struct entry_disk *)buffer->data + inode->position % slots);
			buffer_mark_dirty(buffer);
			buffer_put(buffer);
		}
	}
	mutex_unlock(&inode->store_lock);
	return error;
}

void inode_changed(struct inode *inode)
{
	struct volume *volume = inode->volume;

	spin_lock(&volume->changed_lock);
	if (list_empty(&inode->changed_link))
		list_add_tail(&volume->changed, &inode->changed_link);
	spin_unlock(&volume->changed_lock);
}

/* The core changed times, or the size. Times become what can be stored of them: a change of the file is one of its entry, too. */
void vfat_attr_changed(struct node *node)
{
	struct inode *inode = inode_of(node);
	s32 offset = inode->volume->options.time_offset_s;
	struct attr *attr = &node->attr;
	s64 modified, accessed;

	(void)node_attr_clean(node); /* each change is to be told */
	modified = date_modified(READ_ONCE(attr->mtime_ns), offset);
	accessed = date_accessed(READ_ONCE(attr->atime_ns), offset);
	if (attr->id == ROOT_ID) /* has no entry to keep them */
		modified = accessed = 0;
	WRITE_ONCE(attr->mtime_ns, modified);
	WRITE_ONCE(attr->ctime_ns, modified);
	WRITE_ONCE(attr->atime_ns, accessed);
	if (!inode->volume->read_only &&
	    (modified != inode->stored_modified_ns || accessed != inode->stored_accessed_ns ||
	     node_size(node) != inode->stored_size))
		inode_changed(inode);
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
		int result = inode_store(inode);

		error = error ? error : result;
		node_put(inode->node);
	}
	return error;
}

/* ---- Moving ---- */

static void entry_moved(struct inode *inode, u64 position)
{
	struct volume *volume = inode->volume;

	spin_lock(&volume->index_lock);
	index_leave(inode);
	inode->position = position;
	index_enter(inode);
	spin_unlock(&volume->index_lock);
}

void inode_move(struct inode *inode, const struct inode *dir, const struct record *record)
{
	mutex_lock(&inode->store_lock);
	entry_moved(inode, record ? record->position : 0);
	if (record) {
		inode->parent = dir->node->attr.id;
		inode->slot = record->slot;
		inode->slot_count = record->slot_count;
	}
	mutex_unlock(&inode->store_lock);
}

/* One lock at a time: nobody else can move either, and to store an entry twice where it was does no harm. */
void inodes_exchange(struct inode *a, struct inode *b)
{
	struct record of_a = { .position = a->position, .slot = a->slot, .slot_count = a->slot_count };
	struct record of_b = { .position = b->position, .slot = b->slot, .slot_count = b->slot_count };
	u64 parent = a->parent;

	mutex_lock(&a->store_lock);
	entry_moved(a, 0);
	mutex_unlock(&a->store_lock);
	mutex_lock(&b->store_lock);
	entry_moved(b, of_a.position);
	b->slot = of_a.slot;
	b->slot_count = of_a.slot_count;
	a->parent = b->parent;
	b->parent = parent;
	mutex_unlock(&b->store_lock);
	mutex_lock(&a->store_lock);
	entry_moved(a, of_b.position);
	a->slot = of_b.slot;
	a->slot_count = of_b.slot_count;
	mutex_unlock(&a->store_lock);
}

/* ---- The end ---- */

/* The clusters of a directory hold nothing any more that is to be written. */
static void directory_discard(struct inode *inode)
{
	struct volume *volume = inode->volume;
	u32 cluster, count, index = 0;

	for (count = ~0u; !chain_find(volume, &inode->chain, index, &cluster, &count); count = ~0u) {
		buffers_forget(volume->device, cluster_sector(volume, cluster),
			       (u64)count << (volume->cluster_bits - volume->sector_bits),
			       volume->sector_size);
		index += count;
	}
}

static int inode_delete(struct inode *inode)
{
	int error;

	mutex_lock(&inode->map_lock);
	if (S_ISDIR(inode->node->attr.mode))
		directory_discard(inode);
	error = chain_shrink(inode->volume, &inode->chain, 0);
	mutex_unlock(&inode->map_lock);
	return error;
}

void vfat_forget(struct node *node)
{
	struct inode *inode = inode_of(node);
	struct volume *volume;
	bool changed;
	int error = 0;

	if (!inode)
		return;
	volume = inode->volume;
	spin_lock(&volume->changed_lock);
	changed = !list_empty(&inode->changed_link);
	if (changed)
		list_del_init(&inode->changed_link);
	spin_unlock(&volume->changed_lock);
	if (!volume->read_only && !node->attr.nlink) {
		error = inode_delete(inode);
	} else if (!volume->read_only) {
		inode->keep = 0;
		error = S_ISREG(node->attr.mode) ? file_trim(inode) : 0;
		if (!error && changed)
			error = inode_store(inode);
	}
	if (error)
		pr_err("%s: a file could not be %s: error %d\n", volume->device->name,
		       node->attr.nlink ? "stored" : "freed", error);
	inode_free(inode);
}
