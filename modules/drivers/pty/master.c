/*
 * Pseudo terminals: the master's side. Opening ptmx makes a pty: the opener has the master, and /dev/pts/N is the slave, a
 * terminal like any other (kernel/tty/), whose line is the master.
 *
 *	master's write -> input  -> line discipline -> slave's read
 *	master's read  <- output <- line discipline <- slave's write, echoes
 *
 * Nothing is lost on the way. The line discipline takes from `input` what it has room for, and gives to `output` what that has
 * room for; what fills up makes the writer wait. The master decides about the end: when it is closed the slave is hung up for
 * good. When the slave's last user closes it, the master reads EIO until the slave is opened again.
 *
 * In packet mode (TIOCPKT) what the master reads begins with a byte: 0, and bytes of output follow, or what happened to the
 * terminal (TIOCPKT_ bits).
 */
#define LOG_PREFIX "pty: "
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <kumo/cred.h>
#include <kumo/iter.h>
#include <kumo/kva.h>
#include <kumo/module.h>
#include <kumo/poll.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/tty.h>

#include "internal.h"

#define OUTPUT_BYTES 16384
#define INPUT_BYTES 8192
#define CHUNK 512 /* bytes that are copied at a time, by way of the stack */
#define XON 0x11
#define XOFF 0x13

/* ---- Rings ---- */

static u32 ring_room(const struct ring *ring)
{
	return ring->size - (ring->head - ring->tail);
}

/* Whoever waits for room is woken when there is enough for many bytes, lest both sides take turns for a few. */
static bool ring_is_roomy(const struct ring *ring)
{
	return ring_room(ring) >= ring->size / 2;
}

static size_t ring_put(struct ring *ring, const u8 *data, size_t size)
{
	size_t done = 0;

	size = min(size, (size_t)ring_room(ring));
	while (done < size) {
		u32 at = ring->head & (ring->size - 1);
		size_t part = min(size - done, (size_t)(ring->size - at));

		memcpy(ring->bytes + at, data + done, part);
		ring->head += (u32)part;
		done += part;
	}
	return size;
}

static size_t ring_take(struct ring *ring, u8 *to, size_t size)
{
	size_t done = 0;

	size = min(size, (size_t)(ring->head - ring->tail));
	while (done < size) {
		u32 at = ring->tail & (ring->size - 1);
		size_t part = min(size - done, (size_t)(ring->size - at));

		memcpy(to + done, ring->bytes + at, part);
		ring->tail += (u32)part;
		done += part;
	}
	return size;
}

/* ---- The slave's driver ---- */

static size_t slave_write(struct tty *tty, const u8 *data, size_t size)
{
	struct pty *pty = tty_private(tty);
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	size_t taken = ring_put(&pty->output, data, size);

	pty->slave_waits |= taken < size;
	spin_unlock_irqrestore(&pty->lock, flags);
	if (taken)
		wake_up_key(&pty->read_wait, POLLIN | POLLRDNORM);
	return taken;
}

static size_t slave_write_room(struct tty *tty)
{
	struct pty *pty = tty_private(tty);
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	size_t room = ring_room(&pty->output);

	pty->slave_waits |= !room; /* who asks wants to write */
	spin_unlock_irqrestore(&pty->lock, flags);
	return room;
}

static size_t slave_receive(struct tty *tty, u8 *to, size_t size)
{
	struct pty *pty = tty_private(tty);
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	size_t taken = ring_take(&pty->input, to, size);
	bool roomy = ring_is_roomy(&pty->input);

	spin_unlock_irqrestore(&pty->lock, flags);
	if (taken && roomy)
		wake_up_key(&pty->write_wait, POLLOUT | POLLWRNORM);
	return taken;
}

static void slave_status(struct tty *tty, unsigned int what)
{
	struct pty *pty = tty_private(tty);
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	bool packets = pty->packets;

	if (packets) {
		if (what & (TIOCPKT_START | TIOCPKT_STOP))
			pty->status &= ~(unsigned int)(TIOCPKT_START | TIOCPKT_STOP);
		if (what & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP))
			pty->status &= ~(unsigned int)(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
		pty->status |= what;
	}
	spin_unlock_irqrestore(&pty->lock, flags);
	if (packets)
		wake_up_key(&pty->read_wait, POLLIN | POLLRDNORM | POLLPRI);
}

