/*
 * Damaged volumes of ext4, with block maps and with extents, inline data, checksums, meta groups, and a journal to be replayed
 * (filesystem.h). They hold files with extents of some depth, holes, an index, links, attributes, and what mkfs.ext4 itself puts there:
 * with inline_data, within inodes.
 */
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../images/damage.h"
#include "../images/tool.h"
#include "filesystem.h"

const struct image_tool image_tool = { .type = "ext4" };

#define JOURNAL "-J size=1"
#define MAKE(size, features)                                                                       \
	"mkdir $folder/in && echo small > $folder/s && touch $folder/in/x && truncate -s " size    \
	" $image && mkfs.ext4 -q -F -N 64 " features " -d $folder $image"

static const char *const make[] = {
	MAKE("1M", "-b 1024 -O ^metadata_csum,^has_journal,^resize_inode"),
	MAKE("1M", "-b 1024 -O ^metadata_csum,^has_journal,^extents,^64bit,^resize_inode"),
	MAKE("4M", "-b 1024 -O ^metadata_csum,^resize_inode " JOURNAL),
	MAKE("256K", "-b 4096 -O ^metadata_csum,^has_journal,inline_data,^resize_inode"),
	MAKE("1M", "-b 1024 -O metadata_csum,^has_journal,^resize_inode"),
	MAKE("1M", "-b 1024 -O ^metadata_csum,^has_journal,meta_bg,^resize_inode,large_dir -I 128 -g 1024"),
	NULL,
};

static void fill(struct image *image)
{
	static char data[200000];
	char path[300];

	memset(data, DAMAGE_DATA, sizeof(data));
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
}

const struct fuzz_filesystem fuzz_filesystem = {
	.options = "errors=continue",
	.make = make,
	.fill = fill,
	.in_use = JOURNAL,
	.disturb = disturb,
};
