/* Pseudo terminals: the master's side, devpts, packet mode, hang-ups. The line discipline itself is terminals.c's. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tap.h"

#define DEVPTS_MAGIC 0x1cd1

static int master, slave;

static int open_master(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && unlockpt(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int number_of(int fd)
{
	unsigned int number;

	return ioctl(fd, TIOCGPTN, &number) ? -1 : (int)number;
}

static const char *slave_name(int fd)
{
	static char name[32];

	snprintf(name, sizeof(name), "/dev/pts/%d", number_of(fd));
	return name;
}

static int open_slave(int fd)
{
	return open(slave_name(fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void open_pair(void)
{
	master = open_master();
	slave = open_slave(master);
}

static void close_pair(void)
{
	close(slave);
	close(master);
}

/* The slave passes bytes as they are. */
static void make_raw(void)
{
	struct termios settings;

	tcgetattr(slave, &settings);
	cfmakeraw(&settings);
	tcsetattr(slave, TCSANOW, &settings);
}

static int fails(int result, int error)
{
	return result == -1 && errno == error;
}

/* What poll says now, or within a moment. */
static int events_of(int fd, int wanted, int timeout_ms)
{
	struct pollfd poller = { .fd = fd, .events = wanted };

	return poll(&poller, 1, timeout_ms) < 0 ? -1 : poller.revents;
}

/* The condition comes true within a second or so. */
#define SOON(condition)                                                                            \
	({                                                                                         \
		int tries = 0, holds;                                                              \
		while (!(holds = !!(condition)) && ++tries < 200)                                  \
			usleep(5000);                                                              \
		holds;                                                                             \
	})

/* What can be read within a moment, as text. */
static const char *arrives(int fd)
{
	static char text[4096];
	size_t length = 0;

	while ((events_of(fd, POLLIN, length ? 20 : 300) & POLLIN) && length < sizeof(text) - 1) {
		ssize_t part = read(fd, text + length, sizeof(text) - 1 - length);

		if (part <= 0)
			break;
		length += part;
	}
	text[length] = '\0';
	return text;
}

static int mount_devpts(void)
{
	struct statfs info;
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	if (!statfs("/dev/pts", &info) && info.f_type == DEVPTS_MAGIC)
		return 1;
	mkdir("/dev/pts", 0755);
	return !mount("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666");
}

static void nodes(void)
{
	struct stat info;
	int unlocked, first, second, locked = -1, one = 1;

	tap_ok(!stat("/dev/ptmx", &info) && S_ISCHR(info.st_mode) && info.st_rdev == makedev(5, 2),
	       "/dev/ptmx is device 5, 2");
	tap_ok(!stat("/dev/pts/ptmx", &info) && info.st_rdev == makedev(5, 2), "devpts has one, too");
	tap_ok(!stat("/dev/pts", &info) && info.st_ino == 1 && (info.st_mode & 07777) == 0755,
	       "the root of devpts");

	first = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	tap_ok(first >= 0 && !ioctl(first, TIOCGPTLCK, &locked) && locked == 1, "a new pty is locked");
	tap_ok(fails(open(slave_name(first), O_RDWR | O_NOCTTY), EIO), "a locked slave gives EIO");
	unlockpt(first);
	tap_ok(!ioctl(first, TIOCGPTLCK, &locked) && locked == 0, "unlocked");
	tap_ok(!stat(slave_name(first), &info) && S_ISCHR(info.st_mode) &&
		       info.st_rdev == makedev(136, number_of(first)) &&
		       info.st_ino == (ino_t)number_of(first) + 3,
	       "the slave's node has major 136");
	tap_ok(info.st_uid == getuid() && info.st_gid == 5 && (info.st_mode & 07777) == 0620,
	       "it is the opener's, group tty, mode 0620");
	tap_ok(!chmod(slave_name(first), 0600) && !chown(slave_name(first), 7, 8) &&
		       !stat(slave_name(first), &info) && (info.st_mode & 07777) == 0600 &&
		       info.st_uid == 7 && info.st_gid == 8,
	       "owner and mode can be changed");
	second = open_master();
	tap_ok(number_of(second) == number_of(first) + 1, "the next has the next number");
	unlocked = number_of(first);
	close(first);
	tap_ok(fails(access("/dev/pts/0", F_OK), ENOENT) || unlocked, "the node goes with the master");
	first = open_master();
	tap_ok(number_of(first) == unlocked, "the lowest free number is taken");
	tap_ok(!ioctl(first, TIOCSPTLCK, &one) && fails(open_slave(first), EIO), "locked again");
	close(first);
	close(second);
	tap_ok(fails(open("/dev/pts/x", O_RDWR | O_CREAT, 0600), EACCES), "no file can be made there");
	tap_ok(fails(mkdir("/dev/pts/x", 0700), EPERM), "nor a folder");
	tap_ok(fails(unlink("/dev/pts/ptmx"), EPERM), "nor can one be removed");
	tap_ok(!mknod("/tmp/slave", S_IFCHR | 0600, makedev(136, 0)) &&
		       fails(open("/tmp/slave", O_RDWR | O_NOCTTY), EIO),
	       "a node of major 136 elsewhere is no slave");
	unlink("/tmp/slave");
}

