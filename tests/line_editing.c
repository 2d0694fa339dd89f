/*
 * Finer points of the line discipline, seen from the master of a pseudo terminal: erasing as on paper (ECHOPRT), tabs, letters of
 * Latin-1, and output that is held by TCOOFF, which XON does not let go on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <termios.h>

#include "gives.h"

static int master, slave;
static struct termios plain;

/* Has the master read what it is sent back for `input`? */
static void shows(const char *input, const char *expected)
{
	struct pollfd ready = { .fd = master, .events = POLLIN };
	char text[400];
	ssize_t size = 0, part;

	if (write(master, input, strlen(input)) < 0) {
		tap_ok(0, "write to the master: %s", strerror(errno));
		return;
	}
	while (size < (ssize_t)sizeof(text) - 1 && poll(&ready, 1, size ? 20 : 200) == 1 &&
	       (part = read(master, text + size, sizeof(text) - 1 - (size_t)size)) > 0)
		size += part;
	text[size] = '\0';
	if (!strcmp(text, expected)) {
		tap_ok(1, "an echo of %zd bytes", size);
		return;
	}
	tap_ok(0, "an echo of %zd bytes is another", size);
	for (ssize_t i = 0; i < size; i++)
		printf("# %02x\n", (unsigned char)text[i]);
}

/* The flags that are wanted beside the usual ones, the usual ones that are not. */
static void flags(tcflag_t input, tcflag_t output, tcflag_t local, tcflag_t not_local)
{
	struct termios wanted = plain;

	wanted.c_iflag |= input;
	wanted.c_oflag |= output;
	wanted.c_lflag = (wanted.c_lflag | local) & ~not_local;
	if (tcsetattr(slave, TCSAFLUSH, &wanted))
		tap_ok(0, "tcsetattr");
}

static void erasing(void)
{
	flags(0, 0, ECHOPRT, 0);
	shows("abc\x7f\x7f", "abc\\cb");
	shows("d", "/d");
	shows("\x17", "\\da/");
	shows("\n", "\r\n");
	flags(0, 0, 0, ECHOE);
	shows("ab\x7f", "ab^?");
	shows("\x17", "\b \b");
	flags(0, 0, 0, 0);
	shows("\t2\t\x7f", "\t2\t\b\b\b\b\b\b\b");
	shows("\x15", "\b \b\b\b\b\b\b"); /* the line began in column 3 */
}

static void letters(void)
{
	flags(IUCLC, OLCUC, 0, 0);
	shows("aB\xe9\xc9\xf7\xff\n", "AB\xc9\xc9\xf7\xff\r\n");
	flags(0, 0, 0, 0);
}

/* Where lines do not matter their end is a control character like others, unless it was made of CR. */
static void ends_of_lines(void)
{
	flags(0, 0, 0, ICANON);
	shows("a\n", "a^J");
	shows("b\r", "b\r\n");
	flags(0, 0, 0, 0);
}

static void held_output(void)
{
	int waiting = -1;

	flags(0, 0, 0, 0);
	gives(0, tcflow(slave, TCOOFF));
	shows("a\x11", ""); /* XON is for what XOFF stopped */
	gives(0, ioctl(slave, TIOCOUTQ, &waiting));
	gives(0, waiting);
	gives(0, tcflow(slave, TCIOFF));
	gives(0, tcflow(slave, TCOON));
	shows("b", "ab");
	shows("\x13", "");
	gives(0, tcflow(slave, TCOON)); /* and the other way round */
	shows("c", "");
	shows("\x11", "c");
	shows("\n", "\r\n");
}

/* Where nobody has mounted the terminals' tree it is done here. */
static int open_master(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 || (mkdir("/dev/pts", 0755) && errno != EEXIST) ||
	    mount("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666"))
		return fd;
	return posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
}

int main(void)
{
	master = open_master();
	if (master < 0 || grantpt(master) || unlockpt(master))
		return 77;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0 || tcgetattr(slave, &plain))
		return 1;
	erasing();
	letters();
	ends_of_lines();
	held_output();
	return tap_end();
}
