/* What vfat-tool is (tests/images/tool.c). */
#include "tool.h"

#include <stddef.h>

static const char *const checker[] = { "fsck.vfat", "-n", NULL };

const struct image_tool image_tool = {
	.type = "vfat",
	.features = TOOL_FOLDS_CASE,
	.checker = checker,
};
