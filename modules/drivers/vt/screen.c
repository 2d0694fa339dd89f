/*
 * A screen of character cells that understands what TERM=linux (and most of xterm) sends: cursor movement, erasing,
 * scrolling regions, insertion and deletion, colours (16, 256 and, nearest, 24 bits), the alternate screen, UTF-8.
 * (ECMA-48; DEC VT510; console_codes(4))
 */
#include "internal.h"

#if __STDC_HOSTED__ /* tests/fuzz */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define vmalloc(size, flags) calloc(1, size)
#define kmalloc(size, flags) malloc(size)
#define vfree(pointer) free(pointer)
#define kfree(pointer) free(pointer)
#else
#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#endif

enum { DEFAULT_FOREGROUND = 7, DEFAULT_BACKGROUND = 0, REPLACEMENT = 0xfffd };

static struct cell blank(const struct screen *screen)
{
	return (struct cell){ ' ', screen->cursor.pen.foreground, screen->cursor.pen.background, 0 };
}

static struct cell *cell_at(struct screen *screen, unsigned int row, unsigned int column)
{
	return &screen->cells[row * screen->columns + column];
}

static void mark_dirty(struct screen *screen, unsigned int from, unsigned int to)
{
	screen->dirty_from = min(screen->dirty_from, from);
	screen->dirty_to = max(screen->dirty_to, to);
}

static void fill(struct screen *screen, unsigned int from, unsigned int to)
{
	struct cell empty = blank(screen);

	for (unsigned int i = from; i < to; i++)
		screen->cells[i] = empty;
	if (from < to)
		mark_dirty(screen, from / screen->columns, (to - 1) / screen->columns + 1);
}

/* ---- Scrolling ---- */

/* Moves rows [top, bottom) up by `count`, blank ones come in below. */
static void scroll_up(struct screen *screen, unsigned int top, unsigned int bottom, unsigned int count)
{
	count = min(count, bottom - top);
	memmove(cell_at(screen, top, 0), cell_at(screen, top + count, 0),
		(bottom - top - count) * screen->columns * sizeof(struct cell));
	mark_dirty(screen, top, bottom);
	fill(screen, (bottom - count) * screen->columns, bottom * screen->columns);
}

static void scroll_down(struct screen *screen, unsigned int top, unsigned int bottom, unsigned int count)
{
	count = min(count, bottom - top);
	memmove(cell_at(screen, top + count, 0), cell_at(screen, top, 0),
		(bottom - top - count) * screen->columns * sizeof(struct cell));
	mark_dirty(screen, top, bottom);
	fill(screen, top * screen->columns, (top + count) * screen->columns);
}

static void line_feed(struct screen *screen)
{
	struct cursor *cursor = &screen->cursor;

	if (cursor->row + 1 == screen->bottom)
		scroll_up(screen, screen->top, screen->bottom, 1);
	else if (cursor->row + 1 < screen->rows)
		cursor->row++;
}

static void reverse_line_feed(struct screen *screen)
{
	if (screen->cursor.row == screen->top)
		scroll_down(screen, screen->top, screen->bottom, 1);
	else if (screen->cursor.row)
		screen->cursor.row--;
}

/* ---- Cursor ---- */

static void cursor_move(struct screen *screen, int row, int column)
{
	struct cursor *cursor = &screen->cursor;
	int low = cursor->origin ? (int)screen->top : 0;
	int high = cursor->origin ? (int)screen->bottom : (int)screen->rows;

	mark_dirty(screen, cursor->row, cursor->row + 1);
	cursor->row = (unsigned int)clamp(row, low, high - 1);
	cursor->column = (unsigned int)clamp(column, 0, (int)screen->columns - 1);
	cursor->wrap_pending = false;
	mark_dirty(screen, cursor->row, cursor->row + 1);
}

static void tab_forward(struct screen *screen)
{
	unsigned int column = screen->cursor.column + 1;

	while (column < screen->columns - 1 && !screen->tabs[column])
		column++;
	cursor_move(screen, (int)screen->cursor.row, (int)column);
}

/* DEC special graphics, from ` to ~. */
static u16 line_drawing(u32 code_point)
{
	static const u16 table[] = { 0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1,
				     0x2424, 0x240b, 0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba,
				     0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524, 0x2534, 0x252c,
				     0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7 };

	return code_point >= '`' && code_point <= '~' ? table[code_point - '`'] : (u16)code_point;
}

