/*
 * What ext4-tool has besides what every filesystem's tool does (tests/images/tool.c):
 *
 *	replay IMAGE                            replays the journal and nothing else
 *	powercut IMAGE SEED COUNT POINTS        power cuts (powercut.c)
 *	logged IMAGE LOG SEED POINTS            power cuts of a guest, whose disk was IMAGE before what LOG says (logged.c)
 *	cut IMAGE LOG SEED POINTS N TO          the disk as it may be at point N of them
 *	stable IMAGE LOG SEED POINTS N CUT      that disk, replayed by somebody, has what it must have
 */
#include <stdio.h>

#include "commands.h"
#include "image.h"
#include "tool.h"

static int replay_main(int count, char **words)
{
	struct image image = {};
	int error = image_open(&image, words[0], tool_options, true);

	if (error)
		fprintf(stderr, "%s: not mounted: error %d\n", words[0], error);
	else
		image_close(&image);
	return error != 0;
}

static const struct tool_command commands[] = {
	{ "replay", replay_main }, { "powercut", powercut_main }, { "logged", logged_main },
	{ "cut", cut_main },	   { "stable", stable_main },	  {},
};
static const char *const checker[] = { "e2fsck", "-fn", NULL };

const struct image_tool image_tool = {
	.type = "ext4",
	.features = TOOL_LINKS | TOOL_SYMLINKS | TOOL_ATTRIBUTES | TOOL_HOLES,
	.checker = checker,
	.commands = commands,
};
