/* System calls on scheduling: policies, priorities, CPUs. */
#include <kumo/cred.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#define NICE_MIN (-20)
#define NICE_MAX 19
#define SLICE_NS (4 * NSEC_PER_MSEC) /* kernel/sched.c's */

long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}

/* The thread `tid` (0: the current one), referenced. */
static struct thread *thread_by_number(int tid)
{
	if (tid)
		return thread_find(tid);
	thread_get(current);
	return current;
}

/* May the current thread decide over another: its own user's, or with the capability. */
static bool may_schedule(struct thread *thread)
{
	const struct cred *mine = current->cred;
	bool may;

	if (capable(CAP_SYS_NICE))
		return true;
	rcu_read_lock();
	may = mine->euid == thread->cred->euid || mine->euid == thread->cred->uid;
	rcu_read_unlock();
	return may;
}

/* ---- Nice values ---- */

static bool may_nice(struct thread *thread, int nice)
{
	u64 limit;

	if (nice >= thread->nice || capable(CAP_SYS_NICE))
		return true;
	limit = process_limit(RLIMIT_NICE); /* 20 - nice */
	return limit != RLIM_INFINITY ? (u64)(20 - nice) <= limit : true;
}

/* What is done with each thread that a call names; the result so far goes in and out. */
typedef int (*priority_visitor)(struct thread *thread, int nice, int result);

static int set_one(struct thread *thread, int nice, int result)
{
	const struct cred *mine = current->cred;

	if (mine->euid != thread->cred->euid && mine->euid != thread->cred->uid && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (!may_nice(thread, nice))
		return -EACCES;
	sched_set_nice(thread, nice);
	return result == -ESRCH ? 0 : result;
}

static int get_one(struct thread *thread, int unused, int result)
{
	return max(result, 20 - thread->nice);
}

static int visit_threads(struct process *process, priority_visitor visit, int nice, int result)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct thread *thread;

	list_for_each(thread, &process->threads, process_link)
		result = visit(thread, nice, result);
	spin_unlock_irqrestore(&process->lock, flags);
	return result;
}

static bool belongs_to(struct process *process, int which, u32 who)
{
	bool belongs;

	rcu_read_lock();
	if (which == PRIO_PGRP) {
		struct process_group *group = rcu_dereference(process->group);

		belongs = group && group->id == (int)who;
	} else {
		struct thread *leader = rcu_dereference(process->leader);

		belongs = leader && leader->cred->uid == who;
	}
	rcu_read_unlock();
	return belongs;
}

static int visit_priorities(int which, int who, priority_visitor visit, int nice)
{
	int result = -ESRCH;

	if (which == PRIO_PROCESS) {
		struct thread *thread = thread_by_number(who);

		if (thread) {
			result = visit(thread, nice, result);
			thread_put(thread);
		}
		return result;
	}
	if (which == PRIO_PGRP && !who) {
		rcu_read_lock();
		who = rcu_dereference(current->process->group)->id;
		rcu_read_unlock();
	} else if (which == PRIO_USER && !who) {
		who = (int)current->cred->uid;
	}
	for (int pid = 1;; pid++) {
		struct process *process = process_next(&pid);

		if (!process)
			return result;
		if (belongs_to(process, which, (u32)who))
			result = visit_threads(process, visit, nice, result);
		process_put(process);
		cond_resched();
	}
}

long sys_setpriority(int which, int who, int nice)
{
	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	return visit_priorities(which, who, set_one, clamp(nice, NICE_MIN, NICE_MAX));
}

/* 20 - nice of the most favoured, so that it is never negative. */
long sys_getpriority(int which, int who)
{
	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	return visit_priorities(which, who, get_one, 0);
}

/* ---- Priorities of input and output: kept and told, no more ---- */

static int set_io_priority(struct thread *thread, int priority, int result)
{
	const struct cred *mine = current->cred;

	if (mine->euid != thread->cred->uid && mine->uid != thread->cred->uid && !capable(CAP_SYS_NICE))
		return -EPERM;
	WRITE_ONCE(thread->io_priority, (unsigned short)priority);
	return result == -ESRCH ? 0 : result;
}

/* Whoever has none is served by its nice value. */
static int effective_io_priority(const struct thread *thread)
{
	int priority = READ_ONCE(thread->io_priority);

	if (IOPRIO_PRIO_CLASS(priority) != IOPRIO_CLASS_NONE)
		return priority;
	if (thread->policy == SCHED_IDLE)
		return IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, (thread->nice + 20) / 5);
	return IOPRIO_PRIO_VALUE(thread->realtime_priority ? IOPRIO_CLASS_RT : IOPRIO_CLASS_BE,
				 (thread->nice + 20) / 5);
}

static int get_io_priority_raw(struct thread *thread, int unused, int result)
{
	return READ_ONCE(thread->io_priority);
}

