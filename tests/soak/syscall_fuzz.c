/*
 * Random system calls with hostile arguments: from processes of several threads, half of them root, for two minutes
 * (argument 1: other seconds). Argument 2 is the seed, else the time's; it is printed, and a thread makes the same calls
 * whenever it is given again. Whatever the calls do to the processes that make them, the kernel must report no fault, every
 * process must be killable, and memory must be what it was.
 *
 * A round is a set of workers that live for a second or two. A worker's threads make calls until the supervisor kills it; so
 * what it asks for must not reach the supervisor, the machine or the clock: avoid() leaves that out, and who is root has a
 * namespace of its own. syscall_list.h has the calls and the types of their parameters, syscall_values.h and
 * syscall_memory.h make values of them; one in sixteen is something else. In some rounds of the debug build allocations
 * and user copies fail as well (docs/fault-injection.md).
 * run: --smp 4
 * seconds: 400
 */
#define _GNU_SOURCE
#include "../memory.h"
#include "../tap.h"

#include "syscall_list.h"
#include "syscall_memory.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
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
	THREADS = 4,
	CHILD_CALLS = 100,
	FAILING_ROUND = 3, /* one of so many rounds has failures injected */
	CALLS = 452,	   /* one more than Linux 6.1 has, and the gap before 424 included */
	SLACK_KIB = 3072,
	KILL_SECONDS = 20,
	KILL_TURNS = 10,     /* and as many looks: on a busy host one may take long */
	SILENT_SECONDS = 60, /* of the supervisor, until somebody looks what keeps it */
	LOG_SIZE = 1 << 18,
	NOBODY = 65534,
};

/* For each call, how often it was made and how often it worked. */
struct tally {
	unsigned int made, worked;
};

static int null; /* /dev/null, whatever root's workers do to its name */
static bool failing;
static struct tally *tally; /* shared by all */
static uint64_t *beat;	    /* when the supervisor last did something */
static pid_t watchdog;
static _Thread_local sigjmp_buf again;
static _Thread_local bool can_jump;

static bool one_of(long number, const short *list)
{
	for (; *list >= 0; list++)
		if (*list == number)
			return true;
	return false;
}

/* Calls that would reach others, given or not given the privileges of root; and those that end the worker too soon. */
static const short never[] = {
	SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, -1,
};

static const short not_as_root[] = {
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
	SYS_delete_module,
	SYS_syslog,
	SYS_sched_setscheduler,
	SYS_sched_setattr,
	SYS_sched_setparam,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_pidfd_send_signal,
	SYS_setrlimit,
	SYS_prlimit64,
	SYS_swapon,
	SYS_swapoff,
	SYS_setpriority,
	-1,
};

