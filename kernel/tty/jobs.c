/*
 * Controlling terminals and job control: which session a terminal belongs to, which of its groups is in the foreground,
 * and what the others get when they touch the terminal.
 *
 * session->tty holds a reference of the terminal; tty->session points back. Both, and tty->foreground, change together under
 * process_tree_lock. Signals are sent when it is free again, since sending takes it.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <kumo/cred.h>
#include <kumo/export.h>
#include <kumo/rcu.h>
#include <kumo/signal.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>

#include "../process.h"
#include "internal.h"

static void send_to_group(int id, unsigned long signals)
{
	struct process_group *group = id && signals ? process_group_find(id) : NULL;

	if (!group)
		return;
	for (int signal = 1; signal <= SIGNAL_COUNT; signal++)
		if (signals & 1UL << (signal - 1))
			signal_send_group(group, signal, NULL); /* -ESRCH: everyone has just gone */
	process_group_put(group);
}

void tty_send_signals(struct tty *tty, unsigned long signals)
{
	send_to_group(tty_foreground_group(tty), signals);
}
EXPORT_SYMBOL(tty_send_signals);

/* The controlling terminal; NULL: none. process_tree_lock is held. */
static struct tty *terminal_of(const struct process *process)
{
	return process->left_terminal ? NULL : process->group->session->tty;
}

struct tty *tty_of_current(void)
{
	struct process *process = current->process;
	struct tty *tty;
	unsigned long flags;

	if (!process)
		return NULL;
	flags = spin_lock_irqsave(&process_tree_lock);
	tty = terminal_of(process);
	if (tty)
		tty_get(tty);
	spin_unlock_irqrestore(&process_tree_lock, flags);
	return tty;
}

int tty_check_foreground(struct tty *tty, int signal)
{
	struct process *process = current->process;
	unsigned long flags;
	int group = 0, error = 0;

	if (!process)
		return 0;
	flags = spin_lock_irqsave(&process_tree_lock);
	if (terminal_of(process) == tty && tty->foreground && tty->foreground != process->group->id) {
		if (signal_ignored_or_blocked(signal))
			error = signal == SIGTTIN ? -EIO : 0;
		else if (process_group_orphaned(process->group, NULL))
			error = -EIO;
		else
			group = process->group->id;
	}
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (!group)
		return error;
	send_to_group(group, 1UL << (signal - 1));
	return -ERESTARTSYS;
}

/* ---- Becoming and ceasing to be a controlling terminal ---- */

/* process_tree_lock is held; the session leader has no terminal, the terminal no session. */
static void attach(struct tty *tty, struct process *leader)
{
	tty_get(tty);
	leader->group->session->tty = tty;
	leader->group->session->lost_foreground = 0;
	leader->left_terminal = false;
	tty->session = leader->group->session;
	tty->foreground = leader->group->id;
}

/* process_tree_lock is held. The caller drops the session's reference of the terminal. */
static void detach(struct tty *tty)
{
	tty->session->tty = NULL;
	tty->session = NULL;
	tty->foreground = 0;
}

void tty_open_controlling(struct tty *tty, struct file *file)
{
	struct process *process = current->process;
	unsigned long flags;

	if (!process || !(file->mode & FILE_READ))
		return;
	flags = spin_lock_irqsave(&process_tree_lock);
	if (process->group->session->leader == process && !process->group->session->tty && !tty->session)
		attach(tty, process);
	spin_unlock_irqrestore(&process_tree_lock, flags);
}

#define HANG_UP (1UL << (SIGHUP - 1))
#define GO_ON (1UL << (SIGCONT - 1))

void tty_detach_session(struct tty *tty, unsigned long signals, bool hang_up)
{
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);
	struct process *leader = NULL;
	bool attached = tty->session != NULL;
	int foreground = tty->foreground;

	if (attached) {
		leader = hang_up ? tty->session->leader : NULL;
		if (leader) {
			process_get(leader);
			tty->session->lost_foreground = foreground;
		}
		detach(tty);
	}
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (!attached)
		return;
	if (leader) {
		signal_send_process(leader, SIGHUP, NULL);
		signal_send_process(leader, SIGCONT, NULL);
		process_put(leader);
	}
	send_to_group(foreground, signals);
	tty_put(tty);
}

