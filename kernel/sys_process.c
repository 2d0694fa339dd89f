/* System calls on threads and processes. */
#include <asm/prctl.h>
#include <kumo/arch/thread.h>
#include <kumo/err.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/securebits.h>

#include "process.h"

/* Making ------------------------------------------------------------------------------------------------------------ */

long sys_fork(void)
{
	const struct clone_request request = { .exit_signal = SIGCHLD };

	return process_clone(&request);
}

long sys_vfork(void)
{
	const struct clone_request request = { .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD };

	return process_clone(&request);
}

long sys_clone(unsigned long flags, unsigned long stack, int __user *parent_tid,
	       int __user *child_tid, unsigned long tls)
{
	const unsigned long told_there = CLONE_PIDFD | CLONE_PARENT_SETTID;

	/* Both would be told at the same address. */
	if ((flags & told_there) == told_there || (flags & CLONE_PIDFD && flags & CLONE_DETACHED))
		return -EINVAL;

	const struct clone_request request = {
		.flags = (u32)flags & ~(unsigned long)CSIGNAL, /* CLONE_DETACHED and others without meaning included */
		.exit_signal = (int)(flags & CSIGNAL),
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid,
	};

	return process_clone(&request);
}

/* Structures that grow by version: what the kernel does not know must be zero. */
static int copy_versioned(void *to, size_t known, size_t least, const void __user *from, size_t size)
{
	u8 byte;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < least)
		return -EINVAL;
	memset(to, 0, known);
	for (size_t i = known; i < size; i++) {
		if (get_user(byte, (const u8 __user *)from + i))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return copy_from_user(to, from, min(size, known)) ? -EFAULT : 0;
}