static void instances(void)
{
	struct stat info;
	int outer, inner, peer;

	mkdir("/tmp/pts", 0755);
	outer = open_master();
	tap_ok(!mount("devpts", "/tmp/pts", "devpts", 0, "newinstance,mode=0640,gid=9,max=2"),
	       "another instance is mounted");
	tap_ok(!stat("/tmp/pts/ptmx", &info) && (info.st_mode & 07777) == 0, "its ptmx has mode 0");
	inner = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
	tap_ok(inner >= 0 && number_of(inner) == 0, "its numbers are its own");
	tap_ok(!stat("/tmp/pts/0", &info) && (info.st_mode & 07777) == 0640 && info.st_gid == 9,
	       "its options count");
	unlockpt(inner);
	peer = ioctl(inner, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	tap_ok(peer >= 0 && write(peer, "x", 1) == 1 && !strcmp(arrives(inner), "x"),
	       "TIOCGPTPEER finds the slave there");
	close(peer);
	peer = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
	tap_ok(fails(open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY), ENOSPC), "max= is a limit");
	close(peer);
	close(inner);
	mknod("/tmp/ptmx", S_IFCHR | 0600, makedev(5, 2));
	inner = open("/tmp/ptmx", O_RDWR | O_NOCTTY);
	tap_ok(inner >= 0 && !access("/tmp/pts/0", F_OK), "a ptmx belongs to the pts beside it");
	close(inner);
	tap_ok(!umount("/tmp/pts"), "unmounted");
	tap_ok(fails(open("/tmp/ptmx", O_RDWR | O_NOCTTY), ENODEV),
	       "ptmx without an instance gives ENODEV");
	tap_ok(fails(mount("devpts", "/tmp/pts", "devpts", 0, "nonsense=1"), EINVAL),
	       "an unknown option gives EINVAL");
	unlink("/tmp/ptmx");
	rmdir("/tmp/pts");
	close(outer);
}

static void both_ways(void)
{
	struct termios settings, other;
	struct winsize size = { 11, 22, 33, 44 }, got = {};
	char buffer[64];
	int count = -1;

	open_pair();
	tap_ok(isatty(master) && isatty(slave), "both sides are terminals");
	tcgetattr(slave, &settings);
	tap_ok(settings.c_iflag == (ICRNL | IXON) && settings.c_oflag == (OPOST | ONLCR) &&
		       settings.c_cflag == (B38400 | CS8 | CREAD) &&
		       settings.c_lflag ==
			       (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN),
	       "the settings to begin with (%x %x %x %x)", settings.c_iflag, settings.c_oflag,
	       settings.c_cflag, settings.c_lflag);
	tap_ok(cfgetospeed(&settings) == B38400 && cfgetispeed(&settings) == B38400,
	       "38400 bits a second");
	tcgetattr(master, &other);
	tap_ok(settings.c_cflag == other.c_cflag && settings.c_lflag == other.c_lflag &&
		       !memcmp(settings.c_cc, other.c_cc, NCCS),
	       "the master shows the slave's settings");
	other.c_lflag &= ~ECHO;
	tap_ok(!tcsetattr(master, TCSADRAIN, &other) && !tcgetattr(slave, &settings) &&
		       !(settings.c_lflag & ECHO),
	       "and changes them");
	settings.c_cflag = (settings.c_cflag & ~CSIZE) | CS5 | PARENB;
	tcsetattr(slave, TCSANOW, &settings); /* the library looks, and may complain */
	tap_ok(!tcgetattr(slave, &settings) && (settings.c_cflag & (CSIZE | PARENB)) == CS8,
	       "bytes have eight bits");
	tap_ok(!ioctl(master, TIOCSWINSZ, &size) && !ioctl(slave, TIOCGWINSZ, &got) &&
		       !memcmp(&size, &got, sizeof(size)),
	       "the window's size has four numbers");
	tap_ok(write(slave, "out\n", 4) == 4 && SOON(!ioctl(master, FIONREAD, &count) && count == 5) &&
		       read(master, buffer, sizeof(buffer)) == 5 && !memcmp(buffer, "out\r\n", 5),
	       "what the slave writes the master reads");
	tap_ok(write(master, "in\nmore\n", 8) == 8 &&
		       SOON(!ioctl(slave, FIONREAD, &count) && count == 8) &&
		       read(slave, buffer, sizeof(buffer)) == 3 && read(slave, buffer, 2) == 2 &&
		       read(slave, buffer, sizeof(buffer)) == 3,
	       "and the other way, in lines");
	close_pair();
}

