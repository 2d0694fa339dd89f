/* The owner of an open file, whom signals tell of it: fcntl(2), F_SETOWN, F_SETOWN_EX and F_SETSIG. */
#include <asm/poll.h>
#include <kumo/async.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/fcntl.h>

#include "process.h"

struct file_owner file_owner_get(struct file *file)
{
	struct file_owner *owner, copy = {};

	rcu_read_lock();
	owner = rcu_dereference(file->told);
	if (owner)
		copy = *owner;
	rcu_read_unlock();
	return copy;
}
EXPORT_SYMBOL(file_owner_get);

int file_owner_number(struct file *file)
{
	struct file_owner owner = file_owner_get(file);

	return owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}
EXPORT_SYMBOL(file_owner_number);

static void owner_free(struct rcu_head *head)
{
	kfree(container_of(head, struct file_owner, rcu));
}

/* What is to be changed has been changed in a copy of the current owner by `change`. */
static int owner_replace(struct file *file,
			 void (*change)(struct file_owner *owner, int type, int value), int type,
			 int value)
{
	struct file_owner *fresh = kzalloc(sizeof(*fresh), GFP_USER), *old;

	if (!fresh)
		return -ENOMEM;
	spin_lock(&file->lock);
	old = file->told;
	if (old)
		*fresh = *old;
	change(fresh, type, value);
	rcu_assign_pointer(file->told, fresh);
	spin_unlock(&file->lock);
	if (old)
		call_rcu(&old->rcu, owner_free);
	return 0;
}

void file_owner_release(struct file *file)
{
	if (file->told)
		call_rcu(&file->told->rcu, owner_free);
	file->told = NULL;
}

/* Is there such a process, thread or group? */
static bool owner_exists(int type, int pid)
{
	struct process_group *group;
	struct process *process;
	struct thread *thread;

	if (type == F_OWNER_PGRP) {
		group = process_group_find(pid);
		if (group)
			process_group_put(group);
		return group;
	}
	if (type == F_OWNER_TID) {
		thread = thread_find(pid);
		if (thread)
			thread_put(thread);
		return thread;
	}
	process = process_find(pid);
	if (process)
		process_put(process);
	return process;
}

static void change_owner(struct file_owner *owner, int type, int pid)
{
	owner->type = pid ? type : F_OWNER_TID;
	owner->pid = pid;
	owner->uid = current->cred->uid;
	owner->euid = current->cred->euid;
}

int file_owner_set(struct file *file, int type, int pid)
{
	if (type != F_OWNER_TID && type != F_OWNER_PID && type != F_OWNER_PGRP)
		return -EINVAL;
	if (pid && !owner_exists(type, pid))
		return -ESRCH;
	return owner_replace(file, change_owner, type, pid);
}

int file_owner_set_number(struct file *file, int number)
{
	if (number == (int)0x80000000)
		return -EINVAL;
	return number < 0 ? file_owner_set(file, F_OWNER_PGRP, -number)
			  : file_owner_set(file, F_OWNER_PID, number);
}
EXPORT_SYMBOL(file_owner_set_number);

static void change_signal(struct file_owner *owner, int type, int signal)
{
	owner->signal = signal;
}

int file_owner_set_signal(struct file *file, int signal)
{
	return owner_replace(file, change_signal, 0, signal);
}

/* ---- Sending ---- */

/* As kill(2) has it, but for the capability: who named the owner may be gone. */
static bool owner_may_signal(const struct file_owner *owner, struct process *process)
{
	const struct cred *cred = process_cred_get(process);
	bool may = owner->euid == 0 || owner->euid == cred->suid || owner->euid == cred->uid ||
		   owner->uid == cred->suid || owner->uid == cred->uid;

	cred_put(cred);
	return may;
}

static void signal_group(const struct file_owner *owner, int signal, const siginfo_t *info)
{
	struct process_group *group = process_group_find(owner->pid);
	struct process *process;
	unsigned long flags;

	if (!group)
		return;
	flags = spin_lock_irqsave(&process_tree_lock);
	list_for_each(process, &group->processes, group_link)
		if (owner_may_signal(owner, process))
			(void)signal_send_process(process, signal, info);
	spin_unlock_irqrestore(&process_tree_lock, flags);
	process_group_put(group);
}

/* Without a reference: what the last one frees could not be freed here, where interrupts may be off. */
static int signal_thread(const struct file_owner *owner, int signal, const siginfo_t *info)
{
	struct thread *thread;
	struct pid *pid;
	int error = 0;

	rcu_read_lock();
	pid = pid_find(owner->pid);
	thread = pid ? rcu_dereference(pid->thread) : NULL;
	if (thread && thread->process && owner_may_signal(owner, thread->process))
		error = signal_send_thread(thread, signal, info);
	rcu_read_unlock();
	return error;
}

static int signal_one(const struct file_owner *owner, int signal, const siginfo_t *info)
{
	struct process *process;
	int error = 0;

	if (owner->type == F_OWNER_TID)
		return signal_thread(owner, signal, info);
	process = process_find(owner->pid);
	if (!process)
		return 0;
	if (owner_may_signal(owner, process))
		error = signal_send_process(process, signal, info);
	process_put(process);
	return error;
}

/* What si_band holds for each code. */
static const short bands[] = {
	[POLL_IN] = POLLIN | POLLRDNORM,
	[POLL_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND,
	[POLL_MSG] = POLLIN | POLLRDNORM | POLLMSG,
	[POLL_ERR] = POLLERR,
	[POLL_PRI] = POLLPRI | POLLRDBAND,
	[POLL_HUP] = POLLHUP | POLLERR,
};

void file_owner_signal(struct file *file, unsigned int fd, int code)
{
	const struct file_owner owner = file_owner_get(file);
	siginfo_t info = { .si_signo = owner.signal, .si_code = code };

	if (!owner.pid)
		return;
	info.si_band = bands[code];
	info.si_fd = (int)fd;
	if (owner.type == F_OWNER_PGRP)
		signal_group(&owner, owner.signal ? owner.signal : SIGIO, owner.signal ? &info : NULL);
	else if (!owner.signal || signal_one(&owner, owner.signal, &info) == -EAGAIN)
		(void)signal_one(&owner, SIGIO, NULL); /* the queue of real-time signals is full: at least that */
}

void file_owner_urgent(struct file *file)
{
	const struct file_owner owner = file_owner_get(file);

	if (!owner.pid)
		return;
	if (owner.type == F_OWNER_PGRP)
		signal_group(&owner, SIGURG, NULL);
	else
		(void)signal_one(&owner, SIGURG, NULL); /* it may be gone */
}
EXPORT_SYMBOL(file_owner_urgent);
