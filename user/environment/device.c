/*
 * Block devices that are image files, and the buffers above them. A buffer stays cached until many others were used after it. What
 * is dirty is written by who asks for it, or by device_write_back(), which stands for the kernel's write-back.
 */
#include "environment.h"

#include <errno.h>
#include <fcntl.h>
#include <kumo/buffer.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A buffer and what this library keeps of it. */
struct cached {
	struct buffer buffer;
	bool uptodate, dirty;
	struct hlist_node hash_link;
};

#define BUCKETS 1024
#define BUFFERS_MAX 4096 /* more than that, and unused ones go */

struct image {
	struct block_device device;
	int fd;
	bool is_real; /* a disk, or what stands for one: flushed as such, and not there to be spoilt */
	struct device_recorder *recorder;
	u64 writes_left;   /* before they fail */
	struct mutex lock; /* the buffers */
	struct hlist buckets[BUCKETS];
	struct list buffers; /* struct buffer, by link, least recently used first */
	u32 count;
};

static struct image *image_of(struct block_device *device)
{
	return container_of(device, struct image, device);
}

struct block_device *device_open(int fd, const char *name, u64 size, bool read_only)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image)
		return NULL;
	image->fd = fd;
	image->writes_left = ~0ULL;
	mutex_init(&image->lock, "image");
	list_init(&image->buffers);
	image->device = (struct block_device){ .number = 1,
					       .size_bytes = size,
					       .logical_block_size = 512,
					       .physical_block_size = 512,
					       .read_only = read_only };
	strscpy(image->device.name, name, sizeof(image->device.name));
	return &image->device;
}

struct block_device *device_open_path(const char *path, bool read_only)
{
	/* Of a disk O_EXCL says that it is ours, and that nobody else has it mounted. */
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct block_device *device;
	struct stat about;
	off_t size;

	if (fd >= 0 && !fstat(fd, &about) && S_ISBLK(about.st_mode)) {
		close(fd);
		fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_EXCL | O_CLOEXEC);
	}
	if (fd < 0)
		return ERR_PTR(-errno);
	size = lseek(fd, 0, SEEK_END);
	device = size < 0 ? ERR_PTR(-errno) : device_open(fd, path, (u64)size, read_only);
	if (!IS_ERR_OR_NULL(device)) {
		image_of(device)->is_real = true;
		return device;
	}
	close(fd);
	return device ? device : ERR_PTR(-ENOMEM);
}

void device_close_path(struct block_device *device)
{
	int fd = image_of(device)->fd;

	device_close(device);
	close(fd);
}

void device_record(struct block_device *device, struct device_recorder *recorder)
{
	image_of(device)->recorder = recorder;
}

void device_fail_writes(struct block_device *device, u64 after)
{
	image_of(device)->writes_left = after;
}

static bool inside(const struct block_device *device, u64 position, u64 length)
{
	return position <= device->size_bytes && length <= device->size_bytes - position;
}

int device_read_bytes(struct block_device *device, u64 position, void *data, u64 length, u32 block_size)
{
	u64 done = 0;

	if (!inside(device, position, length))
		return -EIO;
	while (done < length) {
		ssize_t got = pread(image_of(device)->fd, (char *)data + done, length - done,
				    (off_t)(position + done));

		if (got < 0)
			return -EIO;
		if (!got) { /* behind the end of the file */
			memset((char *)data + done, 0, length - done);
			break;
		}
		done += (u64)got;
	}
	return 0;
}

static int write_bytes(struct block_device *device, u64 position, const void *data, u64 length,
		       bool stable)
{
	struct image *image = image_of(device);

	if (device->read_only || !inside(device, position, length))
		return -EIO;
	if (image->writes_left != ~0ULL && !image->writes_left--) {
		image->writes_left = 0;
		return -EIO;
	}
	if (image->recorder)
		image->recorder->write(image->recorder, position, data, length, stable);
	if (pwrite(image->fd, data, length, (off_t)position) != (ssize_t)length)
		return -EIO;
	return stable && image->is_real && fdatasync(image->fd) ? -EIO : 0;
}

int device_write_bytes(struct block_device *device, u64 position, const void *data, u64 length)
{
	return write_bytes(device, position, data, length, false);
}

