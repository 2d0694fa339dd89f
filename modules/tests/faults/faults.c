/*
 * Faults that a suite cannot make, for tests/host/faults.sh. After some the machine cannot go on: `modprobe faults fault=stack` runs
 * out of its kernel stack, `fault=list` removes an entry from a list whose links contradict each other (the debug build
 * looks). Others the lock checker reports: `fault=held` comes back to its program with a lock, `fault=interrupt` leaves one
 * locked in an interrupt handler.
 */
#include <kumo/err.h>
#include <kumo/list.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include <kumo/time.h>

static char *fault = "";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "stack, list, held or interrupt");

static volatile unsigned int depth_limit = ~0U;

static __noinline unsigned int run_deep(unsigned int depth)
{
	volatile char frame[256];

	if (depth == depth_limit)
		return 0;
	frame[0] = (char)depth;
	return run_deep(depth + 1) + (unsigned int)frame[0];
}

static void damage_list(void)
{
	struct list head = LIST_INIT(head), entry;

	list_add(&head, &entry);
	head.next = &head;
	list_del(&entry);
}

static void hold_mutex(void)
{
	static struct mutex lock;

	mutex_init(&lock, "held_for_ever");
	mutex_lock(&lock);
}

static void on_timer(struct timer *timer)
{
	static spinlock_t lock = SPINLOCK_INIT("locked_for_ever");

	spin_lock(&lock);
}

static void hold_in_interrupt(void)
{
	static struct timer timer;

	timer_init(&timer, on_timer);
	timer_arm(&timer, time_monotonic_ns());
	sleep_ns(50 * NSEC_PER_MSEC);
}

static int __init faults_init(void)
{
	if (!strcmp(fault, "stack"))
		return (int)run_deep(0);
	if (!strcmp(fault, "list")) {
		damage_list();
		return 0;
	}
	if (!strcmp(fault, "held")) {
		hold_mutex();
		return 0;
	}
	if (!strcmp(fault, "interrupt")) {
		hold_in_interrupt();
		return 0;
	}
	return -EINVAL;
}
module_init(faults_init);

MODULE_DESCRIPTION("faults on purpose, for a test");
MODULE_LICENSE("MIT");
