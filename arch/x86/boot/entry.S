/*
 * The first instructions: what boot loaders look for in the image, and the way from 32-bit protected mode without paging,
 * in which both kinds of loader leave the CPU, to 64-bit C code at the kernel's own addresses.
 *
 *   GRUB (Multiboot2 2.0, BIOS and UEFI) finds the header below and enters at boot_multiboot2: EAX magic, EBX information.
 *   QEMU, Firecracker, cloud-hypervisor (PVH) find the note below and enter at boot_pvh: EBX struct hvm_start_info.
 *
 * A machine without 64-bit mode is told so here, on the first serial port; what else may be missing, cpu_identify() checks.
 */
#include <kumo/arch/asm.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/msr.h>
#include <kumo/arch/shadow.h>
#include "boot.h"

#define PHYSICAL(symbol) ((symbol) - KERNEL_BASE)

#define HEADER_MAGIC 0xe85250d6
#define HEADER_I386 0
#define TAG_END 0
#define TAG_INFORMATION 1
#define TAG_ENTRY_ADDRESS 3
#define TAG_FRAMEBUFFER 5
#define TAG_MODULE_ALIGN 6
#define OPTIONAL 1

	.section .head.text, "ax"
	.balign 8
header:
	.long HEADER_MAGIC, HEADER_I386, header_end - header
	.long -(HEADER_MAGIC + HEADER_I386 + (header_end - header))

	.balign 8
1:	.short TAG_INFORMATION, OPTIONAL
	.long 2f - 1b
	.long MULTIBOOT_COMMAND_LINE, MULTIBOOT_MODULE, MULTIBOOT_MEMORY_MAP, MULTIBOOT_FRAMEBUFFER
	.long MULTIBOOT_ACPI_OLD, MULTIBOOT_ACPI_NEW
2:
	.balign 8
	.short TAG_ENTRY_ADDRESS, 0
	.long 12, PHYSICAL(boot_multiboot2)

	.balign 8
	.short TAG_FRAMEBUFFER, OPTIONAL
	.long 20, 0, 0, 32 /* any size, 32 bits a pixel if there is a choice */

	.balign 8
	.short TAG_MODULE_ALIGN, OPTIONAL
	.long 8

	.balign 8
	.short TAG_END, 0
	.long 8
header_end:

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.balign 4
	.quad PHYSICAL(boot_pvh)

	.section .init.text, "ax"
	.code32
	.globl boot_multiboot2
boot_multiboot2:
	cmpl $MULTIBOOT_MAGIC, %eax
	je boot_common
	movl $PHYSICAL(no_loader), %ebp
	jmp boot_fail

boot_pvh:
	movl $PVH_MAGIC, %eax

/* EDI and ESI keep magic and information: they become the arguments of boot_start(). */
boot_common:
	cli
	cld
	movl %eax, %edi
	movl %ebx, %esi
	movl $PHYSICAL(boot_stack + THREAD_STACK_SIZE), %esp

	/* CPUID is there if its flag can be changed. */
	movl $PHYSICAL(no_cpuid), %ebp
	pushfl
	popl %eax
	movl %eax, %ecx
	xorl $0x200000, %eax
	pushl %eax
	popfl
	pushfl
	popl %eax
	cmpl %eax, %ecx
	je boot_fail

	movl $PHYSICAL(no_pae), %ebp
	movl $1, %eax
	cpuid
	testl $(1 << 6), %edx
	jz boot_fail
	movl $PHYSICAL(no_long_mode), %ebp
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb boot_fail
	movl $0x80000001, %eax
	cpuid
	testl $(1 << 29), %edx
	jz boot_fail

	/*
	 * The first page table: 4 GiB of physical memory in pages of 2 MiB, seen at 0, at DIRECT_MAP_BASE, and the first GiB at
	 * KERNEL_BASE. It lives in zeroed memory.
	 */
	movl $PHYSICAL(boot_pages), %ebx
	movl $0x83, %eax /* present, writable, large */
	xorl %ecx, %ecx
