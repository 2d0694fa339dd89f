/* Tells the CPU where system calls enter. */
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/msr.h>

#include "syscall.h"

/* Cleared on entry: all status bits, TF, IF, DF, IOPL, NT, RF, AC (so that SMAP holds) and ID. */
#define ENTRY_FLAGS_CLEARED 0x257fd5UL

/* The user's stack pointer, between the entry's first and fifth instruction. */
DEFINE_PER_CPU(unsigned long, syscall_user_stack);

/* SYSCALL_COUNT; 0 while the CPU runs a thread whose calls are checked. */
DEFINE_PER_CPU(unsigned int, syscall_limit) = SYSCALL_COUNT;

extern char syscall_entry[];

void syscall_init_cpu(void)
{
	wrmsr(MSR_STAR, STAR_SELECTORS);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_SYSCALL_MASK, ENTRY_FLAGS_CLEARED);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
}
