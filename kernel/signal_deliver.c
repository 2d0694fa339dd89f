/*
 * Taking signals on the way to user mode: what the thread does with each, job control stops, and system calls that a
 * signal interrupted.
 *
 * A stop: the thread that takes a stop signal asks all threads of the process to stop (stop_wanted) and counts them. Each
 * one, when it comes here, sleeps as THREAD_STOPPED; the last tells the parent. SIGCONT (signal.c) undoes it all at once
 * and leaves a note (notify_parent) for the first thread that runs. SIGKILL wakes a stopped thread, too.
 *
 * An interrupted call left one of four errnos in ax (err.h): whether it is started again depends on what the signal does.
 */
#include <asm/unistd_64.h>
#include <kumo/arch/ptrace.h>
#include <kumo/err.h>
#include <kumo/string.h>

#include "process.h"

#define SYSCALL_INSTRUCTION_SIZE 2

/* sighand->lock held: a stop begins, or the current thread joins one. False: the process is ending. */
static bool stop_begin(struct process *process, int signal)
{
	struct thread *thread;

	if (process->exiting || process->exec_thread)
		return false;
	if (process->stop_signal) {
		if (!current->stop_wanted) {
			current->stop_wanted = true;
			process->stop_count++;
		}
		return true;
	}
	process->stop_signal = signal;
	process->stopped = false;
	process->stop_reported = false;
	process->stop_count = 0;
	list_for_each(thread, &process->threads, process_link) {
		if (thread->flags & THREAD_FLAG_EXITING)
			continue;
		thread->stop_wanted = true;
		process->stop_count++;
		if (thread != current)
			thread_signal_wake(thread, false);
	}
	return true;
}

static void parent_notify_locked(struct process *process, int why, int status)
{
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);

	parent_notify(process, why, status);
	spin_unlock_irqrestore(&process_tree_lock, flags);
}

/* The current thread's part in a stop: sleeps until SIGCONT or death. sighand->lock is held, and dropped. */
static void stop_here(struct process *process, struct sighand *sighand, unsigned long flags)
{
	int signal = process->stop_signal;
	bool last;

	current->stop_wanted = false;
	last = --process->stop_count == 0;
	if (last) {
		process->stopped = true;
		process->continued = false;
	}
	/* Before the lock is dropped: whoever continues the process must find a thread that it can wake. */
	WRITE_ONCE(current->state, THREAD_STOPPED);
	sighand_unlock(sighand, flags);
	if (last)
		parent_notify_locked(process, CLD_STOPPED, signal);
	for (;;) {
		schedule();
		sighand = sighand_lock(process, &flags);
		if (!process->stop_signal || current->pending.mask & signal_bit(SIGKILL))
			break;
		WRITE_ONCE(current->state, THREAD_STOPPED); /* woken by something else */
		sighand_unlock(sighand, flags);
	}
	sighand_unlock(sighand, flags);
}

/* A stop from the keyboard does nothing to a group that no shell looks after. sighand->lock is dropped meanwhile; true:
 * the stop holds. */
static bool stop_allowed(struct process *process, int signal, struct sighand **sighand,
			 unsigned long *flags)
{
	u32 seen = process->continue_count;
	unsigned long tree_flags;
	bool orphaned;

	if (signal == SIGSTOP)
		return true;
	sighand_unlock(*sighand, *flags);
	tree_flags = spin_lock_irqsave(&process_tree_lock);
	orphaned = process_group_orphaned(process->group, NULL);
	spin_unlock_irqrestore(&process_tree_lock, tree_flags);
	*sighand = sighand_lock(process, flags);
	return !orphaned && process->continue_count == seen;
}