1:	movl %eax, (%ebx, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $(4 * 512), %ecx
	jne 1b
	movl $PHYSICAL(boot_directory), %ebx
	movl $(PHYSICAL(boot_pages) + 3), %eax
	movl %eax, (%ebx)
	movl %eax, 4096 + 510 * 8(%ebx) /* the second page of it: the topmost 512 GiB */
	addl $4096, %eax
	movl %eax, 8(%ebx)
	addl $4096, %eax
	movl %eax, 16(%ebx)
	addl $4096, %eax
	movl %eax, 24(%ebx)
	movl $PHYSICAL(boot_top), %eax
	movl $(PHYSICAL(boot_directory) + 3), (%eax)
	movl $(PHYSICAL(boot_directory) + 3), ((DIRECT_MAP_BASE >> 39) & 511) * 8(%eax)
	movl $(PHYSICAL(boot_directory) + 4096 + 3), 511 * 8(%eax)

#ifdef CONFIG_DEBUG
	/* One page is the shadow of everything: three levels of 512 equal entries, then the top level's. */
	movl $PHYSICAL(boot_shadow), %ebx
	leal 3(%ebx), %edx
	movl $3, %ebp
1:	addl $4096, %ebx
	xorl %ecx, %ecx
2:	movl %edx, (%ebx, %ecx, 8)
	incl %ecx
	cmpl $512, %ecx
	jne 2b
	addl $4096, %edx
	decl %ebp
	jnz 1b
	movl $SHADOW_TOP_COUNT, %ecx
3:	movl %edx, (SHADOW_TOP_FIRST - 1) * 8(%eax, %ecx, 8)
	loop 3b
#endif

	/* Long mode: PAE, the table, EFER.LME, paging; then a jump to a 64-bit segment. */
	movl %eax, %cr3
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $(CR0_PG | CR0_WP | CR0_PE), %eax
	movl %eax, %cr0
	lgdt PHYSICAL(boot_gdt_pointer)
	ljmp $KERNEL_CODE_SELECTOR, $PHYSICAL(boot_long_mode)

/* EBP: what is missing. Says so on COM1, at 115200 baud, and stops. */
boot_fail:
	movl $PHYSICAL(boot_stack + THREAD_STACK_SIZE), %esp
	movw $(SERIAL_PORT + 3), %dx /* line control: access to the divisor */
	movb $0x80, %al
	outb %al, %dx
	movw $SERIAL_PORT, %dx
	movb $1, %al
	outb %al, %dx
	incw %dx
	decb %al
	outb %al, %dx
	movw $(SERIAL_PORT + 3), %dx /* 8 bits, no parity, 1 stop bit */
	movb $3, %al
	outb %al, %dx
	movl $PHYSICAL(lacks), %esi
	call boot_print
	movl %ebp, %esi
	call boot_print
	movl $PHYSICAL(line_end), %esi
	call boot_print
1:	cli
	hlt
	jmp 1b

boot_print: /* ESI: text */
	movl $0x10000, %ecx
1:	movw $(SERIAL_PORT + 5), %dx
	inb %dx, %al
	testb $0x20, %al
	loopz 1b
	movw $SERIAL_PORT, %dx
	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp boot_print
2:	ret

	.code64
boot_long_mode:
	movq $1f, %rax
	jmp *%rax
1:	movl $KERNEL_DATA_SELECTOR, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movq $(boot_stack + THREAD_STACK_SIZE), %rsp
	movl %edi, %ebx
	movl %esi, %ebp

	/* The boot CPU's copy of the per-CPU section, which C code needs for anything. */
	movq $__per_cpu_start, %rsi
	movq $__per_cpu_boot_copy, %rdi
	movq $__per_cpu_end, %rcx
	subq %rsi, %rcx
	shrq $3, %rcx
	rep movsq
	movq $__per_cpu_boot_copy, %rax
	subq $__per_cpu_start, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr

	movl %ebx, %edi
	movl %ebp, %esi
	xorl %ebp, %ebp
	call boot_start
	ud2

	.section .init.rodata, "a"
lacks:	.asciz "\r\nkumo: this machine lacks "
no_cpuid: .asciz "the CPUID instruction"
no_pae: .asciz "physical address extension (PAE)"
no_long_mode: .asciz "64-bit mode (long mode)"
no_loader: .asciz "a Multiboot2 boot loader"
line_end: .asciz "; it stops here.\r\n"

	.balign 8
boot_gdt:
	.quad 0, 0
	.quad 0x00af9b000000ffff /* KERNEL_CODE_SELECTOR */
	.quad 0x00cf93000000ffff /* KERNEL_DATA_SELECTOR */
boot_gdt_pointer:
	.short boot_gdt_pointer - boot_gdt - 1
	.long PHYSICAL(boot_gdt)

	.section .bss..init, "aw", @nobits
	.balign 4096
boot_top:
	.skip 4096
boot_directory:
	.skip 2 * 4096
boot_pages:
	.skip 4 * 4096
#ifdef CONFIG_DEBUG
boot_shadow:
	.skip 4 * 4096 /* the page, and the tables of levels 1 to 3 */
#endif

	.section .bss..boot_stack, "aw", @nobits
	.balign 4096
	.globl boot_stack
boot_stack:
	.skip THREAD_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
