/*
 * Power cuts. A load of random operations on an image runs while every write and flush of the device is recorded, and of some files
 * when their fsync had returned. Then, at many points of the recording, the image is made as a disk could have it if
 * the power had gone there: all that was written before the last flush, and of what came after it only some, in pieces. The
 * journal is replayed by mounting; only then e2fsck looks, so that it cannot hide what the replay missed. Files that were made
 * stable must be there with their bytes.
 */
#include "commands.h"
#include "disk.h"

#include <fcntl.h>
#include <kumo/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MAX 4096
#define OTHERS 30

struct kept { /* a file that was made stable */
	int number;
	size_t from;  /* events: it must be there from here on */
	size_t until; /* and is removed from here on */
	u32 size;
};

struct recording {
	struct device_recorder recorder;
	struct disk_history history;
	struct kept kept[KEPT_MAX];
	int kept_count;
};

static struct disk_history *history_of(struct device_recorder *recorder)
{
	return &container_of(recorder, struct recording, recorder)->history;
}

static void record_write(struct device_recorder *recorder, u64 position, const void *data,
			 u64 length, bool stable)
{
	struct disk_event *event = disk_event_add(history_of(recorder));
	char *copy = malloc(length);

	memcpy(copy, data, length);
	*event = (struct disk_event){
		.position = position, .length = length, .data = copy, .stable = stable
	};
}

static void record_flush(struct device_recorder *recorder)
{
	disk_event_add(history_of(recorder))->flush = true;
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
	kept->from = recording->history.count;
	recording->kept_count++;
	return error;
}

static int drop_one(struct image *image, struct recording *recording, u64 *state)
{
	struct kept *kept = &recording->kept[random_number(state, (u32)recording->kept_count + 1)];
	char path[64];

	if (kept->number >= recording->kept_count || kept->until != ~(size_t)0 || !kept->from)
		return 0;
	kept->until = recording->history.count;
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

static int recording_verify(struct image *image, size_t point, void *context)
{
	const struct recording *recording = context;
	int error = 0;

	for (int i = 0; i < recording->kept_count && !error; i++)
		if (recording->kept[i].from <= point && recording->kept[i].until > point)
			error = kept_check(image, &recording->kept[i]);
	return error;
}

/* Mounts, runs the load and records it. The disk as mounting left it is what the recording begins with. */
static int record_load(struct recording *recording, struct disk_cut *cut, const char *path,
		       u64 seed, int operations)
{
	struct image image = {};
	int error = image_open(&image, path, NULL, false);

	if (error) {
		fprintf(stderr, "%s: not mounted: error %d\n", path, error);
		return error;
	}
	disk_cut_begin(cut, &recording->history, image.fd, image.device->size_bytes);
	device_record(image.device, &recording->recorder);
	error = load(&image, recording, seed, operations);
	if (error)
		fprintf(stderr, "the load failed: error %d\n", error);
	image_close(&image);
	return error;
}

int powercut_main(int count, char **words)
{
	static struct recording recording = { .recorder = { record_write, record_flush } };
	const struct disk_history *history = &recording.history;
	struct disk_cut cut = {};
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
	wrong = record_load(&recording, &cut, words[0], seed, atoi(words[2])) != 0;
	for (int i = 0; i < points && !wrong; i++)
		wrong = disk_cut_check(&cut, (size_t)((u64)i * history->count / (u64)points),
				       recording_verify, &recording);
	printf("%d points of %zu events, %d stable files: %s\n", points, history->count,
	       recording.kept_count, wrong ? "failed" : "ok");
	for (size_t i = 0; i < history->count; i++)
		free((char *)history->events[i].data);
	free(history->events);
	disk_cut_end(&cut);
	return wrong;
}
