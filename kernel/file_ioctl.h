/* Commands of ioctl(2) for files of trees that keep them on a disk (file_ioctl.c). Each gives 0 or a negative errno. */
#ifndef KERNEL_FILE_IOCTL_H
#define KERNEL_FILE_IOCTL_H

#include <kumo/types.h>
#include <kumo/uaccess.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

struct file;

long file_flags_set(struct file *file, const u32 __user *from);		  /* FS_IOC_SETFLAGS */
long file_extents_tell(struct file *file, struct fiemap __user *user);	  /* FS_IOC_FIEMAP */
long file_block_find(struct file *file, int __user *number);		  /* FIBMAP */
long file_tree_trim(struct file *file, struct fstrim_range __user *user); /* FITRIM */

#endif
