/*
 * Each allocation, and each copy from and to user memory, fails in turn through what a system does most. A call then says
 * ENOMEM (or what fits it), or works all the same; nothing hangs, and what lives afterwards is what lived before. In the debug
 * build only, which has /proc/thread-self/fail-nth and /sys/kernel/debug (docs/fault-injection.md).
 * Of what is not module, exec, fork, mmap or mount only a spread; tests/soak/fault_injection.c takes all.
 * seconds: 120
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#ifndef SPREAD
#define SPREAD 5 /* of so many failures one is tried */
#endif

enum {
	LIMIT = 3000, /* of injections into one scenario: more means that it never ends */
	PASSES = 6,
	CHILD_SECONDS = 20,
	SUMMARY = 4096,
	LIST_SIZE = 8 << 20,
};

/* What is done while one thing fails. Runs in a child of its own; act() gives 0 or -errno. */
struct scenario {
	const char *name;
	int (*act)(const char *argument);
	const char *argument;
	void (*prepare)(const char *argument); /* before, with nothing failing */
	void (*clean)(const char *argument);   /* afterwards */
	const int *errors; /* others than ENOMEM and EFAULT that it may say; ended by 0 */
	int may_die;	   /* by a signal, or with any status */
	int each;	   /* not only a spread of the failures */
};

static int *outcome; /* act()'s result; shared with the child */

/* ---- The kernel's files ---- */

