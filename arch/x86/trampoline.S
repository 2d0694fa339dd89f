/*
 * How another CPU gets from its start-up interrupt, in real mode, to the kernel. The first part is copied to a page below
 * 1 MiB (CS is that page); its parameters, at fixed places, are filled in by smp.c. It goes to long mode in one step: PAE,
 * page table, EFER and then protection and paging together (Intel SDM volume 3, 10.8.5 needs no stop in 32-bit mode).
 */
#include <kumo/arch/asm.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/msr.h>

#define OFFSET(label) ((label) - trampoline_start)

	.section .init.rodata, "a"
	.balign 16
	.globl trampoline_start, trampoline_end
	.code16
trampoline_start:
	jmp 1f
	.balign 8
/* struct trampoline_parameters */
parameters:
page_table:
	.long 0
cr0:	.long 0
cr4:	.long 0
efer:	.long 0
long_mode_address:
	.long OFFSET(long_mode) /* plus where the page is */
	.long KERNEL_CODE_SELECTOR
entry:	.quad ap_start
	.short 0
gdt_limit:
	.short gdt_end - gdt - 1
gdt_address:
	.long OFFSET(gdt) /* plus where the page is */
gdt:	.quad 0, 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
gdt_end:

1:	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl OFFSET(gdt_limit)
	movl OFFSET(cr4), %eax
	movl %eax, %cr4
	movl OFFSET(page_table), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl OFFSET(efer), %eax
	xorl %edx, %edx
	wrmsr
	movl OFFSET(cr0), %eax
	movl %eax, %cr0
	ljmpl *OFFSET(long_mode_address)

	.code64
long_mode:
	jmp *entry(%rip)
trampoline_end:

/* At the kernel's addresses: finds out which CPU this is, and takes its stack and per-CPU data. */
	.text
function ap_start
	movl $KERNEL_DATA_SELECTOR, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	movzbl cpu_of_apic_id(%rbx), %ebp
	testl %ebp, %ebp /* the boot CPU's: this one is not in the firmware's table */
	jz 2f
	movq ap_stacks(, %rbp, 8), %rsp
	movq per_cpu_offset(, %rbp, 8), %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	movl %ebp, %edi
	xorl %ebp, %ebp
	call ap_main
2:	cli
	hlt
	jmp 2b
end_function ap_start

	.section .note.GNU-stack, "", @progbits
