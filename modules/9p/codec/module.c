/* The codec as a module: what client and server have in common, loaded with the first of them. */
#include <kumo/module.h>

MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("9P messages between memory and the wire");
