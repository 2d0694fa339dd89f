/* What squashfs-tool is (tests/images/tool.c). */
#include "tool.h"

const struct image_tool image_tool = { .type = "squashfs" };
