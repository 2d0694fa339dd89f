/* Character devices: files in /dev served by an operations table, found by number from any tree's device nodes. */
#ifndef KUMO_DEVICE_H
#define KUMO_DEVICE_H

#include <kumo/tree.h>

/* Linux's user-space encoding of device numbers (st_rdev). */
static inline u64 device_make(u32 major, u32 minor)
{
	return (minor & 0xff) | ((u64)(major & 0xfff) << 8) | ((u64)(minor & ~0xffU) << 12) |
	       ((u64)(major & ~0xfffU) << 32);
}
static inline u32 device_major(u64 device)
{
	return (u32)((device >> 8) & 0xfff) | (u32)((device >> 32) & ~0xfffULL);
}
static inline u32 device_minor(u64 device)
{
	return (u32)(device & 0xff) | (u32)((device >> 12) & ~0xffULL);
}

struct device_guard;

struct char_device {
	const char *name; /* below /dev; may contain '/'. NULL: its nodes are somebody else's business */
	u64 number;
	u32 mode; /* permissions */
	u32 gid;
	const struct tree_ops *ops; /* open finds file->private set to the char_device; open may replace it */
	struct module *owner; /* pinned while open */
	void *private;
	/* Its operations may be called at any time, by files that stay open after char_device_unregister(), too: they see to
	 * that themselves (terminals), or the device never goes. */
	bool unguarded;
	bool whole_major; /* serves each minor number that is nobody's; `number` is minor 0 */
	/* the core's */
	struct hlist_node hash_link;
	atomic_t opening; /* opens under way */
	struct device_guard *guard;
};
/* Makes /dev/NAME appear. -EBUSY when the number is taken. */
int char_device_register(struct char_device *device) __must_check;
/* No new opens when it returns; files open on it get -ENODEV from the core, their clunk has been called, and none of its
 * operations is running. Whoever sleeps in one must have been woken by the caller. */
void char_device_unregister(struct char_device *device);
int device_link_add(const char *name, const char *target) __must_check; /* a symbolic link in /dev */
/* A node in /dev for a device of whom a module will be asked for; or a folder, for a tree to stand on. */
int device_node_add(const char *name, u32 mode, u64 number, u32 gid) __must_check;
void device_link_remove(const char *name);
/* A fresh number under a dynamic major. */
u64 device_number_alloc(void);

/* open(2) of a node S_IFCHR or S_IFBLK of any tree, in place of its tree's open: by the node's number, loading
 * "char-major-M-N" when nobody has it. -ENXIO. */
int device_open(struct file *file, const struct cred *cred) __must_check;
struct text;
int devices_show(struct text *text, void *unused); /* /proc/devices */

#endif
