/*
 * Spin locks. Held for short times, never across anything that sleeps. Kernel code is not preempted; a lock that an
 * interrupt handler takes too is taken with the _irqsave form everywhere else. `name` is the lock's class for the
 * debug build's lock checker (lockcheck.h).
 */
#ifndef KUMO_SPINLOCK_H
#define KUMO_SPINLOCK_H

#include <kumo/arch/irqflags.h> /* local_irq_save, local_irq_restore, local_irq_enable/disable, irqs_disabled, cpu_relax */
#include <kumo/atomic.h>
#include <kumo/lines.h>
#include <kumo/lockcheck.h>

/* A ticket lock: owner in the low half, next ticket in the high half, so CPUs get it in the order of asking. */
struct spinlock {
	union {
		u32 tickets;
		struct {
			u16 owner, next;
		};
	};
	struct lock_tag tag;
};
typedef struct spinlock spinlock_t;

#define SPINLOCK_INIT(class_name)                                                                  \
	{                                                                                          \
		.tag = LOCK_TAG(class_name, LOCK_SPIN)                                             \
	}
#ifdef CONFIG_DEBUG
/* The lock checker's entry points (kernel/lockcheck.c). */
void spin_lock_checked(spinlock_t *lock);
void spin_lock_nested_checked(spinlock_t *lock, unsigned int rank);
bool spin_trylock_checked(spinlock_t *lock);
void spin_unlock_checked(spinlock_t *lock);
#endif

static inline void spin_init(spinlock_t *lock, const char *class_name)
{
	lock->tickets = 0;
	lock_tag_init(&lock->tag, class_name, LOCK_SPIN);
}

static inline void raw_spin_lock(spinlock_t *lock)
{
	u32 mine = __atomic_fetch_add(&lock->tickets, 0x10000, __ATOMIC_ACQUIRE);
	u16 ticket = mine >> 16;

	if (likely((u16)mine == ticket))
		return;
	lines_contended(lock);
	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
}

static inline bool raw_spin_trylock(spinlock_t *lock)
{
	u32 old = __atomic_load_n(&lock->tickets, __ATOMIC_RELAXED);

	if ((u16)old != old >> 16)
		return false;
	return __atomic_compare_exchange_n(&lock->tickets, &old, old + 0x10000, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void raw_spin_unlock(spinlock_t *lock)
{
	__atomic_store_n(&lock->owner, (u16)(lock->owner + 1), __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const spinlock_t *lock)
{
	u32 now = READ_ONCE(lock->tickets);

	return (u16)now != now >> 16;
}

static inline void spin_lock(spinlock_t *lock)
{
#ifdef CONFIG_DEBUG
	spin_lock_checked(lock);
#else
	raw_spin_lock(lock);
#endif
}

/* For a second lock of a class, with the first one held. */
static inline void spin_lock_nested(spinlock_t *lock, unsigned int rank)
{
#ifdef CONFIG_DEBUG
	spin_lock_nested_checked(lock, rank);
#else
	raw_spin_lock(lock);
#endif
}

static inline __must_check bool spin_trylock(spinlock_t *lock)
{
#ifdef CONFIG_DEBUG
	return spin_trylock_checked(lock);
#else
	return raw_spin_trylock(lock);
#endif
}

static inline void spin_unlock(spinlock_t *lock)
{
#ifdef CONFIG_DEBUG
	spin_unlock_checked(lock);
#else
	raw_spin_unlock(lock);
#endif
}

/* Takes the lock with interrupts off; what they were is returned, for spin_unlock_irqrestore(). */
static inline __must_check unsigned long spin_lock_irqsave(spinlock_t *lock)
{
	unsigned long flags = local_irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	spin_unlock(lock);
	local_irq_restore(flags);
}

#endif
