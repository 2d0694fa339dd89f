/*
 * inotify: which events come from what is done to files, in which order, with which names and cookies; watches and their
 * errors; the queue.
 */
#include "files.h"

#include <dirent.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static int fd, dir_watch;

/* ---- What came, as text: "wd mask name; ..." ---- */

static const struct {
	unsigned int mask;
	const char *name;
} names[] = {
	{ IN_ACCESS, "access" },       { IN_MODIFY, "modify" },
	{ IN_ATTRIB, "attrib" },       { IN_CLOSE_WRITE, "close_write" },
	{ IN_CLOSE_NOWRITE, "close" }, { IN_OPEN, "open" },
	{ IN_MOVED_FROM, "from" },     { IN_MOVED_TO, "to" },
	{ IN_CREATE, "create" },       { IN_DELETE, "delete" },
	{ IN_DELETE_SELF, "gone" },    { IN_MOVE_SELF, "moved" },
	{ IN_UNMOUNT, "unmount" },     { IN_Q_OVERFLOW, "overflow" },
	{ IN_IGNORED, "ignored" },     { IN_ISDIR, "/" },
};

static char said[65536];
static unsigned int last_cookie;

static void say(const struct inotify_event *event)
{
	char *at = said + strlen(said);

	if (*said)
		at += sprintf(at, "; ");
	if (event->wd != dir_watch)
		at += sprintf(at, "%d ", event->wd);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (event->mask & names[i].mask)
			at += sprintf(at, "%s", names[i].name);
	if (event->len)
		at += sprintf(at, " %s", event->name);
	if (event->cookie) {
		sprintf(at, event->cookie == last_cookie ? " same" : " new");
		last_cookie = event->cookie;
	}
}

static const char *events(void)
{
	static char buffer[65536] __attribute__((aligned(8)));
	ssize_t got;

	*said = 0;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; at < buffer + got;) {
			struct inotify_event *event = (struct inotify_event *)at;

			say(event);
			at += sizeof(*event) + event->len;
		}
	return said;
}

/* What was done gave these events. */
static void expect(const char *what, const char *expected)
{
	const char *got = events();

	if (!tap_ok(!strcmp(got, expected), "%s: %s", what, expected))
		printf("# got: %s\n", got);
}

/* ---- Events ---- */

static void test_files(void)
{
	char byte;
	int file = open("d/f", O_CREAT | O_RDWR, 0644);

	expect("open, new", "create f; open f");
	WORKS(write(file, "abc", 3) != 3);
	expect("write", "modify f");
	WORKS(pread(file, &byte, 1, 0) != 1);
	expect("read", "access f");
	WORKS(pread(file, &byte, 1, 100));
	WORKS(write(file, "", 0));
	expect("nothing read, nothing written", "");
	WORKS(ftruncate(file, 1));
	expect("ftruncate", "modify f");
	WORKS(fchmod(file, 0600));
	expect("fchmod", "attrib f");
	WORKS(fchown(file, 0, 0));
	expect("fchown", "attrib f");
	close(file);
	expect("close", "close_write f");
	close(open("d/f", O_RDONLY));
	expect("open and close", "open f; close f");
	close(open("d/f", O_WRONLY | O_TRUNC));
	expect("open, truncating", "modify f; open f; close_write f");
	WORKS(truncate("d/f", 10));
	expect("truncate", "modify f");
	WORKS(utimensat(AT_FDCWD, "d/f", NULL, 0));
	expect("utimensat", "attrib f");
	if (!setxattr("d/f", "trusted.a", "", 0, 0))
		expect("setxattr", "attrib f");
	WORKS(link("d/f", "d/g"));
	expect("link", "create g");
	WORKS(unlink("d/g"));
	WORKS(unlink("d/f"));
	expect("unlink", "delete g; delete f");
	WORKS(symlink("x", "d/s"));
	WORKS(mkfifo("d/p", 0600));
	WORKS(unlink("d/s"));
	WORKS(unlink("d/p"));
	expect("others", "create s; create p; delete s; delete p");
}

