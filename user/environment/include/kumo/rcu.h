/* Read-copy-update, in a process: readers share a lock, in whose sections they take no other; who frees waits until they have left. */
#ifndef KUMO_RCU_H
#define KUMO_RCU_H

#include <kumo/atomic.h>

struct rcu_head {
	struct rcu_head *next;
	void (*function)(struct rcu_head *head);
};

#define rcu_dereference(pointer) __atomic_load_n(&(pointer), __ATOMIC_CONSUME)
#define rcu_assign_pointer(pointer, value) __atomic_store_n(&(pointer), value, __ATOMIC_RELEASE)

void rcu_read_lock(void);
void rcu_read_unlock(void);
void synchronize_rcu(void);
static inline void call_rcu(struct rcu_head *head, void (*function)(struct rcu_head *head))
{
	synchronize_rcu();
	function(head);
}

#endif
