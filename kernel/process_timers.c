/*
 * Timers that belong to processes and end in signals: setitimer and alarm, POSIX timers, and the limit on CPU time.
 *
 * Those that count time on the wall are timers of timer.c. Those that count CPU time are looked at by the tick of the CPUs that
 * run the process, so they are as exact as ticks are frequent.
 *
 * A POSIX timer that expires while its last signal is still waiting to be taken sends no other: it counts an overrun. A
 * periodic one is armed again by its expiry, at multiples of its interval, so that nothing drifts. Intervals may be as short
 * as a nanosecond, and timers many, so not each multiple gets an interrupt: the next one comes some way off, and much farther
 * off when nobody has taken the last signal. The multiples in between count as overruns.
 *
 * Locks: process->lock protects the list of POSIX timers and all settings. The functions of the timers take it, too, so a timer is
 * cancelled synchronously only without it.
 */
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/time.h>

#include "../fs/proc/internal.h"
#include "process.h"
#include "sched.h"
#include "time.h"

#define USEC_PER_SEC (NSEC_PER_SEC / NSEC_PER_USEC)

/* How far off the next expiry of a periodic timer is at least. It doubles with each expiry that nobody has an eye for. */
#define DISTANCE_NS (50 * NSEC_PER_USEC)
#define DISTANCE_DOUBLED 8
#define DISTANCE_TICKS_NS (10 * NSEC_PER_MSEC) /* of CPU time, which ticks look at */

static u64 distance(unsigned int *unseen, bool seen)
{
	if (seen)
		*unseen = 0;
	else if (*unseen < DISTANCE_DOUBLED)
		++*unseen;
	return DISTANCE_NS << *unseen;
}

/* The first multiple of the interval after `expired` that is still to come, and if the interval is shorter than `distance`
 * not before that; *missed: how many are left out. */
static u64 next_expiry(u64 expired, u64 interval, u64 now, u64 distance, u64 *missed)
{
	if (interval < distance)
		now += distance;
	*missed = now > expired ? (now - expired) / interval : 0;
	return expired + (*missed + 1) * interval;
}

/* ---- setitimer, alarm ---- */

static void real_timer_expired(struct timer *timer)
{
	struct process *process = container_of(timer, struct process, real_timer);
	bool seen = !(READ_ONCE(process->pending.mask) & signal_bit(SIGALRM));
	u64 missed;

	spin_lock(&process->lock);
	if (process->real_interval_ns && !timer->armed)
		timer_arm(timer, next_expiry(timer->expires_ns, process->real_interval_ns,
					     time_monotonic_ns(),
					     distance(&process->real_unseen, seen), &missed));
	spin_unlock(&process->lock);
	signal_send_process(process, SIGALRM, NULL);
}

static u64 timeval_ns(const struct __kernel_old_timeval *t)
{
	return (u64)t->tv_sec > SECONDS_LIMIT
		       ? SECONDS_LIMIT * NSEC_PER_SEC
		       : (u64)t->tv_sec * NSEC_PER_SEC + (u64)t->tv_usec * NSEC_PER_USEC;
}

static struct __kernel_old_timeval ns_timeval(u64 ns)
{
	/* Rounded up: a timer that is armed never shows zero. */
	u64 usec = DIV_ROUND_UP(ns, NSEC_PER_USEC);

	return (struct __kernel_old_timeval){ .tv_sec = (long)(usec / USEC_PER_SEC),
					      .tv_usec = (long)(usec % USEC_PER_SEC) };
}

struct interval_setting {
	u64 value_ns, interval_ns;
};

static struct cpu_timer *cpu_timer_of(struct process *process, int which)
{
	return which == ITIMER_VIRTUAL ? &process->virtual_timer : &process->profile_timer;
}

static u64 counted(const struct cpu_usage *usage, bool user_only)
{
	return usage->user_ns + (user_only ? 0 : usage->system_ns);
}

/* Reads the present setting and, if `set` is given, puts it in its place. */
static struct interval_setting interval_timer(int which, const struct interval_setting *set)
{
	struct process *process = current->process;
	struct interval_setting old = {};
	unsigned long flags = spin_lock_irqsave(&process->lock);

