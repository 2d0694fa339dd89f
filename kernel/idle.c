/*
 * The idle thread of each CPU: sleeps until there is something to do.
 *
 * Before it stops the CPU it looks at its `work` for a short while (when there are other CPUs that could set it): a wake-up
 * that comes then costs the waker a store instead of an interrupt.
 */
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/thread.h>

#include "sched.h"

#define POLL_NS (20 * NSEC_PER_USEC)

static void poll(struct runqueue *rq)
{
	u64 end = arch_clock_ns() + POLL_NS;

	WRITE_ONCE(rq->polling, true);
	while (!need_resched() && arch_clock_ns() < end)
		cpu_relax();
	/* The store is before the next look at `work`: partner of the atomic operation in ask_for_switch(). */
	__atomic_store_n(&rq->polling, false, __ATOMIC_SEQ_CST);
}

void cpu_idle_loop(void)
{
	struct runqueue *rq = this_cpu_ptr(&runqueue);

	sched_idle_begin();
	local_irq_enable();
	for (;;) {
		if (num_online_cpus() > 1 && !need_resched())
			poll(rq);
		local_irq_disable();
		rcu_quiescent();
		if (!need_resched())
			arch_idle(); /* interrupts are on when it returns */
		else
			local_irq_enable();
		printk_wake_readers();
		if (need_resched())
			schedule();
	}
}
