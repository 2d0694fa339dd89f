/*
 * The tree of extents on a volume that this file plays: blocks are numbers that are given out and taken back, and buffers are memory.
 * What a file has is compared with a table of all its blocks.
 */
#include "ext4.h"

#include <kumo/kunit.h>
#include <kumo/kva.h>

#define buffer_read test_buffer_read
#define buffer_put test_buffer_put
static struct buffer *test_buffer_read(struct block_device *device, u64 block, u32 size);
static void test_buffer_put(struct buffer *buffer);
#include "extents.c"
#include "checksum.c"
#undef buffer_read
#undef buffer_put

#define VOLUME_BLOCKS 4096
#define FILE_BLOCKS 1500
#define BLOCK 1024

static struct playground {
	struct volume volume;
	struct node node;
	struct inode inode;
	struct handle handle;
	u8 used[VOLUME_BLOCKS];
	struct buffer *buffers[VOLUME_BLOCKS];
	u32 held;	/* references to buffers */
	s64 used_count; /* as the inode was told */
	u64 random;
	struct {
		u64 physical;
		enum map_kind kind;
	} model[FILE_BLOCKS];
} * play;

/* ---- The volume ---- */

static struct buffer *test_buffer_read(struct block_device *device, u64 block, u32 size)
{
	struct buffer *buffer = block < VOLUME_BLOCKS ? play->buffers[block] : NULL;

	if (block >= VOLUME_BLOCKS)
		return ERR_PTR(-EIO);
	if (!buffer) {
		buffer = kzalloc(sizeof(*buffer) + BLOCK, GFP_KERNEL);
		if (!buffer)
			return ERR_PTR(-ENOMEM);
		buffer->data = buffer + 1;
		buffer->block = block;
		buffer->size = BLOCK;
		play->buffers[block] = buffer;
	}
	play->held++;
	return buffer;
}

static void test_buffer_put(struct buffer *buffer)
{
	play->held--;
}

struct buffer *map_block_new(struct handle *handle, struct inode *inode, u64 goal, enum owner_kind kind)
{
	struct buffer *buffer;
	u32 block = 1;

	while (block < VOLUME_BLOCKS && play->used[block])
		block++;
	buffer = test_buffer_read(NULL, block, BLOCK);
	if (IS_ERR(buffer))
		return buffer;
	play->used[block] = true;
	play->used_count++;
	memset(buffer->data, 0, BLOCK);
	buffer->owner = owner_make(inode->number, kind);
	return buffer;
}

int blocks_free(struct handle *handle, struct volume *volume, u64 first, u64 count, bool metadata)
{
	for (u64 block = first; block < first + count; block++) {
		if (block >= VOLUME_BLOCKS || !play->used[block])
			return -EUCLEAN;
		play->used[block] = false;
		if (play->buffers[block])
			play->buffers[block]->owner = 0;
	}
	return 0;
}

bool volume_data_valid(const struct volume *volume, u64 first, u64 count)
{
	return first && first + count <= VOLUME_BLOCKS;
}

bool inode_number_valid(const struct volume *volume, u32 number)
{
	return true;
}

int volume_damaged(struct volume *volume, u32 inode, u64 block, const char *format, ...)
{
	return -EUCLEAN;
}

int buffer_owned(struct volume *volume, struct buffer *buffer, u32 inode, enum owner_kind kind)
{
	if (!buffer->owner || buffer->owner == owner_make(inode, kind))
		return buffer->owner != 0;
	return -EUCLEAN;
}

int handle_join(struct handle *handle, struct buffer *buffer)
{
	return 0;
}

void handle_dirty(struct handle *handle, struct buffer *buffer)
{
}

void inode_count_blocks(struct inode *inode, s64 blocks)
{
	play->used_count += blocks;
}

static void playground_free(void *unused)
{
	for (u32 i = 0; i < VOLUME_BLOCKS; i++)
		kfree(play->buffers[i]);
	kvfree(play);
	play = NULL;
}

static int playground_make(struct kunit *test)
{
	play = kvmalloc(sizeof(*play), GFP_KERNEL | GFP_ZERO);
	if (!play)
		return -ENOMEM;
	kunit_add_action(test, playground_free, NULL);
	play->volume.block_size = BLOCK;
	play->volume.block_bits = 10;
	play->volume.block_count = VOLUME_BLOCKS;
	play->volume.metadata_checksums = true;
	play->node.attr.mode = S_IFREG;
	play->node.private = &play->inode;
	play->inode.volume = &play->volume;
	play->inode.node = &play->node;
	play->inode.number = 12;
	play->random = 88172645463325252ULL;
	return extents_init(&play->inode);
}

/* ---- Files ---- */

static u32 random_below(u32 below)
{
	play->random ^= play->random << 13;
	play->random ^= play->random >> 7;
	play->random ^= play->random << 17;
	return (u32)(play->random >> 16) % below;
}

