/* Terminals' ioctl(2): termios in its four forms, window size, flow, queues; job control is in jobs.c. */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <kumo/cred.h>
#include <kumo/export.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/tty.h>

#include "internal.h"

#define CONTROL(letter) ((letter)-0x40)

const struct ktermios tty_default_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = {
		[VINTR] = CONTROL('C'),
		[VQUIT] = CONTROL('\\'),
		[VERASE] = 0x7f,
		[VKILL] = CONTROL('U'),
		[VEOF] = CONTROL('D'),
		[VMIN] = 1,
		[VSTART] = CONTROL('Q'),
		[VSTOP] = CONTROL('S'),
		[VSUSP] = CONTROL('Z'),
		[VREPRINT] = CONTROL('R'),
		[VDISCARD] = CONTROL('O'),
		[VWERASE] = CONTROL('W'),
		[VLNEXT] = CONTROL('V'),
	},
	.c_ispeed = 115200,
	.c_ospeed = 115200,
};
EXPORT_SYMBOL(tty_default_termios);

/* ---- Speeds ---- */

static const unsigned int speeds[] = { 0,   50,	  75,	110,  134,  150,  200,	 300,
				       600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
static const unsigned int high_speeds[] = { 0,	     57600,   115200,  230400,	460800,	 500000,
					    576000,  921600,  1000000, 1152000, 1500000, 2000000,
					    2500000, 3000000, 3500000, 4000000 };

/* Of the code in the bits of CBAUD; BOTHER: what the structure says beside. */
static unsigned int speed_of_code(tcflag_t code, unsigned int other)
{
	if (code == BOTHER)
		return other;
	return code & CBAUDEX ? high_speeds[code & 0xf] : speeds[code & 0xf];
}

unsigned int termios_speed(const struct ktermios *termios)
{
	return speed_of_code(termios->c_cflag & CBAUD, termios->c_ospeed);
}
EXPORT_SYMBOL(termios_speed);

/* ---- termios ---- */

static void termios_get(struct tty *tty, struct ktermios *termios)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock);

	*termios = tty->termios;
	spin_unlock_irqrestore(&tty->lock, flags);
}

static long termios_apply(struct tty_file *open, const struct ktermios *wanted)
{
	struct tty *tty = open->tty;
	struct ktermios old, new = *wanted;
	unsigned long flags;

	if (mutex_lock_interruptible(&tty->mutex))
		return -ERESTARTSYS;
	if (tty_file_hung_up(open)) {
		mutex_unlock(&tty->mutex);
		return -EIO;
	}
	new.c_line = 0;
	if (tty->ops->limit_termios)
		tty->ops->limit_termios(&new);
	new.c_ospeed = termios_speed(&new);
	new.c_ispeed = (new.c_cflag >> IBSHIFT) & CBAUD
			       ? speed_of_code((new.c_cflag >> IBSHIFT) & CBAUD, new.c_ispeed)
			       : new.c_ospeed;
	flags = spin_lock_irqsave(&tty->lock);
	old = tty->termios;
	tty->termios = new;
	line_termios_changed(tty, &old);
	spin_unlock_irqrestore(&tty->lock, flags);
	if (tty->ops->set_termios)
		tty->ops->set_termios(tty, &old);
	mutex_unlock(&tty->mutex);
	tty_receive(tty, NULL, 0);    /* more may be taken in */
	wake_up_all(&tty->read_wait); /* what can be read may be something else now */
	wake_up_all(&tty->write_wait);
	return 0;
}

static void input_discard(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock);

	line_flush(tty);
	output_flush(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	tty_receive(tty, NULL, 0);
}

enum termios_when { AT_ONCE, DRAINED, DRAINED_AND_FLUSHED };

static long termios_set(struct tty_file *open, const struct ktermios *wanted, enum termios_when when)
{
	long error = tty_check_foreground(open->tty, SIGTTOU);

	if (error)
		return error;
	if (when == DRAINED_AND_FLUSHED)
		input_discard(open->tty);
	if (when != AT_ONCE) {
		error = tty_drain(open);
		if (error)
			return error;
	}
	return termios_apply(open, wanted);
}

/* struct termios and struct termios2 are the beginning of struct ktermios. */
static long termios_set_user(struct tty_file *open, const void __user *from, size_t size,
			     enum termios_when when)
{
	struct ktermios wanted;

	termios_get(open->tty, &wanted);
	if (copy_from_user(&wanted, from, size))
		return -EFAULT;
	return termios_set(open, &wanted, when);
}

static long termios_get_user(struct tty *tty, void __user *to, size_t size)
{
	struct ktermios termios;

	termios_get(tty, &termios);
	return copy_to_user(to, &termios, size) ? -EFAULT : 0;
}

