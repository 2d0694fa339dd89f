/*
 * Process groups and sessions: which processes a terminal's signals go to, and which of them have a shell to look after
 * them.
 *
 * A group lives while a process is in it (or somebody holds a reference), a session while it has a group. Both keep their
 * number taken. Membership changes under process_tree_lock.
 */
#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/tty.h>

#include "process.h"

/* Where a process is that has been reaped, for those who still look at it. Not counted. */
static struct session no_session = { .refs = { ATOMIC_INIT(1) } };
struct process_group no_group = {
	.refs = { ATOMIC_INIT(1) },
	.session = &no_session,
	.processes = LIST_INIT(no_group.processes),
};

/* Objects --------------------------------------------------------------------------------------------------------- */

struct process_group *process_group_alloc(void)
{
	struct process_group *group = kzalloc(sizeof(*group), GFP_KERNEL);

	if (!group)
		return NULL;
	refcount_set(&group->refs, 1);
	list_init(&group->processes);
	return group;
}

struct process_group *process_group_alloc_session(void)
{
	struct process_group *group = process_group_alloc();

	if (!group)
		return NULL;
	group->session = kzalloc(sizeof(*group->session), GFP_KERNEL);
	if (!group->session) {
		kfree(group);
		return NULL;
	}
	refcount_set(&group->session->refs, 1);
	return group;
}

void process_group_free_unused(struct process_group *group)
{
	kfree(group->session);
	kfree(group);
}

void process_group_start(struct process_group *group, struct pid *pid, struct session *session)
{
	refcount_inc(&session->refs);
	group->session = session;
	group->id = pid->number;
	group->number = pid;
	pid_attach(pid, PID_GROUP, group);
}

void session_start(struct process_group *group, struct pid *pid, struct process *leader)
{
	struct session *session = group->session;

	session->id = pid->number;
	session->number = pid;
	session->leader = leader;
	pid_attach(pid, PID_SESSION, session);
	group->id = pid->number;
	group->number = pid;
	pid_attach(pid, PID_GROUP, group);
}

void session_put(struct session *session)
{
	if (!refcount_dec_and_test(&session->refs))
		return;
	pid_detach(session->number, PID_SESSION);
	kfree_rcu(session);
}

void process_group_put(struct process_group *group)
{
	if (!refcount_dec_and_test(&group->refs))
		return;
	pid_detach(group->number, PID_GROUP);
	session_put(group->session);
	kfree_rcu(group);
}

void process_join_group(struct process *process, struct process_group *group)
{
	refcount_inc(&group->refs);
	rcu_assign_pointer(process->group, group);
	list_add_tail(&group->processes, &process->group_link);
}

void process_change_group(struct process *process, struct process_group *group)
{
	struct process_group *old = process->group;

	list_del(&process->group_link);
	process_join_group(process, group);
	process_group_put(old);
}

void process_leave_group(struct process *process)
{
	struct process_group *group = process->group;

	list_del_init(&process->group_link);
	rcu_assign_pointer(process->group, &no_group);
	process_group_put(group);
}

/* Orphans --------------------------------------------------------------------------------------------------------- */

bool process_group_orphaned(struct process_group *group, struct process *ignored)
{
	struct process *process;

	list_for_each(process, &group->processes, group_link) {
		struct process *parent = process->parent;

		if (process == ignored || process->zombie || parent == init_process ||
		    parent == &kernel_process)
			continue;
		if (parent->group != group && parent->group->session == group->session)
			return false; /* a shell of its own session looks after it */
	}
	return true;
}

static bool has_stopped_process(struct process_group *group)
{
	struct process *process;

	list_for_each(process, &group->processes, group_link) {
		if (READ_ONCE(process->stopped))
			return true;
	}
	return false;
}

static void group_signal(struct process_group *group, int signal)
{
	struct process *process;

	list_for_each(process, &group->processes, group_link)
		signal_send_process(process, signal, NULL);
}

/* `child` loses `parent`: its group has become an orphan if that was the link, and must not stay stopped for ever. */
static void group_orphan(struct process *child, struct process *parent, struct process *ignored)
{
	struct process_group *group = child->group;

	if (parent->group == group || parent->group->session != group->session)
		return;
	if (process_group_orphaned(group, ignored) && has_stopped_process(group)) {
		group_signal(group, SIGHUP);
		group_signal(group, SIGCONT);
	}
}

