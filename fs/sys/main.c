/*
 * /sys: the tree "sysfs". All of it is added by those whose state it shows (pseudo_directory_path, pseudo_directory_add):
 * loaded modules, buses and their devices, classes of devices, self-tests. This file makes the places that everyone
 * expects to be there, and what the kernel says about itself.
 */
#include <kumo/export.h>
#include <generated/version.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/syscalls.h>
#include <linux/magic.h>

#include "internal.h"

struct pseudo_tree *sys_tree;
EXPORT_SYMBOL(sys_tree);

static const char *const places[] = {
	"block",     "bus",	 "class/block",		  "class/net",
	"dev/block", "dev/char", "devices/virtual/block", "firmware",
	"fs/cgroup", "kernel",	 "kernel/mm/hugepages",	  "module",
	"power",
};

/* /sys/kernel/mm/transparent_hugepage/enabled: programs get pages of 4 KiB. */
static int huge_pages_show(struct text *text, void *unused)
{
	text_puts(text, "always madvise [never]\n");
	return 0;
}

static const struct pseudo_file huge_page_files[] = {
	PSEUDO_TEXT("defrag", 0444, huge_pages_show),
	PSEUDO_TEXT("enabled", 0444, huge_pages_show),
	{},
};

/* /sys/kernel/missing_calls: the system calls that programs tried and Kumo does not have, "name times". */
static int missing_calls_show(struct text *text, void *unused)
{
	for (unsigned int number = 0; number < syscall_count(); number++) {
		const char *name = syscall_name(number);
		u64 times = name ? syscall_missed(number) : 0;

		if (times)
			text_printf(text, "%s %llu\n", name, (unsigned long long)times);
	}
	return 0;
}

static const struct pseudo_file missing_calls = PSEUDO_TEXT("missing_calls", 0444, missing_calls_show);

static int sys_attach(struct tree *tree, const struct cred *cred)
{
	tree->magic = SYSFS_MAGIC;
	return pseudo_tree_attach(tree, sys_tree);
}

static const struct tree_ops sys_ops = { .attach = sys_attach, PSEUDO_TREE_OPERATIONS };
static struct tree_type sys_type = { .name = "sysfs",
				     .ops = &sys_ops,
				     .flags = TREE_TYPE_SINGLE | TREE_TYPE_FOR_ALL };
static const struct pseudo_file no_files[] = { {} };

void __init sys_init(void)
{
	sys_tree = pseudo_tree_create(no_files);
	if (!sys_tree || tree_type_register(&sys_type))
		panic("sysfs: cannot be made");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!pseudo_directory_path(sys_tree, places[i]))
			panic("sysfs: cannot be made");
	if (pseudo_file_add(pseudo_directory_path(sys_tree, "kernel"), &missing_calls, NULL))
		pr_err("sysfs: no memory for kernel/missing_calls\n");
	if (IS_ERR(pseudo_directory_add(sys_tree, pseudo_directory_path(sys_tree, "kernel/mm"),
					"transparent_hugepage", huge_page_files, NULL)))
		pr_err("sysfs: no memory for kernel/mm/transparent_hugepage\n");
	sys_cpu_init();
	tree_control_init();
}