static void put(struct screen *screen, u32 code_point)
{
	struct cursor *cursor = &screen->cursor;
	struct cell *cell;

	if (cursor->line_drawing)
		code_point = line_drawing(code_point);
	if (cursor->wrap_pending && screen->auto_wrap) {
		cursor_move(screen, (int)cursor->row, 0);
		line_feed(screen);
	}
	cell = cell_at(screen, cursor->row, cursor->column);
	if (screen->insert)
		memmove(cell + 1, cell, (screen->columns - cursor->column - 1) * sizeof(*cell));
	*cell = cursor->pen;
	cell->code_point = code_point > 0xffff ? REPLACEMENT : (u16)code_point;
	mark_dirty(screen, cursor->row, cursor->row + 1);
	if (cursor->column + 1 < screen->columns)
		cursor->column++;
	else
		cursor->wrap_pending = true;
}

/* ---- Modes ---- */

static void pen_reset(struct screen *screen)
{
	screen->cursor.pen = (struct cell){ ' ', DEFAULT_FOREGROUND, DEFAULT_BACKGROUND, 0 };
}

static void alternate_show(struct screen *screen, bool on)
{
	struct cell *cells = screen->cells;

	if (screen->alternate == on)
		return;
	screen->alternate = on;
	screen->cells = screen->other;
	screen->other = cells;
	if (on) {
		screen->main_cursor = screen->cursor;
		fill(screen, 0, screen->rows * screen->columns);
	} else {
		screen->cursor = screen->main_cursor;
	}
	mark_dirty(screen, 0, screen->rows);
}

static void reset(struct screen *screen)
{
	alternate_show(screen, false);
	screen->cursor = (struct cursor){};
	pen_reset(screen);
	screen->saved = screen->cursor;
	screen->top = 0;
	screen->bottom = screen->rows;
	screen->cursor_visible = screen->auto_wrap = true;
	screen->insert = screen->application_keys = false;
	for (unsigned int i = 0; i < screen->columns; i++)
		screen->tabs[i] = i % 8 == 0;
	fill(screen, 0, screen->rows * screen->columns);
}

static void private_mode(struct screen *screen, unsigned int mode, bool on)
{
	switch (mode) {
	case 1:
		screen->application_keys = on;
		break;
	case 6:
		screen->cursor.origin = on;
		cursor_move(screen, on ? (int)screen->top : 0, 0);
		break;
	case 7:
		screen->auto_wrap = on;
		break;
	case 25:
		screen->cursor_visible = on;
		mark_dirty(screen, screen->cursor.row, screen->cursor.row + 1);
		break;
	case 47:
	case 1047:
	case 1049:
		alternate_show(screen, on);
		break;
	case 1048:
		if (on)
			screen->saved = screen->cursor;
		else
			screen->cursor = screen->saved;
		break;
	default: /* mouse, paste and focus reports: there is nothing to report */
		break;
	}
}

/* The nearest of the colour cube's 6x6x6 entries. */
static u8 cube_colour(unsigned int red, unsigned int green, unsigned int blue)
{
	return (u8)(16 + min(red, 255u) * 5 / 255 * 36 + min(green, 255u) * 5 / 255 * 6 +
		    min(blue, 255u) * 5 / 255);
}

/* SGR 38 and 48: takes "5;N" or "2;R;G;B" behind argument i; the index of the last one used. */
static unsigned int extended_colour(const struct screen *screen, unsigned int i, u8 *colour)
{
	const unsigned int *a = screen->arguments;

	if (i + 2 < screen->argument_count && a[i + 1] == 5) {
		*colour = (u8)a[i + 2];
		return i + 2;
	}
	if (i + 4 < screen->argument_count && a[i + 1] == 2) {
		*colour = cube_colour(a[i + 2], a[i + 3], a[i + 4]);
		return i + 4;
	}
	return screen->argument_count;
}

