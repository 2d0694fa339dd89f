/* A module that takes a while to come: a character device, 120:0, that is there when its init has slept. tests/host/autoload.sh */
#include <kumo/device.h>
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/time.h>

enum { INIT_NS = 500 * 1000 * 1000, MAJOR = 120 };

static ssize_t coming_read(struct file *file, struct iter *to, loff_t *pos)
{
	return 0;
}

static const struct tree_ops coming_ops = { .read = coming_read };

static struct char_device device = { .mode = 0444, .ops = &coming_ops, .owner = THIS_MODULE };

static int __init coming_init(void)
{
	sleep_ns(INIT_NS);
	device.number = device_make(MAJOR, 0);
	return char_device_register(&device);
}

static void __exit coming_exit(void)
{
	char_device_unregister(&device);
}

module_init(coming_init);
module_exit(coming_exit);
MODULE_ALIAS("char-major-120-0");
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("a device whose module takes a while to come");
