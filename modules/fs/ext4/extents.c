/*
 * Extents: a tree of runs of blocks. The root lies in the inode, other nodes in blocks of their own. Leaves are sorted by block
 * and do not overlap; an index entry's block is that of the first entry below it.
 *
 * Changes keep to small steps that leave a right tree: an insertion into a full leaf splits one node, or gives the root one more
 * level, and then looks anew for its place. Removal takes the last extent of the range, so that what is left is right at any
 * time. All with map_lock held, for writing where the tree changes.
 */
#include "ext4.h"

struct level {
	struct buffer *buffer; /* NULL: the root */
	struct extent_header *header;
	s32 at; /* the entry with the largest block not above the one looked for; in a leaf -1: there is none */
};
struct place {
	struct level levels[EXTENT_DEPTH_MAX + 1];
	u32 depth; /* of the leaf */
};

static struct extent_header *root_of(struct inode *inode)
{
	return (struct extent_header *)inode->block;
}

static struct extent_disk *extents_of(struct extent_header *header)
{
	return (struct extent_disk *)(header + 1);
}

static struct extent_index *indexes_of(struct extent_header *header)
{
	return (struct extent_index *)(header + 1);
}

static u32 length_of(const struct extent_disk *extent)
{
	return extent->length > EXTENT_LENGTH_MAX ? extent->length - EXTENT_LENGTH_MAX : extent->length;
}

static bool is_unwritten(const struct extent_disk *extent)
{
	return extent->length > EXTENT_LENGTH_MAX;
}

static u64 start_of(const struct extent_disk *extent)
{
	return extent->start_lo | (u64)extent->start_hi << 32;
}

static u64 child_of(const struct extent_index *index)
{
	return index->leaf_lo | (u64)index->leaf_hi << 32;
}

static struct extent_disk extent_make(u32 block, u64 start, u32 length, bool unwritten)
{
	return (struct extent_disk){ .block = block,
				     .length = (u16)(length + (unwritten ? EXTENT_LENGTH_MAX : 0)),
				     .start_hi = (u16)(start >> 32),
				     .start_lo = (u32)start };
}

static struct extent_index index_make(u32 block, u64 child)
{
	return (struct extent_index){ .block = block,
				      .leaf_lo = (u32)child,
				      .leaf_hi = (u16)(child >> 32) };
}

static u32 node_room(const struct volume *volume)
{
	return (volume->block_size - sizeof(struct extent_header)) / sizeof(struct extent_disk);
}
#define ROOT_ROOM ((INODE_BLOCK_BYTES - sizeof(struct extent_header)) / sizeof(struct extent_disk))

/* ---- Reading ---- */

static u32 *checksum_of(struct extent_header *header)
{
	return (u32 *)(extents_of(header) + header->max);
}

static u32 node_checksum(const struct inode *inode, struct extent_header *header)
{
	return crc32c(inode->checksum_seed, header,
		      (size_t)((char *)checksum_of(header) - (char *)header));
}

static bool entries_valid(struct inode *inode, struct extent_header *header)
{
	const struct volume *volume = inode->volume;
	u64 next = 0;

	for (u32 i = 0; i < header->entries; i++) {
		const struct extent_disk *extent = extents_of(header) + i;
		const struct extent_index *index = indexes_of(header) + i;

		if (header->depth) {
			if ((i && index->block < next) || !volume_data_valid(volume, child_of(index), 1))
				return false;
			next = (u64)index->block + 1;
		} else {
			u32 length = length_of(extent);

			if (!length || extent->block < next ||
			    (u64)extent->block + length > MAP_BLOCKS_MAX)
				return false;
			next = (u64)extent->block + length;
			/* The journal's blocks, and those of the file that keeps room for descriptors, lie as they may. */
			if (inode_number_valid(volume, inode->number)
				    ? !volume_data_valid(volume, start_of(extent), length)
				    : !volume_has_blocks(volume, start_of(extent), length))
				return false;
		}
	}
	return true;
}

static bool header_valid(const struct extent_header *header, u32 room, u32 depth)
{
	return header->magic == EXTENT_MAGIC && header->max <= room && header->max >= 4 &&
	       header->entries <= header->max && header->depth == depth;
}

int extents_check_root(struct inode *inode)
{
	struct extent_header *root = root_of(inode);

	if (root->depth > EXTENT_DEPTH_MAX || !header_valid(root, ROOT_ROOM, root->depth) ||
	    (root->depth && !root->entries) || !entries_valid(inode, root))
		return volume_damaged(inode->volume, inode->number, 0, "root of extents");
	return 0;
}

