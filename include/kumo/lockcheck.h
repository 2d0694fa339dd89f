/*
 * The debug build's lock checker (kernel/lockcheck.c): in which order locks are taken, what is held where nothing may be, and
 * who sleeps where nobody may. Locks come to it by themselves; other code says might_sleep() where it may sleep now and then,
 * so that a caller who must not is found every time. In the release build all of this is nothing.
 *
 * A lock's name is its class: locks of one name and kind rank alike, wherever they are. A second lock of a class is taken only
 * by the _nested forms, whose `rank` (1...) says where it stands behind the first, or where the class says that it nests.
 */
#ifndef KUMO_LOCKCHECK_H
#define KUMO_LOCKCHECK_H

#include <kumo/types.h>

enum lock_type { LOCK_SPIN, LOCK_MUTEX, LOCK_RWSEM };
/* How a lock is taken. Who only tries cannot be held up, so no order follows from it. */
enum { LOCK_WAITS = 0, LOCK_TRIES = 1, LOCK_READS = 2 };

#ifdef CONFIG_DEBUG
/* Part of every lock; of no size in the release build. */
struct lock_tag {
	const char *name;
	u16 class; /* found when it is first taken; 0: not yet */
	u8 kind;   /* enum lock_type */
	bool nests;
};
#define LOCK_TAG(lock_name, lock_kind)                                                             \
	{                                                                                          \
		.name = (lock_name), .kind = (lock_kind)                                           \
	}
static inline void lock_tag_init(struct lock_tag *tag, const char *name, enum lock_type kind)
{
	*tag = (struct lock_tag)LOCK_TAG(name, kind);
}
/* Of a lock just initialised: those of its class are taken inside each other, and their owner sees to it that there is no circle. */
static inline void lock_tag_nests(struct lock_tag *tag)
{
	tag->nests = true;
}

/* A lock that is held. */
struct held_lock {
	const void *lock;
	void *from; /* where it was taken */
	u16 class;
	bool tried;	   /* by a trylock */
	bool in_interrupt; /* by an interrupt handler */
};

/* A sleeping lock, for the current thread: before it waits for it (LOCK_TRIES: when it got it), and as it lets go or gives
 * up waiting. `from`: the place to name in reports. */
void lockcheck_acquire(const void *lock, struct lock_tag *tag, unsigned int rank, unsigned int how,
		       void *from);
void lockcheck_release(const void *lock, struct lock_tag *tag);

void might_sleep(void); /* held spin locks, RCU read sections, interrupts off, in an interrupt: none of them here */
void lockcheck_sleep(void);	      /* the same where interrupts may be off */
void lockcheck_user_return(void);     /* to user mode: nothing may be held */
void lockcheck_thread_exit(void);     /* nor at a thread's end */
void lockcheck_interrupt_enter(void); /* what is held now is held with interrupts on */
void lockcheck_interrupt_exit(void);  /* and the handler has left nothing */
void lockcheck_free(const void *memory, size_t size); /* that memory goes: no lock in it may be held */
void lockcheck_forget(const void *memory,
		      size_t size); /* a module's memory goes: what was seen of its code and classes */
bool spin_lock_held(const void *lock); /* by this CPU */
#else
struct lock_tag {
};
#define LOCK_TAG(lock_name, lock_kind)                                                             \
	{                                                                                          \
	}
static inline void lock_tag_init(struct lock_tag *tag, const char *name, enum lock_type kind)
{
}
static inline void lock_tag_nests(struct lock_tag *tag)
{
}
static inline void lockcheck_acquire(const void *lock, struct lock_tag *tag, unsigned int rank,
				     unsigned int how, void *from)
{
}
static inline void lockcheck_release(const void *lock, struct lock_tag *tag)
{
}
static inline void might_sleep(void)
{
}
static inline void lockcheck_sleep(void)
{
}
static inline void lockcheck_user_return(void)
{
}
static inline void lockcheck_thread_exit(void)
{
}
static inline void lockcheck_interrupt_enter(void)
{
}
static inline void lockcheck_interrupt_exit(void)
{
}
static inline void lockcheck_free(const void *memory, size_t size)
{
}
static inline void lockcheck_forget(const void *memory, size_t size)
{
}
#endif

#endif
