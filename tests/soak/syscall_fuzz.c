/*
 * Random system calls with hostile arguments: from processes of several threads, half of them root, for two minutes
 * (argument 1: other seconds; argument 2: a seed). Whatever the calls do to the processes that make them, the kernel
 * must report no fault, every process must be killable, and memory must be what it was.
 *
 * A round is a set of workers that live for a second or two. A worker's threads make calls until the supervisor kills it; so
 * what it asks for must not reach the supervisor, the machine or the clock: avoid() leaves that out.
 * run: --smp 4
 * seconds: 400
 */
#define _GNU_SOURCE
#include "../memory.h"
#include "../tap.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SECONDS = 120,
	WORKERS = 6,
	THREADS = 3,
	CALLS = 452, /* one more than Linux 6.1 has, and the gap before 424 included */
	PAGE = 4096,
	AREA_PAGES = 16,
	SLACK_KIB = 3072,
	KILL_SECONDS = 20,
	LOG_SIZE = 1 << 18,
	NOBODY = 65534,
};

#define FOLDER "/tmp/fuzz"

static const char *const paths[] = {
	FOLDER "/a",
	FOLDER "/b",
	FOLDER "/c/d",
	FOLDER "/c",
	FOLDER,
	FOLDER "/link",
	"a",
	"c",
	"c/../b",
	"",
	".",
	"..",
	"/dev/null",
	"/dev/zero",
	"/dev/full",
	"/dev/random",
	"/proc/self/maps",
	"/proc/self/stat",
	"/proc/self/fd/3",
	"/proc/self/exe",
	"/proc/self/environ",
	"/proc/self/mem",
	"/proc/meminfo",
	"/proc/self/cmdline",
	"/proc/1/status",
	"/proc/self/fd",
	"/sys/module",
	"/sys",
	"/dev/ptmx",
	"/dev/tty",
	"/proc/self/task",
	"/proc/mounts",
	"/proc/modules",
	"tmpfs",
	"proc",
	"user.name",
};

struct generator {
	uint64_t state;
};

static char *area; /* readable and writable, with holes */
static int null;   /* /dev/null, whatever root's workers do to its name */