static struct buffer *node_read(struct inode *inode, u64 block, u32 depth)
{
	struct volume *volume = inode->volume;
	struct buffer *buffer = buffer_read(volume->device, block, volume->block_size);
	struct extent_header *header;
	int owned;

	if (IS_ERR(buffer))
		return buffer;
	header = buffer->data;
	owned = buffer_owned(volume, buffer, inode->number, OWNER_EXTENTS);
	if (!owned) {
		bool valid = header_valid(header, node_room(volume), depth) && header->entries &&
			     entries_valid(inode, header);

		/* The checksum lies behind as many entries as there could be. */
		if (valid && volume->metadata_checksums)
			valid = (char *)(checksum_of(header) + 1) <= (char *)buffer->data + buffer->size &&
				*checksum_of(header) == node_checksum(inode, header);
		if (valid)
			buffer->owner = owner_make(inode->number, OWNER_EXTENTS);
		else
			owned = volume_damaged(volume, inode->number, block, "node of extents");
	} else if (owned > 0 && header->depth != depth) {
		owned = volume_damaged(volume, inode->number, block, "a node of extents in two places");
	}
	if (owned < 0) {
		buffer_put(buffer);
		return ERR_PTR(owned);
	}
	return buffer;
}

static void place_put(struct place *place)
{
	for (u32 i = 1; i <= place->depth; i++)
		if (place->levels[i].buffer)
			buffer_put(place->levels[i].buffer);
	place->depth = 0;
}

