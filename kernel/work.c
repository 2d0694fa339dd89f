/*
 * Deferred work: one list, and a pool of threads that take from it.
 *
 * There is one worker as long as that is enough. If what is queued finds no idle worker and has not been taken after PATIENCE_NS, the
 * workers are asleep in their functions, which may wait for each other; then one more is made. Workers beyond the first end when they
 * have been idle for IDLE_NS. The first thread, the keeper, only makes workers, so it is never busy.
 *
 * A worker says in `running` which work it is at. Whoever needs to know whether a work runs looks through the workers and
 * never at the work, which its function may have freed.
 */
#define LOG_PREFIX "work: "
#include <kumo/export.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/work.h>

#define PATIENCE_NS (10 * NSEC_PER_MSEC)
#define IDLE_NS (10 * NSEC_PER_SEC)
#define WORKERS_LIMIT 256

/* work->state */
#define WORK_QUEUED 1
#define WORK_CANCELLER 2 /* for each that is in work_cancel_sync() */

struct worker {
	struct list link;
	struct work *running;
};

static spinlock_t work_lock = SPINLOCK_INIT("work"); /* all of what follows; interrupts off */
static struct list queued = LIST_INIT(queued);
static struct list workers = LIST_INIT(workers);
static unsigned int worker_count, idle_count;
static unsigned long taken_count; /* works taken so far: tells the timer whether anything moved */
static unsigned long taken_seen;

static struct wait_queue worker_wait = WAIT_QUEUE_INIT(worker_wait);
static struct wait_queue keeper_wait = WAIT_QUEUE_INIT(keeper_wait);
static struct wait_queue done_wait = WAIT_QUEUE_INIT(done_wait); /* of who waits for a work to end */
static struct timer patience;
static bool worker_wanted;

void work_init(struct work *work, void (*function)(struct work *work))
{
	list_init(&work->link);
	work->function = function;
	work->state = 0;
}
EXPORT_SYMBOL(work_init);

static bool runs(const struct work *work)
{
	struct worker *worker;

	list_for_each(worker, &workers, link)
		if (worker->running == work)
			return true;
	return false;
}

/* Something is queued and nobody is idle: in a while, see whether it was taken. */
static void watch_queue(void)
{
	if (idle_count || patience.armed)
		return;
	taken_seen = taken_count;
	timer_arm(&patience, time_monotonic_ns() + PATIENCE_NS);
}

/* The first work that does not run already; those that do are taken by their worker when it is through. */
static struct work *first_ready(void)
{
	struct work *work;

	list_for_each(work, &queued, link)
		if (!runs(work))
			return work;
	return NULL;
}

static struct work *take_work(void)
{
	struct work *work = first_ready();

	if (!work)
		return NULL;
	list_del_init(&work->link);
	work->state &= ~WORK_QUEUED;
	taken_count++;
	if (!list_empty(&queued))
		watch_queue();
	return work;
}

static void patience_ended(struct timer *timer)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool waits = !list_empty(&queued) && !idle_count;

	if (waits) {
		if (taken_count == taken_seen)
			worker_wanted = true;
		taken_seen = taken_count;
		timer_arm(timer, time_monotonic_ns() + PATIENCE_NS);
	}
	spin_unlock_irqrestore(&work_lock, flags);
	if (waits)
		wake_up(&keeper_wait);
}

bool work_queue(struct work *work)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool queue = !work->state;

	if (queue) {
		work->state = WORK_QUEUED;
		list_add_tail(&queued, &work->link);
		watch_queue();
	}
	spin_unlock_irqrestore(&work_lock, flags);
	if (queue)
		wake_up(&worker_wait);
	return queue;
}
EXPORT_SYMBOL(work_queue);

static bool work_idle(struct work *work)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool idle = !(work->state & WORK_QUEUED) && !runs(work);

	spin_unlock_irqrestore(&work_lock, flags);
	return idle;
}

void work_flush(struct work *work)
{
	wait_event(&done_wait, work_idle(work));
}
EXPORT_SYMBOL(work_flush);

