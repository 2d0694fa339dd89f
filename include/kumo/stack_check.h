/*
 * How deep kernel stacks were (kernel/stack_check.c); the debug build's. A new stack is filled with a pattern: the lowest
 * place where it is gone tells how far the stack was ever used.
 */
#ifndef KUMO_STACK_CHECK_H
#define KUMO_STACK_CHECK_H

#ifdef CONFIG_DEBUG
#include <kumo/types.h>

struct thread;

/* A thread has got its stack; the current one's is filled below where it is. */
void stack_watch(struct thread *thread);
/* It gives the stack back: looks how deep it was, and reports when less than 1 KiB was left. Any context. */
void stack_unwatch(struct thread *thread);
/* How many bytes of the stack were never used. */
size_t stack_unused(const struct thread *thread);
/* Makes /sys/kernel/debug/stacks. */
void stack_check_init(void);
#else
#define stack_watch(thread) ((void)(thread))
#define stack_unwatch(thread) ((void)(thread))
static inline void stack_check_init(void)
{
}
#endif

#endif
