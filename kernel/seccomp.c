/*
 * Filters of system calls, seccomp(2): installing them, and what they decide.
 *
 * Filters are immutable and form a tree: each holds the one that was there before it, a thread holds its newest. All on the way to
 * the root are asked, and the strictest answer counts. Another thread's filter is only ever replaced by one that holds it
 * (SECCOMP_FILTER_FLAG_TSYNC), so a thread that is just running its filters needs no lock.
 *
 * no_new_privs is part of credentials, which only a thread itself changes. A filter remembers that its maker had it, and a
 * thread that got the filter from another takes it over before its next call.
 */
#include <asm/unistd_64.h>
#include <kumo/arch/ptrace.h>
#include <kumo/err.h>
#include <kumo/irq.h>
#include <kumo/printk.h>
#include <kumo/seccomp.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "process.h"

/* Instructions on the way from a filter to the root, each filter counting for some more. */
#define PATH_INSTRUCTIONS_MAX 32768u
#define FILTER_OVERHEAD 4u
#define SYS_SECCOMP_CODE 1 /* siginfo's si_code of SIGSYS */

#define FLAGS_KNOWN                                                                                \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |    \
	 SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

struct seccomp_filter {
	refcount_t refs;
	struct seccomp_filter *before; /* own reference */
	unsigned int depth;	       /* filters on the way to the root, this one included */
	u32 path_instructions;
	bool log, no_new_privs;
	unsigned int length;
	struct sock_filter program[];
};

static void filter_put(struct seccomp_filter *filter)
{
	while (filter && refcount_dec_and_test(&filter->refs)) {
		struct seccomp_filter *before = filter->before;

		kfree_rcu(filter);
		filter = before;
	}
}

/* ---- Deciding ---- */

static void data_fill(struct seccomp_data *data, const struct pt_regs *regs)
{
	*data = (struct seccomp_data){
		.nr = (int)regs->orig_ax,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = regs->ip,
		.args = { regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9 },
	};
}

/* The strictest answer, and who gave it first. Actions are ordered as signed numbers. */
static u32 filters_run(const struct seccomp_filter *filter, const struct seccomp_data *data,
		       const struct seccomp_filter **decided)
{
	u32 answer = SECCOMP_RET_ALLOW;

	for (; filter; filter = filter->before) {
		u32 mine = seccomp_program_run(filter->program, data);

		if ((int)(mine & SECCOMP_RET_ACTION_FULL) < (int)(answer & SECCOMP_RET_ACTION_FULL)) {
			answer = mine;
			*decided = filter;
		}
	}
	return answer;
}

static void log_answer(const struct seccomp_data *data, u32 answer)
{
	static struct rate_limit limit;

	if (rate_limit_pass(&limit))
		pr_info("seccomp: %s[%d]: system call %d at %llx: action %08x\n", current->name,
			current->pid, data->nr, (unsigned long long)data->instruction_pointer, answer);
}

static void force_sigsys(const struct seccomp_data *data, u32 reason, bool to_default)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSYS;
	info.si_code = SYS_SECCOMP_CODE;
	info.si_errno = (int)reason;
	info.si_call_addr = (void *)(unsigned long)data->instruction_pointer;
	info.si_syscall = data->nr;
	info.si_arch = data->arch;
	signal_force_info(&info, to_default);
}

/* The thread ends, and its process with it if it is the last. */
static void end_thread(const struct seccomp_data *data, u32 reason)
{
	if (READ_ONCE(current->process->live_threads) > 1)
		thread_exit(SIGSYS);
	force_sigsys(data, reason, true);
}

