/*
 * A module that is hard to remove: a device, a timer that arms itself again, work that the timer queues, a handler on a shared
 * interrupt, a thread that is stopped and one that ends by itself at some moment. tests/soak/removal.c inserts and removes it while
 * all of these are busy. /dev/removal reads as a count of what ran.
 */
#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/irq.h>
#include <kumo/module.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/work.h>

enum { TIMER_PERIOD_NS = 200000, SERIAL_IRQ = 4 };

static atomic_t events;
static struct timer timer;
static struct work work;
static struct thread *stopped, *ending;

static void timer_function(struct timer *self)
{
	atomic_inc(&events);
	work_queue(&work);
	timer_arm(self, time_monotonic_ns() + TIMER_PERIOD_NS);
}

static void work_function(struct work *self)
{
	atomic_inc(&events);
}

static enum irq_result interrupt(int irq, void *arg)
{
	atomic_inc(&events);
	return IRQ_NONE;
}

static int stopped_function(void *arg)
{
	while (!kthread_should_stop()) {
		atomic_inc(&events);
		sleep_ns(TIMER_PERIOD_NS);
	}
	return 0;
}

/* Ends while the module is being used or removed, as the clock has it. */
static int ending_function(void *arg)
{
	sleep_ns(time_monotonic_ns() % (10 * TIMER_PERIOD_NS));
	return 0;
}

static ssize_t removal_read(struct file *file, struct iter *to, loff_t *pos)
{
	char text[16];
	int length = scnprintf(text, sizeof(text), "%d\n", atomic_read(&events));
	size_t copied;

	if (*pos)
		return 0;
	copied = iter_copy_to(to, text, (size_t)length);
	*pos += (loff_t)copied;
	return copied ? (ssize_t)copied : -EFAULT;
}

static const struct tree_ops removal_ops = { .read = removal_read };

static struct char_device device = {
	.name = "removal", .mode = 0444, .ops = &removal_ops, .owner = THIS_MODULE
};

static int __init removal_init(void)
{
	int error;

	timer_init(&timer, timer_function);
	work_init(&work, work_function);
	error = irq_request(SERIAL_IRQ, interrupt, &events, "removal");
	if (error)
		return error;
	stopped = kthread_run(stopped_function, NULL, "removal-stopped");
	if (IS_ERR(stopped)) {
		error = (int)PTR_ERR(stopped);
		goto free_irq;
	}
	ending = kthread_run(ending_function, NULL, "removal-ending");
	if (IS_ERR(ending)) {
		error = (int)PTR_ERR(ending);
		goto stop;
	}
	timer_arm(&timer, time_monotonic_ns() + TIMER_PERIOD_NS);
	device.number = device_number_alloc();
	error = char_device_register(&device);
	if (!error)
		return 0;
	timer_cancel_sync(&timer);
	work_cancel_sync(&work);
	kthread_stop(ending);
stop:
	kthread_stop(stopped);
free_irq:
	irq_free(SERIAL_IRQ, &events);
	return error;
}

static void __exit removal_exit(void)
{
	char_device_unregister(&device);
	timer_cancel_sync(&timer);
	work_cancel_sync(&work);
	kthread_stop(ending);
	kthread_stop(stopped);
	irq_free(SERIAL_IRQ, &events);
}

module_init(removal_init);
module_exit(removal_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("a module that is busy while it is removed");
