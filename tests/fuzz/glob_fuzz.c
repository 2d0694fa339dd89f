/*
 * Fuzzes shell patterns on the host, against a matcher that fills the whole table of (rest of the pattern, rest of the text).
 * Input: the pattern, NUL, the text.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

bool glob_match(const char *pattern, const char *s); /* lib/glob.c */

#define LENGTH_MAX 200

/* The length of the set at `pattern`, which starts with '['; 0: it has no end. */
static size_t set_length(const char *pattern)
{
	size_t first = 1 + (pattern[1] == '!' || pattern[1] == '^'), at = first;

	while (pattern[at] && (pattern[at] != ']' || at == first))
		at += pattern[at + 1] == '-' && pattern[at + 2] && pattern[at + 2] != ']' ? 3 : 1;
	return pattern[at] ? at + 1 : 0;
}

static bool set_holds(const char *pattern, size_t length, unsigned char c)
{
	bool negated = pattern[1] == '!' || pattern[1] == '^', found = false;

	for (size_t at = 1 + negated; at < length - 1; at++) {
		unsigned char low = (unsigned char)pattern[at], high = low;

		if (pattern[at + 1] == '-' && pattern[at + 2] != ']') {
			high = (unsigned char)pattern[at + 2];
			at += 2;
		}
		found |= low <= c && c <= high;
	}
	return found != negated;
}

/* Whether the element at `pattern`, no star, takes the character; *length is the element's. */
static bool element_matches(const char *pattern, char c, size_t *length)
{
	*length = 1;
	if (*pattern == '?')
		return true;
	if (*pattern == '[' && set_length(pattern)) {
		*length = set_length(pattern);
		return set_holds(pattern, *length, (unsigned char)c);
	}
	if (*pattern == '\\' && pattern[1]) {
		*length = 2;
		return pattern[1] == c;
	}
	return *pattern == c;
}

static bool expected(const char *pattern, const char *s)
{
	static bool table[LENGTH_MAX + 2][LENGTH_MAX + 2];
	size_t pattern_length = strlen(pattern), s_length = strlen(s), length;

	for (size_t p = pattern_length + 1; p-- > 0;) {
		for (size_t t = s_length + 1; t-- > 0;) {
			if (!pattern[p])
				table[p][t] = !s[t];
			else if (pattern[p] == '*')
				table[p][t] = table[p + 1][t] || (s[t] && table[p][t + 1]);
			else
				table[p][t] = s[t] && element_matches(pattern + p, s[t], &length) &&
					      table[p + length][t + 1];
		}
	}
	return table[0][0];
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	size_t limit = size < LENGTH_MAX ? size : LENGTH_MAX;
	char *pattern = strndup((const char *)data, limit), *s;
	size_t skip = strlen(pattern) + 1;

	s = skip < limit ? strndup((const char *)data + skip, limit - skip) : strdup("");
	if (glob_match(pattern, s) != expected(pattern, s))
		abort();
	free(s);
	free(pattern);
	return 0;
}
