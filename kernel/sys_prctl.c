/*
 * prctl(2): what a thread or process may ask and set about itself; here, in credentials_option() what concerns its
 * credentials, and in machine_option() what concerns the processor.
 */
#include <kumo/err.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>

#include "process.h"
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

long set_no_new_privs(void)
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

/* Whether the thread shall be told early of memory that the machine has lost. Kept for who asks; nothing acts on it. */
static long machine_check_policy_set(unsigned long what, unsigned long policy)
{
	if (what == PR_MCE_KILL_CLEAR) {
		if (policy)
			return -EINVAL;
		current->machine_check_policy = PR_MCE_KILL_DEFAULT;
		return 0;
	}
	if (what != PR_MCE_KILL_SET || policy > PR_MCE_KILL_DEFAULT)
		return -EINVAL;
	current->machine_check_policy = (unsigned char)policy;
	return 0;
}

/* Who shall be allowed to trace the process; for Linux's Yama. Everybody who may otherwise, is: there is nothing to note. */
static long tracer_set(unsigned long pid)
{
	struct process *process;

	if (!pid || (int)pid == (int)PR_SET_PTRACER_ANY)
		return 0;
	process = process_find((int)pid);
	if (!process)
		return -EINVAL;
	process_put(process);
	return 0;
}

/* Whether what the thread does serves storage, so that its allocations must not wait for storage. None does: said, no more. */
static long io_flusher_option(int option, unsigned long a)
{
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (option == PR_GET_IO_FLUSHER)
		return a ? -EINVAL : !!(current->flags & THREAD_FLAG_IO_FLUSHER);
	if (a > 1)
		return -EINVAL;
	current->flags &= ~(unsigned int)THREAD_FLAG_IO_FLUSHER;
	if (a)
		current->flags |= THREAD_FLAG_IO_FLUSHER;
	return 0;
}

static long clock_reading_set(unsigned long how)
{
	if (how != PR_TSC_ENABLE && how != PR_TSC_SIGSEGV)
		return -EINVAL;
	arch_thread_forbid_clock(how == PR_TSC_SIGSEGV);
	return 0;
}

/* What concerns the processor: it speculates as it likes, which cannot be set. */
static long machine_option(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	switch (option) {
	case PR_GET_TSC:
		return put_user(current->flags & THREAD_FLAG_NO_CLOCK ? PR_TSC_SIGSEGV : PR_TSC_ENABLE,
				(int __user *)a);
	case PR_SET_TSC:
		return clock_reading_set(a);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_MCE_KILL:
		return c || d ? -EINVAL : machine_check_policy_set(a, b);
	case PR_MCE_KILL_GET:
		return a || b || c || d ? -EINVAL : current->machine_check_policy;
	case PR_GET_SPECULATION_CTRL:
		if (b || c || d)
			return -EINVAL;
		return a > PR_SPEC_L1D_FLUSH ? -ENODEV : PR_SPEC_ENABLE;
	case PR_SET_SPECULATION_CTRL:
		if (c || d)
			return -EINVAL;
		return a > PR_SPEC_L1D_FLUSH ? -ENODEV : -ENXIO;
	case PR_SET_IO_FLUSHER:
	case PR_GET_IO_FLUSHER:
		return b || c || d ? -EINVAL : io_flusher_option(option, a);
	case PR_TASK_PERF_EVENTS_DISABLE:
	case PR_TASK_PERF_EVENTS_ENABLE:
		return 0; /* all of its performance events, of which there are none */
	default:
		return -EINVAL;
	}
}

/* The older way to seccomp(2). */
static long seccomp_set(unsigned long mode, unsigned long program)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return seccomp_operation(SECCOMP_SET_MODE_STRICT, 0, NULL);
	case SECCOMP_MODE_FILTER:
		return seccomp_operation(SECCOMP_SET_MODE_FILTER, 0, (void __user *)program);
	default:
		return -EINVAL;
	}
}

static long credentials_option(int option, unsigned long a, unsigned long b, unsigned long c,
			       unsigned long d)
{
	switch (option) {
	case PR_GET_KEEPCAPS:
		return current->cred->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return keep_capabilities_set(a);
	case PR_GET_SECUREBITS:
		return current->cred->securebits;
	case PR_SET_SECUREBITS:
		return securebits_set(a);
	case PR_CAPBSET_READ:
		return a > CAP_LAST_CAP ? -EINVAL : (long)(current->cred->cap_bounding >> a & 1);
	case PR_CAPBSET_DROP:
		return bounding_set_drop(a);
	case PR_CAP_AMBIENT:
		if (c || d || (a == PR_CAP_AMBIENT_CLEAR_ALL && b))
			return -EINVAL;
		return ambient_change(a, b);
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1 || b || c || d)
			return -EINVAL;
		return current->cred->no_new_privs ? 0 : set_no_new_privs();
	case PR_GET_NO_NEW_PRIVS:
		return a || b || c || d ? -EINVAL : current->cred->no_new_privs;
	case PR_GET_SECCOMP:
		return current->seccomp.mode;
	case PR_SET_SECCOMP:
		return seccomp_set(a, b);
	default:
		return machine_option(option, a, b, c, d);
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
	case PR_GET_TIMERSLACK:
		return (long)min(current->timer_slack_ns, 0x7fffffffffffffffULL);
	case PR_SET_TIMERSLACK:
		current->timer_slack_ns = (long)a > 0 ? a : current->default_timer_slack_ns;
		return 0;
	case PR_SET_CHILD_SUBREAPER:
		process->child_subreaper = a;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user((int)process->child_subreaper, (int __user *)a);
	case PR_GET_TID_ADDRESS:
		return put_user(current->clear_child_tid, (int *__user *)a);
	case PR_SET_THP_DISABLE:
		if (b || c || d)
			return -EINVAL;
		process->huge_pages_off = a;
		return 0;
	case PR_GET_THP_DISABLE:
		return a || b || c || d ? -EINVAL : process->huge_pages_off;
	case PR_SET_MM:
		return process_set_parts(a, b, c, d);
	case PR_SET_PTRACER:
		return tracer_set(a);
	default:
		return credentials_option(option, a, b, c, d);
	}
}
