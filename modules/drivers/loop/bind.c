/*
 * What a loop disk stands for: the ioctls by which losetup(8) and mount(8) bind a file to it, ask, change and let go, and
 * /sys/block/loopN/loop, where they look for what is bound.
 *
 * A bound loop pins the module. It is let go when nobody has it open any more after LOOP_CLR_FD, or with LO_FLAGS_AUTOCLEAR.
 */
#define LOG_PREFIX "loop: "
#include "loop.h"

#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

/* Held while loops are bound and let go, so that a chain of loops over loops can be followed; outside of loop->lock. */
static struct mutex bind_lock = MUTEX_INIT(bind_lock, "loop_bind");

#define COMMAND_BYTES_MAX (1u << 20)
#define PIECES_MAX 256
#define DISCARD_BYTES_MAX (1u << 30)
#define PATH_SIZE 4096

struct block_limits loop_limits(u32 block_size, const struct file *file)
{
	bool holes = file && file->ops->fallocate;

	return (struct block_limits){
		.logical_block_size = block_size,
		.physical_block_size = block_size,
		.pieces_max = PIECES_MAX,
		.piece_bytes_max = COMMAND_BYTES_MAX,
		.command_bytes_max = COMMAND_BYTES_MAX,
		.discard_bytes_max = holes ? DISCARD_BYTES_MAX : 0,
		.discard_granularity = PAGE_SIZE,
		.write_zeroes_bytes_max = holes ? DISCARD_BYTES_MAX : 0,
		.write_cache = true,
	};
}

/* ---- /sys/block/loopN/loop ---- */

static int backing_file_show(struct text *text, void *object)
{
	struct loop *loop = object;
	char *buffer = kmalloc(PATH_SIZE, GFP_KERNEL), *name;

	if (!buffer)
		return -ENOMEM;
	name = file_name(loop->file, buffer, PATH_SIZE);
	if (!IS_ERR(name))
		text_printf(text, "%s\n", name);
	kfree(buffer);
	return IS_ERR(name) ? (int)PTR_ERR(name) : 0;
}

static int offset_show(struct text *text, void *object)
{
	text_printf(text, "%llu\n", (unsigned long long)((struct loop *)object)->offset);
	return 0;
}

static int size_limit_show(struct text *text, void *object)
{
	text_printf(text, "%llu\n", (unsigned long long)((struct loop *)object)->size_limit);
	return 0;
}

static int flag_show(struct text *text, void *object, u32 flag)
{
	text_puts(text, ((struct loop *)object)->flags & flag ? "1\n" : "0\n");
	return 0;
}

static int autoclear_show(struct text *text, void *object)
{
	return flag_show(text, object, LO_FLAGS_AUTOCLEAR);
}

static int partscan_show(struct text *text, void *object)
{
	return flag_show(text, object, LO_FLAGS_PARTSCAN);
}

static int dio_show(struct text *text, void *object)
{
	return flag_show(text, object, LO_FLAGS_DIRECT_IO);
}

static const struct pseudo_file loop_files[] = {
	PSEUDO_TEXT("autoclear", 0444, autoclear_show),
	PSEUDO_TEXT("backing_file", 0444, backing_file_show),
	PSEUDO_TEXT("dio", 0444, dio_show),
	PSEUDO_TEXT("offset", 0444, offset_show),
	PSEUDO_TEXT("partscan", 0444, partscan_show),
	PSEUDO_TEXT("sizelimit", 0444, size_limit_show),
	{},
};

/* ---- Binding; loop->lock is held ---- */

static u64 size_of(const struct loop *loop)
{
	u64 size = node_size(loop->file->contents);

	size = size > loop->offset ? size - loop->offset : 0;
	if (loop->size_limit)
		size = min(size, loop->size_limit);
	return size & ~(u64)(BLOCK_SECTOR - 1);
}