static void graphic_rendition(struct screen *screen)
{
	static const struct {
		u8 code, set, clear;
	} attributes[] = {
		{ 1, CELL_BOLD, 0 },
		{ 2, CELL_DIM, 0 },
		{ 4, CELL_UNDERLINE, 0 },
		{ 5, CELL_BLINK, 0 },
		{ 7, CELL_REVERSE, 0 },
		{ 8, CELL_HIDDEN, 0 },
		{ 22, 0, CELL_BOLD | CELL_DIM },
		{ 24, 0, CELL_UNDERLINE },
		{ 25, 0, CELL_BLINK },
		{ 27, 0, CELL_REVERSE },
		{ 28, 0, CELL_HIDDEN },
	};
	struct cell *pen = &screen->cursor.pen;

	for (unsigned int i = 0; i < screen->argument_count; i++) {
		unsigned int code = screen->arguments[i];

		if (code == 0)
			pen_reset(screen);
		else if (code >= 30 && code <= 37)
			pen->foreground = (u8)(code - 30);
		else if (code >= 40 && code <= 47)
			pen->background = (u8)(code - 40);
		else if (code >= 90 && code <= 97)
			pen->foreground = (u8)(code - 90 + 8);
		else if (code >= 100 && code <= 107)
			pen->background = (u8)(code - 100 + 8);
		else if (code == 38)
			i = extended_colour(screen, i, &pen->foreground);
		else if (code == 48)
			i = extended_colour(screen, i, &pen->background);
		else if (code == 39)
			pen->foreground = DEFAULT_FOREGROUND;
		else if (code == 49)
			pen->background = DEFAULT_BACKGROUND;
		for (size_t k = 0; k < ARRAY_SIZE(attributes); k++)
			if (attributes[k].code == code)
				pen->attributes = (u8)((pen->attributes | attributes[k].set) &
						       ~attributes[k].clear);
	}
}

/* ---- Control sequences ---- */

static void erase_display(struct screen *screen, unsigned int what)
{
	unsigned int here = screen->cursor.row * screen->columns + screen->cursor.column;

	fill(screen, what == 0 ? here : 0, what == 1 ? here + 1 : screen->rows * screen->columns);
}

static void erase_line(struct screen *screen, unsigned int what)
{
	unsigned int start = screen->cursor.row * screen->columns, here = start + screen->cursor.column;

	fill(screen, what == 0 ? here : start, what == 1 ? here + 1 : start + screen->columns);
}

/* Inserts (or with `remove` deletes) `count` cells at the cursor. */
static void shift_cells(struct screen *screen, unsigned int count, bool remove)
{
	unsigned int row = screen->cursor.row, column = screen->cursor.column,
		     rest = screen->columns - column;
	unsigned int start = row * screen->columns;

	count = min(count, rest);
	if (remove) {
		memmove(cell_at(screen, row, column), cell_at(screen, row, column) + count,
			(rest - count) * sizeof(struct cell));
		fill(screen, start + screen->columns - count, start + screen->columns);
	} else {
		memmove(cell_at(screen, row, column) + count, cell_at(screen, row, column),
			(rest - count) * sizeof(struct cell));
		fill(screen, start + column, start + column + count);
	}
	mark_dirty(screen, row, row + 1);
}

static void shift_lines(struct screen *screen, unsigned int count, bool remove)
{
	unsigned int row = screen->cursor.row;

	if (row < screen->top || row >= screen->bottom)
		return;
	if (remove)
		scroll_up(screen, row, screen->bottom, count);
	else
		scroll_down(screen, row, screen->bottom, count);
	screen->cursor.column = 0;
}

static void scroll_region(struct screen *screen)
{
	unsigned int top = screen->argument_count > 0 ? max(screen->arguments[0], 1u) : 1;
	unsigned int bottom = screen->argument_count > 1 && screen->arguments[1]
				      ? screen->arguments[1]
				      : screen->rows;

	if (top >= bottom || bottom > screen->rows)
		return;
	screen->top = top - 1;
	screen->bottom = bottom;
	cursor_move(screen, screen->cursor.origin ? (int)screen->top : 0, 0);
}

static void report(struct screen *screen, char final)
{
	char text[32];

	if (final == 'c')
		snprintf(text, sizeof(text), "\033[?6c"); /* a VT102, as Linux's console says */
	else if (screen->arguments[0] == 5)
		snprintf(text, sizeof(text), "\033[0n");
	else if (screen->arguments[0] == 6)
		snprintf(text, sizeof(text), "\033[%u;%uR", screen->cursor.row + 1,
			 screen->cursor.column + 1);
	else
		return;
	screen->answer(text);
}

/* How often, how far, or where: at least 1. */
static unsigned int count_of(const struct screen *screen, unsigned int argument)
{
	return argument < screen->argument_count ? min(max(screen->arguments[argument], 1u), 4096u) : 1;
}

