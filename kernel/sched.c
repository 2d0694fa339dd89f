/*
 * The scheduler.
 *
 * Each CPU has a run queue: the thread that runs, and those that could, in a tree ordered by real-time priority first and
 * virtual runtime second. Virtual runtime is CPU time divided by the weight that the nice value gives, so running always the
 * thread with the least of it shares a CPU by weight. A thread that slept starts little behind the others, not at what it
 * had long ago: it gets the CPU soon, and cannot hoard.
 *
 * Kernel code is not preempted. A thread gives its CPU up when it blocks (schedule()), at a point of its choice
 * (cond_resched()), or on its way to user mode when WORK_RESCHEDULE is set in its `work`. That flag is how everybody asks for
 * a CPU: a wake-up, the tick, another CPU. Setting it on another CPU is followed by an interrupt, unless that CPU polls.
 *
 * Sleeping and waking. A sleeper stores its state, looks at its condition, and calls schedule(), which takes it off the queue
 * if the state still says so. A waker makes the condition true and calls thread_wake(), which looks at the state under the
 * lock of the run queue. Both have a full barrier between their store and their load (thread_set_state(); the lock's
 * atomic addition), so at least one sees what the other wrote: either the sleeper sees the condition, or the waker sees
 * the state. If the waker comes between the sleeper's store and its schedule(), the thread is on its queue still: the waker sets
 * the state back, and schedule() does not take it off.
 *
 * A thread's stack is in use until the CPU that it leaves has switched to another stack, and until then no other CPU may
 * run it. The run queue's lock is held across the switch and released by the thread that comes after
 * (sched_finish_switch()), and a waker needs the lock of the queue on which the sleeper was last; so whoever finds
 * a thread off its queue finds it off its stack, too. `thread->cpu` names that queue. It changes only under that queue's lock,
 * while the thread is not running; whoever waits for the lock looks again after getting it. A thread that moves to another CPU's
 * queue is on none for a moment, in state RUNNING, which keeps other wakers off it.
 *
 * Ticks. A CPU that has more than one thread to run looks at them every SLICE_NS. One that has a single thread samples every
 * SAMPLE_NS whether it is in user mode. An idle one has no tick. A tick is left armed when it is no longer needed:
 * one stray interrupt is cheaper than programming the timer at every switch.
 *
 * CPU time is read off the clock at each switch and tick. How it divides into user and system time is sampled by the ticks: each
 * thread keeps the share of its recent ticks that found user mode, and its time is divided by that.
 *
 * Balance. A woken thread goes to the CPU on which it ran if that is idle, else to an idle one, else to where it ran; a waker
 * that is about to sleep says so (WAKE_SYNC) and keeps it close. A CPU that runs out of threads takes one that waits
 * elsewhere. A CPU with several threads gives one away at a tick when another has less to do.
 */
#define LOG_PREFIX "sched: "
#include <kumo/arch/fpu.h>
#include <kumo/arch/ptrace.h>
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/kva.h>
#include <kumo/lockcheck.h>
#include <kumo/stack_check.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/vm.h>
#include <linux/sched.h>

#include "sched.h"

#define SLICE_NS (4 * NSEC_PER_MSEC)
#define SAMPLE_NS (20 * NSEC_PER_MSEC)
#define SLEEPER_CREDIT_NS (3 * NSEC_PER_MSEC) /* how far behind the others a woken thread starts */
#define WAKE_GRANULARITY_NS (1 * NSEC_PER_MSEC) /* and how far it must be to take the CPU at once */
#define WEIGHT_UNIT 1024
#define WEIGHT_IDLE_POLICY 3
#define LOAD_PERIOD_NS (5 * NSEC_PER_SEC)

DEFINE_PER_CPU(struct runqueue, runqueue);

extern char boot_stack[];
struct thread boot_thread = {
	.stack = boot_stack,
	.refs = { ATOMIC_INIT(1) },
	.flags = THREAD_FLAG_KERNEL | THREAD_FLAG_IDLE,
	.name = "idle/0",
	.on_cpu = true,
	.weight = WEIGHT_UNIT,
	.affinity = 1,
	.cred = &root_cred,
	.pending.queue = LIST_INIT(boot_thread.pending.queue),
	.process_link = LIST_INIT(boot_thread.process_link),
	.exited.queue = WAIT_QUEUE_INIT(boot_thread.exited.queue),
};

