/*
 * Power cuts. A load of random operations on an image runs while every write and flush of the device is recorded, and of some files
 * when their fsync had returned. Then, at many points of the recording, the image is made as a disk could have it if
 * the power had gone there: all that was written before the last flush, and of what came after it only some, in pieces. The
 * journal is replayed by mounting; only then e2fsck looks, so that it cannot hide what the replay missed. Files that were made
 * stable must be there with their bytes.
 */
#include "image.h"

#include <fcntl.h>
#include <kumo/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR                                                                                     \
	4096u /* what a disk writes whole: a superblock torn in two could not even be mounted to replay */
#define KEPT_MAX 4096
#define OTHERS 30

struct event {
	u64 position, length;
	char *data;
	bool flush, stable;
};

struct kept { /* a file that was made stable */
	int number;
	size_t from;  /* events: it must be there from here on */
	size_t until; /* and is removed from here on */
	u32 size;
};

struct recording {
	struct device_recorder recorder;
	struct event *events;
	size_t count, room;
	struct kept kept[KEPT_MAX];
	int kept_count;
};

static struct event *event_add(struct recording *recording)
{
	if (recording->count == recording->room) {
		recording->room = recording->room ? recording->room * 2 : 1024;
		recording->events =
			realloc(recording->events, recording->room * sizeof(*recording->events));
	}
	recording->events[recording->count] = (struct event){};
	return &recording->events[recording->count++];
}

static void record_write(struct device_recorder *recorder, u64 position, const void *data,
			 u64 length, bool stable)
{
	struct event *event = event_add(container_of(recorder, struct recording, recorder));

	event->position = position;
	event->length = length;
	event->stable = stable;
	event->data = malloc(length);
	memcpy(event->data, data, length);
}

static void record_flush(struct device_recorder *recorder)
{
	event_add(container_of(recorder, struct recording, recorder))->flush = true;
}

/* ---- The load ---- */

static void bytes_of(int number, u32 size, char *data)
{
	u64 state = (u64)number + 77;

	for (u32 i = 0; i < size; i++)
		data[i] = (char)random_number(&state, 256);
}

/* Makes a file, writes and syncs it: from then on it must survive. */
static int keep_one(struct image *image, struct recording *recording, u64 *state)
{
	struct kept *kept = &recording->kept[recording->kept_count];
	static char data[40000];
	char path[64], hidden[64];
	int error;

	*kept = (struct kept){ .number = recording->kept_count, .until = ~(size_t)0 };
	kept->size = 1 + random_number(state, sizeof(data) - 1);
	bytes_of(kept->number, kept->size, data);
	snprintf(path, sizeof(path), "kept/f%d", kept->number);
	snprintf(hidden, sizeof(hidden), "kept/.f%d", kept->number);
	error = image_create(image, hidden, S_IFREG | 0644, NULL);
	if (error)
		return error == -ENOSPC ? 0 : error;
	if (image_write(image, hidden, 0, data, kept->size) != (ssize_t)kept->size ||
	    image_set_attribute(image, hidden, "user.number", path, strlen(path)))
		return image_unlink(image, hidden);
	error = image_rename(image, hidden, path, 0);
	if (!error)
		error = image_fsync(image, path);
	kept->from = recording->count;
	recording->kept_count++;
	return error;
}

static int drop_one(struct image *image, struct recording *recording, u64 *state)
{
	struct kept *kept = &recording->kept[random_number(state, (u32)recording->kept_count + 1)];
	char path[64];

	if (kept->number >= recording->kept_count || kept->until != ~(size_t)0 || !kept->from)
		return 0;
	kept->until = recording->count;
	snprintf(path, sizeof(path), "kept/f%d", kept->number);
	return image_unlink(image, path);
}

/* Something else, on files that nobody counts on. */
static int churn(struct image *image, u64 *state)
{
	static char data[60000];
	char a[64], b[64];

	snprintf(a, sizeof(a), "other/d%u/x%u", random_number(state, 3), random_number(state, OTHERS));
	snprintf(b, sizeof(b), "other/d%u/x%u", random_number(state, 3), random_number(state, OTHERS));
	switch (random_number(state, 10)) {
	case 0:
	case 1:
		return image_create(image, a, S_IFREG | 0644, NULL);
	case 2:
	case 3:
		return (int)image_write(image, a, random_number(state, 500000), data,
					1 + random_number(state, sizeof(data) - 1));
	case 4:
		return image_truncate(image, a, random_number(state, 300000));
	case 5:
		return image_unlink(image, a);
	case 6:
		return image_rename(image, a, b, 0);
	case 7:
		return image_create(image, a, S_IFDIR | 0755, NULL);
	case 8:
		return image_allocate(image, a, 3 /* keep size, punch */,
				      random_number(state, 200000), 1 + random_number(state, 100000));
	default:
		return image_set_attribute(image, a, "user.a", data, random_number(state, 900));
	}
}

static int load(struct image *image, struct recording *recording, u64 seed, int count)
{
	u64 state = seed;
	int error = image_create(image, "kept", S_IFDIR | 0755, NULL);

	error = error ? error : image_create(image, "other", S_IFDIR | 0755, NULL);
	for (u32 i = 0; i < 3 && !error; i++) {
		char path[32];

		snprintf(path, sizeof(path), "other/d%u", i);
		error = image_create(image, path, S_IFDIR | 0755, NULL);
	}
	for (int i = 0; i < count && !error && recording->kept_count < KEPT_MAX - 1; i++) {
		int result;

		switch (random_number(&state, 12)) {
		case 0:
			error = keep_one(image, recording, &state);
			break;
		case 1:
			if (!random_number(&state, 2))
				error = drop_one(image, recording, &state);
			break;
		case 2:
			device_write_back(image->device, 1 + random_number(&state, 4));
			break;
		default:
			result = churn(image, &state);
			error = result == -EIO || result == -EUCLEAN || result == -EROFS ? result : 0;
		}
	}
	return error;
}

