/* Suite of the block layer, on a disk of memory whose commands can be held back, failed and lost. */
#include <kumo/block.h>
#include <kumo/device.h>
#include <kumo/kunit.h>
#include <kumo/page.h>
#include <kumo/thread.h>

#define DISK_BYTES (1u << 20)
#define LOG_MAX 256

struct logged {
	enum block_operation operation;
	unsigned int flags;
	u64 position, length;
};

struct fixture {
	struct block_disk *disk;
	char *bytes;		    /* of the disk */
	struct page *pages;	    /* a mebibyte for requests */
	struct logged log[LOG_MAX]; /* commands in the order in which they came */
	unsigned int count, pieces_most;
	bool hold;	  /* commands stay until released */
	bool refuse;	  /* -EBUSY */
	u64 bad_position; /* a write or read of this byte fails */
	struct block_command *held[LOG_MAX];
	unsigned int held_count, resets;
};

static bool covers(const struct block_command *command, u64 position)
{
	return position >= command->position && position < command->position + command->length;
}

static int execute(struct fixture *fixture, struct block_command *command)
{
	struct block_piece_iter iter;
	u64 at = command->position;
	unsigned int pieces = 0;
	void *data;
	u32 size;

	if (covers(command, fixture->bad_position))
		return -EIO;
	if (command->operation != BLOCK_READ && command->operation != BLOCK_WRITE)
		return 0;
	block_piece_iter_init(&iter, command);
	while (block_piece_next(&iter, &data, &size)) {
		if (command->operation == BLOCK_READ)
			memcpy(data, fixture->bytes + at, size);
		else
			memcpy(fixture->bytes + at, data, size);
		at += size;
		pieces++;
	}
	fixture->pieces_most = max(fixture->pieces_most, pieces);
	return at == command->position + command->length ? 0 : -EIO;
}

static int fake_queue(struct block_command *command)
{
	struct fixture *fixture = command->queue->disk->private;

	if (fixture->refuse)
		return -EBUSY;
	if (fixture->count < LOG_MAX)
		fixture->log[fixture->count++] = (struct logged){ command->operation, command->flags,
								  command->position, command->length };
	if (fixture->hold)
		fixture->held[fixture->held_count++] = command;
	else
		block_command_done(command, execute(fixture, command));
	return 0;
}

static int fake_reset(struct block_disk *disk)
{
	struct fixture *fixture = disk->private;
	unsigned int count = fixture->held_count;

	fixture->resets++;
	fixture->hold = false;
	fixture->held_count = 0;
	for (unsigned int i = 0; i < count; i++)
		block_command_done(fixture->held[i], -ERESTART);
	return 0;
}

static void release_held(struct fixture *fixture, int error)
{
	unsigned int count = fixture->held_count;

	fixture->held_count = 0;
	for (unsigned int i = 0; i < count; i++)
		block_command_done(fixture->held[i],
				   error ? error : execute(fixture, fixture->held[i]));
}

static const struct block_disk_ops fake_ops = { .queue = fake_queue, .reset = fake_reset };

static struct block_disk_description description_of(struct fixture *fixture)
{
	return (struct block_disk_description){
		.name = "fake0",
		.number = device_make(240, 0x8000),
		.minors = 4,
		.ops = &fake_ops,
		.owner = THIS_MODULE,
		.private = fixture,
		.queue_count = 1,
		.depth = 4,
		.timeout_ns = 20 * NSEC_PER_MSEC,
		.size_bytes = DISK_BYTES,
		.limits = {
			.logical_block_size = 512,
			.physical_block_size = 4096,
			.pieces_max = 8,
			.piece_bytes_max = 8192,
			.command_bytes_max = 32768,
			.discard_bytes_max = 65536,
			.write_cache = true,
		},
	};
}

static void fixture_stop(void *context)
{
	struct fixture *fixture = context;

	block_disk_stop(fixture->disk);
	release_held(fixture, -EIO);
	block_disk_unregister(fixture->disk);
	block_disk_put(fixture->disk);
	page_free(fixture->pages, 8);
	kfree(fixture->bytes);
}

