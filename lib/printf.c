/*
 * Formatted text: C's conversions without floating point and %n, and for pointers
 *	%p	the address, 16 hexadecimal digits
 *	%pS	symbol+0xoffset/0xsize [module]
 *	%ps	symbol [module]
 * Output that does not fit is counted, not written. Any context; takes no locks.
 */
#include <kumo/export.h>
#include <kumo/kallsyms.h>
#include <kumo/string.h>

struct output {
	char *at, *end; /* the next place; behind the last place for text (the NUL's) */
	size_t length;	/* of everything so far, what did not fit included */
};

struct conversion {
	bool left, plus, space, alternate, zero, upper;
	int width, precision; /* precision -1: not given */
	int base;
};

static void put(struct output *out, char c)
{
	if (out->at < out->end)
		*out->at++ = c;
	out->length++;
}

static void put_text(struct output *out, const char *text, size_t size)
{
	size_t room = (size_t)(out->end - out->at), part = size < room ? size : room;

	memcpy(out->at, text, part);
	out->at += part;
	out->length += size;
}

static void pad(struct output *out, char c, int count)
{
	size_t room = (size_t)(out->end - out->at), part;

	if (count <= 0)
		return;
	part = (size_t)count < room ? (size_t)count : room;
	memset(out->at, c, part);
	out->at += part;
	out->length += (size_t)count;
}

static void put_field(struct output *out, const struct conversion *how, const char *text, size_t size)
{
	int missing = how->width > (int)size ? how->width - (int)size : 0;

	if (!how->left)
		pad(out, ' ', missing);
	put_text(out, text, size);
	if (how->left)
		pad(out, ' ', missing);
}

static void put_number(struct output *out, const struct conversion *how, u64 magnitude,
		       bool negative, bool is_signed)
{
	const char *digits = how->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24], *first = text + sizeof(text), prefix[3];
	int length, prefix_length = 0, zeros, blanks;
	bool zero = magnitude == 0;

	if (how->base == 10) {
		for (; magnitude; magnitude /= 10)
			*--first = (char)('0' + magnitude % 10);
	} else {
		int shift = how->base == 16 ? 4 : 3;

		for (; magnitude; magnitude >>= shift)
			*--first = digits[magnitude & (how->base - 1)];
	}
	length = (int)(text + sizeof(text) - first);
	if (is_signed && (negative || how->plus || how->space))
		prefix[prefix_length++] = negative ? '-' : how->plus ? '+' : ' ';
	if (how->alternate && how->base == 16 && !zero) {
		prefix[prefix_length++] = '0';
		prefix[prefix_length++] = how->upper ? 'X' : 'x';
	}
	zeros = (how->precision >= 0 ? how->precision : 1) - length;
	if (how->alternate && how->base == 8 && zeros < 1)
		zeros = 1;
	if (zeros < 0)
		zeros = 0;
	blanks = how->width - length - zeros - prefix_length;
	if (how->zero && !how->left && how->precision < 0 && blanks > 0) {
		zeros += blanks;
		blanks = 0;
	}
	if (!how->left)
		pad(out, ' ', blanks);
	put_text(out, prefix, (size_t)prefix_length);
	pad(out, '0', zeros);
	put_text(out, first, (size_t)length);
	if (how->left)
		pad(out, ' ', blanks);
}

static const char *read_conversion(const char *at, struct conversion *how, va_list *args)
{
	*how = (struct conversion){ .precision = -1, .base = 10 };
	for (;; at++) {
		if (*at == '-')
			how->left = true;
		else if (*at == '+')
			how->plus = true;
		else if (*at == ' ')
			how->space = true;
		else if (*at == '#')
			how->alternate = true;
		else if (*at == '0')
			how->zero = true;
		else
			break;
	}
	if (*at == '*') {
		how->width = va_arg(*args, int);
		if (how->width < 0) {
			how->left = true;
			how->width = -how->width;
		}
		at++;
	} else {
		while (*at >= '0' && *at <= '9')
			how->width = how->width * 10 + *at++ - '0';
	}
	if (*at == '.') {
		at++;
		how->precision = 0;
		if (*at == '*') {
			how->precision = va_arg(*args, int);
			at++;
		} else {
			while (*at >= '0' && *at <= '9')
				how->precision = how->precision * 10 + *at++ - '0';
		}
	}
	return at;
}