void tty_session_ended(struct session *session)
{
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);
	struct tty *tty = session->tty;
	int foreground = session->lost_foreground;

	if (tty)
		tty_get(tty);
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (!tty) {
		send_to_group(foreground, HANG_UP | GO_ON);
		return;
	}
	tty_detach_session(tty, HANG_UP, false);
	if (!tty->pseudo)
		tty_hangup_now(tty);
	tty_put(tty);
}

long sys_vhangup(void)
{
	struct tty *tty;

	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty = tty_of_current();
	if (tty) {
		tty_hangup_now(tty);
		tty_put(tty);
	}
	return 0;
}

/* ---- ioctl(2) ---- */

/* TIOCSCTTY */
static long become_controlling(struct file *file, struct tty *tty, bool steal)
{
	struct process *process = current->process;
	struct session *session;
	bool stolen = false;
	unsigned long flags;
	long error = -EPERM;

	if (!process)
		return -EPERM;
	flags = spin_lock_irqsave(&process_tree_lock);
	session = process->group->session;
	if (session->leader == process && session->tty == tty) {
		error = 0;
		goto out;
	}
	if (session->leader != process || session->tty)
		goto out;
	if (!(file->mode & FILE_READ) && !capable(CAP_SYS_ADMIN))
		goto out;
	if (tty->session) {
		if (!steal || !capable(CAP_SYS_ADMIN))
			goto out;
		detach(tty);
		stolen = true;
	}
	attach(tty, process);
	error = 0;
out:
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (stolen)
		tty_put(tty);
	return error;
}

/* TIOCNOTTY */
static long give_up_controlling(struct tty *tty)
{
	struct process *process = current->process;
	unsigned long flags;
	bool leader;

	if (!process)
		return -ENOTTY;
	flags = spin_lock_irqsave(&process_tree_lock);
	if (terminal_of(process) != tty) {
		spin_unlock_irqrestore(&process_tree_lock, flags);
		return -ENOTTY;
	}
	leader = process->group->session->leader == process;
	process->left_terminal = !leader;
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (leader) /* everybody leaves it */
		tty_detach_session(tty, HANG_UP | GO_ON, false);
	return 0;
}

/* TIOCSPGRP */
static long set_foreground(struct tty *tty, int id)
{
	struct process_group *group;
	unsigned long flags;
	long error;

	error = tty_check_foreground(tty, SIGTTOU);
	if (error == -EIO)
		return -ENOTTY;
	if (error)
		return error;
	if (id < 0)
		return -EINVAL;
	group = process_group_find(id);
	flags = spin_lock_irqsave(&process_tree_lock);
	if (!current->process || terminal_of(current->process) != tty)
		error = -ENOTTY;
	else if (!group)
		error = -ESRCH;
	else if (group->session != tty->session)
		error = -EPERM;
	else
		tty->foreground = id;
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (group)
		process_group_put(group);
	return error;
}

long tty_jobs_ioctl(struct file *file, struct tty *tty, bool other_side, unsigned int command,
		    unsigned long argument)
{
	int __user *number = (int __user *)argument;
	unsigned long flags;
	bool mine;
	int group, session, id;

	switch (command) {
	case TIOCSCTTY:
		return become_controlling(file, tty, argument == 1);
	case TIOCNOTTY:
		return other_side ? -ENOTTY : give_up_controlling(tty);
	case TIOCSPGRP:
		if (get_user(id, number))
			return -EFAULT;
		return set_foreground(tty, id);
	case TIOCGPGRP:
	case TIOCGSID:
		flags = spin_lock_irqsave(&process_tree_lock);
		mine = other_side || (current->process && terminal_of(current->process) == tty);
		group = tty->foreground;
		session = tty->session ? tty->session->id : 0;
		spin_unlock_irqrestore(&process_tree_lock, flags);
		if (!mine || (command == TIOCGSID && !session))
			return -ENOTTY;
		return put_user(command == TIOCGSID ? session : group, number);
	default:
		return -ENOIOCTLCMD;
	}
}
