/*
 * Sending signals.
 *
 * A thread and a process have a set of pending signals each, with a queue of what was sent along. Standard signals are in the
 * queue at most once, real-time signals as often as they were sent. All of it, and the actions, is protected by
 * sighand->lock, which senders in any context take.
 *
 * A signal that will certainly end the process is acted on by the sender: the process is marked as exiting and SIGKILL
 * becomes pending in every thread, so that no thread, wherever it sleeps killably, delays the end. SIGKILL in a thread's own
 * set therefore means that this thread must die, be it for the process's end or for an exec of another thread.
 *
 * Stop signals and SIGCONT cancel each other when they are sent, whether blocked or not; SIGCONT also continues the
 * process at that moment. How a thread stops is in signal_deliver.c.
 */
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/poll.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <linux/signal.h>

#include "process.h"

/* Signals of the thread's own doing are taken before others. */
#define SIGNAL_MASK_SYNCHRONOUS                                                                    \
	(signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGTRAP) |     \
	 signal_bit(SIGFPE) | signal_bit(SIGSYS))

_Static_assert(sizeof(sigset_t) == sizeof(signal_mask), "the kernel's sigset_t has 64 bits");

/* Queues ---------------------------------------------------------------------------------------------------------- */

void sigpending_init(struct sigpending *pending)
{
	list_init(&pending->queue);
	pending->mask = 0;
}

static void sigqueue_free(struct sigqueue *entry)
{
	atomic_dec(&entry->user->signal_count);
	user_put(entry->user);
	kfree(entry);
}

/* An entry charged to the user of the target; NULL: no memory, or the limit is reached. */
static struct sigqueue *sigqueue_alloc(struct process *process, bool ignore_limit)
{
	u64 limit = READ_ONCE(process->limits[RLIMIT_SIGPENDING].rlim_cur);
	struct sigqueue *entry = NULL;
	struct user *user;

	rcu_read_lock();
	user = user_of_process(process);
	rcu_read_unlock();
	if (atomic_add_return(&user->signal_count, 1) <= limit || ignore_limit)
		entry = kmalloc(sizeof(*entry), GFP_ATOMIC);
	if (!entry) {
		atomic_dec(&user->signal_count);
		user_put(user);
		return NULL;
	}
	entry->user = user;
	return entry;
}

void sigpending_flush(struct sigpending *pending)
{
	struct sigqueue *entry, *after;

	pending->mask = 0;
	list_for_each_safe(entry, after, &pending->queue, link)
		sigqueue_free(entry);
	list_init(&pending->queue);
}

/* Drops the signals of `mask`. */
static void sigpending_drop(struct sigpending *pending, signal_mask mask)
{
	struct sigqueue *entry, *after;

	if (!(pending->mask & mask))
		return;
	pending->mask &= ~mask;
	list_for_each_safe(entry, after, &pending->queue, link) {
		if (signal_bit(entry->signal) & mask) {
			list_del(&entry->link);
			sigqueue_free(entry);
		}
	}
}

static void sigpending_drop_all(struct process *process, signal_mask mask)
{
	struct thread *thread;

	sigpending_drop(&process->pending, mask);
	list_for_each(thread, &process->threads, process_link)
		sigpending_drop(&thread->pending, mask);
}

/* Takes `signal`, which is pending; what was sent with it goes to *info. */
static void sigpending_take(struct sigpending *pending, int signal, siginfo_t *info)
{
	struct sigqueue *entry, *found = NULL;
	bool more = false;

	list_for_each(entry, &pending->queue, link) {
		if (entry->signal != signal)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = entry;
	}
	if (!more)
		pending->mask &= ~signal_bit(signal);
	memset((char *)info + SIGNAL_INFO_SIZE, 0, sizeof(*info) - SIGNAL_INFO_SIZE);
	if (!found) { /* there was no memory for it, or it is SIGKILL */
		memset(info, 0, SIGNAL_INFO_SIZE);
		info->si_signo = signal;
		info->si_code = SI_USER;
		return;
	}
	memcpy(info, found->info, SIGNAL_INFO_SIZE);
	list_del(&found->link);
	sigqueue_free(found);
}