DEFINE_PER_CPU(struct thread *, current_thread) = &boot_thread;
EXPORT_SYMBOL(current_thread);

static unsigned long idle_cpus; /* bit by CPU: its idle thread runs */

/* The weight of nice -20 ... 19: each step is a quarter more, so that one step is a tenth of a CPU between two threads. */
static const unsigned int nice_weight[40] = {
	88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921, /* -20 */
	9537,  7629,  6104,  4883,  3906,  3125,  2500,	 2000,	1600,  1280,  /* -10 */
	1024,  819,   655,   524,   419,   336,	  268,	 215,	172,   137,   /*   0 */
	110,   88,    70,    56,    45,	   36,	  29,	 23,	18,    15,    /*  10 */
};

static struct runqueue *this_runqueue(void)
{
	return this_cpu_ptr(&runqueue);
}

static struct runqueue *cpu_runqueue(unsigned int cpu)
{
	return per_cpu_ptr(&runqueue, cpu);
}

/* Locks the queue that a thread is on, or was on last. Interrupts off. */
static struct runqueue *thread_queue_lock(struct thread *thread)
{
	for (;;) {
		unsigned int cpu = READ_ONCE(thread->cpu);
		struct runqueue *rq = cpu_runqueue(cpu);

		raw_spin_lock(&rq->lock);
		if (likely(READ_ONCE(thread->cpu) == cpu))
			return rq;
		raw_spin_unlock(&rq->lock);
	}
}

/* ---- The tree of waiting threads ---- */

static inline bool runs_before(const struct thread *a, const struct thread *b)
{
	if (unlikely(a->realtime_priority != b->realtime_priority))
		return a->realtime_priority > b->realtime_priority;
	return (s64)(a->virtual_runtime_ns - b->virtual_runtime_ns) < 0;
}

static inline struct thread *first_waiting(struct runqueue *rq)
{
	return rb_entry_or_null(rq->first, struct thread, run_node);
}

static void tree_insert(struct runqueue *rq, struct thread *thread)
{
	struct rb_node **link = &rq->waiting.node, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (runs_before(thread, container_of(parent, struct thread, run_node))) {
			link = &parent->left;
		} else {
			link = &parent->right;
			first = false;
		}
	}
	if (first)
		rq->first = &thread->run_node;
	rb_insert(&rq->waiting, &thread->run_node, parent, link);
}

static void tree_remove(struct runqueue *rq, struct thread *thread)
{
	if (rq->first == &thread->run_node)
		rq->first = rb_next(&thread->run_node);
	rb_erase(&rq->waiting, &thread->run_node);
}

/* ---- Time ---- */

static void account(struct runqueue *rq, struct thread *thread, u64 now)
{
	u64 time = now - thread->run_start_ns, user;

	if (unlikely((s64)time <= 0)) /* the clocks of two CPUs may differ by a few cycles */
		return;
	thread->run_start_ns = now;
	if (thread == rq->idle) {
		rq->times.idle_ns += time;
		return;
	}
	user = time * thread->user_share >> 8;
	thread->cpu_time_ns += time;
	thread->user_ns += user;
	thread->system_ns += time - user;
	if (unlikely(thread->nice > 0))
		rq->times.nice_ns += user;
	else
		rq->times.user_ns += user;
	rq->times.system_ns += time - user;
	if (unlikely(thread->realtime_priority))
		return;
	if (unlikely(thread->weight != WEIGHT_UNIT))
		time = time * WEIGHT_UNIT / thread->weight;
	thread->virtual_runtime_ns += time;
}

/* The tick comes at `when` or before. */
static void tick_by(struct runqueue *rq, u64 when)
{
	if (!rq->tick.armed || rq->tick.expires_ns > when)
		timer_arm(&rq->tick, when);
}

/* ---- Asking a CPU to look at its queue ---- */

