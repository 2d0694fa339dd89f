/* Text under construction (pseudo.h): printing into memory that grows as needed. */
#include <kumo/export.h>
#include <kumo/kva.h>
#include <kumo/pseudo.h>
#include <kumo/string.h>

#define TEXT_FIRST_CAPACITY 1024

static bool text_reserve(struct text *text, size_t more)
{
	size_t capacity = text->capacity ? text->capacity : TEXT_FIRST_CAPACITY;
	char *data;

	if (text->length + more <= text->capacity)
		return true;
	if (text->failed)
		return false;
	while (capacity < text->length + more)
		capacity *= 2;
	data = kvmalloc(capacity, GFP_KERNEL);
	if (!data) {
		text->failed = true;
		return false;
	}
	if (text->length)
		memcpy(data, text->data, text->length);
	kvfree(text->data);
	text->data = data;
	text->capacity = capacity;
	return true;
}

void text_printf(struct text *text, const char *format, ...)
{
	size_t room = text->capacity - text->length, length;
	va_list args;

	va_start(args, format);
	length = (size_t)vsnprintf(text->data ? text->data + text->length : NULL, room, format, args);
	va_end(args);
	if (length >= room) {
		if (!text_reserve(text, length + 1))
			return;
		va_start(args, format);
		vsnprintf(text->data + text->length, length + 1, format, args);
		va_end(args);
	}
	text->length += length;
}
EXPORT_SYMBOL(text_printf);

void text_write(struct text *text, const void *data, size_t size)
{
	if (!text_reserve(text, size))
		return;
	memcpy(text->data + text->length, data, size);
	text->length += size;
}
EXPORT_SYMBOL(text_write);

void text_puts(struct text *text, const char *s)
{
	text_write(text, s, strlen(s));
}
EXPORT_SYMBOL(text_puts);

void text_putc(struct text *text, char c)
{
	text_write(text, &c, 1);
}
EXPORT_SYMBOL(text_putc);

void text_number(struct text *text, u64 value, unsigned int base, unsigned int width, char fill)
{
	char digits[32], *end = digits + sizeof(digits), *first = end;

	do {
		*--first = "0123456789abcdef"[value % base];
		value = base == 16 ? value >> 4 : value / base;
	} while (value);
	while (first > end - width)
		*--first = fill;
	text_write(text, first, (size_t)(end - first));
}
EXPORT_SYMBOL(text_number);

void text_puts_escaped(struct text *text, const char *s, const char *special)
{
	for (;;) {
		size_t plain = 0;

		while (s[plain] && !strchr(special, s[plain]))
			plain++;
		text_write(text, s, plain);
		s += plain;
		if (!*s)
			break;
		text_printf(text, "\\%03o", (unsigned char)*s++);
	}
}
EXPORT_SYMBOL(text_puts_escaped);

void text_release(struct text *text)
{
	kvfree(text->data);
	*text = (struct text){};
}
EXPORT_SYMBOL(text_release);
