/*
 * Directories with an index: a tree over the hashes of names. Its root is the directory's first block, behind "." and ".."; a node
 * has for each child the lowest hash below it. Leaves are ordinary blocks of entries in no order. Where names with one hash do not
 * fit into one leaf, the index entry of the next has its lowest bit set: the search goes on there.
 *
 * A name that finds its leaf full makes room in one step (a leaf or a node is split, or the root gets one more level), and
 * is then looked for a place anew. readdir goes by hash, and within one by a checksum of the name, so that its
 * position stays right whatever is split meanwhile.
 */
#include "ext4.h"

#define LEVELS_MAX 3
#define CHILD_MASK 0x0fffffffu
#define ROOT_INFO_OFFSET 24 /* behind "." and ".." */
#define NODE_OFFSET 8	    /* behind an entry without a name */

struct step {
	struct buffer *buffer;
	struct hash_entry *entries; /* the first holds limit and count in place of its hash */
	u32 at;			    /* the one that was followed */
};
struct way {
	struct step steps[LEVELS_MAX];
	u32 levels; /* of nodes, the root included */
	u8 version;
};

static struct hash_limits *limits_of(struct hash_entry *entries)
{
	return (struct hash_limits *)entries;
}

static struct hash_info *info_of(const struct buffer *root)
{
	return (struct hash_info *)((char *)root->data + ROOT_INFO_OFFSET);
}

static struct hash_entry *entries_of(const struct buffer *buffer, bool root)
{
	return (struct hash_entry *)((char *)buffer->data +
				     (root ? ROOT_INFO_OFFSET + sizeof(struct hash_info) : NODE_OFFSET));
}

static u32 limit_of(const struct volume *volume, bool root)
{
	u32 space = volume->block_size -
		    (root ? ROOT_INFO_OFFSET + (u32)sizeof(struct hash_info) : NODE_OFFSET);

	return space / sizeof(struct hash_entry) - volume->metadata_checksums;
}

static u32 node_checksum(const struct inode *dir, const struct buffer *buffer, bool root)
{
	struct hash_entry *entries = entries_of(buffer, root);
	const struct hash_tail *tail = (const struct hash_tail *)(entries + limits_of(entries)->limit);
	const u32 zero = 0;
	u32 checksum =
		crc32c(dir->checksum_seed, buffer->data,
		       (size_t)((char *)(entries + limits_of(entries)->count) - (char *)buffer->data));

	checksum = crc32c(checksum, tail, offsetof(struct hash_tail, checksum));
	return crc32c(checksum, &zero, sizeof(zero));
}

static void node_checksum_set(const struct inode *dir, struct buffer *buffer, bool root)
{
	struct hash_entry *entries = entries_of(buffer, root);

	if (dir->volume->metadata_checksums)
		((struct hash_tail *)(entries + limits_of(entries)->limit))->checksum =
			node_checksum(dir, buffer, root);
}

void htree_root_changed(struct handle *handle, struct inode *dir, struct buffer *root)
{
	node_checksum_set(dir, root, true);
	handle_dirty(handle, root);
}

/* ---- Reading ---- */

static const char *node_fault(const struct inode *dir, const struct buffer *buffer, bool root)
{
	const struct volume *volume = dir->volume;
	const struct dirent_disk *first = buffer->data;
	const struct hash_info *info = info_of(buffer);
	struct hash_entry *entries = entries_of(buffer, root);
	const struct hash_limits *limits = limits_of(entries);
	u32 size = volume->block_size;

	if (root) {
		const struct dirent_disk *second =
			(const struct dirent_disk *)((char *)buffer->data + 12);

		if (first->length != 12 || first->name_length != 1 || first->name[0] != '.' ||
		    second->length != size - 12 || second->name_length != 2 ||
		    memcmp(second->name, "..", 2))
			return "no dots in the root of the index";
		if (info->length != sizeof(*info) || info->flags & 1 || info->version > HASH_TEA ||
		    info->levels >=
			    (has_incompat(volume, INCOMPAT_LARGEDIR) ? LEVELS_MAX : LEVELS_MAX - 1))
			return "the index is of a kind that is not known";
	} else if (first->inode || first->length != size || first->name_length) {
		return "no node of an index";
	}
	if (limits->limit != limit_of(volume, root) || !limits->count || limits->count > limits->limit)
		return "number of entries of an index";
	if (volume->metadata_checksums && ((struct hash_tail *)(entries + limits->limit))->checksum !=
						  node_checksum(dir, buffer, root))
		return "wrong checksum of the index";
	return NULL;
}