static void ask_for_switch(struct runqueue *rq)
{
	struct thread *running = rq->active;

	if (READ_ONCE(running->work) & WORK_RESCHEDULE)
		return;
	__atomic_fetch_or(&running->work, WORK_RESCHEDULE, __ATOMIC_SEQ_CST);
	/* The atomic operation above orders the flag before the look at `polling`; cpu_idle_loop() has the partner. */
	if (rq->cpu != smp_processor_id() && !READ_ONCE(rq->polling))
		smp_send_reschedule(rq->cpu);
}

/* For those who want a CPU to pass through schedule() soon (RCU). */
void sched_ask_cpu(unsigned int cpu)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = cpu_runqueue(cpu);

	raw_spin_lock(&rq->lock);
	ask_for_switch(rq);
	raw_spin_unlock(&rq->lock);
	local_irq_restore(flags);
}

/* ---- On and off the queue; the queue's lock is held ---- */

static void enqueue(struct runqueue *rq, struct thread *thread)
{
	if (unlikely(thread->realtime_priority)) {
		thread->virtual_runtime_ns = ++rq->realtime_sequence; /* in the order of arrival */
	} else {
		u64 least = rq->least_virtual_ns - SLEEPER_CREDIT_NS;

		if ((s64)(thread->virtual_runtime_ns - least) < 0)
			thread->virtual_runtime_ns = least;
	}
	thread->on_queue = true;
	rq->running++;
	rq->load += thread->weight;
	tree_insert(rq, thread);
}

static void leave(struct runqueue *rq, struct thread *thread)
{
	thread->on_queue = false;
	rq->running--;
	rq->load -= thread->weight;
}

/* A thread has joined the queue: does it take the CPU at once? */
static void check_preemption(struct runqueue *rq, struct thread *joined)
{
	struct thread *running = rq->active;
	u64 now;

	if (running == rq->idle || joined->realtime_priority > running->realtime_priority) {
		ask_for_switch(rq);
		return;
	}
	if (running->realtime_priority)
		return;
	now = arch_clock_ns();
	account(rq, running, now);
	if ((s64)(running->virtual_runtime_ns - joined->virtual_runtime_ns) > (s64)WAKE_GRANULARITY_NS)
		ask_for_switch(rq);
	else if (rq->cpu == smp_processor_id())
		tick_by(rq, now + SLICE_NS);
	else if (rq->running == 2)
		ask_for_switch(rq); /* its tick may be far away: it arms a nearer one as it looks */
}

/* Virtual runtimes count from each queue's own origin. */
static void change_queue(struct thread *thread, struct runqueue *from, struct runqueue *to)
{
	if (!thread->realtime_priority)
		thread->virtual_runtime_ns += READ_ONCE(to->least_virtual_ns) - from->least_virtual_ns;
	WRITE_ONCE(thread->cpu, to->cpu);
}

static unsigned int choose_cpu(struct thread *thread, bool sync)
{
	unsigned int last = thread->cpu, here;
	unsigned long allowed, idle;

	if (num_online_cpus() == 1)
		return last;
	allowed = READ_ONCE(thread->affinity) & online_mask();
	if (unlikely(!allowed))
		allowed = online_mask();
	here = smp_processor_id();
	if (sync && (allowed & BIT(here)) && this_runqueue()->running <= 1)
		return here;
	idle = READ_ONCE(idle_cpus) & allowed;
	if (idle & BIT(last))
		return last;
	if (idle & BIT(here))
		return here;
	if (idle)
		return __builtin_ctzl(idle);
	return (allowed & BIT(last)) ? last : (unsigned int)__builtin_ctzl(allowed);
}

/*
 * Puts a thread that is runnable, on no queue and off its stack onto that of the CPU chosen for it. Called with the lock
 * of the queue that thread->cpu names, which it releases. Interrupts off.
 */
static void place(struct runqueue *rq, struct thread *thread, bool sync)
{
	for (;;) {
		unsigned int cpu = choose_cpu(thread, sync);

		if (cpu == rq->cpu)
			break;
		change_queue(thread, rq, cpu_runqueue(cpu));
		raw_spin_unlock(&rq->lock);
		rq = cpu_runqueue(cpu);
		raw_spin_lock(&rq->lock);
		if (likely(READ_ONCE(thread->affinity) & BIT(cpu)))
			break;
	}
	enqueue(rq, thread);
	check_preemption(rq, thread);
	raw_spin_unlock(&rq->lock);
}

