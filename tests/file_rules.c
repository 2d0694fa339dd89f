/*
 * What POSIX and Linux say of every call on names: its errors, who may do it, what it does to times, owners and modes.
 *
 *	file_rules [DIRECTORY]
 *
 * The rules are lines of words (tests/file_rules.h), here is what carries them out:
 *
 *	WHO CALL ARGUMENT... [: ERROR]
 *
 * WHO is root or a number, user and group at once; without ERROR the call has to succeed. {255} in a name stands for so
 * many bytes, {path 4095 x} for a way to x of that length, {null} for a bad address, {} for the empty name. What the
 * directory's format does not have (owners, links, special files) is found out first, and the sections that need it left out.
 */
#include "files.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

enum feature {
	OWNERS = 1,  /* chown and chmod are kept */
	LINKS = 2,   /* hard and symbolic ones */
	SPECIAL = 4, /* fifos, devices */
	TIMES = 8,   /* finer than seconds, all three */
	XATTRS = 16, /* user.* */
};

#include "file_rules.h"

#define WORDS_MAX 8
#define WORD_SIZE 8192
#define TICK_NS 20000000 /* longer than the coarse clock's tick */

static char words[WORDS_MAX][WORD_SIZE];
static int word_count;
static const char *section_name, *current;
static int wrong; /* lines of this section */
static struct timespec mark;
static pid_t sleeper;

static const struct {
	const char *name;
	int value;
} numbers[] = {
	{ "O_RDONLY", O_RDONLY },
	{ "O_WRONLY", O_WRONLY },
	{ "O_RDWR", O_RDWR },
	{ "O_CREAT", O_CREAT },
	{ "O_EXCL", O_EXCL },
	{ "O_TRUNC", O_TRUNC },
	{ "O_APPEND", O_APPEND },
	{ "O_DIRECTORY", O_DIRECTORY },
	{ "O_NOFOLLOW", O_NOFOLLOW },
	{ "O_PATH", O_PATH },
	{ "O_TMPFILE", O_TMPFILE },
	{ "O_NOATIME", O_NOATIME },
	{ "O_NONBLOCK", O_NONBLOCK },
}, errors[] = {
	{ "EACCES", EACCES },	      { "EBUSY", EBUSY },   { "EEXIST", EEXIST },
	{ "EFAULT", EFAULT },	      { "EINVAL", EINVAL }, { "EISDIR", EISDIR },
	{ "ELOOP", ELOOP },	      { "EMLINK", EMLINK }, { "ENAMETOOLONG", ENAMETOOLONG },
	{ "ENODATA", ENODATA },	      { "ENOENT", ENOENT }, { "ENOTDIR", ENOTDIR },
	{ "ENOTEMPTY", ENOTEMPTY },   { "ENXIO", ENXIO },   { "EPERM", EPERM },
	{ "EROFS", EROFS },	      { "ERANGE", ERANGE }, { "ETXTBSY", ETXTBSY },
	{ "EOPNOTSUPP", EOPNOTSUPP }, { "EXDEV", EXDEV },   { "EFBIG", EFBIG },
};

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;

	printf("# %s: %s: ", section_name, current);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	wrong++;
}

/* ---- Words ---- */

/* What {...} stands for is put at `to`; where it ends there. */
static char *expand(const char *what, char *to)
{
	char name[256];
	long length;

	if (sscanf(what, "{path_%ld_%255[^}]}", &length, name) == 2) {
		for (length -= strlen(name); length >= 2; length -= 2)
			to = stpcpy(to, "./");
		return stpcpy(length ? stpcpy(to, "/") : to, name);
	}
	length = strtol(what + 1, NULL, 10);
	memset(to, 'n', length);
	to[length] = 0;
	return to + length;
}

static bool split(const char *line)
{
	word_count = 0;
	while (*(line += strspn(line, " "))) {
		size_t length = strcspn(line, " ");
		char *to = words[word_count++];

		if (word_count == WORDS_MAX)
			return false;
		for (size_t i = 0; i < length; i++) {
			*to = line[i];
			if (line[i] == '{' && strncmp(line + i, "{null}", 6)) {
				to = expand(line + i, to);
				i += strcspn(line + i, "}");
			} else {
				to++;
			}
		}
		*to = 0;
		line += length;
	}
	return word_count >= 2;
}

static const char *path(int word)
{
	return strcmp(words[word], "{null}") ? words[word] : (const char *)8;
}