static void test_directories(void)
{
	char buffer[1024];
	int dir;

	WORKS(mkdir("d/sub", 0755));
	expect("mkdir", "create/ sub");
	dir = open("d/sub", O_RDONLY | O_DIRECTORY);
	expect("open of a directory", "open/ sub");
	getdents64(dir, buffer, sizeof(buffer));
	expect("getdents", "access/ sub");
	close(dir);
	expect("close of a directory", "close/ sub");
	WORKS(make_file("d/sub/deep", ""));
	WORKS(unlink("d/sub/deep"));
	expect("deeper", "");
	WORKS(chmod("d", 0700));
	expect("the directory itself", "attrib/");
	WORKS(rmdir("d/sub"));
	expect("rmdir", "delete/ sub");
}

static void test_moves(void)
{
	WORKS(make_file("d/a", ""));
	WORKS(make_file("d/b", ""));
	WORKS(make_file("out", ""));
	events();
	WORKS(rename("d/a", "d/c"));
	expect("rename", "from a new; to c same");
	WORKS(rename("d/c", "d/b"));
	expect("rename over", "from c new; to b same");
	WORKS(rename("out", "d/in"));
	expect("rename into", "to in new");
	WORKS(rename("d/in", "out"));
	expect("rename out of", "from in new");
	WORKS(rename("d/b", "d/b"));
	expect("rename to itself", "");
	WORKS(make_file("d/a", ""));
	events();
	WORKS(renameat2(AT_FDCWD, "d/a", AT_FDCWD, "d/b", RENAME_EXCHANGE));
	expect("exchange", "from a new; to b same; from b new; to a same");
	WORKS(unlink("d/a"));
	WORKS(unlink("d/b"));
	WORKS(unlink("out"));
	events();
}

static void test_selves(void)
{
	char text[100];
	int file, watch;

	file = open("d/f", O_CREAT | O_WRONLY, 0644);
	events();
	watch = inotify_add_watch(fd, "d/f", IN_ALL_EVENTS);
	tap_ok(watch > dir_watch, "descriptors count upwards");
	WORKS(write(file, "x", 1) != 1);
	sprintf(text, "modify f; %d modify", watch);
	expect("both are told, the directory first", text);
	WORKS(link("d/f", "d/g"));
	sprintf(text, "%d attrib; create g", watch);
	expect("link of a watched file", text);
	WORKS(unlink("d/g"));
	sprintf(text, "%d attrib; delete g", watch);
	expect("unlink of one of two names", text);
	WORKS(rename("d/f", "d/h"));
	sprintf(text, "from f new; to h same; %d moved", watch);
	expect("rename of a watched file", text);
	WORKS(unlink("d/h"));
	sprintf(text, "%d attrib; delete h", watch);
	expect("unlink of an open file", text);
	close(file);
	sprintf(text, "close_write h; %d close_write; %d gone; %d ignored", watch, watch, watch);
	expect("its close", text);
	FAILS(EINVAL, inotify_rm_watch(fd, watch));

	WORKS(make_file("d/f", ""));
	watch = inotify_add_watch(fd, "d/f", IN_ALL_EVENTS);
	events();
	WORKS(unlink("d/f"));
	sprintf(text, "%d attrib; %d gone; %d ignored; delete f", watch, watch, watch);
	expect("unlink of a file that nobody has open", text);

	WORKS(mkdir("d/sub", 0755));
	watch = inotify_add_watch(fd, "d/sub", IN_ALL_EVENTS);
	events();
	WORKS(rename("d/sub", "d/bus"));
	sprintf(text, "from/ sub new; to/ bus same; %d moved", watch);
	expect("rename of a watched directory", text);
	WORKS(rmdir("d/bus"));
	sprintf(text, "%d gone; %d ignored; delete/ bus", watch, watch);
	expect("rmdir of a watched directory", text);

	WORKS(make_file("d/a", ""));
	WORKS(make_file("d/b", ""));
	watch = inotify_add_watch(fd, "d/b", IN_ALL_EVENTS);
	events();
	WORKS(rename("d/a", "d/b"));
	sprintf(text, "from a new; to b same; %d attrib; %d gone; %d ignored", watch, watch, watch);
	expect("rename over a watched file", text);
	WORKS(unlink("d/b"));
	events();
}

