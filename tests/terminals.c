/* Terminals from user space: a pseudo terminal stands for keyboard and screen. Without any, all is skipped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tap.h"

static int keyboard, terminal;

static void type(const char *text)
{
	if (write(keyboard, text, strlen(text)) < 0)
		perror("typing");
}

/* What is typed arrives in a moment: the condition comes true within a second. */
#define SOON(condition)                                                                            \
	({                                                                                         \
		int tries = 0;                                                                     \
		while (!(condition) && ++tries < 200)                                              \
			usleep(5000);                                                              \
		(condition);                                                                       \
	})

/* What the screen shows within a moment. */
static const char *screen(void)
{
	static char shown[4096];
	struct pollfd poller = { .fd = keyboard, .events = POLLIN };
	size_t length = 0;

	while (poll(&poller, 1, 50) == 1 && (poller.revents & POLLIN) && length < sizeof(shown) - 1) {
		ssize_t part = read(keyboard, shown + length, sizeof(shown) - 1 - length);

		if (part <= 0)
			break;
		length += part;
	}
	shown[length] = '\0';
	return shown;
}

static int reads(const char *wanted)
{
	char buffer[256];
	ssize_t length = read(terminal, buffer, sizeof(buffer) - 1);

	if (length < 0)
		return 0;
	buffer[length] = '\0';
	return !strcmp(buffer, wanted);
}

static void change(tcflag_t clear_local, tcflag_t clear_input, int minimum, int time)
{
	struct termios settings;

	tcgetattr(terminal, &settings);
	settings.c_lflag &= ~clear_local;
	settings.c_iflag &= ~clear_input;
	if (minimum >= 0) {
		settings.c_cc[VMIN] = minimum;
		settings.c_cc[VTIME] = time;
	}
	tcsetattr(terminal, TCSANOW, &settings);
}

static int open_terminal(void)
{
	keyboard = posix_openpt(O_RDWR | O_NOCTTY);
	if (keyboard < 0 || grantpt(keyboard) || unlockpt(keyboard))
		return 0;
	terminal = open(ptsname(keyboard), O_RDWR | O_NOCTTY);
	return terminal >= 0;
}

static void close_terminal(void)
{
	close(terminal);
	close(keyboard);
}

static void lines(void)
{
	tap_ok(isatty(terminal), "it is a terminal");
	type("hello\r");
	tap_ok(reads("hello\n"), "a line is read");
	tap_ok(!strcmp(screen(), "hello\r\n"), "and was echoed");
	type("abX\x7f\r");
	tap_ok(reads("ab\n"), "erase takes a character back");
	tap_ok(!strcmp(screen(), "abX\b \b\r\n"), "on the screen, too");
	type("one two\x17three\r");
	tap_ok(reads("one three\n"), "^W takes a word back");
	type("nonsense\x15sense\r");
	tap_ok(reads("sense\n"), "^U takes the line back");
	type("\x04");
	tap_ok(reads(""), "^D is end of file");
	type("part\x04");
	tap_ok(reads("part"), "^D gives a part of a line");
	type("\x16\x03\r");
	tap_ok(reads("\x03\n"), "^V takes the next as it is");
	screen();
	tap_ok(write(terminal, "a\nb", 3) == 3 && !strcmp(screen(), "a\r\nb"),
	       "newlines go out as CR LF");
}

static void raw(void)
{
	int count = -1;
	char c;

	type("ab");
	change(ICANON | ECHO | ISIG | IEXTEN, ICRNL | IXON, 1, 0);
	tap_ok(SOON(!ioctl(terminal, FIONREAD, &count) && count == 2), "FIONREAD counts raw input");
	tap_ok(reads("ab"), "half a line can be read when lines are off");
	type("\x03\r\x04");
	tap_ok(SOON(!ioctl(terminal, FIONREAD, &count) && count == 3) && reads("\x03\r\x04"),
	       "raw input is not changed");
	change(0, 0, 0, 0);
	tap_ok(read(terminal, &c, 1) == 0, "MIN 0, TIME 0: does not wait");
	change(0, 0, 0, 1);
	tap_ok(read(terminal, &c, 1) == 0, "MIN 0, TIME 1: a tenth of a second");
	change(0, 0, 5, 1);
	type("xyz");
	tap_ok(reads("xyz"), "MIN 5, TIME 1: what came within a tenth of a second");
	tcflush(terminal, TCIOFLUSH);
}

