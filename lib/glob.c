/* Shell patterns: * (any text), ? (any one character), [a-z] and [!a-z] (one of a set), \c (c itself). */
#include <kumo/export.h>
#include <kumo/string.h>

/* Whether c is in the set that starts behind '['; *end is set behind its ']'. NULL there: it has none, '[' is itself. */
static bool set_match(const char *set, char c, const char **end)
{
	bool negated = *set == '!' || *set == '^', found = false;
	const char *at = set + negated;

	do {
		u8 low = (u8)*at, high = low;

		if (!*at) {
			*end = NULL;
			return false;
		}
		at++;
		if (at[0] == '-' && at[1] && at[1] != ']') {
			high = (u8)at[1];
			at += 2;
		}
		found |= low <= (u8)c && (u8)c <= high;
	} while (*at != ']');
	*end = at + 1;
	return found != negated;
}

/*
 * Only the last star needs to be tried again: what an earlier one could take more of, the last one can, too. So the time is
 * at most the product of the lengths.
 */
bool glob_match(const char *pattern, const char *s)
{
	const char *star = NULL, *star_s = NULL;

	for (;;) {
		const char *next = pattern + 1;
		bool matches;

		switch (*pattern) {
		case '*':
			star = ++pattern;
			star_s = s;
			continue;
		case '?':
			matches = *s != '\0';
			break;
		case '[':
			matches = *s && set_match(pattern + 1, *s, &next);
			if (!next) {
				next = pattern + 1;
				matches = *s == '[';
			}
			break;
		case '\\':
			if (pattern[1]) {
				matches = *s == pattern[1];
				next = pattern + 2;
				break;
			}
			matches = *s == '\\';
			break;
		case '\0':
			if (!*s)
				return true;
			matches = false;
			break;
		default:
			matches = *s == *pattern;
		}
		if (matches) {
			pattern = next;
			s++;
			continue;
		}
		if (!star || !*star_s)
			return false;
		pattern = star;
		s = ++star_s;
	}
}
EXPORT_SYMBOL(glob_match);