/* Blocks for a hole of the file, in a row from `physical` on, which are free. */
static int insert(u32 block, u32 count, u64 physical, enum map_kind kind)
{
	struct mapping mapping = { .block = block, .count = count, .physical = physical, .kind = kind };

	for (u32 i = 0; i < count; i++) {
		play->used[physical + i] = true;
		play->model[block + i].physical = physical + i;
		play->model[block + i].kind = kind;
	}
	play->used_count += count;
	return extents_insert(&play->handle, &play->inode, &mapping);
}

static int remove(u32 first, u32 last)
{
	bool more = true;
	int error = 0;

	while (more && !error)
		error = extents_remove_step(&play->handle, &play->inode, first, last, &more);
	for (u32 i = first; i <= last && i < FILE_BLOCKS; i++)
		play->model[i].kind = MAP_HOLE;
	return error;
}

/* The tree says of every block what the model says, and counts what is used. */
static void compare(struct kunit *test)
{
	u32 used = 0;

	for (u32 block = 0; block < FILE_BLOCKS;) {
		struct mapping mapping;

		KUNIT_ASSERT_EQ(test, extents_find(&play->inode, block, &mapping), 0);
		KUNIT_ASSERT_GT(test, mapping.count, 0);
		for (u32 i = 0; i < mapping.count && block < FILE_BLOCKS; i++, block++) {
			KUNIT_ASSERT_EQ_MSG(test, play->model[block].kind, mapping.kind, "block %u",
					    block);
			if (mapping.kind != MAP_HOLE)
				KUNIT_ASSERT_EQ(test, play->model[block].physical, mapping.physical + i);
		}
	}
	for (u32 i = 0; i < VOLUME_BLOCKS; i++)
		used += play->used[i];
	KUNIT_ASSERT_EQ(test, used, play->used_count);
	KUNIT_ASSERT_EQ(test, play->held, 0);
	KUNIT_ASSERT_EQ(test, extents_check_root(&play->inode), 0);
}

/* ---- Cases ---- */

static void an_empty_file_is_one_hole(struct kunit *test)
{
	struct mapping mapping;

	KUNIT_ASSERT_EQ(test, extents_find(&play->inode, 7, &mapping), 0);
	KUNIT_EXPECT_EQ(test, mapping.kind, MAP_HOLE);
	KUNIT_EXPECT_EQ(test, mapping.count, MAP_BLOCKS_MAX - 7);
}

static void neighbours_become_one(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, insert(0, 10, 1000, MAP_WRITTEN), 0);
	KUNIT_ASSERT_EQ(test, insert(20, 10, 1020, MAP_WRITTEN), 0);
	KUNIT_ASSERT_EQ(test, root_of(&play->inode)->entries, 2);
	KUNIT_ASSERT_EQ(test, insert(10, 10, 1010, MAP_WRITTEN), 0);
	KUNIT_EXPECT_EQ(test, root_of(&play->inode)->entries, 1);
	KUNIT_ASSERT_EQ(test, insert(30, 5, 1030, MAP_UNWRITTEN), 0); /* of another kind */
	KUNIT_EXPECT_EQ(test, root_of(&play->inode)->entries, 2);
	compare(test);
}

static void what_is_written_becomes_so_in_the_middle(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, insert(0, 30, 1000, MAP_UNWRITTEN), 0);
	KUNIT_ASSERT_EQ(test, extents_convert(&play->handle, &play->inode, 10, 5), 0);
	for (u32 i = 10; i < 15; i++)
		play->model[i].kind = MAP_WRITTEN;
	KUNIT_EXPECT_EQ(test, root_of(&play->inode)->entries, 3);
	compare(test);
	KUNIT_ASSERT_EQ(test, extents_convert(&play->handle, &play->inode, 0, 10), 0);
	KUNIT_ASSERT_EQ(test, extents_convert(&play->handle, &play->inode, 15, 15), 0);
	for (u32 i = 0; i < 30; i++)
		play->model[i].kind = MAP_WRITTEN;
	KUNIT_EXPECT_EQ(test, root_of(&play->inode)->entries, 1);
	compare(test);
}

static void a_full_root_grows_and_shrinks_again(struct kunit *test)
{
	for (u32 i = 0; i < 600; i++) { /* in an order that splits everywhere; no two lie together */
		u32 at = i * 7 % 600;

		KUNIT_ASSERT_EQ(test, insert(at * 2, 1, 1000 + at * 2, MAP_WRITTEN), 0);
	}
	KUNIT_EXPECT_GE(test, root_of(&play->inode)->depth, 2);
	compare(test);
	KUNIT_ASSERT_EQ(test, remove(10, MAP_BLOCKS_MAX), 0);
	compare(test);
	KUNIT_ASSERT_EQ(test, remove(0, MAP_BLOCKS_MAX), 0);
	KUNIT_EXPECT_EQ(test, root_of(&play->inode)->depth, 0);
	KUNIT_EXPECT_EQ(test, root_of(&play->inode)->entries, 0);
	KUNIT_EXPECT_EQ(test, play->used_count, 0);
	compare(test);
}