/* A loop must not stand, over others, for itself. */
static bool leads_to(struct file *file, const struct loop *loop)
{
	while (file && S_ISBLK(file->node->attr.mode)) {
		struct block_device *device = file->private;

		if (device->disk->ops != &loop_ops)
			return false;
		if (device->disk->private == loop)
			return true;
		file = READ_ONCE(((struct loop *)device->disk->private)->file);
	}
	return false;
}

static void status_take(struct loop *loop, const struct loop_info64 *info, u32 flags)
{
	loop->offset = info->lo_offset;
	loop->size_limit = info->lo_sizelimit;
	loop->flags = flags;
	memcpy(loop->name, info->lo_file_name, sizeof(loop->name));
	loop->name[sizeof(loop->name) - 1] = 0;
}

/* Partitions as the flags say. That they cannot be read is no reason not to bind. */
static void partitions_scan(struct loop *loop)
{
	loop->disk->no_partitions = !(loop->flags & LO_FLAGS_PARTSCAN);
	if (!loop->disk->no_partitions && block_disk_rescan(loop->disk))
		pr_warn("loop%u: its partitions are in use or cannot be read\n", loop->index);
}

static int worker_start(struct loop *loop)
{
	char name[16];
	struct thread *worker;

	scnprintf(name, sizeof(name), "loop%u", loop->index);
	worker = kthread_run(loop_worker, loop, name);
	if (IS_ERR(worker))
		return (int)PTR_ERR(worker);
	loop->worker = worker;
	return 0;
}

static void bound_set(struct loop *loop, bool bound)
{
	unsigned long flags = spin_lock_irqsave(&loop->queue_lock);

	loop->bound = bound;
	spin_unlock_irqrestore(&loop->queue_lock, flags);
}

/* Takes over the file's reference when it succeeds. */
static int bind(struct loop *loop, struct file *file, const struct loop_config *config)
{
	struct block_limits limits =
		loop_limits(config->block_size ? config->block_size : BLOCK_SECTOR, file);
	u32 flags = config->info.lo_flags & LOOP_CONFIGURE_SETTABLE_FLAGS;
	int error;

	if (loop->file || loop->removed)
		return -EBUSY;
	if (leads_to(file, loop))
		return -EBADF;
	if (!(file->mode & FILE_WRITE))
		flags |= LO_FLAGS_READ_ONLY;
	status_take(loop, &config->info, flags & ~(u32)LO_FLAGS_DIRECT_IO);
	error = worker_start(loop);
	if (error)
		return error;
	WRITE_ONCE(loop->file, file);
	loop->directory = pseudo_directory_add(sys_tree, loop->disk->whole->directory, "loop",
					       loop_files, loop);
	if (IS_ERR(loop->directory)) {
		error = (int)PTR_ERR(loop->directory);
		WRITE_ONCE(loop->file, NULL);
		kthread_stop(loop->worker);
		return error;
	}
	__module_get(THIS_MODULE);
	bound_set(loop, true);
	block_device_invalidate(loop->disk->whole);
	block_disk_set_limits(loop->disk, &limits);
	block_device_set_read_only(loop->disk->whole, loop->flags & LO_FLAGS_READ_ONLY);
	block_disk_resize(loop->disk, size_of(loop));
	partitions_scan(loop);
	return 0;
}

/* Nobody has it open, but somebody may come to. The file is the caller's to put, with no lock held: it may be another loop's. */
static struct file *unbind(struct loop *loop)
{
	struct file *file = loop->file;

	block_disk_resize(loop->disk, 0);
	if (!loop->disk->no_partitions && block_disk_rescan(loop->disk))
		pr_warn("loop%u: its partitions are in use\n", loop->index);
	block_device_invalidate(loop->disk->whole);
	pseudo_directory_remove(loop->directory);
	bound_set(loop, false);
	kthread_stop(loop->worker);
	WRITE_ONCE(loop->file, NULL);
	return file;
}

