/*
 * virtio-blk: disks from the hypervisor, /dev/vda and so on (virtio 1.2, 5.2). A queue of the block layer for each queue of
 * the device, up to one for each CPU. A command is a header, its memory and a status byte, in an indirect table where the device
 * knows those.
 *
 * The device is another party: the status byte and the length that it returns are checked, a command that it does not answer in time
 * leads to a reset, after which the others are given to it again. It may go at any time.
 */
#define LOG_PREFIX "virtio_blk: "
#include "virtio.h"

#include <kumo/block.h>
#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/page.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/work.h>
#include <kumo/xarray.h>
#include <linux/virtio_blk.h>

enum {
	DISK_MAJOR = 254,
	DISK_MINORS = 16, /* of each disk, with its partitions */
	DISKS_MAX = 1 << 16,
	PIECES_MAX = 126, /* of memory in a command, however many the device allows */
	DEPTH_MAX = 64,	  /* commands in flight of a queue */
	RING_SIZE_MAX = 256,
	QUEUES_MAX = 64,
	COMMAND_BYTES_MAX = 1 << 20,
	STATUS_NONE = 0xff,
};

static unsigned int timeout_ms = 30000;
module_param(timeout_ms, uint, 0444);
MODULE_PARM_DESC(timeout_ms, "how long a disk may take for a command before it is reset");

/* The driver's part of a command; lies in memory that the device can reach. */
struct blk_command {
	struct virtio_blk_outhdr header;
	struct virtio_blk_discard_write_zeroes range;
	u8 status;
	char table[] __attribute__((aligned(16))); /* of indirect descriptors */
};

struct blk_queue {
	struct virtqueue *ring;
	struct virtio_buffer buffers[PIECES_MAX + 2]; /* of the command that is being given: one at a time */
};

struct blk {
	struct virtio_device *device;
	struct block_disk *disk;
	struct blk_queue *queues;
	unsigned int queue_count;
	bool indirect;
	s64 index;			 /* of the name */
	struct virtio_blk_config config; /* as it was read last */
	struct work resize;
};

static struct mutex indices_lock = MUTEX_INIT(indices_lock, "virtio_blk_indices");
static struct xarray indices = XARRAY_INIT; /* of names, under indices_lock */

/* ---- Commands ---- */

static u32 type_of(enum block_operation operation)
{
	switch (operation) {
	case BLOCK_WRITE:
		return VIRTIO_BLK_T_OUT;
	case BLOCK_FLUSH:
		return VIRTIO_BLK_T_FLUSH;
	case BLOCK_DISCARD:
		return VIRTIO_BLK_T_DISCARD;
	case BLOCK_WRITE_ZEROES:
		return VIRTIO_BLK_T_WRITE_ZEROES;
	default:
		return VIRTIO_BLK_T_IN;
	}
}

/* Puts the command's memory behind the header; how many buffers. */
static unsigned int memory_add(struct block_command *command, struct virtio_buffer *buffers)
{
	struct blk_command *blk_command = block_command_private(command);
	struct block_piece_iter iter;
	unsigned int count = 0;
	void *data;
	u32 size;

	if (command->operation == BLOCK_DISCARD || command->operation == BLOCK_WRITE_ZEROES) {
		blk_command->range = (struct virtio_blk_discard_write_zeroes){
			.sector = command->position / BLOCK_SECTOR,
			.num_sectors = (u32)(command->length / BLOCK_SECTOR),
		};
		buffers[0] = (struct virtio_buffer){ &blk_command->range, sizeof(blk_command->range) };
		return 1;
	}
	if (command->operation == BLOCK_FLUSH)
		return 0;
	block_piece_iter_init(&iter, command);
	while (count < PIECES_MAX && block_piece_next(&iter, &data, &size))
		buffers[count++] = (struct virtio_buffer){ data, size };
	return count;
}