/* ---- Waking ---- */

static bool wake_from(struct thread *thread, unsigned int states, bool sync)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = thread_queue_lock(thread);
	unsigned int state = READ_ONCE(thread->state);

	if (!(state & states)) {
		raw_spin_unlock(&rq->lock);
		local_irq_restore(flags);
		return false;
	}
	WRITE_ONCE(thread->state, THREAD_RUNNING);
	if (thread->on_queue) {
		raw_spin_unlock(&rq->lock);
	} else {
		if (state & (THREAD_UNINTERRUPTIBLE | THREAD_KILLABLE))
			rq->uninterruptible--;
		place(rq, thread, sync);
	}
	local_irq_restore(flags);
	return true;
}

bool thread_wake_state(struct thread *thread, unsigned int states)
{
	return wake_from(thread, states, false);
}
EXPORT_SYMBOL(thread_wake_state);

#define SLEEPING_STATES (THREAD_INTERRUPTIBLE | THREAD_UNINTERRUPTIBLE | THREAD_KILLABLE)

bool thread_wake_sleeping(struct thread *thread, bool sync)
{
	return wake_from(thread, SLEEPING_STATES, sync);
}

void thread_wake(struct thread *thread)
{
	wake_from(thread, SLEEPING_STATES, false);
}
EXPORT_SYMBOL(thread_wake);

void sched_fork(struct thread *child)
{
	struct thread *parent = current;

	child->affinity = READ_ONCE(parent->affinity);
	child->policy = parent->policy;
	child->realtime_priority = parent->realtime_priority;
	child->nice = parent->nice;
	child->weight = parent->weight;
	child->user_share = parent->user_share;
	if (parent->reset_on_fork) {
		if (parent->policy == SCHED_FIFO || parent->policy == SCHED_RR)
			child->policy = SCHED_NORMAL;
		child->realtime_priority = 0;
		if (child->nice < 0) {
			child->nice = 0;
			child->weight = WEIGHT_UNIT;
		}
	}
}

void sched_start_new(struct thread *thread)
{
	unsigned long flags;
	struct runqueue *rq;

	if (!thread->affinity)
		thread->affinity = ~0UL;
	if (!thread->weight) {
		thread->weight = WEIGHT_UNIT;
		thread->user_share = 128;
	}
	thread->on_queue = false;
	thread->start_time_ns = arch_clock_ns();
	flags = local_irq_save();
	WRITE_ONCE(thread->cpu, smp_processor_id());
	WRITE_ONCE(thread->state, THREAD_RUNNING);
	rq = this_runqueue();
	raw_spin_lock(&rq->lock);
	thread->virtual_runtime_ns = rq->least_virtual_ns;
	place(rq, thread, false);
	local_irq_restore(flags);
}

/* ---- Balance ---- */

/* Moves a waiting thread from one locked queue to another; false: none that may go there. */
static bool move_one(struct runqueue *from, struct runqueue *to, u64 weight_limit)
{
	for (struct rb_node *node = rb_last(&from->waiting); node; node = rb_prev(node)) {
		struct thread *thread = container_of(node, struct thread, run_node);

		if (!(thread->affinity & BIT(to->cpu)) || thread->weight >= weight_limit)
			continue;
		tree_remove(from, thread);
		leave(from, thread);
		change_queue(thread, from, to);
		enqueue(to, thread);
		return true;
	}
	return false;
}

/* This CPU has nothing to run: takes a thread that waits on the fullest queue. Its own lock is held; the other one is only
 * tried, so the order of two locks does not matter. */
static void pull(struct runqueue *rq)
{
	struct runqueue *fullest = NULL;
	unsigned int most = 1;

	for_each_cpu(cpu) {
		struct runqueue *other = cpu_runqueue(cpu);

		if (READ_ONCE(other->running) > most) {
			most = other->running;
			fullest = other;
		}
	}
	if (!fullest || fullest == rq || !raw_spin_trylock(&fullest->lock))
		return;
	if (fullest->running > 1)
		move_one(fullest, rq, ~0ULL);
	raw_spin_unlock(&fullest->lock);
}

