/* Entries in a block of a directory; where more blocks or an index would be needed, this file says that there are none. */
#include "ext4.h"

#include <kumo/kunit.h>

#define buffer_put test_buffer_put
static void test_buffer_put(struct buffer *buffer);
#include "directory.c"
#include "checksum.c"
#undef buffer_put

#define BLOCK 1024

static struct playground {
	struct volume volume;
	struct node node;
	struct inode dir;
	struct handle handle;
	struct buffer buffer;
	u32 joined;
	u64 bytes[BLOCK / 8];
} * play;

/* ---- What a directory of one block needs of the rest ---- */

struct buffer *map_read(struct inode *inode, u32 block)
{
	return block ? NULL : &play->buffer;
}

struct buffer *map_append(struct handle *handle, struct inode *inode, u32 *block)
{
	if (node_size(inode->node))
		return ERR_PTR(-ENOSPC);
	node_set_size(inode->node, BLOCK);
	play->buffer.owner = owner_make(inode->number, OWNER_DIRECTORY);
	*block = 0;
	return &play->buffer;
}

static void test_buffer_put(struct buffer *buffer)
{
}

#define NOT_HERE(type, name, ...)                                                                  \
	type name(__VA_ARGS__)                                                                     \
	{                                                                                          \
		return (type)-EUCLEAN;                                                             \
	}
NOT_HERE(int, htree_find, struct inode *dir, const struct name *name, struct dirent_place *place)
NOT_HERE(int, htree_add, struct handle *handle, struct inode *dir, const struct name *name,
	 u32 number, u8 type)
NOT_HERE(int, htree_make, struct handle *handle, struct inode *dir, const struct name *name,
	 u32 number, u8 type)
NOT_HERE(int, htree_read, struct inode *dir, struct dir_context *context)
NOT_HERE(int, htree_parent, struct inode *dir, struct dirent_place *place)
NOT_HERE(int, inline_directory_read, struct inode *dir, struct dir_context *context)
NOT_HERE(int, inline_directory_is_empty, struct inode *dir)
NOT_HERE(int, volume_damaged, struct volume *volume, u32 inode, u64 block, const char *format, ...)

void htree_root_changed(struct handle *handle, struct inode *dir, struct buffer *root)
{
}

int buffer_owned(struct volume *volume, struct buffer *buffer, u32 inode, enum owner_kind kind)
{
	return buffer->owner == owner_make(inode, kind);
}

int handle_join(struct handle *handle, struct buffer *buffer)
{
	play->joined++;
	return 0;
}

void handle_dirty(struct handle *handle, struct buffer *buffer)
{
}

void handle_dirty_unsealed(struct handle *handle, struct buffer *buffer, seal_function seal, u32 about)
{
	seal(&play->volume, buffer, about);
}

static int playground_make(struct kunit *test)
{
	play = kunit_kzalloc(test, sizeof(*play), GFP_KERNEL);
	if (!play)
		return -ENOMEM;
	play->volume.super = kunit_kzalloc(test, sizeof(struct super_disk), GFP_KERNEL);
	if (!play->volume.super)
		return -ENOMEM;
	play->volume.super->feature_incompat = INCOMPAT_FILETYPE;
	play->volume.block_size = BLOCK;
	play->volume.block_bits = 10;
	play->volume.inodes_count = 10000;
	play->volume.metadata_checksums = true;
	play->node.attr.mode = S_IFDIR;
	play->node.private = &play->dir;
	play->dir.volume = &play->volume;
	play->dir.node = &play->node;
	play->dir.number = 11;
	play->buffer.data = play->bytes;
	play->buffer.size = BLOCK;
	return directory_make(&play->handle, &play->dir, 2);
}

static struct name name_of(char *text, u32 number)
{
	return name_make(text, (u32)scnprintf(text, 32, "a_name_%u", number));
}

/* Reads the block as if it came from the disk, where every check is made. */
static void block_is_valid(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, block_fault(&play->dir, play->buffer.data), NULL);
}

/* ---- Cases ---- */

