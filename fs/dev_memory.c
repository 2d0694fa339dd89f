/*
 * The devices that every system has and no hardware: null, zero, full, random, urandom (major 1), and kmsg, which is
 * the kernel's log.
 */
#define LOG_PREFIX "dev: "
#include <kumo/device.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/random.h>
#include <kumo/signal.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/capability.h>
#include <linux/random.h>

#include "dev.h"

/* A long transfer lets others run, and ends when a signal came, but not before something was done. */
static bool transfer_goes_on(void)
{
	cond_resched();
	return !signal_pending();
}

static ssize_t null_read(struct file *file, struct iter *to, loff_t *pos)
{
	return 0;
}

static ssize_t null_write(struct file *file, struct iter *from, loff_t *pos)
{
	size_t size = from->count;

	iter_advance(from, size);
	return (ssize_t)size;
}

static ssize_t zero_read(struct file *file, struct iter *to, loff_t *pos)
{
	size_t total = 0;

	while (to->count) {
		size_t part = min(to->count, (size_t)PAGE_SIZE), done = iter_zero(to, part);

		total += done;
		if (done < part)
			return total ? (ssize_t)total : -EFAULT;
		if (to->count && !transfer_goes_on())
			break;
	}
	return (ssize_t)total;
}

static struct page *zero_fault(struct vma *vma, u64 offset_pages, bool write)
{
	struct page *page = page_alloc(0, GFP_USER | GFP_ZERO);

	return page ? page : ERR_PTR(-ENOMEM);
}

static const struct vma_ops zero_vma_ops = { .fault = zero_fault };

static int zero_mmap(struct file *file, struct vma *vma)
{
	if (vma->flags & VM_SHARED)
		return shared_memory_attach(vma);
	vma->ops = &zero_vma_ops;
	return 0;
}

static ssize_t full_write(struct file *file, struct iter *from, loff_t *pos)
{
	return -ENOSPC;
}

/* /dev/urandom: never waits. */
static ssize_t random_read(struct file *file, struct iter *to, loff_t *pos)
{
	u8 bytes[256];
	size_t total = 0;

	while (to->count) {
		size_t part = min(to->count, sizeof(bytes)), done;

		random_get(bytes, part);
		done = iter_copy_to(to, bytes, part);
		total += done;
		if (done < part)
			return total ? (ssize_t)total : -EFAULT;
		if (to->count && !(total % PAGE_SIZE) && !transfer_goes_on())
			break;
	}
	return (ssize_t)total;
}

/* /dev/random: not before the generator was seeded. */
static ssize_t random_read_ready(struct file *file, struct iter *to, loff_t *pos)
{
	int error;

	if (!random_ready()) {
		if ((file->flags & O_NONBLOCK) || to->nowait)
			return -EAGAIN;
		error = random_wait();
		if (error)
			return error;
	}
	return random_read(file, to, pos);
}

static ssize_t random_write(struct file *file, struct iter *from, loff_t *pos)
{
	u8 bytes[256];
	size_t total = 0;

	while (from->count) {
		size_t part = min(from->count, sizeof(bytes)), done = iter_copy_from(from, bytes, part);

		random_add_entropy(bytes, done, 0);
		total += done;
		if (done < part)
			return total ? (ssize_t)total : -EFAULT;
		if (from->count && !(total % PAGE_SIZE) && !transfer_goes_on())
			break;
	}
	return (ssize_t)total;
}

#define ENTROPY_BITS 256 /* of a seeded generator, for ever */

static long random_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	int __user *numbers = (int __user *)argument;
	struct iter from;
	ssize_t written;
	int bits, size;

	/* The bits that RNDADDENTROPY claims are not counted: nobody can check them. */
	switch (command) {
	case RNDGETENTCNT:
		return put_user(ENTROPY_BITS, numbers);
	case RNDADDTOENTCNT:
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG:
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	case RNDADDENTROPY:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		if (get_user(bits, numbers) || get_user(size, numbers + 1))
			return -EFAULT;
		if (bits < 0 || size < 0)
			return -EINVAL;
		iter_init_user(&from, numbers + 2, (size_t)size);
		written = random_write(file, &from, &file->pos);
		return written < 0 ? written : 0;
	default:
		return -EINVAL;
	}
}

static int kmsg_device_open(struct file *file, const struct cred *cred)
{
	struct kmsg_reader *reader = NULL;

	if (file->mode & FILE_READ) {
		reader = kmsg_open();
		if (!reader)
			return -ENOMEM;
	}
	file->private = reader;
	return 0;
}

static void kmsg_device_clunk(struct file *file)
{
	if (file->private)
		kmsg_close(file->private);
}

static ssize_t kmsg_device_read(struct file *file, struct iter *to, loff_t *pos)
{
	return kmsg_read(file->private, to, file->flags & O_NONBLOCK);
}

static ssize_t kmsg_device_write(struct file *file, struct iter *from, loff_t *pos)
{
	return kmsg_write(from);
}

static u32 kmsg_device_poll(struct file *file, struct poll_table *table)
{
	return file->private ? kmsg_poll(file->private, file, table) : 0;
}

static loff_t kmsg_device_seek(struct file *file, loff_t offset, int whence)
{
	return file->private ? kmsg_seek(file->private, offset, whence) : -EBADF;
}

static const struct tree_ops null_ops = {
	.read = null_read, .write = null_write, .can_nowait = true, .seek = file_seek_stays
};
static const struct tree_ops zero_ops = {
	.read = zero_read,
	.write = null_write,
	.can_nowait = true,
	.seek = file_seek_stays,
	.mmap = zero_mmap,
};
static const struct tree_ops full_ops = { .read = zero_read, .write = full_write, .seek = file_seek_stays };
static const struct tree_ops random_ops = {
	.read = random_read_ready,
	.write = random_write,
	.can_nowait = true,
	.poll = random_poll,
	.seek = file_seek_stays,
	.ioctl = random_ioctl,
};
static const struct tree_ops urandom_ops = {
	.read = random_read,
	.write = random_write,
	.can_nowait = true,
	.seek = file_seek_stays,
	.ioctl = random_ioctl,
};
static const struct tree_ops kmsg_ops = {
	.open = kmsg_device_open,
	.clunk = kmsg_device_clunk,
	.read = kmsg_device_read,
	.write = kmsg_device_write,
	.poll = kmsg_device_poll,
	.seek = kmsg_device_seek,
};

#define MEMORY_DEVICE(name_, minor_, mode_, ops_)                                                  \
	{                                                                                          \
		.name = (name_), .number = 1 << 8 | (minor_), .mode = (mode_), .ops = (ops_),      \
		.unguarded = true                                                                  \
	}

static struct char_device memory_devices[] = {
	MEMORY_DEVICE("null", 3, 0666, &null_ops),
	MEMORY_DEVICE("zero", 5, 0666, &zero_ops),
	MEMORY_DEVICE("full", 7, 0666, &full_ops),
	MEMORY_DEVICE("random", 8, 0666, &random_ops),
	MEMORY_DEVICE("urandom", 9, 0666, &urandom_ops),
	MEMORY_DEVICE("kmsg", 11, 0644, &kmsg_ops),
};

void __init memory_devices_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(memory_devices); i++)
		if (char_device_register(&memory_devices[i]))
			pr_err("cannot make /dev/%s\n", memory_devices[i].name);
}
