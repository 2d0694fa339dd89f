/*
 * Loop disks: /dev/loopN, made by /dev/loop-control when somebody wants one (losetup -f, mount -o loop), each with a file behind it
 * (bind.c) that a thread reads and writes (worker.c).
 */
#define LOG_PREFIX "loop: "
#include "loop.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/xarray.h>

enum { LOOP_MAJOR_NUMBER = 7, LOOP_INDEX_MAX = 0xfffff, DEPTH = 64, CONTROL_MINOR = 237 };

static struct mutex loops_lock = MUTEX_INIT(loops_lock, "loops");
static struct xarray loops = XARRAY_INIT; /* by index, under loops_lock */

const struct block_disk_ops loop_ops = {
	.queue = loop_queue,
	.release = loop_release,
	.ioctl = loop_ioctl,
};

static void loop_free(struct loop *loop)
{
	block_disk_stop(loop->disk);
	block_disk_unregister(loop->disk);
	block_disk_put(loop->disk);
	kfree(loop);
}

static struct loop *loop_create(unsigned int index)
{
	struct loop *loop = kzalloc(sizeof(*loop), GFP_KERNEL);
	char name[20];
	struct block_disk_description description = {
		.name = name,
		.number = device_make(LOOP_MAJOR_NUMBER, index),
		.minors = 1,
		.ops = &loop_ops,
		.owner = THIS_MODULE,
		.private = loop,
		.queue_count = 1,
		.depth = DEPTH,
		.command_size = (unsigned int)loop_command_size(),
		.limits = loop_limits(BLOCK_SECTOR, NULL),
		.no_partitions = true,
	};
	int error;

	if (!loop)
		return ERR_PTR(-ENOMEM);
	scnprintf(name, sizeof(name), "loop%u", index);
	loop->index = index;
	mutex_init(&loop->lock, "loop");
	spin_init(&loop->queue_lock, "loop_queue");
	list_init(&loop->commands);
	wait_queue_init(&loop->came);
	loop->disk = block_disk_create(&description);
	if (IS_ERR(loop->disk)) {
		error = (int)PTR_ERR(loop->disk);
		kfree(loop);
		return ERR_PTR(error);
	}
	error = block_disk_register(loop->disk);
	if (!error)
		return loop;
	block_disk_put(loop->disk);
	kfree(loop);
	return ERR_PTR(error);
}

/* ---- /dev/loop-control; loops_lock is held ---- */

static long loop_add(u64 index)
{
	struct loop *loop;
	int error;

	if (index > LOOP_INDEX_MAX)
		return -EINVAL;
	if (xarray_load(&loops, index))
		return -EEXIST;
	loop = loop_create((unsigned int)index);
	if (IS_ERR(loop))
		return PTR_ERR(loop);
	error = xarray_store(&loops, index, loop, GFP_KERNEL);
	if (!error)
		return (long)index;
	loop_free(loop);
	return error;
}

static long loop_remove(u64 index)
{
	struct loop *loop = xarray_load(&loops, index);

	if (!loop)
		return -ENODEV;
	mutex_lock(&loop->lock);
	if (loop->file || block_disk_is_open(loop->disk)) {
		mutex_unlock(&loop->lock);
		return -EBUSY;
	}
	loop->removed = true;
	mutex_unlock(&loop->lock);
	xarray_remove(&loops, index);
	loop_free(loop);
	return 0;
}

/* The first that stands for nothing, made if there is none. */
static long loop_get_free(void)
{
	struct loop *loop;
	u64 index = 0;

	while ((loop = xarray_load(&loops, index))) {
		if (!READ_ONCE(loop->file))
			return (long)index;
		index++;
	}
	return loop_add(index);
}

static long control_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	u64 first_free = 0;
	long result = mutex_lock_killable(&loops_lock);

	if (result)
		return result;
	switch (command) {
	case LOOP_CTL_ADD:
		while ((int)argument < 0 && xarray_load(&loops, first_free))
			first_free++;
		result = loop_add((int)argument < 0 ? first_free : (u64)argument);
		break;
	case LOOP_CTL_REMOVE:
		result = (int)argument < 0 ? -EINVAL : loop_remove((u64)argument);
		break;
	case LOOP_CTL_GET_FREE:
		result = loop_get_free();
		break;
	default:
		result = -ENOTTY;
		break;
	}
	mutex_unlock(&loops_lock);
	return result;
}

static const struct tree_ops control_ops = { .ioctl = control_ioctl };

static struct char_device control = {
	.name = "loop-control",
	.mode = 0660,
	.gid = 6, /* Debian's group of disks */
	.ops = &control_ops,
};

static int __init loop_init(void)
{
	control.number = device_make(10, CONTROL_MINOR);
	control.owner = THIS_MODULE;
	return char_device_register(&control);
}

/* Nothing is bound or open: that would pin the module. */
static void __exit loop_exit(void)
{
	struct loop *loop;
	u64 index = 0;

	char_device_unregister(&control);
	while ((loop = xarray_find(&loops, &index))) {
		xarray_remove(&loops, index);
		loop_free(loop);
	}
	xarray_destroy(&loops);
}

module_init(loop_init);
module_exit(loop_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("disks whose bytes are a file's");
MODULE_ALIAS("char-major-10-237");
MODULE_ALIAS("block-major-7-*");
MODULE_ALIAS("devname:loop-control");