/* At a tick of a CPU with several threads: gives one to the CPU with the least load, if that evens them out. */
static void push(struct runqueue *rq)
{
	struct runqueue *least = rq;

	for_each_cpu(cpu) {
		struct runqueue *other = cpu_runqueue(cpu);

		if (READ_ONCE(other->load) < least->load)
			least = other;
	}
	if (least == rq || !raw_spin_trylock(&least->lock))
		return;
	if (rq->load > least->load && move_one(rq, least, rq->load - least->load))
		ask_for_switch(least);
	raw_spin_unlock(&least->lock);
}

/* ---- The tick ---- */

static void tick(struct timer *timer)
{
	struct runqueue *rq = container_of(timer, struct runqueue, tick);
	struct thread *running, *first;
	struct pt_regs *regs = interrupt_registers();
	u64 now;

	raw_spin_lock(&rq->lock);
	running = rq->active;
	if (running == rq->idle) {
		raw_spin_unlock(&rq->lock);
		return;
	}
	if (regs && regs_from_user(regs))
		running->user_share += (255 - running->user_share) / 4 + (running->user_share < 252);
	else
		running->user_share -= (running->user_share + 3) / 4;
	now = arch_clock_ns();
	account(rq, running, now);
	first = first_waiting(rq);
	if (first) {
		if (running->policy == SCHED_RR &&
		    first->realtime_priority == running->realtime_priority &&
		    now - running->slice_start_ns >= ROUND_ROBIN_SLICE_NS)
			running->virtual_runtime_ns = ++rq->realtime_sequence;
		if (runs_before(first, running))
			ask_for_switch(rq);
		push(rq);
	}
	timer_arm(&rq->tick, now + (rq->running > 1 ? SLICE_NS : SAMPLE_NS));
	raw_spin_unlock(&rq->lock);
	if (running->process)
		cpu_timers_check(running);
	load_average_update(now);
}

/* ---- The switch ---- */

/* What the thread that ran before needs once this CPU is off its stack. The first thing that every thread does when it gets
 * the CPU; interrupts off. */
void sched_finish_switch(struct thread *previous)
{
	struct runqueue *rq = this_runqueue();
	bool dead = previous->state == THREAD_DEAD;
	struct mm *borrowed = NULL;

	if (unlikely(rq->borrowed_mm) && current->mm) {
		borrowed = rq->borrowed_mm;
		rq->borrowed_mm = NULL;
	}
	smp_store_release(&previous->on_cpu, false);
	if (unlikely(rq->evict_previous)) {
		rq->evict_previous = false;
		place(rq, previous, false); /* releases the lock */
	} else {
		raw_spin_unlock(&rq->lock);
		if (unlikely(dead))
			thread_put(previous);
	}
	if (unlikely(borrowed))
		mm_structure_put(borrowed);
}

/*
 * A thread without an address space runs on the page table that it finds, whose structure the CPU then holds
 * (rq->borrowed_mm) until a thread with one runs.
 */
static inline void switch_address_space(struct runqueue *rq, struct thread *previous, struct thread *next)
{
	struct mm *loaded = previous->active_mm;

	if (next->mm) {
		next->active_mm = next->mm;
		if (next->mm != loaded)
			mm_switch(loaded, next->mm);
		return;
	}
	next->active_mm = loaded;
	if (previous->mm) {
		mm_structure_get(loaded);
		rq->borrowed_mm = loaded;
	}
}

void thread_set_mm(struct mm *mm)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = this_runqueue();
	struct thread *thread = current;
	struct mm *released = NULL;

	if (mm) {
		if (mm != thread->active_mm)
			mm_switch(thread->active_mm, mm);
		thread->mm = thread->active_mm = mm;
		released = rq->borrowed_mm;
		rq->borrowed_mm = NULL;
	} else if (thread->mm) {
		mm_structure_get(thread->mm);
		rq->borrowed_mm = thread->mm;
		thread->mm = NULL;
	}
	local_irq_restore(flags);
	if (released)
		mm_structure_put(released);
}