	if (which == ITIMER_REAL) {
		struct timer *timer = &process->real_timer;
		u64 now = time_monotonic_ns();

		if (timer->armed)
			old.value_ns = timer->expires_ns > now ? timer->expires_ns - now : 1;
		old.interval_ns = process->real_interval_ns;
		if (set) {
			timer_cancel(timer);
			process->real_interval_ns = set->value_ns ? set->interval_ns : 0;
			if (set->value_ns)
				timer_arm(timer, now + set->value_ns);
		}
	} else {
		struct cpu_timer *timer = cpu_timer_of(process, which);
		struct cpu_usage usage = process_cpu_usage_locked(process);
		u64 now = counted(&usage, which == ITIMER_VIRTUAL);

		if (timer->expires_ns)
			old.value_ns = timer->expires_ns > now ? timer->expires_ns - now : 1;
		old.interval_ns = timer->interval_ns;
		if (set) {
			timer->interval_ns = set->interval_ns;
			timer->expires_ns = set->value_ns ? now + set->value_ns : 0;
			if (timer->expires_ns)
				WRITE_ONCE(process->cpu_timers_armed, true);
		}
	}
	spin_unlock_irqrestore(&process->lock, flags);
	return old;
}

static int write_setting(struct __kernel_old_itimerval __user *to, const struct interval_setting *setting)
{
	struct __kernel_old_itimerval value = { .it_interval = ns_timeval(setting->interval_ns),
						.it_value = ns_timeval(setting->value_ns) };

	return copy_to_user(to, &value, sizeof(value)) ? -EFAULT : 0;
}

static bool timeval_valid(const struct __kernel_old_timeval *t)
{
	return t->tv_sec >= 0 && (u64)t->tv_usec < USEC_PER_SEC;
}

long sys_setitimer(int which, const struct __kernel_old_itimerval __user *from,
		   struct __kernel_old_itimerval __user *to)
{
	struct __kernel_old_itimerval value = {};
	struct interval_setting set, old;