static struct fixture *fixture_start(struct kunit *test, bool cache)
{
	struct fixture *fixture = kunit_kzalloc(test, sizeof(*fixture), GFP_KERNEL);
	struct block_disk_description description;

	KUNIT_ASSERT_NOT_NULL(test, fixture);
	fixture->bad_position = ~0ULL;
	fixture->bytes = kmalloc(DISK_BYTES, GFP_KERNEL | GFP_ZERO);
	fixture->pages = page_alloc(8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fixture->bytes);
	KUNIT_ASSERT_NOT_NULL(test, fixture->pages);
	for (u32 i = 0; i < DISK_BYTES; i++)
		((char *)page_address(fixture->pages))[i] = (char)(i / 512 + i);
	description = description_of(fixture);
	description.limits.write_cache = cache;
	description.no_partitions = true;
	fixture->disk = block_disk_create(&description);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fixture->disk));
	KUNIT_ASSERT_EQ(test, block_disk_register(fixture->disk), 0);
	kunit_add_action(test, fixture_stop, fixture);
	return fixture;
}

/* A request of its own, with a segment for each page. */
struct item {
	struct block_request request;
	struct block_segment segments[64];
	struct completion done;
};

static void item_done(struct block_request *request)
{
	complete(&((struct item *)request->private)->done);
}

static struct item *item_make(struct kunit *test, struct fixture *fixture,
			      enum block_operation operation, unsigned int flags, u64 position,
			      u32 pages)
{
	struct item *item = kunit_kzalloc(test, sizeof(*item), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, item);
	completion_init(&item->done);
	for (u32 i = 0; i < pages; i++) /* every other page: nothing is contiguous */
		item->segments[i] = (struct block_segment){ fixture->pages + 2 * i, 0, PAGE_SIZE };
	block_request_init(&item->request, fixture->disk->whole, operation, flags, position,
			   item->segments, pages, item_done, item);
	return item;
}

static int item_wait(struct item *item)
{
	wait_for_completion(&item->done);
	return item->request.error;
}

static void adjacent_requests_of_a_plug_become_one_command(struct kunit *test)
{
	static const u64 order[] = { 4096, 8192, 0, 12288 };
	struct fixture *fixture = fixture_start(test, false);
	struct item *items[ARRAY_SIZE(order)];
	struct block_plug plug;

	fixture->count = 0;
	block_plug_start(&plug);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		items[i] = item_make(test, fixture, BLOCK_WRITE, 0, order[i], 1);
		items[i]->segments[0].page = fixture->pages + order[i] / PAGE_SIZE;
		block_plug_submit(&plug, &items[i]->request);
	}
	KUNIT_EXPECT_EQ(test, fixture->count, 0);
	block_plug_finish(&plug);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		KUNIT_EXPECT_EQ(test, item_wait(items[i]), 0);
	KUNIT_EXPECT_EQ(test, fixture->count, 1);
	KUNIT_EXPECT_EQ(test, fixture->log[0].position, 0);
	KUNIT_EXPECT_EQ(test, fixture->log[0].length, 16384);
	KUNIT_EXPECT_EQ(test, memcmp(fixture->bytes, page_address(fixture->pages), 16384), 0);
}

static void what_is_apart_or_too_long_is_not_merged(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *items[12];
	struct block_plug plug;

	fixture->count = 0;
	block_plug_start(&plug);
	for (unsigned int i = 0; i < 12;
	     i++) { /* ten in a row, of which 8 pages fit; one apart; one of another kind */
		u64 position = i < 10 ? i * PAGE_SIZE : i == 10 ? 65536 : 10 * PAGE_SIZE;

		items[i] = item_make(test, fixture, i == 11 ? BLOCK_READ : BLOCK_WRITE, 0, position, 1);
		block_plug_submit(&plug, &items[i]->request);
	}
	block_plug_finish(&plug);
	for (unsigned int i = 0; i < 12; i++)
		KUNIT_EXPECT_EQ(test, item_wait(items[i]), 0);
	KUNIT_EXPECT_EQ(test, fixture->count, 4);
	KUNIT_EXPECT_EQ(test, fixture->log[0].length, 32768);
	KUNIT_EXPECT_EQ(test, fixture->log[1].length, 8192);
}

