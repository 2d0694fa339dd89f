/*
 * Block devices (block/): disks and their partitions, and the way of a request to the driver. For drivers, for filesystems and for
 * the page cache.
 *
 *	owner ── block_request ──> block_device (a disk or a partition of it)
 *	                            │ bounds, partition's start, flush and FUA by steps       block/submit.c, block/flush.c
 *	                            v
 *	                           block_queue: staged requests, adjacent ones merged         block/queue.c
 *	                            │ a free command each
 *	                            v
 *	                           block_command ──> driver's ops->queue() ... block_command_done()
 *
 * A request is plain memory of its owner, who keeps it, its segments and their pages until done() is called, which happens exactly
 * once. Positions and lengths are bytes, multiples of the device's logical block size. What is larger than the device's limits
 * is done part by part.
 *
 * Locks, outermost first: disk->open_lock (who has it open, partitions; sleeps); disks_lock (which there are); disk->flush_lock;
 * block_queue.lock. The last two are taken with interrupts off; done() and the driver are called with none of them held.
 */
#ifndef KUMO_BLOCK_H
#define KUMO_BLOCK_H

#include <kumo/list.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/refcount.h>
#include <kumo/spinlock.h>
#include <kumo/time.h>
#include <kumo/wait.h>
#include <kumo/work.h>

struct block_device;
struct block_disk;
struct block_queue;
struct cred;
struct file;
struct module;
struct node;
struct page;
struct pseudo_directory;
struct text;
struct tree;

#define BLOCK_SECTOR 512u /* the unit of what Linux's interfaces count */

/* ---- Requests ---- */

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_WRITE_ZEROES };
#define BLOCK_OPERATIONS 5

enum {
	BLOCK_FUA = 1,	    /* a write that is stable when it is done */
	BLOCK_PREFLUSH = 2, /* what was written before is made stable first */
	BLOCK_META = 4,	    /* of a filesystem's own structures: for statistics and tracing */
	BLOCK_SYNC = 8,	    /* somebody waits for it */
};

/* A piece of memory: within a page, or (a larger allocation) the pages that follow it. */
struct block_segment {
	struct page *page;
	u32 offset, length; /* bytes; the length is a multiple of the logical block size */
};

struct block_request {
	struct block_device *device;
	enum block_operation operation;
	unsigned int flags; /* BLOCK_* */
	u64 position, length;
	const struct block_segment *segments; /* of reads and writes: `length` bytes in all */
	unsigned int segment_count;
	/* Any context, interrupts perhaps off; may submit others, and free the request. */
	void (*done)(struct block_request *request);
	void *private;
	int error; /* for done(): 0, -EIO, -ENOSPC, -EOPNOTSUPP, -ETIMEDOUT, -EINVAL, -EROFS, -ENODEV */

	/* The core's: the part that is under way, and the requests that were merged behind it. */
	struct list link; /* staged, in a command, in a plug, or waiting for a flush */
	struct list chain; /* of the first of merged ones: the others, in the order of their positions */
	u64 chain_length;
	u64 part_offset, part_length; /* of the request, bytes */
	u64 start_ns;
	u32 part_segment, part_segment_offset; /* where the part begins in the memory */
	u32 part_pieces, chain_pieces; /* how many pieces of memory a driver sees, at most */
	u8 step;		       /* enum block_step of flush.c */
	u8 retries;
	bool started; /* counted as begun */
	bool alone;   /* not to be merged: it was in a command that failed */
};

/* Fills in all of a request; the length is what the segments have. */
void block_request_init(struct block_request *request, struct block_device *device,
			enum block_operation operation, unsigned int flags, u64 position,
			const struct block_segment *segments, unsigned int segment_count,
			void (*done)(struct block_request *request), void *private);
/* The same for what moves no bytes: flush (position and length 0), discard, write zeroes. */
void block_request_init_range(struct block_request *request, struct block_device *device,
			      enum block_operation operation, unsigned int flags, u64 position,
			      u64 length, void (*done)(struct block_request *request), void *private);