	if (from && copy_from_user(&value, from, sizeof(value)))
		return -EFAULT;
	if (!timeval_valid(&value.it_value) || !timeval_valid(&value.it_interval) ||
	    which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	set.value_ns = timeval_ns(&value.it_value);
	set.interval_ns = timeval_ns(&value.it_interval);
	old = interval_timer(which, &set);
	return to ? write_setting(to, &old) : 0;
}

long sys_getitimer(int which, struct __kernel_old_itimerval __user *to)
{
	struct interval_setting now;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	now = interval_timer(which, NULL);
	return write_setting(to, &now);
}

long sys_alarm(unsigned int seconds)
{
	struct interval_setting set = { .value_ns = seconds * NSEC_PER_SEC },
				old = interval_timer(ITIMER_REAL, &set);
	u64 left = (old.value_ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC;

	return old.value_ns && !left ? 1 : (long)left;
}

/* ---- POSIX timers ---- */

struct posix_timer {
	struct list link; /* in process->posix_timers */
	int id, clock, notify, signal;
	sigval_t value;
	struct process *process;
	struct user *user;     /* who is charged for it as for a queued signal; own reference */
	struct thread *target; /* SIGEV_THREAD_ID: referenced */
	u64 interval_ns;
	u64 cpu_expires_ns;  /* CPU clocks: 0: off */
	unsigned int unseen; /* expiries in a row that sent no signal, up to a bound */
	int overrun;	     /* expirations without a signal since the last one that was taken */
	int overrun_last;    /* of the last signal that was taken */
	struct timer timer;  /* other clocks */
};

static bool still_pending(struct posix_timer *timer)
{
	signal_mask bit = signal_bit(timer->signal);

	return READ_ONCE(timer->process->pending.mask) & bit ||
	       (timer->target && READ_ONCE(timer->target->pending.mask) & bit);
}

/* What is to be sent once process->lock is free. */
struct expiry {
	struct thread *target;
	int signal;
	siginfo_t info;
};

/* The timer has expired, missed+1 times: the signal to send, or none (signal 0). process->lock is held. */
static void expire(struct posix_timer *timer, u64 missed, struct expiry *expiry)
{
	u64 overrun = (u64)timer->overrun + missed;

	expiry->signal = 0;
	if (timer->notify == SIGEV_NONE)
		return;
	if (still_pending(timer)) {
		timer->overrun = (int)min(overrun + 1, 0x7fffffffULL);
		return;
	}
	timer->overrun = (int)min(overrun, 0x7fffffffULL);
	expiry->signal = timer->signal;
	expiry->target = timer->target;
	memset(&expiry->info, 0, sizeof(expiry->info));
	expiry->info.si_signo = timer->signal;
	expiry->info.si_code = SI_TIMER;
	expiry->info.si_tid = timer->id;
	expiry->info.si_value = timer->value;
}

/* A full queue of signals costs the signal, as on Linux. */
static void send(struct process *process, const struct expiry *expiry)
{
	if (!expiry->signal)
		return;
	if (expiry->target)
		signal_send_thread(expiry->target, expiry->signal, &expiry->info);
	else
		signal_send_process(process, expiry->signal, &expiry->info);
}

static void posix_timer_expired(struct timer *base)
{
	struct posix_timer *timer = container_of(base, struct posix_timer, timer);
	struct process *process = timer->process;
	bool seen = timer->notify != SIGEV_NONE && !still_pending(timer);
	struct expiry expiry;
	u64 missed = 0;

	spin_lock(&process->lock);
	if (timer->interval_ns && !base->armed)
		timer_arm(base, next_expiry(base->expires_ns, timer->interval_ns, time_monotonic_ns(),
					    distance(&timer->unseen, seen), &missed));
	expire(timer, missed, &expiry);
	spin_unlock(&process->lock);
	/* The timer stays while this runs: timer_delete() waits for it. */
	send(process, &expiry);
}

/* Does a timer by this clock count CPU time of one thread? Then of which; others count the whole process. */
static u64 cpu_clock_now(struct posix_timer *timer, const struct cpu_usage *usage)
{
	if (timer->clock == CLOCK_THREAD_CPUTIME_ID)
		return timer->target ? thread_cpu_time_ns(timer->target) : 0;
	return counted(usage, false);
}

/* ---- The tick's look at timers of CPU time ---- */

/* Its time has come: the next one is set. */
static bool cpu_timer_due(struct cpu_timer *timer, u64 now)
{
	u64 missed;

	if (!timer->expires_ns || now < timer->expires_ns)
		return false;
	timer->expires_ns = timer->interval_ns ? next_expiry(timer->expires_ns, timer->interval_ns,
							     now, DISTANCE_TICKS_NS, &missed)
					       : 0;
	return true;
}

/* The first POSIX timer of CPU time that is due. */
static bool posix_cpu_timer_due(struct process *process, const struct cpu_usage *usage,
				struct expiry *expiry, bool *armed)
{
	struct posix_timer *timer;

	list_for_each(timer, &process->posix_timers, link) {
		u64 now, missed = 0, expired = timer->cpu_expires_ns;

		if (!expired)
			continue;
		now = cpu_clock_now(timer, usage);
		if (now < expired) {
			*armed = true;
			continue;
		}
		timer->cpu_expires_ns = timer->interval_ns
						? next_expiry(expired, timer->interval_ns, now,
							      DISTANCE_TICKS_NS, &missed)
						: 0;
		expire(timer, missed, expiry);
		return true;
	}
	return false;
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and every second after it, SIGKILL at the hard one. */
static int cpu_limit_signal(struct process *process, u64 used_ns)
{
	struct rlimit *limit = &process->limits[RLIMIT_CPU];
	u64 seconds = used_ns / NSEC_PER_SEC;

	if (seconds >= limit->rlim_max)
		return SIGKILL;
	if (seconds < limit->rlim_cur)
		return 0;
	limit->rlim_cur = seconds + 1;
	return SIGXCPU;
}

void cpu_timers_check(struct thread *thread)
{
	struct process *process = thread->process;
	bool limited = READ_ONCE(process->limits[RLIMIT_CPU].rlim_cur) != RLIM_INFINITY, armed;
	bool virtual_due, profile_due;
	struct cpu_usage usage;
	struct expiry expiry;
	int limit_signal = 0;

	if (likely(!READ_ONCE(process->cpu_timers_armed) && !limited))
		return;
	spin_lock(&process->lock);
	usage = process_cpu_usage_locked(process);
	virtual_due = cpu_timer_due(&process->virtual_timer, counted(&usage, true));
	profile_due = cpu_timer_due(&process->profile_timer, counted(&usage, false));
	armed = process->virtual_timer.expires_ns || process->profile_timer.expires_ns;
	while (posix_cpu_timer_due(process, &usage, &expiry, &armed)) {
		armed = true; /* perhaps: the next tick will see */
		spin_unlock(&process->lock);
		send(process, &expiry);
		spin_lock(&process->lock);
	}
	WRITE_ONCE(process->cpu_timers_armed, armed);
	if (limited)
		limit_signal = cpu_limit_signal(process, counted(&usage, false));
	spin_unlock(&process->lock);
	if (virtual_due)
		signal_send_process(process, SIGVTALRM, NULL);
	if (profile_due)
		signal_send_process(process, SIGPROF, NULL);
	if (limit_signal)
		signal_send_process(process, limit_signal, NULL);
}

/* ---- The system calls on POSIX timers ---- */

static struct posix_timer *find_timer(struct process *process, int id)
{
	struct posix_timer *timer;

	list_for_each(timer, &process->posix_timers, link)
		if (timer->id == id)
			return timer;
	return NULL;
}

void posix_timer_taken(siginfo_t *info)
{
	struct process *process = current->process;
	struct posix_timer *timer;
	unsigned long flags;

	if (likely(info->si_code != SI_TIMER))
		return;
	flags = spin_lock_irqsave(&process->lock);
	timer = find_timer(process, info->si_tid);
	if (timer) {
		info->si_overrun = timer->overrun_last = timer->overrun;
		timer->overrun = 0;
	}
	spin_unlock_irqrestore(&process->lock, flags);
}

static void free_timer(struct posix_timer *timer)
{
	timer_cancel_sync(&timer->timer);
	if (timer->target)
		thread_put(timer->target);
	if (timer->user) {
		atomic_dec(&timer->user->signal_count);
		user_put(timer->user);
	}
	kfree(timer);
}

/* Timers count as queued signals. */
static int charge(struct posix_timer *timer)
{
	struct user *user = current->cred->user;

	refcount_inc(&user->refs);
	timer->user = user;
	return (u64)atomic_add_return(&user->signal_count, 1) <= process_limit(RLIMIT_SIGPENDING)
		       ? 0
		       : -EAGAIN;
}

/* Who gets the signal: checks what the program asked for. */
static int set_target(struct posix_timer *timer, const sigevent_t *event)
{
	timer->notify = event->sigev_notify;
	timer->signal = event->sigev_signo;
	timer->value = event->sigev_value;
	if (timer->notify == SIGEV_NONE)
		return 0;
	if ((timer->notify & ~SIGEV_THREAD_ID) != SIGEV_SIGNAL && timer->notify != SIGEV_THREAD)
		return -EINVAL;
	if (timer->signal < 1 || timer->signal > SIGNAL_COUNT)
		return -EINVAL;
	if (timer->notify & SIGEV_THREAD_ID) {
		timer->target = thread_find(event->sigev_notify_thread_id);
		if (!timer->target || timer->target->process != current->process)
			return -EINVAL;
	}
	return 0;
}

/* The C library names the caller's own CPU clocks in the way of clock_getcpuclockid(3), with the number 0 or its own. */
static int timer_clock(int clock)
{
	int number = ~(clock >> 3);
	int own = clock & CPU_CLOCK_PER_THREAD ? current->pid : current->process->pid;

	if (clock >= 0 || (number && number != own) || (clock & 3) != CPU_CLOCK_SCHEDULER)
		return clock;
	return clock & CPU_CLOCK_PER_THREAD ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID;
}

static int timer_clock_allowed(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		return 0;
	case CLOCK_REALTIME_ALARM: /* the machine never sleeps, so they are as the others */
	case CLOCK_BOOTTIME_ALARM:
		return capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static int next_timer_id(struct process *process)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);
	int id = process->next_timer_id++ & 0x7fffffff;

	spin_unlock_irqrestore(&process->lock, flags);
	return id;
}

/* /proc/PID/timers. The cursor is a place in the list; while timers come and go one may be missed. */
int timers_next(struct text *text, void *object, u64 *cursor)
{
	struct process *process = ((struct thread *)object)->process;
	static const char *const ways[] = { "signal", "none", "thread" };
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct posix_timer *timer, copy;
	u64 place = 0;
	int pid = process->pid;
	bool found = false;

	list_for_each(timer, &process->posix_timers, link) {
		if (place++ < *cursor)
			continue;
		copy = *timer;
		if (timer->target)
			pid = timer->target->pid;
		found = true;
		break;
	}
	spin_unlock_irqrestore(&process->lock, flags);
	if (!found)
		return 0;
	text_printf(text, "ID: %d\nsignal: %d/%016lx\nnotify: %s/%s.%d\nClockID: %d\n", copy.id,
		    copy.signal, (unsigned long)copy.value.sival_ptr,
		    ways[copy.notify & ~SIGEV_THREAD_ID],
		    copy.notify & SIGEV_THREAD_ID ? "tid" : "pid", pid, copy.clock);
	++*cursor;
	return 1;
}

/* False: an old timer has the number; they were all used up once. */
static bool publish_timer(struct posix_timer *timer)
{
	struct process *process = timer->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	bool unique = !find_timer(process, timer->id);

	if (unique)
		list_add_tail(&process->posix_timers, &timer->link);
	spin_unlock_irqrestore(&process->lock, flags);
	return unique;
}

long sys_timer_create(int clock, sigevent_t __user *event_from, int __user *id_to)
{
	struct process *process = current->process;
	sigevent_t event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct posix_timer *timer;
	int error;

	if (event_from && copy_from_user(&event, event_from, sizeof(event)))
		return -EFAULT;
	clock = timer_clock(clock);
	error = timer_clock_allowed(clock);
	if (error)
		return error;
	timer = kzalloc(sizeof(*timer), GFP_USER);
	if (!timer)
		return -EAGAIN;
	timer->clock = clock;
	timer->process = process;
	timer_init(&timer->timer, posix_timer_expired);
	error = charge(timer);
	if (!error)
		error = set_target(timer, &event);
	if (error)
		goto fail;
	if (clock == CLOCK_THREAD_CPUTIME_ID && !timer->target)
		thread_get(timer->target = current);

	do {
		error = -EFAULT;
		timer->id = next_timer_id(process);
		if (put_user(timer->id, id_to))
			goto fail;
		if (!event_from)
			timer->value.sival_int = timer->id;
	} while (!publish_timer(timer)); /* from here on other threads may delete it */
	return 0;
fail:
	free_timer(timer);
	return error;
}

static struct interval_setting timer_left(struct posix_timer *timer, const struct cpu_usage *usage)
{
	struct interval_setting left = { .interval_ns = timer->interval_ns };
	bool cpu = clock_is_cpu(timer->clock);
	u64 now = cpu ? cpu_clock_now(timer, usage) : time_monotonic_ns();
	u64 expires = cpu		   ? timer->cpu_expires_ns
		      : timer->timer.armed ? timer->timer.expires_ns
					   : 0;

	if (expires)
		left.value_ns = expires > now ? expires - now : 1;
	if (expires && left.interval_ns && timer->unseen) /* multiples that are left out count here */
		left.value_ns = (left.value_ns - 1) % left.interval_ns + 1;
	return left;
}

static int write_timerspec(struct __kernel_itimerspec __user *to, const struct interval_setting *setting)
{
	struct __kernel_itimerspec value = { .it_interval = ns_to_timespec(setting->interval_ns),
					     .it_value = ns_to_timespec(setting->value_ns) };

	return copy_to_user(to, &value, sizeof(value)) ? -EFAULT : 0;
}

long sys_timer_settime(int id, int flags, const struct __kernel_itimerspec __user *from,
		       struct __kernel_itimerspec __user *to)
{
	struct process *process = current->process;
	struct __kernel_itimerspec value;
	struct interval_setting old;
	struct posix_timer *timer;
	struct cpu_usage usage;
	unsigned long irq_flags;
	u64 expires;

	if (!from)
		return -EINVAL;
	if (copy_from_user(&value, from, sizeof(value)))
		return -EFAULT;
	if (!timespec_valid(&value.it_value) || !timespec_valid(&value.it_interval))
		return -EINVAL;
	expires = timespec_to_ns_capped(&value.it_value);

	irq_flags = spin_lock_irqsave(&process->lock);
	timer = find_timer(process, id);
	if (!timer) {
		spin_unlock_irqrestore(&process->lock, irq_flags);
		return -EINVAL;
	}
	usage = process_cpu_usage_locked(process);
	old = timer_left(timer, &usage);
	timer->interval_ns = timespec_to_ns_capped(&value.it_interval);
	timer->overrun = timer->overrun_last = 0;
	if (clock_is_cpu(timer->clock)) {
		if (expires && !(flags & TIMER_ABSTIME))
			expires += cpu_clock_now(timer, &usage);
		timer->cpu_expires_ns = expires;
		if (expires)
			WRITE_ONCE(process->cpu_timers_armed, true);
	} else {
		timer_cancel(&timer->timer);
		if (expires)
			timer_arm(&timer->timer, (flags & TIMER_ABSTIME)
							 ? clock_to_monotonic(timer->clock, expires)
							 : time_monotonic_ns() + expires);
	}
	spin_unlock_irqrestore(&process->lock, irq_flags);
	return to ? write_timerspec(to, &old) : 0;
}

long sys_timer_gettime(int id, struct __kernel_itimerspec __user *to)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct posix_timer *timer = find_timer(process, id);
	struct interval_setting left = {};

	if (timer) {
		struct cpu_usage usage = process_cpu_usage_locked(process);

		left = timer_left(timer, &usage);
	}
	spin_unlock_irqrestore(&process->lock, flags);
	return timer ? write_timerspec(to, &left) : -EINVAL;
}

long sys_timer_getoverrun(int id)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct posix_timer *timer = find_timer(process, id);
	long overrun = timer ? timer->overrun_last : -EINVAL;