/* What the slave has written is the master's already, as on Linux: a signal character takes none of it back. */
static void slave_flush_output(struct tty *tty)
{
	slave_status(tty, TIOCPKT_FLUSHWRITE);
}

static int slave_open(struct tty *tty)
{
	struct pty *pty = tty_private(tty);

	WRITE_ONCE(pty->slave_closed, false);
	return 0;
}

static void slave_close(struct tty *tty)
{
	struct pty *pty = tty_private(tty);

	WRITE_ONCE(pty->slave_closed, true);
	wake_up_all(&pty->read_wait);
	wake_up_all(&pty->write_wait);
}

/* Flow control by ^S and ^Q: the master may then as well do it itself. */
static bool usual_flow(const struct ktermios *termios)
{
	return (termios->c_iflag & IXON) && termios->c_cc[VSTOP] == XOFF && termios->c_cc[VSTART] == XON;
}

static void slave_set_termios(struct tty *tty, const struct ktermios *old)
{
	const struct ktermios *new = tty_termios(tty);
	unsigned int what = 0;

	if (usual_flow(old) != usual_flow(new))
		what |= usual_flow(new) ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP;
	if ((old->c_lflag | new->c_lflag) & EXTPROC)
		what |= TIOCPKT_IOCTL;
	if (what)
		slave_status(tty, what);
}

static void slave_limit_termios(struct ktermios *wanted)
{
	wanted->c_cflag = (wanted->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8 | CREAD;
}

static struct ktermios slave_termios; /* the usual ones, at 38400 bits a second */

static const struct tty_driver_ops slave_ops = {
	.write = slave_write,
	.write_room = slave_write_room,
	.open = slave_open,
	.close = slave_close,
	.set_termios = slave_set_termios,
	.flush_output = slave_flush_output,
	.receive = slave_receive,
	.status = slave_status,
	.limit_termios = slave_limit_termios,
	.termios = &slave_termios,
	.pseudo = true,
};

/* ---- The pty ---- */

void pty_put(struct pty *pty)
{
	if (!refcount_dec_and_test(&pty->refs))
		return;
	if (pty->slave)
		tty_put(pty->slave);
	devpts_release(pty);
	kvfree(pty->output.bytes);
	kfree(pty);
}

static struct pty *pty_create(void)
{
	struct pty *pty = kzalloc(sizeof(*pty), GFP_KERNEL);

	if (!pty)
		return NULL;
	refcount_set(&pty->refs, 1);
	pty->locked = true;
	mutex_init(&pty->master_mutex, "pty_master");
	spin_init(&pty->lock, "pty");
	wait_queue_init(&pty->read_wait);
	wait_queue_init(&pty->write_wait);
	pty->output = (struct ring){ .bytes = kvmalloc(OUTPUT_BYTES + INPUT_BYTES, GFP_KERNEL),
				     .size = OUTPUT_BYTES };
	pty->input = (struct ring){ .bytes = pty->output.bytes + OUTPUT_BYTES, .size = INPUT_BYTES };
	if (!pty->output.bytes) {
		kfree(pty);
		return NULL;
	}
	return pty;
}

/* Hangs the slave up for good, and takes its name away; once. */
static void pty_end(struct pty *pty)
{
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	bool first = !pty->ended;

	WRITE_ONCE(pty->ended, true);
	spin_unlock_irqrestore(&pty->lock, flags);
	if (!first)
		return;
	wake_up_all(&pty->read_wait);
	wake_up_all(&pty->write_wait);
	devpts_remove(pty);
	tty_destroy(pty->slave);
}

/* ---- Reading the master ---- */

static bool master_readable(struct pty *pty)
{
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	bool readable = pty->output.head != pty->output.tail || (pty->packets && pty->status);

	spin_unlock_irqrestore(&pty->lock, flags);
	return readable;
}

/* What comes next, at most CHUNK bytes. `begun`: something has been read by this call. Whether the slave waits for the room. */
static size_t output_take(struct pty *pty, u8 *to, size_t size, bool begun, bool *slave_waits)
{
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	size_t taken = 0, head = 0;

	if (pty->packets && pty->status) {
		if (!begun) {
			to[0] = (u8)pty->status;
			pty->status = 0;
			taken = 1;
		}
	} else if (pty->output.head != pty->output.tail) {
		if (pty->packets && !begun)
			to[head++] = TIOCPKT_DATA;
		taken = head + ring_take(&pty->output, to + head, size - head);
	}
	*slave_waits = pty->slave_waits && taken && ring_is_roomy(&pty->output);
	if (*slave_waits)
		pty->slave_waits = false;
	spin_unlock_irqrestore(&pty->lock, flags);
	return taken;
}

static ssize_t read_ready(struct pty *pty, struct iter *to)
{
	ssize_t total = 0;
	u8 bytes[CHUNK];

	while (to->count) {
		bool slave_waits;
		size_t size =
			output_take(pty, bytes, min(to->count, (size_t)CHUNK), total, &slave_waits);
		size_t done = iter_copy_to(to, bytes, size);

		if (slave_waits)
			tty_output_ready(pty->slave);
		total += (ssize_t)done;
		if (done < size)
			return total ? total : -EFAULT;
		if (!size)
			break;
		if (size == 1 && bytes[0] && total == 1 && READ_ONCE(pty->packets))
			break; /* what happened stands alone */
	}
	return total;
}

static ssize_t master_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct pty *pty = file->private;

	if (!to->count)
		return 0;
	for (;;) {
		bool ended = READ_ONCE(pty->ended), closed = READ_ONCE(pty->slave_closed);
		ssize_t result;

		if (ended)
			return 0;
		smp_rmb(); /* what the slave wrote before it was closed is read before the error */
		result = read_ready(pty, to);
		if (result)
			return result;
		if (closed)
			return -EIO;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&pty->read_wait, master_readable(pty) ||
								      READ_ONCE(pty->slave_closed) ||
								      READ_ONCE(pty->ended)))
			return -ERESTARTSYS;
	}
}

