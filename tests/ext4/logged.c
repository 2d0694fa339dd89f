/*
 * Power cuts of a guest. QEMU's blklogwrites driver logged what a load in a guest wrote to its disk, in the format of Linux's
 * dm-log-writes; among it the load's marks (stable.h), which say which files fsync(2) had made stable. From the log the disk is made as
 * a power cut may leave it at many points; then powercut.c's checks follow.
 */
#include "commands.h"
#include "disk.h"
#include "stable.h"

#include <fcntl.h>
#include <kumo/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../modules/fs/ext4/format.h"

/* ---- The log, as Linux's dm-log-writes.c and QEMU's block/blklogwrites.c write it ---- */

#define LOG_MAGIC 0x6a736677736872ULL
#define SECTOR 512u
enum { LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4, LOG_MARK = 8 };

struct log_super { /* at the start */
	u64 magic, version, entries;
	u32 sector_size;
};
struct log_entry { /* at the start of a sector; its data begins in the next one */
	u64 sector, sectors, flags, data_length;
};

struct log {
	const char *bytes;
	size_t size, at;
	u64 left; /* entries */
	u32 sector_size;
};

static int log_open(struct log *log, const char *path)
{
	struct stat status;
	struct log_super super;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &status)) {
		perror(path);
		return 1;
	}
	log->size = (size_t)status.st_size;
	log->bytes = mmap(NULL, log->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (log->bytes == MAP_FAILED || log->size < sizeof(super))
		return 1;
	memcpy(&super, log->bytes, sizeof(super));
	if (super.magic != LOG_MAGIC || super.sector_size < SECTOR) {
		fprintf(stderr, "%s: not a log of writes\n", path);
		return 1;
	}
	log->sector_size = super.sector_size;
	log->left = super.entries;
	log->at = super.sector_size;
	return 0;
}

/* Takes the next entry into the history; 1: there was one, 0: there is none, or an error. */
static int log_next(struct log *log, struct disk_history *history, u64 disk_size)
{
	struct log_entry entry;
	struct disk_event *event;

	if (!log->left)
		return 0;
	if (log->size - log->at < log->sector_size)
		return -EIO;
	memcpy(&entry, log->bytes + log->at, sizeof(entry));
	log->at += log->sector_size;
	log->left--;
	event = disk_event_add(history);
	event->position = entry.sector * log->sector_size;
	event->length = entry.sectors * log->sector_size;
	event->flush = entry.flags & LOG_FLUSH;
	event->stable = entry.flags & LOG_FUA;
	if (event->position > disk_size || event->length > disk_size - event->position)
		return -EIO;
	if (entry.flags & (LOG_DISCARD | LOG_MARK))
		return 1;
	if (event->length > log->size - log->at)
		return -EIO;
	event->data = log->bytes + log->at;
	log->at += event->length;
	return 1;
}

/* ---- What must be there ---- */

enum file_kind { KEPT, APPENDED, REPLACED };

/* From event `from` on, up to `until`, a file is as its mark says. */
struct promise {
	enum file_kind kind;
	u32 number, size;
	size_t from, until;
};

struct guest {
	struct log log;
	struct disk_history history;
	struct disk_cut cut;
	struct promise *promises;
	size_t promise_count, promise_room;
	int base_fd;
	bool has_extents; /* else files have block maps */
	u64 seed, points;
};

static void promise_add(struct guest *guest, struct promise promise)
{
	if (guest->promise_count == guest->promise_room) {
		guest->promise_room = guest->promise_room ? 2 * guest->promise_room : 256;
		guest->promises =
			realloc(guest->promises, guest->promise_room * sizeof(*guest->promises));
		if (!guest->promises)
			abort();
	}
	guest->promises[guest->promise_count++] = promise;
}

/* The newest promise of the kind and number ends; any number: of the kind. */
static void promise_end(struct guest *guest, enum file_kind kind, u32 number, bool any, size_t event)
{
	for (size_t i = guest->promise_count; i--;) {
		struct promise *promise = &guest->promises[i];

		if (promise->kind == kind && (any || promise->number == number)) {
			promise->until = event;
			return;
		}
	}
}

static int mark_read(struct guest *guest, const char *bytes, size_t event)
{
	struct promise promise = { .from = event + 1, .until = ~(size_t)0 };
	char text[MARK_SIZE + 1] = {}, word[16];
	int words;

	memcpy(text, bytes, MARK_SIZE);
	words = sscanf(text, "%15s %u %u", word, &promise.number, &promise.size);
	if (words < 2)
		return -EINVAL;
	if (!strcmp(word, "dropped")) {
		promise_end(guest, KEPT, promise.number, false, event);
		return 0;
	}
	promise.kind = !strcmp(word, "kept")	   ? KEPT
		       : !strcmp(word, "appended") ? APPENDED
						   : REPLACED;
	if (promise.kind != KEPT) /* the new promise holds more than the one before */
		promise_end(guest, promise.kind, promise.number, promise.kind == REPLACED, event + 1);
	promise_add(guest, promise);
	return 0;
}