/* Sequences that move the cursor; false: it is another. */
static bool cursor_sequence(struct screen *screen, char final)
{
	int row = (int)screen->cursor.row, column = (int)screen->cursor.column,
	    count = (int)count_of(screen, 0);
	int base = screen->cursor.origin ? (int)screen->top : 0;

	switch (final) {
	case 'A':
		cursor_move(screen, row - count, column);
		return true;
	case 'B':
	case 'e':
		cursor_move(screen, row + count, column);
		return true;
	case 'C':
	case 'a':
		cursor_move(screen, row, column + count);
		return true;
	case 'D':
		cursor_move(screen, row, column - count);
		return true;
	case 'E':
		cursor_move(screen, row + count, 0);
		return true;
	case 'F':
		cursor_move(screen, row - count, 0);
		return true;
	case 'G':
	case '`':
		cursor_move(screen, row, count - 1);
		return true;
	case 'H':
	case 'f':
		cursor_move(screen, base + count - 1, (int)count_of(screen, 1) - 1);
		return true;
	case 'd':
		cursor_move(screen, base + count - 1, column);
		return true;
	case 's':
		screen->saved = screen->cursor;
		return true;
	case 'u':
		screen->cursor = screen->saved;
		return true;
	default:
		return false;
	}
}

/* Sequences that erase, insert, delete and scroll; false: it is another. */
static bool editing_sequence(struct screen *screen, char final)
{
	unsigned int first = screen->arguments[0], count = count_of(screen, 0);

	switch (final) {
	case 'J':
		erase_display(screen, first);
		return true;
	case 'K':
		erase_line(screen, first);
		return true;
	case 'L':
		shift_lines(screen, count, false);
		return true;
	case 'M':
		shift_lines(screen, count, true);
		return true;
	case '@':
		shift_cells(screen, count, false);
		return true;
	case 'P':
		shift_cells(screen, count, true);
		return true;
	case 'S':
		scroll_up(screen, screen->top, screen->bottom, count);
		return true;
	case 'T':
		scroll_down(screen, screen->top, screen->bottom, count);
		return true;
	case 'X': {
		unsigned int here = screen->cursor.row * screen->columns + screen->cursor.column;

		fill(screen, here, here + min(count, screen->columns - screen->cursor.column));
		return true;
	}
	default:
		return false;
	}
}

static void modes_set(struct screen *screen, bool on)
{
	for (unsigned int i = 0; i < screen->argument_count; i++) {
		if (screen->marker)
			private_mode(screen, screen->arguments[i], on);
		else if (screen->arguments[i] == 4)
			screen->insert = on;
	}
}

static void control_sequence(struct screen *screen, char final)
{
	if (screen->marker && screen->marker != '?')
		return; /* xterm's own queries */
	if (cursor_sequence(screen, final) || editing_sequence(screen, final))
		return;
	switch (final) {
	case 'm':
		graphic_rendition(screen);
		break;
	case 'r':
		scroll_region(screen);
		break;
	case 'c':
	case 'n':
		report(screen, final);
		break;
	case 'g':
		if (screen->arguments[0] == 3)
			memset(screen->tabs, 0, screen->columns);
		else
			screen->tabs[screen->cursor.column] = 0;
		break;
	case 'h':
	case 'l':
		modes_set(screen, final == 'h');
		break;
	default:
		break;
	}
}

static void escape(struct screen *screen, char c)
{
	screen->state = TEXT;
	switch (c) {
	case '[':
		screen->state = CONTROL;
		screen->argument_count = 0;
		screen->marker = 0;
		memset(screen->arguments, 0, sizeof(screen->arguments));
		break;
	case ']':
	case 'P':
	case '^':
	case '_':
		screen->state = STRING;
		break;
	case '(':
	case ')':
	case '*':
	case '+':
		screen->state = CHARSET;
		break;
	case 'D':
		line_feed(screen);
		break;
	case 'E':
		cursor_move(screen, (int)screen->cursor.row, 0);
		line_feed(screen);
		break;
	case 'M':
		reverse_line_feed(screen);
		break;
	case 'H':
		screen->tabs[screen->cursor.column] = 1;
		break;
	case '7':
		screen->saved = screen->cursor;
		break;
	case '8':
		screen->cursor = screen->saved;
		mark_dirty(screen, 0, screen->rows);
		break;
	case 'c':
		reset(screen);
		break;
	default:
		break;
	}
}

