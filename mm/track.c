/*
 * Allocation tracks: who allocated what lives, for reports and for the leak checker.
 *
 * Slab objects and kmalloc, pages, kernel virtual areas and per-CPU blocks each have a struct track, kept by their allocator
 * where the object cannot reach it, dead for all but this file and the slabs. All allocations of one backtrace are counted with that backtrace (stack_usage), so that
 * neither the leak checker nor the list of what lives has to look for objects. Each belongs to an owner: the innermost module
 * in its backtrace, else the kernel.
 *
 * What the core keeps for everybody, and only happened to be made first when a module called, must not be taken for the
 * module's: such allocations say GFP_CORE (cached names and nodes, page tables of programs, worker threads). Parts
 * of what is tracked as a whole say GFP_UNTRACKED, and so do the tables of kernel addresses, which never go. What is freed after a grace period is waited for.
 *
 * /sys/kernel/debug/allocations: what lives. First a line for each owner, "NAME COUNT BYTES", then an empty line and the
 * backtraces by owner: "NAME COUNT BYTES" again and a line for each address.
 */
#ifdef CONFIG_DEBUG
#define LOG_PREFIX "track: "
#include <kumo/export.h>
#include <kumo/kallsyms.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/rcu.h>
#include <kumo/report.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>
#include <kumo/stack_depot.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/track.h>

#define OWNERS 1024
#define REPORTED_STACKS 16
#define PATIENCE_ROUNDS 20
#define PATIENCE_STEP_NS (10 * NSEC_PER_MSEC)

struct track_owner {
	char name[MODULE_NAME_LEN];
	long count, bytes; /* what lives; changed atomically */
};

static struct track_owner owners[OWNERS] = { { .name = "kernel" }, { .name = "(others)" } };
static unsigned int owner_count = 2;
static spinlock_t owners_lock = SPINLOCK_INIT("track_owners"); /* owner_count and names; interrupts off */

/* ---- Counting ---- */

static void account(u32 stack, long count, long bytes)
{
	struct track_owner *owner = &owners[stack_owner(stack)];
	struct stack_usage *usage = stack_usage(stack);

	__atomic_fetch_add(&usage->count, count, __ATOMIC_RELAXED);
	__atomic_fetch_add(&usage->bytes, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&owner->count, count, __ATOMIC_RELAXED);
	__atomic_fetch_add(&owner->bytes, bytes, __ATOMIC_RELAXED);
}

void track_allocated(struct track *track, size_t size, unsigned int gfp)
{
	track->live = !(gfp & GFP_UNTRACKED);
	if (!track->live)
		return;
	track->alloc_stack = gfp & GFP_CORE ? stack_save_core() : stack_save();
	track->free_stack = 0;
	track->pid = current ? current->pid : 0;
	track->size = size;
	track->time_ns = arch_clock_ns();
	account(track->alloc_stack, 1, (long)size);
}

void track_freed(struct track *track)
{
	if (!track->live)
		return;
	track->live = false;
	track->free_stack = stack_save();
	track->time_ns = arch_clock_ns();
	account(track->alloc_stack, -1, -(long)track->size);
}

void track_print(const struct track *track)
{
	u64 ago_ms = (arch_clock_ns() - track->time_ns) / NSEC_PER_MSEC;

	if (!track->alloc_stack)
		return;
	report_line("%zu bytes allocated by thread %d%s", track->size, track->pid,
		    track->live ? "" : ":");
	stack_print(track->alloc_stack);
	if (!track->live) {
		report_line("freed %llu ms ago:", (unsigned long long)ago_ms);
		stack_print(track->free_stack);
	}
}

/* ---- Owners ---- */

unsigned int track_owner(const char *name)
{
	unsigned long flags = spin_lock_irqsave(&owners_lock);
	unsigned int owner;

	for (owner = 0; owner < owner_count; owner++)
		if (!strcmp(owners[owner].name, name))
			break;
	if (owner == owner_count) {
		if (owner_count < OWNERS)
			strscpy(owners[owner_count++].name, name, sizeof(owners[0].name));
		else
			owner = 1;
	}
	spin_unlock_irqrestore(&owners_lock, flags);
	return owner;
}
EXPORT_SYMBOL(track_owner);

