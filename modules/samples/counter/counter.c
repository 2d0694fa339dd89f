/*
 * The smallest component that serves a tree of its own: a counter that a shell can drive.
 *
 *	# mount -t counter none /n
 *	# cat /n/value
 *	0
 *	# echo add 5 > /n/ctl
 *	# cat /n/value
 *	5
 *
 * `mount -t` finds the module by its alias. While it is mounted the module is in use, and rmmod says so.
 */
#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/pseudo.h>
#include <kumo/rebind.h>
#include <kumo/string.h>

static struct mutex lock = MUTEX_INIT(lock, "counter"); /* protects value */
static s64 value;

static int value_show(struct text *text, void *object)
{
	mutex_lock(&lock);
	text_printf(text, "%lld\n", (long long)value);
	mutex_unlock(&lock);
	return 0;
}

/* ctl takes a line: "add N" or "set N". */
static int control(const char *words, size_t length, void *object, const struct cred *cred)
{
	bool add = !strncmp(words, "add ", 4);
	s64 number;
	int error;

	if (!add && strncmp(words, "set ", 4))
		return -EINVAL;
	error = parse_s64(words + 4, 10, &number);
	if (error)
		return error;
	mutex_lock(&lock);
	value = add ? value + number : number;
	mutex_unlock(&lock);
	return 0;
}

static const struct pseudo_file root_files[] = {
	PSEUDO_TEXT("value", 0444, value_show),
	PSEUDO_CONTROL("ctl", 0200, NULL, control),
	{},
};

static struct pseudo_tree *counter_tree;

/* Another instance, of a newer module perhaps, goes on with the value: echo replace > /sys/fs/mounts/ID/ctl. */
#define LAYOUT "counter 1"

static int counter_handover(struct tree *tree, struct handover *handover)
{
	*handover = (struct handover){ .layout = LAYOUT, .state = &value };
	return 0;
}

static int counter_attach(struct tree *tree, const struct cred *cred)
{
	struct handover *left = tree->handover;

	if (left && strcmp(left->layout, LAYOUT))
		return -EINVAL;
	if (left) {
		mutex_lock(&lock);
		value = *(const s64 *)left->state;
		mutex_unlock(&lock);
	}
	return pseudo_tree_attach(tree, counter_tree);
}

static const struct tree_ops counter_ops = { PSEUDO_TREE_OPERATIONS, .attach = counter_attach,
					     .handover = counter_handover };

static struct tree_type counter_type = { .name = "counter", .ops = &counter_ops, .owner = THIS_MODULE };

static int __init counter_init(void)
{
	int error;

	counter_tree = pseudo_tree_create(root_files);
	if (!counter_tree)
		return -ENOMEM;
	error = tree_type_register(&counter_type);
	if (error)
		pseudo_tree_destroy(counter_tree);
	return error;
}

static void __exit counter_exit(void)
{
	tree_type_unregister(&counter_type);
	pseudo_tree_destroy(counter_tree);
}

module_init(counter_init);
module_exit(counter_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("sample: a tree with a counter and a control file");
MODULE_ALIAS("fs-counter");
