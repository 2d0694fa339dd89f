/*
 * The debug build's lock checker: who holds what, and where one may not.
 *
 * A spin lock is held by a CPU: kernel code is not preempted, and who holds one does not sleep. So each CPU has a list of
 * its own, on which interrupts push theirs on top. A sleeping lock is held by a thread and listed in it. What is held when
 * another lock is taken makes the order of locks, which lockorder.c checks.
 *
 * Reported here: a lock taken by who has it, released by who has it not, or freed by who has it; sleeping, or calling what
 * may sleep, with a spin lock held, in an RCU read section, with interrupts off or in an interrupt; a spin lock that
 * cannot be had for seconds; going to user mode, ending a thread or an interrupt handler with a lock held.
 *
 * A CPU that reports is left alone meanwhile: the log's own locks come here, too. Of these it takes none that it holds already, or
 * a report about the serial port's driver would never be seen.
 */
#ifdef CONFIG_DEBUG
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/report.h>
#include <kumo/spinlock.h>
#include <kumo/thread.h>
#include <kumo/time.h>

#include "lockorder.h"

#define PATIENCE_NS (5 * NSEC_PER_SEC)

struct held_spins {
	unsigned int count;
	struct held_lock locks[24];
};

static DEFINE_PER_CPU(struct held_spins, held_spins);
DEFINE_PER_CPU(unsigned int, rcu_read_depth);
EXPORT_SYMBOL(rcu_read_depth);

/* ---- Lists of held locks; interrupts off ---- */

static struct held_lock *find(struct held_lock *locks, unsigned int count, const void *lock)
{
	while (count-- > 0)
		if (locks[count].lock == lock)
			return &locks[count];
	return NULL;
}

static struct held_lock *find_spin(const void *lock)
{
	struct held_spins *held = this_cpu_ptr(&held_spins);

	return find(held->locks, held->count, lock);
}

static struct held_lock *find_sleeping(const void *lock)
{
	return find(current->locks_held, current->locks_held_count, lock);
}

static void push(struct held_lock *locks, unsigned int *count, unsigned int limit, struct held_lock entry)
{
	if (*count < limit)
		locks[(*count)++] = entry;
	else if (report_begin("lock", "more than %u locks held at once", limit))
		report_end();
}

static void drop(struct held_lock *locks, unsigned int *count, struct held_lock *entry)
{
	for (--*count; entry < &locks[*count]; entry++)
		entry[0] = entry[1];
}

/* ---- Reports ---- */

static void show_list(const struct held_lock *locks, unsigned int count)
{
	char name[64];

	while (count-- > 0)
		report_line("held: %s%s, taken at %pS",
			    lock_class_name(locks[count].class, name, sizeof(name)),
			    locks[count].in_interrupt ? " (by an interrupt)" : "", locks[count].from);
}

/* The line, the backtrace, and all that is held. Interrupts off. */
static void report(const char *what, unsigned int class)
{
	struct held_spins *held = this_cpu_ptr(&held_spins);
	char name[64];

	if (!report_begin("lock", "%s%s%s", what, class ? ": " : "",
			  class ? lock_class_name(class, name, sizeof(name)) : ""))
		return;
	show_list(held->locks, held->count);
	show_list(current->locks_held, current->locks_held_count);
	report_end();
}

/* ---- The order ---- */

/*
 * Notes that a lock of `class` is to be taken inside what is held. Of these the innermost that was waited for is enough, for
 * it was taken inside the others; those that were only tried are on top of it. What an interrupt takes has nothing to do with
 * what was held where it came: that follows from usage.
 */
static void order_inside_held(unsigned int class)
{
	struct held_spins *held = this_cpu_ptr(&held_spins);
	bool interrupt = in_interrupt();

	for (unsigned int i = held->count; i-- > 0;) {
		if (held->locks[i].in_interrupt != interrupt)
			return;
		lock_order_add(held->locks[i].class, held->locks[i].from, class);
		if (!held->locks[i].tried)
			return;
	}
	if (interrupt)
		return;
	for (unsigned int i = current->locks_held_count; i-- > 0;) {
		lock_order_add(current->locks_held[i].class, current->locks_held[i].from, class);
		if (!current->locks_held[i].tried)
			return;
	}
}