/* Whether the current thread may go on; one that sleeps, or may not run here any more, leaves. rq->lock is held. preempted: it
 * stays runnable whatever its state says, for it has not come to schedule() yet. */
static bool previous_stays(struct runqueue *rq, struct thread *previous, bool preempted)
{
	unsigned int state = READ_ONCE(previous->state);

	if (previous == rq->idle)
		return false;
	if (state != THREAD_RUNNING && !preempted) {
		if (state & (THREAD_UNINTERRUPTIBLE | THREAD_KILLABLE))
			rq->uninterruptible++;
		leave(rq, previous);
		return false;
	}
	if (unlikely(!(previous->affinity & BIT(rq->cpu))) && state == THREAD_RUNNING) {
		/* Only in this state: on its way between two queues no waker may take it for a sleeper. */
		leave(rq, previous);
		rq->evict_previous = true;
		return false;
	}
	return true;
}

/* The thread that is first in order, `previous` included if it stays; it is not in the queue any more. */
static struct thread *choose_next(struct runqueue *rq, struct thread *previous, bool stays, u64 now)
{
	struct thread *next = first_waiting(rq);

	if (!next && !stays && num_online_cpus() > 1) {
		pull(rq);
		next = first_waiting(rq);
	}
	if (stays && (!next || !runs_before(next, previous)))
		next = previous;
	else if (!next)
		next = rq->idle;
	else {
		tree_remove(rq, next);
		if (stays)
			tree_insert(rq, previous);
	}
	if (next != rq->idle) {
		if ((s64)(next->virtual_runtime_ns - rq->least_virtual_ns) > 0 && !next->realtime_priority)
			rq->least_virtual_ns = next->virtual_runtime_ns;
		tick_by(rq, now + (rq->first ? SLICE_NS : SAMPLE_NS));
	}
	return next;
}

/* Gives the CPU to the thread that is first in order. */
static void switch_to_next(bool preempted)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = this_runqueue();
	struct thread *previous = current, *next;
	bool stays;
	u64 now;

	rcu_quiescent();
	raw_spin_lock(&rq->lock);
	now = arch_clock_ns();
	account(rq, previous, now);
	if (READ_ONCE(previous->work) & WORK_RESCHEDULE)
		__atomic_fetch_and(&previous->work, ~WORK_RESCHEDULE, __ATOMIC_RELAXED);

	stays = previous_stays(rq, previous, preempted);
	next = choose_next(rq, previous, stays, now);
	if (next == previous) {
		raw_spin_unlock(&rq->lock);
		local_irq_restore(flags);
		return;
	}

	if (stays)
		previous->involuntary_switches++;
	else
		previous->voluntary_switches++;
	if (unlikely(previous == rq->idle))
		__atomic_fetch_and(&idle_cpus, ~BIT(rq->cpu), __ATOMIC_RELAXED);
	else if (unlikely(next == rq->idle))
		__atomic_fetch_or(&idle_cpus, BIT(rq->cpu), __ATOMIC_RELAXED);
	rq->switches++;
	rq->active = next;
	next->run_start_ns = next->slice_start_ns = now;
	next->on_cpu = true;
	switch_address_space(rq, previous, next);
	this_cpu_write(current_thread, next);
	previous = arch_thread_switch(previous, next);
	/* Another CPU, perhaps: nothing that was computed before the switch is of use. */
	sched_finish_switch(previous);
	if (current->rseq && (preempted || current->rseq_cpu != smp_processor_id()))
		__atomic_fetch_or(&current->work, WORK_RSEQ, __ATOMIC_RELAXED);
	local_irq_restore(flags);
}

void schedule(void)
{
	lockcheck_sleep();
	switch_to_next(false);
}
EXPORT_SYMBOL(schedule);

void sched_user_return(void)
{
	switch_to_next(true);
}

void cond_resched(void)
{
	might_sleep();
	if (unlikely(need_resched()))
		switch_to_next(true);
}
EXPORT_SYMBOL(cond_resched);

