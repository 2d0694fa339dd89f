/* Mount options, with the names and values of Linux's v9fs. What is unknown is refused. */
#define LOG_PREFIX "9p: "
#include "client.h"

#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#define NOBODY 65534U

static int number_of(const char *text, u64 limit, u64 *number)
{
	return parse_u64(text, 0, number) || *number > limit ? -EINVAL : 0;
}

static int number_option(const char *text, u32 *to, u64 limit)
{
	u64 number;
	int error = number_of(text, limit, &number);

	if (!error)
		*to = (u32)number;
	return error;
}

static int text_option(const char *text, char **to)
{
	char *copy = kstrdup(text, GFP_KERNEL);

	if (!copy)
		return -ENOMEM;
	kfree(*to);
	*to = copy;
	return strlen(text) > UINT16_MAX ? -EINVAL : 0;
}

static int version_option(struct options *options, const char *text)
{
	static const struct {
		const char *name;
		enum ninep_dialect dialect;
	} versions[] = {
		{ "9p2000", NINEP_2000 },
		{ "9p2000.u", NINEP_2000U },
		{ "9p2000.L", NINEP_2000L },
	};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (!strcmp(text, versions[i].name)) {
			options->dialect = versions[i].dialect;
			return 0;
		}
	return -EINVAL;
}

static int cache_option(struct options *options, const char *text)
{
	/* fscache keeps a copy on a disk, which there is none for: it is loose without that. */
	static const struct {
		const char *name;
		enum cache_mode mode;
	} modes[] = {
		{ "none", CACHE_NONE },	  { "mmap", CACHE_MMAP },     { "readahead", CACHE_MMAP },
		{ "loose", CACHE_LOOSE }, { "fscache", CACHE_LOOSE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(text, modes[i].name)) {
			options->cache = modes[i].mode;
			return 0;
		}
	return -EINVAL;
}

static int access_option(struct options *options, const char *text)
{
	/* The client looks at modes itself in any case. */
	if (!strcmp(text, "user") || !strcmp(text, "client")) {
		options->access = ACCESS_USER;
		return 0;
	}
	if (!strcmp(text, "any")) {
		options->access = ACCESS_ANY;
		return 0;
	}
	options->access = ACCESS_SINGLE;
	return number_option(text, &options->single_uid, UINT32_MAX - 1);
}

static int option_value(struct options *options, const char *name, const char *value)
{
	u32 ignored;

	if (!strcmp(name, "trans"))
		return text_option(value, &options->transport);
	if (!strcmp(name, "uname"))
		return text_option(value, &options->uname);
	if (!strcmp(name, "aname"))
		return text_option(value, &options->aname);
	if (!strcmp(name, "version"))
		return version_option(options, value);
	if (!strcmp(name, "msize"))
		return number_option(value, &options->msize, UINT32_MAX);
	if (!strcmp(name, "cache"))
		return cache_option(options, value);
	if (!strcmp(name, "access"))
		return access_option(options, value);
	if (!strcmp(name, "dfltuid"))
		return number_option(value, &options->default_uid, UINT32_MAX - 1);
	if (!strcmp(name, "dfltgid"))
		return number_option(value, &options->default_gid, UINT32_MAX - 1);
	if (!strcmp(name, "rfdno"))
		return number_option(value, (u32 *)&options->of_transport.read_fd, INT32_MAX);
	if (!strcmp(name, "wfdno"))
		return number_option(value, (u32 *)&options->of_transport.write_fd, INT32_MAX);
	if (!strcmp(name, "debug")) /* of messages to be logged: none are */
		return number_option(value, &ignored, UINT32_MAX);
	return -EINVAL;
}

static int option_word(struct options *options, const char *word)
{
	if (!strcmp(word, "ro") || !strcmp(word, "rw"))
		return 0;
	if (!strcmp(word, "noextend")) {
		options->dialect = NINEP_2000;
		return 0;
	}
	/* Words that were cache modes before there was cache=. */
	return cache_option(options, word);
}

static int option(struct options *options, char *text)
{
	char *value = strchr(text, '=');
	int error;

	if (!value)
		return option_word(options, text);
	*value = 0;
	error = option_value(options, text, value + 1);
	*value = '=';
	return error;
}

static int set_defaults(struct options *options)
{
	*options = (struct options){
		.dialect = NINEP_2000L,
		.access = ACCESS_USER,
		.default_uid = NOBODY,
		.default_gid = NOBODY,
		.of_transport = { -1, -1 },
	};
	options->transport = kstrdup("virtio", GFP_KERNEL);
	options->uname = kstrdup("nobody", GFP_KERNEL);
	options->aname = kstrdup("", GFP_KERNEL);
	return options->transport && options->uname && options->aname ? 0 : -ENOMEM;
}

int options_parse(struct options *options, const char *text)
{
	char *copy __free_kfree = kstrdup(text ? text : "", GFP_KERNEL), *at = copy, *comma;
	int error = set_defaults(options);

	if (!copy)
		error = -ENOMEM;
	for (; at && !error; at = comma) {
		comma = strchr(at, ',');
		if (comma)
			*comma++ = 0;
		if (*at)
			error = option(options, at);
		if (error == -EINVAL)
			pr_err("unknown mount option \"%s\"\n", at);
	}
	/* Without numbers of users there is but one. */
	if (options->dialect == NINEP_2000 && options->access == ACCESS_USER)
		options->access = ACCESS_ANY;
	return error;
}

void options_free(struct options *options)
{
	kfree(options->transport);
	kfree(options->uname);
	kfree(options->aname);
}
