/* Virtqueues against a device that keeps to no rules: this file plays the device, on memory that the queue shares with it. */
#include "virtio.h"

#include <kumo/err.h>
#include <kumo/kunit.h>
#include <kumo/string.h>

#define SIZE 8

/* The part of a queue that the device writes (virtio 1.2, 2.7.8). */
struct used_ring {
	u16 flags, index;
	struct {
		u32 id, length;
	} entries[SIZE];
};

static unsigned int callbacks, config_changes;

static void status_set(struct virtio_device *device, u8 status)
{
}

static u16 queue_size(struct virtio_device *device, unsigned int index)
{
	return index ? 0 : SIZE;
}

static int queue_start(struct virtqueue *queue)
{
	return 0;
}

static void notify(struct virtqueue *queue)
{
}

static const struct virtio_transport transport = {
	.status_set = status_set,
	.queue_size = queue_size,
	.queue_start = queue_start,
	.notify = notify,
};

static void count_callback(struct virtqueue *queue)
{
	callbacks++;
}

static void count_config_change(struct virtio_device *device)
{
	config_changes++;
}

static struct virtio_driver driver = { .name = "ring_test", .config_changed = count_config_change };
static struct virtio_device device;
static struct virtqueue *queue;
static u8 memory[SIZE][64];

static int queue_make(struct kunit *test)
{
	device = (struct virtio_device){ .transport = &transport, .driver = &driver };
	spin_init(&device.queues_lock, "ring_test");
	callbacks = config_changes = 0;
	queue = virtqueue_create(&device, 0, SIZE, count_callback, NULL);
	return IS_ERR(queue) ? (int)PTR_ERR(queue) : 0;
}

static void queue_destroy(struct kunit *test)
{
	while (virtqueue_reclaim(queue))
		;
	virtqueues_destroy(&device);
}

static int add(unsigned int slot)
{
	struct virtio_buffer buffer = { memory[slot], sizeof(memory[slot]) };

	return virtqueue_add(queue, &buffer, 0, 1, memory[slot]);
}

/* The device says that it has used a buffer. */
static void answer(u32 id, u32 length)
{
	struct used_ring *used = (struct used_ring *)queue->used;

	used->entries[used->index % SIZE].id = id;
	used->entries[used->index % SIZE].length = length;
	smp_store_release(&used->index, (u16)(used->index + 1));
}

static void an_answer_gives_the_request_back(struct kunit *test)
{
	u32 written = 0;

	KUNIT_ASSERT_EQ(test, add(0), 0);
	KUNIT_EXPECT_NULL(test, virtqueue_take(queue, &written));
	answer(0, 5);
	KUNIT_EXPECT_PTR_EQ(test, virtqueue_take(queue, &written), (void *)memory[0]);
	KUNIT_EXPECT_EQ(test, written, 5u);
	KUNIT_EXPECT_NULL(test, virtqueue_take(queue, &written));
}

static void more_bytes_than_there_was_room_for_are_not_believed(struct kunit *test)
{
	u32 written = 0;

	KUNIT_ASSERT_EQ(test, add(0), 0);
	answer(0, ~0U);
	KUNIT_ASSERT_NOT_NULL(test, virtqueue_take(queue, &written));
	KUNIT_EXPECT_EQ(test, written, (u32)sizeof(memory[0]));
}

static void a_buffer_that_the_device_does_not_have_stops_the_queue(struct kunit *test)
{
	u32 written = 0;

	KUNIT_ASSERT_EQ(test, add(0), 0);
	answer(3, 1);
	KUNIT_EXPECT_NULL(test, virtqueue_take(queue, &written));
	answer(0, 1);
	KUNIT_EXPECT_NULL(test, virtqueue_take(queue, &written));
	KUNIT_EXPECT_EQ(test, add(1), -EIO);
}

static void a_buffer_is_given_back_once(struct kunit *test)
{
	u32 written = 0;

	KUNIT_ASSERT_EQ(test, add(0), 0);
	answer(0, 1);
	answer(0, 1);
	KUNIT_EXPECT_NOT_NULL(test, virtqueue_take(queue, &written));
	KUNIT_EXPECT_NULL(test, virtqueue_take(queue, &written));
	KUNIT_EXPECT_EQ(test, add(1), -EIO);
}

static void an_index_that_jumps_gives_no_more_than_was_asked_for(struct kunit *test)
{
	struct used_ring *used = (struct used_ring *)queue->used;
	unsigned int taken = 0;
	u32 written;

	for (unsigned int i = 0; i < SIZE; i++)
		KUNIT_ASSERT_EQ(test, add(i), 0);
	KUNIT_EXPECT_EQ(test, add(0), -ENOSPC);
	for (u32 i = 0; i < SIZE; i++)
		used->entries[i].id = i;
	smp_store_release(&used->index, 0x7fff);
	while (virtqueue_take(queue, &written))
		taken++;
	KUNIT_EXPECT_EQ(test, taken, (unsigned int)SIZE);
}

static void interrupts_reach_the_driver_only_while_the_device_is_ready(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, add(0), 0);
	answer(0, 1);
	virtqueues_interrupt(&device);
	virtio_config_interrupt(&device);
	KUNIT_EXPECT_EQ(test, callbacks + config_changes, 0u);

	virtio_device_ready(&device);
	virtqueues_interrupt(&device);
	virtio_config_interrupt(&device);
	KUNIT_EXPECT_EQ(test, callbacks, 1u);
	KUNIT_EXPECT_EQ(test, config_changes, 1u);

	virtio_device_reset(&device);
	virtqueues_interrupt(&device);
	virtio_config_interrupt(&device);
	KUNIT_EXPECT_EQ(test, callbacks + config_changes, 2u);
}

static void a_queue_that_the_device_does_not_have_is_not_made(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, virtqueue_create(&device, 1, SIZE, NULL, NULL),
			    (struct virtqueue *)ERR_PTR(-ENOENT));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(an_answer_gives_the_request_back),
	KUNIT_CASE(more_bytes_than_there_was_room_for_are_not_believed),
	KUNIT_CASE(a_buffer_that_the_device_does_not_have_stops_the_queue),
	KUNIT_CASE(a_buffer_is_given_back_once),
	KUNIT_CASE(an_index_that_jumps_gives_no_more_than_was_asked_for),
	KUNIT_CASE(interrupts_reach_the_driver_only_while_the_device_is_ready),
	KUNIT_CASE(a_queue_that_the_device_does_not_have_is_not_made),
	{},
};

static struct kunit_suite suite = {
	.name = "virtqueue",
	.init = queue_make,
	.exit = queue_destroy,
	.test_cases = cases,
};
kunit_test_suite(suite);

MODULE_DESCRIPTION("tests of virtqueues");
MODULE_LICENSE("MIT");
