/*
 * The debug build's lock checker: who holds what.
 *
 * A spin lock is held by a CPU: kernel code is not preempted, and who holds one does not sleep. So each CPU has a list of
 * its own, on which interrupts push theirs on top. A sleeping lock is held by a thread; how many it holds is counted, to see at the
 * return to user mode that there are none.
 *
 * What is reported: a lock taken by the CPU that has it, released by one that has not, sleeping with a spin lock held or in an
 * interrupt, a spin lock that cannot be had for seconds, going to user mode with a lock. Each report is a log line
 * "BUG: lock: ..." with the locks that are held and a backtrace. The log's own locks come here too, so a CPU that reports
 * is left alone meanwhile.
 */
#ifdef CONFIG_DEBUG
#define LOG_PREFIX "BUG: lock: "
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/lockcheck.h>
#include <kumo/oops.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/spinlock.h>
#include <kumo/thread.h>
#include <kumo/time.h>

#define HELD_LIMIT 24
#define PATIENCE_NS (5 * NSEC_PER_SEC)

struct held_lock {
	spinlock_t *lock;
	void *taken_at;
};

struct held_locks {
	unsigned int count;
	struct held_lock locks[HELD_LIMIT];
	bool reporting;
};

static DEFINE_PER_CPU(struct held_locks, held_locks);
unsigned int lockcheck_reports;
EXPORT_SYMBOL(lockcheck_reports);

/* Interrupts off. */
static void report(struct held_locks *held, const char *what, const char *class_name)
{
	if (held->reporting)
		return;
	held->reporting = true;
	__atomic_fetch_add(&lockcheck_reports, 1, __ATOMIC_RELAXED);
	pr_err("%s: %s (CPU %u, %s, thread %d)\n", what, class_name ? class_name : "?",
	       smp_processor_id(), current->name, current->pid);
	for (unsigned int i = held->count; i-- > 0;)
		pr_err("holds %s, taken at %pS\n", held->locks[i].lock->name, held->locks[i].taken_at);
	arch_backtrace(NULL);
	held->reporting = false;
}

static struct held_lock *find(struct held_locks *held, const spinlock_t *lock)
{
	for (unsigned int i = held->count; i-- > 0;)
		if (held->locks[i].lock == lock)
			return &held->locks[i];
	return NULL;
}

static void push(struct held_locks *held, spinlock_t *lock, void *from)
{
	lock->holder = current;
	if (held->count == HELD_LIMIT) {
		report(held, "too many locks held at once", lock->name);
		return;
	}
	held->locks[held->count++] = (struct held_lock){ lock, from };
}

void spin_lock_checked(spinlock_t *lock)
{
	unsigned long flags = local_irq_save();
	struct held_locks *held = this_cpu_ptr(&held_locks);

	if (held->reporting) {
		raw_spin_lock(lock);
		local_irq_restore(flags);
		return;
	}
	if (find(held, lock)) {
		report(held, "taken again by the CPU that holds it", lock->name);
		panic("deadlock on the lock %s", lock->name);
	}
	if (!raw_spin_trylock(lock)) {
		u64 start = arch_clock_ns();

		/* Interrupts as the caller has them: an interrupt may be what releases it. */
		local_irq_restore(flags);
		while (!raw_spin_trylock(lock)) {
			cpu_relax();
			if (arch_clock_ns() - start > PATIENCE_NS) {
				flags = local_irq_save();
				report(this_cpu_ptr(&held_locks), "not to be had for 5 s", lock->name);
				local_irq_restore(flags);
				start = ~0ULL >> 1;
			}
		}
		flags = local_irq_save();
		held = this_cpu_ptr(&held_locks);
	}
	push(held, lock, __builtin_return_address(0));
	local_irq_restore(flags);
}
EXPORT_SYMBOL(spin_lock_checked);

bool spin_trylock_checked(spinlock_t *lock)
{
	unsigned long flags = local_irq_save();
	struct held_locks *held = this_cpu_ptr(&held_locks);
	bool got = raw_spin_trylock(lock);

	if (got && !held->reporting)
		push(held, lock, __builtin_return_address(0));
	local_irq_restore(flags);
	return got;
}
EXPORT_SYMBOL(spin_trylock_checked);

void spin_unlock_checked(spinlock_t *lock)
{
	unsigned long flags = local_irq_save();
	struct held_locks *held = this_cpu_ptr(&held_locks);
	struct held_lock *entry = find(held, lock);

	if (entry) {
		for (held->count--; entry < &held->locks[held->count]; entry++)
			entry[0] = entry[1];
		lock->holder = NULL;
	} else if (!held->reporting) {
		report(held, "released by a CPU that does not hold it", lock->name);
	}
	raw_spin_unlock(lock);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(spin_unlock_checked);

bool spin_lock_held(const void *lock)
{
	unsigned long flags = local_irq_save();
	bool held = find(this_cpu_ptr(&held_locks), lock);

	local_irq_restore(flags);
	return held;
}
EXPORT_SYMBOL(spin_lock_held);

void lockcheck_sleep(void)
{
	unsigned long flags = local_irq_save();
	struct held_locks *held = this_cpu_ptr(&held_locks);

	if (held->count && !held->reporting)
		report(held, "may sleep with a spin lock held", held->locks[held->count - 1].lock->name);
	if (in_interrupt())
		report(held, "may sleep in an interrupt", current->name);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(lockcheck_sleep);

void lockcheck_acquired(const void *lock, const char *class_name)
{
	current->locks_held++;
}

void lockcheck_released(const void *lock, const char *class_name)
{
	if (current->locks_held) {
		current->locks_held--;
	} else {
		unsigned long flags = local_irq_save();

		report(this_cpu_ptr(&held_locks), "released by a thread that holds none", class_name);
		local_irq_restore(flags);
	}
}

void lockcheck_user_return(void)
{
	unsigned long flags = local_irq_save();
	struct held_locks *held = this_cpu_ptr(&held_locks);

	if (held->count)
		report(held, "held on the way to user mode", held->locks[held->count - 1].lock->name);
	if (current->locks_held) {
		report(held, "a sleeping lock is held on the way to user mode", current->name);
		current->locks_held = 0;
	}
	local_irq_restore(flags);
}
#endif
