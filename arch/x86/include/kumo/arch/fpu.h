/*
 * The x87, SSE and AVX registers of user programs (arch/x86/fpu.c). The kernel itself does not use them, so a thread's
 * state stays in the registers while it is in the kernel. It is saved when another thread runs, and loaded when the
 * thread goes back to user mode and the registers hold something else (WORK_FPU_LOAD).
 */
#ifndef KUMO_ARCH_FPU_H
#define KUMO_ARCH_FPU_H

#include <kumo/types.h>

struct thread;

/* Prepares this CPU for user state: CR0, CR4, XCR0, segment bases, its number for rdtscp. The boot CPU's call, the first,
 * finds out what there is. */
void fpu_init_cpu(void);
void fpu_init(void); /* once, when there are slabs */

/* For WORK_FPU_LOAD: the current thread's state goes into the registers. Interrupts on; may sleep when the thread has no
 * save area yet. The flag may be set again by a switch, so the caller tests `work` again with interrupts off. */
void fpu_load(void);

/* At a switch; interrupts off. */
void fpu_switch_out(struct thread *thread);
void fpu_switch_in(struct thread *thread);

int fpu_fork(struct thread *child) __must_check; /* copies the current thread's state; -ENOMEM */
void fpu_reset(void); /* exec: the current thread starts with the initial state, and nothing of the old is kept anywhere */
void fpu_reset_for_handler(void); /* likewise for a signal's handler, but cheaper: the save area keeps old bytes */
void fpu_free(struct thread *thread);

/*
 * Signal frames: the state as Linux lays it out: the legacy area with struct _fpx_sw_bytes in its reserved bytes, the
 * extended areas, FP_XSTATE_MAGIC2. `buffer` is 64-byte aligned and has room for fpu_frame_size(). 0 or -EFAULT, -ENOMEM.
 * fpu_restore_from_user() takes whatever it is given (NULL: the initial state); -EFAULT when it cannot be read.
 */
size_t fpu_frame_size(void);
int fpu_save_to_user(void __user *buffer) __must_check;
int fpu_restore_from_user(const void __user *buffer) __must_check;

/* What AT_HWCAP2 tells: bit 1, user code may use the rdfsbase family. */
extern unsigned long fpu_hwcap2;

#endif
