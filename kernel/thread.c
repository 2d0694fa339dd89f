/*
 * The memory of threads and processes: where they come from, and how they go.
 *
 * References. A thread's own reference to itself lasts until the scheduler is off its stack; the process holds one to its
 * leader until it is reaped; lookups give more. Each thread holds its process. The last reference gives back the stack at once
 * and the rest after a grace period, since lookups (pid.c), signals and futexes look at threads under RCU.
 */
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/kva.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/stack_check.h>
#include <kumo/string.h>
#include <kumo/vm.h>
#include <linux/prctl.h>
#include <linux/signal.h>

#include "process.h"

static struct slab_cache *threads, *processes;
atomic_t thread_total;

struct thread *thread_alloc(void)
{
	struct thread *thread = slab_alloc(threads, GFP_USER | GFP_ZERO);

	if (!thread)
		return NULL;
	thread->stack = kernel_stack_alloc();
	if (!thread->stack) {
		slab_free(threads, thread);
		return NULL;
	}
	stack_watch(thread);
	refcount_set(&thread->refs, 1);
	thread->cred = cred_get(&root_cred);
	list_init(&thread->process_link);
	sigpending_init(&thread->pending);
	thread->signal_stack.ss_flags = SS_DISABLE;
	thread->exit_signal = -1;
	thread->timer_slack_ns = thread->default_timer_slack_ns = 50 * NSEC_PER_USEC;
	thread->machine_check_policy = PR_MCE_KILL_DEFAULT;
	completion_init(&thread->exited);
	return thread;
}
EXPORT_SYMBOL(thread_alloc);

static void thread_free(struct rcu_head *head)
{
	struct thread *thread = container_of(head, struct thread, rcu);

	seccomp_release(thread);
	cred_spare_release(thread);
	cred_put(thread->cred);
	if (thread->process)
		process_put(thread->process);
	slab_free(threads, thread);
}

void thread_put(struct thread *thread)
{
	if (!refcount_dec_and_test(&thread->refs))
		return;
	sigpending_flush(&thread->pending);
	arch_thread_free(thread);
	stack_unwatch(thread);
	kernel_stack_free(thread->stack);
	call_rcu(&thread->rcu, thread_free);
}
EXPORT_SYMBOL(thread_put);

struct process *process_alloc(void)
{
	struct process *process = slab_alloc(processes, GFP_USER | GFP_ZERO);

	if (!process)
		return NULL;
	refcount_set(&process->refs, 1);
	spin_init(&process->lock, "process");
	list_init(&process->threads);
	list_init(&process->children);
	list_init(&process->sibling);
	list_init(&process->group_link);
	sigpending_init(&process->pending);
	wait_queue_init(&process->child_wait);
	wait_queue_init(&process->end_wait);
	process->dumpable = true;
	process->core_filter = CORE_FILTER_DEFAULT;
	process->login_uid = process->login_session = NO_LOGIN;
	process->start_time_ns = time_monotonic_ns();
	list_init(&process->posix_timers);
	process_timers_init(process);
	return process;
}
EXPORT_SYMBOL(process_alloc);

static void process_free(struct rcu_head *head)
{
	struct process *process = container_of(head, struct process, rcu);

	sighand_put(process->sighand);
	slab_free(processes, process);
}

void process_put(struct process *process)
{
	if (!refcount_dec_and_test(&process->refs))
		return;
	sigpending_flush(&process->pending);
	call_rcu(&process->rcu, process_free);
}
EXPORT_SYMBOL(process_put);

void process_free_unused(struct process *process)
{
	if (process->sighand)
		sighand_put(process->sighand);
	slab_free(processes, process);
}

unsigned int process_thread_count(void)
{
	return (unsigned int)atomic_read(&thread_total);
}

/* While its process is locked a thread keeps its address space, descriptors and directories. NULL: it has no process. */
static struct process *parts_lock(struct thread *thread, unsigned long *flags)
{
	struct process *process = thread->process;

	if (process)
		*flags = spin_lock_irqsave(&process->lock);
	return process;
}

struct mm *thread_mm_get(struct thread *thread)
{
	unsigned long flags;
	struct process *process = parts_lock(thread, &flags);
	struct mm *mm;

	if (!process)
		return NULL;
	mm = thread->mm;
	if (mm && !mm_get_unless_dead(mm))
		mm = NULL;
	spin_unlock_irqrestore(&process->lock, flags);
	return mm;
}
EXPORT_SYMBOL(thread_mm_get);

void thread_set_files(struct files *files)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct files *old = current->files;

	current->files = files;
	spin_unlock_irqrestore(&process->lock, flags);
	files_put(old);
}

void thread_set_fs(struct fs_context *fs)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct fs_context *old = current->fs;

	current->fs = fs;
	spin_unlock_irqrestore(&process->lock, flags);
	fs_context_put(old);
}

int process_thread_from(struct process *process, int from)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct thread *thread;
	int lowest = 0;

	list_for_each(thread, &process->threads, process_link)
		if (thread->pid >= from && (!lowest || thread->pid < lowest))
			lowest = thread->pid;
	spin_unlock_irqrestore(&process->lock, flags);
	return lowest;
}

struct thread *process_leader_get(struct process *process)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct thread *leader = process->leader;

	if (leader)
		thread_get(leader);
	spin_unlock_irqrestore(&process->lock, flags);
	return leader;
}

struct files *thread_files_get(struct thread *thread)
{
	unsigned long flags;
	struct process *process = parts_lock(thread, &flags);
	struct files *files;

	if (!process)
		return NULL;
	files = thread->files;
	if (files)
		refcount_inc(&files->refs);
	spin_unlock_irqrestore(&process->lock, flags);
	return files;
}

struct fs_context *thread_fs_get(struct thread *thread)
{
	unsigned long flags;
	struct process *process = parts_lock(thread, &flags);
	struct fs_context *fs;

	if (!process)
		return NULL;
	fs = thread->fs;
	if (fs)
		refcount_inc(&fs->refs);
	spin_unlock_irqrestore(&process->lock, flags);
	return fs;
}

void process_set_mm(struct mm *mm)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);

	thread_set_mm(mm);
	spin_unlock_irqrestore(&process->lock, flags);
}

void __init threads_init(void)
{
	threads = slab_cache_create("thread", sizeof(struct thread), 64, 0);
	processes = slab_cache_create("process", sizeof(struct process), 64, 0);
	if (!threads || !processes)
		panic("no memory for the first threads");
}
