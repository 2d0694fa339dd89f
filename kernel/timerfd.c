/*
 * timerfd_create(2): a timer that is read. A read gives how often it has expired since the last one, and waits for the first
 * time.
 *
 * A periodic timer is armed again only when its expiries are read: what has passed meanwhile is computed then. So an interval
 * of a nanosecond costs no more than the reads.
 *
 * Timers by the date wait in the queue of those that want to know when it is set: an absolute one is moved, and one
 * with TFD_TIMER_CANCEL_ON_SET tells its reader ECANCELED.
 */
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/poll.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "time.h"

struct timerfd {
	struct timer timer;
	struct wait_entry date_set; /* in realtime_changed; of timers by the date */
	struct wait_queue wait;	    /* of readers */
	spinlock_t lock;	    /* protects what follows; taken in interrupts */
	int clock;
	int flags; /* TFD_TIMER_* of the setting */
	u64 value_ns; /* when it expires, or did, by its clock (relative ones: monotonic); 0: stopped */
	u64 interval_ns;   /* 0: once */
	u64 expiries;	   /* since the last read */
	bool expired;	   /* not armed again: expiries since timer.expires_ns are not counted */
	bool date_was_set; /* and its reader wants to know */
};

static const struct tree_ops timerfd_ops;

static bool by_date(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

static void timer_expired(struct timer *base)
{
	struct timerfd *timer = container_of(base, struct timerfd, timer);
	unsigned long flags = spin_lock_irqsave(&timer->lock);

	/* Unless it was set again, or stopped, just now. */
	if (!base->armed && timer->value_ns) {
		timer->expired = true;
		timer->expiries++;
	}
	spin_unlock_irqrestore(&timer->lock, flags);
	wake_up_key(&timer->wait, POLLIN);
}

/* The clock that value_ns is by. */
static int clock_of_value(const struct timerfd *timer)
{
	return timer->flags & TFD_TIMER_ABSTIME ? timer->clock : CLOCK_MONOTONIC;
}

static void arm(struct timerfd *timer)
{
	timer_arm(&timer->timer, clock_to_monotonic(clock_of_value(timer), timer->value_ns));
}

/* Counts what has passed since an expiry, by the clock as it is now, and arms the timer for the next. */
static void catch_up(struct timerfd *timer)
{
	u64 now = 0, missed;

	if (!timer->expired || !timer->interval_ns || clock_read(clock_of_value(timer), &now))
		return; /* the clock can be read: it was checked when the timer was made */
	missed = now > timer->value_ns ? (now - timer->value_ns) / timer->interval_ns : 0;
	timer->expiries += missed;
	timer->expired = false;
	timer->value_ns += (missed + 1) * timer->interval_ns;
	arm(timer);
}

/* realtime_changed's lock is held. */
static bool date_set(struct wait_entry *wait, unsigned long key)
{
	struct timerfd *timer = container_of(wait, struct timerfd, date_set);
	unsigned long flags = spin_lock_irqsave(&timer->lock);
	bool cancel = timer->flags & TFD_TIMER_CANCEL_ON_SET;

	if (cancel)
		timer->date_was_set = true;
	if (timer->flags & TFD_TIMER_ABSTIME && timer->timer.armed)
		arm(timer);
	spin_unlock_irqrestore(&timer->lock, flags);
	if (cancel)
		wake_up_key(&timer->wait, POLLIN);
	return true;
}

/* ---- The file ---- */

/* The number of expiries, 0 for none yet, or -ECANCELED. */
static s64 take(struct timerfd *timer)
{
	unsigned long flags = spin_lock_irqsave(&timer->lock);
	s64 expiries;

	catch_up(timer);
	expiries = (s64)timer->expiries;
	if (timer->date_was_set)
		expiries = -ECANCELED;
	timer->date_was_set = false;
	timer->expiries = 0;
	spin_unlock_irqrestore(&timer->lock, flags);
	return expiries;
}

static bool readable(const struct timerfd *timer)
{
	return READ_ONCE(timer->expiries) || READ_ONCE(timer->date_was_set);
}

static ssize_t timerfd_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct timerfd *timer = file->private;
	s64 expiries;

	if (iter_peek_size(to) < sizeof(expiries)) /* readv(2) reads each segment by itself */
		return -EINVAL;
	while (!(expiries = take(timer))) {
		int error;

		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		error = wait_event_interruptible(&timer->wait, readable(timer));
		if (error)
			return error;
	}
	if (expiries < 0)
		return expiries;
	return iter_copy_to(to, &expiries, sizeof(expiries)) == sizeof(expiries)
		       ? (ssize_t)sizeof(expiries)
		       : -EFAULT;
}

static u32 timerfd_poll(struct file *file, struct poll_table *table)
{
	struct timerfd *timer = file->private;

	poll_wait(file, &timer->wait, table);
	return readable(timer) ? POLLIN : 0;
}

/* The setting as it is now: what is left until the next expiry. */
static struct __kernel_itimerspec setting(struct timerfd *timer)
{
	u64 now = time_monotonic_ns(), left = 0;

	if (timer->timer.armed)
		left = timer->timer.expires_ns > now ? timer->timer.expires_ns - now : 1;
	return (struct __kernel_itimerspec){ .it_value = ns_to_timespec(left),
					     .it_interval = ns_to_timespec(timer->interval_ns) };
}