static const short seldom[] = {
	SYS_exit,
	SYS_exit_group,
	SYS_execve,
	SYS_execveat,
	SYS_rt_sigreturn,
	SYS_brk,
	SYS_arch_prctl,
	SYS_setrlimit,
	SYS_prlimit64,
	SYS_pause,
	SYS_rt_sigsuspend,
	SYS_close_range,
	SYS_chdir,
	SYS_fchdir,
	SYS_chroot,
	SYS_pivot_root,
	SYS_umount2,
	SYS_capset,
	SYS_setuid,
	SYS_setreuid,
	SYS_setresuid,
	SYS_mlockall,
	SYS_seccomp,
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

static unsigned long argument(struct generator *generator, enum type type)
{
	if (below(generator, 16) == 0 || type == NOTHING)
		return anything(generator);
	if (type < FIRST_STRUCTURE)
		return plain_value(generator, type);
	return type < FIRST_SET ? structure(generator, type) : of_set(generator, &sets[type]);
}

static void make_call(struct generator *generator, bool root)
{
	static const struct call untyped = { 0, { NOTHING } };
	const struct call *call = &untyped;
	long number = (long)below(generator, CALLS), result;
	unsigned long a[6];

	if (below(generator, 8)) {
		call = &calls[below(generator, COUNT(calls))];
		number = call->number;
	}
	if (avoid(generator, number, root))
		return;
	for (int i = 0; i < 6; i++)
		a[i] = argument(generator, call->types[i]);
	result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	__atomic_fetch_add(&tally[number].made, 1, __ATOMIC_RELAXED);
	if (result != -1)
		__atomic_fetch_add(&tally[number].worked, 1, __ATOMIC_RELAXED);
}

/* From now on this thread's Nth allocation or user copy fails, once. */
static void let_fail(struct generator *generator)
{
	int fd = open("/proc/thread-self/fail-nth", O_WRONLY), length;
	char line[32];

	if (fd < 0)
		return;
	length = snprintf(line, sizeof(line), "%d %s", 1 + (int)below(generator, 12),
			  below(generator, 3) ? "alloc" : "all");
	write(fd, line, (size_t)length);
	close(fd);
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

/* A copy of the process, that makes some calls, too. */
static void make_copy(struct generator *generator, bool root)
{
	if (syscall(SYS_fork) != 0)
		return;
	for (int i = 0; i < CHILD_CALLS; i++)
		make_call(generator, root);
	_exit(0);
}

static void *thread_body(void *seed)
{
	struct generator generator = { (uint64_t)seed * 0x9e3779b97f4a7c15ULL + 1 };
	bool root = getuid() == 0;

	/* What a structure is written to may have gone meanwhile. */
	sigsetjmp(again, 1);
	can_jump = true;
	for (;;) {
		if (below(&generator, 400) == 0)
			make_child(&generator);
		if (below(&generator, 800) == 0)
			make_copy(&generator, root);
		if (failing && below(&generator, 16) == 0)
			let_fail(&generator);
		/* Descriptors 0 to 2 are null as well: nothing of the supervisor's is open here. */
		make_call(&generator, root);
	}
	return NULL;
}

static void on_signal(int number)
{
	if (number != SIGSEGV && number != SIGBUS)
		return;
	if (!can_jump)
		_exit(1);
	siglongjmp(again, 1);
}

static void limit(int resource, rlim_t value)
{
	struct rlimit both = { value, value };

	setrlimit((__rlimit_resource_t)resource, &both);
}

static void open_sockets(void)
{
	struct sockaddr_un at = { AF_UNIX, FOLDER "/socket" };
	int ends[2], listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	unlink(at.sun_path);
	bind(listening, (struct sockaddr *)&at, sizeof(at));
	listen(listening, 4);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
	connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&at, sizeof(at));
}

static void open_events(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int set = epoll_create1(0);
	sigset_t signals;

	for (int fd = 3; fd < set; fd++)
		epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, set, &event);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	signalfd(-1, &signals, SFD_NONBLOCK);
	eventfd(1, EFD_NONBLOCK);
	timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	inotify_add_watch(inotify_init1(IN_NONBLOCK), FOLDER, IN_ALL_EVENTS);
	syscall(SYS_pidfd_open, getpid(), 0);
}

static void open_some(void)
{
	int ends[2], unlocked = 0, terminal;

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < DESCRIPTORS; fd++)
		close(fd);
	open(FOLDER "/a", O_RDWR | O_CREAT, 0666);
	open(FOLDER "/b", O_RDWR | O_CREAT | O_NONBLOCK, 0666);
	open(FOLDER, O_RDONLY | O_DIRECTORY);
	open("/dev/zero", O_RDWR);
	open("/proc/self/maps", O_RDONLY);
	terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	ioctl(terminal, TIOCSPTLCK, &unlocked);
	ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NONBLOCK);
	if (pipe2(ends, O_NONBLOCK) == 0 && pipe(ends) == 0)
		write(ends[1], "pipe", 4);
	memfd_create("fuzz", MFD_ALLOW_SEALING);
	open_sockets();
	open_events();
}

static bool area_make(void)
{
	/* What is asked for from its last page on goes beyond it, too, where nothing else must lie. */
	area = mmap(NULL, (AREA_PAGES + LENGTH_PAGES) * PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || mprotect(area, AREA_PAGES * PAGE, PROT_READ | PROT_WRITE))
		return false;
	munmap(area + MISSING_PAGE * PAGE, PAGE);
	mprotect(area + 7 * PAGE, PAGE, PROT_READ);
	mprotect(area + 9 * PAGE, PAGE, PROT_NONE);
	mmap(area + 11 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 3, 0);
	mmap(area + 13 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, 4, 0);
	return true;
}

static void limits_set(void)
{
	limit(RLIMIT_AS, 256UL << 20);
	limit(RLIMIT_FSIZE, 1 << 18);
	limit(RLIMIT_NPROC, 64);
	limit(RLIMIT_NOFILE, DESCRIPTORS);
	limit(RLIMIT_CORE, 0);
}

