/* The fuzzer of filesystems: see filesystem.h. Errors are right; what must not be is an access outside, a hang, a leak, a warning. */
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

static struct base {
	char *bytes;
	u64 size;
	struct damage_blocks used;
} bases[FUZZ_IMAGES_MAX];
static u32 base_count;
static int memory_fd;
static char memory_path[64];

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "fuzz: %s\n", what);
		exit(1);
	}
}

/* ---- The images ---- */

static void base_make(struct base *base, const char *make)
{
	struct image image;
	char command[2048];
	int fd;

	snprintf(command, sizeof(command),
		 "image=%s; folder=%s.d; rm -rf $folder; mkdir $folder && { %s; } > /dev/null; s=$?; rm -rf $folder; exit $s",
		 memory_path, memory_path, make);
	must(!ftruncate(memory_fd, 0) && !system(command), "an image could not be made");
	must(!image_open(&image, memory_path, NULL, !fuzz_filesystem.fill),
	     "a good image is not mounted");
	if (fuzz_filesystem.fill)
		fuzz_filesystem.fill(&image);
	image_close(&image);
	fd = open(memory_path, O_RDONLY);
	base->size = (u64)lseek(fd, 0, SEEK_END);
	base->bytes = malloc(base->size);
	must(pread(fd, base->bytes, base->size, 0) == (ssize_t)base->size, "a good image is not read");
	close(fd);
	damage_blocks_find(&base->used, base->bytes, base->size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = getenv("TMPDIR");

	environment_log_shown = getenv("SHOW_LOG");
	snprintf(memory_path, sizeof(memory_path), "%s/%s_fuzz.%d", folder ? folder : "/dev/shm",
		 strrchr((*argv)[0], '/') ? strrchr((*argv)[0], '/') + 1 : (*argv)[0], getpid());
	memory_fd = open(memory_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(memory_fd >= 0, "no file for the image");
	while (base_count < FUZZ_IMAGES_MAX && fuzz_filesystem.make[base_count]) {
		base_make(&bases[base_count], fuzz_filesystem.make[base_count]);
		base_count++;
	}
	/* mksquashfs may have made the file anew. */
	close(memory_fd);
	memory_fd = open(memory_path, O_RDWR);
	unlink(memory_path);
	snprintf(memory_path, sizeof(memory_path), "/proc/self/fd/%d", memory_fd);
	return 0;
}

/* ---- One input ---- */

struct seen {
	char paths[NAMES_MAX][300];
	int count, next;
	const char *dir;
};

static void name_seen(void *context, const char *name, u64 number)
{
	struct seen *seen = context;

	if (seen->count < NAMES_MAX && strlen(seen->dir) + strlen(name) < 290)
		snprintf(seen->paths[seen->count++], sizeof(seen->paths[0]), "%s/%s", seen->dir, name);
}

static void look(struct image *image, const char *path)
{
	static char data[70000];
	struct node *node = image_node(image, path);
	u64 size;

	if (IS_ERR(node))
		return;
	size = node_size(node);
	image_read(image, path, 0, data, sizeof(data));
	if (size > sizeof(data))
		image_read(image, path, size - 5000, data, 5000);
	if (node->ops->xattr_list && node->ops->xattr_list(node, data, sizeof(data), true) >= 0)
		image_get_attribute(image, path, "user.b", data, sizeof(data));
	node_put(node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen seen;
	struct image image = {};
	struct base *base;
	char *bytes;

	if (size < 1)
		return 0;
	base = &bases[data[0] % base_count];
	bytes = malloc(base->size);
	memcpy(bytes, base->bytes, base->size);
	for (size_t at = 1; at + DAMAGE_RECORD <= size && at < DAMAGE_RECORD * CHANGES_MAX;
	     at += DAMAGE_RECORD)
		damage(&base->used, bytes, data + at);
	must(!ftruncate(memory_fd, (off_t)base->size) &&
		     pwrite(memory_fd, bytes, base->size, 0) == (ssize_t)base->size,
	     "no image");
	free(bytes);
	if (image_open(&image, memory_path, fuzz_filesystem.options, !fuzz_filesystem.fill))
		return 0;
	seen = (struct seen){ .dir = "" };
	image_list(&image, "", name_seen, &seen);
	while (seen.next < seen.count) {
		seen.dir = seen.paths[seen.next++];
		image_list(&image, seen.dir, name_seen, &seen);
		look(&image, seen.dir);
	}
	if (fuzz_filesystem.disturb)
		fuzz_filesystem.disturb(&image);
	image_sync(&image);
	image_close(&image);
	return 0;
}