int block_read_bytes(struct block_device *device, u64 position, void *buffer, u32 length)
{
	return device_read_bytes(device, position, buffer, length, device->logical_block_size);
}

int block_write_bytes(struct block_device *device, u64 position, const void *buffer, u32 length,
		      unsigned int flags)
{
	return write_bytes(device, position, buffer, length, flags & BLOCK_FUA);
}

int block_flush(struct block_device *device)
{
	struct image *image = image_of(device);

	if (image->recorder)
		image->recorder->flush(image->recorder);
	return image->is_real && fdatasync(image->fd) ? -EIO : 0;
}

int block_zero(struct block_device *device, u64 position, u64 length)
{
	static const char zeros[65536];
	int error = 0;

	while (length && !error) {
		u64 part = min(length, (u64)sizeof(zeros));

		error = device_write_bytes(device, position, zeros, part);
		position += part;
		length -= part;
	}
	return error;
}

/* 0: it does not want to know what is not in use. */
u32 block_discard_granularity(const struct block_device *device)
{
	return container_of(device, struct image, device)->is_real ? 0 : device->logical_block_size;
}

/* What was there is gone, in a way that shows who still needed it: for tests. */
int block_discard(struct block_device *device, u64 position, u64 length)
{
	static char garbage[65536];
	int error = image_of(device)->is_real ? -EOPNOTSUPP : 0;

	memset(garbage, 0xdd, sizeof(garbage));
	while (length && !error) {
		u64 part = min(length, (u64)sizeof(garbage));

		error = device_write_bytes(device, position, garbage, part);
		position += part;
		length -= part;
	}
	return error;
}

/* ---- Buffers ---- */

static struct cached *cached_of(struct buffer *buffer)
{
	return container_of(buffer, struct cached, buffer);
}

static struct hlist *bucket_of(struct image *image, u64 position)
{
	return &image->buckets[(position >> 10) % BUCKETS];
}

static void buffer_free(struct image *image, struct buffer *buffer)
{
	hlist_del(&cached_of(buffer)->hash_link);
	list_del(&buffer->link);
	image->count--;
	free(buffer->data);
	free(cached_of(buffer));
}

static void buffers_trim(struct image *image)
{
	struct buffer *buffer, *after;

	if (image->count <= BUFFERS_MAX)
		return;
	list_for_each_safe(buffer, after, &image->buffers, link) {
		if (!buffer->refs && !cached_of(buffer)->dirty && !buffer->pins)
			buffer_free(image, buffer);
		if (image->count <= BUFFERS_MAX / 2)
			break;
	}
}

/* The buffer of a block, referenced; image->lock held. */
static struct buffer *buffer_find(struct image *image, u64 block, u32 size)
{
	struct hlist *bucket = bucket_of(image, block * size);
	struct cached *cached;

	hlist_for_each(cached, bucket, hash_link)
		if (cached->buffer.block == block && cached->buffer.size == size)
			goto found;
	buffers_trim(image);
	cached = calloc(1, sizeof(*cached));
	if (!cached)
		return NULL;
	cached->buffer.data = malloc(size);
	if (!cached->buffer.data) {
		free(cached);
		return NULL;
	}
	cached->buffer.device = &image->device;
	cached->buffer.block = block;
	cached->buffer.size = size;
	hlist_add(bucket, &cached->hash_link);
	list_add_tail(&image->buffers, &cached->buffer.link);
	image->count++;
found:
	cached->buffer.refs++;
	return &cached->buffer;
}

static struct buffer *buffer_take(struct block_device *device, u64 block, u32 size, bool read)
{
	struct image *image = image_of(device);
	struct buffer *buffer;
	int error = 0;

	if (block > device->size_bytes / size || !inside(device, block * size, size))
		return ERR_PTR(-EIO);
	mutex_lock(&image->lock);
	buffer = buffer_find(image, block, size);
	if (!buffer)
		error = -ENOMEM;
	else if (read && !cached_of(buffer)->uptodate)
		error = device_read_bytes(device, block * size, buffer->data, size, size);
	if (buffer && error)
		buffer->refs--;
	else if (buffer)
		cached_of(buffer)->uptodate = true;
	mutex_unlock(&image->lock);
	return error ? ERR_PTR(error) : buffer;
}

