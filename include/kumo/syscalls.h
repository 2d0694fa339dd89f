/*
 * The system calls, by family; each family's file is kernel/sys_FAMILY.c. Arguments are checked there and passed on.
 *
 * A family's file defines `long sys_NAME(...)` with the types that the call has; the table (arch/x86/syscall_table.c)
 * names every call of Linux by number, each a weak symbol that is sys_missing unless somebody defines it.
 */
#ifndef KUMO_SYSCALLS_H
#define KUMO_SYSCALLS_H

#include <kumo/types.h>

typedef long (*syscall_function)(unsigned long, unsigned long, unsigned long, unsigned long,
				 unsigned long, unsigned long);

struct pt_regs;
long sys_missing(void); /* -ENOSYS; counts the call by number */
/* The registers of the current system call, for the few that need them (clone, execve, rt_sigreturn). */
struct pt_regs *current_regs(void);

/* For a file in /sys: the calls that programs tried and Kumo lacks. Numbers run from 0 to syscall_count() - 1. */
unsigned int syscall_count(void);
const char *syscall_name(unsigned int number); /* NULL: Linux has none of this number */
bool syscall_present(unsigned int number);
u64 syscall_missed(unsigned int number); /* how often it was asked for in vain */

#endif
