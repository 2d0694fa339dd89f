/*
 * Terminals: a driver at one end, open files at the other, the line discipline (n_tty.c) between.
 *
 * A terminal outlives its driver: files stay open on it after a hang-up, but read end of file and write EIO. tty_unregister()
 * hangs up and then bars the driver's operations, which are called under tty->lock or tty->mutex only; when it has had both
 * locks, no operation runs and none will.
 *
 * /dev/tty is the controlling terminal of who opens it, /dev/console the terminal that console= chose. Files opened as
 * /dev/console survive hang-ups, so that the first process keeps its own.
 */
#define LOG_PREFIX "tty: "
#include <asm/signal.h>
#include <kumo/boot.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/main.h>
#include <kumo/params.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/capability.h>
#include <kumo/poll.h>

#include "internal.h"

static spinlock_t console_lock = SPINLOCK_INIT("tty_console"); /* protects the next */
static struct tty *console_tty;				       /* owned reference; NULL: none yet */
static bool console_is_wanted; /* it has the name that console= asks for */
static struct tty *console_output; /* owned reference: where writes to /dev/console go (TIOCCONS); NULL: to itself */

void tty_get(struct tty *tty)
{
	refcount_inc(&tty->refs);
}
EXPORT_SYMBOL(tty_get);

void tty_put(struct tty *tty)
{
	if (!refcount_dec_and_test(&tty->refs))
		return;
	kfree(tty->input);
	kfree(tty->write_buffer);
	kfree(tty);
}
EXPORT_SYMBOL(tty_put);

void *tty_private(struct tty *tty)
{
	return tty->private;
}
EXPORT_SYMBOL(tty_private);

const struct ktermios *tty_termios(struct tty *tty)
{
	return &tty->termios;
}
EXPORT_SYMBOL(tty_termios);

u64 tty_number(struct tty *tty)
{
	return tty->number;
}

int tty_foreground_group(struct tty *tty)
{
	return READ_ONCE(tty->foreground);
}

/* ---- From the driver ---- */

void tty_receive(struct tty *tty, const u8 *data, size_t size)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock), signals;
	bool ready;

	for (size_t i = 0; i < size; i++)
		line_receive(tty, data[i]);
	line_pull(tty);
	input_throttle(tty);
	output_flush(tty);
	signals = tty->signals;
	tty->signals = 0;
	ready = line_readable(tty, 1);
	spin_unlock_irqrestore(&tty->lock, flags);
	if (signals)
		tty_send_signals(tty, signals);
	if (ready)
		wake_up_key(&tty->read_wait, POLLIN | POLLRDNORM);
	if (signals) /* output may have been thrown away, or go on */
		wake_up_key(&tty->write_wait, POLLOUT | POLLWRNORM);
}
EXPORT_SYMBOL(tty_receive);

void tty_receive_break(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock);

	line_receive_break(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	tty_receive(tty, NULL, 0);
}
EXPORT_SYMBOL(tty_receive_break);

void tty_output_ready(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock);
	bool ready;

	output_flush(tty);
	ready = output_has_room(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	if (ready)
		wake_up_key(&tty->write_wait, POLLOUT | POLLWRNORM);
}
EXPORT_SYMBOL(tty_output_ready);

void tty_set_size(struct tty *tty, unsigned int rows, unsigned int columns)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock);
	bool changed = tty->size.ws_row != rows || tty->size.ws_col != columns;

	tty->size.ws_row = (unsigned short)rows;
	tty->size.ws_col = (unsigned short)columns;
	spin_unlock_irqrestore(&tty->lock, flags);
	if (changed)
		tty_send_signals(tty, 1UL << (SIGWINCH - 1));
}
EXPORT_SYMBOL(tty_set_size);

/* ---- The console's output ---- */

int tty_redirect_console(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&console_lock);
	struct tty *previous = console_output;
	int error = tty && previous ? -EBUSY : 0;

	if (!error) {
		if (tty)
			tty_get(tty);
		console_output = tty;
	}
	spin_unlock_irqrestore(&console_lock, flags);
	if (!error && previous)
		tty_put(previous);
	return error;
}

/* The console's output shall not go there any more: nobody has it open. */
static void redirection_end(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&console_lock);
	bool ends = console_output == tty;

	if (ends)
		console_output = NULL;
	spin_unlock_irqrestore(&console_lock, flags);
	if (ends)
		tty_put(tty);
}

