/*
 * Out of memory: the process that holds the most goes (its oom_score_adj adds to that, or takes off). It is killed with SIGKILL, and from then on may take the reserve
 * (page.c), so that it gets to its end. One victim at a time: nobody else is killed while one that can still give
 * memory back is on its way out, unless it takes too long.
 */
#define LOG_PREFIX "memory: "
#include <kumo/oom.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/spinlock.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/vm.h>
#include <linux/resource.h>

#define VICTIM_PATIENCE_NS (2 * NSEC_PER_SEC)
#define WAIT_NS (5 * NSEC_PER_MSEC)
#define OOM_ADJUST_NEVER (-1000)

static spinlock_t oom_lock = SPINLOCK_INIT("oom"); /* both below */
static int victim_pid;
static u64 victim_since_ns;

/* A reference to the address space of a process, or NULL when it has none any more. */
static struct mm *process_mm(struct process *process)
{
	struct thread *thread;
	struct mm *found = NULL;
	unsigned long flags;

	flags = spin_lock_irqsave(&process->lock);
	list_for_each(thread, &process->threads, process_link) {
		if (mm_get_unless_dead(thread->mm)) {
			found = thread->mm;
			break;
		}
	}
	spin_unlock_irqrestore(&process->lock, flags);
	return found;
}

/* Pages that killing the process would bring; 0: it cannot be killed, or has nothing. */
static u64 process_pages(struct process *process)
{
	struct mm *mm;
	u64 pages;

	if (process->pid == 1)
		return 0;
	mm = process_mm(process);
	if (!mm)
		return 0;
	pages = mm_resident_pages(mm) + READ_ONCE(mm->table_pages);
	mm_put(mm);
	return pages;
}

/* How good a victim it is: its pages, and oom_score_adj in thousandths of all memory. Up to 0: none. */
static s64 process_badness(struct process *process, u64 total_pages)
{
	s64 pages = (s64)process_pages(process), adjust = READ_ONCE(process->oom_score_adj);

	if (!pages || adjust == OOM_ADJUST_NEVER)
		return 0;
	return max(pages + adjust * (s64)total_pages / 1000, 1);
}

/* Whether the last victim still holds memory and has not had time enough. */
static bool victim_pending(void)
{
	struct process *process;
	u64 since;
	int pid;

	spin_lock(&oom_lock);
	pid = victim_pid;
	since = victim_since_ns;
	spin_unlock(&oom_lock);
	if (!pid || time_monotonic_ns() - since > VICTIM_PATIENCE_NS)
		return false;
	process = process_find(pid);
	if (!process)
		return false;
	since = process_pages(process);
	process_put(process);
	return since > 0;
}

bool oom_kill(void)
{
	struct process *process, *worst = NULL;
	struct memory_info memory;
	s64 badness, most = 0;
	bool ours;

	if (victim_pending())
		return true;
	memory_info(&memory);
	for (int pid = 1; (process = process_next(&pid)); pid++) {
		badness = process_badness(process, memory.total_pages);
		if (badness <= most) {
			process_put(process);
			continue;
		}
		if (worst)
			process_put(worst);
		worst = process;
		most = badness;
	}
	if (!worst)
		return false;

	spin_lock(&oom_lock);
	ours = victim_pid != worst->pid || time_monotonic_ns() - victim_since_ns > VICTIM_PATIENCE_NS;
	victim_pid = worst->pid;
	if (ours)
		victim_since_ns = time_monotonic_ns();
	spin_unlock(&oom_lock);
	if (ours) {
		pr_err("out of memory: killing process %d (%s), which holds %llu KiB\n", worst->pid,
		       worst->leader->name, (unsigned long long)process_pages(worst) * PAGE_SIZE / KIB);
		signal_send_process(worst, SIGKILL, NULL);
	}
	process_put(worst);
	return true;
}

void oom_wait(void)
{
	if (page_reclaim() || fatal_signal_pending())
		return;
	if (!oom_kill()) {
		/* Nobody has memory to give but this process, perhaps in page tables alone. */
		signal_send_process(current->process, SIGKILL, NULL);
		return;
	}
	if (!fatal_signal_pending())
		sleep_ns(WAIT_NS);
}
