/* /proc/PID: who may look into a process, its memory as a file, and the files that set something of it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

/* A file of /proc/PID; PID 0: self. */
static int open_of(pid_t pid, const char *name, int flags)
{
	char path[128];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/%s", name);
	return open(path, flags | O_CLOEXEC);
}

static char *read_of(pid_t pid, const char *name)
{
	static char text[65536];
	int fd = open_of(pid, name, O_RDONLY);
	ssize_t size = 0, part;

	if (fd < 0)
		return strcpy(text, "");
	while ((part = read(fd, text + size, sizeof(text) - 1 - (size_t)size)) > 0)
		size += part;
	text[size] = '\0';
	close(fd);
	return text;
}

static int write_of(pid_t pid, const char *name, const char *words)
{
	int fd = open_of(pid, name, O_WRONLY), error;
	ssize_t result;

	if (fd < 0)
		return -1;
	result = write(fd, words, strlen(words));
	error = errno;
	close(fd);
	errno = error;
	return result < 0 ? -1 : 0;
}

/* ---- Permission ---- */

static const char *const private_files[] = { "auxv",  "environ",      "exe",	"fd",
					     "io",    "maps",	      "mem",	"personality",
					     "smaps", "smaps_rollup", "syscall" };
static const char *const public_files[] = { "cgroup",	 "cmdline", "comm", "limits", "loginuid",
					    "oom_score", "sched",   "stat", "statm",  "status" };

static int denied(pid_t pid, const char *name)
{
	int fd = open_of(pid, name, O_RDONLY);
	char byte;

	if (fd < 0)
		return errno == EACCES;
	/* Linux looks for some when they are read. */
	errno = 0;
	if (read(fd, &byte, 1) < 0 && (errno == EACCES || errno == EPERM)) {
		close(fd);
		return 1;
	}
	close(fd);
	return 0;
}

static void permission(void)
{
	pid_t parent = getpid(), child;
	int status;

	child = fork();
	if (!child) {
		int bad = setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
			  setresuid(1000, 1000, 1000);

		for (size_t i = 0; i < sizeof(private_files) / sizeof(*private_files); i++)
			if (!denied(parent, private_files[i])) {
				printf("# %s can be read\n", private_files[i]);
				bad = 1;
			}
		_exit(bad);
	}
	waitpid(child, &status, 0);
	tap_ok(status == 0, "another user's private files cannot be read");

	child = fork();
	if (!child) {
		int bad = setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
			  setresuid(1000, 1000, 1000);

		for (size_t i = 0; i < sizeof(public_files) / sizeof(*public_files); i++)
			if (!*read_of(parent, public_files[i])) {
				printf("# %s cannot be read\n", public_files[i]);
				bad = 1;
			}
		_exit(bad);
	}
	waitpid(child, &status, 0);
	tap_ok(status == 0, "the others can");
}

/* ---- mem ---- */

static void memory(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open_of(0, "mem", O_RDWR);
	char buffer[8192];
	pid_t child;

	strcpy(page + 4090, "across two pages");
	tap_ok(pread(fd, buffer, 17, (off_t)(uintptr_t)page + 4090) == 17 &&
		       !strcmp(buffer, "across two pages"),
	       "memory can be read");
	tap_ok(pwrite(fd, "A", 1, (off_t)(uintptr_t)page + 4090) == 1 && page[4090] == 'A',
	       "and written");
	mprotect(page, 8192, PROT_READ);
	tap_ok(pwrite(fd, "B", 1, (off_t)(uintptr_t)page + 4090) == 1 && page[4090] == 'B',
	       "also where the program may not write");
	munmap(page + 4096, 4096);
	tap_ok(pread(fd, buffer, 100, (off_t)(uintptr_t)page + 4090) == 6, "up to what is not mapped");
	tap_ok(FAILS(pread(fd, buffer, 1, (off_t)(uintptr_t)page + 4096), EIO), "which gives EIO");
	tap_ok(FAILS(pread(fd, buffer, 1, 0), EIO), "at address 0, too");
	tap_ok(FAILS((int)syscall(SYS_pread64, fd, 8, 1, (off_t)(uintptr_t)page), EFAULT),
	       "a bad buffer gives EFAULT");
	tap_ok(lseek(fd, (off_t)(uintptr_t)page, SEEK_SET) == (off_t)(uintptr_t)page &&
		       lseek(fd, 10, SEEK_CUR) == (off_t)(uintptr_t)page + 10 &&
		       FAILS(lseek(fd, 0, SEEK_END), EINVAL),
	       "it has positions, and no end");
	close(fd);

	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	fd = open_of(child, "mem", O_RDONLY);
	tap_ok(pread(fd, buffer, 1, (off_t)(uintptr_t)page) == 1 && buffer[0] == page[0],
	       "a child's memory can be read");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	tap_ok(pread(fd, buffer, 1, (off_t)(uintptr_t)page) == 0,
	       "and is empty when the child has gone");
	close(fd);
	munmap(page, 4096);
}

