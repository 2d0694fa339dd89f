/* Between the two halves of the lock checker: who holds what (lockcheck.c), and what follows for all locks (lockorder.c). All
 * with interrupts off, and never while this CPU writes a report. */
#ifndef KUMO_LOCKORDER_H
#define KUMO_LOCKORDER_H

#include <kumo/lockcheck.h>

/* How locks of a class were met so far. */
enum lock_usage { TAKEN_IN_INTERRUPT, HELD_WITH_INTERRUPTS_ON, LOCK_USAGES };

/* The class of a lock; 0: none, for it was never initialised, or there are too many. */
unsigned int lock_class(struct lock_tag *tag, unsigned int rank);
const char *lock_class_name(unsigned int class, char *text, size_t size);
/* A lock of class `inner` is about to be taken while one of `outer`, taken at `outer_from`, is held. */
void lock_order_add(unsigned int outer, void *outer_from, unsigned int inner);
void lock_usage_add(unsigned int class, enum lock_usage usage);

#endif
