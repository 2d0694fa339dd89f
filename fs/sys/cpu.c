/*
 * /sys/devices/system: the processors and the one memory node, as glibc (sysconf), nproc, lscpu, numactl and language
 * runtimes read them. Every processor is a core of its own in the one package, as /proc/cpuinfo says, too.
 */
#define LOG_PREFIX "sysfs: "
#include <kumo/page.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/string.h>

#include "internal.h"

#define MASK_BITS 32 /* a word of a mask in text */

/* ---- Sets of processors ---- */

/* [first, end) as a list: "0-3", "2", or "" for none. */
static void show_list(struct text *text, unsigned int first, unsigned int end)
{
	if (first + 1 < end)
		text_printf(text, "%u-%u", first, end - 1);
	else if (first < end)
		text_printf(text, "%u", first);
	text_putc(text, '\n');
}

/* [first, end) as a mask as wide as there are processors: "f", "3,ffffffff". */
static void show_mask(struct text *text, unsigned int first, unsigned int end)
{
	unsigned int width = num_online_cpus(), words = DIV_ROUND_UP(width, MASK_BITS);

	for (unsigned int word = words; word--;) {
		u32 bits = 0;
		int digits = word + 1 == words ? (int)DIV_ROUND_UP(width - word * MASK_BITS, 4) : 8;

		for (unsigned int i = 0; i < MASK_BITS; i++)
			if (word * MASK_BITS + i >= first && word * MASK_BITS + i < end)
				bits |= 1U << i;
		text_printf(text, word ? "%0*x," : "%0*x\n", digits, bits);
	}
}

static int all_list_show(struct text *text, void *unused)
{
	show_list(text, 0, num_online_cpus());
	return 0;
}

static int all_mask_show(struct text *text, void *unused)
{
	show_mask(text, 0, num_online_cpus());
	return 0;
}

static int none_show(struct text *text, void *unused)
{
	text_putc(text, '\n');
	return 0;
}

static int kernel_max_show(struct text *text, void *unused)
{
	text_printf(text, "%d\n", MAX_CPUS - 1);
	return 0;
}

static const struct pseudo_file cpus_files[] = {
	PSEUDO_TEXT("isolated", 0444, none_show),
	PSEUDO_TEXT("kernel_max", 0444, kernel_max_show),
	PSEUDO_TEXT("offline", 0444, none_show),
	PSEUDO_TEXT("online", 0444, all_list_show),
	PSEUDO_TEXT("possible", 0444, all_list_show),
	PSEUDO_TEXT("present", 0444, all_list_show),
	{},
};

/* ---- A processor; the object of its directories is its number plus one ---- */

static void *cpu_object(unsigned int cpu)
{
	return (void *)(unsigned long)(cpu + 1);
}

static unsigned int object_cpu(void *object)
{
	return (unsigned int)(unsigned long)object - 1;
}

static int zero_show(struct text *text, void *unused)
{
	text_puts(text, "0\n");
	return 0;
}

static int core_show(struct text *text, void *object)
{
	text_printf(text, "%u\n", object_cpu(object));
	return 0;
}

static int own_list_show(struct text *text, void *object)
{
	show_list(text, object_cpu(object), object_cpu(object) + 1);
	return 0;
}

static int own_mask_show(struct text *text, void *object)
{
	show_mask(text, object_cpu(object), object_cpu(object) + 1);
	return 0;
}

static const struct pseudo_file topology_files[] = {
	PSEUDO_TEXT("core_cpus", 0444, own_mask_show),
	PSEUDO_TEXT("core_cpus_list", 0444, own_list_show),
	PSEUDO_TEXT("core_id", 0444, core_show),
	PSEUDO_TEXT("core_siblings", 0444, all_mask_show),
	PSEUDO_TEXT("core_siblings_list", 0444, all_list_show),
	PSEUDO_TEXT("die_cpus", 0444, all_mask_show),
	PSEUDO_TEXT("die_cpus_list", 0444, all_list_show),
	PSEUDO_TEXT("die_id", 0444, zero_show),
	PSEUDO_TEXT("package_cpus", 0444, all_mask_show),
	PSEUDO_TEXT("package_cpus_list", 0444, all_list_show),
	PSEUDO_TEXT("physical_package_id", 0444, zero_show),
	PSEUDO_TEXT("thread_siblings", 0444, own_mask_show),
	PSEUDO_TEXT("thread_siblings_list", 0444, own_list_show),
	{},
};

static const struct pseudo_file cpu_files[] = {
	PSEUDO_DIRECTORY("topology", 0555, topology_files),
	{},
};

/* ---- The memory node ---- */

static void node_line(struct text *text, const char *name, u64 pages)
{
	text_printf(text, "Node 0 %-15s%8llu kB\n", name,
		    (unsigned long long)(pages * (PAGE_SIZE / KIB)));
}

static int node_memory_show(struct text *text, void *unused)
{
	struct memory_info info;

	memory_info(&info);
	node_line(text, "MemTotal:", info.total_pages);
	node_line(text, "MemFree:", info.free_pages);
	node_line(text, "MemUsed:", info.total_pages - info.free_pages);
	node_line(text, "FilePages:", info.cached_pages);
	node_line(text, "AnonPages:", info.anon_pages);
	node_line(text, "KernelStack:", info.stack_pages);
	node_line(text, "PageTables:", info.table_pages);
	node_line(text, "Slab:", info.slab_pages);
	return 0;
}

static int distance_show(struct text *text, void *unused)
{
	text_puts(text, "10\n"); /* to itself (ACPI, SLIT) */
	return 0;
}

static const struct pseudo_file node_files[] = {
	PSEUDO_TEXT("cpulist", 0444, all_list_show),
	PSEUDO_TEXT("cpumap", 0444, all_mask_show),
	PSEUDO_TEXT("distance", 0444, distance_show),
	PSEUDO_TEXT("meminfo", 0444, node_memory_show),
	{},
};

static const struct pseudo_file nodes_files[] = {
	PSEUDO_TEXT("has_cpu", 0444, zero_show),
	PSEUDO_TEXT("has_memory", 0444, zero_show),
	PSEUDO_TEXT("has_normal_memory", 0444, zero_show),
	PSEUDO_DIRECTORY("node0", 0555, node_files),
	PSEUDO_TEXT("online", 0444, zero_show),
	PSEUDO_TEXT("possible", 0444, zero_show),
	{},
};

void __init sys_cpu_init(void)
{
	struct pseudo_directory *system = pseudo_directory_path(sys_tree, "devices/system"), *cpus;
	bool failed = !system;
	char name[16];

	if (!failed)
		failed = IS_ERR(pseudo_directory_add(sys_tree, system, "node", nodes_files, NULL));
	cpus = failed ? NULL : pseudo_directory_add(sys_tree, system, "cpu", cpus_files, NULL);
	failed = IS_ERR_OR_NULL(cpus);
	for_each_cpu(cpu) {
		snprintf(name, sizeof(name), "cpu%u", cpu);
		if (!failed)
			failed = IS_ERR(pseudo_directory_add(sys_tree, cpus, name, cpu_files,
							     cpu_object(cpu)));
	}
	if (failed)
		pr_err("no memory for devices/system\n");
}
