/*
 * Signal frames: what a handler finds on the user's stack, laid out as Linux lays it out on x86-64, and the way back.
 *
 * From high to low addresses: the red zone that the ABI leaves below the interrupted stack pointer; the FPU state, aligned to 64;
 * struct rt_sigframe, placed so that the handler starts with the stack pointer as after a call. Its first word is the
 * return address: SA_RESTORER, which does rt_sigreturn(2).
 */
#include <asm/sigcontext.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/elf.h>
#include <kumo/arch/fpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/ptrace.h>
#include <kumo/err.h>
#include <kumo/signal.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/signal.h>

#include <asm/ucontext.h> /* needs the types of the headers above */

#define RED_ZONE 128
#define EFLAGS_STATUS 0x8d5 /* CF, PF, AF, ZF, SF, OF */
/* What sigreturn may change. */
#define EFLAGS_USER (EFLAGS_STATUS | EFLAGS_TF | EFLAGS_DF | EFLAGS_RF | EFLAGS_AC)

struct rt_sigframe {
	__sigrestore_t return_address;
	struct ucontext context;
	siginfo_t info;
};

/* Where the frame goes; NULL: the alternate stack is too small. */
static struct rt_sigframe __user *frame_place(const struct pt_regs *regs,
					      const struct sigaction *action, unsigned long *fpu)
{
	unsigned long sp = regs->sp - RED_ZONE;
	bool nested = on_signal_stack(regs->sp), entering = false;

	if (action->sa_flags & SA_ONSTACK && !nested && current->signal_stack.ss_size) {
		sp = (unsigned long)current->signal_stack.ss_sp + current->signal_stack.ss_size;
		entering = true;
	}
	*fpu = ALIGN_DOWN(sp - fpu_frame_size(), 64);
	sp = ALIGN_DOWN(*fpu - sizeof(struct rt_sigframe), 16) - 8;
	/* A handler that overflows its stack dies cleanly instead of overwriting what lies below. */
	if ((nested || entering) && !within_signal_stack(sp))
		return NULL;
	return (struct rt_sigframe __user *)sp;
}

static void context_fill(struct ucontext *context, const struct pt_regs *regs, unsigned long fpu,
			 signal_mask blocked)
{
	struct sigcontext *machine = &context->uc_mcontext;

	context->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	context->uc_link = NULL;
	context->uc_stack = current->signal_stack;
	context->uc_sigmask = blocked;
	machine->r8 = regs->r8;
	machine->r9 = regs->r9;
	machine->r10 = regs->r10;
	machine->r11 = regs->r11;
	machine->r12 = regs->r12;
	machine->r13 = regs->r13;
	machine->r14 = regs->r14;
	machine->r15 = regs->r15;
	machine->rdi = regs->di;
	machine->rsi = regs->si;
	machine->rbp = regs->bp;
	machine->rbx = regs->bx;
	machine->rdx = regs->dx;
	machine->rax = regs->ax;
	machine->rcx = regs->cx;
	machine->rsp = regs->sp;
	machine->rip = regs->ip;
	machine->eflags = regs->flags;
	machine->cs = (u16)regs->cs;
	machine->gs = 0;
	machine->fs = 0;
	machine->ss = (u16)regs->ss;
	machine->err = current->arch.fault_code;
	machine->trapno = current->arch.trap_number;
	machine->oldmask = blocked;
	machine->cr2 = current->arch.fault_address;
	machine->fpstate = (struct _fpstate *)fpu;
	memset(machine->reserved1, 0, sizeof(machine->reserved1));
}

bool arch_signal_frame(struct pt_regs *regs, const struct signal_delivery *delivery, signal_mask blocked)
{
	const struct sigaction *action = &delivery->action;
	struct rt_sigframe __user *place;
	struct rt_sigframe frame;
	unsigned long fpu;

	if (!(action->sa_flags & SA_RESTORER))
		return false;
	place = frame_place(regs, action, &fpu);
	if (!place)
		return false;
	frame.return_address = action->sa_restorer;
	context_fill(&frame.context, regs, fpu, blocked);
	if (action->sa_flags & SA_SIGINFO) {
		frame.info = delivery->info;
		if (copy_to_user(place, &frame, sizeof(frame)))
			return false;
	} else if (copy_to_user(place, &frame, offsetof(struct rt_sigframe, info))) {
		return false;
	}
	if (fpu_save_to_user((void __user *)fpu))
		return false;

	regs->di = (unsigned long)delivery->signal;
	regs->si = (unsigned long)&place->info;
	regs->dx = (unsigned long)&place->context;
	regs->ax = 0; /* for a handler without a prototype: no vector registers */
	regs->ip = (unsigned long)action->sa_handler;
	regs->sp = (unsigned long)place;
	regs->cs = USER_CODE_SELECTOR;
	regs->ss = USER_DATA_SELECTOR;
	regs->flags &= ~(unsigned long)(EFLAGS_DF | EFLAGS_RF | EFLAGS_TF);
	fpu_reset_for_handler(); /* an exception that the x87 unit holds back is the frame's, not the handler's */
	if (current->signal_stack.ss_flags & SS_AUTODISARM)
		current->signal_stack = (stack_t){ .ss_flags = SS_DISABLE };
	return true;
}

size_t arch_signal_frame_size(void)
{
	return ALIGN_UP(RED_ZONE + 64 + fpu_frame_size() + sizeof(struct rt_sigframe) + 16 + 8, 16);
}

static void context_load(struct pt_regs *regs, const struct sigcontext *machine)
{
	regs->r8 = machine->r8;
	regs->r9 = machine->r9;
	regs->r10 = machine->r10;
	regs->r11 = machine->r11;
	regs->r12 = machine->r12;
	regs->r13 = machine->r13;
	regs->r14 = machine->r14;
	regs->r15 = machine->r15;
	regs->di = machine->rdi;
	regs->si = machine->rsi;
	regs->bp = machine->rbp;
	regs->bx = machine->rbx;
	regs->dx = machine->rdx;
	regs->ax = machine->rax;
	regs->cx = machine->rcx;
	regs->sp = machine->rsp;
	regs->ip = machine->rip;
	regs->flags = (regs->flags & ~(unsigned long)EFLAGS_USER) | (machine->eflags & EFLAGS_USER);
	/* There is one user code segment: whatever the frame says, no other is loaded. */
	regs->cs = USER_CODE_SELECTOR;
	regs->ss = USER_DATA_SELECTOR;
	regs->orig_ax = (unsigned long)-1; /* not a system call any more: nothing to restart */
}

long sys_rt_sigreturn(void)
{
	struct pt_regs *regs = current_regs();
	/* The handler's return took the first word off. */
	struct rt_sigframe __user *frame = (void __user *)(regs->sp - sizeof(frame->return_address));
	struct ucontext context;

	current->restart.function = NULL;
	__atomic_fetch_or(&current->work, WORK_FRAME, __ATOMIC_SEQ_CST);
	if (copy_from_user(&context, user_member(frame, context), sizeof(context)))
		goto bad;
	signal_set_blocked(context.uc_sigmask);
	context_load(regs, &context.uc_mcontext);
	if (fpu_restore_from_user(context.uc_mcontext.fpstate))
		goto bad;
	signal_stack_restore(&context.uc_stack, regs->sp);
	return (long)regs->ax;
bad:
	signal_force(SIGSEGV, SI_KERNEL, 0);
	return 0;
}