/* xorshift64* */
static uint64_t draw(struct generator *generator)
{
	generator->state ^= generator->state >> 12;
	generator->state ^= generator->state << 25;
	generator->state ^= generator->state >> 27;
	return generator->state * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(struct generator *generator, uint64_t limit)
{
	return draw(generator) % limit;
}

static unsigned long hostile_number(struct generator *generator)
{
	static const unsigned long numbers[] = {
		0,
		1,
		-1UL,
		-2UL,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x100000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		0x7ffffffff000,
		0x7fffffffefff,
		0x800000000000,
		4095,
		4096,
		4097,
		65535,
		65536,
		-4096UL,
		-4095UL,
		0xffff888000000000,
		0xffffffff80100000,
		0x1000000000000,
		1UL << 62,
		-100UL,
	};

	if (below(generator, 4) == 0)
		return (1UL << below(generator, 64)) + below(generator, 3) - 1;
	if (below(generator, 6) == 0)
		return draw(generator);
	return numbers[below(generator, sizeof(numbers) / sizeof(*numbers))];
}

static unsigned long address(struct generator *generator)
{
	unsigned long page = (unsigned long)area + below(generator, AREA_PAGES) * PAGE;

	switch (below(generator, 8)) {
	case 0:
		return page + PAGE - below(generator, 64); /* the next one may be missing */
	case 1:
		return page;
	case 2:
		return hostile_number(generator);
	default:
		return page + (below(generator, PAGE) & ~7UL);
	}
}

/* Memory that calls will read: structures of small numbers, pointers and flags now and then. */
static void fill(struct generator *generator)
{
	unsigned long *words = (unsigned long *)(area + below(generator, 4) * PAGE);

	for (int i = 0; i < 16; i++) {
		size_t at = below(generator, PAGE / sizeof(*words));

		switch (below(generator, 4)) {
		case 0:
			words[at] = address(generator);
			break;
		case 1:
			words[at] = hostile_number(generator);
			break;
		case 2:
			words[at] = 0;
			break;
		default:
			words[at] = below(generator, 128);
		}
	}
}

static unsigned long argument(struct generator *generator, int position)
{
	switch (below(generator, 8)) {
	case 0:
	case 1:
		return address(generator);
	case 2:
		return (unsigned long)paths[below(generator, sizeof(paths) / sizeof(*paths))];
	case 3:
		return hostile_number(generator);
	case 4:
		return below(generator, 3 * PAGE);
	case 5:
		return 1UL << below(generator, 32);
	case 6:
		return position ? below(generator, 64) : 3 + below(generator, 24);
	default:
		return position ? address(generator)
				: 3 + below(generator, 24); /* most first arguments are descriptors */
	}
}

static bool one_of(long number, const short *list)
{
	for (; *list >= 0; list++)
		if (*list == number)
			return true;
	return false;
}

/* Calls that would reach others, given or not given the privileges of root; and those that end the worker too soon. */
static const short never[] = {
	SYS_reboot,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_adjtimex,
	SYS_clock_adjtime,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_vhangup,
	SYS_clone,
	SYS_clone3,
	SYS_fork,
	SYS_vfork,
	SYS_rt_sigreturn,
	SYS_exit_group,
	SYS_delete_module,
	SYS_syslog,
	SYS_sched_setscheduler,
	SYS_sched_setattr,
	SYS_sched_setparam,
	-1,
};

static const short not_as_root[] = {
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_setrlimit,
	SYS_prlimit64,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_swapon,
	SYS_swapoff,
	SYS_mount,
	SYS_init_module,
	SYS_finit_module,
	SYS_move_mount,
	SYS_setpriority,
	SYS_pidfd_send_signal,
	-1,
};

static const short seldom[] = {
	SYS_exit,
	SYS_execve,
	SYS_execveat,
	SYS_munmap,
	SYS_brk,
	SYS_arch_prctl,
	SYS_setrlimit,
	SYS_prlimit64,
	SYS_mprotect,
	SYS_mremap,
	SYS_pause,
	SYS_rt_sigsuspend,
	SYS_close_range,
	SYS_mmap,
	SYS_chdir,
	SYS_capset,
	SYS_mlockall,
	SYS_close,
	SYS_set_robust_list,
	SYS_set_tid_address,
	-1,
};

static bool avoid(struct generator *generator, long number, bool root)
{
	if (one_of(number, never) || (root && one_of(number, not_as_root)))
		return true;
	return one_of(number, seldom) && below(generator, 20);
}

static int child_body(void *unused)
{
	(void)unused;
	syscall(SYS_exit, 7);
	return 0;
}

/* A child with random flags, on a stack of its own where it shares memory. */
static void make_child(struct generator *generator)
{
	static _Thread_local char stack[2 * PAGE] __attribute__((aligned(16)));
	unsigned long flags = (draw(generator) & 0xffffff00) | SIGCHLD;

	flags &= ~(unsigned long)(CLONE_VFORK & draw(generator));
	if (below(generator, 2))
		flags |= CLONE_VM;
	if (below(generator, 3) == 0)
		flags |= CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
	flags &= ~(unsigned long)(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
				  CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PARENT);
	clone(child_body, stack + sizeof(stack), (int)flags, NULL,
	      (void *)(address(generator) & ~4095UL), (void *)hostile_number(generator),
	      (void *)address(generator));
}

static void *thread_body(void *seed)
{
	struct generator generator = { (uint64_t)seed * 0x9e3779b97f4a7c15ULL + 1 };
	bool root = getuid() == 0;

	for (;;) {
		long number = (long)below(&generator, CALLS);
		unsigned long a[6];

		if (below(&generator, 400) == 0)
			make_child(&generator);
		if (avoid(&generator, number, root))
			continue;
		if (below(&generator, 8) == 0)
			fill(&generator);
		for (int i = 0; i < 6; i++)
			a[i] = argument(&generator, i);
		/* Descriptors 0 to 2 are null as well: nothing of the supervisor's is open here. */
		syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
}

static void limit(int resource, rlim_t value)
{
	struct rlimit both = { value, value };

	setrlimit((__rlimit_resource_t)resource, &both);
}

static void open_some(void)
{
	int ends[2];

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	open(FOLDER "/a", O_RDWR | O_CREAT, 0666);
	open(FOLDER "/b", O_RDWR | O_CREAT | O_NONBLOCK, 0666);
	open(FOLDER, O_RDONLY | O_DIRECTORY);
	open("/dev/zero", O_RDWR);
	open("/proc/self/maps", O_RDONLY);
	open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (pipe2(ends, O_NONBLOCK) == 0 && pipe(ends) == 0)
		write(ends[1], "pipe", 4);
	memfd_create("fuzz", 0);
}

static void worker(uint64_t seed, bool root)
{
	static const int handled[] = { SIGALRM, SIGUSR1, SIGUSR2, SIGCHLD,
				       SIGPIPE, SIGHUP,	 SIGINT,  SIGTERM };
	struct itimerval alarms = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = on_signal };

	setsid();
	open_some();
	limit(RLIMIT_AS, 256UL << 20);
	limit(RLIMIT_FSIZE, 1 << 18);
	limit(RLIMIT_NPROC, 64);
	limit(RLIMIT_CORE, 0);
	if (chdir(FOLDER))
		_exit(1);
	if (!root && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(1);
	area = mmap(NULL, AREA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		_exit(1);
	munmap(area + 5 * PAGE, PAGE);
	mprotect(area + 7 * PAGE, PAGE, PROT_READ);
	mprotect(area + 9 * PAGE, PAGE, PROT_NONE);
	mmap(area + 11 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 3, 0);
	mmap(area + 13 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, 4, 0);
	for (size_t i = 0; i < sizeof(handled) / sizeof(*handled); i++)
		sigaction(handled[i], &action, NULL);
	setitimer(ITIMER_REAL, &alarms, NULL);
	for (int i = 1; i < THREADS; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, thread_body, (void *)(seed * THREADS + (uint64_t)i));
	}
	thread_body((void *)(seed * THREADS));
}

/* The kernel's text since the last look has no report of a fault. */
static bool log_is_clean(void)
{
	static char text[LOG_SIZE];
	int length = klogctl(3, text, sizeof(text) - 1);
	const char *fault;

	if (length < 0)
		return false;
	text[length] = '\0';
	fault = strstr(text, "Oops");
	if (!fault)
		fault = strstr(text, "BUG");
	if (fault)
		fprintf(stderr, "%s", fault);
	return !fault;
}

static int children(pid_t *found, int room)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while (folder && (entry = readdir(folder))) {
		char name[300], line[512];
		int parent = -1;
		FILE *file;

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(name, sizeof(name), "/proc/%s/stat", entry->d_name);
		file = fopen(name, "r");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && strrchr(line, ')'))
			sscanf(strrchr(line, ')') + 1, " %*c %d", &parent);
		fclose(file);
		if (parent == getpid() && count < room)
			found[count++] = atoi(entry->d_name);
	}
	if (folder)
		closedir(folder);
	return count;
}