/* ---- The cuts ---- */

struct cut {
	struct recording *recording;
	const char *path;
	char *durable; /* the disk as of the last flush before `flushed` */
	u64 size;
	size_t flushed;
	u64 state;
};

/* The disk goes on to the last flush before `point`. */
static void durable_advance(struct cut *cut, size_t point)
{
	const struct event *events = cut->recording->events;
	size_t flush = cut->flushed;

	for (size_t i = cut->flushed; i < point; i++)
		if (events[i].flush)
			flush = i + 1;
	for (size_t i = cut->flushed; i < flush; i++)
		if (!events[i].flush)
			memcpy(cut->durable + events[i].position, events[i].data, events[i].length);
	cut->flushed = flush;
}

static void image_cut(struct cut *cut, size_t point)
{
	int fd = open(cut->path, O_RDWR | O_CREAT | O_TRUNC, 0666);
	u32 chance = random_number(&cut->state, 101); /* that a write reached the disk, in percent */
	bool torn = random_number(&cut->state, 2);

	durable_advance(cut, point);
	if (fd < 0 || pwrite(fd, cut->durable, cut->size, 0) != (ssize_t)cut->size)
		abort();
	for (size_t i = cut->flushed; i < point; i++) {
		const struct event *event = &cut->recording->events[i];
		bool whole = event->stable || random_number(&cut->state, 100) < chance;

		for (u64 at = 0; at < event->length; at += SECTOR) {
			size_t part = event->length - at < SECTOR ? event->length - at : SECTOR;
			bool there = torn && !event->stable ? random_number(&cut->state, 100) < chance
							    : whole;

			if (there && pwrite(fd, event->data + at, part,
					    (off_t)(event->position + at)) != (ssize_t)part)
				abort();
		}
	}
	close(fd);
}

static int kept_check(struct image *image, const struct kept *kept)
{
	static char data[40000], wanted[40000];
	char path[64], value[64];
	ssize_t size;

	snprintf(path, sizeof(path), "kept/f%d", kept->number);
	bytes_of(kept->number, kept->size, wanted);
	size = image_read(image, path, 0, data, sizeof(data));
	if (size != (ssize_t)kept->size || memcmp(data, wanted, kept->size)) {
		fprintf(stderr, "%s was made stable and is not there: %ld of %u bytes\n", path,
			(long)size, kept->size);
		return 1;
	}
	size = image_get_attribute(image, path, "user.number", value, sizeof(value));
	return size != (ssize_t)strlen(path) || memcmp(value, path, (size_t)size);
}

static int point_check(struct cut *cut, size_t point, const char *options)
{
	const struct recording *recording = cut->recording;
	struct image image = {};
	int error, status;

	image_cut(cut, point);
	error = image_open(&image, cut->path, options, true); /* read-only: a replay and nothing else */
	if (error) {
		fprintf(stderr, "point %zu: not mounted: error %d\n", point, error);
		return 1;
	}
	for (int i = 0; i < recording->kept_count && !error; i++)
		if (recording->kept[i].from <= point && recording->kept[i].until > point)
			error = kept_check(&image, &recording->kept[i]);
	image_close(&image);
	status = check_image(cut->path);
	if (error || (status && status != 1)) {
		fprintf(stderr, "point %zu of %zu (flushed %zu): e2fsck: %d\n", point,
			recording->count, cut->flushed, status);
		return 1;
	}
	return 0;
}

/* Mounts, runs the load and records it. The disk as mounting left it is what the recording begins with. */
static int record_load(struct cut *cut, const char *path, u64 seed, int operations)
{
	struct image image = {};
	int error = image_open(&image, path, NULL, false);

	if (error) {
		fprintf(stderr, "%s: not mounted: error %d\n", path, error);
		return error;
	}
	cut->size = image.device->size_bytes;
	cut->durable = malloc(cut->size);
	if (!cut->durable || pread(image.fd, cut->durable, cut->size, 0) != (ssize_t)cut->size)
		abort();
	device_record(image.device, &cut->recording->recorder);
	error = load(&image, cut->recording, seed, operations);
	if (error)
		fprintf(stderr, "the load failed: error %d\n", error);
	image_close(&image);
	return error;
}

int powercut_main(int count, char **words)
{
	static struct recording recording = { .recorder = { record_write, record_flush } };
	struct cut cut = { .recording = &recording };
	int points, wrong;
	char path[4096];
	u64 seed;

	if (count < 4)
		return 2;
	seed = strtoull(words[1], NULL, 0) * 0x9e3779b97f4a7c15ULL + 1;
	points = atoi(words[3]);
	srand((unsigned int)seed);
	cut.state = seed + 5;
	snprintf(path, sizeof(path), "%s.cut", words[0]);
	cut.path = path;
	wrong = record_load(&cut, words[0], seed, atoi(words[2])) != 0;
	for (int i = 0; i < points && !wrong; i++)
		wrong = point_check(&cut, (size_t)((u64)i * recording.count / (u64)points), NULL);
	printf("%d points of %zu events, %d stable files: %s\n", points, recording.count,
	       recording.kept_count, wrong ? "failed" : "ok");
	for (size_t i = 0; i < recording.count; i++)
		free(recording.events[i].data);
	free(recording.events);
	free(cut.durable);
	return wrong;
}
