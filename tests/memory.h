/*
 * How much memory is free, for tests that look for leaks: MemFree of /proc/meminfo plus the pages of files, when caches were
 * emptied and what is given back late (after grace periods, by work queues) has had time to come back. The shadow of a debug
 * kernel's addresses, which it keeps, counts as free.
 */
#ifndef TESTS_MEMORY_H
#define TESTS_MEMORY_H

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* A field of /proc/meminfo in KiB; -1: not there. */
static inline long memory_field(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			sscanf(line + strlen(name) + 1, "%ld", &value);
	if (file)
		fclose(file);
	return value;
}

static inline void memory_drop_caches(void)
{
	FILE *file = fopen("/proc/sys/vm/drop_caches", "w");

	if (!file)
		return;
	fputs("2\n", file);
	fclose(file);
}

static inline long memory_free_kib(void)
{
	long now = 0, before, shadow;

	/* Until it grows no more, for at most 5 seconds. */
	for (int i = 0; i < 25; i++) {
		before = now;
		usleep(200000);
		memory_drop_caches();
		shadow = memory_field("Shadow");
		now = memory_field("MemFree") + memory_field("Cached") + (shadow > 0 ? shadow : 0);
		if (i > 2 && now <= before)
			break;
	}
	return now;
}

/* How much of it may be missing afterwards. In a debug kernel freed objects wait before they are used again, and so lie
 * scattered. */
static inline long memory_slack_kib(long usual)
{
	struct utsname name;

	return !uname(&name) && strstr(name.version, "debug") ? usual + 5120 : usual;
}

#endif