/* Any context. Errors come through done(), perhaps before it returns. */
void block_submit(struct block_request *request);
/* Submits and waits: request->error. Sets done and private. Not interruptible: the memory is the device's until then. Sleeps. */
int block_request_run(struct block_request *request) __must_check;

/* Requests that are submitted together, so that adjacent ones are merged and the device is told once. */
struct block_plug {
	struct list requests;
	unsigned int count;
};
void block_plug_start(struct block_plug *plug);
void block_plug_submit(struct block_plug *plug, struct block_request *request);
void block_plug_finish(struct block_plug *plug); /* before its submitter waits for any of them */

/* Whole operations that sleep. 0 or negative errno; -EINTR: killed between two parts. */
int block_flush(struct block_device *device) __must_check;
/* Bytes to and from kernel memory of kmalloc or pages, past the page cache. Sleeps. */
int block_read_bytes(struct block_device *device, u64 position, void *buffer, u32 length) __must_check;
int block_write_bytes(struct block_device *device, u64 position, const void *buffer, u32 length,
		      unsigned int flags) __must_check;
/* -EOPNOTSUPP: the device cannot. What the page cache holds of the range is the caller's business. */
int block_discard(struct block_device *device, u64 position, u64 length) __must_check;
/* Discards are told in multiples of so many bytes, best; 0: the device cannot discard. */
u32 block_discard_granularity(const struct block_device *device);
/* Writes zeros where the device has no faster way. */
int block_zero(struct block_device *device, u64 position, u64 length) __must_check;

/* ---- Devices ---- */

/* What a disk can do, as the driver says before it registers the disk. */
struct block_limits {
	u32 logical_block_size,
		physical_block_size; /* powers of two, from 512 to PAGE_SIZE the logical one */
	u32 pieces_max;		     /* pieces of memory in a command; at least 1 */
	u32 piece_bytes_max;	     /* of one piece; at least PAGE_SIZE */
	u32 command_bytes_max;	     /* of a read or write; at least PAGE_SIZE */
	u32 discard_bytes_max, discard_granularity; /* 0: cannot discard */
	u32 write_zeroes_bytes_max;		    /* 0: zeros are written */
	u32 io_minimum, io_optimum;		    /* 0: the device does not say */
	bool write_cache;			    /* writes need a flush to be stable */
	bool fua;				    /* a write can be stable by itself */
	bool rotational;
};

struct block_counts; /* per CPU (block/statistics.c) */

/* A disk or a partition. Referenced by open files, mounts and the disk. */
struct block_device {
	char name[32];	/* of /dev/NAME */
	u64 number;	/* st_rdev */
	u64 size_bytes; /* changes when the disk is resized; block_device_size() */
	u32 logical_block_size, physical_block_size;
	bool read_only; /* BLKROSET, or the disk is */
	struct block_disk *disk;
	u32 partition;	 /* its number; 0: the whole disk */
	u64 start_bytes; /* of a partition, on the disk */
	struct node *node; /* whose page cache holds its bytes: the root of an internal tree of its own */
	struct tree *tree;
	char partition_uuid[40], partition_name[112]; /* as the table has them; empty: none */

	/* The core's. */
	refcount_t refs;
	struct list link; /* in disk->partitions */
	struct list number_link;
	unsigned int open_count; /* under disk->open_lock */
	bool removed; /* found before, it cannot be opened any more; under disk->open_lock */
	void *holder; /* who claimed it exclusively; under disk->open_lock */
	unsigned int holds;
	struct block_counts *counts;
	u64 busy_stamp_ns, busy_ns;
	struct rate_limit errors_said;
	struct pseudo_directory *directory; /* in /sys; a driver may add to its disk's, once it is registered */
	void *buffers;			    /* of fs/buffer.c */
};

static inline u64 block_device_size(const struct block_device *device)
{
	return READ_ONCE(device->size_bytes);
}
/* False: its disk went; all requests end with -EIO. */
bool block_device_alive(const struct block_device *device);

static inline struct block_device *block_device_get(struct block_device *device)
{
	refcount_inc(&device->refs);
	return device;
}
void block_device_put(struct block_device *device); /* sleeps */

