/*
 * Fuzzes the kernel's formatted text on the host: one conversion that C defines, between two pieces of text, into a buffer of
 * exactly the size that is said; text and length must be the C library's.
 *
 * Input: two bytes of size, flags, conversion, length modifier, width, precision, 8 bytes of value, then the text.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <kumo/kallsyms.h>

/* The kernel's (lib/printf.c), under names of their own. */
int kernel_snprintf(char *to, size_t size, const char *format, ...);
int kernel_vsnprintf(char *to, size_t size, const char *format, va_list args);
int kernel_scnprintf(char *to, size_t size, const char *format, ...);

#define OUTPUT_MAX 4096
#define FROM_ARGUMENT 255 /* of a width or precision: '*' */
#define NOT_GIVEN 0

struct input {
	unsigned short size;
	unsigned char flags, conversion, modifier, width, precision, argument;
	unsigned long value;
	char text[];
};

size_t kallsyms_format(char *to, size_t size, unsigned long address, bool with_offset)
{
	return (size_t)snprintf(to, size, with_offset ? "symbol+0x%lx/0x10" : "symbol", address & 0xf);
}

static void require(int condition)
{
	if (!condition)
		abort();
}

/* Flags mean something only with some conversions. */
static const struct {
	char letter;
	const char *flags;
} conversions[] = {
	{ 'd', "-+ 0" }, { 'i', "-+ 0" }, { 'u', "-0" }, { 'x', "-#0" }, { 'X', "-#0" },
	{ 'o', "-#0" },	 { 'c', "-" },	  { 's', "-" },	 { '%', "" },
};
static const char *const modifiers[] = { "", "hh", "h", "l", "ll", "z", "j", "t" };

static char *put_number(char *at, unsigned char what, int *argument)
{
	if (what == FROM_ARGUMENT) {
		*argument = 1;
		*at++ = '*';
	} else if (what != NOT_GIVEN) {
		at += sprintf(at, "%u", what - 1U);
	}
	return at;
}

/* Writes the format of the input's conversion; says which of width and precision are arguments. */
static void make_format(const struct input *input, char *at, int *width, int *precision)
{
	unsigned int which = input->conversion % (sizeof(conversions) / sizeof(conversions[0]));
	char letter = conversions[which].letter;

	*at++ = '%';
	for (unsigned int i = 0; conversions[which].flags[i]; i++)
		if (input->flags & 1U << i)
			*at++ = conversions[which].flags[i];
	if (letter != '%') {
		/* A width that starts with 0 would be a flag. */
		at = put_number(at, input->width == 1 ? NOT_GIVEN : input->width, width);
		if (letter != 'c' && input->precision != NOT_GIVEN) {
			*at++ = '.';
			at = put_number(at, input->precision, precision);
		}
		if (letter != 'c' && letter != 's')
			at += sprintf(
				at, "%s",
				modifiers[input->modifier % (sizeof(modifiers) / sizeof(modifiers[0]))]);
	}
	*at++ = letter;
	strcpy(at, "<%.3s>");
}

/* Both printfs with the same arguments. */
static void compare(size_t size, const char *format, ...)
{
	char *mine = malloc(size ? size : 1), *theirs = malloc(OUTPUT_MAX);
	va_list args, again;
	int length, expected;

	va_start(args, format);
	va_copy(again, args);
	expected = vsnprintf(theirs, OUTPUT_MAX, format, args);
	length = kernel_vsnprintf(mine, size, format, again);
	va_end(again);
	va_end(args);
	require(length == expected);
	if (size) {
		size_t written = (size_t)length < size ? (size_t)length : size - 1;

		require(!memcmp(mine, theirs, written) && !mine[written]);
	}
	free(theirs);
	free(mine);
}

static void pointers(const struct input *input, size_t size)
{
	char *text = malloc(size ? size : 1), all[KALLSYMS_TEXT_SIZE + 32];
	int length = kernel_scnprintf(text, size, "%p %pS %*ps", (void *)input->value,
				      (void *)input->value, input->argument % 64, (void *)input->value);

	require(length >= 0 && (size ? (size_t)length < size && !text[length] : !length));
	require(kernel_snprintf(all, sizeof(all), "%p", (void *)input->value) == 16);
	require(strtoul(all, NULL, 16) == input->value);
	free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct input *input;
	char format[64];
	int width = 0, precision = 0, number, is_text;
	size_t room;

	if (size < sizeof(*input))
		return 0;
	if (size > 1024)
		size = 1024;
	input = malloc(size + 1);
	memcpy(input, data, size);
	((char *)input)[size] = '\0';
	room = input->size % OUTPUT_MAX;
	number = (signed char)input->argument;
	make_format(input, format, &width, &precision);
	is_text = strchr(format, '%') &&
		  conversions[input->conversion % (sizeof(conversions) / sizeof(conversions[0]))].letter ==
			  's';
	if (format[1] == '%')
		compare(room, format, input->text);
	else if (is_text && width && precision)
		compare(room, format, number, -number, input->text, input->text);
	else if (is_text && (width || precision))
		compare(room, format, number, input->text, input->text);
	else if (is_text)
		compare(room, format, input->text, input->text);
	else if (width && precision)
		compare(room, format, number, -number, input->value, input->text);
	else if (width || precision)
		compare(room, format, number, input->value, input->text);
	else
		compare(room, format, input->value, input->text);
	pointers(input, room);
	free(input);
	return 0;
}
