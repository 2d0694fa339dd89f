/* The machine's side of threads: the switch, what a new thread finds on its stack, and user segment bases. */
#include <asm/prctl.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/fpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/msr.h>
#include <kumo/arch/ptrace.h>
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

#include "syscall.h"

_Static_assert(offsetof(struct thread, arch.stack_pointer) == 0, "switch.S stores it there");
_Static_assert(sizeof(struct arch_thread) == 64, "kumo/arch/asm.h: THREAD_WORK");

struct thread *switch_stack(struct thread *previous, struct thread *next);
extern char thread_start_kernel[], thread_start_user[];

/*
 * User mode's FS and GS bases. With the rdfsbase family programs change them without telling, so they are read at each
 * switch; without it they only change in arch_prctl(). In the kernel the user's GS base is the one behind swapgs, which
 * is why interrupts are off here (an NMI finds out which GS base it has).
 */
static inline unsigned long read_fs_base(void)
{
	unsigned long base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static inline unsigned long read_user_gs_base(void)
{
	unsigned long base;

	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base)::"memory");
	return base;
}

static inline void write_fs_base(unsigned long base)
{
	if (cpu_has(CPU_FSGSBASE))
		__asm__ volatile("wrfsbase %0" ::"r"(base));
	else
		wrmsr(MSR_FS_BASE, base);
}

static inline void write_user_gs_base(unsigned long base)
{
	if (cpu_has(CPU_FSGSBASE))
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" ::"r"(base) : "memory");
	else
		wrmsr(MSR_KERNEL_GS_BASE, base);
}

static inline void save_bases(struct thread *thread)
{
	if (cpu_has(CPU_FSGSBASE)) {
		thread->arch.fs_base = read_fs_base();
		thread->arch.gs_base = read_user_gs_base();
	}
}

static inline void load_bases(struct thread *thread)
{
	if (cpu_has(CPU_FSGSBASE)) {
		write_fs_base(thread->arch.fs_base);
		if (read_user_gs_base() != thread->arch.gs_base)
			write_user_gs_base(thread->arch.gs_base);
	} else {
		wrmsr(MSR_FS_BASE, thread->arch.fs_base);
		wrmsr(MSR_KERNEL_GS_BASE, thread->arch.gs_base);
	}
}

static unsigned long stack_top(struct thread *thread)
{
	return (unsigned long)thread->stack + THREAD_STACK_SIZE;
}

struct pt_regs *thread_user_regs(struct thread *thread)
{
	return (struct pt_regs *)stack_top(thread) - 1;
}
EXPORT_SYMBOL(thread_user_regs);

void arch_thread_forbid_clock(bool forbid)
{
	unsigned long flags = local_irq_save();

	current->flags &= ~(unsigned int)THREAD_FLAG_NO_CLOCK;
	if (forbid)
		current->flags |= THREAD_FLAG_NO_CLOCK;
	write_cr4(forbid ? read_cr4() | CR4_TSD : read_cr4() & ~CR4_TSD);
	local_irq_restore(flags);
}

void arch_thread_check_calls(struct thread *thread)
{
	WRITE_ONCE(thread->arch.syscall_limit, 0);
}

static void load_limit(void *unused)
{
	this_cpu_write(syscall_limit, READ_ONCE(current->arch.syscall_limit));
}

void arch_check_calls_here(bool all)
{
	unsigned long flags = local_irq_save();

	load_limit(NULL);
	local_irq_restore(flags);
	if (all)
		smp_call_others(load_limit, NULL);
}

struct thread *arch_thread_switch(struct thread *previous, struct thread *next)
{
	if (previous->mm) {
		save_bases(previous);
		fpu_switch_out(previous);
	}
	if (next->mm) {
		load_bases(next);
		fpu_switch_in(next);
	}
	if (unlikely((previous->flags ^ next->flags) & THREAD_FLAG_NO_CLOCK))
		write_cr4(read_cr4() ^ CR4_TSD);
	tss_set_kernel_stack(stack_top(next));
	this_cpu_write(syscall_limit, next->arch.syscall_limit);
	return switch_stack(previous, next);
}

/* Lays out below `top` what switch_stack() pops. */
static void start_at(struct thread *thread, void *top, const char *start)
{
	unsigned long *frame = (unsigned long *)top - 7;

	memset(frame, 0, 6 * sizeof(*frame)); /* bp 0: backtraces end here */
	frame[6] = (unsigned long)start;
	thread->arch.stack_pointer = (unsigned long)frame;
}

void arch_thread_init_kernel(struct thread *thread)
{
	/* Room for a struct pt_regs, for a kernel thread that becomes a program, and a null return address. */
	struct pt_regs *regs = thread_user_regs(thread);

	memset(regs, 0, sizeof(*regs));
	thread->arch.fpu = NULL;
	thread->arch.syscall_limit = SYSCALL_COUNT;
	thread->arch.fs_base = thread->arch.gs_base = 0;
	start_at(thread, regs, thread_start_kernel);
}

int arch_thread_fork(struct thread *child, const struct pt_regs *regs, unsigned long user_stack,
		     bool set_tls, unsigned long tls)
{
	struct pt_regs *own = thread_user_regs(child);
	unsigned long flags;
	int error;

	if (set_tls && tls >= USER_END)
		return -EPERM; /* as from arch_prctl(); loading an address that is not canonical would fault */
	error = fpu_fork(child);
	if (error)
		return error;
	child->arch.syscall_limit = SYSCALL_COUNT;
	*own = *regs;
	own->ax = 0;
	if (user_stack)
		own->sp = user_stack;
	flags = local_irq_save();
	save_bases(current);
	local_irq_restore(flags);
	child->arch.fs_base = set_tls ? tls : current->arch.fs_base;
	child->arch.gs_base = current->arch.gs_base;
	start_at(child, own, thread_start_user);
	return 0;
}

void arch_thread_exec(struct pt_regs *regs, unsigned long entry, unsigned long stack)
{
	unsigned long flags;

	memset(regs, 0, sizeof(*regs));
	regs->orig_ax = -1UL;
	regs->ip = entry;
	regs->cs = USER_CODE_SELECTOR;
	regs->flags = EFLAGS_IF;
	regs->sp = stack;
	regs->ss = USER_DATA_SELECTOR;
	__atomic_fetch_or(&current->work, WORK_FRAME, __ATOMIC_RELAXED);
	fpu_reset();
	flags = local_irq_save();
	current->arch.fs_base = current->arch.gs_base = 0;
	load_bases(current);
	local_irq_restore(flags);
}

void arch_thread_free(struct thread *thread)
{
	fpu_free(thread);
}

long arch_prctl(int code, unsigned long address)
{
	struct thread *thread = current;
	unsigned long flags, base;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (address >= USER_END)
			return -EPERM;
		flags = local_irq_save();
		if (code == ARCH_SET_FS) {
			thread->arch.fs_base = address;
			write_fs_base(address);
		} else {
			thread->arch.gs_base = address;
			write_user_gs_base(address);
		}
		local_irq_restore(flags);
		return 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		flags = local_irq_save();
		save_bases(thread);
		base = code == ARCH_GET_FS ? thread->arch.fs_base : thread->arch.gs_base;
		local_irq_restore(flags);
		return put_user(base, (u64 __user *)address);
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV; /* no processor's way to make the instruction fault is used */
	default:
		return -EINVAL;
	}
}
