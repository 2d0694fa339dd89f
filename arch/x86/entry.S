/*
 * Exceptions and interrupts: from the CPU's frame to C and back. (System calls: syscall_entry.S.)
 *
 * All gates come in with interrupts off. The registers are saved as struct pt_regs. From user mode, which is what CS says,
 * GS base is exchanged for the kernel's by swapgs; from kernel mode it is the kernel's already, with two exceptions:
 *
 *  - NMIs and machine checks come anywhere, also just before the swapgs of a system call's entry or after that of a return;
 *    and user mode may put any value into its GS base. They, and double faults, run on stacks of their own (IST), each
 *    with the CPU's GS base kept above the frame: they load that and afterwards put back what was there.
 *  - iretq itself may fault, if a program has made its saved CS, SS or IP unusable: swapgs is then already done. The fault
 *    is turned into one of the program (bad_return).
 *
 * On the way back to user mode current->work is tested with interrupts off; kernel mode is resumed as it was, without
 * rescheduling. While C code runs, RBP is the address of the saved registers plus 1, so that a backtrace recognises them.
 */
#include <kumo/arch/apic.h>
#include <kumo/arch/asm.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/msr.h>

#define VECTOR_COUNT 256
#define PROTECTION_FAULT 13

	.text

/* A program may have EFLAGS.AC set, which in kernel mode opens user memory: clac, where the CPU has it (smap_patch()). */
.macro close_user_memory
771:	.byte 0x0f, 0x1f, 0x00
	.pushsection __smap_sites, "a"
	.long 771b - ., 1
	.popsection
.endm

/* Vectors 0-31: error code (pushed here where the CPU has none), RDI; then RDI is the number. */
	.balign 16
	.globl exception_stubs
exception_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	.if !((vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30))
	pushq $0
	.endif
	pushq %rdi
	movl $vector, %edi
	jmp exception_common
	.set vector, vector + 1
	.endr

/* Vectors 32-255: -1 in place of a system call's number, RDI; then RDI is the vector. */
	.balign 16
	.globl interrupt_stubs
interrupt_stubs:
	.set vector, VECTOR_I8259
	.rept VECTOR_COUNT - VECTOR_I8259
	.balign 16
	pushq $-1
	pushq %rdi
	movl $vector, %edi
	jmp interrupt_common
	.set vector, vector + 1
	.endr

function interrupt_common
	save_regs
	cld
	close_user_memory
	testb $3, REGS_CS(%rsp)
	jz 1f
	swapgs
1:	leaq 1(%rsp), %rbp
	movq %rsp, %rsi
	call interrupt_dispatch
	testb $3, REGS_CS(%rsp)
	jz return_to_kernel
	jmp return_from_user_trap
end_function interrupt_common

function exception_common
	save_regs
	cld
	close_user_memory
	testb $3, REGS_CS(%rsp)
	jz exception_in_kernel
	swapgs
exception_ready:
	leaq 1(%rsp), %rbp
	movq %rsp, %rsi
	movq REGS_ORIG_AX(%rsp), %rdx
	movq $-1, REGS_ORIG_AX(%rsp)
	testl $EFLAGS_IF, REGS_FLAGS(%rsp)
	jz 1f
	sti
1:	call exception_dispatch
	cli
	testb $3, REGS_CS(%rsp)
	jz return_to_kernel

/* Interrupts off, registers saved on the stack, on the way to user mode. */
return_from_user_trap:
#ifdef CONFIG_DEBUG
	call lockcheck_user_return
#endif
	movq %gs:current_thread, %rax
	cmpl $0, THREAD_WORK(%rax)
	jne user_work

/* The same with all work done: also the end of system calls that cannot use sysret, and of new threads. */
	.globl return_to_user
return_to_user:
	restore_regs
	swapgs
return_to_user_iret:
	iretq

return_to_kernel:
	restore_regs
	iretq

user_work:
	movq %rsp, %rdi
	call exit_to_user
	jmp return_to_user

exception_in_kernel:
	cmpq $return_to_user_iret, REGS_IP(%rsp)
	jne exception_ready
	/* The frame that iretq refused lies at the interrupted stack pointer; the saved registers belong below it. */
	swapgs
	movl %edi, %ebx
	movq %rsp, %rdi
	call bad_return
	movq %rax, %rsp
	movl %ebx, %edi
	jmp exception_ready
end_function exception_common

/* The most frequent exception has its own way. */
function page_fault_entry
	pushq %rdi
	save_regs
	cld
	close_user_memory
	movq %cr2, %rdx
	testb $3, REGS_CS(%rsp)
	jz 2f
	swapgs
1:	leaq 1(%rsp), %rbp
	movq %rsp, %rdi
	movq REGS_ORIG_AX(%rsp), %rsi
	movq $-1, REGS_ORIG_AX(%rsp)
	testl $EFLAGS_IF, REGS_FLAGS(%rsp)
	jz 3f
	sti
3:	call page_fault_handler
	cli
	testb $3, REGS_CS(%rsp)
	jnz return_from_user_trap
	jmp return_to_kernel
2:	cmpq $return_to_user_iret, REGS_IP(%rsp)
	jne 1b
	movl $PROTECTION_FAULT, %edi
	jmp exception_in_kernel
end_function page_fault_entry

/*
 * Exceptions on their own stacks. GS base is saved in RBX (which C code preserves) and replaced by the value kept above the
 * frame; they return to exactly where they came from, without a look at work.
 */
.macro own_stack_entry name handler error_code
function \name
	.if !\error_code
	pushq $-1
	.endif
	pushq %rdi
	save_regs
	cld
	close_user_memory
	movl $MSR_GS_BASE, %ecx
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, %rbx
	movl REGS_SIZE(%rsp), %eax
	movl REGS_SIZE + 4(%rsp), %edx
	wrmsr
	leaq 1(%rsp), %rbp
	movq %rsp, %rdi
	call \handler
	movq %rbx, %rax
	movq %rbx, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	jmp return_to_kernel
end_function \name
.endm

own_stack_entry nmi_entry nmi_dispatch 0
own_stack_entry machine_check_entry machine_check_dispatch 0
own_stack_entry double_fault_entry double_fault_dispatch 1

	.section .note.GNU-stack, "", @progbits
