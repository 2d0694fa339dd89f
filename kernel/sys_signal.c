/* System calls on signals. */
#include <kumo/err.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/signal.h>

#include <kumo/arch/ptrace.h>

#include "process.h"

/* What sigaction keeps; programs ask for other flags to see whether the kernel knows them. */
#define ACTION_FLAGS                                                                               \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |         \
	 SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER)

static bool signal_valid(int signal)
{
	return signal >= 1 && signal <= SIGNAL_COUNT;
}

/* Actions and masks ----------------------------------------------------------------------------------------------- */

long sys_rt_sigaction(int signal, const struct sigaction __user *action,
		      struct sigaction __user *old, size_t size)
{
	struct sigaction new, was;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (action && copy_from_user(&new, action, sizeof(new)))
		return -EFAULT;
	if (!signal_valid(signal) || (action && signal_bit(signal) & SIGNAL_MASK_KERNEL))
		return -EINVAL;
	if (action)
		new.sa_flags &= (unsigned int)ACTION_FLAGS;
	signal_action_set(signal, action ? &new : NULL, &was);
	return old && copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}

long sys_rt_sigprocmask(int how, const sigset_t __user *set, sigset_t __user *old, size_t size)
{
	sigset_t was = current->blocked, given;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (set) {
		if (get_user(given, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			given |= was;
			break;
		case SIG_UNBLOCK:
			given = was & ~given;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(given);
	}
	return old && put_user(was, old) ? -EFAULT : 0;
}

long sys_rt_sigpending(sigset_t __user *set, size_t size)
{
	struct sighand *sighand;
	unsigned long flags;
	sigset_t pending;

	if (size > sizeof(pending))
		return -EINVAL;
	sighand = sighand_lock(current->process, &flags);
	pending = (current->pending.mask | current->process->pending.mask) & current->blocked;
	sighand_unlock(sighand, flags);
	return copy_to_user(set, &pending, size) ? -EFAULT : 0;
}

/* Waiting --------------------------------------------------------------------------------------------------------- */

static long wait_for_signal(void)
{
	do {
		thread_set_state(THREAD_INTERRUPTIBLE);
	} while (!wait_sleep(WAIT_INTERRUPTIBLE, WAIT_FOREVER));
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	return wait_for_signal();
}

long sys_rt_sigsuspend(const sigset_t __user *mask, size_t size)
{
	int error;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (!mask)
		return -EFAULT;
	error = signal_mask_swap(mask, size);
	return error ? error : wait_for_signal();
}

/* One look, with the wait begun in the same step: a signal that comes later wakes the thread. */
static int take_waited(signal_mask wanted, siginfo_t *info, bool wait)
{
	unsigned long flags;
	struct sighand *sighand = sighand_lock(current->process, &flags);
	int signal = signal_dequeue(wanted, info);

	if (!signal && wait) {
		current->waited = wanted & current->blocked;
		current->blocked &= ~wanted;
		signal_recalculate();
	}
	sighand_unlock(sighand, flags);
	return signal;
}

long sys_rt_sigtimedwait(const sigset_t __user *set, siginfo_t __user *to,
			 const struct __kernel_timespec __user *timeout, size_t size)
{
	u64 deadline = WAIT_FOREVER;
	struct __kernel_timespec time;
	siginfo_t info;
	sigset_t wanted;
	bool wait = true;
	int signal;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (get_user(wanted, set))
		return -EFAULT;
	if (timeout) {
		if (copy_from_user(&time, timeout, sizeof(time)))
			return -EFAULT;
		if (!timespec_valid(&time))
			return -EINVAL;
		deadline = deadline_after(&time);
		wait = time.tv_sec || time.tv_nsec;
	}
	wanted &= ~SIGNAL_MASK_KERNEL;
	signal = take_waited(wanted, &info, wait);
	if (!signal && wait) {
		struct sighand *sighand;
		unsigned long flags;
		int woken;

		do {
			thread_set_state(THREAD_INTERRUPTIBLE);
			woken = wait_sleep(WAIT_INTERRUPTIBLE, deadline);
		} while (!woken);
		sighand = sighand_lock(current->process, &flags);
		current->blocked |= current->waited;
		current->waited = 0;
		signal = signal_dequeue(wanted, &info);
		signal_recalculate();
		sighand_unlock(sighand, flags);
		if (!signal)
			return woken == -ETIME ? -EAGAIN : -EINTR;
	}
	if (!signal)
		return -EAGAIN;
	posix_timer_taken(&info);
	return to && copy_to_user(to, &info, sizeof(info)) ? -EFAULT : signal;
}

/* Sending --------------------------------------------------------------------------------------------------------- */

int signal_send_permitted(struct process *process, int signal, const siginfo_t *info)
{
	if (signal < 0 || signal > SIGNAL_COUNT)
		return -EINVAL;
	if (!signal_permitted(process, signal))
		return -EPERM;
	return signal ? signal_send_process(process, signal, info) : 0;
}

static long kill_group(int id, int signal, const siginfo_t *info)
{
	struct process_group *group = id ? process_group_find(id) : current->process->group;
	struct process *process;
	unsigned long flags;
	long result = -ESRCH;

	if (!group)
		return -ESRCH;
	flags = spin_lock_irqsave(&process_tree_lock);
	if (!id)
		group = current->process->group; /* it cannot change now */
	list_for_each(process, &group->processes, group_link) {
		long error = signal_send_permitted(process, signal, info);

		if (result) /* one that took it makes it a success */
			result = error;
	}
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (id)
		process_group_put(group);
	return result;
}

static long kill_all(int signal, const siginfo_t *info)
{
	struct process *process;
	long result = 0; /* even if there was only who may not be sent one, as on Linux */
	bool found = false;

	for (int pid = 2; (process = process_next(&pid)); pid++) {
		if (process != current->process) {
			long error = signal_send_permitted(process, signal, info);

			found = true;
			if (error != -EPERM)
				result = error;
		}
		process_put(process);
		cond_resched();
	}
	return found ? result : -ESRCH;
}

long sys_kill(int pid, int signal)
{
	struct process *process;
	siginfo_t info;
	long result;

	signal_info_user(&info, signal, SI_USER);
	if (pid == -0x7fffffff - 1)
		return -ESRCH;
	if (pid == -1)
		return kill_all(signal, &info);
	if (pid <= 0)
		return kill_group(-pid, signal, &info);
	process = process_find(pid);
	if (!process) {
		/* Any thread's number will do, as on Linux. */
		struct thread *thread = thread_find(pid);

		if (!thread)
			return -ESRCH;
		process = thread->process;
		if (process)
			process_get(process);
		thread_put(thread);
		if (!process)
			return -ESRCH;
	}
	result = signal_send_permitted(process, signal, &info);
	process_put(process);
	return result;
}

static long send_to_thread(int group, int tid, int signal, const siginfo_t *info)
{
	struct thread *thread = thread_find(tid);
	long result = -ESRCH;

	if (!thread)
		return -ESRCH;
	if (thread->process && (group <= 0 || thread->process->pid == group)) {
		result = -EPERM;
		if (signal < 0 || signal > SIGNAL_COUNT)
			result = -EINVAL;
		else if (signal_permitted(thread->process, signal))
			result = signal ? signal_send_thread(thread, signal, info) : 0;
		/* It has ended and is not waited for yet, perhaps: as good as sent. */
		if (result == -ESRCH)
			result = 0;
	}
	thread_put(thread);
	return result;
}

long sys_tgkill(int group, int tid, int signal)
{
	siginfo_t info;

	if (group <= 0 || tid <= 0)
		return -EINVAL;
	signal_info_user(&info, signal, SI_TKILL);
	return send_to_thread(group, tid, signal, &info);
}

long sys_tkill(int tid, int signal)
{
	siginfo_t info;

	if (tid <= 0)
		return -EINVAL;
	signal_info_user(&info, signal, SI_TKILL);
	return send_to_thread(0, tid, signal, &info);
}

bool signal_info_allowed(const siginfo_t *info, bool to_self)
{
	return to_self || (info->si_code < 0 && info->si_code != SI_TKILL);
}

static long queued_info(siginfo_t *info, const siginfo_t __user *from, int pid, int signal)
{
	if (copy_from_user(info, from, sizeof(*info)))
		return -EFAULT;
	if (signal < 0 || signal > SIGNAL_COUNT)
		return -EINVAL;
	info->si_signo = signal;
	return signal_info_allowed(info, pid == current->process->pid) ? 0 : -EPERM;
}

long sys_rt_sigqueueinfo(int pid, int signal, const siginfo_t __user *from)
{
	struct process *process;
	siginfo_t info;
	long result = queued_info(&info, from, pid, signal);

	if (result)
		return result;
	process = process_find(pid);
	if (!process)
		return -ESRCH;
	result = signal_send_permitted(process, signal, &info);
	process_put(process);
	return result;
}

long sys_rt_tgsigqueueinfo(int group, int tid, int signal, const siginfo_t __user *from)
{
	siginfo_t info;
	long result;

	if (group <= 0 || tid <= 0)
		return -EINVAL;
	result = queued_info(&info, from, group, signal);
	return result ? result : send_to_thread(group, tid, signal, &info);
}

/* The alternate stack --------------------------------------------------------------------------------------------- */

bool within_signal_stack(unsigned long sp)
{
	const stack_t *stack = &current->signal_stack;

	return sp > (unsigned long)stack->ss_sp && sp - (unsigned long)stack->ss_sp <= stack->ss_size;
}

bool on_signal_stack(unsigned long sp)
{
	return !(current->signal_stack.ss_flags & SS_AUTODISARM) && within_signal_stack(sp);
}

static int signal_stack_set(const stack_t *stack, unsigned long sp)
{
	unsigned int mode = (unsigned int)stack->ss_flags & ~SS_AUTODISARM;
	stack_t new = *stack;

	if (on_signal_stack(sp))
		return -EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		new.ss_size = 0;
		new.ss_sp = NULL;
	} else if (new.ss_size < MINSIGSTKSZ) {
		return -ENOMEM;
	}
	current->signal_stack = new;
	return 0;
}

void signal_stack_restore(const stack_t *stack, unsigned long sp)
{
	const stack_t *now = &current->signal_stack;

	if (now->ss_sp == stack->ss_sp && now->ss_size == stack->ss_size &&
	    now->ss_flags == stack->ss_flags)
		return;
	if (signal_stack_set(stack, sp))
		return;
}

long sys_sigaltstack(const stack_t __user *stack, stack_t __user *old)
{
	unsigned long sp = current_regs()->sp;
	stack_t new, was = current->signal_stack;
	int error = 0;

	was.ss_flags = (int)((unsigned int)was.ss_flags & SS_AUTODISARM);
	if (!was.ss_size)
		was.ss_flags |= SS_DISABLE;
	else if (on_signal_stack(sp))
		was.ss_flags |= SS_ONSTACK;
	if (stack) {
		if (copy_from_user(&new, stack, sizeof(new)))
			return -EFAULT;
		error = signal_stack_set(&new, sp);
	}
	if (!error && old && copy_to_user(old, &was, sizeof(was)))
		return -EFAULT;
	return error;
}

/* Restarting ------------------------------------------------------------------------------------------------------ */

long sys_restart_syscall(void)
{
	struct restart_block *block = &current->restart;

	return block->function ? block->function(block) : -EINTR;
}
