/*
 * A module to start from: parameters of several types, functions for other modules, a line in the log.
 *
 *	# modprobe hello times=2 whom=moon
 *	# dmesg | tail -2
 *	# echo 5 > /sys/module/hello/parameters/times
 *	# modprobe hello_user	(which calls it, and so holds it)
 *	# modprobe -r hello_user
 */
#define LOG_PREFIX "hello: "
#include <kumo/module.h>
#include <kumo/printk.h>
#include "hello.h"

static int times = 1;
module_param(times, int, 0644);
MODULE_PARM_DESC(times, "how often to say hello");

static char *whom = "world";
module_param(whom, charp, 0444);
MODULE_PARM_DESC(whom, "whom to greet");

static bool quiet;
module_param(quiet, bool, 0644);
MODULE_PARM_DESC(quiet, "say nothing when loaded and removed");

static int primes[4] = { 2, 3, 5, 7 };
static unsigned int prime_count = 4;
module_param_array(primes, int, &prime_count, 0444);
MODULE_PARM_DESC(primes, "numbers for nothing, to show an array");

static char tag[16] = "sample";
module_param_string(tag, tag, sizeof(tag), 0644);
MODULE_PARM_DESC(tag, "a short text");

int hello_times(void)
{
	return READ_ONCE(times);
}
EXPORT_SYMBOL(hello_times);

void hello_say(const char *to)
{
	for (int i = 0; i < hello_times(); i++)
		pr_info("hello, %s\n", to);
}
EXPORT_SYMBOL(hello_say);

static int __init hello_init(void)
{
	if (times < 0)
		return -EINVAL;
	if (!quiet)
		hello_say(whom);
	return 0;
}

static void __exit hello_exit(void)
{
	if (!quiet)
		pr_info("goodbye, %s\n", whom);
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("a sample: parameters, exports, a line in the log");
MODULE_VERSION("1.0");
