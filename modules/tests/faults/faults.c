/*
 * Faults after which the machine cannot go on, made on purpose for tests/host/faults.sh: `modprobe faults fault=stack` runs out of
 * its kernel stack, `fault=list` removes an entry from a list whose links contradict each other (the debug build looks).
 */
#include <kumo/err.h>
#include <kumo/list.h>
#include <kumo/module.h>
#include <kumo/string.h>

static char *fault = "";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "stack or list");

static volatile unsigned int depth_limit = ~0U;

static __noinline unsigned int run_deep(unsigned int depth)
{
	volatile char frame[256];

	if (depth == depth_limit)
		return 0;
	frame[0] = (char)depth;
	return run_deep(depth + 1) + (unsigned int)frame[0];
}

static void damage_list(void)
{
	struct list head = LIST_INIT(head), entry;

	list_add(&head, &entry);
	head.next = &head;
	list_del(&entry);
}

static int __init faults_init(void)
{
	if (!strcmp(fault, "stack"))
		return (int)run_deep(0);
	if (!strcmp(fault, "list")) {
		damage_list();
		return 0;
	}
	return -EINVAL;
}
module_init(faults_init);

MODULE_DESCRIPTION("faults on purpose, for a test");
MODULE_LICENSE("MIT");