static void test_masks(void)
{
	char text[100];
	int watch, file;

	WORKS(make_file("d/f", "x"));
	WORKS(symlink("f", "d/link"));
	events();
	watch = inotify_add_watch(fd, "d/f", IN_OPEN);
	GIVES(watch, inotify_add_watch(fd, "d/f", IN_ATTRIB | IN_MASK_ADD));
	GIVES(watch, inotify_add_watch(fd, "d/link", IN_CLOSE | IN_MASK_ADD));
	FAILS(EEXIST, inotify_add_watch(fd, "d/f", IN_OPEN | IN_MASK_CREATE));
	inotify_rm_watch(fd, dir_watch);
	events();
	WORKS(chmod("d/f", 0600));
	close(open("d/f", O_RDONLY));
	sprintf(text, "%d attrib; %d open; %d close", watch, watch, watch);
	expect("masks add up", text);
	GIVES(watch, inotify_add_watch(fd, "d/f", IN_OPEN | IN_ONESHOT));
	WORKS(chmod("d/f", 0644));
	close(open("d/f", O_RDONLY));
	sprintf(text, "%d open; %d ignored", watch, watch);
	expect("or replace each other, and ONESHOT is once", text);
	FAILS(EINVAL, inotify_rm_watch(fd, watch));
	watch = inotify_add_watch(fd, "d/link", IN_ATTRIB | IN_DONT_FOLLOW);
	WORKS(chmod("d/f", 0600));
	expect("DONT_FOLLOW", "");
	WORKS(inotify_rm_watch(fd, watch));
	sprintf(text, "%d ignored", watch);
	expect("inotify_rm_watch", text);

	dir_watch = inotify_add_watch(fd, "d", IN_MODIFY | IN_DELETE | IN_EXCL_UNLINK);
	file = open("d/f", O_WRONLY);
	WORKS(write(file, "1", 1) != 1);
	WORKS(unlink("d/f"));
	WORKS(write(file, "2", 1) != 1);
	expect("EXCL_UNLINK", "modify f; delete f");
	close(file);
	WORKS(unlink("d/link"));
	expect("DELETE alone", "delete link");
	inotify_add_watch(fd, "d", IN_ALL_EVENTS);
}

