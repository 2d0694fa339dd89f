/*
 * Terminals (kernel/tty/): line discipline, job control; drivers register a tty_driver and feed received bytes in.
 */
#ifndef KUMO_TTY_H
#define KUMO_TTY_H

#include <asm/termbits.h>
#include <asm/termios.h>
#include <kumo/device.h>
#include <kumo/mutex.h>
#include <kumo/thread.h>
#include <kumo/wait.h>

struct tty;

/* No operation is called any more once tty_unregister() is back. Those without a remark may sleep. */
struct tty_driver_ops {
	/* Takes up to size bytes for output; how many were taken. Called with interrupts off; does not sleep. A driver that took
	 * fewer calls tty_output_ready() when there is room again. */
	size_t (*write)(struct tty *tty, const u8 *data, size_t size);
	size_t (*write_room)(struct tty *tty); /* about how much it would take; as write */
	int (*open)(struct tty *tty);	       /* first open */
	void (*close)(struct tty *tty);	       /* last close, or hang-up */
	void (*set_termios)(struct tty *tty, const struct ktermios *old);
	void (*throttle)(struct tty *tty, bool stop); /* nobody reads; as write */
	int (*ioctl)(struct tty *tty, unsigned int command, unsigned long argument); /* -ENOIOCTLCMD: not mine */
	void (*flush_output)(struct tty *tty); /* forgets what it has not sent; as write */
	bool (*output_empty)(struct tty *tty); /* all was sent; as write */

	/* For a driver whose other side can be made to wait, in place of giving bytes to tty_receive(): gives up to size of
	 * those that were received, as many as it has. Asked by tty_receive(), and when there is room again; as write. */
	size_t (*receive)(struct tty *tty, u8 *to, size_t size);
	/* Something happened that the other side may want to know: TIOCPKT_ bits of START, STOP, FLUSHREAD; as write. */
	void (*status)(struct tty *tty, unsigned int what);
	void (*limit_termios)(struct ktermios *wanted); /* takes out what it cannot do; does not sleep */
	const struct ktermios *termios;			/* to begin with; NULL: the usual ones */
	/* A program is the other side, and no line: output is sent when it was taken; who hangs up the terminal does not close
	 * it; it outlives the session that it controls. */
	bool pseudo;
};

/* Registers /dev/NAME; ERR_PTR. The structure is freed after tty_unregister() when the last user has closed it. */
struct tty *tty_register(const char *name, u64 number, const struct tty_driver_ops *ops,
			 void *private, struct module *owner);
void tty_unregister(struct tty *tty); /* hangs up: readers get EOF, writers EIO, the session SIGHUP */
/* The same for a terminal that has no device: who made it opens files on it. NULL: no memory. */
struct tty *tty_create(const char *name, u64 number, const struct tty_driver_ops *ops,
		       void *private) __must_check;
void tty_destroy(struct tty *tty);
/* Makes `file`, which is being opened, one of the terminal. Takes its own reference. `console`: the file survives hang-ups. */
int tty_open_file(struct file *file, struct tty *tty, bool console) __must_check;
/* ioctl(2) on the other side of a pseudo terminal, as far as it is about the terminal; else -ENOTTY. */
long tty_ioctl_other_side(struct file *file, struct tty *tty, unsigned int command,
			  unsigned long argument) __must_check;
/* Sends the signals, bit n-1 for signal n, to the foreground group. Sleeps not, but holds no locks. */
void tty_send_signals(struct tty *tty, unsigned long signals);
void *tty_private(struct tty *tty);
const struct ktermios *tty_termios(struct tty *tty); /* for set_termios */
/* From the driver, any context, but holding no lock that its `write` takes: received bytes (none, when the driver is asked for
 * them); a break; room for more output; modem hang-up. */
void tty_receive(struct tty *tty, const u8 *data, size_t size);
void tty_receive_break(struct tty *tty);
void tty_output_ready(struct tty *tty);
void tty_hangup(struct tty *tty);
void tty_set_size(struct tty *tty, unsigned int rows,
		  unsigned int columns); /* SIGWINCH to the foreground group */
/* The console: where /dev/console leads (the last console= on the command line; default ttyS0). A driver offers its
 * terminal; while none of the wanted name is there, the first one offered is the console. */
void tty_console_prefer(struct tty *tty, const char *name);
extern const struct ktermios tty_default_termios;
/* Bits a second that the termios ask for. */
unsigned int termios_speed(const struct ktermios *termios);

/* For process code. */
struct tty *tty_of_current(void); /* referenced controlling terminal, or NULL */
void tty_get(struct tty *tty);
void tty_put(struct tty *tty);
/* The leader of the session exits: its terminal is hung up and is nobody's controlling terminal. Sleeps. */
void tty_session_ended(struct session *session);
void tty_hangup_now(struct tty *tty); /* vhangup(2); sleeps */
u64 tty_number(struct tty *tty);
int tty_foreground_group(struct tty *tty);

void tty_init(void);

#endif
