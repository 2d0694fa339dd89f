/* Suite of buffers, on a disk of memory that counts what is written, and fails on demand. */
#include <kumo/buffer.h>
#include <kumo/device.h>
#include <kumo/kunit.h>
#include <kumo/page.h>
#include <kumo/thread.h>

#define DISK_BYTES (256u << 10)

static char *bytes; /* of the disk */
static unsigned int writes;
static bool fail, hold;
static struct block_command *held;
static struct block_disk *disk;
static struct block_device *device;

static void move(struct block_command *command)
{
	struct block_piece_iter iter;
	u64 at = command->position;
	void *data;
	u32 size;

	block_piece_iter_init(&iter, command);
	for (; block_piece_next(&iter, &data, &size); at += size) {
		if (command->operation == BLOCK_READ)
			memcpy(data, bytes + at, size);
		else
			memcpy(bytes + at, data, size);
	}
}

static int fake_queue(struct block_command *command)
{
	if (command->operation == BLOCK_WRITE) {
		writes++;
		if (fail)
			return -EIO;
		if (hold) {
			held = command;
			return 0;
		}
	}
	if (command->operation != BLOCK_FLUSH)
		move(command);
	block_command_done(command, 0);
	return 0;
}

static const struct block_disk_ops fake_ops = { .queue = fake_queue };

static void disk_stop(void *unused)
{
	block_device_close(device, NULL);
	block_disk_stop(disk);
	block_disk_unregister(disk);
	block_disk_put(disk);
	kfree(bytes);
}

