/*
 * RAM disks: /dev/ram0 and so on, whose blocks are pages of memory, taken when they are first written and given back by a
 * discard. For tests, and for a filesystem that needs a device and shall be fast.
 *
 *	modprobe ramdisk count=2 size=64M
 *
 * The smallest driver of a block device; copy it.
 */
#define LOG_PREFIX "ramdisk: "
#include <kumo/block.h>
#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/xarray.h>

enum { RAM_MAJOR = 1, COUNT_MAX = 256, DEPTH = 16, COMMAND_BYTES_MAX = 1 << 20, PIECES_MAX = 256 };

static unsigned int count = 1;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "how many disks");
static char *size = "16M";
module_param(size, charp, 0444);
MODULE_PARM_DESC(size, "of each, bytes or with K, M, G");

struct ramdisk {
	struct block_disk *disk;
	spinlock_t lock; /* interrupts off; protects the array */
	struct xarray pages;
};

static struct ramdisk *ramdisks;

/* The page that holds `position`, or NULL: zeros. `make`: it gets one; NULL then is no memory. */
static struct page *page_at(struct ramdisk *ramdisk, u64 position, bool make)
{
	u64 index = position >> PAGE_SHIFT;
	unsigned long flags = spin_lock_irqsave(&ramdisk->lock);
	struct page *page = xarray_load(&ramdisk->pages, index);

	if (!page && make) {
		page = page_alloc(0, GFP_ATOMIC | GFP_ZERO);
		if (page && xarray_store(&ramdisk->pages, index, page, GFP_ATOMIC)) {
			page_put(page);
			page = NULL;
		}
	}
	spin_unlock_irqrestore(&ramdisk->lock, flags);
	return page;
}

/* One piece of memory, to or from the disk. */
static int piece_move(struct ramdisk *ramdisk, u64 position, char *data, u32 length, bool write)
{
	while (length) {
		u32 offset = (u32)(position % PAGE_SIZE), part = min(length, (u32)PAGE_SIZE - offset);
		struct page *page = page_at(ramdisk, position, write);
		char *bytes = page ? (char *)page_address(page) + offset : NULL;

		if (write && !page)
			return -ENOSPC;
		if (write)
			memcpy(bytes, data, part);
		else if (page)
			memcpy(data, bytes, part);
		else
			memset(data, 0, part);
		position += part;
		data += part;
		length -= part;
	}
	return 0;
}

static int memory_move(struct ramdisk *ramdisk, struct block_command *command)
{
	bool write = command->operation == BLOCK_WRITE;
	u64 position = command->position;
	struct block_piece_iter iter;
	int error = 0;
	void *data;
	u32 length;

	block_piece_iter_init(&iter, command);
	while (!error && block_piece_next(&iter, &data, &length)) {
		error = piece_move(ramdisk, position, data, length, write);
		position += length;
	}
	return error;
}

/* Whole pages go, parts become zero. */
static void range_clear(struct ramdisk *ramdisk, u64 position, u64 length)
{
	while (length) {
		u32 offset = (u32)(position % PAGE_SIZE);
		u32 part = (u32)min(length, (u64)PAGE_SIZE - offset);
		struct page *page = page_at(ramdisk, position, false);

		if (page && part == PAGE_SIZE) {
			unsigned long flags = spin_lock_irqsave(&ramdisk->lock);

			xarray_remove(&ramdisk->pages, position >> PAGE_SHIFT);
			spin_unlock_irqrestore(&ramdisk->lock, flags);
			page_put(page);
		} else if (page) {
			memset((char *)page_address(page) + offset, 0, part);
		}
		position += part;
		length -= part;
	}
}

/* There is one queue, so only one command runs at a time: a page that was found stays. */
static int ramdisk_queue(struct block_command *command)
{
	struct ramdisk *ramdisk = command->queue->disk->private;
	int error = 0;

	switch (command->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		error = memory_move(ramdisk, command);
		break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		range_clear(ramdisk, command->position, command->length);
		break;
	case BLOCK_FLUSH:
		break;
	}
	block_command_done(command, error);
	return 0;
}

static const struct block_disk_ops ramdisk_ops = { .queue = ramdisk_queue };

static void ramdisk_destroy(struct ramdisk *ramdisk)
{
	struct page *page;
	u64 at = 0;

	if (!ramdisk->disk)
		return;
	block_disk_stop(ramdisk->disk);
	block_disk_unregister(ramdisk->disk);
	block_disk_put(ramdisk->disk);
	while ((page = xarray_find(&ramdisk->pages, &at))) {
		xarray_remove(&ramdisk->pages, at);
		page_put(page);
	}
	xarray_destroy(&ramdisk->pages);
}

static int ramdisk_create(struct ramdisk *ramdisk, unsigned int index, u64 bytes)
{
	char name[16];
	struct block_disk_description description = {
		.name = name,
		.number = device_make(RAM_MAJOR, index),
		.minors = 1,
		.ops = &ramdisk_ops,
		.owner = THIS_MODULE,
		.private = ramdisk,
		.queue_count = 1,
		.depth = DEPTH,
		.size_bytes = bytes,
		.limits = {
			.logical_block_size = BLOCK_SECTOR,
			.physical_block_size = PAGE_SIZE,
			.pieces_max = PIECES_MAX,
			.piece_bytes_max = COMMAND_BYTES_MAX,
			.command_bytes_max = COMMAND_BYTES_MAX,
			.discard_bytes_max = COMMAND_BYTES_MAX,
			.discard_granularity = PAGE_SIZE,
			.write_zeroes_bytes_max = COMMAND_BYTES_MAX,
		},
	};
	struct block_disk *disk;
	int error;

	spin_init(&ramdisk->lock, "ramdisk");
	scnprintf(name, sizeof(name), "ram%u", index);
	disk = block_disk_create(&description);
	if (IS_ERR(disk))
		return (int)PTR_ERR(disk);
	error = block_disk_register(disk);
	if (error)
		block_disk_put(disk);
	else
		ramdisk->disk = disk;
	return error;
}

static void __exit ramdisk_exit(void)
{
	for (unsigned int i = 0; i < count; i++)
		ramdisk_destroy(&ramdisks[i]);
	kfree(ramdisks);
}

static int __init ramdisk_init(void)
{
	const char *end;
	u64 bytes = parse_size(size, &end);
	int error = 0;

	if (*end || bytes < PAGE_SIZE || !count || count > COUNT_MAX) {
		pr_err("count is 1 to %u, size a number of bytes\n", COUNT_MAX);
		return -EINVAL;
	}
	ramdisks = kcalloc(count, sizeof(*ramdisks), GFP_KERNEL);
	if (!ramdisks)
		return -ENOMEM;
	for (unsigned int i = 0; i < count && !error; i++)
		error = ramdisk_create(&ramdisks[i], i, bytes);
	if (error)
		ramdisk_exit();
	return error;
}

module_init(ramdisk_init);
module_exit(ramdisk_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("disks in memory");
MODULE_ALIAS("block-major-1-*");