/* Octal with a leading zero, names joined by | and otherwise decimal; "-" is -1. */
static long number(int word)
{
	long value = 0;
	char *rest, *name;

	if (!strcmp(words[word], "-"))
		return -1;
	if (words[word][0] != 'O')
		return strtol(words[word], NULL, 0);
	for (name = strtok_r(words[word], "|", &rest); name; name = strtok_r(NULL, "|", &rest)) {
		bool known = false;

		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			if (!strcmp(name, numbers[i].name)) {
				value |= numbers[i].value;
				known = true;
			}
		}
		if (!known)
			complain("no flag %s", name);
	}
	return value;
}

/* ---- Calls ---- */

static int call_open(void)
{
	int fd = open(path(2), number(3), word_count > 4 ? number(4) : 0);

	return fd < 0 ? -1 : close(fd);
}

static int call_chmod(void)
{
	return chmod(path(2), number(3));
}

static int call_chown(void)
{
	return chown(path(2), number(3), number(4));
}

static int call_lchown(void)
{
	return lchown(path(2), number(3), number(4));
}

static int call_link(void)
{
	return link(path(2), path(3));
}

static int call_mkdir(void)
{
	return mkdir(path(2), number(3));
}

static int call_mkfifo(void)
{
	return mkfifo(path(2), number(3));
}

/* A character device like /dev/null, or with a third word of b a block device. */
static int call_mknod(void)
{
	mode_t type = word_count > 4 && words[4][0] == 'b' ? S_IFBLK : S_IFCHR;

	return mknod(path(2), type | number(3), makedev(1, 3));
}

static int call_rename(void)
{
	return rename(path(2), path(3));
}

static int call_exchange(void)
{
	return renameat2(AT_FDCWD, path(2), AT_FDCWD, path(3), RENAME_EXCHANGE);
}

static int call_rename_new(void)
{
	return renameat2(AT_FDCWD, path(2), AT_FDCWD, path(3), RENAME_NOREPLACE);
}

static int call_rmdir(void)
{
	return rmdir(path(2));
}

static int call_symlink(void)
{
	return symlink(path(2), path(3));
}

static int call_truncate(void)
{
	return truncate(path(2), number(3));
}

static int call_unlink(void)
{
	return unlink(path(2));
}

static int call_stat(void)
{
	struct stat st;

	return stat(path(2), &st);
}

static int call_lstat(void)
{
	struct stat st;

	return lstat(path(2), &st);
}

static int call_readlink(void)
{
	static char target[4096];

	return readlink(path(2), target, sizeof(target)) < 0 ? -1 : 0;
}

static int call_access(void)
{
	return faccessat(AT_FDCWD, path(2), number(3), AT_EACCESS);
}

/* utimens P now | omit | set (to 1000 s) | mixed (one now, one set) */
static int call_utimens(void)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

	if (!strcmp(words[3], "omit"))
		times[0].tv_nsec = times[1].tv_nsec = UTIME_OMIT;
	else if (!strcmp(words[3], "set"))
		times[0] = times[1] = (struct timespec){ .tv_sec = 1000 };
	else if (!strcmp(words[3], "mixed"))
		times[0] = (struct timespec){ .tv_sec = 1000 };
	else if (!strcmp(words[3], "wrong"))
		times[0].tv_nsec = 1000000000;
	return utimensat(AT_FDCWD, path(2), times, 0);
}

static int call_write(void)
{
	int fd = open(path(2), O_WRONLY);
	int result = fd < 0 || write(fd, "x", 1) != 1 ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return result;
}

static int call_read(void)
{
	char byte;
	int fd = open(path(2), O_RDONLY);
	int result = fd < 0 || read(fd, &byte, 1) < 0 ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return result;
}