/* Reads the whole log: what happened to the disk, and what was promised meanwhile. */
static int guest_load(struct guest *guest, char **words)
{
	struct super_disk super;
	struct stat status;
	u64 marks;
	int result;

	guest->base_fd = open(words[0], O_RDONLY);
	if (guest->base_fd < 0 || fstat(guest->base_fd, &status) || log_open(&guest->log, words[1])) {
		perror(words[0]);
		return 1;
	}
	if (pread(guest->base_fd, &super, sizeof(super), EXT4_SUPER_OFFSET) != sizeof(super))
		return 1;
	guest->has_extents = super.feature_incompat & INCOMPAT_EXTENTS;
	guest->seed = strtoull(words[2], NULL, 0);
	guest->points = strtoull(words[3], NULL, 0);
	marks = (u64)status.st_size - MARKS_SIZE;
	disk_cut_begin(&guest->cut, &guest->history, guest->base_fd, (u64)status.st_size);
	while ((result = log_next(&guest->log, &guest->history, (u64)status.st_size)) > 0) {
		size_t index = guest->history.count - 1;
		const struct disk_event *event = &guest->history.events[index];

		if (event->data && event->position >= marks && mark_read(guest, event->data, index))
			return 1;
	}
	if (result)
		fprintf(stderr, "%s: entry %zu is wrong\n", words[1], guest->history.count);
	return result != 0;
}

static void guest_free(struct guest *guest)
{
	disk_cut_end(&guest->cut);
	free(guest->history.events);
	free(guest->promises);
	close(guest->base_fd);
}

static int promise_broken(const char *path, const char *why, long size)
{
	fprintf(stderr, "%s was made stable, and %s (%ld bytes)\n", path, why, size);
	return 1;
}

/* What was appended after the last promise: what the load wrote, or zeros where blocks of a block map had not got their data yet. */
static bool tail_is_right(const struct guest *guest, const char *data, const char *wanted, u32 size)
{
	for (u32 i = 0; i < size; i++)
		if (data[i] != wanted[i] && (data[i] || guest->has_extents))
			return false;
	return true;
}

static int promise_check(const struct guest *guest, struct image *image, const struct promise *promise)
{
	static char data[APPENDED_BYTES + VERSION_BYTES], wanted[APPENDED_BYTES + VERSION_BYTES];
	static const char *const folders[] = { "kept", "appended" };
	u32 version, size = promise->size;
	char path[64] = "replaced/current";
	ssize_t got;

	if (promise->kind != REPLACED)
		snprintf(path, sizeof(path), "%s/f%u", folders[promise->kind], promise->number);
	got = image_read(image, path, 0, data, sizeof(data));
	if (got < 0)
		return promise_broken(path, "is not there", got);
	if (promise->kind == REPLACED) {
		if (sscanf(data, "%8u", &version) != 1 || version < promise->number)
			return promise_broken(path, "is an older one", got);
		size = version_fill(version, wanted);
	} else {
		pattern_fill(promise->number, 0, max((u32)got, size), wanted);
	}
	if (promise->kind == APPENDED ? got < (ssize_t)size : got != (ssize_t)size)
		return promise_broken(path, "has another size", got);
	if (memcmp(data, wanted, size) ||
	    !tail_is_right(guest, data + size, wanted + size, (u32)got - size))
		return promise_broken(path, "has other bytes", got);
	return 0;
}

static int promises_verify(struct image *image, size_t point, void *context)
{
	const struct guest *guest = context;
	int wrong = 0;

	for (size_t i = 0; i < guest->promise_count; i++)
		if (guest->promises[i].from <= point && guest->promises[i].until > point)
			wrong |= promise_check(guest, image, &guest->promises[i]);
	return wrong;
}

/* Where the n-th of the points is, with what is random there. */
static size_t point_begin(struct guest *guest, u64 number)
{
	guest->cut.state = (guest->seed + number + 1) * 0x9e3779b97f4a7c15ULL;
	return (size_t)(number * guest->history.count / guest->points);
}

/* ---- Commands ---- */

int logged_main(int count, char **words)
{
	struct guest guest = {};
	char path[4096];
	int wrong;

	if (count < 4)
		return 2;
	snprintf(path, sizeof(path), "%s.cut", words[0]);
	guest.cut.path = path;
	wrong = guest_load(&guest, words);
	for (u64 i = 0; i < guest.points && !wrong; i++) {
		size_t point = point_begin(&guest, i);

		wrong = disk_cut_check(&guest.cut, point, promises_verify, &guest);
	}
	printf("%llu points of %zu events, %zu promises: %s\n", (unsigned long long)guest.points,
	       guest.history.count, guest.promise_count, wrong ? "failed" : "ok");
	guest_free(&guest);
	return wrong;
}

int cut_main(int count, char **words)
{
	struct guest guest = {};
	int wrong;

	if (count < 6)
		return 2;
	wrong = guest_load(&guest, words);
	guest.cut.path = words[5];
	if (!wrong)
		disk_cut_make(&guest.cut, point_begin(&guest, strtoull(words[4], NULL, 0)));
	guest_free(&guest);
	return wrong;
}

int stable_main(int count, char **words)
{
	struct guest guest = {};
	struct image image = {};
	int wrong;

	if (count < 6)
		return 2;
	wrong = guest_load(&guest, words) || image_open(&image, words[5], NULL, true);
	if (!wrong) {
		wrong = promises_verify(&image, point_begin(&guest, strtoull(words[4], NULL, 0)),
					&guest);
		image_close(&image);
	}
	guest_free(&guest);
	return wrong;
}
