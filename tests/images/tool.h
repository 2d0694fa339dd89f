/* What one filesystem's tool has that others do not: defined once by each program that links the files of this folder. */
#ifndef TESTS_IMAGES_TOOL_H
#define TESTS_IMAGES_TOOL_H

#include <stdint.h>

/* What random.c may ask of the filesystem. */
enum {
	TOOL_LINKS = 1, /* hard ones */
	TOOL_SYMLINKS = 2,
	TOOL_ATTRIBUTES = 4, /* extended ones */
	TOOL_HOLES = 8,	     /* fallocate(2) knows them, too */
	TOOL_FOLDS_CASE = 16 /* names are the same whatever the case of their letters */
};

struct tool_command {
	const char *name;
	int (*main)(int count, char **words); /* the words from the image on */
};

struct image_tool {
	const char *type;
	unsigned int features; /* TOOL_* */
	const char *const *checker; /* the words of a command that looks at an image, whose path follows; NULL: none */
	const struct tool_command *commands; /* of its own; ended by a name of NULL. NULL: none */
};
extern const struct image_tool image_tool;

/* Options of the command line. */
extern const char *tool_options;

#endif
