/*
 * Serial ports COM1 to COM4 of PCs: 16550A UARTs with FIFOs, /dev/ttyS0 to ttyS3, driven by interrupts. ttyS0 also
 * takes over the kernel's log from the early console, which polls the same UART.
 *
 * Programs' output waits in a ring from which the transmitter is refilled, 16 bytes at a time, each time it reports
 * that it is empty. The log does not go through the ring: it must come out whatever state the machine is in, so it is written
 * by polling, between two refills.
 */
#define LOG_PREFIX "serial: "
#include <asm/ioctls.h>
#include <kumo/boot.h>
#include <kumo/io.h>
#include <kumo/irq.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/spinlock.h>
#include <kumo/time.h>
#include <kumo/tty.h>
#include <kumo/uaccess.h>
#include <linux/serial_reg.h>

#define FIFO_SIZE 16
#define RING_SIZE 4096
#define CLOCK 115200 /* bits a second with divisor 1 */
#define TTY_MAJOR 4
#define FIRST_MINOR 64

struct port {
	u16 base;
	int irq;
	const char *name;
	struct tty *tty;
	spinlock_t lock; /* protects the registers and the ring; taken in interrupts */
	bool open;
	u8 interrupts; /* what is enabled in IER */
	u8 modem;      /* MCR */
	u32 head, tail;
	u8 ring[RING_SIZE];
};

static struct port ports[] = {
	{ .base = 0x3f8, .irq = 4, .name = "ttyS0" },
	{ .base = 0x2f8, .irq = 3, .name = "ttyS1" },
	{ .base = 0x3e8, .irq = 4, .name = "ttyS2" },
	{ .base = 0x2e8, .irq = 3, .name = "ttyS3" },
};

static u8 read_register(const struct port *port, int which)
{
	return inb((u16)(port->base + which));
}

static void write_register(const struct port *port, int which, u8 value)
{
	outb((u16)(port->base + which), value);
}

static void enable_interrupts(struct port *port, u8 which)
{
	if (port->interrupts == which)
		return;
	port->interrupts = which;
	write_register(port, UART_IER, which);
}

/* ---- Output ---- */

/* Refills the transmitter if it is empty, and asks for an interrupt while more waits. port->lock is held. */
static void transmit(struct port *port)
{
	u8 interrupts = port->interrupts & (u8)~UART_IER_THRI;

	if (port->head != port->tail && (read_register(port, UART_LSR) & UART_LSR_THRE))
		for (int i = 0; i < FIFO_SIZE && port->tail != port->head; i++)
			write_register(port, UART_TX, port->ring[port->tail++ % RING_SIZE]);
	if (port->head != port->tail)
		interrupts |= UART_IER_THRI;
	enable_interrupts(port, interrupts);
}

static size_t serial_write(struct tty *tty, const u8 *data, size_t size)
{
	struct port *port = tty_private(tty);
	unsigned long flags = spin_lock_irqsave(&port->lock);
	size_t done;

	for (done = 0; done < size && port->head - port->tail < RING_SIZE; done++)
		port->ring[port->head++ % RING_SIZE] = data[done];
	if (port->open && !(port->interrupts & UART_IER_THRI))
		transmit(port);
	spin_unlock_irqrestore(&port->lock, flags);
	return done;
}

static size_t serial_write_room(struct tty *tty)
{
	struct port *port = tty_private(tty);

	return RING_SIZE - (READ_ONCE(port->head) - READ_ONCE(port->tail));
}

static void serial_flush_output(struct tty *tty)
{
	struct port *port = tty_private(tty);
	unsigned long flags = spin_lock_irqsave(&port->lock);

	port->tail = port->head;
	spin_unlock_irqrestore(&port->lock, flags);
}

static bool serial_output_empty(struct tty *tty)
{
	struct port *port = tty_private(tty);

	return port->head == port->tail && (read_register(port, UART_LSR) & UART_LSR_TEMT);
}

/* ---- Interrupts ---- */

/* Takes what was received into `bytes`; a break ends the batch. port->lock is held. */
static size_t receive(struct port *port, u8 *bytes, size_t size, bool *broken)
{
	size_t count = 0;

	*broken = false;
	while (count < size) {
		u8 status = read_register(port, UART_LSR), c;

		if (!(status & UART_LSR_DR))
			break;
		c = read_register(port, UART_RX);
		if (status & UART_LSR_BI) {
			*broken = true;
			break;
		}
		bytes[count++] = c;
	}
	return count;
}

/* Terminals want to be told without the lock, so the port is asked again until nothing is left. */
static enum irq_result serial_interrupt(int irq, void *arg)
{
	struct port *port = arg;
	enum irq_result result = IRQ_NONE;

