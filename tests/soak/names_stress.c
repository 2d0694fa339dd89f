/*
 * Many threads do random things to few names, so that whatever they do meets what the others do: make, remove, rename, exchange,
 * link, list, walk, mount and unmount, watch, lock, splice. No call may fail in a way that it never should, everything ends, and
 * memory is the same afterwards. Arguments: seconds, and the seed that it told.
 *
 * run: --smp 2
 * seconds: 300
 */
#define _GNU_SOURCE
#include "../memory.h"
#include "../tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, NAMES = 6, DEPTH = 3, SECONDS = 60, SLACK_KIB = 2048 };

static volatile int stop;
static atomic_long calls;
static atomic_int surprises;

static uint32_t below(uint32_t *state, uint32_t limit)
{
	*state = *state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)*state * limit >> 32);
}

/* One of the few paths. */
static const char *some_path(uint32_t *state, char path[64])
{
	int depth = 1 + (int)below(state, DEPTH), at = 0;

	for (int i = 0; i < depth; i++)
		at += snprintf(path + at, 64 - (size_t)at, "%s%c", i ? "/" : "",
			       'a' + (char)below(state, NAMES));
	return path;
}

/* Errors that such a call may give here. */
static void expect(const char *what, long result)
{
	static const int usual[] = { 0,	      ENOENT,  EEXIST, ENOTDIR, EISDIR, ENOTEMPTY,
				     EBUSY,   EINVAL,  ELOOP,  ENXIO,	EXDEV,	EAGAIN,
				     EPERM,   ENODATA, ESTALE, EACCES,	EROFS,	ETXTBSY,
				     EDEADLK, EMFILE,  ENOSPC, ENOMEM };

	atomic_fetch_add(&calls, 1);
	if (result >= 0)
		return;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (errno == usual[i])
			return;
	printf("# %s: %s\n", what, strerror(errno));
	atomic_fetch_add(&surprises, 1);
}

static void list(const char *path)
{
	DIR *dir = opendir(path);

	expect("opendir", dir ? 0 : -1);
	if (!dir)
		return;
	while (readdir(dir))
		;
	closedir(dir);
}

static void use_file(uint32_t *state, const char *path)
{
	static const int flags[] = { O_RDWR,   O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_TRUNC,
				     O_RDONLY, O_PATH,		 O_RDWR | O_CREAT | O_EXCL };
	int fd = open(path, flags[below(state, 6)] | O_NONBLOCK | O_CLOEXEC, 0644);
	struct flock lock = { .l_type = (short)below(state, 3), .l_len = 10 };
	char buffer[300];

	expect("open", fd);
	if (fd < 0)
		return;
	(void)!pwrite(fd, buffer, below(state, sizeof(buffer)), below(state, 10000));
	(void)!read(fd, buffer, sizeof(buffer));
	fcntl(fd, F_SETLK, &lock);
	fcntl(fd, F_OFD_SETLK, &lock);
	(void)!ftruncate(fd, below(state, 20000));
	fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096);
	fsetxattr(fd, "user.name", buffer, 10, 0);
	close(fd);
}

static void use_pipe(uint32_t *state, const char *path)
{
	int ends[2], other[2], fd;

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) || pipe2(other, O_NONBLOCK | O_CLOEXEC))
		return;
	(void)!write(ends[1], path, 3 + below(state, 20));
	fcntl(ends[0], F_SETPIPE_SZ, 4096 << below(state, 4));
	expect("tee", tee(ends[0], other[1], 5, 0));
	expect("splice", splice(ends[0], NULL, other[1], NULL, below(state, 30), 0));
	fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd >= 0) {
		expect("splice to file", splice(other[0], NULL, fd, NULL, 7, 0));
		expect("splice from file", splice(fd, NULL, ends[1], NULL, 9, 0));
		close(fd);
	}
	close(ends[0]);
	close(ends[1]);
	close(other[0]);
	close(other[1]);
}

static void use_watch(uint32_t *state, const char *path, int set)
{
	char buffer[4096];

	expect("inotify_add_watch", inotify_add_watch(set, path, below(state, 0xfff) | 1));
	inotify_rm_watch(set, 1 + (int)below(state, 40));
	(void)!read(set, buffer, sizeof(buffer));
}

static void mount_somewhere(uint32_t *state, const char *path, const char *other)
{
	switch (below(state, 4)) {
	case 0:
		expect("mount", mount("none", path, "tmpfs", 0, "size=1M"));
		break;
	case 1:
		expect("bind", mount(path, other, NULL, MS_BIND, NULL));
		break;
	default:
		expect("umount", umount2(path, below(state, 2) ? MNT_DETACH : 0));
	}
}

static void change_name(uint32_t *state, const char *path, const char *other)
{
	struct stat st;

	switch (below(state, 9)) {
	case 0:
		expect("mkdir", mkdir(path, 0755));
		break;
	case 1:
		expect("rmdir", rmdir(path));
		break;
	case 2:
		expect("unlink", unlink(path));
		break;
	case 3:
		expect("rename", rename(path, other));
		break;
	case 4:
		expect("exchange", syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, 2));
		break;
	case 5:
		expect("link", link(path, other));
		break;
	case 6:
		expect("symlink", symlink(other, path));
		break;
	case 7:
		expect("mkfifo", mkfifo(path, 0600));
		break;
	default:
		expect("stat", stat(path, &st));
	}
}

static void *work(void *seed)
{
	uint32_t state = (uint32_t)(uintptr_t)seed;
	char path[64], other[64], name[PATH_MAX];
	int set = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	unshare(CLONE_FS); /* a working directory of its own */
	while (!stop) {
		some_path(&state, path);
		some_path(&state, other);
		switch (below(&state, 40)) {
		case 0:
			mount_somewhere(&state, path, other);
			break;
		case 1:
		case 2:
			if (!chdir(path)) {
				(void)!getcwd(name, sizeof(name));
				change_name(&state, path, "../a");
			}
			(void)!chdir("/tmp/stress");
			break;
		case 3:
		case 4:
			list(path);
			break;
		case 5:
		case 6:
			use_watch(&state, path, set);
			break;
		case 7:
		case 8:
			use_pipe(&state, path);
			break;
		case 9:
		case 10:
		case 11:
		case 12:
			use_file(&state, path);
			break;
		default:
			change_name(&state, path, other);
		}
	}
	close(set);
	return NULL;
}

static void clean_up(void)
{
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 20000 && !umount2("/tmp/stress", MNT_DETACH); i++)
			;
		execlp("rm", "rm", "-rf", "/tmp/stress", NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static void run(unsigned int seconds, uint32_t seed)
{
	pthread_t threads[THREADS];

	mkdir("/tmp/stress", 0755);
	mount("none", "/tmp/stress", "tmpfs", 0, NULL);
	(void)!chdir("/tmp/stress");
	stop = 0;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(seed + (uint32_t)i * 7919));
	sleep(seconds);
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	(void)!chdir("/");
	clean_up();
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)atoi(argv[1]) : SECONDS;
	uint32_t seed = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : (uint32_t)time(NULL);
	long before, after;

	printf("# seed %u\n", seed);
	signal(SIGPIPE, SIG_IGN);
	run(2, seed); /* what is made once */
	before = memory_free_kib();
	run(seconds, seed);
	after = memory_free_kib();
	tap_ok(1, "all ended, after %ld calls", calls);
	tap_ok(surprises == 0, "no call failed in a way that it should not");
	tap_ok(before - after < memory_slack_kib(SLACK_KIB),
	       "memory is the same: %ld KiB before, %ld after", before, after);
	return tap_end();
}
