/* Mount options, as mount(8) and Linux name them. What would change nothing here is accepted in silence; what is unknown is refused. */
#include "vfat.h"

/* Names are UTF-8 outside whatever is said, as with Debian's kernel. */
static const char *const accepted[] = {
	"utf8",		"utf8=1",   "utf8=yes",	  "utf8=true",	   "codepage=437",  "uni_xlate=0",
	"uni_xlate=no", "nodots",   "dotsOK=no",  "debug",	   "discard",	    "nodiscard",
	"posix",	"lazytime", "nolazytime", "conv=binary",   "blocksize=512", "nfs",
	"nfs=stale_rw", "relatime", "flush",	  "allow_utime=0",
};

/* Words that are equal to one value each. */
static const struct {
	const char *name, *value;
	size_t offset, size;
	u32 set;
} words[] = {
#define WORD(name, value, field, set)                                                                   \
	{                                                                                               \
		name, value, offsetof(struct options, field), sizeof(((struct options *)0)->field), set \
	}
	WORD("errors", "remount-ro", on_error, ON_ERROR_READ_ONLY),
	WORD("errors", "continue", on_error, ON_ERROR_CONTINUE),
	WORD("errors", "panic", on_error, ON_ERROR_PANIC),
	WORD("shortname", "lower", short_names, SHORT_SHOWN_SMALL),
	WORD("shortname", "win95", short_names, 0),
	WORD("shortname", "winnt", short_names, SHORT_SHOWN_AS_SAID | SHORT_CASE_WRITTEN),
	WORD("shortname", "mixed", short_names, SHORT_SHOWN_AS_SAID),
	WORD("check", "r", check, NAME_CHECK_RELAXED),
	WORD("check", "relaxed", check, NAME_CHECK_RELAXED),
	WORD("check", "n", check, NAME_CHECK_NORMAL),
	WORD("check", "normal", check, NAME_CHECK_NORMAL),
	WORD("check", "s", check, NAME_CHECK_STRICT),
	WORD("check", "strict", check, NAME_CHECK_STRICT),
	WORD("nonumtail", "", tails, false),
	WORD("nonumtail", "1", tails, false),
	WORD("nonumtail", "yes", tails, false),
	WORD("nonumtail", "true", tails, false),
	WORD("nonumtail", "0", tails, true),
	WORD("nonumtail", "no", tails, true),
	WORD("nonumtail", "false", tails, true),
	WORD("quiet", "", quiet, true),
	WORD("showexec", "", show_executables, true),
	WORD("rodir", "", read_only_directories, true),
	WORD("usefree", "", trust_hints, true),
	WORD("ro", "", read_only, true),
	WORD("rw", "", read_only, false),
	WORD("tz", "UTC", time_offset_s, 0),
#undef WORD
};

void options_default(struct options *options, bool dos)
{
	*options = (struct options){ .file_mask = 022,
				     .directory_mask = 022,
				     .short_names = dos ? SHORT_SHOWN_SMALL : SHORT_SHOWN_AS_SAID,
				     .check = NAME_CHECK_NORMAL,
				     .tails = true,
				     .dos = dos };
}

static bool option_word(struct options *options, const char *name, const char *value)
{
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(name, words[i].name) || strcmp(value, words[i].value))
			continue;
		memcpy((char *)options + words[i].offset, &words[i].set, words[i].size);
		return true;
	}
	return false;
}

static int option_number(struct options *options, const char *name, const char *value)
{
	bool mask = !strcmp(name, "umask") || !strcmp(name, "fmask") || !strcmp(name, "dmask");
	u64 number;
	s64 minutes;

	if (!strcmp(name, "time_offset")) {
		if (parse_s64(value, 10, &minutes) || minutes < -24 * 60 || minutes > 24 * 60)
			return -EINVAL;
		options->time_offset_s = (s32)-minutes * 60;
		return 0;
	}
	if (parse_u64(value, mask ? 8 : 10, &number) || number > (mask ? 0777 : ~0u))
		return -EINVAL;
	if (!strcmp(name, "uid"))
		options->uid = (u32)number;
	else if (!strcmp(name, "gid"))
		options->gid = (u32)number;
	else if (!strcmp(name, "umask"))
		options->file_mask = options->directory_mask = (u32)number;
	else if (!strcmp(name, "fmask"))
		options->file_mask = (u32)number;
	else if (!strcmp(name, "dmask"))
		options->directory_mask = (u32)number;
	else
		return strcmp(name, "fat") ? -EINVAL : 0; /* how many bits its entries have it says itself */
	return 0;
}

static int option_take(struct options *options, char *word)
{
	char *value = strchr(word, '=');
	int error = -EINVAL;

	for (u32 i = 0; i < ARRAY_SIZE(accepted); i++)
		if (!strcmp(word, accepted[i]))
			return 0;
	if (!strncmp(word, "iocharset=", 10))
		return 0;
	if (!value)
		return option_word(options, word, "") ? 0 : -EINVAL;
	*value = 0;
	if (option_word(options, word, value + 1))
		error = 0;
	else
		error = option_number(options, word, value + 1);
	*value = '=';
	return error;
}

int options_parse(struct volume *volume, struct options *options, const char *text)
{
	char *copy __free_kfree = kstrdup(text, GFP_KERNEL), *at = copy, *comma;

	if (!copy)
		return -ENOMEM;
	for (; at; at = comma) {
		comma = strchr(at, ',');
		if (comma)
			*comma++ = 0;
		if (*at && option_take(options, at)) {
			pr_err("%s: unknown mount option \"%s\"\n", volume->device->name, at);
			return -EINVAL;
		}
	}
	if (!options->dos && options->check == NAME_CHECK_STRICT) {
		pr_err("%s: names with case (check=strict) are not there\n", volume->device->name);
		return -EINVAL;
	}
	return 0;
}