static size_t read_file(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 0;
	while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	close(fd);
	text[length] = 0;
	return length;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* How often something was made to fail since the start. */
static long failures(void)
{
	static char text[16384];
	long sum = 0;

	read_file("/sys/kernel/debug/fail", text, sizeof(text));
	for (char *at = text; (at = strstr(at, " failed ")); at++)
		sum += atol(at + 8);
	return sum;
}

/* What lives: how many allocations, of all owners. The list begins with a line for each, up to an empty line. */
static long living(void)
{
	char text[SUMMARY];
	long sum = 0;

	read_file("/sys/kernel/debug/allocations", text, sizeof(text));
	for (char *line = text; *line && *line != '\n'; line = strchr(line, '\n') + 1) {
		sum += atol(strchr(line, ' '));
		if (!strchr(line, '\n'))
			break;
	}
	return sum;
}

/* The same when what is freed later has been freed. */
static long living_settled(void)
{
	long now = living(), before;
	int same = 0;

	for (int i = 0; i < 50 && same < 3; i++) {
		usleep(10000);
		before = now;
		now = living();
		same = now == before ? same + 1 : 0;
	}
	return now;
}

/* ---- Where it grew ---- */

static char *lists[2]; /* before a pass and after it; their pages are there from the start */

static void list_all(char *list)
{
	read_file("/sys/kernel/debug/allocations", list, LIST_SIZE);
}

/* The end of the backtrace that begins at `at`: where lines do not begin with blanks. */
static char *trace_end(char *at)
{
	while (*at == ' ') {
		at = strchr(at, '\n');
		if (!at)
			return NULL;
		at++;
	}
	return at;
}

/* How many lived of the backtrace. */
static long count_in(const char *list, const char *trace)
{
	const char *at = strstr(list, trace), *line;

	if (!at || at < list + 2)
		return 0;
	for (line = at - 2; line > list && line[-1] != '\n'; line--)
		;
	return atol(strchr(line, ' '));
}

static void print_growth(const char *before, char *after)
{
	char *at = strstr(after, "\n\n"), *line, *end, saved;

	for (at = at ? at + 2 : NULL; at && *at; at = end) {
		line = at;
		at = strchr(at, '\n');
		end = at ? trace_end(at + 1) : NULL;
		if (!end)
			return;
		saved = *end;
		*end = 0;
		if (atol(strchr(line, ' ')) > count_in(before, at + 1)) {
			printf("# was %ld, is ", count_in(before, at + 1));
			for (char *c = line; *c; c++) {
				putchar(*c);
				if (*c == '\n' && c[1])
					fputs("# ", stdout);
			}
		}
		*end = saved;
	}
}

/* ---- One scenario ---- */

static void arm(long nth, const char *kinds)
{
	char text[64];

	snprintf(text, sizeof(text), "%ld %s", nth, kinds);
	if (!write_file("/proc/thread-self/fail-nth", text))
		_exit(99);
}

static void disarm(void)
{
	char text[64];

	/* Its own opening may be what fails. */
	while (!read_file("/proc/thread-self/fail-nth", text, sizeof(text)))
		;
}

static int error_allowed(const struct scenario *scenario, int error)
{
	if (!error || error == ENOMEM || error == EFAULT)
		return 1;
	for (const int *allowed = scenario->errors; allowed && *allowed; allowed++)
		if (*allowed == error)
			return 1;
	return 0;
}

/* A child died before it could clean up. */
static void clean_after(const struct scenario *scenario)
{
	pid_t pid = scenario->clean ? fork() : -1;

	if (!pid) {
		scenario->clean(scenario->argument);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* In a child: the nth thing fails. Its status, as waitpid gives it. */
static int run_child(const struct scenario *scenario, long nth, const char *kinds)
{
	int status = -1;
	pid_t pid;

	*outcome = 0;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(CHILD_SECONDS);
		if (scenario->prepare)
			scenario->prepare(scenario->argument);
		arm(nth, kinds);
		*outcome = scenario->act(scenario->argument);
		disarm();
		if (scenario->clean)
			scenario->clean(scenario->argument);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* From the first on, until nothing more fails; -1 when something was wrong. How many there are. */
static long run_pass(const struct scenario *scenario, const char *kinds)
{
	long before = failures(), now, step = scenario->each ? 1 : SPREAD;

	for (long nth = 1; nth < LIMIT; nth += step) {
		int status = run_child(scenario, nth, kinds);
		int hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;

		/* As on Linux, when the kernel cannot write to the thread's rseq area. */
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && !strcmp(kinds, "user")) {
			clean_after(scenario);
			status = 0;
		}
		if (hung || (status && !scenario->may_die) || !error_allowed(scenario, -*outcome)) {
			static char text[16384];

			printf("# number %ld: status %#x, %s%s\n", nth, status, strerror(-*outcome),
			       hung ? ", hung" : "");
			read_file("/sys/kernel/debug/fail", text, sizeof(text));
			for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
				printf("# %s\n", line);
			return -1;
		}
		now = failures();
		if (now == before)
			return nth - step;
		before = now;
	}
	printf("# no end after %d\n", LIMIT);
	return -1;
}

static void run(const struct scenario *scenario, const char *kinds)
{
	long failed = 0, grown = 1, before, after;

	/* Caches fill, others go on working: a leak is what every pass adds. */
	for (int pass = 0; pass < PASSES && failed >= 0 && grown > 0; pass++) {
		before = living_settled();
		if (pass == PASSES - 1)
			list_all(lists[0]);
		failed = run_pass(scenario, kinds);
		after = living_settled();
		grown = after - before;
	}
	tap_ok(failed >= 0 && grown <= 0, "%s: %s of %ld %s failures is survived, and nothing stays",
	       scenario->name, scenario->each || SPREAD == 1 ? "each" : "a spread", failed, kinds);
	if (failed >= 0 && grown > 0) {
		list_all(lists[1]);
		print_growth(lists[0], lists[1]);
	}
}

/* ---- What is done ---- */

static int result_of(long value)
{
	return value < 0 ? -errno : 0;
}

struct image {
	const char *name;
	char *data;
	size_t size;
};
static struct image images[8];

/* The module's file, kept from the first time on. */
static struct image *image_of(const char *name)
{
	static const char *const paths[] = { "samples/%s/%s", "tests/%s/%s", "drivers/%s/%s",
					     "drivers/virtio/%2$s" };
	char file[128];
	struct utsname names;
	struct stat st;
	char path[256];
	int fd;

	uname(&names);
	for (struct image *image = images; image < images + 8; image++) {
		if (image->name && !strcmp(image->name, name))
			return image;
		if (image->name)
			continue;
		for (int i = 0; i < 4; i++) {
			snprintf(file, sizeof(file), paths[i], name, name);
			snprintf(path, sizeof(path), "/lib/modules/%s/kernel/modules/%s.ko",
				 names.release, file);
			fd = open(path, O_RDONLY);
			if (fd < 0 || fstat(fd, &st))
				continue;
			image->name = name;
			image->size = (size_t)st.st_size;
			image->data = malloc(image->size);
			if (image->data && read(fd, image->data, image->size) == st.st_size) {
				close(fd);
				return image;
			}
		}
	}
	printf("Bail out! no module %s\n", name);
	exit(1);
}

static int load(const char *name)
{
	struct image *image = image_of(name);

	return result_of(syscall(SYS_init_module, image->data, image->size, ""));
}

static int unload(const char *name)
{
	return result_of(syscall(SYS_delete_module, name, O_NONBLOCK));
}

static void load_prepare(const char *name)
{
	if (load(name))
		_exit(98);
}

static void unload_clean(const char *name)
{
	int error = unload(name);

	if (error && error != -ENOENT)
		_exit(97);
}

static int exec_act(const char *argument)
{
	static char *const argv[] = { "exec", "child", NULL }, *const envp[] = { "A=b", NULL };

	return result_of(execve("/proc/self/exe", argv, envp));
}

static int fork_act(const char *argument)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : result_of(waitpid(pid, &status, 0));
}

static void *thread_main(void *argument)
{
	return argument;
}

static int thread_act(const char *argument)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, thread_main, NULL);

	if (!error)
		pthread_join(thread, NULL);
	return -error;
}

