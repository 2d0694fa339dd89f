/*
 * From one thread's stack to another's.
 *
 * A thread that does not run has on its stack, from its saved stack pointer up: r15, r14, r13, r12, bx, bp, and the address
 * at which it goes on. What else C expects to be kept was saved by the caller.
 */
#include <kumo/arch/asm.h>

	.text

/* struct thread *switch_stack(struct thread *previous, struct thread *next): `previous`, on next's stack */
function switch_stack
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)			/* arch.stack_pointer comes first in struct thread */
	mov	(%rsi), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	mov	%rdi, %rax
	ret
end_function switch_stack

/* Where a new kernel thread goes on. */
function thread_start_kernel
	mov	%rax, %rdi
	call	sched_finish_switch
	sti
	call	kthread_main
	ud2
end_function thread_start_kernel

/* Where a new user thread goes on: its struct pt_regs is what is left on the stack. */
function thread_start_user
	mov	%rax, %rdi
	call	sched_finish_switch
	jmp	user_return
end_function thread_start_user

	.section .note.GNU-stack, "", @progbits