static int blk_queue(struct block_command *command)
{
	struct blk *blk = command->queue->disk->private;
	struct blk_queue *queue = &blk->queues[command->queue->index];
	struct blk_command *blk_command = block_command_private(command);
	bool in = command->operation == BLOCK_READ;
	unsigned int count = memory_add(command, queue->buffers + 1);
	unsigned int out_count = 1 + (in ? 0 : count), in_count = 1 + (in ? count : 0);
	int error;

	blk_command->header = (struct virtio_blk_outhdr){
		.type = type_of(command->operation),
		.sector = command->operation == BLOCK_READ || command->operation == BLOCK_WRITE
				  ? command->position / BLOCK_SECTOR
				  : 0,
	};
	blk_command->status = STATUS_NONE;
	queue->buffers[0] = (struct virtio_buffer){ &blk_command->header, sizeof(blk_command->header) };
	queue->buffers[count + 1] = (struct virtio_buffer){ &blk_command->status, 1 };
	if (blk->indirect)
		error = virtqueue_add_indirect(queue->ring, blk_command->table, queue->buffers,
					       out_count, in_count, command);
	else
		error = virtqueue_add(queue->ring, queue->buffers, out_count, in_count, command);
	return error == -ENOSPC ? -EBUSY : error;
}

static void blk_commit(struct block_queue *block_queue)
{
	struct blk *blk = block_queue->disk->private;

	virtqueue_notify(blk->queues[block_queue->index].ring);
}

