/*
 * The end of threads and processes.
 *
 * A thread gives back what it holds in the order in which others depend on it: its memory (which wakes vfork's parent and
 * futex waiters), its files, its place in the process. The last one to leave turns the process into a zombie in one step under
 * process_tree_lock: children get a new parent, groups that lose their shell are dealt with, the parent is told. If
 * nobody will wait for it, it is reaped in the same step. After that step only references keep the structures.
 */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/irq.h>
#include <kumo/poll.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>

#include "process.h"

/* USER_HZ: what clock_t counts in. */
#define CLOCKS_PER_SECOND 100

/* Address space -------------------------------------------------------------------------------------------------------- */

static void clear_child_tid(struct thread *thread)
{
	int __user *address = thread->clear_child_tid;

	thread->clear_child_tid = NULL;
	if (!address)
		return;
	/* Nobody looks at it when the process's memory has no other user; pthread_join in another thread does. */
	if (refcount_read(&thread->mm->users) > 1 && !put_user(0, address))
		futex_wake_address((u32 __user *)address, 1);
}

static void vfork_finish(struct thread *thread)
{
	struct completion *done;

	if (!READ_ONCE(thread->vfork_done))
		return;
	done = __atomic_exchange_n(&thread->vfork_done, NULL, __ATOMIC_ACQ_REL);
	if (done)
		complete(done);
}

void thread_leave_mm(struct mm *next)
{
	struct thread *thread = current;
	struct mm *mm = thread->mm;

	if (mm) {
		futex_exit(thread);
		clear_child_tid(thread);
	}
	thread->robust_list = NULL;
	if (mm || next)
		process_set_mm(next);
	if (mm)
		mm_put(mm);
	vfork_finish(thread);
}

static void release_files(struct thread *thread)
{
	struct files *files = thread->files;
	struct fs_context *fs = thread->fs;
	unsigned long flags = spin_lock_irqsave(&thread->process->lock);

	thread->files = NULL;
	thread->fs = NULL;
	spin_unlock_irqrestore(&thread->process->lock, flags);
	if (files)
		files_put(files);
	if (fs)
		fs_context_put(fs);
}

/* Parents --------------------------------------------------------------------------------------------------------- */

static void child_info(siginfo_t *info, struct process *process, int why, int status)
{
	const struct cred *cred = process_cred_get(process);
	u64 user_ns, system_ns;

	process_times(process, &user_ns, &system_ns);
	memset(info, 0, SIGNAL_INFO_SIZE);
	info->si_code = why;
	info->si_pid = process->pid;
	info->si_uid = cred->uid;
	info->si_status = status;
	info->si_utime = (long)(user_ns / (NSEC_PER_SEC / CLOCKS_PER_SECOND));
	info->si_stime = (long)(system_ns / (NSEC_PER_SEC / CLOCKS_PER_SECOND));
	cred_put(cred);
}

/* What the parent's action for SIGCHLD asks for. */
static void child_action(struct process *parent, bool *ignored, unsigned long *action_flags)
{
	unsigned long flags;
	struct sighand *sighand = sighand_lock(parent, &flags);
	struct sigaction *action = &sighand->actions[SIGCHLD - 1];

	*ignored = action->sa_handler == SIG_IGN;
	*action_flags = action->sa_flags;
	sighand_unlock(sighand, flags);
}

bool parent_notify(struct process *process, int why, int status)
{
	bool ended = why == CLD_EXITED || why == CLD_KILLED || why == CLD_DUMPED;
	int signal = ended ? process->leader->exit_signal : SIGCHLD;
	struct process *parent = process->parent;
	unsigned long action_flags = 0;
	bool ignored = false, unwanted = false;
	siginfo_t info;

	if (parent == &kernel_process) {
		struct completion *done =
			ended ? __atomic_exchange_n(&process->ended, NULL, __ATOMIC_ACQ_REL) : NULL;

		if (done)
			complete(done);
		return true;
	}
	/* The program that chose the signal is not the parent any more. */
	if (ended && signal > 0 && process->parent_exec_count != parent->exec_count)
		signal = SIGCHLD;
	if (signal == SIGCHLD) {
		child_action(parent, &ignored, &action_flags);
		unwanted = ignored || action_flags & SA_NOCLDWAIT;
		if (ignored || (!ended && action_flags & SA_NOCLDSTOP))
			signal = 0;
	}
	if (signal > 0 && signal <= SIGNAL_COUNT) { /* clone(2) takes any number */
		child_info(&info, process, why, status);
		info.si_signo = signal;
		if (signal_send_process(parent, signal, &info))
			pr_debug("pid %d was not told of its child %d\n", parent->pid, process->pid);
	}
	wake_up(&parent->child_wait);
	return unwanted && ended;
}

