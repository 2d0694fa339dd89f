/* What the system-call entry and its table share; also read by assembly. */
#ifndef X86_SYSCALL_H
#define X86_SYSCALL_H

#define SYSCALL_COUNT 451 /* numbers 0..450: Linux 6.1 */

#ifndef __ASSEMBLER__
#include <kumo/percpu.h>

/* The current thread's arch.syscall_limit. */
DECLARE_PER_CPU(unsigned int, syscall_limit);
#endif

#endif
