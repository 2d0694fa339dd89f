/*
 * Numbers of threads, processes, groups and sessions: one table (a radix tree) of struct pid.
 *
 * Numbers are given out in ascending order, so that one that has just become free is not taken again soon, and wrap
 * around to PID_WRAP. Lookups run under RCU; the object that is found may be going, so a reference is taken only while it
 * has one.
 */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/slab.h>
#include <kumo/xarray.h>

#include "process.h"

#define PID_DEFAULT_MAX 32768
#define PID_WRAP 300 /* daemons of the system's start keep the small ones (Linux's RESERVED_PIDS) */

int pid_max = PID_DEFAULT_MAX;

/* Protects the table, last_number and the pointers of every struct pid. Inside process_tree_lock; interrupts off. */
static spinlock_t pid_lock = SPINLOCK_INIT("pid");
static struct xarray pid_table = XARRAY_INIT;
static int last_number = 1; /* 1 is the first process's */

struct pid *pid_alloc(void)
{
	struct pid *pid = kzalloc(sizeof(*pid), GFP_USER);
	unsigned long flags;
	s64 number;

	if (!pid)
		return ERR_PTR(-ENOMEM);
	flags = spin_lock_irqsave(&pid_lock);
	number = -ENOSPC;
	if (last_number + 1 < pid_max)
		number = xarray_alloc(&pid_table, pid, (u64)last_number + 1, (u64)pid_max - 1,
				      GFP_ATOMIC);
	if (number == -ENOSPC)
		number = xarray_alloc(&pid_table, pid, PID_WRAP, (u64)pid_max - 1, GFP_ATOMIC);
	if (number > 0)
		pid->number = last_number = (int)number;
	spin_unlock_irqrestore(&pid_lock, flags);
	if (number > 0)
		return pid;
	kfree(pid);
	return ERR_PTR(number == -ENOSPC ? -EAGAIN : number);
}
EXPORT_SYMBOL(pid_alloc);

struct pid *pid_alloc_at(int number)
{
	struct pid *pid = kzalloc(sizeof(*pid), GFP_USER);
	unsigned long flags;
	int error;

	if (!pid)
		return ERR_PTR(-ENOMEM);
	pid->number = number;
	flags = spin_lock_irqsave(&pid_lock);
	error = pid_find(number) ? -EEXIST : xarray_store(&pid_table, (u64)number, pid, GFP_ATOMIC);
	spin_unlock_irqrestore(&pid_lock, flags);
	if (!error)
		return pid;
	kfree(pid);
	return ERR_PTR(error);
}

static void pid_set(struct pid *pid, enum pid_role role, void *holder)
{
	switch (role) {
	case PID_THREAD:
		rcu_assign_pointer(pid->thread, holder);
		break;
	case PID_PROCESS:
		rcu_assign_pointer(pid->process, holder);
		break;
	case PID_GROUP:
		rcu_assign_pointer(pid->group, holder);
		break;
	case PID_SESSION:
		rcu_assign_pointer(pid->session, holder);
		break;
	}
}

void pid_attach(struct pid *pid, enum pid_role role, void *holder)
{
	unsigned long flags = spin_lock_irqsave(&pid_lock);

	pid_set(pid, role, holder);
	spin_unlock_irqrestore(&pid_lock, flags);
}
EXPORT_SYMBOL(pid_attach);

void pid_detach(struct pid *pid, enum pid_role role)
{
	unsigned long flags = spin_lock_irqsave(&pid_lock);
	bool unused;

	pid_set(pid, role, NULL);
	unused = !pid->thread && !pid->process && !pid->group && !pid->session;
	if (unused)
		xarray_remove(&pid_table, (u64)pid->number);
	spin_unlock_irqrestore(&pid_lock, flags);
	if (unused)
		kfree_rcu(pid);
}
EXPORT_SYMBOL(pid_detach);

void pid_free_unused(struct pid *pid)
{
	unsigned long flags = spin_lock_irqsave(&pid_lock);

	xarray_remove(&pid_table, (u64)pid->number);
	spin_unlock_irqrestore(&pid_lock, flags);
	kfree_rcu(pid);
}
EXPORT_SYMBOL(pid_free_unused);

struct pid *pid_find(int number)
{
	return number > 0 ? xarray_load(&pid_table, (u64)number) : NULL;
}
EXPORT_SYMBOL(pid_find);

struct thread *thread_find(int tid)
{
	struct thread *thread = NULL;
	struct pid *pid;

	rcu_read_lock();
	pid = pid_find(tid);
	if (pid)
		thread = rcu_dereference(pid->thread);
	if (thread && !refcount_inc_not_zero(&thread->refs))
		thread = NULL;
	rcu_read_unlock();
	return thread;
}
EXPORT_SYMBOL(thread_find);

struct process *process_find(int number)
{
	struct process *process = NULL;
	struct pid *pid;

	rcu_read_lock();
	pid = pid_find(number);
	if (pid)
		process = rcu_dereference(pid->process);
	if (process && !refcount_inc_not_zero(&process->refs))
		process = NULL;
	rcu_read_unlock();
	return process;
}
EXPORT_SYMBOL(process_find);

struct process_group *process_group_find(int id)
{
	struct process_group *group = NULL;
	struct pid *pid;

	rcu_read_lock();
	pid = pid_find(id);
	if (pid)
		group = rcu_dereference(pid->group);
	if (group && !refcount_inc_not_zero(&group->refs))
		group = NULL;
	rcu_read_unlock();
	return group;
}
EXPORT_SYMBOL(process_group_find);

struct session *session_find(int id)
{
	struct session *session = NULL;
	struct pid *pid;

	rcu_read_lock();
	pid = pid_find(id);
	if (pid)
		session = rcu_dereference(pid->session);
	if (session && !refcount_inc_not_zero(&session->refs))
		session = NULL;
	rcu_read_unlock();
	return session;
}

struct process *process_next(int *number)
{
	u64 index = *number > 0 ? (u64)*number : 1;
	struct process *process = NULL;
	struct pid *pid;

	rcu_read_lock();
	for (; (pid = xarray_find(&pid_table, &index)); index++) {
		process = rcu_dereference(pid->process);
		if (process && refcount_inc_not_zero(&process->refs)) {
			*number = (int)index;
			break;
		}
		process = NULL;
	}
	rcu_read_unlock();
	return process;
}
EXPORT_SYMBOL(process_next);
