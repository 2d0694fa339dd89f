/*
 * Waiting for children: wait4 and waitid.
 *
 * Children change state under process_tree_lock, and then wake parent->child_wait; the look at all children happens under
 * the same lock, so a waiter that is on the queue before it looks misses nothing. Whoever finds a zombie reaps it in
 * the same step: two waiters cannot have the same child.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <linux/resource.h>
#include <linux/wait.h>

#include "process.h"

#define STATUS_CONTINUED 0xffff
#define STATUS_STOPPED(signal) ((signal) << 8 | 0x7f)

struct child_wait {
	int type, id;		 /* P_ALL, P_PID, P_PGID */
	struct process *process; /* P_PIDFD */
	unsigned int options;
	/* What was found. */
	int pid, why, wait_status;
	u32 uid;
	struct rusage usage;
	bool want_usage;
};

static bool is_meant(const struct child_wait *wait, struct process *child)
{
	if (wait->type == P_PID && child->pid != wait->id)
		return false;
	if (wait->type == P_PIDFD && child != wait->process)
		return false;
	if (wait->type == P_PGID && child->group->id != wait->id)
		return false;
	/* A child that was made to end without SIGCHLD is a "clone" child. */
	if (wait->options & __WNOTHREAD && child->maker != current->pid)
		return false;
	if (!(wait->options & __WALL) &&
	    (child->leader->exit_signal != SIGCHLD) != !!(wait->options & __WCLONE))
		return false;
	return true;
}

static void describe(struct child_wait *wait, struct process *child, int why, int wait_status)
{
	const struct cred *cred = process_cred_get(child);

	wait->pid = child->pid;
	wait->why = why;
	wait->wait_status = wait_status;
	wait->uid = cred->uid;
	cred_put(cred);
	if (wait->want_usage)
		process_usage_all(child, &wait->usage);
}

/* True: the child has something to tell; it is told, and unless WNOWAIT asks otherwise it is not told again. */
static bool child_tells(struct child_wait *wait, struct process *child)
{
	struct sighand *sighand;
	unsigned long flags;
	bool told = false;

	if (child->zombie) {
		describe(wait, child, child->exit_code & 0x7f ? CLD_KILLED : CLD_EXITED,
			 child->exit_code);
		if (!(wait->options & WNOWAIT)) {
			process_usage_inherit(current->process, child);
			process_release(child);
		}
		return true;
	}
	if (!(wait->options & (WSTOPPED | WCONTINUED)))
		return false;
	sighand = sighand_lock(child, &flags);
	if (wait->options & WSTOPPED && child->stopped && !child->stop_reported) {
		told = true;
		wait->why = CLD_STOPPED;
		wait->wait_status = STATUS_STOPPED(child->stop_signal);
		if (!(wait->options & WNOWAIT))
			child->stop_reported = true;
	} else if (wait->options & WCONTINUED && child->continued) {
		told = true;
		wait->why = CLD_CONTINUED;
		wait->wait_status = STATUS_CONTINUED;
		if (!(wait->options & WNOWAIT))
			child->continued = false;
	}
	sighand_unlock(sighand, flags);
	if (told)
		describe(wait, child, wait->why, wait->wait_status);
	return told;
}

/* One look at all children: 1 when one has told something, 0 when one may yet, -ECHILD when there is none to wait for. */
static int look(struct child_wait *wait)
{
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);
	struct process *child;
	int result = -ECHILD;

	list_for_each(child, &current->process->children, sibling) {
		if (!is_meant(wait, child))
			continue;
		if (child->zombie && !(wait->options & WEXITED))
			continue; /* it will not stop or go on any more */
		result = 0;
		if (child_tells(wait, child)) {
			result = 1;
			break;
		}
	}
	spin_unlock_irqrestore(&process_tree_lock, flags);
	return result;
}