/* ---- Writing the master ---- */

static size_t input_room(struct pty *pty)
{
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	size_t room = pty->stopped ? 0 : ring_room(&pty->input);

	spin_unlock_irqrestore(&pty->lock, flags);
	return room;
}

/* To the slave's line discipline, or as near as it can come. How many bytes were taken. */
static size_t input_give(struct pty *pty, const u8 *data, size_t size)
{
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	size_t taken = ring_put(&pty->input, data, size);

	spin_unlock_irqrestore(&pty->lock, flags);
	tty_receive(pty->slave, NULL, 0);
	return taken;
}

/* master_mutex is held, so that nobody else takes the room. */
static ssize_t write_locked(struct file *file, struct pty *pty, struct iter *from)
{
	ssize_t total = 0;
	u8 bytes[CHUNK];

	while (from->count) {
		size_t room = input_room(pty), size = min(min(from->count, room), (size_t)CHUNK);
		size_t copied = iter_copy_from(from, bytes, size), given;

		if (READ_ONCE(pty->ended))
			return total ? total : -EIO;
		given = input_give(pty, bytes, copied);
		total += (ssize_t)given;
		iter_revert(from, copied - given); /* TCXONC may have taken some of the room */
		if (copied < size)
			return total ? total : -EFAULT;
		if (size) {
			cond_resched();
			continue;
		}
		if (file->flags & O_NONBLOCK)
			return total ? total : -EAGAIN;
		if (wait_event_interruptible(&pty->write_wait, input_room(pty) || READ_ONCE(pty->ended)))
			return total ? total : -ERESTARTSYS;
	}
	return total;
}

static ssize_t master_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct pty *pty = file->private;
	ssize_t result;

	if (file->flags & O_NONBLOCK) {
		if (!mutex_trylock(&pty->master_mutex))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&pty->master_mutex)) {
		return -ERESTARTSYS;
	}
	result = write_locked(file, pty, from);
	mutex_unlock(&pty->master_mutex);
	return result;
}

/* ---- The master's other operations ---- */

static u32 master_poll(struct file *file, struct poll_table *table)
{
	struct pty *pty = file->private;
	unsigned long flags;
	u32 events = 0;

	poll_wait(file, &pty->read_wait, table);
	poll_wait(file, &pty->write_wait, table);
	if (READ_ONCE(pty->ended))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLERR;
	flags = spin_lock_irqsave(&pty->lock);
	if (pty->output.head != pty->output.tail)
		events |= POLLIN | POLLRDNORM;
	if (pty->packets && pty->status)
		events |= POLLIN | POLLRDNORM | POLLPRI;
	if (!pty->stopped && ring_room(&pty->input))
		events |= POLLOUT | POLLWRNORM;
	spin_unlock_irqrestore(&pty->lock, flags);
	if (READ_ONCE(pty->slave_closed))
		events |= POLLHUP;
	return events;
}