/*
 * Opens a block device by the name of its special file. write: it shall be written to; holder: not NULL claims it exclusively
 * for that holder (O_EXCL, a mounted filesystem). ERR_PTR(-ENOENT, -EACCES, -ENOTBLK, -ENXIO, -EBUSY, -EROFS, ...). Sleeps.
 */
struct block_device *block_device_open_path(const char *name, bool write, void *holder,
					    const struct cred *cred) __must_check;
/* By number; asks for a module when nobody has it. ERR_PTR(-ENXIO, -EBUSY). */
struct block_device *block_device_open(u64 number, bool write, void *holder) __must_check;
/* open(2) of a block device's special file. */
int block_file_open(struct file *file, const struct cred *cred) __must_check;
/* Undoes an open. The last one writes back what the page cache holds. Sleeps. */
void block_device_close(struct block_device *device, void *holder);

int partitions_show(struct text *text, void *unused); /* /proc/partitions */
int diskstats_show(struct text *text, void *unused);  /* /proc/diskstats */
void block_majors_print(struct text *text);	      /* their part of /proc/devices */

/* ---- Drivers ---- */

/* What a driver is given: one request, or merged ones, within the limits. Its own memory lies behind it (command_size). */
struct block_command {
	struct block_queue *queue;
	enum block_operation operation;
	unsigned int flags;   /* BLOCK_FUA only if the limits say that the device knows it */
	u64 position, length; /* on the disk */
	u32 pieces;	      /* of memory, at most */
	unsigned int tag;     /* its number in the queue */

	/* The core's. */
	struct list link;     /* free, or in flight */
	struct list requests; /* in the order of positions */
	u64 start_ns;
	bool timed_out;
};
/* Its size, such that what lies behind it is aligned for anything. */
#define BLOCK_COMMAND_SIZE ALIGN_UP((unsigned int)sizeof(struct block_command), 16u)
static inline void *block_command_private(struct block_command *command)
{
	return (char *)command + BLOCK_COMMAND_SIZE;
}
static inline struct block_command *block_command_of(void *private)
{
	return (struct block_command *)((char *)private - BLOCK_COMMAND_SIZE);
}

/* The memory of a command, piece by piece, physically contiguous each: while (block_piece_next(&iter, &data, &size)). */
struct block_piece_iter {
	const struct block_command *command;
	const struct block_request *request;
	u32 segment, offset;
	u64 left; /* of the request's part */
};
void block_piece_iter_init(struct block_piece_iter *iter, const struct block_command *command);
bool block_piece_next(struct block_piece_iter *iter, void **data, u32 *size);

struct block_disk_ops {
	/* Takes a command: 0, and block_command_done() is called later or already; -EBUSY: not now, and a command of the queue is
	 * in flight, or the driver calls block_queue_run(); another error ends it. Any context, may not sleep; for one queue never at
	 * the same time. */
	int (*queue)(struct block_command *command);
	void (*commit)(struct block_queue *queue); /* after one or more queue(): tells the device. Optional */
	/* A command took longer than the timeout: stops the device, gives back all that it has (block_command_done() with
	 * -ERESTART, or how they ended) and starts it again. Not 0: the disk is given up. Sleeps; queue() is not called meanwhile.
	 * Absent: there are no timeouts. */
	int (*reset)(struct block_disk *disk);
	int (*open)(struct block_device *device); /* optional; for the first open */
	/* After the last close; somebody else may have opened it again. Optional. Sleeps. */
	void (*release)(struct block_device *device);
	/* Not the core's commands; -ENOTTY for what it does not know. Optional. Sleeps. */
	long (*ioctl)(struct block_device *device, struct file *file, unsigned int command,
		      unsigned long argument);
};

struct block_queue {
	struct block_disk *disk;
	unsigned int index;
	void *private; /* the driver's */

	/* The core's. */
	spinlock_t lock; /* protects all below */
	struct list staged, free, in_flight;
	unsigned int staged_count, in_flight_count;
	bool running; /* somebody gives commands to the driver */
	bool again;   /* and shall look once more */
	bool stopped; /* nothing is given to the driver */
	bool timer_armed;
	struct timer timer;
	char *commands; /* `depth` of them, with the driver's part */
} __cacheline_aligned;

