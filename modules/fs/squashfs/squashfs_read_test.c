/* Suite of reading metadata, over an image that this file puts together: blocks stored as they are, and such as may not be. */
#include "squashfs.h"

#include <kumo/buffer.h>
#include <kumo/kunit.h>

#define IMAGE_SIZE 65536u

static u8 *image;
static u32 complaints, reads;
static struct volume *volume;
static struct block_device *device;

/* What read.c has of the core's comes from the image. */
static struct buffer *image_buffer_read(struct block_device *unused, u64 block, u32 size)
{
	struct buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);

	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->data = image + block * size;
	return buffer;
}

static void image_buffer_put(struct buffer *buffer)
{
	kfree(buffer);
}

static int image_read_bytes(struct block_device *unused, u64 position, void *to, u32 length)
{
	reads++;
	if (position + length > IMAGE_SIZE)
		return -EIO;
	memcpy(to, image + position, length);
	return 0;
}

#define buffer_read image_buffer_read
#define buffer_put image_buffer_put
#define block_read_bytes image_read_bytes
#include "read.c"

int volume_damaged(struct volume *unused, const char *format, ...)
{
	complaints++;
	return -EIO;
}

/* The compressed form of N bytes is their number and one of them. */
ssize_t decompress(struct decompressor *unused, const void *in, size_t in_size, void *out, size_t out_size)
{
	u16 length;

	memcpy(&length, in, sizeof(length));
	if (in_size != 3 || length > out_size)
		return -EIO;
	memset(out, ((const u8 *)in)[2], length);
	return length;
}

static int image_make(struct kunit *test)
{
	image = kunit_kzalloc(test, IMAGE_SIZE, GFP_KERNEL);
	device = kunit_kzalloc(test, sizeof(*device), GFP_KERNEL);
	volume = kunit_kzalloc(test, sizeof(*volume), GFP_KERNEL);
	if (!image || !device || !volume)
		return -ENOMEM;
	device->logical_block_size = 512;
	volume->device = device;
	volume->super.bytes_used = IMAGE_SIZE;
	volume->super.block_size = 8192;
	caches_init(volume);
	complaints = reads = 0;
	return 0;
}

static void image_end(struct kunit *test)
{
	if (volume)
		caches_free(volume);
}

/* A block of metadata at `at`: `length` bytes, stored as they are, each of them one more than the one before. Where the next goes. */
static u32 put_plain(u32 at, u16 length, u8 first)
{
	u16 header = length | METADATA_PLAIN;

	memcpy(image + at, &header, sizeof(header));
	for (u32 i = 0; i < length; i++)
		image[at + 2 + i] = (u8)(first + i);
	return at + 2 + length;
}

/* One that is compressed: `length` times `byte`. */
static u32 put_compressed(u32 at, u16 length, u8 byte)
{
	u16 header = 3;

	memcpy(image + at, &header, sizeof(header));
	memcpy(image + at + 2, &length, sizeof(length));
	image[at + 4] = byte;
	return at + 5;
}

static void metadata_goes_on_in_the_next_block(struct kunit *test)
{
	u32 second = put_plain(4096, METADATA_SIZE, 0), end = put_compressed(second, 100, 7);
	struct place place = place_make(4096, METADATA_SIZE - 2, end);
	u8 bytes[4];

	KUNIT_ASSERT_EQ(test, metadata_read(volume, &place, bytes, 4), 0);
	KUNIT_EXPECT_EQ(test, bytes[0], 0xFE);
	KUNIT_EXPECT_EQ(test, bytes[1], 0xFF);
	KUNIT_EXPECT_EQ(test, bytes[2], 7);
	KUNIT_EXPECT_EQ(test, place.block, second);
	KUNIT_EXPECT_EQ(test, place.offset, 2);
}

static void a_block_is_read_once(struct kunit *test)
{
	u32 end = put_plain(4096, 100, 0);
	u8 byte;

	for (u32 i = 0; i < 10; i++) {
		struct place place = place_make(4096, i, end);

		KUNIT_ASSERT_EQ(test, metadata_read(volume, &place, &byte, 1), 0);
		KUNIT_EXPECT_EQ(test, byte, i);
	}
	KUNIT_EXPECT_EQ(test, reads, 1);
}

