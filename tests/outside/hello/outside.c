/* A module outside the tree, built with `make M=tests/outside/hello`; the result lies beside its source. */
#define LOG_PREFIX "outside: "
#include <kumo/module.h>
#include <kumo/printk.h>

static char *text = "from outside the tree";
module_param(text, charp, 0644);
MODULE_PARM_DESC(text, "what to say");

static int __init outside_init(void)
{
	pr_info("%s\n", text);
	return 0;
}

static void __exit outside_exit(void)
{
}

module_init(outside_init);
module_exit(outside_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("a module outside the tree");
