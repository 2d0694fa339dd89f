/* Resource limits. */
#include <kumo/err.h>
#include <kumo/uaccess.h>
#include <linux/resource.h>

#include "process.h"

#define FILES_MOST 1048576 /* descriptors that a limit may allow (Linux's nr_open) */

/* Sets the limit if `new` is not NULL; what it was goes to *old. */
static int limit_change(struct process *process, unsigned int resource, const struct rlimit *new,
			struct rlimit *old)
{
	unsigned long flags;
	int error = 0;

	if (new) {
		if (new->rlim_cur > new->rlim_max)
			return -EINVAL;
		if (resource == RLIMIT_NOFILE && new->rlim_max > FILES_MOST)
			return -EPERM;
	}
	flags = spin_lock_irqsave(&process->lock);
	*old = process->limits[resource];
	if (new &&new->rlim_max > old->rlim_max && !capable(CAP_SYS_RESOURCE))
		error = -EPERM;
	else if (new)
		process->limits[resource] = *new;
	spin_unlock_irqrestore(&process->lock, flags);
	return error;
}

/* May the current thread see or change what the process may use? */
static bool limits_permitted(struct process *process)
{
	const struct cred *mine = current->cred, *its;
	bool permitted;

	if (process == current->process)
		return true;
	its = process_cred_get(process);
	permitted = (mine->uid == its->euid && mine->uid == its->suid && mine->uid == its->uid &&
		     mine->gid == its->egid && mine->gid == its->sgid && mine->gid == its->gid) ||
		    cred_capable(mine, CAP_SYS_RESOURCE);
	cred_put(its);
	return permitted;
}

long sys_getrlimit(unsigned int resource, struct rlimit __user *to)
{
	struct rlimit limit;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	limit_change(current->process, resource, NULL, &limit);
	return copy_to_user(to, &limit, sizeof(limit)) ? -EFAULT : 0;
}

long sys_setrlimit(unsigned int resource, const struct rlimit __user *from)
{
	struct rlimit new, old;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (copy_from_user(&new, from, sizeof(new)))
		return -EFAULT;
	return limit_change(current->process, resource, &new, &old);
}

/* struct rlimit64 is struct rlimit on 64-bit machines. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "the same layout");

long sys_prlimit64(int pid, unsigned int resource, const struct rlimit __user *from,
		   struct rlimit __user *to)
{
	struct process *process = current->process;
	struct rlimit new, old;
	int error;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (from && copy_from_user(&new, from, sizeof(new)))
		return -EFAULT;
	if (pid && pid != process->pid)
		process = process_find(pid);
	else
		process_get(process);
	if (!process)
		return -ESRCH;
	error = -EPERM;
	if (limits_permitted(process))
		error = limit_change(process, resource, from ? &new : NULL, &old);
	process_put(process);
	if (!error && to && copy_to_user(to, &old, sizeof(old)))
		return -EFAULT;
	return error;
}
