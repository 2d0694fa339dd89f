/* Memory, the log and the clock of a process. */
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "environment.h"

bool environment_log_shown = true;
unsigned long environment_log_lines;
static unsigned int fail_each, allocations;

void environment_fail_allocations(unsigned int each)
{
	fail_each = each;
	allocations = 0;
}

void *kmalloc(size_t size, unsigned int gfp)
{
	if (fail_each && __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) % fail_each == 0)
		return NULL;
	return gfp & GFP_ZERO ? calloc(1, size ? size : 1) : malloc(size ? size : 1);
}

void *kcalloc(size_t count, size_t size, unsigned int gfp)
{
	size_t bytes;

	return __builtin_mul_overflow(count, size, &bytes) ? NULL : kmalloc(bytes, gfp | GFP_ZERO);
}

void kfree(const void *object)
{
	free((void *)object);
}

void *kmemdup(const void *from, size_t size, unsigned int gfp)
{
	void *to = kmalloc(size, gfp);

	if (to)
		memcpy(to, from, size);
	return to;
}

char *kstrdup(const char *s, unsigned int gfp)
{
	return kmemdup(s, strlen(s) + 1, gfp);
}

char *kstrndup(const char *s, size_t limit, unsigned int gfp)
{
	size_t length = strnlen(s, limit);
	char *to = kmalloc(length + 1, gfp);

	if (to) {
		memcpy(to, s, length);
		to[length] = 0;
	}
	return to;
}

void memory_info(struct memory_info *info)
{
	info->total_pages = (u64)max(sysconf(_SC_PHYS_PAGES), 0L);
	info->free_pages = info->total_pages / 2; /* nobody tells for certain */
}

ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size);

	if (!size)
		return -7; /* -E2BIG */
	if (length == size)
		length--;
	memcpy(to, from, length);
	to[length] = 0;
	return from[length] ? -7 : (ssize_t)length;
}

int scnprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(to, size, format, args);
	va_end(args);
	return length < (int)size ? length : size ? (int)size - 1 : 0;
}

void vprintk(enum log_level level, const char *format, va_list args)
{
	__atomic_fetch_add(&environment_log_lines, 1, __ATOMIC_RELAXED);
	if (environment_log_shown)
		vfprintf(stderr, format, args);
}

void printk(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintk(level, format, args);
	va_end(args);
}

bool rate_limit_pass(struct rate_limit *limit)
{
	return true;
}

void warn_at(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

void bug_at(const char *file, int line, const char *what)
{
	warn_at(file, line, what);
	abort();
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

void refcount_saturate(refcount_t *r, const char *what)
{
	fprintf(stderr, "a reference was %s\n", what);
	abort();
}

static u64 clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (u64)now.tv_sec * NSEC_PER_SEC + (u64)now.tv_nsec;
}

u64 time_realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

u64 time_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void sleep_ns(u64 ns)
{
	struct timespec time = { .tv_sec = (time_t)(ns / NSEC_PER_SEC),
				 .tv_nsec = (long)(ns % NSEC_PER_SEC) };

	nanosleep(&time, NULL);
}
