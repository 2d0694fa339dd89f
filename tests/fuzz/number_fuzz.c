/*
 * Fuzzes the readers of numbers on the host, against the C library's, which takes more (blanks, a sign, text that goes on):
 * that is sorted out before. Input: a byte for the base, then the text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <kumo/types.h>

/* lib/parse.c; its header declares the C library's functions over again. */
int parse_u64(const char *s, int base, u64 *value);
int parse_s64(const char *s, int base, s64 *value);
int parse_bool(const char *s, bool *value);
u64 parse_size(const char *s, const char **end);

#define UNTOUCHED 0x5aa5

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Digits and prefix of a number without a sign, as C reads them. The errno that is expected of who wants the whole text. */
static int expected(const char *s, int base, u64 *value)
{
	char *end;

	if (!is_alphanumeric(*s))
		return -EINVAL;
	errno = 0;
	*value = strtoull(s, &end, base);
	if (end == s || (*end && strcmp(end, "\n") != 0))
		return -EINVAL;
	return -errno;
}

static void check_unsigned(const char *s, int base)
{
	u64 value = UNTOUCHED, right = 0;
	int error = expected(s + (*s == '+'), base, &right);

	require(parse_u64(s, base, &value) == error);
	require(value == (error ? UNTOUCHED : right));
}

static void check_signed(const char *s, int base)
{
	bool negative = *s == '-';
	s64 value = UNTOUCHED;
	u64 right = 0;
	int error = expected(s + (*s == '+' || *s == '-'), base, &right);

	if (!error && right > (u64)INT64_MAX + negative)
		error = -ERANGE;
	require(parse_s64(s, base, &value) == error);
	require(value == (error ? UNTOUCHED : (s64)(negative ? -right : right)));
}

static void check_size(const char *s)
{
	static const char letters[] = "KkMmGg";
	const char *end, *letter;
	char *digits_end = (char *)s;
	u64 right = is_alphanumeric(*s) ? strtoull(s, &digits_end, 0) : 0;
	int shift;

	letter = *digits_end ? strchr(letters, *digits_end) : NULL;
	if (letter) {
		shift = 10 * (1 + (int)(letter - letters) / 2);
		right = right >> (64 - shift) ? UINT64_MAX : right << shift;
		digits_end++;
	}
	require(parse_size(s, &end) == right && end == digits_end);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const int bases[] = { 0, 2, 8, 10, 16, 36 };
	bool on;
	char *text;
	int base;

	if (!size)
		return 0;
	base = bases[data[0] % ARRAY_SIZE(bases)];
	text = strndup((const char *)data + 1, size - 1);
	check_unsigned(text, base);
	check_signed(text, base);
	check_size(text);
	require(parse_bool(text, &on) == 0 || !text[0] || !strchr("yYtT1nNfF0", text[0]));
	free(text);
	return 0;
}
