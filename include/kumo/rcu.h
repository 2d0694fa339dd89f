/*
 * Read-copy-update: readers of a structure take no lock; who unlinks an object frees it after a grace period, when
 * every CPU has passed a quiescent state (a context switch, idle, user mode). Kernel code is not preempted, so a
 * read section costs nothing; it must not sleep.
 */
#ifndef KUMO_RCU_H
#define KUMO_RCU_H

#include <kumo/atomic.h>
#include <kumo/percpu.h>

struct rcu_head {
	struct rcu_head *next;
	void (*function)(struct rcu_head *head);
};

#ifdef CONFIG_DEBUG
DECLARE_PER_CPU(unsigned int, rcu_read_depth); /* of the lock checker (kernel/lockcheck.c) */
#endif

static inline void rcu_read_lock(void)
{
#ifdef CONFIG_DEBUG
	this_cpu_inc(rcu_read_depth);
#endif
	barrier();
}

static inline void rcu_read_unlock(void)
{
	barrier();
#ifdef CONFIG_DEBUG
	this_cpu_dec(rcu_read_depth);
#endif
}

#define rcu_dereference(pointer) __atomic_load_n(&(pointer), __ATOMIC_CONSUME)
#define rcu_assign_pointer(pointer, value) __atomic_store_n(&(pointer), value, __ATOMIC_RELEASE)

/* Calls function(head) after a grace period, from a kernel thread that may not sleep there. Any context. */
void call_rcu(struct rcu_head *head, void (*function)(struct rcu_head *head));
/* Waits for a grace period. Sleeps. Quick: it makes the other CPUs pass through a quiescent state. */
void synchronize_rcu(void);
/* Waits until all callbacks queued so far have run (a module calls this before its code goes). Sleeps. */
void rcu_barrier(void);
/* Whether callbacks wait to be run, or are being run now; the thread that runs them is told to start. Any context. */
bool rcu_callbacks_wait(void);

void rcu_init(void);

/* The scheduler and the idle loop tell that this CPU holds no reference. Interrupts off. */
DECLARE_PER_CPU(unsigned int, rcu_wanted); /* a grace period waits for this CPU */
void rcu_report(void);
static inline void rcu_quiescent(void)
{
	if (unlikely(this_cpu_read(rcu_wanted)))
		rcu_report();
}

#endif
