/*
 * Filters of system calls (seccomp(2)): a thread that has given up most of them (strict), or that has programs which look at each
 * call before it runs. Children and executed programs keep them. A thread with neither pays nothing: one that has them
 * enters each call by the long way (syscall_slow(), arch/x86/syscall_table.c).
 */
#ifndef KUMO_SECCOMP_H
#define KUMO_SECCOMP_H

#include <kumo/types.h>

struct pt_regs;
struct seccomp_data;
struct seccomp_filter;
struct sock_filter;
struct thread;

/* A thread's part. Changed under process->lock, by the thread itself or (filter) for it by another of its process. */
struct seccomp {
	u8 mode;		       /* SECCOMP_MODE_* */
	struct seccomp_filter *filter; /* the newest, which holds the one before; own reference; NULL: none */
};

/* May the current thread make the system call in *regs? False: *result is what it gives instead. May end the thread. */
bool seccomp_check(struct pt_regs *regs, long *result) __must_check;
/* A new thread gets what the current one has. process->lock of the current process held. */
void seccomp_fork(struct thread *child);
void seccomp_release(struct thread *thread); /* the thread goes. Any context. */
/* How many programs look at the thread's calls. The thread may be another's: a reference to it is held. */
unsigned int seccomp_filter_count(struct thread *thread);

long seccomp_operation(unsigned int operation, unsigned int flags, void __user *arguments);

/* ---- seccomp_program.c ---- */

/*
 * Is that a program of the classic Berkeley packet filter that may judge calls? It ends on each path, reads nothing but `struct
 * seccomp_data`, in whole words, and no word of its memory that it has not written. Loads of the length become constants. 0,
 * -EINVAL, -ENOMEM.
 */
int seccomp_program_check(struct sock_filter *program, unsigned int length) __must_check;
/* What a checked program returns. */
u32 seccomp_program_run(const struct sock_filter *program, const struct seccomp_data *data);

#endif