/* The class of a lock that is to be taken. */
static unsigned int class_of(struct lock_tag *tag, unsigned int rank)
{
	if (unlikely(!tag->name)) {
		report("a lock is taken that was never initialised", 0);
		tag->name = "not initialised";
	}
	return lock_class(tag, rank);
}

/* ---- Spin locks ---- */

static void spin_push(spinlock_t *lock, unsigned int class, bool tried, void *from)
{
	struct held_spins *held = this_cpu_ptr(&held_spins);

	push(held->locks, &held->count, ARRAY_SIZE(held->locks),
	     (struct held_lock){ .lock = lock,
				 .from = from,
				 .class = (u16) class,
				 .tried = tried,
				 .in_interrupt = in_interrupt() });
}

/* Interrupts as the caller has them: an interrupt may be what releases it. */
static void spin_wait(spinlock_t *lock, unsigned int class)
{
	u64 start = arch_clock_ns();
	bool told = false;

	while (!raw_spin_trylock(lock)) {
		cpu_relax();
		if (!told && arch_clock_ns() - start > PATIENCE_NS) {
			unsigned long flags = local_irq_save();

			report("not to be had for 5 s", class);
			local_irq_restore(flags);
			told = true;
		}
	}
}

static void spin_lock_from(spinlock_t *lock, unsigned int rank, void *from)
{
	unsigned long flags = local_irq_save();
	unsigned int class;

	if (unlikely(report_running())) {
		if (!find_spin(lock))
			raw_spin_lock(lock);
		local_irq_restore(flags);
		return;
	}
	class = class_of(&lock->tag, rank);
	if (find_spin(lock)) {
		report("taken again by the CPU that holds it", class);
		panic("deadlock on the spin lock \"%s\"", lock->tag.name);
	}
	order_inside_held(class);
	if (in_interrupt())
		lock_usage_add(class, TAKEN_IN_INTERRUPT);
	else if (flags & X86_EFLAGS_INTERRUPT)
		lock_usage_add(class, HELD_WITH_INTERRUPTS_ON);
	if (!raw_spin_trylock(lock)) {
		local_irq_restore(flags);
		spin_wait(lock, class);
		flags = local_irq_save();
	}
	spin_push(lock, class, false, from);
	local_irq_restore(flags);
}

void spin_lock_checked(spinlock_t *lock)
{
	spin_lock_from(lock, 0, __builtin_return_address(0));
}
EXPORT_SYMBOL(spin_lock_checked);

void spin_lock_nested_checked(spinlock_t *lock, unsigned int rank)
{
	spin_lock_from(lock, rank, __builtin_return_address(0));
}
EXPORT_SYMBOL(spin_lock_nested_checked);

bool spin_trylock_checked(spinlock_t *lock)
{
	unsigned long flags = local_irq_save();
	bool got = raw_spin_trylock(lock);

	if (got && !report_running()) {
		unsigned int class = class_of(&lock->tag, 0);

		if (!in_interrupt() && flags & X86_EFLAGS_INTERRUPT)
			lock_usage_add(class, HELD_WITH_INTERRUPTS_ON);
		spin_push(lock, class, true, __builtin_return_address(0));
	}
	local_irq_restore(flags);
	return got;
}
EXPORT_SYMBOL(spin_trylock_checked);