struct buffer *buffer_read(struct block_device *device, u64 block, u32 size)
{
	return buffer_take(device, block, size, true);
}

struct buffer *buffer_get(struct block_device *device, u64 block, u32 size)
{
	return buffer_take(device, block, size, false);
}

void buffer_ref(struct buffer *buffer)
{
	struct image *image = image_of(buffer->device);

	mutex_lock(&image->lock);
	buffer->refs++;
	mutex_unlock(&image->lock);
}

void buffer_put(struct buffer *buffer)
{
	struct image *image = image_of(buffer->device);

	mutex_lock(&image->lock);
	if (!buffer->refs--)
		abort();
	if (!buffer->refs) {
		list_del(&buffer->link);
		list_add_tail(&image->buffers, &buffer->link);
	}
	mutex_unlock(&image->lock);
}

void buffer_mark_dirty(struct buffer *buffer)
{
	struct image *image = image_of(buffer->device);

	mutex_lock(&image->lock);
	cached_of(buffer)->dirty = true;
	mutex_unlock(&image->lock);
}

void buffer_pin(struct buffer *buffer)
{
	struct image *image = image_of(buffer->device);

	mutex_lock(&image->lock);
	buffer->pins++;
	mutex_unlock(&image->lock);
}

void buffer_unpin(struct buffer *buffer)
{
	struct image *image = image_of(buffer->device);

	mutex_lock(&image->lock);
	if (!buffer->pins--)
		abort();
	mutex_unlock(&image->lock);
}

static void write_now(struct buffer *buffer, bool stable)
{
	int error = write_bytes(buffer->device, buffer->block * buffer->size, buffer->data,
				buffer->size, stable);

	cached_of(buffer)->dirty = false;
	if (error)
		buffer->error = error;
}

void buffer_submit(struct buffer *buffer, unsigned int flags)
{
	struct image *image = image_of(buffer->device);

	mutex_lock(&image->lock);
	if (flags & BLOCK_PREFLUSH)
		buffer->error = block_flush(buffer->device);
	write_now(buffer, flags & BLOCK_FUA);
	mutex_unlock(&image->lock);
}

int buffer_wait(struct buffer *buffer)
{
	struct image *image = image_of(buffer->device);
	int error;

	mutex_lock(&image->lock);
	error = buffer->error;
	buffer->error = 0;
	mutex_unlock(&image->lock);
	return error;
}

int buffer_write(struct buffer *buffer, unsigned int flags)
{
	buffer_submit(buffer, flags);
	return buffer_wait(buffer);
}

void device_write_back(struct block_device *device, unsigned int one_in)
{
	struct image *image = image_of(device);
	struct buffer *buffer;

	mutex_lock(&image->lock);
	list_for_each(buffer, &image->buffers, link)
		if (cached_of(buffer)->dirty && !buffer->pins && (unsigned int)rand() % one_in == 0)
			write_now(buffer, false);
	mutex_unlock(&image->lock);
}

int buffers_sync(struct block_device *device)
{
	struct image *image = image_of(device);
	struct buffer *buffer;
	int error = 0;

	mutex_lock(&image->lock);
	list_for_each(buffer, &image->buffers, link) {
		if (cached_of(buffer)->dirty && !buffer->pins)
			write_now(buffer, false);
		error = error ? error : buffer->error;
	}
	mutex_unlock(&image->lock);
	return error;
}

void buffers_forget(struct block_device *device, u64 first, u64 count, u32 size)
{
	struct image *image = image_of(device);
	struct cached *cached;

	mutex_lock(&image->lock);
	for (u64 block = first; block < first + count; block++)
		hlist_for_each(cached, bucket_of(image, block * size), hash_link)
			if (cached->buffer.block == block && cached->buffer.size == size)
				cached->dirty = false;
	mutex_unlock(&image->lock);
}

bool device_buffers_dropped(struct block_device *device)
{
	struct image *image = image_of(device);
	struct buffer *buffer, *after;

	list_for_each_safe(buffer, after, &image->buffers, link)
		if (!buffer->refs && !buffer->pins)
			buffer_free(image, buffer);
	return list_empty(&image->buffers);
}

void device_close(struct block_device *device)
{
	if (!device_buffers_dropped(device))
		abort();
	free(image_of(device));
}