static void worker(uint64_t seed, bool root)
{
	struct itimerval alarms = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	setsid();
	open_some();
	limits_set();
	if (root && (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		_exit(1);
	if (chdir(FOLDER))
		_exit(1);
	if (!root && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(1);
	if (!area_make())
		_exit(1);
	for (int number = 1; number < SIGRTMAX; number++)
		sigaction(number, &action, NULL);
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
		if (parent == getpid() && atoi(entry->d_name) != watchdog && count < room)
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

/* What each thread of a process does, by files that wait for no lock of its. */
static void show_threads(int pid)
{
	char name[64];
	struct dirent *entry;
	DIR *folder;

	snprintf(name, sizeof(name), "/proc/%d/task", pid);
	folder = opendir(name);
	while (folder && (entry = readdir(folder))) {
		if (*entry->d_name == '.')
			continue;
		show_file("/proc/%d/task/%s/comm", pid, entry->d_name);
		show_file("/proc/%d/task/%s/wchan", pid, entry->d_name);
		show_file("/proc/%d/task/%s/syscall", pid, entry->d_name);
	}
	if (folder)
		closedir(folder);
}

static void show_everybody(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	fprintf(stderr, "nothing was done for %d seconds; meanwhile:\n", SILENT_SECONDS);
	while (folder && (entry = readdir(folder)))
		if (isdigit((unsigned char)*entry->d_name))
			show_threads(atoi(entry->d_name));
	if (folder)
		closedir(folder);
}

static void show_process(int pid)
{
	fprintf(stderr, "process %d does not die\n", pid);
	show_file("/proc/%d/%s", pid, "stat");
	show_threads(pid);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec;
}

/* Orphans come here too: until no child is left, or it took too long. */
static bool kill_all(void)
{
	uint64_t end = now() + KILL_SECONDS;

	for (int turns = 0;; turns++) {
		pid_t pids[256];
		int count;

		*beat = now();
		count = children(pids, 256);

		for (int i = 0; i < count; i++)
			kill(pids[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (!count && !children(pids, 256))
			return true;
		if (now() > end && turns >= KILL_TURNS) {
			fprintf(stderr, "after %d turns and %d seconds:\n", turns, KILL_SECONDS);
			for (int i = 0; i < count; i++)
				show_process(pids[i]);
			return false;
		}
		usleep(20000);
	}
}

/* A process that says what everybody does when the supervisor is kept by something. */
static void watchdog_start(void)
{
	*beat = now();
	watchdog = fork();
	if (watchdog)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;; sleep(1)) {
		if (now() - *beat < SILENT_SECONDS)
			continue;
		show_everybody();
		*beat = now();
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

static bool program_make(void)
{
	static const char text[] = "#!/bin/true\n";
	int fd = open(FOLDER "/program", O_WRONLY | O_CREAT, 0755);
	bool written = write(fd, text, sizeof(text) - 1) > 0;

	close(fd);
	return written;
}

static bool folder_make(void)
{
	folder_clear();
	return !mkdir(FOLDER, 0777) && !chmod(FOLDER, 0777) && !mkdir(FOLDER "/c", 0777) &&
	       !chmod(FOLDER "/c", 0777) && !symlink("a", FOLDER "/link") &&
	       !mkdir(FOLDER "/mount", 0777) && !mkfifo(FOLDER "/fifo", 0666) && program_make();
}

static bool round_of(uint64_t seed)
{
	if (!folder_make()) {
		perror(FOLDER);
		return false;
	}
	failing = seed % FAILING_ROUND == 0;
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
	*beat = now();
	usleep(1000000 + seed % 7 * 200000);
	if (!kill_all())
		return false;
	folder_clear();
	return log_is_clean();
}

/* How many kinds of calls were made, how many worked at least once; which never did. */
static void show_tally(void)
{
	unsigned long made = 0;
	int kinds = 0, worked = 0;

	printf("# never worked:");
	for (int i = 0; i < CALLS; i++) {
		made += tally[i].made;
		kinds += tally[i].made != 0;
		worked += tally[i].worked != 0;
		if (tally[i].made && !tally[i].worked)
			printf(" %d", i);
	}
	printf("\n# %lu calls of %d kinds, of which %d worked at least once\n", made, kinds, worked);
}

/* A worker that executed this program is no supervisor. */
static bool is_worker(void)
{
	struct rlimit descriptors;

	return getrlimit(RLIMIT_NOFILE, &descriptors) || descriptors.rlim_max <= DESCRIPTORS;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : SECONDS;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) % 1000000,
		 first = seed, end;
	long before, after;
	bool passed = true;

	if (is_worker())
		return 0;
	null = open("/dev/null", O_RDWR);
	tally = mmap(NULL, CALLS * sizeof(*tally) + sizeof(*beat), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		return 1;
	beat = (uint64_t *)(tally + CALLS);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	watchdog_start();
	tap_ok(round_of(seed++), "a first round, with seed %llu", (unsigned long long)first);
	before = memory_free_kib();
	for (end = now() + (uint64_t)seconds; passed && now() < end; seed++) {
		passed = round_of(seed);
		if (!passed)
			printf("# again: syscall_fuzz 5 %llu\n", (unsigned long long)seed);
	}
	tap_ok(passed, "for %d seconds, up to seed %llu", seconds, (unsigned long long)seed - 1);
	after = memory_free_kib();
	tap_ok(before - after <= memory_slack_kib(SLACK_KIB),
	       "memory is what it was: %ld KiB free before, %ld after", before, after);
	show_tally();
	return tap_end();
}