long sys_clone3(const struct clone_args __user *from, size_t size)
{
	struct clone_args args;
	int error = copy_versioned(&args, sizeof(args), CLONE_ARGS_SIZE_VER0, from, size);

	if (error)
		return error;
	if (args.set_tid || args.set_tid_size)
		return args.set_tid_size > 32 || !args.set_tid || !args.set_tid_size ? -EINVAL : -EPERM;
	if (args.exit_signal > SIGNAL_COUNT || args.flags & (CSIGNAL | CLONE_DETACHED) ||
	    args.flags & ~(u64)(0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return -EINVAL;
	if (args.flags & (CLONE_THREAD | CLONE_PARENT) && args.exit_signal)
		return -EINVAL;
	if (!args.stack != !args.stack_size || args.stack + args.stack_size < args.stack ||
	    !user_range_ok((void __user *)args.stack, args.stack_size))
		return -EINVAL;

	const struct clone_request request = {
		.flags = args.flags,
		.exit_signal = (int)args.exit_signal,
		.stack = args.stack + args.stack_size,
		.tls = args.tls,
		.parent_tid = (int __user *)args.parent_tid,
		.child_tid = (int __user *)args.child_tid,
		.pidfd = (int __user *)args.pidfd,
	};
	return process_clone(&request);
}

/* Ending ------------------------------------------------------------------------------------------------------------ */

long sys_exit(int code)
{
	thread_exit((code & 0xff) << 8);
}

long sys_exit_group(int code)
{
	process_exit_group((code & 0xff) << 8);
}

/* Identity ---------------------------------------------------------------------------------------------------------- */

long sys_getpid(void)
{
	return current->process->pid;
}

long sys_gettid(void)
{
	return current->pid;
}

long sys_getppid(void)
{
	long result;

	rcu_read_lock();
	result = rcu_dereference(current->process->parent)->pid;
	rcu_read_unlock();
	return result;
}

long sys_set_tid_address(int __user *address)
{
	current->clear_child_tid = address;
	return current->pid;
}

long sys_set_robust_list(void __user *head, size_t size)
{
	if (size != 3 * sizeof(long))
		return -EINVAL;
	current->robust_list = head;
	return 0;
}

long sys_get_robust_list(int pid, void *__user *head, size_t __user *size)
{
	struct thread *thread = pid ? thread_find(pid) : current;
	void __user *value;

	if (!thread)
		return -ESRCH;
	if (!pid)
		thread_get(thread);
	if (!thread->process) {
		thread_put(thread);
		return -ESRCH;
	}
	if (thread->process != current->process && !process_may_inspect(thread->process)) {
		thread_put(thread);
		return -EPERM;
	}
	value = thread->robust_list;
	thread_put(thread);
	return put_user(3 * sizeof(long), size) || put_user(value, head) ? -EFAULT : 0;
}

long sys_personality(unsigned int persona)
{
	unsigned int old = current->process->personality;

	if (persona != 0xffffffff)
		current->process->personality = persona;
	return old;
}

long sys_arch_prctl(int code, unsigned long address)
{
	return arch_prctl(code, address);
}

/* prctl ------------------------------------------------------------------------------------------------------------- */

static long set_name(const char __user *from)
{
	char name[sizeof(current->name)] = {};
	ssize_t length = strncpy_from_user(name, from, sizeof(name) - 1);

	if (length < 0)
		return length;
	name[sizeof(name) - 1] = '\0';
	memcpy(current->name, name, sizeof(name));
	return 0;
}

static long set_no_new_privs(void)
{
	struct cred *cred = cred_copy(current->cred, current->cred->group_count);

	if (!cred)
		return -ENOMEM;
	cred->no_new_privs = true;
	cred_commit(cred);
	return 0;
}

static long bounding_set_drop(unsigned long capability)
{
	struct cred *cred;

	if (!capable(CAP_SETPCAP))
		return -EPERM;
	if (capability > CAP_LAST_CAP)
		return -EINVAL;
	cred = cred_copy(current->cred, current->cred->group_count);
	if (!cred)
		return -ENOMEM;
	cred->cap_bounding &= ~(1ULL << capability);
	cred_commit(cred);
	return 0;
}

static long ambient_change(unsigned long operation, unsigned long capability)
{
	const struct cred *old = current->cred;
	struct cred *cred;
	u64 bit;

	if (operation != PR_CAP_AMBIENT_CLEAR_ALL && capability > CAP_LAST_CAP)
		return -EINVAL;
	bit = 1ULL << capability;
	if (operation == PR_CAP_AMBIENT_IS_SET)
		return !!(old->cap_ambient & bit);
	if (operation == PR_CAP_AMBIENT_RAISE &&
	    (!(old->cap_permitted & bit) || !(old->cap_inheritable & bit) ||
	     old->securebits & (1 << SECURE_NO_CAP_AMBIENT_RAISE)))
		return -EPERM;
	cred = cred_copy(old, old->group_count);
	if (!cred)
		return -ENOMEM;
	switch (operation) {
	case PR_CAP_AMBIENT_CLEAR_ALL:
		cred->cap_ambient = 0;
		break;
	case PR_CAP_AMBIENT_RAISE:
		cred->cap_ambient |= bit;
		break;
	case PR_CAP_AMBIENT_LOWER:
		cred->cap_ambient &= ~bit;
		break;
	default:
		cred_put(cred);
		return -EINVAL;
	}
	cred_commit(cred);
	return 0;
}

static long securebits_set(unsigned long bits)
{
	const struct cred *old = current->cred;
	unsigned long locked = (old->securebits & SECURE_ALL_LOCKS) >> 1;
	struct cred *cred;

	if ((locked & (old->securebits ^ bits)) || ((old->securebits & SECURE_ALL_LOCKS) & ~bits) ||
	    bits & ~(unsigned long)(SECURE_ALL_LOCKS | SECURE_ALL_BITS) || !capable(CAP_SETPCAP))
		return -EPERM;
	cred = cred_copy(old, old->group_count);
	if (!cred)
		return -ENOMEM;
	cred->securebits = (u32)bits;
	cred_commit(cred);
	return 0;
}

static long keep_capabilities_set(unsigned long keep)
{
	struct cred *cred;

	if (keep > 1)
		return -EINVAL;
	if (current->cred->securebits & (1 << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	cred = cred_copy(current->cred, current->cred->group_count);
	if (!cred)
		return -ENOMEM;
	cred->securebits &= ~(1U << SECURE_KEEP_CAPS);
	cred->securebits |= (u32)keep << SECURE_KEEP_CAPS;
	cred_commit(cred);
	return 0;
}

/* PR_SET_MM: what setproctitle of privileged programs uses. */
static long set_mm(unsigned long what, unsigned long value)
{
	struct mm *mm = current->mm;

	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (value >= USER_END)
		return -EINVAL;
	switch (what) {
	case PR_SET_MM_ARG_START:
		mm->arg_start = value;
		return 0;
	case PR_SET_MM_ARG_END:
		mm->arg_end = value;
		return 0;
	case PR_SET_MM_ENV_START:
		mm->env_start = value;
		return 0;
	case PR_SET_MM_ENV_END:
		mm->env_end = value;
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	struct process *process = current->process;

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (a > SIGNAL_COUNT)
			return -EINVAL;
		process->parent_death_signal = (int)a;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user(process->parent_death_signal, (int __user *)a);
	case PR_GET_DUMPABLE:
		return process->dumpable;
	case PR_SET_DUMPABLE:
		if (a > 1)
			return -EINVAL;
		process->dumpable = a;
		return 0;
	case PR_SET_NAME:
		return set_name((const char __user *)a);
	case PR_GET_NAME:
		return copy_to_user((void __user *)a, current->name, sizeof(current->name)) ? -EFAULT
											    : 0;
	case PR_GET_KEEPCAPS:
		return current->cred->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return keep_capabilities_set(a);
	case PR_GET_SECUREBITS:
		return current->cred->securebits;
	case PR_SET_SECUREBITS:
		return securebits_set(a);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_CAPBSET_READ:
		return a > CAP_LAST_CAP ? -EINVAL : (long)(current->cred->cap_bounding >> a & 1);
	case PR_CAPBSET_DROP:
		return bounding_set_drop(a);
	case PR_CAP_AMBIENT:
		if (c || d || (a == PR_CAP_AMBIENT_CLEAR_ALL && b))
			return -EINVAL;
		return ambient_change(a, b);
	case PR_GET_TIMERSLACK:
		return (long)current->timer_slack_ns;
	case PR_SET_TIMERSLACK:
		current->timer_slack_ns = a ? a : 50 * NSEC_PER_USEC;
		return 0;
	case PR_SET_CHILD_SUBREAPER:
		process->child_subreaper = a;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user((int)process->child_subreaper, (int __user *)a);
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1 || b || c || d)
			return -EINVAL;
		return current->cred->no_new_privs ? 0 : set_no_new_privs();
	case PR_GET_NO_NEW_PRIVS:
		if (a || b || c || d)
			return -EINVAL;
		return current->cred->no_new_privs;
	case PR_GET_TID_ADDRESS:
		return put_user(current->clear_child_tid, (int *__user *)a);
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE:
		return a && option == PR_GET_THP_DISABLE ? -EINVAL
							 : 0; /* there are no huge pages for programs */
	case PR_SET_MM:
		return c || d ? -EINVAL : set_mm(a, b);
	default:
		return -EINVAL;
	}
}
