/*
 * The first serial port (16550, COM1) by polling: where the machine speaks before it has drivers, and when it dies. The tty
 * driver for the port programs it the same way, and registers a console of its own instead of this one.
 */
#include <kumo/arch/serial.h>
#include <kumo/boot.h>
#include <kumo/io.h>
#include <kumo/printk.h>

enum {
	PORT = 0x3f8,
	DATA = PORT,
	INTERRUPT_ENABLE = PORT + 1,
	FIFO_CONTROL = PORT + 2, /* write */
	INTERRUPT_ID = PORT + 2, /* read */
	LINE_CONTROL = PORT + 3,
	MODEM_CONTROL = PORT + 4,
	LINE_STATUS = PORT + 5,
	SCRATCH = PORT + 7,
};

enum {
	LINE_8N1 = 0x03,
	LINE_DIVISOR_LATCH = 0x80,
	FIFO_ENABLE_CLEAR = 0x07,
	FIFO_WORKS = 0xc0, /* in INTERRUPT_ID */
	MODEM_DTR_RTS_OUT2 = 0x0b,
	STATUS_EMPTY = 0x20,
	DIVISOR_115200 = 1,
};

/* Longer than a full queue takes at 115200 baud, in polls of about a microsecond. */
#define POLL_LIMIT 100000

static bool present;
static unsigned int burst = 1; /* characters that the port takes when it says that it is empty */

void __init serial_early_init(void)
{
	outb(SCRATCH, 0x5a);
	if (inb(SCRATCH) != 0x5a)
		return;
	outb(INTERRUPT_ENABLE, 0);
	outb(LINE_CONTROL, LINE_DIVISOR_LATCH);
	outb(DATA, DIVISOR_115200);
	outb(INTERRUPT_ENABLE, 0);
	outb(LINE_CONTROL, LINE_8N1);
	outb(FIFO_CONTROL, FIFO_ENABLE_CLEAR);
	outb(MODEM_CONTROL, MODEM_DTR_RTS_OUT2);
	if ((inb(INTERRUPT_ID) & FIFO_WORKS) == FIFO_WORKS)
		burst = 16;
	present = true;
}

static void put(char c, unsigned int *room)
{
	if (!*room) {
		/* A port that never gets ready loses text rather than hold up the machine. */
		for (unsigned int i = 0; i < POLL_LIMIT && !(inb(LINE_STATUS) & STATUS_EMPTY); i++)
			__builtin_ia32_pause();
		*room = burst;
	}
	outb(DATA, (u8)c);
	(*room)--;
}

void serial_early_write(const char *text, size_t size)
{
	unsigned int room = 0;

	if (!present)
		return;
	for (; size; text++, size--) {
		if (*text == '\n')
			put('\r', &room);
		put(*text, &room);
	}
}

static void console_write(struct console *console, const char *text, size_t size)
{
	serial_early_write(text, size);
}

struct console serial_early_console = { .name = "ttyS0", .write = console_write };
