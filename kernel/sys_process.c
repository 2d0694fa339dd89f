/* System calls on threads and processes. */
#include <asm/prctl.h>
#include <kumo/arch/thread.h>
#include <kumo/err.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/sched.h>

#include "process.h"

#define NUMBER_LEVELS 32 /* of nested process number namespaces that clone3(2) knows of */

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
	if (flags & CLONE_PIDFD && flags & CLONE_DETACHED)
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

/* What a child's number shall be: there is one table of numbers, so at most one can be wanted. */
static long wanted_number(const struct clone_args *args, int *number)
{
	if (args->set_tid_size != 1)
		return -EINVAL;
	if (copy_from_user(number, (const void __user *)args->set_tid, sizeof(*number)))
		return -EFAULT;
	if (*number < 1 || *number >= READ_ONCE(pid_max))
		return -EINVAL;
	return capable(CAP_CHECKPOINT_RESTORE) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static bool clone_args_valid(const struct clone_args *args, size_t size)
{
	if (args->set_tid_size > NUMBER_LEVELS || !args->set_tid != !args->set_tid_size)
		return false;
	if (args->exit_signal > SIGNAL_COUNT || args->flags & (CSIGNAL | CLONE_DETACHED) ||
	    args->flags & ~(u64)(0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return false;
	if (args->flags & CLONE_INTO_CGROUP && (args->cgroup > 0x7fffffff || size < CLONE_ARGS_SIZE_VER2))
		return false;
	if (args->flags & (CLONE_THREAD | CLONE_PARENT) && args->exit_signal)
		return false;
	return !args->stack == !args->stack_size && args->stack + args->stack_size >= args->stack &&
	       user_range_ok((void __user *)args->stack, args->stack_size);
}

long sys_clone3(const struct clone_args __user *from, size_t size)
{
	struct clone_args args;
	int number = 0;
	long error = copy_versioned(&args, sizeof(args), CLONE_ARGS_SIZE_VER0, from, size);

	if (error)
		return error;
	if (!clone_args_valid(&args, size))
		return -EINVAL;
	if (args.set_tid) {
		error = wanted_number(&args, &number);
		if (error)
			return error;
	}

	const struct clone_request request = {
		.flags = args.flags,
		.exit_signal = (int)args.exit_signal,
		.stack = args.stack + args.stack_size,
		.tls = args.tls,
		.parent_tid = (int __user *)args.parent_tid,
		.child_tid = (int __user *)args.child_tid,
		.pidfd = (int __user *)args.pidfd,
		.wanted_number = number,
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