static void test_errors(void)
{
	int none = open("/dev/null", O_RDWR);

	FAILS(EINVAL, inotify_init1(1));
	FAILS(EBADF, inotify_add_watch(-1, "d", IN_OPEN));
	FAILS(EINVAL, inotify_add_watch(none, "d", IN_OPEN));
	FAILS(EINVAL, inotify_add_watch(fd, "d", 0));
	FAILS(EINVAL, inotify_add_watch(-1, "d", 0));
	FAILS(EINVAL, inotify_add_watch(fd, "d", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
	FAILS(ENOENT, inotify_add_watch(fd, "none", IN_OPEN));
	FAILS(EFAULT, inotify_add_watch(fd, (char *)8, IN_OPEN));
	FAILS(ENOTDIR, inotify_add_watch(fd, "/proc/self/stat", IN_OPEN | IN_ONLYDIR));
	FAILS(EBADF, inotify_rm_watch(-1, 1));
	FAILS(EINVAL, inotify_rm_watch(none, 1));
	FAILS(EINVAL, inotify_rm_watch(fd, -1));
	FAILS(EINVAL, inotify_rm_watch(fd, 12345));
	FAILS(EBADF, write(fd, "x", 1));
	close(none);
}

static void test_queue(void)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char buffer[64], path[64];
	int bytes = -1, file;

	FAILS(EAGAIN, read(fd, buffer, sizeof(buffer)));
	WORKS(poll(&poll_fd, 1, 0));
	file = open("d/file-of-16-bytes", O_CREAT | O_WRONLY, 0644); /* 17: two names of 32 */
	GIVES(1, poll(&poll_fd, 1, 0));
	WORKS(ioctl(fd, FIONREAD, &bytes));
	TRUE(bytes == 2 * (16 + 32));
	FAILS(EINVAL, read(fd, buffer, 47));
	FAILS(EINVAL, read(fd, buffer, 0));
	GIVES(48, read(fd, buffer, 64));
	GIVES(48, read(fd, buffer, 48));
	for (int i = 0; i < 5; i++)
		if (write(file, "x", 1) != 1)
			break;
	expect("five writes are one event", "modify file-of-16-bytes");
	close(file);
	WORKS(unlink("d/file-of-16-bytes"));
	events();
	FAILS(EFAULT, (mkdir("d/s", 0700), read(fd, (char *)8, 100)));
	events();
	WORKS(rmdir("d/s"));
	events();
	sprintf(path, "/proc/self/fd/%d", fd);
	bytes = (int)readlink(path, buffer, sizeof(buffer));
	tap_ok(bytes == 18 && !memcmp(buffer, "anon_inode:inotify", 18), "its name in /proc");
}

static void test_overflow(void)
{
	int old = fd, limit = open("/proc/sys/fs/inotify/max_queued_events", O_RDWR), watch;
	char before[16] = "";

	if (read(limit, before, sizeof(before)) <= 0 || pwrite(limit, "4", 1, 0) != 1)
		tap_ok(0, "max_queued_events can be set");
	fd = inotify_init1(IN_NONBLOCK);
	watch = inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE);
	for (int i = 0; i < 4; i++) {
		mkdir("d/x", 0700);
		rmdir("d/x");
	}
	WORKS(strcmp(events() + strlen(said) - 11, "-1 overflow"));
	mkdir("d/x", 0700);
	rmdir("d/x");
	events();
	tap_ok(!strstr(said, "overflow"), "after it the queue works again");
	WORKS(inotify_rm_watch(fd, watch));
	close(fd);
	fd = old;
	pwrite(limit, before, strlen(before), 0);
	close(limit);
	events();
}

static void test_unmount(void)
{
	char text[100];
	int watch;

	WORKS(mkdir("m", 0755));
	WORKS(mount("none", "m", "tmpfs", 0, NULL));
	WORKS(make_file("m/f", ""));
	watch = inotify_add_watch(fd, "m/f", IN_OPEN);
	WORKS(umount("m"));
	sprintf(text, "%d unmount; %d ignored", watch, watch);
	expect("umount", text);
	WORKS(rmdir("m"));
}

static void test_blocking_read(void)
{
	char buffer[256];
	int blocking = inotify_init();
	pid_t child;

	inotify_add_watch(blocking, "d", IN_CREATE);
	child = fork();
	if (!child) {
		usleep(100000);
		_exit(mkdir("d/late", 0700));
	}
	GIVES(32, read(blocking, buffer, sizeof(buffer)));
	waitpid(child, NULL, 0);
	close(blocking);
	WORKS(rmdir("d/late"));
	events();
}

int main(void)
{
	begin();
	WORKS(mkdir("d", 0755));
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	TRUE(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	dir_watch = inotify_add_watch(fd, "d", IN_ALL_EVENTS);
	TRUE(dir_watch == 1);
	test_files();
	test_directories();
	test_moves();
	test_selves();
	test_errors();
	test_queue();
	test_blocking_read();
	test_overflow();
	test_unmount();
	test_masks();
	close(fd);
	WORKS(rmdir("d"));
	return end();
}
