/*
 * Operations from a file, one a line, words separated by blanks:
 *
 *	mkdir PATH | create PATH | symlink TARGET PATH | link FROM TO | unlink PATH | mknod PATH c|b|p|s
 *	rename FROM TO | exchange A B | whiteout FROM TO
 *	write PATH OFFSET TEXT | fill PATH OFFSET LENGTH SEED | truncate PATH SIZE | chmod PATH MODE
 *	allocate PATH OFFSET LENGTH | keep PATH OFFSET LENGTH | punch PATH OFFSET LENGTH | zero PATH OFFSET LENGTH
 *	setfattr PATH NAME VALUE | rmfattr PATH NAME | fsync PATH | sync | repeat COUNT OPERATION... (with % for the number)
 *
 * A line that begins with "!ERRNO" must fail with that number.
 */
#include "image.h"

#include <kumo/err.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8

static u64 number(const char *word)
{
	return word ? strtoull(word, NULL, 0) : 0;
}

static int fill(struct image *image, char **words)
{
	size_t size = number(words[3]);
	u64 state = number(words[4]) + 1;
	char *data = malloc(size + 4);
	ssize_t done;

	for (size_t i = 0; i < size; i += 4) {
		u32 value = random_number(&state, ~0u);

		memcpy(data + i, &value, 4);
	}
	done = image_write(image, words[1], number(words[2]), data, size);
	free(data);
	return done < 0 ? (int)done : 0;
}

static int by_path(struct image *image, char **w)
{
	static const struct {
		const char *word;
		int mode;
	} allocations[] = { { "allocate", 0 },
			    { "keep", FALLOC_FL_KEEP_SIZE },
			    { "punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
			    { "zero", FALLOC_FL_ZERO_RANGE } };

	for (size_t i = 0; i < ARRAY_SIZE(allocations); i++)
		if (!strcmp(w[0], allocations[i].word))
			return image_allocate(image, w[1], allocations[i].mode, number(w[2]),
					      number(w[3]));
	if (!strcmp(w[0], "write")) {
		ssize_t done = image_write(image, w[1], number(w[2]), w[3], strlen(w[3]));

		return done < 0 ? (int)done : 0;
	}
	if (!strcmp(w[0], "fill"))
		return fill(image, w);
	if (!strcmp(w[0], "truncate"))
		return image_truncate(image, w[1], number(w[2]));
	if (!strcmp(w[0], "chmod"))
		return image_chmod(image, w[1], (u32)strtoul(w[2], NULL, 8));
	if (!strcmp(w[0], "setfattr"))
		return image_set_attribute(image, w[1], w[2], w[3] ? w[3] : "", w[3] ? strlen(w[3]) : 0);
	if (!strcmp(w[0], "rmfattr"))
		return image_set_attribute(image, w[1], w[2], NULL, 0);
	if (!strcmp(w[0], "fsync"))
		return image_fsync(image, w[1]);
	return !strcmp(w[0], "sync") ? image_sync(image) : -ENOSYS;
}

static int by_name(struct image *image, char **w)
{
	if (!strcmp(w[0], "mkdir"))
		return image_create(image, w[1], S_IFDIR | 0755, NULL);
	if (!strcmp(w[0], "create"))
		return image_create(image, w[1], S_IFREG | 0644, NULL);
	if (!strcmp(w[0], "symlink"))
		return image_create(image, w[2], S_IFLNK | 0777, w[1]);
	if (!strcmp(w[0], "mknod"))
		return image_create(image, w[1],
				    (w[2][0] == 'c'   ? S_IFCHR
				     : w[2][0] == 'b' ? S_IFBLK
				     : w[2][0] == 'p' ? S_IFIFO
						      : S_IFSOCK) |
					    0600,
				    NULL);
	if (!strcmp(w[0], "link"))
		return image_link(image, w[1], w[2]);
	if (!strcmp(w[0], "unlink"))
		return image_unlink(image, w[1]);
	if (!strcmp(w[0], "rename"))
		return image_rename(image, w[1], w[2], 0);
	if (!strcmp(w[0], "exchange"))
		return image_rename(image, w[1], w[2], RENAME_EXCHANGE);
	if (!strcmp(w[0], "whiteout"))
		return image_rename(image, w[1], w[2], RENAME_WHITEOUT);
	return by_path(image, w);
}

/* A word with each % replaced by the number. */
static void numbered(const char *word, u64 n, char *to, size_t size)
{
	size_t used = 0;

	for (; *word && used + 24 < size; word++) {
		if (*word == '%')
			used += (size_t)snprintf(to + used, size - used, "%llu", (unsigned long long)n);
		else
			to[used++] = *word;
	}
	to[used] = 0;
}

static int repeat(struct image *image, char **words)
{
	static char texts[WORDS_MAX][4096];
	u64 count = number(words[1]);
	int error = 0;

	for (u64 n = 0; n < count && !error; n++) {
		char *each[WORDS_MAX + 1] = {};

		for (int i = 0; words[i + 2]; i++) {
			numbered(words[i + 2], n, texts[i], sizeof(texts[i]));
			each[i] = texts[i];
		}
		error = by_name(image, each);
	}
	return error;
}

int script_main(struct image *image, const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;
	char *line = NULL;
	size_t room = 0;
	int wrong = 0;

	if (!file) {
		perror(path);
		return 1;
	}
	for (int number = 1; getline(&line, &room, file) > 0; number++) {
		char *words[WORDS_MAX + 4] = {}, *at = strtok(line, " \n");
		int expected = 0, error, count = 0;

		if (!at || *at == '#')
			continue;
		if (*at == '!') {
			expected = -atoi(at + 1);
			at = strtok(NULL, " \n");
		}
		for (; at && count < WORDS_MAX + 2; at = strtok(NULL, " \n"))
			words[count++] = at;
		error = !strcmp(words[0], "repeat") ? repeat(image, words) : by_name(image, words);
		if (error != expected) {
			fprintf(stderr, "line %d: %s %s: error %d, expected %d\n", number, words[0],
				words[1] ? words[1] : "", error, expected);
			wrong = 1;
		}
	}
	free(line);
	if (file != stdin)
		fclose(file);
	return wrong;
}