static void control_byte(struct screen *screen, char c)
{
	if (c >= '0' && c <= '9') {
		unsigned int *argument = &screen->arguments[max(screen->argument_count, 1u) - 1];

		screen->argument_count = max(screen->argument_count, 1u);
		*argument = min(*argument * 10 + (unsigned int)(c - '0'), 65535u);
	} else if (c == ';' || c == ':') {
		screen->argument_count =
			min(max(screen->argument_count, 1u) + 1, (unsigned int)ESCAPE_ARGUMENTS);
	} else if (c == '?' || c == '>' || c == '=' || c == '!' || c == ' ') {
		screen->marker = c;
	} else if (c >= '@' && c <= '~') {
		screen->argument_count = max(screen->argument_count, 1u);
		screen->state = TEXT;
		control_sequence(screen, c);
	}
}

/* C0 controls work in the middle of a sequence, too. True if c was one. */
static bool control_character(struct screen *screen, u8 c)
{
	struct cursor *cursor = &screen->cursor;

	if (c >= ' ' && c != 0x7f)
		return false;
	switch (c) {
	case '\b':
		cursor_move(screen, (int)cursor->row, (int)cursor->column - 1);
		break;
	case '\t':
		tab_forward(screen);
		break;
	case '\n':
	case '\v':
	case '\f':
		mark_dirty(screen, cursor->row, cursor->row + 1);
		line_feed(screen);
		mark_dirty(screen, cursor->row, cursor->row + 1);
		cursor->wrap_pending = false;
		break;
	case '\r':
		cursor_move(screen, (int)cursor->row, 0);
		break;
	case 0x0e:
		cursor->line_drawing = true;
		break;
	case 0x0f:
		cursor->line_drawing = false;
		break;
	case 0x18:
	case 0x1a:
		screen->state = TEXT;
		break;
	case 0x1b:
		screen->state = ESCAPE;
		break;
	default:
		break;
	}
	return true;
}

static void text_byte(struct screen *screen, u8 c)
{
	if (screen->utf8_left && (c & 0xc0) == 0x80) {
		screen->utf8 = screen->utf8 << 6 | (c & 0x3f);
		if (!--screen->utf8_left)
			put(screen, screen->utf8);
		return;
	}
	if (screen->utf8_left) {
		screen->utf8_left = 0;
		put(screen, REPLACEMENT);
	}
	if (c < 0x80) {
		put(screen, c);
	} else if (c >= 0xc2 && c < 0xf5) {
		screen->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		screen->utf8 = c & (0x3fu >> screen->utf8_left);
	} else {
		put(screen, REPLACEMENT);
	}
}

static void byte(struct screen *screen, u8 c)
{
	switch (screen->state) {
	case STRING: /* titles and palettes: up to BEL or ESC \ */
		screen->state = c == 0x07 ? TEXT : c == 0x1b ? STRING_ESCAPE : STRING;
		return;
	case STRING_ESCAPE:
		screen->state = c == '\\' ? TEXT : STRING;
		return;
	default:
		break;
	}
	if (control_character(screen, c))
		return;
	switch (screen->state) {
	case ESCAPE:
		escape(screen, (char)c);
		break;
	case CONTROL:
		control_byte(screen, (char)c);
		break;
	case CHARSET:
		screen->cursor.line_drawing = c == '0';
		screen->state = TEXT;
		break;
	default:
		text_byte(screen, c);
		break;
	}
}

void screen_write(struct screen *screen, const u8 *bytes, size_t size)
{
	while (size--)
		byte(screen, *bytes++);
}

int screen_init(struct screen *screen, unsigned int rows, unsigned int columns)
{
	size_t size = (size_t)rows * columns * sizeof(struct cell);

	screen->rows = rows;
	screen->columns = columns;
	screen->cells = vmalloc(size, GFP_KERNEL);
	screen->other = vmalloc(size, GFP_KERNEL | GFP_ZERO);
	screen->tabs = kmalloc(columns, GFP_KERNEL);
	screen->dirty_from = rows;
	if (!screen->cells || !screen->other || !screen->tabs) {
		screen_free(screen);
		return -ENOMEM;
	}
	reset(screen);
	return 0;
}

void screen_free(struct screen *screen)
{
	vfree(screen->cells);
	vfree(screen->other);
	kfree(screen->tabs);
}