/* What the owner left, beyond what was reported before. */
static long leaks_count(unsigned int owner, long *bytes)
{
	long count = 0;
	u32 stack = 0;

	*bytes = 0;
	do {
		struct stack_usage *usage = stack_usage(stack);

		if (stack_owner(stack) != owner)
			continue;
		usage->reported = min(usage->reported, usage->count); /* others were freed since */
		if (usage->count <= usage->reported)
			continue;
		count += usage->count - usage->reported;
		*bytes += usage->bytes;
	} while (stack_next(&stack));
	return count;
}

static void leaks_report(unsigned int owner, long count, long bytes)
{
	unsigned int shown = 0;
	u32 stack = 0;
	bool reporting = report_begin("leak", "module %s left %ld allocations, %ld bytes",
				      owners[owner].name, count, bytes);

	do {
		struct stack_usage *usage = stack_usage(stack);

		if (stack_owner(stack) != owner || usage->count <= usage->reported)
			continue;
		if (reporting && shown++ < REPORTED_STACKS) {
			report_line("%ld allocations, %ld bytes, made here:",
				    usage->count - usage->reported, usage->bytes);
			stack_print(stack);
		}
		usage->reported = usage->count;
	} while (stack_next(&stack));
	if (!reporting)
		return;
	if (shown > REPORTED_STACKS)
		report_line("and from %u other places", shown - REPORTED_STACKS);
	report_end();
}

void track_check_leaks(unsigned int owner)
{
	long count, bytes;

	for (unsigned int round = 0; (count = leaks_count(owner, &bytes)); round++) {
		if (round == PATIENCE_ROUNDS) {
			leaks_report(owner, count, bytes);
			return;
		}
		/* kfree_rcu() takes two grace periods, and what is freed after one may in turn free after another. A thread
		 * that has ended is released by the scheduler of its CPU. */
		rcu_barrier();
		if (round > 2)
			sleep_ns(PATIENCE_STEP_NS);
	}
}
EXPORT_SYMBOL(track_check_leaks);

/* ---- The list ---- */

/* One backtrace; nothing when nothing of it lives. */
static void show_stack(struct text *text, unsigned int owner, u32 stack)
{
	unsigned long addresses[STACK_DEPTH];
	char symbol[KALLSYMS_TEXT_SIZE];
	const struct stack_usage *usage = stack_usage(stack);
	unsigned int depth;

	if (stack_owner(stack) != owner || usage->count <= 0)
		return;
	text_printf(text, "%s %ld %ld\n", owners[owner].name, usage->count, usage->bytes);
	depth = stack_addresses(stack, addresses);
	for (unsigned int i = 0; i < depth; i++) {
		kallsyms_format(symbol, sizeof(symbol), addresses[i], true);
		text_printf(text, "  %s\n", symbol);
	}
}

static void show_owners(struct text *text)
{
	for (unsigned int owner = 0; owner < READ_ONCE(owner_count); owner++)
		if (owners[owner].count)
			text_printf(text, "%s %ld %ld\n", owners[owner].name, owners[owner].count,
				    owners[owner].bytes);
	text_putc(text, '\n');
}

/* The cursor: 0, then owner + 1 in the upper half and the next stack in the lower. */
static int allocations_next(struct text *text, void *unused, u64 *cursor)
{
	unsigned int owner = (unsigned int)(*cursor >> 32) - 1;
	size_t length = text->length;
	u32 stack = (u32)*cursor;

	if (!*cursor) {
		show_owners(text);
		*cursor = 1ULL << 32;
		return 1;
	}
	if (owner >= READ_ONCE(owner_count))
		return 0;
	if (owners[owner].count) {
		show_stack(text, owner, stack);
		while (stack_next(&stack)) {
			*cursor = (u64)(owner + 1) << 32 | stack;
			if (text->length > length)
				return 1;
			show_stack(text, owner, stack);
			cond_resched();
		}
	}
	*cursor = (u64)(owner + 2) << 32;
	return 1;
}

static const struct pseudo_file allocations_file =
	PSEUDO_RECORDS("allocations", 0400, allocations_next);

void __init track_init(void)
{
	struct pseudo_directory *directory = pseudo_directory_path(sys_tree, "kernel/debug");

	if (!directory || pseudo_file_add(directory, &allocations_file, NULL))
		pr_err("no memory for /sys/kernel/debug/allocations\n");
}
#endif