static void a_hole_is_punched_within_an_extent(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, insert(5, 100, 1000, MAP_WRITTEN), 0);
	KUNIT_ASSERT_EQ(test, remove(40, 59), 0);
	KUNIT_EXPECT_EQ(test, root_of(&play->inode)->entries, 2);
	KUNIT_EXPECT_EQ(test, play->used_count, 80);
	compare(test);
}

/* A run of holes of the file, and as long a run of free blocks; false: none was found soon. */
static bool places_find(u32 *block, u32 *count, u64 *physical)
{
	for (u32 tries = 0; tries < 50; tries++) {
		u32 wanted = 1 + random_below(30), got = 0;

		*block = random_below(FILE_BLOCKS - 30);
		*physical = 1000 + random_below(VOLUME_BLOCKS - 1040);
		while (got < wanted && play->model[*block + got].kind == MAP_HOLE &&
		       !play->used[*physical + got])
			got++;
		*count = got;
		if (got)
			return true;
	}
	return false;
}

static void random_changes_are_as_in_a_model(struct kunit *test)
{
	for (u32 step = 0; step < 3000; step++) {
		u32 block, count;
		u64 physical;

		switch (random_below(5)) {
		case 0:
			block = random_below(FILE_BLOCKS);
			KUNIT_ASSERT_EQ(test, remove(block, block + random_below(40)), 0);
			break;
		case 1: {
			struct mapping mapping;

			block = random_below(FILE_BLOCKS);
			KUNIT_ASSERT_EQ(test, extents_find(&play->inode, block, &mapping), 0);
			if (mapping.kind != MAP_UNWRITTEN)
				break;
			count = 1 + random_below(mapping.count);
			KUNIT_ASSERT_EQ(
				test, extents_convert(&play->handle, &play->inode, block, count), 0);
			for (u32 i = 0; i < count; i++)
				play->model[block + i].kind = MAP_WRITTEN;
			break;
		}
		default:
			if (places_find(&block, &count, &physical))
				KUNIT_ASSERT_EQ(test,
						insert(block, count, physical,
						       random_below(2) ? MAP_WRITTEN : MAP_UNWRITTEN),
						0);
		}
		if (step % 100 == 99)
			compare(test);
	}
	KUNIT_ASSERT_EQ(test, remove(0, MAP_BLOCKS_MAX), 0);
	KUNIT_EXPECT_EQ(test, play->used_count, 0);
}

static void a_damaged_node_is_refused(struct kunit *test)
{
	struct mapping mapping;
	struct extent_header *header;
	u64 child;

	for (u32 i = 0; i < 20; i++)
		KUNIT_ASSERT_EQ(test, insert(i * 2, 1, 1000 + i * 2, MAP_WRITTEN), 0);
	child = child_of(indexes_of(root_of(&play->inode)));
	header = play->buffers[child]->data;
	play->buffers[child]->owner = 0; /* as if it were read anew */
	KUNIT_ASSERT_EQ(test, extents_find(&play->inode, 0, &mapping), 0);
	extents_of(header)[1].block = 0; /* two at one place */
	play->buffers[child]->owner = 0;
	KUNIT_EXPECT_EQ(test, extents_find(&play->inode, 0, &mapping), -EUCLEAN);
	extents_of(header)[1].block = 2;
	play->buffers[child]->owner = owner_make(13, OWNER_EXTENTS); /* another inode's */
	KUNIT_EXPECT_EQ(test, extents_find(&play->inode, 0, &mapping), -EUCLEAN);
	play->buffers[child]->owner = 0;
	header->entries--; /* the checksum is wrong */
	extents_of(header)[header->max - 1].length++;
	KUNIT_EXPECT_EQ(test, extents_find(&play->inode, 0, &mapping), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, play->held, 0);
}

static struct kunit_case cases[] = { KUNIT_CASE(an_empty_file_is_one_hole),
				     KUNIT_CASE(neighbours_become_one),
				     KUNIT_CASE(what_is_written_becomes_so_in_the_middle),
				     KUNIT_CASE(a_full_root_grows_and_shrinks_again),
				     KUNIT_CASE(a_hole_is_punched_within_an_extent),
				     KUNIT_CASE(random_changes_are_as_in_a_model),
				     KUNIT_CASE(a_damaged_node_is_refused),
				     {} };
static struct kunit_suite suite = { .name = "ext4_extents", .init = playground_make, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