/* Who takes over the children: the nearest ancestor that asked for orphans, else the first process. */
static struct process *find_reaper(struct process *process)
{
	struct process *ancestor;

	for (ancestor = process->parent; ancestor != &kernel_process; ancestor = ancestor->parent) {
		if (ancestor->child_subreaper && !ancestor->exiting)
			return ancestor;
	}
	return init_process;
}

static void notify_end(struct process *process)
{
	int status = process->exit_code;
	int why = status & 0x7f ? CLD_KILLED : CLD_EXITED;

	if (parent_notify(process, why, why == CLD_EXITED ? status >> 8 & 0xff : status & 0x7f))
		process_release(process);
}

static void reparent_children(struct process *process)
{
	struct process *reaper = find_reaper(process), *child, *after;

	list_for_each_safe(child, after, &process->children, sibling) {
		child->parent = reaper;
		child->parent_exec_count = reaper->exec_count;
		list_del(&child->sibling);
		list_add_tail(&reaper->children, &child->sibling);
		if (child->parent_death_signal)
			signal_send_process(child, child->parent_death_signal, NULL);
		if (child->leader->exit_signal > 0 || child->zombie)
			child->leader->exit_signal = SIGCHLD;
		if (child->zombie)
			notify_end(child);
	}
}

/* The end --------------------------------------------------------------------------------------------------------- */

void process_release(struct process *process)
{
	struct thread *leader = process->leader;

	process->reaped = true;
	list_del_init(&process->sibling);
	process_leave_group(process);
	rcu_assign_pointer(process->leader, NULL);
	pid_detach(process->number, PID_THREAD);
	pid_detach(process->number, PID_PROCESS); /* frees the number, perhaps */
	atomic_dec(&leader->cred->user->process_count);
	atomic_dec(&thread_total);
	thread_put(leader);
	process_put(process);
}

/* Takes the current thread out of its process, with process_tree_lock held. True: it was the last. */
static bool leave_process(struct thread *thread, struct process *process)
{
	struct thread *exec_thread = NULL;
	struct sighand *sighand;
	bool last;

	spin_lock(&process->lock);
	sighand = process->sighand;
	spin_lock(&sighand->lock);
	list_del_init(&thread->process_link);
	usage_add_thread(&process->dead, thread);
	last = --process->thread_count == 0;
	if (process->thread_count == 1)
		exec_thread = process->exec_thread;
	spin_unlock(&sighand->lock);
	if (thread != process->leader) {
		pid_detach(thread->number, PID_THREAD);
		atomic_dec(&thread->cred->user->process_count);
		atomic_dec(&thread_total);
	}
	if (exec_thread)
		thread_wake(exec_thread);
	spin_unlock(&process->lock);
	return last;
}

/* The process becomes a zombie, or vanishes. */
static void end_process(struct process *process)
{
	reparent_children(process);
	process_groups_orphan(process);
	WRITE_ONCE(process->zombie, true);
	wake_up_key(&process->end_wait, POLLIN | POLLRDNORM);
	notify_end(process);
}

void thread_exit(int code)
{
	struct thread *thread = current;
	struct process *process = thread->process;
	unsigned long flags;
	bool last;

	if (in_interrupt())
		panic("an interrupt handler ends the thread that it interrupted");
	if (thread->flags & THREAD_FLAG_EXITING) {
		/* Its end failed half-way (an oops); what it holds stays. */
		pr_err("%s (%d) faulted while it ended\n", thread->name, thread->pid);
		sched_exit();
	}
	local_irq_enable(); /* they may be off after a fault of the kernel */
	thread->exit_code = code;
	if (!process) {
		complete_all(&thread->exited); /* a kernel thread that faulted, or whose test case ended early */
		sched_exit();
	}
	last = signal_exit_thread(code);
	if (last) {
		if (process == init_process)
			panic("the first process has ended, status 0x%04x",
			      process->exiting ? process->exit_code : code);
		process_timers_exit(process);
		process_note_resident(process, thread->mm);
	}
	thread_leave_mm(NULL);
	release_files(thread);
	if (last)
		session_leader_exit(process);
	sched_account();

	flags = spin_lock_irqsave(&process_tree_lock);
	if (leave_process(thread, process))
		end_process(process);
	spin_unlock_irqrestore(&process_tree_lock, flags);
	sched_exit();
}
EXPORT_SYMBOL(thread_exit);

void process_exit_group(int wait_status)
{
	struct process *process = current->process;
	unsigned long flags;
	struct sighand *sighand = sighand_lock(process, &flags);

	if (process->exiting) {
		wait_status = process->exit_code;
	} else {
		process->exiting = true;
		process->exit_code = wait_status;
		process_kill_threads(process, current);
	}
	sighand_unlock(sighand, flags);
	thread_exit(wait_status);
}
EXPORT_SYMBOL(process_exit_group);