static void a_new_directory_has_its_dots(struct kunit *test)
{
	struct name dots = name_make("..", 2);
	struct dirent_place place;

	block_is_valid(test);
	KUNIT_EXPECT_EQ(test, directory_is_empty(&play->dir), 1);
	KUNIT_ASSERT_EQ(test, directory_find(&play->dir, &dots, &place), 0);
	KUNIT_EXPECT_EQ(test, place.entry->inode, 2);
	KUNIT_EXPECT_EQ(test, place.entry->type, 2);
	KUNIT_ASSERT_EQ(test, directory_parent(&play->dir, &place), 0);
	KUNIT_EXPECT_EQ(test, place.entry->inode, 2);
}

static void names_are_added_until_there_is_no_room(struct kunit *test)
{
	struct dirent_place place;
	char text[32];
	u32 count = 0;
	int error;

	do {
		struct name name = name_of(text, count);

		error = directory_add(&play->handle, &play->dir, &name, 100 + count, S_IFREG);
		count += !error;
	} while (!error);
	KUNIT_EXPECT_EQ(test, error, -ENOSPC);
	KUNIT_EXPECT_EQ(test, play->joined, count); /* a block without room has not joined */
	KUNIT_EXPECT_GT(test, count, 45);
	KUNIT_EXPECT_EQ(test, directory_is_empty(&play->dir), 0);
	block_is_valid(test);
	for (u32 i = 0; i < count; i++) {
		struct name name = name_of(text, i);

		KUNIT_ASSERT_EQ(test, directory_find(&play->dir, &name, &place), 0);
		KUNIT_EXPECT_EQ(test, place.entry->inode, 100 + i);
	}
}

static void what_is_removed_makes_room(struct kunit *test)
{
	struct dirent_place place;
	char text[32];
	struct name name;
	u32 count = 40;

	for (u32 i = 0; i < count; i++) {
		name = name_of(text, i);
		KUNIT_ASSERT_EQ(test,
				directory_add(&play->handle, &play->dir, &name, 100 + i, S_IFREG), 0);
	}
	for (u32 i = 0; i < count; i++) { /* from the middle out, so that rooms join in all ways */
		name = name_of(text, i * 17 % count);
		KUNIT_ASSERT_EQ(test, directory_find(&play->dir, &name, &place), 0);
		KUNIT_ASSERT_EQ(test, directory_remove(&play->handle, &play->dir, &place), 0);
		KUNIT_EXPECT_EQ(test, directory_find(&play->dir, &name, &place), -ENOENT);
		block_is_valid(test);
	}
	KUNIT_EXPECT_EQ(test, directory_is_empty(&play->dir), 1);
	name = name_make(
		"a name that takes much more than one of those that went, as long as they joined", 79);
	KUNIT_EXPECT_EQ(test, directory_add(&play->handle, &play->dir, &name, 7, S_IFDIR), 0);
	block_is_valid(test);
}

static void a_damaged_block_is_refused(struct kunit *test)
{
	struct dirent_disk *first = play->buffer.data;
	struct dirent_place place;
	struct name dots = name_make("..", 2);

	play->buffer.owner = 0;
	first->length += 4;
	KUNIT_EXPECT_EQ(test, directory_find(&play->dir, &dots, &place), -EUCLEAN);
	play->volume.metadata_checksums = false; /* without checksums the lengths must do */
	first->length = 13;
	KUNIT_EXPECT_EQ(test, directory_find(&play->dir, &dots, &place), -EUCLEAN);
	first->length = 0;
	KUNIT_EXPECT_EQ(test, directory_find(&play->dir, &dots, &place), -EUCLEAN);
	first->length = 2000;
	KUNIT_EXPECT_EQ(test, directory_find(&play->dir, &dots, &place), -EUCLEAN);
	first->length = BLOCK;
	first->inode = 10001;
	KUNIT_EXPECT_EQ(test, directory_find(&play->dir, &dots, &place), -EUCLEAN);
}

static struct kunit_case cases[] = { KUNIT_CASE(a_new_directory_has_its_dots),
				     KUNIT_CASE(names_are_added_until_there_is_no_room),
				     KUNIT_CASE(what_is_removed_makes_room),
				     KUNIT_CASE(a_damaged_block_is_refused),
				     {} };
static struct kunit_suite suite = { .name = "ext4_directory", .init = playground_make, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
