/*
 * Restartable sequences: rseq(2). A thread registers a structure of its own; the kernel keeps the number of its CPU there, and
 * sees to it that a sequence of instructions that the thread has announced there is not interrupted unnoticed: when the thread
 * loses its CPU within one, or takes a signal, it goes on at the sequence's abort address.
 *
 * WORK_RSEQ asks for both on the way to user mode. A switch sets it only if the thread was preempted or comes back on another
 * CPU: a thread that sleeps in a system call is in no sequence. So programs that have registered (all of glibc's) pay a
 * comparison at a switch.
 */
#include <kumo/arch/ptrace.h>
#include <kumo/err.h>
#include <kumo/irq.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/rseq.h>

#include "process.h"

#define SIGNATURE_SIZE sizeof(u32)

/* Is `ip` in the announced sequence? Then it goes to the abort address. What is announced must make sense. */
static __noinline int leave_announced(struct pt_regs *regs, u64 address)
{
	struct rseq __user *own = current->rseq;
	const struct rseq_cs __user *announced = (const struct rseq_cs __user *)address;
	struct rseq_cs sequence;
	u32 signature, flags;

	if (copy_from_user(&sequence, announced, sizeof(sequence)) || get_user(flags, &own->flags))
		return -EFAULT;
	if (sequence.start_ip >= USER_END || sequence.abort_ip >= USER_END || sequence.version ||
	    sequence.start_ip + sequence.post_commit_offset < sequence.start_ip ||
	    sequence.start_ip + sequence.post_commit_offset >= USER_END ||
	    sequence.abort_ip - sequence.start_ip < sequence.post_commit_offset)
		return -EINVAL;
	/* The program marks addresses to which the kernel may jump. */
	if (get_user(signature, (const u32 __user *)(sequence.abort_ip - SIGNATURE_SIZE)))
		return -EFAULT;
	if (signature != current->rseq_signature)
		return -EINVAL;
	if (put_user(0ULL, &own->rseq_cs))
		return -EFAULT;
	if (regs->ip - sequence.start_ip >= sequence.post_commit_offset)
		return 0;
	if (sequence.flags || flags) /* exceptions that Linux does not make any more */
		return -EINVAL;
	regs->ip = sequence.abort_ip;
	return 0;
}

/* Nearly always no sequence is announced: that is one look. */
static inline int leave_sequence(struct pt_regs *regs)
{
	u64 address;

	if (get_user(address, &current->rseq->rseq_cs))
		return -EFAULT;
	return likely(!address) ? 0 : leave_announced(regs, address);
}

/* Nobody can run with a structure that cannot be kept. */
static void die(void)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSEGV;
	info.si_code = SI_KERNEL;
	current->rseq = NULL;
	signal_force_info(&info, true);
}

void rseq_signal(struct pt_regs *regs)
{
	if (leave_sequence(regs))
		die();
}

void rseq_return(struct pt_regs *regs)
{
	struct rseq __user *own = current->rseq;
	u32 cpu = smp_processor_id();

	__atomic_fetch_and(&current->work, ~WORK_RSEQ, __ATOMIC_SEQ_CST);
	if (!own)
		return;
	/* A fault here may take the thread elsewhere; then it is asked for again. */
	current->rseq_cpu = cpu;
	if (leave_sequence(regs) || put_user(cpu, &own->cpu_id_start) || put_user(cpu, &own->cpu_id))
		die();
}

/* In an interrupt of a CPU that perhaps runs a thread of the program: on its way back it looks at its sequence. */
static void abort_here(void *mm)
{
	if (current->mm == mm && current->rseq)
		__atomic_fetch_or(&current->work, WORK_RSEQ, __ATOMIC_SEQ_CST);
}

void rseq_abort_all(struct mm *mm, int cpu)
{
	if (cpu < 0)
		smp_call_others(abort_here, mm);
	else if ((unsigned int)cpu < num_online_cpus() && (unsigned int)cpu != smp_processor_id())
		smp_call((unsigned int)cpu, abort_here, mm);
}

void rseq_fork(struct thread *child, bool shares_memory)
{
	if (shares_memory || !current->rseq)
		return;
	child->rseq = current->rseq;
	child->rseq_signature = current->rseq_signature;
	child->work |= WORK_RSEQ;
}

static long unregister(struct rseq __user *own, u32 signature)
{
	if (!current->rseq || current->rseq != own)
		return -EINVAL;
	if (signature != current->rseq_signature)
		return -EPERM;
	if (put_user(0U, &own->cpu_id_start) || put_user((u32)RSEQ_CPU_ID_UNINITIALIZED, &own->cpu_id))
		return -EFAULT;
	current->rseq = NULL;
	return 0;
}

long sys_rseq(struct rseq __user *own, u32 size, int flags, u32 signature)
{
	bool fits = size == sizeof(*own);

	if (flags == RSEQ_FLAG_UNREGISTER)
		return fits ? unregister(own, signature) : -EINVAL;
	if (flags)
		return -EINVAL;
	if (current->rseq) {
		if (current->rseq != own || !fits)
			return -EINVAL;
		return signature == current->rseq_signature ? -EBUSY : -EPERM;
	}
	if (!fits || (unsigned long)own % _Alignof(struct rseq))
		return -EINVAL;
	if (!user_range_ok(own, size))
		return -EFAULT;
	current->rseq = own;
	current->rseq_signature = signature;
	__atomic_fetch_or(&current->work, WORK_RSEQ, __ATOMIC_SEQ_CST);
	return 0;
}
