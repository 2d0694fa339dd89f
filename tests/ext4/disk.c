/* Images of a disk whose power was cut, from the history of its writes and flushes. */
#include "disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../modules/fs/ext4/format.h"

#define PIECE                                                                                      \
	4096u /* what a disk writes whole: a superblock torn in two could not even be mounted to replay */

struct disk_event *disk_event_add(struct disk_history *history)
{
	if (history->count == history->room) {
		history->room = history->room ? history->room * 2 : 1024;
		history->events = realloc(history->events, history->room * sizeof(*history->events));
		if (!history->events)
			abort();
	}
	history->events[history->count] = (struct disk_event){};
	return &history->events[history->count++];
}

void disk_cut_begin(struct disk_cut *cut, const struct disk_history *history, int fd, u64 size)
{
	cut->history = history;
	cut->size = size;
	cut->durable = malloc(size);
	if (!cut->durable || pread(fd, cut->durable, size, 0) != (ssize_t)size)
		abort();
}

void disk_cut_end(struct disk_cut *cut)
{
	free(cut->durable);
	cut->durable = NULL;
}

static void event_apply(char *disk, const struct disk_event *event, u64 at, u64 length)
{
	if (event->data)
		memcpy(disk + event->position + at, event->data + at, length);
	else
		memset(disk + event->position + at, 0, length);
}

/* The disk goes on to the last flush before `point`. */
static void durable_advance(struct disk_cut *cut, size_t point)
{
	const struct disk_event *events = cut->history->events;
	size_t flush = cut->flushed;

	for (size_t i = cut->flushed; i < point; i++)
		if (events[i].flush)
			flush = i;
	for (size_t i = cut->flushed; i < flush; i++)
		event_apply(cut->durable, &events[i], 0, events[i].length);
	cut->flushed = flush;
}

static void file_write(const char *path, const char *data, u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

void disk_cut_make(struct disk_cut *cut, size_t point)
{
	u32 chance = random_number(&cut->state, 101); /* that a write reached the disk, in percent */
	bool torn = random_number(&cut->state, 2);
	char *disk = malloc(cut->size);

	durable_advance(cut, point);
	if (!disk)
		abort();
	memcpy(disk, cut->durable, cut->size);
	for (size_t i = cut->flushed; i < point; i++) {
		const struct disk_event *event = &cut->history->events[i];
		bool whole = event->stable || random_number(&cut->state, 100) < chance;

		for (u64 at = 0; at < event->length; at += PIECE) {
			bool there = torn && !event->stable ? random_number(&cut->state, 100) < chance
							    : whole;

			if (there)
				event_apply(disk, event, at,
					    event->length - at < PIECE ? event->length - at : PIECE);
		}
	}
	file_write(cut->path, disk, cut->size);
	free(disk);
}

/* Are there files without names, or truncations under way, that a mount for writing is to finish? */
static bool has_orphans(const char *path)
{
	int fd = open(path, O_RDONLY);
	u32 first = 0;

	if (fd < 0 ||
	    pread(fd, &first, sizeof(first),
		  EXT4_SUPER_OFFSET + offsetof(struct super_disk, last_orphan)) != sizeof(first))
		abort();
	close(fd);
	return first;
}

/* Mounts what is there, looks at files, and unmounts. 0: all is well. */
static int mount_verify(const char *path, bool read_only, size_t point,
			int (*verify)(struct image *image, size_t point, void *context), void *context)
{
	struct image image = {};
	int error = image_open(&image, path, NULL, read_only);

	if (error) {
		fprintf(stderr, "point %zu: not mounted: error %d\n", point, error);
		return 1;
	}
	error = verify(&image, point, context);
	image_close(&image);
	return error;
}

int disk_cut_check(struct disk_cut *cut, size_t point,
		   int (*verify)(struct image *image, size_t point, void *context), void *context)
{
	bool read_only = random_number(&cut->state, 2);
	int error, status;

	disk_cut_make(cut, point);
	error = mount_verify(cut->path, read_only, point, verify, context);
	if (!error && read_only && has_orphans(cut->path)) {
		read_only = false;
		error = mount_verify(cut->path, read_only, point, verify, context);
	}
	status = check_image(cut->path);
	if (!error && !status)
		return 0;
	fprintf(stderr, "point %zu of %zu (flushed %zu), %s: e2fsck: %d\n", point,
		cut->history->count, cut->flushed, read_only ? "replayed" : "mounted", status);
	return 1;
}