static int disk_start(struct kunit *test)
{
	struct block_disk_description description = {
		.name = "fakebuffer",
		.number = device_make(240, 0x8100),
		.minors = 1,
		.ops = &fake_ops,
		.owner = THIS_MODULE,
		.queue_count = 1,
		.depth = 8,
		.size_bytes = DISK_BYTES,
		.no_partitions = true,
		.limits = { .logical_block_size = 512,
			    .physical_block_size = 512,
			    .pieces_max = 16,
			    .piece_bytes_max = 65536,
			    .command_bytes_max = 65536 },
	};

	writes = 0;
	fail = hold = false;
	held = NULL;
	bytes = kmalloc(DISK_BYTES, GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	for (u32 i = 0; i < DISK_BYTES; i++)
		bytes[i] = (char)(i >> 10);
	disk = block_disk_create(&description);
	if (IS_ERR(disk) || block_disk_register(disk))
		return -ENOMEM;
	device = block_device_open(description.number, true, NULL);
	if (IS_ERR(device))
		return -ENXIO;
	kunit_add_action(test, disk_stop, NULL);
	return 0;
}

static void a_block_is_read_and_stays(struct kunit *test)
{
	struct buffer *first = buffer_read(device, 5, 1024), *again;

	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	KUNIT_EXPECT_EQ(test, *(char *)first->data, 5);
	KUNIT_EXPECT_EQ(test, ((char *)first->data)[1023], 5);
	again = buffer_read(device, 5, 1024);
	KUNIT_EXPECT_PTR_EQ(test, again, first);
	buffer_put(again);
	buffer_put(first);
	again = buffer_read(device, 5, 1024);
	KUNIT_EXPECT_PTR_EQ(test, again, first);
	buffer_put(again);
}

static void neighbours_share_a_page(struct kunit *test)
{
	struct buffer *first = buffer_read(device, 4, 1024), *second = buffer_read(device, 5, 1024);

	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	KUNIT_ASSERT_FALSE(test, IS_ERR(second));
	KUNIT_EXPECT_PTR_EQ(test, second->data, first->data + 1024);
	buffer_put(first);
	buffer_put(second);
}

static void what_is_written_is_on_the_disk(struct kunit *test)
{
	struct buffer *buffer = buffer_read(device, 7, 4096);

	KUNIT_ASSERT_FALSE(test, IS_ERR(buffer));
	memset(buffer->data, 0x55, 4096);
	buffer_mark_dirty(buffer);
	KUNIT_EXPECT_TRUE(test, buffer_is_dirty(buffer));
	KUNIT_EXPECT_NE(test, bytes[7 * 4096], 0x55);
	KUNIT_EXPECT_EQ(test, buffer_write(buffer, BLOCK_FUA), 0);
	KUNIT_EXPECT_FALSE(test, buffer_is_dirty(buffer));
	KUNIT_EXPECT_EQ(test, bytes[7 * 4096], 0x55);
	KUNIT_EXPECT_EQ(test, bytes[8 * 4096 - 1], 0x55);
	buffer_put(buffer);
}

static void a_sync_writes_what_is_dirty_and_not_pinned(struct kunit *test)
{
	struct buffer *pinned = buffer_read(device, 10, 1024), *other = buffer_read(device, 11, 1024);

	KUNIT_ASSERT_FALSE(test, IS_ERR(pinned));
	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	memset(pinned->data, 0x11, 1024);
	memset(other->data, 0x22, 1024);
	buffer_pin(pinned);
	buffer_mark_dirty(pinned);
	buffer_mark_dirty(other);
	buffer_put(other); /* dirty and unused: still written */
	KUNIT_EXPECT_EQ(test, buffers_sync(device), 0);
	KUNIT_EXPECT_EQ(test, bytes[10 << 10], 10);
	KUNIT_EXPECT_EQ(test, bytes[11 << 10], 0x22);
	buffer_unpin(pinned);
	KUNIT_EXPECT_EQ(test, buffers_sync(device), 0);
	KUNIT_EXPECT_EQ(test, bytes[10 << 10], 0x11);
	buffer_put(pinned);
}

static void dirty_neighbours_are_written_together(struct kunit *test)
{
	for (u64 block = 16; block < 24; block++) {
		struct buffer *buffer = buffer_get(device, block, 1024);

		KUNIT_ASSERT_FALSE(test, IS_ERR(buffer));
		memset(buffer->data, 0x33, 1024);
		buffer_mark_dirty(buffer);
		buffer_put(buffer);
	}
	KUNIT_EXPECT_EQ(test, buffers_sync(device), 0);
	KUNIT_EXPECT_EQ(test, writes, 1);
	KUNIT_EXPECT_EQ(test, bytes[(24 << 10) - 1], 0x33);
}

static void what_was_forgotten_is_not_written(struct kunit *test)
{
	struct buffer *buffer = buffer_read(device, 30, 1024);

	KUNIT_ASSERT_FALSE(test, IS_ERR(buffer));
	memset(buffer->data, 0x44, 1024);
	buffer_mark_dirty(buffer);
	buffers_forget(device, 29, 4, 1024);
	KUNIT_EXPECT_FALSE(test, buffer_is_dirty(buffer));
	KUNIT_EXPECT_EQ(test, buffers_sync(device), 0);
	KUNIT_EXPECT_EQ(test, bytes[30 << 10], 30);
	buffer_put(buffer);
}

static void an_error_is_kept_until_it_is_told(struct kunit *test)
{
	struct buffer *buffer = buffer_read(device, 31, 1024);

	KUNIT_ASSERT_FALSE(test, IS_ERR(buffer));
	fail = true;
	KUNIT_EXPECT_EQ(test, buffer_write(buffer, 0), -EIO);
	KUNIT_EXPECT_EQ(test, buffer_wait(buffer), 0);
	KUNIT_EXPECT_EQ(test, buffers_sync(device), -EIO);
	KUNIT_EXPECT_EQ(test, buffers_sync(device), 0);
	fail = false;
	KUNIT_EXPECT_EQ(test, buffer_write(buffer, 0), 0);
	buffer_put(buffer);
}

static int release_later(void *unused)
{
	sleep_ns(20 * NSEC_PER_MSEC);
	move(held);
	block_command_done(held, 0);
	return 0;
}

static void the_lock_waits_for_a_write_in_flight(struct kunit *test)
{
	struct buffer *buffer = buffer_read(device, 40, 1024);
	struct thread *helper;

	KUNIT_ASSERT_FALSE(test, IS_ERR(buffer));
	memset(buffer->data, 0x66, 1024);
	hold = true;
	buffer_submit(buffer, 0);
	helper = kthread_run(release_later, NULL, "release");
	KUNIT_ASSERT_FALSE(test, IS_ERR(helper));
	buffer_lock(buffer);
	KUNIT_EXPECT_EQ(test, bytes[40 << 10], 0x66); /* all of the old bytes went */
	memset(buffer->data, 0x77, 1024);
	buffer_unlock(buffer);
	hold = false;
	kthread_stop(helper);
	KUNIT_EXPECT_EQ(test, buffer_wait(buffer), 0);
	buffer_put(buffer);
}

static void another_size_takes_the_place_of_an_unused_buffer(struct kunit *test)
{
	struct buffer *small = buffer_read(device, 48, 1024), *large;

	KUNIT_ASSERT_FALSE(test, IS_ERR(small));
	large = buffer_read(device, 12, 4096);
	KUNIT_EXPECT_EQ(test, PTR_ERR(large), -EBUSY);
	buffer_put(small);
	large = buffer_read(device, 12, 4096);
	KUNIT_ASSERT_FALSE(test, IS_ERR(large));
	KUNIT_EXPECT_EQ(test, *(char *)large->data, 48);
	buffer_put(large);
}

static void blocks_that_are_not_there_are_refused(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_read(device, DISK_BYTES / 1024, 1024)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_read(device, ~0ULL, 1024)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_read(device, 0, 8192)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_read(device, 0, 1000)), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_block_is_read_and_stays),
	KUNIT_CASE(neighbours_share_a_page),
	KUNIT_CASE(what_is_written_is_on_the_disk),
	KUNIT_CASE(a_sync_writes_what_is_dirty_and_not_pinned),
	KUNIT_CASE(dirty_neighbours_are_written_together),
	KUNIT_CASE(what_was_forgotten_is_not_written),
	KUNIT_CASE(an_error_is_kept_until_it_is_told),
	KUNIT_CASE(the_lock_waits_for_a_write_in_flight),
	KUNIT_CASE(another_size_takes_the_place_of_an_unused_buffer),
	KUNIT_CASE(blocks_that_are_not_there_are_refused),
	{},
};
static struct kunit_suite suite = { .name = "buffer", .init = disk_start, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