void loop_release(struct block_device *device)
{
	struct loop *loop = device->disk->private;
	struct file *file = NULL;

	if (!(READ_ONCE(loop->flags) & LO_FLAGS_AUTOCLEAR))
		return;
	mutex_lock(&bind_lock);
	mutex_lock(&loop->lock);
	if (loop->file && (loop->flags & LO_FLAGS_AUTOCLEAR) && !block_disk_is_open(loop->disk))
		file = unbind(loop);
	mutex_unlock(&loop->lock);
	mutex_unlock(&bind_lock);
	if (!file)
		return;
	file_put(file);
	module_put(THIS_MODULE);
}

/* ---- ioctl ---- */

static bool block_size_valid(u32 size)
{
	return !size || (size >= BLOCK_SECTOR && size <= PAGE_SIZE && !(size & (size - 1)));
}

static long configure(struct loop *loop, struct file *opened, const struct loop_config *config)
{
	struct file *file;
	int error;

	if (!block_size_valid(config->block_size) || (loff_t)config->info.lo_offset < 0 ||
	    config->info.lo_encrypt_type ||
	    (config->info.lo_flags & ~(u32)LOOP_CONFIGURE_SETTABLE_FLAGS))
		return -EINVAL;
	file = fd_get(config->fd);
	if (!file)
		return -EBADF;
	error = -EINVAL;
	if (!S_ISREG(file->node->attr.mode) && !S_ISBLK(file->node->attr.mode))
		goto put;
	if (!file->ops->read || (!file->ops->write && (file->mode & FILE_WRITE)))
		goto put;
	error = mutex_lock_killable(&bind_lock);
	if (error)
		goto put;
	mutex_lock(&loop->lock);
	error = bind(loop, file, config);
	/* Who could not write to the loop's own file does not write to what it stands for. */
	if (!error && !(opened->mode & FILE_WRITE)) {
		loop->flags |= LO_FLAGS_READ_ONLY;
		block_device_set_read_only(loop->disk->whole, true);
	}
	mutex_unlock(&loop->lock);
	mutex_unlock(&bind_lock);
	if (!error)
		return 0;
put:
	file_put(file);
	return error;
}

static int status_get(struct loop *loop, struct loop_info64 *info)
{
	*info = (struct loop_info64){
		.lo_device = loop->file->node->tree->device,
		.lo_inode = loop->file->node->attr.id,
		.lo_rdevice = S_ISBLK(loop->file->node->attr.mode) ? loop->file->node->attr.rdev : 0,
		.lo_offset = loop->offset,
		.lo_sizelimit = loop->size_limit,
		.lo_number = loop->index,
		.lo_flags = loop->flags,
	};
	memcpy(info->lo_file_name, loop->name, sizeof(info->lo_file_name));
	return 0;
}

static int status_set(struct loop *loop, const struct loop_info64 *info)
{
	u32 kept = loop->flags & ~(u32)LOOP_SET_STATUS_CLEARABLE_FLAGS;
	u32 flags = kept | (info->lo_flags & LOOP_SET_STATUS_SETTABLE_FLAGS);
	bool moved = info->lo_offset != loop->offset || info->lo_sizelimit != loop->size_limit;
	bool scan = !(loop->flags & LO_FLAGS_PARTSCAN) && (flags & LO_FLAGS_PARTSCAN);
	int error = 0;

	if ((loff_t)info->lo_offset < 0 || info->lo_encrypt_type)
		return -EINVAL;
	if (moved) {
		error = block_device_sync(loop->disk->whole);
		block_device_invalidate(loop->disk->whole);
	}
	if (error)
		return error;
	status_take(loop, info, flags);
	if (moved)
		block_disk_resize(loop->disk, size_of(loop));
	if (scan)
		partitions_scan(loop);
	return 0;
}