static struct buffer *node_read(struct inode *dir, u32 block)
{
	struct buffer *buffer = map_read(dir, block);
	int owned;

	if (!buffer)
		return ERR_PTR(volume_damaged(dir->volume, dir->number, block, "an index with a hole"));
	if (IS_ERR(buffer))
		return buffer;
	owned = buffer_owned(dir->volume, buffer, dir->number, OWNER_INDEX);
	if (!owned) {
		const char *fault = node_fault(dir, buffer, !block);

		if (fault)
			owned = volume_damaged(dir->volume, dir->number, buffer->block,
					       "directory: %s", fault);
		else
			buffer->owner = owner_make(dir->number, OWNER_INDEX);
	}
	if (owned < 0) {
		buffer_put(buffer);
		return ERR_PTR(owned);
	}
	return buffer;
}

int htree_parent(struct inode *dir, struct dirent_place *place)
{
	struct buffer *root = node_read(dir, 0);

	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	*place = (struct dirent_place){ .buffer = root,
					.entry = (struct dirent_disk *)((char *)root->data + 12) };
	return 0;
}

static void way_put(struct way *way)
{
	for (u32 i = 0; i < way->levels; i++)
		buffer_put(way->steps[i].buffer);
	way->levels = 0;
}

static u32 child_of(const struct step *step)
{
	return step->entries[step->at].block & CHILD_MASK;
}