/* Length modifiers, as the number of bytes of the integer that follows; *at is set behind them. */
static int read_length(const char **at)
{
	switch (**at) {
	case 'l':
		*at += (*at)[1] == 'l' ? 2 : 1;
		return sizeof(long);
	case 'z':
	case 't':
	case 'j':
		*at += 1;
		return sizeof(long);
	case 'h':
		if ((*at)[1] == 'h') {
			*at += 2;
			return sizeof(char);
		}
		*at += 1;
		return sizeof(short);
	default:
		return sizeof(int);
	}
}

static u64 unsigned_arg(va_list *args, int size)
{
	switch (size) {
	case sizeof(char):
		return (u8)va_arg(*args, unsigned int);
	case sizeof(short):
		return (u16)va_arg(*args, unsigned int);
	case sizeof(int):
		return va_arg(*args, unsigned int);
	default:
		return va_arg(*args, unsigned long);
	}
}

static s64 signed_arg(va_list *args, int size)
{
	switch (size) {
	case sizeof(char):
		return (s8)va_arg(*args, int);
	case sizeof(short):
		return (s16)va_arg(*args, int);
	case sizeof(int):
		return va_arg(*args, int);
	default:
		return va_arg(*args, long);
	}
}

/* %p and what may follow it; returns behind that. */
static const char *put_pointer(struct output *out, struct conversion *how, const char *at,
			       unsigned long address)
{
	if (*at == 'S' || *at == 's') {
		char symbol[KALLSYMS_TEXT_SIZE];
		size_t length = kallsyms_format(symbol, sizeof(symbol), address, *at == 'S');

		put_field(out, how, symbol, length);
		return at + 1;
	}
	how->base = 16;
	how->precision = 16;
	put_number(out, how, address, false, false);
	return at;
}

int vsnprintf(char *to, size_t size, const char *format, va_list args_in)
{
	struct output out = { .at = to, .end = size ? to + size - 1 : to };
	va_list args;

	va_copy(args, args_in);
	for (const char *at = format; *at;) {
		struct conversion how;
		int length;
		s64 number;
		const char *text = at;
		char c;

		while (*at && *at != '%')
			at++;
		if (at != text) {
			put_text(&out, text, (size_t)(at - text));
			continue;
		}
		at = read_conversion(at + 1, &how, &args);
		length = read_length(&at);
		switch (*at ? *at++ : '\0') {
		case 'd':
		case 'i':
			number = signed_arg(&args, length);
			put_number(&out, &how, number < 0 ? -(u64)number : (u64)number, number < 0,
				   true);
			break;
		case 'u':
			put_number(&out, &how, unsigned_arg(&args, length), false, false);
			break;
		case 'X':
			how.upper = true;
			how.base = 16;
			put_number(&out, &how, unsigned_arg(&args, length), false, false);
			break;
		case 'x':
			how.base = 16;
			put_number(&out, &how, unsigned_arg(&args, length), false, false);
			break;
		case 'o':
			how.base = 8;
			put_number(&out, &how, unsigned_arg(&args, length), false, false);
			break;
		case 'c':
			c = (char)va_arg(args, int);
			put_field(&out, &how, &c, 1);
			break;
		case 's':
			text = va_arg(args, const char *);
			if (!text)
				text = "(null)";
			put_field(&out, &how, text,
				  how.precision < 0 ? strlen(text)
						    : strnlen(text, (size_t)how.precision));
			break;
		case 'p':
			at = put_pointer(&out, &how, at, (unsigned long)va_arg(args, void *));
			break;
		case '%':
			put(&out, '%');
			break;
		default: /* unknown: what follows cannot be trusted to match the arguments */
			put_text(&out, "%?", 2);
			at += strlen(at);
		}
	}
	va_end(args);
	if (size)
		*out.at = '\0';
	return (int)out.length;
}
EXPORT_SYMBOL(vsnprintf);

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(to, size, format, args);
	va_end(args);
	return length;
}
EXPORT_SYMBOL(snprintf);

int scnprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(to, size, format, args);
	va_end(args);
	if (!size)
		return 0;
	return length < (int)size ? length : (int)size - 1;
}
EXPORT_SYMBOL(scnprintf);
