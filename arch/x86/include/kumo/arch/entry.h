/* The boundary between user and kernel mode. */
#ifndef KUMO_ARCH_ENTRY_H
#define KUMO_ARCH_ENTRY_H

#include <kumo/types.h>

struct pt_regs;

/* Assembly: the stack pointer is at a struct pt_regs of user mode, interrupts are off. Calls exit_to_user(), reloads the
 * registers and goes. The first step of a forked thread, once the scheduler is done with its predecessor. */
extern char user_return[];
void enter_user_mode(struct pt_regs *regs) __noreturn;

/* kernel/entry.c: does current->work, until there is none. Called and returns with interrupts off, right before the return
 * to user mode with `regs`. For an exception or interrupt, regs->orig_ax must be -1: otherwise it is taken for a system call,
 * which may be restarted. */
void exit_to_user(struct pt_regs *regs);

#endif
