/*
 * Exceptions. One that a program caused becomes a signal; one in kernel code is either expected (the exception table) or
 * the end of whoever runs it (oops.c). Page faults go to the memory part straight from entry.S.
 */
#define LOG_PREFIX "traps: "
#include <kumo/arch/asm.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/irqflags.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/ptrace.h>
#include <kumo/arch/smp.h>
#include <kumo/arch/traps.h>
#include <kumo/boot.h>
#include <kumo/irq.h>
#include <kumo/oops.h>
#include <kumo/printk.h>
#include <kumo/signal.h>
#include <kumo/string.h>
#include <kumo/thread.h>

/* Assembly has these as numbers. */
_Static_assert(offsetof(struct pt_regs, ax) == REGS_AX, "REGS_AX");
_Static_assert(offsetof(struct pt_regs, di) == REGS_DI, "REGS_DI");
_Static_assert(offsetof(struct pt_regs, orig_ax) == REGS_ORIG_AX, "REGS_ORIG_AX");
_Static_assert(offsetof(struct pt_regs, ip) == REGS_IP, "REGS_IP");
_Static_assert(offsetof(struct pt_regs, cs) == REGS_CS, "REGS_CS");
_Static_assert(offsetof(struct pt_regs, flags) == REGS_FLAGS, "REGS_FLAGS");
_Static_assert(offsetof(struct pt_regs, sp) == REGS_SP, "REGS_SP");
_Static_assert(sizeof(struct pt_regs) == REGS_SIZE, "REGS_SIZE");
_Static_assert(offsetof(struct thread, work) == THREAD_WORK, "THREAD_WORK");

/* DR6, why a debug exception came. */
enum { DR6_SINGLE_STEP = 1 << 14, DR6_INITIAL = 0xffff0ff0u };

/* Unmasked exception flags of the x87 and SSE units, which have the same order. */
enum {
	FP_INVALID = 1,
	FP_DENORMAL = 2,
	FP_DIVIDE = 4,
	FP_OVERFLOW = 8,
	FP_UNDERFLOW = 16,
	FP_INEXACT = 32
};

/* What a program gets. Code 0: SI_KERNEL, as for faults of which nobody can say more. */
static const struct trap_info {
	const char *name;
	u8 signal;
	u8 code;
	bool address; /* the signal tells the instruction's address */
} traps[32] = {
	[TRAP_DIVIDE] = { "divide error", SIGFPE, FPE_INTDIV, true },
	[TRAP_DEBUG] = { "debug exception", SIGTRAP, TRAP_BRKPT, true },
	[TRAP_BREAKPOINT] = { "breakpoint", SIGTRAP },
	[TRAP_OVERFLOW] = { "overflow", SIGSEGV },
	[TRAP_BOUND] = { "bounds", SIGSEGV },
	[TRAP_INVALID_OPCODE] = { "invalid opcode", SIGILL, ILL_ILLOPN, true },
	[TRAP_NO_FPU] = { "FPU not available", SIGILL, ILL_COPROC, true },
	[TRAP_INVALID_TSS] = { "invalid task state segment", SIGSEGV },
	[TRAP_NO_SEGMENT] = { "segment not present", SIGBUS },
	[TRAP_STACK_SEGMENT] = { "stack segment", SIGBUS },
	[TRAP_PROTECTION] = { "general protection fault", SIGSEGV },
	[TRAP_X87] = { "FPU exception", SIGFPE, FPE_FLTINV, true },
	[TRAP_ALIGNMENT] = { "alignment check", SIGBUS, BUS_ADRALN },
	[TRAP_SIMD] = { "SIMD exception", SIGFPE, FPE_FLTINV, true },
};