/* TIOCGPTPEER: a descriptor of the slave, wherever the caller's names lead. */
static long open_peer(struct file *file, struct pty *pty, u32 open_flags)
{
	struct path path;
	struct file *slave;
	int error = devpts_slave_path(pty, file, &path);

	if (error)
		return error;
	slave = file_open(&path, open_flags & ~(u32)O_CLOEXEC, current->cred);
	path_put(&path);
	if (IS_ERR(slave))
		return PTR_ERR(slave);
	return fd_add(slave, open_flags & O_CLOEXEC);
}

/* TIOCSIG */
static long send_signal(struct pty *pty, int signal)
{
	if (signal != SIGINT && signal != SIGQUIT && signal != SIGTSTP)
		return -EINVAL;
	tty_send_signals(pty->slave, 1UL << (signal - 1));
	return 0;
}

static void set_packets(struct pty *pty, bool on)
{
	unsigned long flags = spin_lock_irqsave(&pty->lock);

	if (on && !pty->packets)
		pty->status = 0;
	pty->packets = on;
	spin_unlock_irqrestore(&pty->lock, flags);
}

/* TCFLSH: the master's input is the slave's output. */
static long flush(struct pty *pty, unsigned long what)
{
	unsigned long flags;

	if (what > TCIOFLUSH)
		return -EINVAL;
	flags = spin_lock_irqsave(&pty->lock);
	if (what != TCOFLUSH)
		pty->output.tail = pty->output.head;
	if (what != TCIFLUSH)
		pty->input.tail = pty->input.head;
	spin_unlock_irqrestore(&pty->lock, flags);
	tty_output_ready(pty->slave);
	wake_up_all(&pty->write_wait);
	return 0;
}

/* TCXONC */
static long flow(struct pty *pty, unsigned long what)
{
	u8 c = what == TCIOFF ? XOFF : XON;
	unsigned long flags;

	if (what > TCION)
		return -EINVAL;
	if (what == TCIOFF || what == TCION) {
		input_give(pty, &c, 1);
		return 0;
	}
	flags = spin_lock_irqsave(&pty->lock);
	pty->stopped = what == TCOOFF;
	spin_unlock_irqrestore(&pty->lock, flags);
	wake_up_all(&pty->write_wait);
	return 0;
}

/* TIOCSTI: a byte that the master reads. */
static long type_byte(struct pty *pty, const u8 __user *from)
{
	u8 c;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(c, from))
		return -EFAULT;
	slave_write(pty->slave, &c, 1);
	return 0;
}

/* Commands that take a number. */
static long set_number(struct pty *pty, unsigned int command, const int __user *from)
{
	int number;

	if (get_user(number, from))
		return -EFAULT;
	if (command == TIOCSPTLCK)
		WRITE_ONCE(pty->locked, number != 0);
	else
		set_packets(pty, number != 0);
	return 0;
}

/* And those that give one; -ENOIOCTLCMD. */
static long get_number(struct pty *pty, unsigned int command, int __user *to)
{
	unsigned long flags = spin_lock_irqsave(&pty->lock);
	u32 waiting = pty->output.head - pty->output.tail;

	spin_unlock_irqrestore(&pty->lock, flags);
	switch (command) {
	case TIOCGPTN:
		return put_user((int)pty->number, to);
	case TIOCGPTLCK:
		return put_user((int)READ_ONCE(pty->locked), to);
	case TIOCGPKT:
		return put_user((int)READ_ONCE(pty->packets), to);
	case TIOCGEXCL:
		return put_user((int)READ_ONCE(pty->exclusive), to);
	case FIONREAD:
		return put_user((int)waiting, to);
	case TIOCOUTQ:
		return put_user(0, to);
	default:
		return -ENOIOCTLCMD;
	}
}

static long hang_up(struct pty *pty)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	pty_end(pty);
	return 0;
}