/* The most favoured: classes and levels are better the smaller they are. */
static int get_io_priority(struct thread *thread, int unused, int result)
{
	int priority = effective_io_priority(thread);

	return result < 0 ? priority : min(result, priority);
}

/* IOPRIO_WHO_PROCESS is one thread, in spite of its name; the numbers are one above those of getpriority(2). */
_Static_assert(IOPRIO_WHO_PROCESS == PRIO_PROCESS + 1 && IOPRIO_WHO_USER == PRIO_USER + 1, "one above");

long sys_ioprio_set(int which, int who, int priority)
{
	int level = priority & (IOPRIO_NR_LEVELS - 1); /* bits above are hints */

	switch (IOPRIO_PRIO_CLASS(priority)) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		break;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		break;
	case IOPRIO_CLASS_NONE:
		if (level)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	return visit_priorities(which - 1, who, set_io_priority, priority);
}

long sys_ioprio_get(int which, int who)
{
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	return visit_priorities(which - 1, who,
				which == IOPRIO_WHO_PROCESS ? get_io_priority_raw : get_io_priority, 0);
}

/* ---- Policies ---- */

static bool is_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* For who has no right to favour a thread. */
static bool may_be_realtime(const struct thread *thread, int policy, int priority)
{
	u64 limit = process_limit(RLIMIT_RTPRIO);

	if (policy != thread->policy && !limit)
		return false;
	return priority <= thread->realtime_priority || (u64)priority <= limit;
}

static long set_policy(int tid, int policy, int priority, bool reset_on_fork, const int *nice)
{
	struct thread *thread;
	long error = 0;

	if (tid < 0)
		return -EINVAL;
	thread = thread_by_number(tid);
	if (!thread)
		return -ESRCH;
	if (policy < 0)
		policy = thread->policy;
	if (is_realtime(policy) ? priority < 1 || priority > 99 : priority != 0)
		error = -EINVAL;
	else if (!may_schedule(thread))
		error = -EPERM;
	else if (!capable(CAP_SYS_NICE) &&
		 ((is_realtime(policy) && !may_be_realtime(thread, policy, priority)) ||
		  (thread->reset_on_fork && !reset_on_fork) || (nice && !may_nice(thread, *nice)) ||
		  (thread->policy == SCHED_IDLE && policy != SCHED_IDLE &&
		   !may_nice(thread, thread->nice - 1))))
		error = -EPERM;
	if (!error)
		error = sched_set_policy(thread, (unsigned int)policy, (unsigned int)priority,
					 reset_on_fork);
	if (!error && nice && (policy == SCHED_NORMAL || policy == SCHED_BATCH))
		sched_set_nice(thread, *nice);
	thread_put(thread);
	return error;
}

long sys_sched_setscheduler(int tid, int policy, const struct sched_param __user *from)
{
	struct sched_param parameters;

	if (policy < 0 || !from)
		return -EINVAL;
	if (copy_from_user(&parameters, from, sizeof(parameters)))
		return -EFAULT;
	return set_policy(tid, policy & ~SCHED_RESET_ON_FORK, parameters.sched_priority,
			  policy & SCHED_RESET_ON_FORK, NULL);
}

long sys_sched_setparam(int tid, const struct sched_param __user *from)
{
	struct sched_param parameters;

	if (!from)
		return -EINVAL;
	if (copy_from_user(&parameters, from, sizeof(parameters)))
		return -EFAULT;
	return set_policy(tid, -1, parameters.sched_priority, false, NULL);
}

