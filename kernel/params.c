/*
 * The kernel's command line: words parted by blanks, `name` or `name=value`, where double quotes protect blanks. '-' and '_'
 * in names are the same. Who needs a parameter asks boot_param() for it when it starts; the table below holds those that take
 * effect before anything else runs. `module.name=value` is kept for when that module is loaded (kernel/module/params.c).
 * Words behind a lone "--" are the first process's.
 */
#define LOG_PREFIX "params: "
#include <kumo/boot.h>
#include <kumo/params.h>
#include <kumo/printk.h>
#include <kumo/string.h>

static char words[sizeof(boot_info.command_line)]; /* each ended by NUL, quotes taken out; then an empty one */

static void loglevel_set(const char *value)
{
	s64 level;

	if (!parse_s64(value, 0, &level) && level >= 0 && level <= 15)
		console_level = (int)level;
	else
		pr_warn("loglevel=%s: not a number from 0 to 15\n", value);
}

static void quiet_set(const char *value)
{
	console_level = 4;
}

static void debug_set(const char *value)
{
	console_level = 10;
}

static const struct {
	const char *name;
	void (*set)(const char *value);
} early_params[] = {
	{ "loglevel", loglevel_set },
	{ "quiet", quiet_set },
	{ "debug", debug_set },
};

/* Copies the next word from *text without its quotes, NUL-ended; false at the end. */
static bool next_word(const char **text, char **to)
{
	const char *at = *text;
	char *out = *to;
	bool quoted = false;

	while (*at == ' ' || *at == '\t' || *at == '\n')
		at++;
	if (!*at)
		return false;
	for (; *at && (quoted || (*at != ' ' && *at != '\t' && *at != '\n')); at++) {
		if (*at == '"')
			quoted = !quoted;
		else
			*out++ = *at;
	}
	*out++ = '\0';
	*text = at;
	*to = out;
	return true;
}

size_t param_name_match(const char *word, const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		char a = word[i] == '-' ? '_' : word[i], b = name[i] == '-' ? '_' : name[i];

		if (a != b)
			return 0;
	}
	return i;
}

const char *boot_word_next(const char *word)
{
	word = word ? word + strlen(word) + 1 : words;
	return *word && strcmp(word, "--") ? word : NULL;
}

/* "=value" gives value, "" stands for a bare word; NULL: the name goes on. */
static const char *value_of(const char *rest)
{
	return *rest == '=' ? rest + 1 : *rest ? NULL : rest;
}

const char *boot_param(const char *name)
{
	const char *found = NULL;

	for (const char *word = boot_word_next(NULL); word; word = boot_word_next(word)) {
		size_t length = param_name_match(word, name);
		const char *value = length ? value_of(word + length) : NULL;

		if (value)
			found = value; /* the last one counts */
	}
	return found;
}

void params_init(const char *command_line)
{
	char *to = words;

	/* A word takes no more room than it and the blank behind it did; the last byte stays the end mark. */
	while (to < words + sizeof(words) - 1 && next_word(&command_line, &to))
		;
	for (const char *word = boot_word_next(NULL); word; word = boot_word_next(word)) {
		for (size_t i = 0; i < ARRAY_SIZE(early_params); i++) {
			size_t length = param_name_match(word, early_params[i].name);
			const char *value = length ? value_of(word + length) : NULL;

			if (value)
				early_params[i].set(value);
		}
	}
}