/* The last entry whose block is not above; the first word of both kinds of entries is their block. */
static s32 entry_search(struct extent_header *header, u32 block)
{
	s32 low = -1, high = header->entries; /* low's block <= block < high's */

	while (high - low > 1) {
		s32 middle = low + (high - low) / 2;

		if (extents_of(header)[middle].block <= block)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int place_find(struct inode *inode, u32 block, struct place *place)
{
	struct extent_header *header = root_of(inode);
	u32 depth = header->depth;

	*place = (struct place){};
	for (u32 level = 0;; level++) {
		struct level *here = &place->levels[level];
		struct buffer *buffer;

		here->header = header;
		here->at = entry_search(header, block);
		if (level == depth)
			return 0;
		here->at = max(here->at, 0);
		buffer = node_read(inode, child_of(indexes_of(header) + here->at), depth - level - 1);
		if (IS_ERR(buffer)) {
			place_put(place);
			return (int)PTR_ERR(buffer);
		}
		place->depth = level + 1;
		place->levels[level + 1].buffer = buffer;
		header = buffer->data;
	}
}

/* The block at which the next entry behind the place begins. */
static u32 place_next(struct place *place)
{
	for (s32 level = (s32)place->depth; level >= 0; level--) {
		struct level *here = &place->levels[level];

		if (here->at + 1 < here->header->entries)
			return extents_of(here->header)[here->at + 1].block;
	}
	return MAP_BLOCKS_MAX;
}

static struct extent_disk *place_extent(struct place *place)
{
	struct level *leaf = &place->levels[place->depth];

	return leaf->at < 0 ? NULL : extents_of(leaf->header) + leaf->at;
}

int extents_find(struct inode *inode, u32 block, struct mapping *mapping)
{
	struct place place;
	const struct extent_disk *extent;
	int error = place_find(inode, block, &place);

	if (error)
		return error;
	extent = place_extent(&place);
	*mapping = (struct mapping){ .block = block };
	if (extent && block - extent->block < length_of(extent)) {
		mapping->kind = is_unwritten(extent) ? MAP_UNWRITTEN : MAP_WRITTEN;
		mapping->physical = start_of(extent) + (block - extent->block);
		mapping->count = length_of(extent) - (block - extent->block);
	} else {
		u32 next = place_next(&place);

		/* An index of a damaged tree may lie before the entries below the one before it. */
		mapping->count = next > block ? next - block : 1;
	}
	place_put(&place);
	return 0;
}

/* ---- Changing nodes ---- */

int extents_init(struct inode *inode)
{
	*root_of(inode) = (struct extent_header){ .magic = EXTENT_MAGIC, .max = ROOT_ROOM };
	return 0;
}

/* The node is about to change. The root changes with the inode, which the caller stores. */
static int level_join(struct handle *handle, struct level *level)
{
	return level->buffer ? handle_join(handle, level->buffer) : 0;
}

static void level_dirty(struct handle *handle, struct inode *inode, struct level *level)
{
	if (!level->buffer)
		return;
	if (inode->volume->metadata_checksums)
		*checksum_of(level->header) = node_checksum(inode, level->header);
	handle_dirty(handle, level->buffer);
}

/* Entries of both kinds are 12 bytes. Makes a gap at `at`, or closes one. */
static void entries_shift(struct extent_header *header, u32 at, s32 by)
{
	struct extent_disk *entries = extents_of(header);

	if (by > 0)
		memmove(entries + at + 1, entries + at, (header->entries - at) * sizeof(*entries));
	else
		memmove(entries + at, entries + at + 1, (header->entries - at - 1) * sizeof(*entries));
	header->entries = (u16)(header->entries + by);
}

/* The first entry of a node got another block: so do the indexes that lead to it. */
static int first_changed(struct handle *handle, struct inode *inode, struct place *place)
{
	u32 block = extents_of(place->levels[place->depth].header)[0].block;

	for (s32 level = (s32)place->depth - 1; level >= 0; level--) {
		struct level *here = &place->levels[level];
		int error = level_join(handle, here);

		if (error)
			return error;
		indexes_of(here->header)[here->at].block = block;
		level_dirty(handle, inode, here);
		if (here->at)
			break;
	}
	return 0;
}

/* A new node in a block near the file's others. ERR_PTR. */
static struct buffer *node_new(struct handle *handle, struct inode *inode, u32 depth, u64 goal)
{
	struct buffer *buffer = map_block_new(handle, inode, goal, OWNER_EXTENTS);

	if (!IS_ERR(buffer))
		*(struct extent_header *)buffer->data = (struct extent_header){
			.magic = EXTENT_MAGIC, .max = (u16)node_room(inode->volume), .depth = (u16)depth
		};
	return buffer;
}

static u64 node_goal(struct inode *inode, struct place *place)
{
	struct level *leaf = &place->levels[place->depth];

	return leaf->header->entries ? start_of(extents_of(leaf->header)) : inode->goal;
}

/* The root's entries go to a new node below it. */
static int root_grow(struct handle *handle, struct inode *inode, struct place *place)
{
	struct extent_header *root = root_of(inode), *header;
	struct level level = {};

	if (root->depth == EXTENT_DEPTH_MAX)
		return -ENOSPC;
	level.buffer = node_new(handle, inode, root->depth, node_goal(inode, place));
	if (IS_ERR(level.buffer))
		return (int)PTR_ERR(level.buffer);
	level.header = header = level.buffer->data;
	header->entries = root->entries;
	memcpy(extents_of(header), extents_of(root), root->entries * sizeof(struct extent_disk));
	level_dirty(handle, inode, &level);
	indexes_of(root)[0] = index_make(extents_of(header)[0].block, level.buffer->block);
	root->entries = 1;
	root->depth++;
	buffer_put(level.buffer);
	return 0;
}

/* Half of a full node's entries go to a new one behind it; or none but the last, if the file grows at its end. The parent has room. */
static int node_split(struct handle *handle, struct inode *inode, struct place *place, u32 depth)
{
	struct level *full = &place->levels[depth], *parent = &place->levels[depth - 1], fresh = {};
	struct extent_header *header = full->header;
	u32 keep = full->at + 1 == header->entries ? header->entries - 1u : header->entries / 2u;
	int error = level_join(handle, full);

	if (!error)
		error = level_join(handle, parent);
	if (error)
		return error;
	fresh.buffer = node_new(handle, inode, header->depth, node_goal(inode, place));
	if (IS_ERR(fresh.buffer))
		return (int)PTR_ERR(fresh.buffer);
	fresh.header = fresh.buffer->data;
	fresh.header->entries = (u16)(header->entries - keep);
	memcpy(extents_of(fresh.header), extents_of(header) + keep,
	       fresh.header->entries * sizeof(struct extent_disk));
	header->entries = (u16)keep;
	entries_shift(parent->header, (u32)parent->at + 1, 1);
	indexes_of(parent->header)[parent->at + 1] =
		index_make(extents_of(fresh.header)[0].block, fresh.buffer->block);
	level_dirty(handle, inode, &fresh);
	level_dirty(handle, inode, full);
	level_dirty(handle, inode, parent);
	buffer_put(fresh.buffer);
	return 0;
}

/* One step towards room in the leaf at the place. */
static int room_make(struct handle *handle, struct inode *inode, struct place *place)
{
	s32 level = (s32)place->depth;

	while (level >= 0 && place->levels[level].header->entries == place->levels[level].header->max)
		level--;
	return level < 0 ? root_grow(handle, inode, place)
			 : node_split(handle, inode, place, (u32)level + 1);
}

/* Can b, which follows a, become part of it? */
static bool mergeable(const struct extent_disk *a, const struct extent_disk *b)
{
	u32 limit = is_unwritten(a) ? EXTENT_LENGTH_MAX - 1 : EXTENT_LENGTH_MAX;

	return a->block + length_of(a) == b->block && start_of(a) + length_of(a) == start_of(b) &&
	       is_unwritten(a) == is_unwritten(b) && length_of(a) + length_of(b) <= limit;
}

/* The extent at `at` of a joined leaf takes up its neighbours, if it can. */
static int merge_around(struct handle *handle, struct inode *inode, struct place *place, u32 at)
{
	struct extent_header *header = place->levels[place->depth].header;
	struct extent_disk *extents = extents_of(header);

	if (at + 1 < header->entries && mergeable(&extents[at], &extents[at + 1])) {
		extents[at].length = (u16)(extents[at].length + length_of(&extents[at + 1]));
		entries_shift(header, at + 1, -1);
	}
	if (at && mergeable(&extents[at - 1], &extents[at])) {
		extents[at - 1].length = (u16)(extents[at - 1].length + length_of(&extents[at]));
		entries_shift(header, at, -1);
		at--;
	}
	level_dirty(handle, inode, &place->levels[place->depth]);
	return at ? 0 : first_changed(handle, inode, place);
}

/* Puts an extent into its leaf, splitting nodes as often as it takes. Nothing lies in its range. */
static int extent_add(struct handle *handle, struct inode *inode, const struct extent_disk *extent)
{
	for (;;) {
		struct place place;
		struct level *leaf;
		int error = place_find(inode, extent->block, &place);

		if (error)
			return error;
		leaf = &place.levels[place.depth];
		if (leaf->header->entries < leaf->header->max) {
			error = level_join(handle, leaf);
			if (!error) {
				u32 at = (u32)(leaf->at + 1);

				entries_shift(leaf->header, at, 1);
				extents_of(leaf->header)[at] = *extent;
				error = merge_around(handle, inode, &place, at);
			}
			place_put(&place);
			return error;
		}
		error = room_make(handle, inode, &place);
		place_put(&place);
		if (error)
			return error;
	}
}

/* Appends to the extent before, if it can be: the common case of a file that grows needs no room. 1: done. */
static int extent_append(struct handle *handle, struct inode *inode, const struct extent_disk *extent)
{
	struct place place;
	struct extent_disk *before;
	int error = place_find(inode, extent->block, &place);

	if (error)
		return error;
	before = place_extent(&place);
	if (before && mergeable(before, extent)) {
		error = level_join(handle, &place.levels[place.depth]);
		if (!error) {
			before->length = (u16)(before->length + length_of(extent));
			error = merge_around(handle, inode, &place, (u32)place.levels[place.depth].at);
		}
		error = error ? error : 1;
	}
	place_put(&place);
	return error;
}

int extents_insert(struct handle *handle, struct inode *inode, const struct mapping *mapping)
{
	struct extent_disk extent = extent_make(mapping->block, mapping->physical, mapping->count,
						mapping->kind == MAP_UNWRITTEN);
	int error = extent_append(handle, inode, &extent);

	return error > 0 ? 0 : error ? error : extent_add(handle, inode, &extent);
}

/* The extent that holds `block`, in which one begins from now on. */
static int split_at(struct handle *handle, struct inode *inode, u32 block)
{
	struct place place;
	struct extent_disk *extent, rest;
	bool full;
	u32 before;
	int error;

	do { /* room first: with it the two steps cannot fail between them */
		error = place_find(inode, block, &place);
		if (error)
			return error;
		extent = place_extent(&place);
		if (!extent || extent->block == block || block - extent->block >= length_of(extent)) {
			place_put(&place);
			return 0;
		}
		full = place.levels[place.depth].header->entries ==
		       place.levels[place.depth].header->max;
		if (full) {
			error = room_make(handle, inode, &place);
			place_put(&place);
			if (error)
				return error;
		}
	} while (full);
	error = level_join(handle, &place.levels[place.depth]);
	if (!error) {
		u32 at = (u32)place.levels[place.depth].at + 1;

		before = block - extent->block;
		rest = extent_make(block, start_of(extent) + before, length_of(extent) - before,
				   is_unwritten(extent));
		*extent = extent_make(extent->block, start_of(extent), before, is_unwritten(extent));
		entries_shift(place.levels[place.depth].header, at, 1);
		extents_of(place.levels[place.depth].header)[at] = rest;
		level_dirty(handle, inode, &place.levels[place.depth]);
	}
	place_put(&place);
	return error;
}

int extents_convert(struct handle *handle, struct inode *inode, u32 block, u32 count)
{
	struct place place;
	struct extent_disk *extent;
	int error;

	error = split_at(handle, inode, block);
	if (!error)
		error = split_at(handle, inode, block + count);
	if (!error)
		error = place_find(inode, block, &place);
	if (error)
		return error;
	extent = place_extent(&place);
	/* Another may have been here first. */
	if (extent && extent->block == block && length_of(extent) <= count && is_unwritten(extent)) {
		error = level_join(handle, &place.levels[place.depth]);
		if (!error) {
			*extent = extent_make(block, start_of(extent), length_of(extent), false);
			error = merge_around(handle, inode, &place, (u32)place.levels[place.depth].at);
		}
	}
	place_put(&place);
	return error;
}

/* ---- Removing ---- */

/* A node without entries goes, and with it perhaps its parents. The leaf has joined. */
static int nodes_prune(struct handle *handle, struct inode *inode, struct place *place)
{
	u32 level = place->depth;
	int error = 0;

	while (level && !place->levels[level].header->entries && !error) {
		struct level *parent = &place->levels[level - 1];
		u64 block = place->levels[level].buffer->block;

		error = level_join(handle, parent);
		if (!error)
			error = blocks_free(handle, inode->volume, block, 1, true);
		if (error)
			break;
		entries_shift(parent->header, (u32)parent->at, -1);
		level_dirty(handle, inode, parent);
		inode_count_blocks(inode, -1);
		level--;
		if (!parent->at && parent->header->entries) { /* it has another first entry */
			struct place above = *place;

			above.depth = level;
			error = first_changed(handle, inode, &above);
		}
	}
	if (!root_of(inode)->entries)
		root_of(inode)->depth = 0;
	return error;
}

/* A tree of one leaf that has become small lies in the root again. */
static int root_shrink(struct handle *handle, struct inode *inode)
{
	struct extent_header *root = root_of(inode), *header;
	struct buffer *buffer;
	int error;

	while (root->depth && root->entries == 1) {
		u64 block = child_of(indexes_of(root));

		buffer = node_read(inode, block, root->depth - 1u);
		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		header = buffer->data;
		if (header->entries > ROOT_ROOM) {
			buffer_put(buffer);
			break;
		}
		memcpy(extents_of(root), extents_of(header),
		       header->entries * sizeof(struct extent_disk));
		root->entries = header->entries;
		root->depth--;
		buffer_put(buffer);
		error = blocks_free(handle, inode->volume, block, 1, true);
		if (error)
			return error;
		inode_count_blocks(inode, -1);
	}
	return 0;
}

/* Of the extent at the place, what lies in [first, last] goes; it begins in the range, or does not end behind it. */
static int extent_cut(struct handle *handle, struct inode *inode, struct place *place, u32 first, u32 last)
{
	struct level *leaf = &place->levels[place->depth];
	struct extent_disk *extent = place_extent(place);
	u32 from = max(first, extent->block),
	    end = (u32)min((u64)last + 1, (u64)extent->block + length_of(extent));
	bool metadata = S_ISDIR(inode->node->attr.mode) || S_ISLNK(inode->node->attr.mode);
	u32 kept_after = extent->block + length_of(extent) - end;
	u64 start = start_of(extent);
	int error = level_join(handle, leaf);

	if (!error)
		error = blocks_free(handle, inode->volume, start + (from - extent->block),
				    end - from, metadata);
	if (error)
		return error;
	inode_count_blocks(inode, -(s64)(end - from));
	if (from > extent->block) {
		*extent = extent_make(extent->block, start, from - extent->block, is_unwritten(extent));
	} else if (kept_after) {
		*extent = extent_make(end, start + (end - extent->block), kept_after,
				      is_unwritten(extent));
	} else {
		entries_shift(leaf->header, (u32)leaf->at, -1);
	}
	level_dirty(handle, inode, leaf);
	if (!leaf->header->entries)
		return nodes_prune(handle, inode, place);
	return leaf->at ? 0 : first_changed(handle, inode, place);
}

int extents_remove_step(struct handle *handle, struct inode *inode, u32 first, u32 last, bool *more)
{
	struct place place;
	struct extent_disk *extent;
	int error = place_find(inode, last, &place);

	*more = false;
	if (error)
		return error;
	extent = place_extent(&place);
	if (!extent || extent->block + length_of(extent) <= first) {
		place_put(&place);
		return root_shrink(handle, inode);
	}
	*more = true;
	if (extent->block < first && extent->block + length_of(extent) - 1 > last) {
		place_put(&place); /* a hole within one extent: it becomes two first */
		return split_at(handle, inode, last + 1);
	}
	error = extent_cut(handle, inode, &place, first, last);
	place_put(&place);
	return error;
}