static int sigpending_next(const struct sigpending *pending, signal_mask wanted)
{
	signal_mask mask = pending->mask & wanted;

	if (mask & SIGNAL_MASK_SYNCHRONOUS)
		mask &= SIGNAL_MASK_SYNCHRONOUS;
	return mask ? __builtin_ctzll(mask) + 1 : 0;
}

int signal_dequeue(signal_mask wanted, siginfo_t *info)
{
	struct sigpending *pending = &current->pending;
	int signal = sigpending_next(pending, wanted);

	if (!signal) {
		pending = &current->process->pending;
		signal = sigpending_next(pending, wanted);
	}
	if (signal) {
		sigpending_take(pending, signal, info);
		signal_recalculate();
	}
	return signal;
}

/* The lock, and waking ------------------------------------------------------------------------------------------------ */

struct sighand *sighand_lock(struct process *process, unsigned long *flags)
{
	for (;;) {
		struct sighand *sighand;

		rcu_read_lock();
		sighand = rcu_dereference(process->sighand);
		*flags = spin_lock_irqsave(&sighand->lock);
		rcu_read_unlock();
		if (likely(sighand == READ_ONCE(process->sighand)))
			return sighand;
		spin_unlock_irqrestore(&sighand->lock, *flags); /* an exec has just unshared it */
	}
}

/* Tells the thread that there is something to do for it on its way to user mode. */
void thread_signal_wake(struct thread *thread, bool fatal)
{
	unsigned int states = THREAD_INTERRUPTIBLE;

	if (fatal)
		states |= THREAD_KILLABLE | THREAD_STOPPED;
	__atomic_fetch_or(&thread->work, WORK_SIGNAL, __ATOMIC_SEQ_CST);
	if (thread == current || thread_wake_state(thread, states))
		return;
	if (READ_ONCE(thread->on_cpu))
		smp_send_reschedule(READ_ONCE(thread->cpu));
}

void signal_recalculate(void)
{
	struct thread *thread = current;
	struct process *process = thread->process;
	signal_mask pending = (thread->pending.mask | process->pending.mask) & ~(u64)thread->blocked;

	if (pending || thread->stop_wanted || process->notify_parent)
		__atomic_fetch_or(&thread->work, WORK_SIGNAL, __ATOMIC_SEQ_CST);
	else if (READ_ONCE(thread->work) & WORK_SIGNAL)
		__atomic_fetch_and(&thread->work, ~WORK_SIGNAL, __ATOMIC_SEQ_CST);
}

bool signal_pending(void)
{
	return READ_ONCE(current->work) & WORK_SIGNAL || READ_ONCE(current->cancelled);
}
EXPORT_SYMBOL(signal_pending);

bool fatal_signal_pending(void)
{
	bool fatal = (READ_ONCE(current->work) & WORK_SIGNAL &&
		      READ_ONCE(current->pending.mask) & signal_bit(SIGKILL)) ||
		     unlikely(READ_ONCE(current->cancelled));

	return unlikely(fatal) && !current->kill_holds;
}
EXPORT_SYMBOL(fatal_signal_pending);

void kill_hold(void)
{
	current->kill_holds++;
}
EXPORT_SYMBOL(kill_hold);

void kill_release(void)
{
	current->kill_holds--;
}
EXPORT_SYMBOL(kill_release);

/* Sending --------------------------------------------------------------------------------------------------------- */

/* What became of it does not depend on the moment: the signal would be thrown away when taken. */
static bool signal_is_ignored(struct process *process, struct thread *thread, int signal, bool forced)
{
	__sighandler_t handler = process->sighand->actions[signal - 1].sa_handler;
	signal_mask bit = signal_bit(signal);

	/* Blocked: who unblocks it may have set a handler by then. Waited for: it will be taken. */
	if ((thread->blocked | thread->waited) & bit)
		return false;
	if (handler == SIG_DFL)
		return (SIGNAL_MASK_IGNORE & bit) || (process->unkillable && !forced);
	return handler == SIG_IGN;
}

