/*
 * Which block devices there are, and who has them open. A device is found by number (of any tree's special file), holds its
 * disk, and is the root of an internal tree of its own, so that its bytes are a file like others for the page cache.
 */
#define LOG_PREFIX "block: "
#include "internal.h"

#include <kumo/buffer.h>
#include <kumo/block_pages.h>
#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/writeback.h>
#include <linux/capability.h>
#include <linux/mount.h>

#define HASH_SIZE 64
#define DISK_GROUP 6 /* Debian's group of /dev's disks */

struct mutex disks_lock = MUTEX_INIT(disks_lock, "block_disks");
struct list block_disks = LIST_INIT(block_disks);
static struct list numbers[HASH_SIZE]; /* by number; an entry never used is not a list yet */

static struct list *bucket_of(u64 number)
{
	struct list *bucket = &numbers[hash_u64(number) % HASH_SIZE];

	if (!bucket->next)
		list_init(bucket);
	return bucket;
}

/* ---- The internal tree ---- */

static int device_attach(struct tree *tree, const struct cred *cred)
{
	struct attr attr = { .id = 1,
			     .mode = S_IFBLK | 0600,
			     .nlink = 1,
			     .block_size = PAGE_SIZE,
			     .believe_until_ns = BELIEVE_FOREVER };

	tree->root = node_alloc(tree, &attr, NULL);
	return tree->root ? 0 : -ENOMEM;
}

static struct block_device *device_of(struct node *node)
{
	return node->private;
}

static struct block_device *device_itself(struct node *node)
{
	return device_of(node);
}

/* A device's bytes lie on the device as they are. */
static int device_map(struct node *node, u64 offset, u64 length, bool create, struct block_extent *extent)
{
	u64 size = block_device_size(device_of(node));

	if (offset >= size)
		return -EIO;
	*extent = (struct block_extent){ .length = size, .kind = EXTENT_MAPPED };
	return 0;
}

static const struct block_map_ops device_block_map = { .device = device_itself, .map = device_map };

static const struct tree_ops device_tree_ops = {
	.attach = device_attach,
	.read_pages = block_read_pages,
	.write_pages = block_write_pages,
	.block_map = &device_block_map,
};
static struct tree_type device_tree_type = { .name = "bdev", .ops = &device_tree_ops };

struct block_device *device_create(struct block_disk *disk, const char *name, u64 size_bytes)
{
	struct block_device *device = kzalloc(sizeof(*device), GFP_KERNEL);
	struct tree *tree;
	int error;

	if (!device)
		return ERR_PTR(-ENOMEM);
	strscpy(device->name, name, sizeof(device->name));
	error = counts_create(device);
	if (error)
		goto free;
	tree = tree_attach(&device_tree_type, device->name, NULL, &root_cred);
	error = (int)PTR_ERR(tree);
	if (IS_ERR(tree))
		goto free;
	device->tree = tree;
	device->node = tree->root;
	device->node->private = device;
	device->disk = disk;
	device->logical_block_size = disk->limits.logical_block_size;
	device->physical_block_size = disk->limits.physical_block_size;
	refcount_set(&device->refs, 1);
	device_set_size(device, size_bytes);
	return device;
free:
	counts_destroy(device);
	kfree(device);
	return ERR_PTR(error);
}

void device_set_size(struct block_device *device, u64 size_bytes)
{
	size_bytes &= ~(u64)(device->logical_block_size - 1);
	WRITE_ONCE(device->size_bytes, size_bytes);
	node_set_size(device->node, size_bytes);
}

void block_device_put(struct block_device *device)
{
	struct block_disk *disk = device->disk;

	if (!refcount_dec_and_test(&device->refs))
		return;
	buffers_destroy(device);
	tree_put(device->tree);
	counts_destroy(device);
	if (device->partition)
		block_device_put(disk->whole);
	else
		disk_free(disk);
	kfree(device);
}
EXPORT_SYMBOL(block_device_put);

/* What is kept back in memory goes to the device, whose own cache may keep it. */
static int device_write_back(struct block_device *device)
{
	struct page_cache *cache = smp_load_acquire(&device->node->cache);
	int error = cache ? page_cache_sync(cache, 0, ~0ULL) : 0, buffers = buffers_sync(device);

	return error ? error : buffers;
}

int block_device_sync(struct block_device *device)
{
	int error = device_write_back(device), flushed;

	if (!block_device_alive(device))
		return -EIO;
	flushed = block_flush(device);
	return error ? error : flushed;
}
EXPORT_SYMBOL(block_device_sync);

void block_device_invalidate(struct block_device *device)
{
	struct page_cache *cache = smp_load_acquire(&device->node->cache);

	/* Buffers in use are slices of the pages: a new page would not show what their owners change. */
	if (buffers_drop(device) && cache)
		page_cache_drop(cache, 0, ~0ULL);
}
EXPORT_SYMBOL(block_device_invalidate);

int device_bytes_begin(struct block_device *device, u64 start, u64 end)
{
	struct page_cache *cache = node_page_cache(device->node);

	return cache ? page_cache_punch(cache, start, end) : -ENOMEM;
}

void device_bytes_end(struct block_device *device, u64 start, u64 end)
{
	struct page_cache *cache = smp_load_acquire(&device->node->cache);

	if (cache)
		page_cache_drop(cache, start, end);
}

bool block_device_alive(const struct block_device *device)
{
	return !READ_ONCE(device->disk->dead);
}
EXPORT_SYMBOL(block_device_alive);

/* ---- By number ---- */

/* disks_lock is held. */
static struct block_device *number_find(u64 number)
{
	struct block_device *device;

