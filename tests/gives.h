/* For tests that call the kernel directly: calls in a child with other credentials, and what a call gives. */
#ifndef TESTS_GIVES_H
#define TESTS_GIVES_H

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

/* The result, or the negative errno. */
#define result_of(call)                                                                            \
	({                                                                                         \
		long result_;                                                                      \
		errno = 0;                                                                         \
		result_ = (long)(call);                                                            \
		result_ == -1 && errno ? -errno : result_;                                         \
	})

static inline void gives_check(long found, long expected, const char *text)
{
	if (found == expected)
		tap_ok(1, "%s is %ld", text, expected);
	else
		tap_ok(0, "%s is %ld, not %ld", text, expected, found);
}

/* One check: the call gives `expected`, a value or a negative errno. */
#define gives(expected, call) gives_check(result_of(call), (expected), #call)

/* Checks made in a child count here, too. */
static inline void in_child_checked(void (*work)(void))
{
	int pipes[2], counts[2] = { 0, 1 };
	pid_t pid;

	fflush(stdout);
	if (pipe(pipes))
		return;
	pid = fork();
	if (pid == 0) {
		work();
		counts[0] = tap_count;
		counts[1] = tap_failures;
		_exit(write(pipes[1], counts, sizeof(counts)) != sizeof(counts));
	}
	close(pipes[1]);
	if (read(pipes[0], counts, sizeof(counts)) == sizeof(counts)) {
		tap_count = counts[0];
		tap_failures = counts[1];
	} else {
		tap_ok(0, "the child finishes its checks");
	}
	close(pipes[0]);
	waitpid(pid, NULL, 0);
}

#endif
