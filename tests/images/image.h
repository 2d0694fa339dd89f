/*
 * Files of an image, for tests of modules/fs on the host: what the core's system calls would do, by path, without caches. All
 * give 0 (or a count) or a negative errno. Which filesystem it is says the program (tool.h).
 */
#ifndef TESTS_IMAGES_IMAGE_H
#define TESTS_IMAGES_IMAGE_H

#include <environment.h>
#include <stdint.h>

struct image {
	int fd;
	struct block_device *device;
	struct tree *tree;
	const char *path;
};

extern const char *image_type; /* of those that the module has; NULL: the one that it is called by */
int image_open(struct image *image, const char *path, const char *options, bool read_only);
void image_close(struct image *image);

struct node *image_node(struct image *image, const char *path); /* referenced; ERR_PTR */
int image_create(struct image *image, const char *path, u32 mode, const char *target);
int image_link(struct image *image, const char *from, const char *to);
int image_unlink(struct image *image, const char *path);
int image_rename(struct image *image, const char *from, const char *to, unsigned int flags);
ssize_t image_read_node(struct node *node, u64 offset, void *data, size_t size);
ssize_t image_read(struct image *image, const char *path, u64 offset, void *data, size_t size);
ssize_t image_write(struct image *image, const char *path, u64 offset, const void *data, size_t size);
int image_truncate(struct image *image, const char *path, u64 size);
int image_chmod(struct image *image, const char *path, u32 mode);
int image_allocate(struct image *image, const char *path, int mode, u64 offset, u64 length);
int image_fsync(struct image *image, const char *path);
int image_set_attribute(struct image *image, const char *path, const char *name, const void *value,
			size_t size);
ssize_t image_get_attribute(struct image *image, const char *path, const char *name, void *value,
			    size_t size);
int image_sync(struct image *image);

/* Calls each() for every name in a directory; -ENOMEM and what readdir gives. */
int image_list(struct image *image, const char *path,
	       void (*each)(void *context, const char *name, u64 number), void *context);

/* tool.c's commands that have files of their own. */
int random_main(int count, char **words);
int script_main(struct image *image, const char *path);

/* A generator of numbers that repeats. */
u32 random_number(u64 *state, u32 below);
/* Runs the filesystem's checker; its status. */
int check_image(const char *path);

#endif
