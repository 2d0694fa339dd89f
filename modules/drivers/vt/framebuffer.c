/*
 * Draws cells on the linear framebuffer that the boot loader set up (16, 24 or 32 bits a pixel). A row of cells is drawn
 * into ordinary memory first and copied in one go: the framebuffer itself is slow to touch and never read.
 */
#define LOG_PREFIX "vt: "
#include "internal.h"

#include <kumo/boot.h>
#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>

static u8 __iomem *pixels;
static u8 *row_buffer;
static u32 palette[256]; /* in the framebuffer's own format */
static unsigned int bytes_per_pixel, width_cells;
static unsigned int drawn_cursor_row;

/* ---- Colours ---- */

static u32 native_colour(u8 red, u8 green, u8 blue)
{
	const struct framebuffer_info *fb = &boot_info.framebuffer;

	return (u32)(red >> (8 - fb->red_bits)) << fb->red_shift |
	       (u32)(green >> (8 - fb->green_bits)) << fb->green_shift |
	       (u32)(blue >> (8 - fb->blue_bits)) << fb->blue_shift;
}

/* The 16 colours of Linux's console, a 6x6x6 cube, 24 greys. */
static void palette_init(void)
{
	for (unsigned int i = 0; i < 16; i++) {
		u8 low = i & 8 ? 0x55 : 0, high = i & 8 ? 0xff : 0xaa;
		u8 green = i == 3 ? 0x55 : i & 2 ? high : low; /* brown, not dark yellow */

		palette[i] = native_colour(i & 1 ? high : low, green, i & 4 ? high : low);
	}
	for (unsigned int i = 0; i < 216; i++) {
		static const u8 levels[] = { 0, 95, 135, 175, 215, 255 };

		palette[16 + i] = native_colour(levels[i / 36], levels[i / 6 % 6], levels[i % 6]);
	}
	for (unsigned int i = 0; i < 24; i++)
		palette[232 + i] = native_colour((u8)(8 + 10 * i), (u8)(8 + 10 * i), (u8)(8 + 10 * i));
}

/* ---- Glyphs ---- */

static const u8 *glyph_find(u16 code_point)
{
	unsigned int low = 0, high = font_glyph_count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (font_code_points[middle] == code_point)
			return font_glyphs[middle];
		if (font_code_points[middle] < code_point)
			low = middle + 1;
		else
			high = middle;
	}
	return code_point == '?' || !code_point ? NULL : glyph_find('?');
}

static void pixel_put(u8 *at, u32 colour)
{
	for (unsigned int i = 0; i < bytes_per_pixel; i++)
		at[i] = (u8)(colour >> 8 * i);
}

static void cell_draw(const struct cell *cell, unsigned int column, bool cursor)
{
	const u8 *glyph = cell->attributes & CELL_HIDDEN ? NULL : glyph_find(cell->code_point);
	u8 fore = cell->foreground, back = cell->background;
	bool reverse = !(cell->attributes & CELL_REVERSE) != !cursor;
	u32 colours[2];

	if ((cell->attributes & CELL_BOLD) && fore < 8)
		fore += 8;
	colours[0] = palette[reverse ? fore : back];
	colours[1] = palette[reverse ? back : fore];
	for (unsigned int y = 0; y < FONT_HEIGHT; y++) {
		u8 *at = row_buffer + (y * width_cells + column) * FONT_WIDTH * bytes_per_pixel;
		u8 bits = glyph ? glyph[y] : 0;

		if ((cell->attributes & CELL_UNDERLINE) && y == FONT_HEIGHT - 2)
			bits = 0xff;
		for (unsigned int x = 0; x < FONT_WIDTH; x++, at += bytes_per_pixel)
			pixel_put(at, colours[(bits >> (7 - x)) & 1]);
	}
}

static void row_draw(struct screen *screen, unsigned int row)
{
	size_t line_size = (size_t)width_cells * FONT_WIDTH * bytes_per_pixel;
	bool cursor = screen->cursor_visible && screen->cursor.row == row;

	for (unsigned int column = 0; column < screen->columns; column++)
		cell_draw(&screen->cells[row * screen->columns + column], column,
			  cursor && column == screen->cursor.column);
	for (unsigned int y = 0; y < FONT_HEIGHT; y++)
		memcpy(pixels + (row * FONT_HEIGHT + y) * boot_info.framebuffer.pitch_bytes,
		       row_buffer + y * line_size, line_size);
}

void framebuffer_draw(struct screen *screen)
{
	if (screen->dirty_from >= screen->dirty_to && drawn_cursor_row == screen->cursor.row)
		return;
	/* The cursor's old row may lie outside what changed. */
	if (drawn_cursor_row < screen->rows && drawn_cursor_row != screen->cursor.row &&
	    (drawn_cursor_row < screen->dirty_from || drawn_cursor_row >= screen->dirty_to))
		row_draw(screen, drawn_cursor_row);
	for (unsigned int row = screen->dirty_from; row < screen->dirty_to; row++)
		row_draw(screen, row);
	drawn_cursor_row = screen->cursor.row;
	screen->dirty_from = screen->rows;
	screen->dirty_to = 0;
}

int framebuffer_open(unsigned int *rows, unsigned int *columns)
{
	const struct framebuffer_info *fb = &boot_info.framebuffer;

	if (!fb->address)
		return -ENODEV;
	bytes_per_pixel = DIV_ROUND_UP(fb->bits_per_pixel, 8);
	*columns = width_cells = fb->width / FONT_WIDTH;
	*rows = fb->height / FONT_HEIGHT;
	if (bytes_per_pixel < 2 || bytes_per_pixel > 4 || !*columns || !*rows || fb->red_bits > 8 ||
	    fb->green_bits > 8 || fb->blue_bits > 8 || fb->pitch_bytes < fb->width * bytes_per_pixel) {
		pr_err("a framebuffer of %ux%u with %u bits a pixel can't be used\n", fb->width,
		       fb->height, fb->bits_per_pixel);
		return -ENODEV;
	}
	palette_init();
	row_buffer = vmalloc((size_t)width_cells * FONT_WIDTH * FONT_HEIGHT * bytes_per_pixel,
			     GFP_KERNEL);
	pixels = ioremap(fb->address, (size_t)fb->pitch_bytes * fb->height, KVA_WC);
	if (row_buffer && pixels)
		return 0;
	framebuffer_close();
	return -ENOMEM;
}

void framebuffer_close(void)
{
	if (pixels)
		iounmap(pixels);
	vfree(row_buffer);
	pixels = NULL;
	row_buffer = NULL;
}