static void commands(void)
{
	int count = -1, peer;

	open_pair();
	tap_ok(!ioctl(slave, TIOCOUTQ, &count) && count == 0 && !ioctl(master, TIOCOUTQ, &count) &&
		       count == 0,
	       "TIOCOUTQ: all was sent");
	tap_ok(fails(lseek(master, 0, SEEK_CUR), ESPIPE) && fails(lseek(slave, 0, SEEK_CUR), ESPIPE),
	       "neither can seek");
	tap_ok(fails(ioctl(slave, TIOCGPTN, &count), ENOTTY) &&
		       fails(ioctl(slave, TIOCPKT, &count), ENOTTY) &&
		       fails(ioctl(slave, TIOCGPTPEER, O_RDWR), EIO),
	       "the master's commands are not the slave's");
	tap_ok(fails(ioctl(master, TIOCMGET, &count), ENOTTY) &&
		       fails(ioctl(slave, TIOCMGET, &count), ENOTTY),
	       "there are no modem lines");
	tap_ok(!ioctl(slave, TIOCSBRK) && !ioctl(slave, TIOCCBRK) && !tcsendbreak(slave, 0) &&
		       !tcdrain(slave) && !tcdrain(master),
	       "breaks and draining succeed");
	tap_ok(!ioctl(slave, TIOCGETD, &count) && count == 0 &&
		       (count = 99, fails(ioctl(slave, TIOCSETD, &count), EINVAL)),
	       "line disciplines");
	peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	tap_ok(peer >= 0 && (fcntl(peer, F_GETFD) & FD_CLOEXEC) &&
		       (fcntl(peer, F_GETFL) & O_ACCMODE) == O_RDWR,
	       "TIOCGPTPEER opens the slave with flags");
	close(peer);
	tap_ok(fails(ioctl(master, TIOCGPTN, 8), EFAULT) && fails(ioctl(master, TIOCSPTLCK, 8), EFAULT) &&
		       fails(ioctl(slave, TCGETS, 8), EFAULT) &&
		       fails(ioctl(slave, TIOCSWINSZ, 8), EFAULT),
	       "bad addresses");
	tap_ok(!ioctl(slave, TIOCEXCL) && !ioctl(slave, TIOCGEXCL, &count) && count == 1 &&
		       !ioctl(slave, TIOCNXCL) && !ioctl(slave, TIOCGEXCL, &count) && count == 0,
	       "TIOCEXCL");
	tap_ok(fails(ioctl(slave, 0x12345678, 0), ENOTTY) && fails(ioctl(master, 0x12345678, 0), ENOTTY),
	       "unknown commands");
	close_pair();
}

