/*
 * What programs may not get the kernel to do with files and mounts: several at once, in the middle of each other, with odd
 * arguments. Each once made it fault, hang or forget.
 *
 * run: --smp 4
 */
#include "files.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

#define ROUNDS 60

/* Ends within some seconds? Its status; -1: no, and it is killed. */
static int ends_soon(pid_t pid)
{
	int status;

	for (int i = 0; i < 500; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	return -1;
}

/* How many lines of the file begin so; -1: it cannot be read. */
static int lines_of(const char *name, const char *beginning)
{
	FILE *file = fopen(name, "r");
	char line[4096];
	int count = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		count += !strncmp(line, beginning, strlen(beginning));
	fclose(file);
	return count;
}

/* ---- Where one is, while what one is in goes away ---- */

static atomic_int looking;

static void *look_around(void *unused)
{
	char name[PATH_MAX];
	struct stat st;

	while (looking) {
		(void)!getcwd(name, sizeof(name));
		stat("../../..", &st);
		open("../nothing", O_RDONLY);
	}
	return unused;
}

static void test_unmounted_below_us(void)
{
	pthread_t threads[3];
	int failures = 0;

	WORKS(mkdir("m", 0755));
	looking = 1;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, look_around, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		failures += mount("none", "m", "tmpfs", 0, NULL) != 0;
		failures += mkdir("m/d", 0755) != 0 || chdir("m/d") != 0;
		failures += umount2("../../m", MNT_DETACH) != 0;
		failures += chdir(top) != 0;
	}
	looking = 0;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	GIVES(0, failures);
	WORKS(rmdir("m"));
}

/* ---- A mount on a directory that was moved out of the bound one ---- */

static int unshare_from_moved(void)
{
	char text[PATH_MAX];

	if (chdir("bound/d/on") || rename("../../../tree/in/d", "../../../tree/d"))
		return 1;
	if (unshare(CLONE_NEWNS))
		return 2;
	return getcwd(text, sizeof(text)) ? 0 : 3;
}

static void test_moved_mount(void)
{
	pid_t pid;

	WORKS(mkdir("tree", 0755));
	WORKS(mkdir("tree/in", 0755));
	WORKS(mkdir("tree/in/d", 0755));
	WORKS(mkdir("tree/in/d/on", 0755));
	WORKS(mkdir("bound", 0755));
	WORKS(mount("tree/in", "bound", NULL, MS_BIND, NULL));
	WORKS(mount("none", "bound/d/on", "tmpfs", 0, NULL));
	for (int i = 0; i < 2; i++) {
		pid = fork();
		if (!pid)
			_exit(unshare_from_moved());
		GIVES(0, ends_soon(pid));
		WORKS(rename("tree/d", "tree/in/d"));
	}
	WORKS(umount("bound/d/on"));
	WORKS(umount("bound"));
	WORKS(rmdir("bound"));
	WORKS(rmdir("tree/in/d/on"));
	WORKS(rmdir("tree/in/d"));
	WORKS(rmdir("tree/in"));
	WORKS(rmdir("tree"));
}

/* ---- Whoever waits for another's read can be killed ---- */

static void test_shared_position(void)
{
	int fd = open("/dev/kmsg", O_RDONLY);
	pid_t reader, waiter;
	char line[4096];

	lseek(fd, 0, SEEK_END);
	reader = fork();
	if (!reader)
		_exit(read(fd, line, sizeof(line)) < 0);
	usleep(100000);
	waiter = fork();
	if (!waiter)
		_exit(read(fd, line, sizeof(line)) < 0);
	usleep(100000);
	kill(waiter, SIGKILL);
	GIVES(SIGKILL, ends_soon(waiter));
	kill(reader, SIGKILL);
	GIVES(SIGKILL, ends_soon(reader));
	close(fd);
}

/* ---- Much room where there is little ---- */

static void test_huge_allocation(void)
{
	pid_t pid;

	WORKS(mkdir("m", 0755));
	WORKS(mount("none", "m", "tmpfs", 0, "size=1000000G"));
	pid = fork();
	if (!pid) {
		int fd = open("m/huge", O_CREAT | O_RDWR, 0600);

		_exit(fd < 0 || !fallocate(fd, 0, 0, 1L << 59) || errno != ENOSPC);
	}
	GIVES(0, ends_soon(pid));
	WORKS(umount2("m", MNT_DETACH));
	WORKS(rmdir("m"));
}

/* ---- Many watches, shown and removed while their tree goes ---- */

static void test_many_watches(void)
{
	int set = inotify_init1(0), count = 0;
	char name[64];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "watched%d", i);
		make_file(name, "");
		count += inotify_add_watch(set, name, IN_MODIFY) > 0;
	}
	GIVES(100, count);
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", set);
	GIVES(100, lines_of(name, "inotify wd:"));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "watched%d", i);
		unlink(name);
	}
	close(set);
}

static atomic_int watched_set;

static void *drop_watches(void *unused)
{
	while (looking) {
		int set = watched_set;

		for (int i = 1; set && i <= 20; i++)
			inotify_rm_watch(set, i);
	}
	return unused;
}

static void test_watches_and_unmount(void)
{
	pthread_t thread;
	int failures = 0;
	char name[64];

	WORKS(mkdir("m", 0755));
	looking = 1;
	pthread_create(&thread, NULL, drop_watches, NULL);
	for (int i = 0; i < ROUNDS / 2; i++) {
		int set = inotify_init1(0);

		failures += mount("none", "m", "tmpfs", 0, NULL) != 0;
		for (int k = 0; k < 20; k++) {
			snprintf(name, sizeof(name), "m/%d", k);
			failures += make_file(name, "") != 0;
			failures += inotify_add_watch(set, name, IN_MODIFY) < 0;
		}
		watched_set = set;
		failures += umount("m") != 0;
		watched_set = 0;
		close(set);
	}
	looking = 0;
	pthread_join(thread, NULL);
	GIVES(0, failures);
	WORKS(rmdir("m"));
}

/* ---- Mounts of another process ---- */

static void test_mounts_of_others(void)
{
	int ends[2], back[2];
	char name[64], byte;
	pid_t pid;

	WORKS(mkdir("m", 0755));
	WORKS(pipe(ends));
	WORKS(pipe(back));
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("only-there", "m", "tmpfs", 0, NULL) || write(ends[1], "x", 1) != 1)
			_exit(1);
		_exit(read(back[0], &byte, 1) != 1);
	}
	GIVES(1, read(ends[0], &byte, 1));
	snprintf(name, sizeof(name), "/proc/%d/mounts", pid);
	GIVES(1, lines_of(name, "only-there "));
	GIVES(0, lines_of("/proc/self/mounts", "only-there "));
	GIVES(1, write(back[1], "x", 1));
	GIVES(0, ends_soon(pid));
	WORKS(rmdir("m"));
}

int main(void)
{
	begin();
	test_unmounted_below_us();
	test_moved_mount();
	test_shared_position();
	test_huge_allocation();
	test_many_watches();
	test_watches_and_unmount();
	test_mounts_of_others();
	return end();
}
