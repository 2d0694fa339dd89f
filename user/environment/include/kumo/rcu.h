/* Read-copy-update, in a process: only the head that structures of the core hold. */
#ifndef KUMO_RCU_H
#define KUMO_RCU_H

#include <kumo/atomic.h>

struct rcu_head {
	struct rcu_head *next;
	void (*function)(struct rcu_head *head);
};

#endif
