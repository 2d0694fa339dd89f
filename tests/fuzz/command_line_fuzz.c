/*
 * Fuzzes the kernel's command line on the host: its words, and the value of each name, must be those that a second and slower
 * reading of the text gives.
 */
#include <stdlib.h>
#include <string.h>
#include <kumo/boot.h>
#include <kumo/params.h>
#include <kumo/printk.h>

#define LENGTH_MAX (sizeof(boot_info.command_line) - 1)

struct boot_info boot_info;
int console_level;

void printk(enum log_level level, const char *format, ...)
{
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The next word that is not empty, to be freed; NULL at the end. */
static char *word_expected(const char **text)
{
	size_t length = 0;
	bool quoted = false;
	char *word;

	while (**text && !length) {
		const char *start = *text;

		while (is_blank(*start))
			start++;
		*text = start;
		for (; **text && (quoted || !is_blank(**text)); (*text)++) {
			quoted ^= **text == '"';
			length += **text != '"';
		}
		if (!length)
			continue;
		word = malloc(length + 1);
		length = 0;
		for (; start < *text; start++)
			if (*start != '"')
				word[length++] = *start;
		word[length] = '\0';
		return word;
	}
	return NULL;
}

/* Is this word `name` or `name=...`? Its value, or NULL. */
static const char *value_expected(const char *word, const char *name, size_t length)
{
	if (!length || strcspn(word, "=") != length)
		return NULL;
	for (size_t i = 0; i < length; i++)
		if ((word[i] == '-' ? '_' : word[i]) != (name[i] == '-' ? '_' : name[i]))
			return NULL;
	return word[length] ? word + length + 1 : "";
}

/* What boot_param() says of the name that `word` starts with. */
static void check_value(const char *word)
{
	size_t length = strcspn(word, "=");
	const char *expected = NULL, *value;
	char *name = malloc(length + 1);

	memcpy(name, word, length);
	name[length] = '\0';
	for (const char *each = boot_word_next(NULL); each; each = boot_word_next(each)) {
		value = value_expected(each, name, length);
		if (value)
			expected = value;
	}
	value = boot_param(name);
	require(!value == !expected && (!value || !strcmp(value, expected)));
	free(name);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *line = strndup((const char *)data, size < LENGTH_MAX ? size : LENGTH_MAX);
	const char *at = line, *word = NULL;
	unsigned int words = 0;
	char *expected;

	params_init(line);
	while ((expected = word_expected(&at)) && strcmp(expected, "--") != 0) {
		word = boot_word_next(word);
		require(word && !strcmp(word, expected));
		free(expected);
		if (words++ < 4)
			check_value(word);
	}
	require(!boot_word_next(word));
	free(expected);
	free(line);
	return 0;
}
