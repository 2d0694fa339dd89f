/*
 * A disk as power cuts may leave it. Its history is what reached it, in order: writes and flushes. When the power goes at some point, all
 * that was written before the last flush is there; of what came after only some is, in pieces, so that writes may be lost
 * and seem to have overtaken each other.
 */
#ifndef TESTS_EXT4_DISK_H
#define TESTS_EXT4_DISK_H

#include "image.h"

struct disk_event {
	u64 position, length;
	const char *data; /* NULL: zeros, of a discard */
	bool flush;	  /* what came before is stable, and then what this writes, if anything */
	bool stable;	  /* what this writes is never lost once it is there */
};

struct disk_history {
	struct disk_event *events;
	size_t count, room;
};

struct disk_event *disk_event_add(struct disk_history *history);

struct disk_cut {
	const struct disk_history *history;
	const char *path; /* of the image that is made at each point */
	char *durable;	  /* the disk as of the last flush among the events before `flushed` */
	u64 size;
	size_t flushed;
	u64 state; /* of random_number() */
};

/* What the disk held before the history began: all bytes of an open file. */
void disk_cut_begin(struct disk_cut *cut, const struct disk_history *history, int fd, u64 size);
/* Makes the image as it may be when the power goes before event `point`. Points never go back. */
void disk_cut_make(struct disk_cut *cut, size_t point);
/*
 * Makes it, mounts it, which replays the journal, lets verify() look at files, and only then e2fsck, so that it cannot hide what the
 * replay missed: it must find nothing at all. Every other time nothing but the replay is done, if that leaves no orphans, which are
 * faults to e2fsck -n.
 */
int disk_cut_check(struct disk_cut *cut, size_t point,
		   int (*verify)(struct image *image, size_t point, void *context), void *context);
void disk_cut_end(struct disk_cut *cut);

#endif
