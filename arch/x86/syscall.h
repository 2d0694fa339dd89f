/* What the system-call entry and its table share; also read by assembly. */
#ifndef X86_SYSCALL_H
#define X86_SYSCALL_H

#define SYSCALL_COUNT 451 /* numbers 0..450: Linux 6.1 */

#endif