static void what_may_not_be_is_an_error(struct kunit *test)
{
	u32 end = put_plain(4096, 100, 0);
	static const u64 references[] = {
		100,			     /* behind what the block holds */
		0xFFFF,			     /* far behind */
		0x10000ULL * 200,	     /* behind the table */
		0x10000ULL * 0xFFFFFFFFFFFF, /* behind everything */
	};
	u8 byte;

	for (u32 i = 0; i < ARRAY_SIZE(references); i++) {
		struct place place = place_make(4096, references[i], end);

		KUNIT_EXPECT_EQ(test, metadata_read(volume, &place, &byte, 1), -EIO);
	}
	KUNIT_EXPECT_EQ(test, complaints, ARRAY_SIZE(references));
}

static void lengths_are_checked(struct kunit *test)
{
	static const u16 headers[] = { METADATA_PLAIN, METADATA_PLAIN | (METADATA_SIZE + 1),
				       METADATA_SIZE + 1, 0 };
	struct place place;
	u8 byte;

	for (u32 i = 0; i < ARRAY_SIZE(headers); i++) {
		u32 at = 8192 + i * 8;

		memcpy(image + at, &headers[i], sizeof(headers[i]));
		place = place_make(at, 0, IMAGE_SIZE);
		KUNIT_EXPECT_EQ(test, metadata_read(volume, &place, &byte, 1), -EIO);
	}
	put_compressed(4096, METADATA_SIZE + 1, 1);
	place = place_make(4096, 0, IMAGE_SIZE);
	KUNIT_EXPECT_EQ_MSG(test, metadata_read(volume, &place, &byte, 1), -EIO,
			    "more comes out than may");
}

static void nothing_is_read_behind_the_image(struct kunit *test)
{
	u16 header = METADATA_PLAIN | 100;
	struct place place = place_make(IMAGE_SIZE - 10, 0, ~0ULL);
	u8 byte;

	memcpy(image + IMAGE_SIZE - 10, &header, sizeof(header));
	KUNIT_EXPECT_EQ(test, metadata_read(volume, &place, &byte, 1), -EIO);
	KUNIT_EXPECT_EQ(test, raw_read(volume, IMAGE_SIZE - 1, &header, 2), -EIO);
	KUNIT_EXPECT_EQ(test, raw_read(volume, ~0ULL, &header, 2), -EIO);
	KUNIT_EXPECT_EQ(test, reads, 0);
}

static u32 seen_length;
static u8 seen_byte;

static void see(void *context, const void *data, u32 length)
{
	seen_length = length;
	seen_byte = length ? *(const u8 *)data : 0;
}

static void data_is_plain_or_compressed(struct kunit *test)
{
	put_compressed(4094, 500, 9);
	memset(image + 5000, 5, 600);
	KUNIT_EXPECT_EQ(test, data_read(volume, 4096, 3, 8192, see, NULL), 0);
	KUNIT_EXPECT_EQ(test, seen_length, 500);
	KUNIT_EXPECT_EQ(test, seen_byte, 9);
	KUNIT_EXPECT_EQ(test, data_read(volume, 5000, 600 | DATA_PLAIN, 8192, see, NULL), 0);
	KUNIT_EXPECT_EQ(test, seen_length, 600);
	KUNIT_EXPECT_EQ(test, seen_byte, 5);
	KUNIT_EXPECT_EQ(test, data_read(volume, 6000, 8193 | DATA_PLAIN, 8192, see, NULL), -EIO);
	KUNIT_EXPECT_EQ(test, data_read(volume, 6000, 10 | DATA_PLAIN * 2, 8192, see, NULL), -EIO);
	KUNIT_EXPECT_EQ_MSG(test, data_read(volume, 0, 10 | DATA_PLAIN, 8192, see, NULL), -EIO,
			    "the superblock is no data");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(metadata_goes_on_in_the_next_block),
	KUNIT_CASE(a_block_is_read_once),
	KUNIT_CASE(what_may_not_be_is_an_error),
	KUNIT_CASE(lengths_are_checked),
	KUNIT_CASE(nothing_is_read_behind_the_image),
	KUNIT_CASE(data_is_plain_or_compressed),
	{},
};

static struct kunit_suite suite = {
	.name = "squashfs_read", .init = image_make, .exit = image_end, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