void sched_yield(void)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = this_runqueue();
	struct thread *first;

	raw_spin_lock(&rq->lock);
	first = first_waiting(rq);
	if (first && first->realtime_priority == current->realtime_priority) {
		account(rq, current, arch_clock_ns());
		if (current->realtime_priority)
			current->virtual_runtime_ns = ++rq->realtime_sequence;
		else if ((s64)(current->virtual_runtime_ns - first->virtual_runtime_ns) <= 0)
			current->virtual_runtime_ns = first->virtual_runtime_ns + 1;
	}
	raw_spin_unlock(&rq->lock);
	local_irq_restore(flags);
	switch_to_next(true);
}
EXPORT_SYMBOL(sched_yield);

void sched_exit(void)
{
	lockcheck_thread_exit();
	local_irq_disable();
	WRITE_ONCE(current->state, THREAD_DEAD);
	lockcheck_sleep();
	switch_to_next(false);
	panic("a thread that has ended runs again");
}

/* ---- Changing what a thread may have ---- */

static void set_parameters(struct thread *thread, unsigned int policy,
			   unsigned int realtime_priority, int nice)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = thread_queue_lock(thread);
	bool waits = thread->on_queue && thread != rq->active;

	if (thread->on_queue) {
		rq->load -= thread->weight;
		if (waits)
			tree_remove(rq, thread);
		else
			account(rq, thread, arch_clock_ns());
	}
	if (realtime_priority && !thread->realtime_priority)
		thread->virtual_runtime_ns = ++rq->realtime_sequence;
	else if (!realtime_priority && thread->realtime_priority)
		thread->virtual_runtime_ns = rq->least_virtual_ns;
	thread->policy = policy;
	thread->realtime_priority = realtime_priority;
	thread->nice = nice;
	thread->weight = policy == SCHED_IDLE ? WEIGHT_IDLE_POLICY : nice_weight[nice + 20];
	if (thread->on_queue) {
		rq->load += thread->weight;
		if (waits) {
			tree_insert(rq, thread);
			check_preemption(rq, thread);
		} else if (rq->first) {
			ask_for_switch(rq);
		}
	}
	raw_spin_unlock(&rq->lock);
	local_irq_restore(flags);
}

void sched_set_nice(struct thread *thread, int nice)
{
	set_parameters(thread, thread->policy, thread->realtime_priority, clamp(nice, -20, 19));
}

int sched_set_policy(struct thread *thread, unsigned int policy, unsigned int realtime_priority,
		     bool reset_on_fork)
{
	bool realtime = policy == SCHED_FIFO || policy == SCHED_RR;

	if (!realtime && policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return -EINVAL;
	if (realtime ? realtime_priority < 1 || realtime_priority > 99 : realtime_priority != 0)
		return -EINVAL;
	thread->reset_on_fork = reset_on_fork;
	set_parameters(thread, policy, realtime_priority, thread->nice);
	return 0;
}

int sched_set_affinity(struct thread *thread, u64 mask)
{
	unsigned long flags;
	struct runqueue *rq;
	bool move_self = false;

	if (!(mask & online_mask()))
		return -EINVAL;
	flags = local_irq_save();
	rq = thread_queue_lock(thread);
	WRITE_ONCE(thread->affinity, mask);
	if (!thread->on_queue || (mask & BIT(rq->cpu))) {
		raw_spin_unlock(&rq->lock);
	} else if (thread != rq->active) {
		tree_remove(rq, thread);
		leave(rq, thread);
		place(rq, thread, false);
	} else {
		move_self = thread == current;
		ask_for_switch(rq); /* switch_to_next() puts it elsewhere */
		raw_spin_unlock(&rq->lock);
	}
	local_irq_restore(flags);
	if (move_self)
		switch_to_next(true);
	return 0;
}
EXPORT_SYMBOL(sched_set_affinity);

/* ---- What others ask ---- */

void sched_account(void)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = this_runqueue();

	raw_spin_lock(&rq->lock);
	account(rq, current, arch_clock_ns());
	raw_spin_unlock(&rq->lock);
	local_irq_restore(flags);
}

u64 thread_cpu_time_ns(struct thread *thread)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = thread_queue_lock(thread);
	u64 time;

	if (thread == rq->active)
		account(rq, thread, arch_clock_ns());
	time = thread->cpu_time_ns;
	raw_spin_unlock(&rq->lock);
	local_irq_restore(flags);
	return time;
}