static long master_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct pty *pty = file->private;
	long result;

	if (READ_ONCE(pty->ended))
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (command) {
	case TIOCSPTLCK:
	case TIOCPKT:
		return set_number(pty, command, (int __user *)argument);
	case TIOCGPTPEER:
		return open_peer(file, pty, (u32)argument);
	case TIOCSIG:
		return send_signal(pty, (int)argument);
	case TIOCSTI:
		return type_byte(pty, (u8 __user *)argument);
	case TCFLSH:
		return flush(pty, argument);
	case TCXONC:
		return flow(pty, argument);
	case TCSBRK:
	case TCSBRKP:
	case TIOCSBRK:
	case TIOCCBRK:
		return 0; /* there is no line to break, and what was written has been sent */
	case TIOCEXCL:
	case TIOCNXCL:
		WRITE_ONCE(pty->exclusive, command == TIOCEXCL);
		return 0;
	case TIOCVHANGUP:
		return hang_up(pty);
	default:
		result = get_number(pty, command, (int __user *)argument);
		return result == -ENOIOCTLCMD
			       ? tty_ioctl_other_side(file, pty->slave, command, argument)
			       : result;
	}
}

static void master_clunk(struct file *file)
{
	struct pty *pty = file->private;

	pty_end(pty);
	pty_put(pty);
}

static const struct tree_ops master_ops = {
	.clunk = master_clunk,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
};

/* ---- Opening ---- */

static int ptmx_open(struct file *file, const struct cred *cred)
{
	struct pty *pty = pty_create();
	char name[16];
	int error;

	if (!pty)
		return -ENOMEM;
	error = devpts_add(pty, file, cred);
	if (error)
		goto fail;
	snprintf(name, sizeof(name), "pts/%u", pty->number);
	pty->slave = tty_create(name, device_make(SLAVE_MAJOR, pty->number), &slave_ops, pty);
	if (!pty->slave) {
		devpts_remove(pty);
		error = -ENOMEM;
		goto fail;
	}
	tty_get(pty->slave); /* one reference goes with tty_destroy(), the other with the pty */
	file->private = pty;
	file->ops = &master_ops;
	file->mode = (file->mode & ~(u32)FILE_SEEK) | FILE_STREAM;
	return 0;
fail:
	pty_put(pty);
	return error;
}

static int slave_file_open(struct file *file, const struct cred *cred)
{
	struct pty *pty = devpts_pty(file->node);

	if (!pty || !READ_ONCE(pty->slave) || READ_ONCE(pty->locked))
		return -EIO;
	return tty_open_file(file, pty->slave, false);
}

static const struct tree_ops ptmx_ops = { .open = ptmx_open };
static const struct tree_ops slave_device_ops = { .open = slave_file_open };

static struct char_device ptmx_device = {
	.number = 5 << 8 | 2,
	.ops = &ptmx_ops,
	.owner = THIS_MODULE,
	.unguarded = true,
};

static struct char_device slave_device = {
	.number = SLAVE_MAJOR << 8,
	.whole_major = true,
	.ops = &slave_device_ops,
	.owner = THIS_MODULE,
	.unguarded = true,
};

static int __init pty_init(void)
{
	int error;

	slave_termios = tty_default_termios;
	slave_termios.c_cflag = B38400 | CS8 | CREAD;
	slave_termios.c_ispeed = slave_termios.c_ospeed = 38400;
	error = devpts_init();
	if (error)
		return error;
	error = char_device_register(&slave_device);
	if (error)
		goto fail;
	error = char_device_register(&ptmx_device);
	if (error)
		goto fail_slave;
	error = devpts_mount();
	if (error && error != -ENOENT)
		pr_warn("cannot mount on /dev/pts (error %d)\n", error);
	return 0;
fail_slave:
	char_device_unregister(&slave_device);
fail:
	devpts_exit();
	return error;
}

static void __exit pty_exit(void)
{
	char_device_unregister(&ptmx_device);
	char_device_unregister(&slave_device);
	devpts_exit();
}

module_init(pty_init);
module_exit(pty_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("pseudo terminals: /dev/ptmx and the tree of /dev/pts");
MODULE_ALIAS("fs-devpts");
MODULE_ALIAS("char-major-5-2");
MODULE_ALIAS("char-major-136-*");
