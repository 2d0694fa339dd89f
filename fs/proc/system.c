/* /proc: files about the system as a whole. */
#include <generated/version.h>
#include <kumo/asan.h>
#include <kumo/boot.h>
#include <kumo/irq.h>
#include <kumo/page.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/vm.h>
#include <kumo/writeback.h>

#include "../../kernel/process.h"
#include "internal.h"

#define TICK_NS (NSEC_PER_SEC / 100) /* of USER_HZ */
#define KIB_PER_PAGE (PAGE_SIZE / 1024)

static void cpu_times_add(struct cpu_times *sum, const struct cpu_times *more)
{
	sum->user_ns += more->user_ns;
	sum->nice_ns += more->nice_ns;
	sum->system_ns += more->system_ns;
	sum->idle_ns += more->idle_ns;
	sum->irq_ns += more->irq_ns;
}

/* user nice system idle iowait irq softirq steal guest guest_nice */
static void cpu_times_show(struct text *text, const char *name, const struct cpu_times *times)
{
	text_printf(text, "%s %llu %llu %llu %llu 0 %llu 0 0 0 0\n", name,
		    (unsigned long long)(times->user_ns / TICK_NS),
		    (unsigned long long)(times->nice_ns / TICK_NS),
		    (unsigned long long)(times->system_ns / TICK_NS),
		    (unsigned long long)(times->idle_ns / TICK_NS),
		    (unsigned long long)(times->irq_ns / TICK_NS));
}

