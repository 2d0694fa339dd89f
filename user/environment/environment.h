/*
 * The environment of a component that runs as an ordinary program (docs/ext4.md): what the headers in include/kumo/ of this folder,
 * and those of the kernel that need nothing machine-dependent, promise to modules/fs. This header is for the program
 * around the component: devices that are image files, trees without a kernel's names.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <kumo/block.h>
#include <kumo/tree.h>

/* Told of each write and flush of a device, before it is made: for tests of power cuts. */
struct device_recorder {
	/* stable: it will not be lost once it is done (FUA); others may be until the next flush. */
	void (*write)(struct device_recorder *recorder, u64 position, const void *data, u64 length,
		      bool stable);
	void (*flush)(struct device_recorder *recorder);
};

/* A device over an open file, whose descriptor stays the caller's. NULL: no memory. */
struct block_device *device_open(int fd, const char *name, u64 size, bool read_only);
void device_close(struct block_device *device);
/* A disk, or a file that stands for one, for real use: flushes are made. ERR_PTR(-ENOENT, -EBUSY, ...). */
struct block_device *device_open_path(const char *path, bool read_only);
void device_close_path(struct block_device *device);
void device_record(struct block_device *device, struct device_recorder *recorder);
void device_fail_writes(struct block_device *device, u64 after); /* each write from the n-th on: -EIO */
int device_read_bytes(struct block_device *device, u64 position, void *data, u64 length,
		      u32 block_size) __must_check;
int device_write_bytes(struct block_device *device, u64 position, const void *data,
		       u64 length) __must_check;
/* Writes some of the dirty buffers, as the kernel would now and then. */
void device_write_back(struct block_device *device, unsigned int one_in);
bool device_buffers_dropped(struct block_device *device); /* all; false: somebody holds one */

/* Attaches a tree of a registered type to a device, and lets go of it. */
struct tree *environment_mount(const char *type, struct block_device *device, const char *options,
			       bool read_only);
void environment_unmount(struct tree *tree);

/* Lines of the log go to stderr if wanted; how many there were, anyhow. */
extern bool environment_log_shown;
extern unsigned long environment_log_lines;

#endif