static void pressure(void)
{
	static char block[65536];
	ssize_t sent = 0, got = 0, part;
	int i, wrong = 0;

	open_pair();
	make_raw();
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	tap_ok(fails(read(master, block, 1), EAGAIN) && fails(read(slave, block, 1), EAGAIN),
	       "nothing to read");
	for (i = 0; i < (int)sizeof(block); i++)
		block[i] = (char)(i * 7 + i / 256);
	while ((part = write(master, block + sent, sizeof(block) - sent)) > 0) {
		sent += part;
		usleep(20000);
	}
	tap_ok(sent >= 8192 && sent < (ssize_t)sizeof(block) && fails(write(master, "x", 1), EAGAIN),
	       "a master that is not read from stops after %zd bytes, 8192 at least", sent);
	tap_ok(!(events_of(master, POLLOUT, 0) & POLLOUT), "poll says so");
	while (got < sent && (events_of(slave, POLLIN, 500) & POLLIN)) {
		char some[1000];

		part = read(slave, some, sizeof(some));
		if (part <= 0)
			break;
		wrong += memcmp(some, block + got, part) != 0;
		got += part;
	}
	tap_ok(got == sent && !wrong, "every byte arrives, in order (%zd)", got);
	tap_ok(events_of(master, POLLOUT, 500) & POLLOUT, "and there is room again");

	for (sent = 0; (part = write(slave, block, 1024)) > 0; sent += part)
		if (sent > 1 << 20)
			break;
	tap_ok(sent >= 4096 && sent < 1 << 20 && fails(part, EAGAIN),
	       "a slave that is not read from stops, too (%zd)", sent);
	for (got = 0; got < sent && (events_of(master, POLLIN, 500) & POLLIN); got += part) {
		static char some[5000];

		part = read(master, some, sizeof(some));
		if (part <= 0)
			break;
	}
	tap_ok(got == sent && (events_of(slave, POLLOUT, 500) & POLLOUT), "and goes on (%zd)", got);
	close_pair();

	/* A line that is too long keeps its end. */
	open_pair();
	memset(block, 'a', sizeof(block));
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	for (sent = 0; sent < 6000; sent += part) {
		part = write(master, block, 500);
		if (part <= 0)
			break;
		arrives(master);
	}
	part = write(master, "\n", 1);
	tap_ok(sent == 6000 && part == 1 && SOON((events_of(slave, POLLIN, 0) & POLLIN)) &&
		       read(slave, block, sizeof(block)) == 4096 && block[4095] == '\n',
	       "a line has at most 4096 bytes");
	close_pair();
}

static void ends(void)
{
	char c;
	int fd;

	open_pair();
	tap_ok(!(events_of(master, POLLIN | POLLOUT, 0) & (POLLIN | POLLHUP)), "nothing has happened");
	tap_ok(write(slave, "last", 4) == 4, "written");
	close(slave);
	tap_ok((events_of(master, POLLIN, 100) & (POLLIN | POLLHUP)) == (POLLIN | POLLHUP),
	       "the slave's end: POLLHUP beside what is left");
	tap_ok(!strcmp(arrives(master), "last"), "what is left is read");
	tap_ok(fails(read(master, &c, 1), EIO), "then EIO");
	tap_ok((events_of(master, POLLIN | POLLOUT, 0) & (POLLIN | POLLHUP | POLLOUT)) ==
		       (POLLHUP | POLLOUT),
	       "POLLHUP stays");
	slave = open_slave(master);
	tap_ok(!(events_of(master, POLLIN, 0) & POLLHUP), "it ends when the slave is opened again");
	tap_ok(write(slave, "again", 5) == 5 && !strcmp(arrives(master), "again"), "and works");
	fd = dup(slave);
	close(slave);
	tap_ok(!(events_of(master, POLLIN, 0) & POLLHUP), "one of two descriptors is no end");
	close(fd);
	tap_ok(write(master, "early\n", 6) == 6, "the master can write meanwhile");
	slave = open_slave(master);
	tap_ok(!strcmp(arrives(slave), "early\n"), "and the next opener reads it");

	close(master);
	tap_ok((events_of(slave, POLLIN | POLLOUT, 0) & (POLLIN | POLLHUP)) == (POLLIN | POLLHUP),
	       "the master's end: POLLHUP");
	tap_ok(read(slave, &c, 1) == 0, "the slave reads end of file");
	tap_ok(fails(write(slave, "x", 1), EIO), "writes EIO");
	tap_ok(fails(ioctl(slave, TCGETS, &c), EIO), "and so does ioctl");
	tap_ok(fails(ioctl(slave, TIOCSPGRP, &c), ENOTTY), "but TIOCSPGRP, ENOTTY");
	close(slave);
}

