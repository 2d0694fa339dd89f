/*
 * ext4-tool: modules/fs/ext4 as an ordinary program, on an image file.
 *
 *	ext4-tool list IMAGE                 a line for each file: kind, mode, owner, links, size, checksum, path
 *	ext4-tool extract IMAGE DIR          files, directories and links into an empty folder
 *	ext4-tool script IMAGE FILE          operations, one a line (script.c); - is the standard input
 *	ext4-tool replay IMAGE               replays the journal and nothing else
 *	ext4-tool random IMAGE SEED COUNT    random operations, compared with a model (random.c)
 *	ext4-tool powercut IMAGE SEED COUNT POINTS    power cuts (powercut.c)
 *	ext4-tool logged IMAGE LOG SEED POINTS        power cuts of a guest, whose disk was IMAGE before what LOG says (logged.c)
 *	ext4-tool cut IMAGE LOG SEED POINTS N TO      the disk as it may be at point N of them
 *	ext4-tool stable IMAGE LOG SEED POINTS N CUT  that disk, replayed by somebody, has what it must have
 *
 * Options before the command: -o OPTIONS (of mount), -r (read-only), -q (no log). Status 0, 1 for what went wrong, 2 for usage.
 */
#include "image.h"

#include <fcntl.h>
#include <kumo/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../modules/fs/ext4/ext4.h"

static const char *options;
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
	*(u32 *)context = crc32c(*(u32 *)context, data, size);
}

static int list_one(struct image *image, const char *path, struct node *node)
{
	static const char kinds[16] = {
		[1] = 'p', [2] = 'c', [4] = 'd', [6] = 'b', [8] = '-', [10] = 'l', [12] = 's'
	};
	const struct attr *attr = &node->attr;
	u32 checksum = ~0u;
	int error = 0;

	if (S_ISREG(attr->mode) || S_ISLNK(attr->mode))
		error = read_all(image, path, attr->size, checksum_add, &checksum);
	printf("%c %04o %u %u %u %llu %08x %lld.%09lld %s\n", kinds[attr->mode >> 12],
	       attr->mode & 07777, attr->uid, attr->gid, attr->nlink,
	       S_ISDIR(attr->mode) ? 0 : (unsigned long long)attr->size, checksum,
	       (long long)(attr->mtime_ns / 1000000000), (long long)(attr->mtime_ns % 1000000000),
	       *path ? path : "/");
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
	fprintf(stderr,
		"usage: ext4-tool [-o OPTIONS] [-r] [-q] list|extract|script|replay|random|powercut|logged|cut|stable IMAGE ...\n");
	return 2;
}

static int run(const char *command, int count, char **words)
{
	static const struct {
		const char *command;
		int (*main)(int count, char **words);
	} programs[] = { { "random", random_main },
			 { "powercut", powercut_main },
			 { "logged", logged_main },
			 { "cut", cut_main },
			 { "stable", stable_main } };
	struct image image = {};
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (!strcmp(command, programs[i].command))
			return programs[i].main(count, words);
	error = image_open(&image, words[0], options, read_only || !strcmp(command, "replay"));
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
	else if (strcmp(command, "replay"))
		error = usage();
	image_close(&image);
	return error;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+o:rq")) != -1) {
		if (option == 'o')
			options = optarg;
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