	spin_unlock_irqrestore(&process->lock, flags);
	return overrun;
}

static struct posix_timer *unlink_timer(struct process *process, struct posix_timer *timer)
{
	if (timer)
		list_del(&timer->link);
	return timer;
}

long sys_timer_delete(int id)
{
	struct process *process = current->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct posix_timer *timer = unlink_timer(process, find_timer(process, id));

	spin_unlock_irqrestore(&process->lock, flags);
	if (!timer)
		return -EINVAL;
	free_timer(timer);
	return 0;
}

/* ---- Start, exec and exit ---- */

void process_timers_init(struct process *process)
{
	timer_init(&process->real_timer, real_timer_expired);
}

void process_timers_exec(struct process *process)
{
	struct posix_timer *timer;
	unsigned long flags;

	do {
		flags = spin_lock_irqsave(&process->lock);
		timer = list_empty(&process->posix_timers)
				? NULL
				: unlink_timer(process, list_first(&process->posix_timers,
								   struct posix_timer, link));
		spin_unlock_irqrestore(&process->lock, flags);
		if (timer)
			free_timer(timer);
	} while (timer);
}

void process_timers_exit(struct process *process)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);

	process->real_interval_ns = 0;
	process->virtual_timer.expires_ns = process->profile_timer.expires_ns = 0;
	spin_unlock_irqrestore(&process->lock, flags);
	timer_cancel_sync(&process->real_timer);
	process_timers_exec(process);
}
