/* The module that is inserted and removed in Kumo and in Linux alike: this source serves both. */
#if __has_include(<kumo/module.h>)
#include <kumo/module.h>
#else
#include <linux/module.h>
#endif

static int times = 1;
module_param(times, int, 0644);
MODULE_PARM_DESC(times, "how often to greet");

int hello_times(void);
int hello_times(void)
{
	return times;
}
EXPORT_SYMBOL(hello_times);

static int __init hello_init(void)
{
	return 0;
}

static void __exit hello_exit(void)
{
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A parameter, an export, and nothing else");