/* Referenced; NULL: it is not redirected. */
static struct tty *console_output_get(void)
{
	unsigned long flags = spin_lock_irqsave(&console_lock);
	struct tty *tty = console_output;

	if (tty)
		tty_get(tty);
	spin_unlock_irqrestore(&console_lock, flags);
	return tty;
}

/* ---- Hanging up ---- */

static struct ktermios first_termios(const struct tty *tty)
{
	return !tty->gone && tty->ops->termios ? *tty->ops->termios : tty_default_termios;
}

void tty_hangup_now(struct tty *tty)
{
	unsigned long flags;

	mutex_lock(&tty->mutex);
	flags = spin_lock_irqsave(&tty->lock);
	tty->hangups++;
	line_reset(tty);
	tty->termios = first_termios(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	if (!tty->pseudo) {
		if (tty->opened && !tty->console_opened && tty->ops->close && !tty->gone)
			tty->ops->close(tty);
		tty->opened = tty->console_opened;
	}
	mutex_unlock(&tty->mutex);
	wake_up_all(&tty->read_wait);
	wake_up_all(&tty->write_wait);
	redirection_end(tty);
	tty_detach_session(tty, 0, true);
}

static void hangup_work(struct work *work)
{
	tty_hangup_now(container_of(work, struct tty, hangup_work));
}

void tty_hangup(struct tty *tty)
{
	work_queue(&tty->hangup_work);
}
EXPORT_SYMBOL(tty_hangup);

/* ---- Reading ---- */

static bool input_ready(struct tty_file *open, unsigned int minimum)
{
	struct tty *tty = open->tty;
	unsigned long flags = spin_lock_irqsave(&tty->lock);
	bool ready = line_readable(tty, minimum);

	spin_unlock_irqrestore(&tty->lock, flags);
	return ready || tty_file_hung_up(open);
}

#define TENTH_NS (NSEC_PER_SEC / 10)

/* How long a read waits, from the rules of MIN and TIME. */
struct read_rule {
	size_t minimum; /* enough bytes to return */
	u64 first_ns;	/* wait for the first byte; WAIT_FOREVER; 0: not at all */
	u64 between_ns; /* and between bytes */
};

static struct read_rule read_rule_of(struct tty *tty, size_t wanted)
{
	u64 time_ns = tty->termios.c_cc[VTIME] * TENTH_NS;
	size_t minimum = tty->termios.c_cc[VMIN];

	if (tty->termios.c_lflag & ICANON)
		return (struct read_rule){ 1, WAIT_FOREVER, WAIT_FOREVER };
	if (!minimum)
		return (struct read_rule){ 1, time_ns, 0 };
	return (struct read_rule){ min(minimum, wanted), WAIT_FOREVER, time_ns ? time_ns : WAIT_FOREVER };
}

/* Gives the reader what is there. True: this read is complete; *result then may be a fault. */
static bool read_some(struct tty *tty, struct iter *to, ssize_t *result)
{
	u8 bytes[256];
	bool complete = false;

	while (to->count && !complete) {
		unsigned long flags = spin_lock_irqsave(&tty->lock);
		size_t size = line_take(tty, bytes, min(to->count, sizeof(bytes)), &complete), done;

		spin_unlock_irqrestore(&tty->lock, flags);
		done = iter_copy_to(to, bytes, size);
		*result += (ssize_t)done;
		if (done < size) {
			if (!*result)
				*result = -EFAULT;
			return true;
		}
		if (!size)
			break;
	}
	return complete || !to->count;
}

static ssize_t read_locked(struct file *file, struct tty_file *open, struct iter *to)
{
	struct tty *tty = open->tty;
	struct read_rule rule = read_rule_of(tty, to->count);
	ssize_t result = 0;
	int error = 0;

	while (!tty_file_hung_up(open)) {
		u64 deadline_ns;

		if (read_some(tty, to, &result) || (size_t)result >= rule.minimum)
			break;
		deadline_ns = result ? rule.between_ns : rule.first_ns;
		if (!deadline_ns)
			break;
		if (file->flags & O_NONBLOCK) {
			error = -EAGAIN;
			break;
		}
		if (deadline_ns != WAIT_FOREVER)
			deadline_ns += time_monotonic_ns();
		error = wait_event_interruptible_until(&tty->read_wait, input_ready(open, 1),
						       deadline_ns);
		if (error)
			break;
	}
	if (error == -ETIME)
		error = 0;
	if (!result && tty->pseudo && READ_ONCE(tty->gone))
		error = -EIO; /* the other side went meanwhile */
	return result ? result : error;
}

static ssize_t tty_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct tty_file *open = tty_file_of(file);
	struct tty *tty = open->tty;
	ssize_t result;

	if (tty_file_hung_up(open) || !to->count)
		return 0;
	result = tty_check_foreground(tty, SIGTTIN);
	if (result)
		return result;
	if (file->flags & O_NONBLOCK) {
		if (!mutex_trylock(&tty->read_mutex))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&tty->read_mutex)) {
		return -ERESTARTSYS;
	}
	result = read_locked(file, open, to);
	mutex_unlock(&tty->read_mutex);
	if (tty->pseudo)
		tty_receive(tty, NULL, 0); /* there is room again */
	return result;
}

