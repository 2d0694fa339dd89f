/* What the tests of mounts share: a place of their own, and what mountinfo says of a place. */
#ifndef TESTS_MOUNTS_H
#define TESTS_MOUNTS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "files.h"

struct mount_line {
	int count; /* how many mounts stand at the place; what follows is of the last one */
	int id, parent, shared, master, from;
	bool unbindable;
	char root[256], flags[256], type[64];
};

/* What stands at `place`, an absolute name. */
static inline struct mount_line line_of(const char *place)
{
	FILE *file = fopen("/proc/self/mountinfo", "r");
	struct mount_line found = {};
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		struct mount_line now = {};
		char at[1024], *word, *rest;

		if (sscanf(line, "%d %d %*s %255s %1023s %255s", &now.id, &now.parent, now.root, at,
			   now.flags) != 5 ||
		    strcmp(at, place))
			continue;
		now.count = found.count + 1;
		for (word = strtok_r(line, " ", &rest); word && strcmp(word, "-");
		     word = strtok_r(NULL, " ", &rest)) {
			sscanf(word, "shared:%d", &now.shared);
			sscanf(word, "master:%d", &now.master);
			sscanf(word, "propagate_from:%d", &now.from);
			now.unbindable |= !strcmp(word, "unbindable");
		}
		word = strtok_r(NULL, " ", &rest);
		snprintf(now.type, sizeof(now.type), "%s", word ? word : "");
		found = now;
	}
	if (file)
		fclose(file);
	return found;
}

static inline int mounts_at(const char *place)
{
	return line_of(place).count;
}

static inline int mount_new(const char *place)
{
	return mount("none", place, "tmpfs", 0, "");
}

static inline int mount_type(const char *place, unsigned long type)
{
	return mount(NULL, place, NULL, type, NULL);
}

static inline int mount_bind(const char *from, const char *to)
{
	return mount(from, to, NULL, MS_BIND, NULL);
}

/* Runs `work` in a process of its own: 0: nothing was wrong. */
static inline int in_child(void (*work)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		tap_failures = 0;
		work();
		_exit(tap_failures ? 1 : 0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A namespace of one's own, and in it a private tmpfs at /tmp/m with folders a to f. */
static inline void begin_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("a namespace of one's own");
		exit(1);
	}
	mkdir("/tmp/m", 0755);
	if (mount_new("/tmp/m") || chdir("/tmp/m")) {
		perror("a tmpfs of one's own");
		exit(1);
	}
	for (char name[2] = "a"; name[0] <= 'f'; name[0]++)
		mkdir(name, 0755);
}

static inline int end_mounts(void)
{
	chdir("/");
	umount2("/tmp/m", MNT_DETACH);
	rmdir("/tmp/m");
	return tap_end();
}

#endif
