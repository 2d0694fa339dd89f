/*
 * What guest tests print: KTAP, one line a check, the plan last. A failed check says what was expected and goes on;
 * tap_end() gives the exit status.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failures;

__attribute__((format(printf, 2, 3))) static inline int tap_ok(int passed, const char *format, ...)
{
	va_list args;

	if (!tap_count)
		printf("KTAP version 1\n");
	printf("%sok %d ", passed ? "" : "not ", ++tap_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	tap_failures += !passed;
	return passed;
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failures != 0;
}

#endif
