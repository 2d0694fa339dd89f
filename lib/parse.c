/* Numbers from text. Each takes the whole string, but for a newline at its end, which echo puts there. */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/string.h>

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 36;
}

/* Skips a prefix that `base` allows and returns the base that it says: 0x 16, 0 8 (in base 0). */
static int base_prefix(const char **s, int base)
{
	const char *at = *s;

	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && (base == 0 || base == 16) &&
	    digit_value(at[2]) < 16) {
		*s = at + 2;
		return 16;
	}
	if (base)
		return base;
	return at[0] == '0' ? 8 : 10;
}

/* Digits in `base` from *s on; *s is set behind them. -EINVAL: none, -ERANGE: too many. */
static int digits(const char **s, int base, u64 *value)
{
	const char *at = *s;
	u64 sum = 0;
	bool overflow = false;

	if (digit_value(*at) >= base)
		return -EINVAL;
	for (int digit; (digit = digit_value(*at)) < base; at++) {
		overflow |= __builtin_mul_overflow(sum, (u64)base, &sum);
		overflow |= __builtin_add_overflow(sum, (u64)digit, &sum);
	}
	*s = at;
	*value = sum;
	return overflow ? -ERANGE : 0;
}

int parse_u64(const char *s, int base, u64 *value)
{
	u64 sum = 0;
	int error;

	if (*s == '+')
		s++;
	base = base_prefix(&s, base);
	error = digits(&s, base, &sum);
	if (error == -EINVAL)
		return error;
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	if (!error)
		*value = sum;
	return error;
}
EXPORT_SYMBOL(parse_u64);

int parse_s64(const char *s, int base, s64 *value)
{
	bool negative = *s == '-';
	u64 magnitude;
	int error;

	if (negative && s[1] == '+')
		return -EINVAL;
	error = parse_u64(s + negative, base, &magnitude);
	if (error)
		return error;
	if (magnitude > (u64)INT64_MAX + negative)
		return -ERANGE;
	*value = (s64)(negative ? -magnitude : magnitude);
	return 0;
}
EXPORT_SYMBOL(parse_s64);

int parse_bool(const char *s, bool *value)
{
	switch (s[0]) {
	case 'y':
	case 'Y':
	case 't':
	case 'T':
	case '1':
		*value = true;
		return 0;
	case 'n':
	case 'N':
	case 'f':
	case 'F':
	case '0':
		*value = false;
		return 0;
	case 'o':
	case 'O':
		if (s[1] == 'n' || s[1] == 'N') {
			*value = true;
			return 0;
		}
		if (s[1] == 'f' || s[1] == 'F') {
			*value = false;
			return 0;
		}
		return -EINVAL;
	default:
		return -EINVAL;
	}
}
EXPORT_SYMBOL(parse_bool);

u64 parse_size(const char *s, const char **end)
{
	u64 value = 0;
	int base = base_prefix(&s, 0), shift = 0;

	if (digits(&s, base, &value) == -ERANGE)
		value = UINT64_MAX;
	switch (*s) {
	case 'G':
	case 'g':
		shift = 30;
		break;
	case 'M':
	case 'm':
		shift = 20;
		break;
	case 'K':
	case 'k':
		shift = 10;
		break;
	default:
		break;
	}
	if (shift) {
		s++;
		value = value > UINT64_MAX >> shift ? UINT64_MAX : value << shift;
	}
	if (end)
		*end = s;
	return value;
}
EXPORT_SYMBOL(parse_size);
