/* System calls on modules: init_module, finit_module, delete_module. The errnos are those of their man pages. */
#define LOG_PREFIX "module: "
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/kva.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/module.h>
#include "module/internal.h"

#define MODULE_FILE_MAX (256 * MIB)
#define ARGS_SHORT 256
#define ARGS_MAX (64 * KIB)

/* The parameters: in `room` when they are short, else in memory to be given to kvfree(). ERR_PTR. */
static char *args_get(const char __user *args, char room[ARGS_SHORT])
{
	ssize_t length = strncpy_from_user(room, args, ARGS_SHORT);
	char *memory;

	if (length < 0)
		return ERR_PTR(length);
	if (length < ARGS_SHORT)
		return room;
	memory = kvmalloc(ARGS_MAX, GFP_KERNEL);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	length = strncpy_from_user(memory, args, ARGS_MAX);
	if (length >= 0 && length < (ssize_t)ARGS_MAX)
		return memory;
	kvfree(memory);
	return ERR_PTR(length < 0 ? length : -E2BIG);
}

static long load(const void *file, size_t size, const char __user *user_args, unsigned int flags)
{
	char room[ARGS_SHORT], *args = args_get(user_args, room);
	int error;

	if (IS_ERR(args))
		return PTR_ERR(args);
	error = module_load(file, size, args, flags);
	if (args != room)
		kvfree(args);
	return error;
}

long sys_init_module(const void __user *image, unsigned long size, const char __user *args)
{
	void *file;
	long error;

	if (!capable(CAP_SYS_MODULE))
		return -EPERM;
	if (size < sizeof(Elf64_Ehdr)) {
		pr_err("file: shorter than an ELF header\n");
		return -ENOEXEC;
	}
	if (size > MODULE_FILE_MAX)
		return -ENOMEM;
	file = kvmalloc(size, GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	error = copy_from_user(file, image, size) ? -EFAULT : load(file, size, args, 0);
	kvfree(file);
	return error;
}

/* The whole file in memory for kvfree(). */
static void *file_contents(struct file *file, size_t *size)
{
	u64 length = node_size(file->node);
	loff_t at = 0;
	void *data;

	if (!length)
		return ERR_PTR(-EINVAL);
	if (length > MODULE_FILE_MAX)
		return ERR_PTR(-EFBIG);
	data = kvmalloc(length, GFP_KERNEL);
	if (!data)
		return ERR_PTR(-ENOMEM);
	while ((u64)at < length) {
		ssize_t part = kernel_read(file, (u8 *)data + at, length - (u64)at, &at);

		if (part <= 0) {
			kvfree(data);
			return ERR_PTR(part < 0 ? part : -EIO); /* it became shorter */
		}
	}
	*size = length;
	return data;
}

long sys_finit_module(int fd, const char __user *args, int flags)
{
	struct fd_ref ref;
	size_t size = 0;
	void *data;
	long error;

	if (!capable(CAP_SYS_MODULE))
		return -EPERM;
	if (flags & ~(MODULE_INIT_IGNORE_MODVERSIONS | MODULE_INIT_IGNORE_VERMAGIC |
		      MODULE_INIT_COMPRESSED_FILE))
		return -EINVAL;
	if (flags & MODULE_INIT_COMPRESSED_FILE)
		return -EOPNOTSUPP; /* kmod then unpacks it itself */
	ref = fd_borrow((unsigned int)fd);
	if (!ref.file)
		return -EBADF;
	error = -EBADF;
	if (!(ref.file->mode & FILE_READ))
		goto out;
	error = -EINVAL;
	if (!ref.file->node || (ref.file->node->attr.mode & S_IFMT) != S_IFREG)
		goto out;
	/* What is read must be one state of the file. */
	error = node_deny_write(ref.file->node);
	if (error)
		goto out;
	data = file_contents(ref.file, &size);
	node_allow_write(ref.file->node);
	error = PTR_ERR(data);
	if (IS_ERR(data))
		goto out;
	error = load(data, size, args, (unsigned int)flags);
	kvfree(data);
out:
	fd_release(ref);
	return error;
}

/* O_TRUNC, "by force", is ignored, as by a Linux without CONFIG_MODULE_FORCE_UNLOAD. */
long sys_delete_module(const char __user *user_name, unsigned int flags)
{
	char name[MODULE_NAME_LEN];
	ssize_t length;

	if (!capable(CAP_SYS_MODULE))
		return -EPERM;
	length = strncpy_from_user(name, user_name, sizeof(name));
	if (length < 0)
		return length;
	if (length == sizeof(name))
		return -ENOENT;
	return module_unload(name);
}
