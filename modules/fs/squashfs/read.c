/*
 * Bytes of the image: as they lie there, of metadata, of files. What was decompressed is kept in blocks whose number is fixed; a
 * block's place in the image says which of them it may be in. Who reads from one has its lock, so that two blocks are
 * decompressed at the same time, but none twice.
 */
#include "squashfs.h"

#include <kumo/buffer.h>
#include <kumo/kva.h>

#define BOUNCE_SIZE 65536u

/* ---- As they lie ---- */

static bool inside(const struct volume *volume, u64 position, u64 size)
{
	return position <= volume->super.bytes_used && size <= volume->super.bytes_used - position;
}

int raw_read(struct volume *volume, u64 position, void *to, u32 size)
{
	u32 block = volume->device->logical_block_size, done = 0;

	if (!inside(volume, position, size))
		return volume_damaged(volume, "something lies behind the end, at %llu",
				      (unsigned long long)position);
	while (done < size) {
		struct buffer *buffer = buffer_read(volume->device, (position + done) / block, block);
		u32 offset = (u32)((position + done) % block), part = min(block - offset, size - done);

		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		memcpy((char *)to + done, (char *)buffer->data + offset, part);
		buffer_put(buffer);
		done += part;
	}
	return 0;
}

/* Bytes in whole blocks of the device, past the buffers. The device writes to `bounce`, for `to` may not lie in one piece. */
static int raw_copy(struct volume *volume, u64 start, u64 end, char *to, char *bounce)
{
	int error = 0;

	while (start < end && !error) {
		u32 part = (u32)min(end - start, (u64)BOUNCE_SIZE);

		error = block_read_bytes(volume->device, start, bounce, part);
		if (!error)
			memcpy(to, bounce, part);
		start += part;
		to += part;
	}
	return error;
}

/* Many bytes: in memory that is the caller's to kvfree(); *at is where they are in it. ERR_PTR. */
static void *raw_take(struct volume *volume, u64 position, u32 size, void **at)
{
	u64 block = volume->device->logical_block_size, start = ALIGN_DOWN(position, block);
	u64 end = ALIGN_UP(position + size, block);
	char *bounce __free_kfree = NULL, *memory;
	int error = -ENOMEM;

	if (!inside(volume, position, size))
		return ERR_PTR(volume_damaged(volume, "something lies behind the end, at %llu",
					      (unsigned long long)position));
	bounce = kmalloc(min(end - start, (u64)BOUNCE_SIZE), GFP_KERNEL);
	memory = kvmalloc(end - start, GFP_KERNEL);
	if (bounce && memory)
		error = raw_copy(volume, start, end, memory, bounce);
	if (error) {
		kvfree(memory);
		return ERR_PTR(error);
	}
	*at = memory + (position - start);
	return memory;
}

/* ---- Blocks ---- */

/* Fills a cached block with what `stored` bytes at `position` are. Its lock is held. */
static int block_fill(struct volume *volume, struct cached_block *block, u64 position, u32 stored,
		      bool plain, u32 room, u32 most)
{
	void *at = NULL, *memory;
	ssize_t length = stored;

	block->position = 0;
	if (!block->data)
		block->data = kvmalloc(room, GFP_KERNEL);
	if (!block->data)
		return -ENOMEM;
	if (!stored || (plain && stored > most))
		return volume_damaged(volume, "a block of %u bytes at %llu", stored,
				      (unsigned long long)position);
	memory = raw_take(volume, position, stored, &at);
	if (IS_ERR(memory))
		return (int)PTR_ERR(memory);
	if (plain)
		memcpy(block->data, at, stored);
	else
		length = decompress(&volume->decompressor, at, stored, block->data, most);
	kvfree(memory);
	if (length == -EIO)
		return volume_damaged(volume, "the block at %llu cannot be decompressed",
				      (unsigned long long)position);
	if (length < 0)
		return (int)length;
	block->length = (u32)length;
	block->position = position;
	return 0;
}

