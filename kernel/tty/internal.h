/*
 * Between the files of the terminals: tty.c (devices, reading, writing), n_tty.c (line discipline), ioctl.c, jobs.c
 * (controlling terminals).
 *
 * Locks, outermost first: mutex; read_mutex or write_mutex; process_tree_lock; lock.
 */
#ifndef KERNEL_TTY_INTERNAL_H
#define KERNEL_TTY_INTERNAL_H

#include <kumo/file.h>
#include <kumo/tty.h>
#include <kumo/work.h>

#define INPUT_SIZE 4096	 /* bytes of input that wait for a reader; a line is at most one less */
#define OUTPUT_SIZE 1024 /* processed output and echoes on the way to the driver */
#define OUTPUT_MARGIN 16 /* the most that one character may turn into */

struct tty {
	refcount_t refs;
	char name[32];
	u64 number;
	const struct tty_driver_ops *ops;
	void *private;
	bool pseudo; /* ops->pseudo; known when the driver has gone, too */
	struct char_device device;
	struct work hangup_work;

	struct mutex mutex; /* opening, closing, hanging up, termios changes; calls of the driver that may sleep */
	unsigned int opened,
		console_opened; /* open files that are not hung up; those by the name /dev/console */
	bool exclusive;		/* TIOCEXCL */

	struct mutex read_mutex, write_mutex; /* one reader, one writer at a time */
	u8 *write_buffer;		      /* of the writer: OUTPUT_SIZE bytes */

	spinlock_t lock; /* interrupts off: all of the following, and calls of the driver that may not sleep */
	bool gone;   /* unregistered: the driver is not called any more */
	u32 hangups; /* how often it was hung up: open files remember */
	struct ktermios termios;
	struct winsize size;
	struct wait_queue read_wait, write_wait;

	/* Input. Positions run on; those in [tail, line_head) can be read as lines; [line_head, head) is the line being
	 * edited. */
	u8 *input;
	unsigned long line_end[INPUT_SIZE / 64]; /* a bit for each byte that ends a line */
	u32 tail, line_head, head;
	u32 line_column;   /* where on the screen the line being edited starts */
	bool literal_next; /* the next byte is taken as it is */
	bool erasing; /* ECHOPRT: the erased characters are being shown, between '\\' and '/' */
	bool throttled;
	unsigned long signals; /* to be sent when the lock is free: bit n-1 is signal n */

	/* Output. */
	u8 output[OUTPUT_SIZE];
	u32 output_tail, output_head;
	u32 column, shown_column; /* after what is in the ring; when it was last empty */
	bool stopped;		  /* by XOFF or TCOOFF */
	bool held;		  /* by TCOOFF: only TCOON lets it go on */

	/* Job control, under process_tree_lock. */
	struct session *session; /* whose controlling terminal it is; not referenced: session->tty holds the terminal */
	int foreground; /* the foreground group's number; 0: none */
};

/* An open file. */
struct tty_file {
	struct tty *tty; /* owned reference */
	u32 hangups;	 /* tty->hangups when it was opened: another value, and it is hung up */
	bool console;	 /* opened as /dev/console, or the other side: survives hang-ups */
};

static inline struct tty_file *tty_file_of(const struct file *file)
{
	return file->private;
}

static inline bool tty_file_hung_up(const struct tty_file *open)
{
	return READ_ONCE(open->tty->gone) ||
	       (!open->console && READ_ONCE(open->tty->hangups) != open->hangups);
}

static inline tcflag_t input_flag(const struct tty *tty, tcflag_t flag)
{
	return tty->termios.c_iflag & flag;
}

static inline tcflag_t output_flag(const struct tty *tty, tcflag_t flag)
{
	return tty->termios.c_oflag & flag;
}

static inline tcflag_t local_flag(const struct tty *tty, tcflag_t flag)
{
	return tty->termios.c_lflag & flag;
}

static inline bool is_control(const struct tty *tty, u8 c, int which)
{
	return c == tty->termios.c_cc[which] && c != 0; /* 0: disabled */
}

/* tty.c */
/* Writes to /dev/console go to the terminal; NULL: to the console itself again. -EBUSY: they go elsewhere already. */
int tty_redirect_console(struct tty *tty) __must_check;
/* Waits until all output was sent. -ERESTARTSYS. */
int tty_drain(struct tty_file *open) __must_check;

/* n_tty.c: tty->lock held */
void line_reset(struct tty *tty);
void line_receive(struct tty *tty, u8 c);
void line_receive_break(struct tty *tty);
void line_pull(struct tty *tty); /* from a driver that keeps what it received, as much as there is room for */
void line_termios_changed(struct tty *tty, const struct ktermios *old);
void line_flush(struct tty *tty);
bool line_readable(const struct tty *tty, unsigned int minimum); /* raw input: that many bytes */
u32 line_available(const struct tty *tty);			 /* for FIONREAD */
/* Moves input to `to`; *complete: a line, or end of file, has been taken. */
size_t line_take(struct tty *tty, u8 *to, size_t size, bool *complete);
size_t line_write(struct tty *tty, const u8 *data, size_t size); /* how many bytes were taken */
void output_flush(struct tty *tty);				 /* to the driver */
bool output_has_room(const struct tty *tty);
void output_discard(struct tty *tty);
void output_stop(struct tty *tty, bool stop); /* XOFF, XON */
void output_hold(struct tty *tty, bool hold); /* TCOOFF, TCOON */
void input_throttle(struct tty *tty); /* tells the driver when too much, or little again, waits */

/* jobs.c: no locks held */
/* May the current process do it? `signal` is what a background process gets: SIGTTIN or SIGTTOU. 0, -EIO, -ERESTARTSYS. */
int tty_check_foreground(struct tty *tty, int signal) __must_check;
void tty_open_controlling(struct tty *tty, struct file *file);
/* The terminal is nobody's controlling terminal any more; `signals` go to the foreground group. With `hang_up` the session's
 * leader gets SIGHUP and SIGCONT now, and the foreground group when the leader exits. */
void tty_detach_session(struct tty *tty, unsigned long signals, bool hang_up);
/* other_side: of a pseudo terminal. */
long tty_jobs_ioctl(struct file *file, struct tty *tty, bool other_side, unsigned int command,
		    unsigned long argument);

/* ioctl.c */
long tty_ioctl(struct file *file, unsigned int command, unsigned long argument);

#endif