static void a_long_request_goes_in_parts(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *item = item_make(test, fixture, BLOCK_WRITE, 0, 4096, 50);
	const char *source = page_address(fixture->pages);

	fixture->count = 0;
	block_submit(&item->request);
	KUNIT_EXPECT_EQ(test, item_wait(item), 0);
	KUNIT_EXPECT_EQ(test, fixture->count, 7); /* 8 pages each */
	KUNIT_EXPECT_LE(test, fixture->pieces_most, 8);
	for (unsigned int i = 0; i < 50; i++)
		KUNIT_EXPECT_EQ(test,
				memcmp(fixture->bytes + 4096 + i * PAGE_SIZE,
				       source + 2 * i * PAGE_SIZE, PAGE_SIZE),
				0);
}

static void contiguous_memory_is_one_piece_up_to_the_limit(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *item = item_make(test, fixture, BLOCK_WRITE, 0, 0, 0);

	item->segments[0] = (struct block_segment){ fixture->pages, 512, 65536 };
	item->segments[1] = (struct block_segment){ fixture->pages + 16, 512, 1024 };
	block_request_init(&item->request, fixture->disk->whole, BLOCK_WRITE, 0, 512,
			   item->segments, 2, item_done, item);
	fixture->count = 0;
	block_submit(&item->request);
	KUNIT_EXPECT_EQ(test, item_wait(item), 0);
	KUNIT_EXPECT_EQ(test, fixture->count, 3); /* 32 KiB each */
	KUNIT_EXPECT_EQ(test, fixture->pieces_most, 4);
	KUNIT_EXPECT_EQ(
		test,
		memcmp(fixture->bytes + 512, (char *)page_address(fixture->pages) + 512, 66560), 0);
}

static void a_stable_write_is_followed_by_a_flush_where_there_is_a_cache(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, true);
	struct item *item = item_make(test, fixture, BLOCK_WRITE, BLOCK_FUA | BLOCK_PREFLUSH, 0, 1);

	fixture->count = 0;
	block_submit(&item->request);
	KUNIT_EXPECT_EQ(test, item_wait(item), 0);
	KUNIT_ASSERT_EQ(test, fixture->count, 3);
	KUNIT_EXPECT_EQ(test, fixture->log[0].operation, BLOCK_FLUSH);
	KUNIT_EXPECT_EQ(test, fixture->log[1].operation, BLOCK_WRITE);
	KUNIT_EXPECT_EQ(test, fixture->log[1].flags, 0);
	KUNIT_EXPECT_EQ(test, fixture->log[2].operation, BLOCK_FLUSH);
}

static void without_a_cache_nothing_is_flushed(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *item = item_make(test, fixture, BLOCK_WRITE, BLOCK_FUA | BLOCK_PREFLUSH, 0, 1);

	fixture->count = 0;
	block_submit(&item->request);
	KUNIT_EXPECT_EQ(test, item_wait(item), 0);
	KUNIT_EXPECT_EQ(test, block_flush(fixture->disk->whole), 0);
	KUNIT_EXPECT_EQ(test, fixture->count, 1);
}

static void one_flush_serves_all_that_came_before_it_began(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, true);
	struct item *items[5];

	fixture->count = 0;
	fixture->hold = true;
	for (unsigned int i = 0; i < 5; i++) {
		items[i] = item_make(test, fixture, BLOCK_FLUSH, 0, 0, 0);
		block_submit(&items[i]->request);
	}
	KUNIT_EXPECT_EQ(test, fixture->count, 1); /* the first one's; the others came too late for it */
	fixture->hold = false;
	release_held(fixture, 0);
	for (unsigned int i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, item_wait(items[i]), 0);
	KUNIT_EXPECT_EQ(test, fixture->count, 2);
}