static void flows(void)
{
	open_pair();
	make_raw();
	tap_ok(!tcflow(slave, TCOOFF) && (fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK),
					  fails(write(slave, "x", 1), EAGAIN)),
	       "TCOOFF stops output");
	tap_ok(!tcflow(slave, TCOON) && write(slave, "y", 1) == 1 && !strcmp(arrives(master), "y"),
	       "TCOON");
	tap_ok(!tcflow(slave, TCIOFF) && !strcmp(arrives(master), "\x13") &&
		       !tcflow(slave, TCION) && !strcmp(arrives(master), "\x11"),
	       "TCIOFF and TCION send the characters");
	tap_ok(fails(tcflow(slave, 9), EINVAL) && fails(tcflush(slave, 9), EINVAL), "no such action");
	tap_ok(write(slave, "lost", 4) == 4 && SOON(events_of(master, POLLIN, 0) & POLLIN) &&
		       !tcflush(master, TCIFLUSH) && !(events_of(master, POLLIN, 50) & POLLIN),
	       "the master's input can be thrown away");
	tap_ok(write(master, "lost", 4) == 4 && SOON(events_of(slave, POLLIN, 0) & POLLIN) &&
		       !tcflush(slave, TCIFLUSH) && !(events_of(slave, POLLIN, 50) & POLLIN),
	       "and the slave's");
	close_pair();
}

/* One read in packet mode: its first byte, or -1. */
static int packet(char *data, size_t size)
{
	char buffer[256];
	ssize_t length;

	if (!(events_of(master, POLLIN, 300) & POLLIN))
		return -1;
	length = read(master, buffer, sizeof(buffer));
	if (length <= 0)
		return -1;
	snprintf(data, size, "%.*s", (int)length - 1, buffer + 1);
	return (unsigned char)buffer[0];
}

static void packets(void)
{
	struct termios settings;
	char data[64];
	int on = 1, off = 0, state = -1, events;

	open_pair();
	tap_ok(!ioctl(master, TIOCGPKT, &state) && state == 0, "packet mode is off");
	tap_ok(!ioctl(master, TIOCPKT, &on) && !ioctl(master, TIOCGPKT, &state) && state == 1, "now on");
	tap_ok(write(slave, "data", 4) == 4 && packet(data, sizeof(data)) == TIOCPKT_DATA &&
		       !strcmp(data, "data"),
	       "data has a 0 before it");
	tcflush(slave, TCIFLUSH);
	events = events_of(master, POLLIN | POLLPRI, 300);
	tap_ok((events & (POLLIN | POLLPRI)) == (POLLIN | POLLPRI), "an event is POLLPRI");
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_FLUSHREAD, "TCIFLUSH: FLUSHREAD");
	tcflush(slave, TCOFLUSH);
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_FLUSHWRITE, "TCOFLUSH: FLUSHWRITE");
	tcflow(slave, TCOOFF);
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_STOP, "TCOOFF: STOP");
	tcflow(slave, TCOON);
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_START, "TCOON: START");
	tcgetattr(slave, &settings);
	settings.c_iflag &= ~IXON;
	tcsetattr(slave, TCSANOW, &settings);
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_NOSTOP, "IXON off: NOSTOP");
	settings.c_iflag |= IXON;
	tcsetattr(slave, TCSANOW, &settings);
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_DOSTOP, "IXON on: DOSTOP");
	settings.c_lflag |= EXTPROC;
	tcsetattr(slave, TCSANOW, &settings);
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_IOCTL, "EXTPROC: IOCTL");
	tap_ok(write(master, "a\x03", 2) == 2 && !strcmp(arrives(slave), "a\x03"),
	       "EXTPROC leaves input alone");
	settings.c_lflag &= ~EXTPROC;
	tcsetattr(slave, TCSANOW, &settings);
	tap_ok(packet(data, sizeof(data)) == TIOCPKT_IOCTL, "and off again");
	tap_ok(!ioctl(master, TIOCPKT, &off) && write(slave, "plain", 5) == 5 &&
		       !strcmp(arrives(master), "plain"),
	       "off: plain data");
	close_pair();
}

