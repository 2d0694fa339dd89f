/*
 * Block maps of ext2 and ext3: twelve blocks in the inode, then one block of block numbers, one of such blocks, and one of those.
 * New blocks of files are zeroed on the device before the map points to them: the format cannot say that a block has not been
 * written, and what it held before is nobody's business.
 */
#include "ext4.h"

#define DIRECT 12u
#define RUNS_MAX                                                                                   \
	16 /* of blocks that one step of removal frees, since each may lie in a group of its own */

static u32 per_block(const struct volume *volume)
{
	return volume->block_size / sizeof(u32);
}

u64 indirect_blocks_max(const struct volume *volume)
{
	u64 n = per_block(volume);

	return min(DIRECT + n + n * n + n * n * n, (u64)MAP_BLOCKS_MAX);
}

/* The way to a block: the slot in the inode, then those in blocks of numbers; how many; -EFBIG. */
static int way_find(const struct volume *volume, u32 block, u32 way[4])
{
	u64 n = per_block(volume), span = n;

	if (block < DIRECT) {
		way[0] = block;
		return 1;
	}
	block -= DIRECT;
	for (u32 depth = 1; depth <= 3; depth++) {
		if (block < span) {
			way[0] = DIRECT + depth - 1;
			for (u32 i = depth; i; i--, block /= (u32)n)
				way[i] = block % (u32)n;
			return (int)depth + 1;
		}
		block -= (u32)span;
		span *= n;
	}
	return -EFBIG;
}

static struct buffer *numbers_read(struct inode *inode, u32 block)
{
	struct volume *volume = inode->volume;
	struct buffer *buffer;
	int owned;

	if (!volume_data_valid(volume, block, 1))
		return ERR_PTR(volume_damaged(volume, inode->number, block, "a block of block numbers"));
	buffer = buffer_read(volume->device, block, volume->block_size);
	if (IS_ERR(buffer))
		return buffer;
	owned = buffer_owned(volume, buffer, inode->number, OWNER_INDIRECT);
	if (owned < 0) {
		buffer_put(buffer);
		return ERR_PTR(owned);
	}
	buffer->owner = owner_make(inode->number, OWNER_INDIRECT); /* any number is checked when it is used */
	return buffer;
}

/* How many of `numbers` follow each other on the volume, or are holes. */
static u32 run_length(const u32 *numbers, u32 count)
{
	u32 length = 1;

	while (length < count && numbers[length] == (numbers[0] ? numbers[0] + length : 0))
		length++;
	return length;
}

static int mapping_fill(struct inode *inode, const u32 *numbers, u32 count, struct mapping *mapping)
{
	mapping->count = run_length(numbers, count);
	mapping->physical = numbers[0];
	mapping->kind = numbers[0] ? MAP_WRITTEN : MAP_HOLE;
	/* The journal and what keeps room for descriptors are nobody's to name. */
	if (!numbers[0] || !inode_number_valid(inode->volume, inode->number) ||
	    volume_data_valid(inode->volume, numbers[0], mapping->count))
		return 0;
	return volume_damaged(inode->volume, inode->number, numbers[0], "a block in a block map");
}

int indirect_find(struct inode *inode, u32 block, u32 count, struct mapping *mapping)
{
	struct volume *volume = inode->volume;
	u32 way[4], number, n = per_block(volume);
	int length = way_find(volume, block, way), error;

	*mapping = (struct mapping){ .block = block };
	if (length < 0) { /* nothing is there */
		mapping->count = MAP_BLOCKS_MAX - block + (block == MAP_BLOCKS_MAX);
		return 0;
	}
	if (length == 1)
		return mapping_fill(inode, inode->block + block, min(count, DIRECT - block), mapping);
	number = inode->block[way[0]];
	for (int i = 1;; i++) {
		struct buffer *buffer;
		u32 span = 1;

		for (int below = i; below < length; below++)
			span *= n; /* 32 bits are enough: 1024 * 1024 * 1024 */
		if (!number) {	   /* a hole up to the end of what it would lead to */
			u32 offset = 0;

			for (int below = i; below < length; below++)
				offset = offset * n + way[below];
			mapping->count = span - offset;
			return 0;
		}
		buffer = numbers_read(inode, number);
		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		if (i == length - 1) {
			error = mapping_fill(inode, (u32 *)buffer->data + way[i],
					     min(count, n - way[i]), mapping);
			buffer_put(buffer);
			return error;
		}
		number = ((u32 *)buffer->data)[way[i]];
		buffer_put(buffer);
	}
}