/* A call that is not simply allowed: true if it is made nevertheless. */
static bool answer_act(const struct seccomp_filter *decided, const struct seccomp_data *data,
		       u32 answer, long *result)
{
	u32 action = answer & SECCOMP_RET_ACTION_FULL, reason = answer & SECCOMP_RET_DATA;

	*result = -ENOSYS; /* of who would have to be asked: there is no tracer, and nobody listens */
	switch (action) {
	case SECCOMP_RET_LOG:
		log_answer(data, answer);
		return true;
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF:
		return false;
	case SECCOMP_RET_ERRNO:
		if (decided->log)
			log_answer(data, answer);
		*result = -(long)min(reason, (u32)MAX_ERRNO);
		return false;
	case SECCOMP_RET_TRAP:
		if (decided->log)
			log_answer(data, answer);
		force_sigsys(data, reason, false);
		break;
	case SECCOMP_RET_KILL_THREAD:
		log_answer(data, answer);
		end_thread(data, reason);
		break;
	default: /* what is unknown is the strictest of all */
		log_answer(data, answer);
		force_sigsys(data, reason, true);
	}
	*result = data->nr; /* the handler finds the registers as they were */
	return false;
}

static bool strict_allows(unsigned int number)
{
	return number == __NR_read || number == __NR_write || number == __NR_exit ||
	       number == __NR_rt_sigreturn;
}

bool seccomp_check(struct pt_regs *regs, long *result)
{
	const struct seccomp_filter *filter = READ_ONCE(current->seccomp.filter), *decided = NULL;
	struct seccomp_data data;
	u32 answer;

	if (current->seccomp.mode == SECCOMP_MODE_STRICT) {
		if (!strict_allows((unsigned int)regs->orig_ax))
			thread_exit(SIGKILL);
		return true;
	}
	if (!filter)
		return true;
	if (filter->no_new_privs && !current->cred->no_new_privs) {
		*result = set_no_new_privs();
		if (*result)
			return false;
	}
	data_fill(&data, regs);
	answer = filters_run(filter, &data, &decided);
	return answer == SECCOMP_RET_ALLOW || !decided || answer_act(decided, &data, answer, result);
}

/* ---- Threads ---- */

void seccomp_fork(struct thread *child)
{
	child->seccomp = current->seccomp;
	if (child->seccomp.filter)
		refcount_inc(&child->seccomp.filter->refs);
	if (child->seccomp.mode)
		arch_thread_check_calls(child);
}

void seccomp_release(struct thread *thread)
{
	filter_put(thread->seccomp.filter);
	thread->seccomp.filter = NULL;
}

unsigned int seccomp_filter_count(struct thread *thread)
{
	const struct seccomp_filter *filter;
	unsigned int count;

	rcu_read_lock();
	filter = rcu_dereference(thread->seccomp.filter);
	count = filter ? filter->depth : 0;
	rcu_read_unlock();
	return count;
}

/* ---- Installing ---- */

static long filter_copy(const struct sock_fprog *from, struct seccomp_filter **copy)
{
	struct seccomp_filter *filter;
	size_t size = from->len * sizeof(filter->program[0]);
	int error;

	if (!from->len || from->len > BPF_MAXINSNS)
		return -EINVAL;
	if (!current->cred->no_new_privs && !capable(CAP_SYS_ADMIN))
		return -EACCES;
	filter = kmalloc(sizeof(*filter) + size, GFP_USER);
	if (!filter)
		return -ENOMEM;
	*filter = (struct seccomp_filter){ .length = from->len,
					   .no_new_privs = current->cred->no_new_privs };
	refcount_set(&filter->refs, 1);
	error = copy_from_user(filter->program, (const void __user *)from->filter, size)
			? -EFAULT
			: seccomp_program_check(filter->program, from->len);
	if (error)
		kfree(filter);
	else
		*copy = filter;
	return error;
}

/* Is `before` on the way from `filter` to the root, or no filter at all? */
static bool holds(const struct seccomp_filter *filter, const struct seccomp_filter *before)
{
	while (filter && filter != before)
		filter = filter->before;
	return filter == before;
}

/* A thread that could not take the current one's filters over, because it has others. process->lock held. */
static struct thread *thread_astray(struct process *process)
{
	struct thread *thread;

	list_for_each(thread, &process->threads, process_link)
		if (thread != current && !(thread->flags & THREAD_FLAG_EXITING) &&
		    (thread->seccomp.mode == SECCOMP_MODE_STRICT ||
		     !holds(current->seccomp.filter, thread->seccomp.filter)))
			return thread;
	return NULL;
}