void sched_cpu_times(unsigned int cpu, struct cpu_times *times)
{
	unsigned long flags = local_irq_save();
	struct runqueue *rq = cpu_runqueue(cpu);

	raw_spin_lock(&rq->lock);
	if (rq->active)
		account(rq, rq->active, arch_clock_ns());
	*times = rq->times;
	raw_spin_unlock(&rq->lock);
	local_irq_restore(flags);
}

unsigned int sched_running_count(void)
{
	unsigned int count = 0;

	for_each_cpu(cpu)
		count += READ_ONCE(cpu_runqueue(cpu)->running);
	return count;
}

u64 sched_switch_count(void)
{
	u64 count = 0;

	for_each_cpu(cpu)
		count += READ_ONCE(cpu_runqueue(cpu)->switches);
	return count;
}

/*
 * The load averages: the number of threads that run or wait for a disk, with an exponential decay over 1, 5 and 15 minutes,
 * taken every five seconds. Nobody ticks on an idle machine, so what was missed is made up for when somebody looks.
 */
static spinlock_t load_lock = SPINLOCK_INIT("load_average");
static u64 load_averages[3], load_next_ns;

void load_average_update(u64 now)
{
	static const u64 decay[3] = { 60296, 64453, 65173 }; /* exp(-5 s / 60, 300, 900 s) in 1/65536 */
	unsigned long flags;
	long active = 0;

	if (now < READ_ONCE(load_next_ns))
		return;
	flags = local_irq_save();
	if (!spin_trylock(&load_lock)) {
		local_irq_restore(flags);
		return;
	}
	for_each_cpu(cpu)
		active += (long)READ_ONCE(cpu_runqueue(cpu)->running) +
			  READ_ONCE(cpu_runqueue(cpu)->uninterruptible);
	if (active < 0)
		active = 0;
	if (now > load_next_ns + 1000 * LOAD_PERIOD_NS)
		load_next_ns = now - 1000 * LOAD_PERIOD_NS;
	for (; now >= load_next_ns; WRITE_ONCE(load_next_ns, load_next_ns + LOAD_PERIOD_NS))
		for (int i = 0; i < 3; i++)
			load_averages[i] = (load_averages[i] * decay[i] +
					    ((u64)active << 16) * (65536 - decay[i])) >>
					   16;
	spin_unlock_irqrestore(&load_lock, flags);
}

void sched_load_average(u64 loads_x65536[3])
{
	load_average_update(arch_clock_ns());
	for (int i = 0; i < 3; i++)
		loads_x65536[i] = READ_ONCE(load_averages[i]);
}

/* ---- Start ---- */

static void runqueue_init(unsigned int cpu, struct thread *idle)
{
	struct runqueue *rq = cpu_runqueue(cpu);

	spin_init(&rq->lock, "runqueue");
	rq->cpu = cpu;
	rq->idle = rq->active = idle;
	timer_init(&rq->tick, tick);
}

void sched_init(void)
{
	stack_watch(&boot_thread);
	boot_thread.run_start_ns = arch_clock_ns();
	load_next_ns = LOAD_PERIOD_NS;
	fpu_init();
	runqueue_init(0, &boot_thread);
}

struct thread *sched_prepare_cpu(unsigned int cpu)
{
	struct thread *idle = thread_alloc();

	if (!idle)
		return NULL;
	scnprintf(idle->name, sizeof(idle->name), "idle/%u", cpu);
	idle->flags = THREAD_FLAG_KERNEL | THREAD_FLAG_IDLE;
	idle->cpu = cpu;
	idle->weight = WEIGHT_UNIT;
	idle->affinity = BIT(cpu);
	idle->on_cpu = true;
	idle->run_start_ns = arch_clock_ns();
	runqueue_init(cpu, idle);
	return idle;
}

/* The idle thread says that it runs: wakers may send threads to this CPU. */
void sched_idle_begin(void)
{
	__atomic_fetch_or(&idle_cpus, BIT(smp_processor_id()), __ATOMIC_SEQ_CST);
}