static struct cached_block *block_of(struct cached_block *blocks, u32 count, u64 position)
{
	return &blocks[hash_u64(position) % count];
}

int data_read(struct volume *volume, u64 position, u32 size, u32 most,
	      void (*each)(void *context, const void *data, u32 length), void *context)
{
	struct cached_block *block = block_of(volume->data, DATA_BLOCKS, position);
	u32 stored = size & (DATA_PLAIN - 1);
	int error = mutex_lock_killable(&block->lock);

	if (error)
		return error;
	if (size > DATA_PLAIN * 2 - 1 || stored > volume->super.block_size ||
	    position < sizeof(volume->super))
		error = volume_damaged(volume, "a block of %u bytes of data", size);
	else if (block->position != position)
		error = block_fill(volume, block, position, stored, size & DATA_PLAIN,
				   volume->super.block_size, most);
	if (!error)
		each(context, block->data, min(block->length, most));
	mutex_unlock(&block->lock);
	return error;
}

/* ---- Metadata ---- */

struct place place_make(u64 table, u64 reference, u64 end)
{
	return (struct place){ .block = table + reference_block(reference),
			       .offset = reference_offset(reference),
			       .end = end };
}

static int metadata_fill(struct volume *volume, struct cached_block *block, u64 position)
{
	u16 header;
	u32 stored;
	int error = raw_read(volume, position, &header, sizeof(header));

	if (error)
		return error;
	stored = header & (METADATA_PLAIN - 1);
	if (!stored)
		stored = METADATA_PLAIN; /* which is more than there may be */
	if (stored > METADATA_SIZE)
		return volume_damaged(volume, "a block of %u bytes of metadata", stored);
	error = block_fill(volume, block, position + sizeof(header), stored,
			   header & METADATA_PLAIN, METADATA_SIZE, METADATA_SIZE);
	if (error)
		return error;
	block->position = position;
	block->next = position + sizeof(header) + stored;
	return 0;
}

/* What of the bytes lies in the place's block, at least one of them. */
static int metadata_part(struct volume *volume, struct place *place, void *to, u32 size, u32 *part)
{
	struct cached_block *block = block_of(volume->metadata, METADATA_BLOCKS, place->block);
	int error = mutex_lock_killable(&block->lock);

	if (error)
		return error;
	if (block->position != place->block)
		error = metadata_fill(volume, block, place->block);
	if (!error && place->offset >= block->length)
		error = volume_damaged(volume, "offset %u in metadata of %u bytes", place->offset,
				       block->length);
	if (!error) {
		*part = min(size, block->length - place->offset);
		if (to)
			memcpy(to, (char *)block->data + place->offset, *part);
		place->offset += *part;
		if (place->offset == block->length && block->length == METADATA_SIZE) {
			place->block = block->next;
			place->offset = 0;
		}
	}
	mutex_unlock(&block->lock);
	return error;
}

int metadata_read(struct volume *volume, struct place *place, void *to, u32 size)
{
	u32 part = 0;
	int error = 0;

	while (size && !error) {
		if (place->block < sizeof(volume->super) || place->block >= place->end)
			return volume_damaged(volume, "metadata is sought outside of its table, at %llu",
					      (unsigned long long)place->block);
		error = metadata_part(volume, place, to, size, &part);
		size -= part;
		to = to ? (char *)to + part : NULL;
	}
	return error;
}

/* ---- The beginning and the end ---- */

void caches_init(struct volume *volume)
{
	for (u32 i = 0; i < METADATA_BLOCKS; i++)
		mutex_init(&volume->metadata[i].lock, "squashfs_metadata");
	for (u32 i = 0; i < DATA_BLOCKS; i++)
		mutex_init(&volume->data[i].lock, "squashfs_data");
}

void caches_free(struct volume *volume)
{
	for (u32 i = 0; i < METADATA_BLOCKS; i++)
		kvfree(volume->metadata[i].data);
	for (u32 i = 0; i < DATA_BLOCKS; i++)
		kvfree(volume->data[i].data);
}
