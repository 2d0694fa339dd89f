/*
 * Read-copy-update.
 *
 * Readers are kernel code that does not sleep, and kernel code is not preempted. So once every CPU has switched threads, been
 * idle or been in user mode, all readers that were at work when an object was unlinked are done with it: a grace period.
 *
 * A grace period begins with an interrupt on every other CPU. One that is idle answers there and then; for one that runs a
 * thread the interrupt sets WORK_RESCHEDULE, so that it passes through the scheduler right away if it was in user mode, and when it
 * leaves the kernel, sleeps or calls cond_resched() if it was not. Who waits for the grace period is itself no reader. On a
 * machine with one CPU there is nobody else, and a grace period is nothing at all.
 *
 * Grace periods come one after the other; all who ask while one is under way share the next.
 *
 * Callbacks are pushed onto a stack of their CPU, and a thread takes all of them, waits for a grace period, and runs them, on the
 * CPU that each comes from: mostly they free memory, which goes back to where it is in the caches and will be allocated again. It
 * starts when the first callback has waited for BATCH_NS, so that it runs seldom, or at once when there are many or
 * somebody waits (rcu_barrier()).
 */
#define LOG_PREFIX "rcu: "
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/thread.h>

#define BATCH_NS (5 * NSEC_PER_MSEC)
#define BATCH_LIMIT 2000 /* callbacks of one CPU that are not left waiting */

/* ---- Grace periods ---- */

DEFINE_PER_CPU(unsigned int, rcu_wanted);

static struct mutex period_mutex = MUTEX_INIT(period_mutex, "rcu_period"); /* one grace period at a time */
static unsigned long periods_begun, periods_done; /* written under the mutex */
static atomic_t cpus_missing;			  /* that have not reported in the current one */
static struct wait_queue period_wait = WAIT_QUEUE_INIT(period_wait);

/* This CPU is in a quiescent state. Interrupts off. */
void rcu_report(void)
{
	this_cpu_write(rcu_wanted, 0);
	/* The decrement is a full barrier: what this CPU's readers did is over before the waiter goes on. */
	if (atomic_dec_and_test(&cpus_missing))
		wake_up(&period_wait);
}

/* On each other CPU at the begin of a grace period, in an interrupt. */
static void period_begins(void *unused)
{
	struct thread *thread = current;

	this_cpu_write(rcu_wanted, 1);
	if (thread->flags & THREAD_FLAG_IDLE)
		rcu_report();
	else
		__atomic_fetch_or(&thread->work, WORK_RESCHEDULE, __ATOMIC_RELAXED);
}

/* A CPU that starts meanwhile has no old readers. */
static void begin_period(void)
{
	unsigned int count = num_online_cpus(), here = smp_processor_id();

	atomic_set(&cpus_missing, (int)count - 1);
	for (unsigned int cpu = 0; cpu < count; cpu++)
		if (cpu != here)
			smp_call(cpu, period_begins, NULL);
}

void synchronize_rcu(void)
{
	unsigned long needed;

	if (num_online_cpus() == 1) {
		barrier();
		return;
	}
	/* What was unlinked before is seen by all readers of a grace period that begins after this. */
	needed = __atomic_load_n(&periods_begun, __ATOMIC_SEQ_CST) + 1;
	smp_mb();
	mutex_lock(&period_mutex);
	if ((long)(periods_done - needed) < 0) {
		WRITE_ONCE(periods_begun, periods_begun + 1);
		begin_period();
		wait_event(&period_wait, !atomic_read(&cpus_missing));
		WRITE_ONCE(periods_done, periods_begun);
	}
	mutex_unlock(&period_mutex);
}
EXPORT_SYMBOL(synchronize_rcu);

/* ---- Callbacks ---- */

struct callbacks {
	struct rcu_head *stack; /* pushed by this CPU, taken by the thread */
	unsigned int count;	/* pushed since it was taken, about */
};

static DEFINE_PER_CPU(struct callbacks, callbacks);
static struct thread *callback_thread;
static struct wait_queue callback_wait = WAIT_QUEUE_INIT(callback_wait);
static atomic_t batch_waits; /* the timer is armed, or the thread was asked already */
static bool batch_due;	     /* the thread should start */
static struct timer batch_timer;

/* Each pass takes all callbacks that there are. Both count passes; who waits for the callbacks queued so far waits until a pass that
 * has not begun yet is done. */
static unsigned long passes_begun, passes_done, passes_wanted;
static struct wait_queue passes_wait = WAIT_QUEUE_INIT(passes_wait);