	list_for_each(device, bucket_of(number), number_link)
		if (device->number == number)
			return device;
	return NULL;
}

struct block_device *device_find(u64 number)
{
	struct block_device *device;

	mutex_lock(&disks_lock);
	device = number_find(number);
	if (device)
		block_device_get(device);
	mutex_unlock(&disks_lock);
	return device;
}

int device_add(struct block_device *device)
{
	int error = 0;

	mutex_lock(&disks_lock);
	if (number_find(device->number)) {
		error = -EBUSY;
	} else {
		list_add(bucket_of(device->number), &device->number_link);
		if (device->partition)
			list_add_tail(&device->disk->partitions, &device->link);
		else
			list_add_tail(&block_disks, &device->disk->link);
	}
	mutex_unlock(&disks_lock);
	if (error)
		return error;
	error = sysfs_add(device);
	if (!error)
		error = device_node_add(device->name, S_IFBLK | 0660, device->number, DISK_GROUP);
	if (error)
		device_remove(device);
	return error;
}

void device_remove(struct block_device *device)
{
	device->removed = true;
	device_link_remove(device->name);
	sysfs_remove(device);
	mutex_lock(&disks_lock);
	list_del(&device->number_link);
	if (device->partition)
		list_del(&device->link);
	else
		list_del(&device->disk->link);
	mutex_unlock(&disks_lock);
}

/* ---- Opening ---- */

/* disk->open_lock is held. A disk and its partitions exclude each other; the same holder may claim twice. */
static int claim(struct block_device *device, void *holder)
{
	struct block_disk *disk = device->disk;

	if (device->holder && device->holder != holder)
		return -EBUSY;
	if (!device->partition && disk->partition_holds)
		return -EBUSY;
	if (device->partition && disk->whole->holder)
		return -EBUSY;
	device->holder = holder;
	device->holds++;
	if (device->partition)
		disk->partition_holds++;
	return 0;
}

static void unclaim(struct block_device *device, void *holder)
{
	if (!holder || device->holder != holder)
		return;
	if (device->partition)
		device->disk->partition_holds--;
	if (!--device->holds)
		device->holder = NULL;
}

int block_open(struct block_device *device, bool write, void *holder)
{
	struct block_disk *disk = device->disk;
	int error;

	if (!try_module_get(disk->owner))
		return -ENXIO;
	error = mutex_lock_killable(&disk->open_lock);
	if (error)
		goto put;
	error = READ_ONCE(disk->dead) || device->removed ? -ENXIO : 0;
	if (!error && holder)
		error = claim(device, holder);
	if (!error && !device->open_count && disk->ops->open) {
		error = disk->ops->open(device);
		if (error)
			unclaim(device, holder);
	}
	if (!error) {
		device->open_count++;
		if (device->partition)
			disk->partitions_open++;
		block_device_get(device);
	}
	mutex_unlock(&disk->open_lock);
	if (!error)
		return 0;
put:
	module_put(disk->owner);
	return error;
}

struct block_device *block_device_open(u64 number, bool write, void *holder)
{
	struct block_device *device = device_find(number);
	int error;

	if (!device && !request_module("block-major-%u-%u", device_major(number), device_minor(number)))
		device = device_find(number);
	if (!device)
		return ERR_PTR(-ENXIO);
	error = block_open(device, write, holder);
	block_device_put(device); /* the open has its own */
	return error ? ERR_PTR(error) : device;
}
EXPORT_SYMBOL(block_device_open);

struct block_device *block_device_open_path(const char *name, bool write, void *holder,
					    const struct cred *cred)
{
	struct block_device *device;
	struct path path;
	struct node *node;
	int error = path_walk(NULL, name, WALK_FOLLOW, cred, &path);
	u64 number = 0;

	if (error)
		return ERR_PTR(error);
	node = path_node(&path);
	if (!S_ISBLK(node->attr.mode))
		error = -ENOTBLK;
	else if (path.mount->flags & MS_NODEV)
		error = -EACCES;
	else if (!cred_capable(cred, CAP_SYS_ADMIN))
		error = node_permission(node, write ? MAY_READ | MAY_WRITE : MAY_READ, cred);
	number = node->attr.rdev;
	path_put(&path);
	if (error)
		return ERR_PTR(error);
	device = block_device_open(number, write, holder);
	if (!IS_ERR(device) && write && READ_ONCE(device->read_only)) {
		block_device_close(device, holder);
		return ERR_PTR(-EACCES);
	}
	return device;
}
EXPORT_SYMBOL(block_device_open_path);

void block_device_close(struct block_device *device, void *holder)
{
	struct block_disk *disk = device->disk;
	struct module *owner = disk->owner;
	bool last;

	mutex_lock(&disk->open_lock);
	last = device->open_count == 1;
	mutex_unlock(&disk->open_lock);
	kill_hold(); /* what a loop stands for may go with who has it open */
	if (last && block_device_alive(device)) {
		if (device_write_back(device))
			pr_err("%s: not all that was written to it could be stored\n", device->name);
		/* Whoever opens it next reads what the disk has, not what a filesystem that failed had meant to write. */
		block_device_invalidate(device);
	}
	kill_release();
	mutex_lock(&disk->open_lock);
	unclaim(device, holder);
	if (device->partition)
		disk->partitions_open--;
	last = !--device->open_count;
	mutex_unlock(&disk->open_lock);
	if (last && disk->ops->release && driver_enter(disk)) {
		disk->ops->release(device);
		driver_leave(disk);
	}
	block_device_put(device);
	module_put(owner);
}
EXPORT_SYMBOL(block_device_close);