/* What the device said of a command, whose memory it must have filled if that was a read. */
static int result_of(struct block_command *command, u32 written)
{
	switch (READ_ONCE(((struct blk_command *)block_command_private(command))->status)) {
	case VIRTIO_BLK_S_OK:
		return command->operation == BLOCK_READ && written < command->length + 1 ? -EIO : 0;
	case VIRTIO_BLK_S_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

static void commands_came(struct virtqueue *ring)
{
	struct block_command *command;
	u32 written;

	while ((command = virtqueue_take(ring, &written)))
		block_command_done(command, result_of(command, written));
}

/* ---- Start, reset ---- */

static int rings_create(struct blk *blk)
{
	for (unsigned int i = 0; i < blk->queue_count; i++) {
		blk->queues[i].ring =
			virtqueue_create(blk->device, i, RING_SIZE_MAX, commands_came, blk);
		if (IS_ERR(blk->queues[i].ring))
			return (int)PTR_ERR(blk->queues[i].ring);
	}
	return 0;
}

/* The device is reset: gives back what it had. */
static void commands_return(struct blk *blk, int error)
{
	struct block_command *command;

	for (unsigned int i = 0; i < blk->queue_count; i++)
		while (!IS_ERR_OR_NULL(blk->queues[i].ring) &&
		       (command = virtqueue_reclaim(blk->queues[i].ring)))
			block_command_done(command, error);
}

static int blk_reset(struct block_disk *disk)
{
	struct blk *blk = disk->private;
	int error;

	virtio_device_reset(blk->device);
	commands_return(blk, -ERESTART);
	virtqueues_destroy(blk->device);
	for (unsigned int i = 0; i < blk->queue_count; i++)
		blk->queues[i].ring = NULL;
	error = virtio_device_restart(blk->device);
	if (!error)
		error = rings_create(blk);
	if (!error)
		virtio_device_ready(blk->device);
	return error;
}

static const struct block_disk_ops blk_ops = {
	.queue = blk_queue,
	.commit = blk_commit,
	.reset = blk_reset,
};

/* ---- Configuration ---- */

/* What lies beyond the end of the device's configuration reads as zero. */
static void config_read(struct blk *blk)
{
	blk->device->transport->config_read(blk->device, 0, &blk->config, sizeof(blk->config));
}

static u64 size_of(const struct blk *blk)
{
	return min((u64)blk->config.capacity, (u64)(~0ULL >> 10)) * BLOCK_SECTOR;
}

static void blk_resize(struct work *work)
{
	struct blk *blk = container_of(work, struct blk, resize);
	u64 size;

	config_read(blk);
	size = size_of(blk);
	if (size == block_device_size(blk->disk->whole))
		return;
	pr_info("%s: %llu bytes now\n", blk->disk->whole->name, (unsigned long long)size);
	block_disk_resize(blk->disk, size);
}

static void blk_config_changed(struct virtio_device *device)
{
	struct blk *blk = READ_ONCE(device->private);

	if (blk)
		work_queue(&blk->resize);
}

/* Numbers that make no sense count as not said. */
static u32 or_default(u32 value, u32 least, u32 otherwise)
{
	return value >= least ? value : otherwise;
}

static void ranges_read(struct blk *blk, struct block_limits *limits)
{
	if (virtio_has(blk->device, VIRTIO_BLK_F_DISCARD)) {
		u32 sectors = min(blk->config.max_discard_sectors, 1U << 22);

		limits->discard_bytes_max = sectors * BLOCK_SECTOR;
		limits->discard_granularity =
			min(blk->config.discard_sector_alignment, 1U << 20) * BLOCK_SECTOR;
	}
	if (virtio_has(blk->device, VIRTIO_BLK_F_WRITE_ZEROES))
		limits->write_zeroes_bytes_max =
			min(blk->config.max_write_zeroes_sectors, 1U << 22) * BLOCK_SECTOR;
}

static int limits_read(struct blk *blk, struct block_limits *limits)
{
	u32 block = virtio_has(blk->device, VIRTIO_BLK_F_BLK_SIZE) ? blk->config.blk_size : 512;
	u32 exponent = 0;

	if (block < BLOCK_SECTOR || block > PAGE_SIZE || (block & (block - 1)))
		return -EINVAL;
	*limits = (struct block_limits){
		.logical_block_size = block,
		.pieces_max = PIECES_MAX,
		.piece_bytes_max = COMMAND_BYTES_MAX,
		.command_bytes_max = COMMAND_BYTES_MAX,
		.write_cache = virtio_has(blk->device, VIRTIO_BLK_F_FLUSH),
		.rotational = true, /* as Linux has it: nobody knows */
	};
	if (virtio_has(blk->device, VIRTIO_BLK_F_SEG_MAX))
		limits->pieces_max = min(limits->pieces_max, max(blk->config.seg_max, 1U));
	else
		limits->pieces_max = 1;
	if (virtio_has(blk->device, VIRTIO_BLK_F_SIZE_MAX))
		limits->piece_bytes_max = min(or_default(blk->config.size_max, PAGE_SIZE, PAGE_SIZE),
					      limits->piece_bytes_max);
	if (virtio_has(blk->device, VIRTIO_BLK_F_TOPOLOGY)) {
		exponent = blk->config.physical_block_exp;
		limits->io_minimum = blk->config.min_io_size * block;
		limits->io_optimum = min(blk->config.opt_io_size, 1U << 16) * block;
	}
	limits->physical_block_size = block << min(exponent, 8U);
	ranges_read(blk, limits);
	return 0;
}

/* ---- The driver ---- */

/* vda, ..., vdz, vdaa, ... */
static void disk_name_print(char *to, size_t size, u64 index)
{
	char letters[16];
	unsigned int at = sizeof(letters) - 1;

	letters[at] = '\0';
	for (s64 left = (s64)index; left >= 0 && at; left = left / 26 - 1)
		letters[--at] = (char)('a' + left % 26);
	scnprintf(to, size, "vd%s", letters + at);
}

static struct block_disk *disk_create(struct blk *blk)
{
	char name[20];
	struct block_disk_description description = {
		.name = name,
		.number = device_make(DISK_MAJOR, (u32)blk->index * DISK_MINORS),
		.minors = DISK_MINORS,
		.ops = &blk_ops,
		.owner = THIS_MODULE,
		.private = blk,
		.queue_count = blk->queue_count,
		.timeout_ns = (u64)timeout_ms * NSEC_PER_MSEC,
		.size_bytes = size_of(blk),
		.read_only = virtio_has(blk->device, VIRTIO_BLK_F_RO),
	};
	int error = limits_read(blk, &description.limits);

	if (error)
		return ERR_PTR(error);
	/* Without indirect descriptors a command takes as many of the ring's as it has buffers: at least one must fit. */
	description.depth = DEPTH_MAX;
	for (unsigned int i = 0; i < blk->queue_count; i++) {
		description.depth = min(description.depth, (unsigned int)blk->queues[i].ring->size);
		if (blk->queues[i].ring->size < 3)
			return ERR_PTR(-EINVAL);
		if (!blk->indirect)
			description.limits.pieces_max =
				min(description.limits.pieces_max, blk->queues[i].ring->size - 2U);
	}
	description.command_size = sizeof(struct blk_command);
	if (blk->indirect)
		description.command_size += virtqueue_table_size(description.limits.pieces_max + 2);
	disk_name_print(name, sizeof(name), (u64)blk->index);
	return block_disk_create(&description);
}

static int index_get(struct blk *blk)
{
	mutex_lock(&indices_lock);
	blk->index = xarray_alloc(&indices, blk, 0, DISKS_MAX, GFP_KERNEL);
	mutex_unlock(&indices_lock);
	return blk->index < 0 ? (int)blk->index : 0;
}

static void blk_free(struct blk *blk)
{
	if (blk->index >= 0) {
		mutex_lock(&indices_lock);
		xarray_remove(&indices, (u64)blk->index);
		mutex_unlock(&indices_lock);
	}
	kfree(blk->queues);
	kfree(blk);
}

static struct blk *blk_create(struct virtio_device *device)
{
	struct blk *blk = kzalloc(sizeof(*blk), GFP_KERNEL);
	unsigned int wanted = 1;
	int error;

	if (!blk)
		return ERR_PTR(-ENOMEM);
	blk->device = device;
	blk->indirect = virtio_has(device, VIRTIO_F_INDIRECT_DESC);
	work_init(&blk->resize, blk_resize);
	config_read(blk);
	error = index_get(blk);
	if (virtio_has(device, VIRTIO_BLK_F_MQ))
		wanted = blk->config.num_queues;
	blk->queue_count = min(min(max(wanted, 1U), (unsigned int)QUEUES_MAX), num_online_cpus());
	blk->queues = kcalloc(blk->queue_count, sizeof(*blk->queues), GFP_KERNEL);
	if (!error && !blk->queues)
		error = -ENOMEM;
	if (!error)
		return blk;
	blk_free(blk);
	return ERR_PTR(error);
}

static int blk_probe(struct virtio_device *device)
{
	struct blk *blk = blk_create(device);
	int error;

	if (IS_ERR(blk))
		return (int)PTR_ERR(blk);
	error = rings_create(blk);
	if (error)
		goto free;
	blk->disk = disk_create(blk);
	error = (int)PTR_ERR(blk->disk);
	if (IS_ERR(blk->disk))
		goto free;
	virtio_device_ready(device);
	error = block_disk_register(blk->disk);
	if (error)
		goto stop;
	WRITE_ONCE(device->private, blk);
	pr_info("%s: %llu bytes, %u queue%s\n", blk->disk->whole->name,
		(unsigned long long)block_device_size(blk->disk->whole), blk->queue_count,
		blk->queue_count > 1 ? "s" : "");
	return 0;
stop:
	block_disk_stop(blk->disk);
	virtio_device_reset(device);
	commands_return(blk, -EIO);
	block_disk_unregister(blk->disk);
	block_disk_put(blk->disk);
free:
	virtio_device_reset(device);
	virtqueues_destroy(device);
	blk_free(blk);
	return error;
}

static void blk_remove(struct virtio_device *device)
{
	struct blk *blk = device->private;

	WRITE_ONCE(device->private, NULL);
	block_disk_stop(blk->disk);
	virtio_device_reset(device); /* once more: it may just have been started after a timeout */
	commands_return(blk, -EIO);
	work_cancel_sync(&blk->resize);
	block_disk_unregister(blk->disk);
	virtqueues_destroy(device);
	block_disk_put(blk->disk);
	blk_free(blk);
}

static struct virtio_driver blk_driver = {
	.name = "virtio_blk",
	.id = VIRTIO_ID_BLOCK,
	.features = BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_RO) |
		    BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
		    BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_DISCARD) |
		    BIT(VIRTIO_BLK_F_WRITE_ZEROES) | BIT(VIRTIO_F_INDIRECT_DESC),
	.probe = blk_probe,
	.remove = blk_remove,
	.config_changed = blk_config_changed,
};

static int __init blk_init(void)
{
	return virtio_driver_register(&blk_driver);
}

static void __exit blk_exit(void)
{
	virtio_driver_unregister(&blk_driver);
}

module_init(blk_init);
module_exit(blk_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("disks from the hypervisor");
MODULE_ALIAS("virtio:d00000002v*");