static void batch_start(void)
{
	WRITE_ONCE(batch_due, true);
	wake_up(&callback_wait);
}

static void batch_timer_expired(struct timer *timer)
{
	batch_start();
}

void call_rcu(struct rcu_head *head, void (*function)(struct rcu_head *head))
{
	unsigned long flags = local_irq_save();
	struct callbacks *mine = this_cpu_ptr(&callbacks);
	struct rcu_head *top = READ_ONCE(mine->stack);

	head->function = function;
	do {
		head->next = top;
	} while (!__atomic_compare_exchange_n(&mine->stack, &top, head, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	mine->count++;
	if (unlikely(mine->count == BATCH_LIMIT))
		batch_start();
	else if (!atomic_read(&batch_waits) && !atomic_xchg(&batch_waits, 1))
		timer_arm(&batch_timer, time_monotonic_ns() + BATCH_NS);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(call_rcu);

/* The callbacks of each CPU, last first. They are not touched: they lie in that CPU's caches. True if there are any. */
static bool take_callbacks(struct rcu_head *taken[MAX_CPUS])
{
	bool any = false;

	for_each_cpu(cpu) {
		struct callbacks *of_cpu = per_cpu_ptr(&callbacks, cpu);

		WRITE_ONCE(of_cpu->count, 0);
		taken[cpu] = __atomic_exchange_n(&of_cpu->stack, NULL, __ATOMIC_SEQ_CST);
		any |= taken[cpu] != NULL;
	}
	return any;
}

static struct rcu_head *reverse(struct rcu_head *stack)
{
	struct rcu_head *queue = NULL, *next;

	for (; stack; stack = next) {
		next = stack->next;
		stack->next = queue;
		queue = stack;
	}
	return queue;
}

/* Runs what was taken, each CPU's there and in the order in which it came. */
static void run_taken(struct rcu_head *taken[MAX_CPUS])
{
	for_each_cpu(cpu) {
		struct rcu_head *head, *next;

		if (!taken[cpu])
			continue;
		if (cpu != smp_processor_id())
			WARN_ON(sched_set_affinity(current, BIT(cpu))); /* cannot fail: the CPU runs */
		for (head = reverse(taken[cpu]); head; head = next) {
			next = head->next;
			head->function(head);
			cond_resched();
		}
	}
	WARN_ON(sched_set_affinity(current, ~0ULL)); /* to wait anywhere */
}

static int run_callbacks(void *unused)
{
	static struct rcu_head *taken[MAX_CPUS];

	for (;;) {
		unsigned long pass;

		/* Interruptible only in name: nobody stops this thread, and an idle one is no load. */
		wait_event_interruptible(&callback_wait,
					 READ_ONCE(batch_due) ||
						 (long)(READ_ONCE(passes_wanted) - passes_done) > 0);
		/* Before the callbacks are taken: one that is queued after that starts a new wait. */
		WRITE_ONCE(batch_due, false);
		atomic_xchg(&batch_waits, 0);
		pass = passes_begun + 1;
		__atomic_store_n(&passes_begun, pass, __ATOMIC_SEQ_CST);
		if (take_callbacks(taken)) {
			synchronize_rcu();
			run_taken(taken);
		}
		__atomic_store_n(&passes_done, pass, __ATOMIC_SEQ_CST);
		wake_up_all(&passes_wait);
	}
	return 0;
}

void rcu_barrier(void)
{
	unsigned long needed = __atomic_load_n(&passes_begun, __ATOMIC_SEQ_CST) + 1, wanted;

	wanted = READ_ONCE(passes_wanted);
	while ((long)(wanted - needed) < 0 &&
	       !__atomic_compare_exchange_n(&passes_wanted, &wanted, needed, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	wake_up(&callback_wait);
	wait_event(&passes_wait, (long)(READ_ONCE(passes_done) - needed) >= 0);
}
EXPORT_SYMBOL(rcu_barrier);

bool rcu_callbacks_wait(void)
{
	bool waits = READ_ONCE(passes_begun) != READ_ONCE(passes_done);

	for_each_cpu(cpu)
		waits |= READ_ONCE(per_cpu_ptr(&callbacks, cpu)->stack) != NULL;
	if (waits)
		batch_start();
	return waits;
}

void rcu_init(void)
{
	timer_init(&batch_timer, batch_timer_expired);
	callback_thread = kthread_run(run_callbacks, NULL, "rcu");
	if (IS_ERR(callback_thread))
		panic("no memory for the RCU thread");
}