/* While somebody cancels a work it cannot be queued, or one that queues itself would never end. */
bool work_cancel_sync(struct work *work)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool was_queued = work->state & WORK_QUEUED;

	if (was_queued)
		list_del_init(&work->link);
	work->state = (work->state & ~WORK_QUEUED) + WORK_CANCELLER;
	spin_unlock_irqrestore(&work_lock, flags);
	work_flush(work);
	flags = spin_lock_irqsave(&work_lock);
	work->state -= WORK_CANCELLER;
	spin_unlock_irqrestore(&work_lock, flags);
	return was_queued;
}
EXPORT_SYMBOL(work_cancel_sync);

/* For a worker's wait: there is something to take. */
static bool work_waits(void)
{
	unsigned long flags;
	bool waits;

	if (list_empty(&queued))
		return false;
	flags = spin_lock_irqsave(&work_lock);
	waits = first_ready();
	spin_unlock_irqrestore(&work_lock, flags);
	return waits;
}

static int worker_main(void *arg)
{
	struct worker *self = arg;
	unsigned long flags = spin_lock_irqsave(&work_lock);

	for (;;) {
		struct work *work = take_work();
		int timeout;

		if (work) {
			self->running = work;
			spin_unlock_irqrestore(&work_lock, flags);
			work->function(work);
			cond_resched();
			flags = spin_lock_irqsave(&work_lock);
			self->running = NULL;
			spin_unlock_irqrestore(&work_lock, flags);
			wake_up_all(&done_wait);
			flags = spin_lock_irqsave(&work_lock);
			continue;
		}
		idle_count++;
		spin_unlock_irqrestore(&work_lock, flags);
		timeout = wait_event_mode(&worker_wait, work_waits(), WAIT_INTERRUPTIBLE, true,
					  time_monotonic_ns() + IDLE_NS);
		flags = spin_lock_irqsave(&work_lock);
		idle_count--;
		if (timeout == -ETIME && list_empty(&queued) && worker_count > 1)
			break;
	}
	worker_count--;
	list_del(&self->link);
	spin_unlock_irqrestore(&work_lock, flags);
	kfree(self);
	return 0;
}

static void make_worker(void)
{
	struct worker *worker = kzalloc(sizeof(*worker), GFP_KERNEL | GFP_CORE);
	struct thread *thread;
	unsigned long flags;

	if (!worker)
		goto no_memory;
	thread = kthread_create(worker_main, worker, "worker/%u", worker_count);
	if (IS_ERR(thread)) {
		kfree(worker);
		goto no_memory;
	}
	flags = spin_lock_irqsave(&work_lock);
	worker_count++;
	list_add_tail(&workers, &worker->link);
	spin_unlock_irqrestore(&work_lock, flags);
	kthread_start(thread);
	thread_put(thread); /* it ends by itself */
	return;

no_memory:
	if (!worker_count)
		panic("no memory for the first worker thread");
	pr_warn_once("no memory for another worker: deferred work waits\n"); /* the timer asks again */
}

static int keeper_main(void *unused)
{
	for (;;) {
		wait_event_interruptible(&keeper_wait, READ_ONCE(worker_wanted));
		WRITE_ONCE(worker_wanted, false);
		if (worker_count < WORKERS_LIMIT)
			make_worker();
	}
	return 0;
}

static void delay_ended(struct timer *timer)
{
	work_queue(&container_of(timer, struct delayed_work, timer)->work);
}

void delayed_work_init(struct delayed_work *delayed, void (*function)(struct work *work))
{
	work_init(&delayed->work, function);
	timer_init(&delayed->timer, delay_ended);
}
EXPORT_SYMBOL(delayed_work_init);

void delayed_work_queue(struct delayed_work *delayed, u64 monotonic_ns)
{
	timer_arm(&delayed->timer, monotonic_ns);
}
EXPORT_SYMBOL(delayed_work_queue);

bool delayed_work_cancel_sync(struct delayed_work *delayed)
{
	bool waited = timer_cancel_sync(&delayed->timer);

	waited |= work_cancel_sync(&delayed->work);
	/* The function may have armed the timer while it was waited for. */
	while (timer_cancel_sync(&delayed->timer))
		waited |= work_cancel_sync(&delayed->work);
	return waited;
}
EXPORT_SYMBOL(delayed_work_cancel_sync);

void work_initialise(void)
{
	struct thread *keeper;

	timer_init(&patience, patience_ended);
	keeper = kthread_run(keeper_main, NULL, "work");
	if (IS_ERR(keeper))
		panic("no memory for the work queue");
	thread_put(keeper);
	make_worker();
}