static volatile sig_atomic_t caught;

static void catch (int signal)
{
	caught = signal;
}

static void window(void)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 }, got = {};

	tap_ok(!ioctl(terminal, TIOCSWINSZ, &size) && !ioctl(keyboard, TIOCGWINSZ, &got) &&
		       got.ws_row == 33 && got.ws_col == 99,
	       "the window's size is kept");
}

/* In a session of its own, whose controlling terminal it is. Results come back as the exit status: 0, or which check failed. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ & 0xff);                                                    \
	} while (0)

/* A background process stops when it reads; in the foreground it goes on. */
static void background_reader(void)
{
	int status;
	pid_t child;

	child = fork();
	if (!child) {
		setpgid(0, 0);
		_exit(reads("fore\n") ? 7 : 8);
	}
	setpgid(child, child);
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGTTIN);
	signal(SIGTTOU, SIG_IGN);
	CHECK(!tcsetpgrp(terminal, child));
	CHECK(!kill(child, SIGCONT));
	type("fore\r");
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(!tcsetpgrp(terminal, getpgrp()));
}

/* ^Z stops the foreground. */
static void stopped_foreground(void)
{
	int status;
	pid_t child;

	child = fork();
	if (!child) {
		setpgid(0, 0);
		tcsetpgrp(terminal, getpid());
		for (;;)
			pause();
	}
	setpgid(child, child);
	tcsetpgrp(terminal, child);
	type("\x1a");
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGTSTP);
	CHECK(!tcsetpgrp(terminal, getpgrp()));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

/* TOSTOP stops a background writer. */
static void background_writer(void)
{
	struct termios settings;
	int status;
	pid_t child;

	signal(SIGTTOU, SIG_DFL);
	tcgetattr(terminal, &settings);
	settings.c_lflag |= TOSTOP;
	tcsetattr(terminal, TCSANOW, &settings);
	child = fork();
	if (!child) {
		setpgid(0, 0);
		_exit(write(terminal, "x", 1) != 1);
	}
	setpgid(child, child);
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGTTOU);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

static void in_session(void)
{
	struct winsize size = { .ws_row = 10, .ws_col = 20 };
	int fd;

	CHECK(setsid() > 0);
	CHECK(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
	CHECK(!ioctl(terminal, TIOCSCTTY, 0));
	CHECK(tcgetpgrp(terminal) == getpgrp() && tcgetsid(terminal) == getsid(0));
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0 && write(fd, "T", 1) == 1);

	signal(SIGINT, catch);
	type("\x03");
	CHECK(SOON(caught == SIGINT));
	signal(SIGWINCH, catch);
	CHECK(!ioctl(keyboard, TIOCSWINSZ, &size));
	CHECK(SOON(caught == SIGWINCH));

	background_reader();
	stopped_foreground();
	background_writer();
	_exit(0);
}

static void jobs(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		alarm(20);
		in_session();
	}
	waitpid(child, &status, 0);
	tap_ok(status == 0,
	       "sessions, signals and job control (status 0x%x: line & 255 of the check that failed)",
	       status);
}

int main(void)
{
	if (!open_terminal()) {
		printf("1..0 # SKIP no pseudo terminals\n");
		return 0;
	}
	lines();
	raw();
	window();
	close_terminal();
	if (open_terminal())
		jobs();
	close_terminal();
	return tap_end();
}
