/*
 * The table of system calls. Every call that Linux has on x86-64 is a weak alias of sys_missing; the file of a family
 * that defines sys_NAME takes its place when the kernel is linked. What programs ask for in vain is counted.
 */
#include <kumo/arch/ptrace.h>
#include <kumo/atomic.h>
#include <kumo/err.h>
#include <kumo/seccomp.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>

#include "syscall.h"

/* One count more, for numbers that Linux does not have either. */
static atomic64_t missed[SYSCALL_COUNT + 1];

long sys_missing(void)
{
	unsigned int number = (unsigned int)current_regs()->orig_ax;

	atomic64_add(&missed[min(number, (unsigned int)SYSCALL_COUNT)], 1);
	return -ENOSYS;
}

#define SYSCALL(number, name) long sys_##name(void) __attribute__((weak, alias("sys_missing")));
#include "syscall_list.h"
#undef SYSCALL

/* Numbers that Linux skips keep the first line's value. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#define SYSCALL(number, name) [number] = (syscall_function)(void *)sys_##name,
const syscall_function syscall_table[SYSCALL_COUNT] = {
	[0 ... SYSCALL_COUNT - 1] = (syscall_function)(void *)sys_missing,
#include "syscall_list.h"
};
#pragma GCC diagnostic pop
#undef SYSCALL

/* The long way into a call, from syscall_entry.S: its number is none, or somebody looks at the thread's calls first. */
long syscall_slow(struct pt_regs *regs)
{
	unsigned int number = (unsigned int)regs->orig_ax;
	long result;

	if (current->seccomp.mode && !seccomp_check(regs, &result))
		return result;
	if (number >= SYSCALL_COUNT)
		return sys_missing();
	return syscall_table[number](regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9);
}

#define SYSCALL(number, name) [number] = #name,
static const char *const names[SYSCALL_COUNT] = {
#include "syscall_list.h"
};
#undef SYSCALL

unsigned int syscall_count(void)
{
	return SYSCALL_COUNT;
}

const char *syscall_name(unsigned int number)
{
	return number < SYSCALL_COUNT ? names[number] : NULL;
}

bool syscall_present(unsigned int number)
{
	return number < SYSCALL_COUNT && syscall_table[number] != (syscall_function)(void *)sys_missing;
}

u64 syscall_missed(unsigned int number)
{
	return (u64)atomic64_read(&missed[min(number, (unsigned int)SYSCALL_COUNT)]);
}