/* ---- Writing ---- */

static bool output_ready(struct tty_file *open)
{
	struct tty *tty = open->tty;
	unsigned long flags = spin_lock_irqsave(&tty->lock);
	bool ready = tty->gone || (output_has_room(tty) && tty->ops->write_room(tty));

	spin_unlock_irqrestore(&tty->lock, flags);
	return ready || tty_file_hung_up(open);
}

/* Writes all of the bytes in tty->write_buffer unless something forbids it: then *error says what. How many were written. */
static size_t write_buffered(struct file *file, struct tty_file *open, size_t size, int *error)
{
	struct tty *tty = open->tty;
	size_t done = 0;

	while (done < size) {
		unsigned long flags;

		*error = -EIO;
		if (tty_file_hung_up(open))
			break;
		flags = spin_lock_irqsave(&tty->lock);
		done += line_write(tty, tty->write_buffer + done, size - done);
		output_flush(tty);
		spin_unlock_irqrestore(&tty->lock, flags);
		*error = 0;
		if (done == size)
			break;
		*error = -EAGAIN;
		if (file->flags & O_NONBLOCK)
			break;
		*error = wait_event_interruptible(&tty->write_wait, output_ready(open));
		if (*error)
			break;
	}
	return done;
}

static ssize_t write_to(struct file *file, struct tty_file *open, struct iter *from)
{
	struct tty *tty = open->tty;
	ssize_t total = 0;
	int error = 0;

	if (tty_file_hung_up(open))
		return -EIO;
	if (tty->termios.c_lflag & TOSTOP) {
		error = tty_check_foreground(tty, SIGTTOU);
		if (error)
			return error;
	}
	if (file->flags & O_NONBLOCK) {
		if (!mutex_trylock(&tty->write_mutex))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&tty->write_mutex)) {
		return -ERESTARTSYS;
	}
	while (from->count && !error) {
		size_t size = min(from->count, (size_t)OUTPUT_SIZE), copied;

		copied = iter_copy_from(from, tty->write_buffer, size);
		total += (ssize_t)write_buffered(file, open, copied, &error);
		if (copied < size && !error)
			error = -EFAULT;
		cond_resched();
	}
	mutex_unlock(&tty->write_mutex);
	return total ? total : error;
}

static ssize_t tty_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct tty_file *open = tty_file_of(file), other;
	ssize_t result;

	other.tty = open->console ? console_output_get() : NULL;
	if (likely(!other.tty))
		return write_to(file, open, from);
	other.hangups = READ_ONCE(other.tty->hangups);
	other.console = false;
	result = write_to(file, &other, from);
	tty_put(other.tty);
	return result;
}

static bool output_is_empty(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&tty->lock);
	bool empty = tty->gone || tty->pseudo ||
		     (tty->output_head == tty->output_tail &&
		      (!tty->ops->output_empty || tty->ops->output_empty(tty)));

	spin_unlock_irqrestore(&tty->lock, flags);
	return empty;
}

#define DRAIN_POLL_NS (10 * NSEC_PER_MSEC) /* drivers do not tell when the last bit has left */

int tty_drain(struct tty_file *open)
{
	struct tty *tty = open->tty;
	int error;

	do {
		u64 deadline_ns = time_monotonic_ns() + DRAIN_POLL_NS;

		error = wait_event_interruptible_until(
			&tty->write_wait, output_is_empty(tty) || tty_file_hung_up(open), deadline_ns);
	} while (error == -ETIME);
	return error;
}

/* ---- Other operations ---- */