/* ---- What can be set ---- */

static void *name_of_thread(void *argument)
{
	char path[64];

	snprintf(path, sizeof(path), "task/%d/comm", *(int *)argument);
	return (void *)(intptr_t)write_of(0, path, "renamed");
}

static void settings(void)
{
	int tid = (int)syscall(SYS_gettid), status;
	char name[16];
	pthread_t thread;
	void *result;
	pid_t child;

	pthread_create(&thread, NULL, name_of_thread, &tid);
	pthread_join(thread, &result);
	prctl(PR_GET_NAME, name);
	tap_ok(!result && !strcmp(name, "renamed"), "a thread names another of its process");
	tap_ok(write_of(0, "comm", "a name that is too long for it") == 0 &&
		       !strcmp(read_of(0, "comm"), "a name that is \n"),
	       "a long name is cut off");
	child = fork();
	if (!child)
		_exit(!FAILS(write_of(getppid(), "comm", "x"), EINVAL));
	waitpid(child, &status, 0);
	tap_ok(status == 0, "another process may not");

	tap_ok(write_of(0, "oom_score_adj", "300") == 0 &&
		       FAILS(write_of(0, "oom_score_adj", "1001"), EINVAL),
	       "oom_score_adj goes to 1000");
	child = fork();
	if (!child)
		_exit(strcmp(read_of(0, "oom_score_adj"), "300\n") != 0);
	waitpid(child, &status, 0);
	tap_ok(status == 0, "a child inherits it");
	write_of(0, "oom_score_adj", "0");

	tap_ok(write_of(0, "timerslack_ns", "70000") == 0 && prctl(PR_GET_TIMERSLACK) == 70000 &&
		       !strcmp(read_of(0, "timerslack_ns"), "70000\n"),
	       "timerslack_ns is the slack of timers");
	tap_ok(write_of(0, "clear_refs", "5") == 0 && FAILS(write_of(0, "clear_refs", "9"), EINVAL),
	       "clear_refs knows its numbers");
}

/* ---- What it has done ---- */

static unsigned long long io_value(const char *name)
{
	const char *line = strstr(read_of(0, "io"), name);

	return line ? strtoull(line + strlen(name) + 2, NULL, 10) : 0;
}

