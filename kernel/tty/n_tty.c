/*
 * The line discipline: what happens to bytes between the driver and programs (POSIX "General Terminal Interface", and
 * Linux's N_TTY where that says more).
 *
 * Input goes through line_receive(), byte by byte as the driver delivers it, in interrupt context: it edits the line,
 * echoes, and notes signals to be sent. Output of programs and echoes go through put_processed() into one small ring, from
 * which output_flush() feeds the driver. All of it runs under tty->lock.
 */
#include <asm/signal.h>
#include <kumo/export.h>
#include <kumo/string.h>

#include "internal.h"

#define DISABLED_CHAR                                                                              \
	0 /* stored with its line_end bit for an end of file: ends the line, and is not given out */

static inline u8 *input_at(const struct tty *tty, u32 position)
{
	return &tty->input[position % INPUT_SIZE];
}

static bool is_continuation(const struct tty *tty, u8 c)
{
	return input_flag(tty, IUTF8) && (c & 0xc0) == 0x80;
}

static bool is_control_code(u8 c)
{
	return c < ' ' || c == 0x7f;
}

/* Letters are those of Latin-1, as Linux has them. */
static bool is_small_letter(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7);
}

static bool is_capital_letter(u8 c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}

/* ---- Output ---- */

static u32 output_room(const struct tty *tty)
{
	return OUTPUT_SIZE - (tty->output_head - tty->output_tail);
}

bool output_has_room(const struct tty *tty)
{
	return !tty->stopped && output_room(tty) > OUTPUT_MARGIN;
}

static void put_raw(struct tty *tty, u8 c)
{
	tty->output[tty->output_head++ % OUTPUT_SIZE] = c;
}

void output_flush(struct tty *tty)
{
	while (tty->output_head != tty->output_tail && !tty->stopped && !tty->gone) {
		u32 at = tty->output_tail % OUTPUT_SIZE;
		size_t size = min(tty->output_head - tty->output_tail, OUTPUT_SIZE - at);
		size_t taken = tty->ops->write(tty, tty->output + at, size);

		tty->output_tail += (u32)taken;
		if (taken < size)
			break;
	}
	if (tty->output_head == tty->output_tail)
		tty->shown_column = tty->column;
}

void output_discard(struct tty *tty)
{
	tty->output_tail = tty->output_head;
	tty->column = tty->shown_column;
	if (tty->ops->flush_output && !tty->gone)
		tty->ops->flush_output(tty);
}

static void tell(struct tty *tty, unsigned int what)
{
	if (!tty->gone && tty->ops->status)
		tty->ops->status(tty, what);
}

void output_stop(struct tty *tty, bool stop)
{
	if (tty->stopped == stop || (tty->held && !stop))
		return;
	tty->stopped = stop;
	tell(tty, stop ? TIOCPKT_STOP : TIOCPKT_START);
	if (!stop)
		output_flush(tty);
}

void output_hold(struct tty *tty, bool hold)
{
	if (tty->held == hold)
		return;
	tty->held = hold;
	output_stop(tty, hold);
}

/* One character as OPOST says; there is room for OUTPUT_MARGIN. */
static void put_processed(struct tty *tty, u8 c)
{
	if (!output_flag(tty, OPOST)) {
		put_raw(tty, c);
		return;
	}
	switch (c) {
	case '\n':
		if (output_flag(tty, ONLRET))
			tty->column = 0;
		if (output_flag(tty, ONLCR)) {
			tty->column = 0;
			put_raw(tty, '\r');
		}
		break;
	case '\r':
		if (output_flag(tty, ONOCR) && !tty->column)
			return;
		if (output_flag(tty, OCRNL)) {
			c = '\n';
			if (output_flag(tty, ONLRET))
				tty->column = 0;
		} else {
			tty->column = 0;
		}
		break;
	case '\t': {
		u32 spaces = 8 - tty->column % 8;

		tty->column += spaces;
		if (output_flag(tty, TABDLY) == XTABS) {
			while (spaces--)
				put_raw(tty, ' ');
			return;
		}
		break;
	}
	case '\b':
		if (tty->column)
			tty->column--;
		break;
	default:
		if (output_flag(tty, OLCUC) && is_small_letter(c))
			c -= 'a' - 'A';
		if (!is_control_code(c) && !is_continuation(tty, c))
			tty->column++;
	}
	put_raw(tty, c);
}

