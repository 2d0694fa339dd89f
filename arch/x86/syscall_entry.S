/*
 * System-call entry and the ways back to user mode.
 *
 * `syscall` arrives with interrupts off, on the user's stack, with the user's GS base: rcx holds the return address, r11 the
 * flags, rax the number, and rdi, rsi, rdx, r10, r8, r9 the arguments. All registers are saved as a struct pt_regs at the
 * top of the thread's kernel stack, for fork, signals and debuggers; the callee-saved ones need no reloading on the short
 * way back, because C functions keep them.
 *
 * A number that is none, and each one of a thread whose calls are checked (seccomp), goes by syscall_slow() in C.
 *
 * The short way is taken when the thread has no work to do. Calls that replace the saved registers (exec, sigreturn) set
 * WORK_FRAME, so the short way may rely on a frame that is as it was made: rcx and r11 are right, the address is below
 * USER_END and therefore canonical, the selectors are those that sysret loads.
 */
#include <kumo/arch/asm.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>

#include "syscall.h"

	.text
	.globl syscall_entry, syscall_entry_end, user_return, enter_user_mode

	.balign 64
	.type syscall_entry, @function
syscall_entry:
	swapgs
	mov	%rsp, %gs:syscall_user_stack
	mov	%gs:(cpu_tss + TSS_SP0), %rsp
	pushq	$USER_DATA_SELECTOR
	pushq	%gs:syscall_user_stack
	push	%r11				/* flags */
	pushq	$USER_CODE_SELECTOR
	push	%rcx				/* ip */
	push	%rax				/* orig_ax */
	push	%rdi
	save_regs
	sti
	mov	%eax, %eax			/* Linux looks at the low half alone */
	cmp	%gs:syscall_limit, %eax
	jae	2f
	mov	%r10, %rcx			/* the fourth argument, where C expects it */
	call	*syscall_table(, %rax, 8)
1:	mov	%rax, REGS_AX(%rsp)
	cli
#ifdef CONFIG_DEBUG
	call	lockcheck_user_return
#endif
	mov	%gs:current_thread, %rcx
	cmpl	$0, THREAD_WORK(%rcx)
	jne	user_return
	add	$REGS_R11, %rsp			/* bx, bp, r12-r15 are what they were */
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	mov	(REGS_SP - REGS_ORIG_AX)(%rsp), %rsp
	swapgs
	sysretq

2:	mov	%rsp, %rdi
	call	syscall_slow
	jmp	1b
	.size syscall_entry, . - syscall_entry

/*
 * rsp: a complete struct pt_regs of user mode; interrupts off. Does what the thread has to do, then goes to user mode: with
 * sysret where that gives the registers their values, else with iretq (entry.S). A new thread starts here.
 */
	.type user_return, @function
user_return:
	mov	%rsp, %rdi
	call	exit_to_user
	mov	REGS_CX(%rsp), %rcx
	mov	REGS_R11(%rsp), %r11
	cmp	REGS_IP(%rsp), %rcx
	jne	return_to_user
	cmp	REGS_FLAGS(%rsp), %r11
	jne	return_to_user
	cmpq	$USER_CODE_SELECTOR, REGS_CS(%rsp)
	jne	return_to_user
	cmpq	$USER_DATA_SELECTOR, REGS_SS(%rsp)
	jne	return_to_user
	test	$(EFLAGS_RF | EFLAGS_TF), %r11d	/* sysret drops the one and traps on the other */
	jnz	return_to_user
	mov	%rcx, %rdx
	shr	$47, %rdx			/* sysret to a non-canonical address faults in kernel mode */
	jnz	return_to_user
	restore_regs				/* rsp is at ip now */
	mov	(REGS_SP - REGS_IP)(%rsp), %rsp
	swapgs
	sysretq

	.size user_return, . - user_return
syscall_entry_end:

/* void enter_user_mode(struct pt_regs *regs) __noreturn: a kernel thread becomes a program. */
	.type enter_user_mode, @function
enter_user_mode:
	cli
	mov	%rdi, %rsp
	xor	%ebp, %ebp
	jmp	user_return
	.size enter_user_mode, . - enter_user_mode

	.section .note.GNU-stack, "", @progbits
