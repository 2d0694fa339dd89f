/*
 * The PC's keyboard: an i8042 controller on ports 0x60 and 0x64, interrupt 1, scan code set 1 as the controller translates
 * it. Keys become the bytes that a US keyboard on TERM=linux sends, and go to the screen's terminal (vt.ko).
 * (IBM PS/2 Technical Reference, Keyboard and Auxiliary Device Controller)
 */
#define LOG_PREFIX "i8042: "
#include "../vt/vt.h"

#include <kumo/err.h>
#include <kumo/io.h>
#include <kumo/irq.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/time.h>

enum {
	DATA_PORT = 0x60,
	STATUS_PORT = 0x64,
	STATUS_OUTPUT_FULL = 1,
	STATUS_INPUT_FULL = 2,
	STATUS_AUX = 0x20
};
enum { COMMAND_READ_CONFIG = 0x20, COMMAND_WRITE_CONFIG = 0x60, COMMAND_ENABLE_KEYBOARD = 0xae };
enum { CONFIG_KEYBOARD_IRQ = 1, CONFIG_KEYBOARD_OFF = 0x10, CONFIG_TRANSLATE = 0x40 };
enum {
	KEYBOARD_ENABLE = 0xf4,
	EXTENDED = 0xe0,
	RELEASED = 0x80,
	ISA_IRQ = 1,
	WAIT_TRIES = 1000,
	WAIT_NS = 10000
};

enum {
	KEY_LEFT_SHIFT = 0x2a,
	KEY_RIGHT_SHIFT = 0x36,
	KEY_CONTROL = 0x1d,
	KEY_ALT = 0x38,
	KEY_CAPS_LOCK = 0x3a
};

/* What keys send without and with shift, by scan code; 0: nothing, or looked up below. */
static const char plain[] = "\0\033"
			    "1234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033"
			      "!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static const struct special_key {
	u8 code;
	bool extended;
	const char *text, *application; /* application: with DECCKM */
} special_keys[] = {
	{ 0x48, true, "\033[A", "\033OA" }, { 0x50, true, "\033[B", "\033OB" },
	{ 0x4d, true, "\033[C", "\033OC" }, { 0x4b, true, "\033[D", "\033OD" },
	{ 0x47, true, "\033[1~", NULL },    { 0x4f, true, "\033[4~", NULL },
	{ 0x49, true, "\033[5~", NULL },    { 0x51, true, "\033[6~", NULL },
	{ 0x52, true, "\033[2~", NULL },    { 0x53, true, "\033[3~", NULL },
	{ 0x1c, true, "\r", NULL },	    { 0x35, true, "/", NULL },
	{ 0x3b, false, "\033[[A", NULL },   { 0x3c, false, "\033[[B", NULL },
	{ 0x3d, false, "\033[[C", NULL },   { 0x3e, false, "\033[[D", NULL },
	{ 0x3f, false, "\033[[E", NULL },   { 0x40, false, "\033[17~", NULL },
	{ 0x41, false, "\033[18~", NULL },  { 0x42, false, "\033[19~", NULL },
	{ 0x43, false, "\033[20~", NULL },  { 0x44, false, "\033[21~", NULL },
	{ 0x57, false, "\033[23~", NULL },  { 0x58, false, "\033[24~", NULL },
	{ 0x47, false, "7", NULL },	    { 0x48, false, "8", NULL },
	{ 0x49, false, "9", NULL },	    { 0x4a, false, "-", NULL },
	{ 0x4b, false, "4", NULL },	    { 0x4c, false, "5", NULL },
	{ 0x4d, false, "6", NULL },	    { 0x4e, false, "+", NULL },
	{ 0x4f, false, "1", NULL },	    { 0x50, false, "2", NULL },
	{ 0x51, false, "3", NULL },	    { 0x52, false, "0", NULL },
	{ 0x53, false, ".", NULL },
};

/* Changed by the interrupt alone. */
static bool extended, shift, control, alt, caps_lock;

static void send(const char *text, size_t size)
{
	if (alt)
		vt_input((const u8 *)"\033", 1);
	vt_input((const u8 *)text, size);
}