/* What a driver says of a disk. */
struct block_disk_description {
	const char *name; /* "vda" */
	u64 number; /* of the whole disk; partition N has the Nth after it, as far as `minors` go */
	unsigned int minors;
	const struct block_disk_ops *ops;
	struct module *owner; /* pinned while it is open */
	void *private;
	unsigned int queue_count, depth; /* hardware queues, and commands in flight of each */
	unsigned int command_size;	 /* the driver's bytes behind each command */
	u64 timeout_ns;			 /* 0: none */
	u64 size_bytes;
	struct block_limits limits;
	bool read_only, removable, no_partitions;
};

struct block_disk {
	struct block_device *whole; /* lives as long as the disk; held by the driver, by partitions, by who has it open */
	const struct block_disk_ops *ops;
	struct module *owner;
	void *private; /* the driver's */
	struct block_limits limits;
	unsigned int queue_count, depth, command_bytes, minors;
	struct block_queue *queues;
	u64 timeout_ns;
	bool removable;
	bool no_partitions; /* a driver may change it, before it calls block_disk_rescan() */

	/* The core's. */
	struct list link;
	struct mutex open_lock; /* protects partitions, open counts, holders */
	struct list partitions; /* by number */
	unsigned int partition_holds, partitions_open;
	bool dead; /* no more commands: read without a lock, set before the queues are emptied */
	bool registered; /* can be found */
	atomic_t inside; /* calls into the driver for open files: it waits for them before it goes */
	struct wait_queue idle;
	struct work recovery;
	spinlock_t flush_lock; /* protects what is below */
	struct list flush_waiting, flush_running;
	bool flushing;
	struct block_request *flush;
};

/* Makes a disk with its queues, which nobody can find yet; one reference. ERR_PTR(-ENOMEM, -EINVAL). Sleeps. */
struct block_disk *block_disk_create(const struct block_disk_description *description) __must_check;
/* Makes it appear: /dev, /sys, its partitions. -EBUSY: the number is taken. Commands come from now on. Sleeps. */
int block_disk_register(struct block_disk *disk) __must_check;
/*
 * The end, in this order: block_disk_stop(): nothing is given to the driver any more, requests that it does not have end with
 * -EIO. Then the driver gives back what it has. block_disk_unregister() waits for that, and takes the names away. block_disk_put(). All
 * sleep. Files that are open stay so, and get -EIO.
 */
void block_disk_stop(struct block_disk *disk);
void block_disk_unregister(struct block_disk *disk);
void block_disk_put(struct block_disk *disk);
/* The size changed. What the page cache holds behind a new, lower end goes. Sleeps. */
void block_disk_resize(struct block_disk *disk, u64 size_bytes);
/* Reads the partition table anew. -EBUSY: one is open. Sleeps. */
int block_disk_rescan(struct block_disk *disk) __must_check;
/* Is anything of it open? For a driver's own rules; by the time one looks it may be different. */
bool block_disk_is_open(struct block_disk *disk);
/* For disks whose media comes and goes (loop): before their first use, with nothing in flight. Sleeps. */
void block_disk_set_limits(struct block_disk *disk, const struct block_limits *limits);
void block_device_set_read_only(struct block_device *device, bool read_only);
/* Drops what is clean of its page cache and buffers; nothing while buffers are used or dirty. Sleeps. */
void block_device_invalidate(struct block_device *device);
/* Writes back what the page cache and the buffers hold; then a flush. Sleeps. */
int block_device_sync(struct block_device *device) __must_check;

/* The end of a command: 0, -EIO, -ENOSPC, -EOPNOTSUPP; -ERESTART: it was not done, and shall be given again. Any context. */
void block_command_done(struct block_command *command, int error);
void block_queue_run(struct block_queue *queue); /* the driver can take more. Any context */
/* The command in flight with this tag, or NULL: for drivers whose device answers with numbers. */
struct block_command *block_queue_command(struct block_queue *queue, unsigned int tag);

#endif