static int wait_for_child(struct child_wait *wait)
{
	struct wait_entry entry;
	int result = look(wait);

	if (result || wait->options & WNOHANG)
		return result;
	wait_entry_init(&entry);
	for (;;) {
		wait_prepare(&current->process->child_wait, &entry, WAIT_INTERRUPTIBLE, false);
		result = look(wait);
		if (!result)
			result = wait_sleep(WAIT_INTERRUPTIBLE, WAIT_FOREVER);
		if (result)
			break;
	}
	wait_finish(&current->process->child_wait, &entry);
	return result;
}

long sys_wait4(int pid, int __user *status, int options, struct rusage __user *usage)
{
	struct child_wait wait = { .type = P_ALL, .want_usage = usage };
	long result;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == -0x7fffffff - 1)
		return -ESRCH; /* its absolute value is no number */
	if (pid > 0) {
		wait.type = P_PID;
		wait.id = pid;
	} else if (pid == 0) {
		wait.type = P_PGID;
		wait.id = process_group_id(current->process);
	} else if (pid < -1) {
		wait.type = P_PGID;
		wait.id = -pid;
	}
	wait.options = (unsigned int)options | WEXITED;
	result = wait_for_child(&wait);
	if (result <= 0)
		return result;
	if (status && put_user(wait.wait_status, status))
		return -EFAULT;
	if (usage && copy_to_user(usage, &wait.usage, sizeof(wait.usage)))
		return -EFAULT;
	return wait.pid;
}

/* siginfo's status: the exit code or the signal alone. */
static int info_status(const struct child_wait *wait)
{
	switch (wait->why) {
	case CLD_EXITED:
	case CLD_STOPPED:
		return wait->wait_status >> 8 & 0xff;
	case CLD_CONTINUED:
		return SIGCONT;
	default:
		return wait->wait_status & 0x7f;
	}
}

/* Whom waitid(2) names. A descriptor's process is referenced then; *flags: of its file. */
static int wait_target(struct child_wait *wait, u32 *flags)
{
	struct process *process;

	switch (wait->type) {
	case P_ALL:
		return 0;
	case P_PID:
		return wait->id > 0 ? 0 : -EINVAL;
	case P_PGID:
		if (wait->id == 0)
			wait->id = process_group_id(current->process);
		return wait->id >= 0 ? 0 : -EINVAL;
	case P_PIDFD:
		if (wait->id < 0)
			return -EINVAL;
		process = pidfd_process((unsigned int)wait->id, flags);
		if (IS_ERR(process))
			return (int)PTR_ERR(process);
		wait->process = process;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Whatever came of it, as Linux does: a program that finds no process number there knows that nothing happened. */
static int tell_info(const struct child_wait *wait, bool found, siginfo_t __user *to)
{
	if (put_user(found ? SIGCHLD : 0, user_member(to, si_signo)) ||
	    put_user(0, user_member(to, si_errno)) || put_user(wait->why, user_member(to, si_code)) ||
	    put_user(wait->pid, user_member(to, si_pid)) ||
	    put_user(wait->uid, user_member(to, si_uid)) ||
	    put_user(found ? info_status(wait) : 0, user_member(to, si_status)))
		return -EFAULT;
	return 0;
}

long sys_waitid(int which, int id, siginfo_t __user *to, int options, struct rusage __user *usage)
{
	struct child_wait wait = {
		.type = which, .id = id, .options = (unsigned int)options, .want_usage = usage
	};
	u32 pidfd_flags = 0;
	long result;

	if (options &
	    ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	result = wait_target(&wait, &pidfd_flags);
	if (!result) {
		if (pidfd_flags & O_NONBLOCK)
			wait.options |= WNOHANG;
		result = wait_for_child(&wait);
		if (!result && pidfd_flags & O_NONBLOCK && !(options & WNOHANG))
			result = -EAGAIN;
	}
	if (wait.process)
		process_put(wait.process);
	if (result > 0 && usage && copy_to_user(usage, &wait.usage, sizeof(wait.usage)))
		return -EFAULT;
	if (to && tell_info(&wait, result > 0, to))
		return -EFAULT;
	return min(result, 0L);
}
