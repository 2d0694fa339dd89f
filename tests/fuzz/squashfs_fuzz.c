/* Damaged squashfs images, of either compression and of none (filesystem.h). */
#include "../images/tool.h"
#include "filesystem.h"

#include <stddef.h>

const struct image_tool image_tool = { .type = "squashfs" };

/* Some of everything: a file of several blocks, one with a hole, small ones in a fragment, links, a large directory, a pipe. */
#define FOLDER                                                                                                                        \
	"cd $folder && mkdir -p d/e many && head -c 30000 /bin/busybox > blocks && echo small > d/small && "                          \
	"dd if=/bin/busybox of=hole bs=4096 seek=9 count=1 status=none && ln -s d/small link && ln blocks d/again && mkfifo pipe && " \
	"n=$(printf n%.0s $(seq 100)); for i in $(seq 95); do echo $i > many/$n$i; done; rm -f $image; mksquashfs . $image -quiet -no-progress -b 4096 "

static const char *const make[] = {
	FOLDER "-comp gzip -no-xattrs",
	FOLDER "-comp zstd",
	FOLDER "-noI -noD -noF -noX -noId",
	FOLDER "-noI -no-fragments -noId",
	NULL,
};

const struct fuzz_filesystem fuzz_filesystem = { .make = make };
