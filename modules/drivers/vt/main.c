/*
 * vt: the terminal on the machine's own screen, /dev/tty1, and the kernel's console there. What programs and the kernel write
 * changes cells at once; the pixels follow from a thread, at most once in a few milliseconds, so that a program that
 * writes much doesn't wait for the screen.
 */
#define LOG_PREFIX "vt: "
#include "internal.h"
#include "vt.h"

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/tty.h>
#include <kumo/wait.h>
#include <kumo/work.h>

enum { TTY_MAJOR = 4, DRAW_PAUSE_MS = 10 };

static spinlock_t vt_lock = SPINLOCK_INIT("vt"); /* the screen; interrupts off */
static struct screen screen;
static struct tty *tty;
static struct thread *drawer;
static struct wait_queue changed = WAIT_QUEUE_INIT(changed);
static bool dirty;

static void draw_soon(void)
{
	if (!READ_ONCE(dirty)) {
		WRITE_ONCE(dirty, true);
		wake_up(&changed);
	}
}

/* ---- Terminal ---- */

static size_t vt_write(struct tty *unused, const u8 *data, size_t size)
{
	unsigned long flags = spin_lock_irqsave(&vt_lock);

	screen_write(&screen, data, size);
	spin_unlock_irqrestore(&vt_lock, flags);
	draw_soon();
	return size;
}

static size_t vt_write_room(struct tty *unused)
{
	return SIZE_MAX;
}

static bool vt_output_empty(struct tty *unused)
{
	return true;
}

static const struct tty_driver_ops vt_ops = {
	.write = vt_write,
	.write_room = vt_write_room,
	.output_empty = vt_output_empty,
};

void vt_input(const u8 *bytes, size_t size)
{
	tty_receive(tty, bytes, size);
}
EXPORT_SYMBOL(vt_input);

bool vt_application_keys(void)
{
	return READ_ONCE(screen.application_keys);
}
EXPORT_SYMBOL(vt_application_keys);

/* The screen's answers come as typed input, later: receiving echoes, and echoing would come back here. */
static char answers[64]; /* under vt_lock */
static void answers_send(struct work *work)
{
	char text[sizeof(answers)];
	unsigned long flags = spin_lock_irqsave(&vt_lock);

	strscpy(text, answers, sizeof(text));
	answers[0] = '\0';
	spin_unlock_irqrestore(&vt_lock, flags);
	tty_receive(tty, (const u8 *)text, strlen(text));
}

static struct work answer_work;
static bool writing_log; /* under vt_lock: nobody asks in the log, and here it may be too early to wake the worker */
static void answer(const char *text)
{
	size_t length = strlen(answers);

	if (writing_log)
		return;

	strscpy(answers + length, text, sizeof(answers) - length);
	work_queue(&answer_work);
}

/* ---- The kernel's console ---- */

#define POLLS_MAX 100000

static void console_write(struct console *console, const char *text, size_t size)
{
	unsigned long flags = local_irq_save();
	/* When the machine dies, and in an NMI, the lock's holder may never go on: then without it. */
	bool locked = false;

	for (int i = 0; i < POLLS_MAX && !locked; i++) {
		locked = spin_trylock(&vt_lock);
		if (!locked)
			cpu_relax();
	}
	writing_log = true;
	for (; size; text++, size--) {
		if (*text == '\n')
			screen_write(&screen, (const u8 *)"\r", 1);
		screen_write(&screen, (const u8 *)text, 1);
	}
	writing_log = false;
	if (locked)
		spin_unlock(&vt_lock);
	local_irq_restore(flags);
}

static void console_show(struct console *console, bool ending)
{
	if (ending)
		framebuffer_draw(&screen);
	else
		draw_soon();
}

static struct console vt_console = { .name = "tty1", .write = console_write, .show = console_show };

/* ---- Drawing ---- */

static int draw(void *unused)
{
	while (!kthread_should_stop()) {
		unsigned long flags;

		if (wait_event_interruptible(&changed, READ_ONCE(dirty) || kthread_should_stop()))
			continue;
		WRITE_ONCE(dirty, false);
		flags = spin_lock_irqsave(&vt_lock);
		framebuffer_draw(&screen);
		spin_unlock_irqrestore(&vt_lock, flags);
		sleep_ns(DRAW_PAUSE_MS * NSEC_PER_MSEC);
	}
	return 0;
}

/* Whatever was written last may have asked for an answer, which the worker gives to a terminal that is still there. */
static void terminal_remove(void)
{
	tty_get(tty);
	tty_unregister(tty);
	work_cancel_sync(&answer_work);
	tty_put(tty);
}

static int __init vt_init(void)
{
	unsigned int rows, columns;
	int error = framebuffer_open(&rows, &columns);

	if (error)
		return error;
	error = screen_init(&screen, rows, columns);
	if (error)
		goto close;
	screen.answer = answer;
	work_init(&answer_work, answers_send);
	tty = tty_register("tty1", device_make(TTY_MAJOR, 1), &vt_ops, NULL, THIS_MODULE);
	if (IS_ERR(tty)) {
		error = (int)PTR_ERR(tty);
		goto free;
	}
	drawer = kthread_run(draw, NULL, "vt-draw");
	if (IS_ERR(drawer)) {
		error = (int)PTR_ERR(drawer);
		goto unregister;
	}
	tty_set_size(tty, rows, columns);
	tty_console_prefer(tty, "tty1");
	console_register(&vt_console);
	pr_info("a screen of %u rows and %u columns\n", rows, columns);
	return 0;
unregister:
	terminal_remove();
free:
	screen_free(&screen);
close:
	framebuffer_close();
	return error;
}

static void __exit vt_exit(void)
{
	console_unregister(&vt_console);
	kthread_stop(drawer);
	terminal_remove();
	screen_free(&screen);
	framebuffer_close();
}

module_init(vt_init);
module_exit(vt_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("terminal on the boot loader's framebuffer");
MODULE_ALIAS("platform:framebuffer");