static u32 tty_poll(struct file *file, struct poll_table *table)
{
	struct tty_file *open = tty_file_of(file);
	struct tty *tty = open->tty;
	unsigned long flags;
	unsigned int minimum;
	u32 events = 0;

	poll_wait(file, &tty->read_wait, table);
	poll_wait(file, &tty->write_wait, table);
	if (tty_file_hung_up(open))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLERR;
	flags = spin_lock_irqsave(&tty->lock);
	minimum = tty->termios.c_cc[VTIME] ? 1 : tty->termios.c_cc[VMIN];
	if (line_readable(tty, minimum))
		events |= POLLIN | POLLRDNORM;
	if (!tty->gone && output_has_room(tty) && tty->ops->write_room(tty))
		events |= POLLOUT | POLLWRNORM;
	spin_unlock_irqrestore(&tty->lock, flags);
	return events;
}

static void tty_clunk(struct file *file)
{
	struct tty_file *open = tty_file_of(file);
	struct tty *tty = open->tty;

	mutex_lock(&tty->mutex);
	if (!tty_file_hung_up(open) || tty->pseudo) {
		if (open->console)
			tty->console_opened--;
		if (!--tty->opened) {
			tty->exclusive = false;
			redirection_end(tty);
			if (tty->ops->close && !tty->gone)
				tty->ops->close(tty);
		}
	}
	mutex_unlock(&tty->mutex);
	kfree(open);
	tty_put(tty);
}

static const struct tree_ops tty_file_ops = {
	.clunk = tty_clunk,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
};

/* ---- Opening ---- */

int tty_open_file(struct file *file, struct tty *tty, bool console)
{
	struct tty_file *open = kmalloc(sizeof(*open), GFP_KERNEL);
	int error;

	if (!open)
		return -ENOMEM;
	if (mutex_lock_interruptible(&tty->mutex)) {
		kfree(open);
		return -ERESTARTSYS;
	}
	error = -EIO;
	if (tty->gone)
		goto fail;
	error = -EBUSY;
	if (tty->exclusive && !cred_capable(file->cred, CAP_SYS_ADMIN))
		goto fail;
	error = !tty->opened && tty->ops->open ? tty->ops->open(tty) : 0;
	if (error)
		goto fail;
	tty->opened++;
	tty->console_opened += console;
	tty_get(tty);
	*open = (struct tty_file){ .tty = tty, .hangups = tty->hangups, .console = console };
	mutex_unlock(&tty->mutex);
	file->private = open;
	file->ops = &tty_file_ops;
	file->mode = (file->mode & ~(u32)FILE_SEEK) | FILE_STREAM;
	if (!console && !(file->flags & O_NOCTTY))
		tty_open_controlling(tty, file);
	return 0;
fail:
	mutex_unlock(&tty->mutex);
	kfree(open);
	return error;
}
EXPORT_SYMBOL(tty_open_file);

static int device_file_open(struct file *file, const struct cred *cred)
{
	struct char_device *device = file->private;

	return tty_open_file(file, device->private, false);
}

static const struct tree_ops device_ops = { .open = device_file_open };

/* /dev/tty */
static int controlling_open(struct file *file, const struct cred *cred)
{
	struct tty *tty = tty_of_current();
	int error;

	if (!tty)
		return -ENXIO;
	error = tty_open_file(file, tty, false);
	tty_put(tty);
	return error;
}

static const struct tree_ops controlling_ops = { .open = controlling_open };
static struct char_device controlling_device = {
	.name = "tty",
	.number = 5 << 8 | 0,
	.mode = 0666,
	.gid = 5,
	.ops = &controlling_ops,
	.unguarded = true,
};

/* ---- The console ---- */

/* What the last console= on the command line asks for, without its options. */
static bool console_wanted(const char *name)
{
	const char *wanted = "ttyS0";
	size_t length;

	for (const char *word = boot_word_next(NULL); word; word = boot_word_next(word)) {
		length = param_name_match(word, "console");
		if (length && word[length] == '=')
			wanted = word + length + 1;
	}
	for (length = 0; wanted[length] && wanted[length] != ',' && wanted[length] != ' ';)
		length++;
	if (length == 4 && !strncmp(wanted, "tty0", 4))
		return !strcmp(name, "tty1");
	return strlen(name) == length && !strncmp(name, wanted, length);
}