static void a_bad_block_does_not_fail_its_neighbours(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *items[4];
	struct block_plug plug;

	fixture->bad_position = 2 * PAGE_SIZE;
	block_plug_start(&plug);
	for (unsigned int i = 0; i < 4; i++) {
		items[i] = item_make(test, fixture, BLOCK_WRITE, 0, i * PAGE_SIZE, 1);
		block_plug_submit(&plug, &items[i]->request);
	}
	block_plug_finish(&plug);
	for (unsigned int i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, item_wait(items[i]), i == 2 ? -EIO : 0);
}

static void what_the_driver_cannot_take_waits(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *item = item_make(test, fixture, BLOCK_WRITE, 0, 0, 1);

	fixture->refuse = true;
	block_submit(&item->request);
	KUNIT_EXPECT_EQ(test, item->done.done, 0);
	fixture->refuse = false;
	block_queue_run(&fixture->disk->queues[0]);
	KUNIT_EXPECT_EQ(test, item_wait(item), 0);
}

static void a_busy_device_gets_merged_requests_later(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *items[8];

	fixture->count = 0;
	fixture->hold = true;
	for (unsigned int i = 0; i < 8; i++) { /* four are taken as they come; the others wait, and become one */
		items[i] = item_make(test, fixture, BLOCK_WRITE, 0, i * PAGE_SIZE, 1);
		block_submit(&items[i]->request);
	}
	KUNIT_EXPECT_EQ(test, fixture->count, 4);
	fixture->hold = false;
	release_held(fixture, 0);
	for (unsigned int i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, item_wait(items[i]), 0);
	KUNIT_EXPECT_EQ(test, fixture->count, 5);
	KUNIT_EXPECT_EQ(test, fixture->log[4].length, 4 * PAGE_SIZE);
}

static void a_lost_command_leads_to_a_reset_and_the_others_are_repeated(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *lost = item_make(test, fixture, BLOCK_WRITE, 0, 0, 1), *late;

	fixture->hold = true;
	block_submit(&lost->request);
	sleep_ns(12 * NSEC_PER_MSEC);
	late = item_make(test, fixture, BLOCK_WRITE, 0, 65536, 1);
	block_submit(&late->request);
	KUNIT_EXPECT_EQ(test, item_wait(lost), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, item_wait(late), 0);
	KUNIT_EXPECT_EQ(test, fixture->resets, 1);
}

static void after_the_stop_requests_fail(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, true);
	struct item *in_flight[6], *after = item_make(test, fixture, BLOCK_READ, 0, 0, 1), *flush;

	fixture->hold = true;
	for (unsigned int i = 0; i < 6; i++) { /* the last two are staged */
		in_flight[i] = item_make(test, fixture, BLOCK_READ, 0, i * 65536, 1);
		block_submit(&in_flight[i]->request);
	}
	flush = item_make(test, fixture, BLOCK_FLUSH, 0, 0, 0);
	block_submit(&flush->request);
	block_disk_stop(fixture->disk);
	KUNIT_EXPECT_EQ(test, item_wait(in_flight[4]), -EIO);
	KUNIT_EXPECT_EQ(test, item_wait(in_flight[5]), -EIO);
	KUNIT_EXPECT_EQ(test, item_wait(flush), -EIO);
	release_held(fixture, -EIO);
	for (unsigned int i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, item_wait(in_flight[i]), -EIO);
	block_submit(&after->request);
	KUNIT_EXPECT_EQ(test, item_wait(after), -EIO);
}

static int try(struct kunit *test, struct fixture *fixture, enum block_operation operation,
	       u64 position, u64 length)
{
	struct item *item = item_make(test, fixture, operation, 0, position, 0);

	block_request_init_range(&item->request, fixture->disk->whole, operation, 0, position,
				 length, item_done, item);
	block_submit(&item->request);
	return item_wait(item);
}