/* ---- In a session of its own. The exit status says which check failed: the line, modulo 255, plus 1; 0: none. ---- */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ % 255 + 1);                                                 \
	} while (0)

static volatile sig_atomic_t hang_ups, continues, interrupts, changes;

static void count_signal(int signal)
{
	if (signal == SIGHUP)
		hang_ups++;
	else if (signal == SIGCONT)
		continues++;
	else if (signal == SIGINT)
		interrupts++;
	else if (signal == SIGWINCH)
		changes++;
}

static void count_all(void)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };

	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGCONT, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGWINCH, &action, NULL);
}

static void in_session(const char *name, void (*body)(void))
{
	int status = -1;
	pid_t child;

	open_pair();
	child = fork();
	if (!child) {
		alarm(20);
		count_all();
		body();
		_exit(0);
	}
	close_pair();
	waitpid(child, &status, 0);
	tap_ok(status == 0, "%s (status 0x%x: line %% 255 + 1 of what failed)", name, status);
}

static void take_terminal(void)
{
	CHECK(setsid() == getpid());
	CHECK(!ioctl(slave, TIOCSCTTY, 0));
}

static void controlling(void)
{
	int group = -1, session = -1, fd;

	CHECK(fails(ioctl(slave, TIOCGPGRP, &group), ENOTTY));
	CHECK(fails(ioctl(master, TIOCGSID, &session), ENOTTY));
	CHECK(!ioctl(master, TIOCGPGRP, &group) && group == 0);
	CHECK(fails(ioctl(slave, TIOCSCTTY, 0), EPERM)); /* no leader */
	CHECK(fails(ioctl(slave, TIOCNOTTY), ENOTTY));
	CHECK(setsid() == getpid());
	fd = open_master();
	CHECK(fd >= 0 && fails(open("/dev/tty", O_RDWR), ENXIO)); /* a master never is one */
	close(fd);
	fd = open(slave_name(master), O_RDWR | O_NOCTTY);
	CHECK(fd >= 0 && fails(open("/dev/tty", O_RDWR), ENXIO));
	close(fd);
	fd = open(slave_name(master), O_RDWR);
	CHECK(fd >= 0);
	close(fd);
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0 && !ioctl(fd, TIOCGPGRP, &group) && group == getpid());
	close(fd);
	CHECK(!ioctl(master, TIOCGPGRP, &group) && group == getpid());
	CHECK(!ioctl(master, TIOCGSID, &session) && session == getpid());
	CHECK(!ioctl(slave, TIOCSCTTY, 0)); /* it has it already */
	CHECK(fails(ioctl(master, TIOCNOTTY), ENOTTY));

	/* One child leaves it, for itself. */
	if (!fork()) {
		CHECK((fd = open("/dev/tty", O_RDWR)) >= 0);
		CHECK(!ioctl(fd, TIOCNOTTY));
		CHECK(fails(open("/dev/tty", O_RDWR), ENXIO));
		CHECK(fails(ioctl(slave, TIOCGPGRP, &group), ENOTTY));
		_exit(0);
	}
	CHECK(wait(&session) > 0 && session == 0);
	CHECK((fd = open("/dev/tty", O_RDWR)) >= 0);
	close(fd);

	group = 1;
	CHECK(fails(ioctl(slave, TIOCSPGRP, &group), EPERM)); /* not of this session */
	group = -5;
	CHECK(fails(ioctl(slave, TIOCSPGRP, &group), EINVAL));
	group = 99999;
	CHECK(fails(ioctl(slave, TIOCSPGRP, &group), ESRCH));

	/* Another session cannot have it. */
	if (!fork()) {
		CHECK(setsid() > 0);
		CHECK(setresuid(1, 1, 1) == 0);
		CHECK(fails(ioctl(slave, TIOCSCTTY, 0), EPERM) &&
		      fails(ioctl(slave, TIOCSCTTY, 1), EPERM));
		_exit(0);
	}
	CHECK(wait(&session) > 0 && session == 0);
	/* Unless it is root and steals it. */
	if (!fork()) {
		CHECK(setsid() > 0);
		CHECK(fails(ioctl(slave, TIOCSCTTY, 0), EPERM) && !ioctl(slave, TIOCSCTTY, 1));
		_exit(0);
	}
	CHECK(wait(&session) > 0 && session == 0);
	CHECK(fails(open("/dev/tty", O_RDWR), ENXIO));
}