static bool modifier(u8 code, bool pressed)
{
	switch (code) {
	case KEY_LEFT_SHIFT:
	case KEY_RIGHT_SHIFT:
		if (!extended) /* extended ones are part of other keys' codes */
			shift = pressed;
		return true;
	case KEY_CONTROL:
		control = pressed;
		return true;
	case KEY_ALT:
		alt = pressed;
		return true;
	case KEY_CAPS_LOCK:
		caps_lock ^= pressed;
		return true;
	default:
		return false;
	}
}

static void key_pressed(u8 code)
{
	char c;

	for (size_t i = 0; i < ARRAY_SIZE(special_keys); i++) {
		const struct special_key *key = &special_keys[i];
		const char *text = key->application && vt_application_keys() ? key->application
									     : key->text;

		if (key->code == code && key->extended == extended) {
			send(text, strlen(text));
			return;
		}
	}
	if (extended || code >= sizeof(plain) - 1)
		return;
	c = plain[code];
	if (shift != (caps_lock && c >= 'a' && c <= 'z'))
		c = shifted[code];
	if (control && c == ' ')
		c = '\0';
	else if (control && c == '/')
		c = 0x1f;
	else if (control && c >= '@' && c < 0x7f)
		c &= 0x1f;
	else if (!c)
		return;
	send(&c, 1);
}

static enum irq_result keyboard_interrupt(int irq, void *unused)
{
	enum irq_result result = IRQ_NONE;
	u8 status;

	while ((status = inb(STATUS_PORT)) & STATUS_OUTPUT_FULL) {
		u8 code = inb(DATA_PORT);

		result = IRQ_HANDLED;
		if ((status & STATUS_AUX) || status == 0xff)
			break; /* a mouse's byte, or no controller */
		if (code == EXTENDED) {
			extended = true;
			continue;
		}
		if (!modifier(code & ~RELEASED, !(code & RELEASED)) && !(code & RELEASED))
			key_pressed(code);
		extended = false;
	}
	return result;
}

/* Waits until the controller's status has, or has not, a bit. */
static int status_wait(u8 bit, bool set)
{
	for (int i = 0; i < WAIT_TRIES; i++) {
		if (!!(inb(STATUS_PORT) & bit) == set)
			return 0;
		delay_ns(WAIT_NS);
	}
	return -ENODEV;
}

static int write_port(u16 port, u8 value)
{
	int error = status_wait(STATUS_INPUT_FULL, false);

	if (!error)
		outb(port, value);
	return error;
}

static int controller_start(void)
{
	u8 config;

	for (int i = 0; i < 16 && (inb(STATUS_PORT) & STATUS_OUTPUT_FULL); i++)
		inb(DATA_PORT); /* what was typed while nobody listened */
	if (write_port(STATUS_PORT, COMMAND_READ_CONFIG) || status_wait(STATUS_OUTPUT_FULL, true))
		return -ENODEV;
	config = inb(DATA_PORT);
	config = (u8)((config | CONFIG_KEYBOARD_IRQ | CONFIG_TRANSLATE) & ~CONFIG_KEYBOARD_OFF);
	if (write_port(STATUS_PORT, COMMAND_WRITE_CONFIG) || write_port(DATA_PORT, config) ||
	    write_port(STATUS_PORT, COMMAND_ENABLE_KEYBOARD) ||
	    write_port(DATA_PORT, KEYBOARD_ENABLE) || status_wait(STATUS_OUTPUT_FULL, true))
		return -ENODEV;
	inb(DATA_PORT); /* the keyboard's acknowledgement */
	return 0;
}

/* A byte that came before the handler was there has raised the line already, and no edge will follow: takes it. */
static void input_drain(void)
{
	unsigned long flags = local_irq_save();

	keyboard_interrupt(ISA_IRQ, NULL);
	local_irq_restore(flags);
}

static int __init i8042_init(void)
{
	int error;

	if (inb(STATUS_PORT) == 0xff || controller_start())
		return -ENODEV;
	error = irq_request(ISA_IRQ, keyboard_interrupt, &extended, "i8042");
	if (error)
		return error;
	input_drain();
	pr_info("keyboard\n");
	return 0;
}

static void __exit i8042_exit(void)
{
	irq_free(ISA_IRQ, &extended);
}

module_init(i8042_init);
module_exit(i8042_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("PC keyboard");
MODULE_ALIAS("platform:i8042");
