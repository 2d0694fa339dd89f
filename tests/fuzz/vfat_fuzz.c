/* Damaged FAT volumes, of 12, 16 and 32 bits (filesystem.h). */
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../images/damage.h"
#include "../images/tool.h"
#include "filesystem.h"

const struct image_tool image_tool = { .type = "vfat" };

static const char *const make[] = {
	"truncate -s 256K $image && mkfs.vfat -F 12 -s 1 -r 64 $image",
	"truncate -s 256K $image && mkfs.vfat -F 12 -s 8 $image",
	"truncate -s 2300K $image && mkfs.vfat -F 16 -s 1 -f 1 $image",
	"truncate -s 256K $image && mkfs.vfat -F 32 -s 1 $image",
	NULL,
};

static void fill(struct image *image)
{
	static char data[40000];
	char path[300];

	memset(data, DAMAGE_DATA, sizeof(data));
	image_create(image, "d", S_IFDIR | 0755, NULL);
	image_create(image, "d/e", S_IFDIR | 0755, NULL);
	image_create(image, "d/e/f", S_IFDIR | 0755, NULL);
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "d/a name that needs more than one entry %d", i);
		image_create(image, path, S_IFREG | 0644, NULL);
		image_write(image, path, 0, data, 600);
	}
	image_create(image, "WHOLE", S_IFREG | 0644, NULL);
	image_create(image, "pieces", S_IFREG | 0644, NULL);
	for (int i = 0; i < 10; i++) { /* in turns, so that neither lies in a row */
		image_write(image, "WHOLE", (u64)i * 3000, data, 3000);
		image_write(image, "pieces", (u64)i * 3000, data, 3000);
	}
}

static void disturb(struct image *image)
{
	static char data[5000];

	image_create(image, "new", S_IFREG | 0644, NULL);
	image_write(image, "new", 9000, data, sizeof(data));
	image_write(image, "pieces", 29000, data, sizeof(data));
	image_allocate(image, "WHOLE", 1, 20000, 30000);
	image_allocate(image, "WHOLE", 0, 20000, 30000);
	image_truncate(image, "pieces", 7777);
	image_truncate(image, "WHOLE", 1);
	image_truncate(image, "d/a name that needs more than one entry 3", 5000);
	image_create(image, "d/another name", S_IFDIR | 0755, NULL);
	image_rename(image, "new", "d/A NAME that needs more than one entry 4", 0);
	image_rename(image, "d/another name", "moved", 0);
	image_rename(image, "d/e/f", "up", 0);
	image_rename(image, "d/e", "WHOLE", RENAME_EXCHANGE);
	image_unlink(image, "d/a name that needs more than one entry 5");
	image_unlink(image, "d/ANAMET~1");
	image_unlink(image, "pieces");
	image_unlink(image, "up");
}

const struct fuzz_filesystem fuzz_filesystem = {
	.options = "errors=continue",
	.make = make,
	.fill = fill,
	.disturb = disturb,
};
