/* For tests/file_model.c: its threads and files, chance, what a failure says, and the model of a file's bytes. */
#ifndef TESTS_FILE_MODEL_H
#define TESTS_FILE_MODEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tap.h"

#define PAGE 4096L
#define FILE_SIZE_MAX (40 * PAGE)
#define FILES 4		     /* each thread's own */
#define FAR_BASE (5LL << 30) /* where the bytes of some files begin: beyond what 32 bits count */
#define STRIPE 1000L	     /* bytes of the shared file that belong to one thread */
#define SHARED_SIZE (100 * STRIPE)
#define SHARED_TAIL (PAGE * 3)
#define NOTES 48       /* calls that a failure shows */
#define CHECK_EVERY 50 /* steps between two looks at all of a file */
#define SHARED_EVERY 4

struct file {
	char name[240];		      /* "": it has none, and lives by its descriptors */
	int fd, append_fd, direct_fd; /* direct_fd -1: the format has no direct I/O */
	off_t base;		      /* where its bytes begin; nothing was ever written before */
	long size;		      /* from there */
	unsigned char *bytes;	      /* what it must hold; zeros beyond the size */
	unsigned char *map;	      /* all of it, shared; NULL: not mapped */
};

struct worker {
	pthread_t thread;
	int number;
	uint64_t random;
	long step;
	int names; /* given so far */
	struct file files[FILES];
	int shared_fd;
	unsigned char *shared_map;
	unsigned char *buffer; /* FILE_SIZE_MAX bytes at a page */
	char notes[NOTES][96];
	long note_count;
};

static uint64_t seed = 1;
static long steps = 400;
static int worker_count = 4;
static struct worker *workers;
static int drop_fd = -1;	    /* /proc/sys/vm/drop_caches, for root */
static long direct_unit = 512;	    /* bytes */
static unsigned char *shared_bytes; /* the model of the shared file: each byte is its stripe's owner's */
static long shared_size;	    /* worker 0's */
static _Thread_local sigjmp_buf bus_jump;

/* ---- Chance, failures ---- */

static inline uint64_t chance(struct worker *w, uint64_t limit)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (w->random * 2685821657736338717u >> 16) % limit;
}

static inline void __attribute__((format(printf, 2, 3))) note(struct worker *w, const char *format, ...)
{
	char *line = w->notes[w->note_count++ % NOTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(w->notes[0]), format, args);
	va_end(args);
}

static inline void __attribute__((noreturn, format(printf, 2, 3)))
wrong(struct worker *w, const char *format, ...)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	int error = errno;
	va_list args;

	pthread_mutex_lock(&once); /* for good: the first failure is the one that is told */
	for (long i = w->note_count > NOTES ? w->note_count - NOTES : 0; i < w->note_count; i++)
		printf("# %s\n", w->notes[i % NOTES]);
	printf("# seed %lu, thread %d, step %ld: ", (unsigned long)seed, w->number, w->step);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (errno %d: %s)\n", error, strerror(error));
	tap_ok(0, "files hold what was written");
	exit(tap_end());
}

static inline void expect(struct worker *w, const char *call, long got, long wanted)
{
	if (got != wanted)
		wrong(w, "%s gives %ld, not %ld", call, got, wanted);
}

static inline void compare(struct worker *w, const char *how, const unsigned char *got,
			   const unsigned char *wanted, long at, long length)
{
	if (!memcmp(got, wanted, length))
		return;
	for (long i = 0; i < length; i++)
		if (got[i] != wanted[i])
			wrong(w, "%s of %ld bytes at %ld: byte %ld is %02x, not %02x", how, length,
			      at, at + i, got[i], wanted[i]);
}

/* ---- The model ---- */

static inline long bytes_from(const struct file *file, long at, long length)
{
	return at >= file->size ? 0 : length < file->size - at ? length : file->size - at;
}

static inline void model_write(struct file *file, long at, const unsigned char *data, long length)
{
	if (length <= 0)
		return;
	memmove(file->bytes + at, data, length);
	if (file->size < at + length)
		file->size = at + length;
}

static inline void model_resize(struct file *file, long size)
{
	if (size < file->size)
		memset(file->bytes + size, 0, file->size - size);
	file->size = size;
}

static inline void pick_range(struct worker *w, long *at, long *length)
{
	*at = chance(w, FILE_SIZE_MAX);
	*length = chance(w, 4) ? chance(w, 3 * PAGE) : chance(w, FILE_SIZE_MAX);
	if (*length > FILE_SIZE_MAX - *at)
		*length = FILE_SIZE_MAX - *at;
	if (!chance(w, 4)) { /* at the bounds of pages */
		*at -= *at % PAGE;
		*length -= *length % PAGE;
	}
}

static inline void fill(struct worker *w, unsigned char *data, long length)
{
	uint64_t state = chance(w, UINT32_MAX) | 1;

	for (long i = 0; i < length; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		data[i] = state >> 56;
	}
}

#endif