/* SIGCONT: the process goes on. */
static void process_continue(struct process *process)
{
	struct thread *thread;

	sigpending_drop_all(process, SIGNAL_MASK_STOP);
	process->continue_count++;
	if (!process->stop_signal)
		return;
	/* A thread of its own tells the parent: the sender may be in an interrupt, and holds the lock. */
	process->notify_parent = process->stopped ? CLD_CONTINUED : CLD_STOPPED;
	process->notify_status = process->stopped ? SIGCONT : process->stop_signal;
	process->continued = true;
	process->stopped = false;
	process->stop_signal = 0;
	process->stop_count = 0;
	list_for_each(thread, &process->threads, process_link) {
		thread->stop_wanted = false;
		__atomic_fetch_or(&thread->work, WORK_SIGNAL, __ATOMIC_SEQ_CST);
		thread_wake_state(thread, THREAD_STOPPED);
	}
}

void process_kill_threads(struct process *process, struct thread *except)
{
	struct thread *thread;

	process->continue_count++;
	process->stop_signal = 0;
	process->stop_count = 0;
	process->stopped = false;
	list_for_each(thread, &process->threads, process_link) {
		thread->stop_wanted = false; /* cppcheck-suppress nullPointerRedundantCheck; never NULL */
		if (thread == except || thread->flags & THREAD_FLAG_EXITING)
			continue;
		thread->pending.mask |= signal_bit(SIGKILL);
		thread_signal_wake(thread, true);
	}
}

static bool thread_can_take(struct thread *thread, int signal)
{
	if (thread->blocked & signal_bit(signal) || thread->flags & THREAD_FLAG_EXITING)
		return false;
	if (signal == SIGKILL)
		return true;
	if (READ_ONCE(thread->state) == THREAD_STOPPED)
		return false;
	return thread == current || !(READ_ONCE(thread->work) & WORK_SIGNAL);
}

/* The signal is pending: finds a thread to take it, and ends the process at once if that is what it will do. */
static void signal_complete(struct process *process, struct thread *target, int signal)
{
	struct thread *thread = NULL;

	if (target) {
		thread = thread_can_take(target, signal) ? target : NULL;
	} else if (thread_can_take(process->leader, signal)) {
		thread = process->leader;
	} else { /* the leader may have ended long ago */
		struct thread *candidate;

		list_for_each(candidate, &process->threads, process_link) {
			if (thread_can_take(candidate, signal)) {
				thread = candidate;
				break;
			}
		}
	}
	if (!thread)
		return; /* whoever unblocks it will find it */
	if (process->sighand->actions[signal - 1].sa_handler == SIG_DFL && !process->unkillable &&
	    !(signal_bit(signal) & (SIGNAL_MASK_IGNORE | SIGNAL_MASK_STOP)) &&
	    !(thread->waited & signal_bit(signal))) {
		process->exiting = true;
		process->exit_code = signal;
		process_kill_threads(process, NULL);
		return;
	}
	thread_signal_wake(thread, signal == SIGKILL);
}

/* sighand->lock held. */
static int signal_send_locked(struct process *process, struct thread *target, int signal,
			      const siginfo_t *info, bool forced)
{
	struct sigpending *pending = target ? &target->pending : &process->pending;
	signal_mask bit = signal_bit(signal);

	if (process->exiting)
		return 0; /* every thread has been told already */
	if (bit & SIGNAL_MASK_STOP)
		sigpending_drop_all(process, signal_bit(SIGCONT));
	else if (signal == SIGCONT)
		process_continue(process);
	if (signal_is_ignored(process, target ? target : process->leader, signal, forced))
		return 0;
	if (signal < SIGRTMIN && pending->mask & bit)
		return 0; /* a standard signal is pending once */
	if (signal != SIGKILL) {
		struct sigqueue *entry = sigqueue_alloc(
			process, forced || (signal < SIGRTMIN && (!info || info->si_code >= 0)));

		if (entry) {
			if (info) {
				memcpy(entry->info, info, SIGNAL_INFO_SIZE);
			} else {
				siginfo_t *own = (siginfo_t *)entry->info;

				memset(entry->info, 0, SIGNAL_INFO_SIZE);
				own->si_code = SI_KERNEL;
			}
			entry->signal = signal;
			list_add_tail(&pending->queue, &entry->link);
		} else if (info && signal >= SIGRTMIN && info->si_code != SI_USER) {
			return -EAGAIN; /* a real-time signal is not lost in silence */
		}
	}
	pending->mask |= bit;
	/* Who waits there looks under this lock, so that no barrier is needed. */
	if (unlikely(!list_empty(&process->sighand->signalfd_wait.waiters)))
		wake_up_key(&process->sighand->signalfd_wait, POLLIN);
	signal_complete(process, target, signal);
	return 0;
}

