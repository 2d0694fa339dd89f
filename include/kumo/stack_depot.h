/*
 * Backtraces that the debug build keeps (kernel/stack_depot.c): each is stored once and named by a number. Checkers note
 * where an object was allocated, a lock taken and the like, and print it when there is something to report.
 */
#ifndef KUMO_STACK_DEPOT_H
#define KUMO_STACK_DEPOT_H

#ifdef CONFIG_DEBUG

#include <kumo/types.h>

#define STACK_DEPTH 20 /* addresses that are kept, from the innermost on */

/* The present backtrace, without this function; in an interrupt without what it interrupted. 0: none (there is no room left).
 * Any context, whatever locks are held; allocates nothing. */
u32 stack_save(void);
/* The same for what belongs to the kernel, whatever module is in the backtrace. */
u32 stack_save_core(void);
/* Return addresses, innermost first; at most STACK_DEPTH, how many there are. Any context. */
unsigned int stack_addresses(u32 stack, unsigned long *addresses);
/* Within a report (report.h): a line each. */
void stack_print(u32 stack);
/* The owner (track.h) of what is made there: the innermost module in it, else the kernel, 0. */
unsigned int stack_owner(u32 stack);

/* What lives that was allocated there; for track.c. */
struct stack_usage {
	long count, bytes; /* changed atomically */
	long reported;	   /* of `count`, how many were reported as leaked */
};
struct stack_usage *stack_usage(u32 stack);
/* From 0, which is no backtrace but may have usage, to each stack in turn; false at the end. */
bool stack_next(u32 *stack);

#endif
#endif
