/*
 * Damaged volumes: an input says which of a few good images is taken, and what is changed in it. The image is mounted, everything in it
 * is looked at and read, and something is written. Errors are right; what must not be is an access outside of memory or of
 * the device, a broken invariant (WARN_ON), a hang, a leak.
 *
 * The images are made at the start, by mkfs.ext4 and the module itself: they hold files with extents of some depth, holes, block
 * maps, an index, links, attributes, an orphan, and one of them a journal to be replayed. An input: one byte that picks the
 * image, then changes (../ext4/damage.h).
 */
#include <fcntl.h>
#include <kumo/err.h>
#include <kumo/slab.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../images/damage.h"
#include "../images/image.h"
#include "../images/tool.h"

#define IMAGES 6
#define NAMES_MAX 400

const struct image_tool image_tool = { .type = "ext4" };

static const char *const features[IMAGES] = {
	"-b 1024 -N 64 -O ^metadata_csum,^has_journal,^resize_inode",
	"-b 1024 -N 64 -O ^metadata_csum,^has_journal,^extents,^64bit,^resize_inode",
	"-b 1024 -N 64 -O ^metadata_csum,^resize_inode -J size=1",
	"-b 4096 -N 64 -O ^metadata_csum,^has_journal,inline_data,^resize_inode",
	"-b 1024 -N 64 -O metadata_csum,^has_journal,^resize_inode",
	"-b 1024 -N 64 -O ^metadata_csum,^has_journal,meta_bg,^resize_inode,large_dir -I 128 -g 1024",
};

static struct base {
	char *bytes;
	u64 size;
	struct damage_blocks used;
} bases[IMAGES];
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

static void image_fill(struct image *image)
{
	static char data[200000];
	char path[300];

	memset(data, 'd', sizeof(data));
	image_create(image, "d", S_IFDIR | 0755, NULL);
	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "d/a_name_that_is_long_enough_for_an_index_%0100d", i);
		image_link(image, "d/first", path);
		if (!i)
			image_create(image, "d/first", S_IFREG | 0644, NULL);
	}
	image_create(image, "holes", S_IFREG | 0644, NULL);
	for (u32 i = 0; i < 60; i++)
		image_write(image, "holes", i * 3000, data, 500);
	image_create(image, "whole", S_IFREG | 0644, NULL);
	image_write(image, "whole", 0, data, 60000);
	image_allocate(image, "whole", 0, 60000, 20000);
	image_create(image, "short", S_IFLNK | 0777, "target");
	memset(path, 'l', 200);
	path[200] = 0;
	image_create(image, "long", S_IFLNK | 0777, path);
	image_create(image, "device", S_IFCHR | 0600, NULL);
	image_set_attribute(image, "whole", "user.a", data, 10);
	image_set_attribute(image, "whole", "user.b", data, 400);
	image_set_attribute(image, "holes", "trusted.c", data, 30);
}

static void base_make(int index)
{
	struct base *base = &bases[index];
	struct image image;
	char command[1024];
	int fd;

	/* Files that mkfs.ext4 itself puts there: with inline_data, within their inodes. */
	snprintf(command, sizeof(command),
		 "d=%s.d; rm -rf $d; mkdir -p $d/in && echo small > $d/s && touch $d/in/x && "
		 "mkfs.ext4 -q -F %s -d $d %s %d; s=$?; rm -rf $d; exit $s",
		 memory_path, features[index], memory_path,
		 index == 2   ? 4096
		 : index == 3 ? 256
			      : 1024);
	must(!ftruncate(memory_fd, 0) && !system(command), "mkfs.ext4 failed");
	must(!image_open(&image, memory_path, NULL, false), "a good image is not mounted");
	image_fill(&image);
	if (index == 2)
		must(!image_sync(&image), "a good image is not synced");
	fd = open(memory_path, O_RDONLY);
	base->size = (u64)lseek(fd, 0, SEEK_END);
	base->bytes = malloc(base->size);
	if (index != 2) /* that one keeps its journal as it is */
		image_close(&image);
	must(pread(fd, base->bytes, base->size, 0) == (ssize_t)base->size, "a good image is not read");
	if (index == 2)
		image_close(&image);
	close(fd);
	damage_blocks_find(&base->used, base->bytes, base->size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = getenv("TMPDIR");

	snprintf(memory_path, sizeof(memory_path), "%s/ext4_fuzz.%d", folder ? folder : "/dev/shm",
		 getpid());
	memory_fd = open(memory_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(memory_fd >= 0, "no file for the image");
	for (int i = 0; i < IMAGES; i++)
		base_make(i);
	unlink(memory_path);
	snprintf(memory_path, sizeof(memory_path), "/proc/self/fd/%d", memory_fd);
	environment_log_shown = getenv("SHOW_LOG");
	return 0;
}

/* ---- One input ---- */

struct seen {
	struct image *image;
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
	if (node->ops->xattr_list(node, data, sizeof(data), true) >= 0)
		image_get_attribute(image, path, "user.b", data, sizeof(data));
	node_put(node);
}

/* Some of everything that changes something. What it gives does not matter. */
static void disturb(struct image *image)
{
	static char data[5000];

	image_create(image, "new", S_IFREG | 0644, NULL);
	image_write(image, "new", 2000, data, sizeof(data));
	image_write(image, "holes", 1500, data, sizeof(data));
	image_write(image, "s", 0, data, 100);
	image_allocate(image, "holes", 3, 20000, 30000);
	image_truncate(image, "holes", 7777);
	image_truncate(image, "whole", 1);
	image_create(image, "d/another_name", S_IFDIR | 0755, NULL);
	image_create(image, "in/y", S_IFREG | 0644, NULL);
	image_create(image, "again", S_IFLNK | 0777, "x");
	image_rename(image, "new", "d/new", 0);
	image_rename(image, "d/another_name", "moved", 0);
	image_set_attribute(image, "whole", "user.b", data, 300);
	image_set_attribute(image, "holes", "trusted.c", NULL, 0);
	image_unlink(image, "d/first");
	image_unlink(image, "long");
	image_unlink(image, "holes");
	image_unlink(image, "moved");
	image_sync(image);
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
	base = &bases[data[0] % IMAGES];
	bytes = malloc(base->size);
	memcpy(bytes, base->bytes, base->size);
	for (size_t at = 1; at + 8 <= size && at < 8 * 40; at += 8)
		damage(&base->used, bytes, data + at);
	must(!ftruncate(memory_fd, (off_t)base->size) &&
		     pwrite(memory_fd, bytes, base->size, 0) == (ssize_t)base->size,
	     "no image");
	free(bytes);
	if (image_open(&image, memory_path, "errors=continue", false))
		return 0;
	seen = (struct seen){ .image = &image, .dir = "" };
	image_list(&image, "", name_seen, &seen);
	while (seen.next < seen.count) {
		seen.dir = seen.paths[seen.next++];
		image_list(&image, seen.dir, name_seen, &seen);
		look(&image, seen.dir);
	}
	disturb(&image);
	image_close(&image);
	return 0;
}