static int map_act(const char *argument)
{
	size_t size = 64 << 10;
	int fd = open("/proc/self/exe", O_RDONLY);
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     *file;

	if (memory == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	(void)mprotect(memory + 4096, 4096, PROT_READ);
	(void)munmap(memory + 3 * 4096, 4096);
	memory = mremap(memory + 8 * 4096, 4096, 16 * 4096, MREMAP_MAYMOVE);
	if (memory != MAP_FAILED)
		memory[0] = 1;
	if (fd < 0)
		return -errno;
	file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return -errno;
	file[0] = 1;
	return file[4096] == 1 ? 0 : result_of(munmap(file, 8192));
}

static void mount_prepare(const char *type)
{
	if (!strcmp(type, "counter"))
		load_prepare("counter");
}

static int mount_act(const char *type)
{
	int error = result_of(mount("none", "m", type, 0, NULL));

	if (!error) {
		int fd = open("m/x", O_CREAT | O_RDWR, 0600);

		if (fd >= 0) {
			(void)!write(fd, "12345", 5);
			close(fd);
		}
	}
	return error ? error : result_of(umount("m"));
}

static void mount_clean(const char *type)
{
	(void)umount("m");
	if (!strcmp(type, "counter"))
		unload_clean("counter");
}

/* The first of the calls that fails says how it all went; the others are made all the same. */
#define STEP(call)                                                                                 \
	do {                                                                                       \
		if ((call) < 0 && !error)                                                          \
			error = -errno;                                                            \
	} while (0)

static int names_act(const char *argument)
{
	char text[256];
	int error = 0, fd = open("a", O_CREAT | O_RDWR | O_TRUNC, 0600);

	if (fd < 0)
		return -errno;
	STEP(write(fd, "some text that is to be kept", 28));
	STEP(ftruncate(fd, 1 << 20));
	STEP(pwrite(fd, "x", 1, 600000));
	STEP(mkdir("d", 0700));
	STEP(link("a",
		  "d/a name that is so long that it is not kept within the entry of the cache of names"));
	STEP(symlink("a", "s"));
	STEP(readlink("s", text, sizeof(text)));
	STEP(rename(
		"d/a name that is so long that it is not kept within the entry of the cache of names",
		"d/another name that is so long that it is not kept within the entry of the cache of names"));
	STEP(rename("a", "b"));
	STEP(access("s", R_OK) && errno == ENOENT ? 0 : -1);
	close(fd);
	return error;
}

static void names_clean(const char *argument)
{
	static const char *const left[] = {
		"a",
		"b",
		"s",
		"d/a name that is so long that it is not kept within the entry of the cache of names",
		"d/another name that is so long that it is not kept within the entry of the cache of names",
	};

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		if (unlink(left[i]) && errno != ENOENT && errno != ENOTDIR)
			_exit(96);
	if (rmdir("d") && errno != ENOENT)
		_exit(errno);
}

static int folder_act(const char *path)
{
	DIR *folder = opendir(path);

	if (!folder)
		return -errno;
	errno = 0;
	while (readdir(folder))
		;
	closedir(folder);
	return -errno;
}

static int file_act(const char *path)
{
	char text[512];
	ssize_t got;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return -errno;
	while ((got = read(fd, text, sizeof(text))) > 0)
		;
	got = result_of(got);
	close(fd);
	return (int)got;
}

static int pipe_act(const char *argument)
{
	static char data[32768];
	struct iovec pieces[20];
	int ends[2], error = 0;

	if (pipe(ends))
		return -errno;
	for (int i = 0; i < 20; i++)
		pieces[i] = (struct iovec){ data + 1000 * i, 1000 };
	STEP(fcntl(ends[1], F_SETFL, O_NONBLOCK));
	STEP(writev(ends[1], pieces, 20));
	STEP(fcntl(ends[1], F_SETPIPE_SZ, 1 << 17));
	STEP(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	STEP(readv(ends[0], pieces, 20));
	STEP(dup2(ends[0], 200));
	close(ends[0]);
	close(ends[1]);
	return error;
}

static int poll_act(const char *argument)
{
	struct timeval soon = { .tv_usec = 1 };
	struct pollfd polled[100];
	int ends[2], error = 0;
	fd_set set;

	if (pipe(ends))
		return -errno;
	for (int i = 0; i < 100; i++)
		polled[i] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	STEP(poll(polled, 100, 1));
	STEP(select(ends[1] + 1, &set, NULL, NULL, &soon));
	return error;
}

static volatile sig_atomic_t signals_seen;

static void seen(int signal)
{
	signals_seen++;
}

static int signal_act(const char *argument)
{
	struct sigaction action = { .sa_handler = seen, .sa_flags = SA_ONSTACK };
	static char stack[65536];
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	int error = 0;

	STEP(sigaltstack(&other, NULL));
	STEP(sigaction(SIGUSR1, &action, NULL));
	STEP(sigaction(SIGRTMIN, &action, NULL));
	if (error)
		return error;
	STEP(kill(getpid(), SIGUSR1));
	STEP(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 }));
	return error;
}