void spin_unlock_checked(spinlock_t *lock)
{
	unsigned long flags = local_irq_save();
	struct held_spins *held = this_cpu_ptr(&held_spins);
	struct held_lock *entry = find_spin(lock);

	if (unlikely(report_running())) {
		if (!entry)
			raw_spin_unlock(lock);
		local_irq_restore(flags);
		return;
	}
	if (entry)
		drop(held->locks, &held->count, entry);
	else
		report("released by a CPU that does not hold it", lock_class(&lock->tag, 0));
	raw_spin_unlock(lock);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(spin_unlock_checked);

bool spin_lock_held(const void *lock)
{
	unsigned long flags = local_irq_save();
	bool held = find_spin(lock);

	local_irq_restore(flags);
	return held;
}
EXPORT_SYMBOL(spin_lock_held);

/* ---- Sleeping locks ---- */

void lockcheck_acquire(const void *lock, struct lock_tag *tag, unsigned int rank, unsigned int how,
		       void *from)
{
	unsigned long flags = local_irq_save();

	if (!report_running()) {
		unsigned int class = class_of(tag, rank);

		/* Who has tried has it, and was not held up by anybody. */
		if (!(how & LOCK_TRIES)) {
			if (find_sleeping(lock))
				report(how & LOCK_READS ? "read by a thread that holds it: a writer may wait in between"
							: "taken again by the thread that holds it",
				       class);
			else
				order_inside_held(class);
		}
		push(current->locks_held, &current->locks_held_count, ARRAY_SIZE(current->locks_held),
		     (struct held_lock){
			     .lock = lock, .from = from, .class = (u16) class, .tried = how & LOCK_TRIES });
	}
	local_irq_restore(flags);
}

void lockcheck_release(const void *lock, struct lock_tag *tag)
{
	unsigned long flags = local_irq_save();
	struct held_lock *entry = find_sleeping(lock);

	if (entry)
		drop(current->locks_held, &current->locks_held_count, entry);
	else
		report("released by a thread that does not hold it", lock_class(tag, 0));
	local_irq_restore(flags);
}

/* ---- Places where nothing may be held ---- */

/* Why the current thread must not sleep here; NULL: it may. */
static const char *sleep_fault(void)
{
	if (this_cpu_ptr(&held_spins)->count)
		return "may sleep with a spin lock held";
	if (in_interrupt())
		return "may sleep in an interrupt";
	if (this_cpu_read(rcu_read_depth))
		return "may sleep in an RCU read section";
	return NULL;
}

void lockcheck_sleep(void)
{
	unsigned long flags = local_irq_save();
	const char *fault = sleep_fault();

	if (unlikely(fault))
		report(fault, 0);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(lockcheck_sleep);

/* Before there are threads nothing really sleeps, and all runs with interrupts off, in what becomes an idle thread. */
void might_sleep(void)
{
	lockcheck_sleep();
	if (unlikely(irqs_disabled()) && !in_interrupt() && !(current->flags & THREAD_FLAG_IDLE))
		report("may sleep with interrupts off", 0);
}
EXPORT_SYMBOL(might_sleep);

void lockcheck_user_return(void)
{
	unsigned long flags = local_irq_save();

	if (unlikely(this_cpu_ptr(&held_spins)->count || current->locks_held_count))
		report("held on the way to user mode", 0);
	if (unlikely(this_cpu_read(rcu_read_depth))) {
		report("an RCU read section goes on in user mode", 0);
		this_cpu_write(rcu_read_depth, 0);
	}
	local_irq_restore(flags);
}

void lockcheck_thread_exit(void)
{
	unsigned long flags = local_irq_save();

	if (unlikely(current->locks_held_count))
		report("held by a thread that ends", 0);
	local_irq_restore(flags);
}

void lockcheck_interrupt_enter(void)
{
	struct held_spins *held = this_cpu_ptr(&held_spins);

	if (report_running())
		return;
	for (unsigned int i = 0; i < held->count; i++)
		lock_usage_add(held->locks[i].class, HELD_WITH_INTERRUPTS_ON);
}

void lockcheck_interrupt_exit(void)
{
	struct held_spins *held = this_cpu_ptr(&held_spins);

	if (unlikely(held->count && held->locks[held->count - 1].in_interrupt))
		report("held at the end of an interrupt handler", held->locks[held->count - 1].class);
}

/* Of what this CPU and thread hold: another's locks are as wrong, but cost too much to find. */
void lockcheck_free(const void *memory, size_t size)
{
	unsigned long flags = local_irq_save();
	struct held_spins *held = this_cpu_ptr(&held_spins);

	for (unsigned int i = 0; i < held->count; i++)
		if ((unsigned long)held->locks[i].lock - (unsigned long)memory < size)
			report("in memory that is freed while it is held", held->locks[i].class);
	for (unsigned int i = 0; i < current->locks_held_count; i++)
		if ((unsigned long)current->locks_held[i].lock - (unsigned long)memory < size)
			report("in memory that is freed while it is held", current->locks_held[i].class);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(lockcheck_free);
#endif