long sys_sched_getscheduler(int tid)
{
	struct thread *thread;
	long policy;

	if (tid < 0)
		return -EINVAL;
	thread = thread_by_number(tid);
	if (!thread)
		return -ESRCH;
	policy = thread->policy | (thread->reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	thread_put(thread);
	return policy;
}

long sys_sched_getparam(int tid, struct sched_param __user *to)
{
	struct sched_param parameters;
	struct thread *thread;

	if (tid < 0 || !to)
		return -EINVAL;
	thread = thread_by_number(tid);
	if (!thread)
		return -ESRCH;
	parameters.sched_priority = thread->realtime_priority;
	thread_put(thread);
	return copy_to_user(to, &parameters, sizeof(parameters)) ? -EFAULT : 0;
}

long sys_sched_get_priority_max(int policy)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return 99;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_sched_get_priority_min(int policy)
{
	long highest = sys_sched_get_priority_max(policy);

	return highest > 0 ? 1 : highest;
}

long sys_sched_rr_get_interval(int tid, struct __kernel_timespec __user *to)
{
	struct __kernel_timespec interval;
	struct thread *thread;

	if (tid < 0)
		return -EINVAL;
	thread = thread_by_number(tid);
	if (!thread)
		return -ESRCH;
	interval = ns_to_timespec(thread->policy == SCHED_FIFO ? 0
				  : thread->policy == SCHED_RR ? ROUND_ROBIN_SLICE_NS
							       : SLICE_NS);
	thread_put(thread);
	return copy_to_user(to, &interval, sizeof(interval)) ? -EFAULT : 0;
}

/* Attributes grow: programs say how large theirs are. What they set beyond what is known must be zero. */
static long read_attributes(struct sched_attr *attributes, struct sched_attr __user *from)
{
	u32 size;

	memset(attributes, 0, sizeof(*attributes));
	if (get_user(size, user_member(from, size)))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		goto too_big;
	for (u32 at = sizeof(*attributes); at < size; at++) {
		u8 byte;

		if (get_user(byte, (u8 __user *)from + at))
			return -EFAULT;
		if (byte)
			goto too_big;
	}
	if (copy_from_user(attributes, from, min((size_t)size, sizeof(*attributes))))
		return -EFAULT;
	return 0;

too_big:
	/* The program learns what size would do; that it cannot be told is no other error. */
	if (put_user((u32)sizeof(*attributes), user_member(from, size)))
		return -E2BIG;
	return -E2BIG;
}

long sys_sched_setattr(int tid, struct sched_attr __user *from, unsigned int flags)
{
	struct sched_attr attributes;
	long error;
	int nice;

	if (!from || tid < 0 || flags)
		return -EINVAL;
	error = read_attributes(&attributes, from);
	if (error)
		return error;
	if ((int)attributes.sched_policy < 0 || attributes.sched_flags & ~(u64)SCHED_FLAG_ALL)
		return -EINVAL;
	if (attributes.sched_flags & SCHED_FLAG_UTIL_CLAMP)
		return attributes.size < SCHED_ATTR_SIZE_VER1 ? -EINVAL : -EOPNOTSUPP;
	if (attributes.sched_policy == SCHED_DEADLINE)
		return -EPERM; /* as for a program that may not: nobody may */
	nice = clamp((int)attributes.sched_nice, NICE_MIN, NICE_MAX);
	return set_policy(
		tid, attributes.sched_flags & SCHED_FLAG_KEEP_POLICY ? -1 : (int)attributes.sched_policy,
		(int)attributes.sched_priority, attributes.sched_flags & SCHED_FLAG_RESET_ON_FORK,
		&nice);
}

long sys_sched_getattr(int tid, struct sched_attr __user *to, unsigned int size, unsigned int flags)
{
	struct sched_attr attributes = { .size = min(size, (unsigned int)sizeof(attributes)) };
	struct thread *thread;

	if (!to || tid < 0 || flags || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		return -EINVAL;
	thread = thread_by_number(tid);
	if (!thread)
		return -ESRCH;
	attributes.sched_policy = thread->policy;
	if (thread->reset_on_fork)
		attributes.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
	attributes.sched_priority = thread->realtime_priority;
	if (!is_realtime(thread->policy))
		attributes.sched_nice = thread->nice;
	thread_put(thread);
	return copy_to_user(to, &attributes, attributes.size) ? -EFAULT : 0;
}

/* ---- CPUs ---- */

#define CPU_MASK_BYTES sizeof(u64)

long sys_sched_setaffinity(int tid, unsigned int size, const unsigned long __user *from)
{
	struct thread *thread;
	u64 mask = 0;
	long result;

	if (copy_from_user(&mask, from, min((size_t)size, CPU_MASK_BYTES)))
		return -EFAULT;
	thread = thread_by_number(tid);
	if (!thread)
		return -ESRCH;
	result = may_schedule(thread) ? sched_set_affinity(thread, mask) : -EPERM;
	thread_put(thread);
	return result;
}

/* The size of the mask in bytes, as Linux's raw call. */
long sys_sched_getaffinity(int tid, unsigned int size, unsigned long __user *to)
{
	unsigned int cpus = num_online_cpus();
	struct thread *thread;
	u64 mask;

	if (size * 8 < cpus || size % CPU_MASK_BYTES)
		return -EINVAL;
	thread = thread_by_number(tid);
	if (!thread)
		return -ESRCH;
	mask = READ_ONCE(thread->affinity) & (cpus >= 64 ? ~0ULL : BIT(cpus) - 1);
	thread_put(thread);
	return copy_to_user(to, &mask, CPU_MASK_BYTES) ? -EFAULT : (long)CPU_MASK_BYTES;
}

/* There is one NUMA node. The third argument is not used any more. */
long sys_getcpu(unsigned int __user *cpu, unsigned int __user *node, void __user *unused)
{
	if (cpu && put_user(smp_processor_id(), cpu))
		return -EFAULT;
	if (node && put_user(0U, node))
		return -EFAULT;
	return 0;
}
