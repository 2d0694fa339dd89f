/*
 * The fuzzer of filesystems: see filesystem.h. Errors are right; what must not be is an access outside, a hang, a leak, a warning.
 *
 * Each good image has a file in memory, which is mapped, too: an input changes it there, and afterwards what differs from the good bytes is
 * put back, so that no input costs the copying of a whole image.
 */
#include "filesystem.h"
#include "../images/damage.h"

#include <fcntl.h>
#include <kumo/err.h>
#include <kumo/slab.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHANGES_MAX 40
#define NAMES_MAX 400
#define PIECE 4096u

static struct base {
	char *bytes; /* the good ones */
	char *disk;  /* as the mounted device has them */
	u64 size;
	char path[64];
	struct damage_blocks used;
} bases[FUZZ_IMAGES_MAX];
static u32 base_count;

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "fuzz: %s\n", what);
		exit(1);
	}
}

/* ---- The images ---- */

static void base_read(struct base *base, int fd)
{
	base->size = (u64)lseek(fd, 0, SEEK_END);
	base->bytes = malloc(base->size);
	must(base->bytes && pread(fd, base->bytes, base->size, 0) == (ssize_t)base->size,
	     "a good image is not read");
}

static void base_make(struct base *base, const char *path, const char *make)
{
	bool in_use = fuzz_filesystem.in_use && strstr(make, fuzz_filesystem.in_use);
	struct image image;
	char command[2048];
	int fd;

	snprintf(command, sizeof(command),
		 "image=%s; folder=%s.d; rm -rf $folder; mkdir $folder && { %s; } > /dev/null; s=$?; rm -rf $folder; exit $s",
		 path, path, make);
	must(!system(command), "an image could not be made");
	must(!image_open(&image, path, NULL, !fuzz_filesystem.fill), "a good image is not mounted");
	if (fuzz_filesystem.fill)
		fuzz_filesystem.fill(&image);
	fd = open(path, O_RDWR);
	must(fd >= 0, "an image could not be opened");
	if (in_use) {
		must(!image_sync(&image), "a good image is not synced");
		base_read(base, fd);
	}
	image_close(&image);
	if (!in_use)
		base_read(base, fd);
	unlink(path);
	snprintf(base->path, sizeof(base->path), "/proc/self/fd/%d", fd);
	base->disk = mmap(NULL, base->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(base->disk != MAP_FAILED, "an image could not be mapped");
	memcpy(base->disk, base->bytes, base->size);
	damage_blocks_find(&base->used, base->bytes, base->size);
}

static void base_restore(struct base *base)
{
	for (u64 at = 0; at < base->size; at += PIECE) {
		size_t length = min(base->size - at, (u64)PIECE);

		if (memcmp(base->disk + at, base->bytes + at, length))
			memcpy(base->disk + at, base->bytes + at, length);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = getenv("TMPDIR"), *name = strrchr((*argv)[0], '/');
	char path[4096];

	environment_log_shown = getenv("SHOW_LOG");
	snprintf(path, sizeof(path), "%s/%s_fuzz.%d", folder ? folder : "/dev/shm",
		 name ? name + 1 : (*argv)[0], getpid());
	while (base_count < FUZZ_IMAGES_MAX && fuzz_filesystem.make[base_count]) {
		base_make(&bases[base_count], path, fuzz_filesystem.make[base_count]);
		base_count++;
	}
	return 0;
}

/* ---- One input ---- */

struct seen {
	char paths[NAMES_MAX][300];
	struct node *nodes[NAMES_MAX]; /* held, so that no walk reads the way anew */
	u64 numbers[NAMES_MAX];
	int count;
	const char *dir;
};

static void name_seen(void *context, const char *name, u64 number)
{
	struct seen *seen = context;

	if (seen->count < NAMES_MAX && strlen(seen->dir) + strlen(name) < 290) {
		seen->numbers[seen->count] = number;
		snprintf(seen->paths[seen->count++], sizeof(seen->paths[0]), "%s/%s", seen->dir, name);
	}
}

static void look(struct node *node)
{
	static char data[70000];
	u64 size = node_size(node);

	image_read_node(node, 0, data, sizeof(data));
	if (size > sizeof(data))
		image_read_node(node, size - 5000, data, 5000);
	if (node->ops->xattr_list && node->ops->xattr_list(node, data, sizeof(data), true) > 0 &&
	    node->ops->xattr_get)
		node->ops->xattr_get(node, "user.b", data, sizeof(data));
}

/* Each name is walked to, each file looked at under its first one. */
static void look_at(struct image *image, struct seen *seen, int index)
{
	struct node *node = image_node(image, seen->paths[index]);

	seen->nodes[index] = IS_ERR(node) ? NULL : node;
	for (int i = 0; i < index; i++)
		if (seen->numbers[i] == seen->numbers[index])
			return;
	seen->dir = seen->paths[index];
	image_list(image, seen->dir, name_seen, seen);
	if (!IS_ERR(node))
		look(node);
}

static void use(struct image *image)
{
	static struct seen seen;

	seen.count = 0;
	seen.dir = "";
	image_list(image, "", name_seen, &seen);
	for (int i = 0; i < seen.count; i++)
		look_at(image, &seen, i);
	for (int i = 0; i < seen.count; i++)
		if (seen.nodes[i])
			node_put(seen.nodes[i]);
	if (fuzz_filesystem.disturb)
		fuzz_filesystem.disturb(image);
	image_sync(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image = {};
	struct base *base;

	if (size < 1)
		return 0;
	base = &bases[data[0] % base_count];
	for (size_t at = 1; at + DAMAGE_RECORD <= size && at < DAMAGE_RECORD * CHANGES_MAX;
	     at += DAMAGE_RECORD)
		damage(&base->used, base->disk, data + at);
	if (!image_open(&image, base->path, fuzz_filesystem.options, !fuzz_filesystem.fill)) {
		use(&image);
		image_close(&image);
	}
	base_restore(base);
	return 0;
}
