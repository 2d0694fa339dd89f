/* The machine's part of a thread (arch/x86/thread.c, switch.S, fpu.c). */
#ifndef KUMO_ARCH_THREAD_H
#define KUMO_ARCH_THREAD_H

#include <kumo/types.h>

/* 64 bytes: thread->work follows, and assembly knows where. */
struct arch_thread {
	unsigned long stack_pointer;	/* while it does not run; see switch.S */
	unsigned long fs_base, gs_base; /* of user mode; while it does not run */
	void *fpu; /* save area of the FPU's registers; NULL until the thread has been in user mode */
	unsigned int fpu_cpu; /* CPU that last loaded them; see fpu.c */
	unsigned int syscall_limit; /* numbers below it enter system calls the short way (syscall_entry.S) */
	unsigned long fault_address, fault_code, trap_number;
};

struct pt_regs;
struct thread;

/* The registers with which the thread entered the kernel from user mode. */
struct pt_regs *thread_user_regs(struct thread *thread);

/* Switches stacks and user state; returns on `next`'s stack, with the thread that ran before. Interrupts off. */
struct thread *arch_thread_switch(struct thread *previous, struct thread *next);
/* Prepares a new thread's stack: it starts in kthread_main(), with interrupts on. */
void arch_thread_init_kernel(struct thread *thread);
/* ... or returns to user mode with a copy of `regs`, in which the system call has returned 0; user_stack 0: the same stack. The
 * FPU's state and the segment bases are copies of the current thread's. -ENOMEM. */
int arch_thread_fork(struct thread *child, const struct pt_regs *regs, unsigned long user_stack,
		     bool set_tls, unsigned long tls) __must_check;
/* exec: fresh user registers in *regs; FPU and segment bases reset. */
void arch_thread_exec(struct pt_regs *regs, unsigned long entry, unsigned long stack);
void arch_thread_free(struct thread *thread); /* the FPU area */
/* PR_SET_TSC for the current thread: reading the time-stamp counter faults in user mode. */
void arch_thread_forbid_clock(bool forbid);
/* The thread's system calls are checked first (seccomp_check()), from when it is next switched to. For who runs already, on this CPU
 * or (all) on any: arch_check_calls_here(), interrupts on. */
void arch_thread_check_calls(struct thread *thread);
void arch_check_calls_here(bool all);
long arch_prctl(int code, unsigned long address);

/* Stops this CPU until an interrupt comes, which may be waiting already. Interrupts off; on when it returns. */
static inline void arch_idle(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

#endif