static void timerfd_show_info(struct file *file, struct text *text)
{
	struct timerfd *timer = file->private;
	unsigned long flags = spin_lock_irqsave(&timer->lock);
	struct __kernel_itimerspec now = setting(timer);
	u64 expiries = timer->expiries;
	int how = timer->flags;

	spin_unlock_irqrestore(&timer->lock, flags);
	text_printf(text,
		    "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%lld, %lld)\n"
		    "it_interval: (%lld, %lld)\n",
		    timer->clock, (unsigned long long)expiries, (unsigned int)how,
		    (long long)now.it_value.tv_sec, (long long)now.it_value.tv_nsec,
		    (long long)now.it_interval.tv_sec, (long long)now.it_interval.tv_nsec);
}

/* TFD_IOC_SET_TICKS: so many expiries are to be read. */
static long timerfd_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct timerfd *timer = file->private;
	unsigned long flags;
	u64 ticks;
	bool cancelled;

	if (command != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	if (copy_from_user(&ticks, (const void __user *)argument, sizeof(ticks)))
		return -EFAULT;
	if (!ticks)
		return -EINVAL;
	flags = spin_lock_irqsave(&timer->lock);
	cancelled = timer->date_was_set;
	timer->date_was_set = false;
	if (!cancelled)
		timer->expiries = ticks;
	spin_unlock_irqrestore(&timer->lock, flags);
	if (cancelled)
		return -ECANCELED;
	wake_up_key(&timer->wait, POLLIN);
	return 0;
}

static void timerfd_clunk(struct file *file)
{
	struct timerfd *timer = file->private;

	if (by_date(timer->clock))
		wait_queue_remove(&realtime_changed, &timer->date_set);
	timer_cancel_sync(&timer->timer);
	kfree(timer);
}

static const struct tree_ops timerfd_ops = {
	.clunk = timerfd_clunk,
	.seek = file_seek_stays,
	.read = timerfd_read,
	.poll = timerfd_poll,
	.ioctl = timerfd_ioctl,
	.show_info = timerfd_show_info,
};

/* ---- System calls ---- */

long sys_timerfd_create(int clock, int flags)
{
	struct timerfd *timer;
	struct file *file;

	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (!by_date(clock) && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	if ((clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	timer = kzalloc(sizeof(*timer), GFP_USER);
	if (!timer)
		return -ENOMEM;
	timer_init(&timer->timer, timer_expired);
	wait_queue_init(&timer->wait);
	spin_init(&timer->lock, "timerfd");
	timer->clock = clock;
	file = file_anonymous("[timerfd]", &timerfd_ops, timer, O_RDWR | ((u32)flags & O_NONBLOCK),
			      FILE_READ | FILE_WRITE | FILE_STREAM);
	if (IS_ERR(file)) {
		kfree(timer);
		return PTR_ERR(file);
	}
	if (by_date(clock)) {
		wait_entry_init(&timer->date_set);
		timer->date_set.wake = date_set;
		wait_queue_add(&realtime_changed, &timer->date_set);
	}
	return fd_add(file, (u32)flags);
}

static struct fd_ref borrow_timer(unsigned int fd, int *error)
{
	struct fd_ref ref = fd_borrow(fd);

	*error = !ref.file ? -EBADF : ref.file->ops != &timerfd_ops ? -EINVAL : 0;
	return ref;
}

static void set_timer(struct timerfd *timer, int how, const struct __kernel_itimerspec *new,
		      struct __kernel_itimerspec *old)
{
	u64 value = timespec_to_ns_capped(&new->it_value);
	unsigned long flags;

	flags = spin_lock_irqsave(&timer->lock);
	catch_up(timer);
	*old = setting(timer);
	timer->flags = how;
	timer->value_ns = value && !(how & TFD_TIMER_ABSTIME) ? time_monotonic_ns() + value : value;
	timer->interval_ns = timespec_to_ns_capped(&new->it_interval);
	timer->expiries = 0;
	timer->expired = timer->date_was_set = false;
	timer_cancel(&timer->timer);
	if (value)
		arm(timer);
	spin_unlock_irqrestore(&timer->lock, flags);
}

long sys_timerfd_settime(unsigned int fd, int how, const struct __kernel_itimerspec __user *from,
			 struct __kernel_itimerspec __user *to)
{
	struct __kernel_itimerspec new, old;
	struct fd_ref ref;
	int error;

	if (copy_from_user(&new, from, sizeof(new)))
		return -EFAULT;
	if (how & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ||
	    !timespec_valid(&new.it_value) || !timespec_valid(&new.it_interval))
		return -EINVAL;
	ref = borrow_timer(fd, &error);
	if (!error) {
		struct timerfd *timer = ref.file->private;

		if (!by_date(timer->clock) || !(how & TFD_TIMER_ABSTIME))
			how &= ~TFD_TIMER_CANCEL_ON_SET;
		set_timer(timer, how, &new, &old);
	}
	fd_release(ref);
	if (!error && to && copy_to_user(to, &old, sizeof(old)))
		return -EFAULT;
	return error;
}

long sys_timerfd_gettime(unsigned int fd, struct __kernel_itimerspec __user *to)
{
	struct __kernel_itimerspec now;
	struct fd_ref ref;
	int error;

	ref = borrow_timer(fd, &error);
	if (!error) {
		struct timerfd *timer = ref.file->private;
		unsigned long flags = spin_lock_irqsave(&timer->lock);

		catch_up(timer);
		now = setting(timer);
		spin_unlock_irqrestore(&timer->lock, flags);
	}
	fd_release(ref);
	if (!error && copy_to_user(to, &now, sizeof(now)))
		return -EFAULT;
	return error;
}