/* The last child whose hash is not above. */
static u32 entry_search(struct hash_entry *entries, u32 hash)
{
	u32 low = 0, high = limits_of(entries)->count;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (entries[middle].hash <= hash)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* One more node of the way, whose `at` is the child for the hash. */
static int way_push(struct inode *dir, struct way *way, u32 block, u32 hash)
{
	struct buffer *buffer = node_read(dir, block);
	struct step *step = &way->steps[way->levels];

	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	*step = (struct step){ .buffer = buffer, .entries = entries_of(buffer, !block) };
	step->at = entry_search(step->entries, hash);
	way->levels++;
	return 0;
}

/* The node below the last one of the way. The root is nobody's child. */
static int way_descend(struct inode *dir, struct way *way, u32 hash)
{
	const struct step *last = &way->steps[way->levels - 1];
	u32 block = child_of(last);

	return block ? way_push(dir, way, block, hash)
		     : volume_damaged(dir->volume, dir->number, last->buffer->block,
				      "directory: the index leads to its root");
}

/* Down to the nodes above the leaves. With `name`, its hash is worked out once the root has said how. */
static int way_find(struct inode *dir, const struct name *name, struct name_hash *hash, struct way *way)
{
	u32 levels = 0;
	int error;

	*way = (struct way){};
	error = way_push(dir, way, 0, hash->major);
	if (error)
		return error;
	levels = info_of(way->steps[0].buffer)->levels;
	way->version = info_of(way->steps[0].buffer)->version + dir->volume->hash_unsigned;
	if (name) {
		error = name_hash_make(dir->volume, way->version, name->text, name->length, hash);
		way->steps[0].at = entry_search(way->steps[0].entries, hash->major);
	}
	for (u32 i = 0; i < levels && !error; i++)
		error = way_descend(dir, way, hash->major);
	if (error)
		way_put(way);
	return error;
}

/* To the next leaf: its hash as the index has it, with the lowest bit; 1: there is one; 0: that was the last. */
static int way_next(struct inode *dir, struct way *way, u32 *hash)
{
	u32 levels = way->levels, level = levels;
	int error = 0;

	while (level && way->steps[level - 1].at + 1 >= limits_of(way->steps[level - 1].entries)->count)
		level--;
	if (!level)
		return 0;
	while (way->levels > level)
		buffer_put(way->steps[--way->levels].buffer);
	way->steps[level - 1].at++;
	*hash = way->steps[level - 1].entries[way->steps[level - 1].at].hash;
	while (way->levels < levels && !error) {
		error = way_descend(dir, way, 0);
		if (!error)
			way->steps[way->levels - 1].at = 0;
	}
	return error ? error : 1;
}

int htree_find(struct inode *dir, const struct name *name, struct dirent_place *place)
{
	struct name_hash hash = {};
	struct way way;
	int error = way_find(dir, name, &hash, &way);
	u32 next = 0;

	if (error)
		return error;
	do {
		u32 block = child_of(&way.steps[way.levels - 1]);
		struct buffer *leaf = directory_block(dir, block);

		if (IS_ERR(leaf)) {
			error = (int)PTR_ERR(leaf);
			break;
		}
		place->entry = directory_block_find(dir, leaf, name);
		if (place->entry) {
			place->buffer = leaf;
			place->block = block;
			way_put(&way);
			return 0;
		}
		buffer_put(leaf);
		error = way_next(dir, &way, &next);
	} while (error > 0 && next == (hash.major | 1));
	way_put(&way);
	return error < 0 ? error : -ENOENT;
}

/* ---- Making room ---- */

/* A new node, empty, at the directory's end. ERR_PTR. */
static struct buffer *node_new(struct handle *handle, struct inode *dir, u32 *block)
{
	struct buffer *buffer = map_append(handle, dir, block);

	if (IS_ERR(buffer))
		return buffer;
	((struct dirent_disk *)buffer->data)->length = (u16)dir->volume->block_size;
	*limits_of(entries_of(buffer, false)) =
		(struct hash_limits){ .limit = (u16)limit_of(dir->volume, false) };
	buffer->owner = owner_make(dir->number, OWNER_INDEX);
	return buffer;
}

static void entry_insert(struct step *step, u32 hash, u32 block)
{
	struct hash_limits *limits = limits_of(step->entries);
	u32 at = step->at + 1;

	memmove(step->entries + at + 1, step->entries + at,
		(limits->count - at) * sizeof(*step->entries));
	step->entries[at] = (struct hash_entry){ hash, block };
	limits->count++;
}

/* The root's entries go to a new node below it. */
static int root_grow(struct handle *handle, struct inode *dir, struct way *way)
{
	struct step *root = &way->steps[0];
	struct hash_limits *limits = limits_of(root->entries);
	struct hash_entry *entries;
	struct buffer *buffer;
	u16 count = limits->count;
	u32 block;
	int error;

	if (way->levels >= (has_incompat(dir->volume, INCOMPAT_LARGEDIR) ? LEVELS_MAX : LEVELS_MAX - 1))
		return -ENOSPC;
	error = handle_join(handle, root->buffer);
	if (error)
		return error;
	buffer = node_new(handle, dir, &block);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	entries = entries_of(buffer, false);
	memcpy(entries + 1, root->entries + 1, (count - 1u) * sizeof(*entries));
	entries[0].block = root->entries[0].block;
	limits_of(entries)->count = count;
	limits->count = 1;
	root->entries[0].block = block;
	info_of(root->buffer)->levels++;
	node_checksum_set(dir, buffer, false);
	node_checksum_set(dir, root->buffer, true);
	handle_dirty(handle, buffer);
	handle_dirty(handle, root->buffer);
	buffer_put(buffer);
	return 0;
}

/* The upper half of a node goes to a new one; its parent has room. */
static int node_split(struct handle *handle, struct inode *dir, struct way *way, u32 level)
{
	struct step *full = &way->steps[level], *parent = &way->steps[level - 1];
	struct hash_limits *limits = limits_of(full->entries);
	u32 keep = limits->count / 2u, move = limits->count - keep, block,
	    hash = full->entries[keep].hash;
	struct hash_entry *entries;
	struct buffer *buffer;
	int error = handle_join(handle, full->buffer);

	if (!error)
		error = handle_join(handle, parent->buffer);
	if (error)
		return error;
	buffer = node_new(handle, dir, &block);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	entries = entries_of(buffer, false);
	memcpy(entries + 1, full->entries + keep + 1, (move - 1) * sizeof(*entries));
	entries[0].block = full->entries[keep].block;
	limits_of(entries)->count = (u16)move;
	limits->count = (u16)keep;
	entry_insert(parent, hash, block);
	node_checksum_set(dir, buffer, false);
	node_checksum_set(dir, full->buffer, false);
	node_checksum_set(dir, parent->buffer, level == 1);
	handle_dirty(handle, buffer);
	handle_dirty(handle, full->buffer);
	handle_dirty(handle, parent->buffer);
	buffer_put(buffer);
	return 0;
}

/* A leaf's entry with its hash, for sorting. */
struct sorted {
	u64 key; /* the hash, and below it what keeps those of the same hash apart */
	const struct dirent_disk *entry;
};

static u32 hash_of(const struct sorted *sorted)
{
	return (u32)(sorted->key >> 32);
}

#define PARTS 128

/*
 * Sorts by key. Hashes of one block are spread evenly over a range, so that many parts of it get about one entry each; within
 * a part, entries are put in order one by one.
 */
static void sort(struct sorted *sorted, u32 count, struct sorted *spare)
{
	u16 ends[PARTS + 1] = {}; /* where each part begins, and in the end where it ends */
	u64 low = ~0ULL, high = 0;
	u32 shift = 0;

	for (u32 i = 0; i < count; i++) {
		low = min(low, sorted[i].key);
		high = max(high, sorted[i].key);
	}
	while (count && (high - low) >> shift >= PARTS)
		shift++;
	for (u32 i = 0; i < count; i++)
		ends[((sorted[i].key - low) >> shift) + 1]++;
	for (u32 i = 0; i < PARTS; i++)
		ends[i + 1] += ends[i];
	for (u32 i = 0; i < count; i++)
		spare[ends[(sorted[i].key - low) >> shift]++] = sorted[i];
	for (u32 i = 0; i < count; i++) {
		u32 at = i;

		for (; at && spare[i].key < sorted[at - 1].key; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = spare[i];
	}
}

/* Entries of a block in the order of their hashes; the array is the caller's. ERR_PTR. */
static struct sorted *leaf_sort(struct inode *dir, const struct way *way, char *block, u32 *count)
{
	u32 space = directory_space(dir->volume), room = space / DIRENT_SIZE(1), n = 0;
	struct sorted *sorted = kmalloc(2 * room * sizeof(*sorted), GFP_KERNEL);

	if (!sorted)
		return ERR_PTR(-ENOMEM);
	for (u32 at = 0; at < space; at += ((struct dirent_disk *)(block + at))->length) {
		const struct dirent_disk *entry = (const struct dirent_disk *)(block + at);
		struct name_hash hash;

		if (!entry->inode)
			continue;
		if (name_hash_make(dir->volume, way->version, entry->name, entry->name_length, &hash))
			continue;
		sorted[n++] = (struct sorted){
			(u64)hash.major << 32 | crc32c(0, entry->name, entry->name_length), entry
		};
	}
	sort(sorted, n, sorted + room);
	*count = n;
	return sorted;
}

static void leaf_fill(struct inode *dir, struct buffer *leaf, const struct sorted *sorted, u32 count)
{
	directory_block_clear(dir->volume, leaf->data);
	for (u32 i = 0; i < count; i++) {
		struct name name = { .text = sorted[i].entry->name,
				     .length = sorted[i].entry->name_length };

		/* They came out of one block, so they fit into one. */
		WARN_ON(directory_block_add(dir, leaf, &name, sorted[i].entry->inode,
					    sorted[i].entry->type));
	}
}

/* How many entries stay: about half of the bytes, and at least one on either side. */
static u32 split_point(const struct sorted *sorted, u32 count)
{
	u32 total = 0, half = 0, i;

	for (i = 0; i < count; i++)
		total += DIRENT_SIZE(sorted[i].entry->name_length);
	for (i = 0; i + 1 < count && half + DIRENT_SIZE(sorted[i].entry->name_length) <= total / 2; i++)
		half += DIRENT_SIZE(sorted[i].entry->name_length);
	return max(i, 1u);
}

/* Names with the higher hashes go to a new leaf; the last node has room for it. */
static int leaf_split(struct handle *handle, struct inode *dir, struct way *way, struct buffer *leaf)
{
	struct step *node = &way->steps[way->levels - 1];
	char *copy __free_kfree = kmemdup(leaf->data, leaf->size, GFP_KERNEL);
	struct sorted *sorted;
	struct buffer *fresh;
	u32 count, keep, block, hash;
	int error;

	if (!copy)
		return -ENOMEM;
	sorted = leaf_sort(dir, way, copy, &count);
	if (IS_ERR(sorted))
		return (int)PTR_ERR(sorted);
	error = count < 2 ? volume_damaged(dir->volume, dir->number, leaf->block,
					   "directory: a full block with fewer than two names")
			  : handle_join(handle, node->buffer);
	if (!error)
		error = handle_join(handle, leaf);
	fresh = error ? ERR_PTR(error) : map_append(handle, dir, &block);
	if (IS_ERR(fresh)) {
		kfree(sorted);
		return (int)PTR_ERR(fresh);
	}
	keep = split_point(sorted, count);
	hash = hash_of(&sorted[keep]) | (hash_of(&sorted[keep]) == hash_of(&sorted[keep - 1]));
	leaf_fill(dir, fresh, sorted + keep, count - keep);
	leaf_fill(dir, leaf, sorted, keep);
	entry_insert(node, hash, block);
	node_checksum_set(dir, node->buffer, way->levels == 1);
	directory_dirty(handle, dir, fresh);
	directory_dirty(handle, dir, leaf);
	handle_dirty(handle, node->buffer);
	buffer_put(fresh);
	kfree(sorted);
	return 0;
}

static bool node_full(struct step *step)
{
	return limits_of(step->entries)->count == limits_of(step->entries)->limit;
}

/* One step towards room for a name in the leaf. */
static int room_make(struct handle *handle, struct inode *dir, struct way *way, struct buffer *leaf)
{
	u32 level = way->levels;

	while (level && node_full(&way->steps[level - 1]))
		level--;
	if (level == way->levels)
		return leaf_split(handle, dir, way, leaf);
	return level ? node_split(handle, dir, way, level) : root_grow(handle, dir, way);
}

int htree_add(struct handle *handle, struct inode *dir, const struct name *name, u32 number, u8 type)
{
	for (;;) {
		struct name_hash hash = {};
		struct buffer *leaf;
		struct way way;
		int error = way_find(dir, name, &hash, &way);

		if (error)
			return error;
		leaf = directory_block(dir, child_of(&way.steps[way.levels - 1]));
		if (IS_ERR(leaf)) {
			way_put(&way);
			return (int)PTR_ERR(leaf);
		}
		error = handle_join(handle, leaf);
		if (!error)
			error = directory_block_add(dir, leaf, name, number, type);
		if (!error)
			directory_dirty(handle, dir, leaf);
		else if (error == -ENOSPC)
			error = room_make(handle, dir, &way, leaf) ?: -EAGAIN;
		buffer_put(leaf);
		way_put(&way);
		if (error != -EAGAIN)
			return error;
	}
}

int htree_make(struct handle *handle, struct inode *dir, const struct name *name, u32 number, u8 type)
{
	struct volume *volume = dir->volume;
	struct buffer *root = directory_block(dir, 0), *leaf;
	struct way way = {};
	char *copy __free_kfree = NULL;
	struct sorted *sorted = NULL;
	struct dirent_disk *dot, *dots;
	u32 block, count;
	int error;

	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	copy = kmemdup(root->data, root->size, GFP_KERNEL);
	dot = (struct dirent_disk *)copy;
	dots = copy ? dirent_next(dot) : NULL;
	error = !copy ? -ENOMEM : handle_join(handle, root);
	if (!error && (dot->length != 12 || dot->name_length != 1 || dots->name_length != 2 ||
		       dots->name[0] != '.'))
		error = volume_damaged(volume, dir->number, root->block,
				       "a directory that does not begin with dots");
	if (error) {
		buffer_put(root);
		return error;
	}
	dots->inode = 0; /* they stay where they are; leaf_sort() looks at the others */
	dot->inode = 0;
	way.version =
		(u8)(min(volume->super->default_hash_version, (u8)HASH_TEA) + volume->hash_unsigned);
	sorted = leaf_sort(dir, &way, copy, &count);
	leaf = IS_ERR(sorted) ? (struct buffer *)sorted : map_append(handle, dir, &block);
	if (IS_ERR(leaf)) {
		if (!IS_ERR(sorted))
			kfree(sorted);
		buffer_put(root);
		return (int)PTR_ERR(leaf);
	}
	leaf_fill(dir, leaf, sorted, count);
	kfree(sorted);
	dots = dirent_next(root->data);
	dots->length = (u16)(volume->block_size - 12);
	memset((char *)root->data + ROOT_INFO_OFFSET, 0, volume->block_size - ROOT_INFO_OFFSET);
	*info_of(root) = (struct hash_info){ .version = (u8)(way.version - volume->hash_unsigned),
					     .length = sizeof(struct hash_info) };
	entries_of(root, true)[0].block = block;
	*limits_of(entries_of(root, true)) = (struct hash_limits){ (u16)limit_of(volume, true), 1 };
	root->owner = owner_make(dir->number, OWNER_INDEX);
	node_checksum_set(dir, root, true);
	directory_dirty(handle, dir, leaf);
	handle_dirty(handle, root);
	buffer_put(leaf);
	buffer_put(root);
	dir->flags |= INODE_INDEX;
	return htree_add(handle, dir, name, number, type);
}

/* ---- In order ---- */

static u64 position_of(const struct sorted *sorted)
{
	return max((sorted->key >> 33) << 32 | (u32)sorted->key, 2ULL); /* 0 and 1 are the dots' */
}

/* The entries of one leaf from the context's place on. 1: all of them were taken. */
static int leaf_read(struct inode *dir, const struct way *way, struct dir_context *context)
{
	static const u8 kinds[] = { DT_UNKNOWN, DT_REG,	 DT_DIR,  DT_CHR,
				    DT_BLK,	DT_FIFO, DT_SOCK, DT_LNK };
	struct buffer *leaf = directory_block(dir, child_of(&way->steps[way->levels - 1]));
	struct sorted *sorted;
	u32 count, i;

	if (IS_ERR(leaf))
		return (int)PTR_ERR(leaf);
	sorted = leaf_sort(dir, way, leaf->data, &count);
	if (IS_ERR(sorted)) {
		buffer_put(leaf);
		return (int)PTR_ERR(sorted);
	}
	for (i = 0; i < count; i++) {
		const struct dirent_disk *entry = sorted[i].entry;
		u64 position = position_of(&sorted[i]);

		if (position < (u64)context->offset)
			continue;
		if (!context->add(context, entry->name, entry->name_length, position + 1, entry->inode,
				  entry->type < ARRAY_SIZE(kinds) ? kinds[entry->type] : DT_UNKNOWN))
			break;
		context->offset = (loff_t)position + 1;
	}
	kfree(sorted);
	buffer_put(leaf);
	return i == count;
}

int htree_read(struct inode *dir, struct dir_context *context)
{
	struct name_hash hash = { .major = (u32)((u64)context->offset >> 32) << 1 };
	struct way way;
	u32 next;
	int error;

	if (context->offset == INT64_MAX)
		return 0;
	error = way_find(dir, NULL, &hash, &way);
	while (!error) {
		error = leaf_read(dir, &way, context);
		if (error <= 0)
			break;
		error = way_next(dir, &way, &next);
		if (!error)
			context->offset = INT64_MAX;
		if (error <= 0)
			break;
		error = 0;
	}
	way_put(&way);
	return error;
}