/* ---- Filling holes ---- */

/* A place that holds block numbers: the inode, or a block of them. */
struct holder {
	struct buffer *buffer; /* NULL: the inode */
	u32 *slot;
};

static u64 goal_of(const struct inode *inode, const struct holder *holder, u32 index)
{
	if (index && holder->slot[-1])
		return holder->slot[-1] + 1;
	return holder->buffer && !inode->goal ? holder->buffer->block + 1 : inode->goal;
}

/* A new block of numbers, all holes, that the slot points to. ERR_PTR. */
static struct buffer *numbers_new(struct handle *handle, struct inode *inode, struct holder *holder,
				  u32 index)
{
	struct buffer *buffer;
	int error = holder->buffer ? handle_join(handle, holder->buffer) : 0;

	if (error)
		return ERR_PTR(error);
	buffer = map_block_new(handle, inode, goal_of(inode, holder, index), OWNER_INDIRECT);
	if (IS_ERR(buffer))
		return buffer;
	handle_dirty(handle, buffer);
	*holder->slot = (u32)buffer->block;
	if (holder->buffer)
		handle_dirty(handle, holder->buffer);
	inode->goal = buffer->block + 1;
	return buffer;
}

/* Data blocks for a run of holes that begins at the slot. */
static int run_create(struct handle *handle, struct inode *inode, struct holder *holder, u32 index,
		      u32 count, struct mapping *mapping)
{
	struct volume *volume = inode->volume;
	int error = holder->buffer ? handle_join(handle, holder->buffer) : 0;

	mapping->count = run_length(holder->slot, count);
	if (!error)
		error = blocks_alloc(handle, volume, goal_of(inode, holder, index), &mapping->count,
				     &mapping->physical);
	if (error)
		return error;
	if (S_ISREG(inode->node->attr.mode))
		error = block_zero(volume->device, mapping->physical << volume->block_bits,
				   (u64)mapping->count << volume->block_bits);
	if (!error && mapping->physical + mapping->count - 1 > ~0u)
		error = -EFBIG; /* block maps have 32 bits */
	if (error) {
		blocks_give_up(handle, volume, mapping->physical, mapping->count, false);
		return error;
	}
	for (u32 i = 0; i < mapping->count; i++)
		holder->slot[i] = (u32)mapping->physical + i;
	if (holder->buffer)
		handle_dirty(handle, holder->buffer);
	mapping->kind = MAP_WRITTEN;
	mapping->fresh = true;
	inode->goal = mapping->physical + mapping->count;
	inode_count_blocks(inode, mapping->count);
	return 0;
}

int indirect_create(struct handle *handle, struct inode *inode, u32 block, u32 count,
		    struct mapping *mapping)
{
	struct volume *volume = inode->volume;
	u32 way[4], n = per_block(volume);
	int length = way_find(volume, block, way), error = 0, result;
	struct holder holder = { .slot = inode->block + way[0] };

	if (length < 0)
		return length;
	for (int i = 0; i + 1 < length && !error; i++) {
		struct buffer *buffer = *holder.slot
						? numbers_read(inode, *holder.slot)
						: numbers_new(handle, inode, &holder, i ? way[i] : 0);

		if (IS_ERR(buffer)) {
			error = (int)PTR_ERR(buffer);
			break;
		}
		if (holder.buffer)
			buffer_put(holder.buffer);
		holder = (struct holder){ buffer, (u32 *)buffer->data + way[i + 1] };
	}
	if (!error)
		error = run_create(handle, inode, &holder, way[length - 1],
				   min(count, (length == 1 ? DIRECT : n) - way[length - 1]), mapping);
	if (holder.buffer)
		buffer_put(holder.buffer);
	result = inode_store(handle, inode);
	return error ? error : result;
}