int stat_show(struct text *text, void *unused)
{
	u64 boot_ns = time_realtime_ns() - time_monotonic_ns();
	struct cpu_times times, sum = {};
	char name[16];

	for_each_cpu(cpu) {
		sched_cpu_times(cpu, &times);
		cpu_times_add(&sum, &times);
	}
	cpu_times_show(text, "cpu ", &sum);
	for_each_cpu(cpu) {
		sched_cpu_times(cpu, &times);
		snprintf(name, sizeof(name), "cpu%u", cpu);
		cpu_times_show(text, name, &times);
	}
	text_printf(text,
		    "intr %llu\nctxt %llu\nbtime %llu\nprocesses %llu\nprocs_running %u\nprocs_blocked 0\n",
		    (unsigned long long)irq_count_total(), (unsigned long long)sched_switch_count(),
		    (unsigned long long)(boot_ns / NSEC_PER_SEC), (unsigned long long)fork_count(),
		    sched_running_count());
	text_puts(text, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

static void memory_line(struct text *text, const char *name, u64 pages)
{
	text_printf(text, "%-16s%8llu kB\n", name, (unsigned long long)(pages * KIB_PER_PAGE));
}

int meminfo_show(struct text *text, void *unused)
{
	struct memory_info info;

	memory_info(&info);
	memory_line(text, "MemTotal:", info.total_pages);
	memory_line(text, "MemFree:", info.free_pages);
	/* What could be had without harm: free memory and what the page cache can give back. */
	memory_line(text, "MemAvailable:", info.free_pages + info.cached_pages / 2);
	memory_line(text, "Buffers:", 0);
	memory_line(text, "Cached:", info.cached_pages);
	memory_line(text, "SwapCached:", 0);
	memory_line(text, "Active:", info.anon_pages);
	memory_line(text, "Inactive:", info.cached_pages);
	memory_line(text, "SwapTotal:", 0);
	memory_line(text, "SwapFree:", 0);
	memory_line(text, "Dirty:", writeback_pages());
	memory_line(text, "Writeback:", 0);
	memory_line(text, "AnonPages:", info.anon_pages);
	memory_line(text, "Mapped:", 0);
	memory_line(text, "Shmem:", 0);
	memory_line(text, "KReclaimable:", 0);
	memory_line(text, "Slab:", info.slab_pages);
	memory_line(text, "SReclaimable:", 0);
	memory_line(text, "SUnreclaim:", info.slab_pages);
	memory_line(text, "KernelStack:", info.stack_pages);
	memory_line(text, "PageTables:", info.table_pages);
#ifdef CONFIG_DEBUG
	memory_line(text, "Shadow:", asan_cover_pages());
#endif
	memory_line(text, "CommitLimit:", vm_commit_limit());
	memory_line(text, "Committed_AS:", info.anon_pages);
	return 0;
}

/* What procps's vmstat looks for; of what there is no such thing here, nothing has happened. */
int vmstat_show(struct text *text, void *unused)
{
	struct memory_info info;

	memory_info(&info);
	const struct {
		const char *name;
		u64 value;
	} lines[] = {
		{ "nr_free_pages", info.free_pages },
		{ "nr_active_anon", info.anon_pages },
		{ "nr_inactive_file", info.cached_pages },
		{ "nr_anon_pages", info.anon_pages },
		{ "nr_file_pages", info.cached_pages },
		{ "nr_dirty", 0 },
		{ "nr_writeback", 0 },
		{ "nr_slab_reclaimable", 0 },
		{ "nr_slab_unreclaimable", info.slab_pages },
		{ "nr_kernel_stack", info.stack_pages * KIB_PER_PAGE },
		{ "nr_page_table_pages", info.table_pages },
		{ "pgpgin", 0 },
		{ "pgpgout", 0 },
		{ "pswpin", 0 },
		{ "pswpout", 0 },
		{ "pgfault", info.faults },
		{ "pgmajfault", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		text_printf(text, "%s %llu\n", lines[i].name, (unsigned long long)lines[i].value);
	return 0;
}

int slabinfo_next(struct text *text, void *unused, u64 *cursor)
{
	struct slab_cache_info info;

	if (!*cursor)
		text_puts(text, "slabinfo - version: 2.1\n"
				"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
				" : tunables <limit> <batchcount> <sharedfactor>"
				" : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	if (!slab_cache_info((unsigned int)(*cursor)++, &info))
		return 0;
	text_printf(text,
		    "%-17s %6lu %6lu %6u %4u %4u : tunables    0    0    0 : slabdata %6lu %6lu      0\n",
		    info.name, info.active, info.objects, info.object_size, info.objects_per_slab,
		    info.pages_per_slab, info.slabs, info.slabs);
	return 1;
}

#define CPU_TEXT_SIZE 4096

int cpuinfo_next(struct text *text, void *unused, u64 *cursor)
{
	char *buffer;

	if (*cursor >= num_online_cpus())
		return 0;
	buffer = kmalloc(CPU_TEXT_SIZE, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	text_write(text, buffer, arch_describe_cpu((unsigned int)*cursor, buffer, CPU_TEXT_SIZE));
	kfree(buffer);
	return ++*cursor < num_online_cpus();
}

int uptime_show(struct text *text, void *unused)
{
	u64 up_ns = time_monotonic_ns(), idle_ns = 0;
	struct cpu_times times;

	for_each_cpu(cpu) {
		sched_cpu_times(cpu, &times);
		idle_ns += times.idle_ns;
	}
	text_printf(text, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(up_ns / NSEC_PER_SEC),
		    (unsigned long long)(up_ns / TICK_NS % 100),
		    (unsigned long long)(idle_ns / NSEC_PER_SEC),
		    (unsigned long long)(idle_ns / TICK_NS % 100));
	return 0;
}

int loadavg_show(struct text *text, void *unused)
{
	u64 loads[3];

	sched_load_average(loads);
	for (int i = 0; i < 3; i++) {
		u64 hundredths = (loads[i] * 100 + 0x8000) >> 16;

		text_printf(text, "%llu.%02llu ", (unsigned long long)(hundredths / 100),
			    (unsigned long long)(hundredths % 100));
	}
	/* The last number given out is, as a rule, that of the program that reads this. */
	text_printf(text, "%u/%u %d\n", sched_running_count(), process_thread_count(), current->pid);
	return 0;
}

int version_show(struct text *text, void *unused)
{
	text_printf(text, "Linux version %s (kumo@kumo) (gcc %s) %s\n", KUMO_RELEASE, __VERSION__,
		    KUMO_VERSION);
	return 0;
}

int cmdline_show(struct text *text, void *unused)
{
	text_printf(text, "%s\n", boot_info.command_line);
	return 0;
}

#define INTERRUPT_LINE_SIZE 1024

int interrupts_next(struct text *text, void *unused, u64 *cursor)
{
	char *line;
	int length;

	if (!*cursor) {
		text_puts(text, "    ");
		for_each_cpu(cpu)
			text_printf(text, "       CPU%-4u", cpu);
		text_putc(text, '\n');
	}
	line = kmalloc(INTERRUPT_LINE_SIZE, GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	length = irq_describe((unsigned int)*cursor, line, INTERRUPT_LINE_SIZE);
	if (length > 0)
		text_write(text, line, (size_t)length);
	kfree(line);
	++*cursor;
	return length >= 0;
}

static bool filesystem_show(const struct tree_type *type, void *context)
{
	text_printf(context, "%s\t%s\n", type->flags & TREE_TYPE_NEEDS_DEVICE ? "" : "nodev",
		    type->name);
	return true;
}

int filesystems_show(struct text *text, void *unused)
{
	tree_types_each(filesystem_show, text);
	return 0;
}

int locks_next(struct text *text, void *unused, u64 *cursor)
{
	char line[FILE_LOCK_LINE_SIZE];
	int length = file_lock_describe(*cursor, line, sizeof(line));

	text_write(text, line, (size_t)length);
	++*cursor;
	return length > 0;
}

int swaps_show(struct text *text, void *unused)
{
	text_puts(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

/* No controllers: all processes are in the one group. */
int cgroups_show(struct text *text, void *unused)
{
	text_puts(text, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	return 0;
}

/* Those that the log goes to; W: it can be written. */
int consoles_show(struct text *text, void *unused)
{
	char name[16];

	for (unsigned int i = 0; console_name(i, name); i++)
		text_printf(text, "%-20s -W- (E%c  p  )\n", name, i ? ' ' : 'C');
	return 0;
}