	for (int rounds = 0; rounds < 256; rounds++) {
		unsigned long flags = spin_lock_irqsave(&port->lock);
		bool pending = !(read_register(port, UART_IIR) & UART_IIR_NO_INT), broken, room = false;
		u8 bytes[64];
		size_t count;

		if (!pending) {
			spin_unlock_irqrestore(&port->lock, flags);
			break;
		}
		result = IRQ_HANDLED;
		count = receive(port, bytes, sizeof(bytes), &broken);
		read_register(port, UART_MSR); /* a change of modem lines is done with when it was read */
		if (port->interrupts & UART_IER_THRI) {
			transmit(port);
			room = port->head - port->tail <= RING_SIZE / 2;
		}
		spin_unlock_irqrestore(&port->lock, flags);
		if (!port->tty)
			continue;
		if (count)
			tty_receive(port->tty, bytes, count);
		if (broken)
			tty_receive_break(port->tty);
		if (room)
			tty_output_ready(port->tty);
	}
	return result;
}

/* ---- Opening and settings ---- */

static void serial_set_termios(struct tty *tty, const struct ktermios *old)
{
	static const u8 bits[] = { UART_LCR_WLEN5, UART_LCR_WLEN6, UART_LCR_WLEN7, UART_LCR_WLEN8 };
	struct port *port = tty_private(tty);
	const struct ktermios *termios = tty_termios(tty);
	unsigned int speed = termios_speed(termios), divisor = speed ? max(1U, CLOCK / speed) : 0;
	u8 line = bits[(termios->c_cflag & CSIZE) >> 4];
	unsigned long flags;

	if (termios->c_cflag & CSTOPB)
		line |= UART_LCR_STOP;
	if (termios->c_cflag & PARENB)
		line |= UART_LCR_PARITY;
	if (!(termios->c_cflag & PARODD))
		line |= UART_LCR_EPAR;
	flags = spin_lock_irqsave(&port->lock);
	if (divisor) {
		write_register(port, UART_LCR, line | UART_LCR_DLAB);
		write_register(port, UART_DLL, (u8)divisor);
		write_register(port, UART_DLM, (u8)(divisor >> 8));
	}
	write_register(port, UART_LCR, line);
	port->modem = divisor ? port->modem | UART_MCR_DTR
			      : port->modem & (u8)~UART_MCR_DTR; /* speed 0 hangs up */
	write_register(port, UART_MCR, port->modem);
	spin_unlock_irqrestore(&port->lock, flags);
}