static int block_size_set(struct loop *loop, u32 size)
{
	struct block_limits limits;
	int error;

	if (!size || !block_size_valid(size))
		return -EINVAL;
	error = block_device_sync(loop->disk->whole);
	if (error)
		return error;
	block_device_invalidate(loop->disk->whole);
	limits = loop_limits(size, loop->file);
	block_disk_set_limits(loop->disk, &limits);
	block_disk_resize(loop->disk, size_of(loop));
	return 0;
}

/* The old form, with 32 bits of offset and names in another order. */
static void status_old(const struct loop_info64 *info, struct loop_info *old)
{
	*old = (struct loop_info){
		.lo_number = (int)info->lo_number,
		.lo_device = (__kernel_old_dev_t)info->lo_device,
		.lo_inode = info->lo_inode,
		.lo_rdevice = (__kernel_old_dev_t)info->lo_rdevice,
		.lo_offset = (int)info->lo_offset,
		.lo_flags = (int)info->lo_flags,
	};
	memcpy(old->lo_name, info->lo_file_name, sizeof(old->lo_name));
}

static void status_new(const struct loop_info *old, struct loop_info64 *info)
{
	*info = (struct loop_info64){ .lo_offset = (u32)old->lo_offset,
				      .lo_encrypt_type = (u32)old->lo_encrypt_type,
				      .lo_flags = (u32)old->lo_flags };
	memcpy(info->lo_file_name, old->lo_name, sizeof(info->lo_file_name));
}

/* Of a bound loop; loop->lock is held. */
static long bound_ioctl(struct loop *loop, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	struct loop_info64 info;
	struct loop_info old;

	switch (command) {
	case LOOP_CLR_FD:
		loop->flags |= LO_FLAGS_AUTOCLEAR;
		return 0;
	case LOOP_GET_STATUS64:
		status_get(loop, &info);
		return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
	case LOOP_GET_STATUS:
		status_get(loop, &info);
		status_old(&info, &old);
		return copy_to_user(user, &old, sizeof(old)) ? -EFAULT : 0;
	case LOOP_SET_STATUS64:
		return copy_from_user(&info, user, sizeof(info)) ? -EFAULT : status_set(loop, &info);
	case LOOP_SET_STATUS:
		if (copy_from_user(&old, user, sizeof(old)))
			return -EFAULT;
		status_new(&old, &info);
		return status_set(loop, &info);
	case LOOP_SET_CAPACITY:
		block_disk_resize(loop->disk, size_of(loop));
		return 0;
	case LOOP_SET_BLOCK_SIZE:
		return block_size_set(loop, (u32)argument);
	case LOOP_SET_DIRECT_IO:
		return argument ? -EINVAL : 0;
	case LOOP_CHANGE_FD:
		return -EINVAL;
	default:
		return -ENOTTY;
	}
}

/* Does the command change something, for which one must be able to write, or to administer? */
static bool changes(unsigned int command)
{
	return command != LOOP_GET_STATUS && command != LOOP_GET_STATUS64 &&
	       command != LOOP_SET_FD && command != LOOP_CONFIGURE;
}

long loop_ioctl(struct block_device *device, struct file *file, unsigned int command,
		unsigned long argument)
{
	struct loop *loop = device->disk->private;
	struct loop_config config = {};
	long result;

	if (command < LOOP_SET_FD || command > LOOP_CONFIGURE || device->partition)
		return -ENOTTY;
	if (changes(command) && !(file->mode & FILE_WRITE) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (command == LOOP_SET_FD) {
		config.fd = (u32)argument;
		return configure(loop, file, &config);
	}
	if (command == LOOP_CONFIGURE)
		return copy_from_user(&config, (void __user *)argument, sizeof(config))
			       ? -EFAULT
			       : configure(loop, file, &config);
	result = mutex_lock_killable(&loop->lock);
	if (result)
		return result;
	result = loop->file ? bound_ioctl(loop, command, argument) : -ENXIO;
	mutex_unlock(&loop->lock);
	return result;
}