/* Takes signals until one has a handler: true, with *delivery filled in. False: none is left. May end the thread. */
static bool signal_take(struct signal_delivery *delivery)
{
	struct process *process = current->process;
	struct sighand *sighand;
	unsigned long flags;

again:
	sighand = sighand_lock(process, &flags);
	if (unlikely(process->notify_parent)) {
		int why = process->notify_parent, status = process->notify_status;

		process->notify_parent = 0;
		sighand_unlock(sighand, flags);
		parent_notify_locked(process, why, status);
		goto again;
	}
	for (;;) {
		struct sigaction *action;
		int signal;

		if (process->exiting || current->pending.mask & signal_bit(SIGKILL)) {
			bool whole = process->exiting;

			sighand_unlock(sighand, flags);
			if (whole)
				process_exit_group(process->exit_code);
			thread_exit(0); /* another thread executes a new program */
		}
		if (unlikely(current->stop_wanted)) {
			stop_here(process, sighand, flags);
			goto again;
		}
		signal = signal_dequeue(~(u64)current->blocked, &delivery->info);
		if (!signal) {
			signal_recalculate();
			sighand_unlock(sighand, flags);
			return false;
		}
		action = &sighand->actions[signal - 1];
		if (action->sa_handler == SIG_IGN)
			continue;
		if (action->sa_handler != SIG_DFL) {
			delivery->signal = signal;
			delivery->action = *action;
			if (action->sa_flags & SA_RESETHAND)
				action->sa_handler = SIG_DFL;
			sighand_unlock(sighand, flags);
			posix_timer_taken(&delivery->info);
			return true;
		}
		if (signal_bit(signal) & SIGNAL_MASK_IGNORE || process->unkillable)
			continue;
		if (signal_bit(signal) & SIGNAL_MASK_STOP) {
			if (stop_allowed(process, signal, &sighand, &flags))
				stop_begin(process, signal);
			continue;
		}
		sighand_unlock(sighand, flags);
		process_exit_group(signal);
	}
}

/* The thread goes on in the handler: no other signal that the action masks comes in between. */
static void handle(struct pt_regs *regs, struct signal_delivery *delivery)
{
	const struct sigaction *action = &delivery->action;
	signal_mask blocked = current->blocked;

	if (READ_ONCE(current->work) & WORK_RESTORE_MASK) {
		/* The handler runs with the call's mask and returns to the one from before the call. */
		__atomic_fetch_and(&current->work, ~WORK_RESTORE_MASK, __ATOMIC_SEQ_CST);
		blocked = current->saved_sigmask;
	}
	if (current->rseq)
		rseq_signal(regs);
	if (!arch_signal_frame(regs, delivery, blocked)) {
		siginfo_t info;

		memset(&info, 0, sizeof(info));
		info.si_signo = SIGSEGV;
		info.si_code = SI_KERNEL;
		signal_force_info(&info, delivery->signal == SIGSEGV);
		return;
	}
	blocked = current->blocked | action->sa_mask;
	if (!(action->sa_flags & SA_NODEFER))
		blocked |= signal_bit(delivery->signal);
	signal_set_blocked(blocked);
}

static void syscall_restart(struct pt_regs *regs, unsigned long number)
{
	regs->ax = number;
	regs->ip -= SYSCALL_INSTRUCTION_SIZE;
}

void signal_deliver(struct pt_regs *regs)
{
	bool in_syscall = (int)regs->orig_ax >= 0; /* the entry looks at the low half alone */
	struct signal_delivery delivery;

	if (signal_take(&delivery)) {
		if (in_syscall) {
			switch (-(long)regs->ax) {
			case ERESTART_RESTARTBLOCK:
			case ERESTARTNOHAND:
				regs->ax = (unsigned long)-EINTR;
				break;
			case ERESTARTSYS:
				if (!(delivery.action.sa_flags & SA_RESTART)) {
					regs->ax = (unsigned long)-EINTR;
					break;
				}
				syscall_restart(regs, regs->orig_ax);
				break;
			case ERESTARTNOINTR:
				syscall_restart(regs, regs->orig_ax);
				break;
			}
			regs->orig_ax = (unsigned long)-1; /* once is enough */
		}
		handle(regs, &delivery);
		return;
	}
	if (in_syscall) {
		switch (-(long)regs->ax) {
		case ERESTARTNOHAND:
		case ERESTARTSYS:
		case ERESTARTNOINTR:
			syscall_restart(regs, regs->orig_ax);
			regs->orig_ax = (unsigned long)-1;
			break;
		case ERESTART_RESTARTBLOCK:
			syscall_restart(regs, __NR_restart_syscall);
			regs->orig_ax = (unsigned long)-1;
			break;
		}
	}
	signal_mask_restore(false);
}
