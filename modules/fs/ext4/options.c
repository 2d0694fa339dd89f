/* Mount options, as mount(8) and Linux name them. What would change nothing here is accepted in silence; what is unknown is refused. */
#include "ext4.h"

static const char *const accepted[] = {
	"acl",	       "user_xattr",	"data=ordered",	   "delalloc",	       "nodelalloc",
	"bsddf",       "auto_da_alloc", "noauto_da_alloc", "block_validity",   "noblock_validity",
	"grpid",       "nogrpid",	"sysvgroups",	   "dioread_lock",     "dioread_nolock",
	"init_itable", "noinit_itable", "orlov",	   "oldalloc",	       "check",
	"nocheck",     "check=none",	"nouid32",	   "lazytime",	       "nolazytime",
	"i_version",   "noquota",	"data=writeback",  "journal_checksum", "nojournal_checksum",
};

static int number_of(const char *text, u64 limit, u64 *number)
{
	return parse_u64(text, 10, number) || *number > limit ? -EINVAL : 0;
}

/* NAME=VALUE. */
static int option_value(struct volume *volume, const char *name, const char *value)
{
	static const char *const reactions[] = { "continue", "remount-ro", "panic" };
	u64 number;

	if (!strcmp(name, "errors")) {
		for (u32 i = 0; i < ARRAY_SIZE(reactions); i++) {
			if (!strcmp(value, reactions[i])) {
				volume->on_error = (u8)(ERRORS_CONTINUE + i);
				return 0;
			}
		}
		return -EINVAL;
	}
	if (!strcmp(name, "barrier")) {
		if (number_of(value, 1, &number))
			return -EINVAL;
		volume->barriers = number;
		return 0;
	}
	if (!strcmp(name, "commit")) {
		if (number_of(value, 3600, &number))
			return -EINVAL;
		volume->commit_interval_s = number ? (u32)number : 5;
		return 0;
	}
	if (!strcmp(name, "resuid") || !strcmp(name, "resgid")) {
		if (number_of(value, ID_UNSAID - 1, &number))
			return -EINVAL;
		*(name[3] == 'u' ? &volume->reserved_uid : &volume->reserved_gid) = (u32)number;
		return 0;
	}
	if (!strcmp(name, "stripe") || !strcmp(name, "inode_readahead_blks") ||
	    !strcmp(name, "max_batch_time") || !strcmp(name, "min_batch_time") ||
	    !strcmp(name, "journal_ioprio"))
		return number_of(value, ~0u, &number);
	return -EINVAL;
}

static int option_word(struct volume *volume, const char *word, bool remount)
{
	for (u32 i = 0; i < ARRAY_SIZE(accepted); i++)
		if (!strcmp(word, accepted[i]))
			return 0;
	if (!strcmp(word, "ro") || !strcmp(word, "rw")) {
		if (!remount && word[1] == 'o') {
			volume->read_only_wanted = true;
			volume->tree->flags |= TREE_READ_ONLY;
		}
	} else if (!strcmp(word, "barrier") || !strcmp(word, "nobarrier")) {
		volume->barriers = word[0] == 'b';
	} else if (!strcmp(word, "noload") || !strcmp(word, "norecovery")) {
		volume->no_load = true;
	} else if (!strcmp(word, "discard") || !strcmp(word, "nodiscard")) {
		volume->discard = word[0] == 'd';
	} else {
		return -EINVAL;
	}
	return 0;
}

int options_parse(struct volume *volume, const char *options, bool remount)
{
	char *copy __free_kfree = kstrdup(options, GFP_KERNEL), *at = copy, *comma;

	if (!copy)
		return -ENOMEM;
	for (; at; at = comma) {
		char *value;
		int error = 0;

		comma = strchr(at, ',');
		if (comma)
			*comma++ = 0;
		value = strchr(at, '=');
		if (*at)
			error = option_word(volume, at, remount);
		if (error && value) {
			*value = 0;
			error = option_value(volume, at, value + 1);
			*value = '=';
		}
		if (error) {
			pr_err("%s: unknown mount option \"%s\"\n", volume->device->name, at);
			return error;
		}
	}
	return 0;
}