size_t line_write(struct tty *tty, const u8 *data, size_t size)
{
	size_t done = 0;

	output_flush(tty);
	if (tty->stopped || tty->gone)
		return 0;
	if (!output_flag(tty, OPOST)) {
		/* Nothing to be done to the bytes, and none waits: straight to the driver. */
		if (tty->output_head == tty->output_tail)
			return tty->ops->write(tty, data, size);
		for (; done < size && output_room(tty) > OUTPUT_MARGIN; done++)
			put_raw(tty, data[done]);
		return done;
	}
	while (done < size) {
		while (done < size && output_room(tty) > OUTPUT_MARGIN)
			put_processed(tty, data[done++]);
		output_flush(tty);
		if (output_room(tty) <= OUTPUT_MARGIN)
			break;
	}
	return done;
}

/* ---- Echo: what does not fit any more is not shown ---- */

static void echo_raw(struct tty *tty, u8 c)
{
	if (output_room(tty) > OUTPUT_MARGIN)
		put_processed(tty, c);
}

/* Linux marks its own notes among echoes with this byte, and shows the byte itself as it is. */
#define ECHO_MARK 0xff

static void echo_plain(struct tty *tty, u8 c)
{
	if (c != ECHO_MARK) {
		echo_raw(tty, c);
	} else if (output_room(tty) > OUTPUT_MARGIN) {
		put_raw(tty, c);
		tty->column++;
	}
}

static bool shown_as_two(const struct tty *tty, u8 c)
{
	return local_flag(tty, ECHOCTL) && is_control_code(c) && c != '\t';
}

static void echo(struct tty *tty, u8 c)
{
	if (shown_as_two(tty, c)) {
		echo_raw(tty, '^');
		echo_raw(tty, c ^ 0x40);
	} else {
		echo_plain(tty, c);
	}
}

/* How wide the tab at `position` of the line being edited is shown: that depends on what lies between the tab, or the line's
 * start, before it. */
static u32 tab_width(const struct tty *tty, u32 position)
{
	u32 column = 0;

	while (position != tty->line_head) {
		u8 c = *input_at(tty, --position);

		if (c == '\t')
			return 8 - column % 8;
		if (shown_as_two(tty, c))
			column += 2;
		else if (!is_control_code(c) && !is_continuation(tty, c))
			column++;
	}
	return 8 - (column + tty->line_column) % 8;
}

/* ECHOPRT: shows the character from `position` to `end`, which is erased. */
static void echo_printed(struct tty *tty, u32 position, u32 end)
{
	if (!tty->erasing)
		echo_raw(tty, '\\');
	tty->erasing = true;
	echo(tty, *input_at(tty, position));
	while (++position != end)
		echo_plain(tty, *input_at(tty, position));
}

static void finish_erasing(struct tty *tty)
{
	if (tty->erasing)
		echo_raw(tty, '/');
	tty->erasing = false;
}

/* Takes the character from `position` to the end of the line off the screen. */
static void echo_erase(struct tty *tty, u32 position)
{
	u8 c = *input_at(tty, position);

	if (c == '\t') {
		for (u32 steps = tab_width(tty, position); steps; steps--)
			echo_raw(tty, '\b');
		return;
	}
	for (int width = shown_as_two(tty, c) ? 2 : !is_control_code(c); width; width--) {
		echo_raw(tty, '\b');
		echo_raw(tty, ' ');
		echo_raw(tty, '\b');
	}
}

/* ---- Editing the line ---- */

/* Where the last character of the line being edited starts. */
static u32 previous_character(const struct tty *tty, u32 position)
{
	do
		position--;
	while (position != tty->line_head && is_continuation(tty, *input_at(tty, position)));
	return position;
}

static bool is_word_character(u8 c)
{
	return (c >= '0' && c <= '9') || is_small_letter(c) || is_capital_letter(c) || c == '_';
}

/* The last character goes; false: half a character stays. by: the control character that is echoed for it without ECHOE, 0: it is
 * taken off the screen all the same. */
static bool erase_character(struct tty *tty, u8 by)
{
	u32 position = previous_character(tty, tty->head), end = tty->head;

	if (is_continuation(tty, *input_at(tty, position)))
		return false;
	tty->head = position;
	if (!local_flag(tty, ECHO))
		return true;
	if (local_flag(tty, ECHOPRT))
		echo_printed(tty, position, end);
	else if (by && !local_flag(tty, ECHOE))
		echo(tty, by);
	else
		echo_erase(tty, position);
	return true;
}

