/*
 * What the tests of files and names share: checks of a call's result and errno, small files, other users, and a folder
 * to work in.
 */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

/* Wrong arguments are the point here. */
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

static char top[512]; /* the folder that a test works in, and its working directory */

/* The call fails with this errno. */
#define FAILS(error, call)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		long result_ = (long)(call);                                                       \
		int errno_ = errno;                                                                \
		tap_ok(result_ == -1 && errno_ == (error), "%s: %s", #call, #error);               \
		if (result_ != -1 || errno_ != (error))                                            \
			printf("# line %d: result %ld, errno %d (%s)\n", __LINE__, result_,        \
			       errno_, strerror(errno_));                                          \
	} while (0)
/* The call gives this value. */
#define GIVES(value, call)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		long result_ = (long)(call);                                                       \
		int errno_ = errno;                                                                \
		tap_ok(result_ == (long)(value), "%s gives %s", #call, #value);                    \
		if (result_ != (long)(value))                                                      \
			printf("# line %d: result %ld, errno %d (%s)\n", __LINE__, result_,        \
			       errno_, strerror(errno_));                                          \
	} while (0)
#define WORKS(call) GIVES(0, call)
#define TRUE(condition) tap_ok(!!(condition), "%s", #condition)

static inline int make_file(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	int ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return ok ? 0 : -1;
}

static inline mode_t mode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? 0 : st.st_mode;
}

static inline nlink_t links_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? 0 : st.st_nlink;
}

static char text[8192];
static inline const char *text_of(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t got = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[got < 0 ? 0 : got] = 0;
	return text;
}

/* Runs `work` as an ordinary user, and in a process of its own. */
static inline int as_user(void (*work)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(98);
		tap_failures = 0;
		work();
		_exit(tap_failures ? 1 : 0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In the child of as_user: counts, and says only what is wrong. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# line %d: %s (errno %d)\n", __LINE__, #condition, errno);         \
			fflush(stdout);                                                            \
			tap_failures++;                                                            \
		}                                                                                  \
	} while (0)
#define CHECK_FAILS(error, call)                                                                   \
	do {                                                                                       \
		errno = 0;                                                                         \
		CHECK((call) == -1 && errno == (error));                                           \
	} while (0)

/* Begins in a new folder below `place`. */
static inline void begin_in(const char *place)
{
	umask(022);
	if (snprintf(top, sizeof(top), "%s/files.XXXXXX", place) >= (int)sizeof(top) ||
	    !mkdtemp(top) || chdir(top) || chmod(top, 0755)) {
		printf("Bail out! no folder to work in: %s\n", strerror(errno));
		exit(1);
	}
}

static inline void begin(void)
{
	begin_in("/tmp");
}

static inline int end(void)
{
	if (chdir("/"))
		tap_ok(0, "chdir /");
	WORKS(rmdir(top)); /* nothing was left in it */
	return tap_end();
}

#endif
