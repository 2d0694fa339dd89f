/*
 * What the programs that measure share. A row is warmed up, then run in some batches, and the best batch counts. It runs in a
 * process of its own: what a kernel cannot do yet, or does wrong, costs its own row only.
 *
 *	-n SCALE	multiplies how often each operation is done
 *	-b BATCHES	(5)
 *	-d FOLDER	where files are made (/tmp)
 *	-p PREFIX	of the rows' names, as they are chosen and printed
 *	-l		lists the rows: NAME UNIT REMARK
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROW_SECONDS 120
#define PAGE_SIZE 4096
#define CHUNK_SIZE 65536 /* what the rows in MB/s move at a time */

struct row {
	const char *name;
	const char *unit; /* ns or us for one operation; or MB/s, an operation being CHUNK_SIZE bytes */
	void (*run)(long count);
	long count;
	void (*begin)(void);
	void (*end)(void);
	void (*prepare)(long count); /* before each batch, not measured */
	const char *remark;	     /* for whoever lists the rows */
};

static const char *row_name; /* what runs in this process */
static long scale = 1, batches = 5;
static const char *folder = "/tmp", *prefix = "";
static bool listing;

static void __attribute__((noreturn)) fail(const char *call)
{
	printf("%s%-16s failed %s: %s\n", prefix, row_name, call, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static inline int check(int result, const char *call)
{
	if (result < 0)
		fail(call);
	return result;
}

static inline double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

/* Seconds for one operation in a batch. */
static inline double row_batch(const struct row *row, long count)
{
	double start;

	if (row->prepare)
		row->prepare(count);
	start = now();
	row->run(count);
	return (now() - start) / count;
}

/* In the best batch. */
static inline double row_measure(const struct row *row)
{
	long count = row->count * scale;
	double least = 1e30;

	row_batch(row, count / 10 + 1);
	for (int i = 0; i < batches; i++) {
		double each = row_batch(row, count);

		if (each < least)
			least = each;
	}
	return least;
}

static inline void __attribute__((noreturn)) row_run(const struct row *row)
{
	double seconds, value;

	alarm(ROW_SECONDS);
	if (row->begin)
		row->begin();
	seconds = row_measure(row);
	if (row->end)
		row->end();
	value = row->unit[0] == 'n'   ? seconds * 1e9
		: row->unit[0] == 'u' ? seconds * 1e6
				      : CHUNK_SIZE * 1e-6 / seconds;
	printf("%s%-16s %12.2f %s\n", prefix, row->name, value, row->unit);
	fflush(stdout);
	_exit(0);
}

static inline bool row_chosen(const struct row *row, char **names)
{
	size_t length = strlen(prefix);
	bool any = !*names;

	for (; *names && !any; names++)
		any = !strncmp(*names, prefix, length) && !strcmp(*names + length, row->name);
	return any;
}

static inline void rows_options(int count, char **words)
{
	int option;

	while ((option = getopt(count, words, "n:b:d:p:l")) != -1) {
		if (option == 'n' && (scale = strtol(optarg, NULL, 10)) > 0)
			continue;
		if (option == 'b' && (batches = strtol(optarg, NULL, 10)) > 0)
			continue;
		if (option == 'd') {
			folder = optarg;
		} else if (option == 'p') {
			prefix = optarg;
		} else if (option == 'l') {
			listing = true;
		} else {
			fprintf(stderr,
				"usage: %s [-n SCALE] [-b BATCHES] [-d FOLDER] [-p PREFIX] [NAME...] | %s -l\n",
				words[0], words[0]);
			exit(2);
		}
	}
}

/* Runs the rows that `names` has, or all, each in a child; or lists them. */
static inline int rows_run(const struct row *rows, size_t row_count, char **names)
{
	for (const struct row *row = rows; row < rows + row_count; row++) {
		int status;
		pid_t pid;

		if (listing)
			printf("%s%s %s%s%s\n", prefix, row->name, row->unit,
			       row->remark ? " " : "", row->remark ? row->remark : "");
		if (listing || !row_chosen(row, names))
			continue;
		row_name = row->name;
		fflush(stdout);
		pid = check(fork(), "fork");
		if (!pid)
			row_run(row);
		if (waitpid(pid, &status, 0) != pid)
			fail("waitpid");
		if (WIFSIGNALED(status))
			printf("%s%-16s failed signal %d: %s\n", prefix, row->name,
			       WTERMSIG(status), strsignal(WTERMSIG(status)));
	}
	return 0;
}

#endif