static int call_list(void)
{
	static char entries[4096];
	int fd = open(path(2), O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return -1;
	if (syscall(SYS_getdents64, fd, entries, sizeof(entries)) < 0)
		return -1;
	return close(fd);
}

static int call_setxattr(void)
{
	return setxattr(path(2), words[3], "value", 5, 0);
}

static int call_removexattr(void)
{
	return removexattr(path(2), words[3]);
}

static int call_chdir(void)
{
	int here = open(".", O_PATH), result = chdir(path(2)), error = errno;

	if (fchdir(here))
		complain("the way back: %s", strerror(errno));
	close(here);
	errno = error;
	return result;
}

/* exec P: this program, copied there by `program`; it only ends. */
static int call_exec(void)
{
	int status, result;
	pid_t pid = fork();

	if (pid == 0) {
		execl(path(2), path(2), "--end", (char *)NULL);
		_exit(errno);
	}
	result = waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EINVAL;
	errno = result;
	return result ? -1 : 0;
}

/* ---- What only the test does ---- */

static int call_program(void)
{
	static char data[1 << 16];
	int from = open("/proc/self/exe", O_RDONLY), to = open(path(2), O_CREAT | O_WRONLY, 0755);
	ssize_t got;

	while ((got = read(from, data, sizeof(data))) > 0)
		if (write(to, data, got) != got)
			got = -1;
	close(from);
	return got < 0 ? -1 : close(to);
}

/* run P starts a program that goes on running until `stop`. */
static int call_run(void)
{
	int ends[2];
	ssize_t got;
	char byte;

	if (pipe(ends))
		return -1;
	sleeper = fork();
	if (sleeper == 0) {
		dup2(ends[1], 1);
		execl(path(2), path(2), "--run", (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	got = read(ends[0], &byte, 1);
	close(ends[0]);
	return got == 1 ? 0 : -1;
}

static int call_stop(void)
{
	kill(sleeper, SIGKILL);
	return waitpid(sleeper, NULL, 0) == sleeper ? 0 : -1;
}

static int held = -1;

/* hold P keeps it open for writing until `release`. */
static int call_hold(void)
{
	held = open(path(2), O_RDWR);
	return held < 0 ? -1 : 0;
}

static int call_release(void)
{
	return close(held);
}

static int call_bind(void)
{
	return mount(path(2), path(3), NULL, MS_BIND, NULL);
}

static int call_read_only(void)
{
	return mount(NULL, path(2), NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
}

static int call_unmount(void)
{
	return umount2(path(2), 0);
}

static int call_umask(void)
{
	umask(number(2));
	return 0;
}

static int call_mark(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = TICK_NS }, NULL);
	return clock_gettime(CLOCK_REALTIME_COARSE, &mark);
}

static bool since_mark(struct timespec time)
{
	return time.tv_sec != mark.tv_sec ? time.tv_sec > mark.tv_sec : time.tv_nsec >= mark.tv_nsec;
}

/* times P LETTERS: those of a, m and c that are not before the mark, and no others; - for none. */
static int call_times(void)
{
	char found[4], *to = found;
	struct stat st;

	if (lstat(path(2), &st))
		return -1;
	if (since_mark(st.st_atim))
		*to++ = 'a';
	if (since_mark(st.st_mtim))
		*to++ = 'm';
	if (since_mark(st.st_ctim))
		*to++ = 'c';
	*to = 0;
	if (strcmp(found, strcmp(words[3], "-") ? words[3] : ""))
		complain("changed are %s", *found ? found : "none");
	return 0;
}

static void expect(const char *what, long found, long wanted)
{
	if (found != wanted)
		complain(wanted > 0777 || found > 0777 ? "%s is %lo" : "%s is %ld", what, found);
}

/* is P mode M | owner U G | links N | size N | type X (as ls has it) */
static int call_is(void)
{
	struct stat st;

	if (lstat(path(2), &st))
		return -1;
	if (!strcmp(words[3], "mode"))
		expect("mode", st.st_mode & 07777, number(4));
	else if (!strcmp(words[3], "links"))
		expect("links", st.st_nlink, number(4));
	else if (!strcmp(words[3], "size"))
		expect("size", st.st_size, number(4));
	else if (!strcmp(words[3], "type"))
		expect("type", "?pc?d?b?-?l?s???"[st.st_mode >> 12], words[4][0]);
	else if (!strcmp(words[3], "owner")) {
		expect("user", st.st_uid, number(4));
		expect("group", st.st_gid, number(5));
	}
	return 0;
}

static const struct call {
	const char *name;
	int (*run)(void);
	int words; /* at least */
} calls[] = {
	{ "open", call_open, 4 },	{ "chmod", call_chmod, 4 },
	{ "chown", call_chown, 5 },	{ "lchown", call_lchown, 5 },
	{ "link", call_link, 4 },	{ "mkdir", call_mkdir, 4 },
	{ "mkfifo", call_mkfifo, 4 },	{ "mknod", call_mknod, 4 },
	{ "rename", call_rename, 4 },	{ "exchange", call_exchange, 4 },
	{ "rmdir", call_rmdir, 3 },	{ "rename-new", call_rename_new, 4 },
	{ "symlink", call_symlink, 4 }, { "truncate", call_truncate, 4 },
	{ "unlink", call_unlink, 3 },	{ "stat", call_stat, 3 },
	{ "lstat", call_lstat, 3 },	{ "readlink", call_readlink, 3 },
	{ "access", call_access, 4 },	{ "utimens", call_utimens, 4 },
	{ "write", call_write, 3 },	{ "read", call_read, 3 },
	{ "list", call_list, 3 },	{ "setxattr", call_setxattr, 4 },
	{ "chdir", call_chdir, 3 },	{ "removexattr", call_removexattr, 4 },
	{ "exec", call_exec, 3 },	{ "program", call_program, 3 },
	{ "run", call_run, 3 },		{ "stop", call_stop, 2 },
	{ "hold", call_hold, 3 },	{ "release", call_release, 2 },
	{ "bind", call_bind, 4 },	{ "read-only", call_read_only, 3 },
	{ "unmount", call_unmount, 3 }, { "umask", call_umask, 3 },
	{ "mark", call_mark, 2 },	{ "times", call_times, 4 },
	{ "is", call_is, 5 },
};

/* ---- Lines ---- */

static void become(int id)
{
	if (geteuid() && seteuid(0))
		complain("root again: %s", strerror(errno));
	if (setegid(id) || (id && seteuid(id)))
		complain("become %d: %s", id, strerror(errno));
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(errors[i].name, name))
			return errors[i].value;
	complain("no error %s", name);
	return 0;
}

static void run_line(const char *line)
{
	int wanted = 0, result, error;
	const struct call *call = NULL;

	current = line;
	if (!split(line)) {
		complain("what is this?");
		return;
	}
	if (word_count > 3 && !strcmp(words[word_count - 2], ":")) {
		wanted = error_number(words[word_count - 1]);
		word_count -= 2;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, words[1]) && word_count >= calls[i].words)
			call = &calls[i];
	if (!call) {
		complain("what call is this?");
		return;
	}
	become(strcmp(words[0], "root") ? atoi(words[0]) : 0);
	errno = 0;
	result = call->run();
	error = result ? errno : 0;
	become(0);
	if (error != wanted)
		complain("%s", error ? strerror(error) : "works");
}

/* For each line whose place for a path is %, once with each of what can be wrong with paths. */
static void run_paths(const struct path_case *cases, const char *const *templates)
{
	static char line[1024];

	for (; cases->path; cases++) {
		for (const char *const *each = templates; *each; each++) {
			const char *hole = strchr(*each, '%');

			snprintf(line, sizeof(line), "%s %.*s%s%s : %s", cases->who,
				 (int)(hole - *each), *each, cases->path, hole + 1, cases->error);
			run_line(line);
		}
	}
}

static int empty_folder(void)
{
	return system("exec rm -rf ./*");
}

static void run_section(const struct section *section, int features)
{
	section_name = section->name;
	wrong = 0;
	if (section->needs & ~features) {
		printf("# %s: left out, the format lacks what it needs\n", section->name);
		return;
	}
	umask(0);
	for (const char *const *line = section->lines; *line; line++)
		run_line(*line);
	umask(022);
	if (section->cases)
		run_paths(section->cases, section->templates);
	for (const char *const *line = section->after; line && *line; line++)
		run_line(*line);
	if (empty_folder())
		wrong++;
	tap_ok(!wrong, "%s", section->name);
}

static int find_features(void)
{
	int features = 0;
	struct stat st;

	make_file("f", "x");
	if (!chown("f", 1000, 1000) && !chmod("f", 0604) && !stat("f", &st) && st.st_uid == 1000 &&
	    (st.st_mode & 07777) == 0604)
		features |= OWNERS;
	if (!link("f", "g") && !symlink("f", "s"))
		features |= LINKS;
	if (!mkfifo("p", 0600) && !mknod("n", S_IFCHR | 0600, makedev(1, 3)))
		features |= SPECIAL;
	if (!stat("f", &st) && st.st_mtim.tv_nsec)
		features |= TIMES;
	if (!setxattr("f", "user.x", "v", 1, 0))
		features |= XATTRS;
	unlink("f");
	unlink("g");
	unlink("s");
	unlink("p");
	unlink("n");
	return features;
}

static int play_program(const char *word)
{
	if (!strcmp(word, "--end"))
		return 0;
	if (write(1, "x", 1) == 1)
		pause();
	return 1;
}

int main(int count, char **arguments)
{
	int features;

	if (count > 1 && arguments[1][0] == '-')
		return play_program(arguments[1]);
	if (geteuid())
		return 77;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		perror("a namespace of one's own");
	if (setgroups(0, NULL))
		perror("setgroups");
	begin_in(count > 1 ? arguments[1] : "/tmp");
	features = find_features();
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		run_section(&sections[i], features);
	return end();
}