static void signals(void)
{
	struct winsize size = { 50, 60, 0, 0 };

	take_terminal();
	CHECK(write(master, "\x03", 1) == 1 && SOON(interrupts == 1));
	CHECK(!ioctl(master, TIOCSIG, SIGINT) && SOON(interrupts == 2));
	CHECK(fails(ioctl(master, TIOCSIG, SIGTERM), EINVAL));
	CHECK(!ioctl(master, TIOCSWINSZ, &size) && SOON(changes == 1));
	CHECK(!ioctl(slave, TIOCSWINSZ, &size)); /* the same: no signal */
	size.ws_col++;
	CHECK(!ioctl(slave, TIOCSWINSZ, &size) && SOON(changes == 2));
	usleep(20000);
	CHECK(changes == 2 && interrupts == 2);
}

static void master_goes(void)
{
	char c;
	int status;
	pid_t child, background;

	take_terminal();
	/* A reader that waits when it happens gets EIO. */
	child = fork();
	if (!child) {
		ssize_t got;

		close(master);
		got = read(slave, &c, 1);
		_exit(got == -1 && errno == EIO ? 7 : got == 0 ? 8 : 9);
	}
	background = fork();
	if (!background) {
		close(master);
		setpgid(0, 0);
		signal(SIGHUP, SIG_DFL);
		pause();
		_exit(1);
	}
	usleep(50000);
	close(master);
	CHECK(SOON(hang_ups == 1 && continues == 1));
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(fails(open("/dev/tty", O_RDWR), ENXIO));
	CHECK(waitpid(background, &status, WNOHANG) == 0); /* it hears of nothing */
	kill(background, SIGKILL);
	usleep(20000);
	CHECK(hang_ups == 1 && continues == 1);
	CHECK(read(slave, &c, 1) == 0 && fails(write(slave, "x", 1), EIO));
}

