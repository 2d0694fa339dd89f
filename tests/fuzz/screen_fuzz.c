/*
 * Fuzzes the terminal's screen on the host: whatever programs write, cursor, scroll region and the rows to be drawn lie on it. Input:
 * rows and columns less one, where the text is cut in two, the text.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/drivers/vt/internal.h"

static unsigned long answered;

static void answer(const char *text)
{
	answered += strlen(text);
}

static bool is_sound(const struct screen *screen)
{
	const struct cursor *cursor = &screen->cursor;

	return cursor->row < screen->rows && cursor->column < screen->columns &&
	       screen->top < screen->bottom && screen->bottom <= screen->rows &&
	       screen->dirty_to <= screen->rows && screen->argument_count <= ESCAPE_ARGUMENTS;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct screen screen = { .answer = answer };
	unsigned char *copy;
	size_t cut;

	if (size < 3)
		return 0;
	if (screen_init(&screen, data[0] + 1U, data[1] + 1U))
		abort();
	cut = data[2];
	data += 3;
	size -= 3;
	copy = malloc(size ? size : 1);
	memcpy(copy, data, size);
	cut = cut < size ? cut : size;
	screen_write(&screen, copy, cut);
	if (!is_sound(&screen))
		abort();
	screen_write(&screen, copy + cut, size - cut);
	if (!is_sound(&screen))
		abort();
	free(copy);
	screen_free(&screen);
	return 0;
}