static int terminal_act(const char *path)
{
	int error = 0, fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	char settings[64];

	if (fd < 0)
		return -errno;
	STEP(ioctl(fd, TCGETS, settings));
	close(fd);
	return error;
}

static int timer_act(const char *argument)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct itimerspec when = { .it_value.tv_nsec = 1000 };
	struct timespec soon = { .tv_nsec = 1000 };
	struct itimerval later = { .it_value.tv_sec = 100 };
	timer_t timer;
	int error = 0;

	STEP(setitimer(ITIMER_VIRTUAL, &later, NULL));
	STEP(nanosleep(&soon, NULL));
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		return -errno;
	STEP(timer_settime(timer, 0, &when, NULL));
	STEP(timer_delete(timer));
	return error;
}

static int events_act(const char *argument)
{
	struct itimerspec when = { .it_value.tv_nsec = 1000 };
	struct epoll_event event = { .events = EPOLLIN };
	int error = 0, set = epoll_create1(0), counter, timer, ends[2];
	uint64_t one = 1;

	if (set < 0)
		return -errno;
	STEP(counter = eventfd(0, 0));
	STEP(timer = timerfd_create(CLOCK_MONOTONIC, 0));
	if (error)
		return error;
	STEP(epoll_ctl(set, EPOLL_CTL_ADD, counter, &event));
	STEP(epoll_ctl(set, EPOLL_CTL_ADD, timer, &event));
	STEP(timerfd_settime(timer, 0, &when, NULL));
	STEP(write(counter, &one, sizeof(one)));
	STEP(epoll_wait(set, &event, 1, 10));
	STEP(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	if (error)
		return error;
	STEP(write(ends[0], "text", 4));
	STEP(recv(ends[1], &one, 4, MSG_DONTWAIT));
	close(ends[0]);
	close(ends[1]);
	return error;
}

/* ---- Drivers under random failures ---- */

enum { SEEDS = 40 / SPREAD };

/* In a marked child: in and out once. */
static int random_child(const char *name)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int error;

		alarm(CHILD_SECONDS);
		if (!write_file("/proc/self/make-it-fail", "1"))
			_exit(99);
		error = load(name);
		while (!write_file("/proc/self/make-it-fail", "0"))
			;
		if (!error)
			unload_clean(name);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void run_random(const char *name, const char *kinds)
{
	int bad = 0, was_there = !unload(name);
	long grown = 1, before, after, failed = failures();
	char setting[64];

	(void)image_of(name);
	for (int pass = 0; pass < PASSES && !bad && grown > 0; pass++) {
		before = living_settled();
		if (pass == PASSES - 1)
			list_all(lists[0]);
		for (int seed = 1; seed <= SEEDS && !bad; seed++) {
			snprintf(setting, sizeof(setting), "%s chance=%d seed=%d marked", kinds,
				 5 + seed, seed);
			if (!write_file("/sys/kernel/debug/fail", setting))
				bad = -1;
			else
				bad = random_child(name);
			if (bad)
				printf("# seed %d: status %#x\n", seed, bad);
		}
		write_file("/sys/kernel/debug/fail", "all off");
		after = living_settled();
		grown = after - before;
	}
	tap_ok(!bad && grown <= 0, "%s survives %ld random %s failures, and nothing stays", name,
	       failures() - failed, kinds);
	if (!bad && grown > 0) {
		list_all(lists[1]);
		print_growth(lists[0], lists[1]);
	}
	tap_ok(!load(name), "%s can be loaded afterwards", name);
	if (!was_there)
		tap_ok(!unload(name), "%s can be removed", name);
}

/* ---- All of it ---- */

static const int thread_errors[] = { EAGAIN, 0 };
static const int folder_errors[] = { ENOENT, 0 }; /* what was not made could not be moved */
static const int socket_errors[] = { ENOBUFS, EAFNOSUPPORT, 0 };
static const int module_errors[] = { ENOENT, 0 }; /* a symbol's exporter is not there */
static const int terminal_errors[] = { ENXIO, EIO, ENODEV, ENOENT, 0 };

static const struct scenario scenarios[] = {
	{ "load hello", load, "hello", .clean = unload_clean, .each = 1 },
	{ "load counter", load, "counter", .clean = unload_clean, .errors = module_errors },
	{ "load removal", load, "removal", .clean = unload_clean },
	{ "unload hello", unload, "hello", load_prepare, unload_clean, .each = 1 },
	{ "unload counter", unload, "counter", load_prepare, unload_clean },
	{ "unload removal", unload, "removal", load_prepare, unload_clean },
	{ "exec", exec_act, .may_die = 1, .each = 1 },
	{ "fork", fork_act, .errors = thread_errors, .each = 1 },
	{ "thread", thread_act, .errors = thread_errors },
	{ "mmap", map_act, .each = 1 },
	{ "mount tmpfs", mount_act, "tmpfs", mount_prepare, mount_clean, .each = 1 },
	{ "mount proc", mount_act, "proc", mount_prepare, mount_clean },
	{ "mount counter", mount_act, "counter", mount_prepare, mount_clean },
	{ "names", names_act, .clean = names_clean, .errors = folder_errors },
	{ "list /tmp", folder_act, "/tmp" },
	{ "list /proc", folder_act, "/proc" },
	{ "list /sys/module", folder_act, "/sys/module" },
	{ "read /proc/self/maps", file_act, "/proc/self/maps" },
	{ "read /proc/mounts", file_act, "/proc/mounts" },
	{ "read /proc/modules", file_act, "/proc/modules" },
	{ "pipe", pipe_act },
	{ "poll", poll_act },
	{ "signal", signal_act, .errors = thread_errors, .may_die = 1 },
	{ "open a terminal", terminal_act, "/dev/tty1", .errors = terminal_errors },
	{ "open the console", terminal_act, "/dev/console", .errors = terminal_errors },
	{ "timers", timer_act, .errors = thread_errors },
	{ "events", events_act, .errors = socket_errors },
};

int main(int argc, char **argv)
{
	char folder[] = "/tmp/faults.XXXXXX";

	if (argc > 1 && !strcmp(argv[1], "child"))
		return 0;
	if (access("/sys/kernel/debug/fail", R_OK))
		return 77;
	outcome = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 2; i++)
		lists[i] = mmap(NULL, LIST_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (outcome == MAP_FAILED || lists[0] == MAP_FAILED || lists[1] == MAP_FAILED ||
	    !mkdtemp(folder) || chdir(folder) || mkdir("m", 0700)) {
		printf("Bail out! no folder to work in\n");
		return 1;
	}
	for (int i = 0; i < (int)(sizeof(scenarios) / sizeof(scenarios[0])); i++) {
		if (argc > 1 && !strstr(scenarios[i].name, argv[1]))
			continue;
		if (strstr(scenarios[i].name, "load "))
			(void)image_of(scenarios[i].argument);
		run(&scenarios[i], "alloc");
		run(&scenarios[i], "user");
	}
	if (argc < 2 || !strcmp(argv[1], "random")) {
		run_random("virtio_rng", "alloc");
		run_random("counter", "alloc");
		run_random("removal", "alloc");
	}
	(void)rmdir("m");
	(void)chdir("/");
	(void)rmdir(folder);
	return tap_end();
}
