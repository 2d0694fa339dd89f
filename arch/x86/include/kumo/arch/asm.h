/*
 * For assembly that enters and leaves the kernel: offsets into struct pt_regs, struct thread and the entry macros. C code checks
 * the offsets (arch/x86/traps.c).
 */
#ifndef KUMO_ARCH_ASM_H
#define KUMO_ARCH_ASM_H

#define REGS_R15 0
#define REGS_R14 8
#define REGS_R13 16
#define REGS_R12 24
#define REGS_BP 32
#define REGS_BX 40
#define REGS_R11 48
#define REGS_R10 56
#define REGS_R9 64
#define REGS_R8 72
#define REGS_AX 80
#define REGS_CX 88
#define REGS_DX 96
#define REGS_SI 104
#define REGS_DI 112
#define REGS_ORIG_AX 120
#define REGS_IP 128
#define REGS_CS 136
#define REGS_FLAGS 144
#define REGS_SP 152
#define REGS_SS 160
#define REGS_SIZE 168

/* current->work: current_thread is per-CPU. */
#define THREAD_WORK 64

#ifdef __ASSEMBLER__

/* Pushes all of pt_regs below `di`, which with what lies above it is on the stack already. */
.macro save_regs
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

/* Leaves the stack pointer at ip, ready for iretq. */
.macro restore_regs
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	addq $8, %rsp
.endm

.macro function name
	.globl \name
	.type \name, @function
	.balign 16
\name:
.endm

.macro end_function name
	.size \name, . - \name
.endm

#endif

#endif
