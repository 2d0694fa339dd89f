/* The end of every way to user mode: what the thread must do first. */
#include <kumo/arch/entry.h>
#include <kumo/arch/fpu.h>
#include <kumo/arch/irqflags.h>
#include <kumo/lockcheck.h>
#include <kumo/signal.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

/* What clone(2) promises the child. Linux ignores an address that cannot be written, too. */
static void store_child_tid(void)
{
	__atomic_fetch_and(&current->work, ~WORK_CHILD_TID, __ATOMIC_SEQ_CST);
	if (put_user(current->pid, current->set_child_tid))
		return;
}

void exit_to_user(struct pt_regs *regs)
{
	unsigned int work;

	/* Interrupts are off whenever `work` is looked at for the last time: what an interrupt adds to it is seen by that
	 * interrupt's own way back. */
	while ((work = READ_ONCE(current->work)) & ~WORK_FRAME) {
		local_irq_enable();
		if (work & WORK_RESCHEDULE)
			sched_user_return();
		if (work & (WORK_SIGNAL | WORK_RESTORE_MASK))
			signal_deliver(regs);
		if (work & WORK_RSEQ)
			rseq_return(regs);
		if (work & WORK_CHILD_TID)
			store_child_tid();
		if (work & WORK_FPU_LOAD)
			fpu_load();
		local_irq_disable();
	}
	if (work)
		__atomic_fetch_and(&current->work, ~WORK_FRAME, __ATOMIC_SEQ_CST);
	lockcheck_user_return();
}

struct pt_regs *current_regs(void)
{
	return thread_user_regs(current);
}