int signal_send_process(struct process *process, int signal, const siginfo_t *info)
{
	unsigned long flags;
	struct sighand *sighand = sighand_lock(process, &flags);
	int error = signal_send_locked(process, NULL, signal, info, false);

	sighand_unlock(sighand, flags);
	return error;
}
EXPORT_SYMBOL(signal_send_process);

int signal_send_thread(struct thread *thread, int signal, const siginfo_t *info)
{
	struct process *process = thread->process;
	struct sighand *sighand;
	unsigned long flags;
	int error = -ESRCH;

	if (!process)
		return -ESRCH; /* kernel threads take none */
	sighand = sighand_lock(process, &flags);
	if (!(thread->flags & THREAD_FLAG_EXITING))
		error = signal_send_locked(process, thread, signal, info, false);
	else if (thread == process->leader && !process->zombie)
		error = 0; /* it is still there for all to see */
	sighand_unlock(sighand, flags);
	return error;
}
EXPORT_SYMBOL(signal_send_thread);

int signal_send_group(struct process_group *group, int signal, const siginfo_t *info)
{
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);
	struct process *process;
	int result = -ESRCH;

	list_for_each(process, &group->processes, group_link) {
		int error = signal_send_process(process, signal, info);

		if (result)
			result = error;
	}
	spin_unlock_irqrestore(&process_tree_lock, flags);
	return result;
}
EXPORT_SYMBOL(signal_send_group);

void signal_force_info(const siginfo_t *info, bool to_default)
{
	struct process *process = current->process;
	signal_mask bit = signal_bit(info->si_signo);
	struct sigaction *action;
	struct sighand *sighand;
	unsigned long flags;

	if (!process)
		return;
	sighand = sighand_lock(process, &flags);
	action = &sighand->actions[info->si_signo - 1];
	if (to_default || action->sa_handler == SIG_IGN || current->blocked & bit) {
		action->sa_handler = SIG_DFL;
		current->blocked &= ~bit;
	}
	if (action->sa_handler == SIG_DFL)
		process->unkillable = false; /* not even the first process can go on after this */
	signal_send_locked(process, current, info->si_signo, info, true);
	signal_recalculate();
	sighand_unlock(sighand, flags);
}

void signal_force(int signal, int code, unsigned long address)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = signal;
	info.si_code = code;
	info.si_addr = (void *)address;
	signal_force_info(&info, false);
}
EXPORT_SYMBOL(signal_force);

void signal_info_user(siginfo_t *info, int signal, int code)
{
	memset(info, 0, SIGNAL_INFO_SIZE);
	info->si_signo = signal;
	info->si_code = code;
	info->si_pid = current->process->pid;
	info->si_uid = current->cred->uid;
}

void signal_send_self(int signal)
{
	siginfo_t info;

	if (!current->process) /* a kernel thread sees the error alone */
		return;
	signal_info_user(&info, signal, SI_USER);
	signal_send_thread(current, signal, &info);
}
EXPORT_SYMBOL(signal_send_self);

bool signal_permitted(struct process *target, int signal)
{
	const struct cred *mine = current->cred, *its;
	bool permitted;

	if (target == current->process)
		return true;
	its = process_cred_get(target);
	permitted = mine->euid == its->suid || mine->euid == its->uid || mine->uid == its->suid ||
		    mine->uid == its->uid || cred_capable(mine, CAP_KILL);
	cred_put(its);
	if (!permitted && signal == SIGCONT) {
		rcu_read_lock();
		permitted = process_session(target) == process_session(current->process);
		rcu_read_unlock();
	}
	return permitted;
}

/* Masks ----------------------------------------------------------------------------------------------------------- */