static void doings(void)
{
	int null = open("/dev/zero", O_RDWR), ends[2];
	char block[1000], path[64];
	unsigned long long before, calls;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;
	pid_t child;

	before = io_value("rchar");
	calls = io_value("syscr");
	read(null, block, sizeof(block));
	tap_ok(io_value("rchar") - before >= 1000 && io_value("syscr") > calls,
	       "io counts what is read");
	before = io_value("wchar");
	write(null, block, sizeof(block));
	tap_ok(io_value("wchar") - before == 1000, "and written");

	pipe(ends);
	child = fork();
	if (!child) {
		close(ends[1]);
		_exit((int)read(ends[0], block, 1));
	}
	snprintf(path, sizeof(path), "task/%d/children", (int)getpid());
	tap_ok(atoi(read_of(0, path)) == child, "children names the child");
	for (int i = 0;
	     i < 200 && !strstr(read_of(child, "wchan"), "pipe") && *read_of(child, "wchan") == '0';
	     i++)
		usleep(10000);
	usleep(50000);
	tap_ok(!strncmp(read_of(child, "syscall"), "0 0x", 4), "syscall shows that it reads");
	tap_ok(!strcmp(read_of(0, "syscall"), "running\n") || atoi(read_of(0, "syscall")) == SYS_read,
	       "its reader runs");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	close(null);

	timer_create(CLOCK_MONOTONIC, &event, &timer);
	tap_ok(strstr(read_of(0, "timers"), "notify: signal/pid.") &&
		       strstr(read_of(0, "timers"), "ClockID: 1\n"),
	       "timers shows a timer");
	timer_delete(timer);
	tap_ok(!*read_of(0, "timers"), "which goes");
	tap_ok(!strncmp(strchr(read_of(0, "smaps_rollup"), '\n') + 1, "Rss: ", 5),
	       "smaps_rollup sums up");
	tap_ok(strstr(read_of(0, "mountstats"), " mounted on /proc with fstype proc\n") != NULL,
	       "mountstats names /proc");
}

/* A folder of /proc stands for its process, as a pidfd does. */
static void folder_as_pidfd(void)
{
	pid_t child = fork();
	int fd, status, file;

	if (!child) {
		pause();
		_exit(0);
	}
	fd = open_of(child, "", O_RDONLY | O_DIRECTORY);
	file = open_of(child, "task", O_RDONLY | O_DIRECTORY);
	tap_ok(FAILS((int)syscall(SYS_pidfd_send_signal, file, SIGTERM, NULL, 0), EBADF),
	       "a folder below it is none");
	tap_ok(!syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0),
	       "a process's folder takes a signal");
	waitpid(child, &status, 0);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "which arrives");
	tap_ok(FAILS((int)syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH),
	       "but not after the end");
	close(fd);
	close(file);
}

/* /proc/locks, which stands beside the processes. */
static void locks(void)
{
	struct flock range = { .l_type = F_RDLCK, .l_start = 10, .l_len = 5 };
	int fd = open("/tmp/locked", O_RDWR | O_CREAT, 0600);
	char line[128];
	struct stat info;

	if (fd < 0 || fstat(fd, &info) || flock(fd, LOCK_EX) || fcntl(fd, F_SETLK, &range))
		abort();
	snprintf(line, sizeof(line), ": FLOCK  ADVISORY  WRITE %d %02x:%02x:%lu 0 EOF\n",
		 (int)getpid(), major(info.st_dev), minor(info.st_dev), info.st_ino);
	tap_ok(strstr(read_of(0, "../locks"), line) != NULL, "a lock on a whole file is in /proc/locks");
	snprintf(line, sizeof(line), ": POSIX  ADVISORY  READ %d %02x:%02x:%lu 10 14\n",
		 (int)getpid(), major(info.st_dev), minor(info.st_dev), info.st_ino);
	tap_ok(strstr(read_of(0, "../locks"), line) != NULL, "one on a range, too");
	close(fd);
	tap_ok(!strstr(read_of(0, "../locks"), line), "and it goes with the descriptor");
	unlink("/tmp/locked");
}

/* Nobody gives files in /proc names. */
static void names(void)
{
	int fd = open("/tmp/proc_files", O_CREAT | O_WRONLY, 0600);

	close(fd);
	tap_ok(link("/proc/version", "/proc/none") == -1 && errno == ENOENT, "a link within /proc");
	tap_ok(link("/tmp/proc_files", "/proc/none") == -1 && errno == ENOENT, "a link into /proc");
	tap_ok(link("/tmp/proc_files", "/proc/version") == -1 && errno == EEXIST,
	       "a link to what is there");
	tap_ok(rename("/proc/version", "/proc/none") == -1 && errno == ENOENT, "a rename within /proc");
	tap_ok(rename("/tmp/proc_files", "/proc/none") == -1 && errno == EXDEV, "a rename into /proc");
	unlink("/tmp/proc_files");
}

int main(void)
{
	locks();
	permission();
	memory();
	settings();
	doings();
	folder_as_pidfd();
	names();
	return tap_end();
}