/* ---- Removing ---- */

struct cut {
	struct handle *handle;
	struct inode *inode;
	u64 first, last; /* of the file: what goes */
	u32 runs;	 /* freed so far in this step */
	bool metadata;
};

static bool cut_full(const struct cut *cut)
{
	return cut->runs >= RUNS_MAX;
}

/* Frees what `numbers` name, from the last one on; false: there may be more. */
static int numbers_cut(struct cut *cut, u32 *numbers, u32 low, u32 high)
{
	struct volume *volume = cut->inode->volume;
	u32 at = high + 1;

	while (at > low && !cut_full(cut)) {
		u32 end = at--, count;
		int error;

		if (!numbers[at])
			continue;
		while (at > low && numbers[at - 1] && numbers[at - 1] + 1 == numbers[at])
			at--;
		count = end - at;
		error = blocks_free(cut->handle, volume, numbers[at], count, cut->metadata);
		if (error)
			return error;
		memset(numbers + at, 0, count * sizeof(*numbers));
		inode_count_blocks(cut->inode, -(s64)count);
		cut->runs++;
	}
	return 0;
}

static bool all_holes(const u32 *numbers, u32 count)
{
	return !numbers[0] && run_length(numbers, count) == count;
}

/* A block of numbers that leads to file blocks from `base` on; freed when nothing is left in it. depth 1: of data. */
static int branch_cut(struct cut *cut, u32 *slot, u64 base, u32 depth)
{
	struct volume *volume = cut->inode->volume;
	u64 span = 1, low, high;
	u32 n = per_block(volume);
	struct buffer *buffer;
	int error;

	for (u32 i = 1; i < depth; i++)
		span *= n;
	if (!*slot || cut_full(cut) || base > cut->last || base + span * n <= cut->first)
		return 0;
	buffer = numbers_read(cut->inode, *slot);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	low = cut->first > base ? (cut->first - base) / span : 0;
	high = min((cut->last - base) / span, (u64)n - 1);
	error = handle_join(cut->handle, buffer);
	if (!error && depth == 1)
		error = numbers_cut(cut, buffer->data, (u32)low, (u32)high);
	for (u64 i = high + 1; depth > 1 && i > low && !error && !cut_full(cut); i--)
		error = branch_cut(cut, (u32 *)buffer->data + i - 1, base + (i - 1) * span, depth - 1);
	if (!error)
		handle_dirty(cut->handle, buffer);
	if (!error && all_holes(buffer->data, n)) {
		error = blocks_free(cut->handle, volume, *slot, 1, true);
		if (!error) {
			*slot = 0;
			inode_count_blocks(cut->inode, -1);
			cut->runs++;
		}
	}
	buffer_put(buffer);
	return error;
}

int indirect_remove_step(struct handle *handle, struct inode *inode, u32 first, u32 last, bool *more)
{
	struct cut cut = { .handle = handle, .inode = inode, .first = first, .last = last };
	u64 n = per_block(inode->volume), base[] = { DIRECT, DIRECT + n, DIRECT + n + n * n };
	int error = 0;

	cut.metadata = S_ISDIR(inode->node->attr.mode) || S_ISLNK(inode->node->attr.mode);
	for (u32 depth = 3; depth && !error && !cut_full(&cut); depth--)
		error = branch_cut(&cut, inode->block + DIRECT + depth - 1, base[depth - 1], depth);
	if (!error && !cut_full(&cut) && first < DIRECT)
		error = numbers_cut(&cut, inode->block, first, min(last, DIRECT - 1));
	*more = cut_full(&cut);
	return error;
}
