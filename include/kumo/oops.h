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

/* How many oopses there were since the start. */
unsigned int oops_count(void);

#endif
