/* Between the files of the scheduler: sched.c, idle.c, wait.c, timer.c, rcu.c and the system calls on time. */
#ifndef KUMO_KERNEL_SCHED_H
#define KUMO_KERNEL_SCHED_H

#include <kumo/thread.h>

/* One CPU's threads. */
struct runqueue {
	spinlock_t lock; /* all of it, and the scheduler's part of the threads on it; a leaf but for timer locks */
	unsigned int cpu;
	unsigned int running; /* threads on it: the one that runs, unless it is the idle thread, and those in the tree */
	bool polling; /* the idle thread looks at its `work` all the time and needs no interrupt */
	bool evict_previous; /* during a switch: the previous thread may not run on this CPU any more */
	struct thread *active, *idle; /* active: the one that runs */
	struct rb_root waiting;
	struct rb_node *first; /* of the tree */
	u64 load;	       /* sum of weights */
	u64 least_virtual_ns;  /* never decreases; where threads that join start */
	u64 realtime_sequence; /* takes the place of virtual runtime among real-time threads */
	struct mm *borrowed_mm; /* the page table in use, while a thread without one of its own runs; a reference */
	struct timer tick;
	u64 switches;
	long uninterruptible; /* threads that began to wait for a disk here, less those that were woken here */
	struct cpu_times times;
} __cacheline_aligned;

DECLARE_PER_CPU(struct runqueue, runqueue);

static inline unsigned long online_mask(void)
{
	unsigned int count = num_online_cpus();

	return count >= 64 ? ~0UL : BIT(count) - 1;
}

void sched_finish_switch(struct thread *previous);
void sched_idle_begin(void);
void sched_ask_cpu(unsigned int cpu);
void load_average_update(u64 now);
/* Wakes a thread from any sleep; sync: the waker is about to sleep itself, so the thread had better run here. */
bool thread_wake_sleeping(struct thread *thread, bool sync);

/* ITIMER_VIRTUAL, ITIMER_PROF and RLIMIT_CPU of the thread's process (process_timers.c); in interrupt context. */
void cpu_timers_check(struct thread *thread);

#endif