static void thread_install(struct thread *thread, struct seccomp_filter *filter)
{
	WRITE_ONCE(thread->seccomp.mode, SECCOMP_MODE_FILTER);
	smp_store_release(&thread->seccomp.filter, filter);
	arch_thread_check_calls(thread);
}

/* All threads of the process get the current one's filters. process->lock held. */
static void threads_follow(struct process *process)
{
	struct seccomp_filter *filter = current->seccomp.filter, *old;
	struct thread *thread;

	list_for_each(thread, &process->threads, process_link) {
		if (thread == current || thread->flags & THREAD_FLAG_EXITING)
			continue;
		old = thread->seccomp.filter;
		refcount_inc(&filter->refs);
		thread_install(thread, filter);
		filter_put(old);
	}
}

/* process->lock held. Takes the caller's reference over when it succeeds. */
static long filter_attach(struct process *process, struct seccomp_filter *filter, unsigned int flags)
{
	struct seccomp_filter *before = current->seccomp.filter;
	struct thread *astray;

	if (current->seccomp.mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	filter->path_instructions =
		filter->length + (before ? before->path_instructions + FILTER_OVERHEAD : 0);
	if (filter->path_instructions > PATH_INSTRUCTIONS_MAX)
		return -ENOMEM;
	astray = flags & SECCOMP_FILTER_FLAG_TSYNC ? thread_astray(process) : NULL;
	if (astray)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : astray->pid;
	filter->depth = before ? before->depth + 1 : 1;
	filter->before = before;
	thread_install(current, filter);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		threads_follow(process);
	return 0;
}

static long set_filter(unsigned int flags, const void __user *user_program)
{
	struct process *process = current->process;
	struct seccomp_filter *filter;
	struct sock_fprog program;
	unsigned long irq_flags;
	long result;

	if (flags & ~(unsigned int)FLAGS_KNOWN)
		return -EINVAL;
	if (copy_from_user(&program, user_program, sizeof(program)))
		return -EFAULT;
	result = filter_copy(&program, &filter);
	if (result)
		return result;
	filter->log = flags & SECCOMP_FILTER_FLAG_LOG;
	irq_flags = spin_lock_irqsave(&process->lock);
	result = filter_attach(process, filter, flags);
	spin_unlock_irqrestore(&process->lock, irq_flags);
	if (result)
		filter_put(filter);
	else
		arch_check_calls_here(flags & SECCOMP_FILTER_FLAG_TSYNC);
	return result;
}

static long set_strict(void)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	bool filtered = current->seccomp.mode == SECCOMP_MODE_FILTER;

	if (!filtered) {
		current->seccomp.mode = SECCOMP_MODE_STRICT;
		arch_thread_check_calls(current);
	}
	spin_unlock_irqrestore(&process->lock, flags);
	if (filtered)
		return -EINVAL;
	arch_thread_forbid_clock(true);
	arch_check_calls_here(false);
	return 0;
}

static long action_available(const u32 __user *user_action)
{
	u32 action;

	if (get_user(action, user_action))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static long tell_sizes(void __user *to)
{
	const struct seccomp_notif_sizes sizes = {
		.seccomp_notif = sizeof(struct seccomp_notif),
		.seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
		.seccomp_data = sizeof(struct seccomp_data),
	};

	return copy_to_user(to, &sizes, sizeof(sizes)) ? -EFAULT : 0;
}

long seccomp_operation(unsigned int operation, unsigned int flags, void __user *arguments)
{
	switch (operation) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || arguments ? -EINVAL : set_strict();
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(flags, arguments);
	case SECCOMP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : action_available(arguments);
	case SECCOMP_GET_NOTIF_SIZES:
		return flags ? -EINVAL : tell_sizes(arguments);
	default:
		return -EINVAL;
	}
}

long sys_seccomp(unsigned int operation, unsigned int flags, void __user *arguments)
{
	return seccomp_operation(operation, flags, arguments);
}