/* System V's struct termio: the low halves of the flags. */
static long termio_set_user(struct tty_file *open, const void __user *from, enum termios_when when)
{
	struct ktermios wanted;
	struct termio short_form;

	if (copy_from_user(&short_form, from, sizeof(short_form)))
		return -EFAULT;
	termios_get(open->tty, &wanted);
	wanted.c_iflag = (wanted.c_iflag & ~0xffffU) | short_form.c_iflag;
	wanted.c_oflag = (wanted.c_oflag & ~0xffffU) | short_form.c_oflag;
	wanted.c_cflag = (wanted.c_cflag & ~0xffffU) | short_form.c_cflag;
	wanted.c_lflag = (wanted.c_lflag & ~0xffffU) | short_form.c_lflag;
	memcpy(wanted.c_cc, short_form.c_cc, NCC);
	return termios_set(open, &wanted, when);
}

static long termio_get_user(struct tty *tty, void __user *to)
{
	struct ktermios termios;
	struct termio short_form;

	termios_get(tty, &termios);
	short_form = (struct termio){
		.c_iflag = (unsigned short)termios.c_iflag,
		.c_oflag = (unsigned short)termios.c_oflag,
		.c_cflag = (unsigned short)termios.c_cflag,
		.c_lflag = (unsigned short)termios.c_lflag,
		.c_line = termios.c_line,
	};
	memcpy(short_form.c_cc, termios.c_cc, NCC);
	return copy_to_user(to, &short_form, sizeof(short_form)) ? -EFAULT : 0;
}

/* ---- The rest ---- */

static long size_get(struct tty *tty, void __user *to)
{
	struct winsize size;
	unsigned long flags = spin_lock_irqsave(&tty->lock);

	size = tty->size;
	spin_unlock_irqrestore(&tty->lock, flags);
	return copy_to_user(to, &size, sizeof(size)) ? -EFAULT : 0;
}

static long size_set(struct tty *tty, const void __user *from)
{
	struct winsize size;
	unsigned long flags;
	bool changed;

	if (copy_from_user(&size, from, sizeof(size)))
		return -EFAULT;
	flags = spin_lock_irqsave(&tty->lock);
	changed = memcmp(&tty->size, &size, sizeof(size));
	tty->size = size;
	spin_unlock_irqrestore(&tty->lock, flags);
	if (changed)
		tty_send_signals(tty, 1UL << (SIGWINCH - 1));
	return 0;
}

/* TCXONC */
static long flow(struct tty *tty, unsigned long what)
{
	long error = tty_check_foreground(tty, SIGTTOU);
	unsigned long flags;
	u8 c;

	if (error)
		return error;
	if (what > TCION)
		return -EINVAL;
	flags = spin_lock_irqsave(&tty->lock);
	if (what == TCOOFF || what == TCOON) {
		output_hold(tty, what == TCOOFF);
	} else {
		c = tty->termios.c_cc[what == TCIOFF ? VSTOP : VSTART];
		if (c && !tty->gone && !(tty->held && tty->pseudo)) /* a pseudo terminal has no line besides */
			tty->ops->write(tty, &c, 1); /* ahead of what waits; lost when the driver is full, as on a line */
	}
	spin_unlock_irqrestore(&tty->lock, flags);
	wake_up_all(&tty->write_wait);
	return 0;
}

/* TCFLSH */
static long flush(struct tty *tty, unsigned long what)
{
	long error = tty_check_foreground(tty, SIGTTOU);
	unsigned long flags;

	if (error)
		return error;
	if (what > TCIOFLUSH)
		return -EINVAL;
	flags = spin_lock_irqsave(&tty->lock);
	if (what != TCOFLUSH)
		line_flush(tty);
	if (what != TCIFLUSH)
		output_discard(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	tty_receive(tty, NULL, 0);
	wake_up_all(&tty->write_wait);
	return 0;
}

/* TIOCSTI */
static long type_byte(struct file *file, struct tty *tty, const u8 __user *from)
{
	struct tty *mine = tty_of_current();
	bool allowed = mine == tty || capable(CAP_SYS_ADMIN);
	u8 c;

	if (mine)
		tty_put(mine);
	if (!allowed)
		return -EPERM;
	if (get_user(c, from))
		return -EFAULT;
	tty_receive(tty, &c, 1);
	return 0;
}

static int queue_length(struct tty *tty, bool output)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock);
	u32 count = !output	  ? line_available(tty)
		    : tty->pseudo ? 0
				  : tty->output_head - tty->output_tail;

	spin_unlock_irqrestore(&tty->lock, flags);
	return (int)count;
}

/* What only the driver knows: under the lock that keeps it. */
static long driver_ioctl(struct tty_file *open, unsigned int command, unsigned long argument)
{
	struct tty *tty = open->tty;
	long result = -ENOIOCTLCMD;

	if (mutex_lock_interruptible(&tty->mutex))
		return -ERESTARTSYS;
	if (tty_file_hung_up(open))
		result = -EIO;
	else if (tty->ops->ioctl)
		result = tty->ops->ioctl(tty, command, argument);
	mutex_unlock(&tty->mutex);
	return result == -ENOIOCTLCMD ? -ENOTTY : result;
}