static void show_file(const char *format, int pid, const char *task)
{
	char name[300], line[1024];
	FILE *file;

	snprintf(name, sizeof(name), format, pid, task);
	file = fopen(name, "r");
	while (file && fgets(line, sizeof(line), file))
		fprintf(stderr, "%s: %s%s", name, line, strchr(line, '\n') ? "" : "\n");
	if (file)
		fclose(file);
}

static void show_process(int pid)
{
	char name[64];
	struct dirent *entry;
	DIR *folder;

	fprintf(stderr, "process %d does not die\n", pid);
	snprintf(name, sizeof(name), "/proc/%d/task", pid);
	folder = opendir(name);
	while (folder && (entry = readdir(folder))) {
		show_file("/proc/%d/task/%s/stat", pid, entry->d_name);
		show_file("/proc/%d/task/%s/wchan", pid, entry->d_name);
		show_file("/proc/%d/task/%s/syscall", pid, entry->d_name);
	}
	if (folder)
		closedir(folder);
}

/* Orphans come here too: until no child is left, or it took too long. */
static bool kill_all(void)
{
	time_t end = time(NULL) + KILL_SECONDS;

	for (;;) {
		pid_t pids[256];
		int count = children(pids, 256);

		for (int i = 0; i < count; i++)
			kill(pids[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return true;
		if (time(NULL) > end) {
			for (int i = 0; i < count; i++)
				show_process(pids[i]);
			return false;
		}
		usleep(20000);
	}
}

static void folder_clear(void)
{
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/busybox", "busybox", "rm", "-rf", FOLDER, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static bool folder_make(void)
{
	folder_clear();
	return !mkdir(FOLDER, 0777) && !chmod(FOLDER, 0777) && !mkdir(FOLDER "/c", 0777) &&
	       !chmod(FOLDER "/c", 0777) && !symlink("a", FOLDER "/link");
}

static bool round_of(uint64_t seed)
{
	if (!folder_make()) {
		perror(FOLDER);
		return false;
	}
	for (uint64_t i = 0; i < WORKERS; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return false;
		}
		if (!pid) {
			worker(seed * WORKERS + i, i % 2);
			_exit(0);
		}
	}
	usleep(1000000 + seed % 7 * 200000);
	if (!kill_all())
		return false;
	folder_clear();
	return log_is_clean();
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : SECONDS;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, first = seed, end;
	long before, after;
	bool passed = true;

	null = open("/dev/null", O_RDWR);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	tap_ok(round_of(seed++), "a first round, with seed %llu", (unsigned long long)first);
	before = memory_free_kib();
	for (end = now() + (uint64_t)seconds; passed && now() < end; seed++) {
		passed = round_of(seed);
		if (!passed)
			fprintf(stderr, "round %llu failed\n", (unsigned long long)seed);
	}
	tap_ok(passed, "for %d seconds, up to seed %llu", seconds, (unsigned long long)seed - 1);
	after = memory_free_kib();
	tap_ok(before - after <= SLACK_KIB, "memory is what it was: %ld KiB free before, %ld after",
	       before, after);
	return tap_end();
}