static void erase_word(struct tty *tty)
{
	bool in_word = false;

	while (tty->head != tty->line_head) {
		bool word = is_word_character(*input_at(tty, previous_character(tty, tty->head)));

		if (in_word && !word)
			break;
		in_word |= word;
		if (!erase_character(tty, 0))
			break;
	}
}

static void erase_line(struct tty *tty, u8 by)
{
	if (local_flag(tty, ECHO) && local_flag(tty, ECHOK) && local_flag(tty, ECHOKE) &&
	    local_flag(tty, ECHOE)) {
		while (tty->head != tty->line_head && erase_character(tty, 0))
			;
		return;
	}
	tty->head = tty->line_head;
	if (local_flag(tty, ECHO)) {
		finish_erasing(tty);
		echo(tty, by);
		if (local_flag(tty, ECHOK))
			echo_raw(tty, '\n');
	}
}

/* VERASE, VWERASE, VKILL */
static void erase(struct tty *tty, u8 c)
{
	if (tty->head == tty->line_head)
		return;
	if (is_control(tty, c, VERASE))
		(void)erase_character(tty, c);
	else if (is_control(tty, c, VWERASE) && local_flag(tty, IEXTEN))
		erase_word(tty);
	else
		erase_line(tty, c);
	if (tty->head == tty->line_head && local_flag(tty, ECHO))
		finish_erasing(tty);
}

static void reprint(struct tty *tty, u8 by)
{
	finish_erasing(tty);
	echo(tty, by);
	echo_raw(tty, '\n');
	tty->line_column = tty->column;
	for (u32 at = tty->line_head; at != tty->head; at++)
		echo(tty, *input_at(tty, at));
}

/* ---- Input ---- */

/* Lines matter here, and are not the business of the other side (EXTPROC). */
static bool is_canonical(const struct tty *tty)
{
	return local_flag(tty, ICANON | EXTPROC) == ICANON;
}

static void store(struct tty *tty, u8 c)
{
	/* The last free byte of a line is kept for what ends it. */
	if (tty->head - tty->tail >= INPUT_SIZE - 1) {
		if (input_flag(tty, IMAXBEL))
			echo_raw(tty, '\a');
		return;
	}
	*input_at(tty, tty->head) = c;
	clear_bit(tty->line_end, tty->head % INPUT_SIZE);
	tty->head++;
	if (!is_canonical(tty))
		tty->line_head = tty->head;
}

static void store_line_end(struct tty *tty, u8 c)
{
	if (tty->head - tty->tail >= INPUT_SIZE)
		return;
	*input_at(tty, tty->head) = c;
	set_bit(tty->line_end, tty->head % INPUT_SIZE);
	tty->head++;
	tty->line_head = tty->head;
}

/* Bytes that look like the mark of an error are doubled, when such marks are wanted. */
static void store_marked(struct tty *tty, u8 c)
{
	if (input_flag(tty, PARMRK) && c == 0xff)
		store(tty, c);
	store(tty, c);
}

static void echo_input(struct tty *tty, u8 c)
{
	if (tty->head == tty->line_head)
		tty->line_column = tty->column;
	echo(tty, c);
}

static void note_signal(struct tty *tty, int signal, u8 c)
{
	if (!local_flag(tty, NOFLSH)) {
		line_flush(tty);
		output_discard(tty);
	}
	if (input_flag(tty, IXON))
		output_stop(tty, false);
	if (c && local_flag(tty, ECHO))
		echo(tty, c);
	tty->signals |= 1UL << (signal - 1);
}

/* Flow control and signals; true: the byte has done its work. */
static bool receive_special(struct tty *tty, u8 c)
{
	if (input_flag(tty, IXON)) {
		if (is_control(tty, c, VSTART)) {
			output_stop(tty, false);
			return true;
		}
		if (is_control(tty, c, VSTOP)) {
			output_stop(tty, true);
			return true;
		}
	}
	if (local_flag(tty, ISIG)) {
		int signal = is_control(tty, c, VINTR)	 ? SIGINT
			     : is_control(tty, c, VQUIT) ? SIGQUIT
			     : is_control(tty, c, VSUSP) ? SIGTSTP
							 : 0;

		if (signal) {
			note_signal(tty, signal, c);
			return true;
		}
	}
	if (tty->stopped && input_flag(tty, IXON) && input_flag(tty, IXANY))
		output_stop(tty, false);
	return false;
}