/* The reason that a set of unmasked floating point exceptions amounts to. */
static u8 fp_code(unsigned int flags)
{
	if (flags & FP_INVALID)
		return FPE_FLTINV;
	if (flags & FP_DIVIDE)
		return FPE_FLTDIV;
	if (flags & FP_OVERFLOW)
		return FPE_FLTOVF;
	if (flags & (FP_UNDERFLOW | FP_DENORMAL))
		return FPE_FLTUND;
	return FPE_FLTRES;
}

/* The kernel leaves the FPU alone, so its registers are still those of the program that trapped. */
static u8 x87_code(void)
{
	u16 control, status;

	__asm__ volatile("fnstcw %0; fnstsw %1" : "=m"(control), "=m"(status));
	return fp_code(status & ~control);
}

static u8 simd_code(void)
{
	u32 mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return fp_code(mxcsr & ~(mxcsr >> 7));
}

static unsigned long debug_status(void)
{
	unsigned long status;

	__asm__ volatile("mov %%db6, %0" : "=r"(status));
	__asm__ volatile("mov %0, %%db6" ::"r"((unsigned long)DR6_INITIAL));
	return status;
}

static void trap_user(unsigned long trap, struct pt_regs *regs, unsigned long error_code)
{
	const struct trap_info *info = &traps[trap];
	int signal = info->signal, code = info->code;

	if (!signal) { /* a vector that this CPU should not raise */
		pr_warn_once("exception %lu in %s\n", trap, current->name);
		signal = SIGSEGV;
	}
	if (trap == TRAP_DEBUG && debug_status() & DR6_SINGLE_STEP)
		code = TRAP_TRACE;
	else if (trap == TRAP_X87)
		code = x87_code();
	else if (trap == TRAP_SIMD)
		code = simd_code();

	current->arch.trap_number = trap;
	current->arch.fault_code = error_code;
	signal_force(signal, code ? code : SI_KERNEL, info->address ? regs->ip : 0);
}

void exception_dispatch(unsigned long trap, struct pt_regs *regs, unsigned long error_code)
{
	if (regs_from_user(regs)) {
		trap_user(trap, regs, error_code);
		return;
	}
	if (trap == TRAP_DEBUG) {
		/* Single-stepped into the kernel: the gates clear the flag, so it can only have been set here. */
		pr_warn_once("debug exception at %pS, status %#lx\n", (void *)regs->ip, debug_status());
		regs->flags &= ~(unsigned long)EFLAGS_TF;
		return;
	}
	if (exception_fixup(regs))
		return;
	die(traps[trap].name ? traps[trap].name : "unexpected exception", regs, error_code);
}

/*
 * iretq at the end of return_to_user refused the frame at bad->sp. Moves the saved registers below that frame, so that the
 * fault looks like one of the program at the place to which it wanted to return. Called by entry.S.
 */
struct pt_regs *bad_return(struct pt_regs *bad)
{
	struct pt_regs *regs = (struct pt_regs *)(bad->sp - offsetof(struct pt_regs, ip));

	memmove(regs, bad, offsetof(struct pt_regs, ip));
	regs->cs |= 3; /* entry.S takes it for what it now stands for */
	return regs;
}

void nmi_dispatch(struct pt_regs *regs)
{
	struct pt_regs *interrupted = this_cpu_read(interrupt_regs);

	smp_stop_if_asked();
	this_cpu_write(interrupt_regs, regs);
	pr_warn("NMI of unknown cause on CPU %u at %pS\n", smp_processor_id(), (void *)regs->ip);
	this_cpu_write(interrupt_regs, interrupted);
}

void machine_check_dispatch(struct pt_regs *regs)
{
	die("machine check", regs, 0);
}

void double_fault_dispatch(struct pt_regs *regs)
{
	unsigned long address = read_cr2(), stack = (unsigned long)current->stack;

	/* Most often the stack ran into its guard page, so that the page fault's frame could not be pushed. */
	if (stack && address < stack && address >= stack - PAGE_SIZE)
		die("kernel stack overflow", regs, 0);
	die("double fault", regs, 0);
}
