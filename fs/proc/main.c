/*
 * /proc: the tree "proc". Its root holds what concerns the system (system.c, sysctl.c), a directory for each process
 * (process.c, memory.c, descriptors.c) and links to the reader's own. Formats are Linux's, byte for byte where programs parse
 * them: ps, top, free, uptime, glibc.
 */
#include <kumo/block.h>
#include <kumo/device.h>
#include <kumo/export.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "../../kernel/process.h"
#include "internal.h"

struct pseudo_tree *proc_tree;
EXPORT_SYMBOL(proc_tree);

/* ---- Names that are numbers ---- */

int number_of_name(const struct name *name)
{
	int number = 0;

	if (!name->length || name->length > 9 || (name->text[0] == '0' && name->length > 1))
		return -1;
	for (u32 i = 0; i < name->length; i++) {
		if (name->text[i] < '0' || name->text[i] > '9')
			return -1;
		number = number * 10 + (name->text[i] - '0');
	}
	return number;
}

bool emit_number(struct dir_context *context, unsigned int number, u32 type)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return pseudo_emit(context, text, (u64)number + 1, type);
}

/* ---- A directory for each process ---- */

void thread_object_put(void *object)
{
	thread_put(object);
}

/* What a process that cannot be dumped has belongs to root. */
void thread_object_owner(void *object, u32 *uid, u32 *gid)
{
	struct process *process = ((struct thread *)object)->process;
	const struct cred *cred;

	if (!process->dumpable)
		return;
	cred = process_cred_get(process);
	*uid = cred->euid;
	*gid = cred->egid;
	cred_put(cred);
}

static struct tree_type proc_type;
static const struct pseudo_file process_directory = PSEUDO_DIRECTORY("", 0555, process_files);

/* Threads that are not leaders are found, too, but not listed. */
static void *process_lookup(const struct name *name, void *object, const struct pseudo_file **file)
{
	int number = number_of_name(name);
	struct process *process;
	struct thread *thread;

	if (number <= 0)
		return NULL;
	*file = &process_directory;
	process = process_find(number);
	if (process) {
		thread = process_leader_get(process);
		process_put(process);
		return thread;
	}
	thread = thread_find(number);
	if (thread && !thread->process) {
		thread_put(thread);
		return NULL;
	}
	return thread;
}

struct process *proc_directory_process(struct file *file)
{
	struct process *process;

	if (file->node->tree->type != &proc_type || pseudo_description(file->node) != &process_directory)
		return NULL;
	process = ((struct thread *)pseudo_object(file->node))->process;
	process_get(process);
	return process;
}

static int process_list(struct dir_context *context, void *object)
{
	int number = max((int)context->offset, 1);
	struct process *process;

	for (; (process = process_next(&number)); number++) {
		process_put(process);
		if (!emit_number(context, (unsigned int)number, DT_DIR))
			break;
		cond_resched();
	}
	return 0;
}

static const struct pseudo_dynamic processes = {
	.lookup = process_lookup,
	.list = process_list,
	.put = thread_object_put,
	.owner = thread_object_owner,
};

/* ---- The root ---- */

static int self_target(char *buffer, size_t size, void *unused)
{
	if (!current->process)
		return -ENOENT;
	return scnprintf(buffer, size, "%d", current->process->pid);
}

static int thread_self_target(char *buffer, size_t size, void *unused)
{
	if (!current->process)
		return -ENOENT;
	return scnprintf(buffer, size, "%d/task/%d", current->process->pid, current->pid);
}

static int mounts_target(char *buffer, size_t size, void *unused)
{
	return scnprintf(buffer, size, "self/mounts");
}

static const struct tree_ops kmsg_ops;

static const struct pseudo_file root_files[] = {
	{ .name = "", .dynamic = &processes },
	PSEUDO_LINK("self", self_target),
	PSEUDO_LINK("thread-self", thread_self_target),
	PSEUDO_LINK("mounts", mounts_target),
	PSEUDO_TEXT("cgroups", 0444, cgroups_show),
	PSEUDO_TEXT("cmdline", 0444, cmdline_show),
	PSEUDO_TEXT("consoles", 0444, consoles_show),
	PSEUDO_RECORDS("cpuinfo", 0444, cpuinfo_next),
	PSEUDO_TEXT("devices", 0444, devices_show),
	PSEUDO_TEXT("diskstats", 0444, diskstats_show),
	PSEUDO_TEXT("filesystems", 0444, filesystems_show),
	PSEUDO_RECORDS("interrupts", 0444, interrupts_next),
	PSEUDO_OPS("kmsg", 0400, &kmsg_ops),
	PSEUDO_TEXT("loadavg", 0444, loadavg_show),
	PSEUDO_TEXT("meminfo", 0444, meminfo_show),
	PSEUDO_RECORDS("locks", 0444, locks_next),
	PSEUDO_TEXT("partitions", 0444, partitions_show),
	PSEUDO_RECORDS("slabinfo", 0400, slabinfo_next),
	PSEUDO_TEXT("stat", 0444, stat_show),
	PSEUDO_TEXT("swaps", 0444, swaps_show),
	PSEUDO_DIRECTORY("sys", 0555, sysctl_files),
	PSEUDO_TEXT("uptime", 0444, uptime_show),
	PSEUDO_TEXT("version", 0444, version_show),
	PSEUDO_TEXT("vmstat", 0444, vmstat_show),
	{},
};

/* /proc/kmsg: the log as /dev/kmsg gives it. */
static int kmsg_file_open(struct file *file, const struct cred *cred)
{
	file->private = kmsg_open();
	return file->private ? 0 : -ENOMEM;
}

static void kmsg_file_clunk(struct file *file)
{
	kmsg_close(file->private);
}

static ssize_t kmsg_file_read(struct file *file, struct iter *to, loff_t *pos)
{
	return kmsg_read(file->private, to, file->flags & O_NONBLOCK);
}

static u32 kmsg_file_poll(struct file *file, struct poll_table *table)
{
	return kmsg_poll(file->private, file, table);
}

static const struct tree_ops kmsg_ops = {
	.open = kmsg_file_open,
	.clunk = kmsg_file_clunk,
	.read = kmsg_file_read,
	.poll = kmsg_file_poll,
};

static int proc_attach(struct tree *tree, const struct cred *cred)
{
	tree->magic = PROC_SUPER_MAGIC;
	tree->flags |= TREE_NAMES_FIXED;
	return pseudo_tree_attach(tree, proc_tree);
}

static const struct tree_ops proc_ops = { .attach = proc_attach, PSEUDO_TREE_OPERATIONS };
static struct tree_type proc_type = { .name = "proc",
				      .ops = &proc_ops,
				      .flags = TREE_TYPE_SINGLE | TREE_TYPE_FOR_ALL };

void __init proc_init(void)
{
	proc_tree = pseudo_tree_create(root_files);
	if (!proc_tree || tree_type_register(&proc_type))
		panic("proc: cannot be made");
}
