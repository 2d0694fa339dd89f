/*
 * Checks of kernel stacks, in the debug build: how deep each was, and whether a function wrote beyond its frame.
 *
 * /sys/kernel/debug/stacks: a line `deepest USED of SIZE: NAME (PID)` for the deepest that was ever looked at, then a line
 * `USED LEFT PID NAME` for each thread. Stacks are looked at when their thread goes, and when the file is read. A function may
 * leave parts of its frame unwritten, so that a little more may have been used than is seen.
 *
 * A stack that runs out of its room meets the page below, which is never mapped: double_fault_dispatch() names it.
 */
#include <kumo/stack_check.h>
#ifdef CONFIG_DEBUG
#define LOG_PREFIX "stack: "
#include <kumo/arch/irqflags.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/string.h>
#include <kumo/asan.h>
#include <kumo/export.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/report.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include <kumo/thread.h>

#define FILL_WORD 0x57ac0f0057ac0f00ULL
#define LEAST_LEFT 1024 /* bytes that a thread should not have used */
#define OWN_FRAMES 256	/* bytes that stack_watch() itself may use */

/* What a thread's stack has come to. */
struct depth {
	size_t used;
	int pid;
	char name[sizeof(((struct thread *)0)->name)];
};

/*
 * gcc has each function with an array keep this word between its variables and its return address, and compare it at the
 * end. A constant, since it shall find faults, not attackers: so it is right from the first instruction on. A string's end does
 * not pass for its first byte.
 */
unsigned long __stack_chk_guard = 0xc5a9e37162bd4800UL;
EXPORT_SYMBOL(__stack_chk_guard);

static spinlock_t watched_lock = SPINLOCK_INIT("stack_watch"); /* both below; interrupts off */
static struct list watched = LIST_INIT(watched);
static struct depth deepest;

/* Not checked, as the frames on it have poisoned parts. */
__no_asan size_t stack_unused(const struct thread *thread)
{
	const u64 *words = thread->stack;
	size_t unused = 0;

	while (unused < THREAD_STACK_SIZE / sizeof(*words) && READ_ONCE(words[unused]) == FILL_WORD)
		unused++;
	return unused * sizeof(*words);
}
EXPORT_SYMBOL(stack_unused);

void stack_watch(struct thread *thread)
{
	unsigned long flags = local_irq_save();
	char *end = (char *)thread->stack + THREAD_STACK_SIZE;

	if (thread == current)
		end = (char *)ALIGN_DOWN((unsigned long)__builtin_frame_address(0) - OWN_FRAMES, 8);
	words_fill(thread->stack, FILL_WORD, (size_t)(end - (char *)thread->stack) / 8);
	spin_lock(&watched_lock);
	list_add_tail(&watched, &thread->watch_link);
	spin_unlock(&watched_lock);
	local_irq_restore(flags);
}

/* With watched_lock held. */
static struct depth look_at(const struct thread *thread)
{
	struct depth depth = { .used = THREAD_STACK_SIZE - stack_unused(thread), .pid = thread->pid };

	strscpy(depth.name, thread->name, sizeof(depth.name));
	if (depth.used > deepest.used)
		deepest = depth;
	return depth;
}

void stack_unwatch(struct thread *thread)
{
	unsigned long flags = spin_lock_irqsave(&watched_lock);
	struct depth depth = look_at(thread);

	list_del(&thread->watch_link);
	spin_unlock_irqrestore(&watched_lock, flags);
	if (THREAD_STACK_SIZE - depth.used < LEAST_LEFT &&
	    report_begin("stack", "thread %d (%s) left %zu of %u bytes unused", depth.pid,
			 depth.name, THREAD_STACK_SIZE - depth.used, THREAD_STACK_SIZE))
		report_end();
}

/* The thread at place `number` of the list, from 0. False: there are not so many. */
static bool depth_at(u64 number, struct depth *depth)
{
	unsigned long flags = spin_lock_irqsave(&watched_lock);
	struct thread *thread;
	bool found = false;

	list_for_each(thread, &watched, watch_link) {
		if (number--)
			continue;
		*depth = look_at(thread);
		found = true;
		break;
	}
	spin_unlock_irqrestore(&watched_lock, flags);
	return found;
}

/* The cursor: 0, then the number of the next thread plus 1. While threads come and go one may be missed. */
static int stacks_next(struct text *text, void *unused, u64 *cursor)
{
	struct depth depth;
	unsigned long flags;

	if (!*cursor) {
		for (u64 i = 0; depth_at(i, &depth); i++)
			;
		flags = spin_lock_irqsave(&watched_lock);
		depth = deepest;
		spin_unlock_irqrestore(&watched_lock, flags);
		text_printf(text, "deepest %zu of %u: %s (%d)\n", depth.used, THREAD_STACK_SIZE,
			    depth.name, depth.pid);
	} else if (depth_at(*cursor - 1, &depth)) {
		text_printf(text, "%zu %zu %d %s\n", depth.used, THREAD_STACK_SIZE - depth.used,
			    depth.pid, depth.name);
	} else {
		return 0;
	}
	++*cursor;
	return 1;
}

static const struct pseudo_file stacks_file = PSEUDO_RECORDS("stacks", 0400, stacks_next);

void __init stack_check_init(void)
{
	struct pseudo_directory *directory = pseudo_directory_path(sys_tree, "kernel/debug");

	if (!directory || pseudo_file_add(directory, &stacks_file, NULL))
		pr_err("no memory for /sys/kernel/debug/stacks\n");
}
#endif