void process_groups_orphan(struct process *process)
{
	struct process *child;

	if (process->parent != &kernel_process)
		group_orphan(process, process->parent, process);
	list_for_each(child, &process->children, sibling)
		group_orphan(child, process, NULL);
}

/* The end of a leader --------------------------------------------------------------------------------------------- */

void session_leader_exit(struct process *process)
{
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);
	struct session *session = process->group->session; /* stays: a leader cannot leave it */
	bool leads = session->leader == process;

	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (!leads)
		return;
	tty_session_ended(session);
	flags = spin_lock_irqsave(&process_tree_lock);
	session->leader = NULL;
	spin_unlock_irqrestore(&process_tree_lock, flags);
}

/* System calls ---------------------------------------------------------------------------------------------------- */

/* The process that `pid` names for these calls, referenced; 0: the caller's. */
static struct process *named_process(int pid)
{
	if (pid == 0 || pid == current->process->pid) {
		process_get(current->process);
		return current->process;
	}
	return process_find(pid);
}

/* process_tree_lock held. The group that `process` shall join, referenced; `fresh` becomes it if it is to be founded. */
static struct process_group *group_to_join(struct process *process, int id, struct process_group **fresh)
{
	struct session *session = process->group->session;
	struct process_group *group;

	if (process->parent == current->process) {
		if (session != current->process->group->session)
			return ERR_PTR(-EPERM);
		if (process->did_exec)
			return ERR_PTR(-EACCES);
	} else if (process != current->process) {
		return ERR_PTR(-ESRCH);
	}
	if (session->leader == process || process->reaped)
		return ERR_PTR(process->reaped ? -ESRCH : -EPERM);
	group = process_group_find(id);
	if (!group) {
		if (id != process->pid)
			return ERR_PTR(-EPERM);
		group = *fresh;
		*fresh = NULL;
		process_group_start(group, process->number, session);
	} else if (group->session != session) {
		process_group_put(group);
		return ERR_PTR(-EPERM);
	}
	return group;
}

long sys_setpgid(int pid, int pgid)
{
	struct process_group *group, *fresh;
	struct process *process;
	unsigned long flags;
	long result = 0;

	if (pgid < 0 || (!pgid && pid < 0))
		return -EINVAL;
	process = named_process(pid);
	if (!process)
		return -ESRCH;
	fresh = process_group_alloc();
	if (!fresh) {
		process_put(process);
		return -ENOMEM;
	}
	flags = spin_lock_irqsave(&process_tree_lock);
	group = group_to_join(process, pgid ? pgid : process->pid, &fresh);
	if (IS_ERR(group)) {
		result = PTR_ERR(group);
	} else {
		if (group != process->group)
			process_change_group(process, group);
		process_group_put(group);
	}
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (fresh)
		process_group_free_unused(fresh);
	process_put(process);
	return result;
}

long sys_getpgid(int pid)
{
	struct process *process = named_process(pid);
	long result;

	if (!process)
		return -ESRCH;
	result = process_group_id(process);
	process_put(process);
	return result;
}

long sys_getpgrp(void)
{
	return process_group_id(current->process);
}

long sys_getsid(int pid)
{
	struct process *process = named_process(pid);
	long result;

	if (!process)
		return -ESRCH;
	rcu_read_lock();
	result = process_session(process)->id;
	rcu_read_unlock();
	process_put(process);
	return result;
}

long sys_setsid(void)
{
	struct process *process = current->process;
	struct process_group *group = process_group_alloc_session(), *taken;
	unsigned long flags;
	long result;

	if (!group)
		return -ENOMEM;
	flags = spin_lock_irqsave(&process_tree_lock);
	taken = process_group_find(process->pid);
	if (taken || process->group->session->leader == process) {
		if (taken)
			process_group_put(taken);
		spin_unlock_irqrestore(&process_tree_lock, flags);
		process_group_free_unused(group);
		return -EPERM; /* a group's leader cannot leave it */
	}
	session_start(group, process->number, process);
	process_change_group(process, group);
	process_group_put(group);
	process->left_terminal = false;
	result = process->pid;
	spin_unlock_irqrestore(&process_tree_lock, flags);
	return result;
}
