/* What the files of the block layer share. */
#ifndef BLOCK_INTERNAL_H
#define BLOCK_INTERNAL_H

#include <kumo/block.h>
#include <kumo/pseudo.h>

/* ---- submit.c: a request's life ---- */

/* What a request is at. */
enum block_step {
	STEP_PREFLUSH,	/* waits for a flush, then its bytes go */
	STEP_DATA,	/* its bytes go, part by part */
	STEP_POSTFLUSH, /* waits for a flush, then it is done */
	STEP_FLUSH,	/* is the flush that others wait for */
};
/* Begins its bytes. The queue that it was staged in, which is then to be run; NULL: it ended. */
struct block_queue *request_start_data(struct block_request *request);
/* A part came back from the driver. True: it goes on and is to be staged. */
bool request_part_done(struct block_request *request) __must_check;
/* Its part, or what it waited for, failed. */
void request_fail(struct block_request *request, int error);
void request_end(struct block_request *request, int error);

static inline u64 request_disk_position(const struct block_request *request)
{
	return request->device->start_bytes + request->position + request->part_offset;
}

/* ---- queue.c ---- */

int queues_create(struct block_disk *disk, unsigned int command_size) __must_check;
void queues_destroy(struct block_disk *disk);
/* Puts the request's part in this CPU's queue; returns that, to be run. NULL: the disk is dead, and the request ended. */
struct block_queue *queue_stage(struct block_request *request);
void queues_stop(struct block_disk *disk); /* waits until the driver is given nothing more. Sleeps. */
void queues_start(struct block_disk *disk);
void queues_fail_staged(struct block_disk *disk);
unsigned int queues_in_flight(struct block_disk *disk);
/* The next piece at (segment, offset), at most `left` bytes. Shared by counting and by block_piece_next(). */
u32 piece_take(const struct block_request *request, u32 *segment, u32 *offset, u64 left, void **data);

/* ---- flush.c ---- */

/* The request waits for a flush that begins after now. */
void flush_join(struct block_request *request, enum block_step step);
void flush_done(struct block_request *flush, int error);

/* ---- statistics.c ---- */

enum block_group { GROUP_READ, GROUP_WRITE, GROUP_DISCARD, GROUP_FLUSH, BLOCK_GROUPS };
int counts_create(struct block_device *device) __must_check;
void counts_destroy(struct block_device *device);
void count_start(struct block_request *request);
void count_merge(const struct block_request *request);
void count_end(const struct block_request *request);
/* The fields of /sys/block/NAME/stat, at least `width` wide each. */
void statistics_print(struct text *text, struct block_device *device, int width);
int in_flight_show(struct text *text, void *object);

/* ---- device.c: which devices there are ---- */

extern struct mutex disks_lock; /* the table of numbers and the list of disks */
extern struct list block_disks;
struct block_device *device_create(struct block_disk *disk, const char *name, u64 size_bytes) __must_check;
int device_add(struct block_device *device) __must_check; /* -EBUSY: the number is taken */
void device_remove(struct block_device *device);
struct block_device *device_find(u64 number); /* referenced, or NULL */
void device_set_size(struct block_device *device, u64 size_bytes);
int block_open(struct block_device *device, bool write, void *holder) __must_check;
/* Around a change of bytes past the page cache, which forgets them: before, and what somebody has read in meanwhile. -ENOMEM, -EIO, -EINTR. */
int device_bytes_begin(struct block_device *device, u64 start, u64 end) __must_check;
void device_bytes_end(struct block_device *device, u64 start, u64 end);
/* Around what an open file asks of the driver itself. False: the driver goes, or has gone. */
bool driver_enter(struct block_disk *disk) __must_check;
void driver_leave(struct block_disk *disk);
void disk_free(struct block_disk *disk); /* disk.c: the whole disk's device went */

/* ---- partitions.c ---- */

/* The disk's open_lock is held. */
int partitions_read(struct block_disk *disk) __must_check;
void partitions_remove(struct block_disk *disk);
int partition_add(struct block_disk *disk, u32 number, u64 start, u64 size, const char *uuid,
		  const char *name) __must_check;
struct block_device *partition_find(struct block_disk *disk, u32 number);
void partition_remove(struct block_device *partition);

/* ---- file.c, ioctl.c ---- */

extern const struct tree_ops block_file_ops;
long block_ioctl(struct file *file, unsigned int command, unsigned long argument);

/* ---- sysfs.c ---- */

int sysfs_add(struct block_device *device) __must_check;
void sysfs_remove(struct block_device *device);

#endif