/* Signals of the process that this thread will not take any more: finds others for them. */
static void signal_retarget(struct process *process, signal_mask mask)
{
	struct thread *thread;

	mask &= process->pending.mask;
	if (!mask)
		return;
	list_for_each(thread, &process->threads, process_link) {
		signal_mask takes = mask & ~(u64)thread->blocked;

		if (thread == current || thread->flags & THREAD_FLAG_EXITING || !takes)
			continue;
		mask &= ~takes;
		if (!(READ_ONCE(thread->work) & WORK_SIGNAL))
			thread_signal_wake(thread, false);
		if (!mask)
			break;
	}
}

void signal_set_blocked(signal_mask blocked)
{
	struct process *process = current->process;
	struct sighand *sighand;
	unsigned long flags;

	blocked &= ~SIGNAL_MASK_KERNEL;
	if (blocked == current->blocked)
		return;
	sighand = sighand_lock(process, &flags);
	if (READ_ONCE(current->work) & WORK_SIGNAL && process->thread_count > 1)
		signal_retarget(process, blocked & ~(u64)current->blocked);
	current->blocked = blocked;
	signal_recalculate();
	sighand_unlock(sighand, flags);
}

bool signal_exit_thread(int code)
{
	struct process *process = current->process;
	bool last, stopped = false;
	unsigned long flags;
	struct sighand *sighand = sighand_lock(process, &flags);

	current->flags |= THREAD_FLAG_EXITING;
	last = --process->live_threads == 0;
	if (last) {
		if (!process->exiting)
			process->exit_code = code;
		process->exiting = true;
		process->stop_signal = 0;
		process->stopped = false;
		current->stop_wanted = false;
	} else if (!process->exiting) {
		signal_retarget(process, ~(u64)current->blocked);
	}
	/* The others may have waited for this one to stop. */
	if (current->stop_wanted) {
		current->stop_wanted = false;
		stopped = --process->stop_count == 0;
		if (stopped) {
			process->stopped = true;
			process->continued = false;
		}
	}
	sighand_unlock(sighand, flags);
	if (stopped) {
		flags = spin_lock_irqsave(&process_tree_lock);
		parent_notify(process, CLD_STOPPED, process->stop_signal);
		spin_unlock_irqrestore(&process_tree_lock, flags);
	}
	return last;
}

int signal_mask_swap(const sigset_t __user *mask, size_t size)
{
	sigset_t blocked;

	if (!mask)
		return 0;
	if (size != sizeof(blocked))
		return -EINVAL;
	if (copy_from_user(&blocked, mask, sizeof(blocked)))
		return -EFAULT;
	current->saved_sigmask = current->blocked;
	__atomic_fetch_or(&current->work, WORK_RESTORE_MASK, __ATOMIC_SEQ_CST);
	signal_set_blocked(blocked);
	return 0;
}

void signal_mask_restore(bool interrupted)
{
	if (interrupted || !(READ_ONCE(current->work) & WORK_RESTORE_MASK))
		return;
	__atomic_fetch_and(&current->work, ~WORK_RESTORE_MASK, __ATOMIC_SEQ_CST);
	signal_set_blocked(current->saved_sigmask);
}

bool signal_ignored_or_blocked(int signal)
{
	return current->blocked & signal_bit(signal) ||
	       READ_ONCE(current->sighand->actions[signal - 1].sa_handler) == SIG_IGN;
}

bool signal_is_fatal(int signal)
{
	__sighandler_t handler = READ_ONCE(current->sighand->actions[signal - 1].sa_handler);

	return handler == SIG_DFL || handler == SIG_IGN;
}

/* Actions --------------------------------------------------------------------------------------------------------- */

static struct slab_cache *sighands;

static struct sighand *sighand_alloc(void)
{
	struct sighand *sighand = slab_alloc(sighands, GFP_KERNEL);

	if (!sighand)
		return NULL;
	refcount_set(&sighand->refs, 1);
	spin_init(&sighand->lock, "sighand");
	wait_queue_init(&sighand->signalfd_wait);
	return sighand;
}

struct sighand *sighand_create(void)
{
	struct sighand *sighand = sighand_alloc();

	if (sighand)
		memset(sighand->actions, 0, sizeof(sighand->actions));
	return sighand;
}
EXPORT_SYMBOL(sighand_create);