/* Editing of lines; true: the byte has done its work. */
static bool receive_canonical(struct tty *tty, u8 c)
{
	bool extended = local_flag(tty, IEXTEN);

	if (is_control(tty, c, VERASE) || is_control(tty, c, VKILL) ||
	    (extended && is_control(tty, c, VWERASE))) {
		erase(tty, c);
		return true;
	}
	if (extended && is_control(tty, c, VLNEXT)) {
		tty->literal_next = true;
		if (local_flag(tty, ECHO)) {
			finish_erasing(tty);
			if (local_flag(tty, ECHOCTL)) {
				if (tty->head == tty->line_head)
					tty->line_column = tty->column;
				echo_raw(tty, '^');
				echo_raw(tty, '\b');
			}
		}
		return true;
	}
	if (extended && local_flag(tty, ECHO) && is_control(tty, c, VREPRINT)) {
		reprint(tty, c);
		return true;
	}
	if (c == '\n') {
		if (local_flag(tty, ECHO | ECHONL))
			echo_raw(tty, c);
		store_line_end(tty, c);
		return true;
	}
	if (is_control(tty, c, VEOF)) {
		store_line_end(tty, DISABLED_CHAR);
		return true;
	}
	if (is_control(tty, c, VEOL) || (extended && is_control(tty, c, VEOL2))) {
		if (local_flag(tty, ECHO))
			echo_input(tty, c);
		if (input_flag(tty, PARMRK) && c == 0xff)
			store(tty, c);
		store_line_end(tty, c);
		return true;
	}
	return false;
}

/* A byte that is input, and nothing else. as_newline: echoed as the end of a line, not as a control character. */
static void receive_ordinary(struct tty *tty, u8 c, bool as_newline)
{
	if (local_flag(tty, ECHO)) {
		finish_erasing(tty);
		if (as_newline)
			echo_raw(tty, c);
		else
			echo_input(tty, c);
	}
	store_marked(tty, c);
}

void line_receive(struct tty *tty, u8 c)
{
	bool made_newline = false;

	if (input_flag(tty, ISTRIP))
		c &= 0x7f;
	if (input_flag(tty, IUCLC) && local_flag(tty, IEXTEN) && is_capital_letter(c))
		c += 'a' - 'A';
	if (local_flag(tty, EXTPROC)) {
		store(tty, c);
		return;
	}
	if (tty->literal_next) {
		tty->literal_next = false;
		receive_ordinary(tty, c, false);
		return;
	}
	if (receive_special(tty, c))
		return;
	if (c == '\r') {
		if (input_flag(tty, IGNCR))
			return;
		made_newline = input_flag(tty, ICRNL);
		if (made_newline)
			c = '\n';
	} else if (c == '\n' && input_flag(tty, INLCR)) {
		c = '\r';
	}
	if (!is_canonical(tty) || !receive_canonical(tty, c))
		receive_ordinary(tty, c, made_newline);
}

void line_receive_break(struct tty *tty)
{
	if (input_flag(tty, IGNBRK))
		return;
	if (input_flag(tty, BRKINT)) {
		line_flush(tty);
		output_discard(tty);
		tty->signals |= 1UL << (SIGINT - 1);
		return;
	}
	if (input_flag(tty, PARMRK)) {
		store(tty, 0xff);
		store(tty, 0);
	}
	store(tty, 0);
}

void line_flush(struct tty *tty)
{
	tty->tail = tty->line_head = tty->head;
	tty->erasing = false;
	memset(tty->line_end, 0, sizeof(tty->line_end));
	tell(tty, TIOCPKT_FLUSHREAD);
	input_throttle(tty);
}

/* How many received bytes can be taken in without losing any. A line that has no end yet may fill all of the space: then one at a
 * time, of which only the line's end is kept. */
static size_t input_room(const struct tty *tty)
{
	u32 used = tty->head - tty->tail, left = used < INPUT_SIZE - 1 ? INPUT_SIZE - 1 - used : 0;

	if (input_flag(tty, PARMRK))
		left /= 2; /* a byte may be doubled */
	return !left && is_canonical(tty) && tty->line_head == tty->tail ? 1 : left;
}

/* Nothing is to be done to input but to keep it. */
static bool input_is_plain(const struct tty *tty)
{
	return !local_flag(tty, ICANON | ISIG | ECHO) && !tty->literal_next && !tty->stopped &&
	       !input_flag(tty, ISTRIP | IUCLC | IXON | PARMRK | ICRNL | INLCR | IGNCR);
}

