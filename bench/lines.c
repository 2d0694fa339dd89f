/*
 * lines: what four processors at once do to the same cache lines, in a kernel built for counting them (make BUILD=lines).
 *
 *	lines COUNT [NAME...]
 *
 * For each operation of the table, four processes, one on each processor, do it COUNT times on files of their own in one folder,
 * pipes of their own, memory of their own. Printed: "operation NAME COUNT LOST", then what kernel/lines.c tells of each line that
 * one of them wrote and another touched. scripts/kumo-lines makes a table of that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPUS 4
#define PAGE_SIZE 4096
#define FOLDERS "a/b/c/d/e/f/g"

/* As in kernel/lines.c. */
enum { LINES_START, LINES_STOP, LINES_NEXT, LINES_SHOW, LINES_IGNORE };

static long count;
static char path[64], name[16],
	deep[64]; /* of the process's own file, as three names: of two elements from the root; one; eight */
static int pipe_ends[2];

/* Where the processes wait for each other; shared by them. */
static struct {
	_Atomic int arrived;
	_Atomic int go;
} * gate;

static void __attribute__((noreturn)) fail(const char *call)
{
	fprintf(stderr, "lines: %s: %s\n", call, strerror(errno));
	exit(1);
}

static long check(long result, const char *call)
{
	if (result < 0)
		fail(call);
	return result;
}

static long lines(int request, unsigned long index, char *to, size_t size)
{
	return syscall(SYS_tuxcall, request, index, to, size);
}

/* ---- The operations ---- */

static void open_named(const char *file)
{
	close((int)check(open(file, O_RDONLY), "open"));
}

static void stat_named(const char *file)
{
	struct stat status;

	check(stat(file, &status), "stat");
}

static void open_close(void)
{
	open_named(path);
}

static void open_1(void)
{
	open_named(name);
}

static void open_8(void)
{
	open_named(deep);
}

static void stat_file(void)
{
	stat_named(path);
}

static void stat_1(void)
{
	stat_named(name);
}

static void stat_8(void)
{
	stat_named(deep);
}

static void fork_wait(void)
{
	pid_t pid = (pid_t)check(fork(), "fork");

	if (!pid)
		_exit(0);
	check(waitpid(pid, NULL, 0), "waitpid");
}

/* A page at a time of a mapping that is made anew when all of it is used. */
static void touch_page(void)
{
	enum { PAGES = 512 };
	static char *at;
	static int used = PAGES;

	if (used == PAGES) {
		lines(LINES_IGNORE, 0, NULL, 0);
		if (at)
			munmap(at, PAGES * PAGE_SIZE);
		at = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED)
			fail("mmap");
		used = 0;
		lines(LINES_NEXT, 0, NULL, 0);
	}
	at[used++ * PAGE_SIZE] = 1;
}

static void pipe_byte(void)
{
	char byte = 1;

	if (write(pipe_ends[1], &byte, 1) != 1 || read(pipe_ends[0], &byte, 1) != 1)
		fail("pipe");
}

static const struct operation {
	const char *name;
	void (*run)(void);
} operations[] = {
	{ "open_close", open_close }, { "open_1", open_1 },
	{ "open_8", open_8 },	      { "stat", stat_file },
	{ "stat_1", stat_1 },	      { "stat_8", stat_8 },
	{ "page_fault", touch_page }, { "fork_exit_wait", fork_wait },
	{ "pipe_byte", pipe_byte },
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* ---- Running them ---- */

static void gate_pass(int number)
{
	gate->arrived++;
	while (gate->go < number)
		;
}

/* Until all have come to the gate so many times. None ends before it may go on, unless it failed. */
static void gate_wait(int number)
{
	while (gate->arrived < CPUS * number) {
		if (waitpid(-1, NULL, WNOHANG))
			exit(1);
		usleep(1000);
	}
}

static void gate_open(int number)
{
	gate_wait(number);
	gate->go = number;
}

static void __attribute__((noreturn)) process(const struct operation *operation, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
	snprintf(name, sizeof(name), "lines.%d", cpu);
	snprintf(path, sizeof(path), "/tmp/%s", name);
	snprintf(deep, sizeof(deep), FOLDERS "/%s", name);
	close((int)check(open(name, O_CREAT | O_RDWR, 0600), "open"));
	close((int)check(open(deep, O_CREAT | O_RDWR, 0600), "open"));
	check(pipe(pipe_ends), "pipe");
	for (long i = 0; i < count / 4 + 1; i++) /* caches filled, tables made */
		operation->run();
	gate_pass(1);
	for (long i = 0; i < count; i++) {
		lines(LINES_NEXT, 0, NULL, 0);
		operation->run();
	}
	lines(LINES_IGNORE, 0, NULL, 0);
	gate_pass(2);
	_exit(0);
}

/* True of a line that was written by one processor and touched by another. */
static int is_shared(const char *description)
{
	unsigned int written[CPUS], read[CPUS];
	int touched = 0, writers = 0;

	if (sscanf(description, "%*[^\t]\t%*[^\t]\t%u %u %u %u\t%u %u %u %u", &written[0],
		   &written[1], &written[2], &written[3], &read[0], &read[1], &read[2], &read[3]) != 8)
		return 0;
	for (int cpu = 0; cpu < CPUS; cpu++) {
		writers += written[cpu] > 0;
		touched += written[cpu] || read[cpu];
	}
	return writers && touched > 1;
}

static void print_lines(void)
{
	char text[2049];
	long length;

	for (unsigned long i = 0; (length = lines(LINES_SHOW, i, text, sizeof(text) - 1)) >= 0; i++) {
		text[length] = '\0';
		if (length && is_shared(text))
			puts(text);
	}
	if (errno != ENOENT)
		fail("LINES_SHOW");
}

static void measure(const struct operation *operation)
{
	long lost;

	gate->arrived = gate->go = 0;
	for (int cpu = 0; cpu < CPUS; cpu++)
		if (!check(fork(), "fork"))
			process(operation, cpu);
	gate_wait(1);
	check(lines(LINES_START, 0, NULL, 0), "LINES_START");
	gate_open(1);
	gate_open(2);
	lost = check(lines(LINES_STOP, 0, NULL, 0), "LINES_STOP");
	for (int cpu = 0; cpu < CPUS; cpu++) {
		int status;

		if (check(wait(&status), "wait") && status)
			exit(1);
	}
	printf("operation\t%s\t%ld\t%ld\n", operation->name, count, lost);
	print_lines();
}

static void make_folders(void)
{
	char folders[] = FOLDERS "/";

	check(chdir("/tmp"), "chdir");
	for (char *end = folders; (end = strchr(end, '/')); *end++ = '/') {
		*end = 0;
		check(mkdir(folders, 0700), "mkdir");
	}
}

static const struct operation *find(const char *name)
{
	for (size_t i = 0; i < OPERATIONS; i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	fprintf(stderr, "lines: no operation %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc < 2 || (count = strtol(argv[1], NULL, 10)) <= 0) {
		fprintf(stderr, "usage: lines COUNT [NAME...]\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		(void)find(argv[i]);
	make_folders();
	gate = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gate == MAP_FAILED)
		fail("mmap");
	for (int i = 2; i < argc; i++)
		measure(find(argv[i]));
	for (size_t i = 0; argc == 2 && i < OPERATIONS; i++)
		measure(&operations[i]);
	return 0;
}