static void what_a_device_cannot_do_is_refused(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	struct item *item = item_make(test, fixture, BLOCK_WRITE, 0, DISK_BYTES - 4096, 2);

	block_submit(&item->request);
	KUNIT_EXPECT_EQ(test, item_wait(item), -EIO);
	KUNIT_EXPECT_EQ(test, try(test, fixture, BLOCK_DISCARD, 100, 512), -EINVAL);
	KUNIT_EXPECT_EQ(test, try(test, fixture, BLOCK_DISCARD, ~511ULL, 1024), -EIO);
	KUNIT_EXPECT_EQ(test, try(test, fixture, BLOCK_WRITE_ZEROES, 0, 512), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, try(test, fixture, BLOCK_DISCARD, 0, DISK_BYTES), 0);
	block_device_set_read_only(fixture->disk->whole, true);
	KUNIT_EXPECT_EQ(test, try(test, fixture, BLOCK_DISCARD, 0, 512), -EROFS);
}

static void zeros_are_written_where_nothing_is_faster(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);

	memset(fixture->bytes, 0xaa, DISK_BYTES);
	KUNIT_EXPECT_EQ(test, block_zero(fixture->disk->whole, 512, 600 * 512), 0);
	KUNIT_EXPECT_EQ(test, (u8)fixture->bytes[511], 0xaa);
	KUNIT_EXPECT_EQ(test, fixture->bytes[512], 0);
	KUNIT_EXPECT_EQ(test, fixture->bytes[512 + 600 * 512 - 1], 0);
	KUNIT_EXPECT_EQ(test, (u8)fixture->bytes[512 + 600 * 512], 0xaa);
}

static void an_exclusive_holder_keeps_others_out(struct kunit *test)
{
	struct fixture *fixture = fixture_start(test, false);
	u64 number = fixture->disk->whole->number;
	int mine, theirs;
	struct block_device *first = block_device_open(number, true, &mine), *second;

	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	second = block_device_open(number, true, &theirs);
	KUNIT_EXPECT_EQ(test, PTR_ERR(second), -EBUSY);
	second = block_device_open(number, true, NULL);
	KUNIT_EXPECT_PTR_EQ(test, second, first);
	block_device_close(second, NULL);
	block_device_close(first, &mine);
	second = block_device_open(number, true, &theirs);
	KUNIT_ASSERT_FALSE(test, IS_ERR(second));
	block_device_close(second, &theirs);
	KUNIT_EXPECT_FALSE(test, block_disk_is_open(fixture->disk));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(adjacent_requests_of_a_plug_become_one_command),
	KUNIT_CASE(what_is_apart_or_too_long_is_not_merged),
	KUNIT_CASE(a_long_request_goes_in_parts),
	KUNIT_CASE(contiguous_memory_is_one_piece_up_to_the_limit),
	KUNIT_CASE(a_stable_write_is_followed_by_a_flush_where_there_is_a_cache),
	KUNIT_CASE(without_a_cache_nothing_is_flushed),
	KUNIT_CASE(one_flush_serves_all_that_came_before_it_began),
	KUNIT_CASE(a_bad_block_does_not_fail_its_neighbours),
	KUNIT_CASE(what_the_driver_cannot_take_waits),
	KUNIT_CASE(a_busy_device_gets_merged_requests_later),
	KUNIT_CASE(a_lost_command_leads_to_a_reset_and_the_others_are_repeated),
	KUNIT_CASE(after_the_stop_requests_fail),
	KUNIT_CASE(what_a_device_cannot_do_is_refused),
	KUNIT_CASE(zeros_are_written_where_nothing_is_faster),
	KUNIT_CASE(an_exclusive_holder_keeps_others_out),
	{},
};
static struct kunit_suite suite = { .name = "block", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
