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

/* Each word, ended by NUL, its quotes taken out; then an empty one, which takes a byte more than the line. */
static char words[sizeof(boot_info.command_line) + 1];

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

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/*
 * Takes `text`, shorter than boot_info.command_line, apart. A word needs no more room than it and the blank or NUL behind it
 * had. One that is empty, a pair of quotes, is left out: the empty word is the end.
 */
static void words_split(const char *text)
{
	char *to = words;

	while (*text) {
		const char *start = to;
		bool quoted = false;

		while (is_blank(*text))
			text++;
		for (; *text && (quoted || !is_blank(*text)); text++) {
			if (*text == '"')
				quoted = !quoted;
			else
				*to++ = *text;
		}
		if (to > start)
			*to++ = '\0';
	}
	*to = '\0';
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
	words_split(command_line);
	for (const char *word = boot_word_next(NULL); word; word = boot_word_next(word)) {
		for (size_t i = 0; i < ARRAY_SIZE(early_params); i++) {
			size_t length = param_name_match(word, early_params[i].name);
			const char *value = length ? value_of(word + length) : NULL;

			if (value)
				early_params[i].set(value);
		}
	}
}
