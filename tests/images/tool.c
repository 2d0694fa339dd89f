/*
 * A filesystem module as an ordinary program, on an image file: NAME-tool, for each module that user/environment/Makefile lists.
 *
 *	list IMAGE                 a line for each file: kind, mode, owner, links, size, checksum, time, path
 *	extract IMAGE DIR          files, directories and links into an empty folder
 *	script IMAGE FILE          operations, one a line (script.c); - is the standard input
 *	random IMAGE SEED COUNT    random operations, compared with a model (random.c)
 *
 * and commands of the filesystem's own (tool.h). Options before the command: -o OPTIONS (of mount), -t TYPE, -r (read-only), -q (no log).
 * Status 0, 1 for what went wrong, 2 for usage.
 */
#include "image.h"
#include "tool.h"

#include <fcntl.h>
#include <kumo/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *tool_options;
static bool read_only;

struct names {
	char **list;
	size_t count;
};

static void name_add(void *context, const char *name, u64 number)
{
	struct names *names = context;

	names->list = realloc(names->list, (names->count + 1) * sizeof(*names->list));
	names->list[names->count++] = strdup(name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *joined(const char *a, const char *b, const char *c)
{
	size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
	char *text = malloc(size);

	snprintf(text, size, "%s%s%s", a, b, c);
	return text;
}

/* Calls each() for a path and all that lies below, sorted. */
static int walk_all(struct image *image, const char *path,
		    int (*each)(struct image *, const char *, struct node *))
{
	struct node *node = image_node(image, path);
	struct names names = {};
	int error;

	if (IS_ERR(node)) {
		fprintf(stderr, "%s: error %ld\n", path, PTR_ERR(node));
		return 1;
	}
	error = each(image, path, node);
	if (S_ISDIR(node->attr.mode)) {
		int result = image_list(image, path, name_add, &names);

		if (result)
			fprintf(stderr, "%s: reading the directory: error %d\n", path, result);
		error |= result != 0;
	}
	node_put(node);
	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), by_name);
	for (size_t i = 0; i < names.count; i++) {
		char *below = joined(path, "/", names.list[i]);

		error |= walk_all(image, below, each);
		free(below);
		free(names.list[i]);
	}
	free(names.list);
	return error;
}

/* A file's bytes, piece by piece, to each(); 0 or an errno. */
static int read_all(struct image *image, const char *path, u64 size,
		    void (*each)(void *, const void *, size_t), void *context)
{
	static char piece[1 << 18];

	for (u64 at = 0; at < size;) {
		ssize_t got = image_read(image, path, at, piece, sizeof(piece));

		if (got <= 0)
			return got ? (int)got : -EIO;
		each(context, piece, (size_t)got);
		at += (u64)got;
	}
	return 0;
}

static void checksum_add(void *context, const void *data, size_t size)
{
	u64 *sum = context;

	for (size_t i = 0; i < size; i++) /* FNV-1a */
		*sum = (*sum ^ ((const u8 *)data)[i]) * 0x100000001b3ULL;
}

static int list_one(struct image *image, const char *path, struct node *node)
{
	static const char kinds[16] = {
		[1] = 'p', [2] = 'c', [4] = 'd', [6] = 'b', [8] = '-', [10] = 'l', [12] = 's'
	};
	const struct attr *attr = &node->attr;
	u64 checksum = 0xcbf29ce484222325ULL;
	int error = 0;

	if (S_ISREG(attr->mode) || S_ISLNK(attr->mode))
		error = read_all(image, path, attr->size, checksum_add, &checksum);
	printf("%c %04o %u %u %u %llu %016llx %lld.%09lld %s\n", kinds[attr->mode >> 12],
	       attr->mode & 07777, attr->uid, attr->gid, attr->nlink,
	       S_ISDIR(attr->mode) ? 0 : (unsigned long long)attr->size,
	       (unsigned long long)checksum, (long long)(attr->mtime_ns / 1000000000),
	       (long long)(attr->mtime_ns % 1000000000), *path ? path : "/");
	if (error)
		fprintf(stderr, "%s: error %d\n", path, error);
	return error != 0;
}

static const char *extract_to;

static void write_out(void *context, const void *data, size_t size)
{
	if (write(*(int *)context, data, size) != (ssize_t)size)
		perror("write");
}

static int extract_one(struct image *image, const char *path, struct node *node)
{
	char *to = joined(extract_to, path, ""), target[4097] = {};
	int error = 0, fd;

	if (S_ISDIR(node->attr.mode)) {
		error = *path ? mkdir(to, 0777) : 0;
	} else if (S_ISLNK(node->attr.mode)) {
		error = image_read(image, path, 0, target, sizeof(target) - 1) < 0 ||
			symlink(target, to);
	} else if (S_ISREG(node->attr.mode)) {
		fd = open(to, O_WRONLY | O_CREAT | O_EXCL, 0666);
		error = fd < 0 || read_all(image, path, node->attr.size, write_out, &fd);
		close(fd);
	}
	if (error)
		fprintf(stderr, "%s: could not be extracted\n", path);
	free(to);
	return error != 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: %s-tool [-o OPTIONS] [-t TYPE] [-r] [-q] list|extract|script|random",
		image_tool.type);
	for (int i = 0; image_tool.commands && image_tool.commands[i].name; i++)
		fprintf(stderr, "|%s", image_tool.commands[i].name);
	fprintf(stderr, " IMAGE ...\n");
	return 2;
}

static int run(const char *command, int count, char **words)
{
	struct image image = {};
	int error;

	for (int i = 0; image_tool.commands && image_tool.commands[i].name; i++)
		if (!strcmp(command, image_tool.commands[i].name))
			return image_tool.commands[i].main(count, words);
	if (!strcmp(command, "random"))
		return random_main(count, words);
	error = image_open(&image, words[0], tool_options, read_only);
	if (error) {
		fprintf(stderr, "%s: not mounted: error %d\n", words[0], error);
		return 1;
	}
	if (!strcmp(command, "list"))
		error = walk_all(&image, "", list_one);
	else if (!strcmp(command, "extract") && count > 1)
		extract_to = words[1], error = walk_all(&image, "", extract_one);
	else if (!strcmp(command, "script") && count > 1)
		error = script_main(&image, words[1]);
	else
		error = usage();
	image_close(&image);
	return error;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+o:t:rq")) != -1) {
		if (option == 'o')
			tool_options = optarg;
		else if (option == 't')
			image_type = optarg;
		else if (option == 'r')
			read_only = true;
		else if (option == 'q')
			environment_log_shown = false;
		else
			return usage();
	}
	if (argc - optind < 2)
		return usage();
	return run(argv[optind], argc - optind - 1, argv + optind + 1);
}
