/* Between the system calls on mounts: mount(2) and its like (sys_mount.c), and the newer ones (sys_mount_new.c). */
#ifndef KERNEL_MOUNT_CALLS_H
#define KERNEL_MOUNT_CALLS_H

#include <kumo/tree.h>

/* May the caller change what its namespace has mounted? */
bool may_mount(void);
/* Less than `limit` bytes of text: type, source or options. NULL stays NULL. ERR_PTR(-EFAULT, -EINVAL, -ENOMEM). */
char *mount_text_get(const char __user *from, size_t limit) __must_check;
/* A tree of the type, for the caller. Who has no privilege does not even attach what is not for everybody: a disk, say, that
 * somebody prepared. ERR_PTR. */
struct tree *mount_tree_new(struct tree_type *type, const char *source, unsigned long flags,
			    const char *options) __must_check;

/* MOUNT_ATTR_* as MS_*: those that are on or off, and the choice of times of reading (-EINVAL: there is no such). */
unsigned long mount_flags_of_attributes(u64 attributes);
int mount_flags_of_atime(u64 attributes, unsigned long *flags) __must_check;

#endif