static int serial_open(struct tty *tty)
{
	struct port *port = tty_private(tty);
	unsigned long flags;
	int error = irq_request(port->irq, serial_interrupt, port, port->name);

	if (error)
		return error;
	serial_set_termios(tty, NULL);
	flags = spin_lock_irqsave(&port->lock);
	write_register(port, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	port->modem |= UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2;
	write_register(port, UART_MCR, port->modem);
	port->open = true;
	enable_interrupts(port, UART_IER_RDI | UART_IER_RLSI);
	transmit(port);
	spin_unlock_irqrestore(&port->lock, flags);
	return 0;
}

#define CLOSE_WAIT_NS (2 * NSEC_PER_SEC)

/* What was written goes out first, unless the other side takes nothing. */
static void serial_close(struct tty *tty)
{
	struct port *port = tty_private(tty);
	u64 give_up_ns = time_monotonic_ns() + CLOSE_WAIT_NS;
	unsigned long flags;

	while (READ_ONCE(port->head) != READ_ONCE(port->tail) && time_monotonic_ns() < give_up_ns)
		sleep_ns(NSEC_PER_MSEC);
	flags = spin_lock_irqsave(&port->lock);
	port->open = false;
	port->tail = port->head;
	enable_interrupts(port, 0);
	spin_unlock_irqrestore(&port->lock, flags);
	irq_free(port->irq, port);
}

/* The other side is asked to pause by its RTS line, when both have agreed on that. */
static void serial_throttle(struct tty *tty, bool stop)
{
	struct port *port = tty_private(tty);
	unsigned long flags;

	if (!(tty_termios(tty)->c_cflag & CRTSCTS))
		return;
	flags = spin_lock_irqsave(&port->lock);
	port->modem = stop ? port->modem & (u8)~UART_MCR_RTS : port->modem | UART_MCR_RTS;
	write_register(port, UART_MCR, port->modem);
	spin_unlock_irqrestore(&port->lock, flags);
}

static int modem_lines(struct port *port)
{
	u8 status = read_register(port, UART_MSR);

	return (port->modem & UART_MCR_DTR ? TIOCM_DTR : 0) |
	       (port->modem & UART_MCR_RTS ? TIOCM_RTS : 0) |
	       (status & UART_MSR_CTS ? TIOCM_CTS : 0) | (status & UART_MSR_DSR ? TIOCM_DSR : 0) |
	       (status & UART_MSR_DCD ? TIOCM_CAR : 0) | (status & UART_MSR_RI ? TIOCM_RNG : 0);
}

static int modem_set(struct port *port, unsigned int command, int lines)
{
	u8 which = (lines & TIOCM_DTR ? UART_MCR_DTR : 0) | (lines & TIOCM_RTS ? UART_MCR_RTS : 0);
	unsigned long flags = spin_lock_irqsave(&port->lock);

	if (command == TIOCMBIS)
		port->modem |= which;
	else if (command == TIOCMBIC)
		port->modem &= (u8)~which;
	else
		port->modem = (port->modem & (u8) ~(UART_MCR_DTR | UART_MCR_RTS)) | which;
	write_register(port, UART_MCR, port->modem);
	spin_unlock_irqrestore(&port->lock, flags);
	return 0;
}

static void line_break(struct port *port, bool on)
{
	unsigned long flags = spin_lock_irqsave(&port->lock);
	u8 line = read_register(port, UART_LCR);

	write_register(port, UART_LCR, on ? line | UART_LCR_SBC : line & (u8)~UART_LCR_SBC);
	spin_unlock_irqrestore(&port->lock, flags);
}

#define BREAK_NS (NSEC_PER_SEC / 4)

static int serial_ioctl(struct tty *tty, unsigned int command, unsigned long argument)
{
	struct port *port = tty_private(tty);
	int lines;

	switch (command) {
	case TIOCMGET:
		return put_user(modem_lines(port), (int __user *)argument);
	case TIOCMSET:
	case TIOCMBIS:
	case TIOCMBIC:
		if (get_user(lines, (int __user *)argument))
			return -EFAULT;
		return modem_set(port, command, lines);
	case TIOCSBRK:
	case TIOCCBRK:
		line_break(port, command == TIOCSBRK);
		return 0;
	case TCSBRKP:
		line_break(port, true);
		sleep_ns(argument ? argument * (NSEC_PER_SEC / 10) : BREAK_NS);
		line_break(port, false);
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

static const struct tty_driver_ops serial_ops = {
	.write = serial_write,
	.write_room = serial_write_room,
	.open = serial_open,
	.close = serial_close,
	.set_termios = serial_set_termios,
	.throttle = serial_throttle,
	.ioctl = serial_ioctl,
	.flush_output = serial_flush_output,
	.output_empty = serial_output_empty,
};

/* ---- The log ---- */

#define POLLS_MAX 100000 /* a UART that takes nothing for so long is not there */

/* Waits until the transmitter is empty; false: it never is. */
static bool wait_empty(const struct port *port)
{
	for (int i = 0; i < POLLS_MAX; i++) {
		if (read_register(port, UART_LSR) & UART_LSR_THRE)
			return true;
		cpu_relax();
	}
	return false;
}

static void console_write(struct console *console, const char *text, size_t size)
{
	struct port *port = &ports[0];
	unsigned long flags = local_irq_save();
	/* When the machine dies, the lock's holder may never go on: then without it. */
	bool locked = false;
	int room = 0;

	for (int i = 0; i < POLLS_MAX && !locked; i++) {
		locked = spin_trylock(&port->lock);
		if (!locked)
			cpu_relax();
	}
	for (size_t i = 0; i < size; i++) {
		if (room < 2) {
			if (!wait_empty(port))
				break;
			room = FIFO_SIZE;
		}
		if (text[i] == '\n') {
			write_register(port, UART_TX, '\r');
			room--;
		}
		write_register(port, UART_TX, (u8)text[i]);
		room--;
	}
	if (locked)
		spin_unlock(&port->lock);
	local_irq_restore(flags);
}

static struct console serial_console = { .name = "ttyS0", .write = console_write, .takes_over = true };

/* ---- The start ---- */

/* A UART keeps what is written to its scratch register, and has FIFOs to enable. */
static bool __init port_present(struct port *port)
{
	for (u8 pattern = 0x5a; pattern != 0; pattern = pattern == 0x5a ? 0xa5 : 0) {
		write_register(port, UART_SCR, pattern);
		if (read_register(port, UART_SCR) != pattern)
			return false;
	}
	write_register(port, UART_IER, 0);
	write_register(port, UART_FCR, UART_FCR_ENABLE_FIFO);
	return (read_register(port, UART_IIR) & 0xc0) == 0xc0;
}

void __init serial_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		struct port *port = &ports[i];
		struct tty *tty;

		spin_init(&port->lock, "serial");
		if (!port_present(port))
			continue;
		tty = tty_register(port->name, device_make(TTY_MAJOR, (u32)(FIRST_MINOR + i)),
				   &serial_ops, port, NULL);
		if (IS_ERR(tty)) {
			pr_err("%s: error %ld\n", port->name, PTR_ERR(tty));
			continue;
		}
		port->tty = tty;
		tty_console_prefer(tty, port->name);
		if (i == 0) {
			console_unregister(&serial_early_console);
			console_register(&serial_console);
		}
	}
}
