/*
 * Fork, exec, signals, pipes and mmap on four CPUs at once, for five minutes (argument 1: other seconds); afterwards memory is
 * what it was and nothing is left running.
 * run: --smp 4
 * seconds: 700
 */
#define _GNU_SOURCE
#include "../memory.h"
#include "../tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 300, WORKERS = 8, SLACK_KIB = 1024, PAGE = 4096 };

static volatile sig_atomic_t signals_seen;
static time_t end_time;

static void on_signal(int signal)
{
	(void)signal;
	signals_seen++;
}

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "stress: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static int running(void)
{
	return time(NULL) < end_time;
}

static void reap(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	require(got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended well");
}

/* Children that touch copied pages and check that the parent's stay its own. */
static void forks(unsigned int seed)
{
	size_t size = 64 * PAGE;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	require(memory != MAP_FAILED, "mmap");
	memset(memory, 1, size);
	while (running()) {
		pid_t pid = fork();

		require(pid >= 0, "fork");
		if (!pid) {
			for (int i = 0; i < 16; i++)
				memory[(size_t)(rand_r(&seed) % 64) * PAGE] = 2;
			_exit(0);
		}
		reap(pid);
		for (size_t i = 0; i < size; i += PAGE)
			require(memory[i] == 1, "the parent's page is its own");
		seed++;
	}
	munmap(memory, size);
}

static void execs(void)
{
	while (running()) {
		pid_t pid = vfork();

		require(pid >= 0, "vfork");
		if (!pid) {
			execl("/bin/busybox", "true", (char *)NULL);
			_exit(1);
		}
		reap(pid);
	}
}

/* Two processes that send each other signals and bytes. */
static void pipes(void)
{
	int there[2], back[2];
	pid_t pid;
	char c = 0;

	require(!pipe(there) && !pipe(back), "pipe");
	pid = fork();
	require(pid >= 0, "fork");
	if (!pid) {
		close(there[1]);
		close(back[0]);
		for (;;) {
			ssize_t got = read(there[0], &c, 1);

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				_exit(0);
			kill(getppid(), SIGUSR1);
			require(write(back[1], &c, 1) == 1, "write back");
		}
	}
	close(there[0]);
	close(back[1]);
	while (running()) {
		ssize_t got;

		require(write(there[1], "x", 1) == 1, "write");
		do
			got = read(back[0], &c, 1);
		while (got < 0 && errno == EINTR);
		require(got == 1 && c == 'x', "the byte comes back");
	}
	close(there[1]);
	close(back[0]);
	reap(pid);
	require(signals_seen > 0, "signals came");
}

/* Maps, protects, moves and unmaps pieces at random; what was written is still there. */
static void maps(unsigned int seed)
{
	enum { PIECES = 32 };
	unsigned char *pieces[PIECES] = { NULL };
	size_t sizes[PIECES];

	while (running()) {
		int i = rand_r(&seed) % PIECES;

		if (!pieces[i]) {
			sizes[i] = (size_t)(1 + rand_r(&seed) % 16) * PAGE;
			pieces[i] = mmap(NULL, sizes[i], PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			require(pieces[i] != MAP_FAILED, "mmap");
			memset(pieces[i], i + 1, sizes[i]);
			continue;
		}
		require(pieces[i][0] == i + 1 && pieces[i][sizes[i] - 1] == i + 1,
			"the mapping keeps its bytes");
		if (rand_r(&seed) % 3 == 0) {
			size_t size = sizes[i] + PAGE;

			pieces[i] = mremap(pieces[i], sizes[i], size, MREMAP_MAYMOVE);
			require(pieces[i] != MAP_FAILED, "mremap");
			memset(pieces[i] + sizes[i], i + 1, PAGE);
			sizes[i] = size;
			if (size < 64 * PAGE)
				continue;
		}
		require(!mprotect(pieces[i], PAGE, PROT_READ), "mprotect");
		require(!munmap(pieces[i], sizes[i]), "munmap");
		pieces[i] = NULL;
	}
	for (int i = 0; i < PIECES; i++)
		if (pieces[i])
			munmap(pieces[i], sizes[i]);
}

static void *thread_body(void *argument)
{
	return argument;
}

static void threads(void)
{
	while (running()) {
		pthread_t all[8];
		void *result;

		for (size_t i = 0; i < 8; i++)
			require(!pthread_create(&all[i], NULL, thread_body, (void *)i),
				"pthread_create");
		for (size_t i = 0; i < 8; i++) {
			require(!pthread_join(all[i], &result), "pthread_join");
			require(result == (void *)i, "a thread's result");
		}
	}
}

static void files(unsigned int seed)
{
	char name[64], buffer[3 * PAGE];
	struct stat st;

	snprintf(name, sizeof(name), "/tmp/stress.%d", getpid());
	while (running()) {
		size_t size = (size_t)(rand_r(&seed) % (int)sizeof(buffer));
		int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);

		require(fd >= 0, "create");
		memset(buffer, 7, size);
		require(write(fd, buffer, size) == (ssize_t)size, "write");
		require(!fstat(fd, &st) && st.st_size == (off_t)size, "fstat");
		require(!unlink(name), "unlink");
		close(fd);
	}
}

static void worker(int number)
{
	switch (number % 6) {
	case 0:
		forks((unsigned int)number);
		break;
	case 1:
		execs();
		break;
	case 2:
		pipes();
		break;
	case 3:
		maps((unsigned int)number);
		break;
	case 4:
		threads();
		break;
	case 5:
		files((unsigned int)number);
		break;
	}
	_exit(0);
}

static int round_of(int seconds)
{
	pid_t pids[WORKERS];
	int failures = 0;

	end_time = time(NULL) + seconds;
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return WORKERS;
		if (!pids[i])
			worker(i);
	}
	for (int i = 0; i < WORKERS; i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		failures += status != 0;
	}
	return failures;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : SECONDS;
	long before, after;

	signal(SIGUSR1, on_signal);
	tap_ok(!round_of(3), "all workers run");
	before = memory_free_kib();
	tap_ok(!round_of(seconds), "for %d seconds", seconds);
	after = memory_free_kib();
	tap_ok(before - after <= SLACK_KIB, "memory is what it was: %ld KiB free before, %ld after",
	       before, after);
	tap_ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no child is left");
	return tap_end();
}
