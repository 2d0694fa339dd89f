/* A module that needs another one: it calls hello's functions, so modprobe loads hello first, and hello stays as long as this
 * is loaded. */
#include <kumo/module.h>
#include "../hello/hello.h"

static int __init hello_user_init(void)
{
	hello_say("user");
	return 0;
}

static void __exit hello_user_exit(void)
{
}

module_init(hello_user_init);
module_exit(hello_user_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("a sample that depends on another module");
