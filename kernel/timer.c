/*
 * One-shot timers. Each CPU has a tree of its timers by expiry; the machine's timer is programmed for the first. A timer is armed on
 * the CPU that arms it, and its function runs there, in the timer's interrupt.
 *
 * timer->cpu names the tree whose lock protects the timer, armed or not. It changes only in timer_arm(), which holds both
 * locks then, and never while the function runs: a timer that is armed anew meanwhile stays where it runs. So the function
 * never runs on two CPUs, and timer_cancel_sync() has one place to look.
 *
 * The machine's timer is not programmed anew when the first timer is cancelled: most timeouts are cancelled, and a stray interrupt
 * now and then is cheaper.
 *
 * Lock order: timer locks are taken inside of everything else; two of them by CPU number. Functions run with none held.
 */
#include <kumo/export.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/thread.h>
#include <kumo/time.h>

struct timer_base {
	spinlock_t lock;
	struct rb_root timers;
	struct rb_node *first;
	struct timer *running;
	u64 programmed_ns; /* when the machine's timer will fire; WAIT_FOREVER: not */
	bool in_interrupt; /* timer_interrupt() is at work, and programs the machine at its end */
} __cacheline_aligned;

static DEFINE_PER_CPU(struct timer_base, timer_base) = {
	.lock = SPINLOCK_INIT("timer_base"),
	.programmed_ns = WAIT_FOREVER,
};

static void tree_insert(struct timer_base *base, struct timer *timer)
{
	struct rb_node **link = &base->timers.node, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (timer->expires_ns < container_of(parent, struct timer, node)->expires_ns) {
			link = &parent->left;
		} else {
			link = &parent->right;
			first = false;
		}
	}
	if (first)
		base->first = &timer->node;
	rb_insert(&base->timers, &timer->node, parent, link);
	timer->armed = true;
}

static void tree_remove(struct timer_base *base, struct timer *timer)
{
	if (base->first == &timer->node)
		base->first = rb_next(&timer->node);
	rb_erase(&base->timers, &timer->node);
	timer->armed = false;
}

static struct timer_base *timer_lock(struct timer *timer)
{
	for (;;) {
		unsigned int cpu = READ_ONCE(timer->cpu);
		struct timer_base *base = per_cpu_ptr(&timer_base, cpu);

		spin_lock(&base->lock);
		if (likely(READ_ONCE(timer->cpu) == cpu))
			return base;
		spin_unlock(&base->lock);
	}
}

/* Takes a timer, which is not armed and does not run, to this CPU. Its lock is held; this CPU's is when it returns. */
static struct timer_base *take_over(struct timer_base *from, struct timer *timer)
{
	unsigned int here = smp_processor_id();
	struct timer_base *to = this_cpu_ptr(&timer_base);

	if (from > to) {
		if (!spin_trylock(&to->lock)) {
			/* Out of order: let go and start again. Others may have armed the timer meanwhile. */
			spin_unlock(&from->lock);
			return NULL;
		}
	} else {
		spin_lock_nested(&to->lock, 1);
	}
	WRITE_ONCE(timer->cpu, here);
	spin_unlock(&from->lock);
	return to;
}

void timer_init(struct timer *timer, void (*function)(struct timer *timer))
{
	timer->function = function;
	timer->expires_ns = 0;
	timer->cpu = smp_processor_id();
	timer->armed = false;
}
EXPORT_SYMBOL(timer_init);

void timer_arm(struct timer *timer, u64 expires_ns)
{
	unsigned long flags = local_irq_save();
	struct timer_base *base, *here = this_cpu_ptr(&timer_base);

	do {
		base = timer_lock(timer);
		if (timer->armed)
			tree_remove(base, timer);
		if (unlikely(base != here) && base->running != timer)
			base = take_over(base, timer);
	} while (unlikely(!base));
	timer->expires_ns = expires_ns;
	tree_insert(base, timer);
	if (base == here && expires_ns < base->programmed_ns && !base->in_interrupt) {
		base->programmed_ns = expires_ns;
		arch_timer_program(expires_ns);
	}
	spin_unlock(&base->lock);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(timer_arm);

bool timer_cancel(struct timer *timer)
{
	unsigned long flags = local_irq_save();
	struct timer_base *base = timer_lock(timer);
	bool armed = timer->armed;

	if (armed)
		tree_remove(base, timer);
	spin_unlock(&base->lock);
	local_irq_restore(flags);
	return armed;
}
EXPORT_SYMBOL(timer_cancel);

bool timer_cancel_sync(struct timer *timer)
{
	bool was_armed = false, running;

	do {
		unsigned long flags = local_irq_save();
		struct timer_base *base = timer_lock(timer);

		if (timer->armed) {
			tree_remove(base, timer);
			was_armed = true;
		}
		running = base->running == timer;
		spin_unlock(&base->lock);
		local_irq_restore(flags);
		if (unlikely(running))
			cpu_relax();
	} while (unlikely(running));
	return was_armed;
}
EXPORT_SYMBOL(timer_cancel_sync);

void timer_interrupt(void)
{
	struct timer_base *base = this_cpu_ptr(&timer_base);
	u64 now = time_monotonic_ns();

	spin_lock(&base->lock);
	base->in_interrupt = true;
	for (;;) {
		struct timer *timer = rb_entry_or_null(base->first, struct timer, node);
		void (*function)(struct timer * timer);

		if (!timer)
			break;
		if (timer->expires_ns > now) {
			now = time_monotonic_ns(); /* the functions took their time */
			if (timer->expires_ns > now)
				break;
		}
		tree_remove(base, timer);
		base->running = timer;
		function = timer->function;
		spin_unlock(&base->lock);
		function(timer); /* which may free it */
		spin_lock(&base->lock);
		base->running = NULL;
	}
	base->in_interrupt = false;
	base->programmed_ns = base->first ? container_of(base->first, struct timer, node)->expires_ns
					  : WAIT_FOREVER;
	arch_timer_program(base->programmed_ns);
	spin_unlock(&base->lock);
	printk_wake_readers();
}
