/*
 * Buffers (fs/buffer.c): the blocks of a device in which a filesystem keeps its own structures. A buffer is a slice of a page of
 * the device's page cache, so that /dev/NAME shows the same bytes. It stays cached when nobody uses it, until memory is short.
 *
 * A dirty buffer is written some seconds later by the library, unless it is pinned, or at once by whoever asks. Its page is
 * not dirty for the page cache. An error in writing is kept until buffer_wait() or buffers_sync() tells it.
 *
 * The user holds the device open. Locks: a buffer's own (buffer_lock(), sleeps) is inside the user's, and outside buffer_cache.lock
 * (interrupts off), which is inside everything.
 */
#ifndef KUMO_BUFFER_H
#define KUMO_BUFFER_H

#include <kumo/block.h>

struct buffer {
	struct block_device *device;
	u64 block; /* in units of size */
	u32 size;
	void *data;
	void *private; /* the user's, a journal's say; NULL in a new buffer */
	u64 owner;     /* the user's: who has checked the bytes; 0 in a new buffer */

	/* The library's; flags, refs, pins, error and the links under the cache's lock. */
	unsigned int refs, pins, flags;
	int error;
	u64 dirtied_ns;
	struct page *page; /* referenced */
	struct list link;  /* dirty, or unused and clean, or neither (an empty list) */
	struct block_segment segment;
	struct block_request request;
};

/* The block with its bytes, one reference. ERR_PTR(-EIO, -ENOMEM, -EINTR; -EINVAL: size, or behind the end; -EBUSY: somebody uses a
 * buffer of another size there). Sleeps. */
struct buffer *buffer_read(struct block_device *device, u64 block, u32 size) __must_check;
/* The same, for a caller who is going to overwrite all of it: it may not be read. What is cached already keeps its bytes. */
struct buffer *buffer_get(struct block_device *device, u64 block, u32 size) __must_check;
void buffer_ref(struct buffer *buffer); /* one more reference. Any context */
void buffer_put(struct buffer *buffer); /* any context; NULL is fine */

/* Its bytes were changed. Any context. */
void buffer_mark_dirty(struct buffer *buffer);
bool buffer_is_dirty(const struct buffer *buffer);
/* While it is pinned, write-back does not begin to write it; a write in flight goes on (buffer_wait()). Pins count. Any context. */
void buffer_pin(struct buffer *buffer);
void buffer_unpin(struct buffer *buffer);

/* Begins to write the bytes as they are now, dirty, pinned or not, with BLOCK_FUA, BLOCK_PREFLUSH, BLOCK_META; waits for a write
 * in flight first. Sleeps. */
void buffer_submit(struct buffer *buffer, unsigned int flags);
/* Waits for a write in flight. 0, or the error of a write since the last call. Sleeps; not interruptible. */
int buffer_wait(struct buffer *buffer) __must_check;
int buffer_write(struct buffer *buffer, unsigned int flags) __must_check; /* both */

/* For who changes data that others read. Waits for a write in flight, too, so that the device never sees half a change. Sleep. */
void buffer_lock(struct buffer *buffer);
void buffer_unlock(struct buffer *buffer);

/* Writes all that is dirty and not pinned, and waits. 0, or the first error of any buffer since the last call. No flush. Sleeps. */
int buffers_sync(struct block_device *device) __must_check;
/* The blocks are free: what is dirty of them will never be written. Waits for writes in flight. Sleeps. */
void buffers_forget(struct block_device *device, u64 first, u64 count, u32 size);

/* The core's: gives up what is unused and clean; true: nothing is left. */
bool buffers_drop(struct block_device *device);
/* The device goes. Nobody uses a buffer of it any more. */
void buffers_destroy(struct block_device *device);
void buffers_init(void);

#endif