/* The leader exits: its foreground group gets SIGHUP, but the terminal is not hung up. */
static void leader_goes(void)
{
	int ready[2], status;
	char c;
	pid_t leader;

	CHECK(!pipe(ready));
	leader = fork();
	if (!leader) {
		take_terminal();
		if (!fork()) {
			while (!hang_ups)
				usleep(1000);
			CHECK(fails(open("/dev/tty", O_RDWR), ENXIO));
			CHECK(write(slave, "alive", 5) == 5);
			CHECK(write(ready[1], "y", 1) == 1);
			_exit(0);
		}
		usleep(20000);
		_exit(0);
	}
	CHECK(waitpid(leader, &status, 0) == leader && status == 0);
	close(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(!strcmp(arrives(master), "alive"));
	CHECK(setsid() > 0 && !ioctl(slave, TIOCSCTTY, 0)); /* it is free again */
}

/* TIOCNOTTY of the leader: everyone leaves, and the foreground is told. */
static void leader_leaves(void)
{
	take_terminal();
	CHECK(!ioctl(slave, TIOCNOTTY));
	CHECK(SOON(hang_ups == 1 && continues == 1));
	CHECK(fails(open("/dev/tty", O_RDWR), ENXIO));
	CHECK(write(slave, "x", 1) == 1);
}

static void hung_up(void)
{
	char c;

	take_terminal();
	CHECK(!vhangup());
	CHECK(SOON(hang_ups == 1));
	CHECK(read(slave, &c, 1) == 0 && fails(write(slave, "x", 1), EIO) &&
	      fails(ioctl(slave, TCGETS, &c), EIO));
	CHECK(fails(open("/dev/tty", O_RDWR), ENXIO));
	close(slave);
	slave = open_slave(master);
	CHECK(slave >= 0 && write(slave, "new", 3) == 3 && !strcmp(arrives(master), "new"));
	CHECK(!setresuid(1, 1, 1) && fails(vhangup(), EPERM) && fails(ioctl(slave, TIOCVHANGUP), EPERM));
}

/* What a background group may do. */
static void background(void)
{
	struct termios settings;
	int status, group;
	pid_t child;

	take_terminal();
	tcgetattr(slave, &settings);
	child = fork();
	if (!child) {
		setpgid(0, 0);
		CHECK(write(slave, "w", 1) == 1); /* without TOSTOP */
		CHECK(!tcgetattr(slave, &settings));
		signal(SIGTTOU, SIG_IGN);
		CHECK(!tcsetattr(slave, TCSANOW, &settings));
		signal(SIGTTIN, SIG_IGN);
		CHECK(fails(read(slave, &status, 1), EIO));
		signal(SIGTTOU, SIG_DFL);
		tcsetattr(slave, TCSANOW, &settings);
		_exit(3);
	}
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGTTOU);
	group = child;
	signal(SIGTTOU, SIG_IGN);
	CHECK(!ioctl(slave, TIOCSPGRP, &group));
	kill(child, SIGCONT);
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
	group = getpid();
	CHECK(!ioctl(slave, TIOCSPGRP, &group));

	/* An orphaned group cannot be stopped: EIO. */
	child = fork();
	if (!child) {
		pid_t parent = getpid(), orphan = fork();

		if (!orphan) {
			setpgid(0, 0);
			while (getppid() == parent)
				usleep(1000);
			signal(SIGTTOU, SIG_DFL);
			status = 'n';
			if (fails(read(slave, &status, 1), EIO) &&
			    fails(tcsetattr(slave, TCSANOW, &settings), EIO) &&
			    write(slave, "!", 1) == 1)
				_exit(0);
			_exit(1);
		}
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(SOON(strchr(arrives(master), '!')));
}

/* Root takes the console's output, until it is given back. */
static void console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY),
	    other = open(slave_name(master), O_RDONLY | O_NOCTTY);

	CHECK(fd >= 0 && fails(ioctl(other, TIOCCONS), EBADF));
	close(other);
	CHECK(!ioctl(slave, TIOCCONS) && fails(ioctl(slave, TIOCCONS), EBUSY));
	CHECK(write(fd, "news", 4) == 4 && !strcmp(arrives(master), "news"));
	CHECK(!ioctl(fd, TIOCCONS));
	CHECK(write(fd, "\n", 1) == 1 && !strcmp(arrives(master), ""));
}

static void typing(void)
{
	char c = 'k';
	int fd = open_master();

	take_terminal();
	tcflush(slave, TCIOFLUSH);
	CHECK(!ioctl(slave, TIOCSTI, &c));
	c = '\n';
	CHECK(!ioctl(slave, TIOCSTI, &c));
	CHECK(!strcmp(arrives(slave), "k\n"));
	CHECK(!chmod(slave_name(master), 0666) && !setresuid(1, 1, 1));
	CHECK(!ioctl(slave, TIOCSTI, &c)); /* its own terminal */
	CHECK(fails(ioctl(fd, TIOCSTI, &c), EPERM));
	CHECK(fails(ioctl(slave, TIOCCONS), EPERM));
	CHECK(!ioctl(slave, TIOCEXCL));
	CHECK(fails(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EBUSY));
}

/* Somebody is still on the slave of a master that is gone: its number is nobody else's. */
static void numbers(void)
{
	int left, number;

	open_pair();
	left = slave;
	ioctl(master, TIOCGPTN, &number);
	close(master);
	open_pair();
	tap_ok(slave >= 0, "a new pty can be opened");
	tap_ok(ioctl(master, TIOCGPTN, &left) == 0 && left != number,
	       "it has another number than one in use");
	close_pair();
}

int main(void)
{
	signal(SIGHUP, SIG_IGN);
	if (!mount_devpts()) {
		printf("1..0 # SKIP no pseudo terminals\n");
		return 0;
	}
	nodes();
	instances();
	numbers();
	both_ways();
	commands();
	pressure();
	ends();
	flows();
	packets();
	in_session("controlling terminals", controlling);
	in_session("signals reach the foreground", signals);
	in_session("the master is closed", master_goes);
	in_session("the leader exits", leader_goes);
	in_session("the leader gives its terminal up", leader_leaves);
	in_session("vhangup", hung_up);
	in_session("background groups", background);
	in_session("TIOCCONS", console);
	in_session("TIOCSTI, TIOCEXCL", typing);
	return tap_end();
}