struct sighand *sighand_copy(struct sighand *from)
{
	struct sighand *sighand = sighand_alloc();
	unsigned long flags;

	if (!sighand)
		return NULL;
	flags = spin_lock_irqsave(&from->lock);
	memcpy(sighand->actions, from->actions, sizeof(sighand->actions));
	spin_unlock_irqrestore(&from->lock, flags);
	return sighand;
}

void sighand_keep_ignored(struct sighand *fresh, struct process *from)
{
	unsigned long flags;
	struct sighand *sighand = sighand_lock(from, &flags);

	for (int i = 0; i < SIGNAL_COUNT; i++) {
		if (sighand->actions[i].sa_handler == SIG_IGN)
			fresh->actions[i].sa_handler = SIG_IGN;
	}
	sighand_unlock(sighand, flags);
}

static void sighand_free(struct rcu_head *head)
{
	slab_free(sighands, container_of(head, struct sighand, rcu));
}

void sighand_put(struct sighand *sighand)
{
	if (!refcount_dec_and_test(&sighand->refs))
		return;
	poll_queue_leaves(&sighand->signalfd_wait); /* event sets of other processes may wait there */
	call_rcu(&sighand->rcu, sighand_free);	    /* sighand_lock() may be looking at it */
}

void __init signals_init(void)
{
	sighands = slab_cache_create("sighand", sizeof(struct sighand), 64, 0);
	if (!sighands)
		panic("no memory for signal actions");
}

void signal_reset_for_exec(void)
{
	unsigned long flags;
	struct sighand *sighand = sighand_lock(current->process, &flags);

	for (int i = 0; i < SIGNAL_COUNT; i++) {
		struct sigaction *action = &sighand->actions[i];

		if (action->sa_handler != SIG_IGN)
			action->sa_handler = SIG_DFL;
		action->sa_flags = 0;
		action->sa_restorer = NULL;
		action->sa_mask = 0;
	}
	sighand_unlock(sighand, flags);
	current->signal_stack = (stack_t){ .ss_flags = SS_DISABLE };
}

void signal_action_set(int signal, const struct sigaction *action, struct sigaction *old)
{
	struct process *process = current->process;
	unsigned long flags;
	struct sighand *sighand = sighand_lock(process, &flags);
	struct sigaction *slot = &sighand->actions[signal - 1];

	if (old)
		*old = *slot;
	if (action) {
		*slot = *action;
		slot->sa_mask &= ~SIGNAL_MASK_KERNEL;
		/* What is ignored now is dropped, even if it is blocked (POSIX). */
		if (slot->sa_handler == SIG_IGN ||
		    (slot->sa_handler == SIG_DFL && SIGNAL_MASK_IGNORE & signal_bit(signal)))
			sigpending_drop_all(process, signal_bit(signal));
	}
	sighand_unlock(sighand, flags);
}

const char *signal_name(int signal)
{
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP",	   [SIGINT] = "SIGINT",	      [SIGQUIT] = "SIGQUIT",
		[SIGILL] = "SIGILL",	   [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT",
		[SIGBUS] = "SIGBUS",	   [SIGFPE] = "SIGFPE",	      [SIGKILL] = "SIGKILL",
		[SIGUSR1] = "SIGUSR1",	   [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE",	   [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM",
		[SIGSTKFLT] = "SIGSTKFLT", [SIGCHLD] = "SIGCHLD",     [SIGCONT] = "SIGCONT",
		[SIGSTOP] = "SIGSTOP",	   [SIGTSTP] = "SIGTSTP",     [SIGTTIN] = "SIGTTIN",
		[SIGTTOU] = "SIGTTOU",	   [SIGURG] = "SIGURG",	      [SIGXCPU] = "SIGXCPU",
		[SIGXFSZ] = "SIGXFSZ",	   [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
		[SIGWINCH] = "SIGWINCH",   [SIGIO] = "SIGIO",	      [SIGPWR] = "SIGPWR",
		[SIGSYS] = "SIGSYS",
	};

	if (signal >= SIGRTMIN && signal <= SIGNAL_COUNT)
		return "SIGRT";
	return signal > 0 && signal < ARRAY_SIZE(names) ? names[signal] : "?";
}
EXPORT_SYMBOL(signal_name);