void tty_console_prefer(struct tty *tty, const char *name)
{
	bool wanted = console_wanted(name);
	struct tty *previous = NULL;
	unsigned long flags = spin_lock_irqsave(&console_lock);

	if (!console_tty || (wanted && !console_is_wanted)) {
		tty_get(tty);
		previous = console_tty;
		console_tty = tty;
		console_is_wanted = wanted;
	}
	spin_unlock_irqrestore(&console_lock, flags);
	if (previous)
		tty_put(previous);
}
EXPORT_SYMBOL(tty_console_prefer);

static void console_forget(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&console_lock);
	bool is_console = console_tty == tty;

	if (is_console) {
		console_tty = NULL;
		console_is_wanted = false;
	}
	spin_unlock_irqrestore(&console_lock, flags);
	if (is_console)
		tty_put(tty);
}

static int console_open(struct file *file, const struct cred *cred)
{
	unsigned long flags = spin_lock_irqsave(&console_lock);
	struct tty *tty = console_tty;
	int error;

	if (tty)
		tty_get(tty);
	spin_unlock_irqrestore(&console_lock, flags);
	if (!tty)
		return -ENODEV;
	error = tty_open_file(file, tty, true);
	tty_put(tty);
	return error;
}

static const struct tree_ops console_ops = { .open = console_open };
static struct char_device console_device = {
	.name = "console",
	.number = 5 << 8 | 1,
	.mode = 0600,
	.ops = &console_ops,
	.unguarded = true,
};

/* ---- Registering ---- */

struct tty *tty_create(const char *name, u64 number, const struct tty_driver_ops *ops, void *private)
{
	struct tty *tty = kzalloc(sizeof(*tty), GFP_KERNEL);

	if (!tty)
		return NULL;
	refcount_set(&tty->refs, 1);
	strscpy(tty->name, name, sizeof(tty->name));
	tty->number = number;
	tty->ops = ops;
	tty->private = private;
	tty->pseudo = ops->pseudo;
	work_init(&tty->hangup_work, hangup_work);
	mutex_init(&tty->mutex, "tty");
	mutex_init(&tty->read_mutex, "tty_read");
	mutex_init(&tty->write_mutex, "tty_write");
	spin_init(&tty->lock, "tty");
	wait_queue_init(&tty->read_wait);
	wait_queue_init(&tty->write_wait);
	tty->termios = first_termios(tty);
	tty->input = kmalloc(INPUT_SIZE, GFP_KERNEL);
	tty->write_buffer = kmalloc(OUTPUT_SIZE, GFP_KERNEL);
	if (!tty->input || !tty->write_buffer) {
		tty_put(tty);
		return NULL;
	}
	return tty;
}
EXPORT_SYMBOL(tty_create);

struct tty *tty_register(const char *name, u64 number, const struct tty_driver_ops *ops,
			 void *private, struct module *owner)
{
	struct tty *tty = tty_create(name, number, ops, private);
	int error;

	if (!tty)
		return ERR_PTR(-ENOMEM);
	tty->device = (struct char_device){
		.name = tty->name,
		.number = number,
		.mode = 0620,
		.gid = 5,
		.ops = &device_ops,
		.owner = owner,
		.private = tty,
		.unguarded = true,
	};
	error = char_device_register(&tty->device);
	if (error) {
		tty_put(tty);
		return ERR_PTR(error);
	}
	return tty;
}
EXPORT_SYMBOL(tty_register);

void tty_destroy(struct tty *tty)
{
	unsigned long flags;

	console_forget(tty);
	work_cancel_sync(&tty->hangup_work);
	mutex_lock(&tty->mutex);
	flags = spin_lock_irqsave(&tty->lock);
	WRITE_ONCE(tty->gone, true);
	spin_unlock_irqrestore(&tty->lock, flags);
	if (tty->opened && tty->ops->close)
		tty->ops->close(tty);
	mutex_unlock(&tty->mutex);
	tty_hangup_now(tty);
	tty_put(tty);
}
EXPORT_SYMBOL(tty_destroy);

void tty_unregister(struct tty *tty)
{
	char_device_unregister(&tty->device);
	tty_destroy(tty);
}
EXPORT_SYMBOL(tty_unregister);

void __init tty_init(void)
{
	/* pty.ko comes when /dev/ptmx is opened, and mounts its tree on /dev/pts. */
	if (char_device_register(&controlling_device) || char_device_register(&console_device) ||
	    device_node_add("ptmx", S_IFCHR | 0666, device_make(5, 2), 5) ||
	    device_node_add("pts", S_IFDIR | 0755, 0, 0))
		pr_err("cannot make /dev/tty, /dev/console, /dev/ptmx and /dev/pts\n");
}
