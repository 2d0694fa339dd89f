/*
 * modload COUNT FILE.ko: what it costs to insert and to remove a module, COUNT times; the least of each counts.
 *
 * Removing does not wait for users (there are none), but for whatever the kernel waits for before it frees code.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec * 1e-3;
}

/* A module's name: its file's, without folder and suffix. */
static void name_module(const char *path, char *name, size_t size)
{
	const char *slash = strrchr(path, '/');

	snprintf(name, size, "%s", slash ? slash + 1 : path);
	name[strcspn(name, ".")] = '\0';
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

int main(int count, char **words)
{
	double least_insert_us = 1e30, least_remove_us = 1e30;
	char name[64];
	long times;

	if (count != 3 || (times = strtol(words[1], NULL, 10)) < 1) {
		fprintf(stderr, "usage: modload COUNT FILE.ko\n");
		return 2;
	}
	name_module(words[2], name, sizeof(name));
	for (; times > 0; times--) {
		int fd = open(words[2], O_RDONLY | O_CLOEXEC);
		double start_us = now_us(), inserted_us, removed_us;

		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0)) {
			printf("module_insert failed %s: %s\n", words[2], strerror(errno));
			return 1;
		}
		inserted_us = now_us();
		if (syscall(SYS_delete_module, name, O_NONBLOCK)) {
			printf("module_remove failed %s: %s\n", name, strerror(errno));
			return 1;
		}
		removed_us = now_us();
		close(fd);
		if (inserted_us - start_us < least_insert_us)
			least_insert_us = inserted_us - start_us;
		if (removed_us - inserted_us < least_remove_us)
			least_remove_us = removed_us - inserted_us;
	}
	printf("%-16s %12.2f us\n%-16s %12.2f us\n", "module_insert", least_insert_us,
	       "module_remove", least_remove_us);
	return 0;
}
