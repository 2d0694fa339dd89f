/*
 * What the files of vt.ko share: screen.c keeps cells and understands escape sequences, framebuffer.c draws cells, main.c is the
 * terminal and the console on top. All of it runs under the lock in main.c.
 */
#ifndef VT_INTERNAL_H
#define VT_INTERNAL_H

#include <kumo/types.h>

enum { FONT_WIDTH = 8, FONT_HEIGHT = 16, ESCAPE_ARGUMENTS = 16 };

/* font.c, made at build time: glyphs of 16 rows of 8 pixels (bit 7 is the left one), for sorted code points. */
extern const u16 font_code_points[];
extern const u8 font_glyphs[][FONT_HEIGHT];
extern const unsigned int font_glyph_count;

/* A character cell. Colours are indices into the palette of 256. */
struct cell {
	u16 code_point; /* what lies beyond the first plane shows as U+FFFD */
	u8 foreground, background;
	u8 attributes; /* CELL_* */
};
enum {
	CELL_BOLD = 1,
	CELL_UNDERLINE = 2,
	CELL_REVERSE = 4,
	CELL_BLINK = 8,
	CELL_DIM = 16,
	CELL_HIDDEN = 32
};

struct cursor {
	unsigned int row, column;
	struct cell pen;   /* attributes of what is written next */
	bool wrap_pending; /* the last column was written: the next character starts a line */
	bool line_drawing; /* DEC special graphics */
	bool origin;	   /* rows count from the scroll region's top */
};

struct screen {
	unsigned int rows, columns;
	struct cell *cells; /* rows * columns */
	struct cell *other; /* the alternate screen's or, while that is shown, the main one's */
	struct cursor cursor, saved, main_cursor;
	unsigned int top, bottom; /* scroll region, rows [top, bottom) */
	bool cursor_visible, auto_wrap, insert, application_keys, alternate;
	u8 *tabs; /* one a column */
	/* Which rows must be drawn again. */
	unsigned int dirty_from, dirty_to;

	/* The parser (after ECMA-48 and the DEC VT510 manual). */
	enum { TEXT, ESCAPE, CHARSET, CONTROL, STRING, STRING_ESCAPE } state;
	unsigned int arguments[ESCAPE_ARGUMENTS], argument_count;
	char marker; /* '?', '>', '!' after CSI */
	u32 utf8;    /* code point under construction */
	unsigned int utf8_left;
	/* Answers to queries (cursor position, device attributes) go to the keyboard's side. */
	void (*answer)(const char *text);
};

/* screen.c */
int screen_init(struct screen *screen, unsigned int rows, unsigned int columns);
void screen_free(struct screen *screen);
void screen_write(struct screen *screen, const u8 *bytes, size_t size);

/* framebuffer.c: from boot_info */
int framebuffer_open(unsigned int *rows, unsigned int *columns);
void framebuffer_close(void);
void framebuffer_draw(struct screen *screen); /* what is dirty, and the cursor */

#endif
