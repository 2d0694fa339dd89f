/* Read-copy-update, for the fuzzers of state machines: there is one thread. */
#ifndef FUZZ_RCU_H
#define FUZZ_RCU_H

#include_next <kumo/rcu.h>

#define rcu_dereference(pointer) (pointer)
#define rcu_assign_pointer(pointer, value) ((pointer) = (value))
#define call_rcu(head, function) function(head)
static inline void rcu_read_lock(void)
{
}
static inline void rcu_read_unlock(void)
{
}

#endif