/* TCSBRK, TCSBRKP: waits for the output; a break is for drivers that can. */
static long send_break(struct tty_file *open, unsigned long argument, bool posix)
{
	long error = tty_check_foreground(open->tty, SIGTTOU);

	if (!error)
		error = tty_drain(open);
	if (!error && (posix || !argument)) {
		error = driver_ioctl(open, TCSBRKP, argument);
		if (error == -ENOTTY)
			error = 0;
	}
	return error;
}

/* TIOCCONS: the console's output comes here; on the console: there again. */
static long take_console(const struct file *file, struct tty_file *open)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (open->console)
		return tty_redirect_console(NULL);
	return file->mode & FILE_WRITE ? tty_redirect_console(open->tty) : -EBADF;
}

/* TIOCSBRK, TIOCCBRK: nothing where there is no line to break. */
static long break_switch(struct tty_file *open, unsigned int command)
{
	long error = tty_check_foreground(open->tty, SIGTTOU);

	if (!error)
		error = driver_ioctl(open, command, 0);
	return error == -ENOTTY ? 0 : error;
}

/* termios in its four forms. */
static long termios_ioctl(struct tty_file *open, unsigned int command, void __user *user)
{
	switch (command) {
	case TCGETS:
		return termios_get_user(open->tty, user, sizeof(struct termios));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return termios_set_user(open, user, sizeof(struct termios), command - TCSETS);
	case TCGETS2:
		return termios_get_user(open->tty, user, sizeof(struct termios2));
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return termios_set_user(open, user, sizeof(struct termios2), command - TCSETS2);
	case TCGETA:
		return termio_get_user(open->tty, user);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return termio_set_user(open, user, command - TCSETA);
	default:
		return -ENOIOCTLCMD;
	}
}

/* Commands about one number. */
static long number_ioctl(struct tty *tty, unsigned int command, void __user *user)
{
	int number;

	switch (command) {
	case FIONREAD:
	case TIOCOUTQ:
		return put_user(queue_length(tty, command == TIOCOUTQ), (int __user *)user);
	case TIOCGEXCL:
		number = READ_ONCE(tty->exclusive);
		return put_user(number, (int __user *)user);
	case TIOCGSOFTCAR:
		number = !!(READ_ONCE(tty->termios.c_cflag) & CLOCAL);
		return put_user(number, (int __user *)user);
	case TIOCGETD:
		number = N_TTY;
		return put_user(number, (int __user *)user);
	case TIOCSETD:
		if (get_user(number, (int __user *)user))
			return -EFAULT;
		return number == N_TTY ? 0 : -EINVAL;
	case TIOCGDEV:
		number = (int)tty->number;
		return put_user(number, (int __user *)user);
	default:
		return -ENOIOCTLCMD;
	}
}

static long control_ioctl(struct file *file, struct tty_file *open, unsigned int command,
			  unsigned long argument)
{
	void __user *user = (void __user *)argument;
	struct tty *tty = open->tty;

	switch (command) {
	case TIOCGWINSZ:
		return size_get(tty, user);
	case TIOCSWINSZ:
		return size_set(tty, user);
	case TCXONC:
		return flow(tty, argument);
	case TCFLSH:
		return flush(tty, argument);
	case TCSBRK:
	case TCSBRKP:
		return send_break(open, argument, command == TCSBRKP);
	case TIOCSTI:
		return type_byte(file, tty, user);
	case TIOCEXCL:
	case TIOCNXCL:
		WRITE_ONCE(tty->exclusive, command == TIOCEXCL);
		return 0;
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup_now(tty);
		return 0;
	case TIOCGPTPEER:
		return -EIO; /* this is no master */
	case TIOCCONS:
		return take_console(file, open);
	case TIOCSBRK:
	case TIOCCBRK:
		return break_switch(open, command);
	default:
		return -ENOIOCTLCMD;
	}
}

long tty_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct tty_file *open = tty_file_of(file);
	void __user *user = (void __user *)argument;
	long result;

	if (tty_file_hung_up(open))
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	result = termios_ioctl(open, command, user);
	if (result == -ENOIOCTLCMD)
		result = control_ioctl(file, open, command, argument);
	if (result == -ENOIOCTLCMD)
		result = number_ioctl(open->tty, command, user);
	if (result == -ENOIOCTLCMD)
		result = tty_jobs_ioctl(file, open->tty, false, command, argument);
	return result == -ENOIOCTLCMD ? driver_ioctl(open, command, argument) : result;
}

long tty_ioctl_other_side(struct file *file, struct tty *tty, unsigned int command, unsigned long argument)
{
	struct tty_file open = { .tty = tty, .console = true };
	void __user *user = (void __user *)argument;
	long result;

	switch (command) {
	case TIOCGWINSZ:
		return size_get(tty, user);
	case TIOCSWINSZ:
		return size_set(tty, user);
	case TIOCGETD:
	case TIOCSETD:
	case TIOCGDEV:
		return number_ioctl(tty, command, user);
	default:
		result = termios_ioctl(&open, command, user);
		if (result == -ENOIOCTLCMD)
			result = tty_jobs_ioctl(file, tty, true, command, argument);
		return result == -ENOIOCTLCMD ? -ENOTTY : result;
	}
}
EXPORT_SYMBOL(tty_ioctl_other_side);
