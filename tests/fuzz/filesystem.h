/*
 * What the fuzz targets of filesystems have in common (filesystem.c): an input is no image but changes to one of a few good ones, which are
 * made at the start. One byte picks the image, then each 8 bytes are a change: where (32 bits, among the pieces that are not
 * all zeros), how, and 3 bytes of value. The image is mounted, everything in it is looked at and read, and changed, where that can be.
 */
#ifndef TESTS_FUZZ_FILESYSTEM_H
#define TESTS_FUZZ_FILESYSTEM_H

#include "../images/image.h"

#define FUZZ_IMAGES_MAX 8

struct fuzz_filesystem {
	const char *options; /* of mount */
	/* Shell commands that make an image at $image, perhaps of what they put in the folder $folder. Ended by NULL. */
	const char *const *make;
	void (*fill)(struct image *image); /* puts more there, mounted; NULL: nothing can be written */
	const char *in_use; /* with this among its commands an image is taken synced but mounted, as a power cut would leave it; NULL: none */
	void (*disturb)(struct image *image); /* some of everything that changes something; its results do not matter */
};
extern const struct fuzz_filesystem fuzz_filesystem;

#endif
