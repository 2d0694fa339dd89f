/*
 * A module that leaves behind one allocation of each kind, on purpose: tests/leaks.sh sees it reported. Its report is announced
 * as an expected one. Loaded with seen=1 it does nothing but end that, says how many reports there were, and fails.
 */
#define LOG_PREFIX "leaks: "
#include <kumo/kva.h>
#include <kumo/module.h>
#include <kumo/page.h>
#include <kumo/percpu.h>
#include <kumo/report.h>
#include <kumo/slab.h>

static bool seen;
module_param(seen, bool, 0);
MODULE_PARM_DESC(seen, "say how many reports there were since it was loaded without this");

/* Not init's own: the report is made when init's symbols have gone. */
static __noinline bool forgetful(void)
{
	bool all = kmalloc(100, GFP_KERNEL) != NULL;

	all &= kmalloc(20000, GFP_KERNEL) != NULL;
	all &= page_alloc(1, GFP_KERNEL) != NULL;
	all &= vmalloc(5000, GFP_KERNEL) != NULL;
	all &= alloc_percpu(24, 8) != NULL;
	return all;
}

static int __init leaks_init(void)
{
	void *freed;

	if (seen) {
		pr_info("%u reports\n", reports_seen());
		return -ECANCELED;
	}
	reports_expect("leak");
	freed = kmalloc(64, GFP_KERNEL);
	kfree_rcu(freed);
	return forgetful() ? 0 : -ENOMEM;
}

static void __exit leaks_exit(void)
{
}

module_init(leaks_init);
module_exit(leaks_exit);
MODULE_DESCRIPTION("Leaves memory behind, to see it reported");
MODULE_LICENSE("MIT");
