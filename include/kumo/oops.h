/* Faults of the kernel itself: the report, and what becomes of whoever caused it (arch/x86/oops.c). */
#ifndef KUMO_OOPS_H
#define KUMO_OOPS_H

#include <kumo/types.h>

struct pt_regs;

/*
 * The kernel did at `regs` what it must never do. Logs registers, code and a backtrace; then the current thread's
 * process dies, or, when the rest of the system could not go on without it (in an interrupt, the idle
 * thread, the first process), all panics.
 */
void die(const char *what, struct pt_regs *regs, unsigned long error_code) __noreturn;

/* Logs the call chain: from `regs`, or of the caller when that is NULL. Any context. */
void arch_backtrace(const struct pt_regs *regs);
/* Return addresses of the call chain, innermost first; how many were stored. */
unsigned int arch_backtrace_save(const struct pt_regs *regs, unsigned long *addresses,
				 unsigned int limit);
/* The same of the program that `regs` came from, as far as it keeps frame pointers: what is not in memory ends the
 * chain. Any context, the current thread's memory. */
unsigned int arch_backtrace_user(const struct pt_regs *regs, unsigned long *addresses,
				 unsigned int limit);

/* What has happened since the start that makes later reports doubtful: a set of bits with Linux's numbers, in
 * /proc/sys/kernel/tainted. Any context. */
enum taint {
	TAINT_FORCED_MODULE = 1, /* a module was loaded by force */
	TAINT_DIE = 7,		 /* an oops */
	TAINT_WARN = 9,		 /* a broken invariant was reported */
};
void taint_add(enum taint taint);
unsigned long taints(void);

/* After how many seconds a panic restarts the machine: below 0 at once, 0 never. Any context. */
s64 panic_timeout(void);
void panic_set_timeout(s64 seconds);

/* How many oopses there were since the start. */
unsigned int oops_count(void);

#endif
