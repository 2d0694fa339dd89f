/* Registers as the entry code saves them on the kernel stack; the order is Linux's struct pt_regs. */
#ifndef KUMO_ARCH_PTRACE_H
#define KUMO_ARCH_PTRACE_H

#include <kumo/types.h>

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx; /* preserved by C functions */
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax; /* system call number, or error code, or -1 */
	unsigned long ip, cs, flags, sp, ss;
};

static inline bool regs_from_user(const struct pt_regs *regs)
{
	return regs->cs & 3;
}

#endif