void line_pull(struct tty *tty)
{
	u8 bytes[64];
	size_t size = 1;

	while (!tty->gone && tty->ops->receive && size && input_is_plain(tty)) {
		u32 at = tty->head % INPUT_SIZE;

		size = tty->ops->receive(tty, tty->input + at,
					 min(input_room(tty), (size_t)(INPUT_SIZE - at)));
		tty->head += (u32)size;
		tty->line_head = tty->head;
	}
	while (!tty->gone && tty->ops->receive && size) {
		size_t room = input_room(tty);

		size = room ? tty->ops->receive(tty, bytes, min(room, sizeof(bytes))) : 0;
		for (size_t i = 0; i < size; i++)
			line_receive(tty, bytes[i]);
	}
}

void line_reset(struct tty *tty)
{
	line_flush(tty);
	tty->output_tail = tty->output_head;
	tty->column = tty->shown_column = 0;
	tty->literal_next = false;
	tty->stopped = tty->held = false;
}

/* Input that came under the old rule is kept: what is there when lines begin to matter is a line. */
void line_termios_changed(struct tty *tty, const struct ktermios *old)
{
	bool was_canonical = (old->c_lflag & (ICANON | EXTPROC)) == ICANON;

	if (was_canonical != is_canonical(tty)) {
		memset(tty->line_end, 0, sizeof(tty->line_end));
		if (!was_canonical && tty->head != tty->tail)
			set_bit(tty->line_end, (tty->head - 1) % INPUT_SIZE);
		tty->line_head = tty->head;
		tty->literal_next = false;
	}
	if (tty->stopped && !input_flag(tty, IXON) && (old->c_iflag & IXON))
		output_stop(tty, false);
}
EXPORT_SYMBOL(line_termios_changed); /* for the suite */

#define THROTTLE_ABOVE (INPUT_SIZE - 256)
#define UNTHROTTLE_BELOW 256

void input_throttle(struct tty *tty)
{
	u32 waiting = tty->head - tty->tail;
	bool stop = tty->throttled ? waiting > UNTHROTTLE_BELOW
				   : waiting > THROTTLE_ABOVE && tty->line_head != tty->tail;

	if (stop == tty->throttled || tty->gone)
		return;
	tty->throttled = stop;
	if (input_flag(tty, IXOFF) && output_room(tty))
		put_raw(tty, tty->termios.c_cc[stop ? VSTOP : VSTART]);
	if (tty->ops->throttle)
		tty->ops->throttle(tty, stop);
}

/* ---- Reading ---- */

bool line_readable(const struct tty *tty, unsigned int minimum)
{
	return tty->line_head - tty->tail >= (is_canonical(tty) ? 1 : max(minimum, 1U));
}

u32 line_available(const struct tty *tty)
{
	u32 count = tty->line_head - tty->tail;

	if (is_canonical(tty)) /* marks of end of file do not count */
		for (u32 at = tty->tail; at != tty->line_head; at++)
			if (*input_at(tty, at) == DISABLED_CHAR &&
			    test_bit(tty->line_end, at % INPUT_SIZE))
				count--;
	return count;
}

static size_t take_raw(struct tty *tty, u8 *to, size_t size)
{
	size_t done = 0;

	size = min(size, (size_t)(tty->line_head - tty->tail));
	while (done < size) {
		u32 at = tty->tail % INPUT_SIZE;
		size_t part = min(size - done, (size_t)(INPUT_SIZE - at));

		memcpy(to + done, tty->input + at, part);
		tty->tail += (u32)part;
		done += part;
	}
	return done;
}

static bool at_end_of_file(const struct tty *tty)
{
	return tty->tail != tty->line_head && test_bit(tty->line_end, tty->tail % INPUT_SIZE) &&
	       *input_at(tty, tty->tail) == DISABLED_CHAR;
}

size_t line_take(struct tty *tty, u8 *to, size_t size, bool *complete)
{
	size_t done = 0;

	*complete = false;
	if (!is_canonical(tty)) {
		done = take_raw(tty, to, size);
	} else {
		while (done < size && tty->tail != tty->line_head && !*complete) {
			*complete = test_bit(tty->line_end, tty->tail % INPUT_SIZE);
			if (!at_end_of_file(tty))
				to[done++] = *input_at(tty, tty->tail);
			tty->tail++;
		}
		/* An end of file right behind belongs to what was read: it would look like one more, else. */
		if (!*complete && done && at_end_of_file(tty)) {
			tty->tail++;
			*complete = true;
		}
	}
	input_throttle(tty);
	return done;
}
